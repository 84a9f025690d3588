"""A/B variants of one campaign: each beside the control group, and beside the first one."""

from __future__ import annotations

from typing import Any

import pandas as pd
from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]  # ships none

from crmlib.campaign.effects import find_p_value
from crmlib.campaign.fairness import SMALLEST_GROUP
from crmlib.campaign.lifts import Arm, Sample, adjust_for_before, estimate_mean_lift
from crmlib.engine import Engine

COLUMNS = [
    "name", "variant", "people", "rate", "lift", "lift_low", "lift_high", "difference", "difference_low",
    "difference_high", "p_value", "verdict",
]  # fmt: skip


def measure_variants(engine: Engine, confidence: float = 0.95) -> pd.DataFrame:
    """Measure the variants of every campaign that has several.

    Parameters
    ----------
    engine : Engine
        Holds ``campaign_variants`` and ``campaign_funnel``.
    confidence : float

    Returns
    -------
    DataFrame
        A row per campaign and variant: name, variant, people, rate (purchases per person), lift over the control group
        with its interval (empty where there is none), difference to the campaign's first variant with its interval,
        p_value of that difference (Holm's, for as many variants as there are), verdict.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    rows: list[dict[str, Any]] = []
    found = engine.rows(
        "SELECT f.name, v.* FROM campaign_variants AS v JOIN campaign_funnel AS f ON f.campaign_id = v.campaign_id "
        "ORDER BY f.starts_on DESC, v.campaign_id, v.arm, v.variant NULLS LAST"
    )
    campaigns: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        campaigns.setdefault(row["campaign_id"], []).append(row)
    for groups in campaigns.values():
        rows += _measure(groups, confidence)
    return pd.DataFrame(rows, columns=COLUMNS)


def _measure(groups: list[dict[str, Any]], confidence: float) -> list[dict[str, Any]]:
    control = next((_arm(one) for one in groups if one["arm"] == "control" and one["n"] >= SMALLEST_GROUP), None)
    variants = [one for one in groups if one["arm"] == "treatment" and one["variant"] and one["n"] >= SMALLEST_GROUP]
    if len(variants) < 2:
        return []
    first, rows = _arm(variants[0]), []
    for place, group in enumerate(variants):
        arm = _arm(group)
        row = {"name": group["name"], "variant": group["variant"], "people": group["n"], "rate": arm.after.mean}
        if control is not None:
            lift = estimate_mean_lift(*adjust_for_before(arm, control), confidence)
            row |= {"lift": lift.lift, "lift_low": lift.low, "lift_high": lift.high}
        if place:
            other = estimate_mean_lift(*adjust_for_before(arm, first), confidence)
            row |= {"difference": other.lift, "difference_low": other.low, "difference_high": other.high}
            row["p_value"] = find_p_value(other)
        rows.append(row)
    adjusted = multipletests([row["p_value"] for row in rows[1:]], alpha=1 - confidence, method="holm")
    for row, p_value, surely in zip(rows[1:], adjusted[1], adjusted[0], strict=True):
        better = "better" if row["difference"] > 0 else "worse"
        row |= {"p_value": float(p_value), "verdict": f"{better} than the first" if surely else "no difference seen"}
    rows[0]["verdict"] = "the first: what the others are compared with"
    return rows


def _arm(group: dict[str, Any]) -> Arm:
    after = Sample(group["n"], group["after"], group["after_squares"])
    return Arm(after, Sample(group["n"], group["before"], group["before_squares"]), group["products"])
