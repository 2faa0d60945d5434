"""A trained policy behind `POST /v1/chat/completions`, so that whatever speaks that dialect can talk to it.

For trying a policy out and for playing envs through an endpoint, one request after the other on the machine at hand;
who needs throughput gives the folder to vLLM, which loads it. Left out: streaming, tools, several choices, top-p.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from textgym import checks
from textgym.types import Message

ROLES = ("system", "user", "assistant")
READ = ("model", "messages", "temperature", "max_tokens", "max_completion_tokens", "seed", "stream", "n", "user")


class ChatPolicy:
    """Answers conversations with a language model.

    Args:
        policy: "embedded", a folder or a hub name.
        tokenizer: what `load_tokenizer` takes; None: the policy's own.
        device: where it computes.
        max_new_tokens: of an answer, where the request asks for no fewer.
    """

    def __init__(
        self, policy: str, tokenizer: Any = None, device: str = "cpu", max_new_tokens: int | None = None
    ) -> None:
        from textgym.models.language_model import forbidden_tokens, load_language_model, require_fit
        from textgym.models.tokenizer import load_tokenizer

        self.name = policy
        self.model = load_language_model(policy, device)  # first, so that a wrong name is called a policy
        self.tokenizer = load_tokenizer(policy if tokenizer is None else tokenizer)
        require_fit(self.model, self.tokenizer)
        self.forbidden = forbidden_tokens(self.model, self.tokenizer)
        self.positions = int(getattr(self.model.config, "max_position_embeddings", None) or 2**15)
        self.max_new_tokens = max_new_tokens or min(512, self.positions // 4)

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body of an answer to the body of a request. Raises ValueError and TypeError for one that cannot be."""
        import torch

        from textgym.models.generate import generate

        unread = [name for name in body if name not in READ]
        if unread or body.get("stream") or body.get("n", 1) not in (None, 1):
            raise ValueError(f"a request may have {list(READ)}, with stream false and n 1, got {sorted(body)}")
        messages = _messages(body.get("messages"))
        temperature = _or(body.get("temperature"), 1.0, lambda v: checks.number("temperature", v, 0, 100))
        asked = body.get("max_completion_tokens", body.get("max_tokens"))
        most = _or(asked, self.max_new_tokens, lambda v: checks.whole("max_tokens", v, 1))
        ids = self.tokenizer.prompt_ids(messages)
        room = self.positions - len(ids)
        if room < 1:
            raise ValueError(f"messages must leave room for an answer in {self.positions} tokens, got {len(ids)}")
        generator = torch.Generator(next(self.model.parameters()).device)
        seed = body.get("seed")
        generator.seed() if seed is None else generator.manual_seed(checks.whole("seed", seed, most=2**63 - 1))
        said = generate(
            self.model,
            [ids],
            max_new_tokens=min(most, room),
            end_of_turn=self.tokenizer.end_of_turn,
            forbidden=self.forbidden,
            temperature=temperature,
            generator=generator,
        ).tokens[0]
        return self._completion(len(ids), said)

    def _completion(self, num_prompt: int, said: list[int]) -> dict[str, Any]:
        ends_itself = bool(said) and said[-1] == self.tokenizer.end_of_turn
        message = {"role": "assistant", "content": self.tokenizer.decode(said)}
        choice = {"index": 0, "message": message, "finish_reason": "stop" if ends_itself else "length"}
        usage = {"prompt_tokens": num_prompt, "completion_tokens": len(said), "total_tokens": num_prompt + len(said)}
        stamp = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion", "created": int(time.time())}
        return {**stamp, "model": self.name, "choices": [choice], "usage": usage}


def _messages(given: Any) -> list[Message]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise TypeError(f"messages must be a list of messages, got {given!r:.60}")
    messages = []
    for i, one in enumerate(given):
        role = one.get("role") if isinstance(one, Mapping) else None
        content = one.get("content") if isinstance(one, Mapping) else None
        if role not in ROLES or not isinstance(content, str):
            raise ValueError(f"messages[{i}] must have a role of {list(ROLES)} and a text as content, got {one!r:.60}")
        messages.append(Message(role, content))
    if messages[-1].role == "assistant":
        raise ValueError("the last of messages must not be the assistant's")
    return messages


def _or(value: Any, default: Any, check: Any) -> Any:
    return default if value is None else check(value)
