"""The ids of textgym, told to Gymnasium.

Imported by `import textgym`, so it names the env classes as strings and loads none of them.
"""

from __future__ import annotations

import gymnasium

ENV_IDS: dict[str, str] = {  # id -> class in ids.py; its vector env is called …VectorEnv
    "textgym/Summarize-v0": "SummarizeEnv",
    "textgym/Translate-v0": "TranslateEnv",
    "textgym/Dialogue-v0": "DialogueEnv",
}

REMOTE_ID = "textgym/Remote-v0"  # any of them, played by `textgym serve` on another machine


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
