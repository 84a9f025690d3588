"""Why a customer's chance is what it is, as counterfactuals: what it would be with one feature at its median."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from crmlib.behaviour.features import FEATURES
from crmlib.behaviour.forecasts import BLEND, TREES, Forecaster
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.origins import Sample
from crmlib.errors import NothingToDo

_SCREENED = 2_000  # customers on whom features are tried
_AT_ONCE = 50_000  # customers whose moved copies are held at once
_TOLD, _TRIED = 3, 6  # reasons of a customer; features that are tried on everybody
_WORTH_TELLING = 0.01
#: All that the rhythm models and the plain rule see of a customer.
_HISTORY = ("days_since", "frequency", "T")


def explain_chances(forecaster: Forecaster, model: str, now: Sample) -> pd.Series:
    """Up to three reasons a customer, the weightiest first.

    Parameters
    ----------
    forecaster : Forecaster
    model : str
        Which chances are explained: those of the longest horizon.
    now : Sample
        Customers as of today.

    Returns
    -------
    Series
        Lists of sentences, on the index of the frame; a feature whose median would move a chance by less than a
        point is no reason.
    """
    days = max(forecaster.horizons_days)

    def ask(frame: pd.DataFrame) -> Floats:
        made = forecaster.for_chances([days]).forecast(model, replace(now, frame=frame))
        return made[f"p_buy_{days}d"].to_numpy(float)

    frame = now.frame
    usual = {name: float(values.median()) for name, values in _seen(forecaster, model, now).items()}
    few = frame.iloc[:: max(len(frame) // _SCREENED, 1)]
    weight = dict(zip(usual, np.abs(_ask_moved(ask, few, usual)).mean(axis=0), strict=True))
    tried = sorted(usual, key=lambda name: -weight[name])[:_TRIED]
    parts = [frame.iloc[start : start + _AT_ONCE] for start in range(0, len(frame), _AT_ONCE)]
    moves = np.vstack([_ask_moved(ask, part, {name: usual[name] for name in tried}) for part in parts])
    order = np.argsort(-np.abs(moves), axis=1)[:, :_TOLD]
    return _tell(frame, tried, usual, moves, order, days)


def _seen(forecaster: Forecaster, model: str, now: Sample) -> dict[str, pd.Series]:
    columns: Sequence[str] = _HISTORY
    if model in (TREES, BLEND) and forecaster.learns_whole(now):
        with suppress(NothingToDo):  # the blend goes without trees that found nothing to learn
            columns = forecaster.trees(now).columns
    values = now.frame.assign(days_since=now.frame["T"] - now.frame["recency"])
    return {name: values[name] for name in FEATURES if name in columns and name in values}


def _ask_moved(ask: Callable[[pd.DataFrame], Floats], frame: pd.DataFrame, to: dict[str, float]) -> Floats:
    """By how much each feature, moved alone, moves the chances: customers × features, asked for in one go."""
    moved = pd.concat([frame, *(_move(frame, name, value) for name, value in to.items())], ignore_index=True)
    chances = ask(moved).reshape(1 + len(to), len(frame))
    moves: Floats = (chances[1:] - chances[0]).T
    return moves


def _move(frame: pd.DataFrame, name: str, to: float) -> pd.DataFrame:
    """The customers with one feature changed; what is known of the rest of the history stays."""
    if name == "days_since":
        return frame.assign(recency=np.where(frame["frequency"] > 0, np.maximum(frame["T"] - round(to), 0), 0))
    if name == "T":
        return frame.assign(T=np.maximum(round(to), frame["recency"]))
    if name == "frequency":
        per_gap: pd.Series = frame["sum_log_itt"] / np.maximum(frame["frequency"], 1)
        recency = np.where(frame["frequency"] > 0, frame["recency"], frame["T"] if to >= 1 else 0)
        return frame.assign(frequency=round(to), sum_log_itt=per_gap * round(to), recency=recency if to >= 1 else 0)
    return frame.assign(**{name: to})


def _tell(
    frame: pd.DataFrame, tried: list[str], usual: dict[str, float], moves: Floats, order: NDArray[np.intp], days: int
) -> pd.Series:
    values = frame.assign(days_since=frame["T"] - frame["recency"])
    sentences = np.empty(moves.shape, object)
    for column, name in enumerate(tried):
        write = _writer(name)
        had = values[name].map(write, na_action="ignore").fillna("none")
        points = np.round(100 * moves[:, column]).astype(int)
        usually = f"at the median of {write(usual[name])}, the chance of a purchase within {days} days would be"
        sentences[:, column] = [
            f"{FEATURES[name]}: {value}; {usually} {abs(point)} points {'higher' if point > 0 else 'lower'}"
            for value, point in zip(had, points, strict=True)
        ]
    told = np.take_along_axis(sentences, order, axis=1)
    kept = np.abs(np.take_along_axis(moves, order, axis=1)) >= _WORTH_TELLING
    offsets = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(told[kept], pa.string()))
    return pd.Series(lists, index=frame.index, dtype=pd.ArrowDtype(lists.type))


def _writer(name: str) -> Callable[[float], str]:
    if name.endswith("_share"):
        return "{:.0%}".format
    return ("{:,.2f}" if name.startswith("amount") or name == "gap_spread" else "{:,.0f}").format
