"""Overlap with references as a reward: ROUGE, BLEU, chrF, each in [0, 1].

The arithmetic is that of rouge-score and sacrebleu. One thing is changed: rouge-score's default
tokenizer throws away every letter outside a-z (it reads "für" as "f", "r"); ours keeps the letters
of all scripts and agrees with it on plain ASCII text. Scored is the last response against each
reference, and the best counts; of a replayed conversation, each response against the answer that
the record has at that turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from textgym.tasks.records import Recorded
from textgym.types import Transcript

METRICS = ("rouge1", "rouge2", "rougeL", "bleu", "chrf")


class MetricReward:
    """The similarity of the response and the best of its references.

    Where the user is replayed from a record (`data={"user": "replay"}`), every turn of the policy has a
    reference of its own, the record's answer at that turn: the score is the mean over the policy's turns
    that have one. A record that ends with its user has none for the last turn, which does not count.

    Args:
        name: "rouge1", "rouge2", "rougeL" (F1, no stemming), "bleu" (sentence BLEU with effective order),
            "chrf" (chrF2).
    """

    def __init__(self, name: str) -> None:
        if name not in METRICS:
            raise ValueError(f"metric must be one of {list(METRICS)}, got {name!r}")
        self.name = name
        self._similarity = _rouge(name) if name.startswith("rouge") else _sacrebleu(name)

    def score(self, transcripts: Sequence[Transcript]) -> np.ndarray:
        """(n,) float32 in [0, 1]."""
        values = np.zeros(len(transcripts), dtype=np.float32)
        for i, transcript in enumerate(transcripts):
            if not transcript.references:
                raise ValueError(
                    f"reward {self.name!r} compares with references and transcript {i} has none: name the column that "
                    'holds them with data={"path": ..., "columns": {"reference": "<column>"}}'
                )
            if isinstance(transcript.meta, Recorded):
                turns = zip(transcript.responses or ("",), transcript.meta.answers, strict=False)
                values[i] = np.mean([self._similarity(said, recorded) for said, recorded in turns])
            else:
                values[i] = max(self._similarity(transcript.response, r) for r in transcript.references)
        return values


class _Words:
    """A tokenizer for rouge-score: lower-cased runs of letters and digits of any script."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"[^\W_]+", text.lower())


def _rouge(name: str) -> Callable[[str, str], float]:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise ImportError(f"reward {name!r} needs the package rouge-score: pip install 'textgym[data]'") from error
    scorer = RougeScorer([name], tokenizer=_Words())
    return lambda response, reference: float(scorer.score(reference, response)[name].fmeasure)


def _sacrebleu(name: str) -> Callable[[str, str], float]:
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError as error:
        raise ImportError(f"reward {name!r} needs the package sacrebleu: pip install 'textgym[data]'") from error
    metric: Any = BLEU(effective_order=True) if name == "bleu" else CHRF()

    def similarity(response: str, reference: str) -> float:
        return min(1.0, max(0.0, metric.sentence_score(response, [reference]).score / 100))

    return similarity
