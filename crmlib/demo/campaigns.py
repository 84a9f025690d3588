"""The retailer's campaigns of the last two years: what was sent when, to whom, with what true effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from crmlib.demo.season import Season
from crmlib.demo.words import read_words

#: Channels by which the retailer sends, and what one send costs, in cents.
SEND_COSTS = {"email": 1, "sms": 5, "push": 1, "postal": 55}
SEND_CHANNELS = tuple(SEND_COSTS)
#: Days before the as-of date on which the first campaign may begin.
CAMPAIGN_DAYS = 731
#: What is owed for purchases pulled forward is paid back over so many days.
PAYBACK_DAYS = 28
#: Audiences that are asked every day, for what a customer did or for a birthday; the others on one day.
TRIGGERS = ("newcomers", "once", "birthday", "late", "gone", "cart")


@dataclass(frozen=True)
class Campaign:
    """One campaign; each person is eligible for it once at most.

    Parameters
    ----------
    campaign_id, communication, name, category, channel : str
        A communication comes round; a campaign is one of its rounds.
    audience : str
        Who is eligible.
    first_day, last_day : int
        Days since the history's start on which people become eligible.
    control_share : float
        Share of the eligible who are chosen at random to get nothing.
    lift : float
        Relative lift of the rate of who got it, on the day of sending and those after, for `window_days`.
    window_days : int
    pull_forward : float
        Share of what it brought that is missing in the `PAYBACK_DAYS` after the window.
    wakes : float
        Share of the customers in a pause who come back with it.
    fixed_cost : int
        In cents.
    offer : bool
        Whether something can be redeemed.
    """

    campaign_id: str
    communication: str
    name: str
    category: str
    channel: str
    audience: str
    first_day: int
    last_day: int
    control_share: float
    lift: float
    window_days: int
    pull_forward: float
    wakes: float
    fixed_cost: int
    offer: bool


def list_campaigns(season: Season) -> list[Campaign]:
    """The campaigns of the two years before the end of the history, by their first day.

    Parameters
    ----------
    season : Season
    """
    table = read_words("communications")
    rows = [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]
    since = max(0, season.days - CAMPAIGN_DAYS)
    campaigns = [
        _make_campaign(row, turn, label, max(first, since), min(last, season.days - 1))
        for row in rows
        for turn, label, first, last in _list_rounds(row, season)
        if last >= since and first < season.days - 1 and (first >= since or row["every"] == "half")
    ]
    return sorted(campaigns, key=lambda campaign: (campaign.first_day, campaign.campaign_id))


def _make_campaign(row: dict[str, str], turn: int, label: str, first: int, last: int) -> Campaign:
    lifts = row["lifts"].split("|")
    return Campaign(
        campaign_id=f"{row['communication']}-{label}",
        communication=row["communication"],
        name=f"{row['name']} {label}",
        category=row["category"],
        channel=row["channel"],
        audience=row["audience"],
        first_day=first,
        last_day=last,
        control_share=float(row["control_share"]),
        lift=float(lifts[turn % len(lifts)]),
        window_days=int(row["window_days"]),
        pull_forward=float(row["pull_forward"]),
        wakes=float(row["wakes"]),
        fixed_cost=round(float(row["fixed_cost"]) * 100),
        offer=row["offer"] == "yes",
    )


def _list_rounds(row: dict[str, str], season: Season) -> list[tuple[int, str, int, int]]:
    """Turn, label, first and last day of each of a communication's rounds in the history."""

    def day(when: date) -> int:
        return int((np.datetime64(when, "D") - season.start).astype(np.int64))

    first_year = int(season.start.astype("datetime64[Y]").astype(np.int64)) + 1970
    rounds = []
    for year in range(first_year, first_year + 4):
        if row["every"] == "year":
            on = day(date(year, *(int(part) for part in row["on"].split("-"))))
            rounds.append((year, str(year), on, on))
        elif row["every"] == "half":
            rounds.append((2 * year, f"{year}h1", day(date(year, 1, 1)), day(date(year, 6, 30))))
            rounds.append((2 * year + 1, f"{year}h2", day(date(year, 7, 1)), day(date(year, 12, 31))))
        else:
            step, letter = (3, "q") if row["every"] == "quarter" else (1, "-")
            for turn in range(12 // step):
                on = day(date(year, turn * step + 1, 1)) + int(row["on"]) - 1
                number = f"{turn + 1}" if step > 1 else f"{turn + 1:02}"
                rounds.append((12 // step * year + turn, f"{year}{letter}{number}", on, on))
    return rounds
