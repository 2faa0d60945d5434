"""Writing an event out: as a prompt with digressions and wishes, and as a summary.

Prompts and summaries share nouns and verbs but not sentences: a prompt tells one fact a sentence,
in the voice of a local page or of the person who posts; a summary folds them into one or two.
"""

from __future__ import annotations

from textgym.seeding import Draws
from textgym.tasks.summarize.digressions import ANYWHERE, POSTS_ONLY
from textgym.tasks.summarize.event import Event, Kind
from textgym.tasks.summarize.frames import (
    DAY_SENTENCES,
    FAREWELLS,
    GREETINGS,
    LEADS,
    LEADS_POST,
    REASON_NEWS,
    REASON_POST,
    RESULT_NEWS,
    RESULT_POST,
)
from textgym.tasks.summarize.grammar import Template, expand
from textgym.tasks.summarize.kinds import KINDS
from textgym.tasks.summarize.names import MEN, MONTHS, SURNAMES, TOWNS, WEEKDAYS, WOMEN
from textgym.tasks.summarize.wishes import word_wish


def spell_amount(amount: int) -> str:
    return f"{amount:,}"


def with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def capitalise(text: str) -> str:
    return text[0].upper() + text[1:]


def make_slots(event: Event, kind: Kind, subject: str, possessive: str, first_person: bool) -> dict[str, str]:
    """Everything a template of this event may ask for."""
    thing = event.thing
    he, his, him = ("she", "her", "her") if event.female else ("he", "his", "him")
    if first_person:
        he, his, him = "I", "my", "me"
    return {
        "S": subject,
        "who": event.who,
        "last": "I" if first_person else event.last,
        "he": he,
        "his": his,
        "him": him,
        "own": f"{his} {thing}",
        "whos": possessive,
        "thing": thing,
        "a": thing if kind.plural else with_article(thing),
        "the": f"the {thing}",
        "n": spell_amount(event.amount),
        "town": event.town,
        "day": event.day,
        "on": f"on {event.day}",
        "where": f"{kind.where} {event.town}",
        "there": " there" if kind.where == "to" else "",
    }


def name_first_pronoun(clause: str, name: str) -> str:
    """Put a name where the clause first speaks of the person, so that it can stand alone."""
    at, slot = min((clause.find(s) % 9999, s) for s in ("%(he)s", "%(his)s", "%(him)s"))
    if at == 9998:  # find gave -1 for each
        return clause
    return clause.replace(slot, f"{name}'s" if slot == "%(his)s" else name, 1)


def name_thing(clause: str, kind: Kind) -> str:
    """ "it was sold" -> "the boat was sold", where nothing before says what "it" is."""
    return f"%(the)s {clause[3:]}" if clause.startswith("it ") and not kind.plural else clause


def write_head(kind: Kind, draws: Draws, slots: dict[str, str]) -> str:
    """Who did what. A head without a subject slot says whose thing it was."""
    head = expand(kind.heads[int(draws.random() * len(kind.heads))], draws)
    if "%(S)s" not in head and "%(own)s" in head:
        head = head.replace("%(own)s", "%(whos)s %(thing)s")
    return head % slots


def _pick_wording(plain: tuple[str, ...], formal: tuple[str, ...], draws: Draws, prefer_formal: bool) -> str:
    if formal and (prefer_formal or draws.chance(0.2)):
        return formal[int(draws.random() * len(formal))]
    return plain[int(draws.random() * len(plain))]


def _write_fact(
    frames: tuple[Template, ...], clause: str, phrase: str, kind: Kind, draws: Draws, slots: dict[str, str]
) -> str:
    frame = expand(frames[int(draws.random() * len(frames))], draws)
    if not kind.post and "%(last)s" not in frame:
        clause = name_first_pronoun(clause, slots["last"])
    slots["cl"] = clause % slots
    slots["ph"] = phrase % slots
    return capitalise(frame % slots)


class _Others:
    """Names, days and numbers of digressions: none of them the event's own."""

    def __init__(self, event: Event, draws: Draws) -> None:
        self.event = event
        self.draws = draws
        self.names: list[str] = []
        self.numbers: list[int] = []

    def write(self, template: Template, near: int = 0) -> str:
        """Expand a digression; `near` > 0 asks for a number of that size."""
        text = expand(template, self.draws)
        slots = {}
        if "2)s" in text:
            for slot in ("first2", "name2", "last2", "town2", "day2", "n2"):
                if f"%({slot})s" in text:
                    slots[slot] = self._fill(slot, near)
        return capitalise(text % slots)

    def _fill(self, slot: str, near: int) -> str:
        draws, event = self.draws, self.event
        if slot == "n2":
            number = self._number(near)
            self.numbers.append(number)
            return spell_amount(number)
        if slot == "day2":
            return self._note(draw_day(draws), event.day)
        if slot == "town2":
            return self._note(draws.pick(TOWNS), event.town)
        parts = []
        if slot != "last2":
            parts.append(self._note(draws.pick(WOMEN if draws.chance(0.5) else MEN), event.first))
        if slot != "first2":
            parts.append(self._note(draws.pick(SURNAMES), event.last))
        return " ".join(parts)

    def _note(self, name: str, own: str) -> str:
        if name == own:  # the neighbour in the list is as random as any
            for names in (TOWNS, SURNAMES, WOMEN, MEN, WEEKDAYS):
                if own in names:
                    name = names[(names.index(own) + 1 + self.draws.below(len(names) - 1)) % len(names)]
                    break
            else:
                name = self.draws.pick(WEEKDAYS)
        self.names.append(name)
        return name

    def _number(self, near: int) -> int:
        draws = self.draws
        if near:
            low, high, step = KINDS[self.event.kind].amounts
            number = low + step * draws.below((high - low) // step + 1)
            if number > 1000:
                number = round(number, -2)
        else:
            number = draws.integer(5, 60)
        return number if number != self.event.amount else number + 7


def draw_day(draws: Draws) -> str:
    """A weekday or a date."""
    if draws.chance(0.55):
        return WEEKDAYS[int(draws.random() * 7)]
    return f"{draws.integer(1, 28)} {MONTHS[int(draws.random() * 12)]}"


def write_prompt(event: Event, draws: Draws, simple: bool) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    """The prompt's text, and the names and numbers that only its digressions mention."""
    kind = KINDS[event.kind]
    post = kind.post
    subject = "I" if post else event.who
    slots = make_slots(event, kind, subject, "my" if post else f"{event.who}'s", post)
    hard = any(w.sort == "child" for w in event.wishes)
    reason, result = kind.reasons[event.reason], kind.results[event.result]

    head = write_head(kind, draws, slots)
    slots["head"] = head
    slots["On"] = f"On {event.day}"
    leads = LEADS_POST if post else LEADS
    lead = expand(draws.pick(leads[:2] if simple else leads), draws)
    late_day = not simple and draws.chance(0.25) and "%(On)s" not in lead
    if late_day:
        lead = lead.replace(" %(on)s", "")
    adjoined = draws.chance(0.4) and lead.endswith(("%(on)s.", "%(where)s.", "%(there)s."))
    adjunct = expand(draws.pick(kind.adjuncts), draws) % slots if adjoined else ""
    if adjunct and event.kind == "prize":  # "won a cup worth 90 euros in Ulm"
        slots["head"] = f"{head} {adjunct}"
        adjunct = ""
    lead = capitalise(lead % slots)
    if adjunct:
        lead = _join_adjunct(lead[:-1], adjunct) + "."

    clause = _pick_wording(reason.clauses, reason.formal, draws, hard)
    why = _write_fact(REASON_POST if post else REASON_NEWS, clause, draws.pick(reason.phrases), kind, draws, slots)
    clause = name_thing(_pick_wording(result.clauses, result.formal, draws, hard), kind)
    outcome = _write_fact(RESULT_POST if post else RESULT_NEWS, clause, "", kind, draws, slots)

    details = [why]
    if not adjoined:
        details.append(capitalise(expand(draws.pick(kind.amount_sentences), draws) % slots))
    if late_day:
        details.append(capitalise(expand(draws.pick(DAY_SENTENCES), draws) % slots))
    details = draws.shuffled(details)
    details.append(outcome)

    others = _Others(event, draws)
    greeting = capitalise(expand(draws.pick(GREETINGS), draws) % slots) if post and draws.chance(0.6) else ""
    farewell = capitalise(expand(draws.pick(FAREWELLS), draws) % slots) if post and not greeting else ""
    wishes = [word_wish(w, draws) for w in event.wishes]
    if not simple:
        _add_digressions(lead, details, [greeting, farewell, *wishes], kind, others, draws)
    sentences = [lead, *details]
    if greeting:
        sentences.insert(0, greeting)
    if farewell:
        sentences.append(farewell)
    _place_wishes(sentences, wishes, bool(greeting), draws)
    return " ".join(sentences), tuple(others.names), tuple(others.numbers)


def _join_adjunct(text: str, adjunct: str) -> str:
    return text + ("" if adjunct[0] == "," else " ") + adjunct


def _add_digressions(lead: str, details: list[str], rest: list[str], kind: Kind, others: _Others, draws: Draws) -> None:
    """Mix digressions into the details until the text has its length (60 to 105 words)."""
    words = sum(s.count(" ") + 1 for s in (lead, *details, *rest) if s)
    goal = draws.integer(60, 71)
    echo = draws.chance(0.7)
    used: set[int] = set()
    while words < goal:
        if echo:
            sentence = others.write(draws.pick(kind.echoes), near=1)
            echo = False
        else:
            pool = POSTS_ONLY if kind.post and draws.chance(0.15) else ANYWHERE
            at = draws.below(len(pool))
            if at in used:
                continue
            used.add(at)
            sentence = others.write(pool[at])
        words += sentence.count(" ") + 1
        details.insert(draws.below(len(details) + 1), sentence)


def _place_wishes(sentences: list[str], wishes: list[str], greeted: bool, draws: Draws) -> None:
    for wish in wishes:
        where = draws.random()
        if where < 0.3:
            sentences.insert(0, wish)
        elif where < 0.75:
            sentences.append(wish)
        else:  # woven in, as an aside
            at = 2 if greeted else 1
            sentences.insert(draws.integer(at, len(sentences) - 1), f"({wish[:-1]}.)")


__all__ = [
    "capitalise",
    "draw_day",
    "make_slots",
    "name_first_pronoun",
    "name_thing",
    "spell_amount",
    "write_head",
    "write_prompt",
]
