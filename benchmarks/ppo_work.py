"""The work that benchmarks/ppo_iteration.py gives to each side: sizes, weights, prompts, and what they cost at least.

Nothing of textgym is imported: the peer's interpreter need not have it.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PHASES = ("generation", "scoring", "passes", "update")
EPOCHS = 4
TRL = "TRL"


@dataclass(frozen=True)
class Size:
    """A shape of all four models, and of the batch."""

    kind: str  # "gpt2" or "qwen2"
    layers: int
    width: int
    heads: int
    key_heads: int
    inner: int  # width of the MLP
    vocabulary: int
    responses: int  # in an iteration
    prompt_tokens: int
    new_tokens: int

    @property
    def matrices(self) -> int:
        """Weights in one trunk's matrices, each of which multiplies every token once."""
        keys = 2 * self.width * self.width * self.key_heads // self.heads
        mlp = (3 if self.kind == "qwen2" else 2) * self.width * self.inner  # Qwen's is gated
        return self.layers * (2 * self.width**2 + keys + mlp)

    def config(self, **extra: Any) -> Any:
        """The transformers config of this shape."""
        from transformers import GPT2Config, Qwen2Config

        positions = self.prompt_tokens + self.new_tokens + 8
        shared: dict[str, Any] = {"vocab_size": self.vocabulary, "bos_token_id": None, **extra}
        if self.kind == "gpt2":
            shape: dict[str, Any] = {
                "n_layer": self.layers,
                "n_embd": self.width,
                "n_head": self.heads,
                "n_inner": self.inner,
            }
            return GPT2Config(n_positions=positions, **shape, **shared)
        return Qwen2Config(
            num_hidden_layers=self.layers,
            hidden_size=self.width,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_heads,
            intermediate_size=self.inner,
            max_position_embeddings=positions,
            tie_word_embeddings=True,
            **shared,
        )


SIZES = {
    "small": Size("gpt2", 2, 32, 2, 2, 128, 64, responses=8, prompt_tokens=8, new_tokens=6),
    "S": Size("gpt2", 4, 256, 4, 4, 1024, 2048, responses=64, prompt_tokens=64, new_tokens=48),
    "qwen0.5b": Size("qwen2", 24, 896, 14, 2, 4864, 151936, responses=512, prompt_tokens=256, new_tokens=128),
}


@dataclass(frozen=True)
class Row:
    """One way to run the iteration."""

    title: str
    critic: str  # "shared" or "separate"
    samples: int  # responses a prompt


ROWS = {
    "four-models": Row("ours, four separate models", "separate", 1),
    "shared": Row("ours, shared trunk (default)", "shared", 1),
    "shared-x4": Row("ours, shared trunk, 4 responses a prompt", "shared", 4),
    TRL: Row("TRL PPOTrainer, four separate models", "separate", 1),
}


# -- what all must compute -------------------------------------------------------------------------


def needed_flops(size: Size, row: Row) -> dict[str, float]:
    """Floating-point operations of each phase's matrix products: what any implementation must spend.

    Two an entry of a weight matrix and token, 4 · width a pair of tokens that attend; backward is twice
    forward. Prompts count once for all their responses, logits of the responses only, and old
    log-probabilities not at all, since sampling knows them.
    """
    n, p, t = size.responses, size.prompt_tokens, size.new_tokens
    prompts = n // row.samples
    tokens = prompts * p + n * t
    pairs = prompts * p * (p + 1) / 2 + n * (t * p + t * (t + 1) / 2)
    trunk = 2.0 * size.matrices * tokens + 4.0 * size.width * size.layers * pairs
    head = 2.0 * size.width * size.vocabulary * n * t
    critic = trunk if row.critic == "separate" else 0.0
    return {
        "generation": trunk + head,
        "scoring": trunk,
        "passes": trunk + head + trunk,  # the reference, and values
        "update": EPOCHS * 3 * (trunk + head + critic),
    }


def peak_flops(size: Size, device: str, dtype: str) -> float:
    """The best rate of matrix products of this size found here, FLOP/s, by any library at hand."""
    import torch

    kind = getattr(torch, dtype)
    n = size.responses * (size.prompt_tokens + size.new_tokens)
    best = 0.0
    for inputs, outputs in ((size.width, size.inner), (size.inner, size.width), (1024, 1024)):
        for rows in (size.responses, min(n, 2048), n):
            a = torch.ones(rows, inputs, dtype=kind, device=device)
            w = torch.ones(outputs, inputs, dtype=kind, device=device)
            for product in _products(a, w):
                best = max(best, 2 * rows * inputs * outputs / _best_seconds(product, device))
    return best


def _products(a: Any, w: Any) -> list[Callable[[], Any]]:
    import torch

    found: list[Callable[[], Any]] = [lambda: torch.nn.functional.linear(a, w)]
    is_single = a.device.type == "cpu" and a.dtype == torch.float32  # in bfloat16 `linear` is oneDNN's already
    if is_single and torch.backends.mkldnn.is_available():
        packed = torch.ops.mkldnn._reorder_linear_weight(w, len(a))
        found.append(lambda: torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], ""))
    return found


def _best_seconds(run: Callable[[], Any], device: str, tries: int = 10) -> float:
    import torch

    found = []
    with torch.inference_mode():
        for _ in range(tries):
            start = clock(device)
            run()
            found.append(clock(device) - start)
    return min(found)


def clock(device: str) -> float:
    """Seconds, once everything sent to the device is done."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
    return time.perf_counter()


def memory(device: str) -> dict[str, int]:
    """The most bytes that this process has held: resident, and on the GPU."""
    found = {"resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)}
    if device.startswith("cuda"):
        import torch

        found["cuda"] = torch.cuda.max_memory_allocated(device)
    return found


# -- the same work for both sides ------------------------------------------------------------------


def write_work(folder: Path, size: Size, seed: int = 0) -> None:
    """Policy, reward model, tokenizer and prompts, as every row reads them."""
    import numpy as np
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, PreTrainedTokenizerFast

    words = [*(f"w{i}" for i in range(size.vocabulary - 2)), "<pad>", "<end>"]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    template = "{% for m in messages %}{{ m['content'] }}{% if m['role'] == 'assistant' %}<end>{% endif %}{% endfor %}"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<end>", chat_template=template
    )
    special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(seed)  # transformers initialises from the global generator
    policy: Any = AutoModelForCausalLM
    reward: Any = AutoModelForSequenceClassification
    for name, kind, extra in (("policy", policy, {}), ("reward", reward, {"num_labels": 1})):
        kind.from_config(size.config(**special, **extra)).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    shape = (size.responses, size.prompt_tokens)
    prompts = np.random.default_rng(seed).integers(size.vocabulary - 2, size=shape)
    (folder / "prompts.json").write_text(json.dumps(prompts.tolist()))


class Line:
    """A child's side of the conversation with the process that times it: JSON, a line each way.

    What anything else prints goes to the standard error.
    """

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def say(self, **what: Any) -> None:
        self._out.write(json.dumps(what) + "\n")
        self._out.flush()

    def wait(self) -> bool:
        """Whether there is another iteration to run. Who waits gives unused memory of a GPU back to the others."""
        if torch := sys.modules.get("torch"):
            torch.cuda.empty_cache()  # nothing where there is no GPU
        return bool(sys.stdin.readline().strip())


def versions(*packages: str) -> dict[str, str]:
    from importlib.metadata import version

    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
