"""The structured meaning behind a prompt: sentences of clauses of phrases, all frozen and comparable.

Heads and verbs are English lemmas that name concepts (keys of `lexicon.NOUNS` and `lexicon.VERBS`); the German is
chosen from what the lexicon lists for them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrase:
    """Who or what: a noun, a name, a pronoun or a question word."""

    head: str  # noun concept, "Anna", "Mr Weber", "Berlin", "I" .. "they", "who", "what"
    det: str = ""  # "the", "a", "this", "every", "my" .. "their", "Anna's"; "" for none
    adj: str = ""
    plural: bool = False
    count: int = 0  # 2, 3, ..: said as a number; 0 for none
    of: str = ""  # for it, he, she, they: the head they stand for, "" where unknown
    rel: Clause | None = None  # "who lives in Berlin": a clause whose subject is this phrase


@dataclass(frozen=True, slots=True)
class Circumstance:
    """When, where, how, with whom."""

    # time weekday clock date ago after month place city home dir dircity dirhome with by for without on onto freq
    # manner
    kind: str
    word: str = ""  # key of TIMES, weekday, month, unit, city, preposition, adverb
    value: int = 0  # minutes after midnight, day of the month, number of units
    phrase: Phrase | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """One verb with what belongs to it."""

    subject: Phrase
    verb: str
    tense: str = "present"  # present, past, perfect, future
    modal: str = ""
    negated: bool = False
    obj: Phrase | None = None
    recipient: Phrase | None = None
    predicate: str = ""  # with be: an adjective
    degree: str = ""  # "", "very", "too", "more"
    than: Phrase | None = None
    circumstances: tuple[Circumstance, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: a main clause, and what is linked to it."""

    main: Clause
    mood: str = "tell"  # tell, ask, order, where, when, why, who, what
    link: str = ""  # because although if when that while before and but
    sub: Clause | None = None
    sub_first: bool = False
    front: int = -1  # index of the circumstance that the English puts first


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a prompt says."""

    sentences: tuple[Sentence, ...]
