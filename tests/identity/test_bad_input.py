"""Records that no model is made for end in a result within bounds, and say what could not be found out."""

import pytest

from crmlib.identity import blocking, clusters, comparisons, decisions, linkage, records
from tests.identity.conftest import AS_OF


def link(engine, add_records, rows):
    """How many clusters the rows are, and the trained model."""
    add_records(rows)
    records.normalise_records(engine, AS_OF, "ES")
    blocking.block_pairs(engine)
    model = linkage.train_model(engine, comparisons.choose_comparisons(engine), seed=1)
    with linkage.PairScorer(engine, model) as scorer:
        scorer.predict_pairs()
    decisions.weigh_relatives(engine, model)
    decisions.decide_pairs(engine, model, decisions.estimate_pair_shares(engine, model))
    return int(clusters.cluster_records(engine, 0.5)["clusters"][0]), model


def letters(number):
    return "".join(chr(97 + number // 26**place % 26) for place in range(3))


def person(number, **more):
    return {"given_name": f"Ana{letters(number * 7919)}", "surnames": f"Gil{letters(number * 104729)}"} | more


def test_nothing_but_empty_fields(engine, add_records):
    found, model = link(engine, add_records, [{"given_name": None}] * 50)
    assert found == 50
    assert model.warnings


def test_one_column_alone(engine, add_records):
    rows = [{"email": f"{letters(number)}@correo.example"} for number in range(60)]
    found, _ = link(engine, add_records, rows)
    assert found == 60


def test_one_value_in_all_rows(engine, add_records):
    rows = [{"given_name": "Ana", "surnames": "Gil", "phone": "922123456", "birth_date": AS_OF}] * 600
    found, _ = link(engine, add_records, rows)
    assert engine.row("SELECT count(*) AS n FROM candidate_pairs")["n"] == 0
    assert found == 600, "no block of so many tells anything"


def test_every_record_twice(engine, add_records):
    rows = [
        person(number, phone=f"6{number * 37 % 90_000_000 + 10_000_000:08d}", email=f"{letters(number)}@correo.example")
        for number in range(150)
    ]
    found, _ = link(engine, add_records, [row for row in rows for _ in range(2)])
    assert found == 150


def test_no_record_twice(engine, add_records):
    rows = [person(number, phone=f"6{number * 37 + 10_000_000:08d}") for number in range(300)]
    found, _ = link(engine, add_records, rows)
    assert found == 300


def test_two_sources_without_a_common_field(engine, add_records):
    one = [{"source": "shop", "email": f"{letters(number)}@correo.example"} for number in range(80)]
    other = [person(number, source="erp") for number in range(80)]
    found, _ = link(engine, add_records, one + other)
    assert found == 160


def test_one_phone_for_all_is_left_out_and_told(engine, add_records):
    rows = [person(number, phone="922123456") for number in range(3_000)]
    found, _ = link(engine, add_records, rows)
    assert found == 3_000
    shared = engine.row("SELECT field, records FROM shared_values")
    assert (shared["field"], shared["records"]) == ("phone", 3_000)
    assert engine.row("SELECT count(*) AS n FROM candidate_pairs")["n"] < 3_000


def test_names_in_other_scripts(engine, add_records):
    written = [("Анна", "Иванова"), ("Νίκος", "Παππάς"), ("李", "王"), ("محمد", "حسن"), ("दीपा", "शर्मा")]
    rows = [{"given_name": given, "surnames": surname, "birth_date": AS_OF} for given, surname in written]
    rows = [row | {"email": f"{letters(place)}@correo.example"} for place, row in enumerate(rows)]
    found, _ = link(engine, add_records, [row for row in rows for _ in range(2)])
    assert found == len(written)


@pytest.mark.parametrize("field", ["full_name", "email", "phone", "national_id", "address_line", "municipality"])
def test_ten_megabytes_in_a_field(engine, add_records, field):
    rows = [person(number) for number in range(20)]
    rows[0] = {field: "Calle Mayor " * 850_000}
    found, _ = link(engine, add_records, rows)
    assert found == 20
    longest = " + ".join(
        f"coalesce(max(length({column})), 0)" for column in ("name_key", "street_key", "municipality_key")
    )
    assert engine.row(f"SELECT {longest} AS n FROM linkage_records")["n"] < 3_000
