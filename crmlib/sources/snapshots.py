"""Snapshots: where each delivery holds every row there is, one that is in it no more was deleted at the source.

What was deleted stays as a version that says so: no room sees it from then on, but for records of people, whose
withdrawn consents go on to count.
"""

from __future__ import annotations

from crmlib.engine import Engine, literal, quote
from crmlib.params import ENTITIES
from crmlib.sources.delivery import Delivery
from crmlib.sources.staging import Staging
from crmlib.tables import CONTRACTS


def find_snapshots(staging: Staging, table: str) -> list[list[Delivery]]:
    """The newest whole deliveries of a table that were read now: one for each place that delivers snapshots.

    A delivery in which any row has no key that could be read is none: what it holds is not wholly known.
    """
    newest: dict[str, list[Delivery]] = {}
    for delivery in staging.deliveries:
        if ENTITIES[delivery.entity] != table or not delivery.given.full_snapshot:
            continue
        held = newest.get(delivery.where, [])
        if not held or delivery.delivered_at > held[0].delivered_at:
            newest[delivery.where] = [delivery]
        elif delivery.delivered_at == held[0].delivered_at:
            held.append(delivery)
    return [deliveries for deliveries in newest.values() if not any(one.read.unreadable for one in deliveries)]


def mark_deleted(engine: Engine, table: str, came: str, deliveries: list[Delivery]) -> str:
    """Add a version that says so for each row that a snapshot holds no more.

    Parameters
    ----------
    engine : Engine
    table : str
        A contract's name.
    came : str
        View of what is known of it by now.
    deliveries : list of Delivery
        The files of one snapshot.

    Returns
    -------
    str
        Name of the view of both.
    """
    contract = CONTRACTS[table]
    lasting = [quote(name) for name in contract.key if name != "updated_at"]
    first = deliveries[0]
    files = ", ".join(str(delivery.number) for delivery in deliveries)
    columns = ", ".join(quote(column.name) for column in contract.columns)
    moment = f"TIMESTAMPTZ '{first.delivered_at.isoformat()}'"
    keyless = " OR ".join(f"{name} IS NULL" for name in lasting)
    told = f"SELECT 1 FROM staged_{table} WHERE file IN ({files}) AND ({keyless})"
    gone = f"deleted_{first.number}"
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE {gone} AS
        WITH latest AS (
          SELECT {columns} FROM {quote(came)} WHERE updated_at <= {moment}
          QUALIFY row_number() OVER (PARTITION BY {", ".join(lasting)} ORDER BY updated_at DESC) = 1
        ),
        held AS (SELECT {", ".join(lasting)} FROM staged_{table} WHERE file IN ({files}))
        SELECT {columns} FROM latest ANTI JOIN held USING ({", ".join(lasting)})
        WHERE "source" = {literal(first.source)} AND updated_at < {moment} AND NOT coalesce(deleted, false)
          AND NOT EXISTS ({told})
        """
    )
    return engine.view(
        f"{came}_{first.number}",
        f"SELECT {columns} FROM {quote(came)} UNION ALL "
        f"SELECT {columns} FROM (SELECT * REPLACE (true AS deleted, {moment} AS updated_at) FROM {gone})",
    )
