"""Builds the embedded assets: tokenizer, policy, one reward model a task, manifest.

    python -m agents assets            # writes textgym/assets, about an hour on two cores

From seeds and this file alone, in the order of any RLHF project:

1. a byte-level BPE over texts of the three worlds;
2. a base model, tuned on *good* answers: plain examples first, then whole ones. (Straight on
   whole documents a model of this size does not learn to copy names.)
3. the policy: the base tuned on answers with *habits*, faults that are a function of the
   content, so that greedy decoding has them too and there is something for RL to repair;
4. pairs of texts that the policy and the checkpoints on its way wrote, judged by simulated
   raters, and a reward model a task trained on them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textgym.models.tokenizer import ChatTokenizer
from textgym.tasks.load import load_task
from textgym.types import Message, Transcript

from .packing import Episode
from .supervised import SupervisedConfig, encode_conversation, tune

WORLDS = ("summarize", "translate", "dialogue")
ROLES = ("system", "user", "assistant")
SPECIALS = ("<|pad|>", *(f"<|{role}|>" for role in ROLES), "<|end|>")
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True)
class AssetConfig:
    """Sizes and seeds; the manifest repeats them."""

    seed: int = 0
    data_seed: int = 7  # examples of the assets' own, no run's default
    vocab_size: int = 2048
    tokenizer_examples: int = 6000  # a world
    hidden_size: int = 128
    intermediate_size: int = 384
    num_layers: int = 4
    num_heads: int = 4
    max_positions: int = 512
    initializer_range: float = 0.06
    copy_steps: int = 400
    simple_steps: int = 500
    whole_steps: int = 2400
    habit_steps: int = 400
    batch_size: int = 64
    learning_rate: float = 2.5e-3
    muon_learning_rate: float = 1e-2
    habit_learning_rate: float = 5e-4
    mixture: tuple[float, float, float] = (0.4, 0.3, 0.3)  # of a batch, by world


def build_tokenizer(config: AssetConfig) -> Any:
    """A byte-level BPE with single digits, so that every number is spelled from ten tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(config), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=[s for s in SPECIALS if s not in ("<|pad|>", "<|end|>")],
        chat_template=CHAT_TEMPLATE,
        model_max_length=config.max_positions,
        clean_up_tokenization_spaces=False,
    )


def _texts(config: AssetConfig) -> Iterator[str]:
    for world in WORLDS:
        for i in range(config.tokenizer_examples):
            for message in conversation(world, i, config.data_seed, habits=i % 4 == 0)[0]:
                yield message.content


_tasks: dict[tuple[str, int, bool], Any] = {}


def conversation(
    world: str, index: int, data_seed: int, habits: bool = False, simple: bool = False
) -> tuple[tuple[Message, ...], int]:
    """A demonstration: messages of a finished conversation, and how many of them are the prompt."""
    from textgym.types import Goodbye

    key = (world, data_seed, simple)
    if key not in _tasks:
        _tasks[key] = type(load_task(world))(split="train", data_seed=data_seed, simple=simple)
    task = _tasks[key]
    example = task[index]
    rng = np.random.default_rng([data_seed, index, habits])
    messages, p = example.prompt, len(example.prompt)
    for _ in range(6 if hasattr(task, "reply") else 1):
        transcript = Transcript(messages, example.references, example.meta, None, p)
        messages = (*messages, Message("assistant", task.answer(transcript, rng, habits=habits)))
        if not hasattr(task, "reply"):
            break
        said = task.reply(Transcript(messages, example.references, example.meta, None, p), rng)
        if said is None:
            break
        messages = (*messages, Message("user", said))
        if isinstance(said, Goodbye):
            break
    return messages, p


def demonstrations(config: AssetConfig, tokenizer: ChatTokenizer, stage: str, start: int) -> Iterator[list[Episode]]:
    """Endless batches for one stage ("simple", "whole" or "habits"), no example twice."""
    counts = [round(config.batch_size * share) for share in config.mixture]
    cursors = [start] * len(WORLDS)
    while True:
        batch = []
        for w, world in enumerate(WORLDS):
            for _ in range(counts[w]):
                messages, p = conversation(
                    world, cursors[w], config.data_seed, habits=stage == "habits", simple=stage == "simple"
                )
                batch.append(encode_conversation(tokenizer, messages, p))
                cursors[w] += 1
        yield batch


def new_model(config: AssetConfig, tokenizer: ChatTokenizer) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(config.seed)  # transformers initialises from the global generator
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_heads,
            max_position_embeddings=config.max_positions,
            initializer_range=config.initializer_range,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.end_of_turn,
            pad_token_id=tokenizer.pad,
        )
    )


def copies(config: AssetConfig, tokenizer: ChatTokenizer) -> Iterator[list[Episode]]:
    """Endless batches of random tokens said again from somewhere in the middle.

    Copying is what all three tasks need first; a few hundred steps of this, and names are copied
    from the first documents on.
    """
    rng = np.random.default_rng([config.seed, 1])
    opening = tokenizer.prompt_ids([Message("user", "")])
    first = len(SPECIALS) + 256
    while True:
        batch = []
        for _ in range(config.batch_size):
            ids = rng.integers(first, tokenizer.vocab_size, int(rng.integers(12, 48))).tolist()
            start = int(rng.integers(0, len(ids) // 2))
            said = [*ids[start:], tokenizer.end_of_turn]
            chosen = [False] + [True] * (len(said) - 1)  # where the copy begins cannot be known
            batch.append(Episode([opening[0], *ids, *opening[1:]], said, chosen))
        yield batch
