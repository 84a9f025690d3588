"""A time is told as the engine's own calendar tells it, whatever the zone, the year and the hour."""

from __future__ import annotations

import pytest

from crmlib.engine import literal
from crmlib.sources.clocks import tell_local, tell_moment

ZONES = ("UTC", "Atlantic/Canary", "America/Sao_Paulo", "Australia/Lord_Howe")
#: An hour apart over twenty years, at odd minutes, so that every change of clocks is among them; and years not listed.
HOURS = """
    SELECT TIMESTAMP '2000-01-01 00:07:30' + i * INTERVAL 3599 SECOND AS t FROM range(175320) AS r(i)
    UNION ALL SELECT TIMESTAMP '1931-05-05 05:05:05' + i * INTERVAL 1 YEAR FROM range(180) AS r(i)
"""


@pytest.mark.parametrize("zone", ZONES)
def test_moments_and_local_times_are_those_of_the_calendar(engine, zone):
    told = engine.row(
        f"""
        WITH hours AS ({HOURS}),
        told AS (
          SELECT {tell_moment("t", zone)} AS moment, timezone({literal(zone)}, t) AS its_moment,
            {tell_local("utc", zone)} AS here, timezone({literal(zone)}, utc) AS its_here
          FROM (SELECT t, t AT TIME ZONE 'UTC' AS utc FROM hours)
        )
        SELECT count(*) AS hours, count(*) FILTER (WHERE moment IS DISTINCT FROM its_moment) AS moments,
          count(*) FILTER (WHERE here IS DISTINCT FROM its_here) AS local_times
        FROM told
        """
    )
    assert told == {"hours": 175_500, "moments": 0, "local_times": 0}


def test_nothing_is_told_of_nothing(engine):
    moment = tell_moment("CAST(NULL AS TIMESTAMP)", "Europe/Madrid")
    local = tell_local("CAST(NULL AS TIMESTAMPTZ)", "Europe/Madrid")
    assert engine.row(f"SELECT {moment} AS moment, {local} AS local") == {"moment": None, "local": None}
