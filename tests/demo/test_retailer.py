from __future__ import annotations

import csv
import hashlib
import json
from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from stdnum import ean
from stdnum.es import dni, nie

from crmlib.demo import retailer as room
from crmlib.demo.reports import HEADINGS as REPORTS
from crmlib.demo.retailer import DemoSummary, write_retailer
from crmlib.errors import InputError
from tests.demo.conftest import AS_OF_DATE

SHOPIFY = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,"
    "Default Address Address1,Default Address Address2,Default Address City,Default Address Province Code,"
    "Default Address Country Code,Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,"
    "Total Spent,Total Orders,Note,Tax Exempt,Tags"
)
ERP = (
    "COD_CLIENTE;NOMBRE;NIF;DIRECCION;CP;POBLACION;PROVINCIA;TELEFONO;EMAIL;F_NACIM;SEXO;F_ALTA;F_MODIF;"
    "SALDO;ACEPTA_EMAIL;ACEPTA_SMS;F_CONSENT"
)
ORDERS = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,"
    "Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,"
    "Lineitem fulfillment status,Billing Name,Billing Street,Billing Address1,Billing Address2,Billing Company,"
    "Billing City,Billing Zip,Billing Province,Billing Country,Billing Phone,Shipping Name,Shipping Street,"
    "Shipping Address1,Shipping Address2,Shipping Company,Shipping City,Shipping Zip,Shipping Province,"
    "Shipping Country,Shipping Phone,Notes,Note Attributes,Cancelled at,Payment Method,Payment Reference,"
    "Refunded Amount,Vendor,Outstanding Balance,Employee,Location,Device ID,Id,Tags,Risk Level,Source,"
    "Lineitem discount,Tax 1 Name,Tax 1 Value,Tax 2 Name,Tax 2 Value,Tax 3 Name,Tax 3 Value,Tax 4 Name,Tax 4 Value,"
    "Tax 5 Name,Tax 5 Value,Phone,Receipt Number,Duties,Billing Province Name,Shipping Province Name,Payment ID,"
    "Payment Terms Name,Next Payment Due At,Payment References"
)
GOOGLE = (
    "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,Phonetic Last Name,Name Prefix,"
    "Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,Birthday,Notes,Photo,"
    "Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,"
    "Phone 2 - Label,Phone 2 - Value,Address 1 - Label,Address 1 - Formatted,Address 1 - Street,Address 1 - City,"
    "Address 1 - PO Box,Address 1 - Region,Address 1 - Postal Code,Address 1 - Country,Address 1 - Extended Address,"
    "Website 1 - Label,Website 1 - Value"
)
CONSENTS = "system,customer_ref,channel,purpose,decision,decided_at,legal_basis,wording,evidence"
CARDS = (
    "tarjeta\tnombre\tapellidos\ttelefono\temail\tfecha_nacimiento\tsexo\tcodigo_postal\ttienda\tfecha_alta\t"
    "fecha_modificacion\tacepta_email\tacepta_sms\tfecha_consentimiento"
)


def read_csv(path: Path, delimiter: str, encoding: str) -> pd.DataFrame:
    """A file's readable rows, all text."""
    with path.open(encoding=encoding, newline="") as file:
        heading, *rows = csv.reader(file, delimiter=delimiter)
    return pd.DataFrame([row for row in rows if len(row) == len(heading)], columns=heading)


@pytest.fixture(scope="module")
def shop(data: Path) -> pd.DataFrame:
    return read_csv(data / "shop" / "customers.csv", ",", "utf-8")


@pytest.fixture(scope="module")
def erp(data: Path) -> pd.DataFrame:
    return read_csv(data / "erp" / "clientes_20261101.csv", ";", "cp1252")


@pytest.fixture(scope="module")
def cards(data: Path) -> pd.DataFrame:
    return read_csv(data / "loyalty" / "cards.csv", "\t", "utf-8")


@pytest.fixture(scope="module")
def tables(data: Path, truth: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name, files in (
        ("tickets", data / "pos" / "tickets_[2l]*.parquet"),
        ("corrected", data / "pos" / "tickets_corrected_*.parquet"),
        ("lines", data / "pos" / "lines_*.parquet"),
        ("people", truth / "people.parquet"),
        ("households", truth / "households.parquet"),
        ("behaviour", truth / "behaviour.parquet"),
        ("stages", truth / "stages.parquet"),
        ("permissions", truth / "permissions.parquet"),
        ("defects", truth / "defects.parquet"),
    ):
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{files}')")
    return connection


def one(tables: duckdb.DuckDBPyConnection, sql: str):
    return tables.execute(sql).fetchone()[0]


def defects(tables: duckdb.DuckDBPyConnection, source: str, *names: str) -> set[str]:
    found = tables.execute(
        "SELECT row_key FROM defects WHERE source = $source AND list_contains($names, defect)",
        {"source": source, "names": list(names)},
    ).fetchall()
    return {key for (key,) in found}


def hash_files(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("file", "encoding", "heading"),
    [
        ("shop/customers.csv", "utf-8", SHOPIFY),
        ("erp/clientes_20261101.csv", "cp1252", ERP),
        ("loyalty/cards.csv", "utf-8", CARDS),
        (
            "erp/articulos_20261101.csv",
            "cp1252",
            "COD_ARTICULO;DESCRIPCION;FAMILIA;SUBFAMILIA;MARCA;PROVEEDOR;PVP;COSTE",
        ),
        ("erp/tiendas_20261101.csv", "cp1252", "COD_TIENDA;NOMBRE;ISLA;PROVINCIA;CP;LATITUD;LONGITUD;F_APERTURA"),
        ("shop/orders_20261101.csv", "utf-8", ORDERS),
        ("contacts/contacts.csv", "utf-8", GOOGLE),
        ("mailing/campanas_20261101.csv", "cp1252", "CAMPANA;NOMBRE;CATEGORIA;CANAL;INICIO;FIN;COSTE;GRUPO_CONTROL"),
        ("service/casos_20261101.csv", "cp1252", "CASO;SISTEMA;CLIENTE;APERTURA;CIERRE;MOTIVO;ESTADO"),
        ("mailchimp/campaigns_20261101.csv", "utf-8", REPORTS),
        ("geo/postcodes.csv", "utf-8", "postcode,municipality,island,province,latitude,longitude"),
    ],
)
def test_files_are_written_as_their_tools_write_them(data: Path, file: str, encoding: str, heading: str) -> None:
    content = (data / file).read_bytes()
    assert content.decode(encoding).splitlines()[0] == heading
    assert not content.isascii()
    if encoding == "cp1252":
        with pytest.raises(UnicodeDecodeError):
            content.decode("utf-8")


@pytest.mark.parametrize(
    ("file", "heading"),
    [
        ("consents/consents_20261001.csv", CONSENTS),
        ("consents/consents_20261101.csv", CONSENTS),
        ("consents/consents_20261107.csv", CONSENTS),
        ("lists/robinson_20261101.csv", "key_kind,key,listed_on"),
        ("lists/deceased_20261101.csv", "key_kind,key,listed_on"),
        ("lists/employee_20261101.csv", "key_kind,key,listed_on"),
        ("lists/internal_20261101.csv", "key_kind,key,listed_on"),
    ],
)
def test_plain_files_have_these_headings(data: Path, file: str, heading: str) -> None:
    first, *rows = (data / file).read_text(encoding="utf-8").splitlines()
    assert first == heading
    assert rows


def test_tills_write_these_columns(tables: duckdb.DuckDBPyConnection) -> None:
    columns = {
        table: [f"{name} {kind}" for name, kind, *_ in tables.execute(f"DESCRIBE {table}").fetchall()]
        for table in ("tickets", "lines")
    }
    assert columns["tickets"] == [
        "TICKET VARCHAR",
        "TARJETA VARCHAR",
        "FECHA TIMESTAMP",
        "TIENDA VARCHAR",
        "CAJA INTEGER",
        "TOTAL DECIMAL(12,2)",
        "DESCUENTO DECIMAL(12,2)",
        "ARTICULOS INTEGER",
        "PAGO VARCHAR",
    ]
    assert columns["lines"] == [
        "TICKET VARCHAR",
        "LINEA INTEGER",
        "ARTICULO VARCHAR",
        "CANTIDAD INTEGER",
        "IMPORTE DECIMAL(12,2)",
        "DESCUENTO DECIMAL(12,2)",
    ]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path, retailer: DemoSummary) -> None:
    again = write_retailer(tmp_path / "again", people=1_500, as_of_date=AS_OF_DATE)
    other = write_retailer(tmp_path / "other", people=1_500, seed=7, as_of_date=AS_OF_DATE)
    hashes = hash_files(retailer.directory)
    assert hash_files(again.directory) == hashes
    differing = {name for name, value in hash_files(other.directory).items() if hashes.get(name) != value}
    fixed = ("articulos", "tiendas", "postcodes", "campanas")
    assert {name for name in hashes if name in hash_files(other.directory)} - differing == {
        name for name in hashes if any(word in name for word in fixed)
    }


def test_truth_covers_every_record(
    shop: pd.DataFrame, erp: pd.DataFrame, cards: pd.DataFrame, tables: duckdb.DuckDBPyConnection
) -> None:
    delivered = {
        "shop": set(shop["Customer ID"].str.removeprefix("'")),
        "erp": set(erp["COD_CLIENTE"]),
        "loyalty": set(cards["tarjeta"]),
    }
    for source, ids in delivered.items():
        known = {
            key
            for (key,) in tables.execute("SELECT source_record_id FROM people WHERE source = ?", [source]).fetchall()
        }
        assert known == ids | defects(tables, source, "unreadable_row")
    assert (
        one(
            tables,
            "SELECT count(*) FROM tickets t ANTI JOIN people p ON t.TARJETA = p.source_record_id "
            "WHERE TARJETA IS NOT NULL",
        )
        == 0
    )
    assert one(tables, "SELECT count(*) - count(DISTINCT (source, source_record_id)) FROM people") == 0
    for table in ("households", "behaviour", "stages", "permissions"):
        assert one(tables, f"SELECT count(DISTINCT person_id) FROM {table}") == 1_500
        assert one(tables, f"SELECT count(DISTINCT person_id) FROM people SEMI JOIN {table} USING (person_id)") == 1_500


def test_28_percent_of_the_records_are_duplicates(tables: duckdb.DuckDBPyConnection, retailer: DemoSummary) -> None:
    share = one(tables, "SELECT 1 - count(DISTINCT person_id) / count(*) FROM people")
    assert share == pytest.approx(0.28, abs=0.015)
    assert retailer.duplicate_share == pytest.approx(share)


def test_the_summary_counts_what_was_written(tables: duckdb.DuckDBPyConnection, retailer: DemoSummary) -> None:
    for table in ("lines", "defects"):
        assert one(tables, f"SELECT count(*) FROM {table}") == getattr(retailer, table)
    assert one(tables, "SELECT (SELECT count(*) FROM tickets) + (SELECT count(*) FROM corrected)") == retailer.tickets
    assert one(tables, "SELECT count(*) FROM people") == retailer.records
    assert one(tables, "SELECT count(DISTINCT household_id) FROM households") == retailer.households


def test_every_email_can_belong_to_nobody(shop: pd.DataFrame, erp: pd.DataFrame, cards: pd.DataFrame) -> None:
    emails = pd.concat([shop["Email"], erp["EMAIL"], cards["email"]])
    given = emails[emails != ""]
    assert len(given) > 1_000
    assert given.str.lower().str.endswith(".example").all()


def test_check_letters_are_right_where_none_was_planted(erp: pd.DataFrame, tables: duckdb.DuckDBPyConnection) -> None:
    given = erp[erp["NIF"] != ""].set_index("COD_CLIENTE")["NIF"].str.replace(".", "")
    valid = given.map(lambda number: dni.is_valid(number) or nie.is_valid(number))
    assert set(valid.index[~valid]) == defects(tables, "erp", "wrong_check_letter") & set(given.index)
    assert not valid.all()


def test_card_numbers_have_their_check_digit(cards: pd.DataFrame) -> None:
    assert cards["tarjeta"].map(ean.is_valid).all()


def test_impossible_dates_are_planted_and_no_others(
    erp: pd.DataFrame, cards: pd.DataFrame, tables: duckdb.DuckDBPyConnection
) -> None:
    for source, frame, key, column, form in (
        ("erp", erp, "COD_CLIENTE", "F_NACIM", "%d/%m/%Y"),
        ("loyalty", cards, "tarjeta", "fecha_nacimiento", "%Y-%m-%d"),
    ):
        given = frame[frame[column] != ""]
        read = pd.to_datetime(given[column], format=form, errors="coerce")
        assert set(given[key][read.isna()]) == defects(tables, source, "impossible_date") & set(given[key])


def test_lines_agree_with_their_tickets_but_for_the_planted(tables: duckdb.DuckDBPyConnection) -> None:
    differing = tables.execute(
        """
        WITH sums AS (
          SELECT TICKET, sum(IMPORTE) AS amount, sum(DESCUENTO) AS discount, sum(CANTIDAD) AS items
          FROM lines GROUP BY TICKET
        )
        SELECT DISTINCT TICKET FROM tickets JOIN sums USING (TICKET)
        WHERE TOTAL <> amount OR tickets.DESCUENTO <> discount OR ARTICULOS <> items
        """
    ).fetchall()
    planted = defects(tables, "pos", "conflicting_key", "impossible_amount", "corrected_later")
    assert {key for (key,) in differing} == planted
    assert one(tables, "SELECT count(*) FROM tickets ANTI JOIN lines USING (TICKET)") == 0
    assert one(tables, "SELECT count(*) FROM lines ANTI JOIN tickets USING (TICKET)") == 0
    assert one(tables, "SELECT count(*) - count(DISTINCT (TICKET, LINEA)) FROM lines") == 0


def test_ticket_numbers_are_unique_but_for_the_planted(tables: duckdb.DuckDBPyConnection) -> None:
    twice = tables.execute("SELECT TICKET FROM tickets GROUP BY TICKET HAVING count(*) > 1").fetchall()
    assert {key for (key,) in twice} == defects(tables, "pos", "conflicting_key", "repeated_row")


def test_corrections_are_right_and_come_after_what_they_correct(data: Path, tables: duckdb.DuckDBPyConnection) -> None:
    corrected = tables.execute(
        """
        WITH sums AS (SELECT TICKET, sum(IMPORTE) AS amount FROM lines GROUP BY TICKET)
        SELECT c.TICKET, c.TOTAL = amount AS right_now, t.TOTAL = 10 * amount AS wrong_before, c.FECHA
        FROM corrected c JOIN sums USING (TICKET) JOIN tickets t USING (TICKET)
        """
    ).fetchall()
    assert {key for key, *_ in corrected} == defects(tables, "pos", "corrected_later")
    assert all(right and wrong for _, right, wrong, _ in corrected)
    (correction,) = (path.stem[-8:] for path in (data / "pos").glob("tickets_corrected_*"))
    for *_, bought_at in corrected:
        quarter = f"{bought_at.year}q{(bought_at.month + 2) // 3}"
        (delivered,) = (path.stem[-8:] for path in (data / "pos").glob(f"tickets_{quarter}_*"))
        assert f"{bought_at:%Y%m%d}" < delivered < correction < "20261101"


def test_what_a_store_delivered_late_is_nowhere_else(data: Path, tables: duckdb.DuckDBPyConnection) -> None:
    (file,) = (data / "pos").glob("tickets_late_*")
    late = tables.execute(f"SELECT TICKET, TIENDA, FECHA FROM '{file}'").fetchall()
    assert {key for key, *_ in late} == defects(tables, "pos", "delivered_late")
    assert {store for _, store, _ in late} == {"005"}
    first, last = min(bought_at for *_, bought_at in late), max(bought_at for *_, bought_at in late)
    on_time = f"SELECT count(*) FROM '{data}/pos/tickets_2*.parquet' WHERE TIENDA = '005' AND FECHA BETWEEN ? AND ?"
    assert tables.execute(on_time, [first, last]).fetchone() == (0,)
    assert f"{last:%Y%m%d}" < file.stem[-8:] < "20261101"


def test_lines_and_tickets_know_their_stores_and_products(data: Path, tables: duckdb.DuckDBPyConnection) -> None:
    products = set(read_csv(data / "erp" / "articulos_20261101.csv", ";", "cp1252")["COD_ARTICULO"])
    stores = set(read_csv(data / "erp" / "tiendas_20261101.csv", ";", "cp1252")["COD_TIENDA"])
    assert {key for (key,) in tables.execute("SELECT DISTINCT ARTICULO FROM lines").fetchall()} <= products
    unknown = tables.execute("SELECT TICKET, TIENDA FROM tickets").fetchall()
    assert {ticket for ticket, store in unknown if store not in stores} == defects(tables, "pos", "unknown_store")


def test_nothing_is_dated_later_but_the_planted(
    erp: pd.DataFrame, cards: pd.DataFrame, tables: duckdb.DuckDBPyConnection
) -> None:
    last = pd.Timestamp(AS_OF_DATE)
    later = tables.execute("SELECT TICKET FROM tickets WHERE FECHA >= DATE '2026-11-02'").fetchall()
    assert {key for (key,) in later} == defects(tables, "pos", "future_row")
    assert len(later) == 5
    later_rows = set()
    for column in ("F_ALTA", "F_MODIF", "F_CONSENT"):
        read = pd.to_datetime(erp[column].replace("", None), format="%d/%m/%Y")
        later_rows |= set(erp["COD_CLIENTE"][read > last])
    assert later_rows == defects(tables, "erp", "future_row") - defects(tables, "erp", "unreadable_row")
    for column in ("fecha_alta", "fecha_modificacion", "fecha_consentimiento"):
        assert (pd.to_datetime(cards[column]) <= last).all()
    assert one(tables, "SELECT min(FECHA) FROM tickets").date() >= date(2024, 1, 1)


def test_cards_are_used_by_their_holders_while_customers(tables: duckdb.DuckDBPyConnection) -> None:
    outside = one(
        tables,
        """
        SELECT count(*) FROM tickets JOIN people ON source_record_id = TARJETA JOIN behaviour USING (person_id)
        WHERE TOTAL > 0 AND FECHA < DATE '2026-11-02'
          AND (CAST(FECHA AS DATE) < entered_on OR CAST(FECHA AS DATE) > dropout_on)
        """,
    )
    assert outside == 0
    anonymous = one(tables, "SELECT avg(CASE WHEN TARJETA IS NULL THEN 1 ELSE 0 END) FROM tickets")
    assert 0.2 < anonymous < 0.5


def test_truth_of_behaviour_agrees_with_the_tickets(tables: duckdb.DuckDBPyConnection) -> None:
    """Tickets with a card, against rate, days in the history and share of cards shown; campaigns add some."""
    expected, seen = tables.execute(
        """
        WITH exposed AS (
          SELECT person_id, rate_per_day * 0.96 * (
            date_diff('day', greatest(entered_on, DATE '2024-01-01'), coalesce(dropout_on, DATE '2026-11-01')) + 1
          ) AS expected
          FROM behaviour SEMI JOIN (FROM people WHERE source IN ('loyalty', 'card')) USING (person_id)
          ANTI JOIN (FROM people WHERE source = 'shop') USING (person_id)
          WHERE entered_on < DATE '2024-01-01' AND changed_on IS NULL AND lapsed_from IS NULL
        ),
        bought AS (
          SELECT person_id, count(*) AS n FROM tickets JOIN people ON source_record_id = TARJETA
          WHERE TOTAL > 0 AND FECHA < DATE '2026-11-02' GROUP BY person_id
        )
        SELECT sum(expected), sum(coalesce(n, 0)) FROM exposed LEFT JOIN bought USING (person_id)
        """
    ).fetchone()
    assert 0.96 < seen / expected < 1.09
    assert one(tables, "SELECT count(*) FROM behaviour WHERE alive <> (dropout_on IS NULL)") == 0


def test_names_are_those_of_the_islands(erp: pd.DataFrame) -> None:
    surnames = erp["NOMBRE"].str.extract(r"^([^ ,]+)")[0].value_counts()
    assert set(surnames.index[:25]) & {"RODRIGUEZ", "GONZALEZ", "HERNANDEZ"}
    assert erp["NOMBRE"].str.len().max() <= 34
    assert (erp["NOMBRE"] == erp["NOMBRE"].str.upper()).all()
    assert erp["NOMBRE"].str.contains(", ").mean() > 0.7
    assert erp["SALDO"].str.fullmatch(r"\d+,\d\d").all()
    assert erp["DIRECCION"].str.contains("C/").mean() > 0.5


def test_shop_cells_begin_with_an_apostrophe(shop: pd.DataFrame) -> None:
    for column, form in (
        ("Customer ID", r"'\d{13}"),
        ("Default Address Zip", r"'3[58]\d{3}"),
        ("Default Address Phone", r"'\+34\d{9}"),
    ):
        given = shop[column][shop[column] != ""]
        assert len(given) > 100
        assert given.str.fullmatch(form).all()
    assert set(shop["Accepts Email Marketing"]) == {"yes", "no"}


def test_pieces_fit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PIECE", 120)
    told: list[str] = []
    summary = write_retailer(tmp_path / "pieces", people=300, as_of_date=AS_OF_DATE, progress=told.append)
    assert told == ["120 of 300 people written", "240 of 300 people written", "300 of 300 people written"]
    tables = duckdb.connect()
    tables.execute(f"CREATE VIEW tickets AS FROM read_parquet('{tmp_path}/pieces/data/pos/tickets_*.parquet')")
    tables.execute(f"CREATE VIEW people AS FROM read_parquet('{tmp_path}/pieces/truth/people.parquet')")
    assert one(tables, "SELECT count(*) - count(DISTINCT (source, source_record_id)) FROM people") == 0
    assert one(tables, "SELECT count(DISTINCT person_id) FROM people") == 300
    # two tickets are delivered twice, two with another amount, and eight are corrected; all other numbers are unique
    assert one(tables, "SELECT count(*) - count(DISTINCT TICKET) FROM tickets") == 12
    assert summary.tickets == one(tables, "SELECT count(*) FROM tickets")
    data = tmp_path / "pieces" / "data"
    for file, key in (("mailing/sends.parquet", "ENVIO"), ("web/events.parquet", "event_id")):
        assert one(tables, f"SELECT count(*) - count(DISTINCT {key}) FROM '{data / file}'") == 0
    assert one(tables, f"SELECT count(*) FROM '{data}/mailing/sends.parquet'") == summary.sends
    cases = read_csv(data / "service" / "casos_20261101.csv", ";", "cp1252")
    assert cases["CASO"].is_unique
    orders = read_csv(data / "shop" / "orders_20261101.csv", ",", "utf-8")
    assert orders["Name"].nunique() == (orders["Id"] != "").sum() == summary.orders


def test_a_smaller_history_ends_where_it_is_told(tmp_path: Path) -> None:
    write_retailer(tmp_path / "demo", people=20, as_of_date=date(2025, 3, 31))
    files = sorted(path.name for path in (tmp_path / "demo" / "data" / "pos").glob("tickets_*"))
    assert files[0] == "tickets_2023q1_20230401.parquet"
    assert "tickets_2025q1_20250331.parquet" in files
    assert (tmp_path / "demo" / "data" / "erp" / "clientes_20250331.csv").exists()


def test_an_earlier_demo_is_replaced(tmp_path: Path) -> None:
    write_retailer(tmp_path, people=30, as_of_date=date(2025, 3, 31))
    write_retailer(tmp_path, people=20, as_of_date=date(2025, 4, 1))
    assert [path.name for path in (tmp_path / "data" / "erp").glob("clientes_*")] == ["clientes_20250401.csv"]
    assert json.loads((tmp_path / "demo.json").read_text())["people"] == 20


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    mine = tmp_path / "data" / "mine.csv"
    mine.write_text("a\n1\n")
    with pytest.raises(InputError, match="holds something else"):
        write_retailer(tmp_path, people=50)
    assert mine.read_text() == "a\n1\n"
    with pytest.raises(InputError, match="is a file"):
        write_retailer(mine, people=50)


@pytest.mark.parametrize(("people", "seed", "named"), [(3, 1, "people"), (50, -1, "seed"), (10**9, 1, "people")])
def test_numbers_out_of_range_are_refused(tmp_path: Path, people: int, seed: int, named: str) -> None:
    with pytest.raises(InputError, match=named):
        write_retailer(tmp_path / "x", people=people, seed=seed)
    assert not (tmp_path / "x").exists()


@pytest.mark.full
def test_work_grows_with_the_number_of_people(tmp_path: Path) -> None:
    """Rows per person stay the same, so that nothing grows faster than the population."""
    sizes = [write_retailer(tmp_path / str(n), people=n, as_of_date=AS_OF_DATE) for n in (2_000, 20_000, 50_000)]
    for smaller, larger in pairwise(sizes):
        assert larger.tickets / larger.people == pytest.approx(smaller.tickets / smaller.people, rel=0.06)
        assert larger.records / larger.people == pytest.approx(smaller.records / smaller.people, rel=0.02)
        assert larger.defects / larger.people < 1.1 * smaller.defects / smaller.people
