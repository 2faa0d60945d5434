"""Reward models for the lab to be fooled by: trained here, on judgements of simulated raters who err.

The policy's own answers to training prompts are compared, all pairs of a prompt, by simulated raters who go by the
gold judge; a share of the clear verdicts is turned round, as Coste et al. 2024 do with their 25%. Members of an
ensemble see the same judgements and differ in their seeds, that is in their heads and in the order of the data.

Small on purpose: minutes, not the hour that the embedded reward models took. From the policy's own trunk so few
judgements teach next to nothing (Summarize, 300 prompts: accuracy 0.52 where 0.69 is possible), so for the embedded
policy the trunk is that of the world's embedded reward model, which has seen clean judgements; its head is thrown
away, and what is learned here is learned from the noisy ones.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from textgym.envs.registration import ENV_IDS
from textgym.feedback.preferences import Preference
from textgym.feedback.raters import SimulatedRaters
from textgym.files import new_folder, write_text
from textgym.models.language_model import quietly
from textgym.rewards.spec import EMBEDDED
from textgym.rewards.train import RewardTrainConfig, train_reward_model
from textgym.types import Transcript

from .lab_samples import Sampler
from .online_config import OnlineConfig

TEXTS = 4  # a prompt, so 6 pairs
NOISE = 0.05  # gold difference that is worth a nat of log-odds to a rater
PLAN = RewardTrainConfig(epochs=2, batch_size=16, learning_rate=2e-3)  # few judgements, so many small steps


def train_members(
    folder: Path,
    of_env: OnlineConfig,
    members: int,
    label_noise: float,
    judged_prompts: int,
    seed: int,
    say: Callable[[str], None],
    plan: RewardTrainConfig = PLAN,
) -> list[str]:
    """Folders of the members, trained where they are not there yet.

    Args:
        of_env: the env and the policy; the prompts are those of its "train" split.
        label_noise: the share of clear verdicts that is turned round, below 0.5.
        judged_prompts: so many prompts, with six judgements each.

    Raises:
        KeyboardInterrupt: Ctrl-C; members that were finished stay.
    """
    folders = [folder / f"member-{k}" for k in range(members)]
    judged: list[Preference] = []
    for k, path in enumerate(folders):
        if path.is_dir():
            continue
        judged = judged or judge(of_env, judged_prompts, label_noise, seed)
        say(f"training reward model {k + 1} of {members} on {len(judged)} simulated judgements")
        start = save_trunk(of_env, folder / ".trunk") if of_env.policy == "embedded" else of_env.policy
        seeded = replace(plan, seed=seed + k, split_seed=seed)
        notes = {"raters": raters(label_noise).parameters(), "label_noise": label_noise}
        unfinished = path.with_name(f".{path.name}")
        figures = train_reward_model(judged, start, of_env.tokenizer, unfinished, seeded, notes=notes)
        if figures.get("interrupted"):
            shutil.rmtree(unfinished)
            raise KeyboardInterrupt
        write_text(unfinished / "figures.json", json.dumps(figures, indent=2) + "\n")
        unfinished.rename(path)
        say(f"  accuracy {figures['accuracy']:.3f}, at best {figures['accuracy_ceiling']:.3f}")
    shutil.rmtree(folder / ".trunk", ignore_errors=True)
    return [str(path) for path in folders]


def save_trunk(of_env: OnlineConfig, folder: Path) -> Path:
    """The trunk of the world's embedded reward model, without its head, and its tokenizer."""
    from transformers import AutoModel, AutoTokenizer

    from textgym.envs import ids

    source = EMBEDDED / getattr(ids, ENV_IDS[of_env.env].replace("Env", "VectorEnv")).world
    with new_folder(folder) as unfinished, quietly():
        AutoModel.from_pretrained(source, dtype=torch.float32).save_pretrained(unfinished)
        AutoTokenizer.from_pretrained(source).save_pretrained(unfinished)
    return folder


def raters(label_noise: float) -> SimulatedRaters:
    """A coin decides twice the share of verdicts that is to be wrong."""
    return SimulatedRaters(noise=NOISE, lapse=2 * label_noise)


def judge(of_env: OnlineConfig, prompts: int, label_noise: float, seed: int) -> list[Preference]:
    """All pairs of different texts of each prompt, one simulated rater each."""
    sampler = Sampler(of_env, "train", TEXTS, seed)
    pairs: list[tuple[Transcript, Transcript, float, float]] = []
    for start in range(0, min(prompts, len(sampler.task)), sampler.at_once):
        transcripts, gold, _ = sampler.play(start)
        for of_prompt, golds in list(zip(transcripts, gold, strict=True))[: prompts - start]:
            pairs += _pairs(of_prompt, golds)
    a, b, gold_a, gold_b = (list(column) for column in zip(*pairs, strict=True))
    rng = np.random.default_rng([seed, 13])
    source = f"{of_env.env}, simulated raters, {label_noise:.0%} of labels turned round"
    return raters(label_noise).prefer(a, b, gold_a, gold_b, rng, source=source)  # type: ignore[arg-type]


def _pairs(texts: Sequence[Transcript], gold: np.ndarray) -> list[tuple[Transcript, Transcript, float, float]]:
    different = sorted({t.responses: k for k, t in enumerate(texts)}.values())
    return [(texts[i], texts[j], float(gold[i]), float(gold[j])) for i, j in itertools.combinations(different, 2)]
