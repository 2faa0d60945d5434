"""What the judgements say of themselves: agreement, raters, items in dispute.

The live page and `textgym feedback report` call the same function, so they say the same. Everything is
computed from columns of numbers; nothing is kept between two calls but the live page's last fit of the raters, who
can be believed and by how much (reliability.py). Gold and quiz items measure raters and stay out of the agreement.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from textgym.feedback.agreement import Level, bootstrap_interval, krippendorff_alpha
from textgym.feedback.items import KINDS
from textgym.feedback.reliability import PairVerdicts, Reliability, fit_reliability
from textgym.feedback.store import read_seed_and_settings

NUM_DISPUTES = 20
REPLICATES = 500  # of the bootstrap
SIDE_Z = 3.0  # standard errors from one half at which a taste for a side is marked
COLUMNS = """SELECT j.item_id, coalesce(j.rater_id, -1),
    CASE items.kind WHEN 'pair' THEN 0 WHEN 'rating' THEN 1 ELSE 2 END,
    CASE items.purpose WHEN 'work' THEN 1 ELSE 0 END,
    CASE j.choice WHEN 'a' THEN 1 WHEN 'b' THEN -1 WHEN 'tie' THEN 0 WHEN 'skip' THEN NULL ELSE j.rating END,
    CASE j.choice WHEN 'skip' THEN 1 ELSE 0 END,
    CASE j.choice WHEN 'a' THEN 1 - j.first WHEN 'b' THEN j.first END,
    CASE WHEN j.correct THEN 1 WHEN NOT j.correct THEN 0 END, j.seconds, CASE WHEN j.simulated THEN 1 ELSE 0 END,
    coalesce(1 - 2 * j.first, 0)
    FROM judgements j JOIN items ON items.id = j.item_id ORDER BY j.id"""
RANKINGS = """SELECT j.item_id, coalesce(j.rater_id, -1) AS rater, j.details FROM judgements j
    JOIN items ON items.id = j.item_id WHERE items.kind = 'ranking' AND items.purpose = 'work' AND j.choice <> 'skip'"""
TOTALS = """SELECT count(*) AS items, coalesce(sum(CASE WHEN done >= :k THEN 1 ELSE 0 END), 0) AS complete
    FROM items WHERE purpose = 'work'"""


class Columns(NamedTuple):
    """m judgements, every column (m,) float64, nan where there is nothing to say."""

    item: np.ndarray
    rater: np.ndarray  # -1 where nobody knows who
    kind: np.ndarray  # index into KINDS
    is_work: np.ndarray
    value: np.ndarray  # pairs: 1 for a, 0 tie, -1 for b; ratings: the rating
    is_skip: np.ndarray
    is_left: np.ndarray  # pairs with a chosen side that is known: whether it was the left one
    is_right: np.ndarray  # gold and quiz items: whether the answer was
    seconds: np.ndarray
    is_simulated: np.ndarray
    side: np.ndarray  # pairs: 1 where response a stood on the left, -1 on the right, 0 unknown


class Opinions(NamedTuple):
    """m values that raters can agree on: of work items of one kind, skips left out."""

    unit: np.ndarray  # (m,) int64 from 0, what they speak of: an item, of a ranking each two of its responses
    item: np.ndarray  # (m,) int64
    rater: np.ndarray  # (m,) int64
    value: np.ndarray  # (m,) float64


def make_report(
    connection: sa.Connection, reliability: Callable[[PairVerdicts], Reliability | None] = fit_reliability
) -> dict[str, Any]:
    """Figures of a store, ready for JSON; what is not defined is None.

    Args:
        connection: to the store.
        reliability: what fits the raters; the live page gives `BackgroundFit.latest`, which does not wait.

    Returns:
        `judgements`, `simulated` (of them, by simulated raters), `items`, `complete` (items with k
        judgements), `k`, `agreement` (one entry a kind of item), `raters`, `disputes`, `fitted` (judgements of
        pairs, and of how many of them the raters' reliability is).
    """
    k = read_seed_and_settings(connection)[1].k
    totals = connection.execute(sa.text(TOTALS), {"k": k}).one()
    columns = read_columns(connection)
    opinions = {kind: opinions_of(connection, columns, kind) for kind in KINDS}
    opinions = {kind: found for kind, found in opinions.items() if len(found.value)}
    tables = {kind: to_table(found) for kind, found in opinions.items()}
    verdicts = pair_verdicts(columns)
    fitted = reliability(verdicts) or Reliability(0, {})
    agreed = [_agreed(found, tables[kind]) for kind, found in opinions.items()]
    return {
        "judgements": len(columns.item),
        "simulated": int(columns.is_simulated.sum()),
        "items": totals.items,
        "complete": int(totals.complete),
        "k": k,
        "agreement": [_agreement(kind, tables[kind]) for kind in opinions],
        "raters": _raters(connection, columns, agreed, fitted),
        "disputes": _disputes(connection, opinions),
        "fitted": {"pairs": len(verdicts.item), "of": fitted.num_judgements},
    }


def read_columns(connection: sa.Connection) -> Columns:
    """All judgements; straight from the driver, since a row object each would take most of the time."""
    cursor = connection.connection.cursor()
    cursor.execute(COLUMNS)
    rows = cursor.fetchall()
    cursor.close()
    return Columns(*np.array(rows, dtype=np.float64).reshape(-1, len(Columns._fields)).T)


def pair_verdicts(columns: Columns) -> PairVerdicts:
    """The judgements of work pairs by raters who are known, skips left out."""
    kept = (columns.kind == 0) & (columns.is_work == 1) & ~np.isnan(columns.value) & (columns.rater >= 0)
    names = ("item", "rater", "value", "side")
    return PairVerdicts(*(getattr(columns, name)[kept].astype(np.int64) for name in names))


def opinions_of(connection: sa.Connection, columns: Columns, kind: str) -> Opinions:
    """What is comparable among the judgements of one kind of item."""
    if kind == "ranking":
        return _opinions_of_rankings(connection)
    kept = (columns.kind == KINDS.index(kind)) & (columns.is_work == 1) & ~np.isnan(columns.value)
    item = columns.item[kept].astype(np.int64)
    unit = np.unique(item, return_inverse=True)[1]
    return Opinions(unit, item, columns.rater[kept].astype(np.int64), columns.value[kept])


def _opinions_of_rankings(connection: sa.Connection) -> Opinions:
    """A ranking is an opinion about each two of its responses: the first is better, worse, or as good."""
    units: dict[tuple[int, int, int], int] = {}
    found: list[tuple[int, int, int, int]] = []
    for item, rater, details in connection.execute(sa.text(RANKINGS)):
        ranks = json.loads(details)["ranks"]
        for i in range(len(ranks)):
            for j in range(i + 1, len(ranks)):
                unit = units.setdefault((item, i, j), len(units))
                found.append((unit, item, rater, (ranks[i] < ranks[j]) - (ranks[i] > ranks[j])))
    columns = np.array(found, dtype=np.int64).reshape(-1, 4).T
    return Opinions(columns[0], columns[1], columns[2], columns[3].astype(np.float64))


def to_table(opinions: Opinions) -> np.ndarray:
    """(most opinions of a unit, units) float64, nan where a unit has fewer.

    Alpha does not ask who said what, so a unit's opinions are packed from the top: with many raters that is far
    smaller than (raters, units).
    """
    order = np.argsort(opinions.unit, kind="stable")
    unit = opinions.unit[order]
    place = np.arange(len(unit)) - np.searchsorted(unit, unit)
    table = np.full((int(place.max(initial=-1)) + 1, int(unit.max(initial=-1)) + 1), np.nan)
    table[place, unit] = opinions.value[order]
    return table


def _agreement(kind: str, table: np.ndarray) -> dict[str, Any]:
    level: Level = "ordinal" if kind == "rating" else "nominal"
    rated = (~np.isnan(table)).sum(axis=0)
    low, high = bootstrap_interval(table, level=level, replicates=REPLICATES)
    return {
        "kind": kind,
        "level": level,
        "alpha": _finite(krippendorff_alpha(table, level=level)),
        "low": _finite(low),  # 95%
        "high": _finite(high),
        "units": int((rated >= 2).sum()),  # what two raters or more have judged
        "judgements": int(rated.sum()),
    }


def _agreed(opinions: Opinions, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m,) raters, and (m,) the share of others' opinions of the unit that agree; nan where there are none.

    Ratings agree where they differ by at most a tenth of the range that was used, on the site's scale by none.
    """
    width = np.nanmax(table) - np.nanmin(table)
    others = table[:, opinions.unit]
    same = (np.abs(others - opinions.value) <= width / 10).sum(axis=0) - 1
    count = (~np.isnan(others)).sum(axis=0) - 1
    return opinions.rater, np.where(count > 0, same / np.maximum(count, 1), np.nan)


def _raters(
    connection: sa.Connection, columns: Columns, agreed: list[Any], fitted: Reliability
) -> list[dict[str, Any]]:
    rows = connection.execute(sa.text("SELECT id, name, state, reason, simulated FROM raters ORDER BY id")).all()
    n = max((row.id for row in rows), default=0) + 1
    who = columns.rater.astype(np.int64)
    is_decided = (columns.kind == 0) & (columns.is_skip == 0)
    share_agreed = [_means(r, share, n) for r, share in ([_joined(agreed)] if agreed else [])]
    share_left, sided = _means(who, columns.is_left, n), _counts(who, columns.is_left, n)
    share_right, gold = _means(who, columns.is_right, n), _counts(who, columns.is_right, n)
    ties = _means(who, np.where(is_decided, columns.value == 0, np.nan), n)
    seconds, judged = _medians(who, columns.seconds, n), np.bincount(who[who >= 0], minlength=n)
    skips = np.bincount(who[(who >= 0) & (columns.is_skip == 1)], minlength=n)
    return [
        {
            "id": r,
            "name": row.name,
            "state": row.state,
            "reason": row.reason,
            "simulated": bool(row.simulated),
            "judgements": int(judged[r]),
            "skips": int(skips[r]),
            "agreement": _finite(share_agreed[0][r]) if share_agreed else None,  # with the others, item by item
            "reliability": fitted.raters[r].reliability if r in fitted.raters else None,
            "side_bias": fitted.raters[r].side_bias if r in fitted.raters else None,  # nats for the left
            "gold_right": round(share_right[r] * gold[r]) if gold[r] else 0,
            "gold": int(gold[r]),
            "left": _finite(share_left[r]),  # share of the chosen sides
            "left_is_odd": bool(abs(share_left[r] - 0.5) * math.sqrt(sided[r]) > SIDE_Z / 2),
            "ties": _finite(ties[r]),
            "seconds": _finite(seconds[r]),  # the median
        }
        for row in rows
        for r in (row.id,)
    ]


def _joined(agreed: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([rater for rater, _ in agreed]), np.concatenate([share for _, share in agreed])


def _known(rater: np.ndarray, values: np.ndarray) -> np.ndarray:
    return (rater >= 0) & ~np.isnan(values)


def _counts(rater: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """(n,) how many values that are known each rater has."""
    return np.bincount(rater[_known(rater, values)], minlength=n)


def _means(rater: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """(n,) each rater's mean of what is known, nan without."""
    kept, count = _known(rater, values), _counts(rater, values, n)
    sums = np.bincount(rater[kept], values[kept], minlength=n)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)


def _medians(rater: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """(n,) each rater's median of what is known, nan without."""
    kept, count = _known(rater, values), _counts(rater, values, n)
    ordered = values[kept][np.lexsort((values[kept], rater[kept]))]
    start = np.cumsum(count) - count
    middles = [np.minimum(start + k, max(len(ordered) - 1, 0)) for k in ((count - 1) // 2, count // 2)]
    found = (ordered[middles[0]] + ordered[middles[1]]) / 2 if len(ordered) else np.full(n, np.nan)
    return np.where(count > 0, found, np.nan)


def _disputes(connection: sa.Connection, opinions: dict[str, Opinions]) -> list[dict[str, Any]]:
    """The items about which raters differ most; more judgements first among equals."""
    found = [(-d, -n, item, kind) for kind, some in opinions.items() for item, n, d in _spread(some)]
    worst = sorted(found)[:NUM_DISPUTES]
    query = sa.text("SELECT id, key, prompt FROM items WHERE id IN :ids").bindparams(
        sa.bindparam("ids", expanding=True)
    )
    texts = {row.id: row for row in connection.execute(query, {"ids": [item for _, _, item, _ in worst]})}
    return [
        {
            "id": item,
            "key": texts[item].key,
            "kind": kind,
            "judgements": -n,
            "disagreement": round(-d, 6),
            "prompt": _last_text(texts[item].prompt),
        }
        for d, n, item, kind in worst
    ]


def _spread(opinions: Opinions) -> list[tuple[int, int, float]]:
    """(item, judgements, disagreement) of items about which opinions differ.

    Disagreement is the mean squared difference of two opinions about the same, by the largest there could be.
    """
    unit, value = opinions.unit, opinions.value
    width = (value.max() - value.min()) ** 2
    if width == 0:
        return []
    n = np.bincount(unit)
    mean = np.bincount(unit, value) / n
    spread = 2 * np.bincount(unit, (value - mean[unit]) ** 2) / np.maximum(n - 1, 1) / width
    items, place = np.unique(opinions.item, return_inverse=True)
    of_item = np.bincount(place, spread[unit]) / np.bincount(place)
    count = np.zeros(len(items), dtype=np.int64)
    np.maximum.at(count, place, n[unit])
    return [(int(items[i]), int(count[i]), float(of_item[i])) for i in np.flatnonzero(of_item > 0)]


def _last_text(prompt: str) -> str:
    messages = json.loads(prompt)
    return messages[-1]["content"][:200] if messages else ""


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
