"""What commands print: tables, wrapped text, one line of JSON."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

WIDTH = 96


def print_json(value: Any) -> None:
    """One line that a script can read."""
    print(json.dumps(value, ensure_ascii=False))


def wrapped(label: str, text: str) -> str:
    """A labelled text, wrapped line by line."""
    return "\n".join(textwrap.fill(line, WIDTH) for line in f"{label}{text}".splitlines())


def print_table(rows: Sequence[Sequence[str]], has_heading: bool = False) -> None:
    """Rows of equal length: framed by rich on a terminal that has it, else plain, for pipes and files."""
    if sys.stdout.isatty():
        try:
            _print_framed(rows, has_heading)
            return
        except ImportError:
            pass
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_framed(rows: Sequence[Sequence[str]], has_heading: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=has_heading)
    for k in range(len(rows[0])):
        table.add_column(rows[0][k] if has_heading else "", overflow="fold")
    for row in rows[has_heading:]:
        table.add_row(*map(Text, row))  # as text: a cell may hold brackets
    Console().print(table)
