"""Whether a comparison is fair: what stands against it, and what must be said of it."""

from __future__ import annotations

from typing import Any

import pandas as pd
from scipy import stats

from crmlib.campaign.clusters import FEWEST_CLUSTERS
from crmlib.campaign.lifts import SUSPICIOUS, Sample, check_balance, check_sample_ratio

#: Fewer people in a group than this are no comparison.
SMALLEST_GROUP = 20
#: Share of people in both groups that is worth a word.
MIXED = 0.02

NO_CONTROL = "no control group"
TOO_SMALL = "groups too small"
TOO_EARLY = "too early"
UNFAIR = "withheld: not split as planned"
UNLIKE = "withheld: groups unlike before"

_WORDS = {
    NO_CONTROL: "No control group: what came after it is not what came of it.",
    TOO_EARLY: "Nobody's window is over yet.",
    TOO_SMALL: f"A group of fewer than {SMALLEST_GROUP} people is no comparison.",
    UNFAIR: "People were not split as planned, so no lift is given.",
    UNLIKE: "The groups bought differently before the campaign, more than chance does, so no lift is given.",
}

Group = dict[str, Any]


def find_obstacle(
    campaign: Group,
    treated: Group | None,
    control: Group | None,
    clusters: pd.DataFrame | None = None,
    split: bool = True,
) -> str | None:
    """Find what stands against a comparison.

    Parameters
    ----------
    campaign : dict
        Row of ``campaign_funnel``.
    treated, control : dict, optional
        Rows of ``campaign_groups`` for one outcome.
    clusters : DataFrame, optional
        Rows of ``campaign_clusters``, where stores or postcodes were drawn.
    split : bool
        Whether the split and the time before are looked at, too.

    Returns
    -------
    str or None
    """
    if not campaign["control"]:
        return NO_CONTROL
    if not treated and not control:
        return TOO_EARLY
    if not treated or not control or min(treated["n"], control["n"]) < SMALLEST_GROUP:
        return TOO_SMALL
    if clusters is not None and min((clusters["treated"] == arm).sum() for arm in (True, False)) < FEWEST_CLUSTERS:
        return TOO_SMALL
    if not split:
        return None
    if _sample_ratio(campaign, treated, control, clusters is not None) < SUSPICIOUS:
        return UNFAIR
    return UNLIKE if _balance(treated, control, clusters) < SUSPICIOUS else None


def _sample_ratio(campaign: Group, treated: Group, control: Group, by_cluster: bool) -> float:
    share, counted = campaign["control_share"], "units" if by_cluster else "n"
    if not share or not 0 < share < 1:
        return 1.0
    return check_sample_ratio(treated[counted], control[counted], share)


def _balance(treated: Group, control: Group, clusters: pd.DataFrame | None) -> float:
    if clusters is None:
        return check_balance(*(Sample(one["n"], one["before"], one["before_squares"]) for one in (treated, control)))
    rates = clusters["before"] / clusters["n"]
    those, others = rates[clusters["treated"]], rates[~clusters["treated"]]
    if those.std() == 0 and others.std() == 0:
        return 1.0 if those.mean() == others.mean() else 0.0
    return float(stats.ttest_ind(those, others, equal_var=False).pvalue)


def tell_checks(campaign: Group, treated: Group | None, control: Group | None, obstacle: str | None) -> list[str]:
    """What to know of a campaign's figures, in sentences.

    Parameters
    ----------
    campaign, treated, control
        As for `find_obstacle`.
    obstacle : str or None
        What it found.
    """
    said = [_WORDS[obstacle]] if obstacle else []
    if campaign["unnamed"]:
        said.append("The sends name no campaign: they are put together by communication.")
    if (share := campaign["both_arms"] / campaign["eligible"]) > MIXED:
        said.append(
            f"{share:.1%} of the people were drawn into both groups under two records; chance puts them in one."
        )
    if campaign["too_early"] and obstacle != TOO_EARLY:
        share = campaign["too_early"] / campaign["eligible"]
        said.append(f"{share:.1%} of the people became eligible too late to be judged yet.")
    if treated and control and not obstacle and campaign["control_share"] is None and not campaign["logged"]:
        said.append("No planned share of control is known, so the split is not checked.")
    return said
