"""How good is a policy on held-out prompts? Gold score, learned score, components, intervals.

textgym evaluate runs/Summarize-v0-seed0                            a run, on the env it was trained on
textgym evaluate embedded --env textgym/Translate-v0 --greedy --json    any policy, as a line of JSON
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textgym.envs.registration import require_playable
from textgym.models.language_model import forbidden_tokens, load_language_model, require_fit
from textgym.models.tokenizer import ChatTokenizer
from textgym.progress import Report, json_alone, no_report, slow_bar
from textgym.seeding import derive_seeds
from textgym.tasks.base import Task

from .failures import loading, phase
from .rollout import Rollout, play

CHUNK = 128  # conversations played at once


@dataclass(frozen=True)
class Evaluation:
    """Means over held-out prompts, each with the half-width of its 95% interval."""

    num_prompts: int
    temperature: float
    means: dict[str, float]  # "score", "gold", "gold/<component>", "tokens", "cut"; from a run "kl" too
    intervals: dict[str, float]  # the same names: 1.96 standard errors
    rollouts: list[Rollout]

    def figures(self) -> dict[str, float]:
        """Flat, for JSON: name and name_ci95."""
        return {**self.means, **{f"{name}_ci95": value for name, value in self.intervals.items()}}

    def with_figure(self, name: str, values: np.ndarray) -> Evaluation:
        """One more figure, from its (num_prompts,) values."""
        means = self.means | {name: float(values.mean())}
        return replace(self, means=means, intervals=self.intervals | {name: half_width(values)})


def evaluate(
    model: Any,
    tokenizer: ChatTokenizer,
    make_env: Callable[[int], Any],
    *,
    num_prompts: int = 512,
    temperature: float = 1.0,
    seed: int = 0,
    forbidden: Tensor | None = None,
    report: Report = no_report,
) -> Evaluation:
    """One response (or conversation) to each of the first `num_prompts` examples of the env's split.

    The examples, the users' seeds and the sampling seed depend on `seed` alone, so that two
    policies are compared on the same prompts under the same decoding. `report` hears how far it is.
    """
    forbidden = forbidden_tokens(model, tokenizer) if forbidden is None else forbidden

    def play_chunk(env: Any, start: int, size: int) -> Rollout:
        generator = torch.Generator(next(model.parameters()).device)
        generator.manual_seed(derive_seeds(seed, 1, start, 6)[0])
        return play(
            env,
            model,
            tokenizer,
            np.arange(start, start + size),
            derive_seeds(seed, size, start, 7),
            temperature=temperature,
            forbidden=forbidden,
            generator=generator,
        )

    return evaluate_chunks(play_chunk, make_env, num_prompts, temperature, report)


def evaluate_chunks(
    play_chunk: Callable[[Any, int, int], Rollout],
    make_env: Callable[[int], Any],
    num_prompts: int,
    temperature: float = 1.0,
    report: Report = no_report,
) -> Evaluation:
    """`evaluate` for any player: `play_chunk(env, start, size)` plays `size` examples from number `start` on."""
    env = make_env(min(CHUNK, num_prompts))
    num_prompts = min(num_prompts, len(env.unwrapped.task))
    rollouts = []
    for start in range(0, num_prompts, CHUNK):
        size = min(CHUNK, num_prompts - start)
        report("playing prompts", start, num_prompts)
        if size != env.unwrapped.num_envs:
            env = make_env(size)
        rollouts.append(play_chunk(env, start, size))
    report("playing prompts", num_prompts, num_prompts)
    values = {
        "score": np.concatenate([r.scores for r in rollouts]),
        "gold": np.concatenate([r.gold for r in rollouts]),
        "tokens": np.array([e.num_chosen for r in rollouts for e in r.episodes], dtype=float),
        "cut": 1.0 - np.concatenate([r.last_turn_has_eot for r in rollouts]),
    }
    for name in rollouts[0].gold_components:
        values[f"gold/{name}"] = np.concatenate([r.gold_components[name] for r in rollouts])
    return Evaluation(
        num_prompts,
        temperature,
        {name: float(v.mean()) for name, v in values.items()},
        {name: half_width(v) for name, v in values.items()},
        rollouts,
    )


def half_width(values: np.ndarray) -> float:
    """Of the 95% interval of a mean: 1.96 standard errors; nan for a single value."""
    return 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def are_same(a: Task, b: Task) -> bool:
    """Whether two splits hold the same examples, as those of records do that no `holdout` divides."""
    return len(a) == len(b) and all(a[i].prompt == b[i].prompt for i in range(min(8, len(a))))


@dataclass(frozen=True)
class EvaluateConfig:
    """How a policy is asked; the same seed means the same prompts and draws.

    None is what the run was trained with, where a run is evaluated on its own env, else the default.
    """

    env: str | None = None  # an id that `textgym list` shows; None: the run's, else textgym/Summarize-v0
    prompts: int = 512  # the first ones of the split, or all where there are fewer
    split: str = "test"  # train, validation or test
    greedy: bool = False  # the likeliest token every time; else sampled at `temperature`
    temperature: float = 1.0  # 1 samples from the policy's own distribution
    seed: int = 0  # of the users and of what is sampled
    tokenizer: str | None = None  # a folder or hub name; None: the policy's own
    end_of_turn: str | None = None  # the token that ends a turn; None: what the tokenizer says
    reward: str | None = None  # as in training; None: the run's, else the env's own learned reward model
    data: str | None = None  # your own records, as in training; None: the run's, else the embedded world
    data_seed: int | None = None  # which universe of embedded examples; None: the run's, else 0
    context_length: int | None = None  # tokens; None: the run's, else the env's default
    max_new_tokens: int | None = None  # tokens a turn; None: the run's, else the env's default
    device: str = "auto"  # auto: the GPU where there is one
    run: str | None = None  # a new folder that holds the result as a run's does; None: printed only
    json: bool = False  # print one line of JSON: figures, settings, versions; the table goes to stderr

    def check(self) -> None:
        """Raises ValueError for a value that cannot work, before anything is loaded."""
        for name, least in (("prompts", 1), ("temperature", 0), ("seed", 0)):
            if not least <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.greedy and self.temperature != 1.0:
            raise ValueError(f"temperature must be left out with greedy, got {self.temperature}")


def main(run_or_model: str, /, config: EvaluateConfig) -> None:
    """How good is a policy on held-out prompts? Gold score, learned score, components, with 95% intervals.

    Args:
        run_or_model: the folder of a run, a folder or hub name of a causal language model, or "embedded"; or a
            baseline: "random" (tokens), "lead-3" (the document's first three sentences), "reference" (the task's own
            answer).
        config: what is asked of it.
    """
    from .runs import to_json  # builds upon this module

    with json_alone(config.json) as print_line:
        print_line(to_json(measure(run_or_model, config)))


def measure(run_or_model: str, config: EvaluateConfig) -> dict[str, Any]:
    """Plays, prints the table and writes the folder, where one is wanted; returns what `--json` prints."""
    # Some build upon this module, so they are imported here.
    from .baselines import evaluate_baseline, find_baseline
    from .devices import choose_device
    from .online_config import OnlineConfig
    from .result import require_new, write_result
    from .runs import versions
    from .stage import load_policy_tokenizer, make_env

    config.check()
    folder = None if config.run is None else require_new(config.run)
    baseline = None if Path(run_or_model).is_dir() else find_baseline(run_or_model)
    if baseline and (config.greedy or config.temperature != 1.0):
        raise ValueError(f"greedy and temperature must be left out with {run_or_model!r}, which samples no policy")
    device = choose_device(config.device)
    policy, config = resolve_settings(run_or_model, config)
    require_playable(config.env)
    names = ("env", "reward", "data", "data_seed", "context_length", "max_new_tokens", "device")
    of_env = OnlineConfig(policy=policy, **{name: getattr(config, name) for name in names})
    temperature = 0.0 if config.greedy else config.temperature
    made: list[Any] = []

    def make(n: int) -> Any:
        with loading("the env", "reward"):
            made.append(make_env(of_env, tokenizer, config.split, n))
        if model is not None:
            require_fit(model, tokenizer, made[-1].unwrapped.context_length)
        return made[-1]

    with slow_bar(f"loading {run_or_model}", is_wanted=not config.json) as report:
        tokenizer = load_policy_tokenizer("embedded" if baseline else policy, config.tokenizer, config.end_of_turn)
        asked: dict[str, Any] = {"num_prompts": config.prompts, "seed": config.seed, "report": report}
        if baseline:
            model = None
            found = evaluate_baseline(baseline, tokenizer, make, **asked)
            decoding = baseline.described
        else:
            with loading("the policy", "policy"):
                model = load_language_model(policy, device)
            require_fit(model, tokenizer)
            with phase("the evaluation", "max_new_tokens or context_length"):
                found = evaluate(model, tokenizer, make, temperature=temperature, **asked)
            decoding = "greedy decoding" if temperature == 0 else f"temperature {temperature:g}"
    core, kind = made[0].unwrapped, config.split
    trained = read_run(run_or_model)
    if trained is not None and config.data is not None and trained["data"] == config.data and "split" in trained:
        trained_on = make_env(replace(of_env, reward="constant:0"), tokenizer, trained["split"], 1).unwrapped.task
        kind = "training" if are_same(trained_on, core.task) else kind
    _print_figures(found, f"{policy} on {found.num_prompts} {kind} prompts of {config.env}, {decoding}")
    settings = (
        {"policy": policy}
        | asdict(config)
        | {
            "prompts": found.num_prompts,
            "temperature": temperature,
            "context_length": core.context_length,
            "max_new_tokens": core.max_new_tokens,
            "device": str(device),
        }
    )
    if folder is not None:
        agent = policy if baseline else "greedy" if temperature == 0 else "policy"
        line = {"update": 0, "evaluation": found.figures() | {"kl": math.nan}}  # of which nothing is known here
        write_result(folder, agent, settings, {"evaluated_on": f"{kind} prompts"}, [line], found.rollouts[0])
    return {"figures": found.figures(), "settings": settings, "versions": versions()}


def resolve_settings(run_or_model: str, config: EvaluateConfig) -> tuple[str, EvaluateConfig]:
    """The policy that is meant, and the settings with what a run says of itself filled in.

    Raises:
        ValueError: the folder of a run that has saved no policy, or whose reward or data was a Python object.
    """
    trained = read_run(run_or_model)
    policy = run_or_model if trained is None else str(Path(run_or_model).expanduser() / "policy")
    if trained is not None and trained.get("distill") is False:
        raise ValueError(
            f"run {run_or_model!r} measured best-of-n and trained no policy: its metrics.jsonl has the figures"
        )
    if trained is not None and not Path(policy).is_dir():
        raise ValueError(f"run {run_or_model!r} has saved no policy yet: let it end, or go on with --resume")
    known: dict[str, Any] = {"env": "textgym/Summarize-v0", "data_seed": 0}
    if trained is not None and config.env in (None, trained["env"]):
        names = ("env", "end_of_turn", "reward", "data", "data_seed", "context_length", "max_new_tokens")
        known = {name: trained[name] for name in names if name in trained}
        for name in ("reward", "data"):
            if str(known.get(name)).startswith("<Python: ") and getattr(config, name) is None:
                raise ValueError(f"{name} must be given: the run's own was {known[name]}, which only Python can say")
    left_out: dict[str, Any] = {name: value for name, value in known.items() if getattr(config, name) is None}
    return policy, replace(config, **left_out)


def read_run(folder: str) -> dict[str, Any] | None:
    """The config of the run whose folder this is; None where it is none."""
    path = Path(folder).expanduser() / "config.json"
    if not path.is_file():
        return None
    written = json.loads(path.read_text(encoding="utf-8"))
    return written.get("config") if "versions" in written else None


def _print_figures(found: Evaluation, title: str) -> None:
    """Means with the half-widths of their 95% intervals; what is not known of this task is left out."""
    rows = [(n, f"{v:.3f}", f"± {found.intervals[n]:.3f}") for n, v in found.means.items() if math.isfinite(v)]
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        print("\n".join([title, *(f"  {name:<24}{mean:>10}  {interval}" for name, mean, interval in rows)]))
        return
    table = Table()
    for column, justify in (("", "left"), ("mean", "right"), ("95%", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(Text(title), table, sep="\n", soft_wrap=True)
