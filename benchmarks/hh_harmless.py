"""Can a small reward model learn from some hundred judgements of real people more than a bag of words does?

Anthropic's harmlessness pairs (Bai et al. 2022; MIT licence; the data is not part of this project and holds offensive
text, of which nothing is printed). Five folds, grouped by prompt: what is judged in a fold is judged by models
that have seen no pair of its prompts. Beside each other, on the same pairs:

- "bag of words": logistic regression on the difference of hashed word and word-pair counts of the two responses;
- "reward model": `train_reward_model` from a small language model;
- "longer wins", "shorter wins".

The paired interval draws prompts: where it holds 0, the two cannot be told apart with this many pairs.

    python benchmarks/hh_harmless.py --data pref_hh_harmless.jsonl --json
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textgym.feedback.preferences import Preference
from textgym.rewards.calibration import bootstrap_ratio
from textgym.rewards.judged import read_pairs

FEATURES = 1 << 14


def folds_of(preferences: Sequence[Preference], count: int, seed: int) -> np.ndarray:
    """(n,) the fold of each pair; a prompt is in one fold."""
    prompts = list(dict.fromkeys(p.prompt for p in preferences))
    fold = dict(zip(prompts, np.random.default_rng(seed).permutation(len(prompts)) % count, strict=True))
    return np.array([fold[p.prompt] for p in preferences])


def counts(text: str) -> dict[int, float]:
    """Hashed counts of words and pairs of words, as log(1 + n)."""
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    found: dict[int, float] = {}
    for gram in [*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))]:
        place = zlib.crc32(gram.encode()) % FEATURES
        found[place] = found.get(place, 0.0) + 1.0
    return {place: float(np.log1p(n)) for place, n in found.items()}


def difference(preference: Preference) -> np.ndarray:
    """(FEATURES,) float32, chosen minus rejected."""
    row = np.zeros(FEATURES, dtype=np.float32)
    for sign, transcript in zip((1.0, -1.0), preference.transcripts, strict=True):
        for place, value in counts(transcript.response).items():
            row[place] += sign * value
    return row


def fit_bag(gram: np.ndarray, decay: float, steps: int = 400, rate: float = 1.0) -> np.ndarray:
    """Weights of the pairs in a Bradley-Terry model on differences, by gradient descent with momentum.

    The words' weights are a sum of the pairs' rows, so the pairs' inner products are all that is needed.
    (n, n) -> (n,).
    """
    a, velocity = np.zeros(len(gram)), np.zeros(len(gram))
    for _ in range(steps):
        p = 1 / (1 + np.exp(np.clip(gram @ a, -30, 30)))
        velocity = 0.9 * velocity + p / len(gram) - decay * a
        a += rate * velocity
    return a


def bag_of_words(gram: np.ndarray, fold: np.ndarray, k: int, decays: Sequence[float]) -> np.ndarray:
    """(pairs of fold k,) differences of scores; the decay is chosen on another fold than the one that is judged."""

    def says(trained: np.ndarray, judged: np.ndarray, decay: float) -> np.ndarray:
        return gram[np.ix_(judged, trained)] @ fit_bag(gram[np.ix_(trained, trained)], decay)

    held = fold == (k + 1) % (fold.max() + 1)
    rest = fold != k
    best = max(decays, key=lambda decay: float((says(rest & ~held, held, decay) > 0).mean()))
    return says(rest, ~rest, best)


def reward_model(preferences: Sequence[Preference], fold: np.ndarray, k: int, args: Any) -> np.ndarray:
    """(pairs of fold k,) differences of scores."""
    from textgym.rewards.evaluation import score_pairs
    from textgym.rewards.learned import LearnedReward
    from textgym.rewards.train import RewardTrainConfig, train_reward_model

    training = [p for p, of in zip(preferences, fold, strict=True) if of != k]
    config = RewardTrainConfig(
        kind=args.kind,
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        validation_share=0.15,
        test_share=0.05,  # the fold is the test, but the training wants one of its own
        seed=args.seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "reward"
        train_reward_model(training, args.model, None, out, config)
        judged = [p for p, of in zip(preferences, fold, strict=True) if of == k]
        return score_pairs(LearnedReward(out), judged).differences  # all: what is too long was left out before


def readable(preferences: Sequence[Preference], model: str) -> list[Preference]:
    """Those whose responses fit the model with 64 tokens to spare: both baselines get the same pairs."""
    from transformers import AutoConfig

    from textgym.rewards.encoding import load_reward_tokenizer
    from textgym.rewards.network import max_positions

    chat, limit = load_reward_tokenizer(model), max_positions(AutoConfig.from_pretrained(model))
    sizes = [max(len(chat.encode(t.response)) for t in p.transcripts) for p in preferences]
    return [p for p, size in zip(preferences, sizes, strict=True) if limit is None or size <= limit - 64]


def right(differences: np.ndarray) -> np.ndarray:
    return (differences > 0) + 0.5 * (differences == 0)


def measure(args: Any) -> dict[str, Any]:
    started = time.perf_counter()
    everything = read_pairs([args.data]).preferences
    preferences, total = readable(everything, args.model), len(everything)
    fold = folds_of(preferences, args.folds, args.seed)
    x = np.stack([difference(p) for p in preferences])
    gram = (x @ x.T).astype(np.float64) / float(np.square(x).sum(axis=1).mean())
    lengths = np.array([[len(t.response) for t in p.transcripts] for p in preferences], dtype=np.float64)
    says = {"bag of words": np.zeros(len(fold)), "reward model": np.zeros(len(fold))}
    for k in range(args.folds):
        says["bag of words"][fold == k] = bag_of_words(gram, fold, k, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2))
        says["reward model"][fold == k] = reward_model(preferences, fold, k, args)
    says["longer wins"] = lengths[:, 0] - lengths[:, 1]
    says["shorter wins"] = -says["longer wins"]
    numbers = {p: i for i, p in enumerate(dict.fromkeys(p.prompt for p in preferences))}
    prompts = [numbers[p.prompt] for p in preferences]
    figures: dict[str, Any] = {}
    for name, d in says.items():
        low, high = bootstrap_ratio(right(d), prompts, args.seed)
        figures[name] = {"accuracy": float(right(d).mean()), "low": low, "high": high}
    gain = right(says["reward model"]) - right(says["bag of words"])
    low, high = bootstrap_ratio(gain, prompts, args.seed)
    return {
        "pairs": len(preferences),
        "pairs_too_long": total - len(preferences),
        "prompts": len(numbers),
        "folds": args.folds,
        "figures": figures,
        "reward model minus bag of words": {"value": float(gain.mean()), "low": low, "high": high},
        "can be told apart": not low <= 0 <= high,
        "seconds": time.perf_counter() - started,
    }


def main() -> None:
    from textgym.models.language_model import EMBEDDED_POLICY

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", required=True, help="pref_hh_harmless.jsonl, or any file of judged pairs")
    parser.add_argument("--model", default=str(EMBEDDED_POLICY), help="the language model to start from")
    parser.add_argument("--kind", default="sequence", choices=["token", "sequence"])
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args)
    if args.json:
        print(json.dumps(found, indent=2))
        return
    for name, f in found["figures"].items():
        print(f"{name:<14} {f['accuracy']:.3f} ({f['low']:.3f} to {f['high']:.3f})")
    gain = found["reward model minus bag of words"]
    apart = "they can be told apart" if found["can be told apart"] else "the two cannot be told apart"
    print(f"reward model minus bag of words {gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f}): {apart}")
    print(f"{found['pairs']} pairs of {found['prompts']} prompts, {found['seconds']:.0f} s")


if __name__ == "__main__":
    main()
