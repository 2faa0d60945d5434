"""Looks for the circumstances of a meaning in a response: when, where, how, with whom."""

from __future__ import annotations

from collections.abc import Callable

from textgym.tasks.translate import words
from textgym.tasks.translate.german import ON
from textgym.tasks.translate.lexicon import ACC, ANY, CASE, DAT, PLURAL
from textgym.tasks.translate.meaning import Circumstance, Phrase
from textgym.tasks.translate.noun_phrases import check_place, find_phrase
from textgym.tasks.translate.order import TIME_ADVERBS
from textgym.tasks.translate.phrases import MONTHS, TIME_CONCEPTS, Item
from textgym.tasks.translate.reading import ReadClause
from textgym.tasks.translate.score import Tally
from textgym.tasks.translate.words import listed

TIME_WORDS = {k: tuple(c.split()) for k, _, c, _ in (line.split("|") for line in words.TIMES.strip().splitlines())}
# am Abend and am Montag, but im Mai, im Winter and in der Nacht: prepositions that these never have.
WRONG_BEFORE = dict.fromkeys(
    listed("morning afternoon evening weekend day Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    ("in", "um", "auf", "bei", "zu"),
) | dict.fromkeys((*MONTHS, *listed("summer winter spring autumn week month year night moment")), ("an", "um", "auf"))


def check_circumstance(tally: Tally, x: Circumstance, read: ReadClause | None) -> Item | None:
    """Look for a circumstance in the way that its kind is said; for whom it is done."""
    kind = x.kind
    if kind in ("freq", "manner"):
        check_adverb(tally, (x.word,), read, 1.0)
    elif kind == "time":
        check_adverb(tally, TIME_WORDS[x.word], read, 1.0)
    elif kind in ("weekday", "month"):
        check_adverb(tally, (x.word,), read, 1.2)
    elif kind == "clock":
        check_time(tally, lambda item: item.clock == x.value % 720, lambda item: item.clock >= 0)
    elif kind == "date":
        check_time(tally, lambda item: item.date == (x.value, x.word), lambda item: item.date is not None)
    elif kind in ("ago", "after"):
        check_span(tally, x, read)
    elif kind in ("home", "dirhome"):
        check_adverb(tally, ("home" if kind == "home" else "homeward",), read, 1.0)
    elif kind in ("city", "dircity"):
        city = Phrase(x.word)
        check_place(tally, city, read, ("in",) if kind == "city" else ("nach",), ANY)
    elif kind == "by":
        check_place(tally, Phrase(x.word, "the"), read, ("mit", "per"), ANY, det=False)
    elif kind == "place":
        assert x.phrase is not None
        check_place(tally, x.phrase, read, ("in", "an", "auf", "bei"), CASE[DAT])
    elif kind == "dir":
        assert x.phrase is not None
        check_place(tally, x.phrase, read, ("in", "an", "auf", "zu"), 0)
    elif kind == "with":
        check_place(tally, x.phrase, read, ("mit",), CASE[DAT])
    elif kind == "for":
        return check_place(tally, x.phrase, read, ("für",), CASE[ACC])
    elif kind in ("on", "onto"):
        preps = (ON[x.word], "an") if x.word == "on" else (ON[x.word],)
        if x.word == "on" and x.phrase is not None and x.phrase.head in ("bed", "sofa", "cupboard", "chair"):
            preps = ("auf", "in")
        check_place(tally, x.phrase, read, preps, CASE[ACC] if kind == "onto" else CASE[DAT])
    return None


def check_adverb(tally: Tally, concepts: tuple[str, ...], read: ReadClause | None, weight: float) -> None:
    """Words that together say when, how often or how."""
    for k, concept in enumerate(concepts):
        w = weight if k == 0 else weight * 0.6
        item, near = find_adverb(tally, concept, read, concepts)
        tally.slot(w, 1.0 if item is not None else 0.0)
        if item is None:
            if concept in TIME_CONCEPTS or concept in TIME_ADVERBS or concept in ("last", "next"):
                tally.lost_time += 1
            continue
        if not near:
            tally.order += 0.3
        fresh, item.used = not item.used, True
        if item.kind == "A" and item.mask == 0:
            tally.agreement += 1  # letzten, with no noun behind it
            item.mask = ANY
        if item.kind == "N":
            bare = fresh and not (item.prep or item.det or item.adjectives or item.count)
            if bare and concept in ("week", "month", "year", "day", "summer", "weekend"):
                tally.agreement += 0.7
            item.adjectives = [a for a in item.adjectives if not a & {*concepts}]
            check_time_case(tally, item, concept, fresh, k == 0)


def check_time_case(tally: Tally, item: Item, concept: str, fresh: bool, first: bool) -> None:
    """letzten Monat stands in the accusative, im letzten Monat in the dative."""
    if item.mask == 0:
        tally.agreement += 1
        item.mask = ANY
    elif item.prep:
        is_wrong = fresh and item.prep in WRONG_BEFORE.get(concept, ())
        cases = CASE[DAT] if item.cases & CASE[DAT] else ANY
        if is_wrong or not item.mask & item.cases & cases:
            tally.agreement += 1
    elif (item.det or item.adjectives or first) and not item.mask & CASE[ACC]:
        tally.agreement += 1
        item.mask = ANY


def find_adverb(
    tally: Tally, concept: str, read: ReadClause | None, wanted: tuple[str, ...]
) -> tuple[Item | None, bool]:
    """(What says a concept, whether it stands in its clause.) A word used up counts for what else it says."""
    similar = {
        "now": ("now", "moment"),
        "moment": ("moment", "now"),
        "today": ("today", "this"),
        "usually": ("usually",),
    }.get(concept, (concept,))
    for clause in tally.places(read):
        for x in clause.items:
            if x.used and not (
                x.concepts & {*wanted} or any(a & {*wanted} for a in x.adjectives) or x.det & {"every", "this"}
            ):
                continue
            for c in similar:
                if c == "this" and x.concepts.isdisjoint(TIME_CONCEPTS):
                    continue
                if c in x.concepts or c in x.det or any(c in a for a in x.adjectives):
                    if x.used and x.kind != "N" and len(x.concepts) < 2:
                        continue
                    return x, clause is read
    return None, False


def check_time(tally: Tally, right: Callable[[Item], bool], kind: Callable[[Item], bool]) -> None:
    """A clock time or a date: the right one, or another of its kind."""
    times = [x for clause in tally.reader.clauses for x in clause.items if x.kind == "T" and not x.used]
    found = next((x for x in times if right(x)), None)
    tally.slot(1.6, 1.0 if found is not None else 0.0)
    if found is not None:
        found.used = True
        if found.clock >= 0 and found.prep not in ("um", "gegen"):
            tally.agreement += 0.4
        if found.date is not None and found.prep not in ("an",):
            tally.agreement += 0.3
    else:
        wrong = next((x for x in times if kind(x)), None)
        if wrong is not None:
            wrong.used = True
            tally.facts += 1.2
        else:
            tally.lost_time += 1


def check_span(tally: Tally, x: Circumstance, read: ReadClause | None) -> None:
    """vor zwei Tagen, in drei Wochen."""
    prep = "vor" if x.kind == "ago" else "in"
    found = find_phrase(tally, Phrase(x.word, "", plural=True), read, CASE[DAT], (prep,))
    tally.slot(0.8, 1.0 if found is not None else 0.0)
    tally.slot(1.0, 1.0 if found is not None and found.count == x.value else 0.0)
    tally.slot(0.6, 1.0 if found is not None and found.prep == prep else 0.0)
    if found is None:
        tally.lost_number += 1
        return
    found.used = True
    tally.extra += 0.6 * len(found.adjectives)
    if found.count != x.value:
        tally.facts += 1.2 if found.count else 0.5
    if found.prep != prep:
        tally.facts += 0.6
    elif not found.mask & CASE[DAT] & (PLURAL if x.value > 1 else ANY):
        tally.agreement += 1
