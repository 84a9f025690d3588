"""Clocks: the moment of a local time, and the local time of a moment.

In most months nobody changes a zone's clocks, and its distance from UTC is one number: those are listed, and the
engine's calendar, which takes ten times as long, is asked in the other months alone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from crmlib.engine import literal

#: Years whose months are listed.
YEARS = (1970, 2037)


def tell_moment(local: str, timezone: str) -> str:
    """Expression for the moment (TIMESTAMPTZ) of a local time.

    Parameters
    ----------
    local : str
        Expression of a TIMESTAMP.
    timezone : str
        Such as ``Atlantic/Canary``.
    """
    listed = f"make_timestamptz(epoch_us({local}) - {_find_distance(local, timezone)})"
    return f"coalesce({listed}, timezone({literal(timezone)}, {local}))"


def tell_local(moment: str, timezone: str) -> str:
    """Expression for the local time (TIMESTAMP) of a moment.

    Parameters
    ----------
    moment : str
        Expression of a TIMESTAMPTZ.
    timezone : str
    """
    elapsed = f"epoch_us({moment})"
    listed = f"make_timestamp({elapsed} + {_find_distance(f'make_timestamp({elapsed})', timezone)})"
    return f"coalesce({listed}, timezone({literal(timezone)}, {moment}))"


def _find_distance(moment: str, timezone: str) -> str:
    """Microseconds from UTC in the month of a TIMESTAMP; nothing where the list says nothing."""
    # an index below one would count from the end
    place = f"greatest((year({moment}) - {YEARS[0]}) * 12 + month({moment}), 0)"
    return f"({_list_distances(timezone)})[{place}]"


@cache
def _list_distances(timezone: str) -> str:
    """Microseconds from UTC in each month of `YEARS`, NULL where they change in it or within two days of it."""
    near = [timedelta(days=days) for days in range(-2, 3)]
    zone, day = ZoneInfo(timezone), datetime(YEARS[0], 1, 1, tzinfo=UTC) + near[0]
    end = datetime(YEARS[1] + 1, 1, 1, tzinfo=UTC) + near[-1]
    seen: dict[tuple[int, int], set[timedelta]] = {}
    while day <= end:
        distance = day.astimezone(zone).utcoffset() or timedelta(0)
        for month in {((day + days).year, (day + days).month) for days in near}:
            seen.setdefault(month, set()).add(distance)
        day += timedelta(days=1)
    listed = [seen[year, month] for year in range(YEARS[0], YEARS[1] + 1) for month in range(1, 13)]
    told = (str(next(iter(one)) // timedelta(microseconds=1)) if len(one) == 1 else "NULL" for one in listed)
    return f"[{', '.join(told)}]::BIGINT[]"
