"""A very small text grammar: "[On {day}|Last {day}], {who} left." is four choices in one line.

`compile_template` turns such a line into nested tuples once; `expand` walks them with a stream of
draws and leaves `%(slot)s` in place, so that one `%` fills all slots. Brackets nest; an empty
alternative is allowed and its double space is tidied where the text is assembled.
"""

from __future__ import annotations

import re

from textgym.seeding import Draws

# A compiled template: literal strings, and tuples of alternatives that are templates again.
Template = tuple["str | tuple[Template, ...]", ...]

_PIECE = re.compile(r"[\[\]|]|[^\[\]|]+")


def compile_template(text: str) -> Template:
    """Parse one line of grammar; `{slot}` becomes `%(slot)s`."""
    pieces = _PIECE.findall(text.replace("%", "%%").replace("{", "%(").replace("}", ")s"))
    sequence, at = _parse(pieces, 0, nested=False)
    if at != len(pieces):
        raise ValueError(f"template has an unmatched bracket: {text!r}")
    return sequence[0]


def _parse(pieces: list[str], at: int, nested: bool) -> tuple[tuple[Template, ...], int]:
    alternatives: list[Template] = []
    current: list[str | tuple[Template, ...]] = []
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if piece == "[":
            options, at = _parse(pieces, at, nested=True)
            current.append(options)
        elif piece == "]":
            if not nested:
                raise ValueError(f"template has an unmatched ]: {pieces!r}")
            return (*alternatives, tuple(current)), at
        elif piece == "|" and nested:
            alternatives.append(tuple(current))
            current = []
        else:
            current.append(piece)
    if nested:
        raise ValueError(f"template has an unmatched [: {pieces!r}")
    return (tuple(current),), at


def compile_all(lines: str) -> tuple[Template, ...]:
    """One template a line; empty lines are skipped."""
    return tuple(compile_template(line.strip()) for line in lines.strip().splitlines() if line.strip())


def expand(template: Template, draws: Draws) -> str:
    """One wording of the template, slots still open."""
    out = ""
    for piece in template:
        if piece.__class__ is str:
            out += piece  # type: ignore[operator]
        else:
            out += expand(piece[int(draws.random() * len(piece))], draws)  # type: ignore[arg-type]
    return out


def count_wordings(template: Template) -> int:
    """How many texts the template can become."""
    total = 1
    for piece in template:
        if not isinstance(piece, str):
            total *= sum(count_wordings(option) for option in piece)
    return total
