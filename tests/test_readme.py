"""The README's own code: every Python block runs, every command and every file it names exists."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from textgym.models.tokenizer import EMBEDDED

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]


@pytest.mark.parametrize("code", PYTHON, ids=lambda code: f"block of {len(code.splitlines())} lines")
def test_python_blocks_run(code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if not EMBEDDED.exists():
        pytest.skip("the embedded assets are not built: make assets")
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()  # each shows something


def test_options_in_shell_blocks_exist() -> None:
    from textgym.agents.ppo import PPOConfig

    known = {"--" + f.name.replace("_", "-") for f in dataclasses.fields(PPOConfig)}
    commands = [
        line
        for language, code in BLOCKS
        if language == "sh"
        for line in code.replace("\\\n", " ").splitlines()
        if "textgym train ppo" in line
    ]
    assert len(commands) >= 3
    for command in commands:
        assert set(re.findall(r"--[a-z-]+", command)) <= known, command


def test_make_targets_and_linked_files_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)|`make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{''.join(target)}:", makefile, flags=re.MULTILINE), target
    for link in re.findall(r"\]\(([^)#]+)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
