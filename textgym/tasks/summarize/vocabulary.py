"""Words that are no names, and words too hard for a child, both read off the world's own texts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from textgym.tasks.summarize.digressions import ANYWHERE, POSTS_ONLY
from textgym.tasks.summarize.fluency import CLASS_OF
from textgym.tasks.summarize.grammar import Template
from textgym.tasks.summarize.kinds import KIND_LIST

_WORD = re.compile(r"[^\W\d_]+(?:['\-][^\W\d_]+)*")
_SLOT = re.compile(r"%\(\w+\)s")
# Openers and connectives of free prose, so that a capital at a sentence start makes no name.
_COMMON = [
    "christmas",
    "easter",
    "eve",
    "yesterday",
    "today",
    "tomorrow",
    "now",
    "then",
    "later",
    "meanwhile",
    "however",
    "therefore",
    "still",
    "also",
    "only",
    "just",
    "even",
    "once",
    "soon",
    "early",
    "late",
    "recently",
    "finally",
    "apparently",
    "sadly",
    "luckily",
    "unfortunately",
    "due",
    "thanks",
    "owing",
    "following",
    "according",
    "despite",
    "having",
    "being",
    "local",
    "police",
    "people",
    "someone",
    "somebody",
    "everyone",
    "everybody",
    "anyone",
    "residents",
    "neighbours",
    "neighbors",
    "visitors",
    "customers",
    "guests",
    "readers",
    "thieves",
    "burglars",
    "damage",
    "staff",
    "workers",
    "organisers",
    "organizers",
    "management",
    "shops",
    "buyers",
    "euros",
    "euro",
    "mr",
    "mrs",
    "ms",
    "miss",
    "dr",
    "sir",
    "madam",
    "about",
    "around",
    "over",
    "nearly",
    "almost",
    "roughly",
    "some",
    "many",
    "several",
    "both",
    "each",
    "there",
    "here",
    "this",
    "that",
    "these",
    "those",
    "it",
    "he",
    "she",
    "they",
    "we",
    "you",
    "his",
    "her",
    "their",
    "its",
    "our",
    "your",
    "my",
    "when",
    "while",
    "where",
    "what",
    "why",
    "how",
    "who",
    "which",
    "because",
    "since",
    "although",
    "though",
    "as",
    "if",
    "after",
    "before",
    "until",
    "during",
    "from",
    "with",
    "without",
    "for",
    "in",
    "on",
    "at",
    "by",
    "to",
    "of",
    "no",
    "not",
    "never",
    "nobody",
    "nothing",
    "none",
    "and",
    "or",
    "but",
    "so",
    "yet",
    "result",
    "reason",
    "cause",
    "old",
    "new",
    "big",
    "small",
    "young",
    "lost",
    "found",
    "wanted",
    "help",
    "pub",
    "inn",
    "shop",
]


def _split(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(_SLOT.sub(" ", text).lower())}


def _words_of(template: Template, into: set[str]) -> None:
    for piece in template:
        if isinstance(piece, str):
            into.update(_split((piece,)))
        else:
            for option in piece:
                _words_of(option, into)


def _collect() -> tuple[frozenset[str], frozenset[str]]:
    plain: set[str] = set(_COMMON) | set(CLASS_OF)
    formal: set[str] = set()
    for kind in KIND_LIST:
        for template in (*kind.heads, *kind.adjuncts, *kind.amount_sentences, *kind.echoes):
            _words_of(template, plain)
        for thing in kind.things:
            plain.update(_WORD.findall(thing))
        for cause in kind.reasons.values():
            plain.update(_split((*cause.clauses, *cause.phrases)))
            formal.update(_split(cause.formal))
        for outcome in kind.results.values():
            plain.update(_split(outcome.clauses))
            formal.update(_split(outcome.formal))
    hard = frozenset(word for word in formal - plain if len(word) >= 7)
    for template in (*ANYWHERE, *POSTS_ONLY):
        _words_of(template, plain)
    return frozenset(plain | formal), hard


KNOWN_WORDS, HARD_WORDS = _collect()
