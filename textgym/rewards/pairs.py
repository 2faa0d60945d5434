"""Pairs through the network: both responses of a prompt in one row, the prompt computed once.

A row is [shared beginning, rest of chosen, rest of rejected]; the attention mask keeps the two
rests apart and position ids let each continue the shared beginning, so that every token computes
exactly what it would in a row of its own, at little more than half of the cost. That needs a
causal network with a head per token; all others get two rows a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from textgym.feedback.preferences import Preference
from textgym.models.tokenizer import ChatTokenizer
from textgym.rewards.encoding import EncodedConversation, encode_conversations
from textgym.rewards.network import Kind, outputs, pad, padding_id


class EncodedPair(NamedTuple):
    chosen: EncodedConversation
    rejected: EncodedConversation
    num_shared: int  # tokens that both begin with, at most up to the first response

    @property
    def row_length(self) -> int:
        return len(self.chosen.ids) + len(self.rejected.ids) - self.num_shared


class PairRows(NamedTuple):
    """B pairs, a row each, padded on the right."""

    tokens: Tensor  # (B, T) int64
    position_ids: Tensor  # (B, T) int64
    mask: Tensor  # (B, 1, T, T) bool, True where the query (third axis) may look
    is_chosen: Tensor  # (B, T) bool, True at the chosen response's tokens
    is_rejected: Tensor  # (B, T) bool


def encode_pairs(
    tokenizer: ChatTokenizer, preferences: Sequence[Preference], max_length: int | None
) -> list[EncodedPair]:
    """Both conversations of every preference as tokens."""
    transcripts = [t for p in preferences for t in p.transcripts]
    encoded = encode_conversations(tokenizer, transcripts, max_length)
    pairs = []
    for chosen, rejected in zip(encoded[::2], encoded[1::2], strict=True):
        limit = min(chosen.responses[0].start, rejected.responses[0].start)
        shared = next((i for i in range(limit) if chosen.ids[i] != rejected.ids[i]), limit)
        pairs.append(EncodedPair(chosen, rejected, shared))
    return pairs


def score_pairs(
    model: Any, kind: Kind, pairs: Sequence[EncodedPair], padding: int, shares_prompt: bool
) -> tuple[Tensor, Tensor]:
    """Float32 scores of the chosen and of the rejected ones, (B,) each, with gradients."""
    device = model.get_input_embeddings().weight.device
    if not shares_prompt:
        conversations = [c for pair in pairs for c in pair[:2]]
        batch = pad(conversations, padding_id(model, kind, conversations, padding), device)
        scores = outputs(model, kind, batch)[0].squeeze(-1)
        return scores[::2], scores[1::2]
    rows = PairRows(*(t.to(device) for t in to_rows(pairs, padding)))
    mask = rows.mask
    if getattr(model.config, "_attn_implementation", "sdpa") != "sdpa":
        additive = torch.zeros(mask.shape, dtype=model.dtype, device=device)
        mask = additive.masked_fill_(~mask, torch.finfo(additive.dtype).min)
    values = model(input_ids=rows.tokens, attention_mask=mask, position_ids=rows.position_ids, use_cache=False)
    dense = values.logits.float().squeeze(-1)
    return tuple(torch.where(m, dense, 0.0).sum(dim=1) for m in (rows.is_chosen, rows.is_rejected))  # type: ignore[return-value]


def to_rows(pairs: Sequence[EncodedPair], padding: int) -> PairRows:
    """Pairs as rows."""
    b, t = len(pairs), max(pair.row_length for pair in pairs)
    tokens = torch.full((b, t), padding, dtype=torch.int64)
    position_ids = torch.zeros((b, t), dtype=torch.int64)
    group = torch.full((b, t), 3, dtype=torch.int8)  # 0 shared, 1 chosen, 2 rejected, 3 padding
    is_response = torch.zeros((2, b, t), dtype=torch.bool)
    for row, (chosen, rejected, shared) in enumerate(pairs):
        tokens[row, :shared] = torch.tensor(chosen.ids[:shared])
        position_ids[row, :shared] = torch.arange(shared)
        group[row, :shared] = 0
        start = shared
        for side, conversation in enumerate((chosen, rejected)):
            stop = start + len(conversation.ids) - shared
            tokens[row, start:stop] = torch.tensor(conversation.ids[shared:])
            position_ids[row, start:stop] = torch.arange(shared, len(conversation.ids))
            group[row, start:stop] = side + 1
            for response in conversation.responses:
                is_response[side, row, start - shared + response.start : start - shared + response.stop] = True
            start = stop
    query, key = group[:, :, None], group[:, None, :]
    mask = torch.ones((t, t), dtype=torch.bool).tril() & ((key == 0) | (key == query))
    mask |= torch.eye(t, dtype=torch.bool)  # padding looks at itself, or its softmax would be empty
    return PairRows(tokens, position_ids, mask[:, None], is_response[0], is_response[1])


@torch.no_grad()
def can_share_prompts(model: Any, kind: Kind, pairs: Sequence[EncodedPair], padding: int) -> bool:
    """Whether one row a pair gives this network's scores: tried out, not looked up in a list of names."""
    if kind != "token" or not _is_causal(model):
        return False
    plain, shared = (torch.cat(score_pairs(model, kind, pairs, padding, shares)) for shares in (False, True))
    return bool(torch.allclose(plain, shared, atol=1e-3, rtol=1e-3))


def _is_causal(model: Any) -> bool:
    """Whether what comes later leaves an output alone."""
    device = model.get_input_embeddings().weight.device
    a, b = (model(input_ids=torch.tensor([[1, 2, 3, last]], device=device)).logits[0, :3] for last in (1, 2))
    return bool(torch.allclose(a, b, atol=1e-6))
