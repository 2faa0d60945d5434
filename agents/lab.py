"""The overoptimization lab: what happens to the gold score while a policy is pushed towards a learned reward.

    textgym lab overoptimize --env textgym/Summarize-v0
    textgym lab overoptimize --reward single,mean,min,mean-std --members 4 --label-noise 0.25 --methods bon

Best-of-n needs no training: N samples of each prompt are drawn once, and every reward, every n and every ensemble is
arithmetic on them. PPO is trained once a reward, without a KL penalty unless one is asked for. Gold and proxy against
sqrt(KL), the published curves through them (Gao, Schulman & Hilton 2023), and the KL at which gold peaks, go into a
folder:

samples.jsonl    a prompt a line: samples, gold, every reward model's score
members/         reward models that were trained here
ppo-<reward>/    PPO's runs, as `textgym train ppo` leaves them
lab.json         curves, fits and intervals; null: no such point
lab.png          gold and proxy against sqrt(KL)

Ctrl-C loses at most the prompts in hand; the same command goes on. It may ask for more prompts, updates, methods or
rewards, but not for other samples or reward models. Without --out, a lab that is finished or of other settings is left
as it is, and the next takes a folder of its own, …-2. A gold judge is needed, so data of one's own has no lab.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from textgym import checks
from textgym.envs.registration import require_id
from textgym.files import write_text
from textgym.progress import json_alone
from textgym.rewards.stored import ENSEMBLE
from textgym.types import SPLITS

from .folders import holds_run, numbered
from .lab_report import of_best_of_n, of_run, show, write_picture
from .lab_rewards import train_members
from .lab_samples import KINDS, Sampler, Samples, drop_half_line, extend, read
from .lock import LOCK, hold, is_held
from .online_config import OnlineConfig
from .ppo import PPOConfig, train
from .runs import to_json, versions

METHODS = ("bon", "ppo")
SAME = (  # settings that decide what samples.jsonl, members/ and ppo-*/ hold
    *("env", "policy", "models", "members", "label_noise", "judged_prompts", "n", "split", "seed", "data_seed"),
    *("context_length", "max_new_tokens"),
)


@dataclass(frozen=True)
class OveroptimizeConfig:
    """What is pushed, how far, and towards what."""

    env: str = "textgym/Summarize-v0"  # an id that `textgym list` shows
    policy: str = "embedded"  # a folder or hub name of a causal language model
    methods: str = "bon,ppo"  # bon (best-of-n), ppo, or both
    reward: str = "single"  # one or more of single, mean, min, mean-std; the last three are rules of an ensemble
    models: str | None = None  # reward models: folders or hub names, or the folder of an ensemble; None: the env's own
    members: int = 0  # above 0: train so many reward models here, on judgements of simulated raters
    label_noise: float = 0.0  # share of those judgements that is turned round
    judged_prompts: int = 300  # training prompts that are judged, six pairs each
    k: float = 1.0  # standard deviations that mean-std takes off

    n: int = 64  # samples a prompt: the largest best-of-n
    prompts: int = 100  # the first ones of the split, or all where there are fewer
    split: str = "validation"  # train, validation or test
    updates: int = 100  # of PPO
    kl_coef: float = 0.0  # of PPO: rewards a nat of KL; 0 lets it run
    seed: int = 0  # of what is sampled, of the judgements, of training
    data_seed: int = 0  # which universe of embedded examples
    context_length: int | None = None  # tokens; None: the env's default
    max_new_tokens: int | None = None  # tokens a turn; None: the env's default
    device: str = "auto"  # auto: the GPU where there is one
    out: str | None = None  # a folder, also to add to a lab; None: runs/lab-<env>-seed<seed>, or the first free of …-2
    json: bool = False  # print one line of JSON, what lab.json holds; all else goes to stderr

    @property
    def folder(self) -> Path:
        """`out`, or the first that is tried without one."""
        return Path(self.out or f"runs/lab-{self.env.split('/')[-1]}-seed{self.seed}").expanduser()

    @property
    def num_models(self) -> int:
        """Reward models that are asked for."""
        return self.members or (len(named_models(self.models)) if self.models else 1)

    def check(self) -> None:
        """Raises TypeError or ValueError for what cannot work, before anything is loaded."""
        require_id(self.env)
        choices("methods", self.methods, METHODS)
        kinds = choices("reward", self.reward, KINDS)
        for name, least in (("members", 0), ("judged_prompts", 10), ("n", 2), ("prompts", 2), ("updates", 10)):
            checks.whole(name, getattr(self, name), least)
        for name in ("seed", "data_seed"):
            checks.whole(name, getattr(self, name))
        checks.number("label_noise", self.label_noise, 0, 0.49)
        checks.number("k", self.k, 0)
        checks.number("kl_coef", self.kl_coef, 0)
        checks.choice("split", self.split, SPLITS)
        if self.members and self.models:
            raise ValueError(f"members must be 0 where models are given, got {self.members} and {self.models!r}")
        if self.label_noise and not self.members:
            raise ValueError(f"label_noise needs members to be trained here, got {self.label_noise} and members=0")
        if self.num_models < 2 and kinds != ["single"]:
            raise ValueError(
                f"reward {self.reward!r} needs an ensemble: train one here (--members 4), or name one "
                "(--models FOLDER, as `textgym reward train --members 4` leaves it)"
            )


def choices(name: str, value: str, known: tuple[str, ...]) -> list[str]:
    """The words of a comma-separated option, each once.

    Raises:
        ValueError: none, or one that is not known.
    """
    found = list(dict.fromkeys(word.strip() for word in str(value).split(",") if word.strip()))
    if not found or not set(found) <= set(known):
        raise ValueError(f"{name} must be one or more of {list(known)}, with commas between, got {value!r}")
    return found


def named_models(models: str) -> list[str]:
    """The reward models that a comma-separated option names; the folder of an ensemble stands for its members."""
    found: list[str] = []
    for name in (word.strip() for word in models.split(",") if word.strip()):
        folder = Path(name).expanduser()
        found += _members(folder) if (folder / ENSEMBLE).is_file() else [name]
    return found


def _members(folder: Path) -> list[str]:
    listed = json.loads((folder / ENSEMBLE).read_text(encoding="utf-8"))
    return [str(folder / name) for name in listed["models"]]


def overoptimize(config: OveroptimizeConfig) -> None:
    """What does a policy lose that is pushed too far towards a learned reward? Best-of-n and PPO, gold beside proxy.

    Args:
        config: what is pushed, how far, and towards what.
    """
    config.check()
    with json_alone(config.json) as print_line:
        folder = choose_folder(config)
        folder.mkdir(parents=True, exist_ok=True)
        with closing(hold(folder, "out")):
            report = _run_and_write(config, folder)
        show(report, folder)
        print_line(to_json(report))


def _run_and_write(config: OveroptimizeConfig, folder: Path) -> dict[str, Any]:
    write_text(folder / "config.json", json.dumps(asdict(config), indent=2) + "\n")
    try:
        report = run(config, folder)
    except KeyboardInterrupt:
        done = drop_half_line(folder / "samples.jsonl")
        print(f"\n{folder}: {done} prompts are sampled; the same command goes on", file=sys.stderr)
        raise
    write_text(folder / "lab.json", to_json(report) + "\n")
    write_picture(report, folder / "lab.png")
    return report


def run(config: OveroptimizeConfig, folder: Path) -> dict[str, Any]:
    """Does what is not done yet in the folder, and returns what there is to say of it."""
    methods, kinds = choices("methods", config.methods, METHODS), choices("reward", config.reward, KINDS)
    models = reward_models(config, folder)
    report: dict[str, Any] = {"config": asdict(config), "versions": versions(), "best_of_n": {}, "ppo": {}}
    if "bon" in methods:
        samples = sample(config, folder, models)
        for kind in kinds:
            report["best_of_n"][kind] = of_best_of_n(samples, kind, config.k, config.seed)
        report["worst_picks"] = worst_picks(samples)
    if "ppo" in methods:
        for kind in kinds:
            run_folder = train(ppo_config(config, folder, kind, models))
            report["ppo"][kind] = of_run(run_folder, config.seed)
    return report


def choose_folder(config: OveroptimizeConfig) -> Path:
    """`out`, or the first default folder that is free or holds this very lab, unfinished and with nobody at it.

    Raises:
        ValueError: `out` holds another lab's samples or reward models.
    """
    if config.out is not None:
        require_same(config, config.folder)
        return config.folder
    folder = next(folder for folder in numbered(config.folder) if _goes_on_in(config, folder))
    if folder != config.folder:
        print(f"{config.folder} is taken: this lab goes to {folder} (--out adds to one that is there)", file=sys.stderr)
    return folder


def _goes_on_in(config: OveroptimizeConfig, folder: Path) -> bool:
    if (folder / "lab.json").exists() or is_held(folder):
        return False
    try:
        require_same(config, folder)
    except ValueError:
        return False
    return True


def require_same(config: OveroptimizeConfig, folder: Path) -> None:
    """Raises ValueError where a folder holds another lab's samples or reward models."""
    path = folder / "config.json"
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"out must be a folder, got the file {str(folder)!r}")
    if not path.is_file() or {p.name for p in folder.iterdir()} <= {path.name, LOCK}:  # a wrong name: nothing is begun
        return
    begun = json.loads(path.read_text(encoding="utf-8"))
    changed = [
        f"{name} was {begun.get(name)!r} and is {getattr(config, name)!r}"
        for name in SAME
        if begun.get(name) != getattr(config, name)
    ]
    if changed:
        raise ValueError(
            f"out={str(folder)!r} was begun with other settings: {'; '.join(changed)}. Name another folder"
        )


def of_env(config: OveroptimizeConfig) -> OnlineConfig:
    """The env in which is sampled: nothing is scored in it but gold."""
    names = ("env", "policy", "data_seed", "context_length", "max_new_tokens", "device")
    return OnlineConfig(reward="constant:0", **{name: getattr(config, name) for name in names})


def reward_models(config: OveroptimizeConfig, folder: Path) -> list[str]:
    """Names of the reward models, trained here where that was asked for; "learned" is the env's own."""
    if config.members:
        env, noise, prompts = of_env(config), config.label_noise, config.judged_prompts
        return train_members(folder / "members", env, config.members, noise, prompts, config.seed, print)
    return named_models(config.models) if config.models else ["learned"]


def sample(config: OveroptimizeConfig, folder: Path, models: list[str]) -> Samples:
    """The samples of `prompts` prompts, those that are missing drawn and scored first."""
    path = folder / "samples.jsonl"
    done = drop_half_line(path)
    if done < config.prompts:
        sampler = Sampler(of_env(config), config.split, config.n, config.seed)
        prompts = min(config.prompts, len(sampler.task))
        loaded = [load_model(name, sampler, config) for name in models]
        with progress(prompts, done) as report:
            extend(path, sampler, loaded, prompts, report)
    return read(path, config.prompts)


def load_model(name: str, sampler: Sampler, config: OveroptimizeConfig) -> Any:
    """One reward model, as `reward=` of the env would load it."""
    from textgym.rewards.spec import load_reward

    core = sampler.env.unwrapped
    device = str(next(sampler.model.parameters()).device)
    return load_reward(name, task=sampler.task, name=core.world, has_own_data=False, device=device)


def ppo_config(config: OveroptimizeConfig, folder: Path, kind: str, models: list[str]) -> PPOConfig:
    """PPO against the first reward model, or against a rule of the ensemble; it goes on where it was stopped."""
    spec: Any = {"type": "ensemble", "models": models, "combine": kind, "k": config.k}
    names = ("env", "policy", "kl_coef", "seed", "data_seed", "context_length", "max_new_tokens", "device")
    run_folder = folder / f"ppo-{kind}"
    return PPOConfig(
        reward=models[0] if kind == "single" else spec,
        num_updates=config.updates,
        eval_every=0,
        eval_split=config.split,
        run=str(run_folder),
        resume=holds_run(run_folder),
        **{name: getattr(config, name) for name in names},
    )


def worst_picks(samples: Samples, most: int = 3) -> list[dict[str, Any]]:
    """Where the first reward model's best of all samples is furthest below the best by gold."""
    picked = samples.scores[0].argmax(axis=1)
    rows = np.arange(samples.num_prompts)
    lost = samples.gold.max(axis=1) - samples.gold[rows, picked]
    found = []
    for i in np.argsort(-lost)[:most]:
        best = int(samples.gold[i].argmax())
        found.append(
            {
                "prompt": int(i),
                "picked": samples.texts[i][picked[i]],
                "picked_gold": float(samples.gold[i, picked[i]]),
                "best": samples.texts[i][best],
                "best_gold": float(samples.gold[i, best]),
            }
        )
    return found


@contextmanager
def progress(total: int, done: int) -> Iterator[Callable[[int], None]]:
    """Yields a function of how many prompts are sampled: a bar, or nothing where rich is absent."""
    try:
        from rich.progress import Progress
    except ImportError:
        yield lambda count: None
        return
    with Progress() as bar:
        task = bar.add_task("sampling prompts", total=total, completed=done)
        yield lambda count: bar.update(task, completed=count)
