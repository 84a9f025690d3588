"""Counters: any question counted as a person would count it, and a cube that adds up."""

from __future__ import annotations

import itertools
import random
from datetime import date

import pandas as pd
import pytest

from crmlib.audience import counters
from crmlib.audience.counters import (
    CHANNELS,
    count_customers,
    cross_count,
    find_channels,
    gather_audience,
    list_choices,
    list_contactable,
    make_counter,
    protect_counters,
    summarise_counters,
    summarise_deciles,
)
from crmlib.engine import Engine
from crmlib.permission.reach import find_contactable
from tests.made_tables import make_table, make_tables

STAGES = ("on_rhythm", "late", "lost")
ISLANDS = ("Tenerife", "La Palma", None)
CATEGORIES = ("garden", "paint", "tools")


PAIRS = tuple(itertools.product(("email", "sms"), ("marketing", "profiling")))


def draw_people():
    """Three hundred customers at random."""
    draw = random.Random(7)
    return [
        {
            "customer_id": f"c{number:03d}",
            "segment": draw.choice(["champions", "lost", "prospects"]),
            "stage": draw.choice(STAGES),
            "island": draw.choice(ISLANDS),
            "store": draw.choice(["S1", "S2", None]),
            "decile": draw.choice([None, 1, 10]),
            "category": draw.sample(CATEGORIES, draw.randint(0, 2)),
            "interest": draw.sample(["fishing", "football"], draw.randint(0, 2)),
            "month": draw.choice([None, 9, 12]),
            "sales": draw.randint(0, 100),
            "email": draw.random() < 0.7,
            "allowed": {pair for pair in PAIRS if draw.random() < 0.5},
        }
        for number in range(300)
    ]


def load(engine, people):
    """The tables that know of these people, and the audience made of them."""
    make_tables(
        engine,
        customers=[
            {
                "customer_id": p["customer_id"],
                "island": p["island"],
                "home_store_id": p["store"],
                "birth_date": date(1980, p["month"], 3) if p["month"] else None,
                "email": "somebody@correo.example" if p["email"] else None,
                "phone": "+34600112233",
            }
            for p in people
        ],
        lifecycle=[{"customer_id": p["customer_id"], "stage": p["stage"]} for p in people],
        customer_value=[{"customer_id": p["customer_id"], "value_decile": p["decile"]} for p in people],
        stores=[{"store_id": "S1", "name": "Triana", "island": "Gran Canaria"}, {"store_id": "S2", "name": "Rambla"}],
        permissions=[
            {"customer_id": p["customer_id"], "channel": pair[0], "purpose": pair[1], "allowed": pair in p["allowed"]}
            for p in people
            for pair in PAIRS
        ],
    )
    make_table(engine, "purchase_summary")
    known = ["customer_id", "segment", "sales", "category", "interest"]
    engine.register("drawn", pd.DataFrame([{name: p[name] for name in known} for p in people]))
    engine.execute(
        "INSERT INTO made_purchase_summary (customer_id, category_shares) "
        "SELECT customer_id, map(category, list_transform(category, name -> 0.5)) FROM drawn"
    )
    engine.execute(
        "UPDATE made_customers c SET interests = d.interest FROM drawn d WHERE d.customer_id = c.customer_id"
    )
    engine.execute("CREATE OR REPLACE TABLE segments_made AS SELECT customer_id, segment, '333' AS rfm_cell FROM drawn")
    engine.execute("CREATE OR REPLACE TABLE rfm_scores AS SELECT customer_id, sales FROM drawn")
    find_contactable(engine)
    gather_audience(engine)


@pytest.fixture(scope="module")
def people():
    return draw_people()


@pytest.fixture(scope="module")
def audience(people):
    """The audience in an engine of its own, made once."""
    made = Engine(threads=2, memory_limit="1GB")
    load(made, people)
    yield made
    made.close()


def place_of(person):
    return person["island"] or {"S1": "Gran Canaria"}.get(person["store"], "unknown")


def reached(person, channel, purpose):
    return (channel, purpose) in person["allowed"] and (channel != "email" or person["email"])


QUESTIONS = [
    {},
    {"segment": ["champions"]},
    {"segment": ["champions", "lost"], "stage": ["late"]},
    {"island": ["Tenerife", "Gran Canaria"]},
    {"store": ["Triana"]},
    {"value_decile": ["10"], "birth_month": ["09"]},
    {"category": ["garden", "paint"]},
    {"interest": ["fishing"], "category": ["tools"], "island": ["unknown"]},
    {"stage": ["prospect"]},
]


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
@pytest.mark.parametrize(
    ("channel", "purpose"), [("email", "marketing"), ("sms", "profiling"), ("postal", "marketing")]
)
def test_a_question_is_counted_as_a_person_would(audience, people, question, channel, purpose):
    def fits(person):
        held = {
            "segment": {person["segment"]},
            "stage": {person["stage"]},
            "island": {place_of(person)},
            "store": {{"S1": "Triana", "S2": "Rambla"}.get(person["store"], "unknown")},
            "value_decile": {str(person["decile"])},
            "category": set(person["category"]),
            "interest": set(person["interest"]),
            "birth_month": {f"{person['month'] or 0:02d}"},
        }
        return all(held[name] & set(values) for name, values in question.items())

    asked = [person for person in people if fits(person)]
    assert count_customers(audience, question, channel, purpose) == {
        "customers": len(asked),
        "contactable": sum(reached(person, channel, purpose) for person in asked),
        "sales": sum(person["sales"] for person in asked),
    }
    assert make_counter(audience)(question, channel, purpose)["customers"] == len(asked)


def test_an_unknown_dimension_is_refused(audience, people):
    with pytest.raises(KeyError, match="shoe_size"):
        count_customers(audience, {"shoe_size": ["44"]})
    with pytest.raises(KeyError, match="shoe_size"):
        cross_count(audience, "shoe_size", "stage")


def test_the_cube_adds_up(audience, people):
    cube = audience.frame(f"FROM {summarise_counters(audience)}")
    assert set(cube["channel"]) == set(CHANNELS)
    assert (cube.groupby("channel")["customers"].sum() == len(people)).all()
    assert (cube.groupby("channel")["sales"].sum() == sum(person["sales"] for person in people)).all()
    by_email = cube[cube["channel"] == "email"]
    assert by_email["contactable"].sum() == sum(reached(person, "email", "marketing") for person in people)
    both = by_email[by_email["permission"] == "marketing and profiling"]["customers"].sum()
    assert both == sum(("email", "profiling") in person["allowed"] for person in people)
    assert not cube.duplicated(["segment", "place", "channel", "permission", "stage"]).any()


def test_choices_are_what_ten_customers_or_more_have(audience, engine, people):
    choices = list_choices(audience)
    assert choices["birth_month"] == ["09", "12", "unknown"]
    assert choices["value_decile"] == ["1", "10", "unknown"]
    assert choices["category"] == list(CATEGORIES)
    load(engine, [person | {"interest": ["rare"] if place < 9 else ["usual"]} for place, person in enumerate(people)])
    assert list_choices(engine)["interest"] == ["usual"]


def test_two_dimensions_are_crossed_in_words_and_order(audience, people):
    table = cross_count(audience, "stage", "island")
    assert table.index.tolist() == ["on rhythm", "late", "lost"]
    assert table.columns.tolist() == ["Gran Canaria", "La Palma", "Tenerife", "unknown"]
    assert table.loc["late", "La Palma"] == sum(
        (person["stage"], place_of(person)) == ("late", "La Palma") for person in people
    )


def test_what_a_page_shows_is_rounded(audience, people):
    channels = find_channels(audience)
    assert channels == ["email", "sms"]
    protected = protect_counters(audience, [("segment", "stage"), ("stage", "island")], channels)
    assert set(protected.tables) >= {"segment stage", "stage island", "island contactable_sms"}
    told = list_contactable(protected, "segment", channels)
    assert told.columns.tolist() == ["segment", "customers", "email", "sms"]
    for _, row in told.iloc[:-1].iterrows():
        asked = [person for person in people if person["segment"] == row["segment"]]
        exact = sum(reached(person, "sms", "marketing") for person in asked)
        assert abs(int(row["customers"]) - len(asked)) <= 2
        assert abs(int(row["sms"]) - exact) <= 2


def test_with_nobody_to_contact_there_is_still_a_table(engine, people):
    load(engine, [person | {"allowed": set()} for person in people])
    assert find_channels(engine) == ["email"]
    protected = protect_counters(engine, [("segment", "stage")], ["email"])
    assert set(list_contactable(protected, "segment", ["email"])["email"]) == {"<10"}


def test_deciles_are_described_where_there_are_enough(engine):
    make_table(
        engine,
        "customer_value",
        [
            {"customer_id": f"c{n}", "churn_probability": 0.5}
            | ({"value_decile": 10, "clv_12m": 90.0} if n < 20 else {"value_decile": 1, "clv_12m": 10.0})
            for n in range(29)
        ],
    )  # fmt: skip
    told = summarise_deciles(engine)
    assert told["value_decile"].tolist() == [10]
    assert told["share"].tolist() == pytest.approx([1800 / 1890])


@pytest.mark.parametrize("step", [counters.AUDIENCE, counters.COUNTERS], ids=lambda step: step.name)
def test_a_step_can_be_written_for_spark(step):
    assert step.spark.startswith(("WITH", "SELECT"))
