"""PPO finds what is known to be best: the enumerated optimum under a KL price, and probes of a few letters.

Over three letters and at most three tokens there are 40 responses. Their probabilities under the
reference, their rewards and so π* ∝ π_ref · exp(r / β) are exact, and so is KL(π‖π*) of what PPO
ends with: below 0.01 nats, whether the reward is a model's, paid token
by token, or 1 for a single response out of 40.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from probes import BEST_RETURN, PROBES, all_responses, allow_only, letters_of, write_probe
from tiny import tiny_reward, tiny_tokenizer

from textgym.agents.packing import Episode, pack
from textgym.agents.policy import reference_logprobs
from textgym.agents.ppo import PPOConfig, Trainer
from textgym.rewards.learned import LearnedReward
from textgym.types import Message, Transcript

LENGTH = 3
RESPONSES = all_responses(LENGTH)
NUM_UPDATES = 80


def logprobs_of_all(trainer: Trainer, model: Any) -> torch.Tensor:
    """(40,) nats of every response to the only prompt."""
    prompt = trainer.tokenizer.prompt_ids(trainer.env.unwrapped.task[0].prompt)
    packed = pack([Episode(prompt, r, [True] * len(r)) for r in RESPONSES], row_tokens=1)
    with torch.no_grad():
        said = reference_logprobs(model, packed, trainer.forbidden, 1.0)
    return torch.zeros(len(RESPONSES)).index_add(0, packed.episode, said)


def is_cab(transcript: Transcript) -> float:
    return float(letters_of(transcript.response) == "cab")


def rewards_of_all(trainer: Trainer, kind: str, folder: Path) -> torch.Tensor:
    prompt = trainer.env.unwrapped.task[0].prompt
    said = [Message("assistant", tiny_tokenizer().decode(r)) for r in RESPONSES]
    transcripts = [Transcript((*prompt, m), num_prompt_messages=len(prompt)) for m in said]
    if kind == "sparse":
        return torch.tensor([is_cab(t) for t in transcripts])
    return torch.from_numpy(LearnedReward(str(folder)).score(transcripts).values)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("kind", "beta"), [("learned", 4.0), ("sparse", 0.25)])
def test_it_converges_to_the_enumerated_optimum(kind: str, beta: float, seed: int, tmp_path: Path) -> None:
    options = write_probe(PROBES["constant target"], tmp_path) | {"max_new_tokens": LENGTH}
    tiny_reward(tmp_path / "reward", "token", seed=seed, initializer_range=0.3)
    options["reward"] = is_cab if kind == "sparse" else str(tmp_path / "reward")
    config = PPOConfig(
        **options,
        kl_coef=beta,
        scale_reward=False,
        seed=seed,
        num_updates=NUM_UPDATES,
        prompts_per_update=4,
        samples_per_prompt=32,
        critic_warmup=0,
        learning_rate=3e-3,
        clip_value=10.0,  # these rewards are not scaled
        row_tokens=64,
        device="cpu",
        dtype="float32",
        eval_prompts=1,
    )
    trainer = Trainer(config)
    allow_only(trainer.forbidden)
    reference = logprobs_of_all(trainer, trainer.reference)
    assert float(reference.exp().sum()) == pytest.approx(1, abs=1e-4)  # these are all responses there are
    best = (reference + rewards_of_all(trainer, kind, tmp_path / "reward") / beta).log_softmax(0)
    assert float((reference.exp() * (reference - best)).sum()) > 0.05  # there is something to learn
    for _ in range(NUM_UPDATES):
        trainer.step()
    found = logprobs_of_all(trainer, trainer.policy.model)
    assert float((found.exp() * (found - best)).sum()) < 0.01


@pytest.mark.parametrize("name", PROBES)
def test_ppo_solves_the_probes(name: str, tmp_path: Path) -> None:
    config = PPOConfig(
        **write_probe(PROBES[name], tmp_path),
        kl_coef=0.0,
        num_updates=60,
        prompts_per_update=6,
        samples_per_prompt=16,
        critic_warmup=0,
        learning_rate=5e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=1,
    )
    trainer = Trainer(config)
    allow_only(trainer.forbidden)
    scores = [trainer.step()["score"] for _ in range(config.total_updates)]
    assert np.mean(scores[:2]) < 0.7 * BEST_RETURN
    assert np.mean(scores[-3:]) > 0.97 * BEST_RETURN, scores
