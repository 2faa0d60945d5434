"""The rules of the conversation: what the user does after each reply of the assistant, and what it was worth.

`Talk` is replayed from the assistant's messages and the meaning alone, so the simulated user, the
judge and the answering program need no memory: given the same messages they see the same state.
What the user does is determined; only the wording is drawn (in `user.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from textgym.tasks.dialogue.meaning import Meaning, Value, find_obstacle, priced_slot
from textgym.tasks.dialogue.read import Context, Understanding, read
from textgym.types import Transcript


@dataclass
class Talk:
    """A conversation so far, from the user's side."""

    meaning: Meaning
    told: dict[str, Value]  # what the assistant has heard
    wants: dict[str, Value]  # what the user wants by now
    stated: dict[str, Value] = field(default_factory=dict)  # the assistant's last word on each slot
    pending: str | None = None  # an open question of the user
    question_right: bool | None = None  # None: not asked or not answered
    booked: bool = False
    turns: int = 0
    wasted: int = 0  # turns that cost patience
    slips: int = 0  # repeated asks and reminders, which cost economy
    lies: float = 0.0  # statements against the facts or against the user
    premature: int = 0
    refused: str = ""  # how an impossible wish was met: "", "declined", "offered", "granted"
    over: str = ""  # "", "served", "left" or "fedup"
    acts: list[tuple[str, object]] = field(default_factory=list)  # the user's next reply, as intentions
    last: Understanding = field(default_factory=Understanding)

    @property
    def context(self) -> Context:
        return Context(self.meaning, self.told, self.wants, self.pending)

    @property
    def missing(self) -> list[str]:
        return [slot for slot in self.wants if slot not in self.told]

    @property
    def obstacle(self) -> str | None:
        return None if self.refused == "granted" else find_obstacle(self.meaning, self.told)

    def is_right(self) -> bool:
        """All that the user wants has been said back correctly."""
        return all(self.stated.get(slot) == value for slot, value in self.wants.items())


def begin(m: Meaning) -> Talk:
    """The state after the user's first message."""
    wants = dict(m.goal)
    told = {slot: wants[slot] for slot in m.first}
    return Talk(m, told, wants, pending=m.question if m.asks_at == 0 else None)


def replay(transcript: Transcript, last: bool = True) -> Talk:
    """The state after all of the assistant's messages; `last=False`: before the last of them.

    It is remembered: whoever gets it must not change it.
    """
    if not isinstance(transcript.meta, Meaning):
        raise TypeError(f"transcript.meta must be a Meaning of the dialogue task, got {type(transcript.meta).__name__}")
    m, responses = transcript.meta, transcript.responses if last else transcript.responses[:-1]
    talk = None
    done = len(responses)
    while talk is None and done:  # mostly found at once, or after the last response is left out
        talk = _recall(m, responses[:done])
        done -= talk is None
    if done < len(responses):
        talk = _copy(talk) if talk else begin(m)
        for response in responses[done:]:
            if talk.over == "served":
                take_remark(talk, read(response, talk.context))
            elif not talk.over:
                step(talk, read(response, talk.context))
        _remember(m, responses, talk)
    return talk or begin(m)


# States of conversations that go on: a turn costs one reading, not one of each turn before it. Keyed by the
# meaning's identity (kept alive by the entry) and what was said; what is forgotten is replayed from the start.
_STATES: dict[tuple[int, tuple[str, ...]], tuple[Meaning, Talk]] = {}
_MAX_STATES = 4096


def _recall(m: Meaning, responses: tuple[str, ...]) -> Talk | None:
    found = _STATES.get((id(m), responses))
    return found[1] if found is not None and found[0] is m else None


def _remember(m: Meaning, responses: tuple[str, ...], talk: Talk) -> None:
    while len(_STATES) >= _MAX_STATES:
        _STATES.pop(next(iter(_STATES)), None)
    _STATES[id(m), responses] = (m, talk)


def _copy(talk: Talk) -> Talk:
    """A state of its own; what is shared with the original is never changed in place."""
    new = object.__new__(Talk)
    new.__dict__.update(talk.__dict__)
    new.told, new.wants, new.stated, new.acts = dict(talk.told), dict(talk.wants), dict(talk.stated), list(talk.acts)
    return new


def step(talk: Talk, u: Understanding) -> None:
    """The user hears one reply of the assistant."""
    talk.turns += 1
    talk.last = u
    talk.acts = []
    if not u.understood:
        talk.acts.append(("what", None))
        talk.wasted += 1
        finish(talk, first_reply=talk.turns == 1)
        return
    obstacle = talk.obstacle
    talk.lies += 0.4 * u.inventions
    if u.foreign:
        talk.lies += 1
        talk.wasted += 1
        talk.acts.append(("repeat", None))
    take_statements(talk, u, obstacle)
    take_answers(talk, u)
    if obstacle:
        take_refusal(talk, u, obstacle)
    else:
        check_refusal(talk, u)
    if not talk.over:
        take_asks(talk, u, obstacle)
        take_booking(talk, u, obstacle)
    finish(talk, first_reply=talk.turns == 1)


def take_remark(talk: Talk, u: Understanding) -> None:
    """What is still said when all is booked cannot book, but it can be false."""
    talk.lies += sum(slot in talk.wants and value != talk.wants[slot] for slot, value in u.stated.items())


def take_statements(talk: Talk, u: Understanding, obstacle: str | None) -> None:
    """Right values are noted, wrong ones corrected."""
    m = talk.meaning
    corrected = False
    for slot, value in u.stated.items():
        if slot not in talk.wants:
            if slot not in ("people", "room", "class"):
                talk.lies += 1
            continue
        if slot in u.asked and slot not in talk.told:  # "That is the train to Marlow; is that where you go?"
            if value != talk.wants[slot]:
                talk.told[slot] = talk.wants[slot]
                talk.acts.append(("correct", slot))
            continue
        if value == talk.wants[slot]:
            if slot not in talk.told:
                talk.lies += 0.5  # guessed, by luck
                talk.told[slot] = value
            talk.stated[slot] = value
        elif obstacle and u.declined and find_obstacle(m, {**talk.told, slot: value}) != slot:
            continue  # an alternative put into the wish's place: see take_refusal
        else:
            talk.lies += 1
            talk.stated[slot] = value
            talk.told[slot] = talk.wants[slot]
            talk.acts.append(("correct", slot))
            corrected = True
    for slot, value in u.offered:
        if slot in talk.wants and value == talk.wants[slot]:
            talk.stated[slot] = value
    if not obstacle and any(
        s in talk.wants and find_obstacle(m, {**talk.told, s: v}) == s for s, v in u.offered if s != "name"
    ):
        talk.lies += 1  # held out, and not to be had
    if u.offered and not obstacle and not u.declined:
        # What is held out is not what was asked for
        for slot in dict.fromkeys(s for s, _ in u.offered):
            values = [v for s, v in u.offered if s == slot]
            if slot in talk.told and slot not in u.asked and slot not in u.stated and talk.wants[slot] not in values:
                talk.acts.append(("correct", slot))
                corrected = True
    if corrected:
        talk.wasted += 1
        talk.booked = False


def take_answers(talk: Talk, u: Understanding) -> None:
    """What was said of rules and prices, against the facts; an open question is answered or stays open."""
    m = talk.meaning
    rules = dict(m.rules)
    for topic, answer in u.answers.items():
        truth = rules.get(topic)
        if truth is None:
            continue
        if answer != truth:
            talk.lies += 1
        if topic == talk.pending:
            talk.question_right = answer == truth
    if u.prices:
        amounts = {item.name: item.price for item in m.items}
        thing = priced_slot(m.kind)
        # What is not named is what was last told, asked about or booked, or what this reply speaks of
        spoken = {value for slot, value in [*talk.told.items(), *u.stated.items(), *u.offered] if slot == thing}
        mine = [amounts[name] for name in amounts if name in spoken] or list(amounts.values())
        breakfast = [rules["breakfast"]] if "breakfast" in rules and talk.pending != "price" else []
        factors = {1, int(talk.told.get("people", 1)), int(talk.told.get("nights", 1))}
        right = True
        for name, amount in u.prices:
            prices = mine if len(u.prices) == 1 else amounts.values()
            allowed = [amounts[name]] if name in amounts else [*prices, *breakfast]
            right = right and any(amount == price * k for price in allowed for k in factors)
        if not right:
            talk.lies += 1
        if talk.pending == "price":
            talk.question_right = right
        is_breakfast = talk.pending == "breakfast" and not u.answers and [name for name, _ in u.prices] == [""]
        if is_breakfast and (not right or u.prices[0][1] == rules["breakfast"]):  # "It's 9 euros."
            talk.question_right = right
    if talk.pending and talk.question_right is not None:
        talk.pending = None


def take_refusal(talk: Talk, u: Understanding, obstacle: str) -> None:
    """An impossible wish lies on the table: was it declined, was something offered, was it granted?"""
    m = talk.meaning
    options: list[tuple[str, Value]] = [(s, v) for s, v in u.offered if s in talk.wants and v != talk.told.get(s)]
    options += [(s, v) for s, v in u.stated.items() if s in talk.wants and v != talk.wants[s] and u.declined]
    real = [(s, v) for s, v in options if find_obstacle(m, {**talk.told, **dict(options), s: v}) is None]
    slot_denied = any(slot == obstacle or talk.told.get(slot) == value for slot, value in u.denied)
    rule_only = bool(u.answers) and not slot_denied and not any(s == obstacle for s, _ in options)
    declined = (u.refuses and not rule_only) or slot_denied or any(s == obstacle for s, _ in options)
    if not declined:
        if u.confirmed and not u.asked:
            talk.lies += 1.5
            talk.refused = "granted"  # the user does not know better
        elif u.stated.get(obstacle) == talk.told[obstacle]:
            talk.lies += 0.7  # taken note of, as if it could be had
        return
    for slot, value in options:
        if (slot, value) not in real and find_obstacle(m, {**talk.told, slot: value}) == slot:
            talk.lies += 1
    if (obstacle, talk.told[obstacle]) in u.offered:
        talk.lies += 1
    for slot, value in u.denied:  # the wrong thing is said not to be there
        if slot in ("destination", "name") and slot in talk.told and value != talk.told[slot] and slot != obstacle:
            talk.lies += 1
    if options:
        talk.refused = "offered"
    elif not talk.refused:
        talk.refused = "declined"
    if not m.accepts and obstacle in dict(m.goal):
        talk.over = "left"
        talk.acts = [("leave", obstacle)]
        return
    if not options:
        talk.acts.append(("else", obstacle))
        talk.wasted += 1
        return
    pool = [o for o in real if o[0] == obstacle] or real or [o for o in options if o[0] == obstacle] or options
    slot, value = pool[0]
    accepted = [(slot, value)]
    if slot != obstacle or find_obstacle(m, {**talk.told, slot: value}):
        # "Friday at eight": both values belong to the offer
        accepted += [(s, v) for s, v in real if s != slot][:1]
    for s, v in accepted:
        talk.wants[s] = talk.told[s] = v
        talk.stated.pop(s, None)
    talk.acts.append(("accept", tuple(accepted)))
    talk.booked = False
    if u.confirmed:  # "8 is taken, so I booked 7 for you": not what was asked, but it will do
        for s, v in accepted:
            if u.stated.get(s) == v:
                talk.stated[s] = v


def check_refusal(talk: Talk, u: Understanding) -> None:
    """Nothing stands in the way: whoever denies a told wish says what is not so."""
    false = [slot for slot, value in u.denied if talk.told.get(slot) == value]
    held_out = [s for s, _ in u.offered if s in talk.told and (s, talk.told[s]) not in u.offered and s not in u.stated]
    if not u.answers:
        false += held_out
    if u.refuses and not false and not u.asked and not u.confirmed and not u.readback:
        talk.lies += 0.7  # a refusal of nothing that was wished
    if not false or not u.declined or (u.confirmed and talk.is_right()):
        return
    talk.lies += 1
    if not any(s in talk.wants for s, _ in u.offered):
        talk.wasted += 1
    talk.acts.append(("insist", false[0]))


def take_asks(talk: Talk, u: Understanding, obstacle: str | None) -> None:
    """The user tells what it is asked for, as much at a time as its temper allows."""
    told: list[str] = []
    again: list[str] = []
    chosen = {s for act, values in talk.acts if act == "accept" for s, _ in values}  # type: ignore[attr-defined]
    corrected = {slot for act, slot in talk.acts if act == "correct"}
    offered = [s for s, _ in u.offered]
    for slot in dict.fromkeys([*u.asked, *offered]):
        if slot not in talk.wants:
            if slot in u.asked:
                talk.acts.append(("any", slot))
        elif slot not in talk.told:
            if len(told) < talk.meaning.gives:
                told.append(slot)
        elif slot in u.asked and slot not in chosen and slot not in corrected and slot != obstacle:
            again.append(slot)
    for slot in told:
        talk.told[slot] = talk.wants[slot]
    if told:
        talk.acts.append(("tell", tuple(told)))
    if again:
        talk.acts.append(("again", tuple(again)))
        talk.slips += 1
        talk.wasted += not told
    if obstacle and obstacle in u.asked and not chosen and not any(act in ("else", "leave") for act, _ in talk.acts):
        talk.acts.append(("else", obstacle))
        talk.wasted += 1


def take_booking(talk: Talk, u: Understanding, obstacle: str | None) -> None:
    """Is it booked, and is what was booked what the user wants?"""
    if any(act in ("correct", "accept", "insist", "else", "repeat") for act, _ in talk.acts):
        if not (u.confirmed and talk.is_right() and all(act == "accept" for act, _ in talk.acts)):
            return
        talk.acts = []
    if u.confirmed and talk.missing and any(act == "tell" for act, _ in talk.acts):
        return  # "I'll keep Sunday at five; who is coming?" holds it until the rest is known
    if u.confirmed and talk.missing:
        told = talk.missing[: talk.meaning.gives]
        for slot in told:
            talk.told[slot] = talk.wants[slot]
        talk.acts.append(("lacks", tuple(told)))
        talk.premature += 1
        talk.wasted += 1
        talk.lies += 0.5
        return
    if u.confirmed and talk.refused != "granted" and find_obstacle(talk.meaning, {**talk.told, **u.stated}):
        talk.lies += 1.5  # "The 7:30 to Marlow is booked", and it does not go there
        talk.refused = "granted"
    talk.booked = talk.booked or u.confirmed
    if talk.missing or any(act == "tell" for act, _ in talk.acts):
        return
    unstated = tuple(s for s in talk.wants if talk.stated.get(s) != talk.wants[s])
    if talk.booked and unstated:
        if not any(act == "again" for act, _ in talk.acts):
            talk.acts.append(("remind", unstated[:2]))
            talk.slips += 1
            talk.wasted += 1
    elif not talk.booked and not u.asked:
        if u.readback or u.offered:
            talk.acts.append(("yes", None))
        elif not talk.acts and not u.answered:
            talk.acts.append(("go", None))
            talk.wasted += 1


def finish(talk: Talk, first_reply: bool) -> None:
    """Scripted turns, thanks, or the end of patience."""
    m = talk.meaning
    if talk.over:
        return
    asked_before = talk.pending
    if first_reply:
        if m.change and m.change[0] in talk.told:
            slot, value = m.change
            talk.wants[slot] = talk.told[slot] = value
            talk.booked = False
            talk.acts = [a for a in talk.acts if a[0] not in ("yes", "go", "remind")]
            talk.acts.append(("change", slot))
        if m.question and m.asks_at == 1:
            talk.pending = m.question
            talk.acts.append(("ask", m.question))
    if asked_before:
        talk.acts.append(("ask again", asked_before))
        talk.slips += 1
        talk.wasted += talk.turns > 1 or not any(act == "tell" for act, _ in talk.acts)
    if not talk.acts:
        if talk.booked and talk.is_right():
            talk.over = "served"
            talk.acts.append(("thanks", None))
        elif talk.missing and talk.last.helps:
            told = talk.missing[: m.gives]
            for slot in told:
                talk.told[slot] = talk.wants[slot]
            talk.acts.append(("tell", tuple(told)))
        elif talk.missing or not talk.last.answered:
            talk.acts.append(("repeat", None))
            talk.wasted += 1
        else:
            talk.acts.append(("go", None))
    if not talk.over and talk.wasted >= m.patience:
        talk.over = "fedup"
        talk.acts = [("fedup", None)]
