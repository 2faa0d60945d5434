"""The benchmark of PPO's iteration: it counts right, does what it says, and says what it has not measured.

Speed itself is no test's business; the figures are in docs/speed.md.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(FOLDER))
ppo_iteration: Any = importlib.import_module("ppo_iteration")
ppo_work: Any = importlib.import_module("ppo_work")

TINY = {
    "gpt2": ppo_work.Size("gpt2", 3, 32, 4, 4, 80, 50, responses=4, prompt_tokens=5, new_tokens=3),
    "qwen2": ppo_work.Size("qwen2", 3, 32, 4, 2, 80, 50, responses=4, prompt_tokens=5, new_tokens=3),
}


@pytest.mark.parametrize("kind", TINY)
def test_matrix_products_are_as_many_as_pytorch_counts(kind: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM

    size = TINY[kind]
    model_class: Any = AutoModelForCausalLM
    model = model_class.from_config(size.config(), attn_implementation="eager")
    tokens = torch.ones(size.responses, size.prompt_tokens + size.new_tokens, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        hidden = model.base_model(tokens).last_hidden_state
        model.lm_head(hidden[:, -size.new_tokens :])
    counted = counter.get_flop_counts()["Global"]
    linear = sum(n for operation, n in counted.items() if "bmm" not in str(operation))
    needed = ppo_work.needed_flops(size, ppo_work.ROWS["shared"])
    n, length = tokens.shape
    attention = 4 * size.width * size.layers * n * length * (length + 1) // 2  # a token sees itself and what is before
    assert linear == needed["generation"] - attention
    if kind == "gpt2":  # Qwen's rotations are products too; here the square of all pairs is what is left
        assert counted[torch.ops.aten.bmm] == 4 * size.width * size.layers * n * length**2


def test_a_prompt_is_counted_once_for_its_responses() -> None:
    size = TINY["gpt2"]
    found = {}
    for name in ("shared", "shared-x4"):
        row = ppo_work.ROWS[name]
        seen = tokens = 0
        for _ in range(size.responses // row.samples):
            rows = [list(range(i + 1)) for i in range(size.prompt_tokens)]
            for _ in range(row.samples):
                rows += [[*range(size.prompt_tokens), *range(i + 1)] for i in range(size.new_tokens)]
            tokens, seen = tokens + len(rows), seen + sum(map(len, rows))
        found[name] = ppo_work.needed_flops(size, row)["scoring"]
        assert found[name] == 2 * size.matrices * tokens + 4 * size.width * size.layers * seen
    assert found["shared-x4"] < found["shared"]


def test_a_separate_critic_doubles_the_trunks_of_the_update() -> None:
    size = TINY["gpt2"]
    shared, separate = (ppo_work.needed_flops(size, ppo_work.ROWS[name]) for name in ("shared", "four-models"))
    assert separate["update"] - shared["update"] == ppo_work.EPOCHS * 3 * shared["scoring"]
    assert {name for name in shared if shared[name] != separate[name]} == {"update"}


def rollout_of(prompt: int, response: int, chosen: int, n: int = 8) -> Any:
    episode = SimpleNamespace(prompt=[1] * prompt, continuation=[1] * response, num_chosen=chosen)
    return SimpleNamespace(episodes=[episode] * n)


def test_other_numbers_of_tokens_are_refused() -> None:
    size = ppo_work.SIZES["small"]
    p, t = size.prompt_tokens, size.new_tokens
    ppo_iteration.check_counts(rollout_of(p, t, t), size)
    for wrong in ((p - 1, t, t), (p, t - 1, t - 1), (p, t, t - 1), (p, t, t, 7)):
        with pytest.raises(ValueError, match="need 8 episodes"):
            ppo_iteration.check_counts(rollout_of(*wrong), size)


def test_a_run_of_ours_fills_its_row_and_a_peer_that_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "python"
    absent.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "import there_is_no_trl"\n')
    absent.chmod(0o755)
    given = ["--size", "small", "--repeats", "1", "--json", "--threads", str(torch.get_num_threads())]
    monkeypatch.setattr(sys, "argv", ["ppo_iteration.py", *given, "--rows", "shared-x4", "TRL", "--peer", str(absent)])
    ppo_iteration.main()
    printed = capsys.readouterr().out.splitlines()
    figures = json.loads(printed[-1])["figures"]["float32"]
    row = figures["shared-x4"]
    phases = [row[phase] for phase in ppo_work.PHASES]
    assert min(phases) > 0
    assert 0.5 * row["total"] < sum(phases) <= row["total"]
    assert row["tokens_per_second"] == pytest.approx(8 * 6 / row["total"])
    assert 0 < row["of_limit"] < 1
    assert row["memory"]["resident"] > 1e8  # PyTorch alone is more
    assert figures["TRL"]["problem"] == "not measured: ModuleNotFoundError: No module named 'there_is_no_trl'"
    assert figures["TRL"]["problem"] in printed[3]


def test_without_trl_its_row_is_not_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    options = ppo_iteration.arguments().parse_args(["--size", "small", "--rows", "TRL"])
    figures = ppo_iteration.run_rows(options, "float32", tmp_path)
    assert figures["TRL"] == {"problem": "not measured: trl is not installed"}
    assert "trl is not installed" in capsys.readouterr().out
