"""Vocabulary masks: which tokens an agent may choose, for those that ask (`action_masks`).

A small agent drowns in thousands of actions. Two ways to leave it a few: the words of a lexicon, and
the k tokens that a reference model finds likeliest next. Nothing is enforced: the env takes any
token, the mask is advice that MaskablePPO and its like follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from textgym import checks
from textgym.envs.references import release
from textgym.wrappers.base import Step, TextWrapper, require_door, require_whole_observations
from textgym.wrappers.reference import Reference


class Vocabulary:
    """What may come next, for n conversations at a time; the arguments are those of `VocabularyMask`."""

    def __init__(self, core: Any, words: Any, with_prompt: bool, top_k: int | None, model: Any) -> None:
        if words is None and top_k is None:
            raise ValueError("words or top_k must be given, got neither: without them the env's own mask serves")
        self.tokenizer = core.tokenizer
        self.with_prompt = checks.truth("with_prompt", with_prompt)
        self.words = None if words is None else allowed_ids(self.tokenizer, read_words(words))
        self.top_k = None if top_k is None else checks.whole("top_k", top_k, 1, self.tokenizer.vocab_size)
        self.reference = None if top_k is None else Reference(model, core)

    def masks(self, observations: np.ndarray) -> np.ndarray:
        """(n, C) observations -> (n, V) bool, True for what may be chosen; end-of-turn always may."""
        masks = np.tile(~self.tokenizer.control_mask, (len(observations), 1))
        if self.words is not None:
            named = np.tile(self.words, (len(observations), 1))
            if self.with_prompt:
                rows, columns = np.nonzero(observations >= 0)
                named[rows, observations[rows, columns]] = True
            masks &= named
        if self.reference is not None:
            masks &= self._likeliest(self.reference, observations)
        masks[:, self.tokenizer.end_of_turn] = True
        return masks

    def _likeliest(self, reference: Reference, observations: np.ndarray) -> np.ndarray:
        k = self.top_k or 1
        logits = reference.logits(observations).cpu().numpy()
        logits[:, self.tokenizer.control_mask] = -np.inf
        best = np.argpartition(-logits, k - 1, axis=1)[:, :k]
        found = np.zeros(logits.shape, dtype=bool)
        np.put_along_axis(found, best, True, axis=1)
        return found


class VocabularyMask(TextWrapper):
    """`action_masks()` of few tokens.

    Args:
        env: a textgym env of the token door.
        words: a list of texts, or the path of a file with one a line; their tokens, after a blank and without,
            may be chosen. None: every token.
        with_prompt: tokens that stand in the conversation may be chosen too.
        top_k: of these, only the k that the reference finds likeliest next.
        model: the reference: "embedded", a folder or hub name, or a loaded causal language model.

    Raises:
        ValueError: neither words nor top_k, or no such file.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        words: Any = None,
        with_prompt: bool = True,
        top_k: int | None = None,
        model: Any = "embedded",
    ) -> None:
        super().__init__(env, words=words, with_prompt=with_prompt, top_k=top_k, model=model)
        require_door(env, "token", "VocabularyMask")
        require_whole_observations(env, "VocabularyMask")
        self._vocabulary = Vocabulary(env.unwrapped, release(words), with_prompt, top_k, release(model))

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**kwargs)
        return observation, self._note(observation, info)

    def step(self, action: Any) -> Step:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, float(reward), terminated, truncated, self._note(observation, info)

    def action_masks(self) -> np.ndarray:
        """(V,) bool."""
        return self._vocabulary.masks(self._observation[None])[0]

    def _note(self, observation: np.ndarray, info: dict[str, Any]) -> dict[str, Any]:
        self._observation = observation.copy()
        if "action_mask" in info:
            info["action_mask"] = self.action_masks().astype(np.int8)
        return info


class VectorVocabularyMask(VectorWrapper):
    """`VocabularyMask` for a vector env: one reading of the reference for all rows."""

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        words: Any = None,
        with_prompt: bool = True,
        top_k: int | None = None,
        model: Any = "embedded",
    ) -> None:
        super().__init__(env)
        require_door(env, "token", "VectorVocabularyMask")
        self._vocabulary = Vocabulary(env.unwrapped, words, with_prompt, top_k, model)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        observations, infos = self.env.reset(**kwargs)
        self._observations = observations.copy()
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        observations, *rest = self.env.step(actions)
        self._observations = observations.copy()
        return observations, *rest  # type: ignore[return-value]

    def action_masks(self) -> np.ndarray:
        """(n, V) bool."""
        return self._vocabulary.masks(self._observations)


def read_words(words: Any) -> list[str]:
    """A list of texts, or the lines of a file."""
    if isinstance(words, str | Path):
        if not Path(words).is_file():
            raise ValueError(f"words must be a list of texts or the path of a text file, got {str(words)!r}")
        return [line for line in Path(words).read_text(encoding="utf-8").splitlines() if line.strip()]
    if not isinstance(words, Sequence) or not words or not all(isinstance(w, str) for w in words):
        raise ValueError(f"words must be a list of texts or the path of a text file, got {words!r:.80}")
    return list(words)


def allowed_ids(tokenizer: Any, words: Sequence[str]) -> np.ndarray:
    """(V,) bool, True for the tokens of the words, at the start of a text and after a blank."""
    found = np.zeros(tokenizer.vocab_size, dtype=bool)
    for ids in tokenizer.encode_batch([spelling for word in words for spelling in (word, f" {word}")]):
        found[ids] = True
    return found
