"""The truth about the retailer: who is who, who lives with whom, how each buys, what is wrong."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from crmlib.demo.columns import Ints, Text
from crmlib.demo.defects import DefectLog
from crmlib.demo.history import History
from crmlib.demo.people import People, household_ids, person_ids
from crmlib.demo.piece import Piece
from crmlib.demo.records import Records
from crmlib.demo.rhythm import dropout_dates


def people_table(piece: Piece, records: dict[str, Records]) -> pa.Table:
    """Whose each record is, and each card that has lost its record.

    Parameters
    ----------
    piece : Piece
    records : dict of str to Records

    Returns
    -------
    Table
        source, source_record_id, person_id.
    """
    names = person_ids(piece.people.number)
    parts = [(source, known.keys, known.person) for source, known in records.items()]
    lost = ~piece.listed
    parts.append(("card", piece.card_numbers[lost], piece.holdings["loyalty"].person[lost]))
    return pa.concat_tables([_whose(*part, names) for part in parts]).combine_chunks()


def member_table(piece: Piece, ids: Text, person: Ints) -> pa.Table:
    """Whose each member of the mailing tool's audience is: source, source_record_id, person_id."""
    return _whose("mailchimp", ids, person, person_ids(piece.people.number))


def _whose(source: str, ids: Text, person: Ints, names: Text) -> pa.Table:
    return pa.table(
        {
            "source": pa.repeat(source, len(ids)),
            "source_record_id": pa.array(ids),
            "person_id": pa.array(names[person]),
        }
    )


def household_table(people: People) -> pa.Table:
    """Who lives with whom: person_id, household_id."""
    return pa.table(
        {
            "person_id": pa.array(person_ids(people.number)),
            "household_id": pa.array(household_ids(people.household)),
        }
    )


def behaviour_table(piece: Piece, history: History) -> pa.Table:
    """How each person buys.

    Parameters
    ----------
    piece : Piece
    history : History

    Returns
    -------
    Table
        person_id; rate_per_day (purchases a day while a customer, as it is at the end), rate_before and changed_on
        (empty where it never changed); k (regularity: shape of the gaps); entered_on; lapsed_from and lapsed_to
        (a pause in the history, empty for none); dropout_on (empty while a customer); alive (at the end of the as-of
        date).
    """
    rhythm, season = piece.rhythm, piece.season
    dropout_on = dropout_dates(rhythm, season)
    changed, lapsed = rhythm.changed_on < season.days, rhythm.lapse_from < season.days
    days = (rhythm.changed_on, rhythm.lapse_from, history.lapse_to)
    changed_on, lapsed_from, lapsed_to = (season.date_of(day) for day in days)
    return pa.table(
        {
            "person_id": pa.array(person_ids(piece.people.number)),
            "rate_per_day": pa.array(np.where(changed, rhythm.rate * rhythm.change, rhythm.rate)),
            "rate_before": pa.array(rhythm.rate),
            "changed_on": pa.array(changed_on, mask=~changed),
            "k": pa.array(rhythm.k),
            "entered_on": pa.array(rhythm.entered_on.astype("datetime64[D]")),
            "lapsed_from": pa.array(lapsed_from, mask=~lapsed),
            "lapsed_to": pa.array(lapsed_to, mask=~lapsed),
            "dropout_on": pa.array(dropout_on, mask=np.isnat(dropout_on)),
            "alive": pa.array(np.isnat(dropout_on)),
        }
    )


def defect_table(logs: Iterable[DefectLog]) -> pa.Table:
    """What was planted: source, entity, row_key, defect."""
    rows = [(log.source, log.entity, key, defect) for log in logs for key, defect in log.rows]
    names = ("source", "entity", "row_key", "defect")
    return pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})
