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
VEHICLES = ("car", "bike", "bus", "tram")
FAR_VEHICLES = ("car", "train", "bus")  # to another town
PLACES = tuple(n for n, e in lx.NOUNS.items() if "place" in e.tags)
CITIES = tuple(words.CITIES)
OUTDOORS = tuple(listed("village park garden forest beach lake house"))  # where animals are
INDOORS = frozenset(listed("room kitchen office flat"))
SHOPS = tuple(listed("supermarket shop market"))
TOWARDS = tuple(n for n in PLACES if n not in INDOORS)
WHERE = {  # verb -> where it is done, or where to; elsewhere it would be odd
    "live": tuple(listed("city village house flat hotel")),
    "sleep": tuple(listed("hotel house flat room garden park village hospital station")),
    "arrive": TOWARDS,
    "drive": TOWARDS,
    "travel": tuple(listed("city village beach lake forest")),
    "fly": tuple(listed("city beach lake")),
    "buy": SHOPS,
    "sell": SHOPS,
    "meet": TOWARDS,
}
WEEKDAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = listed("January February March April May June July August September October November December")
UNITS = ("day", "week", "month", "year", "hour", "minute")
TIMES = {
    t: tuple(k for k, _, _, fits in (line.split("|") for line in words.TIMES.strip().splitlines()) if t in fits)
    for t in "pnf"
}
FREQUENCIES = tuple(line.split("|")[0] for line in words.FREQUENCIES.strip().splitlines())
HOW = {  # verb -> how it may be done
    verb.strip(): tuple(listed(manners))
    for verbs, manners in (
        ("eat, drink", "quickly slowly quietly"),
        ("cook, write, drive, repair", "quickly slowly carefully"),
        ("read", "quickly slowly carefully quietly"),
        ("open, close, work", "quickly slowly carefully quietly"),
        ("clean, wash", "quickly carefully"),
        ("carry", "slowly carefully"),
        ("walk, run, go, come, swim, put on, fall asleep", "quickly slowly"),
        ("get up, go out", "quickly quietly"),
        ("come back", "quickly"),
        ("wake up", "slowly"),
        ("laugh, cry, smile", "quietly"),
    )
    for verb in verbs.split(",")
}
MANNER_OK = frozenset(HOW) - frozenset(listed("repair laugh cry smile")) - {"fall asleep", "wake up", "come back"}
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
COLOURS = frozenset(listed("red blue green black white"))
TOO_MUCH = frozenset(  # what one can be too much of
    listed(
        "old young big small tall tired lazy strong hot cold warm sweet expensive heavy light slow fast long short "
        "boring difficult easy loud dark dirty quiet"
    )
)
CHANGING = frozenset(listed("clean dirty empty quiet loud dark"))  # of places: one day so, one day not
ALIKE = tuple(  # of these one says no two about the same thing: they exclude each other, or say the same
    frozenset(listed(group))
    for group in (
        "old young new",
        "big small tall",
        "long short",
        "rich poor",
        "happy sad",
        "hot cold warm",
        "expensive cheap",
        "heavy light",
        "light dark",
        "fast slow",
        "interesting boring",
        "funny boring",
        "funny sad",
        "difficult easy",
        "quiet loud",
        "clean dirty",
        "nice friendly",
        "red blue green black white",
        "fresh old",
        "important strange",
    )
)
BESIDE = {
    a: frozenset().union({a}, *(group for group in ALIKE if a in group)) for a in lx.ADJECTIVES
}  # what is not said of a thing that is already so
DRAWBACKS = frozenset(
    listed("expensive boring broken difficult heavy slow dirty empty loud sad strange old too cold hot big small dark")
)
WANTED = frozenset(  # done because a thing is good
    listed("buy order like love need read wear take rent recommend steal learn sing visit show")
) | {"try on", "put on", "look at", "bring along"}
UNWANTED = frozenset(("sell", "throw away", "hide"))  # done because it is not
MENDED = {"repair": "broken", "clean": "dirty", "wash": "dirty", "tidy up": "dirty"}  # done because it is so
WEATHERED = frozenset(  # done because of rain or snow
    listed("stay wait hurry run drive wear take need buy close sleep")
) | {"put on", "come back", "pick up"}
DURING = (  # what takes its time, so that something else goes on meanwhile
    *listed("eat drink cook bake read write sing play draw wash clean repair sleep work dance wait sit swim translate"),
    *("carry", "feed", "listen to", "look for", "wait for", "talk about", "tidy up", "look at"),
)
PLANS = (  # what one has to do or wants to do, and so does another thing
    *listed("visit meet work travel write cook bake help call sell buy learn play repair clean sleep read sing swim"),
    *(
        "thank",
        "invite",
        "pick up",
        "tidy up",
        "take part in",
        "wait for",
        "talk about",
        "get up",
        "go out",
        "look for",
    ),
)
OCCASIONS = (  # when, or if, something else is done
    *listed("visit meet see help work cook travel read play drink get wait sing dance drive fly"),
    *("listen to", "go out", "come back", "take part in", "think about", "look at", "put on"),
)
RESTING = frozenset(listed("sleep stay sit wait cry lose forget")) | frozenset(
    ("come back", "fall asleep", "wake up")
)  # done by who is tired, sick or sad
CHEERFUL = ("happy", "happy", "not tired", "not sick")
FEASTING = frozenset(listed("eat cook bake buy order")) | frozenset(("ask for",))  # by who is hungry
UNPLANNED = frozenset(listed("find lose see hear forget get understand steal cry arrive laugh meet")) | frozenset(
    ("wake up", "fall asleep", "dream of")
)  # nobody has to, and it is done for no reason but what one feels
GOOD = frozenset(
    listed(
        "young new beautiful friendly nice rich happy strong famous clever fresh sweet good cheap fast interesting "
        "important easy funny quiet clean"
    )
)
BAD = frozenset(
    listed(
        "poor tired sad sick hungry lazy expensive slow broken boring difficult loud dirty empty strange heavy dark old"
    )
)
MAKING = frozenset(listed("bake build write cook"))  # before it there is nothing to tell of
DAILY = frozenset(listed("eat drink answer laugh cry smile sleep open close wash feed thank")) | frozenset(
    ("get up", "wake up", "fall asleep", "put on", "turn on", "turn off", "go out", "pick up", "throw away", "call")
)  # nothing that one says of a whole year
NEARER = {
    "every year": "every day",
    "last year": "yesterday",
    "last month": "yesterday evening",
    "last summer": "last Friday",
    "next year": "tomorrow",
    "next month": "tomorrow morning",
    "in summer": "in the morning",
    "in winter": "in the afternoon",
}
TIMED = frozenset(listed("time weekday clock date ago after month"))
CLAUSAL = ("know that", "think", "say", "hope", "believe")
WEATHER = ("rain", "snow")
SPECIAL = frozenset((*CLAUSAL, *WEATHER, "be", "become", "cost"))
PERSON_VERBS = tuple(v for v, e in lx.VERBS.items() if "pers" in e.subjects and v not in SPECIAL)
ANIMAL_VERBS = tuple(
    v
    for v, e in lx.VERBS.items()
    if "anim" in e.subjects and v not in SPECIAL and v not in ("eat", "find", "follow", "look for")
)
THING_VERBS = {
    "belong to": OBJECTS["read"] + tagged(("own",)),
    "lie": tuple(n for n in tagged(("small", "text")) if n not in ("bottle", "glass", "cup", "basket")),
    "stand": ("lamp", "chair", "table", "bottle", "glass", "cup", "basket"),
}
PRICED = tuple(n for n in OBJECTS["sell"] if n not in ("house", "flat", "car", "boat"))
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
