"""Which folder a run writes to, and whether it may go on in one: no run is ever written over.

A config is compared, and kept in config.json, as JSON gives it back.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from textgym import checks

# What a run that is resumed may change: how long it goes on, what is looked at, where it computes.
MAY_DIFFER: tuple[str, ...] = (
    *("num_updates", "eval_every", "eval_prompts", "eval_split", "checkpoint_every"),
    *("max_kl", "log_to", "device", "batch_tokens", "resume", "run"),
)


def describe(config: Any) -> dict[str, Any]:
    """A config's fields as JSON gives them back; a Python object (a function as the reward) by its name.

    Raises:
        TypeError: a value that JSON cannot say, such as a dict with keys that are no strings.
    """
    found = {}
    for name in (field.name for field in dataclasses.fields(config)):
        try:
            found[name] = json.loads(json.dumps(getattr(config, name), default=_in_json))
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} cannot be written to config.json: {error}") from error
    return found


def _in_json(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"<Python: {named.__module__}.{named.__qualname__}>"


def choose_folder(config: Any) -> Path:
    """Where a run writes: `run`, or runs/<env>-seed<seed> with -2, -3, … behind it where that is taken.

    An agent other than PPO has its name before the env's.

    With `resume` and no `run` it is the one of these that was begun or resumed last.

    Raises:
        ValueError: a new run is to go where one lies already; one is to be resumed where nothing lies.
    """
    if config.run is not None:
        folder = Path(config.run)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"run must be a folder, got the file {str(folder)!r}")
        if holds_run(folder) and not config.resume:
            raise ValueError(
                f"run={str(folder)!r} holds a run already: resume it (--resume), name another folder, "
                "leave run out for a new one, or delete that one"
            )
        if config.resume and not folder.exists():
            raise ValueError(f"run={str(folder)!r} is not there to be resumed{_nearest_run(folder)}")
        return folder
    agent = "" if config.agent == "ppo" else f"{config.agent}-"
    first = Path("runs") / f"{agent}{config.env.split('/')[-1]}-seed{config.seed}"
    if config.resume:
        later = [f for f in first.parent.glob(f"{first.name}-*") if f.name.removeprefix(f"{first.name}-").isdigit()]
        if held := [f for f in (first, *later) if holds_run(f)]:
            return max(held, key=_last_begun)
    return next(folder for folder in numbered(first) if not folder.exists())


def _nearest_run(folder: Path) -> str:
    """The end of an error: which run beside a folder that is not there may be meant, or which there are."""
    runs = sorted(f.name for f in folder.parent.glob("*") if holds_run(f))
    near = checks.close(folder.name, runs)
    if near is not None:
        return f"; did you mean {str(folder.parent / near)!r}?"
    if not runs:
        return "; leave resume out to begin a run"
    return f"; runs beside it are {runs[:8]}{' and others' * (len(runs) > 8)}"


def numbered(first: Path) -> Iterator[Path]:
    """A folder and those that are taken in its place: first, first-2, first-3, …"""
    yield first
    yield from (Path(f"{first}-{k}") for k in itertools.count(2))


def holds_run(folder: Path) -> bool:
    """Whether there is anything of a run that a new one would write over."""
    return any((folder / name).exists() for name in ("config.json", "metrics.jsonl", "checkpoints", "policy", "best"))


def _last_begun(folder: Path) -> int:
    path = folder / "config.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def _read_record(folder: Path) -> dict[str, Any]:
    """The config.json of a run; empty where there is none. Raises ValueError for one that no run wrote."""
    path = folder / "config.json"
    if not path.exists():
        return {}
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record.get("config"), dict):  # a model's folder has one too
        raise ValueError(f"run={str(folder)!r} is no run's folder: its config.json is of something else")
    return record


def require_same(config: dict[str, Any], folder: Path, agent: str | None = None) -> None:
    """Raises ValueError where a run would go on with other settings, or as another agent, than it was begun with."""
    record = _read_record(folder)
    began = record.get("agent", "ppo")  # the first runs did not say it, and were PPO's
    if record and agent is not None and began != agent:
        raise ValueError(
            f"resume cannot go on in {str(folder)!r} as {agent}, {began} began it: textgym train {began}, or a new run "
            "in another folder"
        )
    begun = record.get("config", {})
    changed = [
        f"{name} was {begun[name]!r} and is {value!r}"
        for name, value in config.items()
        if name in begun and name not in MAY_DIFFER and begun[name] != value
    ]
    if changed:
        raise ValueError(
            f"resume cannot go on in {str(folder)!r} with another config: {'; '.join(changed)}. Give the old values "
            f"({', '.join(MAY_DIFFER[:-2])} may differ), or begin a new run in another folder"
        )
