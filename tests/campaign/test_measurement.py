"""Campaigns: from sends to groups, from groups to results, with one clear sentence where there is none."""

from __future__ import annotations

import math
from datetime import date

import pandas as pd
import pytest

from crmlib.campaign import exposure, funnel
from crmlib.campaign.experiment_log import write_log
from crmlib.campaign.funnel import (
    count_sends,
    list_funnels,
    sum_funnel,
    summarise_campaigns,
)
from crmlib.campaign.margins import estimate_margin_share
from crmlib.campaign.measurement import measure_campaigns
from crmlib.campaign.results import join_costs, sum_by, sum_results, sum_tree, summarise_results
from crmlib.tables import find_contract
from tests.campaign.made_sends import AS_OF, CAMPAIGN, CUTOFF, buy, measure, of, send, two_arms
from tests.made_tables import at, make_table, make_tables


def test_what_is_bought_in_the_window_counts_for_the_group_drawn(engine):
    tickets = [buy(f"t{n:03d}", days=3, amount=20) for n in range(40)] + [buy(f"k{n:03d}", days=3) for n in range(10)]
    tickets += [buy("t000", days=13), buy("t001", days=14), buy("t002", days=-1), buy("stranger", days=2)]
    results = measure(engine, two_arms(), tickets, [CAMPAIGN], margin_share=0.3)
    bought = of(results, "bought")
    assert (bought["assigned"], bought["control"], bought["delivered"]) == (80, 40, 80)
    assert (bought["rate_treatment"], bought["rate_control"]) == (0.5, 0.25)
    assert bought["lift"] == 0.25
    assert 0 < bought["lift_low"] < 0.25 < bought["lift_high"] < 0.5
    assert of(results, "purchases")["rate_treatment"] == pytest.approx(41 / 80)
    assert of(results, "sales")["rate_treatment"] == pytest.approx((40 * 20 + 10) / 80)


def test_costs_are_told_by_impact_and_by_purchase_that_would_not_have_been(engine):
    tickets = [buy(f"t{n:03d}", days=3, amount=20) for n in range(60)] + [buy(f"k{n:03d}", days=3) for n in range(10)]
    results = measure(engine, two_arms(), tickets, [CAMPAIGN], margin_share=0.3)
    row = of(results, "purchases")
    assert row["cost"] == pytest.approx(92 + 120 * 0.1)
    assert row["cost_per_impact"] == pytest.approx(104 / 80)
    assert row["cost_per_incremental_purchase"] == pytest.approx(104 / (row["lift"] * 80))
    assert row["lift"] == pytest.approx(0.5)
    margin = of(results, "margin")
    assert margin["incremental_margin"] == pytest.approx(of(results, "sales")["lift"] * 80 * 0.3)
    assert margin["incremental_margin_low"] < margin["incremental_margin"] < margin["incremental_margin_high"]
    without = measure(engine, two_arms(), tickets, [CAMPAIGN])
    assert "margin" not in set(without["outcome"])


def test_a_lift_that_may_be_nothing_has_no_cost_of_a_purchase(engine):
    tickets = [buy(f"t{n:03d}", days=3) for n in range(42)] + [buy(f"k{n:03d}", days=3) for n in range(20)]
    results = measure(engine, two_arms(), tickets, [CAMPAIGN], margin_share=0.3)
    row = of(results, "purchases")
    assert row["lift_low"] < 0 < row["lift_high"]
    assert math.isnan(row["cost_per_incremental_purchase"])
    assert of(results, "margin")["incremental_margin_low"] < 0 < of(results, "margin")["incremental_margin_high"]
    assert row["minimum_detectable_effect"] > abs(row["lift"])


def test_what_the_groups_bought_before_is_taken_off(engine):
    """By chance the treated bought somewhat more already; afterwards both buy as before."""
    bought = {f"t{n:03d}": n % 5 for n in range(80)} | {f"k{n:03d}": n % 4 for n in range(40)}
    tickets = [buy(person, days=day) for person, times in bought.items() for day in [*range(times), *range(-times, 0)]]
    row = of(measure(engine, two_arms(), tickets, [CAMPAIGN]), "purchases")
    assert row["rate_treatment"] - row["rate_control"] == pytest.approx(0.5)
    assert row["lift"] == pytest.approx(0.0, abs=1e-9)


def test_groups_that_were_unlike_before_stop_the_figures(engine):
    tickets = [buy(f"t{n:03d}", days=-day - 1) for n in range(80) for day in range(2 * (n % 4))]
    tickets += [buy(f"k{n:03d}", days=-day - 1) for n in range(40) for day in range(n % 4)]
    results = measure(engine, two_arms(), tickets, [CAMPAIGN])
    assert set(results["method"]) == {"withheld: groups unlike before"}
    assert results[["lift", "delivered_lift", "joint_lift", "p_value"]].isna().all(axis=None)
    assert "bought differently before" in of(results, "purchases")["checks"]


@pytest.mark.parametrize(
    ("sends", "campaign", "method", "word"),
    [
        (two_arms(control=0), CAMPAIGN, "no control group", "what came after it is not what came of it"),
        (two_arms(control=5), CAMPAIGN, "groups too small", "no comparison"),
        (
            two_arms(treated=100, control=100),
            CAMPAIGN | {"control_share": 0.1},
            "withheld: not split as planned",
            "not split as planned",
        ),
        (two_arms(eligible_at=at("2026-10-31")), CAMPAIGN, "too early", "window is over"),
    ],
    ids=["no control", "small", "split", "early"],
)
def test_where_there_is_no_lift_the_reason_is_said(engine, sends, campaign, method, word):
    results = measure(engine, sends, [buy("t000", 1)], [campaign])
    assert set(results["method"]) == {method}
    assert results[["lift", "lift_low", "lift_high", "minimum_detectable_effect"]].isna().all(axis=None)
    assert all(word in checks for checks in results["checks"])


def test_a_campaign_that_is_not_listed_is_measured_by_its_sends(engine):
    results = measure(engine, two_arms(), [buy(f"t{n:03d}", 2) for n in range(40)])
    assert not math.isnan(of(results, "purchases")["lift"])
    assert "not checked" in of(results, "purchases")["checks"]
    (told,) = engine.rows("SELECT name, category, channel, starts_on FROM campaign_funnel")
    assert told == {"name": "spring", "category": "cycle", "channel": "email", "starts_on": date(2026, 9, 1)}


def test_sends_without_a_campaign_are_put_together_by_communication(engine):
    sends = [*two_arms(campaign_id=None, communication_id="welcome"), send("x1", campaign_id=None)]
    results = measure(engine, sends)
    assert set(results["campaign_id"]) == {"communication welcome", "sends without a campaign"}
    assert "put together by communication" in of(results, "bought", "communication welcome")["checks"]
    assert count_sends(engine) == {"sends": 121, "unnamed": 121, "nobody": 0, "ungrouped": 0}


def test_whoever_is_eligible_again_counts_from_the_first_time(engine):
    again = [row | {"send_id": f"again {row['send_id']}", "eligible_at": at("2026-10-01")} for row in two_arms()]
    tickets = [buy(f"t{n:03d}", 3) for n in range(40)] + [buy(f"t{n:03d}", 31) for n in range(40)]
    results = measure(engine, two_arms() + again, tickets, [CAMPAIGN])
    assert of(results, "bought")["assigned"] == 80
    assert of(results, "purchases")["rate_treatment"] == 0.5


def test_a_customer_drawn_under_two_records_counts_once(engine):
    """One of the records is chosen by a hash, so that the choice knows nothing of the groups."""
    pairs = {f"{kind}{n:03d}": f"c{n:03d}" for kind in "tk" for n in range(400)}
    results = measure(engine, two_arms(400, 400), customers=pairs)
    row = of(results, "bought")
    assert row["assigned"] + row["control"] == 400
    assert 150 < row["assigned"] < 250
    assert "drawn into both groups" in row["checks"]


def test_rows_in_any_order_give_the_same(engine):
    pairs = {f"{kind}{n:03d}": f"c{n:03d}" for kind in "tk" for n in range(50)}
    sends, tickets = two_arms(80, 60), [buy(f"t{n:03d}", 3) for n in range(40)]
    first = measure(engine, sends, tickets, [CAMPAIGN], pairs)
    pd.testing.assert_frame_equal(measure(engine, sends[::-1], tickets[::-1], [CAMPAIGN], pairs), first)


def test_nothing_after_the_as_of_date_is_used(engine):
    late = two_arms(eligible_at=at("2026-10-25"))
    results = measure(
        engine, two_arms() + [row | {"send_id": "late " + row["send_id"], "campaign_id": "late"} for row in late]
    )
    assert of(results, "bought", "late")["method"] == "too early"
    mixed = two_arms() + [send(f"n{n:03d}", eligible_at=at("2026-10-25")) for n in range(40)]
    row = of(measure(engine, mixed, campaigns=[CAMPAIGN]), "bought")
    assert row["assigned"] == 80
    assert "25.0% of the people became eligible too late" in row["checks"]


def test_the_funnel_narrows(engine):
    sends = two_arms()
    sends[0] |= {"sent_at": None, "delivered": None}
    sends[1] |= {"delivered": False, "bounced": True}
    sends[2] |= {"opened": True, "clicked": True, "redeemed": False, "unsubscribed": True}
    sends[3] |= {"opened": True, "delivered": None}
    measure(engine, sends, [buy("t000", 1), buy("t003", 1), buy("k000", 1)], [CAMPAIGN])
    (row,) = list_funnels(engine).to_dict("records")
    assert row | {"starts_on": None} == {
        "name": "Spring", "starts_on": None, "eligible": 120, "assigned": 80, "sent": 79, "delivered": 78, "opened": 2,
        "clicked": 1, "redeemed": 0, "bought": 2, "unsubscribed": 1,
    }  # fmt: skip
    steps = sum_funnel(engine)
    assert steps["people"].tolist() == [120, 80, 79, 78, 2, 1, 0, 2]
    assert steps["step"].iloc[-1] == "bought in the window"


def test_what_nobody_reports_is_left_out_of_the_funnel(engine):
    measure(engine, two_arms(), campaigns=[CAMPAIGN])
    assert list_funnels(engine)[["opened", "clicked", "redeemed"]].isna().all(axis=None)
    assert "opened" not in sum_funnel(engine)["step"].tolist()


def test_margin_is_told_by_tickets_else_by_costs(engine):
    make_tables(engine, "tickets", "ticket_lines", "products")
    assert estimate_margin_share(engine) is None
    make_table(engine, "products", [{"product_id": "p", "cost": 6}])
    lines = [{"product_id": "p", "quantity": 2, "amount": 20}, {"product_id": "q", "quantity": 1, "amount": 99}]
    make_table(engine, "ticket_lines", lines)
    assert estimate_margin_share(engine) == pytest.approx(0.4)
    make_table(engine, "tickets", [{"amount": 10, "margin": 3}, {"amount": 30, "margin": 7}, {"amount": 50}])
    assert estimate_margin_share(engine) == pytest.approx(0.25)


def test_results_are_put_beside_what_the_campaigns_were(engine):
    tickets = [buy(f"t{n:03d}", 3) for n in range(40)]
    older = two_arms(control=0, campaign="older", eligible_at=at("2026-03-01"))
    results = measure(engine, two_arms() + older, tickets, [CAMPAIGN])
    told = summarise_results(engine, results)
    assert told[["name", "category", "verdict"]].to_numpy().tolist() == [
        ["Spring", "online", "brings more"], ["older", "cycle", "no control group"],
    ]  # fmt: skip
    assert summarise_results(engine, results, since=date(2026, 6, 1))["name"].tolist() == ["Spring"]
    summed = sum_results(told)
    assert (summed["campaigns"], summed["measured"], summed["better"], summed["worse"]) == (2, 1, 1, 0)
    assert summed["incremental"] == pytest.approx(told["lift"][0] * 80)
    assert summed["low"] == pytest.approx(told["lift_low"][0] * 80, rel=1e-3)
    assert summed["incremental_share"] == pytest.approx(1.0)
    by_category = sum_by(told, "category").set_index("category")
    assert by_category["campaigns"].to_dict() == {"cycle": 1, "online": 1}
    assert by_category.loc["cycle", "measured"] == 0
    assert by_category["lift"].tolist() == [pytest.approx(told["lift"][0]), pytest.approx(math.nan, nan_ok=True)]
    assert sum_by(told, "communication")["communication"].tolist() == ["Spring", "older"]
    beyond = [summarise_results(engine, results, outcome) for outcome in ("purchases_net", "margin")]
    costs = join_costs(told, *beyond).set_index("name")
    assert costs.loc["Spring", ["cost", "incremental"]].tolist() == [told["cost"][0], summed["incremental"]]
    assert math.isnan(costs.loc["Spring", "incremental_margin"]), "no margin share is given"


def test_no_campaign_brings_nothing():
    empty = pd.DataFrame(
        {
            name: []
            for name in (
                "lift",
                "lift_low",
                "lift_high",
                "p_adjusted",
                "assigned",
                "rate_treatment",
                "cost",
                "category",
            )
        }
    )
    assert sum_results(empty)["incremental"] == 0
    assert sum_by(empty, "category").empty


def test_all_in_control_or_nobody_known_or_nothing_sent_is_a_defined_result(engine):
    results = measure(engine, two_arms(treated=0, control=40), [buy("k000", 1)], [CAMPAIGN])
    assert set(results["method"]) == {"groups too small"}
    assert results["lift"].isna().all()
    stranger = [*two_arms(), send(None, campaign="nobody", send_id="x")]
    results = measure(engine, stranger, campaigns=[CAMPAIGN])
    assert set(results["campaign_id"]) == {"spring"}
    nothing = measure(engine, [], campaigns=[CAMPAIGN])
    assert nothing.empty
    assert list(nothing.columns) == [column.name for column in find_contract("campaign_results").columns]
    told = summarise_results(engine, nothing)
    assert sum_results(told)["measured"] == 0
    assert sum_tree(told).empty


def test_nobody_who_ever_bought_is_a_lift_of_nothing(engine):
    results = measure(engine, two_arms(), campaigns=[CAMPAIGN], margin_share=0.3)
    for outcome in ("bought", "purchases", "sales", "purchases_net", "margin"):
        assert of(results, outcome)["lift"] == 0
    assert math.isnan(of(results, "basket")["lift"]), "a basket of no purchase is none"


def test_margin_is_net_of_discounts(engine):
    """A ticket's margin is what it says, else its amount less its products' costs, else the share of the whole."""
    lines = [
        {"source": "pos", "ticket_id": f"t{n:03d} 3 0", "line": 1, "product_id": "p", "quantity": 1, "amount": 8}
        for n in range(80)
    ]
    tickets = [buy(f"t{n:03d}", days=3, amount=8) for n in range(80)]
    tickets += [buy(f"k{n:03d}", days=3, amount=10) | {"margin": 4} for n in range(40)]
    people = {f"{kind}{n:03d}" for kind, most in (("t", 80), ("k", 40)) for n in range(most)}
    identities = [{"source": "crm", "source_record_id": one, "customer_id": one} for one in people]
    make_tables(
        engine, "customers", "purchase_summary", sends=two_arms(), tickets=tickets, campaigns=[CAMPAIGN],
        identities=identities, ticket_lines=lines, products=[{"product_id": "p", "cost": 6}],
    )  # fmt: skip
    write_log(engine, AS_OF)
    summarise_campaigns(engine, AS_OF, CUTOFF, 14)
    row = of(measure_campaigns(engine, 0.3, 14), "margin")
    assert (row["rate_treatment"], row["rate_control"]) == (2, 4)
    assert row["incremental_margin"] == pytest.approx(-2 * 80)


def test_what_was_only_pulled_forward_is_gone_later(engine):
    """The treated buy at once what the controls buy three weeks later."""
    tickets = [buy(f"t{n:03d}", days=2) for n in range(60)] + [buy(f"k{n:03d}", days=23) for n in range(30)]
    results = measure(engine, two_arms(), tickets, [CAMPAIGN])
    assert of(results, "purchases")["lift_low"] > 0
    assert of(results, "purchases_net")["lift"] == pytest.approx(0.0)
    assert math.isnan(of(results, "purchases_net")["cost_per_incremental_purchase"])
    assert of(results, "purchases")["cost_per_incremental_purchase"] == pytest.approx(104 / 60)


@pytest.mark.parametrize(
    "step",
    [exposure.CAMPAIGN_CUSTOMERS, exposure.CAMPAIGN_OUTCOMES, exposure.CAMPAIGN_GROUPS, funnel.CAMPAIGN_FUNNEL],
    ids=lambda step: step.name,
)
def test_a_step_can_be_written_for_spark(step):
    assert step.spark.startswith(("WITH", "SELECT"))
