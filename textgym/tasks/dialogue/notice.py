"""What the words of a reply say by themselves, whoever hears them: the part of reading that is done once a text.

`look` cuts a text into sentences and finds the cues of each, its clauses and theirs, and what stands around every
value. Nothing here knows the booking, so sentences are remembered between turns; `read.py` weighs them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from textgym.tasks.dialogue.cues import (
    ASKS,
    CORRECTS,
    FOREIGN,
    STRANGE,
    WHEN,
    ClauseCues,
    SentenceCues,
    find_clause_cues,
    find_sentence_cues,
)
from textgym.tasks.dialogue.meaning import SLOTS, Value
from textgym.tasks.dialogue.scan import MOVES, PERSON_UNITS, Mention, Sentence, cut, scan_sentence

ECHO_WORDS = frozenset(  # what may stand beside a repeated value
    (
        "on",
        "at",
        "in",
        "to",
        "for",
        "a",
        "an",
        "the",
        "of",
        "people",
        "guests",
        "persons",
        "tickets",
        "seats",
        "table",
        "room",
        "train",
        "nights",
        "night",
        "class",
        "you",
        "want",
        "wanted",
        "and",
        "dry",
        "did",
        "say",
        "o'clock",
        "oh",
        "hm",
        "hmm",
        "well",
        "that",
        "this",
        "under",
        "name",
        "said",
        "ah",
        "sorry",
    )
)
ECHO_WHERE = re.compile(r"\b(is|was|would) (that|this|it|that be|this be) (where|when|the (day|time|date|name|town))\b")
NOT_THIS = re.compile(r"(instead of|rather than|\bnot|not at|not on|not for|other than)( the)?$")
BUT_THIS = re.compile(r"\b(except|besides|apart from|after|before|until|till)( on| at)?$")
NONE_BUT_THIS = re.compile(r"\b(other than|besides|apart from|better than)( the| on| at)?$")
ASKS_THIS = re.compile(r"\b(why|(is|was|are|were) (it|that|this|you)) not( the| on| at| for)?$")
LINKS = frozenset(("at", "on", "for", "to", "in", "the", "a"))
THAT_HOUR = re.compile(r"\b(that|your) (time|hour|slot)\b")
MARKED = re.compile(r"not|of|than|except|besides|from|after|before|until|till")  # in all of these
AMOUNT_BEFORE = frozenset(("is", "it's", "that's", "be", "to", "makes", "for", "at", "only", "just"))
AMOUNT_LEADS = frozenset(("it", "it's", "it'll", "that", "that's", "that'll", "price", "rate", "cost", "total", "fare"))
CORRECTING = frozenset(("mean", "meant", "say", "said", "correction", "oops", "make", "rather", "wait"))  # for CORRECTS
BREAKFAST_NOUNS = frozenset(("room", "hall", "area", "table", "tables", "time", "menu", "lounge", "terrace"))


class Marks(NamedTuple):
    """What stands around a value."""

    not_this: bool = False  # "not X", "instead of X"
    asks_this: bool = False  # "why not X", "was it not X"
    none_but_this: bool = False  # "no day other than X"
    but_this: bool = False  # "except X", "before X"
    left: bool = False  # the old value of a change
    instead: bool = False  # "X instead"


PLAIN = Marks()


class Clause(NamedTuple):
    start: int  # token range in its sentence
    end: int
    text: str
    cues: ClauseCues
    is_last: bool
    leads: bool  # a colon follows
    that_hour: bool  # "that time", "your slot"


class Asks(NamedTuple):
    """The questions of a sentence."""

    hits: tuple[tuple[str, int, str], ...]  # (slot, where, the words)
    when: int  # where a "when" stands that may ask for the day or the time; -1: nowhere


class Seen(NamedTuple):
    """One sentence."""

    sentence: Sentence
    whole: str
    cues: SentenceCues
    clauses: tuple[Clause, ...]
    marks: dict[int, Marks]  # first token of a value -> what is around it; plain ones are left out
    has_price: bool
    has_time: bool
    has_number: bool  # without a unit
    is_echo: bool  # "Wednesday?"
    denies_echo: bool  # "No, nobody is in."
    corrects: bool  # "I meant three"


@lru_cache(maxsize=8192)
def look(text: str) -> tuple[Seen, ...]:
    """What a reply says, sentence by sentence."""
    return tuple(see(tuple(raw)) for raw in cut(text))


@lru_cache(maxsize=16384)
def see(raw: tuple[str, ...]) -> Seen:
    """What a sentence says, given its tokens."""
    sentence = scan_sentence(raw)
    words, mentions = sentence.words, sentence.mentions
    whole = " ".join(words)
    has_moves = any(w in MOVES for w in words)
    corrects = not CORRECTING.isdisjoint(words) and CORRECTS.search(whole) is not None
    marked = {m.start: find_marks(sentence, m, has_moves) for m in mentions if m.kind != "price"}
    if corrects:
        marked.update((m.start, marked[m.start]._replace(left=True)) for m in find_corrected(sentence))
    return Seen(
        sentence,
        whole,
        find_sentence_cues(whole),
        tuple(find_clause(words, start, end) for start, end in sentence.clauses),
        {start: marks for start, marks in marked.items() if marks is not PLAIN},
        any(m.kind == "price" for m in mentions),
        any(m.kind == "time" for m in mentions),
        any(m.kind in ("bare", "loose") for m in mentions),
        is_echo(sentence),
        denies_echo(sentence),
        corrects,
    )


@lru_cache(maxsize=16384)
def is_foreign(whole: str, kind: str) -> bool:
    """Whether a sentence speaks of what a house of this kind does not sell."""
    return FOREIGN[kind].search(whole) is not None


def find_clause(words: Sequence[str], start: int, end: int) -> Clause:
    text = " ".join(words[start:end])
    n = len(words)
    leads = end < n and words[end] == ":"
    return Clause(start, end, text, find_clause_cues(text), end == n, leads, THAT_HOUR.search(text) is not None)


@lru_cache(maxsize=16384)
def find_asks(whole: str, kind: str, is_question: bool) -> Asks | None:
    """The slots that a question or a request may ask for; `read.py` knows which of them are meant."""
    if is_question and (STRANGE.search(whole) or ECHO_WHERE.search(whole)):
        return None
    found = [(slot, ASKS[slot].search(whole)) for slot in SLOTS[kind]]
    hits = tuple((slot, hit.start(), hit[0]) for slot, hit in found if hit)
    leaving = any(slot == "nights" and "when" in said for slot, _, said in hits)
    return Asks(hits, whole.index("when") if not leaving and WHEN.search(whole) else -1)


def find_marks(sentence: Sentence, m: Mention, has_moves: bool) -> Marks:
    words = sentence.words
    left = (has_moves or m.kind == "people") and is_left(sentence, m)  # without a verb only "from seven to six guests"
    instead = "instead" in words[m.end : m.end + 3]
    lead = " ".join(words[max(0, m.start - 3) : m.start])
    if not MARKED.search(lead):
        return Marks(left=left, instead=instead) if left or instead else PLAIN
    return Marks(
        not_this=NOT_THIS.search(lead) is not None,
        asks_this=ASKS_THIS.search(lead) is not None,
        none_but_this=NONE_BUT_THIS.search(lead) is not None,
        but_this=BUT_THIS.search(lead) is not None,
        left=left,
        instead=instead,
    )


def is_left(sentence: Sentence, m: Mention) -> bool:
    """Whether a value is the old one of a change: "moved from Monday to Thursday", "swapped Monday for Thursday"."""
    words = sentence.words
    end = m.end + (m.end < len(words) and words[m.end] in PERSON_UNITS)
    following = words[end] if end < len(words) else ""
    if m.kind == "people" and words[m.start - 1 : m.start] == ("from",) and following in ("to", "down", "up"):
        return True  # "down from seven to six guests"
    later = [x for x in sentence.mentions if x.kind in (m.kind, "loose") and m.end < x.start <= m.end + 6]
    passive = words[m.end : later[0].start] if later else ()
    if passive and passive[-1] in ("to", "into") and any(w in MOVES for w in passive):
        return True  # "Thursday has been changed to Tuesday"
    if not any(w in MOVES for w in words[: m.start]):
        return False
    lead = words[max(0, m.start - 2) : m.start]
    if "from" in lead and following in ("to", "until", "down", "up", "into", "onto"):
        return True
    later = [x for x in later if x.start <= m.end + 3]
    if following in ("to", "into") and later:  # "I've changed Thursday to Tuesday"
        return True
    if any(w in ("replaced", "replace") for w in words[: m.start]) and following in ("with", "by") and later:
        return True
    swaps = any(w in ("swap", "swapped", "exchanged", "traded") for w in lead)
    return swaps and following in ("for", "with")


def find_corrected(sentence: Sentence) -> list[Mention]:
    """The values taken back: "at two, sorry, I meant three"."""
    return [
        left
        for left, right in pairwise(m for m in sentence.mentions if m.kind != "cap")
        if left.kind == right.kind and CORRECTS.search(" ".join(sentence.words[left.end : right.start]))
    ]


def drop_contrast(sentence: Sentence, start: int, end: int, inside: list[tuple[str, Value, Mention]]) -> str:
    """The clause without the "not" of "Tuesday, not Thursday", which denies the second value alone; "" if none."""
    words = list(sentence.words[start:end])
    found = False
    for (slot, _, first), (other, _, second) in pairwise(inside):
        lead = words[max(first.end, second.start - 3) - start : second.start - start]
        if slot == other and "not" in lead and "but" not in words:
            words[second.start - start - len(lead) + lead.index("not")] = ""
            found = True
    said = [m for slot, _, m in inside if slot != "name"]
    for m in (m for m in sentence.mentions if start <= m.start < end):
        k = m.start - 1
        while k > m.start - 3 and sentence.words[k] in LINKS:
            k -= 1
        contrasts = k > start and sentence.words[k] == "not" and sentence.words[k - 1] in (",", "-")
        if contrasts and any(other.end < k for other in said):  # "four at eight, not at nine"
            words[k - start] = ""
            found = True
    return " ".join(w for w in words if w) if found else ""


def is_joined(sentence: Sentence, m: Mention, inside: list[tuple[str, Value, Mention]]) -> bool:
    """Whether a day is denied beside a time, and not as the time's: "neither Thursday nor eight o'clock"."""
    for slot, _, other in inside:
        left, right = (m, other) if m.start < other.start else (other, m)
        between = sentence.words[max(left.end, right.start - 2) : right.start]
        if slot == "time" and any(w in ("nor", "or", "and") for w in between):
            return True
    return False


def is_amount(sentence: Sentence, m: Mention, is_asked: bool) -> bool:
    """Whether a number without a unit can only be an amount of money: no hour, party or stay is that large.

    A price that is not asked for is told as one: "That's 80", "It will be 80".
    """
    is_large = m.kind in ("bare", "loose") and isinstance(m.value, int) and m.value > 24
    lead = sentence.words[max(0, m.start - 3) : m.start]
    is_said = not m.start or lead[-1] in AMOUNT_BEFORE
    is_said = is_said and (is_asked or any(w in AMOUNT_LEADS for w in lead))
    return is_large and is_said and not "".join(sentence.words[m.end : m.end + 1]).isalpha()


def is_priced_breakfast(words: Sequence[str], i: int) -> bool:
    """Whether the "breakfast" at token i may have a price of its own: no "breakfast room", no "with breakfast"."""
    prev, following = words[i - 1] if i else "", words[i + 1] if i + 1 < len(words) else ""
    return following not in BREAKFAST_NOUNS and following != "included" and prev not in ("with", "including", "plus")


def is_echo(sentence: Sentence) -> bool:
    """Whether a question only repeats a value: "Wednesday?", "A table for six?"."""
    if not sentence.is_question or not sentence.mentions or len(sentence.words) > 8:
        return False
    rest = [w for i, w in enumerate(sentence.words) if not any(m.start <= i < m.end for m in sentence.mentions)]
    return all(w in ECHO_WORDS or not w.isalpha() for w in rest)


def denies_echo(sentence: Sentence) -> bool:
    """Whether the sentence after an echo turns it down and says no other value."""
    if sentence.is_question or not sentence.clauses:
        return False
    if any(m.kind in ("day", "time", "people", "nights", "name", "cap") for m in sentence.mentions):
        return False
    clauses = [find_clause_cues(" ".join(sentence.words[start:end])) for start, end in sentence.clauses]
    return clauses[0].negated or clauses[0].sorry
