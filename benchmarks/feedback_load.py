"""Many raters at once, and `kill -9` in the middle: is a judgement lost, doubled, or one too many?

Starts `textgym feedback serve` as a process of its own, lets simulated raters judge over HTTP as fast as they can,
kills the server without warning once half of the judgements are acknowledged, starts it again on the same store, and
lets the raters go on: who got no reply sends the same judgement again, as the page does. Then the store is read and
compared with what was acknowledged. Besides: how long the first page takes from the command, and the report at the
end.

    python benchmarks/feedback_load.py
    python benchmarks/feedback_load.py --raters 50 --items 200 --k 50 --json

Times are of the machine that it runs on; a busy one shows them longer. The counts must be 0 anywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from textgym.feedback.items import Item
from textgym.feedback.reliability import BackgroundFit
from textgym.feedback.report import make_report
from textgym.feedback.store import Store, add_items, add_rater, change_settings, new_token
from textgym.types import Message


def prepare(path: Path, raters: int, items: int, k: int) -> list[str]:
    """A store of items and raters; returns the raters' tokens."""
    store = Store(path)
    texts = [tuple((Message("assistant", f"answer {i}{side}"),) for side in "ab") for i in range(items)]
    with store.writing() as connection:
        change_settings(connection, k=k)
        add_items(connection, [Item((Message("user", f"prompt {i}"),), text) for i, text in enumerate(texts)])
        ids = [add_rater(connection, f"simulated-{r}", simulated=True) for r in range(raters)]
        tokens = [new_token(connection, rater) for rater in ids]
    store.close()
    return tokens


def serve(path: Path, port: int) -> tuple[subprocess.Popen[bytes], float]:
    """A server that answers, and the seconds from its command to its first page."""
    command = [sys.executable, "-m", "textgym.cli", "feedback", "serve", "--store", str(path), "--port", str(port)]
    start = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while True:
        try:
            request(HTTPConnection("127.0.0.1", port, timeout=60), "GET", "/", {})
            return server, time.perf_counter() - start
        except OSError:
            if server.poll() is not None:
                raise
            time.sleep(0.02)


def request(connection: HTTPConnection, method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
    """(status, text) of a reply."""
    headers = {"content-type": "application/json", **headers}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    reply = connection.getresponse()
    return reply.status, reply.read().decode()


class Rater(threading.Thread):
    """A simulated rater: signs in, judges at random until nothing is left, and notes what was acknowledged."""

    def __init__(self, port: int, token: str, seed: int, count: Counter[str]) -> None:
        super().__init__(daemon=True)
        self.port, self.rng, self.count = port, random.Random(seed), count
        self.headers = {"cookie": f"textgym_rater={token}"}
        self.acknowledged: list[int] = []
        self.seconds: list[float] = []
        self.connection = HTTPConnection("127.0.0.1", port, timeout=120)

    def insist(self, method: str, path: str, body: Any = None) -> Any:
        """The reply, however often the server has to be asked."""
        while True:
            try:
                status, text = request(self.connection, method, path, self.headers, body)
            except (OSError, HTTPException):
                self.connection.close()
                self.connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
                self.count["sent again"] += 1
                time.sleep(0.2)
                continue
            if status not in (200, 409):
                raise RuntimeError(f"{path}: {status} {text}")
            return status, text

    def run(self) -> None:
        found = re.search(r'name="csrf" content="(\w+)"', self.insist("GET", "/judge")[1])
        assert found is not None
        self.headers["x-csrf-token"] = found[1]
        told = json.loads(self.insist("POST", "/api/next")[1])
        while told["state"] != "done":
            if told["item"] is None:  # others hold what is left
                time.sleep(0.1)
                told = json.loads(self.insist("POST", "/api/next")[1])
                continue
            item = told["item"]["id"]
            start = time.perf_counter()
            choice = self.rng.choice(["left", "right", "tie"])
            status, text = self.insist("POST", "/api/judge", {"item": item, "choice": choice})
            self.seconds.append(time.perf_counter() - start)
            if status == 200:
                self.acknowledged.append(item)
                self.count["acknowledged"] += 1
                told = json.loads(text)
            else:
                self.count["refused"] += 1
                told = json.loads(self.insist("POST", "/api/next")[1])


def check(path: Path, raters: list[Rater], k: int) -> dict[str, int]:
    """What the store lacks of what was acknowledged, and what it has too much."""
    with sqlite3.connect(path) as connection:
        kept = connection.execute("SELECT rater_id, item_id FROM judgements").fetchall()
        done = dict(connection.execute("SELECT id, done FROM items").fetchall())
    acknowledged = {(r, item) for r, rater in enumerate(raters, start=1) for item in rater.acknowledged}
    of_item = Counter(item for _, item in kept)
    return {
        "acknowledged": len(acknowledged),
        "kept": len(kept),
        "lost": len(acknowledged - set(kept)),
        "unasked": len(set(kept) - acknowledged),
        "double": len(kept) - len(set(kept)),
        "over_assigned": sum(n > k for n in of_item.values()),
        "unfinished": sum(of_item[item] < k for item in done),
        "miscounted": sum(of_item[item] != n for item, n in done.items()),
    }


def measure(num_raters: int, items: int, k: int, kill: bool = True, folder: str | None = None) -> dict[str, Any]:
    """One run: counts that must be 0, and times."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = Path(made) / "feedback.db"
        tokens = prepare(path, num_raters, items, k)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server, first_page = serve(path, port)
        count: Counter[str] = Counter()
        raters = [Rater(port, token, seed, count) for seed, token in enumerate(tokens)]
        start = time.perf_counter()
        for rater in raters:
            rater.start()
        restart = None
        while kill and count["acknowledged"] < items * k / 2:
            time.sleep(0.01)
        if kill:
            os.kill(server.pid, signal.SIGKILL)
            server.wait()
            server, restart = serve(path, port)
        for rater in raters:
            rater.join()
        took = time.perf_counter() - start
        server.terminate()
        server.wait()
        seconds = np.concatenate([rater.seconds for rater in raters])
        found: dict[str, Any] = check(path, raters, k)
        found |= {"refused": count["refused"], "sent_again": count["sent again"], "killed": kill}
        found |= {"raters": num_raters, "items": items, "k": k, "seconds": took, "first_page_seconds": first_page}
        found |= {"restart_seconds": restart, "judgements_per_second": found["kept"] / took}
        found |= {f"reply_seconds_p{q}": float(np.quantile(seconds, q / 100)) for q in (50, 95)}
        return found | time_report(path)


def time_report(path: Path) -> dict[str, float]:
    """Milliseconds of the report on the finished store: the best of five on the clock, and of the processor alone."""
    store, clock, processor, fit = Store(path), [], [], BackgroundFit()
    for _ in range(5):
        start = time.perf_counter(), time.thread_time()
        with store.reading() as connection:
            make_report(connection, fit.latest)
        clock.append(time.perf_counter() - start[0])
        processor.append(time.thread_time() - start[1])
    store.close()
    return {"report_ms": 1000 * min(clock), "report_cpu_ms": 1000 * min(processor)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--raters", type=int, default=50)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--k", type=int, default=5, help="raters an item")
    parser.add_argument("--no-kill", action="store_true", help="let the server live")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.raters, options.items, options.k, not options.no_kill)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<24}{value:.3f}" if isinstance(value, float) else f"{name:<24}{value}")


if __name__ == "__main__":
    main()
