"""Laws of best-of-n: which answer is taken, what the best of n is worth, and that distilling it teaches.

On tiny random models and the probes whose best return is known.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from probes import BEST_RETURN, PROBES, allow_only, write_probe
from tiny import save_tiny_tokenizer, tiny_policy

from textgym.agents import best_of_n, best_of_n_measure
from textgym.agents.best_of_n import BestOfNConfig, Trainer, choose_best
from textgym.agents.best_of_n_measure import figures_of, measure
from textgym.cli import main
from textgym.types import Transcript


@pytest.fixture
def config(tmp_path: Path) -> BestOfNConfig:
    tiny_policy().save_pretrained(tmp_path / "policy")
    save_tiny_tokenizer(tmp_path / "policy")
    news = [{"document": f"The mayor opened bridge {k} on Monday.", "summary": f"Bridge {k}."} for k in range(12)]
    (tmp_path / "news.jsonl").write_text("".join(json.dumps(row) + "\n" for row in news))
    return BestOfNConfig(
        policy=str(tmp_path / "policy"),
        data=str(tmp_path / "news.jsonl"),
        reward="chrf",
        context_length=96,
        max_new_tokens=8,
        num_updates=2,
        prompts_per_update=4,
        samples_per_prompt=4,
        distill=True,
        learning_rate=3e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=5,
        eval_every=0,
        checkpoint_every=0,
    )


# -- what is chosen ---------------------------------------------------------------------------------


def test_the_best_is_taken_and_of_equals_the_first() -> None:
    values = torch.tensor([[0.1, 0.9, 0.9, 0.2], [0.5, 0.5, 0.5, 0.5], [-3.0, -1.0, -2.0, -1.0]])
    assert choose_best(values).tolist() == [1, 0, 1]


def test_only_the_best_answers_are_learnt(config: BestOfNConfig) -> None:
    trainer = Trainer(config)
    rollout = trainer.collect()
    _, best = trainer.prepare(rollout)
    scores = rollout.scores.reshape(4, 4)
    assert best.tolist() == [4 * k + int(row.argmax()) for k, row in enumerate(scores)]
    assert len(set(rollout.scores.tolist())) > 4
    packs, members = trainer.pack_best([rollout.episodes[row] for row in best.tolist()])
    assert len(packs) == config.minibatches
    learnt: dict[int, list[int]] = {}
    for packed, rows_of in zip(itertools.chain(*packs), itertools.chain(*members), strict=True):
        for prompt, token in zip(rows_of[packed.episode].tolist(), packed.target.tolist(), strict=True):
            learnt.setdefault(prompt, []).append(token)
    assert learnt == {k: list(rollout.episodes[row].continuation) for k, row in enumerate(best.tolist())}


def test_the_kl_counts_in_the_choice_where_it_has_a_price(config: BestOfNConfig) -> None:
    trainer = Trainer(replace(config, kl_coef=1000.0))
    with torch.no_grad():
        trainer.stage.model.get_output_embeddings().weight.mul_(1.5)  # no longer the reference
    rollout = trainer.collect()
    batch, best = trainer.prepare(rollout)
    kl = torch.where(batch.mask, batch.logprobs - batch.ref_logprobs, 0).sum(1).view(4, 4)
    assert best.tolist() == [4 * k + int(row.argmin()) for k, row in enumerate(kl)]


def test_each_process_packs_its_share_of_the_same_minibatches(config: BestOfNConfig) -> None:
    trainer = Trainer(config)
    episodes = [trainer.collect().episodes[4 * k] for k in range(4)]
    whole = [sorted(g for m in part for g in m.tolist()) for part in trainer.pack_best(episodes)[1]]
    parts: list[list[int]] = [[], []]
    for start in (0, 2):
        trainer.stage.share = slice(start, start + 2)
        for part, found in zip(parts, trainer.pack_best(episodes[start : start + 2])[1], strict=True):
            part += [start + g for m in found for g in m.tolist()]
    assert [sorted(part) for part in parts] == whole


# -- what it is worth -------------------------------------------------------------------------------


def fake_rollout(scores: np.ndarray, gold: np.ndarray) -> Any:
    n = scores.size
    return SimpleNamespace(
        scores=scores.ravel(),
        gold=gold.ravel(),
        episodes=[SimpleNamespace(num_chosen=k % 5) for k in range(n)],
        last_turn_has_eot=np.ones(n, dtype=bool),
        gold_components={},
    )


def test_the_curve_is_the_expectation_over_all_subsets() -> None:
    """Against brute force; equal scores share, as they do where a subset's order is random."""
    rng = np.random.default_rng(0)
    scores, gold = rng.integers(0, 4, size=(3, 6)).astype(float), rng.random((3, 6))
    rows = figures_of([fake_rollout(scores[:2], gold[:2]), fake_rollout(scores[2:], gold[2:])], 6)
    assert [row["n"] for row in rows] == [1, 2, 4, 6]
    for row in rows:
        n, told = row["n"], row["evaluation"]
        worth = []
        for s, g in zip(scores, gold, strict=True):
            subsets = [list(c) for c in itertools.combinations(range(6), n)]
            worth.append(np.mean([np.mean(g[[i for i in c if s[i] == s[c].max()]]) for c in subsets]))
        assert told["gold"] == pytest.approx(np.mean(worth))
        assert told["gold_ci95"] == pytest.approx(1.96 * np.std(worth, ddof=1) / math.sqrt(3))
        assert told["kl"] == pytest.approx(math.log(n) - (n - 1) / n)
    assert rows[-1]["evaluation"]["score"] == pytest.approx(scores.max(axis=1).mean())
    assert rows[0]["evaluation"]["score"] == pytest.approx(scores.mean())


def test_a_measurement_leaves_a_result(
    config: BestOfNConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    asked = replace(config, distill=False, run=str(run))
    assert best_of_n.train(asked) == run
    printed = capsys.readouterr().out
    assert "best of 4 on 5 training prompts" in printed
    assert json.loads((run / "config.json").read_text())["agent"] == "best-of-n"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["n"] for row in rows] == [1, 2, 4]
    scores = [row["evaluation"]["score"] for row in rows]
    assert scores == sorted(scores)
    assert scores[0] < scores[-1]
    assert rows[0]["evaluation"]["gold"] is None  # nobody knows the meaning of these records
    assert (run / "curve.png").exists()
    assert not (run / "policy").exists()
    assert "bridge 0" in (run / "samples.md").read_text()
    with pytest.raises(ValueError, match="holds a run already"):
        measure(asked)
    written = (run / "metrics.jsonl").read_bytes()
    assert measure(replace(asked, resume=True)) == run
    assert "measured already" in capsys.readouterr().out
    assert (run / "metrics.jsonl").read_bytes() == written
    assert main(["evaluate", str(run)]) == 1
    assert "measured best-of-n and trained no policy" in capsys.readouterr().err
    from textgym.agents.comparison import read_result

    points = read_result(run).points
    assert [p["kl"] for p in points] == pytest.approx([0, math.log(2) - 1 / 2, math.log(4) - 3 / 4])


def test_ctrl_c_measures_what_was_sampled(
    config: BestOfNConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_of_n_measure, "CHUNK", 8)  # two prompts at a time
    play, calls = best_of_n_measure.play, iter(range(9))

    def interrupted(*args: Any, **more: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return play(*args, **more)

    monkeypatch.setattr(best_of_n_measure, "play", interrupted)
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        best_of_n.train(replace(config, distill=False, run=str(run)))
    assert json.loads((run / "config.json").read_text())["chosen"]["prompts"] == 4
    monkeypatch.setattr(best_of_n_measure, "play", play)
    best_of_n.train(replace(config, distill=False, run=str(run), resume=True))  # what was cut short begins anew
    assert json.loads((run / "config.json").read_text())["chosen"]["prompts"] == 5


# -- distillation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBES)
def test_distillation_solves_the_probes(name: str, tmp_path: Path) -> None:
    config = BestOfNConfig(
        **write_probe(PROBES[name], tmp_path),
        distill=True,
        num_updates=60,
        prompts_per_update=6,
        samples_per_prompt=16,
        learning_rate=5e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=1,
    )
    trainer = Trainer(config)
    allow_only(trainer.stage.forbidden)
    rounds = [trainer.step() for _ in range(config.total_updates)]
    scores = [found["score"] for found in rounds]
    assert np.mean(scores[:2]) < 0.7 * BEST_RETURN
    assert np.mean(scores[-3:]) > 0.97 * BEST_RETURN, scores
    assert all(found["best_score"] >= found["score"] for found in rounds)
    assert rounds[0]["kl"] == 0.0


def test_a_broken_run_goes_on_with_the_same_bits(
    config: BestOfNConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = best_of_n.train(replace(config, num_updates=3, run=str(tmp_path / "whole")))
    step = Trainer.step

    def disturbed(self: Trainer) -> dict[str, float]:
        if self.updates_done == 2:
            raise OSError("no reward")
        return step(self)

    broken = replace(config, num_updates=3, run=str(tmp_path / "broken"))
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", disturbed)
        with pytest.raises(OSError, match="no reward"):
            best_of_n.train(broken)
    best_of_n.train(replace(broken, resume=True))
    states = [torch.load(next((tmp_path / f).glob("checkpoints/*/state.pt"))) for f in ("whole", "broken")]
    for name, value in states[0]["policy"].items():
        assert torch.equal(value, states[1]["policy"][name]), name
    for name in ("curve.png", "samples.md", "policy/model.safetensors"):
        assert (whole / name).exists(), name


def test_bad_values_are_named(config: BestOfNConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for changes, told in (
        ({"samples_per_prompt": 1}, "samples_per_prompt must be at least 2 with distill, got 1"),
        ({"epochs": 0}, "epochs must be"),
    ):
        with pytest.raises(ValueError, match=told):
            best_of_n.train(replace(config, **changes))
    given = ["--data", str(config.data), "--reward", "rogueL", "--run", str(tmp_path / "run"), "--device", "cpu"]
    assert main(["train", "best-of-n", *given]) == 1
    assert "did you mean 'rougeL'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_reward_that_pays_nothing_teaches_the_first(config: BestOfNConfig) -> None:
    """Where all are equal the first is taken: plain self-imitation, and no crash."""

    def constant(transcript: Transcript) -> float:
        return 0.5

    trainer = Trainer(replace(config, reward=constant))  # type: ignore[arg-type]
    _, best = trainer.prepare(trainer.collect())
    assert best.tolist() == [0, 4, 8, 12]
