"""A run's folder: what was asked, what happened, where it stands.

config.json      the resolved config, versions, the source's commit where there is one
metrics.jsonl    a line an update; lines with "evaluation" on held-out prompts; null: not known of this task
curve.png        learned score, gold score and KL over updates
samples.md       the same held-out prompts answered before and after
policy/          the trained policy and its tokenizer, as transformers saves them
checkpoints/     the last state to resume from
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import platform
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from textgym.files import new_folder, write_text
from textgym.models.language_model import save_language_model

from .evaluate import Evaluation
from .report import draw_curve, show_samples, write_samples

SAMPLES = 6  # conversations kept of each evaluation


def choose_device(device: str) -> torch.device:
    """The device of a name; "auto" is the GPU where there is one."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The arithmetic of training passes; "auto" times one product of each kind and takes bfloat16 if clearly faster."""
    if dtype != "auto":
        return torch.float32 if dtype == "float32" else torch.bfloat16
    if device.type != "cpu":
        return torch.bfloat16
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        a, b = torch.ones(2048, 256, dtype=kind), torch.ones(256, 256, dtype=kind)
        a @ b
        start = time.perf_counter()
        for _ in range(10):
            a @ b
        seconds[kind] = time.perf_counter() - start
    return torch.bfloat16 if seconds[torch.bfloat16] < 0.7 * seconds[torch.float32] else torch.float32


def versions() -> dict[str, str]:
    """Versions that a figure depends on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("textgym", "torch", "transformers", "gymnasium", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def to_json(value: Any) -> str:
    """One line of strict JSON: a number that is not finite (the gold score of own data) becomes null."""
    return json.dumps(_finite_or_none(value), allow_nan=False)


def _finite_or_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite_or_none(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_or_none(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _null_to_nan(record: dict[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in record.items()}


class Run:
    """Writes one run's folder, atomically file by file."""

    def __init__(self, config: Any, folder: str | Path) -> None:
        self.config, self.folder = config, Path(folder)
        self.metrics_path = self.folder / "metrics.jsonl"
        self.first: Evaluation | None = None
        self.last: Evaluation | None = None

    def open(self, updates_done: int) -> None:
        """Starts the files, or cuts the metrics back to the checkpoint that a run resumes from."""
        if updates_done == 0:  # what an earlier run left here is no part of this one
            self.metrics_path.unlink(missing_ok=True)
            shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(
            self.folder / "config.json",
            json.dumps({"config": dataclasses.asdict(self.config), "versions": versions()}, indent=2) + "\n",
        )
        if updates_done and self.metrics_path.exists():
            kept = [row for row in self.rows() if row["update"] <= updates_done]
            write_text(self.metrics_path, "".join(to_json(row) + "\n" for row in kept))

    def record(self, metrics: dict[str, Any]) -> None:
        with open(self.metrics_path, "a", encoding="utf-8") as file:
            file.write(to_json(metrics) + "\n")

    def record_evaluation(self, update: int, evaluation: Evaluation) -> None:
        self.record({"update": update, "evaluation": evaluation.figures()})
        if update == 0:
            self.first = evaluation
        self.last = evaluation

    def rows(self) -> list[dict[str, Any]]:
        """The metrics so far, null read as NaN; a last line that a kill cut short is left out."""
        lines = self.metrics_path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line, object_hook=_null_to_nan) for line in lines if line.endswith("\n")]

    def save_checkpoint(self, trainer: Any) -> None:
        path = self.folder / "checkpoints" / f"update-{trainer.updates_done:06d}"
        older = sorted(path.parent.glob("update-*")) if path.parent.exists() else []
        with new_folder(path) as folder:
            torch.save(trainer.state(), folder / "state.pt")
        for old in older:
            if old != path:
                shutil.rmtree(old)

    def last_checkpoint(self) -> dict[str, Any] | None:
        found = sorted((self.folder / "checkpoints").glob("update-*/state.pt"))
        return torch.load(found[-1], weights_only=True) if found else None

    def save_policy(self, trainer: Any) -> None:
        with new_folder(self.folder / "policy") as folder:
            save_language_model(trainer.policy.model, trainer.tokenizer, folder)

    @contextlib.contextmanager
    def progress(self, total: int, done: int) -> Iterator[Callable[[dict[str, Any]], None]]:
        """A bar with the learned score, the gold score and the KL; plain lines where rich is absent."""
        try:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        except ImportError:
            yield lambda m: print(f"update {m['update']}/{total} {_status(m)}", flush=True)
            return
        columns = (
            TextColumn("[bold]PPO"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
        )
        with Progress(*columns) as bar:
            task = bar.add_task("ppo", total=total, completed=done, status="")
            yield lambda m: bar.update(task, completed=m["update"], status=_status(m))

    @contextlib.contextmanager
    def defers_interrupt(self) -> Iterator[Callable[[], bool]]:
        """Yields what says whether Ctrl-C was pressed: an update in hand is finished, for half of one cannot be saved.

        A second Ctrl-C stops at once.
        """
        pressed: list[int] = []

        def note(number: int, frame: Any) -> None:
            if pressed:
                raise KeyboardInterrupt
            pressed.append(number)
            # A signal may come in the middle of a print, so the message goes past Python's buffers.
            os.write(2, b"\nCtrl-C: finishing this update, then saving; once more stops at once\n")

        if threading.current_thread() is not threading.main_thread():  # where Python delivers no signals
            yield lambda: False
            return
        before = signal.signal(signal.SIGINT, note)
        try:
            yield lambda: bool(pressed)
        finally:
            signal.signal(signal.SIGINT, before)

    def stop(self, trainer: Any) -> None:
        """Saves a checkpoint and the policy, says how to go on, and raises KeyboardInterrupt."""
        self.save_checkpoint(trainer)
        self.save_policy(trainer)
        print(f"\ninterrupted after update {trainer.updates_done}; saved in {self.folder}. Add --resume to go on.")
        raise KeyboardInterrupt

    def finish(self, trainer: Any) -> None:
        self.save_policy(trainer)
        draw_curve(self.rows(), self.folder / "curve.png", title=f"PPO on {self.config.env}, seed {self.config.seed}")
        if self.first is not None and self.last is not None:
            write_samples(self.first, self.last, self.folder / "samples.md", SAMPLES)
            show_samples(self.first, self.last, 3)


def _status(m: dict[str, Any]) -> str:
    gold = "" if m["gold"] != m["gold"] else f"gold {m['gold']:.2f}  "
    return f"score {m['score']:+.2f}  {gold}KL {m['kl']:.1f}"
