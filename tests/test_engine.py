"""The engine: values bound, identifiers quoted, text worked on once per distinct value, nothing quoted in errors."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

import crmlib
from crmlib.engine import Engine, Step, literal, quote
from crmlib.errors import EngineError

#: Functions that Spark does not have under this name: they become user-defined functions there.
WITHOUT_TWIN = {
    "strip_accents": "Spark has no function that strips accents",
    "list_slice": "sqlglot 30 knows no twin; Spark's slice takes a length in place of an end",
    "epoch_us": "Spark calls it unix_micros",
    "map_entries": "Spark calls it so, too",
    "make_timestamptz": "Spark calls it timestamp_micros",
}


def find_steps() -> dict[str, Step]:
    found = {}
    for info in pkgutil.walk_packages(crmlib.__path__, "crmlib."):
        if info.name == "crmlib.__main__":
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            steps = value if isinstance(value, (tuple, list)) else [value]
            found |= {f"{info.name}.{name}.{step.name}": step for step in steps if isinstance(step, Step)}
    return found


STEPS = find_steps()


def test_a_step_makes_its_table_with_bound_values(engine):
    step = Step("adults", "SELECT * FROM (VALUES ('a', 17), ('b', 18)) AS people(name, age) WHERE age >= $least")
    assert engine.run(step, least=18, unused="x") == "adults"
    assert engine.rows("FROM adults") == [{"name": "b", "age": 18}]
    engine.run(step, least=17)
    assert engine.row("SELECT count(*) AS n FROM adults") == {"n": 2}


@pytest.mark.parametrize("value", ["'; DROP TABLE kept; --", "O'Neill", '"', "$least", "100 %", "línea\ny línea"])
def test_a_bound_value_is_never_sql(engine, value):
    engine.execute("CREATE TABLE kept AS SELECT 1 AS one")
    assert engine.row("SELECT $value AS value", value=value) == {"value": value}
    assert engine.row(f"SELECT {literal(value)} AS value") == {"value": value}
    assert engine.has("kept")


@settings(deadline=None, max_examples=40)
@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_heading_can_be_a_columns_name(heading):
    engine = Engine(threads=1, memory_limit="100MB")
    engine.execute(f"CREATE TABLE t AS SELECT 1 AS {quote(heading)}")
    assert engine.columns("t") == {heading: "INTEGER"}
    assert engine.row(f"SELECT {quote(heading)} FROM t") == {heading: 1}
    engine.close()


def test_rows_are_of_pythons_own_types(engine):
    row = engine.row(
        "SELECT sum(x) AS total, CAST(1.5 AS DECIMAL(18,2)) AS amount, DATE '2026-01-02' AS day, "
        "TIMESTAMPTZ '2026-01-02 10:00:00+01' AS moment, ['a'] AS list, MAP {'a': 0.5::DOUBLE} AS shares, "
        "NULL AS nothing "
        "FROM (VALUES (1), (2)) AS t(x)"
    )
    assert row == {
        "total": 3,
        "amount": Decimal("1.50"),
        "day": date(2026, 1, 2),
        "moment": datetime(2026, 1, 2, 9, tzinfo=UTC),
        "list": ["a"],
        "shares": {"a": 0.5},
        "nothing": None,
    }
    assert isinstance(row["total"], int)


@pytest.mark.parametrize("rows", [0, 2])
def test_one_row_means_one(engine, rows):
    with pytest.raises(EngineError, match=f"One row was expected, {rows} came"):
        engine.row("SELECT unnest(range($rows)) AS n", rows=rows)


def test_frames_and_arrow_tables_are_registered_as_tables(engine):
    frame = pd.DataFrame({"a b": ["x", None], "n": [1.5, float("nan")]})
    engine.register("frames", frame)
    frame.loc[:, "n"] = 0.0
    assert engine.rows("FROM frames") == [{"a b": "x", "n": 1.5}, {"a b": None, "n": None}]
    engine.register("frames", pa.table({"c": [1]}))
    assert engine.columns("frames") == {"c": "BIGINT"}
    assert not engine.has("incoming")


def test_a_frame_with_times_comes_without_a_warning(engine):
    frame = engine.frame("SELECT TIMESTAMPTZ '2026-01-02 10:00:00+01' AS moment")
    assert frame.loc[0, "moment"] == pd.Timestamp("2026-01-02 09:00", tz="UTC")


def test_tables_and_views_are_found_by_name(engine):
    engine.view("seen", "SELECT 1 AS one")
    assert engine.has("seen")
    assert not engine.has("unseen")


def test_times_are_utc_wherever_the_machine_stands():
    script = """
import pyarrow as pa
from crmlib.engine import Engine
engine = Engine()
assert engine.row("SELECT current_setting('TimeZone') AS zone")["zone"] == "UTC"
moment = "SELECT TIMESTAMPTZ '2026-01-02 10:00:00+01' AS moment"
engine.map_distinct("m", moment, lambda moment: (moment.isoformat(),), {"text": pa.string()})
assert engine.row("SELECT text FROM m")["text"] == "2026-01-02T09:00:00+00:00"
"""
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "TZ": "Asia/Tokyo"})


def test_an_error_quotes_no_value(engine):
    secret = "ana.perez@shop.example"
    engine.execute("CREATE TABLE people AS SELECT $secret AS email", secret=secret)
    for failing in (
        lambda: engine.frame("SELECT CAST(email AS BIGINT) AS n FROM people"),
        lambda: engine.run(Step("numbers", "SELECT CAST(email AS BIGINT) AS n FROM people")),
        lambda: engine.execute("INSERT INTO people SELECT CAST(email AS DATE) FROM people"),
        lambda: engine.row("SELECT CAST($value AS BIGINT) AS n", value=secret),
        lambda: engine.map_distinct("worked", "SELECT email FROM people", lambda e: (int(e),), {"n": pa.int64()}),
    ):
        with pytest.raises(EngineError) as caught:
            failing()
        assert secret not in str(caught.value)
        assert "ana" not in str(caught.value)


def test_an_error_names_the_step(engine):
    with pytest.raises(EngineError, match="The step 'broken' failed"):
        engine.run(Step("broken", "SELECT * FROM nowhere"))


def test_each_distinct_value_is_worked_on_once(engine):
    seen: Counter[tuple[str | None, ...]] = Counter()

    def work(first: str | None, second: str | None) -> tuple[str, int]:
        seen[first, second] += 1
        return f"{first}-{second}", len(first or "")

    rows = (
        [("ana", "x")] * 40_000
        + [("eva", None)] * 30_000
        + [(None, None)] * 5
        + [(f"n{i}", "y") for i in range(70_000)]
    )
    engine.register("people", pa.table({"given": [a for a, _ in rows], "other": [b for _, b in rows]}))
    fields = {"both": pa.string(), "length": pa.int64()}
    assert engine.map_distinct("worked", "SELECT given, other FROM people", work, fields) == "worked"
    assert set(seen.values()) == {1}
    assert len(seen) == 70_002
    assert (None, None) not in seen
    assert list(engine.columns("worked")) == ["given", "other", "both", "length"]
    assert engine.row("SELECT * FROM worked WHERE given = 'eva'") == {
        "given": "eva", "other": None, "both": "eva-None", "length": 3,
    }  # fmt: skip


def test_working_on_nothing_makes_an_empty_table(engine):
    engine.map_distinct("worked", "SELECT NULL::VARCHAR AS text", lambda text: (1,), {"n": pa.int64()})
    assert engine.columns("worked") == {"text": "VARCHAR", "n": "BIGINT"}
    assert engine.rows("FROM worked") == []


def test_a_query_is_written_to_parquet(engine, tmp_path):
    path = tmp_path / "it's.parquet"
    engine.copy("SELECT 1 AS one", path)
    assert pq.read_table(path).to_pylist() == [{"one": 1}]


def test_what_does_not_fit_in_memory_is_spilled(tmp_path):
    engine = Engine(threads=1, memory_limit="60MB", temp_directory=tmp_path / "spill")
    rows = "SELECT range AS n, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS text FROM range(1_500_000)"
    engine.execute(f"CREATE TABLE sorted AS SELECT * FROM ({rows}) ORDER BY text")
    assert engine.row("SELECT count(*) AS n, count(DISTINCT n) AS m FROM sorted") == {"n": 1_500_000, "m": 1_500_000}
    assert list((tmp_path / "spill").iterdir())
    engine.close()


def test_nothing_is_fetched_from_outside(engine):
    assert engine.row("SELECT current_setting('autoinstall_known_extensions') AS on") == {"on": False}


def test_there_are_steps_in_every_room_of_set_work():
    rooms = {name.split(".")[1] for name in STEPS}
    assert {"sources", "audit", "identity", "behaviour"} <= rooms


@pytest.mark.parametrize("name", STEPS)
def test_every_step_can_be_written_as_spark_sql(name):
    step = STEPS[name]
    written = sqlglot.transpile(step.sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    assert written == [step.spark]
    tree = sqlglot.parse_one(step.spark, read="spark")
    unknown = {call.name.lower() for call in tree.find_all(exp.Anonymous)}
    assert unknown <= WITHOUT_TWIN.keys()
    # what Spark's parser refuses although sqlglot writes it
    assert not any(star.args.get("replace") for star in tree.find_all(exp.Star))
    assert not any(isinstance(call.this, exp.Order) for call in tree.find_all(exp.AggFunc))
    assert not list(tree.find_all(exp.Qualify))
    assert not any(join.method for join in tree.find_all(exp.Join))
    assert "$" not in step.spark.replace("'$", "")


@pytest.mark.parametrize("name", STEPS)
def test_every_step_is_one_select(name):
    (statement,) = sqlglot.parse(STEPS[name].sql, read="duckdb")
    assert isinstance(statement, exp.Query)
