"""Token-level PPO for language models, top to bottom.

Schulman et al. 2017 on text as Stiennon et al. 2020 use it: the policy and its value function
share a trunk, every token pays its KL to the reference policy, the reward model's score is paid
over the response (where the reward model is dense) or on the last token the policy chose.

    rollout -> old log-probabilities, values, reference -> rewards -> GAE -> clipped updates

What is not here: the sampling loop (textgym.models.generate), the estimators (estimators.py),
the packing of shared prompts (packing.py). Left out on purpose: a separate critic, and
generating with other weights than those being trained.

    textgym train ppo --env textgym/Summarize-v0
    python -m agents ppo --env textgym/Translate-v0 --seed 1
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

import textgym  # noqa: F401  (registers the ids)
from textgym import checks
from textgym.models.language_model import arithmetic, forbidden_tokens, load_language_model, require_fit
from textgym.models.places import find_model
from textgym.models.tokenizer import ChatTokenizer, load_tokenizer
from textgym.seeding import derive_seeds
from textgym.types import SPLITS

from . import runs
from .cpu import prepare_cpu
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
from .packing import Packed, pack
from .policy import ActorCritic, reference_logprobs
from .rollout import Rollout, play


@dataclass(frozen=True)
class PPOConfig:
    """Everything a run depends on; the defaults train the embedded policy in minutes on two cores."""

    env: str = "textgym/Summarize-v0"  # an id that `textgym list` shows
    policy: str = "embedded"  # a folder or hub name of a causal language model
    tokenizer: str | None = None  # a folder or hub name; None: the policy's own
    end_of_turn: str | None = None  # the token that ends a turn; None: what the tokenizer says
    reward: str | None = None  # None: the env's own learned reward model
    data: str | None = None  # your own records (JSONL, CSV, Parquet, a dataset); None: the embedded world
    split: str = "train"
    data_seed: int = 0
    context_length: int | None = None  # tokens; None: the env's default
    max_new_tokens: int | None = None  # tokens a turn; None: the env's default

    seed: int = 0
    num_updates: int | None = None  # None: 100, or 60 of Dialogue, whose updates take longer
    prompts_per_update: int = 16
    samples_per_prompt: int = 8  # responses a prompt, which is computed once for all of them
    epochs: int = 2  # passes over each batch
    minibatches: int = 2  # optimiser steps an epoch
    learning_rate: float = 5e-4  # decays linearly to a tenth
    critic_warmup: int = 5  # first updates that train the value head alone
    clip_ratio: float = 0.2  # larger: faster, less stable
    clip_value: float = 0.2  # rewards that a value may move away from the old one in an update
    value_coef: float = 0.1  # the trunk is shared: the value's gradient moves the policy too
    entropy_coef: float = 0.0
    kl_coef: float = 0.1  # rewards a nat of KL to the reference; larger: stays closer to it
    kl_target: float | None = None  # nats an episode; None keeps kl_coef fixed
    kl_horizon: int = 2000  # episodes over which the adaptive coefficient moves
    gamma: float = 1.0
    lam: float = 0.95
    temperature: float = 1.0
    missing_eot_penalty: float = 0.0  # rewards, where the last turn was cut
    max_grad_norm: float = 1.0
    scale_reward: bool = True  # divide scores by their standard deviation in the first batch; False: as they come
    dense_reward: bool = True  # pay a dense reward model's score token by token; False: all on the last

    device: str = "auto"
    dtype: str = "auto"  # arithmetic of the training passes; "auto": bfloat16 where it is faster
    row_tokens: int = 512  # the most tokens in a packed row
    batch_tokens: int | None = None  # in one forward pass; None: 4096 on a CPU, for its caches, 16384 on a GPU

    run: str | None = None  # a new folder; None: runs/<env>-seed<seed>, or the first free of …-2, …-3
    eval_every: int = 25  # updates between evaluations on held-out prompts; 0: only at the ends
    eval_prompts: int = 128
    eval_split: str = "validation"
    checkpoint_every: int = 50
    resume: bool = False  # go on from the last checkpoint of `run`, or of the newest run where it is None

    @property
    def batch_size(self) -> int:
        return self.prompts_per_update * self.samples_per_prompt

    @property
    def total_updates(self) -> int:
        """`num_updates`, or what the embedded policy needs."""
        if self.num_updates is not None:
            return self.num_updates
        return 60 if "Dialogue" in self.env else 100

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        runs.check_kinds(self)
        if self.total_updates < 1:
            raise ValueError(f"num_updates must be None or at least 1, got {self.num_updates}")
        sizes = ("prompts_per_update", "samples_per_prompt", "epochs", "minibatches")
        for name in (*sizes, "row_tokens", "eval_prompts", "kl_horizon"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise ValueError(f"batch_tokens must be None or at least 1, got {self.batch_tokens}")
        coefficients = ("kl_coef", "value_coef", "entropy_coef", "missing_eot_penalty")
        for name in ("seed", "critic_warmup", "eval_every", "checkpoint_every", *coefficients):
            checks.number(name, getattr(self, name), least=0)
        if self.minibatches > self.prompts_per_update:
            raise ValueError(
                f"minibatches must be at most prompts_per_update={self.prompts_per_update}, got {self.minibatches}"
            )
        for name in ("learning_rate", "temperature", "max_grad_norm", "clip_ratio", "clip_value"):
            checks.positive(name, getattr(self, name))
        if self.kl_target is not None:
            checks.positive("kl_target", self.kl_target)
        for name in ("gamma", "lam"):
            checks.number(name, getattr(self, name), least=0, most=1)
        for name in ("split", "eval_split"):
            if getattr(self, name) not in SPLITS:
                raise ValueError(f"{name} must be one of {list(SPLITS)}, got {getattr(self, name)!r}")
        runs.choose_device(self.device)
        if self.dtype not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"dtype must be 'auto', 'float32' or 'bfloat16', got {self.dtype!r}")


@dataclass
class Batch:
    """One update's experience: B episodes of at most T policy tokens."""

    rollout: Rollout
    packs: list[list[Packed]]  # a list of packs for each minibatch
    members: list[list[torch.Tensor]]  # for each pack, the (b,) episodes of the batch in it
    logprobs: torch.Tensor  # (B, T) nats, under the policy that sampled
    ref_logprobs: torch.Tensor  # (B, T) nats
    values: torch.Tensor  # (B, T)
    mask: torch.Tensor  # (B, T) bool
    advantages: torch.Tensor  # (B, T) whitened
    returns: torch.Tensor  # (B, T)


class Trainer:
    """The parts of one run, and one method for each step of the algorithm."""

    def __init__(self, config: PPOConfig) -> None:
        config.check()
        self.config = config
        self.device = runs.choose_device(config.device)
        self.dtype = runs.choose_dtype(config.dtype, self.device)
        self.batch_tokens = config.batch_tokens or (4096 if self.device.type == "cpu" else 16384)
        self.tokenizer = load_policy_tokenizer(config.policy, config.tokenizer, config.end_of_turn)
        self.env = make_env(config, self.tokenizer, config.split, config.batch_size)
        self.eval_env = make_env(config, self.tokenizer, config.eval_split, min(CHUNK, config.eval_prompts))
        self.is_held_out = not are_same(self.env.unwrapped.task, self.eval_env.unwrapped.task)
        model = load_language_model(config.policy, self.device)
        require_fit(model, self.tokenizer, self.env.unwrapped.context_length)
        self.forbidden = forbidden_tokens(model, self.tokenizer)
        self.policy = ActorCritic(model, self.forbidden, config.temperature)
        self.reference = copy.deepcopy(model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.policy.parameters(), lr=config.learning_rate, eps=1e-5, weight_decay=0.0, fused=True
        )
        self.kl = AdaptiveKL(config.kl_coef, config.kl_target, config.kl_horizon)
        self.reward_scale = math.nan if config.scale_reward else 1.0  # not known before the first batch
        self.num_examples = len(self.env.unwrapped.task)
        self.updates_done = 0
        self.is_mid_update = False  # the weights are between two updates then, and cannot be saved

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        return arithmetic(self.device, self.dtype)

    def collect(self) -> Rollout:
        """Plays one batch. All randomness follows from (seed, update), so a resumed run plays the same."""
        config, update = self.config, self.updates_done
        rng = np.random.default_rng([config.seed, update, 1])
        replace = self.num_examples < config.prompts_per_update
        index = rng.choice(self.num_examples, size=config.prompts_per_update, replace=replace)
        generator = torch.Generator(self.device).manual_seed(derive_seeds(config.seed, 1, update, 2)[0])
        return play(
            self.env,
            self.policy.model,
            self.tokenizer,
            index,
            derive_seeds(config.seed, config.batch_size, update, 3),
            samples_per_prompt=config.samples_per_prompt,
            temperature=config.temperature,
            forbidden=self.forbidden,
            generator=generator,
        )

    @torch.no_grad()
    def prepare(self, rollout: Rollout) -> Batch:
        """Old log-probabilities, values and reference; then rewards, advantages and returns."""
        config = self.config
        n = len(rollout.episodes)
        groups = np.random.default_rng([config.seed, self.updates_done, 4]).permutation(config.prompts_per_update)
        packs, members = [], []
        k = config.samples_per_prompt
        lengths = [sum(len(e.continuation) for e in rollout.episodes[g * k : (g + 1) * k]) for g in range(len(groups))]
        for chunk in np.array_split(groups, config.minibatches):
            by_length = sorted(chunk.tolist(), key=lambda g: lengths[g])  # little padding
            rows = [g * k + sample for g in by_length for sample in range(k)]
            made = list(pack_by_budget(rollout, rows, config.row_tokens, self.batch_tokens))
            packs.append([p.to(self.device) for p, _ in made])
            members.append([m.to(self.device) for _, m in made])
        steps = max(e.num_chosen for e in rollout.episodes)
        blank = torch.zeros(n, steps, device=self.device)
        logprobs, values, ref, mask = blank.clone(), blank.clone(), blank.clone(), blank.bool()
        for packed, rows_of in _walk(packs, members):
            with self.autocast():
                statistics = self.policy(packed)
                ref_logprobs = reference_logprobs(self.reference, packed, self.forbidden, config.temperature)
            where = (rows_of[packed.episode], packed.step)
            logprobs[where], values[where], ref[where] = statistics.logprobs, statistics.values, ref_logprobs
            mask[where] = True
        rewards = self.rewards(rollout, mask) - self.kl.coef * kl_k1(logprobs, ref)
        advantages, returns = gae(rewards, values, mask, config.gamma, config.lam)
        return Batch(rollout, packs, members, logprobs, ref, values, mask, whiten(advantages, mask), returns)

    def rewards(self, rollout: Rollout, mask: torch.Tensor) -> torch.Tensor:
        """(B, T) the reward model's part, before the KL, in units of what the starting policy's scores spread.

        So the KL's price, the value's clip and the losses mean the same whether a reward's scores
        differ by hundredths, as metrics do, or by tens.
        """
        if math.isnan(self.reward_scale):
            spread = float(rollout.scores.std())
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
        sums: dict[str, float] = {}
        steps = 0
        for _ in range(config.epochs):
            for m in order.permutation(config.minibatches):
                total = sum(len(p.target) for p in batch.packs[m])
                for packed, rows_of in zip(batch.packs[m], batch.members[m], strict=True):
                    parts = self._losses(batch, packed, rows_of, is_warmup)
                    (parts["loss"] / total).backward()
                    for name, value in parts.items():
                        sums[name] = sums.get(name, 0.0) + float(value.detach()) / total
                norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), config.max_grad_norm)
                if not torch.isfinite(norm):
                    raise FloatingPointError(f"the gradient is not finite at update {self.updates_done}")
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=True)
                sums["grad_norm"] = sums.get("grad_norm", 0.0) + float(norm)
                steps += 1
        return {name: value / steps for name, value in sums.items()}

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
        start = time.perf_counter()
        rollout = self.collect()
        collected = time.perf_counter()
        batch = self.prepare(rollout)
        self.is_mid_update = True
        losses = self.update(batch)
        kl = float(kl_k1(batch.logprobs, batch.ref_logprobs).sum(1).mean())
        metrics = {
            "update": self.updates_done + 1,
            "score": float(rollout.scores.mean()),
            "gold": float(rollout.gold.mean()),
            "score_spread": _spread_over_prompts(rollout.scores, self.config.samples_per_prompt),
            "gold_spread": _spread_over_prompts(rollout.gold, self.config.samples_per_prompt),
            "kl": kl,
            "kl_k3": float(masked_mean(kl_k3(batch.logprobs, batch.ref_logprobs), batch.mask)),
            "kl_spread": _spread_over_prompts(
                kl_k1(batch.logprobs, batch.ref_logprobs).sum(1).cpu().numpy(), self.config.samples_per_prompt
            ),
            "kl_coef": self.kl.coef,
            "reward_scale": self.reward_scale,
            "tokens": float(batch.mask.sum(1).float().mean()),
            "cut": float(1 - rollout.last_turn_has_eot.mean()),
            "prompts_cut": int((rollout.prompt_tokens_cut[:: self.config.samples_per_prompt] > 0).sum()),
            "explained_variance": explained_variance(batch.values, batch.returns, batch.mask),
            **losses,
            "rollout_s": collected - start,
            "update_s": time.perf_counter() - collected,
        }
        self.kl.update(kl, self.config.batch_size)
        self.updates_done += 1
        self.is_mid_update = False
        return metrics

    def state(self) -> dict[str, Any]:
        return {
            "updates_done": self.updates_done,
            "kl_coef": self.kl.coef,
            "reward_scale": self.reward_scale,
            "dtype": str(self.dtype).removeprefix("torch."),  # "auto" may choose another one tomorrow
            "policy": self.policy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.updates_done, self.kl.coef = state["updates_done"], state["kl_coef"]
        self.reward_scale = state["reward_scale"]
        self.dtype = getattr(torch, state["dtype"])
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

        return evaluate(
            self.reference if of_reference else self.policy.model,
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
    run = runs.Run(config)
    trainer = Trainer(config)
    if (state := run.last_checkpoint()) is not None:
        trainer.load_state(state)
    run.open(trainer, before=trainer.evaluate(of_reference=True))
    with (
        run.defers_interrupt() as is_interrupted,
        run.saves_on_error(trainer),
        run.progress(config.total_updates, trainer.updates_done) as bar,
    ):
        run.evaluate_if_due(trainer)
        while trainer.updates_done < config.total_updates:
            metrics = trainer.step()
            run.record(metrics)
            run.evaluate_if_due(trainer)
            is_last = trainer.updates_done == config.total_updates
            if is_last or (config.checkpoint_every and trainer.updates_done % config.checkpoint_every == 0):
                run.save_checkpoint(trainer)
            bar(metrics)
            if is_interrupted() and not is_last:
                run.stop(trainer)
    run.finish(trainer)
    return run.folder


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
    """Packs of at most about `batch_tokens` tokens (a prompt's own row is never split), with their rows."""
    start = 0
    while start < len(rows):
        stop, used = start, 0
        while stop < len(rows) and (stop == start or used < batch_tokens):
            used += len(rollout.episodes[rows[stop]].continuation) + len(rollout.episodes[rows[stop]].prompt) // 4
            stop += 1
        chunk = rows[start:stop]
        yield pack([rollout.episodes[r] for r in chunk], row_tokens), torch.tensor(chunk)
        start = stop


def _walk(packs: list[list[Packed]], members: list[list[torch.Tensor]]) -> Iterator[tuple[Packed, torch.Tensor]]:
    for pack_list, member_list in zip(packs, members, strict=True):
        yield from zip(pack_list, member_list, strict=True)


def _spread_over_prompts(values: np.ndarray, samples_per_prompt: int) -> float:
    """Standard deviation of the prompts' means."""
    means = values.reshape(-1, samples_per_prompt).mean(axis=1)
    return float(means.std()) if not math.isnan(float(means[0])) else math.nan
