"""Whole conversations as tokens, for reward models: every message, and where the responses are.

The ids are those an environment would hold (the prompt, then each response with its end-of-turn
token, then what follows it), closed as the chat template closes a finished conversation. Only
messages are read: references, meanings and endings are none of a learned reward model's business.
A conversation longer than the model's positions keeps every response whole and loses the end of
its longest other message, as environments cut their prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from textgym.models.places import find_model
from textgym.models.tokenizer import ChatTokenizer, load_tokenizer
from textgym.rewards.base import require_responses
from textgym.types import Message, SpanRewards, Transcript


class ResponseTokens(NamedTuple):
    """Where one response stands; `stop` is one past its end-of-turn token."""

    message: int  # index in Transcript.messages
    start: int
    stop: int


class EncodedConversation(NamedTuple):
    """One transcript as tokens."""

    ids: list[int]
    responses: tuple[ResponseTokens, ...]
    prompt_tokens_cut: int  # 0 for most


def load_reward_tokenizer(spec: Any) -> ChatTokenizer:
    """A `ChatTokenizer` for a reward model, encoders included.

    Encoders (BERT, DeBERTa, …) bring neither a chat template nor an eos token: they read
    `[CLS] prompt [SEP] response [SEP]`, which is a template like any other.
    """
    try:
        return load_tokenizer(spec)
    except ValueError as error:
        if not isinstance(spec, dict) and "end_of_turn is unknown" in str(error):
            hf = spec if hasattr(spec, "backend_tokenizer") else _load_hf(spec)
            if hf.sep_token and hf.cls_token:
                each = "{% for m in messages %}{{ m['content'] }}" + hf.sep_token + "{% endfor %}"
                return load_tokenizer({"path": hf, "end_of_turn": hf.sep_token, "chat_template": hf.cls_token + each})
        raise


def encode_conversations(
    tokenizer: ChatTokenizer, transcripts: Sequence[Transcript], max_length: int | None = None
) -> list[EncodedConversation]:
    """Token ids of whole conversations, each at most `max_length` long.

    Raises:
        ValueError: a transcript without a response, one whose turns after the prompt do not
            begin with the assistant and alternate, or responses that alone exceed `max_length`.
    """
    require_responses(transcripts)
    closing = _closing_ids(tokenizer)
    said = iter(tokenizer.encode_batch([text for t in transcripts for text in t.responses]))
    prompts: dict[tuple[Message, ...], list[int]] = {}  # the samples of one prompt stand together in a batch
    encoded = []
    for i, transcript in enumerate(transcripts):
        responses = [next(said) for _ in transcript.responses]
        if transcript.prompt not in prompts:
            prompts[transcript.prompt] = tokenizer.prompt_ids(transcript.prompt)
        conversation = _join(tokenizer, transcript, prompts[transcript.prompt], responses, closing, i)
        if max_length is not None and len(conversation.ids) > max_length:
            conversation = _shorten(tokenizer, transcript, conversation, responses, closing, max_length, i)
        encoded.append(conversation)
    return encoded


def response_spans(
    tokenizer: ChatTokenizer, conversation: EncodedConversation, values: np.ndarray, transcript: Transcript
) -> SpanRewards:
    """Per-token values of one conversation as rewards per character span of its responses.

    Args:
        values: (L,) float32, one a token of `conversation.ids`; read at the responses only.
    """
    message, start, end, value = [], [], [], []
    for response in conversation.responses:
        length = len(transcript.messages[response.message].content)
        text = conversation.ids[response.start : response.stop - 1]
        ends = np.minimum(tokenizer.char_ends(text), length) if text else np.zeros(0, dtype=np.int64)
        if text:
            ends[-1] = length
        message.append(np.full(len(text) + 1, response.message, dtype=np.int64))
        start.append(np.concatenate([np.zeros(min(1, len(text)), dtype=np.int64), ends[:-1], [length]]))
        end.append(np.concatenate([ends, [length]]))
        value.append(values[response.start : response.stop])
    return SpanRewards(
        message=np.concatenate(message),
        start=np.concatenate(start).astype(np.int64),
        end=np.concatenate(end).astype(np.int64),
        value=np.concatenate(value).astype(np.float32),
    )


def _join(
    tokenizer: ChatTokenizer,
    transcript: Transcript,
    prompt_ids: Sequence[int],
    response_ids: Sequence[Sequence[int]],
    closing: Sequence[int],
    where: int,
) -> EncodedConversation:
    messages, turn = transcript.messages, transcript.num_prompt_messages
    ids, responses = list(prompt_ids), []
    for text in response_ids:
        after = next((k for k in range(turn + 1, len(messages)) if messages[k].role == "assistant"), len(messages))
        if messages[turn].role != "assistant" or after == turn + 1 < len(messages):
            raise ValueError(
                f"transcripts[{where}] must take turns after its prompt, the assistant first, "
                f"got roles {[m.role for m in messages[transcript.num_prompt_messages :]]}"
            )
        start = len(ids)
        ids += [*text, tokenizer.end_of_turn]
        responses.append(ResponseTokens(turn, start, len(ids)))
        ids += tokenizer.continuation_ids(messages[:after], turn + 1) if after > turn + 1 else closing
        turn = after
    return EncodedConversation(ids, tuple(responses), 0)


def _shorten(
    tokenizer: ChatTokenizer,
    transcript: Transcript,
    conversation: EncodedConversation,
    response_ids: Sequence[Sequence[int]],
    closing: Sequence[int],
    max_length: int,
    where: int,
) -> EncodedConversation:
    """The conversation with the ends of its longest other messages cut."""
    whole, messages = len(conversation.ids), list(transcript.messages)
    others = set(range(len(messages))) - {r.message for r in conversation.responses}
    while len(conversation.ids) > max_length:
        contents = {k: tokenizer.encode(messages[k].content) for k in others if messages[k].content}
        if not contents:
            raise ValueError(
                f"transcripts[{where}] does not fit the reward model: with all else cut its responses are "
                f"{len(conversation.ids)} tokens long and the model has {max_length} positions"
            )
        longest = max(contents, key=lambda k: len(contents[k]))
        ids, text = contents[longest], messages[longest].content
        kept = max(0, len(ids) - (len(conversation.ids) - max_length))
        num_chars = int(tokenizer.char_ends(ids[:kept])[-1]) if kept else 0
        messages[longest] = messages[longest]._replace(content=text[: min(num_chars, len(text) - 1)])
        cut = Transcript(tuple(messages), num_prompt_messages=transcript.num_prompt_messages)
        conversation = _join(tokenizer, cut, tokenizer.prompt_ids(cut.prompt), response_ids, closing, where)
    return conversation._replace(prompt_tokens_cut=whole - len(conversation.ids))


def _closing_ids(tokenizer: ChatTokenizer) -> list[int]:
    """What the chat template writes after the last end-of-turn (a line break, for many)."""
    hf = tokenizer.hf
    if hf.chat_template is None:
        return []
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    text = hf.apply_chat_template(turns, tokenize=False)
    _, found, tail = text.rpartition(hf.convert_ids_to_tokens(tokenizer.end_of_turn))
    return hf(tail, add_special_tokens=False).input_ids if found and tail else []


def _load_hf(path: Any) -> Any:
    from transformers import AutoTokenizer

    place = find_model(path, "tokenizer")
    return AutoTokenizer.from_pretrained(place.name, **place.options)
