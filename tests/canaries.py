"""Recognisable people, planted in every source of a made retailer: their words may be found in tables alone."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

#: A word that no word list holds; planted in every field that a source has of a person.
CANARY = "zqxkanari"
CANARY_PHONE = "822 974 613"
CANARY_NATIONAL_ID = "87654321X"


def plant_canaries(data: Path) -> None:
    """Put recognisable people into every source: taken in, rejected for a bad date, and unreadable."""
    erp = next((data / "erp").glob("clientes_*.csv"))
    heading = erp.read_text(encoding="cp1252").splitlines()[0].split(";")
    person = {name: f"{CANARY}{name.lower()}" for name in heading} | {
        "NOMBRE": f"{CANARY}uno {CANARY}dos, {CANARY}tres",
        "NIF": CANARY_NATIONAL_ID,
        "DIRECCION": f"C/ {CANARY}calle 17, 3º B",
        "TELEFONO": CANARY_PHONE,
        "EMAIL": f"{CANARY}@correo.example",
        "F_NACIM": "07/03/1971",
        "F_ALTA": "01/02/2025",
        "F_MODIF": "01/02/2025",
        "F_CONSENT": "01/02/2025",
        "SALDO": "12,50",
        "ACEPTA_EMAIL": "S",
        "ACEPTA_SMS": "N",
    }
    rejected = person | {"COD_CLIENTE": f"{CANARY}otro", "F_NACIM": f"{CANARY}fecha"}
    with erp.open("a", encoding="cp1252") as file:
        for row in (person, rejected):
            file.write(";".join(row[name] for name in heading) + "\r\n")
        file.write(f"{CANARY}roto;{CANARY}roto\r\n")
    append_person(
        data / "loyalty" / "cards.csv",
        "\t",
        {
            "telefono": CANARY_PHONE,
            "email": f"{CANARY}tarjeta@correo.example",
            "fecha_nacimiento": "1971-03-07",
            "fecha_alta": "2025-02-01",
            "fecha_modificacion": "2025-02-01",
            "fecha_consentimiento": "2025-02-01",
            "acepta_email": "si",
            "acepta_sms": "no",
        },
    )
    append_person(
        data / "shop" / "customers.csv",
        ",",
        {"Email": f"{CANARY}tienda@correo.example", "Phone": CANARY_PHONE, "Accepts Email Marketing": "yes"}
        | {"Accepts SMS Marketing": "no"},
    )
    orders = {"Name": "#999999", "Email": f"{CANARY}tienda@correo.example", "Created at": "2026-05-01 10:00:00 +0100"}
    amounts = (
        "Total",
        "Refunded Amount",
        "Discount Amount",
        "Lineitem price",
        "Lineitem quantity",
        "Lineitem discount",
    )
    append_person(next((data / "shop").glob("orders_*.csv")), ",", orders | dict.fromkeys(amounts, "1"))
    append_person(
        data / "contacts" / "contacts.csv",
        ",",
        {"E-mail 1 - Value": f"{CANARY}contacto@correo.example", "Phone 1 - Value": CANARY_PHONE, "Birthday": ""},
    )
    consent = {"system": "erp", "channel": "email", "purpose": "marketing", "decision": "granted"}
    append_person(data / "consents" / "consents_20261101.csv", ",", consent | {"decided_at": "2026-05-01T10:00:00Z"})
    listed = {"key_kind": "email", "key": f"{CANARY}lista@correo.example", "listed_on": "2026-01-01"}
    append_person(data / "lists" / "internal_20261101.csv", ",", listed)
    plant_in_audience(next((data / "mailchimp").glob("*.zip")))


def append_person(path: Path, delimiter: str, given: dict[str, str]) -> None:
    """Add a row in which every cell that is not given is a canary."""
    with path.open(encoding="utf-8", newline="") as file:
        heading = next(csv.reader(file, delimiter=delimiter))
    assert given.keys() <= set(heading)
    with path.open("a", encoding="utf-8", newline="") as file:
        cells = {name: f"{CANARY}{number}" for number, name in enumerate(heading)} | given
        csv.writer(file, delimiter=delimiter).writerow(cells.values())


def plant_in_audience(path: Path) -> None:
    """Add a member to the subscribed ones of the mailing tool's zip."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = "subscribed_members_export.csv"
    heading = next(csv.reader([members[name].decode().splitlines()[0]]))
    cells = {column: f"{CANARY}{number}" for number, column in enumerate(heading)} | {
        "Email Address": f"{CANARY}boletin@correo.example",
        "Phone Number": CANARY_PHONE,
        "Address": f"Calle {CANARY} 17  Telde  Las Palmas  35200  ES",
        **dict.fromkeys(("OPTIN_TIME", "CONFIRM_TIME", "LAST_CHANGED"), "2025-02-01 10:00:00"),
    }
    row = io.StringIO()
    csv.writer(row).writerow(cells.values())
    members[name] += row.getvalue().encode()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
