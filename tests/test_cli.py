"""The command line: what it prints, and its exit codes. In this process, so that it stays quick."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from textgym import ENV_IDS
from textgym.cli import main, run_safely
from textgym.models import places

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_list_names_every_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    for env_id in ENV_IDS:
        assert printed.count(env_id) == 2  # in the table, and before its manual's first line


def test_sample_prints_prompts_and_references(capsys: pytest.CaptureFixture[str]) -> None:
    for env_id in ENV_IDS:
        assert main(["sample", "--env", env_id, "--n", "2", "--split", "validation"]) == 0
        printed = capsys.readouterr().out
        assert printed.count("user: ") >= 2
        assert printed.count("reference 1: ") == 2
    own = {"path": str(EXAMPLES / "own_news.jsonl"), "columns": {"prompt": "story", "reference": "short"}}
    assert main(["sample", "--data", json.dumps(own), "--n", "100"]) == 0
    assert capsys.readouterr().out.count("reference 1: ") == 8


def test_doctor_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "bfloat16 products" in printed
    assert "cores" in printed


def test_wrong_commands_and_arguments_have_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["smaple"], ["train"], ["train", "pop"], ["train", "evaluate"]):
        assert main(arguments) == 2
    told = capsys.readouterr()
    assert "no command 'smaple', there are ['list'" in told.err
    assert "no agent 'pop', there are ['ppo'" in told.err
    for arguments in (
        ["sample", "--evn", "x"],
        ["sample", "--n", "many"],
        ["train", "ppo", "--sede", "1"],
        ["evaluate"],
        ["evaluate", "embedded", "--promts", "3"],
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


def test_errors_are_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["sample", "--env", "textgym/Essay-v0"], ["sample", "--split", "dev"], ["sample", "--n", "0"]):
        assert main(arguments) == 1
        told = capsys.readouterr().err
        assert told.startswith("textgym: ValueError: ")
        assert told.count("\n") == 1


def test_a_policy_that_is_not_there_is_one_line_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "is_reachable", lambda url: pytest.fail("a path is not looked for on the hub"))
    nowhere = str(tmp_path / "nowhere")
    for arguments in (["evaluate", nowhere], ["train", "ppo", "--policy", nowhere]):
        assert main(arguments) == 1
        told = capsys.readouterr().err
        assert told == f"textgym: ValueError: policy={nowhere!r} is a path where no folder is\n"


def test_a_device_that_is_not_there_is_one_line_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from textgym.agents import ppo

    monkeypatch.setattr(ppo, "load_language_model", lambda *_: pytest.fail("loaded something"))
    devices = ["gpu7"] if torch.cuda.is_available() else ["gpu7", "cuda"]
    for device in devices:
        for command in (["evaluate", "embedded"], ["train", "ppo"]):
            assert main([*command, "--device", device]) == 1
            told = capsys.readouterr().err
            assert told.startswith("textgym: ValueError: device must be 'auto', 'cpu' or a GPU that PyTorch finds here")
            assert f"got {device!r}" in told
            assert told.count("\n") == 1


def test_ctrl_c_has_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert run_safely(interrupted) == 130
    assert "interrupted" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert main(["--version"]) == 0
    assert main(["train", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "textgym train ppo" in printed
    assert "textgym evaluate" in printed
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", "--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for option in ("RUN-OR-MODEL", "--env", "--prompts", "--greedy", "--json"):
        assert option in printed


def test_an_unknown_id_is_one_line_that_names_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "ppo", "--env", "textgym/Sumarize-v0"]) == 1
    said = capsys.readouterr().err
    assert "Did you mean: `Summarize`?" in said
    assert "Traceback" not in said


def test_play_lets_a_person_be_the_policy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A right answer, typed: it is worth what the env says, and the gold score stands beside it."""
    from textgym.tasks.load import load_task

    example = load_task("translate", split="test")[3]
    monkeypatch.setattr("builtins.input", lambda prompt: example.references[0])
    assert main(["play", "--env", "textgym/Translate-v0", "--index", "3", "--reward", "0.25"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"user: {example.prompt[-1].content}" in told
    assert "reward +0.25 (eot)" in told
    assert "gold 1.00" in told
    assert "adequacy 1.00" in told
    assert f"a right answer: {example.references[0]}" in told
    assert main(["play", "--env", "textgym/Translate-v0", "--episodes", "0"]) == 1


def test_play_is_a_conversation_and_can_be_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["What is your name, please?", "Which day would you like?"])

    def type_in(prompt: str) -> str:
        try:
            return next(answers)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("builtins.input", type_in)
    assert main(["play", "--seed", "0", "--reward", "0"]) == 130
    told = capsys.readouterr().out
    assert told.count("user: ") == 3  # the first message, and one after each of ours
    assert "What is your name" not in told  # what one typed is not said again
