"""Whether a text has the shape of sentences: a cheap linear check, no grammar.

Each word gets a rough class (article, preposition, auxiliary, first name, ...), and pairs of
neighbours that English hardly ever has ("the of", "to closed", "Bauer Tom") count as faults, as do
capitals, full stops and articles in impossible places. Shuffled words are full of such pairs and
human prose is nearly free of them; keyword lists betray themselves by lacking small words and verbs.
"""

from __future__ import annotations

from textgym.tasks.summarize.names import FIRST_NAMES, MONTHS, SURNAMES, TOWNS, WEEKDAYS
from textgym.tasks.summarize.numbers import NUMBER_STARTERS

(OPEN, DET, LOOSE, PREP, INON, TO, CONJ, SUB, BECAUSE, PRON, OBJ, AUX, BE, NEG, PAST, NUM, FIRST, LAST, TOWN, DAY) = (
    range(20)
)
MONTH, STOP, COMMA, START, OTHER, ED = range(20, 26)
_NUM_CLASSES = 26
FUNCTION_CLASSES = frozenset((DET, LOOSE, PREP, INON, TO, CONJ, SUB, BECAUSE, PRON, OBJ, AUX, BE, NEG))

_WORDS: dict[int, str] = {
    DET: "a an the my our your its their his no every",
    LOOSE: "this that these those her some any each all both another what how",
    PREP: "of from with at into for during between without per towards upon",
    INON: "in on by",
    TO: "to",
    CONJ: "and or but",
    SUB: "which who whose when where while than as so then since after before until",
    BECAUSE: "because although though if",
    PRON: "he she they we i",
    OBJ: "it you him them me us there",
    AUX: """was were is are has had have did does do will would can could may might must should wasn't isn't didn't
        weren't aren't hasn't haven't hadn't won't wouldn't couldn't can't cannot doesn't don't""",
    BE: "be been being",
    NEG: "not never",
    PAST: """gave lost won sold held led drove broke took went came said told made ran struck stole bought caught
        fell felt got wrote found left saw began kept paid brought sent met stood lay burnt meant became""",
    STOP: ". ! ? …",
    COMMA: ", ; : – —",
    OTHER: "( ) \" ' “ ” ‘ ’ / - & + * # % €",
}

CLASS_OF: dict[str, int] = {}
for _names, _class in ((TOWNS, TOWN), (SURNAMES, LAST), (FIRST_NAMES, FIRST), (WEEKDAYS, DAY), (MONTHS, MONTH)):
    CLASS_OF.update((name, _class) for name in _names)
NAME_CLASS = dict(CLASS_OF)  # by the capitalised word
CLASS_OF = {}
for _number in sorted(NUMBER_STARTERS - {"one"}):
    CLASS_OF[_number] = NUM
for _class, _text in _WORDS.items():
    CLASS_OF.update((word, _class) for word in _text.split())

# Pairs that hardly occur, with how wrong they are.
_BAD_PAIRS: dict[int, dict[float, tuple[int, ...]]] = {
    DET: {
        0.5: (PAST,),
        1.0: (DET, LOOSE, PREP, INON, TO, CONJ, SUB, BECAUSE, PRON, OBJ, AUX, BE, NEG, STOP, COMMA, FIRST),
    },
    PREP: {1.0: (PREP, INON, AUX, CONJ, BECAUSE, STOP, COMMA, PRON, PAST, TO, NEG, BE)},
    INON: {1.0: (AUX, PRON, BECAUSE, BE), 0.7: (PREP, INON, PAST, NEG), 0.3: (TO,)},
    TO: {0.6: (ED,), 1.0: (PREP, INON, TO, CONJ, SUB, BECAUSE, PRON, PAST, STOP, COMMA, NEG)},
    CONJ: {1.0: (CONJ, STOP), 0.5: (COMMA,)},
    SUB: {1.0: (STOP, CONJ), 0.4: (SUB, BE)},
    BECAUSE: {1.0: (AUX, PAST, STOP, CONJ, BECAUSE, BE), 0.6: (SUB, INON, TO)},
    PRON: {
        1.0: (DET, PREP, PRON, STOP, FIRST, LAST, TOWN, NUM),
        0.6: (INON, TO, LOOSE, SUB, CONJ, DAY, MONTH, BECAUSE),
    },
    AUX: {1.0: (PRON,), 0.7: (STOP, CONJ, FIRST, LAST, COMMA), 0.2: (BECAUSE,)},
    BE: {1.0: (AUX, PRON, STOP, PREP), 0.6: (CONJ, FIRST, LAST, BECAUSE)},
    NEG: {1.0: (NEG, PREP), 0.5: (STOP, FIRST, LAST, AUX)},
    NUM: {1.0: (DET, FIRST, LAST, PRON, TOWN), 0.5: (AUX,), 0.7: (NUM, BECAUSE, TO, DAY), 0.4: (INON, CONJ, BE)},
    FIRST: {1.0: (DET, NUM, TOWN, DAY), 0.7: (FIRST, BECAUSE, INON, PREP, TO, SUB)},
    LAST: {1.0: (FIRST, NUM, LAST), 0.7: (DET, TOWN, LOOSE), 0.4: (PREP, DAY)},
    TOWN: {0.9: (FIRST, LAST, TOWN, DET, NUM), 0.5: (PRON, LOOSE)},
    DAY: {1.0: (DAY, NUM, DET), 0.7: (FIRST, LAST, TOWN), 0.4: (LOOSE,)},
    MONTH: {1.0: (DET, MONTH), 0.7: (FIRST, LAST, TOWN)},
    PAST: {0.8: (PAST, AUX, PRON)},
    ED: {0.6: (AUX,), 0.5: (ED, PAST, PRON)},
    OPEN: {0.3: (PRON,), 0.4: (TOWN,)},
    START: {1.0: (STOP, COMMA), 0.4: (BE, AUX)},
    STOP: {1.0: (COMMA,), 0.4: (BE,)},
    COMMA: {1.0: (COMMA, STOP)},
}
BAD: list[list[float]] = [[0.0] * _NUM_CLASSES for _ in range(_NUM_CLASSES)]
for _left, _by_weight in _BAD_PAIRS.items():
    for _weight, _rights in _by_weight.items():
        for _right in _rights:
            BAD[_left][_right] = _weight

# Pairs of the rough classes above that are good English all the same.
_FINE_PAIRS = frozenset(
    pair.strip()
    for line in """
    because of | no one | of his | to be | had had | will have | would have | could have | may have
    must have | should have | might have | did have | do have | have had | has had | is to | was to
    per cent | the one | the other | the same | the many | no more | the more | the most | no other
    his many | the two | the three | the first | of what | all of | as if | even if | in to | no such
    no longer | no less | his other | their other | the several | its many | no . | no , | no ; | for . | for :
    before . | after . | for in | left was | not had | every other | our other | the such | not do | not have | my other
    your other | go by
    """.splitlines()
    for pair in line.split("|")
)
_VOWEL_EXCEPTIONS = ("one", "uni", "use", "usu", "eu")
_AN_EXCEPTIONS = ("hour", "hon", "heir", "m", "x", "f", "l")
_NOT_PLURAL = frozenset(
    [
        "bus",
        "gas",
        "lens",
        "series",
        "business",
        "news",
        "always",
        "address",
        "class",
        "glass",
        "loss",
        "success",
        "chess",
        "prowess",
        "across",
        "us",
        "plus",
        "focus",
        "campus",
        "bonus",
        "circus",
        "previous",
        "serious",
        "generous",
        "famous",
        "various",
        "joyous",
        "nervous",
        "dangerous",
        "hopeless",
        "endless",
    ]
)


def classify(raw: str, low: str) -> int:
    """The rough class of a token."""
    found = NAME_CLASS.get(raw)
    if found is not None:
        return found
    found = CLASS_OF.get(low)
    if found is not None:
        return found
    if low.endswith("'s"):
        found = NAME_CLASS.get(raw[:-2])
        return OPEN if found is None or found in (FIRST, LAST) else found
    if "0" <= raw[0] <= "9":
        return NUM
    if low.endswith("ed") and len(low) > 4 and not low.endswith("eed"):
        return ED
    if not raw[0].isalpha():
        return OTHER
    return OPEN


def measure_fluency(raws: list[str], lows: list[str], classes: list[int], num_words: int, has_verb: bool) -> float:
    """1.0 for sentences, near 0 for shuffled words, keyword lists and noise. Linear in the tokens."""
    if num_words == 0:
        return 0.0
    bad = 0.0
    previous = START
    previous_low = ""
    small = noise = commas = 0
    for i, kind in enumerate(classes):
        low = lows[i]
        if kind == OTHER:
            noise += 1
            continue
        raw = raws[i]
        weight = BAD[previous][kind]
        if (
            weight
            and f"{previous_low} {low}" not in _FINE_PAIRS
            and not _is_date(previous, kind, classes, i)
            and not _is_terse(previous, kind, classes, i)
        ):
            bad += weight
        if kind in FUNCTION_CLASSES:
            small += 1
            if (
                previous not in (START, STOP)
                and raw[0].isupper()
                and low != "i"
                and previous_low != ":"
                and kind != OBJ
            ):
                bad += 1.0
        if previous == STOP and raw[0].islower():
            bad += 1.0
        if previous_low == "a" or previous_low == "an":
            bad += _judge_article(previous_low, low)
        elif kind == COMMA:
            commas += 1
        previous, previous_low = kind, low
    if raws[0][0].islower():
        bad += 0.5
    if previous != STOP and num_words > 3:
        bad += 0.7
    ratio = small / num_words
    shape = 1.0 - min(1.0, max(0.0, bad - 0.5 - 0.01 * num_words) / (0.1 * num_words + 0.5))
    is_short = num_words < 8 and not commas and previous == STOP and (PAST in classes or ED in classes)
    if num_words >= 5 and ratio < 0.075 and not is_short:  # "Most readers advised talking first." is a sentence
        shape *= max(0.1, 1.0 - 12.0 * (0.075 - ratio))
    if commas > 2 and commas * 3.5 > num_words:
        shape *= 0.5
    if not has_verb:
        shape *= 0.8
    if noise * 6 > num_words:
        shape *= max(0.0, 1.0 - (noise * 6 - num_words) / (6.0 * num_words))
    return shape * measure_repetition(lows)


def _is_date(previous: int, kind: int, classes: list[int], i: int) -> bool:
    """Numbers beside months, and a day after its date, follow rules of their own."""
    if previous == NUM and i >= 2 and classes[i - 2] == MONTH:
        return True
    return kind == NUM and (previous == MONTH or (i + 1 < len(classes) and classes[i + 1] == MONTH))


def _is_terse(previous: int, kind: int, classes: list[int], i: int) -> bool:
    """ "On Tuesday 120 nurses", "In Selby Tom Bauer", "20 Selby cleaners", "drew 80 on Friday"."""
    if previous in (DAY, TOWN):
        return i >= 2 and classes[i - 2] == INON and kind in (NUM, FIRST, LAST)
    if previous == NUM and kind == TOWN:
        return i + 1 < len(classes) and classes[i + 1] == OPEN
    if previous == NUM and kind == INON:
        return i >= 2 and classes[i - 2] in (PAST, OPEN, ED)
    return previous == OPEN and kind == TOWN and i + 1 < len(classes) and classes[i + 1] == OPEN


def _judge_article(article: str, word: str) -> float:
    vowel = word[0] in "aeiou"
    if article == "a":
        if vowel and not word.startswith(_VOWEL_EXCEPTIONS):
            return 1.0
    elif not vowel and not word.startswith(_AN_EXCEPTIONS) and word[0].isalpha():
        return 1.0
    if word[-1] == "s" and word[-2:] not in ("ss", "us", "is", "'s") and word not in _NOT_PLURAL:
        return 0.6
    return 0.0


def measure_repetition(lows: list[str]) -> float:
    """1.0 where no three words come twice in a row; 0 where most do."""
    n = len(lows) - 2
    if n < 4:
        return 1.0
    different = len(set(zip(lows, lows[1:], lows[2:], strict=False)))
    repeated = 1.0 - different / n
    return max(0.0, 1.0 - 2.0 * max(0.0, repeated - 0.05))
