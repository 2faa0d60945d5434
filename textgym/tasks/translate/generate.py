"""Draws meanings: who does what, when, where and why, within what makes sense.

Everything is compositional: a subject, a verb that fits it, objects that fit the verb, circumstances that fit the
tense. The splits are kept apart by the key (subject head, main verb) of the first clause, which every prompt reveals.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from zlib import crc32

from textgym.seeding import Draws
from textgym.tasks.translate import lexicon as lx
from textgym.tasks.translate.meaning import Circumstance, Clause, Meaning, Phrase, Sentence
from textgym.tasks.translate.pools import (
    ADJ_FOR,
    ANIMAL_VERBS,
    ANIMALS,
    BAD,
    BESIDE,
    CHANGING,
    CHEERFUL,
    CITIES,
    CLAUSAL,
    COLOURS,
    COUNTED,
    DAILY,
    DRAWBACKS,
    DURING,
    FAR_VEHICLES,
    FEASTING,
    FEELINGS,
    FOR_SOMEBODY,
    FREQUENCIES,
    FURNITURE,
    GOOD,
    HER,
    HIM,
    HOW,
    KIN,
    MAKING,
    MANNER_OK,
    MENDED,
    MONTHS,
    NAMES,
    NEARER,
    NO_FUTURE,
    NO_NEGATION,
    NOUN_KIND,
    OBJECTS,
    OCCASIONS,
    ON_FOOT,
    ORDERS,
    OUTDOORS,
    OWN,
    PEOPLE,
    PERSON_STATES,
    PERSON_VERBS,
    PLACES,
    PLANS,
    POOLS,
    PRICED,
    RESTING,
    SOMEWHERE,
    STATE_FOR,
    STILL,
    THING_VERBS,
    TIMED,
    TIMES,
    TITLED,
    TOGETHER,
    TOO_MUCH,
    UNCOMPARED,
    UNITS,
    UNPLANNED,
    UNWANTED,
    VEHICLES,
    WANTED,
    WEATHER,
    WEATHERED,
    WEEKDAYS,
    WHERE,
)
from textgym.types import SPLITS


def split_of(subject: str, verb: str) -> int:
    """Which split a prompt belongs to: 0 train, 1 validation, 2 test."""
    residue = crc32(f"{subject}|{verb}".encode()) % 20
    return 0 if residue < 16 else 1 if residue < 18 else 2


@cache
def orders_of(split: int) -> tuple[str, ...]:
    """What one may be told to do in a split."""
    return tuple(v for v in ORDERS if split_of("you", v) == split)


def key_of(meaning: Meaning) -> tuple[str, str]:
    """What decides the split."""
    first = meaning.sentences[0].main
    return first.subject.head, f"be {first.predicate}" if first.verb == "be" else first.verb


class Builder:
    """Draws one meaning from a stream."""

    __slots__ = ("d", "simple", "split")

    def __init__(self, draws: Draws, split: int, simple: bool) -> None:
        self.d = draws
        self.split = split
        self.simple = simple

    # --- phrases ---

    def person(self, pronouns: float = 0.25) -> Phrase:
        d = self.d
        r = d.random()
        if r < pronouns:
            head = d.pick(("I", "I", "I", "you", "he", "she", "he", "she", "we", "we", "they"))
            return Phrase(head)
        if r < pronouns + 0.3:
            if d.chance(0.2):
                return Phrase(d.pick(TITLED))
            return Phrase(d.pick(NAMES))
        head = d.pick(PEOPLE)
        det, plural, adj = "the", False, ""
        r = d.random()
        if head in KIN:
            det = "my" if r < 0.6 else "our" if r < 0.75 else f"{d.pick(NAMES)}'s"
            plural = head == "parents" or (r < 0.08 and head not in ("mother", "father", "boss"))
        else:
            if r < 0.1:
                det = "this"
            elif r < 0.3:
                plural = True
            elif r < 0.4:
                det = "a"
            if d.chance(0.2) and not self.simple:
                adj = d.pick(ADJ_FOR[head])
        return Phrase(head, det, adj, plural)

    def animal(self) -> Phrase:
        d = self.d
        r = d.random()
        head = d.pick(ANIMALS)
        det = "the" if r < 0.5 else "my" if r < 0.7 else f"{d.pick(NAMES)}'s" if r < 0.8 else "a"
        return Phrase(head, det, d.pick(ADJ_FOR[head]) if d.chance(0.3) else "", d.chance(0.12) and det != "a")

    def noun(self, head: str, owner: str = "", definite: float = 0.35, count: bool = True) -> Phrase:
        """A noun phrase about a thing (or person) of the lexicon; `owner` is the subject's possessive or ""."""
        d = self.d
        entry = lx.NOUNS[head]
        adj = ""
        if d.chance(0.15 if self.simple else 0.33) and ADJ_FOR[head]:
            adj = d.pick(ADJ_FOR[head])
        if "mass" in entry.tags:
            return Phrase(head, "the" if d.chance(definite) else "", adj)
        if head == "parents":
            return Phrase(head, owner or "my", "", True)
        r = d.random()
        if head == "shoe" and r >= 0.62:  # nobody puts on a shoe
            return Phrase(head, "the", adj, True)
        if head in KIN:
            return Phrase(head, owner if owner and r < 0.6 else "my" if r < 0.8 else f"{d.pick(NAMES)}'s")
        if r < definite:
            return Phrase(head, "the", adj, d.chance(0.2) or head == "shoe")
        if r < definite + 0.2 and owner and (entry.tags & {"own", "idea", "anim", "opens"}):
            return Phrase(head, owner, adj, d.chance(0.1) or head == "shoe")
        if r < definite + 0.27:
            return Phrase(head, "this", adj, d.chance(0.15) or head == "shoe")
        if r < definite + 0.32 and "own" in entry.tags:
            return Phrase(head, f"{d.pick(NAMES)}'s", adj, head == "shoe")
        if r < definite + 0.42 and count and not self.simple and not (entry.tags & {"place", "event"}):
            n = d.integer(2, 12) if d.chance(0.45) else d.integer(21, 99)
            return Phrase(head, "", adj, True, n)
        return Phrase(head, "a", adj)

    def obj(self, verb: str, owner: str, subject: str) -> Phrase | None:
        options = OBJECTS[verb]
        if not options:
            return None
        d = self.d
        entry = lx.VERBS[verb]
        if "pers" in entry.objects and (len(entry.objects) == 1 or d.chance(0.4) or subject in ANIMALS):
            phrase = self.person(0.2)
            while (
                phrase.head == subject
                or (phrase.head in ("I", "we") and subject in ("I", "we"))
                or phrase.head in ("he", "they")
            ):
                phrase = self.person(0.15)
            if phrase.head in lx.NOUNS and phrase.det == "my" and owner and d.chance(0.5):
                phrase = Phrase(phrase.head, owner, phrase.adj, phrase.plural)
            return phrase
        head = d.pick(options)
        while "pers" in lx.NOUNS[head].tags:
            head = d.pick(options)
        if verb == "talk about" and d.chance(0.1):
            return Phrase(d.pick(("weather", "price")), "the")
        if lx.NOUNS[head].tags & {"event", "place", "fix"} and d.chance(0.5):
            return Phrase(head, "the", d.pick(ADJ_FOR[head]) if d.chance(0.2) and ADJ_FOR[head] else "")
        return self.noun(head, owner, 0.3, verb in COUNTED)

    def owner_of(self, subject: Phrase) -> str:
        head = subject.head
        if head in OWN:
            return OWN[head]
        if subject.plural:
            return "their"
        if head in HIM or (head in lx.NOUNS and "male" in lx.NOUNS[head].tags):
            return "his"
        if head in HER or (head in lx.NOUNS and "female" in lx.NOUNS[head].tags):
            return "her"
        return ""

    def pronoun_for(self, subject: Phrase) -> Phrase | None:
        owner = self.owner_of(subject)
        if not owner:
            return None
        head = {v: k for k, v in OWN.items()}[owner]
        return Phrase(head, of="" if subject.head == head else subject.head)

    def again(self, subject: Phrase) -> Phrase:
        """Who or what was named already: a pronoun, or the noun where German would say *es* of a person.

        Who can be a man or a woman is one here: what the first of the German words is.
        """
        head = subject.head
        if head in lx.NOUNS and "pers" not in lx.NOUNS[head].tags:
            return Phrase("they" if subject.plural else "it", of=head)
        found = self.pronoun_for(subject)
        if found is not None:
            return found
        gender = lx.NOUNS[head].options[0].gender
        if gender == "n":
            return Phrase(head, "the" if subject.det in ("a", "this") else subject.det, "", subject.plural)
        return Phrase("she" if gender == "f" else "he", of=head)

    # --- circumstances ---

    def time(self, tense: str, verb: str = "") -> Circumstance:
        d = self.d
        letter = "p" if tense in ("past", "perfect") else "f" if tense == "future" else "n"
        r = d.random()
        if r < 0.5:
            word = d.pick(TIMES[letter])
            return Circumstance("time", NEARER.get(word, word) if verb in DAILY else word)
        if r < 0.62:
            return Circumstance("weekday", d.pick(WEEKDAYS))
        if r < 0.78:
            hour = d.integer(1, 12)
            return Circumstance("clock", value=hour * 60 + d.pick((0, 0, 0, 15, 30, 30, 45)))
        if r < 0.86:
            return Circumstance("date", d.pick(MONTHS), d.integer(1, 28))
        if r < 0.9 or letter == "n":
            month = d.pick(MONTHS)
            if verb in DAILY:
                return Circumstance("weekday", WEEKDAYS[MONTHS.index(month) % 7])
            return Circumstance("month", month)
        return Circumstance("ago" if letter == "p" else "after", d.pick(UNITS), d.integer(2, 12))

    def place(self, direction: bool = False, city: bool = True, heads: tuple[str, ...] = PLACES) -> Circumstance:
        d = self.d
        r = d.random() if city else 0.25 + 0.75 * d.random()
        kind = "dir" if direction else ""
        if r < 0.25:
            return Circumstance(f"{kind}city", d.pick(CITIES))
        if r < 0.33:
            return Circumstance(f"{kind}home")
        head = d.pick(heads)
        adj = d.pick(ADJ_FOR[head]) if d.chance(0.15) and not self.simple else ""
        det = "the" if d.chance(0.75) or head == "room" else "a"
        return Circumstance(kind or "place", phrase=Phrase(head, det, adj))

    def circumstances(
        self, verb: str, subject: Phrase, tense: str, most: int, animal: bool, timed: bool = True
    ) -> list[Circumstance]:
        d = self.d
        entry = lx.VERBS[verb]
        heads = OUTDOORS if animal else WHERE.get(verb, PLACES)
        out: list[Circumstance] = []
        if "dir" in entry.objects:
            out.append(self.place(True, verb not in ON_FOOT, heads))
            if d.chance(0.15) and verb in ("go", "travel", "come"):
                out.append(Circumstance("by", d.pick(FAR_VEHICLES if out[0].kind == "dircity" else VEHICLES)))
        elif "on" in entry.objects or verb == "put":
            kind = "onto" if verb == "put" else "on"
            word = d.pick(("on", "on", "on", "under", "next to", "behind", "in front of"))
            head = d.pick(FURNITURE)
            if verb == "stand":
                word, head = self.footing(subject, word, head)
            out.append(Circumstance(kind, word, phrase=Phrase(head, "the" if d.chance(0.85) else "a")))
        elif "loc" in entry.objects and (verb in ("live", "stay", "sit") or d.chance(0.5)):
            out.append(self.place(False, not animal and verb != "sit", heads))
        if len(out) >= most:
            return out
        bare = not out and not OBJECTS[verb] and timed  # Emma arrives: when?
        if timed and (bare or d.chance(0.5)) and verb not in STILL and tense != "perfect":
            out.append(self.time(tense, verb))
        elif bare and tense == "perfect":
            out.append(
                self.place(False, not animal, heads)
                if "loc" in entry.objects
                else Circumstance("manner", d.pick(HOW[verb]))
            )
        if len(out) >= most or animal:
            return out
        r = d.random()
        if verb in STILL:
            return out
        if r < 0.12 and tense in ("present", "past"):
            if tense == "present" or out[-1:] == [] or out[-1].kind not in ("time", "clock", "date", "weekday", "ago"):
                out = [c for c in out if c.kind not in ("time", "clock", "date", "weekday", "month", "ago")]
                out.append(Circumstance("freq", d.pick(FREQUENCIES)))
        elif r < 0.22 and verb in MANNER_OK:
            out.append(Circumstance("manner", d.pick(HOW[verb])))
        elif r < 0.34 and verb in TOGETHER:
            out.append(Circumstance("with", phrase=self.other_person(subject)))
        elif r < 0.42 and verb in FOR_SOMEBODY:
            out.append(Circumstance("for", phrase=self.other_person(subject)))
        elif r < 0.55 and OBJECTS[verb] and not out and verb in SOMEWHERE:
            place = self.place(heads=heads)
            if place.kind != "home" or verb not in ("visit", "meet", "buy", "sell", "see", "look for"):
                out.append(place)
        return out

    @staticmethod
    def footing(subject: Phrase, word: str, head: str) -> tuple[str, str]:
        """Where somebody or something can stand: on a carpet, next to a bed; a cup on a table."""
        if subject.head in ("bottle", "glass", "cup", "basket"):
            return ("on", "table") if word == "under" or head in ("bed", "sofa", "carpet") else (word, head)
        if word == "on":
            return "on", "carpet"
        word = "next to" if word == "under" else word
        return word, "cupboard" if head in ("carpet", subject.head) else head

    def other_person(self, subject: Phrase) -> Phrase:
        phrase = self.person(0.1)
        while phrase.head == subject.head or phrase.head in ("I", "we", "you", "he", "she", "they"):
            phrase = self.person(0.0)
        return phrase

    # --- clauses ---

    def tense(self, verb: str) -> str:
        r = self.d.random()
        if verb in NO_FUTURE:
            return "present" if r < 0.6 else "past"
        return (
            "present" if r < 0.4 else "past" if r < 0.72 else "perfect" if r < 0.82 and verb not in STILL else "future"
        )

    def action(
        self, subject: Phrase, verb: str, most: int = 2, tense: str = "", modal: bool = True, timed: bool = True
    ) -> Clause:
        """A clause with the given subject and verb."""
        d = self.d
        entry = lx.VERBS[verb]
        tense = tense or self.tense(verb)
        owner = self.owner_of(subject)
        animal = subject.head in ANIMALS
        chosen = ""
        if (
            modal
            and not animal
            and verb not in STILL
            and verb not in UNPLANNED
            and tense in ("present", "past")
            and d.chance(0.22)
        ):
            chosen = d.pick(
                ("can", "must", "want to", "may", "should", "would like to")
                if tense == "present"
                else ("must", "want to")
            )
        negated = verb not in NO_NEGATION and chosen not in ("must",) and d.chance(0.14)
        if chosen == "would like to":
            negated = False
        rare = negated or chosen in ("would like to", "may")  # not: would usually like to
        obj = self.obj(verb, owner, subject.head)
        recipient = None
        if entry.recipients:
            recipient = Phrase("she") if owner != "her" and d.chance(0.08) else self.person(0.25)
            while (
                recipient.head == subject.head
                or recipient.head in ("he", "they")
                or (recipient.head == "she" and owner == "her")
                or {recipient.head, subject.head} <= {"I", "we"}
            ):
                recipient = self.person(0.1)
        found = self.circumstances(
            verb, subject, "future" if chosen and tense == "present" and d.chance(0.4) else tense, most, animal, timed
        )
        if rare:
            found = [c for c in found if c.kind != "freq"]
        if negated:
            found = [c for c in found if c.kind != "manner"]
            if obj is not None and obj.count:
                obj = Phrase(obj.head, "the", obj.adj, True)
        if obj is not None and obj.head in PLACES:
            found = [c for c in found if c.kind != "place"]
        if tense == "perfect":
            found = [c for c in found if c.kind not in ("time", "weekday", "clock", "date", "ago", "month", "freq")]
        return Clause(subject, verb, tense, chosen, negated, obj, recipient, circumstances=tuple(found))

    def state(self, subject: Phrase, tense: str = "") -> Clause:
        """Somebody or something is somehow."""
        d = self.d
        head = subject.head
        if head in NOUN_KIND and "pers" not in lx.NOUNS[head].tags:
            adjective = d.pick(STATE_FOR[head])
        elif head in ("it", "they") and subject.of in NOUN_KIND and "pers" not in lx.NOUNS[subject.of].tags:
            adjective = d.pick(STATE_FOR[subject.of])
        else:
            adjective = d.pick(PERSON_STATES)
        r = d.random()
        degree = "very" if r < 0.25 else "too" if r < 0.35 and adjective in TOO_MUCH else ""
        if adjective == "broken" or adjective in COLOURS:
            degree = ""
        return Clause(
            subject,
            "be",
            tense or ("present" if d.chance(0.7) else "past"),
            "",
            d.chance(0.15) and not degree,
            predicate=adjective,
            degree=degree,
        )

    def compared(self) -> Clause:
        d = self.d
        if d.chance(0.5):
            first, second = self.person(0.2), self.other_person(Phrase("I"))
            while first.head == second.head:
                second = self.other_person(Phrase("I"))
            adjective = d.pick(("old", "young", "tall", "rich", "strong", "clever", "friendly", "tired", "lazy"))
        else:
            tag = d.pick(("own", "place", "idea", "veh", "cloth"))
            pool = POOLS[tag]
            a = d.pick(pool)
            b = d.pick(pool)
            while b == a:
                b = d.pick(pool)
            det = d.pick(("the", "this", "my"))
            if det == "my" and not lx.NOUNS[a].tags & {"own", "cloth"}:
                det = "the"
            first, second = Phrase(a, det), Phrase(b, "the")
            both = [x for x in STATE_FOR[a] if x in STATE_FOR[b] and x not in UNCOMPARED] or ["nice"]
            adjective = d.pick(both)
        return Clause(first, "be", "present", predicate=adjective, degree="more", than=second)

    def someone(self) -> tuple[Phrase, bool]:
        if self.d.chance(0.08):
            return self.animal(), True
        return self.person(), False

    def main(self, most: int = 2, tense: str = "", modal: bool = True) -> Clause:
        """A clause for the chosen split: the subject freely, then a verb that gives the right residue."""
        d = self.d
        r = d.random()
        while True:
            if r < 0.09:
                head = d.pick(POOLS["own"] + POOLS["place"] + POOLS["idea"] + POOLS["event"] + POOLS["text"])
                subject = Phrase(
                    head,
                    d.pick(("the", "the", "this", "my")) if "own" in lx.NOUNS[head].tags else d.pick(("the", "this")),
                    "",
                    d.chance(0.12),
                )
                clause = self.state(subject, tense if tense in ("present", "past") else "")
                if split_of(head, f"be {clause.predicate}") == self.split:
                    return clause
                continue
            if r < 0.13 and not self.simple:
                clause = self.compared()
                if split_of(clause.subject.head, f"be {clause.predicate}") == self.split:
                    return clause
                continue
            if r < 0.16:
                clause = self.thing()
                if split_of(clause.subject.head, clause.verb) == self.split:
                    return clause
                continue
            subject, animal = self.someone()
            if r < 0.22:
                clause = self.state(
                    subject if not animal else self.person(), tense if tense in ("present", "past") else ""
                )
                if split_of(clause.subject.head, f"be {clause.predicate}") == self.split:
                    return clause
                continue
            verbs = ANIMAL_VERBS if animal else PERSON_VERBS
            for _ in range(60):
                verb = d.pick(verbs)
                if split_of(subject.head, verb) == self.split:
                    return self.action(subject, verb, most, tense, modal)

    def thing(self) -> Clause:
        """The key lies on the table; the bike belongs to Anna; the coat costs 45 euros."""
        d = self.d
        verb = d.pick(("cost", "belong to", "lie", "stand"))
        if verb == "cost":
            head = d.pick(PRICED)
            mass = "mass" in lx.NOUNS[head].tags
            subject = Phrase(head, "the" if mass or d.chance(0.6) else "this", "", False)
            return Clause(
                subject,
                verb,
                "present" if d.chance(0.8) else "past",
                obj=Phrase("euro", "", "", True, d.integer(2, 19 if NOUN_KIND[head] == "f" else 99)),
            )
        head = d.pick(THING_VERBS[verb])
        subject = Phrase(
            head,
            "the" if d.chance(0.7) else "this",
            d.pick(ADJ_FOR[head]) if d.chance(0.25) and ADJ_FOR[head] else "",
            d.chance(0.1),
        )
        clause = self.action(subject, verb, 1, "present" if d.chance(0.7) else "past", False, False)
        return Clause(
            clause.subject, verb, clause.tense, "", clause.negated, clause.obj, None, circumstances=clause.circumstances
        )

    # --- sentences ---

    def because(self, main: Clause, link: str) -> Clause:
        """What goes with a clause behind because, although, if or when: a state, the weather, or a plan."""
        d = self.d
        tense = "past" if main.tense in ("past", "perfect") else "present"
        r = d.random()
        if r < 0.12 and (link != "because" or main.verb in WEATHERED or main.predicate == "sad"):
            return Clause(Phrase("it"), d.pick(WEATHER), tense)
        subject = self.again(main.subject)
        if subject.of in ANIMALS:
            state = d.pick([x for x in FEELINGS if x in STATE_FOR[subject.of]])
            return Clause(subject, "be", tense, predicate=state, degree="very" if r < 0.3 else "")
        if (r < 0.35 or main.verb in STILL) and link in ("because", "although") and self.has_reason(main):
            return self.reason(main, link, tense)
        moods = self.moods(main, link)
        felt = (r < 0.5 - 0.2 * (moods is CHEERFUL) or main.verb in UNPLANNED) and main.verb != "be"
        if subject.head == main.subject.head and subject.head in lx.NOUNS:  # not: the child .. because the child
            subject, felt = self.person(0.1), main.verb != "be"
        if felt:
            if link in ("when", "if") and d.chance(0.15):
                subject = self.person(0.1)
            negation, _, state = d.pick(moods).rpartition(" ")
            degree = "very" if not negation and d.chance(0.2) else ""
            return Clause(subject, "be", tense, "", bool(negation), predicate=state, degree=degree)
        if link in ("because", "although"):
            return self.plan(subject, tense, "must" if main.verb == "be" or d.chance(0.5) else "want to", main)
        verb = d.pick(OCCASIONS)
        while verb == main.verb:
            verb = d.pick(OCCASIONS)
        clause = self.action(subject, verb, 1, tense, False)
        found = tuple(c for c in clause.circumstances if c.kind not in TIMED and c.kind != "freq")
        return replace(clause, negated=False, circumstances=found)

    @staticmethod
    def moods(main: Clause, link: str) -> tuple[str, ...]:
        """How somebody feels who does, or does not do, what the main clause says."""
        if link == "because":
            if main.negated or main.verb in RESTING:
                return ("tired", "sick", "sad")
            food = main.obj is not None and NOUN_KIND.get(main.obj.head) == "f"
            return ("hungry",) if food and main.verb in FEASTING else CHEERFUL
        if link == "although":
            return CHEERFUL if main.negated else ("tired", "sick", "sad", "hungry")
        return FEELINGS

    def plan(self, subject: Phrase, tense: str, modal: str, main: Clause) -> Clause:
        """What somebody has to do or wants to do; when, unless the main clause says when."""
        d = self.d
        verb = d.pick(PLANS)
        while verb == main.verb:
            verb = d.pick(PLANS)
        clause = self.action(subject, verb, 1, tense, False)
        timed = any(c.kind in TIMED for c in main.circumstances)
        found = tuple(c for c in clause.circumstances if c.kind != "freq" and not (timed and c.kind in TIMED))
        return replace(clause, modal=modal, negated=clause.negated and modal == "want to", circumstances=found)

    @staticmethod
    def has_reason(main: Clause) -> bool:
        """Whether what the object is like can be why."""
        obj = main.obj
        if obj is None or obj.head not in lx.NOUNS or obj.plural or "pers" in lx.NOUNS[obj.head].tags:
            return False
        if main.negated and obj.det in ("a", ""):
            return False
        mended = MENDED.get(main.verb, "")
        if mended:
            return mended in STATE_FOR[obj.head] and obj.adj not in BESIDE[mended]
        return main.verb in WANTED or main.verb in UNWANTED

    def reason(self, main: Clause, link: str, tense: str) -> Clause:
        """The object is so: why it is bought, or why it is not said to be."""
        assert main.obj is not None
        head = main.obj.head
        options = [x for x in STATE_FOR[head] if main.obj.adj not in BESIDE[x]]
        if main.verb in MENDED:
            options = [MENDED[main.verb]] if link == "because" else [x for x in options if x != MENDED[main.verb]]
        else:
            bad = (main.verb in UNWANTED) ^ main.negated ^ (link == "although")
            options = [x for x in options if (x in DRAWBACKS) == bad] or options
        predicate = self.d.pick(options)
        degree = "very" if predicate not in COLOURS and predicate != "broken" and self.d.chance(0.25) else ""
        return Clause(Phrase("it", of=head), "be", tense, predicate=predicate, degree=degree)

    def contrast(self, main: Clause, link: str) -> tuple[str, Clause]:
        """More about somebody or something that is so and so; "but" and "although" only join good and bad."""
        tense = "past" if main.tense == "past" else "present"
        subject = self.again(main.subject)
        if subject.head in lx.NOUNS:
            return "and", self.action(self.other_person(main.subject), self.d.pick(PERSON_VERBS), 1, tense)
        if main.predicate in FEELINGS:
            link = link if main.negated == (main.predicate != "happy") else "but"
            return link, self.plan(subject, tense, "must", main)
        opposed = False
        for _ in range(6):
            clause = self.state(subject, tense)
            while (
                main.predicate in BESIDE[clause.predicate]
                or main.subject.adj in BESIDE[clause.predicate]
                or clause.predicate in FEELINGS
            ):
                clause = self.state(subject, tense)
            opposed = self.opposed(main, clause.predicate)
            if opposed == (link != "and"):
                break
        link = ("but" if link == "and" else link) if opposed else "and"
        return link, replace(clause, negated=False)

    @staticmethod
    def opposed(main: Clause, predicate: str) -> bool:
        """Whether one of two states is welcome and the other not."""
        if not main.predicate:
            return predicate in BAD
        first = main.predicate in GOOD, main.predicate in BAD
        good, bad = reversed(first) if main.negated else first
        return (good and predicate in BAD) or (bad and predicate in GOOD)

    def fitting(self, link: str, main: Clause) -> str:
        """The link, or another where it would make no sense behind a clause."""
        thing = main.subject.head in lx.NOUNS and not lx.NOUNS[main.subject.head].tags & {"pers", "anim"}
        if main.verb == "be" and main.predicate in FEELINGS:
            if link == "because" and main.predicate in ("tired", "sad"):
                return link
            return link if link in ("and", "but", "although") else "but"
        if main.verb == "be" or thing:
            return link if link in ("and", "although") else "but"
        if main.verb in STILL and link not in ("and", "but"):
            return link if link in ("because", "although") and self.has_reason(main) else "but"
        if main.tense == "perfect" and link in ("if", "when", "while"):
            return "because" if link != "while" else "and"
        if link == "while" and main.verb not in DURING:
            return "and"
        if main.negated and link in ("when", "while", "if"):
            return "because"
        return "when" if link == "if" and main.tense == "past" else link

    def tell(self) -> Sentence:
        d = self.d
        r = 1.0 if self.simple else d.random()
        if r < 0.07:
            return self.claim()
        if r < 0.3:
            main = self.main(1)
            link = d.pick(("because", "because", "although", "if", "when", "while", "but", "and"))
            link = self.fitting(link, main)
            if link in ("when", "while"):
                often = main.tense == "past"  # a past that comes again would be "wenn", not "als"
                away = (*TIMED, "freq") if often else TIMED
                main = self._with(main, tuple(c for c in main.circumstances if c.kind not in away), main.obj)
            thing = main.subject.head in lx.NOUNS and "pers" not in lx.NOUNS[main.subject.head].tags
            if link != "because" and (main.verb == "be" or (thing and main.subject.head not in ANIMALS)):
                link, sub = self.contrast(main, link)
            elif link in ("and", "but", "while"):
                subject = self.other_person(main.subject)
                tense = main.tense if main.tense != "perfect" else "past"
                if link == "while":
                    tense = "past" if tense == "past" else "present"
                sub = self.action(
                    subject, d.pick(DURING if link == "while" else PERSON_VERBS), 1, tense, link != "while"
                )
                if link == "while":
                    found = tuple(c for c in sub.circumstances if c.kind not in TIMED)
                    sub = replace(sub, negated=False, circumstances=found)
            else:
                sub = self.because(main, link)
            first = link in ("because", "although", "if", "when", "while") and d.chance(0.35)
            if sub.subject.head == main.subject.head or (main.obj is not None and sub.subject.of == main.obj.head):
                first = first and sub.subject.head in OWN  # a name or noun stands before what repeats it
            first = first and main.subject.det != "a"
            return Sentence(main, "tell", link, sub, first)
        main = self.main(1 if self.simple else 2)
        if (
            not self.simple
            and not main.circumstances
            and main.than is None
            and main.recipient is None
            and d.chance(0.75)
        ):
            main = self.longer(main)
            if main.verb == "be" and not main.circumstances and d.chance(0.3):
                link, sub = self.contrast(main, self.fitting(d.pick(("and", "but", "although")), main))
                return Sentence(main, "tell", link, sub)
        front = -1
        if not self.simple or d.chance(0.3):
            times = [i for i, c in enumerate(main.circumstances) if c.kind in TIMED]
            if times and d.chance(0.35):
                front = times[0]
        if not self.simple and front < 0 and d.chance(0.13):
            main = self.with_relative(main)
        return Sentence(main, front=front)

    def longer(self, main: Clause) -> Clause:
        """A short clause with a time, where one makes sense."""
        if main.verb == "be":
            kind = NOUN_KIND.get(main.subject.head)
            if (
                main.predicate in FEELINGS
                or (kind == "l" and main.predicate in CHANGING)
                or (kind == "e" and main.tense == "past")
            ):
                time = self.d.pick(
                    ("yesterday", "last week", "this morning")
                    if main.tense == "past"
                    else ("today", "now", "in the evening", "at the weekend")
                )
                return self._with(main, (Circumstance("time", time),), None)
            return main
        if main.verb in STILL or main.tense == "perfect":
            return main
        return self._with(main, (self.time(main.tense, main.verb),), main.obj)

    def with_relative(self, main: Clause) -> Clause:
        d = self.d
        subject = main.subject
        if (
            subject.head not in lx.NOUNS
            or "pers" not in lx.NOUNS[subject.head].tags
            or subject.head in KIN
            or main.verb == "be"
        ):
            return main
        subject = Phrase(subject.head, "the", subject.adj, subject.plural)
        verb = d.pick(
            (
                "live",
                "work",
                "wait",
                "help",
                "know",
                "call",
                "visit",
                "buy",
                "sell",
                "sit",
                "have",
                "read",
                "wear",
                "sing",
                "invite",
            )
        )
        tense = "present" if d.chance(0.7) else "past"
        rel = self.action(Phrase(subject.head, "rel", "", subject.plural), verb, 1, tense, False, False)
        rel = Clause(
            rel.subject,
            verb,
            tense,
            "",
            False,
            rel.obj,
            None,
            circumstances=tuple(c for c in rel.circumstances if c.kind not in ("freq", "manner")),
        )
        subject = Phrase(subject.head, "the", subject.adj, subject.plural, rel=rel)
        return Clause(
            subject,
            main.verb,
            main.tense,
            main.modal,
            main.negated,
            main.obj,
            main.recipient,
            circumstances=main.circumstances[:1],
        )

    def claim(self) -> Sentence:
        """I think that the film is boring."""
        d = self.d
        while True:
            subject = self.person(0.5)
            verb = d.pick(CLAUSAL)
            if split_of(subject.head, verb) == self.split:
                break
        tense = "present" if verb in ("hope", "believe", "know that", "think") or d.chance(0.3) else "past"
        if d.chance(0.4):
            sub = self.state(Phrase(d.pick(POOLS["event"] + POOLS["idea"] + POOLS["own"]), "the"), tense)
        else:
            other = self.other_person(subject) if d.chance(0.6) else (self.pronoun_for(subject) or self.person(0))
            sub = self.action(
                other,
                d.pick(PERSON_VERBS),
                1,
                tense if tense == "past" else d.pick(("present", "future", "future" if verb == "hope" else "past")),
                True,
            )
        return Sentence(Clause(subject, verb, tense, "", d.chance(0.12) and verb != "hope"), "tell", "that", sub)

    def question(self) -> Sentence:
        d = self.d
        while True:
            mood = d.pick(("ask", "ask", "ask", "where", "when", "why", "who", "what"))
            if mood == "who":
                for _ in range(60):
                    verb = d.pick(PERSON_VERBS)
                    if split_of("who", verb) == self.split:
                        clause = self.action(Phrase("who"), verb, 1)
                        return Sentence(
                            Clause(
                                clause.subject,
                                verb,
                                clause.tense,
                                clause.modal,
                                False,
                                clause.obj,
                                clause.recipient,
                                circumstances=clause.circumstances,
                            ),
                            "who",
                        )
                continue
            clause = self.main(1)
            if clause.subject.head in lx.NOUNS and clause.subject.det == "a":
                continue
            if mood == "ask":
                return Sentence(clause, "ask")
            if clause.verb in ("be", "cost"):
                continue
            plain = [
                c
                for c in clause.circumstances
                if c.kind not in ("time", "weekday", "clock", "date", "ago", "after", "month", "freq")
            ]
            places = ("place", "city", "home", "dir", "dircity", "dirhome", "on", "onto")
            if mood == "what":
                entry = lx.VERBS[clause.verb]
                if (
                    clause.obj is None
                    or clause.obj.head in NAMES
                    or "pers" in entry.objects
                    or entry.options[0].frame not in ("a", "da")
                    or clause.verb in THING_VERBS
                ):
                    continue
                clause = self._with(clause, clause.circumstances, Phrase("what"))
            elif mood == "where":
                if (
                    not lx.VERBS[clause.verb].objects[:1]
                    or clause.verb in STILL
                    or any(c.kind == "onto" for c in clause.circumstances)
                    or clause.verb == "come"
                ):
                    continue
                clause = self._with(clause, tuple(c for c in clause.circumstances if c.kind not in places), clause.obj)
            elif mood == "when":
                if clause.verb in STILL:
                    continue
                clause = self._with(clause, tuple(plain), clause.obj)
            if clause.negated and mood != "why":
                clause = Clause(
                    clause.subject,
                    clause.verb,
                    clause.tense,
                    clause.modal,
                    False,
                    clause.obj,
                    clause.recipient,
                    circumstances=clause.circumstances,
                )
            return Sentence(clause, mood)

    @staticmethod
    def _with(clause: Clause, circumstances: tuple[Circumstance, ...], obj: Phrase | None) -> Clause:
        return replace(clause, obj=obj, circumstances=circumstances)

    def order(self) -> Sentence:
        d = self.d
        verbs = orders_of(self.split)
        if not verbs:
            return self.tell()
        clause = self.action(Phrase("you"), d.pick(verbs), 1, "present", False, True)
        found = tuple(
            c
            for c in clause.circumstances
            if c.kind not in ("freq", "ago", "month") and not (c.kind == "time" and c.word.startswith(("every", "in ")))
        )
        if not found and (clause.obj is None or d.chance(0.4)):
            found = (Circumstance("time", d.pick(("tomorrow", "now", "today", "this evening"))),)
        return Sentence(
            Clause(
                clause.subject,
                clause.verb,
                "present",
                "",
                clause.negated,
                clause.obj,
                clause.recipient,
                circumstances=found,
            ),
            "order",
        )

    def follow_up(self, sentence: Sentence) -> Sentence:
        """A second sentence about somebody or something of the first."""
        d = self.d
        main = sentence.main
        obj = main.obj
        tense = "past" if main.tense == "past" else "present"
        if (
            obj is not None
            and obj.head in lx.NOUNS
            and not obj.plural
            and "pers" not in lx.NOUNS[obj.head].tags
            and STATE_FOR[obj.head]
            and not (main.negated and obj.det in ("a", ""))
            and not ((main.tense == "future" or main.modal) and main.verb in MAKING)
            and d.chance(0.7)
        ):
            return Sentence(self.state_of(obj, tense))
        subject = self.again(main.subject)
        if subject.of in lx.NOUNS and "pers" not in lx.NOUNS[subject.of].tags:
            return Sentence(self.state_of(replace(main.subject, head=subject.of), tense))
        if d.chance(0.5):
            degree = "very" if d.chance(0.25) else ""
            return Sentence(replace(self.state(subject, tense), predicate=d.pick(FEELINGS), degree=degree))
        return Sentence(
            self.action(subject, d.pick(PERSON_VERBS), 1, "past" if main.tense == "perfect" else main.tense)
        )

    def state_of(self, thing: Phrase, tense: str) -> Clause:
        """How a thing or an animal is: not what its adjective says already, nor the contrary."""
        subject = self.again(thing)
        clause = self.state(subject, tense)
        while thing.adj in BESIDE[clause.predicate]:
            clause = self.state(subject, tense)
        return clause

    def meaning(self) -> Meaning:
        d = self.d
        r = d.random()
        if self.simple:
            first = self.question() if r < 0.1 else self.order() if r < 0.15 else self.tell()
            return Meaning((first,))
        if r < 0.14:
            return Meaning((self.question(),))
        if r < 0.2:
            return Meaning((self.order(),))
        first = self.tell()
        if r < 0.36 and first.sub is None and first.main.subject.rel is None and first.main.verb != "be":
            return Meaning((first, self.follow_up(first)))
        return Meaning((first,))


def draw_meaning(data_seed: int, split: str, index: int, simple: bool) -> tuple[Meaning, Draws]:
    """The meaning of one example, and the stream to go on with."""
    which = SPLITS.index(split)  # type: ignore[arg-type]
    draws = Draws(data_seed, which, index)
    return Builder(draws, which, simple).meaning(), draws
