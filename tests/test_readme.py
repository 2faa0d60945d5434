"""The README: every command and every file it names exists. Its Python blocks are run by tests/test_docs.py."""

from __future__ import annotations

import dataclasses
import importlib
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    """Every command of the shell blocks, "# or:" ones included, and of the running text, in words."""
    shell = "\n".join(code for language, code in BLOCKS if language == "sh").replace("\\\n", " ")
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    lines = re.split(r"\n|&&|# or:", shell) + re.findall(r"`([^`]+)`", prose)
    split = [shlex.split(line, comments=True) for line in lines if line.count("'") % 2 == 0]
    bare = [[w.removeprefix(".venv/bin/") for w in words if not re.match(r"[A-Z_]+=", w)] for words in split]
    return [words for words in bare if len(words) > 1 and words[0] in ("textgym", "python", "python3")]


def options_of(words: list[str]) -> set[str]:
    """The options that a command has; fails where there is no such command."""
    from textgym.agents import commands as agents
    from textgym.commands import table

    def fields(config: type) -> set[str]:
        return {"--" + f.name.replace("_", "-") for f in dataclasses.fields(config)} | {"--help"}

    if words[0] != "textgym" and words[1].endswith(".py"):
        return {"--help", *re.findall(r'"(--[a-z-]+)"', (ROOT / words[1]).read_text(encoding="utf-8"))}
    if words[0] != "textgym" and words[:3] != [words[0], "-m", "agents"]:
        return set(words)  # Python's own, and other people's
    words = ["textgym", "train", *words[3:]] if words[1] == "-m" else words
    if words[1] == "train":
        command = agents.COMMANDS[words[2]]
        config = getattr(importlib.import_module(f"textgym.agents.{command.module}"), command.config)
        return fields(config) | {"--config"}
    return {option.flag for option in table.options_of(table.find(words[1:]).load())} | {"--help"}


def test_every_command_exists_with_its_options() -> None:
    found = commands()
    named = {" ".join(words[:2]) for words in found}
    assert {"textgym train", "textgym evaluate", "textgym list", "textgym doctor"} <= named
    assert {
        f"python benchmarks/{name}.py" for name in ("learning", "freeform", "env_steps", "startup", "ppo_iteration")
    } <= named
    for words in found:
        assert {w for w in words if w.startswith("--")} <= options_of(words), " ".join(words)


def test_make_targets_and_linked_files_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)|`make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{''.join(target)}:", makefile, flags=re.MULTILINE), target
    for link in re.findall(r"\]\(([^)#]+)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
