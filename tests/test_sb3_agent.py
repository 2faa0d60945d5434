"""Stable-Baselines3's PPO as an agent: it learns, writes a run's folder, goes on, and says what it cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from probes import BEST_RETURN, PROBES, write_probe
from tiny_runs import config, folder  # noqa: F401  (fixtures)

pytest.importorskip("stable_baselines3")

from textgym.agents.ppo import PPOConfig
from textgym.agents.sb3 import SB3Config, Trainer, train


def like(given: PPOConfig, **more: Any) -> SB3Config:
    """The tiny config of PPO's tests, as far as SB3's knows it."""
    names = ("policy", "data", "reward", "context_length", "max_new_tokens", "num_updates", "prompts_per_update")
    names += ("samples_per_prompt", "learning_rate", "device", "eval_prompts", "eval_every", "checkpoint_every")
    same = {name: getattr(given, name) for name in names}
    return SB3Config(**{**same, "dtype": "float32", "n_steps": 16, "minibatches": 2, **more})


@pytest.mark.parametrize("name", ["constant target", "the prompt decides", "paid late"])
def test_it_solves_the_probes(name: str, tmp_path: Path) -> None:
    given = SB3Config(
        prompts_per_update=4,
        samples_per_prompt=8,
        n_steps=12,
        num_updates=60,
        learning_rate=5e-3,
        kl_coef=0.0,
        scale_reward=False,
        device="cpu",
        dtype="float32",
        eval_prompts=1,
        **write_probe(PROBES[name], tmp_path),
    )
    trainer = Trainer(given)
    means = [trainer.step()["score"] for _ in range(given.num_updates or 0)]
    assert means[0] < 0.7
    assert np.mean(means[-5:]) > 0.95 * BEST_RETURN


def test_the_kl_is_zero_before_anything_is_learned_and_its_price_is_in_the_reward(config: PPOConfig) -> None:  # noqa: F811
    """The first rollout is the reference's own; a rate of almost nothing keeps the second one there."""
    trainer = Trainer(like(config, learning_rate=1e-12))
    first, second = trainer.step(), trainer.step()
    assert abs(first["kl"]) < 1e-4
    assert abs(second["kl"]) < 1e-4
    assert first["episodes"] > 0

    moved = Trainer(like(config, kl_coef=2.0, scale_reward=False, reward="0.5", n_steps=8, max_new_tokens=8))
    with torch.no_grad():
        moved.stage.model.get_output_embeddings().weight[70] += 1.0
    told = moved.step()
    assert told["episodes"] * told["tokens"] == moved.rows * 8  # every token belongs to an episode that is whole
    assert told["kl"] > 0.05
    paid = float(moved.agent.rollout_buffer.rewards.sum())
    assert paid == pytest.approx(told["episodes"] * (0.5 - 2.0 * told["kl"]), rel=1e-4)


def test_a_run_has_the_folder_of_every_agent_and_goes_on(config: PPOConfig, tmp_path: Path) -> None:  # noqa: F811
    from transformers import AutoModelForCausalLM

    given = like(config, run=str(tmp_path / "run"), checkpoint_every=1)
    train(replace(given, num_updates=2))
    train(replace(given, num_updates=3, resume=True))
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [row["update"] for row in rows if "score" in row] == [1, 2, 3]
    assert json.loads((tmp_path / "run/config.json").read_text())["agent"] == "sb3"
    assert all("kl" in row["evaluation"] for row in rows if "evaluation" in row)
    start = AutoModelForCausalLM.from_pretrained(given.policy).get_output_embeddings().weight
    now = AutoModelForCausalLM.from_pretrained(tmp_path / "run/policy").get_output_embeddings().weight
    assert not np.allclose(start.detach(), now.detach())


def test_a_reward_that_is_no_number_stops_the_run_and_saves_it(
    config: PPOConfig,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the second rollout: the first update is there to go on from, and no weight has moved since."""
    step = Trainer.step

    def spoiled(self: Trainer) -> dict[str, float]:
        if self.updates_done == 1:
            self.stage.reward_scale = float("nan")
            monkeypatch.setattr(self.stage, "find_scale", lambda rollout: None)
        return step(self)

    monkeypatch.setattr(Trainer, "step", spoiled)
    given = like(config, run=str(tmp_path / "run"), num_updates=3)
    with pytest.raises(FloatingPointError, match="rewards are not finite"):
        train(given)
    assert "not finite" in json.loads((tmp_path / "run/failed.json").read_text())["error"]
    assert list((tmp_path / "run/checkpoints").glob("update-*/state.pt"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora_rank": 2}, "lora_rank must be None with sb3, got 2"),
        ({"missing_eot_penalty": 1.0}, "missing_eot_penalty must be 0 with sb3"),
        ({"dtype": "bfloat16"}, "dtype must be 'auto' or 'float32' with sb3"),
        ({"n_steps": 0}, "n_steps must be an integer of at least 1"),
        ({"lam": 1.5}, "lam must be a finite number"),
    ],
)
def test_what_it_lacks_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SB3Config(**changes).check()
