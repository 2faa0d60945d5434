"""Laws of the native vector env: it is n single envs, only faster, and scores in one call."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from tiny import Counted, CountTask, EchoTask, tiny_tokenizer

from textgym.envs.single import TextEnv
from textgym.envs.vector import TextVectorEnv

MODES = ("SameStep", "NextStep", "Disabled")
SIZES = {"context_length": 96, "max_new_tokens": 8, "max_turns": 3}
TASKS = {"echo": EchoTask, "count": CountTask}
TEXTS = ("", "stop", "leave", "w1 w2", "a text that is much too long for one turn", "Grüße 東京 🎉", "<|end|>", "ok")


def same(a: Any, b: Any, where: str = "", slack: float = 0.0) -> None:
    """Equal in value, type, dtype and shape, all the way down; numbers that are no integers up to `slack`."""
    assert type(a) is type(b), f"{where}: {type(a)} and {type(b)}"
    if isinstance(a, dict):
        assert a.keys() == b.keys(), f"{where}: {sorted(a)} and {sorted(b)}"
        for key in a:
            same(a[key], b[key], f"{where}/{key}", slack)
    elif isinstance(a, tuple | list):
        assert len(a) == len(b), where
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}/{k}", slack)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{where}: {a.dtype} {a.shape} and {b.dtype} {b.shape}"
        if a.dtype == object:
            same(a.tolist(), b.tolist(), where, slack)
        elif a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=0, atol=slack, err_msg=where)
        else:
            np.testing.assert_array_equal(a, b, err_msg=where)
    elif isinstance(a, float):
        assert abs(a - b) <= slack, f"{where}: {a!r} and {b!r}"
    else:
        assert a == b, f"{where}: {a!r} and {b!r}"


class Singles:
    """n single envs that begin again as an autoreset mode of vector envs says."""

    def __init__(self, envs: Sequence[gym.Env], mode: str) -> None:
        self.envs, self.mode = envs, mode
        self.is_over = [False] * len(envs)

    def reset(self, seed: int) -> list[tuple[Any, dict[str, Any]]]:
        """Obs and info of each."""
        self.is_over = [False] * len(self.envs)
        return [env.reset(seed=seed + row) for row, env in enumerate(self.envs)]

    def begin_again(self, row: int) -> tuple[Any, dict[str, Any]]:
        self.is_over[row] = False
        return self.envs[row].reset()

    def step(self, actions: Sequence[Any]) -> list[tuple[Any, float, bool, bool, dict[str, Any]]]:
        """What a vector env should say of each row."""
        results = []
        for row, env in enumerate(self.envs):
            if self.is_over[row]:  # NextStep: the action is not read
                obs, info = self.begin_again(row)
                results.append((obs, 0.0, False, False, info))
                continue
            obs, reward, terminated, truncated, info = env.step(actions[row])
            self.is_over[row] = terminated or truncated
            if self.is_over[row] and self.mode == "SameStep":
                final = {"final_obs": obs, "final_info": info}
                obs, info = self.begin_again(row)
                info |= final
            results.append((obs, float(reward), terminated, truncated, info))
        return results


def row_of(step: tuple[Any, ...], row: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
    """One row of a vector env's step, as a single env would say it."""
    obs, rewards, terminations, truncations, infos = step
    return obs[row], float(rewards[row]), bool(terminations[row]), bool(truncations[row]), info_of(infos, row)


def info_of(infos: dict[str, Any], row: int) -> dict[str, Any]:
    """One row of a vector env's infos: what its masks say is there, and nothing else."""
    found = {}
    for key in (key for key in infos if f"_{key}" in infos):
        if infos[f"_{key}"][row]:
            value = infos[key]
            of_row = info_of(value, row) if isinstance(value, dict) else value[row]
            found[key] = of_row.item() if isinstance(of_row, np.generic) else of_row
    assert {key for key in infos if not key.startswith("_")} == {key for key in infos if f"_{key}" in infos}
    return found


def random_actions(rng: np.random.Generator, action: str, n: int) -> Any:
    """Tokens that end a turn one time in six, or texts of all sorts."""
    if action == "response":
        return tuple(TEXTS[k] for k in rng.integers(len(TEXTS), size=n))
    tokenizer = tiny_tokenizer()
    tokens = rng.integers(tokenizer.vocab_size, size=n)
    tokens[rng.random(n) < 1 / 6] = tokenizer.end_of_turn
    return tokens


def make_native(task: str, n: int, **kwargs: Any) -> TextVectorEnv:
    return TextVectorEnv(TASKS[task](), Counted(), tiny_tokenizer(), num_envs=n, **{**SIZES, **kwargs})


def make_sync(task: str, n: int, mode: str, max_episode_steps: int | None = None, **kwargs: Any) -> SyncVectorEnv:
    def make_one() -> gym.Env:
        env = TextEnv(TASKS[task](), Counted(), tiny_tokenizer(), **{**SIZES, **kwargs})
        return env if max_episode_steps is None else TimeLimit(env, max_episode_steps)

    return SyncVectorEnv([make_one] * n, autoreset_mode=mode)


@pytest.mark.parametrize("limit", [None, 11])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("task", "action", "mask"), [*itertools.product(TASKS, ("token", "response"), [False]), ("count", "token", True)]
)
def test_native_equals_sync(task: str, action: str, mask: bool, mode: str, limit: int | None) -> None:
    limit = 2 if limit and action == "response" else limit
    n, rng = 8, np.random.default_rng(1)
    native = make_native(task, n, action=action, mask=mask, autoreset_mode=mode, max_episode_steps=limit)
    sync = make_sync(task, n, mode, limit, action=action, mask=mask)
    assert native.single_action_space == sync.single_action_space
    assert native.observation_space == sync.observation_space
    assert native.action_space == sync.action_space
    assert native.metadata == sync.metadata
    same(native.reset(seed=5), sync.reset(seed=5), "reset")
    endings = 0
    for step in range(60):
        actions = random_actions(rng, action, n)
        ours, theirs = native.step(actions), sync.step(actions)
        same(ours, theirs, f"step {step}")
        over = ours[2] | ours[3]
        endings += over.sum()
        if mode == "Disabled" and over.any():
            same(
                native.reset(options={"reset_mask": over}),
                sync.reset(options={"reset_mask": over.copy()}),
                "masked reset",
            )
    assert endings > n
    same(native.np_random_seed, sync.np_random_seed)
    for ours, theirs in zip(native.np_random, sync.np_random, strict=True):
        assert ours.bit_generator.state == theirs.bit_generator.state


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("action", ["token", "response"])
@pytest.mark.parametrize("task", TASKS)
def test_rows_are_single_envs(task: str, action: str, mode: str) -> None:
    """Observations, rewards, endings and every info of every row, over several episodes."""
    n, rng = 8, np.random.default_rng(2)
    native = make_native(task, n, action=action, autoreset_mode=mode)
    given = {"action": action, **SIZES}
    singles = Singles([TextEnv(TASKS[task](), Counted(), tiny_tokenizer(), **given) for _ in range(n)], mode)
    obs, infos = native.reset(seed=40)
    for row, single in enumerate(singles.reset(seed=40)):
        same((obs[row], info_of(infos, row)), single, f"reset of row {row}")
    endings = np.zeros(n, dtype=np.int64)
    while endings.min() < 2:
        actions = random_actions(rng, action, n)
        step = native.step(actions)
        for row, single in enumerate(singles.step(actions)):
            same(row_of(step, row), single, f"row {row}")
        over = step[2] | step[3]
        endings += over
        if mode == "Disabled" and over.any():
            obs, infos = native.reset(options={"reset_mask": over})
            for row in range(n):
                expected = singles.begin_again(row) if over[row] else (obs[row], {})
                same((obs[row], info_of(infos, row)), expected, f"masked reset of row {row}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("action", ["token", "response"])
def test_one_reward_call_for_all_that_ended(action: str, mode: str) -> None:
    n, rng = 16, np.random.default_rng(3)
    env = make_native("count", n, action=action, autoreset_mode=mode)
    env.reset(seed=0)
    for _ in range(60):
        env.reward.batches.clear()
        _, _, terminations, _, _ = env.step(random_actions(rng, action, n))
        assert env.reward.batches == ([terminations.sum()] if terminations.any() else [])
        if mode == "Disabled" and terminations.any():
            env.reset(options={"reset_mask": terminations})
    assert env.reward.transcripts


def test_time_limit_scores_nothing() -> None:
    env = make_native("echo", 4, max_episode_steps=3)
    env.reset(seed=0)
    for step in range(3):
        _, rewards, terminations, truncations, infos = env.step(np.full(4, 40))
        assert truncations.all() == (step == 2)
        assert not terminations.any()
    assert env.reward.batches == []
    assert not rewards.any()
    assert infos["_final_obs"].all()


@pytest.mark.parametrize("mode", MODES)
def test_a_failing_reward_ends_what_it_should_have_scored(mode: str) -> None:
    """The error comes through; no row that was to be scored goes on as if nothing had happened."""

    def fail(transcript: Any) -> float:
        raise ConnectionError("the reward server is gone")

    env = make_native("echo", 3, autoreset_mode=mode)
    env.reset(seed=0)
    env.reward.function = fail
    with pytest.raises(ConnectionError, match="gone"):
        env.step(np.array([40, tiny_tokenizer().end_of_turn, 40]))
    if mode != "NextStep":
        with pytest.raises(ResetNeeded, match=r"\[1\]"):
            env.step(np.full(3, 40))
        env.reset(options={"reset_mask": np.array([False, True, False])})
    assert env.step(np.full(3, 40))[2].tolist() == [False] * 3


@pytest.mark.parametrize("limit", [None, 13])
@pytest.mark.parametrize("mode", ["SameStep", "Disabled"])
@pytest.mark.parametrize("task", TASKS)
def test_respond_is_stepping_token_by_token(task: str, mode: str, limit: int | None) -> None:
    """A row that says a turn at once goes through what a single env goes through token by token."""
    tokenizer, n, rng = tiny_tokenizer(), 5, np.random.default_rng(4)
    fast = make_native(task, n, autoreset_mode=mode, max_episode_steps=limit)
    fast.reset(seed=9)
    singles = [make_native(task, 1, autoreset_mode=mode, max_episode_steps=limit) for _ in range(n)]
    for row, env in enumerate(singles):
        env.reset(seed=9 + row)
    for _ in range(30):
        rows = rng.permutation(n)[: rng.integers(1, n + 1)]
        turns = {}
        for row in rows.tolist():
            length = int(rng.integers(1, SIZES["max_new_tokens"] + 1))
            ids = rng.integers(5, tokenizer.vocab_size, size=length).tolist()
            turns[row] = (
                ids if length == SIZES["max_new_tokens"] and rng.random() < 0.5 else [*ids[:-1], tokenizer.end_of_turn]
            )
        before = fast._observe()
        obs, rewards, terminations, truncations, infos = fast.respond(turns)
        for row in range(n):
            if row not in turns:
                assert (obs[row] == before[row]).all()
                assert (rewards[row], terminations[row], truncations[row]) == (0, False, False)
                continue
            for token in turns[row]:
                result = singles[row].step(np.array([token]))
                if result[3][0]:
                    break
            same(obs[row], result[0][0])
            assert (rewards[row], terminations[row], truncations[row]) == (result[1][0], result[2][0], result[3][0])
            for key in {k for k in (*infos, *result[4]) if not k.startswith("_")}:
                assert (f"_{key}" in infos and infos[f"_{key}"][row]) == (f"_{key}" in result[4]), key
            if "messages" in result[4]:
                assert infos["messages"][row] == result[4]["messages"][0]
        over = terminations | truncations
        if mode == "Disabled" and over.any():
            fast.reset(options={"reset_mask": over})
            for row in over.nonzero()[0]:
                singles[row].reset()


def test_respond_refuses_what_is_no_turn() -> None:
    tokenizer = tiny_tokenizer()
    eot, room = tokenizer.end_of_turn, SIZES["max_new_tokens"]
    env = make_native("echo", 2, autoreset_mode="Disabled")
    with pytest.raises(ResetNeeded):
        env.respond({0: [eot]})
    env.reset(seed=0)
    before = env._observe()
    for bad in ([], [40], [40] * (room + 1), [eot, 40], [40, eot, eot], [tokenizer.vocab_size, eot], [-1, eot]):
        with pytest.raises(ValueError, match=r"responses\[1\]|token ids"):
            env.respond({0: [eot], 1: bad})
    with pytest.raises(ValueError, match="key of responses must be an integer from 0 to 1, got 2"):
        env.respond({2: [eot]})
    same(env._observe(), before)  # nothing happened, not even to the row that was right
    env.respond({0: [eot]})
    with pytest.raises(ResetNeeded, match="row 0"):
        env.respond({0: [eot]})
    with pytest.raises(gym.error.Error, match="NextStep"):
        make_native("echo", 2, autoreset_mode="NextStep").respond({0: [eot]})


def test_index_option_picks_examples() -> None:
    env = make_native("echo", 4, autoreset_mode="Disabled")
    obs, info = env.reset(seed=0, options={"index": 7})
    assert (obs == obs[0]).all()
    assert info["index"].tolist() == [7] * 4
    _, info = env.reset(options={"index": np.array([3, 1, 4, 1])})
    assert info["index"].tolist() == [3, 1, 4, 1]
    obs, _ = env.reset(options={"index": [3, 1, 4, 1]})
    mask = np.array([False, True, False, True])
    new, info = env.reset(options={"index": np.array([50, 51, 52, 53]), "reset_mask": mask})
    assert info["index"].tolist() == [0, 51, 0, 53]
    assert info["_index"].tolist() == mask.tolist()
    same(new[~mask], obs[~mask])
    for bad in (97, -1, 1.5, True, np.arange(3), [0, 1, 2, 97]):
        with pytest.raises(ValueError, match="index"):
            env.reset(options={"index": bad})
    with pytest.raises(ValueError, match="indeks"):
        env.reset(options={"indeks": 1})
    for bad_mask in ([True] * 4, np.ones(3, dtype=bool), np.ones(4), np.zeros(4, dtype=bool)):
        with pytest.raises(ValueError, match="reset_mask"):
            env.reset(options={"reset_mask": bad_mask})
    with pytest.raises(ValueError, match="seed"):
        env.reset(seed=[1, 2])


def test_bad_actions_change_nothing() -> None:
    env = make_native("echo", 3)
    vocab = tiny_tokenizer().vocab_size
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(3, dtype=np.int64))
    obs, _ = env.reset(seed=0)
    for bad in ([0, 0, vocab], [0, -1, 0], [0.0, 1.0, 2.0], [0, 0], 0, ["a", "b", "c"]):
        with pytest.raises(ValueError, match="actions must be"):
            env.step(np.array(bad))
    same(env._observe(), obs)
    text_env = make_native("echo", 3, action="response")
    obs, _ = text_env.reset(seed=0)
    for bad_texts in ("abc", ["a", "b"], ["a", "b", 3], 5):
        with pytest.raises(ValueError, match="action"):
            text_env.step(bad_texts)
    same(text_env._observe(), obs)


def test_disabled_rows_wait_for_their_reset() -> None:
    env = make_native("echo", 2, autoreset_mode="Disabled")
    env.reset(seed=0)
    env.step(np.array([tiny_tokenizer().end_of_turn, 40]))
    with pytest.raises(ResetNeeded, match=r"\[0\]"):
        env.step(np.array([40, 40]))


def test_rows_that_never_began_wait_too() -> None:
    env = make_native("echo", 2, autoreset_mode="Disabled")
    env.reset(seed=0, options={"reset_mask": np.array([True, False])})
    env.respond({0: [tiny_tokenizer().end_of_turn]})
    for row in (0, 1):
        with pytest.raises(ResetNeeded, match=f"row {row}"):
            env.respond({row: [tiny_tokenizer().end_of_turn]})


def test_next_step_reads_no_action_of_rows_that_begin() -> None:
    env = make_native("echo", 2, autoreset_mode="NextStep")
    env.reset(seed=0)
    env.step(np.array([tiny_tokenizer().end_of_turn, 40]))
    _, rewards, terminations, _, infos = env.step(np.array([-7, 40]))
    assert not rewards.any()
    assert not terminations.any()
    assert infos["_index"].tolist() == [True, False]


def test_autoreset_mode_may_be_the_enum() -> None:
    env = make_native("echo", 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    assert env.autoreset_mode == "NextStep"
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    with pytest.raises(ValueError, match="SameStep"):
        make_native("echo", 2, autoreset_mode="Never")


def test_masks_and_observations_are_fresh() -> None:
    env = make_native("echo", 3, mask=True)
    env.reset(seed=0)
    first, second = env.step(np.full(3, 40)), env.step(np.full(3, 40))
    assert not np.shares_memory(first[0], second[0])
    assert not np.shares_memory(first[4]["action_mask"], second[4]["action_mask"])
    assert env.action_masks().dtype == bool
    assert env.action_masks().shape == (3, tiny_tokenizer().vocab_size)
    assert env.action_masks()[:, tiny_tokenizer().end_of_turn].all()


@pytest.mark.parametrize("render_mode", ["ansi", "human"])
def test_render_as_sync(render_mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    native = make_native("count", 2, render_mode=render_mode, autoreset_mode="NextStep")
    sync = make_sync("count", 2, "NextStep", render_mode=render_mode)
    for env in (native, sync):
        env.reset(seed=1)
        env.step(np.array([40, tiny_tokenizer().end_of_turn]))
    assert native.render() == sync.render()
    assert ("user: " in capsys.readouterr().out) == (render_mode == "human")
