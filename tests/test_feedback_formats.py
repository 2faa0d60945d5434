"""Files in and out: what goes out comes back, others' rows mean what their authors say, nothing is dropped silently.

With TEXTGYM_TEST_DATA naming a folder of real files, those are read too.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from textgym.feedback.formats import WRITERS, read_file, write_file
from textgym.feedback.items import Item, Judged, Verdict
from textgym.feedback.preferences import read_preferences
from textgym.feedback.sources import READERS, Found, recognise, split_hh
from textgym.types import Message

HH = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: A joke?\n\nAssistant:"
DATA = os.environ.get("TEXTGYM_TEST_DATA")


def said(role: str, content: str) -> tuple[Message, ...]:
    return (Message(role, content),)


def pair(key: str, **fields: Any) -> Item:
    return Item(
        said("user", f"prompt {key}"), (said("assistant", f"a {key}"), said("assistant", f"b {key}")), key=key, **fields
    )


PAIRS = [pair("one", origin="here"), pair("two")]
RATED = Item(said("user", "rate"), (said("assistant", "rated"),), "rating", "r")
RANKED = Item(said("user", "rank"), tuple(said("assistant", t) for t in "xyz"), "ranking", "k")
GOLD = pair("gold", purpose="gold", answer=Verdict("b"), explanation="because")
JUDGED = [
    Judged("one", Verdict("a", 3, comment="why"), "anna", (1, 0), 2.5, 100.0),
    Judged("one", Verdict("tie"), "ben", (0, 1), None, 101.0),
    Judged("two", Verdict("b", criteria={"Clarity": (2.0, 5.0)}), "ben", (0, 1), 1.0, 102.0, True),
    Judged("two", Verdict("skip"), "anna", (0, 1), 1.0, 103.0),
    Judged("r", Verdict(rating=4.0, criteria={"Coherence": (3.0,)}), "anna", (0,), 1.0, 104.0),
    Judged("r", Verdict(rating=5.0), "ben", (0,), 1.0, 105.0),
    Judged("k", Verdict(ranks=(2, 1, 2)), "anna", (2, 0, 1), 1.0, 106.0),
    Judged("gold", Verdict("b"), "anna", (0, 1), 1.0, 107.0),
]
ITEMS = [*PAIRS, RATED, RANKED, GOLD]


def rows_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_rows(tmp_path: Path, *rows: dict[str, Any], format: str = "auto") -> Found:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_file(path, format)


def test_our_own_format_holds_everything(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    assert write_file(path, "textgym", ITEMS, JUDGED).rows == len(ITEMS)
    found = read_file(path)
    assert found.items == ITEMS
    assert sorted(found.judged, key=lambda one: one.time or 0) == JUDGED


def test_trl_has_margins_raters_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "trl.jsonl"
    written = write_file(path, "trl", ITEMS, JUDGED)
    first, second, *ranked = read_preferences(path)
    assert (first.chosen[0].content, first.rejected[0].content) == ("a one", "b one")
    assert (first.margin, first.raters, first.source, first.simulated) == (1.0, ("anna",), "here", False)
    assert (second.chosen[0].content, second.margin, second.simulated) == ("b two", 0.0, True)
    assert [(p.chosen[0].content, p.rejected[0].content) for p in ranked] == [("y", "x"), ("y", "z")]
    assert written.left_out == {"ties": 1, "skips": 1, "ratings": 2, "gold and quiz items": 1}
    assert written.rows + sum(written.left_out.values()) == len(JUDGED) + 1  # a ranking says two things


def test_trl_goes_out_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "trl.jsonl"
    write_file(path, "trl", PAIRS, [JUDGED[0], JUDGED[2]])
    items, judged = read_file(path)
    assert [item.prompt for item in items] == [item.prompt for item in PAIRS]
    assert [one.rater for one in judged] == ["anna", "ben"]
    assert judged[0].verdict == Verdict("a", 3)
    assert items[1].responses == PAIRS[1].responses[::-1]  # the chosen one comes first
    assert judged[1].verdict.choice == "a"


def test_hh_transcripts_go_out_and_come_back(tmp_path: Path) -> None:
    talk = (*said("user", "Hi"), *said("assistant", "Hello"), *said("user", "A joke?"))
    item = Item(talk, (said("assistant", "No."), said("assistant", "Knock, knock.")), key="hh")
    odd = Item(said("system", "s"), item.responses, key="odd")
    marks = Item(said("user", "u\n\nHuman: u"), item.responses, key="marks")
    path = tmp_path / "hh.jsonl"
    written = write_file(path, "hh", [item, odd, marks], [Judged(k, Verdict("b")) for k in ("hh", "odd", "marks")])
    assert rows_of(path) == [{"chosen": f"{HH} Knock, knock.", "rejected": f"{HH} No."}]
    assert sum(written.left_out.values()) == 2
    (back,), judged = read_file(path)
    assert (back.prompt, back.responses) == (talk, item.responses[::-1])
    assert judged == [Judged(back.key, Verdict("a"))]


def test_hh_with_a_prompt_column_and_longer_talks(tmp_path: Path) -> None:
    row = {"prompt": HH, "chosen": " Why?\n\nHuman: Go\n\nAssistant: on", "rejected": " No."}
    (item,), (one,) = read_rows(tmp_path, row)
    assert [m.role for m in item.prompt] == ["user", "assistant", "user"]
    assert [m.content for m in item.responses[0]] == ["Why?", "Go", "on"]
    assert one.verdict.choice == "a"
    with pytest.raises(ValueError, match="must begin with a turn"):
        split_hh("Hello", "chosen")
    with pytest.raises(ValueError, match="line 1: chosen and rejected must part"):
        read_rows(tmp_path, {"chosen": "\n\nHuman: a\n\nAssistant: x", "rejected": "\n\nHuman: b\n\nAssistant: x"})


def test_helpsteer_is_on_its_own_scale_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "helpsteer.jsonl"
    written = write_file(path, "helpsteer", ITEMS, JUDGED)
    rows = {row["id"]: row for row in rows_of(path)}
    assert rows["r"] == {"id": "r", "prompt": "rate", "response": "rated", "helpfulness": 3.5, "coherence": 2.0}
    assert rows["two-1"]["clarity"] == 4.0
    assert written.left_out["judgements without ratings"] == 3
    (item,), (one,) = read_rows(tmp_path, rows["r"])
    assert item.responses == RATED.responses
    assert one.verdict == Verdict(rating=4.5, criteria={"Coherence": (3.0,)})
    other_scale = write_file(path, "helpsteer", [RATED], [Judged("r", Verdict(rating=-7.5))])
    assert (other_scale.rows, sum(other_scale.left_out.values())) == (0, 1)


def test_crowdkit_csv_goes_out_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    written = write_file(path, "crowdkit", ITEMS, [*JUDGED, Judged("one", Verdict("a"))])
    with open(path, encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["task", "worker", "label"]
    assert table[1:] == [
        ["one", "anna", "a"], ["one", "ben", "tie"], ["two", "ben", "b"], ["r", "anna", "4"], ["r", "ben", "5"]
    ]  # fmt: skip
    assert written.left_out["judgements of nobody knows whom"] == 1
    items, judged = read_file(path)
    assert items == []
    assert [(one.key, one.rater) for one in judged] == [(row[0], row[1]) for row in table[1:]]
    assert [one.verdict for one in judged][-1] == Verdict(rating=5.0)


def test_openai_comparisons(tmp_path: Path) -> None:
    row = {
        "info": {"id": "t3_x", "post": "A long post.", "title": "Title", "subreddit": "r"},
        "summaries": [{"text": " short", "policy": "sup4"}, {"text": " better", "policy": "ref"}],
        "choice": 1,
        "worker": "w1",
        "extra": {"confidence": 8},
    }
    (item,), judged = read_rows(tmp_path, row, {**row, "worker": "w2", "choice": 0})
    assert item.prompt == said("user", "Title\n\nA long post.")
    assert (item.responses[1], item.sources, item.task) == (said("assistant", "better"), ("sup4", "ref"), "summarize")
    assert [(one.rater, one.verdict.choice) for one in judged] == [("w1", "b"), ("w2", "a")]
    with pytest.raises(ValueError, match="line 1: choice must be 0 or 1"):
        read_rows(tmp_path, {**row, "choice": 2})


def test_ultrafeedback_is_a_models_ranking_and_says_so(tmp_path: Path) -> None:
    def completion(text: str, score: float, rating: str) -> dict[str, Any]:
        annotations = {"honesty": {"Rating": rating, "Rationale": "…"}}
        return {"model": f"m-{text}", "response": text, "overall_score": score, "annotations": annotations}

    row = {"source": "s", "instruction": "do", "completions": [completion(*c) for c in (("x", 7.0, "4"), ("y", 9, "N/A"), ("z", 7.0, "2"))]}  # fmt: skip # noqa: E501
    (item,), (one,) = read_rows(tmp_path, row)
    assert (item.kind, item.sources) == ("ranking", ("m-x", "m-y", "m-z"))
    assert one.verdict.ranks == (2, 1, 2)
    assert one.verdict.criteria == {"Honesty": (4.0, None, 2.0)}
    assert one.simulated
    assert "model" in str(one.rater)


def test_direct_assessments(tmp_path: Path) -> None:
    named: dict[str, Any] = {
        "item_id": "s1",
        "prompt": "source",
        "response": "target",
        "rating": -3.1,
        "rater_id": "r7",
        "system": "sys",
    }
    (item,), judged = read_rows(tmp_path, named, {**named, "rater_id": "r8", "rating": 0})
    assert (item.kind, item.sources) == ("rating", ("sys",))
    assert [(one.rater, one.verdict.rating) for one in judged] == [("r7", -3.1), ("r8", 0.0)]
    positions: dict[str, Any] = {
        "item_id": "s2",
        "prompt": "p",
        "response": "r",
        "rating": 91.7,
        "ratings": [100, 96, 79],
        "lang_pair": "en-de",
    }
    (item,), judged = read_rows(tmp_path, positions)
    assert item.task == "translate"
    assert [(one.rater, one.verdict.rating) for one in judged] == [(None, 100.0), (None, 96.0), (None, 79.0)]
    path = tmp_path / "wmt.csv"
    path.write_text("lp,src,mt,ref,score,raw\nen-de,Hi,Hallo,Hallo,0.5,88\n", encoding="utf-8")
    (item,), (one,) = read_file(path)
    assert (item.responses[0], one.verdict.rating) == (said("assistant", "Hallo"), 88.0)


def test_comparisons_with_ties_and_several_pairs(tmp_path: Path) -> None:
    row = {
        "item_id": "x",
        "prompt": "p",
        "response_a": "1",
        "response_b": "2",
        "preference": "b",
        "margin": -2.0,
        "rater_id": "r",
    }
    (item,), judged = read_rows(tmp_path, row, {**row, "preference": "tie", "margin": 0.0, "rater_id": "s"})
    assert [one.verdict for one in judged] == [Verdict("b", margin=2.0), Verdict("tie")]
    assert item.key == "x"
    several: dict[str, Any] = {
        "id": "q",
        "prompt": "p",
        "responses": ["1", "2", "3"],
        "pairs": [[0, 1], [2, 0]],
        "preferences": ["tie", "a"],
    }
    items, judged = read_rows(tmp_path, several)
    assert items[1].responses == (said("assistant", "3"), said("assistant", "1"))
    assert [one.verdict.choice for one in judged] == ["tie", "a"]


def test_what_does_not_fit_is_named_with_file_and_line(tmp_path: Path) -> None:
    fine = {"id": "i", "prompt": "p", "responses": ["1", "2"]}
    for wrong, reason in (
        ({"prompt": "p"}, "none of the formats"),
        ({"prompt": 3, "responses": ["1", "2"]}, "prompt must be a text or a list of messages"),
        ({"prompt": "p", "responses": ["1", 2]}, "responses must be a text"),
        ({"id": "i", "prompt": "other", "responses": ["1", "2"]}, "key 'i' is that of another item"),
        ({"prompt": "p", "responses": ["1", "2"], "answer": "left"}, "preference must be one of"),
        ({"prompt": "p", "chosen": "c", "rejected": "r", "margin": "x"}, "could not convert|margin"),
        ({"prompt": "p", "response": "r", "rating": None}, "rating must be a number"),
        ({"prompt": [{"role": "robot", "content": "x"}], "responses": ["1", "2"]}, "role of"),
    ):
        with pytest.raises(ValueError, match=f"in.jsonl, line 2: .*({reason})"):
            read_rows(tmp_path, fine, wrong)
    with pytest.raises(ValueError, match="it is empty"):
        read_rows(tmp_path)
    with pytest.raises(ValueError, match="format must be one of"):
        read_rows(tmp_path, fine, format="xml")
    with pytest.raises(ValueError, match="could not be read"):
        read_file(tmp_path / "nothing.jsonl")
    (tmp_path / "broken.jsonl").write_text('{"a":', encoding="utf-8")
    with pytest.raises(ValueError, match=r"broken\.jsonl, line 1: no JSON"):
        read_file(tmp_path / "broken.jsonl")


def test_every_writer_has_a_reader_that_recognises_it(tmp_path: Path) -> None:
    for name in WRITERS:
        path = tmp_path / f"{name}.{'csv' if name == 'crowdkit' else 'jsonl'}"
        assert write_file(path, name, ITEMS, JUDGED).rows > 0
        with open(path, encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file)) if name == "crowdkit" else json.loads(file.readline())
        if name != "helpsteer":  # of pairs it has criteria only, which no column tells apart
            assert recognise(row) == name
        assert name in READERS


@pytest.mark.skipif(DATA is None, reason="TEXTGYM_TEST_DATA names no folder of real files")
@pytest.mark.parametrize(
    ("name", "items", "judged", "raters", "kind"),
    [
        ("comparisons_qa_feedback", 1098, 1098, 0, "pair"),
        ("comparisons_wmt23_mqm_ende", 196, 588, 10, "pair"),
        ("comparisons_wmt23_mqm_zhen", 542, 1626, 8, "pair"),
        ("pref_hh_harmless", 1055, 1055, 0, "pair"),
        ("pref_qa_feedback", 1177, 1177, 0, "pair"),
        ("pref_scitldr_informativeness", 162, 162, 0, "pair"),
        ("ratings_mlqepe_ende", 1510, 4929, 0, "rating"),
        ("ratings_topicalchat", 1462, 1462, 0, "rating"),
        ("ratings_taskmaster4", 1184, 1184, 0, "rating"),
        ("ratings_wmt23_mqm_zhen", 758, 2274, 8, "rating"),
    ],
)
def test_real_files_are_read_whole(tmp_path: Path, name: str, items: int, judged: int, raters: int, kind: str) -> None:
    found = read_file(Path(str(DATA)) / "data" / f"{name}.jsonl")
    assert (len(found.items), len(found.judged)) == (items, judged)
    assert len({one.rater for one in found.judged if one.rater is not None}) == raters
    assert {item.kind for item in found.items} == {kind}
    path = tmp_path / "again.jsonl"
    write_file(path, "textgym", *found)
    again = read_file(path)
    assert again.items == found.items
    assert len(again.judged) == judged
