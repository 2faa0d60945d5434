"""From recorded conversations to episodes: what fits the policy's context, and what is left out, with the reason.

An episode holds the very tokens that an env would hold, with the loss on the assistant's turns alone: neither the
prompt nor a user's later turns are anything the policy chose. What follows the assistant's last turn is the context of
nothing and is dropped. A record that does not fit is left out and counted, never cut: a cut demonstration teaches to
stop in the middle, and a judgement is about the whole response.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from textgym.envs.prompts import fit_prompt
from textgym.feedback.preferences import Preference
from textgym.models.tokenizer import ChatTokenizer
from textgym.seeding import derive_seeds
from textgym.tasks.dialogue.play import play
from textgym.tasks.records import Recorded
from textgym.types import Message

from .packing import Episode
from .supervised import encode_conversation


class Sizes(NamedTuple):
    """What an env gives a conversation."""

    context_length: int  # tokens
    max_new_tokens: int  # tokens of one turn of the policy, its end-of-turn included
    max_turns: int


class Pair(NamedTuple):
    """Two ways on from one prompt. The first is preferred."""

    chosen: Episode
    rejected: Episode
    weight: float = 1.0  # of the preference in the loss


class UnfitError(ValueError):
    """Why a record is left out; caught and counted."""


def encode(tokenizer: ChatTokenizer, prompt: Sequence[Message], said: Sequence[Message], limit: int) -> Episode:
    """A prompt and what followed it, in at most `limit` tokens.

    Raises:
        UnfitError: too long, or turns that a policy could not have taken.
    """
    roles = [m.role for m in said]
    last = max((k for k, role in enumerate(roles) if role == "assistant"), default=-1)
    if roles[:1] != ["assistant"] or ("assistant", "assistant") in pairwise(roles):
        raise UnfitError("the assistant's turns do not begin after the prompt and alternate with others'")
    try:
        episode = encode_conversation(tokenizer, [*prompt, *said[: last + 1]], len(prompt))
    except ValueError as error:  # roles that the chat template refuses
        raise UnfitError(str(error)) from error
    if len(episode.prompt) + len(episode.continuation) > limit:
        raise UnfitError(f"longer than context_length={limit} tokens")
    return episode


def encode_pairs(
    tokenizer: ChatTokenizer, preferences: Sequence[Preference], limit: int, left_out: Counter[str]
) -> list[Pair]:
    """The pairs that fit; why others do not is counted in `left_out`."""
    pairs = []
    for p in preferences:
        try:
            if p.weight == 0:
                raise UnfitError("of weight 0")
            sides = [encode(tokenizer, p.prompt, side, limit) for side in (p.chosen, p.rejected)]
            if sides[0].tokens == sides[1].tokens:
                raise UnfitError("chosen and rejected are equal")
        except UnfitError as reason:
            left_out[str(reason)] += 1
        else:
            pairs.append(Pair(sides[0], sides[1], p.weight))
    return pairs


def demonstrations(
    task: Any, index: Sequence[int], tokenizer: ChatTokenizer, sizes: Sizes, seed: int, left_out: Counter[str]
) -> list[Episode]:
    """What a task has as right answers to these examples, each to the prompt as the env shows it.

    A recorded conversation is taken whole where the env replays its user, and an embedded one is played by the task's
    own answerer. Of several references the first one counts, the best.
    """
    found = []
    for i in index:
        try:
            prompt, said = _demonstration(task, int(i), tokenizer, sizes, seed)
            episode = encode(tokenizer, prompt, said, sizes.context_length)
            if _longest_turn(episode) > sizes.max_new_tokens:
                raise UnfitError(f"a turn is longer than max_new_tokens={sizes.max_new_tokens}")
        except UnfitError as reason:
            left_out[str(reason)] += 1
        else:
            found.append(episode)
    return found


def _demonstration(
    task: Any, i: int, tokenizer: ChatTokenizer, sizes: Sizes, seed: int
) -> tuple[tuple[Message, ...], list[Message]]:
    example = task[i]
    prompt = fit_prompt(tokenizer, example.prompt, sizes.context_length - sizes.max_new_tokens).messages
    is_conversation = callable(getattr(task, "reply", None))
    if is_conversation and isinstance(example.meta, Recorded):
        turns = list(zip(example.meta.answers, (*example.meta.user_turns, ""), strict=False))[: sizes.max_turns]
        return prompt, [m for a, u in turns for m in (Message("assistant", a), Message("user", u))]
    if is_conversation and callable(getattr(task, "answer", None)):
        rng = np.random.default_rng(derive_seeds(seed, 1, i, 11)[0])
        return prompt, list(play(task, example, task.answer, rng, sizes.max_turns).messages[len(example.prompt) :])
    if not example.references:
        raise UnfitError("no reference to learn from")
    return prompt, [Message("assistant", example.references[0])]


def _longest_turn(episode: Episode) -> int:
    """Tokens of the policy's longest turn: the longest run of chosen ones."""
    longest = run = 0
    for chosen in episode.chosen:
        run = run + 1 if chosen else 0
        longest = max(longest, run)
    return longest


def report_left_out(name: str, total: int, left_out: Counter[str], allowed: str) -> None:
    """Says how many records were left out and why.

    Raises:
        ValueError: all of them were.
    """
    number = sum(left_out.values())
    if not number and total:
        return
    reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.most_common(5))
    if number == total:
        raise ValueError(f"{name} must have {allowed}, got none: {reasons or 'it is empty'}")
    warnings.warn(f"{number} of {total} records of {name} are left out: {reasons}", stacklevel=3)
