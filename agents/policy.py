"""The actor-critic that PPO trains: a causal language model with a value head on the same trunk.

One trunk pass gives log-probabilities, entropies and values of the tokens the policy chose, and
of those only: logits are never computed for a prompt.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from textgym.models.language_model import head, trunk

from .packing import Packed


class TokenStatistics(NamedTuple):
    """What the policy says about N tokens it chose; all (N,) float32, logarithms in nats."""

    logprobs: Tensor
    entropy: Tensor
    values: Tensor


class ActorCritic(nn.Module):
    """A language model and a linear value head, initialised to zero: V = 0 is the honest first guess."""

    def __init__(self, model: Any, forbidden: Tensor | None = None, temperature: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self.value_head = nn.Linear(model.config.get_text_config().hidden_size, 1)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)
        self.value_head.to(next(model.parameters()).device)
        self.forbidden = forbidden
        self.temperature = temperature

    def forward(self, packed: Packed, value_gradient: bool = True) -> TokenStatistics:
        """Statistics under the distribution that rollouts sample from (same temperature, same mask).

        Without `value_gradient` the value head learns and the trunk, which is the policy too, does not.
        """
        hidden = trunk(self.model, packed.tokens, packed.position_ids, packed.mask)
        hidden = hidden.reshape(-1, hidden.shape[-1])[packed.source]
        log_all = log_distribution(self.model, hidden, self.forbidden, self.temperature)
        logprobs = log_all.gather(1, packed.target[:, None]).squeeze(1)
        entropy = -(log_all.exp() * log_all).sum(dim=-1)
        values = self.value_head(hidden if value_gradient else hidden.detach()).squeeze(-1)
        return TokenStatistics(logprobs, entropy, values.float())


def log_distribution(model: Any, hidden: Tensor, forbidden: Tensor | None = None, temperature: float = 1.0) -> Tensor:
    """(N, H) hidden states -> (N, V) float32 log-probabilities, nats."""
    logits = head(model, hidden)
    if forbidden is not None:
        logits = logits.masked_fill(forbidden, torch.finfo(logits.dtype).min)
    return torch.log_softmax(logits if temperature == 1.0 else logits / temperature, dim=-1)


def reference_logprobs(model: Any, packed: Packed, forbidden: Tensor | None, temperature: float) -> Tensor:
    """(N,) float32 nats of the chosen tokens under a frozen language model."""
    hidden = trunk(model, packed.tokens, packed.position_ids, packed.mask)
    hidden = hidden.reshape(-1, hidden.shape[-1])[packed.source]
    log_all = log_distribution(model, hidden, forbidden, temperature)
    return log_all.gather(1, packed.target[:, None]).squeeze(1)
