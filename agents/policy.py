"""The actor-critic that PPO trains: a causal language model with a value head, on the same trunk or on one of its own.

With a shared trunk one pass gives log-probabilities, entropies and values of the tokens the policy
chose, and of those only: logits are never computed for a prompt, nor for what a user said.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from torch import Tensor, nn

from textgym.models.language_model import trunk

from .fused import chosen_statistics
from .packing import Packed


class TokenStatistics(NamedTuple):
    """What the policy says about N tokens it chose; all (N,) float32, logarithms in nats."""

    logprobs: Tensor
    entropy: Tensor
    values: Tensor


class ActorCritic(nn.Module):
    """A language model and a linear value head, initialised to zero: V = 0 is the honest first guess.

    Args:
        model: the policy, a causal language model.
        forbidden: (V,) bool, True for ids that are never sampled.
        temperature: what rollouts are sampled with.
        has_own_trunk: the value head stands on a second trunk, a copy of the policy's at the start. Twice the
            work and the memory; the value's gradient then leaves the policy alone.
    """

    def __init__(
        self, model: Any, forbidden: Tensor | None = None, temperature: float = 1.0, has_own_trunk: bool = False
    ) -> None:
        super().__init__()
        self.model = model
        self.critic = copy.deepcopy(model) if has_own_trunk else None
        if self.critic is not None:
            self.critic.set_output_embeddings(nn.Identity())  # a trunk is all that it is; logits of it mean nothing
        self.value_head = nn.Linear(model.config.get_text_config().hidden_size, 1)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)
        self.value_head.to(next(model.parameters()).device)
        self.forbidden = forbidden
        self.temperature = temperature

    def forward(self, packed: Packed, value_gradient: bool = True) -> TokenStatistics:
        """Statistics under the distribution that rollouts sample from (same temperature, same mask).

        Without `value_gradient` the value head learns and a shared trunk, which is the policy too, does not.
        """
        hidden = states_of_chosen(self.model, packed)
        logprobs, entropy = chosen_statistics(self.model, hidden, packed.target, self.forbidden, self.temperature)
        return TokenStatistics(logprobs, entropy, self.values(packed, hidden, value_gradient))

    def values(self, packed: Packed, hidden: Tensor, value_gradient: bool = True) -> Tensor:
        """(N,) float32 values of the states before the chosen tokens; `hidden`: (N, H) of the policy's trunk."""
        if self.critic is not None:
            hidden = states_of_chosen(self.critic, packed)
        elif not value_gradient:
            hidden = hidden.detach()
        return self.value_head(hidden).squeeze(-1).float()


def states_of_chosen(model: Any, packed: Packed) -> Tensor:
    """(N, H) last hidden states from which the chosen tokens are predicted."""
    hidden = trunk(model, packed.tokens, packed.position_ids, packed.mask)
    return hidden.reshape(-1, hidden.shape[-1])[packed.source]


def policy_statistics(
    model: Any, packed: Packed, forbidden: Tensor | None, temperature: float
) -> tuple[Tensor, Tensor]:
    """(N,) log-probabilities of the chosen tokens and entropies, float32 nats, with gradients to the model."""
    return chosen_statistics(model, states_of_chosen(model, packed), packed.target, forbidden, temperature)


def reference_logprobs(model: Any, packed: Packed, forbidden: Tensor | None, temperature: float) -> Tensor:
    """(N,) float32 nats of the chosen tokens under a language model, where nobody asks for entropies."""
    hidden = states_of_chosen(model, packed)
    return chosen_statistics(model, hidden, packed.target, forbidden, temperature, wants_entropy=False)[0]
