"""Who objects to profiling: no room that makes scores sees what they buy."""

from __future__ import annotations

from datetime import date

import pytest

from crmlib.audience.segments import assign_segments
from crmlib.behaviour.lifecycle import list_prospects
from crmlib.behaviour.purchases import summarise_purchases
from crmlib.permission.profiling import leave_out_objectors
from tests.made_tables import at, make_tables

AS_OF = date(2026, 11, 1)


@pytest.fixture
def retailer(engine):
    people = ("objects", "withdrew", "unasked", "grants", "listed")
    answers = {
        "objects": "objected",
        "withdrew": "withdrawn",
        "unasked": None,
        "grants": "granted",
        "listed": "objected",
    }
    make_tables(
        engine,
        "ticket_lines",
        "products",
        "purchase_summary",
        identities=[{"source": "crm", "source_record_id": name, "customer_id": name} for name in people],
        permissions=[
            {
                "customer_id": name,
                "channel": channel,
                "purpose": purpose,
                "allowed": False,
                "reason": "robinson" if name == "listed" else "no_record",
                "answer": answer
                if (purpose, channel) == ("profiling", "sms")
                else "withdrawn" * (purpose != "profiling"),
            }
            for name, answer in answers.items()
            for channel in ("email", "sms")
            for purpose in ("marketing", "profiling")
        ],
        tickets=[
            {
                "source": "pos",
                "ticket_id": f"{name} {day}",
                "record_source": "crm",
                "source_record_id": name,
                "bought_at": at(f"2026-0{day}-01"),
                "bought_on": date(2026, day, 1),
                "amount": 10,
            }
            for name in people
            for day in (3, 5, 8)
        ],
    )
    return engine


def test_whoever_objects_by_any_channel_has_no_scores(retailer):
    assert leave_out_objectors(retailer) == 3
    made = retailer.frame(f"FROM {summarise_purchases(retailer, AS_OF, 'UTC')}")
    assert set(made["customer_id"]) == {"unasked", "grants"}
    assert set(list_prospects(retailer)["customer_id"]) == {"unasked", "grants"}
    segments = {row["customer_id"]: row for row in retailer.rows(f"FROM {assign_segments(retailer, AS_OF)}")}
    assert len(segments) == 5
    for name in ("objects", "withdrew", "listed"):
        assert (segments[name]["segment"], segments[name]["rfm_cell"]) == ("not profiled", None)
    assert segments["grants"]["rfm_cell"] is not None


def test_leaving_out_twice_is_leaving_out_once(retailer):
    assert leave_out_objectors(retailer) == leave_out_objectors(retailer)
    assert retailer.row("SELECT count(*) AS n FROM identities")["n"] == 2
    assert retailer.row("SELECT count(*) AS n FROM every_identity")["n"] == 5
