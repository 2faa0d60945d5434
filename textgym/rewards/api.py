"""From a file of judgements to a reward model, in one call: what `textgym reward train` does, for Python.

    reward_model = train_reward_model("preferences.jsonl", output="reward")
    reward_model.predict("Sum this up: …", "A bridge was closed on Monday.")
    env = gym.make("textgym/Summarize-v0", reward="reward")

What reads, believes, trains and saves stands in judged.py, train.py and stored.py; torch is imported when a function
is called. Left out: data that is not in files; for that there is `textgym.rewards.train`, which takes preferences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgym import checks
from textgym.files import new_folder

if TYPE_CHECKING:
    from textgym.feedback.preferences import Preference
    from textgym.rewards.combine import Ensemble, SharedEnsemble
    from textgym.rewards.judged import Believed
    from textgym.rewards.learned import LearnedReward
    from textgym.rewards.train import RewardTrainConfig


def train_reward_model(
    feedback: str | Path | Sequence[str | Path],
    output: str | Path = "reward",
    *,
    model: str | Path = "embedded",
    tokenizer: Any = None,
    raters: Believed = "each",
    members: int = 1,
    test_output: str | Path | None = None,
    config: RewardTrainConfig | None = None,
    shows_progress: bool = False,
    **options: Any,
) -> LearnedReward | Ensemble | SharedEnsemble:
    """Trains a reward model on files of judged pairs, saves it, and returns it with `predict` and `figures`.

    Args:
        feedback: one file or several: preferences as TRL has them, or anything that `textgym feedback import` reads.
        output: folder to write; an old one is replaced when all is done, not before.
        model: where it starts: "embedded" (the embedded policy), "embedded:<world>" (the embedded reward model of
            summarize, translate or dialogue), or a folder or hub name of a language model, an encoder, a reward model.
        tokenizer: what `load_tokenizer` takes; None: the model's own.
        raters: each judgement as it is, the majority of a pair's raters, or how far a rater model believes them
            ("posterior": one weighted preference a pair, "soft": both sides with their probabilities).
        members: more than 1: an ensemble of so many models with different seeds and one division of the data; not
            beside heads=, an ensemble that shares one trunk.
        test_output: a file for the held-out pairs, for `textgym reward eval`.
        config: how it is trained; None: the defaults of `RewardTrainConfig`.
        shows_progress: a progress bar (rich), where installed.
        options: fields of `RewardTrainConfig`, e.g. epochs=3; not beside a config.

    Returns:
        The reward model. Its `figures` are those on the held-out test pairs (`accuracy`, `ece`, …; see
        `textgym.rewards.train`), an ensemble's the means over its members, and `interrupted` where Ctrl-C ended it.

    Raises:
        ValueError: no files, no pairs in them, a row that does not fit, a model that does not load, an option out of
            range.
        TypeError: an unknown option.
    """
    from textgym.rewards.stored import load_stored, trunk_of

    checks.whole("members", members, 1, 100)
    files = [feedback] if isinstance(feedback, str | Path) else list(feedback)
    if not files:
        raise ValueError("feedback must be one file or more, got none")
    start, plan = trunk_of(model), _plan(config, options)
    if members > 1 and plan.heads > 1:
        raise ValueError(
            f"members and heads are two kinds of ensemble, one of which must be 1, got {members} and {plan.heads}"
        )
    data, plan, notes, trainer = _read(files, raters, plan, test_output)

    def train_one(seed: int, folder: str | Path) -> dict[str, float]:
        split = plan.seed if plan.split_seed is None else plan.split_seed
        seeded = replace(plan, seed=seed, split_seed=split)
        done = trainer(data, start, tokenizer, folder, seeded, notes=notes, shows_progress=shows_progress)
        return dict(done)

    figures = train_one(plan.seed, output) if members == 1 else _train_members(members, plan.seed, output, train_one)
    trained: Any = load_stored(str(output), device=plan.device)
    trained.figures = figures
    return trained


def _read(
    files: Sequence[str | Path], raters: Believed, plan: RewardTrainConfig, test_output: str | Path | None
) -> tuple[Sequence[Any], RewardTrainConfig, dict[str, Any], Any]:
    """What to train on, the plan with its objective, notes for the card, and the function that trains.

    "auto" is regression where the files hold ratings and nothing else.
    """
    from textgym.feedback.preferences import write_preferences
    from textgym.rewards import rating_train
    from textgym.rewards import train as training
    from textgym.rewards.judged import believe, read_pairs
    from textgym.rewards.rated import read_ratings, write_ratings

    notes: dict[str, Any] = {"data": [Path(path).name for path in files], "raters_taken": raters}
    if plan.objective != "pairs":
        rated = read_ratings(files)
        wants_ratings = plan.objective != "auto" or plan.attributes is not None or plan.standardise_raters
        if wants_ratings or (rated.ratings and not rated.others):
            plan = replace(plan, objective="regression" if plan.objective == "auto" else plan.objective)
            if raters != "each":
                raise ValueError(f"raters must be 'each' for ratings, got {raters!r}; see standardise_raters")
            if not rated.ratings:
                raise ValueError(
                    f"objective={plan.objective!r} needs files of ratings, got none in {[str(p) for p in files]}"
                )
            if test_output is not None:
                write_ratings(test_output, rating_train.split_for_training(rated.ratings, plan)[1])
            return rated.ratings, plan, notes | {"left_out": dict(rated.left_out)}, rating_train.train_on_ratings
    pairs = read_pairs(files)
    preferences: list[Preference] = believe(pairs, raters, plan.seed)
    if test_output is not None:
        write_preferences(test_output, training.split_for_training(preferences, plan)[1])
    notes |= {"ties": len(pairs.ties), "left_out": dict(pairs.left_out)}
    return preferences, replace(plan, objective="pairs"), notes, training.train_reward_model


def load_reward_model(name: str | Path, *, tokenizer: Any = None, device: str = "cpu", dtype: str = "float32") -> Any:
    """A stored reward model.

    Args:
        name: a folder (an ensemble's too) or hub name, "embedded:summarize", "embedded:translate",
            "embedded:dialogue", or a server's address.
        tokenizer: what `load_tokenizer` takes; None: the model's own.
        device: where it computes.
        dtype: "float32", "bfloat16" or "float16".

    Raises:
        ValueError: nothing that loads.
    """
    from textgym.rewards.stored import load_stored

    return load_stored(str(name), tokenizer, device, dtype)


def _plan(config: RewardTrainConfig | None, options: dict[str, Any]) -> RewardTrainConfig:
    """The config, or the defaults with these options."""
    from textgym.rewards.train import RewardTrainConfig

    known = [field.name for field in fields(RewardTrainConfig)]
    for name in options:
        if name not in known:
            raise TypeError(f"train_reward_model has no option {name!r}{checks.nearest(name, known)}")
    if config is not None and options:
        raise TypeError(f"train_reward_model takes a config or options, got a config and {list(options)}")
    return config or RewardTrainConfig(**options)


def _train_members(members: int, seed: int, output: str | Path, train_one: Any) -> dict[str, float]:
    """An ensemble in a folder, and its members' mean figures; Ctrl-C during one ends the rest."""
    from textgym.rewards.stored import write_ensemble
    from textgym.seeding import derive_seeds

    found: list[dict[str, float]] = []
    with new_folder(output) as folder:
        for k, member_seed in enumerate(derive_seeds(seed, members)):
            found.append(train_one(int(member_seed), folder / f"member_{k}"))
            if found[-1].get("interrupted"):
                break
        write_ensemble(folder, [f"member_{k}" for k in range(len(found))])
    names = {name for figures in found for name in figures} - {"interrupted"}
    means = {name: sum(f.get(name, 0.0) for f in found) / len(found) for name in sorted(names)}
    stopped = {"interrupted": 1.0} if any("interrupted" in figures for figures in found) else {}
    return {"members": float(len(found)), **means, **stopped}
