"""Training on ratings: held-out responses are ranked, cut points keep their order, attributes' weights matter.

`python tests/test_reward_ratings.py` prints the figures that docs/reward_models.md quotes.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny import save_tiny_tokenizer, tiny_policy

from textgym.rewards.api import train_reward_model
from textgym.rewards.learned import LearnedReward
from textgym.rewards.ordinal import CutPoints, level_probabilities, ordinal_losses, parse_attributes, read_note
from textgym.rewards.rated import Standardiser, read_ratings
from textgym.rewards.rating_metrics import kendall, spearman
from textgym.rewards.report import describe, make_report
from textgym.rewards.train import RewardTrainConfig
from textgym.types import Message, Transcript

PLAN = {"epochs": 8, "batch_size": 16, "learning_rate": 3e-3, "validation_share": 0.2, "test_share": 0.3}
TEXTS = [Transcript((Message("user", "say y"), Message("assistant", t))) for t in ("ooo", "oox", "oxx", "xxx")]


def write_ratings(path, n: int = 400, noise: float = 0.5, seed: int = 3) -> str:
    """Two raters a response, who like o and dislike x: 3 + (o - x) / 2 and noise, in whole points from 1 to 5."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(n):
        o, x = rng.integers(0, 5, 2)
        text = "".join(rng.permutation(list("o" * o + "x" * x))) or "-"
        for rater in ("anna", "bert"):
            rating = float(np.clip(np.round(3 + (o - x) / 2 + noise * rng.normal()), 1, 5))
            row = {"id": f"r{i}", "prompt": f"say {i}", "response": text, "rating": rating, "rater": rater}
            rows.append(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    tiny_policy().save_pretrained(folder)
    return save_tiny_tokenizer(folder)


@pytest.fixture(scope="module", params=["auto", "ordinal"])
def trained(request, base, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    data = write_ratings(folder / "ratings.jsonl")
    options = {**PLAN, "objective": request.param, "test_output": folder / "test.jsonl"}
    return folder, train_reward_model(data, folder / "reward", model=base, **options)


def test_held_out_responses_are_ranked_and_predicted(trained):
    """A score that is deaf to the letters has a rank correlation of 0 ± 0.1 (120 responses)."""
    folder, reward = trained
    figures = reward.figures
    assert figures["spearman"] > 0.7
    assert figures["spearman_low"] <= figures["spearman"] <= figures["spearman_high"]
    assert figures["rmse"] < 0.75 * figures["rating_std"]
    assert 0.6 < figures["ceiling_spearman"] <= 1
    again = LearnedReward(folder / "reward")
    assert (np.diff(again.score(TEXTS).values) < 0).all()
    note = read_note(again.model.config, "it")
    assert note is not None
    card = (folder / "reward" / "README.md").read_text()
    assert f"**{note.objective}**" in card
    assert "| rating | 1 |" in card


def test_no_prompt_is_in_training_and_test_and_eval_reads_the_test(trained):
    folder, reward = trained
    test = {r.prompt for r in read_ratings([folder / "test.jsonl"]).ratings}
    assert len(test) == 120
    report = make_report(reward, [str(folder / "test.jsonl")], probes=0)
    assert "in_distribution" not in report
    assert report["ratings"]["spearman"]["value"] == pytest.approx(reward.figures["spearman"], abs=1e-3)
    assert report["ratings"]["rmse"] == pytest.approx(reward.figures["rmse"], abs=1e-3)
    assert any("Spearman" in line for line in describe({"model": "it", **report}))


def test_cut_points_are_ordered_and_recovered():
    rng, truth = np.random.default_rng(0), np.array([-2.0, -0.5, 1.0, 1.5])
    scores = rng.normal(size=4000) * 1.5
    level = (scores[:, None] + rng.logistic(size=(4000, 1)) > truth).sum(axis=1)
    counts = np.eye(5)[level]
    cuts = CutPoints(counts.sum(axis=0, keepdims=True))
    optimizer = torch.optim.Adam(cuts.parameters(), lr=0.05)
    for _ in range(300):
        losses = ordinal_losses(torch.tensor(scores[:, None], dtype=torch.float32), cuts())
        loss = (torch.tensor(counts[:, None], dtype=torch.float32) * losses).sum() / 4000
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = cuts()[0].detach().numpy()
    assert (np.diff(found) > 0).all()
    assert np.abs(found - truth).max() < 0.25, "five standard errors of about 0.05"
    p = level_probabilities(scores[:3], found.astype(float))
    ours = np.exp(-ordinal_losses(torch.tensor(scores[:3, None], dtype=torch.float32), cuts())[:, 0].detach().numpy())
    assert np.allclose(p, ours, atol=1e-4)
    assert np.allclose(p.sum(axis=1), 1)


def test_the_weights_of_attributes_decide_what_is_preferred(base, tmp_path):
    rng, rows = np.random.default_rng(4), []
    for i in range(400):
        o, x = rng.integers(0, 5, 2)
        text = "".join(rng.permutation(list("o" * o + "x" * x))) or "-"
        rows.append(
            {"id": f"h{i}", "prompt": f"say {i}", "response": text, "helpfulness": int(o), "correctness": int(x)}
        )
    (tmp_path / "h.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for attributes, sign in (("helpfulness=1,correctness=-0.5", -1), ("helpfulness=-0.5,correctness=1", 1)):
        options = {**PLAN, "kind": "sequence", "attributes": attributes}
        reward = train_reward_model(tmp_path / "h.jsonl", tmp_path / "r", model=base, **options)
        scores = LearnedReward(tmp_path / "r").score(TEXTS)
        assert (sign * np.diff(scores.values) > 0).all()
        weights = parse_attributes(attributes)
        assert np.allclose(scores.values, sum(w * scores.components[n] for n, w in weights.items()), atol=1e-4)
        assert reward.figures["spearman_helpfulness"] > 0.6
        assert reward.figures["spearman_correctness"] > 0.6


def test_a_strict_rater_is_moved_to_the_mean_of_all(tmp_path):
    rows = [
        {"id": f"s{i}", "prompt": f"p {i}", "response": "x", "rating": (i // 2) % 3 + 2 * (i % 2), "rater": "ab"[i % 2]}
        for i in range(60)
    ]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ratings = read_ratings([tmp_path / "r.jsonl"]).ratings
    moved = Standardiser(ratings)(ratings)
    means = [np.mean([r.values["rating"] for r in moved if r.rater == who]) for who in "ab"]
    assert means == pytest.approx([2, 2])
    assert [r.values for r in Standardiser([])(ratings)] == [r.values for r in ratings]


def test_rank_correlations_by_hand():
    x, y = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    assert spearman(x, y) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert kendall(x, y) == pytest.approx(4 / 6)
    assert kendall(x, np.array([1.0, 1, 2, 2])) == pytest.approx(4 / np.sqrt(6 * 4))
    assert spearman(x, np.ones(4)) == kendall(x, np.ones(4)) == 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"objective": "rank"}, "objective"),
        ({"attributes": "helpfulness"}, "attributes"),
        ({"attributes": "a=1,b=2"}, "attributes"),
        ({"attributes": "a=0"}, "attributes"),
        ({"attributes": "a=2"}, "attributes"),
        ({"objective": "pairs", "attributes": "a=1"}, "attributes"),
        ({"objective": "ordinal", "standardise_raters": True}, "standardise_raters"),
        ({"objective": "regression", "length_control": True}, "length_control"),
        ({"objective": "regression", "kind": "sequence", "heads": 2}, "heads"),
    ],
)
def test_wrong_options_name_the_argument(options, named):
    with pytest.raises(ValueError, match=named):
        RewardTrainConfig(**options)


def test_data_that_does_not_fit_is_told(base, tmp_path):
    data = write_ratings(tmp_path / "r.jsonl", n=40)
    with pytest.raises(ValueError, match=r"attributes .*wit"):
        train_reward_model(data, tmp_path / "o", model=base, attributes="wit=1")
    with pytest.raises(ValueError, match="raters"):
        train_reward_model(data, tmp_path / "o", model=base, raters="majority")
    with pytest.raises(ValueError, match=r"data .*pairs"):
        train_reward_model(data, tmp_path / "o", model=base, objective="pairs")
    assert not (tmp_path / "o").exists()


if __name__ == "__main__":
    import tempfile
    from pathlib import Path

    for objective in ("regression", "ordinal"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            tiny_policy().save_pretrained(folder / "base")
            save_tiny_tokenizer(folder / "base")
            data = write_ratings(folder / "ratings.jsonl")
            made = train_reward_model(data, folder / "r", model=folder / "base", objective=objective, **PLAN)
            print(objective, json.dumps(made.figures))
