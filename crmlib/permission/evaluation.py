"""How right the permissions are, where the truth is known. Only this function reads it."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine, Step

#: What each metric says, for a page.
WORDS = {
    "permissions_identity_right": "customers whose records are one person's, and all of theirs",
    "permissions_right": "of these: answers that are right",
    "permissions_wrongly_allowed": "of these: allowed, though the truth forbids it",
    "permissions_wrongly_refused": "of these: refused, though the truth allows it",
}


def evaluate_permissions(engine: Engine, truth_identities: str | None, truth_permissions: str | None) -> pd.DataFrame:
    """Judge the permissions by the truth, for customers whose identity is right.

    Parameters
    ----------
    engine : Engine
        Holds `identities` and `permissions`.
    truth_identities : str or None
        Table with source, source_record_id, person_id.
    truth_permissions : str or None
        Table with person_id, channel, purpose, allowed (true or false).

    Returns
    -------
    DataFrame
        metric, value, n: permissions_identity_right (share of customers whose records are all the person's and
        nobody else's); of these, permissions_wrongly_allowed (share of what the truth forbids); and of those
        without an answer held back by an uncertain identity, permissions_right (share of all answers) and
        permissions_wrongly_refused (share of what the truth allows). No rows where the truth is not known.
    """
    if truth_identities is None or truth_permissions is None:
        return pd.DataFrame({"metric": [], "value": [], "n": []}).astype({"metric": "str", "n": "int64"})
    engine.run(
        Step(
            "judged_permission_rows",
            f"""
            WITH compared AS (
                SELECT i.customer_id, t.person_id, count(*) OVER (PARTITION BY i.customer_id) AS in_customer,
                       count(*) OVER (PARTITION BY t.person_id) AS in_person,
                       count(*) OVER (PARTITION BY i.customer_id, t.person_id) AS in_both
                FROM identities i
                JOIN {truth_identities} t ON t.source = i.source AND t.source_record_id = i.source_record_id
            ),
            people AS (
                SELECT customer_id, min(person_id) AS person_id,
                       bool_and(in_customer = in_both AND in_person = in_both) AS is_right
                FROM compared
                GROUP BY customer_id
            ),
            certain AS (
                SELECT customer_id, NOT bool_or(reason = 'uncertain_identity') AS is_certain
                FROM permissions
                GROUP BY customer_id
            )
            SELECT p.customer_id, p.is_right, coalesce(c.is_certain, true) AS is_certain,
                   lower(t.allowed) IN ('true', '1', 'yes') AS truth, coalesce(o.allowed, false) AS told
            FROM people p
            JOIN {truth_permissions} t ON t.person_id = p.person_id
            LEFT JOIN certain c ON c.customer_id = p.customer_id
            LEFT JOIN permissions o ON o.customer_id = p.customer_id AND o.channel = t.channel AND o.purpose = t.purpose
            """,
        )
    )
    counted = engine.row(
        """
        SELECT count(DISTINCT customer_id) AS customers,
               count(DISTINCT CASE WHEN is_right THEN customer_id END) AS right_customers,
               count(*) FILTER (WHERE is_right AND NOT truth) AS forbidden,
               count(*) FILTER (WHERE is_right AND NOT truth AND told) AS wrongly_allowed,
               count(*) FILTER (WHERE is_right AND is_certain) AS answers,
               count(*) FILTER (WHERE is_right AND is_certain AND truth = told) AS right_answers,
               count(*) FILTER (WHERE is_right AND is_certain AND truth) AS permitted,
               count(*) FILTER (WHERE is_right AND is_certain AND truth AND NOT told) AS wrongly_refused
        FROM judged_permission_rows
        """
    )
    rows = [
        ("permissions_identity_right", counted["right_customers"], counted["customers"]),
        ("permissions_right", counted["right_answers"], counted["answers"]),
        ("permissions_wrongly_allowed", counted["wrongly_allowed"], counted["forbidden"]),
        ("permissions_wrongly_refused", counted["wrongly_refused"], counted["permitted"]),
    ]
    return pd.DataFrame(
        {
            "metric": [metric for metric, _, _ in rows],
            "value": [part / whole if whole else 0.0 for _, part, whole in rows],
            "n": [whole for _, _, whole in rows],
        }
    )
