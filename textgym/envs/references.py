"""Objects as arguments of `gym.make`: held by reference, in specs that survive deep copies.

Gymnasium deep-copies the arguments of an env in `env.spec`, in `check_env` and in wrappers. A
loaded model or a Python callable must not be copied (or cannot be), so the spec holds it in a
`Reference`. What a config can say (strings, numbers, lists, dicts) stays as it is, so that
`env.spec.to_json()` round-trips; with an object in it, `to_json` raises and names the argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec


class Reference:
    """Holds an object; a deep copy of it is itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __copy__(self) -> Reference:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Reference:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)

    def __repr__(self) -> str:
        return f"Reference({self.value!r})"


def hold(value: Any) -> Any:
    """What JSON knows, as JSON would give it back; anything else in a `Reference`."""
    if value is None or isinstance(value, str | bool | int | float | Reference):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Enum):
        return hold(value.value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [hold(v) for v in value]
    if type(value) is dict and all(isinstance(k, str) for k in value):
        return {k: hold(v) for k, v in value.items()}
    return Reference(value)


def release(value: Any) -> Any:
    """The inverse of `hold`: references replaced by what they hold."""
    if isinstance(value, Reference):
        return value.value
    if isinstance(value, list):
        return [release(v) for v in value]
    if type(value) is dict:
        return {k: release(v) for k, v in value.items()}
    return value


class ReferencingSpec(EnvSpec):
    """An `EnvSpec` some of whose arguments are objects."""

    def to_json(self) -> str:
        named = sorted(name for name, value in self.kwargs.items() if _has_reference(value))
        raise ValueError(
            f"env.spec of {self.id} cannot become JSON: the argument{'s' * (len(named) > 1)} {', '.join(named)} "
            "was given as an object; give a string, a number or a dict instead"
        )


class SpecHolder:
    """Gives an env a `spec` attribute that holds objects by reference."""

    _spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        return self._spec

    @spec.setter
    def spec(self, value: EnvSpec | None) -> None:
        if value is not None:
            value.kwargs = {name: hold(argument) for name, argument in value.kwargs.items()}
            if _has_reference(value.kwargs):
                value = _as_referencing(value)
        self._spec = value


def _as_referencing(spec: EnvSpec) -> ReferencingSpec:
    held = ReferencingSpec(spec.id)
    held.__dict__.update(spec.__dict__)
    return held


def _has_reference(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_reference(v) for v in value.values())
    if isinstance(value, list):
        return any(_has_reference(v) for v in value)
    return isinstance(value, Reference)
