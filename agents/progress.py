"""What a run shows while it goes on, and how Ctrl-C ends it: between two updates, so that it can be saved."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def progress_bar(config: Any, done: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A bar over updates with the learned score, the gold score and the KL; plain lines where rich is absent.

    Args:
        config: of any agent; its `total_updates` are the bar's length.
        done: updates that a run which is resumed has behind it.
    """
    total = config.total_updates
    try:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield lambda m: print(f"update {m['update']}/{total} {_status(m)}", flush=True)
        return
    label = label_of(config)
    columns = (
        TextColumn(f"[bold]{label}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
    )
    with Progress(*columns) as bar:
        task = bar.add_task(label, total=total, completed=done, status="")
        yield lambda m: bar.update(task, completed=m["update"], status=_status(m))


@contextlib.contextmanager
def defers_interrupt() -> Iterator[Callable[[], bool]]:
    """Yields what says whether Ctrl-C was pressed: an update in hand is finished, for half of one cannot be saved.

    A second Ctrl-C stops at once.
    """
    pressed: list[int] = []

    def note(number: int, frame: Any) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        # A signal may come in the middle of a print, so the message goes past Python's buffers.
        os.write(2, b"\nCtrl-C: finishing this update, then saving; once more stops at once\n")

    if threading.current_thread() is not threading.main_thread():  # where Python delivers no signals
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def label_of(config: Any) -> str:
    """An agent's name as a title has it: PPO, RLOO, best-of-n."""
    return str(config.agent) if "-" in config.agent else str(config.agent).upper()


def _status(m: dict[str, Any]) -> str:
    if "score" not in m:  # nothing was played: an offline agent
        return f"loss {m['loss']:.3f}" + (f"  accuracy {m['accuracy']:.2f}" if "accuracy" in m else "")
    gold = "" if m["gold"] != m["gold"] else f"gold {m['gold']:.2f}  "
    return f"score {m['score']:+.2f}  {gold}KL {m['kl']:.1f}"
