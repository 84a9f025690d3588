"""Who gets what on one day: a customer's candidates, the highest first, against permissions, controls and limits.

The same function decides in the simulation and for the contact date. Each candidate ends as sent through a
channel or with exactly one reason. A candidate that may go through several channels takes the first that lets
it pass; if none does, the reason is that of the channel on which it came furthest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crmlib.campaign.bits import NONE, bit, has, lowest, without_lowest
from crmlib.campaign.chance import RATION, derive_key, draw_uniform
from crmlib.campaign.compiling import borrowed, compiled, inlined
from crmlib.campaign.memory import begin_memory, find_stop, free_again, remember
from crmlib.campaign.shapes import (
    BUDGET,
    CAP_GLOBAL,
    CAPACITY,
    CHANCE,
    CONTROL,
    COOLDOWN,
    FAR,
    HOLDOUT,
    LAST_FOR_GOOD,
    NO_ADDRESS,
    NO_PERMISSION,
    NOT_WORTHWHILE,
    QUIET,
    RESERVED,
    SENT,
    SERVICE,
    SPAN,
    STATE,
    SUPPRESSED,
    K,
)
from crmlib.campaign.terms import Records

Ring = NDArray[np.int64]


@inlined
def arbitrate(
    day: int,
    days: Records,
    chances: Records,
    communications: Records,
    caps: Records,
    rules: Any,
    person: Any,
    member: Any,
    ring: Ring,
    state: Any,
) -> None:
    """Decide on the candidates of one customer on one day.

    Parameters
    ----------
    day : int
    days, chances, communications, caps, rules : records
        The plan, see `crmlib.campaign.shapes`; without chances nothing is rationed.
    person, member : record
        The customer.
    ring : ndarray of int64
        What the caps remember.
    state : record
        Of its candidates (`pending`), `choice` gets the channel or -1, and `reason` gets `SENT` or the place of
        the reason in `REASONS`. Contacts are remembered, and written to `last_sent`.
    """
    closed = state.pending & ~state.open
    while closed:
        c = lowest(closed)
        closed = without_lowest(closed)
        state.choice[c], state.reason[c] = -1, state.why[c]
    left = state.pending & state.open
    place = 0
    while left:
        c = lowest(left)
        if without_lowest(left):
            c = int(member.order[place])
            place += 1
            if not has(left, c):
                continue
        left &= ~bit(c)
        channel, why = _find_channel(day, c, days, chances, communications, caps, rules, person, state)
        state.choice[c], state.reason[c] = channel, why
        if channel >= 0:
            state.last_sent[c] = day
            remember(day, communications[c].counted_by[channel], caps, ring, state)


@compiled
def decide_day(
    days: Records,
    communications: Records,
    caps: Records,
    rules: Any,
    people: Records,
    members: Records,
    history: Records,
    pending: NDArray[np.uint64],
    full: NDArray[np.uint8],
    spent: NDArray[np.uint8],
    choice: NDArray[np.int8],
    reason: NDArray[np.int8],
) -> None:
    """Decide on the candidates of every customer on the first of the days.

    Parameters
    ----------
    days, communications, caps, rules, people, members, history : records
        See `crmlib.campaign.shapes`; `rules` is one record.
    pending : uint64, N
        Set of communications that are candidates, of the audience.
    full, spent : uint8, N × C
        Sets of channels that are full, or whose budget is spent, for a candidate.
    choice, reason : int8, N × C
        Written for each candidate: the channel or -1, and `SENT` or the place of the reason in `REASONS`.
    """
    days, communications, caps, history = borrowed(days), borrowed(communications), borrowed(caps), borrowed(history)
    memory, unlimited = np.zeros(caps["size"].sum(), np.int64), np.zeros(0, CHANCE)
    spans = np.zeros(1, SPAN)
    states = np.zeros(1, STATE)
    for i in range(len(people)):
        state, member, ring, chances = states[0], members[i], borrowed(memory), borrowed(unlimited)
        state.pending = pending[i]
        begin_contacts(communications, caps, rules, people[i], member, history, ring, spans, state)
        for c in range(len(communications)):
            state.full[c], state.spent[c] = full[i, c], spent[i, c]
        arbitrate(0, days, chances, communications, caps, rules, people[i], member, ring, state)
        for c in range(len(communications)):
            if has(pending[i], c):
                choice[i, c], reason[i, c] = state.choice[c], state.reason[c]


@inlined
def begin_contacts(
    communications: Records,
    caps: Records,
    rules: Any,
    person: Any,
    member: Any,
    history: Records,
    ring: Ring,
    spans: Records,
    state: Any,
) -> None:
    """What is permitted to a customer, and the contacts there were."""
    for purpose in range(3):
        state.permitted[purpose] = person.permitted[purpose]
    for c in range(len(communications)):
        state.last_sent[c] = member.last_sent[c]
    begin_memory(caps, member, history, ring, state)
    state.held_out, state.shut, state.next_period = False, NONE, FAR
    judge(0, communications, person, member, spans, state)
    if member.held_out:
        hold_out(0, communications, rules, person, member, spans, state)


@inlined
def hold_out(
    day: int, communications: Records, rules: Any, person: Any, member: Any, spans: Records, state: Any
) -> None:
    """Let a customer enter or leave the holdout group, as a new period has it."""
    period = min(max(day - rules.first_day, 0) // rules.rotate_days, 63)
    state.next_period = rules.first_day + rules.rotate_days * (period + 1) if period < 63 else FAR
    if has(member.held_out, period) != state.held_out:
        state.held_out = not state.held_out
        judge(day, communications, person, member, spans, state)


@inlined
def judge(day: int, communications: Records, person: Any, member: Any, spans: Records, state: Any) -> None:
    """Find what of the audience is open to a customer; it holds until a permission or the holdout group changes."""
    _note_shut(day, -1, spans, state)
    state.open, state.shut = NONE, NONE
    left = member.audience
    while left:
        c = lowest(left)
        left = without_lowest(left)
        one = communications[c]
        why = _exclude(c, one, person, member, state)
        state.why[c] = why
        if why <= LAST_FOR_GOOD and why != SENT:
            state.shut |= bit(c)
            continue
        if why == SENT:
            state.open |= bit(c)
        reachable = state.permitted[one.purpose] & person.address
        for choice in range(K):
            if (reachable >> one.channels[choice]) & 1:
                state.first_channel[c] = one.channels[choice]
                break
    _note_shut(day, 1, spans, state)


@inlined
def _note_shut(day: int, change: int, spans: Records, state: Any) -> None:
    left = state.shut
    while left:
        c = lowest(left)
        left = without_lowest(left)
        spans[day].closed[c, state.why[c]] += change


@inlined
def _exclude(c: int, one: Any, person: Any, member: Any, state: Any) -> int:
    """What keeps a communication from a customer whatever the day; `SENT` if nothing does."""
    permitted = state.permitted[one.purpose] & one.usable
    service = one.purpose == SERVICE
    if not permitted:
        return NO_PERMISSION
    if (member.suppressed >> (1 if service else 0)) & 1:
        return SUPPRESSED
    if not permitted & person.address:
        return NO_ADDRESS
    if state.held_out and not service:
        return HOLDOUT
    if has(member.control, c):
        return CONTROL
    if has(member.priced_out, c):
        return NOT_WORTHWHILE
    return SENT


@inlined
def _find_channel(
    day: int,
    c: int,
    days: Records,
    chances: Records,
    communications: Records,
    caps: Records,
    rules: Any,
    person: Any,
    state: Any,
) -> tuple[int, int]:
    """The first channel that lets a candidate pass, or -1 and the reason."""
    one = communications[c]
    reachable = state.permitted[one.purpose] & person.address & ~days[day].quiet
    rested = day - state.last_sent[c] >= one.cooldown
    furthest = QUIET
    for choice in range(K):
        channel = int(one.channels[choice])
        if channel < 0:
            break
        if not (reachable >> channel) & 1:
            continue
        why = COOLDOWN
        if rested:
            why = _meet_caps(day, c, one.held_by[channel], days, communications, caps, rules.reserve, state)
        if why == SENT:
            why = _meet_shared_limits(day, c, channel, chances, one, state)
        if why == SENT:
            return channel, SENT
        furthest = max(furthest, why)
    return -1, furthest


@inlined
def _meet_caps(
    day: int, c: int, held: np.uint64, days: Records, communications: Records, caps: Records, reserve: bool, state: Any
) -> int:
    """The cap that stops a candidate, or that keeps its last slot for a higher one; `SENT` if none does."""
    kind = find_stop(day, held, caps, state)
    if kind >= 0:
        return int(CAP_GLOBAL - kind)
    if not reserve:
        return SENT
    waiting = communications[c].higher & state.open
    while held:
        m = lowest(held)
        held = without_lowest(held)
        before = free_again(day, m, caps, state)
        soon = days[day].soon[m] & waiting if before > day else NONE
        while soon:
            h = lowest(soon)
            soon = without_lowest(soon)
            due, channel = days[day].next_due[h], state.first_channel[h]
            if due < before and has(communications[h].held_by[channel], m) and not (days[due].quiet >> channel) & 1:
                return RESERVED
    return SENT


@inlined
def _meet_shared_limits(day: int, c: int, channel: int, chances: Records, one: Any, state: Any) -> int:
    """Whether a channel has room and money for a candidate: as is known, or by the chance that the trial runs found."""
    if (state.full[c] >> channel) & 1:
        return CAPACITY
    if (state.spent[c] >> channel) & 1:
        return BUDGET
    if len(chances) == 0:
        return SENT
    room, money = chances[day].capacity[c, channel], chances[day].budget[c, channel]
    if room >= 1 and money >= 1:
        return SENT
    own, counter = derive_key(state.key, one.key), np.uint64(2 * (day * K + channel))
    if room < 1 and draw_uniform(own, RATION, counter) >= room:
        return CAPACITY
    if money < 1 and draw_uniform(own, RATION, counter + np.uint64(1)) >= money:
        return BUDGET
    return SENT
