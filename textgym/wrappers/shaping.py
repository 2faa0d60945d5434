"""Potential-based shaping: hints on the way that change no optimum.

Ng, Harada and Russell 1999, "Policy invariance under reward transformations": adding
F(s, s') = γ Φ(s') − Φ(s) leaves every policy's return where it was but for Φ(s₀), if Φ is 0 where
an episode ends. Here Φ(s₀) is 0 too, so returns are not moved at all.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from textgym import checks
from textgym.envs.references import release
from textgym.rewards.base import as_scores
from textgym.rewards.spec import load_reward
from textgym.tasks.records import RecordTask
from textgym.types import Example, Message, RewardModel, Transcript
from textgym.wrappers.base import Step, TextWrapper, hearer, require_whole_observations

_GRID = 2.0**24  # potentials are multiples of 1 / _GRID, so that sums of their differences are exact


class PotentialShaping(TextWrapper):
    """Pays in each step what the conversation so far has gained in potential.

    Φ is `scale` times what a reward model says of the conversation so far, a turn that is not over
    included; 0 before the policy has said anything and 0 where the env terminates. Without discount the
    shaped rewards of a terminated episode sum to its score to the last bit; with one their discounted sum
    is the unshaped one's, within rounding. A truncated episode keeps the potential it had reached: what
    comes after, which an agent bootstraps, would have paid it back.

    Args:
        env: a textgym env, either door.
        potential: "reward", the env's own reward model; or anything that `gym.make(…, reward=…)` takes. It is
            asked once a step.
        gamma: the agent's own discount. With another one the optimum moves.
        scale: potential for a unit of score.

    Raises:
        ValueError: a potential that the task cannot have, a gamma outside [0, 1].
    """

    def __init__(
        self, env: gym.Env[Any, Any], potential: Any = "reward", gamma: float = 1.0, scale: float = 1.0
    ) -> None:
        super().__init__(env, potential=potential, gamma=gamma, scale=scale)
        require_whole_observations(env, "PotentialShaping")
        self.gamma = checks.number("gamma", gamma, least=0, most=1)
        self.scale = checks.number("scale", scale)
        self._model = _load_potential(release(potential), env.unwrapped)
        self._heard = hearer(env)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**kwargs)
        core: Any = self.env.unwrapped
        self._example: Example = core.task[info["index"]]
        self._heard.begin(observation, info)
        self._phi = 0.0
        return observation, info

    def step(self, action: Any) -> Step:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._heard.hear(observation, info)
        before, self._phi = self._phi, 0.0 if terminated else self._potential()
        return observation, float(reward) + (self.gamma * self._phi - before), terminated, truncated, info

    def _potential(self) -> float:
        transcript = Transcript(
            tuple(Message(m["role"], m["content"]) for m in self._heard.so_far()),
            self._example.references,
            self._example.meta,
            num_prompt_messages=self._heard.num_prompt_messages,
        )
        score = float(as_scores(self._model.score([transcript]), 1).values[0])
        return round(self.scale * score * _GRID) / _GRID


def _load_potential(spec: Any, core: Any) -> RewardModel:
    if isinstance(spec, str) and spec == "reward":
        return core.reward
    has_own_data = isinstance(core.task, RecordTask)
    return load_reward(spec, task=core.task, name=core.task.name, has_own_data=has_own_data)
