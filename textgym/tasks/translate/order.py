"""Word order: what stands before the finite verb, what may follow the verb that closes a clause."""

from __future__ import annotations

from textgym.tasks.translate import words
from textgym.tasks.translate.lexicon import ACC, CASE, NOM
from textgym.tasks.translate.phrases import TIME_CONCEPTS, Item
from textgym.tasks.translate.reading import ReadClause
from textgym.tasks.translate.words import listed

TIME_ADVERBS = frozenset(listed("yesterday today now tomorrow soon later early every moment"))
PREDICATE_CONCEPTS = frozenset(
    c for line in words.ADJECTIVES.strip().splitlines() for c in (line.split(":", 1)[0],)
) - {"last", "next"}


def order_errors(clause: ReadClause) -> float:
    """Verb second, verb first or verb last; and nothing after the closing verb."""
    errors = 0.0
    finite = clause.finite
    if finite is None:
        return errors
    items = [x for x in clause.items if x.kind != "F" or x.mask == 0]
    at = next((k for k, x in enumerate(items) if x is finite), 0)
    if clause.kind in ("sub", "rel"):
        late = [x for x in items[at + 1 :] if not x.than]
        if late and not (clause.modal and len(late) == 2 and all(x.kind == "V" for x in late)):  # hat tragen müssen
            errors += 1
        return errors
    low = finite.text.lower()
    if (
        "|" in clause.lemma
        and not clause.auxiliary
        and low.startswith(clause.lemma.split("|")[0])
        and not any(v[0] == clause.lemma.split("|")[1] for v in finite.verbs)
    ):
        errors += 1  # er anruft
    front = count_front(items[:at])
    question = clause.punctuation == "?"
    if clause.after_sub:
        if front != 0:
            errors += 1
    elif question:
        wh = at > 0 and (items[0].kind == "Q" or any(k in ("who", "what") for k, _, _ in items[0].pronouns))
        if not wh and any(x.kind == "Q" for x in items):
            errors += 1
        if front != (1 if wh else 0):
            errors += 1
    elif front == 0:
        if not (clause.ordered and is_order(clause, items[at + 1 :])):
            errors += 1
    elif front != 1 or clause.ordered:
        errors += 1
    closer = next((k for k in range(at + 1, len(items)) if items[k].kind in "VP"), len(items))
    late = [x for x in items[closer + 1 :] if x.kind in ("N", "A", "T", "X", "D") and not x.than]
    if late:
        errors += 1
    middle = items[at + 1 : closer]
    for k, x in enumerate(middle):
        if x.kind == "X" and not x.concepts and k:
            before = middle[k - 1]
            if (
                before.kind == "A"
                and before.used
                and not before.prep
                and before.concepts & PREDICATE_CONCEPTS
                and k == len(middle) - 1
            ):
                errors += 0.7
        if (
            x.kind == "N"
            and k
            and not x.prep
            and not x.than
            and any(p in ("ich", "du", "er", "wir") for p, _, _ in x.pronouns)
            and x.mask & CASE[NOM]
        ):
            errors += 0.7  # a pronoun subject far behind the verb
    nouns = [x for x in middle if x.kind == "N" and not x.prep and not x.than]
    if (
        front == 1
        and len(nouns) > 1
        and nouns[0].mask
        and not nouns[0].mask & CASE[NOM]
        and not nouns[0].pronouns
        and nouns[0].concepts.isdisjoint(TIME_CONCEPTS)
    ):
        later = [x for x in nouns[1:] if x.mask & CASE[NOM] and not x.mask & CASE[ACC]]
        if later:
            errors += 0.6
    return errors


def is_order(clause: ReadClause, rest: list[Item]) -> bool:
    assert clause.finite is not None
    if any(v[1] == "imp" for v in clause.finite.verbs) or clause.persons & 1 << 4:
        return True
    return bool(rest) and any(k == "Sie" for k, _, _ in rest[0].pronouns)


def count_front(items: list[Item]) -> int:
    """How many constituents stand before the finite verb."""
    count = 0
    previous = ""
    joined = asks_how = False
    for x in items:
        if x.kind == "C":
            joined = True
            continue
        if x.kind == "F":
            continue
        asks_how = asks_how or (x.kind == "Q" and x.lead == "wie")  # wie viele Bücher
        timelike = (
            x.kind == "T"
            or (x.kind == "A" and bool(x.concepts & TIME_ADVERBS))
            or (x.kind == "N" and not x.concepts.isdisjoint(TIME_CONCEPTS))
        )
        group = "time" if timelike else "pp" if x.prep else "noun" if x.kind in "NU" else x.kind
        if joined and previous:
            joined = False
            continue
        joined = False
        if (
            previous == group == "time"
            or (group == "pp" and previous in ("noun", "pp", "time", "A"))
            or (previous == "Q" and asks_how and group in ("A", "noun"))
        ):
            continue
        if (previous == "noun" and group == "pp") or (previous == "X"):
            continue
        if previous == "A" and group == "A":
            previous = group
            continue
        count += 1
        previous = group
    return count
