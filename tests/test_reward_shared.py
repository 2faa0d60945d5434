"""Ensembles that share a trunk: heads that differ because they saw different prompts, in one checkpoint.

`python tests/test_reward_shared.py` prints what docs/reward_models.md says of the two kinds of ensemble.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_reward_train import toy_preferences
from tiny import EchoTask, save_tiny_tokenizer, tiny_policy, tiny_tokenizer
from transformers import AutoModelForSequenceClassification

from textgym.feedback.preferences import write_preferences
from textgym.rewards.api import load_reward_model, train_reward_model
from textgym.rewards.combine import SharedEnsemble
from textgym.rewards.evaluation import evaluate, score_pairs, separation
from textgym.rewards.head import load_trunk
from textgym.rewards.learned import LearnedReward
from textgym.rewards.spec import load_reward
from textgym.rewards.train import RewardTrainConfig, bootstrapped
from textgym.types import Message, Transcript

PLAN = {"kind": "sequence", "epochs": 6, "batch_size": 16, "learning_rate": 3e-3}
SHARES = {"validation_share": 0.2, "test_share": 0.3}
TEXTS = [Transcript((Message("user", "say y"), Message("assistant", t))) for t in ("ooo", "oox", "oxx", "xxx", "")]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    tiny_policy().save_pretrained(folder)
    return save_tiny_tokenizer(folder)


@pytest.fixture(scope="module")
def shared(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    write_preferences(folder / "pairs.jsonl", toy_preferences(700))
    options = {**PLAN, **SHARES, "heads": 4, "length_control": True}
    return folder / "reward", train_reward_model(folder / "pairs.jsonl", folder / "reward", model=base, **options)


def test_every_head_knows_what_the_raters_like_and_no_two_say_the_same(shared):
    folder, trained = shared
    assert trained.figures["accuracy"] > 0.7
    scores = trained.score(TEXTS[:4])
    members = np.stack([scores.components[f"member_{k}"] for k in range(4)])
    assert (np.diff(members, axis=1) < 0).all()
    for a in range(4):
        for b in range(a):
            assert np.abs(members[a] - members[b]).max() > 1e-2
    assert trained.figures["member_std"] > 1e-2
    assert "members of an ensemble on one trunk" in (folder / "README.md").read_text()


def test_it_is_one_standard_checkpoint_with_an_output_a_member(shared):
    folder, trained = shared
    network = AutoModelForSequenceClassification.from_pretrained(folder)
    assert network.config.num_labels == 4
    assert list(folder.glob("*.safetensors")) == [folder / "model.safetensors"]
    assert isinstance(trained, SharedEnsemble)
    plain = LearnedReward(folder)
    assert np.allclose(plain.score(TEXTS).values, trained.score(TEXTS).values, atol=1e-5)
    assert trained.predict("say y", "ooo") > trained.predict("say y", "xxx")


@pytest.mark.parametrize("combine", ["mean", "min", "mean-std"])
def test_environments_combine_it_as_they_do_folders_of_members(shared, combine):
    folder, trained = shared
    spec = {"type": "ensemble", "path": str(folder), "combine": combine, "k": 2.0}
    loaded = load_reward(spec, task=EchoTask(), name="echo", has_own_data=True)
    scores = loaded.score(TEXTS)
    members = np.stack([scores.components[f"member_{k}"] for k in range(4)])
    line = trained.models[0].length_correction
    lengths = np.array([len(t.response) for t in TEXTS])
    expected = {"mean": members.mean(0), "min": members.min(0), "mean-std": members.mean(0) - 2 * members.std(0)}
    assert np.allclose(scores.values, expected[combine] - line.of(lengths), atol=1e-5)
    assert np.allclose(scores.components["std"], members.std(0), atol=1e-5)


def test_its_doubt_is_measured_and_a_note_of_another_rule_is_followed(shared):
    folder, trained = shared
    assert evaluate(trained, toy_preferences(60))["doubt"] > 0
    note = folder / "ensemble.json"
    written = note.read_text()
    try:
        note.write_text(json.dumps({**json.loads(written), "combine": "min"}))
        lowest = load_reward_model(folder).score(TEXTS)
    finally:
        note.write_text(written)
    assert (lowest.values < trained.score(TEXTS).values).all()


def test_each_head_draws_prompts_not_pairs():
    prompts = np.repeat(np.arange(400), 3)
    base_weights = np.tile([1.0, 0.5, 0.25], 400)
    drawn = bootstrapped(base_weights, prompts.tolist(), 5, seed=3)
    counts = drawn / base_weights[:, None]
    assert (counts == np.round(counts)).all()
    assert (counts.reshape(400, 3, 5) == counts.reshape(400, 3, 5)[:, :1]).all(), "all pairs of a prompt or none"
    assert (counts[::3].sum(axis=0) == 400).all()
    assert np.abs((counts[::3] == 0).mean(axis=0) - np.exp(-1)).max() < 0.06
    assert len({tuple(c) for c in counts.T}) == 5
    assert (bootstrapped(base_weights, prompts.tolist(), 1, seed=3) == base_weights).all()


def test_bad_arguments_are_named(base, tmp_path):
    with pytest.raises(ValueError, match=r"heads.*kind='token'"):
        RewardTrainConfig(heads=3)
    with pytest.raises(ValueError, match="heads"):
        RewardTrainConfig(heads=0)
    write_preferences(tmp_path / "pairs.jsonl", toy_preferences(30))
    with pytest.raises(ValueError, match="members and heads"):
        train_reward_model(tmp_path / "pairs.jsonl", tmp_path / "r", model=base, members=2, heads=2, kind="sequence")
    load_trunk(base, "sequence", tiny_tokenizer(), 0, 3).save_pretrained(tmp_path / "three")
    with pytest.raises(ValueError, match="could not be loaded with a reward head"):
        load_trunk(tmp_path / "three", "sequence", tiny_tokenizer(), 0, 2)


def measure(folder: Path, seed: int, ensemble: dict[str, int]) -> dict[str, Any]:
    """Trains one ensemble of toy models: its time, size, accuracy, and whether it doubts letters it has never met."""
    tiny_policy().save_pretrained(folder / "base")
    save_tiny_tokenizer(folder / "base")
    write_preferences(folder / "pairs.jsonl", toy_preferences(1400))
    started = time.process_time()
    options: dict[str, Any] = {**PLAN, **SHARES, **ensemble, "seed": seed}
    trained = train_reward_model(folder / "pairs.jsonl", folder / "reward", model=str(folder / "base"), **options)
    seconds = time.process_time() - started
    known = toy_preferences(400)
    unread = [("Zimmer 9", "neunzig" * (i % 5 + 1)) for i in range(len(known))]
    strange = [
        replace(p, chosen=(Message("assistant", a),), rejected=(Message("assistant", b),))
        for p, (a, b) in zip(known, unread, strict=True)
    ]
    doubts = [score_pairs(trained, pairs).doubt for pairs in (known, strange)]
    size = sum(file.stat().st_size for file in (folder / "reward").rglob("*.safetensors"))
    return {"cpu_seconds": seconds, "bytes": size, "accuracy": trained.figures["accuracy"], "auc": separation(*doubts)}


def main() -> None:
    for name in ("heads", "members"):
        for seed in range(3):
            with tempfile.TemporaryDirectory() as folder:
                print(json.dumps({name: 4, "seed": seed, **measure(Path(folder), seed, {name: 4})}), flush=True)


if __name__ == "__main__":
    main()
