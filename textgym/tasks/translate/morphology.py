"""German inflection: all forms of a noun, verb or adjective from a line of the word lists, and numbers in words."""

from __future__ import annotations

from typing import NamedTuple

from textgym.tasks.translate.words import listed


class Noun(NamedTuple):
    """One German noun."""

    word: str
    gender: str  # m, f, n; p for plural-only nouns
    singular: tuple[str, str, str, str]  # by case
    plural: tuple[str, str, str, str] | None


class Verb(NamedTuple):
    """One German verb; forms of the base, without its separable prefix."""

    lemma: str  # "auf|stehen", "kaufen"
    prefix: str  # "auf" or ""
    infinitive: str
    present: tuple[str, ...]  # ich, du, er, wir, ihr, sie
    past: tuple[str, ...]
    participle: str  # with its prefix
    imperative: str
    sein: bool


UMLAUT = str.maketrans("aouAOU", "äöüÄÖÜ")


def add_umlaut(word: str) -> str:
    """The last a, o, u or au of a word with its umlaut: Baum -> Bäum."""
    low = word.lower()
    i = max(low.rfind(v) for v in "aou")
    if i > 0 and low[i - 1 : i + 1] == "au":
        i -= 1
    return word[:i] + word[i].translate(UMLAUT) + word[i + 1 :]


def make_noun(text: str) -> Noun:
    """A noun from `Word gender plural` (see `words`)."""
    word, kind, *rest = text.split()
    if kind == "P":
        forms = (word, word, word if word.endswith(("n", "s")) else word + "n", word)
        return Noun(word, "p", forms, forms)
    code = rest[0]
    weak = kind == "w"
    gender = "m" if weak else kind
    plural: str | None
    if code == "0":
        plural = None
    elif code[0] == ">":
        plural = code[1:]
    elif code == "=":
        plural = word
    elif code[0] == '"':
        plural = add_umlaut(word) + code[1:]
    else:
        plural = word + code
    if weak:
        oblique = "Herrn" if word == "Herr" else plural or word
        singular = (word, oblique, oblique, oblique)
    elif gender == "f":
        singular = (word,) * 4
    else:
        ending = "es" if word.endswith(("s", "ß", "z")) else "s"
        singular = (word, word, word, word + ending)
    if plural is None:
        return Noun(word, gender, singular, None)
    dative = plural if plural.endswith(("n", "s")) else plural + "n"
    return Noun(word, gender, singular, (plural, plural, dative, plural))


NO_GE = ("be", "ver", "er", "ent", "zer", "emp", "miss", "ge")
DU_FORMS = {"hält": "hältst", "erhält": "erhältst", "lädt": "lädst", "unterhält": "unterhältst", "tut": "tust"}
IRREGULAR_PRESENT = {
    "sein": ("bin", "bist", "ist", "sind", "seid", "sind"),
    "haben": ("habe", "hast", "hat", "haben", "habt", "haben"),
    "werden": ("werde", "wirst", "wird", "werden", "werdet", "werden"),
    "wissen": ("weiß", "weißt", "weiß", "wissen", "wisst", "wissen"),
    "mögen": ("mag", "magst", "mag", "mögen", "mögt", "mögen"),
    "tun": ("tue", "tust", "tut", "tun", "tut", "tun"),
}
IMPERATIVES = {"sein": "sei", "haben": "hab", "werden": "werde", "tun": "tu", "lassen": "lass"}


def needs_e(stem: str) -> bool:
    """Whether an ending that begins with a consonant takes an e before it: arbeit-e-t, öffn-e-t."""
    return stem.endswith(("t", "d")) or (
        stem[-1:] in ("n", "m") and (stem[-2:-1] in ("k", "f", "g", "t", "d") or stem[-3:-1] == "ch")
    )


def make_verb(text: str) -> Verb:
    """A verb from `infinitive[,3rd singular,preterite,participle][,s]` (see `words`)."""
    parts = text.split(",")
    sein = parts[-1] == "s"
    if sein:
        parts.pop()
    lemma = parts[0].replace("~", "|")
    prefix, _, infinitive = lemma.rpartition("|")
    n_ending = not infinitive.endswith("en")  # lächeln, tun
    stem = infinitive[:-1] if n_ending else infinitive[:-2]
    e = "e" if needs_e(stem) else ""
    if len(parts) == 1:
        third, past = stem + e + "t", stem + e + "te"
        ge = (
            ""
            if stem.endswith("ier")
            or (infinitive.startswith((*NO_GE, "über", "unter", "wieder")) and infinitive not in WITH_GE)
            else "ge"
        )
        participle = ge + stem + e + "t"
        second = stem + e + ("t" if stem.endswith(("s", "ß", "z", "x")) else "st")
    else:
        third, past, participle = parts[1:4]
        if third in DU_FORMS:
            second = DU_FORMS[third]
        elif third.endswith("et") and e:
            second = third[:-1] + "st"
        else:
            root = third[:-1] if third.endswith("t") else third
            second = root + ("t" if root.endswith(("s", "ß", "z")) else "st")
    first = (stem[:-2] + "le") if n_ending and stem.endswith("el") else stem + "e"
    present = IRREGULAR_PRESENT.get(infinitive) or (first, second, third, infinitive, stem + e + "t", infinitive)
    if past.endswith("e"):
        pasts = (past, past + "st", past, past + "n", past + "t", past + "n")
    else:
        t = past.endswith(("t", "d"))
        s = past.endswith(("s", "ß"))
        pasts = (past, past + ("est" if t or s else "st"), past, past + "en", past + ("et" if t else "t"), past + "en")
    if infinitive in IMPERATIVES:
        imperative = IMPERATIVES[infinitive]
    elif len(parts) > 1 and third[:-1] != stem + e and "i" in third and "ä" not in third and "ei" not in third:
        imperative = third[:-1] if third.endswith("t") and not third.endswith("tritt") else third
    elif n_ending and stem.endswith("el"):
        imperative = first
    else:
        imperative = stem + ("e" if e or stem.endswith("ig") else "")
    return Verb(lemma, prefix, infinitive, present, pasts, prefix + participle, imperative, sein)


WITH_GE = frozenset({"beten", "gehen"})


def adjective_stem(base: str) -> str:
    """The form that takes endings: teuer -> teur, dunkel -> dunkl, müde -> müd."""
    if base.endswith("e"):
        return base[:-1]
    if base.endswith("el"):
        return base[:-2] + "l"
    if base.endswith(("euer", "auer")):
        return base[:-2] + "r"
    return base


def make_adjective(text: str) -> tuple[str, str]:
    base, _, comparative = text.partition(",")
    if not comparative:
        stem = base[:-1] if base.endswith("e") else adjective_stem(base)
        comparative = stem + "er"
    return base, comparative


UNITS = listed(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
    "siebzehn achtzehn neunzehn"
)
TENS = ["", "", *listed("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")]
ENGLISH_UNITS = listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
ENGLISH_TENS = ["", "", *listed("twenty thirty forty fifty sixty seventy eighty ninety")]
ORDINALS = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}


def german_number(n: int) -> str:
    """0..999 in words: 25 -> fünfundzwanzig."""
    if n < 20:
        return UNITS[n]
    if n < 100:
        tens, unit = divmod(n, 10)
        return ("ein" if unit == 1 else UNITS[unit]) + "und" + TENS[tens] if unit else TENS[tens]
    hundreds, rest = divmod(n, 100)
    return ("" if hundreds == 1 else UNITS[hundreds]) + "hundert" + (german_number(rest) if rest else "")


def english_number(n: int) -> str:
    if n < 20:
        return ENGLISH_UNITS[n]
    tens, unit = divmod(n, 10)
    return ENGLISH_TENS[tens] + (f"-{ENGLISH_UNITS[unit]}" if unit else "")


def german_ordinal(n: int) -> str:
    """1 -> erst, 20 -> zwanzigst: the stem that takes adjective endings."""
    return ORDINALS.get(n) or german_number(n) + ("t" if n < 20 else "st")
