"""What training on pairs and training on ratings have in common: rates, groups of parameters, the progress bar, checks.

Not here: losses and loops, which differ (train.py, rating_train.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from textgym.models.tokenizer import ChatTokenizer
from textgym.rewards.encoding import encode_conversations
from textgym.rewards.learned import LearnedReward
from textgym.types import Transcript


def parameter_groups(network: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices, none for norms and biases."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def cosine(step: int, total: int, warmup: float) -> float:
    """Factor of the learning rate: up in a line, down in half a cosine to a tenth."""
    rise = max(1, round(warmup * total))
    if step < rise:
        return (step + 1) / rise
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


def fits(chat: ChatTokenizer, transcript: Transcript, limit: int | None) -> bool:
    """Whether the responses leave room for the marks between turns, with all else cut."""
    if limit is None or sum(len(ids) for ids in chat.encode_batch(transcript.responses)) < limit / 2:
        return True
    try:
        encode_conversations(chat, [transcript], limit)
    except ValueError as error:
        if "does not fit" in str(error):
            return False
        raise
    return True


def require_same_scores(folder: Path, transcripts: Sequence[Transcript], scores: np.ndarray, device: str) -> None:
    """The checkpoint that was written must score as the network in memory."""
    again = LearnedReward(folder, device=device).score(transcripts).values
    worst = float(np.abs(again - scores).max())
    if worst > 1e-3 * (1 + float(np.abs(scores).max())):
        raise ValueError(
            f"the saved reward model scores differently (by up to {worst:.3g}): give a tokenizer whose chat template "
            "and end-of-turn token are its own, so that they are saved with it"
        )


@contextmanager
def progress(total: int, shows: bool) -> Iterator[Any]:
    """A function `report(step, text)` that draws a bar, or does nothing."""
    if shows:
        try:
            from rich.progress import Progress
        except ImportError:
            shows = False
    if not shows:
        yield lambda step, text: None
        return
    with Progress() as bar:
        task = bar.add_task("reward model", total=total)
        yield lambda step, text: bar.update(task, completed=step, description=f"reward model: {text}")
