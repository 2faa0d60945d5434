"""Simulated raters do what their formula says, and preferences survive a file."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from textgym.feedback.preferences import Preference, read_preferences, split_by_prompt, write_preferences
from textgym.feedback.raters import GoldPairs, SimulatedRaters, accuracy_ceiling
from textgym.types import Message, Transcript


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def repeat(n: int, gold_a=0.6, gold_b=0.5, length_a=20, length_b=20) -> GoldPairs:
    return GoldPairs(*(np.full(n, x, dtype=float) for x in (gold_a, gold_b, length_a, length_b)))


@pytest.mark.parametrize(
    ("raters", "pair", "expected"),
    [
        (SimulatedRaters(noise=0.1), {}, sigmoid(1.0)),
        (SimulatedRaters(noise=0.1, skill=2.0), {}, sigmoid(2.0)),
        (SimulatedRaters(noise=0.1, skill=0.0), {}, 0.5),
        (SimulatedRaters(noise=0.1, lapse=0.4), {}, 0.2 + 0.6 * sigmoid(1.0)),
        (SimulatedRaters(noise=0.1, length_bias=0.5), {"length_a": 59, "length_b": 19}, sigmoid(1 + 0.5 * math.log(3))),
        (SimulatedRaters(noise=0.1, side_bias=0.7), {}, (sigmoid(1.7) + sigmoid(0.3)) / 2),
        (SimulatedRaters(count=2, noise=0.1, skill=(1.0, 0.0)), {}, (sigmoid(1.0) + 0.5) / 2),
    ],
)
def test_frequencies_match_the_formula(raters, pair, expected):
    n = 40_000
    judged = raters.judge(repeat(n, **pair), np.random.default_rng(0))
    tolerance = 5 * math.sqrt(0.25 / n)
    assert abs(judged.prefers_a.mean() - expected) < tolerance
    assert np.allclose(judged.probability, expected)
    assert judged.simulated


def test_side_bias_shows_by_side_and_each_rater_has_a_bias_of_its_own():
    raters = SimulatedRaters(count=2, noise=0.1, side_bias=(0.0, 1.5))
    judged = raters.judge(repeat(60_000, gold_a=0.5), np.random.default_rng(1))
    for rater, bias in ((0, 0.0), (1, 1.5)):
        for is_left in (True, False):
            rows = (judged.rater == rater) & (judged.a_is_left == is_left)
            expected = sigmoid(bias if is_left else -bias)
            assert abs(judged.prefers_a[rows].mean() - expected) < 5 * math.sqrt(0.25 / rows.sum())


def test_a_pair_never_meets_a_rater_twice():
    judged = SimulatedRaters(count=5).judge(repeat(50), np.random.default_rng(0), raters_per_pair=5)
    for pair in range(50):
        assert sorted(judged.rater[judged.pair == pair]) == [0, 1, 2, 3, 4]


def test_swapping_the_texts_swaps_the_probability():
    rng = np.random.default_rng(0)
    raters = SimulatedRaters(count=3, noise=0.2, skill=(0.5, 1, 2), length_bias=0.3, side_bias=0.4, lapse=0.1)
    pairs = GoldPairs(rng.random(50), rng.random(50), rng.integers(0, 90, 50), rng.integers(0, 90, 50))
    swapped = GoldPairs(pairs.gold_b, pairs.gold_a, pairs.length_b, pairs.length_a)
    assert np.allclose(raters.average_probability(pairs) + raters.average_probability(swapped), 1.0)


def test_the_ceiling_is_reached_by_its_own_rule_and_by_no_other():
    rng = np.random.default_rng(0)
    n = 30_000
    raters = SimulatedRaters(count=4, noise=0.15, length_bias=0.8, side_bias=0.5, lapse=0.1)
    pairs = GoldPairs(rng.random(n), rng.random(n), rng.integers(1, 90, n), rng.integers(1, 90, n))
    judged = raters.judge(pairs, rng)
    ceiling = raters.bayes_accuracy(pairs)
    slack = 4 * math.sqrt(0.25 / n)

    def accuracy(says_a: np.ndarray) -> float:
        return float((says_a == judged.prefers_a).mean())

    assert abs(accuracy(judged.probability > 0.5) - ceiling) < slack
    assert accuracy(pairs.gold_a > pairs.gold_b) < ceiling - slack
    assert accuracy(pairs.length_a > pairs.length_b) < ceiling - slack
    assert accuracy(judged.a_is_left) < ceiling - slack


def test_a_difference_that_looks_smaller_than_the_threshold_is_a_tie():
    n = 40_000
    raters = SimulatedRaters(noise=0.1, tie=0.8, lapse=0.2)
    judged = raters.judge(repeat(n), np.random.default_rng(0))
    tolerance = 5 * math.sqrt(0.25 / n)
    p_a, p_b = 0.1 + 0.8 * sigmoid(1 - 0.8), 0.1 + 0.8 * sigmoid(-1 - 0.8)
    assert abs(judged.prefers_a.mean() - p_a) < tolerance
    assert abs(judged.is_tie.mean() - (1 - p_a - p_b)) < tolerance
    assert not (judged.is_tie & judged.prefers_a).any()
    assert np.allclose(judged.probability, p_a / (p_a + p_b)), "of preferring a, if either"
    assert not SimulatedRaters().judge(repeat(5000), np.random.default_rng(0)).is_tie.any()


def test_with_ties_the_ceiling_is_that_of_the_judgements_that_prefer_something():
    rng = np.random.default_rng(2)
    n = 30_000
    raters = SimulatedRaters(count=4, noise=0.15, length_bias=0.8, side_bias=0.5, tie=(0.0, 0.5, 1.0, 2.0))
    pairs = GoldPairs(rng.random(n), rng.random(n), rng.integers(1, 90, n), rng.integers(1, 90, n))
    judged = raters.judge(pairs, rng)
    decided = ~judged.is_tie
    assert 0.1 < judged.is_tie.mean() < 0.5
    accuracy = ((judged.probability > 0.5) == judged.prefers_a)[decided].mean()
    assert abs(accuracy - raters.bayes_accuracy(pairs)) < 4 * math.sqrt(0.25 / decided.sum())


def test_skill_drifts_away_with_a_raters_own_judgements():
    n = 12_000
    raters = SimulatedRaters(count=2, noise=0.1, skill=2.0, drift=(0.0, 0.05))
    judged = raters.judge(repeat(n), np.random.default_rng(3))
    for rater, kept in ((0, 1.0), (1, 0.95)):
        rows = np.flatnonzero(judged.rater == rater)
        for start in (0, 2000, 4000):
            slice_ = rows[start : start + 2000]
            skills = 2.0 * kept ** ((start + np.arange(2000)) / 100)
            expected = np.mean([sigmoid(s) for s in skills])
            assert abs(judged.prefers_a[slice_].mean() - expected) < 5 * math.sqrt(0.25 / 2000)
    moments = np.arange(n // 2)
    exact = (sigmoid(2.0) + (1 / (1 + np.exp(-2.0 * 0.95 ** (moments / 100)))).mean()) / 2
    assert abs(judged.probability[0] - exact) < 0.005, "64 moments stand for 6,000"


@pytest.mark.parametrize("choice", ["longer", "left"])
def test_a_lazy_rater_stops_reading(choice):
    rng = np.random.default_rng(4)
    n = 4000
    raters = SimulatedRaters(count=2, noise=0.01, lazy_after=(None, 30), lazy_choice=choice)
    pairs = GoldPairs(rng.random(n), rng.random(n), rng.integers(0, 9, n), rng.integers(0, 9, n))
    judged = raters.judge(pairs, rng)
    longer = (pairs.length_a > pairs.length_b) | ((pairs.length_a == pairs.length_b) & judged.a_is_left)
    clicks = longer if choice == "longer" else judged.a_is_left
    is_right = judged.prefers_a == (pairs.gold_a > pairs.gold_b)
    for rater in (0, 1):
        rows = np.flatnonzero(judged.rater == rater)
        assert is_right[rows[:30]].mean() > 0.8
        assert (judged.prefers_a[rows[30:]] == clicks[rows[30:]]).all() == (rater == 1)
    assert is_right[judged.rater == 0].mean() > 0.95
    decided = np.maximum(judged.probability, 1 - judged.probability).mean()
    assert raters.bayes_accuracy(pairs, judgements_each=n // 2) == pytest.approx(decided)
    assert raters.bayes_accuracy(pairs) > raters.bayes_accuracy(pairs, n // 2) + 0.05, "at first they all read"


def test_comparisons_say_what_stood_where():
    raters = SimulatedRaters(count=3, noise=0.2, tie=0.5)
    pairs = repeat(200)
    judged = raters.judge(pairs, np.random.default_rng(5), raters_per_pair=2)
    left, right, rater, verdict = judged.comparisons()
    assert (np.minimum(left, right) == 2 * judged.pair).all()
    assert ((left % 2 == 0) == judged.a_is_left).all()
    assert (rater == judged.rater).all()
    winner = np.where(verdict == 1, left, right)[verdict != 0]
    assert ((winner % 2 == 0) == judged.prefers_a[verdict != 0]).all()
    assert ((verdict == 0) == judged.is_tie).all()
    assert {-1, 0, 1} == set(verdict)


def transcript(prompt: str, text: str) -> Transcript:
    return Transcript((Message("user", prompt), Message("assistant", text)))


def test_preferences_of_raters_say_that_they_are_simulated_and_carry_the_ceiling():
    n = 300
    rng = np.random.default_rng(0)
    a, b = ([transcript(f"p{i}", side * (1 + i % 9)) for i in range(n)] for side in "ab")
    gold_a, gold_b = rng.random(n), rng.random(n)
    raters = SimulatedRaters(count=3, noise=0.2)
    preferences = raters.prefer(a, b, gold_a, gold_b, rng, raters_per_pair=2, source="test")
    assert len(preferences) == 2 * n
    assert all(p.simulated and p.raters[0].startswith("simulated-") and p.source == "test" for p in preferences)
    lengths = np.array([1 + i % 9 for i in range(n)])
    assert accuracy_ceiling(preferences) == pytest.approx(
        raters.bayes_accuracy(GoldPairs(gold_a, gold_b, lengths, lengths))
    )
    for i, preference in enumerate(preferences):
        assert {t.response for t in preference.transcripts} == {a[i // 2].response, b[i // 2].response}


def test_a_tie_makes_no_preference():
    a, b = ([transcript(f"p{i}", side) for i in range(200)] for side in "ab")
    gold = np.full(200, 0.5)
    raters = SimulatedRaters(count=2, tie=1.0)
    preferences = raters.prefer(a, b, gold, gold, np.random.default_rng(0))
    judged = raters.judge(GoldPairs(gold, gold, np.ones(200), np.ones(200)), np.random.default_rng(0))
    assert [p.prompt[0].content for p in preferences] == [f"p{i}" for i in judged.pair[~judged.is_tie]]
    assert 20 < len(preferences) < 180
    assert all(p.simulated and p.probability == 0.5 for p in preferences)
    assert raters.parameters()["simulated"] is True
    json.dumps(raters.parameters(), allow_nan=False)


def test_reading_gives_back_what_was_written(tmp_path):
    turns = (Message("assistant", "Für wen?\n"), Message("user", "Mich 🙂"), Message("assistant", "Gut."))
    preferences = [
        Preference((Message("user", "p"),), (Message("assistant", "a"),), (Message("assistant", ""),)),
        Preference(
            (Message("system", "s"), Message("user", "q")), turns, turns[:1], 0.5, 2.0, ("r1", "r2"), "x", True, 0.7
        ),
    ]
    path = tmp_path / "deep" / "pairs.jsonl"
    write_preferences(path, preferences)
    assert read_preferences(path) == preferences
    row = json.loads(path.read_text(encoding="utf-8").splitlines()[1])
    assert row["prompt"][1] == {"role": "user", "content": "q"}, "the shape that TRL reads"
    assert row["simulated"] is True
    chosen, rejected = preferences[1].transcripts
    assert chosen.responses == ("Für wen?\n", "Gut.")
    assert rejected.num_prompt_messages == 2


def test_writing_keeps_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "pairs.jsonl"
    good = Preference((Message("user", "p"),), (Message("assistant", "a"),), (Message("assistant", "b"),))
    write_preferences(path, [good])

    def broken():
        yield good
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_preferences(path, broken())
    assert read_preferences(path) == [good]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON"),
        ("[1]", "must be a JSON object"),
        ('{"prompt": "p", "chosen": "a"}', r"lacks the columns \['rejected'\]"),
        ('{"prompt": "p", "chosen": "a", "rejected": 3}', "rejected must be a text or a list"),
        ('{"prompt": "p", "chosen": [{"role": "bot", "content": "a"}], "rejected": "b"}', "role of"),
        ('{"prompt": "p", "chosen": [{"role": "user", "content": "a"}], "rejected": "b"}', "begin with an assistant"),
        ('{"prompt": [], "chosen": "a", "rejected": "b"}', "prompt must have at least one"),
        ('{"prompt": "p", "chosen": "a", "rejected": "b", "weight": -1}', "weight"),
        ('{"prompt": "p", "chosen": "a", "rejected": "b", "margin": "big"}', "margin must be a number"),
        ('{"prompt": "p", "chosen": "a", "rejected": "b", "probability": 2}', "probability"),
    ],
)
def test_a_bad_row_is_reported_with_file_line_and_reason(tmp_path, line, reason):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "p", "chosen": "a", "rejected": "b"}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"pairs\.jsonl, line 3: .*{reason}"):
        read_preferences(path)


def test_an_empty_or_missing_file_is_an_error(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ValueError, match="empty"):
        read_preferences(tmp_path / "empty.jsonl")
    with pytest.raises(ValueError, match="could not be read"):
        read_preferences(tmp_path / "missing.jsonl")


def test_a_split_never_shares_a_prompt_and_loses_nothing():
    preferences = [
        Preference((Message("user", f"p{i % 40}"),), (Message("assistant", str(i)),), (Message("assistant", "x"),))
        for i in range(200)
    ]
    parts = split_by_prompt(preferences, [0.1, 0.2], seed=3)
    assert [len(part) for part in parts] == [20, 40, 140]
    prompts = [{p.prompt for p in part} for part in parts]
    assert sum(map(len, prompts)) == len(set.union(*prompts)) == 40
    assert {p.chosen for part in parts for p in part} == {p.chosen for p in preferences}
    assert parts == split_by_prompt(preferences, [0.1, 0.2], seed=3)
    with pytest.raises(ValueError, match="too few"):
        split_by_prompt(preferences[:2], [0.1, 0.1])
    with pytest.raises(ValueError, match="shares"):
        split_by_prompt(preferences, [0.6, 0.5])


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="noise"):
        SimulatedRaters(noise=0)
    with pytest.raises(ValueError, match="lapse"):
        SimulatedRaters(lapse=1.5)
    with pytest.raises(ValueError, match=r"skill.*3 raters"):
        SimulatedRaters(count=3, skill=(1.0, 2.0))
    with pytest.raises(ValueError, match="tie must be finite and from 0"):
        SimulatedRaters(tie=-0.1)
    with pytest.raises(ValueError, match="drift must be finite and from 0 to 1"):
        SimulatedRaters(drift=1.5)
    with pytest.raises(ValueError, match=r"lazy_after.*3 raters, got 2"):
        SimulatedRaters(count=3, lazy_after=(1, None))
    with pytest.raises(ValueError, match="lazy_after must be an integer of at least 0"):
        SimulatedRaters(lazy_after=-1)
    with pytest.raises(ValueError, match="lazy_choice must be 'longer' or 'left', got 'right'"):
        SimulatedRaters(lazy_choice="right")
    with pytest.raises(ValueError, match="raters_per_pair"):
        SimulatedRaters(count=2).judge(repeat(1), np.random.default_rng(0), raters_per_pair=3)
    with pytest.raises(ValueError, match="length_a"):
        SimulatedRaters().judge(repeat(2)._replace(length_a=np.array([1.0])), np.random.default_rng(0))
    with pytest.raises(ValueError, match="same prompt"):
        Preference.of(transcript("p", "a"), transcript("q", "b"))
