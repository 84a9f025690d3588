"""How far people got in each campaign, and in each communication of the plan: from eligible to bought."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd

from crmlib.campaign.exposure import expose_campaigns
from crmlib.campaign.margins import estimate_margin_share
from crmlib.engine import Engine, Step

CAMPAIGN_FUNNEL = Step(
    "campaign_funnel",
    """
    WITH counted AS (
        SELECT campaign_id, count(*) AS eligible, count(*) FILTER (WHERE arm = 'control') AS control,
               count(*) FILTER (WHERE arm = 'treatment') AS assigned,
               count(*) FILTER (WHERE arm = 'treatment' AND sent) AS sent,
               count(*) FILTER (WHERE arm = 'treatment' AND delivered) AS delivered,
               CASE WHEN count(opened) > 0 THEN count(*) FILTER (WHERE opened) END AS opened,
               CASE WHEN count(clicked) > 0 THEN count(*) FILTER (WHERE clicked) END AS clicked,
               CASE WHEN count(redeemed) > 0 THEN count(*) FILTER (WHERE redeemed) END AS redeemed,
               count(*) FILTER (WHERE arm = 'treatment' AND purchases > 0) AS bought,
               count(*) FILTER (WHERE unsubscribed) AS unsubscribed, count(*) FILTER (WHERE both_arms) AS both_arms,
               count(*) FILTER (WHERE NOT judged) AS too_early, bool_or(unnamed) AS unnamed, bool_or(logged) AS logged,
               min(unit) AS unit,
               min(eligible_at) AS first_eligible_at, min(communication) AS communication,
               min(category) AS category, min(channel) AS channel,
               sum(cost) AS sends_cost
        FROM campaign_outcomes
        GROUP BY campaign_id
    )
    SELECT f.campaign_id, coalesce(c.name, f.campaign_id) AS name,
           coalesce(f.communication, c.name, f.campaign_id) AS communication,
           coalesce(c.category, f.category) AS category,
           coalesce(c.channel, f.channel) AS channel,
           coalesce(c.starts_on, CAST(f.first_eligible_at AS DATE)) AS starts_on,
           f.eligible, f.control, f.assigned, f.sent, f.delivered, f.opened, f.clicked, f.redeemed, f.bought,
           f.unsubscribed, f.both_arms, f.too_early, f.unnamed, f.logged, f.unit, c.control_share,
           CAST(f.sends_cost + coalesce(c.cost, 0) AS DOUBLE) AS cost
    FROM counted f
    LEFT JOIN campaigns c ON c.campaign_id = f.campaign_id
    """,
)


def summarise_campaigns(
    engine: Engine,
    as_of_date: date,
    cutoff: datetime,
    window_days: int,
    net_days: int | None = None,
    margin_share: float | None = None,
) -> str:
    """Bring every campaign to people, groups and purchases, and count how far they got.

    Parameters
    ----------
    engine : Engine
        As for `expose_campaigns`.
    as_of_date : datetime.date
    cutoff : datetime.datetime
        The end of the as-of date; who was eligible less than `window_days` before is not judged yet.
    window_days : int
        Days from eligibility in which purchases count.
    net_days : int, optional
        Days from eligibility after which what was only pulled forward has been missing again.
    margin_share : float, optional
        Part of the amount of a ticket that is margin; absent: as tickets or products' costs say.

    Returns
    -------
    str
        ``campaign_funnel``: a row per campaign with name, communication, category, channel, starts_on; people
        eligible, control, assigned (to treatment), sent, delivered, opened, clicked, redeemed (empty where nothing is
        known of it), bought (of those assigned, in the window), unsubscribed, both_arms (drawn into treatment and
        control under two records), too_early; unnamed (the sends name no campaign: they are put together by
        communication), logged (drawn by our own plan), unit (what was drawn); the planned control_share; cost (fixed
        and of the sends). Beside it what `expose_campaigns` makes.
    """
    share = estimate_margin_share(engine) if margin_share is None else None
    expose_campaigns(engine, as_of_date, cutoff, window_days, net_days, margin_share, share)
    return engine.run(CAMPAIGN_FUNNEL)


#: Steps of a campaign's funnel, in order, and what a reader calls them.
FUNNEL = {
    "eligible": "eligible",
    "assigned": "assigned to treatment",
    "sent": "sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "redeemed": "redeemed",
    "bought": "bought in the window",
}


def sum_funnel(engine: Engine) -> pd.DataFrame:
    """Add up the funnels of all campaigns.

    Parameters
    ----------
    engine : Engine
        Holds ``campaign_funnel``.

    Returns
    -------
    DataFrame
        step (in words), people (a customer counts once in each campaign), only of steps that any campaign knows.
    """
    steps = ", ".join(f"CAST(sum({step}) AS BIGINT) AS {step}" for step in FUNNEL)
    sums = engine.row(f"SELECT {steps} FROM campaign_funnel")
    known = {step: people for step, people in sums.items() if people is not None}
    return pd.DataFrame({"step": [FUNNEL[step] for step in known], "people": list(known.values())})


#: What became of a plan's candidates, in the order in which it is checked, and the reasons that count as it.
PLAN_FUNNEL = {
    "eligible": (),
    "not in audience": ("not_in_audience",),
    "no permission": ("no_permission",),
    "suppressed or no address": ("suppressed", "no_address"),
    "held back as control": ("control", "global_holdout"),
    "assigned": (),
    "quiet day": ("quiet_day",),
    "caps and cooldown": (
        "cooldown", "cap_communication", "cap_category", "cap_channel", "cap_global", "reserved_for_higher",
        "called_off",
    ),
    "capacity": ("capacity",),
    "budget": ("budget",),
    "refused at the last check": ("address_refused",),
    "contacted": ("contact",),
}  # fmt: skip


def list_plan_funnel(engine: Engine) -> pd.DataFrame:
    """The funnel of each communication of the plan, over all days that are logged.

    Parameters
    ----------
    engine : Engine
        Holds ``candidate_counts_rows`` (of `write_log`) and ``campaign_funnel``.

    Returns
    -------
    DataFrame
        communication, the steps of `PLAN_FUNNEL` (candidates, each in one of the skips or contacted; whatever else
        kept one from being sent counts as refused at the last check), then delivered, clicked, redeemed and bought of
        the campaigns drawn from the log; the largest first.
    """
    counted = engine.frame(
        "SELECT communication_id AS communication, reason, sum(customers) AS people FROM candidate_counts_rows "
        "GROUP BY communication_id, reason"
    )
    steps = {reason: step for step, reasons in PLAN_FUNNEL.items() for reason in reasons}
    named = counted.assign(step=counted["reason"].map(steps).fillna("refused at the last check"))
    wide = named.pivot_table(index="communication", columns="step", values="people", aggfunc="sum", fill_value=0)
    wide = wide.reindex(columns=list(PLAN_FUNNEL), fill_value=0).astype(int)
    wide["eligible"] = wide.sum(axis=1)
    before = ["not in audience", "no permission", "suppressed or no address", "held back as control"]
    wide["assigned"] = wide["eligible"] - wide[before].sum(axis=1)
    came = engine.frame(
        """
        SELECT communication, CAST(sum(delivered) AS BIGINT) AS delivered, CAST(sum(clicked) AS BIGINT) AS clicked,
               CAST(sum(redeemed) AS BIGINT) AS redeemed, CAST(sum(bought) AS BIGINT) AS bought
        FROM campaign_funnel WHERE logged GROUP BY communication
        """
    )
    joined = wide.reset_index().merge(came, on="communication", how="left")
    return joined.sort_values(["eligible", "communication"], ascending=[False, True], ignore_index=True)


def list_funnels(engine: Engine) -> pd.DataFrame:
    """List each campaign's funnel: name, starts_on, the steps of `FUNNEL`, unsubscribed; the newest first."""
    return engine.frame(
        f"SELECT name, starts_on, {', '.join(FUNNEL)}, unsubscribed FROM campaign_funnel "
        "ORDER BY starts_on DESC, campaign_id"
    )


def count_sends(engine: Engine) -> dict[str, int]:
    """Count sends, and what they lack: sends, unnamed (no campaign), nobody (no person known), ungrouped."""
    return engine.row(
        """
        SELECT count(*) AS sends, count(*) FILTER (WHERE campaign_id IS NULL) AS unnamed,
               count(*) FILTER (WHERE source_record_id IS NULL) AS nobody,
               count(*) FILTER (WHERE "group" IS NULL) AS ungrouped
        FROM sends
        """
    )
