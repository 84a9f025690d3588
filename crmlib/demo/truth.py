"""The truth about the retailer: who is who, who lives with whom, how each buys, what is wrong."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from crmlib.demo.columns import Ints, Text
from crmlib.demo.defects import DefectLog
from crmlib.demo.people import People, household_ids, person_ids
from crmlib.demo.rhythm import Rhythm, Season, dropout_dates


def people_table(people: People, records: Iterable[tuple[str, Text, Ints]]) -> pa.Table:
    """Whose each record is.

    Parameters
    ----------
    people : People
    records : iterable of (str, Text, array of int)
        Source, the records' ids in it, and their persons' places within the piece.

    Returns
    -------
    Table
        source, source_record_id, person_id.
    """
    names = person_ids(people.number)
    parts = [
        pa.table(
            {
                "source": pa.repeat(source, len(ids)),
                "source_record_id": pa.array(ids),
                "person_id": pa.array(names[person]),
            }
        )
        for source, ids, person in records
    ]
    return pa.concat_tables(parts).combine_chunks()


def household_table(people: People) -> pa.Table:
    """Who lives with whom: person_id, household_id."""
    return pa.table(
        {
            "person_id": pa.array(person_ids(people.number)),
            "household_id": pa.array(household_ids(people.household)),
        }
    )


def behaviour_table(people: People, rhythm: Rhythm, season: Season) -> pa.Table:
    """How each person buys.

    Parameters
    ----------
    people : People
    rhythm : Rhythm
    season : Season

    Returns
    -------
    Table
        person_id; rate_per_day (purchases a day while a customer); k (regularity: shape of the gaps);
        entered_on; dropout_on (empty while a customer); alive (at the end of the as-of date).
    """
    dropout_on = dropout_dates(rhythm, season)
    gone = ~np.isnat(dropout_on)
    return pa.table(
        {
            "person_id": pa.array(person_ids(people.number)),
            "rate_per_day": pa.array(rhythm.rate),
            "k": pa.array(rhythm.k),
            "entered_on": pa.array(rhythm.entered_on.astype("datetime64[D]")),
            "dropout_on": pa.array(dropout_on, mask=~gone),
            "alive": pa.array(~gone),
        }
    )


def defect_table(logs: Iterable[DefectLog]) -> pa.Table:
    """What was planted: source, entity, row_key, defect."""
    rows = [(log.source, log.entity, key, defect) for log in logs for key, defect in log.rows]
    names = ("source", "entity", "row_key", "defect")
    return pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})
