"""A client's side of one session of `textgym serve`: numbers what it asks, asks again, raises what the env raised.

A request that got no answer is sent again under the same number, and the server plays it once. Where there is no
answer at all, nobody knows whether the env has moved; then only a whole reset goes on.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import gymnasium as gym
from gymnasium.error import ResetNeeded

from textgym import checks
from textgym.http_json import Answer, EndpointError, KeptConnection, ask
from textgym.serve.wire import decode, encode

RETRIED = (408, 429, 502, 503, 504)  # 500 is the env's own failure, and stays one
RAISED: dict[str, type[Exception]] = {
    "ValueError": ValueError,
    "TypeError": TypeError,
    "Error": gym.error.Error,
    "ResetNeeded": ResetNeeded,
}
HEADERS = {"Content-Type": "application/json"}
CLOSING = 2.0  # seconds that saying goodbye may take


class RemoteEnvError(EndpointError):
    """The server of the env gave no answer, or the env broke there: the address, what was tried and what came back."""


class Connection:
    """One session on a server: opens it, numbers what it is asked, closes it.

    Args:
        url: of the server.
        body: what the session is opened with.
        timeout: seconds a request may take.
        attempts: requests before giving up, waiting 0.2, 0.4, … s in between (`wait` is the first).
    """

    def __init__(self, url: Any, body: Mapping[str, Any], timeout: Any, attempts: Any, wait: Any) -> None:
        parts = urlsplit(checks.text("url", url))
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(f"url must be an address such as http://127.0.0.1:8000, got {url!r:.80}")
        self.url = url.rstrip("/")
        self.timeout = checks.positive("timeout", timeout)
        self.attempts, self.wait = checks.whole("attempts", attempts, 1), checks.number("wait", wait, 0)
        self._connection = KeptConnection(self.url, self.timeout)
        self._number, self._is_lost, self._path = 0, False, ""
        self.described = self._ask("POST", "/sessions", body)
        if "session" not in self.described:
            raise RemoteEnvError(f"{self.url} is no server of envs: it answered with {self.described!r:.80}")
        self._path = f"/sessions/{quote(self.described['session'], safe='')}"

    def play(self, call: str, **given: Any) -> dict[str, Any]:
        """The answer to a call that changes the env, decoded. After one without an answer only a whole reset goes on.

        Raises:
            RemoteEnvError: there was no answer, or the env broke on the server.
            ResetNeeded: the env is over, or nobody knows how it stands.
            ValueError, TypeError, gymnasium.error.Error: what the env says to wrong arguments.
        """
        body = {name: encode(value) for name, value in given.items()}  # what cannot be sent is said before all else
        options = given.get("options")
        begins_anew = call == "reset" and not (isinstance(options, Mapping) and "reset_mask" in options)
        if self._is_lost and not begins_anew:  # what has been played, and what not, is unknown
            raise ResetNeeded(
                f"the last call of {self.url} got no answer, nobody knows how the env stands: call reset()"
            )
        self._number, self._is_lost = self._number + 1, True
        try:
            answer = self._ask("POST", f"{self._path}/{call}", {"number": self._number, **body})
        except RemoteEnvError as error:
            self._is_lost = error.status not in (413, 500)  # the env raised, or was never asked
            self._number -= error.status == 413
            raise
        except tuple(RAISED.values()):
            self._is_lost = False
            raise
        self._is_lost = False
        return {name: decode(value) for name, value in answer.items()}

    def look(self, call: str) -> dict[str, Any]:
        """The answer to a call that changes nothing."""
        return {name: decode(value) for name, value in self._ask("POST", f"{self._path}/{call}", {}).items()}

    def close(self) -> None:
        """Ends the session; a server that is gone is no error. Again is harmless."""
        if self._path:
            self._connection.timeout = CLOSING
            with contextlib.suppress(Exception):
                self._connection.close()  # a kept connection has the old time limit
                self._connection.send("DELETE", self._path, None, HEADERS)
            self._path = ""
        self._connection.close()

    def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if path != "/sessions" and not self._path:
            raise gym.error.Error("this env is closed: make another one")
        data = json.dumps(body).encode()

        def send() -> Answer:
            return self._connection.send(method, path, data, HEADERS)

        try:
            found = ask(self.url, send, self.attempts, self.wait, RemoteEnvError, RETRIED)
        except RemoteEnvError as error:
            self._raise_told(error)
            raise
        if not isinstance(found, dict):
            raise RemoteEnvError(f"{self.url} is no server of envs: it answered with {json.dumps(found):.80}")
        return found

    def _raise_told(self, error: RemoteEnvError) -> None:
        """Raises what the env raised there, in its own words."""
        try:
            told = json.loads(error.body)["error"]
            kind, message = str(told["type"]), str(told["message"])
        except (ValueError, KeyError, TypeError):
            return
        if error.status in (400, 409) and kind in RAISED:
            raise RAISED[kind](message) from None
        raised = RemoteEnvError(f"{self.url}: {message}")
        raised.status = error.status
        raise raised from None

    def __reduce__(self) -> Any:
        raise TypeError("a remote env cannot be copied or pickled: its session has one client; make another env")
