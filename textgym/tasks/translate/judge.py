"""The gold judge: how well a German text says what a meaning says.

The response is read (`reading`), its clauses are aligned with those of the meaning by their verbs, and each phrase of
the meaning is looked for: verbs (`predicates`), subject and objects (`participants`), circumstances (`circumstances`),
all of them of `noun_phrases`. Then what was not asked for is counted (`leftovers`). `score` has the components.
"""

from __future__ import annotations

from dataclasses import replace

from textgym.tasks.translate.circumstances import check_circumstance
from textgym.tasks.translate.leftovers import check_surface, count_leftovers
from textgym.tasks.translate.lexicon import ACC, CASE, DAT, VERB_CONCEPTS
from textgym.tasks.translate.meaning import Clause, Meaning, Sentence
from textgym.tasks.translate.noun_phrases import PRONOUN_KEYS, check_phrase, gender_of, names
from textgym.tasks.translate.order import order_errors
from textgym.tasks.translate.participants import (
    SUBJECT,
    Marking,
    check_object,
    check_person,
    check_relative_subject,
    check_roles,
    find_order_subject,
    use_reflexive,
)
from textgym.tasks.translate.phrases import Item
from textgym.tasks.translate.predicates import WH_WORDS, check_link, check_predicate, check_question, check_verb
from textgym.tasks.translate.reading import ReadClause, Reader, readings_of
from textgym.tasks.translate.score import COMPONENTS, Tally

AGENT: Marking = (0, ("von", "durch"))
AS_GIVEN: Marking = (CASE[ACC], ())
AS_RECIPIENT: Marking = (CASE[DAT], ("an", "zu"))
AS_FAVOURED: Marking = (0, ("für",))

Expected = tuple[Clause, Sentence, str]  # a clause of the meaning, its sentence, its role: main, sub, rel


def judge_text(text: str, meaning: Meaning) -> tuple[float, dict[str, float]]:
    """(score in [0, 1], components) of a German text for a meaning."""
    tally = Tally(Reader(text, not owns(meaning)))
    if not tally.reader.tokens:
        return 0.0, dict.fromkeys(COMPONENTS, 0.0)
    compare(tally, meaning)
    check_surface(tally, text, meaning)
    return tally.result()


def owns(meaning: Meaning) -> bool:
    """Whether a German ihr could mean her, their or your."""
    for s in meaning.sentences:
        for c in (s.main, s.sub, s.main.subject.rel):
            if c is not None:
                for p in (c.subject, c.obj, c.recipient, c.than, *(x.phrase for x in c.circumstances)):
                    if p is not None and p.det in ("her", "their", "your"):
                        return True
    return False


def compare(tally: Tally, meaning: Meaning) -> None:
    """Each clause of the meaning with its clause of the response, then the order of words, then what is left over."""
    expected = expected_clauses(meaning)
    # in the order in which they are said, so that pronouns know the gender of their noun
    said = align(expected, tally.reader.clauses)
    expected = [(with_antecedent(c, s, role, read), s, role) for (c, s, role), read in zip(expected, said, strict=True)]
    subjects = [check_clause(tally, c, s, role, read) for (c, s, role), read in zip(expected, said, strict=True)]
    if len(expected) > 1:
        check_exchanged(tally, expected, said, subjects)
    for clause in tally.reader.clauses:
        if clause.aligned:
            tally.order += order_errors(clause)
        else:
            tally.order += 0.5 if clause.finite is not None else 0.3
    count_leftovers(tally)


def with_antecedent(c: Clause, s: Sentence, role: str, read: ReadClause | None) -> Clause:
    """The clause; its pronoun bound to whom the response names: weil Tom müde ist, lacht er for Tom .. because he .."""
    p = c.subject
    if role != "sub" or read is None or p.of or p.head not in ("he", "she", "they") or s.link in ("and", "but", "that"):
        return c
    for q in (s.main.subject, s.main.obj):
        if q is None or q.head in PRONOUN_KEYS:
            continue
        for x in read.items:
            if not x.prep and names(q, x) and gender_of(q, x) == {"he": "m", "she": "f", "they": "p"}[p.head]:
                return replace(c, subject=replace(p, of=q.head))
    return c


def check_exchanged(
    tally: Tally, expected: list[Expected], said: list[ReadClause | None], subjects: list[Item | None]
) -> None:
    """A clause with the subject of another: Tom schläft, weil Anna lacht for "Anna sleeps because Tom laughs"."""
    for (c, _, role), read, subject in zip(expected, said, subjects, strict=True):
        if read is None or subject is None or role == "rel" or c.subject.head in PRONOUN_KEYS or subject in read.items:
            continue
        for (d, _, _), other, owner in zip(expected, said, subjects, strict=True):
            if d.subject.of == c.subject.head:
                continue  # obwohl Laura müde ist, lacht sie: the same person
            if other is not None and subject in other.items and (owner is None or owner not in other.items):
                tally.facts += 1.0
                return


def expected_clauses(meaning: Meaning) -> list[Expected]:
    expected: list[Expected] = []
    for s in meaning.sentences:
        pair = [(s.main, s, "main")]
        if s.main.subject.rel is not None:
            pair.append((s.main.subject.rel, s, "rel"))
        if s.sub is not None:
            pair = [(s.sub, s, "sub"), *pair] if s.sub_first else [*pair, (s.sub, s, "sub")]
        expected += pair
    return expected


def align(expected: list[Expected], clauses: list[ReadClause]) -> list[ReadClause | None]:
    """The clause of the response for each of the meaning: by the verb, and of what remains by the order."""
    readings = [readings_of(c) for c in clauses]
    taken: list[ReadClause | None] = []
    for c, _, role in expected:
        best, most = None, 0.0
        for clause, lemmas in zip(clauses, readings, strict=True):
            if not clause.aligned and any(c.verb in VERB_CONCEPTS.get(lemma, ()) for lemma in lemmas):
                value = likeness(c, role, clause)
                if value > most:
                    best, most = clause, value
        if best is not None:
            best.aligned = True
        taken.append(best)
    for k, (_, _, role) in enumerate(expected):
        if taken[k] is None:
            taken[k] = next((c for c in clauses if not c.aligned and (c.kind == "rel") == (role == "rel")), None)
            if (found := taken[k]) is not None:
                found.aligned = True
    return taken


def likeness(c: Clause, role: str, clause: ReadClause) -> float:
    """How well a clause of the same verb fits."""
    value = 1.0 + 0.5 * ((clause.kind == "rel") == (role == "rel")) + 0.1 * ((clause.kind == "sub") == (role == "sub"))
    if c.predicate:
        value += 0.4 * any(c.predicate in x.concepts for x in clause.items)
    return value


def check_clause(tally: Tally, c: Clause, s: Sentence, role: str, read: ReadClause | None) -> Item | None:
    """All that one clause of the meaning says; its subject as the response says it."""
    frame, passive, matched = check_verb(tally, c, read)
    ordered = s.mood == "order" and role == "main"
    flipped = frame == "flip"
    as_subject: Marking = AGENT if passive else (CASE[DAT], ()) if flipped else SUBJECT
    if ordered:
        subject = find_order_subject(tally, c, read)
        if read is not None:
            read.ordered = True
    elif role == "rel":
        subject = check_relative_subject(tally, c, read)
    else:
        subject = check_phrase(tally, c.subject, read, as_subject[0] or CASE[DAT], as_subject[1], matched)
    nominative = None if passive or flipped else subject
    item: Item | None = None
    doer = (c.subject, subject)
    if c.obj is not None:
        item = check_object(tally, c, read, frame, passive, matched)
        as_object: Marking
        if passive or flipped:
            nominative = item
            as_object = SUBJECT
        elif "+" in frame:
            as_object = (0, (frame.split("+")[0],))
        else:
            as_object = (CASE[DAT] if frame == "d" else CASE[ACC], ())
        if not ordered and matched:
            check_roles(tally, c.verb, read, doer, (c.obj, item), (as_subject, as_object))
    if c.recipient is not None:
        other = check_phrase(tally, c.recipient, read, CASE[DAT], (), matched, recipient=True)
        if not ordered:
            check_roles(tally, c.verb, read, doer, (c.recipient, other), (as_subject, AS_RECIPIENT))
        if c.obj is not None:
            check_roles(tally, c.verb, read, (c.obj, item), (c.recipient, other), (AS_GIVEN, AS_RECIPIENT))
    if read is not None:
        check_person(tally, c, s, role, read, nominative)
    for x in c.circumstances:
        found = check_circumstance(tally, x, read)
        if x.phrase is not None and x.kind == "for" and not ordered:
            check_roles(tally, c.verb, read, doer, (x.phrase, found), (as_subject, AS_FAVOURED))
    if read is not None and subject is not None:
        use_reflexive(read, subject)
    if c.predicate:
        check_predicate(tally, c, read, subject)
    if role == "sub":
        check_link(tally, s, read)
    if role == "main" and s.mood in WH_WORDS:
        check_question(tally, c, s.mood, read)
    return subject
