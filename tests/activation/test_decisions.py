"""The day's decisions: one for each candidate, and one reason for each that is not contacted."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from crmlib.activation.decisions import decide_contacts
from crmlib.activation.explanations import REASON_WORDS, count_decisions, count_reasons, explain_customer
from crmlib.engine import quote
from crmlib.errors import NothingToDo
from tests.campaign.made_base import AS_OF, FIRST_DAY, gather, make_base, name, permit
from tests.campaign.made_plans import make_plan
from tests.made_tables import at, make_table

NEWS = {"id": "news", "priority": 10}
OFFER = {"id": "offer", "priority": 90, "channels": ["sms", "email"]}


@pytest.fixture
def decide(engine):
    def decide(*communications, base_decisions=None, **sections) -> dict[tuple[str, str], dict]:
        plan = make_plan(*communications, **sections)
        everybody = gather(engine, base_decisions)
        table = decide_contacts(engine, plan, everybody, np.full(len(plan.communications), 0.2))
        rows = engine.rows(f"FROM {quote(table)}")
        decided = {(row["customer_id"], row["communication_id"]): row for row in rows}
        assert len(decided) == len(rows), "a candidate is decided on once"
        return decided

    return decide


def told(decided) -> dict[str, tuple[str, str]]:
    return {customer: (row["decision"], row["reason"]) for (customer, _), row in decided.items()}


def test_each_candidate_has_one_decision_and_each_skip_one_reason(engine, decide):
    permissions = [permit(0), permit(1, allowed=False, reason="withdrawn"), permit(3)]
    make_base(engine, 4, permissions)
    make_table(engine, "customers", [{"customer_id": name(place), "email": f"p{place}@a.example"} for place in (0, 1)])
    assert told(decide(NEWS)) == {
        name(0): ("contact", "calendar"),
        name(1): ("skip", "no_permission"),
        name(2): ("skip", "no_permission"),
        name(3): ("skip", "no_address"),
    }


def test_the_first_permitted_channel_with_an_address_is_taken(engine, decide):
    make_base(engine, 2, [permit(0), permit(0, "sms"), permit(1)])
    decided = decide(OFFER)
    assert {customer: row["channel"] for (customer, _), row in decided.items()} == {name(0): "sms", name(1): "email"}
    assert decided[name(0), "offer"]["permission_snapshot"] == "email marketing granted; sms marketing granted"


def test_under_a_cap_the_higher_goes_and_the_other_says_so(engine, decide):
    make_base(engine, 1)
    decided = decide(NEWS, OFFER, caps=[{"scope": "global", "max": 1, "days": 7}])
    assert decided[name(0), "offer"]["decision"] == "contact"
    assert decided[name(0), "news"]["reason"] == "cap_global"


def test_what_was_sent_and_what_was_decided_without_an_answer_count_for_caps(engine, decide):
    sent = {"source": "shop", "send_id": "1", "record_source": "shop", "source_record_id": "0", "channel": "email",
            "sent_at": at("2026-10-30 10:00"), "category": "cycle", "communication_id": "older"}  # fmt: skip
    make_base(engine, 3, sends=[sent])
    row = {"customer_id": name(1), "contact_date": AS_OF, "communication_id": "other", "decision": "contact",
           "channel": "email", "reason": "calendar"}  # fmt: skip
    make_table(engine, "contact_decisions", [row])
    engine.execute("CREATE OR REPLACE TABLE earlier AS FROM made_contact_decisions")
    make_table(engine, "contact_decisions")
    decided = decide(NEWS, base_decisions="earlier", caps=[{"scope": "global", "max": 1, "days": 7}])
    assert told({key: row for key, row in decided.items() if key[1] == "news"}) == {
        name(0): ("skip", "cap_global"),
        name(1): ("skip", "cap_global"),
        name(2): ("contact", "calendar"),
    }
    assert decided[name(1), "other"]["contact_date"] == AS_OF, "the unanswered decision is carried on"


def test_a_full_channel_keeps_the_most_promising(engine, decide):
    make_base(engine, 5)
    values = [
        {"customer_id": name(place), "p_alive": 0.9, "expected_value": 10.0 * (place + 1), "value_decile": 5}
        for place in range(5)
    ]
    make_table(engine, "customer_value", values)
    engine.view("customer_value", "SELECT *, 0.5 AS p_buy_28d, 1.0 AS expected_purchases_28d FROM made_customer_value")
    channels = {"email": {"unit_cost": 0.01, "capacity": 2}, "sms": {"unit_cost": 0.05}}
    decided = told(decide(NEWS, channels=channels))
    assert {customer for customer, (what, _) in decided.items() if what == "contact"} == {name(3), name(4)}
    assert {why for what, why in decided.values() if what == "skip"} == {"capacity"}


def test_a_spent_budget_is_a_reason(engine, decide):
    make_base(engine, 5)
    decided = told(decide(NEWS, budget={"total": 0.03}))
    assert sorted(decided.values()) == [("contact", "calendar")] * 3 + [("skip", "budget")] * 2


def test_controls_are_no_contacts_and_stay_who_they_are_when_others_arrive(engine, decide):
    held = NEWS | {"control": 0.3}
    make_base(engine, 200)
    before = told(decide(held))
    make_base(engine, 300)
    after = told(decide(held))
    assert set(before.values()) == {("contact", "calendar"), ("control", "control")}
    assert {customer: after[customer] for customer in before} == before


def test_who_shares_an_address_with_somebody_who_refused_is_not_written_to_there(engine, decide):
    make_base(engine, 2, [permit(0), permit(1, allowed=False, reason="withdrawn")])
    shared = [
        {"customer_id": name(place), "email": email} for place, email in enumerate(("One@a.example", "one@A.example"))
    ]
    make_table(engine, "customers", shared)
    assert told(decide(NEWS)) == {name(0): ("skip", "address_refused"), name(1): ("skip", "no_permission")}


def test_who_is_not_in_the_audience_is_told_so_where_an_event_called(engine, decide):
    make_base(engine, 10)
    decided = told(decide(NEWS | {"where": "value_decile == 10"}))
    assert sorted(decided.values()) == [("contact", "calendar")] + [("skip", "not_in_audience")] * 9


def test_every_reason_is_said_in_words(engine, decide):
    make_base(engine, 4, [permit(0)])
    decide(NEWS)
    reasons = count_reasons(engine, "day_decisions", FIRST_DAY)
    assert reasons[["reason", "candidates"]].to_numpy().tolist() == [["no permission", 3]]
    assert reasons["meaning"][0] == REASON_WORDS["no_permission"]
    plan = make_plan(NEWS)
    (row,) = count_decisions(engine, "day_decisions", plan, FIRST_DAY).to_dict("records")
    assert (row["contact"], row["control"], row["skip"]) == (1, 0, 3)


def test_the_card_of_a_customer_says_why(engine, decide):
    make_base(engine, 2, [permit(0)])
    decide(NEWS)
    (row,) = explain_customer(engine, "day_decisions", name(1)).to_dict("records")
    assert (row["decision"], row["why"]) == ("skip", REASON_WORDS["no_permission"])
    assert explain_customer(engine, "day_decisions", "").empty


def test_a_day_on_which_nobody_is_contacted_is_decided_like_any_other(engine, decide):
    """Somebody has refused, and nobody's channel is open: no candidate has a channel at all."""
    make_base(engine, 2, [permit(place, "sms", allowed=False, reason="withdrawn") for place in range(2)])
    assert told(decide(NEWS)) == {name(place): ("skip", "no_permission") for place in range(2)}
    make_base(engine, 2, [permit(0, "sms", allowed=False, reason="withdrawn")])
    assert decide({"id": "birthday", "trigger": {"event": "anniversary", "field": "birth_date"}}) == {}


def test_a_day_outside_the_plan_is_nothing_to_do(engine, decide):
    make_base(engine, 1)
    later = {
        "id": "small",
        "version": 1,
        "timezone": "UTC",
        "start": "2027-01-04",
        "horizon_days": 28,
        "currency": "EUR",
    }
    with pytest.raises(NothingToDo, match="holds from 2027-01-04"):
        decide(NEWS, plan=later)


def test_nothing_after_the_day_counts(engine, decide):
    make_base(engine, 1)
    before = told(decide(NEWS, caps=[{"scope": "global", "max": 1, "days": 7}]))
    late = {"source": "shop", "send_id": "1", "record_source": "shop", "source_record_id": "0", "channel": "email",
            "sent_at": at("2026-11-02 10:00") + timedelta(days=1), "category": "cycle"}  # fmt: skip
    make_base(engine, 1, sends=[late])
    assert told(decide(NEWS, caps=[{"scope": "global", "max": 1, "days": 7}])) == before
