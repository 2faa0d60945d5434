"""Traps that PPO's tests close (test_ppo_traps.py, test_run_options.py), for the other agents that are trained.

The step is bounded, dropout is off, seeds share no episode, NaN and want of memory stop a run with a word, a run is
gone on with by its own agent alone. And the table of docs/ppo.md names tests that exist.
"""

# ruff: noqa: F811 (fixtures are imported, and asked for by name)

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import config, config_of, folder, make, module_of  # noqa: F401

from textgym.agents import failures, policy, stage
from textgym.agents.ppo import PPOConfig
from textgym.cli import main

OWN: dict[str, dict[str, Any]] = {  # what an agent is asked besides
    "ppo": {},
    "reinforce": {},
    "rloo": {},
    "grpo": {"epochs": 1},
    "best-of-n": {"distill": True, "minibatches": 1},
    "sft": {"batch_size": 4, "warmup_updates": 0},
}
PLAYED = tuple(name for name in OWN if name != "sft")


def weights_of(trainer: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.trained])


@pytest.mark.parametrize("name", OWN)
def test_clipping_bounds_the_step(name: str, config: PPOConfig) -> None:
    """Plain gradient descent with rate 1 moves the weights by the clipped gradient, whose norm is the limit."""
    more: dict[str, Any] = {"epochs": 1, "minibatches": 1} if name in ("ppo", "grpo") else {}
    trainer = make(name, config, **OWN[name] | more, learning_rate=1.0, max_grad_norm=1e-3)
    trainer.optimizer = torch.optim.SGD(trainer.trained, lr=1.0)
    before = weights_of(trainer)
    assert trainer.step()["grad_norm"] > 2e-3
    assert float((weights_of(trainer) - before).norm()) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("name", PLAYED)
def test_adams_epsilon_is_that_of_the_references(name: str, config: PPOConfig) -> None:
    assert {group["eps"] for group in make(name, config, **OWN[name]).optimizer.param_groups} == {1e-5}


@pytest.mark.parametrize("name", PLAYED)
def test_dropout_is_off_in_every_phase(name: str, config: PPOConfig, tmp_path: Path) -> None:
    """A policy that was saved with half of its attention dropped says the same in sampling, training and reference."""
    policy = tmp_path / "policy"
    shutil.copytree(config.policy, policy)
    saved = json.loads((policy / "config.json").read_text())
    (policy / "config.json").write_text(json.dumps(saved | {"attention_dropout": 0.5}))
    trainer = make(name, replace(config, policy=str(policy)), **OWN[name])
    rollout = trainer.collect()
    batch = trainer.prepare(rollout)
    batch = batch[0] if name == "best-of-n" else batch
    assert torch.equal(batch.logprobs, batch.ref_logprobs)
    sampled = torch.tensor([x for row in rollout.logprobs for x in row])
    torch.testing.assert_close(batch.logprobs[batch.mask], sampled, rtol=0, atol=1e-4)
    trainer.step()
    assert not trainer.stage.model.training


def test_runs_of_other_seeds_share_no_episode_whatever_the_agent(
    config: PPOConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[tuple[int, int]] = []

    def note(env: Any, model: Any, tokenizer: Any, index: Any, seeds: Sequence[int], **_: Any) -> None:
        played.extend(zip(np.repeat(index, config.samples_per_prompt).tolist(), seeds, strict=True))

    monkeypatch.setattr(stage, "play", note)
    for seed, name in enumerate(PLAYED):
        trainer = make(name, config, **OWN[name], seed=seed)
        for trainer.updates_done in range(3):
            trainer.collect()
    assert len(set(played)) == len(played) == len(PLAYED) * 3 * config.batch_size


@pytest.mark.parametrize("what", ["weights", "gradient"])
@pytest.mark.parametrize("name", [name for name in OWN if name != "ppo"])
def test_numbers_that_are_none_stop_the_run_with_the_batch(
    name: str, what: str, config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second update: nothing is trained on them, the first stays saved, the batch lies in failed.json."""
    kind, seen = module_of(name).Trainer, []
    method = "update" if name == "sft" else "prepare"
    original = getattr(kind, method)

    def spoiled(self: Any, given: Any) -> Any:
        if self.updates_done == 1:
            head = self.stage.model.get_output_embeddings().weight
            if what == "weights":
                with torch.no_grad():
                    head[70] = float("nan")
            else:
                head.register_hook(lambda gradient: gradient * float("nan"))
            seen.append((self, weights_of(self)))
        return original(self, given)

    monkeypatch.setattr(kind, method, spoiled)
    given = config_of(name, config, **OWN[name] | {"checkpoint_every": 1, "run": str(tmp_path / "run")})
    with pytest.raises(FloatingPointError, match="not finite"):
        module_of(name).train(given)
    ((trainer, before),) = seen
    assert torch.equal(weights_of(trainer).nan_to_num(), before.nan_to_num())
    failed = json.loads((tmp_path / "run/failed.json").read_text())
    assert failed["update"] == 2
    assert len(failed["records" if name == "sft" else "episodes"]) == given.batch_size
    assert (tmp_path / "run/checkpoints/update-000001/state.pt").exists()


@pytest.mark.parametrize(("name", "method", "said"), [
    *((name, "collect", "generation: lower prompts_per_update") for name in PLAYED),
    *((name, "prepare", "passes of policy and reference: lower batch_tokens") for name in PLAYED),
    *((name, "update", "the update: lower batch_tokens") for name in OWN),
])  # fmt: skip
def test_memory_that_runs_out_says_where(
    name: str, method: str, said: str, config: PPOConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make(name, config, **OWN[name])
    monkeypatch.setattr(type(trainer), method, no_memory)
    with pytest.raises(failures.OutOfMemoryError, match=said):
        trainer.step()


def no_memory(*given: Any, **more: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_memory_that_runs_out_in_an_evaluation_says_so(config: PPOConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make("rloo", config)
    with monkeypatch.context() as patched:
        patched.setattr(stage, "reference_logprobs", no_memory)
        with pytest.raises(failures.OutOfMemoryError, match="the KL of an evaluation: lower batch_tokens"):
            trainer.stage.evaluate()
    monkeypatch.setattr(stage, "evaluate", no_memory)
    with pytest.raises(failures.OutOfMemoryError, match="an evaluation: lower eval_prompts or max_new_tokens"):
        trainer.stage.evaluate()


def test_memory_that_runs_out_while_models_are_loaded_says_so(
    config: PPOConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The policy's weights (where a loader puts an error of its own around), a reward's, and both copies."""
    from transformers import AutoModelForCausalLM

    said = "out of memory in loading the models: take a smaller policy or reward, or give a lora_rank"
    copying = SimpleNamespace(deepcopy=no_memory)
    for where, name, spoiled in (
        (AutoModelForCausalLM, "from_pretrained", no_memory),
        (stage, "make_env", no_memory),
        (stage, "copy", copying),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(where, name, spoiled)
            with pytest.raises(failures.OutOfMemoryError, match=said):
                make("rloo", config)
    with monkeypatch.context() as patched:
        patched.setattr(policy, "copy", copying)
        with pytest.raises(failures.OutOfMemoryError, match="loading the critic: take a smaller policy, or critic="):
            make("ppo", config, critic="separate")
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", no_memory)
    monkeypatch.chdir(tmp_path)
    for command in (["evaluate", "embedded", "--reward", "0.5"], ["feedback", "sample"]):
        assert main(command) == 1
        assert "OutOfMemoryError: out of memory in loading the policy: take a smaller policy" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "is_memory"), [
    (OSError(12, "Cannot allocate memory"), True),
    (RuntimeError("CUDA error: out of memory"), True),
    (OSError(28, "No space left on device"), False),
    (ValueError("a batch that runs out of memory"), False),  # what somebody says of an option is no error of memory
])  # fmt: skip
def test_want_of_memory_is_told_from_other_errors(error: Exception, is_memory: bool) -> None:
    with pytest.raises(failures.OutOfMemoryError if is_memory else type(error)) as caught, failures.phase("x", "y"):
        raise error
    assert is_memory or caught.value is error


@pytest.mark.parametrize(("first", "then"), [("reinforce", "rloo"), ("rloo", "reinforce"), ("ppo", "grpo")])
def test_a_run_is_gone_on_with_by_its_own_agent_alone(
    first: str, then: str, config: PPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    module_of(first).train(config_of(first, config, num_updates=1, run=str(run)))
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    with pytest.raises(ValueError, match=f"resume cannot go on in .* as {then}, {first} began it"):
        module_of(then).train(config_of(then, config, num_updates=2, run=str(run), resume=True))
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    capsys.readouterr()
    assert main(["train", then, "--run", str(run), "--resume"]) == 1
    assert f"textgym train {first}" in capsys.readouterr().err


def test_the_table_of_traps_names_tests_that_exist() -> None:
    here = Path(__file__).parent
    table = (here.parent / "docs" / "ppo.md").read_text(encoding="utf-8")
    rows = [line.split("|")[3] for line in table.splitlines() if line.startswith("| ")][1:]
    sources = {path.name: path.read_text(encoding="utf-8") for path in here.glob("test_*.py")}
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`([^`]+)`", row)
        for name in named:
            if name.endswith(".py"):
                assert name in sources, name
            elif name != "generate":
                start = f"def test_{name.removesuffix('…')}"
                assert any(start in text for text in sources.values()), name
        if "`: `" in row:  # a file, and its tests behind it
            file, test = named[0], named[1].removesuffix("…")
            assert f"def test_{test}" in sources[file], row
