"""How long does one iteration of PPO take? Ours beside TRL 1.12's PPOTrainer, the last release that has it.

An iteration samples responses of a fixed length (the end of a turn is never sampled), scores them, passes
them through the reference and the critic, and trains for four epochs of one minibatch. Weights are random
and the same on both sides, as are prompts and numbers of tokens, which are checked. Each row is a process
of its own, all wait for their turn (A B C A B C …), and medians are compared, because a machine that is
busy with other work slows all. What is left out: learning (benchmarks/learning.py).

    python benchmarks/ppo_iteration.py --size S --threads 1 --peer PYTHON_WITH_TRL
    python benchmarks/ppo_iteration.py --size qwen0.5b --device cuda --dtype bfloat16
    python benchmarks/ppo_iteration.py --size S --dtype bfloat16 --compile  # our training passes through torch.compile
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any

from ppo_work import (
    EPOCHS,
    PHASES,
    ROWS,
    SIZES,
    TRL,
    Line,
    Row,
    Size,
    clock,
    memory,
    needed_flops,
    peak_flops,
    versions,
    write_work,
)

SWITCHES = ("compile", "onednn")  # of our training passes: options of the config that --compile and --onednn turn on

# What `prepare_cpu` sets, for every process alike, the peer's too: freed memory is kept.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "2147483647"}

# -- our side --------------------------------------------------------------------------------------


class Prompts:
    """The task: prompts of words that are tokens, each a fixed number."""

    name = "prompts"

    def __init__(self, ids: Sequence[Sequence[int]]) -> None:
        self.texts = [" ".join(f"w{i}" for i in row) for row in ids]

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Any:
        from textgym.types import Example, Message

        return Example((Message("user", self.texts[index]),), (), {})


class Timed:
    """Calls a function and adds up the seconds; keeps what it gave back last."""

    def __init__(self, function: Callable[..., Any], device: str) -> None:
        self.function, self.device = function, device
        self.seconds = 0.0
        self.last: Any = None

    def __call__(self, *given: Any) -> Any:
        start = clock(self.device)
        self.last = self.function(*given)
        self.seconds += clock(self.device) - start
        return self.last

    score = __call__  # as a reward model is called

    def take(self) -> float:
        """The seconds since the last time they were taken."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


def make_trainer(
    folder: Path, size: Size, row: Row, device: str, dtype: str, switched_on: Sequence[str] = ()
) -> tuple[Any, Timed]:
    """A PPO trainer of ours on the work in `folder`, and its reward model.

    Args:
        switched_on: of `SWITCHES`, those of the config that are True.

    Raises:
        ValueError: this version of textgym has no such critic.
    """
    from textgym.agents.ppo import PPOConfig, Trainer
    from textgym.rewards.learned import LearnedReward

    has_choice = "critic" in {f.name for f in fields(PPOConfig)}
    if not has_choice and row.critic != "shared":
        raise ValueError(f"critic must be 'shared' in this version of textgym, got {row.critic!r}")
    reward = Timed(LearnedReward(str(folder / "reward"), device=device, dtype=dtype).score, device)
    options: dict[str, Any] = {"critic": row.critic} if has_choice else {}
    config = PPOConfig(
        policy=str(folder / "policy"),
        reward=reward,  # type: ignore[arg-type]  # an object is taken too
        data=Prompts(json.loads((folder / "prompts.json").read_text())),  # type: ignore[arg-type]
        context_length=size.prompt_tokens + size.new_tokens,
        max_new_tokens=size.new_tokens,
        prompts_per_update=size.responses // row.samples,
        samples_per_prompt=row.samples,
        epochs=EPOCHS,
        minibatches=1,
        critic_warmup=0,
        learning_rate=1e-5,
        row_tokens=max(512, size.prompt_tokens + row.samples * size.new_tokens),
        device=device,
        dtype=dtype,
        eval_prompts=1,
        **options,
        **dict.fromkeys(switched_on, True),  # type: ignore[arg-type]  # names of switches
    )
    trainer = Trainer(config)
    trainer.stage.forbidden[trainer.stage.tokenizer.end_of_turn] = True
    return trainer, reward


def check_counts(rollout: Any, size: Size) -> None:
    """Raises ValueError where an episode has other numbers of tokens than the size says."""
    found = {(len(e.prompt), len(e.continuation), e.num_chosen) for e in rollout.episodes}
    wanted = (size.prompt_tokens, size.new_tokens, size.new_tokens)
    if found != {wanted} or len(rollout.episodes) != size.responses:
        raise ValueError(f"need {size.responses} episodes of {wanted} tokens, got {len(rollout.episodes)} of {found}")


def serve(folder: Path, size: Size, row: Row, device: str, dtype: str, switched_on: Sequence[str] = ()) -> None:
    """Runs iterations of ours as they are asked for."""
    line = Line()
    from textgym.agents.cpu import prepare_cpu

    prepare_cpu()
    trainer, reward = make_trainer(folder, size, row, device, dtype, switched_on)
    parts = {name: Timed(getattr(trainer, name), device) for name in ("collect", "prepare", "update")}
    for name, part in parts.items():
        setattr(trainer, name, part)
    line.say(versions=versions("textgym", "torch", "transformers"))
    while line.wait():
        start, worked = clock(device), time.process_time()
        trainer.step()
        total = clock(device) - start
        check_counts(parts["collect"].last, size)
        scoring = reward.take()
        seconds = [parts["collect"].take() - scoring, scoring, parts["prepare"].take(), parts["update"].take()]
        line.say(
            total=total,
            processor=time.process_time() - worked,
            memory=memory(device),
            **dict(zip(PHASES, seconds, strict=True)),
        )


# -- taking turns ----------------------------------------------------------------------------------


class Child:
    """A row in a process of its own. `problem` says why it has no (further) figures."""

    def __init__(self, command: Sequence[str], threads: int) -> None:
        counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115  # as long as the process
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **ALLOCATOR, **counts, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"},
        )
        self.problem = ""
        self.records: list[dict[str, Any]] = []
        self.versions: dict[str, str] = self._read().get("versions", {})

    def iterate(self) -> dict[str, Any]:
        """One iteration; {} where there is none to be had."""
        if not self.problem:
            assert self._process.stdin is not None
            self._process.stdin.write("next\n")
            self._process.stdin.flush()
            return self._read()
        return {}

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if answer := self._process.stdout.readline():
            return dict(json.loads(answer))
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines()
        self.problem = f"not measured: {said[-1] if said else f'ended with {self._process.returncode}'}"
        return {}

    def close(self) -> None:
        self._process.communicate()
        self._errors.close()


def find_peer(given: str | None) -> str | None:
    """The interpreter that has TRL; None where there is none."""
    return given or (sys.executable if importlib.util.find_spec("trl") else None)


def summary(child: Child, size: Size, row: Row, peak: float) -> dict[str, Any]:
    """Medians over iterations, in seconds, and what follows from them."""
    middle = {name: median(r[name] for r in child.records) for name in ("total", "processor", *PHASES)}
    tokens = size.responses * size.new_tokens
    flops = needed_flops(size, row)
    return {
        **middle,
        "tokens_per_second": tokens / middle["total"],
        "sampled_per_second": tokens / middle["generation"],
        "memory": {kind: max(r["memory"][kind] for r in child.records) for kind in child.records[0]["memory"]},
        "gflop": sum(flops.values()) / 1e9,
        "of_limit": sum(flops.values()) / peak / middle["total"],
        "of_limit_update": flops["update"] / peak / middle["update"],
        "all_totals": [r["total"] for r in child.records],
        "versions": child.versions,
    }


def table(figures: dict[str, dict[str, Any]], dtype: str) -> str:
    """Markdown, seconds."""
    head = ["row", dtype, f"× {TRL}", "processor", *PHASES, "tokens/s", "sampled/s", "GB", "of the limit"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    peer = figures.get(TRL, {}).get("total")
    for name, f in figures.items():
        if "problem" in f:
            cells = [f["problem"].replace("|", "/"), *[""] * (len(head) - 2)]
        else:
            faster = f"{peer / f['total']:.2f}" if peer else "–"
            phases = [f"{f[phase]:.2f}" for phase in ("processor", *PHASES)]
            rates = [f"{f['tokens_per_second']:,.0f}", f"{f['sampled_per_second']:,.0f}"]
            bytes_held = f["memory"].get("cuda", f["memory"]["resident"])
            cells = [f"{f['total']:.2f}", faster, *phases, *rates, f"{bytes_held / 1e9:.2f}", f"{f['of_limit']:.0%}"]
        lines.append("| " + " | ".join([ROWS[name].title, *cells]) + " |")
    return "\n".join(lines)


def switched_on(options: argparse.Namespace) -> list[str]:
    """Which of the switches are given."""
    return [switch for switch in SWITCHES if getattr(options, switch)]


def run_rows(options: argparse.Namespace, dtype: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Starts the rows, lets them take turns, and sums up."""
    size, here = SIZES[options.size], Path(__file__).resolve()
    children: dict[str, Child] = {}
    figures: dict[str, dict[str, Any]] = {}
    for name in options.rows:
        python = find_peer(options.peer) if name == TRL else sys.executable
        script = here.with_name("trl_ppo.py") if name == TRL else here
        if python is None:
            figures[name] = {"problem": "not measured: trl is not installed"}
            continue
        given = {"size": options.size, "device": options.device, "dtype": dtype, "folder": folder, "serve": name}
        command = [python, str(script), *(f"--{key}={value}" for key, value in given.items())]
        if name == TRL and options.micro_batch:
            command.append(f"--micro-batch={options.micro_batch}")
        if name != TRL:
            command += [f"--{switch}" for switch in switched_on(options)]
        children[name] = Child(command, options.threads)
    for turn in range(options.repeats + 1):
        for child in children.values():
            record = child.iterate()
            if record and turn:  # the first warms up
                child.records.append(record)
    for child in children.values():
        child.close()
    peak = peak_flops(size, options.device, dtype)
    for name, child in children.items():
        is_whole = not child.problem and child.records
        figures[name] = summary(child, size, ROWS[name], peak) if is_whole else {"problem": child.problem}
    figures = {name: figures[name] for name in options.rows}
    print(table(figures, dtype))
    print(f"best matrix product: {peak / 1e9:,.0f} GFLOP/s", flush=True)
    return {**figures, "peak_gflops": {"value": peak / 1e9}}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", nargs="+", choices=("float32", "bfloat16"), default=["float32"])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--peer", help="the interpreter that has TRL 1.12.0; default: this one, if it has it")
    parser.add_argument("--micro-batch", type=int, help="responses in one pass of TRL's update; default: all")
    parser.add_argument("--threads", type=int, default=1, help="of each process, on a CPU")
    parser.add_argument("--repeats", type=int, default=5, help="iterations of each row, after one to warm up")
    parser.add_argument("--compile", action="store_true", help="our training passes through torch.compile")
    parser.add_argument("--onednn", action="store_true", help="our float32 linear layers by oneDNN, on a CPU")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--serve", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser


def main() -> None:
    options = arguments().parse_args()
    if options.serve:
        row = ROWS[options.serve]
        serve(options.folder, SIZES[options.size], row, options.device, options.dtype[0], switched_on(options))
        return
    import torch

    torch.set_num_threads(options.threads)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("device must be cpu: PyTorch finds no GPU here")
    load = [os.getloadavg()]
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        write_work(Path(name), SIZES[options.size])
        for dtype in options.dtype:
            figures[dtype] = run_rows(options, dtype, Path(name))
    load.append(os.getloadavg())
    print(f"load of the machine, before and after: {load[0][0]:.1f}, {load[1][0]:.1f}")
    if switched_on(options):
        print(f"our training passes with {' and '.join(switched_on(options))}")
    if options.json:
        settings = {**vars(options), "shape": asdict(SIZES[options.size]), "processor": platform.processor()}
        settings = {k: v for k, v in settings.items() if k not in ("serve", "folder", "peer")}
        print(json.dumps({"figures": figures, "settings": settings, "load": load, "versions": versions("torch")}))


if __name__ == "__main__":
    main()
