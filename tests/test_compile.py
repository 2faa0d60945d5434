"""Training passes through torch.compile: the numbers of plain ones, few compilations, and no trace in what is saved.

What PyTorch traces and when it does so again is tested with its backend "eager", which generates no code and needs no
compiler; the numbers of generated code are tested where there is a C++ compiler, and slowly.
"""

# ruff: noqa: F811 (fixtures are imported, and asked for by name)

from __future__ import annotations

import copy
import pickle
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from test_models import SHAPES
from tiny_runs import arguments, config, folder, make, read_metrics  # noqa: F401
from torch import Tensor

from textgym.agents import run_config
from textgym.agents.ppo import PPOConfig
from textgym.agents.supervised import SupervisedConfig, tune
from textgym.cli import main
from textgym.models import arithmetic as module
from textgym.models.arithmetic import arithmetic, require_compiling, what_compiling_lacks
from textgym.models.language_model import trunk, turn_off_dropout
from textgym.models.lora import adapter_off, add_lora
from textgym.rewards.train import RewardTrainConfig

CPU = torch.device("cpu")
LACKING = what_compiling_lacks()
needs_compiler = pytest.mark.skipif(LACKING is not None, reason=f"compile needs {LACKING}")


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Each graph that PyTorch traces is counted and run as it is."""
    graphs: list[Any] = []

    def backend(graph: Any, _: Any) -> Any:
        if len(graph.graph.nodes) > 20:  # not the lifting of a constant to a tensor, which a function mode sees too
            graphs.append(graph)
        return torch.compiler.disable(graph.forward)  # as generated code does, it calls no Python that could be traced

    torch._dynamo.reset()
    make_function = lru_cache(lambda: torch.compile(module._states, dynamic=True, backend=backend))
    monkeypatch.setattr(module, "_compiled_states", make_function)
    yield graphs
    torch._dynamo.reset()


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of tokens that would go through compiled passes, on a machine that need not have a compiler."""
    shapes: list[tuple[int, ...]] = []

    def states(base: Any, tokens: Tensor, *rest: Any) -> Tensor:
        shapes.append(tuple(tokens.shape))
        return module._states(base, tokens, *rest)

    monkeypatch.setattr(module, "_compiled_states", lambda: states)
    monkeypatch.setattr(run_config, "require_compiling", lambda device: None)
    return shapes


def small(shape: str = "llama") -> Any:
    torch.manual_seed(0)
    model = SHAPES[shape]().eval()
    turn_off_dropout(model)
    return model


def run(model: Any, rows: int, length: int, is_masked: bool, learns: bool, compiles: bool, dtype: Any) -> list[Tensor]:
    """Hidden states, and with `learns` all gradients of the sum of their squares."""
    tokens = torch.randint(1, 60, (rows, length), generator=torch.Generator().manual_seed(length))
    places = torch.arange(length).repeat(rows, 1)
    mask = torch.ones(rows, 1, length, length, dtype=torch.bool).tril() if is_masked else None
    with torch.set_grad_enabled(learns), arithmetic(CPU, dtype, compiles=compiles):
        hidden = trunk(model, tokens, places, mask)
    if not learns:
        return [hidden]
    model.zero_grad()
    hidden.float().square().sum().backward()
    return [hidden.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


# -- what is compiled, and how often ---------------------------------------------------------------


@pytest.mark.ci
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_graph_is_traced_once_for_all_sizes_and_shared_by_copies(traced: list[Any], dtype: torch.dtype) -> None:
    model = small()
    for is_masked in (True, False):
        for learns in (True, False):
            before = len(traced)
            for rows, length in ((4, 16), (5, 24), (2, 8), (7, 40)):
                run(model, rows, length, is_masked, learns, True, dtype)
                run(copy.deepcopy(model), rows, length, is_masked, learns, True, dtype)
            assert len(traced) - before == 1
    frozen = copy.deepcopy(model).requires_grad_(False)  # a reference: traced apart, once with and without a mask
    for rows in (4, 5):
        for is_masked in (True, False):
            run(frozen, rows, 16, is_masked, False, True, dtype)
    assert len(traced) <= 6


@pytest.mark.parametrize("shape", SHAPES)
def test_every_supported_kind_can_be_traced(shape: str, traced: list[Any]) -> None:
    model = small(shape)
    for rows, length in ((3, 9), (4, 16)):
        plain, fast = (run(model, rows, length, True, True, compiles, torch.float32) for compiles in (False, True))
        torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-4)
    assert len(traced) >= 1


def test_an_adapter_is_switched_off_and_on(traced: list[Any]) -> None:
    model = small()
    bare = run(model, 3, 8, True, False, False, torch.float32)
    add_lora(model, rank=2)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.1)
    plain = run(model, 3, 8, True, True, False, torch.float32)
    counts = []
    for _ in range(3):
        torch.testing.assert_close(run(model, 3, 8, True, True, True, torch.float32), plain, rtol=1e-4, atol=1e-4)
        with adapter_off(model):
            torch.testing.assert_close(run(model, 3, 8, True, False, True, torch.float32), bare, rtol=1e-4, atol=1e-4)
        counts.append(len(traced))
    assert not torch.allclose(plain[0], bare[0], atol=1e-3)
    assert counts[0] == counts[2], "each switch compiles again"


def test_nothing_hangs_on_the_model(traced: list[Any]) -> None:
    model = small()
    before = list(model.state_dict())
    run(model, 3, 8, True, True, True, torch.float32)
    assert list(model.state_dict()) == before
    again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    assert torch.equal(
        run(again, 3, 8, True, False, False, torch.float32)[0], run(model, 3, 8, True, False, False, torch.float32)[0]
    )


# -- where the option leads ------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["ppo", "reinforce", "rloo", "grpo"])
def test_training_passes_are_compiled_and_sampling_is_not(agent: str, config: PPOConfig, passes: list[Any]) -> None:
    more = {"minibatches": 1} if agent in ("reinforce", "rloo") else {}
    trainer = make(agent, config, compile=True, **more)
    rollout = trainer.collect()
    assert passes == []
    batch = trainer.prepare(rollout)
    read = len(passes)
    assert read > 0
    trainer.update(batch)
    assert len(passes) > read
    plain = make(agent, config, **more)
    passes.clear()
    plain.step()
    assert passes == []


def test_a_single_row_is_not_compiled(passes: list[Any]) -> None:
    run(small(), 1, 8, True, True, True, torch.float32)
    assert passes == []
    run(small(), 2, 8, True, True, True, torch.float32)
    assert passes == [(2, 8)]


def test_supervised_tuning_takes_the_option(passes: list[Any]) -> None:
    from textgym.agents.packing import Episode

    batches = [[Episode([1, 2, 3], [4, 5], [True, True])] * 2] * 2
    for compiles in (False, True):
        tune(small(), batches, SupervisedConfig(num_steps=2, compile=compiles))
        assert len(passes) == 2 * compiles


# -- where it cannot work --------------------------------------------------------------------------


def test_what_is_missing_is_told_before_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    for make_it in (lambda: PPOConfig(compile=True, device="cpu").check(), lambda: RewardTrainConfig(compile=True)):
        with pytest.raises(ValueError, match=r"compile must be False here.*C\+\+ compiler, and 'no-such-compiler'"):
            make_it()
    monkeypatch.setattr(module.shutil, "which", lambda name: name)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    with pytest.raises(ValueError, match=r"has no Python\.h"):
        require_compiling("cpu")
    with pytest.raises(ValueError, match="a CPU or an NVIDIA GPU, and the device is 'mps'"):
        require_compiling("mps")


@pytest.mark.parametrize("other", ["shard", "onednn"])
def test_what_does_not_go_together_is_refused(other: str) -> None:
    with pytest.raises(ValueError, match=f"compile must be False with {other}"):
        PPOConfig(compile=True, device="cpu", **{other: True}).check()


# -- generated code --------------------------------------------------------------------------------


@pytest.mark.ci
@needs_compiler
def test_generated_code_gives_the_numbers_and_gradients_of_the_plain_passes() -> None:
    model = small()
    for rows, length, is_masked in ((3, 8, True), (5, 24, True), (4, 16, False)):
        plain, fast = (run(model, rows, length, is_masked, True, compiles, torch.float32) for compiles in (False, True))
        assert len(plain) == len(fast)
        for a, b in zip(fast, plain, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


def steps(run: Path) -> list[dict[str, Any]]:
    """The rows of a run's training, without its evaluations."""
    return [row for row in read_metrics(run) if "policy_loss" in row]


@pytest.mark.ci
@needs_compiler
def test_a_compiled_run_goes_on_and_says_what_a_plain_one_says(config: PPOConfig, tmp_path: Path) -> None:
    config = replace(config, num_updates=1)
    assert main(["train", "ppo", *arguments(config, tmp_path / "plain")]) == 0
    longer = arguments(replace(config, num_updates=2), tmp_path / "run")
    assert main(["train", "ppo", *arguments(config, tmp_path / "run"), "--compile"]) == 0
    [plain], [fast] = (steps(tmp_path / name) for name in ("plain", "run"))
    for name in ("policy_loss", "value_loss", "grad_norm", "kl"):
        assert fast[name] == pytest.approx(plain[name], rel=1e-3, abs=1e-4)
    assert main(["train", "ppo", *longer, "--compile", "--resume"]) == 0
    assert len(steps(tmp_path / "run")) == 2
