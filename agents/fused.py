"""From hidden states to log-probabilities and entropies without a table of tokens × vocabulary.

Logits are made a chunk of tokens at a time and made again in the backward pass, so a step keeps
(N, H) and never (N, V): for a vocabulary of 150,000 that is the difference between 8 MB and 10 GB.
The gradients are written out, with p = softmax(z) and H the entropy:

    ∂ log p_target / ∂z = onehot(target) − p          ∂H / ∂z = −p · (log p + H)

Heads that do more than a linear map (a cap, a scale, an adapter) go through `torch.utils.checkpoint`
in the same chunks.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from textgym.models.language_model import head

CHUNK_LOGITS = 2**20  # logits made at once on a CPU, 4 MB of float32, which a cache holds
CHUNK_LOGITS_GPU = 2**27
FAR_BELOW = -1e9  # a logit whose probability is exactly 0, and finite, so that 0 times it is 0


def chosen_statistics(
    model: Any,
    hidden: Tensor,
    target: Tensor,
    forbidden: Tensor | None = None,
    temperature: float = 1.0,
    wants_entropy: bool = True,
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of `target` and entropies, nats, under the model's head.

    Args:
        hidden: (N, H) states from which the tokens are predicted.
        target: (N,) int64.
        forbidden: (V,) bool, True for ids of probability zero.
        temperature: of the distribution, above 0.
        wants_entropy: False where nobody will look at the entropies, which are then 0: half the work on a table.

    Returns:
        Two (N,) float32 tensors; both carry gradients to `hidden` and the head.
    """
    layer = model.get_output_embeddings()
    chunk = max(1, (CHUNK_LOGITS if hidden.device.type == "cpu" else CHUNK_LOGITS_GPU) // layer.weight.shape[0])
    if _is_plain(model, layer):
        dtype = torch.get_autocast_dtype(hidden.device.type) if _autocasts(hidden) else layer.weight.dtype
        bias = _bias(layer, forbidden, temperature)
        return _Chosen.apply(hidden, layer.weight, bias, target, 1.0 / temperature, chunk, dtype, wants_entropy)
    parts = []
    for h, t in zip(hidden.split(chunk), target.split(chunk), strict=True):
        parts.append(checkpoint(_plainly, model, h, t, forbidden, temperature, use_reentrant=False))
    if not parts:
        return hidden.new_zeros(0, dtype=torch.float32), hidden.new_zeros(0, dtype=torch.float32)
    logprobs, entropy = zip(*parts, strict=True)
    return torch.cat(logprobs), torch.cat(entropy)


def _is_plain(model: Any, layer: Any) -> bool:
    config = model.config.get_text_config()
    names = ("logit_scale", "logits_scaling", "final_logit_softcapping")  # what `head` knows
    does_more = any(getattr(config, name, None) is not None for name in names)
    return type(layer) is nn.Linear and not does_more


def _autocasts(x: Tensor) -> bool:
    return torch.is_autocast_enabled(x.device.type)


def _bias(layer: nn.Linear, forbidden: Tensor | None, temperature: float) -> Tensor:
    """(V,) float32 that is added to the logits: the head's own bias, and far below zero where forbidden."""
    zeros = layer.weight.new_zeros(layer.weight.shape[0], dtype=torch.float32)
    bias = zeros if layer.bias is None else layer.bias.float() / temperature
    return bias if forbidden is None else bias.masked_fill(forbidden, FAR_BELOW)


def _plainly(model: Any, hidden: Tensor, target: Tensor, forbidden: Tensor | None, temperature: float) -> Any:
    logits = head(model, hidden) / temperature
    if forbidden is not None:
        logits = logits.masked_fill(forbidden, FAR_BELOW)
    log_all = torch.log_softmax(logits, dim=-1)
    return log_all.gather(1, target[:, None]).squeeze(1), -(log_all.exp() * log_all).sum(dim=-1)


class _Chosen(torch.autograd.Function):
    """`chosen_statistics` of a linear head; gradients go to the states, the weight and the bias."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Tensor,
        scale: float,
        chunk: int,
        dtype: torch.dtype,
        wants_entropy: bool,
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        n = len(hidden)
        logprobs = torch.empty(n, device=hidden.device)
        entropy = torch.zeros(n, device=hidden.device)
        normaliser = torch.empty(n, device=hidden.device)
        matrix = weight.to(dtype)
        for start in range(0, n, chunk):
            part = slice(start, min(start + chunk, n))
            z = _logits(hidden[part].to(dtype), matrix, bias, scale)
            normaliser[part] = lse = torch.logsumexp(z, dim=-1)
            logprobs[part] = z.gather(1, target[part, None]).squeeze(1) - lse
            if wants_entropy:
                # Σ p·z without a third table: forbidden logits are finite and their p is exactly 0
                p = (z - lse[:, None]).exp_()
                entropy[part] = lse - torch.linalg.vecdot(p, z)
        ctx.save_for_backward(hidden, weight, bias, target, normaliser, entropy)
        ctx.options = scale, chunk, dtype
        return logprobs, entropy

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, target, normaliser, entropy = ctx.saved_tensors
        scale, chunk, dtype = ctx.options
        of_logprob, of_entropy = gradients
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        to_hidden = torch.empty_like(hidden) if needs_hidden else None
        to_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device) if needs_weight else None
        to_bias = torch.zeros_like(bias) if needs_bias else None
        matrix = weight.to(dtype)
        for start in range(0, len(hidden), chunk):
            part = slice(start, min(start + chunk, len(hidden)))
            states = hidden[part].to(dtype)
            z = _logits(states, matrix, bias, scale).sub_(normaliser[part, None])
            gradient = z.exp()
            if of_entropy is None:
                gradient.mul_(-_column(of_logprob, part))
            else:
                inner = z.add_(entropy[part, None]).mul_(of_entropy[part, None])
                if of_logprob is not None:
                    inner.add_(of_logprob[part, None])
                gradient.mul_(inner.neg_())
            if of_logprob is not None:
                gradient.scatter_add_(1, target[part, None], of_logprob[part, None])
            if to_bias is not None:
                to_bias += gradient.sum(0)
            gradient = gradient.to(dtype)
            if to_hidden is not None:
                to_hidden[part] = (gradient @ matrix).mul_(scale)
            if to_weight is not None:
                to_weight.add_(gradient.t() @ states, alpha=scale)
        to_weight = None if to_weight is None else to_weight.to(weight.dtype)
        return to_hidden, to_weight, to_bias, None, None, None, None, None


def _logits(states: Tensor, matrix: Tensor, bias: Tensor, scale: float) -> Tensor:
    """(n, V) float32: scale · states · matrixᵀ + bias."""
    if states.dtype == torch.float32:
        return torch.addmm(bias, states, matrix.t(), alpha=scale)
    return (states @ matrix.t()).float().mul_(scale).add_(bias)


def _column(values: Tensor | None, part: slice) -> Tensor:
    assert values is not None
    return values[part, None]
