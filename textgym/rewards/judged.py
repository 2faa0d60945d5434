"""Files of judgements as pairs: what a reward model is trained and measured on.

Reads the rows of `feedback.preferences` with all they hold (weights, margins, simulated raters' probabilities), and
every other format that `textgym feedback import` knows. Ratings are compared: of two responses to a prompt, a
rater prefers the one they rated higher. A tie has no side: it is kept apart, and in training it counts
half for either. Several raters of a pair are taken one by one, by their majority, or by how far each can
be believed (`feedback.pair_model`).
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from textgym.feedback.formats import is_on_the_left, read_file, to_preferences
from textgym.feedback.items import Item
from textgym.feedback.pair_model import majority_preferences, posterior_preferences
from textgym.feedback.preferences import Preference, read_preferences
from textgym.feedback.rater_model import Comparisons
from textgym.feedback.sources import recognise
from textgym.types import Transcript

Believed = Literal["each", "majority", "posterior", "soft"]
BELIEVED: tuple[Believed, ...] = ("each", "majority", "posterior", "soft")


class JudgedPairs(NamedTuple):
    """What files say of pairs of responses."""

    preferences: list[Preference]  # one a judgement
    ties: list[Preference]  # judgements for neither side, which stand in the item's order
    left_out: Counter[str]  # reason -> judgements that are no pairs

    @property
    def with_ties(self) -> list[Preference]:
        """For training: a tie as two preferences of half its weight, whose loss is least at equal scores."""
        halves = [replace(p, weight=p.weight / 2) for p in self.ties]
        return [*self.preferences, *itertools.chain.from_iterable((p, reverse(p)) for p in halves)]


def read_pairs(paths: Iterable[str | Path]) -> JudgedPairs:
    """The judged pairs of files, JSON lines or CSV.

    Raises:
        ValueError: no files, no pairs in them, or a row that does not fit: file, line and reason.
    """
    found = JudgedPairs([], [], Counter())
    paths = list(paths)
    for path in paths:
        if is_trl(path):
            found.preferences.extend(read_preferences(path))
        else:
            _read_items(path, found)
    if not (found.preferences or found.ties):
        left_out = f"; left out: {dict(found.left_out)}" if found.left_out else ""
        raise ValueError(f"data must be files of judged pairs, got none in {[str(p) for p in paths]}{left_out}")
    return found


def believe(pairs: JudgedPairs, how: Believed, seed: int = 0) -> list[Preference]:
    """Preferences to train on, by how far the raters of a pair are believed.

    Args:
        pairs: the judgements.
        how: "each" takes every judgement as it is; "majority" what most raters of a pair preferred; "posterior"
            weighs a pair by how sure the rater model is of it; "soft" gives both sides of it the rater
            model's probabilities.
        seed: of the side on which a response is taken to have stood where the file does not say. Where it says so,
            a rater's taste for a side is told from a taste for a response.

    Raises:
        ValueError: an unknown `how`, or judgements without a rater where raters are to be told apart.
    """
    if how not in BELIEVED:
        raise ValueError(f"raters must be one of {list(BELIEVED)}, got {how!r}")
    if how == "each":
        return pairs.with_ties
    both = [*pairs.preferences, *pairs.ties]
    unnamed = sum(len(p.raters) != 1 for p in both)
    if unnamed:
        raise ValueError(
            f"raters={how!r} needs one rater for each judgement, and {unnamed} of {len(both)} judgements name none or "
            "several; raters='each' takes them as they are"
        )
    comparisons, transcripts, names = _comparisons(pairs, np.random.default_rng(seed))
    sources = sorted({p.source for p in both if p.source})
    given: dict[str, Any] = {"source": ", ".join(sources), "simulated": any(p.simulated for p in both)}
    if how == "majority":
        return majority_preferences(comparisons, transcripts, names, **given)
    return posterior_preferences(comparisons, transcripts, names, soft=how == "soft", **given)


def decided(preferences: Sequence[Preference]) -> list[Preference]:
    """One preference for each two that are the halves of one soft label or tie, its weight their difference.

    Halves are the two directions of a pair from the same raters whose weights sum to at most 1. What has no
    weight then is left out: it can be neither right nor wrong.
    """
    waiting: dict[Any, list[int]] = {}
    kept: list[Preference | None] = []
    for p in preferences:
        halves = waiting.setdefault((p.prompt, p.rejected, p.chosen, p.raters), [])
        other = kept[halves[-1]] if halves else None
        if other is not None and p.weight + other.weight <= 1 + 1e-6:
            place, more = halves.pop(), p.weight - other.weight
            kept[place] = replace(p if more > 0 else other, weight=abs(more))
            continue
        waiting.setdefault((p.prompt, p.chosen, p.rejected, p.raters), []).append(len(kept))
        kept.append(p)
    return [p for p in kept if p is not None and p.weight > 0]


def reverse(preference: Preference) -> Preference:
    """The opposite verdict on the same pair."""
    p = preference.probability
    other = None if p is None else 1 - p
    side = None if preference.chosen_is_left is None else not preference.chosen_is_left
    return replace(
        preference, chosen=preference.rejected, rejected=preference.chosen, probability=other, chosen_is_left=side
    )


def is_trl(path: str | Path) -> bool:
    """Whether the first row has the columns of our own preferences, whose weights other readers would lose."""
    if str(path).endswith((".csv", ".tsv")):
        return False
    try:
        with open(path, encoding="utf-8") as lines:
            first = next((line for line in lines if line.strip()), "")
        row = json.loads(first)
        return isinstance(row, dict) and recognise(row) == "trl"
    except (OSError, ValueError):
        return False  # the reader says what is wrong, and where


def _read_items(path: str | Path, found: JudgedPairs) -> None:
    items, judged = read_file(path)
    by_key = {item.key: item for item in items}
    rated: dict[tuple[Any, str | None], list[tuple[Item, float, bool]]] = {}
    for one in judged:
        item = by_key.get(one.key)
        if item is None or item.purpose != "work" or one.verdict.is_skip:
            reason = "judgements of unknown items" if item is None else "skips"
            found.left_out[reason if item is None or item.purpose == "work" else "gold and quiz items"] += 1
            continue
        if item.kind == "rating" and item.prompt and one.verdict.rating is not None:
            rated.setdefault((item.prompt, one.rater), []).append((item, one.verdict.rating, one.simulated))
            continue
        ties: Counter[str] = Counter()
        found.preferences.extend(to_preferences([(item, one)], ties))
        ranks = one.verdict.ranks or ((1, 1) if one.verdict.choice == "tie" and item.prompt else ())
        for i, j in itertools.combinations(range(len(ranks)), 2):
            if ranks[i] == ranks[j]:
                raters = () if one.rater is None else (one.rater,)
                fields: dict[str, Any] = {"raters": raters, "source": item.origin, "simulated": one.simulated}
                fields["chosen_is_left"] = is_on_the_left(one, i)
                found.ties.append(Preference(item.prompt, item.responses[i], item.responses[j], **fields))
        del ties["ties"]
        found.left_out.update(ties)
    for (_, rater), ratings in rated.items():
        _compare_ratings(ratings, rater, found)


def _compare_ratings(ratings: Sequence[tuple[Item, float, bool]], rater: str | None, found: JudgedPairs) -> None:
    """Pairs of one prompt's responses that one rater has rated; of nobody in particular, the mean ratings count."""
    of_response: dict[Any, list[tuple[Item, float, bool]]] = {}
    for one in ratings:
        of_response.setdefault(one[0].responses[0], []).append(one)
    means = {response: float(np.mean([rating for _, rating, _ in ones])) for response, ones in of_response.items()}
    if len(means) < 2:
        found.left_out["ratings of a prompt's only response by a rater"] += len(ratings)
    raters = () if rater is None else (rater,)
    for a, b in itertools.combinations(means, 2):
        better, worse = (a, b) if means[a] >= means[b] else (b, a)
        item, _, _ = of_response[better][0]
        is_simulated = any(simulated for _, _, simulated in [*of_response[a], *of_response[b]])
        fields: dict[str, Any] = {"raters": raters, "source": item.origin, "simulated": is_simulated}
        kept = found.ties if means[a] == means[b] else found.preferences
        kept.append(Preference(item.prompt, better, worse, **fields))


def _comparisons(pairs: JudgedPairs, rng: np.random.Generator) -> tuple[Comparisons, list[Transcript], list[str]]:
    """The judgements as numbers. What stood on the left is drawn where a file does not say it."""
    items: dict[Any, int] = {}
    transcripts: list[Transcript] = []
    names: dict[str, int] = {}
    rows = []
    for preference, verdict in [(p, 1) for p in pairs.preferences] + [(p, 0) for p in pairs.ties]:
        ends = []
        for transcript in preference.transcripts:
            key = (transcript.messages, transcript.num_prompt_messages)
            if items.setdefault(key, len(transcripts)) == len(transcripts):
                transcripts.append(transcript)
            ends.append(items[key])
        rater = names.setdefault(preference.raters[0], len(names))
        is_left = rng.random() < 0.5 if preference.chosen_is_left is None else preference.chosen_is_left
        left, right = ends if is_left else ends[::-1]
        rows.append((left, right, rater, verdict if is_left else -verdict))
    columns = np.array(rows, dtype=np.int64).T
    return Comparisons(*columns), transcripts, list(names)
