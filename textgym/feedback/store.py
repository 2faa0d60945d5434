"""Where judgements are kept: SQLite by default, PostgreSQL by URL.

SQLite runs with a write-ahead log and synchronous=FULL: a judgement that was acknowledged is on the
disk, so neither `kill -9` nor a power cut loses it. Whoever writes holds the only write transaction
(`BEGIN IMMEDIATE`; on PostgreSQL an advisory lock), so what is read in it stays true until it ends: that is
all the locking that assignment.py needs. Personal tokens are kept as hashes; the file is its owner's alone,
because it holds the key that signs cookies.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from textgym import checks
from textgym.feedback.items import Item, Judged, Verdict, to_messages
from textgym.feedback.tables import GUIDES, ITEMS, JUDGEMENTS, METADATA, RATERS, SETTINGS

SEED_AND_SETTINGS = sa.select(SETTINGS).where(SETTINGS.c.name.in_(["seed", "settings"]))
ADVISORY_LOCK = 7_236_521  # any number, the same for every process that writes to the store


@dataclass(frozen=True)
class Settings:
    """How a collection runs."""

    title: str = "Which answer is better?"
    k: int = 3  # raters an item
    lease_minutes: float = 30.0  # until an item that somebody left is given to somebody else
    gold_every: int = 10  # about one gold item in so many, where there are some
    quiz_share: float = 0.75  # of the quiz that must be right to begin

    def __post_init__(self) -> None:
        checks.text("title", self.title)
        checks.whole("k", self.k, 1, 1000)
        checks.positive("lease_minutes", self.lease_minutes)
        checks.whole("gold_every", self.gold_every, 2)
        checks.number("quiz_share", self.quiz_share, 0, 1)


class Store:
    """The tables, and the two kinds of transaction."""

    def __init__(self, where: str | Path) -> None:
        """`where` is a file (made where there is none) or a database URL."""
        url = str(where) if "://" in str(where) else f"sqlite:///{Path(where).expanduser()}"
        self.engine = sa.create_engine(url, pool_size=20, max_overflow=40)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        if self.is_sqlite:
            _make_private(self.engine.url.database)
            sa.event.listen(self.engine, "connect", _set_up_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        self._writer = threading.Lock()  # fair enough among threads; SQLite's own waiting is not
        with self.writing() as connection:
            METADATA.create_all(connection)
            for name, value in (("secret", secrets.token_hex(32)), ("seed", str(secrets.randbits(32)))):
                if get_setting(connection, name) is None:
                    set_setting(connection, name, value)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent view."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """The only write transaction there is: committed to the disk when the block ends well."""
        with self._writer, self.engine.connect() as plain:
            connection = plain.execution_options(is_write=True)
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": ADVISORY_LOCK})
                yield connection

    def close(self) -> None:
        self.engine.dispose()


def _make_private(path: str | None) -> None:
    """A new file that nobody but its owner can read; SQLite gives the files beside it the same rights.

    One that is there is not opened: closing it would drop the locks of other connections of this process.
    """
    if path and path != ":memory:" and not path.startswith("file:"):
        with suppress(FileExistsError):
            os.close(os.open(os.path.realpath(path), os.O_CREAT | os.O_EXCL, 0o600))


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not guessed by the driver
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    is_write = connection.get_execution_options().get("is_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def get_setting(connection: sa.Connection, name: str) -> str | None:
    return connection.execute(sa.select(SETTINGS.c.value).where(SETTINGS.c.name == name)).scalar()


def set_setting(connection: sa.Connection, name: str, value: str) -> None:
    _put(connection, SETTINGS, SETTINGS.c.name, {"name": name, "value": value})


def read_settings(connection: sa.Connection) -> Settings:
    """What was set, defaults elsewhere."""
    text = get_setting(connection, "settings")
    return Settings(**json.loads(text)) if text else Settings()


def read_seed_and_settings(connection: sa.Connection) -> tuple[str, Settings]:
    """The seed of sides and tests, and the settings, in one query."""
    found = {row.name: row.value for row in connection.execute(SEED_AND_SETTINGS)}
    return found["seed"], Settings(**json.loads(found.get("settings") or "{}"))


def change_settings(connection: sa.Connection, **changes: Any) -> Settings:
    """Sets what is given and is not None."""
    settings = replace(read_settings(connection), **{name: v for name, v in changes.items() if v is not None})
    set_setting(connection, "settings", json.dumps(asdict(settings)))
    return settings


def end_session(connection: sa.Connection, nonce: str, until: int) -> None:
    """Signs out: a cookie with this nonce opens nothing until it would have ended anyway (Unix time)."""
    now = time.time()
    ended = {name: end for name, end in read_ended(connection).items() if end > now}
    set_setting(connection, "ended_sessions", json.dumps(ended | {nonce: until}))


def read_ended(connection: sa.Connection) -> dict[str, int]:
    """Nonces of the sessions that were signed out, and when their cookies end (Unix time)."""
    found: dict[str, int] = json.loads(get_setting(connection, "ended_sessions") or "{}")
    return found


def read_guide(connection: sa.Connection, task: str) -> str | None:
    """The guideline page that somebody edited; None: nobody has."""
    return connection.execute(sa.select(GUIDES.c.text).where(GUIDES.c.task == task)).scalar()


def write_guide(connection: sa.Connection, task: str, text: str) -> None:
    _put(connection, GUIDES, GUIDES.c.task, {"task": task, "text": text.replace("\0", "")})


def _put(connection: sa.Connection, table: sa.Table, key: sa.Column[Any], row: dict[str, Any]) -> None:
    """Inserts or replaces a row; safe because the caller has the only write transaction."""
    changed = connection.execute(sa.update(table).where(key == row[key.name]).values(**row))
    if not changed.rowcount:
        connection.execute(sa.insert(table).values(**row))


def hash_token(token: str) -> str:
    """What is kept of a token. It has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token(connection: sa.Connection, rater_id: int) -> str:
    """A fresh personal token, the old one no longer opens anything. It cannot be read again."""
    token = secrets.token_urlsafe(32)
    connection.execute(sa.update(RATERS).where(RATERS.c.id == rater_id).values(token_hash=hash_token(token)))
    return token


def add_rater(connection: sa.Connection, name: str, *, state: str = "new", simulated: bool = False) -> int:
    """The id of the rater of this name, who is added where there is none."""
    name = _storable("name", checks.text("name", name).strip())
    if len(name) > 80:
        raise ValueError(f"name must be at most 80 characters, got {len(name)}")
    found = connection.execute(sa.select(RATERS.c.id).where(RATERS.c.name == name)).scalar()
    if found is not None:
        return int(found)
    row = {"name": name, "state": state, "simulated": simulated}
    return int(connection.execute(sa.insert(RATERS).values(**row).returning(RATERS.c.id)).scalar_one())


def rater_of_token(connection: sa.Connection, token: str) -> sa.Row[Any] | None:
    """Whose personal token this is. Only hashes are compared, so timing tells nothing about the token."""
    return connection.execute(sa.select(RATERS).where(RATERS.c.token_hash == hash_token(token))).first()


def add_items(connection: sa.Connection, items: Iterable[Item]) -> int:
    """Adds those that are not there yet; returns how many.

    Raises:
        ValueError: an item with the key of another one that reads differently.
    """
    known = {row.key: row for row in connection.execute(sa.select(ITEMS))}
    fresh: dict[str, dict[str, Any]] = {}
    for item in items:
        row = _item_row(item)
        old = fresh.get(item.key) or (known[item.key]._mapping if item.key in known else None)
        if old is None:
            fresh[item.key] = row
        elif any(old[name] != row[name] for name in ("kind", "prompt", "responses")):
            raise ValueError(f"key {item.key!r} is that of another item: give each its own")
    if fresh:
        connection.execute(sa.insert(ITEMS), list(fresh.values()))
    return len(fresh)


def add_judged(connection: sa.Connection, judged: Iterable[Judged]) -> int:
    """Adds judgements made elsewhere; returns how many.

    A rater's second judgement of an item is left out, and so are those of nobody knows whom for an item that had
    such ones before: the same file read twice changes nothing.
    """
    items = {
        row.key: row for row in connection.execute(sa.select(ITEMS.c.id, ITEMS.c.key, ITEMS.c.kind, ITEMS.c.responses))
    }
    taken: set[Any] = {tuple(row) for row in connection.execute(sa.select(JUDGEMENTS.c.item_id, JUDGEMENTS.c.rater_id))}
    anonymous = {item_id for item_id, rater_id in taken if rater_id is None}
    raters: dict[str, int] = {}
    rows = []
    for one in judged:
        if one.key not in items:
            raise ValueError(f"key {one.key!r} must be that of an item in the store: import the items first")
        item = items[one.key]
        one.verdict.check(item.kind, len(json.loads(item.responses)))
        rater_id = None
        if one.rater is None and item.id in anonymous:
            continue
        if one.rater is not None:
            if one.rater not in raters:
                raters[one.rater] = add_rater(connection, one.rater, state="active", simulated=one.simulated)
            rater_id = raters[one.rater]
            if (item.id, rater_id) in taken:
                continue
            taken.add((item.id, rater_id))
        rows.append(judgement_row(item.id, rater_id, one))
    if rows:
        connection.execute(sa.insert(JUDGEMENTS), rows)
        counted = sa.select(sa.func.count()).where(JUDGEMENTS.c.item_id == ITEMS.c.id, JUDGEMENTS.c.choice != "skip")
        connection.execute(sa.update(ITEMS).values(done=counted.scalar_subquery()))
    return len(rows)


def judgement_row(item_id: int, rater_id: int | None, one: Judged, correct: bool | None = None) -> dict[str, Any]:
    """A judgement as a row of the table."""
    verdict = one.verdict
    details: dict[str, Any] = {"shown": one.shown, "ranks": verdict.ranks, "criteria": dict(verdict.criteria)}
    details |= {"comment": verdict.comment, "margin": verdict.margin}
    return {
        "item_id": item_id,
        "rater_id": rater_id,
        "choice": verdict.choice,
        "strength": verdict.strength,
        "rating": verdict.rating,
        "first": one.shown[0] if one.shown else None,
        "simulated": one.simulated,
        "correct": correct,
        "seconds": one.seconds,
        "time": time.time() if one.time is None else one.time,
        "details": json.dumps({k: v for k, v in details.items() if v or v == 0}, ensure_ascii=False),
    }


def _item_row(item: Item) -> dict[str, Any]:
    def messages(given: Any) -> list[dict[str, str]]:
        return [m._asdict() for m in given]

    return {
        "key": _storable("key", item.key),
        "kind": item.kind,
        "task": _storable("task", item.task),
        "purpose": item.purpose,
        "origin": _storable("origin", item.origin),
        "prompt": json.dumps(messages(item.prompt), ensure_ascii=False),
        "responses": json.dumps([messages(r) for r in item.responses], ensure_ascii=False),
        "sources": json.dumps(item.sources, ensure_ascii=False),
        "answer": None if item.answer is None else json.dumps(asdict(item.answer)),
        "explanation": _storable("explanation", item.explanation),
    }


def _storable(name: str, text: str) -> str:
    """A text that PostgreSQL keeps, too. (JSON escapes NUL, so texts in it need no look.)"""
    if "\0" in text:
        raise ValueError(f"{name} must be a text without NUL characters, got {text!r:.60}")
    return text


def item_of(row: Any) -> Item:
    """An item of a row of the table."""
    return Item(
        prompt=to_messages(json.loads(row.prompt), "prompt", "user"),
        responses=tuple(to_messages(r, "responses", "assistant") for r in json.loads(row.responses)),
        kind=row.kind,
        key=row.key,
        task=row.task,
        sources=tuple(json.loads(row.sources)),
        origin=row.origin,
        purpose=row.purpose,
        answer=None if row.answer is None else verdict_of(json.loads(row.answer)),
        explanation=row.explanation,
    )


def verdict_of(fields: Mapping[str, Any]) -> Verdict:
    """A verdict of its fields, lists become tuples."""
    criteria = {name: tuple(values) for name, values in (fields.get("criteria") or {}).items()}
    return Verdict(**{**fields, "ranks": tuple(fields.get("ranks") or ()), "criteria": criteria})


def read_all(connection: sa.Connection) -> tuple[list[Item], list[Judged]]:
    """Every item and every judgement, in the order in which they came."""
    rows = connection.execute(sa.select(ITEMS).order_by(ITEMS.c.id)).all()
    keys = {row.id: row.key for row in rows}
    raters = {row.id: row for row in connection.execute(sa.select(RATERS))}
    judged = []
    for row in connection.execute(sa.select(JUDGEMENTS).order_by(JUDGEMENTS.c.id)):
        details = json.loads(row.details)
        fields = {name: details[name] for name in ("ranks", "criteria", "comment", "margin") if name in details}
        rater = raters.get(row.rater_id)
        judged.append(
            Judged(
                keys[row.item_id],
                verdict_of({"choice": row.choice, "strength": row.strength, "rating": row.rating, **fields}),
                rater=rater.name if rater else None,
                shown=tuple(details.get("shown", ())),
                seconds=row.seconds,
                time=row.time,
                simulated=row.simulated,
            )
        )
    return [item_of(row) for row in rows], judged
