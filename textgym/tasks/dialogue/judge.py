"""The gold judge: what a whole conversation was worth, by replaying it against the user's goal and the facts.

Components, each in [0, 1], always the same:
- goal: what the user wanted is booked and was said back right (or, where it cannot be had and the user
  leaves, was declined with an alternative); what exists counts a little before that
- honesty: no statement against the facts or against what the user said; each one costs 44%
- answered: the user's question got the right answer
- economy: no more turns than needed, nothing asked or confirmed twice, no rambling
- manners: the user did not leave fed up, a reply was given each turn, and none was rude
- fluency: sentences, not keywords; nothing shuffled, repeated or copied

score = fluency x honesty x goal x (0.3 + 0.25 answered + 0.35 economy + 0.1 manners), half of it where
the assistant was rude
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from textgym.tasks.dialogue.clerk import plan
from textgym.tasks.dialogue.cues import is_rude
from textgym.tasks.dialogue.meaning import Meaning
from textgym.tasks.dialogue.shape import LONG, rate_fluency
from textgym.tasks.dialogue.talk import Talk, begin, replay, step
from textgym.types import Judgement, Transcript

COMPONENTS = ("goal", "honesty", "answered", "economy", "manners", "fluency")
WORD = re.compile(r"[^\W_]+(?:['’:.-][^\W_]+)*")


def judge_talk(transcript: Transcript) -> Judgement:
    """The verdict on the conversation so far."""
    talk = replay(transcript)
    responses = transcript.responses
    prompt = [m.content for m in transcript.messages if m.role != "assistant"]
    fluency = rate_fluency(responses, prompt)
    goal = rate_goal(talk)
    honesty = 0.56 ** (talk.lies + 0.7 * count_strangers(talk, responses, prompt))
    answered = rate_answered(talk)
    economy = rate_economy(talk, responses)
    manners = 0.0 if talk.over == "fedup" or not talk.turns else 1.0 if all(r.strip() for r in responses) else 0.5
    is_insulting = any(is_rude(r) for r in responses)
    if is_insulting:
        manners = 0.0
    score = fluency * honesty * goal * (0.3 + 0.25 * answered + 0.35 * economy + 0.1 * manners)
    if is_insulting:
        score *= 0.5
    values = (goal, honesty, answered, economy, manners, fluency)
    return Judgement(min(1.0, max(0.0, score)), dict(zip(COMPONENTS, values, strict=True)))


def rate_goal(talk: Talk) -> float:
    """1 for a right booking; before that, a part for what has been found out and said back."""
    if talk.turns == 0:
        return 0.0
    if talk.refused == "granted":
        return 0.35
    if talk.over == "served":
        return 1.0
    if talk.over == "left":
        return 1.0 if talk.refused == "offered" else 0.6
    wanted = max(1, len(talk.wants))
    right = sum(talk.stated.get(slot) == value for slot, value in talk.wants.items()) / wanted
    told = sum(slot in talk.told for slot in talk.wants) / wanted
    if talk.booked and right == 1.0:
        return 0.8  # all is booked; something else is still open
    if talk.booked and not talk.missing and not talk.obstacle and not talk.refused:
        return 0.45 + 0.3 * right  # booked, and not all of it said back
    progress = 0.12 + 0.13 * told + 0.15 * right + 0.1 * (talk.refused == "offered")
    if talk.turns and not talk.last.understood:
        progress *= 0.7
    return progress * (0.6 if talk.over == "fedup" else 1.0)


def rate_answered(talk: Talk) -> float:
    m = talk.meaning
    if m.question is None or (talk.question_right is None and talk.pending is None):
        return 1.0
    return 1.0 if talk.question_right else 0.0


def rate_economy(talk: Talk, responses: Sequence[str]) -> float:
    """Turns beyond what was needed, repeated asks, talk that helps nobody."""
    extra = max(0, max(talk.turns, len(responses)) - count_needed(talk.meaning))
    words = [len(WORD.findall(r[:3000])) + len(r[3000:]) // 5 for r in responses]
    ramble = sum(max(0, n - LONG) / LONG for n in words)
    return max(
        0.0,
        1.0
        - 0.25 * max(0, extra - 1)
        - 0.1 * min(1, extra)
        - 0.3 * (talk.slips + talk.premature)
        - min(0.6, 1.2 * ramble),
    )


def count_strangers(talk: Talk, responses: Sequence[str], prompt: Sequence[str]) -> int:
    """Names of nobody: capitalised words inside a sentence that neither the prompt nor the world knows."""
    strangers = [w for w in talk.last.strangers] if talk.last.strangers else []
    if not strangers:
        return 0
    known = " ".join(prompt).lower()
    return min(2, sum(w.lower() not in known for w in strangers))


@lru_cache(maxsize=4096)
def count_needed(m: Meaning) -> int:
    """The number of turns that the best assistant needs with this user."""
    talk = begin(m)
    while not talk.over and talk.turns < 8:
        step(talk, plan(talk).understanding(m))
    return talk.turns
