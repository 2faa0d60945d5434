"""Damage to right answers, each of a kind that the judge must see; shared by the tests and the benchmark.

`MARGINS` states by how much each kind of damage must lower the score on at least 99% of examples.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np

from textgym.seeding import Draws
from textgym.tasks.translate import words
from textgym.tasks.translate.german import German
from textgym.tasks.translate.lexicon import ACC, DAT, NOM, NOUNS, PERSONS
from textgym.tasks.translate.meaning import Circumstance, Clause, Meaning, Phrase, Sentence
from textgym.tasks.translate.morphology import Noun

MARGINS = {
    "empty": 0.9, "prompt": 0.6, "shuffled": 0.2, "other": 0.3, "name": 0.25, "number": 0.25, "negation": 0.25,
    "thrice": 0.25,
    "keywords": 0.3, "article": 0.1, "ending": 0.1, "verb ending": 0.1,
}  # fmt: skip


def map_phrases(meaning: Meaning, change) -> Meaning:  # type: ignore[no-untyped-def]
    """The meaning with `change` done to each phrase."""

    def circumstance(x: Circumstance) -> Circumstance:
        return x if x.phrase is None else replace(x, phrase=change(x.phrase))

    def clause(c: Clause | None) -> Clause | None:
        if c is None:
            return None
        subject = change(c.subject)
        if subject.rel is not None:
            subject = replace(subject, rel=clause(subject.rel))
        return replace(
            c,
            subject=subject,
            obj=None if c.obj is None else change(c.obj),
            recipient=None if c.recipient is None else change(c.recipient),
            than=None if c.than is None else change(c.than),
            circumstances=tuple(circumstance(x) for x in c.circumstances),
        )

    # type: ignore[arg-type]
    return Meaning(tuple(replace(s, main=clause(s.main) or s.main, sub=clause(s.sub)) for s in meaning.sentences))


def change_name(meaning: Meaning) -> Meaning:
    """Every first name becomes another."""
    names = (*words.MALE_NAMES, *words.FEMALE_NAMES)
    other = {n: names[(i + 5) % len(names)] for i, n in enumerate(names)}

    def change(p: Phrase) -> Phrase:
        det = f"{other[p.det[:-2]]}'s" if p.det[:-2] in other and p.det.endswith("'s") else p.det
        return replace(p, head=other.get(p.head, p.head), det=det, of=other.get(p.of, p.of))

    return map_phrases(meaning, change)


def change_number(meaning: Meaning) -> Meaning:
    """Every count, clock time, day and span becomes another."""

    def circumstance(x: Circumstance) -> Circumstance:
        if x.kind == "clock":
            return replace(x, value=(x.value + 120) % 720 or 720)
        if x.kind == "date":
            return replace(x, value=x.value % 28 + 1)
        return replace(x, value=x.value + 3) if x.value else x

    out = map_phrases(meaning, lambda p: replace(p, count=p.count + 3) if p.count else p)
    return map_circumstances(out, circumstance)


def map_circumstances(meaning: Meaning, change) -> Meaning:  # type: ignore[no-untyped-def]
    def clause(c: Clause | None) -> Clause | None:
        return c and replace(c, circumstances=tuple(change(x) for x in c.circumstances))

    # type: ignore[arg-type]
    return Meaning(tuple(replace(s, main=clause(s.main) or s.main, sub=clause(s.sub)) for s in meaning.sentences))


def flip_negation(meaning: Meaning) -> Meaning:
    first = meaning.sentences[0]
    kept = tuple(x for x in first.main.circumstances if x.word != "never")
    negated = not first.main.negated and len(kept) == len(first.main.circumstances)
    main = replace(first.main, negated=negated, circumstances=kept)
    return Meaning((replace(first, main=main, front=-1), *meaning.sentences[1:]))


class OneFault(German):
    """German with one agreement error: in the first noun phrase that can have it."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.done = False

    def gender(self, head: str, noun: Noun) -> str:
        if self.fault == "article" and not self.done and self.open:
            self.done = True
            return {"m": "f", "f": "n", "n": "f"}.get(noun.gender, noun.gender)
        return noun.gender

    open = False

    def phrase(self, p: Phrase, case: int, negative: bool = False) -> str:
        self.open = p.det in ("the", "this") and not p.plural
        text = super().phrase(p, case, negative)
        if self.fault == "ending" and not self.done and p.adj and p.head in NOUNS and case in (NOM, ACC, DAT):
            adjective = text.split()[-2]
            wrong = adjective[:-2] + "em" if adjective[-2:] in ("en", "er", "es") else adjective + "m"
            self.done = True
            return text.replace(adjective, wrong)
        return text

    def possessive(self, det: str, ending: str) -> str:
        return super().possessive(det, ending)

    def person(self, p: Phrase) -> int:
        right = super().person(p)
        if self.fault == "verb ending" and not self.done and p.det != "rel":
            self.done = True
            return {0: 3, 2: 5, 5: 2, 1: 5, 3: 0, 4: 0}[right]
        return right


def write_fault(meaning: Meaning, fault: str) -> str | None:
    """The first reference with one agreement error of the given kind; None where there is no place for it."""
    if fault == "verb ending" and any(s.mood == "order" for s in meaning.sentences[:1]):
        return None
    writer = OneFault(fault)
    text = writer.write(meaning)
    return text if writer.done and text != German().write(meaning) else None


def shuffle(text: str, draws: Draws) -> str:
    """The words in an order that keeps few of the old neighbours."""
    parts = text.split()
    pairs = set(itertools.pairwise(parts))
    best = list(reversed(parts))
    for _ in range(20):
        mixed = draws.shuffled(parts)
        if sum(p in pairs for p in itertools.pairwise(mixed)) <= max(0, len(parts) // 5 - 1) and mixed[-1] != parts[-1]:
            return " ".join(mixed)
    return " ".join(best)


def keywords(text: str) -> str:
    """Nouns and verbs of an answer in a list."""
    small = re.compile(
        r"\b(?:d(?:er|ie|as|en|em|es)|ein\w*|dies\w+|in|im|am|an|auf|zu[mr]?|mit|für|vor|um|ist|sind|wird|hat|nicht|und|weil|dass)\b",
        re.I,
    )
    kept = [w.strip(".,?!") for w in text.split() if not small.fullmatch(w.strip(".,?!"))]
    return ", ".join(kept)


def damages(task, index: int, rng: np.random.Generator) -> dict[str, str | list[str]]:  # type: ignore[no-untyped-def]
    """Damaged responses to example `index`, by kind; kinds that the example has no place for are left out."""
    example = task[index]
    meaning: Meaning = example.meta
    reference = example.references[0]
    draws = Draws.of(rng)
    other = task[(index + 1 + draws.below(1000)) % len(task)]
    while other.meta.sentences[0].main.verb == meaning.sentences[0].main.verb:
        other = task[(index + 1 + draws.below(1000)) % len(task)]
    out: dict[str, str | list[str]] = {
        "empty": "",
        "prompt": example.prompt[-1].content,
        "other": other.references[0],
        "thrice": " ".join([reference] * 3),
    }
    if keywords(reference).count(",") > 1:
        out["keywords"] = keywords(reference)
    if len(reference.split()) > 3:
        out["shuffled"] = shuffle(reference, draws)
    changed = {"name": change_name(meaning), "number": change_number(meaning)}
    first: Sentence = meaning.sentences[0]
    if first.main.verb != "know that":
        changed["negation"] = flip_negation(meaning)
    for kind, m in changed.items():
        text = German().write(m)
        if text != reference:
            out[kind] = text
    for fault in ("article", "ending", "verb ending"):
        text_or_none = write_fault(meaning, fault)
        if text_or_none is not None:
            out[fault] = text_or_none
    return out


__all__ = ["MARGINS", "PERSONS", "damages"]
