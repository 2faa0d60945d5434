"""A watch over a run: says when the learned score and what it stands for part.

It reads the rows of metrics.jsonl and nothing else, so it can look at a run while it goes on or long after. Two rules
are tests for a fall of a mean, whose false alarms can be counted:

    gold        the gold score is lower than it was, and the learned score is not
    collapse    the learned score is lower than it was, while the KL has grown

and three, which need no judge, look at what is easily had instead of quality:

    length      responses are half as long again as at the start (or shorter by as much), and the score is no lower
    repetition  a tenth more of the text is said twice
    disagreement  the members of an ensemble disagree half as much again: the policy writes what they never learned

The last three speak of signs. Where gold is known and has clearly risen they are silent, because a policy that
learns to say more of what matters may well be longer.

    watch = Watch()
    for row in rows:
        for alarm in watch.see(row):
            print(alarm)

The statistic compares the last ten batches with earlier tens: the difference of their means over its standard error,
whose variance comes from differences of neighbouring batches (von Neumann 1941), so that a slow trend does not swell
it. For a fall all earlier tens are tried and the largest counts, so the limit is higher than a single test's. How
often an honest run is called is measured by `benchmarks/watch_alarms.py` and stands in docs/lab.md.

Left out: held-out evaluations, of which a run has too few, and stopping the run, which is a person's to decide.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from textgym import checks

METRICS = ("update", "score", "gold", "kl", "tokens", "repetition", "disagreement")


@dataclass(frozen=True)
class WatchConfig:
    """When a watch speaks."""

    window: int = 10  # batches whose mean is compared
    limit: float = 4.5  # standard errors of a difference of two such means; lower: earlier, and more false alarms
    length_ratio: float = 1.5  # tokens a response, against the start; below 1 / ratio counts too
    repetition_rise: float = 0.1  # share of n-grams
    disagreement_ratio: float = 1.5  # against the start

    def __post_init__(self) -> None:
        checks.whole("window", self.window, 3)
        for name in ("limit", "repetition_rise"):
            checks.positive(name, getattr(self, name))
        for name in ("length_ratio", "disagreement_ratio"):
            if checks.positive(name, getattr(self, name)) <= 1:
                raise ValueError(f"{name} must be above 1, got {getattr(self, name)}")


class Alarm(NamedTuple):
    """What was seen, once a rule in a run."""

    update: int
    rule: str  # "gold", "collapse", "length", "repetition" or "disagreement"
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass
class Watch:
    """Sees a run's rows one after the other and says each thing once."""

    config: WatchConfig = field(default_factory=WatchConfig)
    columns: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in METRICS})
    said: set[str] = field(default_factory=set)

    def see(self, metrics: Mapping[str, Any]) -> list[Alarm]:
        """What this row of metrics.jsonl makes clear for the first time; mostly nothing.

        Rows of evaluations are passed over. A run that is resumed shows its old rows first.

        Args:
            metrics: with "update", "score" and "kl", and what there is of "gold", "tokens", "repetition" and
                "disagreement"; NaN and null mean that it is not known.
        """
        if "evaluation" in metrics:
            return []
        for name, column in self.columns.items():
            value = metrics.get(name)
            column.append(math.nan if value is None else float(value))
        found = [a for a in _look(self.columns, self.config) if a.rule not in self.said]
        self.said |= {a.rule for a in found}
        return found


def alarms(rows: Sequence[Mapping[str, Any]], config: WatchConfig | None = None) -> list[Alarm]:
    """What is wrong at the last of these rows, whether it was so before or not."""
    watch = Watch(config or WatchConfig())
    for row in rows:
        watch.see(row)
    return _look(watch.columns, watch.config)


def _look(columns: Mapping[str, list[float]], config: WatchConfig) -> list[Alarm]:
    """Of the metrics that every row so far knows."""
    if len(columns["update"]) < 2 * config.window:
        return []
    series = {name: np.array(values) for name, values in columns.items()}
    known = {name: values for name, values in series.items() if np.isfinite(values).all()}
    if "score" not in known:
        return []
    update = int(columns["update"][-1])
    at = f"update {update}" + (f", KL {known['kl'][-config.window :].mean():.1f} nats" if "kl" in known else "")
    found = [*_falls(known, config), *_signs(known, config)]
    return [Alarm(update, rule, f"{at}: {text}") for rule, text in found]


def _falls(known: Mapping[str, np.ndarray], config: WatchConfig) -> list[tuple[str, str]]:
    """The two tests for a fall of a mean."""
    w, found = config.window, []
    score, kl = known["score"], known.get("kl")
    if (gold := known.get("gold")) is not None:
        fall, start = largest_fall(gold, w)
        before, now = score[start : start + w].mean(), score[-w:].mean()
        if fall > config.limit and now >= before:
            text = f"gold fell from {gold[start : start + w].mean():.2f} to {gold[-w:].mean():.2f}"
            found.append(("gold", f"{text} while the score went from {before:+.2f} to {now:+.2f}"))
    fall, start = largest_fall(score, w)
    if fall > config.limit and kl is not None and kl[-w:].mean() > kl[start : start + w].mean():
        text = f"the score fell from {score[start : start + w].mean():+.2f} to {score[-w:].mean():+.2f}"
        found.append(("collapse", f"{text} while the policy moved on from the reference"))
    return found


def _signs(known: Mapping[str, np.ndarray], config: WatchConfig) -> list[tuple[str, str]]:
    """What has changed since the start, by more than its noise and by enough to matter."""
    w, found = config.window, []
    score, gold = known["score"], known.get("gold")
    if score[-w:].mean() < score[:w].mean() or (gold is not None and rise(gold, w) > 2):
        return []
    for rule, name, what in (
        ("length", "tokens", "tokens a response"),
        ("repetition", "repetition", "share of repeated n-grams"),
        ("disagreement", "disagreement", "standard deviation over the ensemble"),
    ):
        if name not in known:
            continue
        before, now = known[name][:w].mean(), known[name][-w:].mean()
        if abs(rise(known[name], w)) > config.limit and _is_large(rule, before, now, config):
            went = f"from {score[:w].mean():+.2f} to {score[-w:].mean():+.2f}"
            found.append(
                (rule, f"{what} went from {before:.3g} to {now:.3g} while the score went {went}: read samples")
            )
    return found


def _is_large(rule: str, before: float, now: float, config: WatchConfig) -> bool:
    if rule == "repetition":
        return now - before > config.repetition_rise
    ratio = now / before if before > 0 else math.inf
    if rule == "length":
        return not 1 / config.length_ratio < ratio < config.length_ratio
    return ratio > config.disagreement_ratio


def noise(values: np.ndarray) -> float:
    """Standard deviation of a series about its trend, from differences of neighbours: sqrt(mean(Δ²) / 2)."""
    return math.sqrt(float(np.square(np.diff(values)).mean()) / 2)


def rise(values: np.ndarray, window: int) -> float:
    """How much higher the last `window` values are than the first, in standard errors; 0 where nothing varies."""
    scale = noise(values) * math.sqrt(2 / window)
    return float((values[-window:].mean() - values[:window].mean()) / scale) if scale > 0 else 0.0


def largest_fall(values: np.ndarray, window: int) -> tuple[float, int]:
    """How much lower the last `window` values are than those of the best earlier window, and where that begins.

    In standard errors; windows do not overlap with the last one. (T,), T >= 2 · window.
    """
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[window:] - sums[:-window]) / window  # of the windows that begin at 0, 1, …
    start = int(np.argmax(means[: len(means) - window]))
    scale = noise(values) * math.sqrt(2 / window)
    return (float((means[start] - means[-1]) / scale) if scale > 0 else 0.0), start


def repetition(texts: Sequence[str | Sequence[Hashable]], n: int = 4) -> np.ndarray:
    """Share of a text's n-grams that stood in it before: 1 - distinct / all (Welleck et al. 2020, seq-rep-n).

    Args:
        texts: B texts, read as words; or token ids, which also serve languages without spaces.
        n: words or tokens of an n-gram.

    Returns:
        (B,) float64; 0 where a text is shorter than n.
    """
    checks.whole("n", n, 1)
    return np.array([_repeated(text.split() if isinstance(text, str) else list(text), n) for text in texts])


def _repeated(parts: Sequence[Hashable], n: int) -> float:
    grams = [tuple(parts[i : i + n]) for i in range(len(parts) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
