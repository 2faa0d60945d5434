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
def phase(name: str, options: str, advice: str = "lower") -> Iterator[None]:
    """What runs out of memory inside raises an `OutOfMemoryError`: where, and what to do with which options."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError, ValueError) as error:
        if isinstance(error, OutOfMemoryError) or not _is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"out of memory in {name}: {advice} {options} ({str(error).partition(chr(10))[0]:.120})"
        ) from error


def loading(what: str = "the models", options: str = "policy or reward") -> contextlib.AbstractContextManager[None]:
    """The phase in which weights are read and copied, before there are batches that could be smaller."""
    return phase(f"loading {what}", options, "take a smaller")


def _is_out_of_memory(error: BaseException) -> bool:
    """Whatever a library calls it; a loader may have put its own ValueError around it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    if isinstance(error, RuntimeError | OSError):
        kinds = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
        return any(words in said for words in kinds)
    return error.__cause__ is not None and _is_out_of_memory(error.__cause__)


def require_finite(where: str, named: dict[str, Tensor], total: Callable[[Tensor], Tensor] = alone) -> None:
    """Raises FloatingPointError where a tensor of any process holds a NaN or an infinity, in all of them."""
    for name, values in named.items():
        bad = int(total((~torch.isfinite(values)).sum()))
        if bad:
            raise FloatingPointError(
                f"{bad} of {values.numel()} {name} are not finite {where}; "
                "a lower learning_rate or dtype=float32 may help"
            )
