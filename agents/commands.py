"""The agents by name: which config each takes and which function runs it.

`textgym train NAME …` and, from a checkout, `python -m agents NAME …` are the same. A new agent is
a file with a frozen config dataclass and a function of it, and a line here. Nothing is imported
before its name is asked for.

`--config FILE` takes the options from a YAML or JSON file, a run's config.json among them; what
stands on the command line besides goes before the file.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Command(NamedTuple):
    """Where an agent lies: a module of this package, its config dataclass, its function of that config."""

    module: str
    config: str
    function: str
    summary: str


COMMANDS: dict[str, Command] = {
    "ppo": Command("ppo", "PPOConfig", "train", "token-level PPO on any id, with any policy and reward"),
    "reinforce": Command("reinforce", "REINFORCEConfig", "train", "the plain policy gradient, one step a batch"),
    "rloo": Command("rloo", "RLOOConfig", "train", "a prompt's other samples as the baseline, no critic"),
    "grpo": Command("grpo", "GRPOConfig", "train", "PPO's clipped ratio, groups in place of the critic"),
    "sb3": Command("sb3", "SB3Config", "train", "Stable-Baselines3's PPO, run and written down like the others"),
    "dpo": Command("dpo", "DPOConfig", "train", "straight from judged pairs, with no reward model between"),
    "sft": Command("sft", "SFTConfig", "train", "supervised tuning on references or on chosen responses"),
    "best-of-n": Command("best_of_n", "BestOfNConfig", "train", "the best of n samples: measured, or distilled (RAFT)"),
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
    kind = getattr(module, command.config)
    file, rest = split_config_file(arguments)
    default = kind() if file is None else read_config(kind, file)
    about = f"{(kind.__doc__ or name).strip()}\n\n--config FILE takes options from a YAML or JSON file."
    config = tyro.cli(kind, args=rest, prog=f"{prog} {name}", default=default, description=about)
    getattr(module, command.function)(config)


def examples(name: str, prog: str) -> list[str]:
    """Lines to try: those of the agent's own story, else the least there is."""
    story = importlib.import_module(f".{COMMANDS[name].module}", __package__).__doc__ or ""
    start = f"textgym train {name}"
    told = [line.strip().partition("  ")[0] for line in story.splitlines() if line.strip().startswith(start)]
    return told or [f"{prog} {name}"]


def split_config_file(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The file that `--config` names, and the other arguments.

    Raises:
        ValueError: no file behind it, or two of them.
    """
    rest, files = list(arguments), []
    while (
        at := next((k for k, a in enumerate(rest) if a == "--config" or a.startswith("--config=")), None)
    ) is not None:
        _, is_joined, value = rest.pop(at).partition("=")
        if not is_joined and at >= len(rest):
            raise ValueError("--config must be followed by a YAML or JSON file, got nothing")
        files.append(value if is_joined else rest.pop(at))
    if len(files) > 1:
        raise ValueError(f"--config must name one file, got {files}")
    return (files[0] if files else None), rest


def read_config(kind: Any, path: str) -> Any:
    """A config dataclass from a YAML or JSON file of its fields, or from the config.json of a run.

    Raises:
        ValueError: no file, no mapping, or a field that the config does not have.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"config {path!r} could not be read: {error}") from error
    given = _parse(text, path)
    if isinstance(given, dict) and isinstance(given.get("config"), dict) and "versions" in given:
        given = {name: value for name, value in given["config"].items() if name not in ("run", "resume")}
        for name, value in given.items():
            if str(value).startswith("<Python: "):
                raise ValueError(f"config {path!r} has {name}={value!r}, which only Python can say: leave it out")
    if not isinstance(given, dict):
        raise ValueError(f"config {path!r} must hold a mapping of options, got {type(given).__name__}")
    fields = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    for name in given:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else f", there are {list(fields)}"
            raise ValueError(f"config {path!r} has the unknown option {name!r}{meant}")
    return kind(**{name: _as_declared(value, fields[name]) for name, value in given.items()})


def _parse(text: str, path: str) -> Any:
    import yaml

    try:
        return json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"config {path!r} is no {'JSON' if path.endswith('.json') else 'YAML'}: {error}") from error


def _as_declared(value: Any, kind: str) -> Any:
    """YAML 1.1 reads 5e-4 as a text; where a number is wanted it is one. Where a text is wanted, all else is JSON."""
    if kind.startswith("str") and isinstance(value, dict | list | int | float) and not isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str) and kind.startswith(("float", "int")):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if kind.startswith("int") and number.is_integer() else number
    return value


def describe(prog: str) -> str:
    """The commands, one a line."""
    lines = [f"usage: {prog} NAME [--help] [OPTIONS]", ""]
    return "\n".join([*lines, *(f"  {name:<12}{command.summary}" for name, command in COMMANDS.items())])
