"""How the retailer reaches each person by each channel: through which record, and when it may.

Each system's list lives for itself: what a person decided elsewhere is not known to it. That is as in life, and
what the rooms about permission are for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.demo.campaigns import SEND_CHANNELS
from crmlib.demo.columns import Bools, Ints, Text
from crmlib.demo.consents import CHANNELS, MARKETING, SMS, TOO_LATE, ConsentEvents, Stated
from crmlib.demo.holdings import SOURCES
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.piece import Piece
from crmlib.demo.records import Records


@dataclass(frozen=True)
class Switches:
    """When one channel's permission is switched on and off, in the order of days.

    Parameters
    ----------
    person, day : array of int
        Days since the history's start, from which on it holds; 0 where it did before.
    on : array of bool
    """

    person: Ints
    day: Ints
    on: Bools


@dataclass(frozen=True)
class Reach:
    """How the people of one piece are reached.

    Parameters
    ----------
    source, row : array of int, shape (send channels, people)
        The record: place of its source in ``SOURCES``, and of the row in its `Records`; -1 where there is none.
    switches : list of Switches
        By send channel.
    account_day : array of int
        Day on which each person opened an account in the online shop that orders name by e-mail; large for none.
    account : array of int
        Its row in the shop's `Records`; -1 for none.
    has_card : array of bool
    """

    source: Ints
    row: Ints
    switches: list[Switches]
    account_day: Ints
    account: Ints
    has_card: Bools


#: No account is ever opened on this day.
NEVER_OPENED = 1_000_000


def find_reach(piece: Piece, records: dict[str, Records], stated: dict[str, Stated], events: ConsentEvents) -> Reach:
    """Find how each person of one piece is reached.

    Parameters
    ----------
    piece : Piece
    records : dict of str to Records
    stated : dict of str to Stated
    events : ConsentEvents
        Decisions that come too late are not known.
    """
    count = len(piece.people)
    chosen = [_choose_records(piece, records, stated, events, CHANNELS.index(channel)) for channel in SEND_CHANNELS]
    source, row = (np.stack(parts) for parts in zip(*chosen, strict=True))
    switches = [
        _find_switches(piece, records, stated, events, CHANNELS.index(channel), source[place], row[place])
        for place, channel in enumerate(SEND_CHANNELS)
    ]
    shop = records["shop"]
    has_account = np.flatnonzero((shop.email != "") & shop.usable)
    account = np.full(count, -1)
    account[shop.person[has_account]] = has_account
    opened = (shop.created_on[account] - piece.season.start).astype(np.int64) if len(shop) else account
    has_card = np.zeros(count, dtype=np.bool_)
    has_card[piece.holdings["loyalty"].person] = True
    return Reach(source, row, switches, np.where(account >= 0, opened, NEVER_OPENED), account, has_card)


def _reachable(known: Records, channel: int) -> Bools:
    address: Text = known.phone if channel == SMS else known.email
    return known.usable & ((address != "") if channel <= SMS else True)


def _choose_records(
    piece: Piece, records: dict[str, Records], stated: dict[str, Stated], events: ConsentEvents, channel: int
) -> tuple[Ints, Ints]:
    """One record for each person: one that ever granted before others, cards before accounts before the ERP."""
    count = len(piece.people)
    source, row = np.full(count, -1), np.full(count, -1)
    for granting in (False, True):
        for place in reversed(range(len(SOURCES))):
            known = records[SOURCES[place]]
            grants = _granting(known, stated[known.source], events, channel)
            rows = np.flatnonzero(_reachable(known, channel) & (grants | (not granting)))
            source[known.person[rows]] = place
            row[known.person[rows]] = rows
    return source, row


def _granting(known: Records, stated: Stated, events: ConsentEvents, channel: int) -> Bools:
    """Which records ever granted marketing by a channel."""
    grants = np.zeros(len(known), dtype=np.bool_)
    if channel <= SMS:
        grants |= (stated.email, stated.sms)[channel] == 1
    logged = (events.source == SOURCES.index(known.source)) & (events.channel == channel)
    logged &= (events.purpose == MARKETING) & events.granted & ~events.pending
    grants[events.row[logged]] = True
    return grants


def _find_switches(
    piece: Piece,
    records: dict[str, Records],
    stated: dict[str, Stated],
    events: ConsentEvents,
    channel: int,
    source: Ints,
    row: Ints,
) -> Switches:
    """The decisions of the chosen records, each from the day after it was made."""
    persons, seconds, grants = [], [], []
    for place, name in enumerate(SOURCES):
        person = np.flatnonzero(source == place)
        said = stated[name]
        if channel <= SMS:
            yes = (said.email, said.sms)[channel][row[person]] == 1
            decided_on = records[name].created_on if name == "shop" else said.decided_on
            persons.append(person[yes])
            seconds.append(piece.season.second_of(decided_on[row[person[yes]]]))
            grants.append(np.ones(yes.sum(), dtype=np.bool_))
    known = (events.channel == channel) & (events.purpose == MARKETING) & ~events.pending
    known &= (events.delivery != TOO_LATE) & (source[events.person] == events.source)
    known &= row[events.person] == events.row
    person = np.concatenate([*persons, events.person[known]])
    second = np.concatenate([*seconds, events.second[known]])
    on = np.concatenate([*grants, events.granted[known]])
    order = np.argsort(second, kind="stable")
    return Switches(person[order], np.maximum(second[order] // SECONDS_PER_DAY + 1, 0), on[order])
