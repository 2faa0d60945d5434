"""Rows of a user's own files: found in one pass, read again one at a time.

A source scans its rows once, in order and in constant memory, and gives each a *key* by which it
reads that row again: byte offsets in a JSONL or CSV file, row numbers in a table. Nothing stays
open between two reads, so a source can be copied, pickled and forked freely. Parquet has no
cheap access to one row, so its needed columns are written once to an Arrow file that is mapped,
not read. What a row means is not known here; `records.py` knows.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from textgym.files import replacing

Key = tuple[int, int]  # byte offsets [start, stop) in a file, or (row number, 0) in a table
_BOM = b"\xef\xbb\xbf"
_BATCH_ROWS = 1024


class FileChangedError(RuntimeError):
    """A file is not the one that was scanned: the places of its rows mean nothing any more."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} has changed since it was loaded; make the env anew")


class Found(NamedTuple):
    """A row met while scanning: `row`, or why there is none."""

    key: Key
    place: int  # line of the file (from 1), or row of the table (from 1)
    row: dict[str, Any] | None
    fault: str = ""


class RowSource(Protocol):
    """Where rows lie."""

    @property
    def label(self) -> str:
        """How messages name it."""
        ...

    @property
    def unit(self) -> str:
        """What `Found.place` counts: "line" or "row"."""
        ...

    def scan(self) -> Iterator[Found]:
        """All rows in order; blank lines are none."""
        ...

    def read(self, key: Key) -> dict[str, Any]:
        """The row that `scan` gave this key."""
        ...


class Stamp(NamedTuple):
    """What tells whether a file is still the one that was scanned."""

    size: int  # bytes
    modified: int  # nanoseconds

    @classmethod
    def of(cls, path: Path) -> Stamp:
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True)
class JsonLines:
    """A file of one JSON object a line."""

    path: Path
    stamp: Stamp
    unit: str = "line"

    @property
    def label(self) -> str:
        return str(self.path)

    def scan(self) -> Iterator[Found]:
        start = 0
        with open(self.path, "rb") as file:
            for place, raw in enumerate(file, 1):
                stop = start + len(raw)
                if start == 0 and raw.startswith(_BOM):
                    start, raw = len(_BOM), raw[len(_BOM) :]
                if not raw.isspace() and raw:
                    yield self._found((start, stop), place, raw)
                start = stop

    def read(self, key: Key) -> dict[str, Any]:
        return json.loads(_read_bytes(self.path, self.stamp, key))

    def _found(self, key: Key, place: int, raw: bytes) -> Found:
        try:
            row = json.loads(raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            return Found(key, place, None, f"not UTF-8 (byte {error.start} of the line)")
        except RecursionError:
            return Found(key, place, None, "no JSON (nested too deeply)")
        except ValueError as error:  # JSONDecodeError, or an integer of too many digits
            return Found(key, place, None, f"no JSON ({error})")
        if not isinstance(row, dict):
            return Found(key, place, None, f"a JSON object is needed, this is {_kind(row)}")
        return Found(key, place, row)


@dataclass(frozen=True)
class CsvFile:
    """A table as text with a header line; fields may hold line breaks inside quotes."""

    path: Path
    stamp: Stamp
    columns: tuple[str, ...]
    delimiter: str
    unit: str = "line"

    @classmethod
    def open(cls, path: Path, stamp: Stamp) -> CsvFile:
        """Reads the header.

        Raises:
            ValueError: a column named twice or not at all.
        """
        with open(path, "rb") as file:
            first = file.readline()
        tabs = path.suffix.lower() == ".tsv"
        text = first.removeprefix(_BOM).decode("utf-8", "surrogateescape")
        if "\0" in text or text.encode("utf-8", "replace") != text.encode("utf-8", "surrogateescape"):
            raise ValueError(f"{path} begins with bytes that are not UTF-8 text: {first[:16]!r}; save it as UTF-8")
        delimiter = "\t" if tabs else ";" if ";" in text and "," not in text else ","
        header = next((f.row for f in _scan_csv(path, delimiter) if not f.fault), None) or []
        names = tuple(name.strip() for name in header)
        if len(set(names)) < len(names) or "" in names:
            raise ValueError(f"the header of {path} must name each column once, got {list(names)}")
        return cls(path, stamp, names, delimiter)

    @property
    def label(self) -> str:
        return str(self.path)

    def scan(self) -> Iterator[Found]:
        records = _scan_csv(self.path, self.delimiter)
        next(records, None)  # the header
        for record in records:
            if record.fault or record.row is None:
                yield Found(record.key, record.place, None, record.fault)
            elif len(record.row) != len(self.columns):
                fault = f"{_count(len(record.row), 'field')}, the header has {len(self.columns)}"
                yield Found(record.key, record.place, None, fault)
            else:
                yield Found(record.key, record.place, dict(zip(self.columns, record.row, strict=True)))

    def read(self, key: Key) -> dict[str, Any]:
        text = _read_bytes(self.path, self.stamp, key).decode("utf-8", "surrogateescape")
        with _wide_fields():
            fields = next(csv.reader(io.StringIO(text, newline="\n"), delimiter=self.delimiter, strict=True))
        return dict(zip(self.columns, fields, strict=True))


class _Record(NamedTuple):
    key: Key
    place: int
    row: list[str] | None
    fault: str = ""


def _scan_csv(path: Path, delimiter: str) -> Iterator[_Record]:
    """The records of a CSV file with their byte offsets, the header among them."""
    position, line = 0, 0

    def lines(file: Any) -> Iterator[str]:
        nonlocal position, line
        for raw in file:
            text = raw.removeprefix(_BOM) if position == 0 else raw
            position += len(raw)
            line += 1
            yield text.decode("utf-8", "surrogateescape")  # a lone surrogate: reported with its column

    with open(path, "rb") as file:
        reader = csv.reader(lines(file), delimiter=delimiter, strict=True)
        while True:
            start, place = position, line + 1
            try:
                with _wide_fields():
                    row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield _Record((start, position), place, None, f"no CSV ({error})")
                continue
            if row and not (len(row) == 1 and not row[0].strip()):  # blank lines are none
                yield _Record((start, position), place, row)


@contextmanager
def _wide_fields() -> Iterator[None]:
    """Fields longer than csv's 128 KiB: a document may be a book."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _read_bytes(path: Path, stamp: Stamp, key: Key) -> bytes:
    start, stop = key
    with open(path, "rb", buffering=0) as file:
        stat = os.fstat(file.fileno())
        if (stat.st_size, stat.st_mtime_ns) != stamp:
            raise FileChangedError(path)
        file.seek(start)
        raw = file.read(stop - start)
        while len(raw) < stop - start:  # an unbuffered read may give less
            raw += file.read(stop - start - len(raw))
    return raw


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file. Scanned as it lies; rows are read from an Arrow copy of the needed columns."""

    path: Path
    stamp: Stamp
    unit: str = "row"
    columns: tuple[str, ...] | None = None  # None: all

    @property
    def label(self) -> str:
        return str(self.path)

    def narrowed(self, columns: Sequence[str]) -> ParquetFile:
        """The same rows with these columns only."""
        return ParquetFile(self.path, self.stamp, self.unit, tuple(columns))

    def scan(self) -> Iterator[Found]:
        place = 0
        for batch in self._batches():
            for row in batch.to_pylist():
                yield Found((place, 0), place + 1, row)
                place += 1

    def read(self, key: Key) -> dict[str, Any]:
        identity = f"{self.path}|{self.stamp}|{self.columns}"
        name = hashlib.blake2b(identity.encode(), digest_size=12).hexdigest() + ".arrow"
        return _read_arrow(self._copy(name), key[0])

    def _batches(self) -> Iterator[Any]:
        try:
            import pyarrow.parquet
        except ImportError as error:
            raise ImportError(f"{self.path} needs the package pyarrow: pip install 'textgym[data]'") from error
        try:
            with pyarrow.parquet.ParquetFile(self.path, memory_map=True) as file:
                yield from file.iter_batches(_BATCH_ROWS, columns=list(self.columns) if self.columns else None)
        except pyarrow.ArrowInvalid as error:
            raise ValueError(f"{self.path} is no Parquet file that can be read: {error}") from error

    def _copy(self, name: str) -> Path:
        path = cache_folder() / name
        if not path.exists():
            import pyarrow.ipc

            if Stamp.of(self.path) != self.stamp:
                raise FileChangedError(self.path)
            with replacing(path) as temporary:
                batches = self._batches()
                first = next(batches)
                with pyarrow.ipc.new_file(str(temporary), first.schema) as writer:
                    writer.write_batch(first)
                    for batch in batches:
                        writer.write_batch(batch)
        return path


def cache_folder() -> Path:
    """Where Arrow copies lie: TEXTGYM_CACHE, else textgym/ in the user's cache folder. Safe to delete."""
    given = os.environ.get("TEXTGYM_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textgym"


def _read_arrow(path: Path, row: int) -> dict[str, Any]:
    file, ends = _open_arrow(str(path), os.getpid())
    batch = int(np.searchsorted(ends, row, side="right"))
    start = int(ends[batch - 1]) if batch else 0
    return file.get_batch(batch).slice(row - start, 1).to_pylist()[0]


@lru_cache(maxsize=8)
def _open_arrow(path: str, process: int) -> tuple[Any, np.ndarray]:
    """The mapped file, and the row number one past the end of each of its batches, (batches,) int64."""
    import pyarrow as pa

    file = pa.ipc.open_file(pa.memory_map(path))
    return file, np.cumsum([file.get_batch(i).num_rows for i in range(file.num_record_batches)])


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of an object that has a length and gives a dict by index: a `datasets.Dataset`, a list."""

    rows: Any
    label: str
    unit: str = "row"

    def scan(self) -> Iterator[Found]:
        for i in range(len(self.rows)):
            row = self.rows[i]
            if isinstance(row, Mapping):
                yield Found((i, 0), i + 1, dict(row))
            else:
                yield Found((i, 0), i + 1, None, f"a dict is needed, this is {_kind(row)}")

    def read(self, key: Key) -> dict[str, Any]:
        return dict(self.rows[key[0]])


def _kind(value: Any) -> str:
    names = {str: "a string", list: "a list", int: "a number", float: "a number", bool: "true or false"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
