"""Which personal fields nothing reads: told by the code of the rooms, the data and the plans."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import crmlib
from crmlib.audit.minimisation import READ_BY, list_unused
from crmlib.params import Params
from tests.audit.conftest import record

PACKAGE = Path(crmlib.__file__).parent
ROOMS = ("identity", "permission", "behaviour", "audience", "campaign", "activation")
#: They carry every field to the golden record.
CARRYING = tuple(f"identity/{name}.py" for name in ("usable", "golden", "survivorship", "consolidation"))


@pytest.mark.parametrize("field", READ_BY)
def test_a_field_is_read_where_it_is_said_to_be_and_else_nowhere(field):
    files = [path for room in ROOMS for path in (PACKAGE / room).glob("*.py")]
    readers = [
        path
        for path in files
        if str(path.relative_to(PACKAGE)) not in CARRYING and re.search(rf"\b{field}\b", path.read_text("utf-8"))
    ]
    carried = any(re.search(rf"'{field}'|\b{field}\b", (PACKAGE / name).read_text("utf-8")) for name in CARRYING)
    if READ_BY[field]:
        assert readers or carried
    else:
        assert not readers, f"{field} is read by {[path.name for path in readers]}"


def test_what_is_delivered_and_read_by_nothing_is_listed(database, tmp_path):
    customers = {"path": "a", "fields": {"source_record_id": "a"}, "keep": ["SALDO"]}
    settings = {
        "run": {"name": "demo", "as_of_date": "2026-11-01"},
        "sources": {"erp": {"customers": customers}},
        "campaign": {"plan": "plan.yaml"},
    }
    (tmp_path / "plan.yaml").write_text("communications: [{where: \"gender == 'female'\"}]")
    records = [record("erp", str(i), social_handles="@eva", gender="female", email="eva@b.example") for i in range(3)]
    records.append(record("erp", "9", extra='{"SALDO": "1"}', province="Las Palmas"))
    database.fill(source_records=records)
    found = list_unused(database.engine, Params.model_validate(settings), tmp_path / "params.yaml")
    assert found.values.tolist() == [
        ["erp", "social_handles", 3, "mapped"],
        ["erp", "SALDO", 1, "kept"],
        ["erp", "province", 1, "mapped"],
    ]
