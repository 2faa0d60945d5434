"""The command line: what it prints, and its exit codes. In this process, so that it stays quick."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from textgym import ENV_IDS
from textgym.agents import commands as agents
from textgym.cli import USAGE, main, run_safely
from textgym.commands import table
from textgym.commands.completion import Paths, all_commands, completion
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


def test_what_the_doctor_says_is_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every figure of it is held to the thing itself, and those that can be changed from here change with it."""
    (tmp_path / "kept").write_bytes(b"0" * 3_000_000)
    threads = torch.get_num_threads()
    found = {}
    try:
        for n, hub in ((1, tmp_path), (2, tmp_path / "kept" / "nowhere")):
            torch.set_num_threads(n)
            monkeypatch.setenv("HF_HOME", str(hub))
            assert main(["doctor", "--json"]) == 0
            found[n] = json.loads(capsys.readouterr().out)
    finally:
        torch.set_num_threads(threads)
    for said in found.values():
        assert said["python"] == platform.python_version()
        for name in ("textgym", "gymnasium", "numpy", "torch", "transformers", "tokenizers", "safetensors"):
            assert said[name] == version(name)
        assert said["platform"] == f"{platform.system()} {platform.machine()}"
        assert said["device auto"] == ("cuda" if torch.cuda.is_available() else "cpu")
        assert said["gpu"].startswith("none") == (torch.cuda.device_count() == 0)
        for dtype in (torch.float32, torch.bfloat16):
            number, unit = said[f"{str(dtype).removeprefix('torch.')} products"].split(maxsplit=1)
            assert unit == "GFLOP/s on the CPU"
            rate = float(number.replace(",", "")) * 1e9
            assert 0.03 < rate / products_per_second(dtype) < 30  # this machine may be busy with other things
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert found[1]["cores"] == f"{usable} usable, torch uses 1 threads"
    assert found[2]["cores"] == f"{usable} usable, torch uses 2 threads"
    assert found[1]["cache of the hub"].startswith(f"{tmp_path}: 3 MB, ")
    assert found[2]["cache of the hub"].startswith(f"{tmp_path / 'kept' / 'nowhere'}: 0 MB, ")


def products_per_second(dtype: torch.dtype) -> float:
    """As the doctor counts them, of another size."""
    a, b = torch.ones(1024, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
    a @ b
    start = time.perf_counter()
    for _ in range(5):
        a @ b
    return 5 * 2 * 1024 * 512 * 512 / (time.perf_counter() - start)


@pytest.mark.parametrize(
    ("rate", "said"), [(0.34e9, "0.34"), (0.04e9, "0.04"), (3.14e9, "3.1"), (9.96e9, "10"), (12345.6e9, "12,346")]
)
def test_a_slow_machine_is_not_told_that_it_does_nothing(
    rate: float, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("textgym.commands.doctor._products_per_second", lambda dtype: rate)
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bfloat16 products"] == f"{said} GFLOP/s on the CPU"


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
    from transformers import AutoModelForCausalLM

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("loaded something"))
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
    assert "did you mean 'textgym/Summarize-v0'?" in said
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


def test_a_person_is_the_user_and_the_policy_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The policy's own words, the learned reward, and why there is no gold score."""
    from textgym.models.policy import load_policy

    said = iter(["A room for Friday, please.", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(said))
    assert main(["play", "--as", "user", "--index", "0", "--reward", "0.5"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    system = {"role": "system", "content": _system_of("dialogue", 0)}
    user = {"role": "user", "content": "A room for Friday, please."}
    answer = load_policy().generate([system, user], max_new_tokens=48)
    assert f"assistant: {' '.join(answer.split())}" in told
    assert "reward +0.50" in told
    assert "no gold score" in told
    assert main(["play", "--env", "textgym/Translate-v0", "--as", "user", "--reward", "0"]) == 1
    assert "needs an env with a user to talk to" in capsys.readouterr().err
    assert main(["play", "--policy", "runs/mine"]) == 1  # a person is the policy, nobody would ask this one
    assert "it needs --as user (as_='user'), got policy='runs/mine' alone" in capsys.readouterr().err


def _system_of(world: str, index: int) -> str:
    from textgym.tasks.load import load_task

    return load_task(world, split="test")[index].prompt[0].content


# -- the table of commands ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paths() -> Paths:
    return all_commands()


def test_every_command_loads_and_its_examples_use_its_own_options(paths: Paths) -> None:
    """What help shows can be typed: the command's name, and no option that it does not have."""
    lines = [(path, line) for path in paths for line in examples_of(path)]
    assert {path for path, _ in lines} == set(paths)
    for path, line in lines:
        words = shlex.split(line)
        assert tuple(words[1 : 1 + len(path)]) == path or words[1:3] == ["train", path[-1]], line
        known = {option.flag for option in paths[path]} | {"--help"}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line
        assert line in USAGE or path[0] in USAGE  # the first page names it


def examples_of(path: tuple[str, ...]) -> list[str]:
    if path[0] == "train":
        return agents.examples(path[1], "textgym train")
    return list(table.find(path).examples)


def test_help_ends_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["sample"], ["feedback", "report"], ["train", "ppo"]):
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        told = capsys.readouterr().out
        assert told.index("examples:\n  textgym ") > told.index("--help")


def test_typos_are_told_the_nearest(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "is_reachable", lambda url: pytest.fail("a typo is not looked for on the hub"))
    for arguments, meant, code in (
        (["trian"], "'train'", 2),
        (["feedback", "reprot"], "'report'", 2),
        (["train", "poo"], "'ppo'", 2),
        (["sample", "--env", "textgym/Trasnlate-v0"], "'textgym/Translate-v0'", 1),
        (["train", "ppo", "--tokenizer", "embeded"], "'embedded'", 1),
        (["evaluate", "embeded"], "'embedded'", 1),
    ):
        assert main(arguments) == code
        assert f"did you mean {meant}?" in capsys.readouterr().err


def test_json_is_one_line_that_says_what_the_table_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in listed] == list(ENV_IDS)
    assert main(["sample", "--json", "--n", "2"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["index"] for row in rows] == [0, 1]
    assert all(row["prompt"][-1]["role"] == "user" and row["references"] for row in rows)
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"python", "gpu", "bfloat16", "torch.compile", "network", "cache of the hub", "extra 'train'"} <= set(found)


# -- the tab key ----------------------------------------------------------------------------------------


def test_bash_completes_commands_options_and_values(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    script = tmp_path / "textgym.bash"
    script.write_text(completion("bash"))

    def offered(*words: str) -> set[str]:
        line = " ".join(map(shlex.quote, words))
        asks = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _textgym; echo ${{COMPREPLY[@]}}"
        return set(subprocess.run(["bash", "-c", asks], capture_output=True, text=True, check=True).stdout.split())

    assert {"train", "feedback", "doctor", "--version"} <= offered("textgym", "")
    assert offered("textgym", "doc") == {"doctor"}
    assert offered("textgym", "completion", "") == {"bash", "zsh", "fish"}
    assert offered("textgym", "train", "pp") == {"ppo"}
    assert "--kl-coef" in offered("textgym", "train", "ppo", "--k")
    assert offered("textgym", "feedback", "report", "--j") == {"--json"}
    assert offered("textgym", "sample", "--env", "") == set(ENV_IDS)
    assert offered("textgym", "reward", "train", "--raters", "s") == {"soft"}
    assert offered("textgym", "play", "--as", "") == {"policy", "user"}


def test_zsh_completes_commands_options_and_values(tmp_path: Path) -> None:
    """At a terminal of its own, with a tab key: what is typed is completed, and a function says what came of it."""
    if shutil.which("zsh") is None:
        pytest.skip("no zsh here")
    pty = pytest.importorskip("pty")
    (tmp_path / "textgym.zsh").write_text(completion("zsh"))
    expected = {
        "doc": "doctor",
        "completion z": "completion zsh",
        "train pp": "train ppo",
        "train ppo --kl-co": "train ppo --kl-coef",
        "feedback report --js": "feedback report --json",
        "sample --env textgym/Tr": "sample --env textgym/Translate-v0",
        "reward train --raters s": "reward train --raters soft",
        "play --as u": "play --as user",
    }
    main_end, shell_end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)}
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"],
        stdin=shell_end,
        stdout=shell_end,
        stderr=shell_end,
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
    )
    os.close(shell_end)
    lines = ["autoload -U compinit && compinit -u -D", f"source {tmp_path}/textgym.zsh", 'textgym() { print "<$*>" }']
    for line in (*lines, *(f"textgym {typed}\t" for typed in expected), "exit"):
        os.write(main_end, f"{line}\n".encode())
    said = b""
    try:
        while part := os.read(main_end, 4096):
            said += part
    except OSError:  # the shell has ended
        pass
    finally:
        os.close(main_end)
        shell.kill()
        shell.wait()
    assert re.findall(r"^<(.*)>\r?$", said.decode(), re.MULTILINE) == list(expected.values())


def test_fish_completes_commands_options_and_values(tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("no fish here")
    script = tmp_path / "textgym.fish"
    script.write_text(completion("fish"))

    def offered(line: str) -> set[str]:
        asked = ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"]
        environment = {**os.environ, "HOME": str(tmp_path)}
        ran = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
        assert ran.stderr == ""
        return {told.partition("\t")[0] for told in ran.stdout.splitlines()}

    assert offered("textgym ") == set(table.COMMANDS) | {"train"}
    assert offered("textgym doc") == {"doctor"}
    assert offered("textgym --v") == {"--version"}
    assert offered("textgym completion ") == {"bash", "zsh", "fish"}
    assert offered("textgym train pp") == {"ppo"}
    assert "--kl-coef" in offered("textgym train ppo --k")
    assert offered("textgym feedback report --j") == {"--json"}
    assert offered("textgym sample --env ") == set(ENV_IDS)
    assert offered("textgym reward train --raters s") == {"soft"}
    assert offered("textgym play --as ") == {"policy", "user"}


def test_other_shells_get_every_option_and_unknown_ones_an_error(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    fish, zsh = completion("fish"), completion("zsh")
    assert zsh == "autoload -U +X bashcompinit && bashcompinit\n" + completion("bash")
    for path, options in paths.items():
        for option in options:
            assert f"'__textgym_at {' '.join(path)}' -l {option.flag.removeprefix('--')}" in fish
    assert main(["completion", "fish"]) == 0
    assert capsys.readouterr().out == fish
    with pytest.raises(SystemExit) as caught:
        main(["completion", "tcsh"])
    assert caught.value.code == 2
    with pytest.raises(ValueError, match="'bash', 'zsh', 'fish'"):
        completion("tcsh")


def test_a_warning_is_a_line_without_code(tmp_path: Path) -> None:
    """In a process of its own: under pytest, warnings are pytest's."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"document": "A fair.", "summary": "A fair."}\n{"document": "B"}\n', encoding="utf-8")
    data = json.dumps({"path": str(rows), "on_bad_row": "skip"})
    ran = subprocess.run(
        [sys.executable, "-m", "textgym.cli", "sample", "--data", data, "--n", "1"], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    said = [line for line in ran.stderr.splitlines() if "skipped 1 of 2" in line]
    assert len(said) == 1
    assert said[0].startswith("warning: ")
    assert ".py" not in ran.stderr
