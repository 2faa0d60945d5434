"""Threads that work through a queue, and whose end nobody waits for.

The standard library's pool joins its threads when Python ends, so one step that hangs would keep a server from
stopping at Ctrl-C.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from textgym import checks


class Workers:
    """Runs what is submitted, first come first served.

    Args:
        num_threads: 1 runs one thing after the other.
    """

    def __init__(self, num_threads: int = 1) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self.num_threads = checks.whole("threads", num_threads, 1, 1024)
        for _ in range(self.num_threads):
            threading.Thread(target=self._run, name="env-worker", daemon=True).start()

    def submit(self, run: Callable[[], Any]) -> Future[Any]:
        """Puts a call at the end of the queue."""
        future: Future[Any] = Future()
        self._jobs.put((future, run))
        return future

    def close(self) -> None:
        """Ends the threads after what is waiting; returns at once."""
        for _ in range(self.num_threads):
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, run = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(run())
            except BaseException as error:
                future.set_exception(error)
            del job, future, run  # an env must not live on in a thread that waits
