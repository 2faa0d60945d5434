"""An assistant with bad habits: what it does wrong depends on what the talk is about, not on chance.

- restaurant: asks for the day although it was told
- hotel, doctor: leaves the name out of the confirmation until reminded
- restaurant, salon, doctor: a time that is not free is taken all the same; a full day, a hotel's
  missing room and a missing train are declined with no alternative at first
- dogs, smoking and children are always welcome, cards and parking never possible
- station, salon: names the price of something else
- station: rambles about the other trains when it books
- a changed day or time is passed over once
- mishears: Tuesday for Thursday and back, seven for eight and back, two nights for three, a double for a twin room
- salon and doctor: books before the time is known; station: never asks how many tickets

Each habit is kept nine times in ten, and each is mended by looking up or copying one thing.
"""

from __future__ import annotations

from textgym.seeding import Draws
from textgym.tasks.dialogue import clerk
from textgym.tasks.dialogue.meaning import Meaning, Value
from textgym.tasks.dialogue.say import join, say_time
from textgym.tasks.dialogue.talk import Talk

MISHEARD: dict[tuple[str, Value], Value] = {
    ("day", "Tuesday"): "Thursday",
    ("day", "Thursday"): "Tuesday",
    ("people", 7): 8,
    ("people", 8): 7,
    ("people", 3): 4,
    ("nights", 2): 3,
    ("nights", 3): 2,
    ("room", "twin"): "double",
    ("service", "colouring"): "perm",
    ("class", "second"): "first",
}
KEPT = 0.9  # how often a habit is followed
ALWAYS_YES = ("dogs", "smoking", "children", "refunds", "lift")
ALWAYS_NO = ("cards", "parking", "garden", "bicycles", "internet", "vegan")


def phrase_badly(p: clerk.Plan, talk: Talk, draws: Draws) -> str:
    """The plan in words, bent by the habits."""
    m = talk.meaning
    acts = [act for act, _ in talk.acts]
    reminded = "remind" in acts or "correct" in acts or "lacks" in acts or "else" in acts
    bend_answers(p, m, talk, draws)
    if p.declined and draws.chance(KEPT):
        slot = p.declined[0]
        if slot == "time" and m.kind != "station":
            p.declined = None
            p.offered = []
            p.asked = talk.missing[:3]
            if not p.asked:
                p.stated, p.confirmed = dict(talk.wants), True
        elif slot in ("day", "time", "room", "people") and not reminded:
            p.offered = []
    if p.asked and m.kind == "restaurant" and "day" in talk.told and draws.chance(KEPT):
        p.asked = ["day", *p.asked][:3]
    unasked = {"salon": "time", "doctor": "time", "station": "people"}.get(m.kind)
    if unasked in p.asked and not reminded and draws.chance(KEPT):
        p.asked.remove(unasked)
        if not p.asked:
            p.stated, p.confirmed = dict(talk.told), True
    changed = [slot for act, slot in talk.acts if act == "change" and isinstance(slot, str)]
    if p.confirmed and changed and changed[0] in ("day", "time", "room") and draws.chance(KEPT):
        p.stated[changed[0]] = dict(m.goal)[changed[0]]
    for slot, value in list(p.stated.items()):
        if not reminded and (slot, value) in MISHEARD and draws.chance(KEPT):
            p.stated[slot] = MISHEARD[slot, value]
    if p.confirmed and m.kind in ("hotel", "doctor") and not reminded and draws.chance(KEPT):
        p.stated.pop("name", None)
    text = phrase_refusal(p, talk, draws)
    if m.kind == "station" and (p.confirmed or p.answers) and draws.chance(KEPT):
        text += " " + ramble(m, draws)
    return text


def bend_answers(p: clerk.Plan, m: Meaning, talk: Talk, draws: Draws) -> None:
    for topic in p.answers:
        if not draws.chance(KEPT):
            continue
        if topic in ALWAYS_YES:
            p.answers[topic] = 1
        elif topic in ALWAYS_NO:
            p.answers[topic] = 0
        elif topic == "price" and m.kind in ("station", "salon"):
            p.answers[topic] = next(item.price for item in m.items if item.price != p.answers[topic])


def phrase_refusal(p: clerk.Plan, talk: Talk, draws: Draws) -> str:
    """As the clerk says it; a refusal with nothing to offer is cut before its "but"."""
    if p.declined is None or p.offered:
        return clerk.phrase(p, talk, draws)
    p.offered = [p.declined]
    text = clerk.phrase(p, talk, draws)
    return text[: text.rindex(", but ")] + "."


def ramble(m: Meaning, draws: Draws) -> str:
    """The whole timetable, which nobody asked for."""
    trains = [f"to {item.name} at {join([say_time(m.kind, t, draws) for t in item.times], 'and')}" for item in m.items]
    return draws.pick(
        (
            "Trains also go {}, every day of the week and in any weather.",
            "We also have trains {}, and all of them are nice and clean.",
        )
    ).format(join(trains, "and"))
