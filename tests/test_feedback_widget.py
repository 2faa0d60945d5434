"""Judging in a notebook: the widgets' own click handlers, without a browser, on a real store."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="judging needs the extra 'feedback'")
pytest.importorskip("ipywidgets", reason="judging in a notebook needs the extra 'notebooks'")

from textgym.feedback.assignment import next_item, submit
from textgym.feedback.items import Item, Judged, Verdict
from textgym.feedback.store import Store, add_items, add_rater, change_settings, read_all
from textgym.feedback.widget import Judging, judge
from textgym.types import Message

EVIL = "<script>alert(1)</script> & <img src=x onerror=alert(1)>"


def item(kind: str, number: int, text: str = "", **fields: Any) -> Item:
    count = {"pair": 2, "rating": 1, "ranking": 3}[kind]
    responses = tuple((Message("assistant", f"{kind} {number} {'xyz'[i]}{text}"),) for i in range(count))
    return Item((Message("user", f"prompt {number}{text}"),), responses, kind, f"{kind}-{number}", **fields)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    kept = Store(tmp_path / "feedback.db")
    yield kept
    kept.close()


def fill(store: Store, *items: Item, k: int = 1) -> None:
    with store.writing() as connection:
        change_settings(connection, k=k)
        add_items(connection, items)


def judged_in(store: Store) -> list[Judged]:
    with store.reading() as connection:
        return read_all(connection)[1]


def type_in(judging: Judging, typed: str) -> None:
    """What the browser sends when Enter is pressed in the field."""
    judging.field.set_state({"value": typed})


def all_text(judging: Judging) -> str:
    """Every HTML that the cell shows."""
    found, waiting = "", [judging.box]
    while waiting:
        widget = waiting.pop()
        waiting += getattr(widget, "children", ())
        found += getattr(widget, "value", "") if type(widget).__name__ == "HTML" else ""
    return found


def test_buttons_give_the_verdict_on_the_side_that_was_shown(store: Store) -> None:
    fill(store, *(item("pair", i) for i in range(8)))
    judging, expected = judge(store, "anna"), []
    for n in range(8):
        typed = "abt"[n % 3]
        expected.append("tie" if typed == "t" else "ab"[judging.assignment.shown["ab".index(typed)]])
        judging.buttons[typed].click()
    assert [one.verdict.choice for one in judged_in(store)] == expected
    assert {one.shown for one in judged_in(store)} == {(0, 1), (1, 0)}  # both orders came up
    assert judging.is_over
    assert judging.count == 8
    assert "Nothing is left for you to judge" in all_text(judging)
    judging.buttons["s"].click()  # nothing is left, so nothing happens
    judging.enter("a")
    assert len(judged_in(store)) == 8


def test_what_is_shown_left_is_what_was_judged(store: Store) -> None:
    fill(store, *(item("pair", i) for i in range(6)))
    judging = judge(store, "anna")
    for _ in range(6):
        left, right = (card.value for card in judging._responses.children)
        assert "<b>A</b>" in left
        assert "<b>B</b>" in right
        now = judging.assignment
        assert now.item is not None
        assert now.item.responses[now.shown[0]][0].content in left
        assert now.item.responses[now.shown[1]][0].content in right
        judging.buttons["a"].click()


def test_strength_is_the_pressed_one_or_the_typed_one(store: Store) -> None:
    fill(store, *(item("pair", i) for i in range(4)))
    judging = judge(store, "anna")
    judging.strength.value = 3
    judging.buttons["a"].click()
    type_in(judging, "bb")
    judging.strength.value = 1
    type_in(judging, " B ")
    judging.buttons["t"].click()
    assert [one.verdict.strength for one in judged_in(store)] == [3, 2, 1, None]
    assert judging.field.value == ""


def test_ratings_have_buttons_and_rankings_are_typed(store: Store) -> None:
    fill(store, item("rating", 0), item("ranking", 1))
    judging = judge(store, "anna")
    assert {"1", "2", "3", "4", "5"} < set(judging.buttons)
    judging.buttons["4"].click()
    assert set(judging.buttons) == {"s", "u"}
    shown = judging.assignment.shown
    type_in(judging, "cab")
    first, second = judged_in(store)
    assert first.verdict.rating == 4
    assert second.verdict.ranks[shown[2]] == 1  # c was typed first


def test_nonsense_is_told_what_is_allowed_and_changes_nothing(store: Store) -> None:
    fill(store, item("pair", 0))
    judging = judge(store, "anna")
    for typed in ("ab", "5", "aaaa", "<b>"):
        type_in(judging, typed)
        assert "Type a, aa, aaa" in all_text(judging)
    assert judged_in(store) == []
    assert not judging.is_over


def test_undo_shows_the_item_again_also_after_the_last(store: Store) -> None:
    fill(store, item("pair", 0), item("pair", 1))
    judging = judge(store, "anna")
    assert judging.buttons["u"].disabled
    first = judging.assignment
    judging.buttons["a"].click()
    assert not judging.buttons["u"].disabled
    judging.buttons["u"].click()
    assert judging.assignment.item == first.item
    assert judging.assignment.shown == first.shown
    assert (judged_in(store), judging.count) == ([], 0)
    judging.buttons["b"].click()
    judging.buttons["s"].click()
    assert judging.is_over
    judging.buttons["u"].click()
    assert not judging.is_over
    assert len(judged_in(store)) == 1


def test_a_limit_ends_it_and_undo_goes_on(store: Store) -> None:
    fill(store, *(item("pair", i) for i in range(5)))
    judging = judge(store, "anna", limit=2)
    for _ in range(4):
        judging.buttons.get("a", judging.buttons["s"]).click()
    assert len(judged_in(store)) == 2
    assert "These were the 2 judgements" in all_text(judging)
    judging.buttons["u"].click()
    assert (len(judged_in(store)), judging.is_over) == (1, False)


def test_nothing_that_others_wrote_is_html(store: Store) -> None:
    fill(store, item("pair", 0, text=EVIL))
    judging = judge(store, f"anna{EVIL}")
    told = all_text(judging)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;img" in told
    assert "<script" not in told
    assert "<img" not in told
    type_in(judging, EVIL)
    assert "<script" not in all_text(judging)


def test_a_page_without_a_kernel_shows_the_item_as_text(store: Store) -> None:
    fill(store, item("pair", 0, sources=("hidden", "hidden")))
    judging = judge(store, "anna")
    bundle = judging._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "prompt 0" in bundle["text/plain"]
    assert "pair 0 y" in bundle["text/plain"]
    assert "hidden" not in f"{bundle}{all_text(judging)}"
    judging.buttons["a"].click()
    assert judging._repr_mimebundle_()["text/plain"].startswith("Nothing is left")


def test_gold_items_teach_and_a_failed_quiz_pauses(store: Store) -> None:
    quiz = item("pair", 0, purpose="quiz", answer=Verdict("tie"), explanation="They say the <same>.")
    fill(store, quiz, item("pair", 1))
    judging = judge(store, "anna")
    assert "quiz: 1 to go" in all_text(judging)
    judging.buttons["a"].click()
    assert "the expected answer is TIE. They say the &lt;same&gt;." in all_text(judging)
    assert "Your work is paused: 0 of 1 right in the quiz" in all_text(judging)


def test_an_item_that_others_finished_meanwhile_is_told_and_the_next_one_comes(store: Store) -> None:
    fill(store, item("pair", 0), item("pair", 1))
    with store.writing() as connection:
        change_settings(connection, lease_minutes=1e-9)
        ben = add_rater(connection, "ben")
    judging = judge(store, "anna")
    given = next_item(store, ben)  # the lease has run out at once
    assert given.item_id == judging.assignment.item_id
    assert given.item_id is not None
    submit(store, ben, given.item_id, Verdict("a"))
    judging.buttons["a"].click()
    assert "no longer yours" in all_text(judging)
    assert judging.assignment.item_id not in (None, given.item_id)
    assert len(judged_in(store)) == 1


def test_a_file_of_items_goes_into_a_store_beside_and_a_store_is_told_by_its_content(tmp_path: Path) -> None:
    rows = [{"id": f"i{i}", "prompt": f"p {i}", "responses": ["x", "y"]} for i in range(3)]
    path, db = tmp_path / "items.jsonl", tmp_path / "mine"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    first = judge(path, "anna", store=db)
    first.buttons["a"].click()
    first.store.close()
    again = judge(path, "ben", store=db)  # the same items, and anna's judgement, are there once
    assert again.assignment.progress.left == 3
    again.store.close()
    by_name = judge(db, "anna")
    assert by_name.assignment.progress.left == 2
    by_name.store.close()


def test_a_program_is_labelled_and_no_person_is_taken_for_one(store: Store) -> None:
    fill(store, item("pair", 0), k=2)
    judging = judge(store, "robot", simulated=True)
    assert "robot, a simulated rater" in all_text(judging)
    judging.buttons["a"].click()
    judge(store, "anna").buttons["b"].click()
    assert [one.simulated for one in judged_in(store)] == [True, False]
    with pytest.raises(ValueError, match="simulated must say what 'robot' is in this store, a simulated rater"):
        judge(store, "robot")
    with pytest.raises(ValueError, match="simulated must say what 'anna' is in this store, a person, got True"):
        judge(store, "anna", simulated=True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"where": "nowhere.db"}, "where must be a store or a file of items that is there, got 'nowhere.db'"),
        ({"limit": 0}, "limit must be an integer of at least 1, got 0"),
        ({"rater": " "}, "rater must be"),
    ],
)
def test_what_cannot_work_is_said(options: dict[str, Any], told: str, store: Store) -> None:
    with pytest.raises(ValueError, match=told):
        judge(options.pop("where", store), **options)


def test_without_ipywidgets_the_extra_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ImportError, match=r"pip install 'textgym\[notebooks\]'"):
        judge(store, "anna")
