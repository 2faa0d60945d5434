"""`textgym list` and `textgym sample`: the ids, and what their episodes start with."""

from __future__ import annotations

from typing import Any

from textgym import checks
from textgym.commands.printing import print_json, print_table, wrapped

SHOWN = ("context_length", "max_new_tokens", "max_turns")


def list_ids(json: bool = False) -> None:
    """The ids and their defaults.

    Args:
        json: as one line of JSON, a list of objects.
    """
    found = [defaults_of(env_id) for env_id in worlds_of_ids()]
    if json:
        print_json(found)
        return
    columns = ("id", "world", *SHOWN, "action", "reward")
    print_table([columns, *([str(row[name]) for name in columns] for row in found)], has_heading=True)
    print()
    for row in found:
        print(f"{row['id']}: {row['about']}")


def defaults_of(env_id: str) -> dict[str, Any]:
    """What `textgym list` says of an id."""
    from dataclasses import asdict

    from textgym.envs.arguments import WORLDS

    world, manual = worlds_of_ids()[env_id]
    defaults = asdict(WORLDS[world])
    reward = "learned" if defaults["reward"] is None else str(defaults["reward"])
    sizes = {name: defaults[name] for name in SHOWN}
    return {"id": env_id, "world": world, **sizes, "action": defaults["action"], "reward": reward, "about": manual}


def sample(
    env: str = "textgym/Summarize-v0",
    n: int = 3,
    split: str = "test",
    data: str | None = None,
    data_seed: int = 0,
    json: bool = False,
) -> None:
    """Prints examples: what an episode starts with, and right answers.

    Args:
        env: an id that `textgym list` shows.
        n: how many examples.
        split: train, validation or test.
        data: your own records: a path, or a dict of options as JSON.
        data_seed: which universe of embedded examples.
        json: a line of JSON each, with prompt (messages) and references.
    """
    from textgym.envs.registration import require_id
    from textgym.tasks.load import load_task

    checks.whole("n", n, least=1)
    world = worlds_of_ids()[require_id(env)][0]
    task: Any = load_task(world, data=data, split=split, data_seed=data_seed)  # type: ignore[arg-type]
    for i in range(min(n, len(task))):
        example = task[i]
        if json:
            prompt = [message._asdict() for message in example.prompt]
            print_json({"split": split, "index": i, "prompt": prompt, "references": list(example.references)})
            continue
        print(f"── {split} {i} of {len(task)}")
        for message in example.prompt:
            print(wrapped(f"{message.role}: ", message.content))
        for k, reference in enumerate(example.references, 1):
            print(wrapped(f"reference {k}: ", reference))
        print()


def worlds_of_ids() -> dict[str, tuple[str, str]]:
    """Each id's world and the first line of its manual."""
    from textgym.envs import ids
    from textgym.envs.registration import ENV_IDS

    found = {}
    for env_id, name in ENV_IDS.items():
        vector = getattr(ids, f"{name.removesuffix('Env')}VectorEnv")
        found[env_id] = (vector.world, (getattr(ids, name).__doc__ or "").strip().splitlines()[0])
    return found
