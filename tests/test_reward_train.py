"""Training: held-out pairs are ranked, scores are calibrated and centred, and one row a pair changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from test_reward_learned import make_network
from tiny import save_tiny_tokenizer, tiny_policy, tiny_tokenizer

from textgym.feedback.preferences import Preference, split_by_prompt
from textgym.feedback.raters import SimulatedRaters
from textgym.rewards.calibration import accuracy_interval, expected_calibration_error, fit_scale, preference_loss
from textgym.rewards.head import Head, constant_direction, load_trunk
from textgym.rewards.learned import LearnedReward
from textgym.rewards.sharing import can_share_prompts, encode_pairs, score_pairs
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
    assert abs(np.concatenate([chosen, rejected]).mean()) < 0.02
    assert metrics["scale"] != 1


def test_the_weights_that_did_best_on_held_out_pairs_are_kept(base):
    config = RewardTrainConfig(batch_size=8, epochs=2, evaluations=8, patience=3, learning_rate=1e-2)
    network = load_trunk(base, "token", tiny_tokenizer(), seed=0)
    seen: list[torch.Tensor] = []

    class Scripted(_Run):
        """Held-out losses: worse, better, then worse for ever."""

        def score(self, pairs):
            seen.append(network.score.weight.detach().clone())
            quality = {1: 1.0, 2: 2.0}.get(len(seen), 0.0)
            return np.full(len(pairs), quality), np.zeros(len(pairs))

    preferences = toy_preferences(40)
    pairs = encode_pairs(tiny_tokenizer(), preferences, None)
    steps = Scripted(network, config, 0).fit(pairs, preferences, pairs, preferences, False)
    assert len(seen) == 2 + config.patience, "and the run stops early"
    assert steps < config.epochs * len(pairs) / config.batch_size
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


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_one_row_a_pair_scores_as_two_rows_do(family):
    network = make_network(family, "token").eval()
    preferences = toy_preferences(12)
    prompt = preferences[0].prompt
    turns = (Message("assistant", "a"), Message("user", "b"), Message("assistant", "c"))
    preferences.append(Preference(prompt, turns, (Message("assistant", "d"),)))
    pairs = encode_pairs(tiny_tokenizer(), preferences, None)
    assert can_share_prompts(network, "token", pairs, 0)
    with torch.no_grad():
        shared, plain = (score_pairs(network, "token", pairs, 0, shares) for shares in (True, False))
    for a, b in zip(shared, plain, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
        assert a.std() > 0


def test_networks_that_look_ahead_get_two_rows_a_pair():
    pairs = encode_pairs(tiny_tokenizer(), toy_preferences(4), None)
    assert not can_share_prompts(make_network("bert", "token").eval(), "token", pairs, 0)
    assert not can_share_prompts(make_network("llama", "sequence").eval(), "sequence", pairs, 0)


@pytest.mark.parametrize(("family", "kind"), [("llama", "token"), ("llama", "sequence"), ("bert", "sequence")])
def test_scale_and_shift_move_the_scores_and_nothing_else(family, kind):
    network = make_network(family, kind).eval()
    pairs = encode_pairs(tiny_tokenizer(), toy_preferences(60), None)
    conversations = [c for pair in pairs for c in pair.conversations]

    def scores() -> torch.Tensor:
        with torch.no_grad():
            return torch.cat(score_pairs(network, kind, pairs, 0, False))

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
    with pytest.raises(ValueError, match="could not be loaded"):
        train_reward_model(toy_preferences(30), tmp_path / "nothing", tiny_tokenizer(), tmp_path / "r")
    small = tmp_path / "small"
    tiny_policy(vocab_size=300).save_pretrained(small)
    with pytest.raises(ValueError, match=r"tokenizer does not fit.*300"):
        train_reward_model(toy_preferences(30), small, tiny_tokenizer(), tmp_path / "r")
    assert not (tmp_path / "r").exists()
