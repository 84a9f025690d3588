import pandas as pd
import pytest

from crmlib.identity.household import LARGEST_HOUSEHOLD, assign_households
from crmlib.identity.records import normalise_records
from tests.identity.conftest import AS_OF


@pytest.fixture
def households(engine, add_records):
    """The household of each row, its customer being its place unless it says another."""

    def assigned(rows):
        add_records([{k: v for k, v in row.items() if k != "customer"} for row in rows])
        normalise_records(engine, AS_OF, "ES")
        identities = pd.DataFrame(
            {
                "source": "crm",
                "source_record_id": [f"r{place:05d}" for place in range(len(rows))],
                "customer_id": [row.get("customer", f"c{place:05d}") for place, row in enumerate(rows)],
            }
        )
        engine.register("new_identities", identities)
        engine.execute(
            "CREATE OR REPLACE TABLE clusters AS SELECT record_no, min(record_no) OVER (PARTITION BY customer_id) "
            "AS cluster FROM linkage_records JOIN new_identities USING (source, source_record_id)"
        )
        found = engine.frame(f"FROM {assign_households(engine)} ORDER BY source_record_id")
        return [None if pd.isna(home) else home for home in found["household_id"]]

    return assigned


HOME = {"address_line": "C/ Mayor 12, 3º B", "postcode": "35001"}


def person(surnames, **fields):
    return {"given_name": "Ana", "surnames": surnames} | HOME | fields


def test_the_same_address_and_a_surname_are_a_household(households):
    house = {"address_line": "C/ Mayor 12"}
    people = [person("Pérez Gil", **house), person("Sosa Pérez", **house), person("Ruiz Vega", **house)]
    mother, child, neighbour = households(people)
    assert mother == child is not None
    assert neighbour is None


def test_who_shares_a_door_or_a_mailbox_lives_together_whatever_the_surname(households):
    one, other = households([person("Pérez Gil"), person("Ruiz Vega")])
    assert one == other is not None
    mailbox = {"email": "gil.vega@correo.example"}
    one, other = households([{"given_name": "Ana", "surnames": "Gil"} | mailbox, {"given_name": "Leo"} | mailbox])
    assert one == other is not None


def test_flats_of_one_house_are_told_apart(households):
    assert households([person("Gil"), person("Gil", address_line="Calle Mayor 12, 5º A")]) == [None, None]
    same = households([person("Gil"), person("Gil", address_line="Calle Mayor, nº 12")])
    assert same[0] == same[1] is not None


def test_a_landline_ties_and_a_mobile_alone_does_not(households):
    fixed = households(
        [
            {"given_name": "Ana", "surnames": "Gil", "phone": "922123456"},
            {"given_name": "Leo", "surnames": "Sosa", "phone": "922 12 34 56"},
        ]
    )
    assert fixed[0] == fixed[1] is not None
    mobile = [{"given_name": "Ana", "phone": "622123456"}, {"given_name": "Leo", "phone": "622123456"}]
    assert households(mobile) == [None, None]
    one, other = households([mobile[0] | {"surnames": "Gil Sosa"}, mobile[1] | {"surnames": "Vega Gil"}])
    assert one == other is not None, "a mobile and a surname tie"


def test_two_records_of_one_customer_are_no_household(households):
    assert households([person("Gil", customer="c1"), person("Gil", customer="c1")]) == [None, None]


def test_a_residence_is_no_household(households):
    assert households([person("Gil", given_name=f"N{i}x") for i in range(LARGEST_HOUSEHOLD + 1)]) == [None] * (
        LARGEST_HOUSEHOLD + 1
    )


def test_households_do_not_depend_on_the_order(households):
    rows = [person("Pérez Gil", customer="c1"), person("Sosa Pérez", customer="c2"), person("Vega Sosa", customer="c3")]
    one, other = households(rows), households(rows[::-1])
    assert one == other[::-1]
    assert len(set(one)) == 1
