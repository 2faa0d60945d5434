"""A language model behind an OpenAI-compatible endpoint: `POST {base}/chat/completions`.

What vLLM, SGLang, llama.cpp, Ollama and the companies' own servers speak. The policy of `examples/openai_policy.py`,
the simulated user of `textgym.tasks.chat_user` and the judge of `textgym.rewards.chat_judge` ask through this. A key is
never an argument: it is named by the environment variable that holds it, so that no spec and no log contains
it. Left out: streaming, tools, pictures, and every dialect that is not this one.

    {"model": M, "messages": [{"role", "content"}, …], …} -> {"choices": [{"message": {"content": text}}], "usage": {…}}
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from textgym import checks
from textgym.http_json import Answer, EndpointError, ask, post

ROUTE = "/chat/completions"
_OWN_FIELDS = ("model", "messages", "stream", "n")  # of a request; not to be set through `extra`


class ChatEndpointError(EndpointError):
    """The endpoint gave no text: the address, what was tried and what came back."""


class Completion(NamedTuple):
    """What a model said, and what it cost."""

    text: str
    num_requests: int  # sent, those that failed too
    prompt_tokens: int  # as the endpoint counts them; 0 where it does not
    completion_tokens: int
    finish_reason: str | None  # "stop", "length", …


class ChatEndpoint:
    """Completes conversations on a server. Keeps no state, so that threads may share it.

    Args:
        url: the base address, as in https://host/v1; /chat/completions is added where it is missing.
        model: what the server calls the model.
        key_env: the NAME of the environment variable that holds the key; None sends none. It is read at each request.
        temperature: None leaves it to the server.
        max_tokens: of a completion; None leaves it to the server.
        timeout: seconds a request may take.
        attempts: requests before giving up, waiting 0.5, 1, 2, … s in between (`wait` is the first), or as long as a
            Retry-After says, up to a minute.
        extra: more fields of the request, such as {"top_p": 0.9}.

    Raises:
        ValueError, TypeError: an address, a name or a number that cannot be; a variable that is not set.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key_env: str | None = None,
        temperature: float | None = 0.0,
        max_tokens: int | None = None,
        timeout: float = 60.0,
        attempts: int = 4,
        wait: float = 0.5,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.url, self.model = _address(url), checks.text("model", model)
        self.key_env = _check_key_env(key_env)
        self.temperature = None if temperature is None else checks.number("temperature", temperature, 0)
        self.max_tokens = None if max_tokens is None else checks.whole("max_tokens", max_tokens, 1)
        self.timeout, self.attempts = checks.positive("timeout", timeout), checks.whole("attempts", attempts, 1)
        self.wait = checks.number("wait", wait, 0)
        self.extra = _check_extra(extra)

    def complete(self, messages: Sequence[Mapping[str, str]], seed: int | None = None) -> Completion:
        """The model's next message.

        Args:
            messages: {"role", "content"} each, the oldest first.
            seed: of the server's sampling, where it has such a thing.

        Raises:
            ChatEndpointError: no answer, or none with a text. Nothing is ever made up.
        """
        data = json.dumps(self._request(messages, seed)).encode()
        sent = 0

        def send() -> Answer:
            nonlocal sent
            sent += 1
            return post(self.url, data, self._headers(), self.timeout)

        answer = ask(self.url, send, self.attempts, self.wait, ChatEndpointError)
        return self._read(answer, sent)

    def _request(self, messages: Sequence[Mapping[str, str]], seed: int | None) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.model, "messages": [dict(message) for message in messages]}
        optional = {"temperature": self.temperature, "max_tokens": self.max_tokens, "seed": seed}
        return {**request, **{k: v for k, v in optional.items() if v is not None}, **self.extra}

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.key_env is not None:
            headers["Authorization"] = f"Bearer {_key(self.key_env)}"
        return headers

    def _read(self, answer: Any, num_requests: int) -> Completion:
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"]
            if not isinstance(text, str):
                raise TypeError(f"the content is of {type(text).__name__}")
            usage = answer.get("usage") or {}
            tokens = [_count(usage, name) for name in ("prompt_tokens", "completion_tokens")]
            return Completion(text, num_requests, tokens[0], tokens[1], choice.get("finish_reason"))
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ChatEndpointError(
                f"{self.url} gave no message of a model: {error!r} in {json.dumps(answer):.200}"
            ) from error


def _address(url: Any) -> str:
    parts = urlsplit(checks.text("url", url))
    if parts.username or parts.password:
        raise ValueError("url must hold no name and no password (it is not shown here); put a key into key_env")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"url must be an address that begins with http:// or https://, got {url!r}")
    if parts.query or parts.fragment:
        raise ValueError("url must have no ? and no # (it is not shown here, they may hold a key)")
    base = url.rstrip("/")
    return base if base.endswith(ROUTE) else base + ROUTE


def _check_key_env(name: Any) -> str | None:
    """The name of a variable that is set. What is no name may be a key, so no error repeats it."""
    if name is None:
        return None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name):
        raise ValueError(
            "key_env must be the NAME of an environment variable that holds the key, such as OPENAI_API_KEY; "
            "what was given is no such name (not shown, it may be the key itself)"
        )
    if name not in os.environ:
        shown = repr(name) if name.isupper() else "a name that is not shown (it may be the key itself)"
        raise ValueError(f"key_env must name an environment variable that is set, got {shown}, which is not")
    _key(name)
    return name


def _key(name: str) -> str:
    key = os.environ.get(name, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError(f"the environment variable {name} must hold a key: printable ASCII and not empty")
    return key


def _check_extra(extra: Any) -> dict[str, Any]:
    if extra is None:
        return {}
    if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
        raise TypeError(f"extra must be a dict of request fields, got {type(extra).__name__}")
    own = [name for name in extra if name in _OWN_FIELDS]
    if own:
        raise ValueError(f"extra must not hold any of {list(_OWN_FIELDS)}, got {own}")
    try:
        json.dumps(dict(extra))
    except (TypeError, ValueError) as error:
        raise TypeError(f"extra must be what JSON can say: {error}") from error
    return dict(extra)


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
