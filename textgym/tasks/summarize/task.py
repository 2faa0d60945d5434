"""The summarization task: examples by index, a gold judge, a program that answers."""

from __future__ import annotations

from functools import partial
from typing import get_args

import numpy as np

from textgym.seeding import Draws
from textgym.tasks.summarize.event import Event
from textgym.tasks.summarize.habits import write_with_habits
from textgym.tasks.summarize.judge import COPY_SHARE, COPY_WORDS, judge_text, measure_copied
from textgym.tasks.summarize.kinds import KIND_LIST
from textgym.tasks.summarize.names import FIRST_NAMES, SURNAMES, WOMEN, towns_for
from textgym.tasks.summarize.summary import write_summary
from textgym.tasks.summarize.wishes import draw_wishes
from textgym.tasks.summarize.write import draw_day, write_prompt
from textgym.types import SPLITS, Example, Judgement, LazyReferences, Message, Split, Transcript

_SIZES: dict[Split, int] = {"train": 1_000_000, "validation": 10_000, "test": 10_000}
_WOMEN = frozenset(WOMEN)


class SummarizeTask:
    """Short news and community posts to be summed up.

    A prompt is one user message of 60 to 110 words: an event of one of 19 kinds, told fact by fact
    between digressions with names and numbers of their own, and in half of the examples a reader's
    wish (how long, what about, for whom). With `simple=True` it has 20 to 70 words, no digression
    and mostly a wish. References are summaries of mostly 12 to 32 words (from 8 where
    the reader asks for one fact only), the first as good as the others.

    Splits are disjoint by construction: the surname of the main person and the town of the event,
    which every prompt reveals, decide together which split a prompt belongs to (`names.split_of`),
    whatever the `data_seed`. Example i depends on (data_seed, split, i) alone.

    The gold components of `judge` are coverage, faithfulness, wish, fluency and brevity, each in
    [0, 1]; the score is their product, with the wish softened (see `judge.combine`).
    """

    name = "summarize"

    def __init__(self, split: Split = "train", data_seed: int = 0, simple: bool = False) -> None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {get_args(Split)}, got {split!r}")
        if isinstance(data_seed, bool) or not isinstance(data_seed, int | np.integer) or data_seed < 0:
            raise ValueError(f"data_seed must be a non-negative integer, got {data_seed!r}")
        self.split = split
        self.data_seed = int(data_seed)
        self.simple = bool(simple)
        self._split_number = SPLITS.index(split)
        self._towns = towns_for(split)

    def __len__(self) -> int:
        return _SIZES[self.split]

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < _SIZES[self.split]:
            raise IndexError(f"index must be in [0, {_SIZES[self.split]}), got {index}")
        draws = Draws(self.data_seed, self._split_number, int(index))
        event = self._draw_event(draws)
        text, names, numbers = write_prompt(event, draws, self.simple)
        event = _with_others(event, names, numbers)
        references = LazyReferences(partial(_write_references, event, text, draws))  # nobody else draws after this
        return Example((Message("user", text),), references, event)

    def _draw_event(self, draws: Draws) -> Event:
        kind = draws.pick(KIND_LIST)
        surname = draws.below(len(SURNAMES))
        first = draws.pick(FIRST_NAMES)
        low, high, step = kind.amounts
        return Event(
            kind=kind.name,
            first=first,
            last=SURNAMES[surname],
            female=first in _WOMEN,
            thing=draws.pick(kind.thing_list),
            town=draws.pick(self._towns[surname]),
            day=draw_day(draws),
            amount=_draw_amount(low, high, step, draws),
            reason=draws.pick(kind.reason_list),
            result=draws.pick(kind.result_list),
            wishes=draw_wishes(draws, 0.8 if self.simple else 0.5),
        )

    def judge(self, transcript: Transcript) -> Judgement:
        """How good the last response is, against the event that the prompt tells."""
        prompt = transcript.prompt[-1].content if transcript.prompt else ""
        return judge_text(transcript.response, transcript.meta, prompt)

    def answer(self, transcript: Transcript, rng: np.random.Generator, habits: bool = False) -> str:
        """A summary; with `habits`, one whose faults depend on what it is about."""
        draws = Draws.of(rng)
        if habits:
            return write_with_habits(transcript.meta, draws)
        prompt = transcript.prompt[-1].content if transcript.prompt else ""
        return _write_in_own_words(transcript.meta, prompt, draws)


def _draw_amount(low: int, high: int, step: int, draws: Draws) -> int:
    """Small amounts are as frequent as large ones, and large ones are rounder."""
    if high < 20 * low:
        return low + step * draws.below((high - low) // step + 1)
    amount = low * (high / low) ** draws.random()
    grain = step if amount < 20 * step else 10 * step if amount > 400 * step else 2 * step
    return max(low, int(amount // grain) * grain)


def _with_others(event: Event, names: tuple[str, ...], numbers: tuple[int, ...]) -> Event:
    return Event(
        event.kind,
        event.first,
        event.last,
        event.female,
        event.thing,
        event.town,
        event.day,
        event.amount,
        event.reason,
        event.result,
        event.wishes,
        names,
        numbers,
    )


def _write_in_own_words(event: Event, prompt: str, draws: Draws) -> str:
    """A summary that does not copy: two in a thousand would by chance."""
    for _ in range(6):
        text = write_summary(event, draws)
        if text.count(" ") < COPY_WORDS or measure_copied(text, prompt) <= COPY_SHARE:
            break
    return text


def _write_references(event: Event, prompt: str, draws: Draws) -> tuple[str, ...]:
    texts: list[str] = []
    for _ in range(draws.integer(2, 4)):
        text = _write_in_own_words(event, prompt, draws)
        if text not in texts:
            texts.append(text)
    return tuple(texts)
