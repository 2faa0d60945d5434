"""Rows of files that others wrote, as items and judgements. One function a format, named in `READERS`.

Whoever is not named in a row stays nobody (`rater=None`): a position in a list of scores is not a person.
What has no place here (rationales, passages, confidences) is left alone. Which file is which, and
writing, is in formats.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from textgym import checks
from textgym.feedback.items import Item, Judged, Verdict, to_messages
from textgym.types import Message

Row = Mapping[str, Any]
TURN = re.compile(r"\n\n(Human|Assistant):")
HH_ROLES = {"Human": "user", "Assistant": "assistant"}
HELPSTEER = ("correctness", "coherence", "complexity", "verbosity")  # beside helpfulness, 0 to 4
TAGS = {"a": "a", "b": "b", "tie": "tie", "skip": "skip"}


class Found(NamedTuple):
    """What a row holds."""

    items: list[Item]
    judged: list[Judged]


def split_hh(text: str, where: str) -> tuple[Message, ...]:
    """The messages of a transcript in the form of Bai et al. (2022), "\\n\\nHuman: …\\n\\nAssistant: …"."""
    parts = TURN.split(text)
    if len(parts) < 3 or parts[0].strip():
        raise ValueError(f"{where} must begin with a turn of 'Human:' or 'Assistant:', got {text!r:.60}")
    return tuple(Message(HH_ROLES[who], said.strip()) for who, said in zip(parts[1::2], parts[2::2], strict=True))


def hh(row: Row) -> Found:
    """`chosen` and `rejected` are whole transcripts, or what follows a `prompt` that ends with "Assistant:"."""
    prompt = row.get("prompt")
    texts = [checks.text(name, row.get(name)) for name in ("chosen", "rejected")]
    if prompt is not None:
        texts = [checks.text("prompt", prompt) + text for text in texts]
    chosen, rejected = (split_hh(text, name) for text, name in zip(texts, ("chosen", "rejected"), strict=True))
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    if shared == 0 or chosen[shared].role != "assistant" or rejected[shared].role != "assistant":
        raise ValueError("chosen and rejected must part at a turn of the assistant, after a shared prompt")
    return _preferred(row, chosen[:shared], (chosen[shared:], rejected[shared:]))


def trl(row: Row) -> Found:
    """`prompt`, `chosen`, `rejected`: texts or lists of messages; `margin`, `raters`, `simulated` and
    `chosen_is_left` where known."""
    prompt = to_messages(row["prompt"], "prompt", "user")
    sides = []
    for name in ("chosen", "rejected"):
        messages = to_messages(row[name], name, "assistant")
        has_prompt = len(messages) > len(prompt) and messages[: len(prompt)] == prompt  # as some files repeat it
        sides.append(messages[len(prompt) :] if has_prompt else messages)
    return _preferred(row, prompt, (sides[0], sides[1]))


def textgym(row: Row) -> Found:
    """Our own rows: an item, and the judgements of it where there are some."""
    texts = row.get("responses")
    if texts is None:
        texts = [row["response_a"], row["response_b"]]
    if not isinstance(texts, list):
        raise ValueError(f"responses must be a list of texts, got {texts!r:.60}")
    named = [t if isinstance(t, Mapping) else {"text": t} for t in texts]
    sources = tuple(str(t.get("model") or "") for t in named)
    kind = row.get("kind") or {1: "rating", 2: "pair"}.get(len(texts), "ranking")
    answer = row.get("answer")
    item = Item(
        prompt=to_messages(row["prompt"], "prompt", "user"),
        responses=tuple(to_messages(t.get("text"), "responses", "assistant") for t in named),
        kind=kind,
        key=_key(row),
        task=str(row.get("task") or "general"),
        sources=tuple(map(str, row.get("sources") or ())) or (sources if any(sources) else ()),
        origin=str(row.get("origin") or ""),
        purpose=row.get("purpose") or ("work" if answer is None else "gold"),
        answer=None if answer is None else _answer(answer, kind),
        explanation=str(row.get("explanation") or ""),
    )
    return Found([item], [_judged(item.key, one) for one in row.get("judgements") or ()])


def comparisons(row: Row) -> Found:
    """`response_a`, `response_b`, `preference` (a, b, tie), with `rater_id`; or `responses`, `pairs`, `preferences`."""
    prompt = to_messages(row["prompt"], "prompt", "user")
    if "pairs" not in row:
        item = Item(prompt, _pair(row["response_a"], row["response_b"]), key=_key(row))
        margin = row.get("margin")
        margin = None if margin is None else abs(checks.number("margin", margin))
        choice = _tag(row["preference"])
        verdict = Verdict(choice, margin=margin if choice in ("a", "b") else None)
        return Found([item], [Judged(item.key, verdict, _rater(row))])
    items, judged = [], []
    for (i, j), preference in zip(row["pairs"], row["preferences"], strict=True):
        key = f"{_key(row)}-{i}{j}" if _key(row) else ""
        items.append(Item(prompt, _pair(row["responses"][i], row["responses"][j]), key=key))
        judged.append(Judged(items[-1].key, Verdict(_tag(preference)), _rater(row)))
    return Found(items, judged)


def ratings(row: Row) -> Found:
    """`prompt` and `response` with a `rating`, or several `ratings` of nobody knows whom; WMT's direct assessments:
    `src`, `mt` and `raw` or `score`."""
    is_wmt = "mt" in row
    prompt = to_messages(row["src"] if is_wmt else row["prompt"], "prompt", "user")
    response = to_messages(row["mt"] if is_wmt else row["response"], "response", "assistant")
    source = str(row.get("system") or "")
    task = "translate" if is_wmt or "lang_pair" in row else "general"
    item = Item(prompt, (response,), "rating", _key(row), task, (source,) if source else ())
    several = row.get("ratings")
    name = next((n for n in ("rating", "raw", "score") if row.get(n) not in (None, "")), "rating")
    values = several if isinstance(several, list) else [row.get(name)]
    rater = None if isinstance(several, list) else _rater(row)
    return Found([item], [Judged(item.key, Verdict(rating=_float(v, name)), rater) for v in values])


def helpsteer(row: Row) -> Found:
    """Attributes from 0 to 4 of one response; here 1 to 5, as on the site."""
    item = Item(
        to_messages(row["prompt"], "prompt", "user"),
        (to_messages(row["response"], "response", "assistant"),),
        "rating",
        _key(row),
    )
    names = [name for name in HELPSTEER if row.get(name) not in (None, "")]
    criteria = {name.capitalize(): (_float(row[name], name) + 1,) for name in names}
    verdict = Verdict(rating=_float(row["helpfulness"], "helpfulness") + 1, criteria=criteria)
    return Found([item], [Judged(item.key, verdict, _rater(row))])


def openai(row: Row) -> Found:
    """Comparisons of Stiennon et al. (2020): `info`, two `summaries` with their policies, `choice`, `worker`."""
    info, summaries, choice = row["info"], row["summaries"], row["choice"]
    if choice not in (0, 1) or len(summaries) != 2:
        raise ValueError(f"choice must be 0 or 1 of two summaries, got {choice!r} of {len(summaries)}")
    text = checks.text("info", info.get("post") or info.get("article"))
    title = info.get("title") or ""
    item = Item(
        (Message("user", f"{title}\n\n{text}" if title else text),),
        _pair(*(s["text"].strip() for s in summaries)),
        task="summarize",
        sources=tuple(str(s.get("policy") or "") for s in summaries),
        origin=str(info.get("id") or ""),
    )
    return Found([item], [Judged(item.key, Verdict("ab"[choice]), _rater(row))])


def ultrafeedback(row: Row) -> Found:
    """`instruction` and `completions` with `annotations` (Cui et al., 2023). The judge is a model, not a person."""
    completions = row["completions"]
    if len(completions) < 2:
        return Found([], [])
    item = Item(
        to_messages(row["instruction"], "instruction", "user"),
        tuple(to_messages(c["response"], "response", "assistant") for c in completions),
        "pair" if len(completions) == 2 else "ranking",
        _key(row),
        sources=tuple(str(c.get("model") or "") for c in completions),
        origin=str(row.get("source") or ""),
    )
    scores = [_float(c["overall_score"], "overall_score") for c in completions]
    names = sorted({name for c in completions for name in c.get("annotations") or {}})
    criteria = {n.replace("_", " ").capitalize(): tuple(_annotated(c, n) for c in completions) for n in names}
    if item.kind == "pair":
        verdict = Verdict("tie" if scores[0] == scores[1] else "ab"[scores[1] > scores[0]], criteria=criteria)
    else:
        ranks = tuple(1 + sum(other > score for other in scores) for score in scores)
        verdict = Verdict(ranks=ranks, criteria=criteria)
    return Found([item], [Judged(item.key, verdict, "GPT-4 (a model)", simulated=True)])


def crowdkit(row: Row) -> Found:
    """`task` (an item's key), `worker`, `label`: a, b or tie of a pair, a number of a rating."""
    label, key, worker = str(row["label"]), checks.text("task", row["task"]), checks.text("worker", row["worker"])
    verdict = Verdict(TAGS[label]) if label in TAGS else Verdict(rating=_float(label, "label"))
    return Found([], [Judged(key, verdict, worker)])


READERS: dict[str, Callable[[Row], Found]] = {
    "textgym": textgym,
    "trl": trl,
    "hh": hh,
    "helpsteer": helpsteer,
    "crowdkit": crowdkit,
    "openai": openai,
    "ultrafeedback": ultrafeedback,
    "comparisons": comparisons,
    "ratings": ratings,
}


def recognise(row: Row) -> str:
    """The format that a row's columns speak for.

    Raises:
        ValueError: columns of no format that is known here.
    """
    has = row.keys()
    if {"chosen", "rejected"} <= has:
        transcript = row.get("prompt", row["chosen"])
        return "hh" if isinstance(transcript, str) and TURN.match(transcript) else "trl" if "prompt" in has else "hh"
    signs = (
        ("openai", {"info", "summaries", "choice"}),
        ("ultrafeedback", {"instruction", "completions"}),
        ("crowdkit", {"task", "worker", "label"}),
        ("helpsteer", {"prompt", "response", "helpfulness"}),
        ("comparisons", {"response_a", "response_b", "preference"}),
        ("comparisons", {"responses", "pairs", "preferences"}),
        ("ratings", {"prompt", "response", "rating"}),
        ("ratings", {"src", "mt"}),
        ("textgym", {"prompt", "responses"}),
        ("textgym", {"prompt", "response_a", "response_b"}),
    )
    for name, columns in signs:
        if columns <= has:
            return name
    raise ValueError(f"columns {sorted(has)} are of none of the formats {list(READERS)}")


def _preferred(row: Row, prompt: tuple[Message, ...], sides: tuple[tuple[Message, ...], tuple[Message, ...]]) -> Found:
    item = Item(prompt, sides, key=_key(row), origin=str(row.get("source") or ""))
    margin = row.get("margin")
    strength = STRENGTH_OF.get(round(margin, 6)) if isinstance(margin, float | int) else None
    verdict = Verdict("a", strength, margin=None if strength or margin is None else _float(margin, "margin"))
    raters = list(row.get("raters") or [_rater(row)])
    is_simulated = bool(row.get("simulated", False))
    side = row.get("chosen_is_left")
    shown = () if side is None else (0, 1) if side else (1, 0)
    return Found([item], [Judged(item.key, verdict, rater, shown, simulated=is_simulated) for rater in raters])


# Strengths as margins, after table 27 of Touvron et al. (2023): slightly, clearly, much better.
MARGIN_OF = {1: 1 / 3, 2: 2 / 3, 3: 1.0}
STRENGTH_OF = {round(margin, 6): strength for strength, margin in MARGIN_OF.items()}


def _pair(a: Any, b: Any) -> tuple[tuple[Message, ...], ...]:
    return to_messages(a, "response_a", "assistant"), to_messages(b, "response_b", "assistant")


def _tag(value: Any) -> str:
    if value not in TAGS:
        raise ValueError(f"preference must be one of {list(TAGS)}, got {value!r}")
    return TAGS[value]


def _key(row: Row) -> str:
    return str(next((row[n] for n in ("key", "item_id", "id") if row.get(n) not in (None, "")), ""))


def _rater(row: Row) -> str | None:
    named = next((row[n] for n in ("rater_id", "rater", "worker", "annotator") if row.get(n) not in (None, "")), None)
    return None if named is None else str(named)


def _float(value: Any, name: str) -> float:
    """A number, also where a file has it as text."""
    try:
        return checks.number(name, float(value) if isinstance(value, str) else value)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _annotated(completion: Row, name: str) -> float | None:
    rating = ((completion.get("annotations") or {}).get(name) or {}).get("Rating")
    return float(str(rating)) if str(rating).replace(".", "", 1).isdigit() else None  # "N/A" is common


def _answer(answer: Any, kind: str) -> Verdict:
    """What is right of a gold item: "a", "b", "tie", a rating, ranks, or a verdict's fields."""
    if isinstance(answer, Mapping):
        return _verdict(answer)
    if kind == "pair":
        return Verdict(_tag(answer))
    return Verdict(rating=_float(answer, "answer")) if kind == "rating" else Verdict(ranks=tuple(answer))


def _verdict(fields: Row) -> Verdict:
    names = ("choice", "strength", "rating", "margin", "comment")
    known = {name: fields[name] for name in names if fields.get(name) is not None}
    criteria = {name: tuple(values) for name, values in (fields.get("criteria") or {}).items()}
    return Verdict(**known, ranks=tuple(fields.get("ranks") or ()), criteria=criteria)


def _judged(key: str, one: Row) -> Judged:
    return Judged(
        key,
        _verdict(one),
        rater=_rater(one),
        shown=tuple(one.get("shown") or ()),
        seconds=one.get("seconds"),
        time=one.get("time"),
        simulated=bool(one.get("simulated", False)),
    )
