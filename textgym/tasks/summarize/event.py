"""What an example means (`Event`), and what a kind of event is made of (`Kind`).

A kind owns its nouns, verbs, reasons and results, each with the words by which a reader recognises
it. Word lists are written as one string: `rent*` is a prefix, `rent` also matches its inflections,
`gave_up` is two words in a row, `bought!` counts only right after the person's name.
"""

from __future__ import annotations

from dataclasses import dataclass

from textgym.tasks.summarize.grammar import Template, compile_all


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asked for: `sort` names the rule, `value` its parameter."""

    sort: str  # "sentences", "words", "about", "without", "first" or "child"
    value: str | int = ""


@dataclass(frozen=True, slots=True)
class Event:
    """The meaning of one prompt."""

    kind: str
    first: str  # the main person
    last: str
    female: bool
    thing: str  # a noun of the kind's list
    town: str
    day: str  # "Tuesday" or "14 May"
    amount: int
    reason: str  # id of one of the kind's reasons
    result: str  # id of one of the kind's results
    wishes: tuple[Wish, ...] = ()
    other_names: tuple[str, ...] = ()  # names, towns and days that only digressions mention
    other_numbers: tuple[int, ...] = ()

    @property
    def who(self) -> str:
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason: noun phrases after "because of", clauses after "because"."""

    id: str
    phrases: tuple[str, ...]
    clauses: tuple[str, ...]  # plain wordings, for any reader
    formal: tuple[str, ...]  # wordings that a child would not follow
    yes: str  # words that say it
    no: str = ""  # words that say it when negated


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result, as clauses."""

    id: str
    clauses: tuple[str, ...]
    formal: tuple[str, ...]
    yes: str
    no: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event."""

    name: str
    post: bool  # told by the person in the first person
    anonymous: str  # who it was, where the reader wants no names
    things: dict[str, str]  # noun -> words by which it is recognised
    verbs: str  # words that say that it happened
    opposite: str  # words that say that something else did
    heads: tuple[Template, ...]  # who did what; slots S (subject), own (his bakery), a, the, thing
    where: str  # the preposition before the town
    amounts: tuple[int, int, int]  # lowest, highest, step
    adjuncts: tuple[Template, ...]  # the amount, added to a head
    amount_sentences: tuple[Template, ...]  # the amount, as a sentence of a prompt
    echoes: tuple[Template, ...]  # digressions with a number of the same unit
    reasons: dict[str, Cause]
    results: dict[str, Outcome]
    plural: bool = False  # things without an article
    thing_list: tuple[str, ...] = ()
    reason_list: tuple[str, ...] = ()
    result_list: tuple[str, ...] = ()


def _wordings(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split "a|b|~c" into plain (a, b) and formal (c) wordings, slots made ready for `%`."""
    parts = [p.strip().replace("%", "%%").replace("{", "%(").replace("}", ")s") for p in text.split("|")]
    return tuple(p for p in parts if p[0] != "~"), tuple(p[1:] for p in parts if p[0] == "~")


def cause(id: str, phrases: str, clauses: str, yes: str, no: str = "") -> Cause:
    plain, formal = _wordings(clauses)
    return Cause(id, _wordings(phrases)[0], plain, formal, yes, no)


def outcome(id: str, clauses: str, yes: str, no: str = "") -> Outcome:
    plain, formal = _wordings(clauses)
    return Outcome(id, plain, formal, yes, no)


def kind(
    name: str,
    *,
    things: dict[str, str],
    verbs: str,
    heads: str,
    amounts: tuple[int, int, int],
    adjuncts: str,
    sentences: str,
    echoes: str,
    reasons: tuple[Cause, ...],
    results: tuple[Outcome, ...],
    opposite: str = "",
    post: bool = False,
    anonymous: str = "a resident",
    where: str = "in",
    plural: bool = False,
) -> Kind:
    """A `Kind` from its grammar lines."""
    return Kind(
        name=name,
        post=post,
        anonymous=anonymous,
        things=things,
        verbs=verbs,
        opposite=opposite,
        heads=compile_all(heads),
        where=where,
        amounts=amounts,
        adjuncts=compile_all(adjuncts),
        amount_sentences=compile_all(sentences),
        echoes=compile_all(echoes),
        reasons={r.id: r for r in reasons},
        results={r.id: r for r in results},
        plural=plural,
        thing_list=tuple(things),
        reason_list=tuple(r.id for r in reasons),
        result_list=tuple(r.id for r in results),
    )
