"""What the wrappers share: arguments that a spec remembers, and the messages of an episode.

A wrapper learns what was said from observations and infos alone, so it works around any env that
keeps the contract of `envs/ids.py`, a remote one too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import RecordConstructorArgs

from textgym.envs.references import Reference, ReferencingSpec, hold
from textgym.models.tokenizer import ChatTokenizer

Step = tuple[Any, float, bool, bool, dict[str, Any]]


class _WrappedSpec(ReferencingSpec):
    """A spec some of whose wrappers were given objects."""

    def to_json(self) -> str:
        for wrapper in self.additional_wrappers:
            for name, value in (wrapper.kwargs or {}).items():
                if isinstance(value, Reference):
                    raise ValueError(
                        f"env.spec of {self.id} cannot become JSON: the argument {name} of {wrapper.name} was given "
                        "as an object; give a string, a number or a list instead"
                    )
        return (
            super().to_json() if any(isinstance(v, Reference) for v in self.kwargs.values()) else EnvSpec.to_json(self)
        )


class TextWrapper(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """A wrapper whose arguments stand in `env.spec`; objects among them are held, never copied."""

    def __init__(self, env: gym.Env[Any, Any], **arguments: Any) -> None:
        RecordConstructorArgs.__init__(self, **{name: hold(value) for name, value in arguments.items()})
        gym.Wrapper.__init__(self, env)

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]  # read-only, as in Gymnasium's own Wrapper
        spec = super().spec
        if spec is not None and any(isinstance(value, Reference) for value in self._saved_kwargs.values()):
            held = _WrappedSpec(spec.id)
            held.__dict__.update(spec.__dict__)
            self._cached_spec = spec = held
        return spec


def require_door(env: Any, action: str, wrapper: str) -> None:
    """Raises ValueError where the env's actions are not what the wrapper can work with."""
    found = getattr(env.unwrapped, "action", None)
    if found != action:
        raise ValueError(f'{wrapper} needs an env made with action="{action}", got action={found!r}')


def require_whole_observations(env: Any, wrapper: str) -> None:
    """Raises ValueError where the observation is not the whole conversation any more."""
    if env.observation_space != env.unwrapped.observation_space:
        raise ValueError(
            f"{wrapper} reads whole conversations: put it inside of what changes the observation, got {env}"
        )


def num_tokens(observation: np.ndarray) -> int:
    """How many tokens an observation of the token door holds."""
    return int((observation >= 0).sum())


def as_text(messages: Sequence[dict[str, str]]) -> str:
    """Messages as the response door observes them."""
    return "\n\n".join(f"{m['role']}: {m['content']}" for m in messages)


class Heard:
    """The messages of the episode that is being played, a turn that is not over included."""

    def __init__(self, tokenizer: ChatTokenizer | None) -> None:
        """`tokenizer`: of the token door; None where a step is a whole turn."""
        self.tokenizer = tokenizer
        self.messages: list[dict[str, str]] = []
        self.num_prompt_messages = 0

    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        self._take(observation, info)
        self.num_prompt_messages = len(self.messages)

    def hear(self, observation: Any, info: dict[str, Any]) -> None:
        if "messages" in info:
            self._take(observation, info)
        else:
            self._observation = observation

    def _take(self, observation: Any, info: dict[str, Any]) -> None:
        self.messages = list(info["messages"])
        self._observation = observation
        self._turn_start = 0 if self.tokenizer is None else num_tokens(observation)

    def so_far(self) -> list[dict[str, str]]:
        """A list of {"role", "content"}."""
        if self.tokenizer is None:
            return self.messages
        said = self._observation[self._turn_start : num_tokens(self._observation)]
        if not len(said):
            return self.messages
        return [*self.messages, {"role": "assistant", "content": self.tokenizer.decode(said)}]


def hearer(env: Any) -> Heard:
    """A `Heard` for an env's door."""
    core = env.unwrapped
    return Heard(core.tokenizer if core.action == "token" else None)
