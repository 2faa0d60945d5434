"""Subject and objects: who does it to whom, and whether the verb agrees with its subject."""

from __future__ import annotations

from textgym.tasks.translate.lexicon import ACC, ANY, CASE, DAT, NOM, NOUNS, PLURAL, SINGULAR, VERBS
from textgym.tasks.translate.meaning import Clause, Phrase, Sentence
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
    if found.demonstrative and not found.mask & wanted & CASE[NOM]:
        tally.agreement += 1
    return found


Marking = tuple[int, tuple[str, ...]]  # what shows a role: a case, or one of these prepositions
SUBJECT: Marking = (CASE[NOM], ())


def check_roles(
    tally: Tally,
    verb: str,
    read: ReadClause | None,
    a: tuple[Phrase, Item | None],
    b: tuple[Phrase, Item | None],
    markings: tuple[Marking, Marking],
) -> None:
    """Who does it to whom: case, preposition and verb ending tell; where they do not, the first is the subject.

    An error where only the exchanged roles fit: den Hund sieht der Mann is "the man sees the dog" and nothing else.
    """
    (p, x), (q, y) = a, b
    if x is None or y is None or x is y or read is None:
        return
    as_x, as_y = markings
    if fits(p, x, as_x, read) and fits(q, y, as_y, read):
        both_fit = as_x is SUBJECT and x.index > y.index and not (y.pronouns or y.prep)
        # a thing is no subject: dieses Geschenk bekam Karl
        reversed_ = both_fit and can_act(q, verb) and fits(q, y, as_x, read) and fits(p, x, as_y, read)
    else:
        exchanged = fits(q, y, as_x, read) and fits(p, x, as_y, read)
        # die Frau kauft ein Apfel is a wrong ending, no apple that buys
        slip = as_x is SUBJECT and not can_act(q, verb) and x.index < y.index and mask_in(p, x) & as_x[0]
        reversed_ = exchanged and not slip
    tally.facts += reversed_


def fits(p: Phrase, x: Item, marking: Marking, read: ReadClause) -> bool:
    """Whether an item can have a role."""
    cases, prepositions = marking
    if x.prep:
        return x.prep in prepositions
    if not mask_in(p, x) & cases:
        return False
    return marking is not SUBJECT or not read.persons or bool(read.persons & persons_in(p, x))


def mask_in(p: Phrase, x: Item) -> int:
    """Cases and genders of an item in the readings that say the phrase."""
    if p.det == "rel":
        return x.mask & (PLURAL if p.plural else SINGULAR)
    keys = PRONOUN_KEYS.get(p.head)
    if not x.pronouns or keys is None:
        return x.mask
    mask = 0
    for k, m, _ in x.pronouns:
        if k in keys:
            mask |= m
    return mask


def persons_in(p: Phrase, x: Item) -> int:
    """The persons of a verb whose subject an item is."""
    if x.pronouns:
        keys = PRONOUN_KEYS.get(p.head, ())
        persons = 0
        for k, _, bits in x.pronouns:
            if k in keys or not keys:
                persons |= bits
        return persons
    if x.names or (x.demonstrative and p.det != "rel"):
        return SINGULAR_PERSON
    if p.det == "rel":
        return PLURAL_PERSON if p.plural else SINGULAR_PERSON
    mask = x.mask & CASE[NOM] or x.mask
    if x.count > 1:
        return PLURAL_PERSON
    return (PLURAL_PERSON if mask & PLURAL else 0) | (SINGULAR_PERSON if mask & SINGULAR else 0)


def can_act(p: Phrase, verb: str) -> bool:
    """Whether a phrase names somebody who can do what the verb says."""
    head = p.of if p.head == "it" else p.head
    if head not in NOUNS:
        return p.head != "it"
    tags = NOUNS[head].tags
    return "pers" in tags or "pers0" in tags or ("anim" in tags and "anim" in VERBS[verb].subjects)


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
    wanted = persons_in(c.subject, nominative)
    if s.link == "that" and role == "sub" and read.tense != "past" and persons & 1:
        persons |= SINGULAR_PERSON  # reported speech: er habe
    if wanted and persons and not persons & wanted:
        tally.agreement += 1


def use_reflexive(read: ReadClause, subject: Item) -> None:
    """ich sehe mir den Film an: as free as sich."""
    persons = {k for k, _, _ in subject.pronouns} & {"ich", "du", "wir", "ihr"}
    if not persons:
        return
    for x in read.items:
        if x.used or x.prep or x.mask & CASE[NOM]:
            continue
        if any(k in persons for k, _, _ in x.pronouns):
            x.used = True
            return
