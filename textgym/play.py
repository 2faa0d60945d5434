"""A person as the policy: read what the episode begins with, type an answer, see what it was worth.

    textgym play --env textgym/Dialogue-v0

The learned score and the gold score stand side by side at the end, with the gold's components and
a right answer, so that one learns in a minute what the rewards are made of.
"""

from __future__ import annotations

import textwrap
from typing import Any

import gymnasium as gym

import textgym  # noqa: F401  (registers the ids)
from textgym import checks

WIDTH = 96


def play(
    env: str = "textgym/Dialogue-v0",
    index: int | None = None,
    seed: int | None = None,
    episodes: int = 1,
    split: str = "test",
    data: str | None = None,
    reward: str | None = None,
) -> None:
    """Lets a person be the policy, and shows what each episode was worth.

    Args:
        env: an id that `textgym list` shows.
        index: which example; None: a random one.
        seed: of the example and the simulated user; None: another one every time.
        episodes: how many; each takes the next example.
        split: train, validation or test.
        data: your own records, as in `gym.make`.
        reward: another reward than the id's own.
    """
    checks.whole("episodes", episodes, least=1)
    if index is not None:
        checks.whole("index", index, least=0)
    given: dict[str, Any] = {name: value for name, value in (("data", data), ("reward", reward)) if value is not None}
    made = gym.make(env, action="response", split=split, **given)
    for number in range(episodes):
        play_one(made, seed if number == 0 else None, None if index is None else {"index": index + number})


def play_one(env: Any, seed: int | None = None, options: dict[str, int] | None = None) -> None:
    """One episode of an env with the response door."""
    _, info = env.reset(seed=seed, options=options)
    example = env.unwrapped.task[int(info["index"])]
    shown = _show_from(info["messages"], 0)
    total, done = 0.0, False
    while not done:
        _, reward, terminated, truncated, info = env.step(_ask())
        total, done = total + float(reward), terminated or truncated
        shown = _show_from(info["messages"], shown + 1)  # one's own message stands there already
    print(_describe(total, info))
    if example.references:
        print(_wrapped("a right answer: ", example.references[0]))


def _ask() -> str:
    """What a person types; the end of the input is a Ctrl-C."""
    try:
        return input("you: ")
    except EOFError:
        raise KeyboardInterrupt from None


def _show_from(messages: Any, start: int) -> int:
    """Prints the messages from `start` on; returns how many there are."""
    for message in messages[start:]:
        print(_wrapped(f"{message['role']}: ", message["content"]))
    return len(messages)


def _describe(total: float, info: dict[str, Any]) -> str:
    """The reward and, where the task has a judge, the gold score with its components."""
    lines = [f"reward {total:+.2f} ({info['ending']})"]
    if "gold" in info:
        parts = "  ".join(f"{name} {float(value):.2f}" for name, value in info["gold_components"].items())
        lines.append(f"gold   {float(info['gold']):.2f}  = {parts}")
    return "\n".join(lines)


def _wrapped(label: str, text: str) -> str:
    first, *rest = text.splitlines() or [""]
    lines = [textwrap.fill(line, WIDTH, subsequent_indent="    ") for line in (label + first, *rest)]
    return "\n".join(lines)
