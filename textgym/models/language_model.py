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

from textgym.models.arithmetic import last_states
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
    with no_bars():
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
    window = _attention_window(model.config.get_text_config())
    if context_length is not None and window is not None and context_length > window:
        raise ValueError(
            f"context_length must be at most the {window} tokens that the policy's layers look back, "
            f"got {context_length}"
        )
    require_split(model)


def _attention_window(config: Any) -> int | None:
    """How far the layer that looks back least can see; None: all of them see everything."""
    if getattr(config, "use_sliding_window", True) and getattr(config, "sliding_window", None):
        kinds = getattr(config, "layer_types", None)
        if kinds is None or "sliding_attention" in kinds:
            return int(config.sliding_window)
    if "local" in str(getattr(config, "attention_types", "")):  # GPT-Neo
        return int(config.window_size)
    return None


@torch.no_grad()
def require_split(model: Any) -> None:
    """Raises ValueError where trunk and head, called apart, do not say what the whole model says.

    Tried on a few tokens, two continuations of a prompt packed into one row, rather than told by the model's name:
    heads that scale, positions that are no ids, recurrent states.
    """
    device, size = next(model.parameters()).device, model.get_input_embeddings().weight.shape[0]
    told = [k % size for k in (3, 7, 5, 11, 2, 9)]
    prompt, ways = told[:2], (told[2:4], told[4:])
    try:
        rows = [model(input_ids=torch.tensor([prompt + way], device=device)).logits[0, 1:].float() for way in ways]
        branch = torch.tensor([0, 0, 1, 1, 2, 2])
        mask = (branch[:, None] == branch) | (branch == 0)
        mask = (mask & torch.ones(6, 6, dtype=torch.bool).tril()).to(device)[None, None]
        places = torch.tensor([[0, 1, 2, 3, 2, 3]], device=device)
        logits = head(model, trunk(model, torch.tensor([told], device=device), places, mask))[0]
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        why = str(error).partition("\n")[0]
        raise ValueError(f"policy of the kind {type(model).__name__} is not supported: {why:.200}") from error
    packed = logits[[1, 2, 3]], logits[[1, 4, 5]]
    off = max(float((a - b).abs().max()) for a, b in zip(packed, rows, strict=True))
    spread = max(1.0, float(rows[0].abs().max()))
    if not off <= (1e-3 if rows[0].dtype == next(model.parameters()).dtype else 0.1) * spread:
        raise ValueError(
            f"policy of the kind {type(model).__name__} is not supported: packed texts get logits that are off by "
            f"{off:.2g}, as where positions are no ids (ALiBi) or states are recurrent"
        )


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
    if cache is None:
        return last_states(model.base_model, tokens, position_ids, mask)
    model_class: Any = type(model.base_model)
    output = model.base_model(
        input_ids=tokens,
        position_ids=position_ids,
        attention_mask=mask,
        use_cache=True,
        **{_cache_argument(model_class): cache},
    )
    return output.last_hidden_state


@lru_cache
def _cache_argument(model_class: Any) -> str:
    """What the model calls its cache: transformers 5.24 renamed `past_key_values`."""
    return "cache" if "cache" in inspect.signature(model_class.forward).parameters else "past_key_values"


def head(model: Any, hidden: Tensor) -> Tensor:
    """Float32 logits of hidden states, (…, H) -> (…, V)."""
    logits = model.get_output_embeddings()(hidden).float()
    config = model.config.get_text_config()
    scale = getattr(config, "logit_scale", None)  # Cohere
    if scale is not None:
        logits = logits * scale
    divisor = getattr(config, "logits_scaling", None)  # Granite
    if divisor is not None:
        logits = logits / divisor
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma 2
    if cap is not None:
        logits = torch.tanh(logits / cap) * cap
    return logits


def forbidden_tokens(model: Any, tokenizer: ChatTokenizer) -> Tensor:
    """(V,) bool, True for ids that a policy never samples: control tokens, and logits beyond the tokenizer."""
    width = model.get_output_embeddings().weight.shape[0]
    mask = torch.ones(width, dtype=torch.bool)
    mask[: tokenizer.vocab_size] = torch.from_numpy(tokenizer.control_mask)
    return mask.to(next(model.parameters()).device)
