"""The guard finds planted personal data wherever a file hides it, and says where, never what."""

import json
from pathlib import Path
from urllib.parse import quote as percent_encode

import nbformat
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from crmlib.engine import Engine
from crmlib.errors import PersonalDataError
from crmlib.report import charts, guard
from crmlib.report.guard.candidates import find_emails, find_national_ids, find_phones

PEOPLE = pd.DataFrame(
    {
        "full_name": ["Ana García Pérez", "Carmelo Ñáñez de la Cruz", "Rosa Luz"],
        "given_name": ["Ana", "Carmelo", None],
        "surname_1": ["García", "Ñáñez", "Luz"],
        "email": ["ana.garcia@correo.example", "C.Nanez@correo.example", "not-an-address"],
        "phone": ["+34 928 12 34 56", "629481516", "(0034) 922-55-44-33"],
        "national_id": ["12345678Z", "X-1234567-L", "ES87654321X"],
        "address_line": ["Calle León y Castillo 212, 3º B", "Avda. Mesa y López, 15", "Finca Las Rosas s/n"],
        "street": ["León y Castillo", "Mesa y López", "Las Rosas"],
        "house_number": ["212", "15", None],
    }
)
VALUES = (
    guard.GuardedColumn("people", ("email",), "email"),
    guard.GuardedColumn("people", ("phone",), "phone"),
    guard.GuardedColumn("people", ("national_id",), "national_id"),
    guard.GuardedColumn("people", ("full_name",), "name"),
    guard.GuardedColumn("people", ("given_name", "surname_1"), "name"),
    guard.GuardedColumn("people", ("address_line",), "address"),
    guard.GuardedColumn("people", ("street", "house_number"), "address"),
)
ALLOWED = (guard.AllowedColumn("products", "name"),)

#: How a value may be written, and its kind.
WRITTEN = [
    ("ana.garcia@correo.example", "email"),
    ("mailto:ANA.GARCIA@CORREO.EXAMPLE.", "email"),
    ("somebody@elsewhere.org", "email"),
    ("not.in.the.tables@correo.example", "email"),
    ("928123456", "phone"),
    ("+34928123456", "phone"),
    ("928 12 34 56", "phone"),
    ("928.123.456", "phone"),
    ("0034-928-123456", "phone"),
    ("(629) 48 15 16", "phone"),
    ("922554433", "phone"),
    ("12345678Z", "national_id"),
    ("12.345.678-z", "national_id"),
    ("X1234567L", "national_id"),
    ("87654321 X", "national_id"),
    ("Ana García Pérez", "name"),
    ("ANA GARCIA PEREZ", "name"),
    ("García Pérez, Ana", "name"),
    ("ana_garcía_pérez", "name"),
    ("García, Ana", "name"),
    ("ñáñez de la cruz, carmelo", "name"),
    ("Calle León y Castillo 212, 3º B", "address"),
    ("CALLE LEON Y CASTILLO, 212", "address"),
    ("León y Castillo nº 212".replace(" nº", ","), "address"),
    ("Avda Mesa y López 15", "address"),
]


@pytest.fixture(scope="module")
def engine():
    engine = Engine(threads=1, memory_limit="1GB")
    engine.register("people", PEOPLE)
    engine.register("products", pd.DataFrame({"name": ["Rosa Luz, rosal trepador", "Vino Calle Real 7", None]}))
    yield engine
    engine.close()


@pytest.fixture
def find(engine, tmp_path):
    def search(text: str, name: str = "page.html", **options) -> list[guard.Hit]:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return guard.scan([path], engine, VALUES, **options)

    return search


def kinds(hits):
    return {hit.kind for hit in hits}


def test_a_value_is_found_however_it_is_written(find):
    page = "\n".join(f"<p>Then came {written} to the shop.</p>" for written, _ in WRITTEN)
    found = {(hit.place, hit.kind) for hit in find(page)}
    wanted = {(f"line {line}", kind): written for line, (written, kind) in enumerate(WRITTEN, start=1)}
    assert [written for place, written in wanted.items() if place not in found] == []


HIDING = {
    "text": lambda value: f"<p>see {value}.</p>",
    "attribute": lambda value: f'<td title="{value}">x</td>',
    "svg": lambda value: f'<svg><g><text x="1" y="2">{value}</text></g></svg>',
    "svg description": lambda value: f"<svg><desc>{value}</desc></svg>",
    "comment": lambda value: f"<!-- {value} -->",
    "style": lambda value: f"<style>/* {value} */</style>",
    "title": lambda value: f"<title>{value}</title>",
    "emphasis within": lambda value: f"<p>{value[:5]}<b>{value[5:]}</b></p>",
    "line break": lambda value: "<p>" + value.replace(" ", "<br>\n") + "</p>",
    "entities": lambda value: "<p>" + "".join(f"&#{ord(letter)};" for letter in value) + "</p>",
    "twice escaped": lambda value: "<p>" + "".join(f"&amp;#x{ord(letter):x};" for letter in value) + "</p>",
    "soft hyphens": lambda value: "<p>" + "\u00ad".join(value) + "</p>",
    "link": lambda value: f'<a href="page.html?q={percent_encode(value)}">x</a>',
}


HIDDEN = {
    "ana.garcia@correo.example": "email",
    "+34 928 12 34 56": "phone",
    "12345678Z": "national_id",
    "Carmelo Ñáñez": "name",
    "Calle León y Castillo 212": "address",
}


@pytest.mark.parametrize("hiding", HIDING)
def test_a_value_is_found_wherever_a_page_hides_it(find, hiding):
    hits = find("".join(f"<div>{HIDING[hiding](value)}</div>" for value in HIDDEN))
    assert kinds(hits) == set(HIDDEN.values())


def test_a_name_or_an_address_in_several_cells_of_a_row_is_found(find):
    row = "<table><tr><td>1</td><td>García</td><td>Ana</td><td>León y Castillo</td><td>212</td></tr></table>"
    assert kinds(find(row)) == {"name", "address"}


def test_cells_below_each_other_make_no_name(find):
    assert find("<table><tr><td>García</td></tr><tr><td>Ana</td></tr></table>") == []


NOTEBOOKS = {
    "code": new_code_cell("x = 'Ana García Pérez'"),
    "escaped code": new_code_cell(r"x = 'Ana Garc\u00eda P\u00e9rez'"),
    "markdown": new_markdown_cell("Our *Ana* García Pérez".replace("*", "")),
    "metadata": new_code_cell("1", metadata={"note": "Ana García Pérez"}),
    "key of metadata": new_code_cell("1", metadata={"Ana García Pérez": 1}),
    "html": new_code_cell(
        "1", outputs=[new_output("display_data", data={"text/html": "<td>Ana García P&eacute;rez</td>"})]
    ),
    "svg": new_code_cell(
        "1", outputs=[new_output("display_data", data={"image/svg+xml": "<text>Ana García Pérez</text>"})]
    ),
    "plain": new_code_cell("1", outputs=[new_output("execute_result", data={"text/plain": "0  Ana   García Pérez"})]),
    "json": new_code_cell(
        "1", outputs=[new_output("display_data", data={"application/json": {"rows": [["Ana García Pérez"]]}})]
    ),
    "stream": new_code_cell("1", outputs=[new_output("stream", name="stderr", text="for Ana García\nPérez")]),
    "error": new_code_cell(
        "1", outputs=[new_output("error", ename="E", evalue="no Ana García Pérez", traceback=["\x1b[31mE\x1b[0m"])]
    ),
    "traceback": new_code_cell(
        "1", outputs=[new_output("error", ename="E", evalue="e", traceback=["\x1b[31mAna \x1b[0mGarcía Pérez"])]
    ),
}


@pytest.mark.parametrize("where", NOTEBOOKS)
def test_a_name_is_found_anywhere_in_a_notebook(find, where):
    notebook = new_notebook(cells=[new_markdown_cell("# A question"), NOTEBOOKS[where]])
    hits = find(nbformat.writes(notebook), "05_room.ipynb")
    assert kinds(hits) == {"name"}
    assert all(hit.place.startswith("cell 2") for hit in hits)


def test_a_value_is_found_in_a_notebooks_own_metadata(find):
    notebook = new_notebook(metadata={"papermill": {"parameters": {"who": "ana.garcia@correo.example"}}})
    assert "email" in kinds(find(nbformat.writes(notebook), "n.ipynb"))


def test_bitmaps_cannot_be_searched_and_are_refused(find):
    output = new_output("display_data", data={"image/png": "aGVsbG8=", "text/plain": "<Figure>"})
    notebook = new_notebook(cells=[new_code_cell("1", outputs=[output])])
    assert kinds(find(nbformat.writes(notebook), "n.ipynb")) == {"unreadable"}
    assert kinds(find('<img alt="" src="data:image/png;base64,aGVsbG8=">')) == {"unreadable"}


def test_a_file_that_is_no_text_is_refused(engine, tmp_path):
    path = tmp_path / "page.html"
    path.write_bytes(b"\xff\xfe\x00\x81")
    assert kinds(guard.scan([path], engine, VALUES)) == {"unreadable"}


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_manifest_is_searched_leaf_by_leaf_with_its_lines(find, ascii_only):
    manifest = {"run": {"name": "demo"}, "headlines": [{"label": "for Carmelo Ñáñez de la Cruz"}], "n": 928123456}
    hits = find(json.dumps(manifest, indent=1, ensure_ascii=ascii_only), "manifest.json")
    assert {(hit.kind, hit.place) for hit in hits} == {("name", "line 7"), ("phone", "line 10")}


def test_counts_and_digests_in_a_manifest_are_no_telephone_numbers(find):
    manifest = {"inputs": {"a.csv": {"bytes": 928123456, "rows": 629481516, "hash": "c0ffee928123456" + "a" * 49}}}
    assert find(json.dumps(manifest), "manifest.json") == []


def test_a_log_is_searched_line_by_line_and_across_a_break(find):
    hits = find("started\nreading Carmelo\nÑáñez next\n928 12 34 56 failed\n", "run.log")
    assert {("name", "line 2"), ("phone", "line 4")} <= {(hit.kind, hit.place) for hit in hits}


def test_what_also_stands_in_an_allowed_text_is_not_reported(find):
    assert kinds(find("<p>Most sold: rosa luz.</p>")) == {"name"}
    assert find("<p>Most sold: rosa luz.</p>", allowed_columns=ALLOWED) == []
    owner = "<p>Ask data@retailer.example, 928 123 456, Ana García Pérez, Calle León y Castillo 212.</p>"
    params = ["data@retailer.example", "+34 928 12 34 56", "Ana García Pérez", "Calle León y Castillo 212, bajo"]
    assert kinds(find(owner)) == {"email", "phone", "name", "address"}
    assert find(owner, allowed=params) == []


def test_an_allowed_text_excuses_nothing_longer_or_else(find):
    assert kinds(find("<p>Ana García Pérez</p>", allowed=["Ana García"])) == {"name"}
    assert kinds(find("<p>c.nanez@correo.example</p>", allowed=["nanez@correo.example"])) == {"email"}


def test_an_honest_page_is_left_alone(find):
    figure = charts.line(
        pd.DataFrame({"week": range(30), "tickets": range(928123400, 928123430)}), "week", "tickets", title="Sales"
    )
    page = figure._repr_html_() + (
        "<p>On 2026-11-01 12:30:05.123456 UTC there were 2,873 customers, 17.4123456789 days apart, and "
        "€928,123,456 of sales (0.928123456); Ana sold 212 in Castillo, García in Pérez. @media print, x@y, a @ b</p>"
    )
    assert find(page.replace("928123456", "918123456")) == []


def test_a_surname_with_particles_is_one_name_and_none_to_report(tmp_path):
    engine = Engine(threads=1, memory_limit="1GB")
    engine.register("people", pd.DataFrame({"surnames": ["de la Cruz", "Santa Cruz", "de la Cruz Mesa"]}))
    path = tmp_path / "page.html"
    path.write_text("<p>Santa Cruz de la Palma</p>\n<p>Mesa de la Cruz</p>")
    hits = guard.scan([path], engine, [guard.GuardedColumn("people", ("surnames",), "name")])
    engine.close()
    assert [(hit.place, hit.kind) for hit in hits] == [("line 2", "name")]


def test_decimal_fractions_are_no_telephone_numbers():
    assert "928123456" not in set(find_phones("a mean of 0.928123456 and 17.928123456 days"))


def test_the_message_says_where_and_never_what(engine, tmp_path):
    page = tmp_path / "report" / "06_churn.html"
    page.parent.mkdir()
    page.write_text("<h1>ok</h1>\n" + "\n".join(f"<p title='{written}'>.</p>" for written, _ in WRITTEN))
    with pytest.raises(PersonalDataError, match=r"report/06_churn\.html, line 2, attribute title") as caught:
        guard.check([page], engine, VALUES)
    message = str(caught.value).casefold()
    words = {word.casefold() for written, _ in WRITTEN for word in written.replace("@", " ").split() if len(word) > 3}
    assert not [word for word in words if word in message]
    assert caught.value.exit_code == 3


def test_a_clean_file_passes_and_nothing_stays_in_the_engine(engine, tmp_path):
    page = tmp_path / "index.html"
    page.write_text("<p>2,873 customers</p>")
    guard.check([page], engine, VALUES, allowed_columns=ALLOWED)
    tables = engine.frame("SELECT table_name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views()")
    assert not [name for name in tables["table_name"] if name.startswith("guard_")]


def test_all_passages_of_a_text_that_stands_in_several_files_are_named(engine, tmp_path):
    paths = [tmp_path / "a.html", tmp_path / "b.html"]
    for path in paths:
        path.write_text("<p>Ana García Pérez</p>")
    assert [hit.file for hit in guard.scan(paths, engine, VALUES)] == paths


LETTERS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789"), min_size=1, max_size=8)
AROUND = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)


@given(local=LETTERS, host=LETTERS, top=st.sampled_from(["example", "es", "com"]), before=AROUND, after=AROUND)
def test_any_inserted_email_is_found(local, host, top, before, after):
    assert f"{local}@{host}.{top}" in set(find_emails(f"{before} {local}@{host}.{top}, {after}"))


@given(
    digits=st.text(st.sampled_from("0123456789"), min_size=9, max_size=9),
    prefix=st.sampled_from(["", "+34 ", "+34", "0034 ", "(+34) "]),
    cut=st.sampled_from([(9,), (3, 3, 3), (3, 2, 2, 2), (2, 3, 4), (1, 4, 4)]),
    separator=st.sampled_from([" ", "-", ".", "/", "\u00a0", " - "]),
    before=AROUND.filter(lambda text: not text or not text[-1].isdecimal()),
    after=AROUND,
)
def test_any_inserted_phone_is_found(digits, prefix, cut, separator, before, after):
    groups, place = [], 0
    for size in cut:
        groups.append(digits[place : place + size])
        place += size
    written = prefix + separator.join(groups)
    assert digits in set(find_phones(f"{before} tel: {written}; {after}"))


@given(
    number=st.text(st.sampled_from("0123456789"), min_size=8, max_size=8),
    letter=st.sampled_from("TRWAGMYFPDXBNJZSQVHLCKE"),
    separator=st.sampled_from(["", "-", " ", "."]),
)
def test_any_inserted_national_id_is_found(number, letter, separator):
    assert number + letter in set(find_national_ids(f"the id {number}{separator}{letter.lower()}, as given"))


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(["Carmelo", "Ñáñez", "de", "la", "Cruz"]))
def test_a_name_is_found_in_any_order(engine, tmp_path_factory, order):
    path = Path(tmp_path_factory.mktemp("guard")) / "page.html"
    path.write_text(f"<p>Today {' '.join(order)} bought.</p>", encoding="utf-8")
    assert kinds(guard.scan([path], engine, VALUES)) == {"name"}


def test_a_count_beside_a_places_name_is_no_address_but_a_street_with_its_number_is(tmp_path):
    engine = Engine()
    homes = pd.DataFrame({"street": ["La Gomera", "Mesa y López"], "house_number": ["15", "15"]})
    engine.register("people", homes)
    engine.register("places", pd.DataFrame({"island": ["La Gomera", "Tenerife"]}))
    values = [guard.GuardedColumn("people", ("street", "house_number"), "address")]
    islands = [guard.AllowedColumn("places", "island")]
    rows = {"counted": ["La Gomera", "15", "10"], "lived": ["Mesa y López", "15", "10"]}
    for name, cells in rows.items():
        page = "<table><tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr></table>"
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    (tmp_path / "said.html").write_text("<p>La Gomera 15</p>", encoding="utf-8")
    files = sorted(tmp_path.glob("*.html"))
    found = {hit.file.stem for hit in guard.scan(files, engine, values, allowed_columns=islands)}
    assert found == {"lived", "said"}
