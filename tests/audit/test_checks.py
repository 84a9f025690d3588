"""Each check finds its defect, and blames no source for what it never collects."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from crmlib.audit.checks import TICKET_CHECKS, check_records, list_record_checks
from crmlib.tables import CONTRACTS
from tests.audit.conftest import AS_OF, OLD, record, ticket


@pytest.fixture
def judge(database, params):
    def judge(records, tickets=None, stores=None) -> dict[tuple, tuple]:
        """(source, field, check) -> rows, failing, sales at risk."""
        engine = database(records, tickets, stores)
        judged = check_records(engine, params, AS_OF)
        rows = engine.rows(f"FROM {judged}")
        found = {(r["source"], r["field"], r["check"]): (r["rows"], r["failing"], r["revenue_at_risk"]) for r in rows}
        assert len(found) == len(rows)
        return found

    return judge


# 43789121 mod 23 = 19, the twentieth check letter: L (Royal Decree 1553/2005)
DEFECTS = [
    ("email", "filled", {"email": "ana@shop.example"}, {"email": None}),
    ("email", "valid", {"email": "ana@shop.example"}, {"email": "ana@@shop"}),
    ("phone", "filled", {"phone": "928123456"}, {"phone": None}),
    ("phone", "valid", {"phone": "928123456"}, {"phone": "12"}),
    ("national_id", "valid", {"national_id": "43789121L"}, {"national_id": "43789121A"}),
    ("name", "filled", {"full_name": "Ana Gil"}, {"full_name": None}),
    ("birth_date", "plausible", {"birth_date": date(1980, 1, 1)}, {"birth_date": date(2030, 1, 1)}),
    ("birth_date", "filled", {"birth_date": date(1980, 1, 1)}, {"birth_date": None}),
    ("postcode", "valid", {"postcode": "35200"}, {"postcode": "99999"}),
    (
        "postcode",
        "fits_province",
        {"postcode": "35200", "province": "Las Palmas"},
        {"postcode": "28001", "province": "Las Palmas"},
    ),
    ("record", "fresh", {}, {"updated_at": OLD}),
    ("record", "reachable", {"email": "ana@shop.example"}, {"email": "ana@@shop", "phone": "12"}),
    ("gender", "filled", {"gender": "female"}, {"gender": None}),
]


@pytest.mark.parametrize(
    ("field", "check", "good", "bad"), DEFECTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_defect_is_found(judge, field, check, good, bad):
    found = judge([record("erp", "1", **good), record("erp", "2", **bad), record("erp", "3", **good)])
    rows, failing, _ = found["erp", field, check]
    assert (rows, failing) == (3, 1)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("email", ["A@shop.example", "a@shop.example", "b@shop.example"]),
        ("phone", ["928 123 456", "+34 928123456", "928123457"]),
        ("national_id", ["12345678z", "12345678Z", "87654321X"]),
        ("loyalty_card", ["C1", "C1", "C2"]),
    ],
)
def test_what_two_records_of_one_source_share_is_found(judge, field, values):
    records = [record("erp", str(i), **{field: value}) for i, value in enumerate(values)]
    # another source may know the same person
    found = judge([*records, record("shop", "9", **{field: values[2]}), record("erp", "none")])
    assert found["erp", field, "own"][:2] == (3, 2)
    assert found["shop", field, "own"][:2] == (1, 0)


def test_no_source_is_blamed_for_what_it_never_collects(judge):
    found = judge(
        [record("erp", "1", full_name="Ana Gil", email="a@b.example"), record("shop", "1", loyalty_card="C1")]
    )
    judged = {(source, field) for source, field, check in found if check == "filled"}
    assert judged == {("erp", "name"), ("erp", "email"), ("shop", "loyalty_card")}


def test_a_company_needs_no_name_of_a_person(judge):
    found = judge([record("erp", "1", full_name="Ana Gil"), record("erp", "2", company="Firma SL")])
    assert found["erp", "name", "filled"][:2] == (1, 0)


def test_last_years_sales_hang_on_the_records_that_fail(judge):
    tickets = [
        ticket("1", "10", record_source="erp", source_record_id="1"),
        ticket("2", "5.50", record_source="erp", source_record_id="1", bought_on=date(2025, 11, 2)),
        ticket("3", "99", record_source="erp", source_record_id="1", bought_on=date(2025, 11, 1)),
        ticket("4", "7", record_source="erp", source_record_id="2"),
        ticket("5", "3", record_source="shop", source_record_id="1"),
    ]
    found = judge([record("erp", "1", email=None), record("erp", "2", email="a@b.example")], tickets)
    assert found["erp", "email", "filled"] == (2, 1, Decimal("15.50"))


def test_tickets_are_judged(judge):
    tickets = [
        ticket("1", store_id="S1", record_source="erp", source_record_id="1"),
        ticket("2", None, store_id="S9"),
        ticket("3", store_id=None),
    ]
    found = judge([record("erp", "1")], tickets, [{"store_id": "S1", "source": "erp", "updated_at": OLD}])
    assert found["pos", "buyer", "known"] == (3, 2, Decimal("10"))
    assert found["pos", "amount", "filled"][:2] == (3, 1)
    assert found["pos", "store_id", "filled"][:2] == (3, 1)
    assert found["pos", "store_id", "known"][:2] == (2, 1)


def test_without_a_list_of_stores_every_store_is_known(judge):
    found = judge([record("erp", "1")], [ticket("1", store_id="S1")])
    assert found["pos", "store_id", "known"][:2] == (1, 0)


def test_each_check_has_words_and_a_dimension_of_the_contract():
    dimensions = CONTRACTS["audit_findings"].column("dimension").values
    checks = [*list_record_checks(730), *TICKET_CHECKS]
    assert len({(c.field, c.check) for c in checks}) == len(checks)
    assert {c.dimension for c in checks} == set(dimensions)
    assert all(c.words for c in checks)
