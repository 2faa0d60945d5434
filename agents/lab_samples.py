"""What the lab looks at: many samples of each prompt, scored by every reward model and by the gold judge, once.

samples.jsonl holds a line a prompt, so that a run which was stopped goes on behind the last whole line, and
everything else (best-of-n, ensembles, fits) is arithmetic on it. What a prompt's samples are depends on the
settings and on the prompt's place, not on where a run was stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textgym.models.language_model import forbidden_tokens, load_language_model, require_fit
from textgym.rewards.base import as_scores
from textgym.rewards.combine import COMBINATIONS, Ensemble
from textgym.seeding import derive_seeds
from textgym.types import Message, RewardModel, Transcript

from .devices import choose_device
from .failures import loading
from .online_config import OnlineConfig
from .rollout import play
from .stage import load_policy_tokenizer, make_env

ROWS = 128  # conversations played at once, at least one prompt's
KINDS = ("single", *COMBINATIONS)


@dataclass(frozen=True)
class Samples:
    """N samples of each of P prompts, as M reward models and the judge see them."""

    scores: np.ndarray  # (M, P, N) float64
    gold: np.ndarray  # (P, N) float64
    tokens: np.ndarray  # (P, N) that the policy chose
    texts: list[list[str]]  # P × N, what the policy said

    @property
    def num_prompts(self) -> int:
        return len(self.gold)

    def proxies(self, kind: str, k: float = 1.0) -> np.ndarray:
        """(m, P, N): what chooses. "single" is every model alone, m = M; an ensemble's rule is one, m = 1."""
        if kind == "single":
            return self.scores
        parts = [_Known(member.reshape(-1)) for member in self.scores]
        nothing = [Transcript(())] * self.gold.size
        combined = Ensemble(parts, kind, k).score(nothing).values  # type: ignore[arg-type]
        return combined.reshape(1, *self.gold.shape).astype(np.float64)


class _Known:
    """A reward model that has already scored, so that the rules of ensembles stay in one place."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def score(self, transcripts: Sequence[Transcript]) -> np.ndarray:
        return self.values


class Sampler:
    """A policy in an env, n responses a prompt."""

    def __init__(self, of_env: OnlineConfig, split: str, n: int, seed: int) -> None:
        self.of_env, self.split, self.n, self.seed = of_env, split, n, seed
        self.tokenizer = load_policy_tokenizer(of_env.policy, of_env.tokenizer, of_env.end_of_turn)
        with loading("the policy", "policy"):
            self.model = load_language_model(of_env.policy, choose_device(of_env.device))
        self.at_once = max(1, ROWS // n)  # prompts
        self.env = make_env(of_env, self.tokenizer, split, self.at_once * n)
        self.task = self.env.unwrapped.task
        require_fit(self.model, self.tokenizer, self.env.unwrapped.context_length)
        self.forbidden = forbidden_tokens(self.model, self.tokenizer)

    def play(self, start: int) -> tuple[list[list[Transcript]], np.ndarray, np.ndarray]:
        """Prompts `start`, start + 1, … `at_once` of them: transcripts, gold (p, n) and tokens (p, n)."""
        size = min(self.at_once, len(self.task) - start)
        env = self.env if size == self.at_once else make_env(self.of_env, self.tokenizer, self.split, size * self.n)
        generator = torch.Generator(next(self.model.parameters()).device)
        said = play(
            env,
            self.model,
            self.tokenizer,
            np.arange(start, start + size),
            derive_seeds(self.seed, size * self.n, start, 11),
            samples_per_prompt=self.n,
            forbidden=self.forbidden,
            generator=generator.manual_seed(derive_seeds(self.seed, 1, start, 12)[0]),
        )
        rows = [self._transcript(messages, int(i)) for messages, i in zip(said.messages, said.index, strict=True)]
        tokens = np.array([episode.num_chosen for episode in said.episodes])
        shape = (size, self.n)
        by_prompt = [rows[k * self.n : (k + 1) * self.n] for k in range(size)]
        return by_prompt, said.gold.reshape(shape), tokens.reshape(shape)

    def _transcript(self, messages: Sequence[dict[str, str]], index: int) -> Transcript:
        example = self.task[index]
        said = tuple(Message(m["role"], m["content"]) for m in messages)
        return Transcript(said, example.references, example.meta, None, len(example.prompt))


def extend(
    path: Path, sampler: Sampler, models: Sequence[RewardModel], prompts: int, report: Callable[[int], None]
) -> None:
    """Adds lines to samples.jsonl until there are `prompts` of them; `report` hears how many there are."""
    done = drop_half_line(path)
    start = done - done % sampler.at_once  # prompts played together are drawn together
    while done < prompts:
        transcripts, gold, tokens = sampler.play(start)
        flat = [t for of_prompt in transcripts for t in of_prompt]
        scores = np.stack([as_scores(model.score(flat), len(flat)).values for model in models])
        lines = list(_lines(transcripts, gold, tokens, scores.reshape(len(models), *gold.shape), start))
        with open(path, "a", encoding="utf-8") as file:
            file.write("".join(lines[done - start :]))
        start += len(lines)
        done = start
        report(done)


def _lines(
    transcripts: list[list[Transcript]], gold: np.ndarray, tokens: np.ndarray, scores: np.ndarray, start: int
) -> Iterator[str]:
    for k, of_prompt in enumerate(transcripts):
        line = {
            "index": start + k,
            "gold": [round(float(g), 6) for g in gold[k]],
            "tokens": tokens[k].tolist(),
            "scores": [[round(float(s), 5) for s in member] for member in scores[:, k]],
            "texts": ["\n".join(t.responses) for t in of_prompt],
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def drop_half_line(path: Path) -> int:
    """How many whole lines there are; what a kill left behind the last of them is cut off."""
    if not path.exists():
        return 0
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with open(path, "rb+") as file:
            file.truncate(len(whole))
    return whole.count(b"\n")


def read(path: Path, prompts: int) -> Samples:
    """The first `prompts` lines of samples.jsonl."""
    with open(path, encoding="utf-8") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for _, line in zip(range(prompts), file, strict=False)]
    scores = np.array([row["scores"] for row in rows], dtype=np.float64)  # (P, M, N)
    return Samples(
        scores=scores.transpose(1, 0, 2),
        gold=np.array([row["gold"] for row in rows], dtype=np.float64),
        tokens=np.array([row["tokens"] for row in rows]),
        texts=[row["texts"] for row in rows],
    )
