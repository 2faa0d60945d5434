"""Supervised tuning of a language model on conversations: the start of every RLHF run.

The loss is the mean negative log-likelihood of the assistant's tokens, plus a lighter one of
everything else (a small model that starts from nothing learns to read from the prompts too).

    for episodes in batches: loss = -Σ w·log π(token) / Σ w
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from textgym.models.arithmetic import arithmetic
from textgym.models.language_model import trunk
from textgym.models.tokenizer import ChatTokenizer
from textgym.types import Message

from .packing import Episode, pack


@dataclass(frozen=True)
class SupervisedConfig:
    num_steps: int = 1000
    part_size: int = 16  # conversations in a forward pass
    learning_rate: float = 2e-3
    muon: bool = False  # from-scratch training: fewer steps to the same loss (Jordan et al. 2024)
    muon_learning_rate: float = 1e-2
    warmup_steps: int = 50
    final_lr_fraction: float = 0.1  # cosine decay ends here
    weight_decay: float = 0.01
    prompt_weight: float = 0.1  # weight of tokens the assistant did not write; 0: its own only
    max_grad_norm: float = 1.0
    dtype: torch.dtype = torch.bfloat16
    compile: bool = False  # passes through torch.compile: about a minute to start, and less a step


def encode_conversation(tokenizer: ChatTokenizer, messages: Sequence[Message], num_prompt_messages: int) -> Episode:
    """A finished conversation in the very tokens that an env would hold."""
    prompt = tokenizer.prompt_ids(messages[:num_prompt_messages])
    ids: list[int] = []
    chosen: list[bool] = []
    k = num_prompt_messages
    while k < len(messages):
        response = [*tokenizer.encode(messages[k].content), tokenizer.end_of_turn]
        ids += response
        chosen += [True] * len(response)
        start = k + 1
        k = start
        while k < len(messages) and messages[k].role != "assistant":
            k += 1
        if k < len(messages):
            others = tokenizer.continuation_ids(messages[:k], start)
            ids += others
            chosen += [False] * len(others)
    return Episode(prompt, ids, chosen)


def tune(
    model: Any,
    batches: Iterable[Sequence[Episode]],
    config: SupervisedConfig,
    report: Callable[[int, float], None] | None = None,
) -> float:
    """Trains `model` in place; returns the mean loss (nats a weighted token) of the last tenth of the steps.

    Args:
        batches: at least `config.num_steps` batches of conversations.
        report: called with (step, loss) every 100 steps.
    """
    optimizers = make_optimizers(model, config)
    device = next(model.parameters()).device
    losses: list[float] = []
    model.train()
    for step, episodes in zip(range(config.num_steps), batches, strict=False):
        set_learning_rates(optimizers, step, config)
        total_weight, total = 0.0, torch.zeros((), device=device)
        # Sorted by length, in parts that fit a CPU's caches: little padding, attention over short rows only.
        by_length = sorted(episodes, key=lambda e: len(e.prompt) + len(e.continuation))
        parts = [by_length[i : i + config.part_size] for i in range(0, len(by_length), config.part_size)]
        made = [_weighted(part, config.prompt_weight) for part in parts]
        total_weight = sum(float(w.sum()) for _, w in made)
        for packed, weight in made:
            packed = packed.to(device)
            with arithmetic(device, config.dtype, compiles=config.compile):
                hidden = trunk(model, packed.tokens, packed.position_ids, packed.mask)
                hidden = hidden.reshape(-1, hidden.shape[-1])[packed.source]
                logits = model.get_output_embeddings()(hidden)
            nll = torch.nn.functional.cross_entropy(logits.float(), packed.target, reduction="none")
            loss = (nll * weight.to(device)).sum() / total_weight
            loss.backward()
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(float(total))
        if report is not None and (step + 1) % 100 == 0:
            report(step + 1, sum(losses[-100:]) / 100)
    model.eval()
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail)


def make_optimizers(model: Any, config: SupervisedConfig) -> list[torch.optim.Optimizer]:
    """AdamW; or, with `muon`, Muon for the trunk's matrices and AdamW for embeddings, heads and norms."""
    trunk_matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    inner = {id(p) for p in model.base_model.parameters()} - {id(model.get_input_embeddings().weight)}
    for parameter in model.parameters():
        is_matrix = config.muon and parameter.ndim == 2 and id(parameter) in inner
        (trunk_matrices if is_matrix else others).append(parameter)
    adamw = torch.optim.AdamW(
        others, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.95), fused=True
    )
    optimizers: list[torch.optim.Optimizer] = [adamw]
    if trunk_matrices:
        optimizers.append(
            torch.optim.Muon(
                trunk_matrices,
                lr=config.muon_learning_rate,
                weight_decay=config.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    for group in (g for o in optimizers for g in o.param_groups):
        group["initial_lr"] = group["lr"]
    return optimizers


def set_learning_rates(optimizers: Sequence[torch.optim.Optimizer], step: int, config: SupervisedConfig) -> None:
    """Linear warm-up, then half a cosine down to `final_lr_fraction`."""
    for group in (g for o in optimizers for g in o.param_groups):
        group["lr"] = group["initial_lr"] * _schedule(step, config)


def _schedule(step: int, config: SupervisedConfig) -> float:
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.num_steps - config.warmup_steps)
    low = config.final_lr_fraction
    return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress))


def _weighted(episodes: Sequence[Episode], prompt_weight: float) -> tuple[Any, torch.Tensor]:
    """Packs with a weight for every predicted token: 1 for the assistant's, `prompt_weight` for the rest."""
    if prompt_weight == 0:
        packed = pack(episodes)
        return packed, torch.ones(len(packed.target))
    whole, weights = [], []
    for e in episodes:
        rest = [*e.prompt[1:], *e.continuation]
        whole.append(Episode(e.prompt[:1], rest, [True] * len(rest)))
        weights.append([prompt_weight] * (len(e.prompt) - 1) + [1.0 if c else prompt_weight for c in e.chosen])
    packed = pack(whole, row_tokens=1)  # no sharing: every row is a conversation
    return packed, torch.tensor([w for row in weights for w in row])
