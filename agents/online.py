"""The loop of every agent: learn, evaluate, save, until the last update, Ctrl-C or an error.

Whether an update plays or reads records is the trainer's affair. A trainer is any object with the parts named in
`Trainer`; it is made from a config and a world, and one call of its `step` is one update.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from .cpu import prepare_cpu
from .devices import choose_device
from .distributed import World, join
from .progress import defers_interrupt, progress_bar
from .run_config import RunConfig
from .runs import Run
from .shards import SAVE
from .stage import Stage


class Trainer(Protocol):
    """What the loop and a run's folder need of an agent."""

    @property
    def stage(self) -> Stage: ...

    updates_done: int
    is_mid_update: bool  # the weights are between two updates then, and cannot be saved
    in_hand: dict[str, Any]  # what this update is about, kept where it fails

    def step(self) -> dict[str, float]:
        """One update, and what there is to say about it: Stage.metrics and the agent's own figures."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds: plain values and tensors."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint, with the same bits as a run that never stopped."""


def train_online(config: RunConfig, make_trainer: Callable[[Any, World], Trainer]) -> Path:
    """Runs an agent to the end, or to Ctrl-C or an error, which save; returns the run's folder.

    The folder holds config.json, metrics.jsonl, curve.png, samples.md, policy/ (which
    `AutoModelForCausalLM.from_pretrained` loads) and the last checkpoint.

    Raises:
        ValueError: a value that cannot work, a folder that holds a run already or that another process writes to, or a
            run resumed with another config; all of it before anything is written.
    """
    config.check()
    prepare_cpu()
    with join(choose_device(config.device)) as world:
        if not world.is_first:
            return _follow(config, make_trainer, world)
        with contextlib.closing(Run(config)) as run:
            _lead(run, make_trainer, world)
        return run.folder


def _lead(run: Run, make_trainer: Callable[[Any, World], Trainer], world: World) -> None:
    """What the first process does, which is the only one where there are no others: all, and the writing."""
    trainer = make_trainer(run.config, world)
    trainer.stage.go_on(trainer, world.from_first(run.last_checkpoint()))
    run.open(trainer, before=trainer.stage.evaluate(of_reference=True))
    with (
        defers_interrupt() as is_interrupted,
        run.saves_on_error(trainer),
        progress_bar(run.config, trainer.updates_done) as bar,
    ):
        run.evaluate_if_due(trainer)
        while world.from_first(not run.is_over(trainer)):
            metrics = trainer.step()
            run.record(metrics)
            run.evaluate_if_due(trainer)
            run.save_if_due(trainer)
            bar(metrics)
            if is_interrupted() and not run.is_over(trainer):
                try:
                    run.stop(trainer)
                finally:
                    world.from_first(False)
    run.finish(trainer)


def _follow(config: RunConfig, make_trainer: Callable[[Any, World], Trainer], world: World) -> Path:
    """What every process but the first does: its share of each update, until the first one says that is all."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # torchrun sends Ctrl-C to all; the first one decides
    try:
        trainer = make_trainer(config, world)
        trainer.stage.go_on(trainer, world.from_first(None))
        while asked := world.from_first(None):
            if asked == SAVE and (shards := trainer.stage.shards) is not None:
                shards.whole_state(trainer.state())
            else:
                trainer.step()
    finally:
        signal.signal(signal.SIGINT, before)
    return Path(config.run or "runs")
