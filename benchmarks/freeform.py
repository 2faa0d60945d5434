"""Do the judges and the simulated user understand text that no generator of this project wrote?

The answers in `tests/data/freeform_*.jsonl` were written by language models that had not seen the code: for
each prompt a right answer and one with a fault that is named, and for the dialogues replies of an
assistant with what a listener should take from them. This prints, for each task, how many pairs
the gold judge ranks right, by fault, and how much of the replies the simulated user understands,
where it asks back, and where it takes a wrong value (never, if all is well). What a reply says of the
house's rules (yes or no) and of prices was labelled later, by a reader who knew the code.

    python benchmarks/freeform.py
    python benchmarks/freeform.py --show --json

The rows come in sets, written one after the other. A set is blind until somebody has looked at what
was missed in it and mended the judge; how many its judges got right on first contact is in the README.

A row carries the prompt it was written for and that prompt's meaning, so the sets outlive the generator's
texts; rows whose own label is disputed (they say why) are left out and counted.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from textgym.tasks.dialogue.meaning import Meaning
from textgym.tasks.dialogue.read import Understanding
from textgym.tasks.dialogue.talk import Talk, replay
from textgym.tasks.dialogue.words import SMALL
from textgym.tasks.load import load_task
from textgym.tasks.summarize.event import Event
from textgym.tasks.translate.meaning import Meaning as Sentences
from textgym.types import Message, Transcript

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
PAIRS = {
    "summarize": "freeform_summarize.jsonl",
    "translate": "freeform_translate.jsonl",
    "dialogue": "freeform_dialogue_pairs.jsonl",
}
REPLIES = "freeform_dialogue_replies.jsonl"
# What the user does (`talk.py`) where something has not reached it, as it would have it.
ASKING_BACK = ("what", "repeat", "again", "ask again", "remind", "correct", "insist", "else", "lacks", "go")
HOURS = {name: hour for hour, name in enumerate(SMALL[:14])} | {"noon": 12, "midday": 12}
MINUTES = {"five": 5, "ten": 10, "quarter": 15, "twenty": 20, "twenty-five": 25, "half": 30, "thirty": 30}
MINUTES |= {"fifteen": 15, "forty": 40, "forty-five": 45, "fifty": 50, "fifty-five": 55}
PART_OF_DAY = re.compile(r"\b(tonight|today|sharp|in the (morning|afternoon|evening)|at night|[ap][.]?m[.]?)")


def read_rows(name: str) -> list[dict[str, Any]]:
    """The rows of a file of test data."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line]


def transcript(row: Mapping[str, Any], world: str, response: str) -> Transcript:
    """What was said up to and with this response, with the meaning that the row carries."""
    before = tuple(Message(*m) for m in row.get("messages") or [("user", row["prompt"])])
    meaning = reader_of(world).validate_json(json.dumps(row["meta"]))
    n = row.get("num_prompt_messages", 1)
    return Transcript((*before, Message("assistant", response)), meta=meaning, num_prompt_messages=n)


@cache
def reader_of(world: str) -> TypeAdapter[Any]:
    """Reads a world's meanings from JSON."""
    return TypeAdapter({"summarize": Event, "translate": Sentences, "dialogue": Meaning}[world])


def rank_pairs(world: str) -> dict[str, Any]:
    """How many right answers score above their wrong siblings. `missed`: (index, fault, right score, wrong score)."""
    task: Any = load_task(world)
    totals: Counter[str] = Counter()
    ranked: Counter[str] = Counter()
    by_set: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    missed: list[tuple[int, str, float, float]] = []
    disputed = 0
    for row in read_rows(PAIRS[world]):
        if "disputed" in row:
            disputed += 1
            continue
        right, wrong = (task.judge(transcript(row, world, row[side])).score for side in ("right", "wrong"))
        kind = row["fault"].split(":")[0].split("(")[0].split(";")[0].split(",")[0].strip()
        totals[kind] += 1
        of_set = by_set[row.get("set", 1)]
        of_set[0] += right > wrong
        of_set[1] += 1
        if right > wrong:
            ranked[kind] += 1
        else:
            missed.append((row["index"], row["fault"], round(right, 3), round(wrong, 3)))
    return {
        "n": totals.total(),
        "ranked": ranked.total(),
        "by_set": {number: tuple(found) for number, found in sorted(by_set.items())},
        "by_fault": {k: (ranked[k], n) for k, n in totals.most_common()},
        "missed": missed,
        "disputed": disputed,
    }


def minutes_of(text: str) -> int:
    """A labelled time as minutes on a 12-hour clock: "half past seven", "6.25", "thirteen hundred hours"."""
    said = PART_OF_DAY.sub("", re.sub(r"(?<=\d)[.](?=\d)", ":", text.lower())).replace(".", "")
    words = re.sub(r"(?<=[a-z])-(thirty|fifteen|forty)", r" \1", said.removeprefix("a ")).split()
    first = words[0].split(":")
    if first[0].isdigit():
        return (int(first[0]) * 60 + (int(first[1]) if len(first) > 1 else 0)) % 720
    if len(words) > 2 and words[1] in ("past", "to"):
        hour, minute = HOURS[words[2]] * 60, MINUTES[words[0]]
        return (hour + (minute if words[1] == "past" else -minute)) % 720
    if words[0] == "half":
        return (HOURS[words[1]] * 60 + 30) % 720
    return (HOURS[words[0]] * 60 + MINUTES.get(words[1] if len(words) > 1 else "", 0)) % 720


def normal(slot: str, value: Any) -> Any:
    """A value as labels and readers can share it."""
    if slot == "time":
        return minutes_of(str(value))
    if slot == "service" and str(value).startswith("wash"):
        return "wash"
    return value


def compare(row: Mapping[str, Any], u: Understanding, m: Meaning) -> tuple[list[str], list[str]]:
    """(what was taken wrong, what was missed) of one reply, as short words for a person to read."""
    labels = {slot: {normal(slot, v) for v in (x if isinstance(x, list) else [x])} for slot, x in row["states"].items()}
    wrong = [f"{s}={v}" for s, v in u.stated.items() if normal(s, v) not in labels.get(s, ())]
    for slot, value in u.offered:
        limit = slot == "people" and value == m.limit  # "five is the most we can seat" holds five out
        if normal(slot, value) not in labels.get(slot, ()) and not limit:
            wrong.append(f"offers {slot}={value}")
    # "Nothing on Friday": wrong where the label says that the reply holds this very value out, or takes it down
    wrong += [f"denies {s}={v}" for s, v in u.denied if normal(s, v) in labels.get(s, ())]
    answers, prices = row.get("answers", {}), row.get("prices", [])
    wrong += [f"answers {topic}={answer}" for topic, answer in u.answers.items() if answer != answers.get(topic)]
    wrong += [f"price={amount}" for _, amount in u.prices if amount not in prices]
    wrong += [f"asks {s}" for s in u.asked if s not in row["asks"]]
    offered = [s for s, _ in u.offered]
    heard = {(s, normal(s, v)) for s, v in [*u.stated.items(), *u.offered]}
    missed = [s for s, values in labels.items() if not any((s, v) in heard for v in values)]
    # holding out several values asks to choose one
    missed += [f"ask {s}" for s in row["asks"] if s not in u.asked and offered.count(s) < 2]
    if row["kind"] == "decline" and not u.declined:
        missed.append("decline")
    missed += [f"answer {topic}" for topic in answers if topic not in u.answers]
    missed += [f"price {amount}" for amount in prices if amount not in [x for _, x in u.prices]]
    if row["kind"] == "nonsense" and u.understood:
        wrong.append("nonsense understood")
    return wrong, missed


def asks_back(talk: Talk) -> bool:
    """The user shows that something has not reached it: asks, says it again, or reminds of it."""
    return any(act in ASKING_BACK for act, _ in talk.acts)


def hear_replies() -> Iterator[tuple[dict[str, Any], Transcript, list[str], list[str]]]:
    """(row, what was said, wrong, missed) for each reply that can be heard in its context."""
    task: Any = load_task("dialogue")
    for row in read_rows(REPLIES):
        if "disputed" in row:
            continue
        heard = transcript(row, "dialogue", row["reply"])
        wrong, missed = compare(row, task.understand(heard), heard.meta)
        yield row, heard, wrong, missed


def rate_replies() -> dict[str, Any]:
    """What the simulated user makes of the replies."""
    by_kind: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    by_set: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    wrong_rows, missed_rows = [], []
    reactions: Counter[str] = Counter()
    taken = slots = understood = n = 0
    for row, heard, wrong, missed in hear_replies():
        n += 1
        right = not wrong and not missed
        understood += right
        by_kind[row["kind"]][0] += right
        by_kind[row["kind"]][1] += 1
        by_set[row.get("set", 1)][0] += right
        by_set[row.get("set", 1)][1] += 1
        taken += any("=" in w for w in wrong)
        slots += any("=" in w and not w.startswith(("denies ", "answers ", "price=")) for w in wrong)
        if wrong:
            wrong_rows.append((row["index"], row["reply"], wrong, missed))
        elif missed:
            talk = replay(heard)
            reaction = "served" if talk.over == "served" else "asked back" if asks_back(talk) else "left open"
            reactions[reaction] += 1
            missed_rows.append((row["index"], row["reply"], missed, reaction))
    return {
        "n": n,
        "understood": understood,
        "asked_back": reactions["asked back"],
        "left_open": reactions["left open"],
        "served_unheard": reactions["served"],
        "wrong_value": taken,
        "wrong_slot": slots,
        "wrong_ask": len(wrong_rows) - taken,
        "by_set": {number: tuple(found) for number, found in sorted(by_set.items())},
        "by_kind": {k: tuple(v) for k, v in by_kind.items()},
        "missed": missed_rows,
        "wrong": wrong_rows,
        "disputed": sum("disputed" in row for row in read_rows(REPLIES)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Free-form answers against the gold judges and the simulated user.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON on the last line")
    parser.add_argument("--show", action="store_true", help="print what was missed")
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    for world in PAIRS:
        found = rank_pairs(world)
        print(f"{world}: {found['ranked']} of {found['n']} pairs ranked right", end="")
        print(f" ({found['disputed']} disputed)")
        for number, (right, total) in found["by_set"].items():
            print(f"    {right:3d} of {total:3d}  set {number}")
        for fault, (right, total) in found["by_fault"].items():
            print(f"    {right:3d} of {total:3d}  {fault}")
        if args.show:
            for miss in found["missed"]:
                print("    missed:", *miss)
        figures[world] = {k: v for k, v in found.items() if k not in ("missed", "by_fault")}
    heard = rate_replies()
    print(f"the user's understanding: {heard['understood']} of {heard['n']} replies", end="")
    print(f" ({heard['disputed']} disputed); of the rest {heard['asked_back']} asked back,")
    print(f"    {heard['left_open']} left open, {heard['served_unheard']} taken as served,")
    print(f"    {heard['wrong_value']} with a wrong value taken ({heard['wrong_slot']} of them filled in a slot),")
    print(f"    {heard['wrong_ask']} with a question that was none")
    for number, (right, total) in heard["by_set"].items():
        print(f"    {right:3d} of {total:3d}  set {number}")
    for kind, (right, total) in heard["by_kind"].items():
        print(f"    {right:3d} of {total:3d}  {kind}")
    if args.show:
        for name in ("wrong", "missed"):
            for miss in heard[name]:
                print(f"    {name}:", *miss)
    figures["replies"] = {k: v for k, v in heard.items() if k not in ("missed", "wrong", "by_kind")}
    if args.json:
        from textgym.agents.runs import versions

        print(json.dumps({"figures": figures, "settings": vars(args), "versions": versions()}))


if __name__ == "__main__":
    main()
