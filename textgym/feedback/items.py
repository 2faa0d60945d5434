"""What raters are shown and what they say: items and verdicts, as plain records.

An item is a prompt with one response to rate, two to compare, or several to rank. A verdict speaks of
the item's own order (`a` is the first response), whatever stood on the left of a rater's screen. A *gold*
item has a known answer and measures the rater; a *quiz* item does so before the work begins. Not here:
who gets what (assignment.py), where it is kept (store.py), files (formats.py).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textgym import checks
from textgym.types import Message

KINDS = ("pair", "rating", "ranking")
PURPOSES = ("work", "gold", "quiz")
CHOICES = ("a", "b", "tie", "skip")
STRENGTHS = (1, 2, 3)  # slightly, clearly, much better
SCALE = (1, 5)  # of ratings given on the site; imported ones keep their own
ROLES = ("system", "user", "assistant", "tool")
MOST_RESPONSES = 9  # a ranking is typed with one digit a response


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rater's answer to one item. Which fields are filled depends on the item's kind."""

    choice: str = ""  # pair: one of CHOICES; "skip" for any kind; else empty
    strength: int | None = None  # pair: one of STRENGTHS, where a side was chosen
    rating: float | None = None  # rating
    margin: float | None = None  # pair: of an imported comparison, in its own units
    ranks: tuple[int, ...] = ()  # ranking: rank of each response, 1 the best, equal ranks are ties
    criteria: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)  # name -> one a response
    comment: str = ""

    @property
    def is_skip(self) -> bool:
        return self.choice == "skip"

    def check(self, kind: str, num_responses: int) -> None:
        """Raises ValueError where the verdict does not answer an item of this kind."""
        if kind == "pair" and self.choice not in CHOICES:
            raise ValueError(f"choice must be one of {list(CHOICES)}, got {self.choice!r}")
        if kind != "pair" and self.choice not in ("", "skip"):
            raise ValueError(f"choice must be 'skip' or left out for a {kind}, got {self.choice!r}")
        if self.strength is not None and (self.choice not in ("a", "b") or self.strength not in STRENGTHS):
            raise ValueError(f"strength must be one of {list(STRENGTHS)} of a chosen side, got {self.strength!r}")
        if not self.is_skip and (kind == "rating") != (self.rating is not None):
            raise ValueError(f"rating must be a number for a rating and left out else, got {self.rating!r}")
        for name in ("rating", "margin"):
            if getattr(self, name) is not None and not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number, got {getattr(self, name)!r}")
        if not self.is_skip and kind == "ranking":
            check_ranks(self.ranks, num_responses)
        for name, values in self.criteria.items():
            if len(values) != num_responses or any(v is not None and not math.isfinite(v) for v in values):
                raise ValueError(f"criteria[{name!r}] must be {num_responses} numbers or None, got {values!r}")


def check_ranks(ranks: Sequence[int], n: int) -> None:
    """Ranks of n responses: 1 is the best, equal ones are ties, none is left out (1, 1, 3 or 1, 1, 2)."""
    if len(ranks) != n or any(isinstance(r, bool) or not isinstance(r, int) or not 1 <= r <= n for r in ranks):
        raise ValueError(f"ranks must be {n} whole numbers from 1 to {n}, got {list(ranks)!r}")
    if min(ranks) != 1:
        raise ValueError(f"ranks must begin at 1, got {list(ranks)!r}")


@dataclass(frozen=True, slots=True)
class Item:
    """Something to judge."""

    prompt: tuple[Message, ...]  # empty where the assistant speaks first
    responses: tuple[tuple[Message, ...], ...]  # what followed the prompt, each at least one message
    kind: str = "pair"
    key: str = ""  # unique in a store; left out, it is made from the texts
    task: str = "general"  # whose guideline page is shown
    sources: tuple[str, ...] = ()  # who wrote each response; no rater ever sees it
    origin: str = ""  # where the item comes from
    purpose: str = "work"
    answer: Verdict | None = None  # gold and quiz: what is right
    explanation: str = ""  # gold and quiz: why, shown after the rater has answered

    def __post_init__(self) -> None:
        for name, allowed in (("kind", KINDS), ("purpose", PURPOSES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {list(allowed)}, got {getattr(self, name)!r}")
        checks.text("task", self.task)
        least, most = {"pair": (2, 2), "rating": (1, 1), "ranking": (2, MOST_RESPONSES)}[self.kind]
        if not least <= len(self.responses) <= most or not all(self.responses):
            raise ValueError(f"responses must be {least} to {most} texts for a {self.kind}, got {len(self.responses)}")
        if self.sources and len(self.sources) != len(self.responses):
            raise ValueError(f"sources must be one a response, got {len(self.sources)} for {len(self.responses)}")
        if (self.purpose != "work") != (self.answer is not None):
            raise ValueError(f"answer must be given for gold and quiz items and no others, got {self.answer!r}")
        if self.answer is not None:
            self.answer.check(self.kind, len(self.responses))
            if self.answer.is_skip:
                raise ValueError("answer must be a decision, got 'skip'")
        if not self.key:
            object.__setattr__(self, "key", self._content_key())

    def _content_key(self) -> str:
        texts = json.dumps([self.kind, self.prompt, self.responses], ensure_ascii=False)
        return hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement as it is kept: who, when, how long, and what stood where."""

    key: str  # of the item
    verdict: Verdict
    rater: str | None = None  # None: nobody knows who
    shown: tuple[int, ...] = ()  # responses in the order in which they were shown; empty: unknown
    seconds: float | None = None  # with the item on the screen
    time: float | None = None  # Unix time
    simulated: bool = False


def is_right(verdict: Verdict, answer: Verdict, kind: str) -> bool:
    """Whether a verdict on a gold item counts as right: the same choice, one point beside the rating at most,
    or the same best response."""
    if verdict.is_skip:
        return False
    if kind == "pair":
        return verdict.choice == answer.choice
    if kind == "rating":
        return verdict.rating is not None and answer.rating is not None and abs(verdict.rating - answer.rating) <= 1
    return verdict.ranks.index(1) == answer.ranks.index(1)


def unshuffle(verdict: Verdict, shown: Sequence[int], kind: str) -> Verdict:
    """A verdict on the responses as they were shown (`a` the left one), in the item's own order."""
    own = [list(shown).index(i) for i in range(len(shown))]  # where each response stood
    choice = verdict.choice
    if kind == "pair" and choice in ("a", "b"):
        choice = "ab"[shown["ab".index(choice)]]
    return Verdict(
        choice=choice,
        strength=verdict.strength,
        rating=verdict.rating,
        margin=verdict.margin,
        ranks=tuple(verdict.ranks[i] for i in own) if verdict.ranks else (),
        criteria={name: tuple(values[i] for i in own) for name, values in verdict.criteria.items()},
        comment=verdict.comment,
    )


def to_messages(value: Any, name: str, role: str) -> tuple[Message, ...]:
    """Messages of a text (one message of `role`) or of a list of `{"role", "content"}`."""
    if isinstance(value, str):
        return (Message(role, value),)
    if not isinstance(value, list | tuple) or not (value or name == "prompt"):
        raise ValueError(f"{name} must be a text or a list of messages, got {value!r:.60}")
    messages = []
    for message in value:
        is_message = isinstance(message, Mapping) and isinstance(message.get("content"), str)
        if not is_message or message.get("role") not in ROLES:
            raise ValueError(
                f"{name} must hold messages with a content and a role of {list(ROLES)}, got {message!r:.60}"
            )
        messages.append(Message(message["role"], message["content"]))
    return tuple(messages)
