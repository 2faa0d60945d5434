"""The records that every floor of textgym shares: messages, examples, transcripts, scores.

Nothing here imports torch or transformers, and nothing here knows about environments. A
`Transcript` is what a reward model, a gold judge and a simulated user get to see; a
`Scores` is what a reward model gives back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

Role = Literal["system", "user", "assistant"]
Ending = Literal["eot", "length", "turns", "task"]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Message(NamedTuple):
    """One turn of a conversation."""

    role: str  # "system", "user" or "assistant"
    content: str


class LazyReferences(Sequence[str]):
    """References that are written when somebody looks; equal to the tuple of them.

    Most rewards never look, and in a task that makes its examples the references cost as much as the prompt.
    """

    __slots__ = ("_texts", "_write")

    def __init__(self, write: Callable[[], Sequence[str]]) -> None:
        """`write` is called once, or never."""
        self._write: Callable[[], Sequence[str]] | None = write
        self._texts: tuple[str, ...] = ()

    def _look(self) -> tuple[str, ...]:
        if self._write is not None:
            self._texts, self._write = tuple(self._write()), None
        return self._texts

    def __len__(self) -> int:
        return len(self._look())

    def __getitem__(self, index: Any) -> Any:
        return self._look()[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self._look())

    def __eq__(self, other: object) -> bool:
        return self._look() == (other._look() if isinstance(other, LazyReferences) else other)

    def __hash__(self) -> int:
        return hash(self._look())

    def __repr__(self) -> str:
        return repr(self._look())

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (self._look(),)


@dataclass(frozen=True, slots=True)
class Example:
    """Where an episode starts."""

    prompt: tuple[Message, ...]  # never empty; the last message is not the assistant's
    references: Sequence[str] = ()  # right answers, the best first; empty where there are none
    meta: Any = None  # what the task knows: the meaning of the text, the user's goal


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation as rewards, judges and simulated users see it.

    `messages[:num_prompt_messages]` is the prompt; the assistant's messages after it are the
    policy's responses. Left out, it is the index of the last assistant message, so that
    everything before the last response counts as the prompt.
    """

    messages: tuple[Message, ...]
    references: Sequence[str] = ()
    meta: Any = None
    ending: Ending | None = None  # None while the conversation goes on
    num_prompt_messages: int = -1

    def __post_init__(self) -> None:
        messages = self.messages
        if type(messages) is not tuple or not set(map(type, messages)) <= {Message}:
            messages = tuple(Message(*m) for m in messages)
            object.__setattr__(self, "messages", messages)
        if not isinstance(self.references, LazyReferences):
            object.__setattr__(self, "references", tuple(self.references))
        if self.num_prompt_messages < 0:
            last = [i for i, m in enumerate(messages) if m.role == "assistant"]
            object.__setattr__(self, "num_prompt_messages", last[-1] if last else len(messages))

    @property
    def prompt(self) -> tuple[Message, ...]:
        return self.messages[: self.num_prompt_messages]

    @property
    def responses(self) -> tuple[str, ...]:
        """What the policy said, turn by turn."""
        return tuple([m.content for m in self.messages[self.num_prompt_messages :] if m.role == "assistant"])

    @property
    def response(self) -> str:
        """What the policy said last; the empty string before it has spoken."""
        responses = self.responses
        return responses[-1] if responses else ""


class Goodbye(str):
    """A simulated user's reply after which the conversation is over (ending "task")."""

    __slots__ = ()


class SpanRewards(NamedTuple):
    """How one transcript's score divides over the characters of its responses.

    The k spans are in reading order. `message` indexes `Transcript.messages`; `start` and `end`
    are character offsets in that message's content. An empty span at the end of a message
    belongs to its end-of-turn. The values sum to the transcript's score.
    """

    message: np.ndarray  # (k,) int64
    start: np.ndarray  # (k,) int64
    end: np.ndarray  # (k,) int64
    value: np.ndarray  # (k,) float32


@dataclass(frozen=True)
class Scores:
    """A reward model's verdict on n transcripts."""

    values: np.ndarray  # (n,) float32
    components: Mapping[str, np.ndarray] = field(default_factory=dict)  # name -> (n,) float32
    spans: Sequence[SpanRewards] | None = None  # one a transcript, from models with a dense reward


@dataclass(frozen=True, slots=True)
class Judgement:
    """A gold judge's verdict on one transcript: what the task's own program thinks of it."""

    score: float  # in [0, 1]
    components: Mapping[str, float] = field(default_factory=dict)  # same names for every transcript of a task


@runtime_checkable
class RewardModel(Protocol):
    """Anything that scores transcripts, many at a time."""

    def score(self, transcripts: Sequence[Transcript]) -> np.ndarray | Scores:
        """(n,) float32 scores, or `Scores` with components and spans."""
        ...
