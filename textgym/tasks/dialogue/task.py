"""`DialogueTask`: bookings with a simulated user who has a goal and a temper."""

from __future__ import annotations

from functools import partial

import numpy as np

from textgym.seeding import Draws
from textgym.tasks.dialogue import clerk, opening, sheet, user
from textgym.tasks.dialogue.habits import phrase_badly
from textgym.tasks.dialogue.judge import judge_talk
from textgym.tasks.dialogue.meaning import Meaning, draw_meaning
from textgym.tasks.dialogue.read import Understanding, read
from textgym.tasks.dialogue.talk import begin, replay
from textgym.types import SPLITS, Example, Judgement, LazyReferences, Message, Split, Transcript

SIZES = {"train": 1_000_000, "validation": 10_000, "test": 10_000}


class DialogueTask:
    """A user books a table, a room, a train, a haircut or a doctor's hour; the policy is the assistant.

    The prompt has two messages: `system`, the assistant's fact sheet in prose (what is free, prices,
    rules of the house), and the user's first message. `reply` gives the user's next message: a
    `Goodbye` when served, when the wish cannot be met, or when its patience is used up. `judge` scores
    the whole conversation; `answer` is the program that says what a good assistant says next.

    Example i depends on (data_seed, split, i) alone. The splits are disjoint by construction, whatever
    the data seed: the two words of the house's name (for a station: its town and the first destination) are
    in every prompt, and a hash of the pair decides the split.

    Args:
        split: "train" (1,000,000 examples), "validation" or "test" (10,000 each).
        data_seed: a non-negative integer; another one gives other examples of the same world.
        simple: at most one slot missing, nothing to decline, no question, no change of mind.
    """

    name = "dialogue"

    def __init__(self, split: Split = "train", data_seed: int = 0, simple: bool = False) -> None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        if not isinstance(data_seed, int | np.integer) or data_seed < 0:
            raise ValueError(f"data_seed must be a non-negative integer, got {data_seed!r}")
        self.split: Split = split
        self.data_seed = int(data_seed)
        self.simple = simple
        self._split_index = SPLITS.index(split)

    def __len__(self) -> int:
        return SIZES[self.split]

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(f"index must be in [0, {len(self)}) for split {self.split!r}, got {index}")
        draws = Draws(self.data_seed, self._split_index, int(index))
        m = draw_meaning(draws, self._split_index, self.simple)
        prompt = (Message("system", sheet.write_sheet(m, draws)), Message("user", opening.write_opening(m, draws)))
        return Example(prompt, LazyReferences(partial(_write_references, m, draws)), m)

    def reply(self, transcript: Transcript, rng: np.random.Generator) -> str | None:
        """The user's answer to the assistant's last message; `Goodbye` where it ends the conversation."""
        talk = replay(transcript)
        return user.write_reply(talk, Draws.of(rng))

    def understand(self, transcript: Transcript) -> Understanding:
        """What the user makes of the assistant's last message, given what was said before."""
        if not transcript.responses:
            raise ValueError("transcript must have a response of the assistant to understand, got none")
        return read(transcript.response, replay(transcript, last=False).context)

    def judge(self, transcript: Transcript) -> Judgement:
        """The gold score of the conversation so far, see `judge.py` for its components."""
        return judge_talk(transcript)

    def answer(self, transcript: Transcript, rng: np.random.Generator, habits: bool = False) -> str:
        """What a good assistant says next; with `habits`, one with systematic faults (`habits.py`)."""
        talk = replay(transcript)
        draws = Draws.of(rng)
        plan = clerk.plan(talk)
        return phrase_badly(plan, talk, draws) if habits else clerk.phrase(plan, talk, draws)


def _write_references(m: Meaning, draws: Draws) -> tuple[str, ...]:
    """Two good first turns; one where both have the same words."""
    talk = begin(m)
    plan = clerk.plan(talk)
    return tuple(dict.fromkeys(clerk.phrase(plan, talk, draws) for _ in range(2)))


__all__ = ["DialogueTask", "Meaning"]
