"""The raters' pages: sign in by a personal link, read the guidelines, judge.

What a browser is told of an item is what a rater may know: texts in the order in which they are shown, and
a number. Neither the item's key nor the names of those who wrote the responses leave the server.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from textgym.feedback.assignment import Assignment, Lesson, RefusedError, next_item, submit, undo
from textgym.feedback.items import Verdict
from textgym.feedback.site.common import (
    LARGEST,
    MONTH,
    RATER,
    Task,
    csrf_of,
    guide_of,
    page,
    rater_of,
    require_csrf,
    set_cookie,
    site_of,
)
from textgym.feedback.site.markdown import criteria_of, to_html
from textgym.feedback.store import rater_of_token
from textgym.feedback.tables import ITEMS

router = APIRouter()
SIDES = {"left": "a", "right": "b"}
Token = Annotated[str | None, Header(alias="x-csrf-token")]
Score = Annotated[int, Field(ge=1, le=5)]


class Answer(BaseModel):
    """A verdict as a browser sends it: responses are named in the order in which they were shown."""

    model_config = ConfigDict(extra="forbid")
    item: Annotated[int, Field(ge=1, le=LARGEST)]
    choice: Literal["left", "right", "tie", "skip", ""] = ""
    strength: Annotated[int, Field(ge=1, le=3)] | None = None
    rating: Score | None = None
    ranks: Annotated[list[int], Field(max_length=9)] = []
    criteria: Annotated[dict[str, Annotated[list[Score | None], Field(max_length=9)]], Field(max_length=20)] = {}
    comment: Annotated[str, Field(max_length=4000)] = ""
    seconds: Annotated[float, Field(ge=0, le=1e6)] | None = None

    def to_verdict(self) -> Verdict:
        criteria = {name: tuple(values) for name, values in self.criteria.items() if any(values)}
        choice = SIDES.get(self.choice, self.choice)
        return Verdict(
            choice=choice,
            strength=self.strength,
            rating=self.rating,
            ranks=tuple(self.ranks),
            criteria=criteria,
            comment=self.comment.replace("\0", "").strip(),
        )


@router.get("/")
def start(request: Request) -> Any:
    return page(request, "start.html")


@router.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/r/{token}")
def sign_in(request: Request, token: str) -> Any:
    """The personal link. The token moves into a cookie, so that it does not stay in the address bar."""
    with site_of(request).store.reading() as connection:
        if rater_of_token(connection, token) is None:
            raise HTTPException(404, "This link opens nothing. Check that it is whole, or ask for a new one.")
    response = RedirectResponse("/judge", status_code=303)
    set_cookie(request, response, RATER, token, MONTH)
    return response


@router.get("/judge")
def judge(request: Request) -> Any:
    rater = rater_of(request)
    return page(request, "judge.html", rater=rater.name, csrf=csrf_of(request, request.cookies[RATER]))


@router.get("/guide/{task}")
def guide(request: Request, task: Task) -> Any:
    rater_of(request)
    with site_of(request).store.reading() as connection:
        text = guide_of(connection, task)
    return page(request, "guide.html", guide=to_html(text))


@router.post("/api/next")
def api_next(request: Request, token: Token = None) -> dict[str, Any]:
    rater = _rater_who_changes(request, token)
    return _shown(request, next_item(site_of(request).store, rater.id))


@router.post("/api/judge")
def api_judge(request: Request, answer: Answer, token: Token = None) -> dict[str, Any]:
    """Answered once the judgement is on the disk."""
    rater = _rater_who_changes(request, token)
    verdict = answer.to_verdict()
    try:
        _require_known_criteria(request, answer.item, verdict)
        lesson, following = submit(site_of(request).store, rater.id, answer.item, verdict, answer.seconds)
    except RefusedError as error:
        raise HTTPException(409, f"{error} (item {answer.item})") from error
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    return _shown(request, following) | {"lesson": None if lesson is None else _lesson(lesson)}


@router.post("/api/undo")
def api_undo(request: Request, token: Token = None) -> dict[str, Any]:
    rater = _rater_who_changes(request, token)
    try:
        return _shown(request, undo(site_of(request).store, rater.id))
    except RefusedError as error:
        raise HTTPException(409, str(error)) from error


def _rater_who_changes(request: Request, token: str | None) -> Any:
    rater = rater_of(request)
    require_csrf(request, request.cookies[RATER], token)
    return rater


def _require_known_criteria(request: Request, item_id: int, verdict: Verdict) -> None:
    """Raises ValueError for a criterion that the guidelines of the item's task do not have."""
    if not verdict.criteria:
        return
    with site_of(request).store.reading() as connection:
        task = connection.execute(sa.select(ITEMS.c.task).where(ITEMS.c.id == item_id)).scalar()
        if task is None:  # there is a better error for that
            return
        known = criteria_of(guide_of(connection, task))
    unknown = [name for name in verdict.criteria if name not in known]
    if unknown:
        told = "reload the page if the guidelines have changed"
        raise ValueError(f"criteria must be among {known}, got {unknown[0]!r:.60}; {told}")


def _shown(request: Request, assignment: Assignment) -> dict[str, Any]:
    """What a browser may know of an assignment."""
    told: dict[str, Any] = {
        "state": assignment.state,
        "progress": asdict(assignment.progress),
        "can_undo": assignment.can_undo,
        "reason": assignment.reason,
        "item": None,
    }
    item = assignment.item
    if item is not None:
        with site_of(request).store.reading() as connection:
            criteria = criteria_of(guide_of(connection, item.task))
        told["item"] = {
            "id": assignment.item_id,
            "kind": item.kind,
            "task": item.task,
            "prompt": [m._asdict() for m in item.prompt],
            "responses": [[m._asdict() for m in item.responses[i]] for i in assignment.shown],
            "criteria": criteria,
        }
    return told


def _lesson(lesson: Lesson) -> dict[str, Any]:
    answer = lesson.answer
    return {
        "is_right": lesson.is_right,
        "choice": {"a": "left", "b": "right"}.get(answer.choice, answer.choice),
        "rating": answer.rating,
        "ranks": answer.ranks,
        "explanation": lesson.explanation,
    }
