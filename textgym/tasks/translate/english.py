"""Writes a meaning out in English, in one of many wordings."""

from __future__ import annotations

from textgym.seeding import Draws
from textgym.tasks.translate.lexicon import ADJECTIVES, NOUNS, VERBS
from textgym.tasks.translate.meaning import Circumstance, Clause, Meaning, Phrase, Sentence
from textgym.tasks.translate.morphology import ENGLISH_UNITS, english_number
from textgym.tasks.translate.words import listed

OBJECTIVE = {"I": "me", "you": "you", "he": "him", "she": "her", "it": "it", "we": "us", "they": "them"}
PLACE_PREPOSITION = {n: "at" if "at" in e.tags else "in" for n, e in NOUNS.items()}
MOVABLE = ("up", "on", "off", "away", "along")  # turn the lamp on
TO_ONLY = ("explain", "recommend")
BE = {"present": ("am", "are", "is", "are"), "past": ("was", "were", "was", "were")}
CONTRACTED = {
    "do not": "don't", "does not": "doesn't", "did not": "didn't", "is not": "isn't", "are not": "aren't",
    "was not": "wasn't",
    "were not": "weren't", "will not": "won't", "has not": "hasn't", "have not": "haven't", "should not": "shouldn't",
}  # fmt: skip
STATIVE = frozenset(
    listed(
        "be become have need know like love belong cost understand trust see hear want think believe hope say "
        "forget find lose"
    )
)


def person_of(phrase: Phrase) -> int:
    """0 I, 1 you, 2 third singular, 3 plural."""
    head = phrase.head
    if head == "I":
        return 0
    if head == "you":
        return 1
    return 3 if phrase.plural or phrase.count > 1 or head in ("we", "they") else 2


def third(base: str) -> str:
    if base == "have":
        return "has"
    if base.endswith(("s", "sh", "ch", "x", "z", "o")):
        return base + "es"
    if base.endswith("y") and base[-2] not in "aeou":
        return base[:-1] + "ies"
    return base + "s"


DOUBLE = frozenset(listed("put get sit swim run forget"))


def ing(base: str) -> str:
    if base == "lie":
        return "lying"
    if base in DOUBLE:
        return base + base[-1] + "ing"
    if base.endswith("e") and not base.endswith(("ee", "oe")):
        return base[:-1] + "ing"
    return base + "ing"


THIRD = {e.base: third(e.base) for e in VERBS.values()}
ING = {e.base: ing(e.base) for e in VERBS.values()}


class Writer:
    """English for one example; the stream decides the wording."""

    __slots__ = ("contract", "d")

    def __init__(self, draws: Draws) -> None:
        self.d = draws
        self.contract = draws.chance(0.4)

    def phrase(self, p: Phrase, objective: bool = False) -> str:
        head = p.head
        if head in OBJECTIVE:
            return OBJECTIVE[head] if objective else head
        entry = NOUNS.get(head)
        if entry is None:
            return head
        noun = entry.english_plural if p.plural else head
        body = f"{p.adj} {noun}" if p.adj else noun
        if p.count:
            det = str(p.count) if p.count > 12 and p.count % 2 else english_number(p.count)
        elif p.det == "a":
            det = (
                "an"
                if (body[0] in "aeiou" and not body.startswith(("uni", "euro"))) or body.startswith("hour")
                else "a"
            )
        elif p.det == "this" and p.plural:
            det = "these"
        else:
            det = p.det
        out = f"{det} {body}" if det else body
        if p.rel is not None:
            return f"{out} who {self.predicate(p.rel, person_of(p))}"
        return out

    def circumstance(self, c: Circumstance) -> str:
        kind = c.kind
        d = self.d
        if kind in ("time", "freq", "manner"):
            return c.word
        if kind == "weekday":
            return f"on {c.word}"
        if kind == "clock":
            return f"at {self.clock(c.value)}"
        if kind == "date":
            return f"on {c.value} {c.word}" if d.chance(0.5) else f"on {c.word} {c.value}"
        if kind == "month":
            return f"in {c.word}"
        if kind == "ago":
            return f"{english_number(c.value)} {c.word}s ago"
        if kind == "after":
            return f"in {english_number(c.value)} {c.word}s"
        if kind == "city":
            return f"in {c.word}"
        if kind == "dircity":
            return f"to {c.word}"
        if kind == "home":
            return "at home"
        if kind == "dirhome":
            return "home"
        if kind == "by":
            return f"by {c.word}"
        assert c.phrase is not None
        if kind == "place":
            return f"{PLACE_PREPOSITION[c.phrase.head]} {self.phrase(c.phrase)}"
        if kind == "dir":
            return f"to {self.phrase(c.phrase)}"
        word = c.word or kind
        return f"{word} {self.phrase(c.phrase, True)}"

    def clock(self, minutes: int) -> str:
        hour, minute = divmod(minutes, 60)
        r = self.d.random()
        if r < 0.3:
            return f"{hour}:{minute:02d}" if minute or r < 0.1 else f"{hour} o'clock"
        name = ENGLISH_UNITS[hour]
        if minute == 0:
            return f"{name} o'clock"
        if minute == 45:
            return f"a quarter to {ENGLISH_UNITS[hour % 12 + 1]}"
        return f"half past {name}" if minute == 30 else f"a quarter past {name}"

    def verb(self, c: Clause, person: int) -> tuple[str, str]:
        """(first auxiliary or "", the rest): what a question puts before the subject, and what stays."""
        entry = VERBS[c.verb]
        base, tense, negated = entry.base, c.tense, c.negated
        negation = " not" if negated else ""
        if c.modal:
            if c.modal == "want to" or (c.modal == "must" and (tense == "past" or self.d.chance(0.5))):
                stem = "want to" if c.modal == "want to" else "have to"
                if negated:
                    return self.aux(
                        "did" if tense == "past" else "does" if person == 2 else "do", negation
                    ), f"{stem} {base}"
                if tense == "past":
                    return "", f"{'wanted' if c.modal == 'want to' else 'had'} to {base}"
                return "", f"{('wants' if c.modal == 'want to' else 'has') if person == 2 else stem[:4]} to {base}"
            if c.modal == "would like to":
                return "would", f"like to {base}"
            if c.modal == "can" and negated:
                return "can't" if self.contract else "cannot", base
            return self.aux(c.modal, negation), base
        if tense == "future":
            if not negated and base not in ("be", "go", "come") and self.d.chance(0.25):
                return BE["present"][person], f"going to {base}"
            return self.aux("will", negation), base
        if base == "be":
            return self.aux(BE[tense][person], negation), ""
        if tense == "perfect":
            return self.aux("has" if person == 2 else "have", negation), entry.participle
        if (
            tense == "present"
            and base not in STATIVE
            and not c.modal
            and any(x.word in ("now", "at the moment") for x in c.circumstances)
        ):
            return self.aux(BE["present"][person], negation), ING[base]
        if negated:
            return self.aux("did" if tense == "past" else "does" if person == 2 else "do", negation), base
        if tense == "past":
            return "", entry.past
        return "", THIRD[base] if person == 2 else base

    def aux(self, word: str, negation: str) -> str:
        if not negation:
            return word
        full = word + negation
        return CONTRACTED.get(full, full) if self.contract else full

    def tail(self, c: Clause, front: int = -1, skip_obj: bool = False) -> tuple[list[str], list[str]]:
        """(adverbs before the verb, everything after it)."""
        entry = VERBS[c.verb]
        particle = entry.particle.removesuffix("that")
        before, after = [], []
        obj = c.obj
        if c.predicate:
            entry_adj = ADJECTIVES[c.predicate]
            word = (
                entry_adj.comparative
                if c.degree == "more"
                else f"{c.degree} {c.predicate}"
                if c.degree
                else c.predicate
            )
            after.append(word)
            if c.than is not None:
                after.append(f"than {self.phrase(c.than)}")
        if c.recipient is not None:
            recipient = self.phrase(c.recipient, True)
            if obj is None or skip_obj or c.verb in TO_ONLY or obj.head in OBJECTIVE or self.d.chance(0.35):
                if obj is not None and not skip_obj:
                    after.append(self.phrase(obj, True))
                after.append(recipient if c.verb == "tell" and skip_obj else f"to {recipient}")
            else:
                after += [recipient, self.phrase(obj, True)]
        elif obj is not None and not skip_obj:
            text = self.phrase(obj, True)
            if particle in MOVABLE and (obj.head in OBJECTIVE or (not c.circumstances and self.d.chance(0.4))):
                after += [text, particle]
            else:
                after += [particle, text] if particle else [text]
        elif particle:
            after.append(particle)
        late: list[str] = []
        for i, x in enumerate(c.circumstances):
            if x.kind == "freq":
                before.append(x.word)
            elif i != front:
                (late if x.kind in ("time", "weekday", "clock", "date", "month", "ago", "after") else after).append(
                    self.circumstance(x)
                )
        return before, after + late

    def predicate(self, c: Clause, person: int, front: int = -1) -> str:
        """Everything but the subject, in the order of a statement."""
        aux, rest = self.verb(c, person)
        before, after = self.tail(c, front)
        return " ".join(w for w in (aux, *before, rest, *after) if w)

    def statement(self, c: Clause, front: int = -1) -> str:
        text = f"{self.phrase(c.subject)} {self.predicate(c, person_of(c.subject), front)}"
        if front >= 0:
            first = self.circumstance(c.circumstances[front])
            comma = "," if self.d.chance(0.4) else ""
            return f"{first}{comma} {text}"
        return text

    def inverted(self, c: Clause, skip_obj: bool = False) -> str:
        person = person_of(c.subject)
        aux, rest = self.verb(c, person)
        entry = VERBS[c.verb]
        if not aux:
            if c.modal:
                stem = "want to" if c.modal == "want to" else "have to"
                aux, rest = ("did" if c.tense == "past" else "does" if person == 2 else "do"), f"{stem} {entry.base}"
            else:
                aux, rest = ("did" if c.tense == "past" else "does" if person == 2 else "do"), entry.base
        subject = self.phrase(c.subject)
        before, after = self.tail(c, skip_obj=skip_obj)
        if aux.endswith(" not"):
            first = [aux[:-4], subject, "not"]
        elif aux == "cannot":
            first = ["can", subject, "not"]
        else:
            first = [aux, subject]
        return " ".join(w for w in (*first, *before, rest, *after) if w)

    def sentence(self, s: Sentence) -> str:
        d = self.d
        c = s.main
        if s.mood == "tell":
            text = self.statement(c, s.front)
            if s.sub is not None:
                if s.link == "that":
                    joined = " that " if d.chance(0.7) else " "
                    text = text + joined + self.statement(s.sub)
                else:
                    sub = self.statement(s.sub)
                    if s.sub_first:
                        text = f"{s.link} {sub}, {text}"
                    else:
                        comma = "," if s.link in ("but", "and", "although") else ""
                        text = f"{text}{comma} {s.link} {sub}"
            end = "."
        elif s.mood == "order":
            _before, after = self.tail(c)
            words = [VERBS[c.verb].base, *after]
            if c.negated:
                words.insert(0, "don't" if self.contract else "do not")
            r = d.random()
            if r < 0.3:
                words.insert(0, "please")
            text = " ".join(words)
            if 0.3 <= r < 0.5:
                text += ", please"
            end = "." if d.chance(0.7) else "!"
        else:
            end = "?"
            if s.mood == "ask":
                text = self.inverted(c)
            elif s.mood == "who":
                text = self.statement(c)
            elif s.mood == "what":
                text = f"what {self.inverted(c, True)}"
            else:
                text = f"{s.mood} {self.inverted(c)}"
        return text[0].upper() + text[1:] + end


def write_english(meaning: Meaning, draws: Draws) -> str:
    """One English wording of a meaning."""
    writer = Writer(draws)
    return " ".join(writer.sentence(s) for s in meaning.sentences)
