"""A reward model behind HTTP: the client of vLLM's `/classify` and OpenRLHF's `/get_reward`.

An error is an error. What may pass by itself (no connection, a timeout, 408, 429, 5xx) is tried
again a few times, then raised; a wrong answer is raised at once. No score is ever made up.

    classify:    {"model": M, "input": [...], "use_activation": false} -> {"data": [{"index": 0, "probs": [s]}, ...]}
    get_reward:  {"query": [...], "prompts": [...], "labels": [...]}   -> {"rewards": [s, ...]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np

from textgym import checks
from textgym.http_json import EndpointError, ask, post
from textgym.rewards.base import as_scores, require_responses
from textgym.types import Message, Transcript

Body = Literal["classify", "get_reward"]
BODIES: tuple[Body, ...] = ("classify", "get_reward")


class RemoteRewardError(EndpointError):
    """The server gave no scores: the address, what was tried and what came back."""


class RemoteReward:
    """Scores transcripts on a server.

    Args:
        url: the whole address, ending in /classify or /get_reward (or say which `body`).
        body: "classify" or "get_reward"; default: by the end of the url.
        model: what `/classify` calls the model; default: none is named.
        tokenizer: what `load_tokenizer` takes, the reward model's own. `/classify` then gets token
            ids, so that text cannot become control tokens, and `/get_reward` text in its chat
            template. Default: plain text, `role: content` with an empty line between messages.
        weights: how several outputs of `/classify` add up, in their order.
        batch_size: transcripts a request.
        timeout: seconds a request may take.
        attempts: requests before giving up, waiting 0.5, 1, 2, … s in between (`wait` is the first).
        headers: sent along, for a server that wants to know who asks.
    """

    def __init__(
        self,
        url: str,
        body: Body | None = None,
        model: str | None = None,
        tokenizer: Any = None,
        weights: Sequence[float] | None = None,
        batch_size: int = 64,
        timeout: float = 60.0,
        attempts: int = 4,
        wait: float = 0.5,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(checks.text("url", url))
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"url must be an address that begins with http:// or https://, got {url!r}")
        ending = parts.path.rstrip("/").rsplit("/", 1)[-1]
        chosen = body or ending
        if chosen not in BODIES:
            raise ValueError(f"url must end in one of {['/' + b for b in BODIES]}, or body say which, got {url!r}")
        batch_size, attempts = (
            checks.whole(n, v, least=1) for n, v in (("batch_size", batch_size), ("attempts", attempts))
        )
        timeout, wait = checks.positive("timeout", timeout), checks.number("wait", wait, least=0)
        if headers is not None and not isinstance(headers, Mapping):
            raise TypeError(f"headers must be a dict of texts, got {headers!r:.80}")
        self.url, self.body, self.model = url, chosen, model
        self.weights = None if weights is None else np.asarray(weights, dtype=np.float64)
        self.batch_size, self.timeout, self.attempts, self.wait = batch_size, timeout, attempts, wait
        self.headers = {"Content-Type": "application/json", **(headers or {})}
        self.tokenizer: Any = None
        if tokenizer is not None:
            from textgym.rewards.encoding import load_reward_tokenizer

            self.tokenizer = load_reward_tokenizer(tokenizer)

    def score(self, transcripts: Sequence[Transcript]) -> np.ndarray:
        """(n,) float32."""
        require_responses(transcripts)
        parts = [
            self._score_batch(transcripts[i : i + self.batch_size]) for i in range(0, len(transcripts), self.batch_size)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def _score_batch(self, transcripts: Sequence[Transcript]) -> np.ndarray:
        if self.body == "classify":
            request: dict[str, Any] = {"input": self._inputs(transcripts), "use_activation": False}
            if self.model is not None:
                request["model"] = self.model
        else:
            request = {
                "query": [self._text(t.messages) for t in transcripts],
                "prompts": [self._text(t.prompt) for t in transcripts],
                "labels": [t.references[0] if t.references else None for t in transcripts],
            }
        answer = self._post(request)
        try:
            numbers = self._read_classify(answer) if self.body == "classify" else _flat(answer["rewards"])
            return as_scores(np.asarray(numbers, dtype=np.float64), len(transcripts)).values
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise RemoteRewardError(
                f"{self.url} gave no scores for {len(transcripts)} transcripts: {error!r} in {json.dumps(answer):.200}"
            ) from error

    def _read_classify(self, answer: Any) -> list[float]:
        rows = sorted(answer["data"], key=lambda row: row["index"])
        if [row["index"] for row in rows] != list(range(len(rows))):
            raise ValueError("the indices do not count up from 0")
        outputs = [row["probs"] for row in rows]
        weights = np.ones(1) if self.weights is None else self.weights
        if any(len(row) != len(weights) for row in outputs):
            raise ValueError(f"weights has {len(weights)} numbers and the model {len(outputs[0])} outputs")
        return [float(np.dot(row, weights)) for row in outputs]

    def _post(self, request: Mapping[str, Any]) -> Any:
        """The server's answer, parsed; tries again where that may help."""
        data = json.dumps(request).encode()
        return ask(
            self.url,
            lambda: post(self.url, data, self.headers, self.timeout),
            self.attempts,
            self.wait,
            RemoteRewardError,
        )

    def _inputs(self, transcripts: Sequence[Transcript]) -> list[Any]:
        if self.tokenizer is None:
            return [self._text(t.messages) for t in transcripts]
        from textgym.rewards.encoding import encode_conversations

        return [c.ids for c in encode_conversations(self.tokenizer, transcripts)]

    def _text(self, messages: Sequence[Message]) -> str:
        if self.tokenizer is None or self.tokenizer.hf.chat_template is None:
            return "\n\n".join(f"{m.role}: {m.content}" for m in messages)
        turns = [{"role": m.role, "content": self._without_control(m.content)} for m in messages]
        return str(self.tokenizer.hf.apply_chat_template(turns, tokenize=False))

    def _without_control(self, text: str) -> str:
        """Control tokens that somebody spelled out, broken by a space: the server would obey them."""
        for token in self.tokenizer.hf.all_special_tokens:
            text = text.replace(token, f"{token[:1]} {token[1:]}")
        return text


def _flat(rewards: Any) -> list[float]:
    """Numbers, out of a list of numbers or of lists of one number."""
    return [float(r[0] if isinstance(r, list) and len(r) == 1 else r) for r in rewards]
