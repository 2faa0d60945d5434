"""Laws of the embedded summarization world: its examples, its splits, its gold judge, its habits.

`tests/data/summarize_pairs.jsonl` holds 80 events with one right and one wrong answer each, in free
wording, by the author of the judge. The judge was mended after its first run on the first 40 (one of
them misranked); the last 40 were written afterwards and ranked rightly at once. Its author knew the
word lists, so this guards against regressions: it is no blind test.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from textgym.tasks.base import Judged
from textgym.tasks.summarize import Event, SummarizeTask, Wish
from textgym.tasks.summarize.damage import MARGINS, damages
from textgym.tasks.summarize.judge import judge_text
from textgym.tasks.summarize.kinds import KINDS
from textgym.tasks.summarize.names import SURNAMES, TOWNS, split_of
from textgym.types import SPLITS, Example, Message, Transcript

N = 300
COMPONENTS = {"coverage", "faithfulness", "wish", "fluency", "brevity"}


def answered(example: Example, text: str) -> Transcript:
    return Transcript((*example.prompt, Message("assistant", text)), example.references, example.meta)


def score(example: Example, text: str) -> float:
    return judge_text(text, example.meta, example.prompt[-1].content).score


@pytest.fixture(scope="module", params=[False, True], ids=["full", "simple"])
def task(request: pytest.FixtureRequest) -> SummarizeTask:
    return SummarizeTask("test", simple=request.param)


# --- examples ---------------------------------------------------------------------------------


def test_contract(task: SummarizeTask) -> None:
    assert isinstance(task, Judged)
    assert task.name == "summarize"
    assert [len(SummarizeTask(split)) for split in SPLITS] == [1_000_000, 10_000, 10_000]
    for index in (-1, len(task), 10**9):
        with pytest.raises(IndexError, match="index must be"):
            task[index]
    with pytest.raises(ValueError, match="split must be one of"):
        SummarizeTask("dev")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="data_seed must be"):
        SummarizeTask(data_seed=-1)


def test_an_example_depends_on_seed_split_and_index_alone() -> None:
    task = SummarizeTask(data_seed=3)
    backwards = [task[i] for i in reversed(range(30))]
    assert backwards[::-1] == [SummarizeTask(data_seed=3)[i] for i in range(30)]
    assert task[5] != SummarizeTask(data_seed=4)[5]
    assert task[5] != SummarizeTask("test", data_seed=3)[5]
    assert task[np.int64(5)] == task[5]


def test_examples_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from textgym.tasks.summarize import SummarizeTask; import zlib, numpy as np;"
        "from textgym.types import Transcript;"
        "t = SummarizeTask(); es = [t[i] for i in range(60)];"
        "js = [t.judge(Transcript((*e.prompt, ('assistant', e.references[0])), (), e.meta)) for e in es];"
        "hs = [t.answer(Transcript(e.prompt, (), e.meta), np.random.default_rng(0), habits=True) for e in es];"
        "print(zlib.crc32(repr((es, js, hs)).encode()))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(seen) == 1


def test_meta_is_a_plain_value(task: SummarizeTask) -> None:
    event = task[0].meta
    assert copy.deepcopy(event) == event == pickle.loads(pickle.dumps(event))
    assert hash(event) == hash(copy.deepcopy(event))
    with pytest.raises(AttributeError):
        event.amount = 3


def test_splits_are_disjoint_by_their_key() -> None:
    """Prompts reveal surname and town; the pair alone decides the split, for every data seed."""
    for split in SPLITS:
        for seed in (0, 7):
            task = SummarizeTask(split, data_seed=seed)
            for i in range(150):
                event, text = task[i].meta, task[i].prompt[0].content
                assert split_of(event.last, event.town) == split
                assert event.last in text
                assert event.town in text
    assert {split_of(surname, town) for surname in SURNAMES for town in TOWNS} == set(SPLITS)


def test_lengths(task: SummarizeTask) -> None:
    low, high = (20, 70) if task.simple else (60, 110)
    for i in range(N):
        example = task[i]
        assert low <= len(example.prompt[0].content.split()) <= high
        assert 1 <= len(example.references) <= 4
        assert len(set(example.references)) == len(example.references)
        assert all(5 <= len(reference.split()) <= 40 for reference in example.references)
        assert task.simple <= (not example.meta.other_names)
    share = np.mean([bool(task[i].meta.wishes) for i in range(N)])
    assert abs(share - (0.8 if task.simple else 0.5)) < 0.1


def test_digressions_never_name_the_event(task: SummarizeTask) -> None:
    for i in range(N):
        event = task[i].meta
        assert not {event.first, event.last, event.town, event.day} & set(event.other_names)
        assert event.amount not in event.other_numbers


def test_prose_is_tidy(task: SummarizeTask) -> None:
    untidy = re.compile(
        r"  | [.,;:]|\.\.|,,|%|\{|\[|\||\b(\w+) \1\b|\ba [aeio]\w|\ban [^aeiouh\W]|[.!?] [a-z]|^[a-z]|[^.?!)]$"
    )
    for i in range(N):
        for text in (task[i].prompt[0].content, *task[i].references):
            found = untidy.search(text)
            assert not found or found.group().lower() in ("had had", "that that"), (found, text)
            assert text.isascii() or set(text) - set(map(chr, range(128))) <= set("äöüßé")


def test_every_kind_of_event_comes() -> None:
    task = SummarizeTask()
    assert len({task[i].meta.kind for i in range(500)}) == len(KINDS) >= 12


# --- the judge --------------------------------------------------------------------------------


def test_references_and_answers_are_right(task: SummarizeTask) -> None:
    rng = np.random.default_rng(0)
    for i in range(N):
        example = task[i]
        answers = [task.answer(answered(example, ""), rng) for _ in range(2)]
        for text in (*example.references, *answers):
            assert score(example, text) >= 0.95, (example.prompt, text)


@pytest.mark.parametrize("name", MARGINS)
def test_damage_costs(task: SummarizeTask, name: str) -> None:
    rng = np.random.default_rng(1)
    kept = []
    for i in range(N):
        example = task[i]
        text = damages(task, i, rng).get(name)
        if text is not None:
            kept.append(score(example, example.references[0]) - score(example, text) >= MARGINS[name])
    assert len(kept) > N / 2
    assert np.mean(kept) >= 0.99


def test_free_wording_is_ranked() -> None:
    right, wrong = [], []
    for line in (Path(__file__).parent / "data" / "summarize_pairs.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in row["meta"].items()}
        event = Event(**{**fields, "wishes": tuple(Wish(**wish) for wish in row["meta"]["wishes"])})
        right.append(judge_text(row["right"], event, row["prompt"]).score)
        wrong.append(judge_text(row["wrong"], event, row["prompt"]).score)
    ranked = np.array(right) > np.array(wrong)
    assert ranked.mean() >= 0.95
    assert np.mean(right) >= 0.9
    assert np.mean(wrong) <= 0.4


EVENT = Event(
    kind="closure",
    first="Tom",
    last="Bauer",
    female=False,
    thing="bakery",
    town="Lindau",
    day="14 May",
    amount=24,
    reason="rent",
    result="flats",
    other_names=("Ella", "Roth"),
    other_numbers=(31,),
)
GOOD = "Tom Bauer closed his bakery in Lindau on 14 May after 24 years because of high rent; flats will be built there."


def judge(text: str, *wishes: Wish) -> float:
    fields = {name: getattr(EVENT, name) for name in EVENT.__dataclass_fields__}
    return judge_text(text, Event(**{**fields, "wishes": wishes}), "").score


@pytest.mark.parametrize(
    "text",
    [
        "After twenty-four years, the landlord's demands made Tom Bauer shut his Lindau bakery on May 14th, and the "
        "building becomes apartments.",
        "On the 14th of May the baker Tom Bauer gave up. His shop in Lindau had run for 24 years, but the lease became "
        "too dear. Housing will take its place.",
        "A bakery in Lindau that Tom Bauer had run for two dozen years was closed on 14 May. Rent was the reason. "
        "It will be turned into flats.",
    ],
)
def test_paraphrases_are_right(text: str) -> None:
    assert judge(text) >= 0.85


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Bauer", "Roth"),
        ("Bauer", "Zorkmann"),
        ("Tom", "Ella"),
        ("Lindau", "Ulm"),
        ("14 May", "15 May"),
        ("14 May", "14 June"),
        ("14 May", "Friday"),
        ("24", "42"),
        ("24", "31"),
        ("bakery", "cinema"),
        ("closed", "opened"),
        ("closed", "never closed"),
        ("closed", "refused to close"),
        ("high rent", "illness"),
        ("will be built", "will not be built"),
        ("flats will be built there", "a new tenant is wanted"),
    ],
)
def test_a_changed_fact_costs_more_than_one_left_out(old: str, new: str) -> None:
    assert judge(GOOD) >= 0.95
    left_out = judge("Tom Bauer closed his bakery in Lindau on 14 May because of high rent; flats will be built there.")
    assert judge(GOOD.replace(old, new)) <= left_out - 0.2


def bauers(kind: str, **fields: str) -> Event:
    """Another event of Bauer's; thing, reason and result are the kind's first unless given."""
    of = KINDS[kind]
    first = {"kind": kind, "thing": of.thing_list[0], "reason": of.reason_list[0], "result": of.result_list[0]}
    return Event(**{**{name: getattr(EVENT, name) for name in EVENT.__dataclass_fields__}, **first, **fields})


def told(text: str, kind: str, **fields: str) -> float:
    return judge_text(text, bauers(kind, **fields), "").score


@pytest.mark.parametrize(
    ("kind", "fields", "right", "old", "new"),
    [
        ("found", {"thing": "gold watch"}, "Tom Bauer found a gold watch in Lindau.", "gold", "silver"),
        ("found", {}, "Tom Bauer found a gold watch in Lindau and keeps it for 24 days.", "24 days", "24 weeks"),
        ("lost pet", {"thing": "grey cat"}, "Tom Bauer lost his grey cat in Lindau.", "grey", "black"),
        ("giveaway", {"thing": "old piano"}, "Tom Bauer gave away an old piano in Lindau.", "an old", "a new"),
        ("giveaway", {"thing": "oak table"}, "Tom Bauer gave away an oak table in Lindau.", "an oak", "a pine"),
        ("closure", {"thing": "toy shop"}, "Tom Bauer closed his toy shop in Lindau.", "toy", "book"),
        ("closure", {}, "Tom Bauer closed his bakery in Lindau after 24 years.", "years", "months"),
        (
            "closure",
            {},
            "Tom Bauer closed the bakery in Lindau.",
            "Tom Bauer closed the",
            "Customers closed Tom Bauer's",
        ),
        ("lost thing", {"reason": "bags"}, "Tom Bauer lost a ring in Lindau with too much luggage.", "much", "little"),
        (
            "complaint",
            {"reason": "late"},
            "Tom Bauer complained in Lindau after waiting for hours.",
            "hours",
            "minutes",
        ),
        ("sale", {"reason": "studies"}, "Tom Bauer sold his farm for his daughter's studies.", "daughter", "son"),
        ("cancellation", {"result": "autumn"}, "Tom Bauer cancelled a concert until autumn.", "autumn", "spring"),
        ("fair", {"result": "jam"}, "Tom Bauer held a street fair; cars stood in a long jam.", "long", "short"),
    ],
)
def test_a_word_that_contradicts_costs(kind: str, fields: dict[str, str], right: str, old: str, new: str) -> None:
    assert old in right
    assert told(right.replace(old, new, 1), kind, **fields) <= 0.8 * told(right, kind, **fields)


@pytest.mark.parametrize(
    ("kind", "fields", "text", "same"),
    [  # a synonym, an attribute left out, an addition, a word of the opposite scale elsewhere
        ("giveaway", {"thing": "green sofa"}, "Tom Bauer gave away a green sofa.", "Tom Bauer gave away a couch."),
        ("found", {}, "Tom Bauer found a watch in Lindau.", "Tom Bauer found a golden watch in Lindau."),
        ("fair", {"result": "food"}, "Tom Bauer held a street fair; the food ran out.",
         "Tom Bauer held a street fair; the food and drink ran out."),
        ("giveaway", {"reason": "newone"}, "Tom Bauer got a new sofa and gave the green sofa away.",
         "Tom Bauer got a new sofa and gave the old one away."),
        ("prize", {"reason": "children"}, "Tom Bauer won thanks to his work with children.",
         "His work with children won Tom Bauer a poetry prize."),
    ],
)  # fmt: skip
def test_other_words_for_the_same_cost_nothing(kind: str, fields: dict[str, str], text: str, same: str) -> None:
    assert told(same, kind, **fields) >= 0.95 * told(text, kind, **fields) > 0.3


@pytest.mark.parametrize(
    ("kind", "fields", "right", "wrong"),
    [
        ("giveaway", {"reason": "stairs"}, "it didn't fit through the narrow stairs", "the stairs were not narrow"),
        ("cancellation", {"reason": "permit"}, "no permit was granted", "the permit was granted"),
        ("closure", {"reason": "rent"}, "he could not afford the high rent", "the rent was not high"),
        ("closure", {"reason": "illness"}, "poor health did not let him go on", "he was not ill"),
        ("sale", {"reason": "debts"}, "he could not pay his debts", "he had no debts"),
        ("strike", {"reason": "cold"}, "the heating did not work", "the heating was not broken"),
        ("strike", {"reason": "safety"}, "the equipment was not safe", "the equipment was not unsafe"),
        ("lost pet", {"reason": "gate"}, "the gate was not shut", "the gate was not open"),
        ("accident", {"reason": "brakes"}, "the brakes did not work", "the brakes did not fail"),
        ("recall", {"result": "shelves"}, "shops have stopped selling it", "the shelves are not empty"),
        ("fair", {"result": "food"}, "there was not enough food", "the food did not run out"),
        ("cancellation", {"result": "refund"}, "guests get their money back", "guests do not get their money back"),
        ("donation", {"result": "roof"}, "the roof can be mended", "the roof cannot be mended"),
    ],
)
def test_a_negation_counts_only_where_it_contradicts(kind: str, fields: dict[str, str], right: str, wrong: str) -> None:
    def judged(clause: str) -> float:
        text = f"On 14 May in Lindau, this is what Tom Bauer said: {clause}."
        return judge_text(text, bauers(kind, **fields), "").components["faithfulness"]

    assert judged(right) >= 0.9
    assert judged(wrong) <= 0.6


@pytest.mark.parametrize(
    ("fact", "right", "wrong"),
    [
        ("day", "On 14 May.", "On 15 May."),
        ("amount", "24 years.", "42 years."),
        ("reason", "Because the rent was too high.", "Because of illness."),
        ("result", "Flats will be built there.", "The last stock went cheaply."),
    ],
)
def test_who_asks_for_one_fact_gets_it_in_a_phrase(fact: str, right: str, wrong: str) -> None:
    assert judge(right, Wish("about", fact)) >= 0.9
    assert judge(wrong, Wish("about", fact)) <= 0.3
    assert judge(right) <= 0.3  # nobody asked for so little


@pytest.mark.parametrize(
    "made_up", [", and the mayor gave a speech", ", with a brass orchestra playing", " while firemen swept up"]
)
def test_a_made_up_clause_costs(made_up: str) -> None:
    assert judge(GOOD[:-1] + made_up + ".") <= judge(GOOD) - 0.2


@pytest.mark.parametrize(
    ("wish", "met", "unmet"),
    [
        (Wish("sentences", 1), GOOD, GOOD.replace("; flats", ". Flats")),
        (Wish("sentences", 2), GOOD.replace("; flats", ". Flats"), GOOD),
        (Wish("words", 14), "Tom Bauer closed his bakery in Lindau because of high rent.", GOOD),
        (Wish("about", "reason"), "Tom Bauer closed his bakery because the rent was too high.", GOOD),
        (Wish("about", "amount"), "Tom Bauer's bakery closed after 24 years.", "Tom Bauer's bakery closed."),
        (Wish("without", "names"), GOOD.replace("Tom Bauer", "The owner"), GOOD),
        (Wish("without", "numbers"), "Tom Bauer closed his bakery in Lindau over rent; flats will be built.", GOOD),
        (Wish("first", "day"), "On 14 May, " + GOOD.replace(" on 14 May", ""), GOOD),
        (Wish("first", "town"), "In Lindau, " + GOOD.replace(" in Lindau", ""), GOOD),
        (Wish("first", "reason"), "Because of high rent, " + GOOD.replace(" because of high rent", ""), GOOD),
        (
            Wish("first", "result"),
            "Flats will be built: " + GOOD.replace("; flats will be built there", ""),
            GOOD,
        ),
        (Wish("child"), GOOD.replace("; flats", ". Flats"), GOOD.replace("high rent", "an unaffordable lease")),
    ],
)
def test_wishes(wish: Wish, met: str, unmet: str) -> None:
    assert judge(met, wish) >= 0.9
    assert judge(unmet, wish) <= judge(met, wish) - 0.2


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00\x07\x1b[31m",
        "不" * 100_000,
        "a" * 100_000,
        "the " * 25_000,
        "1," * 50_000,
        "a-" * 50_000,
        "(" * 100_000,
        "twenty " * 14_000,
        "²³ ¼ ١٢ 5th 1.2.3.4 12:30 0k ,",
        "'s 's ' -",
        "İstanbul ﬁ \ud800",
        GOOD * 900,
    ],
)
def test_hostile_text_is_judged_low(task: SummarizeTask, text: str) -> None:
    start = time.process_time()
    judgement = task.judge(answered(task[0], text))
    assert time.process_time() - start < 10  # milliseconds, unless something blows up exponentially
    assert 0.0 <= judgement.score <= 0.2
    assert judgement.components.keys() == COMPONENTS
    assert all(0.0 <= value <= 1.0 for value in judgement.components.values())


# --- habits -----------------------------------------------------------------------------------


def test_habits_are_faulty_and_systematic() -> None:
    """The mean gold is about a half, and two writers make mostly the same faults."""
    task = SummarizeTask()
    rng = np.random.default_rng(2)
    first, second = np.array(
        [[score(task[i], task.answer(answered(task[i], ""), rng, habits=True)) for _ in range(2)] for i in range(600)]
    ).T
    assert 0.45 <= first.mean() <= 0.6
    assert np.corrcoef(first, second)[0, 1] >= 0.7
    assert np.mean(first >= 0.95) <= 0.15
