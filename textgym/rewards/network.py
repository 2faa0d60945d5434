"""The network under a learned reward model: which kinds there are, its batches, its forward pass.

Two kinds of standard Hugging Face checkpoints are reward models here. "sequence"
(`AutoModelForSequenceClassification`): outputs once a conversation. "token"
(`AutoModelForTokenClassification` with one label): an output a token; those of the responses add
up to the score. Used alike by scoring and by training, so that both see the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from textgym.models.language_model import quietly
from textgym.models.places import find_model, says_what_failed
from textgym.rewards.encoding import EncodedConversation

Kind = Literal["token", "sequence"]
HEADS: dict[Kind, str] = {"token": "ForTokenClassification", "sequence": "ForSequenceClassification"}

MEMBERS = "textgym_members"  # of the checkpoint's config: how many of an ensemble its outputs are


class RewardBatch(NamedTuple):
    """B conversations, padded on the right to the longest."""

    tokens: Tensor  # (B, T) int64
    mask: Tensor  # (B, T) int64, 1 at real tokens
    response_mask: Tensor  # (B, T) bool, True at the responses' tokens, end-of-turn included
    segments: Tensor  # (B, T) int64, 0 before the first response and 1 from there on


def kind_of(architectures: Sequence[str], name: str) -> Kind:
    """The kind of a reward model, by the name of its class.

    Raises:
        ValueError: it has no reward head.
    """
    for kind, suffix in HEADS.items():
        if any(a.endswith(suffix) for a in architectures):
            return kind
    raise ValueError(
        f"{name} has no trained reward head: its architecture is {list(architectures) or 'unknown'}, a reward model's "
        f"is one of {['…' + suffix for suffix in HEADS.values()]}; train_reward_model trains one"
    )


def load_network(path: str | Path, dtype: torch.dtype) -> tuple[Any, Kind]:
    """A checkpoint with its trained head, in evaluation mode.

    Raises:
        ValueError: nothing that loads, no reward head, or weights that the checkpoint lacks.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification

    place = find_model(path, "reward")
    with says_what_failed(f"reward model {str(path)!r} could not be loaded"):
        architectures = AutoConfig.from_pretrained(place.name, **place.options).architectures or []
    kind = kind_of(architectures, f"reward model {str(path)!r}")
    auto = AutoModelForTokenClassification if kind == "token" else AutoModelForSequenceClassification
    with says_what_failed(f"reward model {str(path)!r} could not be loaded"), quietly():
        # transformers 5 would otherwise take the checkpoint's own dtype
        model, info = auto.from_pretrained(place.name, dtype=dtype, output_loading_info=True, **place.options)
    missing = sorted(info["missing_keys"])
    if missing:
        raise ValueError(
            f"reward model {str(path)!r} lacks trained weights for {missing[:4]}{' …' if len(missing) > 4 else ''}; "
            "scoring with random ones would mean nothing"
        )
    return model.eval(), kind


def max_positions(config: Any) -> int | None:
    """How many tokens the model can tell apart by position; None where nothing is declared."""
    limit = getattr(config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit <= 0:
        return None
    # RoBERTa's position embeddings start after the padding index
    is_offset = getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert", "longformer", "mpnet")
    return limit - (config.pad_token_id or 0) - 1 if is_offset else limit


def pad(conversations: Sequence[EncodedConversation], padding: int, device: torch.device | str = "cpu") -> RewardBatch:
    """Conversations as one batch; real tokens keep positions 0, 1, 2, … as they would alone."""
    size = (len(conversations), max(len(c.ids) for c in conversations))
    tokens = torch.full(size, padding, dtype=torch.int64)
    mask = torch.zeros(size, dtype=torch.int64)
    response_mask = torch.zeros(size, dtype=torch.bool)
    segments = torch.zeros(size, dtype=torch.int64)
    for row, conversation in enumerate(conversations):
        n = len(conversation.ids)
        tokens[row, :n] = torch.tensor(conversation.ids)
        mask[row, :n] = 1
        segments[row, conversation.responses[0].start : n] = 1
        for response in conversation.responses:
            response_mask[row, response.start : response.stop] = True
    return RewardBatch(*(t.to(device) for t in (tokens, mask, response_mask, segments)))


def padding_id(model: Any, kind: Kind, conversations: Sequence[EncodedConversation], default: int) -> int:
    """The id to pad with.

    A sequence model finds a conversation's last token by comparing ids with `config.pad_token_id`,
    so it gets that one. Where none is set, one that occurs nowhere in the batch is lent to it.
    """
    if kind == "token":
        return default
    config = model.config.get_text_config()
    if config.pad_token_id is not None and not getattr(model, "_textgym_lends_padding", False):
        return int(config.pad_token_id)
    used = {i for c in conversations for i in c.ids}
    model._textgym_lends_padding = True
    config.pad_token_id = next(i for i in range(model.get_input_embeddings().weight.shape[0]) if i not in used)
    return int(config.pad_token_id)


def outputs(model: Any, kind: Kind, batch: RewardBatch) -> tuple[Tensor, Tensor | None]:
    """Float32 scores (B, K) of K outputs, and for kind "token" the values behind them, (B, T), 0 off the responses."""
    extra: dict[str, Any] = {}
    if getattr(model.config, "type_vocab_size", 0) >= 2:  # BERT: prompt and response are segments 0 and 1
        extra["token_type_ids"] = batch.segments
    if getattr(model.config, "use_cache", False):
        extra["use_cache"] = False
    logits = model(input_ids=batch.tokens, attention_mask=batch.mask, **extra).logits.float()
    if kind == "sequence":
        return logits, None
    values = torch.where(batch.response_mask, logits.squeeze(-1), 0.0)
    return values.sum(dim=1, keepdim=True), values
