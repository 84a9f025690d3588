"""Records of customers, and the golden records made of them."""

from __future__ import annotations

from datetime import date, timedelta

from crmlib.identity.golden import consolidate_customers
from crmlib.params import GoldenSettings
from tests.made_tables import at, make_tables

AS_OF = date(2026, 11, 1)
OLD, MID, NEW = "old@correo.example", "mid@correo.example", "new@correo.example"


def consolidate(engine, *records, tickets=(), postcodes=(), identities=(), settings=None, rulings=None):
    """Records of one customer, each a day newer than the one before, unless they say otherwise."""
    rows = [
        {"source": "crm", "source_record_id": f"r{place}", "updated_at": at("2026-01-01") + timedelta(place)} | record
        for place, record in enumerate(records)
    ]
    whose = [
        {"source": row["source"], "source_record_id": row["source_record_id"], "customer_id": row.pop("customer", "c1")}
        for row in rows
    ]
    make_tables(engine, source_records=rows, identities=[*whose, *identities], tickets=tickets, postcodes=postcodes)
    engine.view("customers", f"FROM {consolidate_customers(engine, AS_OF, 'ES', settings, rulings)}")
    engine.view("provenance", "FROM provenance_made")
    return {row["customer_id"]: row for row in engine.rows("FROM customers")}


def provenance(engine):
    return {row["field"]: row for row in engine.rows("FROM provenance")}


def choose(engine, field, rules, *records, sources=(), rulings=None, **tables):
    """The golden value, the rule that chose it, and the records of the others."""
    settings = GoldenSettings(rules={field: rules} if rules else {}, sources=list(sources))
    make_tables(engine, sends=tables.pop("sends", ()))
    customer = consolidate(engine, *records, settings=settings, rulings=rulings, **tables)["c1"]
    told = provenance(engine).get("postcode" if field == "address" else field, {})
    return customer, told.get("rule"), told.get("alternative_records")
