"""Passwords, tokens and numbers of payment cards are dropped at the door: nothing of them is kept anywhere."""

from __future__ import annotations

import pytest

from crmlib.errors import InputError

FIELDS = {"source_record_id": "id", "email": "email"}
#: Numbers that the makers of payment systems give for tests.
CARDS = ("4111111111111111", "5555 5555 5555 4444", "378282246310005", "4012888888881881")
HASHES = ("$2y$10$abcdefghijklmnopqrstuv", "$2y$10$bbcdefghijklmnopqrstuv", "$2y$10$cbcdefghijklmnopqrstuv")


def everything(deliveries) -> str:
    tables = [*deliveries.base.values(), "quarantine"]
    return " ".join(str(deliveries.engine.rows(f'FROM "{table}"')) for table in tables)


@pytest.mark.parametrize(
    "heading", ["password_hash", "Password", "rp_token", "rp_token_created_at", "contraseña", "api_key", "CVV"]
)
def test_a_secret_heading_is_dropped_and_told(deliveries, heading):
    deliveries.write("c.csv", f"id,email,{heading}\n1,a@b.example,hush\n2,c@d.example,hush\n,e@f.example,hush\n")
    intake = deliveries.take_in({"shop": {"customers": {"path": "c.csv", "fields": FIELDS}}})
    assert f"dropped unread as secret: {heading}" in intake.deliveries["read_as"][0]
    assert deliveries.ledger() == [(3, 2, 1, 0)]
    assert "e@f.example" in everything(deliveries)
    assert "hush" not in everything(deliveries)


@pytest.mark.parametrize("values", [CARDS, HASHES])
def test_a_secret_is_known_by_its_contents(deliveries, values):
    rows = "".join(f'{number},p{number}@b.example,"{value}"\n' for number, value in enumerate(values, start=1))
    deliveries.write("c.csv", f"id,email,note\n{rows},q@b.example,\n")
    intake = deliveries.take_in({"shop": {"customers": {"path": "c.csv", "fields": FIELDS}}})
    assert "secret: note" in intake.deliveries["read_as"][0]
    assert not any(value in everything(deliveries) for value in values)


def test_numbers_of_loyalty_cards_are_none(deliveries):
    rows = "".join(f"{number},29{number * 7919:011d}\n" for number in range(1, 60))
    deliveries.write("c.csv", f"id,card\n{rows}")
    fields = {"source_record_id": "id", "loyalty_card": "card"}
    deliveries.take_in({"club": {"customers": {"path": "c.csv", "fields": fields}}})
    assert deliveries.values("source_records", "loyalty_card").count(None) == 0


def test_a_line_that_cannot_be_read_is_not_kept_beside_a_secret(deliveries):
    deliveries.write("c.csv", "id,email,password\n1,a@b.example,hush\n2,c@d.example,hush,more\n")
    deliveries.take_in({"shop": {"customers": {"path": "c.csv", "fields": FIELDS}}})
    assert deliveries.ledger() == [(2, 1, 1, 0)]
    assert "hush" not in everything(deliveries)


def test_a_mapping_that_asks_for_a_secret_is_refused(deliveries):
    deliveries.write("c.csv", "id,email,password\n1,a@b.example,hush\n")
    given = {"path": "c.csv", "fields": FIELDS, "keep": ["password"]}
    with pytest.raises(InputError, match="'password' holds passwords, tokens or numbers of payment cards"):
        deliveries.take_in({"shop": {"customers": given}})
