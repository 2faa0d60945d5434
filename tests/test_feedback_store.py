"""The store and who gets what: k raters an item, never twice to one, leases, gold items, undo.

Time is an argument everywhere, so nothing here waits.
"""

from __future__ import annotations

import math
import os
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sqlalchemy", reason="the feedback site needs the extra 'feedback'")

import sqlalchemy as sa

from textgym.feedback import assignment
from textgym.feedback.assignment import EVIDENCE, RefusedError, evidence_of_guessing, next_item, submit, undo
from textgym.feedback.items import Item, Judged, Verdict, is_right, unshuffle
from textgym.feedback.pair_model import fit_pairs
from textgym.feedback.reliability import BackgroundFit, PairVerdicts, fit_reliability, to_comparisons
from textgym.feedback.report import make_report, pair_verdicts, read_columns
from textgym.feedback.store import (
    Store,
    add_items,
    add_judged,
    add_rater,
    change_settings,
    end_session,
    hash_token,
    new_token,
    rater_of_token,
    read_all,
    read_ended,
)
from textgym.feedback.tables import METADATA
from textgym.types import Message

A = Verdict("a", 1)
DATABASE = os.environ.get("TEXTGYM_TEST_DATABASE")


def pair(number: int, **fields: object) -> Item:
    prompt = (Message("user", f"prompt {number}"),)
    responses = ((Message("assistant", f"first {number}"),), (Message("assistant", f"second {number}"),))
    return Item(prompt, responses, key=f"item-{number}", **fields)  # type: ignore[arg-type]


def gold(number: int, purpose: str = "gold") -> Item:
    return pair(number, purpose=purpose, answer=Verdict("a"), explanation="The first is right.")


@pytest.fixture(params=["sqlite", *(["other"] if DATABASE else [])])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store: a file, and where TEXTGYM_TEST_DATABASE has a URL, that database, whose tables are dropped."""
    kept = Store(tmp_path / "feedback.db" if request.param == "sqlite" else str(DATABASE))
    if not kept.is_sqlite:
        METADATA.drop_all(kept.engine)
        kept.close()
        kept = Store(str(DATABASE))
    yield kept
    kept.close()


def fill(store: Store, items: list[Item], num_raters: int = 1, **settings: object) -> list[int]:
    with store.writing() as connection:
        change_settings(connection, **settings)
        add_items(connection, items)
        return [add_rater(connection, f"rater {i}") for i in range(num_raters)]


def counts(store: Store) -> Counter[int]:
    """Judgements of each item, skips left out."""
    with store.reading() as connection:
        rows = connection.execute(sa.text("SELECT item_id FROM judgements WHERE choice <> 'skip'")).scalars()
        return Counter(rows)


def answer(store: Store, rater: int, right: bool = True, now: float | None = None) -> assignment.Assignment:
    """Judges what the rater holds: in the item's own order `a`, or `b`."""
    held = next_item(store, rater, now)
    assert held.item_id is not None
    own = "a" if right else "b"
    shown = "ab"[held.shown.index("ab".index(own))]
    return submit(store, rater, held.item_id, Verdict(shown), 1.0, now)[1]


def test_every_item_gets_k_raters_and_none_twice(store: Store) -> None:
    raters = fill(store, [pair(i) for i in range(12)], num_raters=5, k=3)
    rng, working = random.Random(0), list(raters)
    while working:
        rater = rng.choice(working)
        held = next_item(store, rater)
        if held.item_id is None:
            working.remove(rater)
            continue
        if rng.random() < 0.8:  # else they look, and come back later
            submit(store, rater, held.item_id, Verdict(rng.choice(["a", "b", "tie"])))
    assert counts(store) == {item: 3 for item in range(1, 13)}
    with store.reading() as connection:
        twice = "SELECT count(*) FROM judgements GROUP BY item_id, rater_id HAVING count(*) > 1"
        assert connection.execute(sa.text(twice)).first() is None


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Also the files beside it; under a mask that would let everybody in."""
    before = os.umask(0)
    try:
        kept = Store(tmp_path / "feedback.db")
        fill(kept, [pair(0)])
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        kept.close()
    finally:
        os.umask(before)
    assert modes == {"feedback.db": 0o600, "feedback.db-wal": 0o600, "feedback.db-shm": 0o600}


def test_a_file_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "feedback.db"
    Store(path).close()
    path.chmod(0o640)
    Store(f"sqlite:///{path}").close()
    assert path.stat().st_mode & 0o777 == 0o640


def test_sessions_that_would_have_ended_are_forgotten(store: Store) -> None:
    with store.writing() as connection:
        end_session(connection, "old", int(time.time()) - 1)
        end_session(connection, "new", int(time.time()) + 60)
        assert set(read_ended(connection)) == {"new"}


def test_places_are_taken_by_judgements_and_leases_together(store: Store) -> None:
    raters = fill(store, [pair(0)], num_raters=3, k=2)
    first, second = (next_item(store, r, now=0.0) for r in raters[:2])
    assert first.item_id == second.item_id == 1
    assert next_item(store, raters[2], now=1.0).state == "wait"
    submit(store, raters[0], 1, A, now=2.0)
    assert next_item(store, raters[2], now=3.0).state == "wait"  # one judged, one held
    submit(store, raters[1], 1, A, now=4.0)
    assert next_item(store, raters[2], now=5.0).state == "done"


def test_a_lease_that_ran_out_goes_to_somebody_else(store: Store) -> None:
    anna, ben = fill(store, [pair(0)], num_raters=2, k=1, lease_minutes=10.0)
    assert next_item(store, anna, now=0.0).item_id == 1
    assert next_item(store, ben, now=599.0).state == "wait"
    assert next_item(store, ben, now=601.0).item_id == 1
    with pytest.raises(RefusedError, match="no longer yours"):
        submit(store, anna, 1, A, now=602.0)
    submit(store, ben, 1, A, now=603.0)
    assert counts(store) == {1: 1}
    assert next_item(store, anna, now=604.0).state == "done"


def test_a_late_judgement_counts_where_nobody_took_the_place(store: Store) -> None:
    (anna,) = fill(store, [pair(0)], k=1, lease_minutes=10.0)
    next_item(store, anna, now=0.0)
    submit(store, anna, 1, A, now=86_400.0)
    assert counts(store) == {1: 1}


def test_a_judgement_sent_twice_counts_once_and_another_one_is_refused(store: Store) -> None:
    (anna,) = fill(store, [pair(0), pair(1)], k=1)
    held = next_item(store, anna)
    assert held.item_id is not None
    _, following = submit(store, anna, held.item_id, A)
    _, again = submit(store, anna, held.item_id, A)
    assert again.item_id == following.item_id
    with pytest.raises(RefusedError, match="judgement of yours already"):
        submit(store, anna, held.item_id, Verdict("tie"))
    assert counts(store) == {held.item_id: 1}


def test_nobody_judges_what_they_were_not_given(store: Store) -> None:
    anna, ben = fill(store, [pair(0), pair(1)], num_raters=2, k=1)
    assert next_item(store, anna).item_id == 1
    for item in (1, 2, 99):
        with pytest.raises(RefusedError):
            submit(store, ben, item, A)
    with pytest.raises(ValueError, match="choice must be one of"):
        submit(store, anna, 1, Verdict("c"))
    with pytest.raises(ValueError, match="rating must be"):
        submit(store, anna, 1, Verdict("a", rating=3.0))
    assert counts(store) == {}


def test_the_database_itself_refuses_a_second_judgement(store: Store) -> None:
    (anna,) = fill(store, [pair(0)])
    answer(store, anna)
    again = sa.text("INSERT INTO judgements (item_id, rater_id, choice, details) VALUES (1, :rater, 'a', '{}')")
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        connection.execute(again, {"rater": anna})


def test_undo_brings_the_item_back_with_its_sides_and_place(store: Store) -> None:
    anna, ben = fill(store, [pair(i) for i in range(3)], num_raters=2, k=1)
    first = next_item(store, anna)
    assert not first.can_undo
    assert first.item_id is not None
    _, second = submit(store, anna, first.item_id, A)
    assert second.can_undo
    back = undo(store, anna)
    assert (back.item_id, back.shown) == (first.item_id, first.shown)
    assert counts(store) == {}
    seen_by_ben = {next_item(store, ben).item_id}
    assert first.item_id not in seen_by_ben  # its place is anna's while she thinks again
    submit(store, anna, first.item_id, Verdict("tie"))
    assert counts(store) == {first.item_id: 1}
    undo(store, anna)
    with pytest.raises(RefusedError, match="nothing to take back"):
        undo(store, anna)


def test_a_skip_counts_for_nothing_and_does_not_come_again(store: Store) -> None:
    anna, ben = fill(store, [pair(0)], num_raters=2, k=1)
    held = next_item(store, anna)
    assert held.item_id is not None
    assert submit(store, anna, held.item_id, Verdict("skip"))[1].state == "done"
    assert answer(store, ben).state == "done"
    assert counts(store) == {1: 1}
    assert undo(store, anna).state == "done"  # ben has taken the place of what she skipped
    with pytest.raises(RefusedError):
        submit(store, anna, held.item_id, A)
    assert counts(store) == {1: 1}


def test_sides_are_random_and_what_is_kept_is_the_items_own_order(store: Store) -> None:
    raters = fill(store, [pair(i) for i in range(40)], num_raters=5, k=5, gold_every=1000)
    for rater in raters:
        while (held := next_item(store, rater)).item_id is not None:
            submit(store, rater, held.item_id, A)  # always the left one
    with store.reading() as connection:
        _, judged = read_all(connection)
        left = [r["left"] for r in make_report(connection)["raters"]]
    assert left == [1.0] * 5
    assert all(one.verdict.choice == "ab"[one.shown[0]] for one in judged)
    as_written = sum(one.shown == (0, 1) for one in judged)
    assert abs(as_written - 100) < 6 * math.sqrt(200) / 2  # six standard errors: a coin would fail once in 5e8
    by_item = Counter(one.key for one in judged if one.shown == (0, 1))
    assert sum(0 < n < 5 for n in by_item.values()) > 0  # one item's sides differ between raters


@pytest.mark.parametrize("shown", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_unshuffling_undoes_the_order_shown(shown: tuple[int, ...]) -> None:
    """Response i, shown at place p, keeps its own rank and criteria."""
    own = Verdict(ranks=(1, 3, 2), criteria={"clarity": (5.0, None, 4.0)})
    seen = Verdict(
        ranks=tuple(own.ranks[i] for i in shown), criteria={"clarity": tuple((5.0, None, 4.0)[i] for i in shown)}
    )
    assert unshuffle(seen, shown, "ranking") == own


def test_the_quiz_comes_first_and_failing_it_pauses(store: Store) -> None:
    items = [gold(i, "quiz") for i in range(4)] + [pair(9)]
    good, poor = fill(store, items, num_raters=2, k=1, quiz_share=0.75)
    for i in range(3):
        assert answer(store, good, right=i > 0).state == "quiz"
    assert answer(store, good).state == "judge"
    for _ in range(3):
        answer(store, poor, right=False)
    assert answer(store, poor).state == "paused"
    assert "1 of 4 right" in next_item(store, poor).reason
    with pytest.raises(RefusedError):
        undo(store, poor)


def test_a_gold_item_teaches_and_cannot_be_taken_back(store: Store) -> None:
    (anna,) = fill(store, [*(gold(i) for i in range(5)), *(pair(100 + i) for i in range(60))], k=1, gold_every=2)
    held, lesson = next_item(store, anna), None
    while lesson is None:  # work, until a gold item comes, which a coin decides each time
        assert held.item_id is not None
        given = held
        lesson, held = submit(store, anna, held.item_id, Verdict("tie"))
    assert given.item is not None
    assert given.item.purpose == "gold"
    assert not lesson.is_right
    assert lesson.answer.choice == "ab"[given.shown.index(0)]  # as it stood on the screen
    assert lesson.explanation == "The first is right."
    assert not held.can_undo
    with pytest.raises(RefusedError, match="nothing to take back"):
        undo(store, anna)


def reaching(p: float, items: int) -> float:
    """Exact probability that a rater who is right with probability p is paused within so many gold items."""
    alive, paused = {(0, 0): 1.0}, 0.0
    for _ in range(items):
        following: dict[tuple[int, int], float] = {}
        for (right, wrong), mass in alive.items():
            for step, chance in (((1, 0), p), ((0, 1), 1 - p)):
                state = (right + step[0], wrong + step[1])
                if evidence_of_guessing(*state) >= EVIDENCE:
                    paused += mass * chance
                else:
                    following[state] = following.get(state, 0.0) + mass * chance
        alive = following
    return paused


def test_guessing_is_found_within_20_gold_items_and_honest_raters_are_not_paused() -> None:
    assert reaching(0.5, 20) >= 0.95
    assert reaching(1 / 3, 20) >= 0.95  # three buttons at random
    assert reaching(0.9, 20) <= 0.05
    assert reaching(0.9, 500) <= 0.05  # however long one looks
    assert reaching(0.95, 500) <= reaching(0.9, 500)


def test_a_guesser_is_paused_and_what_they_held_goes_on(store: Store) -> None:
    items = [gold(i) for i in range(10)] + [pair(100 + i) for i in range(100)]
    guesser, other = fill(store, items, num_raters=2, k=1, gold_every=2)
    state, steps = "judge", 0
    while state == "judge" and steps < 110:
        state = answer(store, guesser, right=False).state
        steps += 1
    assert state == "paused"
    assert "0 of 2 test items right" in next_item(store, guesser).reason
    with store.reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM leases")).scalar() == 0
    with store.writing() as connection:
        assignment.set_state(connection, guesser, "active")
    assert answer(store, guesser).state == "judge"  # what was wrong before is forgiven
    assert next_item(store, other).state == "judge"


def test_gold_answers_are_right_within_reason() -> None:
    assert is_right(Verdict(rating=4), Verdict(rating=5), "rating")
    assert not is_right(Verdict(rating=3), Verdict(rating=5), "rating")
    assert is_right(Verdict(ranks=(1, 3, 2)), Verdict(ranks=(1, 2, 3)), "ranking")
    assert not is_right(Verdict(ranks=(2, 1, 3)), Verdict(ranks=(1, 2, 3)), "ranking")
    assert not is_right(Verdict("skip"), Verdict("a"), "pair")


def test_threads_at_once_neither_lose_nor_double(store: Store) -> None:
    raters = fill(store, [pair(i) for i in range(8)], num_raters=6, k=3)
    acknowledged: list[tuple[int, int]] = []
    errors: list[Exception] = []

    def work(rater: int) -> None:
        try:
            held = next_item(store, rater)
            while held.item_id is not None:
                done = held.item_id
                _, held = submit(store, rater, done, A)
                acknowledged.append((rater, done))
        except Exception as error:  # a thread's exception would be lost
            errors.append(error)

    threads = [threading.Thread(target=work, args=(rater,)) for rater in raters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with store.reading() as connection:
        kept = [tuple(row) for row in connection.execute(sa.text("SELECT rater_id, item_id FROM judgements"))]
    assert sorted(kept) == sorted(acknowledged)
    assert max(counts(store).values()) <= 3


def test_sqlite_is_set_so_that_an_acknowledged_judgement_is_on_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "feedback.db")
    with store.writing() as connection:
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(sa.text("PRAGMA foreign_keys")).scalar() == 1
    with suppress(ZeroDivisionError), store.writing() as connection:
        add_rater(connection, "half")
        raise ZeroDivisionError
    with sqlite3.connect(tmp_path / "feedback.db") as other:
        assert other.execute("SELECT count(*) FROM raters").fetchone() == (0,)
    store.close()


def test_tokens_are_kept_as_hashes_and_a_new_one_ends_the_old(store: Store) -> None:
    (anna,) = fill(store, [])
    with store.writing() as connection:
        old = new_token(connection, anna)
        found = rater_of_token(connection, old)
        assert found is not None
        assert found.id == anna
        assert len(old) >= 43  # 256 bits
        dump = str(connection.execute(sa.text("SELECT * FROM raters")).all())
        assert old not in dump
        assert hash_token(old) in dump
        new_token(connection, anna)
        assert rater_of_token(connection, old) is None
        assert rater_of_token(connection, "") is None


def test_imports_are_idempotent_and_name_nobody_who_is_not_named(store: Store) -> None:
    items = [pair(0), pair(1)]
    judged = [Judged("item-0", A, "x"), Judged("item-0", Verdict("tie")), Judged("item-0", Verdict("b"))]
    for added in (3, 0):
        with store.writing() as connection:
            assert add_items(connection, items) == (2 if added else 0)
            assert add_judged(connection, judged) == added
    with store.writing() as connection:
        assert [r["name"] for r in make_report(connection)["raters"]] == ["x"]
        with pytest.raises(ValueError, match="must be that of an item"):
            add_judged(connection, [Judged("item-7", A)])
        with pytest.raises(ValueError, match="is that of another item"):
            add_items(connection, [Item((Message("user", "?"),), pair(0).responses, key="item-0")])


def test_what_was_kept_comes_back_as_it_was(store: Store) -> None:
    items = [
        gold(0),
        Item((Message("user", "rate"),), ((Message("assistant", "x"),),), "rating", sources=("m",), task="translate"),
        Item((), tuple((Message("assistant", t),) for t in "xyz"), "ranking", origin="somewhere"),
    ]
    judged = [
        Judged("item-0", Verdict("b", 3, comment="ü"), "a", (1, 0), 2.5, 7.0),
        Judged(items[1].key, Verdict(rating=4.5, criteria={"Fluency": (3.0,)}), "a", (0,), None, 8.0, True),
        Judged(items[2].key, Verdict(ranks=(2, 1, 2)), None, (2, 0, 1), 1.0, 9.0),
        Judged("item-0", Verdict("a", margin=0.0), "b", (), None, 10.0),
    ]
    with store.writing() as connection:
        add_items(connection, items)
        add_judged(connection, judged)
        assert read_all(connection) == (items, judged)


def test_settings_say_what_is_allowed(store: Store) -> None:
    for name, value in (("k", 0), ("lease_minutes", 0.0), ("gold_every", 1), ("title", " "), ("k", 2.5)):
        with pytest.raises((ValueError, TypeError), match=name), store.writing() as connection:
            change_settings(connection, **{name: value})


def test_the_report_on_ten_thousand_judgements_is_quick(tmp_path: Path) -> None:
    """As the live page makes it: less than 100 ms of its thread's processor time, so that a busy machine does not
    decide. The raters' fit comes from a thread of its own, and is what the command computes on the spot."""
    store, rng = Store(tmp_path / "many.db"), random.Random(0)
    items = [pair(i) for i in range(3334)]
    judged = [
        Judged(item.key, Verdict(rng.choice(["a", "b", "tie"])), f"r{rater}", (0, 1), rng.random())
        for item in items
        for rater in rng.sample(range(50), 3)
    ]
    with store.writing() as connection:
        add_items(connection, items)
        add_judged(connection, judged[:10_000])
    times, fit = [], BackgroundFit()
    for _ in range(4):
        start = time.thread_time()
        with store.reading() as connection:
            found = make_report(connection, fit.latest)
        times.append(time.thread_time() - start)
    while found["fitted"]["of"] < 10_000:  # the thread is at it
        with store.reading() as connection:
            found = make_report(connection, fit.latest)
    with store.reading() as connection:
        assert make_report(connection) == found
    store.close()
    assert found["judgements"] == 10_000
    assert len(found["disputes"]) == 20
    assert min(times) < 0.1


def test_the_report_tells_who_clicks_a_side_from_who_reads(store: Store) -> None:
    """Of three raters, one reads, one always clicks left, one clicks at random; and as the fit itself says."""
    rng, judged = random.Random(1), []
    for i in range(150):
        shown = (0, 1) if rng.random() < 0.5 else (1, 0)
        for name, choice in (("reads", "a"), ("left", "ab"[shown[0]]), ("random", rng.choice("ab"))):
            judged.append(Judged(f"item-{i}", Verdict(choice), name, shown, 1.0))
    with store.writing() as connection:
        add_items(connection, [pair(i) for i in range(150)])
        add_judged(connection, judged)
        found = make_report(connection)
        verdicts = pair_verdicts(read_columns(connection))
    reads, left, at_random = found["raters"]
    assert reads["reliability"] > 0.6
    assert abs(left["reliability"]) < 0.3
    assert abs(at_random["reliability"]) < 0.3
    assert left["side_bias"] > 1.5
    assert max(abs(reads["side_bias"]), abs(at_random["side_bias"])) < 0.7
    assert found["fitted"] == {"pairs": 450, "of": 450}
    fit = fit_pairs(to_comparisons(verdicts, np.unique(verdicts.rater, return_inverse=True)[1])).raters
    assert [r["reliability"] for r in found["raters"]] == fit.reliability.tolist()


def test_the_report_without_pairs_fits_nobody(store: Store) -> None:
    with store.writing() as connection:
        add_items(connection, [pair(0)])
        add_judged(connection, [Judged("item-0", Verdict("skip"), "x")])
        found = make_report(connection)
    assert found["fitted"] == {"pairs": 0, "of": 0}
    assert found["raters"][0]["reliability"] is None


def test_the_live_fit_follows_new_judgements_and_never_goes_back() -> None:
    fit, rng = BackgroundFit(), np.random.default_rng(0)

    def verdicts(n: int) -> PairVerdicts:
        item, rater = np.arange(n) // 3, np.arange(n) % 3
        return PairVerdicts(item, rater, np.where(rng.random(n) < 0.8, 1, -1), np.ones(n, dtype=np.int64))

    for n in (60, 90, 3000):
        given = verdicts(n)
        deadline = time.monotonic() + 60
        while (found := fit.latest(given)) is None or found.num_judgements < n:
            assert time.monotonic() < deadline
        assert found == fit_reliability(given)
        assert fit.latest(given) is found  # nothing new, nothing fitted


def test_the_report_is_what_one_works_out_by_hand(store: Store) -> None:
    """Two raters, four pairs: they agree on three; one item is in dispute."""
    judged = [Judged(f"item-{i}", Verdict(c), "x", (0, 1), 2.0) for i, c in enumerate(["a", "b", "a", "a"])]
    judged += [
        Judged(f"item-{i}", Verdict(c), "y", (1, 0), s)
        for i, (c, s) in enumerate(zip("abab", (1, 2, 3, 9), strict=True))
    ]
    judged.append(Judged("item-4", Verdict("skip"), "y", (0, 1), 1.0))
    with store.writing() as connection:
        add_items(connection, [pair(i) for i in range(5)])
        add_judged(connection, judged)
        change_settings(connection, k=2)
        found = make_report(connection)
    # Five of a, three of b: 1 - (n - 1) * 2 differing ordered values / (8 * 7 - 5 * 4 - 3 * 2) = 1 - 7 * 2 / 30
    assert found["agreement"][0]["alpha"] == pytest.approx(1 - 14 / 30)
    assert (found["judgements"], found["items"], found["complete"]) == (9, 5, 4)
    x, y = found["raters"]
    assert (x["agreement"], x["left"], x["ties"], x["seconds"], x["skips"]) == (0.75, 0.75, 0.0, 2.0, 0)
    assert (y["agreement"], y["left"], y["seconds"], y["skips"], y["judgements"]) == (0.75, 0.5, 2.0, 1, 5)
    assert [(d["key"], d["judgements"], d["disagreement"]) for d in found["disputes"]] == [("item-3", 2, 1.0)]


def test_rankings_are_pairs_and_ratings_ordered_in_the_report(store: Store) -> None:
    ranked = Item((Message("user", "rank"),), tuple((Message("assistant", t),) for t in "xyz"), "ranking", "k")
    rated = [
        Item((Message("user", f"rate {i}"),), ((Message("assistant", "x"),),), "rating", f"r{i}") for i in range(3)
    ]
    judged = [Judged("k", Verdict(ranks=(1, 2, 3)), "x"), Judged("k", Verdict(ranks=(1, 3, 2)), "y")]
    judged += [
        Judged(f"r{i}", Verdict(rating=v), "xy"[j])
        for i, row in enumerate([(1, 1), (5, 5), (3, 4)])
        for j, v in enumerate(row)
    ]
    with store.writing() as connection:
        add_items(connection, [ranked, *rated])
        add_judged(connection, judged)
        found = make_report(connection)
    of_kind = {entry["kind"]: entry for entry in found["agreement"]}
    assert (of_kind["ranking"]["units"], of_kind["ranking"]["judgements"]) == (3, 6)
    assert of_kind["rating"]["level"] == "ordinal"
    assert 0.8 < of_kind["rating"]["alpha"] < 1.0  # one step apart on one item of three
    assert {d["key"] for d in found["disputes"]} == {"k", "r2"}
    assert [r["agreement"] for r in found["raters"]] == pytest.approx([4 / 6, 4 / 6])
