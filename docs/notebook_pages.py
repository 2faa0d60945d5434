"""Pages of the site from notebooks: cells as they are, outputs as they are committed; nothing is run.

Formulas become SVG by matplotlib's own TeX (mathtext), because a script that sets them would come from elsewhere.
One that mathtext does not know is shown as it is written.
"""

from __future__ import annotations

import base64
import functools
import io
import re
from collections.abc import Iterator
from typing import Any

# An image from elsewhere, a link behind it, and the sentence about the badge.
BADGE = re.compile(r"\[!\[[^\]]*\]\(https?:[^)]*\)\]\([^)]*\)(\s+\*[^*]*badge[^*]*\*)?")
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
FORMULA = re.compile(r"\$\$(?P<display>.+?)\$\$|(?<![\\$\w])\$(?P<inline>[^$\n]+(?:\n[^$\n]+)?)\$(?!\w)", re.DOTALL)
SIZE = 14  # points; Computer Modern is small beside text of 16 pixels


def page(stem: str, cells: list[Any]) -> str:
    """The Markdown of a notebook."""
    parts = []
    for number, cell in enumerate(cells):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(prose(source))
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
            parts += [_output(stem, number, k, output) for k, output in enumerate(cell["outputs"])]
    return "\n\n".join(parts)


def pictures(stem: str, cells: list[Any]) -> Iterator[tuple[str, bytes]]:
    """(file name, PNG) of each picture among the outputs."""
    for number, cell in enumerate(cells):
        for k, output in enumerate(cell.get("outputs", [])):
            if "image/png" in output.get("data", {}):
                yield f"{stem}-{number}-{k}.png", base64.b64decode("".join(output["data"]["image/png"]))


def prose(text: str) -> str:
    """A Markdown cell: no badge, folded text that is still Markdown, formulas as pictures."""
    text = BADGE.sub("", text).replace("<details>", "<details markdown>")
    parts = CODE.split(text)
    return "".join(part if k % 2 else FORMULA.sub(_set, part) for k, part in enumerate(parts))


def _output(stem: str, number: int, k: int, output: Any) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f"![]({stem}-{number}-{k}.png)"
    said = "".join(output.get("text", data.get("text/plain", "")))
    return f'```text title="output"\n{said.rstrip()}\n```'


def _set(found: re.Match[str]) -> str:
    display, inline = found["display"], found["inline"]
    drawn = formula(" ".join((display or inline).split()))
    if drawn is None:
        return f"`{(display or inline).strip()}`"
    return f'\n\n<p class="formula">{drawn}</p>\n\n' if display else drawn


@functools.cache
def formula(tex: str) -> str | None:
    """A formula as one line of SVG in the colour of the text; None where mathtext does not know it."""
    from matplotlib import font_manager, mathtext, rc_context

    known = re.sub(r"\\[Bb]igg?[lr]?(?![a-zA-Z])", "", tex).rstrip(".")  # sizes of brackets; a full stop at the end
    known = known.replace("\\dots", "\\ldots").replace("\\mid", "|")
    buffer = io.BytesIO()
    try:
        with rc_context({"mathtext.fontset": "cm", "svg.fonttype": "path", "savefig.facecolor": "none"}):
            font = font_manager.FontProperties(size=SIZE)
            depth = mathtext.math_to_image(f"${known}$", buffer, prop=font, dpi=72, format="svg")
    except ValueError:
        return None
    svg = buffer.getvalue().decode()
    svg = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL
    )
    style = f'fill="currentColor" role="img" style="vertical-align:-{depth:.1f}pt"'
    return " ".join(svg.replace("<svg ", f"<svg {style} ", 1).split())
