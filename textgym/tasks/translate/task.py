"""`TranslateTask`: English to German over a fragment of both languages, with a gold judge."""

from __future__ import annotations

from functools import partial

import numpy as np

from textgym.seeding import Draws
from textgym.tasks.translate.english import write_english
from textgym.tasks.translate.generate import draw_meaning
from textgym.tasks.translate.german import write_references
from textgym.tasks.translate.habits import write_answer
from textgym.tasks.translate.judge import judge_text
from textgym.tasks.translate.meaning import Meaning
from textgym.types import SPLITS, Example, Judgement, LazyReferences, Message, Transcript

SIZES = {"train": 1_000_000, "validation": 10_000, "test": 10_000}


class TranslateTask:
    """English sentences to translate into German.

    A prompt is one user message: an English sentence, sometimes two. `meta` is its `Meaning`; the references are right
    German sentences, the best first (up to four: word order, tense, address, synonyms). The judge accepts more than
    it lists.

    The splits are disjoint by construction: every prompt reveals the head of its first subject and its main verb (with
    "to be": the adjective), and the CRC-32 of that pair decides the split, whatever the data seed. `simple` draws from
    the same world short sentences of one clause, with fewer adjectives.
    """

    name = "translate"

    def __init__(self, split: str = "train", data_seed: int = 0, simple: bool = False) -> None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        if isinstance(data_seed, bool) or not isinstance(data_seed, int | np.integer) or data_seed < 0:
            raise ValueError(f"data_seed must be a non-negative integer, got {data_seed!r}")
        self.split = split
        self.data_seed = int(data_seed)
        self.simple = bool(simple)
        self._length = SIZES[split]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self._length:
            raise IndexError(f"index must be in [0, {self._length}), got {index}")
        meaning, draws = draw_meaning(self.data_seed, self.split, int(index), self.simple)
        english = write_english(meaning, draws)
        return Example((Message("user", english),), LazyReferences(partial(write_references, meaning, 4)), meaning)

    def judge(self, transcript: Transcript) -> Judgement:
        """The gold score of the response: six components, multiplied (see `judge`)."""
        meaning = transcript.meta
        if not isinstance(meaning, Meaning):
            raise TypeError(f"transcript.meta must be a translation Meaning, got {type(meaning).__name__}")
        score, components = judge_text("\n".join(transcript.responses), meaning)
        return Judgement(score, components)

    def answer(self, transcript: Transcript, rng: np.random.Generator, habits: bool = False) -> str:
        """A right translation in one of many wordings; with `habits`, one with the faults of `habits`."""
        return write_answer(transcript.meta, Draws.of(rng), habits)
