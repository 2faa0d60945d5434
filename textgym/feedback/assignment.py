"""Who judges what: every item by k raters, never twice by one, and nothing lost when somebody walks away.

An item is *leased* to a rater for a while. What holds at all times, because every step here is the only write
transaction (`Store.writing`): judgements of an item + leases of it that have not run out <= k, skips not
counted. Gold and quiz items go to everybody and count for no k. A rater who fails the quiz, or whose gold
items look like guesses, is paused; a person can let them go on. Plain SQL, because a step is a dozen
statements and building them anew would cost more than running them.
"""

from __future__ import annotations

import json
import math
import random
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from textgym.feedback.items import Item, Judged, Verdict, is_right, unshuffle
from textgym.feedback.store import Settings, Store, item_of, judgement_row, read_seed_and_settings
from textgym.feedback.tables import JUDGEMENTS

HONEST, GUESSING = 0.9, 0.5  # shares of gold items that are right
EVIDENCE = math.log(20)  # honest raters ever reach it in at most 1 of 20 cases (Ville's inequality)

JUDGED = "EXISTS (SELECT 1 FROM judgements j WHERE j.item_id = items.id AND j.rater_id = :rater)"
HELD = (  # by others
    "(SELECT count(*) FROM leases l WHERE l.item_id = items.id AND l.expires > :now AND l.rater_id <> :rater)"
)
UNFINISHED = f"purpose = 'work' AND done < :k AND NOT {JUDGED}"
# What others have begun comes first, so that items get finished.
OPEN = f"SELECT * FROM items WHERE {UNFINISHED} AND done + {HELD} < :k ORDER BY done DESC, id LIMIT 1"
COUNTS = f"""SELECT (SELECT count(*) FROM judgements WHERE rater_id = :rater) AS judged,
    (SELECT count(*) FROM items WHERE {UNFINISHED}) AS unfinished,
    (SELECT count(*) FROM items WHERE purpose = 'quiz' AND NOT {JUDGED}) AS quiz"""
UNSEEN = f"SELECT * FROM items WHERE purpose = :purpose AND NOT {JUDGED} ORDER BY id"
MINE = f"""SELECT items.*, mine.expires, done + {HELD} < :k AS is_free FROM items
    JOIN leases mine ON mine.item_id = items.id AND mine.rater_id = :rater ORDER BY mine.begun DESC"""
LEASE = "SELECT * FROM leases WHERE item_id = :item AND rater_id = :rater"
GIVE = """INSERT INTO leases (item_id, rater_id, begun, expires) VALUES (:item, :rater, :now, :until)
    ON CONFLICT (item_id, rater_id) DO UPDATE SET expires = excluded.expires"""
DROP = "DELETE FROM leases WHERE item_id = :item AND rater_id = :rater"
LAST = """SELECT j.id, j.item_id, j.choice, items.purpose FROM judgements j JOIN items ON items.id = j.item_id
    WHERE j.rater_id = :rater ORDER BY j.id DESC LIMIT 1"""
TESTED = """SELECT j.correct FROM judgements j JOIN items ON items.id = j.item_id
    WHERE j.rater_id = :rater AND items.purpose = :purpose AND j.id > :since"""


class RefusedError(ValueError):
    """A judgement that cannot be taken: not this rater's item, too late, or a second opinion."""


@dataclass(frozen=True)
class Progress:
    """How far a rater is."""

    judged: int  # items by this rater, skips, quiz and gold among them
    left: int  # items that this rater could still get
    quiz_left: int  # quiz items before the work begins


@dataclass(frozen=True)
class Assignment:
    """What a rater does next."""

    state: str  # "judge", "quiz", "wait" (others hold what is left), "done", "paused"
    progress: Progress
    item_id: int | None = None
    item: Item | None = None
    shown: tuple[int, ...] = ()  # the item's responses in the order in which they are shown
    reason: str = ""  # paused: why
    can_undo: bool = False


@dataclass(frozen=True)
class Lesson:
    """What a rater is told after a gold or quiz item."""

    is_right: bool
    answer: Verdict  # in the order in which the responses were shown
    explanation: str


def next_item(store: Store, rater_id: int, now: float | None = None) -> Assignment:
    """The item that this rater holds, else a new one."""
    with store.writing() as connection:
        return _Turn.of(connection, rater_id, now).next_item()


def submit(
    store: Store,
    rater_id: int,
    item_id: int,
    verdict: Verdict,
    seconds: float | None = None,
    now: float | None = None,
) -> tuple[Lesson | None, Assignment]:
    """Takes a verdict in the order in which the responses were shown, and hands out the next item.

    Once this returns, the judgement is on the disk. The same verdict sent again is acknowledged again and counted
    once, so that a sender who got no reply can repeat.

    Raises:
        RefusedError: an item that this rater does not hold or has judged differently, or that
            others have finished since the lease ran out.
        ValueError: a verdict that does not fit the item.
    """
    with store.writing() as connection:
        turn = _Turn.of(connection, rater_id, now)
        lesson = turn.take(item_id, verdict, seconds)
        return lesson, _Turn.of(connection, rater_id, turn.now).next_item()


def undo(store: Store, rater_id: int, now: float | None = None) -> Assignment:
    """Takes the rater's last judgement back and shows its item again, sides as before.

    Raises:
        RefusedError: nothing to take back, or an item whose answer the rater has been told.
    """
    with store.writing() as connection:
        turn = _Turn.of(connection, rater_id, now)
        turn.take_back()
        return turn.next_item()


def set_state(connection: sa.Connection, rater_id: int, state: str, reason: str = "") -> None:
    """Pauses a rater, whose items go to others, or lets them go on; gold items of before no longer count then."""
    values = {"rater": rater_id, "state": state, "reason": reason}
    last = "SELECT coalesce(max(id), 0) FROM judgements WHERE rater_id = :rater"
    changed = f"UPDATE raters SET state = :state, reason = :reason, forgiven = ({last}) WHERE id = :rater"
    connection.execute(sa.text(changed), values)
    if state == "paused":
        connection.execute(sa.text("DELETE FROM leases WHERE rater_id = :rater"), values)


def evidence_of_guessing(right: int, wrong: int) -> float:
    """Nats by which gold answers speak for guessing and against honest work (Wald 1945, a sequential test).

    exp of it is a martingale for a rater who is right on exactly `HONEST` of the gold items, so
    however long one looks, the chance that it ever reaches 20 is at most 1/20.
    """
    return right * math.log(GUESSING / HONEST) + wrong * math.log((1 - GUESSING) / (1 - HONEST))


def order_shown(seed: str, rater_id: int, item_id: int, n: int) -> tuple[int, ...]:
    """The n responses in the order in which this rater sees them: random, and the same every time."""
    order = list(range(n))
    random.Random(f"{seed} {rater_id} {item_id}").shuffle(order)
    return tuple(order)


@dataclass(frozen=True)
class _Turn:
    """One rater's step inside a write transaction."""

    connection: sa.Connection
    rater: Any  # the row
    settings: Settings
    seed: str
    now: float  # Unix time

    @classmethod
    def of(cls, connection: sa.Connection, rater_id: int, now: float | None) -> _Turn:
        seed, settings = read_seed_and_settings(connection)
        rater = connection.execute(sa.text("SELECT * FROM raters WHERE id = :rater"), {"rater": rater_id}).one()
        return cls(connection, rater, settings, seed, time.time() if now is None else now)

    def run(self, sql: str, **values: Any) -> Any:
        known = {"rater": self.rater.id, "now": self.now, "k": self.settings.k}
        return self.connection.execute(_prepared(sql), {**known, **values})

    def next_item(self) -> Assignment:
        counts, last = self.run(COUNTS).one(), self.run(LAST).first()
        quiz_left = counts.quiz if self.rater.state == "new" else 0
        progress = Progress(counts.judged, counts.unfinished, quiz_left)
        if self.rater.state == "paused":
            return Assignment("paused", progress, reason=self.rater.reason)
        can_undo = last is not None and last.purpose == "work"
        row = self.choose(progress)
        if row is None:
            return Assignment("wait" if progress.left else "done", progress, can_undo=can_undo)
        self.give(row.id)
        item = item_of(row)
        shown = order_shown(self.seed, self.rater.id, row.id, len(item.responses))
        state = "quiz" if item.purpose == "quiz" else "judge"
        return Assignment(state, progress, row.id, item, shown, can_undo=can_undo)

    def choose(self, progress: Progress) -> Any:
        """The row of an item: one that the rater holds, the quiz, a gold item now and then, work."""
        row = self.held()
        if row is None and progress.quiz_left:
            row = self.run(UNSEEN, purpose="quiz").first()
        if row is None and self.gold_is_due(progress.judged):
            unseen = self.run(UNSEEN, purpose="gold").all()
            row = self.chance("which", progress.judged).choice(unseen) if unseen else None
        return row if row is not None else self.run(OPEN).first()

    def held(self) -> Any:
        """The item that this rater was given last and may still judge; leases that are lost are dropped."""
        for row in self.run(MINE).all():
            if self.may_keep(row):
                return row
            self.run(DROP, item=row.id)
        return None

    def may_keep(self, row: Any) -> bool:
        """Whether a lease still holds, or has run out with nobody in its place."""
        return bool(row.purpose != "work" or row.expires > self.now or row.is_free)

    def give(self, item_id: int) -> None:
        """Leases an item, or prolongs the lease."""
        self.run(GIVE, item=item_id, until=self.now + 60 * self.settings.lease_minutes)

    def chance(self, what: str, judged: int) -> random.Random:
        return random.Random(f"{self.seed} {what} {self.rater.id} {judged}")

    def gold_is_due(self, judged: int) -> bool:
        """At random, so that no rater can count up to the next test; the same answer when asked again."""
        return self.chance("gold", judged).random() < 1 / self.settings.gold_every

    def take(self, item_id: int, verdict: Verdict, seconds: float | None) -> Lesson | None:
        mine = {row.id: row for row in self.run(MINE).all()}
        row = mine.get(item_id) or self.run("SELECT * FROM items WHERE id = :item", item=item_id).first()
        if row is None:
            raise RefusedError(f"item {item_id} is none of yours")
        shown = order_shown(self.seed, self.rater.id, item_id, len(json.loads(row.responses)))
        verdict.check(row.kind, len(shown))
        own = unshuffle(verdict, shown, row.kind)
        if self.is_repeated(item_id, own):
            return None
        if self.rater.state == "paused" or item_id not in mine or not self.may_keep(row):
            raise RefusedError("item is no longer yours: others have judged it meanwhile, or your work is paused")
        lesson = self.keep(row, own, shown, seconds)
        self.run(DROP, item=item_id)
        return lesson

    def is_repeated(self, item_id: int, verdict: Verdict) -> bool:
        old = self.run("SELECT * FROM judgements WHERE item_id = :item AND rater_id = :rater", item=item_id).first()
        if old is None:
            return False
        same = (old.choice, old.strength, old.rating) == (verdict.choice, verdict.strength, verdict.rating)
        if not same or tuple(json.loads(old.details).get("ranks", ())) != verdict.ranks:
            raise RefusedError("item has a judgement of yours already")
        return True

    def keep(self, row: Any, verdict: Verdict, shown: tuple[int, ...], seconds: float | None) -> Lesson | None:
        item, begun = item_of(row), self.run(LEASE, item=row.id).one().begun
        correct = None if item.answer is None else is_right(verdict, item.answer, item.kind)
        simulated = bool(self.rater.simulated)
        one = Judged(item.key, verdict, None, shown, _clipped(seconds, self.now - begun), self.now, simulated)
        self.connection.execute(JUDGEMENTS.insert(), judgement_row(row.id, self.rater.id, one, correct))
        if not verdict.is_skip:
            self.run("UPDATE items SET done = done + 1 WHERE id = :item", item=row.id)
        if item.answer is None:
            if self.rater.state == "new":
                self.judge_rater()
            return None
        self.judge_rater()
        places = tuple(shown.index(i) for i in range(len(shown)))  # the permutation that undoes `shown`
        return Lesson(bool(correct), unshuffle(item.answer, places, item.kind), item.explanation)

    def judge_rater(self) -> None:
        """Lets a rater begin after the quiz, or pauses one who fails it or guesses."""
        if self.rater.state == "new" and not self.run(UNSEEN, purpose="quiz").first():
            right, wrong = self.right_and_wrong("quiz", 0)
            passed = right >= self.settings.quiz_share * (right + wrong)
            state, reason = ("active", "") if passed else ("paused", f"{right} of {right + wrong} right in the quiz")
            set_state(self.connection, self.rater.id, state, reason)
        elif self.rater.state == "active":
            right, wrong = self.right_and_wrong("gold", self.rater.forgiven)
            if evidence_of_guessing(right, wrong) >= EVIDENCE:
                reason = f"{right} of {right + wrong} test items right"
                set_state(self.connection, self.rater.id, "paused", reason)

    def right_and_wrong(self, purpose: str, since: int) -> tuple[int, int]:
        answers = [bool(answer) for answer in self.run(TESTED, purpose=purpose, since=since).scalars()]
        return sum(answers), len(answers) - sum(answers)

    def take_back(self) -> None:
        last = self.run(LAST).first()
        if last is None or last.purpose != "work" or self.rater.state == "paused":
            raise RefusedError("there is nothing to take back")
        self.run("DELETE FROM judgements WHERE id = :id", id=last.id)
        is_free = f"SELECT done + {HELD} < :k FROM items WHERE id = :item"
        if last.choice != "skip":  # its place becomes the lease's
            self.run("UPDATE items SET done = done - 1 WHERE id = :item", item=last.item_id)
        elif not self.run(is_free, item=last.item_id).scalar():
            return
        self.give(last.item_id)


_prepared = cache(sa.text)  # parsed once: that is as much work as running it


def _clipped(seconds: float | None, since: float) -> float | None:
    """Seconds as the rater's screen counted them, no more than have passed; the screen is not to be trusted."""
    if seconds is None or not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), max(since, 0.0))
