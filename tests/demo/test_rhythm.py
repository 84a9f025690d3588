from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crmlib.demo.baskets import Purchases
from crmlib.demo.history import History, live_through
from crmlib.demo.piece import Piece
from crmlib.demo.reach import NEVER_OPENED, Reach, Switches
from crmlib.demo.rhythm import (
    DROPOUT_MEAN,
    NEVER,
    RATE_MEAN,
    REGULARITIES,
    SHARE_CHANGING,
    SHARE_KNOWN_BEFORE,
    SHARE_LAPSING,
    Rhythm,
    draw_occasions,
    draw_rhythm,
    dropout_dates,
)
from crmlib.demo.season import DAYS_AHEAD, Season, list_islands
from crmlib.demo.web import Carts
from tests.demo.conftest import AS_OF_DATE, SEASON

SECONDS_PER_DAY = 86_400
NONE = np.array([], dtype=np.int64)
DAYS = 1_400
EVEN = Season.of(np.datetime64("2018-01-01"), DAYS, np.ones((len(list_islands()), DAYS + DAYS_AHEAD)))


def live(piece: Piece, rhythm: Rhythm, season: Season, seed: int = 1) -> History:
    """What people do to whom nothing is ever sent."""
    count = len(rhythm)
    nobody = np.full((4, count), -1)
    switches = [Switches(NONE, NONE, NONE.astype(np.bool_))] * 4
    unreached = Reach(nobody, nobody, switches, np.full(count, NEVER_OPENED), nobody[0], np.ones(count, dtype=np.bool_))
    alone = replace(piece, rhythm=rhythm, season=season)
    return live_through(alone, unreached, draw_occasions(seed, 0, rhythm, season), Carts(NONE, NONE), [])


def steady(count: int, rate: float, k: float, *, known_before: bool) -> Rhythm:
    never = np.full(count, NEVER)
    return Rhythm(
        rate=np.full(count, rate),
        k=np.full(count, k),
        known_before=np.full(count, known_before),
        entered_on=np.full(count, EVEN.start),
        island=np.zeros(count, dtype=np.int64),
        start=np.zeros(count),
        stop=np.full(count, 1e9),
        changed_on=never,
        change=np.ones(count),
        lapse_from=never,
        lapse_to=never,
    )


def days_of(purchases: Purchases) -> np.ndarray:
    return purchases.second // SECONDS_PER_DAY


@pytest.mark.parametrize("k", sorted(REGULARITIES))
def test_gaps_have_the_mean_and_the_regularity_that_were_planted(piece: Piece, k: int) -> None:
    bought = live(piece, steady(4_000, 1 / 10, k, known_before=False), EVEN).purchases
    day = bought.second / SECONDS_PER_DAY
    same = bought.person[1:] == bought.person[:-1]
    # gaps that begin well before the end are seen whole, short or long
    gap = (day[1:] - day[:-1])[same & (day[:-1] < DAYS - 200)]
    assert gap.mean() == pytest.approx(10, rel=0.01)
    assert gap.var() / gap.mean() ** 2 == pytest.approx(1 / k, rel=0.03)


@pytest.mark.parametrize("k", sorted(REGULARITIES))
def test_old_customers_are_met_in_the_midst_of_a_gap(piece: Piece, k: int) -> None:
    """A stationary renewal process has rate times days events in any window, from the first day on."""
    bought = live(piece, steady(4_000, 1 / 10, k, known_before=True), EVEN, seed=2).purchases
    early = days_of(bought) < 10
    assert early.sum() / 4_000 == pytest.approx(10 / 10, rel=0.05)
    assert (np.diff(bought.person) >= 0).all()
    assert (np.diff(bought.second)[np.diff(bought.person) == 0] >= 0).all()


def test_a_changed_rate_and_a_pause_show(piece: Piece) -> None:
    rhythm = steady(4_000, 1 / 10, 2, known_before=True)
    rhythm = replace(
        rhythm,
        changed_on=np.full(4_000, 600),
        change=np.full(4_000, 0.5),
        lapse_from=np.full(4_000, 900),
        lapse_to=np.full(4_000, 1_100),
    )
    counts = np.bincount(days_of(live(piece, rhythm, EVEN).purchases), minlength=DAYS) / 4_000
    assert counts[:600].mean() == pytest.approx(0.1, rel=0.02)
    assert counts[600:900].mean() == pytest.approx(0.05, rel=0.03)
    assert counts[900:1_100].sum() == 0
    assert counts[1_100:].mean() == pytest.approx(0.05, rel=0.03)


def test_rates_are_recovered_one_by_one(piece: Piece) -> None:
    drawn = replace(piece.rhythm, change=np.ones(len(piece.rhythm)), lapse_from=np.full(len(piece.rhythm), NEVER))
    bought = live(piece, drawn, SEASON).purchases
    days = np.minimum(drawn.stop, SEASON.days) - drawn.start
    counts = np.bincount(bought.person, minlength=len(drawn))
    long = days > 300
    score = (counts - drawn.rate * days)[long] / np.sqrt(drawn.rate * days)[long]
    assert abs(np.mean(score[drawn.known_before[long]])) < 0.1
    assert np.var(score[drawn.known_before[long]]) < 1.2
    assert np.corrcoef(counts[long] / days[long], drawn.rate[long])[0, 1] > 0.95


def test_traits_have_their_shares() -> None:
    drawn = draw_rhythm(4, 0, np.random.default_rng(1).integers(0, 7, 20_000), SEASON)
    assert drawn.rate.mean() == pytest.approx(RATE_MEAN, rel=0.03)
    assert drawn.known_before.mean() == pytest.approx(SHARE_KNOWN_BEFORE, abs=0.012)
    for k, share in REGULARITIES.items():
        assert (drawn.k == k).mean() == pytest.approx(share, abs=0.012)
    assert (drawn.entered_on[drawn.known_before] < SEASON.start).all()
    assert (drawn.entered_on[~drawn.known_before] >= SEASON.start).all()
    assert (drawn.changed_on < NEVER).mean() == pytest.approx(SHARE_CHANGING, abs=0.012)
    lapsing = drawn.lapse_from < NEVER
    assert lapsing[drawn.known_before].mean() == pytest.approx(SHARE_LAPSING, abs=0.012)
    assert (drawn.lapse_from > (drawn.entered_on - SEASON.start).astype(int))[lapsing].all()
    # gamma-distributed hazards: the mean is over people, the survivors' share is its Laplace transform
    known = drawn.known_before
    alive = (1 + DROPOUT_MEAN / 0.8 * SEASON.days) ** -0.8
    assert (drawn.stop[known] > SEASON.days).mean() == pytest.approx(alive, abs=0.015)


def test_nobody_buys_after_leaving_or_before_entering_or_in_a_pause(piece: Piece) -> None:
    rhythm = piece.rhythm
    bought = live(piece, rhythm, SEASON).purchases
    day = SEASON.date_of(days_of(bought))
    left = dropout_dates(rhythm, SEASON)
    assert not (day > left[bought.person]).any()
    assert (day >= rhythm.entered_on[bought.person]).all()
    assert (day <= np.datetime64(AS_OF_DATE)).all()
    since = days_of(bought)
    assert not ((since >= rhythm.lapse_from[bought.person]) & (since < rhythm.lapse_to[bought.person])).any()
    first = np.searchsorted(bought.person, np.flatnonzero(~rhythm.known_before))
    assert np.array_equal(day[first], rhythm.entered_on[~rhythm.known_before])


def test_shut_days_see_no_purchases(piece: Piece) -> None:
    history = live(piece, piece.rhythm, SEASON)
    counts = np.bincount(days_of(history.purchases), minlength=SEASON.days)
    assert (counts[SEASON.busyness[0, : SEASON.days] == 0] == 0).all()
    weekday = (np.arange(SEASON.days) + SEASON.start.astype(int) + 3) % 7
    assert counts[weekday == 5].mean() > 1.5 * counts[weekday == 6].mean()
    assert (days_of(history.ahead) >= SEASON.days).all()
    assert len(history.ahead) / DAYS_AHEAD == pytest.approx(counts[-60:].mean(), rel=0.25)


def test_occasions_ascend_and_end_with_one_that_is_never_reached(piece: Piece) -> None:
    occasions = draw_occasions(3, 0, piece.rhythm, SEASON)
    assert np.isinf(occasions.at[occasions.begins[1:] - 1]).all()
    within = np.diff(occasions.at)[np.diff(np.repeat(np.arange(len(piece.rhythm)), np.diff(occasions.begins))) == 0]
    assert (within > 0).all()
