"""The two doors of an env: what an action and an observation are.

`"token"`: one token id a step, the token ids so far as observation. `"response"`: a whole turn as
text, the conversation as text. Shared by the single and the vector env, so that both refuse the
same actions with the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import Space, spaces

from textgym import checks
from textgym.envs.spaces import TextSpace
from textgym.models.tokenizer import ChatTokenizer

ACTIONS = ("token", "response")
RENDER_MODES = ("human", "ansi")


def action_space(action: str, vocab_size: int) -> Space[Any]:
    return spaces.Discrete(vocab_size) if action == "token" else TextSpace()


def observation_space(action: str, vocab_size: int, context_length: int) -> Space[Any]:
    if action == "token":
        return spaces.Box(-1, vocab_size - 1, (context_length,), np.int64)
    return TextSpace()


def check_choice(name: str, given: Any, allowed: Sequence[Any]) -> None:
    checks.choice(name, given, allowed)


def check_arguments(action: Any, mask: Any, render_mode: Any) -> None:
    check_choice("action", action, ACTIONS)
    check_choice("render_mode", render_mode, (None, *RENDER_MODES))
    if checks.truth("mask", mask) and action != "token":
        raise ValueError(f'mask=True needs action="token", a text has no mask, got action={action!r}')


def check_token(action: Any, space: Space[Any]) -> int:
    """A valid token id as int."""
    if not space.contains(action):
        raise ValueError(f"action must be a token id, an integer from 0 to {_last(space)}, got {action!r}")
    return int(action)


def check_tokens(actions: Any, num_rows: int, vocab_size: int, is_read: np.ndarray | None = None) -> np.ndarray:
    """(n,) int64 valid token ids; rows where `is_read` is False may hold anything."""
    tokens = _as_array(actions)
    if tokens.shape != (num_rows,) or tokens.dtype.kind not in "iu":
        raise ValueError(
            f"actions must be ({num_rows},) integers, one token id an env, got shape {tokens.shape} of {tokens.dtype}"
        )
    tokens = tokens.astype(np.int64, copy=False)
    is_bad = tokens.view(np.uint64) >= vocab_size  # negative ones wrap around to huge ones
    if is_bad.any():
        if is_read is not None:
            is_bad &= is_read
        if is_bad.any():
            row = int(is_bad.argmax())
            raise ValueError(
                f"actions must be token ids, integers from 0 to {vocab_size - 1}, got {int(tokens[row])} in row {row}"
            )
    return tokens


def check_text(action: Any, where: str = "action") -> str:
    if not isinstance(action, str):
        raise ValueError(f"{where} must be a str, the whole response, got {action!r} of {type(action).__name__}")
    return str(action)


def check_texts(actions: Any, num_rows: int, rows: Iterable[int]) -> list[str]:
    """The texts of `rows`, out of one a row."""
    if isinstance(actions, str) or not isinstance(actions, Sequence | np.ndarray) or len(actions) != num_rows:
        is_list = isinstance(actions, Sequence | np.ndarray) and not isinstance(actions, str)
        raise ValueError(
            f"actions must be a list or tuple of {num_rows} texts, one an env, got "
            + (f"{len(actions)}" if is_list else f"{actions!r:.80} of {type(actions).__name__}")
        )
    texts = list(actions)
    return [check_text(texts[row], f"action of row {row}") for row in rows]


def check_turn(ids: Sequence[int], row: int, room: int, tokenizer: ChatTokenizer) -> list[int]:
    """Token ids of a whole turn as a list: valid, ended by end-of-turn or filling `room` exactly."""
    tokens = _as_array(ids)
    if tokens.ndim != 1 or (len(tokens) and tokens.dtype.kind not in "iu"):
        raise ValueError(f"responses[{row}] must be a list of token ids, got {ids!r:.80} of {type(ids).__name__}")
    turn = check_tokens(tokens, len(tokens), tokenizer.vocab_size).tolist() if len(tokens) else []
    end_of_turn = tokenizer.end_of_turn
    if not turn or end_of_turn in turn[:-1] or len(turn) > room or (turn[-1] != end_of_turn and len(turn) < room):
        raise ValueError(
            f"responses[{row}] must be one whole turn: token ids that end with the first end-of-turn "
            f"({end_of_turn}), or exactly {room} without one, got {len(turn)} tokens {turn[:8]}"
            f"{'…' if len(turn) > 8 else ''}"
        )
    return turn


def check_index(index: Any, num_examples: int) -> int:
    if isinstance(index, bool | np.bool_) or not isinstance(index, int | np.integer) or not 0 <= index < num_examples:
        raise ValueError(f'options["index"] must be an integer from 0 to {num_examples - 1}, got {index!r}')
    return int(index)


def check_options(options: Any, known: Sequence[str]) -> Mapping[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise TypeError(f"options must be a dict with keys of {list(known)}, got {options!r:.80}")
    unknown = [key for key in options if key not in known]
    if unknown:
        raise ValueError(f"options takes the keys {list(known)}, got {unknown}")
    return options


def check_indices(index: Any, rows: Sequence[int], num_rows: int, num_examples: int) -> list[int | None]:
    """The example of each of `rows`, None where it is to be drawn."""
    if index is None:
        return [None] * len(rows)
    shape = _as_array(index).shape
    if shape == ():
        return [check_index(index, num_examples)] * len(rows)
    if shape != (num_rows,):
        raise ValueError(f'options["index"] must be an integer or {num_rows} of them, one an env, got {index!r:.80}')
    return [check_index(index[row], num_examples) for row in rows]


def check_reset_mask(mask: Any, num_rows: int) -> np.ndarray:
    """(n,) bool with at least one True."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (num_rows,):
        raise ValueError(f'options["reset_mask"] must be a ({num_rows},) array of bool, got {mask!r}')
    if not mask.any():
        raise ValueError('options["reset_mask"] must have at least one True, got none')
    return mask


def check_seeds(seed: Any, num_rows: int) -> list[int | None]:
    """One seed a row: seed + i as Gymnasium does it, or those of a list."""
    if seed is None:
        return [None] * num_rows
    if isinstance(seed, str) or not isinstance(seed, Sequence | np.ndarray):
        return [checks.whole("seed", seed) + row for row in range(num_rows)]
    if len(seed) != num_rows:
        raise ValueError(f"seed must be an integer or {num_rows} of them, one an env, got {len(seed)}")
    return [None if s is None else checks.whole(f"seed[{row}]", s) for row, s in enumerate(seed)]


def _as_array(values: Any) -> np.ndarray:
    """What numpy makes of it; of a ragged list, an array of objects."""
    try:
        return np.asarray(values)
    except (ValueError, OverflowError):
        return np.empty(len(values), dtype=object)


def _last(space: Any) -> int:
    return int(space.start + space.n - 1)
