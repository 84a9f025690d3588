"""Our own log of experiments: who was drawn into which group when a communication of the plan fell due.

The draw is logged at eligibility: after audience, permission and suppression, before quiet times, caps, capacity and
budget. So whoever a cap kept from the message still counts as assigned to it, and the groups stay comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from crmlib.campaign.plan import ContactPlan
from crmlib.engine import Engine, Step, quote
from crmlib.tables import find_contract

#: Reasons of a decision that come before a group is drawn, and those that are the draw itself.
BEFORE_DRAW = ("not_in_audience", "no_permission", "suppressed", "no_address")
HELD_BACK = ("global_holdout", "control")
#: Days within which a send answers a decision of its communication.
ANSWER_DAYS = 7

_LIST = "({})".format(", ".join(f"'{reason}'" for reason in BEFORE_DRAW))
_EARLIER = "'decided earlier, and no send has answered yet'"

# The unit is looked up when the draw is logged, the night after it was made, and stays as it was then.
EXPERIMENT_LOG = Step(
    "experiment_log_rows",
    f"""
    WITH drawn AS (
        SELECT d.contact_date, d.communication_id, d.customer_id,
               CASE WHEN d.decision = 'control' THEN 'control' ELSE 'treatment' END AS arm, d.reason, d.channel,
               d.variant, coalesce(u.category, '') AS category, coalesce(u.unit, 'customer') AS unit,
               CASE u.unit WHEN 'store' THEN coalesce(c.home_store_id, p.home_store_id)
                    WHEN 'postcode' THEN c.postcode END AS unit_id
        FROM last_decisions AS d
        LEFT JOIN plan_units AS u ON u.communication_id = d.communication_id
        LEFT JOIN customers AS c ON c.customer_id = d.customer_id
        LEFT JOIN purchase_summary AS p ON p.customer_id = d.customer_id
        WHERE d.reason NOT IN {_LIST} AND d.reason <> {_EARLIER} AND d.contact_date <= $as_of_date
    )
    SELECT * FROM last_log
    UNION ALL
    SELECT d.contact_date, d.communication_id, d.customer_id, d.arm, d.reason, d.channel, d.variant,
           nullif(d.category, '') AS category, d.unit, d.unit_id
    FROM drawn AS d
    LEFT JOIN last_log AS l
        ON l.contact_date = d.contact_date AND l.communication_id = d.communication_id
        AND l.customer_id = d.customer_id
    WHERE l.customer_id IS NULL
    """,
)

CANDIDATE_COUNTS = Step(
    "candidate_counts_rows",
    f"""
    SELECT contact_date, communication_id, reason, customers FROM last_counts
    UNION ALL
    SELECT d.contact_date, d.communication_id, CASE WHEN d.decision = 'contact' THEN 'contact' ELSE d.reason END,
           count(*) AS customers
    FROM last_decisions AS d
    LEFT JOIN (SELECT DISTINCT contact_date FROM last_counts) AS l ON l.contact_date = d.contact_date
    WHERE l.contact_date IS NULL AND d.reason <> {_EARLIER} AND d.contact_date <= $as_of_date
    GROUP BY d.contact_date, d.communication_id, CASE WHEN d.decision = 'contact' THEN 'contact' ELSE d.reason END
    """,
)

# A communication's rounds are its months; a send of the same communication soon after the draw is its answer.
LOGGED_SENDS = Step(
    "logged_sends",
    f"""
    WITH answers AS (
        SELECT i.customer_id, s.*
        FROM sends AS s
        JOIN identities AS i ON i.source = s.record_source AND i.source_record_id = s.source_record_id
        WHERE s.communication_id IS NOT NULL
    ),
    met AS (
        SELECT l.*, a.source, a.send_id, a.sent_at, a.opened, a.clicked, a.redeemed, a.unsubscribed, a.cost,
               coalesce(a.delivered, a.sent_at IS NOT NULL AND a.bounced IS NOT TRUE) AS arrived,
               row_number() OVER (
                   PARTITION BY l.contact_date, l.communication_id, l.customer_id ORDER BY a.eligible_at, a.send_id
               ) AS place
        FROM experiment_log_rows AS l
        LEFT JOIN answers AS a
            ON a.customer_id = l.customer_id AND a.communication_id = l.communication_id
            AND CAST(a.eligible_at AS DATE) >= l.contact_date
            AND CAST(a.eligible_at AS DATE) < l.contact_date + {ANSWER_DAYS}
    )
    SELECT communication_id || '-' || substr(CAST(contact_date AS VARCHAR), 1, 7) AS campaign_id, customer_id,
           source, send_id, communication_id, CAST(contact_date AS TIMESTAMPTZ) AS eligible_at, sent_at, arrived,
           opened, clicked, redeemed, unsubscribed, cost, category, channel, variant, arm, unit, unit_id
    FROM met
    WHERE place = 1
    """,
)


def write_log(
    engine: Engine,
    as_of_date: date,
    plans: Sequence[ContactPlan] = (),
    base_decisions: str | None = None,
    base_log: str | None = None,
    base_counts: str | None = None,
) -> None:
    """Carry the log on: the base's, and what the base decided on its contact date.

    Parameters
    ----------
    engine : Engine
        Holds `customers` and `purchase_summary`.
    as_of_date : datetime.date
        Draws for later days are not logged yet.
    plans : sequence of ContactPlan
        The plan in force first; it says which unit a control is drawn by.
    base_decisions, base_log, base_counts : str, optional
        The base run's `contact_decisions`, `experiment_log` and `candidate_counts`.

    Notes
    -----
    Makes ``experiment_log_rows`` and ``candidate_counts_rows``, with the columns of these tables.
    """
    units = {
        one.id: (one.id, one.category, one.control.unit) for plan in reversed(plans) for one in plan.communications
    }
    rows = pd.DataFrame(units.values(), columns=["communication_id", "category", "unit"]).astype("str")
    engine.register("plan_units", rows)
    for name, view, given in (
        ("contact_decisions", "last_decisions", base_decisions),
        ("experiment_log", "last_log", base_log),
        ("candidate_counts", "last_counts", base_counts),
    ):
        columns = find_contract(name).columns
        told = ", ".join(quote(column.name) for column in columns)
        none = ", ".join(f"CAST(NULL AS {column.sql_type}) AS {quote(column.name)}" for column in columns)
        engine.view(view, f"SELECT {told} FROM {quote(given)}" if given else f"SELECT {none} WHERE false")
    engine.run(EXPERIMENT_LOG, as_of_date=as_of_date)
    engine.run(CANDIDATE_COUNTS, as_of_date=as_of_date)
