from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from crmlib.demo.audiences import AUDIENCES
from crmlib.demo.campaigns import CAMPAIGN_DAYS, SEND_CHANNELS, Campaign, list_campaigns
from crmlib.demo.season import Season
from tests.demo.conftest import SEASON

CATEGORIES = {"cycle", "product_price", "online", "campaigns", "institutional", "point_of_sale"}


def test_all_six_categories_and_every_kind_of_effect_are_there(campaigns: list[Campaign]) -> None:
    assert {one.category for one in campaigns} == CATEGORIES
    assert {one.channel for one in campaigns} == set(SEND_CHANNELS)
    assert {one.audience for one in campaigns} == set(AUDIENCES)
    lifts = np.array([one.lift for one in campaigns])
    assert (lifts == 0).sum() >= 5
    assert (lifts < 0).sum() >= 1
    assert (lifts > 0.4).sum() >= 5
    assert any(one.pull_forward == 1 and one.lift > 0 for one in campaigns)
    assert any(one.control_share == 0 for one in campaigns)
    assert len({one.campaign_id for one in campaigns}) == len(campaigns)


@pytest.mark.parametrize("as_of_date", [date(2026, 11, 1), date(2025, 1, 6), date(2024, 2, 29)])
def test_campaigns_fill_the_last_two_years(as_of_date: date) -> None:
    season = Season.until(as_of_date)
    campaigns = list_campaigns(season)
    since = max(0, season.days - CAMPAIGN_DAYS)
    assert all(since <= one.first_day <= one.last_day < season.days for one in campaigns)
    assert min(one.first_day for one in campaigns) < since + 40
    assert max(one.last_day for one in campaigns) > season.days - 40
    assert all(one.first_day <= two.first_day for one, two in pairwise(campaigns))


def test_a_communication_comes_round_with_other_lifts(campaigns: list[Campaign]) -> None:
    leaflets = [one for one in campaigns if one.communication == "leaflet"]
    assert len(leaflets) == 24
    assert {one.lift for one in leaflets} == {0.12, 0.08, 0.0}
    days = SEASON.date_of(np.array([one.first_day for one in leaflets]))
    assert {str(day)[-2:] for day in days} == {"06"}
    (black_friday,) = (one for one in campaigns if one.campaign_id == "black_friday-2025")
    assert str(SEASON.start + black_friday.first_day) == "2025-11-25"
