"""A user's own records as tasks: what a row of a table or a recorded conversation means.

`RowReader` turns one row into an `Example` or says why it cannot. `read_records` walks a source
once, keeps the keys of the rows that fit and collects all that do not; afterwards a task reads
one row at a time, so a file may be larger than memory. What is not here: file formats
(`rows.py`), what a user may write as `data=` (`load.py`), and a gold judge, because nobody knows
the meaning of these texts.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from textgym.tasks.rows import Found, ParquetFile, RowSource
from textgym.types import SPLITS, Example, Message, Split, Transcript

SHOWN = 5  # bad rows that an error spells out; all are counted
SAMPLED = 64  # rows whose columns decide what is looked for in all

# The columns that each role is looked for in, in this order. A dot steps into a nested record.
DEFAULT_COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "summarize": {
        "prompt": ("document", "text", "article", "prompt"),
        "reference": ("summary", "summaries", "target", "highlights", "references", "reference"),
    },
    "translate": {
        "prompt": ("source", "translation.en", "en", "prompt"),
        "reference": ("target", "translation.de", "de", "references", "reference"),
    },
    "dialogue": {"messages": ("messages", "conversation")},
}
# Other words for the roles of a column map.
ALIASES: dict[str, dict[str, str]] = {
    "summarize": {"document": "prompt", "summary": "reference"},
    "translate": {"source": "prompt", "target": "reference"},
    "dialogue": {"conversation": "messages"},
}
OPTIONAL_ROLES = frozenset({"reference"})
# A tool's result is something the policy is told and does not choose, so it counts as the user's.
CHAT_ROLES = {"system": "system", "user": "user", "assistant": "assistant", "tool": "user"}


class BadRowError(ValueError):
    """Why a row does not fit; caught and collected by `read_records`."""


@dataclass(frozen=True)
class Recorded:
    """`Example.meta` of a replayed conversation."""

    user_turns: tuple[str, ...]  # what the user said after the policy's first turn, second turn, …
    answers: tuple[str, ...] = ()  # what the assistant said at its first turn, second turn, …


@dataclass(frozen=True)
class RowReader:
    """How the rows of one source become examples."""

    world: str  # "summarize", "translate" or "dialogue"
    columns: Mapping[str, tuple[str, ...]]  # role -> columns; a role may draw on several
    system: str | None = None  # a system message that every prompt begins with
    replays: bool = False  # dialogue: play the recorded user turn by turn
    needs_reference: bool = True

    def read(self, row: Mapping[str, Any]) -> Example:
        """The example of a row.

        Raises:
            BadRowError: the row does not fit, with the reason.
        """
        if self.world == "dialogue":
            return self._read_conversation(row)
        (column,) = self.columns["prompt"]
        text = _text(lookup(row, column), f"column {column!r}")
        references = [r for c in self.columns.get("reference", ()) for r in _texts(lookup(row, c), f"column {c!r}")]
        return Example(self._opening((Message("user", text),)), tuple(dict.fromkeys(references)))

    def top_columns(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The columns of a table that this reads, without the steps into nested records."""
        named = [c for columns in self.columns.values() for c in columns]
        return tuple(dict.fromkeys(c if c in row else c.split(".")[0] for c in named))

    def _opening(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if self.system is None:
            return messages
        return (Message("system", self.system), *(m for m in messages if m.role != "system"))

    def _read_conversation(self, row: Mapping[str, Any]) -> Example:
        (column,) = self.columns["messages"]
        messages = _messages(lookup(row, column), column)
        if not any(m.role == "user" for m in messages):
            raise BadRowError(f"column {column!r} has no user message")
        spoken = [i for i, m in enumerate(messages) if m.role == "assistant"]
        if self.replays:
            first_user = next(i for i, m in enumerate(messages) if m.role == "user")
            answers = [i for i in spoken if i > first_user]
            cut = answers[0] if answers else len(messages)
            said = {role: tuple(m.content for m in messages[cut:] if m.role == role) for role in ("user", "assistant")}
            meta = Recorded(said["user"], said["assistant"])
        else:
            answers = spoken[-1:]
            cut = answers[0] if answers else len(messages)
            meta = None
            if not any(m.role == "user" for m in messages[:cut]):
                raise BadRowError(f"column {column!r} has no user message before the last assistant message")
        if self.needs_reference and not answers:
            raise BadRowError(f"column {column!r} has no assistant message to take as the reference")
        references = (messages[cut].content,) if answers else ()
        return Example(self._opening(messages[:cut]), references, meta)


def lookup(row: Mapping[str, Any], column: str) -> Any:
    """The value in a column; "a.b" is the column of that name, else field b of column a.

    Raises:
        BadRowError: there is none.
    """
    if column in row:
        return row[column]
    value: Any = row
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise BadRowError(f"no column {column!r}; it has {sorted(map(str, row))}")
        value = value[part]
    return value


def _text(value: Any, where: str) -> str:
    """A string that says something and that UTF-8 can write."""
    if value is None:
        raise BadRowError(f"{where} is null")
    if not isinstance(value, str):
        raise BadRowError(f"{where} must be a string, got {type(value).__name__}")
    if not value.strip():
        raise BadRowError(f"{where} is empty")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRowError(f"{where} is not UTF-8 (character {error.start})") from None
    return value


def _texts(value: Any, where: str) -> list[str]:
    if isinstance(value, list | tuple | np.ndarray):
        if len(value) == 0:
            raise BadRowError(f"{where} is an empty list")
        return [_text(v, f"{where}[{i}]") for i, v in enumerate(value)]
    return [_text(value, where)]


def _messages(value: Any, column: str) -> tuple[Message, ...]:
    """A recorded conversation; neighbours of one role become one message, as chat templates want it."""
    if isinstance(value, str) and value.lstrip().startswith("["):  # JSON in a CSV's field
        try:
            value = json.loads(value)
        except ValueError as error:
            raise BadRowError(f"column {column!r} is no JSON list of messages ({error})") from None
    if not isinstance(value, list | tuple | np.ndarray) or len(value) == 0:
        raise BadRowError(f"column {column!r} must be a list of messages, got {_describe(value)}")
    merged: list[Message] = []
    for i, item in enumerate(value):
        where = f"{column}[{i}]"
        if not isinstance(item, Mapping) or "role" not in item or "content" not in item:
            raise BadRowError(f"{where} must have a role and a content, got {_describe(item)}")
        role = CHAT_ROLES.get(item["role"]) if isinstance(item["role"], str) else None
        if role is None:
            raise BadRowError(f"{where} has the role {item['role']!r}, allowed are {list(CHAT_ROLES)}")
        if role == "system" and i > 0:
            raise BadRowError(f"{where} is a system message, which may only come first")
        content = _text(item["content"], f"the content of {where}")
        if merged and merged[-1].role == role:
            merged[-1] = Message(role, merged[-1].content + "\n" + content)
        else:
            merged.append(Message(role, content))
    return tuple(merged)


def _describe(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def resolve_reader(
    world: str,
    samples: Sequence[Mapping[str, Any]],
    label: str,
    columns: Mapping[str, Any] | None = None,
    system: str | None = None,
    replays: bool = False,
) -> RowReader:
    """Finds each role's columns in the first rows of a source; all rows must be like most of them.

    Args:
        world: a key of `DEFAULT_COLUMNS`.
        samples: the first rows that could be read, at least one.
        label: how messages name the source.
        columns: role -> column, or a list of columns; what is left out is looked for.

    Raises:
        ValueError: an unknown role, a column that is not there, or no prompt.
    """
    chosen = _chosen_columns(world, columns or {})
    known = list(dict.fromkeys(str(name) for row in samples for name in row))
    found: dict[str, tuple[str, ...]] = {}
    for role, candidates in DEFAULT_COLUMNS[world].items():
        if role in chosen:
            for column in chosen[role]:
                if not _share(samples, column):
                    raise ValueError(f"columns: {role!r} is mapped to {column!r}, but {label} has the columns {known}")
            found[role] = chosen[role]
        elif present := _present(samples, candidates):
            several = role == "reference" and "references" in present
            found[role] = tuple(dict.fromkeys([present[0], "references"])) if several else present[:1]
        elif role not in OPTIONAL_ROLES:
            raise ValueError(
                f"columns: no {role} for {world!r} in {label}, which has the columns {known} and none of "
                f"{[*candidates]}; name one with data={{'path': …, 'columns': {{{role!r}: '…'}}}}"
            )
    reader = RowReader(world, found, system, replays, needs_reference=False)
    if world != "dialogue":
        return reader
    answered = [has for row in samples if (has := _has_reference(reader, row)) is not None]
    return replace(reader, needs_reference=sum(answered) * 2 >= max(1, len(answered)))


def _present(samples: Sequence[Mapping[str, Any]], candidates: Sequence[str]) -> tuple[str, ...]:
    return tuple(c for c in candidates if _share(samples, c) >= 0.5)


def _share(samples: Sequence[Mapping[str, Any]], column: str) -> float:
    return sum(_has(row, column) for row in samples) / len(samples)


def _has_reference(reader: RowReader, row: Mapping[str, Any]) -> bool | None:
    """None where the row does not fit at all; it is reported with the others."""
    try:
        return bool(reader.read(row).references)
    except BadRowError:
        return None


def _chosen_columns(world: str, columns: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    roles = DEFAULT_COLUMNS[world]
    chosen: dict[str, tuple[str, ...]] = {}
    for given, column in columns.items():
        role = ALIASES[world].get(given, given)
        if role not in roles:
            raise ValueError(f"columns has the unknown key {given!r}, {world!r} takes {list(roles)}")
        names = [column] if isinstance(column, str) else column
        if not isinstance(names, list | tuple) or not names or not all(isinstance(c, str) for c in names):
            raise TypeError(f"columns[{given!r}] must be a column's name or a list of them, got {column!r}")
        if role != "reference" and len(names) > 1:
            raise ValueError(f"columns[{given!r}] takes one column, got {list(names)}")
        if role in chosen:
            raise ValueError(f"columns names {role!r} twice: {sorted(columns)}")
        chosen[role] = tuple(names)
    return chosen


def _has(row: Mapping[str, Any], column: str) -> bool:
    try:
        lookup(row, column)
    except BadRowError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class RecordTask:
    """Recorded examples, one policy turn each. Immutable; a copy of it is itself."""

    name: str
    source: RowSource
    reader: RowReader
    keys: np.ndarray  # (n, 2) int64, where each row lies in the source
    num_without_reference: int = 0  # rows that no metric could score

    def __post_init__(self) -> None:
        self.keys.setflags(write=False)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self.keys):
            raise IndexError(f"index must be in [0, {len(self.keys)}), got {index}")
        start, stop = self.keys[index].tolist()
        return self.reader.read(self.source.read((start, stop)))

    def __deepcopy__(self, memo: dict[int, Any]) -> RecordTask:
        return self

    def require_references(self, reward: str) -> None:
        """Raises ValueError now if a reward that compares with references would meet rows without one."""
        if not self.num_without_reference:
            return
        label, told = self.source.label, f"reward {reward!r} compares with references, and "
        if self.name == "dialogue":
            raise ValueError(
                f"{told}{self.num_without_reference} of {len(self)} conversations of {label} have no answer of the "
                f"assistant in the column {self.reader.columns['messages'][0]!r}"
            )
        candidates = list(DEFAULT_COLUMNS[self.name]["reference"])
        raise ValueError(
            f"{told}{label} has no column of them (none of {candidates}); "
            "name it with data={'path': …, 'columns': {'reference': '…'}}"
        )


class ReplayTask(RecordTask):
    """Recorded conversations: the user says what the record says, whatever the policy says."""

    def reply(self, transcript: Transcript, rng: np.random.Generator) -> str | None:
        """The recorded user's next turn; None at the end of the record."""
        turns = transcript.meta.user_turns
        said = len(transcript.responses)
        return turns[said - 1] if 0 < said <= len(turns) else None


def read_records(
    world: str,
    source: RowSource,
    *,
    columns: Mapping[str, Any] | None = None,
    system: str | None = None,
    replays: bool = False,
    split: Split = "train",
    holdout: float = 0.0,
    max_rows: int | None = None,
    skips_bad_rows: bool = False,
) -> RecordTask:
    """Walks the source once and keeps the rows that fit and belong to the split.

    Args:
        world: "summarize", "translate" or "dialogue".
        columns: role -> column.
        system: a system message for every prompt.
        replays: dialogue: replay the recorded user.
        split: which part of the rows, where `holdout` > 0.
        holdout: share of the prompts kept from training: half validation, half test.
        max_rows: read no more rows than this from the start of the source.
        skips_bad_rows: warn about rows that do not fit and go on.

    Raises:
        ValueError: rows that do not fit, an empty source or split, columns that are not there.
    """
    samples = list(islice((f.row for f in islice(source.scan(), max_rows) if f.row is not None), SAMPLED))
    if not samples:
        first = next(source.scan(), None)
        if first is None:
            raise ValueError(f"{source.label} is empty, at least one row is needed")
        shown = [f"{source.unit} {f.place}: {f.fault}" for f in islice(source.scan(), SHOWN)]
        raise _refusal(source, shown, sum(1 for _ in islice(source.scan(), max_rows)), 0)
    reader = resolve_reader(world, samples, source.label, columns, system, replays)
    if isinstance(source, ParquetFile):
        source = source.narrowed(reader.top_columns(samples[0]))
    keys: list[tuple[int, int]] = []
    faults: list[str] = []
    num_bad = num_rows = num_without_reference = 0
    for found in islice(source.scan(), max_rows):
        num_rows += 1
        try:
            example = _read_found(reader, found)
        except BadRowError as error:
            num_bad += 1
            if len(faults) < SHOWN:
                faults.append(f"{source.unit} {found.place}: {error}")
        else:
            if holdout == 0 or split_of(example, holdout) == split:
                keys.append(found.key)
                num_without_reference += not example.references
    if num_bad and (not skips_bad_rows or num_bad == num_rows):
        raise _refusal(source, faults, num_bad, num_rows)
    if num_bad:
        first_faults = "; ".join(faults)
        skipped = f"skipped {num_bad} of {num_rows} rows that do not fit ({first_faults}{_more(num_bad)})"
        message = f"{source.label}: {skipped}"
        warnings.warn(message, stacklevel=4)
    if not keys:
        raise ValueError(f"split {split!r} of {source.label} is empty: none of {num_rows} rows with holdout={holdout}")
    kind = ReplayTask if replays else RecordTask
    return kind(world, source, reader, np.array(keys, dtype=np.int64), num_without_reference)


def split_of(example: Example, holdout: float) -> Split:
    """By a hash of the prompt, so that rows with equal prompts lie in one split, whatever their order."""
    text = json.dumps([m for m in example.prompt if m.role != "system"])
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64  # in [0, 1)
    train, validation, test = SPLITS
    return train if number >= holdout else validation if number >= holdout / 2 else test


def _read_found(reader: RowReader, found: Found) -> Example:
    if found.row is None:
        raise BadRowError(found.fault)
    return reader.read(found.row)


def _refusal(source: RowSource, faults: Sequence[str], num_bad: int, num_rows: int) -> ValueError:
    of = f" of {num_rows}" if num_rows else ""
    lines = [f"{num_bad}{of} rows of {source.label} do not fit:"]
    lines += [f"  {source.label}, {fault}" for fault in faults]
    if num_bad > len(faults):
        lines.append(f"  and {num_bad - len(faults)} more")
    if num_bad < num_rows:
        lines.append("mend them, or leave them out with data={'path': …, 'on_bad_row': 'skip'}")
    return ValueError("\n".join(lines))


def _more(num_bad: int) -> str:
    return f"; and {num_bad - SHOWN} more" if num_bad > SHOWN else ""
