"""A run on two processes is the run on one, up to rounding; the same command under `torchrun`.

Two gloo processes on a CPU: the same prompts, the same words, the same gradients, one folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import arguments, chat, config, folder  # noqa: F401  (fixtures)

from textgym.agents.distributed import World, local_device
from textgym.agents.ppo import PPOConfig, Trainer


def figures(run: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; what is not known is left out."""

    def known(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in pairs if value is not None}

    return [json.loads(line, object_pairs_hook=known) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("world", ["config", "chat"])
def test_two_processes_do_what_one_does(world: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    given: PPOConfig = request.getfixturevalue(world)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    asked = [*command, "textgym.cli", "train", "ppo", *arguments(given, tmp_path / "two", env=given.env)]
    told = subprocess.run(
        asked, capture_output=True, text=True, timeout=300, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert told.returncode == 0, told.stderr[-2000:]
    from textgym.cli import main

    assert main(["train", "ppo", *arguments(given, tmp_path / "one", env=given.env)]) == 0
    one, two = figures(tmp_path / "one"), figures(tmp_path / "two")
    assert [row["update"] for row in one] == [row["update"] for row in two]
    for a, b in zip(one, two, strict=True):
        a, b = a.get("evaluation", a), b.get("evaluation", b)
        assert a.keys() == b.keys()
        for name in a.keys() - {"rollout_s", "update_s"}:
            assert b[name] == pytest.approx(a[name], rel=1e-3, abs=1e-5), name
    weights = [_weights(tmp_path / run) for run in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-3, atol=1e-5)
    chosen = [json.loads((tmp_path / run / "config.json").read_text())["chosen"]["processes"] for run in ("one", "two")]
    assert chosen == [1, 2]


def _weights(run: Path) -> dict[str, torch.Tensor]:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(run / "policy").state_dict()


def test_ctrl_c_under_torchrun_saves(config: PPOConfig, tmp_path: Path) -> None:  # noqa: F811
    """The terminal sends it to every process; the first finishes its update and saves, the others wait for it."""
    run = tmp_path / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    asked = [*command, "textgym.cli", "train", "ppo", *arguments(config, run, num_updates=100_000, checkpoint_every=0)]
    with open(tmp_path / "log", "w") as log:
        begun = subprocess.Popen(
            asked, stdout=log, stderr=log, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        try:
            deadline = time.monotonic() + 200
            while not (run / "metrics.jsonl").exists() or len(figures(run)) < 4:
                assert begun.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            os.killpg(begun.pid, signal.SIGINT)
            begun.wait(timeout=100)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(begun.pid, signal.SIGKILL)
    told = (tmp_path / "log").read_text()
    assert "interrupted after update" in told
    assert "broke off" not in told
    assert "stopped by an error" not in told
    (saved,) = (run / "checkpoints").glob("update-*/state.pt")
    assert torch.load(saved, weights_only=True)["updates_done"] >= 3
    assert (run / "policy" / "model.safetensors").exists()


def test_prompts_are_shared_evenly_or_not_at_all(config: PPOConfig) -> None:  # noqa: F811
    assert [World(rank, 2).share(4) for rank in (0, 1)] == [slice(0, 2), slice(2, 4)]
    with pytest.raises(ValueError, match=r"prompts_per_update.*4 prompts for 3 processes"):
        Trainer(config, World(0, 3))


def test_each_process_of_a_machine_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert local_device(torch.device("cuda")) == torch.device("cuda", 3)
    assert local_device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    assert local_device(torch.device("cpu")) == torch.device("cpu")
