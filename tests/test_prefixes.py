"""Conversations that begin alike share a row, and a model says of each what it says of it alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiny import tiny_policy, tiny_tokenizer

torch = pytest.importorskip("torch")

from textgym.models.language_model import trunk  # noqa: E402
from textgym.models.prefixes import group, pack  # noqa: E402
from textgym.wrappers.reader import CachedReader, read_rows, read_steps  # noqa: E402

V = tiny_tokenizer().vocab_size


def padded(rows: list[list[int]], width: int = 0) -> np.ndarray:
    width = width or max(map(len, rows))
    return np.array([row + [-1] * (width - len(row)) for row in rows])


def family(rng: np.random.Generator, prompts: int, samples: int) -> list[list[int]]:
    """Samples of some prompts, of uneven lengths, in any order."""
    rows = []
    for _ in range(prompts):
        prompt = rng.integers(V, size=int(rng.integers(5, 20))).tolist()
        rows += [prompt + rng.integers(V, size=int(rng.integers(1, 12))).tolist() for _ in range(samples)]
    return [rows[i] for i in rng.permutation(len(rows))]


def test_groups_by_hand() -> None:
    rows = padded([[1, 2, 3, 4], [9, 9], [1, 2, 3, 5, 6], [1, 2, 3], [7, 8, 9]])
    assert [tuple(g) for g in group(rows)] == [([0, 2, 3], 3, 6), ([1], 2, 2), ([4], 3, 3)]
    assert [g.members for g in group(rows, row_tokens=5)] == [[0], [1], [2, 3], [4]]


def test_a_beginning_too_short_to_be_worth_it_is_not_shared() -> None:
    rows = padded([[1, 2, *range(10, 20)], [1, 2, *range(30, 40)]])
    assert [g.members for g in group(rows)] == [[0], [1]]


def test_strangers_do_not_shorten_what_siblings_share() -> None:
    siblings = [[1, 2, 3, 4, 5, 6, 7, 8, k] for k in (20, 21, 22)]
    groups = group(padded([*siblings, [1, 2, 3, 40, 41]]))
    assert [(g.members, g.shared) for g in groups] == [([0, 1, 2], 8), ([3], 5)]


def test_every_conversation_is_found_in_its_row_and_nothing_is_held_twice() -> None:
    rng = np.random.default_rng(0)
    tokens = padded(family(rng, prompts=5, samples=4))
    groups = group(tokens)
    packed = pack(tokens, groups)
    lengths = (tokens >= 0).sum(axis=1)
    assert sorted(i for g in groups for i in g.members) == list(range(len(tokens)))
    for i, n in enumerate(lengths):
        where = packed.places[i, :n]
        assert packed.tokens.flatten()[where].tolist() == tokens[i, :n].tolist()
        assert packed.position_ids.flatten()[where].tolist() == list(range(n))
        assert packed.mask is not None
        row, columns = int(where[0]) // packed.tokens.shape[1], where % packed.tokens.shape[1]
        looks_at = packed.mask[row, 0, columns[-1]].nonzero().squeeze(1)
        assert sorted(looks_at.tolist()) == sorted(columns.tolist())
    assert sum(g.width for g in groups) < 0.7 * lengths.sum()


def test_a_model_says_the_same_of_shared_rows() -> None:
    model, rng = tiny_policy(), np.random.default_rng(1)
    tokens = padded(family(rng, prompts=4, samples=3))
    packed = pack(tokens, group(tokens))
    with torch.no_grad():
        hidden = trunk(model, packed.tokens, packed.position_ids, packed.mask).flatten(0, 1)
        for i, row in enumerate(tokens):
            ids = torch.from_numpy(row[row >= 0])[None]
            alone = trunk(model, ids, torch.arange(ids.shape[1])[None])[0]
            torch.testing.assert_close(hidden[packed.places[i, : ids.shape[1]]], alone, atol=1e-5, rtol=1e-5)


def steps_of(rows: list[list[int]], last: int, width: int) -> tuple[Any, Any]:
    """The last few steps of each conversation: what was seen, what was said."""
    seen = [row[:n] for row in rows for n in range(len(row) - last, len(row))]
    said = [row[n] for row in rows for n in range(len(row) - last, len(row))]
    return torch.from_numpy(padded(seen, width)), torch.tensor(said)


@pytest.mark.parametrize("kind", ["siblings", "strangers"])
def test_training_steps_have_the_values_and_the_gradients_of_rows_alone(kind: str) -> None:
    rng = np.random.default_rng(2)
    rows = family(rng, 3, 4) if kind == "siblings" else family(rng, 8, 1)
    tokens, actions = steps_of([row for row in rows if len(row) > 3], last=3, width=40)
    weights = torch.from_numpy(rng.normal(size=(len(tokens), 32))).float()
    found = []
    for read in (lambda m: read_steps(m, tokens, actions), lambda m: read_rows(m, tokens)):
        model = tiny_policy()
        hidden = read(model)
        (hidden * weights).sum().backward()
        found.append((hidden.detach(), [p.grad for p in model.base_model.parameters()]))
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-5, rtol=1e-5)
    for ours, alone in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(ours, alone, atol=1e-4, rtol=1e-4)


def test_a_row_that_begins_what_another_row_holds_takes_it_over() -> None:
    model, rng = tiny_policy(), np.random.default_rng(3)
    prompt, other = rng.integers(V, size=12).tolist(), rng.integers(V, size=9).tolist()
    reader = CachedReader(model, 32)
    for rows, cost in (
        ([prompt, other, other], 12 + 9 + 7),  # rounded up to rows of 16 and no third row
        ([[*prompt, 5], [*other, 6], [*other, 7]], 3),
        ([[*prompt, 5, 8], prompt, [*other, 7, 7]], 3),  # the second row begins the first one's prompt
        ([[*prompt, 5, 8, 9], [*prompt, 1], prompt], 3),
        ([other, [*prompt, 1, 2], [*prompt, 3]], 3 + 16),  # nobody holds it any more: read from its beginning
    ):
        tokens = torch.from_numpy(padded(rows, 32))
        before = reader.tokens_read
        hidden = reader.read(tokens)
        with torch.no_grad():
            torch.testing.assert_close(hidden, read_rows(model, tokens), atol=1e-5, rtol=1e-5)
        assert reader.tokens_read - before <= cost + 4
