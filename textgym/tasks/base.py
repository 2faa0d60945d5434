"""What a task is: where episodes come from.

A one-turn task gives examples; a conversation also replies. Tasks whose meaning is known to the
program add a gold judge and a program that answers.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from textgym.types import Example, Judgement, Transcript


@runtime_checkable
class Task(Protocol):
    """Examples by index. Immutable after construction; `task[i]` is the same example every time."""

    @property
    def name(self) -> str: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example: ...


@runtime_checkable
class Conversation(Task, Protocol):
    """A task with a simulated user."""

    def reply(self, transcript: Transcript, rng: np.random.Generator) -> str | None:
        """The user's next message, given everything said so far (the last message is the policy's).

        A `Goodbye` is said and ends the conversation; None ends it without a word.
        """
        ...


@runtime_checkable
class Judged(Task, Protocol):
    """A task whose meaning is known, so that a program can say how good any text is."""

    def judge(self, transcript: Transcript) -> Judgement: ...

    def answer(self, transcript: Transcript, rng: np.random.Generator, habits: bool = False) -> str:
        """What a competent writer would say next; with `habits`, one with systematic faults."""
        ...
