"""A user's own records: every format gives the same examples, and every bad row is told.

The laws: a file's i-th good row is example i, whatever the format; splits are disjoint by prompt;
what does not fit stops the load with file, line and reason, before an episode begins. Real data
is found through TEXTGYM_TEST_DATA and skipped where it is absent; nothing of it is printed.
"""

from __future__ import annotations

import copy
import csv
import json
import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tiny import save_tiny_tokenizer

from textgym.models import places
from textgym.tasks.base import Conversation, Judged, Task
from textgym.tasks.load import WORLDS, load_task
from textgym.types import SPLITS, Message, Transcript

EXAMPLES = Path(__file__).parent.parent / "examples"
NEWS = [{"document": f"Story {i}, told at length.", "summary": f"Story {i}."} for i in range(40)]


def write_jsonl(path: Path, rows: Iterable[Any], newline: str = "\n", start: bytes = b"") -> Path:
    path.write_bytes(start + "".join(json.dumps(row) + newline for row in rows).encode())
    return path


def write_csv(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTGYM_CACHE", str(tmp_path / "cache"))


def examples_of(data: Any, name: str = "summarize", **arguments: Any) -> list[Any]:
    return list(load_task(name, data=data, **arguments))


def test_every_embedded_world_loads_and_keeps_its_promises() -> None:
    for name in WORLDS:
        for split in SPLITS:
            task = load_task(name, split=split)
            assert isinstance(task, Judged)
            assert len(task) > 1000
            assert task[3] == load_task(name, split=split)[3]
            assert task[3] != load_task(name, split=split, data_seed=1)[3]
    assert isinstance(load_task("dialogue"), Conversation)


def test_formats_agree(tmp_path: Path) -> None:
    tricky = [
        {"document": 'He said: "no", then\nleft.\r\nIt rained\u2028all day.', "summary": "He left, and\tit rained."},
        {"document": "Grüße aus 北京 🎉", "summary": "Grüße; wirklich"},
        *NEWS,
    ]
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(tricky).save_to_disk(tmp_path / "saved")
    expected = [((Message("user", r["document"]),), (r["summary"],)) for r in tricky]
    given: dict[str, Any] = {
        "jsonl": str(write_jsonl(tmp_path / "a.jsonl", tricky)),
        "csv": write_csv(tmp_path / "a.csv", tricky),
        "tsv": write_csv(tmp_path / "a.tsv", tricky, delimiter="\t"),
        "semicolons": write_csv(tmp_path / "b.csv", tricky[1:], delimiter=";"),
        "parquet": write_parquet(tmp_path / "a.parquet", tricky),
        "small row groups": write_parquet(tmp_path / "b.parquet", tricky, row_group_size=7),
        "saved": tmp_path / "saved",
        "dataset": datasets.load_from_disk(tmp_path / "saved"),
        "rows": tricky,
        "json of options": json.dumps({"path": str(tmp_path / "a.jsonl")}),
    }
    for kind, data in given.items():
        found = [(e.prompt, e.references) for e in examples_of(data)]
        assert found == (expected[1:] if kind == "semicolons" else expected), kind


def test_bom_crlf_blank_lines_and_no_last_newline(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", NEWS, newline="\r\n\r\n  \n", start=b"\xef\xbb\xbf")
    path.write_bytes(path.read_bytes().rstrip())
    assert examples_of(path) == examples_of(NEWS)
    table = write_csv(tmp_path / "a.csv", NEWS)
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\r\n", b"\r\n\r\n"))
    assert examples_of(table) == examples_of(NEWS)


def test_parquet_in_many_batches_is_read_row_by_row(tmp_path: Path) -> None:
    rows = [{"document": f"Text {i}.", "summary": f"{i}.", "unused": [i] * 3} for i in range(2500)]
    task = load_task("summarize", data=write_parquet(tmp_path / "a.parquet", rows, row_group_size=700))
    for i in (0, 699, 700, 1023, 1024, 1399, 1400, 2048, 2499, 5):
        assert task[i].references == (f"{i}.",)


def test_columns_are_found_mapped_and_nested(tmp_path: Path) -> None:
    two = [{"article": "A.", "highlights": ["a", "b"], "references": ["b", "c"]}]
    assert examples_of(two)[0].references == ("a", "b", "c")
    mapped = {"path": [{"x": "A.", "y": "a", "document": "not this"}], "columns": {"prompt": "x", "reference": ["y"]}}
    assert examples_of(mapped)[0].prompt[0].content == "A."
    nested = [{"translation": {"en": "Yes.", "de": "Ja."}}]
    assert examples_of(nested, "translate")[0].references == ("Ja.",)
    assert examples_of(write_parquet(tmp_path / "n.parquet", nested), "translate")[0].prompt[0].content == "Yes."
    back = {"path": nested, "columns": {"source": "translation.de", "target": "translation.en"}}
    assert examples_of(back, "translate")[0].prompt[0].content == "Ja."
    assert examples_of([{"text": "Prompts alone do."}])[0].references == ()


def test_a_system_message_opens_every_prompt() -> None:
    data = {"path": NEWS, "system": "Be brief."}
    assert examples_of(data)[0].prompt == (Message("system", "Be brief."), Message("user", NEWS[0]["document"]))
    chat = [{"messages": [{"role": r, "content": r} for r in ("system", "user", "assistant")]}]
    assert [m.content for m in examples_of({"path": chat, "system": "New."}, "dialogue")[0].prompt] == ["New.", "user"]


def chat_of(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def test_a_recorded_conversation_is_answered_at_its_last_turn() -> None:
    chat = chat_of(("user", "a"), ("user", "b"), ("assistant", "c"), ("user", "d"), ("assistant", "e"), ("user", "f"))
    task = load_task("dialogue", data=[chat])
    assert not hasattr(task, "reply")
    assert task[0].prompt == (("user", "a\nb"), ("assistant", "c"), ("user", "d"))
    assert task[0].references == ("e",)


def test_a_recorded_user_is_replayed_whatever_the_policy_says() -> None:
    turns = (("assistant", "hi"), ("user", "a"), ("assistant", "b"), ("tool", "t"), ("assistant", "c"), ("user", "d"))
    task = load_task("dialogue", data={"path": [chat_of(*turns)], "user": "replay"})
    assert isinstance(task, Conversation)
    example = task[0]
    assert example.prompt == (("assistant", "hi"), ("user", "a"))
    assert example.references == ("b",)
    messages, said = example.prompt, []
    for turn in range(5):
        messages = (*messages, Message("assistant", f"anything {turn}"))
        transcript = Transcript(messages, example.references, example.meta, None, len(example.prompt))
        reply = task.reply(transcript, np.random.default_rng(0))
        if reply is None:
            break
        said.append(reply)
        messages = (*messages, Message("user", reply))
    assert said == ["t", "d"]
    assert turn == 2


def test_every_bad_row_is_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    bad: dict[bytes, str] = {
        b"{": "no JSON",
        b"[1]": "JSON object is needed, this is a list",
        b'{"summary": "s"}': "no column 'document'; it has ['summary']",
        b'{"document": 3, "summary": "s"}': "must be a string, got int",
        b'{"document": "  ", "summary": "s"}': "column 'document' is empty",
        b'{"document": "d"}': "no column 'summary'",
        b'{"document": "d", "summary": null}': "column 'summary' is null",
        b'{"document": "d", "summary": []}': "empty list",
        b'{"document": "d", "summary": ["s", 1]}': "[1] must be a string, got int",
        b'{"document": "\xff", "summary": "s"}': "not UTF-8",
        b'{"document": "\\ud800", "summary": "s"}': "not UTF-8",
        b"[" * 100_000: "no JSON",
    }
    path = tmp_path / "a.jsonl"
    good = [json.dumps(row).encode() for row in NEWS]
    for raw, reason in bad.items():
        path.write_bytes(b"\n".join([*good, b"", raw]))
        with pytest.raises(ValueError, match="do not fit") as caught:
            load_task("summarize", data=path)
        assert f"{path}, line 42: " in str(caught.value)
        assert reason in str(caught.value)
    path.write_bytes(b"\n".join([*bad, *good]))
    with pytest.raises(ValueError, match=f"12 of 52 rows of {path}") as caught:
        load_task("summarize", data=path)
    assert "and 7 more" in str(caught.value)
    assert str(caught.value).count(", line ") == 5
    with pytest.warns(UserWarning, match="skipped 12 of 52"):
        task = load_task("summarize", data={"path": path, "on_bad_row": "skip"})
    assert list(task) == examples_of(NEWS)


def test_bad_rows_of_tables_and_conversations(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "a.csv", NEWS)
    table.write_bytes(table.read_bytes() + b'x,y,z\r\n"two\nlines",ok\r\n\xff,ok\r\n"never closed,\r\n')
    with pytest.raises(ValueError, match="3 of 44 rows") as caught:
        load_task("summarize", data=table)
    for told in ("line 42: 3 fields, the header has 2", "line 45: column 'document' is not UTF-8", "line 46: no CSV"):
        assert told in str(caught.value)
    parquet = write_parquet(tmp_path / "a.parquet", [*NEWS, {"document": None, "summary": "s"}])
    with pytest.raises(ValueError, match="row 41: column 'document' is null"):
        load_task("summarize", data=parquet)
    fine = chat_of(("user", "a"), ("assistant", "b"))
    reasons: list[tuple[Mapping[str, Any], str]] = [
        (chat_of(("assistant", "a")), "no user message"),
        (chat_of(("assistant", "a"), ("user", "b")), "no user message before"),
        (chat_of(("user", "a")), "no assistant message"),
        (chat_of(("user", " "), ("assistant", "b")), "content of messages\\[0\\] is empty"),
        (chat_of(("robot", "a")), "the role 'robot', allowed are"),
        (chat_of(("user", "a"), ("system", "b")), "may only come first"),
        ({"messages": []}, "must be a list of messages"),
        ({"messages": ["a"]}, "must have a role and a content"),
        ({"messages": "hello"}, "must be a list of messages"),
        ({"chat": []}, "no column 'messages'"),
    ]
    for row, reason in reasons:
        with pytest.raises(ValueError, match=f"row 3: .*{reason}"):
            load_task("dialogue", data=[fine, fine, row])


def test_what_cannot_be_loaded_says_what_is_allowed(tmp_path: Path) -> None:
    news = str(write_jsonl(tmp_path / "a.jsonl", NEWS))
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "blank.jsonl").write_text("\n \n")
    (tmp_path / "header.csv").write_text("document,summary\n")
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "bad.parquet").write_text("hello")
    refused: list[tuple[dict[str, Any], str]] = [
        ({"name": "essay"}, "one of .'summarize', 'translate', 'dialogue'., got 'essay'"),
        ({"split": "dev"}, "'train', 'validation', 'test'., got 'dev'"),
        ({"data": str(tmp_path / "none.jsonl")}, "cannot be read: No such file"),
        ({"data": str(tmp_path / "empty.jsonl")}, "is empty"),
        ({"data": str(tmp_path / "blank.jsonl")}, "is empty"),
        ({"data": str(tmp_path / "header.csv")}, "is empty"),
        ({"data": str(tmp_path / "twice.csv")}, "each column once, got .'a', 'a'."),
        ({"data": str(tmp_path / "a.txt")}, "unknown format, allowed are .*jsonl.*csv.*parquet"),
        ({"data": str(tmp_path / "bad.parquet")}, "no Parquet file"),
        ({"data": str(tmp_path)}, "save_to_disk"),
        ({"data": []}, "is empty"),
        ({"data": "-"}, "stream"),
        ({"data": "https://example.org/a.jsonl"}, "URL"),
        ({"data": {"path": news, "colums": {}}}, "takes the keys .*columns.*got .'colums', 'path'."),
        ({"data": {"columns": {}}}, "'path' is required"),
        ({"data": '{"path": '}, "looks like JSON"),
        ({"data": {"path": news, "columns": {"answer": "summary"}}}, "'answer', 'summarize' takes .'prompt', 'refer"),
        ({"data": {"path": news, "columns": {"prompt": "body"}}}, "'body', but .* has the columns .'document', 'summ"),
        ({"data": news, "name": "translate"}, "no prompt for 'translate' in .*columns .'document', 'summary'."),
        ({"data": {"path": news, "on_bad_row": "ignore"}}, "'raise', 'skip'"),
        ({"data": {"path": news, "user": "llm"}}, "'last', 'replay'"),
        ({"data": {"path": news, "user": "replay"}}, "only 'dialogue' takes"),
        ({"data": {"path": news, "holdout": 1.0}}, "in .0, 1."),
        ({"data": {"path": news, "max_rows": 0}}, "at least 1"),
        ({"data": {"path": {"dev": news}}}, "takes the splits"),
        ({"data": {"path": {"train": news}}, "split": "test"}, "no split 'test', it has .'train'."),
        ({"data": {"path": {"train": news, "test": news}, "holdout": 0.5}}, "has the splits"),
        ({"data": {"path": news, "max_rows": 1, "holdout": 1e-9}, "split": "test"}, "split 'test' .* is empty"),
    ]
    for arguments, told in refused:
        with pytest.raises(ValueError, match=told):
            load_task(**{"name": "summarize", **arguments})
    for data in (iter(NEWS), (row for row in NEWS), 7, b"bytes", {"path": news, "columns": "document"}):
        with pytest.raises(TypeError, match="must be"):
            load_task("summarize", data=data)


class ByColumn:
    """A table that is had by its columns, as many libraries have it."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, column: str) -> list[str]:
        return {"document": ["a", "b"], "summary": ["c", "d"]}[column]


def test_a_data_frame_is_its_rows_and_another_table_is_refused_by_name(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    named = [{**row, "name": "x"} for row in NEWS]  # a column "name" makes the frame look like a task
    frame = pandas.DataFrame(named, index=range(100, 100 + len(NEWS)))
    for data in (frame, {"path": frame}, {"path": {"train": frame}}):
        assert examples_of(data) == examples_of(NEWS)
    given = {"reward": "rouge1", "action": "response", "tokenizer": save_tiny_tokenizer(tmp_path)}
    env = gym.make("textgym/Summarize-v0", data=frame, **given)
    env.reset(seed=0, options={"index": 7})
    assert env.step("Story 7.")[1] == pytest.approx(1.0)
    frame.loc[105, "document"] = None
    with pytest.raises(ValueError, match="1 of 40 rows of data do not fit") as told:
        load_task("summarize", data=frame)
    assert "row 6: column 'document'" in str(told.value)
    for data in (ByColumn(), {"path": ByColumn()}, pandas.Series(["a", "b"], index=[5, 6])):
        with pytest.raises(TypeError, match=r"data must be .* rows are not had by their number: data\[0\] raises KeyE"):
            load_task("summarize", data=data)


def test_a_mistyped_path_never_goes_to_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "is_reachable", lambda url: pytest.fail("the hub was asked"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").mkdir()
    for path in (
        "exampels/own_news.jsonl",
        "exampels/own_news.json",
        "examples/own_news",
        "./own",
        "a/b/c",
        "own.json",
    ):
        with pytest.raises(ValueError, match=f"^data={path!r} cannot be read: No such file or directory$"):
            load_task("summarize", data=path)


def test_a_hub_that_cannot_be_reached_is_said_at_once_and_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    asked: list[str] = []
    was_offline: list[bool] = []
    load_dataset = datasets.load_dataset

    def load(name: str, config: str | None) -> Any:
        was_offline.append(datasets.config.HF_HUB_OFFLINE)
        return load_dataset(name, config) if was_offline[-1] else NEWS

    monkeypatch.setattr("transformers.utils.hub.is_offline_mode", lambda: False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(places, "is_reachable", lambda url: bool(asked.append(url)))
    start = time.perf_counter()
    with pytest.raises(
        ValueError, match=r"^data='exampels/own_news' is neither .* cannot be reached .*; a path begins with \./ or /$"
    ):
        load_task("summarize", data="exampels/own_news")
    assert time.perf_counter() - start < 4  # twenty-five and more with the hub's own retries
    assert (len(asked), was_offline, datasets.config.HF_HUB_OFFLINE) == (1, [True], False)
    monkeypatch.setattr(places, "is_reachable", lambda url: True)
    assert examples_of("somebody/news") == examples_of(NEWS)
    assert was_offline == [True, False]


def test_parquet_without_its_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(tmp_path / "a.parquet", NEWS)
    for module in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=rf"{path} needs the package pyarrow: pip install 'textgym\[data\]'"):
        load_task("summarize", data=path)


def test_an_endless_stream_is_refused_at_once(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    with pytest.raises(TypeError, match="a stream is refused"):
        load_task("summarize", data=datasets.Dataset.from_list(NEWS).to_iterable_dataset())
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path / "pipe.jsonl", "/dev/zero"):
        with pytest.raises(ValueError, match="endless stream is refused"):
            load_task("summarize", data=path)


def test_splits_are_disjoint_and_stable(tmp_path: Path) -> None:
    rows = [{"document": f"Text {i % 300}.", "summary": f"{i}"} for i in range(600)]  # every prompt twice
    parts = {}
    for order in (rows, rows[::-1]):
        path = write_jsonl(tmp_path / "a.jsonl", order)
        found = {s: examples_of({"path": path, "holdout": 0.4}, split=s) for s in SPLITS}
        prompts = {s: {e.prompt for e in found[s]} for s in SPLITS}
        assert sum(len(p) for p in prompts.values()) == 300
        assert sum(len(e) for e in found.values()) == 600
        assert parts in ({}, prompts)  # whatever the order of the rows
        parts = prompts
    assert 130 < len(parts["train"]) < 230  # 180 of 300 expected
    advised = examples_of({"path": path, "holdout": 0.4, "system": "Be brief."}, split="test")
    assert {e.prompt[1:] for e in advised} == parts["test"]
    assert examples_of(path, split="train") == examples_of(path, split="test")


def test_each_split_from_a_place_of_its_own(tmp_path: Path) -> None:
    files = {split: str(write_jsonl(tmp_path / f"{split}.jsonl", NEWS[i : i + 1])) for i, split in enumerate(SPLITS)}
    datasets = pytest.importorskip("datasets")
    parts = {split: datasets.Dataset.from_list(NEWS[i : i + 1]) for i, split in enumerate(SPLITS)}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    for data in ({"path": files}, datasets.DatasetDict(parts), str(tmp_path / "saved")):
        for i, split in enumerate(SPLITS):
            assert examples_of(data, split=split) == examples_of(NEWS[i : i + 1])
    only = datasets.DatasetDict({"train": parts["train"]})
    assert examples_of(only, split="test") == examples_of(NEWS[:1])


def test_max_rows_reads_the_start_of_the_file(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [*NEWS, "no object"])
    assert examples_of({"path": path, "max_rows": 3}) == examples_of(NEWS[:3])


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_tasks_travel(tmp_path: Path, kind: str) -> None:
    writers = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}
    task = load_task("summarize", data=writers[kind](tmp_path / f"a.{kind}", NEWS))
    expected = list(task)
    assert list(copy.deepcopy(task)) == expected
    assert list(pickle.loads(pickle.dumps(task))) == expected
    with pytest.raises(AttributeError):
        task.name = "other"  # type: ignore[misc]
    with pytest.raises(IndexError):
        task[len(task)]
    with pytest.raises(IndexError):
        task[-1]
    if kind != "parquet":  # Arrow's threads do not survive a fork; a spawned process is fine
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(task.__getitem__, range(len(task)), chunksize=1) == expected


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", NEWS)
    task = load_task("summarize", data=path)
    write_jsonl(path, NEWS[1:])
    with pytest.raises(RuntimeError, match="has changed"):
        task[0]
    assert len(load_task("summarize", data=path)) == len(NEWS) - 1


def test_a_large_file_loads_fast_and_holds_little(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(b'{"document": "Text %d of many.", "summary": "%d."}\n' % (i, i) for i in range(100_000)))
    start = time.perf_counter()
    task = load_task("summarize", data=path)
    seconds = time.perf_counter() - start
    assert task[99_999].references == ("99999.",)
    assert len(pickle.dumps(task)) < 20 * len(task)
    assert seconds < 10  # measured 0.5 s on an idle core; the bound only catches a blunder


def test_own_data_plays_through_both_kinds_of_env(tmp_path: Path) -> None:
    data = {"path": str(write_jsonl(tmp_path / "a.jsonl", NEWS)), "system": "Be brief."}
    given = {"data": data, "reward": "rouge1", "action": "response", "tokenizer": save_tiny_tokenizer(tmp_path / "t")}
    env = gym.make("textgym/Summarize-v0", **given)
    env.reset(seed=0, options={"index": 7})
    assert env.step("Story 7.")[1] == pytest.approx(1.0)  # the reference itself
    assert gym.make(gym.spec(env.spec.id), **env.spec.kwargs).spec.to_json() == env.spec.to_json()
    rows = gym.make_vec("textgym/Summarize-v0", num_envs=3, **given)
    rows.reset(seed=0, options={"index": np.array([1, 2, 3])})
    rewards = rows.step(["Story 1.", "Story 2.", "nothing of it"])[1]
    np.testing.assert_allclose(rewards, [1, 1, 0], atol=1e-6)


def test_a_replayed_record_plays_as_a_conversation(tmp_path: Path) -> None:
    chat = chat_of(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e"))
    given = {"reward": 1.0, "action": "response", "tokenizer": save_tiny_tokenizer(tmp_path / "t")}
    env = gym.make("textgym/Dialogue-v0", data={"path": [chat], "user": "replay"}, **given)
    env.reset(seed=0)
    assert [env.step("hm")[2] for _ in range(3)] == [False, False, True]
    with pytest.raises(ValueError, match="reward"):
        gym.make("textgym/Dialogue-v0", data=[chat], tokenizer=given["tokenizer"])


def test_a_metric_compares_each_turn_of_a_replay_with_the_record_at_that_turn(tmp_path: Path) -> None:
    given = {"reward": "rougeL", "action": "response", "tokenizer": save_tiny_tokenizer(tmp_path / "t")}
    turns = (("user", "u1"), ("assistant", "one a"), ("user", "u2"), ("assistant", "two b"), ("user", "u3"))
    env = gym.make("textgym/Dialogue-v0", data={"path": [chat_of(*turns)], "user": "replay"}, **given)
    # The record ends with its user: the third turn is answered and compared with nothing.
    for said, expected in (
        (("one a", "two b", "anything"), 1.0),
        (("two b", "one a", "one a"), 0.0),
        (("x y", "two b", ""), 0.5),
        (("one a", "x y", "one a"), 0.5),
        (("one x", "two b", "x"), 0.75),
    ):
        env.reset(seed=0)
        rewards = [env.step(text)[1] for text in said]
        assert rewards == pytest.approx([0, 0, expected]), said


def test_a_metric_is_refused_at_once_where_rows_have_no_reference(tmp_path: Path) -> None:
    """At `gym.make`, with file and column, not at the first score an hour later."""
    prompts = write_jsonl(tmp_path / "prompts.jsonl", [{"document": "a"}, {"document": "b"}])
    phrases = write_csv(tmp_path / "phrases.csv", [{"source": "a", "other": "b"}])
    asked, answered = chat_of(("user", "a")), chat_of(("user", "a"), ("assistant", "b"))
    chats = write_jsonl(tmp_path / "chats.jsonl", [asked, asked, answered])
    given = {"action": "response", "tokenizer": save_tiny_tokenizer(tmp_path / "t")}
    for env_id, data, told in (
        ("textgym/Summarize-v0", str(prompts), rf"{prompts} has no column of them .*'summary'.*'columns'.*'reference'"),
        ("textgym/Summarize-v0", [{"document": "a"}], "data has no column of them"),
        ("textgym/Translate-v0", str(phrases), rf"{phrases} has no column of them .*'translation\.de'"),
        ("textgym/Dialogue-v0", str(chats), rf"2 of 3 conversations of {chats} have no answer .* column 'messages'"),
        ("textgym/Dialogue-v0", {"path": str(chats), "user": "replay"}, "2 of 3 conversations"),
    ):
        for reward in ("rougeL", {"type": "sum", "parts": [{"reward": "chrf"}]}):
            with pytest.raises(ValueError, match=f"compares with references, and {told}"):
                gym.make(env_id, data=data, reward=reward, **given)
        gym.make(env_id, data=data, reward=1.0, **given).reset(seed=0)
    gym.make("textgym/Dialogue-v0", data=[answered], reward="chrf", **given)


def test_the_examples_of_the_readme_load() -> None:
    news = {"path": EXAMPLES / "own_news.jsonl", "columns": {"prompt": "story", "reference": "short"}}
    for name, data in (
        ("summarize", news),
        ("translate", EXAMPLES / "own_phrases.jsonl"),
        ("dialogue", EXAMPLES / "own_chats.jsonl"),
        ("dialogue", {"path": EXAMPLES / "own_chats.jsonl", "user": "replay"}),
    ):
        task = load_task(name, data=data)
        assert isinstance(task, Task)
        assert all(e.references and e.prompt[-1].role == "user" for e in task)


REAL = [
    ("summarize", "summarization_scitldr.jsonl", {}, 857),
    ("translate", "translation_mlqepe_ende.jsonl", {}, 1983),
    ("dialogue", "dialogue_taskmaster4.jsonl", {}, 607),
    ("dialogue", "dialogue_taskmaster4.jsonl", {"user": "replay"}, 607),
    ("dialogue", "dialogue_topicalchat.jsonl", {"user": "replay"}, 199),
]


@pytest.mark.parametrize(("name", "file", "options", "rows"), REAL)
def test_real_records_load_without_a_column_map(name: str, file: str, options: dict[str, Any], rows: int) -> None:
    folder = os.environ.get("TEXTGYM_TEST_DATA")
    path = Path(folder or "") / "data" / file
    if not folder or not path.exists():
        pytest.skip(f"real data is absent: TEXTGYM_TEST_DATA={folder!r} has no data/{file}")
    task = load_task(name, data={"path": str(path), **options})
    assert len(task) == rows
    for example in task:
        assert example.prompt[-1].role == "user"
        assert all(r.strip() for r in example.references)
        assert len(example.references) >= 1
