"""Looks for the noun phrases of a meaning in a response, and checks case, number, count, determiner and adjective.

What is found is used up, so that nothing is found twice and what remains was added.
"""

from __future__ import annotations

from textgym.tasks.translate.lexicon import ACC, ANY, CASE, DAT, NOM, NOUNS, PERSONS, PLURAL, SINGULAR
from textgym.tasks.translate.meaning import Phrase
from textgym.tasks.translate.phrases import Item
from textgym.tasks.translate.reading import ReadClause
from textgym.tasks.translate.score import Tally
from textgym.tasks.translate.words import FEMALE_NAMES, listed

PRONOUN_KEYS = {
    "I": ("ich",), "you": ("du", "ihr", "Sie"), "he": ("er",), "she": ("sie",), "it": ("er", "sie",
    "es"), "we": ("wir",),
    "they": ("sie_p",), "who": ("who",), "what": ("what",),
}  # fmt: skip
NEAR = frozenset(listed("in an auf bei zu nach"))  # for a place, one of these for another is no other meaning
POSSESSIVE_DETS = frozenset(listed("my your his her its our their"))


def find_phrase(tally: Tally, p: Phrase, read: ReadClause | None, cases: int, preps: tuple[str, ...]) -> Item | None:
    """The item of the response that best says a phrase."""
    best: Item | None = None
    most = 0.0
    for clause in tally.places(read):
        near = clause is read
        if best is not None and not near and most >= 2:
            break
        for x in clause.items:
            if x.used or x.kind != "N":
                continue
            value = likeness(p, x, near)
            if value is None:
                continue
            value += near * 2.0 + ((x.prep in preps) if preps else not x.prep) * 0.6 + bool(x.mask & cases) * 0.4
            if value > most:
                best, most = x, value
    return best


def find_pronoun(tally: Tally, p: Phrase, read: ReadClause | None) -> Item | None:
    """A pronoun for what another clause has named: obwohl Eva müde war, lachte sie for "although she .., Eva .."."""
    if read is None or p.head in PRONOUN_KEYS or len(tally.reader.clauses) < 2:
        return None
    clauses = tally.reader.clauses[: tally.reader.clauses.index(read)]
    named = next((x for c in clauses for x in c.items if x.used and x.kind == "N" and names(p, x)), None)
    if named is None:
        return None
    gender = gender_of(p, named)
    keys = {"m": ("er",), "f": ("sie",), "n": ("es", "er", "sie"), "p": ("sie_p",)}[gender]
    for x in read.items:
        if x.kind == "N" and not x.used and not x.prep and any(k in keys for k, _, _ in x.pronouns):
            if p.head in NOUNS:
                check_noun(tally, p, named)
            return x
    return None


def names(p: Phrase, x: Item) -> bool:
    return p.head in x.concepts if p.head in NOUNS else x.names == p.head


def gender_of(p: Phrase, x: Item) -> str:
    """The gender that an item has in the response."""
    if p.plural:
        return "p"
    if x.nouns:
        return next((n.gender for n, c, m in x.nouns if p.head in c and m & x.mask), "n")
    return "f" if p.head.startswith("Mrs ") or p.head in FEMALE_NAMES else "m"


def likeness(p: Phrase, x: Item, near: bool) -> float | None:
    """How well an item names what a phrase names; None where it names another."""
    keys = PRONOUN_KEYS.get(p.head)
    if p.head in NOUNS:
        if p.head not in x.concepts:
            return None
        value = 1.0
        if p.adj and any(p.adj in a for a in x.adjectives):
            value += 0.5
        if x.mask & (PLURAL if p.plural else SINGULAR):
            value += 0.2
        return value
    if keys is None:
        return 1.0 if x.names == p.head else None
    value = 0.0
    if x.pronouns:
        if not any(k in keys for k, _, _ in x.pronouns):
            return None
    elif x.demonstrative and not x.relative and p.head in ("he", "she", "it", "they"):
        value = -0.2
    elif not (p.of and (x.names == p.of or p.of in x.concepts)):
        return None
    elif p.head == "it":
        value = -0.3  # the noun again
    if not near and not (p.of and x.pronouns):
        return None
    return value + 1.0


def check_phrase(
    tally: Tally,
    p: Phrase,
    read: ReadClause | None,
    cases: int,
    preps: tuple[str, ...],
    matched: bool,
    recipient: bool = False,
) -> Item | None:
    """Look for a phrase and check it; what is found is used up."""
    item = find_phrase(tally, p, read, cases, preps) or find_pronoun(tally, p, read)
    head = p.head
    if item is None:
        miss_phrase(tally, p)
        return None
    item.used = True
    tally.slot(0.8 if head in PRONOUN_KEYS else 1.2, 1.0)
    mask = item.mask
    if item.pronouns and head not in PRONOUN_KEYS:
        pass
    elif head in NOUNS:
        check_noun(tally, p, item)
        mask = item.mask
    elif head in PERSONS:
        mask = check_pronoun(tally, p, item)
    if item.mask == 0:
        tally.agreement += 1
        return item
    if recipient and item.prep in ("an", "zu"):
        check_governed(tally, item, CASE[ACC] if item.prep == "an" else CASE[DAT])
        return item
    if preps:
        if item.prep not in preps:
            tally.agreement += 1.0 if matched else 0.3
            if item.prep:
                check_governed(tally, item, item.cases)
            return item
    elif item.prep and matched:
        tally.agreement += 0.8
        tally.facts += 0.5 * (recipient and item.prep not in NEAR)
        return item
    elif item.prep:
        check_governed(tally, item, item.cases)
        return item
    if not mask & cases and (matched or cases == CASE[NOM]) and (read is None or item in read.items):
        tally.agreement += 1
    return item


def check_governed(tally: Tally, item: Item, cases: int) -> None:
    """A phrase must stand in a case that its preposition takes."""
    if item.mask == 0 or not item.mask & cases:
        tally.agreement += 1


def miss_phrase(tally: Tally, p: Phrase) -> None:
    """A phrase that the response does not say, with all that it would have said."""
    head = p.head
    tally.slot(0.8 if head in PRONOUN_KEYS else 1.2, 0.0)
    if head in NOUNS:
        if p.adj:
            tally.slot(0.7, 0.0)
        if p.count:
            tally.slot(1.0, 0.0)
            tally.lost_number += 1
        if p.det:
            tally.slot(0.4, 0.0)
    elif head in PRONOUN_KEYS:
        tally.lost_pronoun += 1
    else:
        tally.lost_name += 1


def check_noun(tally: Tally, p: Phrase, item: Item) -> None:
    """Number, count, determiner and adjective of a noun that was found."""
    nouns = item.nouns
    for noun, concepts, mask in nouns:
        if p.head in concepts and (mask & item.mask or not item.mask):
            tally.antecedents[p.head] = noun.gender
            break
    if item.mask and not item.mask & (PLURAL if p.plural else SINGULAR) and p.head != "fruit":
        tally.slot(0.6, 0.0)
        tally.facts += 0.5
    else:
        if item.mask & (PLURAL if p.plural else SINGULAR):
            item.mask &= PLURAL if p.plural else SINGULAR
        tally.slot(0.6, 1.0)
    if p.count or item.count:
        tally.slot(1.0, 1.0 if p.count == item.count else 0.0)
        if p.count and item.count and p.count != item.count:
            tally.facts += 1.2
        elif p.count != item.count and item.count > 1:
            tally.facts += 0.6
    check_determiner(tally, p, item)
    if p.adj:
        found = next((a for a in item.adjectives if p.adj in a), None)
        tally.slot(0.8, 1.0 if found is not None else 0.0)
        if found is not None:
            item.adjectives = [a for a in item.adjectives if a is not found]
    tally.extra += 0.6 * len(item.adjectives)


def check_determiner(tally: Tally, p: Phrase, item: Item) -> None:
    """Article, demonstrative or owner; some come near one another."""
    det, said = p.det, item.det
    if p.count or p.head == "euro":
        share = 1.0 if not said or "the" not in said else 0.6
    elif det == "" or det == "a":
        if (det == "a" and ("a" in said or "no" in said)) or (det == "" and (not said or said & {"some", "no"})):
            share = 1.0
        else:
            share = 0.4 if said else 0.0
            if det == "a" and not said:
                tally.agreement += 0.5  # a countable noun with no article
    elif det.endswith("'s"):
        share = 1.0 if item.owner == det[:-2] else 0.0
        if not share:
            share = find_possessor(tally, det[:-2])
            if not share and item.owner:
                tally.facts += 1.2
            elif not share:
                tally.lost_name += 1
    elif det in said:
        share = 1.0
    elif det == "the":
        share = 0.6 if "this" in said else 0.0
        if not said and not item.owner and not item.mask & PLURAL:
            tally.agreement += 0.5
    elif det == "this":
        share = 0.5 if "the" in said else 0.0
    elif det in POSSESSIVE_DETS:
        share = 0.5 if "the" in said else 0.0
        if said & POSSESSIVE_DETS:
            tally.facts += 0.5
    else:
        share = 0.0
    if p.det.endswith("'s"):
        tally.slot(1.0, share)
    else:
        tally.slot(0.5, share)
    if item.owner and not p.det.endswith("'s"):
        tally.facts += 0.7
    if "no" not in said and item.det & {"every"} and det != "every":
        tally.facts += 0.3


def find_possessor(tally: Tally, name: str) -> float:
    """der Bruder von Anna."""
    for clause in tally.reader.clauses:
        for x in clause.items:
            if not x.used and x.names == name and x.prep == "von":
                x.used = True
                return 1.0
    return 0.0


def check_pronoun(tally: Tally, p: Phrase, item: Item) -> int:
    """The mask of a pronoun in the readings that fit; it must have the gender of its noun."""
    if not item.pronouns:
        return item.mask
    keys = PRONOUN_KEYS[p.head]
    if p.head == "it" and p.of:
        gender = tally.antecedents.get(p.of) or NOUNS[p.of].options[0].gender
        wanted = {"m": "er", "f": "sie", "n": "es", "p": "sie_p"}[gender]
        if not any(k == wanted for k, _, _ in item.pronouns):
            tally.agreement += 1
    elif p.head == "it" and any(k == "es" for k, _, _ in item.pronouns) is False:
        tally.agreement += 1
    mask = 0
    for k, m, _ in item.pronouns:
        if k in keys:
            mask |= m
    return mask


def check_place(
    tally: Tally, p: Phrase | None, read: ReadClause | None, preps: tuple[str, ...], cases: int, det: bool = True
) -> Item | None:
    """A prepositional phrase: what it names, its preposition, and the case that goes with them."""
    assert p is not None
    item = find_phrase(tally, p, read, cases or ANY, preps)
    if item is None:
        miss_phrase(tally, p)
        tally.slot(0.5, 0.0)
        return None
    item.used = True
    tally.slot(1.2, 1.0)
    if p.head in NOUNS:
        if det:
            check_noun(tally, p, item)
        else:
            tally.extra += 0.6 * len(item.adjectives)
    elif p.head in PERSONS:
        check_pronoun(tally, p, item)
    right = item.prep in preps
    tally.slot(0.6, 1.0 if right else 0.0)
    if not right and item.prep and (item.prep not in NEAR or (p.head in NOUNS and "furn" in NOUNS[p.head].tags)):
        tally.facts += 0.5
    if not right:
        tally.agreement += 0.5
    if item.mask == 0:
        tally.agreement += 1
    elif right:
        wanted = cases or (CASE[DAT] if item.prep in ("zu", "nach") else CASE[ACC])
        if not item.mask & wanted & (item.cases or ANY):
            tally.agreement += 1
    elif item.cases and not item.mask & item.cases:
        tally.agreement += 1
    return item
