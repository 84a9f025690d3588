"""What caps remember of a customer's contacts: of each cap the last ones, as many as it allows.

A cap allows so many contacts in any window of so many days. It stops the next one as long as the oldest of its last
so many is within the window: nothing else need be known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crmlib.campaign.bits import lowest, without_lowest
from crmlib.campaign.compiling import inlined
from crmlib.campaign.shapes import FAR, NEVER
from crmlib.campaign.terms import Records, is_counted

Ring = NDArray[np.int64]


@inlined
def begin_memory(caps: Records, member: Any, history: Records, ring: Ring, state: Any) -> None:
    """Remember a customer's past contacts.

    Parameters
    ----------
    caps : CAP
    member : MEMBER
    history : CONTACT
    ring : ndarray of int64
        Room for the days of contacts; each cap says where its own begin.
    state : STATE
    """
    ring[:] = NEVER
    for m in range(len(caps)):
        state.place[m], state.last_until[m] = 0, NEVER
        state.free_from[m] = FAR if caps[m].most == 0 else NEVER
    for entry in range(member.history_start, member.history_end):
        past = history[entry]
        for m in range(len(caps)):
            if is_counted(caps[m], past.channel, past.category, past.communication):
                _push(past.day, caps[m], m, ring, state)


@inlined
def remember(day: int, met: np.uint64, caps: Records, ring: Ring, state: Any) -> None:
    """Add a contact to what a set of caps remembers."""
    while met:
        m = lowest(met)
        _push(day, caps[m], m, ring, state)
        met = without_lowest(met)


@inlined
def find_stop(day: int, held: np.uint64, caps: Records, state: Any) -> int:
    """The widest kind of those caps of a set that stop a contact on a day; -1 if none does."""
    widest = -1
    while held:
        m = lowest(held)
        held = without_lowest(held)
        if state.free_from[m] > day and (widest < 0 or caps[m].kind < widest):
            widest = caps[m].kind
    return widest


@inlined
def free_again(day: int, m: int, caps: Records, state: Any) -> int:
    """The day on which a cap has room again if the customer is contacted on a day; that day itself if it still has."""
    if caps[m].most == 1:
        return int(day + caps[m].days)
    return int(max(state.last_until[m], day))


@inlined
def _push(day: int, cap: Any, m: int, ring: Ring, state: Any) -> None:
    if cap.size == 0:
        return
    place = state.place[m]
    ring[cap.first + place] = day
    place = place + 1 if place + 1 < cap.size else 0
    state.place[m] = place
    state.free_from[m] = ring[cap.first + place] + cap.days
    following = place + 1 if place + 1 < cap.size else 0
    state.last_until[m] = ring[cap.first + following] + cap.days
