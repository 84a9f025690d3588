"""The rows above a heading are found, and no heading is taken for one of them."""

from __future__ import annotations

import pytest
import xlsxwriter

from crmlib.params import load_params
from crmlib.sources.guessing.beginnings import count_rows_above
from crmlib.sources.guessing.writing import write_params
from crmlib.sources.previews import check_sources

HEADING = "codigo;nombre;email;telefono"
ROW = "1;Ana Gil;ana@mail.example;600000001"
FILES = [
    (f"{HEADING}\n{ROW}\n", 0),
    (f"Listado de clientes a 31/10/2026\n\n{HEADING}\n{ROW}\n", 2),
    (f"Datos;;Contacto;\n{HEADING}\n{ROW}\n", 1),
    # a column without a name, and rows that might be headings but for what stands in them
    (f"codigo;nombre;;telefono\n{ROW}\n{ROW}\n", 0),
    ("codigo;nombre;;\nA;Ana;Gil;600000001\n", 0),
    ("nombre\nAna\nEva\n", 0),
]


@pytest.mark.parametrize(("text", "above"), FILES)
def test_the_rows_above_a_heading_are_counted(engine, tmp_path, text, above):
    path = tmp_path / "clientes.csv"
    path.write_text(text, encoding="utf-8")
    assert count_rows_above(engine, path, "x") == above


def test_a_workbook_whose_columns_stand_in_groups_is_mapped_by_its_second_row(tmp_path):
    path = tmp_path / "socios" / "socios.xlsx"
    path.parent.mkdir()
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 1, "Persona")
        sheet.merge_range(0, 2, 0, 3, "Contacto")
        for row, line in enumerate((HEADING, ROW, ROW.replace("1;Ana", "2;Eva")), start=1):
            sheet.write_row(row, 0, line.split(";"))
    target, _ = write_params(tmp_path / "params", [path])
    (given,) = load_params(target).sources["socios"].entities["customers"]
    assert given.dialect.skip_rows == 1
    assert given.fields["email"].source_columns == "email"
    assert check_sources(load_params(target), target) == []
