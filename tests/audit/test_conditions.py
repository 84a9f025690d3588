"""A condition of a file of checks is one expression over the columns of a table, and nothing else."""

from __future__ import annotations

import pytest

from crmlib.audit.conditions import check_condition

COLUMNS = {"opened_at": "TIMESTAMP WITH TIME ZONE", "amount": "DECIMAL(18,2)", "reason": "VARCHAR", "tags": "VARCHAR[]"}


@pytest.mark.parametrize(
    "text",
    [
        "opened_at <= $as_of_date",
        "amount BETWEEN 0 AND 1000 AND reason IS NOT NULL",
        "reason IN ('a', 'b') OR NOT starts_with(lower(reason), 'x')",
        "amount * 2 - 1 > abs(amount)",
        "reason LIKE 'a%'",
        "list_contains(tags, 'vip')",
        "CASE WHEN amount > 1 THEN reason = 'a' ELSE true END",
    ],
)
def test_a_condition_is_one(engine, text):
    assert check_condition(engine, text, COLUMNS) is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("opened_at <=", "this is no condition"),
        ("", "this is no condition"),
        ("true) FROM read_text('/etc/hostname') --", "this is no condition"),
        ("true; DROP TABLE source_records", "this is no condition"),
        ("closed_at > opened_at", "there is no field 'closed_at' here; there are opened_at, amount"),
        ("getenv('HOME') = 'x'", "the function 'getenv' is not allowed"),
        ("(SELECT count(*) FROM range(3)) > 1", "only comparisons"),
        ("amount > 'many'", "the kinds of what is compared do not fit"),
        ("amount + 1", "says neither yes nor no"),
        ("count(*) > 1", "the function 'count_star' is not allowed"),
        ("lag(amount) OVER () > 1", "only comparisons"),
    ],
)
def test_what_is_none_is_told_in_a_sentence(engine, text, wrong):
    assert wrong in (check_condition(engine, text, COLUMNS) or "")
