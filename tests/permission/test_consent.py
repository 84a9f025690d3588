"""Permissions by rule: ages, lists, addresses, expiry, interest, and what a row names."""

from __future__ import annotations

from datetime import date

import pytest

from crmlib.engine import Step
from crmlib.params import LegitimateInterest, PermissionSettings
from crmlib.permission import consent, evidence
from crmlib.permission.consent import years_before
from crmlib.permission.evidence import ASKED_CHANNELS, ASKED_PURPOSES
from tests.made_tables import at
from tests.permission.made_consents import NO, PENDING, SURE, UNSURE, YES, decide, event, judge, prepare, send


def test_the_threshold_is_the_permissions_own(engine):
    granted = event(YES, "2026-01-01")
    for threshold, expected in ((0.95, "granted"), (0.97, "uncertain_identity")):
        settings = PermissionSettings(match_threshold=threshold)
        assert judge(engine, granted, records=UNSURE, settings=settings)[1] == expected


#: Addresses of two records of one customer.
TWO_ADDRESSES = {"r1": {"email": "ana@old.example"}, "r2": {"email": "ana@new.example"}}
ONE_ADDRESS = {"r1": {"email": "ana@old.example"}, "r2": {"email": " Ana@OLD.example"}}


@pytest.mark.parametrize(
    ("details", "expected"),
    [(TWO_ADDRESSES, (False, "bounced")), (ONE_ADDRESS, (True, "granted")), ({}, (False, "bounced"))],
    ids=["another address", "the same address", "no address known"],
)
def test_what_arrives_at_another_address_ends_no_bounce(engine, details, expected):
    sends = [send("2026-02-01", bounced=True, delivered=False), send("2026-03-01", record="r2")]
    assert judge(engine, event(YES, "2026-01-01"), records=SURE, sends=sends, details=details) == expected


@pytest.mark.parametrize("channel", ["sms", "call"])
def test_a_bounce_of_a_phone_ends_at_that_phone(engine, channel):
    sends = [
        send("2026-02-01", channel=channel, bounced=True, delivered=False),
        send("2026-03-01", channel=channel, record="r2"),
    ]
    granted = event(YES, "2026-01-01", channel=channel)
    for other, reason in (("612 345 987", "granted"), ("+34 612345987", "granted"), ("699111222", "bounced")):
        details = {"r1": {"phone": "612345987"}, "r2": {"phone": other}}
        assert judge(engine, granted, records=SURE, sends=sends, channel=channel, details=details)[1] == reason


@pytest.mark.parametrize("certain", [True, False])
def test_profiling_granted_in_one_record_and_marketing_in_another_hold_together_where_both_are_surely_theirs(
    engine, certain
):
    records = SURE if certain else {"r1": ("c1", 0.999), "r2": ("c1", 0.96)}
    events = [event(YES, "2026-01-01", purpose="profiling"), event(YES, "2026-02-01", record="r2")]
    expected = (True, "granted") if certain else (False, "uncertain_identity")
    assert judge(engine, *events, records=records, purpose="profiling") == expected
    assert judge(engine, *events, records=records) == expected
    apart = {"r1": ("c1", None), "r2": ("c2", None)}
    assert judge(engine, *events, records=apart, purpose="profiling") == (False, "no_record")


def test_where_records_disagree_on_the_age_the_youngest_counts(engine):
    details = {"r1": {"birth_date": date(1980, 1, 1)}, "r2": {"birth_date": date(2015, 1, 1)}}
    customers = [{"customer_id": "c1", "birth_date": date(1980, 1, 1)}]
    granted = event(YES, "2026-01-01", record="r2")
    given = {"records": SURE, "customers": customers, "details": details}
    assert judge(engine, granted, **given) == (False, "minor")
    assert judge(engine, granted, **given, deleted=("r2",))[1] != "minor"
    # nobody is born tomorrow
    details["r2"]["birth_date"] = date(2026, 11, 2)
    assert judge(engine, granted, **given) == (True, "granted")


REACTIONS = {
    "a complaint": ([send("2026-02-01", complained=True)], (False, "complaint")),
    "leaving by the link": ([send("2026-02-01", unsubscribed=True)], (False, "withdrawn")),
    "a bounce": ([send("2026-02-01", bounced=True, delivered=False)], (False, "bounced")),
    "a bounce, then a delivery": (
        [send("2026-02-01", bounced=True, delivered=False), send("2026-03-01")],
        (True, "granted"),
    ),
    "a bounce on another channel": (
        [send("2026-02-01", channel="sms", bounced=True, delivered=False)],
        (True, "granted"),
    ),
    "a complaint before the grant": ([send("2025-02-01", complained=True)], (True, "granted")),
    "a bounce before the grant": ([send("2025-02-01", bounced=True, delivered=False)], (True, "granted")),
    "a delivery": ([send("2026-02-01")], (True, "granted")),
}


@pytest.mark.parametrize("case", REACTIONS)
def test_of_what_became_of_sends(engine, case):
    sends, expected = REACTIONS[case]
    assert judge(engine, event(YES, "2026-01-01"), sends=sends) == expected


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (["robinson"], "robinson"),
        (["deceased"], "deceased"),
        (["employee"], "employee"),
        (["internal"], "internal_list"),
        (["internal", "robinson", "deceased"], "deceased"),
    ],
)
def test_lists_overrule_every_grant(engine, listed, reason):
    granted = [event(YES, "2026-01-01", channel=channel) for channel in ASKED_CHANNELS]
    prepare(engine, granted, listed=[("c1", name) for name in listed])
    assert {(row["allowed"], row["reason"]) for row in decide(engine).values()} == {(False, reason)}


@pytest.mark.parametrize(
    ("minimum_age", "born", "reason"),
    [
        (14, date(2012, 11, 1), "granted"),
        (14, date(2012, 11, 2), "minor"),
        (16, date(2010, 11, 1), "granted"),
        (16, date(2010, 11, 2), "minor"),
        (18, date(2008, 11, 1), "granted"),
        (18, date(2008, 11, 2), "minor"),
        (0, date(2026, 1, 1), "granted"),
        (14, None, "granted"),
    ],
)
def test_the_age_of_params_holds_by_every_channel(engine, minimum_age, born, reason):
    customers = [{"customer_id": "c1", "birth_date": born}]
    granted = [event(YES, "2026-10-01", channel=channel) for channel in ASKED_CHANNELS]
    prepare(engine, granted, customers=customers)
    rows = decide(engine, PermissionSettings(minimum_age=minimum_age))
    assert {rows["c1", channel, "marketing"]["reason"] for channel in ASKED_CHANNELS} == {reason}


@pytest.mark.parametrize("day", ["1900-01-01", "9999-12-31"])
def test_a_moment_beyond_all_others_decides_like_any(engine, day):
    assert judge(engine, event(NO, day)) == (False, "withdrawn")
    newer = event(YES, "2026-01-01")
    assert judge(engine, event(NO, day), newer)[0] is (day < "2026")


def test_years_before_a_day_that_is_not_in_every_year():
    assert years_before(date(2024, 2, 29), 14) == date(2010, 2, 28)
    assert years_before(date(2024, 2, 29), 4) == date(2020, 2, 29)


@pytest.mark.parametrize(
    ("days", "expected"), [(None, (True, "granted")), (400, (True, "granted")), (30, (False, "expired"))]
)
def test_a_consent_expires_where_params_say_so(engine, days, expected):
    settings = PermissionSettings(expires_after_days=days)
    assert judge(engine, event(YES, "2026-01-01"), settings=settings) == expected


def test_legitimate_interest_holds_only_where_params_say_so_and_until_an_objection(engine):
    bought = [{"record_source": "crm", "source_record_id": "r1", "bought_on": date(2026, 10, 1), "amount": 5}]
    settings = PermissionSettings(legitimate_interest=[LegitimateInterest(channel="email", purchased_within_days=60)])
    assert judge(engine, tickets=bought) == (False, "no_record")
    assert judge(engine, tickets=bought, settings=settings) == (True, "legitimate_interest")
    assert judge(engine, tickets=bought, settings=settings, channel="sms") == (False, "no_record")
    assert judge(engine, settings=settings) == (False, "no_record")
    assert judge(engine, event(NO, "2026-01-01"), tickets=bought, settings=settings) == (False, "withdrawn")
    assert judge(engine, event(YES, "2026-01-01", evidence=PENDING), tickets=bought, settings=settings)[0] is False
    returned = [bought[0] | {"amount": -5}]
    assert judge(engine, tickets=returned, settings=settings) == (False, "no_record")
    long_ago = [bought[0] | {"bought_on": date(2026, 8, 1)}]
    assert judge(engine, tickets=long_ago, settings=settings) == (False, "no_record")


@pytest.mark.parametrize(
    ("marketing", "expected"),
    [([YES], (True, "granted")), ([YES, NO], (False, "withdrawn")), ([], (False, "no_record"))],
)
def test_profiling_needs_marketing_too(engine, marketing, expected):
    events = [event(YES, "2026-06-01", purpose="profiling")]
    events += [event(decision, f"2026-0{month}-01") for month, decision in enumerate(marketing, start=1)]
    assert judge(engine, *events, purpose="profiling") == expected


def test_what_a_record_allowed_goes_with_it_and_what_it_forbade_stays(engine):
    assert judge(engine, event(YES, "2026-01-01"), deleted=("r1",)) == (False, "no_record")
    withdrawn = event(NO, "2026-01-01", record="r1"), event(YES, "2025-01-01", record="r2")
    records = {"r1": ("c1", None), "r2": ("c1", None)}
    assert judge(engine, *withdrawn, records=records, deleted=("r1",)) == (False, "withdrawn")


def test_every_customer_has_an_answer_to_every_question(engine):
    prepare(
        engine, [event(YES, "2026-01-01", channel="ads", purpose="third_party")], records=UNSURE | {"r3": ("c3", None)}
    )
    rows = decide(engine)
    asked = {
        (who, channel, purpose) for who in ("c1", "c3") for channel in ASKED_CHANNELS for purpose in ASKED_PURPOSES
    }
    assert set(rows) == asked | {("c1", "ads", "third_party")}


def test_a_row_names_the_event_that_decided(engine):
    prepare(engine, [event(YES, "2026-01-01"), event(NO, "2026-02-01", record="r2")], records=SURE)
    row = decide(engine)[("c1", "email", "marketing")]
    assert (row["decided_by_event"], row["valid_from"]) == ("consent crm r2", at("2026-02-01"))
    prepare(engine, [event(YES, "2026-01-01")], listed=[("c1", "robinson")])
    row = decide(engine)[("c1", "email", "marketing")]
    assert (row["decided_by_event"], row["valid_from"]) == ("list robinson lists", at("2025-01-01"))


@pytest.mark.parametrize(
    "step",
    [evidence.NUMBERED_CUSTOMERS, evidence.NUMBERED_RECORDS, Step("read_consents", evidence.READ_CONSENTS),
     evidence.STATED_CONSENTS, evidence.REACTIONS, Step("events", evidence.EVENTS), Step("said", evidence.SAID),
     consent.ANSWERS, consent.RECENT_BUYERS, consent.BARRED, consent.PEOPLE, consent.PERMISSIONS],
    ids=lambda step: step.name,
)  # fmt: skip
def test_a_step_can_be_written_for_spark(step):
    assert step.spark.startswith(("WITH", "SELECT"))
