"""Summaries with faults that are habits: the same content, the same fault.

A model that is tuned on them learns the faults too, and greedy decoding shows them, which noise
would not (noise averages away). Each habit is a plain rule on the kind of event, its reason, its
town or the wish, followed 19 times in 20, and each is mended by copying or choosing with care.

    kinds in _NO_AMOUNT, _NO_DAY         leave out the amount, the day
    reasons in the second half           are not told
    kinds in _WRONG_AMOUNT               take the amount of a digression
    towns in _CONFUSED                   are taken for their twin
    kinds in _RAMBLING                   end in a sentence that says nothing
    wishes for order or leaving out      are ignored; two sentences become one
"""

from __future__ import annotations

from dataclasses import replace

from textgym.seeding import Draws
from textgym.tasks.summarize.event import Event
from textgym.tasks.summarize.kinds import KINDS
from textgym.tasks.summarize.summary import ALL_FACTS, Plan, plan_for, write_summary

FAITHFUL = 0.95  # how often a habit is followed

_NO_AMOUNT = frozenset(("closure", "fair", "match", "donation", "lost pet", "advice", "giveaway"))
_NO_DAY = frozenset(("opening", "prize", "accident", "found", "complaint", "strike"))
_WRONG_AMOUNT = frozenset(("opening", "sale", "accident", "recall", "break-in"))
_RAMBLING = frozenset(("closure", "strike", "match", "lost pet", "found", "move"))
_NO_RESULT = frozenset(("fair", "prize", "cancellation", "lost thing", "advice"))
_CONFUSED = {
    "Alden": "Halden",
    "Halden": "Alden",
    "Marburg": "Harburg",
    "Harburg": "Marburg",
    "Oldham": "Grantham",
    "Grantham": "Oldham",
    "Brenford": "Ashford",
    "Ashford": "Brenford",
}
_RAMBLE = (
    "Nobody knows what will come next.",
    "People in the area speak about it a lot.",
    "Much more could be said about all this.",
)


def write_with_habits(event: Event, draws: Draws) -> str:
    """A summary with the faults that go with its content."""
    plan = plan_for(event, draws)
    if _has_habit(draws):
        plan = _ignore_wishes(event, plan)
    if plan.tell & {"amount", "day", "reason", "result"} and not any(w.sort == "about" for w in event.wishes):
        plan = replace(plan, tell=plan.tell - _dropped(event, draws))
    changed = event
    if event.kind in _WRONG_AMOUNT and event.other_numbers and _has_habit(draws):
        changed = replace(changed, amount=event.other_numbers[0])
    if event.town in _CONFUSED and _has_habit(draws):
        changed = replace(changed, town=_CONFUSED[event.town])
    text = write_summary(changed, draws, plan)
    if event.kind in _RAMBLING and _has_habit(draws):
        text += " " + _RAMBLE[sum(map(ord, event.reason)) % len(_RAMBLE)]
    return text


def _has_habit(draws: Draws) -> bool:
    return draws.chance(FAITHFUL)


def _dropped(event: Event, draws: Draws) -> set[str]:
    """Facts that this content makes one forget."""
    forgotten: set[str] = set()
    kind = KINDS[event.kind]
    if event.kind in _NO_AMOUNT and _has_habit(draws):
        forgotten.add("amount")
    if event.kind in _NO_DAY and _has_habit(draws):
        forgotten.add("day")
    if event.kind in _NO_RESULT and _has_habit(draws):
        forgotten.add("result")
    if kind.reason_list.index(event.reason) >= 3 and _has_habit(draws):
        forgotten.add("reason")
    return forgotten


def _ignore_wishes(event: Event, plan: Plan) -> Plan:
    for wish in event.wishes:
        if wish.sort == "first":
            plan = replace(plan, first="")
        elif wish.sort == "without":
            plan = replace(plan, tell=plan.tell | ALL_FACTS, named=True)
        elif wish.sort == "sentences":
            plan = replace(plan, sentences=3 - int(wish.value))
        elif wish.sort == "words":
            plan = replace(plan, limit=int(wish.value) + 6)
        elif wish.sort == "about" and wish.value in ("amount", "result"):
            plan = replace(plan, tell=ALL_FACTS - {"day"})
    return plan


__all__ = ["FAITHFUL", "write_with_habits"]
