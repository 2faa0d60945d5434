"""What a user may write wrongly, in Python and on the command line: said at once, in one line, with what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from tiny import save_tiny_tokenizer, tiny_hf_tokenizer, tiny_policy, tiny_tokenizer

from textgym import cli
from textgym.models import tokenizer as tokenizers
from textgym.tasks.load import load_task

SMALL = {"context_length": 640, "max_new_tokens": 8, "action": "response"}
IDS = ("textgym/Summarize-v0", "textgym/Translate-v0", "textgym/Dialogue-v0")


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def make(env_id: str, **given: Any) -> Any:
    return gym.make(env_id, **{"tokenizer": tiny_tokenizer(), **SMALL, **given})


def figures_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `textgym evaluate --json` said last."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]


# -- reward ------------------------------------------------------------------------------------------


def test_a_reward_may_be_a_number_or_json_in_python_and_in_a_shell(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tokenizer: str
) -> None:
    as_json = json.dumps({"type": "sum", "parts": [{"reward": 0.5, "weight": 3}, {"reward": "1", "name": "one"}]})
    for reward, score in (("0.5", 0.5), ("-2", -2.0), (as_json, 2.5)):
        env = make(IDS[0], reward=reward, tokenizer=tokenizer)
        assert json.loads(env.spec.to_json())["kwargs"]["reward"] == reward
        env.reset(seed=0)
        assert env.step("Nothing.")[1] == score
    tiny_policy().save_pretrained(tmp_path)
    tiny_hf_tokenizer().save_pretrained(tmp_path)
    for reward, score in (("0.5", 0.5), (as_json, 2.5)):
        arguments = ["--prompts", "2", "--max-new-tokens", "4", "--context-length", "512", "--json"]
        assert cli.main(["evaluate", str(tmp_path), *arguments, "--reward", reward]) == 0
        assert figures_of(capsys)["score"] == score


def test_a_metric_is_refused_for_the_embedded_conversations() -> None:
    for make_one in (make, lambda *a, **k: gym.make_vec(*a, **{"tokenizer": tiny_tokenizer(), **SMALL, **k})):
        for reward in ("rougeL", '{"type": "metric", "name": "bleu"}'):
            with pytest.raises(
                ValueError, match=r"first turns; what works is \"learned\", \"gold\", or a metric on data"
            ):
                make_one("textgym/Dialogue-v0", reward=reward)
    for env_id in IDS[:2]:
        env = make(env_id, reward="rougeL")
        env.reset(seed=0)
        assert 0 <= env.step("Nothing.")[1] <= 1


# -- device ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["gpu7", "cuda:99", "CPU", "", "mps:3"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(device: str) -> None:
    with pytest.raises(ValueError, match=rf"^device must be one of \['cpu'.*\], got {device!r}$"):
        make(IDS[0], reward="gold", device=device)


def test_cuda_needs_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    for device in ("cuda", "cuda:0", torch.device("cuda")):
        with pytest.raises(ValueError, match=rf"^device must be one of \['cpu'\], got '{device}'$"):
            make(IDS[0], reward="gold", device=device)
    make(IDS[0], reward="gold", device=torch.device("cpu"))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    for device in ("cuda", "cuda:1"):
        make(IDS[0], reward="gold", device=device)
    with pytest.raises(ValueError, match=r"\['cpu', 'cuda', 'cuda:0', 'cuda:1'\], got 'cuda:2'$"):
        make(IDS[0], reward="gold", device="cuda:2")


# -- the command line --------------------------------------------------------------------------------


def test_a_server_that_is_gone_and_a_file_that_changed_are_one_line_each(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "summary": "b"}\n')
    task = load_task("summarize", data=path)
    path.write_text('{"text": "other", "summary": "b"}\n')

    def ask_nobody() -> int:
        env = make(IDS[0], reward='{"type": "remote", "url": "http://127.0.0.1:9/get_reward", "attempts": 1}')
        env.reset(seed=0)
        env.step("Nothing.")
        return 0

    for command, told in (
        (ask_nobody, "textgym: RemoteRewardError: http://127.0.0.1:9/get_reward gave no answer in 1 attempts"),
        (lambda: len(task[0].prompt), f"textgym: FileChangedError: {path} has changed since it was loaded"),
    ):
        assert cli.run_safely(command) == 1
        said = capsys.readouterr().err
        assert said.startswith(told)
        assert said.count("\n") == 1
    with pytest.raises(RuntimeError, match="a fault of ours"):  # what nobody expected keeps its traceback
        cli.run_safely(lambda: exec("raise RuntimeError('a fault of ours')"))


def test_bad_arguments_are_one_line_on_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sizes = ["--prompts", "2", "--max-new-tokens", "4"]
    nowhere = tmp_path / "nowhere.jsonl"
    for arguments, told in (
        (["evaluate", "embedded", *sizes, "--reward", "rougel"], "reward 'rougel' is unknown (did you mean 'rougeL'?)"),
        (["evaluate", "embedded", *sizes, "--reward", "{"], "reward looks like JSON and is none"),
        (["evaluate", "embedded", *sizes, "--env", IDS[2], "--reward", "bleu"], "reward 'bleu' compares"),
        (["sample", "--data", str(nowhere)], f"data={str(nowhere)!r} cannot be read"),
    ):
        assert cli.main(arguments) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"textgym: ValueError: {told}")
        assert said.count("\n") == 1


def test_a_tokenizer_that_does_not_fit_the_policy_is_one_line_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A policy of 300 ids; the embedded tokenizer has more, and so has the one in the policy's folder."""
    tiny_policy(vocab_size=300).save_pretrained(tmp_path / "policy")
    tiny_hf_tokenizer().save_pretrained(tmp_path / "policy")
    policy, run = str(tmp_path / "policy"), tmp_path / "run"
    capsys.readouterr()  # the progress bar of saving
    for tokenizer in ("embedded", policy):
        arguments = ["--policy", policy, "--tokenizer", tokenizer, "--run", str(run), "--reward", "0.5"]
        assert cli.main(["train", "ppo", *arguments]) == 1
        said = capsys.readouterr().err
        assert said.startswith("textgym: ValueError: tokenizer does not fit the policy: it has ")
        assert said.endswith(" token ids, the policy's vocabulary has 300\n")
        assert not run.exists()
        assert cli.main(["evaluate", policy, "--tokenizer", tokenizer, "--reward", "0.5"]) == 1
        assert capsys.readouterr().err == said


# -- the doctor --------------------------------------------------------------------------------------


def test_the_doctor_looks_for_the_files_themselves(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textgym.commands.doctor._products_per_second", lambda dtype: 1e9)

    def told() -> str:
        assert cli.main(["doctor"]) == 0
        [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("assets")]
        return line

    listed = json.loads((tokenizers.EMBEDDED.parent / "manifest.json").read_text())["files"]
    assert f"complete, {len(listed)} files" in told()
    monkeypatch.setattr(tokenizers, "EMBEDDED", tmp_path / "tokenizer")
    assert "lacks manifest.json: install textgym anew" in told()
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"a/b.json": {}, "c.safetensors": {}, "d": {}}}))
    (tmp_path / "d").write_text("x")
    assert "lacks a/b.json, c.safetensors: install textgym anew, or build them with `textgym train assets`" in told()
