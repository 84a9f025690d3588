"""Who can be reached: permitted by a channel for a purpose, and with an address there."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine, Step

#: What a channel needs besides permission; an app needs nothing that a customer table knows.
CONTACTABLE = Step(
    "contactable",
    """
    SELECT p.customer_id, p.channel, p.purpose
    FROM permissions p
    JOIN customers c ON c.customer_id = p.customer_id
    WHERE p.allowed AND CASE p.channel
        WHEN 'email' THEN c.email IS NOT NULL
        WHEN 'sms' THEN c.phone IS NOT NULL AND NOT regexp_matches(c.phone, '^[+]34[89]')
        WHEN 'call' THEN c.phone IS NOT NULL
        WHEN 'postal' THEN c.address_line IS NOT NULL AND c.postcode IS NOT NULL
        ELSE true
    END
    """,
)

#: What stands behind a reason, for a glance: a yes, a question that was never asked, a no, and what no answer changes.
KINDS_OF_REASON = {
    "may be contacted": ("granted", "legitimate_interest"),
    "never asked": ("no_record",),
    "refused": ("withdrawn", "objected", "complaint"),
    "does not count": ("unconfirmed", "uncertain_identity", "bounced", "expired"),
    "listed or too young": ("deceased", "robinson", "employee", "internal_list", "minor"),
}


def find_contactable(engine: Engine) -> str:
    """Find who may be contacted and can be.

    Parameters
    ----------
    engine : Engine
        Holds `customers` and `permissions`.

    Returns
    -------
    str
        ``contactable``: customer_id, channel, purpose. E-mail needs an address, calls a phone, messages one that is
        no Spanish landline, post a street and a postcode.
    """
    return engine.run(CONTACTABLE)


def summarise_reach(engine: Engine) -> pd.DataFrame:
    """Count who is permitted and who can be reached.

    Parameters
    ----------
    engine : Engine
        Holds `customers`, `permissions` and ``contactable``.

    Returns
    -------
    DataFrame
        channel, purpose, customers, permitted, reachable, share (reachable / customers), for whatever every
        customer could be asked.
    """
    return engine.frame(
        """
        WITH permitted AS (
            SELECT channel, purpose, count(*) AS customers, count(*) FILTER (WHERE allowed) AS permitted
            FROM permissions
            GROUP BY channel, purpose
        ),
        reached AS (SELECT channel, purpose, count(*) AS reachable FROM contactable GROUP BY channel, purpose)
        SELECT p.channel, p.purpose, p.customers, p.permitted, coalesce(r.reachable, 0) AS reachable,
               coalesce(r.reachable, 0) / p.customers AS share
        FROM permitted p
        LEFT JOIN reached r ON r.channel = p.channel AND r.purpose = p.purpose
        ORDER BY p.purpose, share DESC, p.channel
        """
    )


def cross_reasons(engine: Engine, purpose: str = "marketing") -> pd.DataFrame:
    """Count why customers may or may not be contacted, exactly; not for a page before it is protected.

    Parameters
    ----------
    engine : Engine
        Holds `permissions`.
    purpose : str

    Returns
    -------
    DataFrame
        A row per channel, a column per reason (those of a yes first, then by number), counts of customers.
    """
    counted = engine.frame(
        """
        SELECT channel, reason, bool_or(allowed) AS allowed, count(*) AS customers,
               sum(count(*)) OVER (PARTITION BY reason) AS weight
        FROM permissions
        WHERE purpose = $purpose
        GROUP BY channel, reason
        ORDER BY allowed DESC, weight DESC, reason, channel
        """,
        purpose=purpose,
    )
    table = counted.pivot(index="channel", columns="reason", values="customers").fillna(0).astype("int64")
    return table.loc[:, list(dict.fromkeys(counted["reason"]))]


def group_reasons(reasons: pd.DataFrame) -> pd.DataFrame:
    """Sum what `cross_reasons` counts by what stands behind a reason.

    Parameters
    ----------
    reasons : DataFrame
        As `cross_reasons` gives it.

    Returns
    -------
    DataFrame
        A row per channel, those with most permissions first; a column for each of `KINDS_OF_REASON`.
    """
    grouped = pd.DataFrame(
        {kind: reasons.reindex(columns=names, fill_value=0).sum(axis=1) for kind, names in KINDS_OF_REASON.items()}
    )
    return grouped.sort_values("may be contacted", ascending=False, kind="stable")


def tell_reasons(grouped: pd.DataFrame) -> str:
    """Say what `group_reasons` found, in a sentence: of the best channel, and of all questions."""
    if grouped.to_numpy().sum() == 0:
        return "Nobody may be contacted: there are no customers"
    best = grouped.iloc[0] / grouped.iloc[0].sum()
    asked = grouped["never asked"].sum() / grouped.to_numpy().sum()
    return (
        f"{best['may be contacted']:.0%} may be contacted by {grouped.index[0]}, {best['refused']:.0%} refused; "
        f"over all channels {asked:.0%} of the questions were never asked"
    )


def count_reached(engine: Engine) -> dict[str, float]:
    """Count the customers who can be reached at all for marketing.

    Parameters
    ----------
    engine : Engine
        Holds `customers` and ``contactable``.

    Returns
    -------
    dict
        customers, reached (by one channel or more), share, email (by e-mail).
    """
    return engine.row(
        """
        SELECT (SELECT count(*) FROM customers) AS customers, count(DISTINCT customer_id) AS reached,
               coalesce(count(DISTINCT customer_id) / nullif((SELECT count(*) FROM customers), 0), 0) AS share,
               count(*) FILTER (WHERE channel = 'email') AS email
        FROM contactable
        WHERE purpose = 'marketing'
        """
    )


def summarise_changes(engine: Engine, base: str | None) -> pd.DataFrame:
    """Tell how permissions for marketing changed since the base run, as steps that add up.

    Parameters
    ----------
    engine : Engine
        Holds `permissions`.
    base : str or None
        The base run's `permissions`.

    Returns
    -------
    DataFrame
        channel, step (before, new customers, gained, lost, gone customers), customers; no rows without a base.
    """
    if base is None:
        return pd.DataFrame({"channel": [], "step": [], "customers": []})
    return engine.frame(
        f"""
        WITH compared AS (
            SELECT coalesce(n.channel, o.channel) AS channel,
                   n.customer_id IS NULL AS gone, o.customer_id IS NULL AS fresh,
                   coalesce(n.allowed, false) AS now, coalesce(o.allowed, false) AS before
            FROM (SELECT * FROM permissions WHERE purpose = 'marketing') n
            FULL JOIN (SELECT * FROM {base} WHERE purpose = 'marketing') o
                ON o.customer_id = n.customer_id AND o.channel = n.channel
        )
        SELECT channel, step, customers
        FROM (
            SELECT channel, count(*) FILTER (WHERE before) AS "before",
                   count(*) FILTER (WHERE now AND fresh) AS "new customers",
                   count(*) FILTER (WHERE now AND NOT before AND NOT fresh) AS "gained",
                   -count(*) FILTER (WHERE before AND NOT now AND NOT gone) AS "lost",
                   -count(*) FILTER (WHERE before AND gone) AS "gone customers"
            FROM compared
            GROUP BY channel
        ) UNPIVOT (customers FOR step IN ("before", "new customers", "gained", "lost", "gone customers"))
        ORDER BY channel, list_position(['before', 'new customers', 'gained', 'lost', 'gone customers'], step)
        """
    )


def tell_changes(changes: pd.DataFrame, channel: str) -> str:
    """Say what `summarise_changes` found about one channel, in a sentence."""
    steps = changes[changes["channel"] == channel].set_index("step")["customers"].to_dict()
    won = steps.get("new customers", 0) + steps.get("gained", 0)
    lost = -steps.get("lost", 0) - steps.get("gone customers", 0)
    return f"Since the run before {won:,} permissions for {channel} came and {lost:,} went"


def cross_islands(engine: Engine, purpose: str = "marketing") -> pd.DataFrame:
    """Count who can be reached by island and channel, exactly; not for a page before it is protected.

    Parameters
    ----------
    engine : Engine
        Holds `customers` and ``contactable``.
    purpose : str

    Returns
    -------
    DataFrame
        A row per island (``elsewhere`` where none is known), a column per channel and one of all customers.
    """
    counted = engine.frame(
        """
        WITH placed AS (SELECT customer_id, coalesce(island, 'elsewhere') AS island FROM customers)
        SELECT island, channel, count(*) AS customers
        FROM placed JOIN contactable USING (customer_id)
        WHERE purpose = $purpose
        GROUP BY island, channel
        UNION ALL
        SELECT island, 'customers', count(*) FROM placed GROUP BY island
        """,
        purpose=purpose,
    )
    table = counted.pivot(index="island", columns="channel", values="customers").fillna(0).astype("int64")
    channels = sorted(set(table.columns) - {"customers"})
    return table.sort_values("customers", ascending=False)[["customers", *channels]]


def summarise_merges(engine: Engine) -> pd.DataFrame:
    """Tell what putting records together did to permissions for marketing.

    Parameters
    ----------
    engine : Engine
        Holds `identities`, `permissions` and ``said`` (made by `crmlib.permission.consent.decide_permissions`).

    Returns
    -------
    DataFrame
        channel; agreed, withdrawn_elsewhere (a grant in one record, and no permission because of another's
        withdrawal), granted_elsewhere (a withdrawal in one record, and a later grant in another that counts) and
        uncertain (a grant that does not count, for the record may be another's): customers of several records.
    """
    return engine.frame(
        """
        WITH joined AS (SELECT customer_id FROM identities GROUP BY customer_id HAVING count(*) > 1),
        said AS (
            SELECT c.customer_id, c.channel,
                   count(DISTINCT c.source || ':' || c.event_id) AS records,
                   bool_or(c.outcome IN ('granted', 'uncertain_identity', 'unconfirmed')) AS some_granted,
                   bool_or(c.outcome IN ('withdrawn', 'objected')) AS some_withdrawn
            FROM said c SEMI JOIN joined USING (customer_id)
            WHERE c.kind = 'consent' AND c.purpose = 'marketing'
            GROUP BY c.customer_id, c.channel
        )
        SELECT s.channel,
               count(*) FILTER (WHERE NOT (s.some_granted AND s.some_withdrawn)
                                AND p.reason <> 'uncertain_identity') AS agreed,
               count(*) FILTER (WHERE s.some_granted AND s.some_withdrawn AND NOT p.allowed
                                AND p.reason <> 'uncertain_identity') AS withdrawn_elsewhere,
               count(*) FILTER (WHERE s.some_granted AND s.some_withdrawn AND p.allowed) AS granted_elsewhere,
               count(*) FILTER (WHERE p.reason = 'uncertain_identity') AS uncertain
        FROM said s
        JOIN permissions p ON p.customer_id = s.customer_id AND p.channel = s.channel AND p.purpose = 'marketing'
        WHERE s.records > 1
        GROUP BY s.channel
        ORDER BY s.channel
        """
    )
