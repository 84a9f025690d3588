"""A guessed mapping is a params file with comments, and it works as it stands."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from crmlib.cli import app
from crmlib.errors import InputError
from crmlib.files import hash_file
from crmlib.params import load_params, resolve_as_of
from crmlib.sources.guessing.writing import write_params
from crmlib.sources.intake import take_in
from crmlib.sources.previews import check_sources
from tests.sources.preset_fixtures import make_fixtures

CLIENTES = (
    "COD_CLIENTE;NOMBRE;NIF;TELEFONO;EMAIL;F_NACIM;SEXO;F_MODIF;ACEPTA_EMAIL;CLAVE_ACCESO;SALDO\n"
    "1;Ana Gil Peña;31415926L;600000001;ana@mail.example;12/05/1980;M;13/02/2026;S;x1;5,00\n"
    "2;Ivo Báez Rey;45678123P;600000002;ivo@mail.example;01/02/1975;H;14/02/2026;N;x2;6,50\n"
)


def test_a_mapping_is_written_with_how_sure_it_is(tmp_path):
    path = tmp_path / "erp" / "clientes_20260214.csv"
    path.parent.mkdir()
    path.write_text(CLIENTES, encoding="cp1252")
    target, told = write_params(tmp_path / "params", [path])
    text = target.read_text(encoding="utf-8")
    assert "national_id: NIF" in text
    assert "# sure: by heading and contents" in text
    assert "gender: {M: female, H: male}" in text
    assert "path: ../erp/clientes_*.csv" in text
    assert "# never taken in: secret: CLAVE_ACCESO" in text
    assert "# not used: SALDO" in text
    assert told == [
        "clientes_20260214.csv: customers, 9 fields (8 sure, 1 likely, 0 perhaps). Not used: SALDO. "
        "Never taken in: CLAVE_ACCESO."
    ]
    # what stands in the cells is nobody's business here
    assert not any(cell in text for line in CLIENTES.splitlines()[1:] for cell in line.split(";")[1:5])
    params = load_params(target)
    assert check_sources(params, target) == []
    (given,) = params.sources["erp"].entities["customers"]
    assert given.fields["consent.email.marketing"].source_columns == "ACEPTA_EMAIL"
    assert given.dialect.encoding == "cp1252"


@pytest.mark.parametrize(
    ("first", "days", "parts"),
    [
        (1, ["01/10/2026"] * 3, ["TIENDA", "CAJA", "FECHA", "TICKET"]),
        # numbers that go on, and a file of several days
        (4711, ["01/10/2026"] * 3, ["TIENDA", "CAJA", "TICKET"]),
        (1, ["01/10/2026", "02/10/2026", "02/10/2026"], ["TIENDA", "CAJA", "TICKET"]),
    ],
)
def test_where_the_numbers_of_a_till_begin_anew_each_day_the_day_is_part_of_the_id(tmp_path, first, days, parts):
    (tmp_path / "pos").mkdir()
    path = tmp_path / "pos" / "ventas_20261001.csv"
    rows = [f"T01;{n % 2};{first + n:06d};{day};1{n}:30;{n},50" for n, day in enumerate(days)]
    path.write_text("\n".join(["TIENDA;CAJA;TICKET;FECHA;HORA;TOTAL", *rows]) + "\n", encoding="cp1252")
    target, _ = write_params(tmp_path / "params", [path])
    (given,) = load_params(target).sources["pos"].entities["tickets"]
    assert given.fields["ticket_id"].source_columns == parts
    assert given.fields["bought_at"].source_columns == ["FECHA", "HORA"]
    # the next file may hold letters that are written otherwise
    assert given.dialect.encoding is None


@pytest.mark.full
@pytest.mark.parametrize("name", [name for name, _ in make_fixtures()])
def test_whatever_is_recognised_works_as_it_stands(tmp_path, deliveries, name):
    (tmp_path / "shop").mkdir()
    path = tmp_path / "shop" / name
    path.write_bytes(dict(make_fixtures())[name])
    target, told = write_params(tmp_path / "params", [path])
    params = load_params(target)
    assert check_sources(params, target) == []
    assert told
    params = resolve_as_of(params, date(2026, 11, 1))
    end, landed = datetime(2026, 11, 2, tzinfo=UTC), tmp_path / "landed"
    intake = take_in(deliveries.engine, params, target, end, hash_file, lambda _: None, None, landed)
    assert intake.deliveries["rows_read"].sum() > 0
    assert intake.deliveries["rows_accepted"].sum() > 0


def test_orders_that_come_with_their_lines_are_two_entities(tmp_path):
    path = tmp_path / "pedidos.csv"
    path.write_text(
        "pedido,correo,fecha,total,sku,cantidad,precio unitario\n"
        "P1,a@b.example,2026-01-01,15.00,S1,1,5.00\nP1,,,,S2,2,5.00\nP2,c@d.example,2026-01-02,7.00,S1,1,7.00\n"
    )
    target, _ = write_params(tmp_path / "params", [path])
    (source,) = load_params(target).sources.values()
    (orders,), (lines,) = source.entities["tickets"], source.entities["ticket_lines"]
    assert orders.rows_with == "fecha"
    assert orders.fields["buyer_email"].source_columns == "correo"
    assert lines.fields["amount"].formula == "{precio unitario} * {cantidad}"
    assert "bought_at" not in lines.fields


def test_nothing_is_overwritten(tmp_path):
    path = tmp_path / "clientes.csv"
    path.write_text(CLIENTES)
    write_params(tmp_path / "params", [path])
    with pytest.raises(InputError, match="there is such a file already"):
        write_params(tmp_path / "params", [path])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "1;ana@mail.example;600000001\n2;ivo@mail.example;600000002\n",
            "its first row seems to be data, not headings",
        ),
        ("alpha;beta\nfoo;bar\n", "nothing was recognised; write fields: by hand"),
        ("", "is empty"),
    ],
)
def test_what_cannot_be_guessed_is_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=sentence) as caught:
        write_params(tmp_path / "params", [path])
    assert "ana@" not in str(caught.value)
    assert not (tmp_path / "params").exists()


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=r"none.csv: there is no such file"):
        write_params(tmp_path, [tmp_path / "none.csv"])


def test_the_command_tells_what_it_found(tmp_path):
    path = tmp_path / "clientes.csv"
    path.write_text(CLIENTES)
    done = CliRunner().invoke(app, ["init", str(tmp_path / "mine"), "--from", str(path)])
    assert done.exit_code == 0
    assert "clientes.csv: customers, 9 fields" in done.output
    assert "params.yaml is written and in order" in done.output
