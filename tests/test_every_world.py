"""Laws of every embedded world: how varied its prompts are, and that docs/worlds.md prints what the judges say.

`benchmarks/variety.py` says what is masked and prints the same figures for ten times as many prompts.
"""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from textgym.tasks.load import load_task
from textgym.types import Example, Message, Transcript

ROOT = Path(__file__).parent.parent
N = 15_000
WORLDS = ("summarize", "translate", "dialogue")


@lru_cache(maxsize=1)
def variety() -> ModuleType:
    spec = importlib.util.spec_from_file_location("variety", ROOT / "benchmarks" / "variety.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=3)
def measured(world: str) -> dict[str, Any]:
    task: Any = load_task(world, split="train")
    return variety().measure((task[i] for i in range(N)), variety().make_mask(world))


@pytest.mark.parametrize("world", WORLDS)
def test_prompts_differ_in_more_than_names_dates_and_numbers(world: str) -> None:
    assert measured(world)["distinct"] >= 0.99 * N


@pytest.mark.parametrize("world", WORLDS)
def test_no_sentence_stands_in_more_than_one_prompt_in_a_hundred(world: str) -> None:
    top = measured(world)["top"][0]
    assert top["share"] <= 0.01, top


@pytest.mark.parametrize(
    ("world", "one", "other"),
    [
        (
            "summarize",
            "Tom Bauer closed the bakery in Lindau on 14 May after 24 years.",
            "Roth closed the bakery in Ulm on the second of June after twenty-two years.",
        ),
        (
            "translate",
            "On Monday, Anna's friend waits until half past seven.",
            "On Sunday, Max's friend waits until 7:30.",
        ),
        (
            "dialogue",
            "The Golden Anchor has tables on Friday at 7:30 for four.",
            "The Sunny Fox has tables on Monday at a quarter to nine for 12.",
        ),
    ],
)
def test_prompts_that_differ_in_values_alone_count_once(world: str, one: str, other: str) -> None:
    mask = variety().make_mask(world)
    found = variety().measure([Example((Message("user", text),), (), None) for text in (one, other)], mask)
    assert (found["distinct"], found["sentences"]) == (1, 1), found["top"]
    assert mask("It was closed.") == "It was closed."


def section(world: str) -> tuple[str, list[str]]:
    """The text of a world's section in docs/worlds.md, and the lines of its printed example."""
    text = (ROOT / "docs" / "worlds.md").read_text(encoding="utf-8").partition(f"\n## {world.capitalize()}\n")[2]
    text = text.partition("\n## ")[0]
    return text, [line.removeprefix("> ").removesuffix("\\") for line in text.splitlines() if line.startswith(">")]


def score(task: Any, example: Example, *said: Message) -> float:
    n = len(example.prompt)
    return task.judge(Transcript((*example.prompt, *said), example.references, example.meta, None, n)).score


@pytest.mark.parametrize(("world", "index"), [("summarize", 0), ("translate", 1)])
def test_the_docs_print_the_scores_of_the_judge(world: str, index: int) -> None:
    text, quoted = section(world)
    task: Any = load_task(world, split="test")
    assert " ".join(quoted) == task[index].prompt[0].content
    rows = re.findall(r"^\| (.+?) \| (\d\.\d\d) \|", text, re.MULTILINE)
    assert len(rows) >= 4
    for answer, printed in rows:
        found = score(task, task[index], Message("assistant", answer.replace("**", "")))
        assert f"{found:.2f}" == printed, answer


def test_the_docs_print_a_conversation_and_what_it_was_worth() -> None:
    text, quoted = section("dialogue")
    turns = re.findall(r"\*\*(\w+)\*\* (.+?)(?= \*\*|$)", " ".join(quoted))
    task: Any = load_task("dialogue", split="test")
    prompt, said = turns[:2], [Message(role, content) for role, content in turns[2:]]
    assert prompt == [(m.role, m.content) for m in task[0].prompt]
    assert "gold 1.00" in text
    assert score(task, task[0], *said) == 1.0
    broken_off = re.findall(r'"([A-Z][^"]+[.?])"[^"]*?at (\d\.\d\d)', text.replace("\n", " "))
    assert len(broken_off) == 2
    for answer, printed in broken_off:
        assert f"{score(task, task[0], Message('assistant', answer)):.2f}" == printed, answer
