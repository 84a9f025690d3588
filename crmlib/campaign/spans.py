"""What lasts is noted where it begins and where it ends, and spread over its days once everybody has been followed.

The calendar calls for a communication on the same days for everybody, so those to whom it is closed need not be looked
at on each of them; and a boost brings the same on every day like others.
"""

from __future__ import annotations

import numpy as np

from crmlib.campaign.bits import has
from crmlib.campaign.compiling import compiled, inlined
from crmlib.campaign.shapes import LAST_FOR_GOOD, C, G
from crmlib.campaign.terms import Records

_WHY = LAST_FOR_GOOD + 1


@inlined
def note_gain(first: int, end: int, category: int, gain: float, value: float, spans: Records) -> None:
    """Note what a boost brings on every day like others, from a day on and before another one.

    Parameters
    ----------
    first, end : int
    category : int
    gain : float
        Purchases a day.
    value : float
        Margin of a purchase.
    spans : SPAN
    """
    spans[first].gain[category] += gain
    spans[first].worth[category] += gain * value
    spans[end].gain[category] -= gain
    spans[end].worth[category] -= gain * value


@compiled
def spread_spans(spans: Records, days: Records, communications: Records, counts: Records) -> None:
    """Add to the counts of each day what lasts over it.

    Parameters
    ----------
    spans : SPAN, days + 1
    days : DAY
    communications : COMMUNICATION
    counts : DAY_COUNT
    """
    gain, worth = np.zeros(G), np.zeros(G)
    closed = np.zeros((C, _WHY), np.int32)
    for day in range(len(days)):
        span, count = spans[day], counts[day]
        for category in range(G):
            gain[category] += span.gain[category]
            worth[category] += span.worth[category]
            count.credited_purchases[category] += gain[category] * days[day].season
            count.credit[category] += worth[category] * days[day].season
        for c in range(len(communications)):
            for why in range(_WHY):
                closed[c, why] += span.closed[c, why]
                if has(days[day].due, c):
                    count.skips[communications[c].category, why] += closed[c, why]
