"""A policy in parts, one a process, while it learns: PyTorch's `fully_shard` (FSDP2) under the online agents.

Each process keeps a part of the policy's weights, of their gradients and of what the optimizer knows of them. While the
policy plays, is evaluated or saved its weights are whole in every process, so that one may read them alone; while it
learns they are gathered block by block. A checkpoint is whole, the same as of a run on one process.

Left out: a policy that does not even fit whole, which would have to be sampled in parts too; the reference (a whole
copy each; LoRA needs none); a value head, of so few numbers that each process has all; a critic with its own trunk.

    torchrun --nproc-per-node 2 -m -- textgym.cli train ppo --env textgym/Summarize-v0 --shard
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from textgym.models.language_model import load_language_model
from textgym.models.lora import add_lora, merge

from .distributed import World
from .online_config import OnlineConfig

SAVE = "save"  # what the first process says to the others where a checkpoint needs their parts


class Shards:
    """A policy in parts, one a process; each block of its trunk is gathered when it is needed, the rest at once.

    Outside of `learning` the weights are whole in every process, plain tensors, so that any one of them may read them
    alone; inside it they are `DTensor`s, and all processes have to run the same number of passes.
    """

    def __init__(self, model: torch.nn.Module, world: World) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        self.world = world
        mesh = init_device_mesh(torch.device(world.device).type, (world.size,))
        whole: Any = _Pass(model)
        self.blocks: list[Any] = [fully_shard(block, mesh=mesh) for block in _blocks(model)]
        self.root: Any = fully_shard(whole, mesh=mesh)
        for part in (*self.blocks, self.root):  # gradients are added up: losses are divided by all processes' tokens
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)  # a factor would else be part of the sum, which gloo lacks
        with torch.no_grad():
            self.root(lambda: None)  # the first pass settles which of the modules is the outermost
        self.root.reshard()

    def run(self, function: Callable[[], Any]) -> Any:
        """What a function of the policy returns, as a forward pass of it, so that its gradients end in parts."""
        return self.root(function)

    def gather(self) -> None:
        """Whole weights in every process, until `part`."""
        for part in (*self.blocks, self.root):
            part.unshard()
        for block in self.blocks:
            block.set_reshard_after_forward(False, recurse=False)

    def part(self) -> None:
        """Each process keeps its own part; what was gathered is freed."""
        for block in self.blocks:
            block.set_reshard_after_forward(True, recurse=False)
        for part in (*self.blocks, self.root):
            part.reshard()

    @contextlib.contextmanager
    def learning(self) -> Iterator[None]:
        """Inside, weights are in parts. An error leaves them so: half an update is not to be saved."""
        self.part()
        yield
        self.gather()

    def clip(self, trained: list[torch.nn.Parameter], max_norm: float) -> Tensor:
        """The norm of the whole gradient, which is shortened to `max_norm` in place where it is longer."""
        parts = [local(p.grad) for p in trained if is_part(p) and p.grad is not None]
        whole = [p for p in trained if not is_part(p)]  # a value head
        if whole:
            self.world.sum_gradients(whole)
        square = self.world.sum(_square(parts, self.world.device))
        rest = [p.grad for p in whole if p.grad is not None]
        norm = (square + _square(rest, self.world.device)).sqrt()
        scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
        for gradient in (*parts, *rest):
            gradient.mul_(scale.to(gradient.device))
        return norm

    def whole_state(self, state: dict[str, Any]) -> dict[str, Any] | None:
        """A trainer's state as one process alone would have it, on the CPU of the first; None in the others.

        All processes must ask for it, with their own states. Weights are whole after it as before.
        """
        optimizer = dict(state["optimizer"])
        groups = optimizer["param_groups"]
        optimizer["param_groups"] = [{**groups[0], "params": [p for group in groups for p in group["params"]]}]
        whole = _gathered({**state, "optimizer": optimizer}, self.world.is_first)
        self.gather()
        return whole if self.world.is_first else None

    def part_of(self, state: dict[str, Any], own: dict[str, Any], trained: list[torch.nn.Parameter]) -> dict[str, Any]:
        """This process's part of a whole state.

        Args:
            state: what `whole_state` gave, or a run on one process.
            own: the trainer's present state, in parts.
            trained: its optimizer's parameters, in order.
        """
        policy = {name: _like(value, own["policy"][name]) for name, value in state["policy"].items()}
        of_weights = {
            row: {name: _like(value, trained[row]) for name, value in known.items()}
            for row, known in state["optimizer"]["state"].items()
        }
        (group,) = state["optimizer"]["param_groups"]
        groups = [{**group, "params": part["params"]} for part in own["optimizer"]["param_groups"]]
        return {**state, "policy": policy, "optimizer": {"state": of_weights, "param_groups": groups}}


class _Pass(torch.nn.Module):
    """A pass is any function of the policy: trunk and head are called apart, and a head is read rather than called."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[[], Any]) -> Any:
        return function()


def _blocks(model: Any) -> list[torch.nn.Module]:
    """The layers of the trunk; none where they stand in no list."""
    count = model.config.get_text_config().num_hidden_layers
    lists = (m for m in model.base_model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == count)
    return list(next(lists, []))


def is_part(value: Any) -> bool:
    """Whether a tensor is in parts over the processes."""
    from torch.distributed.tensor import DTensor

    return isinstance(value, DTensor)


def local(value: Any) -> Tensor:
    """This process's part of a tensor."""
    part: Tensor = value.to_local() if is_part(value) else value
    return part


def _square(tensors: list[Tensor], device: str) -> Tensor:
    """The squared norm of all of them together."""
    norms = [torch.linalg.vector_norm(t) for t in tensors]
    return torch.stack(norms).square().sum() if norms else torch.zeros((), device=device)


def _gathered(value: Any, keeps: bool) -> Any:
    """The same with every tensor whole; those that are not kept are freed at once, one by one."""
    if isinstance(value, dict):
        return {key: _gathered(part, keeps) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_gathered(part, keeps) for part in value)
    if is_part(value):
        whole = value.full_tensor()
        return whole.cpu() if keeps else None
    return value


def _like(value: Any, own: Any) -> Any:
    """A whole tensor in parts as `own` is, of whose shape it must be; anything else as it is."""
    if not is_part(own) or not isinstance(value, Tensor) or value.shape != own.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    placed = value.to(own.device)
    return distribute_tensor(placed, own.device_mesh, own.placements, src_data_rank=None)  # every process has it whole


def weights_of(optimizer: torch.optim.Optimizer) -> list[Any]:
    """What an optimizer moves, in the order of its state."""
    return [p for group in optimizer.param_groups for p in group["params"]]


@torch.no_grad()
def copy_of_whole(model: Any, config: OnlineConfig) -> Any:
    """A plain language model on the CPU, its adapter merged, of a policy that cannot be copied as an object."""
    copy = load_language_model(config.policy, "cpu")
    if config.lora_rank is not None:
        add_lora(copy, config.lora_rank, config.lora_alpha)
    held = dict(model.named_parameters()) | dict(model.named_buffers())
    for name, value in (*copy.named_parameters(), *copy.named_buffers()):
        value.copy_(held[name])
    if config.lora_rank is not None:
        merge(copy)
    return copy
