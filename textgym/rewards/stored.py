"""A reward model by the name that a command line gives it: a folder, an ensemble's folder, a server.

An ensemble is a folder of checkpoints and a file that names them. Rewards that need a task (gold, metrics) are not
here but in spec.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textgym import checks
from textgym.files import write_text
from textgym.models.places import find_model
from textgym.rewards.combine import COMBINATIONS, Combination, Ensemble, SharedEnsemble
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
    if name.startswith("embedded:") or is_nearly_embedded(name):
        return _learned(find_embedded(name), tokenizer, device, dtype)
    if not is_ensemble(name):
        return _learned(name, tokenizer, device, dtype)
    places, combine = read_ensemble(name)
    return as_ensemble([_learned(place, tokenizer, device, dtype) for place in places], combine)


def as_ensemble(members: Sequence[Any], combine: Combination, k: float = 1.0) -> RewardModel:
    """Members as one reward: of several networks, of the outputs of one, or (Ctrl-C in an ensemble) a single one."""
    if len(members) > 1:
        return Ensemble(members, combine, k)
    return SharedEnsemble(members[0], combine, k) if getattr(members[0], "num_members", 1) > 1 else members[0]


def find_embedded(name: str, others: Sequence[str] = ()) -> Path:
    """The folder of "embedded:<world>"; `others` are words that the caller takes besides, for the error.

    Raises:
        ValueError: no such world.
    """
    names = _embedded_names()
    if name not in names:
        known = [*others, *names]
        meant = checks.hint(name, known, 0.8)
        raise ValueError(f"model must be one of {known}, a folder or a hub name, got {name!r}{meant}")
    return EMBEDDED / name.removeprefix("embedded:")


def is_nearly_embedded(name: str) -> bool:
    """Whether "embedded" was meant, with or without a world, and there is no folder of that name."""
    named = ["embedded", *_embedded_names()]
    return not Path(name).expanduser().is_dir() and (name == "embedded" or checks.close(name, named, 0.8) is not None)


def _embedded_names() -> list[str]:
    worlds = sorted(p.name for p in EMBEDDED.iterdir() if p.is_dir()) if EMBEDDED.is_dir() else []
    return [f"embedded:{world}" for world in worlds]


def trunk_of(model: str | Path) -> str | Path:
    """What training starts from: "embedded" is the embedded policy, "embedded:<world>" an embedded reward model."""
    if str(model) == "embedded":
        from textgym.models.language_model import EMBEDDED_POLICY

        return EMBEDDED_POLICY
    if str(model).startswith("embedded:") or is_nearly_embedded(str(model)):
        return find_embedded(str(model), ["embedded"])
    find_model(model, "model")  # so that a model that is not there is what the error names
    return model


def is_ensemble(folder: str | Path) -> bool:
    """Whether `write_ensemble` wrote this folder."""
    return (Path(folder).expanduser() / ENSEMBLE).is_file()


def read_ensemble(folder: str | Path) -> tuple[list[Path], Combination]:
    """The folders of an ensemble's members, and how their scores are combined.

    Raises:
        ValueError: a folder of no ensemble; a file that names no members, or no known combination.
    """
    path = Path(folder).expanduser() / ENSEMBLE
    if not path.is_file():
        raise ValueError(f"path of a reward ensemble must be a folder with a file {ENSEMBLE}, got {str(folder)!r}")
    combine = _read(path).get("combine", COMBINATIONS[0])
    if combine not in COMBINATIONS:
        raise ValueError(f"{path} must have a combine of {list(COMBINATIONS)}, got {combine!r}")
    return [path.parent / name for name in _members(path)], combine


def write_ensemble(folder: Path, members: Sequence[str]) -> None:
    """Notes that these folders inside `folder` are one reward, and how an environment is told so."""
    write_text(folder / ENSEMBLE, json.dumps({"models": list(members), "combine": "mean"}) + "\n")
    write_text(
        folder / "README.md",
        f"# An ensemble of {len(members)} reward models\n\nEach folder is a whole reward model with a card of its own; "
        "they differ in their seeds and share one division of the data.\n\n```python\n"
        'gym.make(..., reward="<this folder>")  # the mean\n'
        'gym.make(..., reward={"type": "ensemble", "path": "<this folder>", "combine": "mean-std"})\n```\n',
    )


def write_shared_ensemble(folder: Path) -> None:
    """Notes that the outputs of the checkpoint in this folder are the members of an ensemble."""
    write_text(folder / ENSEMBLE, json.dumps({"models": ["."], "combine": "mean"}) + "\n")


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
