"""What keeps strangers out: limits and headers on every answer, signed cookies, a hashed password.

Raters are known by a personal token of 256 random bits in a cookie that scripts cannot read; the administrator
by a signed cookie with an end. Every change needs, besides the cookie, a token derived from it that another
site cannot know. Scripts and styles come from this server's own files only, so text that somebody slipped
into a response can be shown but not run. Not here: encryption; put a TLS proxy in front of a public server.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Container
from typing import Any

BODY_LIMIT = 64 * 1024  # bytes of a request
FILE_LIMIT = 64 * 1024 * 1024  # of an upload by the administrator
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # a personal link is a secret
    "cross-origin-opener-policy": "same-origin",
    "x-robots-tag": "noindex",
}
SCRYPT = {"n": 2**14, "r": 8, "p": 1}  # 16 MiB a try
ADMIN_HOURS = 12


class Guard:
    """ASGI: refuses bodies over the limit before they are read whole, and adds the headers."""

    def __init__(self, app: Any, limit: int = BODY_LIMIT, limits: dict[str, int] | None = None) -> None:
        """`limits` are those of paths that take more."""
        self.app, self.limit, self.limits = app, limit, limits or {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limits.get(scope["path"], self.limit)
        if _stated_length(dict(scope["headers"])) > limit:
            await _refuse_size(send)
            return
        seen, is_refused = 0, False

        async def receive_some() -> Any:
            nonlocal seen, is_refused
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit and not is_refused:  # a body sent in pieces, its length unsaid
                is_refused = True
                await _refuse_size(send)
            return {"type": "http.disconnect"} if is_refused else message

        async def send_guarded(message: Any) -> None:
            if is_refused:
                return
            if message["type"] == "http.response.start":
                added = headers_for(scope["path"])
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in added.items())]
            await send(message)

        await self.app(scope, receive_some, send_guarded)


def headers_for(path: str) -> dict[str, str]:
    """What every answer carries; only the site's own files may be kept by a browser."""
    return HEADERS if path.startswith("/static/") else HEADERS | {"cache-control": "no-store"}


def _stated_length(headers: dict[bytes, bytes]) -> int:
    stated = headers.get(b"content-length", b"0")
    return int(stated) if stated.isdigit() else 2**63


async def _refuse_size(send: Any) -> None:
    body = b"413: this is larger than the site takes"
    told = HEADERS | {"content-type": "text/plain", "connection": "close"}
    headers = [(k.encode(), v.encode()) for k, v in told.items()]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Tries:
    """At most `most` tries in `seconds`, for each key; kept in memory, so a restart forgets them."""

    def __init__(self, most: int = 5, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.seconds, self.clock = most, seconds, clock
        self._times: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def allow(self, key: str) -> bool:
        """Whether one more is allowed; if so, it is counted, before its outcome is known: of many tries at
        once no more than `most` get through."""
        with self._lock:
            now, times = self.clock(), self._times[key]
            while times and times[0] <= now - self.seconds:
                times.popleft()
            if len(times) >= self.most:
                return False
            times.append(now)
            if len(self._times) > 10_000:  # strangers with many addresses do not fill the memory
                self._times.clear()
            return True

    def forgive(self, key: str) -> None:
        """Takes the last try back, so that only failures count."""
        with self._lock:
            if self._times[key]:
                self._times[key].pop()


def hash_password(password: str) -> str:
    """Salt and scrypt hash (Percival, 2009), as hexadecimal text."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{hashlib.scrypt(password.encode(), salt=salt, **SCRYPT).hex()}"


def is_password(password: str, hashed: str) -> bool:
    """Compared in a time that does not depend on where they differ."""
    salt, expected = (bytes.fromhex(part) for part in hashed.split(":"))
    return hmac.compare_digest(hashlib.scrypt(password.encode(), salt=salt, **SCRYPT), expected)


def sign(secret: str, *parts: str) -> str:
    """A keyed hash of the parts."""
    return hmac.new(secret.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def is_signed(given: str, secret: str, *parts: str) -> bool:
    return hmac.compare_digest(given.encode(), sign(secret, *parts).encode())


def admin_cookie(secret: str, hashed: str, now: float) -> str:
    """Good for some hours, and until the password changes."""
    until, nonce = str(int(now + 3600 * ADMIN_HOURS)), secrets.token_hex(8)
    return f"{until}.{nonce}.{sign(secret, 'admin', until, nonce, hashed)}"


def is_admin_cookie(cookie: str, secret: str, hashed: str, now: float, ended: Container[str] = ()) -> bool:
    """`ended` are the nonces of sessions that were signed out."""
    until, nonce, signature = parts_of(cookie)
    is_genuine = is_signed(signature, secret, "admin", until, nonce, hashed)
    return is_genuine and until.isdigit() and int(until) > now and nonce not in ended


def parts_of(cookie: str) -> tuple[str, str, str]:
    """When an administrator's cookie ends, its nonce and its signature; empty texts where they are missing."""
    until, _, rest = cookie.partition(".")
    nonce, _, signature = rest.partition(".")
    return until, nonce, signature
