"""What a booking is about: the house's facts and the caller's goal, drawn from (data_seed, split, index).

The facts decide what is possible: `find_obstacle` names the slot that cannot be had as wished,
`find_alternatives` what could be had in its place. Times are "HH:MM" on a 24-hour clock, counts are
ints, everything else is a word from `words.py`.

The splits are disjoint by construction: the two words of a house's name (for a station: its town and
the first destination) are in every prompt, and a hash of the pair decides the split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from textgym.seeding import Draws
from textgym.tasks.dialogue.words import (
    DAYS,
    FIRST_NAMES,
    HOUSE_FIRST,
    HOUSE_LAST,
    NAMES,
    ROOMS,
    SERVICES,
    STREETS,
    TOPICS,
    TOWNS,
)
from textgym.types import SPLITS

Value = str | int

KINDS = ("restaurant",) * 6 + ("hotel",) * 5 + ("station",) * 5 + ("salon",) * 2 + ("doctor",) * 2
SLOTS = {  # what can be talked about; a station sells for today, a salon asks no name
    "restaurant": ("day", "time", "people", "name"),
    "hotel": ("room", "day", "nights", "name"),
    "station": ("destination", "day", "time", "people", "class"),
    "salon": ("service", "day", "time"),
    "doctor": ("day", "time", "name"),
}
ALL_SLOTS = ("day", "time", "people", "name", "room", "nights", "destination", "class", "service")
TEMPERS = ("polite", "polite", "chatty", "chatty", "curt", "impatient")
# No two times of a pool meet on a 12-hour clock, so that "half past seven" has one meaning there.
POOLS = {
    "restaurant": tuple(f"{h}:{m}" for h in (12, 13, 18, 19, 20, 21) for m in ("00", "30")),
    "salon": tuple(f"{h:02d}:{m}" for h in (9, 10, 11, 12, 13, 14, 15, 16, 17) for m in ("00", "30")),
    "doctor": tuple(f"{h:02d}:{m}" for h in (8, 9, 10, 11, 14, 15, 16) for m in ("00", "15", "30", "45")),
}
NAMES_OF_HOUSES = {
    "restaurant": (HOUSE_FIRST, HOUSE_LAST),
    "hotel": (HOUSE_FIRST, HOUSE_LAST),
    "station": (TOWNS, TOWNS),
    "salon": (FIRST_NAMES, STREETS),
    "doctor": (NAMES, STREETS),
}
PRICES = {"hotel": (45, 150), "station": (8, 60), "salon": (14, 70)}


@dataclass(frozen=True, slots=True)
class Item:
    """Something with a price: a room, a service, a destination with its trains."""

    name: str
    price: int  # euros
    times: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meaning:
    """The house's facts and the caller's goal."""

    kind: str
    house: tuple[str, str]
    free: tuple[tuple[str, tuple[str, ...]], ...]  # day -> free times; no times where only the day counts
    items: tuple[Item, ...]
    rules: tuple[tuple[str, int], ...]  # topic -> 1 allowed, 0 not; for "breakfast" its price
    limit: int  # largest party; 0: no limit is known
    goal: tuple[tuple[str, Value], ...]  # what the caller wants at first
    first: tuple[str, ...]  # the slots told in the first message
    gives: int  # how many new slots the caller tells in one turn
    change: tuple[str, Value] | None  # a change of mind, told in the caller's first reply
    question: str | None  # a topic, "price" or "breakfast"
    asks_at: int  # 0: asked in the first message, 1: in the first reply
    accepts: bool  # takes an alternative when the wish cannot be had
    temper: str  # "polite", "chatty", "curt" or "impatient"
    patience: int  # wasted turns until the caller has had enough


def find_obstacle(m: Meaning, told: Mapping[str, Value]) -> str | None:
    """The first slot whose value cannot be had together with the others."""
    if m.kind == "station":
        if told.get("class") == "first" and ("first", 0) in m.rules:
            return "class"
        destination, time = told.get("destination"), told.get("time")
        trips = [item for item in m.items if destination is None or destination == item.name]
        if destination is not None and not trips:
            return "destination"
        if time is None:
            return None
        for item in trips:
            if time in item.times:
                return None
        return "time"
    for slot in ("room", "service"):
        if slot in told and told[slot] not in [item.name for item in m.items]:
            return slot
    if m.limit and int(told.get("people", 0)) > m.limit:
        return "people"
    day, time = told.get("day"), told.get("time")
    days = [times for d, times in m.free if day is None or day == d]
    if day is not None and not days:
        return "day"
    if time is None or m.kind == "hotel":
        return None
    for times in days:
        if time in times:
            return None
    return "time"


def find_alternatives(m: Meaning, told: Mapping[str, Value], slot: str) -> list[Value]:
    """What could be had in place of the told value of this slot, in the order of the fact sheet."""
    pool: list[Value]
    if slot == "time" and m.kind == "station":
        pool = sorted(t for item in m.items if told.get("destination") in (None, item.name) for t in item.times)
    elif slot == "time":
        pool = sorted({t for day, times in m.free if told.get("day") in (None, day) for t in times})
    elif slot == "day":
        pool = [day for day, _ in m.free] or list(DAYS)
    elif slot == "people":
        pool = [m.limit]
    elif slot == "class":
        pool = ["second"]
    else:
        pool = [item.name for item in m.items]
    return [value for value in pool if find_obstacle(m, {**told, slot: value}) != slot]


@lru_cache(maxsize=4096)
def list_second_words(kind: str, first: str, split: int) -> tuple[str, ...]:
    """The second words that put a house with this first word into this split."""

    def residue(second: str) -> int:
        return crc32(f"{kind}/{first}/{second}".encode()) % 10

    wanted = {0: (2, 3, 4, 5, 6, 7, 8, 9), 1: (0,), 2: (1,)}[split]
    return tuple(w for w in NAMES_OF_HOUSES[kind][1] if w != first and residue(w) in wanted)


def split_of(m: Meaning) -> str:
    """The split that this meaning's house belongs to."""
    residue = crc32(f"{m.kind}/{m.house[0]}/{m.house[1]}".encode()) % 10
    return SPLITS[0 if residue > 1 else residue + 1]


def draw_house(draws: Draws, kind: str, split: int) -> tuple[str, str]:
    while True:
        first = draws.pick(NAMES_OF_HOUSES[kind][0])
        seconds = list_second_words(kind, first, split)
        if seconds:
            return first, draws.pick(seconds)


def draw_meaning(draws: Draws, split: int, simple: bool) -> Meaning:
    """One house, one caller. `simple`: everything is possible, nothing changes, at most one slot is left out."""
    kind = draws.pick(KINDS)
    house = draw_house(draws, kind, split)
    goal, free, items = draw_facts(draws, kind, house)
    slots = tuple(goal)
    limit = draws.integer(max(6, int(goal.get("people", 2))), 12) if kind == "restaurant" and draws.chance(0.2) else 0

    roll = draws.random()
    demand = None if simple or roll >= 0.25 else draw_demand(draws, kind, goal, free, items)
    if demand == "people":
        limit = int(goal["people"]) - draws.integer(1, 2)
    rules = draw_rules(draws, kind, simple, no_first_class=demand == "class")
    change = None if simple or not 0.25 <= roll < 0.45 else draw_change(draws, kind, goal, free, items)

    temper = draws.pick(TEMPERS)
    gives = {"polite": 2, "chatty": 3, "curt": 1, "impatient": 2}[temper]
    if simple:
        number = len(slots) - draws.below(2)
    else:
        number = max(draws.integer(0, len(slots)), len(slots) - 3, len(slots) - 2 if gives == 1 else 0)
    first = draws.sample(slots, number)
    if "class" in goal and "class" not in first:  # nobody can know that the class matters
        first = ["class", *first[1:]]
    if change and change[0] not in first:  # a mind can be changed only about what was said
        first = [change[0], *[s for s in first if s == "class"], *first[2 if "class" in first else 1 :]]
    swappable = first and first[-1] not in ("class", change and change[0])
    if kind == "station" and "destination" not in first and swappable and draws.chance(0.8):
        first[-1] = "destination"

    question = None
    if not simple and draws.chance(0.4):
        topics = [t for t, _ in rules if t != "first"]
        thing = priced_slot(kind)
        if thing and "class" not in goal and demand != thing and (not change or change[0] != thing):
            topics += ["price"] * 2
        question = draws.pick(topics) if topics else None
        if question == "price" and thing and thing not in first:  # the question names the thing
            first.append(thing)
    return Meaning(
        kind=kind,
        house=house,
        free=free,
        items=items,
        rules=rules,
        limit=limit,
        goal=tuple(goal.items()),
        first=tuple(s for s in slots if s in first),
        gives=gives,
        change=change,
        question=question,
        asks_at=0 if draws.chance(0.6) else 1,
        accepts=draws.chance(0.75),
        temper=temper,
        patience=draws.integer(3, 4) if temper != "impatient" else 2,
    )


def priced_slot(kind: str) -> str | None:
    """The slot whose value has a price."""
    return {"hotel": "room", "salon": "service", "station": "destination"}.get(kind)


def draw_facts(
    draws: Draws, kind: str, house: tuple[str, str]
) -> tuple[dict[str, Value], tuple[tuple[str, tuple[str, ...]], ...], tuple[Item, ...]]:
    """A goal that can be had, the free days and times, and the priced items of a house."""
    goal: dict[str, Value] = {}
    free: tuple[tuple[str, tuple[str, ...]], ...] = ()
    items: tuple[Item, ...] = ()
    if kind == "station":
        towns = [house[1], draws.pick([t for t in TOWNS if t not in house])]
        times = draw_train_times(draws, draws.integer(3, 4))
        prices = draws.sample(range(*PRICES[kind]), 2)
        cut = draws.integer(1, len(times) - 1)
        items = (
            Item(towns[0], prices[0], tuple(sorted(times[:cut]))),
            Item(towns[1], prices[1], tuple(sorted(times[cut:]))),
        )
        trip = draws.pick(items)
        goal["destination"] = trip.name
        goal["time"] = draws.pick(trip.times)
        if draws.chance(0.5):
            goal["people"] = draws.integer(2, 5)
        elif draws.chance(0.5):
            goal["class"] = draws.pick(("first", "second"))
        return goal, free, items

    days = draws.sample(range(7), 2 if draws.chance(0.65) else 3)
    if kind in ("hotel", "salon"):
        names = draws.sample(ROOMS if kind == "hotel" else SERVICES, 2 if draws.chance(0.6) else 3)
        prices = draws.sample(range(*PRICES[kind]), len(names))
        items = tuple(Item(n, p) for n, p in zip(names, prices, strict=True))
        goal["room" if kind == "hotel" else "service"] = draws.pick(names)
    if kind == "hotel":
        free = tuple((DAYS[d], ()) for d in sorted(days))
        goal["day"] = DAYS[draws.pick(days)]
        goal["nights"] = draws.integer(1, 5)
    else:
        times = draws.sample(POOLS[kind], 3)
        same = draws.chance(0.5)
        # The wished time is free on each day, so that a changed day keeps it.
        others = [
            tuple(sorted(times if same else [times[0], draws.pick(POOLS[kind])][: 1 + draws.below(2)])) for _ in days
        ]
        free = tuple((DAYS[d], tuple(dict.fromkeys(o))) for d, o in zip(sorted(days), others, strict=True))
        goal["day"], goal["time"] = DAYS[draws.pick(days)], times[0]
    if kind == "restaurant":
        goal["people"] = draws.integer(2, 9)
    if kind != "salon":
        # Only a doctor's house is called by a family name.
        goal["name"] = draws.pick(NAMES if kind != "doctor" else [n for n in NAMES if n not in house])
    return goal, free, items


def draw_train_times(draws: Draws, n: int) -> list[str]:
    """n departures, no two alike on a 12-hour clock."""
    minutes: list[int] = []
    while len(minutes) < n:
        t = draws.integer(6 * 12, 22 * 12 - 1) * 5
        if all((t - other) % 720 for other in minutes):
            minutes.append(t)
    return [f"{t // 60:02d}:{t % 60:02d}" for t in minutes]


def draw_rules(draws: Draws, kind: str, simple: bool, no_first_class: bool) -> tuple[tuple[str, int], ...]:
    rules = [("first", 0)] if no_first_class else []
    for topic in draws.sample(TOPICS[kind], 1 if simple or no_first_class or draws.chance(0.65) else 2):
        rules.append((topic, draws.integer(5, 19) if topic == "breakfast" else int(draws.chance(0.45))))
    return tuple(rules)


def draw_demand(
    draws: Draws,
    kind: str,
    goal: dict[str, Value],
    free: tuple[tuple[str, tuple[str, ...]], ...],
    items: tuple[Item, ...],
) -> str | None:
    """Turns the goal into one that cannot be had: the slot that must be declined."""
    options = {
        "restaurant": ("time", "time", "day", "people"),
        "hotel": ("room", "day"),
        "station": ("time", "time", "class") if "class" in goal else ("time",),
        "salon": ("time", "service", "day"),
        "doctor": ("time", "day"),
    }[kind]
    slot = draws.pick(options)
    if slot == "time" and kind == "station":
        taken = {(int(t[:2]) * 60 + int(t[3:])) % 720 for item in items for t in item.times}
        time = draw_train_times(draws, 1)[0]
        while (int(time[:2]) * 60 + int(time[3:])) % 720 in taken:
            time = draw_train_times(draws, 1)[0]
        goal["time"] = time
    elif slot == "time":
        taken_times = {t for _, times in free for t in times}
        goal["time"] = draws.pick([t for t in POOLS[kind] if t not in taken_times])
    elif slot == "day":
        free_days = {day for day, _ in free}
        goal["day"] = draws.pick([d for d in DAYS if d not in free_days])
    elif slot == "people":
        goal["people"] = draws.integer(6, 9)
    elif slot == "class":
        goal["class"] = "first"
    else:
        names = [item.name for item in items]
        goal[slot] = draws.pick([n for n in (ROOMS if slot == "room" else SERVICES) if n not in names])
    return slot


def draw_change(
    draws: Draws,
    kind: str,
    goal: dict[str, Value],
    free: tuple[tuple[str, tuple[str, ...]], ...],
    items: tuple[Item, ...],
) -> tuple[str, Value] | None:
    """Another value, which can be had, for one slot of the goal."""
    options: list[tuple[str, Value]] = []
    for day, _ in free:
        if day != goal["day"]:
            options.append(("day", day))
    if kind == "station":
        trip = next(item for item in items if item.name == goal["destination"])
        options += [("time", t) for t in trip.times if t != goal["time"]]
    elif "time" in goal:
        times = next(times for day, times in free if day == goal["day"])
        options += [("time", t) for t in times if t != goal["time"]]
    if "people" in goal and kind != "restaurant":
        options.append(("people", int(goal["people"]) + 1))
    elif "people" in goal:
        options.append(("people", max(2, int(goal["people"]) - 1) if int(goal["people"]) > 2 else 3))
    if "nights" in goal:
        options.append(("nights", int(goal["nights"]) + 1))
    if "room" in goal:
        options += [("room", item.name) for item in items if item.name != goal["room"]]
    return draws.pick(options) if options else None
