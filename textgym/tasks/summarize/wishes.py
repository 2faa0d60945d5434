# ruff: noqa: E501 (a line of grammar or of words stays a line)
"""What a reader may ask of a summary, in many wordings; what each wish means is in `judge`.

Wordings are whole sentences, to stand before or after a text or in between. {w} is a number of
words, spelt or in digits.
"""

from __future__ import annotations

from textgym.seeding import Draws
from textgym.tasks.summarize.event import Wish
from textgym.tasks.summarize.grammar import Template, compile_all, expand

WORD_LIMITS = (14, 15, 16, 18, 20, 22)
SPELT = {14: "fourteen", 15: "fifteen", 16: "sixteen", 18: "eighteen", 20: "twenty", 22: "twenty-two"}

WORDINGS: dict[Wish, tuple[Template, ...]] = {
    Wish("sentences", 1): compile_all("""
    [Please put this|Put this|Kindly put this|Sum this up|Give me this] in [one|a single] sentence.
    [One|A single] sentence [will do|is enough|is plenty][| for me|, thanks].
    [I have time for|I want|Make it] [just|exactly|only] one sentence.
    """),
    Wish("sentences", 2): compile_all("""
    [Please put this|Put this|Kindly put this|Sum this up|Tell me this] in two sentences[|, no fewer|, not more].
    Two sentences [would be good|please, not one|are all I need|are what fits here].
    [I would like|Make it|I need] [exactly|just] two sentences.
    """),
    Wish("words"): compile_all("""
    [Please use|Use|You may use] [at most|no more than|up to] {w} words[| for this].
    [No more than|At most|Not more than] {w} words[|, please| for this one].
    [I have room for|There is space for|My screen shows] {w} words[| at most|, no more].
    """),
    Wish("about", "amount"): compile_all("""
    [I only want|Just tell me|Give me only|I only need] the [number|figure] [that matters|in this|behind this][|, please].
    [How much or how many|What is the number]? [That is all I ask|Nothing else matters to me|Leave the rest out|The rest is noise to me|I can do without the rest|Skip everything else|That will do for me].
    [Only the figure|Just the number] [counts|is of interest] [this time|here][|, thanks].
    """),
    Wish("about", "day"): compile_all("""
    [I only want to know|Just tell me|Tell me only|All I need is] when [it happened|this was][|, please].
    [On what day was it|When was it]? [That is all I ask|Nothing else matters to me|Leave the rest out|The rest is noise to me|I can do without the rest|Skip everything else|That will do for me].
    [Only the day|Just the date] [counts|is of interest] [this time|here][|, thanks].
    """),
    Wish("about", "reason"): compile_all("""
    [I only want to know|Just tell me|Tell me only|All I need is] why [it happened|it came to this][|, please].
    [Why did it happen|What was behind it]? [That is all I ask|Nothing else matters to me|Leave the rest out|The rest is noise to me|I can do without the rest|Skip everything else|That will do for me].
    [Only the reason|Just the cause] [counts|is of interest] [this time|here][|, thanks].
    """),
    Wish("about", "result"): compile_all("""
    [I only want to know|Just tell me|Tell me only|All I need is] what [came of it|it led to][|, please].
    [What came of it|How did it end]? [That is all I ask|Nothing else matters to me|Leave the rest out|The rest is noise to me|I can do without the rest|Skip everything else|That will do for me].
    [Only the outcome|Just the result] [counts|is of interest] [this time|here][|, thanks].
    """),
    Wish("without", "names"): compile_all("""
    [Please leave|Leave|Do leave] [the names of people|people's names] out[| of it].
    [No names of people|No personal names][|, please|, for privacy| in the summary].
    [Do not say|You need not say] what [anyone|the person] is called[|, please].
    """),
    Wish("without", "numbers"): compile_all("""
    [Please leave|Leave|Do leave] [the numbers|all figures] out[| of it].
    [No numbers|No figures][|, please|, they confuse me| in the summary].
    [I do not care for|Spare me] [numbers|figures][| today| in this].
    """),
    Wish("first", "result"): compile_all("""
    [My boss|A busy manager|The director] [reads|sees] only the first [line|words], so [start with|open with|begin with] [the outcome|the result|how it ended].
    [Start with|Begin with|Open with] [the outcome|the result|what came of it][|, please|, then the rest].
    """),
    Wish("first", "day"): compile_all("""
    [It is for|This goes into] [my diary|a calendar|a timeline], so [start with|open with|begin with] the [day|date].
    [Start with|Begin with|Open with] [when it was|the day|the date][|, please|, then the rest].
    """),
    Wish("first", "town"): compile_all("""
    [It is for|This goes into] [a travel map|a list of places|an atlas], so [start with|open with|begin with] the [place|town].
    [Start with|Begin with|Open with] [where it was|the town|the place][|, please|, then the rest].
    """),
    Wish("first", "reason"): compile_all("""
    [It is for|This goes to] [an insurer|a researcher|a class on causes], so [start with|open with|begin with] the [reason|cause].
    [Start with|Begin with|Open with] [why it happened|the reason|the cause][|, please|, then the rest].
    """),
    Wish("child"): compile_all("""
    [It is for|Make it fit for|Write it for] [a child|my little sister|my son, who is seven|a class of small children][|, in plain words|, so use easy words].
    [Use plain words|Short sentences and easy words, please]: [my daughter is six|a child will read it|it is for a child|my son is in first grade].
    """),
}

SORTS: tuple[Wish, ...] = tuple(WORDINGS)
# Second wishes that may join these, since both can be met at once.
PARTNERS: dict[Wish, tuple[Wish, ...]] = {
    Wish("sentences", 1): (Wish("without", "numbers"), Wish("without", "names"), Wish("first", "day")),
    Wish("sentences", 2): (Wish("child"), Wish("first", "town"), Wish("without", "numbers")),
    Wish("first", "result"): (Wish("sentences", 2), Wish("without", "names")),
    Wish("first", "town"): (Wish("without", "numbers"), Wish("sentences", 1)),
}


def draw_wishes(draws: Draws, share: float = 0.5) -> tuple[Wish, ...]:
    """In a `share` of the cases one, seldom two; else none."""
    if draws.chance(1 - share):
        return ()
    wish = draws.pick(SORTS)
    second = (draws.pick(PARTNERS[wish]),) if wish in PARTNERS and draws.chance(0.25) else ()
    if wish.sort == "words":
        wish = Wish("words", draws.pick(WORD_LIMITS))
    return (wish, *second)


def word_wish(wish: Wish, draws: Draws) -> str:
    """A sentence that says the wish."""
    if wish.sort != "words":
        return expand(draws.pick(WORDINGS[wish]), draws)
    limit = int(wish.value)
    text = expand(draws.pick(WORDINGS[Wish("words")]), draws)
    return text % {"w": SPELT[limit] if draws.chance(0.4) else limit}
