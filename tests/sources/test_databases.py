"""A query's answer is fetched in batches; from the second run on only what is new."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import pytest

from crmlib.errors import InputError
from crmlib.sources.previews import check_sources
from tests.sources.loopback import HOST, free_port, run_mariadb, run_postgresql

FIELDS = {"source_record_id": "id", "full_name": "name", "updated_at": "changed"}


@pytest.fixture
def shop(deliveries, monkeypatch):
    connection = sqlite3.connect(deliveries.folder / "shop.db")
    connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, changed TEXT, note TEXT)")
    rows = [(i, f"Name {i}", f"2026-01-{i % 28 + 1:02} 10:00:00") for i in range(1, 51)]
    connection.executemany("INSERT INTO people (id, name, changed) VALUES (?, ?, ?)", rows)
    connection.commit()
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{deliveries.folder}/shop.db")
    yield connection
    connection.close()


def given(query="SELECT id, name, changed FROM people", fields=FIELDS, **sql) -> dict:
    origin = {"url_env": "SHOP_URL", "query": query, **sql}
    return {"shop": {"customers": {"sql": origin, "fields": fields}}}


def test_a_query_is_answered_whole(deliveries, shop):
    deliveries.take_in(given(batch_rows=7))
    assert deliveries.ledger() == [(50, 50, 0, 0)]
    deliveries.take_in(given(batch_rows=7))
    assert deliveries.ledger() == [(50, 0, 0, 50)]


def test_from_the_second_run_on_only_what_is_new_is_asked_for(deliveries, shop):
    sources = given(cursor="changed")
    deliveries.take_in(sources, as_of="2026-10-01")
    assert deliveries.rows("intake_ledger", "load, reached") == [
        {"load": "query as of 2026-10-01", "reached": "text:2026-01-28 10:00:00"}
    ]
    shop.execute("UPDATE people SET name = 'Ana', changed = '2026-03-01 09:00:00' WHERE id = 3")
    shop.execute("INSERT INTO people (id, name, changed) VALUES (77, 'Eva', '2026-03-02 09:00:00')")
    shop.commit()
    deliveries.take_in(sources, as_of="2026-10-02")
    assert deliveries.ledger() == [(3, 2, 0, 1)]
    assert len(deliveries.values("source_records", "source_record_id")) == 52
    deliveries.take_in(sources, as_of="2026-10-03")
    assert deliveries.ledger() == [(1, 0, 0, 1)]


def test_what_could_not_be_read_is_judged_again_though_it_is_not_answered_again(deliveries, shop):
    shop.execute("UPDATE people SET changed = '2026-01-01 10:00:00 o''clock' WHERE id = 3")
    shop.commit()
    sources = given(cursor="id")
    deliveries.take_in(sources, as_of="2026-10-01")
    assert deliveries.ledger() == [(50, 49, 1, 0)]
    deliveries.take_in(sources, as_of="2026-10-02")
    assert deliveries.ledger() == [(1, 0, 0, 1), (1, 0, 1, 0)]
    # the mapping is mended, and the row is taken up
    mended = {**FIELDS, "updated_at": {"from": "changed", "extract": r"^(\S+ \S+)"}}
    deliveries.take_in(given(fields=mended, cursor="id"), as_of="2026-10-03")
    assert deliveries.ledger() == [(1, 0, 0, 1), (1, 1, 0, 0)]
    assert deliveries.rows("rejected_rows") == []
    assert len(deliveries.values("source_records", "source_record_id")) == 50


def test_days_are_asked_for_once_more_for_rows_that_come_late(deliveries, monkeypatch):
    path = deliveries.folder / "typed.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE visits (id INTEGER, day DATE)")
        connection.executemany("INSERT INTO visits VALUES (?, ?)", [(i, f"2026-01-{i:02}") for i in range(1, 21)])
    connection.close()
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{path}")
    fields = {"source_record_id": "id", "updated_at": "day"}
    days = "SELECT id, day FROM visits"
    deliveries.take_in(given(days, fields, cursor="id", lookback_days=3), as_of="2026-10-01")
    # of a number no days are taken off
    deliveries.take_in(given(days, fields, cursor="id", lookback_days=3), as_of="2026-10-02")
    assert deliveries.ledger() == [(1, 0, 0, 1)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cursor": "modified"}, r"sql.cursor: the answer has no column 'modified'; it has: id, name, changed"),
        ({"query": "SELECT id, nombre FROM people"}, r"sql.query: the database cannot answer it: no such column"),
        ({"query": "SELECT * FROM clients"}, r"sql.query: the database cannot answer it: no such table"),
        ({"url_env": "NOT_SET_AT_ALL"}, r"sql.url_env: the variable NOT_SET_AT_ALL is not set"),
        ({"query": "SELECT id, name FROM people"}, r"has no column 'changed'"),
    ],
)
def test_bad_params_are_one_sentence(deliveries, shop, change, sentence):
    sources = given(**change) if "query" in change else given()
    sources["shop"]["customers"]["sql"] |= change
    (problem,) = check_sources(deliveries.params(sources), deliveries.folder / "params.yaml")
    with pytest.raises(InputError, match=sentence) as caught:
        deliveries.take_in(sources)
    assert str(caught.value).split(": ", 1)[0] in problem
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("no address at all", "what SHOP_URL holds is no address of a database"),
        ("nothing://host/base", "what SHOP_URL holds is no address of a database"),
        ("oracle://me:geheim@host/base", "the driver .* is not installed; install it with: pip install"),
        (f"postgresql+psycopg://me:geheim@{HOST}:{{port}}/base", "cannot be reached, or refuses the user"),
    ],
)
def test_a_database_that_is_not_there_is_told_without_its_secret(deliveries, monkeypatch, address, sentence):
    if "psycopg" in address:
        pytest.importorskip("psycopg")
    monkeypatch.setenv("SHOP_URL", address.format(port=free_port()))
    with pytest.raises(InputError, match=sentence) as caught:
        deliveries.take_in(given())
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("query", ["DELETE FROM people", "SELECT 1; DROP TABLE people", ""])
def test_only_a_select_is_put_to_a_database(deliveries, query):
    with pytest.raises(Exception, match="write one SELECT"):
        deliveries.params(given(query))


# Real servers, and a view of a million rows

ROWS = 1_000_000
POSTGRESQL = (
    f"""
    CREATE TABLE clientes AS
    SELECT i AS id, 'Nombre ' || i AS nombre, 'persona' || i || '@correo.example' AS correo,
      TIMESTAMP '2024-01-01' + i * INTERVAL '30 seconds' AS modificado,
      i % 7 = 0 AS publicidad, (i % 500)::numeric / 4 AS saldo
    FROM generate_series(1, {ROWS}) AS r(i)
    """,
    "CREATE VIEW vista_clientes AS SELECT id, nombre, correo, modificado, publicidad, saldo FROM clientes",
    "CREATE ROLE lector LOGIN",
    "GRANT SELECT ON vista_clientes TO lector",
)
MARIADB = (
    f"""
    CREATE TABLE clientes AS
    SELECT seq AS id, concat('Nombre ', seq) AS nombre, concat('persona', seq, '@correo.example') AS correo,
      TIMESTAMP '2024-01-01 00:00:00' + INTERVAL seq * 30 SECOND AS modificado, seq % 7 = 0 AS publicidad,
      cast((seq % 500) / 4 AS decimal(10, 2)) AS saldo
    FROM seq_1_to_{ROWS}
    """,
    "CREATE VIEW vista_clientes AS SELECT id, nombre, correo, modificado, publicidad, saldo FROM clientes",
    "CREATE USER lector@'%'",
    "GRANT SELECT ON vista_clientes TO lector@'%'",
)


@pytest.mark.full
@pytest.mark.parametrize(
    ("run_database", "made", "owner"),
    [(run_postgresql, POSTGRESQL, "crm@"), (run_mariadb, MARIADB, "root@")],
    ids=["PostgreSQL", "MariaDB"],
)
def test_a_view_of_a_million_rows_is_read_once_and_then_by_what_is_new(
    deliveries, monkeypatch, run_database, made, owner
):
    from sqlalchemy import create_engine, text

    fields = {
        "source_record_id": "id",
        "full_name": "nombre",
        "email": "correo",
        "updated_at": "modificado",
        "consent.email.marketing": "publicidad",
    }
    sources = given("SELECT * FROM vista_clientes", fields, cursor="modificado", lookback_days=1)
    with run_database() as url:
        engine = create_engine(url)

        def execute(*statements: str) -> None:
            with engine.begin() as connection:
                for statement in statements:
                    connection.execute(text(statement))

        execute(*made)
        # the user may read the view, and nothing else
        monkeypatch.setenv("SHOP_URL", url.replace(owner, "lector@"))
        deliveries.take_in(sources, as_of="2026-10-01")
        assert deliveries.ledger() == [(ROWS, ROWS, 0, 0)]
        count = "SELECT count(*) AS n, count(DISTINCT source_record_id) AS people FROM {}"
        assert deliveries.engine.row(count.format(deliveries.base["source_records"])) == {"n": ROWS, "people": ROWS}
        assert deliveries.rows("intake_ledger", "reached") == [
            {"reached": f"time:{datetime(2024, 12, 13, 5, 20).isoformat()}"}
        ]
        execute(
            "UPDATE clientes SET nombre = 'Nuevo', modificado = '2026-05-01 10:00:00' WHERE id <= 1000",
            "INSERT INTO clientes SELECT id + 2000000, nombre, correo, '2026-05-02 10:00:00', publicidad, saldo "
            "FROM clientes WHERE id > 1000 AND id <= 1500",
            "INSERT INTO clientes SELECT 9000000, nombre, correo, '2024-12-12 18:00:00', publicidad, saldo "
            "FROM clientes WHERE id = 1",
        )
        deliveries.take_in(sources, as_of="2026-10-02")
        # a day of rows was asked for once more: 2,880 and the one the cursor stands on, of which one came late
        ((read, accepted, rejected, unchanged),) = deliveries.ledger()
        assert (accepted, rejected) == (1501, 0)
        assert unchanged == read - accepted == 2881
        assert deliveries.engine.row(count.format(deliveries.base["source_records"])) == {
            "n": ROWS + 1501,
            "people": ROWS + 501,
        }
        engine.dispose()
