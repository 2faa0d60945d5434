"""What the raters' and the administrator's pages share: who is asking, templates, guideline texts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import HTTPException, Request
from fastapi import Path as InPath
from fastapi.templating import Jinja2Templates

from textgym.feedback.reliability import BackgroundFit
from textgym.feedback.site.security import Tries, is_admin_cookie, is_signed, sign
from textgym.feedback.store import Store, get_setting, rater_of_token, read_ended, read_guide, read_settings

FOLDER = Path(__file__).parent
RATER, ADMIN = "textgym_rater", "textgym_admin"  # the cookies
MONTH = 30 * 24 * 3600
LARGEST = 2**31 - 1  # number of an item or a rater: PostgreSQL's integer, SQLite's is larger
Number = Annotated[int, InPath(ge=1, le=LARGEST)]
Task = Annotated[str, InPath(max_length=200, pattern=r"^[^\x00]+$")]  # PostgreSQL has no NUL in a text


@dataclass(frozen=True)
class Site:
    """What a request finds behind the pages."""

    store: Store
    url: str  # how raters reach it, without a slash at the end
    templates: Jinja2Templates
    tries: Tries  # of the password, by address
    all_tries: Tries  # of the password, by anybody; so many that few strangers cannot use them up
    raters: BackgroundFit  # how far each can be believed

    @classmethod
    def of(cls, store: Store, url: str) -> Site:
        templates = Jinja2Templates(FOLDER / "templates")
        return cls(store, url.rstrip("/"), templates, Tries(5, 60.0), Tries(1000, 60.0), BackgroundFit())


def site_of(request: Request) -> Site:
    return request.app.state.site  # type: ignore[no-any-return]


def page(request: Request, name: str, status: int = 200, **values: Any) -> Any:
    """A template with what every page needs."""
    site = site_of(request)
    with site.store.reading() as connection:
        title = read_settings(connection).title
    return site.templates.TemplateResponse(request, name, {"title": title, **values}, status_code=status)


def link_to(request: Request, token: str) -> str:
    """A rater's personal link. Its host is the site's own, whatever host the request named."""
    return f"{site_of(request).url}/r/{token}"


def secret_of(connection: sa.Connection) -> str:
    found = get_setting(connection, "secret")
    assert found is not None, "the store makes it"
    return found


def rater_of(request: Request) -> Any:
    """The row of the rater who asks.

    Raises:
        HTTPException: 403, a cookie that is missing, forged or of a link that was replaced.
    """
    token = request.cookies.get(RATER, "")
    with site_of(request).store.reading() as connection:
        rater = rater_of_token(connection, token) if token else None
    if rater is None:
        raise HTTPException(403, "Open your personal link once more. If it no longer works, ask for a new one.")
    return rater


def require_admin(request: Request) -> str:
    """The cookie of an administrator who has signed in.

    Raises:
        HTTPException: 403 without one.
    """
    cookie = request.cookies.get(ADMIN, "")
    with site_of(request).store.reading() as connection:
        hashed, ended = get_setting(connection, "password"), read_ended(connection)
        if not hashed or not is_admin_cookie(cookie, secret_of(connection), hashed, time.time(), ended):
            raise HTTPException(403, "This page needs the administrator's password.")
    return cookie


def csrf_of(request: Request, cookie: str) -> str:
    """What a change made with this cookie must bring along; another site cannot read it."""
    with site_of(request).store.reading() as connection:
        return sign(secret_of(connection), "csrf", cookie)


def require_csrf(request: Request, cookie: str, given: str | None) -> None:
    """Raises HTTPException 403 where the change may come from another site."""
    with site_of(request).store.reading() as connection:
        if not is_signed(given or "", secret_of(connection), "csrf", cookie):
            raise HTTPException(403, "This form is out of date: reload the page and try again.")


def set_cookie(request: Request, response: Any, name: str, value: str, seconds: int) -> None:
    """Scripts cannot read it, other sites cannot make the browser send it with a change."""
    is_secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=is_secure)


@cache
def default_guide(task: str) -> str:
    """The page that comes with textgym; tasks without one of their own get the general one."""
    path = FOLDER / "guides" / f"{task}.md"
    known = {p.stem for p in (FOLDER / "guides").glob("*.md")}  # a name is no path
    return (path if task in known else FOLDER / "guides" / "general.md").read_text(encoding="utf-8")


def guide_of(connection: sa.Connection, task: str) -> str:
    """The guideline page of a task, as Markdown."""
    return read_guide(connection, task) or default_guide(task)
