"""What each customer is worth: purchases to come, the amount of each, and the next 3, 12 and 24 months.

The interval of a customer's months is what 80 % of such customers would spend: purchases are drawn
from the model and amounts from the spend model (outcome uncertainty), each part of the draws under other
parameters, drawn from the fits' covariance (parameter uncertainty).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from crmlib.behaviour.btyd import GammaGamma, fit_gamma_gamma
from crmlib.behaviour.churn import CalibratedModel
from crmlib.behaviour.histories import PurchaseModel
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.simulation import draw_parameters, simulate_purchases
from crmlib.errors import NothingToDo

#: Months of value -> quarters; ends of the quarters in days.
MONTHS = {3: 1, 12: 4, 24: 8}
QUARTERS_END = (91, 182, 273, 365, 456, 547, 638, 730)
DRAWS, PARAMETER_DRAWS = 200, 8
_CHUNK = 5_000
_FIT_ROWS = 200_000
#: Largest rank correlation of frequency and amount at which they may be treated as independent.
INDEPENDENT_BELOW = 0.3


@dataclass(frozen=True)
class SpendModel:
    """Amount of a purchase day.

    Parameters
    ----------
    fitter : GammaGamma or None
        None where there are too few repeat buyers with amounts; then every customer has the mean amount.
    mean : float
        Mean amount of a purchase day over all customers.
    correlation : float
        Spearman's, between frequency and mean amount of repeat buyers; Gamma-Gamma assumes none.
    customers : int
        Repeat buyers it was fitted to.
    slope : float
        Power of 1 + frequency with which the amount goes, taken off before the fit and put back after it; 0 where
        frequency and amount are as good as independent.
    """

    fitter: GammaGamma | None
    mean: float
    correlation: float
    customers: int
    slope: float = 0.0

    @property
    def independent(self) -> bool:
        """Whether frequency and amount are as good as independent, which Gamma-Gamma assumes."""
        return abs(self.correlation) < INDEPENDENT_BELOW

    def expected_amount(self, summary: pd.DataFrame) -> Floats:
        """Expected amount of a purchase day: the customer's mean drawn to the population's.

        Parameters
        ----------
        summary : DataFrame
            Columns frequency and monetary_value.
        """
        if self.fitter is None:
            return np.full(len(summary), self.mean)
        shape, rate = self._posterior(summary)
        p = self.fitter.params_["p"]
        amount: Floats = p * rate / (shape - 1) * _scale(summary, self.slope)
        return amount

    def draw_totals(self, summary: pd.DataFrame, purchases: Floats, random: np.random.Generator) -> Floats:
        """Draw the amount of drawn numbers of purchases: an array of customers × draws."""
        if self.fitter is None:
            return purchases * self.mean
        shape, rate = self._posterior(summary)
        scale = random.standard_gamma(np.broadcast_to(shape[:, None], purchases.shape)) / rate[:, None]
        totals: Floats = random.standard_gamma(self.fitter.params_["p"] * purchases) / scale
        return totals * _scale(summary, self.slope)[:, None]

    def _posterior(self, summary: pd.DataFrame) -> tuple[Floats, Floats]:
        """Gamma distribution of the customer's own scale (Fader, Hardie 2013, eq. 5)."""
        assert self.fitter is not None
        p, q, v = self.fitter.params_[["p", "q", "v"]]
        known = summary["monetary_value"].fillna(0).to_numpy(float) > 0
        x = np.where(known, summary["frequency"].to_numpy(float), 0.0)
        spent = x * summary["monetary_value"].fillna(0).to_numpy(float) / _scale(summary, self.slope)
        return p * x + q, v + spent


def train_spend(summary: pd.DataFrame, seed: int) -> SpendModel | None:
    """Fit the amount of a purchase day.

    Parameters
    ----------
    summary : DataFrame
        Columns frequency, monetary_value, amount.
    seed : int
        Of the sample, where there are more than 200,000 repeat buyers.

    Returns
    -------
    SpendModel or None
        None where no amounts are known.
    """
    purchase_days = float((summary["frequency"] + 1).sum())
    mean = float(summary["amount"].astype(float).sum()) / purchase_days
    if not mean > 0:
        return None
    known = summary[(summary["frequency"] > 0) & (summary["monetary_value"].fillna(0) > 0)]
    sample = known if len(known) <= _FIT_ROWS else known.sample(_FIT_ROWS, random_state=seed)
    correlation = float("nan")
    if known["frequency"].nunique() > 1:
        correlation = float(spearmanr(known["frequency"], known["monetary_value"]).statistic)
    slope = 0.0
    if abs(correlation) >= INDEPENDENT_BELOW:
        slope = float(np.polyfit(np.log1p(known["frequency"]), np.log(known["monetary_value"].astype(float)), 1)[0])
    try:
        fitter = fit_gamma_gamma(sample.assign(monetary_value=sample["monetary_value"] / _scale(sample, slope)))
    except NothingToDo:
        return SpendModel(None, mean, float("nan"), len(known))
    return SpendModel(fitter, mean, correlation, len(known), slope)


def _scale(summary: pd.DataFrame, slope: float) -> Floats:
    scale: Floats = (1 + summary["frequency"].to_numpy(float)) ** slope
    return scale


@dataclass(frozen=True)
class Value:
    """What customers are worth.

    Parameters
    ----------
    customers : DataFrame
        Table `customer_value`.
    equity : DataFrame
        All customers together: months, sales (expected, discounted), low, high (80 %); empty without amounts.
    """

    customers: pd.DataFrame
    equity: pd.DataFrame


def predict_value(
    summary: pd.DataFrame,
    model: CalibratedModel,
    forecast: pd.DataFrame,
    spend: SpendModel | None,
    discount_rate: float,
    seed: int,
) -> Value:
    """Forecast each customer's purchases and value.

    Parameters
    ----------
    summary : DataFrame
        Table `purchase_summary`.
    model : CalibratedModel
        Trained as of the summary's date.
    forecast : DataFrame
        Chances and counts of the chosen models (see `forecast_today`), in the summary's order.
    spend : SpendModel or None
        None: amounts are unknown, and their columns empty.
    discount_rate : float
        A year's; money of a quarter is discounted from the quarter's middle.
    seed : int
        Of the draws behind the interval.

    Returns
    -------
    Value
        clv_3m, clv_12m and clv_24m are means; their intervals are of 80 % of such customers, widened where need be to
        hold the mean. value_decile is that of clv_12m.
    """
    longest = max(model.calibrations)
    outlook = model.model.outlook(summary)
    value = pd.DataFrame({"customer_id": summary["customer_id"], "p_alive": outlook.p_alive})
    told = forecast.filter(regex=r"^(p_buy|expected_purchases)_\d+d$").set_axis(value.index)
    value = value.join(told).assign(churn_probability=1 - told[f"p_buy_{longest}d"])
    value["model"] = forecast["chances_model"].to_numpy()
    value["counts_model"] = forecast["counts_model"].to_numpy()
    if spend is None:
        return Value(value, pd.DataFrame(columns=["months", "sales", "low", "high"]))
    amount = spend.expected_amount(summary)
    ends = np.array(QUARTERS_END)
    modelled = np.column_stack([outlook.expected_purchases(days) for days in ends])
    calibrated = told[f"expected_purchases_{longest}d"].to_numpy(float)
    by_quarter = np.maximum(modelled, np.where(ends >= longest, calibrated[:, None], 0.0))
    middles = (ends + np.array([0, *ends[:-1]])) / 2 / 365
    worth = np.diff(by_quarter, axis=1, prepend=0.0) * (1 + discount_rate) ** -middles
    value["expected_value"] = amount
    equity = []
    for months, quarters in MONTHS.items():
        # the draws are the model's: they are set to the mean that is told, which the chosen counts may have raised
        discounted, drawn = worth[:, :quarters].sum(axis=1), modelled[:, quarters - 1]
        share = np.divide(discounted, drawn, out=np.ones_like(discounted), where=drawn > 0)
        low, high, together = _interval(summary, model.model, spend, int(ends[quarters - 1]), share, seed)
        clv = f"clv_{months}m"
        value[clv] = amount * discounted
        value[f"{clv}_low"], value[f"{clv}_high"] = np.minimum(low, value[clv]), np.maximum(high, value[clv])
        total = float(value[clv].sum())
        equity.append(
            {"months": months, "sales": total, "low": min(together[0], total), "high": max(together[1], total)}
        )
    rank = value["clv_12m"].rank(method="first")
    value["value_decile"] = np.ceil(rank / len(value) * 10).astype("int64")
    return Value(value, pd.DataFrame(equity))


def summarise_concentration(values: pd.Series, parts: int = 10) -> pd.DataFrame:
    """Share of the total held by each part of the customers, the most valuable first.

    Returns
    -------
    DataFrame
        Columns customers_share and value_share, cumulative, from 0 to 1.
    """
    ordered = np.sort(values.fillna(0).to_numpy(float))[::-1]
    total = ordered.sum()
    ends = np.round(np.linspace(0, len(ordered), parts + 1)).astype(int)
    held = np.concatenate([[0.0], np.cumsum(ordered)])[ends] / (total if total > 0 else 1.0)
    return pd.DataFrame({"customers_share": np.linspace(0, 1, parts + 1), "value_share": held})


def _interval(
    summary: pd.DataFrame, model: PurchaseModel, spend: SpendModel, days: int, share: Floats, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Ends of 80 % of each customer's discounted sales within the days, and of all customers' together."""
    random = np.random.default_rng(seed)
    models = [draw_parameters(model, random) for _ in range(PARAMETER_DRAWS)]
    ends, together = np.empty((2, len(summary))), np.zeros(DRAWS)
    for start in range(0, len(summary), _CHUNK):
        chunk = summary.iloc[start : start + _CHUNK]
        purchases = np.hstack(
            [simulate_purchases(chunk, drawn, days, DRAWS // PARAMETER_DRAWS, random) for drawn in models]
        )
        totals = spend.draw_totals(chunk, purchases, random) * share[start : start + len(chunk), None]
        ends[:, start : start + len(chunk)] = np.quantile(totals, (0.1, 0.9), axis=1)
        together += totals.sum(axis=0)
    return ends[0], ends[1], np.quantile(together, (0.1, 0.9))
