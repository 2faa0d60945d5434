"""The contract of every id: one loop over the registry, so that a new id is tested the day it is added.

The laws run on the embedded worlds with a tiny tokenizer and the gold reward, where turns are cut
short, and again on whole answers with what an id comes with: the embedded tokenizer and the embedded
reward model. These are shipped, so a test that does not find them fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from test_env_vector import MODES, Singles, info_of, row_of, same
from tiny import Counted, CountTask, EchoTask, save_tiny_tokenizer, tiny_reward, tiny_tokenizer

import textgym
from textgym.envs.spaces import TextSpace
from textgym.types import Transcript

IDS = list(textgym.ENV_IDS)
ACTIONS = ("token", "response")
SIZES = {"context_length": 640, "max_new_tokens": 24}
EOT = tiny_tokenizer().end_of_turn
WAYS = ("rightly", "with habits", "without end", "not at all")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Arguments that a config can say: a tokenizer's folder, the gold reward, small sizes."""
    return {"tokenizer": save_tiny_tokenizer(tmp_path_factory.mktemp("tokenizer")), "reward": "gold", **SIZES}


def texts_for(env: gym.Env, n: int) -> list[str]:
    """Random text, right answers, and what a policy should not say."""
    rng = np.random.default_rng(0)
    space = TextSpace(seed=0)
    episodes = env.unwrapped._episodes
    right = [*episodes.examples[0].references, env.unwrapped.task.answer(episodes.transcript(0), rng)]
    return [*right, "", "word " * 99, "<|end|>", "\ud800 é 🎉", *(space.sample() for _ in range(n))]


@cache
def embedded(env_id: str) -> dict[str, Any]:
    """The tokenizer and the reward model that the id comes with, loaded once for the many envs of a test."""
    env: Any = gym.make(env_id).unwrapped
    return {"tokenizer": env.tokenizer, "reward": env.reward}


def say(env: Any, row: int, way: str) -> str:
    """What the world's own program says next in a row of an env; or too much, or nothing."""
    if way == "without end":
        return "and " * 99
    if way == "not at all":
        return ""
    transcript = env.unwrapped._episodes.transcript(row)
    rng = np.random.default_rng(len(transcript.messages))
    return env.unwrapped.task.answer(transcript, rng, habits=way == "with habits")


# -- Gymnasium's own checks ------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("render_mode", [None, "human", "ansi"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("env_id", IDS)
def test_check_env(env_id: str, action: str, render_mode: str | None, tiny: dict[str, Any]) -> None:
    check_env(gym.make(env_id, action=action, render_mode=render_mode, **tiny).unwrapped)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("env_id", IDS)
def test_check_env_as_it_comes(env_id: str, action: str) -> None:
    """No arguments at all: the embedded tokenizer and the learned reward."""
    check_env(gym.make(env_id, action=action).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("env_id", IDS)
def test_wrappers_work(env_id: str, tiny: dict[str, Any]) -> None:
    env = gym.make(env_id, max_episode_steps=5, **tiny)
    env = gym.wrappers.RecordEpisodeStatistics(env)
    env.reset(seed=0)
    for _ in range(5):
        _, reward, terminated, truncated, info = env.step(40)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["episode"]["l"] == 5
    assert "score" not in info
    vector = gym.make_vec(env_id, num_envs=3, autoreset_mode="Disabled", **{**tiny, "max_turns": 1})
    vector = gym.wrappers.vector.RecordEpisodeStatistics(vector)
    vector.reset(seed=0)
    for _ in range(SIZES["max_new_tokens"]):
        _, rewards, terminations, _, infos = vector.step(np.full(3, 40))
    assert terminations.all()
    np.testing.assert_allclose(infos["episode"]["r"], rewards, rtol=1e-6)
    assert infos["episode"]["l"].tolist() == [SIZES["max_new_tokens"]] * 3
    mask = np.array([True, False, True])
    assert vector.reset(options={"reset_mask": mask})[1]["_index"].tolist() == mask.tolist()


# -- doors and vectors -----------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", IDS)
def test_both_doors_pay_the_same(env_id: str, tiny: dict[str, Any]) -> None:
    token, response = (gym.make(env_id, action=action, **tiny) for action in ACTIONS)
    token.reset(seed=0)
    spoken = texts_for(token, 20)
    for episode in range(2 * len(spoken)):
        token.reset(seed=episode)
        response.reset(seed=episode)
        for turn in range(99):
            text = spoken[(episode + turn) % len(spoken)]
            by_text = response.step(text)
            for step in [*tiny_tokenizer().encode(text), EOT]:
                by_token = token.step(step)
                if "messages" in by_token[4]:
                    break
            assert by_token[1:4] == by_text[1:4]
            same(by_token[4], by_text[4])
            if by_text[2]:
                assert 0 <= by_text[4]["gold"] <= 1
                assert by_text[1] == np.float32(by_text[4]["gold"])
                break


@pytest.mark.parametrize("env_id", IDS)
def test_both_doors_pay_the_same_for_whole_answers(env_id: str) -> None:
    """With all that the id comes with: the right answer, its faults, a text that is cut, silence."""
    token, response = (gym.make(env_id, action=action, **embedded(env_id)) for action in ACTIONS)
    tokenizer = embedded(env_id)["tokenizer"]
    paid: dict[str, list[float]] = {way: [] for way in WAYS}
    for episode in range(12):
        way = WAYS[episode % len(WAYS)]
        token.reset(seed=episode)
        response.reset(seed=episode)
        is_over = False
        while not is_over:
            text = say(token, 0, way)
            by_text = response.step(text)
            for step in [*tokenizer.encode(text), tokenizer.end_of_turn]:
                by_token = token.step(step)
                if "messages" in by_token[4]:
                    break
            assert by_token[1:4] == by_text[1:4]
            same(by_token[4], by_text[4])
            is_over, info = by_text[2], by_text[4]
        assert by_text[1] == np.float32(info["score"]) != 0
        paid[way].append(info["gold"])
        said = [m["content"] for m in info["messages"] if m["role"] == "assistant"]
        if way in ("rightly", "without end"):
            assert (text in said) == (way == "rightly")  # whole, unless there was no end to it
    assert min(paid["rightly"]) > 0.9
    for way in WAYS[1:]:
        assert np.mean(paid[way]) < np.mean(paid["rightly"])


@pytest.mark.parametrize(("action", "mode"), [*((action, "SameStep") for action in ACTIONS), ("token", "NextStep")])
@pytest.mark.parametrize("env_id", IDS)
def test_vector_is_singles_is_sync_for_whole_answers(env_id: str, action: str, mode: str) -> None:
    """With all that the id comes with; scores differ by rounding, as a batch has other shapes than a single text."""
    n, slack, given = len(WAYS), 1e-4, {"action": action, **embedded(env_id)}
    native = gym.make_vec(env_id, num_envs=n, autoreset_mode=mode, **given)
    sync = gym.make_vec(
        env_id, num_envs=n, vectorization_mode="sync", vector_kwargs={"autoreset_mode": AutoresetMode(mode)}, **given
    )
    singles = Singles([gym.make(env_id, **given) for _ in range(n)], mode)
    episodes: Any = native.unwrapped._episodes  # type: ignore[attr-defined]
    obs, infos = native.reset(seed=3)
    same((obs, infos), sync.reset(seed=3))
    for row, single in enumerate(singles.reset(seed=3)):
        same((obs[row], info_of(infos, row)), single)
    turns: list[list[Any]] = [[] for _ in range(n)]  # what each row has still to say of its turn
    endings = np.zeros(n, dtype=np.int64)
    while endings.min() < 2:
        for row, way in enumerate(WAYS):
            if not turns[row]:
                text = "" if singles.is_over[row] else say(native, row, way)  # where it begins again nothing is read
                turns[row] = [text] if action == "response" else episodes.cut_turn(given["tokenizer"].encode(text))
        said = [turn.pop(0) for turn in turns]
        actions: Any = tuple(said) if action == "response" else np.array(said)
        step = native.step(actions)
        same(step, sync.step(actions), slack=slack)
        for row, single in enumerate(singles.step(actions)):
            same(row_of(step, row), single, f"row {row}", slack)
        endings += step[2]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("env_id", IDS)
def test_vector_equals_sync(env_id: str, action: str, mode: str, tiny: dict[str, Any]) -> None:
    kwargs = {**tiny, "max_new_tokens": 6, "action": action}
    native = gym.make_vec(env_id, num_envs=8, autoreset_mode=mode, **kwargs)
    sync = gym.make_vec(
        env_id, num_envs=8, vectorization_mode="sync", vector_kwargs={"autoreset_mode": AutoresetMode(mode)}, **kwargs
    )
    assert native.metadata == sync.metadata
    same(native.reset(seed=1), sync.reset(seed=1))
    space, rng = TextSpace(seed=1), np.random.default_rng(1)
    for _ in range(20 if action == "token" else 6):
        tokens = np.where(rng.random(8) < 0.2, EOT, rng.integers(tiny_tokenizer().vocab_size, size=8))
        actions: Any = tokens if action == "token" else tuple(space.sample() for _ in range(8))
        ours = native.step(actions)
        same(ours, sync.step(actions))
        over = ours[2] | ours[3]
        if mode == "Disabled" and over.any():
            same(native.reset(options={"reset_mask": over}), sync.reset(options={"reset_mask": over.copy()}))


@pytest.mark.parametrize("action", ACTIONS)
def test_async_vector_env(action: str, tiny: dict[str, Any]) -> None:
    env_id, kwargs = IDS[0], {**tiny, "action": action, "max_new_tokens": 4}
    vector_kwargs: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP, "shared_memory": action == "token"}
    workers = gym.make_vec(env_id, num_envs=2, vectorization_mode="async", vector_kwargs=vector_kwargs, **kwargs)
    native = gym.make_vec(env_id, num_envs=2, **kwargs)
    try:
        same(workers.reset(seed=0), native.reset(seed=0))
        for k in range(5):
            actions: Any = np.array([40, EOT]) if action == "token" else (f"text {k}", "")
            same(workers.step(actions), native.step(actions))
    finally:
        workers.close()
    if action == "response":
        with pytest.raises(ValueError, match="shared_memory=False"):
            gym.make_vec(env_id, num_envs=2, vectorization_mode="async", **kwargs)


# -- arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("env_id", IDS)
def test_spec_round_trips_through_json(env_id: str, action: str, tiny: dict[str, Any]) -> None:
    env = gym.make(env_id, action=action, split="validation", data_seed=5, render_mode="ansi", **tiny)
    spec = EnvSpec.from_json(env.spec.to_json())
    assert spec == env.spec
    same(gym.make(spec).reset(seed=3), env.reset(seed=3))
    vector = gym.make_vec(env_id, num_envs=2, autoreset_mode=AutoresetMode.DISABLED, action=action, **tiny)
    spec = EnvSpec.from_json(vector.spec.to_json())
    assert spec.kwargs["autoreset_mode"] == "Disabled"
    again = gym.make_vec(spec)
    assert again.num_envs == 2
    same(again.reset(seed=3), vector.reset(seed=3))


def a_reward(transcript: Transcript) -> float:
    return float(len(transcript.response))


@pytest.mark.parametrize("name", ["reward", "tokenizer", "data"])
def test_objects_are_held_by_reference(name: str, tiny: dict[str, Any]) -> None:
    given = {"reward": Counted(), "tokenizer": tiny_tokenizer(), "data": EchoTask()}[name]
    env = gym.make(IDS[0], action="response", **{**tiny, name: given})
    again = env.spec.make()
    for one in (env, again):
        one.reset(seed=0)
        one.step("hello")
    if name != "reward":  # load_reward may wrap what it is given
        attribute = {"data": "task"}.get(name, name)
        assert getattr(again.unwrapped, attribute) is given
    else:
        assert given.batches == [1, 1]
    with pytest.raises(ValueError, match=name):
        env.spec.to_json()
    vector = gym.make_vec(IDS[0], num_envs=2, **{**tiny, name: given})
    with pytest.raises(ValueError, match=name):
        vector.spec.to_json()
    gym.make_vec(vector.spec).reset(seed=0)


def test_a_function_can_be_the_reward(tiny: dict[str, Any]) -> None:
    env = gym.make(IDS[0], action="response", **{**tiny, "reward": a_reward})
    env.reset(seed=0)
    assert env.step("twelve chars")[1] == 12.0


def test_conversations_of_ones_own(tiny: dict[str, Any]) -> None:
    kwargs = {**tiny, "reward": a_reward}
    env = gym.make("textgym/Dialogue-v0", data=CountTask(), max_turns=2, action="response", **kwargs)
    env.reset(seed=0)
    assert not env.step("a")[2]
    assert env.step("b")[4]["ending"] == "turns"
    single = gym.make("textgym/Dialogue-v0", data=EchoTask(), action="response", **kwargs)
    single.reset(seed=0)
    assert single.step("a")[4]["ending"] == "eot"
    with pytest.raises(ValueError, match="max_turns"):
        gym.make("textgym/Dialogue-v0", data=EchoTask(), max_turns=3, **kwargs)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.filterwarnings("error")
def test_records_of_ones_own(action: str, tiny: dict[str, Any], tmp_path: Path) -> None:
    """A JSONL, no gold judge, one turn; with a replayed user, several."""
    pytest.importorskip("sacrebleu")
    rows = [{"prompt": f"Say {k}.", "reference": f"It is {k}."} for k in range(9)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kwargs = {**tiny, "reward": "chrf", "action": action}
    for env_id in ("textgym/Summarize-v0", "textgym/Translate-v0"):
        data = {"path": str(tmp_path / "rows.jsonl"), "columns": {"prompt": "prompt", "reference": "reference"}}
        env = gym.make(env_id, data=data, **kwargs)
        check_env(env.unwrapped)
        assert EnvSpec.from_json(env.spec.to_json()) == env.spec
        _, info = env.reset(seed=0)
        answer = rows[info["index"]]["reference"]
        for step in [answer] if action == "response" else [*tiny_tokenizer().encode(answer), EOT]:
            _, reward, terminated, _, info = env.step(step)
        assert terminated
        assert reward == pytest.approx(1.0)
        assert "gold" not in info


def test_a_recorded_user_replays(tiny: dict[str, Any], tmp_path: Path) -> None:
    said = ["hello", "hi", "a room", "when?", "today", "done"]
    roles = ("user", "assistant")
    messages = [{"role": roles[k % 2], "content": content} for k, content in enumerate(said)]
    (tmp_path / "chats.jsonl").write_text(json.dumps({"messages": messages}) + "\n")
    data = {"path": str(tmp_path / "chats.jsonl"), "user": "replay"}
    env = gym.make("textgym/Dialogue-v0", action="response", data=data, **{**tiny, "reward": a_reward})
    env.reset(seed=0)
    for _ in range(3):
        _, _, terminated, _, info = env.step("yes")
    assert terminated
    assert info["ending"] == "task"
    assert [m["content"] for m in info["messages"] if m["role"] == "user"] == said[::2]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"rewrad": 1}, TypeError, r"rewrad.*known are.*'reward'"),
        ({"action": "tokens"}, ValueError, r"action.*'token', 'response'"),
        ({"split": "dev"}, ValueError, r"split.*'train', 'validation', 'test'"),
        ({"data_seed": -1}, ValueError, "data_seed"),
        ({"data_seed": "a"}, TypeError, "data_seed"),
        ({"render_mode": "rgb"}, ValueError, "render_mode"),
        ({"reward": "roug"}, ValueError, "roug"),
        ({"tokenizer": "/nowhere/at/all"}, ValueError, "tokenizer"),
        ({"context_length": 20}, ValueError, "context_length must be greater"),
        ({"max_turns": 4}, ValueError, "max_turns"),
        ({"mask": True, "action": "response"}, ValueError, "mask"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*render_mode")
def test_bad_arguments_name_what_is_allowed(
    changes: dict[str, Any], error: type[Exception], message: str, tiny: dict[str, Any]
) -> None:
    for make in (gym.make, gym.make_vec):
        with pytest.raises(error, match=message):
            make("textgym/Summarize-v0", **{**tiny, **changes})


def test_vector_arguments_are_named_too(tiny: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="autoreset_mode"):
        gym.make_vec(IDS[0], autorest_mode="Disabled", **tiny)
    with pytest.raises(ValueError, match="'NextStep', 'SameStep', 'Disabled'"):
        gym.make_vec(IDS[0], autoreset_mode="disabled", **tiny)


def test_unknown_ids_get_gymnasiums_own_error() -> None:
    with pytest.raises(gym.error.NameNotFound):
        gym.make("textgym/Sumarize-v0")
    with pytest.raises(gym.error.VersionNotFound):
        gym.make("textgym/Summarize-v9")


@pytest.mark.parametrize("env_id", IDS)
def test_own_data_needs_a_reward(env_id: str, tiny: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"reward.*rougeL"):
        gym.make(env_id, **{**tiny, "data": EchoTask(), "reward": None})


@pytest.mark.parametrize("env_id", IDS)
def test_the_manual_is_in_gymnasiums_order(env_id: str, tiny: dict[str, Any]) -> None:
    manual = type(gym.make(env_id, **tiny).unwrapped).__doc__
    sections = [line.strip()[3:] for line in manual.splitlines() if line.strip().startswith("## ")]
    assert sections == [
        "Description",
        "Action Space",
        "Observation Space",
        "Rewards",
        "Starting State",
        "Episode End",
        "Information",
        "Arguments",
        "Version History",
    ]
    for argument in (*SIZES, "max_turns"):
        assert f"`{argument}`" in manual


# -- processes -------------------------------------------------------------------------------------


def run_python(code: str, **variables: str) -> str:
    folder = str(Path(__file__).parent)
    env = {**os.environ, "PYTHONPATH": folder, **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_light() -> None:
    code = "import sys, textgym; print([m for m in ('torch', 'transformers', 'tokenizers') if m in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_ids_need_no_import(tiny: dict[str, Any]) -> None:
    code = (
        f"import gymnasium; print(gymnasium.make('textgym:textgym/Summarize-v0', **{tiny!r}).reset(seed=1)[1]['index'])"
    )
    assert int(run_python(code)) >= 0


def test_nothing_depends_on_the_hash_seed(tiny: dict[str, Any]) -> None:
    code = f"""
import gymnasium as gym, numpy as np, textgym
for env_id in textgym.ENV_IDS:
    env = gym.make_vec(env_id, num_envs=4, action="response", **{tiny!r})
    print(env.reset(seed=0))
    for k in range(6):
        print(env.step(("yes, at seven", "Anna paid 12 euros", "der Hund", str(k))))
"""
    assert run_python(code, PYTHONHASHSEED="1") == run_python(code, PYTHONHASHSEED="2")


# -- learned rewards -------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_learned_rewards_are_divided_over_tokens(action: str, tiny: dict[str, Any], tmp_path: Path) -> None:
    """A random per-token reward model: `token_rewards` lie on the policy's tokens and sum to the score."""
    folder = tiny_reward(tmp_path / "reward")
    env = gym.make("textgym/Summarize-v0", action=action, **{**tiny, "reward": folder})
    env.reset(seed=0)
    for step in ("A fire in Bonn, 12 hurt.",) if action == "response" else [*range(30, 40), EOT]:
        _, reward, terminated, _, info = env.step(step)
    assert terminated
    assert info["token_rewards"].dtype == np.float32
    assert info["token_rewards"].sum() == pytest.approx(reward, abs=1e-4)
    assert not info["token_rewards"][~info["response_mask"]].any()
    assert np.count_nonzero(info["token_rewards"]) > 1


@pytest.mark.parametrize("env_id", IDS)
def test_embedded_rewards_score_in_one_forward_pass_a_step(env_id: str) -> None:
    """One pass over the conversations that ended in a vector step, none where none did."""
    ways = ("rightly", "with habits", "without end", "without end")
    env = gym.make_vec(env_id, num_envs=len(ways), autoreset_mode="Disabled", split="test", **embedded(env_id))
    core: Any = env.unwrapped
    passes: list[int] = []  # conversations in each
    hook = core.reward.model.register_forward_pre_hook(
        lambda model, args, kwargs: passes.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    try:
        env.reset(seed=0)
        turns: list[list[int]] = [[] for _ in ways]
        endings: list[int] = []  # conversations that ended in each step
        while sum(endings) < 2 * len(ways):
            for row, way in enumerate(ways):
                turns[row] = turns[row] or core._episodes.cut_turn(core.tokenizer.encode(say(env, row, way)))
            passes.clear()
            _, rewards, terminations, _, infos = env.step(np.array([turn.pop(0) for turn in turns]))
            endings.append(int(terminations.sum()))
            assert passes == ([endings[-1]] if endings[-1] else [])
            if endings[-1]:
                assert (infos["score"][terminations] == rewards[terminations]).all()
                env.reset(options={"reset_mask": terminations})
    finally:
        hook.remove()
    assert min(endings) == 0
    assert max(endings) > 1 or core.max_turns > 1  # the two that find no end are cut together


# -- Stable-Baselines3 -----------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", IDS)
def test_stable_baselines3(env_id: str, tiny: dict[str, Any]) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    from stable_baselines3 import PPO

    env = gym.make(env_id, **{**tiny, "context_length": 512, "max_new_tokens": 4})
    checker.check_env(env, warn=False)
    PPO("MlpPolicy", env, n_steps=16, batch_size=8, n_epochs=1, seed=0, device="cpu").learn(32)
