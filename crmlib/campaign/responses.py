"""What each communication is thought to bring: the measured lift where the plan names a campaign, else its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.chance import PARAMETER, derive_keys, draw_uniforms, replicate_key
from crmlib.campaign.communications import Communication
from crmlib.campaign.plan import ContactPlan
from crmlib.engine import Engine

#: The outcome whose lift is a lift of the purchase rate.
OUTCOME = "purchases"
#: Days after eligibility over which campaigns are measured, and confidence of their intervals.
MEASURED_DAYS, CONFIDENCE = 14, 0.95
MEASURED = "measured:"

_RESULTS = """
    SELECT campaign_id, coalesce(delivered_lift, lift) / rate_control AS relative_lift,
           (coalesce(delivered_lift_high, lift_high) - coalesce(delivered_lift_low, lift_low)) / (2 * rate_control)
               AS half_width
    FROM campaign_results
    WHERE outcome = $outcome AND rate_control > 0 AND lift IS NOT NULL AND lift_high > lift_low
"""


def find_lifts(engine: Engine, plan: ContactPlan, measured_days: int = MEASURED_DAYS) -> pd.DataFrame:
    """Find the lift of each communication, and how sure it is.

    A campaign's name in the plan means it and all its rounds (`leaflet` means `leaflet-2026-03`); they are pooled, each
    by its precision. A measured lift is of the purchases of `measured_days` and is laid on the response's window; it is
    the lift of those who received it, since a plan's contact is one that is made.

    Parameters
    ----------
    engine : Engine
        Holds `campaign_results`.
    plan : ContactPlan
    measured_days : int
        Days over which campaigns were measured.

    Returns
    -------
    DataFrame
        A row per communication in the plan's order: communication_id, lift (relative, in the window), standard_error,
        source (assumed, measured, or assumed because the campaign named was not measured), campaigns (pooled).
    """
    results = engine.frame(_RESULTS, outcome=OUTCOME)
    return pd.DataFrame(
        [_find_lift(communication, results, measured_days) for communication in plan.communications],
        columns=["communication_id", "lift", "standard_error", "source", "campaigns"],
    )


def _find_lift(
    communication: Communication, results: pd.DataFrame, measured_days: int
) -> tuple[str, float, float, str, int]:
    response = communication.response
    if not response.source.startswith(MEASURED):
        return communication.id, response.lift, 0.0, "assumed", 0
    name = response.source.removeprefix(MEASURED).strip()
    own = results[(results["campaign_id"] == name) | results["campaign_id"].str.startswith(f"{name}-")]
    if own.empty:
        return communication.id, response.lift, 0.0, f"assumed: '{name}' was not measured", 0
    errors = own["half_width"].to_numpy(float) / ndtri((1 + CONFIDENCE) / 2)
    weights = errors**-2
    stretch = measured_days / response.window
    lift = float((weights * own["relative_lift"]).sum() / weights.sum()) * stretch
    error = float(weights.sum() ** -0.5) * stretch
    return communication.id, max(lift, -1.0), error, "measured", len(own)


def draw_lifts(
    lifts: pd.DataFrame, keys: np.ndarray[tuple[int], np.dtype[np.uint64]], seed: int, replicate: int
) -> Floats:
    """Draw the lifts of one replicate; an assumed one has no error and stays as it is.

    Parameters
    ----------
    lifts : DataFrame
        Of `find_lifts`.
    keys : ndarray of uint64
        A key for each communication.
    seed, replicate : int
    """
    uniform = draw_uniforms(derive_keys(replicate_key(seed, replicate), keys), PARAMETER)
    drawn: Floats = np.maximum(lifts["lift"] + lifts["standard_error"] * ndtri(uniform), -1.0).to_numpy(float)
    return drawn
