"""The gold judge: how well a German text says what a meaning says.

The response is read (`reading`), its clauses are aligned with those of the meaning by their verbs, and each phrase of
the meaning is looked for: verbs (`predicates`), subject and objects (`participants`), circumstances (`circumstances`),
all of them of `noun_phrases`. Then what was not asked for is counted (`leftovers`). `score` has the components.
"""

from __future__ import annotations

from textgym.tasks.translate.circumstances import check_circumstance
from textgym.tasks.translate.leftovers import check_surface, count_leftovers
from textgym.tasks.translate.lexicon import ACC, CASE, DAT, NOM, VERB_CONCEPTS
from textgym.tasks.translate.meaning import Clause, Meaning, Sentence
from textgym.tasks.translate.noun_phrases import check_phrase
from textgym.tasks.translate.order import order_errors
from textgym.tasks.translate.participants import (
    check_object,
    check_person,
    check_relative_subject,
    check_roles,
    find_order_subject,
)
from textgym.tasks.translate.phrases import Item
from textgym.tasks.translate.predicates import WH_WORDS, check_link, check_predicate, check_question, check_verb
from textgym.tasks.translate.reading import ReadClause, Reader, readings_of
from textgym.tasks.translate.score import COMPONENTS, Tally

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
    for (c, s, role), read in zip(expected, align(expected, tally.reader.clauses), strict=True):
        check_clause(tally, c, s, role, read)
    for clause in tally.reader.clauses:
        if clause.aligned:
            tally.order += order_errors(clause)
        else:
            tally.order += 0.5 if clause.finite is not None else 0.3
    count_leftovers(tally)


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


def check_clause(tally: Tally, c: Clause, s: Sentence, role: str, read: ReadClause | None) -> None:
    """All that one clause of the meaning says."""
    frame, passive, matched = check_verb(tally, c, read)
    nominative: Item | None = None
    item: Item | None = None
    if s.mood == "order" and role == "main":
        nominative = find_order_subject(tally, c, read)
        if read is not None:
            read.ordered = True
    elif role == "rel":
        nominative = check_relative_subject(tally, c, read)
    elif passive:
        check_phrase(tally, c.subject, read, CASE[DAT], ("von",), matched)
    elif frame == "flip":
        check_phrase(tally, c.subject, read, CASE[DAT], (), matched)
    else:
        nominative = check_phrase(tally, c.subject, read, CASE[NOM], (), matched)
    if c.obj is not None:
        item = check_object(tally, c, read, frame, passive, matched)
        if frame == "flip" or passive:
            nominative = item
    if c.recipient is not None:
        other = check_phrase(tally, c.recipient, read, CASE[DAT], (), matched, recipient=True)
        check_roles(tally, nominative, other, DAT)
    if item is not None and not passive and frame != "flip":
        check_roles(tally, nominative, item, DAT if frame == "d" else ACC)
    if read is not None:
        check_person(tally, c, s, role, read, nominative)
    for x in c.circumstances:
        check_circumstance(tally, x, read)
    if c.predicate:
        check_predicate(tally, c, read)
    if role == "sub":
        check_link(tally, s, read)
    if role == "main" and s.mood in WH_WORDS:
        check_question(tally, c, s.mood, read)
