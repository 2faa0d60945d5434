"""One run on several processes: the same command under `torchrun`, on one machine or many.

Every process holds the policy and plays its share of each update's prompts; gradients, and the
sums that a mean over the whole batch needs, are added up. That is all: a run on W processes is
the run on one, up to rounding. A policy whose training does not fit one device is parted by shards.py.

    torchrun --nproc-per-node 2 -m -- textgym.cli train ppo --env textgym/Summarize-v0
    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 -m -- textgym.cli train ppo …
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

WAITS = timedelta(hours=2)  # the first process evaluates and saves while the others wait


@dataclass(frozen=True)
class World:
    """Which process this is, of how many."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"  # what messages travel on: NCCL takes tensors of its GPU alone

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, n: int) -> slice:
        """This process's part of n things, which must divide evenly."""
        if n % self.size:
            raise ValueError(
                f"prompts_per_update must be a multiple of the number of processes, got {n} prompts for "
                f"{self.size} processes"
            )
        each = n // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over processes, the same bits in each."""
        if self.size == 1:
            return values
        sent = values.to(self.device, copy=True)
        dist.all_reduce(sent)
        return sent.to(values.device)

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Adds up gradients in place, in one message; one that a process lacks counts as zeros."""
        if self.size == 1:
            return
        trained = [p for p in parameters if p.requires_grad]
        for p in trained:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        flat = torch.cat([p.grad.reshape(-1) for p in trained if p.grad is not None])
        dist.all_reduce(flat)
        for p, part in zip(trained, flat.split([p.numel() for p in trained]), strict=True):
            p.grad = part.view_as(p)

    def gather(self, value: Any) -> list[Any]:
        """Every process's value (anything that pickles), by rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def from_first(self, value: Any) -> Any:
        """What the first process holds, in all."""
        if self.size == 1:
            return value
        held = [value]
        dist.broadcast_object_list(held)
        return held[0]


@contextlib.contextmanager
def join(device: torch.device) -> Iterator[World]:
    """The world that `torchrun` has made for this process; alone without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    began = not dist.is_initialized()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if began:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=WAITS)
    try:
        yield World(dist.get_rank(), dist.get_world_size(), str(device))
    finally:
        if began:
            dist.destroy_process_group()


def local_device(device: torch.device) -> torch.device:
    """Of several processes on one machine each takes a GPU of its own."""
    local, index = os.environ.get("LOCAL_RANK"), getattr(device, "index", None)
    if device.type != "cuda" or index is not None or local is None:
        return device
    return torch.device("cuda", int(local))
