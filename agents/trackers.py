"""Where metrics go besides metrics.jsonl: TensorBoard's files, or trackio and wandb where they are installed."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRACKERS = ("tensorboard", "trackio", "wandb")

Log = Callable[[dict[str, Any], int], None]


def open_tracker(name: str | None, folder: Path, config: dict[str, Any], done: int = 0) -> Log:
    """A function of (figures, update); figures that are not finite are left out.

    Args:
        name: one of `TRACKERS`, or None for a function that does nothing.
        folder: of the run; TensorBoard's files go to its `tensorboard/`, others take its name.
        config: what the run depends on.
        done: updates that stand there already where a run is resumed; what was written after them is dropped.

    Raises:
        ImportError: the package is not installed.
    """
    if name is None:
        return lambda figures, update: None
    try:
        return _tensorboard(folder, done) if name == "tensorboard" else _tracker(name, folder, config)
    except ImportError as error:
        raise ImportError(f"log_to={name!r} needs {name}: pip install {name}") from error


def require_tracker(name: str) -> None:
    """Raises ImportError where its package is not installed, before anything is loaded."""
    if importlib.util.find_spec(name) is None:
        raise ImportError(f"log_to={name!r} needs {name}: pip install {name}")


def _tensorboard(folder: Path, done: int) -> Log:
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1 if done else None)  # type: ignore[no-untyped-call]

    def log(figures: dict[str, Any], update: int) -> None:
        for key, value in _finite(figures).items():
            writer.add_scalar(key, value, update)
        writer.flush()

    return log


def _tracker(name: str, folder: Path, config: dict[str, Any]) -> Log:
    module = importlib.import_module(name)
    goes_on = {"id": folder.name, "resume": "allow"} if name == "wandb" else {}
    module.init(project="textgym", name=folder.name, config=config, **goes_on)
    return lambda figures, update: module.log(_finite(figures), step=update)


def _finite(figures: dict[str, Any]) -> dict[str, float]:
    numbers = {key: value for key, value in figures.items() if isinstance(value, int | float) and key != "update"}
    return {key: float(value) for key, value in numbers.items() if math.isfinite(value)}
