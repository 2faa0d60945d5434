"""Sessions: many clients, an env of its own for each, every step played once.

A session is known by a token that cannot be guessed. Its requests are numbered, so that a client that did not hear
the answer may ask again: the same number gets the same answer, and nothing is played twice. Sessions that nobody
has used for a while are forgotten. Nothing here knows HTTP; `server.py` does.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
from gymnasium.error import ResetNeeded

from textgym import checks
from textgym.envs import ids
from textgym.envs.arguments import WORLDS
from textgym.envs.registration import ENV_IDS, require_id
from textgym.rewards.combine import Ensemble, WeightedSum
from textgym.rewards.simple import GoldReward
from textgym.serve.wire import decode, encode

# What a stranger may choose. The rest (data, reward, tokenizer, device) names things of this machine.
OPTIONS = ("action", "split", "data_seed", "context_length", "max_new_tokens", "max_turns", "mask")
VECTOR_OPTIONS = ("max_episode_steps", "autoreset_mode")
# Calls that change an env, with the fields of their bodies. A field that is misspelt must not be passed over: a "sed"
# would leave an episode without its seed.
NUMBERED = {
    "reset": ("number", "seed", "options"),
    "step": ("number", "action"),
    "respond": ("number", "responses"),
}
OPENING = ("env", "options", "num_envs")


@dataclass(frozen=True)
class Limits:
    """What a server bears."""

    max_sessions: int = 256
    idle_seconds: float = 1800.0  # until a session that nobody uses is forgotten
    request_seconds: float = 60.0  # until a request that is not answered gets a 504
    max_body: int = 4_000_000  # bytes of a request
    max_rows: int = 1024  # envs in a vector
    max_tokens: int = 2**22  # rows times context_length

    def __post_init__(self) -> None:
        for name in ("max_sessions", "max_body", "max_rows", "max_tokens"):
            checks.whole(name, getattr(self, name), 1)
        for name in ("idle_seconds", "request_seconds"):
            checks.positive(name, getattr(self, name))


class RequestError(Exception):
    """What a client did wrong, or met: an HTTP status, the name of an error, a sentence."""

    def __init__(self, status: int, message: str, kind: str = "RequestError", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.retry_after = status, kind, retry_after


class Reply(NamedTuple):
    """An answer, ready to be sent, again if need be."""

    status: int
    body: bytes


class Session:
    """One client's env.

    Args:
        env: a single or a vector env.
        token: by which the client is known.
    """

    def __init__(self, env: Any, token: str) -> None:
        self.env, self.token = env, token
        self.last_used = time.monotonic()
        self._lock = threading.Lock()  # a repeated request waits for the first one
        self._number, self._digest = 0, b""
        self._reply: Reply | None = None

    def play(self, call: str, body: Mapping[str, Any]) -> Reply:
        """The answer to a numbered call; to a repeated one the answer that it had.

        Raises:
            RequestError: a number that is not the next one, or a repeated one with another body.
        """
        _require_known(body, NUMBERED[call])
        number = _field(body, "number")
        if type(number) is not int or not 1 <= number < 2**53:
            raise RequestError(400, f"number must be an integer from 1 to 2**53 - 1, got {number!r:.60}", "ValueError")
        digest = hashlib.sha256(json.dumps([call, body], sort_keys=True).encode()).digest()
        with self._lock:
            self.last_used = time.monotonic()
            if self._reply is not None and number == self._number:
                if digest != self._digest:
                    raise RequestError(409, f"number {number} was another request; a new one needs {number + 1}")
                return self._reply
            is_next = number > self._number if call == "reset" else number == self._number + 1
            if not is_next:
                raise RequestError(409, f"number must be {self._number + 1}, the next of this session, got {number}")
            reply = answer(lambda: self._run(call, body))
            self._number, self._digest, self._reply = number, digest, reply
            self.last_used = time.monotonic()
            return reply

    def look(self, call: str) -> Reply:
        """The answer to a call that changes nothing."""
        looks: dict[str, Callable[[], Any]] = {
            "render": lambda: {"text": encode(self.env.render())},
            "action_masks": lambda: {"action_masks": encode(self.env.action_masks())},
            "generators": self._generators,
        }
        with self._lock:
            self.last_used = time.monotonic()
            return answer(looks[call])

    def _run(self, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        env = self.env
        if call == "reset":
            obs, info = env.reset(seed=decode(body.get("seed")), options=decode(body.get("options")))
            return {"obs": encode(obs), "info": encode(info)}
        if call == "respond" and not hasattr(env, "respond"):
            raise ValueError("respond is a call of vector envs: open the session with num_envs")
        given = decode(_field(body, "action" if call == "step" else "responses"))
        result = env.step(given) if call == "step" else env.respond(given)
        return dict(zip(("obs", "reward", "terminated", "truncated", "info"), map(encode, result), strict=True))

    def _generators(self) -> dict[str, Any]:
        """Each row's seed and the state of its generator."""
        generators, seeds = self.env.np_random, self.env.np_random_seed
        if not isinstance(generators, tuple):
            generators, seeds = (generators,), (seeds,)
        return {"seeds": list(seeds), "states": [encode(g.bit_generator.state) for g in generators]}


class Sessions:
    """All sessions of a server.

    Args:
        offers: id -> the arguments that the server's owner has chosen for it.
        limits: what the server bears.
    """

    def __init__(self, offers: Mapping[str, Mapping[str, Any]], limits: Limits | None = None) -> None:
        if not offers:
            raise ValueError(f"env must be at least one of {list(ENV_IDS)}, got none")
        for env_id in offers:
            require_id(env_id)
        self.offers = {env_id: dict(chosen) for env_id, chosen in offers.items()}
        self.limits = limits or Limits()
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    def load(self) -> None:
        """Makes an env of each id, so that what cannot work is said at the start; keeps its tokenizer and its reward
        model for all sessions, unless that asks the task, which is another one for another split or `data_seed`."""
        for env_id, chosen in self.offers.items():
            env = getattr(ids, ENV_IDS[env_id])(**chosen)
            chosen["tokenizer"] = env.tokenizer
            if not _asks_the_task(env.reward):
                chosen["reward"] = env.reward

    def options(self, env_id: str) -> tuple[str, ...]:
        """What a client may choose for an id."""
        return tuple(name for name in OPTIONS if name not in self.offers[env_id])

    def describe(self) -> dict[str, Any]:
        """The ids, with what may be chosen and the defaults."""
        found = {}
        for env_id, chosen in self.offers.items():
            defaults = WORLDS[getattr(ids, f"{ENV_IDS[env_id].removesuffix('Env')}VectorEnv").world]
            found[env_id] = {name: chosen.get(name, getattr(defaults, name)) for name in OPTIONS}
        return {"envs": found, "vector_options": list(VECTOR_OPTIONS), "max_rows": self.limits.max_rows}

    def open(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new session, described. Raises RequestError where there are too many already, ValueError and TypeError for
        arguments that cannot be."""
        _require_known(body, OPENING)
        self._forget_idle()
        if len(self._sessions) >= self.limits.max_sessions:
            raise RequestError(429, f"there are {self.limits.max_sessions} sessions, and no more", retry_after=2)
        env = self._make(body)
        session = Session(env, secrets.token_urlsafe(24))
        with self._lock:
            if len(self._sessions) >= self.limits.max_sessions:
                raise RequestError(429, f"there are {self.limits.max_sessions} sessions, and no more", retry_after=2)
            self._sessions[session.token] = session
        return {"session": session.token, "idle_seconds": self.limits.idle_seconds, **_describe(env)}

    def get(self, token: str) -> Session:
        """The session of a token. Raises RequestError where there is none any more."""
        self._forget_idle()
        session = self._sessions.get(token)
        if session is None:
            raise RequestError(404, "there is no such session: it was closed, it expired, or the server began anew")
        return session

    def close(self, token: str) -> None:
        """Ends a session. Raises RequestError where there is none."""
        with self._lock:
            if self._sessions.pop(token, None) is None:
                raise RequestError(404, "there is no such session")

    def _forget_idle(self) -> None:
        """Not those that are at work: what takes long is not idle."""
        before = time.monotonic() - self.limits.idle_seconds
        with self._lock:
            for session in [s for s in self._sessions.values() if s.last_used < before and not s._lock.locked()]:
                del self._sessions[session.token]

    def _make(self, body: Mapping[str, Any]) -> Any:
        env_id, num_envs = _field(body, "env"), body.get("num_envs")
        if not isinstance(env_id, str) or env_id not in self.offers:
            raise ValueError(f"env must be one of {list(self.offers)}, which this server has, got {env_id!r:.80}")
        options = decode(body.get("options", {}))
        if not isinstance(options, dict):
            raise TypeError(f"options must be an object, got {type(options).__name__}")
        known = (*self.options(env_id), *(VECTOR_OPTIONS if num_envs is not None else ()))
        unknown = sorted(str(name) for name in options if name not in known)
        if unknown:
            raise TypeError(f"got an unexpected keyword argument {unknown[0]!r}, known are {list(known)}")
        self._check_size(env_id, num_envs, options)
        arguments = {**self.offers[env_id], **options, "render_mode": "ansi"}
        name = ENV_IDS[env_id]
        if num_envs is None:
            return getattr(ids, name)(**arguments)
        return getattr(ids, f"{name.removesuffix('Env')}VectorEnv")(num_envs=num_envs, **arguments)

    def _check_size(self, env_id: str, num_envs: Any, options: Mapping[str, Any]) -> None:
        rows = 1 if num_envs is None else checks.whole("num_envs", num_envs, 1, self.limits.max_rows)
        default = self.describe()["envs"][env_id]["context_length"]
        context = checks.whole("context_length", options.get("context_length", default), 1)
        if rows * context > self.limits.max_tokens:
            raise ValueError(
                f"num_envs times context_length must be at most {self.limits.max_tokens}, got {rows} times {context}"
            )


def _asks_the_task(reward: Any) -> bool:
    """Whether the gold reward is in it."""
    if isinstance(reward, Ensemble):
        return any(map(_asks_the_task, reward.models))
    if isinstance(reward, WeightedSum):
        return any(_asks_the_task(part) for part, _ in reward.parts.values())
    return isinstance(reward, GoldReward)


def answer(run: Callable[[], dict[str, Any]]) -> Reply:
    """What `run` gives, or what it raises, as an answer."""
    try:
        return Reply(200, json.dumps(run()).encode())
    except Exception as error:  # the env or the reward broke: said to the client, and the server lives on
        return reply_of(error)


def reply_of(error: Exception) -> Reply:
    """{"error": {"type", "message"}} with the status that fits."""
    if isinstance(error, RequestError):
        return _error(error.status, error.kind, str(error))
    if isinstance(error, ResetNeeded):
        return _error(409, "ResetNeeded", str(error))
    if isinstance(error, RecursionError):
        return _error(400, "ValueError", "the body is nested too deeply")
    for kind in (TypeError, ValueError, gym.error.Error):
        if isinstance(error, kind):
            return _error(400, kind.__name__, str(error))
    return _error(500, type(error).__name__, f"{type(error).__name__}: {error}"[:500])


def _error(status: int, kind: str, message: str) -> Reply:
    return Reply(status, json.dumps({"error": {"type": kind, "message": message}}).encode())


def _field(body: Mapping[str, Any], name: str) -> Any:
    if name not in body:
        raise RequestError(400, f"the body must have {name!r}, it has {sorted(body)[:20]}", "ValueError")
    return body[name]


def _require_known(body: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in body:
        if name not in known:
            told = (
                f"the body has the unknown field {name!r:.40}, known are {list(known)}{checks.hint(name[:40], known)}"
            )
            raise RequestError(400, told, "ValueError")


def _describe(env: Any) -> dict[str, Any]:
    episodes = env._episodes
    described = {
        "action": env.action,
        "vocab_size": env.tokenizer.vocab_size,
        "context_length": episodes.context_length,
        "max_new_tokens": episodes.max_new_tokens,
        "max_turns": episodes.max_turns,
        "num_envs": getattr(env, "num_envs", None),
    }
    return {**described, **{name: getattr(env, name) for name in VECTOR_OPTIONS if hasattr(env, name)}}
