"""Subject and objects: who does it to whom, and whether the verb agrees with its subject."""

from __future__ import annotations

from textgym.tasks.translate.lexicon import ACC, ANY, CASE, DAT, NOM, NOUNS, PLURAL, SINGULAR, VERBS
from textgym.tasks.translate.meaning import Clause, Sentence
from textgym.tasks.translate.noun_phrases import PRONOUN_KEYS, check_phrase
from textgym.tasks.translate.phrases import Item
from textgym.tasks.translate.reading import ReadClause
from textgym.tasks.translate.score import Tally

SINGULAR_PERSON, PLURAL_PERSON = 1 << 2, 1 << 5


def check_object(
    tally: Tally, c: Clause, read: ReadClause | None, frame: str, passive: bool, matched: bool
) -> Item | None:
    """The object in the case or behind the preposition that the verb of the response governs."""
    assert c.obj is not None
    p = c.obj
    if p.head == "what":
        found = read is not None and next(
            (x for x in read.items if x.kind == "N" and any(k == "what" for k, _, _ in x.pronouns)), None
        )
        tally.slot(1.0, 1.0 if found else 0.0)
        if found:
            found.used = True
        return None
    if passive or frame == "flip":
        return check_phrase(tally, p, read, CASE[NOM], (), matched)
    if "+" in frame:
        preposition, case = frame.split("+")
        if (
            read is not None
            and preposition == "an"
            and any(x.prep == "an" for x in read.items)
            and VERBS[c.verb].recipients
        ):
            return check_phrase(tally, p, read, CASE[ACC], (), matched)
        return check_phrase(tally, p, read, CASE[ACC] if case == "a" else CASE[DAT], (preposition,), matched)
    if not matched:
        return check_phrase(tally, p, read, ANY, (), False)
    return check_phrase(tally, p, read, CASE[DAT] if frame == "d" else CASE[ACC], (), matched)


def find_order_subject(tally: Tally, c: Clause, read: ReadClause | None) -> Item | None:
    """An order has no subject but Sie (or an emphatic du, ihr)."""
    if read is None or read.finite is None:
        return None
    others = {p.head for p in (c.obj, c.recipient) if p is not None}
    keys = ["du"] + (["ihr"] if "she" not in others else []) + (["Sie"] if read.persons & PLURAL_PERSON else [])
    for x in read.items:
        if not x.used and x.mask & CASE[NOM] and not x.prep and any(k in keys for k, _, _ in x.pronouns):
            x.used = True
            return x
    return None


def check_relative_subject(tally: Tally, c: Clause, read: ReadClause | None) -> Item | None:
    """A relative pronoun with the gender of the noun before it."""
    found = next((x for x in read.items if x.relative), None) if read is not None and read.kind == "rel" else None
    tally.slot(0.6, 1.0 if found is not None else 0.0)
    if found is None:
        return None
    found.used = True
    head = c.subject.head
    gender = "p" if c.subject.plural else tally.antecedents.get(head, NOUNS[head].options[0].gender)
    wanted = 1 << ("mfnp".index(gender))
    if found.demonstrative and not found.mask & wanted:
        tally.agreement += 1
    return found


def check_roles(tally: Tally, subject: Item | None, other: Item | None, case: int) -> None:
    """Anna sieht Tom is not Tom sieht Anna: where no ending tells, the first is the subject."""
    if (
        subject is None
        or other is None
        or other.prep
        or other.pronouns
        or subject.pronouns
        or subject.index < other.index
    ):
        return
    if not other.names and not any(NOUNS[x].tags & {"pers", "anim"} for x in other.concepts):
        return  # a thing is no subject: dieses Geschenk bekam Karl
    if other.mask & CASE[NOM] and other.mask & CASE[case] and subject.mask & CASE[case]:
        tally.facts += 1.0


def check_person(tally: Tally, c: Clause, s: Sentence, role: str, read: ReadClause, nominative: Item | None) -> None:
    """The finite verb agrees with what stands in the nominative."""
    if read.finite is None:
        return
    persons = read.persons
    if s.mood == "order" and role == "main":
        imperative = any(v[1] == "imp" for v in read.finite.verbs)
        wanted = 0
        if nominative is not None:
            for k, _, bits in nominative.pronouns:
                if k in ("du", "ihr", "Sie"):
                    wanted |= bits
        ok = bool(persons & wanted) if wanted else imperative or bool(persons & 1 << 4)
        if not ok:
            tally.agreement += 1
        return
    if nominative is None:
        return
    wanted = 0
    if nominative.pronouns:
        keys = PRONOUN_KEYS.get(c.subject.head, ())
        for k, _, bits in nominative.pronouns:
            if k in keys or not keys:
                wanted |= bits
    elif nominative.relative or (role == "rel"):
        wanted = PLURAL_PERSON if c.subject.plural else SINGULAR_PERSON
    elif nominative.names or nominative.demonstrative:
        wanted = SINGULAR_PERSON
    else:
        mask = nominative.mask & CASE[NOM] or nominative.mask
        wanted = (PLURAL_PERSON if mask & PLURAL else 0) | (SINGULAR_PERSON if mask & SINGULAR else 0)
        if nominative.count > 1:
            wanted = PLURAL_PERSON
    if s.link == "that" and role == "sub" and read.tense != "past" and persons & 1:
        persons |= SINGULAR_PERSON  # reported speech: er habe
    if wanted and persons and not persons & wanted:
        tally.agreement += 1
