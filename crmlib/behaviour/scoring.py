"""How forecasts are scored against what came, and whether one is better than another by more than chance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import xlogy
from scipy.stats import rankdata

from crmlib.behaviour.histories import PurchaseModel
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.windows import AS_TOLD, WindowCalibration, bracket_next_purchases

_FLOOR = 1e-3  # least count a forecast is held to in the Poisson deviance
_RESAMPLES, _AT_A_TIME = 1_000, 50
_CALIBRATED_DRAWS = 400


def score_probabilities(p: Floats, bought: Floats) -> dict[str, float]:
    """Log-loss, AUC and expected calibration error (ten equal-count bins) of probabilities.

    AUC is nan where all bought or none did.
    """
    ranks = rankdata(p)
    buyers, others = bought.sum(), (1 - bought).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (ranks[bought > 0].sum() - buyers * (buyers + 1) / 2) / (buyers * others)
    return {"log_loss": float(log_losses(p, bought).mean()), "auc": float(auc), "ece": _calibration_error(p, bought)}


def score_counts(expected: Floats, purchases: Floats) -> dict[str, float]:
    """MAE, RMSE, bias (forecast less actual) and mean Poisson deviance of expected counts."""
    error = expected - purchases
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "bias": float(error.mean()),
        "poisson_deviance": float(count_deviances(expected, purchases).mean()),
    }


def count_deviances(expected: Floats, purchases: Floats) -> Floats:
    """Poisson deviance of each customer's count."""
    held = np.maximum(expected, _FLOOR)
    deviances: Floats = 2 * (xlogy(purchases, purchases) - xlogy(purchases, held) - (purchases - held))
    return deviances


def log_losses(p: Floats, bought: Floats) -> Floats:
    """Log-loss of each customer's chance."""
    held = np.clip(p, 1e-6, 1 - 1e-6)
    losses: Floats = -(bought * np.log(held) + (1 - bought) * np.log(1 - held))
    return losses


def bound_calibration_error(p: Floats, seed: int) -> float:
    """95th percentile of the calibration error of a perfectly calibrated forecast of these chances, by simulation."""
    random = np.random.default_rng(seed)
    drawn = [_calibration_error(p, (random.random(len(p)) < p).astype(float)) for _ in range(_CALIBRATED_DRAWS)]
    return float(np.quantile(drawn, 0.95))


def place_next_purchases(
    model: PurchaseModel,
    frame: pd.DataFrame,
    horizon_days: int,
    seed: int,
    window: WindowCalibration = AS_TOLD,
) -> Floats:
    """Where each next purchase fell in its forecast distribution: uniform on 0–1 if that is right.

    Randomised within the day of the purchase; who did not return falls anywhere after the horizon.

    References
    ----------
    Czado, Gneiting, Held (2009), Predictive Model Assessment for Count Data, Biometrics 65, eq. 1.
    """
    before, until = (window.bend(end) for end in bracket_next_purchases(model, frame, horizon_days))
    return before + (until - before) * np.random.default_rng(seed).random(len(frame))


def group_calibration(p: pd.Series, bought: pd.Series, groups: int = 10) -> pd.DataFrame:
    """Mean forecast and actual share in groups of equal size: columns forecast, actual, customers."""
    group = (rankdata(p, method="ordinal") - 1) * groups // max(len(p), 1)
    cases = pd.DataFrame({"group": group, "forecast": p.to_numpy(float), "actual": bought.to_numpy(float)})
    return (
        cases.groupby("group")
        .agg(forecast=("forecast", "mean"), actual=("actual", "mean"), customers=("actual", "size"))
        .reset_index(drop=True)
    )


def compare_losses(used: Mapping[str, Floats], others: Mapping[str, Mapping[str, Floats]], seed: int) -> pd.DataFrame:
    """Paired bootstrap over customers of the used forecast's figures less each other model's.

    Parameters
    ----------
    used : mapping of str to ndarray
        Metric (mae, rmse, log_loss) -> loss of each customer: absolute error, squared error, log-loss.
    others : mapping of str to mapping
        Model -> the same.
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        Columns model, and <metric>_difference_low, <metric>_difference_high: 95 %; below 0 the used one is better.
    """
    random = np.random.default_rng(seed)
    metrics = list(used)
    losses = np.column_stack([used[m] for m in metrics] + [other[m] for other in others.values() for m in metrics])
    customers, means = len(losses), []
    for _ in range(_RESAMPLES // _AT_A_TIME):
        times = random.multinomial(customers, np.full(customers, 1 / customers), size=_AT_A_TIME)
        means.append(times @ losses / customers)
    drawn = np.vstack(means).reshape(_RESAMPLES, 1 + len(others), len(metrics))
    roots = np.where([metric == "rmse" for metric in metrics], np.sqrt(drawn), drawn)
    rows = []
    for place, name in enumerate(others, start=1):
        ends = np.quantile(roots[:, 0] - roots[:, place], (0.025, 0.975), axis=0)
        row: dict[str, object] = {"model": name}
        for column, metric in enumerate(metrics):
            row |= {f"{metric}_difference_low": ends[0, column], f"{metric}_difference_high": ends[1, column]}
        rows.append(row)
    return pd.DataFrame(rows)


def _calibration_error(p: Floats, bought: Floats) -> float:
    bins = np.array_split(np.argsort(p, kind="stable"), 10)
    return float(sum(abs(p[rows].mean() - bought[rows].mean()) * len(rows) for rows in bins if len(rows)) / len(p))
