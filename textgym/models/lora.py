"""Low-rank adapters (Hu et al. 2021): a few weights are trained, and the model without them stays what it was.

The layers of `peft` are put into the transformers model in place, so trunk, head, cache and
packing work as they do without. With the adapters off the very same weights are the model before
training: a reference policy with no second model in memory, and a KL of exactly 0 at the start.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch


def add_lora(model: Any, rank: int, alpha: float | None = None, seed: int = 0, trains_head: bool = False) -> None:
    """Adapters on every linear layer of the trunk, which stops training besides them.

    Args:
        model: a transformers model with a trunk and a head, changed in place.
        rank: of the adapters.
        alpha: the adapter's part is multiplied by alpha / rank; None: twice the rank.
        seed: of the adapters' first weights.
        trains_head: whether what stands on the trunk goes on training, as a reward model's must.

    Raises:
        ImportError: peft is not installed.
        ValueError: the trunk has no linear layers.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError("lora_rank needs peft: pip install 'textgym[train]'") from error
    names, is_transposed = _linear_layers(model.base_model)
    scale: Any = 2 * rank if alpha is None else alpha
    config = LoraConfig(r=rank, lora_alpha=scale, lora_dropout=0.0, target_modules=names, fan_in_fan_out=is_transposed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # peft draws from the global generator
        inject_adapter_in_model(config, model.base_model)
    for parameter in model.parameters():
        parameter.requires_grad_(trains_head)
    for name, parameter in model.base_model.named_parameters():
        parameter.requires_grad_("lora_" in name)


def _linear_layers(trunk: Any) -> tuple[list[str], bool]:
    """Names as peft matches them, by the last part, and whether their weights are stored (in, out)."""
    from transformers.pytorch_utils import Conv1D  # GPT-2's linear layer

    kinds = (torch.nn.Linear, Conv1D)
    layers = {name.rpartition(".")[2]: layer for name, layer in trunk.named_modules() if isinstance(layer, kinds)}
    if not layers:
        raise ValueError(f"lora_rank finds no linear layers in {type(trunk).__name__}")
    return sorted(layers), any(isinstance(layer, Conv1D) for layer in layers.values())


def _adapted(model: Any) -> dict[str, Any]:
    """Name -> layer with an adapter."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)}


@contextlib.contextmanager
def adapter_off(model: Any) -> Iterator[None]:
    """Inside, `model` is what it was before it had adapters; after it, whatever happened, it has them again."""
    layers = _adapted(model).values()
    try:
        for layer in layers:
            layer.enable_adapters(False)
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
            for name, parameter in layer.named_parameters():
                parameter.requires_grad_("lora_" in name)


def merge(model: Any) -> None:
    """In place: the adapters become a part of the weights they adapt, and are gone."""
    for name, layer in _adapted(model).items():
        layer.merge()
        owner, _, last = name.rpartition(".")
        setattr(model.get_submodule(owner), last, layer.get_base_layer())
    for module in (model, model.base_model):
        for attribute in {"peft_config", "_hf_peft_config_loaded"} & set(vars(module)):
            delattr(module, attribute)
    model.requires_grad_(True)


def merged(model: Any) -> Any:
    """A copy without adapters whose weights hold them: a plain checkpoint that any program loads."""
    whole = copy.deepcopy(model)
    merge(whole)
    return whole
