"""The truth about where each person is in the life and purchase cycle, and what comes next."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.special import gammainc

from crmlib.demo.baskets import Purchases
from crmlib.demo.columns import Dates, Floats, Ints, as_text
from crmlib.demo.history import History
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.people import person_ids
from crmlib.demo.piece import Piece
from crmlib.demo.season import DAYS_AHEAD

#: Shares of a person's own gaps that would have ended by now.
DUE, LATE, AT_RISK = 0.5, 0.8, 0.95
#: For so long after a pause someone counts as come back, and after a first purchase as new.
REACTIVATED_DAYS, NEW_DAYS = 28, 182
HORIZONS = (7, 28, 91)


def stage_table(piece: Piece, history: History) -> pa.Table:
    """Stage of each person at the end of the as-of date.

    Parameters
    ----------
    piece : Piece
    history : History

    Returns
    -------
    Table
        person_id; stage: prospect (has bought nothing in the history and is a customer), lost (has left for good),
        dormant (in a pause), reactivated (came back from one lately), new (bought once, lately), and else by the share
        of the person's own gaps that would have ended by now: on_rhythm, due, late, at_risk; overdue_share (that
        share); days_since_last_purchase; next_purchase_on (if nothing more is sent; empty beyond the days that are
        known) and purchases_<days>d ahead.
    """
    since, last_day = _find_last(piece, history), piece.season.days - 1
    overdue = _find_overdue(piece, history)
    never = since < 0
    bought = np.bincount(history.purchases.person, minlength=len(piece.people))
    back_for = last_day - history.lapse_to
    rules = {
        "lost": piece.rhythm.stop < piece.season.passed[piece.rhythm.island, piece.season.days],
        "dormant": (piece.rhythm.lapse_from <= last_day) & (last_day < history.lapse_to),
        "prospect": never,
        "reactivated": (back_for >= 0) & (np.maximum(back_for, since) < REACTIVATED_DAYS),
        "new": ~piece.rhythm.known_before & (bought == 1) & (since <= NEW_DAYS),
        "at_risk": overdue >= AT_RISK,
        "late": overdue >= LATE,
        "due": overdue >= DUE,
    }
    stage = np.select(list(rules.values()), list(range(len(rules))), len(rules))
    ahead = history.ahead
    next_on = _next_dates(piece, ahead)
    return pa.table(
        {
            "person_id": pa.array(person_ids(piece.people.number)),
            "stage": pa.array(as_text([*rules, "on_rhythm"])[stage]),
            "overdue_share": pa.array(overdue, mask=never),
            "days_since_last_purchase": pa.array(since, mask=never),
            "next_purchase_on": pa.array(next_on, mask=np.isnat(next_on)),
            **{f"purchases_{days}d": pa.array(_count_ahead(piece, ahead, days)) for days in HORIZONS},
        }
    )


def _find_last(piece: Piece, history: History) -> Ints:
    """Days since the last purchase; -1 where there is none."""
    bought = history.purchases
    last = np.full(len(piece.people), piece.season.days)
    last[bought.person] = bought.second // SECONDS_PER_DAY
    return piece.season.days - 1 - last


def _find_overdue(piece: Piece, history: History) -> Floats:
    """Share of each one's gaps that are shorter than what has passed on the clock since the last purchase."""
    bought, days = history.purchases, piece.season.days
    last = np.full(len(piece.people), -1)
    last[bought.person] = bought.second // SECONDS_PER_DAY
    person = np.arange(len(last))
    passed = history.clock[days] - history.clock[np.maximum(last, 0), person]
    share: Floats = gammainc(piece.rhythm.k, piece.rhythm.k * passed)
    return share


def _next_dates(piece: Piece, ahead: Purchases) -> Dates:
    day = np.full(len(piece.people), 10**6)
    np.minimum.at(day, ahead.person, ahead.second // SECONDS_PER_DAY)
    return np.where(day < 10**6, piece.season.date_of(day), np.datetime64("NaT", "D"))


def _count_ahead(piece: Piece, ahead: Purchases, days: int) -> Ints:
    soon = ahead.second < (piece.season.days + min(days, DAYS_AHEAD)) * SECONDS_PER_DAY
    return np.bincount(ahead.person[soon], minlength=len(piece.people))
