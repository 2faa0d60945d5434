"""The agents by name: which config each takes and which function runs it.

`textgym train NAME …` and, from a checkout, `python -m agents NAME …` are the same. A new agent is
a file with a frozen config dataclass and a function of it, and a line here. Nothing is imported
before its name is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import NamedTuple


class Command(NamedTuple):
    """Where an agent lies: a module of this package, its config dataclass, its function of that config."""

    module: str
    config: str
    function: str
    summary: str


COMMANDS: dict[str, Command] = {
    "ppo": Command("ppo", "PPOConfig", "train", "token-level PPO on any id, with any policy and reward"),
    "assets": Command("assets", "AssetConfig", "build", "build the embedded tokenizer, policy and reward models"),
}


def run(name: str, arguments: Sequence[str], prog: str) -> None:
    """Reads a config from command-line arguments and runs the agent on it.

    Args:
        name: a key of `COMMANDS`.
        arguments: what follows the name, e.g. ["--env", "textgym/Translate-v0"].
        prog: how the command is called, for its help.

    Raises:
        ValueError: an unknown name.
        SystemExit: help was asked for, or the arguments are wrong (code 2).
    """
    if name not in COMMANDS:
        raise ValueError(f"agent must be one of {list(COMMANDS)}, got {name!r}")
    try:
        import tyro
    except ImportError as error:
        raise ImportError(f"{prog} needs tyro: pip install 'textgym[train]'") from error
    command = COMMANDS[name]
    module = importlib.import_module(f".{command.module}", __package__)
    config = tyro.cli(getattr(module, command.config), args=list(arguments), prog=f"{prog} {name}")
    getattr(module, command.function)(config)


def describe(prog: str) -> str:
    """The commands, one a line."""
    lines = [f"usage: {prog} NAME [--help] [OPTIONS]", ""]
    return "\n".join([*lines, *(f"  {name:<12}{command.summary}" for name, command in COMMANDS.items())])
