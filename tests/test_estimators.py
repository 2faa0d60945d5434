"""Policy-gradient arithmetic against hand-worked numbers and slow loops."""

import pytest
import torch

from textgym.agents.estimators import (
    AdaptiveKL,
    explained_variance,
    gae,
    kl_k1,
    kl_k3,
    masked_mean,
    masked_var,
    policy_loss,
    value_loss,
    whiten,
)


def ragged(batch=5, steps=7, seed=0):
    g = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, steps + 1, (batch,), generator=g)
    mask = torch.arange(steps)[None] < lengths[:, None]
    rewards, values = torch.randn(2, batch, steps, generator=g)
    return rewards, values, mask, lengths


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0), (0.99, 0.0)])
def test_gae_equals_the_double_sum(gamma, lam):
    rewards, values, mask, lengths = ragged()
    bootstrap = torch.tensor([0.0, 2.0, -1.0, 0.0, 3.0])
    advantages, returns = gae(rewards, values, mask, gamma, lam, bootstrap)
    for b, n in enumerate(lengths.tolist()):
        after = [*values[b, 1:n].tolist(), bootstrap[b].item()]
        deltas = [rewards[b, t].item() + gamma * after[t] - values[b, t].item() for t in range(n)]
        for t in range(n):
            expected = sum((gamma * lam) ** (k - t) * deltas[k] for k in range(t, n))
            assert advantages[b, t].item() == pytest.approx(expected, abs=1e-5)
            assert returns[b, t].item() == pytest.approx(expected + values[b, t].item(), abs=1e-5)
        assert not advantages[b, n:].any()


def test_gae_by_hand():
    # Two tokens, reward 1 on the last, V = (0.5, 0.25), γ = λ = 1: A_t = 1 − V_t.
    advantages, returns = gae(
        torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.25]]), torch.tensor([[True, True]]), 1.0, 1.0
    )
    assert advantages.tolist() == [[0.5, 0.75]]
    assert returns.tolist() == [[1.0, 1.0]]


def test_padding_changes_nothing():
    rewards, values, mask, _ = ragged()
    advantages, returns = gae(rewards, values, mask)
    noisy = torch.where(mask, 0, 100.0)
    again = gae(rewards + noisy, values + noisy, mask)
    assert torch.equal(again[0], advantages)
    assert torch.equal(again[1], returns)
    wide = torch.nn.functional.pad(mask, (0, 4))
    padded = torch.nn.functional.pad(values + noisy, (0, 4), value=100.0)
    assert torch.allclose(whiten(padded, wide)[:, :7], whiten(values, mask), atol=1e-6)
    assert explained_variance(values + noisy, returns, mask) == explained_variance(values, returns, mask)


def test_whitened_has_mean_0_and_variance_1():
    _, values, mask, _ = ragged()
    white = whiten(values * 7 + 3, mask)
    assert masked_mean(white, mask).item() == pytest.approx(0, abs=1e-6)
    assert masked_var(white, mask).item() == pytest.approx(1, abs=1e-5)
    assert not white[~mask].any()


def test_policy_loss_clips_by_hand():
    old = torch.zeros(4)
    new = torch.log(torch.tensor([1.5, 1.5, 0.5, 0.5]))
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0])
    # A gain is cut at 1 ± 0.2, a loss is not.
    assert policy_loss(new, old, advantages, 0.2).tolist() == pytest.approx([-1.2, 1.5, -0.5, 0.8])


def test_value_loss_takes_the_larger():
    # Clipped to 0.2: (0.2 − 1)² = 0.64 against (0.9 − 1)² = 0.01.
    loss = value_loss(torch.tensor([0.9]), torch.tensor([0.0]), torch.tensor([1.0]), 0.2)
    assert loss.item() == pytest.approx(0.32)


def test_kl_estimators_are_unbiased():
    g = torch.Generator().manual_seed(3)
    p = torch.randn(6, generator=g).log_softmax(0)
    q = torch.randn(6, generator=g).log_softmax(0)
    exact = (p.exp() * (p - q)).sum()
    assert torch.allclose((p.exp() * kl_k1(p, q)).sum(), exact)
    assert torch.allclose((p.exp() * kl_k3(p, q)).sum(), exact)
    assert (kl_k3(p, q) >= 0).all()
    assert not kl_k1(p, p).any()
    assert not kl_k3(p, p).any()


def test_adaptive_kl_is_clipped_and_counts_episodes():
    controller = AdaptiveKL(0.1, target=6.0, horizon=1000)
    controller.update(kl=600.0, episodes=100)
    assert controller.coef == pytest.approx(0.1 * (1 + 0.2 * 0.1))
    controller = AdaptiveKL(0.1, target=6.0, horizon=1000)
    controller.update(kl=5.4, episodes=100)
    assert controller.coef == pytest.approx(0.1 * (1 - 0.1 * 0.1))
    large = AdaptiveKL(0.1, target=6.0, horizon=1000)
    large.update(kl=0.0, episodes=100_000)  # a batch of many horizons moves it by one clipped step, never below 0
    assert large.coef == pytest.approx(0.08)
    fixed = AdaptiveKL(0.1, target=None, horizon=1000)
    fixed.update(kl=600.0, episodes=100)
    assert fixed.coef == 0.1
