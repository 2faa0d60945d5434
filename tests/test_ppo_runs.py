"""A run of PPO and its folder: it survives Ctrl-C, errors and a kill, and no other run is written over."""

# ruff: noqa: F811 (fixtures are imported, and asked for by name)

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import tiny_tokenizer
from tiny_runs import (  # noqa: F401
    arguments,
    assert_same,
    config,
    folder,
    read_checkpoint,
    read_metrics,
    with_reward,
)

from textgym.agents import folders, ppo, runs
from textgym.agents.lock import HeldError, hold, is_held
from textgym.agents.ppo import PPOConfig, Trainer
from textgym.cli import main
from textgym.types import Transcript

# -- it goes on -------------------------------------------------------------------------------------


def during_update(n: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets something happen in the middle of the nth update."""
    prepare = Trainer.prepare

    def disturbed(self: Trainer, rollout: Any) -> Any:
        if self.updates_done == n - 1:
            act()
        return prepare(self, rollout)

    monkeypatch.setattr(Trainer, "prepare", disturbed)


def fail(error: Exception) -> None:
    raise error


def fail_at_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reward goes away between the second update and its evaluation."""
    evaluate = runs.Run.evaluate_if_due

    def disturbed(self: runs.Run, trainer: Any) -> Any:
        return fail(OSError("no reward")) if trainer.updates_done == 2 else evaluate(self, trainer)

    monkeypatch.setattr(runs.Run, "evaluate_if_due", disturbed)


BREAKS: dict[str, tuple[int, str, int, Callable[[pytest.MonkeyPatch], None]]] = {
    # what happens: (update that is saved, what is said of it, exit code, how)
    "Ctrl-C": (3, "interrupted", 130, lambda m: during_update(3, lambda: signal.raise_signal(signal.SIGINT), m)),
    "error": (2, "stopped by an error", 1, lambda m: during_update(3, lambda: fail(OSError("no reward")), m)),
    "error in evaluation": (2, "stopped by an error", 1, fail_at_evaluation),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_run_resumes_and_ends_where_an_unbroken_one_ends(
    what: str,
    config: PPOConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    saved_update, why, exit_code, break_it = BREAKS[what]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    asked = {"num_updates": 4, "eval_every": 2, "checkpoint_every": 0}
    assert main(["train", "ppo", *arguments(config, whole, **asked)]) == 0
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with monkeypatch.context() as patched:
        break_it(patched)
        assert main(["train", "ppo", *arguments(config, broken, **asked)]) == exit_code
    said = capsys.readouterr()
    assert f"{why} after update {saved_update}; saved in {broken}" in said.out
    assert "--resume" in said.out
    assert ("interrupted" if exit_code == 130 else "OSError: no reward") in said.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert read_checkpoint(broken)["updates_done"] == saved_update
    assert (broken / "policy" / "model.safetensors").exists()
    with open(broken / "metrics.jsonl", "a") as file:
        file.write('{"update": 4, "sco')  # a kill in the middle of a line
    assert main(["train", "ppo", *arguments(config, broken, **asked), "--resume"]) == 0
    a, b = read_checkpoint(whole), read_checkpoint(broken)
    assert a["updates_done"] == b["updates_done"] == 4
    for name, value in a["policy"].items():
        assert torch.equal(value, b["policy"][name]), name
    assert [r["update"] for r in read_metrics(broken)] == [0, 1, 2, 2, 3, 4, 4]
    for one, other in zip(read_metrics(whole), read_metrics(broken), strict=True):
        assert {k: v for k, v in one.items() if not k.endswith("_s") and v == v} == {
            k: v for k, v in other.items() if not k.endswith("_s") and v == v
        }
    assert (whole / "samples.md").read_text() == (broken / "samples.md").read_text()

    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(whole / "policy")
    for name, value in model.state_dict().items():
        assert torch.equal(value, a["policy"][f"model.{name}"])
    saved = AutoTokenizer.from_pretrained(whole / "policy")
    assert saved("The mayor").input_ids == tiny_tokenizer().encode("The mayor")
    assert saved.chat_template == tiny_tokenizer().hf.chat_template


def test_half_an_update_is_not_saved(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    update = Trainer.update

    def disturbed(self: Trainer, batch: Any) -> dict[str, float]:
        losses = update(self, batch)
        return losses if self.updates_done < 2 else fail(FloatingPointError("not finite"))  # type: ignore[return-value]

    monkeypatch.setattr(Trainer, "update", disturbed)
    with pytest.raises(FloatingPointError):
        ppo.train(replace(config, num_updates=4, checkpoint_every=1, run=str(tmp_path / "run")))
    assert "update 3 broke off halfway" in capsys.readouterr().out
    assert read_checkpoint(tmp_path / "run")["updates_done"] == 2


def test_make_hands_resume_on_as_the_message_says() -> None:
    assert "ARGS=--resume" in runs.GO_ON
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    (command,) = [line for line in makefile.splitlines() if "train ppo" in line]
    assert command.endswith("$(ARGS)")


KILLED: dict[str, dict[str, Any]] = {
    "plain": {},
    "all options": {"critic": "separate", "lora_rank": 2, "kl_target": 0.5, "minibatches": 1},
}


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_run_resumes_with_the_same_bits(name: str, config: PPOConfig, tmp_path: Path) -> None:
    """kill -9 somewhere in 40 updates, and the rest: weights, optimiser, KL coefficient, figures of an unbroken run."""
    if "lora_rank" in KILLED[name]:
        pytest.importorskip("peft")
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    more = {**KILLED[name], "num_updates": 40, "checkpoint_every": 1}
    command = [sys.executable, "-m", "textgym.cli", "train", "ppo", *arguments(config, broken, **more)]
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
        assert main(["train", "ppo", *arguments(config, broken, **more), "--resume"]) == 0
        assert main(["train", "ppo", *arguments(config, whole, **more)]) == 0
    finally:
        torch.set_num_threads(threads)
    a, b = read_checkpoint(whole), read_checkpoint(broken)
    assert_same(a, b)
    timed = ("rollout_s", "update_s")
    kept = [[{k: v for k, v in row.items() if k not in timed} for row in read_metrics(run)] for run in (whole, broken)]
    assert kept[0] == kept[1]


# -- one folder a run ------------------------------------------------------------------------------


def no_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppo, "Trainer", lambda config, world: pytest.fail("loaded something"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_new_runs_take_new_folders_and_resume_the_newest(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = ppo.train(replace(config, num_updates=1))
    old = contents(first)
    assert first == Path("runs/Summarize-v0-seed0")
    assert ppo.train(replace(config, num_updates=1)) == Path("runs/Summarize-v0-seed0-2")
    assert ppo.train(replace(config, num_updates=2, resume=True)) == Path("runs/Summarize-v0-seed0-2")
    assert contents(first) == old
    assert folders.choose_folder(config) == Path("runs/Summarize-v0-seed0-3")
    assert folders.choose_folder(replace(config, seed=1)) == Path("runs/Summarize-v0-seed1")
    os.utime(first / "config.json")  # was begun or resumed last
    assert folders.choose_folder(replace(config, resume=True)) == first
    (tmp_path / "runs" / "Summarize-v0-seed0-old").mkdir()  # a copy that somebody keeps
    assert folders.choose_folder(replace(config, resume=True)) == first


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "checkpoints/update-000001/state.pt", "policy/x"])
def test_a_folder_that_holds_a_run_is_refused_before_anything_is_loaded(
    name: str, config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    no_trainer(monkeypatch)
    with pytest.raises(ValueError, match=r"run=.* holds a run already: resume it \(--resume\), name another folder"):
        ppo.train(replace(config, run=str(tmp_path / "run")))
    assert contents(tmp_path / "run") == {name: b"precious"}
    with pytest.raises(ValueError, match="run must be a folder, got the file"):
        ppo.train(replace(config, run=str(path)))


def test_resume_says_when_there_is_nothing_to_resume(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, said in (("rum", f"did you mean '{tmp_path / 'run'}'"), ("elsewhere", "runs beside it are ['run']")):
        (tmp_path / "run" / "best").mkdir(parents=True, exist_ok=True)
        with pytest.raises(ValueError, match=re.escape(said)) as caught:  # a slip must not begin hours of training
            ppo.train(replace(config, run=str(tmp_path / given), resume=True))
        assert f"run={str(tmp_path / given)!r} is not there to be resumed" in str(caught.value)
        assert not (tmp_path / given).exists()
    (tmp_path / "run" / "best").rmdir()
    run = ppo.train(replace(config, num_updates=1, run=str(tmp_path / "run"), resume=True))
    assert f"nothing to resume in {run}: a new run begins" in capsys.readouterr().out
    assert ppo.train(replace(config, num_updates=2, run=str(run), resume=True)) == run
    assert "nothing to resume" not in capsys.readouterr().out
    (found,) = (run / "checkpoints").glob("*/state.pt")
    found.unlink()
    old = contents(run)
    no_trainer(monkeypatch)
    with pytest.raises(ValueError, match=r"no checkpoint in .* policy would be written over"):
        ppo.train(replace(config, run=str(run), resume=True))
    assert contents(run) == old


def test_a_run_that_goes_on_is_not_resumed_beside_itself(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would write one folder; the second is told who holds it, before it loads or writes anything."""
    run = tmp_path / "run"
    asked = replace(config, num_updates=3, checkpoint_every=1, run=str(run))
    told: list[str] = []

    def resume_beside() -> None:
        before = contents(run)
        with monkeypatch.context() as patched:
            no_trainer(patched)
            with pytest.raises(HeldError) as caught:
                ppo.train(replace(asked, num_updates=9, resume=True))
        told.append(str(caught.value))
        assert contents(run) == before

    with monkeypatch.context() as patched:
        during_update(2, resume_beside, patched)
        ppo.train(asked)
    assert len(told) == 1
    assert f"run={str(run)!r} is being written to by process {os.getpid()} on " in told[0]
    assert [row["update"] for row in read_metrics(run) if "evaluation" not in row] == [1, 2, 3]
    assert not is_held(run)
    ppo.train(replace(asked, num_updates=4, resume=True))
    assert read_checkpoint(run)["updates_done"] == 4


@pytest.mark.skipif(sys.platform == "win32", reason="no fcntl: nothing is locked")
def test_a_killed_run_does_not_hold_its_folder(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ppo.train(replace(config, num_updates=1, run=str(tmp_path / "run")))
    holds = "import sys, pathlib, time; from textgym.agents.lock import hold; held = hold(pathlib.Path(sys.argv[1])); "
    command = [sys.executable, "-c", f"{holds}print('held', flush=True); time.sleep(600)", str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            assert main(["train", "ppo", *arguments(config, run, num_updates=2), "--resume"]) == 1
            said = capsys.readouterr().err
            assert str(run) in said
            assert f"process {other.pid} on " in said
        finally:
            other.kill()
            other.wait()
    assert ppo.train(replace(config, num_updates=2, run=str(run), resume=True)) == run
    assert read_checkpoint(run)["updates_done"] == 2


def test_where_nothing_can_be_locked_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks, and Windows."""
    fcntl = pytest.importorskip("fcntl")
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", lambda *given: fail(OSError(37, "No locks available")))
        hold(tmp_path)
        hold(tmp_path).close()
    monkeypatch.setitem(sys.modules, "fcntl", None)
    hold(tmp_path)
    hold(tmp_path).close()


def test_best_is_what_the_help_says_it_is(
    config: PPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Evaluations sample at temperature 1, also where training does not."""
    with pytest.raises(SystemExit):
        main(["train", "ppo", "--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "sampled at temperature 1 whatever training's is, of which the one with the highest learned score" in told
    assert "is kept as best/" in told
    cold = Trainer(replace(config, temperature=0.5)).stage.evaluate()
    assert cold.temperature == 1
    assert cold.means["score"] == Trainer(config).stage.evaluate().means["score"]


def test_what_can_be_checked_is_checked_before_anything_is_written(config: PPOConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    data = json.dumps({"path": config.data, "holdout": 1e-9})
    for changes, error, told in (
        ({"eval_split": "dev"}, ValueError, "eval_split must be one of .*'dev'"),
        ({"data": data}, ValueError, "split 'validation' of .* is empty"),
        ({"reward": {("a", "b"): 1}}, TypeError, "reward cannot be written to config.json"),
        ({"reward": lambda transcript: fail(OSError("no reward"))}, OSError, "no reward"),
    ):
        with pytest.raises(error, match=told):
            ppo.train(replace(config, run=str(run), **changes))
        assert not run.exists(), changes


def test_a_config_of_python_objects_is_written_by_name(
    config: PPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = replace(with_reward(config, length_reward), num_updates=1, seed=np.int64(3), run=tmp_path / "run")  # type: ignore[arg-type]
    run = ppo.train(given)
    written = json.loads((run / "config.json").read_text())["config"]
    assert written["reward"] == f"<Python: {__name__}.length_reward>"
    assert written["seed"] == 3
    assert written["run"] == str(run)
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 1
    assert "reward must be given" in capsys.readouterr().err


def length_reward(transcript: Transcript) -> float:
    return len(transcript.response) / 100


def test_a_run_is_resumed_with_its_own_config_only(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    begun = folders.describe(replace(config, run=str(run)))
    (run / "config.json").write_text(json.dumps({"config": begun}))
    no_trainer(monkeypatch)
    for field in fields(PPOConfig):
        other = begun | {field.name: "another"}
        if field.name in folders.MAY_DIFFER:
            folders.require_same(other, run)
            continue
        with pytest.raises(ValueError, match=rf"{field.name} was {begun[field.name]!r} and is 'another'"):
            folders.require_same(other, run)
    with pytest.raises(ValueError, match=r"learning_rate was 0\.003 and is 0\.1\. Give the old values"):
        ppo.train(replace(config, run=str(run), resume=True, learning_rate=0.1))
    assert {"env", "policy", "reward", "data", "seed", "prompts_per_update", "dtype"}.isdisjoint(folders.MAY_DIFFER)


@pytest.mark.parametrize("name", ["reinforce", "rloo", "best-of-n", "sft"])
def test_a_run_is_resumed_by_its_own_agent_only(
    name: str, config: PPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another agent would go on from its checkpoint, or write over its figures."""
    run = ppo.train(replace(config, num_updates=1, run=str(tmp_path / "run")))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    asked = [
        "train",
        name,
        "--policy",
        config.policy,
        "--data",
        str(config.data),
        "--reward",
        "chrf",
        "--run",
        str(run),
    ]
    capsys.readouterr()
    assert main([*asked, "--resume"]) == 1
    assert f"resume cannot go on in {str(run)!r} as {name}, ppo began it" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert main(["train", "ppo", *arguments(config, run / "policy"), "--resume"]) == 1  # a model has a config.json too
    assert "is no run's folder" in capsys.readouterr().err
