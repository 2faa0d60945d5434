"""The gold judge of summaries: which facts a text tells, invents or turns around.

Everything is recognised word by word (`lexicon`, `numbers`, `fluency`), so that a text the
generator never wrote is judged by the same rules. Only the first 4,000 characters are read closely;
a text longer than that has lost its brevity anyway, so the cost of any text is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from textgym.tasks.summarize.event import Event
from textgym.tasks.summarize.fluency import AUX, ED, PAST, STOP, classify, measure_fluency
from textgym.tasks.summarize.inventions import measure_inventions
from textgym.tasks.summarize.lexicon import TOKEN
from textgym.tasks.summarize.reading import WEIGHTS, Reading, read_facts, read_names, read_numbers
from textgym.tasks.summarize.vocabulary import HARD_WORDS, KNOWN_WORDS
from textgym.types import Judgement

_DETAILS = ("day", "amount", "reason", "result")
_MAX_CHARS = 4000
# A text of more words than this, with a larger share of them copied, loses brevity.
COPY_WORDS = 22
COPY_SHARE = 0.8
# Of the coverage, where there is a word limit and the event itself is not told ("did something").
UNTOLD = 0.5
PHRASE_WORDS = 10
# A full stop after these ends no sentence.
_ABBREVIATION = re.compile(r"\b(Mr|Mrs|Ms|Dr|St|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.(?= )")


def judge_text(text: str, event: Event, prompt: str) -> Judgement:
    """Score a summary of `event`; `prompt` is only needed to see what was copied."""
    clipped = _ABBREVIATION.sub(r"\1", text[:_MAX_CHARS].replace("’", "'"))
    raws = TOKEN.findall(clipped)
    lows = [raw.lower() for raw in raws]
    classes = list(map(classify, raws, lows))
    num_words = sum(1 for raw in raws if raw[0].isalnum())
    reading = Reading()
    told_at = read_facts(reading, event, lows, classes, prompt)
    read_names(reading, event, raws, lows, classes, prompt)
    read_numbers(reading, event, raws, lows, classes)
    sentences = _split_sentences(raws, classes)
    # Who asks for one fact may get it in a phrase: "On 7 April."
    is_phrase = num_words <= PHRASE_WORDS and any(wish.sort == "about" for wish in event.wishes)
    has_verb = is_phrase or "event" in reading.places or any(c in (AUX, PAST, ED) for c in classes)
    reading.faults += measure_inventions(reading, event, told_at, lows, classes, sentences, prompt)
    components = {
        "coverage": _measure_coverage(reading, event),
        "faithfulness": 1.0 - 0.5 * reading.faults if reading.faults <= 1.0 else 0.5**reading.faults,
        "wish": _measure_wishes(reading, event, raws, lows, sentences, num_words),
        "fluency": measure_fluency(raws, lows, classes, num_words, has_verb),
        "brevity": _measure_brevity(reading, clipped, prompt, sentences, num_words, len(text), told_at),
    }
    return Judgement(combine(components), components)


def combine(components: Mapping[str, float]) -> float:
    """A product, so that nothing buys off an invented fact; an unmet wish costs up to half."""
    return (
        components["coverage"]
        * components["faithfulness"]
        * (0.5 + 0.5 * components["wish"])
        * components["fluency"]
        * components["brevity"]
    )


def _split_sentences(raws: list[str], classes: list[int]) -> list[tuple[int, int]]:
    """(start, end) token positions of the sentences that have words."""
    spans = []
    start = 0
    words = 0
    for at, kind in enumerate(classes):
        if kind == STOP:
            if words:
                spans.append((start, at))
            start, words = at + 1, 0
        elif raws[at][0].isalnum():
            words += 1
    if words:
        spans.append((start, len(raws)))
    return spans


def _measure_coverage(reading: Reading, event: Event) -> float:
    """Weight of the facts told over the weight of the facts wanted."""
    weights = dict(WEIGHTS)
    share = 1.0
    for wish in event.wishes:
        if wish.sort == "about":
            weights = {str(wish.value): 1.0}  # the rest may be told, but nobody asked for it
        elif wish.sort == "without":
            weights.pop("who" if wish.value == "names" else "amount", None)
            if wish.value == "numbers" and event.day[0].isdigit():
                weights.pop("day", None)
        elif wish.sort == "words":
            share = min(1.0, 0.46 + 0.02 * (int(wish.value) - 14))
    told = sum(weight * reading.told[fact] for fact, weight in weights.items())
    coverage = min(1.0, told / (share * sum(weights.values())))
    # A word limit excuses what is left out, but not that nothing is said to have happened.
    return coverage if share == 1.0 or reading.told["event"] else UNTOLD * coverage


def _measure_wishes(
    reading: Reading,
    event: Event,
    raws: list[str],
    lows: list[str],
    sentences: list[tuple[int, int]],
    num_words: int,
) -> float:
    met = 1.0
    for wish in event.wishes:
        if wish.sort == "sentences":
            apart = abs(len(sentences) - int(wish.value))
            met *= 1.0 if apart == 0 else 0.2 if apart == 1 else 0.0
        elif wish.sort == "words":
            met *= max(0.0, 1.0 - max(0, num_words - int(wish.value)) / 6.0)
        elif wish.sort == "about":
            extras = sum(reading.told[fact] > 0 for fact in _DETAILS if fact != wish.value)
            met *= (1.0, 0.6, 0.3, 0.0)[extras] if reading.told[str(wish.value)] > 0.5 else 0.0
        elif wish.sort == "without":
            said = reading.people_said if wish.value == "names" else reading.numbers_said
            if wish.value == "numbers":
                said += sum("0" <= raw[0] <= "9" for raw in raws)
            met *= 0.0 if said else 1.0
        elif wish.sort == "first":
            met *= _comes_first(reading, str(wish.value))
        else:
            met *= _is_plain(raws, lows, sentences)
    return met


def _comes_first(reading: Reading, fact: str) -> float:
    """Whether a fact opens the text. A name may stand before it, if the sentence needs one."""
    if fact not in reading.places or not reading.told[fact]:
        return 0.0
    mine = reading.places[fact]
    others = [reading.places[f] for f in ("event", *_DETAILS, "town") if f != fact and f in reading.places]
    slack = 3 if fact in ("reason", "result") else 0
    if others and min(others) < mine - slack:
        return 0.0
    if fact in ("day", "town") and reading.places.get("who", 9999) < mine:
        return 0.4
    return 1.0


def _is_plain(raws: list[str], lows: list[str], sentences: list[tuple[int, int]]) -> float:
    """For a child: no hard word, no long sentence."""
    hard = sum(low in HARD_WORDS or (len(low) > 11 and "-" not in low and low not in KNOWN_WORDS) for low in lows)
    longest = max((sum(raws[k][0].isalnum() for k in range(a, b)) for a, b in sentences), default=0)
    return max(0.0, 1.0 - 0.5 * hard) * (1.0 if longest <= 22 else 0.6 if longest <= 26 else 0.3)


def _measure_brevity(
    reading: Reading,
    text: str,
    prompt: str,
    sentences: list[tuple[int, int]],
    num_words: int,
    num_chars: int,
    told_at: set[int],
) -> float:
    """Not too long, not copied, no sentence that tells nothing."""
    if num_words == 0 or num_chars > _MAX_CHARS:
        return 0.0
    brevity = 1.0 if num_words <= 36 else max(0.0, 1.0 - (num_words - 36) / 36.0)
    if num_words > COPY_WORDS:
        copied = measure_copied(text, prompt)
        if copied > COPY_SHARE:
            brevity *= 1.0 - 4.0 * (copied - COPY_SHARE)
    told = sorted((*told_at, *reading.places.values()))
    for start, end in sentences:
        if not any(start <= at < end for at in told):
            brevity *= 0.75 if end - start < 12 else 0.6
    return brevity


def measure_copied(text: str, prompt: str) -> float:
    """The share of the words that lie in runs of seven that stand in the prompt as they are."""
    words = text.split()[:200]
    n = len(words)
    if n < 7:
        return 0.0
    covered = 0
    until = 0  # first word not yet covered
    for i in range(n - 6):
        if " ".join(words[i : i + 7]) in prompt:
            covered += i + 7 - max(i, until)
            until = i + 7
    return covered / n
