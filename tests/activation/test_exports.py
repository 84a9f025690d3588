"""The files to send: whom the decisions name, nothing that a spreadsheet calculates, closed to others."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.activation.decisions import decide_contacts
from crmlib.activation.exports import FORMULA_SIGNS, MOST_BYTES, export_contacts, make_safe, write_list
from tests.campaign.made_base import FIRST_DAY, gather, make_base, name, permit
from tests.campaign.made_plans import make_plan
from tests.made_tables import make_table


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def export(engine, tmp_path):
    def export(plan) -> dict[str, list[dict[str, str]]]:
        table = decide_contacts(engine, plan, gather(engine), np.full(len(plan.communications), 0.2))
        written = export_contacts(engine, table, plan, FIRST_DAY, tmp_path / "exports")
        found = {path.name: rows_of(path) for path in sorted((tmp_path / "exports").iterdir())}
        assert {row["file"]: row["rows"] for row in written.to_dict("records")} == {
            file: len(rows) for file, rows in found.items()
        }
        return found

    return export


def test_there_is_a_list_for_each_communication_and_channel_and_an_import_for_mailchimp(engine, export, tmp_path):
    make_base(engine, 3, [permit(0), permit(1), permit(1, "sms")])
    news = {"id": "news", "variants": [{"id": "a", "share": 0.5}, {"id": "b", "share": 0.5}]}
    found = export(make_plan(news, {"id": "offer", "channels": ["sms", "email"]}))
    assert list(found) == [
        "2026-11-02_news_email.csv",
        "2026-11-02_offer_email.csv",
        "2026-11-02_offer_sms.csv",
        "mailchimp_2026-11-02_news_email.csv",
        "mailchimp_2026-11-02_offer_email.csv",
    ]
    assert [row["customer_id"] for row in found["2026-11-02_news_email.csv"]] == [name(0), name(1)]
    assert {row["variant"] for row in found["2026-11-02_news_email.csv"]} <= {"a", "b"}
    (text,) = found["2026-11-02_offer_sms.csv"]
    assert (text["address"], text["street"]) == ("0034600000001", ""), "who is texted is not told where he lives"
    (row, _) = found["mailchimp_2026-11-02_news_email.csv"]
    assert row["Email Address"] == "p0@a.example"
    assert row["Tags"].startswith("news 2026-11-02,")
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "exports").rglob("*"))
    assert (tmp_path / "exports").stat().st_mode & 0o077 == 0


def test_an_address_that_two_share_is_imported_once(engine, export):
    make_base(engine, 2)
    make_table(engine, "customers", [{"customer_id": name(place), "email": email} for place, email in
                                     enumerate(("one@a.example", "One@a.example"))])  # fmt: skip
    found = export(make_plan({"id": "news"}))
    assert len(found["2026-11-02_news_email.csv"]) == 2
    assert [row["Email Address"] for row in found["mailchimp_2026-11-02_news_email.csv"]] == ["one@a.example"]


def test_names_that_are_formulas_are_written_as_text(engine, export):
    make_base(engine, 1)
    evil = {"customer_id": name(0), "email": "a@a.example", "given_name": "=HYPERLINK(1)", "surname_1": "\t@SUM(A1)"}
    make_table(engine, "customers", [evil])
    ((row,),) = [rows for file, rows in export(make_plan({"id": "news"})).items() if not file.startswith("mail")]
    assert (row["first_name"], row["last_name"]) == ("'=HYPERLINK(1)", "'@SUM(A1)")


@given(st.text())
def test_no_cell_begins_a_formula_breaks_a_line_or_is_too_long(text):
    safe = make_safe(text)
    assert not safe.startswith(FORMULA_SIGNS)
    assert not set(safe) & set("\t\r\n\x0b\x0c\x85\u2028")
    assert len(safe.encode()) <= MOST_BYTES
    assert make_safe(safe) == safe


def test_a_list_without_rows_leaves_no_file_and_takes_an_old_one_away(tmp_path):
    path = tmp_path / "a.csv"
    assert write_list(path, ("a",), [("1",)]) == 1
    assert write_list(path, ("a",), []) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("plan_zone", "store", "home", "expected"),
    [
        ("Europe/Madrid", "35004", "28001", "Atlantic/Canary"),
        ("Europe/Madrid", "28001", "35004", "Europe/Madrid"),
        ("Atlantic/Canary", "28001", "38001", "Europe/Madrid"),
        ("Atlantic/Canary", None, "51001", "Africa/Ceuta"),
        ("Atlantic/Canary", None, None, "Atlantic/Canary"),
        ("Europe/Madrid", "99999", None, "Europe/Madrid"),
        ("Europe/Lisbon", "35004", "35004", "Europe/Lisbon"),
    ],
)
def test_hours_of_rest_are_told_by_the_clock_of_the_store(engine, export, plan_zone, store, home, expected):
    customer = {"customer_id": name(0), "email": "a@a.example", "home_store_id": "S1", "postcode": home}
    make_base(engine, 1, customers=[customer], stores=[{"store_id": "S1", "source": "erp", "postcode": store}])
    plan = make_plan({"id": "news"}, channels={"email": {"unit_cost": 0.01, "quiet": {"hours": ["21:00", "09:00"]}}})
    plan = plan.model_copy(update={"plan": plan.plan.model_copy(update={"timezone": plan_zone})})
    (row,) = export(plan)["2026-11-02_news_email.csv"]
    assert (row["send_from"], row["send_until"], row["time_zone"]) == ("09:00", "21:00", expected)
