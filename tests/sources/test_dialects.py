"""Encodings and delimiters are found out where nobody gives them."""

from __future__ import annotations

import pytest

from crmlib.errors import InputError
from crmlib.params import Dialect
from crmlib.sources.dialects import read_heading, sniff_dialect

PEOPLE = "código;nombre;población\n1;Begoña Núñez Ibáñez;Arucas\n2;José María Peña;Agüimes\n3;Ana Gil;Telde\n"


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "people.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("iso8859_15", "cp1252"),
    ],
)
def test_the_encoding_is_found_out(write, written, found):
    path = write(PEOPLE.encode(written))
    dialect, sniffed = sniff_dialect(path, None, Dialect(), "sources.erp.customers")
    assert dialect.encoding == found
    assert dialect.delimiter == ";"
    assert sniffed == ("encoding", "delimiter")
    assert read_heading(path, dialect, "")[0] == ["código", "nombre", "población"]
    assert path.read_bytes().decode(dialect.encoding).removeprefix("\ufeff") == PEOPLE


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp850", "José María Núñez Peña;Begoña Ibáñez;Ángel Martín;Agüimes;Lucía Hernández;Raúl Suárez"),
        ("cp1250", "Łukasz Wójcik;Małgorzata Dąbrowska;Zbigniew Kozłowski;Grażyna Król;Żaneta Świątek;Łódź"),
        ("cp1251", "Иван Петров;Мария Смирнова;Москва;Алексей Кузнецов;улица Ленина;Ольга Попова"),
    ],
)
def test_another_code_page_is_found_where_the_western_one_makes_no_sense(write, encoding, names):
    text = "id;name\n" + "".join(f"{i};{name}\n" for i, name in enumerate(names.split(";") * 4))
    assert sniff_dialect(write(text.encode(encoding)), None, Dialect(), "")[0].encoding == encoding


@pytest.mark.parametrize(
    "name", ["ñ", "Núñez", "Mª Ángeles", "nº 3, 2º", "10 €", "Begoña Ibáñez", "François", "Müller", "São"]
)
def test_a_few_western_letters_are_taken_for_western(write, name):
    assert sniff_dialect(write(f"id;name\n1;{name}\n".encode("cp1252")), None, Dialect(), "")[0].encoding == "cp1252"


def test_an_accent_far_down_the_file_decides(write):
    path = write(b"a;b\n" + b"1;x\n" * 100_000 + "2;ñ\n".encode("cp1252"))
    assert sniff_dialect(path, None, Dialect(), "")[0].encoding == "cp1252"
    path = write(b"a;b\n" + b"1;x\n" * 100_000 + "2;ñ\n".encode())
    assert sniff_dialect(path, None, Dialect(), "")[0].encoding == "utf-8"


def test_a_character_that_is_cut_at_a_block_is_no_error(write, monkeypatch):
    monkeypatch.setattr("crmlib.sources.dialects.READ_BYTES", 3)
    monkeypatch.setattr("crmlib.sources.dialects.SNIFFED_BYTES", 10)
    assert sniff_dialect(write("a;ñ\n1;ññññ€€€€\n"), None, Dialect(), "")[0].encoding == "utf-8"


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('name;note\n"x";"a, b, c"\n"y";"d, e"\n', ";"),
        ('a,b\n"1;2;3;4","5;6"\n', ","),
        ('a;b\n"one\ntwo";2\n', ";"),
        ("alone\n1\n2\n", ","),
        ("a,b,c\n1,2,3\n4,5", ","),
    ],
)
def test_the_delimiter_is_found_out(write, text, delimiter):
    assert sniff_dialect(write(text), None, Dialect(), "")[0].delimiter == delimiter


def test_what_is_given_is_not_sniffed(write):
    given = Dialect(encoding="cp1252", delimiter=",")
    assert sniff_dialect(write(PEOPLE.encode("cp1252")), None, given, "") == (given, ())
    assert sniff_dialect(write(PEOPLE), "tsv", Dialect(), "")[0].delimiter == "\t"


@pytest.mark.parametrize(
    ("content", "given", "sentence"),
    [
        (b"", {}, "the file people.csv is empty"),
        (b"PK\x03\x04\x00\x00\x08\x00", {}, "is no text. CSV, TSV and Parquet can be read"),
        (b"a;b\nx\x00;1\n", {}, "is no text"),
        ("a;ñ\n".encode("cp1252"), {"encoding": "utf-8"}, "is not in utf-8; give its encoding under dialect:"),
        (b"a;b\n", {"encoding": "utf-9"}, "no encoding is called utf-9"),
        (b"a;b\n1;\x81\x98\n", {}, "the encoding of people.csv could not be found out"),
    ],
)
def test_what_cannot_be_read_is_told(write, content, given, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        sniff_dialect(write(content), None, Dialect(**given), "sources.erp.customers")
    assert str(caught.value).startswith("sources.erp.customers: ")


@pytest.mark.parametrize(
    ("text", "given", "names", "lines"),
    [
        ("a,b\n1,2\n", {}, ["a", "b"], 1),
        (" a , b\n", {}, ["a", "b"], 1),
        ("a,a,A,,\n", {}, ["a", "a_2", "A_3", "column_4", "column_5"], 1),
        ('"first\nname",b\n1,2\n', {}, ["first\nname", "b"], 2),
        ("list of customers\n\na,b\n", {"skip_rows": 2}, ["a", "b"], 3),
        ("1,2\n", {"header": ["x", "y"]}, ["x", "y"], 0),
        ("junk\n1,2\n", {"header": ["x", "y"], "skip_rows": 1}, ["x", "y"], 1),
        ("a  b\tc\n", {"delimiter": "whitespace"}, ["a", "b", "c"], 1),
        ("a,b\r\n1,2\r\n", {}, ["a", "b"], 1),
    ],
)
def test_the_heading_is_read(write, text, given, names, lines):
    dialect = Dialect(encoding="utf-8", **{"delimiter": ",", **given})
    assert read_heading(write(text), dialect, "") == (names, lines)


def test_a_byte_order_mark_is_no_part_of_the_heading(write):
    path = write(b"\xef\xbb\xbfCOD;b\n1;2\n")
    assert read_heading(path, Dialect(encoding="utf-8", delimiter=";"), "")[0] == ["COD", "b"]


@pytest.mark.parametrize("text", ["\n1,2\n", ",,\n1,2,3\n"])
def test_a_file_without_a_heading_is_told(write, text):
    with pytest.raises(InputError, match="has no heading; give its columns under dialect: header:"):
        read_heading(write(text), Dialect(encoding="utf-8", delimiter=","), "")
