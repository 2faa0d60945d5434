"""A reward model over HTTP, with the bodies of vLLM's `/classify` and OpenRLHF's `/get_reward`.

The standard library's server: two routes that read and write JSON need no framework, and whoever installs textgym on a
machine with a GPU can serve without an extra. Requests that come in together are scored together: threads hand
their transcripts to one scorer, which takes what is waiting. `textgym.rewards.remote` is the client. Left out: TLS
and passwords, which a proxy in front does better.

    POST /classify     {"input": [text or token ids, …]}          -> {"data": [{"index": 0, "probs": [score]}, …]}
    POST /get_reward   {"query": [text, …], "prompts": [text, …]}  -> {"rewards": [score, …]}
    GET  /health       200 while it serves
"""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import numpy as np

from textgym import checks
from textgym.rewards.base import as_scores
from textgym.rewards.wire import Reader
from textgym.types import RewardModel, Transcript

READ_TIMEOUT = 60.0  # seconds that a client may keep a connection waiting


class RequestError(Exception):
    """What a client did wrong: an HTTP status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Job(NamedTuple):
    transcripts: Sequence[Transcript]
    done: threading.Event
    result: list[Any]  # one element when done: scores, or the exception


class Batcher:
    """Scores in one thread what many threads hand in.

    Args:
        reward: the model, which needs not be safe for threads.
        max_batch: transcripts that are scored in one call, if more than one request waits.
        wait: seconds to wait for company after the first request.
    """

    def __init__(self, reward: RewardModel, max_batch: int = 256, wait: float = 0.005) -> None:
        self.reward, self.max_batch, self.wait = reward, checks.whole("max_batch", max_batch, 1), wait
        self.num_calls = 0  # of the reward model
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="reward-batcher", daemon=True)
        self._thread.start()

    def score(self, transcripts: Sequence[Transcript]) -> np.ndarray:
        """(n,) float32; raises what the reward model raises for these transcripts alone."""
        job = _Job(transcripts, threading.Event(), [])
        self._jobs.put(job)
        job.done.wait()
        if isinstance(job.result[0], BaseException):
            raise job.result[0]
        return job.result[0]

    def close(self) -> None:
        """Ends the thread after what is waiting."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, closes = self._company(first)
            try:
                self._finish(jobs)
            except Exception as error:
                if len(jobs) == 1:
                    self._fail(jobs[0], error)
                else:
                    for job in jobs:  # one bad request must not fail the others
                        try:
                            self._finish([job])
                        except Exception as own:
                            self._fail(job, own)
            if closes:
                return

    def _company(self, first: _Job) -> tuple[list[_Job], bool]:
        """Requests to score together, and whether the end came."""
        jobs, size, until = [first], len(first.transcripts), time.monotonic() + self.wait
        while size < self.max_batch:
            try:
                job = self._jobs.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
            size += len(job.transcripts)
        return jobs, False

    def _finish(self, jobs: Sequence[_Job]) -> None:
        texts = [t for job in jobs for t in job.transcripts]
        self.num_calls += 1
        values = as_scores(self.reward.score(texts), len(texts)).values if texts else np.zeros(0, dtype=np.float32)
        ends = np.cumsum([len(job.transcripts) for job in jobs])
        for job, own in zip(jobs, np.split(values, ends[:-1]), strict=True):
            job.result.append(own)
            job.done.set()

    def _fail(self, job: _Job, error: Exception) -> None:
        job.result.append(error)
        job.done.set()


class RewardServer:
    """Serves a reward model until it is closed; a context manager.

    Args:
        reward: the model.
        tokenizer: the model's `ChatTokenizer`, for token ids and its chat template; None: plain text only.
        name: what it calls the model.
        host: 127.0.0.1 is this machine only.
        port: 0 takes a free one.
        max_batch: transcripts in one call of the model.
        wait: seconds to wait for company.
        max_body: bytes of a request; more is refused (413).
    """

    def __init__(
        self,
        reward: RewardModel,
        tokenizer: Any = None,
        name: str = "reward",
        host: str = "127.0.0.1",
        port: int = 0,
        max_batch: int = 256,
        wait: float = 0.005,
        max_body: int = 16_000_000,
    ) -> None:
        self.name, self.max_body = name, checks.whole("max_body", max_body, 1)
        checks.port(port)
        self.reader = Reader(tokenizer)
        self.batcher = Batcher(reward, max_batch, wait)
        try:
            self._http = _Server((host, port), _Handler)
        except OSError as error:
            self.batcher.close()
            raise OSError(f"port {port} of {host} could not be had: {error.strerror}; try --port 0") from error
        self._http.owner = self
        self.url = f"http://{host}:{self._http.server_port}"

    def __enter__(self) -> RewardServer:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self.batcher.close()

    def wait(self) -> None:
        """Until Ctrl-C."""
        threading.Event().wait()

    def answer(self, path: str, body: Any) -> dict[str, Any]:
        """What a request gets. Raises `RequestError` for what the client did wrong."""
        route = path.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]
        if route not in ("classify", "get_reward"):
            raise RequestError(404, f"there is POST /classify and POST /get_reward, no {path[:80]!r}")
        try:
            read = self.reader.classify if route == "classify" else self.reader.get_reward
            scores = self.batcher.score(read(body)).tolist()
        except (ValueError, TypeError) as error:  # the model says so too of what it cannot read
            raise RequestError(400, str(error)) from error
        if route == "get_reward":
            return {"rewards": scores, "scores": scores, "extra_logs": {}}
        rows = [{"index": i, "label": "LABEL_0", "probs": [s], "num_classes": 1} for i, s in enumerate(scores)]
        stamp = {"id": f"classify-{uuid.uuid4().hex}", "created": int(time.time())}
        return {**stamp, "object": "list", "model": self.name, "data": rows}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    owner: RewardServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = READ_TIMEOUT
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200, {"status": "ok", "model": self.server.owner.name})
        else:
            self._send(404, {"error": f"there is GET /health, no {self.path[:80]!r}"})

    def do_POST(self) -> None:
        try:
            answer = self.server.owner.answer(self.path, self._body())
        except RequestError as error:
            self._send(error.status, {"error": str(error)})
        except Exception as error:  # the model broke: said to the client, and the server lives on
            self._send(500, {"error": f"{type(error).__name__}: {error}"[:500]})
        else:
            self._send(200, answer)

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "")
        limit = self.server.owner.max_body
        if not length.isdecimal():
            self.close_connection = True  # what follows cannot be told from the next request
            raise RequestError(411, "a request needs a Content-Length")
        if int(length) > limit:
            self.close_connection = True
            self._drain(min(int(length), 4 * limit))  # else a client that is still sending never hears why
            raise RequestError(413, f"a request may have {limit} bytes, this one has {length}")
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise RequestError(400, f"the body must be JSON: {error}") from error

    def _drain(self, length: int) -> None:
        while length > 0 and (part := self.rfile.read(min(length, 1 << 16))):
            length -= len(part)

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: prompts are nobody's business, and a line a request is too many."""
