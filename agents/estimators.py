"""The arithmetic of policy gradients on text: plain functions of tensors.

Rows are episodes, columns are *the policy's* tokens in the order it chose them: a user's tokens
between two turns are left out before anything here sees them, so credit flows across turns as
if they were not there. `mask` is True where a token exists; rows are padded on the right, and
what stands in the padding never matters.

B episodes, T policy tokens at most.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Total = Callable[[Tensor], Tensor]  # adds up a sum over the processes that hold parts of the batch


def alone(x: Tensor) -> Tensor:
    """The total of a process that holds the whole batch."""
    return x


def masked_mean(x: Tensor, mask: Tensor, total: Total = alone) -> Tensor:
    """Mean over the True entries of `mask`; a scalar tensor."""
    return total(torch.where(mask, x, 0).sum()) / total(mask.sum())


def masked_var(x: Tensor, mask: Tensor, total: Total = alone) -> Tensor:
    """Variance (biased, divided by n) over the True entries of `mask`."""
    return masked_mean((x - masked_mean(x, mask, total)) ** 2, mask, total)


def whiten(x: Tensor, mask: Tensor, epsilon: float = 1e-8, total: Total = alone) -> Tensor:
    """Shifted and scaled to masked mean 0 and masked variance 1; zero in the padding."""
    mean, variance = masked_mean(x, mask, total), masked_var(x, mask, total)
    return torch.where(mask, (x - mean) / (variance + epsilon).sqrt(), 0)


def gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    gamma: float = 1.0,
    lam: float = 0.95,
    bootstrap: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, eq. 16), on ragged rows.

    Args:
        rewards: (B, T); rewards[t] is paid for token t.
        values: (B, T); values[t] is V of the state *before* token t.
        mask: (B, T) bool, True for tokens that exist, contiguous from the left.
        bootstrap: (B,) the value of the state after the last token, where a limit from outside
            truncated the episode. An ending that was scored has none: None means zeros.

    Returns:
        advantages and returns (advantages + values), both (B, T) and zero in the padding.
    """
    batch, steps = rewards.shape
    rewards, values = torch.where(mask, rewards, 0), torch.where(mask, values, 0)
    after = torch.zeros(batch, dtype=values.dtype, device=values.device) if bootstrap is None else bootstrap
    advantage = torch.zeros_like(after)
    advantages = torch.zeros_like(values)
    for t in reversed(range(steps)):
        delta = rewards[:, t] + gamma * after - values[:, t]
        # Where the row has no token t, the state carries on unchanged to the token before it.
        advantage = torch.where(mask[:, t], delta + gamma * lam * advantage, advantage)
        after = torch.where(mask[:, t], values[:, t], after)
        advantages[:, t] = advantage
    advantages = torch.where(mask, advantages, 0)
    return advantages, torch.where(mask, advantages + values, 0)


def returns_to_go(rewards: Tensor, mask: Tensor) -> Tensor:
    """What is paid from a token on, without discount: (B, T) rewards -> (B, T), zero in the padding."""
    paid = torch.where(mask, rewards, 0)
    return torch.where(mask, paid.flip(1).cumsum(1).flip(1), 0)


def leave_one_out(returns: Tensor) -> Tensor:
    """Advantage over the mean of the siblings (Kool et al. 2019): (prompts, K) -> the same shape, K >= 2.

    Equal returns give exactly 0.
    """
    shifted = returns - returns[:, :1]  # so that rounding leaves no difference where there is none
    others = (shifted.sum(dim=1, keepdim=True) - shifted) / (returns.shape[1] - 1)
    return shifted - others


def group_advantages(returns: Tensor, scales_by_std: bool = True, epsilon: float = 1e-4) -> Tensor:
    """(r − mean) / std over the samples of a prompt (Shao et al. 2024, section 4.1.2): (prompts, K), K >= 2.

    The standard deviation is the sample's (divided by K − 1). Equal returns give exactly 0.

    Args:
        scales_by_std: False leaves the division out (Liu et al. 2025): a prompt whose samples hardly differ then
            weighs as little as it should.
        epsilon: added to the standard deviation.
    """
    shifted = returns - returns[:, :1]
    centred = shifted - shifted.mean(dim=1, keepdim=True)
    return centred / (centred.std(dim=1, keepdim=True) + epsilon) if scales_by_std else centred


def policy_loss(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip_ratio: float) -> Tensor:
    """Clipped surrogate a token (Schulman et al. 2017, eq. 7), to be minimised; same shape as the inputs."""
    ratio = torch.exp(logprobs - old_logprobs)
    clipped = ratio.clamp(1 - clip_ratio, 1 + clip_ratio)
    return -torch.minimum(ratio * advantages, clipped * advantages)


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip_value: float) -> Tensor:
    """Half squared error a token, the larger of clipped and not (as in the reference PPO)."""
    clipped = old_values + (values - old_values).clamp(-clip_value, clip_value)
    return 0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)


def kl_k1(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """log π − log π_ref of sampled tokens: unbiased, may be negative (Schulman 2020)."""
    return logprobs - ref_logprobs


def kl_k3(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """r − 1 − log r with r = π_ref/π: unbiased and never negative (Schulman 2020)."""
    log_ratio = ref_logprobs - logprobs
    return torch.expm1(log_ratio) - log_ratio


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor, total: Total = alone) -> float:
    """1 − Var(returns − values) / Var(returns); 0 where returns do not vary."""
    spread, left = masked_var(returns, mask, total), masked_var(returns - values, mask, total)
    return float(1 - left / spread) if spread > 0 else 0.0


class AdaptiveKL:
    """Proportional control of the KL coefficient (Ziegler et al. 2019, section 2.2).

    Args:
        coef: the coefficient to start from, in reward units a nat.
        target: nats an episode to hold; None keeps the coefficient as it is.
        horizon: episodes over which the coefficient may change by a factor of about e^0.2.
    """

    def __init__(self, coef: float, target: float | None, horizon: int) -> None:
        self.coef, self.target, self.horizon = coef, target, horizon

    def update(self, kl: float, episodes: int) -> None:
        """`kl`: mean nats an episode; `episodes`: how many it was measured on."""
        if self.target is not None:
            error = min(max(kl / self.target - 1, -0.2), 0.2)
            self.coef *= 1 + error * min(episodes / self.horizon, 1.0)  # a batch larger than the horizon is one
