"""The model card that is saved with a reward model: figures, origin, who judged, how it was trained."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from textgym.feedback.preferences import Preference
from textgym.files import write_text
from textgym.rewards.calibration import describe
from textgym.rewards.ordinal import RatingNote
from textgym.rewards.rated import Rated


def write_card(
    path: Path,
    preferences: Sequence[Preference],
    base: str,
    config: Any,
    metrics: Mapping[str, float],
    notes: Mapping[str, Any],
) -> None:
    """Writes README.md of a reward model."""
    num_simulated = sum(p.simulated for p in preferences)
    origin = {0: "people", len(preferences): "simulated raters"}.get(num_simulated, "people and simulated raters")
    raters = Counter(rater for p in preferences for rater in p.raters)
    sources = Counter(p.source or "not stated" for p in preferences)
    architecture = (
        "an output a token, those of the responses (end-of-turn included) added up"
        if config.kind == "token"
        else "one output a conversation"
    )
    if config.heads > 1:
        architecture = f"{config.heads} outputs a conversation, members of an ensemble on one trunk; their mean counts"
    if config.length_control:
        architecture += (
            f"; then {metrics['score_per_100_characters'] / 100:.4g} per character of the responses is subtracted "
            "(`textgym_length_correction` in config.json). textgym does that on loading; other programs see the scores "
            "without it"
        )
    warning = "No person judged anything here: the scores tell what the simulation prefers."
    warning = warning if num_simulated == len(preferences) else ""
    text = f"""---
library_name: transformers
tags: [reward-model, textgym]
---

# A reward model

{architecture[0].upper() + architecture[1:]}. Started from the language model {Path(base).name!r}. A difference of two
scores for the same prompt is the log-odds that the first would be preferred. Use it with
`gym.make(..., reward="<this folder>")` or `textgym.rewards.learned.LearnedReward`.

## Judgements

{len(preferences)} preferences over {len({p.prompt for p in preferences})} prompts, judged by **{origin}**
({num_simulated} simulated) from {len(raters)} raters. Sources: {", ".join(f"{s} ({n})" for s, n in sources.items())}.
{warning}

## Figures on held-out pairs (no prompt shared with training)

{describe(metrics)}

`accuracy_low` to `accuracy_high` is a 95% interval over prompts; `accuracy_of_longer` is that of always preferring
the longer response; `ece` is the expected calibration error; `accuracy_ceiling`, where given, is the best that is
possible under the raters' noise. The scale was fitted, and the best step chosen, on validation pairs that are in
neither training nor these figures.

## Training

```json
{json.dumps(asdict(config), indent=1)}
```
"""
    if notes:
        text += f"\n## Notes\n\n```json\n{json.dumps(dict(notes), indent=1, default=str)}\n```\n"
    write_text(path, text)


def write_rating_card(
    path: Path,
    ratings: Sequence[Rated],
    base: str,
    config: Any,
    note: RatingNote,
    metrics: Mapping[str, float],
    notes: Mapping[str, Any],
) -> None:
    """Writes README.md of a reward model that was trained on ratings."""
    num_simulated = sum(r.judged.simulated for r in ratings)
    origin = {0: "people", len(ratings): "simulated raters"}.get(num_simulated, "people and simulated raters")
    responses, prompts = {(r.prompt, r.response) for r in ratings}, {r.prompt for r in ratings}
    raters = {r.rater for r in ratings if r.rater is not None}
    meaning = (
        "An output is the expected rating minus the mean of the training ratings"
        if note.objective == "regression"
        else "An output is the latent of a proportional-odds model, whose cut points stand in config.json"
    )
    weights = "\n".join(f"| {name} | {weight:g} |" for name, weight in note.attributes.items())
    text = f"""---
library_name: transformers
tags: [reward-model, textgym]
---

# A reward model of ratings

Objective: **{note.objective}** on ratings of single responses. {meaning} (`textgym_ratings`).
The score is the weighted sum of the outputs. Started from the language model {Path(base).name!r}. Use it with
`gym.make(..., reward="<this folder>")` or `textgym.rewards.learned.LearnedReward`.

| attribute | weight |
| --- | --- |
{weights}

## Judgements

{len(ratings)} judgements of {len(responses)} responses to {len(prompts)} prompts, judged by **{origin}**
({num_simulated} simulated) from {len(raters)} named raters.

## Figures on held-out responses (no prompt shared with training)

{describe(metrics)}

`spearman_low` to `spearman_high` is a 95% interval over prompts; `rmse` is in points of the scale, `rating_std` the
error of always saying the mean; `ceiling_…`, where given, is one rater against the mean of the others, and
`model_on_the_same_…` this model against the same single ratings.

## Training

```json
{json.dumps(asdict(config), indent=1)}
```
"""
    if notes:
        text += f"\n## Notes\n\n```json\n{json.dumps(dict(notes), indent=1, default=str)}\n```\n"
    write_text(path, text)
