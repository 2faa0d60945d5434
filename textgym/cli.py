"""The command line.

    textgym list                                       the ids and their defaults
    textgym sample --env textgym/Translate-v0 --n 3    what an episode starts with, and right answers
    textgym play --env textgym/Dialogue-v0             be the policy yourself
    textgym train ppo --env textgym/Summarize-v0       an agent; `textgym train` names them
    textgym evaluate runs/Summarize-v0-seed0           a run's or any other policy on held-out prompts
    textgym compare --agents ppo,rloo --seeds 0 1 2    agents side by side: score against KL and time
    textgym feedback serve --data pairs.jsonl          people judge in a browser; `textgym feedback` names the rest
    textgym reward train --data preferences.jsonl      a reward model; `textgym reward` names the rest
    textgym lab overoptimize --methods bon             what a policy loses that is pushed too far
    textgym serve --env textgym/Summarize-v0           envs over HTTP, for gym.make and for any language
    textgym completion bash                            a script for the tab key (bash, zsh, fish)
    textgym doctor                                     what this machine can do, what is missing

Exit codes: 0 well, 1 an error (said in one line; TEXTGYM_TRACEBACK=1 shows where), 2 wrong arguments, 130 Ctrl-C.
`--json` prints one line of JSON for scripts, where a command has it; `textgym completion --help` says
where the script for the tab key goes.
A new command is a function and a line in `COMMANDS` (or in a group) of textgym/commands/table.py, and a line above;
a new agent is a line in `COMMANDS` of agents/commands.py. Nothing here changes. Options are read by tyro from functions
and dataclasses, so that defaults live in one place. Only this module and textgym/commands import the agents, and only
when one is asked for.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence

from textgym.commands import table

OPTIONS = ("--help", "--version")
USAGE = (__doc__ or "").split("\n\n")[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return run_safely(lambda: _dispatch(given))


def run_safely(command: Callable[[], int]) -> int:
    """A command's exit code; errors and Ctrl-C as a reader of a terminal wants them."""
    from gymnasium.error import Error as GymnasiumError

    from textgym.http_json import EndpointError
    from textgym.tasks.rows import FileChangedError

    before, warnings.formatwarning = warnings.formatwarning, _say_warning
    expected = (ValueError, TypeError, ImportError, OSError, FloatingPointError, MemoryError, GymnasiumError)
    try:
        return command()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `textgym sample | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (*expected, EndpointError, FileChangedError) as error:
        if os.environ.get("TEXTGYM_TRACEBACK"):
            raise
        print(f"textgym: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    finally:
        warnings.formatwarning = before


def _say_warning(message: Warning | str, category: type[Warning], *where: object, **more: object) -> str:
    """A warning in a line of its own, without the line of code that gave it."""
    return f"warning: {message}\n"


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: textgym COMMAND [--help] [OPTIONS]\n\n{USAGE}")
        return 0 if arguments else 2
    name, rest = arguments[0], arguments[1:]
    if name == "help":
        return _dispatch([*rest, "--help"])
    if name == "--version":
        from textgym.commands.doctor import version_of

        print(version_of("textgym"))
        return 0
    if name == "train":
        return train(rest)
    if name not in table.COMMANDS:
        return _refuse("textgym", _no_command(name))
    entry, prog = table.COMMANDS[name], f"textgym {name}"
    if isinstance(entry, table.Group):
        return _run_of_group(entry, rest, prog)
    table.run(entry, rest, prog)
    return 0


def _no_command(name: str) -> str:
    """What is said of a word that is no command: that it is an agent's name, or which word may be meant."""
    from textgym.agents import commands

    if name in commands.COMMANDS:
        return f"no command {name!r}; did you mean 'train {name}'?"
    return table.no_such("command", name, [*table.COMMANDS, "train"], [*OPTIONS, "help"])


def _run_of_group(group: table.Group, arguments: list[str], prog: str) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        lines = [f"  {name:<12} {command.summary}" for name, command in group.commands.items()]
        print("\n".join([f"usage: {prog} COMMAND [--help] [OPTIONS]", "", group.summary, "", *lines]))
        return 0 if arguments else 2
    if arguments[0] not in group.commands:
        return _refuse(prog, table.no_such("command", arguments[0], group.commands, ["--help"]))
    table.run(group.commands[arguments[0]], arguments[1:], f"{prog} {arguments[0]}")
    return 0


def train(arguments: list[str], prog: str = "textgym train") -> int:
    """Runs an agent by name."""
    from textgym.agents import commands

    if not arguments or arguments[0] in ("-h", "--help"):
        print(commands.describe(prog))
        return 0 if arguments else 2
    if arguments[0] not in commands.COMMANDS:
        return _refuse(prog, table.no_such("agent", arguments[0], commands.COMMANDS, ["--help"]))
    try:
        commands.run(arguments[0], arguments[1:], prog)
    finally:
        if table.asks_for_help(arguments):
            table.print_examples(commands.examples(arguments[0], prog))
    return 0


def _refuse(prog: str, said: str) -> int:
    print(f"{prog}: {said}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
