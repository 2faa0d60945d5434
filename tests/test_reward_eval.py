"""Judged pairs in, figures out: each figure by hand or by a slow loop, and the two commands from file to page."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_reward_learned import make_network
from test_reward_train import toy_preferences
from tiny import save_tiny_tokenizer, tiny_policy, tiny_tokenizer

from textgym.cli import main
from textgym.feedback.formats import read_file, write_file
from textgym.feedback.items import Item, Judged, Verdict
from textgym.feedback.preferences import Preference, read_preferences, write_preferences
from textgym.feedback.raters import SimulatedRaters
from textgym.models.lora import add_lora, merge
from textgym.rewards import train as training
from textgym.rewards.calibration import (
    bootstrap_ratio,
    brier_score,
    cross_fitted,
    expected_calibration_error,
    fit_scale,
    reliability_bins,
)
from textgym.rewards.ceiling import rater_ceiling
from textgym.rewards.combine import Ensemble
from textgym.rewards.evaluation import evaluate, separation
from textgym.rewards.head import load_trunk
from textgym.rewards.judged import JudgedPairs, believe, decided, read_pairs, reverse
from textgym.rewards.learned import LearnedReward
from textgym.rewards.network import outputs, pad
from textgym.rewards.reward_bench import BenchRow, bench, bench_scores, read_rows, ties_score
from textgym.rewards.sharing import encode_comparisons
from textgym.rewards.simple import FunctionReward
from textgym.rewards.stored import load_stored
from textgym.rewards.train import RewardTrainConfig, bradley_terry_loss
from textgym.types import Message


def pair(prompt: str, chosen: str, rejected: str, *raters: str, **fields) -> Preference:
    said = (Message("assistant", chosen),), (Message("assistant", rejected),)
    return Preference((Message("user", prompt),), *said, raters=raters, **fields)


def write_rows(path: Path, *rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


# -- files ----------------------------------------------------------------------------------------


def test_ties_and_rankings_are_read_and_what_is_no_pair_is_counted(tmp_path):
    judged = [{"rater": "anna", "choice": "a"}, {"rater": "ben", "choice": "tie"}, {"rater": "carl", "choice": "skip"}]
    ranked = [{"rater": "anna", "ranks": [2, 1, 2]}]
    rated = [{"rater": "anna", "rating": 4}]
    path = write_rows(
        tmp_path / "own.jsonl",
        {"prompt": "p", "responses": ["x", "y"], "judgements": judged},
        {"prompt": "q", "responses": ["1", "2", "3"], "judgements": ranked},
        {"prompt": "r", "responses": ["alone"], "judgements": rated},
    )
    found = read_pairs([path])
    said = [(p.chosen[0].content, p.rejected[0].content, p.raters) for p in found.preferences]
    assert said == [("x", "y", ("anna",)), ("2", "1", ("anna",)), ("2", "3", ("anna",))]
    assert [(t.chosen[0].content, t.rejected[0].content, t.raters) for t in found.ties] == [
        ("x", "y", ("ben",)),
        ("1", "3", ("anna",)),
    ]
    assert found.left_out == {"skips": 1, "ratings of a prompt's only response by a rater": 1}
    assert len(found.with_ties) == 3 + 2 * 2
    assert sum(p.weight for p in found.with_ties) == 5


def test_ratings_of_one_prompt_are_compared_rater_by_rater(tmp_path):
    def row(prompt: str, response: str, rating: float, rater: str | None) -> dict:
        given = {"prompt": prompt, "response": response, "rating": rating}
        return given if rater is None else {**given, "rater_id": rater}

    named = [row("p", "x", 4, "anna"), row("p", "y", 2, "anna"), row("p", "x", 3, "ben"), row("p", "y", 3, "ben")]
    unnamed = [row("q", "x", 1, None), row("q", "x", 4, None), row("q", "y", 3, None), row("q", "z", 9, "carl")]
    found = read_pairs([write_rows(tmp_path / "r.jsonl", *named, *unnamed)])
    said = [(p.chosen[0].content, p.rejected[0].content, p.raters) for p in found.preferences]
    assert said == [("x", "y", ("anna",)), ("y", "x", ())], "2.5 is the mean of 1 and 4"
    assert [t.raters for t in found.ties] == [("ben",)]
    assert sum(found.left_out.values()) == 1


def test_files_of_preferences_keep_all_that_they_hold(tmp_path):
    written = [replace(p, weight=0.25, margin=0.5) for p in toy_preferences(5)]
    write_preferences(tmp_path / "p.jsonl", written)
    assert read_pairs([tmp_path / "p.jsonl"]).preferences == written
    with pytest.raises(ValueError, match=r"none in .*left out: \{.*only response by a rater.*1\}"):
        read_pairs([write_rows(tmp_path / "r.jsonl", {"prompt": "p", "response": "x", "rating": 3})])
    (tmp_path / "bad.jsonl").write_text("{nonsense")
    with pytest.raises(ValueError, match=r"bad.jsonl, line 1: no JSON"):
        read_pairs([tmp_path / "bad.jsonl"])


def test_halves_of_a_label_are_one_pair_and_raters_who_differ_are_two():
    soft = [pair("p", "x", "y", "a", "b", weight=0.3), pair("p", "y", "x", "a", "b", weight=0.7)]
    tie = [pair("q", "x", "y", "a", weight=0.5), pair("q", "y", "x", "a", weight=0.5)]
    apart = [pair("r", "x", "y", "a"), pair("r", "y", "x", "b"), pair("s", "x", "y"), pair("s", "y", "x")]
    [merged, *others] = decided([*soft, *tie, *apart])
    assert (merged.chosen[0].content, merged.weight) == ("y", pytest.approx(0.4))
    assert others == apart


def test_soft_labels_and_ties_have_their_least_loss_where_they_should():
    for label in (0.5, 0.8, 0.99):
        d = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.LBFGS([d], max_iter=100)

        def loss(d=d, label=label, optimizer=optimizer):
            optimizer.zero_grad()
            both = torch.cat([d, -d])
            value = bradley_terry_loss(both, -both, torch.tensor([label, 1 - label]), torch.zeros(2))
            value.backward()
            return value

        optimizer.step(loss)
        assert 2 * d.item() == pytest.approx(math.log(label / (1 - label)), abs=1e-3)


def test_who_clicks_at_random_counts_less_than_who_reads():
    rng = np.random.default_rng(3)
    honest, random = ("anna", "ben", "carla"), ("dora", "emil", "fred")
    preferences = []
    for i in range(300):
        for rater in rng.permutation([*honest, *random])[:3]:
            p = pair(f"p{i}", "good", "bad", str(rater))
            preferences.append(reverse(p) if rng.random() < (0.05 if rater in honest else 0.5) else p)
    pairs = JudgedPairs(preferences, [], Counter())

    def right(believed: list[Preference]) -> float:
        weight = np.array([p.weight for p in believed])
        return float((weight * [p.chosen[0].content == "good" for p in believed]).sum() / weight.sum())

    by_majority, by_belief = right(believe(pairs, "majority")), right(believe(pairs, "posterior"))
    assert right(preferences) < by_majority < by_belief - 0.02
    soft = believe(pairs, "soft")
    assert sum(p.weight for p in soft) == pytest.approx(300)
    assert len(decided(soft)) == 300
    with pytest.raises(ValueError, match=r"raters='majority' needs one rater.*1 of 901"):
        believe(pairs._replace(preferences=[*preferences, pair("x", "y", "z")]), "majority")


def test_where_a_text_stood_tells_a_taste_for_a_side_from_a_taste_for_a_text(tmp_path):
    """Five of six raters mostly click left: with the sides in the file, they are believed less."""
    raters = SimulatedRaters(6, noise=0.25, side_bias=(0.0, 4.0, 4.0, 4.0, 4.0, 4.0))
    texts = [[pair(f"p{i}", side, "-").transcripts[0] for i in range(800)] for side in ("good", "bad")]

    def right(pairs: JudgedPairs) -> float:
        believed = believe(pairs, "posterior")
        weight = np.array([p.weight for p in believed])
        return float((weight * [p.chosen[0].content == "good" for p in believed]).sum() / weight.sum())

    gains = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        preferences = raters.prefer(*texts, 0.5 + rng.random(800) * 0.5, np.full(800, 0.5), rng, raters_per_pair=3)
        write_preferences(tmp_path / "sides.jsonl", preferences)
        pairs = read_pairs([tmp_path / "sides.jsonl"])
        assert pairs.preferences == preferences
        unknown = pairs._replace(preferences=[replace(p, chosen_is_left=None) for p in pairs.preferences])
        gains.append(right(pairs) - right(unknown))
    assert np.mean(gains) > 0.05
    assert min(gains) > 0
    assert reverse(preferences[0]).chosen_is_left == (not preferences[0].chosen_is_left)


def test_a_side_survives_the_store_and_the_files(tmp_path):
    shown = [(0, 1), (1, 0), ()]
    texts = tuple((Message("assistant", text),) for text in "xy")
    items = [Item((Message("user", f"p{i}"),), texts) for i in range(3)]
    judged = [Judged(item.key, Verdict("b"), "anna", side) for item, side in zip(items, shown, strict=True)]
    for format in ("trl", "textgym"):
        write_file(tmp_path / "out.jsonl", format, items, judged)
        assert [p.chosen_is_left for p in read_pairs([tmp_path / "out.jsonl"]).preferences] == [False, True, None]
    write_file(tmp_path / "out.jsonl", "trl", items, judged)
    again = read_file(tmp_path / "out.jsonl").judged
    assert [one.shown for one in again] == [(1, 0), (0, 1), ()]  # the chosen one is the first response there


# -- figures --------------------------------------------------------------------------------------


def test_the_ceiling_is_what_a_slow_loop_over_raters_says():
    rng = np.random.default_rng(0)
    preferences = []
    for i in range(60):
        for rater in rng.permutation(list("abcde"))[: rng.integers(1, 5)]:
            p = pair(f"p{i}", "x", "y", str(rater))
            preferences.append(p if rng.random() < 0.7 else reverse(p))
    predicted = []
    for p in preferences:
        others = [q for q in preferences if q.prompt == p.prompt and q.raters != p.raters]
        agree = sum(q.chosen == p.chosen for q in others)
        if others:
            predicted.append(1.0 if 2 * agree > len(others) else 0.5 if 2 * agree == len(others) else 0.0)
    found = rater_ceiling(preferences)
    assert found is not None
    assert found.accuracy == pytest.approx(np.mean(predicted))
    assert len(found.judgements) == len(predicted)
    assert found.low < found.accuracy < found.high
    assert rater_ceiling([pair("p", "x", "y"), pair("p", "x", "y", "a", "b")]) is None


def test_intervals_draw_prompts():
    rng = np.random.default_rng(1)
    right = (rng.random(400) < 0.8).astype(float)
    low, high = bootstrap_ratio(right, np.arange(400).tolist())
    error = 1.96 * right.std() / math.sqrt(400)
    assert (low, high) == (
        pytest.approx(right.mean() - error, abs=0.008),
        pytest.approx(right.mean() + error, abs=0.008),
    )
    whole = np.repeat(right[:40], 10)  # ten pairs a prompt, all alike: 40 draws and no 400
    wide = bootstrap_ratio(whole, np.repeat(np.arange(40), 10).tolist())
    narrow = bootstrap_ratio(whole, np.arange(400).tolist())
    assert wide[1] - wide[0] > 2.5 * (narrow[1] - narrow[0])


def test_bins_brier_and_ece_by_hand():
    d = np.log(np.array([0.93 / 0.07, 0.93 / 0.07, 0.07 / 0.93, 0.62 / 0.38]))
    low, high = reliability_bins(d)
    assert (low.confidence, low.accuracy, low.pairs) == (pytest.approx(0.62), 1.0, 1)
    assert (high.confidence, high.accuracy, high.pairs) == (pytest.approx(0.93), pytest.approx(2 / 3), 3)
    assert expected_calibration_error(d) == pytest.approx((0.38 + 3 * (0.93 - 2 / 3)) / 4)
    assert brier_score(d) == pytest.approx((2 * 0.07**2 + 0.93**2 + 0.38**2) / 4)


def test_each_half_gets_the_temperature_of_the_other():
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 2, 4000)
    d = 4 * np.where(rng.random(4000) < 1 / (1 + np.exp(-truth)), truth, -truth)  # four times too sure
    prompts = (np.arange(4000) // 2).tolist()
    scaled, scales = cross_fitted(d, prompts)
    assert scales == (pytest.approx(0.25, rel=0.15), pytest.approx(0.25, rel=0.15))
    assert expected_calibration_error(scaled) < 0.03 < expected_calibration_error(d)
    ratio = scaled / d
    first = np.isclose(ratio, scales[1])
    changed = d.copy()
    changed[first] *= -1  # what is said of one half does not touch its own temperature
    again, _ = cross_fitted(changed, prompts)
    assert np.allclose(again[first], -scaled[first])
    assert fit_scale(d[first]) == pytest.approx(scales[0])
    assert (np.bincount(np.array(prompts)[first]) % 2 == 0).all(), "a prompt is in one half"


def test_the_best_possible_model_reaches_the_ceiling_and_a_rule_of_length_has_no_lead():
    preferences = toy_preferences(1500)
    gold = FunctionReward(lambda t: t.response.count("o") - t.response.count("x"))
    found = evaluate(gold, preferences)
    assert found["pairs"] == found["simulated"] == len(preferences)
    assert found["ceiling"]["share_of_bayes"] > 0.985  # the raters have side biases, which no text shows
    assert found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]
    assert abs(found["accuracy"]["value"] - found["ceiling"]["expected_accuracy"]) < 0.03
    assert found["calibration"]["after"]["ece"] < 0.05
    assert found["lead_over_length"]["low"] > 0.1
    buckets = found["length_buckets"]
    assert sum(b["pairs"] for b in buckets) == len(preferences)
    assert sum(b["pairs"] * b["value"] for b in buckets) == pytest.approx(len(preferences) * found["accuracy"]["value"])
    by_length = evaluate(FunctionReward(lambda t: len(t.response)), preferences)
    assert by_length["accuracy"]["value"] == pytest.approx(by_length["longer_wins"])
    assert by_length["shorter_wins"] == pytest.approx(1 - by_length["longer_wins"])
    assert by_length["score_length_correlation"] == pytest.approx(1)
    assert by_length["difference_length_correlation"] == pytest.approx(1)
    assert by_length["lead_over_length"]["value"] <= 0
    assert json.loads(json.dumps(found)) == found


def test_an_ensemble_s_doubt_is_measured_and_separates():
    likes = FunctionReward(lambda t: float(t.response.count("o")))
    differs = FunctionReward(lambda t: float(t.response.count("o") + 3 * t.response.count("x")))
    found = evaluate(Ensemble([likes, differs]), [pair("p", "ooo", "oox"), pair("q", "oo", "xx")])
    assert found["doubt"] == pytest.approx((0 + 1.5 + 0 + 3) / 4)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 40).astype(float), rng.integers(2, 9, 30).astype(float)
    slow = np.mean([(y > x) + 0.5 * (y == x) for x in a for y in b])
    assert separation(a, b) == pytest.approx(slow)


def test_what_is_too_long_for_the_model_is_left_out_and_counted(tmp_path):
    class Short:
        calls = 0

        def score(self, transcripts):
            self.calls += 1
            if any(len(t.response) > 20 for t in transcripts):
                raise ValueError("does not fit")
            return np.array([len(t.response) for t in transcripts], dtype=np.float32)

    short = Short()
    pairs = [pair(f"p{i}", "o" * (1 + i % 9), "x" if i != 7 else "x" * 30) for i in range(64)]
    found = evaluate(short, pairs)
    assert (found["pairs"], found["unread"]) == (63, 1)
    assert short.calls < 40, "halves, and not one by one"
    with pytest.raises(ValueError, match="does not fit"):
        evaluate(Short(), [pair("p", "x" * 30, "y" * 30)])
    small = tmp_path / "small"
    tiny_policy(max_position_embeddings=64).save_pretrained(small)
    save_tiny_tokenizer(small)
    preferences = [*toy_preferences(60), pair("p", "o" * 100, "x")]
    config = RewardTrainConfig(epochs=0.5, batch_size=16, test_share=0.2)
    figures = training.train_reward_model(preferences, small, output=tmp_path / "r", config=config)
    assert figures["pairs_too_long"] == 1


# -- RewardBench ----------------------------------------------------------------------------------


def test_reward_bench_1_is_scored_by_subset_and_section(tmp_path):
    rows = [
        {"prompt": "p", "chosen": "ooo", "rejected": "o", "subset": "alpacaeval-easy"},  # right
        {"prompt": "p", "chosen": "o", "rejected": "oo", "subset": "alpacaeval-easy"},  # wrong
        {"prompt": "p", "chosen": "oo", "rejected": "oo", "subset": "mt-bench-easy"},  # equal: wrong
        {"prompt": "p", "chosen": "oo", "rejected": "o", "subset": "math-prm"},
        {"prompt": "p", "chosen": "o", "rejected": "oo", "subset": "hep-cpp"},
    ]
    read = read_rows(write_rows(tmp_path / "v1.jsonl", *rows))
    found = bench(FunctionReward(lambda t: float(t.response.count("o"))), read)
    assert {n: s["score"] for n, s in found["subsets"].items()} == {
        "alpacaeval-easy": 0.5,
        "mt-bench-easy": 0.0,
        "math-prm": 1.0,
        "hep-cpp": 0.0,
    }
    assert found["sections"] == {"Chat": pytest.approx(50 / 128), "Reasoning": pytest.approx(984 / 1148)}
    assert found["total"] == pytest.approx((50 / 128 + 984 / 1148) / 2)


def test_reward_bench_2_has_several_rejected_and_ties(tmp_path):
    def row(key: str, subset: str, chosen: int, rejected: int) -> BenchRow:
        return BenchRow(key, subset, (Message("user", "p"),), ("c",) * chosen, ("r",) * rejected, 2)

    rows = [row("1", "Math", 1, 3), row("2", "Math", 1, 3), row("3", "Focus", 1, 3)]
    scores = [np.array([2.0, 1, 0, 0]), np.array([2.0, 2, 2, 0]), np.array([0.0, 1, 0, 0])]
    ties = [
        row("ref:1", "Ties", 1, 2),
        row("tied:1", "Ties", 3, 2),
        row("ref:2", "Ties", 1, 1),
        row("tied:2", "Ties", 2, 1),
    ]
    tied = [np.array([5.0, 1, 0]), np.array([4.0, 3, 3.5, 1, 0]), np.array([1.0, 2]), np.array([3.0, 1, 0.5])]
    # 1: margins 4 and 2, spread 1. 2: margins -1 and 0.5, spread 2.
    accurate = 0.3 * (2 / 2) + 0.3 * (1 / 2)
    extra = (math.tanh(2 / 1 - 1) + math.tanh(-1 / 2 - 1)) / 2
    by_hand = accurate + 0.2 * (1 / 2) + 0.2 * (1 / 2) + 0.01 * extra
    assert ties_score(ties, tied) == pytest.approx(by_hand)
    found = bench_scores([*rows, *ties], [*scores, *tied])
    assert found["subsets"]["Math"]["score"] == pytest.approx((1 + 1 / 3) / 2)
    assert found["subsets"]["Focus"]["score"] == 0
    assert found["total"] == pytest.approx((2 / 3 + 0 + by_hand) / 3)
    one = {"id": "a", "prompt": "p", "chosen": ["x"], "rejected": ["y", "z"], "subset": "Math"}
    path = write_rows(tmp_path / "v2.jsonl", one)
    assert read_rows(path) == [BenchRow("a", "Math", (Message("user", "p"),), ("x",), ("y", "z"), 2)]
    with pytest.raises(ValueError, match=r"line 2: rejected must be a list"):
        read_rows(write_rows(tmp_path / "bad.jsonl", one, {**one, "rejected": "y"}))
    with pytest.raises(ValueError, match=r"line 2: chosen and rejected must be lists in all rows or in none"):
        read_rows(write_rows(tmp_path / "mixed.jsonl", one, {**one, "chosen": "x", "rejected": "y"}))


# -- the commands ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    tiny_policy().save_pretrained(folder)
    return save_tiny_tokenizer(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "preferences.jsonl"
    write_preferences(path, toy_preferences(160))
    return str(path)


QUICK = ["--batch-size", "16", "--learning-rate", "3e-3", "--validation-share", "0.2", "--test-share", "0.3"]


def test_from_a_file_to_a_model_to_a_page(base, data, tmp_path, capsys):
    out, test, page = tmp_path / "reward", str(tmp_path / "test.jsonl"), tmp_path / "page.html"
    options = ["--data", data, "--model", base, "--out", str(out), "--test-out", test, "--epochs", "2", *QUICK]
    assert main(["reward", "train", *options, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    held_out = read_preferences(test)
    assert figures["pairs"] == len(held_out)
    assert {"accuracy_ceiling", "brier", "ece", "prompts_cut"} <= figures.keys()
    card = (out / "README.md").read_text()
    assert "preferences.jsonl" in card
    assert "simulated raters" in card
    other = tmp_path / "other.jsonl"
    write_preferences(other, [pair(f"<script>{i}", "o", "xx", "zoe") for i in range(12)])
    asked = ["--model", str(out), "--data", test, "--other", str(other), "--probes", "10"]
    assert main(["reward", "eval", *asked, "--json", "--out", str(page)]) == 0
    report = json.loads(capsys.readouterr().out)
    found = report["in_distribution"]
    assert found["accuracy"]["value"] == pytest.approx(figures["accuracy"])
    assert found["calibration"]["before"]["ece"] == pytest.approx(figures["ece"], abs=1e-6)
    assert (report["other"]["pairs"], report["other"]["simulated"]) == (12, 0)
    assert set(report["probes"]) > {"filler appended", "empty"}
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 4
    assert not re.search(r"(src|href)=.(?!data:)", text), "nothing is loaded from elsewhere"
    assert "were judged by simulated raters" in text
    assert main(["reward", "eval", *asked]) == 0
    printed = capsys.readouterr().out
    assert f"accuracy {found['accuracy']['value']:.3f}" in printed
    assert "ceiling unknown" in printed


def test_ctrl_c_saves_the_best_so_far_or_leaves_the_old_model(base, data, tmp_path, capsys, monkeypatch):
    out = tmp_path / "reward"
    options = ["--data", data, "--model", base, "--out", str(out), "--epochs", "4", *QUICK, "--json"]
    step, stop_at = training._Run._step, 0

    def stopping(self, batch, weights, margins, optimizer, number):
        if number == stop_at:
            raise KeyboardInterrupt
        return step(self, batch, weights, margins, optimizer, number)

    monkeypatch.setattr(training._Run, "_step", stopping)
    stop_at = 1
    assert main(["reward", "train", *options]) == 130
    assert not out.exists()
    assert [p.name for p in tmp_path.iterdir()] == [], "nor is half a model left"
    capsys.readouterr()
    stop_at = 8  # of 20 steps, of which every third or so is evaluated
    assert main(["reward", "train", *options]) == 130
    figures = json.loads(capsys.readouterr().out)
    assert (figures["steps"], figures["interrupted"]) == (8, 1)
    assert LearnedReward(out).kind == "token"


def test_members_of_an_ensemble_differ_and_share_their_test_pairs(base, data, tmp_path, capsys):
    out = tmp_path / "ensemble"
    options = [
        "--data",
        data,
        "--model",
        base,
        "--out",
        str(out),
        "--epochs",
        "0.5",
        *QUICK,
        "--members",
        "2",
        "--json",
    ]
    assert main(["reward", "train", *options]) == 0
    assert json.loads(capsys.readouterr().out)["members"] == 2
    reward = load_stored(str(out))
    assert isinstance(reward, Ensemble)
    scores = reward.score([p.transcripts[0] for p in read_preferences(data)[:4]])
    assert scores.components["std"].max() > 0
    with pytest.raises(ValueError, match=r"embedded:summarize.*got 'embedded:sumarize'"):
        load_stored("embedded:sumarize")


def test_wrong_requests_are_told(base, data, tmp_path, capsys):
    assert main(["reward"]) == 2
    assert main(["reward", "trian"]) == 2
    assert "no command 'trian', there are ['train', 'eval', 'serve']" in capsys.readouterr().err
    assert main(["reward", "train", "--data", str(tmp_path / "none.jsonl"), "--model", base]) == 1
    assert "none.jsonl could not be read" in capsys.readouterr().err
    bench_file = write_rows(
        tmp_path / "b.jsonl", {"prompt": "p", "chosen": "x", "rejected": "y", "subset": "donotanswer"}
    )
    assert main(["reward", "eval", "--data", bench_file, data, "--model", "embedded:summarize"]) == 1
    assert "RewardBench files or judged pairs, not both" in capsys.readouterr().err
    assert main(["reward", "eval", "--data", bench_file, "--model", "embedded:summarize"]) == 0
    assert "section Safety" in capsys.readouterr().out


# -- LoRA -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "kind"), [("llama", "token"), ("gpt2", "sequence"), ("bert", "sequence")])
def test_merged_adapters_score_the_same_and_are_gone(family, kind, tmp_path):
    make_network(family, kind).save_pretrained(tmp_path)
    network = load_trunk(tmp_path, kind, tiny_tokenizer(), 0).eval()
    before = network.state_dict().keys()
    groups = encode_comparisons(tiny_tokenizer(), toy_preferences(6), None)
    batch = pad([c for group in groups for c in group.conversations], 0)

    def scores() -> torch.Tensor:
        with torch.no_grad():
            return outputs(network, kind, batch)[0]

    plain = scores()
    state = torch.random.get_rng_state()
    add_lora(network, 2, seed=0, trains_head=True)
    assert torch.equal(state, torch.random.get_rng_state())
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert all("lora_" in n or not n.startswith(network.base_model_prefix + ".") for n in trained)
    assert any("lora_" not in n for n in trained), "the head trains too"
    assert torch.allclose(scores(), plain, atol=1e-6), "an untrained adapter changes nothing"
    with torch.no_grad():
        for name, p in network.named_parameters():
            if "lora_B" in name:
                p.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
    adapted = scores()
    assert (adapted - plain).abs().max() > 1e-2, "the adapter must do something for this test to mean anything"
    merge(network)
    assert (scores() - adapted).abs().max() <= 1e-4
    assert network.state_dict().keys() == before


def test_lora_trains_a_plain_checkpoint(base, tmp_path):
    config = RewardTrainConfig(lora_rank=4, epochs=1, batch_size=16, learning_rate=1e-2, test_share=0.3)
    figures = training.train_reward_model(toy_preferences(120), base, output=tmp_path / "r", config=config)
    assert figures["scale"] > 0
    assert LearnedReward(tmp_path / "r").kind == "token"
