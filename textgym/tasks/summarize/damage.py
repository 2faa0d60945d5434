"""Ways to spoil a good summary, for the laws that a judge must keep.

    damages(SummarizeTask("test"), 7, np.random.default_rng(0)) -> {"empty": "", "copied": ..., ...}

Each text spoils the first reference of an example. A damage that an example has no room for (no
number to change where the reader wants none) is left out of the dict.
"""

from __future__ import annotations

import re

import numpy as np

from textgym.seeding import Draws
from textgym.tasks.summarize.event import Event
from textgym.tasks.summarize.names import FIRST_NAMES, SURNAMES, TOWNS
from textgym.tasks.summarize.task import SummarizeTask
from textgym.tasks.summarize.write import spell_amount

# How much lower than its reference a damaged text must score, on at least 99% of examples.
MARGINS: dict[str, float] = {
    "empty": 0.9,
    "copied": 0.5,
    "shuffled": 0.5,
    "other": 0.5,
    "name": 0.3,
    "number": 0.3,
    "negation": 0.3,
    "thrice": 0.5,
    "keywords": 0.5,
}

_BASE_FORMS = {
    "opened": "open",
    "set up": "set up",
    "started": "start",
    "closed": "close",
    "shut": "shut",
    "gave": "give",
    "moved": "move",
    "relocated": "relocate",
    "sold": "sell",
    "found": "find",
    "organised": "organise",
    "held": "hold",
    "put on": "put on",
    "led": "lead",
    "captained": "captain",
    "called": "call",
    "recalled": "recall",
    "took": "take",
    "won": "win",
    "made": "make",
    "donated": "donate",
    "crashed": "crash",
    "had": "have",
    "drove": "drive",
    "broke": "break",
    "forced": "force",
    "cancelled": "cancel",
    "lost": "lose",
    "left": "leave",
    "reported": "report",
    "came": "come",
    "picked": "pick",
    "complained": "complain",
    "asked": "ask",
}
_VERB = re.compile(r"\b(" + "|".join(sorted(_BASE_FORMS, key=len, reverse=True)) + r")\b")
_NUMBER = re.compile(r"\d[\d,]*")
_KEYWORD = re.compile(r"[^\W\d_]{4,}|[A-Z]\w+|\d[\d,]*")


def damages(task: SummarizeTask, index: int, rng: np.random.Generator) -> dict[str, str]:
    """Damaged versions of example `index`'s best reference, by name of the damage."""
    example = task[index]
    event, reference = example.meta, example.references[0]
    draws = Draws.of(rng)
    found = {
        "empty": "",
        "copied": example.prompt[-1].content,
        "shuffled": _shuffle(reference, draws),
        "other": _other_reference(task, index, event, draws),
        "name": _change_name(reference, event, draws),
        "number": _change_number(reference, draws),
        "negation": _negate(reference, event),
        "thrice": " ".join([reference] * 3),
        "keywords": ", ".join(_KEYWORD.findall(reference)),
    }
    return {name: text for name, text in found.items() if name == "empty" or (text and text != reference)}


def _shuffle(reference: str, draws: Draws) -> str:
    return " ".join(draws.shuffled(reference.split()))


def _other_reference(task: SummarizeTask, index: int, event: Event, draws: Draws) -> str:
    while True:
        other = task[draws.below(len(task))]
        if (other.meta.kind, other.meta.last) != (event.kind, event.last):
            return other.references[0]


def _change_name(reference: str, event: Event, draws: Draws) -> str:
    """Another surname, first name or town in place of one that the reference has."""
    changes = [
        (mine, pool)
        for mine, pool in ((event.last, SURNAMES), (event.first, FIRST_NAMES), (event.town, TOWNS))
        if mine in reference
    ]
    if not changes:
        return ""
    mine, pool = draws.pick(changes)
    return reference.replace(mine, draws.pick([name for name in pool if name != mine]))


def _change_number(reference: str, draws: Draws) -> str:
    numbers = _NUMBER.findall(reference)
    if not numbers:
        return ""
    old = draws.pick(numbers)
    value = int(old.replace(",", "").strip() or 0)
    step = max(1, value // draws.integer(3, 9))
    new = value + step if value > 20 or draws.chance(0.5) else max(4, value - step)
    return re.sub(rf"(?<![\d,]){old}", spell_amount(new if new != value else value + 1), reference, count=1)


def _negate(reference: str, event: Event) -> str:
    """The main verb with "did not"."""
    if "was unhappy" in reference:
        return reference.replace("was unhappy", "was not unhappy", 1)
    if "was the winner" in reference:
        return reference.replace("was the winner", "was not the winner", 1)
    at = max(reference.find(event.last), 0)
    if event.kind == "break-in":  # thieves act, not the person
        at = max(0, *(reference.lower().find(doer) for doer in ("thieves", "burglars")))
    match = _VERB.search(reference, at) or _VERB.search(reference)
    if match is None:
        return ""
    return f"{reference[: match.start()]}did not {_BASE_FORMS[match.group()]}{reference[match.end() :]}"
