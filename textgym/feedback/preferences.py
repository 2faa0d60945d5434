"""Preferences: two ways a conversation went on, and which one was preferred.

The file form is JSON lines in the shape that TRL reads (`prompt`, `chosen`, `rejected`, each a
list of messages, `chosen` and `rejected` without the prompt), with what is known of the judgement
beside them. A judgement of a simulated rater says so in every line. Not here: collecting
judgements and aggregating raters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from textgym.files import write_text
from textgym.types import Message, Transcript

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Preference:
    """One judgement of a pair.

    `chosen` and `rejected` are what followed the prompt: the policy's response, and in a
    conversation the turns after it.
    """

    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    margin: float = 0.0  # log-odds by which chosen should win at least
    weight: float = 1.0  # of this judgement in training
    raters: tuple[str, ...] = ()
    source: str = ""  # where the pair comes from
    simulated: bool = False
    probability: float | None = None  # simulated raters: that one of them prefers `chosen`
    chosen_is_left: bool | None = None  # where `chosen` stood on the rater's screen; None: nobody knows

    def __post_init__(self) -> None:
        for name in ("prompt", "chosen", "rejected"):
            object.__setattr__(self, name, tuple(Message(*m) for m in getattr(self, name)))
        for name in ("chosen", "rejected"):
            messages = getattr(self, name)
            if not messages or messages[0].role != "assistant":
                raise ValueError(f"{name} must begin with an assistant's message, got {messages!r:.80}")
        if not self.prompt:
            raise ValueError("prompt must have at least one message, got none")
        for name in ("margin", "weight"):
            if not math.isfinite(getattr(self, name)) or (name == "weight" and self.weight < 0):
                raise ValueError(f"{name} must be a finite number{', at least 0' * (name == 'weight')}")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be from 0 to 1, got {self.probability}")

    @classmethod
    def of(cls, chosen: Transcript, rejected: Transcript, **fields: Any) -> Preference:
        """The preference of one transcript over another with the same prompt."""
        if chosen.prompt != rejected.prompt:
            raise ValueError("chosen and rejected must have the same prompt")
        start = chosen.num_prompt_messages
        return cls(chosen.prompt, chosen.messages[start:], rejected.messages[start:], **fields)

    @property
    def transcripts(self) -> tuple[Transcript, Transcript]:
        """The two whole conversations, the chosen one first."""
        n = len(self.prompt)
        return (
            Transcript(self.prompt + self.chosen, num_prompt_messages=n),
            Transcript(self.prompt + self.rejected, num_prompt_messages=n),
        )


def write_preferences(path: str | Path, preferences: Iterable[Preference]) -> None:
    """Writes a JSON-lines file: the old one stays until the new one is whole."""
    write_text(path, "".join(json.dumps(_to_row(p), ensure_ascii=False) + "\n" for p in preferences))


def read_preferences(path: str | Path) -> list[Preference]:
    """Reads a JSON-lines file.

    `prompt`, `chosen` and `rejected` are lists of `{"role", "content"}`, or strings (a user's
    message and the assistant's). Columns that are not known here are left alone.

    Raises:
        ValueError: an empty file, or a row that does not fit: file, line and reason.
    """
    preferences = []
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    preferences.append(_from_line(line, f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} could not be read: {error}") from error
    if not preferences:
        raise ValueError(f"{path} has no preferences: it is empty")
    return preferences


def split_by_prompt(
    preferences: Sequence[Preference], shares: Sequence[float], seed: int = 0
) -> list[list[Preference]]:
    """Parts of about the given shares, and last what is left; a prompt is in one part only.

    Raises:
        ValueError: shares that do not leave anything, or too few prompts for a part to have any.
    """
    if any(not 0 <= s < 1 for s in shares) or sum(shares) >= 1:
        raise ValueError(f"shares must be numbers from 0 whose sum is below 1, got {list(shares)}")
    groups: dict[tuple[Message, ...], list[Preference]] = {}
    for preference in preferences:
        groups.setdefault(preference.prompt, []).append(preference)
    prompts = list(groups)
    order = np.random.default_rng(seed).permutation(len(prompts))
    bounds = np.round(np.cumsum([0.0, *shares, 1.0 - sum(shares)]) * len(prompts)).astype(int)
    parts = [[p for k in order[a:b] for p in groups[prompts[k]]] for a, b in pairwise(bounds)]
    for share, part in zip([*shares, 1.0 - sum(shares)], parts, strict=True):
        if share > 0 and not part:
            raise ValueError(f"preferences have {len(prompts)} prompts, too few for a part of {share:.0%} of them")
    return parts


def _to_row(preference: Preference) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: [m._asdict() for m in getattr(preference, name)] for name in ("prompt", "chosen", "rejected")
    }
    row |= {"margin": preference.margin, "weight": preference.weight, "raters": list(preference.raters)}
    row |= {"source": preference.source, "simulated": preference.simulated}
    if preference.probability is not None:
        row["probability"] = preference.probability
    if preference.chosen_is_left is not None:
        row["chosen_is_left"] = preference.chosen_is_left
    return row


def _from_line(line: str, where: str) -> Preference:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: no JSON: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"{where}: must be a JSON object, got {type(row).__name__}")
    missing = [name for name in ("prompt", "chosen", "rejected") if name not in row]
    if missing:
        raise ValueError(f"{where}: lacks the columns {missing}, has {sorted(row)}")
    try:
        return Preference(
            prompt=_messages(row["prompt"], "prompt", "user"),
            chosen=_messages(row["chosen"], "chosen", "assistant"),
            rejected=_messages(row["rejected"], "rejected", "assistant"),
            margin=_number(row, "margin", 0.0),
            weight=_number(row, "weight", 1.0),
            raters=tuple(str(r) for r in row.get("raters") or ()),
            source=str(row.get("source") or ""),
            simulated=bool(row.get("simulated", False)),
            probability=None if row.get("probability") is None else _number(row, "probability", 0.0),
            chosen_is_left=_side(row),
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _messages(value: Any, name: str, role: str) -> tuple[Message, ...]:
    if isinstance(value, str):
        return (Message(role, value),)
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a text or a list of messages, got {type(value).__name__}")
    messages = []
    for message in value:
        is_message = isinstance(message, dict) and isinstance(message.get("content"), str)
        if not is_message or message.get("role") not in ROLES:
            raise ValueError(
                f"{name} must hold messages with a content and a role of {list(ROLES)}, got {message!r:.80}"
            )
        messages.append(Message(message["role"], message["content"]))
    return tuple(messages)


def _side(row: dict[str, Any]) -> bool | None:
    value = row.get("chosen_is_left")
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"chosen_is_left must be true, false or null, got {value!r}")
    return value


def _number(row: dict[str, Any], name: str, default: float) -> float:
    value = row.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return float(value)
