"""Tab completion: one script for the whole command, made from the table of commands and the signatures behind it.

    textgym completion bash > ~/.local/share/bash-completion/completions/textgym
    textgym completion zsh  > ~/.textgym-completion.zsh     # and `source` it in ~/.zshrc, after compinit
    textgym completion fish > ~/.config/fish/completions/textgym.fish

The script is text and calls nothing, so that a press of the key costs no start of Python. It knows commands, options
and values where they are few; after any other option it offers files. Make it anew after an update.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Literal

from textgym.commands import table
from textgym.commands.table import Option
from textgym.types import SPLITS

SHELLS = ("bash", "zsh", "fish")
Paths = Mapping[tuple[str, ...], list[Option]]  # ("feedback", "serve") -> its options


def completion(shell: str) -> str:
    """The script for a shell.

    Raises:
        ValueError: an unknown shell.
    """
    if shell not in SHELLS:
        raise ValueError(f"shell must be one of {list(SHELLS)}, got {shell!r}")
    paths = all_commands()
    if shell == "fish":
        return "\n".join(_fish(paths)) + "\n"
    ready = ["autoload -U +X bashcompinit && bashcompinit"] if shell == "zsh" else []
    return "\n".join([*ready, *_bash(paths)]) + "\n"


def print_completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Prints the script that completes commands, options and ids with the tab key.

    For bash, write it to ~/.local/share/bash-completion/completions/textgym; for fish, to
    ~/.config/fish/completions/textgym.fish; for zsh, to any file, which ~/.zshrc sources after compinit.

    Args:
        shell: whose tab key.
    """
    print(completion(shell), end="")


def all_commands() -> Paths:
    """Every command and its options. Imports the modules of all."""
    from textgym.agents import commands as agents

    found: dict[tuple[str, ...], list[Option]] = {}
    for name, entry in table.COMMANDS.items():
        if isinstance(entry, table.Group):
            found |= {(name, sub): _options(command.load()) for sub, command in entry.commands.items()}
        else:
            found[name,] = _options(entry.load())
    for name, agent in agents.COMMANDS.items():
        config = getattr(importlib.import_module(f"textgym.agents.{agent.module}"), agent.config)
        found["train", name] = [*_options(config), Option("--config", (), True)]
    return found


def _options(kind: object) -> list[Option]:
    """With the values of those that mean the same everywhere."""
    from textgym.envs.registration import ENV_IDS

    known = {"--env": tuple(ENV_IDS), "--split": SPLITS, "--eval-split": SPLITS}
    options = table.options_of(kind)  # type: ignore[arg-type]
    return [option._replace(values=option.values or known.get(option.flag, ())) for option in options]


def _children(paths: Paths) -> dict[str, list[str]]:
    """First words -> second words; empty where a command stands alone."""
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(path[0], []).extend(path[1:])
    return found


def _bash(paths: Paths) -> Iterator[str]:
    children = _children(paths)
    groups = {name: subs for name, subs in children.items() if subs}
    yield "_textgym() {"
    yield '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"'
    yield '  local command="${COMP_WORDS[1]}" words=""'
    yield "  COMPREPLY=()"
    yield '  if [ "$COMP_CWORD" -eq 1 ]; then'
    first = [*children, "--help", "--version"]
    yield f'    COMPREPLY=($(compgen -W "{" ".join(first)}" -- "$cur")); return'
    yield "  fi"
    yield '  case "$command" in'
    for name, subs in groups.items():
        yield f'    {name}) if [ "$COMP_CWORD" -eq 2 ]; then'
        yield f'        COMPREPLY=($(compgen -W "{" ".join(subs)} --help" -- "$cur")); return'
        yield '      fi; command="$command ${COMP_WORDS[2]}" ;;'
    yield "  esac"
    yield '  case "$command $prev" in'
    yield f'    "completion completion") COMPREPLY=($(compgen -W "{" ".join(SHELLS)}" -- "$cur")); return ;;'
    for path, options in paths.items():
        for option in options:
            if option.values:
                words = " ".join(option.values)
                yield f'    "{" ".join(path)} {option.flag}") COMPREPLY=($(compgen -W "{words}" -- "$cur")); return ;;'
    yield "  esac"
    yield '  case "$command" in'
    for path, options in paths.items():
        flags = " ".join(option.flag for option in options)
        yield f'    "{" ".join(path)}") words="{flags} --help" ;;'
    yield "  esac"
    yield '  if [[ "$cur" == -* ]]; then COMPREPLY=($(compgen -W "$words" -- "$cur"))'
    yield '  else COMPREPLY=($(compgen -f -- "$cur")); fi'
    yield "}"
    yield "complete -o filenames -F _textgym textgym"


def _fish(paths: Paths) -> Iterator[str]:
    children = _children(paths)
    yield "function __textgym_at"
    yield "  set -l words (commandline -opc)"
    yield "  set -l last (math (count $argv) + 1)"  # of its own: within quotes fish runs no command in an index
    yield '  test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"'
    yield "end"
    first, second = (f"test (count (commandline -opc)) -eq {n}" for n in (1, 2))
    for name, subs in children.items():
        yield f"complete -c textgym -f -n '{first}' -a {name}"
        for sub in subs:
            yield f"complete -c textgym -f -n '{second}; and __textgym_at {name}' -a {sub}"
    yield f"complete -c textgym -f -n '{second}; and __textgym_at completion' -a '{' '.join(SHELLS)}'"
    yield f"complete -c textgym -n '{first}' -l version"
    yield "complete -c textgym -l help"
    for path, options in paths.items():
        for option in options:
            takes = f" -x -a '{' '.join(option.values)}'" if option.values else " -r" if option.takes_value else ""
            yield f"complete -c textgym -n '__textgym_at {' '.join(path)}' -l {option.flag.removeprefix('--')}{takes}"
