"""The program that answers: what a good assistant says next, and how.

`plan` decides from the state (answer what was asked, decline what cannot be had and offer what can,
ask for what is missing, else confirm), `phrase` says it. `habits.py` bends both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from textgym.seeding import Draws
from textgym.tasks.dialogue.meaning import Meaning, Value, find_alternatives, priced_slot
from textgym.tasks.dialogue.read import Understanding
from textgym.tasks.dialogue.say import join, say_booking, say_thing, say_value, upper
from textgym.tasks.dialogue.talk import Talk
from textgym.tasks.dialogue.words import ANSWERS


@dataclass
class Plan:
    """What the assistant means to say in one turn."""

    answers: dict[str, int] = field(default_factory=dict)  # topic -> what to say of it
    declined: tuple[str, Value] | None = None
    offered: list[tuple[str, Value]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    stated: dict[str, Value] = field(default_factory=dict)
    confirmed: bool = False

    def understanding(self, m: Meaning) -> Understanding:
        """How a user should take it, without any words."""
        thing = priced_slot(m.kind) or ""
        prices = tuple((str(self.stated.get(thing, "")), v) for t, v in self.answers.items() if t == "price")
        return Understanding(
            asked=tuple(self.asked),
            stated=self.stated,
            offered=tuple(self.offered),
            denied=(self.declined,) if self.declined else (),
            confirmed=self.confirmed,
            declined=self.declined is not None,
            answers={t: v for t, v in self.answers.items() if t != "price"},
            prices=prices,
        )


def plan(talk: Talk) -> Plan:
    """The best next turn."""
    m = talk.meaning
    p = Plan()
    if talk.pending:
        p.answers[talk.pending] = look_up(m, talk.told, talk.pending)
    obstacle = talk.obstacle
    if obstacle:
        p.declined = (obstacle, talk.told[obstacle])
        p.offered = [(obstacle, v) for v in find_alternatives(m, talk.told, obstacle)[:2]]
    elif talk.missing:
        p.asked = talk.missing[:3]
    elif not (talk.booked and talk.is_right()):
        p.stated = dict(talk.wants)
        p.confirmed = True
    return p


def look_up(m: Meaning, told: Mapping[str, Value], topic: str) -> int:
    """The fact sheet's answer to a question."""
    if topic != "price":
        return dict(m.rules)[topic]
    thing = told.get(priced_slot(m.kind) or "", "")
    return next((item.price for item in m.items if item.name == thing), -1)


def phrase(p: Plan, talk: Talk, draws: Draws) -> str:
    """The plan in words: one to three sentences."""
    m = talk.meaning
    parts = [say_answer(m, talk.told, topic, value, draws) for topic, value in p.answers.items()]
    if p.declined:
        parts.append(say_refusal(m, talk.told, p, parts, draws))
    if p.asked:
        parts.append(say_asks(m, p.asked, not parts, draws))
    if p.confirmed:
        parts.append(say_confirmation(m, p.stated, bool(parts), draws))
    if not parts or (not p.asked and not p.declined and not p.confirmed):
        parts.append(draws.pick(PARTINGS if m.kind != "station" else TRIPS))
    return " ".join(parts)


def say_answer(m: Meaning, told: Mapping[str, Value], topic: str, value: int, draws: Draws) -> str:
    if topic == "price":
        thing = say_thing(m, str(told.get(priced_slot(m.kind) or "", "")), draws)
        each = {"hotel": " a night", "station": "", "salon": ""}[m.kind]
        return upper(f"{thing} {draws.pick(('costs', 'is'))} {value} euros{each}.")
    if topic == "breakfast":
        return draws.pick(
            (
                f"Breakfast costs {value} euros.",
                f"Breakfast is {value} euros.",
                f"For breakfast we charge {value} euros.",
            )
        )
    subjects, allowed, forbidden = ANSWERS[topic]
    subject = draws.pick(subjects)
    if value:
        lead = draws.pick(("Yes, ", "Yes, ", "Yes, of course, ", ""))
        text = f"{lead}{subject if not lead else subject[0].lower() + subject[1:]} {draws.pick(allowed)}"
    else:
        lead = draws.pick(("I'm sorry, ", "No, ", "Sorry, ", "I'm afraid "))
        text = f"{lead}{subject[0].lower() + subject[1:]} {draws.pick(forbidden)}"
    here = " here" if topic in ("dogs", "smoking", "children", "cards") and " come " not in text else ""
    return text + draws.pick(("", "", here if m.kind != "station" else "")) + "."


def say_refusal(m: Meaning, told: Mapping[str, Value], p: Plan, before: Sequence[str], draws: Draws) -> str:
    """What cannot be had, and what can."""
    assert p.declined is not None
    slot, value = p.declined
    sorry = draws.pick(("I'm sorry, ", "Sorry, ", "I'm afraid ", "Unfortunately, "))
    if any("orry" in part or "afraid" in part for part in before):
        sorry = draws.pick(("Also, ", "And "))
    offers = [say_value(m.kind, s, v, draws, plain=True) for s, v in p.offered]
    choice = join([f"a {offer}" for offer in offers] if slot == "service" else offers, "or")
    both = join(offers, "and")
    are = "is" if len(offers) == 1 else "are"
    wish = say_value(m.kind, slot, value, draws, plain=True)
    if slot == "time":
        where = (
            f" to {told['destination']}" if m.kind == "station" and "destination" in told and draws.chance(0.6) else ""
        )
        if m.kind == "station":
            no = draws.pick(
                (
                    f"there is no train{where} at {wish}",
                    f"no train{where} leaves at {wish}",
                    f"we have no train{where} at {wish}",
                )
            )
            yes = draws.pick(
                (
                    f"there {'is one' if are == 'is' else 'are trains'} at {both}",
                    f"you could take the {choice} train",
                    f"{'one leaves' if are == 'is' else 'trains leave'} at {both}",
                    f"how about {choice}?",
                )
            )
        else:
            no = draws.pick(
                (f"{wish} is not free", f"{wish} is taken", f"we have nothing at {wish}", f"nothing is free at {wish}")
            )
            yes = draws.pick(
                (
                    f"{both} {are} free",
                    f"we could offer {choice}",
                    f"how about {choice}?",
                    f"you could come at {choice}",
                )
            )
    elif slot == "day":
        no = draws.pick(
            (f"{wish} is full", f"we have nothing on {wish}", f"nothing is free on {wish}", f"we are full on {wish}")
        )
        yes = draws.pick(
            (f"{both} {are} free", f"we could offer {choice}", f"how about {choice}?", f"there is room on {both}")
        )
    elif slot == "people":
        no = draws.pick(
            (f"we have no table for {wish}", f"a table for {wish} is not possible", f"we cannot seat {wish} people")
        )
        yes = draws.pick(
            (
                f"we could offer a table for {choice}",
                f"how about a table for {choice}?",
                f"you could have a table for {choice}",
            )
        )
    elif slot == "class":
        no = draws.pick(("there is no first class", "first class is not available", "we have no first class"))
        yes = draws.pick(
            (
                "there is second class",
                "how about second class?",
                "second class is available",
                "we could offer second class",
            )
        )
    elif slot == "service":
        no = draws.pick((f"we do not offer a {wish}", f"a {wish} is not available", f"we cannot offer a {wish}"))
        yes = draws.pick(
            (f"{choice} is available", f"we could offer {choice}", f"how about {choice}?", f"you could have {choice}")
        )
    else:
        noun = " room" if slot == "room" else ""
        no = draws.pick((f"we have no {wish}{noun}", f"a {wish}{noun} is not available", f"there is no {wish}{noun}"))
        yes = draws.pick(
            (
                f"there is a {choice}{noun}",
                f"we could offer a {choice}{noun}",
                f"how about a {choice}{noun}?",
                f"you could have a {choice}{noun}",
            )
        )
    end = "" if yes.endswith("?") else "."
    return upper(f"{sorry}{no}, but {yes}{end}")


PARTINGS = ("See you soon!", "Goodbye, and see you then.", "See you then!", "Have a nice day!")
TRIPS = ("Have a good trip!", "Goodbye, and have a good trip.", "Goodbye!", "Have a nice day!")
ASKS: dict[str, Sequence[str]] = {
    "day": ("on which day", "on what day", "which day", "for which day"),
    "time": ("at what time", "what time", "at which time", "for what time"),
    "people": ("for how many people", "how many people", "for how many"),
    "name": ("under what name", "under which name", "in what name"),
    "nights": ("for how many nights", "how many nights", "for how long"),
    "room": ("what kind of room", "which room", "what room"),
    "class": ("in which class", "which class", "which class"),
    "destination": ("to which town", "where to", "to what town"),
    "service": ("which service", "what service", "for which service"),
}
FIT_BOTH = ("under", "in what name", "where")  # beside "on which day" and beside "which day" as well
GLADLY = ("Gladly.", "Of course.", "With pleasure.", "Certainly.", "Very well.", "Sure.", "Happy to help.")


def is_bare(ask: str) -> bool:
    """ "which day" and not "on which day"; a question keeps to one of the two."""
    return ask.startswith(("wh", "how"))


def say_asks(m: Meaning, slots: Sequence[str], alone: bool, draws: Draws) -> str:
    asks: list[str] = []
    for slot in slots:
        ways = ASKS[slot] if slot != "people" or m.kind != "station" else ("how many tickets", "for how many people")
        styles = [is_bare(ask) for ask in asks if not ask.startswith(FIT_BOTH)]
        alike = [way for way in ways if way.startswith(FIT_BOTH) or not styles or is_bare(way) == styles[0]]
        asks.append(draws.pick(alike or ways))
    lead = draws.pick(GLADLY) + " " if alone and draws.chance(0.6) else ""
    polite = draws.pick(("", "", "", ", please", ", may I ask", " would you like it"))
    if polite == " would you like it" and (len(slots) > 1 or slots[0] not in ("day", "time")):
        polite = ""
    return f"{lead}{upper(join(asks, 'and'))}{polite}?"


def say_confirmation(m: Meaning, stated: Mapping[str, Value], short: bool, draws: Draws) -> str:
    booking = say_booking(m.kind, stated, draws)
    frame = draws.pick(
        (
            "{} is booked.",
            "I have booked {}.",
            "I have reserved {} for you.",
            "{} is reserved.",
            "All set: {}.",
            "Done, {} is booked.",
            "Very well, I have booked {}.",
            "Your booking is confirmed: {}.",
        )
    )
    if isinstance(stated.get("people"), int) and m.kind == "station":
        frame = frame.replace("{} is", "{} are")
    text = upper(frame.format(booking))
    wishes = " Have a good trip!" if m.kind == "station" else " See you then!"
    return text if short else text + draws.pick(("", "", "", " Thank you!", wishes, " Goodbye!"))
