"""A program that uses the public API with types, for `mypy --strict`. Checked by tests/test_packaging.py, never run.

What a library promises with `py.typed`: that such a file passes, and that mistakes in it are found.
"""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium as gym
import numpy as np

import textgym
from textgym import Example, Goodbye, Judgement, Message, RewardModel, Scores, Transcript
from textgym.agents.estimators import gae
from textgym.agents.ppo_config import PPOConfig
from textgym.feedback.agreement import krippendorff_alpha
from textgym.models.tokenizer import ChatTokenizer, load_tokenizer
from textgym.rewards.combine import Ensemble
from textgym.seeding import derive_seeds
from textgym.wrappers import ReferenceLogprob, TurnLimit


class Short:
    """A reward model is anything that scores transcripts."""

    def score(self, transcripts: Sequence[Transcript]) -> Scores:
        values = np.array([len(t.response) < 40 for t in transcripts], dtype=np.float32)
        return Scores(values, {"short": values})


class Echo:
    """A task with a simulated user and a judge."""

    name = "echo"

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Example:
        return Example((Message("user", f"Say {index}."),), (str(index),), index)

    def reply(self, transcript: Transcript, rng: np.random.Generator) -> str | None:
        return Goodbye("Thanks.") if transcript.response == str(transcript.meta) else None

    def judge(self, transcript: Transcript) -> Judgement:
        return Judgement(float(transcript.response == str(transcript.meta)), {})


def rewards() -> RewardModel:
    models: list[RewardModel] = [Short(), Short()]
    return Ensemble(models, combine="min")


def wrapped() -> float:
    env = gym.make("textgym/Dialogue-v0", data=Echo(), reward=rewards())
    _, info = TurnLimit(env, max_turns=2).reset(seed=derive_seeds(0, 1)[0])
    return float(info["index"])


def settings() -> PPOConfig:
    return PPOConfig(env="textgym/Translate-v0", num_updates=2, kl_coef=0.05)


def agreement(verdicts: np.ndarray) -> float:
    return krippendorff_alpha(verdicts, level="nominal")


def ids() -> list[str]:
    tokenizer: ChatTokenizer = load_tokenizer("embedded")
    tokens: list[int] = tokenizer.encode("Hello")
    return [*textgym.ENV_IDS, tokenizer.decode(tokens)]


__all__ = ["ReferenceLogprob", "agreement", "gae", "ids", "rewards", "settings", "wrapped"]
