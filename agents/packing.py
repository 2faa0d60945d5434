"""Conversations that share a prompt, packed so that the prompt is computed once.

A row holds one prompt and several continuations behind it; a continuation sees the prompt and
itself, never its siblings, and its positions go on where the prompt's end. What a model says
about each token is therefore what it would say were the conversation alone in a batch of one.

    row:        p p p p | a a a | b b b b | pad
    positions:  0 1 2 3 | 4 5 6 | 4 5 6 7 | 0
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from textgym.models.prefixes import tree_mask

from .cpu import round_up


@dataclass(frozen=True)
class Episode:
    """One conversation in tokens."""

    prompt: Sequence[int]  # what stood before the policy's first token; never empty
    continuation: Sequence[int]  # everything after it, other people's turns included
    chosen: Sequence[bool]  # same length; True where the policy chose the token

    @property
    def num_chosen(self) -> int:
        return sum(self.chosen)

    @property
    def tokens(self) -> list[int]:
        """The whole conversation."""
        return [*self.prompt, *self.continuation]


class Packed(NamedTuple):
    """R rows of L tokens holding N tokens that the policy chose, in the order of the episodes."""

    tokens: Tensor  # (R, L) int64, padded with 0
    position_ids: Tensor  # (R, L) int64
    mask: Tensor | None  # (R, 1, L, L) bool, True = may look; None where causal is enough
    source: Tensor  # (N,) int64, index into R·L of the position whose output predicts the token
    place: Tensor  # (N,) int64, index into R·L of the token itself
    target: Tensor  # (N,) int64, the token
    episode: Tensor  # (N,) int64, which episode it belongs to
    step: Tensor  # (N,) int64, how manieth policy token of its episode it is

    def to(self, device: torch.device | str) -> Packed:
        moved: dict[str, Any] = {k: None if x is None else x.to(device) for k, x in self._asdict().items()}
        return self._replace(**moved)


Packs = list[list[Packed]]  # a list of packs for each minibatch
Members = list[list[Tensor]]  # for each pack, the (b,) episodes of the batch in it


def pack(episodes: Sequence[Episode], row_tokens: int = 512) -> Packed:
    """Packs episodes; neighbours with the same prompt share a row of at most `row_tokens` tokens.

    An episode that is longer than that has a row of its own.
    """
    rows: list[list[int]] = []
    used = 0
    for i, episode in enumerate(episodes):
        length = len(episode.continuation)
        same = bool(rows) and list(episodes[rows[-1][0]].prompt) == list(episode.prompt)
        if same and used + length <= row_tokens:
            rows[-1].append(i)
            used += length
        else:
            rows.append([i])
            used = len(episode.prompt) + length
    width = round_up(max(len(episodes[r[0]].prompt) + sum(len(episodes[i].continuation) for i in r) for r in rows))
    tokens = np.zeros((len(rows), width), dtype=np.int64)
    positions = np.zeros((len(rows), width), dtype=np.int64)
    branch = np.full((len(rows), width), -1, dtype=np.int64)  # 0 prompt, 1.. continuations, -1 padding
    found: list[np.ndarray] = [np.zeros((5, 0), dtype=np.int64)]
    for row, members in enumerate(rows):
        prompt = np.asarray(episodes[members[0]].prompt)
        p = len(prompt)
        tokens[row, :p], positions[row, :p], branch[row, :p] = prompt, np.arange(p), 0
        start = p
        for b, i in enumerate(members, start=1):
            ids = np.asarray(episodes[i].continuation, dtype=np.int64)
            end = start + len(ids)
            tokens[row, start:end] = ids
            positions[row, start:end] = np.arange(p, p + len(ids))
            branch[row, start:end] = b
            offsets = np.flatnonzero(np.asarray(episodes[i].chosen, dtype=bool))
            before = np.where(offsets == 0, p - 1, start + offsets - 1)
            numbers = np.full(len(offsets), i), np.arange(len(offsets))
            found.append(np.stack([row * width + before, row * width + start + offsets, ids[offsets], *numbers]))
            start = end
    source, place, target, episode_index, step = (torch.from_numpy(x) for x in np.concatenate(found, axis=1))
    order = torch.argsort(episode_index, stable=True)
    return Packed(
        torch.from_numpy(tokens),
        torch.from_numpy(positions),
        tree_mask(torch.from_numpy(branch)) if any(len(r) > 1 for r in rows) else None,
        source[order],
        place[order],
        target[order],
        episode_index[order],
        step[order],
    )


def pack_by_budget(
    episodes: Sequence[Episode], rows: list[int], row_tokens: int, batch_tokens: int
) -> Iterator[tuple[Packed, Tensor]]:
    """Packs of at most `batch_tokens` tokens, padding included, with their rows; an episode is never split."""
    chunk: list[int] = []
    lengths: list[int] = []  # of the packed rows of the chunk, as `pack` makes them
    for row in rows:
        episode = episodes[row]
        longer = _lengths_with(lengths, episode, episodes[chunk[-1]] if chunk else None, row_tokens)
        if chunk and len(longer) * max(longer) > batch_tokens:
            yield pack([episodes[r] for r in chunk], row_tokens), torch.tensor(chunk)
            chunk, longer = [], [len(episode.tokens)]
        chunk.append(row)
        lengths = longer
    if chunk:
        yield pack([episodes[r] for r in chunk], row_tokens), torch.tensor(chunk)


def _lengths_with(lengths: list[int], episode: Episode, last: Episode | None, row_tokens: int) -> list[int]:
    """Lengths of packed rows with one more episode, behind its sibling where there is room."""
    length = len(episode.continuation)
    is_sibling = last is not None and list(last.prompt) == list(episode.prompt)
    if is_sibling and lengths[-1] + length <= row_tokens:
        return [*lengths[:-1], lengths[-1] + length]
    return [*lengths, len(episode.prompt) + length]


def pack_groups(
    groups: Sequence[Sequence[Episode]], row_tokens: int, batch_tokens: int
) -> Iterator[tuple[Packed, list[int]]]:
    """Packs of at most about `batch_tokens` tokens, padding included, and which groups each holds, in its order.

    A group, the episodes of one prompt, is never split: what is computed from several of them is computed in one pass.
    """
    sizes = [_rows_of(group, row_tokens) for group in groups]
    chunk: list[int] = []
    rows = width = 0
    for g in sorted(range(len(groups)), key=lambda g: sizes[g][1]):  # little padding
        more, length = sizes[g]
        if chunk and (rows + more) * max(width, length) > batch_tokens:
            yield pack([e for c in chunk for e in groups[c]], row_tokens), chunk
            chunk, rows, width = [], 0, 0
        chunk.append(g)
        rows, width = rows + more, max(width, length)
    if chunk:
        yield pack([e for c in chunk for e in groups[c]], row_tokens), chunk


def _rows_of(group: Sequence[Episode], row_tokens: int) -> tuple[int, int]:
    """Rows that `pack` makes of the episodes of a prompt, and the length of the longest."""
    lengths: list[int] = []
    for e in group:
        if lengths and lengths[-1] + len(e.continuation) <= row_tokens:
            lengths[-1] += len(e.continuation)
        else:
            lengths.append(len(e.prompt) + len(e.continuation))
    return len(lengths), max(lengths)


def walk(packs: Packs, members: Members) -> Iterator[tuple[Packed, Tensor]]:
    """Every pack of a batch with its episodes, whatever minibatch it is in."""
    for pack_list, member_list in zip(packs, members, strict=True):
        yield from zip(pack_list, member_list, strict=True)


def to_rows(values: Tensor, packed: Packed, num_episodes: int) -> tuple[Tensor, Tensor]:
    """(N,) values of policy tokens -> (B, T) rows and their bool mask, padded on the right with zeros."""
    steps = int(packed.step.max()) + 1 if len(packed.step) else 0
    rows = torch.zeros(num_episodes, steps, dtype=values.dtype, device=values.device)
    mask = torch.zeros(num_episodes, steps, dtype=torch.bool, device=values.device)
    rows[packed.episode, packed.step] = values
    mask[packed.episode, packed.step] = True
    return rows, mask
