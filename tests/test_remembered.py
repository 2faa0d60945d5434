"""What is remembered or put off for speed changes nothing: token ids of words, states of conversations, references."""

from __future__ import annotations

import copy
import pickle
import random

import numpy as np
import pytest

from textgym.models.tokenizer import ChatTokenizer, load_tokenizer
from textgym.tasks.dialogue import talk as talk_module
from textgym.tasks.dialogue.task import DialogueTask
from textgym.tasks.load import load_task
from textgym.types import Example, LazyReferences, Message, Transcript

WORLDS = ("summarize", "translate", "dialogue")
# Everything at which a pre-tokenizer divides or does not: blanks of all kinds, digits, contractions, control tokens.
PIECES = (
    *("a", "B", "the", "house", "é", "ß", "日本", "1", "23", "4,500", "x" * 40),
    *(".", "'s", "n't", "’", "-", "--", "!?", "😀"),
    *("  ", " ", " ", " ", " ", "\n", "\t", "\u00a0", "\u2028", "\u3000", "\x1c", "\x85", "\u200b", "\u0301"),
    *("<|end|>", "<|user|>", "\ud800"),
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> ChatTokenizer:
    return load_tokenizer("embedded")


def test_words_put_together_are_the_text_encoded_whole(tokenizer: ChatTokenizer) -> None:
    assert tokenizer._divides_at_blanks
    draw = random.Random(0)
    texts = ["".join(draw.choice(PIECES) for _ in range(draw.randrange(14))) for _ in range(2000)]
    for world in WORLDS:
        task = load_task(world, split="test", data_seed=1)
        texts += [message.content for i in range(40) for message in task[i].prompt]
    for text in (*texts, *texts):  # the second time everything is known
        assert tokenizer.encode(text) == tokenizer._encode_whole([text])[0], text


def test_remembered_words_are_bounded_and_forgotten_together(
    tokenizer: ChatTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textgym.models.tokenizer._MAX_WORDS", 50)
    for i in range(300):
        text = f"word{i} and other{i} words"
        assert tokenizer.encode(text) == tokenizer._encode_whole([text])[0]
    assert len(tokenizer._words) + len(tokenizer._first_words) <= 50 + 4


def test_remembered_states_are_those_of_a_replay() -> None:
    task = DialogueTask("test", data_seed=2)
    for i in range(60):
        example, rng = task[i], np.random.default_rng(i)
        messages = list(example.prompt)
        for turn in range(5):
            so_far = Transcript(tuple(messages), meta=example.meta, num_prompt_messages=2)
            messages.append(Message("assistant", task.answer(so_far, rng, habits=turn % 2 == 0)))
            said = Transcript(tuple(messages), meta=example.meta, num_prompt_messages=2)
            seed = int(rng.integers(2**31))
            remembered = task.reply(said, np.random.default_rng(seed)), task.judge(said), task.understand(said)
            talk_module._STATES.clear()
            again = task.reply(said, np.random.default_rng(seed)), task.judge(said), task.understand(said)
            assert remembered == again
            messages.append(Message("user", str(again[0])))


def test_a_changed_history_is_not_mistaken_for_the_remembered_one() -> None:
    task = DialogueTask("test", data_seed=2)
    example, rng = task[3], np.random.default_rng(0)
    good = task.answer(Transcript(example.prompt, meta=example.meta), rng)
    for said in ((good,), ("What?",), (good, "What?"), ("What?", good)):
        messages = (*example.prompt, *(m for text in said for m in (Message("assistant", text), Message("user", "…"))))
        transcript = Transcript(messages, meta=example.meta, num_prompt_messages=2)
        state = talk_module.replay(transcript)
        talk_module._STATES.clear()
        assert state == talk_module.replay(transcript)
        state.told.clear()  # a state that was handed out is its receiver's
        state.acts.append(("x", None))
        assert state != talk_module.replay(transcript)


@pytest.mark.parametrize("world", WORLDS)
def test_references_are_written_once_and_only_when_asked_for(world: str) -> None:
    example = load_task(world, split="test", data_seed=1)[5]
    lazy = example.references
    assert isinstance(lazy, LazyReferences)
    transcript = Transcript((*example.prompt, Message("assistant", "x")), lazy, example.meta)
    assert lazy._write is not None  # nobody has looked yet
    assert transcript.references == tuple(lazy)
    assert len(lazy) >= 1
    assert lazy._write is None
    again = load_task(world, split="test", data_seed=1)[5]
    assert again == example
    assert tuple(lazy) == again.references
    assert hash(lazy) == hash(tuple(lazy))
    assert copy.deepcopy(example) == example
    assert pickle.loads(pickle.dumps(example)) == example
    assert Example(example.prompt, tuple(lazy), example.meta) == again
