"""Every episode on disk as it ends: a JSON line for programs, a page for people."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import Any

import gymnasium as gym

from textgym import checks
from textgym.wrappers.base import Step, TextWrapper, hearer, require_whole_observations

# The end tags of body and html may be left out, so the page is whole after every episode.
_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Transcripts</title><style>
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 Georgia, serif; color: #111 }
article { border-top: 2px solid #111; margin-top: 2rem }
h2 { font-size: 1rem; margin: .5rem 0 }
dl { display: flex; flex-wrap: wrap; gap: 0 1.2rem; margin: 0; font-size: .85rem }
dl div { display: flex; gap: .35rem } dt { color: #555 } dd { margin: 0 }
p { white-space: pre-wrap; overflow-wrap: anywhere; margin: .6rem 0; padding-left: .8rem; border-left: 3px solid #bbb }
p.policy { border-color: #111; background: #f2f2f2 } b { font: 700 .75rem sans-serif; display: block; color: #555 }
</style></head><body><h1>Transcripts</h1>
"""
_KEPT = ("ending", "score", "gold", "score_components", "gold_components")


class TranscriptRecorder(TextWrapper):
    """Appends each finished episode to `<folder>/<name>.jsonl` and `<folder>/<name>.html`.

    A line has episode (its number in the file), index, steps, return, truncated, num_prompt_messages, messages,
    and what the env said at the end: ending, score, gold, their components. Each file is written in one call
    when an episode ends, so a killed program loses the episode that it was in and none before; half a
    line of a full disk is cut off when the folder is opened again. An episode that is reset before its
    end is not recorded.

    Args:
        env: a textgym env, either door.
        folder: is made; files that are there are continued.
        name: of the files; programs that run at once need one each.
    """

    def __init__(self, env: gym.Env[Any, Any], folder: str, name: str = "transcripts") -> None:
        super().__init__(env, folder=str(folder), name=name)
        require_whole_observations(env, "TranscriptRecorder")
        checks.text("name", name)
        base = Path(checks.text("folder", str(folder)))
        base.mkdir(parents=True, exist_ok=True)
        self.jsonl, self.page = base / f"{name}.jsonl", base / f"{name}.html"
        self._num_episodes = _mend(self.jsonl)
        if not self.page.exists():
            _append(self.page, _HEAD)
        self._heard = hearer(env)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**kwargs)
        self._heard.begin(observation, info)
        self._index, self._steps, self._return = info.get("index"), 0, 0.0
        return observation, info

    def step(self, action: Any) -> Step:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._heard.hear(observation, info)
        self._steps += 1
        self._return += float(reward)
        if terminated or truncated:
            self._write(truncated, info)
        return observation, float(reward), terminated, truncated, info

    def _write(self, truncated: bool, info: dict[str, Any]) -> None:
        record = {
            "episode": self._num_episodes,
            "index": self._index,
            "steps": self._steps,
            "return": self._return,
            "truncated": truncated,
            **{name: info[name] for name in _KEPT if name in info},
            "num_prompt_messages": self._heard.num_prompt_messages,
            "messages": self._heard.so_far(),
        }
        _append(self.jsonl, json.dumps(record) + "\n")
        _append(self.page, as_html(record))
        self._num_episodes += 1


def as_html(record: dict[str, Any]) -> str:
    """A record as an article of the page; everything that anybody said is escaped."""
    facts = {k: v for k, v in record.items() if k not in ("messages", "num_prompt_messages", "episode")}
    shown = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(_short(value))}</dd></div>" for name, value in facts.items()
    )
    said = "".join(
        f'<p class="{"policy" if i >= record["num_prompt_messages"] and m["role"] == "assistant" else "other"}">'
        f"<b>{html.escape(m['role'])}</b>{html.escape(m['content'])}</p>\n"
        for i, m in enumerate(record["messages"])
    )
    return f"<article><h2>Episode {record['episode']}</h2><dl>{shown}</dl>\n{said}</article>\n"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_short(v)}" for k, v in value.items())
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _append(path: Path, text: str) -> None:
    """One write, appended by the system: rows of a vector env may share a file."""
    data = text.encode("utf-8", "backslashreplace")
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def _mend(path: Path) -> int:
    """Cuts half a line off the end. Returns the number of lines; makes an empty file where there is none."""
    _append(path, "")
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)
    return data.count(b"\n")
