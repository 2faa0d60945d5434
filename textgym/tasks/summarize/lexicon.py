"""Recognising the facts of a kind of event in any text: words, not templates.

For each kind there is one table from a lower-case word to what it may speak of, made from the word
lists in `event.Kind`. Lookups are memoised, so that a text costs one dict access a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from textgym.tasks.summarize.event import Kind
from textgym.tasks.summarize.grammar import Template
from textgym.tasks.summarize.kinds import KINDS

EVENT, OPPOSITE, THING, REASON, RESULT = range(5)

# (role, id, mode): mode is "yes" (says it), "no" (says it when negated) or "!" (only after the name)
Hit = tuple[int, str, str]

NEGATIONS = frozenset(
    [
        "not",
        "no",
        "nobody",
        "none",
        "nothing",
        "never",
        "cannot",
        "can't",
        "neither",
        "nor",
        "without",
        "nowhere",
        "hardly",
        "barely",
        "isn't",
        "aren't",
        "wasn't",
        "weren't",
        "don't",
        "doesn't",
        "didn't",
        "won't",
        "wouldn't",
        "couldn't",
        "shouldn't",
        "hasn't",
        "haven't",
        "hadn't",
        "cant",
        "dont",
        "didnt",
        "wasnt",
        "isnt",
        "mustn't",
        "needn't",
    ]
)
_OBJECTS = frozenset(["nothing", "none", "nobody"])
# Verbs that undo what follows them: "refused to open", "failed to open".
UNDOING = frozenset(
    [
        "fail",
        "failed",
        "fails",
        "refuse",
        "refused",
        "refuses",
        "deny",
        "denied",
        "denies",
        "decline",
        "declined",
        "avoid",
        "avoided",
        "avoids",
        "unable",
        "rejected",
        "rejects",
        "reject",
        "refusal",
    ]
)
# Words that take away what follows them: "turned down the job", "without a jam". They count only where
# the fact itself is never worded with them, and not across a clause.
_TAKING = """without missed avoided avoids prevented prevents prevent averted spared escaped denied denies refused
misses refuses rejected rejects rejecting dropped drops cancelled scrapped ruled turned instead rather despite spite
notwithstanding regardless abandoned withdrew withdraws unlikely failed fails fail opposed opposes"""
TAKING = frozenset(_TAKING.split())
CONCEDING = frozenset(["despite", "spite", "notwithstanding", "regardless"])  # "despite a strong defence"
# "turned" and its like take away only with the right word after them.
_TAKING_WITH = {
    "turned": "down", "ruled": "out", "instead": "of", "rather": "than", "spite": "of", "regardless": "of",
    "dropped": "out", "drops": "out", "unlikely": "to", "failed": "to", "fails": "to", "fail": "to",
}  # fmt: skip
# What a fact calls by a word of its own where others deny the opposite: "did not work" for "broken". The words that
# are denied stand before the colon, words of such facts behind it.
_DENIALS = """
work works working worked function functioned functioning ring rang sound: broken failed dead off
work works working worked function functioned functioning: malfunctioned defective deactivated
repaired mended fixed: broken defective failed
shut close closed locked lock: open
open opened: shut closed
safe: unsafe
suitable secure modern: old obsolete
enough much many sufficient adequate plenty: lack shortage low poor inadequate small insufficient
enough much many sufficient adequate plenty: exhausted ran nothing receded
room space place big large fit fitted fits wide: small narrow impassable insufficient space modest
afford pay paid meet repay cover keep: high doubled unaffordable debts debt rent cost
allow allowed let permit permitted approve approved: stopped prohibited permit authorisation refused
let allow permit: ill illness health
give given gave grant granted: permit authorisation refused
get past reach come came through visit visited: roadworks road dug
go continue carry work manage keep: ill illness health old age
run running ran move moved moving operate operating: still stopped suspended moved jam jammed congestion
last lasted suffice sufficed left: ran exhausted
take sit write attend: missed exam
sing speak voice perform talk: voice throat laryngitis speaking
carry carried bring brought move moved get got: narrow impassable
sell selling sold offer stock: empty removed
polite friendly kind nice respectful: rude shouted disrespectfully
answer answered reply replied respond responded react: unanswered ignored silent unresponsive
need needed use: grown adulthood redundant
good better: poor low bad wrong
clean hygienic: dirty dirt hygiene
right correct listed mentioned: wrong mistakes errors failed
time early: late delay hours
calm comfort comforted: cry inconsolable
drive driving: licence drive
sleep slept rest: sleep
happy pleased glad: sad disappointed angry regret sorry cross
speak talking speaking talk: speaking angry
warm heated: cold heating broken
bright lit: dark broken lamp
there home in present inside: away absent holiday empty nobody
"""
DENIED_AS: dict[str, frozenset[str]] = {}
for _line in _DENIALS.strip().splitlines():
    _denied, _, _meant = _line.partition(":")
    for _word in _denied.split():
        DENIED_AS[_word] = DENIED_AS.get(_word, frozenset()).union(_meant.split())
# After "no" these make no negation; the same for "only" after "not".
NO_NEGATION_BEFORE = frozenset(
    ["longer", "more", "matter", "wonder", "doubt", "later", "less", "fewer", "sooner", "only", "just"]
)
CLAUSE_BREAKS = frozenset(
    [
        "and",
        "but",
        "because",
        "so",
        "since",
        "while",
        "although",
        "though",
        "as",
        "when",
        "who",
        "which",
        "whereas",
        "where",
        "after",
        "before",
        "if",
        "until",
    ]
)

TOKEN = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*|[0-9]+(?:[.,:][0-9]+)*(?:st|nd|rd|th|k)?(?![^\W\d_])|\S")

_SLOT = re.compile(r"%\(\w+\)s")
STEM = 5  # letters by which a word is known again
_MEMO_LIMIT = 20_000  # words remembered a kind; hostile text must not fill the memory


class KindLexicon:
    """The table of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._exact: dict[str, list[Hit]] = {}
        self._prefix: dict[str, list[Hit]] = {}
        self._multi: dict[str, list[tuple[tuple[str, ...], Hit]]] = {}
        self._memo: dict[str, tuple[Hit, ...]] = {}
        self._add(kind.verbs, EVENT, "", "yes")
        self._add(kind.opposite, OPPOSITE, "", "yes")
        for thing, words in kind.things.items():
            self._add(words, THING, thing, "yes")
        for role, facts in ((REASON, kind.reasons), (RESULT, kind.results)):
            for fact in facts.values():
                self._add(fact.yes, role, fact.id, "yes")
                self._add(fact.no, role, fact.id, "no")
        common = words_in(flatten((*kind.heads, *kind.adjuncts)))
        # The words of our own wordings: none of them can speak of another reason or result.
        self.own_words = {
            fact.id: common | words_in((*fact.clauses, *fact.formal, *getattr(fact, "phrases", ())))
            for facts in (kind.reasons, kind.results)
            for fact in facts.values()
        }
        self.wordings = {
            fact.id: words_in((*fact.clauses, *fact.formal, *getattr(fact, "phrases", ())))
            for facts in (kind.reasons, kind.results)
            for fact in facts.values()
        }
        amount = words_in(flatten(kind.amount_sentences))
        # The first letters of those words and of what is said of the amount: no news in a summary.
        self.own_stems = {id: frozenset(w[:STEM] for w in words | amount) for id, words in self.own_words.items()}
        self.word_polarity: dict[tuple[int, str, str], int] = {}  # by (role, id, word), where the words differ
        self.polarity = {
            (role, fact.id): self._expected_polarity(
                role, fact.id, (*fact.clauses, *fact.formal, *getattr(fact, "phrases", ()))
            )
            for role, facts in ((REASON, kind.reasons), (RESULT, kind.results))
            for fact in facts.values()
        }

    def _add(self, words: str, role: int, id: str, mode: str) -> None:
        for word in words.split():
            hit = (role, id, mode)
            if word.endswith("!"):
                word, hit = word[:-1], (role, id, "!")
            parts = word.split("_")
            if len(parts) > 1:
                self._multi.setdefault(parts[0], []).append((tuple(parts[1:]), hit))
            elif word.endswith("*"):
                self._prefix.setdefault(word[:-1], []).append(hit)
            else:
                for form in inflections(word):
                    hits = self._exact.setdefault(form, [])
                    if hit not in hits:
                        hits.append(hit)

    def hits(self, word: str) -> tuple[Hit, ...]:
        """What one lower-case word may speak of."""
        found = self._memo.get(word)
        if found is None:
            found = self._look_up(word)
            if not found and "-" in word:
                found = tuple(hit for part in word.split("-")[:4] for hit in self._look_up(part))
            if len(self._memo) < _MEMO_LIMIT and len(word) < 40:
                self._memo[word] = found
        return found

    def _look_up(self, word: str) -> tuple[Hit, ...]:
        if word.endswith("'s"):
            bare = word[:-2]
            if bare in self._exact:
                word = bare
        hits = list(self._exact.get(word, ()))
        for end in range(min(len(word), 16), 1, -1):
            for hit in self._prefix.get(word[:end], ()):
                if hit not in hits:
                    hits.append(hit)
        return tuple(hits)

    def multi_hits(self, words: list[str], at: int) -> list[Hit]:
        """What the words from `at` on speak of together, e.g. "gave up"."""
        options = self._multi.get(words[at])
        if options is None:
            return []
        return [hit for rest, hit in options if _continues(words, at + 1, rest)]

    def starts_multi(self, word: str) -> bool:
        return word in self._multi

    def _expected_polarity(self, role: int, id: str, wordings: tuple[str, ...]) -> int:
        """+1: never negated in our own wordings, -1: always, 0: both."""
        seen = set()
        by_word: dict[str, set[bool]] = {}
        for wording in wordings:
            words = [w.lower() for w in TOKEN.findall(_SLOT.sub("he", wording))]
            marks = mark_negations(words)
            for at, word in enumerate(words):
                hits = (*self.hits(word), *self.multi_hits(words, at))
                if any(hit == (role, id, "yes") for hit in hits):
                    is_denied = is_negated(marks, words, at) or any(w in UNDOING for w in words)
                    seen.add(is_denied)
                    by_word.setdefault(word, set()).add(is_denied)
        if len(seen) == 2:
            for word, denied in by_word.items():
                self.word_polarity[role, id, word] = 0 if len(denied) == 2 else -1 if True in denied else 1
        return 0 if len(seen) != 1 else -1 if True in seen else 1


def flatten(templates: tuple[Template, ...]) -> list[str]:
    """The texts of templates, whatever is chosen in them."""
    texts: list[str] = []
    for template in templates:
        for piece in template:
            texts += [piece] if isinstance(piece, str) else ["".join(map(str, option)) for option in piece]
    return texts


def words_in(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in TOKEN.findall(_SLOT.sub(" ", text).lower()))


def _continues(words: list[str], at: int, rest: tuple[str, ...]) -> bool:
    if at + len(rest) > len(words):
        return False
    for word, wanted in zip(words[at:], rest, strict=False):
        if word != wanted and not (wanted[-1] == "*" and word.startswith(wanted[:-1])):
            return False
    return True


def inflections(word: str) -> tuple[str, ...]:
    """The word and its regular forms (too many is no harm: the others are no words)."""
    forms = [word, word + "s", word + "ed", word + "d", word + "ing", word + "es", word + "'s"]
    if word.endswith("e"):
        forms.append(word[:-1] + "ing")
    if word.endswith("y"):
        forms += [word[:-1] + "ies", word[:-1] + "ied"]
    if len(word) > 2 and word[-1] not in "aeiouwy":
        forms += [word + word[-1] + "ing", word + word[-1] + "ed"]
    return tuple(forms)


def mark_negations(words: list[str]) -> list[tuple[int, int]] | None:
    """(position, clause start) of each negation; None where there is none, the usual case."""
    if NEGATIONS.isdisjoint(words):
        return None
    marks: list[tuple[int, int]] = []
    start = 0
    for at, word in enumerate(words):
        if word in CLAUSE_BREAKS or word in ".,;:!?()":
            start = at
        elif word in NEGATIONS:
            if at + 1 < len(words) and words[at + 1] in NO_NEGATION_BEFORE:
                continue
            if word == "nothing" and at and words[at - 1] == "for":  # for free
                continue
            marks.append((at, start))
    return marks or None


def is_negated(marks: list[tuple[int, int]] | None, words: list[str], at: int, before: int = 5, after: int = 2) -> bool:
    """Whether a negation of the same clause stands near word `at`."""
    if marks is None:
        return False
    for position, start in marks:
        if position <= at <= position + before and not _broken(words, position, at):
            return True
        reach = after + 2 if after and words[position] in _OBJECTS else after  # "will pay us nothing"
        if position - reach <= at < position and at >= start:
            return True
    return False


def is_agreeing(
    marks: list[tuple[int, int]] | None, words: list[str], at: int, wording: frozenset[str], reach: int = 5
) -> bool:
    """Whether what is denied around word `at` is the opposite of what a fact's wording says: "did not work", broken."""
    for position, _ in marks or ():
        if not position - reach <= at <= position + reach:
            continue
        for k in range(position + 1, min(len(words), position + reach + 1)):
            if words[k] in CLAUSE_BREAKS or words[k] in ".,;:!?()":
                break
            if not wording.isdisjoint(DENIED_AS.get(words[k], ())):
                return True
    return False


def find_taking(words: list[str], at: int) -> str:
    """The word of `TAKING` that takes away word `at` of its clause; empty if there is none."""
    for k in range(at - 1, max(-1, at - 6), -1):
        word = words[k]
        if word in CLAUSE_BREAKS or word in ".,;:!?()":
            return ""
        if word in TAKING and words[k + 1] == _TAKING_WITH.get(word, words[k + 1]):
            return word
    return ""


def clause_start(words: list[str], at: int) -> int:
    """Where the clause of word `at` begins."""
    while at > 0 and words[at] not in CLAUSE_BREAKS and words[at] not in ".,;:!?()":
        at -= 1
    return at


def _broken(words: list[str], left: int, right: int) -> bool:
    """Whether a clause ends between two positions; "not because of the rent" denies the rent."""
    start = left + 2 if words[left + 1] == "because" else left + 1
    return any(words[k] in CLAUSE_BREAKS or words[k] in ".,;:!?()" for k in range(start, right))


@cache
def lexicon_of(kind: str) -> KindLexicon:
    return KindLexicon(KINDS[kind])
