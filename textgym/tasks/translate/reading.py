"""Reads German text: words to phrases (`phrases`), phrases to clauses.

No grammar of all German, only as much as tells a right sentence of this world from a wrong one, in one pass from left
to right. What it doesn't know it keeps as unknown; it never fails, and never looks twice.
"""

from __future__ import annotations

import itertools

from textgym.tasks.translate.lexicon import FORMS, SEPARABLE, VERB_CONCEPTS
from textgym.tasks.translate.phrases import Item, PhraseReader
from textgym.tasks.translate.words import listed

AUXILIARIES = frozenset(listed("haben sein werden können müssen wollen dürfen sollen möchten würde"))
MODAL_LEMMAS = frozenset(listed("können müssen wollen dürfen sollen möchten"))


class ReadClause:
    """A clause of the response."""

    __slots__ = (
        "after_sub",
        "aligned",
        "auxiliary",
        "finite",
        "items",
        "kind",
        "lead",
        "lemma",
        "modal",
        "negated",
        "ordered",
        "passive",
        "persons",
        "punctuation",
        "sentence",
        "tense",
    )

    def __init__(self, kind: str, lead: str, sentence: int) -> None:
        self.kind = kind  # main, sub, rel, frag
        self.lead = lead
        self.sentence = sentence
        self.items: list[Item] = []
        self.finite: Item | None = None
        self.persons = 0
        self.lemma = ""
        self.tense = ""
        self.modal = ""
        self.auxiliary = ""
        self.passive = False
        self.negated = False
        self.ordered = False  # an order is expected here
        self.after_sub = False
        self.aligned = False
        self.punctuation = ""


class Reader(PhraseReader):
    """One response, read."""

    __slots__ = ("clauses", "stray_commas")

    def __init__(self, text: str, ihr_is_pronoun: bool = False) -> None:
        super().__init__(text, ihr_is_pronoun)
        self.stray_commas = 0  # commas that divide no clauses
        self.clauses: list[ReadClause] = []
        self.divide()
        for clause in self.clauses:
            self.find_verbs(clause)

    def divide(self) -> None:
        """Cut the items into clauses; put together what a relative clause or a comma divides."""
        sentence = 0
        segments: list[tuple[str, list[Item]]] = []  # (lead, items)
        lead = ""
        current: list[Item] = []
        for item in self.items:
            kind = item.kind
            if kind in (".", "!", "?", ";", ":"):
                if current or lead:
                    segments.append((lead, current))
                self.assemble(segments, sentence, kind)
                segments, lead, current = [], "", []
                sentence += 1
            elif kind == ",":
                if current or lead:
                    segments.append((lead, current))
                lead, current = ",", []
            elif kind == "S" or (kind == "C" and self.splits(item, current)):
                if current:
                    segments.append((lead, current))
                lead, current = item.lead, []
            else:
                current.append(item)
        if current or lead not in ("", ","):
            segments.append((lead, current))
        self.assemble(segments, sentence, "")

    def splits(self, item: Item, current: list[Item]) -> bool:
        """und, aber, oder: between clauses where a verb comes on both sides before the next stop."""
        if not current:
            return True
        if item.lead in ("jedoch", "aber", "doch") and current[-1].kind != ",":
            return False  # in the middle of its clause: Tom kann jedoch nicht kommen
        if not any(x.kind == "V" for x in current):
            return False
        i = item.index + 1
        while i < self.n and self.tokens[i] not in ".,?!;:" and self.forms[i].conjunction is None:
            if self.forms[i].verbs and not (self.forms[i].nouns and self.tokens[i][0].isupper()):
                return True
            i += 1
        return False

    def assemble(self, segments: list[tuple[str, list[Item]]], sentence: int, punctuation: str) -> None:
        first = len(self.clauses)
        pending: ReadClause | None = None
        for lead, items in segments:
            if not items:
                continue
            verb = any(x.kind == "V" for x in items)
            conjunction = lead if lead != "," else ""
            sub = bool(conjunction) and FORMS[conjunction].conjunction == "sub"
            relative = (
                lead == "," and verb and self.is_relative(items) and len(self.clauses) + (pending is not None) > first
            )
            if relative:
                clause = ReadClause("rel", "", sentence)
                clause.items = items
                items[0].relative = True
                self.clauses.append(clause)
            elif sub:
                clause = ReadClause("sub", conjunction, sentence)
                clause.items = items
                if verb:
                    self.clauses.append(clause)
                else:
                    pending = clause
                    self.clauses.append(clause)
            elif verb:
                earlier = [c for c in self.clauses[first:] if c.kind != "rel"]
                if (
                    self.clauses[first:]
                    and self.clauses[-1].kind == "rel"
                    and lead == ","
                    and earlier
                    and earlier[-1].kind == "main"
                ):
                    earlier[-1].items += items  # the main clause goes on after a relative clause
                elif pending is not None:
                    self.stray_commas += lead == "," and self.clauses[-1].kind != "rel"
                    pending.items += items
                    if pending.kind == "frag":
                        pending.kind = "main"
                    pending = None
                else:
                    clause = ReadClause("main", conjunction, sentence)
                    clause.items = items
                    clause.after_sub = len(self.clauses) > first and all(
                        c.kind in ("sub", "rel") for c in self.clauses[first:]
                    )
                    self.clauses.append(clause)
            else:
                earlier = [c for c in self.clauses[first:] if c.kind != "rel"]
                after_relative = bool(self.clauses[first:]) and self.clauses[-1].kind == "rel"
                if lead == "," and not after_relative and any(x.kind != "F" for x in items):
                    self.stray_commas += 1
                if pending is not None:
                    pending.items += items
                elif earlier:
                    earlier[-1].items += items
                else:
                    pending = ReadClause("frag", conjunction, sentence)
                    pending.items = list(items)
                    self.clauses.append(pending)
        for clause in self.clauses[first:]:
            clause.punctuation = punctuation

    @staticmethod
    def is_relative(items: list[Item]) -> bool:
        """der, die, das (perhaps after a preposition) at the start, and the finite verb at the end."""
        head = items[0]
        if not head.demonstrative:
            return False
        verbs = list(itertools.takewhile(lambda x: x.kind == "V", items[1:]))
        if len(verbs) > 1:
            return ends_finite(verbs)
        return not verbs or len(items) == 2

    def find_verbs(self, clause: ReadClause) -> None:
        """Tell the finite verb from the rest, and what they say together."""
        verbs = [x for x in clause.items if x.kind == "V"]
        if len(verbs) > 1:
            for x in verbs:  # weiß, liebe: adjectives where another verb stands
                if x.concepts and not any(v[0] in AUXILIARIES for v in x.verbs):
                    x.kind = "A"
            verbs = [x for x in verbs if x.kind == "V"]
        for x in clause.items:
            if x.kind == "X" or "no" in x.det:
                clause.negated = True
        if not verbs:
            return
        finite = [x for x in verbs if any(v[1] in ("fin", "imp") for v in x.verbs)]
        if not finite:
            clause.lemma = verbs[0].verbs[0][0]
            return
        auxiliary = [x for x in finite if is_auxiliary(x)]
        if len(verbs) > 1 and auxiliary:
            last = clause.kind in ("sub", "rel") and not doubles_infinitive(verbs)
            head = auxiliary[-1] if last else auxiliary[0]
        else:
            head = finite[-1] if clause.kind in ("sub", "rel") else finite[0]
        clause.finite = head
        rest = [x for x in verbs if x is not head]
        prefix = next((x.text for x in reversed(clause.items) if x.kind == "P"), "")
        readings = [v for v in head.verbs if v[1] == "fin"] or head.verbs
        chosen = readings[0]
        if rest and any(v[0] in AUXILIARIES for v in readings):
            chosen = next(v for v in readings if v[0] in AUXILIARIES)
            self.compose(clause, chosen, rest)
        else:
            if prefix:
                for v in head.verbs:
                    if f"{prefix}|{v[0]}" in VERB_CONCEPTS and v[1] in ("fin", "imp"):
                        clause.lemma = f"{prefix}|{v[0]}"
                        chosen = v
                        break
                else:
                    clause.lemma = chosen[0]
            else:
                clause.lemma = chosen[0]
            clause.tense = chosen[2] or "present"
            if chosen[0] in MODAL_LEMMAS and not rest:
                clause.modal = chosen[0]
        clause.persons = 0
        forms = ("fin",) if any(x.text in ("du", "Du") for x in clause.items) else ("fin", "imp")  # not "du komme"
        for v in head.verbs:
            if v[0] == chosen[0] and v[1] in forms and (v[2] == chosen[2] or v[2] == clause.tense):
                clause.persons |= v[3]

    @staticmethod
    def compose(clause: ReadClause, head: tuple[str, str, str, int], rest: list[Item]) -> None:
        """Auxiliary or modal with what it governs: hat gekauft, wird kaufen, will kaufen, wurde gekauft."""
        auxiliary, _, tense, _ = head
        participles = [v for x in rest for v in x.verbs if v[1] == "part"]
        infinitives = [v for x in rest for v in x.verbs if v[1] == "inf"]
        others = [v for x in rest for v in x.verbs]
        clause.auxiliary = auxiliary
        if auxiliary in MODAL_LEMMAS or auxiliary == "würde":
            clause.modal = auxiliary
            clause.tense = tense
            chosen = infinitives or participles or others
            clause.lemma = chosen[0][0]
            if participles and any(v[0] == "werden" for v in infinitives):
                clause.passive = True
                clause.lemma = participles[0][0]
            return
        if auxiliary == "werden":
            modal = next((v for v in infinitives if v[0] in MODAL_LEMMAS), None)
            if modal is not None and len(rest) > 1:
                clause.modal = modal[0]
                infinitives = [v for v in infinitives if v[0] not in MODAL_LEMMAS]
            # besuchen is an infinitive, besucht a participle, bekommen both
            if infinitives and tense == "present":
                clause.tense, clause.lemma = "future", infinitives[0][0]
                if participles and any(v[0] == "werden" for v in infinitives):
                    clause.passive, clause.lemma = True, participles[0][0]
            elif participles:
                clause.passive, clause.tense, clause.lemma = True, tense, participles[0][0]
            else:
                clause.tense, clause.lemma = "future" if tense == "present" else tense, (infinitives or others)[0][0]
            return
        clause.tense = "perfect" if tense == "present" else "pluperfect"
        modal = next((v for v in infinitives if v[0] in MODAL_LEMMAS), None)
        if modal is not None and len(rest) > 1:  # hat kaufen müssen
            clause.modal = modal[0]
            chosen = [v for v in infinitives if v[0] not in MODAL_LEMMAS] or infinitives
        else:
            worden = any(v[0] == "werden" for v in participles)
            chosen = [v for v in participles if v[0] != "werden"] if worden else participles
            clause.passive = worden and bool(chosen)
        clause.lemma = (chosen or participles or infinitives or others)[0][0]


def ends_finite(verbs: list[Item]) -> bool:
    """der gewartet hat, die warten müssen; not der hat gewartet, die müssen warten, where the auxiliary comes first."""
    *before, last = verbs
    return (
        any(v[1] == "fin" for v in last.verbs)
        and all(any(v[1] in ("inf", "part") for v in x.verbs) for x in before)
        and (is_auxiliary(last) or not is_auxiliary(before[0]))
    )


def doubles_infinitive(verbs: list[Item]) -> bool:
    """weil sie es hat tragen müssen: the finite verb stands before two infinitives."""
    first, *rest = verbs
    return (
        len(rest) == 2
        and any(v[0] in ("haben", "werden") and v[1] == "fin" for v in first.verbs)
        and all(any(v[1] == "inf" for v in x.verbs) for x in rest)
        and any(v[0] in MODAL_LEMMAS for v in rest[-1].verbs)
    )


def is_auxiliary(verb: Item) -> bool:
    return any(v[0] in AUXILIARIES and v[1] == "fin" for v in verb.verbs)


def readings_of(clause: ReadClause) -> list[str]:
    """All lemmas that the clause's main verb can be (gehört: hören, gehören)."""
    out = [clause.lemma] if clause.lemma else []
    prefix = next((x.text for x in reversed(clause.items) if x.kind == "P"), "")
    for x in clause.items:
        if x.kind == "V":
            for v in x.verbs:
                if x is clause.finite and clause.auxiliary:
                    continue
                lemma = (
                    f"{prefix}|{v[0]}"
                    if prefix and v[1] in ("fin", "imp") and v[0] in SEPARABLE.get(prefix, ())
                    else v[0]
                )
                if (
                    lemma not in out
                    and lemma.replace("|", "")
                    and not (prefix and "|" not in lemma and f"{prefix}|{lemma}" in VERB_CONCEPTS)
                ):
                    out.append(lemma)
    return out
