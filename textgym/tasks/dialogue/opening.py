"""The user's first message: a wish with some of its slots, at times a reason, a question, a greeting.

Put together from many small lists, so that with names, numbers and days taken out hardly two
messages share a skeleton. Three to thirty words, mostly about fifteen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from textgym.seeding import Draws
from textgym.tasks.dialogue.meaning import Meaning, Value, priced_slot
from textgym.tasks.dialogue.say import SERVICE_PHRASES, say_slot, say_thing, say_value, upper
from textgym.tasks.dialogue.words import QUESTIONS

GREETINGS = ("hello", "hi", "good morning", "good evening", "good day", "hi there", "hello there", "good afternoon")
WISHES = (
    "I'd like to {get}",
    "I would like to {get}",
    "we'd like to {get}",
    "I want to {get}",
    "I'm hoping to {get}",
    "I need to {get}",
    "we want to {get}",
    "I was hoping to {get}",
    "I am trying to {get}",
    "we are hoping to {get}",
)
REQUESTS = (
    "can I {get}",
    "could I {get}",
    "may I {get}",
    "can we {get}",
    "could we {get}",
    "is it possible to {get}",
    "would it be possible to {get}",
    "can you help me {get}",
    "would you let me {get}",
)
GETS = {
    "restaurant": ("book", "reserve", "get", "have", "book"),
    "hotel": ("book", "reserve", "get", "have", "book"),
    "station": ("buy", "book", "get", "reserve", "order"),
    "salon": ("book", "get", "have", "arrange", "come in for"),
    "doctor": ("make", "book", "get", "have", "arrange"),
}
NOT_HAVE = ("trying", "need", "help")  # "I am trying to have a table", "can you help me come in for a perm"
CURT = ("", "", "I need ", "I want ", "we need ", "just ")


def of_one(frames: Sequence[str]) -> tuple[str, ...]:
    """ "I want" for "we want": said by who comes alone."""
    return tuple(re.sub(r"\bwe\b", "I", frame.replace("we are", "I am").replace("we'd", "I'd")) for frame in frames)


FRAMES = {False: (WISHES, REQUESTS, CURT), True: (of_one(WISHES), of_one(REQUESTS), of_one(CURT))}  # alone -> frames
REASONS = {
    "restaurant": (
        "for my birthday",
        "for my mother's birthday",
        "with friends from work",
        "with my parents",
        "after the theatre",
        "for a small party",
        "with my sister",
        "for our wedding day",
        "before the concert",
        "with some old friends",
    ),
    "hotel": (
        "for a short holiday",
        "for a wedding",
        "while I visit my sister",
        "for a few days off",
        "because of my work",
        "for a trip with friends",
        "while our flat is painted",
        "for a concert",
    ),
    "station": (
        "to see my brother",
        "to visit my aunt",
        "to get to a wedding",
        "because my car has broken down",
        "to spend a day by the sea",
        "to meet some friends",
        "to get to an interview",
        "for my first day at work",
    ),
    "salon": (
        "before a wedding",
        "because it is high time",
        "for a party",
        "before my holiday",
        "for my new job",
        "because my daughter says so",
    ),
    "doctor": (
        "because my back hurts",
        "because of a cough",
        "for my knee",
        "because I sleep badly",
        "for my yearly check",
        "because of my ears",
        "for a bad cold",
        "because my foot hurts",
    ),
}


TODAY = ("today", "for today", "for later today", "for a trip today", "this very day")
VAGUE = ("some time this week", "one of these days", "soon", "this week", "with you", "at your place")


def write_opening(m: Meaning, draws: Draws) -> str:
    """The wish with the slots told at once, and perhaps a question."""
    told = {slot: value for slot, value in m.goal if slot in m.first}
    details = say_details(m, told, draws)
    asks = m.question is not None and m.asks_at == 0
    busy = len(details) > 1 or "name" in told or asks
    body = " ".join([say_wish(m, told, draws), *details])
    if m.kind == "station" and details and draws.chance(0.4):
        body += " today"
    reasoned = not busy and (m.temper == "chatty" or draws.chance(0.1))
    if reasoned:
        reasons = REASONS[m.kind]  # for several tickets without the last two, which are for one
        body += " " + draws.pick(reasons[:-2] if m.kind == "station" and "people" in dict(m.goal) else reasons)
    elif not details and draws.chance(0.6):
        body += " " + draws.pick(TODAY if m.kind == "station" else VAGUE)

    wishes, requests, bare = FRAMES[is_alone(m, told)]
    style = draws.random()
    mark = "."
    if m.temper == "curt" and style < 0.6:
        lead = draws.pick(bare)
    elif style < 0.5:
        lead = say_lead(draws.pick(wishes), draws.pick(GETS[m.kind]), told)
    else:
        lead = say_lead(draws.pick(requests), draws.pick(GETS[m.kind]), told)
        mark = "?"
    sentence = lead + body
    if draws.chance(0.4 if m.temper != "curt" and not busy else 0.15):
        sentence = f"{draws.pick(GREETINGS)}, {sentence}"
    end = say_end(m, told, mark == "?", draws)
    text = upper(sentence + ("" if reasoned and end == ", please" else end)) + mark
    return f"{text} {say_question(m, str(m.question), told, draws)}" if asks else text


def say_lead(frame: str, get: str, told: Mapping[str, Value]) -> str:
    """ "I'd like to book ", with the verb that goes with it."""
    if get == "arrange" and "service" in told:
        get = "have"  # appointments are arranged, a haircut is not
    if get in ("have", "come in for") and any(word in frame for word in NOT_HAVE):
        get = "get"
    return frame.format(get=get) + " "


def is_alone(m: Meaning, told: Mapping[str, Value]) -> bool:
    """Whether what is wished is for one person."""
    if m.kind == "station":
        return not any(slot == "people" for slot, _ in m.goal)
    return m.kind in ("salon", "doctor") or told.get("room") == "single"


def say_details(m: Meaning, told: Mapping[str, Value], draws: Draws) -> list[str]:
    """Day, time, nights and people in some order; "on Thursday at 7:30" mostly stays together."""
    slots = [s for s in ("nights", "people") if s in told and not (s == "people" and m.kind == "station")]
    details = [say_slot(m.kind, s, told[s], draws) for s in slots]
    when = [say_slot(m.kind, s, told[s], draws) for s in ("day", "time") if s in told]
    if len(when) < 2 or draws.chance(0.3):
        return draws.shuffled([*details, *when])
    pair = " ".join(when if draws.chance(0.75) else when[::-1])
    return [*details, pair] if draws.chance(0.6) else [pair, *details]


def say_end(m: Meaning, told: Mapping[str, Value], is_question: bool, draws: Draws) -> str:
    """What follows the wish in its sentence: the name, or a please, or haste."""
    if "name" in told:
        name = told["name"]
        last = f" in the name of {name}" if m.kind == "restaurant" else f" for {name}"
        end = draws.pick((f" under {name}", f" under the name {name}", f" in the name of {name}", last))
        return end + draws.pick(("", "", "", ", please"))
    if m.temper == "impatient" and draws.chance(0.5):
        haste = draws.pick(("quickly, please", "I am in a hurry", "I have little time", "it is urgent"))
        return f", {'as' if is_question and haste[0] in 'Ii' else 'and'} {haste}"
    return draws.pick((", please", "", "", ""))


def say_wish(m: Meaning, told: Mapping[str, Value], draws: Draws) -> str:
    """What is to be booked: "a table", "two tickets to Ashford", "a double room"."""
    if m.kind == "station":
        seat = f"{told['class']} class " if "class" in told else ""
        n = told.get("people")
        noun = draws.pick(("ticket", "train ticket", "ticket")) if not seat else "ticket"
        if isinstance(n, int):
            text = f"{say_value(m.kind, 'people', n, draws)} {seat}{noun}s"
        elif "people" in dict(m.goal):
            text = f"{draws.pick(('some', 'a few'))} {seat}{noun}s"
        else:
            text = f"a {seat}{noun}"
        return text + (f" to {told['destination']}" if "destination" in told else "")
    if m.kind == "hotel":
        return f"a {told['room']} room" if "room" in told else draws.pick(("a room", "a quiet room", "a nice room"))
    if m.kind == "salon":
        if "service" in told:
            return f"a {SERVICE_PHRASES[str(told['service'])]}"
        wish = draws.pick(("an appointment", "an appointment for my hair"))
        return "an appointment" if dict(m.goal)["service"] == "shave" else wish
    if m.kind == "doctor":
        return draws.pick(("an appointment", "an appointment", "an appointment with the doctor", "a short appointment"))
    return draws.pick(("a table", "a table", "a nice table", "a quiet table", "a table by the window", "a good table"))


def say_question(m: Meaning, topic: str, told: Mapping[str, Value], draws: Draws) -> str:
    """ "Can we bring our dog?", "How much is a double room?" """
    starts, ends = QUESTIONS[topic]
    thing = say_thing(m, str(told.get(priced_slot(m.kind) or "", "")), draws) if topic == "price" else draws.pick(ends)
    lead = draws.pick(("", "", "", "and ", "also, ", "one question: ", "by the way, ", "oh, and "))
    return upper(f"{lead}{draws.pick(starts)} {thing}?")
