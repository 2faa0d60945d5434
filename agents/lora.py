"""Low-rank adapters (Hu et al. 2021): the policy trains a few weights, and the model without them is the reference.

The layers of `peft` are put into the transformers model in place, so trunk, head, cache and
packing work as they do without. With the adapter off the very same weights are the reference
policy: no second model in memory, and a KL of exactly 0 before the first update.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any


def add_lora(model: Any, rank: int, alpha: float | None = None) -> None:
    """Adapters on every linear layer of the trunk; all else of `model` stops training.

    Args:
        model: a causal language model, changed in place.
        rank: of the adapters.
        alpha: the adapter's part is multiplied by alpha / rank; None: twice the rank.

    Raises:
        ImportError: peft is not installed.
        ValueError: the model has no layers that peft knows how to adapt.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError("lora_rank needs peft: pip install 'textgym[train]'") from error
    scale: Any = 2 * rank if alpha is None else alpha
    config = LoraConfig(r=rank, lora_alpha=scale, lora_dropout=0.0, target_modules=_linear_layers(model))
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)


def _linear_layers(model: Any) -> list[str]:
    """Names of the trunk's linear layers, as peft matches them: by the last part."""
    import torch
    from transformers.pytorch_utils import Conv1D  # GPT-2's linear layer

    kinds = (torch.nn.Linear, Conv1D)
    names = {name.rpartition(".")[2] for name, layer in model.base_model.named_modules() if isinstance(layer, kinds)}
    if not names:
        raise ValueError(f"lora_rank finds no linear layers in {type(model).__name__}")
    return sorted(names)


def _layers(model: Any) -> list[Any]:
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [m for m in model.modules() if isinstance(m, BaseTunerLayer)]


@contextlib.contextmanager
def adapter_off(model: Any) -> Iterator[None]:
    """Inside, `model` is what it was before it had an adapter; after it, whatever happened, it has one again."""
    layers = _layers(model)
    try:
        for layer in layers:
            layer.enable_adapters(False)
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
            for name, parameter in layer.named_parameters():
                parameter.requires_grad_("lora_" in name)


def merged(model: Any) -> Any:
    """A copy without adapters whose weights hold them: a plain checkpoint that any program loads."""
    whole = copy.deepcopy(model)
    for name, layer in [(n, m) for n, m in whole.named_modules() if m in set(_layers(whole))]:
        layer.merge()
        owner, _, last = name.rpartition(".")
        setattr(whole.get_submodule(owner), last, layer.get_base_layer())
    for attribute in {"peft_config", "_hf_peft_config_loaded"} & set(vars(whole)):
        delattr(whole, attribute)
    return whole.requires_grad_(True)
