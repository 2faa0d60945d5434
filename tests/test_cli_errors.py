"""What the command line says to slips: names that are nearly right, files that are not there, stores with nothing in
them. And what `--json` promises: a line of JSON, and nothing else on stdout.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from textgym import ENV_IDS
from textgym.agents.run_config import RunConfig
from textgym.agents.sample import SampleConfig
from textgym.cli import main
from textgym.commands import doctor
from textgym.envs.registration import require_id, require_playable
from textgym.feedback.store import Store
from textgym.models import places
from textgym.models.tokenizer import load_tokenizer
from textgym.progress import json_alone
from textgym.rewards.serve import RewardServer

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In an empty folder, and whoever asks the hub is found out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "is_reachable", lambda url: pytest.fail("the hub was asked"))


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    """The line on stderr of a command that must fail."""
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err


# -- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("sample", "--env"),
        ("play", "--env"),
        ("train", "ppo", "--env"),
        ("evaluate", "embedded", "--env"),
        ("compare", "--agents", "ppo", "--env"),
        ("feedback", "sample", "--env"),
        ("lab", "overoptimize", "--env"),
        ("serve", "--env"),
    ],
    ids=" ".join,
)
def test_every_command_says_which_ids_there_are(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    for given, meant in (("Sumarize", "Summarize"), ("textgym/Dialog-v0", "Dialogue"), ("Translate-v0", "Translate")):
        said = told(capsys, *command, given)
        assert f"env must be one of {list(ENV_IDS)}, got {given!r}; did you mean 'textgym/{meant}-v0'?" in said
    said = told(capsys, *command, "CartPole-v1")
    assert str(list(ENV_IDS)) in said
    assert "'CartPole-v1'" in said


def test_an_id_of_nobody_is_gymnasiums_error_and_one_of_a_user_is_none() -> None:
    with pytest.raises(gym.error.NameNotFound, match="got 'textgym/Essay-v0'"):
        RunConfig(env="textgym/Essay-v0").check()
    with pytest.raises(gym.error.NameNotFound, match="got 'textgym/Essay-v0'"):
        SampleConfig(env="textgym/Essay-v0")
    with pytest.raises(ValueError, match="env of texts"):
        require_playable("CartPole-v1")
    gym.register("Own-v0", vector_entry_point=lambda num_envs=1, **options: None)
    try:
        assert require_playable("Own-v0") == "Own-v0"
        with pytest.raises(ValueError, match="got 'Own-v0'"):
            require_id("Own-v0")
    finally:
        del gym.registry["Own-v0"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ppo"], "did you mean 'train ppo'?"),
        (["--versoin"], "did you mean '--version'?"),
        (["hlep"], "did you mean 'help'?"),
        (["train", "--hlep"], "did you mean '--help'?"),
        (["feedback", "--hepl"], "did you mean '--help'?"),
    ],
    ids=str,
)
def test_words_that_are_no_command(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in told(capsys, *arguments, code=2)


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    for asked, same in ((["help"], ["--help"]), (["help", "train"], ["train", "--help"])):
        assert main(asked) == 0
        printed = capsys.readouterr().out
        assert main(same) == 0
        assert printed == capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sample", "--split", "tset"], "got 'tset'; did you mean 'test'?"),
        (["train", "ppo", "--split", "trian"], "got 'trian'; did you mean 'train'?"),
        (["train", "ppo", "--eval-split", "validaton"], "got 'validaton'; did you mean 'validation'?"),
        (["sample", "--data", '["a"]'], "data as JSON must be a dict of options"),
        (["evaluate", "runs/none"], "policy='runs/none' is a path where no folder is"),
        (["reward", "train", "--data", "x", "--model", "embeded"], "model must be one of ['embedded', 'embedded:dial"),
        (["reward", "train", "--data", "x", "--model", "embeded"], "got 'embeded'; did you mean 'embedded'?"),
        (["reward", "train", "--data", "x", "--model", "./no"], "model='./no' is a path where no folder is"),
        (["play", "--as", "user", "--env", "textgym/Translate-v0"], "--as user needs an env with a user"),
        (["play", "--policy", "embedded"], "policy is who answers a user: it needs --as user"),
    ],
    ids=str,
)
def test_the_error_names_what_was_typed(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in told(capsys, *arguments)


@pytest.mark.parametrize("command", [["serve"], ["eval", "--data", "x"]], ids=str)
def test_a_reward_model_has_a_world(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    known = "['embedded:dialogue', 'embedded:summarize', 'embedded:translate']"
    for given, meant in (("embedded", ""), ("embedded:sumarize", "; did you mean 'embedded:summarize'?")):
        said = told(capsys, "reward", *command, "--model", given)
        assert f"model must be one of {known}, a folder or a hub name, got {given!r}{meant}\n" in said


def test_a_folder_without_a_tokenizer_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="this folder has no tokenizer files that can be read") as caught:
        load_tokenizer(str(tmp_path / "empty"))
    assert "sentencepiece" not in str(caught.value)


# -- servers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["99999999", "-5"])
def test_a_port_is_one(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["reward", "serve", "--model", "embedded:summarize"], ["feedback", "serve"]):
        said = told(capsys, *command, "--port", port)
        assert f"port must be an integer from 0 to 65535, got {port}" in said
    with pytest.raises(ValueError, match="port must be"):
        RewardServer(None, port=int(port))  # type: ignore[arg-type]


def test_nothing_is_announced_that_is_not_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "policy='./nope' is a path" in told(capsys, "serve", "--policy", "./nope", "--port", "0")
    (tmp_path / "hollow").mkdir()  # is there, and is no policy
    assert main(["serve", "--env", "textgym/Translate-v0", "--reward", "0", "--policy", "hollow", "--port", "0"]) == 1
    out, err = capsys.readouterr()
    assert "serving hollow" not in out
    assert "policy='hollow'" in err


# -- stores of judgements ---------------------------------------------------------------------------------


def test_data_that_is_not_there_leaves_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["serve", "--port", "0"], ["judge", "--rater", "anna"], ["judge", "--rater", "anna", "--k", "1"]):
        assert "nosuch.jsonl could not be read" in told(capsys, "feedback", *command, "--data", "nosuch.jsonl")
    assert "store must be a file of" in told(capsys, "feedback", "judge", "--rater", "anna")
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_nothing_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store("feedback.db").close()
    for command in (["report"], ["report", "--json"], ["export", "--out", "out.jsonl"], ["judge", "--rater", "anna"]):
        assert "store must hold items, 'feedback.db' has none" in told(capsys, "feedback", *command)
    assert not (tmp_path / "out.jsonl").exists()


# -- JSON for scripts -------------------------------------------------------------------------------------


def test_only_the_line_of_json_reaches_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    for is_wanted, out, err in ((True, "{}\n", "a table\n"), (False, "a table\n", "")):
        with json_alone(is_wanted) as print_line:
            print("a table")
            print_line("{}")
        assert tuple(capsys.readouterr()) == (out, err)


def test_evaluate_prints_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["evaluate", "lead-3", "--prompts", "2", "--reward", "constant:1"]
    assert main([*asked, "--json"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert json.loads(out)["figures"]["score"] == 1.0
    assert "gold" in err  # the table
    assert main(asked) == 0
    assert "gold" in capsys.readouterr().out


# -- the doctor -------------------------------------------------------------------------------------------


def test_the_doctor_knows_the_extras_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ["numpy>=1", 'nowhere-to-be-had[x]>=2; python_version > "3" and extra == "docs"', "rich; extra == 'train'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: [*needs, 'textgym[docs]; extra == "all"'])
    assert doctor.extras() == {"docs": ["nowhere-to-be-had"], "train": ["rich"]}
    monkeypatch.setattr(doctor, "_products_per_second", lambda dtype: 1e9)
    found = dict(doctor.examine())
    assert found["extra 'docs'"] == "lacks nowhere-to-be-had: pip install 'textgym[docs]'"
    monkeypatch.undo()
    assert set(doctor.extras()) == set(importlib.metadata.metadata("textgym").get_all("Provides-Extra")) - {
        "all",
        "dev",
    }


# -- the examples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http_agent.py", "--server", "http://127.0.0.1:9", "--chat", "x", "--model", "x"], "9/sessions: no answer: "),
        (["cleanrl_ppo.py", "--env-id", "textgym/Sumarize-v0"], "did you mean 'textgym/Summarize-v0'?"),
        (["cleanrl_ppo.py", "--env-id", "CartPole-v1"], "env must be an env of texts"),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else given,
)
def test_examples_end_in_a_sentence(arguments: list[str], said: str) -> None:
    command = [sys.executable, str(EXAMPLES / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
    assert said in done.stderr
    assert "Traceback" not in done.stderr
