"""Arrivals: deliveries that did not come though they were expected, and values that too many rows leave unmapped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from crmlib.errors import GateError
from crmlib.params import Expected
from crmlib.sources.landing import day_in_name
from crmlib.sources.previews import list_entries
from crmlib.sources.staging import Staging

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def find_missing(staging: Staging) -> list[dict[str, object]]:
    """Deliveries that were expected and never came, by the days in the names of those that did.

    Parameters
    ----------
    staging : Staging
        With all sources staged; the base's ledger counts, too.

    Returns
    -------
    list of dict
        source, entity, expected (a day, or the first day of a week or month), stops (whether the params say so).

    """
    missing = []
    for source, entity, _, given in list_entries(staging.params):
        if given.expects is None:
            continue
        loads = [load for s, e, load in staging.landing.ledger if (s, e) == (source, entity)]
        loads += [one.load for one in staging.deliveries if (one.source, one.entity) == (source, entity)]
        came = {day for load in loads if (day := day_in_name(load)) is not None}
        missing += [
            {"source": source, "entity": entity, "expected": day, "stops": given.expects.missing == "stop"}
            for day in _list_expected(given.expects, came, staging.landing.as_of_date)
            if _period(given.expects, day) not in {_period(given.expects, one) for one in came}
        ]
    return missing


def check_arrivals(staging: Staging, missing: list[dict[str, object]]) -> None:
    """Stop the run where the params say so: a delivery is missing, or too many values are mapped to nothing.

    Raises
    ------
    GateError
        Naming source, entity, and the day or the field.
    """
    for one in missing:
        if one["stops"]:
            raise GateError(
                f"The gate sources.{one['source']}.{one['entity']}.expects stops the run: the delivery of "
                f"{one['expected']} has not come. Ask its owner for it, or say missing: alarm in the params."
            )
    for source, entity, where, given in list_entries(staging.params):
        if given.most_unmapped is None:
            continue
        rows = sum(one.read.rows for one in staging.deliveries if one.where == where)
        counted: dict[str, int] = {}
        for value in staging.unmapped:
            if (value["source"], value["entity"]) == (source, entity):
                counted[value["field"]] = counted.get(value["field"], 0) + value["rows"]
        for field, unmapped in sorted(counted.items()):
            if unmapped > given.most_unmapped * rows:
                raise GateError(
                    f"The gate {where}.most_unmapped stops the run: {unmapped / rows:.1%} of the rows have a "
                    f"'{field}' that is mapped to nothing. Add its words under values:, or raise most_unmapped:."
                )


def _list_expected(expected: Expected, came: set[date], as_of: date) -> Iterator[date]:
    """First days of the periods from the first delivery on."""
    if not came:
        return
    day, seen = min(came), set()
    while day <= as_of:
        period = _period(expected, day)
        off = expected.every == "day" and (WEEKDAYS[day.weekday()] in expected.but or day in expected.not_on)
        if period not in seen and not off:
            seen.add(period)
            yield day
        day += timedelta(days=1)


def _period(expected: Expected, day: date) -> tuple[int, ...]:
    if expected.every == "week":
        return day.isocalendar()[:2]
    return (day.year, day.month) if expected.every == "month" else (day.year, day.month, day.day)
