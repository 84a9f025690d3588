"""Which models are used: the blend, unless a single model was better by more than chance at earlier dates.

A mean of unlike models is seldom the best and hardly ever bad, and what was best a season ago need not be so today:
so a single model has to prove its worth before it is used alone.

References
----------
Clemen (1989), Combining forecasts: A review and annotated bibliography, International Journal of Forecasting 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from crmlib.behaviour.forecasts import BLEND, MODELS, Forecaster
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.origins import Sample, find_earlier
from crmlib.behaviour.scoring import count_deviances, log_losses
from crmlib.errors import NothingToDo

_MOST_EARLIER = 2
_SURE = 2.0  # standard errors
_NO_LOSS = 1e-9  # of a forecast that is right to the last purchase


def ask_models(forecaster: Forecaster, sample: Sample) -> dict[str, pd.DataFrame]:
    """What every model says at a sample's origin; who has nothing to say is left out."""
    made = {}
    for name in MODELS:
        try:
            made[name] = forecaster.forecast(name, sample)
        except NothingToDo:  # said of the model by its absence from the table
            continue
    return made


def find_rehearsals(forecaster: Forecaster, judged: Sequence[Sample]) -> list[Sample]:
    """Samples that may tell which models are to be used at the last judged origin; oldest first.

    The (at most two) judged origins before it at which, as at the last, models had learnt from a whole horizon. Where
    they had not at the last, the latest shorter sample that had ended by then.
    """
    last = judged[-1]
    if forecaster.learns_whole(last):
        return [sample for sample in judged[:-1] if forecaster.learns_whole(sample)][-_MOST_EARLIER:]
    return find_earlier(forecaster.samples, last.origin, last.horizon_days)[-1:]


def choose_models(rehearsed: Sequence[tuple[Sample, Mapping[str, pd.DataFrame]]], horizon_days: int) -> tuple[str, str]:
    """The models that are used for counts and for chances.

    The blend, unless others were better than it at the rehearsals by more than two standard errors of the paired
    differences: in MAE, RMSE and Poisson deviance alike (a model must not buy one with another), or in log-loss. Of
    several, the one with the lowest sum of the logarithms of those losses.

    Parameters
    ----------
    rehearsed : sequence of (Sample, mapping of str to DataFrame)
        Each with what the models said there.
    horizon_days : int
        The longest.

    Returns
    -------
    (str, str)
    """
    if not rehearsed or not all(BLEND in made for _, made in rehearsed):
        return BLEND, BLEND
    names = [name for name in rehearsed[0][1] if all(name in made for _, made in rehearsed)]
    lost = {name: [_lose(made[name], sample, horizon_days) for sample, made in rehearsed] for name in names}
    return _choose(lost, slice(0, 3)), _choose(lost, slice(3, 4))


def _lose(made: pd.DataFrame, sample: Sample, horizon_days: int) -> Floats:
    """Losses of each customer: absolute and squared error, deviance, and log-loss; customers × 4."""
    purchases = sample.frame[f"purchases_{sample.days(horizon_days)}d"].to_numpy(float)
    expected = made[f"expected_purchases_{horizon_days}d"].to_numpy(float)
    chances = made[f"p_buy_{horizon_days}d"].to_numpy(float)
    error = expected - purchases
    bought = (purchases > 0).astype("float64")
    return np.column_stack([np.abs(error), error**2, count_deviances(expected, purchases), log_losses(chances, bought)])


def _choose(lost: Mapping[str, Sequence[Floats]], figures: slice) -> str:
    better = {}
    for name, parts in lost.items():
        apart = [(mine - blend)[:, figures] for mine, blend in zip(parts, lost[BLEND], strict=True)]
        gain = -np.mean([part.mean(axis=0) for part in apart], axis=0)
        error = np.sqrt(np.sum([part.var(axis=0) / len(part) for part in apart], axis=0)) / len(apart)
        if (gain > _SURE * error).all():
            means = np.mean([part[:, figures].mean(axis=0) for part in parts], axis=0)
            better[name] = float(np.log(np.maximum(means, _NO_LOSS)).sum())
    return min(better, key=better.__getitem__) if better else BLEND
