"""Findings against the last run, scores, the worst defects in words, and the gates."""

from __future__ import annotations

import pytest

from crmlib.audit.checks import check_records
from crmlib.audit.scores import check_gates, find_reachable, summarise_findings, summarise_scores, tell_worst
from crmlib.errors import GateError, InputError
from crmlib.tables import CONTRACTS
from tests.audit.conftest import AS_OF, record, ticket

OWNERS = {"erp": "IT", "shop": None}


@pytest.fixture
def audit(database, params):
    def audit(records, tickets=None, base=None):
        engine = database(records, tickets)
        findings = summarise_findings(engine, check_records(engine, params, AS_OF), OWNERS, base and base[0])
        return engine, findings, summarise_scores(engine, findings, base and base[1])

    return audit


def finding(engine, findings, **where) -> dict:
    conditions = " AND ".join(f'"{name}" = ${name}' for name in where)
    return engine.row(f"SELECT * FROM {findings} WHERE {conditions}", **where)


TWO = [record("erp", "1", email="eva@b.example"), record("erp", "2", phone="928123456")]
FOUR = [*TWO, record("erp", "3", email="luz@b.example"), record("erp", "4", email="sol@b.example")]


def test_a_finding_has_its_share_and_owner(audit):
    engine, findings, _ = audit(FOUR)
    row = finding(engine, findings, source="erp", field="email", check="filled")
    assert (row["rows"], row["failing"], row["share"], row["change"], row["owner"]) == (4, 1, 0.25, None, "IT")
    assert set(engine.columns(findings)) == {column.name for column in CONTRACTS["audit_findings"].columns}


def test_findings_and_scores_change_against_the_base(audit):
    engine, findings, scores = audit(TWO)
    engine.register("base_findings", engine.arrow(f"FROM {findings}"))
    engine.register("base_scores", engine.arrow(f"FROM {scores}"))
    engine, findings, scores = audit([*FOUR, record("shop", "1")], base=("base_findings", "base_scores"))
    assert finding(engine, findings, source="erp", field="email", check="filled")["change"] == pytest.approx(0.25 - 0.5)
    assert finding(engine, findings, source="shop", field="record", check="fresh")["change"] is None
    before = finding(engine, "base_scores", source="erp", dimension="completeness")["score"]
    now = finding(engine, scores, source="erp", dimension="completeness")
    assert now["change"] == pytest.approx(now["score"] - before)


def test_a_score_is_the_mean_of_the_checks_passed(audit):
    engine, _, scores = audit(FOUR)
    # e-mail is there in 3 of 4, phone in 1 of 4
    assert finding(engine, scores, source="erp", dimension="completeness")["score"] == pytest.approx((0.75 + 0.25) / 2)
    assert finding(engine, scores, source="erp", dimension="contactability")["score"] == 1.0
    assert set(engine.columns(scores)) == {column.name for column in CONTRACTS["audit_scores"].columns}


def test_who_can_be_reached_is_counted_by_valid_addresses(audit):
    engine, _, _ = audit([*FOUR, record("erp", "5", email="none"), record("erp", "6")])
    assert find_reachable(engine) == {"records": 6, "email": pytest.approx(3 / 6), "share": pytest.approx(4 / 6)}


def test_the_worst_defects_are_told_by_the_sales_that_hang_on_them(audit, params):
    secrets = {"full_name": "Begoña Santana", "email": "begona@@shop", "phone": "12", "national_id": "12345678B"}
    records = [record("erp", str(i), email=f"eva{i}@b.example", gender=None if i < 8 else "female") for i in range(10)]
    records.append(record("erp", "bad", **secrets))
    tickets = [ticket("1", "50", record_source="erp", source_record_id="bad", store_id="S")]
    engine, findings, _ = audit(records, tickets)
    worst = tell_worst(engine, findings, params, 5)
    assert list(worst.columns) == ["defect", "share", "revenue_at_risk", "owner"]
    assert len(worst) == 5
    assert worst["revenue_at_risk"].is_monotonic_decreasing
    assert "1 of 11 records in erp have an impossible e-mail address." in worst["defect"].tolist()
    told = " ".join(worst["defect"])
    for secret in (*secrets.values(), "Begoña", "Santana"):
        if secret != "12":
            assert secret not in told


def test_defects_without_sales_are_told_by_their_rows(audit, params):
    engine, findings, _ = audit(FOUR)
    worst = tell_worst(engine, findings, params)
    assert worst["defect"].tolist()[0] == "3 of 4 records in erp have no phone."


def test_a_database_without_defects_has_none_to_tell(audit, params):
    engine, findings, _ = audit([record("erp", "1", email="eva@b.example", full_name="Ana Gil")])
    assert tell_worst(engine, findings, params).empty


def test_a_gate_stops_the_run(audit):
    engine, _, scores = audit(FOUR)
    with pytest.raises(
        GateError, match=r"audit.gates.completeness stops the run: erp scores 50.0%, at least 90.0%"
    ) as caught:
        check_gates(engine, scores, {"completeness": 0.9, "timeliness": 0.5})
    assert caught.value.exit_code == 3


def test_gates_that_hold_are_told(audit):
    engine, _, scores = audit(FOUR)
    assert check_gates(engine, scores, {"completeness": 0.5, "timeliness": 1.0}) == "2 gates held."
    assert check_gates(engine, scores, {}) == "No gate is set under audit.gates."


def test_a_gate_of_no_dimension_is_told(audit):
    engine, _, scores = audit(FOUR)
    with pytest.raises(InputError, match=r"audit.gates.beauty: there is no such dimension; there are completeness"):
        check_gates(engine, scores, {"beauty": 0.5})
