"""The rows of each entity as checks see them."""

from __future__ import annotations

from crmlib.audit.reading import AuditFile
from crmlib.audit.scores import find_reachable
from tests.audit.conftest import record


def test_no_row_is_compared_with_every_faulty_value(database):
    people = [record("erp", "1", given_name="NO", surnames="TIENE", email="ana@@shop"), record("shop", "2", phone="12")]
    database.fill(source_records=people).judge()
    plan = database.engine.row("EXPLAIN FROM audited_customers")["explain_value"]
    assert "HASH_JOIN" in plan
    assert "NL_JOIN" not in plan
    assert "NESTED_LOOP" not in plan


def test_records_are_laid_out_whatever_is_checked(database):
    database.fill(source_records=[record("erp", "1", email="eva@b.example"), record("erp", "2")])
    judged = database.judge(AuditFile(checks=[]))
    assert database.engine.rows(f"FROM {judged.findings}") == []
    assert find_reachable(database.engine)["records"] == 2
