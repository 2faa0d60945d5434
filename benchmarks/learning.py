"""Does the embedded policy learn? PPO at its defaults on each id, several seeds, gold before and after.

    python benchmarks/learning.py --json
    python benchmarks/learning.py --envs textgym/Translate-v0 --seeds 0 1 2

Runs that lie in the folder of runs already go on where they stopped; finished ones are measured only.

Every figure is on held-out test prompts, the same ones and the same decoding before and after. The
"length edit" row is a control: the best gain that cutting or padding the starting policy's
answers brings, without a better word in them.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textgym.agents.evaluate import Evaluation, evaluate
from textgym.agents.ppo import PPOConfig, train
from textgym.agents.runs import versions
from textgym.agents.stage import load_policy_tokenizer, make_env
from textgym.models.language_model import load_language_model
from textgym.types import Message, Transcript

ENVS = ("textgym/Summarize-v0", "textgym/Translate-v0", "textgym/Dialogue-v0")
CUTS = (0.25, 0.5, 0.75, 0.9)  # share of the words kept
PADS = (0.1, 0.25, 0.5, 1.0)  # share of the words said again at the end


def measure(config: PPOConfig, policy: str, num_prompts: int) -> dict[str, Evaluation]:
    """Sampled and greedy, on the test split of the config's env and under its reward."""
    tokenizer = load_policy_tokenizer(policy, None, config.end_of_turn)
    model = load_language_model(policy)
    return {
        name: evaluate(
            model,
            tokenizer,
            lambda n: make_env(config, tokenizer, "test", n),
            num_prompts=num_prompts,
            temperature=temperature,
        )
        for name, temperature in (("sampled", 1.0), ("greedy", 0.0))
    }


def best_length_edit(env: str, evaluation: Evaluation) -> float:
    """The best mean gain in gold over all cuts and pads of the policy's answers."""
    config = PPOConfig(env=env)
    task = make_env(config, load_policy_tokenizer("embedded", None, None), "test", 1).unwrapped.task
    gains = []
    for edit in [*[(c, 0.0) for c in CUTS], *[(1.0, p) for p in PADS]]:
        golds = []
        for rollout in evaluation.rollouts:
            for i, messages, ending in zip(rollout.index.tolist(), rollout.messages, rollout.endings, strict=True):
                example = task[i]
                p = len(example.prompt)
                edited = [_edited(m["role"], m["content"], *edit) for m in messages[p:]]
                transcript = Transcript(
                    (*example.prompt, *edited), example.references, example.meta, ending, num_prompt_messages=p
                )
                golds.append(task.judge(transcript).score)
        gains.append(float(np.mean(golds)) - evaluation.means["gold"])
    return max(gains)


def _edited(role: str, text: str, keep: float, again: float) -> Message:
    words = text.split()
    if role == "assistant":
        kept = words[: max(1, round(keep * len(words)))]
        words = kept + words[: round(again * len(words))]
    return Message(role, " ".join(words))


def drop_from_best(folder: Path) -> float:
    """How far the last evaluation on validation prompts lies below the run's best."""
    golds = [
        row["evaluation"]["gold"]
        for row in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        if "evaluation" in row
    ]
    return max(golds) - golds[-1]


def table(env: str, found: dict[str, Any]) -> str:
    """Markdown: gold and its components, before and after each seed, mean ± 95% over prompts."""
    seeds = list(found["seeds"])
    before = found["before"]
    names = [n for n in before["sampled"] if not n.endswith("_ci95")]

    def cell(figures: dict[str, float], name: str) -> str:
        return f"{figures[name]:.2f} ± {figures[name + '_ci95']:.2f}"

    head = [env, *(f"{d} {w}" for d in before for w in ("before", *(f"after, seed {s}" for s in seeds)))]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in names:
        cells = [name]
        for decoding in before:
            cells.append(cell(before[decoding], name))
            cells += [cell(found["seeds"][s]["after"][decoding], name) for s in seeds]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", nargs="+", default=list(ENVS), choices=ENVS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--num-prompts", type=int, default=512)
    parser.add_argument("--eval-prompts", type=int, default=256, help="validation prompts of each evaluation in a run")
    parser.add_argument("--runs", default="runs/learning", help="where the runs' folders go")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for env in arguments.envs:
        before = measure(PPOConfig(env=env), "embedded", arguments.num_prompts)
        found: dict[str, Any] = {
            "before": {name: e.figures() for name, e in before.items()},
            "length_edit_gain": best_length_edit(env, before["sampled"]),
            "seeds": {},
        }
        for seed in arguments.seeds:
            folder = Path(arguments.runs) / f"{env.split('/')[-1]}-seed{seed}"
            started = time.perf_counter()
            is_there = (folder / "checkpoints").exists()
            train(PPOConfig(env=env, seed=seed, run=str(folder), eval_prompts=arguments.eval_prompts, resume=is_there))
            minutes = (time.perf_counter() - started) / 60
            rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            training = sum(r["rollout_s"] + r["update_s"] for r in rows if "evaluation" not in r) / 60
            after = measure(PPOConfig(env=env), str(folder / "policy"), arguments.num_prompts)
            found["seeds"][seed] = {
                "after": {name: e.figures() for name, e in after.items()},
                "minutes_training": training,
                "minutes_with_evaluations": minutes,
                "below_own_best": drop_from_best(folder),
            }
            for name in after:
                a, b = before[name], after[name]
                print(
                    f"{env} seed {seed} {name}: gold {a.means['gold']:.3f} ± {a.intervals['gold']:.3f} -> "
                    f"{b.means['gold']:.3f} ± {b.intervals['gold']:.3f}, {training:.1f} min of training",
                    flush=True,
                )
        figures[env] = found
        print(table(env, found))
        below = {seed: round(of_seed["below_own_best"], 3) for seed, of_seed in found["seeds"].items()}
        print(
            f"{env} best length edit: {found['length_edit_gain']:+.3f}; end below own best, by seed: {below}",
            flush=True,
        )
    if arguments.json:
        settings = {**vars(arguments), "threads": torch.get_num_threads(), "processor": platform.processor()}
        print(json.dumps({"figures": figures, "settings": settings, "versions": versions()}))


if __name__ == "__main__":
    main()
