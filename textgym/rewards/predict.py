"""`predict`: what a reward model says of a prompt and a response, as texts. For people at a keyboard.

The protocol of rewards is `score(transcripts)`, many at a time; this is a door to it that takes what one has at hand.
Rewards that need more than the messages (metrics want references, gold judges the meaning) have no such door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from textgym.messages import as_messages, is_one_prompt
from textgym.rewards.base import as_scores
from textgym.types import Message, RewardModel, Transcript


class Predicts:
    """Gives a reward model `predict`."""

    figures: Mapping[str, float] = MappingProxyType({})  # of the training it comes from, where that was just now

    def predict(self: RewardModel, prompt: Any, response: Any) -> Any:
        """The score of a response, or the scores of several.

        Args:
            prompt: a text (a user's message), or a list of messages, each {"role": …, "content": …} or a `Message`;
                or a list of such prompts, one a response.
            response: a text; or a list of n texts, to one prompt or to n.

        Returns:
            A float for one response, else (n,) float32.

        Raises:
            TypeError: a prompt or response of another form.
            ValueError: an unknown role, a prompt that ends with the assistant, lists of different lengths.
        """
        if isinstance(response, str):
            return float(_scores(self, [_transcript(as_messages(prompt), response)])[0])
        if not isinstance(response, Sequence | np.ndarray):
            raise TypeError(f"response must be a text or a list of texts, got {response!r:.80} of {_kind(response)}")
        prompts = [as_messages(prompt)] * len(response) if is_one_prompt(prompt) else [as_messages(p) for p in prompt]
        if len(prompts) != len(response):
            raise ValueError(f"prompt must be one prompt or {len(response)}, one a response, got {len(prompts)}")
        return _scores(self, [_transcript(*pair) for pair in zip(prompts, response, strict=True)])


def _transcript(prompt: tuple[Message, ...], response: Any) -> Transcript:
    if not isinstance(response, str):
        raise TypeError(f"response must be a text or a list of texts, got {response!r:.80} of {_kind(response)}")
    return Transcript((*prompt, Message("assistant", response)), num_prompt_messages=len(prompt))


def _scores(model: RewardModel, transcripts: Sequence[Transcript]) -> np.ndarray:
    return as_scores(model.score(transcripts), len(transcripts)).values


def _kind(value: Any) -> str:
    return type(value).__name__
