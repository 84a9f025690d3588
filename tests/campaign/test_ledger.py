"""The ledger: what was promised is kept, and scored once its week is past; what was sent, and what others report."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour.promises import carry_on
from crmlib.campaign.headline import judge_campaigns
from crmlib.campaign.ledger import (
    COLUMNS,
    WHAT_CAME,
    judge_promises,
    promise_plans,
    score_promises,
    tell_promises,
    tell_scores,
    trace_purchases,
)
from crmlib.campaign.past import join_attributed, summarise_reports
from crmlib.campaign.pressure import compare_automation, count_by_week, count_pressure, tell_automation
from crmlib.tables import find_contract
from tests.campaign.made_base import AS_OF, make_base, simulate
from tests.campaign.made_plans import make_plan
from tests.made_tables import at, make_table, make_tables

MADE_ON, FIRST = date(2026, 6, 7), date(2026, 6, 8)


def promise(week, value, metric="purchases", segment="in force: now", made_on=MADE_ON, **more):
    due = FIRST + timedelta(days=7 * week + 6)
    return {
        "forecast_id": f"09 {made_on} {segment} {metric} {due}", "room": "09", "made_on": made_on, "due_on": due,
        "segment": segment, "metric": metric, "promised": value, "promised_low": value - 2, "promised_high": value + 2,
    } | more  # fmt: skip


def buy(person, day):
    return {
        "source": "pos", "ticket_id": f"{person} {day}", "record_source": "crm", "source_record_id": person,
        "bought_at": at(f"{day} 12:00"), "bought_on": day, "amount": 5,
    }  # fmt: skip


def sent(person, day, **more):
    return {
        "source": "mail", "send_id": f"{person} {day}", "record_source": "crm", "source_record_id": person,
        "eligible_at": at(f"{day} 09:00"), "sent_at": at(f"{day} 10:00"), "cost": 0.5, "group": "treatment",
    } | more  # fmt: skip


def score(engine, promises, tickets=(), sends=(), as_of=date(2026, 6, 21)):
    people = sorted({row["source_record_id"] for row in [*tickets, *sends]})
    identities = [{"source": "crm", "source_record_id": one, "customer_id": one} for one in people]
    make_tables(engine, tickets=tickets, sends=sends, identities=identities, forecast_ledger=promises)
    return score_promises(engine, "forecast_ledger", as_of, "UTC")


def test_a_plans_forecast_is_promised_week_by_week(engine):
    make_base(engine, 40)
    plan = make_plan({"id": "news", "control": 0.1}, budget={"total": 1000})
    other = make_plan({"id": "news", "control": 0.1}, plan=plan.plan.model_dump() | {"id": "other"})
    promised = promise_plans(simulate(engine, plan, other), AS_OF)
    make_table(engine, "forecast_ledger", promised.to_dict("records"))
    assert list(promised.columns) == [column.name for column in find_contract("forecast_ledger").columns]
    assert set(promised["segment"]) == {"in force: small", "compared: other"}
    assert promised.groupby(["segment", "metric"]).size().eq(8).all()
    assert promised["forecast_id"].is_unique
    assert promised["happened"].isna().all()
    assert (promised["promised_low"] <= promised["promised"]).all()
    purchases = promised[promised["metric"] == "purchases"]
    assert purchases["promised"].sum() == pytest.approx(2 * 40 * 56 / 20, rel=0.3)
    assert purchases["due_on"].min() == AS_OF + timedelta(days=7)


def test_what_came_is_laid_beside_the_weeks_that_are_past(engine):
    promises = [promise(week, 3.0) for week in range(4)] + [promise(0, 9.0, segment="compared: other")]
    promises += [promise(0, 2.0, "contacts"), promise(0, 1.0, "cost"), promise(0, 0.0, "unsubscribes")]
    tickets = [buy("a", date(2026, 5, 1)), buy("b", date(2026, 5, 2)), buy("new", date(2026, 6, 9))]
    tickets += [buy("a", date(2026, 6, 8)), buy("b", date(2026, 6, 14)), buy("a", date(2026, 6, 15))]
    sends = [sent("a", date(2026, 6, 8)), sent("b", date(2026, 6, 14), unsubscribed=True)]
    sends += [sent("b", date(2026, 6, 10), sent_at=None, group="control"), sent("a", date(2026, 6, 15))]
    scored = score(engine, promises, tickets, sends)
    came = {(row.segment, row.metric, row.due_on.date()): row.happened for row in scored.itertuples()}
    week = date(2026, 6, 14)
    assert came["in force: now", "purchases", week] == 2, "the newcomer was not in the forecast"
    assert came["in force: now", "purchases", date(2026, 6, 21)] == 1
    assert np.isnan(came["in force: now", "purchases", date(2026, 6, 28)]), "not past yet"
    assert np.isnan(came["compared: other", "purchases", week]), "what another plan would have brought is not known"
    assert [came["in force: now", metric, week] for metric in ("contacts", "cost", "unsubscribes")] == [2, 1.0, 1]


def test_a_score_once_given_stays(engine):
    given = promise(0, 3.0, happened=7.0)
    (row,) = score(engine, [given], [buy("a", date(2026, 5, 1))]).to_dict("records")
    assert row["happened"] == 7.0
    assert score_promises(engine, None, AS_OF, "UTC").empty


def test_promises_are_judged_by_how_far_ahead_they_looked(engine):
    scored = pd.DataFrame(
        [
            promise(0, 10.0, happened=11.0), promise(1, 10.0, happened=20.0), promise(2, 10.0, happened=10.0),
            promise(0, 4.0, "contacts", happened=5.0), promise(9, 10.0), promise(6, 12.0, happened=6.0),
        ]
    ).reindex(columns=COLUMNS)  # fmt: skip
    judged = judge_promises(scored)
    assert judged[["metric", "ahead", "weeks"]].to_numpy().tolist() == [
        ["Purchases", "week 1", 1], ["Purchases", "weeks 2 to 4", 2], ["Purchases", "weeks 5 to 13", 1],
        ["Contacts", "week 1", 1],
    ]  # fmt: skip
    assert judged["coverage"].tolist() == [1.0, 0.5, 0.0, 1.0]
    assert judged["bias"].tolist() == pytest.approx([10 / 11 - 1, 10 / 15 - 1, 1.0, -0.2])
    assert "Purchases, weeks 2 to 4 ahead: 10 promised and 15 came a week, 50% of 2" in tell_scores(scored)
    later = pd.DataFrame([promise(2, 15.0, made_on=FIRST + timedelta(days=6), happened=10.0)])
    traced = trace_purchases(pd.concat([scored, later]))
    assert traced["promised"].tolist() == [10.0, 10.0, 15.0, 12.0], "the last promise before the week counts"
    assert tell_promises(traced) == "In 1 of 4 weeks that are past, purchases came as promised"
    assert judge_promises(pd.DataFrame(columns=COLUMNS)).empty


def test_the_ledger_is_carried_on(engine):
    old = pd.DataFrame([promise(0, 3.0, happened=2.0), promise(1, 3.0)]).reindex(columns=COLUMNS)
    new = pd.DataFrame([promise(1, 4.0), promise(2, 4.0)]).reindex(columns=COLUMNS)
    kept = carry_on(old, new)
    assert kept["promised"].tolist() == [3.0, 4.0, 4.0]
    assert kept["happened"].tolist()[0] == 2.0


def test_what_came_can_be_written_for_spark():
    assert WHAT_CAME.spark.startswith("WITH")


def told(engine, sends):
    """The table of told sends, as room 08 makes it."""
    rows = [
        {"customer_id": person, "category": category, "sent_at": moment, "arm": arm}
        for person, category, moment, arm in sends
    ]
    engine.register("told_sends", pd.DataFrame(rows))
    make_tables(
        engine,
        identities=[{"source": "crm", "source_record_id": str(n), "customer_id": f"p{n}"} for n in range(10)],
    )


def test_pressure_is_counted_by_week_and_by_person(engine):
    moment = at("2026-10-28 09:00")
    told(
        engine,
        [("p0", "cycle", moment, "treatment"), ("p0", "online", moment, "treatment"), 
         ("p1", "cycle", None, "treatment"),
         ("p2", "cycle", moment, "control"), ("p3", None, moment - timedelta(days=21), "treatment"),
         ("p4", "cycle", moment - timedelta(days=300), "treatment")],
    )  # fmt: skip
    weeks = count_by_week(engine, date(2026, 10, 1), "UTC")
    assert weeks["contacts"].sum() == 3
    assert list(dict.fromkeys(weeks["category"])) == [
        "cycle", "product price", "online", "campaigns", "institutional", "point of sale", "without a category",
    ]  # fmt: skip
    assert weeks["week"].nunique() == 4
    pressed = count_pressure(engine, AS_OF, "UTC")
    assert pressed.to_numpy().tolist() == [[0, 8], [1, 1], [2, 1]]
    assert count_by_week(engine, date(2026, 11, 1), "UTC").empty


def measured(**columns):
    usual = {
        "campaign_id": "a", "name": "A", "category": "cycle", "method": "intention to treat", "lift": 0.2,
        "lift_low": 0.1, "lift_high": 0.3, "p_adjusted": 0.001, "rate_treatment": 1.0, "assigned": 1_000,
        "attributed": 900.0, "cost": 50.0, "incremental_margin": 300.0, "incremental_margin_low": 100.0,
        "incremental_margin_high": 500.0,
    }  # fmt: skip
    return usual | columns


def test_automations_stand_beside_the_calendar(engine):
    days = [at(f"2026-09-{day:02d} 09:00") for day in range(1, 11)]
    engine.register(
        "campaign_customers",
        pd.DataFrame({"campaign_id": ["a"] * 10 + ["b"] * 10, "eligible_at": days + days[:1] * 10}),
    )
    engine.register(
        "campaign_funnel", pd.DataFrame({"campaign_id": ["a", "b"], "sent": [10, 8], "unsubscribed": [1, 0]})
    )
    frame = pd.DataFrame([measured(), measured(campaign_id="b", lift=0.1, lift_low=-0.1)])
    found = compare_automation(engine, frame).set_index("kind")
    assert found["sent"].to_dict() == {"automation": 10, "calendar": 8}
    assert found.loc["automation", "unsubscribed"] == 0.1
    assert found["incremental"].tolist() == pytest.approx([200.0, 100.0])
    assert found["incremental_per_thousand"].tolist() == pytest.approx([200.0, 100.0])
    assert "+200 purchases where automations addressed them, +100 where" in tell_automation(found.reset_index())


def test_reports_of_other_tools_stand_apart(engine):
    make_tables(
        engine,
        campaign_reports=[
            {"source": "mailchimp", "report_id": "1", "name": "A", "sent_on": date(2024, 1, 5), "recipients": 1_000,
             "delivered": 950, "opened": 380, "clicked": 19, "orders": 30, "sales": 900},
            {"source": "file", "report_id": "2", "name": "Old", "sent_on": date(2023, 1, 5), "recipients": 500},
        ],
    )  # fmt: skip
    reports = summarise_reports(engine)
    assert reports["name"].tolist() == ["A", "Old"]
    assert reports.loc[0, ["delivered", "opened", "clicked"]].tolist() == pytest.approx([0.95, 0.4, 0.02])
    assert reports.loc[1, ["delivered", "opened"]].isna().all()
    joined = join_attributed(pd.DataFrame([measured(), measured(name="B", lift=np.nan)]), reports)
    assert joined.to_dict("records") == [
        {"name": "A", "attributed": 900.0, "reported": 30, "incremental": 200.0, "low": 100.0, "high": 300.0,
         "share": pytest.approx(200 / 900)}
    ]  # fmt: skip


def test_the_headline_is_stopped_where_too_many_groups_are_not_what_chance_makes_of_them():
    unfair = measured(method="withheld: not split as planned", lift=np.nan, p_adjusted=np.nan)
    fair = pd.DataFrame([measured()] * 20 + [unfair])
    told_fair = judge_campaigns(fair, fair)
    assert told_fair.tone == "good"
    assert judge_campaigns(fair, fair.assign(cost=1_000.0)).tone == "bad", "they cost more than they brought"
    assert judge_campaigns(fair, fair.assign(cost=300.0)).tone == "attention"
    assert "brought {incremental" in told_fair.sentence
    assert (
        told_fair.action
        == "Repeat the {better} that surely brought purchases, and give the others larger groups or an end."
    )
    vague, settled = fair.assign(p_adjusted=0.5), fair.assign(incremental_margin=[np.nan] * 2 + [300.0] * 19)
    assert judge_campaigns(vague, vague).action.startswith("Give each a larger group or an end")
    assert "{settled} of them brought" in judge_campaigns(fair, settled).sentence
    assert told_fair.figures["withheld"] == 1
    assert told_fair.figures["margin"] == pytest.approx(21 * 300)
    broken = pd.DataFrame([measured()] * 5 + [unfair])
    stopped = judge_campaigns(broken, broken)
    assert stopped.tone == "bad"
    assert stopped.sentence.startswith("No sum is given")
    assert "{incremental" not in stopped.sentence
    none = pd.DataFrame([measured(method="no control group", lift=np.nan, p_adjusted=np.nan)])
    assert "None of the" in judge_campaigns(none, none).sentence
    assert judge_campaigns(none.head(0), none.head(0)).sentence == "No campaign began in the last {days} days."
