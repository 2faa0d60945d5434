"""Stable-Baselines3 on textgym: its vector env, and a policy that is a language model.

Any SB3 algorithm takes a single env of the token door as it is. Two things are far faster here:

- `VecEnv` adapts the native vector env: one call and one reward-model call a step for all rows;
- `LanguageModelPolicy`, for SB3's PPO and A2C, is a causal language model with a value head. SB3 asks it
  for one token at a time and shows it the whole conversation each time; it keeps keys and values
  between. `ResponseBuffer` hands out minibatches of whole responses, and each is read once for all its steps.

Most of what is left is reading prompts. With `samples_per_prompt` several episodes play one prompt, each row at
its own pace, and policy and buffer read it once for all of them.

    env = VecEnv(gym.make_vec("textgym/Summarize-v0", num_envs=64), samples_per_prompt=8)
    agent = PPO(LanguageModelPolicy, env, rollout_buffer_class=ResponseBuffer, gamma=1.0, n_steps=32)

What SB3's PPO lacks of ours: rewards paid token by token, mixed precision. The KL to a reference is
`VectorReferenceLogprob` around the vector env.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from textgym import checks
from textgym.models.language_model import head, load_language_model, require_fit
from textgym.models.tokenizer import load_tokenizer
from textgym.wrappers.reader import CachedReader, read_rows, read_steps
from textgym.wrappers.reference import require_same_step

try:
    from stable_baselines3.common import vec_env
    from stable_baselines3.common.buffers import RolloutBuffer
    from stable_baselines3.common.distributions import CategoricalDistribution, Distribution
    from stable_baselines3.common.policies import ActorCriticPolicy
except ImportError as error:
    raise ImportError("textgym.sb3 needs Stable-Baselines3: pip install 'textgym[sb3]'") from error

_SINGLE = {"action_space": "single_action_space", "observation_space": "single_observation_space"}


class VecEnv(vec_env.VecEnv):
    """A vector env of Gymnasium's kind as one of SB3's.

    Equal, step by step, to SB3's `DummyVecEnv` of n single envs: `terminal_observation` and
    `TimeLimit.truncated` in the infos, what `reset` says in `reset_infos`, seeds and options used once.
    `action_masks` works as MaskablePPO asks for it. For the mean reward in SB3's log put a `VecMonitor` around it.

    Args:
        vector_env: `gym.make_vec("textgym/…", num_envs=n)` with action="token", autoreset_mode="SameStep" (both
            are the defaults), or vector wrappers around it.
        samples_per_prompt: K. The first episode to begin draws its prompt, and the K - 1 that begin next, in
            whichever row, play the same one. Rows with K above 1 do not equal single envs any more.

    Raises:
        ValueError: another door or another autoreset mode, or no sample of a prompt.
    """

    def __init__(self, vector_env: gym.vector.VectorEnv[Any, Any, Any], samples_per_prompt: int = 1) -> None:
        if not isinstance(vector_env, gym.vector.VectorEnv):
            raise TypeError(f"vector_env must be what gym.make_vec gives, got {type(vector_env).__name__}")
        if not isinstance(vector_env.single_observation_space, spaces.Box):
            raise ValueError(
                f'vector_env must be made with action="token", for SB3 knows arrays only; its observations are '
                f"{vector_env.single_observation_space}"
            )
        require_same_step(vector_env, "VecEnv")
        self.vector_env = vector_env
        self.samples_per_prompt = checks.whole("samples_per_prompt", samples_per_prompt, least=1)
        self._prompt, self._samples_left = 0, 0  # index of the example that is handed out, and how often still
        super().__init__(vector_env.num_envs, vector_env.single_observation_space, vector_env.single_action_space)
        self.metadata = vector_env.metadata

    def reset(self) -> np.ndarray:
        """(n, C) int64; seeds and options given before are used now and once."""
        seeds: Any = self._seeds
        options = _merge(self._options)
        observations, infos = self.vector_env.reset(seed=seeds, options=options)
        self.reset_infos = [row_info(infos, row) for row in range(self.num_envs)]
        self._samples_left = 0
        if options is None:
            observations = self._share_prompts(range(self.num_envs), observations)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = np.asarray(actions)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:  # type: ignore[override]
        observations, rewards, terminated, truncated, infos = self.vector_env.step(self._actions)
        dones = terminated | truncated
        found: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if infos:
            finals = infos.get("final_info", {})
            for row in range(self.num_envs):
                of_row = row_info(infos, row)
                if dones[row]:
                    last = of_row.pop("final_obs")
                    of_row.pop("final_info", None)
                    self.reset_infos[row] = of_row
                    of_row = {**row_info(finals, row), "terminal_observation": last}
                found[row] = of_row
            observations = self._share_prompts(dones.nonzero()[0].tolist(), observations)
        for row, info in enumerate(found):
            info["TimeLimit.truncated"] = bool(truncated[row] and not terminated[row])
        return observations, rewards.astype(np.float32), dones, found

    def _share_prompts(self, begun: Iterable[int], observations: np.ndarray) -> np.ndarray:
        """Begins again, with the prompt that is handed out, in rows that have just begun with another."""
        if self.samples_per_prompt == 1:
            return observations
        indices, is_late = np.zeros(self.num_envs, dtype=np.int64), np.zeros(self.num_envs, dtype=bool)
        for row in begun:
            if self._samples_left == 0:
                self._prompt, self._samples_left = self.reset_infos[row]["index"], self.samples_per_prompt
            self._samples_left -= 1
            indices[row], is_late[row] = self._prompt, self.reset_infos[row]["index"] != self._prompt
        if is_late.any():
            observations, infos = self.vector_env.reset(options={"reset_mask": is_late, "index": indices})
            for row in is_late.nonzero()[0].tolist():
                self.reset_infos[row] = row_info(infos, row)
        return observations

    def close(self) -> None:
        self.vector_env.close()

    def render(self, mode: str | None = None) -> Any:
        """A text a row in render mode "ansi"; printed in "human"."""
        if mode not in (None, self.render_mode):
            raise ValueError(f"mode must be None or the env's render_mode {self.render_mode!r}, got {mode!r}")
        return self.vector_env.render()

    def action_masks(self) -> np.ndarray:
        """(n, V) bool."""
        return self._attribute("action_masks")()

    # -- what SB3 asks of single envs ----------------------------------------------------------

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        rows = self._get_indices(indices)
        if attr_name == "action_masks":
            self._attribute(attr_name)  # raises where there is none
            return [functools.partial(self._mask_of, row) for row in rows]
        value = self._attribute(_SINGLE.get(attr_name, attr_name))
        return [value for _ in rows]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        if indices is not None:
            raise ValueError(f"indices must be None: the rows share {attr_name}, got {indices!r}")
        setattr(self.vector_env.unwrapped, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """`action_masks` and `render` of rows; the other methods belong to all rows at once."""
        rows = list(self._get_indices(indices))
        if method_name not in ("action_masks", "render"):
            raise AttributeError(
                f"env_method can call 'action_masks' and 'render', got {method_name!r}: the rows have no other "
                "methods of their own; call it on vector_env"
            )
        found = self._attribute(method_name)(*args, **kwargs)
        return [None if found is None else found[row] for row in rows]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def _mask_of(self, row: int) -> np.ndarray:
        return self.action_masks()[row]

    def _attribute(self, name: str) -> Any:
        """Of the outermost vector env that has it."""
        env: Any = self.vector_env
        while not hasattr(env, name) and env is not env.unwrapped:
            env = env.env
        return getattr(env, name)


def row_info(infos: dict[str, Any], row: int) -> dict[str, Any]:
    """One row of a vector env's infos as a single env would give it."""
    found: dict[str, Any] = {}
    for key, value in infos.items():
        if key.startswith("_") or not infos[f"_{key}"][row]:
            continue
        of_row = row_info(value, row) if isinstance(value, dict) else value[row]
        found[key] = of_row.item() if isinstance(of_row, np.generic) else of_row
    return found


def _merge(options: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """SB3 has options a row, the vector env one dict for all: {"index": i} in each becomes {"index": array}."""
    if not any(options):
        return None
    if any(set(of_row) != {"index"} for of_row in options):
        raise ValueError(f'options must be {{"index": i}} for every env, got {list(options)!r:.120}')
    return {"index": np.array([of_row["index"] for of_row in options])}


class LanguageModelPolicy(ActorCriticPolicy):
    """A causal language model as an SB3 policy, with a linear value head on the same trunk.

    Works with `PPO` and `A2C`, and with `MaskablePPO`'s envs without their masks: control tokens are never
    sampled. With `rollout_buffer_class=ResponseBuffer` a minibatch costs one pass over each response.

    Args (of `policy_kwargs`):
        model: "embedded", a folder or hub name, or a loaded `transformers` model, which is trained in place.
        tokenizer: of the env, whose control tokens are masked. None: the embedded one for the embedded
            model, else the one that lies with the model.
        temperature: of sampling and of the log-probabilities.
        keeps_cache: False re-reads every conversation for every token, as a policy that knows nothing
            of text must; for comparisons.

    What is learned is `policy.model`: `textgym.models.language_model.save_language_model` writes it so that
    `from_pretrained` loads it. `PPO.save` and `load` work as ever.
    """

    allowed: Tensor

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Callable[[float], float],
        *,
        model: Any = "embedded",
        tokenizer: Any = None,
        temperature: float = 1.0,
        keeps_cache: bool = True,
        **kwargs: Any,
    ) -> None:
        if not isinstance(action_space, spaces.Discrete) or not isinstance(observation_space, spaces.Box):
            raise ValueError(f'env must be of the token door (action="token"), its actions are {action_space}')
        self._given = {"model": model, "tokenizer": tokenizer}  # a dict: a module cannot be set before `super`
        self.temperature = checks.positive("temperature", temperature)
        self.keeps_cache = checks.truth("keeps_cache", keeps_cache)
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        model, tokenizer = self._given["model"], self._given["tokenizer"]
        assert isinstance(self.action_space, spaces.Discrete)
        assert self.observation_space.shape is not None
        vocab_size, context = int(self.action_space.n), self.observation_space.shape[0]
        self.model = load_language_model(model)
        if tokenizer is None and isinstance(model, str):
            tokenizer = model
        allowed = torch.ones(vocab_size, dtype=torch.bool)
        if tokenizer is not None:
            loaded = load_tokenizer(tokenizer)
            require_fit(self.model, loaded, context)
            if loaded.vocab_size != vocab_size:
                raise ValueError(f"tokenizer must have the env's {vocab_size} token ids, it has {loaded.vocab_size}")
            allowed = torch.from_numpy(~loaded.control_mask)
        self.register_buffer("allowed", allowed, persistent=False)  # (V,) bool
        self.value_net = nn.Linear(self.model.config.get_text_config().hidden_size, 1)
        nn.init.zeros_(self.value_net.weight)  # V = 0 is the honest first guess
        nn.init.zeros_(self.value_net.bias)
        self.reader = CachedReader(self.model, context)
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return super()._get_constructor_parameters() | {
            **self._given,
            "temperature": self.temperature,
            "keeps_cache": self.keeps_cache,
        }

    def forward(self, obs: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """(n, C) observations -> actions (n,), values (n, 1), log-probabilities (n,) in nats."""
        hidden = self._read(obs)
        logprobs = self._distribution(hidden)
        actions = logprobs.argmax(dim=1) if deterministic else sample(logprobs)
        return actions, self._values(hidden), logprobs.gather(1, actions[:, None]).squeeze(1)

    def evaluate_actions(self, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Values, log-probabilities and entropies, in one pass over each conversation among the steps."""
        obs, actions = obs.long(), actions.long().flatten()
        hidden = read_steps(self.model, obs, actions) if self.keeps_cache else read_rows(self.model, obs)
        logprobs = self._distribution(hidden)
        entropy = -(logprobs.exp() * logprobs).sum(dim=1)
        return self._values(hidden), logprobs.gather(1, actions[:, None]).squeeze(1), entropy

    def get_distribution(self, obs: Any) -> Distribution:
        assert isinstance(self.action_dist, CategoricalDistribution)
        return self.action_dist.proba_distribution(self._distribution(self._read(obs)))

    def predict_values(self, obs: Any) -> Tensor:
        """(n, 1). Of a few last observations, which SB3 asks for where a limit truncated, without the cache."""
        is_whole_batch = len(obs) == self.reader.num_rows
        return self._values(self._read(obs) if is_whole_batch else read_rows(self.model, obs.long()))

    def _read(self, obs: Any) -> Tensor:
        """(n, H), from the cache where no gradient is asked for."""
        return self.reader.read(obs.long()) if self.keeps_cache else read_rows(self.model, obs.long())

    def _distribution(self, hidden: Tensor) -> Tensor:
        """(n, V) log-probabilities, in nats, of the tokens that may be chosen; the lowest float for the others."""
        logits = head(self.model, hidden)[:, : len(self.allowed)] / self.temperature
        return torch.log_softmax(logits.masked_fill(~self.allowed, torch.finfo(logits.dtype).min), dim=1)

    def _values(self, hidden: Tensor) -> Tensor:
        return self.value_net(hidden.to(self.value_net.weight.dtype))


def sample(logprobs: Tensor) -> Tensor:
    """One index a row, (n, V) -> (n,), by inverse CDF from torch's generator, which SB3 seeds."""
    cumulative = logprobs.exp().cumsum(dim=1)
    u = torch.rand((len(logprobs), 1), device=logprobs.device) * cumulative[:, -1:]
    chosen = torch.searchsorted(cumulative, u, right=True).squeeze(1).clamp(max=logprobs.shape[1] - 1)
    # Rounding may land on an id of probability zero at the far end; take the likeliest instead.
    impossible = logprobs.gather(1, chosen[:, None]).squeeze(1).exp() == 0
    return torch.where(impossible, logprobs.argmax(dim=1), chosen)


class ResponseBuffer(RolloutBuffer):
    """A rollout buffer whose minibatches are whole responses, the steps of each in order.

    A response that a rollout begins or ends in the middle of counts as a piece of its own. Responses that begin
    alike, as the samples of a prompt do, stay in one minibatch, where the policy reads their beginning once.
    Minibatches have about `batch_size` steps, not exactly.

    Args (of `rollout_buffer_kwargs`):
        seed: of the order of the responses.
    """

    def __init__(self, *args: Any, seed: int = 0, **kwargs: Any) -> None:
        self._order = np.random.default_rng(checks.whole("seed", seed))
        self._prompts: list[bytes] = []  # that of each row's latest response, for what the next rollout sees of it
        super().__init__(*args, **kwargs)

    def get(self, batch_size: int | None = None) -> Generator[Any, None, None]:
        if not self.generator_ready:
            for name in ("observations", "actions", "values", "log_probs", "advantages", "returns"):
                self.__dict__[name] = self.swap_and_flatten(self.__dict__[name])
            self._pieces = self._by_prompt(pieces(self.episode_starts))
            self.generator_ready = True
        shuffled = [self._pieces[i] for i in self._order.permutation(len(self._pieces))]
        for chosen in minibatches(shuffled, batch_size or self.buffer_size * self.n_envs):
            yield self._get_samples(chosen)

    def _by_prompt(self, responses: list[np.ndarray]) -> list[np.ndarray]:
        """The steps of all samples of a prompt, one sample after the other; prompts as they come."""
        begins = self.episode_starts.T.flatten().astype(bool)  # (n · T,)
        latest = self._prompts or [b""] * self.n_envs
        samples: dict[bytes, list[np.ndarray]] = {}
        for response in responses:
            row, first = response[0] // self.buffer_size, response[0]
            if begins[first]:
                latest[row] = self.observations[first].tobytes()
            samples.setdefault(latest[row] or self.observations[first].tobytes(), []).append(response)
        self._prompts = latest
        return [np.concatenate(of_prompt) for of_prompt in samples.values()]


def pieces(episode_starts: np.ndarray) -> list[np.ndarray]:
    """(T, n) whether an episode starts at the step -> the steps of each response, as indices into n · T."""
    starts = episode_starts.astype(bool).T.copy()  # (n, T), the order in which SB3 flattens
    starts[:, 0] = True
    return np.split(np.arange(starts.size), starts.flatten().nonzero()[0][1:])


def minibatches(responses: Sequence[np.ndarray], batch_size: int) -> list[np.ndarray]:
    """Responses in their order, cut into parts of about `batch_size` steps each, none empty."""
    lengths = np.array([len(response) for response in responses])
    total = int(lengths.sum())
    count = min(len(responses), max(1, round(total / batch_size)))
    middles = lengths.cumsum() - lengths / 2
    part = (middles * count / total).astype(int)
    return [np.concatenate([r for r, p in zip(responses, part, strict=True) if p == k]) for k in np.unique(part)]
