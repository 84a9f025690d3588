"""Who may get anything at all: everybody the run knows, what they permit, where they can be reached.

What no room says is made up for, and said: without `permissions` the consents decide, without `customers` nobody's
address is known and every permitted channel counts as reachable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from crmlib.campaign.expressions import AUDIENCE_TABLES
from crmlib.campaign.plan import ContactPlan
from crmlib.engine import Engine, Step, quote
from crmlib.params import CHANNELS
from crmlib.tables import CONTRACTS

#: Why a customer is suppressed, the gravest first, and whether even service messages are.
SUPPRESSED_FOR = {"erased": True, "deceased": True, "objected": False, "employee": False, "complaint_open": False}
#: These hold whatever a plan says.
ALWAYS_SUPPRESSED = ("erased", "deceased")

#: A set of channels as a number, a bit each.
_BIT = (
    "CASE channel "
    + " ".join(f"WHEN '{name}' THEN {1 << place}" for place, name in enumerate(CHANNELS))
    + " ELSE 0 END"
)
_ALL = (1 << len(CHANNELS)) - 1

EVERYBODY = Step(
    "everybody",
    """
    SELECT customer_id FROM customers
    UNION
    SELECT customer_id FROM identities
    UNION
    SELECT customer_id FROM purchase_summary
    """,
)

TOLD_PERMISSIONS = Step(
    "told_permissions",
    """
    SELECT customer_id, channel, purpose, allowed, reason FROM permissions
    """,
)

# The latest decision counts; at the same moment a withdrawal does.
CONSENTED_PERMISSIONS = Step(
    "told_permissions",
    """
    WITH latest AS (
        SELECT i.customer_id, c.channel, c.purpose, c.decision,
               row_number() OVER (
                   PARTITION BY i.customer_id, c.channel, c.purpose ORDER BY c.happened_at DESC, c.decision DESC
               ) AS age
        FROM consent_events AS c
        JOIN identities AS i ON i.source = c.record_source AND i.source_record_id = c.source_record_id
    )
    SELECT customer_id, channel, purpose, decision = 'granted' AS allowed, decision AS reason
    FROM latest
    WHERE age = 1
    """,
)

# Service needs no consent: it is open unless refused. Profiling needs the permission for marketing, too.
PERMITTED_CHANNELS = Step(
    "permitted_channels",
    f"""
    WITH bits AS (
        SELECT customer_id,
               CAST(sum(CASE WHEN purpose = 'marketing' AND allowed THEN {_BIT} ELSE 0 END) AS INTEGER) AS marketing,
               CAST(sum(CASE WHEN purpose = 'profiling' AND allowed THEN {_BIT} ELSE 0 END) AS INTEGER) AS profiling,
               CAST(sum(CASE WHEN purpose = 'service' AND NOT allowed THEN {_BIT} ELSE 0 END) AS INTEGER) AS refused
        FROM told_permissions
        GROUP BY customer_id
    )
    SELECT customer_id, marketing, profiling & marketing AS profiling, {_ALL} - refused AS service
    FROM bits
    """,
)

# An objection to one channel is no permission there; who objects to all is suppressed.
SUPPRESSED_CUSTOMERS = Step(
    "suppressed_customers",
    """
    SELECT DISTINCT customer_id, reason
    FROM told_permissions
    WHERE NOT allowed AND reason IN ('erased', 'deceased', 'employee')
    UNION
    SELECT customer_id, 'objected'
    FROM told_permissions
    WHERE purpose = 'marketing'
    GROUP BY customer_id
    HAVING bool_and(reason = 'objected')
    UNION
    SELECT customer_id, 'employee' FROM customers WHERE employee
    UNION
    SELECT i.customer_id, 'complaint_open'
    FROM service_cases AS s
    JOIN identities AS i ON i.source = s.record_source AND i.source_record_id = s.source_record_id
    WHERE s.closed_at IS NULL AND lower(s.reason) = 'complaint'
    """,
)

#: An address that mailing tools take: plain letters before the @, and none that a spreadsheet takes for a formula.
EMAIL_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._%+\-]*@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+$"
PHONE_PATTERN = r"^\+?[0-9][0-9 ]{6,18}$"
#: Spanish landlines take no messages.
LANDLINE_PATTERN = r"^(\+34|0034)?[89]"

# A push goes to the app, of which a customer table knows nothing.
ADDRESSED_CHANNELS = Step(
    "addressed_channels",
    """
    SELECT customer_id,
           CASE WHEN regexp_matches(email, $email) THEN 1 + 32 ELSE 0 END
           | CASE WHEN regexp_matches(phone, $phone) AND NOT regexp_matches(phone, $landline) THEN 2 + 32 ELSE 0 END
           | CASE WHEN regexp_matches(phone, $phone) THEN 16 ELSE 0 END
           | CASE WHEN address_line IS NOT NULL AND postcode IS NOT NULL THEN 8 ELSE 0 END
           | 4 AS address
    FROM customers
    """,
)

_SUPPRESSION = "\n".join(
    f"max(CASE WHEN reason = '{reason}' THEN 1 ELSE 0 END) AS {reason}," for reason in SUPPRESSED_FOR
).rstrip(",")

REACH = Step(
    "reach",
    f"""
    WITH barred AS (
        SELECT customer_id, {_SUPPRESSION}
        FROM suppressed_customers
        GROUP BY customer_id
    ),
    known AS (SELECT count(*) AS customers FROM customers)
    SELECT e.customer_id,
           coalesce(p.marketing, 0) AS marketing, coalesce(p.profiling, 0) AS profiling,
           coalesce(p.service, {_ALL}) AS service,
           CASE WHEN k.customers = 0 THEN {_ALL} ELSE coalesce(a.address, 0) END AS address,
           {", ".join(f"coalesce(b.{reason}, 0) AS {reason}" for reason in SUPPRESSED_FOR)}
    FROM everybody AS e
    CROSS JOIN known AS k
    LEFT JOIN permitted_channels AS p ON p.customer_id = e.customer_id
    LEFT JOIN addressed_channels AS a ON a.customer_id = e.customer_id
    LEFT JOIN barred AS b ON b.customer_id = e.customer_id
    """,
)


@dataclass(frozen=True)
class Reach:
    """Who can be reached, and what was made up for.

    Parameters
    ----------
    table : str
        ``reach``: customer_id; sets of channels marketing, profiling, service, address; why suppressed.
    fallbacks : list of str
        A sentence for each input that is absent.
    """

    table: str
    fallbacks: list[str]


def find_reach(engine: Engine) -> Reach:
    """Find by which channels each customer may be contacted for which purpose.

    Parameters
    ----------
    engine : Engine
        Holds `identities`, and `customers`, `permissions`, `consent_events`, `service_cases`, `purchase_summary` as far
        as there are any.

    Returns
    -------
    Reach
    """
    fallbacks = []
    if _holds(engine, "permissions"):
        engine.run(TOLD_PERMISSIONS)
    else:
        engine.run(CONSENTED_PERMISSIONS)
        fallbacks.append(
            "No permissions were worked out, so the consents as they were given decide."
            if _holds(engine, "consent_events")
            else "Neither permissions nor consents are known, so nobody may be contacted."
        )
    if not _holds(engine, "customers"):
        fallbacks.append("No customer records are known, so every permitted channel counts as one with an address.")
    for step in (EVERYBODY, PERMITTED_CHANNELS, SUPPRESSED_CUSTOMERS):
        engine.run(step)
    engine.run(ADDRESSED_CHANNELS, email=EMAIL_PATTERN, phone=PHONE_PATTERN, landline=LANDLINE_PATTERN)
    return Reach(engine.run(REACH), fallbacks)


def show_audience(engine: Engine) -> str:
    """Put beside each customer all columns that a `where` may name.

    Parameters
    ----------
    engine : Engine
        Holds ``everybody`` and the tables of `AUDIENCE_TABLES`.

    Returns
    -------
    str
        ``audience_columns``, a view.
    """
    found: dict[str, list[str]] = {}
    for table in AUDIENCE_TABLES:
        for column in engine.columns(table):
            if column != "customer_id" and CONTRACTS[table].column(column) is not None:
                found.setdefault(column, []).append(f"{table}.{quote(column)}")
    columns = [f"coalesce({', '.join(places)}) AS {quote(name)}" for name, places in found.items()]
    joins = [f"LEFT JOIN {table} ON {table}.customer_id = e.customer_id" for table in AUDIENCE_TABLES]
    return engine.view(
        "audience_columns", f"SELECT e.customer_id, {', '.join(columns)} FROM everybody AS e {' '.join(joins)}"
    )


def count_reach(engine: Engine, plan: ContactPlan) -> pd.DataFrame:
    """Count whom a plan can reach with promotion.

    Parameters
    ----------
    engine : Engine
        Holds ``reach``.
    plan : ContactPlan
        Whose channels and suppressions count.

    Returns
    -------
    DataFrame
        A row per channel, and one for any of them: channel, customers, permitted (for marketing), reachable (with an
        address, and not suppressed).
    """
    promotion, _ = suppressed_set(plan)
    rows: dict[str, int] = {str(channel): 1 << CHANNELS.index(channel) for channel in plan.channels}
    rows["any channel"] = sum(rows.values())
    counts = ", ".join(
        f"count(*) FILTER (WHERE r.marketing & {bit} <> 0) AS p{place}, "
        f"count(*) FILTER (WHERE r.marketing & r.address & {bit} <> 0 AND ({promotion}) = 0) AS r{place}"
        for place, bit in enumerate(rows.values())
    )
    counted = engine.row(f"SELECT count(*) AS customers, {counts} FROM reach AS r")
    return pd.DataFrame(
        {
            "channel": list(rows),
            "customers": counted["customers"],
            "permitted": [counted[f"p{place}"] for place in range(len(rows))],
            "reachable": [counted[f"r{place}"] for place in range(len(rows))],
        }
    )


def suppressed_set(plan: ContactPlan) -> tuple[str, str]:
    """SQL over ``reach`` that says whether a customer is suppressed: for promotion, and for service."""
    listed = [reason for reason in SUPPRESSED_FOR if reason in plan.suppress or reason in ALWAYS_SUPPRESSED]
    return _any(listed), _any([reason for reason in listed if SUPPRESSED_FOR[reason]])


def _any(reasons: Sequence[str]) -> str:
    return " | ".join(f"r.{reason}" for reason in reasons) or "0"


def _holds(engine: Engine, table: str) -> bool:
    return bool(engine.row(f"SELECT EXISTS (FROM {quote(table)}) AS any")["any"])
