"""Files become tables, every row with its number; what cannot be read is kept, or told."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crmlib.sources.text_files as text_files
from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.params import Dialect
from crmlib.sources.readers import find_files, peek_columns, read_file


@pytest.fixture
def read(engine, tmp_path):
    def read(content: str | bytes, name: str = "people.csv", kind: str | None = None, **dialect):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_file(engine, path, kind, Dialect(**dialect), "read", "sources.erp.customers")

    return read


def table_of(engine: Engine) -> list[tuple]:
    return [tuple(row.values()) for row in engine.rows('FROM read ORDER BY "#row"')]


def test_cells_are_texts_and_empty_ones_nothing(engine, read):
    found = read('id;name\n007;" Ana "\n8;\n9;""\n')
    assert found.columns == {"id": "VARCHAR", "name": "VARCHAR"}
    assert found.rows == 3
    assert table_of(engine) == [("007", " Ana ", 1), ("8", None, 2), ("9", None, 3)]
    assert found.sniffed == ("encoding", "delimiter")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_every_encoding_is_read(engine, read, encoding):
    read("código,nombre\n1,Núñez\n".encode(encoding))
    assert table_of(engine) == [("1", "Núñez", 1)]


def test_rows_with_another_number_of_cells_are_kept_with_their_number(engine, read):
    found = read("a,b\n1,2\n3\n4,5\n6,7,8\n9,10\n")
    assert found.rows == 5
    assert found.unreadable == {2: "3", 4: "6,7,8"}
    assert table_of(engine) == [("1", "2", 1), ("4", "5", 3), ("9", "10", 5)]


def test_numbers_hold_over_lines_in_quotes_empty_lines_and_skipped_ones(engine, read):
    found = read('a title\n\na,b\n"one\ntwo",2\n\n3\n4,5\n', skip_rows=2)
    assert found.unreadable == {2: "3"}
    assert table_of(engine) == [("one\ntwo", "2", 1), ("4", "5", 3)]


def test_a_heading_over_two_lines_is_no_row(engine, read):
    read('"first\nname",b\n1,2\n')
    assert table_of(engine) == [("1", "2", 1)]


def test_numbers_hold_over_blocks(engine, read, monkeypatch):
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 64)
    lines = [f"{i},x" if i % 7 else f"{i}" for i in range(1, 500)]
    found = read("a,b\n" + "\n".join(lines) + "\n")
    assert found.rows == 499
    assert set(found.unreadable) == {i for i in range(1, 500) if i % 7 == 0}
    assert table_of(engine) == [(str(i), "x", i) for i in range(1, 500) if i % 7]


cells = st.text(alphabet=st.sampled_from('aé;,"\n \t7'), max_size=6)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=12))
def test_what_pythons_csv_writes_is_read_back(tmp_path_factory, rows):
    """Every row is read as Python's own reader reads it, or set aside if it has too few cells, or too many filled."""
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";", lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([["h1", "h2"], *rows])
    engine = Engine(threads=1, memory_limit="200MB")
    found = read_file(engine, path, None, Dialect(encoding="utf-8", delimiter=";"), "read", "x")
    good = {number: row[:2] for number, row in enumerate(rows, start=1) if len(row) >= 2 and not any(row[2:])}
    assert table_of(engine) == [(*(cell or None for cell in row), number) for number, row in good.items()]
    assert set(found.unreadable) == set(range(1, len(rows) + 1)) - set(good)
    assert found.rows == len(rows)
    engine.close()


def test_cells_apart_by_blanks(engine, read):
    found = read(" 00004 19970101  2   29.33 \n\n 00004 19970118 2\n 00021 19970101 3 63.34\n",
                 delimiter="whitespace", header=["id", "day", "n", "amount"])  # fmt: skip
    assert found.unreadable == {2: " 00004 19970118 2"}
    assert table_of(engine) == [("00004", "19970101", "2", "29.33", 1), ("00021", "19970101", "3", "63.34", 3)]


@pytest.mark.parametrize(
    ("content", "dialect", "sentence"),
    [
        ("", {}, "the file people.csv is empty"),
        ("a,b\n1,2\n3,\"4\n5,6\n7,8\n", {}, "a quotation mark is opened and never closed"),
        ("a,b\n1,2\n\"3,4\n5,6\n7,8\n", {}, "a quotation mark is opened and never closed"),
        ("a,b\n1,2\n3,\"4\n" + "5,6\n" * 200, {}, "a quotation mark is opened and never closed"),
        (b"a,b\n1,x\n2,\xff\n", {"encoding": "utf-8"}, "not in utf-8; give its encoding"),
        (b"a,b\n" + b"1,x\n" * 200 + b"2,\xff\n", {"encoding": "utf-8"}, "cannot be read as utf-8; give its encoding"),
        (b"a,b\n" + b"1,x\n" * 200 + b"2,\x81\n", {"encoding": "cp1252"}, "cannot be read as cp1252"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_told(read, monkeypatch, content, dialect, sentence):
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 128)
    monkeypatch.setattr("crmlib.sources.dialects.SNIFFED_BYTES", 128)
    with pytest.raises(InputError, match=sentence) as caught:
        read(content, **dialect)
    assert str(caught.value).startswith("sources.erp.customers: ")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ['a,b\n1,"x\ny"\n', 'a,b\n1,"x\ny"', 'a,b\n"x\ny",5\n', 'a,b\n1,5" nail\n'])
def test_a_quotation_mark_that_is_closed_is_no_fault(engine, read, text):
    read(text)
    (expected,) = list(csv.reader(io.StringIO(text)))[1:]
    assert table_of(engine) == [(*expected, 1)]


def test_typed_columns_of_parquet_stay_typed(engine, tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [5, 6], "amount": [1.5, None], "when": pa.array([0, 1], pa.timestamp("us"))}), path)
    found = read_file(engine, path, None, Dialect(), "read", "x")
    assert found.columns == {"id": "BIGINT", "amount": "DOUBLE", "when": "TIMESTAMP"}
    assert found.rows == 2
    assert [row["#row"] for row in engine.rows("FROM read")] == [1, 2]


@pytest.mark.parametrize("content", [b"PAR1 and no more", b"a,b\n1,2\n"])
def test_what_is_no_parquet_is_told(engine, tmp_path, content):
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"the file a.parquet is not Parquet, or is only part"):
        read_file(engine, path, None, Dialect(), "read", "x")


def test_an_empty_parquet_file_is_told(engine, tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        read_file(engine, path, None, Dialect(), "read", "x")


def test_a_file_without_rows_is_read(engine, tmp_path, read):
    assert read("a,b\n").rows == 0
    assert read("a b\n", delimiter="whitespace").rows == 0
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": pa.array([], pa.int64())}), path)
    assert read_file(engine, path, None, Dialect(), "typed", "x").rows == 0


def test_the_format_is_that_of_params_before_that_of_the_name(engine, tmp_path, read):
    assert read("a\tb\n1\t2\n", name="people.txt", kind="tsv").columns == {"a": "VARCHAR", "b": "VARCHAR"}
    path = tmp_path / "data.bin"
    pq.write_table(pa.table({"id": [5]}), path)
    assert peek_columns(engine, path, "parquet", Dialect(), "x") == ["id"]


def test_headings_are_peeked_at(engine, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a;b\n")
    assert peek_columns(engine, path, None, Dialect(), "x") == ["a", "b"]


def test_files_are_found_from_the_params_file(tmp_path):
    params = tmp_path / "params" / "p.yaml"
    (tmp_path / "data").mkdir()
    for name in ("b.csv", "a.csv", "c.txt", "odd[1].csv"):
        (tmp_path / "data" / name).write_text("x")
    found = [path.name for path in find_files(params, "../data/*.csv", "x")]
    assert found == ["a.csv", "b.csv", "odd[1].csv"]
    assert [path.name for path in find_files(params, "../data/odd[1].csv", "x")] == ["odd[1].csv"]
    assert find_files(params, str(tmp_path / "data" / "c.txt"), "x") == [tmp_path / "data" / "c.txt"]


def test_a_file_inside_an_installed_package_is_found_without_importing_it(tmp_path):
    (found,) = find_files(tmp_path / "p.yaml", "package:lifetimes/datasets/CDNOW_master.txt", "x")
    assert found.is_file()
    both = find_files(tmp_path / "p.yaml", "package:lifetimes/datasets/CDNOW_*.txt", "x")
    assert found in both
    assert len(both) > 1


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("none.csv", r"sources.erp.customers: there is no file .*none.csv. Mend path: in .*p.yaml"),
        ("none*.csv", "no file matches"),
        (".", "there is no file"),
        (
            "package:no_such_package/a.csv",
            "the Python package no_such_package is not installed; .*pip install no-such-package",
        ),
        ("package:lifetimes/datasets/none.csv", "the package lifetimes holds no file datasets/none.csv"),
        ("sftp://host/a.csv", "only files can be read, and sftp://host/a.csv is an address"),
    ],
)
def test_a_file_that_is_not_there_is_told(tmp_path, path, sentence):
    with pytest.raises(InputError, match=sentence):
        find_files(tmp_path / "p.yaml", path, "sources.erp.customers")
