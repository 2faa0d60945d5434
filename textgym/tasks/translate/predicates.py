"""What a clause says of its subject: verb, tense, modal, negation, predicate; and how clauses are linked."""

from __future__ import annotations

from textgym.tasks.translate.lexicon import CASE, MODALS, NOM, VERB_CONCEPTS, VERBS
from textgym.tasks.translate.meaning import Clause, Sentence
from textgym.tasks.translate.noun_phrases import check_phrase
from textgym.tasks.translate.phrases import Item
from textgym.tasks.translate.reading import ReadClause, readings_of
from textgym.tasks.translate.score import Tally
from textgym.tasks.translate.words import listed

LINKS = {
    "because": ("weil", "da", "denn"),
    "although": ("obwohl", "obgleich", "obschon"),
    "if": ("wenn", "falls"),
    "while": ("während",),
    "that": ("dass", ""),
    "and": ("und", ""),
    "but": ("aber", "doch", "jedoch"),
}
WHEN_PAST, WHEN_PRESENT = ("als", "wenn"), ("wenn", "sobald", "als")
WH_WORDS = {"where": ("wo", "wohin"), "when": ("wann",), "why": ("warum", "wieso", "weshalb")}
TENSES = {
    "present": ("present",), "past": ("past", "perfect", "pluperfect"), "perfect": ("perfect",
    "past"), "future": ("future", "present"),
}  # fmt: skip
SEIN_LEMMAS = {o.verb.lemma for e in VERBS.values() for o in e.options if o.verb.sein}
HABEN_LEMMAS = {o.verb.lemma for e in VERBS.values() for o in e.options if not o.verb.sein}
EITHER = frozenset(listed("schwimmen sitzen stehen liegen")) | (SEIN_LEMMAS & HABEN_LEMMAS)
DEGREES = ("very", "too")


def check_verb(tally: Tally, c: Clause, read: ReadClause | None) -> tuple[str, bool, bool]:
    """Check the verb, its tense, its modal and its negation; (frame, passive, whether the verb is right)."""
    weight = 0.7 if c.verb in ("be", "have") else 1.4
    if read is None or read.finite is None:
        check_verbless(tally, c, read, weight)
        return "", False, False
    frame, lemma = right_verb(c, read)
    matched, passive = bool(lemma), False
    tally.slot(weight, 1.0 if matched else 0.0)
    if matched:
        passive = read.passive and (frame in ("a", "da") or ("+" in frame and bool(VERBS[c.verb].recipients)))
        if not passive and read.passive:
            tally.facts += 0.5
    for x in read.items:
        if x.kind in ("V", "P"):
            x.used = matched or (x is read.finite and bool(read.auxiliary))
        elif c.verb == "walk" and "on foot" in x.concepts:
            x.used = True
    check_tense(tally, c, read)
    check_negation(tally, c, read)
    if matched:
        check_auxiliary(tally, lemma, read)
    return frame, passive, matched


def check_verbless(tally: Tally, c: Clause, read: ReadClause | None, weight: float) -> None:
    """A clause that the response lacks, or says with no finite verb."""
    found = read is not None and any(c.verb in VERB_CONCEPTS.get(x, ()) for x in readings_of(read))
    tally.slot(weight, 0.5 if found else 0.0)
    tally.order += 1.0
    if c.modal:
        tally.slot(0.8, 0.0)
    if c.negated and (read is None or not read.negated):
        tally.facts += 1.0
    if found and read is not None:
        for x in read.items:
            if x.kind == "V":
                x.used = True


def right_verb(c: Clause, read: ReadClause) -> tuple[str, str]:
    """(frame, lemma) of what the response says for the verb; the lemma is "" where it says another."""
    frame, lemma = VERBS[c.verb].options[0].frame, ""
    for candidate in readings_of(read):
        concepts = VERB_CONCEPTS.get(candidate, {})
        if c.verb in concepts:
            frame, lemma = concepts[c.verb], candidate
            break
    if c.predicate == "hungry" and read.lemma == "haben" and any(x.text == "Hunger" for x in read.items):
        lemma = "sein"
    if c.verb == "clean" and read.lemma == "machen":
        for x in read.items:
            if x.text.lower() == "sauber":
                x.used, lemma, frame = True, "putzen", "a"
    return fitting_frame(c.verb, lemma, frame, read), lemma


def fitting_frame(verb: str, lemma: str, frame: str, read: ReadClause) -> str:
    """Where a verb has several frames (sprechen über, sprechen von), the one that the response uses."""
    frames = [o.frame for o in VERBS[verb].options if o.verb.lemma == lemma]
    if len(frames) > 1:
        prepositions = {x.prep for x in read.items}
        for f in frames:
            if "+" in f and f.split("+")[0] in prepositions:
                return f
        plain = [f for f in frames if "+" not in f]
        return plain[0] if plain else frames[0]
    return frames[0] if frames else frame


def check_tense(tally: Tally, c: Clause, read: ReadClause) -> None:
    """Tense and modal."""
    tense = "present" if c.modal == "should" and read.modal == "sollen" else read.tense
    if tense not in TENSES[c.tense]:
        tally.facts += 0.5 if read.tense else 0.0
    if c.modal:
        right = read.modal in MODALS[c.modal]
        if c.modal in ("would like to", "want to"):
            for x in read.items:
                x.used = x.used or x.text in ("gern", "gerne")
        tally.slot(0.8, 1.0 if right else 0.0)
        if not right:
            tally.facts += 0.5
    elif read.modal:
        tally.facts += 0.5


def check_negation(tally: Tally, c: Clause, read: ReadClause) -> None:
    """nicht, kein; never is a circumstance and a negation at once."""
    negative = c.negated or any(x.word == "never" for x in c.circumstances)
    if negative != read.negated:
        tally.facts += 1.0
    for x in read.items:
        if x.kind == "X" and negative and not x.concepts:
            x.used = True
            break


def check_auxiliary(tally: Tally, lemma: str, read: ReadClause) -> None:
    """haben or sein in the perfect tenses."""
    simple = read.tense in ("perfect", "pluperfect") and not read.modal and not read.passive
    if simple and read.auxiliary in ("haben", "sein") and lemma not in EITHER:
        lemma = lemma.removeprefix("hin|")
        tally.agreement += (lemma in SEIN_LEMMAS) != (read.auxiliary == "sein")


def check_predicate(tally: Tally, c: Clause, read: ReadClause | None, subject: Item | None) -> None:
    """müde, sehr müde, älter als Tom."""
    found: Item | None = None
    for clause in tally.places(read):
        found = next((x for x in clause.items if not x.used and x.kind in "AVF" and c.predicate in x.concepts), None)
        if found is None and c.predicate == "hungry":
            found = next((x for x in clause.items if x.text == "Hunger"), None)
        if found is not None:
            break
    tally.slot(1.4, 1.0 if found is not None else 0.0)
    if found is not None:
        found.used = True
        if found.mask == 0:
            tally.agreement += 1
    if c.degree == "more":
        ok = found is not None and found.comparative
        tally.slot(0.8, 1.0 if ok else 0.0)
        assert c.than is not None
        item = check_phrase(tally, c.than, read, CASE[NOM], (), True)
        if item is not None and not item.than:
            tally.agreement += 0.7
            tally.facts += subject is not None and subject.than  # älter als Tom ist Anna is not älter als Anna ist Tom
    elif found is not None and found.comparative:
        tally.facts += 0.5
    if c.degree in DEGREES and read is not None:
        word = next((x for x in read.items if not x.used and c.degree in x.concepts), None)
        big = c.degree == "very" and found is not None and any("big" in a for a in found.adjectives)  # großen Hunger
        tally.slot(0.6, 1.0 if big or word is not None else 0.0)
        if word is not None:
            word.used = True


def check_link(tally: Tally, s: Sentence, read: ReadClause | None) -> None:
    """The conjunction, or an adverb that says as much."""
    wanted = LINKS.get(s.link)
    if wanted is None:
        assert s.sub is not None
        wanted = WHEN_PAST if s.sub.tense in ("past", "perfect") else WHEN_PRESENT
    lead = read.lead if read is not None else ""
    share = 1.0 if lead in wanted else 0.0
    if read is not None and s.link == "when" and lead == "wenn" and wanted is WHEN_PAST:
        share = 0.3
    if read is not None and not share and s.link in ("and", "but", "because", "although"):
        share = linked_elsewhere(tally, s, wanted)
    tally.slot(1.0, share)
    if lead and not share and read is not None:
        tally.facts += 0.4


def linked_elsewhere(tally: Tally, s: Sentence, wanted: tuple[str, ...]) -> float:
    """aber said inside the clause, or trotzdem, deshalb in the other one."""
    for clause in tally.reader.clauses:
        if clause.lead in wanted and clause.lead:
            return 0.4
        if any(x.kind == "C" and x.lead in wanted for x in clause.items):
            return 1.0  # Tom kann jedoch nicht kommen
        for x in clause.items:
            if x.kind == "A" and (
                (s.link == "because" and "so" in x.concepts) or (s.link == "although" and "although" in x.concepts)
            ):
                x.used = True
                return 1.0
    return 0.0


def check_question(tally: Tally, c: Clause, mood: str, read: ReadClause | None) -> None:
    """The question word of where, when and why."""
    wanted = WH_WORDS[mood]
    if mood == "where":
        wanted = ("wohin", "wo") if "dir" in VERBS[c.verb].objects else ("wo",)
    asked = [x for x in read.items if x.kind == "Q"] if read is not None else []
    found = next((x for x in asked if x.lead in wanted), None)
    tally.slot(1.0, 1.0 if found is not None else 0.0)
    if found is not None:
        found.used = True
        if wanted[0] == "wohin" and found.lead == "wo" and read is not None and not read.lemma.startswith("hin|"):
            tally.agreement += 1
    elif asked:
        tally.facts += 0.7
