"""A run's folder: what was asked, what happened, where it stands.

config.json      the resolved config, what "auto" became, versions, the commit of the code
metrics.jsonl    a line an update; lines with "evaluation" on held-out prompts; null: not known of this task; "watch":
                 what parted there (watch.py)
curve.png        learned score, gold score and KL over updates
samples.md       the same held-out prompts answered before and after; samples/ has those of each evaluation
policy/          the trained policy and its tokenizer, as transformers saves them
best/            the policy of the evaluation with the highest learned score, where there were several
checkpoints/     the last state to resume from
failed.json      where numbers were not finite: the episodes and scores of that update
.lock            held while the run goes on, so that no second process writes here (lock.py)

A new run takes a folder of its own; only with `resume` is one that holds a run written to. Which folder that is:
folders.py. What is shown meanwhile: progress.py.
"""

from __future__ import annotations

import contextlib
import json
import math
import platform
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from textgym.files import new_folder, write_text
from textgym.models.language_model import save_language_model

from .evaluate import Evaluation
from .folders import choose_folder, describe, require_same
from .lock import Held, hold
from .progress import label_of
from .report import draw_curve, show_samples, write_samples
from .trackers import open_tracker
from .watch import Watch

SAMPLES = 6  # conversations kept of each evaluation
GO_ON = "The same command with --resume goes on (make: ARGS=--resume)."


def versions() -> dict[str, str]:
    """Versions that a figure depends on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("textgym", "torch", "transformers", "gymnasium", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def commit() -> str | None:
    """Of the checkout that this code lies in, "-dirty" where something in it was changed; None outside of one."""
    here = Path(__file__).resolve().parent
    asked = ("git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None


def to_json(value: Any) -> str:
    """One line of strict JSON: a number that is not finite (the gold score of own data) becomes null."""
    return json.dumps(_finite_or_none(value), allow_nan=False)


def _finite_or_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite_or_none(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_or_none(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl, null read as NaN; a last line that a kill cut short is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line, object_hook=_null_to_nan) for line in lines if line.endswith("\n")]


def _null_to_nan(record: dict[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in record.items()}


class Run:
    """Writes one run's folder, atomically file by file; nothing before `open`."""

    def __init__(self, config: Any) -> None:
        """Raises ValueError or TypeError where this config cannot be run in its folder."""
        self.config, self.described = config, describe(config)
        self.folder = choose_folder(config)
        self.prompts = "held-out prompts"
        self.first: Evaluation | None = None
        self.last: Evaluation | None = None
        self.is_over_budget = False
        self._has_warned_of_cuts = False
        self.watch = Watch()
        self._held: Held | None = None
        if not config.resume:
            return
        require_same(self.described, self.folder, config.agent)
        if not self._checkpoints() and (self.folder / "policy").exists():
            raise ValueError(
                f"resume finds no checkpoint in {str(self.folder)!r}, and its policy would be written over: "
                "name another folder, or leave resume out and run too"
            )
        if self.folder.is_dir():
            self._held = hold(self.folder)
        if not self._checkpoints():
            print(f"nothing to resume in {self.folder}: a new run begins")

    def close(self) -> None:
        """Lets the folder go, for another process to write to."""
        if self._held is not None:
            self._held.close()

    @property
    def metrics_path(self) -> Path:
        return self.folder / "metrics.jsonl"

    def open(self, trainer: Any, before: Evaluation) -> None:
        """The first files; where a run is resumed, the metrics are cut back to its checkpoint."""
        config, done = self.config, trainer.updates_done
        if not config.resume:
            self.folder = choose_folder(config)  # another may have been made while this one loaded
        self.folder.mkdir(parents=True, exist_ok=config.run is not None or config.resume)
        self._held = self._held or hold(self.folder)
        dtype = str(trainer.stage.dtype).removeprefix("torch.")
        self.prompts = "held-out prompts" if trainer.stage.is_held_out else "training prompts"
        chosen = {"device": str(trainer.stage.device), "dtype": dtype, "batch_tokens": trainer.stage.batch_tokens}
        chosen["evaluated_on"] = self.prompts
        chosen["processes"] = trainer.stage.world.size
        record = {
            "agent": config.agent,
            "config": self.described,
            "chosen": chosen,
            "versions": versions(),
            "commit": commit(),
        }
        self.log = open_tracker(config.log_to, self.folder, self.described, done)
        write_text(self.folder / "config.json", json.dumps(record, indent=2) + "\n")
        kept = [row for row in self.rows() if row["update"] <= done] if done and self.metrics_path.exists() else []
        write_text(self.metrics_path, "".join(to_json(row) + "\n" for row in kept))
        for row in kept:
            self.watch.see(row)
        self.is_over_budget = any(self._is_over_budget(row) for row in kept if row["update"] == done)
        self.first = before
        if done == 0:
            self.record_evaluation(0, before)
        print(f"{self.folder}: on {trainer.stage.device}, training passes in {dtype}", flush=True)
        if not trainer.stage.is_held_out:
            warnings.warn(f"evaluations are on training prompts: {_how_to_hold_out(config)}", stacklevel=2)

    def record(self, metrics: dict[str, Any]) -> None:
        """Appends a line to the metrics; what the watch sees in it becomes a warning and a part of the line."""
        if seen := [str(alarm) for alarm in self.watch.see(metrics)]:
            metrics = {**metrics, "watch": seen}
            for text in seen:
                warnings.warn(text, stacklevel=2)
        with open(self.metrics_path, "a", encoding="utf-8") as file:
            file.write(to_json(metrics) + "\n")
        held_out = {f"eval/{name}": value for name, value in metrics.get("evaluation", {}).items()}
        self.log(held_out or metrics, metrics["update"])
        self.is_over_budget = self._is_over_budget(metrics) or self.is_over_budget
        if metrics.get("prompts_cut") and not self._has_warned_of_cuts:
            self._has_warned_of_cuts = True
            warnings.warn(
                f"{metrics['prompts_cut']} of {self.config.prompts_per_update} prompts of update {metrics['update']} "
                "lost their ends, because they do not fit context_length - max_new_tokens; metrics.jsonl counts such "
                "prompts as prompts_cut",
                stacklevel=2,
            )

    def _is_over_budget(self, metrics: dict[str, Any]) -> bool:
        return self.config.max_kl is not None and metrics.get("kl", 0.0) > self.config.max_kl

    def record_evaluation(self, update: int, evaluation: Evaluation) -> None:
        self.record({"update": update, "evaluation": evaluation.figures()})
        self.last = evaluation

    def evaluate_if_due(self, trainer: Any) -> None:
        """After each `eval_every`-th update and the last; once, also where a run broke off in between."""
        done, every = trainer.updates_done, self.config.eval_every
        is_due = self.is_over(trainer) or (every > 0 and done % every == 0)
        if is_due and not any(row["update"] == done for row in self.rows() if "evaluation" in row):
            evaluation = trainer.stage.evaluate()
            self.record_evaluation(done, evaluation)
            self._write_samples(self.folder / "samples" / f"update-{done:06d}.md")
            self._keep_best(trainer, evaluation)

    def _write_samples(self, path: Path) -> None:
        if self.first is not None and self.last is not None and self.first is not self.last:
            path.parent.mkdir(exist_ok=True)
            write_samples(self.first, self.last, path, SAMPLES, self.prompts)

    def _keep_best(self, trainer: Any, evaluation: Evaluation) -> None:
        """The learned score decides, against the start's too: the gold score is what no agent may look at."""
        scores = [r["evaluation"]["score"] for r in self.rows() if "evaluation" in r]
        if self.config.eval_every and evaluation.means["score"] > max(scores[:-1], default=-math.inf):
            self.save_policy(trainer, "best")

    def is_over(self, trainer: Any) -> bool:
        """Whether the last update is done, or the KL has gone over its budget."""
        return self.is_over_budget or trainer.updates_done >= self.config.total_updates

    def save_if_due(self, trainer: Any) -> None:
        every = self.config.checkpoint_every
        if self.is_over(trainer) or (every and trainer.updates_done % every == 0):
            self.save_checkpoint(trainer)

    def rows(self) -> list[dict[str, Any]]:
        """The metrics so far."""
        return read_rows(self.metrics_path)

    def save_checkpoint(self, trainer: Any) -> None:
        path = self.folder / "checkpoints" / f"update-{trainer.updates_done:06d}"
        older = sorted(path.parent.glob("update-*")) if path.parent.exists() else []
        with new_folder(path) as folder:
            torch.save(trainer.stage.whole_state(trainer), folder / "state.pt")
        for old in older:
            if old != path:
                shutil.rmtree(old)

    def _checkpoints(self) -> list[Path]:
        return sorted((self.folder / "checkpoints").glob("update-*/state.pt"))

    def last_checkpoint(self) -> dict[str, Any] | None:
        """The state to go on from, on the CPU; None for a run that begins."""
        found = self._checkpoints() if self.config.resume else []
        return torch.load(found[-1], map_location="cpu", weights_only=True) if found else None

    def save_policy(self, trainer: Any, name: str = "policy") -> None:
        with new_folder(self.folder / name) as folder:
            save_language_model(trainer.stage.whole_policy(), trainer.stage.tokenizer, folder)

    def stop(self, trainer: Any) -> None:
        """Saves a checkpoint and the policy, says how to go on, and raises KeyboardInterrupt."""
        self._save(trainer, "interrupted")
        raise KeyboardInterrupt

    @contextlib.contextmanager
    def saves_on_error(self, trainer: Any) -> Iterator[None]:
        """Whatever goes wrong inside goes up; before that, the last finished update is saved.

        An error in the middle of the optimiser's steps leaves half an update, which cannot be saved.
        """
        try:
            yield
        except Exception as error:
            done = trainer.updates_done
            if isinstance(error, FloatingPointError):
                write_text(self.folder / "failed.json", to_json({**trainer.in_hand, "error": str(error)}) + "\n")
                print(f"\n{self.folder / 'failed.json'} holds the episodes and scores of that update", flush=True)
            if trainer.is_mid_update:
                print(f"\nupdate {done + 1} broke off halfway: {self.folder} keeps what was saved before", flush=True)
            elif trainer.stage.shards is not None:
                print(f"\nthe other processes' parts are lost: {self.folder} keeps what was saved before", flush=True)
            elif done:
                try:
                    self._save(trainer, "stopped by an error")
                except (OSError, RuntimeError) as error:  # a full disk, say; the first error is the one that goes up
                    print(f"\nupdate {done} could not be saved: {error}", flush=True)
            raise

    def _save(self, trainer: Any, why: str) -> None:
        self.save_checkpoint(trainer)
        self.save_policy(trainer)
        print(f"\n{why} after update {trainer.updates_done}; saved in {self.folder}. {GO_ON}", flush=True)

    def finish(self, trainer: Any) -> None:
        self.save_policy(trainer)
        if self.is_over_budget:
            print(
                f"stopped after update {trainer.updates_done}: the KL went over max_kl={self.config.max_kl}", flush=True
            )
        title = f"{label_of(self.config)} on {self.config.env}, seed {self.config.seed}"
        draw_curve(self.rows(), self.folder / "curve.png", title, self.prompts)
        if self.first is not None and self.last is not None:
            write_samples(self.first, self.last, self.folder / "samples.md", SAMPLES, self.prompts)
            show_samples(self.first, self.last, 3, self.prompts)


def _how_to_hold_out(config: Any) -> str:
    if getattr(config, "preferences", None):
        return f"the preferences have prompts of eval_split={config.eval_split!r}"
    if config.data is None or config.split == config.eval_split:
        return f"split and eval_split are both {config.eval_split!r}"
    return (
        f"data has the same records for {config.split!r} and {config.eval_split!r}; "
        'data=\'{"path": …, "holdout": 0.1}\' keeps a tenth of the prompts from training'
    )
