"""A reward model by the name that a command line gives it: a folder, an ensemble's folder, a server.

An ensemble is a folder of checkpoints and a file that names them. Rewards that need a task (gold, metrics) are not
here but in spec.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textgym.files import write_text
from textgym.rewards.combine import COMBINATIONS, Ensemble
from textgym.rewards.remote import RemoteReward
from textgym.rewards.spec import EMBEDDED
from textgym.types import RewardModel

ENSEMBLE = "ensemble.json"


def load_stored(name: str, tokenizer: str | None = None, device: str = "cpu", dtype: str = "float32") -> RewardModel:
    """The reward model that `name` means.

    Args:
        name: a folder or hub name of a checkpoint, a folder that `write_ensemble` wrote, "embedded:<world>", or a
            server's address.
        tokenizer: a folder or hub name; None: the checkpoint's own.
        device: where it computes.
        dtype: "float32", "bfloat16" or "float16".

    Raises:
        ValueError: nothing that loads; a file of an ensemble that names no models.
    """
    if name.startswith(("http://", "https://")):
        return RemoteReward(name, tokenizer=tokenizer)
    if name.startswith("embedded:"):
        worlds = sorted(p.name for p in EMBEDDED.iterdir() if p.is_dir()) if EMBEDDED.is_dir() else []
        world = name.removeprefix("embedded:")
        if world not in worlds:
            raise ValueError(f"model must be one of {[f'embedded:{w}' for w in worlds]}, got {name!r}")
        return _learned(EMBEDDED / world, tokenizer, device, dtype)
    listed = Path(name).expanduser() / ENSEMBLE
    if not listed.is_file():
        return _learned(name, tokenizer, device, dtype)
    members = [_learned(listed.parent / m, tokenizer, device, dtype) for m in _members(listed)]
    if len(members) == 1:
        return members[0]
    return Ensemble(members, _read(listed).get("combine", COMBINATIONS[0]))


def write_ensemble(folder: Path, members: Sequence[str]) -> None:
    """Notes that these folders inside `folder` are one reward, and how an environment is told so."""
    write_text(folder / ENSEMBLE, json.dumps({"models": list(members), "combine": "mean"}) + "\n")
    listed = ", ".join(f'"<this folder>/{name}"' for name in members)
    write_text(
        folder / "README.md",
        f"# An ensemble of {len(members)} reward models\n\nEach folder is a whole reward model with a card of its own; "
        "they differ in their seeds and share one division of the data.\n\n```python\n"
        f'gym.make(..., reward={{"type": "ensemble", "models": [{listed}], "combine": "mean-std"}})\n```\n',
    )


def _members(path: Path) -> list[str]:
    models = _read(path).get("models")
    if not isinstance(models, list) or not models or not all(isinstance(m, str) for m in models):
        raise ValueError(f"{path} must name the folders of its members as a list of texts, got {models!r:.80}")
    return models


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} could not be read: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must be a JSON object, got {type(found).__name__}")
    return found


def _learned(path: str | Path, tokenizer: str | None, device: str, dtype: str) -> RewardModel:
    from textgym.rewards.learned import LearnedReward

    return LearnedReward(path, tokenizer, device, dtype)
