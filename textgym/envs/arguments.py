"""What `gym.make("textgym/…", …)` takes, and the parts that it turns into.

The only place where strings become objects: worlds, rewards and tokenizers by name. Everything
that can be wrong is found here, before an episode begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from textgym import checks
from textgym.envs import doors
from textgym.envs.references import release
from textgym.models.tokenizer import load_tokenizer
from textgym.rewards.spec import load_reward
from textgym.tasks.base import Task
from textgym.tasks.load import is_frame, load_task
from textgym.types import SPLITS, Example, Split


@dataclass(frozen=True)
class EnvArguments:
    """The arguments of an id and their defaults; sizes differ from id to id."""

    context_length: int  # tokens of a conversation
    max_new_tokens: int  # tokens of one policy turn, end-of-turn included
    max_turns: int  # policy turns in a conversation
    action: str = "token"  # or "response"
    reward: Any = None  # None: the learned reward model of the embedded world
    data: Any = None  # None: the embedded world
    data_seed: int = 0  # which universe of examples
    split: Split = "train"
    tokenizer: Any = "embedded"
    mask: bool = False  # info["action_mask"], token action only
    device: str = "cpu"  # where a learned reward model computes
    render_mode: str | None = None


WORLDS: dict[str, EnvArguments] = {
    "summarize": EnvArguments(context_length=256, max_new_tokens=64, max_turns=1),
    "translate": EnvArguments(context_length=128, max_new_tokens=48, max_turns=1),
    "dialogue": EnvArguments(context_length=512, max_new_tokens=48, max_turns=6),
}


def assemble(world: str, given: Mapping[str, Any], also_known: tuple[str, ...] = ()) -> dict[str, Any]:
    """The keyword arguments of `TextEnv` for a world's id.

    Args:
        world: a key of `WORLDS`.
        given: what was passed to `gym.make`.
        also_known: names that the caller takes care of, for the error about unknown ones.

    Raises:
        TypeError: an unknown argument, or one of the wrong kind.
        ValueError: a value that is not allowed.
    """
    known = [f.name for f in fields(EnvArguments)]
    unknown = sorted(set(given) - set(known))
    if unknown:  # in Python's words: TorchRL's GymEnv reads them, and makes the env again without its frameskip
        raise TypeError(f"got an unexpected keyword argument {unknown[0]!r}, known are {[*known, *also_known]}")
    arguments = replace(WORLDS[world], **{name: release(value) for name, value in given.items()})
    doors.check_arguments(arguments.action, arguments.mask, arguments.render_mode)
    doors.check_choice("split", arguments.split, SPLITS)
    checks.whole("data_seed", arguments.data_seed, most=2**64 - 1)
    _check_device(arguments.device)
    tokenizer = load_tokenizer(arguments.tokenizer)
    if _is_task(arguments.data):
        task = arguments.data
    else:
        task = load_task(world, data=arguments.data, split=arguments.split, data_seed=arguments.data_seed)
    if given.get("max_turns") not in (None, 1) and not callable(getattr(task, "reply", None)):
        raise ValueError(
            f"max_turns must be 1 for the task {task.name!r}, which has no simulated user, got {arguments.max_turns!r}"
        )
    reward = load_reward(
        arguments.reward, task=task, name=world, has_own_data=arguments.data is not None, device=arguments.device
    )
    passed_on = ("action", "context_length", "max_new_tokens", "max_turns", "mask", "render_mode")
    kept = {name: getattr(arguments, name) for name in passed_on}
    return {"task": task, "reward": reward, "tokenizer": tokenizer, **kept}


def _check_device(device: Any) -> None:
    if device == "cpu":  # the default needs no torch yet
        return
    import torch

    allowed = ["cpu"]
    if torch.accelerator.is_available():
        kind = str(torch.accelerator.current_accelerator())
        allowed += [kind, *(f"{kind}:{i}" for i in range(torch.accelerator.device_count()))]
    if str(device) not in allowed:  # without a guess: another device is not what was meant
        raise ValueError(f"device must be one of {allowed}, got {str(device)!r}")


def _is_task(data: Any) -> bool:
    """A task object rather than a path, a dict or records."""
    if not isinstance(data, Task) or is_frame(data):  # a DataFrame with a column "name" has all that a task has
        return False
    return len(data) == 0 or isinstance(data[0], Example)
