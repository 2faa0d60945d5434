"""Several agents on the same env with the same seeds, side by side: `textgym compare`.

Runs what is not there yet, goes on with what was broken off, reads what is finished, and says how learned score and
gold score go with the KL to the start and with the time that training took. Every agent is run as `textgym train` runs
it, with its own defaults; what is given here is given to all that know it. Settings of a single agent are given to
`textgym train`, whose folders are then compared.

    textgym compare --env textgym/Translate-v0 --agents ppo,rloo,grpo --seeds 0 1 2 --num-updates 50
    textgym compare runs/rloo-Translate-v0-seed0 runs/rloo-Translate-v0-seed0-2

Left out: agents of other libraries, whose training leaves no run's folder (see docs/agents.md for those).
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from textgym import checks
from textgym.files import write_text
from textgym.progress import json_alone

from . import commands
from .comparison import Result, draw, group, read_result, show, summarise
from .folders import describe, holds_run, require_same
from .runs import read_rows, to_json, versions

OTHERS = ("cleanrl", "torchrl", "rllib")  # what a reader of docs/agents.md may ask for


@dataclass(frozen=True)
class CompareConfig:
    """What is run, and where it goes; None leaves an agent its own default."""

    agents: tuple[str, ...] = ()  # names that `textgym train` shows, with commas or spaces between them
    env: str = "textgym/Translate-v0"  # an id that `textgym list` shows
    seeds: tuple[int, ...] = (0, 1, 2)
    num_updates: int | None = None  # of each run
    prompts_per_update: int | None = None
    samples_per_prompt: int | None = None  # responses a prompt
    kl_coef: float | None = None  # price of the KL; GRPO's is a weight in the loss, so 0.1 is not 0.1 there
    policy: str | None = None  # a folder or hub name of a causal language model
    reward: str | None = None  # as in training; None: the env's own learned reward model
    data: str | None = None  # your own records
    eval_prompts: int | None = None  # held-out prompts of each evaluation
    eval_every: int | None = None  # updates between evaluations; None: a sixth of num_updates where that is given
    device: str | None = None  # "auto": the GPU where there is one
    dtype: str | None = None  # arithmetic of the training passes, "float32" or "bfloat16"
    out: str | None = None  # where runs, picture and comparison.json go; None: runs/compare-<env>
    json: bool = False  # print one line of JSON, what comparison.json holds; all else goes to stderr

    def names(self) -> list[str]:
        """The agents, however they were given, each once."""
        return list(dict.fromkeys(name.strip() for part in self.agents for name in part.split(",") if name.strip()))

    def folder(self) -> Path:
        return Path(self.out or f"runs/compare-{self.env.split('/')[-1]}")

    def check(self) -> None:
        """Raises TypeError or ValueError for a value that cannot work; each agent checks the rest itself."""
        if not self.names():
            raise ValueError(f"agents must name some of {comparable()}, got {' '.join(self.agents)!r}")
        for name in self.names():
            if name in OTHERS:
                raise ValueError(
                    f"agents has {name!r}, which leaves no run's folder: examples/ and docs/agents.md have it"
                )
            if name not in comparable():
                raise ValueError(f"agents must be among {comparable()}, got {name!r}{checks.hint(name, comparable())}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must be one or several different numbers, got {list(self.seeds)}")
        for seed in self.seeds:
            checks.whole("seeds", seed)
        if self.num_updates is not None:
            checks.whole("num_updates", self.num_updates, least=1)


class Planned(NamedTuple):
    """A run that is to be there."""

    name: str
    config: Any
    train: Callable[[Any], Any]


def main(folders: tuple[str, ...] = (), /, config: CompareConfig = CompareConfig()) -> None:
    """Agents side by side: learned and gold score against the KL to the start and against time, with their seeds.

    Args:
        folders: runs that are there already; or none, and --agents says what is to be run.
        config: what is run.
    """
    for field in dataclasses.fields(config):  # an option that would change nothing is a mistake
        value = getattr(config, field.name)
        if folders and field.name not in ("out", "json") and value != field.default:
            given = list(value) if isinstance(value, tuple) else value
            raise ValueError(f"{field.name} must be left out where folders are compared, got {given!r}")
    if not folders and not config.agents:
        raise ValueError(f"agents must name some of {comparable()}, or folders of runs be given; got neither")
    with json_alone(config.json) as print_line:
        if folders:
            paths, out = [Path(f).expanduser() for f in folders], Path(config.out) if config.out else None
        else:
            paths, out = run_all(config), config.folder()
        print_line(to_json(report([read_result(path) for path in paths], out)))


def run_all(config: CompareConfig) -> list[Path]:
    """Every agent with every seed, one after the other; returns the runs' folders.

    Raises:
        ValueError, TypeError: an agent cannot run so; before any of them begins.
    """
    plans = plan(config)
    for planned in plans:
        require_same(describe(planned.config), Path(planned.config.run), planned.config.agent)
    waiting = [planned for planned in plans if not is_finished(planned.config)]
    done = len(plans) - len(waiting)
    print(f"{config.folder()}: {len(plans)} runs, {done} of them finished already", flush=True)
    for k, planned in enumerate(waiting, done + 1):
        print(f"run {k} of {len(plans)}: {planned.name}, seed {planned.config.seed}", flush=True)
        try:
            planned.train(planned.config)
        except KeyboardInterrupt:
            print("textgym compare goes on where it stopped with the same command, without --resume", flush=True)
            raise
    return [Path(planned.config.run) for planned in plans]


def plan(config: CompareConfig) -> list[Planned]:
    """Configs of all runs, checked; each has a folder of its own and goes on where it was broken off."""
    config.check()
    found = []
    for name in config.names():
        command = commands.COMMANDS[name]
        module = importlib.import_module(f".{command.module}", __package__)
        kind = getattr(module, command.config)
        given = dict(_given(config, name, {field.name for field in dataclasses.fields(kind)}))
        for seed in config.seeds:
            run = config.folder() / f"{name}-seed{seed}"
            one = kind(**given, seed=seed, run=str(run), resume=holds_run(run))
            one.check()
            found.append(Planned(name, one, getattr(module, command.function)))
    return found


def _given(config: CompareConfig, name: str, known: set[str]) -> Iterator[tuple[str, Any]]:
    """Options of an agent's config; what it does not know is left out, and that is said."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in ("agents", "seeds", "out", "json") or value is None:
            continue
        if field.name in known:
            yield field.name, value
        else:
            print(f"{name} has no {field.name}: left out", flush=True)
    if config.eval_every is None and config.num_updates is not None and "eval_every" in known:
        yield "eval_every", max(1, config.num_updates // 6)


def comparable() -> list[str]:
    """Agents whose training leaves a run's folder: all that `textgym train` shows but the builder of assets."""
    return [name for name in commands.COMMANDS if name != "assets"]


def is_finished(config: Any) -> bool:
    """Whether a run has come to its end, and as far as this config asks."""
    folder = Path(config.run)
    if not (folder / "samples.md").exists() or not (folder / "metrics.jsonl").exists():
        return False
    last = max((row["update"] for row in read_rows(folder / "metrics.jsonl") if "evaluation" in row), default=-1)
    wanted = getattr(config, "num_updates", None)
    return bool(last >= (wanted if wanted is not None else 0))


def report(results: list[Result], out: Path | None) -> dict[str, Any]:
    """Table, picture and comparison.json of these runs, without `out` the table alone; returns the figures."""
    envs = sorted({result.env for result in results})
    if len(envs) > 1:
        raise ValueError(f"folders must hold runs on one env, got {envs}")
    groups = group(results)
    figures = {"env": envs[0], "agents": summarise(groups), "versions": versions()}
    if out is not None:
        write_text(out / "comparison.json", json.dumps(json.loads(to_json(figures)), indent=2) + "\n")
    show(figures)
    if out is not None:
        drawn = draw(groups, out / "comparison.png", envs[0])
        print(f"{out}: comparison.json" + (", comparison.png" if drawn else ""), flush=True)
    return figures
