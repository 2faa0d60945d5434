"""Sampling for rollouts: tokens and their log-probabilities in one pass.

What it does that `transformers.generate` does not: a prompt is read once for all its samples,
log-probabilities come from the logits that were sampled from, rows that have finished leave the
batch, and a token costs one trunk call with a preallocated key-value cache.
Left out: top-k and top-p (log-probabilities under a filter cannot be recomputed by a plain
forward pass), beam search, and sliding-window models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from textgym.models.language_model import head, trunk


class Generation(NamedTuple):
    """What a policy said: one entry a sample, the samples of a prompt next to each other."""

    tokens: list[list[int]]  # response token ids, the end of turn included where it was chosen
    logprobs: list[list[float]]  # nats, under the distribution that was sampled from


class _Slots(CacheLayerMixin):
    """One layer's keys and values in a buffer that is allocated once and filled from the left."""

    is_compileable = False
    is_sliding = False

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity, self.used = capacity, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys, self.values = (
            states.new_empty((states.shape[0], states.shape[1], self.capacity, states.shape[3]))
            for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        start, self.used = self.used, self.used + key_states.shape[2]
        self.keys[:, :, start : self.used] = key_states
        self.values[:, :, start : self.used] = value_states
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]

    def get_seq_length(self) -> int:
        return self.used

    def get_max_length(self) -> int:
        return self.capacity

    def get_max_cache_shape(self) -> int:
        return self.capacity

    def get_mask_sizes(self, query_length: Any) -> tuple[int, int]:
        length = query_length if isinstance(query_length, int) else query_length.shape[0]
        return self.used + length, 0


KEPT_FULL = 0.8  # share of rows still going below which the batch is cut down: copying the cache costs about a step


class KeyValueCache(Cache):
    """Keys and values of every layer; rows can be repeated (samples of a prompt) and dropped."""

    def __init__(self, num_layers: int, capacity: int) -> None:
        super().__init__(layers=[_Slots(capacity) for _ in range(num_layers)])

    def repeat(self, k: int) -> None:
        """Each row k times, the copies next to each other."""
        self._map_rows(lambda states, used: _allocate_like(states, states.shape[0] * k, used, k))

    def keep(self, rows: Tensor) -> None:
        """Only these rows, (n,) int64."""
        self._map_rows(lambda states, used: _gather_rows(states, rows, used))

    def _map_rows(self, change: Any) -> None:
        for layer in self.layers:
            assert isinstance(layer, _Slots)
            layer.keys, layer.values = change(layer.keys, layer.used), change(layer.values, layer.used)


def _allocate_like(states: Tensor, rows: int, used: int, k: int) -> Tensor:
    wider = states.new_empty((rows, *states.shape[1:]))
    wider[:, :, :used] = states[:, :, :used].repeat_interleave(k, dim=0)
    return wider


def _gather_rows(states: Tensor, rows: Tensor, used: int) -> Tensor:
    kept = states.new_empty((len(rows), *states.shape[1:]))
    kept[:, :, :used] = states[rows, :, :used]
    return kept


@torch.inference_mode()
def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    end_of_turn: int,
    forbidden: Tensor | None = None,
    samples_per_prompt: int = 1,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    uniforms: Tensor | None = None,
) -> Generation:
    """Samples responses; the same prompts, weights and draws give the same responses.

    A response depends on its own row of draws alone, not on what else is in the batch.

    Args:
        prompts: token ids, none empty, of any lengths.
        max_new_tokens: the most tokens a response has, its end of turn included.
        end_of_turn: the token id after which a response is finished.
        forbidden: (V,) bool, True for ids that are never sampled.
        samples_per_prompt: responses to each prompt, which is read once for all of them.
        temperature: 1 samples from the model's own distribution; 0 is greedy decoding, whose
            log-probabilities are those of temperature 1.
        generator: where the draws come from; None: PyTorch's global one.
        uniforms: (samples, max_new_tokens) float32 draws from [0, 1) to use instead.

    Raises:
        ValueError: an empty prompt, a negative temperature, counts below 1, draws of another shape.
    """
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0, got {temperature}")
    if max_new_tokens < 1 or samples_per_prompt < 1:
        raise ValueError(
            f"max_new_tokens and samples_per_prompt must be at least 1, got {max_new_tokens} and {samples_per_prompt}"
        )
    if not prompts or min(map(len, prompts)) == 0:
        raise ValueError("prompts must be token id sequences, none of them empty")
    device = next(model.parameters()).device
    shape = (len(prompts) * samples_per_prompt, max_new_tokens)
    if uniforms is None:
        uniforms = torch.rand(shape, device=device, generator=generator)
    elif uniforms.shape != shape:
        raise ValueError(f"uniforms must have the shape {shape}, got {tuple(uniforms.shape)}")
    lengths = torch.tensor([len(p) for p in prompts], device=device)
    width = int(lengths.max())
    tokens = torch.zeros((len(prompts), width), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.as_tensor(prompt)
    cache = KeyValueCache(model.config.get_text_config().num_hidden_layers, width + max_new_tokens)
    positions = torch.arange(width, device=device).expand(len(prompts), width)
    hidden = trunk(model, tokens.to(device), positions, cache=cache)
    last = hidden[torch.arange(len(prompts), device=device), lengths - 1]
    if samples_per_prompt > 1:
        cache.repeat(samples_per_prompt)
        last = last.repeat_interleave(samples_per_prompt, dim=0)
        lengths = lengths.repeat_interleave(samples_per_prompt)

    n = len(lengths)
    out_tokens = torch.full((n, max_new_tokens), -1, dtype=torch.long, device=device)
    out_logprobs = torch.zeros((n, max_new_tokens), device=device)
    active = torch.arange(n, device=device)  # which sample each row of the shrinking batch is
    columns = torch.arange(width + max_new_tokens, device=device)
    is_going = torch.ones(n, dtype=torch.bool, device=device)  # finished rows stay until enough of them have gathered
    for t in range(max_new_tokens):
        chosen, logprobs = _choose(head(model, last), forbidden, temperature, uniforms[active, t])
        out_tokens[active[is_going], t], out_logprobs[active[is_going], t] = chosen[is_going], logprobs[is_going]
        is_going &= chosen != end_of_turn
        left = int(is_going.sum())
        if left == 0 or t == max_new_tokens - 1:
            break
        if left <= KEPT_FULL * len(active):
            going = is_going.nonzero().squeeze(1)
            active, chosen, lengths, is_going = active[going], chosen[going], lengths[going], is_going[going]
            cache.keep(going)
        # Prompts are padded on the right: a row sees its own prompt and what it has said since.
        seen = columns[: width + t + 1]
        mask = (seen < lengths[:, None]) | (seen >= width)
        step = trunk(model, chosen[:, None], (lengths + t)[:, None], mask[:, None, None, :], cache)
        last = step[:, 0]
    return _trim(out_tokens, out_logprobs)


def _choose(logits: Tensor, forbidden: Tensor | None, temperature: float, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """One token a row and its log-probability. Inverse-CDF sampling: `multinomial` is 20 times slower on a CPU."""
    if forbidden is not None:
        logits = logits.masked_fill(forbidden, -torch.inf)
    if temperature > 0:
        logits = logits / temperature
    logprobs = torch.log_softmax(logits, dim=-1)
    if temperature == 0:
        chosen = logits.argmax(dim=-1)
    else:
        cumulative = logprobs.exp().cumsum(dim=-1)
        u = uniforms[:, None] * cumulative[:, -1:]
        chosen = torch.searchsorted(cumulative, u, right=True).squeeze(1)
        chosen = chosen.clamp_(max=logits.shape[-1] - 1)
        # Rounding may land on an id of probability zero at the far end; take the likeliest instead.
        impossible = logprobs.gather(1, chosen[:, None]).squeeze(1) == -torch.inf
        chosen = torch.where(impossible, logits.argmax(dim=-1), chosen)
    return chosen, logprobs.gather(1, chosen[:, None]).squeeze(1)


def _trim(tokens: Tensor, logprobs: Tensor) -> Generation:
    counts = (tokens >= 0).sum(dim=1).tolist()
    rows, values = tokens.tolist(), logprobs.tolist()
    return Generation(
        [row[:c] for row, c in zip(rows, counts, strict=True)],
        [row[:c] for row, c in zip(values, counts, strict=True)],
    )
