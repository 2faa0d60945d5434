"""Judging in a notebook: the site's buttons in a cell, on the same store, by the same rules.

    from textgym.feedback.widget import judge
    judging = judge("pairs.jsonl", rater="anna")
    judging                                        # the last line of a cell shows it

Items, sides, leases, gold items and undo are assignment.py's, so people may judge in the browser, the terminal and
here at once. ipywidgets sees no single keys, so the keyboard is a field in which one types what terminal.py takes, and
Enter. Whatever raters and policies wrote is escaped and shown as text. A page that shows a notebook without its
kernel shows the item as text, too. Left out, because the site has them: comments, criteria, marked differences,
guidelines.
"""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from textgym import checks
from textgym.feedback.assignment import RefusedError, next_item, submit, undo
from textgym.feedback.commands import STORE
from textgym.feedback.formats import read_file
from textgym.feedback.items import SCALE, Verdict
from textgym.feedback.store import Store, add_items, add_judged, add_rater
from textgym.feedback.tables import RATERS
from textgym.feedback.terminal import ENDS, HELP, LABELS, parse, show, teach
from textgym.types import Message

SQLITE = b"SQLite format 3\0"  # how a store's file begins
STRENGTHS = (("slightly", 1), ("clearly", 2), ("much", 3))
BUTTONS = {  # kind -> (what is typed, what stands on the button)
    "pair": (("a", "A is better"), ("t", "tie"), ("b", "B is better")),
    "rating": tuple((str(n), str(n)) for n in range(SCALE[0], SCALE[1] + 1)),
    "ranking": (),
}
TEXT = "white-space: pre-wrap; line-height: 1.45; padding: 0.5em 0.8em; border: 1px solid #888; border-radius: 4px"


def judge(
    where: Store | str | Path,
    rater: str = "me",
    *,
    store: str | Path = STORE,
    limit: int | None = None,
    simulated: bool = False,
) -> Judging:
    """Shows items in a notebook cell, and keeps the verdicts of whoever clicks.

    Args:
        where: a store, its file or URL, or a file of items (JSON lines or CSV), which are added to `store` first.
        rater: in whose name; added where there is none.
        store: where judgements of a file of items go; made where there is none.
        limit: most judgements.
        simulated: whether a program clicks. Its judgements are labelled so, and so is what the cell shows.

    Returns:
        What the cell shows when it is the last line of one.

    Raises:
        ImportError: ipywidgets is missing.
        ValueError: nothing at `where`, a file that does not fit, or a rater who is a person for `simulated`, or a
            program without it.
    """
    checks.text("rater", rater)
    if limit is not None:
        checks.whole("limit", limit, 1)
    widgets = _import_widgets()
    kept = where if isinstance(where, Store) else _open(where, store)
    with kept.writing() as connection:
        rater_id = add_rater(connection, rater, simulated=checks.truth("simulated", simulated))
        is_program = connection.execute(sa.select(RATERS.c.simulated).where(RATERS.c.id == rater_id)).scalar_one()
    if bool(is_program) != simulated:
        known = "a simulated rater" if is_program else "a person"
        raise ValueError(f"simulated must say what {rater!r} is in this store, {known}, got {simulated}")
    return Judging(widgets, kept, rater_id, rater, limit, simulated)


class Judging:
    """One rater's cell: `buttons` by what they stand for ("a", "t", "b", "1" … "5", "s", "u"), and `enter`.

    Attributes:
        store: where the judgements go.
        assignment: what is on the screen.
        count: judgements made here, those that were taken back not counted.
        box: the widget.
    """

    def __init__(
        self, widgets: Any, store: Store, rater_id: int, rater: str, limit: int | None, simulated: bool
    ) -> None:
        self.store, self.limit, self.count = store, limit, 0
        self._rater_id, self._widgets = rater_id, widgets
        self._who = html.escape(f"{rater}, a simulated rater" if simulated else rater)
        self._bar, self._count = widgets.IntProgress(layout={"width": "12em"}), widgets.HTML()
        self._prompt, self._responses, self._told = widgets.HTML(), widgets.HBox(), widgets.HTML()
        self.strength = widgets.ToggleButtons(options=STRENGTHS, value=2, style={"button_width": "7em"})
        self.field = widgets.Text(continuous_update=False, layout={"width": "8em"})
        self._hint, self._choices = widgets.HTML(), widgets.HBox()
        self.buttons: dict[str, Any] = {}
        self._rest = {"u": self._button("u", "undo"), "s": self._button("s", "skip")}
        self.field.observe(self._typed, "value")
        self._actions = widgets.VBox([self._choices, widgets.HBox([self.field, self._hint])])
        top = widgets.HBox([self._bar, self._count])
        bottom = widgets.HBox(list(self._rest.values()))
        self.box = widgets.VBox([top, self._prompt, self._responses, self._told, self._actions, bottom])
        self.assignment = next_item(store, rater_id)
        self._show()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to judge here: no item, or `limit` is reached."""
        return self.assignment.item is None or (self.limit is not None and self.count >= self.limit)

    def enter(self, typed: str) -> None:
        """Does what typing `typed` and Enter does; what cannot be done is told in the cell.

        One letter for a pair has the strength that is pressed; `aa` says its own.
        """
        typed = typed.strip().lower()
        try:
            if typed == "u":
                self.assignment = undo(self.store, self._rater_id)
                self.count = max(0, self.count - 1)  # the one taken back may be of another day
                self._show()
            elif not self.is_over:
                self._submit(typed)
        except RefusedError as error:
            self.assignment = next_item(self.store, self._rater_id)
            self._show(str(error))
        except ValueError as error:
            self._told.value = html.escape(str(error).partition(" · u:")[0])

    def _submit(self, typed: str) -> None:
        item, item_id = self.assignment.item, self.assignment.item_id
        assert item is not None
        assert item_id is not None
        verdict = parse(typed, item)
        if typed in ("a", "b"):
            verdict = Verdict(typed, self.strength.value)
        seconds = time.monotonic() - self._since
        lesson, self.assignment = submit(self.store, self._rater_id, item_id, verdict, seconds)
        self.count += 1
        self._show("" if lesson is None else teach(lesson))

    def _typed(self, change: Any) -> None:
        """Whatever stands in the field when Enter is pressed, or the field is left."""
        if typed := change["new"]:
            self.field.value = ""
            self.enter(typed)

    def _show(self, told: str = "") -> None:
        """Puts the assignment on the screen, and `told` below it."""
        assignment, progress = self.assignment, self.assignment.progress
        self._since = time.monotonic()
        self._bar.max, self._bar.value = max(1, progress.judged + progress.left), progress.judged
        quiz = f"quiz: {progress.quiz_left} to go" if assignment.state == "quiz" else ""
        self._count.value = f"&nbsp;{self._who}: {quiz or f'{progress.judged} judged, {progress.left} to go'}"
        self._told.value = html.escape(told)
        self._rest["u"].disabled = not assignment.can_undo
        self._rest["s"].disabled = self.is_over
        self._actions.layout.display = "none" if self.is_over else None
        self.buttons = dict(self._rest)
        if self.is_over:
            self._prompt.value, self._responses.children = html.escape(_ending(self)), ()
            return
        item = assignment.item
        assert item is not None
        self._prompt.value = _as_text(item.prompt, "")
        self._responses.children = tuple(self._card(place, i) for place, i in enumerate(assignment.shown))
        choices = {typed: self._button(typed, label) for typed, label in BUTTONS[item.kind]}
        self.buttons |= choices
        strength = [self.strength] if item.kind == "pair" else []
        self._choices.children = (*choices.values(), *strength)
        self._hint.value = f"<small>or type, then Enter: {html.escape(HELP[item.kind])} · s: skip · u: undo</small>"

    def _card(self, place: int, i: int) -> Any:
        item = self.assignment.item
        assert item is not None
        messages = item.responses[i]
        head = f"<b>{LABELS[place]}</b>" if len(item.responses) > 1 else ""
        text = _as_text(messages, "" if len(messages) > 1 else messages[0].role)
        return self._widgets.HTML(head + text, layout={"flex": "1 1 0", "margin": "0 4px"})

    def _button(self, typed: str, label: str) -> Any:
        made = self._widgets.Button(description=label, layout={"width": "auto"}, tooltip=f"like typing {typed}")
        made.on_click(lambda _: self.enter(typed))
        return made

    def __repr__(self) -> str:
        if self.is_over:
            return _ending(self)
        return show(self.assignment)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The widget; where there is no kernel behind a page, the item as text."""
        bundle: dict[str, Any] = self.box._repr_mimebundle_()
        return bundle | {"text/plain": repr(self)}


def _open(where: str | Path, store: str | Path) -> Store:
    """The store that `where` names, or `store` with the items of the file that it names."""
    if "://" in str(where):
        return Store(where)
    path = Path(where).expanduser()
    if not path.is_file():
        raise ValueError(f"where must be a store or a file of items that is there, got {str(where)!r}")
    with path.open("rb") as file:
        if file.read(len(SQLITE)) == SQLITE:
            return Store(path)
    found = read_file(path)
    kept = Store(store)
    with kept.writing() as connection:
        add_items(connection, found.items)
        add_judged(connection, found.judged)
    return kept


def _ending(judging: Judging) -> str:
    """Why nothing is shown."""
    if judging.assignment.item is not None:
        return f"These were the {judging.limit} judgements that were asked for."
    reason = judging.assignment.reason
    return f"{ENDS[judging.assignment.state]}{f': {reason}' if reason else ''}"


def _as_text(messages: Sequence[Message], plain_role: str) -> str:
    """HTML that shows messages as they were written, each under its role but those of `plain_role`."""
    parts = []
    for message in messages:
        role = "" if message.role == plain_role else f"<small><b>{html.escape(message.role)}</b></small>"
        parts.append(f'{role}<div dir="auto" style="{TEXT}">{html.escape(message.content)}</div>')
    return "".join(parts)


def _import_widgets() -> Any:
    try:
        import ipywidgets
    except ImportError as error:
        raise ImportError("judging in a notebook needs ipywidgets: pip install 'textgym[notebooks]'") from error
    return ipywidgets
