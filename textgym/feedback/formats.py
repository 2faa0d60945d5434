"""Files of items and judgements, in and out.

In, recognised by its columns or named: our own rows, TRL's prompt/chosen/rejected, HH transcripts, HelpSteer's
attributes, crowd-kit's task/worker/label, OpenAI's comparisons of summaries, UltraFeedback, direct assessments as WMT
has them (sources.py). Out: the first five. A format that cannot say something leaves it out, and says how much.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from textgym.feedback.items import SCALE, Item, Judged, Verdict
from textgym.feedback.preferences import Preference, write_preferences
from textgym.feedback.sources import HELPSTEER, MARGIN_OF, READERS, TURN, Found, recognise
from textgym.files import write_text
from textgym.types import Message

WRITERS = ("textgym", "trl", "hh", "helpsteer", "crowdkit")


class Written(NamedTuple):
    """How many rows a file got, and what it could not hold: reason -> judgements."""

    rows: int
    left_out: Counter[str]


def read_file(path: str | Path, format: str = "auto", task: str | None = None) -> Found:
    """Items and judgements of a file, JSON lines or CSV; an item that several rows name is there once.

    Args:
        path: ending with .csv or .tsv, else JSON lines.
        format: a name in `READERS`, or "auto": what the columns of the first row speak for.
        task: whose guideline page goes with the items; left out, what the file says.

    Raises:
        ValueError: an unknown format, no rows, or one that does not fit: file, line and reason.
    """
    if format not in ("auto", *READERS):
        raise ValueError(f"format must be one of {['auto', *READERS]}, got {format!r}")
    items: dict[str, Item] = {}
    judged: list[Judged] = []
    number = 0
    for number, row in _rows(path):
        try:
            name = recognise(row) if format == "auto" else format
            found = READERS[name](row)
            for item in found.items:
                _keep(items, _with_task(item, task))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{path}, line {number}: {reason}") from error
        judged += found.judged
    if not number:
        raise ValueError(f"{path} has no rows: it is empty")
    return Found(list(items.values()), judged)


def write_file(path: str | Path, format: str, items: Sequence[Item], judged: Sequence[Judged]) -> Written:
    """Writes judgements in one of the formats `WRITERS`; the old file stays until the new one is whole.

    All but our own leave gold and quiz items out, which measure raters, and skips.
    """
    if format not in WRITERS:
        raise ValueError(f"format must be one of {list(WRITERS)}, got {format!r}")
    if format == "textgym":
        return _write_rows(path, list(_own_rows(items, judged)), Counter())
    by_key = {item.key: item for item in items}
    left_out: Counter[str] = Counter()
    work = [(by_key[one.key], one) for one in judged if not _is_left_out(by_key[one.key], one, left_out)]
    if format == "trl":
        preferences = list(to_preferences(work, left_out))
        write_preferences(path, preferences)
        return Written(len(preferences), left_out)
    if format == "hh":
        return _write_rows(path, list(_hh_rows(to_preferences(work, left_out), left_out)), left_out)
    if format == "helpsteer":
        return _write_rows(path, list(_helpsteer_rows(work, left_out)), left_out)
    return _write_crowdkit(path, work, left_out)


def to_preferences(work: Sequence[tuple[Item, Judged]], left_out: Counter[str]) -> Iterator[Preference]:
    """One preference a judged pair, and one for each two responses that a ranking tells apart.

    `margin` is the strength as 1/3, 2/3 or 1 (`MARGIN_OF`), or what an imported comparison said. Ties say nothing
    in this shape and are counted in `left_out`, and so are ratings.
    """
    for item, one in work:
        if item.kind == "rating":
            left_out["ratings"] += 1
            continue
        better = _better(one.verdict) if item.prompt else []
        if not better:
            left_out["ties" if item.prompt else "judgements without a prompt"] += 1
        for chosen, rejected in better:
            yield Preference(
                prompt=item.prompt,
                chosen=item.responses[chosen],
                rejected=item.responses[rejected],
                margin=_margin(one.verdict),
                raters=() if one.rater is None else (one.rater,),
                source=item.origin,
                simulated=one.simulated,
                chosen_is_left=is_on_the_left(one, chosen),
            )


def is_on_the_left(one: Judged, response: int) -> bool | None:
    """Whether a pair's response stood on the left of the rater's screen; None where nobody knows."""
    return one.shown[0] == response if len(one.shown) == 2 else None


def _better(verdict: Verdict) -> list[tuple[int, int]]:
    """(better, worse) for each two responses that the verdict tells apart."""
    if verdict.choice in ("a", "b"):
        return [(0, 1) if verdict.choice == "a" else (1, 0)]
    ranks = verdict.ranks
    return [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]]


def _margin(verdict: Verdict) -> float:
    if verdict.margin is not None:
        return verdict.margin
    return MARGIN_OF[verdict.strength] if verdict.strength else 0.0


def _is_left_out(item: Item, one: Judged, left_out: Counter[str]) -> bool:
    reason = "gold and quiz items" if item.purpose != "work" else "skips" if one.verdict.is_skip else ""
    if reason:
        left_out[reason] += 1
    return bool(reason)


def _own_rows(items: Sequence[Item], judged: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    """All that is known: an item a line, with its judgements."""
    of_item: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in judged:
        fields = {**_shortened(asdict(one.verdict)), "rater": one.rater, "shown": one.shown}
        fields |= {"seconds": one.seconds, "time": one.time, "simulated": one.simulated}
        of_item[one.key].append(_shortened(fields))
    for item in items:
        row = asdict(item)
        row["prompt"] = [m._asdict() for m in item.prompt]
        row["responses"] = [{"text": [m._asdict() for m in r]} for r in item.responses]
        row["answer"] = None if item.answer is None else _shortened(asdict(item.answer))
        yield {"prompt": row["prompt"], **_shortened(row), "judgements": of_item[item.key]}


def _shortened(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty; zeros stay."""
    return {name: v for name, v in fields.items() if v not in (None, "", (), {}, []) and v is not False}


def _hh_rows(preferences: Iterator[Preference], left_out: Counter[str]) -> Iterator[dict[str, str]]:
    """`chosen` and `rejected` as whole transcripts."""
    for preference in preferences:
        sides = [_transcript(preference.prompt + side) for side in (preference.chosen, preference.rejected)]
        if None in sides:
            left_out["pairs that the HH form cannot say: other roles, or its marks inside a text"] += 1
        else:
            yield {"chosen": str(sides[0]), "rejected": str(sides[1])}


def _transcript(messages: Sequence[Message]) -> str | None:
    names = {"user": "Human", "assistant": "Assistant"}
    if any(m.role not in names or TURN.search(m.content) for m in messages):
        return None
    return "".join(f"\n\n{names[m.role]}: {m.content}" for m in messages)


def _helpsteer_rows(work: Sequence[tuple[Item, Judged]], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """A row a response: means over raters, on HelpSteer's scale from 0 to 4 (Wang et al., 2023)."""
    values: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    by_key = {item.key: item for item, _ in work}
    for item, one in work:
        numbers = [one.verdict.rating, *(v for scores in one.verdict.criteria.values() for v in scores)]
        if any(v is not None and not SCALE[0] <= v <= SCALE[1] for v in numbers):
            left_out["ratings on another scale than 1 to 5"] += 1
            continue
        if one.verdict.rating is not None:
            values[item.key, 0]["helpfulness"].append(one.verdict.rating)
        elif not one.verdict.criteria:
            left_out["judgements without ratings"] += 1
        for name, scores in one.verdict.criteria.items():
            for i, score in enumerate(scores):
                if score is not None and not (name.lower() == "helpfulness" and one.verdict.rating is not None):
                    values[item.key, i][name.lower()].append(score)
    for (key, i), attributes in values.items():
        item = by_key[key]
        is_plain = len(item.prompt) == 1
        means = {name: round(float(np.mean(scores)) - 1, 4) for name, scores in attributes.items()}
        ordered = sorted(means, key=lambda n: (("helpfulness", *HELPSTEER).index(n) if n in HELPSTEER else -1, n))
        yield {
            "id": key if len(item.responses) == 1 else f"{key}-{i}",
            "prompt": item.prompt[0].content if is_plain else [m._asdict() for m in item.prompt],
            "response": "\n\n".join(m.content for m in item.responses[i] if m.role == "assistant"),
            **{name: means[name] for name in ordered},
        }


def _write_crowdkit(path: str | Path, work: Sequence[tuple[Item, Judged]], left_out: Counter[str]) -> Written:
    text, rows = io.StringIO(), 0
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("task", "worker", "label"))
    for item, one in work:
        if one.rater is None or item.kind == "ranking":
            left_out["rankings" if item.kind == "ranking" else "judgements of nobody knows whom"] += 1
            continue
        label = one.verdict.choice if item.kind == "pair" else format(one.verdict.rating, "g")
        writer.writerow((item.key, one.rater, label))
        rows += 1
    write_text(path, text.getvalue())
    return Written(rows, left_out)


def _write_rows(path: str | Path, rows: Sequence[Any], left_out: Counter[str]) -> Written:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return Written(len(rows), left_out)


def _rows(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, row) of JSON lines or CSV."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            if str(path).lower().endswith((".csv", ".tsv")):
                reader = csv.DictReader(file, delimiter="\t" if str(path).lower().endswith(".tsv") else ",")
                for row in reader:
                    yield reader.line_num, {name: value for name, value in row.items() if name}
            else:
                yield from _json_rows(file, path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} could not be read: {error}") from error


def _json_rows(file: Any, path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: no JSON: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: must be a JSON object, got {type(row).__name__}")
        yield number, row


def _with_task(item: Item, task: str | None) -> Item:
    from dataclasses import replace

    return item if task is None else replace(item, task=task)


def _keep(items: dict[str, Item], item: Item) -> None:
    old = items.setdefault(item.key, item)
    if (old.prompt, old.responses) != (item.prompt, item.responses):
        raise ValueError(f"key {item.key!r} is that of another item: give each its own")
