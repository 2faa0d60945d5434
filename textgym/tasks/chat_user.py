"""A language model behind an OpenAI-compatible endpoint as the simulated user of a conversation on own data.

    data={"path": "chats.jsonl", "user": {"type": "chat", "url": "https://…/v1", "model": "…",
          "key_env": "OPENAI_API_KEY", "instructions": "You want a refund. You are polite, and in a hurry."}}

An example begins as for `"user": "replay"`: with the recorded conversation up to the assistant's first turn. From then
on the endpoint speaks. It is told the instructions, sees the conversation with the roles exchanged (it is the
assistant there, as every such model is), and ends its message with a mark when the user is done. The policy's system
message is not shown to it. The seed of each request comes from the episode's generator, so the requests repeat under a
seed; whether the replies do is the server's affair. An error is raised: no reply is ever made up. What the record says
after its beginning is forgotten, because a conversation that leaves the record has no right answers in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from textgym import checks
from textgym.models.chat_endpoint import ChatEndpoint, ChatEndpointError
from textgym.tasks.records import RecordTask
from textgym.types import Example, Goodbye, Transcript

END = "[END]"  # what a user says last, when there is nothing more to say
RULES = """You play the user of an assistant. Your messages are the user's; those you are sent are the assistant's. \
Write only what the user says next, in the user's words, without quotation marks or a name in front. When you have \
what you came for, or give up, end your last message with {end}.

{instructions}"""
BEGIN = "(The conversation begins. You speak first.)"
KEYS = ("type", "url", "model", "instructions", "key_env", "temperature", "max_tokens", "timeout", "attempts", "extra")
REQUIRED = ("url", "model", "instructions")


class ChatUser:
    """Says what the user says next.

    Args:
        endpoint: the language model.
        instructions: who the user is and what they want.
    """

    def __init__(self, endpoint: ChatEndpoint, instructions: str) -> None:
        self.endpoint, self.instructions = endpoint, checks.text("data['user']['instructions']", instructions)

    def messages(self, transcript: Transcript) -> list[dict[str, str]]:
        """What the endpoint is shown: the rules, then the conversation with the roles exchanged."""
        rules = RULES.format(end=END, instructions=self.instructions)
        roles = {"user": "assistant", "assistant": "user"}
        said = [{"role": roles[m.role], "content": m.content} for m in transcript.messages if m.role in roles]
        if said and said[0]["role"] == "assistant":  # many chat templates want the other role first
            said.insert(0, {"role": "user", "content": BEGIN})
        return [{"role": "system", "content": rules}, *said]

    def reply(self, transcript: Transcript, rng: np.random.Generator) -> str | None:
        """The user's next turn; a `Goodbye` where it ends with the mark, None where the mark is all there is.

        Raises:
            ChatEndpointError: no reply, or an empty one.
        """
        completion = self.endpoint.complete(self.messages(transcript), seed=int(rng.integers(2**31)))
        text, mark, _ = completion.text.partition(END)
        text = text.strip()
        if mark:
            return Goodbye(text) if text else None
        if not text:
            raise ChatEndpointError(f"{self.endpoint.url} was to speak as the user and said nothing")
        return text


@dataclass(frozen=True, eq=False)
class ChatUserTask(RecordTask):
    """Recorded beginnings of conversations, with a user who answers what the policy says."""

    user: ChatUser | None = None

    @classmethod
    def of(cls, records: RecordTask, user: ChatUser) -> ChatUserTask:
        kept = {f.name: getattr(records, f.name) for f in fields(RecordTask)}
        return cls(**{**kept, "num_without_reference": len(records)}, user=user)

    def __getitem__(self, index: int) -> Example:
        return replace(super().__getitem__(index), references=(), meta=None)

    def require_references(self, reward: str) -> None:
        """Raises ValueError: a reward that compares with references has none here."""
        raise ValueError(
            f"reward {reward!r} compares with references, and a conversation with a chat endpoint as its user has none"
        )

    def reply(self, transcript: Transcript, rng: np.random.Generator) -> str | None:
        """The user's next turn. Raises ChatEndpointError where the endpoint gives none."""
        assert self.user is not None
        return self.user.reply(transcript, rng)


def load_chat_user(options: Mapping[str, Any]) -> ChatUser:
    """The user that `data={"user": {…}}` says.

    Raises:
        ValueError, TypeError: a key that is unknown or missing, or a value that cannot be.
    """
    unknown, missing = [k for k in options if k not in KEYS], [k for k in REQUIRED if k not in options]
    if unknown or missing or options.get("type") != "chat":
        kind = options.get("type")
        raise ValueError(
            f'data[\'user\'] as a dict must have "type": "chat" and takes the keys {list(KEYS)}'
            + (f", got the type {kind!r:.60}" if kind != "chat" else "")
            + (f", got the unknown {unknown}" if unknown else "")
            + (f", lacks {missing}" if missing else "")
        )
    given = {k: v for k, v in options.items() if k not in ("type", "instructions")}
    return ChatUser(ChatEndpoint(**{"temperature": 1.0, **given}), options["instructions"])
