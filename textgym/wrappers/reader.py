"""A causal language model reading conversations that grow: nothing is read twice.

An agent that knows nothing of text asks for the next token with the whole conversation as its
observation, again and again. `CachedReader` recognises rows that grew by the token just chosen and
computes that token alone; a row that begins what another row holds takes it over. `read_steps`
recognises steps of one conversation in a training batch and reads the longest of them for all.
Conversations that begin alike share their beginning in both (`models/prefixes.py`). All check what
they assume, so a batch of strangers costs more and is as right. Rows may begin and end at different
times, which `models/generate.py` has no use for.

B rows, C the width of observations, H the width of hidden states, V ids.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from textgym.models.generate import KeyValueCache
from textgym.models.language_model import trunk
from textgym.models.prefixes import Group, SharedRows, group, pack

_PASS_TOKENS = 4096  # in one training pass: what a CPU's caches hold


def lengths_of(tokens: Tensor) -> Tensor:
    """(B, C) token ids padded on the right with -1 -> (B,) int64, the tokens of each row."""
    return (tokens >= 0).sum(dim=1)


class _RowSlots(CacheLayerMixin):
    """One layer's keys and values, each row filled up to a length of its own."""

    is_compileable = False
    is_sliding = False

    def __init__(self, places: _Places) -> None:
        super().__init__()
        self.places = places

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        rows, capacity = len(self.places.at), self.places.capacity
        # Zeros: what lies beyond a row's end is masked, but NaN times zero would still be NaN.
        self.keys, self.values = (
            states.new_zeros((rows, states.shape[1], capacity, states.shape[3]))
            for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Writes one token a row at the row's own place."""
        assert self.keys is not None
        assert self.values is not None
        at, width = self.places.at, self.places.width
        rows = torch.arange(len(at), device=at.device)
        self.keys[rows, :, at] = key_states[:, :, 0]
        self.values[rows, :, at] = value_states[:, :, 0]
        return self.keys[:, :, :width], self.values[:, :, :width]

    def fill(self, rows: Tensor, keys: Tensor, values: Tensor) -> None:
        """Takes over what `rows` have just read from their beginning."""
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
        assert self.keys is not None
        assert self.values is not None
        self.keys[rows, :, : keys.shape[2]] = keys
        self.values[rows, :, : values.shape[2]] = values

    def take_over(self, rows: Tensor, others: Tensor, width: int) -> None:
        """`rows` hold the first `width` tokens of what `others` hold."""
        assert self.keys is not None
        assert self.values is not None
        self.keys[rows, :, :width] = self.keys[others, :, :width]
        self.values[rows, :, :width] = self.values[others, :, :width]

    def get_seq_length(self) -> int:
        return self.places.width - 1

    def get_max_length(self) -> int:
        return self.places.capacity

    def get_max_cache_shape(self) -> int:
        return self.places.capacity

    def get_mask_sizes(self, query_length: Any) -> tuple[int, int]:
        return self.places.width, 0


class _Places:
    """Where the next token of each row goes; one for all layers."""

    def __init__(self, rows: int, capacity: int, device: torch.device) -> None:
        self.capacity = capacity
        self.at = torch.zeros(rows, dtype=torch.long, device=device)
        self.width = 1  # positions that the longest row looks at


class CachedReader:
    """Hidden states at the newest token of each row, from a cache of keys and values a row.

    Args:
        model: a causal language model of transformers.
        capacity: C, the most tokens that a row can hold.
    """

    def __init__(self, model: Any, capacity: int) -> None:
        self.model, self.capacity = model, capacity
        self.tokens_read = 0  # computed so far, padding included; what a test counts
        self.forget()

    def forget(self) -> None:
        """Drops the cache. A changed weight is noticed by itself, unless somebody edits single numbers."""
        self._seen = torch.zeros((0, self.capacity), dtype=torch.long)  # (B, C) what the cache holds
        self._lengths = torch.zeros(0, dtype=torch.long)  # (B,) tokens of each row
        self._hidden = torch.zeros((0, 1))  # (B, H) at each row's last token
        self._weights: tuple[int, list[float]] = (-1, [])

    @property
    def num_rows(self) -> int:
        """B of the last reading; 0 when there was none."""
        return len(self._seen)

    @torch.no_grad()
    def read(self, tokens: Tensor) -> Tensor:
        """(B, C) int64 token ids, padded on the right with -1 -> (B, H), at each row's last token.

        Rows that hold what they held before, plus at most one token, cost that token, and so do rows that
        hold another row's tokens but for their last. All others, and all where B or the weights are not what
        they were, are read from their beginning, what they share of it once.
        """
        weights = _fingerprint(self.model)
        if self._seen.shape != tokens.shape or self._weights != weights:
            self._begin(tokens)
            self._weights = weights
        lengths = lengths_of(tokens)
        same_start = ((self._seen == tokens) | (self._seen < 0)).all(dim=1) & (self._lengths > 0)
        is_known = same_start & (lengths - self._lengths <= 1)
        if not is_known.all():
            is_known[self._take_over(tokens, lengths, (~is_known).nonzero().squeeze(1))] = True
        grown = is_known & (lengths == self._lengths + 1)
        fresh = ~is_known
        if grown.any():
            self._read_newest(tokens, grown)
        if fresh.any():
            self._read_whole(tokens, fresh.nonzero().squeeze(1))
        self._seen, self._lengths = tokens.clone(), lengths
        return self._hidden.clone()

    def _begin(self, tokens: Tensor) -> None:
        rows, device = len(tokens), tokens.device
        config = self.model.config.get_text_config()
        self._seen = torch.full_like(tokens, -1)
        self._lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self._hidden = next(self.model.parameters()).new_zeros((rows, config.hidden_size))
        # One place more than a row has: a full row writes there what nobody reads.
        self._places = _Places(rows, self.capacity + 1, device)
        self._slots = [_RowSlots(self._places) for _ in range(config.num_hidden_layers)]

    def _take_over(self, tokens: Tensor, lengths: Tensor, rows: Tensor) -> Tensor:
        """Lets rows that begin anew copy all but their last token from rows that hold it; which could."""
        taken, others = [], []
        for row in rows.tolist() if self._lengths.any() else ():  # row by row: a table of all pairs can be gigabytes
            before = int(lengths[row]) - 1
            holds_it = (self._seen[:, :before] == tokens[row, :before]).all(dim=1).nonzero()
            if before > 0 and len(holds_it):
                taken.append(row)
                others.append(int(holds_it[0]))
        found, other = (torch.tensor(x, dtype=torch.long, device=tokens.device) for x in (taken, others))
        if taken:
            self._lengths[found] = lengths[found] - 1
            for slots in self._slots:
                slots.take_over(found, other, int(self._lengths[found].max()))
        return found

    def _read_newest(self, tokens: Tensor, grown: Tensor) -> None:
        """One token of every row. Rows that did not grow compute along, and their result is dropped."""
        at = self._lengths
        newest = tokens.gather(1, at.clamp(max=tokens.shape[1] - 1)[:, None]).clamp(min=0)
        self._places.at, self._places.width = at, int(at.max()) + 1
        columns = torch.arange(self._places.width, device=tokens.device)
        mask = (columns <= at[:, None])[:, None, None, :]
        cache = Cache(layers=list(self._slots))
        limit = getattr(self.model.config, "max_position_embeddings", None) or self.capacity + 1
        hidden = trunk(self.model, newest, at.clamp(max=limit - 1)[:, None], mask, cache)[:, 0]
        self._hidden = torch.where(grown[:, None], hidden, self._hidden)
        self.tokens_read += len(tokens)

    def _read_whole(self, tokens: Tensor, rows: Tensor) -> None:
        chosen = tokens[rows].cpu().numpy()
        packed = pack(chosen, group(chosen))
        cache = KeyValueCache(len(self._slots), packed.tokens.shape[1])
        hidden = _read_shared(self.model, packed, cache)
        places = packed.places.to(tokens.device)  # (F, L)
        last = places.gather(1, lengths_of(tokens[rows])[:, None] - 1).squeeze(1)
        self._hidden[rows] = hidden.flatten(0, 1)[last]
        layers: list[Any] = cache.layers
        for slots, layer in zip(self._slots, layers, strict=True):
            slots.fill(
                rows, *(x.transpose(1, 2).flatten(0, 1)[places].transpose(1, 2) for x in (layer.keys, layer.values))
            )
        self.tokens_read += packed.tokens.numel()


def _fingerprint(model: Any) -> tuple[int, list[float]]:
    """Another one after any step of an optimiser: the fused ones don't count their changes in `_version`."""
    parameters = list(model.parameters())
    first = [p.detach()[(0,) * p.ndim].float() for p in parameters if p.requires_grad]
    return sum(p._version for p in parameters), torch.stack(first).tolist() if first else []


def read_rows(model: Any, tokens: Tensor) -> Tensor:
    """(B, C) token ids, padded on the right with -1 -> (B, H) at each row's last token, from its beginning."""
    lengths = lengths_of(tokens)
    tokens = tokens[:, : int(lengths.max())]
    positions = torch.arange(tokens.shape[1], device=tokens.device).expand(tokens.shape)
    # No real token sees what stands to its right.
    hidden = trunk(model, tokens.clamp(min=0), positions)
    return hidden[torch.arange(len(tokens), device=tokens.device), lengths - 1]


def read_steps(model: Any, tokens: Tensor, actions: Tensor) -> Tensor:
    """Hidden states of B steps in one pass, with gradients; neighbouring steps of a conversation share a row.

    Args:
        tokens: (B, C) int64, observations, padded on the right with -1.
        actions: (B,) int64, the token chosen in each.

    Returns:
        (B, H) at each observation's last token, as `read_rows` would give.
    """
    row, last = conversations(tokens, actions)
    longest = tokens[last].cpu().numpy()
    hidden, steps = [], []
    for groups in _passes(group(longest)):
        members = [i for g in groups for i in g.members]
        renamed = iter(range(len(members)))
        packed = pack(longest[members], [g._replace(members=[next(renamed) for _ in g.members]) for g in groups])
        place = torch.full_like(last, -1)
        place[members] = torch.arange(len(members), device=tokens.device)
        steps.append((place[row] >= 0).nonzero().squeeze(1))
        ends = packed.places.to(tokens.device)[place[row[steps[-1]]], lengths_of(tokens[steps[-1]]) - 1]
        hidden.append(_read_shared(model, packed).flatten(0, 1).index_select(0, ends))
    return torch.cat(hidden)[torch.cat(steps).argsort()]


def _passes(groups: list[Group]) -> list[list[Group]]:
    """Rows of like width side by side, for less padding, as many at once as a pass may hold."""
    widest_first = sorted(groups, key=lambda g: -g.width)
    passes: list[list[Group]] = []
    for g in widest_first:
        if not passes or (len(passes[-1]) + 1) * passes[-1][0].width > _PASS_TOKENS:
            passes.append([])
        passes[-1].append(g)
    return passes


def conversations(tokens: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Which steps follow each other: step i + 1 has all of step i, then its action, then perhaps more.

    Returns:
        row: (B,) int64, which conversation each step belongs to.
        last: (R,) int64, the last step of each.
    """
    lengths = lengths_of(tokens)
    before, after, n = tokens[:-1], tokens[1:], lengths[:-1]
    has_start = ((before == after) | (before < 0)).all(dim=1) & (lengths[1:] > n)
    follows = after.gather(1, n.clamp(max=tokens.shape[1] - 1)[:, None]).squeeze(1) == actions[:-1]
    ends = torch.cat([~(has_start & follows), torch.ones(1, dtype=torch.bool, device=tokens.device)])
    row = torch.cat([torch.zeros(1, dtype=torch.long, device=tokens.device), ends[:-1].cumsum(0)])
    return row, ends.nonzero().squeeze(1)


def _read_shared(model: Any, packed: SharedRows, cache: Any | None = None) -> Tensor:
    """(R, W, H) of every place in the packed rows."""
    device = next(model.parameters()).device
    mask = None if packed.mask is None else packed.mask.to(device)
    return trunk(model, packed.tokens.to(device), packed.position_ids.to(device), mask, cache)
