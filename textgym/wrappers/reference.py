"""KL control for agents that know nothing of it: β log π_ref(a|s) as part of the reward.

An agent that maximises the entropy-regularised return E[Σ r + β log π_ref(a|s) − β log π(a|s)] has its
optimum at π* ∝ π_ref exp(r / β), that of KL-regularised RLHF (Ziegler et al. 2019, eq. 2). The wrapper brings
the first logarithm, the agent the second. With the usual entropy *bonus* in the loss, which is not part of
the return, it is an approximation; `docs/agents.md` says how far off.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from textgym import checks
from textgym.envs.references import release
from textgym.wrappers.base import Step, TextWrapper, require_door, require_whole_observations


class Reference:
    """Log-probabilities under a frozen language model, of conversations that grow; read once, then from a cache."""

    def __init__(self, model: Any, core: Any) -> None:
        """`core`: an unwrapped textgym env, single or vector, whose tokenizer and context the model must fit."""
        from textgym.models.language_model import load_language_model, require_fit
        from textgym.wrappers.reader import CachedReader

        self.model = load_language_model(model)
        require_fit(self.model, core.tokenizer)
        space = getattr(core, "single_observation_space", core.observation_space)
        self.reader = CachedReader(self.model, space.shape[0])
        self.is_control = core.tokenizer.control_mask  # (V,) bool

    def logits(self, observations: np.ndarray) -> Any:
        """(n, C) observations -> (n, V) float32 tensor, less the logarithm of what the allowed tokens sum to.

        So they are log-probabilities of the tokens that a policy may choose; a control token gets a finite
        number of its own, below 0 or not, rather than an infinite fine.
        """
        import torch

        from textgym.models.language_model import head

        with torch.no_grad():
            device = next(self.model.parameters()).device
            hidden = self.reader.read(torch.as_tensor(observations, dtype=torch.long, device=device))
            logits = head(self.model, hidden)[:, : len(self.is_control)]
            allowed = logits.masked_fill(torch.as_tensor(self.is_control, device=device), -torch.inf)
            return logits - allowed.logsumexp(dim=1, keepdim=True)

    def logprobs(self, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """(n,) float64 nats of the tokens chosen."""
        import torch

        logits = self.logits(observations)
        chosen = torch.as_tensor(actions, dtype=torch.long, device=logits.device)
        return logits.gather(1, chosen[:, None]).squeeze(1).double().cpu().numpy()


class ReferenceLogprob(TextWrapper):
    """Adds `beta` times the reference's log-probability of the token to each reward.

    Args:
        env: a textgym env of the token door, whose observation is the whole conversation.
        beta: reward for a nat, at least 0.
        model: "embedded", a folder or hub name of a causal language model, or a loaded one, which is not
            copied and must not be trained.
    """

    def __init__(self, env: gym.Env[Any, Any], beta: float, model: Any = "embedded") -> None:
        super().__init__(env, beta=beta, model=model)
        self.beta = checks.number("beta", beta, least=0)
        require_door(env, "token", "ReferenceLogprob")
        require_whole_observations(env, "ReferenceLogprob")
        self.reference = Reference(release(model), env.unwrapped)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**kwargs)
        self._state = observation.copy()
        return observation, info

    def step(self, action: Any) -> Step:
        observation, reward, terminated, truncated, info = self.env.step(action)
        logprob = self.reference.logprobs(self._state[None], np.array([int(action)]))[0]
        self._state = observation.copy()
        return observation, float(reward) + self.beta * float(logprob), terminated, truncated, info


class VectorReferenceLogprob(VectorWrapper):
    """`ReferenceLogprob` for a vector env that resets in the same step: one reading a step for all rows.

    `logprobs` has the reference's of the last step's tokens, (n,) float64 nats, for those who pay the KL themselves.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], beta: float, model: Any = "embedded") -> None:
        super().__init__(env)
        self.beta = checks.number("beta", beta, least=0)
        require_door(env, "token", "VectorReferenceLogprob")
        require_same_step(env, "VectorReferenceLogprob")
        self.reference = Reference(model, env.unwrapped)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        observations, infos = self.env.reset(**kwargs)
        self._states = observations.copy()
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        self.logprobs = self.reference.logprobs(self._states, np.asarray(actions))
        self._states = observations.copy()
        rewards = rewards + self.beta * self.logprobs
        return observations, rewards, terminations, truncations, infos


def require_same_step(env: Any, name: str) -> None:
    """Raises ValueError where some rows of a step may not have acted."""
    mode = env.metadata.get("autoreset_mode")
    if mode != AutoresetMode.SAME_STEP:
        raise ValueError(
            f'{name} needs a vector env with autoreset_mode="SameStep", got {getattr(mode, "value", mode)!r}'
        )
