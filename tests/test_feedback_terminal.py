"""Judging in the terminal, and the commands of `textgym feedback`, on one store."""

from __future__ import annotations

import io
import json
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the feedback site needs the extra 'feedback'")

from textgym.agents.sample import SampleConfig, sample_items
from textgym.cli import main
from textgym.feedback import commands
from textgym.feedback.formats import read_file
from textgym.feedback.items import Item, Verdict
from textgym.feedback.store import Store, add_items, change_settings, get_setting, read_all
from textgym.feedback.terminal import judge, parse
from textgym.types import Message


def item(kind: str, number: int, **fields: Any) -> Item:
    count = {"pair": 2, "rating": 1, "ranking": 3}[kind]
    responses = tuple((Message("assistant", f"{kind} {number} {'xyz'[i]}"),) for i in range(count))
    return Item(
        (Message("user", f"prompt {number}"),),
        responses,
        kind,
        f"{kind}-{number}",
        sources=("hidden",) * count,
        **fields,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    kept = Store(tmp_path / "feedback.db")
    yield kept
    kept.close()


def typing(*lines: str) -> Callable[[str], str]:
    given = iter(lines)
    return lambda question: next(given)


def test_all_kinds_are_judged_by_typing(store: Store) -> None:
    with store.writing() as connection:
        change_settings(connection, k=1)
        add_items(connection, [item("pair", 0), item("rating", 1), item("ranking", 2), item("pair", 3)])
    told: list[str] = []
    count = judge(store, "anna", ask=typing("aaa", "hello", "4", "bca", "u", "cab", "s"), tell=told.append)
    assert count == 4
    with store.reading() as connection:
        _, (first, second, third, fourth) = read_all(connection)
    assert (first.verdict.choice, first.verdict.strength) == ("ab"[first.shown[0]], 3)
    assert second.verdict.rating == 4
    best = third.shown[2]  # c was typed first
    assert third.verdict.ranks[best] == 1
    assert fourth.verdict.is_skip
    text = "\n".join(told)
    assert "Type 1 (very poor) to 5 (very good)" in text  # what "hello" was told
    assert "Nothing is left for you to judge" in text
    assert "hidden" not in text


def test_the_terminal_stops_where_it_is_told_to(store: Store) -> None:
    with store.writing() as connection:
        add_items(connection, [item("pair", i) for i in range(5)])
    assert judge(store, "anna", limit=2, ask=typing("t", "t"), tell=lambda text: None) == 2
    assert judge(store, "anna", ask=typing("t", "q"), tell=lambda text: None) == 1


def test_control_characters_do_not_reach_the_terminal(store: Store) -> None:
    evil = Item((Message("user", "\x1b[2Jclear"),), ((Message("assistant", "a\x07"),), (Message("assistant", "b"),)))
    with store.writing() as connection:
        add_items(connection, [evil])
    told: list[str] = []
    judge(store, "anna", ask=typing("q"), tell=told.append)
    assert "clear" in told[0]
    assert not any(c in told[0] for c in "\x1b\x07")


@pytest.mark.parametrize(
    ("kind", "wrong"), [("pair", "ab"), ("pair", "aaaa"), ("pair", ""), ("rating", "6"), ("ranking", "ab")]
)
def test_nonsense_is_told_what_is_allowed(kind: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^Type .*skip"):
        parse(wrong, item(kind, 0))


def test_gold_items_teach(store: Store) -> None:
    with store.writing() as connection:
        gold = item("pair", 0, purpose="quiz", answer=Verdict("tie"), explanation="They say the same.")
        add_items(connection, [gold, item("pair", 1)])
    told: list[str] = []
    judge(store, "anna", ask=typing("a", "q"), tell=told.append)
    assert "Quiz: 1 items" in told[0]
    assert told[1] == "Not quite. This was a test item, the expected answer is TIE. They say the same."
    assert told[-1] == "Your work is paused: 0 of 1 right in the quiz"


def test_the_commands_from_a_file_to_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"i{i}", "prompt": f"p {i}", "responses": ["x", "y"]} for i in range(3)]
    Path("items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nt\nbb\n"))
    assert main(["feedback", "judge", "--rater", "anna", "--data", "items.jsonl", "--k", "1"]) == 0
    assert "3 items and 0 judgements added" in capsys.readouterr().out
    assert main(["feedback", "export", "--out", "prefs.jsonl"]) == 0
    assert capsys.readouterr().out == "prefs.jsonl: 2 rows\n  left out: 1 ties\n"
    assert len(read_file("prefs.jsonl").items) == 2
    assert main(["feedback", "import", "prefs.jsonl", "--store", "second.db", "--task", "summarize"]) == 0
    assert main(["feedback", "report", "--store", "second.db"]) == 0
    printed = capsys.readouterr().out
    assert "2 judgements" in printed
    assert "anna" in printed


def test_what_cannot_work_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = str(tmp_path / "no.db")
    for arguments in (
        ["report", "--store", nowhere],
        ["export", "--store", nowhere, "--out", str(tmp_path / "x")],
        ["import", str(tmp_path / "no.jsonl"), "--store", nowhere],
        ["sample", "--n", "0"],
    ):
        assert main(["feedback", *arguments]) == 1, arguments
        told = capsys.readouterr().err
        assert told.startswith("textgym: ValueError: ")
        assert told.count("\n") == 1
    assert main(["feedback"]) == 2
    assert main(["feedback", "sevre"]) == 2
    assert "there are ['serve', 'sample'" in capsys.readouterr().err
    assert main(["feedback", "--help"]) == 0
    assert "serve        the site on which raters judge" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--port", "70000"], "port must be an integer from 0 to 65535, got 70000"),
        (["--port", "-1"], "port must be an integer from 0 to 65535, got -1"),
        (["--host", "nowhere.invalid"], "host must be a name or an address of this machine, got 'nowhere.invalid'"),
        (["--host", "192.0.2.1"], "host must be an address of this machine, got '192.0.2.1'"),  # RFC 5737
        (["--url", "raters.example.org"], "url must begin with http:// or https://, got 'raters.example.org'"),
    ],
)
def test_a_site_that_cannot_be_had_is_one_line_and_no_file(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "feedback.db"
    assert main(["feedback", "serve", "--store", str(store), *options]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"textgym: ValueError: {told}")
    assert printed.count("\n") == 1
    assert not store.exists()


def serve(store: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Everything that `serve` does but serving."""
    monkeypatch.setattr(commands, "_run", lambda *_: None)
    commands.serve(store=store, port=0, **options)


def test_the_same_password_at_the_next_start_is_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, hashes = str(tmp_path / "feedback.db"), []
    for password in ("correct horse", "correct horse", "another horse", None):
        if password is None:
            monkeypatch.delenv(commands.PASSWORD)
        else:
            monkeypatch.setenv(commands.PASSWORD, password)
        serve(path, monkeypatch)
        with commands.opened(path) as kept, kept.reading() as connection:
            hashes.append(get_setting(connection, "password"))
    assert hashes[0] == hashes[1] != hashes[2] == hashes[3]


def test_a_short_password_is_refused_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(commands.PASSWORD, "horsey!")
    with pytest.raises(ValueError, match="TEXTGYM_ADMIN_PASSWORD must have at least 8 characters, got 7") as error:
        serve(str(tmp_path / "feedback.db"), monkeypatch)
    assert "horsey" not in str(error.value)


def test_the_password_of_a_database_is_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a user and in the query alike; the store itself is a file here, no server is needed."""
    kept = Store(tmp_path / "feedback.db")
    monkeypatch.setattr(commands, "opened", lambda *_: nullcontext(kept))
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "p", "responses": ["x", "y"]}), encoding="utf-8")
    serve("postgresql+psycopg://me:hidden@host/name?password=hidden", monkeypatch, data=str(rows))
    printed = capsys.readouterr().out
    assert "1 items and 0 judgements" in printed
    assert "serving postgresql+psycopg://me:***@host/name on" in printed
    assert "hidden" not in printed
    kept.close()


@pytest.mark.parametrize(("host", "start"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("0.0.0.0", "")])
def test_the_address_is_one_that_a_browser_takes(host: str, start: str) -> None:
    address = commands._address(host, 8000)
    assert address == f"http://{start or socket.gethostname()}:8000"


def test_a_policy_is_not_asked_beyond_its_positions() -> None:
    config = SampleConfig(env="textgym/Translate-v0", n=1, context_length=10_000)
    with pytest.raises(ValueError, match=r"context_length must be at most the policy's \d+ positions, got 10000"):
        sample_items(config)


def test_prompts_that_were_cut_are_counted() -> None:
    config = SampleConfig(env="textgym/Translate-v0", n=4, context_length=16, max_new_tokens=8)
    with pytest.warns(UserWarning, match=r"4 of 4 prompts lost their ends .* = 16 - 8 tokens"):
        sample_items(config)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sample_items(SampleConfig(env="textgym/Translate-v0", n=4, max_new_tokens=8))


def test_a_policys_answers_become_items_to_judge(tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    for env, task in (("textgym/Translate-v0", "translate"), ("textgym/Dialogue-v0", "dialogue")):
        arguments = ["--env", env, "--n", "3", "--samples", "2", "--out", str(out)]
        assert main(["feedback", "sample", *arguments]) == 0
        items, judged = read_file(out)
        assert 1 <= len(items) <= 3
        assert judged == []
        for found in items:
            assert (found.kind, found.task, found.sources) == ("pair", task, ("embedded", "embedded"))
            assert found.responses[0] != found.responses[1]
            assert found.responses[0][0].role == "assistant"
            assert found.prompt[-1].role == "user"
        before = out.read_bytes()
        assert main(["feedback", "sample", *arguments]) == 0
        assert out.read_bytes() == before  # the same seed, the same texts
