"""What the user says after the assistant's reply: each intention of `talk.py` in words.

Polite users say please, curt ones say the bare value. Mostly 1 to 18 words, so that six turns fit
a small context. (The first message is written in `opening.py`.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textgym.seeding import Draws
from textgym.tasks.dialogue.meaning import Meaning, Value
from textgym.tasks.dialogue.opening import say_question, say_wish
from textgym.tasks.dialogue.say import join, say_slot, say_value, upper
from textgym.tasks.dialogue.talk import Talk
from textgym.types import Goodbye


def write_reply(talk: Talk, draws: Draws) -> str:
    """The intentions of the user's turn as one message; a `Goodbye` where the conversation is over."""
    parts = [say_act(talk, act, what, draws) for act, what in talk.acts]
    text = " ".join(part for part in dict.fromkeys(parts) if part)
    return Goodbye(text) if talk.over else text


def say_act(talk: Talk, act: str, what: object, draws: Draws) -> str:
    m = talk.meaning
    curt = m.temper in ("curt", "impatient")
    if act == "thanks":
        thanks = ("Thanks, bye.", "Great, goodbye.", "Fine, bye.", "Good, thanks.") if curt else THANKS
        return draws.pick(thanks)
    if act == "fedup":
        return draws.pick(FED_UP)
    if act == "what":
        return draws.pick(WHAT)
    if act == "leave":
        return draws.pick(LEAVES)
    if act == "tell":
        return say_told(talk, slots_of(what), draws)
    if act == "again":
        values = join([say_slot(m.kind, s, talk.told[s], draws, plain=True) for s in slots_of(what)], "and")
        frame = draws.pick(("As I said, {}.", "I told you, {}.", "I said that already: {}.", "Again, {}."))
        return frame.format(values)
    if act == "correct" and isinstance(what, str):
        frame = draws.pick(("No, {}, please.", "That is wrong: {}.", "Not quite: {}.", "No, {}.", "Sorry, no, {}."))
        return frame.format(say_slot(m.kind, what, talk.wants[what], draws, plain=True))
    if act == "insist" and isinstance(what, str):
        frame = draws.pick(("Really? I wanted it {}.", "Oh? I asked for it {}.", "Are you sure? I need it {}."))
        if what not in ("day", "time", "nights", "people"):
            frame = draws.pick(("Really? I wanted {}.", "Oh? I asked for {}.", "Are you sure? I need {}."))
        return frame.format(say_slot(m.kind, what, talk.wants[what], draws, plain=True))
    if act == "accept":
        return say_accepted(m, what, draws)
    if act == "else":
        return draws.pick(
            ("What else do you have?", "What can you offer then?", "Is there anything else?", "What else is possible?")
        )
    if act == "change" and isinstance(what, str):
        return say_change(m, what, talk.wants[what], draws)
    if act == "ask" and isinstance(what, str):
        return say_question(m, what, talk.told, draws)
    if act == "ask again" and isinstance(what, str):
        return draws.pick(
            ("And my question: ", "You did not answer: ", "Once more: ", "I asked you: ")
        ) + say_plain_question(m, what, talk.told, draws)
    if act == "any" and what == "day":
        return draws.pick(("Today.", "Today, of course.", "For today."))
    if act == "any":
        return draws.pick(("That does not matter.", "I don't mind.", "That is up to you.", "No matter."))
    if act == "lacks":
        told = say_told(talk, slots_of(what), draws)
        return (
            draws.pick(
                (
                    "Wait, I have not told you everything. ",
                    "You don't know everything yet. ",
                    "One moment. ",
                    "Not so fast. ",
                )
            )
            + told
        )
    if act == "remind":
        values = join([say_slot(m.kind, s, talk.wants[s], draws, plain=True) for s in slots_of(what)], "and")
        return draws.pick(("And {}, right?", "Is that {}?", "So that is {}?", "And it is {}, isn't it?")).format(values)
    if act == "yes":
        return draws.pick(
            ("Yes, please book it.", "Yes, that is right.", "Yes, please.", "Right, please book that.", "Yes, do that.")
        )
    if act == "go":
        return draws.pick(("So can you book it?", "Then please book it.", "Please book it then.", "So is it booked?"))
    wish = say_wish(m, talk.told, draws)
    return draws.pick(
        (f"I would like {wish}.", f"I need {wish}, as I said.", f"So, what about {wish}?", f"It is about {wish}.")
    )


def slots_of(what: object) -> Sequence[str]:
    return [str(s) for s in what] if isinstance(what, tuple) else []


def say_told(talk: Talk, slots: Sequence[str], draws: Draws) -> str:
    """The answer to what was asked."""
    m = talk.meaning
    values = []
    for slot in slots:
        value = talk.told[slot]
        if m.temper in ("curt", "impatient") and draws.chance(0.6):
            values.append(
                say_value(m.kind, slot, value, draws)
                + (" nights" if slot == "nights" and value != 1 else " night" if slot == "nights" else "")
            )
        elif slot == "people":
            n = say_value(m.kind, slot, value, draws)
            values.append(
                draws.pick((f"we are {n}", f"there are {n} of us", f"for {n}", f"{n} people"))
                if m.kind != "station"
                else f"{n} tickets"
            )
        else:
            values.append(say_slot(m.kind, slot, value, draws))
    text = ", ".join(values) if len(values) > 2 or draws.chance(0.3) else join_pair(values)
    lead = "" if m.temper in ("curt", "impatient") else draws.pick(("", "", "", "oh, ", "sure, ", "well, ", "right, "))
    end = draws.pick((", please", "", "")) if m.temper == "polite" else ""
    return upper(f"{lead}{text}{end}.")


def join_pair(values: Sequence[str]) -> str:
    """ "on Monday at 6:00", "on Monday, under Harper", "at 6:00, and my name is Harper" """
    first, last = values[0], values[-1]
    if first is last:
        return first
    if last.startswith(CLAUSES):
        return f"{first}, and {last}"
    return f"{first} {last}" if first.startswith(PHRASES) and last.startswith(PHRASES) else f"{first}, {last}"


def say_accepted(m: Meaning, what: object, draws: Draws) -> str:
    pairs = what if isinstance(what, tuple) else ()
    values = " ".join(say_slot(m.kind, s, v, draws) for s, v in pairs)
    return draws.pick(
        ("Then {}, please.", "Fine, {} then.", "All right, {}.", "Good, then {}.", "Okay, I'll take that, {}.")
    ).format(values)


def say_change(m: Meaning, slot: str, value: Value, draws: Draws) -> str:
    new = say_slot(m.kind, slot, value, draws)
    bare = new.removeprefix("at ").removeprefix("on ").removeprefix("for ")  # what follows "make it"
    old = say_value(m.kind, slot, dict(m.goal)[slot], draws, plain=True)
    instead = draws.pick((" instead", f" instead of {old}", " after all", f", not {old}"))
    lead = draws.pick(
        (
            "Oh, please make it",
            "Actually, could it be",
            "Sorry, I need it",
            "I changed my mind, make it",
            "On second thoughts, make it",
            "Wait, better make it",
        )
    )
    if "make it" in lead and slot != "room":
        new = f"{bare} people" if slot == "people" and bare.isalnum() else bare
    elif lead.endswith("need it") and slot in ("room", "people") and m.kind != "restaurant":
        lead = lead.removesuffix(" it")
    return f"{lead} {new}{instead}{'?' if 'could' in lead else '.'}"


def say_plain_question(m: Meaning, topic: str, told: Mapping[str, Value], draws: Draws) -> str:
    text = say_question(m, topic, told, draws)
    for lead in ("And ", "Also, ", "One question: ", "By the way, ", "Oh, and "):
        text = text.removeprefix(lead)
    return text[0].lower() + text[1:] if not text.startswith("I ") else text


CLAUSES = ("the name", "my name", "it's", "we are", "there are")
PHRASES = ("on ", "at ", "from ", "for ", "to ", "this ")
THANKS = (
    "Great, thank you! Goodbye.",
    "Perfect, thanks a lot. Bye!",
    "Thank you very much, goodbye.",
    "That is wonderful, thanks. See you!",
    "Lovely, thank you. Goodbye!",
    "Thanks for your help, bye.",
)
FED_UP = (
    "This takes too long. Goodbye.",
    "Enough, I'll go somewhere else. Bye.",
    "This leads nowhere, goodbye.",
    "I give up. Goodbye.",
    "Forget it, bye.",
)
WHAT = (
    "Sorry, what do you mean?",
    "I don't understand you.",
    "What was that?",
    "Pardon, I did not get that.",
    "Can you say that again?",
)
LEAVES = (
    "That's a pity, then we'll leave it. Goodbye.",
    "No, that does not work for me. Goodbye.",
    "Then I'll try somewhere else, thanks. Bye.",
    "That does not suit me, sorry. Goodbye.",
    "Pity, then another time. Goodbye.",
)
