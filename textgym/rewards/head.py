"""The last linear layer of a reward model: how a trunk gets one, and how its scores are moved.

Scores are linear in this layer, so a temperature goes into it exactly, and so does a shift of the
mean, as far as the layer can express one: by its bias for one output a conversation, else by the
smallest change of its weights that adds the same number to every conversation's score. (A bias
would not do for an output a token: it adds a reward for length.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from textgym.models.places import find_model, in_one_line
from textgym.models.tokenizer import ChatTokenizer
from textgym.rewards.encoding import EncodedConversation
from textgym.rewards.network import MEMBERS, Kind, outputs, pad, padding_id, quietly
from textgym.rewards.ordinal import NOTE


def load_trunk(
    path: str | Path,
    kind: Kind,
    tokenizer: ChatTokenizer,
    seed: int,
    num_heads: int = 1,
    attributes: Sequence[str] = (),
) -> Any:
    """A language model's trunk under a head with one output, small and random where the checkpoint has none.

    Several heads are several outputs of that one layer, and so are several attributes, which name theirs.

    Raises:
        ValueError: nothing that loads, other weights missing than the head's, or a tokenizer that does not fit.
    """
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    auto = AutoModelForTokenClassification if kind == "token" else AutoModelForSequenceClassification
    place = find_model(path, "model")
    loading: dict[str, Any] = {
        "num_labels": max(num_heads, len(attributes)),
        "dtype": torch.float32,
        "output_loading_info": True,
    }
    loading |= place.options
    try:
        with torch.random.fork_rng(), quietly():
            model, info = auto.from_pretrained(place.name, **loading)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ValueError(f"model={str(path)!r} could not be loaded with a reward head: {in_one_line(error)}") from error
    trunk = {name for name in info["missing_keys"] if name.startswith(model.base_model_prefix + ".")}
    if trunk:
        raise ValueError(f"model={str(path)!r} lacks weights of its trunk: {sorted(trunk)[:4]}")
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.vocab_size > rows:
        raise ValueError(
            f"tokenizer does not fit model={str(path)!r}: it has {tokenizer.vocab_size} token ids, "
            f"the model's vocabulary has {rows}"
        )
    for note in (MEMBERS, NOTE):  # of another training
        if hasattr(model.config, note):
            delattr(model.config, note)
    if num_heads > 1:
        setattr(model.config, MEMBERS, num_heads)
    if num_heads > 1 or len(attributes) > 1:
        labels = attributes or [f"member_{k}" for k in range(num_heads)]
        model.config.id2label = dict(enumerate(labels))
        model.config.label2id = {label: k for k, label in model.config.id2label.items()}
    if model.config.get_text_config().pad_token_id is None:
        model.config.get_text_config().pad_token_id = tokenizer.pad
    if info["missing_keys"]:
        generator = torch.Generator().manual_seed(seed)
        layer = last_layer(model)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * 1e-3)
            if layer.bias is not None:
                layer.bias.zero_()
    return model


def last_layer(model: Any) -> nn.Linear:
    """The linear layer that gives the outputs, outside of the trunk."""
    prefix = model.base_model_prefix + "."
    layers = [m for name, m in model.named_modules() if isinstance(m, nn.Linear) and not name.startswith(prefix)]
    layers = [m for m in layers if m.out_features == model.config.num_labels]
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no linear layer with {model.config.num_labels} outputs at its end"
        )
    return layers[-1]


class Head:
    """A trained network's last layer."""

    def __init__(self, model: Any, kind: Kind) -> None:
        self.model, self.kind = model, kind
        self.layer = last_layer(model)

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        """Multiplies every score of every output."""
        for parameter in self.layer.parameters():
            parameter.mul_(factor)

    @torch.no_grad()
    def shift_mean_to_zero(self, conversations: Sequence[EncodedConversation], padding: int) -> None:
        """Moves all scores so that each output's mean over these conversations is zero."""
        scores, features = self._scores_and_features(conversations, padding)
        means = scores.mean(axis=0)  # (K,)
        if self.kind == "sequence" and self.layer.bias is not None:
            self.layer.bias.sub_(torch.from_numpy(means).to(self.layer.bias))
            return
        change = np.outer(-means, constant_direction(features))
        self.layer.weight.add_(torch.from_numpy(change).to(self.layer.weight))

    def _scores_and_features(
        self, conversations: Sequence[EncodedConversation], padding: int, batch_size: int = 64
    ) -> tuple[np.ndarray, np.ndarray]:
        """(n, K) scores and (n, H) what the layer's weights are multiplied with in each of them."""
        seen: list[Tensor] = []
        hook = self.layer.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
        device = self.layer.weight.device
        scores, features = [], []
        try:
            for start in range(0, len(conversations), batch_size):
                rows = conversations[start : start + batch_size]
                pad_id = padding_id(self.model, self.kind, rows, padding)
                batch = pad(rows, pad_id, device)
                scores.append(outputs(self.model, self.kind, batch)[0])
                x = seen.pop().float()
                if self.kind == "token":
                    x = (x * batch.response_mask[..., None]).sum(dim=1)
                elif x.ndim == 3:  # a head at every token, of which the last one counts
                    x = x[
                        torch.arange(len(rows)),
                        ((batch.tokens != pad_id) * torch.arange(x.shape[1], device=device)).argmax(1),
                    ]
                features.append(x)
        finally:
            hook.remove()
        return torch.cat(scores).double().cpu().numpy(), torch.cat(features).double().cpu().numpy()


def constant_direction(features: np.ndarray) -> np.ndarray:
    """(H,) weights v for which features @ v is as close to 1 as may be, and exactly 1 on average.

    (n, H) -> (H,), ridge regression: every response has one end-of-turn token, so there is nearly such a v.
    """
    gram = features.T @ features
    ridge = 1e-3 * np.trace(gram) / len(gram)
    v = np.linalg.solve(gram + ridge * np.eye(len(gram)), features.sum(axis=0))
    return v / (features @ v).mean()
