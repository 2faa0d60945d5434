"""The gold judge: how well a German text says what a meaning says.

The response is read (`reading`), its clauses are aligned with those of the meaning by their verbs, and each phrase of
the meaning is looked for. Six components, each in [0, 1], multiply to the score:

    adequacy          the weight of what was said over the weight of what had to be said
    additions         what was said and not asked for: extra phrases, repetition, English left standing
    agreement         gender, case, endings, person, auxiliary: 0.87 for each error
    order             verb second, verb last, what may follow a closing verb: 0.86 for each error
    negation_numbers  a flipped negation, a wrong number, name, time or tense: 0.68 for each error
    fluency           capitals, full stops, commas: a little
"""

from __future__ import annotations

from textgym.tasks.translate import words
from textgym.tasks.translate.german import ON
from textgym.tasks.translate.lexicon import (
    ACC,
    ANY,
    CASE,
    DAT,
    MODALS,
    NOM,
    NOUNS,
    PERSONS,
    PLURAL,
    SINGULAR,
    VERB_CONCEPTS,
    VERBS,
)
from textgym.tasks.translate.meaning import Circumstance, Clause, Meaning, Phrase, Sentence
from textgym.tasks.translate.order import TIME_ADVERBS, order_errors
from textgym.tasks.translate.phrases import MONTHS, TIME_CONCEPTS, Item
from textgym.tasks.translate.reading import ReadClause, Reader, readings_of
from textgym.tasks.translate.words import listed

COMPONENTS = ("adequacy", "additions", "agreement", "order", "negation_numbers", "fluency")
TIME_WORDS = {k: tuple(c.split()) for k, _, c, _ in (line.split("|") for line in words.TIMES.strip().splitlines())}
PRONOUN_KEYS = {
    "I": ("ich",), "you": ("du", "ihr", "Sie"), "he": ("er",), "she": ("sie",), "it": ("er", "sie",
    "es"), "we": ("wir",),
    "they": ("sie_p",), "who": ("who",), "what": ("what",),
}  # fmt: skip
LINKS = {
    "because": ("weil", "da", "denn"),
    "although": ("obwohl", "obgleich", "obschon"),
    "if": ("wenn", "falls"),
    "while": ("während",),
    "that": ("dass", ""),
    "and": ("und", ""),
    "but": ("aber", "doch", "jedoch"),
}
WHEN_PAST, WHEN_PRESENT = ("als", "wenn"), ("wenn", "sobald", "als")
WH_WORDS = {"where": ("wo", "wohin"), "when": ("wann",), "why": ("warum", "wieso", "weshalb")}
TENSES = {
    "present": ("present",), "past": ("past", "perfect", "pluperfect"), "perfect": ("perfect",
    "past"), "future": ("future", "present"),
}  # fmt: skip
# am Abend and am Montag, but im Mai, im Winter and in der Nacht: prepositions that these never have.
WRONG_BEFORE = dict.fromkeys(
    listed("morning afternoon evening weekend day Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    ("in", "um", "auf", "bei", "zu"),
) | dict.fromkeys((*MONTHS, *listed("summer winter spring autumn week month year night moment")), ("an", "um", "auf"))
SEIN_LEMMAS = {o.verb.lemma for e in VERBS.values() for o in e.options if o.verb.sein}
HABEN_LEMMAS = {o.verb.lemma for e in VERBS.values() for o in e.options if not o.verb.sein}
EITHER = frozenset(listed("schwimmen sitzen stehen liegen")) | (SEIN_LEMMAS & HABEN_LEMMAS)
ENGLISH = (
    frozenset(
        listed(
            "the a an is are was were to of and or not does do did will has have with for at on my your his her "
            "our their this these who "
            "what when where why because although if that while but he she it we they you i"
        )
    )
    | {w for e in NOUNS.values() for w in (e.english, e.english_plural)}
    | {w for e in VERBS.values() for w in (e.base, e.past, e.participle)}
)
POSSESSIVE_DETS = frozenset(listed("my your his her its our their"))
SINGULAR_PERSON, PLURAL_PERSON = 1 << 2, 1 << 5
PREDICATES = {"very": ("very",), "too": ("too",)}
AGREEMENT, ORDER, FACT = 0.87, 0.86, 0.68


class Judge:
    """One comparison. Weights are in units of one content word."""

    __slots__ = (
        "agreement",
        "antecedents",
        "extra",
        "facts",
        "fluency",
        "got",
        "lost_name",
        "lost_number",
        "lost_time",
        "order",
        "r",
        "total",
    )

    def __init__(self, text: str, meaning: Meaning) -> None:
        self.r = Reader(text, not owns(meaning))
        self.total = self.got = self.extra = self.agreement = self.order = self.facts = self.fluency = 0.0
        self.lost_name = self.lost_number = self.lost_time = 0
        self.antecedents: dict[str, str] = {}  # concept -> gender of the noun that the response used

    # --- bookkeeping ---

    def slot(self, weight: float, share: float) -> None:
        """Something of the meaning, and how much of it was said."""
        self.total += weight
        self.got += weight * share

    # --- alignment ---

    def compare(self, meaning: Meaning) -> None:
        expected: list[tuple[Clause, Sentence, str]] = []
        for s in meaning.sentences:
            pair = [(s.main, s, "main")]
            if s.main.subject.rel is not None:
                pair.append((s.main.subject.rel, s, "rel"))
            if s.sub is not None:
                pair = [(s.sub, s, "sub"), *pair] if s.sub_first else [*pair, (s.sub, s, "sub")]
            expected += pair
        clauses = self.r.clauses
        readings = [readings_of(c) for c in clauses]
        taken: list[ReadClause | None] = [None] * len(expected)
        for k, (c, _, role) in enumerate(expected):
            best, most = None, 0.0
            for clause, lemmas in zip(clauses, readings, strict=True):
                if not clause.aligned and any(c.verb in VERB_CONCEPTS.get(lemma, ()) for lemma in lemmas):
                    value = (
                        1.0
                        + 0.5 * ((clause.kind == "rel") == (role == "rel"))
                        + 0.1 * ((clause.kind == "sub") == (role == "sub"))
                    )
                    if c.predicate:
                        value += 0.4 * any(c.predicate in x.concepts for x in clause.items)
                    if value > most:
                        best, most = clause, value
            if best is not None:
                best.aligned = True
                taken[k] = best
        rest = [c for c in clauses if not c.aligned]
        for k, (_, _, role) in enumerate(expected):
            if taken[k] is None and rest:
                same = [c for c in rest if (c.kind == "rel") == (role == "rel")]
                if same:
                    taken[k] = same[0]
                    rest.remove(same[0])
                    same[0].aligned = True
        # names and nouns first, so that pronouns know their gender
        for k, (c, s, role) in enumerate(expected):
            self.clause(c, s, role, taken[k])
        for clause in clauses:
            if clause.aligned:
                self.order += order_errors(clause)
            else:
                self.order += 0.5 if clause.finite is not None else 0.3
        self.leftovers()

    def clause(self, c: Clause, s: Sentence, role: str, read: ReadClause | None) -> None:
        frame, passive, matched = self.verb(c, s, role, read)
        subject_case = CASE[DAT] if frame == "flip" else CASE[NOM]
        nominative: Item | None = None
        item: Item | None = None
        if s.mood == "order" and role == "main":
            nominative = self.order_subject(c, read)
            if read is not None:
                read.ordered = True
        elif role == "rel":
            nominative = self.relative_subject(c, read)
        elif passive:
            self.phrase(c.subject, read, CASE[DAT], "von", matched)
        else:
            subject = self.phrase(c.subject, read, subject_case, "", matched)
            nominative = subject if frame != "flip" else None
        if c.obj is not None:
            item = self.object(c, read, frame, passive, matched)
            if frame == "flip" or passive:
                nominative = item
        if c.recipient is not None:
            other = self.phrase(c.recipient, read, CASE[DAT], "", matched, recipient=True)
            self.roles(nominative, other, DAT)
        if item is not None and not passive and frame != "flip":
            self.roles(nominative, item, DAT if frame == "d" else ACC)
        if read is not None:
            self.person(c, s, role, read, nominative)
        for x in c.circumstances:
            self.circumstance(x, read)
        if c.predicate:
            self.predicate(c, read)
        if role == "sub":
            self.link(s, read)
        if role == "main" and s.mood in WH_WORDS:
            wanted = WH_WORDS[s.mood]
            if s.mood == "where":
                wanted = ("wohin", "wo") if "dir" in VERBS[c.verb].objects else ("wo",)
            found = read is not None and any(x.kind == "Q" and x.lead in wanted for x in read.items)
            self.slot(1.0, 1.0 if found else 0.0)
            if read is not None and not found and any(x.kind == "Q" for x in read.items):
                self.facts += 0.7
            if found and read is not None:
                next(x for x in read.items if x.kind == "Q" and x.lead in wanted).used = True

    def roles(self, subject: Item | None, other: Item | None, case: int) -> None:
        """Anna sieht Tom is not Tom sieht Anna: where no ending tells, the first is the subject."""
        if (
            subject is None
            or other is None
            or other.prep
            or other.pronouns
            or subject.pronouns
            or subject.index < other.index
        ):
            return
        if not other.names and not any(NOUNS[x].tags & {"pers", "anim"} for x in other.concepts):
            return  # a thing is no subject: dieses Geschenk bekam Karl
        if other.mask & CASE[NOM] and other.mask & CASE[case] and subject.mask & CASE[case]:
            self.facts += 1.0

    def verb(self, c: Clause, s: Sentence, role: str, read: ReadClause | None) -> tuple[str, bool, bool]:
        """Check the verb, its tense, its modal and its negation; (frame, passive, whether the verb is right)."""
        frame, passive = VERBS[c.verb].options[0].frame, False
        weight = 0.7 if c.verb in ("be", "have") else 1.4
        if read is None or read.finite is None:
            found = read is not None and any(c.verb in VERB_CONCEPTS.get(x, ()) for x in readings_of(read))
            self.slot(weight, 0.5 if found else 0.0)
            self.order += 1.0
            if c.modal:
                self.slot(0.8, 0.0)
            if c.negated and (read is None or not read.negated):
                self.facts += 1.0
            if found and read is not None:
                for x in read.items:
                    if x.kind == "V":
                        x.used = True
            return "", False, False
        lemma = ""
        for candidate in readings_of(read):
            concepts = VERB_CONCEPTS.get(candidate, {})
            if c.verb in concepts:
                frame, lemma = concepts[c.verb], candidate
                break
        if c.predicate == "hungry" and read.lemma == "haben" and any(x.text == "Hunger" for x in read.items):
            lemma = "sein"
        if c.verb == "clean" and read.lemma == "machen":
            for x in read.items:
                if x.text.lower() == "sauber":
                    x.used, lemma, frame = True, "putzen", "a"
        frame = self.fitting_frame(c.verb, lemma, frame, read)
        matched = bool(lemma)
        self.slot(weight, 1.0 if matched else 0.0)
        if matched:
            passive = read.passive and frame in ("a", "da")
            if not passive and read.passive:
                self.facts += 0.5
        for x in read.items:
            if x.kind in ("V", "P"):
                x.used = matched or (x is read.finite and bool(read.auxiliary))
        # tense
        tense = "present" if c.modal == "should" and read.modal == "sollen" else read.tense
        if tense not in TENSES[c.tense]:
            self.facts += 0.5 if read.tense else 0.0
        # modal
        if c.modal:
            right = read.modal in MODALS[c.modal]
            if c.modal in ("would like to", "want to"):
                for x in read.items:
                    x.used = x.used or x.text in ("gern", "gerne")
            self.slot(0.8, 1.0 if right else 0.0)
            if not right:
                self.facts += 0.5
        elif read.modal:
            self.facts += 0.5
        # negation; never is a circumstance and a negation at once
        negative = c.negated or any(x.word == "never" for x in c.circumstances)
        if negative != read.negated:
            self.facts += 1.0
        for x in read.items:
            if x.kind == "X" and negative and not x.concepts:
                x.used = True
                break
        if (
            matched
            and read.auxiliary in ("haben", "sein")
            and read.tense in ("perfect", "pluperfect")
            and not read.modal
            and not read.passive
        ):
            sein = lemma in SEIN_LEMMAS
            if lemma not in EITHER and sein != (read.auxiliary == "sein"):
                self.agreement += 1
        return frame, passive, matched

    @staticmethod
    def fitting_frame(verb: str, lemma: str, frame: str, read: ReadClause) -> str:
        """Where a verb has several frames (sprechen über, sprechen von), the one that the response uses."""
        frames = [o.frame for o in VERBS[verb].options if o.verb.lemma == lemma]
        if len(frames) > 1:
            prepositions = {x.prep for x in read.items}
            for f in frames:
                if "+" in f and f.split("+")[0] in prepositions:
                    return f
            plain = [f for f in frames if "+" not in f]
            return plain[0] if plain else frames[0]
        return frames[0] if frames else frame

    # --- phrases ---

    def find(self, p: Phrase, read: ReadClause | None, cases: int, prep: tuple[str, ...]) -> Item | None:
        """The item of the response that best says a phrase."""
        head = p.head
        best: Item | None = None
        most = 0.0
        keys = PRONOUN_KEYS.get(head)
        noun = head in NOUNS
        places = ((read,) if read is not None else ()) + tuple(c for c in self.r.clauses if c is not read)
        for clause in places:
            near = clause is read
            if best is not None and not near and most >= 2:
                break
            for x in clause.items:
                if x.used or x.kind != "N":
                    continue
                value = 0.0
                if noun:
                    if head not in x.concepts:
                        continue
                    value = 1.0
                    if p.adj and any(p.adj in a for a in x.adjectives):
                        value += 0.5
                    if x.mask & (PLURAL if p.plural else SINGULAR):
                        value += 0.2
                elif keys is not None:
                    if x.pronouns:
                        if not any(k in keys for k, _, _ in x.pronouns):
                            continue
                    elif x.demonstrative and not x.relative and head in ("he", "she", "it", "they"):
                        value = -0.2
                    elif not (p.of and (x.names == p.of or p.of in x.concepts)):
                        continue
                    elif head == "it":
                        value = -0.3  # the noun again
                    if not near and not (p.of and x.pronouns):
                        continue
                    value += 1.0
                elif x.names == head:
                    value = 1.0
                else:
                    continue
                value += near * 2.0 + ((x.prep in prep) if prep else not x.prep) * 0.6 + bool(x.mask & cases) * 0.4
                if value > most:
                    best, most = x, value
        return best

    def phrase(
        self,
        p: Phrase,
        read: ReadClause | None,
        cases: int,
        prep: str | tuple[str, ...],
        matched: bool,
        recipient: bool = False,
    ) -> Item | None:
        """Look for a phrase and check it; what is found is used up."""
        preps = (prep,) if isinstance(prep, str) and prep else prep or ()
        item = self.find(p, read, cases, preps)  # type: ignore[arg-type]
        head = p.head
        if item is None:
            self.missing(p)
            return None
        item.used = True
        self.slot(0.8 if head in PRONOUN_KEYS else 1.2, 1.0)
        mask = item.mask
        if head in NOUNS:
            self.noun(p, item)
            mask = item.mask
        elif head in PERSONS:
            mask = self.pronoun(p, item)
        if item.mask == 0:
            self.agreement += 1
            return item
        if recipient and item.prep in ("an", "zu"):
            self.governed(item, CASE[ACC] if item.prep == "an" else CASE[DAT])
            return item
        if preps:
            if item.prep not in preps:
                self.agreement += 1.0 if matched else 0.3
                if item.prep:
                    self.governed(item, item.cases)
                return item
        elif item.prep and matched:
            self.agreement += 0.8
            return item
        elif item.prep:
            self.governed(item, item.cases)
            return item
        if not mask & cases and (matched or cases == CASE[NOM]) and (read is None or item in read.items):
            self.agreement += 1
        return item

    def governed(self, item: Item, cases: int) -> bool:
        """Whether a phrase stands in a case that its preposition takes; an error where not."""
        if item.mask == 0 or not item.mask & cases:
            self.agreement += 1
            return False
        return True

    def missing(self, p: Phrase) -> None:
        head = p.head
        self.slot(0.8 if head in PRONOUN_KEYS else 1.2, 0.0)
        if head in NOUNS:
            if p.adj:
                self.slot(0.7, 0.0)
            if p.count:
                self.slot(1.0, 0.0)
                self.lost_number += 1
            if p.det:
                self.slot(0.4, 0.0)
        elif head not in PRONOUN_KEYS:
            self.lost_name += 1

    def noun(self, p: Phrase, item: Item) -> None:
        """Number, count, determiner and adjective of a noun that was found."""
        nouns = item.nouns
        for noun, concepts, mask in nouns:
            if p.head in concepts and (mask & item.mask or not item.mask):
                self.antecedents[p.head] = noun.gender
                break
        if item.mask and not item.mask & (PLURAL if p.plural else SINGULAR) and p.head != "fruit":
            self.slot(0.6, 0.0)
            self.facts += 0.5
        else:
            if item.mask & (PLURAL if p.plural else SINGULAR):
                item.mask &= PLURAL if p.plural else SINGULAR
            self.slot(0.6, 1.0)
        if p.count or item.count:
            self.slot(1.0, 1.0 if p.count == item.count else 0.0)
            if p.count and item.count and p.count != item.count:
                self.facts += 1.2
            elif p.count != item.count and item.count > 1:
                self.facts += 0.6
        self.determiner(p, item)
        if p.adj:
            found = next((a for a in item.adjectives if p.adj in a), None)
            self.slot(0.8, 1.0 if found is not None else 0.0)
            if found is not None:
                item.adjectives = [a for a in item.adjectives if a is not found]
        self.extra += 0.6 * len(item.adjectives)

    def determiner(self, p: Phrase, item: Item) -> None:
        det, said = p.det, item.det
        if p.count or p.head == "euro":
            share = 1.0 if not said or "the" not in said else 0.6
        elif det == "" or det == "a":
            if (det == "a" and ("a" in said or "no" in said)) or (det == "" and (not said or said & {"some", "no"})):
                share = 1.0
            else:
                share = 0.4 if said else 0.0
                if det == "a" and not said:
                    self.agreement += 0.5  # a countable noun with no article
        elif det.endswith("'s"):
            share = 1.0 if item.owner == det[:-2] else 0.0
            if not share:
                share = self.possessor(det[:-2])
                if not share and item.owner:
                    self.facts += 1.2
                elif not share:
                    self.lost_name += 1
        elif det in said:
            share = 1.0
        elif det == "the":
            share = 0.6 if "this" in said else 0.0
            if not said and not item.owner and not item.mask & PLURAL:
                self.agreement += 0.5
        elif det == "this":
            share = 0.5 if "the" in said else 0.0
        elif det in POSSESSIVE_DETS:
            share = 0.5 if "the" in said else 0.0
            if said & POSSESSIVE_DETS:
                self.facts += 0.5
        else:
            share = 0.0
        if p.det.endswith("'s"):
            self.slot(1.0, share)
        else:
            self.slot(0.5, share)
        if item.owner and not p.det.endswith("'s"):
            self.facts += 0.7
        if "no" not in said and item.det & {"every"} and det != "every":
            self.facts += 0.3

    def possessor(self, name: str) -> float:
        """der Bruder von Anna."""
        for clause in self.r.clauses:
            for x in clause.items:
                if not x.used and x.names == name and x.prep == "von":
                    x.used = True
                    return 1.0
        return 0.0

    def pronoun(self, p: Phrase, item: Item) -> int:
        """The mask of a pronoun in the readings that fit; it must have the gender of its noun."""
        if not item.pronouns:
            return item.mask
        keys = PRONOUN_KEYS[p.head]
        if p.head == "it" and p.of:
            gender = self.antecedents.get(p.of) or NOUNS[p.of].options[0].gender
            wanted = {"m": "er", "f": "sie", "n": "es", "p": "sie_p"}[gender]
            if not any(k == wanted for k, _, _ in item.pronouns):
                self.agreement += 1
        elif p.head == "it" and any(k == "es" for k, _, _ in item.pronouns) is False:
            self.agreement += 1
        mask = 0
        for k, m, _ in item.pronouns:
            if k in keys:
                mask |= m
        return mask

    def object(self, c: Clause, read: ReadClause | None, frame: str, passive: bool, matched: bool) -> Item | None:
        assert c.obj is not None
        p = c.obj
        if p.head == "what":
            found = read is not None and next(
                (x for x in read.items if x.kind == "N" and any(k == "what" for k, _, _ in x.pronouns)), None
            )
            self.slot(1.0, 1.0 if found else 0.0)
            if found:
                found.used = True
            return None
        if passive or frame == "flip":
            return self.phrase(p, read, CASE[NOM], "", matched)
        if "+" in frame:
            preposition, case = frame.split("+")
            if (
                read is not None
                and preposition == "an"
                and any(x.prep == "an" for x in read.items)
                and VERBS[c.verb].recipients
            ):
                return self.phrase(p, read, CASE[ACC], "", matched)
            return self.phrase(p, read, CASE[ACC] if case == "a" else CASE[DAT], preposition, matched)
        if not matched:
            return self.phrase(p, read, ANY, "", False)
        return self.phrase(p, read, CASE[DAT] if frame == "d" else CASE[ACC], "", matched)

    def order_subject(self, c: Clause, read: ReadClause | None) -> Item | None:
        """An order has no subject but Sie (or an emphatic du, ihr)."""
        if read is None or read.finite is None:
            return None
        others = {p.head for p in (c.obj, c.recipient) if p is not None}
        keys = ["du"] + (["ihr"] if "she" not in others else []) + (["Sie"] if read.persons & PLURAL_PERSON else [])
        for x in read.items:
            if not x.used and x.mask & CASE[NOM] and not x.prep and any(k in keys for k, _, _ in x.pronouns):
                x.used = True
                return x
        return None

    def relative_subject(self, c: Clause, read: ReadClause | None) -> Item | None:
        found = next((x for x in read.items if x.relative), None) if read is not None and read.kind == "rel" else None
        self.slot(0.6, 1.0 if found is not None else 0.0)
        if found is None:
            return None
        found.used = True
        head = c.subject.head
        gender = "p" if c.subject.plural else self.antecedents.get(head, NOUNS[head].options[0].gender)
        wanted = 1 << ("mfnp".index(gender))
        if found.demonstrative and not found.mask & wanted:
            self.agreement += 1
        return found

    def person(self, c: Clause, s: Sentence, role: str, read: ReadClause, nominative: Item | None) -> None:
        """The finite verb agrees with what stands in the nominative."""
        if read.finite is None:
            return
        persons = read.persons
        if s.mood == "order" and role == "main":
            imperative = any(v[1] == "imp" for v in read.finite.verbs)
            wanted = 0
            if nominative is not None:
                for k, _, bits in nominative.pronouns:
                    if k in ("du", "ihr", "Sie"):
                        wanted |= bits
            ok = bool(persons & wanted) if wanted else imperative or bool(persons & 1 << 4)
            if not ok:
                self.agreement += 1
            return
        if nominative is None:
            return
        wanted = 0
        if nominative.pronouns:
            keys = PRONOUN_KEYS.get(c.subject.head, ())
            for k, _, bits in nominative.pronouns:
                if k in keys or not keys:
                    wanted |= bits
        elif nominative.relative or (role == "rel"):
            wanted = PLURAL_PERSON if c.subject.plural else SINGULAR_PERSON
        elif nominative.names or nominative.demonstrative:
            wanted = SINGULAR_PERSON
        else:
            mask = nominative.mask & CASE[NOM] or nominative.mask
            wanted = (PLURAL_PERSON if mask & PLURAL else 0) | (SINGULAR_PERSON if mask & SINGULAR else 0)
            if nominative.count > 1:
                wanted = PLURAL_PERSON
        if s.link == "that" and role == "sub" and read.tense != "past" and persons & 1:
            persons |= SINGULAR_PERSON  # reported speech: er habe
        if wanted and persons and not persons & wanted:
            self.agreement += 1

    # --- circumstances ---

    def circumstance(self, x: Circumstance, read: ReadClause | None) -> None:
        kind = x.kind
        if kind in ("freq", "manner"):
            self.adverb((x.word,), read, 1.0)
        elif kind == "time":
            self.adverb(TIME_WORDS[x.word], read, 1.0)
        elif kind in ("weekday", "month"):
            self.adverb((x.word,), read, 1.2)
        elif kind == "clock":
            self.timed(lambda item: item.clock == x.value % 720, read, lambda item: item.clock >= 0)
        elif kind == "date":
            self.timed(lambda item: item.date == (x.value, x.word), read, lambda item: item.date is not None)
        elif kind in ("ago", "after"):
            self.span(x, read)
        elif kind in ("home", "dirhome"):
            self.adverb(("home" if kind == "home" else "homeward",), read, 1.0)
        elif kind in ("city", "dircity"):
            city = Phrase(x.word)
            self.place(city, read, ("in",) if kind == "city" else ("nach",), ANY)
        elif kind == "by":
            self.place(Phrase(x.word, "the"), read, ("mit",), CASE[DAT], det=False)
        elif kind == "place":
            assert x.phrase is not None
            self.place(x.phrase, read, ("in", "an", "auf", "bei"), CASE[DAT])
        elif kind == "dir":
            assert x.phrase is not None
            self.place(x.phrase, read, ("in", "an", "auf", "zu"), 0)
        elif kind == "with":
            self.place(x.phrase, read, ("mit",), CASE[DAT])
        elif kind == "for":
            self.place(x.phrase, read, ("für",), CASE[ACC])
        elif kind in ("on", "onto"):
            preps = (ON[x.word], "an") if x.word == "on" else (ON[x.word],)
            if x.word == "on" and x.phrase is not None and x.phrase.head in ("bed", "sofa", "cupboard", "chair"):
                preps = ("auf", "in")
            self.place(x.phrase, read, preps, CASE[ACC] if kind == "onto" else CASE[DAT])

    def place(
        self, p: Phrase | None, read: ReadClause | None, preps: tuple[str, ...], cases: int, det: bool = True
    ) -> None:
        """A prepositional phrase: what it names, its preposition, and the case that goes with them."""
        assert p is not None
        item = self.find(p, read, cases or ANY, preps)
        if item is None:
            self.missing(p)
            self.slot(0.5, 0.0)
            return
        item.used = True
        self.slot(1.2, 1.0)
        if p.head in NOUNS:
            if det:
                self.noun(p, item)
            else:
                self.extra += 0.6 * len(item.adjectives)
        elif p.head in PERSONS:
            self.pronoun(p, item)
        right = item.prep in preps
        self.slot(0.6, 1.0 if right else 0.0)
        if not right and item.prep and p.head in NOUNS and "furn" in NOUNS[p.head].tags:
            self.facts += 0.5
        if not right:
            self.agreement += 0.5
        if item.mask == 0:
            self.agreement += 1
        elif right:
            wanted = cases or (CASE[DAT] if item.prep in ("zu", "nach") else CASE[ACC])
            if not item.mask & wanted & (item.cases or ANY):
                self.agreement += 1
        elif item.cases and not item.mask & item.cases:
            self.agreement += 1

    def adverb(self, concepts: tuple[str, ...], read: ReadClause | None, weight: float) -> None:
        """Words that together say when, how often or how."""
        for k, concept in enumerate(concepts):
            w = weight if k == 0 else weight * 0.6
            item, near = self.provider(concept, read, concepts)
            self.slot(w, 1.0 if item is not None else 0.0)
            if item is None:
                if concept in TIME_CONCEPTS or concept in TIME_ADVERBS or concept in ("last", "next"):
                    self.lost_time += 1
                continue
            if not near:
                self.order += 0.3
            fresh, item.used = not item.used, True
            if item.kind == "A" and item.mask == 0:
                self.agreement += 1  # letzten, with no noun behind it
                item.mask = ANY
            if item.kind == "N":
                bare = fresh and not (item.prep or item.det or item.adjectives or item.count)
                if bare and concept in ("week", "month", "year", "day", "summer", "weekend"):
                    self.agreement += 0.7
                item.adjectives = [a for a in item.adjectives if not a & {*concepts}]
                if item.mask == 0:
                    self.agreement += 1
                    item.mask = ANY
                elif item.prep:
                    is_wrong = fresh and item.prep in WRONG_BEFORE.get(concept, ())
                    cases = CASE[DAT] if item.cases & CASE[DAT] else ANY
                    if is_wrong or not item.mask & item.cases & cases:
                        self.agreement += 1
                elif (item.det or item.adjectives or k == 0) and not item.mask & CASE[ACC]:
                    self.agreement += 1
                    item.mask = ANY

    def provider(self, concept: str, read: ReadClause | None, wanted: tuple[str, ...]) -> tuple[Item | None, bool]:
        similar = {
            "now": ("now", "moment"),
            "moment": ("moment", "now"),
            "today": ("today", "this"),
            "usually": ("usually",),
        }.get(concept, (concept,))
        places = ((read,) if read is not None else ()) + tuple(c for c in self.r.clauses if c is not read)
        for clause in places:
            for x in clause.items:
                if x.used and not (
                    x.concepts & {*wanted} or any(a & {*wanted} for a in x.adjectives) or x.det & {"every", "this"}
                ):
                    continue
                for c in similar:
                    if c == "this" and x.concepts.isdisjoint(TIME_CONCEPTS):
                        continue
                    if c in x.concepts or c in x.det or any(c in a for a in x.adjectives):
                        if x.used and x.kind != "N" and len(x.concepts) < 2:
                            continue
                        return x, clause is read
        return None, False

    def timed(self, right, read: ReadClause | None, kind) -> None:  # type: ignore[no-untyped-def]
        """A clock time or a date."""
        found = next(
            (x for clause in self.r.clauses for x in clause.items if x.kind == "T" and not x.used and right(x)), None
        )
        self.slot(1.6, 1.0 if found is not None else 0.0)
        if found is not None:
            found.used = True
            if found.clock >= 0 and found.prep not in ("um", "gegen"):
                self.agreement += 0.4
            if found.date is not None and found.prep not in ("an",):
                self.agreement += 0.3
        else:
            wrong = next(
                (x for clause in self.r.clauses for x in clause.items if x.kind == "T" and not x.used and kind(x)), None
            )
            if wrong is not None:
                wrong.used = True
                self.facts += 1.2
            else:
                self.lost_time += 1

    def span(self, x: Circumstance, read: ReadClause | None) -> None:
        """vor zwei Tagen, in drei Wochen."""
        prep = "vor" if x.kind == "ago" else "in"
        found = self.find(Phrase(x.word, "", plural=True), read, CASE[DAT], (prep,))
        self.slot(0.8, 1.0 if found is not None else 0.0)
        self.slot(1.0, 1.0 if found is not None and found.count == x.value else 0.0)
        self.slot(0.6, 1.0 if found is not None and found.prep == prep else 0.0)
        if found is None:
            self.lost_number += 1
            return
        found.used = True
        self.extra += 0.6 * len(found.adjectives)
        if found.count != x.value:
            self.facts += 1.2 if found.count else 0.5
        if found.prep != prep:
            self.facts += 0.6
        elif not found.mask & CASE[DAT] & (PLURAL if x.value > 1 else ANY):
            self.agreement += 1

    def predicate(self, c: Clause, read: ReadClause | None) -> None:
        """müde, sehr müde, älter als Tom."""
        found: Item | None = None
        for clause in ((read,) if read is not None else ()) + tuple(k for k in self.r.clauses if k is not read):
            found = next(
                (x for x in clause.items if not x.used and x.kind in "AVF" and c.predicate in x.concepts), None
            )
            if found is None and c.predicate == "hungry":
                found = next((x for x in clause.items if x.text == "Hunger"), None)
            if found is not None:
                break
        self.slot(1.4, 1.0 if found is not None else 0.0)
        if found is not None:
            found.used = True
            if found.mask == 0:
                self.agreement += 1
        if c.degree == "more":
            ok = found is not None and found.comparative
            self.slot(0.8, 1.0 if ok else 0.0)
            assert c.than is not None
            item = self.phrase(c.than, read, CASE[NOM], "", True)
            if item is not None and not item.than:
                self.agreement += 0.7
        elif found is not None and found.comparative:
            self.facts += 0.5
        if c.degree in PREDICATES and read is not None:
            word = next((x for x in read.items if not x.used and c.degree in x.concepts), None)
            self.slot(0.6, 1.0 if word is not None else 0.0)
            if word is not None:
                word.used = True

    def link(self, s: Sentence, read: ReadClause | None) -> None:
        wanted = LINKS.get(s.link)
        if wanted is None:
            assert s.sub is not None
            wanted = WHEN_PAST if s.sub.tense in ("past", "perfect") else WHEN_PRESENT
        lead = read.lead if read is not None else ""
        share = 1.0 if lead in wanted else 0.0
        if read is not None and s.link == "when" and lead == "wenn" and wanted is WHEN_PAST:
            share = 0.3
        if read is not None and not share and s.link in ("and", "but", "because", "although"):
            share = self.linked_elsewhere(s, wanted)
        self.slot(1.0, share)
        if lead and not share and read is not None:
            self.facts += 0.4

    def linked_elsewhere(self, s: Sentence, wanted: tuple[str, ...]) -> float:
        """aber said inside the clause, or trotzdem, deshalb in the other one."""
        for clause in self.r.clauses:
            if clause.lead in wanted and clause.lead:
                return 0.4
            if any(x.kind == "C" and x.lead in wanted for x in clause.items):
                return 1.0  # Tom kann jedoch nicht kommen
            for x in clause.items:
                if x.kind == "A" and (
                    (s.link == "because" and "so" in x.concepts) or (s.link == "although" and "although" in x.concepts)
                ):
                    x.used = True
                    return 1.0
        return 0.0

    def leftovers(self) -> None:
        """What the response says and the meaning does not."""
        names = numbers = times = 0
        for clause in self.r.clauses:
            for x in clause.items:
                if x.lower:
                    self.fluency += 1
                if x.used or x.kind in "FSCP":
                    if x.kind == "F" and x.mask == 0:
                        self.agreement += 0.5
                    continue
                if x.kind == "N":
                    if x.names:
                        names += 1
                        self.extra += 1.0
                    elif x.pronouns or x.demonstrative:
                        self.extra += 0.7
                    else:
                        self.extra += 1.0 + 0.6 * len(x.adjectives)
                        if x.mask == 0:
                            self.agreement += 0.5
                        if not x.concepts.isdisjoint(TIME_CONCEPTS):
                            times += 1
                    if x.count > 1:
                        numbers += 1
                    if x.owner:
                        names += 1
                elif x.kind in ("T", "D"):
                    self.extra += 1.0
                    times += x.kind == "T"
                    numbers += x.kind == "D"
                elif x.kind == "U":
                    self.extra += 1.3 if x.text.lower() in ENGLISH else 1.0
                elif x.kind == "V":
                    self.extra += 1.0
                elif x.kind == "X":
                    self.extra += 0.4
                else:
                    self.extra += 0.7
                    if x.concepts & TIME_ADVERBS:
                        times += 1
        self.facts += 0.8 * names if not self.lost_name else 1.1 * names
        self.facts += (1.2 if self.lost_number else 0.6) * numbers
        if self.lost_time and times:
            self.facts += 1.0
        elif times:
            self.facts += 0.4 * times
        if self.r.cut:
            self.extra += 50

    def surface(self, text: str, meaning: Meaning) -> None:
        """Capitals at the start, a stop at the end, commas before subordinate clauses."""
        stripped = text.rstrip().rstrip("\"'»“)")
        if self.r.low_start:
            self.fluency += 1
        question = meaning.sentences[-1].mood not in ("tell", "order")
        if not stripped.endswith(("?",) if question else (".", "!")):
            self.fluency += 1
            self.order += question
        for clause in self.r.clauses:
            if clause.kind == "sub" and clause.lead != "als" and clause.items:
                before = clause.items[0].index - 2
                if before >= 0 and self.r.tokens[before] not in ".,?!;:" and self.r.forms[before].conjunction is None:
                    self.fluency += 1
            if clause.kind == "frag":
                self.order += 1.5
        self.order += max(0.8 * self.r.stray_commas, 2.2 * self.r.stray_commas - 1.4)  # one is a slip, more are a list
        self.capitals()

    def capitals(self) -> None:
        """Small words with a capital inside a sentence, and sentences that begin small."""
        start = True
        for token, low, f in zip(self.r.tokens, self.r.lows, self.r.forms, strict=True):
            if token in ".!?:;,":
                start = start or token in ".!?:"
                continue
            if start:
                self.fluency += token[0].islower() and token != self.r.tokens[0]
            elif (
                token[0].isupper()
                and not f.nouns
                and f.name is None
                and (f.verbs or f.determiner or f.adverb or f.preposition or f.wh or f.negation)
            ):
                self.fluency += low not in POLITE
            start = False

    def result(self) -> tuple[float, dict[str, float]]:
        adequacy = self.got / self.total if self.total else 0.0
        components = {
            "adequacy": adequacy**1.5,
            "additions": 1.0 / (1.0 + 1.2 * self.extra / self.total) if self.total else 0.0,
            "agreement": AGREEMENT**self.agreement,
            "order": ORDER**self.order,
            "negation_numbers": FACT**self.facts,
            "fluency": max(0.7, 1.0 - 0.05 * self.fluency),
        }
        score = 1.0
        for value in components.values():
            score *= value
        return min(1.0, max(0.0, score)), components


POLITE = frozenset(listed("sie ihnen ihr ihre ihren ihrem ihrer ihres uhr hause"))


def owns(meaning: Meaning) -> bool:
    """Whether a German ihr could mean her, their or your."""
    for s in meaning.sentences:
        for c in (s.main, s.sub, s.main.subject.rel):
            if c is not None:
                for p in (c.subject, c.obj, c.recipient, c.than, *(x.phrase for x in c.circumstances)):
                    if p is not None and p.det in ("her", "their", "your"):
                        return True
    return False


def judge_text(text: str, meaning: Meaning) -> tuple[float, dict[str, float]]:
    """(score in [0, 1], components) of a German text for a meaning."""
    judge = Judge(text, meaning)
    if not judge.r.tokens:
        return 0.0, dict.fromkeys(COMPONENTS, 0.0)
    judge.compare(meaning)
    judge.surface(text, meaning)
    return judge.result()
