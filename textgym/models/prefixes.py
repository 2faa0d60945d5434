"""Conversations that begin alike, packed so that what they share is computed once.

Several samples of a prompt, or a sample read at several of its lengths, begin with the same tokens. A row
here holds that beginning and, behind it, what is each conversation's own; a conversation sees its beginning
and itself, never its neighbours, and its positions go on where the beginning ends.

    row:        p p p p | a a a | b b b b | pad
    positions:  0 1 2 3 | 4 5 6 | 4 5 6 7 | 0

Which conversations begin alike is found from their tokens, so nobody needs to say where a prompt ends.
`agents/packing.py` packs episodes whose prompts it is told, with what a policy chose in them.

B conversations of at most C tokens, R rows of W tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

ROW_TOKENS = 512  # the most of a row that several share: attention is quadratic in it
LEAST_SHARE = 0.25  # of a conversation; what is shared by less is not worth a mask
_WIDTH = 8  # what widths of rows are rounded up to: fewer shapes


class Group(NamedTuple):
    """Conversations that share a row."""

    members: list[int]
    shared: int  # tokens at their beginning that are the same in all
    width: int  # tokens of the row


class SharedRows(NamedTuple):
    """R rows that hold B conversations."""

    tokens: Tensor  # (R, W) int64, padded with 0
    position_ids: Tensor  # (R, W) int64
    mask: Tensor | None  # (R, 1, W, W) bool, True = may look; None where causal is enough
    places: Tensor  # (B, L) int64, index into R·W of each token of each conversation; its padding's is 0


def group(tokens: np.ndarray, row_tokens: int = ROW_TOKENS) -> list[Group]:
    """Which conversations are worth a common row, in the order of their first members.

    Neighbours in the order of their tokens are put together while that saves tokens.

    Args:
        tokens: (B, C) integers, padded on the right with -1.
        row_tokens: the most tokens of a row that several share.
    """
    lengths = (tokens >= 0).sum(axis=1)
    order = sorted(range(len(tokens)), key=[row.tobytes() for row in tokens.astype(">i4")].__getitem__)
    ordered = tokens[order]
    same = (ordered[1:] == ordered[:-1]) & (ordered[1:] >= 0)
    common = np.logical_and.accumulate(same, axis=1).sum(axis=1).tolist()  # with the one before
    groups: list[Group] = []
    for k, (i, length) in enumerate(zip(order, lengths[order].tolist(), strict=True)):
        joined = _join(groups[-1], i, length, common[k - 1], row_tokens) if groups else None
        if joined is None:
            groups.append(Group([i], length, length))
        else:
            groups[-1] = joined
    return sorted((g._replace(members=sorted(g.members)) for g in groups), key=lambda g: g.members[0])


def _join(to: Group, i: int, length: int, common: int, row_tokens: int) -> Group | None:
    """The group with conversation `i` in it; None where two rows are better."""
    m, shared = len(to.members), min(to.shared, common)
    saved = m * shared - (m - 1) * to.shared
    width = to.width + length - saved
    if saved <= 0 or shared < LEAST_SHARE * length or width > row_tokens:
        return None
    return Group([*to.members, i], shared, width)


def pack(tokens: np.ndarray, groups: Sequence[Group]) -> SharedRows:
    """One row a group. `members` count the rows of `tokens`, (B, C) padded with -1; each is in one group."""
    lengths = (tokens >= 0).sum(axis=1)
    width = -(-max(g.width for g in groups) // _WIDTH) * _WIDTH
    ids, positions = (np.zeros((len(groups), width), dtype=np.int64) for _ in range(2))
    branch = np.full((len(groups), width), -1, dtype=np.int64)  # 0 shared, 1.. what is a member's own, -1 padding
    places = np.zeros((len(tokens), int(lengths.max())), dtype=np.int64)
    for row, (members, shared, _) in enumerate(groups):
        start = shared
        ids[row, :shared], positions[row, :shared] = tokens[members[0], :shared], np.arange(shared)
        branch[row, :shared] = 0
        for b, i in enumerate(members, start=1):
            n = int(lengths[i])
            end = start + n - shared
            ids[row, start:end], positions[row, start:end] = tokens[i, shared:n], np.arange(shared, n)
            branch[row, start:end] = b
            places[i, :shared] = row * width + np.arange(shared)
            places[i, shared:n] = row * width + np.arange(start, end)
            start = end
    mask = tree_mask(torch.from_numpy(branch)) if any(len(g.members) > 1 for g in groups) else None
    return SharedRows(torch.from_numpy(ids), torch.from_numpy(positions), mask, torch.from_numpy(places))


def tree_mask(branch: Tensor) -> Tensor:
    """Who may look where: earlier tokens of the beginning and of the same branch; padding sees its own kind.

    (R, W) int64, 0 the beginning, 1.. a branch, -1 padding -> (R, 1, W, W) bool.
    """
    causal = torch.ones(branch.shape[1], branch.shape[1], dtype=torch.bool).tril()
    return (causal & ((branch[:, :, None] == branch[:, None, :]) | (branch[:, None, :] == 0)))[:, None]
