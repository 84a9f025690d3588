"""The door: whoever was erased does not come back, however they are spelled, and nothing of the row is kept."""

from __future__ import annotations

import json
from datetime import date

import pytest

from crmlib.errors import InputError
from crmlib.params import PrivacySettings
from crmlib.sources.tombstones import (
    email_form,
    name_birth_form,
    national_id_form,
    open_tombstones,
    read_tombstones,
    record_form,
)

FIELDS = {
    "source_record_id": "id",
    "full_name": "name",
    "email": "email",
    "national_id": "nif",
    "birth_date": "born",
    "consent.email.marketing": "yes",
}
CUSTOMERS = {"customers": {"path": "customers*.csv", "fields": FIELDS}}
HEAD = "id,name,email,nif,born,yes\n"
OTHER = "9,Berta Sosa,berta@correo.example,,1970-02-03,1\n"


def erase(folder, *forms, privacy=None):
    """Tombstones for values in their one form, beside the params."""
    tombstones = open_tombstones(privacy or PrivacySettings(), folder / "params.yaml")
    tombstones.append([(kind, tombstones.hash(kind, value)) for kind, value in forms], date(2026, 10, 1))


ANA = (
    ("record", record_form("erp", "7")),
    ("email", email_form("ana.gil@correo.example")),
    ("national_id", national_id_form("45612937G", "ES")),
    ("name_birth", name_birth_form(date(1980, 1, 31), "Ana Gil Pérez", None, None, None, None)),
)
SPELLINGS = {
    "the same id": "7,,,,,1",
    "the same e-mail in other case": "8,,ANA.Gil@Correo.example,,,1",
    "the same e-mail with a tag": "8,,ana.gil+shop@correo.example,,,1",
    "the same national id with other punctuation": "8,,,45.612.937-g,,1",
    "the same name and birth": '8,"GIL PEREZ, ANA",,,1980-01-31,1',
    "among other faults": "7,,,,31/02/80,1",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_record_that_comes_back_is_stopped_and_counted(deliveries, spelling):
    erase(deliveries.folder, *ANA)
    deliveries.write("customers.csv", HEAD + OTHER + SPELLINGS[spelling] + "\n")
    deliveries.take_in({"erp": CUSTOMERS})
    assert deliveries.values("source_records", "source_record_id") == ["9"]
    assert deliveries.values("consent_events", "source_record_id") == ["9"]
    assert deliveries.ledger() == [(2, 1, 1, 0)]
    assert deliveries.rejected()[0][2] == "erased"
    assert deliveries.values("rejected_rows", "rule") == ["erased"]
    kept = json.dumps(deliveries.rows("rejected_rows") + deliveries.engine.rows("FROM quarantine"))
    assert not any(part.lower() in kept.lower() for part in ("gil", "correo", "45612937", "45.612", "1980"))


def test_others_are_taken_in_as_ever(deliveries):
    erase(deliveries.folder, *ANA)
    same_name = '8,"GIL PEREZ, ANA",,,1981-01-31,1\n'
    deliveries.write("customers.csv", HEAD + OTHER + same_name)
    deliveries.write("shop.csv", HEAD + "7,Luis Roca,,,,\n")
    shop = {"customers": {**CUSTOMERS["customers"], "path": "shop.csv"}}
    deliveries.take_in({"erp": CUSTOMERS, "shop": shop})
    assert deliveries.values("source_records", "source_record_id") == ["8", "9", "7"]


def test_a_delivery_of_nobody_else_is_no_wrong_mapping(deliveries):
    deliveries.write("customers.csv", HEAD + OTHER)
    deliveries.take_in({"erp": CUSTOMERS})
    erase(deliveries.folder, *ANA)
    deliveries.write("customers2.csv", HEAD + SPELLINGS["the same id"] + "\n")
    deliveries.take_in({"erp": CUSTOMERS})
    assert deliveries.values("source_records", "source_record_id") == ["9"]


def test_a_line_that_cannot_be_read_is_not_kept_either(deliveries):
    erase(deliveries.folder, *ANA)
    deliveries.write(
        "customers.csv", HEAD + OTHER + "8,Ana,ANA.GIL@correo.example,too,many,cells,here\n8,x,y,too,many,cells,z\n"
    )
    deliveries.take_in({"erp": CUSTOMERS})
    kept = [row["delivered"] for row in deliveries.engine.rows("FROM quarantine ORDER BY row")]
    assert kept[0].startswith("(not kept")
    assert kept[1] == "8,x,y,too,many,cells,z"


def test_events_and_purchases_of_the_erased_are_stopped(deliveries):
    erase(deliveries.folder, *ANA, ("record", record_form("card", "2990")))
    deliveries.write("tickets.csv", "t,at,card,amount\n1,2026-10-01,2990,5\n2,2026-10-02,2991,5\n3,2026-10-02,,5\n")
    deliveries.write(
        "orders.csv", "t,at,mail,amount\n1,2026-10-01,Ana.Gil@correo.example,5\n2,2026-10-02,x@y.example,5\n"
    )
    deliveries.write("consents.csv", "s,id,channel,purpose,d,at\nerp,7,email,marketing,granted,2026-01-01\n"
                                     "erp,9,email,marketing,granted,2026-01-01\n")  # fmt: skip
    deliveries.write(
        "robinson.csv", "kind,key\nemail,ana.gil@correo.example\nemail,else@correo.example\nnational_id,45612937-G\n"
    )
    ticket = {"ticket_id": "t", "bought_at": "at", "amount": "amount"}
    consent = {"record_source": "s", "source_record_id": "id", "decision": "d", "happened_at": "at"}
    listed = {"key_kind": "kind", "key": "key", "list": {"value": "robinson"}}
    deliveries.write("customers.csv", HEAD + OTHER)
    deliveries.take_in(
        {
            "pos": {"tickets": {"path": "tickets.csv", "fields": ticket | {"loyalty_card": "card"}}},
            "web": {"tickets": {"path": "orders.csv", "fields": ticket | {"buyer_email": "mail"}}},
            "log": {
                "consents": {"path": "consents.csv", "fields": consent | {"channel": "channel", "purpose": "purpose"}}
            },
            "lists": {"suppressions": {"path": "robinson.csv", "fields": listed}},
            "erp": CUSTOMERS,
        }
    )
    assert deliveries.values("tickets", "ticket_id") == ["2", "3", "2"]
    assert [row["source_record_id"] for row in deliveries.rows("consent_events") if row["source"] == "log"] == ["9"]
    assert deliveries.values("suppressions", "key") == ["else@correo.example"]
    assert deliveries.values("rejected_rows", "rule") == ["erased"] * 5


def test_tombstones_hold_no_value_and_are_made_once(deliveries, monkeypatch):
    params = deliveries.folder / "params.yaml"
    erase(deliveries.folder, *ANA)
    erase(deliveries.folder, *ANA[:2], ("email", "new@correo.example"))
    text = (deliveries.folder / "decisions" / "erased.jsonl").read_text()
    assert len(text.splitlines()) == 1 + 5
    assert not any(value in text for value in ("correo", "45612937"))
    assert (deliveries.folder / "decisions" / "hash_key").stat().st_mode & 0o777 == 0o600
    # a key of one's own
    monkeypatch.setenv("ERASURE_KEY", "another")
    with pytest.raises(InputError, match="another key"):
        read_tombstones(PrivacySettings(hash_key_env="ERASURE_KEY"), params)
    monkeypatch.delenv("ERASURE_KEY")
    with pytest.raises(InputError, match="ERASURE_KEY is not set"):
        read_tombstones(PrivacySettings(hash_key_env="ERASURE_KEY"), params)
    (deliveries.folder / "decisions" / "hash_key").unlink()
    with pytest.raises(InputError, match="key of these tombstones"):
        read_tombstones(PrivacySettings(), params)


def test_a_mailbox_of_a_function_or_a_lone_name_is_no_tombstone():
    assert email_form("info@correo.example") is None
    assert email_form("no mail") is None
    assert name_birth_form(date(1980, 1, 31), "Ana", None, None, None, None) is None
    assert name_birth_form(None, "Ana Gil", None, None, None, None) is None
    assert national_id_form("45612937A", "ES") is None
