"""Laws of token-level PPO, on tiny random models and a reader's own records: its arithmetic, and that it learns.

Ratios start at 1 and the KL at 0, credit is on the policy's tokens alone, seeds share no episode. Runs and their
folders are in test_ppo_runs.py, evaluations and bad input in test_ppo_input.py.
"""

# ruff: noqa: F811 (fixtures are imported, and asked for by name)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from tiny import tiny_tokenizer
from tiny_runs import EOT, USER_TURNS, chat, config, folder, make_trainer, weights, with_reward  # noqa: F401

from textgym.agents import devices, stage
from textgym.agents.ppo import PPOConfig, Trainer
from textgym.cli import main
from textgym.types import Transcript

# -- the arithmetic ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dense_reward", [True, False])
@pytest.mark.parametrize("kind", ["token", "sequence"])
@pytest.mark.parametrize("world", ["config", "chat"])
def test_one_update_end_to_end(
    world: str, kind: str, dense_reward: bool, folder: Path, request: pytest.FixtureRequest
) -> None:
    config = request.getfixturevalue(world)
    trainer = make_trainer(replace(config, reward=str(folder / kind), dense_reward=dense_reward))
    before = weights(trainer)
    metrics = trainer.step()
    assert all(np.isfinite(v) for name, v in metrics.items() if not name.startswith("gold"))
    assert np.isnan(metrics["gold"])  # nobody knows the meaning of these records
    assert all(not torch.equal(before[name], value) for name, value in trainer.policy.state_dict().items())
    assert all(not p.requires_grad for p in trainer.stage.reference.parameters())


@pytest.mark.parametrize("world", ["config", "chat"])
def test_the_first_minibatch_has_ratio_one_and_zero_kl(world: str, request: pytest.FixtureRequest) -> None:
    trainer = make_trainer(request.getfixturevalue(world))
    rollout = trainer.collect()
    batch = trainer.prepare(rollout)
    with torch.no_grad():
        for packs, members in zip(batch.packs, batch.members, strict=True):
            for packed, rows_of in zip(packs, members, strict=True):
                where = (rows_of[packed.episode], packed.step)
                ratio = torch.exp(trainer.policy(packed).logprobs - batch.logprobs[where])
                assert (ratio - 1).abs().max() < 1e-5
    sampled = torch.tensor([x for row in rollout.logprobs for x in row])  # what the sampling loop said
    torch.testing.assert_close(batch.logprobs[batch.mask], sampled, rtol=0, atol=1e-4)
    assert torch.equal(batch.logprobs, batch.ref_logprobs)
    trainer.update(batch)
    again = trainer.prepare(rollout)
    assert torch.equal(again.ref_logprobs, batch.ref_logprobs)
    assert not torch.equal(again.logprobs, batch.logprobs)


@pytest.mark.parametrize("kind", ["token", "sequence"])
@pytest.mark.parametrize("world", ["config", "chat"])
def test_the_score_is_paid_in_full_and_final_only_on_the_last_chosen_token(
    world: str, kind: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    config = replace(request.getfixturevalue(world), reward=str(folder / kind))
    trainer = make_trainer(config)
    rollout = trainer.collect()
    mask = trainer.prepare(rollout).mask
    scores = torch.from_numpy(rollout.scores)
    assert len(set(rollout.scores.tolist())) > 1
    dense = trainer.rewards(rollout, mask)
    scores = scores / float(rollout.scores.std())
    torch.testing.assert_close(dense.sum(1), scores, rtol=1e-5, atol=1e-5)
    assert bool((dense[~mask] == 0).all())
    trainer.config = replace(config, dense_reward=False)
    final = trainer.rewards(rollout, mask)
    one_hot = torch.nn.functional.one_hot(mask.sum(1) - 1, mask.shape[1])
    torch.testing.assert_close(final, one_hot * scores[:, None])
    assert torch.equal(dense, final) == (kind == "sequence")


def test_the_unit_of_a_reward_does_not_matter(config: PPOConfig) -> None:
    """A metric that differs by hundredths trains as the same metric in percent does; unless it is taken as it comes."""

    def trained(factor: float, scale_reward: bool) -> dict[str, torch.Tensor]:
        given = with_reward(
            replace(config, kl_coef=0.5, scale_reward=scale_reward, learning_rate=1e-2),
            lambda transcript: factor * len(transcript.response),
        )
        trainer = Trainer(given)
        for _ in range(3):
            trainer.step()
        return weights(trainer)

    for scale_reward in (True, False):
        small, large = trained(0.01, scale_reward), trained(1.0, scale_reward)
        is_close = all(torch.allclose(small[name], large[name], atol=1e-4) for name in small)
        assert is_close == scale_reward


def test_conversations_train_for_fewer_updates_unless_told_otherwise() -> None:
    assert [PPOConfig(env=f"textgym/{name}-v0").total_updates for name in ("Summarize", "Dialogue")] == [100, 36]
    assert PPOConfig(env="textgym/Dialogue-v0", num_updates=7).total_updates == 7


def test_a_constant_reward_has_no_scale(config: PPOConfig) -> None:
    trainer = Trainer(with_reward(config, lambda transcript: 0.5))
    assert trainer.step()["reward_scale"] == 1.0


def test_users_tokens_get_no_loss(chat: PPOConfig) -> None:
    trainer = make_trainer(chat)
    rollout = trainer.collect()
    batch = trainer.prepare(rollout)
    targets: dict[int, list[int]] = {}
    for packs, members in zip(batch.packs, batch.members, strict=True):
        for packed, rows_of in zip(packs, members, strict=True):
            for row, token in zip(rows_of[packed.episode].tolist(), packed.target.tolist(), strict=True):
                targets.setdefault(row, []).append(token)
    for row, episode in enumerate(rollout.episodes):
        said = [t for t, chosen in zip(episode.continuation, episode.chosen, strict=True) if chosen]
        others = [t for t, chosen in zip(episode.continuation, episode.chosen, strict=True) if not chosen]
        assert targets[row] == said
        assert len(rollout.logprobs[row]) == len(said)  # the env's mask and the sampling loop agree
        assert batch.mask[row].sum() == len(said)
        heard = [m["content"] for m in rollout.messages[row] if m["content"] in USER_TURNS]
        assert len(heard) == len(USER_TURNS)
        assert "".join(heard) == tiny_tokenizer().decode(others)


def test_a_missing_end_of_turn_costs_the_penalty_once(chat: PPOConfig, config: PPOConfig) -> None:
    for given in (config, chat):
        trainer = make_trainer(given)
        rollout = trainer.collect()
        mask = trainer.prepare(rollout).mask
        is_cut = torch.from_numpy(~rollout.last_turn_has_eot)
        assert 0 < is_cut.sum() < len(is_cut)
        assert is_cut.tolist() == [e.continuation[-1] != EOT for e in rollout.episodes]
        free = trainer.rewards(rollout, mask)
        trainer.config = replace(given, missing_eot_penalty=1.5)
        one_hot = torch.nn.functional.one_hot(mask.sum(1) - 1, mask.shape[1])
        torch.testing.assert_close(free - trainer.rewards(rollout, mask), 1.5 * one_hot * is_cut[:, None])


@pytest.mark.parametrize("world", ["config", "chat"])
def test_micro_batches_do_not_change_the_gradient(world: str, request: pytest.FixtureRequest) -> None:
    """Plain gradient descent with rate 1 moves the weights by the gradient itself."""
    config = replace(request.getfixturevalue(world), epochs=1, minibatches=2, learning_rate=1.0, max_grad_norm=1e9)
    moved = []
    num_packs = []
    for batch_tokens, row_tokens in ((1, 512), (1, 1), (10**6, 512)):
        trainer = make_trainer(replace(config, batch_tokens=batch_tokens, row_tokens=row_tokens))
        trainer.optimizer = torch.optim.SGD(trainer.policy.parameters(), lr=1.0)
        before = weights(trainer)
        batch = trainer.prepare(trainer.collect())
        trainer.update(batch)
        num_packs.append(sum(map(len, batch.packs)))
        moved.append({name: value - before[name] for name, value in trainer.policy.state_dict().items()})
    assert num_packs == [config.batch_size, config.batch_size, 2]
    for other in moved[1:]:
        for name, value in moved[0].items():
            torch.testing.assert_close(value, other[name], rtol=1e-3, atol=1e-5)


def test_runs_with_neighbouring_seeds_share_no_episode(config: PPOConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[tuple[int, int]] = []

    def note(env: Any, model: Any, tokenizer: Any, index: Any, seeds: Sequence[int], **_: Any) -> None:
        rows = np.repeat(index, config.samples_per_prompt).tolist()
        played.extend(zip(rows, seeds, strict=True))

    monkeypatch.setattr(stage, "play", note)
    trainer = Trainer(config)
    for seed in range(3):
        trainer.stage.config = replace(config, seed=seed)
        for trainer.updates_done in range(5):
            trainer.collect()
    assert len(played) == 3 * 5 * config.batch_size
    assert len(set(played)) == len(played)
    assert len({seed for _, seed in played}) == len(played)


def test_an_update_in_bfloat16_moves_every_weight(config: PPOConfig) -> None:
    trainer = make_trainer(replace(config, dtype="bfloat16"))
    before = weights(trainer)
    metrics = trainer.step()
    assert all(np.isfinite(v) for name, v in metrics.items() if not name.startswith("gold"))
    after = trainer.policy.state_dict()
    assert all(value.dtype == torch.float32 and not torch.equal(before[n], value) for n, value in after.items())


def test_the_reward_model_is_told_the_device(
    config: PPOConfig, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    make_vec = gym.make_vec

    def note(*args: Any, device: str = "left out", **more: Any) -> Any:
        told.append(device)
        return make_vec(*args, **more)

    monkeypatch.setattr(gym, "make_vec", note)
    learned = replace(config, reward=str(folder / "token"))
    Trainer(learned).stage.evaluate()
    given = [
        "--data",
        str(config.data),
        "--reward",
        "chrf",
        "--prompts",
        "2",
        "--context-length",
        "96",
        "--device",
        "cpu",
    ]
    assert main(["evaluate", config.policy, *given]) == 0
    assert set(told) == {"cpu"}
    told.clear()
    asked: list[str] = []
    monkeypatch.setattr(devices, "choose_device", lambda name: asked.append(name) or torch.device("cpu"))
    assert main(["evaluate", config.policy, *given]) == 0
    assert set(asked) == {"cpu"}  # never what "auto" would find
    told.clear()
    monkeypatch.setattr(devices, "choose_device", lambda name: torch.device({"auto": "cuda:1"}[name]))
    stage.make_env(replace(learned, device="auto"), tiny_tokenizer(), "train", 2)
    assert told == ["cuda:1"]


# -- learning ---------------------------------------------------------------------------------------


def test_it_learns_to_say_a_letter(config: PPOConfig) -> None:
    """From a random policy, with one number at the end of an episode, for every seed."""

    def share(transcript: Transcript) -> float:
        return min(transcript.response.count("e"), 8) / 8

    learns = replace(config, num_updates=25, prompts_per_update=8, samples_per_prompt=8, learning_rate=1e-2)
    for seed in range(3):
        trainer = Trainer(replace(with_reward(learns, share), seed=seed, kl_coef=0.01))
        scores = [trainer.step()["score"] for _ in range(learns.num_updates)]
        first, last = np.mean(scores[:2]), np.mean(scores[-3:])
        assert first < 0.2
        assert last > first + 0.3, scores
