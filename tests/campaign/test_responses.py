"""What the next plan takes from what was measured."""

from __future__ import annotations

import pytest

from crmlib.campaign.responses import find_lifts
from tests.campaign.made_plans import make_plan
from tests.made_tables import make_tables


def test_what_was_measured_is_the_next_plans_lift(engine):
    """The rounds of a communication are pooled; the lift is that of those reached, on the plan's own window."""
    rows = [
        {"campaign_id": f"due-2026-{month}", "outcome": "purchases", "method": "ITT", "rate_control": 0.5,
         "lift": 0.08, "lift_low": 0.04, "lift_high": 0.12, "delivered_lift": 0.1, "delivered_lift_low": low,
         "delivered_lift_high": 0.2 - low}
        for month, low in (("08", 0.05), ("09", 0.08))
    ]  # fmt: skip
    stopped = {"campaign_id": "birthday-2026h1", "outcome": "purchases", "method": "withheld: not split as planned",
               "rate_control": 0.5}  # fmt: skip
    make_tables(engine, campaign_results=[*rows, stopped])
    response = {"lift": 0.4, "window": "7d"}
    plan = make_plan(
        {"id": "due", "control": 0.1, "response": response | {"source": "measured:due"}},
        {"id": "birthday", "control": 0.1, "response": response | {"source": "measured:birthday"}},
        {"id": "other", "control": 0.1, "response": response},
    )
    found = find_lifts(engine, plan).set_index("communication_id")
    assert found.loc["due", ["lift", "source", "campaigns"]].tolist() == [
        pytest.approx(0.1 / 0.5 * 14 / 7),
        "measured",
        2,
    ]
    assert found.loc["birthday", "lift"] == 0.4
    assert found.loc["birthday", "source"] == "assumed: 'birthday' was not measured"
    assert found.loc["other", "source"] == "assumed"
