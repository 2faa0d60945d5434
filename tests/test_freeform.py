"""Judges and the simulated user on text that the generators did not write.

The answers of `tests/data/freeform_*.jsonl` were written by language models that had not seen the code. Each
row carries the prompt it was written for and that prompt's meaning, so it stays when the generator's texts
change. `benchmarks/freeform.py` prints the same figures by fault.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from textgym.tasks.dialogue.read import Understanding
from textgym.tasks.dialogue.talk import replay
from textgym.tasks.dialogue.user import FED_UP, WHAT
from textgym.tasks.load import load_task
from textgym.types import Goodbye

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "freeform.py"


@lru_cache(maxsize=1)
def freeform() -> ModuleType:
    spec = importlib.util.spec_from_file_location("freeform", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["freeform"] = module
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=1)
def heard() -> dict[str, Any]:
    return freeform().rate_replies()


@pytest.mark.parametrize("world", ["summarize", "translate", "dialogue"])
def test_right_answers_outscore_wrong_ones(world: str) -> None:
    found = freeform().rank_pairs(world)
    assert found["n"] >= 180
    assert found["disputed"] <= 5
    for ranked, total in found["by_set"].values():
        assert total >= 90
        assert ranked >= 0.95 * total, found["missed"]


def test_replies_are_understood() -> None:
    found = heard()
    assert found["disputed"] <= 5
    for understood, total in found["by_set"].values():
        assert total >= 180
        assert understood >= 0.85 * total, (found["missed"], found["wrong"])


def test_few_missed_replies_are_left_open_or_taken_as_served() -> None:
    """Of 600; each of the others that were missed is asked about again."""
    assert heard()["left_open"] <= 3
    assert heard()["served_unheard"] <= 2


def test_no_reply_fills_in_a_wrong_slot() -> None:
    assert heard()["wrong_slot"] == 0, heard()["wrong"]


def test_no_answer_no_price_and_no_denial_is_taken_wrong() -> None:
    assert heard()["wrong_value"] == 0, heard()["wrong"]


def test_what_is_not_understood_is_asked_back() -> None:
    """Nonsense is met with a question; what was missed of a reply is not taken as said, and stays to be said."""
    task = load_task("dialogue", split="validation", data_seed=11)
    counts = Counter[str]()
    for row, said, _, missed in freeform().hear_replies():
        before, after = replay(said, last=False), replay(said)
        reply = task.reply(said, np.random.default_rng(0))
        assert isinstance(reply, str)
        if row["kind"] == "nonsense":
            assert not task.understand(said).understood, row["reply"]
        if not task.understand(said).understood:
            counts["not understood"] += 1
            assert (after.told, after.stated, after.booked) == (before.told, before.stated, before.booked), row["reply"]
            is_question = reply.startswith(WHAT)
            assert is_question or (isinstance(reply, Goodbye) and reply in FED_UP), (row["reply"], reply)
            counts["asked what"] += is_question
        for slot in (m for m in missed if m in after.wants):  # a slot that this user does not care for needs no asking
            counts["values missed"] += 1
            assert after.stated.get(slot) == before.stated.get(slot), (row["reply"], slot)
            assert not after.over or after.over == "left", (row["reply"], reply)
        for slot in (m.removeprefix("ask ") for m in missed if m.startswith("ask ")):
            counts["questions missed"] += 1
            assert after.told.get(slot) == before.told.get(slot), (row["reply"], slot)
        for topic in (m.removeprefix("answer ") for m in missed if m.startswith("answer ")):
            if topic == before.pending:  # asked again, unless the user has had enough
                counts["answers missed"] += 1
                assert after.over == "fedup" or ("ask again", topic) in after.acts, (row["reply"], reply)
    assert counts["not understood"] >= 27
    assert counts["asked what"] >= counts["not understood"] - 1  # one has no patience left
    assert min(counts["values missed"], counts["questions missed"]) >= 1  # no answer is missed


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("7:30", 450),
        ("19:30", 450),
        ("8:30 p.m.", 510),
        ("half past seven in the evening", 450),
        ("a quarter past eight", 495),
        ("five to nine", 535),
        ("twenty-five past two", 145),
        ("thirteen hundred hours", 60),
        ("twelve thirty", 30),
        ("noon", 0),
        ("two", 120),
    ],
)
def test_labelled_times_are_read_right(said: str, minutes: int) -> None:
    assert freeform().minutes_of(said) == minutes


def test_comparison_counts_what_was_taken_wrong() -> None:
    """The yardstick itself: a wrong value, an invented question and a missed slot are all seen."""
    row = {"states": {"day": "Monday", "time": ["8:00", "9:00"]}, "asks": ["name"], "kind": "offer"}
    meaning = load_task("dialogue", split="validation", data_seed=11)[0].meta
    compare = freeform().compare
    right = Understanding(asked=("name",), stated={"day": "Monday"}, offered=(("time", "20:00"),))
    assert compare(row, right, meaning) == ([], [])
    wrong, missed = compare(row, Understanding(asked=("day",), stated={"day": "Tuesday"}), meaning)
    assert wrong == ["day=Tuesday", "asks day"]
    assert missed == ["day", "time", "ask name"]


def test_comparison_counts_answers_prices_and_denials() -> None:
    """An answer counts with its yes or no, a price with its amount; what the reply holds out is not denied."""
    row = {
        "states": {"day": "Monday"},
        "asks": [],
        "kind": "mixed",
        "answers": {"dogs": 1, "breakfast": 9},
        "prices": [80],
    }
    meaning = load_task("dialogue", split="validation", data_seed=11)[0].meta
    compare = freeform().compare
    said = {"stated": {"day": "Monday"}}
    right = Understanding(
        **said, answers={"dogs": 1, "breakfast": 9}, prices=(("double", 80),), denied=(("day", "Friday"),)
    )
    assert compare(row, right, meaning) == ([], [])
    turned = Understanding(
        **said, answers={"dogs": 0, "breakfast": 80, "lift": 1}, prices=(("", 9),), denied=(("day", "Monday"),)
    )
    wrong, missed = compare(row, turned, meaning)
    assert wrong == ["denies day=Monday", "answers dogs=0", "answers breakfast=80", "answers lift=1", "price=9"]
    assert missed == ["price 80"]
    assert compare(row, Understanding(**said), meaning) == ([], ["answer dogs", "answer breakfast", "price 80"])
