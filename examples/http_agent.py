"""An agent that plays an env over HTTP with nothing but the standard library: no textgym, no Gymnasium.

It is what a harness of language-model agents does (verifiers and its like), in forty lines, and a pattern for a client
in another language: open a session, reset, answer the messages, read the reward. docs/serving.md has the protocol.

    textgym serve --env textgym/Translate-v0 --policy embedded &
    python examples/http_agent.py --server http://127.0.0.1:8000 --env textgym/Translate-v0 \\
        --chat http://127.0.0.1:8000/v1 --model embedded
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any


def call(method: str, url: str, body: dict[str, Any] | None = None, key: str | None = None) -> dict[str, Any]:
    """One request; an error of the server is raised with what it says."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(url, json.dumps(body or {}).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return dict(json.load(response))
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url}: HTTP {error.code}: {error.read().decode()}") from None
    except OSError as error:
        raise RuntimeError(f"{url}: no answer: {getattr(error, 'reason', error)}") from None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="http://127.0.0.1:8000", help="of the env")
    parser.add_argument("--env", default="textgym/Summarize-v0")
    parser.add_argument(
        "--chat", required=True, help="base address of the endpoint that answers, as in https://host/v1"
    )
    parser.add_argument("--model", required=True, help="what the endpoint calls the model")
    parser.add_argument("--key-env", help="the NAME of the environment variable that holds the endpoint's key")
    parser.add_argument("--n", type=int, default=4, help="conversations")
    given = parser.parse_args(arguments)
    if given.key_env and given.key_env not in os.environ:
        parser.error(f"--key-env must name an environment variable that is set, got {given.key_env!r}")
    key = os.environ[given.key_env] if given.key_env else None
    options = {"action": "response", "split": "test"}
    opened = call("POST", f"{given.server}/sessions", {"env": given.env, "options": options})
    session, number = f"{given.server}/sessions/{opened['session']}", 0
    for seed in range(given.n):
        number += 1
        state = call("POST", f"{session}/reset", {"number": number, "seed": seed})
        is_over = False
        while not is_over:
            asked = {"model": given.model, "messages": state["info"]["messages"], "temperature": 0}
            said = call("POST", f"{given.chat}/chat/completions", asked, key)["choices"][0]["message"]["content"]
            number += 1
            state = call("POST", f"{session}/step", {"number": number, "action": said})
            is_over = state["terminated"] or state["truncated"]
        print(f"{seed}: reward {state['reward']:+.3f}  {state['info']['ending']}  {said!r:.70}")
    call("DELETE", session)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"http_agent: {error}")
