"""Writing a summary of an event: what to tell, in which order, in how many sentences.

`Plan` is the decision, `write_summary` the sentence-making. References, competent answers and the
answers with habits all come from here; the habits only spoil the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from textgym.seeding import Draws
from textgym.tasks.summarize.event import Cause, Event, Kind, Outcome
from textgym.tasks.summarize.grammar import expand
from textgym.tasks.summarize.kinds import KINDS
from textgym.tasks.summarize.write import (
    capitalise,
    make_slots,
    name_first_pronoun,
    name_thing,
    write_head,
)

ALL_FACTS = frozenset({"who", "town", "day", "amount", "reason", "result"})
MAX_WORDS = 24  # aimed at; a few summaries are longer
# What to drop, in this order, until a word limit is kept.
_SHORTENINGS: tuple[frozenset[str], ...] = (
    ALL_FACTS,
    ALL_FACTS - {"amount"},
    ALL_FACTS - {"amount", "day"},
    ALL_FACTS - {"amount", "result"},
    ALL_FACTS - {"day", "result"},
    ALL_FACTS - {"amount", "day", "result"},
    ALL_FACTS - {"amount", "day", "town", "result"},
    frozenset({"who", "town", "day"}),
    frozenset({"who", "town"}),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a summary will be built."""

    tell: frozenset[str] = ALL_FACTS
    first: str = ""  # the fact to begin with
    sentences: int = 0  # 0: as it comes
    plain: bool = False
    named: bool = True
    limit: int = 0  # words; 0: none


def plan_for(event: Event, draws: Draws) -> Plan:
    """The plan that meets the wishes; where there are none, variety."""
    plan = Plan()
    for wish in event.wishes:
        if wish.sort == "sentences":
            plan = replace(plan, sentences=int(wish.value))
        elif wish.sort == "words":
            plan = replace(plan, limit=int(wish.value))
        elif wish.sort == "about":
            plan = replace(plan, tell=frozenset({"who", "town", str(wish.value)}), sentences=1)
        elif wish.sort == "without":
            hidden = {"who"} if wish.value == "names" else {"amount"}
            if wish.value == "numbers" and event.day[0].isdigit():
                hidden.add("day")
            plan = replace(plan, tell=plan.tell - hidden, named=wish.value != "names" and plan.named)
        elif wish.sort == "first":
            plan = replace(plan, first=str(wish.value))
        else:
            plan = replace(plan, plain=True)
    if not plan.first and not plan.plain and not plan.limit:
        plan = replace(plan, first=_draw_first(plan, draws))
    return plan


def _draw_first(plan: Plan, draws: Draws) -> str:
    u = draws.random()
    first = "" if u < 0.55 else "day" if u < 0.75 else "reason" if u < 0.9 else "town"
    return first if first in plan.tell else ""


def write_summary(event: Event, draws: Draws, plan: Plan | None = None) -> str:
    """A summary by the plan (the one that meets the wishes unless another is given)."""
    plan = plan if plan is not None else plan_for(event, draws)
    subject = event.who if plan.named else KINDS[event.kind].anonymous
    slots = make_slots(event, KINDS[event.kind], subject, f"{subject}'s", False)
    if not plan.limit:
        return _compose_short(event, draws, plan, slots)
    text = ""
    for told in _SHORTENINGS:
        shorter = replace(plan, tell=plan.tell & told, limit=0, sentences=1)
        for _ in range(3):
            text = _compose(event, draws, shorter, slots)
            if text.count(" ") < plan.limit:
                return text
    return text


def _compose_short(event: Event, draws: Draws, plan: Plan, slots: dict[str, str]) -> str:
    """The first of up to three tries that is short, else the shortest."""
    best = ""
    for _ in range(3):
        text = _compose(event, draws, plan, slots)
        if text.count(" ") < MAX_WORDS:
            return text
        if not best or len(text) < len(best):
            best = text
    return best


def _compose(event: Event, draws: Draws, plan: Plan, base: dict[str, str]) -> str:
    kind = KINDS[event.kind]
    tell = plan.tell
    slots = base.copy()
    subject = slots["S"]
    result_first = plan.first == "result" and "result" in tell
    reason_first = plan.first == "reason" and "reason" in tell
    result = reason = ""
    if "result" in tell:
        result = _word(kind.results[event.result], draws, plan.plain)
        if result_first:
            result = name_thing(result, kind)
            named = name_first_pronoun(result, subject)
            if named is not result:  # the person has been named already
                slots["S"] = slots["he"]
                slots["whos"] = slots["his"]
            result = named
        elif not plan.named:
            result = name_first_pronoun(result, "the person") if draws.chance(0.3) else result
        result = result % slots
    if "reason" in tell:
        reason = _word_reason(event, kind, draws, plan)
        if reason_first and draws.chance(0.5):
            reason = name_thing(reason, kind)
        reason = reason % slots
    adjunct = expand(draws.pick(kind.adjuncts), draws) % slots if "amount" in tell else ""
    if adjunct and event.kind == "prize":
        slots["head"] = f"{write_head(kind, draws, slots)} {adjunct}"
        adjunct = ""
    else:
        slots["head"] = write_head(kind, draws, slots)
    body = _place_and_day(event, kind, draws, plan, slots)
    if adjunct[:4] == "and " and reason and not reason_first and not plan.plain:
        # "because the gate was open and will pay" would let the gate pay
        adjunct = f", and {'they' if event.kind == 'break-in' else slots['he']} {adjunct[4:]}"
    return _assemble(body, reason, adjunct, result, plan, draws, result_first, reason_first)


def _word(fact: Cause | Outcome, draws: Draws, plain: bool) -> str:
    clauses, formal = fact.clauses, fact.formal
    if not plain and formal and draws.chance(0.06):
        return formal[int(draws.random() * len(formal))]
    return clauses[int(draws.random() * len(clauses))]


def _word_reason(event: Event, kind: Kind, draws: Draws, plan: Plan) -> str:
    """ "because ..." as a clause or a noun phrase."""
    cause = kind.reasons[event.reason]
    if plan.plain or draws.chance(0.55):
        return "because " + _word(cause, draws, plan.plain)
    phrase = cause.phrases[int(draws.random() * len(cause.phrases))]
    return ("because of " if draws.chance(0.75) else "due to ") + phrase


def _place_and_day(event: Event, kind: Kind, draws: Draws, plan: Plan, slots: dict[str, str]) -> str:
    head = slots["head"]
    where = f" {kind.where} {event.town}" if "town" in plan.tell else ""
    on = f" on {event.day}" if "day" in plan.tell else ""
    if plan.first == "day" and on:
        return f"on {event.day}, {head}{where}"
    if plan.first == "town" and where and kind.where == "in":
        return f"in {event.town}, {head}{on}"
    if plan.first == "town" and where:  # "to Ulm" cannot open a sentence by itself
        return f"{event.town} is the new home: {head} there{on}"
    return f"{head}{where}{on}" if draws.chance(0.8) else f"{head}{on}{where}"


def _assemble(
    body: str, reason: str, adjunct: str, result: str, plan: Plan, draws: Draws, result_first: bool, reason_first: bool
) -> str:
    apart = ""  # the reason as a sentence of its own
    if reason_first:
        body = f"{reason}, {body}"
        body = _add(body, adjunct)
    elif plan.plain and reason:
        body = _add(body, adjunct)
        apart = f"This was {reason}"
    elif adjunct.startswith((", and", ", although")):
        body = _add(_add(body, reason), adjunct)
    elif adjunct[:1] == "," and reason:
        body = f"{body}{adjunct}, {reason}"
    else:
        body = _add(_add(body, adjunct), reason)
    body = capitalise(body)
    if plan.plain and plan.sentences == 2 and apart:
        return f"{body}. {apart}, and {result}." if result else f"{body}. {apart}."
    middle = f" {apart}." if apart else ""
    if not result:
        return f"{body}.{middle}"
    if result_first:
        if plan.sentences == 2 or (not plan.sentences and draws.chance(0.4)):
            return f"{capitalise(result)}. {body}.{middle}"
        return f"{capitalise(result)}: {_lower(body)}.{middle}"
    if plan.sentences == 2 or plan.plain or (not plan.sentences and draws.chance(0.5)):
        return f"{body}.{middle} {capitalise(result)}."
    return f"{body}; {result}." if draws.chance(0.6) or " and " in body else f"{body}, and {result}."


def _add(text: str, part: str) -> str:
    if not part:
        return text
    return text + part if part[0] == "," else f"{text} {part}"


def _lower(body: str) -> str:
    """Lower the first letter of words that are no names."""
    first, _, rest = body.partition(" ")
    return f"{first.lower()} {rest}" if first in _COMMON_OPENERS else body


_COMMON_OPENERS = frozenset(
    ["On", "In", "At", "To", "A", "An", "The", "He", "She", "Because", "Due", "Thieves", "Burglars", "His", "Her"]
)
