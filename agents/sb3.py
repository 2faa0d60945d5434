"""Stable-Baselines3's PPO as one of the agents: the same options, the same folder, so that it can be compared.

Everything that learns is SB3's; `textgym.sb3` gives it the vector env, the language model as its policy, and the
buffer of whole responses. What is added here is what the other agents have as well: the price of the KL in the
reward, scores in units of their spread, a learning rate that falls, evaluations, a run's folder.

    textgym train sb3 --env textgym/Translate-v0
    textgym compare --env textgym/Translate-v0 --agents ppo,sb3 --seeds 0 1 2

An update is a rollout of `n_steps` tokens in each of prompts_per_update · samples_per_prompt rows, whole episodes or
not. Left out, because SB3's PPO has no such thing: rewards paid token by token, LoRA, bfloat16, several processes. A
resumed run begins its rows anew, so it is not the run that never stopped, bit by bit.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from textgym import checks
from textgym.seeding import derive_seeds
from textgym.wrappers import VectorReferenceLogprob

from .distributed import World
from .failures import phase
from .online import train_online
from .online_config import OnlineConfig
from .stage import Stage, make_env
from .updates import learning_rate

if TYPE_CHECKING:
    from stable_baselines3 import PPO


@dataclass(frozen=True)
class SB3Config(OnlineConfig):
    """Everything a run depends on; SB3's other options keep its own defaults."""

    agent: ClassVar[str] = "sb3"

    minibatches: int = 4  # about so many optimiser steps for each pass; siblings stay together
    n_steps: int = 48  # tokens in each row between two updates
    epochs: int = 2  # passes over each batch
    clip_ratio: float = 0.2  # larger: faster, less stable
    value_coef: float = 0.1  # the trunk is shared: the value's gradient moves the policy too
    entropy_coef: float = 0.0  # nats are paid in the loss
    gamma: float = 1.0  # 1: the tokens of a response are worth the same, however far from its end
    lam: float = 0.95  # of GAE: 1 trusts the returns, 0 the values

    def check(self) -> None:
        """Raises TypeError for a value of the wrong kind, ValueError for one that cannot work, early."""
        super().check()
        for name in ("n_steps", "epochs"):
            checks.whole(name, getattr(self, name), least=1)
        for name in ("value_coef", "entropy_coef"):
            checks.number(name, getattr(self, name), least=0)
        for name in ("gamma", "lam"):
            checks.number(name, getattr(self, name), least=0, most=1)
        checks.positive("clip_ratio", self.clip_ratio)
        if self.n_steps * self.batch_size < 2:
            raise ValueError(f"n_steps must be at least 2 with one row, got {self.n_steps}")
        for name, needed in (("lora_rank", None), ("missing_eot_penalty", 0)):
            if getattr(self, name) != needed:
                raise ValueError(f"{name} must be {needed} with sb3, got {getattr(self, name)!r}: its PPO has none")
        if self.dtype == "bfloat16":
            raise ValueError(f"dtype must be 'auto' or 'float32' with sb3, got {self.dtype!r}")


class Trainer:
    """SB3's PPO, a rollout and its epochs a step."""

    def __init__(self, config: SB3Config, world: World | None = None) -> None:
        self.config = config
        self.stage = Stage(config, world)
        if self.stage.world.size > 1:
            raise ValueError(f"sb3 must be run in one process, got {self.stage.world.size}")
        self.rows = config.batch_size
        self.agent = self._make_agent()
        self.updates_done = 0
        self.is_mid_update = False
        self.in_hand: dict[str, Any] = {}
        self._begin()

    def _make_agent(self) -> PPO:
        from stable_baselines3 import PPO
        from stable_baselines3.common.logger import Logger

        from textgym.sb3 import LanguageModelPolicy, ResponseBuffer, VecEnv

        config, stage = self.config, self.stage
        env = make_env(config, stage.tokenizer, config.split, self.rows, autoreset_mode="SameStep")
        self.reference = VectorReferenceLogprob(env, beta=0.0, model=stage.reference)  # the callback pays the KL
        agent = PPO(
            LanguageModelPolicy,
            VecEnv(self.reference, samples_per_prompt=config.samples_per_prompt),
            rollout_buffer_class=ResponseBuffer,
            rollout_buffer_kwargs={"seed": config.seed},
            policy_kwargs={
                "model": stage.model,
                "tokenizer": stage.tokenizer,
                "temperature": config.temperature,
                "optimizer_kwargs": {"eps": 1e-5},
            },
            n_steps=config.n_steps,
            batch_size=max(2, self.rows * config.n_steps // config.minibatches),
            n_epochs=config.epochs,
            learning_rate=config.learning_rate,
            gamma=config.gamma,
            gae_lambda=config.lam,
            clip_range=config.clip_ratio,
            ent_coef=config.entropy_coef,
            vf_coef=config.value_coef,
            max_grad_norm=config.max_grad_norm,
            device=stage.device,
        )
        agent.set_logger(Logger(folder=None, output_formats=[]))
        return agent

    def _begin(self) -> None:
        """Rows that begin anew, with generators that follow from the seed and the update."""
        seed = derive_seeds(self.config.seed, 1, self.updates_done, 2)[0]
        self.agent.set_random_seed(seed % 2**31)
        self.agent._last_obs = None

    def step(self) -> dict[str, float]:
        """One rollout and the epochs over it."""
        start = time.perf_counter()
        self.in_hand = {"update": self.updates_done + 1}
        if math.isnan(self.stage.reward_scale):
            self.stage.find_scale(self.stage.collect(0))  # as the other agents measure it
        seen = _make_callback(self)
        rate = learning_rate(self.config, self.updates_done)
        self.agent.lr_schedule = lambda _: rate
        with phase("a rollout or an update of SB3", "prompts_per_update, samples_per_prompt or n_steps"):
            self.agent.learn(self.rows * self.config.n_steps, seen, log_interval=10**9, reset_num_timesteps=False)
        told = {name.removeprefix("train/"): value for name, value in self.agent.logger.name_to_value.items()}
        metrics = {"update": self.updates_done + 1} | seen.metrics() | _renamed(told)
        metrics |= {"kl_coef": self.config.kl_coef, "reward_scale": self.stage.reward_scale}
        metrics |= {"rollout_s": seen.ended - start, "update_s": time.perf_counter() - seen.ended}
        self.updates_done += 1
        self.is_mid_update = False
        return metrics

    def state(self) -> dict[str, Any]:
        return self.stage.state() | {
            "updates_done": self.updates_done,
            "policy": self.agent.policy.state_dict(),
            "optimizer": self.agent.policy.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.stage.load_state(state)
        self.updates_done = state["updates_done"]
        self.agent.policy.load_state_dict(state["policy"])
        self.agent.policy.optimizer.load_state_dict(state["optimizer"])
        self._begin()


def _make_callback(trainer: Trainer) -> Any:
    """Pays score · scale − β (log π − log π_ref) for each token, and remembers the episodes that end.

    What it pays must be finite, else FloatingPointError before any weight has moved.

    Made in a function because its base class comes with an extra.
    """
    from stable_baselines3.common.callbacks import BaseCallback

    class Seen(BaseCallback):
        ended: float = 0.0

        def _on_training_start(self) -> None:
            n = self.training_env.num_envs
            self._kl, self._tokens = np.zeros(n), np.zeros(n)
            self._is_whole = np.array(self.model._last_episode_starts)  # type: ignore[attr-defined]  # others began in the rollout before
            self._rows: list[tuple[float, float, float, float]] = []

        def _on_step(self) -> bool:
            kl = self.locals["log_probs"].double().cpu().numpy() - trainer.reference.logprobs
            rewards = self.locals["rewards"]  # SB3 has not stored this array yet: what is changed here is learned from
            rewards[:] = rewards * trainer.stage.reward_scale - trainer.config.kl_coef * kl
            if bad := int((~np.isfinite(rewards)).sum()):
                raise FloatingPointError(f"{bad} of {len(rewards)} rewards are not finite in a step of SB3's rollout")
            self._kl += kl
            self._tokens += 1
            for row in self.locals["dones"].nonzero()[0]:
                info = self.locals["infos"][row]
                if self._is_whole[row]:
                    told = float(info["score"]), float(info.get("gold", math.nan)), self._kl[row], self._tokens[row]
                    self._rows.append(told)
                self._kl[row] = self._tokens[row] = 0
                self._is_whole[row] = True
            return True

        def _on_rollout_end(self) -> None:
            self.ended = time.perf_counter()
            trainer.is_mid_update = True  # its epochs come next

        def metrics(self) -> dict[str, float]:
            """Means over the episodes that began and ended in the rollout, NaN where there is none."""
            columns = np.array(self._rows or [(math.nan,) * 4]).T
            names = ("score", "gold", "kl", "tokens")
            found = {name: float(column.mean()) for name, column in zip(names, columns, strict=True)}
            spreads = {f"{name}_spread": float(column.std()) for name, column in zip(names[:3], columns, strict=False)}
            return found | spreads | {"episodes": len(self._rows)}

    return Seen()


def _renamed(told: dict[str, Any]) -> dict[str, float]:
    """SB3's figures of an update under the names that the other agents use."""
    names = {
        "policy_gradient_loss": "policy_loss",
        "value_loss": "value_loss",
        "loss": "loss",
        "approx_kl": "approx_kl",
        "clip_fraction": "clip_fraction",
        "explained_variance": "explained_variance",
    }
    found = {ours: float(told[theirs]) for theirs, ours in names.items() if theirs in told}
    return found | ({"entropy": -float(told["entropy_loss"])} if "entropy_loss" in told else {})


def train(config: SB3Config) -> Path:
    """Runs SB3's PPO as `train_online` runs an agent of ours; returns the run's folder.

    Raises:
        ImportError: Stable-Baselines3 is not installed.
    """
    import textgym.sb3  # noqa: F401  (names the extra where it is missing, before anything is loaded)

    return train_online(config, Trainer)
