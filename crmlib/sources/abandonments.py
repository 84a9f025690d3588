"""Abandoned carts, where a source tells of carts and purchases but not of those left behind.

A cart is left behind if its visitor does nothing with it, and buys nothing, for so many hours; who it is may have been
told at an earlier step. They are worked out anew from all events each time, so that a purchase that is delivered late
takes them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

from crmlib.engine import Engine, Step, quote
from crmlib.params import Params

HOURS = pa.schema([("source", pa.string()), ("hours", pa.int64())])
#: How the id of an abandonment ends; it begins with that of the last event of its cart.
ENDING = "#abandoned"

ABANDONMENTS = Step(
    "abandonments",
    f"""
    WITH known AS (
      SELECT *, row_number() OVER (PARTITION BY source, event_id ORDER BY updated_at DESC) AS age
      FROM intake_web_events
      WHERE updated_at < $cutoff AND happened_at < $cutoff AND event_id NOT LIKE '%{ENDING}'
    ),
    telling AS (SELECT DISTINCT source FROM known WHERE event = 'abandon'),
    steps AS (
      SELECT known.source, event_id, event, visitor_id, product_id, happened_at, hours,
        lead(happened_at) OVER visits AS next_at,
        last_value(record_source IGNORE NULLS) OVER visits AS record_source,
        last_value(source_record_id IGNORE NULLS) OVER visits AS source_record_id
      FROM known
      JOIN abandonment_hours ON abandonment_hours.source = known.source
      WHERE age = 1 AND event IN ('cart', 'checkout') AND coalesce(visitor_id, source_record_id) IS NOT NULL
        AND known.source NOT IN (SELECT source FROM telling)
      WINDOW visits AS (
        PARTITION BY known.source, coalesce(visitor_id, source_record_id) ORDER BY happened_at, event_id
      )
    ),
    left_behind AS (
      SELECT *, happened_at + hours * INTERVAL 1 HOUR AS given_up_at
      FROM steps
      WHERE event = 'cart' AND (next_at IS NULL OR next_at > happened_at + hours * INTERVAL 1 HOUR)
    )
    SELECT source, event_id || '{ENDING}' AS event_id, record_source, source_record_id, visitor_id, 'abandon' AS event,
      product_id, given_up_at AS happened_at, given_up_at AS updated_at
    FROM left_behind
    WHERE given_up_at < $cutoff
    """,
)


def list_hours(params: Params) -> dict[str, int]:
    """Source -> hours after which its carts are left behind, where params say so."""
    return {
        name: given.abandoned_after_hours
        for name, source in params.sources.items()
        for given in source.entities.get("web_events", [])
        if given.abandoned_after_hours is not None
    }


def derive_abandonments(engine: Engine, events: str, hours: Mapping[str, int], cutoff: datetime) -> str:
    """Add the carts left behind to a table of events.

    Parameters
    ----------
    engine : Engine
    events : str
        Table of the engine with all versions of ``web_events``; abandonments worked out before are not taken over.
    hours : mapping of str to int
        Source -> hours; a source that tells of abandoned carts itself is believed.
    cutoff : datetime
        End of the as-of date.

    Returns
    -------
    str
        Name of the engine's view.
    """
    if events != "intake_web_events":
        engine.view("intake_web_events", f"FROM {quote(events)}")
    rows = [{"source": source, "hours": number} for source, number in hours.items()]
    engine.register("abandonment_hours", pa.Table.from_pylist(rows, schema=HOURS))
    engine.run(ABANDONMENTS, cutoff=cutoff)
    return engine.view(
        "events_with_abandonments",
        f"SELECT * FROM intake_web_events WHERE event_id NOT LIKE '%{ENDING}' UNION ALL BY NAME FROM abandonments",
    )
