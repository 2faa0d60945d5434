"""Facts that a summary makes up: clauses that tell nothing known in words the prompt does not have.

Names, numbers and days of the wrong value are found in `reading`; this finds the rest, "and the mayor
cut the ribbon". A clause that might put an untold reason or result in words the lexicon lacks counts
little. Sentences that tell nothing at all are left to brevity.
"""

from __future__ import annotations

from textgym.tasks.summarize.event import Event
from textgym.tasks.summarize.fluency import ED, OPEN, PAST
from textgym.tasks.summarize.lexicon import CLAUSE_BREAKS, STEM, THING, lexicon_of
from textgym.tasks.summarize.reading import Reading

INVENTED = 0.8  # fault of a clause made up beside a reason and a result that are told
PERHAPS = 0.15  # of one that may be the reason or result in other words

STRIKING = 0.6  # of a word that never stands for something else: "ended in fire"
# What people make up: each is news wherever it stands, unless the prompt or the kind's own words have it.
_STRIKING_WORDS = """fire fires blaze explosion exploded burned burnt arrest arrested police ambulance hospital
    hospitalised hospitalized killed died death dead murder injured wounded protest protested protesters riot
    prison jail jailed fined fine sued lawsuit mayor minister president celebrity actor singer television
    film documentary record medal trophy fireworks champagne cake divorce divorced married wedding pregnant baby
    twins bankrupt bankruptcy fraud scandal bribe bribery corruption theft stolen thief robbery vandals vandalised
    flood flooded storm earthquake lightning collapsed collapse helicopter drunk alcohol drugs poisoned hero heroic
    award awarded honoured sponsor sponsored lottery million millions inheritance heir ghost bomb
   weapon knife suicide cancer virus epidemic drowned evacuated resigned fired sacked promoted broken
    brass band orchestra choir parade speech ribbon applause ovation proposal engaged"""
_STRIKING = frozenset(_STRIKING_WORDS.split())
# "as" may stand inside a clause: "elected her as its president"
_BREAKS = (CLAUSE_BREAKS - {"as"}) | frozenset(
    (",", ";", ":", ".", "!", "?", "(", ")", "–", "—", "with", "having", "despite")
)
# Words that carry a sentence but no fact.
_EMPTY = frozenset(
    word
    for line in """
    local resident owner person people someone everyone anyone something nothing everything thing things place
    also still just only very much many more most even already again later soon now then there here today
    said says told added explained reported according reason cause result outcome happened took place taken
    makes making gave give gives given came come comes coming went goes going gone have been being having gets
    means meant leaving left leaves leads leading causing caused following follows followed instead therefore
    altogether total about around over under almost nearly roughly euros euro worth cost costs money amount
    called known named both other others another whole full small large good back down away made
    """.splitlines()
    for word in line.split()
)


def measure_inventions(
    reading: Reading,
    event: Event,
    told_at: set[int],
    lows: list[str],
    classes: list[int],
    sentences: list[tuple[int, int]],
    prompt: str,
) -> float:
    """Faults for clauses that tell nothing known, mostly in new words. Linear in the tokens."""
    told = told_at.union(at for fact, at in reading.places.items() if fact not in ("who", "town"))
    wanted = {"reason", "result"}
    for wish in event.wishes:
        if wish.sort == "about":  # neither is asked for, so neither hides in other words
            wanted &= {str(wish.value)}
    weight = INVENTED if all(reading.told[fact] for fact in wanted) else PERHAPS
    lexicon = lexicon_of(event.kind)
    own = lexicon.own_stems[event.reason] | lexicon.own_stems[event.result]
    thing_at = reading.places.get("thing", -1)
    faults = 0.0
    striking = 0
    text = ""
    for start, end in sentences:
        if not any(start <= at < end for at in told):
            continue
        new = old = 0
        tells = False
        for at in range(start, end + 1):
            low = lows[at] if at < end else "."
            if low in _BREAKS:
                if not tells and new >= 2 and new > old:
                    faults += weight
                new = old = 0
                tells = False
            elif at in told:
                if at != thing_at and all(role == THING for role, _, _ in lexicon.hits(low)) and lexicon.hits(low):
                    old += 1  # the thing again is no news
                else:
                    tells = True
            elif classes[at] in (OPEN, ED, PAST) and len(low) > 3 and low not in _EMPTY:
                stem = low.removesuffix("'s")[:STEM]
                text = text or prompt.lower()
                if stem in own or stem in text:
                    old += 1
                else:
                    new += 1
                    striking += low in _STRIKING and not lexicon.hits(low)
    return min(1.0, max(faults, STRIKING if striking else 0.0))
