"""Each customer's rate, hazard and running gap, drawn from the fitted rhythm model and what the customer did.

In MBG/CNBD-k gaps are gamma with shape k and rate l; l is gamma (r, alpha) over customers, and the chance to leave
after a purchase is beta (a, b). With x, t_x, T a customer's frequency, recency and age, n = r + k x:

- alive with probability I_z / (I_z + D), z = (alpha + t_x) / (alpha + T), D = a / (b + x);
- of one alive the whole running gap g, given that it lasts beyond T - t_x: w = (alpha + t_x) / (alpha + t_x + g) is
  beta (n, k) below z; then l is gamma (n + k, alpha + t_x + g), and the chance to leave is beta (a, b + x + 1);
- of one who left: l is gamma (n, alpha + t_x).

The simulation's clock runs at l / k, its dropout hazard is that times the chance to leave. The fit's own error is
drawn, too, anew for each replicate (normal in the logarithms of the parameters).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, gammaincinv, ndtri

from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.rhythm_outlook import RhythmOutlook
from crmlib.campaign.chance import (
    ALIVE,
    DROPOUT_CHANCE,
    PARAMETER,
    RATE,
    WAIT,
    Keys,
    derive_keys,
    draw_shares,
    draw_uniforms,
    replicate_key,
)
from crmlib.campaign.shapes import DRAW, FAR
from crmlib.engine import Engine
from crmlib.errors import NothingToDo
from crmlib.params import StageSettings

#: Models whose parameters say all that is needed, the best first; MBG/NBD is the rhythm model at k = 1.
MODELS = ("mbg_cnbd_k", "mbg_nbd")
PARAMETERS = ("k", "r", "alpha", "a", "b")
#: How many times as fast or as slow as the model a customer may buy, so that room 06's expectation is met.
MOST_PACE = 3.0
#: Days without a purchase beyond which no stage is looked for.
FARTHEST_DAYS = 3650


@dataclass(frozen=True)
class Rhythm:
    """The fitted rhythm model, in days.

    Parameters
    ----------
    k, r, alpha, a, b : float
    log_covariance : ndarray of 5 × 5
        Of the logarithms of the parameters, in that order; zeros where it is unknown.
    """

    k: float
    r: float
    alpha: float
    a: float
    b: float
    log_covariance: Floats

    def survival(self, history: pd.DataFrame, ahead: float | Floats = 0.0) -> Floats:
        """Chance that the running gap lasts beyond now and `ahead` days more."""
        n, bought = (
            self.r + self.k * history["frequency"].to_numpy(float),
            self.alpha + history["recency"].to_numpy(float),
        )
        lasting: Floats = betainc(n, self.k, bought / (self.alpha + history["T"].to_numpy(float) + ahead))
        return lasting

    def p_alive(self, history: pd.DataFrame) -> Floats:
        """Chance of being a customer still; history has columns frequency, recency, T (days)."""
        return self.p_alive_after(history, self.survival(history))

    def p_alive_after(self, history: pd.DataFrame, survival: Floats) -> Floats:
        """`p_alive`, of the `survival` that is worked out already."""
        alive: Floats = survival / (survival + self.a / (self.b + history["frequency"].to_numpy(float)))
        return alive


def read_rhythm(engine: Engine) -> Rhythm:
    """Read the fitted model from table `model_parameters`.

    Raises
    ------
    NothingToDo
        If no room fitted one.
    """
    rows = engine.rows(
        "SELECT room, model, parameter, value, map_keys(covariance) AS names, map_values(covariance) AS covariance "
        "FROM model_parameters ORDER BY room"
    )
    fits: dict[str, dict[str, float]] = {}
    covariances: dict[str, dict[str, Mapping[str, float]]] = {}
    for row in rows:
        fits.setdefault(row["model"], {}).setdefault(row["parameter"], row["value"])
        if row["names"]:
            known = dict(zip(row["names"], row["covariance"], strict=True))
            covariances.setdefault(row["model"], {}).setdefault(row["parameter"], known)
    for model in MODELS:
        if {"r", "alpha", "a", "b"} <= fits.get(model, {}).keys():
            return _assemble(fits[model], covariances.get(model, {}))
    raise NothingToDo("No model of the purchases was fitted, so what a plan would do cannot be simulated.")


def _assemble(fit: Mapping[str, float], covariances: Mapping[str, Mapping[str, float]]) -> Rhythm:
    values = {"k": 1.0, **fit}
    covariance = np.array(
        [
            [covariances.get(row, {}).get(column, 0.0) / (values[row] * values[column]) for column in PARAMETERS]
            for row in PARAMETERS
        ]
    )
    days = values.get("days_per_unit", 1.0)
    return Rhythm(values["k"], values["r"], values["alpha"] * days, values["a"], values["b"], covariance)


def draw_parameters(rhythm: Rhythm, seed: int, replicate: int) -> Rhythm:
    """The model under parameters drawn from its fit's error; a change of unit changes no logarithm's error."""
    key = replicate_key(seed, replicate)
    uniform = draw_uniforms(derive_keys(key, np.arange(len(PARAMETERS), dtype=np.uint64)), PARAMETER)
    values, vectors = np.linalg.eigh(rhythm.log_covariance)
    step = np.clip(vectors @ (np.sqrt(np.maximum(values, 0.0)) * ndtri(uniform)), -1, 1)
    drawn = {name: getattr(rhythm, name) * np.exp(step[place]) for place, name in enumerate(PARAMETERS)}
    return replace(rhythm, **drawn)


def calibrate_alive(rhythm: Rhythm, history: pd.DataFrame, p_buy: Floats, days: int) -> Floats:
    """Chance of being a customer that makes the model buy within some days as often as room 06 found.

    Parameters
    ----------
    rhythm : Rhythm
    history : DataFrame
        Columns frequency, recency, T (days).
    p_buy : ndarray
        Calibrated probability of a purchase within the days; NaN where unknown.
    days : int

    Returns
    -------
    ndarray
        Factor on the model's own chance.
    """
    survival = rhythm.survival(history)
    if_alive = 1 - rhythm.survival(history, float(days)) / np.maximum(survival, 1e-300)
    wanted = np.clip(p_buy / np.maximum(if_alive, 1e-9), 0.0, 1.0)
    factor = wanted / np.maximum(rhythm.p_alive_after(history, survival), 1e-9)
    return np.where(np.isnan(factor), 1.0, factor)


def calibrate_pace(rhythm: Rhythm, history: pd.DataFrame, factor: Floats, expected: Floats, days: int) -> Floats:
    """Pace that makes the model expect as many purchases within some days as room 06 did.

    A life at twice the pace has within some days what the model has in twice as many; what it expects grows nearly as
    they do.

    Parameters
    ----------
    rhythm : Rhythm
    history : DataFrame
        Columns frequency, recency, T (days).
    factor : ndarray
        Of `calibrate_alive`.
    expected : ndarray
        Purchases expected within the days by the model that room 06 found best; NaN where unknown.
    days : int

    Returns
    -------
    ndarray
        Factor on rate and hazard, from 1 / `MOST_PACE` to `MOST_PACE`.
    """
    pace = np.ones(len(history))
    known = history["frequency"].notna().to_numpy() & ~np.isnan(expected)
    if not known.any():
        return pace
    frequency, recency, age = (history.loc[known, name].to_numpy(float) for name in ("frequency", "recency", "T"))
    stays = rhythm.b + frequency
    outlook = RhythmOutlook(
        rhythm.k, rhythm.r, rhythm.alpha, rhythm.a, frequency, recency, age, rhythm.a / stays, stays + 1
    )
    share = np.minimum(factor[known], 1 / np.maximum(outlook.p_alive, 1e-9))
    promised = np.maximum(share * outlook.expected_purchases(float(days)), 1e-9)
    pace[known] = np.clip(expected[known] / promised, 1 / MOST_PACE, MOST_PACE)
    return pace


def draw_customers(rhythm: Rhythm, history: pd.DataFrame, factor: Floats, pace: Floats, keys: Keys) -> NDArray[np.void]:
    """Draw customers as one replicate has them.

    Parameters
    ----------
    rhythm : Rhythm
        Under the replicate's parameters.
    history : DataFrame
        Columns frequency, recency, T (days); NaN for who never bought, and then never will.
    factor, pace : ndarray
        Of `calibrate_alive` and `calibrate_pace`.
    keys : ndarray of uint64
        A key for each customer in this replicate.

    Returns
    -------
    ndarray of DRAW
    """
    known = history["frequency"].notna().to_numpy()
    draws = np.zeros(len(history), DRAW)
    draws["key"] = keys
    past = history[known]
    x, since = past["frequency"].to_numpy(float), rhythm.alpha + past["recency"].to_numpy(float)
    n, z = rhythm.r + rhythm.k * x, since / (rhythm.alpha + past["T"].to_numpy(float))
    own = keys[known]
    survival = betainc(n, rhythm.k, z)
    alive = draw_uniforms(own, ALIVE) < np.clip(rhythm.p_alive_after(past, survival) * factor[known], 0.0, 1.0)
    gap = np.zeros(len(past))
    w = betaincinv(n[alive], rhythm.k, draw_uniforms(own[alive], WAIT) * survival[alive])
    gap[alive] = since[alive] / np.clip(w, 1e-12, z[alive]) - since[alive]
    fitted = gammaincinv(n + np.where(alive, rhythm.k, 0.0), draw_uniforms(own, RATE)) / (since + gap)
    leaving = draw_shares(own, DROPOUT_CHANCE, rhythm.a, rhythm.b + x + 1)
    rate = fitted / rhythm.k
    running = past["T"].to_numpy(float) - past["recency"].to_numpy(float)
    draws["alive"][known] = alive
    draws["rate"][known] = rate * pace[known]
    draws["hazard"][known] = rate * pace[known] * leaving
    draws["wait"][known] = np.maximum(gap - running, 0.0) * rate
    return draws


def find_stage_days(
    rhythm: Rhythm, history: pd.DataFrame, stages: StageSettings, horizon_days: int
) -> NDArray[np.int64]:
    """Days without a purchase after which each customer enters due, late, at_risk, dormant, lost.

    Parameters
    ----------
    rhythm : Rhythm
        As fitted.
    history : DataFrame
        Columns frequency, recency, T (days); NaN for who never bought.
    stages : StageSettings
        Cut-offs.
    horizon_days : int
        Longest horizon, by whose chance of a purchase dormant and lost are told.

    Returns
    -------
    ndarray of int64, N × 5
        `FAR` where a stage is out of reach. Where a later stage comes first, the earlier one is left out.
    """
    known = history["frequency"].notna().to_numpy()
    found = np.full((len(history), 5), FAR, np.int64)
    past = history[known].reset_index(drop=True)
    n = rhythm.r + rhythm.k * past["frequency"].to_numpy(float)
    since = rhythm.alpha + past["recency"].to_numpy(float)
    overdue = [
        np.ceil(since / betaincinv(n, rhythm.k, 1 - cut) - since) for cut in (stages.due, stages.late, stages.at_risk)
    ]
    after = [np.minimum(days, FARTHEST_DAYS) for days in overdue]
    gone_half = _first_day(lambda days: rhythm.p_alive(_at(past, days)) < stages.at_risk_p_alive, len(past))
    after[2] = np.minimum(after[2], gone_half)
    after += [
        _first_day(partial(_is_gone, rhythm, past, horizon_days, cut), len(past))
        for cut in (stages.dormant, stages.lost)
    ]
    days = np.column_stack(after)
    found[known] = np.where(days >= FARTHEST_DAYS, FAR, days).astype(np.int64)
    return found


def _is_gone(rhythm: Rhythm, past: pd.DataFrame, horizon_days: int, cut: float, days: Floats) -> NDArray[np.bool_]:
    """Whether no purchase within the horizon is at least as likely as a cut-off, so many days after the last one."""
    history = _at(past, days)
    survival = rhythm.survival(history)
    leaving = rhythm.a / (rhythm.b + history["frequency"].to_numpy(float))
    p_buy = (survival - rhythm.survival(history, float(horizon_days))) / (survival + leaving)
    gone: NDArray[np.bool_] = 1 - p_buy >= cut
    return gone


def _at(history: pd.DataFrame, days: Floats) -> pd.DataFrame:
    """Histories as they stand so many days after the last purchase."""
    return history.assign(T=history["recency"] + days)


def _first_day(holds: Callable[[Floats], NDArray[np.bool_]], number: int) -> Floats:
    """The first number of days for which something holds, that goes on holding, by bisection."""
    low, high = np.zeros(number), np.full(number, float(FARTHEST_DAYS))
    for _ in range(int(np.ceil(np.log2(FARTHEST_DAYS))) + 1):
        middle = np.floor((low + high) / 2)
        now = holds(middle)
        high, low = np.where(now, middle, high), np.where(now, low, middle)
    return high
