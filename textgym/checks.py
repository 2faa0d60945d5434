"""What a user gave, checked: the error names the argument, the value and what is allowed.

A value of the wrong kind is a `TypeError`, one out of range a `ValueError`. Numbers of numpy are numbers;
bools are none.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np


def whole(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """An integer from `least` to `most`, both included."""
    allowed = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be {allowed}, got {value!r} of {type(value).__name__}")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return int(value)


def number(name: str, value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number from `least` to `most`, both included."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {value!r} of {type(value).__name__}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not (math.isfinite(found) and least <= found <= most):
        bounds = [f"of at least {least:g}"] * (least > -math.inf) + [f"of at most {most:g}"] * (most < math.inf)
        raise ValueError(f"{name} must be a finite number{' ' * bool(bounds)}{' and '.join(bounds)}, got {value!r:.60}")
    return found


def port(value: Any) -> int:
    """A TCP port to listen on; 0 takes a free one."""
    return whole("port", value, 0, 65535)


def positive(name: str, value: Any) -> float:
    """A finite number above 0."""
    found = number(name, value)
    if found <= 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")
    return found


def choice(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """One of a few; what stands there as a text may be meant by one that is nearly it."""
    known = list(allowed)
    if not (value is None or isinstance(value, str)) or value not in known:
        meant = hint(value, [each for each in known if each is not None]) if isinstance(value, str) else ""
        raise ValueError(f"{name} must be one of {known}, got {value!r}{meant}")
    return value


def truth(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r} of {type(value).__name__}")
    return bool(value)


def nearest(given: str, known: Iterable[str]) -> str:
    """The end of an error about a name: which known one is near, or all that there are."""
    names = [str(name) for name in known]
    return hint(given, names) or f", there are {names}"


def hint(given: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of an error about a name, where a known one is near; else nothing. `cutoff`: how near, up to 1."""
    near = close(given, known, cutoff)
    return "" if near is None else f"; did you mean {near!r}?"


def close(given: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is near what was given, and is not that itself; None where none is."""
    names = [str(name) for name in known if str(name) != str(given)]
    return next(iter(difflib.get_close_matches(str(given), names, n=1, cutoff=cutoff)), None)


def text(name: str, value: Any, allowed: str = "a text that is not empty") -> str:
    """A text with something in it."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be {allowed}, got {value!r} of {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return value
