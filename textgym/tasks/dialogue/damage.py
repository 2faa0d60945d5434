"""Known damage, for laws about the judge: the reference play with one turn, or every turn, spoilt.

A damaged play is really played: the spoilt text is said, the user reacts, and the answering
program goes on from there. `damages` returns the assistant's texts of each such play;
`rebuild` makes a transcript of them (the judge needs no user turns, it replays them).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from textgym.seeding import Draws
from textgym.tasks.dialogue.play import play
from textgym.tasks.dialogue.task import DialogueTask
from textgym.tasks.dialogue.words import DAYS, NAMES, ROOMS, SMALL, TOWNS
from textgym.types import Example, Message, Transcript

Damage = Callable[[str, Example, Draws], str | None]  # None: there is nothing of that kind to spoil

# How much lower than the reference play a damaged one must score, on at least 99% of examples.
MARGINS: dict[str, float] = {
    "empty": 0.3,
    "copied prompt": 0.3,
    "shuffled": 0.2,
    "changed name": 0.3,
    "changed number": 0.3,
    "changed negation": 0.3,
    "threefold": 0.3,
    "keywords": 0.1,
    "other reference": 0.2,
}

NUMBER = re.compile(r"\b(\d{1,2}):(\d{2})\b|\b(\d+)\b|\b(" + "|".join(SMALL[2:13]) + r")\b")
NEGATIONS = (
    (" is booked", " is not booked"),
    (" are booked", " are not booked"),
    (" is reserved", " is not reserved"),
    (" are reserved", " are not reserved"),
    ("I have booked", "I have not booked"),
    ("I have reserved", "I have not reserved"),
    ("booking is confirmed", "booking is not confirmed"),
    ("All set: ", "Not possible: "),
    (" is not ", " is "),
    (" are not ", " are "),
    (" has not ", " has "),
    (" may not ", " may "),
    ("cannot", "can"),
    (" no ", " a "),
    (" nothing is ", " something is "),
    (" nothing ", " something "),
    (" is taken", " is not taken"),
    (" is full", " is not full"),
    ("we are full", "we are not full"),
    (" forbidden", " allowed"),
    (" against the rules", " within the rules"),
)


def empty(text: str, example: Example, draws: Draws) -> str | None:
    return ""


def copied_prompt(text: str, example: Example, draws: Draws) -> str | None:
    return " ".join(m.content for m in example.prompt)


def shuffled(text: str, example: Example, draws: Draws) -> str | None:
    words = text.split()
    if len(words) < 5:
        return None
    mixed = draws.shuffled(words)
    while mixed == words:
        mixed = draws.shuffled(words)
    return " ".join(mixed)


def changed_name(text: str, example: Example, draws: Draws) -> str | None:
    """Another family name, day or town in the place of the last one."""
    for pool in (NAMES, DAYS, TOWNS):
        hits = [w for w in re.findall(r"[^\W\d_]+", text) if w in pool]
        if hits:
            known = " ".join(m.content for m in example.prompt)
            others = [w for w in pool if w != hits[-1] and w not in known]
            at = text.rindex(hits[-1])
            return text[:at] + draws.pick(others) + text[at + len(hits[-1]) :]
    return None


def changed_number(text: str, example: Example, draws: Draws) -> str | None:
    """Another number in the place of the last one: an hour, a count or a price."""
    hits = list(NUMBER.finditer(text))
    if not hits:
        return None
    hit = hits[-1]
    known = " ".join(m.content for m in example.prompt)
    hour, minute, digits, word = hit.groups()
    if hour:
        new = next(
            t
            for h in draws.shuffled(range(1, 13))
            for t in [f"{h}:{minute}"]
            if t not in known and (h - int(hour)) % 12 and f"{h + 12}:{minute}" not in known
        )
    elif digits:
        new = str(int(digits) + draws.integer(1, 9))
    else:
        n = SMALL.index(word)
        new = SMALL[n + draws.integer(1, 3)]
    return text[: hit.start()] + new + text[hit.end() :]


def changed_negation(text: str, example: Example, draws: Draws) -> str | None:
    for old, new in NEGATIONS:
        if old in text:
            return text.replace(old, new, 1)
    return None


def threefold(text: str, example: Example, draws: Draws) -> str | None:
    return " ".join([text] * 3)


def keywords(text: str, example: Example, draws: Draws) -> str | None:
    """Only the words that carry the facts."""
    names = set(NAMES) | set(DAYS) | set(TOWNS) | set(ROOMS)
    hits = [
        w for w in re.findall(r"\d{1,2}:\d{2}|\w+", text) if w in names or w[0].isdigit() or w in SMALL or w == "booked"
    ]
    return ", ".join(hits) if len(hits) >= 2 else None


TEXT_DAMAGES: dict[str, Damage] = {
    "empty": empty,
    "copied prompt": copied_prompt,
    "shuffled": shuffled,
    "changed name": changed_name,
    "changed number": changed_number,
    "changed negation": changed_negation,
    "threefold": threefold,
    "keywords": keywords,
}


def damages(task: DialogueTask, index: int, rng: np.random.Generator) -> dict[str, tuple[str, ...]]:
    """The assistant's texts of each damaged play of example `index`.

    "NAME, one turn": the last turn of the reference play that can be spoilt so, the rest is played on;
    "NAME, all turns". "other reference" takes the texts from the play of another example.
    """
    example = task[index]
    reference = play(task, example, task.answer, rng).responses
    other_index = (index + 1 + int(rng.integers(len(task) - 1))) % len(task)
    while task[other_index].meta.kind == example.meta.kind:
        other_index = (other_index + 1) % len(task)
    other = play(task, task[other_index], task.answer, rng).responses
    known = dict(TEXT_DAMAGES)
    known["other reference"] = lambda text, example, draws: other[-1]
    out: dict[str, tuple[str, ...]] = {}
    for name, damage in known.items():
        for where in ("one turn", "all turns"):
            texts = play_damaged(task, example, reference, damage, where == "one turn", rng)
            if texts is not None:
                out[f"{name}, {where}"] = texts
    return out


def play_damaged(
    task: DialogueTask,
    example: Example,
    reference: tuple[str, ...],
    damage: Damage,
    only_one: bool,
    rng: np.random.Generator,
) -> tuple[str, ...] | None:
    """The responses of the play with the damage, or None where it finds nothing to spoil."""
    draws = Draws.of(rng)
    spoilt = [damage(text, example, draws) for text in reference]
    at = max((i for i, text in enumerate(spoilt) if text is not None), default=None)
    if at is None:
        return None
    touched = False

    def answer(said: Transcript, rng: np.random.Generator) -> str:
        nonlocal touched
        turn = len(said.responses)
        if only_one and turn < at:
            return reference[turn]
        if only_one and turn > at:
            return task.answer(said, rng)
        if only_one:
            touched = True
            return spoilt[turn] or ""
        text = reference[turn] if turn < len(reference) and not touched else task.answer(said, rng)
        new = damage(text, example, draws)
        touched = touched or new is not None
        return text if new is None else new

    responses = play(task, example, answer, rng).responses
    return responses if touched else None


def rebuild(example: Example, responses: tuple[str, ...]) -> Transcript:
    """A transcript of these responses, with no user turns between them."""
    messages = (*example.prompt, *(Message("assistant", text) for text in responses))
    return Transcript(messages, example.references, example.meta, "task", len(example.prompt))
