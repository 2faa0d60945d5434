"""The watch: silent on honest runs, heard on planted hacks, once each, from the rows of metrics.jsonl alone."""

from __future__ import annotations

import importlib
import json
import math
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import config, folder  # noqa: F401  (fixtures)

from textgym.agents.ppo import PPOConfig, Trainer, train
from textgym.agents.watch import Alarm, Watch, WatchConfig, alarms, largest_fall, noise, repetition, rise
from textgym.rewards.combine import Ensemble
from textgym.rewards.simple import FunctionReward
from textgym.types import Transcript

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
bench: Any = importlib.import_module("watch_alarms")


def runs(count: int, updates: int = 60, rises: bool = True) -> list[list[dict[str, Any]]]:
    return [bench.simulated(updates, rises, "normal", np.random.default_rng([7, seed])) for seed in range(count)]


@pytest.mark.parametrize("rises", [True, False])
def test_honest_runs_are_not_called(rises: bool) -> None:
    """60 updates each; of a rate of one in a hundred, five or more in 60 runs come once in 2,000."""
    assert sum(bool(bench.calls(rows)) for rows in runs(60, rises=rises)) < 5


def test_a_length_hack_is_called_by_gold_where_it_is_known_and_by_length_where_not() -> None:
    for rows in runs(15):
        known = bench.calls(bench.hacked(rows, gold_lost=0.25, tokens_gained=1.0))
        blind = bench.calls(bench.hacked(bench.without_gold(rows), gold_lost=0.0, tokens_gained=1.0))
        assert 31 <= known["gold"] <= 55
        assert 31 <= blind["length"] <= 50
        assert "gold" not in blind


def test_longer_answers_whose_gold_rises_are_honest() -> None:
    for rows in runs(15):
        longer = [{**row, "tokens": row["tokens"] * (1 + t / 40)} for t, row in enumerate(rows)]
        assert "length" not in bench.calls(longer)
        assert "length" in bench.calls(bench.without_gold(longer))


def test_shorter_answers_repetition_and_disagreement_are_signs_too() -> None:
    for rows in runs(5):
        blind = bench.without_gold(rows)
        changes = {
            "length": [{**row, "tokens": row["tokens"] * max(0.4, 1 - t / 50)} for t, row in enumerate(blind)],
            "repetition": [{**row, "repetition": row["repetition"] + t / 100} for t, row in enumerate(blind)],
            "disagreement": [
                {**row, "disagreement": row["disagreement"] * (1 + t / 50)} for t, row in enumerate(blind)
            ],
        }
        assert {rule: set(bench.calls(changed)) for rule, changed in changes.items()} == {r: {r} for r in changes}


def test_a_small_change_is_no_sign_however_certain() -> None:
    """Twenty per cent more tokens, without noise: sure, and nothing to speak of."""
    rows = [{"update": t + 1, "score": t / 60, "kl": t / 10, "tokens": 20 * (1 + 0.2 * t / 60)} for t in range(60)]
    assert abs(rise(np.array([row["tokens"] for row in rows]), 10)) > 50
    assert bench.calls(rows) == {}


def test_a_falling_score_with_a_growing_kl_is_a_collapse_and_no_parting() -> None:
    for rows in runs(5):
        fallen = [
            {**row, "score": row["score"] - max(0, t - 30) * 0.1, "gold": row["gold"] - max(0, t - 30) * 0.02}
            for t, row in enumerate(rows)
        ]
        grown = [{**row, "kl": row["kl"] + t * 0.3} for t, row in enumerate(fallen)]
        assert set(bench.calls(grown)) == {"collapse"}
        assert bench.calls([{**row, "kl": 10 - t / 10} for t, row in enumerate(fallen)]) == {}


def test_each_rule_speaks_once_and_evaluations_are_passed_over() -> None:
    rows = bench.hacked(runs(1)[0], gold_lost=0.3, tokens_gained=0.0)
    watch, said = Watch(), list[Alarm]()
    for row in rows:
        said += watch.see(row)
        assert watch.see({"update": row["update"], "evaluation": {"gold": 0.0}}) == []
    assert [alarm.rule for alarm in said] == ["gold"]
    assert "gold fell from" in str(said[0])
    assert f"update {said[0].update}, KL " in str(said[0])
    assert any(alarm.rule == "gold" for alarm in alarms(rows))  # still so at the end


def test_a_run_that_goes_on_is_called_as_one_that_never_stopped() -> None:
    rows = bench.hacked(runs(1)[0], gold_lost=0.3, tokens_gained=0.0)
    whole, first, second = Watch(), Watch(), Watch()
    expected = [a for row in rows for a in whole.see(row)]
    before = [a for row in rows[:25] for a in first.see(row)]
    kept = [json.loads(json.dumps(row)) for row in rows[:25]]  # as metrics.jsonl gives them back
    again = [a for row in kept for a in second.see(row)]
    assert before == again
    assert before + [a for row in rows[25:] for a in second.see(row)] == expected


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_what_is_not_known_is_not_looked_at(unknown: float | None) -> None:
    rows = [{**row, "gold": unknown, "repetition": unknown} for row in runs(1)[0]]
    assert bench.calls(rows) == {}
    assert bench.calls([{"update": row["update"], "score": row["score"]} for row in rows]) == {}
    assert bench.calls([{"update": row["update"], "score": unknown} for row in rows]) == {}


def test_the_largest_fall_is_the_largest_over_all_earlier_windows() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        values, w = rng.standard_normal(int(rng.integers(8, 30))), 4
        last = values[-w:].mean()
        falls = [values[s : s + w].mean() - last for s in range(len(values) - 2 * w + 1)]
        found, start = largest_fall(values, w)
        assert found == pytest.approx(max(falls) / (noise(values) * math.sqrt(2 / w)))
        assert start == int(np.argmax(falls))


def test_noise_is_that_about_the_trend() -> None:
    values = np.random.default_rng(0).standard_normal(4000) * 0.3
    assert noise(values) == pytest.approx(0.3, rel=0.05)
    assert noise(values + np.linspace(0, 50, 4000)) == pytest.approx(0.3, rel=0.05)
    assert largest_fall(np.ones(30), 10)[0] == rise(np.ones(30), 10) == 0


def test_repetition_by_hand() -> None:
    texts = ["a b a b a b", "a b c d e f", "one two", "", "x x x x x"]
    # bigrams: ab ba ab ba ab (2 of 5 new); 5 of 5; 1 of 1; none; 1 of 4
    assert repetition(texts, n=2) == pytest.approx([3 / 5, 0, 0, 0, 3 / 4])
    assert repetition([[5, 6, 5, 6, 5, 6], (1, 2, 3)], n=2) == pytest.approx([3 / 5, 0])
    assert repetition([]).shape == (0,)
    with pytest.raises(ValueError, match="n must be"):
        repetition(["a"], n=0)


@pytest.mark.parametrize("wrong", [{"window": 2}, {"limit": 0}, {"length_ratio": 1.0}, {"repetition_rise": -1}])
def test_a_config_that_cannot_work_names_its_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WatchConfig(**wrong)


def test_the_benchmark_makes_real_runs_honest() -> None:
    """The trend never falls, and the noise is the run's own."""
    rng = np.random.default_rng(0)
    assert bench.isotonic(np.array([1.0, 3.0, 2.0, 5.0])).tolist() == [1, 2.5, 2.5, 5]
    rows = bench.hacked(bench.simulated(80, True, "normal", rng), gold_lost=0.4, tokens_gained=0.0)
    many = [bench.resampled(rows, 80, rng) for _ in range(200)]
    gold = np.array([[row["gold"] for row in run] for run in many])
    assert (np.diff(gold.mean(axis=0)) > -5 * gold.std() * math.sqrt(2 / 200)).all()
    left = np.array([row["gold"] for row in rows])
    left = left - bench.isotonic(left)
    assert gold.std(axis=0).mean() == pytest.approx(left.std(), rel=0.1)


# -- in a run of PPO --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["brevity", "constant"])
def test_a_run_that_is_paid_for_brevity_is_called_and_one_that_is_paid_nothing_is_not(
    kind: str,
    config: PPOConfig,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The policy of the fixture begins with answers of all 16 tokens; a resumed run does not say it twice."""

    def reward(transcript: Transcript) -> float:
        return -len(transcript.response) / 10 if kind == "brevity" else 0.5

    hacked = replace(
        config, reward=reward, max_new_tokens=16, num_updates=36, checkpoint_every=36, learning_rate=3e-3, kl_coef=0.0
    )
    run = tmp_path / "run"
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        train(replace(hacked, run=str(run)))
        train(replace(hacked, run=str(run), num_updates=40, resume=True))
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    called = [text for row in rows for text in row.get("watch", [])]
    assert [str(w.message) for w in seen if "read samples" in str(w.message)] == called
    assert len(called) == (kind == "brevity")
    assert all("tokens a response went from" in text for text in called)
    assert all(0 <= row["repetition"] <= 1 and "disagreement" not in row for row in rows if "kl" in row)


def test_an_ensembles_disagreement_is_in_the_metrics(config: PPOConfig) -> None:  # noqa: F811
    members = [FunctionReward(lambda t: len(t.response)), FunctionReward(lambda t: len(t.response) + 2.0)]
    assert Trainer(replace(config, reward=Ensemble(members))).step()["disagreement"] == pytest.approx(1.0)
