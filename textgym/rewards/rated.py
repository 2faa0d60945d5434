"""Files of ratings as what a reward model is trained and measured on: single responses and numbers.

Reads whatever `textgym feedback import` reads: ratings of one response (ours, HelpSteer's, WMT's direct assessments),
and the attributes of responses that were compared or ranked (UltraFeedback). An attribute goes by its name in small
letters; "rating" is the overall rating, and so is "helpfulness" where nothing else has that name. A *plain* rating
is the number that was given. *Standardised*, a rater's ratings are moved and stretched to the mean and spread of all:
it takes out that one is strict and another mild, and with them a difference that is real where they judged
different texts. Not here: ratings as pairs (judged.py).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from textgym.feedback.formats import read_file, write_file
from textgym.feedback.items import Item, Judged
from textgym.feedback.preferences import split_by_prompt
from textgym.rewards.judged import is_trl
from textgym.types import Message, Transcript

LEAST_RATINGS = 10  # of a rater, to know their mean and spread
OVERALL = ("rating", "helpfulness")  # two names of the overall rating


@dataclass(frozen=True, slots=True)
class Rated:
    """What one rater said of one response."""

    prompt: tuple[Message, ...]
    response: tuple[Message, ...]
    values: Mapping[str, float]  # attribute -> rating, those that were given
    item: Item
    judged: Judged

    @property
    def rater(self) -> str | None:
        return self.judged.rater

    @property
    def transcript(self) -> Transcript:
        return Transcript(self.prompt + self.response, num_prompt_messages=len(self.prompt))


class JudgedRatings(NamedTuple):
    """What files say of single responses."""

    ratings: list[Rated]  # one a judgement and response
    left_out: Counter[str]  # reason -> judgements
    others: int  # judgements of pairs and rankings, which have no overall rating


class RatedResponses(NamedTuple):
    """n responses and all that was said of them; K attributes."""

    transcripts: list[Transcript]
    means: np.ndarray  # (n, K) float64 mean over raters, nan where nobody said anything
    counts: np.ndarray  # (n, K) float64 how many ratings that is the mean of
    said: list[list[tuple[int, float, str | None]]]  # a response: (attribute, rating, rater) of each judgement

    def weighted(self, weights: Sequence[float]) -> np.ndarray:
        """(n,) the mean ratings' weighted sum, nan where an attribute that counts is missing."""
        w = np.asarray(weights, dtype=np.float64)
        return self.means[:, w != 0] @ w[w != 0]


def read_ratings(paths: Iterable[str | Path]) -> JudgedRatings:
    """The ratings of files, JSON lines or CSV; none, where they hold none.

    Raises:
        ValueError: a row that does not fit: file, line and reason.
    """
    found = JudgedRatings([], Counter(), 0)
    others = 0
    for path in paths:
        if is_trl(path):
            others += 1
            continue
        items, judged = read_file(path)
        by_key = {item.key: item for item in items}
        for one in judged:
            item = by_key.get(one.key)
            reason = _why_not(item, one)
            if item is None or reason:
                found.left_out[reason] += 1
                continue
            others += item.kind != "rating"
            found.ratings.extend(_ratings_of(item, one))
    return found._replace(others=others)


def write_ratings(path: str | Path, ratings: Sequence[Rated]) -> None:
    """Writes ratings as items with their judgements, which `read_ratings` reads again."""
    items = {r.item.key: r.item for r in ratings}
    judged = {id(r.judged): r.judged for r in ratings}
    write_file(path, "textgym", list(items.values()), list(judged.values()))


def with_attributes(ratings: Sequence[Rated], names: Sequence[str]) -> list[Rated]:
    """The ratings that say anything of these attributes, and only that.

    Raises:
        ValueError: an attribute that no rating has.
    """
    known = sorted({name for r in ratings for name in r.values})
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(f"attributes must be of those that the data rates, {known}, got {missing}")
    kept = [replace(r, values={n: r.values[n] for n in names if n in r.values}) for r in ratings]
    return [r for r in kept if r.values]


def split_ratings(ratings: Sequence[Rated], validation: float, test: float, seed: int) -> list[list[Rated]]:
    """Validation, test and training ratings; a prompt is in one of them only."""
    try:
        return cast(list[list[Rated]], split_by_prompt(cast(Any, ratings), [validation, test], seed=seed))
    except ValueError as error:
        raise ValueError(str(error).replace("preferences have", "ratings have", 1)) from error


class Standardiser:
    """Each rater's ratings moved and stretched to the mean and spread of all, an attribute at a time."""

    def __init__(self, ratings: Sequence[Rated]) -> None:
        """From the training ratings; raters with fewer than `LEAST_RATINGS`, no spread or no name stay as they are."""
        values: dict[str, list[float]] = defaultdict(list)
        of_rater: dict[tuple[str, str], list[float]] = defaultdict(list)
        for r in ratings:
            for name, value in r.values.items():
                values[name].append(value)
                if r.rater is not None:
                    of_rater[r.rater, name].append(value)
        self._lines: dict[tuple[str, str], tuple[float, float]] = {}
        for (rater, name), given in of_rater.items():
            spread = float(np.std(given))
            if len(given) >= LEAST_RATINGS and spread > 0:
                slope = float(np.std(values[name])) / spread
                self._lines[rater, name] = slope, float(np.mean(values[name])) - slope * float(np.mean(given))

    def __call__(self, ratings: Sequence[Rated]) -> list[Rated]:
        return [replace(r, values={n: self._of(r.rater, n, v) for n, v in r.values.items()}) for r in ratings]

    def _of(self, rater: str | None, name: str, value: float) -> float:
        slope, shift = self._lines.get((rater or "", name), (1.0, 0.0))
        return slope * value + shift


def gather(ratings: Sequence[Rated], names: Sequence[str]) -> RatedResponses:
    """All that was said of each response."""
    numbers: dict[Any, int] = {}
    transcripts: list[Transcript] = []
    said: list[list[tuple[int, float, str | None]]] = []
    for r in ratings:
        if numbers.setdefault((r.prompt, r.response), len(transcripts)) == len(transcripts):
            transcripts.append(r.transcript)
            said.append([])
        place = said[numbers[r.prompt, r.response]]
        place.extend((k, r.values[name], r.rater) for k, name in enumerate(names) if name in r.values)
    sums, counts = np.zeros((2, len(transcripts), len(names)))
    for i, all_of_it in enumerate(said):
        for k, value, _ in all_of_it:
            sums[i, k] += value
            counts[i, k] += 1
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return RatedResponses(transcripts, means, counts, said)


def _why_not(item: Item | None, one: Judged) -> str:
    """Why a judgement counts for nothing; empty where it does."""
    if item is None:
        return "judgements of unknown items"
    if item.purpose != "work":
        return "gold and quiz items"
    if one.verdict.is_skip:
        return "skips"
    return "" if item.prompt else "judgements without a prompt"


def _ratings_of(item: Item, one: Judged) -> Iterable[Rated]:
    for i, response in enumerate(item.responses):
        given = {name.lower().replace(" ", "_"): scores[i] for name, scores in one.verdict.criteria.items()}
        values = {name: float(v) for name, v in given.items() if v is not None}
        if one.verdict.rating is not None:
            values["rating"] = one.verdict.rating
            values.setdefault(OVERALL[1], one.verdict.rating)
        if values:
            yield Rated(item.prompt, response, values, item, one)
