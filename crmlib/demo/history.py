"""The history, day by day: who becomes eligible for what, who is sent it, and what that does."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from crmlib.demo.audiences import AUDIENCES
from crmlib.demo.baskets import Purchases
from crmlib.demo.campaigns import SEND_CHANNELS, Campaign
from crmlib.demo.chance import stream
from crmlib.demo.columns import Bools, Floats, Ints
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.piece import Piece
from crmlib.demo.reach import Reach
from crmlib.demo.rhythm import Occasions
from crmlib.demo.walk import Walk
from crmlib.demo.web import Carts

#: Under pressure P a contact works by the factor exp(−DECAY · P).
RESPONSE_DECAY = 0.10
#: Chance that a contact by a channel is the last one wanted, of who was left in peace before; pressure raises it.
UNSUBSCRIBES = {"email": 0.0035, "sms": 0.006, "push": 0.004, "postal": 0.001}
UNSUBSCRIBE_SLOPE = 1.5
COMPLAINTS = {"email": 0.0004, "sms": 0.0006, "push": 0.0, "postal": 0.0}
#: Chances that a contact does not arrive: and none ever will, or just this time.
HARD_BOUNCES = {"email": 0.0025, "sms": 0.002, "push": 0.0, "postal": 0.004}
SOFT_BOUNCES = {"email": 0.008, "sms": 0.006, "push": 0.03, "postal": 0.0}
#: Someone who comes back from a pause does so so many days after.
WAKING_DAYS = 2


@dataclass(frozen=True)
class Sends:
    """What was sent, or withheld from a control group; in the order of days.

    Parameters
    ----------
    campaign : array of int
        Place in the list of campaigns.
    person, day : array of int
    treated : array of bool
        Whether not in the control group.
    delivered, bounced, complained, unsubscribed : array of bool
        False for controls.
    strength : array of float
        Relative lift of the rate that it brought, after fatigue; 0 where nothing arrived.
    slept_until : array of int
        Day on which the pause that it ended would have ended; -1 where it ended none.
    luck : array of float
        Uniform number that decides on what the person does with it.
    """

    campaign: Ints
    person: Ints
    day: Ints
    treated: Bools
    delivered: Bools
    bounced: Bools
    complained: Bools
    unsubscribed: Bools
    strength: Floats
    slept_until: Ints
    luck: Floats

    def __len__(self) -> int:
        return len(self.person)

    def choose(self, rows: Bools | Ints) -> Sends:
        """Some of the sends."""
        return Sends(**{column.name: getattr(self, column.name)[rows] for column in fields(Sends)})


NOBODY = np.array([], dtype=np.int64)
NOTHING_SENT = Sends(
    campaign=NOBODY,
    person=NOBODY,
    day=NOBODY,
    treated=NOBODY.astype(np.bool_),
    delivered=NOBODY.astype(np.bool_),
    bounced=NOBODY.astype(np.bool_),
    complained=NOBODY.astype(np.bool_),
    unsubscribed=NOBODY.astype(np.bool_),
    strength=NOBODY.astype(np.float64),
    slept_until=NOBODY,
    luck=NOBODY.astype(np.float64),
)


@dataclass(frozen=True)
class History:
    """What happened to the people of one piece.

    Parameters
    ----------
    purchases : Purchases
        Up to the end of the history.
    ahead : Purchases
        In the days after it, if nothing more were sent.
    sends : Sends
    clock, base : array of float, shape (days + DAYS_AHEAD + 1, people)
        Each person's clock when each day begins, and where it would stand had nothing ever been sent.
    lapse_to : array of int
        Day on which each one's pause ended in the end.
    """

    purchases: Purchases
    ahead: Purchases
    sends: Sends
    clock: Floats
    base: Floats
    lapse_to: Ints


@dataclass
class Round:
    """A campaign while it runs.

    Parameters
    ----------
    place : int
        Of the campaign in the list.
    campaign : Campaign
    chances : array of float, shape (5, people)
        Uniform numbers that decide on the group, the delivery, the answer, the use, and on coming back.
    asked : array of bool
        Who has become eligible already.
    """

    place: int
    campaign: Campaign
    chances: Floats
    asked: Bools


def live_through(piece: Piece, reach: Reach, occasions: Occasions, carts: Carts, campaigns: list[Campaign]) -> History:
    """Let the people of one piece live through the history, and the days ahead.

    Parameters
    ----------
    piece : Piece
    reach : Reach
    occasions : Occasions
    carts : Carts
        Those that are left behind.
    campaigns : list of Campaign
        By their first day.
    """
    walk, begun = Walk(piece, reach, occasions, carts), 0
    running: list[Round] = []
    sent = [NOTHING_SENT]
    for day in range(walk.days):
        walk.hear(day)
        while begun < len(campaigns) and campaigns[begun].first_day == day:
            running.append(_begin(piece, begun, campaigns[begun]))
            begun += 1
        sent += [_send(walk, one, day, who) for one in running if len(who := _find_eligible(walk, one, day))]
        running = [one for one in running if one.campaign.last_day > day]
        walk.live(day)
    bought = walk.purchases()
    ahead = bought.second >= piece.season.days * SECONDS_PER_DAY
    return History(_choose(bought, ~ahead), _choose(bought, ahead), _join(sent), walk.clock, walk.base, walk.lapse_to)


def _begin(piece: Piece, place: int, campaign: Campaign) -> Round:
    chances = stream(piece.seed, f"sends of {campaign.campaign_id}", piece.first).random((5, len(piece.people)))
    return Round(place, campaign, chances, np.zeros(len(piece.people), dtype=np.bool_))


def _find_eligible(walk: Walk, one: Round, day: int) -> Ints:
    """Who becomes eligible for a campaign on a day."""
    channel = SEND_CHANNELS.index(one.campaign.channel)
    willing = walk.may[channel] & ~walk.dead[channel] & ~one.asked
    return np.flatnonzero(AUDIENCES[one.campaign.audience](walk, day) & willing)


def _send(walk: Walk, one: Round, day: int, person: Ints) -> Sends:
    """Send a campaign to who is eligible, but for the controls, and let it work."""
    campaign, channel = one.campaign, SEND_CHANNELS.index(one.campaign.channel)
    one.asked[person] = True
    group, arrival, answer, use, waking = one.chances[:, person]
    treated = group >= campaign.control_share
    hard, soft = HARD_BOUNCES[campaign.channel], SOFT_BOUNCES[campaign.channel]
    bounced = treated & (arrival < hard)
    delivered = treated & (arrival >= hard + soft)
    complains = COMPLAINTS[campaign.channel]
    leaves = UNSUBSCRIBES[campaign.channel] * (1 + UNSUBSCRIBE_SLOPE * walk.pressure[person])
    complained = delivered & (answer < complains)
    unsubscribed = delivered & ~complained & (answer < complains + leaves)
    walk.dead[channel, person[bounced | complained]] = True
    walk.may[channel, person[unsubscribed]] = False
    strength = np.where(delivered, campaign.lift * np.exp(-RESPONSE_DECAY * walk.pressure[person]), 0.0)
    walk.push(person, day, strength, campaign.window_days, campaign.pull_forward)
    walk.pressure[person[delivered]] += 1
    asleep = (walk.piece.rhythm.lapse_from[person] <= day) & (day < walk.lapse_to[person] - WAKING_DAYS)
    woken = delivered & asleep & (waking < campaign.wakes)
    slept_until = np.where(woken, walk.lapse_to[person], -1)
    walk.lapse_to[person[woken]] = day + WAKING_DAYS
    return Sends(
        campaign=np.full(len(person), one.place),
        person=person,
        day=np.full(len(person), day),
        treated=treated,
        delivered=delivered,
        bounced=bounced,
        complained=complained,
        unsubscribed=unsubscribed,
        strength=strength,
        slept_until=slept_until,
        luck=use,
    )


def _join(parts: list[Sends]) -> Sends:
    return Sends(
        **{column.name: np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Sends)}
    )


def _choose(purchases: Purchases, rows: Bools) -> Purchases:
    return Purchases(**{column.name: getattr(purchases, column.name)[rows] for column in fields(Purchases)})
