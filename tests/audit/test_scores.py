"""Scores, their history, and findings put in an order and in words."""

from __future__ import annotations

from datetime import date

import pytest

from crmlib.audit import scores
from crmlib.tables import CONTRACTS
from tests.audit.conftest import AS_OF, consent, load, record, ticket

TWO = [record("erp", "1", email="eva@b.example"), record("erp", "2", phone="928123456")]
FOUR = [*TWO, record("erp", "3", email="luz@b.example"), record("erp", "4", email="sol@b.example")]


def score(engine, table, source, dimension):
    return engine.row(
        f"SELECT score, change FROM {table} WHERE source = $source AND dimension = $dimension",
        source=source,
        dimension=dimension,
    )


def test_a_score_is_the_mean_of_the_checks_passed(database):
    findings = database.fill(source_records=[*FOUR, record("shop", "1", email="mar@b.example")]).judge().findings
    made = scores.summarise_scores(database.engine, findings, None)
    # e-mail is there in 3 of 4, phone in 1 of 4; in the shop e-mail alone, and always
    assert score(database.engine, made, "erp", "completeness")["score"] == pytest.approx((0.75 + 0.25) / 2)
    everywhere = score(database.engine, made, scores.ALL_SOURCES, "completeness")["score"]
    assert everywhere == pytest.approx((0.75 + 0.25 + 1) / 3)
    assert set(database.engine.columns(made)) == {column.name for column in CONTRACTS["audit_scores"].columns}


def test_scores_change_against_the_base_and_make_a_history(database):
    engine = database.engine
    before = scores.summarise_scores(engine, database.fill(source_records=TWO).judge().findings, None)
    first = scores.add_to_history(engine, before, None, date(2026, 10, 1))
    engine.register("base_scores", engine.arrow(f"FROM {before}"))
    engine.register("base_history", engine.arrow(f"FROM {first}"))
    now = scores.summarise_scores(engine, database.fill(source_records=FOUR).judge().findings, "base_scores")
    then = score(engine, "base_scores", "erp", "completeness")["score"]
    found = score(engine, now, "erp", "completeness")
    assert found["change"] == pytest.approx(found["score"] - then)
    for day, days in ((AS_OF, [date(2026, 10, 1), AS_OF]), (date(2026, 10, 1), [date(2026, 10, 1)])):
        history = scores.add_to_history(engine, now, "base_history", day)
        trend = scores.summarise_trend(engine, history)
        assert [one.date() for one in trend["as_of_date"]] == days
    assert scores.summarise_dimensions(engine, now)["score"].is_monotonic_increasing


def test_who_can_be_reached_is_counted_by_valid_addresses(database):
    database.fill(source_records=[*FOUR, record("erp", "5", email="none"), record("erp", "6")]).judge()
    found = scores.find_reachable(database.engine)
    assert found == {"records": 6, "email": pytest.approx(3 / 6), "share": pytest.approx(4 / 6)}


def test_the_costliest_defects_are_told_with_what_mending_brings(database):
    secrets = {"full_name": "Begoña Santana", "email": "begona@@shop", "phone": "12", "national_id": "12345678B"}
    records = [record("erp", str(i), email=f"eva{i}@b.example", gender=None if i < 8 else "female") for i in range(10)]
    records.append(record("erp", "bad", **secrets))
    tickets = [ticket("1", "50", record_source="erp", source_record_id="bad"), ticket("2", "70")]
    consents = [consent("erp", "bad"), consent("erp", "1", "sms")]
    findings = database.fill(source_records=records, tickets=tickets, consent_events=consents).judge().findings
    worst = scores.tell_costliest(database.engine, findings, "EUR", 20).set_index("defect")
    assert worst.index[0] == "1 of 2 tickets in pos name no buyer."
    assert worst["mending"].iloc[0] == "70 EUR of sales could be credited rightly."
    email = worst.loc["1 of 11 records in erp have an impossible e-mail address."]
    assert email["mending"] == "By e-mail and ads: 1 people who agreed could be contacted."
    assert email["owner"] == "IT"
    phone = worst.loc["10 of 11 records in erp have no phone number."]
    assert phone["mending"] == (
        "By SMS and phone: 1 people who agreed could be contacted, 9 more could be asked for their consent."
    )
    # what only describes people comes last
    gender = next(place for place, defect in enumerate(worst.index) if "gender" in defect)
    assert gender > worst.index.get_loc("1 of 11 records in erp have an impossible e-mail address.")
    told = " ".join(worst.index)
    assert not any(secret in told for secret in (*secrets.values(), "Begoña") if secret != "12")


def test_a_database_without_defects_has_none_to_tell(database):
    findings = database.fill(source_records=[record("erp", "1", email="eva@b.example", full_name="Ana Gil")]).judge()
    assert scores.tell_costliest(database.engine, findings.findings, "EUR").empty


def test_fields_reach_and_parts_are_summarised(database):
    records = [
        record("erp", str(i), email=f"eva{i}@b.example" if i > 20 else None, home_store_id="S1" if i < 31 else "S2")
        for i in range(60)
    ]
    database.fill(source_records=records, consent_events=[consent("erp", "30")], intake_ledger=[load("erp", "erp.csv")])
    judged = database.judge()
    engine = database.engine
    engine.execute(f"CREATE OR REPLACE TABLE audit_findings AS FROM {judged.findings}")
    fields = scores.summarise_fields(engine, judged.findings)
    assert fields.query("field == 'email'")["share"].iloc[0] > 0
    reach = scores.summarise_reach(engine, judged.findings)
    assert reach[["source", "channel", "purpose", "records", "contactable"]].values.tolist() == [
        ["erp", "email", "marketing", 60, 1]
    ]
    stores = scores.summarise_parts(engine, judged.parts, "store")
    assert stores[["value", "field", "failing"]].values.tolist() == [["S1", "email", 21]]
    told = scores.list_findings(engine)
    assert "erp: records that have no e-mail address" in told["finding"].tolist()
    assert told["examples"].str.startswith("erp.csv, row").any()
