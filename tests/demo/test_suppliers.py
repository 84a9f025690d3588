from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crmlib.demo.words import read_products
from crmlib.fields.emails import normalise_email
from crmlib.fields.phones import normalise_phone


@pytest.fixture(scope="module")
def contacts(data: Path) -> list[dict[str, str]]:
    with (data / "contacts" / "contacts.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_supplier_has_a_contact_with_the_tag(contacts, truth: Path) -> None:
    known = pq.read_table(truth / "suppliers.parquet").to_pylist()
    assert {row["supplier_id"] for row in known} == set(read_products().supplier_id.tolist())
    assert all("supplier" in row["Labels"].split(" ::: ") for row in contacts)
    by_email = {row["email"]: row["supplier_id"] for row in known}
    for row in contacts:
        first = row["E-mail 1 - Value"].split(" ::: ")[0]
        assert row["Notes"] == f"Proveedor {by_email[first]}"


def test_several_values_in_a_cell_are_joined_and_each_is_one(contacts) -> None:
    for column in ("E-mail 1 - Value", "Phone 1 - Value"):
        several = [row[column].split(" ::: ") for row in contacts if " ::: " in row[column]]
        assert several
        for values in several:
            for value in values:
                valid = normalise_email(value).valid if "mail" in column else normalise_phone(value, "ES").valid
                assert valid
