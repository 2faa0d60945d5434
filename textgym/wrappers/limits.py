"""Limits from outside: how many turns are played, how much of them is seen, and texts for tokens."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from textgym import checks
from textgym.envs import doors
from textgym.envs.spaces import TextSpace
from textgym.wrappers.base import (
    Heard,
    Step,
    TextWrapper,
    as_text,
    num_tokens,
    require_door,
    require_whole_observations,
)


class TurnLimit(TextWrapper):
    """Truncates a conversation after `max_turns` turns of the policy: nothing is scored, an agent bootstraps.

    The env's own `max_turns` is another thing: it *ends* conversations, and what was said is scored.
    """

    def __init__(self, env: gym.Env[Any, Any], max_turns: int) -> None:
        super().__init__(env, max_turns=max_turns)
        self.max_turns = checks.whole("max_turns", max_turns, least=1)
        self._turns = 0

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        self._turns = 0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> Step:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._turns += "messages" in info  # which come when a turn is over
        is_out = self._turns >= self.max_turns and not terminated
        return observation, float(reward), terminated, truncated or is_out, info


class HistoryWindow(TextWrapper):
    """The policy sees the end of the conversation only: `last` tokens, or `last` messages of the response door.

    What is scored, said by users and in the infos stays whole. The observation is then not the state
    any more: two conversations may look the same.
    """

    def __init__(self, env: gym.Env[Any, Any], last: int) -> None:
        super().__init__(env, last=last)
        self.last = checks.whole("last", last, least=1)
        require_whole_observations(env, "HistoryWindow")
        self._reads_tokens = isinstance(env.observation_space, spaces.Box)
        if isinstance(env.observation_space, spaces.Box):
            high = int(env.observation_space.high[0])
            self.observation_space = spaces.Box(-1, high, (self.last,), np.int64)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**kwargs)
        return self._cut(observation, info), info

    def step(self, action: Any) -> Step:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._cut(observation, info), float(reward), terminated, truncated, info

    def _cut(self, observation: Any, info: dict[str, Any]) -> Any:
        if not self._reads_tokens:
            return as_text(info["messages"][-self.last :])
        cut = np.full(self.last, -1, dtype=np.int64)
        ids = observation[: num_tokens(observation)][-self.last :]
        cut[: len(ids)] = ids
        return cut


class TextToTokens(TextWrapper):
    """Whole texts into a token env, token by token, so that wrappers of the token door work beneath a text agent.

    `action="response"` is the same without wrappers between; a text is cut as it cuts one. Rewards of the
    tokens of a turn are summed. The other way round needs no wrapper: `action="token"`.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        require_door(env, "token", "TextToTokens")
        require_whole_observations(env, "TextToTokens")
        core: Any = env.unwrapped
        self._tokenizer = core.tokenizer
        self._heard = Heard(self._tokenizer)
        self.action_space, self.observation_space = TextSpace(), TextSpace()

    def reset(self, **kwargs: Any) -> tuple[str, dict[str, Any]]:
        observation, info = self.env.reset(**kwargs)
        self._heard.begin(observation, info)
        return as_text(self._heard.so_far()), info

    def step(self, action: Any) -> Step:
        ids = [*self._tokenizer.encode(doors.check_text(action)), self._tokenizer.end_of_turn]
        total = 0.0
        for token in ids:  # the env ends the turn at its own limit
            observation, reward, terminated, truncated, info = self.env.step(token)
            total += float(reward)
            if terminated or truncated or "messages" in info:
                break
        self._heard.hear(observation, info)
        return as_text(self._heard.so_far()), total, terminated, truncated, info
