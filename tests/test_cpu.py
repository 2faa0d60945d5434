"""Settings of a process that trains on a CPU, and rows of few widths."""

from __future__ import annotations

import ctypes
import os

import numpy as np
import pytest

from textgym.agents.cpu import WIDTH, prepare_cpu, round_up
from textgym.agents.packing import Episode, pack

VARIABLE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def test_a_users_own_setting_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "77")
    prepare_cpu()
    assert os.environ[VARIABLE] == "77"
    monkeypatch.delenv(VARIABLE)
    prepare_cpu()
    assert int(os.environ[VARIABLE]) > 1024, "more than by default"


@pytest.mark.parametrize("error", [OSError, AttributeError, TypeError])
def test_other_systems_lack_the_allocators_settings(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "77")

    def fail(name: str | None) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", fail)
    prepare_cpu()


def test_rows_of_any_lengths_have_few_widths() -> None:
    lengths = np.random.default_rng(0).integers(1, 90, size=(50, 2))
    widths = {pack([Episode([5] * p, [6] * c, [True] * c)]).tokens.shape[1] for p, c in lengths}
    assert all(width % WIDTH == 0 for width in widths)
    assert len(widths) <= 180 // WIDTH
    assert [round_up(n) for n in (1, WIDTH, WIDTH + 1)] == [WIDTH, WIDTH, 2 * WIDTH]
