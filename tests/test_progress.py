"""The bar of commands that take longer than a moment: when it is there, and that nothing else ever sees it."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import pytest

from textgym import progress
from textgym.cli import main
from textgym.feedback.preferences import Preference, write_preferences
from textgym.progress import slow_bar, told_parts
from textgym.types import Message

ERASED = "\x1b[2K"


class Terminal(io.StringIO):
    """What a person looks at, and what was written there."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """To be put in the place of stderr by the test itself: pytest puts its own there when a test begins."""
    pytest.importorskip("rich")
    for name in ("TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


def wait_for(text: str, terminal: Terminal) -> None:
    deadline = time.monotonic() + 60
    while text not in terminal.getvalue():
        assert time.monotonic() < deadline, terminal.getvalue()
        time.sleep(0.02)


def test_a_bar_comes_after_its_time_and_goes(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)
    assert progress.PATIENCE == 2.0
    with slow_bar("at once") as report:
        report("quick work", 1, 1)
    assert terminal.getvalue() == ""
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    with slow_bar("loading") as report:
        wait_for("loading", terminal)  # though nothing was told yet
        report("slow work", 3, 7)
        wait_for("slow work", terminal)
        wait_for("3/7", terminal)
    assert ERASED in terminal.getvalue()
    assert sys.stderr is terminal
    with pytest.raises(KeyboardInterrupt), slow_bar("loading"):
        raise KeyboardInterrupt
    assert sys.stderr is terminal


def test_no_bar_where_nobody_looks(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with slow_bar("unwanted", is_wanted=False) as report:
        time.sleep(0.1)
        report("work", 1, 2)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "rich.progress", None)
        with slow_bar("without rich") as report:
            time.sleep(0.1)
            report("work", 1, 2)
    assert terminal.getvalue() == ""
    piped = io.StringIO()
    monkeypatch.setattr(sys, "stderr", piped)
    with slow_bar("piped") as report:
        time.sleep(0.1)
        report("work", 1, 2)
    assert piped.getvalue() == ""


def test_parts_are_told_before_each_and_at_the_end() -> None:
    told: list[tuple[int, int]] = []
    parts = list(told_parts(list("abcde"), 2, lambda what, done, total: told.append((done, total))))
    assert parts == [["a", "b"], ["c", "d"], ["e"]]
    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)]


def judged(path: Path) -> str:
    """Three pairs in a file."""
    said = [(Message("assistant", f"A fair in town {k}."), Message("assistant", "Well.")) for k in range(3)]
    prompts = [(Message("user", f"Summarize: there was a fair in town {k}."),) for k in range(3)]
    write_preferences(path, [Preference(p, (a,), (b,)) for p, (a, b) in zip(prompts, said, strict=True)])
    return str(path)


def test_slow_commands_show_how_far_they_are_on_a_terminal_only(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`evaluate`, `reward eval`, `feedback sample`; with --json not a sign of it, and stdout is the same anyway."""
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.chdir(tmp_path)
    evaluate = ["evaluate", "reference", "--prompts", "3", "--reward", "0.5"]
    reward = ["reward", "eval", "--model", "embedded:summarize", "--data", judged(tmp_path / "judged.jsonl")]
    sample = ["feedback", "sample", "--n", "2", "--max-new-tokens", "4"]
    for command, loading, shown in (
        (evaluate, "loading reference", "playing prompts"),
        (reward, "loading embedded:summarize", "trying tricks"),
        (sample, "loading embedded", "sampling prompts"),
    ):
        terminal.seek(0)
        terminal.truncate(0)
        assert main(command) == 0, terminal.getvalue()
        assert loading in terminal.getvalue()
        assert shown in terminal.getvalue()
        assert ERASED in terminal.getvalue()
        printed = capsys.readouterr().out
        assert not any(word in printed for word in (loading, shown, ERASED))
    terminal.seek(0)
    terminal.truncate(0)
    for command in (evaluate, reward):
        assert main([*command, "--json"]) == 0, terminal.getvalue()
        json.loads(capsys.readouterr().out.splitlines()[-1])
    assert not any(word in terminal.getvalue() for word in ("loading", "playing", "scoring", "tricks", ERASED))
    piped = io.StringIO()
    monkeypatch.setattr(sys, "stderr", piped)
    assert main(evaluate) == 0
    assert piped.getvalue() == ""
