"""The commands by name: which function each runs, one line about it, and examples for its help.

A new command is a function somewhere and a line here. The function's signature is its options and its docstring their
help (a parameter that is a dataclass gives an option for each of its fields). Nothing is imported before it is asked
for. Agents have a table of their own, `textgym.agents.commands`; `textgym train NAME` reads it.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from textgym import checks


class Command(NamedTuple):
    """A function as "module:function", what it is for, and lines that a reader can try."""

    target: str
    summary: str
    examples: tuple[str, ...]

    def load(self) -> Callable[..., Any]:
        """The function itself."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)


class Group(NamedTuple):
    """Commands under one word."""

    summary: str
    commands: dict[str, Command]


FEEDBACK = {
    "serve": Command(
        "textgym.feedback.commands:serve",
        "the site on which raters judge",
        ("textgym feedback serve --data pairs.jsonl --raters anna ben carla",),
    ),
    "sample": Command(
        "textgym.commands.feedback:sample",
        "a policy's answers, as items to judge",
        ("textgym feedback sample --env textgym/Summarize-v0 --n 100 --out pairs.jsonl",),
    ),
    "judge": Command(
        "textgym.feedback.commands:judge",
        "judge here in the terminal, on the same store",
        ("textgym feedback judge --rater anna --data pairs.jsonl",),
    ),
    "import": Command(
        "textgym.feedback.commands:import_file",
        "items, and judgements made elsewhere, to a store",
        ("textgym feedback import preferences.jsonl --format trl",),
    ),
    "export": Command(
        "textgym.feedback.commands:export",
        "a store's judgements to a file",
        ("textgym feedback export --out preferences.jsonl",),
    ),
    "report": Command(
        "textgym.feedback.commands:report",
        "agreement, raters, items in dispute",
        ("textgym feedback report", "textgym feedback report --store feedback.db --json"),
    ),
}

REWARD = {
    "train": Command(
        "textgym.rewards.commands:train",
        "from judged pairs or ratings",
        (
            "textgym reward train --data preferences.jsonl --out reward --test-out test.jsonl",
            "textgym reward train --data preferences.jsonl --out ensemble --members 4",
            "textgym reward train --data preferences.jsonl --kind sequence --heads 4 --length-control",
            "textgym reward train --data ratings.jsonl --objective ordinal",
        ),
    ),
    "eval": Command(
        "textgym.rewards.commands:evaluate",
        "on pairs it has not seen",
        ("textgym reward eval --model reward --data test.jsonl --out page.html",),
    ),
    "serve": Command(
        "textgym.rewards.commands:serve",
        "over HTTP",
        ("textgym reward serve --model embedded:summarize --port 8001",),
    ),
}

LAB = {
    "overoptimize": Command(
        "textgym.agents.lab:overoptimize",
        "best-of-n and PPO against a learned reward, the gold score beside it",
        (
            "textgym lab overoptimize --env textgym/Summarize-v0 --methods bon",
            "textgym lab overoptimize --methods bon --reward single,mean,min,mean-std --members 4 --label-noise 0.25",
        ),
    ),
}

COMMANDS: dict[str, Command | Group] = {
    "list": Command(
        "textgym.commands.look:list_ids", "the ids and their defaults", ("textgym list", "textgym list --json")
    ),
    "sample": Command(
        "textgym.commands.look:sample",
        "what an episode starts with, and right answers",
        ("textgym sample --env textgym/Translate-v0 --n 3 --split train", "textgym sample --json --n 100"),
    ),
    "play": Command(
        "textgym.play:play",
        "be the policy yourself, or the user of a dialogue",
        ("textgym play --env textgym/Translate-v0 --episodes 3", "textgym play --env textgym/Dialogue-v0 --as user"),
    ),
    "evaluate": Command(
        "textgym.agents.evaluate:main",
        "a run's or any other policy on held-out prompts",
        (
            "textgym evaluate runs/Summarize-v0-seed0 --greedy",
            "textgym evaluate embedded --env textgym/Translate-v0 --prompts 128 --json",
        ),
    ),
    "compare": Command(
        "textgym.agents.compare:main",
        "agents side by side: score against KL and time, over seeds",
        (
            "textgym compare --env textgym/Translate-v0 --agents ppo,rloo,grpo --seeds 0 1 2 --num-updates 50",
            "textgym compare runs/rloo-Translate-v0-seed0 runs/grpo-Translate-v0-seed0",
        ),
    ),
    "feedback": Group("people's judgements: collect, exchange, report", FEEDBACK),
    "reward": Group("reward models: train, measure, serve", REWARD),
    "lab": Group("experiments: what too much of a learned reward does", LAB),
    "serve": Command(
        "textgym.serve.commands:serve",
        "envs over HTTP, for gym.make and for programs in any language",
        ("textgym serve --env textgym/Summarize-v0 --env textgym/Dialogue-v0 --port 8000",),
    ),
    "completion": Command(
        "textgym.commands.completion:print_completion", "a script for the tab key", ("textgym completion bash",)
    ),
    "doctor": Command(
        "textgym.commands.doctor:doctor",
        "what this machine can do, what is missing",
        ("textgym doctor", "textgym doctor --json"),
    ),
}


def find(words: Iterable[str]) -> Command:
    """The command that the first words name, e.g. ["feedback", "serve"].

    Raises:
        ValueError: there is none.
    """
    known: Mapping[str, Command | Group] = COMMANDS
    for word in words:
        if word not in known:
            raise ValueError(no_such("command", word, known))
        entry = known[word]
        if isinstance(entry, Command):
            return entry
        known = entry.commands
    raise ValueError(f"words must go on with one of {list(known)}")


class Option(NamedTuple):
    """An option as a shell sees it."""

    flag: str  # "--max-turns"
    values: tuple[str, ...]  # those it can have, where they are few; empty otherwise
    takes_value: bool


def options_of(kind: Callable[..., Any]) -> list[Option]:
    """The options of a function or of a config dataclass, as tyro makes them; what is positional is left out."""
    hints: dict[str, Any] = get_type_hints(kind)
    found: list[Option] = []
    for name, parameter in inspect.signature(kind).parameters.items():
        hint = hints[name]
        if parameter.kind is parameter.POSITIONAL_ONLY:
            continue
        if dataclasses.is_dataclass(hint):
            found += options_of(hint)  # type: ignore[arg-type]
        else:
            values = get_args(hint) if get_origin(hint) is Literal else ()
            found.append(
                Option("--" + name.removesuffix("_").replace("_", "-"), tuple(map(str, values)), hint is not bool)
            )
    return found


def no_such(kind: str, given: str, known: Iterable[str], others: Iterable[str] = ()) -> str:
    """What is said of a word that is none of those known, with the nearest of them or of what may stand there too."""
    names = list(known)
    return f"no {kind} {given!r}, there are {names}{checks.hint(given, [*names, *others])}"


def run(command: Command, arguments: list[str], prog: str) -> None:
    """Reads a command's options and runs it.

    Raises:
        SystemExit: help was asked for (code 0), or the arguments are wrong (code 2).
    """
    function = command.load()
    if not arguments and all(p.default is not p.empty for p in inspect.signature(function).parameters.values()):
        function()  # the defaults need no parser
        return
    tyro = load_tyro()
    _free_keywords(function, tyro)
    shown = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName)
    try:
        tyro.cli(function, args=arguments, prog=prog, config=shown)
    finally:
        if asks_for_help(arguments):
            print_examples(command.examples)


def _free_keywords(function: Any, tyro: Any) -> None:
    """Makes a parameter `as_` the option --as: the bare word is Python's, so a signature cannot have it."""
    for name, hint in get_type_hints(function, include_extras=True).items():
        if name.endswith("_"):
            function.__annotations__[name] = Annotated[hint, tyro.conf.arg(name=name.removesuffix("_"))]


def asks_for_help(arguments: Iterable[str]) -> bool:
    """Whether a help text is printed."""
    return any(word in ("-h", "--help") for word in arguments)


def print_examples(lines: Iterable[str]) -> None:
    """Below a help text."""
    print("\n".join(["examples:", *(f"  {line}" for line in lines)]))


def load_tyro() -> Any:
    """The reader of options, which an extra brings."""
    try:
        import tyro
    except ImportError as error:
        raise ImportError("the command line needs tyro: pip install 'textgym[train]' (feedback, serve)") from error
    return tyro
