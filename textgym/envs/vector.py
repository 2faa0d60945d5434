"""n conversations stepped in one call: the native vector env.

Equal to Gymnasium's `SyncVectorEnv` of n single envs in the same autoreset mode (observations,
rewards, endings, infos, dtypes, masks), and much faster: one numpy operation for all rows inside
turns, one reward-model call for all conversations that ended in a step. `respond` is an extra of
its own: whole turns for some rows, the others untouched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from textgym import checks
from textgym.envs import doors
from textgym.envs.episodes import EpisodeBatch, TurnEnd
from textgym.envs.references import SpecHolder
from textgym.envs.single import TextEnv
from textgym.models.tokenizer import ChatTokenizer
from textgym.tasks.base import Task
from textgym.types import RewardModel

Step = tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]
_NOBODY = np.zeros(0, dtype=np.int64)


class TextVectorEnv(SpecHolder, VectorEnv[Any, Any, np.ndarray]):  # type: ignore[misc]  # spec is a property here
    """n conversations with a task.

    Args:
        task, reward, tokenizer, action, context_length, max_new_tokens, max_turns, mask, render_mode:
            as for `TextEnv`.
        num_envs: n.
        max_episode_steps: truncates conversations after so many steps, as a `TimeLimit` wrapper
            around each single env would; nothing is scored then.
        autoreset_mode: "SameStep", "NextStep" or "Disabled" (the enum is accepted too).
    """

    metadata = dict(TextEnv.metadata)  # noqa: RUF012  # Gymnasium's own form

    def __init__(
        self,
        task: Task,
        reward: RewardModel,
        tokenizer: ChatTokenizer,
        *,
        num_envs: int,
        action: str = "token",
        context_length: int,
        max_new_tokens: int,
        max_turns: int = 1,
        mask: bool = False,
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = "SameStep",
        render_mode: str | None = None,
    ) -> None:
        doors.check_arguments(action, mask, render_mode)
        mode = autoreset_mode.value if isinstance(autoreset_mode, AutoresetMode) else autoreset_mode
        doors.check_choice("autoreset_mode", mode, [m.value for m in AutoresetMode])
        if max_episode_steps is not None:
            max_episode_steps = checks.whole("max_episode_steps", max_episode_steps, least=1)
        self.task, self.reward, self.tokenizer = task, reward, tokenizer
        self.action, self.render_mode = action, render_mode
        self.autoreset_mode, self.max_episode_steps = mode, max_episode_steps
        self.metadata = {**self.metadata, "autoreset_mode": AutoresetMode(mode)}
        self.context_length, self.max_new_tokens, self.max_turns = context_length, max_new_tokens, max_turns
        self._episodes = EpisodeBatch(task, reward, tokenizer, num_envs, context_length, max_new_tokens, max_turns)
        self.num_envs = num_envs
        vocab_size = tokenizer.vocab_size
        self.single_action_space = doors.action_space(action, vocab_size)
        self.single_observation_space = doors.observation_space(action, vocab_size, context_length)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._gives_mask = bool(mask)
        self._seeds: list[int | None] = [None] * num_envs
        self._elapsed = np.zeros(num_envs, dtype=np.int64)
        self._num_printed = [0] * num_envs
        self._all = np.arange(num_envs)

    # -- Gymnasium ----------------------------------------------------------------------------

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts conversations.

        Args:
            seed: row i gets seed + i, or its own of a list; rows without one keep their generator.
            options: "index" (an int for all rows, or an array, one a row) picks examples;
                "reset_mask" ((n,) bool) leaves the other rows as they are.
        """
        given = doors.check_options(options, ("index", "reset_mask"))
        rows = self._all
        if "reset_mask" in given:
            rows = doors.check_reset_mask(given["reset_mask"], self.num_envs).nonzero()[0]
        indices = doors.check_indices(given.get("index"), rows.tolist(), self.num_envs, len(self.task))
        seeds = doors.check_seeds(seed, self.num_envs)
        for row in rows.tolist():
            self._seed_row(row, seeds[row])
        self._begin(rows, indices)
        infos: dict[str, Any] = {}
        for row in rows.tolist():
            infos = self._add_info(infos, self._info(self._episodes.begin_info(row)), row)
        return self._observe(), infos

    def step(self, actions: Any) -> Step:
        """One action a row. In mode NextStep rows that are over begin again and their action is not read."""
        acting, beginning = self._all, _NOBODY
        is_active = self._episodes.is_active
        if not is_active.all():
            beginning = (~is_active).nonzero()[0]
            if self.autoreset_mode != "NextStep" or not all(self._episodes.messages):
                raise ResetNeeded(f"rows {beginning.tolist()} have not begun or are over: call reset() before step()")
            acting = is_active.nonzero()[0]
        turn_ends = self._act(actions, acting)
        return self._results(acting, turn_ends, beginning, np.ones(len(acting), dtype=np.int64))

    def respond(self, responses: Mapping[int, Sequence[int]]) -> Step:
        """A whole turn for each of the rows named; the other rows stay as they are, with reward 0.

        The same as stepping the tokens one by one, without the calls between.

        Args:
            responses: row -> token ids of its turn: up to the first end-of-turn, which is written
                out, or exactly as many as the turn has room for.

        Raises:
            ValueError: a row that doesn't exist, or token ids that are not one whole turn.
            gymnasium.error.Error: autoreset mode NextStep, where rows wait for an action.
        """
        if self.autoreset_mode == "NextStep":
            raise gym.error.Error(
                'respond() works in the autoreset modes "SameStep" and "Disabled", this is "NextStep"'
            )
        if not isinstance(responses, Mapping):
            raise TypeError(f"responses must be a dict of row -> token ids, got {responses!r:.80}")
        episodes, turns = self._episodes, {}
        for row, ids in responses.items():
            row = checks.whole("a key of responses", row, most=self.num_envs - 1)
            if not episodes.is_active[row]:
                raise ResetNeeded(f"row {row} has not begun or is over: reset it before it responds")
            room = int(episodes.turn_limits[row] - episodes.lengths[row])
            turns[row] = doors.check_turn(ids, row, room, self.tokenizer)
        rows = np.array(sorted(turns), dtype=np.int64)
        steps = np.ones(len(rows), dtype=np.int64)
        complete = []
        for k, row in enumerate(rows.tolist()):
            ids = turns[row]
            if self.action == "token":
                if self.max_episode_steps is not None:  # the limit may fall inside the turn
                    ids = ids[: self.max_episode_steps - int(self._elapsed[row])]
                steps[k] = len(ids)
            episodes.say(row, ids)
            if len(ids) == len(turns[row]):
                complete.append(row)
        return self._results(rows, np.array(complete, dtype=np.int64), _NOBODY, steps)

    def action_masks(self) -> np.ndarray:
        """(n, V) bool: True for the tokens that a policy may choose."""
        return np.tile(~self.tokenizer.control_mask, (self.num_envs, 1))

    def render(self) -> tuple[Any, ...] | None:
        """A text a row in mode "ansi"; in mode "human" what is new is printed."""
        if self.render_mode is None:
            gym.logger.warn(f"render() needs a render_mode: pass one of {list(doors.RENDER_MODES)} to gym.make_vec")
            return None
        if not any(self._episodes.messages):
            raise ResetNeeded("there is nothing to render before the first reset()")
        if self.render_mode == "ansi":
            return tuple(self._episodes.text(row) for row in range(self.num_envs))
        self._print_news(self._all.tolist())
        return (None,) * self.num_envs

    @property  # type: ignore[misc]  # read-only here
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """Each row's generator, as in `SyncVectorEnv`."""
        for row in range(self.num_envs):
            self._seed_row(row, None)
        return tuple(g for g in self._episodes.generators if g is not None)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        for row in range(self.num_envs):
            self._seed_row(row, None)
        return tuple(s for s in self._seeds if s is not None)

    # -- inside: a step -----------------------------------------------------------------------

    def _act(self, actions: Any, acting: np.ndarray) -> np.ndarray:
        """Lets the acting rows act. Returns those whose turn ended, (k,) int64."""
        episodes, is_all = self._episodes, len(acting) == self.num_envs
        if self.action == "token":
            is_read = None if is_all else episodes.is_active
            tokens = doors.check_tokens(actions, self.num_envs, self.tokenizer.vocab_size, is_read)
            return episodes.act(tokens) if is_all else episodes.act(tokens[acting], acting)
        texts = doors.check_texts(actions, self.num_envs, acting.tolist())
        for row, ids in zip(acting.tolist(), self.tokenizer.encode_batch(texts), strict=True):
            episodes.say(row, episodes.cut_turn(ids))
        return acting

    def _results(self, acting: np.ndarray, turn_ends: np.ndarray, beginning: np.ndarray, steps: Any) -> Step:
        """What a step gives back, once the acting rows have acted.

        Args:
            acting, turn_ends, beginning: rows that acted; those whose turn ended; those to begin (NextStep).
            steps: how many steps each acting row took, for the time limit.
        """
        n = self.num_envs
        rewards, terminations, truncations = np.zeros(n), np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        if self.max_episode_steps is not None:
            self._elapsed[acting] += steps
            truncations[acting] = self._elapsed[acting] >= self.max_episode_steps
        is_quiet = not (turn_ends.size or beginning.size or len(acting) < n)
        if is_quiet and (self.max_episode_steps is None or not truncations.any()):
            return self._observe(), rewards, terminations, truncations, self._quiet_infos()

        ends = self._episodes.finish_turns(turn_ends) if turn_ends.size else {}
        for row, end in ends.items():
            rewards[row], terminations[row] = end.reward, end.is_over
        if self.render_mode == "human":
            self._print_news(list(ends))
        over = (terminations | truncations).nonzero()[0]
        self._episodes.stop(over)
        finals: dict[int, Any] = {}
        if self.autoreset_mode == "SameStep":
            finals = {row: self._observe_row(row) for row in over.tolist()}
            beginning = over
        if beginning.size:
            self._begin(beginning, [None] * len(beginning))
        infos = self._collect_infos(acting.tolist(), ends, finals, beginning.tolist())
        return self._observe(), rewards, terminations, truncations, infos

    def _collect_infos(
        self, acting: list[int], ends: dict[int, TurnEnd], finals: dict[int, Any], beginning: list[int]
    ) -> dict[str, Any]:
        """Infos row by row, in the order in which `SyncVectorEnv` adds them."""
        infos: dict[str, Any] = {}
        begins = set(beginning)
        for row in sorted({*acting, *begins} if self._gives_mask else {*ends, *begins}):
            if row in begins and row not in finals:
                infos = self._add_info(infos, self._info(self._episodes.begin_info(row)), row)
                continue
            info = self._info(ends[row].info if row in ends else {})
            if row in finals:
                infos = self._add_info(infos, {"final_obs": finals[row], "final_info": info}, row)
                info = self._info(self._episodes.begin_info(row))
            infos = self._add_info(infos, info, row)
        return infos

    def _quiet_infos(self) -> dict[str, Any]:
        if not self._gives_mask:
            return {}
        return {
            "action_mask": self.action_masks().astype(np.int8),
            "_action_mask": np.ones(self.num_envs, dtype=bool),
        }

    def _info(self, info: dict[str, Any]) -> dict[str, Any]:
        if self._gives_mask:
            info["action_mask"] = (~self.tokenizer.control_mask).astype(np.int8)
        return info

    def _observe(self) -> Any:
        if self.action == "token":
            return self._episodes.tokens.copy()
        return tuple(self._episodes.text(row) for row in range(self.num_envs))

    def _observe_row(self, row: int) -> Any:
        return self._episodes.tokens[row].copy() if self.action == "token" else self._episodes.text(row)

    def _print_news(self, rows: list[int]) -> None:
        """Prints the messages of `rows` that are new since the last call."""
        for row in rows:
            messages = self._episodes.messages[row]
            for message in messages[self._num_printed[row] :]:
                print(f"[{row}] {message.role}: {message.content}\n")
            self._num_printed[row] = len(messages)

    # -- inside: a beginning ------------------------------------------------------------------

    def _begin(self, rows: np.ndarray, indices: list[int | None]) -> None:
        self._episodes.begin(rows.tolist(), indices)
        self._elapsed[rows] = 0
        for row in rows.tolist():
            self._num_printed[row] = 0
        if self.render_mode == "human":
            self._print_news(rows.tolist())

    def _seed_row(self, row: int, seed: int | None) -> None:
        if seed is not None or self._episodes.generators[row] is None:
            self._episodes.generators[row], self._seeds[row] = seeding.np_random(seed)
