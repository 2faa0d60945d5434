"""Where metrics go besides metrics.jsonl: TensorBoard's files, or trackio and wandb where they are installed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRACKERS = ("tensorboard", "trackio", "wandb")

Log = Callable[[dict[str, Any], int], None]


def open_tracker(name: str | None, folder: Path, config: dict[str, Any]) -> Log:
    """A function of (figures, update); figures that are not finite are left out.

    Args:
        name: one of `TRACKERS`, or None for a function that does nothing.
        folder: of the run; TensorBoard's files go to its `tensorboard/`, others take its name.
        config: what the run depends on.

    Raises:
        ImportError: the package is not installed.
    """
    if name is None:
        return lambda figures, update: None
    try:
        return _tensorboard(folder) if name == "tensorboard" else _tracker(name, folder, config)
    except ImportError as error:
        raise ImportError(f"log_to={name!r} needs {name}: pip install {name}") from error


def _tensorboard(folder: Path) -> Log:
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder / "tensorboard"))  # type: ignore[no-untyped-call]

    def log(figures: dict[str, Any], update: int) -> None:
        for key, value in _finite(figures).items():
            writer.add_scalar(key, value, update)
        writer.flush()

    return log


def _tracker(name: str, folder: Path, config: dict[str, Any]) -> Log:
    import importlib

    module = importlib.import_module(name)
    module.init(project="textgym", name=folder.name, config=config)
    return lambda figures, update: module.log(_finite(figures), step=update)


def _finite(figures: dict[str, Any]) -> dict[str, float]:
    numbers = {key: value for key, value in figures.items() if isinstance(value, int | float) and key != "update"}
    return {key: float(value) for key, value in numbers.items() if math.isfinite(value)}
