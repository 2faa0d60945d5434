"""What a person writes as a prompt, brought into one form: a text, or messages as the ecosystem writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textgym.types import Message

ROLES = ("system", "user", "assistant")
PROMPTS = 'a text, or messages as {"role": …, "content": …}'


def is_one_prompt(prompt: Any) -> bool:
    """Whether this is a text or one list of messages; False for a list of prompts."""
    if isinstance(prompt, str):
        return True
    if not isinstance(prompt, Sequence) or not len(prompt):
        raise TypeError(f"prompt must be {PROMPTS}, or a list of those, got {prompt!r:.80} of {type(prompt).__name__}")
    return _is_message(prompt[0])


def as_messages(prompt: Any, name: str = "prompt") -> tuple[Message, ...]:
    """A prompt as messages.

    Raises:
        TypeError: neither a text nor messages.
        ValueError: an unknown role, or the assistant's message last.
    """
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    if not isinstance(prompt, Sequence) or not len(prompt) or not all(map(_is_message, prompt)):
        raise TypeError(f"{name} must be {PROMPTS}, got {prompt!r:.80} of {type(prompt).__name__}")
    found = [Message(m["role"], m["content"]) if isinstance(m, Mapping) else Message(*m) for m in prompt]
    for message in found:
        if message.role not in ROLES:
            raise ValueError(f"{name} must have roles of {list(ROLES)}, got {message.role!r}")
    if found[-1].role == "assistant":
        raise ValueError(f"{name} must end with a message that is not the assistant's, got {found[-1].content!r:.80}")
    return tuple(found)


def _is_message(value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(value.get("role"), str) and isinstance(value.get("content"), str)
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value)
