"""Tiny parts for tests: a tokenizer, random models, and two tasks that a reader can check by hand.

Nothing here needs the embedded assets or a network; every part takes milliseconds to build.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from textgym.models.tokenizer import ChatTokenizer
from textgym.types import Example, Goodbye, Judgement, Message, Scores, Transcript

SPECIALS = ("<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SENTENCES = (
    "The mayor opened the new bridge on Monday.",
    "A train to Bonn leaves at seven, and a room with a view costs ninety euros.",
    "Wie viel kostet das Zimmer? Die Brücke wurde am Montag eröffnet.",
    "Please repeat what I say, word by word, and nothing else.",
)


def tiny_hf_tokenizer(vocab_size: int = 320) -> Any:
    """A `transformers` tokenizer: byte-level BPE, 256 bytes, the specials and a few merges."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>"],
        chat_template=TEMPLATE,
    )


@cache
def tiny_tokenizer() -> ChatTokenizer:
    return ChatTokenizer(tiny_hf_tokenizer())


def save_tiny_tokenizer(folder: Path) -> str:
    """Writes the tokenizer as a Hugging Face folder, for `tokenizer=` as a string."""
    tiny_hf_tokenizer().save_pretrained(folder)
    return str(folder)


def tiny_config(seed: int = 0, **changes: Any) -> Any:
    """A Llama shape of some ten thousand parameters; `changes` go to `LlamaConfig`."""
    import torch
    from transformers import LlamaConfig

    tokenizer = tiny_tokenizer()
    torch.manual_seed(seed)  # transformers initialises from the global generator
    shape: dict[str, Any] = {
        "vocab_size": tokenizer.vocab_size,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "pad_token_id": tokenizer.pad,
        "eos_token_id": tokenizer.end_of_turn,
        "bos_token_id": None,
    }
    return LlamaConfig(**{**shape, **changes})


def tiny_policy(seed: int = 0, **changes: Any) -> Any:
    """A random `LlamaForCausalLM` over the tiny tokenizer."""
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM(tiny_config(seed, **changes)).eval()


def tiny_reward(folder: Path, kind: str = "token", seed: int = 0, **changes: Any) -> str:
    """A folder with a random reward model and its tokenizer.

    Args:
        folder: where it is written.
        kind: "token" (AutoModelForTokenClassification) or "sequence" (…ForSequenceClassification),
            one label each.
    """
    from transformers import LlamaForSequenceClassification, LlamaForTokenClassification

    model_class = {"token": LlamaForTokenClassification, "sequence": LlamaForSequenceClassification}[kind]
    model_class(tiny_config(seed, num_labels=1, **changes)).eval().save_pretrained(folder)
    tiny_hf_tokenizer().save_pretrained(folder)
    return str(folder)


class EchoTask:
    """One turn: repeat what you are told. Gold is the share of words that are right."""

    name = "echo"

    def __init__(self, size: int = 97) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Example:
        words = [f"w{(index * 31 + 7 * k) % 89}" for k in range(2 + index % 7)]
        text = " ".join(words)
        return Example((Message("system", "Repeat."), Message("user", text)), (text,), {"words": words})

    def judge(self, transcript: Transcript) -> Judgement:
        words, said = transcript.meta["words"], transcript.response.split()
        right = sum(a == b for a, b in zip(words, said, strict=False)) / len(words)
        exact = float(words == said)
        return Judgement((right + exact) / 2, {"right": right, "exact": exact})


class CountTask(EchoTask):
    """A conversation: the user names numbers until they hear "stop"; gold is how soon.

    Says goodbye when a response holds "stop", leaves without a word at "leave".
    """

    name = "count"

    def reply(self, transcript: Transcript, rng: np.random.Generator) -> str | None:
        if "leave" in transcript.response:
            return None
        if "stop" in transcript.response:
            return Goodbye("Bye.")
        return f"number {int(rng.integers(1000))} <|end|>"

    def judge(self, transcript: Transcript) -> Judgement:
        turns = len(transcript.responses)
        return Judgement(float("stop" in transcript.response) / turns, {"turns": float(turns)})


class Counted:
    """A reward that notes its calls: the size of each batch, and all transcripts."""

    def __init__(self, function: Callable[[Transcript], float] | None = None) -> None:
        self.function = function or hash_score
        self.batches: list[int] = []
        self.transcripts: list[Transcript] = []

    def score(self, transcripts: Sequence[Transcript]) -> np.ndarray | Scores:
        self.batches.append(len(transcripts))
        self.transcripts.extend(transcripts)
        values = np.array([self.function(t) for t in transcripts], dtype=np.float32)
        return Scores(values, {"half": values / 2})


def hash_score(transcript: Transcript) -> float:
    """A number that any change of the transcript changes, the same in every process."""
    total = 17 * len(transcript.messages) + {"eot": 1, "length": 2, "turns": 3, "task": 4}[transcript.ending or "eot"]
    for k, message in enumerate(transcript.messages):
        total += sum((k + 1) * (i + 3) * ord(c) for i, c in enumerate(message.role + message.content))
    return float(total % 10007) / 10007 - 0.5
