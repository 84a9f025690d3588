"""The truth about permissions: what everything delivered by the as-of date allows, by person, channel and purpose.

The latest decision counts, at one moment the heaviest; a withdrawal in any record is the person's. What a record says
without a date counts as said before everything else if it allows, and as said on the as-of date if it forbids.
A double opt-in that was not answered allows nothing. Profiling needs marketing. A list overrules all.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crmlib.demo.campaigns import SEND_CHANNELS, Campaign
from crmlib.demo.columns import Bools, Ints, as_text
from crmlib.demo.consents import CHANNELS, EMAIL, MARKETING, PROFILING, PURPOSES, SMS, TOO_LATE, ConsentEvents, Stated
from crmlib.demo.history import Sends
from crmlib.demo.lists import LISTS
from crmlib.demo.mailing import send_seconds
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.people import People, person_ids
from crmlib.demo.piece import Piece
from crmlib.demo.records import Records

#: Decisions, the heavier the later; what waits for an answer decides only where nothing stands that allows.
UNCONFIRMED, GRANTED, BOUNCED, WITHDRAWN, OBJECTED, COMPLAINT = range(6)
REASONS = as_text(["unconfirmed", "granted", "bounced", "withdrawn", "objected", "complaint"])
NO_RECORD = "no_record"
LIST_REASONS = {"deceased": "deceased", "robinson": "robinson", "employee": "employee", "internal": "internal_list"}
#: Seconds that are added to times from the history's start, which may lie before it; 0 is before everything.
EPOCH = 10**10
#: Weights of decisions at one moment.
MOMENT = 8


class Ballot:
    """The decisions of one piece's people, of which the last one wins.

    Parameters
    ----------
    people : int
    """

    def __init__(self, people: int) -> None:
        self.standing = np.full((people, len(CHANNELS), len(PURPOSES)), -1, dtype=np.int64)
        self.waiting = np.full((people, len(CHANNELS), len(PURPOSES)), -1, dtype=np.int64)

    def cast(self, person: Ints, channel: Ints | int, purpose: Ints | int, second: Ints | int, decision: Ints) -> None:
        """Take in decisions; `second` is local time since the history's start."""
        weight = MOMENT * (np.broadcast_to(second, person.shape) + EPOCH) + decision
        place = (person, np.broadcast_to(channel, person.shape), np.broadcast_to(purpose, person.shape))
        waits = decision == UNCONFIRMED
        for table, chosen in ((self.standing, ~waits), (self.waiting, waits)):
            np.maximum.at(table, tuple(part[chosen] for part in place), weight[chosen])

    def count(self) -> Ints:
        """The decision that holds for each person, channel and purpose; -1 for none."""
        standing = np.where(self.standing < 0, -1, self.standing % MOMENT)
        unanswered = (self.waiting > self.standing) & (standing != GRANTED)
        return np.where(unanswered, UNCONFIRMED, standing)


def permission_table(
    piece: Piece,
    records: dict[str, Records],
    stated: dict[str, Stated],
    subscribed: tuple[Bools, Bools],
    events: ConsentEvents,
    sends: Sends,
    campaigns: list[Campaign],
    listed: Ints,
) -> pa.Table:
    """What each person of one piece allows.

    Parameters
    ----------
    piece : Piece
    records : dict of str to Records
    stated : dict of str to Stated
    subscribed : (array of bool, array of bool)
        What the shop's records say of e-mail and texts.
    events : ConsentEvents
    sends : Sends
    campaigns : list of Campaign
    listed : array of int
        The list that each person stands on, as a place in ``LISTS``; their number for none.

    Returns
    -------
    Table
        person_id, channel, purpose, allowed, reason.
    """
    ballot, season = Ballot(len(piece.people)), piece.season
    for source in ("loyalty", "erp"):
        _cast_stated(ballot, records[source], stated[source], season.second_of(stated[source].decided_on))
    shop, end = records["shop"], season.days * SECONDS_PER_DAY
    for channel, allows in zip((EMAIL, SMS), subscribed, strict=True):
        second = np.where(allows, -EPOCH, end)[shop.usable]
        decision = np.where(allows, GRANTED, WITHDRAWN)[shop.usable]
        ballot.cast(shop.person[shop.usable], channel, MARKETING, second, decision)
    known = events.choose(events.delivery != TOO_LATE)
    refused = np.where(known.objection, OBJECTED, WITHDRAWN)
    decision = np.where(known.granted, np.where(known.pending, UNCONFIRMED, GRANTED), refused)
    ballot.cast(known.person, known.channel, known.purpose, known.second, decision)
    _cast_reactions(ballot, sends, campaigns)
    return _write_table(piece.people, ballot.count(), listed)


def _cast_stated(ballot: Ballot, known: Records, stated: Stated, second: Ints) -> None:
    for channel, answer in ((EMAIL, stated.email), (SMS, stated.sms)):
        said = known.usable & (answer >= 0)
        decision = np.where(answer == 1, GRANTED, WITHDRAWN)
        ballot.cast(known.person[said], channel, MARKETING, second[said], decision[said])


def _cast_reactions(ballot: Ballot, sends: Sends, campaigns: list[Campaign]) -> None:
    """What people did with what they were sent; a bounce counts if nothing arrived since."""
    of_campaign = np.array([CHANNELS.index(one.channel) for one in campaigns], dtype=np.int64)
    channel, second = of_campaign[sends.campaign], send_seconds(sends)
    answered = sends.delivered | sends.bounced
    last = np.full((len(ballot.standing), len(SEND_CHANNELS)), -1)
    np.maximum.at(last, (sends.person[answered], channel[answered]), second[answered])
    bounced = sends.bounced & (second >= last[sends.person, channel])
    for happened, decision in ((sends.complained, COMPLAINT), (sends.unsubscribed, WITHDRAWN), (bounced, BOUNCED)):
        some = np.flatnonzero(happened)
        ballot.cast(sends.person[some], channel[some], MARKETING, second[some], np.full(len(some), decision))


def _write_table(people: People, decision: Ints, listed: Ints) -> pa.Table:
    reason = np.where(decision >= 0, REASONS[decision], NO_RECORD)
    lists = as_text([*(LIST_REASONS[name] for name in LISTS), ""])[listed]
    reason = np.where((listed < len(LISTS))[:, None, None], lists[:, None, None], reason)
    allowed = reason == "granted"
    hidden = allowed[:, :, PROFILING] & ~allowed[:, :, MARKETING]
    reason[:, :, PROFILING] = np.where(hidden, reason[:, :, MARKETING], reason[:, :, PROFILING])
    allowed[:, :, PROFILING] &= allowed[:, :, MARKETING]
    person, channel, purpose = (axis.ravel() for axis in np.indices(reason.shape))
    return pa.table(
        {
            "person_id": pa.array(person_ids(people.number)).take(pa.array(person)),
            "channel": pa.array(as_text(CHANNELS)).take(pa.array(channel)),
            "purpose": pa.array(as_text(PURPOSES)).take(pa.array(purpose)),
            "allowed": pa.array(allowed.ravel()),
            "reason": pa.array(reason.ravel()),
        }
    )
