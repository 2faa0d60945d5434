"""Reward models made of reward models: ensembles that doubt, and weighted sums.

Where at least one part has a dense reward, so has the whole: what a part says in one number falls on
the end of the last response, where a reward for the whole belongs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from textgym import checks
from textgym.rewards.base import as_scores, scale_spans
from textgym.rewards.predict import Predicts
from textgym.types import RewardModel, Scores, SpanRewards, Transcript

Combination = Literal["mean", "min", "mean-std"]
COMBINATIONS: tuple[Combination, ...] = ("mean", "min", "mean-std")


class Ensemble(Predicts):
    """Several reward models of the same thing, combined with caution.

    Args:
        models: two or more.
        combine: "mean"; "min", the most pessimistic member; "mean-std", mean - k · std, which
            pays less where the members disagree.
        k: how much a standard deviation (over the members, not a sample's estimate) costs.

    The components are the members' scores and their `std`.
    """

    def __init__(self, models: Sequence[RewardModel], combine: Combination = "mean", k: float = 1.0) -> None:
        if len(models) < 2:
            raise ValueError(f"models of an ensemble must be at least 2, got {len(models)}")
        self.models = list(models)
        self.combine, self.k = _rule(combine, k)

    def score(self, transcripts: Sequence[Transcript]) -> Scores:
        """Combined scores of n transcripts."""
        n = len(transcripts)
        members = [as_scores(model.score(transcripts), n) for model in self.models]
        values = np.stack([m.values for m in members]).astype(np.float64)  # (M, n)
        combined, std = combined_members(values, self.combine, self.k)
        components = {f"member_{i}": m.values for i, m in enumerate(members)} | {"std": std.astype(np.float32)}
        shares = np.full(values.shape, 1.0 / len(members))  # (M, n), how much of each member counts
        extra = np.zeros(n)
        if self.combine == "min":
            shares = (np.arange(len(members))[:, None] == values.argmin(axis=0)).astype(np.float64)
        elif self.combine == "mean-std":
            extra = -self.k * std
        spans = join_spans(transcripts, members, shares, extra)
        return Scores(combined.astype(np.float32), components, spans)


class SharedEnsemble(Predicts):
    """An ensemble whose members are the outputs of one network: one forward pass, combined as in `Ensemble`.

    Args:
        model: a reward model whose components are its members and whose score is their mean, perhaps with something
            added (a correction for length), which is added to the combination too.
        combine: as for `Ensemble`; likewise k.

    The components are the members' scores and their `std`.
    """

    def __init__(self, model: RewardModel, combine: Combination = "mean", k: float = 1.0) -> None:
        self.models = [model]
        self.combine, self.k = _rule(combine, k)

    def score(self, transcripts: Sequence[Transcript]) -> Scores:
        """Combined scores of n transcripts."""
        found = as_scores(self.models[0].score(transcripts), len(transcripts))
        values = np.stack(list(found.components.values())).astype(np.float64)  # (M, n)
        added = found.values - values.mean(axis=0)
        combined, std = combined_members(values, self.combine, self.k)
        components = {**found.components, "std": std.astype(np.float32)}
        return Scores((combined + added).astype(np.float32), components)


def combined_members(values: np.ndarray, combine: Combination, k: float) -> tuple[np.ndarray, np.ndarray]:
    """(M, n) scores of M members -> (n,) their combination and (n,) their standard deviation."""
    mean, std = values.mean(axis=0), values.std(axis=0)
    return {"mean": mean, "min": values.min(axis=0), "mean-std": mean - k * std}[combine], std


def _rule(combine: Any, k: float) -> tuple[Combination, float]:
    if not isinstance(combine, str) or combine not in COMBINATIONS:
        raise ValueError(f"combine must be one of {list(COMBINATIONS)}, got {combine!r}")
    return combine, checks.number("k", k, least=0)


class WeightedSum(Predicts):
    """A weighted sum of different rewards.

    Args:
        parts: name -> (reward model, weight). The components are each part's score before its
            weight, under its name, and the part's own components under `name/component`.
    """

    def __init__(self, parts: Mapping[str, tuple[RewardModel, float]]) -> None:
        if not parts:
            raise ValueError("parts of a sum must be at least one, got none")
        for name, (_, weight) in parts.items():
            if not np.isfinite(weight):
                raise ValueError(f"weight of part {name!r} must be a finite number, got {weight}")
        self.parts = dict(parts)

    def score(self, transcripts: Sequence[Transcript]) -> Scores:
        """Summed scores of n transcripts."""
        n = len(transcripts)
        scores = {name: as_scores(model.score(transcripts), n) for name, (model, _) in self.parts.items()}
        weights = np.array([weight for _, weight in self.parts.values()], dtype=np.float64)
        components: dict[str, np.ndarray] = {}
        for name, part in scores.items():
            components[name] = part.values
            components |= {f"{name}/{key}": value for key, value in part.components.items()}
        values = sum(w * s.values.astype(np.float64) for w, s in zip(weights, scores.values(), strict=True))
        shares = np.repeat(weights[:, None], n, axis=1)
        spans = join_spans(transcripts, list(scores.values()), shares, np.zeros(n))
        return Scores(np.asarray(values, dtype=np.float32), components, spans)


def join_spans(
    transcripts: Sequence[Transcript], parts: Sequence[Scores], shares: np.ndarray, extra: np.ndarray
) -> list[SpanRewards] | None:
    """Spans of the sum over parts of `shares · part`, plus `extra` at the end; None where no part has any.

    Args:
        shares: (M, n), how much each of M parts counts in each transcript.
        extra: (n,), what is added to each transcript's score.
    """
    if all(part.spans is None for part in parts):
        return None
    joined = []
    for i, transcript in enumerate(transcripts):
        pieces, at_end = [], float(extra[i])
        for part, share in zip(parts, shares[:, i], strict=True):
            if part.spans is not None:
                pieces.append(scale_spans(part.spans[i], share))
            else:
                at_end += share * float(part.values[i])
        pieces.append(_at_end(transcript, at_end))
        joined.append(_in_reading_order(pieces))
    return joined


def _at_end(transcript: Transcript, value: float) -> SpanRewards:
    """A value on the end-of-turn of the last response."""
    message = max(i for i, m in enumerate(transcript.messages) if m.role == "assistant")
    end = np.array([len(transcript.messages[message].content)], dtype=np.int64)
    return SpanRewards(np.array([message], dtype=np.int64), end, end, np.array([value], dtype=np.float32))


def _in_reading_order(pieces: Sequence[SpanRewards]) -> SpanRewards:
    whole = SpanRewards(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))
    order = np.lexsort((whole.end, whole.start, whole.message))
    return SpanRewards(*(column[order] for column in whole))
