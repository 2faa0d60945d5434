"""Ordered categories: the proportional-odds model (McCullagh 1980), and what a model of ratings notes of itself.

A rating is taken as the interval in which a latent number lies, so that "4" need not be as far from "3" as "2" is
from "1". With cut points c_1 < … < c_{C-1} and a score s, P(rating ≤ level k) = sigmoid(c_k - s). The score is the
latent; the cut points stay in the config, where they turn scores back into expected ratings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

NOTE = "textgym_ratings"  # of the checkpoint's config


@dataclass(frozen=True)
class RatingNote:
    """What the outputs of a model that was trained on ratings mean."""

    objective: str  # "regression" or "ordinal"
    attributes: Mapping[str, float]  # name -> weight, in the order of the outputs
    means: tuple[float, ...]  # regression: output + mean is the expected rating, of each attribute
    levels: tuple[float, ...]  # ordinal: the ratings there are, in order
    cuts: tuple[tuple[float, ...], ...]  # ordinal: of each attribute

    def expected(self, outputs: np.ndarray) -> np.ndarray:
        """(n, K) outputs -> (n,) expected ratings, the attributes' weighted sum."""
        weights = np.array(list(self.attributes.values()))
        if self.objective == "regression":
            return (outputs + np.array(self.means)) @ weights
        levels = np.array(self.levels)
        columns = [level_probabilities(out, np.array(c)) @ levels for out, c in zip(outputs.T, self.cuts, strict=True)]
        return np.stack(columns, axis=1) @ weights


class CutPoints(nn.Module):
    """The cut points of K attributes, (K, C - 1), ordered whatever the parameters are."""

    def __init__(self, counts: np.ndarray) -> None:
        """From (K, C) how often each level was said: where a constant score 0 would have its cut points."""
        super().__init__()
        share = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
        below = np.cumsum(share, axis=1)[:, :-1]
        cuts = np.log(below) - np.log1p(-below)
        self.first = nn.Parameter(torch.tensor(cuts[:, :1], dtype=torch.float32))
        steps = np.log(np.diff(cuts, axis=1))
        self.log_steps = nn.Parameter(torch.tensor(steps, dtype=torch.float32))

    def forward(self) -> Tensor:
        """(K, C - 1) float32, increasing along each row."""
        return torch.cat([self.first, self.first + self.log_steps.exp().cumsum(dim=1)], dim=1)


def ordinal_losses(scores: Tensor, cuts: Tensor) -> Tensor:
    """-log P(level) of each level under the proportional-odds model, (B, K) scores, (K, C - 1) cuts -> (B, K, C).

    A middle level has log(sigmoid(u) - sigmoid(l)) = log sigmoid(u) + log sigmoid(-l) + log(1 - exp(l - u)), which
    stays finite far out on either side.
    """
    z = cuts - scores[..., None]  # (B, K, C - 1)
    lower, upper = z[..., :-1], z[..., 1:]
    middle = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1((lower - upper).clamp_max(-1e-6)))
    return -torch.cat([F.logsigmoid(z[..., :1]), middle, F.logsigmoid(-z[..., -1:])], dim=-1)


def level_probabilities(scores: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """(n,) scores and (C - 1,) cut points -> (n, C) probabilities of the levels."""
    below = 0.5 * (1 + np.tanh((cuts[None] - np.asarray(scores, dtype=np.float64)[:, None]) / 2))
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def parse_attributes(text: str | None) -> dict[str, float]:
    """ "helpfulness=0.65,correctness=0.8" -> weights by name; None is the overall rating alone.

    Raises:
        ValueError: no `name=number`, a name twice, or no weight but 0.
    """
    if text is None:
        return {"rating": 1.0}
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = (piece.strip() for piece in part.partition("="))
        try:
            value = float(weight)
        except ValueError:
            value = math.nan
        if not name or not math.isfinite(value) or name in found:
            raise ValueError(f"attributes must be name=weight,name=weight,… with each name once, got {text!r}")
        found[name] = value
    if not any(found.values()):
        raise ValueError(f"attributes must have a weight other than 0, got {text!r}")
    return found


def write_note(config: Any, note: RatingNote) -> None:
    """Puts a note into a model's config, whose file sorts the keys of a dict: the attributes are pairs there."""
    setattr(config, NOTE, asdict(note) | {"attributes": [list(pair) for pair in note.attributes.items()]})


def read_note(config: Any, name: str) -> RatingNote | None:
    """What `write_note` wrote; None for a model that was trained on pairs.

    Raises:
        ValueError: something else under its name.
    """
    found = getattr(config, NOTE, None)
    if found is None:
        return None
    try:
        means, levels = _numbers(found["means"]), _numbers(found["levels"])
        cuts = tuple(_numbers(row) for row in found["cuts"])
        attributes = {str(k): float(v) for k, v in found["attributes"]}
        return RatingNote(str(found["objective"]), attributes, means, levels, cuts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{NOTE} in the config of reward model {name!r} cannot be read: {found!r:.120}") from error


def _numbers(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
