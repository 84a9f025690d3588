"""What part of a purchase is margin."""

from __future__ import annotations

from dataclasses import dataclass

from crmlib.engine import Engine

#: Margin in the amount of a purchase where nothing says it.
ASSUMED_SHARE = 0.25


@dataclass(frozen=True)
class MarginShare:
    """Margin in the amount of a purchase.

    Parameters
    ----------
    share : float
    source : str
        Where it comes from, in words.
    """

    share: float
    source: str


def find_margin_share(engine: Engine, given: float | None) -> MarginShare:
    """Find what part of a purchase is margin: as given, else as tickets or products' costs say, else assumed.

    Parameters
    ----------
    engine : Engine
        Holds `tickets`, `ticket_lines` and `products`.
    given : float, optional
        What the params say.
    """
    if given is not None:
        return MarginShare(given, "as the params say")
    estimated = estimate_margin_share(engine)
    if estimated is not None and estimated > 0:
        return MarginShare(estimated, "as tickets and products' costs say")
    return MarginShare(ASSUMED_SHARE, "assumed, since no source says what a product costs")


def estimate_margin_share(engine: Engine) -> float | None:
    """Estimate what part of sales is margin: as the tickets say, else by the products' costs; None if neither is known.

    Parameters
    ----------
    engine : Engine
        Holds `tickets`, `ticket_lines` and `products`.
    """
    told = engine.row(
        "SELECT CAST(sum(margin) / nullif(sum(amount), 0) AS DOUBLE) AS share FROM tickets WHERE margin IS NOT NULL"
    )["share"]
    if told is not None:
        return float(told)
    costed = engine.row(
        """
        SELECT CAST(1 - sum(l.quantity * p.cost) / nullif(sum(l.amount), 0) AS DOUBLE) AS share
        FROM ticket_lines l
        JOIN products p ON p.product_id = l.product_id
        WHERE p.cost IS NOT NULL AND l.quantity IS NOT NULL AND l.amount IS NOT NULL
        """
    )["share"]
    return None if costed is None else float(costed)
