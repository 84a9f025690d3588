"""What room 06 shows: forecasts against what came, stages, what is due, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from crmlib.behaviour.backtest import Backtest
from crmlib.behaviour.churn import HIATUS_RULE
from crmlib.behaviour.forecasts import BLEND, MIXTURE, RHYTHM, SEASON, TREES
from crmlib.behaviour.lifecycle import STAGES
from crmlib.behaviour.patterns import group_frequencies

#: Models as pages name them.
MODEL_NAMES = {
    "bg_nbd": "BG/NBD (lifetimes)",
    "mbg_nbd": "MBG/NBD (lifetimes)",
    "pareto_nbd": "Pareto/NBD (lifetimes)",
    RHYTHM: "Rhythm model",
    MIXTURE: "Rhythm mixture",
    SEASON: "Mixture in season",
    HIATUS_RULE: "Plain rule",
    TREES: "Trees",
    BLEND: "Blend",
}
_TELLING = 0.0005  # gain that is worth a figure
STAGE_NAMES = {name: name.replace("_", " ") for name in STAGES}


def tell_verdict(backtest: Backtest, horizon_days: int, ahead_days: int = 0) -> tuple[str, str]:
    """Say which models are used, and which others were better at the last origin by more than chance.

    Parameters
    ----------
    backtest : Backtest
    horizon_days : int
        The longest that was judged.
    ahead_days : int
        The longest that is forecast.

    Returns
    -------
    (str, str)
        A sentence, and its tone for `crmlib.report.tables.finding`.
    """
    last = last_scores(backtest, horizon_days)
    counts, chances = MODEL_NAMES[backtest.counts_model], MODEL_NAMES[backtest.chances_model]
    used = f"{counts} is used" if counts == chances else f"{counts} is used for counts, {chances} for chances"
    if last.empty:
        return f"The history is too short to judge any forecast over {horizon_days} days; {used} unjudged.", "bad"
    scores = last.set_index("model")
    if HIATUS_RULE not in scores.index:
        return f"The history holds one origin only: {used}, without a rule to compare with.", "attention"
    used += f", by the origins before the last {horizon_days} days"
    figures = (("mae", "mean error"), ("rmse", "squared error"), ("log_loss", "chances"))
    beaten = {
        name: [word for metric, word in figures if scores.loc[name, f"{metric}_difference_low"] > 0]
        for name in scores.index
    }
    better = [f"{MODEL_NAMES[name]} ({_list(words)})" for name, words in beaten.items() if words]
    if {backtest.counts_model, backtest.chances_model} == {BLEND}:
        used += ": a mean of unlike models, since no single one was better there by more than chance"
    if HIATUS_RULE in (backtest.counts_model, backtest.chances_model):
        used += "; the plain rule won there, and no model is needed"
    used += _tell_season(backtest, horizon_days)
    short = f" The history is too short for forecasts over {ahead_days} days to be judged." * (
        ahead_days > horizon_days
    )
    if not better:
        told = f"{used}. On those days, no model and no rule was better by more than chance.{short}"
        return told, "attention" if short else "good"
    return f"{used}. On those days, better by more than chance: {_list(better)}.{short}", "attention"


def tabulate_differences(last: pd.DataFrame) -> pd.DataFrame:
    """The bootstrap's intervals of the last origin, for a page: model, and both ends for MAE, RMSE and log-loss."""
    ends = {column: column.replace("_difference", "") for column in last.columns if "_difference_" in column}
    told = last[["model", *ends]].rename(columns=ends)
    return told.assign(model=last["model"].replace(MODEL_NAMES))


def _tell_season(backtest: Backtest, horizon_days: int) -> str:
    """Whether the season is used, and what it was worth on the dates before the last; nothing where none was told."""
    scores = backtest.scores
    judged = scores[(scores["segment"] == "all") & (scores["horizon"] == horizon_days)]
    before = judged[judged["origin"] < judged["origin"].max()]
    deviance = before.pivot(index="origin", columns="model", values="poisson_deviance")
    if SEASON not in deviance:
        return ""
    both = deviance[[MIXTURE, SEASON]].dropna().mean()
    gain = 1 - float(both[SEASON] / both[MIXTURE])
    chosen = (backtest.counts_model, backtest.chances_model)
    use = "used" if SEASON in chosen else "part of the blend" if BLEND in chosen else "not used"
    word = f"{abs(gain):.1%} {'less' if gain > 0 else 'more'}" if abs(gain) >= _TELLING else "just as far"
    return f"; the season is {use} (with it, the rhythm mixture's counts were {word} off there)"


def last_scores(backtest: Backtest, horizon_days: int, segment: str = "all") -> pd.DataFrame:
    """Scores of every model at the last origin."""
    scores = backtest.scores
    chosen = (scores["horizon"] == horizon_days) & (scores["segment"] == segment)
    last: pd.DataFrame = scores[chosen & (scores["origin"] == scores["origin"].max())]
    return last.reset_index(drop=True)


def compare_horizons(judged: pd.DataFrame, horizons_days: Sequence[int]) -> pd.DataFrame:
    """What was forecast for the last holdout period, and what came, by horizon.

    Returns
    -------
    DataFrame
        Columns horizon (days), forecast and actual (shares of the customers who buy), customers.
    """
    if judged.empty:
        return pd.DataFrame(columns=["horizon", "forecast", "actual", "customers"])
    rows = [
        (days, judged[f"p_buy_{days}d"].mean(), judged["next_purchase_days"].le(days).mean(), len(judged))
        for days in horizons_days
    ]
    return pd.DataFrame(rows, columns=["horizon", "forecast", "actual", "customers"])


def cumulate_holdout(judged: pd.DataFrame, horizons_days: Sequence[int]) -> pd.DataFrame:
    """Purchase days since the last judged origin, all customers together: forecast then, and what came.

    Returns
    -------
    DataFrame
        Columns days (0, then the horizons), forecast, actual.
    """
    if judged.empty:
        return pd.DataFrame(columns=["days", "forecast", "actual"])
    rows = [
        (days, float(judged[f"expected_purchases_{days}d"].sum()), float(judged[f"purchases_{days}d"].sum()))
        for days in horizons_days
    ]
    return pd.DataFrame([(0, 0.0, 0.0), *rows], columns=["days", "forecast", "actual"])


def compare_runs(values: pd.DataFrame, base: pd.DataFrame | None, horizon_days: int, currency: str) -> pd.DataFrame:
    """What is forecast today beside what the run before forecast.

    Parameters
    ----------
    values : DataFrame
        Table `customer_value`.
    base : DataFrame or None
        The same table of the base run; None if there is none.
    horizon_days : int
        The longest.
    currency : str

    Returns
    -------
    DataFrame
        Columns figure, before, today: texts. Empty without a base.
    """
    if base is None or base.empty:
        return pd.DataFrame(columns=["figure", "before", "today"])
    parts = {"before": base, "today": values}
    known = {"before": base["customer_id"].isin(values["customer_id"])}
    known["today"] = values["customer_id"].isin(base["customer_id"])
    churn = f"chance of no purchase in {horizon_days} days"
    rows: dict[str, list[str]] = {
        "Customers": [f"{len(part):,}" for part in parts.values()],
        f"Mean {churn}": [f"{part['churn_probability'].mean():.1%}" for part in parts.values()],
        f"Mean {churn}, of customers in both runs": [
            f"{part.loc[known[name], 'churn_probability'].mean():.1%}" for name, part in parts.items()
        ],
        "Model of the chances": [_name_models(part["model"]) for part in parts.values()],
        "Model of the counts": [_name_models(part["counts_model"]) for part in parts.values()],
    }
    sums = {
        f"expected_purchases_{horizon_days}d": f"Purchase days expected in {horizon_days} days",
        "clv_12m": f"Sales expected in twelve months, {currency}",
    }
    for column, words in sums.items():
        if all(column in part and part[column].notna().any() for part in parts.values()):
            rows[words] = [f"{float(part[column].sum()):,.0f}" for part in parts.values()]
    return pd.DataFrame([(figure, *pair) for figure, pair in rows.items()], columns=["figure", *parts])


def _name_models(names: pd.Series) -> str:
    return _list([MODEL_NAMES.get(str(name), str(name)) for name in names.dropna().unique()] or ["–"])


def compare_by_frequency(judged: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Mean purchase days forecast and made in the last holdout period, by purchase days before it.

    Returns
    -------
    DataFrame
        Columns purchase_days (group), mean_before (of it), forecast, actual, customers.
    """
    if judged.empty:
        return pd.DataFrame(columns=["purchase_days", "mean_before", "forecast", "actual", "customers"])
    before = judged["frequency"] + 1
    groups = judged.assign(before=before, purchase_days=group_frequencies(before)).groupby(
        "purchase_days", observed=True
    )
    return groups.agg(
        mean_before=("before", "mean"),
        forecast=(f"expected_purchases_{horizon_days}d", "mean"),
        actual=("holdout_purchases", "mean"),
        customers=("before", "size"),
    ).reset_index()


def summarise_stages(lifecycle: pd.DataFrame, value: pd.DataFrame) -> pd.DataFrame:
    """Customers, churn and value of each stage that holds anybody, in the order of the life cycle.

    Parameters
    ----------
    lifecycle, value : DataFrame
        Tables `lifecycle` and `customer_value`.

    Returns
    -------
    DataFrame
        Columns stage (name), customers, share, churn_probability (mean), clv_12m (sum).
    """
    wanted = [column for column in ("churn_probability", "clv_12m") if column in value]
    joined = lifecycle[["customer_id", "stage"]].merge(value[["customer_id", *wanted]], on="customer_id", how="left")
    joined = joined.reindex(columns=["stage", "churn_probability", "clv_12m"])
    groups = joined.groupby("stage")
    stages = groups.agg(customers=("stage", "size"), churn_probability=("churn_probability", "mean"))
    stages["clv_12m"] = groups["clv_12m"].sum(min_count=1)
    ordered = stages.reindex([stage for stage in STAGES if stage in stages.index]).reset_index()
    ordered.insert(2, "share", ordered["customers"] / len(lifecycle))
    return ordered.assign(stage=ordered["stage"].map(STAGE_NAMES))


def count_due(lifecycle: pd.DataFrame, as_of_date: date, weeks: int = 8) -> pd.DataFrame:
    """Customers, neither dormant nor lost, by the week in which the middle of their window falls.

    Returns
    -------
    DataFrame
        Columns week (its first day), customers.
    """
    present = lifecycle[~lifecycle["stage"].isin(["dormant", "lost", "prospect"])]
    ahead = (pd.to_datetime(present["next_purchase_median"]) - pd.Timestamp(as_of_date)).dt.days
    week = ((ahead - 1) // 7).where(ahead.notna())
    counts = week[week < weeks].astype("int64").value_counts().reindex(range(weeks), fill_value=0)
    first_days = [as_of_date + timedelta(days=1 + 7 * number) for number in range(weeks)]
    return pd.DataFrame({"week": first_days, "customers": counts.to_numpy()})


def summarise_deciles(value: pd.DataFrame) -> pd.DataFrame:
    """Customers, chance of churn and value by value decile, the most valuable first.

    Returns
    -------
    DataFrame
        Columns value_decile, customers, churn_probability (mean), clv_12m (mean), clv_share.
    """
    if "value_decile" not in value or value["value_decile"].isna().all():
        return pd.DataFrame(columns=["value_decile", "customers", "churn_probability", "clv_12m", "clv_share"])
    deciles = value.groupby("value_decile").agg(
        customers=("clv_12m", "size"),
        churn_probability=("churn_probability", "mean"),
        clv_12m=("clv_12m", "mean"),
        total=("clv_12m", "sum"),
    )
    total = deciles.pop("total")
    deciles["clv_share"] = total / total.sum() if total.sum() else np.nan
    return deciles.sort_index(ascending=False).reset_index()


def _list(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
