"""What the judge has counted so far, and the score that follows.

Six components, each in [0, 1], multiply to the score:

    adequacy          the weight of what was said over the weight of what had to be said
    additions         what was said and not asked for: extra phrases, repetition, English left standing
    agreement         gender, case, endings, person, auxiliary: 0.87 for each error
    order             verb second, verb last, what may follow a closing verb: 0.86 for each error
    negation_numbers  a flipped negation, exchanged roles, a wrong number, name, time or tense: 0.68 each
    fluency           capitals, full stops, commas: a little
"""

from __future__ import annotations

from textgym.tasks.translate.reading import ReadClause, Reader

COMPONENTS = ("adequacy", "additions", "agreement", "order", "negation_numbers", "fluency")
AGREEMENT, ORDER, FACT = 0.87, 0.86, 0.68


class Tally:
    """What one comparison has found. Weights are in units of one content word."""

    __slots__ = (
        "agreement",
        "antecedents",
        "extra",
        "facts",
        "fluency",
        "got",
        "lost_name",
        "lost_number",
        "lost_pronoun",
        "lost_time",
        "order",
        "reader",
        "total",
    )

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.total = self.got = self.extra = self.agreement = self.order = self.facts = self.fluency = 0.0
        self.lost_name = self.lost_number = self.lost_time = self.lost_pronoun = 0
        self.antecedents: dict[str, str] = {}  # concept -> gender of the noun that the response used

    def slot(self, weight: float, share: float) -> None:
        """Something of the meaning, and how much of it was said."""
        self.total += weight
        self.got += weight * share

    def places(self, read: ReadClause | None) -> tuple[ReadClause, ...]:
        """Where to look for what a clause says: in the clause aligned with it, then in the others."""
        return ((read,) if read is not None else ()) + tuple(c for c in self.reader.clauses if c is not read)

    def result(self) -> tuple[float, dict[str, float]]:
        """(score in [0, 1], components)."""
        adequacy = self.got / self.total if self.total else 0.0
        components = {
            "adequacy": adequacy**1.5,
            "additions": 1.0 / (1.0 + 1.2 * self.extra / self.total) if self.total else 0.0,
            "agreement": AGREEMENT**self.agreement,
            "order": ORDER**self.order,
            "negation_numbers": FACT**self.facts,
            "fluency": max(0.7, 1.0 - 0.05 * self.fluency),
        }
        score = 1.0
        for value in components.values():
            score *= value
        return min(1.0, max(0.0, score)), components
