"""The audit finds what was planted, names nothing else, and says so truly."""

from __future__ import annotations

import pyarrow as pa
import pytest

from crmlib.audit.evaluation import evaluate_findings
from tests.audit.conftest import load, record, ticket


@pytest.fixture
def evaluate(database):
    def evaluate(truth: list[tuple[str, str, str]], **tables) -> dict[str, tuple[float, int]]:
        database.fill(intake_ledger=[load("erp", "erp.csv")], **tables)
        for name in tables:
            database.stored.setdefault(name, name)
        engine = database.engine
        names = ("source", "row_key", "defect")
        engine.register("truth", pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in truth]))
        held = "'erp' AS source, 'erp.csv' AS delivery, 8 AS row, 'not_a_date' AS rule, 'K8' AS delivered"
        refused = bool(tables.get("rejected_rows"))
        engine.execute(f"CREATE OR REPLACE TABLE quarantine AS SELECT {held} WHERE {refused}")
        judged = database.judge()
        told = evaluate_findings(engine, judged, database.stored.get, "quarantine", "truth")
        return {row["metric"]: (row["value"], row["n"]) for row in told.to_dict("records")}

    return evaluate


RECORDS = [
    record("erp", "1", email="eva@@x"),
    record("erp", "2", email="eva@b.example"),
    record("erp", "3", email="x@@"),
]


def test_what_is_planted_and_named_is_found(evaluate):
    truth = [("erp", "1", "bad_email"), ("erp", "3", "bad_email")]
    told = evaluate(truth, source_records=RECORDS)
    assert told == {"defects_found": (1.0, 2), "defects_named_wrongly": (0.0, 2), "found_bad_email": (1.0, 2)}


def test_what_is_missed_and_what_is_named_wrongly_is_told(evaluate):
    told = evaluate([("erp", "1", "bad_email"), ("erp", "2", "bad_email")], source_records=RECORDS)
    assert told["defects_found"] == (0.5, 2)
    assert told["defects_named_wrongly"] == (0.5, 2)


def test_a_slip_that_is_named_is_not_named_wrongly(evaluate):
    told = evaluate([("erp", "1", "bad_email"), ("erp", "3", "mistyped_email")], source_records=RECORDS)
    assert told == {"defects_found": (1.0, 1), "defects_named_wrongly": (0.0, 2), "found_bad_email": (1.0, 1)}


def test_rows_in_quarantine_are_found_by_their_text(evaluate):
    rejected = {"source": "erp", "entity": "customers", "delivery": "erp.csv", "row": 8, "field": "birth_date"}
    rejected |= {"rule": "not_a_date", "reason": "x"}
    told = evaluate([("erp", "K8", "impossible_date")], source_records=RECORDS[1:2], rejected_rows=[rejected])
    assert told["defects_found"] == (1.0, 1)
    assert told["defects_named_wrongly"] == (0.0, 1)


def test_a_card_that_was_never_shown_cannot_be_found(evaluate):
    tickets = [ticket("1", loyalty_card="C1", record_source="card", source_record_id="C1")]
    truth = [("loyalty", "C1", "card_without_record"), ("loyalty", "C2", "card_without_record")]
    told = evaluate(truth, source_records=[record("erp", "1", loyalty_card="C5")], tickets=tickets)
    assert told["found_card_without_record"] == (1.0, 1)


def test_without_truth_nothing_is_told(database):
    judged = database.fill(source_records=RECORDS).judge()
    assert evaluate_findings(database.engine, judged, database.stored.get, "quarantine", None).empty
