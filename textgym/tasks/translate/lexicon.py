"""The lexicon over the word lists: every form a word can take (`morphology`), and what each form can be.

A noun form, article or adjective carries a 16-bit mask over (case, gender or plural); a noun phrase agrees where the
masks of its words have a bit in common. `FORMS` maps each lower-case German form to its readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from textgym.tasks.translate import words
from textgym.tasks.translate.morphology import (
    IRREGULAR_PRESENT,
    Noun,
    Verb,
    adjective_stem,
    german_number,
    make_adjective,
    make_noun,
    make_verb,
)
from textgym.tasks.translate.words import listed

NOM, ACC, DAT, GEN = 0, 1, 2, 3
CASES = (NOM, ACC, DAT, GEN)
GENDERS = "mfnp"  # masculine, feminine, neuter, plural


def mask_of(cases: str = "nadg", genders: str = GENDERS) -> int:
    """The mask with a bit for each given case (n, a, d, g) and gender (m, f, n, p)."""
    return sum(1 << ("nadg".index(c) * 4 + GENDERS.index(g)) for c in cases for g in genders)


ANY = mask_of()
CASE = tuple(mask_of(c) for c in "nadg")  # case -> mask
PLURAL = mask_of(genders="p")
SINGULAR = mask_of(genders="mfn")


class NounEntry(NamedTuple):
    """What one English noun can be in German."""

    english: str
    english_plural: str
    options: tuple[Noun, ...]
    tags: frozenset[str]


class VerbOption(NamedTuple):
    verb: Verb
    frame: str


class VerbEntry(NamedTuple):
    """What one English verb can be in German, and what may be its subject and objects."""

    english: str  # the concept, with its particle
    base: str
    past: str
    participle: str
    particle: str
    options: tuple[VerbOption, ...]
    subjects: tuple[str, ...]
    objects: tuple[str, ...]  # tags, or one of loc, dir, on
    recipients: tuple[str, ...]


class AdjectiveEntry(NamedTuple):
    english: str
    comparative: str
    options: tuple[tuple[str, str], ...]  # (base form, comparative)
    kinds: frozenset[str]


def _lines(table: str) -> list[list[str]]:
    return [line.split("|") for line in table.strip().splitlines()]


PARTICLES = frozenset(listed("up on off away along for to about of at in part asleep back out that"))


def _plural(english: str) -> str:
    if english.endswith("y") and english[-2] not in "aeou":
        return english[:-1] + "ies"
    return english + ("es" if english.endswith(("s", "x", "ch", "sh")) else "s")


def _read_nouns() -> dict[str, NounEntry]:
    out = {}
    for head, options, tags in _lines(words.NOUNS):
        english, _, plural = head.partition(":")
        nouns = tuple(make_noun(o) for o in options.split("/"))
        out[english] = NounEntry(english, plural or _plural(english), nouns, frozenset(tags.split()))
    return out


def _regular_past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in "aeou":
        return base[:-1] + "ied"
    return base + "ed"


def _read_verbs() -> dict[str, VerbEntry]:
    out = {}
    for fields in _lines(words.VERBS):
        head, options, subjects, objects, recipients = (*fields, "", "")[:5]
        base, *rest = head.split()
        particle = " ".join(w for w in rest if w in PARTICLES)
        forms = [w for w in rest if w not in PARTICLES]
        past, participle = (forms[0], forms[-1]) if forms else (_regular_past(base),) * 2
        concept = f"{base} {particle}".strip()
        german = []
        for option in options.split("/"):
            form, frame = option.rsplit(" ", 1) if "+" not in option else option.split(" ", 1)
            german.append(VerbOption(make_verb(form), frame))
        out[concept] = VerbEntry(
            concept,
            base,
            past,
            participle,
            particle,
            tuple(german),
            tuple(subjects.split()),
            tuple(objects.split()),
            tuple(recipients.split()),
        )
    return out


def _read_adjectives() -> dict[str, AdjectiveEntry]:
    out = {}
    for head, options, kinds in _lines(words.ADJECTIVES):
        english, comparative = head.split(":")
        german = tuple(make_adjective(o) for o in options.split("/"))
        out[english] = AdjectiveEntry(english, comparative, german, frozenset(kinds.split()))
    return out


NOUNS = _read_nouns()
VERBS = _read_verbs()
ADJECTIVES = _read_adjectives()

# --- closed classes -------------------------------------------------------------------------------------------------

DER = {
    "m": ("der", "den", "dem", "des"),
    "f": ("die", "die", "der", "der"),
    "n": ("das", "das", "dem", "des"),
    "p": ("die", "die", "den", "der"),
}
DIESER = {
    "m": ("er", "en", "em", "es"),
    "f": ("e", "e", "er", "er"),
    "n": ("es", "es", "em", "es"),
    "p": ("e", "e", "en", "er"),
}
EIN = {"m": ("", "en", "em", "es"), "f": ("e", "e", "er", "er"), "n": ("", "", "em", "es"), "p": ("e", "e", "en", "er")}
WEAK = {"m": ("e", "en", "en", "en"), "f": ("e", "e", "en", "en"), "n": ("e", "e", "en", "en"), "p": ("en",) * 4}
MIXED = {"m": ("er", "en", "en", "en"), "f": ("e", "e", "en", "en"), "n": ("es", "es", "en", "en"), "p": ("en",) * 4}
STRONG = {
    "m": ("er", "en", "em", "en"),
    "f": ("e", "e", "er", "er"),
    "n": ("es", "es", "em", "en"),
    "p": ("e", "e", "en", "er"),
}
ENDINGS = {"weak": WEAK, "mixed": MIXED, "strong": STRONG}


def _mask_by_form(table: Mapping[str, tuple[str, ...]], stem: str = "") -> dict[str, int]:
    out: dict[str, int] = {}
    for g, forms in table.items():
        for case, form in enumerate(forms):
            key = stem + form
            out[key] = out.get(key, 0) | 1 << (case * 4 + GENDERS.index(g))
    return out


ADJECTIVE_MASKS = {kind: _mask_by_form(table) for kind, table in ENDINGS.items()}  # kind -> ending -> mask

POSSESSIVES = {"my": "mein", "your": "dein", "his": "sein", "her": "ihr", "its": "sein", "our": "unser", "their": "ihr"}
PERSONS = {"I": 0, "you": 1, "he": 2, "she": 2, "it": 2, "we": 3, "they": 5}
# German personal pronouns by case: nominative, accusative, dative
PRONOUNS = {
    "ich": ("ich", "mich", "mir"),
    "du": ("du", "dich", "dir"),
    "er": ("er", "ihn", "ihm"),
    "sie": ("sie", "sie", "ihr"),
    "es": ("es", "es", "ihm"),
    "wir": ("wir", "uns", "uns"),
    "ihr": ("ihr", "euch", "euch"),
    "sie_p": ("sie", "sie", "ihnen"),
    "Sie": ("Sie", "Sie", "Ihnen"),
}
PREPOSITIONS = {  # word -> cases it takes
    **dict.fromkeys(listed("durch für gegen ohne um bis per"), CASE[ACC]),
    **dict.fromkeys(listed("aus bei mit nach seit von zu gegenüber"), CASE[DAT]),
    **dict.fromkeys(listed("an auf hinter in neben über unter vor zwischen"), CASE[ACC] | CASE[DAT]),
    **dict.fromkeys(listed("wegen trotz während statt"), CASE[GEN] | CASE[DAT]),
}
CONTRACTIONS = {  # word -> (preposition, mask of its article)
    "im": ("in", mask_of("d", "mn")),
    "am": ("an", mask_of("d", "mn")),
    "zum": ("zu", mask_of("d", "mn")),
    "zur": ("zu", mask_of("d", "f")),
    "beim": ("bei", mask_of("d", "mn")),
    "vom": ("von", mask_of("d", "mn")),
    "ins": ("in", mask_of("a", "n")),
    "ans": ("an", mask_of("a", "n")),
    "aufs": ("auf", mask_of("a", "n")),
    "fürs": ("für", mask_of("a", "n")),
    "ums": ("um", mask_of("a", "n")),
    "übers": ("über", mask_of("a", "n")),
    "unters": ("unter", mask_of("a", "n")),
    "hinters": ("hinter", mask_of("a", "n")),
    "unterm": ("unter", mask_of("d", "mn")),
    "hinterm": ("hinter", mask_of("d", "mn")),
    "vorm": ("vor", mask_of("d", "mn")),
    "überm": ("über", mask_of("d", "mn")),
    "vors": ("vor", mask_of("a", "n")),
}
CONTRACTED = {(p, "dem"): w for w, (p, m) in CONTRACTIONS.items() if w in ("im", "am", "zum", "beim", "vom")}
CONTRACTED |= {("zu", "der"): "zur", ("in", "das"): "ins", ("an", "das"): "ans", ("auf", "das"): "aufs"}

# --- the full-form lexicon ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Form:
    """All that one lower-case German word form can be."""

    nouns: list[tuple[Noun, frozenset[str], int]] = field(default_factory=list)  # noun, concepts, mask
    adjectives: list[tuple[frozenset[str], str | None, bool]] = field(
        default_factory=list
    )  # concepts, ending, comparative
    determiner: tuple[frozenset[str], int, str] | None = None  # concepts, mask, ending class of what follows
    pronouns: list[tuple[str, int, int]] = field(default_factory=list)  # key, mask, person bits
    verbs: list[tuple[str, str, str, int]] = field(
        default_factory=list
    )  # lemma, kind (fin inf part imp), tense, persons
    preposition: tuple[str, int, int] | None = None  # word, cases, article mask (0: none contracted)
    adverb: tuple[str, ...] | None = None  # concepts
    number: int | None = None
    name: str | None = None
    conjunction: str | None = None  # "sub" or "co"
    wh: str | None = None
    particle: bool = False
    free: bool = False
    negation: bool = False


FORMS: dict[str, Form] = {}
VERB_CONCEPTS: dict[str, dict[str, str]] = {}  # German lemma -> English concept -> frame
SEPARABLE: dict[str, set[str]] = {}  # prefix -> base infinitives
COLLECTED: dict[str, set[str]] = {}


def form(word: str) -> Form:
    low = word.lower()
    found = FORMS.get(low)
    if found is None:
        found = FORMS[low] = Form()
    return found


def _noun_forms(noun: Noun) -> dict[str, int]:
    out: dict[str, int] = {}
    gender = GENDERS.index(noun.gender)
    for case in CASES:
        word = noun.singular[case]
        out[word] = out.get(word, 0) | 1 << (case * 4 + gender)
        if noun.plural:
            word = noun.plural[case]
            out[word] = out.get(word, 0) | 1 << (case * 4 + 3)
    if noun.gender in "mn" and not noun.singular[3].endswith("es"):
        out[noun.word + "es"] = out.get(noun.word + "es", 0) | 1 << (GEN * 4 + gender)
    return out


def _add_nouns() -> None:
    concepts: dict[Noun, set[str]] = {}
    for entry in NOUNS.values():
        for noun in entry.options:
            concepts.setdefault(noun, set()).add(entry.english)
    for head, options in _lines(words.ALSO_NOUNS):
        for option in options.split("/"):
            concepts.setdefault(make_noun(option), set()).add(head)
    for line in words.MORE_NOUNS.strip().splitlines():
        for option in line.split("/"):
            concepts.setdefault(make_noun(option), set())
    for noun, english in concepts.items():
        key = frozenset(english)
        for word, mask in _noun_forms(noun).items():
            form(word).nouns.append((noun, key, mask))


def _add_verb(verb: Verb, concepts: dict[str, str]) -> None:
    lemma = verb.lemma
    VERB_CONCEPTS.setdefault(lemma, {}).update(concepts)
    known = COLLECTED.setdefault("verbs", set())
    if verb.prefix:
        SEPARABLE.setdefault(verb.prefix, set()).add(verb.infinitive)
        form(verb.prefix).particle = True
    targets = [(lemma, verb.prefix)] + ([(verb.infinitive, "")] if verb.prefix else [])
    for name, prefix in targets:
        if name in known:
            continue
        known.add(name)
        base_participle = verb.participle[len(verb.prefix) :] if name == verb.infinitive else verb.participle
        seen: dict[tuple[str, str, str], int] = {}
        for tense, forms in (("present", verb.present), ("past", verb.past)):
            for person, word in enumerate(forms):
                key = (prefix + word, "fin", tense)
                seen[key] = seen.get(key, 0) | 1 << person
        imperatives = {verb.imperative, verb.imperative + "e", verb.imperative.removesuffix("e")}
        for word in sorted(imperatives):
            seen[(prefix + word, "imp", "present")] = 1 << 1
        seen[(prefix + verb.infinitive, "inf", "")] = 0
        if prefix:
            seen[(prefix + "zu" + verb.infinitive, "inf", "")] = 0
        seen[(base_participle, "part", "")] = 0
        for (word, kind, tense), persons in seen.items():
            form(word).verbs.append((name, kind, tense, persons))


def _add_verbs() -> None:
    for entry in VERBS.values():
        for verb, frame in entry.options:
            _add_verb(verb, {entry.english: frame})
        if "dir" in entry.objects:  # wo fährt er hin?
            for verb, frame in entry.options:
                if not verb.prefix:
                    away = verb._replace(
                        lemma=f"hin|{verb.infinitive}", prefix="hin", participle="hin" + verb.participle
                    )
                    _add_verb(away, {entry.english: frame})
    for english, options in _lines(words.ALSO_VERBS):
        for option in options.split("/"):
            text, frame = option.rsplit(" ", 1)
            _add_verb(make_verb(text), {english: frame})
    for line in words.MORE_VERBS.strip().splitlines():
        for option in line.split(";"):
            text, _ = option.rsplit(" ", 1)
            _add_verb(make_verb(text), {})
    for text in MODAL_TEXTS:
        _add_verb(make_verb(text), {})
    for word, lemma, kind, tense, persons in EXTRA_VERB_FORMS:
        form(word).verbs.append((lemma, kind, tense, persons))


MODAL_TEXTS = (
    "können,kann,konnte,gekonnt",
    "müssen,muss,musste,gemusst",
    "wollen,will,wollte,gewollt",
    "dürfen,darf,durfte,gedurft",
    "sollen,soll,sollte,gesollt",
)
MODAL_PRESENT = {
    "können": ("kann", "kannst", "kann", "können", "könnt", "können"),
    "müssen": ("muss", "musst", "muss", "müssen", "müsst", "müssen"),
    "wollen": ("will", "willst", "will", "wollen", "wollt", "wollen"),
    "dürfen": ("darf", "darfst", "darf", "dürfen", "dürft", "dürfen"),
    "sollen": ("soll", "sollst", "soll", "sollen", "sollt", "sollen"),
    "möchten": ("möchte", "möchtest", "möchte", "möchten", "möchtet", "möchten"),
}
IRREGULAR_PRESENT.update(MODAL_PRESENT)
MODALS = {  # English -> German lemmas, the first is what the generator says
    "can": ("können",),
    "must": ("müssen",),
    "want to": ("wollen", "möchten"),
    "may": ("dürfen", "können"),
    "should": ("sollen",),
    "would like to": ("möchten", "würde", "wollen"),
}
EXTRA_VERB_FORMS = [
    (word, "möchten", "fin", "present", 1 << person)
    for person, word in enumerate(("möchte", "möchtest", "möchte", "möchten", "möchtet", "möchten"))
]
EXTRA_VERB_FORMS += [
    (word, "würde", "fin", "present", 1 << person)
    for person, word in enumerate(("würde", "würdest", "würde", "würden", "würdet", "würden"))
]
EXTRA_VERB_FORMS += [
    (word, "können", "fin", "present", 1 << person)
    for person, word in enumerate(("könnte", "könntest", "könnte", "könnten", "könntet", "könnten"))
]
EXTRA_VERB_FORMS += [
    ("bäckt", "backen", "fin", "present", 4),
    ("buk", "backen", "fin", "past", 5),
    ("gesandt", "senden", "part", "", 0),
]
EXTRA_VERB_FORMS += [
    ("gesendet", "senden", "part", "", 0),
    ("sendete", "senden", "fin", "past", 5),
    ("worden", "werden", "part", "", 0),
]
EXTRA_VERB_FORMS += [("erwirbst", "erwerben", "fin", "present", 2), ("seien", "sein", "imp", "present", 32)]


EXTRA_VERB_FORMS += [("sei", "sein", "fin", "present", 5)]  # reported speech


def _add_adjectives() -> None:
    concepts: dict[tuple[str, str], set[str]] = {}
    for entry in ADJECTIVES.values():
        for option in entry.options:
            concepts.setdefault(option, set()).add(entry.english)
    for (base, comparative), english in concepts.items():
        key = frozenset(english)
        if base not in ("letzt", "nächst", "vorig", "vergangen", "kommend"):
            form(base).adjectives.append((key, None, False))
            form(comparative).adjectives.append((key, None, True))
        stem = adjective_stem(base)
        for ending in ("e", "er", "en", "em", "es"):
            form(stem + ending).adjectives.append((key, ending, False))
            form(comparative + ending).adjectives.append((key, ending, True))


def _add_determiners() -> None:
    def add(word: str, concepts: str, mask: int, kind: str) -> None:
        entry = form(word)
        if entry.determiner is not None:
            mask |= entry.determiner[1]
            concepts = " ".join(sorted({*entry.determiner[0], *concepts.split()}))
        entry.determiner = (frozenset(concepts.split()), mask, kind)

    for word, mask in _mask_by_form(DER).items():
        add(word, "the", mask, "weak")
    for gender, articles in DER.items():
        for case, article in enumerate(articles):  # derjenige, denjenigen
            add(f"{article}jenig{WEAK[gender][case]}", "the", 1 << (case * 4 + GENDERS.index(gender)), "weak")
    for stem, concepts in (
        ("dies", "this"),
        ("jen", "this"),
        ("jed", "every"),
        ("welch", "which"),
        ("all", "all"),
        ("beid", "both"),
    ):
        for word, mask in _mask_by_form(DIESER, stem).items():
            add(word, concepts, mask, "weak")
    eins = (
        ("ein", "a"),
        ("kein", "no"),
        ("mein", "my"),
        ("dein", "your"),
        ("sein", "his its"),
        ("ihr", "her their your"),
        ("unser", "our"),
    )
    for stem, concepts in eins:
        for word, mask in _mask_by_form(EIN, stem).items():
            add(word, concepts, mask & ~PLURAL if stem == "ein" else mask, "mixed")
    for word, mask in _mask_by_form(EIN, "eur").items():
        add("euer" if word == "eur" else word, "your", mask, "mixed")
    for word, mask in _mask_by_form(EIN, "unsr").items():
        if word != "unsr":
            add(word, "our", mask, "mixed")
    for stem in ("einig", "viel", "mehrer", "manch"):
        for word, mask in _mask_by_form(DIESER, stem).items():
            add(word, "some" if stem == "einig" else "many", mask & PLURAL, "strong")
    for word in ("etwas",):
        add(word, "some", ANY, "strong")


def _add_small_words() -> None:
    persons = {"ich": 1, "du": 2, "er": 4, "sie": 4, "es": 4, "wir": 8, "ihr": 16, "sie_p": 32, "Sie": 32}
    genders = {"er": "m", "sie": "f", "es": "n"}
    for key, forms in PRONOUNS.items():
        for case, word in enumerate(forms):
            form(word).pronouns.append(
                (key, mask_of("nad"[case], genders.get(key, "p" if persons[key] > 4 else "mfn")), persons[key])
            )
    for word, letter in (("wer", "n"), ("wen", "a"), ("wem", "d")):
        form(word).pronouns.append(("who", mask_of(letter, "mfn"), 4))
    form("was").pronouns.append(("what", mask_of("na", "n"), 4))
    form("sich").free = True
    for word, kind in (("man", "one"), ("jemand", "someone")):
        form(word).pronouns.append((kind, mask_of("n", "m"), 4))
    for word, cases in PREPOSITIONS.items():
        form(word).preposition = (word, cases, 0)
    for word, (base, mask) in CONTRACTIONS.items():
        form(word).preposition = (base, PREPOSITIONS[base], mask)
    for word in listed(
        "weil dass wenn obwohl obgleich obschon als ob bevor ehe nachdem damit sobald falls da während indem"
    ):
        form(word).conjunction = "sub"
    for word in listed("und aber oder denn sondern doch jedoch"):
        form(word).conjunction = "co"
    for word in listed("wo wann warum wieso weshalb wie wohin woher wofür worauf worüber woran wovon worum womit"):
        form(word).wh = word
    for word in listed("nicht nie niemals nichts niemand"):
        form(word).negation = True


def _add_adverbs() -> None:
    for table in (words.FREQUENCIES, words.MANNERS, words.ALSO_ADVERBS):
        for english, options in _lines(table):
            for word in options.split("/"):
                form(word).adverb = (english,)
    simple = {
        "gestern": "yesterday", "heute": "today", "jetzt": "now", "nun": "now", "morgen": "tomorrow", "bald": "soon",
        "demnächst": "soon", "später": "later", "täglich": "every day", "wöchentlich": "every week",
        "jährlich": "every year",
        "morgens": "morning", "vormittags": "morning", "nachmittags": "afternoon", "abends": "evening",
        "nachts": "night",
        "zurzeit": "moment", "momentan": "moment", "derzeit": "moment", "gerade": "moment", "früh": "morning early",
        "montags": "Monday", "dienstags": "Tuesday", "mittwochs": "Wednesday", "donnerstags": "Thursday",
        "freitags": "Friday",
        "samstags": "Saturday", "sonnabends": "Saturday", "sonntags": "Sunday", "zuhause": "home", "daheim": "home",
        "heim": "homeward", "nachhause": "homeward", "hause": "home homeward", "sehr": "very", "zu": "too",
        "ungern": "", "mal": "",
        "deshalb": "so", "darum": "so", "daher": "so", "deswegen": "so", "also": "so", "trotzdem": "although",
        "dennoch": "although",
        "heutzutage": "today", "meistens": "usually",
    }  # fmt: skip
    for word, concepts in simple.items():
        form(word).adverb = tuple(concepts.split())
    for word in words.OTHER_ADVERBS.split():
        entry = form(word)
        if entry.adverb is None:
            entry.adverb = (f"?{word}",)
    for word in words.FREE_WORDS.split():
        form(word).free = True
    for word in ("ab", "auf", "aus", "ein", "an", "mit", "zu", "zurück", "weg", "vor", "nach", "um", "bei"):
        form(word).particle = True


def _add_numbers_and_names() -> None:
    for n in range(1000):
        form(german_number(n)).number = n
    form("hundert").number = 100
    form("einhundert").number = 100
    for n in range(1900, 2000):
        rest = german_number(n - 1900) if n > 1900 else ""
        form("neunzehnhundert" + rest).number = n
    for n in range(2000, 2030):
        form("zweitausend" + (german_number(n - 2000) if n > 2000 else "")).number = n
    for name in (*words.MALE_NAMES, *words.FEMALE_NAMES, *words.SURNAMES):
        form(name).name = name
    for english, german in words.CITIES.items():
        form(german).name = english


def build_forms() -> None:
    """Fill `FORMS`; called once, at import."""
    _add_nouns()
    _add_verbs()
    _add_adjectives()
    _add_determiners()
    _add_small_words()
    _add_adverbs()
    _add_numbers_and_names()


build_forms()
