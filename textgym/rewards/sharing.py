"""Conversations with one beginning in one row: the prompt is computed once for all its responses.

A row is [shared beginning, rest of the first, rest of the second, …]; the attention mask keeps the
rests apart and position ids let each continue the beginning, so that every token computes exactly
what it would in a row of its own. A pair of responses costs little more than half that way, eight
samples of a prompt a third. It needs a causal network with an output a token; whether a network
can do it is tried out, and the others get a row a conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from textgym.feedback.preferences import Preference
from textgym.models.tokenizer import ChatTokenizer
from textgym.rewards.encoding import EncodedConversation, encode_conversations
from textgym.rewards.network import Kind, outputs, pad, padding_id
from textgym.types import Message, Transcript

MAX_ROW = 512  # tokens: attention grows with the square of a row


class SharedRow(NamedTuple):
    """Conversations that begin with the same `num_shared` tokens, at most up to the first response."""

    conversations: tuple[EncodedConversation, ...]
    num_shared: int

    @property
    def length(self) -> int:
        return self.num_shared + sum(len(c.ids) - self.num_shared for c in self.conversations)


class RowBatch(NamedTuple):
    """B rows, padded on the right."""

    tokens: Tensor  # (B, T) int64
    position_ids: Tensor  # (B, T) int64
    mask: Tensor  # (B, 1, T, T) bool, True where the query (third axis) may look
    owner: Tensor  # (B, T) int64, which conversation of the row a token is of; -1 shared, -2 padding
    response_mask: Tensor  # (B, T) bool, True at the responses' tokens


class Comparisons(NamedTuple):
    """Judged pairs of one prompt: each conversation is computed once, however often it was compared.

    The K·(K-1)/2 comparisons of K texts as one element of a batch (Ouyang et al. 2022, 3.5).
    """

    rows: tuple[SharedRow, ...]
    chosen: tuple[int, ...]  # of each pair, the index of its conversation among those of the rows
    rejected: tuple[int, ...]
    pairs: tuple[int, ...]  # of each pair, its index among the preferences

    @property
    def conversations(self) -> list[EncodedConversation]:
        return [c for row in self.rows for c in row.conversations]

    @property
    def length(self) -> int:
        """Tokens of the longest row."""
        return max(row.length for row in self.rows)


class Responses(NamedTuple):
    """Rated responses to one prompt: rows of conversations, each a judged text of its own."""

    rows: tuple[SharedRow, ...]
    members: tuple[int, ...]  # of each conversation of the rows, its index among the responses

    @property
    def length(self) -> int:
        """Tokens of the longest row."""
        return max(row.length for row in self.rows)


def encode_responses(
    tokenizer: ChatTokenizer, transcripts: Sequence[Transcript], max_length: int | None
) -> list[Responses]:
    """Conversations in rows of up to `MAX_ROW` tokens, a group a row; those of a prompt share one."""
    encoded = encode_conversations(tokenizer, transcripts, max_length)
    groups = group_by_prompt(encoded)
    return [Responses((to_row([encoded[i] for i in group]),), tuple(group)) for group in groups]


def encode_comparisons(
    tokenizer: ChatTokenizer, preferences: Sequence[Preference], max_length: int | None, max_pairs: int = 64
) -> list[Comparisons]:
    """The preferences, those of a prompt together: up to `max_pairs` a group, in rows of up to `MAX_ROW` tokens."""
    numbers: dict[tuple[Any, ...], int] = {}
    unique: list[Transcript] = []
    pairs: list[tuple[int, int]] = []
    for preference in preferences:
        found = []
        for transcript in preference.transcripts:
            key = (transcript.messages, transcript.num_prompt_messages)
            if numbers.setdefault(key, len(unique)) == len(unique):
                unique.append(transcript)
            found.append(numbers[key])
        pairs.append((found[0], found[1]))
    encoded = encode_conversations(tokenizer, unique, max_length)
    by_prompt: dict[tuple[Message, ...], list[int]] = {}
    for n, preference in enumerate(preferences):
        by_prompt.setdefault(preference.prompt, []).append(n)
    groups = []
    for members in by_prompt.values():
        members.sort(key=lambda n: sorted(pairs[n]))  # pairs that share a text stay together
        for start in range(0, len(members), max_pairs):
            groups.append(_comparisons(encoded, pairs, members[start : start + max_pairs]))
    return groups


def _comparisons(
    encoded: Sequence[EncodedConversation], pairs: Sequence[tuple[int, int]], members: Sequence[int]
) -> Comparisons:
    texts = list(dict.fromkeys(t for n in members for t in pairs[n]))
    groups = group_by_prompt([encoded[t] for t in texts])
    place = {texts[k]: i for i, k in enumerate(k for group in groups for k in group)}
    rows = tuple(to_row([encoded[texts[k]] for k in group]) for group in groups)
    chosen, rejected = (tuple(place[pairs[n][side]] for n in members) for side in (0, 1))
    return Comparisons(rows, chosen, rejected, tuple(members))


def group_by_prompt(conversations: Sequence[EncodedConversation]) -> list[list[int]]:
    """Indices of conversations with the same prompt, in groups whose rows are at most `MAX_ROW` tokens."""
    groups: dict[tuple[int, ...], list[list[int]]] = {}
    for i, conversation in enumerate(conversations):
        prompt = tuple(conversation.ids[: conversation.responses[0].start])
        of_prompt = groups.setdefault(prompt, [[]])
        size = sum(len(conversations[k].ids) - len(prompt) for k in of_prompt[-1])
        if of_prompt[-1] and size + len(conversation.ids) > MAX_ROW:
            of_prompt.append([])
        of_prompt[-1].append(i)
    return [group for of_prompt in groups.values() for group in of_prompt]


def to_row(conversations: Sequence[EncodedConversation]) -> SharedRow:
    """A row of conversations with the same prompt."""
    return SharedRow(tuple(conversations), conversations[0].responses[0].start)


def token_values(model: Any, rows: Sequence[SharedRow], padding: int) -> tuple[Tensor, RowBatch]:
    """(B, T) float32 outputs at the responses' tokens, 0 elsewhere, and the batch they belong to."""
    device = model.get_input_embeddings().weight.device
    batch = RowBatch(*(t.to(device) for t in to_batch(rows, padding)))
    mask = batch.mask
    if getattr(model.config, "_attn_implementation", "sdpa") != "sdpa":
        additive = torch.zeros(mask.shape, dtype=model.dtype, device=device)
        mask = additive.masked_fill_(~mask, torch.finfo(additive.dtype).min)
    out = model(input_ids=batch.tokens, attention_mask=mask, position_ids=batch.position_ids, use_cache=False)
    return torch.where(batch.response_mask, out.logits.float().squeeze(-1), 0.0), batch


def split_values(values: Tensor, rows: Sequence[SharedRow]) -> list[list[Tensor]]:
    """(B, T) values as one tensor a conversation, (L,) with zeros at the shared beginning."""
    parts = []
    for row, dense in zip(rows, values, strict=True):
        start, of_row = row.num_shared, []
        for conversation in row.conversations:
            stop = start + len(conversation.ids) - row.num_shared
            of_row.append(torch.cat([dense.new_zeros(row.num_shared), dense[start:stop]]))
            start = stop
        parts.append(of_row)
    return parts


def score_comparisons(
    model: Any, kind: Kind, groups: Sequence[Comparisons], padding: int, shares_prompt: bool
) -> tuple[Tensor, Tensor]:
    """Float32 scores of the chosen and of the rejected ones, (pairs of all groups,) each, with gradients.

    (pairs, K) each for a network with K > 1 outputs.
    """
    scores = score_rows(model, kind, [row for group in groups for row in group.rows], padding, shares_prompt)
    starts = np.cumsum([0, *(len(group.conversations) for group in groups)])
    chosen = [start + k for start, group in zip(starts, groups, strict=False) for k in group.chosen]
    rejected = [start + k for start, group in zip(starts, groups, strict=False) for k in group.rejected]
    return scores[chosen], scores[rejected]


def score_rows(model: Any, kind: Kind, rows: Sequence[SharedRow], padding: int, shares_prompt: bool) -> Tensor:
    """Float32 scores of all rows' conversations, (n,), with gradients; (n, K) for a network with K > 1 outputs."""
    if shares_prompt:
        values, batch = token_values(model, rows, padding)
        most = max(len(row.conversations) for row in rows)
        table = values.new_zeros(len(rows), most + 2).scatter_add(1, batch.owner + 2, values)[:, 2:]
        return torch.cat([table[i, : len(row.conversations)] for i, row in enumerate(rows)])
    conversations = [c for row in rows for c in row.conversations]
    padding = padding_id(model, kind, conversations, padding)
    batch_of_all = pad(conversations, padding, model.get_input_embeddings().weight.device)
    return outputs(model, kind, batch_of_all)[0].squeeze(-1)


def to_batch(rows: Sequence[SharedRow], padding: int) -> RowBatch:
    """Rows as tensors, padded to the longest, and to a multiple of 8: kernels are compiled for fewer shapes."""
    size = (len(rows), -(-max(row.length for row in rows) // 8) * 8)
    tokens = torch.full(size, padding, dtype=torch.int64)
    position_ids = torch.zeros(size, dtype=torch.int64)
    owner = torch.full(size, -2, dtype=torch.int64)
    response_mask = torch.zeros(size, dtype=torch.bool)
    for i, (conversations, shared) in enumerate(rows):
        tokens[i, :shared] = torch.tensor(conversations[0].ids[:shared], dtype=torch.int64)
        position_ids[i, :shared] = torch.arange(shared)
        owner[i, :shared] = -1
        start = shared
        for k, conversation in enumerate(conversations):
            stop = start + len(conversation.ids) - shared
            tokens[i, start:stop] = torch.tensor(conversation.ids[shared:])
            position_ids[i, start:stop] = torch.arange(shared, len(conversation.ids))
            owner[i, start:stop] = k
            for response in conversation.responses:
                response_mask[i, start - shared + response.start : start - shared + response.stop] = True
            start = stop
    query, key = owner[:, :, None], owner[:, None, :]
    mask = torch.ones((size[1], size[1]), dtype=torch.bool).tril() & ((key == -1) | (key == query))
    mask |= torch.eye(size[1], dtype=torch.bool)  # nothing sees nothing: its softmax would be empty
    return RowBatch(tokens, position_ids, mask[:, None], owner, response_mask)


@torch.no_grad()
def can_share_prompts(model: Any, kind: Kind, rows: Sequence[SharedRow], padding: int) -> bool:
    """Whether rows of several conversations give this network's scores: tried out on some, not looked up."""
    if kind != "token" or not _is_causal(model):
        return False
    conversations = [c for row in rows for c in row.conversations]
    plain = outputs(model, kind, pad(conversations, padding, model.get_input_embeddings().weight.device))[0][:, 0]
    values, _ = token_values(model, rows, padding)
    shared = torch.stack([v.sum() for of_row in split_values(values, rows) for v in of_row])
    tolerance = 1e-3 if model.dtype == torch.float32 else 0.1
    return bool(torch.allclose(plain, shared, atol=tolerance, rtol=tolerance))


def _is_causal(model: Any) -> bool:
    """Whether what comes later leaves an output alone."""
    device = model.get_input_embeddings().weight.device
    a, b = (model(input_ids=torch.tensor([[1, 2, 3, last]], device=device)).logits[0, :3] for last in (1, 2))
    return bool(torch.allclose(a, b, atol=1e-6))
