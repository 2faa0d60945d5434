"""Laws of the translation world: splits, references, damage, free text, habits, hostile input."""

from __future__ import annotations

import copy
import itertools
import pickle
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from textgym.seeding import Draws
from textgym.tasks.base import Judged
from textgym.tasks.translate import TranslateTask
from textgym.tasks.translate.damage import MARGINS, damages
from textgym.tasks.translate.generate import key_of, split_of
from textgym.tasks.translate.german import TIMELIKE, German, Style, write_references
from textgym.tasks.translate.habits import HABITS, Habitual
from textgym.tasks.translate.judge import judge_text
from textgym.tasks.translate.lexicon import NOUNS, VERBS
from textgym.tasks.translate.meaning import Circumstance, Clause, Meaning, Phrase, Sentence
from textgym.tasks.translate.morphology import make_adjective, make_noun, make_verb
from textgym.tasks.translate.score import COMPONENTS
from textgym.types import SPLITS, Example, Message, Transcript

N = 300


def answered(example: Example, *responses: str) -> Transcript:
    messages = (*example.prompt, *(Message("assistant", r) for r in responses))
    return Transcript(messages, example.references, example.meta, num_prompt_messages=len(example.prompt))


def score(meaning: Meaning, text: str) -> float:
    return judge_text(text, meaning)[0]


@pytest.fixture(scope="module")
def train() -> TranslateTask:
    return TranslateTask("train")


def test_contract(train: TranslateTask) -> None:
    assert isinstance(train, Judged)
    assert train.name == "translate"
    assert [len(TranslateTask(s)) for s in SPLITS] == [1_000_000, 10_000, 10_000]
    with pytest.raises(ValueError, match="split"):
        TranslateTask("dev")
    for index in (-1, 1_000_000):
        with pytest.raises(IndexError):
            train[index]
    example = train[7]
    assert example == train[7] == TranslateTask("train")[7]
    assert example != TranslateTask("train", data_seed=1)[7]
    assert copy.deepcopy(example.meta) == example.meta == pickle.loads(pickle.dumps(example.meta))
    assert len(example.prompt) == 1
    assert 1 <= len(example.references) <= 8


def test_examples_do_not_depend_on_the_hash_seed(train: TranslateTask) -> None:
    code = (
        "from textgym.tasks.translate import TranslateTask; t = TranslateTask('test', simple=False);"
        "print([(t[i].prompt, t[i].references) for i in range(40)])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": s, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
        ).stdout
        for s in ("1", "2")
    }
    assert len(runs) == 1
    assert len(runs.pop()) > 1000


@pytest.mark.parametrize("simple", [False, True])
def test_splits_are_disjoint_for_any_data_seed(simple: bool) -> None:
    prompts: dict[str, set[str]] = {}
    for split, seed in zip(SPLITS, (3, 0, 5), strict=True):
        task = TranslateTask(split, data_seed=seed, simple=simple)
        examples = [task[i] for i in range(2000)]
        assert all(split_of(*key_of(e.meta)) == SPLITS.index(split) for e in examples)
        prompts[split] = {e.prompt[0].content for e in examples}
    assert not prompts["train"] & prompts["test"]
    assert not prompts["train"] & prompts["validation"]
    assert not prompts["validation"] & prompts["test"]


def test_prompts_are_plain_text(train: TranslateTask) -> None:
    for i in range(2000):
        p = train[i].prompt[0].content
        assert re.fullmatch(r"[A-Z][A-Za-z0-9 ,.'?!:-]+[.?!]", p), p
        assert not re.search(r"\b(\w+) \1\b|\ba [aeio]|\ban [^aeiouh]|  ", p), p
        assert len(p.split()) <= 30


def test_references_are_german_and_right(train: TranslateTask) -> None:
    for task in (train, TranslateTask("test", simple=True)):
        for i in range(N):
            meaning = task[i].meta
            for reference in write_references(meaning, 30):
                assert re.fullmatch(r"[A-ZÄÖÜ][A-Za-zÄÖÜäöüß0-9 ,.?:-]+[.?]", reference), reference
                assert score(meaning, reference) >= 0.95, reference


def test_a_right_answer_with_a_time_before_its_object_is_accepted() -> None:
    meaning = TranslateTask("test")[1302].meta
    assert min(score(meaning, text) for text in write_references(meaning, 30)) >= 0.95


@pytest.mark.parametrize(("tense", "modal"), [("perfect", ""), ("future", ""), ("present", "must"), ("past", "can")])
def test_a_relative_clause_of_verbs_alone_is_read(tense: str, modal: str) -> None:
    """Der Mann, der gewartet hat, sah eine Katze: the finite verb is last, and der hat gewartet is an error."""
    for verb in VERBS:
        for head, plural in (("man", False), ("woman", False), ("child", False), ("child", True)):
            rel = Clause(Phrase(head, "rel", plural=plural), verb, tense, modal)
            subject = Phrase(head, "the", plural=plural, rel=rel)
            meaning = Meaning((Sentence(Clause(subject, "see", "past", obj=Phrase("cat", "a"))),))
            text = German().write(meaning)
            assert score(meaning, text) >= 0.95, text
            first, inner, last = text.split(", ")
            pronoun, main, finite = inner.split()
            if main != finite:  # the children, die werden werden
                wrong = f"{first}, {pronoun} {finite} {main}, {last}"
                assert score(meaning, wrong) < score(meaning, text) - 0.1, wrong


ACCUSATIVE_TIMES = (
    "last week", "last month", "last year", "last summer", "last Friday", "next week", "next month", "next year",
    "next Sunday", "every day", "every week", "every morning", "every evening", "every year",
)  # fmt: skip


def timed(meaning: Meaning, word: str) -> Meaning:
    """The meaning with this time and no other in its first main clause."""
    first = meaning.sentences[0]
    kept = tuple(x for x in first.main.circumstances if x.kind not in TIMELIKE)
    main = replace(first.main, circumstances=(Circumstance("time", word), *kept))
    return Meaning((replace(first, main=main, front=-1), *meaning.sentences[1:]))


def test_times_in_the_accusative_are_accepted(train: TranslateTask) -> None:
    """letzten Monat, jeden Tag, voriges Jahr are no objects, wherever they stand."""
    for i in range(N):
        meaning = timed(train[i].meta, ACCUSATIVE_TIMES[i % len(ACCUSATIVE_TIMES)])
        texts = set(write_references(meaning, 30))
        for past, front, wording in itertools.product(("preterite", "perfect"), (-1, 0), range(3)):
            texts.add(German(Style(past=past, front=front, time=wording)).write(meaning))
        for text in texts:
            assert score(meaning, text) >= 0.95, text


def test_other_times_in_the_accusative_are_in_order(train: TranslateTask) -> None:
    """Times that no meaning has are wrong, but not out of order."""
    others = ("diese Woche", "vorigen Montag", "dieses Jahr", "jeden Sommer", "kommenden Mai", "jede Nacht")
    for i in range(N):
        meaning = timed(train[i].meta, "last week")
        if len(meaning.sentences) > 1 or meaning.sentences[0].sub is not None:
            continue  # a time said in another clause than its own costs a little
        for front in (-1, 0):
            text = German(Style(front=front)).write(meaning)
            for other in others:
                spoilt = text.replace("letzte Woche", other)
                spoilt = spoilt.replace("Letzte Woche", other[0].upper() + other[1:])
                assert spoilt != text
                assert judge_text(spoilt, meaning)[1]["order"] == 1.0, spoilt


def test_every_style_is_accepted(train: TranslateTask) -> None:
    """Not one choice at a time, as in the references, but all at once."""
    draws = Draws(1)
    for i in range(N):
        style = Style(
            you=draws.pick(("du", "ihr", "Sie")), past=draws.pick(("preterite",
            "perfect")), future=draws.pick(("werden", "present")),
            verb=draws.below(2), time=draws.below(2), contract=draws.chance(0.5), digits=draws.chance(0.5),
            dass=draws.chance(0.5),
        )  # fmt: skip
        text = German(style).write(train[i].meta)
        assert score(train[i].meta, text) >= 0.95, text


def test_damage_costs_what_is_stated() -> None:
    task = TranslateTask("test")
    rng = np.random.default_rng(0)
    small: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for i in range(N):
        example = task[i]
        right = score(example.meta, example.references[0])
        for kind, texts in damages(task, i, rng).items():
            for text in [texts] if isinstance(texts, str) else texts:
                seen[kind] += 1
                small[kind] += right - score(example.meta, text) < MARGINS[kind]
    assert set(seen) == set(MARGINS)
    assert {k: n for k, n in small.items() if n > max(1, 0.01 * seen[k])} == {}


def test_answers_are_right_and_varied(train: TranslateTask) -> None:
    rng = np.random.default_rng(0)
    texts: set[tuple[int, str]] = set()
    for i in range(N):
        transcript = answered(train[i])
        text = train.answer(transcript, rng)
        judgement = train.judge(answered(train[i], text))
        assert judgement.score >= 0.95, text
        assert tuple(judgement.components) == COMPONENTS
        texts.add((i, text))
        texts.add((i, train.answer(transcript, rng)))
    assert len(texts) > 1.2 * N


def test_habits_are_systematic_and_cost_half(train: TranslateTask) -> None:
    rng = np.random.default_rng(0)
    sampled = [score(train[i].meta, train.answer(answered(train[i]), rng, habits=True)) for i in range(600)]
    assert 0.47 < float(np.mean(sampled)) < 0.58
    steady = [score(train[i].meta, Habitual(Style(), frozenset()).write(train[i].meta)) for i in range(600)]
    assert float(np.mean(steady)) < 0.58  # what a greedy decoder would learn is no better
    free = [
        Habitual(Style(), frozenset(HABITS)).write(train[i].meta) == German().write(train[i].meta) for i in range(100)
    ]
    assert all(free)


# English, right translations that the generator does not write, wrong ones
A = Phrase("Anna")
FREE = [
    (
        Sentence(Clause(A, "buy", "past", obj=Phrase("apple", "a", "red"), circumstances=(Circumstance("time",
        "yesterday"),))),
        ["Gestern hat Anna einen roten Apfel gekauft.", "Anna kaufte einen roten Apfel gestern.",
        "Anna hat sich gestern einen roten Apfel gekauft.",
         "Von Anna wurde gestern ein roter Apfel gekauft."],
        ["Gestern Anna kaufte einen roten Apfel.", "Anna kaufte gestern ein roten Apfel.",
        "Anna kaufte gestern einen roter Apfel.",
         "Anna kauft heute einen roten Apfel.", "Anna verkaufte gestern einen roten Apfel.",
         "Anna kaufte gestern einen roten Apfel und eine Birne."],
    ),
    (
        Sentence(Clause(Phrase("woman", "the"), "like", obj=Phrase("film", "this"))),
        ["Der Frau gefällt dieser Film.", "Dieser Film gefällt der Frau."],
        ["Die Frau gefällt diesem Film.", "Die Frau gefällt dieser Film.", "Die Frau mag dieser Film.",
        "Die Frau mag diesen Film nicht."],
    ),
    (
        Sentence(Clause(Phrase("he"), "get up", circumstances=(Circumstance("clock", value=450),)), "tell",
        "because", Clause(Phrase("he"), "work", modal="must")),
        ["Er steht um 7:30 Uhr auf, weil er arbeiten muss.", "Um halb acht steht er auf, denn er muss arbeiten.",
        "Da er arbeiten muss, steht er um sieben Uhr dreißig auf."],
        ["Er steht um halb acht, weil er arbeiten muss.", "Er steht um halb acht auf, weil er muss arbeiten.",
        "Er steht um halb sieben auf, weil er arbeiten muss.",
         "Er aufsteht um halb acht, weil er arbeiten muss.", "Er steht um halb acht auf, obwohl er arbeiten muss."],
    ),
    (
        Sentence(Clause(Phrase("I"), "give", obj=Phrase("book", "the"), recipient=Phrase("friend", "my")), "tell"),
        ["Ich gebe das Buch meinem Freund.", "Meiner Freundin gebe ich das Buch.",
        "Ich gebe meiner Freundin das Buch."],
        ["Ich gebe mein Freund das Buch.", "Ich gebe meinen Freund das Buch.", "Ich gibt meinem Freund das Buch.",
        "Ich gebe das Buch."],
    ),
    (
        Sentence(Clause(Phrase("you"), "buy", "past", obj=Phrase("bread"), circumstances=(Circumstance("weekday",
        "Monday"),)), "ask"),
        ["Haben Sie am Montag Brot gekauft?", "Hast du am Montag Brot gekauft?",
        "Habt ihr am Montag das Brot besorgt?".replace("das ", "")],
        ["Du hast am Montag Brot gekauft.", "Habt du am Montag Brot gekauft?", "Hast du am Dienstag Brot gekauft?"],
    ),
    (
        Sentence(Clause(Phrase("child", "the", plural=True), "go", circumstances=(Circumstance("dir",
        phrase=Phrase("school", "the")),), negated=True)),
        ["Die Kinder gehen nicht zur Schule.", "Die Kinder gehen nicht in die Schule."],
        ["Die Kinder gehen nicht in der Schule.", "Die Kinder gehen zur Schule.",
        "Die Kinder geht nicht zur Schule.", "Die Kinder nicht gehen zur Schule."],
    ),
]  # fmt: skip


def test_free_translations_rank_above_wrong_ones() -> None:
    for sentence, right, wrong in FREE:
        meaning = Meaning((sentence,))
        low = min(score(meaning, t) for t in right)
        assert low >= 0.9, [(t, score(meaning, t)) for t in right]
        high = max(score(meaning, t) for t in wrong)
        assert high < low - 0.09, [(t, score(meaning, t)) for t in wrong]


MAN, WOMAN, DOG = Phrase("man", "the"), Phrase("woman", "the"), Phrase("dog", "the")
BOOK = Phrase("book", "the")
ROLES = [  # what is said, right in any order of words, the roles exchanged
    (
        Clause(MAN, "see", obj=DOG),
        ["Der Mann sieht den Hund.", "Den Hund sieht der Mann.", "Der Hund wird von dem Mann gesehen."],
        ["Der Hund sieht den Mann.", "Den Mann sieht der Hund.", "Der Mann wird von dem Hund gesehen."],
    ),
    (
        Clause(MAN, "see", obj=WOMAN),
        ["Der Mann sieht die Frau.", "Die Frau sieht der Mann."],
        ["Die Frau sieht den Mann.", "Den Mann sieht die Frau."],
    ),
    (
        Clause(WOMAN, "see", obj=Phrase("woman", "the", plural=True)),
        ["Die Frau sieht die Frauen."],
        ["Die Frauen sehen die Frau."],
    ),
    (
        Clause(Phrase("woman", "the"), "see", obj=Phrase("child", "the", plural=True)),
        ["Die Frau sieht die Kinder.", "Die Kinder sieht die Frau."],
        ["Die Kinder sehen die Frau.", "Die Frau sehen die Kinder."],
    ),
    (Clause(A, "see", obj=Phrase("Tom")), ["Anna sieht Tom."], ["Tom sieht Anna."]),
    (Clause(A, "see", obj=Phrase("I")), ["Anna sieht mich.", "Mich sieht Anna."], ["Ich sehe Anna.", "Anna sehe ich."]),
    (Clause(A, "buy", obj=BOOK), ["Das Buch kauft Anna."], ["Das Buch kauft den Mann."]),
    (
        Clause(MAN, "give", obj=BOOK, recipient=WOMAN),
        ["Der Frau gibt der Mann das Buch.", "Das Buch gibt der Mann der Frau."],
        ["Die Frau gibt dem Mann das Buch.", "Dem Mann gibt die Frau das Buch."],
    ),
    (
        Clause(MAN, "send", obj=Phrase("letter", "a"), recipient=A),
        ["Einen Brief schickt der Mann an Anna."],
        ["Anna schickt einen Brief an den Mann.", "Anna schickt dem Mann einen Brief."],
    ),
    (Clause(A, "wait for", obj=MAN), ["Auf den Mann wartet Anna."], ["Der Mann wartet auf Anna."]),
    (Clause(A, "like", obj=MAN), ["Anna gefällt der Mann."], ["Dem Mann gefällt Anna.", "Der Mann mag Anna."]),
    (
        Clause(A, "bake", obj=Phrase("cake", "a"), circumstances=(Circumstance("for", phrase=MAN),)),
        ["Für den Mann backt Anna einen Kuchen."],
        ["Der Mann backt einen Kuchen für Anna.", "Für Anna backt der Mann einen Kuchen."],
    ),
    (
        Clause(A, "be", predicate="old", degree="more", than=MAN),
        ["Anna ist älter als der Mann."],
        ["Der Mann ist älter als Anna."],
    ),
]


@pytest.mark.parametrize(("clause", "right", "wrong"), ROLES)
def test_exchanged_roles_are_errors_of_meaning(clause: Clause, right: list[str], wrong: list[str]) -> None:
    meaning = Meaning((Sentence(clause),))
    for text in right:
        assert score(meaning, text) >= 0.95, text
    for text in wrong:
        assert score(meaning, text) <= 0.7, text


def test_a_wrong_ending_is_no_exchange_of_roles() -> None:
    """Die Frau kauft ein Apfel: apples buy nothing."""
    meaning = Meaning((Sentence(Clause(WOMAN, "buy", obj=Phrase("apple", "a"))),))
    assert 0.8 < score(meaning, "Die Frau kauft ein Apfel.") < 0.9


def test_exchanged_roles_cost_in_whatever_is_generated(train: TranslateTask) -> None:
    """Who sees, gives or helps whom, exchanged by the writer of the references."""
    seen = 0
    for i in range(2 * N):
        first = train[i].meta.sentences[0]
        c = first.main
        for name in ("obj", "recipient"):
            other = getattr(c, name)
            if first.mood == "order" or other is None or c.subject.rel is not None or other.head in ("who", "what"):
                continue
            if other.head in NOUNS and "pers" not in NOUNS[other.head].tags:
                continue
            swapped = replace(c, subject=other, **{name: c.subject})
            for past in ("preterite", "perfect"):
                text = German(Style(past=past)).write(Meaning((replace(first, main=swapped, front=-1),)))
                assert score(Meaning((first,)), text) <= 0.7, text
                seen += 1
    assert seen > 50


def test_exchanged_subjects_of_two_clauses_cost() -> None:
    first = Sentence(Clause(A, "sleep"), "tell", "because", Clause(Phrase("Tom"), "laugh"))
    meaning = Meaning((first,))
    assert score(meaning, "Anna schläft, weil Tom lacht.") >= 0.95
    assert score(meaning, "Tom schläft, weil Anna lacht.") <= 0.7
    he = Meaning((replace(first, main=replace(first.main, subject=Phrase("he"))),))
    assert score(he, "Tom schläft, weil er lacht.") <= 0.7


RELATIVE = Clause(Phrase("man", "rel"), "see", obj=WOMAN)
VARIANTS: list[tuple[Sentence, list[str], list[str]]] = [
    (
        Sentence(Clause(Phrase("lawyer", "the"), "travel"), "where"),
        ["Wohin reist der Anwalt?", "Wo reist der Anwalt hin?"],
        ["Wo reist der Anwalt?", "Woher reist der Anwalt?"],
    ),
    (
        Sentence(Clause(Phrase("lawyer", "the"), "run", "perfect"), "where"),
        ["Wohin ist der Anwalt gelaufen?", "Wo ist der Anwalt hingelaufen?"],
        ["Wo ist der Anwalt gelaufen?"],
    ),
    (
        Sentence(Clause(replace(MAN, rel=RELATIVE), "sleep")),
        ["Der Mann, der die Frau sieht, schläft.", "Der Mann, welcher die Frau sieht, schläft.",
         "Derjenige Mann, der die Frau sieht, schläft."],
        ["Der Mann, den die Frau sieht, schläft.", "Der Mann, welchen die Frau sieht, schläft.",
         "Der Mann, welches die Frau sieht, schläft."],
    ),
    (
        Sentence(Clause(A, "read", "past", obj=Phrase("letter", "a"),
                        circumstances=(Circumstance("clock", value=60),))),
        ["Anna las um eins einen Brief.", "Anna las um ein Uhr einen Brief.", "Anna las um 1 einen Brief."],
        ["Anna las um zwei einen Brief."],
    ),
    (
        Sentence(Clause(A, "sleep", "past", circumstances=(Circumstance("date", "April", 9),))),
        ["Anna schlief am 9.4.", "Anna schlief am 09.04.",
         "Anna hat am 9. 4. geschlafen.", "Am neunten April schlief Anna."],
        ["Anna schlief am 4.9.", "Anna schlief am 9.5."],
    ),
    (
        Sentence(Clause(A, "laugh", "past"), "tell", "although",
                 Clause(Phrase("she", of="Anna"), "work", "past"), True),
        ["Obwohl sie arbeitete, lachte Anna.", "Obwohl Anna arbeitete, lachte sie.",
         "Anna lachte, obwohl sie arbeitete."],
        ["Obwohl Anna arbeitete, lachte er.", "Obwohl sie lachte, arbeitete Anna."],
    ),
    (
        Sentence(Clause(A, "work"), "tell", "because", Clause(Phrase("she"), "carry", "past", modal="must", obj=BOOK)),
        ["Anna arbeitet, weil sie das Buch hat tragen müssen.", "Weil Anna das Buch tragen musste, arbeitet sie."],
        ["Anna arbeitet, weil sie das Buch hat tragen wollen.", "Anna arbeitet, weil sie hat das Buch tragen müssen."],
    ),
    (
        Sentence(Clause(Phrase("I"), "look at", obj=WOMAN)),
        ["Ich sehe mir die Frau an.", "Ich schaue mir die Frau an."],
        ["Ich sehe mir den Mann an."],
    ),
    (
        Sentence(Clause(A, "walk", "past", circumstances=(Circumstance("dir", phrase=Phrase("park", "the")),))),
        ["Anna ging zu Fuß in den Park.", "Anna lief in den Park."],
        ["Anna ging zu Fuß aus dem Park.", "Anna ging nicht in den Park."],
    ),
    (
        Sentence(Clause(A, "go", circumstances=(Circumstance("dircity", "Rome"), Circumstance("by", "bus")))),
        ["Anna reist per Bus nach Rom.", "Anna fährt mit dem Bus nach Rom."],
        ["Anna reist per Zug nach Rom."],
    ),
    (Sentence(Clause(Phrase("you"), "drive", circumstances=(Circumstance("dircity", "Italy"),)), "order"),
     ["Fahrt bitte nach Italien!"], ["Fahrt bitte nach Spanien!"]),
    (Sentence(Clause(A, "be", predicate="hungry", degree="very")),
     ["Anna hat großen Hunger."], ["Anna hat großen Durst."]),
    (Sentence(Clause(A, "like", obj=MAN)), ["Anna hat den Mann gerne."], ["Anna hat den Mann."]),
    (Sentence(Clause(Phrase("suitcase", "the"), "cost", obj=Phrase("euro", plural=True, count=52))),
     ["Der Koffer kostet 52 €."], ["Der Koffer kostet 53 €."]),
    (Sentence(Clause(Phrase("neighbour", "Max's"), "sleep")), ["Max' Nachbar schläft."], ["Toms Nachbar schläft."]),
    (
        Sentence(Clause(Phrase("who"), "send", "past", obj=Phrase("letter", "the"), recipient=MAN), "who"),
        ["Von wem wurde der Brief an den Mann geschickt?"],
        ["Wem schickte der Mann den Brief?", "Wer schickte den Brief vom Mann?"],
    ),
    (Sentence(Clause(A, "see", obj=Phrase("she"))), ["Anna sieht sie."], ["Anna sieht ihn."]),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "right", "wrong"), VARIANTS)
def test_standard_variants_are_right(sentence: Sentence, right: list[str], wrong: list[str]) -> None:
    meaning = Meaning((sentence,))
    for text in right:
        assert score(meaning, text) >= 0.95, text
    for text in wrong:
        assert score(meaning, text) < 0.9, text


def test_morphology() -> None:
    assert make_noun('Haus n "er').plural == ("Häuser", "Häuser", "Häusern", "Häuser")
    assert make_noun("Student w en").singular == ("Student", "Studenten", "Studenten", "Studenten")
    assert make_verb("auf~stehen,steht,stand,gestanden,s").participle == "aufgestanden"
    assert make_verb("arbeiten").present == ("arbeite", "arbeitest", "arbeitet", "arbeiten", "arbeitet", "arbeiten")
    assert make_verb("wohnen").present[2] == "wohnt"
    assert make_verb("öffnen").past[0] == "öffnete"
    assert make_verb("helfen,hilft,half,geholfen").imperative == "hilf"
    assert make_verb("reparieren").participle == "repariert"
    assert make_adjective("teuer") == ("teuer", "teurer")


@pytest.mark.parametrize(
    "text",
    ["", " ", "\x00\x01",
    "你好，世界。" * 50, "a" * 100_000, "der die das " * 10_000, "," * 5000, "und " * 20_000, "((((" * 9999,
    "um um 3 Uhr 99999999999999999999",
     "9" * 5000, "halb", "Viertel vor", "am", "𝔘nicode ẞ ’ “", "dass dass dass", "12:99 25.13. 00:00", "'s s' s",
     "Herr", "Frau Frau"],
)  # fmt: skip
def test_hostile_text(train: TranslateTask, text: str) -> None:
    start = time.process_time()
    for i in range(5):
        judgement = train.judge(answered(train[i], text))
        assert 0.0 <= judgement.score < 0.3
        assert tuple(judgement.components) == COMPONENTS
    assert time.process_time() - start < 10  # milliseconds, unless something blows up exponentially


def test_spliced_words_never_fail(train: TranslateTask) -> None:
    """Any order of real words is read without failing, and scores are in [0, 1]."""
    draws = Draws(5)
    vocabulary = [
        *sorted({w for i in range(200) for w in re.findall(r"\w+|[.,?]", train[i].references[0])}),
        "um",
        "halb",
        "Uhr",
        "als",
        "12",
        "3.",
        "Mai",
    ]
    for i in range(N):
        text = " ".join(draws.pick(vocabulary) for _ in range(draws.integer(1, 30)))
        assert 0.0 <= score(train[i].meta, text) <= 1.0


def test_no_response_scores_nothing(train: TranslateTask) -> None:
    assert train.judge(answered(train[0])).score == 0.0
    with pytest.raises(TypeError, match="meta"):
        train.judge(Transcript((Message("user", "Hello."), Message("assistant", "Hallo."))))
