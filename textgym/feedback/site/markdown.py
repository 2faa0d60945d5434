"""A small part of Markdown, for guideline pages.

Headings, paragraphs, lists, quotes, rules, **bold**, *italic*, `code`. Everything is escaped first and nothing of
HTML passes; links are left out because raters should stay here. The `###` headings of the section
`## Criteria` are the criteria that raters can score one by one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*(\S(?:[^*]*\S)?)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w*])\*(\S(?:[^*]*\S)?)\*(?![\w*])"), r"<em>\1</em>"),
)
BLOCKS = (
    ("ul", re.compile(r"[-*] +(.*)")),
    ("ol", re.compile(r"\d+[.)] +(.*)")),
    ("blockquote", re.compile(r"> ?(.*)")),
)
HEADING = re.compile(r"(#{1,4}) +(.+?) *#*")
RULE = re.compile(r"(-{3,}|\*{3,})")


def to_html(text: str) -> str:
    """The page as HTML that is safe to show."""
    return "\n".join(_blocks(text.replace("\r\n", "\n").split("\n")))


def criteria_of(text: str) -> list[str]:
    """Names of the criteria of a guideline page, in order."""
    names: list[str] = []
    section = ""
    for line in text.splitlines():
        heading = HEADING.fullmatch(line.strip())
        if heading and len(heading[1]) <= 2:
            section = heading[2].lower()
        elif heading and len(heading[1]) == 3 and section == "criteria" and heading[2] not in names:
            names.append(heading[2])
    return names


def _blocks(lines: list[str]) -> Iterable[str]:
    """Tags and texts; a block ends where a line of another kind or an empty one begins."""
    kind, held = "", list[str]()
    for line in [*(line.strip() for line in lines), ""]:
        new, content = _kind(line)
        if new != kind or new in ("heading", "rule"):
            yield from _block(kind, held)
            held = []
        kind = new
        held.append(content)


def _kind(line: str) -> tuple[str, str]:
    if not line:
        return "", ""
    if RULE.fullmatch(line):
        return "rule", ""
    if HEADING.fullmatch(line):
        return "heading", line
    for name, pattern in BLOCKS:
        found = pattern.fullmatch(line)
        if found:
            return name, found[1]
    return "p", line


def _block(kind: str, held: list[str]) -> Iterable[str]:
    if kind == "rule":
        yield "<hr>"
    elif kind == "heading":
        found = HEADING.fullmatch(held[0])
        assert found is not None
        yield f"<h{len(found[1])}>{_inline(found[2])}</h{len(found[1])}>"
    elif kind in ("ul", "ol"):
        yield f"<{kind}>{''.join(f'<li>{_inline(line)}</li>' for line in held)}</{kind}>"
    elif kind in ("p", "blockquote"):
        yield f"<{kind}>{'<br>'.join(map(_inline, held)) if kind == 'blockquote' else _inline(' '.join(held))}</{kind}>"


def _inline(text: str) -> str:
    shown = html.escape(text)
    for pattern, tags in INLINE:
        shown = pattern.sub(tags, shown)
    return shown
