"""Loading and saving a causal language model, and running its trunk and its head apart.

Rollouts and losses need logits at a few positions only, so the trunk (hidden states) and the
head (logits) are two calls here. Works with what loads as `AutoModelForCausalLM` and keeps
`base_model` and `get_output_embeddings()` (Llama, Qwen2, GPT-2, GPT-NeoX, Gemma, …).
Left out: encoder-decoders, and generation with sliding-window or recurrent state.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from textgym.models.places import find_model, says_what_failed
from textgym.models.tokenizer import ChatTokenizer

EMBEDDED_POLICY = Path(__file__).parent.parent / "assets" / "policy"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@contextlib.contextmanager
def no_bars() -> Iterator[None]:
    """Without the bars that transformers draws while it loads or saves weights; its warnings stay."""
    from transformers.utils import logging

    has_bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if has_bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """No progress bars and no warnings of transformers, e.g. of a head that is new on purpose; errors stay errors."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with no_bars():
            yield
    finally:
        logging.set_verbosity(verbosity)


def load_language_model(
    spec: Any = "embedded", device: str | torch.device = "cpu", dtype: str | torch.dtype = "float32"
) -> Any:
    """A causal language model with every dropout off, in evaluation mode.

    Args:
        spec: "embedded", a folder or hub name, or a loaded `transformers` model (moved, not copied).
        device: where its weights go.
        dtype: "float32", "bfloat16", "float16" or a torch dtype; transformers 5 would otherwise
            take the checkpoint's own.

    Raises:
        ValueError: nothing that loads, or an unknown dtype.
    """
    if isinstance(dtype, str):
        if dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {list(DTYPES)}, got {dtype!r}")
        dtype = DTYPES[dtype]
    if isinstance(spec, str | Path):
        from transformers import AutoModelForCausalLM

        place = find_model(EMBEDDED_POLICY if str(spec) == "embedded" else spec, "policy")
        what = f"policy={str(spec)!r} could not be loaded as a causal language model"
        with says_what_failed(what), quietly():
            auto: Any = AutoModelForCausalLM
            model, found = auto.from_pretrained(place.name, dtype=dtype, output_loading_info=True, **place.options)
        if any(a.endswith("Classification") for a in model.config.architectures or []):
            raise ValueError(f"policy={str(spec)!r} is a reward model ({model.config.architectures[0]}), no policy")
        if missing := sorted(found["missing_keys"]):
            raise ValueError(
                f"policy={str(spec)!r} lacks the weights {missing[:4]}{' …' if len(missing) > 4 else ''}: "
                "is it a whole causal language model? With random weights in their place its words would mean nothing"
            )
    elif hasattr(spec, "get_output_embeddings"):
        model = spec.to(dtype)
    else:
        raise TypeError(f"policy must be a name, a folder or a transformers model, got {type(spec).__name__}")
    turn_off_dropout(model)
    fuse_activations(model)
    placed: Any = model
    return placed.to(device).eval()


def save_language_model(model: Any, tokenizer: ChatTokenizer, folder: str | Path) -> None:
    """Writes a policy and its tokenizer as `from_pretrained` reads them, with the token that ends its turns.

    `model.generate` of what is loaded stops at that token, and `load_tokenizer` finds it again, whatever
    the checkpoint that the policy came from calls its end.
    """
    for config in (model.config.get_text_config(), getattr(model, "generation_config", None)):
        if config is not None:
            config.eos_token_id = tokenizer.end_of_turn
            config.pad_token_id = tokenizer.pad if config.pad_token_id is None else config.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save(folder)


def turn_off_dropout(model: torch.nn.Module) -> None:
    """Sets every dropout rate to zero, in modules and in the config, whatever mode comes later.

    A policy with dropout has no fixed probabilities: ratios of PPO would differ from 1 at once.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "dropout", "hidden_dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    config = getattr(model, "config", None)
    for name in list(vars(config) if config is not None else ()):
        if ("dropout" in name or name.endswith("pdrop")) and isinstance(getattr(config, name), float):
            setattr(config, name, 0.0)


def fuse_activations(model: torch.nn.Module) -> None:
    """Puts PyTorch's own tanh-GELU in the place of the eight operations that GPT-2's is written with."""
    for module in model.modules():
        for name, child in module.named_children():
            if type(child).__name__ == "NewGELUActivation":
                setattr(module, name, torch.nn.GELU(approximate="tanh"))


def require_fit(model: Any, tokenizer: ChatTokenizer, context_length: int | None = None) -> None:
    """Raises ValueError where the tokenizer's ids or the context do not fit the model."""
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.vocab_size > rows:
        raise ValueError(
            f"tokenizer does not fit the policy: it has {tokenizer.vocab_size} token ids, "
            f"the policy's vocabulary has {rows}"
        )
    limit = getattr(model.config, "max_position_embeddings", None)
    if context_length is not None and limit is not None and context_length > limit:
        raise ValueError(f"context_length must be at most the policy's {limit} positions, got {context_length}")


def trunk(
    model: Any, tokens: Tensor, position_ids: Tensor, mask: Tensor | None = None, cache: Any | None = None
) -> Tensor:
    """Last hidden states, (R, L, H).

    Args:
        tokens: (R, L) int64.
        position_ids: (R, L) int64; absolute positions of the tokens in their conversation.
        mask: (R, 1, L, S) bool, True where a query may look; None means causal, which needs no
            further mask with right padding (no real token sees what stands to its right).
        cache: a `KeyValueCache` that the keys and values are appended to.
    """
    if mask is not None and getattr(model.config, "_attn_implementation", "sdpa") != "sdpa":
        additive = torch.zeros(mask.shape, dtype=next(model.parameters()).dtype, device=mask.device)
        mask = additive.masked_fill_(~mask, torch.finfo(additive.dtype).min)
    model_class: Any = type(model.base_model)
    given: dict[str, Any] = {} if cache is None else {_cache_argument(model_class): cache}
    output = model.base_model(
        input_ids=tokens,
        position_ids=position_ids,
        attention_mask=mask,
        use_cache=cache is not None,
        **given,
    )
    return output.last_hidden_state


@lru_cache
def _cache_argument(model_class: Any) -> str:
    """What the model calls its cache: transformers 5.24 renamed `past_key_values`."""
    return "cache" if "cache" in inspect.signature(model_class.forward).parameters else "past_key_values"


def head(model: Any, hidden: Tensor) -> Tensor:
    """Float32 logits of hidden states, (…, H) -> (…, V)."""
    logits = model.get_output_embeddings()(hidden).float()
    scale = getattr(model.config, "logit_scale", None)  # Cohere
    if scale is not None:
        logits = logits * scale
    cap = getattr(model.config, "final_logit_softcapping", None)  # Gemma 2
    if cap is not None:
        logits = torch.tanh(logits / cap) * cap
    return logits


def forbidden_tokens(model: Any, tokenizer: ChatTokenizer) -> Tensor:
    """(V,) bool, True for ids that a policy never samples: control tokens, and logits beyond the tokenizer."""
    width = model.get_output_embeddings().weight.shape[0]
    mask = torch.ones(width, dtype=torch.bool)
    mask[: tokenizer.vocab_size] = torch.from_numpy(tokenizer.control_mask)
    return mask.to(next(model.parameters()).device)
