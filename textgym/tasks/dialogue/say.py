"""Values in words, for both sides of the counter: times, days, counts, the thing that is booked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textgym.seeding import Draws
from textgym.tasks.dialogue.meaning import Meaning, Value
from textgym.tasks.dialogue.words import SMALL

SERVICE_PHRASES = {
    "haircut": "haircut",
    "colouring": "colouring",
    "perm": "perm",
    "shave": "shave",
    "wash": "wash and blow-dry",
}
# "a single" is a room, "a family" is not
ROOM_PHRASES = {"single": "single", "double": "double", "twin": "twin", "family": "family room"}


def upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def join(parts: Sequence[str], word: str) -> str:
    """ "a", "a and b", "a, b and c" """
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def say_number(n: int) -> str:
    return SMALL[n] if 0 <= n < len(SMALL) else str(n)


def say_time(kind: str, time: str, draws: Draws, plain: bool = False) -> str:
    """ "19:30" as this kind of house writes it: stations on 24 hours, others on 12. Not `plain`: in words at times."""
    hour, minute = int(time[:2]), int(time[3:])
    if kind == "station":
        return f"{hour}:{minute:02d}"
    twelve = hour % 12 or 12
    if plain or draws.chance(0.7):
        return f"{twelve}:{minute:02d}"
    if minute == 0:
        return (
            "noon" if hour == 12 and draws.chance(0.6) else f"{draws.pick((say_number(twelve), str(twelve)))} o'clock"
        )
    if minute == 30:
        return f"half past {say_number(twelve)}"
    if minute == 15:
        return f"quarter past {say_number(twelve)}"
    if minute == 45:
        return f"quarter to {say_number(twelve % 12 + 1)}"
    return f"{twelve}:{minute:02d}"


def say_value(kind: str, slot: str, value: Value, draws: Draws, plain: bool = False) -> str:
    """The bare value: "7:30", "Thursday", "four", "double"."""
    if slot == "time":
        return say_time(kind, str(value), draws, plain)
    if isinstance(value, int):
        return str(value) if not plain and draws.chance(0.25) else say_number(value)
    if slot == "service":
        return SERVICE_PHRASES[value]
    if slot == "class":
        return f"{value} class"
    return value


def say_slot(kind: str, slot: str, value: Value, draws: Draws, plain: bool = False) -> str:
    """A slot as part of a sentence: "on Thursday", "at half past seven", "for four people"."""
    if plain and slot == "name":
        return f"under {value}"
    if slot == "day":
        words = ("from", "from", "on", "this", "from this") if kind == "hotel" else ("on", "on", "on", "this")
        return f"{draws.pick(words)} {value}"
    if slot == "time":
        return f"at {say_time(kind, str(value), draws)}"
    if slot == "nights":
        n = int(value)
        return f"for {say_value(kind, slot, n, draws)} night{'' if n == 1 else 's'}"
    if slot == "people" and kind == "station":
        return f"{say_value(kind, slot, value, draws)} tickets"
    if slot == "people" and plain:
        return f"for {say_number(int(value))}"
    if slot == "people":
        return f"for {say_value(kind, slot, value, draws)}{draws.pick(('', ' people', ' people', ' of us', ' people'))}"
    if slot == "name":
        return draws.pick((f"the name is {value}", f"my name is {value}", f"it's {value}", f"under {value}"))
    if slot == "destination":
        return f"to {value}"
    if slot == "class":
        return f"{value} class"
    if slot == "room":
        return f"a {value} room"
    return f"a {SERVICE_PHRASES[str(value)]}"


def say_thing(m: Meaning, value: str, draws: Draws) -> str:
    """What has a price, with its article."""
    if m.kind == "hotel":
        return f"{draws.pick(('a', 'the'))} {value} room"
    if m.kind == "salon":
        return f"a {SERVICE_PHRASES.get(value, value)}"
    return f"{draws.pick(('a', 'the'))} ticket to {value}"


def say_booking(kind: str, stated: Mapping[str, Value], draws: Draws) -> str:
    """The booking as one noun phrase: "a table for four on Thursday at 7:30 under Baker"."""
    parts = []
    if kind == "station":
        n = stated.get("people")
        seat = f"{stated['class']} class " if "class" in stated else ""
        parts.append(f"{say_number(n)} {seat}tickets" if isinstance(n, int) else f"a {seat}ticket")
        if "destination" in stated:
            parts.append(f"to {stated['destination']}")
    elif kind == "hotel":
        parts.append(f"a {stated['room']} room" if "room" in stated else "a room")
    elif kind == "salon":
        parts.append(f"a {SERVICE_PHRASES[str(stated['service'])]}" if "service" in stated else "an appointment")
    else:
        parts.append("a table" if kind == "restaurant" else "an appointment")
    if kind == "restaurant" and "people" in stated:
        parts.append(f"for {say_number(int(stated['people']))}")
    rest = []
    if "nights" in stated:
        n = int(stated["nights"])
        rest.append(f"for {say_number(n)} night{'' if n == 1 else 's'}")
    if "day" in stated:
        day = f"{'from' if kind == 'hotel' else 'on'} {stated['day']}"
        rest.append(day + (f" at {say_time(kind, str(stated['time']), draws, True)}" if "time" in stated else ""))
    elif "time" in stated:
        rest.append(f"at {say_time(kind, str(stated['time']), draws, True)}")
    parts += draws.shuffled(rest)
    if "name" in stated:
        parts.append(draws.pick((f"under {stated['name']}", f"under the name {stated['name']}")))
    return " ".join(parts)
