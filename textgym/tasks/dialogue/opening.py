"""The user's first message: a wish with some of its slots, at times a reason, a question, a greeting.

Put together from many small lists, so that with names, numbers and days taken out hardly two
messages share a skeleton. Three to thirty words, mostly about fifteen.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    "I was going to {get}",
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
    "could you let me {get}",
)
GETS = {
    "restaurant": ("book", "reserve", "get", "have", "order"),
    "hotel": ("book", "reserve", "get", "have", "take"),
    "station": ("buy", "book", "get", "reserve", "order"),
    "salon": ("book", "get", "have", "arrange", "come in for"),
    "doctor": ("make", "book", "get", "have", "arrange"),
}
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
        "for a few days by the sea",
        "because of my work",
        "for a trip with friends",
        "while our flat is painted",
        "for a concert",
    ),
    "station": (
        "to see my brother",
        "to visit my aunt",
        "for a wedding",
        "because my car is broken",
        "for a job interview",
        "for a day by the sea",
        "to meet some friends",
        "for my new job",
    ),
    "salon": (
        "before a wedding",
        "because my hair is so long",
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
    if not busy and (m.temper == "chatty" or draws.chance(0.1)):
        body += " " + draws.pick(REASONS[m.kind])
    elif not details and draws.chance(0.6):
        body += " " + draws.pick(TODAY if m.kind == "station" else VAGUE)

    style = draws.random()
    mark = "."
    if m.temper == "curt" and style < 0.6:
        sentence = draws.pick(("", "", "I need ", "I want ", "we need ", "just ")) + body
    elif style < 0.5:
        sentence = f"{draws.pick(WISHES).format(get=draws.pick(GETS[m.kind]))} {body}"
    else:
        sentence = f"{draws.pick(REQUESTS).format(get=draws.pick(GETS[m.kind]))} {body}"
        mark = "?"
    if draws.chance(0.4 if m.temper != "curt" and not busy else 0.15):
        sentence = f"{draws.pick(GREETINGS)}, {sentence}"
    text = upper(sentence + say_end(m, told, draws)) + mark
    return f"{text} {say_question(m, str(m.question), told, draws)}" if asks else text


def say_details(m: Meaning, told: Mapping[str, Value], draws: Draws) -> list[str]:
    """Day, time, nights and people in some order; "on Thursday at 7:30" mostly stays together."""
    slots = [s for s in ("nights", "people") if s in told and not (s == "people" and m.kind == "station")]
    details = [say_slot(m.kind, s, told[s], draws) for s in slots]
    when = [say_slot(m.kind, s, told[s], draws) for s in ("day", "time") if s in told]
    if len(when) < 2 or draws.chance(0.3):
        return draws.shuffled([*details, *when])
    pair = " ".join(when if draws.chance(0.75) else when[::-1])
    return [*details, pair] if draws.chance(0.6) else [pair, *details]


def say_end(m: Meaning, told: Mapping[str, Value], draws: Draws) -> str:
    """What follows the wish: the name, or a please, or haste."""
    if "name" in told:
        name = told["name"]
        ends = (f", the name is {name}", f", my name is {name}", f" under {name}", f" under the name {name}")
        last = f", name {name}" if m.kind == "restaurant" else f" for {name}"
        return draws.pick((*ends, last)) + draws.pick(("", "", "", ", please"))
    if m.temper == "impatient" and draws.chance(0.5):
        return draws.pick((", and quickly please", ", I am in a hurry", ", I have little time", ", it is urgent"))
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
        return draws.pick(("an appointment", "an appointment for my hair"))
    if m.kind == "doctor":
        return draws.pick(("an appointment", "an appointment", "an appointment with the doctor", "a visit"))
    return draws.pick(("a table", "a table", "a nice table", "a quiet table", "a table by the window", "a good table"))


def say_question(m: Meaning, topic: str, told: Mapping[str, Value], draws: Draws) -> str:
    """ "Can we bring our dog?", "How much is a double room?" """
    starts, ends = QUESTIONS[topic]
    thing = say_thing(m, str(told.get(priced_slot(m.kind) or "", "")), draws) if topic == "price" else draws.pick(ends)
    lead = draws.pick(("", "", "", "and ", "also, ", "one question, ", "by the way, ", "oh, and "))
    return upper(f"{lead}{draws.pick(starts)} {thing}?")
