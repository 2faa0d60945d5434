"""Plays whole conversations: an answerer against the simulated user."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from textgym.tasks.base import Conversation
from textgym.types import Ending, Example, Goodbye, Message, Transcript

Answerer = Callable[[Transcript, np.random.Generator], str]


def play(
    task: Conversation, example: Example, answerer: Answerer, rng: np.random.Generator, max_turns: int = 6
) -> Transcript:
    """The conversation until the user ends it ("task") or the turns are used up ("turns").

    `answerer(transcript, rng)` says the assistant's next message; `task.answer` is one.
    """
    messages = list(example.prompt)
    start = len(messages)
    ending: Ending = "turns"
    for turn in range(max_turns):
        said = Transcript(tuple(messages), example.references, example.meta, None, start)
        messages.append(Message("assistant", answerer(said, rng)))
        said = Transcript(tuple(messages), example.references, example.meta, None, start)
        reply = task.reply(said, rng) if turn < max_turns - 1 else None
        if turn == max_turns - 1:
            last = task.reply(said, rng)
            if last is None or isinstance(last, Goodbye):
                reply = last
            else:
                break
        if reply is None:
            ending = "task"
            break
        messages.append(Message("user", reply))
        if isinstance(reply, Goodbye):
            ending = "task"
            break
    return Transcript(tuple(messages), example.references, example.meta, ending, start)
