"""Laws of `TextSpace`, and of objects as arguments."""

from __future__ import annotations

import copy
import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import CustomSpaceError
from gymnasium.spaces.utils import is_space_dtype_shape_equiv
from gymnasium.vector.utils import (
    batch_differing_spaces,
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    iterate,
    read_from_shared_memory,
    write_to_shared_memory,
)

from textgym.envs.references import Reference, SpecHolder, hold, release
from textgym.envs.spaces import TextSpace


def test_contains_any_text_and_nothing_else() -> None:
    for text in ("", "a", "\x00\n", "Grüße 東京 🎉", "\ud800", "x" * 10**6):
        assert text in TextSpace()
    for other in (None, 5, b"a", ["a"], np.array("a")):
        assert other not in TextSpace()
    assert "abc" in TextSpace(3)
    assert "abcd" not in TextSpace(3)
    with pytest.raises(ValueError, match="max_length"):
        TextSpace(-1)


@pytest.mark.parametrize("max_length", [None, 0, 1, 5])
def test_samples_are_elements_and_repeat_under_a_seed(max_length: int | None) -> None:
    space = TextSpace(max_length, seed=3)
    first = [space.sample() for _ in range(200)]
    space.seed(3)
    assert [space.sample() for _ in range(200)] == first
    assert all(text in space for text in first)
    assert "" in first
    for text in first:
        text.encode("utf-8")  # no lone surrogates
    for argument in ("mask", "probability"):
        with pytest.raises(ValueError, match=argument):
            space.sample(**{argument: 1})


def test_samples_are_varied() -> None:
    space = TextSpace(seed=0)
    characters = set("".join(space.sample() for _ in range(500)))
    for low, high in ((0x20, 0x7E), (0xC0, 0x17F), (0x300, 0x36F), (0x4E00, 0x9FFF), (0x1F300, 0x1F64F)):
        assert any(low <= ord(c) <= high for c in characters)


def test_equality_pickle_and_json() -> None:
    space = TextSpace(7, seed=1)
    assert space == TextSpace(7) == copy.deepcopy(space) == pickle.loads(pickle.dumps(space))
    assert space != TextSpace() != gym.spaces.Text(7)
    assert len({TextSpace(7), TextSpace(7), TextSpace()}) == 2
    assert [repr(TextSpace()), repr(TextSpace(7))] == ["TextSpace()", "TextSpace(7)"]
    samples = ["", "東京 🎉", "\ud800"]
    assert space.from_jsonable(json.loads(json.dumps(space.to_jsonable(samples)))) == samples


def test_batches_are_tuples() -> None:
    single = TextSpace(9, seed=1)
    batch = batch_space(single, 4)
    assert batch == gym.spaces.Tuple([TextSpace(9)] * 4)
    assert batch == batch_differing_spaces([single] * 4)
    assert batch.sample() in batch
    assert len({text for _ in range(20) for text in batch.sample()}) > 10  # rows do not repeat each other
    texts = ("", "b", "ü", "🎉")
    assert tuple(iterate(batch, texts)) == texts
    out = create_empty_array(single, n=4)
    assert out in batch
    assert concatenate(single, list(texts), out) == texts
    assert create_empty_array(single, n=None) in single
    assert is_space_dtype_shape_equiv(single, TextSpace())
    assert not is_space_dtype_shape_equiv(single, gym.spaces.Discrete(2))
    state = copy.deepcopy(single).sample()
    batch_space(single, 3)
    assert single.sample() == state  # batching draws nothing


def test_shared_memory_is_refused_with_the_way_out() -> None:
    for call in (
        lambda: create_shared_memory(TextSpace()),
        lambda: read_from_shared_memory(TextSpace(), None),
        lambda: write_to_shared_memory(TextSpace(), 0, "a", None),
    ):
        with pytest.raises(CustomSpaceError, match="shared_memory=False"):
            call()


class Holder(SpecHolder):
    pass


def test_references_survive_deep_copies_and_name_themselves() -> None:
    class Thing:
        def __deepcopy__(self, memo: dict) -> Thing:
            raise RuntimeError("copied")

    thing, holder = Thing(), Holder()
    holder.spec = EnvSpec("x/Y-v0", kwargs={"reward": {"type": "sum", "parts": [1, thing]}, "data_seed": np.int64(3)})
    spec = copy.deepcopy(holder.spec)
    assert spec is not None
    assert release(spec.kwargs["reward"]["parts"])[1] is thing
    assert spec == copy.deepcopy(spec)
    with pytest.raises(ValueError, match="reward"):
        spec.to_json()


def test_what_json_knows_is_held_as_it_is() -> None:
    plain = {"a": None, "b": [1, 2.5, True, "x"], "c": {"d": {}}}
    assert hold(plain) == release(hold(plain)) == plain
    assert hold((1, 2)) == [1, 2]
    assert hold(np.float32(0.5)) == 0.5
    assert hold(gym.vector.AutoresetMode.DISABLED) == "Disabled"
    assert isinstance(hold({1: 2}), Reference)
    assert hold(hold(len)) == hold(len)
    assert release(hold(len)) is len
    holder = Holder()
    holder.spec = EnvSpec("x/Y-v0", kwargs=plain)
    assert EnvSpec.from_json(holder.spec.to_json()) == holder.spec
