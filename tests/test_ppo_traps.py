"""Traps of PPO for language models, one test each: every one was a bug in a public implementation.

Hand-worked tensors and brute force on random models of some thousand parameters. The laws that
need a whole update are in test_ppo.py, the estimators' in test_estimators.py, the known optimum in
test_optimum.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_models import SHAPES
from tiny import tiny_hf_tokenizer, tiny_policy, tiny_tokenizer
from tiny_runs import EOT, chat, config, folder, make_trainer, weights  # noqa: F401  (fixtures)

from textgym.agents import fused
from textgym.agents.estimators import gae, kl_k1, kl_k3, masked_mean, policy_loss, whiten
from textgym.agents.packing import Episode, pack
from textgym.agents.policy import reference_logprobs
from textgym.agents.ppo import PPOConfig, Trainer
from textgym.agents.rollout import Rollout
from textgym.models.generate import generate
from textgym.models.lora import adapter_off, add_lora, merged

PROMPT = (9, 17, 33)


# -- log-probabilities ------------------------------------------------------------------------------


def naive(model: Any, hidden: torch.Tensor, target: torch.Tensor, allowed: torch.Tensor, temperature: float) -> Any:
    """Log-probabilities and entropies over the allowed ids alone, by PyTorch's own gradients."""
    layer = model.get_output_embeddings()
    logits = hidden @ layer.weight[allowed].T + (0 if layer.bias is None else layer.bias[allowed])
    log_all = torch.log_softmax(logits / temperature, dim=-1)
    place = torch.searchsorted(allowed, target)
    return log_all.gather(1, place[:, None]).squeeze(1), -(log_all.exp() * log_all).sum(1)


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("is_plain", [True, False])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_fused_statistics_and_their_gradients(
    temperature: float, is_plain: bool, has_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a table of all logits; in chunks of three tokens, the last one ragged; with forbidden ids."""
    model = tiny_policy(1)
    if has_bias:
        model.lm_head.bias = torch.nn.Parameter(torch.randn(320, generator=torch.Generator().manual_seed(5)))
    monkeypatch.setattr(fused, "CHUNK_LOGITS", 3 * 320)
    if not is_plain:
        monkeypatch.setattr(fused, "_is_plain", lambda model, layer: False)
    g = torch.Generator().manual_seed(0)
    hidden = torch.randn(10, 32, generator=g, requires_grad=True)
    target = torch.randint(50, 300, (10,), generator=g)
    forbidden = torch.zeros(320, dtype=torch.bool)
    forbidden[:50] = True
    allowed = torch.arange(50, 320)
    a, b = torch.randn(2, 10, generator=g)
    found = []
    for statistics in (
        lambda: fused.chosen_statistics(model, hidden, target, forbidden, temperature),
        lambda: naive(model, hidden, target, allowed, temperature),
    ):
        for use in ((a, b), (a, None), (None, b)):
            hidden.grad = None
            model.zero_grad()
            logprobs, entropy = statistics()
            sum((w * x).sum() for w, x in zip(use, (logprobs, entropy), strict=True) if w is not None).backward()
            bias = model.lm_head.bias.grad if has_bias else torch.zeros(())
            found.append((logprobs.detach(), entropy.detach(), hidden.grad, model.lm_head.weight.grad, bias))
    for ours, theirs in zip(found[:3], found[3:], strict=True):
        for x, y in zip(ours, theirs, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-5)


def test_no_table_of_logits_is_kept() -> None:
    """What a backward pass would need of N × V numbers is not among the saved tensors."""
    model, n = tiny_policy(1), 64
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        hidden = torch.randn(n, 32, requires_grad=True)
        fused.chosen_statistics(model, hidden, torch.zeros(n, dtype=torch.long))
    assert max(kept) < n * 320


def test_pad_that_is_eos_leaves_the_real_end_of_turn_its_gradient(config: PPOConfig, tmp_path: Path) -> None:  # noqa: F811
    """A tokenizer whose pad is its end of turn, as GPT-2's mostly is: every end that was said is trained on."""
    hf = tiny_hf_tokenizer()
    hf.pad_token = hf.eos_token
    hf.save_pretrained(tmp_path)
    trainer = make_trainer(replace(config, tokenizer=str(tmp_path)))
    assert trainer.stage.tokenizer.pad == trainer.stage.tokenizer.end_of_turn == EOT
    rollout = trainer.collect()
    batch = trainer.prepare(rollout)
    said = sum(e.continuation.count(EOT) for e in rollout.episodes)
    assert 0 < said < len(rollout.episodes)
    trained = sum(int((packed.target == EOT).sum()) for packs in batch.packs for packed in packs)
    assert trained == said == int(rollout.last_turn_has_eot.sum())
    packed = next(p for packs in batch.packs for p in packs if (p.target == EOT).any())
    trainer.policy(packed).logprobs[packed.target == EOT].sum().backward()
    head = trainer.policy.model.get_output_embeddings().weight.grad
    assert head[EOT].abs().max() > 1e-3


# -- whose tokens -----------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 4])
def test_a_user_between_two_turns_leaves_the_advantages_as_they_are(k: int, config: PPOConfig) -> None:  # noqa: F811
    """k tokens of another speaker are no steps: GAE runs over the policy's tokens as if they stood side by side.

    The model's own opinion of the states may change with what was said, so it is put in by hand.
    """
    trainer = make_trainer(replace(config, prompts_per_update=1, samples_per_prompt=2, minibatches=1))
    rollout = trainer.collect()
    said, chosen = [70, EOT, *range(100, 100 + k), 71, EOT], [True, True, *[False] * k, True, True]
    episode = Episode(rollout.episodes[0].prompt, said, chosen)
    values = torch.tensor([0.3, -0.2, 0.5, 0.1])
    changed = replace_rollout(rollout, [episode] * 2)
    statistics = trainer.policy.forward

    def told(packed: Any, **more: Any) -> Any:
        found = statistics(packed, **more)
        assert packed.target.tolist() == [70, EOT, 71, EOT] * 2  # a user's tokens get no loss, no KL, no entropy
        return found._replace(values=values.repeat(2))

    trainer.policy.forward = told  # type: ignore[method-assign]
    batch = trainer.prepare(changed)
    rewards = trainer.rewards(changed, batch.mask)
    expected, returns = gae(rewards, values.repeat(2, 1), torch.ones(2, 4, dtype=torch.bool), 1.0, 0.95)
    torch.testing.assert_close(batch.returns, returns)
    torch.testing.assert_close(batch.advantages, whiten(expected, batch.mask))


def replace_rollout(rollout: Rollout, episodes: list[Episode]) -> Rollout:
    """The same scores for other episodes, paid on their last tokens."""
    paid = [
        np.array([0.0] * (e.num_chosen - 1) + [score], np.float32)
        for e, score in zip(episodes, (1.0, 3.0), strict=True)
    ]
    return replace(rollout, episodes=episodes, token_rewards=paid, scores=np.array([1.0, 3.0], np.float32))


# -- the first step ---------------------------------------------------------------------------------


def test_the_first_loss_is_minus_the_mean_advantage(config: PPOConfig) -> None:  # noqa: F811
    trainer = make_trainer(config)
    batch = trainer.prepare(trainer.collect())
    batch.advantages = batch.advantages + 0.7  # whitened ones have the mean 0, which would hide a wrong sign
    where_mask = batch.mask
    total, sums = 0, 0.0
    for packs, members in zip(batch.packs, batch.members, strict=True):
        for packed, rows_of in zip(packs, members, strict=True):
            sums += float(trainer._losses(batch, packed, rows_of, False)["policy_loss"].detach())
            total += len(packed.target)
    assert total == int(where_mask.sum())
    assert sums / total == pytest.approx(-float(masked_mean(batch.advantages, where_mask)), abs=1e-5)
    assert sums / total == pytest.approx(-0.7, abs=1e-4)


def test_clipping_bounds_the_step(config: PPOConfig) -> None:  # noqa: F811
    """Plain gradient descent with rate 1 moves the weights by the clipped gradient, whose norm is the limit."""
    trainer = make_trainer(replace(config, epochs=1, minibatches=1, learning_rate=1.0, max_grad_norm=0.01))
    trainer.optimizer = torch.optim.SGD(trainer.policy.parameters(), lr=1.0)
    before = weights(trainer)
    metrics = trainer.step()
    moved = torch.cat([(v - before[n]).flatten() for n, v in trainer.policy.state_dict().items()])
    assert metrics["grad_norm"] > 0.02
    assert float(moved.norm()) == pytest.approx(0.01, rel=1e-3)


def test_adams_epsilon_is_that_of_the_references(config: PPOConfig) -> None:  # noqa: F811
    assert {group["eps"] for group in Trainer(config).optimizer.param_groups} == {1e-5}


def test_a_temperature_is_trained_as_it_is_sampled(config: PPOConfig) -> None:  # noqa: F811
    """Ratios start at 1, the KL at 0, and nothing is NaN, whatever the temperature and the entropy bonus."""
    for temperature in (0.7, 1.5):
        trainer = make_trainer(replace(config, temperature=temperature, entropy_coef=0.01))
        rollout = trainer.collect()
        batch = trainer.prepare(rollout)
        sampled = torch.tensor([x for row in rollout.logprobs for x in row])
        torch.testing.assert_close(batch.logprobs[batch.mask], sampled, rtol=0, atol=1e-4)
        losses = trainer.update(batch)
        assert all(np.isfinite(v) for v in losses.values())
        assert losses["entropy"] > 0


# -- KL ---------------------------------------------------------------------------------------------


def test_the_gradient_of_the_paid_kl_is_that_of_the_true_kl() -> None:
    """In the reward, k1's score-function gradient is ∇ KL(π‖π_ref), by enumeration; k1 as a loss has gradient 0.

    k3 as a loss has the gradient of the other direction's KL, which is why none of them is a loss here.
    """
    g = torch.Generator().manual_seed(3)
    logits = torch.randn(6, generator=g, requires_grad=True)
    ref = torch.randn(6, generator=g).log_softmax(0)

    def gradient(loss: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(loss, logits, retain_graph=True)[0]

    log_pi = logits.log_softmax(0)
    p = log_pi.exp().detach()
    true = gradient((log_pi.exp() * (log_pi - ref)).sum())
    paid = gradient((p * kl_k1(log_pi, ref).detach() * log_pi).sum())
    torch.testing.assert_close(paid, true)
    assert gradient((p * kl_k1(log_pi, ref)).sum()).abs().max() < 1e-6
    reverse = gradient((ref.exp() * (ref - log_pi)).sum())
    torch.testing.assert_close(gradient((p * kl_k3(log_pi, ref)).sum()), reverse, rtol=1e-4, atol=1e-6)


# -- LoRA -------------------------------------------------------------------------------------------


@pytest.fixture
def adapted(config: PPOConfig) -> Trainer:  # noqa: F811
    pytest.importorskip("peft")
    return make_trainer(replace(config, lora_rank=3), ends_often=False)


def test_lora_starts_at_a_kl_of_exactly_zero_and_trains_adapters_alone(adapted: Trainer) -> None:
    rollout = adapted.collect()
    batch = adapted.prepare(rollout)
    assert torch.equal(batch.logprobs, batch.ref_logprobs)
    before = weights(adapted)
    for _ in range(2):  # B starts at 0, so that A moves from the second step on
        adapted.update(batch)
    for name, value in adapted.policy.state_dict().items():
        is_trained = "lora_" in name or "value_head" in name
        assert torch.equal(before[name], value) != is_trained, name
    again = adapted.prepare(rollout)
    assert torch.equal(again.ref_logprobs, batch.ref_logprobs)  # with the adapter off, the start
    assert not torch.equal(again.logprobs, batch.logprobs)


def test_an_exception_leaves_the_adapter_on(adapted: Trainer) -> None:
    with torch.no_grad():
        for name, p in adapted.policy.model.named_parameters():
            if "lora_B" in name:
                p.add_(0.3)
    packed = pack([Episode(PROMPT, [70, 71, EOT], [True] * 3)])
    on = adapted.policy(packed).logprobs
    model, off = adapted.policy.model, []

    def break_off() -> None:
        with adapter_off(model):
            off.append(reference_logprobs(model, packed, adapted.stage.forbidden, 1.0))
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        break_off()
    assert not torch.allclose(on, off[0])
    assert torch.equal(adapted.policy(packed).logprobs, on)
    assert len(adapted.trained) > 2
    assert all("lora_" in n for n, p in adapted.policy.model.named_parameters() if p.requires_grad)


def test_a_merged_policy_is_a_plain_checkpoint(adapted: Trainer, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    with torch.no_grad():
        for name, p in adapted.policy.model.named_parameters():
            if "lora_B" in name:
                p.add_(0.3)
    whole = merged(adapted.policy.model)
    assert not any("lora_" in name for name in whole.state_dict())
    whole.save_pretrained(tmp_path)
    tokens = torch.tensor([[9, 17, 33, 70]])
    with torch.no_grad():
        expected = adapted.policy.model(tokens).logits
        torch.testing.assert_close(AutoModelForCausalLM.from_pretrained(tmp_path)(tokens).logits, expected)
        torch.testing.assert_close(adapted.policy.model(tokens).logits, expected)  # the original keeps its adapter


@pytest.mark.parametrize("shape", SHAPES)
def test_lora_fits_every_shape(shape: str) -> None:
    """Adapters on all linear layers; merged, the model says the same."""
    pytest.importorskip("peft")
    torch.manual_seed(0)
    model = SHAPES[shape]().eval()
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        start = model(tokens).logits
        add_lora(model, rank=2)
        assert torch.equal(model(tokens).logits, start)
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.3)
        with adapter_off(model):
            assert torch.equal(model(tokens).logits, start)
        adapted = model(tokens).logits
        assert (adapted - start).abs().max() > 1e-3
        torch.testing.assert_close(merged(model)(tokens).logits, adapted, rtol=1e-4, atol=1e-5)


# -- a critic of its own ----------------------------------------------------------------------------


def test_a_separate_critic_starts_as_the_policy_and_leaves_it_alone(config: PPOConfig) -> None:  # noqa: F811
    torch.manual_seed(0)
    shared, separate = (make_trainer(replace(config, critic=critic)) for critic in ("shared", "separate"))
    packed = pack([Episode(PROMPT, [70, 71, EOT], [True] * 3)])
    torch.testing.assert_close(separate.policy(packed).values, shared.policy(packed).values)
    separate.policy(packed).values.sum().backward()
    assert all(p.grad is None for p in separate.policy.model.parameters())
    assert separate.policy.critic is not None
    assert any(p.grad is not None for p in separate.policy.critic.parameters())
    before = weights(separate)
    separate.step()
    moved = [n for n, v in separate.policy.state_dict().items() if not torch.equal(before[n], v)]
    assert any(n.startswith("critic.") for n in moved)
    assert any(n.startswith("model.") for n in moved)


# -- sampling ---------------------------------------------------------------------------------------


def test_a_response_depends_on_its_own_draws_alone() -> None:
    """So that several processes say what one would have said, and a batch can be cut anywhere."""
    model, prompts = tiny_policy(3), [[9, 17, 33], [40], [9, 9, 9, 9, 60]]
    uniforms = torch.rand(3, 6, generator=torch.Generator().manual_seed(1))
    whole = generate(model, prompts, max_new_tokens=6, end_of_turn=EOT, uniforms=uniforms)
    for k in range(3):
        alone = generate(model, prompts[k : k + 1], max_new_tokens=6, end_of_turn=EOT, uniforms=uniforms[k : k + 1])
        assert alone.tokens[0] == whole.tokens[k]
        assert alone.logprobs[0] == pytest.approx(whole.logprobs[k], abs=1e-5)
    with pytest.raises(ValueError, match="uniforms"):
        generate(model, prompts, max_new_tokens=6, end_of_turn=EOT, uniforms=uniforms[:2])


# -- metrics ----------------------------------------------------------------------------------------


def test_whitening_of_parts_with_a_common_total_is_whitening_of_the_whole() -> None:
    g = torch.Generator().manual_seed(0)
    x, mask = torch.randn(6, 5, generator=g) * 3 + 1, torch.rand(6, 5, generator=g) < 0.7
    halves = slice(0, 2), slice(2, 6)
    found = []
    for own, other in (halves, halves[::-1]):
        mean = torch.where(mask, x, 0).sum() / mask.sum()
        sums = torch.where(mask[other], x[other], 0).sum(), mask[other].sum()
        squares = torch.where(mask[other], (x[other] - mean) ** 2, 0).sum(), mask[other].sum()
        told = iter((*sums, *sums, *squares))  # what the other process adds, in the order it is asked for
        found.append(whiten(x[own], mask[own], total=lambda part, told=told: part + next(told)))
    torch.testing.assert_close(torch.cat(found), whiten(x, mask), rtol=1e-4, atol=1e-5)


def test_policy_loss_of_equal_policies_is_minus_the_advantage() -> None:
    logprobs, advantages = torch.randn(2, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(policy_loss(logprobs, logprobs, advantages, 0.2), -advantages)
    assert tiny_tokenizer().end_of_turn == EOT


def test_add_lora_needs_linear_layers() -> None:
    pytest.importorskip("peft")
    model = tiny_policy(1)
    add_lora(model, rank=2)
    names = {n.split(".")[-4] for n, p in model.named_parameters() if "lora_" in n}
    assert names == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
