"""How the products of a training pass are computed: precision, attention and linear layers, by what is fast here.

PyTorch's modules call kernels that are made for large models. On a CPU, bfloat16 attention is faster
in two batched products, and on some processors float32 linear layers through oneDNN than through MKL. What is left is
bound by memory, operation after operation on the same numbers; `torch.compile` makes one of many. Everything is
a context around a pass; the model itself stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_compiles: ContextVar[bool] = ContextVar("compiles", default=False)


@contextlib.contextmanager
def arithmetic(
    device: torch.device, dtype: torch.dtype, onednn: bool = False, compiles: bool = False
) -> Iterator[None]:
    """Around trunk, head and their gradients: mixed precision, or float32 with oneDNN's linear layers if asked for.

    With `compiles` a `trunk` without a cache is a compiled one.
    """
    before = _compiles.set(compiles)
    try:
        with _kernels(device, dtype, onednn):
            yield
    finally:
        _compiles.reset(before)


@contextlib.contextmanager
def _kernels(device: torch.device, dtype: torch.dtype, onednn: bool) -> Iterator[None]:
    if dtype == torch.float32:
        with OneDNNLinear() if onednn and device.type == "cpu" else contextlib.nullcontext():
            yield
        return
    attention = PlainAttention() if device.type == "cpu" else contextlib.nullcontext()
    with torch.autocast(device.type, dtype=dtype), attention:
        yield


def last_states(base: Any, tokens: Tensor, position_ids: Tensor, mask: Tensor | None) -> Tensor:
    """(R, L, H) last hidden states of a trunk, (R, L) tokens -> compiled where `arithmetic` says so.

    A single row, or a single token a row, is left out: sizes of 1 are compiled for themselves, which costs more than
    such a pass ever saves.
    """
    if _compiles.get() and min(tokens.shape) > 1:
        return _compiled_states()(base, tokens, position_ids, mask)
    return _states(base, tokens, position_ids, mask)


def _states(base: Any, tokens: Tensor, position_ids: Tensor, mask: Tensor | None) -> Tensor:
    output = base(input_ids=tokens, position_ids=position_ids, attention_mask=mask, use_cache=False)
    states: Tensor = output.last_hidden_state
    return states


@lru_cache
def _compiled_states() -> Any:
    """One function for all trunks of a process: nothing hangs on a model, which is copied and saved as it always was.

    Trunks of one shape share what is compiled, a policy and its reference for example. Each shape is compiled for
    passes with and without gradients, with and without a mask.
    """
    return compiled(_states)


def compiled(function: Any) -> Any:
    """A function or a module whose passes are compiled, once for tensors of all sizes."""
    settings: Any = torch._dynamo.config
    settings.recompile_limit = max(settings.recompile_limit, 64)  # beyond it PyTorch would compile no more
    return torch.compile(function, dynamic=True)


def what_compiling_lacks(device: torch.device | str = "cpu") -> str | None:
    """What `torch.compile` needs on this device and does not find, for a message; None: it has all."""
    if torch.device(device).type == "cuda":
        return None if find_spec("triton") else "Triton (the package triton), which is not installed"
    if torch.device(device).type != "cpu":
        return f"a CPU or an NVIDIA GPU, and the device is {str(device)!r}"
    name = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if shutil.which(name) is None:
        return f"a C++ compiler, and {name!r} is not found (CXX may name another)"
    headers = Path(sysconfig.get_paths()["include"])
    if not (headers / "Python.h").exists():
        return f"the headers of Python, and {headers} has no Python.h (python3-dev has them on Debian)"
    return None


def require_compiling(device: torch.device | str) -> None:
    """Raises ValueError where `torch.compile` cannot work on this device."""
    lacking = what_compiling_lacks(device)
    if lacking is not None:
        raise ValueError(f"compile must be False here, got True: torch.compile needs {lacking}")


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x · weightᵀ + bias through oneDNN; (…, K), (N, K), (N,) -> (…, N)."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return result


class _Linear(torch.autograd.Function):
    """A linear layer; the weight's gradient stays with MKL, which is faster at tall products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        flat = gradient.reshape(-1, gradient.shape[-1])
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        to_x = _product(gradient, weight.t().contiguous(), None) if needs_x else None
        to_weight = flat.t() @ x.reshape(-1, x.shape[-1]) if needs_weight else None
        to_bias = flat.sum(0) if needs_bias and ctx.has_bias else None
        return to_x, to_weight, to_bias


class OneDNNLinear(TorchFunctionMode):
    """Inside this context float32 linear layers, GPT-2's transposed ones too, are computed by oneDNN."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not kwargs and func is torch.nn.functional.linear and _is_single(args[0], args[1]):
            return _Linear.apply(args[0], args[1], args[2] if len(args) > 2 else None)
        if not kwargs and func is torch.addmm and _is_single(args[1], args[2]) and args[0].dim() == 1:
            return _Linear.apply(args[1], args[2].t().contiguous(), args[0])
        return func(*args, **(kwargs or {}))


def _is_single(x: Tensor, weight: Tensor) -> bool:
    return x.dtype == weight.dtype == torch.float32 and weight.dim() == 2 and x.dim() >= 2 and x.numel() > 0


class PlainAttention(TorchFunctionMode):
    """Inside this context `scaled_dot_product_attention` is two batched products and a softmax.

    On a CPU, PyTorch's own kernels for bfloat16 are made for long rows: for 16 rows of 150 tokens,
    4 heads of 32, forward and backward on one thread, the fused one takes 24 ms, the composed one 13
    and this 5. Rows that may look nowhere spread their attention evenly instead of giving NaN.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention:
            return _attend(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The arguments and the meaning of PyTorch's function of the long name."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    scores = torch.matmul(query * (query.shape[-1] ** -0.5 if scale is None else scale), key.transpose(-2, -1))
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            low = torch.finfo(scores.dtype).min
            attn_mask = scores.new_zeros(attn_mask.shape).masked_fill_(~attn_mask, low)
        scores += attn_mask
    weights = scores.softmax(-1).to(value.dtype)
    if dropout_p > 0:
        weights = torch.nn.functional.dropout(weights, dropout_p)
    return torch.matmul(weights, value)
