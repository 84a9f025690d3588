"""What a plan says of everybody alike: the caps a contact meets, what answers an event, what will be due soon."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crmlib.campaign.bits import bit, has
from crmlib.campaign.compiling import compiled, inlined
from crmlib.campaign.shapes import (
    BY_ALL,
    BY_CATEGORY,
    BY_CHANNEL,
    BY_COMMUNICATION,
    MOST_REMEMBERED,
    SERVICE,
    K,
)

Records = NDArray[np.void]


@compiled
def lay_terms(days: Records, communications: Records, caps: Records, rules: Any) -> None:
    """Fill in the terms of a plan's records; see `crmlib.campaign.shapes`.

    Parameters
    ----------
    days, communications, caps, rules : DAY, COMMUNICATION, CAP, one RULES
        Their other fields are read.
    """
    first = 0
    for m in range(len(caps)):
        caps[m].first, caps[m].size = first, caps[m].most if caps[m].most <= MOST_REMEMBERED else 0
        first += caps[m].size
    rules.answers[:], rules.called_off = np.uint64(0), np.uint64(0)
    for c in range(len(communications)):
        one = communications[c]
        if one.event >= 0:
            rules.answers[one.event] |= bit(c)
        if one.unless_purchase:
            rules.called_off |= bit(c)
        one.higher, one.usable = np.uint64(0), np.uint8(0)
        for h in range(len(communications)):
            if communications[h].priority > one.priority and communications[h].purpose != SERVICE:
                one.higher |= bit(h)
        for choice in range(K):
            if one.channels[choice] >= 0:
                one.usable |= np.uint8(1 << one.channels[choice])
        for channel in range(K):
            one.held_by[channel], one.counted_by[channel] = np.uint64(0), np.uint64(0)
            for m in range(len(caps)):
                if one.purpose == SERVICE or caps[m].most > MOST_REMEMBERED:
                    continue
                if (one.usable >> channel) & 1 and is_counted(caps[m], channel, one.category, c):
                    one.counted_by[channel] |= bit(m)
                    if not (one.bypass >> caps[m].kind) & 1:
                        one.held_by[channel] |= bit(m)
    gone = 0.0
    for day in range(len(days)):
        days[day].gone = gone
        gone += days[day].season
        days[day].soon[:] = np.uint64(0)
        for c in range(len(communications)):
            for channel in range(K):
                for m in range(len(caps)):
                    soon = days[day].next_due[c] < day + caps[m].days
                    if soon and has(communications[c].held_by[channel], m):
                        days[day].soon[m] |= bit(c)
    for passed in range(len(rules.fading)):
        rules.fading[passed] = rules.decay ** float(passed)


@inlined
def is_counted(cap: Any, channel: int, category: int, communication: int) -> bool:
    """Whether a cap counts a contact."""
    return bool(
        cap.kind == BY_ALL
        or (cap.kind == BY_CHANNEL and cap.which == channel)
        or (cap.kind == BY_CATEGORY and cap.which == category)
        or (cap.kind == BY_COMMUNICATION and cap.which == communication)
    )
