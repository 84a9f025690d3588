"""Limits that stop a run, what they saw, and the approval that lets it pass once."""

from __future__ import annotations

import pytest

from crmlib.audit.gates import Gate, find_breaches, read_expression
from crmlib.audit.scores import summarise_scores
from tests.audit.conftest import record

FOUR = [record("erp", str(i), email=None if i == 1 else f"eva{i}@b.example") for i in range(1, 5)]


@pytest.fixture
def breaches(database):
    def breaches(records, *gates):
        findings = database.fill(source_records=records).judge().findings
        scores = summarise_scores(database.engine, findings, None)
        return find_breaches(database.engine, findings, scores, [Gate(**gate) for gate in gates])

    return breaches


CHECK = {"id": "emails", "check": "customers.email.filled"}


@pytest.mark.parametrize(
    ("fail_if", "stops"),
    [
        ("share > 0.2", True),
        ("share > 20%", True),
        ("share > 25%", False),
        ("share >= 25%", True),
        ("failing > 0", True),
        ("rows < 5", True),
        ("rows < 4", False),
        # nothing is known of a change without a base
        ("change > -1", False),
    ],
)
def test_a_gate_stops_at_its_limit(breaches, fail_if, stops):
    assert bool(breaches(FOUR, CHECK | {"fail_if": fail_if})) == stops


def test_a_gate_names_the_sources_that_break_it(breaches):
    (found,) = breaches([*FOUR, record("shop", "1", email="sol@b.example")], CHECK | {"fail_if": "share > 0.2"})
    assert found.gate == "emails"
    assert found.sentence == "customers.email.filled has share > 20.0% in erp (25.0%)."


def test_a_gate_may_look_at_one_source_or_at_a_dimension(breaches):
    assert not breaches(FOUR, CHECK | {"fail_if": "share > 0.2", "source": "shop"})
    (found,) = breaches(FOUR, {"id": "whole", "dimension": "completeness", "source": "erp", "fail_if": "score < 0.8"})
    assert found.sentence == "completeness has score < 80.0% in erp (75.0%)."


def test_what_was_seen_changes_with_the_data_and_the_limit(breaches):
    def seen(records, fail_if="share > 0.2"):
        return breaches(records, CHECK | {"fail_if": fail_if})[0].seen

    assert seen(FOUR) == seen(FOUR)
    assert len({seen(FOUR), seen([*FOUR, record("erp", "9")]), seen(FOUR, "share > 0.1")}) == 3


@pytest.mark.parametrize(
    "text", ["share", "share > many", "beauty > 1", "share => 1", "share > 0.1 or failing > 1", ""]
)
def test_what_is_no_limit_is_told(text):
    with pytest.raises(ValueError, match=r"write a limit such as share > 0\.02"):
        read_expression(text)
