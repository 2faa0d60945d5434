"""A bar for a command that takes longer than a moment: for a person at a terminal, on stderr, and gone at the end.

Where stderr is no terminal, or rich is not installed, nothing is shown. Left out: training, whose bar stays
(agents/progress.py). And what `--json` promises to a script: a line of its own.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

PATIENCE = 2.0  # seconds before there is a bar

T = TypeVar("T")
Report = Callable[[str, int, int], None]  # (what is being done, how much of it is done, of how much)


def no_report(what: str, done: int, total: int) -> None:
    """For callers that show nothing."""


@contextlib.contextmanager
def slow_bar(what: str, is_wanted: bool = True) -> Iterator[Report]:
    """Yields what a bar is told; the bar is there from `PATIENCE` seconds on, also while nothing is told.

    Args:
        what: is being done before the first report, for as long as nobody knows.
        is_wanted: False: nothing is shown.
    """
    if not (is_wanted and sys.stderr.isatty()):
        yield no_report
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        yield no_report
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    task = bar.add_task(what, total=None)
    timer = threading.Timer(PATIENCE, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
    finally:
        timer.cancel()
        timer.join()
        if bar.live.is_started:
            bar.stop()


@contextlib.contextmanager
def json_alone(is_wanted: bool) -> Iterator[Callable[[str], None]]:
    """For a command with `--json`: yields what prints its line of JSON, and only that reaches stdout.

    Whatever else is printed meanwhile goes to stderr. With `is_wanted` false it is the other way round: all is
    printed as ever, and the line is not.
    """
    if not is_wanted:
        yield lambda line: None
        return
    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        yield lambda line: print(line, file=stdout, flush=True)


def told_parts(texts: Sequence[T], at_once: int, tell: Report) -> Iterator[Sequence[T]]:
    """Texts to score, `at_once` at a time; `tell` hears how many were taken when the next are."""
    for start in range(0, len(texts), at_once):
        tell("scoring texts", start, len(texts))
        yield texts[start : start + at_once]
    tell("scoring texts", len(texts), len(texts))
