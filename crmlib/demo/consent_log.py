"""The consent platform's log: a file a delivery, one row a decision, with the wording shown and the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from crmlib.demo.chance import key_of, scatter
from crmlib.demo.columns import TEXT, Bools, Columns, Dates, Text, as_text, number_text
from crmlib.demo.consents import CHANNELS, DAYS_OF_SECOND, EMAIL, FIRST, PURPOSES, SECOND, TOO_LATE, ConsentEvents
from crmlib.demo.defects import DefectLog
from crmlib.demo.holdings import SOURCES
from crmlib.demo.moments import moment_text
from crmlib.demo.piece import Piece
from crmlib.demo.records import Records

#: Days on which the wording of the forms changed, and its versions.
WORDING_CHANGES = np.array(["2022-09-01", "2024-05-20", "2025-10-01"], dtype="datetime64[D]")
WORDINGS = as_text(["v1", "v2", "v3", "v4"])
FORMS = as_text(["loyalty-app", "web-account", "paper-form"])
#: What each source's customers decide on.
FORM_OF = {"loyalty": 0, "shop": 1, "erp": 2}
#: How many days after the as-of date what comes too late comes.
TOO_LATE_DAYS = 6


def log_files(folder: Path, as_of_date: date) -> dict[int, Path]:
    """The platform's files by delivery, each with the day of delivery in its name."""
    days = {
        FIRST: as_of_date - timedelta(days=DAYS_OF_SECOND),
        SECOND: as_of_date,
        TOO_LATE: as_of_date + timedelta(days=TOO_LATE_DAYS),
    }
    return {delivery: folder / f"consents_{day:%Y%m%d}.csv" for delivery, day in days.items()}


def write_log(
    piece: Piece, events: ConsentEvents, records: dict[str, Records], log: DefectLog
) -> Iterator[tuple[int, Columns]]:
    """Deliveries of the log, and the rows of one piece's people in each.

    Parameters
    ----------
    piece : Piece
    events : ConsentEvents
    records : dict of str to Records
    log : DefectLog
        Told of decisions that come after the as-of date, or were wrong in the first delivery.
    """
    keys = np.concatenate([records[source].keys for source in SOURCES])
    begins = np.cumsum([0] + [len(records[source]) for source in SOURCES])
    record = keys[begins[events.source] + events.row]
    log.note(record[events.delivery == TOO_LATE], "delivered_after_as_of")
    log.note(record[events.corrected], "corrected_later")
    for delivery in (FIRST, SECOND, TOO_LATE):
        yield delivery, _write_rows(piece, events, record, events.delivery == delivery, events.corrected)
    if events.corrected.any():
        yield SECOND, _write_rows(piece, events, record, events.corrected, np.zeros(len(events), dtype=np.bool_))


def _write_rows(piece: Piece, events: ConsentEvents, record: Text, chosen: Bools, opposite: Bools) -> Columns:
    some = events.choose(chosen)
    moment = piece.season.utc(some.second)
    granted = some.granted ^ opposite[chosen]
    return {
        "system": as_text(SOURCES)[some.source],
        "customer_ref": record[chosen],
        "channel": as_text(CHANNELS)[some.channel],
        "purpose": as_text(PURPOSES)[some.purpose],
        "decision": np.where(granted, "granted", "withdrawn").astype(TEXT),
        "decided_at": moment_text(moment, "T") + "Z",
        "legal_basis": np.where(some.objection, "legitimate_interest", "consent").astype(TEXT),
        "wording": WORDINGS[np.searchsorted(WORDING_CHANGES, moment.astype("datetime64[D]"), side="right")],
        "evidence": _write_evidence(piece, some, granted, moment),
    }


def _write_evidence(piece: Piece, events: ConsentEvents, granted: Bools, moment: Dates) -> Text:
    form = FORMS[np.array([FORM_OF[source] for source in SOURCES])[events.source]]
    said: Text = "form " + form
    online = form != "paper-form"
    host = scatter(piece.first + events.person, 2**24, key_of(piece.seed, "ip"))
    address = "10." + number_text(host >> 16) + "." + number_text(host >> 8 & 255) + "." + number_text(host & 255)
    said = np.where(online, said + "; IP " + address, said)
    answered = moment_text(moment + events.answered_after, "T") + "Z"
    said = np.where((events.answered_after > 0) & granted, said + "; double opt-in " + answered, said)
    unanswered = events.pending & (events.channel == EMAIL)
    return np.where(unanswered, said + "; double opt-in pending", said).astype(TEXT)
