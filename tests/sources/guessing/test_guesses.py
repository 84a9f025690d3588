"""What a heading says and what cells look like, and what is made of both."""

from __future__ import annotations

import pytest

from crmlib.engine import Engine
from crmlib.sources.guessing.completion import complete
from crmlib.sources.guessing.contents import look_at
from crmlib.sources.guessing.guesses import guess_entities
from crmlib.sources.guessing.headings import score_fields, split_heading
from tests.sources.guessed_mappings import LANGUAGES, judge_all, list_fixtures


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("F_NACIM", ("f", "nacim")),
        ("fechaNacimiento", ("fecha", "nacimiento")),
        ("E-mail 1 - Value", ("email", "1", "value")),
        ("Data urodzenia", ("data", "urodzenia")),
        ("Straße und Nr.", ("strasse", "nr")),
        ("DO", ("do",)),
        ("??", ()),
        ("N.I.F.", ("nif",)),
        ("Nº de cliente", ("numero", "cliente")),
    ],
)
def test_a_heading_is_its_plain_words(heading, words):
    assert split_heading(heading) == words


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("Correo electrónico", "email"), ("Endereço de e-mail", "email"), ("Indirizzo e-mail", "email"),
        ("Adres e-mail", "email"), ("E-Mail-Adresse", "email"), ("F_NACIM", "birth_date"),
        ("Data di nascita", "birth_date"),
        ("Geburtsdatum", "birth_date"), ("Nazwisko", "surnames"), ("Sobrenome", "surnames"), ("CAP", "postcode"),
        ("PLZ", "postcode"), ("Sexo (H/M)", "gender"), ("NIP lub PESEL", "national_id"), ("Dt. nasc.", "birth_date"),
        ("Kod pocztowy", "postcode"), ("Telemóvel", "phone"), ("Komórka", "phone"),
    ],
)  # fmt: skip
def test_every_language_has_its_words(heading, field):
    scores = score_fields("customers", heading)
    assert max(scores, key=scores.get) == field
    assert scores[field] > 0.85


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("email", ["ana@mail.example", "ivo@mail.example"]),
        ("phone", ["600 00 00 01", "+48 512 345 678"]),
        ("national_id", ["12345678A", "45678123P", "44051401359", "RSSMRA85T10A562S"]),
        ("time", ["2026-01-31", "31/01/2026 10:00", "20260131", "Jun 09, 2018 09:30 pm"]),
        ("birth", ["31/01/1980", "1999-12-31"]),
        ("number", ["1.234,56", "-5", "12.50 €", "1,200"]),
        ("postcode", ["35200", "00-950", "1000-205", "01310-100"]),
        ("given_name", ["Ana", "María José", "Ivo"]),
    ],
)
def test_cells_are_known_by_their_look(kind, cells):
    found = look_at([*cells, None, ""])
    least = {"national_id": 0.5, "given_name": 0.6}.get(kind, 1.0)
    assert found.share(kind) >= least
    assert found.filled < 1
    others = {"email": "phone", "phone": "time", "time": "phone", "given_name": "number", "postcode": "email"}
    assert found.share(others.get(kind, "email")) == 0


def columns(text: str) -> dict:
    heading, *rows = [line.split(";") for line in text.strip().splitlines()]
    return {name: look_at([row[place] for row in rows]) for place, name in enumerate(heading)}


def test_contents_outweigh_a_heading_that_cannot_be_meant():
    (found,) = guess_entities(
        columns("email;nombre;telefono\nx;ana@mail.example;600000001\ny;ivo@mail.example;600000002"), "a"
    )
    assert found.entity == "customers"
    assert found.guesses["email"].columns == ("nombre",)
    assert found.guesses["email"].level == "perhaps"
    assert "by its contents" in found.guesses["email"].why
    assert found.guesses["phone"].level == "sure"


def test_nothing_is_made_of_what_says_nothing():
    assert guess_entities(columns("alpha;beta\nfoo;bar\nbaz;qux"), "export") == []


def test_one_name_is_the_whole_name_and_two_are_its_parts():
    (alone,) = guess_entities(columns("codigo;nombre;correo\n1;Ana Gil Peña;a@b.example"), "clientes")
    (parted,) = guess_entities(columns("codigo;nombre;apellidos;correo\n1;Ana;Gil Peña;a@b.example"), "clientes")
    assert alone.guesses["full_name"].columns == ("nombre",)
    assert (parted.guesses["given_name"].columns, parted.guesses["surnames"].columns) == (("nombre",), ("apellidos",))


@pytest.mark.full
def test_most_fields_are_right_and_none_is_wrong_that_is_called_sure(tmp_path):
    engine = Engine(threads=1, memory_limit="1GB")
    verdicts = judge_all(list(list_fixtures(engine, tmp_path)))
    engine.close()
    judged = [one for one in verdicts if one.verdict != "beyond"]
    assert len(judged) > 1_000
    for language in LANGUAGES:
        own = [one for one in judged if one.language == language]
        assert sum(one.verdict == "right" for one in own) >= 0.95 * len(own), language
    assert [one for one in judged if one.verdict == "wrong" and one.level == "sure"] == []


LOG = "TRANSACTION_DT;CUSTOMER_ID;AGE_GROUP;PRODUCT_ID;AMOUNT;SALES_PRICE\n" + "\n".join(
    f"2026-01-{1 + row % 28:02d};{1000 + row % 17};25-29;{4710 + row};{1 + row % 7 // 4};{40 + row * 3}"
    for row in range(60)
)


def complete_one(text: str) -> tuple[str, dict]:
    (found,) = guess_entities(columns(text), "log.csv")
    return found.entity, complete(found, columns(text), "log.csv")


def test_a_log_of_lines_without_a_tickets_number_is_gathered_by_customer_and_day():
    entity, found = complete_one(LOG)
    assert entity == "ticket_lines"
    assert {name: guess.columns for name, guess in found.items()} == {
        "bought_at": ("TRANSACTION_DT",), "source_record_id": ("CUSTOMER_ID",), "product_id": ("PRODUCT_ID",),
        "amount": ("SALES_PRICE",), "quantity": ("AMOUNT",), "ticket_id": ("TRANSACTION_DT", "CUSTOMER_ID"),
    }  # fmt: skip
    assert (found["ticket_id"].level, found["ticket_id"].made) == ("perhaps", {"join": "-"})
    assert found["quantity"].level == "perhaps"


def test_an_amount_of_larger_numbers_is_money():
    _, found = complete_one(LOG.replace("SALES_PRICE", "SHELF").replace(";1;", ";12;").replace(";2;", ";25;"))
    assert found["amount"].columns == ("AMOUNT",)
    assert "quantity" not in found


def test_lines_with_a_number_of_their_ticket_keep_it():
    _, found = complete_one(LOG.replace("AGE_GROUP", "BASKET_ID").replace("25-29", "7001"))
    assert found["ticket_id"].columns == ("BASKET_ID",)


def test_a_households_log_of_baskets_is_lines():
    (found,) = guess_entities(
        columns(
            "household_id;store_id;basket_id;product_id;quantity;sales_value;retail_disc;transaction_timestamp\n"
            "900;330;31198570044;1095275;1;0.50;0.00;2017-01-01 11:53:26\n"
            "1228;406;31198655051;1041453;2;1.43;0.15;2017-01-01 12:26:30"
        ),
        "transactions.csv",
    )
    assert found.entity == "ticket_lines"
    assert {name: guess.columns[0] for name, guess in found.guesses.items()} == {
        "source_record_id": "household_id", "store_id": "store_id", "ticket_id": "basket_id", "quantity": "quantity",
        "product_id": "product_id", "amount": "sales_value", "discount": "retail_disc",
        "bought_at": "transaction_timestamp",
    }  # fmt: skip
