"""What the limits of a plan are worth: prices for a contact, and in words what one more unit would bring."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.campaign.limits import LimitPrices
from crmlib.campaign.optimise import Choice, bound_at
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.planning import Layout, Sending, widen_cap
from crmlib.params import CHANNELS

#: Price of a shared limit, and gain from a wider cap over the horizon, under which it binds nobody.
LEAST_PRICE, LEAST_GAIN = 5e-4, 0.5


def summarise_prices(layout: Layout, choice: Choice, attention: float = 0.0) -> LimitPrices:
    """What the limits' prices come to for a contact: by money, by channel and by communication, over the days.

    Parameters
    ----------
    layout, choice
    attention : float
        Margin that any contact must bring beyond its cost and the limits' prices.
    """
    taken, problem = choice.chosen.sum(axis=0).astype(float), layout.problem
    spent = taken * problem.cost
    money, channels, communications = 0.0, dict[str, float](), dict[str, float]()
    for price, usage, name in zip(choice.prices, problem.usage, problem.names, strict=True):
        kind, _, which = name.partition(" ")
        used = float(taken @ usage)
        if not price or not used:
            continue
        if kind in ("spending", "total", "month"):
            money += price * used / max(float(spent.sum()), 1e-12)
        elif kind == "communication":
            own = which.split(" ")[0]
            sent = sum(n * one.times for n, one in zip(taken, layout.sendings, strict=True) if _id(layout, one) == own)
            communications[own] = communications.get(own, 0.0) + price * used / max(sent, 1e-12)
        else:
            own = which.split(" ")[0]
            sent = sum(
                n * one.times for n, one in zip(taken, layout.sendings, strict=True) if CHANNELS[one.channel] == own
            )
            channels[own] = channels.get(own, 0.0) + price * used / max(sent, 1e-12)
    return LimitPrices.model_validate(
        {
            "money": _round(money),
            "contact": _round(attention),
            "channels": {name: _round(price) for name, price in channels.items()},
            "communications": {name: _round(price) for name, price in communications.items()},
        }
    )


def tabulate_prices(layout: Layout, choice: Choice) -> pd.DataFrame:
    """What one more unit of each limit of a plan would bring, in numbers and in words.

    Returns
    -------
    DataFrame
        Table `plan_prices`: plan, limit, price (margin beyond the cost, in the plan's currency), sentence; the dearest
        first.
    """
    plan, problem, currency = layout.plan, layout.problem, layout.plan.plan.currency
    by_limit: dict[str, float] = {}
    for price, name in zip(choice.prices, problem.names, strict=True):
        kind, _, which = name.partition(" ")
        key = name if kind in ("total", "month") else " ".join([kind, which.split(" ")[0]])
        by_limit[key] = by_limit.get(key, 0.0) + float(price)
    rows = [(plan.id, _tell_limit(key), price, _say(plan, key, price)) for key, price in by_limit.items()]
    base = bound_at(problem, choice.prices)
    for number, cap in enumerate(plan.caps, start=1):
        price = max(bound_at(widen_cap(layout, cap), choice.prices) - base, 0.0) * layout.scale
        scope = f"{cap.scope.kind} {cap.scope.name}".strip()
        gain = f"would bring {price:,.0f} {currency} over the horizon, before people tire of it"
        said = gain if price >= LEAST_GAIN else "would bring nothing"
        rows.append(
            (plan.id, f"cap {number}: {scope}, {cap.max} in {cap.days} d", price,
             f"One more contact in {cap.days} days under cap {number} ({scope}) {said}.")
        )  # fmt: skip
    frame = pd.DataFrame(rows, columns=["plan", "limit", "price", "sentence"])
    return frame.sort_values(["price", "limit"], ascending=[False, True], ignore_index=True)


def split_prices(priced: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Prices of `tabulate_prices` of limits that bind, and of those that bind nobody."""
    least = np.where(priced["limit"].str.startswith("cap "), LEAST_GAIN, LEAST_PRICE)
    binds = priced["price"] >= least
    return priced[binds].reset_index(drop=True), priced[~binds].reset_index(drop=True)


def tell_prices(binding: pd.DataFrame, idle: pd.DataFrame, plan: str) -> str:
    """Say, as a title, how many limits of a plan cost anything."""
    if binding.empty:
        return f"None of the {len(idle)} limits of plan {plan} costs anything: each leaves room"
    return f"{len(binding)} of {len(binding) + len(idle)} limits of plan {plan} cost margin"


def _id(layout: Layout, one: Sending) -> str:
    return layout.plan.communications[one.communication].id


def _round(price: float) -> float:
    return float(f"{price:.4g}")


def _tell_limit(key: str) -> str:
    kind, _, which = key.partition(" ")
    words = {
        "total": "budget in all",
        "month": f"budget of {which}",
        "budget": f"budget for {which}",
        "capacity": f"capacity of {which}",
        "communication": f"capacity of {which}",
        "spending": "spending",
    }
    return words[kind]


def _say(plan: ContactPlan, key: str, price: float) -> str:
    kind = key.partition(" ")[0]
    currency = plan.plan.currency
    limit = _tell_limit(key)
    if price < LEAST_PRICE:
        return f"The {limit} binds nobody: more of it would bring nothing."
    if kind in ("capacity", "communication"):
        return f"One more contact a day in the {limit} would bring {price:,.2f} {currency} of margin over the horizon."
    return f"One {currency} more in the {limit} would bring {price:,.2f} {currency} of margin beyond itself."
