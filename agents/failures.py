"""What stops a run with a word on what to do: memory that is not there, numbers that are none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .estimators import alone


class OutOfMemoryError(MemoryError):
    """No memory, in a phase that is named, with the options that would need less."""


@contextlib.contextmanager
def phase(name: str, options: str) -> Iterator[None]:
    """What runs out of memory inside raises an `OutOfMemoryError` that says where and which options to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, OutOfMemoryError) or not _is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"out of memory in {name}: lower {options} ({str(error).partition(chr(10))[0]:.120})"
        ) from error


def _is_out_of_memory(error: BaseException) -> bool:
    said = str(error).lower()
    is_told = any(words in said for words in ("out of memory", "can't allocate memory", "not enough memory"))
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or is_told


def require_finite(where: str, named: dict[str, Tensor], total: Callable[[Tensor], Tensor] = alone) -> None:
    """Raises FloatingPointError where a tensor of any process holds a NaN or an infinity, in all of them."""
    for name, values in named.items():
        bad = int(total((~torch.isfinite(values)).sum()))
        if bad:
            raise FloatingPointError(
                f"{bad} of {values.numel()} {name} are not finite {where}; "
                "a lower learning_rate or dtype=float32 may help"
            )
