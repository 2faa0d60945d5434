"""One conversation as a Gymnasium env: a batch of one, through either door.

The rules are in `episodes.py`, what an action is in `doors.py`. The per-id classes with their
manuals and their `gym.make` arguments are in `ids.py`; this class takes the parts themselves.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded

from textgym.envs import doors
from textgym.envs.episodes import EpisodeBatch
from textgym.envs.references import SpecHolder
from textgym.models.tokenizer import ChatTokenizer
from textgym.tasks.base import Task
from textgym.types import RewardModel


class TextEnv(SpecHolder, gym.Env[Any, Any]):  # type: ignore[misc]  # spec is a property here
    """A conversation with a task, scored by a reward model.

    Args:
        task: where prompts (and a simulated user) come from.
        reward: scores the conversation when it is over.
        tokenizer: of the policy.
        action: "token" or "response".
        context_length, max_new_tokens, max_turns: see `EpisodeBatch`.
        mask: gives `info["action_mask"]` (token action only).
        render_mode: None, "human" or "ansi".
    """

    metadata = {"render_modes": list(doors.RENDER_MODES), "render_fps": 4}  # noqa: RUF012  # Gymnasium's own form

    def __init__(
        self,
        task: Task,
        reward: RewardModel,
        tokenizer: ChatTokenizer,
        *,
        action: str = "token",
        context_length: int,
        max_new_tokens: int,
        max_turns: int = 1,
        mask: bool = False,
        render_mode: str | None = None,
    ) -> None:
        doors.check_arguments(action, mask, render_mode)
        self.task, self.reward, self.tokenizer = task, reward, tokenizer
        self.action, self.render_mode = action, render_mode
        self._episodes = EpisodeBatch(task, reward, tokenizer, 1, context_length, max_new_tokens, max_turns)
        self._gives_mask = bool(mask)
        self._num_printed = 0
        self.action_space = doors.action_space(action, tokenizer.vocab_size)
        self.observation_space = doors.observation_space(action, tokenizer.vocab_size, self._episodes.context_length)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts a conversation; `options={"index": i}` picks the example."""
        index = doors.check_options(options, ("index",)).get("index")
        if index is not None:
            index = doors.check_index(index, len(self.task))
        super().reset(seed=seed)
        self._episodes.generators[0] = self.np_random
        self._episodes.begin([0], [index])
        self._num_printed = 0
        if self.render_mode == "human":
            self._print_news()
        return self._observe(), self._info(self._episodes.begin_info(0))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        episodes = self._episodes
        if not episodes.is_active[0]:
            raise ResetNeeded("the conversation has not begun or is over: call reset() before step()")
        episodes.generators[0] = self.np_random
        if self.action == "token":
            token = doors.check_token(action, self.action_space)
            if not episodes.act(np.array([token])).size:
                return self._observe(), 0.0, False, False, self._info({})
        else:
            episodes.say(0, episodes.cut_turn(self.tokenizer.encode(doors.check_text(action))))
        end = episodes.finish_turns([0])[0]
        if self.render_mode == "human":
            self._print_news()
        return self._observe(), end.reward, end.is_over, False, self._info(end.info)

    def action_masks(self) -> np.ndarray:
        """(V,) bool: True for the tokens that a policy may choose (no control token but end-of-turn)."""
        return ~self.tokenizer.control_mask

    def render(self) -> Any:
        if self.render_mode is None:
            gym.logger.warn(f"render() needs a render_mode: pass one of {list(doors.RENDER_MODES)} to gym.make")
            return None
        if not self._episodes.messages[0]:
            raise ResetNeeded("there is nothing to render before the first reset()")
        if self.render_mode == "ansi":
            return self._episodes.text(0)
        self._print_news()
        return None

    # -- inside -------------------------------------------------------------------------------

    def _observe(self) -> Any:
        return self._episodes.tokens[0].copy() if self.action == "token" else self._episodes.text(0)

    def _info(self, info: dict[str, Any]) -> dict[str, Any]:
        if self._gives_mask:
            info["action_mask"] = self.action_masks().astype(np.int8)
        return info

    def _print_news(self) -> None:
        """Prints the messages that are new since the last call."""
        messages = self._episodes.messages[0]
        for message in messages[self._num_printed :]:
            print(f"{message.role}: {message.content}\n")
        self._num_printed = len(messages)
