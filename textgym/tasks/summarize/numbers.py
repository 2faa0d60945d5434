"""Numbers in a text, in digits or in words: "4,500", "4.5k", "forty-five hundred", "a dozen"."""

from __future__ import annotations

_UNITS = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS = {
    word: 10 * (i + 2)
    for i, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "dozen": 12}
_ORDINALS = {
    word: value + 1
    for value, word in enumerate(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
            "eleventh",
            "twelfth",
            "thirteenth",
            "fourteenth",
            "fifteenth",
            "sixteenth",
            "seventeenth",
            "eighteenth",
            "nineteenth",
            "twentieth",
            "twenty-first",
            "twenty-second",
            "twenty-third",
            "twenty-fourth",
            "twenty-fifth",
            "twenty-sixth",
            "twenty-seventh",
            "twenty-eighth",
            "twenty-ninth",
            "thirtieth",
            "thirty-first",
        ]
    )
}


def parse_digits(token: str) -> float | None:
    """The value of a token that begins with a digit; None for clock times and the like."""
    scale = 1.0
    if token[-2:] in ("st", "nd", "rd", "th"):
        token = token[:-2]
    elif token[-1] == "k":
        token, scale = token[:-1], 1000.0
    if ":" in token or len(token) > 15:
        return None
    head, *groups = token.replace(".", ",").split(",")
    if groups and all(len(g) == 3 for g in groups):
        return float(head + "".join(groups)) * scale
    if len(groups) == 1:
        return float(f"{head}.{groups[0]}") * scale
    return float(head) * scale if not groups else None


def parse_words(words: list[str], at: int) -> tuple[float, int] | None:
    """(value, words used) of the number that is spelt from `at` on, if one is."""
    total = current = 0.0
    end = at
    while end < len(words):
        word = words[end]
        if word in _UNITS:
            current += _UNITS[word]
        elif word in _TENS:
            current += _TENS[word]
        elif word in _SCALES and (end > at or word != "dozen" or current):
            scale = _SCALES[word]
            if scale == 1000 or scale == 1_000_000:
                total += max(current, 1.0) * scale
                current = 0.0
            else:
                current = max(current, 1.0) * scale
        elif word in ("hundred", "thousand", "dozen"):
            current = max(current, 1.0) * _SCALES[word]
        elif "-" in word and all(p in _UNITS or p in _TENS for p in word.split("-")):
            current += sum(_UNITS.get(p, 0) + _TENS.get(p, 0) for p in word.split("-"))
        elif word == "and" and end > at and words[end - 1] in _SCALES and _is_number_word(words, end + 1):
            pass
        else:
            break
        end += 1
    return (total + current, end - at) if end > at else None


def _is_number_word(words: list[str], at: int) -> bool:
    return at < len(words) and (words[at] in _UNITS or words[at] in _TENS or words[at].partition("-")[0] in _TENS)


def parse_ordinal(word: str) -> int | None:
    """ "fourteenth" -> 14."""
    return _ORDINALS.get(word)


NUMBER_STARTERS = frozenset((*_UNITS, *_TENS, "hundred", "thousand", "dozen"))
