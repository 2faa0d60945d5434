"""The folder of a result that nothing was trained for: a baseline's, a policy's, best-of-n's.

It looks like a run's (runs.py), so that what compares runs reads it too:

config.json      what was asked, versions, the commit of the code
metrics.jsonl    a line an evaluation
samples.md       the first prompts and what was said to them
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textgym.files import write_text

from .folders import holds_run
from .rollout import Rollout
from .runs import SAMPLES, commit, to_json, versions


def require_new(run: str | Path) -> Path:
    """The folder, which must not hold a run.

    Raises:
        ValueError: it does, or it is a file.
    """
    folder = Path(run)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"run must be a folder, got the file {str(folder)!r}")
    if holds_run(folder):
        raise ValueError(f"run={str(folder)!r} holds a run already: name another folder, or delete that one")
    return folder


def write_result(
    folder: Path,
    agent: str,
    settings: dict[str, Any],
    chosen: dict[str, Any],
    evaluations: Sequence[dict[str, Any]],
    rollout: Rollout,
) -> None:
    """Writes the folder, config.json last, so that half of one is none.

    Args:
        agent: whose result it is.
        settings: what was asked, as JSON can say it.
        chosen: what "auto" became.
        evaluations: the lines of metrics.jsonl.
        rollout: whose first conversations become samples.md.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "metrics.jsonl", "".join(to_json(row) + "\n" for row in evaluations))
    write_text(folder / "samples.md", _samples(agent, rollout))
    record = {"agent": agent, "config": settings, "chosen": chosen, "versions": versions(), "commit": commit()}
    write_text(folder / "config.json", json.dumps(record, indent=2) + "\n")


def _samples(agent: str, rollout: Rollout) -> str:
    lines = [f"# What {agent} says", ""]
    for messages, gold in list(zip(rollout.messages, rollout.gold.tolist(), strict=True))[:SAMPLES]:
        first = next(k for k, m in enumerate(messages) if m["role"] == "assistant")
        for k, message in enumerate(messages):
            told = "" if k != first or gold != gold else f" (gold {gold:.2f})"
            lines += [f"**{message['role'].capitalize()}**{told}", ""]
            lines += ["> " + line for line in message["content"].splitlines() or [""]]
            lines.append("")
        lines += ["---", ""]
    return "\n".join(lines)
