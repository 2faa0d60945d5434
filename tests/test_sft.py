"""Laws of supervised tuning: what is a demonstration, what gets a loss, and where the loss ends.

On tiny random models and records that a reader can check by hand; the embedded worlds where their demonstrations are
meant.
"""

from __future__ import annotations

import json
import math
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from probes import PROBES, allow_only, letter_ids, write_probe
from tiny import save_tiny_tokenizer, tiny_policy, tiny_tokenizer

from textgym.agents import sft
from textgym.agents.conversations import demonstrations
from textgym.agents.offline import look_at_env
from textgym.agents.packing import Episode, pack
from textgym.agents.sft import Demonstrations, SFTConfig, Trainer
from textgym.agents.stage import make_env
from textgym.cli import main
from textgym.feedback.preferences import Preference, write_preferences
from textgym.models.tokenizer import load_tokenizer
from textgym.types import Message

EOT = tiny_tokenizer().end_of_turn


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random policy, and own records for one turn and for several."""
    folder = tmp_path_factory.mktemp("sft")
    tiny_policy().save_pretrained(folder / "policy")
    save_tiny_tokenizer(folder / "policy")
    news = [{"document": f"The mayor opened bridge {k} on Monday.", "summary": f"Bridge {k}."} for k in range(12)]
    turns = [("user", "One?"), ("assistant", "Yes, one."), ("user", "Two?"), ("assistant", "Two."), ("user", "Bye.")]
    chats = [{"messages": [{"role": role, "content": text} for role, text in turns]}]
    for name, rows in (("news", news), ("chats", chats)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def config(folder: Path) -> SFTConfig:
    return SFTConfig(
        policy=str(folder / "policy"),
        data=json.dumps({"path": str(folder / "news.jsonl"), "holdout": 0.5}),
        reward="chrf",
        context_length=96,
        max_new_tokens=24,
        num_updates=2,
        batch_size=4,
        warmup_updates=0,
        learning_rate=3e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=4,
        eval_every=0,
        checkpoint_every=0,
    )


def moved(config: SFTConfig, data: Demonstrations) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """What one step of plain gradient descent with rate 1 takes off the weights: the gradient."""
    trainer = Trainer(replace(config, learning_rate=1.0, max_grad_norm=1e9), data=data)
    trainer.optimizer = torch.optim.SGD(trainer.trained, lr=1.0)
    before = {name: value.clone() for name, value in trainer.stage.model.state_dict().items()}
    figures = trainer.step()
    return {name: before[name] - value for name, value in trainer.stage.model.state_dict().items()}, figures


# -- the loss ---------------------------------------------------------------------------------------


def test_the_loss_is_the_mean_over_the_assistants_tokens(config: SFTConfig) -> None:
    """Two answers of different lengths: autograd of the plain model's mean over all their tokens says the same."""
    data = Demonstrations(sft.load(config).training[:1], [])
    prompt = tiny_tokenizer().prompt_ids([Message("user", "Well?")])
    long = [*tiny_tokenizer().encode("A much longer answer than that."), EOT]
    data.training.append(Episode(prompt, long, [True] * len(long)))
    found, figures = moved(replace(config, batch_size=2), data)
    trainer = Trainer(config, data=data)
    total, count = torch.zeros(()), 0
    for episode in data.training:
        ids = torch.tensor([episode.tokens])
        logits = trainer.stage.model(ids).logits[0, len(episode.prompt) - 1 : -1]
        logits = logits.masked_fill(trainer.stage.forbidden, -torch.inf)
        total = total - logits.log_softmax(-1).gather(1, ids[0, len(episode.prompt) :, None]).sum()
        count += episode.num_chosen
    (total / count).backward()
    assert figures["loss"] == pytest.approx(total.item() / count, rel=1e-5)
    assert figures["tokens"] == count / 2
    for name, parameter in trainer.stage.model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("changes", [{"batch_tokens": 1}, {"row_tokens": 1}])
def test_padding_and_micro_batches_change_nothing(changes: dict[str, int], config: SFTConfig) -> None:
    data = sft.load(config)
    one, figures = moved(replace(config, batch_tokens=10**6), data)
    other, same = moved(replace(config, **changes), data)
    assert same["loss"] == pytest.approx(figures["loss"], rel=1e-5)
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-3, atol=2e-6)


def test_on_a_tiny_corpus_the_loss_reaches_its_entropy(config: SFTConfig) -> None:
    """Answers a, b, c, ab with counts 8, 4, 2, 2: H = 1.75 bits a response, over 2.125 tokens a response."""
    prompt = tiny_tokenizer().prompt_ids([Message("user", "x")])
    a, b, c = letter_ids()
    corpus = [[a]] * 8 + [[b]] * 4 + [[c]] * 2 + [[a, b]] * 2
    training = [Episode(prompt, [*said, EOT], [True] * (len(said) + 1)) for said in corpus]
    given = replace(config, batch_size=len(training), num_updates=120, learning_rate=5e-3)
    trainer = Trainer(given, data=Demonstrations(training, training))
    losses = [trainer.step()["loss"] for _ in range(given.total_updates)]
    entropy = 1.75 * math.log(2) / (sum(e.num_chosen for e in training) / len(training))
    assert losses[0] > 2 * entropy
    assert min(losses) > entropy - 1e-5  # no model says a corpus better than its own frequencies
    assert losses[-1] < entropy + 0.01
    figures = trainer.stage.evaluate().means
    assert figures["held_out/loss"] == pytest.approx(losses[-1], abs=0.005)


# -- demonstrations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("world", ["Summarize", "Translate", "Dialogue"])
def test_a_demonstration_stands_behind_the_very_tokens_of_the_env(world: str) -> None:
    given = SFTConfig(env=f"textgym/{world}-v0", device="cpu")
    tokenizer, task, sizes = look_at_env(given, "train")
    left_out: Counter[str] = Counter()
    found = demonstrations(task, range(6), tokenizer, sizes, 0, left_out)
    assert len(found) + sum(left_out.values()) == 6
    assert len(found) >= 5
    env = make_env(replace(given.as_online(), reward="gold"), tokenizer, "train", 6)
    obs, _ = env.reset(seed=list(range(6)), options={"index": np.arange(6)})
    prompts = [row[row >= 0].tolist() for row in obs]
    for episode in found:
        assert list(episode.prompt) in prompts
        assert episode.continuation[-1] == tokenizer.end_of_turn
        assert episode.chosen[0]
        assert episode.chosen[-1]
    turns = [sum(1 for a, b in zip([False, *e.chosen], e.chosen, strict=False) if b and not a) for e in found]
    assert (max(turns) > 1) == (world == "Dialogue")


def test_a_recorded_conversation_is_learnt_whole_where_the_user_is_replayed(config: SFTConfig, folder: Path) -> None:
    data = json.dumps({"path": str(folder / "chats.jsonl"), "user": "replay"})
    given = replace(config, env="textgym/Dialogue-v0", data=data, reward="constant:0")
    (episode,) = sft.load(given).training
    said = [i for text in ("Yes, one.", "Two.") for i in (*tiny_tokenizer().encode(text), EOT)]
    assert pack([episode]).target.tolist() == said  # and neither the prompt nor the user's second turn
    assert "Two?" in tiny_tokenizer().decode(episode.continuation)
    (last,) = sft.load(replace(given, data=str(folder / "chats.jsonl"))).training
    assert pack([last]).target.tolist() == [*tiny_tokenizer().encode("Two."), EOT]
    assert "Yes, one." in tiny_tokenizer().decode(last.prompt)


def test_the_chosen_sides_of_judged_pairs(config: SFTConfig, tmp_path: Path) -> None:
    """Each preferred response once; a tie prefers none."""

    def judged(k: int, chosen: str, rejected: str, **more: Any) -> Preference:
        sides = ((Message("assistant", text),) for text in (chosen, rejected))
        return Preference((Message("user", f"Question {k}"),), *sides, **more)

    rows = [judged(0, "good", "bad"), judged(0, "good", "worse"), judged(1, "fine", "poor")]
    rows += [judged(2, "this", "that", weight=0.5), judged(2, "that", "this", weight=0.5)]
    write_preferences(tmp_path / "pairs.jsonl", rows)
    given = replace(config, preferences=str(tmp_path / "pairs.jsonl"), holdout=0)
    found = sft.load(given)
    assert sorted(tiny_tokenizer().decode(e.continuation) for e in found.training) == ["fine", "good"]
    halves = sft.load(replace(given, holdout=0.5))
    assert len(halves.held_out) == len(halves.training) == 1


def test_what_does_not_fit_is_counted_and_never_cut(config: SFTConfig, tmp_path: Path) -> None:
    rows = [{"document": "It rained.", "summary": "Rain."}, {"document": "It rained.", "summary": "Rain. " * 30}]
    (tmp_path / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = replace(config, data=str(tmp_path / "long.jsonl"), context_length=512)
    with pytest.warns(UserWarning, match=r"1 of 2 records of data are left out: 1 a turn is longer"):
        assert len(sft.load(given).training) == 1
    (tmp_path / "long.jsonl").write_text(json.dumps(rows[1]) + "\n")
    with pytest.raises(ValueError, match="data must have references that fit 512 tokens, got none: 1 a turn is longer"):
        sft.load(given)
    (tmp_path / "bare.jsonl").write_text('{"document": "It rained."}\n')
    with pytest.raises(ValueError, match="1 no reference to learn from"):
        sft.load(replace(given, data=str(tmp_path / "bare.jsonl"), reward="constant:0"))


def test_a_long_prompt_is_cut_as_the_env_cuts_it(config: SFTConfig, tmp_path: Path) -> None:
    (tmp_path / "long.jsonl").write_text(json.dumps({"document": "It rained. " * 60, "summary": "Rain."}) + "\n")
    given = replace(config, data=str(tmp_path / "long.jsonl"))
    (episode,) = sft.load(given).training
    env = make_env(given.as_online(), tiny_tokenizer(), "train", 1)
    obs, infos = env.reset(seed=[0], options={"index": [0]})
    assert list(episode.prompt) == obs[0][obs[0] >= 0].tolist()
    assert infos["prompt_tokens_cut"][0] > 0


# -- learning ---------------------------------------------------------------------------------------

BEST = {  # what each probe pays for, in the words of its records
    "constant target": lambda record: {**record, "summary": "b"},
    "the prompt decides": lambda record: {**record, "summary": record["document"]},
    "paid late": lambda record: {**record, "summary": "c"},
    "two turns": lambda record: {
        "messages": [{**m, "content": {1: "a", 3: "b"}.get(k, m["content"])} for k, m in enumerate(record["messages"])]
    },
}


@pytest.mark.parametrize("name", PROBES)
def test_tuning_on_the_best_answers_solves_the_probes(name: str, tmp_path: Path) -> None:
    probe = PROBES[name]._replace(records=[BEST[name](record) for record in PROBES[name].records])
    config = SFTConfig(
        **write_probe(probe, tmp_path),
        num_updates=60,
        batch_size=4,
        learning_rate=5e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=8,
    )
    trainer = Trainer(config)
    allow_only(trainer.stage.forbidden)
    before = trainer.stage.evaluate().means
    for _ in range(config.total_updates):
        trainer.step()
    after = trainer.stage.evaluate(num_prompts=8).means
    assert before["score"] < 0.7
    assert after["score"] > 0.97
    assert after["held_out/loss"] < 0.05 < before["held_out/loss"]


# -- a run and its folder ---------------------------------------------------------------------------


def test_a_run_leaves_what_runs_leave_and_goes_on_with_the_same_bits(
    config: SFTConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sft.train(replace(config, num_updates=4, eval_every=2, run=str(tmp_path / "whole")))
    written = json.loads((whole / "config.json").read_text())
    assert written["agent"] == "sft"
    assert written["chosen"]["evaluated_on"] == "held-out prompts"
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [row["update"] for row in rows] == [0, 1, 2, 2, 3, 4, 4]
    assert all("held_out/loss" in row["evaluation"] for row in rows if "evaluation" in row)
    for name in ("curve.png", "samples.md", "policy/model.safetensors", "samples/update-000002.md"):
        assert (whole / name).exists(), name
    assert main(["evaluate", str(whole), "--prompts", "2"]) == 0
    step = Trainer.step

    def disturbed(self: Trainer) -> dict[str, float]:
        if self.updates_done == 3:
            raise OSError("no disk")
        return step(self)

    broken = replace(config, num_updates=4, eval_every=2, run=str(tmp_path / "broken"))
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", disturbed)
        with pytest.raises(OSError, match="no disk"):
            sft.train(broken)
    sft.train(replace(broken, resume=True))
    states = [torch.load(next((tmp_path / f).glob("checkpoints/*/state.pt"))) for f in ("whole", "broken")]
    for name, value in states[0]["policy"].items():
        assert torch.equal(value, states[1]["policy"][name]), name
    again = [json.loads(line) for line in (tmp_path / "broken" / "metrics.jsonl").read_text().splitlines()]
    timed = {"update_s", "seconds"}
    assert [{k: v for k, v in row.items() if k not in timed} for row in rows] == [
        {k: v for k, v in row.items() if k not in timed} for row in again
    ]


def test_adapters_alone_can_be_tuned(config: SFTConfig) -> None:
    pytest.importorskip("peft")
    trainer = Trainer(replace(config, lora_rank=2, learning_rate=1e-2))
    start = trainer.stage.evaluate(of_reference=True).means["held_out/loss"]
    first = trainer.step()["loss"]
    for _ in range(10):
        last = trainer.step()["loss"]
    assert last < first
    assert trainer.stage.evaluate(of_reference=True).means["held_out/loss"] == pytest.approx(start, rel=1e-6)
    assert trainer.stage.evaluate().means["held_out/loss"] < start


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_examples": 0}, "num_examples must be"),
        ({"split": "dev"}, "split must be one of"),
        ({"holdout": -0.1}, "holdout must be"),
        ({"preferences": "nowhere.jsonl"}, "nowhere.jsonl could not be read"),
        ({"policy": "/nowhere"}, "policy=.*nowhere"),
        ({"reward": None}, "reward must be given"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ],
)
def test_bad_values_are_named_before_anything_is_written(
    changes: dict[str, Any], told: str, config: SFTConfig, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=told):
            sft.train(replace(config, run=str(tmp_path / "run"), **changes))
    assert not (tmp_path / "run").exists()


def test_real_tokenizers_are_the_policys_own() -> None:
    assert look_at_env(SFTConfig(device="cpu"), "train")[0].vocab_size == load_tokenizer("embedded").vocab_size
