"""Retention: what is due, told before it goes; and the trail of one person."""

from __future__ import annotations

from datetime import date

import pytest

from crmlib.params import RetentionRule
from crmlib.permission.retention import expire_rows, list_due_customers, summarise_retention
from tests.made_tables import at, make_tables
from tests.permission.made_consents import NO, YES, event

AS_OF = date(2026, 11, 1)
RULES = [
    RetentionRule(entity="customers", keep_days=365),
    RetentionRule(entity="consents", purpose="marketing", keep_days=400),
    RetentionRule(entity="web_events", keep_days=30),
]


@pytest.fixture
def kept(engine):
    seen = {"old": "2025-01-01", "consented": "2025-01-01", "soon": "2025-11-20", "new": "2026-10-01"}
    visits = {"1": "2026-09-01", "2": "2026-10-20"}
    make_tables(
        engine,
        customers=[
            {"customer_id": who, "first_seen": at("2024-01-01"), "last_seen": at(day)} for who, day in seen.items()
        ],
        identities=[{"source": "crm", "source_record_id": who, "customer_id": who} for who in seen],
        consent_events=[
            event(YES, "2026-06-01", record="consented"),
            event(YES, "2024-06-01", record="new"),
            event(NO, "2024-06-01", record="new", channel="sms"),
            event(YES, "2024-06-01", record="new", purpose="service"),
        ],
        web_events=[{"event_id": name, "happened_at": at(day)} for name, day in visits.items()],
    )
    return engine


def test_whoever_was_not_seen_for_so_long_is_due(kept):
    assert list_due_customers(kept, RULES, AS_OF) == ["old"]
    assert list_due_customers(kept, RULES, date(2026, 12, 1)) == ["old", "soon"]
    assert list_due_customers(kept, RULES[1:], AS_OF) == []


def test_what_is_due_and_when_is_told(kept):
    told = summarise_retention(kept, RULES, AS_OF).set_index("what")
    assert told.loc["customers", ["held", "due_now", "within_30_days", "within_365_days"]].tolist() == [4, 1, 2, 4]
    assert told.loc["consents, those granted for marketing", "due_now"] == 1
    assert told.loc["web events", ["held", "due_now", "within_30_days"]].tolist() == [2, 1, 2]
    assert summarise_retention(kept, [], AS_OF).empty


def test_a_refusal_is_never_too_old(kept):
    table, condition = expire_rows(RetentionRule(entity="consents", keep_days=1), AS_OF)
    left = kept.rows(f"SELECT decision FROM {table} WHERE NOT ({condition})")
    assert [row["decision"] for row in left] == ["withdrawn"]


def test_only_consents_have_a_purpose():
    with pytest.raises(ValueError, match="only consents have a purpose"):
        RetentionRule(entity="tickets", purpose="marketing", keep_days=5)
