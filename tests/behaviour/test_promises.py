"""The ledger of room 06: promises are kept, and scored once their day is past."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import promises

MADE_ON = date(2026, 1, 31)


def make_promises(summary=None, error=0.0, horizons=(7, 28)) -> pd.DataFrame:
    summary = pd.DataFrame({"customer_id": ["a", "b", "c"], "frequency": [0, 2, 5]}) if summary is None else summary
    values = pd.DataFrame({"customer_id": summary["customer_id"]})
    for days in horizons:
        values[f"p_buy_{days}d"] = np.linspace(0.2, 0.8, len(summary))
        values[f"expected_purchases_{days}d"] = days / 7
    return promises.promise_purchases(summary, values, MADE_ON, horizons, error)


def test_what_is_promised_is_the_sum_over_the_customers():
    made = make_promises().set_index(["segment", "metric", "due_on"])
    due_on = MADE_ON + timedelta(days=28)
    assert made.loc[("all", "buyers", due_on), "promised"] == pytest.approx(1.5)
    assert made.loc[("repeat buyers", "purchase days", due_on), "promised"] == pytest.approx(8)
    assert made.loc[("one purchase day", "buyers", due_on), "promised"] == pytest.approx(0.2)
    assert len(made) == 12
    assert made["happened"].isna().all()


def test_an_error_of_the_past_widens_the_interval():
    narrow, wide = make_promises(), make_promises(error=0.5)
    assert (wide["promised_high"] > narrow["promised_high"]).all()
    assert (wide["promised_low"] >= 0).all()


def test_intervals_of_independent_customers_hold_four_in_five():
    random = np.random.default_rng(4)
    people = 500
    summary = pd.DataFrame({"customer_id": [str(number) for number in range(people)], "frequency": 1})
    made = make_promises(summary).set_index(["segment", "metric"]).loc[("all", "buyers")].iloc[0]
    bought = (random.random((4_000, people)) < np.linspace(0.2, 0.8, people)).sum(axis=1)
    inside = ((bought >= made["promised_low"]) & (bought <= made["promised_high"])).mean()
    assert 0.77 < inside < 0.83


def test_what_is_due_is_scored_and_the_rest_waits(deliver):
    tickets = pd.DataFrame(
        {
            "source_record_id": ["a", "b", "b", "b", "b", "c", "d"],
            "bought_at": pd.to_datetime(
                ["2026-01-01", "2026-01-01", "2026-01-10", "2026-02-03", "2026-02-05", "2026-01-20", "2026-02-04"]
            ),
        }
    )
    engine = deliver(tickets)
    engine.register("base_ledger", make_promises())
    scored = promises.score_purchases(engine, "base_ledger", MADE_ON + timedelta(days=10))
    week = scored[scored["due_on"] == MADE_ON + timedelta(days=7)].set_index(["segment", "metric"])["happened"]
    # d came after the promise was made, and is in none
    assert week.to_dict() == {
        ("all", "buyers"): 1,
        ("all", "purchase days"): 2,
        ("one purchase day", "buyers"): 0,
        ("one purchase day", "purchase days"): 0,
        ("repeat buyers", "buyers"): 1,
        ("repeat buyers", "purchase days"): 2,
    }
    assert scored.loc[scored["due_on"] > MADE_ON + timedelta(days=7), "happened"].isna().all()
    listed = promises.list_kept(scored)
    assert len(listed) == 6
    assert set(listed["kept"]) <= {"yes", "fewer came", "more came"}


def test_the_ledger_goes_on_and_a_day_promised_again_stands_once():
    first = make_promises()
    again = promises.carry_on(first, make_promises())
    pd.testing.assert_frame_equal(again, first)
    assert promises.carry_on(pd.DataFrame(columns=promises.COLUMNS), first) is first


def test_without_a_base_nothing_was_promised(deliver):
    engine = deliver(pd.DataFrame({"source_record_id": ["a"], "bought_at": pd.to_datetime(["2026-01-01"])}))
    assert promises.score_purchases(engine, None, MADE_ON).empty
    assert promises.list_kept(promises.score_purchases(engine, None, MADE_ON)).empty


def test_the_error_is_that_of_the_last_origin():
    judged = pd.DataFrame({"p_buy_28d": [0.5] * 10, "next_purchase_days": [10.0] * 4 + [np.nan] * 6})
    assert promises.find_relative_error(judged, 28) == pytest.approx(0.25)
    assert promises.find_relative_error(pd.DataFrame(), 28) == 0
