"""Kept runs with two people in them: what is kept of Ana in every kind of file, and of Berta what they share."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from crmlib.engine import Engine, quote
from crmlib.files import hash_file
from crmlib.params import dump_params, load_params
from crmlib.rights.settings import Settings, read_settings
from crmlib.run_folder import RunFolder
from crmlib.runs import RunStore
from crmlib.tables import find_contract
from tests.made_tables import at, make_tables

ANA, BERTA = "c" + "a" * 16, "c" + "b" * 16
TODAY = date(2026, 11, 30)
#: A record of another source may have the same id.
SAME_ELSEWHERE = "E0000071 of another source"
SHARED_PHONE = "+34 928 11 22 33"
#: Whatever names Ana and nobody else, as it may be written anywhere.
ANAS_OWN = (
    "ana.gil@correo.example", "anita@buzon.example", "612 345 987", "612345987", "45612937G", "45.612.937-G",
    "E0000071", "S-000456", "2990000000017", ANA, "visitor-ana-1",
    hashlib.sha256(b"ana.gil@correo.example").hexdigest(),
)  # fmt: skip


def list_rows(place: int) -> dict[str, list[dict[str, object]]]:
    """The tables of a run; each later run has one more version of Ana's record and her scores anew."""
    ana = {
        "source": "erp",
        "source_record_id": "E0000071",
        "full_name": "GIL PÉREZ, ANA",
        "email": "Ana.Gil@Correo.example",
        "phone": "612 345 987",
        "national_id": "45.612.937-G",
        "birth_date": date(1980, 1, 31),
        "address_line": "C/ Triana 12, 3º",
    }
    shop = {"source": "shop", "source_record_id": "S-000456", "email": "anita@buzon.example", "phone": SHARED_PHONE}
    berta = {
        "source": "erp",
        "source_record_id": "E0000072",
        "full_name": "SOSA, BERTA",
        "email": "berta@correo.example",
        "phone": "928112233",
        "address_line": "C/ Triana 12, 3º",
    }
    records = [{**ana, "updated_at": at(f"2026-10-0{day}")} for day in range(1, place + 2)]
    records += [{**one, "updated_at": at("2026-10-01")} for one in (shop, berta)]
    whose = {("erp", "E0000071"): ANA, ("shop", "S-000456"): ANA, ("erp", "E0000072"): BERTA}
    whose[("card", "2990000000017")] = ANA
    event = {"channel": "email", "purpose": "marketing", "decision": "granted", "happened_at": at("2026-01-01")}
    per_customer = ("customers", "purchase_summary", "lifecycle", "customer_value", "segments")
    tickets = [
        ("1", "E0000071", None),
        ("2", "E0000072", None),
        ("3", "2990000000017", "2990000000017"),
        ("4", None, None),
    ]
    return {
        "source_records": records,
        "identities": [
            {"source": source, "source_record_id": record, "customer_id": customer}
            for (source, record), customer in whose.items()
        ],
        "identity_events": [
            {"customer_id": customer, "as_of_date": date(2026, 10, 1), "event": "created"} for customer in (ANA, BERTA)
        ],
        "consent_events": [
            {"source": "log", "record_source": "erp", "source_record_id": record, "updated_at": at("2026-01-01")}
            | event
            for record in ("E0000071", "E0000072")
        ],
        "match_pairs": [
            {
                "source_l": "erp",
                "source_record_id_l": one,
                "source_r": "shop",
                "source_record_id_r": "S-000456",
                "match_probability": 0.99,
                "contradicted": False,
                "decided_by": "model",
            }
            for one in ("E0000071", "E0000072")
        ],
        "tickets": [
            {
                "source": "pos",
                "ticket_id": ticket,
                "record_source": None if record is None else "card" if card else "erp",
                "source_record_id": record,
                "loyalty_card": card,
                "bought_at": at("2026-09-01"),
                "bought_on": date(2026, 9, 1),
                "amount": 10,
                "updated_at": at("2026-09-01"),
            }
            for ticket, record, card in tickets
        ],
        "web_events": [
            {
                "source": "web",
                "event_id": event_id,
                "record_source": "shop" if record else None,
                "source_record_id": record,
                "visitor_id": visitor,
                "event": "view",
                "happened_at": at("2026-09-01"),
                "updated_at": at("2026-09-01"),
            }
            for event_id, record, visitor in (
                ("1", "S-000456", "visitor-ana-1"), ("2", None, "visitor-ana-1"), ("3", None, "visitor-else")
            )
        ],
        "suppressions": [
            {"source": "robinson", "list": "robinson", "key_kind": kind, "key": key, "updated_at": at("2026-01-01")}
            for kind, key in (
                ("email", "ANA.GIL@correo.example"),
                ("email", hashlib.sha256(b"ana.gil@correo.example").hexdigest()),
                ("national_id", "45612937-g"),
                ("phone", "928 112 233"),
            )
        ],
        "permissions": [
            {"customer_id": customer, "channel": "email", "purpose": "marketing", "allowed": True, "reason": "granted"}
            for customer in (ANA, BERTA)
        ],
        "contact_decisions": [
            {
                "contact_date": date(2026, 10, 10 + place),
                "customer_id": customer,
                "communication_id": "welcome",
                "decision": "contact",
                "reason": "due",
            }
            for customer in (ANA, BERTA)
        ],
        **{name: [{"customer_id": customer, **fill(name)} for customer in (ANA, BERTA)] for name in per_customer},
    }  # fmt: skip


def fill(name: str) -> dict[str, object]:
    """Something for each column that a contract does not let be empty."""
    made = {"text": "x", "int": 1, "float": 0.5, "date": date(2026, 1, 1), "time": at("2026-01-01"), "bool": True}
    return {
        column.name: column.values[0] if column.values else made[column.kind]
        for column in find_contract(name).columns
        if not column.null and column.name != "customer_id" and "<" not in column.name
    }


def write_run(store: RunStore, params_file: Path, place: int, status: str = "complete") -> RunFolder:
    """A run with its tables, and everything else that a run leaves."""
    params = load_params(params_file)
    base = store.latest()
    given = {
        "as_of_date": f"2026-10-0{place + 1}",
        "base": base.run_id if base else None,
        "params": dump_params(params),
        "params_file": str(params_file),
        "inputs": {},
    }
    folder = store.create(f"night-{place}", "nights", given)
    engine = Engine(threads=1, memory_limit="500MB")
    make_tables(engine, **list_rows(place))
    facts = {}
    for name in list_rows(place):
        path = folder.tables / f"{name}.parquet"
        if base and name in ("tickets", "web_events", "suppressions"):
            os.link(base.tables / path.name, path)  # as a run does with what it leaves as it was
        else:
            keys = ", ".join(quote(key) for key in find_contract(name).key)
            engine.copy(f"SELECT * FROM {name} ORDER BY {keys}", path)
            path.chmod(0o600)
        rows = engine.row(f"SELECT count(*) AS n FROM {name}")["n"]
        facts[name] = {"rows": rows, "sha256": hash_file(path), "bytes": path.stat().st_size, "room": "x"}
        if find_contract(name).versioned:
            facts[name]["superseded"] = place if name == "source_records" else 0
    delivered = [
        ("erp", json.dumps({"COD": "E0000071", "F": "31/02"})),
        ("shop", "x;ANA.GIL@CORREO.EXAMPLE;y"),
        ("shop", "Gil Pérez, Ana; c/ triana 12, 3º"),
        ("shop", f"{SAME_ELSEWHERE};berta@correo.example"),
    ]
    columns = {"source": [source for source, _ in delivered], "delivered": [text for _, text in delivered]}
    engine.register("delivered", pa.table(columns))
    engine.copy("FROM delivered", folder.private / "rejected_rows.parquet")
    # what a linkage keeps for the next one
    prepared = "(VALUES ('erp', 'E0000071', 'ana gil perez'), ('erp', 'E0000072', 'berta'))"
    named = f"FROM {prepared} AS t(source, source_record_id, name_key)"
    engine.copy(named, folder.private / "prepared_records.parquet")
    sides = "source_l, source_record_id_l, source_r, source_record_id_r"
    pairs = f"FROM (VALUES ('erp', 'E0000072', 'shop', 'S-000456')) AS t({sides})"
    engine.copy(pairs, folder.private / "standing_pairs.parquet")
    engine.close()
    exports = folder.private / "exports"
    exports.mkdir()
    (exports / "welcome.csv").write_text(
        f'customer_id,address,name\r\n{ANA},ana.gil@correo.example,"Ana\nGil"\r\n{BERTA},berta@correo.example,Berta\r\n'
    )
    (exports / "audience.csv").write_text(
        f"email\n{ANAS_OWN[-1]}\n{hashlib.sha256(b'berta@correo.example').hexdigest()}\n"
    )
    (folder.private / "03_x.traceback.txt").write_text("ValueError: '+34 612-345-987' of anita@buzon.example\n")
    (folder.report / "index.html").write_text("<p>Nobody: 98 % of ana&#64;else.example; ana.gil&#64;correo.example</p>")
    notebook = {"cells": [{"outputs": [{"text": ["GIL PÉREZ, ANA, C/ Triana 12, 3º\n"]}]}], "nbformat": 4}
    (folder.notebooks / "01_intake.ipynb").write_text(json.dumps(notebook))
    folder.update(lambda manifest: manifest.update(status=status, tables=facts))
    if status == "complete":
        store.publish(folder)
    return folder


def make_store(folder: Path) -> RunStore:
    """Two nights, the later on the earlier, a draft of it, and a third that did not end."""
    params_file = folder / "params.yaml"
    run = {"name": "nights", "as_of_date": "2026-10-01"}
    tickets = {"path": "t.csv", "fields": {"bought_at": "at"}}
    params_file.write_text(yaml.safe_dump({"run": run, "sources": {"pos": {"tickets": tickets}}}))
    made = RunStore(folder / "runs")
    for place in range(2):
        write_run(made, params_file, place)
    made.make_draft(made.get("latest"))
    write_run(made, params_file, 2, status="failed")
    return made


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """The store once, to be copied."""
    folder = tmp_path_factory.mktemp("kept")
    make_store(folder)
    return folder


def copy_store(template: Path, folder: Path) -> RunStore:
    """The store anew, files that runs share still being one."""
    subprocess.run(["cp", "-a", f"{template}/.", str(folder)], check=True)
    return RunStore(folder / "runs")


@pytest.fixture
def store(template, tmp_path) -> RunStore:
    return copy_store(template, tmp_path)


@pytest.fixture
def settings(store) -> Settings:
    return read_settings(store, store.directory.parent / "params.yaml")
