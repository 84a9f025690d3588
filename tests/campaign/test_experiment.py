"""Before launch: stable draws, what they could show, and the log of who was drawn."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import NormalIndPower

from crmlib.campaign import eligibility
from crmlib.campaign.assignment import control_condition, holdout_conditions, variant_choice
from crmlib.campaign.experiment import (
    Spread,
    check_strata,
    measure_base,
    measure_spread,
    plan_experiments,
    tabulate_sample_sizes,
    tell_strata,
)
from crmlib.campaign.experiment_log import write_log
from crmlib.campaign.funnel import PLAN_FUNNEL, list_plan_funnel, summarise_campaigns
from crmlib.campaign.measurement import measure_campaigns
from crmlib.campaign.variants import measure_variants
from tests.campaign.made_base import AS_OF, make_base, name
from tests.campaign.made_plans import make_plan
from tests.made_tables import at, make_tables

CUTOFF = at("2026-11-02")


def communication(**parts):
    return {"id": "due", "control": 0.1} | parts


def draw(engine, sql, **values):
    rows = engine.rows(f"SELECT a.customer_id, {sql} AS drawn FROM audience_columns AS a ORDER BY 1", **values)
    return {row["customer_id"]: row["drawn"] for row in rows}


def prepare(engine, number, **tables):
    make_base(engine, number, **tables)
    eligibility.find_reach(engine)
    eligibility.show_audience(engine)


def test_nobody_moves_when_customers_arrive(engine):
    one = communication(id="due", control=0.3, variants=[{"id": "a", "share": 0.4}, {"id": "b", "share": 0.6}])
    plan = make_plan(one, holdout={"global": 0.1, "salt": "h1"})
    drawn = {}
    for number in (200, 300):
        prepare(engine, number)
        drawn[number] = [
            draw(engine, control_condition(plan.communications[0], "salt", "name"), salt="h1", name="due"),
            draw(engine, holdout_conditions(plan, "salt")[0], salt="h1"),
            draw(
                engine, variant_choice(plan.communications[0], "salt", "name", "a.customer_id"), salt="h1", name="due"
            ),
        ]
    for before, after in zip(drawn[200], drawn[300], strict=True):
        assert {customer: after[customer] for customer in before} == before
    controls, held, variants = drawn[300]
    assert 60 < sum(controls.values()) < 120
    assert 12 < sum(held.values()) < 50
    assert 90 < list(variants.values()).count("a") < 150
    other = draw(engine, holdout_conditions(plan, "salt")[0], salt="h2")
    assert other != held


def test_a_store_is_drawn_as_a_whole(engine):
    stores = [f"ST-{place % 20:03d}" for place in range(300)]
    customers = [
        {"customer_id": name(place), "home_store_id": store, "email": f"p{place}@a.example"}
        for place, store in enumerate(stores)
    ]
    prepare(engine, 300, customers=customers)
    one = make_plan(communication(id="open", control={"unit": "store", "share": 0.4})).communications[0]
    held = draw(engine, control_condition(one, "salt", "name"), salt="h1", name="open")
    by_store = pd.Series(held).groupby(stores).nunique()
    assert (by_store == 1).all()
    assert 0 < sum(held.values()) < 300


def test_the_holdout_group_is_watched_over_its_strata(engine):
    prepare(engine, 3_000)
    plan = make_plan(communication(), holdout={"global": 0.1, "stratify": ["value_decile"]})
    (row,) = check_strata(engine, plan).to_dict("records")
    assert (row["groups"], row["people"], row["alike"]) == (10, 3_000, True)
    assert row["least"] < row["held_out"] < row["most"]
    assert "falls alike over value_decile" in tell_strata(engine, plan)
    assert check_strata(engine, make_plan(communication())).empty


def sums_of(n, y, b):
    pairs = {"nn": n * n, "yy": y * y, "bb": b * b, "yn": y * n, "yb": y * b, "bn": b * n}
    return {"k": len(n), "n": n.sum(), "y": y.sum(), "b": b.sum()} | {key: v.sum() for key, v in pairs.items()}


def test_people_drawn_one_by_one_vary_as_a_regression_on_the_past_leaves_them():
    rng = np.random.default_rng(1)
    before = rng.poisson(4, 5_000).astype(float)
    after = rng.poisson(0.2 * before + 0.1).astype(float)
    spread = measure_spread(sums_of(np.ones(5_000), after, before))
    residuals = after - np.polyval(np.polyfit(before, after, 1), before)
    assert spread.baseline == pytest.approx(after.mean())
    assert spread.deviation == pytest.approx(residuals.std(), rel=1e-3)
    effect = spread.detect(0.1)
    power = NormalIndPower().power(effect / spread.deviation, 4_500, 0.05, ratio=500 / 4_500)
    assert power == pytest.approx(0.8, abs=1e-6)
    needed = spread.need(effect / spread.baseline, 0.1)
    assert needed == pytest.approx(5_000, abs=1)


def test_stores_that_differ_need_more_people_than_people_do():
    rng = np.random.default_rng(2)
    n = rng.integers(40, 60, 50).astype(float)
    y = rng.poisson(rng.normal(1, 0.3, 50).clip(0.1) * n).astype(float)
    stores = measure_spread(sums_of(n, y, np.zeros(50)))
    people = Spread(int(n.sum()), int(n.sum()), y.sum() / n.sum(), math.sqrt(y.sum() / n.sum()))
    assert stores.need(0.2, 0.3) > 3 * people.need(0.2, 0.3)


def test_nothing_to_compare_has_no_size():
    empty = measure_spread(sums_of(np.zeros(0), np.zeros(0), np.zeros(0)))
    assert (empty.people, empty.units) == (0, 0)
    assert math.isnan(empty.detect(0.1))
    assert math.isnan(Spread(100, 100, 1.0, 1.0).detect(0.0))
    assert math.isnan(Spread(100, 100, 1.0, 1.0).need(0.0, 0.5))


def test_more_people_are_needed_for_less(engine):
    table = tabulate_sample_sizes(Spread(1_000, 1_000, 0.5, 0.9), lifts=(0.05, 0.1, 0.2), shares=(0.1, 0.5))
    assert list(table.columns) == ["lift", "10 %", "50 %"]
    assert table["10 %"].is_monotonic_decreasing
    assert (table["10 %"] > table["50 %"]).all()
    assert table["50 %"].iloc[0] == pytest.approx(4 * table["50 %"].iloc[1], rel=1e-3)


def bought(place, day):
    return {
        "source": "pos", "ticket_id": f"{place} {day}", "record_source": "shop", "source_record_id": str(place),
        "bought_at": at(f"{day} 12:00"), "bought_on": day, "amount": 10,
    }  # fmt: skip


def test_each_communication_is_told_what_its_controls_could_show(engine):
    rng = np.random.default_rng(3)
    tickets = [
        bought(place, AS_OF - timedelta(days=int(day)))
        for place in range(600)
        for day in np.unique(rng.integers(0, 100, 1 + place % 9))
    ]
    prepare(engine, 600, tickets=tickets)
    make_tables(engine, "sends", "campaigns", "ticket_lines", "products")
    write_log(engine, AS_OF)
    summarise_campaigns(engine, AS_OF, CUTOFF, 14)
    plan = make_plan(
        communication(id="all", control=0.5, response={"lift": 2.0, "window": "14d"}),
        communication(id="few", control=0.5, where="value_decile == 1", response={"lift": 0.05, "window": "14d"}),
        communication(id="never", control=0.0, response={"lift": 0.2, "window": "7d"}),
    )
    told = plan_experiments(engine, plan, AS_OF).set_index("communication")
    assert list(told.index) == ["all", "few", "never"]
    assert told["people"].tolist() == [600, 60, 600]
    assert told.loc["all", "verdict"] == "large enough"
    assert told.loc["few", "verdict"] == "too small for one round"
    assert told.loc["never", "verdict"].startswith("no control group")
    assert told.loc["few", "detectable"] > told.loc["all", "detectable"] > 0
    assert measure_base(engine, AS_OF, 14).people == len({row["source_record_id"] for row in tickets})


def decide(place, decision, reason, day=date(2026, 9, 1), communication_id="due", **more):
    return {
        "contact_date": day, "customer_id": name(place), "communication_id": communication_id, "decision": decision,
        "reason": reason,
    } | more  # fmt: skip


def logged(engine, decisions, sends=(), tickets=(), number=200, plans=(), log=None, counts=None, as_of=AS_OF):
    prepare(engine, number, tickets=tickets, sends=sends)
    make_tables(engine, "ticket_lines", "products", contact_decisions=decisions)
    write_log(engine, as_of, plans, "contact_decisions", log, counts)


def test_the_draw_is_logged_before_caps_and_after_permission(engine):
    decisions = [
        decide(0, "contact", "enter_state", variant="a"), decide(1, "skip", "cap_global"), decide(2, "skip", "budget"),
        decide(3, "control", "control"), decide(4, "control", "global_holdout"), decide(5, "skip", "no_permission"),
        decide(6, "skip", "not_in_audience"), decide(7, "skip", "address_refused"),
        decide(8, "contact", "decided earlier, and no send has answered yet"),
        decide(9, "contact", "enter_state", day=date(2026, 12, 1)),
    ]  # fmt: skip
    logged(engine, decisions)
    rows = engine.frame("SELECT customer_id, arm FROM experiment_log_rows ORDER BY customer_id")
    assert dict(rows.to_numpy()) == {
        name(0): "treatment", name(1): "treatment", name(2): "treatment", name(3): "control", name(4): "control",
        name(7): "treatment",
    }  # fmt: skip
    make_tables(engine, "campaigns")
    summarise_campaigns(engine, AS_OF, CUTOFF, 14)
    (told,) = list_plan_funnel(engine).to_dict("records")
    assert [told[step] for step in PLAN_FUNNEL] == [8, 1, 1, 0, 2, 4, 0, 1, 0, 1, 1, 1]
    skips = [step for step in PLAN_FUNNEL if step not in ("eligible", "assigned")]
    assert sum(told[step] for step in skips) == told["eligible"]


def test_the_log_is_carried_on_and_a_night_counts_once(engine):
    logged(engine, [decide(0, "contact", "enter_state"), decide(1, "control", "control")])
    for table in ("experiment_log", "candidate_counts"):
        engine.execute(f"CREATE TABLE kept_{table} AS FROM {table}_rows")
    again = [decide(0, "contact", "enter_state"), decide(2, "contact", "enter_state", day=date(2026, 9, 2))]
    logged(engine, again, log="kept_experiment_log", counts="kept_candidate_counts")
    rows = engine.rows("SELECT contact_date, customer_id FROM experiment_log_rows ORDER BY ALL")
    assert [(row["contact_date"].day, row["customer_id"]) for row in rows] == [(1, name(0)), (1, name(1)), (2, name(2))]
    assert engine.row("SELECT sum(customers) AS n FROM candidate_counts_rows")["n"] == 3


def test_what_the_plan_drew_is_measured_with_the_sends_that_answer_it(engine):
    """Whom a cap kept from the message counts as assigned; sends that answer the log are not told twice."""
    decisions, sends, tickets = [], [], []
    for place in range(400):
        if place % 4 == 0:
            decisions.append(decide(place, "control", "control"))
        elif place % 4 == 1:
            decisions.append(decide(place, "skip", "cap_global"))
        else:
            decisions.append(decide(place, "contact", "enter_state", channel="email"))
            sends.append(
                {
                    "source": "mail", "send_id": str(place), "communication_id": "due", "record_source": "shop",
                    "source_record_id": str(place), "channel": "email", "eligible_at": at("2026-09-02 09:00"),
                    "sent_at": at("2026-09-02 09:00"), "delivered": True, "cost": 0.1,
                }
            )  # fmt: skip
        if place % 8 == 0 or (place % 4 > 1 and place % 8 > 1):
            tickets.append(bought(place, date(2026, 9, 4)))
    logged(engine, decisions, sends, tickets, number=400)
    make_tables(engine, "campaigns")
    summarise_campaigns(engine, AS_OF, CUTOFF, 14)
    results = measure_campaigns(engine, None, 14).set_index("outcome")
    assert set(results["campaign_id"]) == {"due-2026-09"}
    row = results.loc["purchases"]
    assert (row["assigned"], row["control"], row["delivered"]) == (300, 100, 200)
    assert row["rate_control"] == 0.5
    assert row["lift"] == pytest.approx(2 / 3 - 0.5)
    assert row["delivered_lift"] == pytest.approx((2 / 3 - 0.5) * 300 / 200)
    assert row["attributed"] == 200


def test_stores_drawn_by_the_plan_are_measured_as_stores(engine):
    rng = np.random.default_rng(5)
    plan = make_plan(communication(id="open", control={"unit": "store", "share": 0.5}))
    stores = [place % 20 for place in range(400)]
    customers = [{"customer_id": name(place), "home_store_id": f"S{store:02d}"} for place, store in enumerate(stores)]
    decisions = [
        decide(place, *(("control", "control") if store < 10 else ("contact", "calendar")), communication_id="open")
        for place, store in enumerate(stores)
    ]
    luck = rng.random(20)
    tickets = [bought(place, date(2026, 9, 4)) for place, store in enumerate(stores) if rng.random() < luck[store]]
    prepare(engine, 400, tickets=tickets, customers=customers)
    make_tables(engine, "ticket_lines", "products", "campaigns", contact_decisions=decisions)
    write_log(engine, AS_OF, [plan], "contact_decisions")
    summarise_campaigns(engine, AS_OF, CUTOFF, 14)
    row = measure_campaigns(engine, None, 14).set_index("outcome").loc["purchases"]
    assert row["method"] == "intention to treat, by store"
    naive = math.sqrt(2 * 0.25 / 200)
    assert (row["lift_high"] - row["lift_low"]) / 2 > 2 * 1.96 * naive


def test_variants_are_compared_with_the_control_and_the_first(engine):
    rng = np.random.default_rng(6)
    decisions, tickets = [], []
    for place in range(1_200):
        arm = place % 3
        decisions.append(
            decide(place, "control", "control") if arm == 0 else decide(place, "contact", "due", variant="ab"[arm - 1])
        )
        if rng.random() < (0.2, 0.25, 0.6)[arm]:
            tickets.append(bought(place, date(2026, 9, 4)))
    logged(engine, decisions, (), tickets, number=1_200)
    make_tables(engine, "campaigns")
    summarise_campaigns(engine, AS_OF, CUTOFF, 14)
    told = measure_variants(engine).set_index("variant")
    assert told["people"].tolist() == [400, 400]
    assert told.loc["b", "lift"] == pytest.approx(0.4, abs=0.08)
    assert told.loc["b", "difference"] == pytest.approx(told.loc["b", "rate"] - told.loc["a", "rate"])
    assert told["verdict"].tolist() == ["the first: what the others are compared with", "better than the first"]
