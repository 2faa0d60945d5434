"""Agents find what is known to be best: the enumerated optimum under a KL price, and probes of a few letters.

Over three letters and at most three tokens there are 40 responses. Their probabilities under the
reference, their rewards and so π* ∝ π_ref · exp(r / β) are exact, and so is KL(π‖π*) of what PPO, REINFORCE and
RLOO end with: below 0.01 nats, whether the reward is a model's, paid token by token, or 1 for a single response out
of 40. GRPO's loss has another optimum (agents/grpo.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from probes import BEST_RETURN, PROBES, all_responses, allow_only, letters_of, write_probe
from tiny import tiny_reward, tiny_tokenizer

from textgym.agents import grpo, reinforce, rloo
from textgym.agents.grpo import GRPOConfig
from textgym.agents.packing import Episode, pack
from textgym.agents.policy import reference_logprobs
from textgym.agents.ppo import PPOConfig, Trainer
from textgym.agents.reinforce import REINFORCEConfig
from textgym.agents.rloo import RLOOConfig
from textgym.rewards.learned import LearnedReward
from textgym.types import Message, Transcript

LENGTH = 3
RESPONSES = all_responses(LENGTH)

NUM_UPDATES = 80
AGENTS: dict[str, tuple[Any, Any, int, dict[str, Any]]] = {  # one step an update, not four, takes more updates
    "ppo": (PPOConfig, Trainer, 1, {"critic_warmup": 0}),
    "reinforce": (REINFORCEConfig, reinforce.Trainer, 3, {}),
    "rloo": (RLOOConfig, rloo.Trainer, 2, {}),
    "grpo": (GRPOConfig, grpo.Trainer, 1, {}),
}


def logprobs_of_all(trainer: Trainer, model: Any) -> torch.Tensor:
    """(40,) nats of every response to the only prompt."""
    prompt = trainer.stage.tokenizer.prompt_ids(trainer.stage.env.unwrapped.task[0].prompt)
    packed = pack([Episode(prompt, r, [True] * len(r)) for r in RESPONSES], row_tokens=1)
    with torch.no_grad():
        said = reference_logprobs(model, packed, trainer.stage.forbidden, 1.0)
    return torch.zeros(len(RESPONSES)).index_add(0, packed.episode, said)


def is_cab(transcript: Transcript) -> float:
    return float(letters_of(transcript.response) == "cab")


def rewards_of_all(trainer: Trainer, kind: str, folder: Path) -> torch.Tensor:
    prompt = trainer.stage.env.unwrapped.task[0].prompt
    said = [Message("assistant", tiny_tokenizer().decode(r)) for r in RESPONSES]
    transcripts = [Transcript((*prompt, m), num_prompt_messages=len(prompt)) for m in said]
    if kind == "sparse":
        return torch.tensor([is_cab(t) for t in transcripts])
    return torch.from_numpy(LearnedReward(str(folder)).score(transcripts).values)


@pytest.mark.parametrize(("agent", "seed"), [*(("ppo", seed) for seed in range(5)), ("reinforce", 0), ("rloo", 0)])
@pytest.mark.parametrize(("kind", "beta"), [("learned", 4.0), ("sparse", 0.25)])
def test_it_converges_to_the_enumerated_optimum(kind: str, beta: float, agent: str, seed: int, tmp_path: Path) -> None:
    options = write_probe(PROBES["constant target"], tmp_path) | {"max_new_tokens": LENGTH}
    tiny_reward(tmp_path / "reward", "token", seed=seed, initializer_range=0.3)
    options["reward"] = is_cab if kind == "sparse" else str(tmp_path / "reward")
    make_config, make_trainer, times, of_agent = AGENTS[agent]
    config = make_config(
        **options,
        **of_agent,
        **({"clip_value": 10.0} if agent == "ppo" else {}),  # these rewards are not scaled
        kl_coef=beta,
        scale_reward=False,
        seed=seed,
        num_updates=NUM_UPDATES * times,
        prompts_per_update=4,
        samples_per_prompt=32,
        learning_rate=3e-3,
        row_tokens=64,
        device="cpu",
        dtype="float32",
        eval_prompts=1,
    )
    trainer = make_trainer(config)
    allow_only(trainer.stage.forbidden)
    reference = logprobs_of_all(trainer, trainer.stage.reference)
    assert float(reference.exp().sum()) == pytest.approx(1, abs=1e-4)  # these are all responses there are
    best = (reference + rewards_of_all(trainer, kind, tmp_path / "reward") / beta).log_softmax(0)
    assert float((reference.exp() * (reference - best)).sum()) > 0.05  # there is something to learn
    for _ in range(config.total_updates):
        trainer.step()
    found = logprobs_of_all(trainer, trainer.stage.model)
    assert float((found.exp() * (found - best)).sum()) < 0.01


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("agent", AGENTS)
def test_agents_solve_the_probes(agent: str, name: str, tmp_path: Path) -> None:
    make_config, make_trainer, times, of_agent = AGENTS[agent]
    config = make_config(
        **write_probe(PROBES[name], tmp_path),
        **of_agent,
        kl_coef=0.0,
        num_updates=60 * times,
        prompts_per_update=6,
        samples_per_prompt=16,
        learning_rate=5e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=1,
    )
    trainer = make_trainer(config)
    allow_only(trainer.stage.forbidden)
    scores = [trainer.step()["score"] for _ in range(config.total_updates)]
    assert np.mean(scores[:2]) < 0.7 * BEST_RETURN
    assert np.mean(scores[-3:]) > 0.97 * BEST_RETURN, scores
