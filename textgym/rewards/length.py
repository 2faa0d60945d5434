"""Length control: a straight line in the length of the responses, subtracted from a trained model's scores.

    score' = score - per_character · (length - mean_length)

Raters who like long answers teach a reward model to like them, and a policy then learns to be long. The line is fitted
on held-out pairs after the training, so that within pairs differences of score' and of length no longer go together;
it stands in the checkpoint's config, and `LearnedReward` subtracts it. What is left is a score's residual, which never
disagrees with the score on the whole (their correlation is √(1 - r²)), so the ranking cannot turn round, as it did with
the penalty in the loss that was tried before. What it cannot know: whether the better answers *are* the longer ones. It
takes that away too, so it is for judgements that are known to be biased.

A model that likes short answers is corrected the other way, which pays for length; it pays for none beyond the
longest text that was seen, or a policy could be paid without end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from textgym.types import SpanRewards, Transcript

ATTRIBUTE = "textgym_length_correction"  # of the checkpoint's config


class LengthCorrection(NamedTuple):
    """What is subtracted from a score for the length of its responses, in characters."""

    per_character: float
    mean_length: float  # where nothing is subtracted
    longest: float  # up to where a negative `per_character` pays

    def of(self, lengths: np.ndarray) -> np.ndarray:
        """(n,) lengths -> (n,) what is subtracted."""
        return self.per_character * (self._counted(lengths) - self.mean_length)

    def subtracted(self, values: np.ndarray, transcripts: Sequence[Transcript]) -> np.ndarray:
        """(n,) float32 scores -> (n,) float32 corrected ones."""
        return (values - self.of(characters(transcripts))).astype(np.float32)

    def from_spans(self, spans: SpanRewards) -> SpanRewards:
        """A dense reward whose sum is the corrected score: each span pays for its characters.

        The mean length's share falls on the last span, an end-of-turn.
        """
        sizes = (spans.end - spans.start).astype(np.float64)
        length = sizes.sum()
        each = self.per_character * self._counted(length) / max(length, 1.0)
        value = spans.value - each * sizes
        value[-1] += self.per_character * self.mean_length
        return spans._replace(value=value.astype(np.float32))

    def _counted(self, lengths: Any) -> Any:
        return np.minimum(lengths, self.longest) if self.per_character < 0 else lengths


def characters(transcripts: Sequence[Transcript]) -> np.ndarray:
    """(n,) float64 lengths of the responses."""
    return np.array([sum(map(len, t.responses)) for t in transcripts], dtype=np.float64)


def fit_length_correction(
    chosen: np.ndarray, rejected: np.ndarray, lengths: tuple[np.ndarray, np.ndarray], weights: np.ndarray | None = None
) -> LengthCorrection:
    """The line after whose subtraction the differences of n pairs in score and in length are uncorrelated.

    Least squares through 0 on the differences, because which side of a pair comes first means nothing. Where no two
    lengths differ there is nothing to correct.
    """
    difference, longer = np.asarray(chosen, dtype=np.float64) - rejected, np.subtract(*lengths)
    w = np.ones_like(difference) if weights is None else np.asarray(weights, dtype=np.float64)
    spread = float((w * longer**2).sum())
    slope = float((w * longer * difference).sum()) / spread if spread > 0 else 0.0
    sizes = np.concatenate(lengths)
    return LengthCorrection(slope, float(np.average(sizes, weights=np.concatenate([w, w]))), float(sizes.max()))


def write_correction(config: Any, correction: LengthCorrection | None) -> None:
    """Puts a correction into a model's config; None takes an old one out."""
    if correction is not None:
        setattr(config, ATTRIBUTE, correction._asdict())
    elif hasattr(config, ATTRIBUTE):
        delattr(config, ATTRIBUTE)


def read_correction(config: Any, name: str) -> LengthCorrection | None:
    """What `write_correction` wrote.

    Raises:
        ValueError: something else under its name.
    """
    found = getattr(config, ATTRIBUTE, None)
    if found is None:
        return None
    is_whole = isinstance(found, dict) and set(found) == set(LengthCorrection._fields)
    if not is_whole or not all(isinstance(v, int | float) and np.isfinite(v) for v in found.values()):
        raise ValueError(
            f"{ATTRIBUTE} in the config of reward model {name!r} must have finite numbers for "
            f"{list(LengthCorrection._fields)}, got {found!r:.120}"
        )
    return LengthCorrection(**found)
