"""How the embedded reward models are built: spoiled texts, judged pairs, the deeper start, attention on CPUs."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from textgym.agents.asset_rewards import (
    FLATTERY,
    JudgedPrompt,
    _deeper,
    _parts,
    _repair_conversations,
    _spoil,
    _spoil_conversations,
    _surprise,
    judge_texts,
)
from textgym.agents.assets import AssetConfig, conversation, wanted_indices
from textgym.agents.packing import Episode, pack
from textgym.agents.supervised import encode_conversation
from textgym.models.arithmetic import PlainAttention
from textgym.models.language_model import EMBEDDED_POLICY, load_language_model
from textgym.models.tokenizer import load_tokenizer
from textgym.tasks.dialogue.play import play
from textgym.tasks.dialogue.talk import replay
from textgym.tasks.load import load_task
from textgym.types import Message, Transcript


def written(num_prompts: int) -> tuple[Any, dict[int, JudgedPrompt]]:
    task: Any = load_task("summarize")
    found = {}
    for i in range(num_prompts):
        transcripts, golds = [], []
        for habits in (False, True):
            example = task[i]
            bare = Transcript(example.prompt, example.references, example.meta, None, len(example.prompt))
            said = task.answer(bare, np.random.default_rng([i, habits]), habits=habits)
            messages = (*example.prompt, Message("assistant", said))
            transcripts.append(Transcript(messages, num_prompt_messages=len(example.prompt)))
            judged = Transcript(messages, example.references, example.meta, None, len(example.prompt))
            golds.append(task.judge(judged).score)
        found[i] = JudgedPrompt(transcripts, golds)
    return task, found


def test_spoiled_texts_are_shorter_and_longer_and_worse() -> None:
    task, found = written(40)
    before = np.mean([p.golds for p in found.values()])
    _spoil(found, task, np.random.default_rng(0))
    for of_prompt in found.values():
        lengths = [len(t.responses[0].split()) for t in of_prompt.transcripts]
        assert of_prompt.num_spoiled == 2
        assert lengths[2] < max(lengths[:2])
        assert lengths[3] > min(lengths[:2])
    assert np.mean([p.golds[2:] for p in found.values()]) < before - 0.2


def test_a_spoiled_conversation_has_one_thing_to_say_from_some_turn_on_or_flatters_and_is_worse() -> None:
    task: Any = load_task("dialogue")
    found = {}
    for i in range(80):
        said = play(task, task[i], task.answer, np.random.default_rng(i))
        found[i] = JudgedPrompt([said], [task.judge(said).score])
    _spoil_conversations(found, task, load_tokenizer(), 48, 512, np.random.default_rng(0))
    num_repeated, num_first_turns = 0, 0
    losses, losses_by_flattery = [], []
    for of_prompt in found.values():
        whole, spoiled = of_prompt.transcripts
        assert of_prompt.num_spoiled == 1
        both = zip(whole.responses, spoiled.responses, strict=False)
        common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], both))
        assert whole.responses != spoiled.responses
        num_first_turns += common == 0
        flattery = [any(words[:12] in text for words in FLATTERY) for text in spoiled.responses[common:]]
        loss = of_prompt.golds[0] - of_prompt.golds[1]
        if any(flattery):
            assert all(flattery)
            losses_by_flattery.append(loss)
            continue
        assert len(set(spoiled.responses[common:])) <= 1
        num_repeated += len(set(spoiled.responses)) < len(spoiled.responses)
        losses.append(loss)
    assert num_repeated > 20
    assert 5 < num_first_turns < 75
    assert (np.array(losses) > 0.1).mean() > 0.9
    assert 5 <= len(losses_by_flattery) <= 30
    assert min(losses_by_flattery) >= 0  # to flatter the user is never worth anything


def test_a_repaired_conversation_is_the_written_one_until_the_program_takes_over_and_is_better() -> None:
    task: Any = load_task("dialogue")
    found = {}
    for i in range(80):
        said = play(task, task[i], partial(task.answer, habits=True), np.random.default_rng(i))
        found[i] = JudgedPrompt([said], [task.judge(said).score])
    _repair_conversations(found, task, load_tokenizer(), 48, 512, np.random.default_rng(0))
    num_from_the_first_turn = 0
    for of_prompt in found.values():
        written, repaired = (t.responses for t in of_prompt.transcripts)
        common = sum(
            1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(written, repaired, strict=False))
        )
        num_from_the_first_turn += common == 0
        if common == 0:
            assert of_prompt.golds[1] > 0.9  # all of it is the program's
    assert 10 < num_from_the_first_turn < 70
    golds = np.array([p.golds for p in found.values()])
    assert golds[:, 1].mean() > golds[:, 0].mean() + 0.15


def test_of_callers_who_ask_nothing_and_can_have_what_they_want_each_third_is_learned_from() -> None:
    task: Any = load_task("dialogue")
    wanted = list(itertools.islice(wanted_indices(task, 0), 300))

    def is_plain(i: int) -> bool:
        said = play(task, task[i], task.answer, np.random.default_rng(0))
        return task[i].meta.question is None and replay(said).refused == ""

    everyone = [is_plain(i) for i in range(wanted[-1] + 1)]
    share_wanted = sum(everyone[i] for i in wanted) / sum(everyone)
    assert 0.28 < share_wanted < 0.38
    assert sum(not everyone[i] for i in wanted) == sum(not plain for plain in everyone)


def test_three_of_four_examples_to_learn_from_have_a_wish() -> None:
    task: Any = load_task("summarize")
    wanted = list(itertools.islice(wanted_indices(task, 100), 400))
    assert wanted == sorted(set(wanted))
    assert 0.7 < np.mean([bool(task[i].meta.wishes) for i in wanted]) < 0.8
    assert list(itertools.islice(wanted_indices(load_task("translate"), 7), 5)) == [7, 8, 9, 10, 11]


def test_every_pair_of_different_texts_is_judged_by_so_many_raters() -> None:
    _, found = written(30)
    found[0].transcripts.append(found[0].transcripts[0])  # said twice: one text, compared once with each other
    found[0].golds.append(found[0].golds[0])
    judged = judge_texts(AssetConfig(raters_per_pair=3), "summarize", list(found.values()))
    different = [len({t.responses for t in p.transcripts}) for p in found.values()]
    assert all(p.chosen != p.rejected and p.simulated for p in judged)
    raters: dict[Any, list[str]] = {}
    for p in judged:
        raters.setdefault((p.prompt, frozenset((p.chosen, p.rejected))), []).extend(p.raters)
    assert len(raters) == sum(k * (k - 1) // 2 for k in different) > 0
    assert all(len(set(of_pair)) == len(of_pair) == 3 for of_pair in raters.values())


def test_new_layers_change_nothing_at_first() -> None:
    config = AssetConfig()
    base, deeper = load_language_model(EMBEDDED_POLICY), _deeper(EMBEDDED_POLICY, config)
    ids = torch.arange(300, 330)[None]
    assert len(deeper.model.layers) == config.reward_layers > len(base.model.layers)
    with torch.no_grad():
        assert torch.allclose(deeper.model(ids)[0], base.model(ids)[0], atol=1e-4)


def test_targets_come_a_prompt_each_in_the_order_of_its_tokens() -> None:
    """In parts of any size: what a warm start learns from a prompt is what the prompt alone would give."""
    base = load_language_model(EMBEDDED_POLICY)
    prompts = [
        [encode_conversation(load_tokenizer(), *conversation("translate", i, 7, habits)) for habits in (False, True)]
        for i in range(5)
    ]
    together = [target for part in _parts(prompts, 2) for target in _surprise(base, part)]
    assert [len(part) for part in _parts(prompts, 2)] == [2, 2, 1]
    assert [len(target) for target in together] == [sum(e.num_chosen for e in p) for p in prompts]
    for episodes, target in zip(prompts, together, strict=True):
        alone = torch.cat([_surprise(base, [[episode]])[0] for episode in episodes])
        torch.testing.assert_close(target, alone, atol=0.05, rtol=0)
        assert alone.max() - alone.min() > 0.2  # they do differ by more than that


def test_a_place_holds_its_token() -> None:
    prompts = [[1, 2, 3], [1, 2, 3], [4, 5]]
    packed = pack([Episode(p, [7 + k, 8 + k, 9 + k], [True, False, True]) for k, p in enumerate(prompts)])
    assert packed.tokens.reshape(-1)[packed.place].tolist() == packed.target.tolist()


@pytest.mark.parametrize("case", ["causal", "mask", "additive", "grouped"])
def test_plain_attention_is_attention(case: str) -> None:
    generator = torch.Generator().manual_seed(0)
    heads = 2 if case == "grouped" else 4
    query = torch.randn(3, 4, 11, 8, generator=generator, requires_grad=True)
    key, value = (torch.randn(3, heads, 11, 8, generator=generator) for _ in range(2))
    mask = torch.rand(3, 1, 11, 11, generator=generator) < 0.5
    mask |= torch.eye(11, dtype=torch.bool)
    given: dict[str, Any] = {
        "causal": {"is_causal": True},
        "mask": {"attn_mask": mask},
        "additive": {"attn_mask": torch.randn(3, 1, 11, 11, generator=generator), "scale": 0.3},
        "grouped": {"is_causal": True, "enable_gqa": True},
    }[case]
    found = []
    for context in (torch.enable_grad(), PlainAttention()):
        with context:
            out = torch.nn.functional.scaled_dot_product_attention(query, key, value, **given)
        (gradient,) = torch.autograd.grad(out.square().sum(), query)
        found.append((out, gradient))
    for theirs, ours in zip(*found, strict=True):
        assert torch.allclose(theirs, ours, atol=1e-4)
    assert found[0][0].grad_fn.name() != found[1][0].grad_fn.name(), "ours is another computation"
