from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from crmlib.demo.effects import HORIZONS, OUTCOMES, count_effects, effect_table
from crmlib.demo.retailer import write_retailer
from crmlib.demo.story import Story
from tests.demo.conftest import AS_OF_DATE, SEASON

SECONDS_PER_DAY = 86_400
#: Lifts that a retailer of this size can see.
LARGE = ("black_friday", "christmas", "back_to_school")


@pytest.fixture(scope="module")
def effects(story: Story) -> pd.DataFrame:
    sums = count_effects(
        story.history, story.occasions, story.seen_occasions(), story.amounts(), story.campaigns, SEASON.days
    )
    table = effect_table(sums, story.campaigns, HORIZONS).to_pandas()
    return table.assign(communication=table["campaign_id"].str.rsplit("-", n=1).str[0])


def test_what_was_made_is_what_the_tickets_say(story: Story, effects: pd.DataFrame) -> None:
    sends, bought = story.history.sends, story.history.purchases
    moments = bought.person * np.int64(10**9) + bought.second
    amount = np.concatenate([[0], np.cumsum(story.tickets.amount[: len(bought)])])
    seen = story.seen_occasions()[bought.occasion]
    for days in HORIZONS:
        some = np.flatnonzero(sends.treated & (sends.day + days < SEASON.days))
        begun, ended = (
            np.searchsorted(moments, sends.person[some] * np.int64(10**9) + day * SECONDS_PER_DAY)
            for day in (sends.day[some], sends.day[some] + days)
        )
        told = effects[effects["days"] == days].set_index("outcome")
        people = told.loc["purchases", "treated"].sum()
        assert people == len(some)
        totals = {name: (told.loc[name, "rate_treated"] * told.loc[name, "treated"]).sum() for name in OUTCOMES}
        assert totals["all_purchases"] == pytest.approx((ended - begun).sum())
        cumulated = np.concatenate([[0], np.cumsum(seen)])
        assert totals["purchases"] == pytest.approx((cumulated[ended] - cumulated[begun]).sum())
        assert totals["bought"] == pytest.approx((cumulated[ended] > cumulated[begun]).sum())
        assert totals["sales"] <= (amount[ended] - amount[begun]).sum() / 100


def test_what_has_no_effect_brings_nothing_to_the_last_purchase(effects: pd.DataFrame) -> None:
    nothing = effects[effects["planted_lift"] == 0]
    assert len(nothing) > 40
    assert (nothing["lift"] == 0).all()


def test_effects_have_their_signs_and_sizes(effects: pd.DataFrame) -> None:
    told = effects[(effects["outcome"] == "all_purchases") & (effects["treated"] > 300)].set_index("days")
    week = told.loc[7]
    assert (week["lift"][week["planted_lift"] > 0.2] > 0).all()
    assert (week["lift"][week["planted_lift"] < 0] < 0).all()
    strong = week[(week["planted_lift"].abs() > 0.25) & (week["window_days"] >= 7)]
    ratio = (strong["relative_lift"] * strong["treated"]).sum() / (strong["mean_lift"] * strong["treated"]).sum()
    assert ratio == pytest.approx(1, abs=0.1)


def test_what_was_pulled_forward_nets_to_nothing(effects: pd.DataFrame) -> None:
    school = effects[(effects["communication"] == "back_to_school") & (effects["outcome"] == "all_purchases")]
    by_days = school.groupby("days")["lift"].mean()
    assert by_days[14] > 0.15
    assert abs(by_days[56]) < 0.15 * by_days[14]


def read_lifts(folder: Path, days: int) -> pd.DataFrame:
    """Each campaign's lift in purchases that can be told whose they are, from what the retailer's tools export."""
    data, truth = folder / "data", folder / "truth"
    return duckdb.sql(
        f"""
        WITH people AS (FROM '{truth}/people.parquet'),
        shoppers AS (
          SELECT Email AS email, any_value(person_id) AS person_id
          FROM read_csv('{data}/shop/customers.csv', all_varchar = true)
          JOIN people ON source = 'shop' AND source_record_id = ltrim("Customer ID", '''')
          WHERE Email IS NOT NULL GROUP BY Email HAVING count(*) = 1
        ),
        bought AS (
          SELECT person_id, FECHA AS moment FROM '{data}/pos/tickets_[2l]*.parquet'
          JOIN people ON source IN ('loyalty', 'card') AND source_record_id = TARJETA
          WHERE TOTAL > 0
          UNION ALL
          SELECT person_id, CAST(left("Created at", 19) AS TIMESTAMP)
          FROM read_csv('{data}/shop/orders_*.csv', all_varchar = true) JOIN shoppers USING (email)
          WHERE "Created at" IS NOT NULL
        ),
        eligible AS (
          SELECT CAMPANA AS campaign_id, GRUPO = 'control' AS control, person_id, ELEGIBLE AS since
          FROM '{data}/mailing/sends.parquet'
          JOIN people ON source = SISTEMA AND source_record_id = CLIENTE
          WHERE ELEGIBLE + to_days({days}) < DATE '2026-11-02'
        ),
        counted AS (
          SELECT campaign_id, control, e.person_id, count(moment) AS purchases
          FROM eligible e LEFT JOIN bought b
            ON b.person_id = e.person_id AND moment >= since AND moment < since + to_days({days})
          GROUP BY campaign_id, control, e.person_id
        ),
        arms AS (
          SELECT campaign_id, control, count(*) AS n, avg(purchases) AS mean, var_samp(purchases) AS variance
          FROM counted GROUP BY campaign_id, control
        )
        SELECT t.campaign_id, t.mean - c.mean AS lift, sqrt(t.variance / t.n + c.variance / c.n) AS error,
          e.lift AS true_lift, e.planted_lift
        FROM arms t JOIN arms c ON t.campaign_id = c.campaign_id AND NOT t.control AND c.control
        JOIN '{truth}/effects_by_days.parquet' e
          ON e.campaign_id = t.campaign_id AND e.days = {days} AND e.outcome = 'purchases'
        WHERE least(t.n, c.n) >= 20 AND c.variance > 0
        ORDER BY t.campaign_id
        """
    ).df()


def check_lifts(lifts: pd.DataFrame, shortfall: float) -> None:
    """Intervals hold the true lifts as often as they should, and the errors add up to nothing."""
    z = (lifts["lift"] - lifts["true_lift"]) / lifts["error"]
    assert (z.abs() < 1.96).mean() > 0.95 - shortfall
    assert abs(z.sum()) / np.sqrt(len(z)) < 2.6
    assert z.var() == pytest.approx(1, abs=0.35)


def test_a_retailer_of_4000_can_measure_the_larger_effects(tmp_path: Path) -> None:
    write_retailer(tmp_path, people=4_000, as_of_date=AS_OF_DATE)
    lifts = read_lifts(tmp_path, 14)
    assert len(lifts) > 80
    check_lifts(lifts, shortfall=0.05)
    of = lifts["campaign_id"].str.rsplit("-", n=1).str[0]
    large, unwelcome = lifts[of.isin(LARGE)], lifts[of == "new_prices"]
    for some, sign in ((large, 1), (unwelcome, -1)):
        pooled, error = some["lift"].mean(), np.sqrt((some["error"] ** 2).sum()) / len(some)
        assert sign * pooled / error > 2.5
        assert abs(pooled - some["true_lift"].mean()) < 2.6 * error


@pytest.mark.full
def test_a_retailer_of_40000_measures_what_is_true(tmp_path: Path) -> None:
    write_retailer(tmp_path, people=40_000, as_of_date=AS_OF_DATE)
    for days in (7, 28):
        check_lifts(read_lifts(tmp_path, days), shortfall=0.06)
    lifts = read_lifts(tmp_path, 14)
    of = lifts["campaign_id"].str.rsplit("-", n=1).str[0]
    large = lifts[of.isin((*LARGE, "new_prices"))]
    assert (np.sign(large["planted_lift"]) * large["lift"] / large["error"] > 3).all()
    nothing = lifts[lifts["planted_lift"] == 0]
    assert (nothing["lift"].abs() / nothing["error"] < 1.96).mean() > 0.85
