from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from crmlib.demo.permissions import BOUNCED, COMPLAINT, EPOCH, GRANTED, UNCONFIRMED, WITHDRAWN, Ballot
from crmlib.fields.emails import normalise_email
from crmlib.fields.national_ids import normalise_national_id
from crmlib.fields.phones import normalise_phone
from tests.demo.conftest import AS_OF_DATE

ISLANDS_TIME = ZoneInfo("Atlantic/Canary")
AS_OF_END = datetime(2026, 11, 2, tzinfo=ISLANDS_TIME).astimezone(UTC)
BEFORE_EVERYTHING = datetime(1900, 1, 1, tzinfo=UTC)
CHANNELS = {"correo electrónico": "email", "sms": "sms", "push": "push", "carta": "postal"}
WEIGHT = {"unconfirmed": 0, "granted": 1, "bounced": 2, "withdrawn": 3, "objected": 4, "complaint": 5}
Record = tuple[str, str]
Event = tuple[datetime, str]


def rows_of(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        heading, *rows = csv.reader(file, delimiter=delimiter)
    return [dict(zip(heading, row, strict=True)) for row in rows if len(row) == len(heading)]


def day_of(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()
    except ValueError:
        return None


def midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), ISLANDS_TIME).astimezone(UTC)


def read_records(data: Path) -> dict[Record, dict[str, str]]:
    """The rows that can be taken in and are seen, each with its e-mail, phone, national id and what it says."""
    found = {}
    for row in rows_of(data / "shop" / "customers.csv"):
        key = ("shop", row["Customer ID"].removeprefix("'"))
        found[key] = {"email": row["Email"], "phone": row["Phone"].removeprefix("'"), "row": row}
    for row in rows_of(data / "erp" / "clientes_20261101.csv", ";", "cp1252"):
        born, updated = row["F_NACIM"], day_of(row["F_MODIF"], "%d/%m/%Y")
        if (born and not day_of(born, "%d/%m/%Y")) or updated is None or updated > AS_OF_DATE:
            continue
        cells = {"email": row["EMAIL"], "phone": row["TELEFONO"], "national_id": row["NIF"], "row": row}
        found["erp", row["COD_CLIENTE"]] = cells
    cards = defaultdict(list)
    for row in rows_of(data / "loyalty" / "cards.csv", "\t"):
        cards[row["tarjeta"]].append(row)
    for card, versions in cards.items():
        row, born = versions[0], versions[0]["fecha_nacimiento"]
        if all(version == row for version in versions) and (not born or day_of(born, "%Y-%m-%d")):
            found["loyalty", card] = {"email": row["email"], "phone": row["telefono"], "loyalty_card": card, "row": row}
    return found


def stated_events(source: str, row: dict[str, str]) -> list[tuple[str, Event]]:
    if source == "shop":
        said = {"email": row["Accepts Email Marketing"], "sms": row["Accepts SMS Marketing"]}
        return [
            (channel, (BEFORE_EVERYTHING, "granted") if answer == "yes" else (AS_OF_END, "withdrawn"))
            for channel, answer in said.items()
        ]
    if source == "erp":
        said, moment = {"email": row["ACEPTA_EMAIL"], "sms": row["ACEPTA_SMS"]}, day_of(row["F_CONSENT"], "%d/%m/%Y")
    else:
        moment = day_of(row["fecha_consentimiento"], "%Y-%m-%d")
        said = {"email": row["acepta_email"], "sms": row["acepta_sms"]}
    yes = {"S": "granted", "si": "granted", "N": "withdrawn", "no": "withdrawn"}
    return [(channel, (midnight(moment), yes[answer])) for channel, answer in said.items() if answer and moment]


def logged_events(data: Path) -> dict[tuple[Record, str, str], list[Event]]:
    """What the log says, of each decision the version delivered last by the as-of date."""
    versions = {}
    for file in sorted((data / "consents").glob("consents_*.csv")):
        if day_of(file.stem[-8:], "%Y%m%d") <= AS_OF_DATE:
            for row in rows_of(file):
                name = (row["system"], row["customer_ref"]), row["channel"], row["purpose"]
                versions[name, row["decided_at"]] = row
    found = defaultdict(list)
    for (name, decided_at), row in versions.items():
        outcome = row["decision"]
        if outcome == "withdrawn" and row["legal_basis"] == "legitimate_interest":
            outcome = "objected"
        elif outcome == "granted" and "pending" in row["evidence"]:
            outcome = "unconfirmed"
        found[name].append((datetime.fromisoformat(decided_at), outcome))
    return found


def sent_events(data: Path) -> dict[tuple[Record, str], list[tuple[datetime, str]]]:
    """What came of sends: delivered, bounced, withdrawn, complaint."""
    found = defaultdict(list)
    for send in pq.read_table(data / "mailing" / "sends.parquet").to_pylist():
        if send["ENVIADO"] is None or send["ELEGIBLE"] >= datetime(2026, 11, 2):
            continue
        moment = send["ENVIADO"].replace(tzinfo=ISLANDS_TIME).astimezone(UTC)
        outcome = "complaint" if send["QUEJA"] else "withdrawn" if send["BAJA"] else None
        outcome = outcome or ("bounced" if send["REBOTADO"] else "delivered" if send["ENTREGADO"] else None)
        if outcome:
            found[(send["SISTEMA"], send["CLIENTE"]), CHANNELS[send["CANAL"]]].append((moment, outcome))
    return found


def decide(events: list[Event]) -> str:
    """The latest decision, the heaviest of one moment; one that waits counts only over what does not allow."""
    standing = max((event for event in events if event[1] != "unconfirmed"), key=rank, default=None)
    waiting = max((event for event in events if event[1] == "unconfirmed"), key=rank, default=None)
    if standing is None:
        return waiting[1] if waiting else "no_record"
    if waiting and standing[1] != "granted" and rank(waiting) > rank(standing):
        return "unconfirmed"
    return standing[1]


def rank(event: Event) -> tuple[datetime, int]:
    return event[0], WEIGHT[event[1]]


def listed_people(data: Path, records: dict[Record, dict[str, str]], person: dict[Record, str]) -> dict[str, str]:
    """Reason of the first list that means each person, by any key of any of the person's records."""
    keys = defaultdict(set)
    for record, cells in records.items():
        email = normalise_email(cells["email"])
        phone = normalise_phone(cells["phone"], "ES")
        national_id = normalise_national_id(cells.get("national_id") or None, "ES")
        for kind, key, valid in (
            ("email", email.address, email.valid),
            ("phone", phone.e164, phone.valid),
            ("national_id", national_id.value, national_id.valid is not False),
            ("loyalty_card", cells.get("loyalty_card"), True),
        ):
            if key and valid:
                keys[kind, key].add(person[record])
                keys[kind, hashlib.sha256(key.encode()).hexdigest()].add(person[record])
    found = {}
    for name in ("internal", "employee", "robinson", "deceased"):
        reason = "internal_list" if name == "internal" else name
        for row in rows_of(data / "lists" / f"{name}_20261101.csv"):
            found |= dict.fromkeys(keys.get((row["key_kind"], row["key"]), ()), reason)
    return found


def test_the_truth_is_what_the_files_say(data: Path, truth: Path) -> None:
    """Every person's permissions, worked out once more from the delivered files alone."""
    people = pq.read_table(truth / "people.parquet").to_pylist()
    person = {(row["source"], row["source_record_id"]): row["person_id"] for row in people}
    records = read_records(data)
    events, answers = defaultdict(list), defaultdict(list)
    for record, cells in records.items():
        for channel, event in stated_events(record[0], cells["row"]):
            events[person[record], channel, "marketing"].append(event)
    for (record, channel, purpose), said in logged_events(data).items():
        events[person[record], channel, purpose] += said
    for (record, channel), said in sent_events(data).items():
        answers[person[record], channel] += said
    for (who, channel), said in answers.items():
        last = max(moment for moment, _ in said)
        counting = [event for event in said if event[1] != "delivered" and (event[1] != "bounced" or event[0] == last)]
        events[who, channel, "marketing"] += counting
    listed = listed_people(data, records, person)
    told = {
        (row["person_id"], row["channel"], row["purpose"]): (row["allowed"], row["reason"])
        for row in pq.read_table(truth / "permissions.parquet").to_pylist()
    }
    expected = {}
    for who in set(person.values()):
        for channel in ("email", "sms", "push", "postal", "call"):
            marketing = listed.get(who) or decide(events[who, channel, "marketing"])
            profiling = listed.get(who) or decide(events[who, channel, "profiling"])
            profiling = marketing if profiling == "granted" else profiling
            expected[who, channel, "marketing"] = marketing == "granted", marketing
            expected[who, channel, "profiling"] = profiling == "granted", profiling
    assert told == expected
    reasons = Counter(reason for _, reason in told.values())
    lists = {"robinson", "employee", "internal_list"}
    assert set(reasons) >= lists | {"granted", "withdrawn", "no_record", "objected", "bounced", "unconfirmed"}


def test_what_comes_after_the_as_of_date_decides_nothing(data: Path) -> None:
    late = rows_of(data / "consents" / "consents_20261107.csv")
    assert late
    assert {row["decision"] for row in late} == {"withdrawn"}
    assert all(datetime.fromisoformat(row["decided_at"]) < AS_OF_END for row in late)
    assert list((data / "lists").glob("*_20261105.csv"))


@pytest.mark.parametrize(
    ("votes", "holds"),
    [
        ([(5, GRANTED), (9, WITHDRAWN)], WITHDRAWN),
        ([(9, GRANTED), (5, WITHDRAWN)], GRANTED),
        ([(5, GRANTED), (5, WITHDRAWN)], WITHDRAWN),
        ([(-EPOCH, GRANTED), (-500, WITHDRAWN)], WITHDRAWN),
        ([(9, UNCONFIRMED), (5, GRANTED)], GRANTED),
        ([(9, UNCONFIRMED), (5, WITHDRAWN)], UNCONFIRMED),
        ([(5, UNCONFIRMED), (9, BOUNCED)], BOUNCED),
        ([(5, COMPLAINT), (5, WITHDRAWN)], COMPLAINT),
        ([(5, UNCONFIRMED)], UNCONFIRMED),
        ([], -1),
    ],
)
def test_the_last_decision_wins_and_the_heaviest_of_one_moment(votes: list[tuple[int, int]], holds: int) -> None:
    for order in (votes, votes[::-1]):
        ballot = Ballot(2)
        for second, decision in order:
            ballot.cast(np.array([1]), 0, 0, second, np.array([decision]))
        assert ballot.count()[1, 0, 0] == holds
        assert (ballot.count()[0] == -1).all()
        assert timedelta(seconds=EPOCH).days > 365 * 200
