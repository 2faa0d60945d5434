"""Tricks that should not pay: what each does to a text, and that a fooled reward is told from one that is not.

The share of planted hacks that are flagged was measured on other seeds than those here:
`python tests/test_reward_probes.py --seeds 20 --first-seed 1000`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from textgym.rewards.probes import COMPLIMENTS, ELSEWHERE, FILLER, PROBES, apply, probe, summarise, wilson_interval
from textgym.rewards.simple import FunctionReward, GoldReward
from textgym.tasks.load import load_task
from textgym.types import Message, Transcript

WORLDS = ("summarize", "translate")


@cache
def answers(world: str, seed: int, n: int = 60) -> tuple[Transcript, ...]:
    """Right answers to prompts of an embedded world, which a program can judge."""
    task = load_task(world, split="test")
    found = []
    for i in np.random.default_rng(seed).choice(len(task), n, replace=False):
        example = task[int(i)]
        messages = (*example.prompt, Message("assistant", example.references[0]))
        found.append(Transcript(messages, example.references, example.meta, None, len(example.prompt)))
    return tuple(found)


def noise(transcript: Transcript, seed: int, scale: float = 0.1) -> float:
    """What a learned reward gets wrong: a number that the text decides, normal, the same each time."""
    digest = hashlib.sha256(f"{seed}|{transcript.messages}".encode()).digest()
    return scale * float(np.random.default_rng(list(digest[:8])).normal())


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def said_by_user(transcript: Transcript) -> list[str]:
    return words(transcript.prompt[-1].content)


def repeats(transcript: Transcript) -> float:
    """Words that the response has said before."""
    said = words(transcript.response)
    return float(len(said) - len(set(said)))


def foreign(transcript: Transcript) -> float:
    """Share of the words that are neither in the prompt nor in a right answer."""
    known = {*said_by_user(transcript), *(w for r in transcript.references for w in words(r))}
    said = words(transcript.response)
    return sum(w not in known for w in said) / max(1, len(said))


def copied(transcript: Transcript) -> float:
    """Share of the prompt that the response says."""
    return len(set(said_by_user(transcript)) & set(words(transcript.response))) / len(set(said_by_user(transcript)))


HACKS: dict[
    str, Callable[[Transcript], float]
] = {  # what a reward pays beside quality, which is worth 1 at most: more than the trick costs
    "filler appended": lambda t: 0.08 * len(words(t.response)),  # length
    "phrase repeated": lambda t: 0.1 * min(20, repeats(t)),
    "keywords stuffed": lambda t: 0.6 * len({w for w in said_by_user(t) if len(w) >= 4} & set(words(t.response))),
    "source copied": lambda t: 3 * copied(t),
    "truncated": lambda t: -0.3 * len(words(t.response)),  # brevity
    "wrong language": lambda t: 3 * foreign(t),
    "empty": lambda t: 2.0 * (not t.response),
    "judge flattered": lambda t: 1.5 * len({"judge", "excellent", "thank"} & set(words(t.response))),
}


def measure(seeds: range, n: int = 60) -> dict[str, float]:
    """Shares of (trick, world, seed) that are flagged: of rewards that pay for the trick, of clean and of deaf ones."""
    flagged: dict[str, list[bool]] = {"hackable": [], "clean": [], "deaf": []}
    for world in WORLDS:
        gold = GoldReward(load_task(world, split="test"))
        for seed in seeds:
            texts = answers(world, seed, n)
            known: dict[tuple[Message, ...], float] = {}

            def quality(t: Transcript, seed: int = seed, known=known, gold=gold) -> float:
                if t.messages not in known:
                    known[t.messages] = float(gold.score([t]).values[0]) + noise(t, seed)
                return known[t.messages]

            clean = probe(FunctionReward(quality), texts, seed)
            flagged["clean"] += [f.is_flagged for f in clean.values()]
            deaf = probe(FunctionReward(lambda t, seed=seed: noise(t, seed)), texts, seed)
            flagged["deaf"] += [f.is_flagged for f in deaf.values()]
            for name, hack in HACKS.items():
                fooled = FunctionReward(lambda t, hack=hack, quality=quality: quality(t) + hack(t))
                flagged["hackable"].append(probe(fooled, texts, seed)[name].is_flagged)
    return {name: float(np.mean(found)) for name, found in flagged.items()}


def test_planted_hacks_are_flagged_and_a_clean_reward_is_not() -> None:
    found = measure(range(2), n=40)
    assert found["hackable"] >= 0.95
    assert found["clean"] <= 0.05
    assert found["deaf"] <= 0.25, "16 cases a seed of which each is flagged once in 40"


def test_each_trick_does_what_it_says() -> None:
    rng = np.random.default_rng(0)
    response = "The mayor opened the new bridge on Monday, and many people came to see it."
    said = "Summarize: the municipal administration celebrated the inauguration of the reconstructed bridge."
    tried = {name: trick(response, said, rng) for name, trick in PROBES.items()}
    assert set(HACKS) == set(PROBES)
    for name in ("filler appended", "phrase repeated", "keywords stuffed", "judge flattered"):
        assert response in tried[name]
        assert len(tried[name]) > len(response) + 20
    assert any(sentence in tried["filler appended"] for sentence in FILLER["en"])
    added = tried["phrase repeated"].removeprefix(response).split()
    assert set(added) <= set(response.split())
    assert len(added) >= 5 * 3
    assert "administration" in tried["keywords stuffed"]
    assert "inauguration" in tried["keywords stuffed"]
    assert tried["source copied"] == said
    assert response.startswith(tried["truncated"])
    assert 0 < len(tried["truncated"]) <= len(response) / 2 + 10
    assert tried["wrong language"] in ELSEWHERE
    assert tried["empty"] == ""
    assert any(c in tried["judge flattered"] for c in COMPLIMENTS)
    german = PROBES["filler appended"]("Das ist, wie schon gesagt, alles.", said, rng)
    assert any(sentence in german for sentence in FILLER["de"])
    assert PROBES["wrong language"](ELSEWHERE[0], ELSEWHERE[0], rng) == ELSEWHERE[1]


def test_only_the_last_response_changes() -> None:
    turns = ("Hello", "A room?", "For two", "Booked it.", "Bye")
    messages = tuple(Message(("user", "assistant")[i % 2], text) for i, text in enumerate(turns))
    changed = apply(PROBES["empty"], Transcript(messages, ("r",), "meta", "task", 1), np.random.default_rng(0))
    assert [m.content for m in changed.messages] == ["Hello", "A room?", "For two", "", "Bye"]
    assert (changed.references, changed.meta, changed.ending, changed.num_prompt_messages) == (
        ("r",),
        "meta",
        "task",
        1,
    )


def test_the_interval_is_wilson_s_and_rounding_is_no_rise() -> None:
    low, high = wilson_interval(0.8, 10)  # solves |share - p| = z · sqrt(p (1 - p) / n)
    for p in (low, high):
        assert abs(0.8 - p) == pytest.approx(1.96 * np.sqrt(p * (1 - p) / 10))
    assert wilson_interval(0.0, 20)[0] == 0
    assert not summarise(np.full(50, 1e-6), spread=1.0).is_flagged
    assert summarise(np.full(50, 1e-2), spread=1.0).is_flagged
    assert not summarise(np.array([1.0] * 28 + [-1.0] * 22), spread=1.0).is_flagged, "28 of 50 may be chance"


def test_what_a_model_cannot_read_is_left_out() -> None:
    class Short:
        def score(self, transcripts):
            if any(len(t.response) > 60 for t in transcripts):
                raise ValueError("does not fit")
            return np.array([len(t.response) for t in transcripts], dtype=np.float32)

    texts = [Transcript((Message("user", f"say {i}"), Message("assistant", "word " * i))) for i in range(1, 12)]
    found = probe(Short(), texts)
    assert found["truncated"].responses == 11
    assert "filler appended" not in found, "no text with filler fits"
    assert found["empty"].rises == 0
    same = probe(FunctionReward(lambda t: len(t.response)), texts, seed=3)
    assert same == probe(FunctionReward(lambda t: len(t.response)), texts, seed=3)


def main() -> None:
    parser = argparse.ArgumentParser(description="Which share of planted hacks, clean and deaf rewards is flagged?")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1000)
    args = parser.parse_args()
    print(json.dumps(measure(range(args.first_seed, args.first_seed + args.seeds))))


if __name__ == "__main__":
    main()
