"""Is it said like a person at a desk would say it? The shape of a reply, whatever it means.

No language model: sentences begin and end as sentences do, words that cannot follow each other
do not, there are little words between the big ones, nothing is said twice or copied from the prompt.
Everything is linear in the text's length; only the first 3,000 characters are looked at.
"""

# ruff: noqa: SIM905 (word lists read better as text)
from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from textgym.tasks.dialogue.scan import DAY_WORDS, FAMILY_NAMES, MAX_CHARS, NUMBERS, TOKEN, TOWN_NAMES

LONG = 36  # words; beyond, a reply rambles

DETERMINERS = frozenset("a an the my your our this which every".split())
PREPOSITIONS = frozenset("on at for under from to with in of by and or but".split())
FUNCTION = (
    DETERMINERS
    | PREPOSITIONS
    | frozenset(
        """is are was be been am i you we it they he she i'm we're it's that's there's you're i've we've have has had do
        does did can could will would shall may must should not no yes what when how who whom where that there here so
        then all me us them him her if than as too please just only how many much up down out set n't i'll we'll i'd
        sorry afraid see one instead until about what's done costs cost""".split()
    )
)
VERBISH = frozenset("is are was be been am have has had do does did can could will would shall may must should".split())
CAPITAL_OK = frozenset("I I'm I'll I've I'd OK Mr Mrs Ms Miss Dr Salon Street Wi Sir Madam Fi".split())
LETTERS = re.compile(r"\w+")
LOWER_WORDS = FUNCTION - {"i", "i'm", "i've", "i'll", "i'd"}
LIST_HEADS = frozenset(":.!-–—")
DONE_WORDS = frozenset("booked reserved confirmed noted done fixed arranged confirmation booking reservation".split())
NO_END = DETERMINERS | frozenset("and or but under from of".split())


@lru_cache(maxsize=8192)
def rate_shape(text: str) -> float:
    """How well formed one reply is, in [0, 1]."""
    tokens = TOKEN.findall(text[:MAX_CHARS].replace("’", "'"))
    words = [t for t in tokens if t[0].isalnum()]
    if not words:
        return 0.0
    faults = count_faults(tokens)
    score = 0.72**faults
    n = len(words)
    lower = [w.lower() for w in words]
    if n >= 4:
        little = sum(w in FUNCTION for w in lower) / n
        if little < 0.2:
            score *= max(0.35 + 3.25 * little, 0.0 if faults else rate_list(tokens))
    if n > 3:
        score *= min(1.0, len(set(lower)) / n / 0.55)
        pairs = list(pairwise(lower))
        fresh = len(set(pairs)) / len(pairs)
        score *= min(1.0, max(0.0, (fresh - 0.3) / 0.5))
    strange = (
        0
        if text.isascii() and text.isprintable()
        else sum(
            not (c.isascii() or c.lower() in "äöüß€£–—’‘“”…") or (not c.isprintable() and c not in "\n\t")
            for c in text[:MAX_CHARS]
        )
    )
    if strange:
        score *= max(0.0, 1.0 - 3.0 * strange / len(text[:MAX_CHARS]) - 0.1)
    n += len(text[MAX_CHARS:]) // 5
    if n > LONG:
        score *= LONG / n
    return max(0.0, min(1.0, score))


def rate_list(tokens: Sequence[str]) -> float:
    """A booking read out as a list with a form: "Booked: haircut, Tuesday, 1:00.", "Double, Friday, Baker - done."

    It says that it is booked, sets that off with a colon, a dash or a full stop, and no item of it is long.
    """
    items: list[list[str]] = [[]]
    heads = []  # what stands before a colon, or is a dash's or a sentence's own
    for token in tokens:
        if token[0].isalnum():
            items[-1].append(token.lower())
            continue
        if token in LIST_HEADS and items[-1]:
            heads.append(items[-1])
        items.append([])
        if token in "-–—":
            heads.append(items[-1])
    said = any(w in DONE_WORDS for head in heads for w in head)
    short = all(len(item) <= 3 or any(w in FUNCTION for w in item) for item in items)
    return 0.85 if said and short and tokens[-1] in ".!" and len([item for item in items if item]) > 2 else 0.0


def count_faults(tokens: Sequence[str]) -> float:
    """Things that no careful writer does."""
    faults = 0.0
    if tokens[-1] not in ".!?)":
        faults += 1
    if tokens[0][0].isalpha() and tokens[0][0].islower():
        faults += 1
    start = True
    previous = ""
    for i, token in enumerate(tokens):
        low = token.lower()
        if token[0].isalpha():
            if start and i and low == token:
                faults += 1
            if (
                not start
                and token[0].isupper()
                and low in LOWER_WORDS
                and token not in CAPITAL_OK
                and previous not in (":", "-", "–", "—", ",", '"')
            ):
                faults += 1.2
            if (
                (previous in DETERMINERS and (low in VERBISH or low in DETERMINERS or low in PREPOSITIONS))
                or (
                    previous in ("under", "from", "at", "on", "for", "of", "to", "with")
                    and low
                    in (
                        "is",
                        "are",
                        "have",
                        "has",
                        "was",
                        "booked",
                        "reserved",
                        "under",
                        "at" if previous != "from" else "",
                        "and" if previous != "to" else "",
                        "of",
                        "but",
                    )
                )
                or (low == previous and low not in ("that", "had", "bye", "no"))
            ):
                faults += 1
            elif (
                (low in DAY_WORDS or token in FAMILY_NAMES or token in TOWN_NAMES)
                and (previous in DAY_WORDS or (previous in NUMBERS and previous.isalpha()) or (previous == "a"))
            ) or (
                low in ("table", "ticket", "appointment")
                and previous
                in (
                    "i",
                    "you",
                    "we",
                    "for",
                    "under",
                    "at",
                    "on",
                    "have",
                    "booked",
                )
            ):
                faults += 0.7
            start = False
        elif token[0].isdigit():
            start = False
        elif token in ".!?,;:":
            if previous in NO_END or (previous in ("at", "on", "for", "with") and token != "?"):
                faults += 1
            if (
                previous in (",", ";", ":")
                or (token == "," and previous in (".", "!", "?"))
                or (token == "," and not previous)
            ):
                faults += 1
            trails = previous == "." and tokens[i + 1 : i + 2] != ["."]  # "Tuesday at one ... is that right?"
            if token in ".!?" and not (i and tokens[i - 1] in STOPS):
                start = not trails
        previous = low
    return faults


STOPS = frozenset("Mr Mrs Ms Dr".split())


def rate_fluency(responses: Sequence[str], prompt: Sequence[str]) -> float:
    """The shape of all replies together: the worst counts as much as the mean. Repeats and copies count as nothing."""
    if not responses:
        return 0.0
    seen: set[str] = set()
    rates = []
    # A line a message, between blanks: no stretch of words can reach over the end of its line.
    folded = "\n".join(f" {fold(message)} " for message in prompt)
    copied = 0
    for response in responses:
        rate = rate_shape(response)
        key = fold(response)
        if key in seen:
            rate *= 0.3
        seen.add(key)
        if rate and is_copied(key, folded):
            rate *= 0.1
            copied += 1
        rates.append(rate)
    return (0.5 * min(rates) + 0.5 * sum(rates) / len(rates)) * (0.5 if copied else 1.0)


def is_copied(key: str, folded: str) -> bool:
    """A reply of six words or more stands in one message as it is, or nearly all its words in stretches of six."""
    words = key.split(" ")
    n = len(words)
    if n < 6:
        return False
    if f" {key} " in folded:
        return True
    covered = until = 0  # words in some stretch that stands there; the end of the last such stretch
    for i in range(n - 5):
        if f" {' '.join(words[i : i + 6])} " in folded:
            covered += i + 6 - max(until, i)
            until = i + 6
        elif max(until, i + 1) - covered > 0.08 * n:
            return False
    return covered >= 0.92 * n


@lru_cache(maxsize=4096)
def fold(message: str) -> str:
    """Its words in small letters, joined by blanks."""
    return " ".join(LETTERS.findall(message[:MAX_CHARS])).lower()
