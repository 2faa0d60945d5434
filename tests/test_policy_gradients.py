"""Laws of REINFORCE, RLOO and GRPO, on tiny random models; those of PPO are in test_ppo.py.

What each paper says of advantages and losses, by hand; that REINFORCE and RLOO follow the true gradient of
E[r] − β KL(π‖π_ref), against every response there is; and that their runs share what PPO's have: LoRA, several
turns, micro-batches, processes, a kill, bad input. That they solve the probes is in test_optimum.py.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from probes import PROBES, all_responses, allow_only, write_probe
from tiny import tiny_policy
from tiny_runs import (  # noqa: F401  (fixtures)
    assert_same,
    chat,
    config,
    config_of,
    folder,
    make,
    module_of,
    read_checkpoint,
    read_metrics,
)

from textgym.agents import commands
from textgym.agents.distributed import World
from textgym.agents.estimators import group_advantages, leave_one_out, returns_to_go
from textgym.agents.packing import Episode, pack
from textgym.agents.policy import policy_statistics, reference_logprobs
from textgym.agents.reinforce import mean_of_others
from textgym.cli import main

AGENTS = ("reinforce", "rloo", "grpo")
ON_POLICY = ("reinforce", "rloo")  # and unbiased, GRPO is neither


def weights(trainer: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.stage.model.state_dict().items()}


# -- the arithmetic, by hand ------------------------------------------------------------------------


def test_leave_one_out_is_a_sample_less_the_mean_of_the_others() -> None:
    assert leave_one_out(torch.tensor([[1.0, 2.0, 6.0]])).tolist() == [[1 - 4, 2 - 3.5, 6 - 1.5]]
    returns = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    for g, i in itertools.product(range(4), range(5)):
        others = [returns[g, j] for j in range(5) if j != i]
        torch.testing.assert_close(leave_one_out(returns)[g, i], returns[g, i] - sum(others) / 4)
    assert not leave_one_out(torch.full((2, 3), 0.1)).any()  # exactly, where rounding would leave something


def test_group_advantages_by_hand() -> None:
    # mean 3, deviations −2 −1 3, sum of squares 14, standard deviation √7
    found = group_advantages(torch.tensor([[1.0, 2.0, 6.0]]), epsilon=0.0)
    torch.testing.assert_close(found, torch.tensor([[-2.0, -1.0, 3.0]]) / 7**0.5)
    assert group_advantages(torch.tensor([[1.0, 2.0, 6.0]]), scales_by_std=False).tolist() == [[-2.0, -1.0, 3.0]]
    for scales in (True, False):
        assert not group_advantages(torch.full((2, 3), 0.1), scales).any()


def test_returns_to_go_are_what_is_still_paid() -> None:
    rewards = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 100.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    assert returns_to_go(rewards, mask).tolist() == [[6.0, 5.0, 3.0], [9.0, 5.0, 0.0]]


def test_the_mean_of_others_leaves_the_episode_itself_out() -> None:
    returns = torch.tensor([[1.0, 7.0], [3.0, 50.0], [8.0, 9.0]])
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    assert mean_of_others(returns, mask, World()).tolist() == [[5.5, 9.0], [4.5, 8.0], [2.0, 7.0]]
    alone = mask & torch.tensor([[True, True], [True, False], [True, False]])
    assert mean_of_others(returns, alone, World())[0].tolist() == [5.5, 0.0]  # nobody else has a second token


# -- the true gradient ------------------------------------------------------------------------------

RESPONSES = all_responses(2)  # 13: over three letters, at most two tokens
BETA = 0.7


def every_pair(name: str, tmp_path: Path, **more: Any) -> tuple[Any, Any]:
    """A trainer on one prompt with two samples whose policy has left the reference, and a rollout to put words into."""
    options = write_probe(PROBES["constant target"], tmp_path) | {"max_new_tokens": 2}
    module = module_of(name)
    sizes = {"prompts_per_update": 1, "samples_per_prompt": 2, "minibatches": 1, "eval_prompts": 1, "kl_coef": BETA}
    kind = getattr(module, commands.COMMANDS[name].config)
    trainer = module.Trainer(kind(**options, **sizes, scale_reward=False, device="cpu", dtype="float32", **more))
    allow_only(trainer.stage.forbidden)
    with torch.no_grad():
        for p, q in zip(trainer.stage.model.parameters(), tiny_policy(5).parameters(), strict=True):
            p.add_(0.3 * q)
    return trainer, trainer.collect()


def rollout_of(rollout: Any, responses: list[list[int]], rewards: list[np.ndarray]) -> Any:
    prompt = rollout.episodes[0].prompt
    episodes = [Episode(prompt, r, [True] * len(r)) for r in responses]
    scores = np.array([r.sum() for r in rewards], np.float32)
    return replace(rollout, episodes=episodes, scores=scores, token_rewards=rewards)


def gradient_of(trainer: Any, batch: Any) -> torch.Tensor:
    """What one update puts into the optimiser, by plain gradient descent with rate 1."""
    trainer.optimizer = torch.optim.SGD(trainer.trained, lr=1.0)
    trainer.stage.config = replace(trainer.stage.config, learning_rate=1.0, max_grad_norm=1e9)
    before = [p.detach().clone() for p in trainer.trained]
    trainer.update(batch)
    moved = torch.cat([(b - p.detach()).flatten() for b, p in zip(before, trainer.trained, strict=True)])
    with torch.no_grad():
        for p, b in zip(trainer.trained, before, strict=True):
            p.copy_(b)
    return moved


def logprobs_of_all(trainer: Any, model: Any, prompt: Any) -> torch.Tensor:
    packed = pack([Episode(prompt, r, [True] * len(r)) for r in RESPONSES], row_tokens=1)
    said, _ = policy_statistics(model, packed, trainer.stage.forbidden, 1.0)
    return torch.zeros(len(RESPONSES)).index_add(0, packed.episode, said)


@pytest.mark.parametrize(
    ("name", "more"), [("rloo", {}), ("reinforce", {}), ("reinforce", {"baseline": "none"})], ids=lambda x: str(x)
)
def test_the_expected_gradient_is_that_of_the_objective(name: str, more: dict[str, Any], tmp_path: Path) -> None:
    """Over all 169 pairs of responses, weighed by their probabilities, against autograd of E[r] − β KL(π‖π_ref)."""
    trainer, rollout = every_pair(name, tmp_path, **more)
    of_prefix = {tuple(r[:n]): 0.0 for r in RESPONSES for n in (1, 2)}  # a token is paid for what stands up to it
    of_prefix = {said: float(np.random.default_rng([3, *said]).normal()) for said in of_prefix}
    paid = [np.array([of_prefix[tuple(r[: n + 1])] for n in range(len(r))], np.float32) for r in RESPONSES]
    prompt = rollout.episodes[0].prompt
    logprobs = logprobs_of_all(trainer, trainer.stage.model, prompt)
    reference = logprobs_of_all(trainer, trainer.stage.reference, prompt).detach()
    assert float(logprobs.detach().exp().sum()) == pytest.approx(1, abs=1e-4)
    rewards = torch.tensor([float(r.sum()) for r in paid])
    objective = (logprobs.exp() * (rewards - BETA * (logprobs - reference))).sum()
    true = torch.cat([g.flatten() for g in torch.autograd.grad(objective, trainer.trained)])
    p = logprobs.exp().detach()
    expected = torch.zeros_like(true)
    for i, j in itertools.product(range(len(RESPONSES)), repeat=2):
        batch = trainer.prepare(rollout_of(rollout, [RESPONSES[i], RESPONSES[j]], [paid[i], paid[j]]))
        expected -= p[i] * p[j] * gradient_of(trainer, batch)  # the loss is what goes down
    assert true.abs().max() > 1e-2
    torch.testing.assert_close(expected, true, rtol=1e-3, atol=1e-5)


def test_equal_scores_give_grpo_no_gradient_but_the_kls(tmp_path: Path) -> None:
    trainer, rollout = every_pair("grpo", tmp_path)
    paid = [np.array([0.1], np.float32), np.array([0.1, 0.0], np.float32)]
    batch = trainer.prepare(rollout_of(rollout, [RESPONSES[0], RESPONSES[5]], paid))
    assert not batch.advantages.any()
    assert gradient_of(trainer, batch).abs().max() > 0  # the KL's
    trainer.config = replace(trainer.config, kl_coef=0.0)
    assert not gradient_of(trainer, batch).any()


@pytest.mark.parametrize("loss_mean", ["response", "token", "constant"])
@pytest.mark.parametrize("scale_by_std", [True, False])
def test_grpos_first_gradient_by_hand(loss_mean: str, scale_by_std: bool, tmp_path: Path) -> None:
    """Ratios are 1: −A ∇ log π and β ∇ k3 of each token, in the mean that was asked for."""
    trainer, rollout = every_pair("grpo", tmp_path, epochs=1, loss_mean=loss_mean, scale_by_std=scale_by_std)
    said = [RESPONSES[0], RESPONSES[5]]  # one token and two
    assert [len(r) for r in said] == [1, 2]
    paid = [np.array([3.0], np.float32), np.array([0.0, 1.0], np.float32)]
    found = gradient_of(trainer, trainer.prepare(rollout_of(rollout, said, paid)))
    packed = pack([Episode(rollout.episodes[0].prompt, r, [True] * len(r)) for r in said], row_tokens=1)
    logprobs, _ = policy_statistics(trainer.stage.model, packed, trainer.stage.forbidden, 1.0)
    ref = reference_logprobs(trainer.stage.reference, packed, trainer.stage.forbidden, 1.0).detach()
    ratio = (ref - logprobs).exp()
    k3 = ratio - 1 - ratio.log()
    advantage = torch.tensor([1.0, -1.0, -1.0]) * (1 / (2**0.5 + 1e-4) if scale_by_std else 1.0)  # 3 and 1, mean 2
    losses = -advantage * logprobs + BETA * k3
    first, second, third = losses
    by_hand = {
        "response": (first + (second + third) / 2) / 2,
        "token": losses.sum() / 3,
        "constant": losses.sum() / (2 * 2),  # two responses of at most two tokens
    }[loss_mean]
    true = torch.cat([g.flatten() for g in torch.autograd.grad(by_hand, trainer.trained)])
    torch.testing.assert_close(found, true, rtol=1e-3, atol=1e-6)


# -- updates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", ["config", "chat"])
@pytest.mark.parametrize("name", AGENTS)
def test_one_update_end_to_end(name: str, world: str, request: pytest.FixtureRequest) -> None:
    trainer = make(name, request.getfixturevalue(world))
    before = weights(trainer)
    rollout = trainer.collect()
    batch = trainer.prepare(rollout)
    assert torch.equal(batch.logprobs, batch.ref_logprobs)
    sampled = torch.tensor([x for row in rollout.logprobs for x in row])
    torch.testing.assert_close(batch.logprobs[batch.mask], sampled, rtol=0, atol=1e-4)
    metrics = trainer.step()
    assert metrics["kl"] == 0
    assert all(np.isfinite(v) for k, v in metrics.items() if not k.startswith("gold"))
    assert all(not torch.equal(before[k], v) for k, v in weights(trainer).items())
    assert trainer.step()["kl"] != 0
    assert all(not p.requires_grad for p in trainer.stage.reference.parameters())


@pytest.mark.parametrize("name", AGENTS)
def test_a_cut_turn_costs_the_penalty(name: str, config: Any) -> None:  # noqa: F811
    """All else equal, the advantage of what was cut goes down against what was not."""
    advantages = []
    for penalty in (0.0, 5.0):
        trainer = make(name, config, missing_eot_penalty=penalty, reward="constant:1")
        rollout = trainer.collect()
        is_cut = np.arange(config.batch_size) % 3 == 0  # the first of each three samples
        batch = trainer.prepare(replace(rollout, last_turn_has_eot=~is_cut))
        advantages.append(batch.advantages[:, 0])
    assert not advantages[0].any() or name == "reinforce"
    change = advantages[1] - advantages[0]
    assert bool((change[is_cut] < 0).all())
    assert bool((change[~is_cut] > 0).all())


@pytest.mark.parametrize("name", AGENTS)
def test_micro_batches_do_not_change_the_gradient(name: str, chat: Any) -> None:  # noqa: F811
    found = []
    for batch_tokens, row_tokens in ((1, 512), (1, 1), (10**6, 512)):
        trainer = make(name, chat, batch_tokens=batch_tokens, row_tokens=row_tokens)
        found.append(gradient_of(trainer, trainer.prepare(trainer.collect())))
    for other in found[1:]:
        torch.testing.assert_close(found[0], other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", AGENTS)
def test_lora_trains_adapters_alone(name: str, config: Any) -> None:  # noqa: F811
    pytest.importorskip("peft")
    trainer = make(name, config, lora_rank=2)
    before = weights(trainer)
    assert trainer.step()["kl"] == 0
    trainer.step()
    moved = {k for k, v in weights(trainer).items() if not torch.equal(before[k], v)}
    assert moved == {k for k in before if "lora_" in k}


# -- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("rloo", {"samples_per_prompt": 1}, "samples_per_prompt must be at least 2 with rloo, got 1: the other"),
        ("grpo", {"samples_per_prompt": 1}, "samples_per_prompt must be at least 2 with grpo, got 1"),
        ("rloo", {"minibatches": 2}, "minibatches must be 1 with rloo, got 2: it is on-policy"),
        ("reinforce", {"minibatches": 2}, "minibatches must be 1 with reinforce"),
        ("reinforce", {"baseline": "critic"}, r"baseline must be one of \['batch', 'none'\], got 'critic'"),
        ("reinforce", {"prompts_per_update": 1, "samples_per_prompt": 1}, "baseline='batch' needs two episodes"),
        ("grpo", {"loss_mean": "mean"}, "loss_mean must be one of .* got 'mean'"),
        ("grpo", {"epochs": 0}, "epochs must be an integer of at least 1"),
        ("grpo", {"clip_ratio": 0.0}, "clip_ratio must be above 0"),
        ("rloo", {"kl_coef": -1.0}, "kl_coef"),
    ],
)
def test_what_cannot_work_is_refused_by_name(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        getattr(module_of(name), commands.COMMANDS[name].config)(**given).check()


def test_one_sample_a_prompt_is_enough_for_reinforce(config: Any) -> None:  # noqa: F811
    metrics = make("reinforce", config, samples_per_prompt=1, prompts_per_update=6).step()
    assert np.isfinite(metrics["loss"])


# -- runs -------------------------------------------------------------------------------------------


def arguments(name: str, like: Any, run: Path, **more: Any) -> list[str]:
    """The command line that says this config."""
    given = config_of(name, like)
    names = ("env", "policy", "data", "reward", "context_length", "max_new_tokens", "num_updates", "device", "dtype")
    names += ("prompts_per_update", "samples_per_prompt", "learning_rate", "eval_prompts", "eval_every")
    told = {field: getattr(given, field) for field in names} | {"run": run, "checkpoint_every": 1} | more
    return [name, *(part for key, value in told.items() for part in (f"--{key.replace('_', '-')}", str(value)))]


def without_times(run: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.endswith("_s")} for row in read_metrics(run)]


@pytest.mark.parametrize("name", AGENTS)
def test_a_killed_run_resumes_with_the_same_bits(name: str, config: Any, tmp_path: Path) -> None:  # noqa: F811
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    more = {"num_updates": 24, "lora_rank": 2} if name == "grpo" else {"num_updates": 24}
    if name == "grpo":
        pytest.importorskip("peft")
    command = [sys.executable, "-m", "textgym.cli", "train", *arguments(name, config, broken, **more)]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
        try:
            deadline = time.monotonic() + 300
            while not any((broken / "checkpoints").glob("update-00000[5-9]")):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.005)
        finally:
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums are made in the order of threads
    try:
        assert main(["train", *arguments(name, config, broken, **more), "--resume"]) == 0
        assert main(["train", *arguments(name, config, whole, **more)]) == 0
    finally:
        torch.set_num_threads(threads)
    a, b = read_checkpoint(whole), read_checkpoint(broken)
    assert_same(a, b)
    assert without_times(whole) == without_times(broken)
    for part in ("config.json", "curve.png", "samples.md", "policy/model.safetensors"):
        assert (broken / part).exists(), part
    assert json.loads((broken / "config.json").read_text())["agent"] == name


@pytest.mark.parametrize("name", AGENTS)
def test_two_processes_do_what_one_does(name: str, chat: Any, tmp_path: Path) -> None:  # noqa: F811
    """Several turns, so that episodes have different lengths in the two."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    asked = [*command, "textgym.cli", "train", *arguments(name, chat, tmp_path / "two")]
    told = subprocess.run(
        asked, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert told.returncode == 0, told.stderr[-2000:]
    assert main(["train", *arguments(name, chat, tmp_path / "one")]) == 0
    one, two = without_times(tmp_path / "one"), without_times(tmp_path / "two")
    assert [row["update"] for row in one] == [row["update"] for row in two]
    for a, b in zip(one, two, strict=True):
        a, b = a.get("evaluation", a), b.get("evaluation", b)
        assert a.keys() == b.keys()
        for key in (k for k, v in a.items() if v is not None):
            assert b[key] == pytest.approx(a[key], rel=1e-3, abs=1e-5), key
    from transformers import AutoModelForCausalLM

    first, second = (
        AutoModelForCausalLM.from_pretrained(tmp_path / run / "policy").state_dict() for run in ("one", "two")
    )
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=1e-3, atol=1e-5)
