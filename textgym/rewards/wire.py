"""What a client of a reward server sends, as transcripts.

`/classify` sends one text or a list of token ids for a conversation, `/get_reward` the whole text and the prompt's. A
text is in the model's chat template, or plain (`role: content`, an empty line between messages). Which turns are
the prompt is in the second form exactly; in the first every assistant's turn after the user's first counts as a
response. It matters to models with an output a token, which add up over the responses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from textgym.models.tokenizer import ChatTokenizer
from textgym.types import Message, Transcript

ROLES = ("user", "system", "assistant")
PLAIN_TURN = re.compile(r"(?:\A|\n\n)(system|user|assistant): ")
MOST_TURNS = 1000


class Reader:
    """Reads requests for a model with this tokenizer.

    Args:
        tokenizer: None reads plain text only.
    """

    def __init__(self, tokenizer: ChatTokenizer | None = None) -> None:
        self.tokenizer = tokenizer

    def classify(self, body: Any) -> list[Transcript]:
        """The transcripts of a `/classify` request. Raises ValueError for what cannot be one."""
        given = _field(body, "input")
        is_one = isinstance(given, str) or (
            isinstance(given, list) and bool(given) and all(_is_id(token) for token in given)
        )
        inputs = [given] if is_one else given
        if not isinstance(inputs, list):
            raise ValueError(f"input must be a text, token ids or a list of them, got {type(inputs).__name__}")
        return [self._whole(one, f"input[{i}]") for i, one in enumerate(inputs)]

    def get_reward(self, body: Any) -> list[Transcript]:
        """The transcripts of a `/get_reward` request. Raises ValueError for what cannot be one."""
        queries = _texts(body, "query")
        prompts = _texts(body, "prompts") if body.get("prompts") else [None] * len(queries)
        if len(prompts) != len(queries):
            raise ValueError(f"prompts must be one a query, {len(queries)}, got {len(prompts)}")
        return [self._of_query(q, p, i) for i, (q, p) in enumerate(zip(queries, prompts, strict=True))]

    def _of_query(self, query: str, prompt: str | None, i: int) -> Transcript:
        messages = self._messages(query, f"query[{i}]")
        if prompt is None:
            return _transcript(messages, f"query[{i}]")
        before = self._messages(prompt, f"prompts[{i}]")
        if messages[: len(before)] != before:
            raise ValueError(f"prompts[{i}] must be the beginning of query[{i}]")
        return _transcript(messages, f"query[{i}]", len(before))

    def _whole(self, one: Any, where: str) -> Transcript:
        if isinstance(one, str):
            return _transcript(self._messages(one, where), where)
        if isinstance(one, list) and one and all(_is_id(token) for token in one):
            if self.tokenizer is None:
                raise ValueError(f"{where} must be a text: this model's tokenizer is unknown, so token ids are")
            return _transcript(self._of_ids(one, where), where)
        raise ValueError(f"{where} must be a text or a list of token ids, got {one!r:.60}")

    def _messages(self, text: str, where: str) -> list[Message]:
        turns = PLAIN_TURN.split(text)
        if turns[0] == "" and len(turns) > 1:
            return [Message(role, content) for role, content in zip(turns[1::2], turns[2::2], strict=True)]
        if self.tokenizer is None:
            raise ValueError(f"{where} must begin with 'user: ' or 'system: ', got {text!r:.60}")
        # Control tokens stand as text here; a client breaks those that people spelled out.
        return [Message(role, text[start:stop]) for role, start, stop in self._turns(text, self._text_frames, where)]

    def _of_ids(self, ids: Sequence[int], where: str) -> list[Message]:
        """Messages whose rendering in the chat template is `ids`."""
        assert self.tokenizer is not None
        if max(ids) >= self.tokenizer.vocab_size:
            raise ValueError(f"{where} must hold token ids below {self.tokenizer.vocab_size}, got {max(ids)}")
        turns = self._turns(tuple(ids), self._id_frames, where)
        return [Message(role, self.tokenizer.decode(ids[start:stop])) for role, start, stop in turns]

    @cached_property
    def _text_frames(self) -> Frames:
        assert self.tokenizer is not None
        return _frames(self.tokenizer)

    @cached_property
    def _id_frames(self) -> Frames:
        tokenizer = self.tokenizer
        assert tokenizer is not None
        control = set(np.flatnonzero(tokenizer.control_mask)) | {tokenizer.end_of_turn}
        first, later = (
            [(role, _literal(tokenizer, opening), _literal(tokenizer, closing)) for role, opening, closing in frames]
            for frames in self._text_frames
        )
        if any(control.isdisjoint(closing) for _, _, closing in [*first, *later]):
            raise ValueError("this model's chat template does not mark where turns end: send texts, not token ids")
        return first, later

    def _turns(self, given: Any, frames: Frames, where: str) -> list[tuple[str, int, int]]:
        """(role, start, stop) of each turn's content: what the template writes around contents is looked for."""
        turns: list[tuple[str, int, int]] = []
        position = 0
        while position < len(given) and len(turns) < MOST_TURNS:
            found = _next_turn(given, position, frames[bool(turns)], turns[-1][0] if turns else "")
            if found is None:
                break
            turns.append(found[:3])
            position = found[3]
        opens_next = any(role == "assistant" and given[position:] == opening for role, opening, _ in frames[1])
        if not turns or not (position == len(given) or opens_next):  # a talk that its user ended may open one turn more
            raise ValueError(
                f"{where} must be a conversation, plain ('user: …') or in this model's chat template; "
                f"at {position} of {len(given)} no turn of it begins"
            )
        return turns


Frame = tuple[str, Any, Any]  # role, what stands before its content, what after it: texts or token ids
Frames = tuple[list[Frame], list[Frame]]  # of the first message, of later ones


def _frames(tokenizer: ChatTokenizer) -> Frames:
    """What the chat template writes around the content of each role."""
    first: list[Frame] = []
    later: list[Frame] = []
    for role in ROLES:
        for frames, before in ((first, ()), (later, ("user",) if role == "assistant" else ("user", "assistant"))):
            try:
                pieces = tokenizer._pieces((*before, role), False)
                ending = tokenizer._pieces(before, False)[-1] if before else ""
            except ValueError:  # a template that has no such turn
                continue
            opening, closing = _around_last(pieces)
            ending = ending if isinstance(ending, str) else ""
            if opening.startswith(ending):
                frames.append((role, opening[len(ending) :], closing))
    return first, later


def _literal(tokenizer: ChatTokenizer, markup: str) -> tuple[int, ...]:
    return tuple(tokenizer._literal_ids(markup)) if markup else ()


def _around_last(pieces: Sequence[str | int]) -> tuple[str, str]:
    """The literal texts around the last content."""
    last = max(i for i, piece in enumerate(pieces) if isinstance(piece, int))
    before, after = pieces[last - 1] if last else "", pieces[last + 1] if last + 1 < len(pieces) else ""
    return before if isinstance(before, str) else "", str(after)


def _next_turn(given: Any, position: int, frames: Sequence[Frame], before: str) -> tuple[str, int, int, int] | None:
    """(role, start and stop of the content, where the next turn begins) of the turn at `position`."""
    allowed = ("assistant",) if before == "user" else ("user", "system")
    here = [f for f in frames if given[position : position + len(f[1])] == f[1]]
    here = [f for f in here if len(f[1]) or f[0] in allowed]  # without headers the turns alternate
    for role, opening, closing in sorted(here, key=lambda f: (-len(f[1]), f[0] not in allowed)):
        start = position + len(opening)
        if not len(closing):
            return role, start, len(given), len(given)
        for stop in range(start, len(given) - len(closing) + 1):
            if given[stop : stop + len(closing)] == closing:
                return role, start, stop, stop + len(closing)
    return None


def _transcript(messages: Sequence[Message], where: str, num_prompt_messages: int | None = None) -> Transcript:
    """With every assistant's turn after the user's first as a response, unless the prompt is known."""
    if num_prompt_messages is None:
        user = next((i for i, m in enumerate(messages) if m.role == "user"), -1)
        turns = [i for i, m in enumerate(messages) if m.role == "assistant" and i > user]
        num_prompt_messages = turns[0] if turns else len(messages)
    found = Transcript(tuple(messages), num_prompt_messages=num_prompt_messages)
    if not found.responses:
        raise ValueError(f"{where} must have an assistant's turn to score, got roles {[m.role for m in messages][:20]}")
    return found


def _field(body: Any, name: str) -> Any:
    if not isinstance(body, Mapping):
        raise ValueError(f"the body must be a JSON object, got {type(body).__name__}")
    if name not in body:
        raise ValueError(f"the body lacks {name!r}, it has {sorted(map(str, body))[:20]}")
    return body[name]


def _texts(body: Any, name: str) -> list[str]:
    value = _field(body, name)
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{name} must be a text or a list of texts, got {value!r:.60}")
    return value


def _is_id(token: Any) -> bool:
    return isinstance(token, int) and not isinstance(token, bool) and token >= 0
