"""Judges and the simulated user on text that the generators did not write.

The answers of `tests/data/freeform_*.jsonl` were written by people who had not seen the code. Each
row carries the prompt it was written for, so a changed generator leaves rows out instead of judging
them against another meaning; too many left out is a failure too. `benchmarks/freeform.py` prints
the same figures by fault.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from textgym.tasks.dialogue.read import Understanding
from textgym.tasks.load import load_task

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


def test_no_reply_fills_in_a_wrong_slot() -> None:
    assert heard()["wrong_value"] == 0, heard()["wrong"]


def test_what_is_not_understood_is_asked_back() -> None:
    """The user may not have heard all of a reply; then it must not be content with what it does not know."""
    task = load_task("dialogue", split="validation", data_seed=11)
    module = freeform()
    for row, _, missed, is_served in module.hear_replies():
        if row["kind"] == "nonsense":
            said = module.transcript(row, task[row["index"]], row["reply"])
            assert not task.understand(said).understood, row["reply"]
        wanted = dict(task[row["index"]].meta.goal)  # a slot that this user does not care for needs no asking back
        if any(slot.removeprefix("ask ") in wanted for slot in missed):
            assert not is_served, (row["reply"], missed)


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
