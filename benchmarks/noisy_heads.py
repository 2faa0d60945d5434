"""Single model against ensembles under label noise, made cheap: only the heads of the reward models are trained.

`overoptimization.py` trains whole reward models, which is slow on a CPU. Here the trunk is that of
the world's embedded reward model and stays as it is; a member is a logistic regression with a ridge on what its head
would read (hidden states summed over the response). Members of an ensemble see the same noisy judgements of simulated
raters and resample the prompts (bagging), because convex fits have no other seed. Best-of-n is then arithmetic on the
samples of a lab that lies there already, so every seed of raters costs a second.

What this cannot show: the trunk has seen clean judgements, and members that share a trunk are more alike than members
that do not.

    textgym lab overoptimize --env textgym/Summarize-v0 --methods bon --out runs/lab
    python benchmarks/noisy_heads.py --lab runs/lab --seeds 20
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from overoptimization import KINDS, compare

from textgym.agents.lab import OveroptimizeConfig, of_env
from textgym.agents.lab_rewards import TEXTS, raters
from textgym.agents.lab_samples import Sampler, Samples, read
from textgym.feedback.raters import GoldPairs
from textgym.rewards.encoding import encode_conversations
from textgym.rewards.head import Head
from textgym.types import Message, Transcript

RIDGE = 100.0  # on differences of features of unit variance
CHUNK = 512  # texts


@torch.no_grad()
def features(model: Any, transcripts: list[Transcript]) -> np.ndarray:
    """(n, H) what the head of a token reward model reads, summed over each response."""
    conversations = encode_conversations(model.tokenizer, transcripts, model.max_length)
    head, parts = Head(model.model, model.kind), []
    for start in range(0, len(conversations), CHUNK):
        part = conversations[start : start + CHUNK]
        parts.append(head._scores_and_features(part, model.tokenizer.pad)[1])
    return np.concatenate(parts)


def fit_head(differences: np.ndarray, ridge: float = RIDGE, steps: int = 20) -> np.ndarray:
    """(m, H) chosen less rejected -> (H,) weights: Bradley-Terry with a ridge, by Newton's method."""
    w = np.zeros(differences.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-differences @ w))
        curvature = (differences * (p * (1 - p))[:, None]).T @ differences + ridge * np.eye(len(w))
        w -= np.linalg.solve(curvature, ridge * w - differences.T @ (1 - p))
    return w


def judged_texts(sampler: Sampler, model: Any, prompts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training texts: (P, T, H) features, (P, T) gold, (P, T) characters."""
    said, gold = [], []
    for start in range(0, prompts, sampler.at_once):
        transcripts, golds, _ = sampler.play(start)
        said += [t for of_prompt in transcripts for t in of_prompt]
        gold.append(golds)
    shape = (-1, TEXTS)
    lengths = np.array([sum(map(len, t.responses)) for t in said], dtype=np.float64).reshape(shape)
    return features(model, said).reshape(*lengths.shape, -1), np.concatenate(gold), lengths


def train_heads(
    texts: tuple[np.ndarray, np.ndarray, np.ndarray], label_noise: float, members: int, seed: int
) -> tuple[np.ndarray, float]:
    """(M, H) heads trained on one set of noisy judgements, and their mean accuracy on prompts they did not see."""
    x, gold, lengths = texts
    a, b = (np.array(side) for side in zip(*itertools.combinations(range(TEXTS), 2), strict=True))
    rng = np.random.default_rng([seed, 21])
    pairs = GoldPairs(*(column[:, side].ravel() for column in (gold, lengths) for side in (a, b)))
    judged = raters(label_noise).judge(pairs, rng)
    signs = np.where(judged.prefers_a, 1.0, -1.0)[:, None]
    differences = (signs * (x[:, a] - x[:, b]).reshape(-1, x.shape[-1])).reshape(len(x), len(a), -1)
    held_out = max(1, len(x) // 5)
    training = len(x) - held_out
    heads = []
    for _ in range(members):
        drawn = rng.integers(training, size=training)
        heads.append(fit_head(differences[drawn].reshape(-1, x.shape[-1])))
    right = [(differences[training:] @ head > 0).mean() for head in heads]
    return np.stack(heads), float(np.mean(right))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lab", required=True, help="folder of a lab with samples of a one-turn task")
    parser.add_argument("--prompts", type=int, default=100, help="at most so many prompts of it")
    parser.add_argument("--judged-prompts", type=int, default=150, help="training prompts with six judgements each")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--label-noise", type=float, default=0.25)
    parser.add_argument("--seeds", type=int, default=20, help="sets of judgements")
    parser.add_argument("--k", type=float, default=1.0, help="standard deviations that mean-std takes off")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    from textgym.rewards.spec import load_reward

    folder = Path(options.lab)
    config = replace(OveroptimizeConfig(), env=json.loads((folder / "config.json").read_text())["env"])
    sampler = Sampler(of_env(config), "train", TEXTS, 0)
    core = sampler.env.unwrapped
    model = load_reward("learned", task=sampler.task, name=core.world, has_own_data=False)
    samples = read(folder / "samples.jsonl", options.prompts)
    held_out = Sampler(of_env(config), "validation", TEXTS, 0).task
    said = [
        Transcript((*held_out[i].prompt, Message("assistant", text)), num_prompt_messages=len(held_out[i].prompt))
        for i, of_prompt in enumerate(samples.texts)
        for text in of_prompt
    ]
    of_samples = features(model, said).reshape(*samples.gold.shape, -1)
    texts = judged_texts(sampler, model, options.judged_prompts)
    scale = (texts[0] - texts[0].mean(axis=1, keepdims=True)).std(axis=(0, 1)) * np.sqrt(2) + 1e-6
    texts = (texts[0] / scale, *texts[1:])
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        heads, accuracy = train_heads(texts, options.label_noise, options.members, seed)
        scores = np.einsum("pnh,mh->mpn", of_samples / scale, heads)
        rows.append(compare(Samples(scores, samples.gold, samples.tokens, samples.texts), options.k))
        rows[-1]["accuracy"] = accuracy
    ends = f"{len(rows)} sets of judgements, {rows[0]['prompts']} prompts, n ≤ {rows[0]['n']}"
    print(f"{ends}; accuracy on noisy held-out pairs {np.mean([row['accuracy'] for row in rows]):.3f}")
    single = np.array([row["single"]["lost"] for row in rows])
    for kind in KINDS:
        lost = np.array([row[kind]["lost"] for row in rows])
        share = lost.mean() / single.mean() if single.mean() > 0 else float("nan")
        quarter = float((lost <= single / 4).mean())
        start, top, end = (np.mean([row[kind][name] for row in rows]) for name in ("start", "top", "end"))
        print(
            f"  {kind:<9} gold {start:.3f}, top {top:.3f}, end {end:.3f}, lost {lost.mean():.4f} "
            f"(sd over sets {lost.std():.4f}), {share:.0%} of single's; at most a quarter in {quarter:.0%} of sets"
        )
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
