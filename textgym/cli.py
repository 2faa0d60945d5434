"""The command line.

    textgym list                                       the ids and their defaults
    textgym sample --env textgym/Translate-v0 --n 3    what an episode starts with, and right answers
    textgym play --env textgym/Dialogue-v0             be the policy yourself
    textgym train ppo --env textgym/Summarize-v0       an agent; `textgym train` names them
    textgym evaluate runs/Summarize-v0-seed0           a run's or any other policy on held-out prompts
    textgym feedback serve --data pairs.jsonl          people judge in a browser; `textgym feedback` names the rest
    textgym reward train --data preferences.jsonl      a reward model; `textgym reward` names the rest
    textgym doctor                                     versions, cores, speed, what is missing

Exit codes: 0 well, 1 an error (said in one line; TEXTGYM_TRACEBACK=1 shows where), 2 wrong arguments, 130 Ctrl-C.
Options are read by tyro from functions and dataclasses, so that defaults live in one place. The
only module of textgym that imports the agents, and only when one is asked for.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

USAGE = (__doc__ or "").split("\n\n")[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return run_safely(lambda: _dispatch(given))


def run_safely(command: Callable[[], int]) -> int:
    """A command's exit code; errors and Ctrl-C as a reader of a terminal wants them."""
    from gymnasium.error import Error as GymnasiumError

    from textgym.rewards.remote import RemoteRewardError
    from textgym.tasks.rows import FileChangedError

    expected = (ValueError, TypeError, ImportError, OSError, FloatingPointError, MemoryError, GymnasiumError)
    try:
        return command()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `textgym sample | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (*expected, RemoteRewardError, FileChangedError) as error:
        if os.environ.get("TEXTGYM_TRACEBACK"):
            raise
        print(f"textgym: {type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _dispatch(arguments: list[str]) -> int:
    from textgym.play import play

    commands: dict[str, Callable[..., None]] = {"list": list_ids, "sample": sample, "play": play, "doctor": doctor}
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: textgym COMMAND [--help] [OPTIONS]\n\n{USAGE}")
        return 0 if arguments else 2
    name, rest = arguments[0], arguments[1:]
    if name == "--version":
        print(_version("textgym"))
        return 0
    if name == "train":
        return train(rest)
    if name == "evaluate":
        return evaluate(rest)
    if name == "feedback":
        return feedback(rest)
    if name == "reward":
        return reward(rest)
    if name not in commands:
        known = [*commands, "train", "evaluate", "feedback", "reward"]
        print(f"textgym: no command {name!r}, there are {known}", file=sys.stderr)
        return 2
    if not rest:  # the defaults need no parser
        commands[name]()
        return 0
    _load_tyro().cli(commands[name], args=rest, prog=f"textgym {name}")
    return 0


def _load_tyro() -> Any:
    try:
        import tyro
    except ImportError as error:
        raise ImportError("the command line needs tyro: pip install 'textgym[train]'") from error
    return tyro


def train(arguments: list[str], prog: str = "textgym train") -> int:
    """Runs an agent by name."""
    from textgym.agents import commands

    if not arguments or arguments[0] in ("-h", "--help"):
        print(commands.describe(prog))
        return 0 if arguments else 2
    if arguments[0] not in commands.COMMANDS:
        print(f"{prog}: no agent {arguments[0]!r}, there are {list(commands.COMMANDS)}", file=sys.stderr)
        return 2
    commands.run(arguments[0], arguments[1:], prog)
    return 0


def evaluate(arguments: list[str]) -> int:
    """How good a policy is: the folder of a run or a model, then options."""
    tyro = _load_tyro()
    from textgym.agents.evaluate import main as run_evaluation

    shown = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName)
    tyro.cli(run_evaluation, args=arguments, prog="textgym evaluate", config=shown)
    return 0


def feedback_commands() -> dict[str, Callable[..., None]]:
    """What follows `textgym feedback`; signatures and docstrings are the help."""
    from textgym.feedback import commands

    return {
        "serve": commands.serve,
        "sample": feedback_sample,
        "judge": commands.judge,
        "import": commands.import_file,
        "export": commands.export,
        "report": commands.report,
    }


def feedback(arguments: list[str]) -> int:
    """People's judgements: collect, exchange, report."""
    known = feedback_commands()
    if not arguments or arguments[0] in ("-h", "--help"):
        lines = [f"  {name:<8} {(run.__doc__ or '').strip().splitlines()[0]}" for name, run in known.items()]
        print("\n".join(["usage: textgym feedback COMMAND [--help] [OPTIONS]", "", *lines]))
        return 0 if arguments else 2
    if arguments[0] not in known:
        print(f"textgym feedback: no command {arguments[0]!r}, there are {list(known)}", file=sys.stderr)
        return 2
    tyro = _load_tyro()
    shown = (tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName)
    tyro.cli(known[arguments[0]], args=arguments[1:], prog=f"textgym feedback {arguments[0]}", config=shown)
    return 0


def reward(arguments: list[str]) -> int:
    """Reward models: train, measure, serve."""
    known = {"train": "train", "eval": "evaluate", "serve": "serve"}
    if not arguments or arguments[0] in ("-h", "--help"):
        lines = ("train  from judged pairs", "eval   on pairs it has not seen", "serve  over HTTP")
        print("\n  ".join(["usage: textgym reward COMMAND [--help] [OPTIONS]\n", *lines]))
        return 0 if arguments else 2
    if arguments[0] not in known:
        print(f"textgym reward: no command {arguments[0]!r}, there are {list(known)}", file=sys.stderr)
        return 2
    tyro = _load_tyro()
    from textgym.rewards import commands

    command = getattr(commands, known[arguments[0]])
    shown = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
    tyro.cli(command, args=arguments[1:], prog=f"textgym reward {arguments[0]}", config=shown)
    return 0


def feedback_sample(
    out: str = "pairs.jsonl",
    env: str = "textgym/Summarize-v0",
    policy: str = "embedded",
    n: int = 100,
    samples: int = 2,
    split: str = "train",
    temperature: float = 1.0,
    seed: int = 0,
    data: str | None = None,
    data_seed: int = 0,
    context_length: int | None = None,
    max_new_tokens: int | None = None,
) -> None:
    """Writes items to judge: a policy's answers to the prompts of an env.

    Args:
        out: a file of JSON lines.
        env: an id that `textgym list` shows.
        policy: a folder or hub name of a causal language model, or embedded.
        n: how many prompts.
        samples: answers a prompt; 1 to be rated, 2 compared, more ranked.
        split: train, validation or test.
        temperature: 1 samples from the policy's own distribution.
        seed: of the users and of what is sampled.
        data: your own records: a path, or a dict of options as JSON.
        data_seed: which universe of embedded examples.
        context_length: tokens of prompt and answer; the env's default where it is left out.
        max_new_tokens: tokens of an answer; the env's default where it is left out.
    """
    from textgym.agents.sample import SampleConfig, sample_items
    from textgym.feedback.formats import write_file

    sizes = context_length, max_new_tokens
    config = SampleConfig(env, policy, n, samples, split, temperature, seed, data, data_seed, *sizes)
    items, alike = sample_items(config)
    write_file(out, "textgym", items, [])
    left_out = f", {alike} prompts left out because all answers were alike" if alike else ""
    print(f"{out}: {len(items)} items{left_out}")


def list_ids() -> None:
    """The ids and their defaults."""
    from dataclasses import asdict

    from textgym.envs.arguments import WORLDS

    shown = ("context_length", "max_new_tokens", "max_turns")
    rows: list[tuple[str, ...]] = [("id", "world", *shown, "action", "reward")]
    for env_id, (world, _) in _worlds().items():
        defaults = asdict(WORLDS[world])
        reward = "learned" if defaults["reward"] is None else str(defaults["reward"])
        rows.append((env_id, world, *(str(defaults[name]) for name in shown), str(defaults["action"]), reward))
    _print_table(rows)
    print()
    for env_id, (_, manual) in _worlds().items():
        print(f"{env_id}: {manual}")


def sample(
    env: str = "textgym/Summarize-v0", n: int = 3, split: str = "test", data: str | None = None, data_seed: int = 0
) -> None:
    """Prints examples: what an episode starts with, and right answers.

    Args:
        env: an id that `textgym list` shows.
        n: how many examples.
        split: train, validation or test.
        data: your own records: a path, or a dict of options as JSON.
        data_seed: which universe of embedded examples.
    """
    from textgym.tasks.load import load_task

    worlds = _worlds()
    if env not in worlds:
        raise ValueError(f"env must be one of {list(worlds)}, got {env!r}")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    task: Any = load_task(worlds[env][0], data=data, split=split, data_seed=data_seed)  # type: ignore[arg-type]
    for i in range(min(n, len(task))):
        example = task[i]
        print(f"── {split} {i} of {len(task)}")
        for message in example.prompt:
            print(_wrapped(f"{message.role}: ", message.content))
        for k, reference in enumerate(example.references, 1):
            print(_wrapped(f"reference {k}: ", reference))
        print()


def doctor() -> None:
    """Versions, cores, arithmetic speed, and what is missing. Needs no network."""
    import importlib.util
    import platform

    import torch

    from textgym.models.tokenizer import EMBEDDED

    rows = [("python", platform.python_version())]
    names = ("textgym", "gymnasium", "numpy", "torch", "transformers", "tokenizers", "safetensors")
    rows += [(name, _version(name)) for name in names]
    rows += [("platform", f"{platform.system()} {platform.machine()}")]
    rows += [("cores", f"{_cores()} usable, torch uses {torch.get_num_threads()} threads")]
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    rows += [("gpu", ", ".join(gpus) or "none (the defaults need none)")]
    fast = {name: _products_per_second(getattr(torch, name)) for name in ("float32", "bfloat16")}
    rows += [(f"{name} products", f"{speed / 1e9:,.0f} GFLOP/s on the CPU") for name, speed in fast.items()]
    rows += [("assets", _describe_assets(EMBEDDED.parent))]
    extras = {
        "data": ("datasets", "pyarrow", "rouge_score", "sacrebleu"),
        "train": ("matplotlib", "rich", "tyro"),
        "feedback": ("fastapi", "uvicorn", "sqlalchemy", "jinja2", "python_multipart"),
        "sb3": ("stable_baselines3", "sb3_contrib"),
    }
    for extra, modules in extras.items():
        missing = [m for m in modules if importlib.util.find_spec(m) is None]
        said = f"lacks {', '.join(missing)}: pip install 'textgym[{extra}]'" if missing else "complete"
        rows += [(f"extra {extra!r}", said)]
    _print_table(rows)


def _worlds() -> dict[str, tuple[str, str]]:
    """Each id's world and the first line of its manual."""
    from textgym.envs import ids
    from textgym.envs.registration import ENV_IDS

    found = {}
    for env_id, name in ENV_IDS.items():
        vector = getattr(ids, f"{name.removesuffix('Env')}VectorEnv")
        found[env_id] = (vector.world, (getattr(ids, name).__doc__ or "").strip().splitlines()[0])
    return found


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _products_per_second(dtype: Any) -> float:
    """Floating-point operations a second in matrix products of a small policy's size; 0.2 s."""
    import time

    import torch

    a, b = torch.ones(2048, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
    a @ b  # the first call sets up the library
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.2:
        a @ b
        count += 1
    return count * 2 * 2048 * 512 * 512 / (time.perf_counter() - start)


def _describe_assets(folder: Any) -> str:
    """Whether every file of the manifest lies there."""
    manifest = folder / "manifest.json"
    listed = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.is_file() else {}
    missing = [name for name in (manifest.name, *listed) if not (folder / name).is_file()]
    if missing:
        return f"lacks {', '.join(missing)}: install textgym anew, or build them with `textgym train assets`"
    return f"complete, {len(listed)} files"


def _wrapped(label: str, text: str) -> str:
    lines = [textwrap.fill(line, 96) for line in f"{label}{text}".splitlines()]
    return "\n".join(lines)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
