"""Writes a file of judgements to try the whole path with: what simulated raters say of the embedded policy's summaries.

Four programs, no people. They go by the gold judge's score, with noise, and by a taste of their own: they like short
answers, as readers in a hurry may. That taste is what a reward model then learns, and a policy after it.

    python examples/simulated_judgements.py --out short_answers.jsonl
"""

from __future__ import annotations

import argparse

import numpy as np

from textgym.agents.sample import SampleConfig, sample_items
from textgym.feedback.preferences import Preference, write_preferences
from textgym.feedback.raters import SimulatedRaters
from textgym.tasks.load import load_task
from textgym.types import Transcript

ENV = "textgym/Summarize-v0"
RATERS = SimulatedRaters(count=4, noise=0.2, length_bias=-4.0)  # nats for an answer e times as long


def judge(num_prompts: int, seed: int) -> list[Preference]:
    """Two sampled answers to each prompt, judged by one rater."""
    task = load_task("summarize", split="train")
    items, _ = sample_items(SampleConfig(env=ENV, n=num_prompts, samples=2, seed=seed))
    sides: list[list[Transcript]] = [[], []]
    for item in items:
        example = task[int(item.origin.split()[-1])]
        for side, said in zip(sides, item.responses, strict=True):
            side.append(Transcript((*item.prompt, *said), example.references, example.meta, "eot", len(item.prompt)))
    gold = [[task.judge(transcript).score for transcript in side] for side in sides]
    return RATERS.prefer(*sides, *gold, np.random.default_rng(seed), source=ENV)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", default="short_answers.jsonl")
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    judged = judge(options.prompts, options.seed)
    write_preferences(options.out, judged)
    print(f"{options.out}: {len(judged)} judgements by {RATERS.count} simulated raters")


if __name__ == "__main__":
    main()
