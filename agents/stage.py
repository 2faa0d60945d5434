"""What every online agent stands on: its envs, the policy and its reference, a batch that is played, packed and paid.

An agent holds a stage and adds its own arithmetic: how advantages come from rewards, and what is descended.
Left out: the run's folder (runs.py), the loop over updates (online.py).
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

import textgym  # noqa: F401  (registers the ids)
from textgym.models.arithmetic import arithmetic
from textgym.models.language_model import forbidden_tokens, load_language_model, require_fit
from textgym.models.lora import adapter_off, add_lora, merged
from textgym.models.places import find_model
from textgym.models.tokenizer import ChatTokenizer, load_tokenizer
from textgym.seeding import derive_seeds

from . import devices
from .distributed import World
from .estimators import kl_k1, kl_k3, masked_mean
from .evaluate import CHUNK, Evaluation, are_same, evaluate
from .failures import loading, phase
from .online_config import OnlineConfig
from .packing import Episode, Members, Packed, Packs, pack_by_budget
from .policy import reference_logprobs
from .rollout import Rollout, play
from .shards import SAVE, Shards, copy_of_whole, weights_of
from .watch import repetition


class Stage:
    """One run's envs and models. Of several processes each has a stage, which plays its share of every batch."""

    def __init__(self, config: OnlineConfig, world: World | None = None) -> None:
        config.check()
        self.config = config
        self.world = World() if world is None else world
        self.share = self.world.share(config.prompts_per_update)
        if config.shard and self.world.size == 1:
            raise ValueError("shard needs several processes (torchrun --nproc-per-node 2 …), got one: nothing to part")
        self.device = devices.choose_device(config.device)
        self.dtype = self.world.from_first(devices.choose_dtype(config.dtype, self.device))
        self.batch_tokens = config.batch_tokens or (4096 if self.device.type == "cpu" else 16384)
        self.tokenizer = load_policy_tokenizer(config.policy, config.tokenizer, config.end_of_turn)
        spared = "" if config.lora_rank else ", or give a lora_rank, which needs no second copy of the policy"
        with loading(options=f"policy or reward{spared}"):
            self._load()
        self.reward_scale = math.nan if config.scale_reward else 1.0  # not known before the first batch
        self.num_examples = len(self.env.unwrapped.task)

    def _load(self) -> None:
        """The envs with their reward model, the policy, and what stands for the policy before training."""
        config = self.config
        self.env = make_env(config, self.tokenizer, config.split, config.batch_size // self.world.size)
        self.eval_env = make_env(config, self.tokenizer, config.eval_split, min(CHUNK, config.eval_prompts))
        self.is_held_out = not are_same(self.env.unwrapped.task, self.eval_env.unwrapped.task)
        self.model = load_language_model(config.policy, self.device)
        require_fit(self.model, self.tokenizer, self.env.unwrapped.context_length)
        self.forbidden = forbidden_tokens(self.model, self.tokenizer)
        self.reference = None
        if config.lora_rank is not None:
            add_lora(self.model, config.lora_rank, config.lora_alpha, seed=derive_seeds(config.seed, 1, 0, 8)[0])
        else:
            self.reference = copy.deepcopy(self.model).requires_grad_(False)
        self.shards = Shards(self.model, self.world) if config.shard else None

    @contextlib.contextmanager
    def reference_policy(self) -> Iterator[Any]:
        """The policy before training: a copy, or the same weights with their adapter off."""
        if self.reference is not None:
            yield self.reference
            return
        with adapter_off(self.model):
            yield self.model

    def whole_policy(self) -> Any:
        """The policy as a plain language model, its adapter merged into the weights."""
        if self.shards is not None:
            return copy_of_whole(self.model, self.config)
        return self.model if self.reference is not None else merged(self.model)

    def whole_state(self, trainer: Any) -> Any:
        """A trainer's state for a checkpoint; the first process asks, and with `shard` the others give their parts."""
        if self.shards is None:
            return trainer.state()
        self.world.from_first(SAVE)
        return self.shards.whole_state(trainer.state())

    def go_on(self, trainer: Any, state: dict[str, Any] | None) -> None:
        """Every process before its first update: the state of a checkpoint, where there is one."""
        if state is not None and self.shards is not None:
            state = self.shards.part_of(state, trainer.state(), weights_of(trainer.optimizer))
        if state is not None:
            trainer.load_state(state)
        if self.shards is not None:
            self.shards.gather()

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        return arithmetic(self.device, self.dtype, self.config.onednn, self.config.compile)

    def collect(self, update: int) -> Rollout:
        """Plays one batch. All randomness follows from (seed, update), so a resumed run plays the same."""
        config = self.config
        rng = np.random.default_rng([config.seed, update, 1])
        replace = self.num_examples < config.prompts_per_update
        index = rng.choice(self.num_examples, size=config.prompts_per_update, replace=replace)
        rows = slice(self.share.start * config.samples_per_prompt, self.share.stop * config.samples_per_prompt)
        generator = torch.Generator(self.device).manual_seed(derive_seeds(config.seed, 1, update, 2)[0])
        return play(
            self.env,
            self.model,
            self.tokenizer,
            index[self.share],
            derive_seeds(config.seed, config.batch_size, update, 3)[rows],
            samples_per_prompt=config.samples_per_prompt,
            temperature=config.temperature,
            forbidden=self.forbidden,
            generator=generator,
            rows_of_all=(rows.start, config.batch_size),
        )

    def make_packs(self, rollout: Rollout, update: int) -> tuple[Packs, Members]:
        """Packs for each minibatch, and the episodes in each; a prompt's samples stay together.

        Which prompts make a minibatch does not depend on how many processes share the batch.
        """
        config, k = self.config, self.config.samples_per_prompt
        groups = np.random.default_rng([config.seed, update, 4]).permutation(config.prompts_per_update)
        lengths = [len(e.continuation) for e in rollout.episodes]
        packs, members = [], []
        for chunk in np.array_split(groups, config.minibatches):
            own = [g - self.share.start for g in chunk.tolist() if self.share.start <= g < self.share.stop]
            own.sort(key=lambda g: sum(lengths[g * k : (g + 1) * k]))  # little padding
            rows = [g * k + sample for g in own for sample in range(k)]
            made = list(pack_by_budget(rollout.episodes, rows, config.row_tokens, self.batch_tokens))
            packs.append([p.to(self.device) for p, _ in made])
            members.append([m.to(self.device) for _, m in made])
        return packs, members

    def find_scale(self, rollout: Rollout) -> float:
        """What scores are multiplied by: one over what the starting policy's spread, kept from the first batch on.

        So the KL's price, the value's clip and the losses mean the same whether a reward's scores
        differ by hundredths, as metrics do, or by tens.
        """
        if math.isnan(self.reward_scale):
            spread = float(np.concatenate(self.world.gather(rollout.scores)).std())
            self.reward_scale = 1 / spread if spread > 1e-6 else 1.0
        return self.reward_scale

    def returns(self, rollout: Rollout) -> Tensor:
        """(B,) float32 what an episode is paid before the KL: its scaled score, less the penalty of a cut turn."""
        cut = torch.as_tensor(~rollout.last_turn_has_eot, device=self.device).float()
        scores = torch.as_tensor(rollout.scores, device=self.device).float()
        return scores * self.find_scale(rollout) - self.config.missing_eot_penalty * cut

    def tokens_in(self, packs: list[Packed]) -> float:
        """How many policy tokens an optimiser step is a mean over: those of this minibatch in all processes."""
        return self.world.sum(torch.tensor(float(sum(len(p.target) for p in packs)))).item()

    def descend(self, optimizer: torch.optim.Optimizer, trained: list[torch.nn.Parameter], update: int) -> float:
        """One optimiser step on the gradients of all processes, clipped; returns their norm before that.

        Raises:
            FloatingPointError: a gradient that is not finite; no weight is touched.
        """
        if self.shards is not None:
            norm = self.shards.clip(trained, self.config.max_grad_norm)
        else:
            self.world.sum_gradients(trained)
            norm = torch.nn.utils.clip_grad_norm_(trained, self.config.max_grad_norm)
        if not torch.isfinite(norm):
            raise FloatingPointError(
                f"the gradient is not finite at update {update + 1}; a lower learning_rate may help"
            )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def metrics(self, rollout: Rollout, logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor) -> dict[str, Any]:
        """What every agent says of a batch: means over the batches of all processes. Inputs (B, T), nats."""
        k, total = self.config.samples_per_prompt, self.world.sum
        own = {
            "score": rollout.scores,
            "gold": rollout.gold,
            "kl": torch.where(mask, kl_k1(logprobs, ref_logprobs), 0).sum(1).cpu().numpy(),
            "tokens": mask.sum(1).cpu().numpy(),
            "cut": ~rollout.last_turn_has_eot,
            "prompts_cut": (rollout.prompt_tokens_cut > 0) / k,
            "repetition": repetition([chosen_tokens(e) for e in rollout.episodes]),
        }
        if "std" in rollout.score_components:  # an ensemble's members
            own["disagreement"] = rollout.score_components["std"]
        parts = self.world.gather(own)
        rows = {name: np.concatenate([part[name] for part in parts]) for name in own}
        found: dict[str, Any] = {}
        for name in ("score", "gold", "kl"):
            found[name] = float(rows[name].mean())
            found[f"{name}_spread"] = _spread_over_prompts(rows[name], k)
        means = {name: float(rows[name].mean()) for name in ("repetition", "disagreement") if name in rows}
        return (
            found
            | {
                "kl_k3": float(masked_mean(kl_k3(logprobs, ref_logprobs), mask, total)),
                "reward_scale": self.reward_scale,
                "tokens": float(rows["tokens"].mean()),
                "cut": float(rows["cut"].mean()),
                "prompts_cut": round(float(rows["prompts_cut"].sum())),
            }
            | means
        )

    def evaluate(
        self, num_prompts: int | None = None, temperature: float = 1.0, of_reference: bool = False
    ) -> Evaluation:
        """On prompts of `eval_split`, the same ones every time; the reference is the policy before training.

        Among its figures is "kl", nats an episode to the reference, unless decoding is greedy.
        """
        config = self.config

        def make(n: int) -> Any:
            is_made = n == self.eval_env.unwrapped.num_envs
            return self.eval_env if is_made else make_env(config, self.tokenizer, config.eval_split, n)

        with (
            phase("an evaluation", "eval_prompts or max_new_tokens"),
            self.reference_policy() if of_reference else contextlib.nullcontext(self.model) as model,
        ):
            found = evaluate(
                model,
                self.tokenizer,
                make,
                num_prompts=num_prompts or config.eval_prompts,
                temperature=temperature,
                seed=config.seed,
                forbidden=self.forbidden,
            )
        if temperature == 0:
            return found
        with phase("the KL of an evaluation", "batch_tokens or row_tokens"):
            kl = np.zeros(found.num_prompts) if of_reference else self.kl_of(found)
        return found.with_figure("kl", kl)

    @torch.no_grad()
    def kl_of(self, evaluation: Evaluation) -> np.ndarray:
        """(n,) nats an episode, k1: what the policy said of its tokens less what the reference says of them."""
        found = []
        for rollout in evaluation.rollouts:
            kl = torch.tensor([sum(said) for said in rollout.logprobs], dtype=torch.float64)
            rows = sorted(range(len(kl)), key=lambda row: len(rollout.episodes[row].tokens))  # little padding
            for packed, rows_of in pack_by_budget(rollout.episodes, rows, self.config.row_tokens, self.batch_tokens):
                placed = packed.to(self.device)
                with self.reference_policy() as model:
                    said = reference_logprobs(model, placed, self.forbidden, evaluation.temperature)
                kl.index_add_(0, rows_of[packed.episode], -said.double().cpu())
            found.append(kl.numpy())
        return np.concatenate(found)

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs beside the agent's own."""
        return {
            "reward_scale": self.reward_scale,
            "dtype": str(self.dtype).removeprefix("torch."),  # "auto" may choose another one tomorrow
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.reward_scale = state["reward_scale"]
        self.dtype = getattr(torch, state["dtype"])


def make_env(
    config: OnlineConfig, tokenizer: ChatTokenizer, split: str, num_envs: int, autoreset_mode: str = "Disabled"
) -> Any:
    """The native vector env that an agent plays in; ours never resets by itself. Its reward model is on the device."""
    given: dict[str, Any] = {"reward": config.reward, "data": config.data, "context_length": config.context_length}
    given["max_new_tokens"] = config.max_new_tokens
    return gym.make_vec(
        config.env,
        num_envs=num_envs,
        action="token",
        tokenizer=tokenizer,
        split=split,
        data_seed=config.data_seed,
        device=str(devices.choose_device(config.device)),
        autoreset_mode=autoreset_mode,
        **{name: value for name, value in given.items() if value is not None},
    )


def load_policy_tokenizer(policy: str, tokenizer: str | None, end_of_turn: str | None) -> ChatTokenizer:
    """The policy's own tokenizer unless another is named."""
    if policy != "embedded":
        find_model(policy, "policy")  # so that a policy that is not there is what the error names
    path = tokenizer or ("embedded" if policy == "embedded" else policy)
    return load_tokenizer({"path": path, "end_of_turn": end_of_turn} if end_of_turn else path)


def chosen_tokens(episode: Episode) -> list[int]:
    """What the policy said, its turns one after the other."""
    return [token for token, is_chosen in zip(episode.continuation, episode.chosen, strict=True) if is_chosen]


def _spread_over_prompts(values: np.ndarray, samples_per_prompt: int) -> float:
    """Standard deviation of the prompts' means."""
    means = values.reshape(-1, samples_per_prompt).mean(axis=1)
    return float(means.std()) if not math.isnan(float(means[0])) else math.nan
