"""What a user may get wrong: each an error of the right type that names the argument, or no effect at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from textgym import checks
from textgym.agents.ppo import PPOConfig
from textgym.models.language_model import EMBEDDED_POLICY, load_language_model
from textgym.rewards.spec import EMBEDDED as EMBEDDED_REWARDS
from textgym.tasks.load import load_task

TRANSLATE = "textgym/Translate-v0"
ROWS = [{"text": f"text {i}", "summary": "short"} for i in range(4)]


def make(**given: Any) -> Any:
    return gym.make(TRANSLATE, **{"reward": 0.0, **given})


def make_vec(**given: Any) -> Any:
    return gym.make_vec(TRANSLATE, num_envs=3, **{"reward": 0.0, **given})


@pytest.mark.parametrize(
    ("given", "error", "names"),
    [
        ({"mask": "False"}, TypeError, "mask"),
        ({"mask": None}, TypeError, "mask"),
        ({"mask": np.zeros(3)}, TypeError, "mask"),
        ({"data_seed": 2**64}, ValueError, "data_seed"),
        ({"data_seed": 1.0}, TypeError, "data_seed"),
        ({"context_length": 10**12}, ValueError, "context_length"),
        ({"action": ["token"]}, ValueError, "action"),
        ({"split": np.array(["train"])}, ValueError, "split"),
        ({"reward": ""}, ValueError, "reward"),
        ({"reward": 10**400}, ValueError, "reward"),
        ({"reward": {"type": ["gold"]}}, ValueError, "type"),
        ({"reward": {"type": "gold", 1: 2}}, ValueError, "unknown"),
        ({"reward": {"type": "sum", "parts": 5}}, TypeError, "parts"),
        ({"reward": {"type": "sum", "parts": [{"reward": "gold", "weight": "x"}]}}, TypeError, "weight"),
        ({"reward": {"type": "sum", "parts": [{"reward": "gold", "weight": None}]}}, TypeError, "weight"),
        ({"reward": {"type": "ensemble", "models": 5}}, TypeError, "models"),
        ({"reward": {"type": "ensemble", "models": "gold"}}, TypeError, "models"),
        ({"reward": {"type": "ensemble", "models": ["gold", 1], "k": "x"}}, TypeError, "k must"),
        ({"reward": {"type": "ensemble", "models": ["gold", 1], "combine": ["mean"]}}, ValueError, "combine"),
        ({"reward": {"type": "remote", "url": 5}}, TypeError, "url"),
        ({"reward": {"type": "remote", "url": "http://x/classify", "batch_size": 2.5}}, TypeError, "batch_size"),
        ({"reward": {"type": "remote", "url": "http://x/classify", "attempts": 1.5}}, TypeError, "attempts"),
        ({"reward": {"type": "remote", "url": "http://x/classify", "timeout": "x"}}, TypeError, "timeout"),
        ({"reward": {"type": "remote", "url": "http://x/classify", "headers": 5}}, TypeError, "headers"),
        ({"reward": {"type": "learned", "batch_tokens": "x"}}, TypeError, "batch_tokens"),
        ({"tokenizer": ""}, ValueError, "tokenizer"),
        ({"tokenizer": {"path": "embedded", "end_of_turn": 5}}, TypeError, "end_of_turn"),
        ({"tokenizer": {"path": "embedded", "chat_template": 5}}, TypeError, "chat_template"),
        ({"data": ""}, ValueError, "data"),
        ({"data": {"path": {"train": {"train": "x"}}}}, TypeError, "train"),
        ({"data": {"path": ROWS, "max_rows": 0}}, ValueError, "max_rows"),
        ({"data": {"path": ROWS, "max_rows": "1"}}, TypeError, "max_rows"),
        ({"data": {"path": ROWS, "holdout": 1}}, ValueError, "holdout"),
        ({"data": {"path": ROWS, "on_bad_row": ["skip"]}}, ValueError, "on_bad_row"),
    ],
    ids=str,
)
def test_arguments_of_an_env(given: dict[str, Any], error: type[Exception], names: str) -> None:
    for maker in (make, make_vec):
        with pytest.raises(error, match=names):
            maker(**given)


@pytest.mark.parametrize("end_of_turn", ["a", ".", "Ċ", "Ġ", "\n", "no such token"])
def test_a_token_that_text_spells_cannot_end_turns(end_of_turn: str) -> None:
    with pytest.raises(ValueError, match="end_of_turn"):
        make(tokenizer={"path": "embedded", "end_of_turn": end_of_turn})


@pytest.mark.parametrize(
    ("options", "error"),
    [(5, TypeError), (["index"], TypeError), ("index", TypeError), ({1: 2, "a": 3}, ValueError)],
)
def test_options_of_reset(options: Any, error: type[Exception]) -> None:
    for env in (make(), make_vec()):
        with pytest.raises(error, match="options"):
            env.unwrapped.reset(options=options)


def test_a_reset_that_fails_seeds_nothing() -> None:
    env = make().unwrapped
    env.reset(seed=3)
    state = env.np_random.bit_generator.state
    with pytest.raises(ValueError, match="idx"):
        env.reset(seed=8, options={"idx": 1})
    assert env.np_random.bit_generator.state == state


@pytest.mark.parametrize("seed", [1.5, "abc", [1.5, 2, 3], {1, 2, 3}, [1, 2, True]])
def test_seeds_of_a_vector_env_are_integers(seed: Any) -> None:
    with pytest.raises(TypeError, match="seed"):
        make_vec().reset(seed=seed)


@pytest.mark.parametrize("index", [[1, [2], 3], [1, 2], "abc", [1, 2, 10**30]])
def test_indices_of_a_vector_env(index: Any) -> None:
    with pytest.raises(ValueError, match="index"):
        make_vec().reset(options={"index": index})


@pytest.mark.parametrize("actions", [{"a": 1, "b": 2, "c": 3}, {"a", "b", "c"}, "abc", ["a", "b"], ["a", "b", 3], 5])
def test_texts_come_in_an_order(actions: Any) -> None:
    env = make_vec(action="response")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action"):
        env.step(actions)
    assert env.step(["a", "b", "c"])[2].all()


@pytest.mark.parametrize("actions", [[1, [2], 3], ["a", "b", "c"], [1.0, 2.0, 3.0], [10**30, 1, 1]])
def test_tokens_are_integers_one_a_row(actions: Any) -> None:
    env = make_vec()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="actions"):
        env.step(actions)


@pytest.mark.parametrize(
    ("responses", "error"),
    [
        ([1], TypeError),
        ({0: 5}, ValueError),
        ({True: [1]}, TypeError),
        ({0: "abc"}, ValueError),
        ({0: [[1]]}, ValueError),
    ],
)
def test_responses_are_rows_and_tokens(responses: Any, error: type[Exception]) -> None:
    env = make_vec(autoreset_mode="Disabled").unwrapped
    env.reset(seed=0)
    with pytest.raises(error, match="responses"):
        env.respond(responses)


def test_numbers_of_numpy_are_numbers() -> None:
    assert make(action="response", reward=np.float32(0.5)).unwrapped.reward.value == 0.5
    env = make_vec(action="response", max_episode_steps=np.int64(5), context_length=np.int32(100), reward=np.int64(2))
    env.reset(seed=np.int64(3))
    assert env.step(["a"] * 3)[1].tolist() == [2.0] * 3
    data = {"path": ROWS, "holdout": np.float32(0.25), "max_rows": np.int64(2)}
    with pytest.raises(TypeError, match="max_episode_steps"):
        make_vec(max_episode_steps=True)
    assert len(load_task("summarize", data={**data, "holdout": np.float64(0)})) == 2


def test_rows_after_the_last_that_is_read_do_not_count() -> None:
    rows = [ROWS[0], *({"foo": 1} for _ in range(40))]
    assert len(load_task("summarize", data={"path": rows, "max_rows": 1})) == 1
    assert len(load_task("summarize", data={"path": ROWS, "max_rows": 10**30})) == len(ROWS)


def test_a_file_of_bad_rows_alone_is_not_told_to_skip_them(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join("no json" for _ in range(3)))
    with pytest.raises(ValueError, match="line 3") as caught:
        load_task("summarize", data={"path": path, "on_bad_row": "skip"})
    assert "skip" not in str(caught.value)


def test_a_table_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,summary\na,b\n", encoding="utf-16")
    with pytest.raises(ValueError, match="not UTF-8"):
        load_task("summarize", data=path)


def test_policies_that_are_none(tmp_path: Path) -> None:
    """Missing weights, another shape, half a file, a reward model: nothing is played with random layers."""
    lacking, truncated, misfit = (tmp_path / name for name in ("lacking", "truncated", "misfit"))
    for folder in (lacking, truncated, misfit):
        shutil.copytree(EMBEDDED_POLICY, folder)
    weights = load_file(lacking / "model.safetensors")
    save_file({k: v for k, v in weights.items() if ".layers.2." not in k}, lacking / "model.safetensors")
    whole = (truncated / "model.safetensors").read_bytes()
    (truncated / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    config = json.loads((misfit / "config.json").read_text())
    (misfit / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    for folder, reason in ((lacking, "lacks the weights"), (truncated, "could not be"), (misfit, "could not be")):
        with pytest.raises(ValueError, match=reason) as caught:
            load_language_model(folder)
        assert str(folder) in str(caught.value)
    with pytest.raises(ValueError, match="is a reward model"):
        load_language_model(EMBEDDED_REWARDS / "summarize")
    assert load_language_model(EMBEDDED_POLICY).lm_head.weight.dtype == torch.float32


def test_a_reward_model_of_half_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(EMBEDDED_REWARDS / "translate", folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="could not be loaded"):
        make(reward=str(folder))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"num_updates": "5"}, "num_updates"),
        ({"seed": "x"}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"learning_rate": "1e-4"}, "learning_rate"),
        ({"gamma": None}, "gamma"),
        ({"env": 5}, "env"),
        ({"device": None}, "device"),
        ({"policy": None}, "policy"),
        ({"prompts_per_update": 2.5}, "prompts_per_update"),
        ({"samples_per_prompt": float("nan")}, "samples_per_prompt"),
        ({"eval_every": 0.5}, "eval_every"),
        ({"epochs": True}, "epochs"),
        ({"resume": 1}, "resume"),
        ({"kl_target": float("inf")}, "kl_target"),
        ({"kl_coef": float("nan")}, "kl_coef"),
    ],
    ids=str,
)
def test_fields_of_a_config(given: dict[str, Any], names: str) -> None:
    with pytest.raises((TypeError, ValueError), match=names):
        PPOConfig(**given).check()


def test_texts_can_be_stacked() -> None:
    """Gymnasium's own wrappers ask what an empty text is."""
    env = gym.wrappers.FrameStackObservation(make(action="response"), 2)
    first, _ = env.reset(seed=0)
    assert first[-1].startswith("user: ")


def test_errors_name_argument_value_and_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"size must be an integer from 1 to 5, got 6"):
        checks.whole("size", 6, least=1, most=5)
    with pytest.raises(TypeError, match=r"size must be an integer of at least 0, got '6' of str"):
        checks.whole("size", "6")
    with pytest.raises(ValueError, match=r"rate must be a finite number of at least 0 and of at most 1, got 2"):
        checks.number("rate", 2, least=0, most=1)
    with pytest.raises(ValueError, match=r"rate must be above 0, got 0"):
        checks.positive("rate", 0)
