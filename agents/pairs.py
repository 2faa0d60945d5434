"""A file of judged pairs as DPO reads it: how far raters are believed, what fits, which prompts are held out."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from textgym.feedback.preferences import Preference, split_by_prompt
from textgym.rewards.judged import believe, decided, read_pairs
from textgym.types import Message

from .conversations import Pair, encode_pairs, report_left_out
from .dpo_config import DPOConfig
from .offline import look_at_env
from .offline_config import OfflineConfig


class JudgedData(NamedTuple):
    """What is learnt, and what is only measured: of the halves of a soft label or tie, the difference."""

    training: list[Pair]
    held_out: list[Pair]
    prompts: frozenset[tuple[Message, ...]] = frozenset()  # of the training pairs


def load(config: DPOConfig) -> JudgedData:
    """The pairs that a config speaks of, as tokens.

    Raises:
        ValueError: a file that cannot be read, has no pairs, none that fits, too few prompts to hold any out, or pairs
            that were sampled from another env.
    """
    found = read_pairs([config.preferences])
    preferences = believe(found, config.raters, config.seed)
    require_same_env(preferences, config)
    held_out, training = split_prompts(preferences, config.holdout, config.seed)
    tokenizer, _, sizes = look_at_env(config, config.eval_split)
    left_out = Counter(found.left_out)
    pairs = [encode_pairs(tokenizer, part, sizes.context_length, left_out) for part in (training, decided(held_out))]
    total = sum(map(len, pairs)) + sum(left_out.values())
    report_left_out("preferences", total, left_out, f"pairs that fit context_length={sizes.context_length} tokens")
    if not pairs[0]:
        raise ValueError(f"preferences leave none of {total} pairs to learn from: {dict(left_out)}")
    return JudgedData(pairs[0], pairs[1], frozenset(p.prompt for p in training))


def split_prompts(preferences: Sequence[Preference], holdout: float, seed: int) -> list[list[Preference]]:
    """Held-out and training preferences; a prompt is in one of them only.

    Raises:
        ValueError: so few prompts that one of the two would be empty.
    """
    try:
        return split_by_prompt(preferences, [holdout], seed=seed)
    except ValueError as error:
        raise ValueError(f"holdout={holdout:g} cannot be kept from training (0 keeps none): {error}") from error


def require_same_env(preferences: Sequence[Preference], config: OfflineConfig) -> None:
    """Raises ValueError for pairs sampled from another id than evaluations are on; warns where nobody knows."""
    ids = {p.source.split()[0] for p in preferences if p.source.startswith("textgym/")}
    if ids and config.env not in ids:
        raise ValueError(
            f"env must be that of the preferences, which were sampled from {sorted(ids)}, got {config.env!r}"
        )
    if not ids and config.data is None:
        warnings.warn(
            f"the preferences do not say what they are about: evaluations are on the embedded prompts of {config.env}; "
            "name your own with --data and --reward",
            stacklevel=4,
        )
