"""A person as the policy, or as the user: type, be answered, see what it was worth.

    textgym play --env textgym/Dialogue-v0
    textgym play --env textgym/Dialogue-v0 --as user --policy runs/Dialogue-v0-seed0

As the policy one sees the learned score and the gold score side by side at the end, with the gold's components and
a right answer, and learns in a minute what the rewards are made of. As the user one talks to a policy. Then there is
the learned score alone: the gold judge goes by the goal of the simulated user, and nobody has told it yours.
"""

from __future__ import annotations

import textwrap
from typing import Any, Literal

import gymnasium as gym

import textgym  # noqa: F401  (registers the ids)
from textgym import checks
from textgym.envs.registration import require_playable

WIDTH = 96
MOST_TURNS = 12  # of a person as the user; then the embedded policy's context is nearly full


def play(
    env: str = "textgym/Dialogue-v0",
    index: int | None = None,
    seed: int | None = None,
    episodes: int = 1,
    split: str = "test",
    data: str | None = None,
    reward: str | None = None,
    as_: Literal["policy", "user"] = "policy",
    policy: str | None = None,
) -> None:
    """Lets a person be the policy or, in a dialogue, its user, and shows what each episode was worth.

    A user begins the conversation, and ends it with an empty line.

    Args:
        env: an id that `textgym list` shows.
        index: which example; None: a random one.
        seed: of the example and the simulated user; None: another one every time.
        episodes: how many; each takes the next example.
        split: train, validation or test.
        data: your own records, as in `gym.make`.
        reward: another reward than the id's own.
        as_: who the person is.
        policy: with the person as the user, who answers: a run's folder, a folder or hub name of a model, or embedded
            (None).
    """
    if as_ not in ("policy", "user"):
        raise ValueError(f"as must be 'policy' or 'user', got {as_!r}")
    if as_ == "policy" and policy is not None:
        raise ValueError(f"policy is who answers a user: it needs --as user (as_='user'), got policy={policy!r} alone")
    require_playable(env)
    checks.whole("episodes", episodes, least=1)
    if index is not None:
        checks.whole("index", index, least=0)
    given: dict[str, Any] = {name: value for name, value in (("data", data), ("reward", reward)) if value is not None}
    made = gym.make(env, action="response", split=split, **given)
    if as_ == "user" and not hasattr(made.unwrapped.task, "reply"):  # type: ignore[attr-defined]
        raise ValueError(f"--as user needs an env with a user to talk to, as textgym/Dialogue-v0, got env={env!r}")
    for number in range(episodes):
        start = seed if number == 0 else None, None if index is None else {"index": index + number}
        if as_ == "user":
            talk_to(policy or "embedded", made, *start)
        else:
            play_one(made, *start)


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


def talk_to(policy: str, env: Any, seed: int | None = None, options: dict[str, int] | None = None) -> None:
    """One conversation of a person with a policy, on the opening of one of the env's examples."""
    from textgym.envs.arguments import WORLDS
    from textgym.models.policy import load_policy
    from textgym.rewards.base import as_scores
    from textgym.types import Message, Transcript

    speaker, core = load_policy(policy), env.unwrapped
    room = int(WORLDS["dialogue"].max_new_tokens)
    _, info = env.reset(seed=seed, options=options)
    messages = [m for m in info["messages"] if m["role"] == "system"]
    _show_from(messages, 0)
    print("(you are the user: ask for something; an empty line ends the talk)")
    start = len(messages) + 1
    for _ in range(MOST_TURNS):
        if not (said := _ask(ends=True).strip()):
            break
        try:
            answer = speaker.generate([*messages, {"role": "user", "content": said}], max_new_tokens=room)
        except ValueError as error:
            print(f"(the talk ends here: {error})")
            break
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
        _show_from(messages, len(messages) - 1)
    if len(messages) <= start:
        return
    transcript = Transcript(tuple(Message(m["role"], m["content"]) for m in messages), num_prompt_messages=start)
    found = as_scores(core.reward.score([transcript]), 1)
    parts = "".join(f"  {name} {values[0]:+.2f}" for name, values in found.components.items())
    print(f"reward {found.values[0]:+.2f}{parts}")
    print("no gold score: its judge goes by the simulated user's goal, and does not know yours")


def _ask(ends: bool = False) -> str:
    """What a person types; the end of the input is a Ctrl-C, or with `ends` an empty line."""
    try:
        return input("you: ")
    except EOFError:
        if ends:
            return ""
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
