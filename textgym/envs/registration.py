"""The ids of textgym, told to Gymnasium.

Imported by `import textgym`, so it names the env classes as strings and loads none of them.
"""

from __future__ import annotations

import inspect
from typing import Any

import gymnasium

ENV_IDS: dict[str, str] = {  # id -> class in ids.py; its vector env is called …VectorEnv
    "textgym/Summarize-v0": "SummarizeEnv",
    "textgym/Translate-v0": "TranslateEnv",
    "textgym/Dialogue-v0": "DialogueEnv",
}

REMOTE_ID = "textgym/Remote-v0"  # any of them, played by `textgym serve` on another machine


def require_id(env: Any, kind: type[Exception] = ValueError) -> str:
    """One of our ids, for what goes by its world.

    Args:
        env: what was given.
        kind: of the error.

    Raises:
        ValueError: or what `kind` says, with the ids that there are and the one that may be meant.
    """
    if env not in ENV_IDS:
        raise kind(f"env must be one of {list(ENV_IDS)}, got {env!r:.80}{_meant(env)}")
    return str(env)


def require_playable(env: Any) -> str:
    """An id that an agent can play in: one of ours, or one that its owner registered for an env of the same arguments.

    Raises:
        gymnasium.error.NameNotFound: there is no such id.
        ValueError: there is, and it is no env of texts; or ours without "textgym/".
    """
    if env in ENV_IDS:
        return str(env)
    if any(env in (name, name.removesuffix("-v0")) for name in (known.partition("/")[2] for known in ENV_IDS)):
        return require_id(env)
    try:
        spec = gymnasium.spec(env)
    except gymnasium.error.Error:
        return require_id(env, gymnasium.error.NameNotFound)
    entry = spec.vector_entry_point or spec.entry_point
    make: Any = gymnasium.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
    given = inspect.signature(make).parameters.values()
    takes_ours = any(p.kind is p.VAR_KEYWORD for p in given) or {"tokenizer", "action"} <= {p.name for p in given}
    if not takes_ours or make.__module__.startswith("gymnasium."):
        raise ValueError(
            f"env must be an env of texts, one of {list(ENV_IDS)} or one that is made like them, got {env!r}"
        )
    return str(env)


def _meant(env: Any) -> str:
    """The end of an error about an id: which one may be meant, also where only its name was given."""
    from textgym import checks

    short = {known.partition("/")[2].removesuffix("-v0").lower(): known for known in ENV_IDS}
    name = str(env).rpartition("/")[2].rpartition("-v")[0] or str(env).rpartition("/")[2]
    near = checks.close(name.lower(), short)
    return f"; did you mean {short[near]!r}?" if near is not None else checks.hint(str(env), ENV_IDS)


def register_envs() -> None:
    """Makes the ids known to `gymnasium.make` and `make_vec`; again is harmless."""
    for env_id, name in ENV_IDS.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(
                env_id,
                entry_point=f"textgym.envs.ids:{name}",
                vector_entry_point=f"textgym.envs.ids:{name.removesuffix('Env')}VectorEnv",
            )
    if REMOTE_ID not in gymnasium.registry:
        gymnasium.register(
            REMOTE_ID,
            entry_point="textgym.serve.client:RemoteEnv",
            vector_entry_point="textgym.serve.client:RemoteVectorEnv",
        )
