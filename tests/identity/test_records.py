from datetime import date

import pandas as pd

from crmlib.identity import records
from tests.identity.conftest import AS_OF, make_people, make_table


def normalised(engine):
    records.normalise_records(engine, AS_OF, "ES")
    return engine.frame("FROM linkage_records ORDER BY record_no").set_index("source_record_id")


def test_every_field_is_brought_into_its_compared_form(engine, add_records):
    add_records(
        [
            {
                "full_name": "DE LA CRUZ HDEZ, Mª CARMEN",
                "email": "Ana+x@gmail.com",
                "phone": "922 12 34 56",
                "national_id": "54.362.315-K",
                "birth_date": date(1980, 2, 3),
                "address_line": "C/ Mayor, 12, 3º B",
                "postcode": "8001",
                "municipality": "Sant Cugat del Vallès",
            },
            {"company": "Talleres Pérez SL", "national_id": "B12345674", "email": "info@perez.example"},
            {
                "given_name": "Paco",
                "email": "info@tienda.example",
                "phone": "666666666",
                "birth_date": date(1900, 1, 1),
            },
            {},
        ]
    )
    found = normalised(engine)
    first = found.loc["r00000"]
    assert first[["given_key", "surname_1_key", "surname_2_key", "name_key"]].tolist() == [
        "maria carmen",
        "cruz",
        "hernandez",
        "carmen cruz hernandez maria",
    ]
    assert first[["mailbox", "email_local", "phone", "landline"]].tolist() == [
        "ana@gmail.com",
        "ana",
        *["+34922123456"] * 2,
    ]
    assert first[["national_id", "national_id_valid", "birth_day"]].tolist() == ["54362315K", True, "19800203"]
    assert first[["street_key", "number_key", "unit_key"]].tolist() == ["mayor", "12", "3o b"]
    assert first[["postcode_key", "municipality_key"]].tolist() == ["08001", "sant cugat del valles"]
    company = found.loc["r00001"]
    assert company[["kind", "surname_1_key", "mailbox"]].tolist() == [
        "company",
        "talleres perez sl",
        "info@perez.example",
    ]
    paco = found.loc["r00002"]
    assert list(paco["given_variants"]) == ["francisco", "paco"]
    assert paco[["mailbox", "phone", "birth_day"]].isna().all(), "a role address, a filler and a default tell nothing"
    assert found.loc["r00003"].drop(["record_no", "source"]).isna().all()


def test_a_value_of_many_people_is_left_out_and_named(engine, add_records):
    shared = "922123456"
    people = [
        {"given_name": name, "surnames": "Gil", "phone": shared}
        for name in ["Ana", "Eva", "Luz", "Sol", "Paz", "Iris", "Noa", "Lia"]
    ]
    couple = [{"given_name": name, "surnames": "Gil", "phone": "922654321"} for name in ("Ana", "Leo")]
    add_records(people + couple)
    found = normalised(engine)
    assert found["phone"].dropna().tolist() == ["+34922654321"] * 2
    assert engine.rows("SELECT field, names, records FROM shared_values") == [
        {"field": "phone", "names": records.MOST_SHARING, "records": 8}
    ]


def test_the_order_of_the_rows_does_not_matter(engine):
    rows = [{k: v for k, v in row.items() if k != "person_id"} for row in make_people(40, 0.5, 1)]
    make_table(engine, "source_records", rows)
    one = normalised(engine)
    make_table(engine, "source_records", rows[::-1])
    pd.testing.assert_frame_equal(one, normalised(engine))


def test_distinct_values_are_worked_once(engine, add_records, monkeypatch):
    add_records([{"phone": "922123456"}] * 50 + [{"phone": None}] * 50)
    worked = []
    original = records.normalise_phone

    def counting(value, region):
        worked.append(value)
        return original(value, region)

    monkeypatch.setattr(records, "normalise_phone", counting)
    normalised(engine)
    assert worked == ["922123456"]
