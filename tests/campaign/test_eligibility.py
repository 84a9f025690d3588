"""Who may get anything at all."""

from __future__ import annotations

import pytest

from crmlib.campaign.doubts import find_empty_audiences
from crmlib.campaign.eligibility import count_reach, find_reach, show_audience, suppressed_set
from tests.campaign.made_base import AS_OF, CHANNELS, make_base, name, permit
from tests.campaign.made_plans import make_plan
from tests.made_tables import at, make_table

EMAIL, SMS, PUSH, POSTAL, CALL, ADS = (1 << place for place in range(6))


@pytest.fixture
def reach(engine):
    def reach() -> dict[str, dict]:
        find_reach(engine)
        return {row["customer_id"]: row for row in engine.rows("FROM reach")}

    return reach


def test_permissions_are_sets_of_channels_and_service_is_open_unless_refused(engine, reach):
    told = [permit(0), permit(0, "sms"), permit(0, "sms", "profiling"), permit(0, "push", "profiling")]
    make_base(engine, 2, [*told, permit(0, "email", "service", allowed=False, reason="withdrawn")])
    row = reach()[name(0)]
    assert (row["marketing"], row["profiling"], row["service"]) == (EMAIL | SMS, SMS, 63 - EMAIL)
    other = reach()[name(1)]
    assert (other["marketing"], other["profiling"], other["service"]) == (0, 0, 63)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"email": "ana@a.example"}, EMAIL | ADS | PUSH),
        ({"email": "ana@a"}, PUSH),
        ({"email": "=cmd@a.example"}, PUSH),
        ({"phone": "+34600000000"}, SMS | CALL | ADS | PUSH),
        ({"phone": "+34928000000"}, CALL | PUSH),
        ({"phone": "12"}, PUSH),
        ({"address_line": "Calle Mayor 1", "postcode": "35200"}, POSTAL | PUSH),
        ({"address_line": "Calle Mayor 1"}, PUSH),
    ],
)
def test_an_address_is_one_that_can_be_used(engine, reach, fields, expected):
    make_base(engine, 1)
    make_table(engine, "customers", [{"customer_id": name(0), **fields}])
    assert reach()[name(0)]["address"] == expected


def test_lists_objections_and_open_complaints_suppress(engine, reach):
    refused = [
        permit(place, channel, allowed=False, reason=reason)
        for place, reason in enumerate(["deceased", "objected", "employee"])
        for channel in CHANNELS
    ]
    cases = [
        {"source": "shop", "case_id": str(place), "record_source": "shop", "source_record_id": str(place),
         "opened_at": at("2026-10-01"), "closed_at": closed, "reason": reason}
        for place, closed, reason in [(3, None, "Complaint"), (4, at("2026-10-02"), "complaint"), (5, None, "question")]
    ]  # fmt: skip
    make_base(engine, 6, [*refused, *(permit(place) for place in (3, 4, 5))], service_cases=cases)
    found = reach()
    names = ("deceased", "objected", "employee", "complaint_open")
    assert {customer: [reason for reason in names if row[reason]] for customer, row in found.items()} == {
        name(0): ["deceased"], name(1): ["objected"], name(2): ["employee"], name(3): ["complaint_open"], name(4): [],
        name(5): [],
    }  # fmt: skip


def test_an_objection_to_one_channel_suppresses_nobody(engine, reach):
    make_base(engine, 1, [permit(0), permit(0, "call", allowed=False, reason="objected")])
    row = reach()[name(0)]
    assert not row["objected"]
    assert row["marketing"] == EMAIL


def test_death_and_erasure_suppress_whatever_a_plan_says():
    promotion, service = suppressed_set(make_plan({"id": "news"}, suppress=["employee"]))
    assert promotion == "r.erased | r.deceased | r.employee"
    assert service == "r.erased | r.deceased"


def test_without_permissions_the_latest_consent_decides_and_it_is_said(engine):
    def said(decision: str, day: str) -> dict:
        return {"source": "shop", "record_source": "shop", "source_record_id": "0", "channel": "email",
                "purpose": "marketing", "decision": decision, "happened_at": at(day)}  # fmt: skip

    make_base(engine, 1, [], consent_events=[said("granted", "2026-01-01"), said("withdrawn", "2026-02-01")])
    found = find_reach(engine)
    assert engine.row("SELECT marketing FROM reach")["marketing"] == 0
    assert "consents as they were given" in found.fallbacks[0]
    make_base(engine, 1, [], consent_events=[said("withdrawn", "2026-01-01"), said("granted", "2026-02-01")])
    find_reach(engine)
    assert engine.row("SELECT marketing FROM reach")["marketing"] == EMAIL


def test_reach_is_counted_by_channel(engine):
    make_base(engine, 4, [permit(0), permit(1), permit(1, "sms"), *(
        permit(2, channel, allowed=False, reason="deceased") for channel in CHANNELS)])  # fmt: skip
    find_reach(engine)
    counted = count_reach(engine, make_plan({"id": "news"})).set_index("channel")
    assert counted["permitted"].to_dict() == {"email": 2, "sms": 1, "push": 0, "any channel": 2}
    assert counted["reachable"].to_dict() == {"email": 2, "sms": 1, "push": 0, "any channel": 2}
    assert set(counted["customers"]) == {4}


def test_an_audience_that_holds_nobody_today_is_told(engine):
    make_base(engine, 20)
    find_reach(engine)
    show_audience(engine)
    top, none = {"id": "top", "where": "value_decile >= 9"}, {"id": "gold", "where": "value_decile > 10"}
    late = {"id": "late", "where": "days_since(last_purchase_date) > 3000"}
    (first, second) = find_empty_audiences(engine, [make_plan(top, none, late, {"id": "all"})], AS_OF)
    assert "'gold' reaches nobody" in first
    assert "value_decile > 10" in first
    assert "'late'" in second
