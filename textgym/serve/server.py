"""Envs over HTTP: `textgym serve`. The wire protocol is in docs/serving.md, the client in `client.py`.

FastAPI reads and writes; envs play in worker threads, one unless told otherwise, because models and tokenizers of a
learned reward are not made to be shared by threads. The server answers from the start: the first sessions wait
until the envs are loaded. Left out: TLS and passwords, which a proxy in front does better.
"""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response

from textgym import checks
from textgym.serve.sessions import Limits, Reply, RequestError, Sessions, answer, reply_of
from textgym.serve.worker import Workers

KEPT_ALIVE = 75  # seconds that a connection may be silent
GRACE = 3  # seconds that requests have to end after Ctrl-C


class EnvServer:
    """Serves envs until it is closed; a context manager.

    ```python
    with EnvServer({"textgym/Summarize-v0": {"reward": "gold"}}) as server:
        env = gym.make("textgym/Remote-v0", url=server.url, env="textgym/Summarize-v0")
    ```

    Args:
        offers: id -> arguments of `gym.make` that clients may not change; `data`, `reward`, `tokenizer` and `device`
            are the server's in any case.
        host: 127.0.0.1 is this machine only.
        port: 0 takes a free one.
        limits: of sessions, bodies and times.
        threads: envs that play at once. More than one is for rewards and users that wait for a network.
        load_policy: loads a `ChatPolicy` that answers /v1/chat/completions; None: there is no such route.
    """

    def __init__(
        self,
        offers: Mapping[str, Mapping[str, Any]],
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits | None = None,
        threads: int = 1,
        load_policy: Callable[[], Any] | None = None,
    ) -> None:
        self.sessions = Sessions(offers, limits)
        self.limits = self.sessions.limits
        self._workers = Workers(threads)
        self._socket = listen(host, port)
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self._socket.getsockname()[1]}"
        self.app = create_app(self.sessions, self._workers, load_policy)
        config = uvicorn.Config(
            self.app,
            log_config=None,  # uvicorn's own closes everybody else's log handlers, and absl's closes stderr then
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_keep_alive=KEPT_ALIVE,
            timeout_graceful_shutdown=GRACE,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def when_loaded(self, tell: Callable[[], None]) -> None:
        """Calls back when envs and policy are loaded; never where that fails."""
        loading: Future[Any] = self.app.state.loading
        loading.add_done_callback(lambda done: None if done.cancelled() or done.exception() else tell())

    def run(self) -> None:
        """Serves until Ctrl-C. Raises what loading the envs raises."""
        loading: Future[Any] = self.app.state.loading
        loading.add_done_callback(lambda done: self._stop() if done.exception() else None)
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._workers.close()
            self._socket.close()
        if loading.done() and (error := loading.exception()):
            raise error

    def __enter__(self) -> EnvServer:
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        try:
            self.app.state.loading.result()
        except BaseException:
            self.__exit__()
            raise
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()
        assert self._thread is not None
        self._thread.join()
        self._workers.close()
        self._socket.close()

    def _stop(self) -> None:
        self._server.should_exit = True


def create_app(sessions: Sessions, workers: Workers, load_policy: Callable[[], Any] | None = None) -> FastAPI:
    """The ASGI application; begins to load the envs."""
    app = FastAPI(title="textgym envs", docs_url=None, redoc_url=None, openapi_url=None)
    limits = sessions.limits

    def load() -> Any:
        sessions.load()
        return None if load_policy is None else load_policy()

    app.state.loading = workers.submit(load)

    async def work(run: Callable[[], Reply]) -> Reply:
        """In a worker; 504 where it takes too long. It goes on then, and its answer is kept."""
        future = asyncio.wrap_future(workers.submit(run))
        done, _ = await asyncio.wait({future}, timeout=limits.request_seconds)
        if done:
            return future.result()
        told = f"there was no answer in {limits.request_seconds:g} seconds; ask again with the same number"
        raise RequestError(504, told)

    async def loaded() -> None:
        loading = asyncio.wrap_future(app.state.loading)
        done, _ = await asyncio.wait({loading}, timeout=limits.request_seconds)
        if not done or loading.exception():
            raise RequestError(503, "the server is still loading its envs", retry_after=1)

    async def body_of(request: Request) -> dict[str, Any]:
        try:
            return await asyncio.wait_for(_read_body(request, limits.max_body), limits.request_seconds)
        except TimeoutError:
            raise RequestError(408, f"a request must arrive in {limits.request_seconds:g} seconds") from None

    @app.get("/health")
    async def health() -> Response:
        is_ready = app.state.loading.done()
        return _send(200, {"status": "ok" if is_ready else "loading", "sessions": len(sessions)})

    @app.get("/envs")
    async def envs() -> Response:
        return _send(200, sessions.describe())

    @app.post("/sessions")
    async def open_session(request: Request) -> Response:
        return await _answered(_open(request))

    @app.delete("/sessions/{token}")
    async def close_session(token: str) -> Response:
        async def close() -> Reply:
            sessions.close(token)
            return Reply(200, b'{"closed": true}')

        return await _answered(close())

    @app.post("/sessions/{token}/{call}")
    async def play(token: str, call: str, request: Request) -> Response:
        return await _answered(_play(token, call, request))

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        return await _answered(_chat(request))

    async def _chat(request: Request) -> Reply:
        body = await body_of(request)
        await loaded()
        policy = app.state.loading.result()
        if policy is None:
            raise RequestError(404, "this server has no policy: textgym serve --policy FOLDER")
        return await work(lambda: answer(lambda: policy.answer(body)))

    async def _open(request: Request) -> Reply:
        body = await body_of(request)
        await loaded()
        return await work(lambda: answer(lambda: sessions.open(body)))

    async def _play(token: str, call: str, request: Request) -> Reply:
        body = await body_of(request)
        session = sessions.get(token)
        if call in ("render", "action_masks", "generators"):
            return await work(lambda: session.look(call))
        if call not in ("reset", "step", "respond"):
            raise RequestError(404, f"there is no call {call[:40]!r}")
        return await work(lambda: session.play(call, body))

    @app.exception_handler(404)
    @app.exception_handler(405)
    async def no_such_path(request: Request, error: Exception) -> Response:
        told = f"there is no {request.method} {request.url.path[:80]}; docs/serving.md has the paths"
        reply = reply_of(RequestError(getattr(error, "status_code", 404), told))
        return Response(reply.body, reply.status, media_type="application/json")

    return app


async def _answered(work: Awaitable[Reply]) -> Response:
    """The answer, or the error as one."""
    headers: dict[str, str] = {}
    try:
        reply = await work
    except Exception as error:
        reply = reply_of(error)
        if isinstance(error, RequestError) and error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
    return Response(reply.body, reply.status, headers, media_type="application/json")


def _send(status: int, found: dict[str, Any]) -> Response:
    return Response(json.dumps(found), status, media_type="application/json")


async def _read_body(request: Request, limit: int) -> dict[str, Any]:
    """A JSON object of at most `limit` bytes."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        # A page in a browser can send other types anywhere without asking, and this one not.
        raise RequestError(415, "a request needs Content-Type: application/json")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            parts.append(part)
        elif size > 4 * limit:  # till then it is read and dropped: who is still sending never hears why
            break
    if size > limit:
        raise RequestError(413, f"a request may have {limit} bytes, this one has more")
    try:
        body = json.loads(b"".join(parts))
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"the body must be JSON: {error}", "ValueError") from None
    if not isinstance(body, dict):
        raise RequestError(400, f"the body must be a JSON object, got {type(body).__name__}", "TypeError")
    return body


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; an error says at once that a port is taken or a host unknown."""
    checks.text("host", host)
    checks.whole("port", port, 0, 65535)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off, which costs 40 ms an answer on a kept connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except (socket.gaierror, UnicodeError) as error:
        listener.close()
        raise ValueError(f"host must be a name or an address of this machine, got {host!r}: {error}") from error
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise ValueError(f"host must be an address of this machine, got {host!r}") from error
        raise OSError(f"port {port} of {host} could not be had: {error.strerror}; try --port 0") from error
    return listener
