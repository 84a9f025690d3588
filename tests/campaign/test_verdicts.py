"""What the pages of campaigns say in their titles."""

from __future__ import annotations

import pandas as pd
import pytest

from crmlib.campaign.verdicts import tell_proposal
from crmlib.campaign.views import tell_busiest, tell_skips


def judge(low: float, value: float, high: float) -> pd.DataFrame:
    rows = [
        ("now", "cost", 900.0, 890.0, 910.0),
        ("new", "cost", 300.0, 290.0, 310.0),
        ("new", "difference_net_gain", value, low, high),
    ]
    return pd.DataFrame(rows, columns=["plan", "metric", "value", "value_low", "value_high"])


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((200.0, 531.0, 800.0), "surely leaves more than plan now: 531 EUR (between 200 and 800)"),
        ((-50.0, 100.0, 250.0), "may be no better than plan now: it leaves 100 EUR (between -50 and 250) more"),
        ((-90.0, -40.0, 0.0), "is no better than plan now: keep that"),
    ],
)
def test_a_proposal_is_told_by_what_it_leaves_more(interval, said):
    told = tell_proposal(judge(*interval), "now", "new", "EUR")
    assert told.startswith("The proposal, for 300 EUR instead of 900, ")
    assert said in told


def test_the_busiest_week_is_told_with_what_fills_it():
    counted = pd.DataFrame(
        [("2026-11-02", "cycle", 10.0), ("2026-11-02", "online", 10.0), ("2026-11-09", "cycle", 5.0),
         ("2026-11-09", "campaigns", 75.0)],
        columns=["week", "category", "contacts"],
    )  # fmt: skip
    assert tell_busiest(counted, "p") == (
        "The busiest week of plan p begins on 2026-11-09: 80% of all its contacts, most of them campaigns"
    )
    assert tell_busiest(counted.assign(contacts=0.0), "p") == "Plan p contacts nobody"


def test_the_commonest_reason_is_told():
    skipped = pd.DataFrame({"reason": ["no permission", "control"], "p": [30.0, 10.0], "q": [0.0, 0.0]})
    assert tell_skips(skipped, "p") == "75% of plan p's candidates that come to nothing: no permission"
    assert tell_skips(skipped, "q") == "Every candidate of plan q is contacted"
