from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlib.demo.rhythm import dropout_dates
from crmlib.demo.stages import HORIZONS, stage_table
from crmlib.demo.story import Story
from crmlib.tables import CONTRACTS
from tests.demo.conftest import AS_OF_DATE, SEASON

SECONDS_PER_DAY = 86_400


@pytest.fixture(scope="module")
def stages(story: Story) -> pd.DataFrame:
    return stage_table(story.piece, story.history).to_pandas()


def test_every_stage_of_the_life_cycle_is_met(stages: pd.DataFrame) -> None:
    known = CONTRACTS["lifecycle"].column("stage")
    assert known is not None
    assert set(stages["stage"]) == set(known.values)


def test_who_has_left_is_lost_and_buys_nothing_more(stages: pd.DataFrame, story: Story) -> None:
    left = ~np.isnat(dropout_dates(story.piece.rhythm, SEASON))
    assert np.array_equal(stages["stage"] == "lost", left)
    assert (stages.loc[left, "purchases_91d"] == 0).all()
    assert stages.loc[left, "next_purchase_on"].isna().all()
    asleep = stages["stage"] == "dormant"
    assert (story.history.lapse_to[asleep] >= SEASON.days).all()


def test_stages_are_steps_of_the_persons_own_gaps(stages: pd.DataFrame) -> None:
    shares = stages.groupby("stage")["overdue_share"]
    assert shares.max()["on_rhythm"] < 0.5 <= shares.min()["due"]
    assert shares.max()["due"] < 0.8 <= shares.min()["late"]
    assert shares.max()["late"] < 0.95 <= shares.min()["at_risk"]
    # of people who are still customers, gaps are overdue as often as their distribution says
    alive = stages[stages["stage"].isin(["on_rhythm", "due", "late", "at_risk"])]
    assert alive["overdue_share"].mean() < 0.5


def test_next_purchases_come_within_the_days_ahead(stages: pd.DataFrame) -> None:
    ahead = (pd.to_datetime(stages["next_purchase_on"]) - pd.Timestamp(AS_OF_DATE)).dt.days
    assert ahead.min() >= 1
    assert ahead.max() <= max(HORIZONS)
    for days in HORIZONS:
        assert ((stages[f"purchases_{days}d"] > 0) == (ahead <= days)).all()
    late = stages["stage"].isin(["late", "at_risk"])
    assert ahead[late].median() < ahead[stages["stage"] == "on_rhythm"].median()


def test_days_since_the_last_purchase_are_those_of_the_tickets(stages: pd.DataFrame, story: Story) -> None:
    bought = story.history.purchases
    last = pd.Series(bought.second // SECONDS_PER_DAY).groupby(bought.person).max()
    assert (stages["days_since_last_purchase"].dropna() == SEASON.days - 1 - last).all()
    assert set(stages.index[stages["days_since_last_purchase"].isna()]).isdisjoint(last.index)
