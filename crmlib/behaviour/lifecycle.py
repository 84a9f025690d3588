"""Where in the life and purchase cycle each customer is, since when, and when the next purchase is due.

A stage is a function of the history and the date alone, so that the day it was entered and the stage before
are found by asking the same function about earlier days.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.behaviour.churn import CalibratedModel
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.purchases import summarise_calibration_and_holdout
from crmlib.behaviour.rhythm import RhythmFitter, as_rhythm
from crmlib.engine import Engine, quote
from crmlib.params import StageSettings

STAGES = ("prospect", "new", "on_rhythm", "due", "late", "at_risk", "dormant", "lost", "reactivated")
WINDOW = (0.1, 0.5, 0.9)
#: How long a first purchase makes a customer new, where the rhythm alone would leave it open for years.
NEW_DAYS = 182
_FARTHEST_DAYS = 3650.0
#: Days of a month in the matrix of stages: four whole weeks.
MONTH_DAYS = 28

PROSPECTS = """
SELECT DISTINCT i.customer_id
FROM identities AS i
LEFT JOIN purchase_summary AS p ON p.customer_id = i.customer_id
WHERE p.customer_id IS NULL
ORDER BY i.customer_id
"""


def list_prospects(engine: Engine) -> pd.DataFrame:
    """Customers without a purchase: column customer_id."""
    return engine.frame(PROSPECTS)


def read_base(engine: Engine, base: str | None) -> pd.DataFrame | None:
    """The lifecycle of an earlier run, from the engine's table of that name; None if there is none."""
    if base is None:
        return None
    return engine.frame(f"SELECT customer_id, stage, since, previous_stage FROM {quote(base)}")


def assign_lifecycle(
    summary: pd.DataFrame,
    model: CalibratedModel,
    as_of_date: date,
    stages: StageSettings,
    prospects: pd.DataFrame | None = None,
    base: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Give every customer a stage and a window for the next purchase.

    Parameters
    ----------
    summary : DataFrame
        Table `purchase_summary`.
    model : CalibratedModel
        Trained as of the date.
    as_of_date : date
    stages : StageSettings
        Cut-offs.
    prospects : DataFrame, optional
        Column customer_id: customers without a purchase.
    base : DataFrame, optional
        Table `lifecycle` of an earlier run: who is in the same stage since then keeps the day it was entered.

    Returns
    -------
    DataFrame
        Table `lifecycle`: customer_id, stage, since (looked for from the last purchase on, and before it in `base`),
        overdue_percentile (share of the customer's gaps that
        would have ended by now), next_purchase_from/median/to (if still a customer: 10 %, 50 %, 90 %; empty
        beyond ten years), previous_stage (empty where the last purchase only renewed the stage).
    """
    judge = _Judge(summary, model, stages)
    now = judge.stage(judge.age)
    entered = _find_entry(judge, now)
    first = pd.to_datetime(summary["first_purchase_date"])
    since = first + pd.to_timedelta(entered, unit="D")
    found = pd.DataFrame(
        {
            "customer_id": summary["customer_id"],
            "stage": now,
            "since": since,
            "overdue_percentile": judge.overdue(judge.age),
            "previous_stage": _find_previous(judge, entered),
        }
    )
    found = _carry_over(found, base, first + pd.to_timedelta(summary["recency"], unit="D"))
    outlook = judge.rhythm.outlook(summary)
    for name, quantile in zip(("from", "median", "to"), WINDOW, strict=True):
        days = outlook.next_purchase(partial(model.window.find_level, quantile))
        days = np.floor(days) + 1 if name == "from" else np.maximum(np.ceil(days), 1)
        within = pd.Series(np.where(days <= _FARTHEST_DAYS, days, np.nan), index=summary.index)
        found[f"next_purchase_{name}"] = pd.Timestamp(as_of_date) + pd.to_timedelta(within, unit="D")
    if prospects is None or prospects.empty:
        return found
    return pd.concat([found, prospects[["customer_id"]].assign(stage="prospect")], ignore_index=True)


def cross_stages(
    engine: Engine, model: CalibratedModel, as_of_date: date, stages: StageSettings, now: pd.DataFrame
) -> pd.DataFrame:
    """Count the customers by their stage a month ago and today.

    Parameters
    ----------
    engine : Engine
        With tables tickets and identities.
    model : CalibratedModel
        Today's, for both days: what moved is the customers, not the model.
    as_of_date : date
    stages : StageSettings
        Cut-offs.
    now : DataFrame
        Table `lifecycle` of the date.

    Returns
    -------
    DataFrame
        Exact counts, the stages in words; index that of `MONTH_DAYS` ago (prospect: had not bought), columns today's.
    """
    then_on = as_of_date - timedelta(days=MONTH_DAYS)
    then = summarise_calibration_and_holdout(engine, then_on, as_of_date)
    then["first_purchase_date"] = pd.Timestamp(then_on) - pd.to_timedelta(then["T"], unit="D")
    judge = _Judge(then, model, stages)
    before = pd.Series(judge.stage(judge.age), index=then["customer_id"], dtype="object")
    bought = now[now["stage"] != "prospect"]
    earlier = bought["customer_id"].map(before).fillna("prospect")
    crossed = pd.crosstab(earlier, bought["stage"])
    order = [name for name in STAGES if name in crossed.index], [name for name in STAGES if name in crossed.columns]
    named = crossed.reindex(index=order[0], columns=order[1]).rename(index=_in_words, columns=_in_words)
    return named.rename_axis(index="a month ago", columns="today")


def _in_words(stage: str) -> str:
    return stage.replace("_", " ")


class _Judge:
    """The stage of each customer at any age (days since the first purchase) from the last purchase on."""

    def __init__(self, summary: pd.DataFrame, model: CalibratedModel, stages: StageSettings) -> None:
        self.model = model
        self.stages = stages
        self.rhythm = as_rhythm(model.model)
        self.frequency = summary["frequency"].to_numpy(float)
        self.recency = summary["recency"].to_numpy(float)
        self.age = summary["T"].to_numpy(float)
        previous = pd.to_datetime(summary["previous_purchase_date"]) - pd.to_datetime(summary["first_purchase_date"])
        self.previous_recency = previous.dt.days.fillna(0).to_numpy().astype(np.float64)
        before: Floats = np.maximum(self.frequency - 1.0, np.zeros_like(self.frequency))
        closed = self._overdue(before, self.previous_recency, self.recency)
        self.returned_late = (closed >= stages.at_risk) & (self.frequency > 0)

    def stage(self, age: Floats, rows: NDArray[np.intp] | slice = slice(None)) -> NDArray[np.str_]:
        """Stage at an age, with the history of today; of some rows alone, if these are given."""
        recency = self.recency[rows]
        histories = pd.DataFrame({"frequency": self.frequency[rows], "recency": recency, "T": age})
        reactivated = self.returned_late[rows] & (age - recency <= self.stages.reactivated_days)
        return self._name(histories, reactivated)

    def previous_stage(self) -> NDArray[np.str_]:
        """Stage on the day before the last purchase, with the history of that day; prospect before the first."""
        earlier = pd.DataFrame(
            {
                "frequency": np.maximum(self.frequency - 1, 0),
                "recency": self.previous_recency,
                "T": np.maximum(self.recency - 1, self.previous_recency),
            }
        )
        named = self._name(earlier, np.zeros(len(earlier), bool))
        return np.where(self.frequency > 0, named, "prospect")

    def overdue(self, age: Floats) -> Floats:
        """Overdue percentile at an age."""
        return self._overdue(self.frequency, self.recency, age)

    def _overdue(self, frequency: Floats, recency: Floats, age: Floats) -> Floats:
        unit = self.rhythm.days_per_unit
        fitter: RhythmFitter = self.rhythm.fitter
        return fitter.overdue_percentile(frequency, recency / unit, age / unit)

    def _name(self, histories: pd.DataFrame, reactivated: NDArray[np.bool_]) -> NDArray[np.str_]:
        cut = self.stages
        frequency, recency, age = (histories[name].to_numpy(float) for name in ("frequency", "recency", "T"))
        overdue = self._overdue(frequency, recency, age)
        chances = self.model.p_buy(histories)
        gone = 1 - chances[max(chances)]
        rules: dict[str, NDArray[np.bool_]] = {
            "reactivated": reactivated,
            "new": (frequency == 0) & (overdue < cut.late) & (age <= NEW_DAYS),
            "lost": gone >= cut.lost,
            "dormant": gone >= cut.dormant,
            "at_risk": (overdue >= cut.at_risk) | (self.model.model.p_alive(histories) < cut.at_risk_p_alive),
            "late": overdue >= cut.late,
            "due": overdue >= cut.due,
        }
        named: NDArray[np.str_] = np.select(list(rules.values()), [np.array(name) for name in rules], "on_rhythm")
        return named


def _find_entry(judge: _Judge, now: NDArray[np.str_]) -> Floats:
    """The age at which today's stage was entered, by bisection over the days since the last purchase."""
    entered = judge.recency.copy()
    rows = np.flatnonzero(judge.stage(entered) != now)
    outside, inside = judge.recency[rows], judge.age[rows]
    for _ in range(int(np.ceil(np.log2(max((inside - outside).max(initial=1), 1)))) + 1):
        middle = np.floor((inside + outside) / 2)
        there = judge.stage(middle, rows) == now[rows]
        inside, outside = np.where(there, middle, inside), np.where(there, outside, middle)
    entered[rows] = inside
    return entered


def _find_previous(judge: _Judge, entered: Floats) -> NDArray[np.str_]:
    """The stage on the day before today's stage was entered."""
    with_this_history = judge.stage(np.maximum(entered - 1, judge.recency))
    return np.where(entered > judge.recency, with_this_history, judge.previous_stage())


def _carry_over(found: pd.DataFrame, base: pd.DataFrame | None, last_purchase: pd.Series) -> pd.DataFrame:
    """Keep the entry into a stage that the base has already seen: no purchase since, or one that only renewed it."""
    renewed = found["previous_stage"] == found["stage"]
    found["previous_stage"] = found["previous_stage"].where(~renewed, None)
    if base is None:
        return found
    known = found[["customer_id"]].merge(base, on="customer_id", how="left")
    since = pd.to_datetime(known["since"])
    carried = (known["stage"] == found["stage"]) & since.notna() & (renewed | (since >= last_purchase))
    found["since"] = found["since"].where(~carried, since)
    found["previous_stage"] = found["previous_stage"].where(~carried, known["previous_stage"])
    return found
