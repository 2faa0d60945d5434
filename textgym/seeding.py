"""Randomness as an argument: independent streams for examples, episodes and agents.

Nothing in textgym reads or writes a global generator, and nothing depends on PYTHONHASHSEED.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draws:
    """Cheap scalar draws for generators of text (a numpy draw costs a microsecond, this a tenth).

    Only `random.Random.random` is used beneath, the one method whose sequence Python promises
    to keep between versions.
    """

    __slots__ = ("random",)

    def __init__(self, *key: int) -> None:
        """A stream of its own for each key of non-negative integers, e.g. (data_seed, split, index)."""
        seed = 1
        for part in key:
            if not 0 <= part < 2**64:
                raise ValueError(f"key must be integers from 0 to 2**64 - 1, got {key}")
            seed = (seed << 64) | part
        self.random = random.Random(seed).random

    @classmethod
    def of(cls, rng: np.random.Generator) -> Draws:
        """A stream seeded by one draw from a numpy generator."""
        return cls(int(rng.integers(2**63)))

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return int(self.random() * n)

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high], both included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, p: float) -> bool:
        return self.random() < p

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.random() * len(options))]

    def sample(self, options: Sequence[T], k: int) -> list[T]:
        """k different elements in random order."""
        pool = list(options)
        for i in range(k):
            j = i + int(self.random() * (len(pool) - i))
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:k]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        return self.sample(options, len(options))


def derive_seeds(seed: int, n: int, *purpose: int) -> list[int]:
    """n seeds that runs with neighbouring seeds do not share.

    Gymnasium seeds row i of a vector env with seed + i, so runs seeded 0, 1, 2 would play almost
    the same episodes. `SeedSequence` spreads them.
    """
    words = np.random.SeedSequence([seed, *purpose]).generate_state(n, np.uint64)
    return [int(word >> np.uint64(2)) for word in words]
