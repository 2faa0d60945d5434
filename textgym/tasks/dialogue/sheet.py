"""The assistant's fact sheet in prose: where it works, what is free, what it costs, what is not allowed.

Each sentence is put together from several lists, so that with names, numbers and days taken out
hardly two sheets share a skeleton.
"""

from __future__ import annotations

from textgym.seeding import Draws
from textgym.tasks.dialogue.meaning import Meaning
from textgym.tasks.dialogue.say import ROOM_PHRASES, SERVICE_PHRASES, join, say_number, say_time, upper
from textgym.tasks.dialogue.words import RULES

DUTIES = (
    "take the bookings",
    "answer the phone",
    "look after the guests",
    "help the callers",
    "answer the messages",
    "work at the desk",
    "handle the bookings",
    "sit at the front desk",
    "run the desk",
    "speak with callers",
)
PLACES = (
    "",
    " by the river",
    " in the old town",
    " near the park",
    " on the hill",
    " by the lake",
    " at the market",
    " next to the church",
    " behind the town hall",
    " on the main road",
)
ADJECTIVES = ("small", "family", "friendly", "quiet", "busy", "little", "cosy", "pretty", "simple", "modern")
INSIDE = ("look after the guests", "help the callers", "work at the desk", "sit at the front desk", "run the desk")
GUESTS = {"station": "passengers", "salon": "customers", "doctor": "patients"}
NOUNS = {
    "restaurant": ("restaurant", "inn", "bistro", "eating house", "tavern", "diner"),
    "hotel": ("hotel", "guest house", "bed and breakfast", "inn with rooms", "country hotel", "lodge"),
    "salon": ("hairdresser", "hair salon", "salon", "barber and hairdresser"),
    "doctor": ("practice", "family doctor", "surgery", "medical practice"),
}


def write_sheet(m: Meaning, draws: Draws) -> str:
    """The system message: three or four sentences, 20 to 50 words."""
    sentences = [write_opening(m, draws)]
    middle = []
    if m.kind == "station":
        middle.append(write_trains(m, draws))
    else:
        middle.append(write_free(m, draws))
        if m.items:
            middle.append(write_prices(m, draws))
    if len(middle) > 1 and draws.chance(0.4):
        middle.reverse()
    sentences += middle
    rules = [write_rule(topic, value, draws) for topic, value in m.rules]
    if m.limit:
        rules.append(write_limit(m.limit, draws))
    rules = draws.shuffled(rules)
    if len(rules) == 2 and draws.chance(0.5):
        word = draws.pick(("and", "but", "while"))
        if m.limit or {value for _, value in m.rules} != {0, 1}:
            word = "and"  # no contrast
        rules = [f"{rules[0]} {word} {rules[1][0].lower() + rules[1][1:]}"]
    sentences += rules
    return " ".join(f"{s}." for s in sentences)


def write_opening(m: Meaning, draws: Draws) -> str:
    duty = draws.pick(DUTIES)
    first, second = m.house
    inside = duty in INSIDE
    if "guests" in duty:
        duty = duty.replace("guests", GUESTS.get(m.kind, "guests"))
    if m.kind == "station":
        prep = draws.pick(("at", "at" if inside else "for"))
        where = draws.pick(
            (
                f"{prep} {first} station",
                f"{prep} the station of {first}",
                f"{prep} the ticket office in {first}",
                f"{prep} the railway {'office' if 'desk' in duty else 'desk'} in {first}",
                f"{'at the platforms in' if inside else 'for the trains from'} {first}",
            )
        )
        extra = draws.pick(("", "", " today", " this week", " this month"))
        return f"You {duty} {where}{extra}"
    if m.kind == "salon":
        name = f"Salon {first} in {second} Street"
    elif m.kind == "doctor":
        name = f"Dr {first} in {second} Street"
    else:
        name = f"the {first} {second}"
    kind = f"a {draws.pick(ADJECTIVES)} {draws.pick(NOUNS[m.kind])}"
    place = draws.pick(PLACES) if m.kind in ("restaurant", "hotel") and draws.chance(0.5) else ""
    prep = draws.pick(("at", "at" if inside else "for"))
    serves = duty.startswith(("take", "handle", "run"))  # duties that a house can own
    if m.kind == "doctor":  # no specialist, who would not be asked about any ailment
        kind = draws.pick(("a family doctor", "a doctor", "a general doctor", "a village doctor", "a town doctor"))
        return f"You {duty} {'of' if duty.endswith(('the patients', 'the callers')) else 'for'} {name}, {kind}"
    if draws.chance(0.6):
        return f"You {duty} {prep} {name}, {kind}{place}"
    where = draws.pick(("there", "for the house", "there")) if serves else "there"
    return f"{upper(name)} is {kind}{place}, and you {duty} {where}"


def write_times(m: Meaning, times: tuple[str, ...], draws: Draws) -> str:
    return "at " + join([say_time(m.kind, t, draws, plain=True) for t in times], "and")


def write_free(m: Meaning, draws: Draws) -> str:
    """The days, with their times where times matter."""
    thing = {
        "restaurant": ("tables", "free tables", "tables", "places", "free places"),
        "hotel": ("rooms", "free rooms", "beds", "vacant rooms"),
        "salon": ("free appointments", "free times", "appointments", "times"),
        "doctor": ("appointments", "free appointments", "appointments"),
    }[m.kind]
    noun = draws.pick(thing)
    days = [day for day, _ in m.free]
    alike = len({times for _, times in m.free}) == 1
    if m.kind == "hotel":
        when = "on " + join(days, "and")
    elif alike:
        when = f"on {join(days, 'and')} {write_times(m, m.free[0][1], draws)}"
    else:
        when = join([f"on {day} {write_times(m, times, draws)}" for day, times in m.free], "and")
    week = draws.pick(("", "", " this week", " for now", " at the moment", " right now"))
    shape = draws.below(6)
    lead = ""
    if week in (" at the moment", " right now"):  # not "right now on Tuesday"
        lead, week = (week[1:] + " ", "") if shape in (0, 1, 2, 4) else ("", " this week")
    still = draws.pick(("", "", "still ", "only " if shape in (1, 2, 4) else ""))
    bare = noun.removeprefix("free ").removeprefix("vacant ")
    states = ("free", "available", "to be had" if still == "only " else "left", "available")
    if shape == 0:
        return upper(f"{lead}there are {still}{noun}{week} {when}")
    if shape == 1:
        return upper(f"{lead}{bare} are {still}{draws.pick(states)}{week} {when}")
    if shape == 2:
        return upper(f"{lead}you {still}have {noun}{week} {when}")
    if shape == 3:
        return f"{upper(when)} there are {still}{noun}{week}"
    if shape == 4:
        return upper(f"{lead}you can {still}{draws.pick(('offer', 'book', 'offer'))} {noun}{week} {when}")
    return f"{upper(when)} {bare} are {still}{draws.pick(states)}{week}"


def write_prices(m: Meaning, draws: Draws) -> str:
    names = [ROOM_PHRASES[item.name] if m.kind == "hotel" else SERVICE_PHRASES[item.name] for item in m.items]
    guests = "customers" if m.kind == "salon" else "guests"
    house = "salon" if m.kind == "salon" else "house"
    prices = [str(item.price) for item in m.items]
    night = ""
    if m.kind == "hotel":
        names[0] = f"{names[0].removesuffix(' room')} room"
        night = draws.pick((" a night", " per night", " a night", " each night"))
    verb = draws.pick(("costs", "is", "comes to"))
    pairs = list(zip(names, prices, strict=True))
    shape = draws.below(5)
    if shape == 0:  # "A double room costs 80 euros a night, a single 60 and ..."
        parts = [f"a {n} {p}" for n, p in pairs]
        parts[0] = f"a {names[0]} {verb} {prices[0]} euros{night}"
    elif shape == 1:  # "Guests pay 80 euros a night for a double room and 60 for a single"
        lead = draws.pick(
            ("you charge", f"{guests} pay", f"the {house} charges", "the price is", "people pay", "the list says")
        )
        parts = [f"{p} for a {n}" for n, p in pairs]
        parts[0] = f"{lead} {prices[0]} euros{night} for a {names[0]}"
    elif shape == 2:  # "There is a double room for 80 euros and a single for 60 euros a night"
        lead = draws.pick(("there is", "you offer", f"the {house} offers", "you have", f"{guests} can have"))
        parts = [f"a {n} for {p} euros" for n, p in pairs]
        parts[0] = f"{lead} {parts[0]}"
        parts[-1] += night
    elif shape == 3:
        parts = [f"the {n} {verb} {p} euros" for n, p in pairs]
        parts[-1] += night
    else:  # "For 80 euros a night you offer a double room and for 60 euros a single"
        lead = draws.pick(("for", "for just", "for only"))
        offer = draws.pick(("you offer", "there is", f"{guests} get", f"{guests} can have"))
        parts = [f"for {p} euros a {n}" for n, p in pairs]
        parts[0] = f"{lead} {prices[0]} euros{night} {offer} a {names[0]}"
    return upper(join(parts, "and"))


def write_trains(m: Meaning, draws: Draws) -> str:
    """Two destinations with departures and the price of a ticket."""
    verb = draws.pick(("leave", "go", "run", "depart", "set off"))
    to = "to" if verb in ("go", "run") else "for"
    a, b = m.items if draws.chance(0.5) else m.items[::-1]
    times = [write_times(m, item.times, draws) for item in (a, b)]
    every = draws.pick(("", "", " today", " every day", " each day", " all week", " daily"))
    price = draws.pick(
        ("for {} euros", "for {} euros a ticket", "for only {} euros", "({} euros)", "with tickets at {} euros")
    )
    pa, pb = price.format(a.price), price.format(b.price)
    noun = draws.pick(("Trains", "The trains", "Fast trains", "Local trains", "Direct trains"))
    shape = draws.below(4)
    if shape == 0:
        those = draws.pick(("those", "trains", "the ones"))
        return f"{noun} to {a.name} {verb}{every} {times[0]} {pa}, {those} to {b.name} {times[1]} {pb}"
    if shape == 1:
        return f"For {a.name} {noun.lower()} {verb}{every} {times[0]} {pa}, for {b.name} {times[1]} {pb}"
    if shape == 2:
        return f"{noun} {verb}{every} {to} {a.name} {times[0]} {pa} and {to} {b.name} {times[1]} {pb}"
    lead = draws.pick(("There are", "You sell seats on", "The timetable has", "You have"))
    return (
        f"{lead} {noun.lower().removeprefix('the ')}{every} to {a.name} {times[0]} {pa} and to {b.name} {times[1]} {pb}"
    )


def write_rule(topic: str, value: int, draws: Draws) -> str:
    if topic == "breakfast":
        lead = draws.pick(("Breakfast", "A breakfast", "The breakfast", "A good breakfast", "A warm breakfast"))
        tail = draws.pick(("", " extra", " a person", " for each guest", " a day", " more"))
        return f"{lead} {draws.pick(('costs', 'is', 'comes to'))} {value} euros{tail}"
    subjects, allowed, forbidden, tails = RULES[topic]
    subject, verb, tail = draws.pick(subjects), draws.pick(allowed if value else forbidden), draws.pick(tails)
    return f"{subject} {verb}{'' if 'always' in verb else tail}"


def write_limit(limit: int, draws: Draws) -> str:
    guests = f"{say_number(limit)} {draws.pick(('people', 'guests', 'persons'))}"
    lead = draws.pick(("The largest table", "The biggest table", "No table", "One table", "A table"))
    verb = draws.pick(("seats", "takes", "has room for", "fits"))
    if lead == "No table":
        return f"{lead} {verb} more than {guests}"
    return f"{lead} {verb} {'' if lead.startswith('The') else 'at most '}{guests}"
