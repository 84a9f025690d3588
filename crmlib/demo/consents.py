"""What people allowed and forbade over time: answers that stand in a record, and those the consent platform logs.

A record's own answer is asked when it is made or changed. The platform's forms came later; e-mail addresses are
confirmed by double opt-in, which some never answer. Some take back what they granted, and some grant it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from crmlib.demo.chance import happens, stream
from crmlib.demo.columns import Bools, Dates, Ints
from crmlib.demo.holdings import SOURCES
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.piece import Piece
from crmlib.demo.records import Records

CHANNELS = ("email", "sms", "push", "postal", "call")
PURPOSES = ("marketing", "profiling")
MARKETING, PROFILING = 0, 1
EMAIL, SMS, PUSH, POSTAL, CALL = range(len(CHANNELS))
#: Source -> shares of those with an address or a phone who allow e-mails and texts on the record itself.
STATED = {"loyalty": (0.68, 0.50), "erp": (0.50, 0.35), "shop": (0.55, 0.35)}
#: Share of the ERP's customers who were asked, and of card holders who signed when they got the card.
SHARE_ASKED, SHARE_SIGNED_AT_ONCE = 0.65, 0.70
#: Source, channel -> share that later granted marketing on a form of the platform.
LOGGED = {
    ("loyalty", EMAIL): 0.55,
    ("loyalty", SMS): 0.28,
    ("loyalty", PUSH): 0.24,
    ("shop", EMAIL): 0.50,
    ("shop", SMS): 0.15,
    ("shop", POSTAL): 0.25,
    ("erp", POSTAL): 0.35,
}
SHARE_PROFILING, SHARE_PROFILING_TAKEN_BACK = 0.60, 0.05
SHARE_UNCONFIRMED, SHARE_TAKEN_BACK, SHARE_GRANTED_AGAIN = 0.06, 0.10, 0.20
#: Share of records of which nobody was asked, but who object to letters or to calls.
SHARE_OBJECTING = 0.008
#: Shares of the platform's events that come with the next delivery, after the as-of date (of what is taken back), and
#: wrong at first.
SHARE_LATE, SHARE_TOO_LATE, SHARE_CORRECTED = 0.02, 0.015, 0.002
#: Deliveries of the platform's log.
FIRST, SECOND, TOO_LATE = range(3)
#: The first delivery goes back so many days.
DAYS_OF_SECOND = 31


@dataclass(frozen=True)
class ConsentEvents:
    """Decisions that the consent platform logs, in the order of time.

    Parameters
    ----------
    source : array of int
        Place of the record's source in ``SOURCES``.
    row : array of int
        Place of the record in its source's `Records`.
    person, channel, purpose : array of int
    second : array of int
        Local time, in seconds since the history's start, which may lie before.
    granted : array of bool
    objection : array of bool
        Whether an objection to what was done without consent.
    pending : array of bool
        Whether a double opt-in that was not answered.
    answered_after : array of int
        Seconds until the double opt-in was answered; 0 where none was asked.
    delivery : array of int
        FIRST, SECOND or TOO_LATE.
    corrected : array of bool
        Whether first delivered as the opposite.
    """

    source: Ints
    row: Ints
    person: Ints
    channel: Ints
    purpose: Ints
    second: Ints
    granted: Bools
    objection: Bools
    pending: Bools
    answered_after: Ints
    delivery: Ints
    corrected: Bools

    def __len__(self) -> int:
        return len(self.source)

    def choose(self, rows: Bools | Ints) -> ConsentEvents:
        """Some of the events."""
        return ConsentEvents(**{column.name: getattr(self, column.name)[rows] for column in fields(ConsentEvents)})


@dataclass(frozen=True)
class Stated:
    """What one source's records say themselves.

    Parameters
    ----------
    email, sms : array of int
        1 yes, 0 no, -1 not asked.
    decided_on : array of date
        When; the shop does not tell.
    """

    email: Ints
    sms: Ints
    decided_on: Dates


def draw_stated(piece: Piece, records: dict[str, Records]) -> dict[str, Stated]:
    """Draw what records say of consent, by source.

    Parameters
    ----------
    piece : Piece
    records : dict of str to Records
    """
    stated = {}
    for source, known in records.items():
        rng, size = stream(piece.seed, f"consents stated in {source}", piece.first), len(known)
        allow_email, allow_sms = (happens(rng, size, share) for share in STATED[source])
        email = (allow_email & (known.email != "")).astype(np.int64)
        sms = (allow_sms & (known.phone != "")).astype(np.int64)
        at_once = happens(rng, size, SHARE_SIGNED_AT_ONCE if source == "loyalty" else 0.0)
        asked = happens(rng, size, SHARE_ASKED if source == "erp" else 1.0)
        decided_on = np.where(at_once, known.created_on, known.updated_on)
        stated[source] = Stated(np.where(asked, email, -1), np.where(asked, sms, -1), decided_on)
    return stated


def draw_events(piece: Piece, records: dict[str, Records], stated: dict[str, Stated]) -> ConsentEvents:
    """Draw what the consent platform logs about the records of one piece that can be taken in.

    Parameters
    ----------
    piece : Piece
    records : dict of str to Records
    stated : dict of str to Stated
        What was decided on the record comes before.
    """
    parts = [
        part
        for (source, channel), share in LOGGED.items()
        for part in _draw_forms(piece, records[source], channel, share, stated[source])
    ]
    parts += [_draw_objections(piece, records[source], channel) for source in SOURCES for channel in (POSTAL, CALL)]
    joined = {
        column.name: np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(ConsentEvents)
    }
    events = ConsentEvents(**joined)
    order = np.lexsort((events.purpose, events.channel, events.row, events.source, events.second))
    return _deliver(piece, events.choose(order))


def _draw_forms(piece: Piece, known: Records, channel: int, share: float, stated: Stated) -> Iterator[ConsentEvents]:
    """Grants of marketing, and perhaps profiling, by one channel; what is taken back, and granted again."""
    rng = stream(piece.seed, f"consent forms of {known.source} for {CHANNELS[channel]}", piece.first)
    end = piece.season.days * SECONDS_PER_DAY
    reachable = {EMAIL: known.email != "", SMS: known.phone != ""}.get(channel, np.ones(len(known), dtype=np.bool_))
    row = np.flatnonzero(happens(rng, len(known), share) & reachable & known.usable)
    since = np.maximum(stated.decided_on, known.created_on)[row]
    begins = piece.season.second_of(since) + 2 * SECONDS_PER_DAY
    granted_at = begins + np.floor(rng.random(len(row)) * (end - begins)).astype(np.int64)
    soon = granted_at < end - 3600
    row, granted_at = row[soon], granted_at[soon]
    size = len(row)
    pending = happens(rng, size, SHARE_UNCONFIRMED if channel == EMAIL else 0.0)
    answered = np.where(pending | (channel != EMAIL), 0, rng.integers(40, 3_500, size))
    yield _events(known, row, channel, MARKETING, granted_at, pending=pending, answered_after=answered)
    profiled = happens(rng, size, SHARE_PROFILING)
    yield _events(
        known,
        row[profiled],
        channel,
        PROFILING,
        granted_at[profiled],
        pending=pending[profiled],
        answered_after=answered[profiled],
    )
    back_at = _later(rng, granted_at, end)
    back = happens(rng, size, SHARE_TAKEN_BACK) & ~pending & (back_at < end)
    yield _events(known, row[back], channel, MARKETING, back_at[back], granted=False)
    again_at = _later(rng, back_at, end)
    again = back & happens(rng, size, SHARE_GRANTED_AGAIN) & (again_at < end)
    answered = np.where(channel == EMAIL, rng.integers(40, 3_500, size), 0)
    yield _events(known, row[again], channel, MARKETING, again_at[again], answered_after=answered[again])
    hidden_at = _later(rng, granted_at, end)
    hidden = profiled & ~pending & happens(rng, size, SHARE_PROFILING_TAKEN_BACK) & (hidden_at < end)
    yield _events(known, row[hidden], channel, PROFILING, hidden_at[hidden], granted=False)


def _later(rng: np.random.Generator, second: Ints, end: int) -> Ints:
    """Moments at least three days later, mostly before the end."""
    days = 3 * SECONDS_PER_DAY
    return second + days + np.floor(rng.random(len(second)) * np.maximum(end - second - days, 1)).astype(np.int64)


def _draw_objections(piece: Piece, known: Records, channel: int) -> ConsentEvents:
    rng = stream(piece.seed, f"objections of {known.source} for {CHANNELS[channel]}", piece.first)
    row = np.flatnonzero(happens(rng, len(known), SHARE_OBJECTING) & known.usable)
    begins, end = piece.season.second_of(known.created_on)[row], piece.season.days * SECONDS_PER_DAY
    at = begins + np.floor(rng.random(len(row)) * (end - begins)).astype(np.int64)
    objected = np.ones(len(row), dtype=np.bool_)
    return _events(known, row, channel, MARKETING, at, granted=False, objection=objected)


def _events(
    known: Records, row: Ints, channel: int, purpose: int, second: Ints, *, granted: bool = True, **more: Bools | Ints
) -> ConsentEvents:
    """Events of one source, channel and purpose, none of them special but for what `more` says."""
    size = len(row)
    usual: dict[str, Any] = {
        "source": np.full(size, SOURCES.index(known.source)),
        "row": row,
        "person": known.person[row],
        "channel": np.full(size, channel),
        "purpose": np.full(size, purpose),
        "second": second,
        "granted": np.full(size, granted),
        "objection": np.zeros(size, dtype=np.bool_),
        "pending": np.zeros(size, dtype=np.bool_),
        "answered_after": np.zeros(size, dtype=np.int64),
        "delivery": np.zeros(size, dtype=np.int64),
        "corrected": np.zeros(size, dtype=np.bool_),
    }
    return ConsentEvents(**{**usual, **more})


def _deliver(piece: Piece, events: ConsentEvents) -> ConsentEvents:
    """Say with which delivery each event comes, and which were wrong in the first."""
    rng, size = stream(piece.seed, "deliveries of consents", piece.first), len(events)
    recent = events.second >= (piece.season.days - DAYS_OF_SECOND) * SECONDS_PER_DAY
    late = happens(rng, size, SHARE_LATE)
    too_late = happens(rng, size, SHARE_TOO_LATE) & ~events.granted & ~events.objection
    corrected = happens(rng, size, SHARE_CORRECTED) & ~recent & ~late & ~too_late & ~events.pending & ~events.objection
    delivery = np.where(too_late, TOO_LATE, np.where(recent | late, SECOND, FIRST))
    return ConsentEvents(
        **{column.name: getattr(events, column.name) for column in fields(ConsentEvents)[:-2]},
        delivery=delivery,
        corrected=corrected,
    )
