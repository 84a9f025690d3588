from datetime import date

import pytest

from crmlib.campaign.eligibility import EVERYBODY, show_audience
from crmlib.campaign.expressions import LONGEST, read_condition
from tests.made_tables import make_table, make_tables

CUSTOMERS = [
    {
        "customer_id": "a", "origin": "online", "postcode": "35001", "latitude": 28.106, "longitude": -15.416,
        "interests": ["wine", "garden"], "employee": False, "birth_month": 9, "home_store_id": "002",
        "birth_date": date(1980, 9, 30),
    },
    {
        "customer_id": "b", "origin": "store", "latitude": 28.463, "longitude": -16.256, "interests": ["toys"],
        "employee": True, "birth_month": 2, "birth_date": date(1999, 2, 1), "home_store_id": None,
    },
    {"customer_id": "c", "interests": None},
]  # fmt: skip


@pytest.fixture
def world(engine):
    make_tables(
        engine, "identities", "lifecycle", "segments",
        customers=CUSTOMERS,
        purchase_summary=[
            {
                "customer_id": "b", "frequency": 4, "recency": 90, "T": 100, "tickets": 5, "home_store_id": "008",
                "first_purchase_date": date(2026, 7, 1), "last_purchase_date": date(2026, 10, 1),
            },
        ],
        stores=[{"store_id": "001", "source": "erp", "latitude": 28.106, "longitude": -15.416}],
    )  # fmt: skip
    make_table(engine, "customer_value")
    engine.run(EVERYBODY)
    show_audience(engine)
    return engine


def who(engine, text: str) -> str:
    condition = read_condition(text)
    found = engine.rows(
        f"SELECT a.customer_id AS c FROM audience_columns AS a WHERE {condition.sql} ORDER BY c",
        as_of_date=date(2026, 11, 1),
        **condition.values,
    )
    return "".join(row["c"] for row in found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("origin == 'online'", "a"),
        ("origin != 'online'", "b"),
        ("not origin == 'online'", "b"),
        ("origin in ('online', 'store')", "ab"),
        ("origin not in ['online']", "b"),
        ("'wine' in interests", "a"),
        ("'wine' not in interests", "b"),
        ("employee", "b"),
        ("not employee", "a"),
        ("employee == true_is_no_name or birth_month == 2", None),
        ("birth_month == 9 and origin == 'online' or frequency >= 4", "ab"),
        ("frequency * 2 + 1 == 9", "b"),
        ("-frequency < -3.5", "b"),
        ("frequency / 0 > 1 or birth_month == 9", "a"),
        ("1 < frequency < 5", "b"),
        ("home_store_id in ('002', '008')", "ab"),
        ("last_purchase_date >= '2026-09-30'", "b"),
        ("'1990-01-01' > birth_date", "a"),
        ("days_since(last_purchase_date) == 31", "b"),
        ("km_to('001') <= 5", "a"),
        ("km_to('001') > 60 and km_to('001') < 120", "b"),
        ("km_to('nowhere') <= 5000", ""),
        ("origin == \"online' OR 1=1 --\"", ""),
        ("origin == 'online'; DROP TABLE customers", None),
    ],
)  # fmt: skip
def test_an_expression_finds_whom_it_means(world, text, found):
    if found is None:
        with pytest.raises(ValueError, match=r"no expression|no column"):
            read_condition(text)
    else:
        assert who(world, text) == found


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')",
        "().__class__.__bases__[0].__subclasses__()",
        "open('/etc/passwd').read()",
        "[x for x in (1, 2)]",
        "(lambda: 1)()",
        "f'{origin}' == 'a'",
        "origin.upper() == 'A'",
        "exec('1') or True",
        "(x := 3) > 2",
        "frequency if employee else 0",
        "frequency ** 9",
        "frequency % 2 == 0",
        "frequency << 60 > 1",
        "origin[0] == 'a'",
        "*origin",
        "{'a': 1} == origin",
        "origin is None",
        "None == origin",
        "b'x' == origin",
        "1j == frequency",
        "... == frequency",
        "km_to(origin) < 5",
        "km_to('001', '002') < 5",
        "km_to(store='001') < 5",
        "days_since('2026-01-01') < 5",
        "customer_id_is_no_column == 1",
        "p_buy_<days>d > 1",
        "origin == 5",
        "frequency == 'five'",
        "birth_date == 'the first of May'",
        "interests == 'wine'",
        "origin",
        "frequency + 1",
        "'online'",
        "origin and employee",
        "frequency + origin > 3",
        "origin in ()",
        "",
        "   ",
        "origin = 'online'",
        "frequency > 99999999999999999999",
        "a" * (LONGEST + 1),
        "(" * 200 + "1" + ")" * 200,
        "not " * 100 + "employee == 1",
        "origin == '\\d'\n\nand 1",
    ],
)  # fmt: skip
def test_what_is_more_than_a_condition_is_refused(text):
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        read_condition(text)


def test_values_are_bound_and_never_written_into_the_text():
    condition = read_condition("origin == 'x; DROP TABLE y' and frequency > 3", "v")
    assert condition.values == {"v0": "x; DROP TABLE y", "v1": 3}
    assert "DROP" not in condition.sql
    assert condition.columns == ("origin", "frequency")


def test_columns_of_a_family_are_known():
    assert read_condition("p_buy_91d > 0.5").columns == ("p_buy_91d",)
