"""A run on two processes is the run on one, up to rounding; the same command under `torchrun`.

Two gloo processes on a CPU: the same prompts, the same words, the same gradients, one folder; with the policy whole in
each of them and, with `shard`, half of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import save_tiny_tokenizer, tiny_policy
from tiny_runs import arguments, chat, config, folder, read_checkpoint  # noqa: F401  (fixtures)

from textgym.agents.distributed import World, local_device
from textgym.agents.ppo import PPOConfig, Trainer


def figures(run: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; what is not known is left out."""

    def known(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in pairs if value is not None}

    return [json.loads(line, object_pairs_hook=known) for line in (run / "metrics.jsonl").read_text().splitlines()]


def on_two(asked: list[str], folder: Path) -> str:  # noqa: F811
    """What two processes print of the same command: a module and its arguments, or a script."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    told = subprocess.run(
        [*command, *asked],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert told.returncode == 0, told.stderr[-2000:]
    return told.stdout


@pytest.mark.parametrize("world", ["config", "chat"])
def test_two_processes_do_what_one_does(world: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    given: PPOConfig = request.getfixturevalue(world)
    from textgym.cli import main

    on_two(["-m", "--", "textgym.cli", "train", "ppo", *arguments(given, tmp_path / "two", env=given.env)], tmp_path)
    assert main(["train", "ppo", *arguments(given, tmp_path / "one", env=given.env)]) == 0
    assert_same_runs(tmp_path)


def assert_same_runs(tmp_path: Path) -> None:
    """The folders one and two hold the same figures and policies, up to rounding."""
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


@pytest.mark.parametrize("adapters", [False, True])
def test_half_a_policy_in_each_of_two_processes_does_what_one_does(
    adapters: bool,
    config: PPOConfig,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Through a checkpoint, too, which is whole and as one process saves it; embeddings and head are one tensor."""
    from textgym.cli import main

    tiny_policy(tie_word_embeddings=True).save_pretrained(tmp_path / "policy")
    save_tiny_tokenizer(tmp_path / "policy")
    more: dict[str, Any] = {"policy": tmp_path / "policy", "critic_warmup": 1}
    more |= {"lora_rank": 2} if adapters else {}
    for updates, resumes in ((2, []), (3, ["--resume"])):
        one, two = (
            ["train", "ppo", *arguments(config, tmp_path / run, num_updates=updates, **more), *resumes]
            for run in ("one", "two")
        )
        on_two(["-m", "--", "textgym.cli", *two, "--shard"], tmp_path)
        assert main(one) == 0
        states = [read_checkpoint(tmp_path / run) for run in ("one", "two")]
        torch.testing.assert_close(states[1]["policy"], dict(states[0]["policy"]), rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(
            states[1]["optimizer"]["state"], states[0]["optimizer"]["state"], rtol=1e-3, atol=1e-5
        )
        assert states[1]["optimizer"]["param_groups"] == states[0]["optimizer"]["param_groups"]
    assert_same_runs(tmp_path)


COUNTS = """
import json, sys
import torch
from torch.distributed.tensor import DTensor
from textgym.agents.distributed import join
from textgym.agents.ppo import PPOConfig, Trainer

def held(tensors):
    return sum((t.to_local() if isinstance(t, DTensor) else t).numel() for t in tensors)

with join(torch.device("cpu")) as world:
    trainer = Trainer(PPOConfig(**json.loads(sys.argv[1])), world)
    count = {"weights": held(trainer.optimizer.param_groups[0]["params"])}
    trainer.stage.go_on(trainer, None)
    gathered = list(trainer.stage.model.parameters())
    count["whole"] = held(gathered)
    trainer.step()
    state = trainer.optimizer.state.values()
    count |= {name: held(known[name] for known in state) for name in ("exp_avg", "exp_avg_sq")}
    trainer.stage.shards.part()
    count["gathered"] = sum(p.untyped_storage().nbytes() for p in gathered)
    print(json.dumps(count), flush=True)
"""


def test_each_process_holds_its_part(config: PPOConfig, tmp_path: Path) -> None:  # noqa: F811
    """Of weights and of Adam's moments; what was gathered takes no memory when it is not needed."""
    (tmp_path / "counts.py").write_text(COUNTS)
    given = json.dumps({**asdict(config), "shard": True})
    told = on_two([str(tmp_path / "counts.py"), given], tmp_path)
    counts = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert len(counts) == 2
    whole = sum(p.numel() for p in tiny_policy().parameters())
    head = tiny_policy().config.hidden_size + 1  # the value head's, which each process has
    for count in counts:
        assert count["whole"] == whole
        assert count["weights"] == pytest.approx(whole / 2, rel=0.01)
        assert count["exp_avg"] == count["exp_avg_sq"] == count["weights"] + head
        assert count["gathered"] == 0
    assert sum(count["weights"] for count in counts) == whole


def test_what_cannot_be_parted_says_so(config: PPOConfig) -> None:  # noqa: F811
    with pytest.raises(ValueError, match=r"shard needs several processes.*got one"):
        Trainer(replace(config, shard=True))
    with pytest.raises(ValueError, match=r"shard must be False with critic='separate'"):
        replace(config, shard=True, critic="separate").check()


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
