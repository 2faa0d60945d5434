"""Length control: scores lose what goes with length, keep what goes with quality, and come back from a checkpoint.

`python tests/test_reward_length.py` prints the figures of nine toy runs that docs/reward_models.md quotes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_reward_learned import conversations
from tiny import save_tiny_tokenizer, tiny_policy, tiny_tokenizer
from transformers import AutoConfig

from textgym.feedback.preferences import Preference
from textgym.feedback.raters import SimulatedRaters
from textgym.rewards.calibration import accuracy, correlation
from textgym.rewards.learned import LearnedReward
from textgym.rewards.length import (
    ATTRIBUTE,
    LengthCorrection,
    characters,
    fit_length_correction,
    read_correction,
    write_correction,
)
from textgym.rewards.train import RewardTrainConfig, train_reward_model
from textgym.types import Message, SpanRewards, Transcript

PLAN = {"epochs": 6, "batch_size": 16, "learning_rate": 3e-3, "validation_share": 0.2, "test_share": 0.2}


def judged(
    n: int, seed: int, length_bias: float
) -> tuple[list[Preference], list[tuple[Transcript, Transcript, float]]]:
    """Raters who like o, dislike x and like long texts; and as many other pairs with the difference in quality.

    Dots make a text long and are worth nothing, so quality and length are independent.
    """
    rng = np.random.default_rng(seed)

    def text(i: int) -> tuple[Transcript, float]:
        likes, dislikes = rng.integers(0, 5, 2)
        letters = "".join(rng.permutation(list("o" * likes + "x" * dislikes + "." * int(rng.integers(0, 16)))))
        said = Transcript((Message("user", f"say {i}"), Message("assistant", letters)))
        return said, 0.5 + (likes - dislikes) / 10

    pairs = [(text(i), text(i)) for i in range(2 * n)]
    (a, gold_a), (b, gold_b) = (tuple(zip(*side, strict=True)) for side in zip(*pairs[:n], strict=True))
    raters = SimulatedRaters(count=3, noise=0.1, length_bias=length_bias)
    preferences = raters.prefer(list(a), list(b), list(gold_a), list(gold_b), rng, source="toy")
    return preferences, [(a, b, x - y) for (a, x), (b, y) in pairs[n:] if x != y]


def run(folder: Path, length_bias: float, seed: int, n: int = 700, kind: Any = "token") -> dict[str, float]:
    """Trains once with length control; accuracies by the biased labels and by quality, before and after."""
    tiny_policy().save_pretrained(folder / "base")
    save_tiny_tokenizer(folder / "base")
    preferences, clean = judged(n, seed, length_bias)
    config = RewardTrainConfig(**PLAN, kind=kind, seed=seed, length_control=True)
    figures = train_reward_model(preferences, folder / "base", output=folder / "reward", config=config)
    reward = LearnedReward(folder / "reward")
    found = {
        "biased_before": figures["accuracy_uncorrected"],
        "biased_after": figures["accuracy"],
        "per_100_characters": figures["score_per_100_characters"],
    }
    better = np.sign([quality for *_, quality in clean])
    texts = [t for a, b, _ in clean for t in (a, b)]
    for when in ("after", "before"):
        scores = reward.score(texts).values
        found[f"clean_{when}"] = accuracy((scores[::2] - scores[1::2]) * better)
        found[f"correlation_{when}"] = correlation(scores, characters(texts))
        reward.length_correction = None
    return found


@pytest.fixture(scope="module", params=["token", "sequence"])
def biased(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return folder / "reward", run(folder, 3.0, 1, kind=request.param)


def test_a_length_bias_is_taken_out_and_quality_stays(biased):
    _, found = biased
    assert found["correlation_before"] > 0.4, "the raters' bias must have been learned for this to mean anything"
    assert abs(found["correlation_after"]) <= 0.1
    assert found["clean_after"] > found["clean_before"] + 0.02
    assert found["clean_after"] > 0.8
    assert found["biased_after"] < found["biased_before"], "the raters' own taste for length is given up"
    assert found["per_100_characters"] > 1


def test_the_checkpoint_holds_the_line_and_spans_add_up_to_the_score(biased):
    folder, _ = biased
    reward = LearnedReward(folder)
    texts = [Transcript((Message("user", "say y"), Message("assistant", t))) for t in ("", "oo", "oo" + "." * 30)]
    scores = reward.score(texts)
    line = LengthCorrection(**getattr(AutoConfig.from_pretrained(folder), ATTRIBUTE))
    assert reward.length_correction == line
    reward.length_correction = None
    plain = reward.score(texts)
    expected = plain.values - line.per_character * (np.array([0, 2, 32]) - line.mean_length)
    assert np.allclose(scores.values, expected, atol=1e-4)
    if scores.spans is None:
        return
    assert np.allclose([s.value.sum() for s in scores.spans], scores.values, atol=1e-4)
    letters = slice(0, len(scores.spans[2].value) - 1)
    change = plain.spans[2].value[letters] - scores.spans[2].value[letters]
    assert np.allclose(change, line.per_character * (scores.spans[2].end - scores.spans[2].start)[letters], atol=1e-4)


def test_the_card_says_it_and_a_new_training_from_it_starts_without(biased, tmp_path):
    folder, _ = biased
    card = (folder / "README.md").read_text()
    assert "length_control" in card
    assert "per character" in card
    config = RewardTrainConfig(**{**PLAN, "epochs": 0.2}, kind=LearnedReward(folder).kind)
    train_reward_model(judged(60, 0, 0.0)[0], folder, output=tmp_path / "next", config=config)
    assert LearnedReward(tmp_path / "next").length_correction is None
    assert "per character" not in (tmp_path / "next" / "README.md").read_text()


def test_differences_no_longer_go_with_length_and_the_ranking_never_turns_round():
    rng = np.random.default_rng(0)
    for slope in (-0.3, 0.0, 0.2, 5.0):
        quality, lengths = rng.normal(size=(2, 300)), rng.integers(0, 100, (2, 300)).astype(float)
        scores = quality + slope * lengths
        weights = rng.random(300)
        line = fit_length_correction(*scores, tuple(lengths), weights)
        after = scores - line.of(lengths)
        assert (weights * (after[0] - after[1]) * (lengths[0] - lengths[1])).sum() == pytest.approx(0, abs=1e-6)
        assert line.per_character == pytest.approx(slope, abs=0.01)
        assert correlation(after[0] - after[1], scores[0] - scores[1]) >= 0
        swapped = fit_length_correction(*scores[::-1], tuple(lengths[::-1]), weights)
        assert swapped == pytest.approx(line), "which side was chosen means nothing"
    same = np.full(300, 7.0)
    assert fit_length_correction(*scores, (same, same)) == (0.0, 7.0, 7.0), "equal lengths ask for no correction"


def test_a_taste_for_short_texts_is_not_turned_into_pay_without_end():
    line = LengthCorrection(per_character=-0.1, mean_length=20.0, longest=50.0)
    assert line.of(np.array([0.0, 20.0, 50.0, 5000.0])) == pytest.approx([2.0, 0.0, -3.0, -3.0])
    long = SpanRewards(*(np.array(c) for c in ([1, 1, 1], [0, 40, 100], [40, 100, 100], [0.0, 0.0, 0.0])))
    assert line.from_spans(long).value.sum() == pytest.approx(3.0)
    against = LengthCorrection(per_character=0.1, mean_length=20.0, longest=50.0)
    assert against.of(np.array([5000.0])) == pytest.approx([498.0]), "what costs goes on costing"


def test_a_config_that_does_not_fit_is_named(tmp_path):
    from test_reward_learned import make_network

    network = make_network("llama", "sequence")
    whole = LengthCorrection(0.1, 20.0, 50.0)
    write_correction(network.config, whole)
    assert read_correction(network.config, "r") == whole
    setattr(network.config, ATTRIBUTE, {"per_character": 0.1})
    with pytest.raises(ValueError, match=f"{ATTRIBUTE}.*mean_length"):
        LearnedReward(network, tiny_tokenizer().hf)
    write_correction(network.config, None)
    assert LearnedReward(network, tiny_tokenizer().hf).score(conversations()[:2]).values.shape == (2,)


def main() -> None:
    parser = argparse.ArgumentParser(description="What length control does to toy reward models of biased raters.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=2000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for length_bias in (1.0, 2.0, 3.0):
        for seed in range(args.seeds):
            with tempfile.TemporaryDirectory() as folder:
                found = run(Path(folder), length_bias, seed, args.pairs)
            print(json.dumps({"length_bias": length_bias, "seed": seed, **found}), flush=True)


if __name__ == "__main__":
    main()
