"""`textgym serve`: envs over HTTP, and a policy behind the route that chat programs ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from textgym import checks
from textgym.envs.registration import ENV_IDS

try:  # `--env A --env B` rather than `--env A B`, where there is a command line at all
    from tyro.conf import UseAppendAction
except ImportError:
    UseAppendAction = None  # type: ignore[assignment,misc]


@dataclass(frozen=True)
class ServeConfig:
    """What is served, where, and what the server bears."""

    env: Annotated[tuple[str, ...], UseAppendAction] = ()  # an id; again for another one; none: all of them
    reward: str | None = None  # what `reward=` of gym.make takes, a dict as JSON; clients cannot choose it
    data: str | None = None  # your own records: a path, or a dict of options as JSON; needs --reward
    tokenizer: str = "embedded"  # a folder or hub name
    device: str = "cpu"  # where a learned reward model and a policy compute
    policy: str | None = None  # answers /v1/chat/completions too: a folder or hub name of a policy, or embedded
    host: str = "127.0.0.1"  # this machine only; 0.0.0.0: all that reach it (there is no password)
    port: int = 8000  # 0 takes a free one
    max_sessions: int = 256  # envs or vectors of envs at the same time
    idle_minutes: float = 30.0  # until a session that nobody uses is forgotten
    request_seconds: float = 60.0  # until a request without an answer gets an error
    max_body_mb: float = 4.0  # larger requests are refused
    threads: int = 1  # envs that play at once; more than one only where the reward waits for a network


def serve(config: ServeConfig = ServeConfig()) -> None:
    """Serves envs over HTTP until Ctrl-C, for `gym.make("textgym/Remote-v0", url=…, env=…)` and for programs in any
    language: docs/serving.md has the protocol.
    """
    offers = {env_id: _arguments(config) for env_id in config.env or ENV_IDS}
    body = round(checks.positive("max_body_mb", config.max_body_mb) * 1e6)
    idle = checks.positive("idle_minutes", config.idle_minutes) * 60
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ImportError("serving envs needs a web server: pip install 'textgym[serve]'") from error
    from textgym.models.places import find_model
    from textgym.serve.server import EnvServer
    from textgym.serve.sessions import Limits

    if config.policy not in (None, "embedded"):
        find_model(str(config.policy), "policy")  # one that is not there is said before anything is served
    limits = Limits(config.max_sessions, idle, config.request_seconds, body)
    server = EnvServer(offers, config.host, config.port, limits, config.threads, _policy(config))
    print(f"serving {', '.join(offers)} on {server.url}, Ctrl-C ends it", flush=True)
    if config.policy is not None:
        told = f"serving {config.policy} on {server.url}/v1/chat/completions"
        server.when_loaded(lambda: print(told, flush=True))
    server.run()


def _policy(config: ServeConfig) -> Any:
    """Loads the policy when it is called."""
    if config.policy is None:
        return None
    name = config.policy

    def load() -> Any:
        from textgym.serve.policy import ChatPolicy

        return ChatPolicy(name, device=config.device)

    return load


def _arguments(config: ServeConfig) -> dict[str, Any]:
    """What the server's owner has chosen; what was left out stays the env's default."""
    given: dict[str, Any] = {"tokenizer": config.tokenizer, "device": config.device}
    optional = {"reward": config.reward, "data": config.data}
    return {**given, **{name: value for name, value in optional.items() if value is not None}}
