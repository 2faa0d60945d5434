"""Baselines that learn nothing, in a policy's place for `textgym evaluate`: what a score is worth is seen beside them.

    random       every token drawn alike from those a policy may say, until the end of turn is drawn
    lead-3       the first three sentences of the document (Summarize)
    reference    the task's own answer: the program's where it has one, else the record's reference

The fourth, greedy decoding, is the policy itself: `textgym evaluate embedded --greedy`. They are under `evaluate` and
not under `train`, because nothing is trained, and because the same table, the same JSON and (with --run) the same
folder come out as for a policy.

    textgym evaluate lead-3 --env textgym/Summarize-v0
    textgym evaluate random --env textgym/Translate-v0 --run runs/random
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from textgym import checks
from textgym.models.tokenizer import ChatTokenizer
from textgym.progress import Report, no_report
from textgym.seeding import derive_seeds
from textgym.tasks.records import Recorded
from textgym.types import Message, Transcript

from .evaluate import Evaluation, evaluate_chunks
from .rollout import Rollout, collect_rollout, row_info

NAMES = ("random", "lead-N", "reference")
SENTENCE_END = re.compile(r"[.!?][\"'”’)]*(?=\s)")  # "Dr. Who" ends one too: abbreviations are not known here

Speaker = Callable[[Transcript, np.random.Generator], list[int]]  # token ids of the next turn


class Baseline(NamedTuple):
    """A baseline by the name that a command line gives it."""

    name: str
    kind: str  # "random", "lead" or "reference"
    sentences: int = 0  # of lead-N

    @property
    def described(self) -> str:
        """What is said, for a title."""
        own = {"random": "tokens drawn alike", "reference": "the task's own answers"}
        return own.get(self.kind, f"the document's first {self.sentences} sentences")


def find_baseline(name: str) -> Baseline | None:
    """The baseline of a name; None where it is none.

    Raises:
        ValueError: "lead" without a number of sentences, or a name that is all but one.
    """
    if name in ("random", "reference"):
        return Baseline(name, name)
    if not re.fullmatch(r"lead(-.{0,8})?", name):
        if meant := checks.hint(name, ("random", "lead-3", "reference"), cutoff=0.8):
            raise ValueError(f"policy={name!r} is no folder here{meant}")
        return None
    number = name.removeprefix("lead").removeprefix("-")
    if not (number.isascii() and number.isdigit() and int(number)):
        raise ValueError(f"a lead baseline must be named lead-N, of N sentences and at least 1, got {name!r}")
    return Baseline(name, "lead", int(number))


def lead(text: str, sentences: int) -> str:
    """The first sentences of a text as they stand there, or all of it where it has fewer."""
    ends = [match.end() for match in SENTENCE_END.finditer(text.strip())]
    return text.strip()[: ends[sentences - 1]] if len(ends) >= sentences else text.strip()


def make_speaker(baseline: Baseline, core: Any, tokenizer: ChatTokenizer) -> Speaker:
    """What says the baseline's turns in an env.

    Raises:
        ValueError: the env has no document to take sentences from, or its task has no answers.
    """
    limit = core.max_new_tokens
    if baseline.kind == "random":
        allowed = np.flatnonzero(~tokenizer.control_mask)
        return lambda transcript, rng: _until(tokenizer.end_of_turn, rng.choice(allowed, limit).tolist())
    if baseline.kind == "reference":
        require_answers(core.task)
        return lambda transcript, rng: _as_turn(tokenizer, answer(core.task, transcript, rng), limit)
    if core.task.name != "summarize":
        raise ValueError(
            f"{baseline.name} takes sentences of a document, which only textgym/Summarize-v0 has, got the task "
            f"{core.task.name!r}"
        )
    return lambda transcript, rng: _as_turn(tokenizer, lead(transcript.prompt[-1].content, baseline.sentences), limit)


def require_answers(task: Any) -> None:
    """Raises ValueError where a task's examples have nothing that could be said."""
    example = task[0]
    if not (callable(getattr(task, "answer", None)) or example.references or isinstance(example.meta, Recorded)):
        raise ValueError(f"reference needs a task with answers, and the records of {task.name!r} have no reference")


def answer(task: Any, transcript: Transcript, rng: np.random.Generator) -> str:
    """What the task itself says next: its program, the recorded assistant at this turn, or the first reference."""
    if callable(getattr(task, "answer", None)):
        return str(task.answer(transcript, rng))
    turn = len(transcript.responses)
    said = transcript.meta.answers if isinstance(transcript.meta, Recorded) else tuple(transcript.references)[:1]
    return said[turn] if turn < len(said) else ""


def play_baseline(
    baseline: Baseline, env: Any, tokenizer: ChatTokenizer, index: np.ndarray, seeds: Sequence[int]
) -> Rollout:
    """Plays each example once to its end, as `rollout.play` does for a policy.

    Args:
        env: a native vector env made with `autoreset_mode="Disabled"` and a row for each example.
        seeds: one a row; they seed the simulated users and what is drawn.
    """
    core = env.unwrapped
    speak = make_speaker(baseline, core, tokenizer)
    generators = [np.random.default_rng([seed, 14]) for seed in seeds]
    obs, begun = env.reset(seed=list(seeds), options={"index": np.asarray(index)})
    prompts = [row[row >= 0].tolist() for row in obs]
    talks = {row: [Message(**m) for m in begun["messages"][row]] for row in range(len(index))}
    starts = {row: len(talk) for row, talk in talks.items()}
    records: list[dict[str, Any]] = [{} for _ in index]
    while talks:
        said = {}
        for row, talk in talks.items():
            example = core.task[int(index[row])]
            told = Transcript(tuple(talk), example.references, example.meta, None, starts[row])
            said[row] = speak(told, generators[row])
        obs, _, terminated, _, infos = core.respond(said)
        told_of = {row: row_info(infos, row) for row in talks}
        for row in [row for row in talks if terminated[row]]:
            records[row] = told_of[row] | {"tokens": obs[row][obs[row] >= 0]}
            del talks[row]
        talks = {row: [Message(**m) for m in told_of[row]["messages"]] for row in talks}
    return collect_rollout(
        records, prompts, [[] for _ in index], np.asarray(index), begun["prompt_tokens_cut"], tokenizer
    )


def evaluate_baseline(
    baseline: Baseline,
    tokenizer: ChatTokenizer,
    make_env: Callable[[int], Any],
    *,
    num_prompts: int,
    seed: int,
    report: Report = no_report,
) -> Evaluation:
    """On the prompts and with the users that `evaluate` has for a policy with this seed."""

    def play_chunk(env: Any, start: int, size: int) -> Rollout:
        seeds = derive_seeds(seed, size, start, 7)
        return play_baseline(baseline, env, tokenizer, np.arange(start, start + size), seeds)

    return evaluate_chunks(play_chunk, make_env, num_prompts, 1.0, report)


def _as_turn(tokenizer: ChatTokenizer, text: str, limit: int) -> list[int]:
    """A text as a whole turn, cut as an env cuts it: without end-of-turn at the limit."""
    ids = tokenizer.encode(text)
    return ids[:limit] if len(ids) >= limit else [*ids, tokenizer.end_of_turn]


def _until(end_of_turn: int, ids: list[int]) -> list[int]:
    return ids[: ids.index(end_of_turn) + 1] if end_of_turn in ids else ids
