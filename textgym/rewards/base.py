"""What a reward model may give back, brought into one form.

A reward model is any object with `score(transcripts)`. Arrays, lists and tensors of n numbers are
accepted as well as `Scores`; the rest of textgym reads `Scores` only, and `as_scores` is the one
place where a wrong shape, a wrong type or a NaN is caught, before it reaches an agent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textgym.types import Scores, SpanRewards, Transcript


def as_scores(result: Any, n: int) -> Scores:
    """A reward model's verdict on n transcripts as `Scores`, checked.

    Args:
        result: `Scores`, or n numbers: an array, a list or a tensor of shape (n,).
        n: how many transcripts were scored.

    Raises:
        TypeError: no numbers at all.
        ValueError: not n of them, or one that is NaN or infinite.
    """
    if not isinstance(result, Scores):
        return Scores(_as_vector(result, n, "scores"))
    if not isinstance(result.components, Mapping):
        raise TypeError(f"components of scores must be a mapping, got {type(result.components).__name__}")
    if result.spans is not None and len(result.spans) != n:
        raise ValueError(f"spans of scores must be one a transcript, {n}, got {len(result.spans)}")
    return Scores(
        values=_as_vector(result.values, n, "scores"),
        components={name: _as_vector(v, n, f"component {name!r} of scores") for name, v in result.components.items()},
        spans=result.spans,
    )


def require_responses(transcripts: Sequence[Transcript]) -> None:
    """Raises where there is nothing to score: not a transcript, or one in which the policy has not spoken."""
    for i, transcript in enumerate(transcripts):
        if not isinstance(transcript, Transcript):
            raise TypeError(f"transcripts[{i}] must be a Transcript, got {type(transcript).__name__}")
        if not transcript.responses:
            raise ValueError(
                f"transcripts[{i}] has no response to score: no assistant's message from "
                f"messages[{transcript.num_prompt_messages}] on"
            )


def scale_spans(spans: SpanRewards, factor: float) -> SpanRewards:
    """The same division of a score that was multiplied by `factor`."""
    return spans._replace(value=(spans.value * factor).astype(np.float32))


def _as_vector(values: Any, n: int, name: str) -> np.ndarray:
    """(n,) float32, finite."""
    if hasattr(values, "detach"):  # a tensor, on whatever device
        values = values.detach().float().cpu().numpy()
    try:
        vector = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must have shape ({n},), got {error}") from error
    if vector.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be numbers, got {type(values).__name__} of {vector.dtype}")
    if vector.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one a transcript, got {vector.shape}")
    vector = vector.astype(np.float32)
    if not np.isfinite(vector).all():
        row = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise ValueError(f"{name} must be finite, got {vector[row]} for transcript {row}")
    return vector
