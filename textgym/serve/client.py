"""Envs that are played on another machine: the client of `textgym serve`.

What they give is what the local env gives, types, dtypes and bits. A request that got no answer is sent again under
the same number, and the server plays it once; where there is no answer at all, `RemoteEnvError` is raised and the
env must be reset: no reward is ever made up. Needs no extra. Left out: copies (a session has one client), and
proxies of the environment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from textgym import checks
from textgym.envs import doors
from textgym.envs.references import SpecHolder
from textgym.envs.single import TextEnv
from textgym.serve.connection import Connection, RemoteEnvError
from textgym.serve.wire import encode

__all__ = ["RemoteEnv", "RemoteEnvError", "RemoteVectorEnv"]


class RemoteEnv(SpecHolder, gym.Env[Any, Any]):  # type: ignore[misc]  # spec is a property here
    """An env that `textgym serve` plays on another machine.

    ## Description
    Observations, rewards, infos and endings are those of the env that is served, bit for bit, whose manual has the
    rest: `textgym/Summarize-v0`, `textgym/Translate-v0`, `textgym/Dialogue-v0`.

    ```python
    import gymnasium as gym
    import textgym

    env = gym.make("textgym/Remote-v0", url="http://127.0.0.1:8000", env="textgym/Summarize-v0", action="response")
    envs = gym.make_vec("textgym/Remote-v0", num_envs=64, url="http://127.0.0.1:8000", env="textgym/Summarize-v0")
    ```

    ## Action Space
    That of the env which is served.

    ## Observation Space
    That of the env which is served.

    ## Rewards
    Those of the reward model that the server was started with. An error there is raised here as `RemoteEnvError`.

    ## Starting State
    `reset(seed=…)` seeds the env on the server. `np_random` here is seeded likewise and never drawn from.

    ## Episode End
    As in the env which is served.

    ## Information
    As in the env which is served.

    ## Arguments
    - `url`: of the server.
    - `env`: one of the ids that it serves.
    - `timeout` (60): seconds a request may take.
    - `attempts` (4), `wait` (0.2): a request without an answer is sent again, after 0.2, 0.4, … seconds; the server
      plays it once all the same.
    - `render_mode`: None, `"human"` or `"ansi"`.
    - all others go to the env: `action`, `split`, `data_seed`, `context_length`, `max_new_tokens`, `max_turns`, `mask`.
      Its data, reward and tokenizer are the server's.

    `gym.make_vec` takes `autoreset_mode` and `max_episode_steps` as well, and plays all rows in one request.

    ## Version History
    - v0: first version.
    """

    metadata = dict(TextEnv.metadata)  # noqa: RUF012  # Gymnasium's own form
    _remote: Connection | None = None

    def __init__(
        self,
        url: str,
        env: str,
        timeout: float = 60.0,
        attempts: int = 4,
        wait: float = 0.2,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        doors.check_choice("render_mode", render_mode, (None, *doors.RENDER_MODES))
        remote = Connection(url, {"env": encode(env), "options": encode(options)}, timeout, attempts, wait)
        self._remote, self.render_mode = remote, render_mode
        self.action = remote.described["action"]
        vocab_size, self.context_length = remote.described["vocab_size"], remote.described["context_length"]
        self.max_new_tokens, self.max_turns = remote.described["max_new_tokens"], remote.described["max_turns"]
        self.action_space = doors.action_space(self.action, vocab_size)
        self.observation_space = doors.observation_space(self.action, vocab_size, self.context_length)
        self._num_printed: int | None = None  # None before the first reset

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts a conversation; `options={"index": i}` picks the example."""
        found = _open(self).play("reset", seed=seed, options=options)
        super().reset(seed=seed)
        self._num_printed = 0
        self._print_news(found["info"])
        return found["obs"], found["info"]

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        found = _open(self).play("step", action=action)
        self._print_news(found["info"])
        return found["obs"], found["reward"], found["terminated"], found["truncated"], found["info"]

    def action_masks(self) -> np.ndarray:
        """(V,) bool: True for the tokens that a policy may choose (no control token but end-of-turn)."""
        return _open(self).look("action_masks")["action_masks"]

    def render(self) -> Any:
        if self.render_mode is None:
            gym.logger.warn(f"render() needs a render_mode: pass one of {list(doors.RENDER_MODES)} to gym.make")
            return None
        if self._num_printed is None:
            raise ResetNeeded("there is nothing to render before the first reset()")
        return _open(self).look("render")["text"] if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Ends the session on the server."""
        if self._remote is not None:
            self._remote.close()
        super().close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def _print_news(self, info: Mapping[str, Any]) -> None:
        """Prints the messages that are new, in mode "human"."""
        if self.render_mode == "human" and "messages" in info:
            self._num_printed = _print_messages(info["messages"], self._num_printed or 0)


class RemoteVectorEnv(SpecHolder, VectorEnv[Any, Any, np.ndarray]):  # type: ignore[misc]  # spec is a property here
    """n conversations that `textgym serve` plays on another machine, a request a step for all of them.

    Args:
        num_envs: n.
        max_episode_steps, autoreset_mode: as for `TextVectorEnv`.
        url, env, timeout, attempts, wait, render_mode, options: as for `RemoteEnv`.
    """

    metadata = dict(TextEnv.metadata)  # noqa: RUF012  # Gymnasium's own form
    _remote: Connection | None = None

    def __init__(
        self,
        url: str,
        env: str,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = "SameStep",
        timeout: float = 60.0,
        attempts: int = 4,
        wait: float = 0.2,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        doors.check_choice("render_mode", render_mode, (None, *doors.RENDER_MODES))
        num_envs = checks.whole("num_envs", num_envs, 1)
        mode = autoreset_mode.value if isinstance(autoreset_mode, AutoresetMode) else autoreset_mode
        sent = {**options, "max_episode_steps": max_episode_steps, "autoreset_mode": mode}
        body = {"env": encode(env), "num_envs": num_envs, "options": encode(sent)}
        remote = Connection(url, body, timeout, attempts, wait)
        self._remote, self.render_mode, self.num_envs = remote, render_mode, num_envs
        self.action, self.context_length = remote.described["action"], remote.described["context_length"]
        self.max_new_tokens, self.max_turns = remote.described["max_new_tokens"], remote.described["max_turns"]
        self.autoreset_mode, self.max_episode_steps = mode, remote.described["max_episode_steps"]
        self.metadata = {**self.metadata, "autoreset_mode": AutoresetMode(mode)}
        vocab_size = remote.described["vocab_size"]
        self.single_action_space = doors.action_space(self.action, vocab_size)
        self.single_observation_space = doors.observation_space(self.action, vocab_size, self.context_length)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._num_printed: list[int] | None = None  # None before the first reset

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts conversations; see `TextVectorEnv.reset`."""
        found = _open(self).play("reset", seed=seed, options=options)
        self._num_printed = self._num_printed or [0] * self.num_envs
        self._print_news(found["info"])
        return found["obs"], found["info"]

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One action a row."""
        return self._step("step", action=actions)

    def respond(
        self, responses: Mapping[int, Sequence[int]]
    ) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """A whole turn for each of the rows named; see `TextVectorEnv.respond`."""
        return self._step("respond", responses=dict(responses) if isinstance(responses, Mapping) else responses)

    def action_masks(self) -> np.ndarray:
        """(n, V) bool: True for the tokens that a policy may choose."""
        return _open(self).look("action_masks")["action_masks"]

    def render(self) -> tuple[Any, ...] | None:
        """A text a row in mode "ansi"."""
        if self.render_mode is None:
            gym.logger.warn(f"render() needs a render_mode: pass one of {list(doors.RENDER_MODES)} to gym.make_vec")
            return None
        if self._num_printed is None:
            raise ResetNeeded("there is nothing to render before the first reset()")
        return _open(self).look("render")["text"] if self.render_mode == "ansi" else (None,) * self.num_envs

    @property  # type: ignore[misc]  # read-only here
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """Each row's generator as it stands on the server; drawing from it here changes nothing there."""
        return tuple(_generator(state) for state in _open(self).look("generators")["states"])

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        return tuple(_open(self).look("generators")["seeds"])

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the session on the server."""
        if self._remote is not None:
            self._remote.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close_extras()

    def _step(self, call: str, **given: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        found = _open(self).play(call, **given)
        self._print_news(found["info"])
        return found["obs"], found["reward"], found["terminated"], found["truncated"], found["info"]

    def _print_news(self, infos: Mapping[str, Any]) -> None:
        """Prints what is new in mode "human", in the order of `TextVectorEnv`: turns that ended, then what began."""
        if self.render_mode != "human" or self._num_printed is None:
            return
        begun = infos.get("_index", np.zeros(self.num_envs, dtype=bool))
        finals = infos.get("final_info", {})
        for row in range(self.num_envs):
            if "messages" in finals and finals["_messages"][row]:
                self._print_row(row, finals["messages"][row])
            elif "messages" in infos and infos["_messages"][row] and not begun[row]:
                self._print_row(row, infos["messages"][row])
        for row in np.flatnonzero(begun).tolist():
            self._num_printed[row] = 0
            self._print_row(row, infos["messages"][row])

    def _print_row(self, row: int, messages: Sequence[Mapping[str, str]]) -> None:
        assert self._num_printed is not None
        self._num_printed[row] = _print_messages(messages, self._num_printed[row], f"[{row}] ")


def _open(env: Any) -> Connection:
    remote = env._remote
    if remote is None:
        raise gym.error.Error("this env was never opened: make another one")
    assert isinstance(remote, Connection)
    return remote


def _print_messages(messages: Sequence[Mapping[str, str]], start: int, label: str = "") -> int:
    """Prints the messages from `start` on; how many there are."""
    for message in messages[start:]:
        print(f"{label}{message['role']}: {message['content']}\n")
    return len(messages)


def _generator(state: dict[str, Any]) -> np.random.Generator:
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)
