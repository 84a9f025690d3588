"""The service desk's export of its cases: semicolons, Windows-1252, dd/mm/yyyy hh:mm."""

from __future__ import annotations

import numpy as np

from crmlib.demo.chance import Choice, happens, stream
from crmlib.demo.columns import TEXT, Columns, Dates, Text, as_text, number_text, spanish_date_text
from crmlib.demo.defects import DefectLog
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.piece import Piece
from crmlib.demo.records import Records

#: Cases a year, for each person that a record names.
CASES_A_YEAR = 0.07
REASONS = as_text(["reclamación", "devolución", "consulta", "pedido en línea", "protección de datos"])
REASON_SHARES = Choice.of([0.30, 0.22, 0.28, 0.14, 0.06])
#: Mean days until a case is closed, by reason; and share of cases that nobody ever closes.
MEAN_DAYS_OPEN = np.array([6.0, 4.0, 1.5, 3.0, 12.0])
SHARE_FORGOTTEN = 0.03
OPENING, CLOSING = 9, 20
#: Cases of the retailer that were closed before they were opened.
FEW_CASES = 2


def write_cases(piece: Piece, records: dict[str, Records], numbered: int, log: DefectLog) -> Columns:
    """The cases of one piece's people, named by their cards or their accounts.

    Parameters
    ----------
    piece : Piece
    records : dict of str to Records
    numbered : int
        How many cases have a number already.
    log : DefectLog
        Told of cases whose dates cannot be.
    """
    rng, season = stream(piece.seed, "service", piece.first), piece.season
    known = [records[source] for source in ("loyalty", "shop")]
    keys = np.concatenate([one.keys[one.usable] for one in known])
    system = np.repeat(as_text(one.source for one in known), [int(one.usable.sum()) for one in known])
    since = season.second_of(np.maximum(np.concatenate([one.created_on[one.usable] for one in known]), season.start))
    end = season.days * SECONDS_PER_DAY
    count = rng.poisson(CASES_A_YEAR * (end - since) / SECONDS_PER_DAY / 365.25)
    row = np.repeat(np.arange(len(keys)), count)
    day = (since[row] + np.floor(rng.random(len(row)) * (end - since[row])).astype(np.int64)) // SECONDS_PER_DAY
    opened = day * SECONDS_PER_DAY + rng.integers(OPENING * 3600, CLOSING * 3600, len(row))
    order = np.argsort(opened, kind="stable")
    row, opened = row[order], opened[order]
    reason = REASON_SHARES.draw(rng, len(row))
    closed = opened + np.floor(rng.exponential(MEAN_DAYS_OPEN[reason]) * SECONDS_PER_DAY).astype(np.int64) + 600
    is_open = (closed >= end) | happens(rng, len(row), SHARE_FORGOTTEN)
    number = "S" + number_text(numbered + np.arange(len(row)), 8)
    if piece.first == 0:
        few = rng.permutation(np.flatnonzero(~is_open))[:FEW_CASES]
        closed[few] = opened[few] - 30 * SECONDS_PER_DAY
        log.note(number[few], "closed_before_opened")
    return {
        "CASO": number,
        "SISTEMA": system[row],
        "CLIENTE": keys[row],
        "APERTURA": _write_moments(season.local(opened)),
        "CIERRE": np.where(is_open, "", _write_moments(season.local(closed))).astype(TEXT),
        "MOTIVO": REASONS[reason],
        "ESTADO": np.where(is_open, "abierto", "cerrado").astype(TEXT),
    }


def _write_moments(moments: Dates) -> Text:
    clock = np.strings.slice(np.datetime_as_string(moments).astype(TEXT), 11, 16)
    written: Text = spanish_date_text(moments.astype("datetime64[D]")) + " " + clock
    return written
