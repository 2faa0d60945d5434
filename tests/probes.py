"""Problems whose best return is known, for any agent of this repository.

The optimum of a KL-regularised objective can be written down, π* ∝ π_ref · exp(r / β) (Ziegler et
al. 2019), and over a tiny vocabulary and length it can be enumerated. The probes are tasks of a few
letters that a right agent solves in seconds; one that is wrong in the way a probe is about does not.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tiny import save_tiny_tokenizer, tiny_policy, tiny_tokenizer

from textgym.types import Transcript

LETTERS = "abc"
BEST_RETURN = 1.0  # of every probe


class Probe(NamedTuple):
    """A task as records and a reward; `options` go to the agent's config."""

    records: list[dict[str, Any]]
    reward: Callable[[Transcript], float]
    options: dict[str, Any]


def _news(*documents: str) -> list[dict[str, Any]]:
    return [{"document": document, "summary": "a"} for document in documents]


def _chat(*turns: str) -> list[dict[str, Any]]:
    said = [{"role": role, "content": c} for turn in turns for role, c in (("user", turn), ("assistant", "a"))]
    return [{"messages": said}]


def letters_of(text: str) -> str:
    return "".join(c for c in text if c in LETTERS)


PROBES: dict[str, Probe] = {
    "constant target": Probe(_news("x"), lambda t: float(letters_of(t.response) == "b"), {"max_new_tokens": 2}),
    "the prompt decides": Probe(
        _news(*LETTERS),
        lambda t: float(letters_of(t.response) == letters_of(t.messages[-2].content[-1])),
        {"max_new_tokens": 2},
    ),
    "paid late": Probe(_news("x"), lambda t: float(t.response.startswith("c")), {"max_new_tokens": 4}),
    "two turns": Probe(
        _chat("one", "two"),
        lambda t: float([letters_of(r) for r in t.responses] == ["a", "b"]),
        {"max_new_tokens": 2, "env": "textgym/Dialogue-v0"},
    ),
}


def write_probe(probe: Probe, folder: Path) -> dict[str, Any]:
    """The probe's records and a random policy in a folder; options for an agent's config."""
    (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in probe.records), encoding="utf-8")
    tiny_policy(0).save_pretrained(folder / "policy")
    save_tiny_tokenizer(folder / "policy")
    data: dict[str, Any] = {"path": str(folder / "records.jsonl")}
    if "messages" in probe.records[0]:
        data["user"] = "replay"
    given = {"policy": str(folder / "policy"), "data": json.dumps(data), "reward": probe.reward}
    return {**given, "context_length": 96, **probe.options}


def letter_ids(letters: str = LETTERS) -> list[int]:
    """One token id a letter, in the tiny tokenizer."""
    ids = [tiny_tokenizer().encode(letter) for letter in letters]
    assert all(len(x) == 1 for x in ids)
    return [x[0] for x in ids]


def allow_only(forbidden: torch.Tensor, letters: str = LETTERS) -> None:
    """In place: nothing may be said but these letters and the end of turn."""
    forbidden[:] = True
    forbidden[[tiny_tokenizer().end_of_turn, *letter_ids(letters)]] = False


def all_responses(length: int, letters: str = LETTERS) -> list[list[int]]:
    """Every response of at most `length` tokens: it ends its turn, or is cut at the limit."""
    eot, ids = tiny_tokenizer().end_of_turn, letter_ids(letters)
    ended = [[*said, eot] for n in range(length) for said in itertools.product(ids, repeat=n)]
    return ended + [list(said) for said in itertools.product(ids, repeat=length)]
