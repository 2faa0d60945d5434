"""The rules of an episode, written once: a batch of n conversations as numpy arrays.

A single env is a batch of one, a vector env a batch of n. The hot path is `act`: one token a row,
a handful of numpy calls, nothing decoded. When turns end, `finish_turns` decodes them, asks the
simulated users, decides which conversations are over, and scores all of those in one
reward-model call. Left out: Gymnasium, autoreset, time limits, observation spaces.

How a row's tokens lie in its array of C positions:

    prompt … opening | policy's turn … end-of-turn | user's turn … opening | policy's turn … | -1 -1 …
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from textgym import checks
from textgym.envs.prompts import fit_prompt
from textgym.models.tokenizer import ChatTokenizer
from textgym.rewards.base import as_scores
from textgym.tasks.base import Task
from textgym.types import Ending, Example, Goodbye, Message, RewardModel, SpanRewards, Transcript

MAX_SIZE = 2**24  # tokens, turns or rows: more is a slip of the keyboard, not a plan


class TurnEnd(NamedTuple):
    """What the end of a policy's turn brings."""

    reward: float  # the score when the conversation is over, else 0.0
    is_over: bool
    info: dict[str, Any]


class Turn(NamedTuple):
    """Where a finished turn of the policy lies."""

    message: int  # index in the row's messages
    start: int  # first and one-past-last position in the row's tokens
    stop: int


class EpisodeBatch:
    """n conversations that one policy has with one task.

    Args:
        task: where prompts come from; with a `reply` method it is a conversation of many turns,
            with a `judge` method its gold score is reported.
        reward: scores what has ended.
        tokenizer: of the policy.
        num_rows: n.
        context_length: C, the tokens that a conversation can hold.
        max_new_tokens: M, the tokens of one policy turn, its end-of-turn included.
        max_turns: the policy's turns in one conversation; one-turn tasks have one whatever it says.

    Raises:
        ValueError: sizes that cannot work, an empty task, or a chat template that cannot grow.
    """

    def __init__(
        self,
        task: Task,
        reward: RewardModel,
        tokenizer: ChatTokenizer,
        num_rows: int,
        context_length: int,
        max_new_tokens: int,
        max_turns: int = 1,
    ) -> None:
        sizes = {"context_length": context_length, "max_new_tokens": max_new_tokens, "max_turns": max_turns}
        for name, size in {**sizes, "num_envs": num_rows}.items():
            checks.whole(name, size, least=1, most=MAX_SIZE)
        if context_length <= max_new_tokens:
            raise ValueError(
                "context_length must be greater than max_new_tokens, so that a prompt fits, "
                f"got context_length={context_length} and max_new_tokens={max_new_tokens}"
            )
        if len(task) == 0:
            raise ValueError(f"task {task.name!r} is empty, an episode needs at least one example")
        self.task: Any = task
        self.reward = reward
        self.tokenizer = tokenizer
        self.context_length, self.max_new_tokens = int(context_length), int(max_new_tokens)
        self.is_conversation = callable(getattr(task, "reply", None))
        self.is_judged = callable(getattr(task, "judge", None))
        self.max_turns = int(max_turns) if self.is_conversation else 1
        if self.is_conversation:
            tokenizer.require_growing_turns([m.role for m in task[0].prompt])

        n = num_rows
        self.tokens = np.full((n, self.context_length), -1, dtype=np.int64)  # (n, C), -1 on the right
        self.lengths = np.zeros(n, dtype=np.int64)  # tokens a row holds
        self.turn_starts = np.zeros(n, dtype=np.int64)  # position where the policy's turn began
        self.turn_limits = np.full(n, -1, dtype=np.int64)  # position where it is cut: start + M
        self.response_mask = np.zeros((n, self.context_length), dtype=bool)  # finished turns of the policy
        self.is_active = np.zeros(n, dtype=bool)  # begun and not over
        self.indices = np.zeros(n, dtype=np.int64)  # which example each row plays
        self.prompt_tokens_cut = np.zeros(n, dtype=np.int64)
        self.generators: list[np.random.Generator | None] = [None] * n
        self.examples: list[Example | None] = [None] * n
        self.messages: list[list[Message]] = [[] for _ in range(n)]
        self.num_prompt_messages = [0] * n
        self.turns: list[list[Turn]] = [[] for _ in range(n)]
        self._rows = np.arange(n)
        self._eot = tokenizer.end_of_turn

    # -- pacing -------------------------------------------------------------------------------

    def begin(self, rows: Sequence[int], indices: Sequence[int | None]) -> None:
        """Starts a fresh conversation in each row; an index of None is drawn from the row's generator."""
        drawn = [
            int(self._generator(row).integers(len(self.task))) if index is None else int(index)
            for row, index in zip(rows, indices, strict=True)
        ]
        examples = [self.task[index] for index in drawn]
        limit = self.context_length - self.max_new_tokens
        prompts = [fit_prompt(self.tokenizer, e.prompt, limit) for e in examples]
        for row, index, example, prompt in zip(rows, drawn, examples, prompts, strict=True):
            self.indices[row], self.examples[row] = index, example
            self.prompt_tokens_cut[row] = prompt.num_cut
            self.messages[row] = list(prompt.messages)
            self.num_prompt_messages[row] = len(prompt.messages)
            self.turns[row] = []
            self.tokens[row] = -1
            self.response_mask[row] = False
            self.lengths[row] = 0
            self.is_active[row] = True
            self._append(row, prompt.ids)
            self._open_turn(row)

    def act(self, actions: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Appends one token to each row. Returns the rows whose turn ended, (k,) int64.

        Args:
            actions: (n,) int64 valid token ids, or (k,) with `rows`.
            rows: (k,) int64; None for all.
        """
        if rows is None:
            self.tokens[self._rows, self.lengths] = actions
            self.lengths += 1
            return ((actions == self._eot) | (self.lengths == self.turn_limits)).nonzero()[0]
        self.tokens[rows, self.lengths[rows]] = actions
        self.lengths[rows] += 1
        return rows[(actions == self._eot) | (self.lengths[rows] == self.turn_limits[rows])]

    def say(self, row: int, ids: Sequence[int]) -> None:
        """Appends the policy's token ids to its turn; the caller knows that they fit it."""
        self._append(row, ids)

    def cut_turn(self, ids: list[int]) -> list[int]:
        """A text's token ids as a whole turn: with end-of-turn, or cut at M tokens without one."""
        return ids[: self.max_new_tokens] if len(ids) >= self.max_new_tokens else [*ids, self._eot]

    def stop(self, rows: Sequence[int] | np.ndarray) -> None:
        """Ends conversations from outside: nothing is scored."""
        self.is_active[rows] = False

    def finish_turns(self, rows: Sequence[int] | np.ndarray) -> dict[int, TurnEnd]:
        """Closes the turns of `rows`; of each row what that brings.

        One reward-model call for all the conversations that are over, none where none is. Where the
        reward model, the judge or a simulated user raises, all of `rows` are over, with nothing scored.
        """
        was_active = self.is_active.copy()
        self.is_active[rows] = False
        endings = {int(row): self._close_turn(int(row)) for row in rows}
        transcripts = {row: self.transcript(row, ending) for row, ending in endings.items() if ending is not None}
        verdicts = self._score(transcripts) if transcripts else {}
        self.is_active[:] = was_active
        self.is_active[list(transcripts)] = False
        ends = {}
        for row, ending in endings.items():
            info = {"messages": self.message_dicts(row), "response_mask": self.response_mask[row].copy()}
            if ending is None:
                ends[row] = TurnEnd(0.0, False, info)
            else:
                verdict = verdicts[row]
                ends[row] = TurnEnd(verdict["score"], True, {**info, "ending": ending, **verdict})
        return ends

    # -- looking ------------------------------------------------------------------------------

    def transcript(self, row: int, ending: Ending | None = None) -> Transcript:
        example = self.examples[row]
        assert example is not None
        return Transcript(
            messages=tuple(self.messages[row]),
            references=example.references,
            meta=example.meta,
            ending=ending,
            num_prompt_messages=self.num_prompt_messages[row],
        )

    def message_dicts(self, row: int) -> list[dict[str, str]]:
        return [{"role": m.role, "content": m.content} for m in self.messages[row]]

    def begin_info(self, row: int) -> dict[str, Any]:
        """What is known of a row that has just begun."""
        return {
            "index": int(self.indices[row]),
            "prompt_tokens_cut": int(self.prompt_tokens_cut[row]),
            "messages": self.message_dicts(row),
            "response_mask": self.response_mask[row].copy(),
        }

    def text(self, row: int, first_message: int = 0) -> str:
        """The conversation as a reader sees it; an unfinished turn of the policy is shown so far."""
        messages = self.messages[row][first_message:]
        start, stop = self.turn_starts[row], self.lengths[row]
        if self.is_active[row] and stop > start:
            messages = [*messages, Message("assistant", self.tokenizer.decode(self.tokens[row, start:stop]))]
        return "\n\n".join(f"{m.role}: {m.content}" for m in messages)

    # -- inside -------------------------------------------------------------------------------

    def _append(self, row: int, ids: Sequence[int]) -> None:
        start = int(self.lengths[row])
        self.tokens[row, start : start + len(ids)] = ids
        self.lengths[row] = start + len(ids)

    def _open_turn(self, row: int) -> None:
        self.turn_starts[row] = self.lengths[row]
        self.turn_limits[row] = self.lengths[row] + self.max_new_tokens

    def _generator(self, row: int) -> np.random.Generator:
        generator = self.generators[row]
        assert generator is not None
        return generator

    def _close_turn(self, row: int) -> Ending | None:
        """Adds the policy's message and the user's reply. The conversation's ending, None if it goes on."""
        start, stop = int(self.turn_starts[row]), int(self.lengths[row])
        ids = self.tokens[row, start:stop]
        self.response_mask[row, start:stop] = True
        self.turns[row].append(Turn(len(self.messages[row]), start, stop))
        self.messages[row].append(Message("assistant", self.tokenizer.decode(ids)))
        ends_itself = bool(ids[-1] == self._eot)
        if self.is_conversation:
            return self._reply(row, ends_itself)
        return "eot" if ends_itself else "length"

    def _reply(self, row: int, ends_itself: bool) -> Ending | None:
        """The user's answer to the policy's last turn.

        The user is asked even after the last turn, so that one who is served says so. A reply that
        cannot be answered any more is dropped: a conversation closes with what the policy said
        or with the user's goodbye.
        """
        reply = self.task.reply(self.transcript(row), self._generator(row))
        if reply is None:
            return "task"
        if not isinstance(reply, str):
            raise TypeError(f"task {self.task.name!r} must reply with a str or None, got {type(reply).__name__}")
        is_goodbye = isinstance(reply, Goodbye)
        if not is_goodbye and len(self.turns[row]) >= self.max_turns:
            return "turns"
        messages = [*self.messages[row], Message("user", str(reply))]
        ids = self.tokenizer.continuation_ids(messages, len(messages) - 1)
        if not ends_itself:
            ids = [self._eot, *ids]
        room = self.context_length - int(self.lengths[row]) - len(ids)
        if is_goodbye:
            self.messages[row] = messages
            if room >= 0:
                self._append(row, ids)
            return "task"
        if room < self.max_new_tokens:
            return "length"
        self.messages[row] = messages
        self._append(row, ids)
        self._open_turn(row)
        return None

    def _score(self, transcripts: Mapping[int, Transcript]) -> dict[int, dict[str, Any]]:
        scores = as_scores(self.reward.score(list(transcripts.values())), len(transcripts))
        verdicts: dict[int, dict[str, Any]] = {}
        for k, (row, transcript) in enumerate(transcripts.items()):
            verdict: dict[str, Any] = {"score": float(scores.values[k])}
            if scores.components:
                verdict["score_components"] = {name: float(v[k]) for name, v in scores.components.items()}
            if self.is_judged:
                judgement = self.task.judge(transcript)
                verdict["gold"] = float(judgement.score)
                verdict["gold_components"] = {name: float(v) for name, v in judgement.components.items()}
            if scores.spans is not None:
                verdict["token_rewards"] = self._token_rewards(row, scores.spans[k])
            verdicts[row] = verdict
        return verdicts

    def _token_rewards(self, row: int, spans: SpanRewards) -> np.ndarray:
        """(C,) float32: each span's value at the policy's token that completes its text.

        The empty span at the end of a message, its end-of-turn, falls on the turn's last token.
        """
        rewards = np.zeros(self.context_length, dtype=np.float64)
        for turn in self.turns[row]:
            of_turn = spans.message == turn.message
            ids = self.tokens[row, turn.start : turn.stop]
            ends = self.tokenizer.char_ends(ids.tolist())  # (T,) characters complete after each token
            places = np.searchsorted(ends, spans.end[of_turn], side="left")
            is_end_of_turn = (spans.start[of_turn] == spans.end[of_turn]) & (spans.end[of_turn] >= ends[-1])
            places = np.where(is_end_of_turn, len(ids) - 1, np.minimum(places, len(ids) - 1))
            np.add.at(rewards, turn.start + places, spans.value[of_turn])
        return rewards.astype(np.float32)
