"""What a text says about an event: facts told, left out, turned around or invented.

Everything is recognised word by word (`lexicon`, `numbers`), so that a text the generator never
wrote is read by the same rules. Faults add up: 1 is one plain contradiction.
"""

from __future__ import annotations

from textgym.tasks.summarize.contraries import find_contraries
from textgym.tasks.summarize.contrasts import find_contrasts
from textgym.tasks.summarize.event import Event
from textgym.tasks.summarize.fluency import AUX, DAY, ED, FIRST, LAST, MONTH, NAME_CLASS, OPEN, PAST, STOP, TOWN
from textgym.tasks.summarize.lexicon import (
    CONCEDING,
    EVENT,
    OPPOSITE,
    REASON,
    RESULT,
    TAKING,
    THING,
    UNDOING,
    KindLexicon,
    clause_start,
    find_taking,
    is_agreeing,
    is_negated,
    lexicon_of,
    mark_negations,
)
from textgym.tasks.summarize.numbers import NUMBER_STARTERS, parse_digits, parse_ordinal, parse_words
from textgym.tasks.summarize.vocabulary import KNOWN_WORDS

WEIGHTS: dict[str, float] = {
    "event": 1.2,
    "thing": 0.8,
    "who": 1.5,
    "town": 1.0,
    "day": 1.0,
    "amount": 1.2,
    "reason": 1.5,
    "result": 1.5,
}
MARKED = 120  # tokens searched for plain opposites
EXTRA = 0.4  # fault of a second reason or result, told beside the right one
ASPECTUAL = frozenset(["stop", "stops", "stopped", "cease", "ceased", "quit", "started", "began"])
_NAMES = frozenset((FIRST, LAST, TOWN))
_DAY_SHORT = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
_MONTH_SHORT = {
    "Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "Jun": "June", "Jul": "July",
    "Aug": "August", "Sep": "September", "Sept": "September", "Oct": "October", "Nov": "November", "Dec": "December",
}  # fmt: skip
_APPROXIMATE = frozenset(
    ["about", "around", "roughly", "nearly", "almost", "over", "some", "approximately", "circa", "under"]
)


class Reading:
    """What one text says about one event: facts told (0 to 1), where, and faults."""

    __slots__ = ("faults", "numbers_said", "people_said", "places", "told")

    def __init__(self) -> None:
        self.told: dict[str, float] = dict.fromkeys(WEIGHTS, 0.0)
        self.places: dict[str, int] = {}  # fact -> token position where it is first told
        self.faults = 0.0
        self.numbers_said = 0
        self.people_said = 0

    def tell(self, fact: str, at: int, amount: float = 1.0) -> None:
        if amount > self.told[fact]:
            self.told[fact] = amount
        self.places.setdefault(fact, at)


def read_facts(reading: Reading, event: Event, lows: list[str], classes: list[int], prompt: str) -> set[int]:
    """Event, thing, reason and result; returns the positions at which any was recognised."""
    lexicon = lexicon_of(event.kind)
    marks = mark_negations(lows)
    mine = {EVENT: "", OPPOSITE: "", THING: event.thing, REASON: event.reason, RESULT: event.result}
    fact_of = {EVENT: "event", THING: "thing", REASON: "reason", RESULT: "result"}
    wrong: dict[int, int] = {}  # role -> position of a hit that speaks of another thing, reason, result
    flipped: set[str] = set()
    turned: set[str] = set()  # said with a negation where there must be none
    flipped_at = 0
    by_reason, by_result = lexicon.own_words[event.reason], lexicon.own_words[event.result]
    own = by_reason | by_result | {*event.thing.split()}
    told_at: set[int] = set()
    first, last, town = event.first.lower(), event.last.lower(), event.town.lower()
    marked = lows[:MARKED]  # as `contraries` wants them
    if f"{last}'s" in marked:
        marked = ["N's" if low == f"{last}'s" else low for low in marked]
    thing_hit = (THING, event.thing, "yes")
    takes = not TAKING.isdisjoint(lows)
    for at, low in enumerate(lows):
        if classes[at] in _NAMES:  # Parker does not park
            if at < MARKED:
                marked[at] = "N" if low == last else "W" if low == town else "" if low == first else low
            continue
        hits = lexicon.hits(low)
        if lexicon.starts_multi(low):
            hits = (*hits, *lexicon.multi_hits(lows, at))
        if not hits:
            continue
        if thing_hit in hits and at < MARKED:
            marked[at] = "T" if not at or marked[at - 1] != "T" else ""
        true_hit = False
        for role, id, mode in hits:
            if mode == "!":  # "Lang bought", where Lang sold
                if last in lows[max(0, at - 2) : at] or (at and lows[at - 1] in ("he", "she")):
                    reading.faults += 1.0
                continue
            if id != mine[role] or role == OPPOSITE:
                continue
            true_hit = True
            # A word that we use for one of the two does not tell the other.
            if (role == RESULT and low in by_reason and low not in by_result) or (
                role == REASON and low in by_result and low not in by_reason
            ):
                continue
            if role == EVENT:
                if is_negated(marks, lows, at, 6, 1) or _is_undone(lows, at):
                    flipped.add("event")
                    flipped_at = at
                    continue
            elif role != THING:
                negated = is_negated(marks, lows, at)
                expected = lexicon.polarity[role, id] if mode == "yes" else -1
                if not expected:  # "not everything was taken"; but "cut the power" is no light in a dark street
                    expected = max(0, lexicon.word_polarity.get((role, id, low), 0))
                if expected > 0 and negated and is_agreeing(marks, lows, at, lexicon.wordings[id]):
                    negated = False
                if expected and (expected < 0) != (negated or _is_undone(lows, at, expected < 0)):
                    flipped.add(fact_of[role])
                    if expected > 0:
                        turned.add(fact_of[role])
                    continue
                taking = find_taking(lows, at) if takes and mode == "yes" and expected > 0 else ""
                if taking and (role == REASON or taking not in CONCEDING) and taking not in lexicon.own_words[id]:
                    flipped.add(fact_of[role])
                    turned.add(fact_of[role])
                    continue
            reading.tell(fact_of[role], at)
            told_at.add(at)
        if not true_hit:
            for role, _, mode in hits:
                says = mode == "yes" or (mode == "no" and is_negated(marks, lows, at))
                if (
                    says
                    and (role == OPPOSITE or low not in own)
                    and not _is_part(lexicon, event, role, marks, lows, at)
                ):
                    wrong.setdefault(role, at)
    if marks is not None and "event" not in flipped and _is_denied(marks, lows, last, event, lexicon):
        flipped.add("event")
        reading.told["event"] = 0.0
    for fact, is_contrary in zip(
        ("event", "reason", "result"), find_contraries(event, list(filter(None, marked)), prompt), strict=True
    ):
        if is_contrary:
            flipped.add(fact)
            turned.add(fact)
    for fact in sorted(flipped):
        # "asked for help because the repair did not help": told in an earlier clause, so not turned around
        if (
            not reading.told[fact]
            or fact in turned
            or (
                fact == "event"
                and (
                    reading.places["event"] >= clause_start(lows, flipped_at)
                    or last in lows[max(0, flipped_at - 6) : flipped_at]
                )
            )
        ):
            reading.faults += 1.0
            reading.told[fact] = 0.0
    charged: set[int] = set()
    for role, at in wrong.items():
        if role == OPPOSITE:
            near = last in lows[max(0, at - 2) : at]
            if (not reading.told["event"] and "event" not in flipped) or near:
                reading.faults += 1.0
                charged.add(at)
        elif role != EVENT and not reading.told[fact_of[role]] and fact_of[role] not in flipped:
            reading.faults += 1.0 if role == THING else 0.85
            charged.add(at)
        elif role in (REASON, RESULT) and reading.told[fact_of[role]] and not any(abs(at - k) <= 2 for k in told_at):
            reading.faults += EXTRA
    if any(at not in charged for at in find_contrasts(event, lows, prompt)):
        reading.faults += 1.0
    return told_at


def _is_part(
    lexicon: KindLexicon, event: Event, role: int, marks: list[tuple[int, int]] | None, lows: list[str], at: int
) -> bool:
    """A word of another reason or result that stands in words for the right one: "did not fit", "stopped selling"."""
    if role < REASON:
        return False
    if lows[at] in ASPECTUAL and at + 1 < len(lows) and lows[at + 1].endswith("ing"):
        return True
    return marks is not None and any(
        is_agreeing(marks, lows, at, lexicon.wordings[id]) for id in (event.reason, event.result)
    )


def _is_denied(marks: list[tuple[int, int]], lows: list[str], last: str, event: Event, lexicon: KindLexicon) -> bool:
    """Whether a negation right after the person's name denies a verb that no reason or result uses."""
    for position, _ in marks:
        before = lows[max(0, position - 3) : position]
        if last in before and not any(mark in before for mark in (",", ".", ";", ":")):
            after = lows[position + 1 : position + 5]
            if not any(
                id in (event.reason, event.result) and (mode == "no" or lexicon.polarity[role, id] <= 0)
                for word in after
                for role, id, mode in lexicon.hits(word)
                if role >= REASON
            ):
                return True
    return False


def _is_undone(lows: list[str], at: int, anywhere: bool = False) -> bool:
    """ "refused to open"; with `anywhere`, a word like "refuses" within five words on either side."""
    if anywhere:
        return any(w in UNDOING for w in lows[max(0, at - 5) : at + 6])
    return any(w in UNDOING for w in lows[max(0, at - 3) : at]) and "to" in lows[max(0, at - 2) : at]


def read_names(
    reading: Reading, event: Event, raws: list[str], lows: list[str], classes: list[int], prompt: str
) -> None:
    """The person and the town, and every name that is neither."""
    first, last, town = event.first.lower(), event.last.lower(), event.town.lower()
    strangers: list[int] = []  # classes of names that are not the event's
    unknown = 0
    first_at = -1
    for at, kind in enumerate(classes):
        raw = raws[at]
        if kind in _NAMES or (kind == OPEN and raw[0].isalpha()):
            low = lows[at]
            if low.endswith("'s"):
                low = low[:-2]
            elif low.endswith("'"):
                low = low[:-1]
            if low == last:
                reading.tell("who", at)
                reading.people_said += 1
            elif low == first:
                first_at = at
                reading.people_said += 1
            elif low == town:
                reading.tell("town", at)
            elif not raw[0].isupper():
                continue
            else:
                found = kind if kind != OPEN else NAME_CLASS.get(raw.removesuffix("'s"), OPEN)
                if found != OPEN:
                    strangers.append(found)
                    reading.people_said += found != TOWN
                elif low not in KNOWN_WORDS and raw not in _MONTH_SHORT and raw not in _DAY_SHORT:
                    begins = at == 0 or classes[at - 1] == STOP
                    beside = at + 1 < len(raws) and lows[at + 1].removesuffix("'s") == last
                    if (not begins or beside) and raw.removesuffix("'s") not in prompt:
                        unknown += 1
                    elif begins and raw not in prompt and at + 1 < len(raws) and classes[at + 1] in (PAST, ED, AUX):
                        unknown += "who" not in reading.places  # "Zork closed ..." by way of a subject
    if first_at >= 0 and not reading.told["who"]:
        reading.tell("who", first_at, 0.6)
    for kind in strangers:
        known = reading.told["town"] if kind == TOWN else reading.told["who"]
        if kind == FIRST and known and first_at >= 0:
            reading.faults += 0.5
        elif kind != TOWN and known:
            reading.faults += 1.0
        else:
            reading.faults += 0.5 if known else 1.0
    reading.faults += min(2, unknown) * 0.8


def read_numbers(reading: Reading, event: Event, raws: list[str], lows: list[str], classes: list[int]) -> None:
    """The day and the amount, and every number that is neither."""
    day, _, month = event.day.partition(" ")
    used: set[int] = set()
    marks = mark_negations(lows)
    wrong_days = 0
    for at, raw in enumerate(raws):
        kind = classes[at]
        bare = raw.removesuffix("'s")
        if kind == DAY or bare in _DAY_SHORT or (bare[-1] == "s" and NAME_CLASS.get(bare[:-1]) == DAY):
            name = _DAY_SHORT.get(bare, bare if kind == DAY else bare[:-1])
            if bare in ("Sun", "Sat", "Wed", "Mon") and (at == 0 or classes[at - 1] == STOP):
                continue
            if name == event.day:
                reading.tell("day", at)
            else:
                wrong_days += 1
        elif kind == MONTH or bare in _MONTH_SHORT:
            wrong_days += _read_date(reading, at, _MONTH_SHORT.get(bare, bare), day, month, raws, lows, used)
    if wrong_days:
        reading.faults += min(1.0, wrong_days * 1.0) if not reading.told["day"] else 0.6
    at = 0
    while at < len(raws):
        step = 1
        low = lows[at]
        value: float | None = None
        spelt = False
        if at not in used:
            if "0" <= raws[at][0] <= "9":
                value = parse_digits(low)
                if value is not None and at + 1 < len(lows) and lows[at + 1] in ("thousand", "hundred", "million"):
                    value *= {"hundred": 100, "thousand": 1000, "million": 1_000_000}[lows[at + 1]]
                    step = 2
            elif low in NUMBER_STARTERS or ("-" in low and low.partition("-")[0] in NUMBER_STARTERS):
                spelt = True
                parsed = parse_words(lows, at)
                if parsed is not None:
                    value, step = parsed
                    if lows[at + step : at + step + 1] in (["decades"], ["decade"]):
                        value = None
        if value is not None and not (spelt and value <= 3):
            _read_amount(reading, event, value, lows, at)
            if marks is not None and is_negated(marks, lows, at, 6, 0):
                reading.faults += 1.0
        at += step


def _read_date(
    reading: Reading,
    at: int,
    name: str,
    day: str,
    month: str,
    raws: list[str],
    lows: list[str],
    used: set[int],
) -> int:
    """Read a date around a month's name; 1 if it is the wrong one."""
    number: float | None = None
    spots = [at - 1, at + 1]
    if at >= 2 and lows[at - 1] == "of":
        spots = [at - 2]
    for spot in spots:
        if 0 <= spot < len(raws) and number is None:
            number = parse_digits(lows[spot]) if "0" <= raws[spot][0] <= "9" else parse_ordinal(lows[spot])
            if number is not None and number <= 31:
                used.add(spot)
            else:
                number = None
    if number is None:
        if name in ("May", "March") and (at == 0 or lows[at - 1] not in ("in", "last", "of", "this", "early", "late")):
            return 0
        if name == month:
            reading.tell("day", at, 0.6)
            return 0
        return 1
    if name == month and number == float(day):
        reading.tell("day", min(at, *(s for s in spots if s in used)))
        return 0
    return 1


def _read_amount(reading: Reading, event: Event, value: float, lows: list[str], at: int) -> None:
    reading.numbers_said += 1
    amount = event.amount
    if value == amount:
        reading.tell("amount", at)
    elif abs(value - amount) <= 0.05 * amount and any(w in _APPROXIMATE for w in lows[max(0, at - 2) : at]):
        reading.tell("amount", at, 0.9)
    elif lows[at] == "dozen" and abs(value - amount) <= 2:
        reading.tell("amount", at, 0.8)
    else:
        reading.faults += 1.0 if value not in event.other_numbers or not reading.told["amount"] else 0.6
