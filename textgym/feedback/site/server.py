"""The feedback site: `textgym feedback serve`.

FastAPI behind a guard (security.py); raters' pages in pages.py, the administrator's in admin.py. One process:
SQLite takes one writer at a time anyway, and a judgement takes a few milliseconds.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles

from textgym.feedback.site import admin, pages
from textgym.feedback.site.common import FOLDER, Site, page
from textgym.feedback.site.security import FILE_LIMIT, Guard, headers_for
from textgym.feedback.store import Store


def create_app(store: Store, url: str) -> Any:
    """The ASGI application on a store; `url` is how raters reach it, and begins their personal links."""
    app = FastAPI(title="textgym feedback", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.site = Site.of(store, url)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.include_router(pages.router)
    app.include_router(admin.router)
    for status in (400, 403, 404, 405, 409, 422, 429):
        app.add_exception_handler(status, _explain)
    app.add_exception_handler(RequestValidationError, _explain_fields)
    app.add_exception_handler(Exception, _explain_failure)
    app.add_middleware(Guard, limits={"/admin/import": FILE_LIMIT})
    return app


def _explain(request: Request, error: Exception) -> Response:
    """An error as a page, or as JSON where a script asked."""
    told, status = getattr(error, "detail", "This did not work."), getattr(error, "status_code", 500)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": told}, status)
    wants_password = status == 403 and request.url.path.startswith("/admin")
    shown: Response = page(request, "message.html", status, message=told, password=wants_password)
    return shown


def _explain_fields(request: Request, error: Exception) -> Response:
    """What does not fit, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    wrong = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()[:5]]
    return JSONResponse({"detail": "; ".join(wrong)}, 422)


def _explain_failure(request: Request, error: Exception) -> Response:
    """What nobody foresaw; the server's log has the error. This answer does not pass the guard, hence the headers,
    and no template, because the store may be what failed."""
    told, headers = "The site failed at this. Try again, or tell who runs it.", headers_for(request.url.path)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": told}, 500, headers)
    return PlainTextResponse(told, 500, headers)
