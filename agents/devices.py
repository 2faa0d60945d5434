"""Where a run computes and in which arithmetic: what "auto" becomes on this machine."""

from __future__ import annotations

import math
import time

import torch

from .distributed import local_device


def choose_device(device: str) -> torch.device:
    """The device of a name; "auto" is the GPU where there is one.

    Raises:
        ValueError: no such device, or none that PyTorch can use here.
    """
    try:
        chosen = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        chosen = local_device(chosen)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).partition("\n")[0]
        raise ValueError(
            f"device must be 'auto', 'cpu' or a GPU that PyTorch finds here ('cuda:0', …), got {device!r}: {why}"
        ) from error
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The arithmetic of training passes; "auto" times a product of each kind and takes bfloat16 if clearly faster.

    Where a processor has instructions for it, it takes a fifth of the time, elsewhere five times as much: the best of
    several turns tells them apart on a busy machine too.
    """
    if dtype != "auto":
        return torch.float32 if dtype == "float32" else torch.bfloat16
    if device.type != "cpu":
        return torch.bfloat16
    best = dict.fromkeys((torch.float32, torch.bfloat16), math.inf)
    for _ in range(10):
        for kind in best:
            a, b = torch.ones(2048, 256, dtype=kind), torch.ones(256, 256, dtype=kind)
            start = time.perf_counter()
            a @ b
            best[kind] = min(best[kind], time.perf_counter() - start)
    return torch.bfloat16 if best[torch.bfloat16] < 0.7 * best[torch.float32] else torch.float32
