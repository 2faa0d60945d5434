"""What the response says and the meaning does not; capitals, commas and stops."""

from __future__ import annotations

from textgym.tasks.translate.lexicon import NOUNS, VERBS
from textgym.tasks.translate.meaning import Meaning
from textgym.tasks.translate.order import TIME_ADVERBS
from textgym.tasks.translate.phrases import TIME_CONCEPTS
from textgym.tasks.translate.score import Tally
from textgym.tasks.translate.words import listed

ENGLISH = (
    frozenset(
        listed(
            "the a an is are was were to of and or not does do did will has have with for at on my your his her "
            "our their this these who "
            "what when where why because although if that while but he she it we they you i"
        )
    )
    | {w for e in NOUNS.values() for w in (e.english, e.english_plural)}
    | {w for e in VERBS.values() for w in (e.base, e.past, e.participle)}
)
POLITE = frozenset(listed("sie ihnen ihr ihre ihren ihrem ihrer ihres uhr hause"))


def count_leftovers(tally: Tally) -> None:
    """What the response says and the meaning does not."""
    names = numbers = times = persons = 0
    for clause in tally.reader.clauses:
        for x in clause.items:
            if x.lower:
                tally.fluency += 1
            if x.used or x.kind in "FSCP":
                if x.kind == "F" and x.mask == 0:
                    tally.agreement += 0.5
                continue
            if x.kind == "N":
                if x.names:
                    names += 1
                    tally.extra += 1.0
                elif x.pronouns or x.demonstrative:
                    tally.extra += 0.7
                    persons += bool(x.pronouns)
                else:
                    tally.extra += 1.0 + 0.6 * len(x.adjectives)
                    if x.mask == 0:
                        tally.agreement += 0.5
                    if not x.concepts.isdisjoint(TIME_CONCEPTS):
                        times += 1
                if x.count > 1:
                    numbers += 1
                if x.owner:
                    names += 1
            elif x.kind in ("T", "D"):
                tally.extra += 1.0
                times += x.kind == "T"
                numbers += x.kind == "D"
            elif x.kind == "U":
                tally.extra += 1.3 if x.text.lower() in ENGLISH else 1.0
            elif x.kind == "V":
                tally.extra += 1.0
            elif x.kind == "X":
                tally.extra += 0.4
            else:
                tally.extra += 0.7
                if x.concepts & TIME_ADVERBS:
                    times += 1
    tally.facts += 0.8 * names if not tally.lost_name else 1.1 * names
    tally.facts += (1.2 if tally.lost_number else 0.6) * numbers
    tally.facts += 0.6 * min(persons, tally.lost_pronoun)  # he for she
    if tally.lost_time and times:
        tally.facts += 1.0
    elif times:
        tally.facts += 0.4 * times
    if tally.reader.cut:
        tally.extra += 50


def check_surface(tally: Tally, text: str, meaning: Meaning) -> None:
    """Capitals at the start, a stop at the end, commas before subordinate clauses."""
    stripped = text.rstrip().rstrip("\"'»“)")
    if tally.reader.low_start:
        tally.fluency += 1
    question = meaning.sentences[-1].mood not in ("tell", "order")
    if not stripped.endswith(("?",) if question else (".", "!")):
        tally.fluency += 1
        tally.order += question
    for clause in tally.reader.clauses:
        if clause.kind == "sub" and clause.lead != "als" and clause.items:
            before = clause.items[0].index - 2
            if (
                before >= 0
                and tally.reader.tokens[before] not in ".,?!;:"
                and tally.reader.forms[before].conjunction is None
            ):
                tally.fluency += 1
        if clause.kind == "frag":
            tally.order += 1.5
    tally.order += max(
        0.8 * tally.reader.stray_commas, 2.2 * tally.reader.stray_commas - 1.4
    )  # one is a slip, more are a list
    check_capitals(tally)


def check_capitals(tally: Tally) -> None:
    """Small words with a capital inside a sentence, and sentences that begin small."""
    start = True
    for token, low, f in zip(tally.reader.tokens, tally.reader.lows, tally.reader.forms, strict=True):
        if token in ".!?:;,":
            start = start or token in ".!?:"
            continue
        if start:
            tally.fluency += token[0].islower() and token != tally.reader.tokens[0]
        elif (
            token[0].isupper()
            and not f.nouns
            and f.name is None
            and (f.verbs or f.determiner or f.adverb or f.preposition or f.wh or f.negation)
        ):
            tally.fluency += low not in POLITE
        start = False
