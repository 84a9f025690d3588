from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

FIRST = (
    "Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,"
    "CONFIRM_IP,GMTOFF,DSTOFF,TIMEZONE,CC,REGION"
)
MIDDLE = {
    "subscribed": "LAST_CHANGED",
    "unsubscribed": "UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER",
    "cleaned": "CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID",
}


@pytest.fixture(scope="module")
def audience(data: Path) -> dict[str, list[dict[str, str]]]:
    with zipfile.ZipFile(data / "mailchimp" / "audience_export_20261101.zip") as packed:
        assert packed.namelist() == [f"{name}_members_export.csv" for name in MIDDLE]
        texts = {name: packed.read(f"{name}_members_export.csv").decode() for name in MIDDLE}
    for name, text in texts.items():
        assert text.splitlines()[0] == f"{FIRST},{MIDDLE[name]},LEID,EUID,NOTES,TAGS"
    return {name: list(csv.DictReader(io.StringIO(text))) for name, text in texts.items()}


@pytest.fixture(scope="module")
def owners(data: Path, truth: Path) -> dict[str, set[str]]:
    """E-mail address -> who has it in any record."""
    people = pq.read_table(truth / "people.parquet").to_pylist()
    person = {(row["source"], row["source_record_id"]): row["person_id"] for row in people}
    found: dict[str, set[str]] = {}
    for source, file, delimiter, encoding, key, email in (
        ("shop", "shop/customers.csv", ",", "utf-8", "Customer ID", "Email"),
        ("erp", "erp/clientes_20261101.csv", ";", "cp1252", "COD_CLIENTE", "EMAIL"),
        ("loyalty", "loyalty/cards.csv", "\t", "utf-8", "tarjeta", "email"),
    ):
        with (data / file).open(encoding=encoding, newline="") as opened:
            for row in csv.DictReader(opened, delimiter=delimiter):
                if (who := person.get((source, row[key].removeprefix("'")))) and row[email]:
                    found.setdefault(row[email].lower(), set()).add(who)
    return found


@pytest.fixture(scope="module")
def reasons(truth: Path) -> dict[str, str]:
    """Person -> reason of the permission for e-mail marketing."""
    return {
        row["person_id"]: row["reason"]
        for row in pq.read_table(truth / "permissions.parquet").to_pylist()
        if (row["channel"], row["purpose"]) == ("email", "marketing")
    }


def test_every_member_has_an_address_that_a_record_has(audience, owners) -> None:
    for name, rows in audience.items():
        assert rows, name
        assert {row["Email Address"] for row in rows} <= set(owners)
    leids = [row["LEID"] for rows in audience.values() for row in rows]
    assert len(set(leids)) == len(leids)


def test_times_and_evidence_are_told(audience) -> None:
    for rows in audience.values():
        dated = [row for row in rows if row["OPTIN_TIME"]]
        assert len(dated) > 0.5 * len(rows)
        assert all(row["OPTIN_IP"] and row["CONFIRM_TIME"] >= row["OPTIN_TIME"] for row in dated)
        assert not any(row["OPTIN_IP"] or row["CONFIRM_TIME"] for row in rows if not row["OPTIN_TIME"])
    assert all(row["UNSUB_TIME"] > row["OPTIN_TIME"] for row in audience["unsubscribed"])
    assert all(row["CLEAN_TIME"] > row["OPTIN_TIME"] for row in audience["cleaned"])
    tags = Counter(row["TAGS"] for row in audience["subscribed"])
    assert {'"VIP"', '"VIP","Club"'} <= set(tags)


def test_the_audience_agrees_with_the_truth(audience, owners, reasons) -> None:
    """Those who left or bounced may not be mailed, but for who allowed it elsewhere; single addresses only."""
    overruled = {"robinson", "deceased", "employee", "internal_list"}

    def of(name: str) -> Counter:
        rows = [owners[row["Email Address"]] for row in audience[name]]
        found = Counter(reasons[next(iter(who))] for who in rows if len(who) == 1)
        return Counter({reason: count for reason, count in found.items() if reason not in overruled})

    cleaned, unsubscribed, subscribed = of("cleaned"), of("unsubscribed"), of("subscribed")
    assert cleaned["bounced"] > 0.6 * sum(cleaned.values())
    assert set(unsubscribed) <= {"withdrawn", "complaint", "granted", "bounced", "unconfirmed"}
    assert unsubscribed["withdrawn"] > 0.8 * sum(unsubscribed.values())
    # the others have taken it back, or never given it, in another record
    assert set(subscribed) <= {"granted", "withdrawn", "unconfirmed"}
    assert subscribed["granted"] > 0.7 * sum(subscribed.values())


def test_members_left_with_campaigns_there_are(audience, data: Path) -> None:
    with (data / "mailing" / "campanas_20261101.csv").open(encoding="cp1252", newline="") as file:
        names = {row["CAMPANA"]: row["NOMBRE"] for row in csv.DictReader(file, delimiter=";")}
    left = [row for row in audience["unsubscribed"] if row["UNSUB_CAMPAIGN_ID"]]
    assert len(left) > 20
    assert all(names[row["UNSUB_CAMPAIGN_ID"]] == row["UNSUB_CAMPAIGN_TITLE"] for row in left)


def test_the_truth_says_whose_each_member_is(audience, owners, truth: Path) -> None:
    told = {
        row["source_record_id"]: row["person_id"]
        for row in pq.read_table(truth / "people_elsewhere.parquet").to_pylist()
        if row["source"] == "mailchimp"
    }
    members = {row["EUID"]: row["Email Address"].lower() for rows in audience.values() for row in rows}
    assert told.keys() == members.keys()
    assert all(told[member] in owners[email] for member, email in members.items())
