"""What `textgym reward eval` finds: figures of all parts in one dict, and as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from textgym.progress import Report, no_report
from textgym.rewards.evaluation import measure, score_pairs, separation
from textgym.rewards.judged import JudgedPairs, decided, read_pairs
from textgym.rewards.ordinal import RatingNote, read_note
from textgym.rewards.probes import probe
from textgym.rewards.rated import Rated, read_ratings
from textgym.rewards.rating_metrics import describe_ratings, evaluate_ratings
from textgym.rewards.reward_bench import bench, is_reward_bench, read_rows
from textgym.types import RewardModel


def make_report(
    reward: RewardModel,
    data: Sequence[str],
    other: Sequence[str] = (),
    probes: int = 200,
    seed: int = 0,
    tell: Report = no_report,
) -> dict[str, Any]:
    """Everything that is measured of a reward model.

    Args:
        reward: the model.
        data: files of judged pairs or ratings, or of RewardBench rows; tricks are tried on pairs only.
        other: files of judged pairs from elsewhere.
        probes: responses on which tricks are tried; 0: none.
        seed: of everything drawn.
        tell: hears how far it is.
    """
    benched = [path for path in data if is_reward_bench(path)]
    if benched and (len(benched) < len(data) or other):
        raise ValueError(f"data must be RewardBench files or judged pairs, not both, got {[*data, *other]}")
    if benched:
        rows = [row for path in benched for row in read_rows(path)]
        return {"files": list(data), "reward_bench": bench(reward, rows, tell=tell), "prompts_cut": num_cut(reward)}
    note = _note_of(reward)
    ratings = _whole(read_ratings(data).ratings, note)
    rated = {"ratings": evaluate_ratings(reward, ratings, note, seed)} if ratings else {}
    try:
        pairs = read_pairs(data)
    except ValueError:
        if not ratings or other:
            raise
        return {"files": list(data), **rated, "prompts_cut": num_cut(reward)}
    scored = score_pairs(reward, decided(pairs.preferences), tell=tell)
    report: dict[str, Any] = {"files": list(data), **rated}
    report["in_distribution"] = {**measure(scored, seed), **_counts(pairs)}
    if other:
        other_pairs = read_pairs(other)
        elsewhere = score_pairs(reward, decided(other_pairs.preferences), tell=tell)
        report |= {"other_files": list(other), "other": {**measure(elsewhere, seed), **_counts(other_pairs)}}
        if scored.doubt is not None and elsewhere.doubt is not None:
            report["doubt_separates"] = separation(scored.doubt, elsewhere.doubt)
    if probes:
        good = {p.prompt: p.transcripts[0] for p in pairs.preferences}
        order = np.random.default_rng(seed).permutation(len(good))[:probes]
        texts = [list(good.values())[i] for i in order]
        report["probes"] = {name: found._asdict() for name, found in probe(reward, texts, seed, tell=tell).items()}
    report["prompts_cut"] = num_cut(reward)
    return report


def _note_of(reward: Any) -> RatingNote | None:
    """What a single trained model says of its outputs; an ensemble's members each have their own."""
    config = getattr(getattr(reward, "model", None), "config", None)
    return None if config is None else read_note(config, str(getattr(reward, "name", "")))


def _whole(ratings: Sequence[Rated], note: RatingNote | None) -> list[Rated]:
    """Those with all that the model predicts, or with an overall rating; none, where fewer than 2 responses have it."""
    names = {"rating"} if note is None else {name for name, weight in note.attributes.items() if weight}
    whole = [r for r in ratings if names <= r.values.keys()]
    return whole if len({(r.prompt, r.response) for r in whole}) > 1 else []


def num_cut(reward: Any) -> int:
    """Conversations so far whose prompt was cut, by a model or an ensemble's first member."""
    members = getattr(reward, "models", [reward])
    return int(getattr(members[0], "num_cut", 0))


def describe(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    yield f"{report['model']} on {', '.join(report['files'])}"
    if "reward_bench" in report:
        yield from _describe_bench(report["reward_bench"])
        return
    if "ratings" in report:
        yield from (f"  {line}" for line in describe_ratings(report["ratings"]))
    if "in_distribution" in report:
        yield from _describe_pairs(report["in_distribution"])
    if "other" in report:
        yield f"on {', '.join(report['other_files'])}"
        yield from _describe_pairs(report["other"])
    if "doubt_separates" in report:
        yield f"the ensemble's disagreement tells the two apart with an AUC of {report['doubt_separates']:.3f}"
    yield from _describe_probes(report.get("probes", {}))
    if report["prompts_cut"]:
        yield f"prompts cut because a conversation was longer than the model's positions: {report['prompts_cut']}"


def _counts(pairs: JudgedPairs) -> dict[str, Any]:
    return {"ties": len(pairs.ties), "left_out": dict(pairs.left_out)}


def _describe_pairs(found: dict[str, Any]) -> Iterator[str]:
    judged = f"{found['pairs']} pairs of {found['prompts']} prompts"
    yield f"  {judged}, {found['simulated']} judged by simulated raters, {found['ties']} ties left out"
    if found["unread"]:
        yield f"  {found['unread']} pairs left out: a response is longer than the model can read"
    yield f"  accuracy {shown(found['accuracy'])}"
    yield from (f"  {line}" for line in describe_ceilings(found["ceiling"]))
    lengths = f"longer wins {found['longer_wins']:.3f}, shorter wins {found['shorter_wins']:.3f}"
    yield f"  {lengths}; lead over the better of them {shown(found['lead_over_length'])}"
    before, after = found["calibration"]["before"], found["calibration"]["after"]
    yield f"  ECE {before['ece']:.4f}, Brier {before['brier']:.4f}, loss {before['loss']:.4f} nats"
    if after is not None:
        scales = ", ".join(f"{s:.3g}" for s in found["calibration"]["scales"])
        yield (
            f"  after a temperature from the other half (scales {scales}): ECE {after['ece']:.4f}, "
            f"Brier {after['brier']:.4f}, loss {after['loss']:.4f} nats"
        )
    within = found["difference_length_correlation"]
    yield f"  correlation of score and length {found['score_length_correlation']:+.3f}, within pairs {within:+.3f}"
    for row in found["length_buckets"]:
        yield f"    chosen one is {row['chosen_is']:<14} {row['pairs']:>6} pairs, accuracy {shown(row)}"
    if found["doubt"] is not None:
        yield f"  standard deviation over the ensemble's members {found['doubt']:.3f}"


def _describe_probes(probes: dict[str, dict[str, Any]]) -> Iterator[str]:
    if probes:
        yield "tricks that should not pay: how often the score rises"
    for name, found in probes.items():
        flag = "  <- pays" if found["is_flagged"] else ""
        interval = f"{found['rises']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
        yield f"  {name:<18} {interval} of {found['responses']}, by {found['change']:+.2f} standard deviations{flag}"


def _describe_bench(found: dict[str, Any]) -> Iterator[str]:
    yield f"  RewardBench {found['version']}, {found['rows']} rows: total {shown_share(found['total'])}"
    for name, score in found.get("sections", {}).items():
        yield f"  section {name:<24} {score:.3f}"
    for name, subset in found["subsets"].items():
        yield f"    {name:<28} {subset['score']:.3f} of {subset['rows']} rows"


def shown_share(value: float | None) -> str:
    """A number that may be unknown."""
    return "unknown: no subset of a known section" if value is None else f"{value:.3f}"


def describe_ceilings(ceiling: dict[str, Any]) -> Iterator[str]:
    """What could be reached, as lines of text."""
    if ceiling["bayes"] is not None:
        yield (
            f"best possible with these simulated raters {ceiling['bayes']:.3f}, of which the model reaches "
            f"{ceiling['share_of_bayes']:.3f}"
        )
    among = ceiling["raters"]
    if among is not None:
        yield (
            f"one rater as the majority of the others predicts them {shown(among)} "
            f"({among['judgements']} judgements; the model on the same ones {among['model']:.3f})"
        )
    if ceiling["bayes"] is None and among is None:
        yield "ceiling unknown: no pair has two named raters, and no simulated rater says how sure it was"


def shown(found: dict[str, float]) -> str:
    """A value and its interval."""
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
