"""Token-level PPO for language models, top to bottom.

Schulman et al. 2017 on text as Stiennon et al. 2020 use it: the policy and its value function
share a trunk, every token pays its KL to the reference policy, the reward model's score is paid
over the response (where the reward model is dense) or on the last token the policy chose.

    rollout -> old log-probabilities, values, reference -> rewards -> GAE -> clipped updates

What is not here: the options (ppo_config.py), the sampling loop (textgym.models.generate), the
estimators (estimators.py), the packing of shared prompts (packing.py). Left out on purpose:
generating with other weights than those being trained.

    textgym train ppo --env textgym/Summarize-v0
    python -m agents ppo --env textgym/Translate-v0 --seed 1
    torchrun --nproc-per-node 2 -m -- textgym.cli train ppo --env textgym/Summarize-v0
"""

from __future__ import annotations

import contextlib
import copy
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

import textgym  # noqa: F401  (registers the ids)
from textgym.models.arithmetic import arithmetic, has_fast_products
from textgym.models.language_model import forbidden_tokens, load_language_model, require_fit
from textgym.models.lora import adapter_off, add_lora, merged
from textgym.models.places import find_model
from textgym.models.tokenizer import ChatTokenizer, load_tokenizer
from textgym.seeding import derive_seeds

from . import runs
from .cpu import prepare_cpu
from .distributed import World, join
from .estimators import (
    AdaptiveKL,
    explained_variance,
    gae,
    kl_k1,
    kl_k3,
    masked_mean,
    policy_loss,
    value_loss,
    whiten,
)
from .evaluate import CHUNK, Evaluation, are_same, evaluate
from .failures import phase, require_finite
from .packing import Episode, Packed, pack
from .policy import ActorCritic, reference_logprobs
from .ppo_config import PPOConfig
from .rollout import Rollout, play


@dataclass
class Batch:
    """One update's experience: B episodes of at most T policy tokens."""

    rollout: Rollout
    packs: list[list[Packed]]  # a list of packs for each minibatch
    members: list[list[Tensor]]  # for each pack, the (b,) episodes of the batch in it
    logprobs: Tensor  # (B, T) nats, under the policy that sampled
    ref_logprobs: Tensor  # (B, T) nats
    values: Tensor  # (B, T)
    mask: Tensor  # (B, T) bool
    advantages: Tensor  # (B, T) whitened
    returns: Tensor  # (B, T)


class Trainer:
    """The parts of one run, and one method for each step of the algorithm.

    Of several processes each has a trainer, which plays and computes its share of every batch.
    """

    def __init__(self, config: PPOConfig, world: World | None = None) -> None:
        config.check()
        self.config = config
        self.world = World() if world is None else world
        self.share = self.world.share(config.prompts_per_update)
        self.device = runs.choose_device(config.device)
        self.dtype = self.world.from_first(runs.choose_dtype(config.dtype, self.device))
        self.fast_products = self.world.from_first(has_fast_products(self.device, self.dtype))
        self.batch_tokens = config.batch_tokens or (4096 if self.device.type == "cpu" else 16384)
        self.tokenizer = load_policy_tokenizer(config.policy, config.tokenizer, config.end_of_turn)
        self.env = make_env(config, self.tokenizer, config.split, config.batch_size // self.world.size)
        self.eval_env = make_env(config, self.tokenizer, config.eval_split, min(CHUNK, config.eval_prompts))
        self.is_held_out = not are_same(self.env.unwrapped.task, self.eval_env.unwrapped.task)
        model = load_language_model(config.policy, self.device)
        require_fit(model, self.tokenizer, self.env.unwrapped.context_length)
        self.forbidden = forbidden_tokens(model, self.tokenizer)
        self.reference = None
        if config.lora_rank is not None:
            add_lora(model, config.lora_rank, config.lora_alpha, seed=derive_seeds(config.seed, 1, 0, 8)[0])
        else:
            self.reference = copy.deepcopy(model).requires_grad_(False)
        self.policy = ActorCritic(model, self.forbidden, config.temperature, config.critic == "separate")
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=config.learning_rate, eps=1e-5, weight_decay=0.0, fused=True
        )
        self.kl = AdaptiveKL(config.kl_coef, config.kl_target, config.kl_horizon)
        self.reward_scale = math.nan if config.scale_reward else 1.0  # not known before the first batch
        self.num_examples = len(self.env.unwrapped.task)
        self.updates_done = 0
        self.is_mid_update = False  # the weights are between two updates then, and cannot be saved
        self.in_hand: dict[str, Any] = {}  # what this update is about, kept where it fails

    @property
    def trained(self) -> list[torch.nn.Parameter]:
        """The weights that training moves."""
        return [p for p in self.policy.parameters() if p.requires_grad]

    @contextlib.contextmanager
    def reference_policy(self) -> Iterator[Any]:
        """The policy before training: a copy, or the same weights with their adapter off."""
        if self.reference is not None:
            yield self.reference
            return
        with adapter_off(self.policy.model):
            yield self.policy.model

    def whole_policy(self) -> Any:
        """The policy as a plain language model, its adapter merged into the weights."""
        return self.policy.model if self.reference is not None else merged(self.policy.model)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        return arithmetic(self.device, self.dtype, self.fast_products)

    def collect(self) -> Rollout:
        """Plays one batch. All randomness follows from (seed, update), so a resumed run plays the same."""
        config, update = self.config, self.updates_done
        rng = np.random.default_rng([config.seed, update, 1])
        replace = self.num_examples < config.prompts_per_update
        index = rng.choice(self.num_examples, size=config.prompts_per_update, replace=replace)
        rows = slice(self.share.start * config.samples_per_prompt, self.share.stop * config.samples_per_prompt)
        generator = torch.Generator(self.device).manual_seed(derive_seeds(config.seed, 1, update, 2)[0])
        return play(
            self.env,
            self.policy.model,
            self.tokenizer,
            index[self.share],
            derive_seeds(config.seed, config.batch_size, update, 3)[rows],
            samples_per_prompt=config.samples_per_prompt,
            temperature=config.temperature,
            forbidden=self.forbidden,
            generator=generator,
            rows_of_all=(rows.start, config.batch_size),
        )

    @torch.no_grad()
    def prepare(self, rollout: Rollout) -> Batch:
        """Old log-probabilities, values and reference; then rewards, advantages and returns."""
        packs, members = self.make_packs(rollout)
        shape = len(rollout.episodes), max(e.num_chosen for e in rollout.episodes)
        logprobs, values, ref, mask = (torch.zeros(shape, device=self.device) for _ in range(4))
        mask = mask.bool()
        for packed, rows_of in _walk(packs, members):
            with self.autocast():
                statistics = self.policy(packed)
                with self.reference_policy() as model:
                    said = reference_logprobs(model, packed, self.forbidden, self.config.temperature)
            where = (rows_of[packed.episode], packed.step)
            logprobs[where], values[where], ref[where] = statistics.logprobs, statistics.values, said
            mask[where] = True
        scores = self.rewards(rollout, mask)
        named = {"rewards": scores, "logprobs": logprobs, "values": values, "reference logprobs": ref}
        require_finite(f"in update {self.updates_done + 1}", named, self.world.sum)
        rewards = scores - self.kl.coef * kl_k1(logprobs, ref)
        advantages, returns = gae(rewards, values, mask, self.config.gamma, self.config.lam)
        white = whiten(advantages, mask, total=self.world.sum)
        return Batch(rollout, packs, members, logprobs, ref, values, mask, white, returns)

    def make_packs(self, rollout: Rollout) -> tuple[list[list[Packed]], list[list[Tensor]]]:
        """Packs for each minibatch, and the episodes in each; a prompt's samples stay together.

        Which prompts make a minibatch does not depend on how many processes share the batch.
        """
        config, k = self.config, self.config.samples_per_prompt
        groups = np.random.default_rng([config.seed, self.updates_done, 4]).permutation(config.prompts_per_update)
        lengths = [len(e.continuation) for e in rollout.episodes]
        packs, members = [], []
        for chunk in np.array_split(groups, config.minibatches):
            own = [g - self.share.start for g in chunk.tolist() if self.share.start <= g < self.share.stop]
            own.sort(key=lambda g: sum(lengths[g * k : (g + 1) * k]))  # little padding
            rows = [g * k + sample for g in own for sample in range(k)]
            made = list(pack_by_budget(rollout, rows, config.row_tokens, self.batch_tokens))
            packs.append([p.to(self.device) for p, _ in made])
            members.append([m.to(self.device) for _, m in made])
        return packs, members

    def rewards(self, rollout: Rollout, mask: torch.Tensor) -> torch.Tensor:
        """(B, T) the reward model's part, before the KL, in units of what the starting policy's scores spread.

        So the KL's price, the value's clip and the losses mean the same whether a reward's scores
        differ by hundredths, as metrics do, or by tens.
        """
        if math.isnan(self.reward_scale):
            spread = float(np.concatenate(self.world.gather(rollout.scores)).std())
            self.reward_scale = 1 / spread if spread > 1e-6 else 1.0
        rewards = torch.zeros(mask.shape, device=self.device)
        for row, dense in enumerate(rollout.token_rewards):
            if self.config.dense_reward:
                rewards[row, : len(dense)] = torch.as_tensor(dense)
            else:
                rewards[row, len(dense) - 1] = float(rollout.scores[row])
        rewards *= self.reward_scale
        for row in np.flatnonzero(~rollout.last_turn_has_eot).tolist():
            rewards[row, len(rollout.token_rewards[row]) - 1] -= self.config.missing_eot_penalty
        return rewards

    def update(self, batch: Batch) -> dict[str, float]:
        """Epochs of clipped updates; every loss is a mean over the policy tokens of an optimiser step."""
        config = self.config
        progress = self.updates_done / config.total_updates
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * (1 - 0.9 * progress)
        is_warmup = self.updates_done < config.critic_warmup
        order = np.random.default_rng([config.seed, self.updates_done, 5])
        sums: dict[str, Any] = {}
        norms = []
        for _ in range(config.epochs):
            for m in order.permutation(config.minibatches):
                total = self.world.sum(torch.tensor(float(sum(len(p.target) for p in batch.packs[m])))).item()
                for packed, rows_of in zip(batch.packs[m], batch.members[m], strict=True):
                    parts = self._losses(batch, packed, rows_of, is_warmup)
                    (parts["loss"] / total).backward()
                    for name, value in parts.items():
                        sums[name] = sums.get(name, 0.0) + value.detach() / total
                norms.append(self.descend())
        steps = config.epochs * config.minibatches
        summed = self.world.sum(torch.stack([torch.as_tensor(v) for v in sums.values()])) / steps
        return dict(zip(sums, summed.tolist(), strict=True)) | {"grad_norm": sum(norms) / steps}

    def descend(self) -> float:
        """One optimiser step on the gradients of all processes, clipped; returns their norm before that."""
        self.world.sum_gradients(self.trained)
        norm = torch.nn.utils.clip_grad_norm_(self.trained, self.config.max_grad_norm)
        if not torch.isfinite(norm):
            raise FloatingPointError(
                f"the gradient is not finite at update {self.updates_done + 1}; a lower learning_rate may help"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def _losses(self, batch: Batch, packed: Packed, rows_of: torch.Tensor, is_warmup: bool) -> dict[str, torch.Tensor]:
        """Sums over the pack's policy tokens."""
        config = self.config
        with self.autocast():
            now = self.policy(packed, value_gradient=not is_warmup)
        where = (rows_of[packed.episode], packed.step)
        old, advantages = batch.logprobs[where], batch.advantages[where]
        pg = policy_loss(now.logprobs, old, advantages, config.clip_ratio).sum()
        vf = value_loss(now.values, batch.values[where], batch.returns[where], config.clip_value).sum()
        entropy = now.entropy.sum()
        policy_part = pg - config.entropy_coef * entropy
        log_ratio = (now.logprobs - old).detach()
        return {
            "loss": (policy_part * 0 if is_warmup else policy_part) + config.value_coef * vf,
            "policy_loss": pg,
            "value_loss": vf,
            "entropy": entropy,
            "approx_kl": (torch.expm1(log_ratio) - log_ratio).sum(),
            "clip_fraction": ((log_ratio.exp() - 1).abs() > config.clip_ratio).float().sum(),
        }

    def step(self) -> dict[str, float]:
        """One update, and what there is to say about it."""
        config = self.config
        start = time.perf_counter()
        self.in_hand = {"update": self.updates_done + 1}
        with phase("generation", "prompts_per_update, samples_per_prompt or max_new_tokens"):
            rollout = self.collect()
        self.in_hand |= {"episodes": [tuple(e.tokens) for e in rollout.episodes], "scores": rollout.scores.tolist()}
        collected = time.perf_counter()
        with phase("the old, value and reference passes", "batch_tokens or row_tokens"):
            batch = self.prepare(rollout)
        self.is_mid_update = True
        with phase("the update", "batch_tokens or row_tokens"):
            losses = self.update(batch)
        metrics = self.metrics(batch) | losses
        metrics |= {"rollout_s": collected - start, "update_s": time.perf_counter() - collected}
        self.kl.update(metrics["kl"], config.batch_size)
        self.updates_done += 1
        self.is_mid_update = False
        return metrics

    def metrics(self, batch: Batch) -> dict[str, Any]:
        """Means over the batches of all processes."""
        config, rollout, total = self.config, batch.rollout, self.world.sum
        own = {
            "score": rollout.scores,
            "gold": rollout.gold,
            "kl": kl_k1(batch.logprobs, batch.ref_logprobs).sum(1).cpu().numpy(),
            "tokens": batch.mask.sum(1).cpu().numpy(),
            "cut": ~rollout.last_turn_has_eot,
            "prompts_cut": (rollout.prompt_tokens_cut > 0) / config.samples_per_prompt,
        }
        parts = self.world.gather(own)
        rows = {name: np.concatenate([part[name] for part in parts]) for name in own}
        found: dict[str, Any] = {"update": self.updates_done + 1}
        for name in ("score", "gold", "kl"):
            found[name] = float(rows[name].mean())
            found[f"{name}_spread"] = _spread_over_prompts(rows[name], config.samples_per_prompt)
        return found | {
            "kl_k3": float(masked_mean(kl_k3(batch.logprobs, batch.ref_logprobs), batch.mask, total)),
            "kl_coef": self.kl.coef,
            "reward_scale": self.reward_scale,
            "tokens": float(rows["tokens"].mean()),
            "cut": float(rows["cut"].mean()),
            "prompts_cut": round(float(rows["prompts_cut"].sum())),
            "explained_variance": explained_variance(batch.values, batch.returns, batch.mask, total),
        }

    def state(self) -> dict[str, Any]:
        return {
            "updates_done": self.updates_done,
            "kl_coef": self.kl.coef,
            "reward_scale": self.reward_scale,
            "dtype": str(self.dtype).removeprefix("torch."),  # "auto" may choose another one tomorrow
            "fast_products": self.fast_products,
            "policy": self.policy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.updates_done, self.kl.coef = state["updates_done"], state["kl_coef"]
        self.reward_scale = state["reward_scale"]
        self.dtype = getattr(torch, state["dtype"])
        self.fast_products = state.get("fast_products", False)
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])

    def evaluate(
        self, num_prompts: int | None = None, temperature: float = 1.0, of_reference: bool = False
    ) -> Evaluation:
        """On prompts of `eval_split`, the same ones every time; the reference is the policy before training."""
        config = self.config

        def make(n: int) -> Any:
            is_made = n == self.eval_env.unwrapped.num_envs
            return self.eval_env if is_made else make_env(config, self.tokenizer, config.eval_split, n)

        with self.reference_policy() if of_reference else contextlib.nullcontext(self.policy.model) as model:
            return evaluate(
                model,
                self.tokenizer,
                make,
                num_prompts=num_prompts or config.eval_prompts,
                temperature=temperature,
                seed=config.seed,
            )


def train(config: PPOConfig) -> Path:
    """Runs PPO to the end, or to Ctrl-C or an error, which save; returns the run's folder.

    The folder holds config.json, metrics.jsonl, curve.png, samples.md, policy/ (which
    `AutoModelForCausalLM.from_pretrained` loads) and the last checkpoint.

    Raises:
        ValueError: a value that cannot work, a folder that holds a run already, or a run resumed with another
            config; all of it before anything is written.
    """
    config.check()
    prepare_cpu()
    with join(runs.choose_device(config.device)) as world:
        if not world.is_first:
            return follow(config, world)
        run = runs.Run(config)
        trainer = Trainer(config, world)
        state = world.from_first(run.last_checkpoint())
        if state is not None:
            trainer.load_state(state)
        run.open(trainer, before=trainer.evaluate(of_reference=True))
        with (
            run.defers_interrupt() as is_interrupted,
            run.saves_on_error(trainer),
            run.progress(config.total_updates, trainer.updates_done) as bar,
        ):
            run.evaluate_if_due(trainer)
            while world.from_first(not run.is_over(trainer)):
                metrics = trainer.step()
                run.record(metrics)
                run.evaluate_if_due(trainer)
                run.save_if_due(trainer)
                bar(metrics)
                if is_interrupted() and not run.is_over(trainer):
                    world.from_first(False)
                    run.stop(trainer)
        run.finish(trainer)
        return run.folder


def follow(config: PPOConfig, world: World) -> Path:
    """What every process but the first does: its share of each update, until the first one says that is all."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # torchrun sends Ctrl-C to all; the first one decides
    try:
        trainer = Trainer(config, world)
        if (state := world.from_first(None)) is not None:
            trainer.load_state(state)
        while world.from_first(None):
            trainer.step()
    finally:
        signal.signal(signal.SIGINT, before)
    return Path(config.run or "runs")


def make_env(config: PPOConfig, tokenizer: ChatTokenizer, split: str, num_envs: int) -> Any:
    """The native vector env that the agent plays in; it never resets by itself. Its reward model is on the device."""
    given: dict[str, Any] = {"reward": config.reward, "data": config.data, "context_length": config.context_length}
    given["max_new_tokens"] = config.max_new_tokens
    return gym.make_vec(
        config.env,
        num_envs=num_envs,
        action="token",
        tokenizer=tokenizer,
        split=split,
        data_seed=config.data_seed,
        device=str(runs.choose_device(config.device)),
        autoreset_mode="Disabled",
        **{name: value for name, value in given.items() if value is not None},
    )


def load_policy_tokenizer(policy: str, tokenizer: str | None, end_of_turn: str | None) -> ChatTokenizer:
    """The policy's own tokenizer unless another is named."""
    if policy != "embedded":
        find_model(policy, "policy")  # so that a policy that is not there is what the error names
    path = tokenizer or ("embedded" if policy == "embedded" else policy)
    return load_tokenizer({"path": path, "end_of_turn": end_of_turn} if end_of_turn else path)


def pack_by_budget(
    rollout: Rollout, rows: list[int], row_tokens: int, batch_tokens: int
) -> Iterator[tuple[Packed, torch.Tensor]]:
    """Packs of at most `batch_tokens` tokens, padding included, with their rows; an episode is never split."""
    chunk: list[int] = []
    lengths: list[int] = []  # of the packed rows of the chunk, as `pack` makes them
    for row in rows:
        episode = rollout.episodes[row]
        longer = _lengths_with(lengths, episode, rollout.episodes[chunk[-1]] if chunk else None, row_tokens)
        if chunk and len(longer) * max(longer) > batch_tokens:
            yield pack([rollout.episodes[r] for r in chunk], row_tokens), torch.tensor(chunk)
            chunk, longer = [], [len(episode.tokens)]
        chunk.append(row)
        lengths = longer
    if chunk:
        yield pack([rollout.episodes[r] for r in chunk], row_tokens), torch.tensor(chunk)


def _lengths_with(lengths: list[int], episode: Episode, last: Episode | None, row_tokens: int) -> list[int]:
    """Lengths of packed rows with one more episode, behind its sibling where there is room."""
    length = len(episode.continuation)
    is_sibling = last is not None and list(last.prompt) == list(episode.prompt)
    if is_sibling and lengths[-1] + length <= row_tokens:
        return [*lengths[:-1], lengths[-1] + length]
    return [*lengths, len(episode.prompt) + length]


def _walk(packs: list[list[Packed]], members: list[list[torch.Tensor]]) -> Iterator[tuple[Packed, torch.Tensor]]:
    for pack_list, member_list in zip(packs, members, strict=True):
        yield from zip(pack_list, member_list, strict=True)


def _spread_over_prompts(values: np.ndarray, samples_per_prompt: int) -> float:
    """Standard deviation of the prompts' means."""
    means = values.reshape(-1, samples_per_prompt).mean(axis=1)
    return float(means.std()) if not math.isnan(float(means[0])) else math.nan
