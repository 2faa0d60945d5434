# ruff: noqa: E501 (a line of words stays a line)
"""Content words that contradict the event: a black umbrella for a white one, months for years, a son for a daughter.

Each line of `_CATEGORIES` is a category: groups of synonyms between bars, of which an event has one at
most a fact. A word of a category of which the event has another group contradicts it; a word that
the prompt has, or by which the fact is known (`lexicon`), never does. Scales (old and new, long and
short) are relative, so they count only at a noun of the fact that the opposite describes.
"""

from __future__ import annotations

import re
from functools import cache

from textgym.tasks.summarize.event import Event
from textgym.tasks.summarize.fluency import CLASS_OF
from textgym.tasks.summarize.kinds import KINDS
from textgym.tasks.summarize.lexicon import EVENT, NEGATIONS, flatten, lexicon_of, words_in
from textgym.tasks.summarize.numbers import parse_digits, parse_words

_CATEGORIES = """
white | black | red | green | blue | yellow | brown | grey gray | pink | purple violet | orange | beige
gold golden | silver | bronze | copper | platinum | brass
leather | nylon | canvas | plastic | cloth fabric | rubber
glass | plastic | metal metallic | rubber | wood wooden | stone | bone
oak | pine | beech | birch | walnut | cherry | maple | ash
wood | gas | coal | electric | oil
minute | hour | day | week | month | year | decade
euro | dollar | pound | franc | yen | krona krone
aunt | uncle | grandmother grandma granny gran | grandfather grandpa granddad | mother mum mom | father dad | brother | sister | son | daughter | cousin | niece | nephew | wife | husband | friend | colleague
nurse | doctor physician | student pupil | teacher | lawyer solicitor attorney | accountant | carpenter | farmer | baker | priest | soldier | engineer
school | church | university | museum | library | hospital clinic | theatre theater | hotel | prison | monastery | airport | kindergarten nursery
toy | book bookshop bookstore bookseller | shoe | flower florist | tool hardware | bike bicycle | clothes clothing | pet | jewellery jewelry jeweller jeweler | furniture | record | candy sweet | antique
bakery baker | café cafe coffee | inn pub tavern guesthouse | cinema movie | butcher butchery | pharmacy chemist drugstore | hairdresser barber salon | supermarket grocery grocer | restaurant | bookshop bookstore | florist
print printing | dance dancing | law legal | music | dental dentist | tailor tailoring | software | pottery ceramic | language | driving | architect | estate | medical
arm | leg | hand | foot | shoulder | knee | rib | nose | hip | finger | ankle | wrist | throat | stomach | collarbone
cat kitten | dog puppy | parrot budgie | rabbit bunny | tortoise turtle | ferret | goose | hedgehog | horse | cow | deer | fox | boar | pig | sheep | goat | hamster | duck | hen chicken | squirrel | badger | mouse mice
van | tractor | bus coach | lorry truck | motorbike motorcycle | taxi cab | camper campervan motorhome | train | tram | bicycle bike | boat | ship | plane | ambulance
piano | guitar | violin | cello | flute | trumpet | drum | organ | accordion | saxophone | harp
sofa couch settee | armchair | bed | table | desk | wardrobe | bookshelf bookcase | mattress | dresser | stove | fridge refrigerator | oven | dishwasher | pram pushchair stroller | cot | cupboard
watch | ring | bracelet | necklace | earring | wallet purse | umbrella | camera | laptop computer | smartphone | key | glasses spectacles | rucksack backpack | briefcase | handbag | scarf | hat | violin | passport | jacket | coat | glove
spring springtime | summer | autumn | winter
noon midday lunchtime | evening night midnight
noon midday lunchtime | morning dawn breakfast
storm stormy wind gale hurricane thunder thunderstorm lightning | snow snowy thaw | fog foggy | ice icy frost | rain rainy | heat heatwave | drought | earthquake
window | door | roof | wall | floor | ceiling | cellar basement | gate | fence | chimney | attic | balcony
handball | football soccer | hockey | volleyball | rugby | tennis | basketball | polo | cricket | baseball | badminton | golf
jazz | rock | classical | pop | folk | blues | techno | opera
jam marmalade | honey | cheese | sausage | juice | muesli | biscuit cookie | mustard | butter | bread | milk | yogurt yoghurt | chocolate | ham | ketchup | cake pie
apple | pear | cherry | plum | peach | grape | orange | banana
cake pie | wine | beer | chocolate | sandwich | pizza
drink beverage refreshment | snack | meal | food | coffee
poetry poem poet | novel novelist | baking baker bake | science scientific research | garden gardening | photo photography photographer | chess | cooking cook cookery | singing song singer | painting painter | dancing dancer
river | lake | sea | pond | canal | ocean | well
soap detergent | bleach | petrol | paint | salmonella | pesticide
lottery | casino | bingo
exam examination test | interview | wedding | funeral | flight | concert
playground | stadium | skatepark | fountain | bridge
flat apartment housing | office | hotel | supermarket | museum | warehouse
national | regional | international | european | district
flea | cheese | harvest | christmas | wine | fish | fruit | vegetable
coin | stamp | postcard | doll | butterfly | banknote
parcel | taxi cab | bus | train | tram | ferry | laundry
child children kid | adult | pensioner senior
grant subsidy subsidies | loan credit
fireworks firework | gunshot shot | siren | drone
wallpaper | tile | carpet | stair staircase stairway | lift elevator | corridor | door doorway
"""
_SCALES = """
new newer newest brand-new | old older oldest ancient
long longer lengthy | short shorter brief
big bigger large larger huge spacious | small smaller little tiny
much many more lots heavy excessive | little few fewer less light
high higher | low lower
wide wider broad | narrow narrower
loud noisy | quiet silent
cheap cheaper | expensive dear dearer costly
good better strong stronger excellent | bad poor worse weak weaker
cold colder freezing icy chilly | hot hotter warm warmer
young younger youthful | old older elderly
simple plain clear | complicated complex
two | three
open opened | closed shut locked
"""
# Who may be put in the place of the person: "customers closed the shop".
_AGENTS = frozenset(
    [
        "customers",
        "customer",
        "visitors",
        "visitor",
        "guests",
        "guest",
        "neighbours",
        "neighbors",
        "residents",
        "regulars",
        "fans",
        "spectators",
        "children",
        "mayor",
        "council",
        "police",
        "thieves",
        "burglars",
        "employees",
        "staff",
        "workers",
        "landlord",
        "bank",
        "tourists",
        "students",
        "rivals",
        "opponents",
        "audience",
        "public",
        "government",
        "state",
        "firemen",
        "pupils",
        "parents",
        "volunteers",
        "passengers",
    ]
)
_COPULA = frozenset(
    [
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "became",
        "become",
        "seemed",
        "seems",
        "felt",
        "got",
        "grew",
        "had",
    ]
)
_DEGREE = frozenset(["too", "very", "so", "rather", "quite", "much", "far", "simply", "really", "often"])
_PREPOSITIONS = frozenset(
    [
        "with",
        "of",
        "for",
        "from",
        "to",
        "about",
        "against",
        "before",
        "over",
        "by",
        "between",
        "among",
        "in",
        "at",
        "without",
    ]
)
_BY = frozenset(["by", "the", "its", "his", "her", "their", "some", "angry", "local", "several"])
_UNIT_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
# Units that say the same in other words: "seven days" for a week.
_SAME_SPAN = {
    ("seven", "days"): "week", ("7", "days"): "week", ("twelve", "months"): "year", ("12", "months"): "year",
    ("sixty", "minutes"): "hour", ("60", "minutes"): "hour", ("24", "hours"): "day", ("four", "weeks"): "month",
    ("a", "fortnight"): "week", ("two", "weeks"): "fortnight", ("ten", "years"): "decade",
}  # fmt: skip
Groups = dict[int, set[int]]  # category -> groups
_SPOT = re.compile(r"%\(n\)s (?:square )?(\w+)")


def _read_table(table: str, scales: bool) -> dict[str, tuple[tuple[int, int], ...]]:
    """word -> (category, group) of each line that has it; nouns also in the plural and the genitive."""
    found: dict[str, tuple[tuple[int, int], ...]] = {}
    for number, line in enumerate(table.strip().splitlines()):
        for group, words in enumerate(line.split("|")):
            for word in words.split():
                forms = [word] if scales else [word, word + "s", word + "es", word + "'s", word + "s'"]
                if word[-1] == "y" and not scales:
                    forms.append(word[:-1] + "ies")
                for form in forms:
                    found[form] = (*found.get(form, ()), (number, group))
    return found


_CATEGORY_OF = _read_table(_CATEGORIES, scales=False)
_SCALE_OF = _read_table(_SCALES, scales=True)
_CATEGORY_WORDS, _SCALE_WORDS = frozenset(_CATEGORY_OF), frozenset(_SCALE_OF)
_TIME = _CATEGORY_OF["year"][0][0]
_MONEY = _CATEGORY_OF["euro"][0][0]


def find_contrasts(event: Event, lows: list[str], prompt: str) -> list[int]:
    """Token positions of words that contradict the thing, the reason, the result, the unit or who did it."""
    seen = _CATEGORY_WORDS.intersection(lows)
    scales = _SCALE_WORDS.intersection(lows)
    agents = _AGENTS.intersection(lows)
    if not seen and not scales and not agents:
        return []
    facts = (
        _groups_of_thing(event.kind, event.thing),
        *(_groups_of_fact(event.kind, id) for id in (event.reason, event.result)),
    )
    told = {pair for word in seen for pair in _CATEGORY_OF[word]}
    said = _groups_of_kind(event.kind)
    found = [at for word in seen if _contradicts(word, facts, said, told, prompt) for at in _places(word, lows)]
    found = [at for at in found if not _excused(event, lows, at)]
    if seen:
        found += _wrong_units(event, lows)
    for word in scales:
        found += [at for at in _places(word, lows) if _turns_scale(event, word, at, lows)]
    if agents:
        found += _wrong_agents(event, lows)
    return found


def _places(word: str, lows: list[str]) -> list[int]:
    return [at for at, low in enumerate(lows) if low == word]


def _contradicts(word: str, facts: tuple[Groups, ...], said: Groups, told: set[tuple[int, int]], prompt: str) -> bool:
    """Whether a word stands in the place of another of its category.

    It does not where the text has the other word too ("food and drink"), or the prompt has this one.
    """
    clash = False
    for category, group in _CATEGORY_OF[word]:
        groups = set().union(*(fact.get(category, ()) for fact in facts))
        if group in groups or group in said.get(category, ()):
            return False
        clash = clash or (bool(groups) and (category == _TIME or not any((category, g) in told for g in groups)))
    return clash and re.search(rf"\b{re.escape(word)}\b", prompt, re.IGNORECASE) is None


def _excused(event: Event, lows: list[str], at: int) -> bool:
    """Denied ("not a black one"), or the same span of time in another unit."""
    before = lows[max(0, at - 3) : at]
    if not NEGATIONS.isdisjoint(before) or "than" in before or "instead" in before:
        return True
    if all(category != _TIME for category, _ in _CATEGORY_OF[lows[at]]):
        return False
    previous = lows[at - 1] if at else ""
    if (previous, lows[at]) in _SAME_SPAN:
        return True
    number = parse_digits(previous) if previous[:1].isdigit() else (parse_words([previous], 0) or (None,))[0]
    if number is not None and number * _UNIT_DAYS.get(lows[at], 0) == event.amount:
        return True
    # "one day", "that year", "days later" date something; they do not measure it.
    if at + 1 < len(lows) and lows[at + 1] in ("later", "before", "ago", "earlier", "after"):
        return True
    return not {"for", "of", "after", "within", "lasted", "last", "took", "next", "following"}.intersection(before)


def _wrong_units(event: Event, lows: list[str]) -> list[int]:
    """Where the amount is told in another unit, whatever the prompt has elsewhere."""
    mine = _units_of(event.kind)
    found = []
    for at in range(1, len(lows)):
        unit = _CATEGORY_OF.get(lows[at], ())
        if unit and unit[0][0] in (_TIME, _MONEY) and unit[0] not in mine and lows[at - 1][:1].isdigit():
            same = any(category == unit[0][0] for category, _ in mine)
            if same and parse_digits(lows[at - 1]) == event.amount:
                found.append(at)
    return found


def _turns_scale(event: Event, word: str, at: int, lows: list[str]) -> bool:
    """Whether an adjective turns around what the event says of the noun that it describes."""
    if not NEGATIONS.isdisjoint(lows[max(0, at - 4) : at]):
        return False
    noun = lows[at + 1] if at + 1 < len(lows) else ""
    back = at - 1
    while back > 0 and lows[back] in _DEGREE:
        back -= 1
    subject = lows[back - 1] if back > 0 and lows[back] in _COPULA else ""
    for described in (
        _described_by_thing(event.kind, event.thing),
        _described(event.kind, event.reason),
        _described(event.kind, event.result),
    ):
        for scale, group in _SCALE_OF[word]:
            for head in (noun, subject):
                groups = described.get((scale, head))
                if groups is not None and group not in groups:
                    return True
    return False


def _wrong_agents(event: Event, lows: list[str]) -> list[int]:
    """ "customers closed the shop", "closed by its customers": somebody else right at the verb of a head."""
    kind = KINDS[event.kind]
    lexicon = lexicon_of(event.kind)
    verbs = _head_verbs(event.kind)
    own = lexicon.wordings[event.reason] | lexicon.wordings[event.result]
    excused = {*kind.anonymous.split(), *event.thing.split()}
    found = []
    for at, low in enumerate(lows):
        if low not in _AGENTS or low in excused or event.kind == "break-in":
            continue
        verb = lows[at + 1] if at + 1 < len(lows) else ""
        if verb in verbs and verb not in own and _PREPOSITIONS.isdisjoint(lows[max(0, at - 2) : at]):
            found.append(at)
            continue
        back = at - 1
        while back > 0 and lows[back] in _BY and lows[back] != "by":
            back -= 1
        if back > 0 and lows[back] == "by" and not verbs.isdisjoint(lows[max(0, back - 2) : back]) and low not in own:
            found.append(at)
    return found


@cache
def _head_verbs(kind: str) -> frozenset[str]:
    """The verbs of the heads, as they stand there."""
    lexicon = lexicon_of(kind)
    words = words_in(flatten(KINDS[kind].heads))
    return frozenset(w for w in words if any(role == EVENT for role, _, _ in lexicon.hits(w)))


def _groups(words: frozenset[str] | set[str]) -> Groups:
    found: Groups = {}
    for word in words:
        for category, group in _CATEGORY_OF.get(word, ()):
            found.setdefault(category, set()).add(group)
    return found


@cache
def _groups_of_fact(kind: str, id: str) -> Groups:
    """The groups of a fact's wordings, and in these categories those of the words by which it is known."""
    found = _groups(lexicon_of(kind).wordings[id])
    fact = KINDS[kind].reasons[id] if id in KINDS[kind].reasons else KINDS[kind].results[id]
    known = re.split(r"[\s_*!]+", f"{fact.yes} {fact.no}")
    for category, groups in _groups(set(known)).items():
        if category in found:
            found[category] |= groups
    return found


@cache
def _groups_of_kind(kind: str) -> Groups:
    """The groups of what all summaries of the kind say."""
    entry = KINDS[kind]
    return _groups(words_in(flatten((*entry.heads, *entry.adjuncts, *entry.amount_sentences))))


@cache
def _groups_of_thing(kind: str, thing: str) -> Groups:
    """The groups of the thing, and the kind's units of time and money."""
    found = _groups({*thing.split(), *re.split(r"[\s_*!]+", KINDS[kind].things[thing])})
    for category in (_TIME, _MONEY):
        found.setdefault(category, set()).update(_groups_of_kind(kind).get(category, ()))
    return found


@cache
def _units_of(kind: str) -> frozenset[tuple[int, int]]:
    words = _SPOT.findall(" ".join(flatten(KINDS[kind].adjuncts)))
    return frozenset(pair for word in words for pair in _CATEGORY_OF.get(word, ()))


@cache
def _described(kind: str, id: str) -> dict[tuple[int, str], set[int]]:
    return _describe(lexicon_of(kind).wordings[id])


@cache
def _described_by_thing(kind: str, thing: str) -> dict[tuple[int, str], set[int]]:
    return _describe(frozenset(thing.split()))


def _describe(words: frozenset[str]) -> dict[tuple[int, str], set[int]]:
    """(scale, noun) -> groups of the adjectives that these wordings put to any of their nouns.

    A wording says "too many bags" and another "luggage", so an adjective describes the nouns of all.
    """
    nouns = {
        w for w in words if w not in CLASS_OF and w not in _SCALE_OF and w not in _DEGREE and w not in ("one", "now")
    }
    found: dict[tuple[int, str], set[int]] = {}
    for word in words & _SCALE_WORDS:
        for scale, group in _SCALE_OF[word]:
            for noun in nouns:
                found.setdefault((scale, noun), set()).add(group)
    return found
