from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crmlib.demo.chance import Choice, key_of, scatter, stream


@given(space=st.integers(2, 5_000), key=st.integers(0, 2**32 - 1))
def test_scatter_is_one_to_one(space: int, key: int) -> None:
    scattered = scatter(np.arange(space), space, key)
    assert np.array_equal(np.sort(scattered), np.arange(space))


def test_scattered_numbers_show_neither_order_nor_each_other() -> None:
    numbers = np.arange(20_000)
    one, other = (scatter(numbers, 10**8, key_of(1, name)) for name in ("dni", "mobile"))
    for a, b in ((one[1:], one[:-1]), (one, numbers), (one, other)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.03


def test_choice_draws_by_weight_within_the_group() -> None:
    choice = Choice.of([[1.0, 0.0, 3.0], [0.0, 5.0, 0.0]])
    drawn = choice.draw(np.random.default_rng(1), 40_000, np.repeat([0, 1], 20_000))
    assert set(drawn[20_000:]) == {1}
    assert np.bincount(drawn[:20_000], minlength=3)[1] == 0
    assert abs((drawn[:20_000] == 2).mean() - 0.75) < 0.015


def test_streams_differ_by_name_and_piece_and_repeat() -> None:
    drawn = [stream(1, name, first).random() for name, first in (("a", 0), ("b", 0), ("a", 20_000), ("a", 0))]
    assert drawn[0] == drawn[3]
    assert len(set(drawn)) == 3
