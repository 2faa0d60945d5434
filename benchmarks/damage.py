"""Do the gold judges see damage? Right answers, then the same answers spoilt in known ways, and judged again.

For each world: the share of examples whose reference scores at least 0.95, and for each kind of damage
the share of examples where it costs at least its stated margin. In Translate every alternative
answer is judged too; in Dialogue the reference is a program that answers turn by turn, and the damage
is done to one turn, or to all. Aimed at: 1 for the references, 0.99 for every damage.

    python benchmarks/damage.py
    python benchmarks/damage.py --examples 200 --worlds translate --json

Examples that have no room for a damage (no number to change) do not count for it; how many do is printed.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from textgym.tasks.dialogue import damage as dialogue
from textgym.tasks.dialogue.play import play
from textgym.tasks.load import load_task
from textgym.tasks.summarize import damage as summarize
from textgym.tasks.translate import damage as translate
from textgym.tasks.translate.german import write_references
from textgym.types import Example, Message, Transcript

RIGHT, AIM = 0.95, 0.99
ALTERNATIVES = 30  # of a translation


class Tally:
    """What was found in one world."""

    def __init__(self, margins: dict[str, float]) -> None:
        self.margins = margins
        self.right: defaultdict[str, list[float]] = defaultdict(list)  # kind of right answer -> scores
        self.lost: defaultdict[str, list[float]] = defaultdict(list)  # damage -> by how much the score fell

    def figures(self) -> dict[str, Any]:
        right = {
            kind: {"share": float(np.mean(np.array(s) >= RIGHT)), "lowest": min(s), "examples": len(s)}
            for kind, s in self.right.items()
        }
        damage = {}
        for name, lost in self.lost.items():
            margin = self.margins[name.partition(", ")[0]]
            share = float(np.mean(np.array(lost) >= margin - 1e-9))
            damage[name] = {"margin": margin, "share": share, "mean_loss": float(np.mean(lost)), "examples": len(lost)}
        return {"right": right, "damage": damage}


def judge(task: Any, example: Example, text: str) -> float:
    """The gold score of one answer."""
    messages = (*example.prompt, Message("assistant", text))
    return task.judge(Transcript(messages, example.references, example.meta, "eot", len(example.prompt))).score


def measure_summarize(task: Any, indices: range, seed: int) -> Tally:
    tally = Tally(summarize.MARGINS)
    for i in indices:
        example = task[i]
        score = judge(task, example, example.references[0])
        tally.right["reference"].append(score)
        for name, text in summarize.damages(task, i, np.random.default_rng([seed, i])).items():
            tally.lost[name].append(score - judge(task, example, text))
    return tally


def measure_translate(task: Any, indices: range, seed: int) -> Tally:
    tally = Tally(translate.MARGINS)
    for i in indices:
        example = task[i]
        score = judge(task, example, example.references[0])
        tally.right["reference"].append(score)
        others = [judge(task, example, text) for text in write_references(example.meta, ALTERNATIVES)]
        tally.right["lowest alternative"].append(min(others))
        for name, texts in translate.damages(task, i, np.random.default_rng([seed, i])).items():
            for text in [texts] if isinstance(texts, str) else texts:
                tally.lost[name].append(score - judge(task, example, text))
    return tally


def measure_dialogue(task: Any, indices: range, seed: int) -> Tally:
    tally = Tally(dialogue.MARGINS)
    for i in indices:
        example = task[i]
        score = task.judge(play(task, example, task.answer, np.random.default_rng([seed, i]))).score
        tally.right["reference"].append(score)
        # The same generator plays the same reference again before it spoils it.
        for name, texts in dialogue.damages(task, i, np.random.default_rng([seed, i])).items():
            tally.lost[name].append(score - task.judge(dialogue.rebuild(example, texts)).score)
    return tally


MEASURES: dict[str, Callable[[Any, range, int], Tally]] = {
    "summarize": measure_summarize,
    "translate": measure_translate,
    "dialogue": measure_dialogue,
}


def print_figures(world: str, figures: dict[str, Any]) -> None:
    print(f"{world}\n  {'right answers':<30}{'':>9}{'>= 0.95':>9}{'lowest':>9}{'examples':>10}")
    for name, f in figures["right"].items():
        print(f"  {name:<30}{'':>9}{_share(f['share']):>9}{f['lowest']:>9.2f}{f['examples']:>10}{_flag(f['share'], 1)}")
    print(f"  {'damage':<30}{'margin':>9}{'share':>9}{'mean':>9}{'examples':>10}")
    for name, f in figures["damage"].items():
        shown = f"{f['margin']:>9.2f}{_share(f['share']):>9}{-f['mean_loss']:>9.2f}{f['examples']:>10}"
        print(f"  {name:<30}{shown}{_flag(f['share'], AIM)}", flush=True)


def _share(value: float) -> str:
    """Rounded down, so that 1.0000 means all."""
    return f"{math.floor(value * 1e4) / 1e4:.4f}"


def _flag(share: float, aim: float) -> str:
    return "" if share >= aim else "  short of the aim"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--worlds", nargs="+", default=list(MEASURES), choices=list(MEASURES))
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--seed", type=int, default=0, help="what is spoilt, and how")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    if arguments.examples < 1:
        parser.error(f"--examples must be at least 1, got {arguments.examples}")
    found = {}
    for world in arguments.worlds:
        task = load_task(world, split=arguments.split)
        found[world] = MEASURES[world](task, range(min(arguments.examples, len(task))), arguments.seed).figures()
        print_figures(world, found[world])
    if arguments.json:
        from textgym.agents.runs import versions

        print(json.dumps({"figures": found, "settings": vars(arguments), "versions": versions()}))


if __name__ == "__main__":
    main()
