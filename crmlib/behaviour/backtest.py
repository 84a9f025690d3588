"""Honest backtests: at past origins, with what was known then, against what came.

Origins lie one longest horizon apart, so that no two holdout periods overlap. Each origin is judged with
calibrations and cut-offs learnt at the one before it; the model that is used is the one with the lowest mean
Poisson deviance on all origins but the last, which is kept for the judgement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.special import xlogy
from scipy.stats import rankdata

from crmlib.behaviour.churn import (
    CANDIDATES,
    HIATUS_RULE,
    CalibratedModel,
    Calibration,
    calibrate,
    train_candidate,
    train_hiatus_rule,
)
from crmlib.behaviour.histories import PurchaseModel
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.purchases import summarise_calibration_and_holdout
from crmlib.engine import Engine
from crmlib.errors import NothingToDo

MIN_CUSTOMERS = 100
#: Columns of table `backtest`.
SCORES = (
    *("model", "origin", "horizon", "segment", "mae", "rmse", "bias", "poisson_deviance"),
    *("log_loss", "auc", "ece", "coverage", "n"),
)
_FLOOR = 1e-3  # least count a forecast is held to in the Poisson deviance


@dataclass(frozen=True)
class Backtest:
    """What a backtest found.

    Parameters
    ----------
    scores : DataFrame
        A row per model, origin, horizon and segment: the columns of table `backtest`.
    model : str
        The model chosen on the origins before the last.
    calibrations : mapping of str to mapping of int to Calibration
        Model -> horizon -> its calibration, learnt at the last origin: for use now, not for judging.
    judged : DataFrame
        The last origin's customers: what was known, p_buy_<days>d as it was forecast then, expected_purchases,
        and what came. Empty without origins.
    """

    scores: pd.DataFrame
    model: str
    calibrations: Mapping[str, Mapping[int, Calibration]]
    judged: pd.DataFrame = field(repr=False)


def find_origins(first_date: date, as_of_date: date, horizon_days: int, count: int) -> list[date]:
    """The last `count` origins, a horizon apart, that have at least as long a history as a horizon; oldest first."""
    origins = [as_of_date - timedelta(days=horizon_days * back) for back in range(count, 0, -1)]
    return [origin for origin in origins if (origin - first_date).days >= horizon_days]


def summarise_origins(engine: Engine, origins: Sequence[date], horizon_days: int) -> dict[date, pd.DataFrame]:
    """Calibration and holdout at each origin that has enough customers (see `summarise_calibration_and_holdout`)."""
    found = {
        origin: summarise_calibration_and_holdout(engine, origin, origin + timedelta(days=horizon_days))
        for origin in origins
    }
    return {origin: frame for origin, frame in found.items() if len(frame) >= MIN_CUSTOMERS}


def backtest_models(
    frames: Mapping[date, pd.DataFrame], horizons_days: Sequence[int], days_per_unit: float, seed: int
) -> Backtest:
    """Judge every candidate and the plain rule at each origin, and choose a model.

    Parameters
    ----------
    frames : mapping of date to DataFrame
        What `summarise_origins` returns.
    horizons_days : sequence of int
        Ascending; counts are judged at the longest.
    days_per_unit : float
        Unit in which models are trained.
    seed : int
        Of the randomised coverage.

    Returns
    -------
    Backtest
    """
    scores: list[dict[str, object]] = []
    trained: dict[str, list[tuple[PurchaseModel, pd.DataFrame]]] = {name: [] for name in CANDIDATES}
    forecasts: dict[str, pd.DataFrame] = {}
    before: pd.DataFrame | None = None
    for origin, frame in sorted(frames.items()):
        forecasts = {}
        for name in CANDIDATES:
            try:
                model = train_candidate(name, frame, days_per_unit)
            except NothingToDo:
                continue
            calibrated = CalibratedModel(model, calibrate(trained[name], horizons_days))
            forecasts[name] = _forecast(calibrated, frame, seed)
            trained[name].append((model, frame))
        if before is not None:
            forecasts[HIATUS_RULE] = _forecast_by_rule(before, frame, horizons_days)
        before = frame
        scores += [
            {"model": name, "origin": origin, **row}
            for name, forecast in forecasts.items()
            for row in _score(forecast, frame, horizons_days)
        ]
    table = pd.DataFrame(scores, columns=SCORES)
    chosen = _choose(table, max(horizons_days), max(frames, default=None))
    judged = sorted(frames.items())[-1][1].join(forecasts[chosen]) if chosen in forecasts else pd.DataFrame()
    calibrations = {name: calibrate(origins, horizons_days) for name, origins in trained.items()}
    return Backtest(table, chosen, calibrations, judged)


def train_chosen(backtest: Backtest, summary: pd.DataFrame, days_per_unit: float) -> CalibratedModel:
    """Train the chosen model on everything known; another candidate where it finds no optimum today.

    Parameters
    ----------
    backtest : Backtest
    summary : DataFrame
        Table `purchase_summary`.
    days_per_unit : float

    Raises
    ------
    NothingToDo
        If no candidate can be fitted.
    """
    for name in sorted(CANDIDATES, key=lambda candidate: candidate != backtest.model):
        try:
            return CalibratedModel(train_candidate(name, summary, days_per_unit), backtest.calibrations[name])
        except NothingToDo as error:
            last = error
    raise last


def score_probabilities(p: Floats, bought: Floats) -> dict[str, float]:
    """Log-loss, AUC and expected calibration error (ten equal-count bins) of probabilities.

    AUC is nan where all bought or none did.
    """
    held = np.clip(p, 1e-6, 1 - 1e-6)
    ranks = rankdata(p)
    buyers, others = bought.sum(), (1 - bought).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (ranks[bought > 0].sum() - buyers * (buyers + 1) / 2) / (buyers * others)
    bins = np.array_split(np.argsort(p, kind="stable"), 10)
    gaps = [abs(p[rows].mean() - bought[rows].mean()) * len(rows) for rows in bins if len(rows)]
    return {
        "log_loss": float(-(bought * np.log(held) + (1 - bought) * np.log(1 - held)).mean()),
        "auc": float(auc),
        "ece": float(sum(gaps) / len(p)),
    }


def score_counts(expected: Floats, purchases: Floats) -> dict[str, float]:
    """MAE, RMSE, bias (forecast less actual) and mean Poisson deviance of expected counts."""
    error, held = expected - purchases, np.maximum(expected, _FLOOR)
    deviance = 2 * (xlogy(purchases, purchases) - xlogy(purchases, held) - (purchases - held))
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "bias": float(error.mean()),
        "poisson_deviance": float(deviance.mean()),
    }


def place_next_purchases(model: PurchaseModel, frame: pd.DataFrame, horizon_days: int, seed: int) -> Floats:
    """Where each next purchase fell in its forecast distribution: uniform on 0–1 if that is right.

    Randomised within the day of the purchase; who did not return falls anywhere after the horizon.

    References
    ----------
    Czado, Gneiting, Held (2009), Predictive Model Assessment for Count Data, Biometrics 65, eq. 1.
    """
    random = np.random.default_rng(seed)
    came = frame["next_purchase_days"].to_numpy(float)
    came = np.where(came <= horizon_days, came, np.nan)
    before = model.p_buy(frame, np.where(np.isnan(came), horizon_days, came - 1))
    until = np.where(np.isnan(came), 1.0, model.p_buy(frame, np.where(np.isnan(came), horizon_days, came)))
    return before + (until - before) * random.random(len(frame))


def group_calibration(p: pd.Series, bought: pd.Series, groups: int = 10) -> pd.DataFrame:
    """Mean forecast and actual share in groups of equal size: columns forecast, actual, customers."""
    group = (rankdata(p, method="ordinal") - 1) * groups // max(len(p), 1)
    cases = pd.DataFrame({"group": group, "forecast": p.to_numpy(float), "actual": bought.to_numpy(float)})
    return (
        cases.groupby("group")
        .agg(forecast=("forecast", "mean"), actual=("actual", "mean"), customers=("actual", "size"))
        .reset_index(drop=True)
    )


def _forecast(model: CalibratedModel, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    longest = max(model.calibrations)
    forecast = pd.DataFrame({f"p_buy_{days}d": p for days, p in model.p_buy(frame).items()}, index=frame.index)
    forecast["expected_purchases"] = model.expected_purchases(frame)[longest]
    forecast["place"] = place_next_purchases(model.model, frame, longest, seed)
    return forecast


def _forecast_by_rule(before: pd.DataFrame, frame: pd.DataFrame, horizons_days: Sequence[int]) -> pd.DataFrame:
    forecast = pd.DataFrame(index=frame.index)
    for days in horizons_days:
        rule = train_hiatus_rule(before, before["next_purchase_days"].le(days))
        forecast[f"p_buy_{days}d"] = rule.p_buy(frame)
        forecast["expected_purchases"] = rule.expected_purchases(frame, days)
    return forecast


def _score(forecast: pd.DataFrame, frame: pd.DataFrame, horizons_days: Sequence[int]) -> list[dict[str, object]]:
    repeated = frame["frequency"].to_numpy() > 0
    segments = {"all": np.full(len(frame), True), "one purchase day": ~repeated, "repeat buyers": repeated}
    rows: list[dict[str, object]] = []
    for segment, chosen in segments.items():
        if not chosen.any():
            continue
        known, made = frame[chosen], forecast[chosen]
        for days in horizons_days:
            bought = known["next_purchase_days"].le(days).to_numpy().astype(float)
            row: dict[str, object] = {"horizon": days, "segment": segment, "n": int(chosen.sum())}
            row |= score_probabilities(made[f"p_buy_{days}d"].to_numpy(float), bought)
            if days == max(horizons_days):
                purchases = known["holdout_purchases"].to_numpy(float)
                row |= score_counts(made["expected_purchases"].to_numpy(float), purchases)
                row["coverage"] = float(made["place"].between(0.1, 0.9).mean()) if "place" in made else np.nan
            rows.append(row)
    return rows


def _choose(scores: pd.DataFrame, horizon_days: int, last: date | None) -> str:
    if scores.empty:
        return next(iter(CANDIDATES))
    seen = scores[(scores["segment"] == "all") & (scores["horizon"] == horizon_days) & scores["model"].isin(CANDIDATES)]
    before = seen[seen["origin"] != last]
    if before.empty:
        return next(iter(CANDIDATES))
    return str(before.groupby("model")["poisson_deviance"].mean().idxmin())
