"""Consents, sends and customers made by hand, and what is decided of them."""

from __future__ import annotations

from datetime import date

from crmlib.params import PermissionSettings
from crmlib.permission.consent import decide_permissions
from tests.made_tables import at, make_tables

AS_OF = date(2026, 11, 1)
YES, NO = "granted", "withdrawn"
PENDING = "form, double opt-in pending"
CONFIRMED = "form, double opt-in 2026-03-01T10:00"
STATE = "stated with the record, without a date"
#: One customer of two records: both surely the customer's, or both perhaps another's.
SURE, UNSURE = {"r1": ("c1", 0.999), "r2": ("c1", 0.999)}, {"r1": ("c1", 0.96), "r2": ("c1", 0.96)}


def event(decision, day, channel="email", purpose="marketing", record="r1", **more):
    return {
        "source": "crm",
        "record_source": "crm",
        "source_record_id": record,
        "channel": channel,
        "purpose": purpose,
        "decision": decision,
        "happened_at": at(day),
    } | more


def send(day, record="r1", channel="email", **more):
    return {
        "source": "mail",
        "send_id": f"{record} {day}",
        "record_source": "crm",
        "source_record_id": record,
        "channel": channel,
        "eligible_at": at(day),
        "sent_at": at(day),
        "delivered": True,
    } | more


def prepare(engine, events=(), sends=(), records=None, customers=None, listed=(), tickets=(), deleted=(), details=None):
    """Customers by their records (record -> (customer, match probability)) and all that happened."""
    records = records or {"r1": ("c1", None)}
    known = customers or [{"customer_id": customer} for customer in sorted({who for who, _ in records.values()})]
    make_tables(
        engine,
        identities=[
            {"source": "crm", "source_record_id": record, "customer_id": customer, "match_probability": probability}
            for record, (customer, probability) in records.items()
        ],
        customers=known,
        source_records=[
            {"source": "crm", "source_record_id": record, "deleted": record in deleted}
            | (details or {}).get(record, {})
            for record in records
        ],
        consent_events=events,
        sends=sends,
        tickets=tickets,
    )
    engine.execute(
        "CREATE OR REPLACE TABLE listed_customers (customer_id VARCHAR, list VARCHAR, source VARCHAR, listed_on DATE)"
    )
    for customer, name in listed:
        engine.execute("INSERT INTO listed_customers VALUES ($c, $l, 'lists', DATE '2025-01-01')", c=customer, l=name)


def decide(engine, settings=None, as_of=AS_OF):
    table = decide_permissions(engine, settings or PermissionSettings(), as_of)
    return {(row["customer_id"], row["channel"], row["purpose"]): row for row in engine.rows(f"FROM {table}")}


def judge(engine, *events, settings=None, channel="email", purpose="marketing", **more):
    prepare(engine, events, **more)
    row = decide(engine, settings)[("c1", channel, purpose)]
    return row["allowed"], row["reason"]
