"""What goes with what: nouns, verbs and adjectives in the groups that meanings are drawn from."""

from __future__ import annotations

from textgym.tasks.translate import lexicon as lx
from textgym.tasks.translate import words
from textgym.tasks.translate.words import listed

PEOPLE = tuple(n for n, e in lx.NOUNS.items() if "pers" in e.tags)
KIN = tuple(n for n, e in lx.NOUNS.items() if "kin" in e.tags)
ANIMALS = tuple(n for n, e in lx.NOUNS.items() if "anim" in e.tags)
NAMES = (*words.MALE_NAMES, *words.FEMALE_NAMES)
TITLED = tuple(f"{title} {name}" for name in words.SURNAMES for title in ("Mr", "Mrs"))
FURNITURE = ("table", "chair", "sofa", "bed", "carpet", "cupboard")
VEHICLES = ("car", "bike", "train", "bus", "plane", "boat", "tram")
PLACES = tuple(n for n, e in lx.NOUNS.items() if "place" in e.tags)
CITIES = tuple(words.CITIES)
WEEKDAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = listed("January February March April May June July August September October November December")
UNITS = ("day", "week", "month", "year", "hour", "minute")
TIMES = {
    t: tuple(k for k, _, _, fits in (line.split("|") for line in words.TIMES.strip().splitlines()) if t in fits)
    for t in "pnf"
}
FREQUENCIES = tuple(line.split("|")[0] for line in words.FREQUENCIES.strip().splitlines())
MANNERS = ("quickly", "slowly", "quietly", "carefully")
MANNER_OK = frozenset(
    listed("eat drink cook read write open close clean wash carry walk drive work run come swim go")
) | {"get up", "put on"}
HER = frozenset((*words.FEMALE_NAMES, *(t for t in TITLED if t.startswith("Mrs"))))
HIM = frozenset((*words.MALE_NAMES, *(t for t in TITLED if t.startswith("Mr "))))
OWN = {"I": "my", "you": "your", "he": "his", "she": "her", "we": "our", "they": "their"}
KINDS = {  # noun tag -> letter of what an adjective describes
    "pers": "p", "anim": "a", "food": "f", "drink": "d", "thing": "t", "cloth": "c", "veh": "v", "text": "x",
    "place": "l",
    "idea": "i", "event": "e", "fix": "t", "site": "l", "paper": "x", "meal": "f", "topic": "e",
}  # fmt: skip
ADJECTIVES_OF = {kind: tuple(a for a, e in lx.ADJECTIVES.items() if kind in e.kinds) for kind in set(KINDS.values())}
STATES = {kind: tuple(a for a in adjectives if a != "tall") for kind, adjectives in ADJECTIVES_OF.items()}
NOUN_KIND = {n: next((k for t, k in KINDS.items() if t in e.tags), "") for n, e in lx.NOUNS.items()}
ODD = {a: frozenset(nouns.split()) for a, nouns in (line.split("|") for line in words.NOT_SAID_OF.strip().splitlines())}
ADJ_FOR = {
    n: tuple(a for a in ADJECTIVES_OF.get(k, ()) if n not in ODD.get(a, ()) and "pred" not in lx.ADJECTIVES[a].kinds)
    for n, k in NOUN_KIND.items()
}
STATE_FOR = {n: tuple(a for a in STATES.get(k, ()) if n not in ODD.get(a, ())) for n, k in NOUN_KIND.items()}
PERSON_STATES = tuple(
    listed("tired happy sad sick hungry old young friendly nice rich poor strong famous clever lazy tall")
)
FEELINGS = ("tired", "happy", "sad", "sick", "hungry")


def tagged(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(n for n, e in lx.NOUNS.items() if e.tags & set(tags) or n in tags)


OBJECTS = {v: tagged(tuple(t for t in e.objects if t not in ("loc", "dir", "on"))) for v, e in lx.VERBS.items()}
OBJECTS["feed"] = ANIMALS
TIMED = frozenset(listed("time weekday clock date ago after month"))
CLAUSAL = ("know that", "think", "say", "hope", "believe")
WEATHER = ("rain", "snow")
SPECIAL = frozenset((*CLAUSAL, *WEATHER, "be", "become", "cost"))
PERSON_VERBS = tuple(v for v, e in lx.VERBS.items() if "pers" in e.subjects and v not in SPECIAL)
ANIMAL_VERBS = tuple(
    v for v, e in lx.VERBS.items() if "anim" in e.subjects and v not in SPECIAL and v not in ("eat", "find", "follow")
)
THING_VERBS = {
    "belong to": OBJECTS["read"] + tagged(("own",)),
    "lie": tagged(("small", "text")),
    "stand": ("lamp", "chair", "table", "bottle", "glass", "cup", "plate"),
}
STILL = frozenset(listed("have need know love like belong to cost be become understand trust")) | {
    "belong to",
    "know that",
    "think",
    "believe",
    "hope",
    "say",
}
NO_FUTURE = frozenset(("know", "belong to", "have", "love", "like"))
COUNTED = frozenset(
    listed("buy sell order need have find read write eat bake cook draw get see feed send hide steal cost invite")
)
ON_FOOT = frozenset(("run", "walk"))
NO_NEGATION = frozenset(("become",))
# done with somebody
TOGETHER = frozenset(
    [
        "cook",
        "dance",
        "work",
        "play",
        "talk about",
        "sing",
        "eat",
        "drink",
        "go",
        "travel",
        "come",
        "live",
        "visit",
        "swim",
        "learn",
        "watch",
    ]
)
FOR_SOMEBODY = frozenset(
    ["buy", "cook", "bake", "order", "sing", "draw", "build", "translate", "write"]
)  # done for somebody
# done at a place
SOMEWHERE = frozenset(
    [
        "buy",
        "see",
        "meet",
        "find",
        "lose",
        "read",
        "eat",
        "drink",
        "sell",
        "wait for",
        "sing",
        "visit",
        "wash",
        "look for",
        "sleep",
    ]
)
# nobody is told to
NO_ORDERS = frozenset(
    [
        "see",
        "hear",
        "lose",
        "find",
        "get",
        "steal",
        "forget",
        "fall asleep",
        "dream of",
        "cry",
        "arrive",
        "live",
        "meet",
        "wake up",
        "laugh at",
        "have",
        "hide",
        "ask for",
    ]
)
ORDERS = tuple(v for v in PERSON_VERBS if v not in STILL and v not in NO_ORDERS)
UNCOMPARED = frozenset(listed("broken red blue green black white last next empty fresh"))
POOLS = {tag: tagged((tag,)) for tag in ("own", "place", "idea", "event", "text", "veh", "cloth")}
