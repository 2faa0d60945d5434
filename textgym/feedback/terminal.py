"""Judging without a browser: in a terminal, over ssh. The same store, the same rules.

    textgym feedback judge --rater anna --data pairs.jsonl

Here one types a letter and Enter, because single keys cannot be read the same way everywhere. A notebook has buttons:
widget.py.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Sequence

from textgym.feedback.assignment import Assignment, Lesson, RefusedError, next_item, submit, undo
from textgym.feedback.items import SCALE, Item, Verdict
from textgym.feedback.store import Store, add_rater
from textgym.types import Message

LABELS = "ABCDEFGHI"
HELP = {
    "pair": "a, aa, aaa: A is slightly, clearly, much better (b for B) · t: tie",
    "rating": f"{SCALE[0]} (very poor) to {SCALE[1]} (very good)",
    "ranking": "the letters, best first, such as bac",
}
ENDS = {
    "done": "Nothing is left for you to judge. Thank you!",
    "wait": "Others are working on what is left. Come back later.",
    "paused": "Your work is paused",
}


def judge(
    store: Store,
    rater: str,
    *,
    limit: int | None = None,
    ask: Callable[[str], str] = input,
    tell: Callable[[str], None] = print,
) -> int:
    """Shows items and asks for verdicts until nothing is left, `limit` is reached or the rater types q.

    Args:
        store: where items come from and judgements go.
        rater: in whose name; added where there is none.
        limit: most judgements.
        ask: shows a question, returns what was typed.
        tell: shows a text.

    Returns:
        How many judgements were made, those that were taken back not counted.
    """
    with store.writing() as connection:
        rater_id = add_rater(connection, rater)
    count, assignment = 0, next_item(store, rater_id)
    while assignment.item is not None and (limit is None or count < limit):
        tell(show(assignment))
        begun = time.monotonic()
        try:
            typed = ask("> ").strip().lower()
        except EOFError:  # Ctrl-D, or the end of a file that was piped in
            typed = "q"
        if typed == "q":
            return count
        try:
            if typed == "u":
                assignment = undo(store, rater_id)
                count -= 1
                continue
            assert assignment.item is not None
            assert assignment.item_id is not None
            verdict = parse(typed, assignment.item)
            lesson, assignment = submit(store, rater_id, assignment.item_id, verdict, time.monotonic() - begun)
            count += 1
            tell("" if lesson is None else teach(lesson))
        except RefusedError as error:
            tell(str(error))
            assignment = next_item(store, rater_id)
        except ValueError as error:
            tell(f"{error}")
    if assignment.item is None:
        tell(f"{ENDS[assignment.state]}{f': {assignment.reason}' if assignment.reason else ''}")
    return count


def parse(typed: str, item: Item) -> Verdict:
    """A verdict, in the order in which the responses were shown.

    Raises:
        ValueError: what is no answer to this kind of item.
    """
    letters = LABELS[: len(item.responses)].lower()
    if typed == "s":
        return Verdict("skip")
    if item.kind == "pair" and typed == "t":
        return Verdict("tie")
    if item.kind == "pair" and 1 <= len(typed) <= 3 and set(typed) in ({"a"}, {"b"}):
        return Verdict(typed[0], len(typed))
    if item.kind == "rating" and typed.isdecimal() and SCALE[0] <= int(typed) <= SCALE[1]:
        return Verdict(rating=int(typed))
    if item.kind == "ranking" and sorted(typed) == sorted(letters):
        return Verdict(ranks=tuple(typed.index(letter) + 1 for letter in letters))
    raise ValueError(f"Type {HELP[item.kind]} · s: skip · u: undo · q: quit")


def show(assignment: Assignment) -> str:
    """An item as text."""
    item, progress = assignment.item, assignment.progress
    assert item is not None
    lines = [f"── {progress.judged} judged, {progress.left} to go"]
    if assignment.state == "quiz":
        lines.append(f"Quiz: {progress.quiz_left} items whose answer is known come first.")
    lines += _wrapped(item.prompt, "")
    for label, i in zip(LABELS, assignment.shown, strict=False):
        response = item.responses[i]
        lines += ["", f"── {label}" if len(item.responses) > 1 else "── answer"]
        lines += _wrapped(response, "" if len(response) > 1 else response[0].role)
    return "\n".join([*lines, "", f"{HELP[item.kind]} · s: skip · u: undo · q: quit"])


def teach(lesson: Lesson) -> str:
    """What to say after a gold or quiz item."""
    answer = lesson.answer
    right = answer.choice.upper() if answer.choice else f"{answer.rating:g}" if answer.rating is not None else None
    right = right or LABELS[answer.ranks.index(1)]
    verdict = "Right!" if lesson.is_right else f"Not quite. This was a test item, the expected answer is {right}."
    return f"{verdict} {lesson.explanation}".strip()


def _wrapped(messages: Sequence[Message], plain_role: str) -> list[str]:
    """Lines of at most 96 characters; control characters, which could repaint a terminal, are shown as marks."""
    lines: list[str] = []
    for message in messages:
        text = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in message.content)
        named = text if message.role == plain_role else f"{message.role}: {text}"
        lines += [part for line in named.split("\n") for part in textwrap.wrap(line, 96) or [""]]
    return lines
