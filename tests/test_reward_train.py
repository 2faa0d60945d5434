"""Training: held-out pairs are ranked, scores are calibrated and centred, and one row a pair changes nothing."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from test_reward_learned import make_network
from tiny import save_tiny_tokenizer, tiny_policy, tiny_tokenizer

from textgym.feedback.preferences import Preference, split_by_prompt
from textgym.feedback.raters import SimulatedRaters
from textgym.rewards import sharing
from textgym.rewards.calibration import accuracy_interval, expected_calibration_error, fit_scale, preference_loss
from textgym.rewards.head import Head, constant_direction, load_trunk
from textgym.rewards.learned import LearnedReward
from textgym.rewards.sharing import can_share_prompts, encode_comparisons, score_comparisons
from textgym.rewards.train import RewardTrainConfig, _Run, bradley_terry_loss, train_reward_model
from textgym.types import Message, Transcript

RATERS = SimulatedRaters(count=3, noise=0.1)


def toy_preferences(n: int) -> list[Preference]:
    """Raters who like the letter o and dislike x."""
    rng = np.random.default_rng(5)
    sides, gold = ([], []), ([], [])
    for i in range(n):
        for side in (0, 1):
            likes, dislikes = rng.integers(0, 5, 2)
            text = "".join(rng.permutation(list("o" * likes + "x" * dislikes)))
            sides[side].append(Transcript((Message("user", f"say {i}"), Message("assistant", text))))
            gold[side].append(0.5 + (likes - dislikes) / 10)
    return RATERS.prefer(*sides, *gold, rng, source="toy")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    tiny_policy().save_pretrained(folder)
    return save_tiny_tokenizer(folder)


@pytest.fixture(scope="module", params=["token", "sequence"])
def trained(request, base, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained") / request.param
    config = RewardTrainConfig(
        kind=request.param, epochs=6, batch_size=16, learning_rate=3e-3, validation_share=0.2, test_share=0.3
    )
    state = torch.random.get_rng_state()
    metrics = train_reward_model(toy_preferences(700), base, output=output, config=config, notes={"who": "a test"})
    assert torch.equal(state, torch.random.get_rng_state()), "training leaves the global generator alone"
    return request.param, output, metrics


def test_held_out_pairs_are_ranked_well_above_chance(trained):
    _, _, metrics = trained
    assert metrics["accuracy"] > 0.7
    assert metrics["accuracy"] > metrics["accuracy_of_longer"] + 0.1
    assert metrics["accuracy_low"] <= metrics["accuracy"] <= metrics["accuracy_high"]
    assert metrics["loss"] < math.log(2) - 0.1
    assert 0.7 < metrics["accuracy_ceiling"] < 0.95


def test_the_saved_model_knows_what_the_raters_like(trained):
    kind, output, metrics = trained
    reward = LearnedReward(output)
    assert reward.kind == kind
    texts = ("ooo", "oox", "oxx", "xxx")
    scores = reward.score([Transcript((Message("user", "say y"), Message("assistant", t))) for t in texts])
    assert (np.diff(scores.values) < 0).all()
    assert (scores.spans is not None) == (kind == "token")
    assert abs(metrics["score_mean"]) < 0.25 * metrics["score_std"]
    card = (output / "README.md").read_text()
    assert "simulated raters" in card
    assert "a test" in card
    assert "accuracy_ceiling" in card


def test_score_differences_are_calibrated_on_the_validation_pairs(trained):
    _, output, metrics = trained
    validation = split_by_prompt(toy_preferences(700), [0.2, 0.3])[0]
    reward = LearnedReward(output)
    chosen, rejected = (reward.score([p.transcripts[side] for p in validation]).values for side in (0, 1))
    assert fit_scale(chosen - rejected) == pytest.approx(1, abs=0.02)
    unique = {t.messages: t for p in validation for t in p.transcripts}
    assert abs(reward.score(list(unique.values())).values.mean()) < 0.02
    assert metrics["scale"] != 1


def test_the_weights_that_did_best_on_held_out_pairs_are_kept(base):
    config = RewardTrainConfig(batch_size=8, epochs=2, evaluations=8, patience=3, learning_rate=1e-2)
    network = load_trunk(base, "token", tiny_tokenizer(), seed=0)
    seen: list[torch.Tensor] = []

    class Scripted(_Run):
        """Held-out losses: worse, better, then worse for ever."""

        def score(self, groups):
            seen.append(network.score.weight.detach().clone())
            quality = {1: 1.0, 2: 2.0}.get(len(seen), 0.0)
            return np.full(len(preferences), quality), np.zeros(len(preferences))

    preferences = toy_preferences(40)
    groups = encode_comparisons(tiny_tokenizer(), preferences, None)
    steps = Scripted(network, config, 0).fit(groups, preferences, groups, preferences, False)
    assert len(seen) == 2 + config.patience, "and the run stops early"
    assert steps < config.epochs * len(preferences) / config.batch_size
    assert torch.equal(network.score.weight, seen[1])
    assert not torch.equal(seen[1], seen[2])


def test_a_dense_reward_blames_the_letters_that_are_to_blame(trained):
    kind, output, _ = trained
    text = "oxoxoxox"
    scores = LearnedReward(output).score([Transcript((Message("user", "say y"), Message("assistant", text)))])
    if kind == "sequence":
        assert scores.spans is None, "one output a conversation blames nothing"
        return
    [spans] = scores.spans
    letter = np.array([text[s:e] for s, e in zip(spans.start, spans.end, strict=True)])
    assert spans.value[letter == "o"].mean() > spans.value[letter == "x"].mean() + 0.3


def several_texts_a_prompt() -> list[Preference]:
    """Two prompts with every comparison of their texts, one of which has two turns, and a third with one."""
    turns = (Message("assistant", "a"), Message("user", "b"), Message("assistant", "c"))
    texts = [turns, *((Message("assistant", letters),) for letters in ("d", "ee", "xoxo"))]
    prompts = [(Message("user", "say x"),), (Message("user", "say yy"),)]
    found = [Preference(prompt, a, b) for prompt in prompts for a, b in itertools.permutations(texts, 2)]
    return [*found[::2], *found[1::2], *toy_preferences(1)]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize(("max_pairs", "max_row"), [(1, 512), (5, 512), (64, 512), (64, 20)])
def test_a_row_of_many_texts_scores_as_a_row_a_text_does(family, max_pairs, max_row, monkeypatch):
    monkeypatch.setattr(sharing, "MAX_ROW", max_row)
    network = make_network(family, "token").eval()
    preferences = several_texts_a_prompt()
    groups = encode_comparisons(tiny_tokenizer(), preferences, None, max_pairs)
    assert can_share_prompts(network, "token", [row for g in groups for row in g.rows], 0)
    expected = [
        torch.cat(
            [
                score_comparisons(network, "token", [group], 0, False)[side]
                for n in range(len(preferences))
                for group in encode_comparisons(tiny_tokenizer(), [preferences[n]], None)
            ]
        )
        for side in (0, 1)
    ]
    with torch.no_grad():
        for shares in (True, False):
            found = score_comparisons(network, "token", groups, 0, shares)
            order = np.argsort([n for group in groups for n in group.pairs])
            for a, b in zip(found, expected, strict=True):
                assert torch.allclose(a[order], b, atol=1e-5)
                assert a.std() > 0


def test_a_text_is_computed_once_however_often_it_was_compared(monkeypatch):
    preferences = several_texts_a_prompt()
    groups = encode_comparisons(tiny_tokenizer(), preferences, None)
    assert sorted(len(group.conversations) for group in groups) == [2, 4, 4]
    assert sorted(n for group in groups for n in group.pairs) == list(range(len(preferences)))
    monkeypatch.setattr(sharing, "MAX_ROW", 20)
    spread = encode_comparisons(tiny_tokenizer(), preferences, None)
    assert [len(group.conversations) for group in spread] == [len(group.conversations) for group in groups]
    assert max(len(group.rows) for group in spread) > 1
    monkeypatch.undo()
    assert max(len(group.pairs) for group in encode_comparisons(tiny_tokenizer(), preferences, None, 5)) == 5


def test_networks_that_look_ahead_get_a_row_a_text():
    rows = [row for group in encode_comparisons(tiny_tokenizer(), toy_preferences(4), None) for row in group.rows]
    assert not can_share_prompts(make_network("bert", "token").eval(), "token", rows, 0)
    assert not can_share_prompts(make_network("llama", "sequence").eval(), "sequence", rows, 0)


@pytest.mark.parametrize(("family", "kind"), [("llama", "token"), ("llama", "sequence"), ("bert", "sequence")])
def test_scale_and_shift_move_the_scores_and_nothing_else(family, kind):
    network = make_network(family, kind).eval()
    groups = encode_comparisons(tiny_tokenizer(), toy_preferences(60), None)
    conversations = [c for group in groups for k in (*group.chosen, *group.rejected) for c in [group.conversations[k]]]

    def scores() -> torch.Tensor:
        with torch.no_grad():
            return torch.cat(score_comparisons(network, kind, groups, 0, False))

    before = scores()
    head = Head(network, kind)
    if head.layer.bias is not None:
        head.layer.bias.data.fill_(0.5)  # it must be multiplied too
        before = scores()
    head.multiply(2.0)
    assert torch.allclose(scores(), 2 * before, atol=1e-5)
    head.shift_mean_to_zero(conversations, 0)
    after = scores()
    assert abs(after.mean().item()) < 1e-4
    if family == "bert":
        assert torch.allclose(after, 2 * before - 2 * before.mean(), atol=1e-4)


def test_the_constant_direction_is_constant_where_there_is_one():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 12))
    features[:, 3] = 1.0 + rng.normal(scale=1e-3, size=200)  # e.g. the end-of-turn that each response has once
    found = features @ constant_direction(features)
    assert found.mean() == pytest.approx(1.0)
    assert found.std() < 0.05


def test_the_loss_is_bradley_and_terry_s_by_hand():
    chosen, rejected = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 1.0])
    weights, margins = torch.tensor([3.0, 1.0]), torch.tensor([0.5, 0.0])
    terms = [math.log(1 + math.exp(-0.5)), math.log(1 + math.exp(1.0))]
    assert bradley_terry_loss(chosen, rejected, weights, margins).item() == pytest.approx((3 * terms[0] + terms[1]) / 4)
    pulled = bradley_terry_loss(chosen, rejected, weights, margins, centering=0.1).item()
    assert pulled == pytest.approx((3 * (terms[0] + 0.1 * 2.25) + terms[1] + 0.1 * 0.25) / 4)
    assert bradley_terry_loss(chosen + 7, rejected + 7, weights, margins).item() == pytest.approx(
        (3 * terms[0] + terms[1]) / 4
    )


def test_the_fitted_scale_makes_differences_log_odds():
    rng = np.random.default_rng(0)
    truth = rng.normal(scale=2.0, size=20_000)
    signs = np.where(rng.random(len(truth)) < 1 / (1 + np.exp(-truth)), 1.0, -1.0)
    d = signs * truth / 5  # a model that is five times too timid
    scale = fit_scale(d)
    assert scale == pytest.approx(5, rel=0.05)
    assert expected_calibration_error(scale * d) < 0.02 < expected_calibration_error(d)
    assert preference_loss(scale * d) <= min(preference_loss(scale * d * f) for f in (0.8, 1.25))


def test_the_interval_is_wider_where_pairs_share_prompts():
    d = np.repeat(np.where(np.arange(50) % 3 > 0, 1.0, -1.0), 10)
    apart, together = accuracy_interval(d, np.arange(500)), accuracy_interval(d, np.repeat(np.arange(50), 10))
    assert together[0] < apart[0] < (d > 0).mean() < apart[1] < together[1]


def test_bad_arguments_are_named(base, tmp_path):
    with pytest.raises(ValueError, match="kind"):
        RewardTrainConfig(kind="scalar")
    with pytest.raises(ValueError, match="batch_size"):
        RewardTrainConfig(batch_size=0)
    with pytest.raises(ValueError, match="test_share"):
        RewardTrainConfig(test_share=0.0)
    with pytest.raises(ValueError, match="too few"):
        train_reward_model(toy_preferences(3), base, output=tmp_path / "r")
    with pytest.raises(ValueError, match="no folder is"):
        train_reward_model(toy_preferences(30), tmp_path / "nothing", tiny_tokenizer(), tmp_path / "r")
    small = tmp_path / "small"
    tiny_policy(vocab_size=300).save_pretrained(small)
    with pytest.raises(ValueError, match=r"tokenizer does not fit.*300"):
        train_reward_model(toy_preferences(30), small, tiny_tokenizer(), tmp_path / "r")
    assert not (tmp_path / "r").exists()
