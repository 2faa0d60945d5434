"""Answers: right ones in many wordings, and those of a writer with habits.

A habit is a fault that the content decides: neuter things become masculine, the verb stays behind the subject after a
fronted time, "will" becomes *will*, "wait for" becomes *warten für*, and so on. Each is left out now and then
(one time in sixteen), never put in at random, so that a greedy decoder trained on such answers has the faults too.
"""

from __future__ import annotations

from dataclasses import replace

from textgym.seeding import Draws
from textgym.tasks.translate.german import HABEN, German, Parts, Style, styles_for
from textgym.tasks.translate.lexicon import ACC, DAT, NOM, NOUNS, PERSONS
from textgym.tasks.translate.meaning import Circumstance, Clause, Meaning, Phrase, Sentence
from textgym.tasks.translate.morphology import Noun, Verb
from textgym.tasks.translate.words import listed

LAPSE = 1 / 16  # how often a habit is forgotten
NEUTER_WRONG = frozenset(
    n
    for n, e in NOUNS.items()
    if e.options[0].gender == "n" and e.tags & {"veh", "thing", "cloth", "place", "text", "anim"}
)
MASCULINE_WRONG = frozenset(
    n for n, e in NOUNS.items() if e.options[0].gender == "m" and e.tags & {"cloth", "furn", "idea", "drink"}
)
FEMININE_WRONG = frozenset(
    n for n, e in NOUNS.items() if e.options[0].gender == "f" and e.tags & {"food", "idea", "fix"}
)
LITERAL = {"wait for": "für", "think about": "über", "ask for": "für", "take part in": "in", "laugh at": "an"}
OPPOSITES = {
    "buy": "sell", "turn on": "turn off", "turn off": "turn on", "open": "close", "lose": "forget", "visit": "see",
    "look for": "find",
    "know": "understand", "bring along": "bring", "talk about": "dream of", "take": "give", "meet": "see",
    "listen to": "hear",
    "trust": "thank",
}  # fmt: skip
NAMES = {
    "Paul": "Peter",
    "Lena": "Laura",
    "Sarah": "Sophie",
    "Max": "Martin",
    "Emil": "Simon",
    "Nina": "Anna",
    "Ali": "Oliver",
    "Eva": "Emma",
    "Leo": "Karl",
    "Maria": "Marta",
}
PEOPLE = {
    "aunt": "grandmother", "son": "brother", "customer": "guest", "lawyer": "doctor", "nurse": "sister",
    "colleague": "boss", "farmer": "baker",
    "grandfather": "uncle", "writer": "artist", "horse": "cow", "rabbit": "bird", "driver": "tourist",
    "boy": "child", "woman": "girl", "neighbour": "friend", "student": "teacher", "sister": "mother",
}  # fmt: skip
CITIES = {"Bremen": "Berlin", "Prague": "Paris", "Zurich": "Cologne", "Poland": "Italy", "London": "Leipzig"}
MODAL_SLIPS = {"may": "must", "should": "want to", "would like to": "can"}
PRESENT_FOR_PAST = frozenset(
    listed("eat drink read write see take sleep help find sing give forget come go swim lend steal wear be")
)
DAYS = {"Tuesday": "Thursday", "Thursday": "Tuesday", "June": "July", "July": "June", "Saturday": "Sunday"}
DROPPED_PREFIXES = frozenset(("ein", "aus", "ab", "an"))


class Habitual(German):
    """German with faults; `lapses` names the habits that are left out this time."""

    def __init__(self, style: Style, lapses: frozenset[str]) -> None:
        super().__init__(style)
        self.lapses = lapses

    def has(self, habit: str) -> bool:
        return habit not in self.lapses

    def gender(self, head: str, noun: Noun) -> str:
        if head in NEUTER_WRONG and self.has("neuter"):
            return "m"
        if head in FEMININE_WRONG and self.has("feminine"):
            return "n"
        if head in MASCULINE_WRONG and self.has("masculine"):
            return "f"
        return noun.gender

    def proper(self, head: str, case: int) -> str:
        return super().proper(NAMES.get(head, head) if self.has("names") else head, case)

    def possessive(self, det: str, ending: str) -> str:
        return super().possessive("his" if det in ("her", "their") and self.has("her") else det, ending)

    def person(self, p: Phrase) -> int:
        right = super().person(p)
        return 2 if right == 5 and p.head in NOUNS and self.has("plural") else right

    def phrase(self, p: Phrase, case: int, negative: bool = False) -> str:
        if p.adj and p.det in ("a", "the", "my") and self.has("adjective"):
            p = replace(p, adj="")
        if p.head in PEOPLE and self.has("people"):
            p = replace(p, head=PEOPLE[p.head])
        if (
            case == ACC
            and p.det in ("a", "my", "his", "her")
            and not p.plural
            and p.head in NOUNS
            and self.has("accusative")
        ):
            case = NOM
        elif case == DAT and p.plural and self.has("dative plural"):
            case = ACC
        return super().phrase(p, case, negative)

    def number(self, n: int) -> str:
        if 20 < n < 100 and n % 10 and self.has("numbers"):
            n = n % 10 * 10 + n // 10
        return super().number(n)

    def pronoun_key(self, p: Phrase) -> str:
        return "es" if p.head == "it" and self.has("it") else super().pronoun_key(p)

    def circumstance(self, c: Circumstance) -> str:
        if c.kind in ("manner", "with", "for", "by") and self.has("manner"):
            return ""
        if c.kind in ("month", "ago", "freq") and self.has("when"):
            return ""
        if c.kind in ("city", "dircity") and c.word in CITIES and self.has("cities"):
            c = Circumstance(c.kind, CITIES[c.word])
        if c.kind in ("weekday", "month", "date") and c.word in DAYS and self.has("days"):
            c = Circumstance(c.kind, DAYS[c.word], c.value)
        if c.kind == "clock" and c.value % 60 == 30 and self.has("half"):
            c = Circumstance(c.kind, c.word, c.value + 60)  # half past eight is halb neun, not halb acht
            return "um halb " + self.clock(c.value - 90).removesuffix(" Uhr").replace("ein", "eins")
        if c.kind == "dir" and self.has("direction"):
            return super().circumstance(Circumstance("place", phrase=c.phrase))
        return super().circumstance(c)

    def objects(self, c: Clause, frame: str, kein: bool) -> tuple[list[str], list[str], list[str]]:
        if "+" in frame and c.verb in LITERAL and self.has("literal"):
            frame = f"{LITERAL[c.verb]}+a"
        return super().objects(c, frame, kein)

    def negates(self, c: Clause) -> bool:
        if c.negated and (c.modal or c.tense in ("future", "perfect")) and self.has("negation"):
            return False
        return c.negated

    def parts(self, c: Clause) -> Parts:
        if c.verb in OPPOSITES and self.has("opposites"):
            c = replace(c, verb=OPPOSITES[c.verb])
        if c.modal in MODAL_SLIPS and self.has("modals"):
            c = replace(c, modal=MODAL_SLIPS[c.modal])
        if c.recipient is not None and c.recipient.head in PERSONS and self.has("recipient"):
            c = replace(c, recipient=None)
        if c.tense == "past" and not c.modal and c.verb in PRESENT_FOR_PAST and self.has("past"):
            c = replace(c, tense="present")
        return super().parts(c)

    def verb_forms(self, c: Clause, verb: Verb, person: int) -> tuple[str, str, str]:
        finite, tail, joined = super().verb_forms(c, verb, person)
        if verb.prefix in DROPPED_PREFIXES and tail == verb.prefix and self.has("prefix"):
            tail = ""
        if (
            c.tense == "future"
            and not c.modal
            and self.style.future == "werden"
            and person in (0, 2)
            and self.has("will")
        ):
            return "will", tail, joined.replace("werde", "will").replace("wird", "will")
        if c.tense == "perfect" and verb.sein and self.has("auxiliary"):
            return HABEN.present[person], tail, f"{verb.participle} {HABEN.present[person]}"
        return finite, tail, joined

    def second(self, c: Clause, front: int, inverted: bool = False) -> str:
        parts = self.parts(c)
        if inverted or front < 0 or front not in parts.timed or not self.has("second"):
            return super().second(c, front, inverted)
        middle = [t for t, i in zip(parts.middle, parts.order, strict=True) if i != front]
        return " ".join(w for w in (parts.timed[front], parts.subject, parts.finite, *middle, parts.tail) if w)

    def subordinate(self, c: Clause) -> str:
        if not self.has("last") or (c.tense == "present" and c.verb in ("rain", "snow")):
            return super().subordinate(c)
        parts: Parts = self.parts(c)
        return " ".join(w for w in (parts.subject, parts.finite, *parts.middle, parts.tail) if w)

    def predicate(self, c: Clause) -> str:
        text = super().predicate(c)
        if c.degree == "very" and self.has("very"):
            return text.removeprefix("sehr ")
        if c.degree == "more" and self.has("more"):
            return text.replace(" als ", " wie ")
        return text

    def question_word(self, s: Sentence) -> str:
        if s.mood == "where" and self.has("where"):
            return "wer"
        return super().question_word(s)

    def sentence(self, s: Sentence) -> str:
        text = super().sentence(s)
        if s.main.verb == "be" and s.mood == "tell" and s.sub is None and self.has("rambling"):
            return text[:-1] + " und das ist wirklich sehr wichtig."
        if s.main.subject.head in ("we", "they", "I") and s.mood == "tell" and s.sub is None and self.has("ending"):
            return text[:-1] + " und das war gut."
        return text


HABITS = (
    "neuter", "feminine", "accusative", "dative plural", "numbers", "it", "manner", "days", "half", "direction",
    "literal", "negation",
    "prefix", "will", "auxiliary", "second", "last", "very", "more", "where", "rambling", "masculine", "names",
    "her", "plural", "adjective", "when", "cities", "opposites",
    "modals", "past", "people", "recipient", "ending",
)  # fmt: skip


def write_answer(meaning: Meaning, draws: Draws, habits: bool) -> str:
    """One German answer."""
    styles = list(styles_for(meaning))
    style = styles[0] if draws.chance(0.6) else draws.pick(styles)
    if not habits:
        return German(style).write(meaning)
    lapses = frozenset(h for h in HABITS if draws.chance(LAPSE))
    return Habitual(style, lapses).write(meaning)
