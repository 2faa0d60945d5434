"""What is said of a PPO run, in its folder and by `textgym evaluate`, and what bad input is told.

Real text and a real model are used where TEXTGYM_TEST_DATA names a folder that has them.
"""

# ruff: noqa: F811 (fixtures are imported, and asked for by name)

from __future__ import annotations

import json
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from tiny import tiny_tokenizer
from tiny_runs import EOT, arguments, config, folder, read_metrics, weights, with_reward  # noqa: F401
from transformers import LogitsProcessorList

from textgym.agents import devices, evaluate, ppo, report, runs, stage
from textgym.agents.ppo import PPOConfig, Trainer
from textgym.cli import main
from textgym.models.tokenizer import load_tokenizer
from textgym.types import Message

# -- evaluations ------------------------------------------------------------------------------------


def test_a_run_ends_turns_with_its_token_and_is_evaluated_as_it_was_trained(
    config: PPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The chat template says <|end|>; the run says <|user|>, and what it saves says so too."""
    given = replace(config, end_of_turn="<|user|>", num_updates=1, run=str(tmp_path / "run"))
    run = ppo.train(given)
    assert [row["gold"] for row in read_metrics(run) if "evaluation" not in row] == [None]  # unknown, and valid JSON

    from transformers import AutoModelForCausalLM

    token = tiny_tokenizer().hf.convert_tokens_to_ids("<|user|>")
    assert token != EOT
    tokenizer = load_tokenizer(str(run / "policy"))
    assert tokenizer.end_of_turn == token
    assert load_tokenizer({"path": str(run / "policy"), "end_of_turn": "<|end|>"}).end_of_turn == EOT
    assert tokenizer.prompt_ids([Message("user", "x")]) == tiny_tokenizer().prompt_ids([Message("user", "x")])
    model = AutoModelForCausalLM.from_pretrained(run / "policy")
    assert model.config.eos_token_id == model.generation_config.eos_token_id == token

    def says_one_letter_and_ends(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        wanted = 70 if ids.shape[1] == 3 else token
        return torch.full_like(scores, -torch.inf).index_fill_(1, torch.tensor([wanted]), 0.0)

    said = model.generate(
        torch.tensor([[60, 61, 62]]), max_new_tokens=9, logits_processor=LogitsProcessorList([says_one_letter_and_ends])
    )
    assert said[0, 3:].tolist() == [70, token]

    capsys.readouterr()
    assert main(["evaluate", str(run), "--prompts", "3", "--json"]) == 0
    settings = json.loads(capsys.readouterr().out.splitlines()[-1])["settings"]
    assert settings["policy"] == str(run / "policy")
    for name in ("env", "data", "reward", "context_length", "max_new_tokens", "end_of_turn"):
        assert settings[name] == getattr(given, name), name
    other = ["--env", "textgym/Translate-v0", "--prompts", "2", "--reward", "constant:1", "--json"]
    assert main(["evaluate", str(run), *other]) == 0  # another env has its own data and sizes, not the run's
    settings = json.loads(capsys.readouterr().out.splitlines()[-1])["settings"]
    assert settings["data"] is None
    assert settings["context_length"] != given.context_length
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped" / "config.json").write_text((run / "config.json").read_text())
    assert main(["evaluate", str(tmp_path / "stopped")]) == 1
    assert "has saved no policy yet" in capsys.readouterr().err


def test_evaluate_prints_a_table_and_a_line_of_json(config: PPOConfig, capsys: pytest.CaptureFixture[str]) -> None:
    given = [config.policy, "--data", str(config.data), "--reward", "chrf", "--prompts", "9"]
    given += ["--context-length", "96", "--max-new-tokens", "8", "--device", "cpu", "--json"]
    lines = []
    for more in ([], [], ["--greedy"]):
        assert main(["evaluate", *given, *more]) == 0
        printed = capsys.readouterr().out
        assert "score" in printed
        lines.append(printed.splitlines()[-1])
    assert lines[0] == lines[1]
    found = json.loads(lines[0], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert set(found) == {"figures", "settings", "versions"}
    assert found["settings"]["policy"] == config.policy
    assert found["settings"]["env"] == "textgym/Summarize-v0"
    assert found["settings"]["prompts"] == 9
    assert [json.loads(line)["settings"]["temperature"] for line in lines] == [1.0, 1.0, 0.0]
    assert found["figures"]["gold"] is None
    assert 0 < found["figures"]["tokens"] <= 8
    assert found["figures"]["score_ci95"] >= 0
    assert "torch" in found["versions"]
    for wrong in (["--prompts", "0"], ["--temperature", "-1"], ["--temperature", "0.5", "--greedy"]):
        assert main(["evaluate", *given, *wrong]) == 1
        assert wrong[0].strip("-") in capsys.readouterr().err


# -- what a run shows -------------------------------------------------------------------------------


def test_the_curve_shows_the_metrics() -> None:
    rows: list[dict[str, Any]] = [
        {"update": k, **{n: k / 10 for n in ("score", "gold", "kl")}, **dict.fromkeys(SPREADS, 0.1)} for k in (1, 2, 3)
    ]
    figures = {"score": 0.4, "gold": 0.5, "score_ci95": 0.1, "gold_ci95": 0.2}
    rows.insert(0, {"update": 0, "evaluation": figures})
    figure = report.plot_curve(rows, "a title", "training prompts")
    assert [axis.get_title() for axis in figure.axes] == ["learned score", "gold score", "KL to the start (nats)"]
    for axis in figure.axes:
        line = next(line for line in axis.lines if line.get_label() == "training batch")
        np.testing.assert_allclose(line.get_xydata(), [(1, 0.1), (2, 0.2), (3, 0.3)])
    for axis, value in zip(figure.axes[:2], (0.4, 0.5), strict=True):
        (squares,) = axis.containers
        np.testing.assert_allclose(squares.lines[0].get_xydata(), [(0, value)])
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "training prompts" in labels
    assert "held-out prompts" not in labels
    for row in rows[1:]:
        row["gold"] = float("nan")  # a task without a judge
    assert [axis.get_title() for axis in report.plot_curve(rows, "").axes] == [
        "learned score",
        "KL to the start (nats)",
    ]


SPREADS = ("score_spread", "gold_spread", "kl_spread")


def test_a_run_prints_its_progress_and_the_same_prompts_before_and_after(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(devices, "choose_dtype", lambda dtype, device: torch.bfloat16)
    for has_rich in (True, False):
        run = tmp_path / f"rich is {has_rich}"
        with monkeypatch.context() as patched:
            if not has_rich:
                for name in ("progress", "console", "table", "text"):
                    patched.setitem(sys.modules, f"rich.{name}", None)
            ppo.train(replace(config, dtype="auto", run=str(run)))
        printed = capsys.readouterr().out
        rows = read_metrics(run)
        last = next(row for row in rows if row["update"] == 2 and "evaluation" not in row)
        status = f"score {last['score']:+.2f}  KL {last['kl']:.1f}"  # and no gold: nobody knows it
        assert printed.count(f"{run}: on cpu, training passes in bfloat16") == 1
        assert json.loads((run / "config.json").read_text())["chosen"]["dtype"] == "bfloat16"
        if not has_rich:
            assert f"update 2/2 {status}" in printed
            assert "rich is not installed: no tables" in printed
            continue
        assert "2/2" in printed
        assert status in printed
        before, after = rows[0]["evaluation"], rows[-1]["evaluation"]
        (means,) = [line for line in printed.splitlines() if " score " in line and "±" in line]
        figures = [f"{e['score']:.3f} ± {e['score_ci95']:.3f}" for e in (before, after)]
        assert [cell.strip() for cell in means.strip("│ ").split("│")] == ["score", *figures]
        samples = (run / "samples.md").read_text()
        for k in range(3):
            assert f"The mayor opened bridge {k} on Monday." in printed
            assert f"The mayor opened bridge {k} on Monday." in samples


def test_prompts_are_called_held_out_only_where_they_are(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    legends = []
    monkeypatch.setattr(runs, "draw_curve", lambda rows, path, title, prompts: legends.append(prompts))
    divided = json.dumps({"path": config.data, "holdout": 0.7})
    for data, is_held_out in ((config.data, False), (divided, True)):
        run = tmp_path / f"held out {is_held_out}"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ppo.train(replace(config, data=data, num_updates=1, run=str(run)))
        told = [str(w.message) for w in caught if "training prompts" in str(w.message)]
        kind = "held-out prompts" if is_held_out else "training prompts"
        other = "training prompts" if is_held_out else "held-out"
        for text in (capsys.readouterr().out, (run / "samples.md").read_text()):
            assert kind in text
            assert other not in text
        assert legends.pop() == kind
        assert json.loads((run / "config.json").read_text())["chosen"]["evaluated_on"] == kind
        assert len(told) == (0 if is_held_out else 1)
        assert is_held_out or '"holdout": 0.1' in told[0]
        assert main(["evaluate", str(run), "--prompts", "2"]) == 0
        assert ("2 test prompts" if is_held_out else "2 training prompts") in capsys.readouterr().out


def test_splits_of_an_embedded_world_are_not_the_same(config: PPOConfig) -> None:
    embedded = replace(config, data=None, reward="gold", context_length=None, max_new_tokens=None)
    for env in ("Summarize", "Translate", "Dialogue"):
        a, b, c = (
            stage.make_env(replace(embedded, env=f"textgym/{env}-v0"), tiny_tokenizer(), split, 1).unwrapped.task
            for split in ("train", "train", "validation")
        )
        assert evaluate.are_same(a, b)
        assert not evaluate.are_same(a, c)


def test_cut_prompts_are_counted_and_told_once(config: PPOConfig, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = ppo.train(replace(config, context_length=24, run=str(tmp_path / "run")))
    counts = [row["prompts_cut"] for row in read_metrics(run) if "evaluation" not in row]
    assert counts == [4, 4]  # every prompt is longer than 24 - 8 tokens
    assert len([w for w in caught if "4 of 4 prompts of update 1 lost their ends" in str(w.message)]) == 1
    assert Trainer(config).step()["prompts_cut"] == 0


def test_evaluate_draws_no_bar_while_it_loads(config: PPOConfig, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    given = ["--data", str(config.data), "--reward", "chrf", "--prompts", "2", "--context-length", "96"]
    assert main(["evaluate", config.policy, *given, "--max-new-tokens", "8"]) == 0
    assert "Loading weights" not in capfd.readouterr().err
    assert logging.is_progress_bar_enabled()


# -- bad input --------------------------------------------------------------------------------------

WRONG = {
    **dict.fromkeys(("num_updates", "prompts_per_update", "samples_per_prompt", "epochs", "minibatches"), (0, -1)),
    **dict.fromkeys(("row_tokens", "batch_tokens", "eval_prompts", "kl_horizon"), (0,)),
    **dict.fromkeys(("learning_rate", "temperature", "max_grad_norm"), (0.0, -1.0, float("nan"), float("inf"))),
    **dict.fromkeys(("clip_ratio", "clip_value"), (0.0, float("nan"))),
    **dict.fromkeys(("kl_coef", "value_coef", "entropy_coef", "missing_eot_penalty"), (-0.1, float("nan"))),
    **dict.fromkeys(("seed", "critic_warmup", "eval_every", "checkpoint_every"), (-1,)),
    **dict.fromkeys(("gamma", "lam"), (-0.1, 1.1, float("nan"))),
    "kl_target": (0.0, -1.0),
    "device": ("gpu7", "cuda:99"),
    **dict.fromkeys(("split", "eval_split"), ("dev",)),
    "dtype": ("float16", "int"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_values_are_named(name: str, config: PPOConfig) -> None:
    config.check()
    for value in WRONG[name]:
        with pytest.raises(ValueError, match=rf"^{name} must be .*{value}"):
            replace(config, **{name: value}).check()


def test_more_minibatches_than_prompts_are_refused(config: PPOConfig) -> None:
    with pytest.raises(ValueError, match="minibatches must be at most prompts_per_update=4, got 5"):
        replace(config, minibatches=5).check()


def test_a_reward_that_is_not_a_number_stops_before_training_on_it(config: PPOConfig) -> None:
    calls = iter([0.5] * config.batch_size)
    trainer = Trainer(with_reward(config, lambda transcript: next(calls, float("nan"))))
    trainer.step()
    before = weights(trainer)
    with pytest.raises(ValueError, match="finite"):
        trainer.step()
    assert all(torch.equal(before[name], value) for name, value in trainer.policy.state_dict().items())
    assert trainer.updates_done == 1


def test_own_data_without_a_reward_lists_the_choices(
    config: PPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(config, tmp_path / "run")
    at = given.index("--reward")
    assert main(["train", "ppo", *given[:at], *given[at + 2 :]]) == 1
    told = capsys.readouterr().err
    assert "reward must be given" in told
    for choice in ("rougeL", "chrf", "a number", "http(s)://"):
        assert choice in told
    assert not (tmp_path / "run").exists()


def test_parts_that_do_not_fit_are_refused(config: PPOConfig, folder: Path) -> None:
    for changes, told, error in (
        ({"policy": str(folder / "nowhere")}, r"policy=.*nowhere", ValueError),
        ({"context_length": 1024}, "context_length must be at most the policy's 512", ValueError),
        ({"env": "textgym/Essay-v0"}, "Essay", gym.error.NameNotFound),
        ({"split": "dev"}, "split must be one of", ValueError),
        ({"reward": "rogueL"}, "did you mean 'rougeL'", ValueError),
        ({"end_of_turn": "<|nothing|>"}, "end_of_turn", ValueError),
    ):
        with pytest.raises(error, match=told):
            Trainer(replace(config, **changes))


# -- real text, a real model ------------------------------------------------------------------------

REAL = [
    ("Summarize", "summarization_scitldr.jsonl", {}, "rougeL"),
    ("Translate", "translation_mlqepe_ende.jsonl", {}, "chrf"),
    ("Dialogue", "dialogue_taskmaster4.jsonl", {}, "rougeL"),
    ("Dialogue", "dialogue_taskmaster4.jsonl", {"user": "replay"}, "rougeL"),
]


@pytest.mark.parametrize(("world", "file", "options", "reward"), REAL)
def test_real_text_and_a_real_model(
    world: str, file: str, options: dict[str, str], reward: str, tmp_path: Path
) -> None:
    place = os.environ.get("TEXTGYM_TEST_DATA")
    data, policy = Path(place or "") / "data" / file, Path(place or "") / "models" / "stories260K"
    if not place or not data.exists() or not policy.exists():
        pytest.skip(f"real data is absent: TEXTGYM_TEST_DATA={place!r} has no data/{file} or models/stories260K")
    config = PPOConfig(
        env=f"textgym/{world}-v0",
        policy=str(policy),
        end_of_turn="<s>",
        data=json.dumps({"path": str(data), **options}),
        reward=reward,
        context_length=384,
        max_new_tokens=24,
        num_updates=2,
        prompts_per_update=4,
        samples_per_prompt=4,
        critic_warmup=0,
        device="cpu",
        eval_every=0,
        eval_prompts=8,
        run=str(tmp_path / "run"),
    )
    run = ppo.train(config)
    rows = [r for r in read_metrics(run) if "evaluation" not in r]
    assert [r["update"] for r in rows] == [1, 2]
    assert rows[0]["kl"] == 0.0
    for row in rows:
        assert all(np.isfinite(v) for name, v in row.items() if not name.startswith("gold"))
        assert 0 <= row["score"] <= 1
        assert row["score_spread"] > 0

    from transformers import AutoModelForCausalLM

    trained = AutoModelForCausalLM.from_pretrained(run / "policy")
    start = AutoModelForCausalLM.from_pretrained(policy)
    assert any(not torch.equal(a, b) for a, b in zip(trained.parameters(), start.parameters(), strict=True))
