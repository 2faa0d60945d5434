"""From what a user writes as `data=` to a task.

    load_task("summarize")                                             the embedded world
    load_task("summarize", data="news.jsonl")                          columns are looked for
    load_task("summarize", data={"path": "news.csv", "columns": {"prompt": "body", "reference": "tldr"}})
    load_task("dialogue", data={"path": "chats.jsonl", "user": "replay"})
    load_task("dialogue", data={"path": "chats.jsonl", "user": {"type": "chat", …}})  # see chat_user.py
    load_task("translate", data={"path": {"train": "a.parquet", "validation": "b.parquet"}})

The keys of the dict are the fields of `DataOptions`. A string may be that dict as JSON, so that a
command line can say all of it. Records mean the same for every `data_seed`.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from textgym import checks
from textgym.models.places import in_one_line, looks_like_path, why_no_hub
from textgym.tasks.base import Task
from textgym.tasks.chat_user import ChatUserTask, load_chat_user
from textgym.tasks.records import DEFAULT_COLUMNS, RecordTask, read_records
from textgym.tasks.rows import CsvFile, JsonLines, ParquetFile, RowSource, Stamp, Table
from textgym.types import SPLITS, Split

WORLDS: dict[str, str] = {  # name -> the class of its embedded world; loaded when it is asked for
    "summarize": "textgym.tasks.summarize.task:SummarizeTask",
    "translate": "textgym.tasks.translate.task:TranslateTask",
    "dialogue": "textgym.tasks.dialogue.task:DialogueTask",
}
FORMATS: dict[str, str] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
ON_BAD_ROW = ("raise", "skip")
USERS = ("last", "replay")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_FILE_SUFFIXES = (*FORMATS, ".json", ".txt", ".gz", ".zip", ".xlsx")  # what ends so is a file, if one we cannot read


@dataclass(frozen=True)
class DataOptions:
    """What `data={…}` takes."""

    path: Any  # a file, a saved dataset's folder, a hub name, a dict split -> file, rows in memory or a DataFrame
    columns: Mapping[str, Any] | None = None  # role -> column; the roles are `records.DEFAULT_COLUMNS`
    system: str | None = None  # a system message that every prompt begins with
    on_bad_row: str = "raise"  # or "skip", with a warning
    holdout: float = 0.0  # share of the prompts kept from training: half validation, half test
    # dialogue: answer the "last" turn, or "replay" the recorded user turn by turn, or a dict: ask a chat endpoint
    user: Any = "last"
    max_rows: int | None = None  # no more rows than this from the start of the source
    config: str | None = None  # of a dataset on the hub that has several

    def __post_init__(self) -> None:
        _require_choice("on_bad_row", self.on_bad_row, ON_BAD_ROW)
        if isinstance(self.user, Mapping):
            load_chat_user(self.user)
        elif not isinstance(self.user, str) or self.user not in USERS:
            raise ValueError(
                f'data[\'user\'] must be one of {list(USERS)} or a dict {{"type": "chat", …}}, got {self.user!r:.80}'
            )
        if self.columns is not None and not isinstance(self.columns, Mapping):
            raise TypeError(f"data['columns'] must be a dict of role -> column, got {self.columns!r}")
        for name in ("system", "config"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"data[{name!r}] must be a string, got {value!r}")
        object.__setattr__(self, "holdout", checks.number("data['holdout']", self.holdout, least=0))
        if self.holdout >= 1:
            raise ValueError(f"data['holdout'] must be a number in [0, 1), got {self.holdout!r}")
        if self.max_rows is not None:
            rows = checks.whole("data['max_rows']", self.max_rows, least=1)
            object.__setattr__(self, "max_rows", min(rows, sys.maxsize))


def load_task(name: str, data: Any = None, split: Split = "train", data_seed: int = 0) -> Task:
    """The task of a name: its embedded world, or a user's own records.

    Args:
        name: a key of `WORLDS`.
        data: None for the embedded world; a path, a hub name, rows, a dataset, a pandas DataFrame, or a dict of
            `DataOptions`.
        split: "train", "validation" or "test". A single file serves all three unless `holdout` divides it.
        data_seed: which universe of the embedded world's examples.

    Raises:
        ValueError, TypeError: what was given and what is allowed, before an episode begins.
    """
    if name not in WORLDS:
        raise ValueError(f"name must be one of {list(WORLDS)}, got {name!r}")
    checks.choice("split", split, SPLITS)
    if data is None:
        module, _, class_name = WORLDS[name].partition(":")
        return getattr(importlib.import_module(module), class_name)(split=split, data_seed=data_seed)
    options = parse_data(data)
    if options.user != "last" and "messages" not in DEFAULT_COLUMNS[name]:
        given = "'replay'" if options.user == "replay" else "a chat endpoint"
        raise ValueError(f"data['user'] is {given}, which only 'dialogue' takes, not {name!r}")
    options = _choose_split(options, split)
    if isinstance(options.path, str):
        path = Path(options.path)
        if _is_file(options):
            text = json.dumps(asdict(replace(options, path=str(path.resolve()))), sort_keys=True)
            return _load_file(name, text, split, Stamp.of(path))
    return _read(name, options, _open_dataset(options, split), split)


def parse_data(data: Any) -> DataOptions:
    """What a user may write as `data=`, as options.

    Raises:
        ValueError, TypeError: unknown keys, or nothing that has rows.
    """
    if isinstance(data, str) and not data.strip():
        raise ValueError("data must not be empty: give a file, a folder, a hub name, or leave it out")
    if isinstance(data, str) and data.lstrip().startswith("[") and not Path(data).exists():
        raise ValueError(f'data as JSON must be a dict of options, {{"path": …}}, got the list {data!r:.80}')
    if isinstance(data, str) and data.lstrip().startswith("{"):
        try:
            data = json.loads(data)
        except ValueError as error:
            raise ValueError(f"data looks like JSON and is none ({error}): {data!r}") from None
    if isinstance(data, Mapping) and not _is_from_datasets(data):
        known = [f.name for f in fields(DataOptions)]
        unknown = sorted(set(map(str, data)) - set(known))
        if unknown or "path" not in data:
            raise ValueError(f"data takes the keys {known} ('path' is required), got {sorted(map(str, data))}")
        options = DataOptions(**data)
    else:
        options = DataOptions(path=data)
    path = options.path
    if isinstance(path, Mapping) and not _is_from_datasets(path):
        path = {key: _plain(part) for key, part in path.items()}
        for key, part in path.items():
            if isinstance(part, Mapping) and not _is_from_datasets(part):
                raise TypeError(f"data['path'][{key!r}] must be a path, a hub name or rows, got the dict {part!r:.80}")
    else:
        path = _plain(path)
        if not isinstance(path, str):
            _require_rows(path)
    return replace(options, path=path)


def is_frame(value: Any) -> bool:
    """Whether this is a DataFrame of pandas, by what it can do: nothing is imported."""
    return hasattr(value, "iloc") and hasattr(value, "columns") and callable(getattr(value, "to_dict", None))


def _plain(place: Any) -> Any:
    """A path as a string, a DataFrame as its rows; anything else as it is."""
    if isinstance(place, os.PathLike):
        return os.fspath(place)
    return place.to_dict("records") if is_frame(place) else place


def _require_choice(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"data[{name!r}] must be one of {list(allowed)}, got {value!r}")


def _is_from_datasets(value: Any) -> bool:
    """Asked by name: the library takes seconds to import and need not be there."""
    return type(value).__module__.partition(".")[0] == "datasets"


def _require_rows(value: Any) -> None:
    """Rows in memory have a length and are had by their number; an endless stream has neither."""
    allowed = (
        "data must be a path, a hub name, a list of dicts, a datasets.Dataset, a pandas DataFrame or a dict of options"
    )
    if isinstance(value, str | bytes) or not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        raise TypeError(
            f"{allowed}, got {type(value).__name__}; "
            "a stream is refused because example i must be the same one every time"
        )
    try:
        if len(value) and not isinstance(value, Mapping):
            value[0]
    except (KeyError, IndexError, TypeError) as error:
        raise TypeError(
            f"{allowed}, got {type(value).__name__}, whose rows are not had by their number: "
            f"data[0] raises {type(error).__name__}"
        ) from error


def _choose_split(options: DataOptions, split: Split) -> DataOptions:
    """Where each split has a place of its own, the place of this one."""
    path = options.path
    if not isinstance(path, Mapping):
        return options
    if _is_from_datasets(path) and not set(path) & set(SPLITS):
        raise ValueError(f"data has the splits {sorted(map(str, path))}, none of {list(SPLITS)}")
    if not _is_from_datasets(path):
        unknown = sorted(set(map(str, path)) - set(SPLITS))
        if unknown or not path:
            raise ValueError(f"data['path'] takes the splits {list(SPLITS)}, got {sorted(map(str, path))}")
    if options.holdout and len(path) > 1:
        raise ValueError(f"data['holdout'] divides one file, but data['path'] has the splits {sorted(path)} already")
    if options.holdout or (_is_from_datasets(path) and len(path) == 1):
        return replace(options, path=next(iter(path.values())))  # one part serves every split
    if split not in path:
        raise ValueError(f"data['path'] has no split {split!r}, it has {sorted(map(str, path))}")
    return replace(options, path=path[split])


def _is_file(options: DataOptions) -> bool:
    """Whether the path is a regular file; refuses what can be read only once.

    Raises:
        ValueError: a stream, or a file that does not exist.
    """
    text = options.path
    if text == "-" or re.match(r"[a-z][a-z0-9+]*://", text):
        raise ValueError(f"data={text!r} is a stream or a URL; save it to a file first")
    path = Path(text)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if _HUB_NAME.fullmatch(text) and path.suffix.lower() not in _FILE_SUFFIXES and not looks_like_path(text):
            return False
        raise ValueError(f"data={text!r} cannot be read: {error.strerror or error}") from None
    if stat.S_ISDIR(mode):
        return False
    if not stat.S_ISREG(mode):
        raise ValueError(
            f"data={text!r} is a pipe or a device: an endless stream is refused, because example i must be the "
            "same one every time; save its rows to a file first"
        )
    return True


@lru_cache(maxsize=16)
def _load_file(name: str, options: str, split: Split, stamp: Stamp) -> RecordTask:
    """One walk over a file for all the envs of a run; a changed file has another stamp."""
    parsed = DataOptions(**json.loads(options))
    return _read(name, parsed, open_file(Path(parsed.path), stamp), split)


def open_file(path: Path, stamp: Stamp) -> RowSource:
    """The source for a file, by its suffix.

    Raises:
        ValueError: an unknown format, an empty file, or a broken header.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"data={str(path)!r} has an unknown format, allowed are {list(FORMATS)}")
    if stamp.size == 0:
        raise ValueError(f"{path} is empty, at least one row is needed")
    if kind == "jsonl":
        return JsonLines(path, stamp)
    return CsvFile.open(path, stamp) if kind == "csv" else ParquetFile(path, stamp)


def _open_dataset(options: DataOptions, split: Split) -> RowSource:
    """A dataset of the `datasets` library (in memory, in a folder, on the hub), or a list of rows."""
    rows: Any = options.path
    label = "data"
    if isinstance(rows, str):
        label = rows
        rows = _load_folder(rows) if Path(rows).is_dir() else _load_from_hub(rows, options.config)
        if isinstance(rows, Mapping):
            rows = _choose_split(replace(options, path=rows), split).path
    _require_rows(rows)
    return Table(rows, label)


def _load_folder(path: str) -> Any:
    if not any((Path(path) / name).exists() for name in ("dataset_info.json", "state.json", "dataset_dict.json")):
        raise ValueError(
            f"data={path!r} is a folder that no dataset's save_to_disk has written; "
            f"give a file ({', '.join(FORMATS)}) or such a folder"
        )
    return _datasets(path).load_from_disk(path)


def _load_from_hub(name: str, config: str | None) -> Any:
    """A dataset of the hub, or of the cache where the hub cannot be reached: asked once, not again and again."""
    datasets = _datasets(name)
    why = why_no_hub()
    try:
        if why is None:
            return datasets.load_dataset(name, config)
        with _offline(datasets):
            return datasets.load_dataset(name, config)
    except (OSError, ValueError) as error:  # not found, several configs, not in the cache
        reason = in_one_line(error) if why is None else f"{why} ({in_one_line(error)}); a path begins with ./ or /"
        raise ValueError(f"data={name!r} is neither a file here nor a dataset that the hub gives: {reason}") from error


@contextmanager
def _offline(datasets: Any) -> Iterator[None]:
    """Inside, the datasets library looks into its cache alone."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _datasets(path: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise ImportError(f"data={path!r} needs the datasets library: pip install 'textgym[data]'") from error
    return datasets


def _read(name: str, options: DataOptions, source: RowSource, split: Split) -> RecordTask:
    records = read_records(
        name,
        source,
        columns=options.columns,
        system=options.system,
        replays=options.user != "last",
        split=split,
        holdout=float(options.holdout),
        max_rows=options.max_rows,
        skips_bad_rows=options.on_bad_row == "skip",
    )
    return ChatUserTask.of(records, load_chat_user(options.user)) if isinstance(options.user, Mapping) else records
