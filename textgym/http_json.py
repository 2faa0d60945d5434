"""JSON over HTTP, asked again where that may help: what every client of a server here stands on.

What may pass by itself (no connection, a timeout, 408, 429, 5xx) is tried again a few times, waiting longer each time
or as long as the server's Retry-After says, then raised. All else is raised at once. Redirects are not followed:
a key or a conversation goes to the address that was given and to no other. The standard library alone.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

RETRIED = (408, 429, 500, 502, 503, 504)
LONGEST_WAIT = 60.0  # seconds that a Retry-After is obeyed for
SHOWN = 200  # characters of a server's words in an error


class EndpointError(RuntimeError):
    """A server gave no answer, or a wrong one: the address, what was tried and what came back."""

    status: int | None = None  # of HTTP, where there was one
    body: bytes = b""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    url: str,
    send: Callable[[], Answer],
    attempts: int = 4,
    wait: float = 0.5,
    error: type[EndpointError] = EndpointError,
    retried: tuple[int, ...] = RETRIED,
) -> Any:
    """The JSON that a server answers with.

    Args:
        url: for the errors.
        send: sends the request once; an OSError or HTTPException means that it did not arrive or was not answered.
        attempts: requests before giving up.
        wait: seconds before the second attempt, doubled before each further one.
        error: what is raised.
        retried: statuses after which the request is sent again.
    """
    reason, pause, last = "", 0.0, None
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause)
        pause, last = wait * 2**attempt, None
        try:
            answer = last = send()
        except (OSError, http.client.HTTPException) as failure:  # URLError, timeouts, resets
            reason = f"{type(failure).__name__}: {failure}"
            continue
        if 200 <= answer.status < 300:
            return _parse(url, answer, error)
        reason = f"HTTP {answer.status}: {answer.body[:SHOWN].decode(errors='replace')}"
        if answer.status not in retried:
            raise _with(error(f"{url} refused the request: {reason}"), answer)
        pause = max(pause, min(_retry_after(answer.headers), LONGEST_WAIT))
    failed = error(f"{url} gave no answer in {attempts} attempts, the last: {reason}")
    raise failed if last is None else _with(failed, last)


def post(url: str, data: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
    """One POST on a connection of its own; a proxy of the environment is used. Raises OSError or HTTPException."""
    until = time.monotonic() + timeout
    call = urllib.request.Request(url, data=data, headers=dict(headers), method="POST")
    try:
        with _OPENER.open(call, timeout=timeout) as response:
            return Answer(response.status, dict(response.headers), _read(response, until))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), _read(error, until))


class KeptConnection:
    """Requests one after the other on one connection, which is several times as fast as one each. No proxy.

    Args:
        url: the server, http or https, with or without a path in front of all others.
        timeout: seconds a request may take.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.url, self.timeout = url.rstrip("/"), timeout
        self._parts = urlsplit(self.url)
        self._connection: http.client.HTTPConnection | None = None
        self._pid = os.getpid()

    def send(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        """One request. Raises OSError or HTTPException; the next one then begins on a new connection.

        A request on a connection that the server has closed meanwhile is sent again on a new one, so it must be one
        that may arrive twice.
        """
        if self._pid != os.getpid():
            self._connection = None  # a fork must not speak on its parent's connection
        was_kept = self._connection is not None
        try:
            return self._send(method, path, data, headers)
        except ConnectionError:  # http.client.RemoteDisconnected is one
            if not was_kept:
                raise
            return self._send(method, path, data, headers)

    def close(self) -> None:
        """Ends the connection; a further request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        until = time.monotonic() + self.timeout
        try:
            if self._connection is None:
                self._connection, self._pid = self._open(), os.getpid()
            self._connection.request(method, self._parts.path + path, data, dict(headers))
            with self._connection.getresponse() as response:  # closed, else the next one would not be read
                return Answer(response.status, dict(response.headers), _read(response, until))
        except BaseException:  # Ctrl-C too: an answer that nobody has read would be taken for the next one
            self.close()
            raise

    def _open(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=self.timeout)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def _read(response: Any, until: float) -> bytes:
    """The body; a server that sends a byte now and then runs into the time limit all the same."""
    parts = []
    while part := response.read1(1 << 16):
        parts.append(part)
        if time.monotonic() > until:
            raise TimeoutError("the answer took too long")
    if getattr(response, "length", None):  # closed before all of it had come
        raise http.client.IncompleteRead(b"".join(parts), response.length)
    return b"".join(parts)


def _parse(url: str, answer: Answer, error: type[EndpointError]) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as reason:
        raise _with(error(f"{url} answered with something that is no JSON: {reason}"), answer) from reason


def _with(error: EndpointError, answer: Answer) -> EndpointError:
    error.status, error.body = answer.status, answer.body
    return error


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to be left alone: a number or a date; 0 where it says nothing readable."""
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "0").strip()
    if said.isascii() and said.isdecimal():
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return 0.0
