"""Counts that may be shown: nobody is singled out, not even by somebody who adds and subtracts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlib.audience.disclosure import (
    HIDDEN,
    LEAST_POSSIBLE,
    TOTAL,
    WITHHELD,
    protect_counts,
    round_count,
    tell_count,
    tell_counts,
)


def crosstab(counts, row="segment", column="island"):
    counts = np.array(counts)
    return pd.DataFrame(
        counts,
        index=pd.Index([f"{row} {place}" for place in range(counts.shape[0])], name=row),
        columns=pd.Index([f"{column} {place}" for place in range(counts.shape[1])], name=column),
    )


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "<10"), (1, "<10"), (9, "<10"), (10, "10"), (12, "10"), (13, "15"), (1_234, "1,235"), (1_232, "1,230")],
)
def test_a_count_is_rounded_and_a_small_one_hidden(count, told):
    assert tell_count(count) == told


def test_columns_of_counts_are_told_and_what_is_missing_stays_so():
    frame = pd.DataFrame({"name": ["a", "b"], "sent": [101, 3], "opened": [np.nan, 44.0]})
    told = tell_counts(frame, ["sent", "opened"])
    assert told["sent"].tolist() == ["100", "<10"]
    assert told["opened"].isna().tolist() == [True, False]
    assert told["opened"][1] == "45"
    assert frame["sent"].tolist() == [101, 3]


def test_a_table_is_shown_with_its_totals():
    protected = protect_counts({"both": crosstab([[104, 52, 3], [61, 33, 28]])})
    table = protected.tables["both"]
    assert table.columns.tolist() == ["segment", "island 0", "island 1", "island 2", TOTAL]
    assert table.iloc[0].tolist() == ["segment 0", "105", "50", "<10", "160"]
    assert table.iloc[-1].tolist() == [TOTAL, "165", "85", "30", "280"]
    cells = protected.cells["both"]
    assert cells["customers"].fillna(-1).tolist() == [105, 50, -1, 60, 35, 30]
    assert protected.totals["island"]["customers"].tolist() == [165, 85, 30]


def shown_range(text, people):
    if text == HIDDEN:
        return range(10)
    if text == WITHHELD:
        return range(people + 1)
    count = int(text.replace(",", ""))
    return range(max(10, count - 2), count + 3)


def possible_values(table, people):
    """All values each cell can have, found by trying every table that would be shown like this one."""
    body = table.iloc[:-1, 1:-1].to_numpy()
    ranges = [np.array(shown_range(text, people)) for text in body.ravel()]
    tried = np.stack([grid.ravel() for grid in np.meshgrid(*ranges, indexing="ij")], axis=1)
    tried = tried[tried.sum(axis=1) == people].reshape(-1, *body.shape)
    for axis, totals in ((2, table[TOTAL].tolist()[:-1]), (1, table.iloc[-1, 1:-1].tolist())):
        for place, text in enumerate(totals):
            sums = tried.sum(axis=axis)[:, place]
            allowed = shown_range(text, people)
            tried = tried[(sums >= allowed.start) & (sums < allowed.stop)]
    return [[np.unique(tried[:, row, column]) for column in range(body.shape[1])] for row in range(body.shape[0])]


#: Row and column each leave a wide choice for the 1, and together none.
GIVEN_AWAY = [[1, 12], [13, 11], [18, 11]]


def test_a_count_that_totals_give_away_is_protected():
    counts = crosstab(GIVEN_AWAY)
    people = int(counts.to_numpy().sum())
    naive = counts.map(tell_count)
    naive.insert(0, "segment", list(counts.index))
    naive[TOTAL] = [tell_count(total) for total in counts.sum(axis=1)]
    naive.loc[TOTAL] = [TOTAL, *(tell_count(total) for total in counts.sum(axis=0)), tell_count(people)]
    assert possible_values(naive, people)[0][0].tolist() == [1]

    table = protect_counts({"both": counts}).tables["both"]
    assert (table == WITHHELD).to_numpy().sum() >= 1
    assert len(possible_values(table, people)[0][0]) >= LEAST_POSSIBLE


@pytest.mark.parametrize("seed", range(25))
def test_no_small_count_can_be_worked_out(seed):
    """Of tables small enough to try all that would be shown alike."""
    rng = np.random.default_rng(seed)
    counts = np.where(rng.random((2, 2)) < 0.5, rng.integers(0, 10, (2, 2)), rng.integers(10, 40, (2, 2)))
    people = int(counts.sum())
    table = protect_counts({"both": crosstab(counts)}).tables["both"]
    possible = possible_values(table, people)
    for row, column in np.argwhere(counts < 10):
        values = possible[row][column]
        assert counts[row, column] in values
        assert len(values) >= min(LEAST_POSSIBLE, people + 1), table


@pytest.mark.parametrize("seed", range(5))
def test_what_is_shown_is_true_within_the_rounding(seed):
    rng = np.random.default_rng(seed)
    counts = rng.negative_binomial(0.5, 0.01, size=(6, 5))
    table = protect_counts({"both": crosstab(counts)}).tables["both"]
    for told, count in zip(table.iloc[:-1, 1:-1].to_numpy().ravel(), counts.ravel(), strict=True):
        assert count in shown_range(told, int(counts.sum()))
    for told, count in zip(table.iloc[-1, 1:-1], counts.sum(axis=0), strict=True):
        assert told == WITHHELD or count in shown_range(told, int(counts.sum()))


def test_a_total_withheld_in_one_table_is_withheld_in_all():
    counts = crosstab(GIVEN_AWAY)
    other = crosstab([[1, 12], [12, 12], [16, 13]], column="stage")
    assert (protect_counts({"other": other}).tables["other"][TOTAL] != WITHHELD).all()
    protected = protect_counts({"both": counts, "other": other})
    gone = protected.tables["both"][TOTAL] == WITHHELD
    columns_gone = protected.tables["both"].iloc[-1] == WITHHELD
    assert gone.any() or columns_gone.any()
    assert (protected.tables["other"][TOTAL] == WITHHELD).tolist() == gone.tolist()
    assert protected.totals["segment"]["customers"].isna().tolist() == gone.tolist()[:-1]


def test_everybody_in_every_row_is_known_exactly():
    """A row of reasons per channel: the number of customers is on every page."""
    counts = crosstab([[90, 7, 3], [40, 57, 3]], row="channel", column="reason")
    table = protect_counts({"reasons": counts}, in_every_row=True).tables["reasons"]
    assert table[TOTAL].tolist() == ["100", "100", "200"]
    assert len(possible_values_of_row(table.iloc[0, 1:-1], 100)) >= LEAST_POSSIBLE


def possible_values_of_row(told, people):
    first, second, third = (shown_range(text, people) for text in told)
    return {small for big in first for small in second if people - big - small in third}


@pytest.mark.parametrize("counts", [[[0]], [[3]], [[0, 0], [0, 0]], [[2, 1], [0, 1]]])
def test_too_few_people_show_nothing(counts):
    table = protect_counts({"both": crosstab(counts)}).tables["both"]
    assert not table.iloc[:, 1:].map(lambda text: text.isdigit()).to_numpy().any()


def test_rounding_is_to_the_nearest_five():
    assert [round_count(count) for count in range(10, 21)] == [10, 10, 10, 15, 15, 15, 15, 15, 20, 20, 20]
