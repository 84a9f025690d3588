"""What part of a purchase is margin."""

from __future__ import annotations

from dataclasses import dataclass

from crmlib.campaign.funnel import estimate_margin_share
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
