"""Prompts that fit: where a conversation's first tokens come from, and how a long one is cut.

A prompt that leaves no room for the policy's turn loses the end of its longest message, token by
token. The shortened text is read back from the tokens that are left, so that what rewards, judges
and users see is what the policy saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textgym.models.tokenizer import ChatTokenizer
from textgym.types import Message


class Prompt(NamedTuple):
    """A prompt as tokens, and the messages that they spell."""

    messages: tuple[Message, ...]
    ids: list[int]
    num_cut: int  # tokens that the prompt lost to fit; 0 for most


def fit_prompt(tokenizer: ChatTokenizer, messages: Sequence[Message], limit: int) -> Prompt:
    """The prompt in at most `limit` tokens.

    Raises:
        ValueError: what surrounds the longest message is already too long.
    """
    ids = tokenizer.prompt_ids(messages)
    if len(ids) <= limit:
        return Prompt(tuple(messages), ids, 0)
    contents = tokenizer.encode_batch([m.content for m in messages])
    longest = max(range(len(messages)), key=lambda i: len(contents[i]))
    kept, cut = contents[longest], list(messages)
    shortened = ids
    while len(shortened) > limit:
        if not kept:
            raise ValueError(
                f"context_length leaves {limit} tokens for the prompt (context_length - max_new_tokens), but it has "
                f"{len(ids)} of which {len(contents[longest])}, its longest message, can be cut: raise context_length"
            )
        kept = kept[: max(0, len(kept) - (len(shortened) - limit))]
        text = tokenizer.decode(kept)
        if not messages[longest].content.startswith(text):
            text = text.rstrip("\ufffd")  # half a character at the cut
        cut[longest] = messages[longest]._replace(content=text)
        shortened = tokenizer.prompt_ids(cut)
    return Prompt(tuple(cut), shortened, len(ids) - len(shortened))
