"""From text to mentions: days, times, counts, prices, rooms, names, in any usual spelling.

Nothing here knows a particular booking: `cut` cuts a text into sentences, `scan_sentence` one of them into
clauses, and says which values stand where. `read.py` makes an `Understanding` of it. All passes are linear.
"""

# ruff: noqa: SIM905 (word lists read better as text)
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from textgym.tasks.dialogue.words import CLASSES, DAYS, NAMES, SMALL, TENS, TOWNS

MAX_CHARS = 3000  # what is longer is no reply of an assistant; the judge counts the rest as rambling

TOKEN = re.compile(r"\d{1,2}[:.]\d{2}(?!\d)|\d{1,6}|[^\W\d_]+(?:['’][^\W\d_]+)*|[^\s\w]|\S")
DOTTED = re.compile(r"\b(a|p)\.\s?m\b\.?|\b(mr|mrs|ms|dr|st)\.", re.IGNORECASE)

DAY_WORDS = {day.lower(): day for day in DAYS} | {day.lower() + "s": day for day in DAYS}
DAY_WORDS |= {day.lower() + "'s": day for day in DAYS}
DAY_WORDS |= dict(zip("mon tue wed thu fri sat sun".split(), DAYS, strict=True))
DAY_WORDS |= {"tues": "Tuesday", "weds": "Wednesday", "thur": "Thursday", "thurs": "Thursday"}
GREETED = {"nice", "good", "great", "lovely", "pleasant", "wonderful", "happy", "fine"}  # before a day: a wish
SHY_DAYS = {"sat", "sun", "wed", "mon"}  # words of their own when written small

NUMBERS = {w: i for i, w in enumerate(SMALL)} | TENS
MINUTE_WORDS = {"fifteen": 15, "thirty": 30, "twenty": 20, "ten": 10, "forty": 40, "fifty": 50, "five": 5}
PERSON_UNITS = set(
    "people persons person pers ppl pax guests guest adults adult diners diner seats seat tickets ticket "
    "covers cover places passengers passenger travellers travelers travellers heads folks friends seater".split()
)
NIGHT_UNITS = {"nights", "night", "nights'"}
EURO_UNITS = {"euros", "euro", "eur", "€"}
OTHER_MONEY = {"pounds", "pound", "£", "quid", "dollars", "dollar", "$", "bucks", "francs"}  # the sheets say euros
MONEY_UNITS = EURO_UNITS | OTHER_MONEY
MONEY_SIGNS = {"€", "£", "$"}
NO_MINUTES = {*PERSON_UNITS, *MONEY_UNITS, "minutes", "mins"}  # "twenty minutes"
PRICE_BEFORE = {"cost", "costs", "costing", "price", "charge", "pay", "eur", "fee", "charges"} | MONEY_SIGNS
TIME_BEFORE = {"at", "around", "until", "till", "by", "after", "before", "from", "@"}
PEOPLE_BEFORE = {"for", "fit", "fits", "seat", "seats", "holds", "be", "you're"}
AFTER_PEOPLE = set(DAY_WORDS) | set(  # what may follow a number that stands for people; a noun may not
    "on at under of or and then in please this for from with by tonight who around is to next it right correct as will "
    "would instead if but only".split()
)
MOVES = set(  # verbs that put a new value in the place of an old one
    "moved move moving changed change changing switched shifted shift switch swapped swap knocked bumped brought "
    "bring cut reduced reduce lowered raised raise dropped drop trimmed increased amended amend adjusted adjust "
    "updated update altered alter revised replaced replace corrected correct pushed rebooked rescheduled went "
    "gone going exchanged traded took taken upped shrunk modified edited turned set put".split()
)
COUNTED = {"maximum", "most", "limit", "largest", "biggest", "many"}
ROOM_WORDS = {"single": "single", "singles": "single", "double": "double", "doubles": "double", "twin": "twin"} | {
    "twins": "twin",
    "family": "family",
    "suite": "suite",
}
SERVICE_WORDS = {
    "haircut": "haircut",
    "haircuts": "haircut",
    "cut": "haircut",
    "trim": "haircut",
    "colouring": "colouring",
    "coloring": "colouring",
    "colour": "colouring",
    "color": "colouring",
    "coloured": "colouring",
    "colored": "colouring",
    "dye": "colouring",
    "dyed": "colouring",
    "tint": "colouring",
    "perm": "perm",
    "perms": "perm",
    "shave": "shave",
    "shaves": "shave",
    "shaved": "shave",
    "wash": "wash",
    "washing": "wash",
    "washed": "wash",
    "blow": "wash",
}
TITLES = {"mr", "mrs", "ms", "miss", "sir", "madam"}
NAME_CUES = {"under", "name", "called", "named"} | TITLES
NAME_LEADS = {"under"} | TITLES  # a name may follow in small letters
STARTS = {*DAY_WORDS, *NUMBERS, *ROOM_WORDS, *SERVICE_WORDS} | set(  # words with which a value can start
    "a noon midday lunchtime midnight half quarter first second standard 1st 2nd both overnight".split()
)
FAMILY_NAMES = frozenset(NAMES)
TOWN_NAMES = frozenset(TOWNS)
STOP_ABBREVIATIONS = {"mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun", "mr", "mrs", "ms", "dr"}

# Capitalised words that are no names.
PLAIN_CAPITALS = frozenset(
    "I I'm I'll I've I'd OK Ok Okay AM PM Dr Mr Mrs Ms Miss Sir Madam Euro Euros EUR Wi-Fi WiFi Wifi Wi Fi English "
    "Salon Street Doctor Station Mister Hello Hi Thanks Thank Yes No Please Sorry Great Perfect Good Lovely".split()
)


class Mention(NamedTuple):
    """A value at a place of a sentence. kind: a slot, "price", "cap" (a capitalised word) or "bare" (a number)."""

    kind: str
    value: object  # time: (hour, minute, "am" | "pm" | ""); counts: int; else str
    start: int  # token index
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    words: tuple[str, ...]  # lower case
    raw: tuple[str, ...]
    is_question: bool
    mentions: tuple[Mention, ...]
    clauses: tuple[tuple[int, int], ...]  # token ranges


def cut(text: str) -> list[list[str]]:
    """The sentences of a text, each as its tokens."""
    text = DOTTED.sub(lambda m: f"{m[1]}m" if m[1] else m[2], text[:MAX_CHARS]).replace("’", "'")
    return split_sentences(TOKEN.findall(text))


def split_sentences(tokens: list[str]) -> list[list[str]]:
    sentences: list[list[str]] = []
    current: list[str] = []
    for i, token in enumerate(tokens):
        current.append(token)
        if token in "?!":
            end = True
        elif token == ".":
            after = tokens[i + 1] if i + 1 < len(tokens) else ""
            end = not (i and tokens[i - 1].lower() in STOP_ABBREVIATIONS and after and not after[0].isupper())
        else:
            end = False
        if end:
            sentences.append(current)
            current = []
    if current:
        sentences.append(current)
    return sentences


def read_number(words: list[str], i: int) -> tuple[int, int] | None:
    """The number that starts at word i and the index after it."""
    if i >= len(words):
        return None
    w = words[i]
    if w.isascii() and w.isdigit():
        return int(w), i + 1
    small = read_below_hundred(words, i)
    n, end = small or (1, i + 1)
    if words[end : end + 1] != ["hundred"] or not (small or w == "a"):
        return small
    rest = read_below_hundred(words, end + 1 + (words[end + 1 : end + 2] == ["and"]))
    return (100 * n + rest[0], rest[1]) if rest else (100 * n, end + 1)


def read_below_hundred(words: list[str], i: int) -> tuple[int, int] | None:
    """The number in words, without hundreds, that starts at word i, and the index after it."""
    w = words[i] if i < len(words) else ""
    n = NUMBERS.get(w)
    if n is None:
        return None
    if w in TENS:
        j = i + 1 + (i + 1 < len(words) and words[i + 1] == "-")
        if j < len(words) and 0 < NUMBERS.get(words[j], 0) < 10:
            return n + NUMBERS[words[j]], j + 1
    return n, i + 1


def read_half_day(words: list[str], i: int) -> tuple[str, int]:
    """ "am" or "pm" at word i, and the index after it."""
    j = i
    if j < len(words) and words[j] in ("o'clock", "oclock", "h", "hours", "hrs", "sharp"):
        j += 1
    if j < len(words) and words[j] in ("am", "pm"):
        return words[j], j + 1
    return "", j


def scan_sentence(raw: Sequence[str]) -> Sentence:
    """One sentence with its clauses and the values it mentions."""
    words = [t.lower() for t in raw]
    mentions: list[Mention] = []
    i, n = 0, len(words)
    while i < n:
        mention = mention_at(words, raw, i, mentions) if may_start(words, raw, i) else None
        if mention is None:
            i += 1
        else:
            mentions.append(mention)
            i = mention.end
    mentions = settle_lists(words, mentions)
    mentions = settle_halves(words, mentions)
    is_question = "?" in words[-3:]
    return Sentence(tuple(words), tuple(raw), is_question, tuple(mentions), split_clauses(words, mentions))


def may_start(words: list[str], raw: Sequence[str], i: int) -> bool:
    """Whether a value can start at token i: most words cannot, and are passed over quickly."""
    w = words[i]
    if w in STARTS or raw[i][0].isupper() or w[0].isdigit() or w.endswith("'s"):
        return True
    return i > 0 and words[i - 1] in NAME_LEADS


def mention_at(words: list[str], raw: Sequence[str], i: int, before: list[Mention]) -> Mention | None:
    """The value that starts at token i, if one does."""
    w = words[i]
    day = DAY_WORDS.get(w)
    if day and i and words[i - 1] in GREETED:
        return None  # "Have a nice Saturday!" wishes a good day, whichever was booked
    if day and (w not in SHY_DAYS or raw[i][0].isupper() or (i and words[i - 1] in ("on", "for", "this", ","))):
        return Mention("day", day, i, i + 1)
    if w in ("noon", "midday", "lunchtime"):
        return Mention("time", (12, 0, "pm"), i, i + 1)
    if w == "midnight":
        return Mention("time", (0, 0, "am"), i, i + 1)
    if w in ("half", "quarter"):
        return past_mention(words, i)
    following = words[i + 1] if i + 1 < len(words) else ""
    if w[0].isdigit() or w in NUMBERS or (w == "a" and following == "hundred"):
        return number_mention(words, i, before)
    thing = w.removesuffix("'s")  # "The single's yours"
    if thing in ROOM_WORDS:
        return Mention("room", ROOM_WORDS[thing], i, i + 1)
    if thing in SERVICE_WORDS:
        return Mention("service", SERVICE_WORDS[thing], i, i + 1)
    if w in ("first", "second", "standard", "1st", "2nd"):
        near = words[i + 1 : i + 5]
        if ("class" in near and "." not in near[: near.index("class")]) or is_class(words, i):
            return Mention("class", CLASSES[0 if w[0] in "f1" else 1], i, i + 1)
    if w == "both" and (following == "of" or (i and words[i - 1] == "you")):
        return Mention("people", 2, i, i + 1)
    if w == "overnight":
        return Mention("nights", 1, i, i + 1)
    if w == "a" and following == "night" and i and words[i - 1] == "for":
        return Mention("nights", 1, i, i + 2)
    if raw[i][0].isupper() and (i or raw[i] in FAMILY_NAMES or raw[i] in TOWN_NAMES):
        cap = raw[i].removesuffix("'s")
        if cap not in PLAIN_CAPITALS and cap.lower() not in DAY_WORDS:
            return Mention("cap", cap, i, i + 1)
    elif w.isalpha() and i and words[i - 1] in NAME_LEADS and w.capitalize() in FAMILY_NAMES:
        return Mention("cap", w.capitalize(), i, i + 1)
    return None


CLASS_WORDS = {"first", "second", "standard", "1st", "2nd"}


def is_class(words: list[str], i: int) -> bool:
    """Whether a class is meant though "class" does not follow: "first or second?", "in first"."""
    nxt = words[i + 1] if i + 1 < len(words) else ""
    after = words[i + 2] if i + 2 < len(words) else ""
    back = words[max(0, i - 4) : i]
    ends = not nxt.isalpha() or nxt in ("please", "then", "for", "at", "with", "on", "today", "this", "to")
    skips = after == "in"
    if nxt in ("or", "/") and words[i + 2 + skips : i + 3 + skips] and words[i + 2 + skips] in CLASS_WORDS:
        follows = words[i + 3 + skips] if i + 3 + skips < len(words) else ""
        return not follows.isalpha() or follows in ("for", "please", "then", "on", "at", "today", "do", "would")
    if ("or" in back or "/" in back or "to" in back) and ("class" in back or any(w in CLASS_WORDS for w in back)):
        return ends
    return bool(back) and back[-1] in ("in", "travel", "travelling") and ends and nxt != ","


def past_mention(words: list[str], i: int) -> Mention | None:
    """ "half past seven", "half seven", "quarter to eight" """
    w = words[i]
    nxt = words[i + 1] if i + 1 < len(words) else ""
    minute = 30 if w == "half" else 15
    if nxt in ("past", "after", "to", "before", "of"):
        hour = read_number(words, i + 2)
        if hour and hour[0] <= 24:
            half, end = read_half_day(words, hour[1])
            if nxt in ("to", "before", "of"):
                return Mention("time", ((hour[0] - 1) % 24 or (12 if hour[0] == 1 else 0), 60 - minute, half), i, end)
            return Mention("time", (hour[0] % 24, minute, half), i, end)
    if w == "half":
        hour = read_number(words, i + 1)
        if hour and 1 <= hour[0] <= 12:
            half, end = read_half_day(words, hour[1])
            if end >= len(words) or words[end] not in MONEY_UNITS | PERSON_UNITS:
                return Mention("time", (hour[0], 30, half), i, end)
    return None


def number_mention(words: list[str], i: int, before: list[Mention]) -> Mention | None:
    """What the number at token i counts: hours, people, nights, euros; "bare" where nothing tells."""
    w = words[i]
    prev = words[i - 1] if i else ""
    n = len(words)
    if ":" in w or "." in w:
        hour, minute = (int(part) for part in re.split("[:.]", w))
        nxt = words[i + 1] if i + 1 < n else ""
        if nxt in MONEY_UNITS or prev in PRICE_BEFORE:
            is_whole = not minute and nxt not in OTHER_MONEY and prev not in OTHER_MONEY
            return Mention("price", hour if is_whole else -1, i, i + 1)
        if hour > 24 or minute > 59:
            return Mention("bare", -1, i, i + 1)
        half, end = read_half_day(words, i + 1)
        return Mention("time", (hour % 24, minute, half), i, end)
    number = read_number(words, i)
    if number is None:
        return None
    value, end = number
    nxt = words[end] if end < n else ""
    after = words[end + 1] if end + 1 < n else ""
    if nxt in ("st", "nd", "rd", "th"):
        if after == "class" or "class" in words[end : end + 5]:
            return Mention("class", CLASSES[min(value, 2) - 1], i, end + 1) if value in (1, 2) else None
        return Mention("bare", value, i, end + 1)
    if nxt in MONEY_UNITS or prev in MONEY_SIGNS:
        foreign = nxt in OTHER_MONEY or prev in OTHER_MONEY
        return Mention("price", -1 if foreign else value, i, end + (nxt in MONEY_UNITS))
    if value <= 25:
        half, stop = read_half_day(words, end)
        if value <= 24 and stop > end and (nxt not in ("h", "hours", "hrs") or (value > 12 and w.isdigit())):
            return Mention("time", (value % 24, 0, half), i, stop)
        dash = nxt == "-" and value <= 12  # "nine-thirty"
        if (
            w in NUMBERS
            and 1 <= value <= 24
            and words[end + dash : end + dash + 1]
            and words[end + dash] in MINUTE_WORDS
            and not NO_MINUTES.intersection(words[end + dash + 1 : end + dash + 2])
        ):
            minute, stop = read_number(words, end + dash) or (0, end)
            half, stop = read_half_day(words, stop)
            return Mention("time", (value, minute, half), i, stop)
        j = end + (nxt in ("minutes", "mins"))
        if value in (5, 10, 20, 25) and j < n and words[j] in ("past", "to", "after") and (w in NUMBERS or j > end):
            hour_number = read_number(words, j + 1)
            unit = find_unit(words, hour_number[1]) if hour_number else None
            change = words[j] == "to" and j == end and is_change(words, i)  # "from five to six guests"
            if hour_number and hour_number[0] <= 12 and not unit and not change:
                half, stop = read_half_day(words, hour_number[1])
                hour = hour_number[0]
                if words[j] == "to":
                    return Mention("time", ((hour - 1) or 12, 60 - value, half), i, stop)
                return Mention("time", (hour, value, half), i, stop)
    if value >= 100 and not w.isdigit() and nxt == "hours" and value % 100 < 60 and value < 2400:
        return Mention("time", (value // 100, value % 100, ""), i, end + 1)  # "thirteen hundred hours"
    if w.isdigit() and len(w) == 4 and value % 100 < 60 and value < 2400 and (nxt == "hours" or prev in TIME_BEFORE):
        return Mention("time", (value // 100, value % 100, ""), i, end + (nxt == "hours"))
    if w == "one" and nxt in ("at", "from", "for", "on", "in", "that", "which") and prev not in ("at", "@", "by"):
        return None  # "the eleven o'clock and one at noon"
    unit = find_unit(words, end)
    if unit:
        return Mention(unit, value, i, end)
    if value > 4 and (prev in PRICE_BEFORE or nxt in ("per", "each", "a")):
        return Mention("price", value, i, end)
    if nxt == "of" and after in ("you", "us", "them"):
        return Mention("people", value, i, end)
    if prev == "from" and i > 1 and read_number(words, i - 2):
        return Mention("bare", value, i, end)  # "six from seven"
    from_count = prev == "from" and find_new_kind(words, end) == "people"
    if (is_change(words, i) or from_count) and nxt in ("to", "into", "down", "up") and value <= 60:
        return Mention(find_new_kind(words, end), value, i, end)  # the old value of a change
    if prev in ("for", "with") and before and any(v in ("swap", "swapped") for v in words[:i]):
        if before[-1].kind == "time" and value <= 24:  # "swapped eight o'clock for nine"
            return Mention("time", (value % 24, 0, ""), i, end)
        return Mention("loose" if before[-1].kind == "bare" else "bare", value, i, end)
    if prev == "and" and i > 1 and words[i - 2] == "you" and nxt in ("others", "other", "more", "friends", "guests"):
        return Mention("people", value + 1, i, end)
    if prev == "for" and i > 1 and words[i - 2] in ("table", "tables", "places", "party", "space") and value <= 60:
        return Mention("people", value, i, end)
    if prev == "of" and i > 1 and words[i - 2] in ("party", "table", "group", "family", "number", "company"):
        return Mention("people", value, i, end)
    if not i and nxt == "on" and after in DAY_WORDS and 0 < value <= 24:  # "Eight on Thursday is taken"
        if "at" in words[end:] or has_clock(words, end):
            return Mention("people", value, i, end)  # "Six on Thursday at 1:30"
        return Mention("time", (value % 24, 0, ""), i, end)
    ends = not nxt.isalpha() or nxt in AFTER_PEOPLE or nxt in ("now", "as", "since")  # not "to one side"
    if prev in ("to", "into") and ends and value <= 60 and any(v in MOVES for v in words[max(0, i - 8) : i]):
        if before and before[-1].kind == "time" and before[-1].end in (i - 1, i - 2):  # "moved from 7:30 to eight"
            return Mention("time", (value % 24, 0, ""), i, end)
        return Mention("loose", value, i, end)  # "changed to six": people or an hour, the reader may know
    it_is = nxt == "it" and after in ("is", "was", "shall", "will")
    it_is = it_is or (nxt in ("it's", "then") and not prev.isalpha())
    makes = prev == "it" and i > 1 and words[i - 2] in ("make", "made", "making")
    so_now = prev in ("it's", "that's", "now") and (not nxt.isalpha() or nxt in ("now", "then"))
    if (it_is or makes or so_now) and value <= 60:
        return Mention("loose", value, i, end)  # "Six it is"
    if (nxt, after) in (("instead", "of"), ("rather", "than")) and prev not in TIME_BEFORE and value <= 60:
        return Mention("loose", value, i, end)
    if prev in TIME_BEFORE and value <= 24:
        return Mention("time", (value % 24, 0, ""), i, end)
    if prev == "to" and i > 1 and words[i - 2] == "up":
        prev = "seats"
    you_are = prev == "are" and i > 1 and words[i - 2] == "you"
    if (prev in PEOPLE_BEFORE or you_are) and 0 < value <= 60 and (not nxt.isalpha() or nxt in AFTER_PEOPLE):
        return Mention("people", value, i, end)
    if 0 < value <= 12 and (nxt, after) == ("in", "the") and end + 2 < n and words[end + 2] in HALVES:
        return Mention("time", (value, 0, HALVES[words[end + 2]]), i, end)  # "six in the morning"
    return Mention("bare", value, i, end)


def is_change(words: list[str], i: int) -> bool:
    """Whether the number at token i stands after "from", or after a verb of change: "cut seven to six"."""
    prev = words[i - 1] if i else ""
    return any(w in MOVES for w in words[max(0, i - 6) : i]) and (
        prev in MOVES or prev in ("from", "of", "the", "your", "was")
    )


def find_new_kind(words: list[str], i: int) -> str:
    """The kind of an old value, by its new one: "people" in "from seven to six guests"; "loose" where nothing tells."""
    for j in range(i, min(i + 4, len(words))):
        number = read_number(words, j)
        if number:
            return find_unit(words, number[1]) or "bare"
    return "bare"


def has_clock(words: list[str], i: int) -> bool:
    """Whether a plain time stands at or after token i: "1:30", "half past one", "six o'clock"."""
    return any(":" in w[1:] or w in ("half", "quarter", "o'clock", "noon", "am", "pm") for w in words[i:])


def find_unit(words: list[str], i: int) -> str | None:
    """The slot that the noun after a number belongs to, past at most three adjectives."""
    for w in words[i : i + 4]:
        if w in NIGHT_UNITS:
            return "nights"
        if w in PERSON_UNITS:
            return "people"
        if w == "-" or w in (
            "second",
            "first",
            "class",
            "standard",
            "return",
            "adult",
            "hungry",
            "more",
            "train",
            "whole",
        ):
            continue
        return None
    return None


CORRECTING = frozenset(("mean", "meant", "correction", "oops", "rather", "make"))
CORRECTION = CORRECTING | frozenset(
    ("sorry", "i", "no", "wait", "that", "or", "er", "um", ",", "-", "–", "—", "at", "for")
)
LIST_WORDS = frozenset((",", "and", "or", "/", "&"))


def settle_lists(words: list[str], mentions: list[Mention]) -> list[Mention]:
    """A bare number takes the kind of its neighbour in a list ("6 or 8:30") or of the verb after it ("7 is free")."""
    if not any(m.kind == "bare" for m in mentions):
        return mentions
    settled = list(mentions)
    for order in (range(len(settled)), range(len(settled) - 1, -1, -1)):
        for k in order:
            m = settled[k]
            if m.kind != "bare" or not isinstance(m.value, int):
                continue
            step = 1 if order.step < 0 else -1
            if 0 <= k + step < len(settled):
                near = settled[k + step]
                left, right = (near, m) if near.start < m.start else (m, near)
                between = words[left.end : right.start]
                joined = {"and", "or", "/", "&"} & set(words[left.end : right.end + 2])  # "6, 7 or 8", not "7:30, four"
                corrected = left is near and CORRECTING.intersection(between) and all(w in CORRECTION for w in between)
                if corrected and near.kind == "time" and 0 <= m.value <= 24:
                    settled[k] = m._replace(kind="time", value=(m.value % 24, 0, ""))  # "at two, sorry, I meant three"
                elif corrected and near.kind in ("people", "nights"):
                    settled[k] = m._replace(kind=near.kind)
                elif joined and between and len(between) <= 2 and all(b in LIST_WORDS for b in between):
                    if near.kind == "time" and 0 <= m.value <= 24:
                        settled[k] = m._replace(kind="time", value=(m.value % 24, 0, ""))
                    elif near.kind in ("people", "nights", "price"):
                        settled[k] = m._replace(kind=near.kind)
    if any(m.kind == "people" for m in settled) and not any(m.kind == "time" for m in settled):
        return settled  # "the largest is for six, eight is too many" speaks of people
    verbs = ("is", "isn't", "works", "would", "suits", "was", "won't", "has", "will", "sound", "sounds")
    for k, m in enumerate(settled):
        after = words[m.end] if m.end < len(words) else ""
        before = words[max(0, m.start - 2) : m.start]
        if after not in verbs or before == ["of", "the"]:  # "Which of the two would you like?"
            continue
        counted = any(w in COUNTED for w in words[m.end : m.end + 5])
        if m.kind == "bare" and isinstance(m.value, int) and 0 < m.value <= 24 and not counted:
            settled[k] = m._replace(kind="time", value=(m.value % 24, 0, ""))
    return settled


HALVES = {"morning": "am", "afternoon": "pm", "evening": "pm", "tonight": "pm", "night": "pm"}


def settle_halves(words: list[str], mentions: list[Mention]) -> list[Mention]:
    """ "ten in the morning", "Thursday evening at eight": the part of the day beside a time."""
    if not any(w in HALVES for w in words):
        return mentions
    settled = list(mentions)
    times = [k for k, m in enumerate(mentions) if m.kind == "time"]
    for position, k in enumerate(times):
        m = mentions[k]
        if not isinstance(m.value, tuple) or m.value[2]:
            continue
        stop = mentions[times[position + 1]].start if position + 1 < len(times) else len(words)
        near = list(words[m.end : min(m.end + 4, stop)])
        if not position:
            near += [w for i, w in enumerate(words[max(0, m.start - 6) : m.start]) if i or w != "good"]
        found = next((HALVES[w] for w in near if w in HALVES), "")
        if found and "good" not in words[:3]:
            settled[k] = m._replace(value=(*m.value[:2], found))
    return settled


VERBS = frozenset(
    """is are was am be isn't aren't wasn't i'm we're it's that's there's you're have has had haven't hasn't we've i've
    do does don't doesn't can can't cannot could couldn't will won't would wouldn't i'll we'll i'd we'd shall may must
    how what which when where who works work suits offer leaves leave leaving goes go take takes give put booked
    reserved welcome seats fits holds make made book got see look remains keep kept need""".split()
)
STRONG = frozenset(("but", ";", ":", "–", "—", "however", "though", "although", "yet", "except", "so", "(", ")"))
WEAK = frozenset((",", "and", "while", "as", "because", "-"))


def split_clauses(words: list[str], mentions: list[Mention]) -> tuple[tuple[int, int], ...]:
    """Token ranges that are negated, offered or confirmed as one.

    A comma or an "and" cuts only between two stretches that both have a verb: "Thursday, at 8, is not
    possible" is one clause, "8 is taken, 7 is free" are two.
    """
    inside: set[int] = set()  # a ":" or a "-" of a value cuts nothing
    for m in mentions:
        inside.update(range(m.start, m.end))
    for left, right in pairwise(mentions):
        between = words[left.end : right.start]
        if left.kind == right.kind and all(w in ("and", ",", "or", "at", "on", "for", "a", "the") for w in between):
            inside.update(range(left.end, right.start))  # "Thursday and Friday are free" is one clause
    n = len(words)
    for i, w in enumerate(words):  # an adverb, and no "but": "not yet taken", "no name yet."
        if w == "yet" and (i + 1 == n or not words[i + 1].isalpha() or (i and words[i - 1].endswith(("not", "n't")))):
            inside.add(i)
    clauses: list[tuple[int, int]] = []
    start, has_verb = 0, False
    verb_later = [False] * (n + 1)  # a verb before the next separator
    for i in range(n - 1, -1, -1):
        w = words[i]
        cuts = (w in STRONG or w in WEAK) and i not in inside
        verb_later[i] = w in VERBS or (not cuts and verb_later[i + 1])
    for i, w in enumerate(words):
        only = w == "only" and i > 0 and words[i - 1] == ","
        plea = w in ("and", ",") and words[i + 1 : i + 2] == ["please"] and verb_later[i + 1]
        if i not in inside and (only or plea or w in STRONG or (w in WEAK and has_verb and verb_later[i + 1])):
            if i > start:
                clauses.append((start, i))
            start, has_verb = i, False
        elif w in VERBS:
            has_verb = True
    if n > start:
        clauses.append((start, n))
    return tuple(clauses)
