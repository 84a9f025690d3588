"""What the page of past campaigns says first, and when it must not say it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from crmlib.campaign.results import sum_margin, sum_results
from crmlib.campaign.verdicts import Verdict

#: With more than this share of the campaigns withheld, no sum is told: what breaks so many may bend the others.
MOST_WITHHELD = 0.1


def judge_campaigns(purchases: pd.DataFrame, margin: pd.DataFrame, confidence: float = 0.95) -> Verdict:
    """Say what campaigns brought, and what to do.

    Parameters
    ----------
    purchases, margin : DataFrame
        Of `summarise_results`, for these outcomes.
    confidence : float

    Returns
    -------
    Verdict
        Its figures include those of `sum_results` and `sum_margin`; the sentences also name ``days`` and ``currency``.
        It is good where the margin surely was more than the cost; where no margin is known, where there surely were
        purchases that would not have been.
    """
    figures = sum_results(purchases, confidence) | sum_margin(margin, confidence)
    withheld = int(purchases["method"].str.startswith("withheld").sum())
    figures |= {"withheld": withheld}
    if withheld > MOST_WITHHELD * (figures["measured"] + withheld):
        return Verdict(
            "No sum is given: in {withheld} campaigns of the last {days} days the groups were not what chance makes of "
            "them, too many for the {measured} others to be trusted.",
            "Find out how the groups were drawn and logged, before any figure below is used.",
            "bad",
            figures,
        )
    if not figures["campaigns"]:
        return Verdict("No campaign began in the last {days} days.", "", "neutral", figures)
    if not figures["measured"]:
        return Verdict(
            "None of the {campaigns} campaigns of the last {days} days has a fair control group, so nobody knows what "
            "they brought.",
            "Hold back a tenth of every audience by lot from the next campaign on.",
            "bad",
            figures,
        )
    sentence = (
        "The {measured} campaigns of the last {days} days that have a fair control group brought {incremental:,.0f} "
        "purchases that would not have been (between {low:,.0f} and {high:,.0f}). That is {incremental_share:.0%} of "
        "what the people addressed bought afterwards; the rest would have come anyway. They cost {cost:money}."
    )
    if figures["settled"]:
        sentence += (
            " Net of discounts and of what was only pulled forward, {settled} of them brought {margin:money} of "
            "margin (between {margin_low:money} and {margin_high:money}) and cost {margin_cost:money}; "
            "of the others that cannot be told yet."
            if figures["settled"] < figures["measured"]
            else " Net of discounts and of what was only pulled forward, they brought {margin:money} of margin "
            "(between {margin_low:money} and {margin_high:money})."
        )
    low, high, cost = (
        (figures["margin_low"], figures["margin_high"], figures["margin_cost"])
        if figures["settled"]
        else (figures["low"], figures["high"], 0.0)
    )
    tone = "good" if low > cost else "bad" if high < cost else "attention"
    return Verdict(sentence, _advise(figures), tone, figures)


def _advise(figures: Mapping[str, float]) -> str:
    """What to do with the campaigns, naming only kinds of which there are any."""
    if not figures["better"] and not figures["worse"]:
        return "Give each a larger group or an end: of none it is sure that it moved purchases."
    better = "repeat the {better} that surely brought purchases, " if figures["better"] else ""
    worse = "stop the {worse} that surely cost some, " if figures["worse"] else ""
    told = f"{better}{worse}and give the others larger groups or an end."
    return told[0].upper() + told[1:]
