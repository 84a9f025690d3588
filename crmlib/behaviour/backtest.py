"""Honest backtests: at past origins, with what was known then, against what came.

Judged origins lie one longest horizon apart, so that no two holdout periods overlap. Every model learns only from
what had come by the origin. Which model is used, for counts and for chances, is decided on what had ended before
the last by the rule of `choose_models`; the last is scored once, with that choice already made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd

from crmlib.behaviour.btyd import BTYD_MODELS
from crmlib.behaviour.choice import ask_models, choose_models, find_rehearsals
from crmlib.behaviour.forecasts import BLEND, MIXTURE, RHYTHM, Forecaster
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.origins import Sample, find_origins
from crmlib.behaviour.scoring import (
    bound_calibration_error,
    compare_losses,
    log_losses,
    place_next_purchases,
    score_counts,
    score_probabilities,
)
from crmlib.behaviour.windows import AS_TOLD
from crmlib.errors import NothingToDo

_DIFFERENCES = [f"{metric}_difference_{end}" for metric in ("mae", "rmse", "log_loss") for end in ("low", "high")]
#: Columns of table `backtest`.
SCORES = (
    *("model", "origin", "horizon", "segment", "used_for", "mae", "rmse", "bias", "poisson_deviance"),
    *("log_loss", "auc", "ece", "ece_bound", "coverage", "n", *_DIFFERENCES),
)


@dataclass(frozen=True)
class Backtest:
    """What a backtest found.

    Parameters
    ----------
    scores : DataFrame
        A row per model, origin, horizon and segment: the columns of table `backtest`.
    counts_model, chances_model : str
        The models chosen on the origins before the last.
    judged : DataFrame
        The last origin's customers: what was known, p_buy_<days>d and expected_purchases_<days>d as they were
        forecast then by the chosen models, and what came. Empty without origins.
    forecaster : Forecaster
        For today's forecast.
    """

    scores: pd.DataFrame
    counts_model: str
    chances_model: str
    judged: pd.DataFrame = field(repr=False)
    forecaster: Forecaster = field(repr=False)

    def look_ahead(self, samples: Sequence[Sample], horizons_days: Sequence[int]) -> Backtest:
        """The same, to forecast further ahead than was judged, from what `collect_samples` returns for that."""
        known = self.forecaster
        if list(horizons_days) == known.horizons_days:
            return self
        return replace(self, forecaster=Forecaster(samples, horizons_days, known.days_per_unit, known.seed))

    def ask(self, wanted: str, at: Sample) -> tuple[pd.DataFrame, str]:
        """What a model says at a sample's origin, and its name; another's word where it cannot be fitted there.

        Raises
        ------
        NothingToDo
            If no model can be fitted.
        """
        told: NothingToDo | None = None
        for name in dict.fromkeys((wanted, MIXTURE, RHYTHM, *BTYD_MODELS)):
            try:
                return self.forecaster.forecast(name, at), name
            except NothingToDo as error:
                told = told or error
        assert told is not None
        raise told


def backtest_models(
    samples: Sequence[Sample],
    first_date: date,
    as_of_date: date,
    horizons_days: Sequence[int],
    count: int,
    days_per_unit: float,
    seed: int,
) -> Backtest:
    """Judge every model at each origin, choose those that are used, and judge them at the last.

    Parameters
    ----------
    samples : sequence of Sample
        What `collect_samples` returns for the same dates and horizons.
    first_date, as_of_date : date
        Of the first purchase, and of today.
    horizons_days : sequence of int
        Ascending.
    count : int
        Origins to judge.
    days_per_unit : float
        Unit in which models are trained.
    seed : int
        Of the trees, of the randomised coverage and of the bootstrap.

    Returns
    -------
    Backtest
    """
    longest = max(horizons_days)
    forecaster = Forecaster(samples, horizons_days, days_per_unit, seed)
    origins = find_origins(first_date, as_of_date, longest, count)
    judged = [sample for sample in samples if sample.origin in origins and sample.horizon_days == longest]
    rows: list[dict[str, object]] = []
    made: dict[str, pd.DataFrame] = {}
    for sample in judged:
        made = ask_models(forecaster, sample)
        for name, forecast in made.items():
            places = _place(forecaster, name, sample, longest, seed) if sample is judged[-1] else None
            rows += [
                {"model": name, "origin": sample.origin, **row}
                for row in _score(forecast, places, sample, horizons_days)
            ]
    scores = pd.DataFrame(rows, columns=SCORES)
    if not judged:
        return Backtest(scores, BLEND, BLEND, pd.DataFrame(), forecaster)
    last = judged[-1]
    rehearsed = [(sample, ask_models(forecaster, sample)) for sample in find_rehearsals(forecaster, judged)]
    counts_model, chances_model = (_or_any(name, made) for name in choose_models(rehearsed, longest))
    used = _join(made[chances_model], made[counts_model])
    scores = _note_use(scores, last, longest, counts_model, chances_model)
    scores = _note_differences(scores, made, used, last, longest, seed)
    chances = used[f"p_buy_{longest}d"].to_numpy(float)
    mine = (scores["origin"] == last.origin) & (scores["horizon"] == longest) & (scores["segment"] == "all")
    scores.loc[mine & (scores["model"] == chances_model), "ece_bound"] = bound_calibration_error(chances, seed)
    return Backtest(scores, counts_model, chances_model, last.frame.join(used), forecaster)


def forecast_today(backtest: Backtest, now: Sample) -> pd.DataFrame:
    """Today's chances and counts by the chosen models; by another where the chosen one finds no optimum today.

    Parameters
    ----------
    backtest : Backtest
    now : Sample
        Origin today; `frame` with the histories and features of every customer.

    Returns
    -------
    DataFrame
        p_buy_<days>d, expected_purchases_<days>d, counts_model, chances_model, on the index of the frame.

    Raises
    ------
    NothingToDo
        If no model can be fitted.
    """
    chances, chances_model = backtest.ask(backtest.chances_model, now)
    counts, counts_model = backtest.ask(backtest.counts_model, now)
    return _join(chances, counts).assign(counts_model=counts_model, chances_model=chances_model)


def _place(forecaster: Forecaster, name: str, sample: Sample, longest: int, seed: int) -> Floats | None:
    if name not in (*BTYD_MODELS, RHYTHM, MIXTURE):
        return None
    window = AS_TOLD if name in BTYD_MODELS else forecaster.window(name, sample)
    return place_next_purchases(forecaster.model(name, sample), sample.frame, sample.days(longest), seed, window)


def _score(
    forecast: pd.DataFrame, places: Floats | None, sample: Sample, horizons_days: Sequence[int]
) -> list[dict[str, object]]:
    frame = sample.frame
    repeated = frame["frequency"].to_numpy() > 0
    segments = {"all": np.full(len(frame), True), "one purchase day": ~repeated, "repeat buyers": repeated}
    rows: list[dict[str, object]] = []
    for segment, chosen in segments.items():
        if not chosen.any():
            continue
        for days in horizons_days:
            purchases = frame[f"purchases_{sample.days(days)}d"].to_numpy(float)[chosen]
            row: dict[str, object] = {"horizon": days, "segment": segment, "n": int(chosen.sum())}
            row |= score_probabilities(forecast[f"p_buy_{days}d"].to_numpy(float)[chosen], (purchases > 0) * 1.0)
            row |= score_counts(forecast[f"expected_purchases_{days}d"].to_numpy(float)[chosen], purchases)
            if days == max(horizons_days) and places is not None:
                row["coverage"] = float(((places >= 0.1) & (places <= 0.9))[chosen].mean())
            rows.append(row)
    return rows


def _or_any(name: str, made: dict[str, pd.DataFrame]) -> str:
    """The model, or the first that could be fitted at the last origin."""
    return name if name in made else next(iter(made))


def _join(chances: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    return chances.filter(like="p_buy_").join(counts.filter(like="expected_purchases_"))


def _note_use(scores: pd.DataFrame, last: Sample, longest: int, counts_model: str, chances_model: str) -> pd.DataFrame:
    purposes = {
        name: " and ".join(
            purpose for purpose, chosen in (("counts", counts_model), ("chances", chances_model)) if chosen == name
        )
        for name in (counts_model, chances_model)
    }
    judged_last = scores["origin"] == last.origin
    return scores.assign(used_for=scores["model"].map(purposes).where(judged_last))


def _note_differences(
    scores: pd.DataFrame, made: dict[str, pd.DataFrame], used: pd.DataFrame, last: Sample, longest: int, seed: int
) -> pd.DataFrame:
    purchases = last.frame[f"purchases_{longest}d"].to_numpy(float)

    def lose(forecast: pd.DataFrame) -> dict[str, Floats]:
        error = forecast[f"expected_purchases_{longest}d"].to_numpy(float) - purchases
        chances = forecast[f"p_buy_{longest}d"].to_numpy(float)
        return {
            "mae": np.abs(error),
            "rmse": error**2,
            "log_loss": log_losses(chances, (purchases > 0).astype("float64")),
        }

    compared = compare_losses(lose(used), {name: lose(forecast) for name, forecast in made.items()}, seed)
    compared = compared.assign(origin=last.origin, horizon=longest, segment="all")
    return scores.drop(columns=_DIFFERENCES).merge(
        compared, on=["model", "origin", "horizon", "segment"], how="left", validate="many_to_one"
    )[list(SCORES)]
