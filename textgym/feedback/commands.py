"""What `textgym feedback` can do with a store: serve, judge, import, export, report. The command line reads the options
from these signatures. `sample` stands in textgym/commands/feedback.py, because it runs a policy.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from textgym import checks

if TYPE_CHECKING:
    from textgym.feedback.store import Store

STORE = "feedback.db"
PASSWORD = "TEXTGYM_ADMIN_PASSWORD"
SHORTEST = 8  # characters of a password


def serve(
    data: str | None = None,
    store: str = STORE,
    raters: tuple[str, ...] = (),
    host: str = "127.0.0.1",
    port: int = 8000,
    url: str | None = None,
    k: int | None = None,
    title: str | None = None,
    lease_minutes: float | None = None,
    gold_every: int | None = None,
) -> None:
    """Serves the site on which raters judge, until Ctrl-C.

    The administrator's password is that of the environment variable TEXTGYM_ADMIN_PASSWORD, else one that is
    made up and printed the first time.

    Args:
        data: a file of items to add first, as `textgym feedback sample` writes it.
        store: a file, made where there is none, or a URL such as postgresql+psycopg://user@host/name.
        raters: names of raters; who is new gets a personal link, which is printed.
        host: 127.0.0.1 is this machine only; 0.0.0.0 all that reach it (put TLS in front).
        port: 0 takes a free one.
        url: how raters reach the site, where that is not http://HOST:PORT; all personal links begin with it.
        k: raters an item.
        title: what stands above the pages.
        lease_minutes: until an item that somebody left goes to somebody else.
        gold_every: about one gold item in so many.
    """
    from textgym.feedback.store import add_rater, change_settings, new_token

    found = None if data is None else _read(data)
    if url is not None and not url.startswith(("http://", "https://")):
        raise ValueError(f"url must begin with http:// or https://, got {url!r}")
    with _listening(host, port) as listener, opened(store) as kept:
        base = (url or _address(host, listener.getsockname()[1])).rstrip("/")
        with kept.writing() as connection:
            change_settings(connection, k=k, title=title, lease_minutes=lease_minutes, gold_every=gold_every)
            password = _set_password(connection)
            links = [(name, new_token(connection, add_rater(connection, name))) for name in _new(connection, raters)]
        if found is not None:
            _add(kept, found, store, data)
        for name, token in links:
            print(f"{name}: {base}/r/{token}")
        print(f"administration: {base}/admin{f'  password: {password}' if password else ''}")
        print(f"serving {_without_password(store)} on {base}, Ctrl-C ends it", flush=True)
        _run(kept, listener, base)


def judge(
    rater: str, data: str | None = None, store: str = STORE, k: int | None = None, limit: int | None = None
) -> None:
    """Judges in the terminal, on the same store as the site.

    Args:
        rater: in whose name.
        data: a file of items to add first.
        store: a file, made where there is none and data is given, or a URL.
        k: raters an item.
        limit: stop after so many judgements.
    """
    from textgym.feedback.store import change_settings
    from textgym.feedback.terminal import judge as judge_here

    found = None if data is None else _read(data)
    with opened(store, is_new=found is not None) as kept:
        if k is not None:
            with kept.writing() as connection:
                change_settings(connection, k=k)
        if found is not None:
            _add(kept, found, store, data)
        with kept.reading() as connection:
            _require_items(connection, store)
        judge_here(kept, rater, limit=limit)


def import_file(file: str, /, store: str = STORE, format: str = "auto", task: str | None = None) -> None:
    """Adds items, and judgements made elsewhere, to a store. The same file twice changes nothing.

    Args:
        file: JSON lines, or CSV where its name ends so.
        store: a file, made where there is none, or a URL.
        format: auto, textgym, trl, hh, helpsteer, crowdkit, openai, ultrafeedback, comparisons or ratings.
        task: whose guidelines go with the items: summarize, translate, dialogue, or a name of yours.
    """
    found = _read(file, format, task)
    with opened(store) as kept:
        _add(kept, found, store, file)


def export(out: str, store: str = STORE, format: str = "trl") -> None:
    """Writes the judgements of a store to a file.

    Args:
        out: where to.
        store: a file or a URL.
        format: trl (what `textgym reward train` reads), hh, helpsteer, crowdkit (CSV), or textgym (everything).
    """
    from textgym.feedback.formats import write_file
    from textgym.feedback.store import read_all

    with opened(store, is_new=False) as kept, kept.reading() as connection:
        _require_items(connection, store)
        items, judged = read_all(connection)
    written = write_file(out, format, items, judged)
    print(f"{out}: {written.rows} rows")
    for reason, count in written.left_out.items():
        print(f"  left out: {count} {reason}")


def report(store: str = STORE, json: bool = False) -> None:
    """Prints agreement, raters and items in dispute: what the live page shows.

    Args:
        store: a file or a URL.
        json: as one line of JSON.
    """
    from textgym.feedback.report import make_report

    with opened(store, is_new=False) as kept, kept.reading() as connection:
        _require_items(connection, store)
        found = make_report(connection)
    print(_to_json(found) if json else "\n".join(describe(found)))


def describe(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    simulated = f", {report['simulated']} of them by simulated raters" if report["simulated"] else ""
    yield f"{report['judgements']} judgements{simulated}"
    yield f"{report['complete']} of {report['items']} items have {report['k']} judgements"
    for a in report["agreement"]:
        interval = "" if a["low"] is None else f", 95% interval {a['low']:.3f} to {a['high']:.3f}"
        units = "pairs of responses" if a["kind"] == "ranking" else "items"
        yield f"Krippendorff's alpha of {a['kind']} items ({a['level']}): {_shown(a['alpha'], '.3f')}{interval}"
        yield f"  from {a['units']} {units} that two raters or more have judged"
    yield from _rater_lines(report["raters"])
    if report["disputes"]:
        yield "items in dispute:"
    for d in report["disputes"]:
        prompt = " ".join(d["prompt"].split())
        yield f"  {d['disagreement']:.2f} in {d['judgements']} judgements  {d['key']}  {prompt:.60}"


def _rater_lines(raters: list[dict[str, Any]]) -> Iterator[str]:
    columns = [("judged", 7), ("agrees", 7), ("reliable", 9), ("gold", 9), ("left", 6), ("ties", 6), ("skips", 6)]
    columns += [("seconds", 8)]
    names = [
        f"{r['name']}{' (simulated)' if r['simulated'] else ''}{' (paused)' if r['state'] == 'paused' else ''}"
        for r in raters
    ]
    longest = max(20, *map(len, names), 0)
    yield f"{'rater':<{longest}}" + "".join(f" {name:>{width}}" for name, width in columns)
    for r, name in zip(raters, names, strict=True):
        cells = [r["judgements"], _shown(r["agreement"], ".0%"), _shown(r["reliability"], ".2f")]
        cells += [f"{r['gold_right']} of {r['gold']}" if r["gold"] else "-", _shown(r["left"], ".0%")]
        cells += [_shown(r["ties"], ".0%"), r["skips"], _shown(r["seconds"], ".1f")]
        shown = "".join(f" {cell:>{width}}" for cell, (_, width) in zip(cells, columns, strict=True))
        yield f"{name:<{longest}}{shown}{'  one-sided' if r['left_is_odd'] else ''}"


@contextmanager
def opened(where: str, is_new: bool = True) -> Iterator[Store]:
    """A store; with `is_new` false it must be there already."""
    try:
        from textgym.feedback.store import Store
    except ImportError as error:
        raise ImportError("feedback needs a database's driver: pip install 'textgym[feedback]'") from error
    if not is_new and "://" not in where and not os.path.isfile(os.path.expanduser(where)):
        raise ValueError(f"store must be a file of `textgym feedback serve`, judge or import, got {where!r}")
    kept = Store(where)
    try:
        yield kept
    finally:
        kept.close()


def _read(file: str, format: str = "auto", task: str | None = None) -> Any:
    """A file's items and judgements, read before a store is made for them."""
    from textgym.feedback.formats import read_file

    return read_file(file, format, task)


def _add(kept: Store, found: Any, store: str, file: str | None) -> None:
    """What was read goes to a store; prints how much of it was new."""
    from textgym.feedback.store import add_items, add_judged

    with kept.writing() as connection:
        items, judged = add_items(connection, found.items), add_judged(connection, found.judged)
    print(f"{_without_password(store)}: {items} items and {judged} judgements added from {file}")


def _require_items(connection: Any, store: str) -> None:
    """Raises ValueError for a store in which there is nothing to judge: its report would be one of nothing."""
    import sqlalchemy as sa

    if connection.execute(sa.text("SELECT 1 FROM items LIMIT 1")).first() is None:
        raise ValueError(
            f"store must hold items, {_without_password(store)!r} has none: textgym feedback import FILE adds them"
        )


def _set_password(connection: Any) -> str | None:
    """Keeps the environment's password, or makes one up and returns it the first time."""
    from textgym.feedback.site.security import hash_password, is_password
    from textgym.feedback.store import get_setting, set_setting

    given, old = os.environ.get(PASSWORD), get_setting(connection, "password")
    if given and len(given) < SHORTEST:
        raise ValueError(f"{PASSWORD} must have at least {SHORTEST} characters, got {len(given)}")
    if old and (not given or is_password(given, old)):  # a new salt would sign everybody out
        return None
    password = given or secrets.token_urlsafe(12)
    set_setting(connection, "password", hash_password(password))
    return None if given else password


def _without_password(store: str) -> str:
    """A store's file or URL as it can be printed."""
    import sqlalchemy as sa

    return sa.make_url(store).set(query={}).render_as_string(hide_password=True) if "://" in store else store


def _new(connection: Any, names: tuple[str, ...]) -> list[str]:
    """Those of the names that have no link yet."""
    import sqlalchemy as sa

    linked = set(connection.execute(sa.text("SELECT name FROM raters WHERE token_hash IS NOT NULL")).scalars())
    return [name for name in names if name.strip() not in linked]


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; an error says at once that a port is taken or a host unknown."""
    checks.text("host", host)
    checks.port(port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off for such sockets only.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (socket.gaierror, UnicodeError) as error:
            raise ValueError(f"host must be a name or an address of this machine, got {host!r}: {error}") from error
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise ValueError(f"host must be an address of this machine, got {host!r}") from error
            raise OSError(f"port {port} of {host} could not be had: {error.strerror}; try --port 0") from error
        listener.listen(256)
        yield listener


def _address(host: str, port: int) -> str:
    """Where a browser finds the site; what listens everywhere is found by this machine's name."""
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def _run(store: Store, listener: socket.socket, url: str) -> None:
    try:
        import uvicorn

        from textgym.feedback.site.server import create_app
    except ImportError as error:
        raise ImportError("the site needs a web server: pip install 'textgym[feedback]'") from error
    # No log of addresses: a personal link is one. uvicorn's own set-up would close everybody else's log handlers.
    config = uvicorn.Config(
        create_app(store, url), log_config=None, log_level="warning", access_log=False, server_header=False
    )
    uvicorn.Server(config).run(sockets=[listener])


def _to_json(found: dict[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False)


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
