"""Writes a meaning out in German; a `Style` says which of the right ways.

Constituents are rendered once per clause and then laid out: verb second in main clauses, verb last in subordinate
ones, the middle field from pronouns over times and objects to places and directions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from textgym.tasks.translate import words
from textgym.tasks.translate.lexicon import (
    ACC,
    ADJECTIVES,
    CONTRACTED,
    DAT,
    DER,
    DIESER,
    EIN,
    MIXED,
    MODAL_TEXTS,
    MODALS,
    NOM,
    NOUNS,
    PERSONS,
    POSSESSIVES,
    PRONOUNS,
    STRONG,
    VERBS,
    WEAK,
    VerbOption,
)
from textgym.tasks.translate.meaning import Circumstance, Clause, Meaning, Phrase, Sentence
from textgym.tasks.translate.morphology import (
    IRREGULAR_PRESENT,
    Noun,
    Verb,
    adjective_stem,
    german_number,
    german_ordinal,
    make_verb,
)
from textgym.tasks.translate.words import listed

GERMAN_TIMES = {k: tuple(v.split("/")) for k, v, _, _ in (line.split("|") for line in words.TIMES.strip().splitlines())}
GERMAN_ADVERBS = {
    k: tuple(v.split("/"))
    for table in (words.FREQUENCIES, words.MANNERS)
    for k, v in (line.split("|") for line in table.strip().splitlines())
}
MODAL_VERBS = {v.infinitive: v for v in (make_verb(t) for t in MODAL_TEXTS)}
MODAL_VERBS["möchten"] = Verb(
    "möchten", "", "möchten", IRREGULAR_PRESENT["möchten"], MODAL_VERBS["wollen"].past, "", "", False
)
SEIN = VERBS["be"].options[0].verb
HABEN = VERBS["have"].options[0].verb
WERDEN = VERBS["become"].options[0].verb
ON = {"on": "auf", "under": "unter", "next to": "neben", "behind": "hinter", "in front of": "vor"}
PLACE_IN = {n: "an" if "an" in e.tags else "auf" if "auf" in e.tags else "in" for n, e in NOUNS.items()}
PLACE_TO = {n: next((d for d in ("in", "zu", "auf", "an") if f"dir{d}" in e.tags), "in") for n, e in NOUNS.items()}
SUBORDINATORS = {"because": "weil", "although": "obwohl", "if": "wenn", "while": "während", "that": "dass"}
UPRIGHT = frozenset(listed("bottle glass cup basket plate"))  # gestellt, not gelegt
TIMELIKE = frozenset(listed("time weekday clock date month ago after freq"))
WH = {"when": "wann", "why": "warum", "who": "wer", "what": "was"}
# second German verbs that fit wherever the first does
SECOND_FITS = frozenset(
    [
        "buy",
        "open",
        "close",
        "need",
        "clean",
        "talk about",
        "come back",
        "arrive",
        "live",
        "wake up",
        "send",
        "sign",
        "turn on",
        "turn off",
        "get",
    ]
)


@dataclass(frozen=True, slots=True)
class Style:
    """Choices that the English leaves open."""

    you: str = "du"  # du, ihr, Sie
    past: str = "preterite"  # or "perfect"; "to be", "to have" and modals keep the preterite
    future: str = "werden"  # or "present"
    verb: int = 0  # which German verb, where the second fits
    noun: int = 0  # which German noun
    adjective: int = 0
    time: int = 0  # which wording of a time
    front: int = -2  # circumstance in first place: -1 none, -2 as in the English
    contract: bool = True  # im, zum
    digits: bool = False
    dass: bool = True
    wie: int = 0


DEFAULT = Style()


@dataclass(slots=True)
class Parts:
    """A clause in pieces."""

    subject: str
    finite: str
    tail: str  # participle, infinitive, or separated prefix; "" for none
    joined: str  # finite form for the end of a subordinate clause, prefix joined
    middle: list[str]
    timed: dict[int, str]  # circumstance index -> its words, those that can stand first
    order: list[int]  # circumstance index of each middle entry, -1 for others


class German:
    """Writes clauses in one style. Subclasses with bad habits override single methods."""

    def __init__(self, style: Style = DEFAULT) -> None:
        self.style = style

    # --- phrases ---

    def noun_of(self, head: str) -> Noun:
        options = NOUNS[head].options
        k = self.style.noun
        return (
            options[k]
            if k and k < len(options) and "mass" not in NOUNS[head].tags and options[k].plural
            else options[0]
        )

    def gender(self, head: str, noun: Noun) -> str:
        return noun.gender

    def ending(self, table: Mapping[str, tuple[str, ...]], gender: str, case: int) -> str:
        return table[gender][case]

    def number(self, n: int) -> str:
        return str(n) if self.style.digits else german_number(n)

    def phrase(self, p: Phrase, case: int, negative: bool = False) -> str:
        head = p.head
        entry = NOUNS.get(head)
        if entry is None:
            return self.pronoun(p, case) if head in PERSONS else self.proper(head, case)
        noun = self.noun_of(head)
        plural = p.plural
        gender = "p" if plural else self.gender(head, noun)
        word = (noun.plural or noun.singular)[case] if plural else noun.singular[case]
        det = p.det
        adj_table = WEAK
        if negative:
            first = "kein" + EIN[gender][case]
            adj_table = MIXED
        elif p.count:
            first, adj_table = self.number(p.count), STRONG
        elif det == "the":
            first = DER[gender][case]
        elif det == "a":
            first, adj_table = "ein" + EIN[gender][case], MIXED
        elif det == "this":
            first = "dies" + DIESER[gender][case]
        elif det in POSSESSIVES:
            first, adj_table = self.possessive(det, EIN[gender][case]), MIXED
        elif det.endswith("'s"):
            first, adj_table = det[:-2] + "s", STRONG
        else:
            first, adj_table = "", STRONG
        if p.adj:
            word = f"{self.adjective(p.adj, adj_table, gender, case)} {word}"
        out = f"{first} {word}" if first else word
        if p.rel is not None:
            return f"{out}, {DER[gender][NOM]} {self.relative(p.rel)},"
        return out

    def possessive(self, det: str, ending: str) -> str:
        stem = POSSESSIVES[det]
        if det == "your" and self.style.you != "du":
            stem = "Ihr" if self.style.you == "Sie" else "eur" if ending else "euer"
        return stem + ending

    def adjective(self, adj: str, table: Mapping[str, tuple[str, ...]], gender: str, case: int) -> str:
        options = ADJECTIVES[adj].options
        k = self.style.adjective
        base = options[k if k < len(options) else 0][0]
        return adjective_stem(base) + self.ending(table, gender, case)

    def pronoun(self, p: Phrase, case: int) -> str:
        return PRONOUNS[self.pronoun_key(p)][case]

    def pronoun_key(self, p: Phrase) -> str:
        head = p.head
        if head == "you":
            return self.style.you
        if head == "it":
            gender = self.noun_of(p.of).gender if p.of in NOUNS else "n"
            return {"m": "er", "f": "sie", "n": "es", "p": "sie_p"}[gender]
        return {"I": "ich", "he": "er", "she": "sie", "we": "wir", "they": "sie_p"}[head]

    def proper(self, head: str, case: int) -> str:
        if head == "who":
            return ("wer", "wen", "wem", "wessen")[case]
        if head == "what":
            return "was"
        if head.startswith("Mr "):
            return ("Herr " if case == NOM else "Herrn ") + head[3:]
        if head.startswith("Mrs "):
            return "Frau " + head[4:]
        return head

    def with_preposition(self, preposition: str, p: Phrase, case: int) -> str:
        text = self.phrase(p, case)
        if p.det == "the" and not p.count and self.style.contract:
            article, _, rest = text.partition(" ")
            short = CONTRACTED.get((preposition, article))
            if short is not None and not (short == "ans" and "pers" in NOUNS[p.head].tags):
                return f"{short} {rest}"
        return f"{preposition} {text}"

    def circumstance(self, c: Circumstance) -> str:
        kind, word, k = c.kind, c.word, self.style.time
        if kind == "time":
            options = GERMAN_TIMES[word]
            return options[k if k < len(options) else 0]
        if kind in ("freq", "manner"):
            options = GERMAN_ADVERBS[word]
            return options[k if k < len(options) else 0]
        if kind == "weekday":
            return f"am {NOUNS[word].options[0].word}"
        if kind == "clock":
            return "um " + self.clock(c.value)
        if kind == "date":
            day = f"{c.value}." if k == 0 else german_ordinal(c.value) + "en"
            return f"am {day} {NOUNS[word].options[0].word}"
        if kind == "month":
            return f"im {NOUNS[word].options[0].word}"
        if kind in ("ago", "after"):
            return f"{'vor' if kind == 'ago' else 'in'} {self.number(c.value)} {NOUNS[word].options[0].plural[DAT]}"  # type: ignore[index]
        if kind == "city":
            return "in " + words.CITIES[word]
        if kind == "dircity":
            return "nach " + words.CITIES[word]
        if kind == "home":
            return "zu Hause"
        if kind == "dirhome":
            return "nach Hause"
        if kind == "by":
            return self.with_preposition("mit", Phrase(word, "the"), DAT)
        assert c.phrase is not None
        if kind == "place":
            return self.with_preposition(PLACE_IN[c.phrase.head], c.phrase, DAT)
        if kind == "dir":
            preposition = PLACE_TO[c.phrase.head]
            return self.with_preposition(preposition, c.phrase, DAT if preposition == "zu" else ACC)
        if kind == "with":
            return self.with_preposition("mit", c.phrase, DAT)
        if kind == "for":
            return self.with_preposition("für", c.phrase, ACC)
        return self.with_preposition(ON[word], c.phrase, ACC if kind == "onto" else DAT)

    def clock(self, minutes: int) -> str:
        hour, minute = divmod(minutes, 60)
        if self.style.time == 1:
            return f"{hour} Uhr" if not minute else f"{hour}:{minute:02d} Uhr"
        name = german_number(hour)
        following = german_number(hour % 12 + 1)
        if minute == 0:
            return ("ein" if hour == 1 else name) + " Uhr"
        return (
            f"halb {following}"
            if minute == 30
            else f"Viertel nach {name}"
            if minute == 15
            else f"Viertel vor {following}"
        )

    # --- verbs ---

    def option(self, c: Clause) -> VerbOption:
        options = VERBS[c.verb].options
        if c.verb == "answer" and c.obj is not None and c.obj.head in NOUNS and "pers" not in NOUNS[c.obj.head].tags:
            return options[1]
        if c.verb == "put on" and c.obj is not None and c.obj.head in ("hat", "scarf"):
            return options[1 if c.obj.head == "hat" else 2]
        if c.verb == "put" and c.obj is not None and c.obj.head in UPRIGHT:
            return options[1]
        if c.verb == "go" and any(x.kind in ("dircity", "by") for x in c.circumstances):
            return options[1]
        if c.verb == "eat" and c.subject.head in NOUNS and "anim" in NOUNS[c.subject.head].tags:
            return options[2]
        return options[1] if self.style.verb == 1 and c.verb in SECOND_FITS else options[0]

    def person(self, p: Phrase) -> int:
        head = p.head
        if head == "you":
            return {"du": 1, "ihr": 4, "Sie": 5}[self.style.you]
        if head in PERSONS:
            return PERSONS[head]
        return 5 if p.plural or p.count > 1 else 2

    def verb_forms(self, c: Clause, verb: Verb, person: int) -> tuple[str, str, str]:
        """(finite form in second place, what closes the clause, the whole verb at the end of a subordinate clause)."""
        prefix, infinitive = verb.prefix, verb.prefix + verb.infinitive
        tense = c.tense
        if c.modal:
            modal = MODAL_VERBS[MODALS[c.modal][0]]
            finite = modal.past[person] if tense == "past" else modal.present[person]
            return finite, infinitive, f"{infinitive} {finite}"
        if tense == "future" and self.style.future == "werden":
            finite = WERDEN.present[person]
            return finite, infinitive, f"{infinitive} {finite}"
        if tense == "perfect" or (
            tense == "past"
            and self.style.past == "perfect"
            and c.verb not in ("be", "have", "know that", "cost", "belong to")
        ):
            finite = (SEIN if verb.sein else HABEN).present[person]
            return finite, verb.participle, f"{verb.participle} {finite}"
        finite = self.finite(c, verb, person)
        return finite, prefix, prefix + finite

    def finite(self, c: Clause, verb: Verb, person: int) -> str:
        return verb.past[person] if c.tense == "past" else verb.present[person]

    # --- clauses ---

    def objects(self, c: Clause, frame: str, kein: bool) -> tuple[list[str], list[str], list[str]]:
        """(pronouns, noun objects, prepositional objects)."""
        pronouns: list[str] = []
        nouns: list[str] = []
        late: list[str] = []
        if c.obj is not None and c.obj.head != "what":
            if "+" in frame:
                preposition, case = frame.split("+")
                late.append(self.with_preposition(preposition, c.obj, ACC if case == "a" else DAT))
            else:
                text = self.phrase(c.obj, DAT if frame == "d" else ACC, kein)
                (pronouns if c.obj.head in PERSONS else nouns).append(text)
        if c.recipient is not None:
            text = self.phrase(c.recipient, DAT)
            if c.recipient.head in PERSONS:
                pronouns.append(text)
            else:
                nouns.insert(0, text)
        return pronouns, nouns, late

    def parts(self, c: Clause) -> Parts:
        option = self.option(c)
        verb, frame = option
        finite, tail, joined = self.verb_forms(c, verb, self.person(c.subject))
        kein = self.negates(c) and self.takes_kein(c, frame)
        pronouns, nouns, late = self.objects(c, frame, kein)
        timed: dict[int, str] = {}
        early: list[tuple[int, str]] = []
        manner: list[tuple[int, str]] = []
        places: list[tuple[int, str]] = []
        for i, x in enumerate(c.circumstances):
            text = self.circumstance(x)
            if not text:
                continue
            if x.kind in TIMELIKE:
                early.append((i, text))
            elif x.kind in ("manner", "with", "for", "by"):
                manner.append((i, text))
            else:
                places.append((i, text))
            if x.kind not in ("dir", "dircity", "dirhome", "onto", "manner", "on"):
                timed[i] = text
        middle = [*((-1, t) for t in pronouns), *early, *((-1, t) for t in nouns)]
        if self.negates(c) and not kein:
            middle.append((-1, "nicht"))
        middle += [*manner, *((-1, t) for t in late), *places]
        if c.predicate:
            middle.append((-1, self.predicate(c)))
        subject = "" if c.subject.det == "rel" else self.phrase(c.subject, NOM)
        return Parts(subject, finite, tail, joined, [t for _, t in middle], timed, [i for i, _ in middle])

    def negates(self, c: Clause) -> bool:
        return c.negated

    @staticmethod
    def takes_kein(c: Clause, frame: str) -> bool:
        return (
            c.obj is not None
            and frame in ("a", "da")
            and c.obj.det in ("a", "")
            and not c.obj.count
            and c.obj.head in NOUNS
        )

    def predicate(self, c: Clause) -> str:
        options = ADJECTIVES[c.predicate].options
        k = self.style.adjective
        base, comparative = options[k if k < len(options) else 0]
        if c.degree == "more":
            assert c.than is not None
            return f"{comparative} als {self.phrase(c.than, NOM)}"
        return f"{'sehr' if c.degree == 'very' else 'zu'} {base}" if c.degree else base

    def relative(self, c: Clause) -> str:
        parts = self.parts(c)
        return " ".join((*parts.middle, parts.joined))

    def subordinate(self, c: Clause) -> str:
        parts = self.parts(c)
        return " ".join((parts.subject, *parts.middle, parts.joined))

    def second(self, c: Clause, front: int, inverted: bool = False) -> str:
        """A main clause; `inverted` when a subordinate clause or question word stands before it."""
        parts = self.parts(c)
        middle = parts.middle
        if inverted:
            first = [parts.finite, parts.subject]
        elif front >= 0 and front in parts.timed:
            middle = [t for t, i in zip(middle, parts.order, strict=True) if i != front]
            first = [parts.timed[front], parts.finite, parts.subject]
        else:
            first = [parts.subject, parts.finite]
        return " ".join(w for w in (*first, *middle, parts.tail) if w)

    def front_of(self, s: Sentence) -> int:
        return s.front if self.style.front == -2 else self.style.front

    def sentence(self, s: Sentence) -> str:
        c = s.main
        if s.mood == "tell":
            text = self.told(s)
            end = "."
        elif s.mood == "order":
            text, end = self.ordered(c), "."
        else:
            end = "?"
            if s.mood == "ask":
                text = self.second(c, -1, True)
            elif s.mood == "who":
                text = self.second(c, -1)
            else:
                text = f"{self.question_word(s)} {self.second(c, -1, True)}"
        text = text.replace(",,", ",").rstrip(",").replace(" ,", ",")
        return text[0].upper() + text[1:] + end

    def question_word(self, s: Sentence) -> str:
        if s.mood == "where":
            return "wohin" if "dir" in VERBS[s.main.verb].objects else "wo"
        return WH[s.mood]

    def told(self, s: Sentence) -> str:
        c = s.main
        if s.sub is None:
            return self.second(c, self.front_of(s))
        if s.link in ("and", "but"):
            link = " und " if s.link == "and" else ", aber "
            return self.second(c, self.front_of(s)).rstrip(",") + link + self.second(s.sub, -1)
        if s.link == "that" and not self.style.dass and not c.negated:
            return f"{self.second(c, -1)}, {self.second(s.sub, -1)}"
        sub = self.linked(s)
        if s.sub_first:
            return f"{sub}, {self.second(c, -1, True)}"
        return f"{self.second(c, self.front_of(s))}, {sub}"

    def linked(self, s: Sentence) -> str:
        assert s.sub is not None
        word = SUBORDINATORS.get(s.link) or ("als" if s.sub.tense in ("past", "perfect") else "wenn")
        return f"{word} {self.subordinate(s.sub)}"

    def ordered(self, c: Clause) -> str:
        parts = self.parts(c)
        verb = self.option(c).verb
        you = self.style.you
        first = verb.imperative if you == "du" else verb.present[4] if you == "ihr" else f"{verb.infinitive} Sie"
        return " ".join(w for w in (first, *parts.middle, verb.prefix) if w)

    def write(self, meaning: Meaning) -> str:
        return " ".join(self.sentence(s) for s in meaning.sentences)


def styles_for(meaning: Meaning) -> Iterator[Style]:
    """The styles worth writing for a meaning: the plain one first, then one choice changed at a time."""
    yield DEFAULT
    clauses = [c for s in meaning.sentences for c in (s.main, s.sub) if c is not None]
    first = meaning.sentences[0]
    if any(c.tense == "past" for c in clauses):
        yield replace(DEFAULT, past="perfect")
    if first.mood == "tell":
        fronted = [
            i for i, x in enumerate(first.main.circumstances) if x.kind in TIMELIKE or x.kind in ("place", "city")
        ]
        if (
            fronted
            and not first.sub_first
            and len(meaning.sentences) == 1
            and first.main.circumstances[fronted[0]].word != "never"
        ):
            yield replace(DEFAULT, front=-1 if first.front >= 0 else fronted[0])
    if any(c.tense == "future" for c in clauses):
        yield replace(DEFAULT, future="present")
    if says_you(meaning):
        yield replace(DEFAULT, you="Sie")
        yield replace(DEFAULT, you="ihr")
    if any(c.verb in SECOND_FITS for c in clauses):
        yield replace(DEFAULT, verb=1)
    if any(x.kind in ("time", "clock", "date", "freq", "manner") for c in clauses for x in c.circumstances):
        yield replace(DEFAULT, time=1)
    if any(s.link == "that" for s in meaning.sentences):
        yield replace(DEFAULT, dass=False)


def says_you(meaning: Meaning) -> bool:
    """Whether the English has a "you" that German divides into du, ihr and Sie."""
    for s in meaning.sentences:
        for c in (s.main, s.sub):
            if c is None:
                continue
            for p in (c.subject, c.obj, c.recipient, c.than, *(x.phrase for x in c.circumstances)):
                if p is not None and (
                    p.head == "you" or p.det == "your" or (p.rel is not None and says_you(Meaning((Sentence(p.rel),))))
                ):
                    return True
    return False


def write_references(meaning: Meaning, most: int = 8) -> tuple[str, ...]:
    """Up to `most` right German sentences, all different, the best first."""
    out: list[str] = []
    for style in styles_for(meaning):
        text = German(style).write(meaning)
        if text not in out:
            out.append(text)
        if len(out) >= most:
            break
    return tuple(out)
