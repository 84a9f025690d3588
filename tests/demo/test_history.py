from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crmlib.demo.campaigns import SEND_CHANNELS, Campaign
from crmlib.demo.history import UNSUBSCRIBES, History, live_through
from crmlib.demo.piece import Piece
from crmlib.demo.reach import NEVER_OPENED, Reach, Switches
from crmlib.demo.rhythm import NEVER, draw_occasions
from crmlib.demo.season import DAYS_AHEAD, Season, list_islands
from crmlib.demo.story import Story
from crmlib.demo.web import Carts
from tests.demo.conftest import SEASON
from tests.demo.test_rhythm import NONE, days_of, steady

PEOPLE = 4_000
DAYS = 460
EVEN = Season.of(np.datetime64("2018-01-01"), DAYS, np.ones((len(list_islands()), DAYS + DAYS_AHEAD)))


def campaign(name: str = "one", day: int = 200, **told: float | str) -> Campaign:
    usual = {
        "campaign_id": name,
        "communication": name,
        "name": name,
        "category": "campaigns",
        "channel": "email",
        "audience": "everyone",
        "first_day": day,
        "last_day": day,
        "control_share": 0.5,
        "lift": 0.5,
        "window_days": 20,
        "pull_forward": 0.0,
        "wakes": 0.0,
        "fixed_cost": 0,
        "offer": False,
    }
    return Campaign(**{**usual, **told})


def live(piece: Piece, campaigns: list[Campaign], **told: np.ndarray) -> History:
    """People who buy every ten days, may be mailed from the first day on, and live under an even season."""
    rhythm = replace(steady(PEOPLE, 1 / 10, 1, known_before=True), **told)
    everybody, nobody = np.arange(PEOPLE), np.full((4, PEOPLE), -1)
    none = Switches(NONE, NONE, NONE.astype(np.bool_))
    email = Switches(everybody, np.zeros(PEOPLE, dtype=np.int64), np.ones(PEOPLE, dtype=np.bool_))
    reach = Reach(
        np.zeros((4, PEOPLE), dtype=np.int64),
        np.tile(everybody, (4, 1)),
        [email, none, none, none],
        np.full(PEOPLE, NEVER_OPENED),
        nobody[0],
        np.ones(PEOPLE, dtype=np.bool_),
    )
    alone = replace(piece, rhythm=rhythm, season=EVEN)
    return live_through(alone, reach, draw_occasions(1, 0, rhythm, EVEN), Carts(NONE, NONE), campaigns)


def count(history: History, since: int, until: int) -> tuple[float, float]:
    """Purchases by treated person and by control between two days."""
    treated = np.zeros(PEOPLE, dtype=np.bool_)
    treated[history.sends.person] = history.sends.treated
    day = days_of(history.purchases)
    bought = np.bincount(history.purchases.person[(day >= since) & (day < until)], minlength=PEOPLE)
    return bought[treated].mean(), bought[~treated].mean()


def test_a_lift_raises_the_rate_of_the_treated_in_its_window_alone(piece: Piece) -> None:
    history = live(piece, [campaign()])
    assert np.unique(history.sends.day).tolist() == [200]
    before, window, after = (count(history, *span) for span in ((180, 200), (200, 220), (220, 260)))
    assert before[0] == pytest.approx(before[1], rel=0.08)
    assert window[0] / window[1] == pytest.approx(1.5, rel=0.08)
    assert after[0] == pytest.approx(after[1], rel=0.06)


def test_what_is_pulled_forward_is_missing_afterwards(piece: Piece) -> None:
    history = live(piece, [campaign(pull_forward=1.0)])
    treated, controls = count(history, 200, 220 + 28)
    assert treated == pytest.approx(controls, rel=0.05)
    treated, controls = count(history, 220, 220 + 28)
    assert treated < 0.8 * controls


def test_a_negative_lift_keeps_people_away(piece: Piece) -> None:
    treated, controls = count(live(piece, [campaign(lift=-0.5)]), 200, 220)
    assert treated / controls == pytest.approx(0.5, rel=0.1)


def test_a_pause_is_ended_for_the_share_that_wakes(piece: Piece) -> None:
    asleep = {"lapse_from": np.full(PEOPLE, 100), "lapse_to": np.full(PEOPLE, 400)}
    history = live(piece, [campaign(lift=0.0, wakes=0.4)], **asleep)
    woken = history.sends.slept_until >= 0
    assert woken[history.sends.delivered].mean() == pytest.approx(0.4, abs=0.03)
    assert not woken[~history.sends.delivered].any()
    treated, controls = count(history, 210, 390)
    assert controls == 0
    assert treated == pytest.approx(180 / 10 * 0.4, rel=0.1)


def test_without_an_effect_nothing_anybody_does_changes(piece: Piece) -> None:
    """The draws of one part shift no other's: a campaign that does nothing leaves every purchase where it was."""
    alone, mailed = live(piece, []), live(piece, [campaign(lift=0.0)])
    assert len(mailed.sends) == PEOPLE
    for column in ("person", "second", "occasion"):
        assert np.array_equal(getattr(alone.purchases, column), getattr(mailed.purchases, column))
    assert np.array_equal(mailed.clock, mailed.base)


def test_another_campaign_changes_nothing_before_it(piece: Piece) -> None:
    one, two = live(piece, [campaign()]), live(piece, [campaign(), campaign("two", 350)])
    first = days_of(two.purchases) < 350
    assert np.array_equal(one.purchases.occasion[days_of(one.purchases) < 350], two.purchases.occasion[first])
    assert np.array_equal(one.sends.treated, two.sends.treated[two.sends.campaign == 0])


def test_pressure_tires_and_drives_away(piece: Piece) -> None:
    many = [campaign(f"c{day}", day, control_share=0.0, lift=0.2) for day in range(200, 220)]
    sends = live(piece, many).sends
    strength = [sends.strength[(sends.campaign == place) & sends.delivered].mean() for place in range(len(many))]
    assert strength[0] == pytest.approx(0.2)
    assert (np.diff(strength[:8]) < 0).all()
    left = [sends.unsubscribed[sends.campaign == place].mean() for place in range(len(many))]
    assert np.mean(left[10:]) > 2 * UNSUBSCRIBES["email"]
    gone = sends.unsubscribed | sends.complained | sends.bounced
    last = np.full(PEOPLE, -1)
    np.maximum.at(last, sends.person, sends.day)
    assert (last[sends.person[gone]] == sends.day[gone]).all()


def test_everybody_is_eligible_for_a_campaign_once(story: Story) -> None:
    sends = story.history.sends
    assert len(np.unique(sends.campaign * 10**7 + sends.person)) == len(sends)
    assert (np.diff(sends.day) >= 0).all()
    first, last = (np.array([getattr(one, name) for one in story.campaigns]) for name in ("first_day", "last_day"))
    assert (sends.day >= first[sends.campaign]).all()
    assert (sends.day <= last[sends.campaign]).all()


def test_groups_are_drawn_with_the_planned_share(story: Story) -> None:
    sends = story.history.sends
    for place, one in enumerate(story.campaigns):
        group = sends.treated[sends.campaign == place]
        error = np.sqrt(one.control_share * (1 - one.control_share) / max(len(group), 1))
        assert abs(1 - group.mean() - one.control_share) <= 4.5 * error if len(group) else True
    assert (sends.treated | ~sends.delivered).all()
    assert (sends.strength[~sends.delivered] == 0).all()
    assert not (sends.delivered & sends.bounced).any()


def test_nobody_is_sent_anything_that_the_record_did_not_allow(story: Story) -> None:
    """The latest switch of the day or before is on, and nothing came after someone left for good."""
    sends, reach = story.history.sends, story.reach
    channel = np.array([SEND_CHANNELS.index(one.channel) for one in story.campaigns])[sends.campaign]
    assert (reach.source[channel, sends.person] >= 0).all()
    for place, switches in enumerate(reach.switches):
        some = np.flatnonzero(channel == place)
        log = {}
        for person, day, on in zip(switches.person.tolist(), switches.day.tolist(), switches.on.tolist(), strict=True):
            log.setdefault(person, []).append((day, on))
        for one in some[:3_000]:
            known = [on for day, on in log[sends.person[one]] if day <= sends.day[one]]
            assert known[-1]


def test_triggers_follow_what_was_seen(story: Story) -> None:
    sends, bought = story.history.sends, story.history.purchases
    names = np.array([one.communication for one in story.campaigns])[sends.campaign]
    seen = story.seen_occasions()[bought.occasion]
    for one in np.flatnonzero(names == "second_purchase")[:50]:
        days = days_of(bought)[(bought.person == sends.person[one]) & seen]
        assert (days < sends.day[one]).sum() == 1
        assert sends.day[one] - days.min() == 8
    birthdays = np.flatnonzero(names == "birthday")
    tomorrow = SEASON.date_of(sends.day[birthdays] + 1)
    born = story.piece.people.birth_date[sends.person[birthdays]]
    assert [str(day)[5:] for day in tomorrow] == [str(day)[5:] for day in born]
    assert (names == "cart").sum() > 50
    welcomed = np.flatnonzero(names == "welcome")
    entered = story.piece.rhythm.entered_on[sends.person[welcomed]]
    assert (SEASON.date_of(sends.day[welcomed]) == entered + 1).all()


def test_pauses_end_only_earlier(story: Story) -> None:
    assert (story.history.lapse_to <= story.piece.rhythm.lapse_to).all()
    assert (story.history.lapse_to < NEVER).sum() == (story.piece.rhythm.lapse_from < NEVER).sum()
