"""A space of texts: any Unicode, the empty string too.

Gymnasium's `Text` takes alphanumerics by default, and a full-Unicode character set takes it
seconds to build. `TextSpace` asks only that an element is a `str`. A batch of n texts is a
tuple of n, as in `SyncVectorEnv` and `AsyncVectorEnv(shared_memory=False)`. Shared memory is
refused: texts have no fixed size, and Gymnasium's own `Text` comes back stale through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.error import CustomSpaceError
from gymnasium.spaces import Tuple
from gymnasium.spaces.utils import is_space_dtype_shape_equiv
from gymnasium.vector.utils import (
    batch_differing_spaces,
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)
from gymnasium.wrappers.utils import create_zero_array

# Code points that `sample` draws from, one range a run of characters. No surrogates.
_RANGES = (
    (0x20, 0x7E),  # ASCII
    (0x61, 0x7A),  # lower case, so that some samples look like words
    (0x09, 0x0A),  # tab and line feed
    (0xA1, 0x17F),  # Latin letters with accents
    (0x300, 0x36F),  # combining marks
    (0x391, 0x3C9),  # Greek
    (0x5D0, 0x5EA),  # Hebrew, right to left
    (0x4E00, 0x9FFF),  # Chinese
    (0xAC00, 0xD7A3),  # Korean
    (0x1F300, 0x1F64F),  # emoji, outside the basic plane
)
_MAX_RUNS, _MAX_RUN = 8, 9  # runs in a sample, characters in a run


class TextSpace(Space[str]):
    """All texts of at most `max_length` characters; without it, all texts."""

    def __init__(self, max_length: int | None = None, seed: int | np.random.Generator | None = None) -> None:
        if max_length is not None and max_length < 0:
            raise ValueError(f"max_length must be None or at least 0, got {max_length}")
        self.max_length = max_length
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """A short text of mixed scripts, sometimes empty. Masks mean nothing here and are refused."""
        if mask is not None or probability is not None:
            raise ValueError("mask and probability are not supported by TextSpace.sample, pass neither")
        rng = self.np_random
        points: list[int] = []
        for _ in range(int(rng.integers(0, _MAX_RUNS + 1))):
            low, high = _RANGES[int(rng.integers(len(_RANGES)))]
            points.extend(rng.integers(low, high + 1, size=int(rng.integers(1, _MAX_RUN + 1))).tolist())
        return "".join(map(chr, points))[: self.max_length]

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and (self.max_length is None or len(x) <= self.max_length)

    def to_jsonable(self, sample_n: Iterable[str]) -> list[str]:
        return list(sample_n)

    def from_jsonable(self, sample_n: Iterable[str]) -> list[str]:
        return list(sample_n)

    def __repr__(self) -> str:
        return "TextSpace()" if self.max_length is None else f"TextSpace({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TextSpace) and self.max_length == other.max_length

    def __hash__(self) -> int:
        return hash((TextSpace, self.max_length))


# `iterate` is left out on purpose: unregistered, Gymnasium walks a Tuple of texts row by row;
# registered, it would take each text apart.


@batch_space.register(TextSpace)
def _batch_texts(space: TextSpace, n: int = 1) -> Tuple:
    return _batch_differing_texts([space] * n)


def _batch_differing_texts(spaces: Sequence[TextSpace]) -> Tuple:
    # A seed of its own for each row, so that they do not sample the same; the space's generator stays as it is.
    seeds = deepcopy(spaces[0].np_random).integers(2**63, size=len(spaces) + 1).tolist()
    rows = [TextSpace(space.max_length, seed=seed) for space, seed in zip(spaces, seeds[1:], strict=True)]
    return Tuple(rows, seed=np.random.default_rng(seeds[0]))


batch_differing_spaces.register(TextSpace, _batch_differing_texts)  # Gymnasium looks up the first element's type


@concatenate.register(TextSpace)
def _concatenate_texts(space: TextSpace, items: Iterable[str], out: Any) -> tuple[str, ...]:
    return tuple(items)


@create_empty_array.register(TextSpace)
def _create_empty_texts(space: TextSpace, n: int | None = 1, fn: Callable[..., Any] = np.zeros) -> Any:
    return "" if n is None else ("",) * n


def _create_zero_text(space: TextSpace) -> str:
    return ""


create_zero_array.register(TextSpace, _create_zero_text)


@is_space_dtype_shape_equiv.register(TextSpace)
def _are_text_spaces(space_1: TextSpace, space_2: Space[Any]) -> bool:
    return isinstance(space_2, TextSpace)


@create_shared_memory.register(TextSpace)
@read_from_shared_memory.register(TextSpace)
@write_to_shared_memory.register(TextSpace)
def _refuse_shared_memory(space: TextSpace, *args: Any, **kwargs: Any) -> Any:
    raise CustomSpaceError(
        f"{space} has no fixed size and cannot live in shared memory: pass shared_memory=False to AsyncVectorEnv"
    )
