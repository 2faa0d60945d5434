"""The administrator's pages: progress, raters, the live report, guidelines, files in and out."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse, Response

from textgym.feedback.assignment import set_state
from textgym.feedback.formats import WRITERS, read_file, write_file
from textgym.feedback.report import make_report
from textgym.feedback.site.common import (
    ADMIN,
    Number,
    Task,
    csrf_of,
    guide_of,
    link_to,
    page,
    require_admin,
    require_csrf,
    secret_of,
    set_cookie,
    site_of,
)
from textgym.feedback.site.markdown import criteria_of, to_html
from textgym.feedback.site.security import ADMIN_HOURS, admin_cookie, is_password, parts_of
from textgym.feedback.store import (
    add_items,
    add_judged,
    add_rater,
    change_settings,
    end_session,
    get_setting,
    item_of,
    new_token,
    read_all,
    read_settings,
    write_guide,
)

router = APIRouter(prefix="/admin")
Text = Annotated[str, Form()]
SUFFIXES = {"crowdkit": ".csv"}  # others are JSON lines


@router.get("/login")
def login_page(request: Request) -> Any:
    return page(request, "admin_login.html")


@router.post("/login")
def login(request: Request, password: Text) -> Any:
    """At most 5 wrong ones a minute from one address and 1,000 from all; right and wrong take equally long."""
    site = site_of(request)
    address = request.client.host if request.client else ""
    if not site.tries.allow(address) or not site.all_tries.allow(""):
        raise HTTPException(429, "Too many tries. Wait a minute.")
    with site.store.reading() as connection:
        hashed, secret = get_setting(connection, "password"), secret_of(connection)
    if not hashed or not is_password(password, hashed):
        return page(request, "admin_login.html", 403, wrong=True)
    site.tries.forgive(address)
    site.all_tries.forgive("")
    response = RedirectResponse("/admin", status_code=303)
    set_cookie(request, response, ADMIN, admin_cookie(secret, hashed, time.time()), 3600 * ADMIN_HOURS)
    return response


@router.post("/logout")
def logout(request: Request, csrf: Text) -> Any:
    """Ends the session at the server, too: a copy of its cookie opens nothing any more."""
    cookie = require_admin(request)
    require_csrf(request, cookie, csrf)
    until, nonce, _ = parts_of(cookie)
    with site_of(request).store.writing() as connection:
        end_session(connection, nonce, int(until))
    response = RedirectResponse("/", status_code=303)
    response.delete_cookie(ADMIN)
    return response


@router.get("")
def overview(request: Request) -> Any:
    return _overview(request)


@router.get("/report")
def report(request: Request) -> Any:
    cookie = require_admin(request)
    start = time.perf_counter()
    with site_of(request).store.reading() as connection:
        found = make_report(connection, site_of(request).raters.latest)
    took = 1000 * (time.perf_counter() - start)
    csrf = csrf_of(request, cookie)
    return page(request, "admin_report.html", tab="report", report=found, milliseconds=took, csrf=csrf)


@router.get("/report.json")
def report_json(request: Request) -> Any:
    require_admin(request)
    with site_of(request).store.reading() as connection:
        return JSONResponse(make_report(connection, site_of(request).raters.latest))


@router.get("/item/{item_id}")
def item(request: Request, item_id: Number) -> Any:
    """One item with everything that was said of it; here the sources are named."""
    cookie = require_admin(request)
    judgements = sa.text(
        "SELECT j.*, raters.name FROM judgements j LEFT JOIN raters ON raters.id = j.rater_id "
        "WHERE j.item_id = :item ORDER BY j.id"
    )
    with site_of(request).store.reading() as connection:
        row = connection.execute(sa.text("SELECT * FROM items WHERE id = :item"), {"item": item_id}).first()
        rows = connection.execute(judgements, {"item": item_id}).all()
    if row is None:
        raise HTTPException(404, "There is no such item.")
    said = [(one, json.loads(one.details)) for one in rows]
    return page(request, "admin_item.html", item=item_of(row), said=said, csrf=csrf_of(request, cookie))


@router.post("/raters")
def new_rater(request: Request, csrf: Text, name: Text) -> Any:
    """A rater with a link, which is shown this once."""
    require_csrf(request, require_admin(request), csrf)
    try:
        with site_of(request).store.writing() as connection:
            token = new_token(connection, add_rater(connection, name))
    except ValueError as error:
        return _overview(request, status=422, problem=str(error))
    return _overview(request, link=link_to(request, token), link_of=name.strip())


@router.post("/raters/{rater_id}/{change}")
def change_rater(request: Request, rater_id: Number, change: str, csrf: Text) -> Any:
    """`pause`, `resume` (gold items of before no longer count) or `link` (a fresh one, the old one ends)."""
    require_csrf(request, require_admin(request), csrf)
    if change not in ("pause", "resume", "link"):
        raise HTTPException(404, "There is no such change.")
    with site_of(request).store.writing() as connection:
        known = sa.text("SELECT name FROM raters WHERE id = :rater")
        name = connection.execute(known, {"rater": rater_id}).scalar()
        if name is None:
            raise HTTPException(404, "There is no such rater.")
        if change == "link":
            token = new_token(connection, rater_id)
        elif change == "pause":
            set_state(connection, rater_id, "paused", "paused by the administrator")
        else:
            set_state(connection, rater_id, "active")
    if change == "link":
        return _overview(request, link=link_to(request, token), link_of=name)
    return RedirectResponse("/admin", status_code=303)


@router.post("/settings")
def settings(
    request: Request,
    csrf: Text,
    title: Text,
    k: Annotated[int, Form()],
    lease_minutes: Annotated[float, Form()],
    gold_every: Annotated[int, Form()],
) -> Any:
    require_csrf(request, require_admin(request), csrf)
    try:
        with site_of(request).store.writing() as connection:
            change_settings(connection, title=title, k=k, lease_minutes=lease_minutes, gold_every=gold_every)
    except ValueError as error:
        return _overview(request, status=422, problem=str(error))
    return RedirectResponse("/admin", status_code=303)


@router.get("/guide/{task}")
def guide(request: Request, task: Task) -> Any:
    cookie = require_admin(request)
    with site_of(request).store.reading() as connection:
        text, tasks = guide_of(connection, task), _tasks(connection)
    values: dict[str, Any] = {"task": task, "tasks": tasks, "text": text}
    values |= {"guide": to_html(text), "criteria": criteria_of(text)}
    return page(request, "admin_guide.html", tab="guide", csrf=csrf_of(request, cookie), **values)


@router.post("/guide/{task}")
def save_guide(request: Request, task: Task, csrf: Text, text: Text) -> Any:
    require_csrf(request, require_admin(request), csrf)
    with site_of(request).store.writing() as connection:
        write_guide(connection, task, text)
    return RedirectResponse(request.url.path, status_code=303)


@router.post("/import")
async def import_file(request: Request) -> Any:
    """Items and judgements of an uploaded file, all of it or nothing."""
    await run_in_threadpool(require_admin, request)
    form = await request.form()
    await run_in_threadpool(require_csrf, request, request.cookies[ADMIN], str(form.get("csrf", "")))
    upload: Any = form.get("file")
    if not getattr(upload, "filename", None):
        return await run_in_threadpool(_overview, request, status=422, problem="Choose a file first.")
    content = await upload.read()
    return await run_in_threadpool(_import, request, Path(upload.filename).suffix, content)


@router.get("/export/{format}")
def export(request: Request, format: str) -> Response:
    require_admin(request)
    if format not in WRITERS:
        raise HTTPException(404, f"There is no format of this name, there are {', '.join(WRITERS)}.")
    with site_of(request).store.reading() as connection:
        items, judged = read_all(connection)
    suffix = SUFFIXES.get(format, ".jsonl")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        write_file(path, format, items, judged)
        content = path.read_bytes()
    headers = {"content-disposition": f'attachment; filename="judgements-{format}{suffix}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _import(request: Request, suffix: str, content: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{suffix if suffix in ('.csv', '.tsv') else '.jsonl'}"
        path.write_bytes(content)
        try:
            found = read_file(path)
            with site_of(request).store.writing() as connection:
                added = add_items(connection, found.items), add_judged(connection, found.judged)
        except ValueError as error:
            problem = str(error).replace(f"{path}", "The file")
            return _overview(request, status=422, problem=problem)
    return _overview(request, done=f"{added[0]} items and {added[1]} judgements were added.")


def _overview(request: Request, *, status: int = 200, **told: Any) -> Any:
    """The first page, with what the last change has to say."""
    cookie = require_admin(request)
    with site_of(request).store.reading() as connection:
        found = make_report(connection, site_of(request).raters.latest)
        values: dict[str, Any] = {"settings": read_settings(connection), "tasks": _tasks(connection)}
        purposes = connection.execute(sa.text("SELECT purpose, count(*) FROM items GROUP BY purpose")).all()
    values |= {"purposes": dict(map(tuple, purposes)), "formats": WRITERS, "csrf": csrf_of(request, cookie)}
    return page(request, "admin.html", status, tab="overview", report=found, **values, **told)


def _tasks(connection: sa.Connection) -> list[str]:
    """Those of the items, and those with a page of their own."""
    query = "SELECT task FROM items UNION SELECT task FROM guides"
    found = {row.task for row in connection.execute(sa.text(query))}
    return sorted(found | {"general", "summarize", "translate", "dialogue"})
