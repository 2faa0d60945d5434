"""The booking world: its examples, its simulated user, its reader of free text and its judge, as laws.

The replies in FREE_REPLIES were written as people write, not from the generator's templates.
"""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from textgym.seeding import Draws
from textgym.tasks.base import Conversation, Judged
from textgym.tasks.dialogue import DialogueTask
from textgym.tasks.dialogue.clerk import phrase, plan
from textgym.tasks.dialogue.damage import MARGINS, damages, rebuild
from textgym.tasks.dialogue.meaning import Item, Meaning, find_alternatives, find_obstacle, split_of
from textgym.tasks.dialogue.play import play
from textgym.tasks.dialogue.read import Understanding, read
from textgym.tasks.dialogue.talk import begin
from textgym.tasks.dialogue.user import FED_UP, WHAT
from textgym.types import SPLITS, Goodbye, Message, Transcript

TASK = DialogueTask()
COMPONENTS = {"goal", "honesty", "answered", "economy", "manners", "fluency"}


def make_rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def converse(meaning: Meaning, *replies: str) -> Transcript:
    """A transcript with these replies of the assistant and no user turns between them."""
    prompt = (Message("system", "You answer the phone."), Message("user", "Good day."))
    return Transcript((*prompt, *(Message("assistant", r) for r in replies)), (), meaning, None, 2)


# --- houses for tests of the reader and the user --------------------------------------------------

FREE = (("Thursday", ("18:00", "19:30", "21:00")), ("Friday", ("19:30",)))
RESTAURANT = Meaning(
    kind="restaurant",
    house=("Golden", "Anchor"),
    free=FREE,
    items=(),
    rules=(("dogs", 0), ("garden", 1)),
    limit=8,
    goal=(("day", "Thursday"), ("time", "19:30"), ("people", 4), ("name", "Baker")),
    first=("day",),
    gives=2,
    change=None,
    question="dogs",
    asks_at=0,
    accepts=True,
    temper="polite",
    patience=3,
)
HOTEL = replace(
    RESTAURANT,
    kind="hotel",
    free=(("Thursday", ()), ("Friday", ())),
    items=(Item("double", 80), Item("single", 60)),
    rules=(("breakfast", 9), ("parking", 1)),
    limit=0,
    goal=(("room", "double"), ("day", "Friday"), ("nights", 3), ("name", "Baker")),
    first=("room",),
    question="price",
)
STATION = replace(
    RESTAURANT,
    kind="station",
    house=("Ashford", "Carlow"),
    free=(),
    items=(Item("Carlow", 18, ("09:15", "14:40")), Item("Selby", 25, ("10:05",))),
    rules=(("refunds", 0),),
    limit=0,
    goal=(("destination", "Carlow"), ("time", "14:40"), ("people", 2)),
    first=("destination",),
    question="refunds",
)
SALON = replace(
    RESTAURANT,
    kind="salon",
    house=("Rosa", "Mill"),
    free=(("Thursday", ("10:00", "15:30")),),
    items=(Item("haircut", 30), Item("perm", 60)),
    rules=(("cards", 0),),
    limit=0,
    goal=(("service", "haircut"), ("day", "Thursday"), ("time", "15:30")),
    first=("service",),
    question=None,
)
DOCTOR = replace(
    SALON,
    kind="doctor",
    house=("Lang", "Hill"),
    items=(),
    rules=(("parking", 0),),
    goal=(("day", "Thursday"), ("time", "15:30"), ("name", "Baker")),
    first=(),
    question="parking",
)
FULL = {"people": 4, "day": "Thursday", "time": "19:30", "name": "Baker"}
ROOM = {"room": "double", "day": "Friday", "nights": 3, "name": "Baker"}
TICKETS = {"people": 2, "destination": "Carlow", "time": "14:40"}

# (house, reply, what must be understood); asked is exact, stated and offered at least
FREE_REPLIES: list[tuple[Meaning, str, dict]] = [
    (RESTAURANT, "And how many of you will there be?", {"asked": {"people"}}),
    (RESTAURANT, "Party of four, Thursday at half seven, under Baker: all set!", {"stated": FULL, "confirmed": True}),
    (RESTAURANT, "What time would suit you, and who shall I put it under?", {"asked": {"time", "name"}}),
    (RESTAURANT, "Sure thing. How large is your group?", {"asked": {"people"}}),
    (RESTAURANT, "When would you like to come by?", {"asked": {"time"}}),
    (RESTAURANT, "Could I take a name for the booking?", {"asked": {"name"}}),
    (RESTAURANT, "Lovely. Could I have your surname, please?", {"asked": {"name"}}),
    (RESTAURANT, "May I know for whom I'm holding the table?", {"asked": {"name"}}),
    (RESTAURANT, "How many seats do you need?", {"asked": {"people"}}),
    (RESTAURANT, "I just need a name to finish the booking.", {"asked": {"name"}}),
    (RESTAURANT, "We'd love to have you! Just tell me the hour and the headcount.", {"asked": {"time", "people"}}),
    (
        RESTAURANT,
        "I'm sorry but we're fully booked at eight. Could you do 6 or 9 pm instead?",
        {"denied": {("time", "20:00")}, "offered": {("time", "18:00"), ("time", "21:00")}, "declined": True},
    ),
    (
        RESTAURANT,
        "Unfortunately Saturday is out of the question, we only have Thursday or Friday.",
        {"declined": True, "offered": {("day", "Thursday"), ("day", "Friday")}},
    ),
    (
        RESTAURANT,
        "8 pm isn't available, but 7:30 pm or 9 pm is.",
        {"denied": {("time", "20:00")}, "offered": {("time", "19:30"), ("time", "21:00")}},
    ),
    (
        RESTAURANT,
        "There's nothing free at 8:00. Would 9:00 be all right?",
        {"denied": {("time", "20:00")}, "offered": {("time", "21:00")}},
    ),
    (
        RESTAURANT,
        "Eight o'clock is gone, but I can squeeze you in at nine.",
        {"denied": {("time", "20:00")}, "offered": {("time", "21:00")}},
    ),
    (RESTAURANT, "Ten people is too many for us, the largest table seats eight.", {"offered": {("people", 8)}}),
    (RESTAURANT, "Dogs aren't permitted, I'm afraid. How many guests?", {"asked": {"people"}, "answers": {"dogs": 0}}),
    (RESTAURANT, "Sadly, your dog has to stay at home.", {"answers": {"dogs": 0}}),
    (RESTAURANT, "No, dogs are not allowed.", {"answers": {"dogs": 0}}),
    (RESTAURANT, "No, dogs are allowed.", {"answers": {}}),
    (RESTAURANT, "Yes, you can bring the dog.", {"answers": {"dogs": 1}}),
    (
        RESTAURANT,
        "You're booked in for Thursday, 7.30pm, 4 people, name of Baker.",
        {"stated": FULL, "confirmed": True},
    ),
    (RESTAURANT, "So that's four of you on Thu at 19:30, Mr Baker?", {"stated": FULL, "readback": True}),
    (RESTAURANT, "Consider it booked: 4 guests, Thursday, half seven, Baker.", {"stated": FULL, "confirmed": True}),
    (RESTAURANT, "We'll expect the four of you on Thursday at 19.30, Ms Baker.", {"stated": FULL, "confirmed": True}),
    (
        RESTAURANT,
        "Your table's reserved, Mr. Baker: Thurs., half past seven, four guests. See you then.",
        {"stated": FULL, "confirmed": True},
    ),
    (RESTAURANT, "Is quarter to eight okay?", {"stated": {"time": "19:45"}, "readback": True}),
    (RESTAURANT, "Will it just be the two of you?", {"stated": {"people": 2}}),
    (RESTAURANT, "You're welcome. Goodbye!", {"closing": True}),
    (RESTAURANT, "How may I help you today?", {"helps": True}),
    (RESTAURANT, "Purple monkeys sing loudly.", {"understood": False}),
    (RESTAURANT, "The weather is lovely in spring.", {"understood": False}),
    (RESTAURANT, "Which evening were you thinking of?", {"asked": {"day"}}),
    (RESTAURANT, "Done, Mr Baker - four on Thursday, half past seven.", {"stated": FULL, "confirmed": True}),
    (RESTAURANT, "Sorry, I didn't catch your name.", {"asked": {"name"}, "refuses": False}),
    (RESTAURANT, "Sure, we can do that. How many?", {"asked": {"people"}, "answers": {}}),
    (RESTAURANT, "Of course you can. At what time would you like to come?", {"answers": {"dogs": 1}}),
    (HOTEL, "How long will you be staying with us?", {"asked": {"nights"}}),
    (HOTEL, "From which day, and for how many nights?", {"asked": {"day", "nights"}}),
    (HOTEL, "When will you check in and how many nights will you stay?", {"asked": {"day", "nights"}}),
    (HOTEL, "A double is 80 euros per night. When do you arrive?", {"asked": {"day"}, "prices": {("double", 80)}}),
    (HOTEL, "That'll be €80 a night. And your name, please?", {"asked": {"name"}, "prices": {("", 80)}}),
    (HOTEL, "Double room, Friday, three nights, for Baker. It's confirmed.", {"stated": ROOM, "confirmed": True}),
    (
        HOTEL,
        "I've reserved a double from Friday on, three nights, name Baker.",
        {"stated": ROOM, "confirmed": True},
    ),
    (HOTEL, "The double is yours from Friday to Monday, three nights, Ms Baker.", {"stated": ROOM, "confirmed": True}),
    (
        HOTEL,
        "We don't have any family rooms. I could give you a double or a single, though.",
        {"denied": {("room", "family")}, "offered": {("room", "double"), ("room", "single")}},
    ),
    (
        HOTEL,
        "We have no rooms on Sunday I'm afraid, Thursday and Friday are still available.",
        {"denied": {("day", "Sunday")}, "offered": {("day", "Thursday"), ("day", "Friday")}},
    ),
    (HOTEL, "Breakfast costs nine euros extra. What's the name?", {"asked": {"name"}, "answers": {"breakfast": 9}}),
    (STATION, "Where are you travelling to?", {"asked": {"destination"}}),
    (STATION, "How many tickets do you need, and for what time?", {"asked": {"people", "time"}}),
    (STATION, "Two tickets to Carlow on the 2:40 pm train, all booked.", {"stated": TICKETS, "confirmed": True}),
    (STATION, "Two seats on the twenty to three train to Carlow are yours.", {"stated": TICKETS, "confirmed": True}),
    (
        STATION,
        "There's no train to Carlow at noon, only at 9:15 and 14:40.",
        {"denied": {("time", "12:00")}, "offered": {("time", "09:15"), ("time", "14:40")}},
    ),
    (
        STATION,
        "Tickets can't be refunded. When do you want to leave?",
        {"answers": {"refunds": 0}, "asked": {"time"}},
    ),
    (STATION, "No, you can't get your money back.", {"answers": {"refunds": 0}}),
    (SALON, "What can we do for you - a haircut or a perm?", {"asked": {"service"}}),
    (SALON, "The perm takes two hours and costs 60 euros.", {"prices": {("perm", 60)}, "stated": {"service": "perm"}}),
    (SALON, "What would you like to have done?", {"asked": {"service"}}),
    (SALON, "A cut on Thursday at 3:30 pm - noted. See you then!", {"stated": dict(SALON.goal), "confirmed": True}),
    (SALON, "We only take cash. Your haircut is fixed for Thursday at half past three.", {"answers": {"cards": 0}}),
    (DOCTOR, "Who is the patient?", {"asked": {"name"}}),
    (DOCTOR, "Thursday 15:30 is yours, Mr Baker.", {"stated": dict(DOCTOR.goal), "confirmed": True}),
    (DOCTOR, "The doctor can see you on Thursday at 10 or 3:30.", {"offered": {("time", "10:00"), ("time", "15:30")}}),
    (DOCTOR, "You can't park here, I am sorry. When would you like to come?", {"asked": {"day", "time"}}),
]


@pytest.mark.parametrize(("house", "reply", "expected"), FREE_REPLIES, ids=[r for _, r, _ in FREE_REPLIES])
def test_reader_understands_free_text(house: Meaning, reply: str, expected: dict) -> None:
    u = TASK.understand(converse(house, reply))
    for key, value in expected.items():
        found = getattr(u, key)
        if key == "asked":
            assert set(found) == value
        elif key in ("stated", "answers"):
            assert value or not found
            assert {k: found.get(k) for k in value} == value
        elif key in ("offered", "denied", "prices"):
            assert value <= set(found)
        else:
            assert found == value


@pytest.mark.parametrize(
    ("house", "topic", "reply", "answer"),
    [
        (HOTEL, "parking", "You can park in the yard, it costs nothing.", 1),
        (HOTEL, "parking", "We don't charge for parking.", 1),
        (HOTEL, "parking", "Your car may stay here without any fee.", 1),
        (HOTEL, "parking", "You won't have to pay a cent for parking.", 1),
        (HOTEL, "parking", "Your car is fine in the yard, no permit needed.", 1),
        (HOTEL, "parking", "Cars cannot be left here, not even for a charge.", 0),
        (HOTEL, "parking", "The car park is shut.", 0),
        (HOTEL, "parking", "The car park isn't shut.", 1),
        (RESTAURANT, "garden", "The terrace is shut until May.", 0),
        (RESTAURANT, "garden", "The garden is off limits this week.", 0),
        (RESTAURANT, "garden", "Tables in the garden are off at the moment.", 0),
        (RESTAURANT, "garden", "It's indoors only this month.", 0),
        (RESTAURANT, "garden", "The garden isn't closed at all.", 1),
        (RESTAURANT, "children", "Only adults here, I fear.", 0),
        (RESTAURANT, "children", "We'd ask you to leave little ones at home.", 0),
        (RESTAURANT, "dogs", "Please leave your dog at home.", 0),
        (RESTAURANT, "dogs", "You don't have to leave the dog at home.", 1),
        (RESTAURANT, "dogs", "No need to keep your puppy at home.", 1),
        (RESTAURANT, "dogs", "Our rules prohibit pets.", 0),
        (RESTAURANT, "dogs", "We don't prohibit pets.", 1),
        (RESTAURANT, "dogs", "There is no rule against dogs.", 1),
        (RESTAURANT, "dogs", "No dog is turned away here.", 1),
        (STATION, "refunds", "We never refuse a refund.", 1),
        (HOTEL, "breakfast", "It costs nothing.", 0),
        (HOTEL, "breakfast", "Breakfast is always included.", 0),
        (HOTEL, "breakfast", "Breakfast isn't included.", None),
        (HOTEL, "breakfast", "Is that including breakfast?", None),
    ],
)
def test_reader_tells_yes_from_no(house: Meaning, topic: str, reply: str, answer: int | None) -> None:
    asking = replace(house, rules=((topic, 1),), question=topic)
    assert TASK.understand(converse(asking, reply)).answers.get(topic) == answer


@pytest.mark.parametrize(
    ("reply", "prices", "breakfast"),
    [
        ("A hundred and twelve euros.", (("", 112),), None),
        ("One hundred and twenty-five euros a night.", (("", 125),), None),
        ("The double is a hundred euros.", (("double", 100),), None),
        ("Two hundred euros for both nights.", (("", 200),), None),
        ("That's a hundred and forty.", (("", 140),), None),
        ("It's 118.", (("", 118),), None),
        ("It costs nothing.", (("", 0),), None),
        ("80 euros a night; the breakfast hall is upstairs.", (("", 80),), None),
        ("It's 80 euros, breakfast included.", (("", 80),), None),
        ("That is 80 euros with breakfast.", (("", 80),), None),
        ("It's 80 euros, and breakfast is served from seven.", (("", 80),), None),
        ("It's 80 euros, breakfast is 9 euros more.", (("", 80),), 9),
        ("The double costs 80 euros and breakfast 9 euros.", (("double", 80),), 9),
        ("Breakfast is 9 euros and the double 80 euros.", (("double", 80),), 9),
        ("It is 9 euros a person for breakfast.", (), 9),
        ("Breakfast is served from seven and costs 9 euros.", (), 9),
    ],
)
def test_reader_tells_what_a_price_is_for(reply: str, prices: tuple, breakfast: int | None) -> None:
    u = TASK.understand(converse(HOTEL, reply))
    assert u.prices == prices
    assert u.answers.get("breakfast") == breakfast


THURSDAY, NINE = ("day", "Thursday"), ("time", "21:00")


@pytest.mark.parametrize(
    ("reply", "denied", "heard"),
    [
        ("We've nothing at nine on Thursday.", {NINE}, set()),
        ("On Thursday there is nothing at 9:00.", {NINE}, set()),
        ("That time isn't free on Thursday.", set(), set()),
        ("We have nothing on Thursday at this time of year.", {THURSDAY}, set()),
        ("Neither Thursday nor nine o'clock is possible.", {THURSDAY, NINE}, set()),
        ("Nothing is booked for Thursday at nine.", {THURSDAY, NINE}, set()),
        ("Sorry, not on Thursday.", {THURSDAY}, set()),
        ("Four of you on Thursday, not at nine.", {NINE}, {THURSDAY, ("people", 4)}),
        ("Four of you, not six, on Thursday.", set(), {THURSDAY, ("people", 4)}),
        ("Why not Thursday?", set(), {THURSDAY}),
        ("Was it not Thursday?", set(), {THURSDAY}),
        ("No day other than Thursday is left.", set(), {THURSDAY}),
        ("I can't do better than Thursday at nine.", set(), {THURSDAY, NINE}),
        ("No rush, I've put you down for Thursday at nine.", set(), {THURSDAY, NINE}),
        ("I've put you down for Thursday at nine, no name yet.", set(), {THURSDAY, NINE}),
        ("Shall I hold Thursday at nine for you?", set(), {THURSDAY, NINE}),
        ("I cannot hold Thursday at nine without a name.", set(), {THURSDAY, NINE}),
        ("Nobody has taken Thursday at nine.", set(), {THURSDAY, NINE}),
        ("Thursday at nine hasn't been taken.", set(), {THURSDAY, NINE}),
        ("It couldn't be easier: Thursday at nine.", set(), {THURSDAY, NINE}),
        ("Thursday at nine in the evening, not at 7:30.", {("time", "19:30")}, {THURSDAY, NINE}),
    ],
)
def test_reader_denies_only_what_is_denied(reply: str, denied: set, heard: set) -> None:
    u = TASK.understand(converse(RESTAURANT, reply))
    assert set(u.denied) == denied
    assert heard <= {*u.stated.items(), *u.offered}


def test_reader_hears_the_part_of_the_day() -> None:
    """ "Six in the morning" is an hour, also where nothing stands before it; "six people in the morning" is none."""
    said = "Two for Carlow, ten in the morning, not 14:40."
    assert TASK.understand(converse(STATION, said)).stated == {"people": 2, "destination": "Carlow", "time": "10:00"}
    assert "time" not in TASK.understand(converse(STATION, "Six people in the morning, then.")).stated


def test_a_circumstance_is_no_question() -> None:
    assert TASK.understand(converse(RESTAURANT, "What time shall we expect you on the day?")).asked == ("time",)
    assert TASK.understand(converse(RESTAURANT, "What is the new day?")).asked == ("day",)


def test_reader_never_guesses_a_slot() -> None:
    """A number that could be an hour, a party or a price is left open."""
    for reply in ("Seven.", "So 7 then?", "Four, right?", "I read about 12 of those.", "Gate 9 and row 3."):
        assert TASK.understand(converse(RESTAURANT, reply)).stated == {}
    assert (
        "people" not in TASK.understand(converse(STATION, "There are two trains to Carlow, at 9:15 and 14:40.")).stated
    )
    assert "time" not in TASK.understand(converse(SALON, "A perm takes two hours.")).stated


# --- the examples ---------------------------------------------------------------------------------


def test_contracts() -> None:
    assert isinstance(TASK, Judged)
    assert isinstance(TASK, Conversation)
    assert [len(DialogueTask(s)) for s in SPLITS] == [1_000_000, 10_000, 10_000]


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="split must be one of"):
        DialogueTask("dev")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="data_seed"):
        DialogueTask(data_seed=-1)
    for index in (-1, 10_000):
        with pytest.raises(IndexError):
            DialogueTask("test")[index]
    with pytest.raises(ValueError, match="response"):
        TASK.understand(Transcript(TASK[0].prompt, (), TASK[0].meta))
    with pytest.raises(TypeError, match=r"transcript\.meta"):
        TASK.judge(Transcript(TASK[0].prompt, (), None))


def test_examples_depend_on_seed_split_and_index_alone() -> None:
    other = DialogueTask()
    assert [other[i] for i in (7, 3, 7)] == [TASK[i] for i in (7, 3, 7)]
    assert DialogueTask(data_seed=1)[3] != TASK[3]
    code = (
        "from textgym.tasks.dialogue import DialogueTask as D;"
        "import zlib; print(zlib.crc32(repr([D(s)[i] for s in ('train', 'test') for i in range(60)]).encode()))"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": h}, capture_output=True, check=True).stdout
        for h in ("1", "2")
    }
    assert len(runs) == 1


def test_meaning_copies_and_pickles() -> None:
    meta = TASK[5].meta
    assert copy.deepcopy(meta) == meta
    assert pickle.loads(pickle.dumps(meta)) == meta
    assert hash(meta) == hash(copy.deepcopy(meta))


def test_splits_are_disjoint_by_construction() -> None:
    """Whatever the data seed, a house belongs to one split, and the prompt shows both words of its name."""
    keys = defaultdict(set)
    for split in SPLITS:
        for data_seed in (0, 9):
            task = DialogueTask(split, data_seed)
            for i in range(1500):
                ex = task[i]
                assert split_of(ex.meta) == split
                sheet = ex.prompt[0].content
                assert all(word in sheet for word in ex.meta.house)
                keys[split].add((ex.meta.kind, *ex.meta.house))
    assert not keys["train"] & keys["test"]
    assert not keys["train"] & keys["validation"]
    assert not keys["validation"] & keys["test"]


def test_prompts_are_short_plain_text() -> None:
    lengths = []
    for i in range(1000):
        system, user = TASK[i].prompt
        assert (system.role, user.role) == ("system", "user")
        for m in (system, user):
            assert re.fullmatch(r"[A-Za-zÄÖÜäöüß0-9 .,:?()'-]+", m.content), m.content
            assert m.content[0].isupper()
            assert m.content[-1] in ".?"
            assert "  " not in m.content
            assert not re.search(r"\ba [aeiou]|\b(\w+) \1\b", m.content), m.content
        lengths.append((len(system.content.split()), len(user.content.split())))
        assert 2 <= len(TASK[i].meta.goal) <= 4
    system_words, user_words = zip(*lengths, strict=True)
    assert 30 < np.mean(system_words) < 48
    assert max(system_words) < 80
    assert max(user_words) < 36


def test_simple_is_simple() -> None:
    task = DialogueTask(simple=True)
    for i in range(500):
        m = task[i].meta
        assert m.change is None
        assert m.question is None
        assert find_obstacle(m, dict(m.goal)) is None
        assert len(m.goal) - len(m.first) <= 1


def test_goals_can_be_met() -> None:
    """The wish can be had, or there is an alternative; a changed mind can always be served."""
    obstacles = 0
    for i in range(2000):
        m = TASK[i].meta
        goal = dict(m.goal)
        slot = find_obstacle(m, goal)
        if slot:
            obstacles += 1
            assert m.change is None
            options = find_alternatives(m, goal, slot)
            assert options
            assert all(find_obstacle(m, {**goal, slot: v}) is None for v in options)
        if m.change:
            assert find_obstacle(m, {**goal, m.change[0]: m.change[1]}) is None
            assert goal[m.change[0]] != m.change[1]
    assert 0.15 < obstacles / 2000 < 0.35


# --- the simulated user ---------------------------------------------------------------------------


def test_user_is_stateless_and_repeatable() -> None:
    for i in range(30):
        whole = play(TASK, TASK[i], TASK.answer, make_rng(i))
        start = whole.num_prompt_messages
        for end in range(start + 1, len(whole.messages), 2):
            part = Transcript(whole.messages[:end], whole.references, copy.deepcopy(whole.meta), None, start)
            assert DialogueTask().reply(part, make_rng(1)) == TASK.reply(part, make_rng(1))


CORRECTION = re.compile(r"^(No|That is wrong|Not quite|Sorry, no)[,:] ")
RIGHT = {"day": r"\bThursday\b", "time": r"\b(7:30|19:30|half past seven)\b", "people": r"\b(4|four)\b"}


@pytest.mark.parametrize(
    ("slot", "wrong"),
    [
        ("day", "on Friday at 7:30 for four"),
        ("time", "on Thursday at 9:00 for four"),
        ("people", "on Thursday at 7:30 for six"),
    ],
)
def test_user_corrects_a_wrong_value(slot: str, wrong: str) -> None:
    """The reply says no and the right value of this slot, and nothing of the others."""
    ready = replace(RESTAURANT, first=("day", "time", "people", "name"), question=None)
    for seed in range(20):
        reply = TASK.reply(converse(ready, f"A table {wrong} under Baker is booked."), make_rng(seed))
        assert isinstance(reply, str)
        assert not isinstance(reply, Goodbye)
        assert CORRECTION.search(reply), reply
        assert [s for s, right in RIGHT.items() if re.search(right, reply)] == [slot], reply
    right = converse(ready, "A table on Thursday at 7:30 for 4, Baker: done.")
    assert isinstance(TASK.reply(right, make_rng()), Goodbye)


def test_user_asks_back_and_loses_patience() -> None:
    """Babble is met with a question until the patience is gone, and then with a farewell."""
    m = replace(RESTAURANT, question=None)
    for turns in range(1, m.patience + 1):
        said = converse(m, *["Purple monkeys sing loudly."] * turns)
        for seed in range(20):
            reply = TASK.reply(said, make_rng(seed))
            assert isinstance(reply, Goodbye) == (turns == m.patience)
            assert reply in (FED_UP if turns == m.patience else WHAT)
    assert TASK.judge(said).components["manners"] == 0.0
    asks = TASK.reply(converse(RESTAURANT, "Purple monkeys sing loudly."), make_rng())  # may it bring a dog?
    assert isinstance(asks, str)
    assert asks.startswith(WHAT)
    assert re.search(r"\b(dogs?|puppy)\b.*\?$", asks), asks


def test_an_unanswered_question_is_asked_again() -> None:
    """May it bring a dog? Whatever else the reply says, the question stays until it is answered."""
    for reply in ("How many will you be?", "The garden is open. At what time?", "Sorry, the line is bad. What name?"):
        said = converse(RESTAURANT, reply)
        assert "dogs" not in TASK.understand(said).answers
        assert re.search(r"\b(dogs?|puppy)\b.*\?$", str(TASK.reply(said, make_rng()))), reply
    answered = TASK.reply(converse(RESTAURANT, "No dogs, sorry. How many will you be?"), make_rng())
    assert not re.search(r"\b(dogs?|puppy)\b", str(answered))


def test_user_takes_an_alternative_or_leaves() -> None:
    wish = replace(
        RESTAURANT,
        goal=(("day", "Thursday"), ("time", "20:00"), ("people", 4), ("name", "Baker")),
        first=("day", "time", "people", "name"),
        question=None,
    )
    decline = "I'm sorry, eight is taken on Thursday. Would 7:30 or nine suit you?"
    reply = TASK.reply(converse(wish, decline), make_rng())
    assert reply is not None
    assert not isinstance(reply, Goodbye)
    served = converse(wish, decline, "A table for four on Thursday at 7:30 under Baker is booked.")
    assert isinstance(TASK.reply(served, make_rng()), Goodbye)
    assert TASK.judge(served).score >= 0.95
    left = replace(wish, accepts=False)
    assert isinstance(TASK.reply(converse(left, decline), make_rng()), Goodbye)
    assert TASK.judge(converse(left, decline)).score >= 0.95
    granted = converse(wish, "A table for four on Thursday at 8:00 under Baker is booked.")
    assert TASK.judge(granted).score < 0.4


def test_user_changes_its_mind_once() -> None:
    m = replace(RESTAURANT, first=("day", "time", "people", "name"), question=None, change=("time", "21:00"))
    first = "A table for four on Thursday at 7:30 under Baker is booked."
    reply = TASK.reply(converse(m, first), make_rng())
    assert reply is not None
    assert not isinstance(reply, Goodbye)
    assert re.search("9:00|nine|9", reply)
    assert TASK.judge(converse(m, first, first.replace("is booked", "is reserved"))).score < 0.4
    assert TASK.judge(converse(m, first, "Done: four on Thursday at 9:00 under Baker, all booked.")).score >= 0.95


# --- the program that answers, and the judge ------------------------------------------------------


def test_reference_plays_are_gold() -> None:
    for i in range(300):
        for task in (TASK, DialogueTask("test", simple=bool(i % 2))):
            done = play(task, task[i], task.answer, make_rng(i), max_turns=6)
            assert done.ending == "task"
            verdict = task.judge(done)
            assert verdict.score >= 0.95, done.messages
            assert set(verdict.components) == COMPONENTS
            assert all(0.0 <= v <= 1.0 for v in verdict.components.values())


def test_what_the_clerk_says_is_read_as_it_was_meant() -> None:
    draws = Draws(1)
    for i in range(400):
        talk = begin(TASK[i].meta)
        meant = plan(talk)
        text = phrase(meant, talk, draws)
        u = read(text, talk.context)
        choices = {slot for slot, _ in meant.offered}  # "how about Wednesday or Saturday?" asks to choose
        assert set(u.asked) - choices == set(meant.asked), text
        assert dict(u.stated).items() >= meant.stated.items(), text
        assert u.confirmed == meant.confirmed, text
        assert set(meant.offered) <= set(u.offered), text
        if meant.declined:
            assert meant.declined in u.denied, text


def test_references_are_first_turns() -> None:
    for i in range(200):
        ex = TASK[i]
        assert 1 <= len(ex.references) <= 2
        for r in ex.references:
            assert TASK.judge(rebuild(ex, (r,))).score > TASK.judge(rebuild(ex, ("",))).score + 0.05


@cache
def losses() -> dict[str, list[float]]:
    """By how much each damage lowers the score, on 200 examples of the test split."""
    task = DialogueTask("test")
    lost = defaultdict(list)
    for i in range(200):
        example = task[i]
        score = task.judge(play(task, example, task.answer, np.random.default_rng([0, i]))).score
        for name, texts in damages(task, i, np.random.default_rng([0, i])).items():
            lost[name].append(score - task.judge(rebuild(example, texts)).score)
    return lost


AIM = 0.99


@pytest.mark.parametrize("name", [f"{name}, {where}" for name in MARGINS for where in ("one turn", "all turns")])
def test_damage_costs(name: str) -> None:
    values = np.array(losses()[name])
    assert len(values) > 150
    assert np.mean(values >= MARGINS[name.rpartition(",")[0]]) >= AIM


def test_habits_are_bad_and_systematic() -> None:
    scores, again = [], []
    for i in range(400):
        ex = TASK[i]
        done = play(TASK, ex, lambda t, r: TASK.answer(t, r, habits=True), make_rng(i))
        scores.append(TASK.judge(done).score)
        m = ex.meta
        if m.kind == "restaurant" and "day" in m.first and len(m.first) < 4 and not find_obstacle(m, dict(m.goal)):
            said = Transcript(ex.prompt, (), m, None, 2)
            first = TASK.answer(said, make_rng(i), habits=True)
            again.append("day" in TASK.understand(converse(m, first)).asked)
    assert 0.45 < np.mean(scores) < 0.62
    assert np.mean(again) > 0.75


RIGHT_AND_WRONG = [
    (
        replace(RESTAURANT, first=("day", "time", "people", "name")),
        "Sorry, no dogs. Your table for four on Thursday at 7:30 is booked, Ms Baker.",
        [
            "Yes, bring your dog. Your table for four on Thursday at 7:30 is booked, Ms Baker.",
            "Your table for four on Thursday at 7:30 is booked, Ms Baker.",
            "Sorry, no dogs. Your table for four on Thursday at 8:30 is booked, Ms Baker.",
            "Sorry, no dogs. Your table for four on Tuesday at 7:30 is booked, Ms Baker.",
            "Sorry, no dogs. Your table for four on Thursday at 7:30 is booked, Ms Barker.",
            "Sorry, no dogs. And we are full on Thursday at 7:30.",
            "No dogs, Thursday, 7:30, four, Baker",
            "Which trains would you like to take, and when?",
        ],
    ),
    (
        replace(RESTAURANT, question=None),
        "Sure. What time, how many people and what name?",
        [
            "Done, your table is booked for Thursday.",
            "And on which day would that be?",
            "Sorry, we have nothing on Thursday.",
            "I have a table for two at nine for Miller.",
            "How many how many guests guests guests how many?",
            "",
        ],
    ),
    (
        replace(STATION, first=("destination", "time", "people")),
        "Two tickets to Carlow at 14:40, here you are. There are no refunds, I'm afraid.",
        [
            "Two tickets to Selby at 14:40, here you are. There are no refunds, I'm afraid.",
            "Two tickets to Carlow at 14:40, here you are. You can always get a refund.",
            "There is no train to Carlow at 14:40, and there are no refunds, I'm afraid.",
        ],
    ),
]


def test_free_answers_rank() -> None:
    for house, right, wrongs in RIGHT_AND_WRONG:
        best = TASK.judge(converse(house, right)).score
        for wrong in wrongs:
            assert best > TASK.judge(converse(house, wrong)).score + 0.02, wrong


CUT = replace(
    SALON,
    free=(("Tuesday", ("13:00", "15:30")), ("Saturday", ("13:00",))),
    items=(Item("haircut", 15), Item("perm", 60)),
    goal=(("service", "haircut"), ("day", "Tuesday"), ("time", "13:00")),
    first=("service", "day", "time"),
)
CUT_BOOKED = "Your haircut on Tuesday at one is booked."


@pytest.mark.parametrize(
    "reply",
    [
        f"It costs 15 euros. {CUT_BOOKED}",
        f"{CUT_BOOKED} Have a lovely Saturday!",
        f"{CUT_BOOKED} Please be here at 12:50.",
        f"{CUT_BOOKED} See you on Tuesday.",
        "Booked for Tuesday at two, sorry, I meant one, for a haircut.",
        "Your haircut is booked for Wednesday at one. Oops, I mean Tuesday.",
    ],
)
def test_a_true_remark_costs_nothing(reply: str) -> None:
    assert TASK.judge(converse(CUT, reply)).score >= 0.95


@pytest.mark.parametrize(
    "replies",
    [
        (f"It costs 60 euros. {CUT_BOOKED}",),  # a perm does
        (f"{CUT_BOOKED} It's 60.",),
        (f"{CUT_BOOKED} You pay 15 dollars.",),
        (f"{CUT_BOOKED} We look forward to seeing you on Saturday.",),
        (f"{CUT_BOOKED} Until Saturday!",),
        (f"{CUT_BOOKED} See you at half past three.",),
        (f"{CUT_BOOKED} Enjoy your perm!",),
        (f"{CUT_BOOKED} Please come on Saturday.",),
        (CUT_BOOKED, "See you on Saturday."),
        ("Your haircut on Tuesday at one will be booked tomorrow maybe.",),
        ("I think your haircut on Tuesday at one is booked.",),
        ("Your haircut on Tuesday at one could be booked.",),
    ],
)
def test_a_false_remark_or_a_booking_in_doubt_costs(replies: tuple[str, ...]) -> None:
    right = (CUT_BOOKED, "See you on Tuesday.")[: len(replies)]
    assert TASK.judge(converse(CUT, *replies)).score < TASK.judge(converse(CUT, *right)).score - 0.3


def test_a_list_has_a_form() -> None:
    for text in ("Booked: haircut, Tuesday, 1:00.", "Haircut, Tuesday, 1:00 - booked."):
        assert TASK.judge(converse(CUT, text)).components["fluency"] >= 0.8, text
    for text in ("haircut, Tuesday, 1:00, booked", "Haircut Tuesday booked 1:00."):
        assert TASK.judge(converse(CUT, text)).components["fluency"] <= 0.4, text
    trailing = TASK.judge(converse(CUT, "A haircut on Tuesday at one ... is that right?"))
    assert trailing.components["fluency"] == 1.0


@pytest.mark.parametrize(
    ("said", "time"), [("at one", "13:00"), ("at three forty-five", "15:45"), ("at nine-thirty", "09:30")]
)
def test_an_hour_is_heard_before_a_preposition(said: str, time: str) -> None:
    assert TASK.understand(converse(CUT, f"Tuesday {said} for a haircut, is that right?")).stated["time"] == time


def test_what_stands_alone_answers_the_open_price() -> None:
    asking = replace(HOTEL, first=("room", "day", "nights", "name"), question="breakfast")
    booked = "A double room from Friday for three nights is booked, Baker."
    assert TASK.judge(converse(asking, f"It's nine euros. {booked}")).score >= 0.95
    assert TASK.judge(converse(asking, f"It's 12 euros. {booked}")).score < 0.6
    assert TASK.understand(converse(asking, "Shall I book it?")).readback


HOSTILE = ["", " ", "\0\1\x1b[0m", "³²¹ ⅕ ٣ 7٣ ²:³", "\ud800", "你好" * 2000, "a" * 100_000]
PIECES = ("at ", "7:30, ", "(", "x? ", "and 7 or ", "'", "9:9", "no not ", "Baker ", "which day ")
HOSTILE += [20_000 * piece for piece in PIECES]


@pytest.mark.parametrize(
    "text",
    HOSTILE,
    ids=lambda t: repr(t[:8]),
)
def test_hostile_text_is_judged_low(text: str) -> None:
    ex = TASK[3]
    said = Transcript((*ex.prompt, Message("assistant", text)), ex.references, ex.meta, None, 2)
    start = time.process_time()
    score = TASK.judge(said).score
    assert TASK.reply(said, make_rng())
    assert isinstance(TASK.understand(said), Understanding)
    assert time.process_time() - start < 10  # milliseconds, unless something blows up exponentially
    assert 0.0 <= score < 0.1
