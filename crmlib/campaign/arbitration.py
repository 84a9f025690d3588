"""Who gets what on one day: a customer's candidates, the highest first, against permissions, controls and limits.

The same function decides in the simulation and for the contact date. Each candidate ends as sent through a
channel or with exactly one reason. A candidate that may go through several channels takes the first that lets
it pass; if none does, the reason is that of the channel on which it came furthest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crmlib.campaign.compiling import compiled, inlined
from crmlib.campaign.plan import LONGEST_CAP_DAYS
from crmlib.campaign.shapes import (
    BUDGET,
    BY_ALL,
    BY_CATEGORY,
    BY_CHANNEL,
    BY_COMMUNICATION,
    CAP_GLOBAL,
    CAPACITY,
    CONTROL,
    COOLDOWN,
    FAR,
    HOLDOUT,
    MOST_LOGGED,
    NO_ADDRESS,
    NO_PERMISSION,
    NOT_WORTHWHILE,
    QUIET,
    RESERVED,
    SENT,
    SERVICE,
    STATE,
    SUPPRESSED,
    C,
    G,
    K,
)

Records = NDArray[np.void]


@inlined
def arbitrate(
    day: int, days: Records, communications: Records, caps: Records, reserve: bool, person: Any, member: Any, state: Any
) -> None:
    """Decide on the candidates of one customer on one day.

    Parameters
    ----------
    day : int
    days, communications, caps : records
        The plan, see `crmlib.campaign.shapes`.
    reserve : bool
        Whether a slot is kept for a higher communication that is due before the slot is free again.
    person, member : record
        The customer.
    state : record
        Of its candidates (`pending`), `choice` gets the channel or -1, and `reason` gets `SENT` or the place of
        the reason in `REASONS`. Contacts are added to its log, and to `last_sent`.
    """
    if state.logged > MOST_LOGGED - C:
        forget(day, state)
    left = state.pending
    place = 0
    while left:
        c = int(member.order[place])
        place += 1
        bit = np.uint64(1) << np.uint64(c)
        if not left & bit:
            continue
        left &= ~bit
        why = _exclude(c, communications, person, member, state)
        channel = -1
        if why == SENT:
            channel, why = _find_channel(day, c, days, communications, caps, reserve, person, member, state)
        state.choice[c], state.reason[c] = channel, why
        if channel < 0:
            continue
        state.last_sent[c] = day
        if communications[c].purpose != SERVICE:
            log(day, channel, communications[c].category, c, state)


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
        Set of communications that are candidates.
    full, spent : uint8, N × C
        Sets of channels that are full, or whose budget is spent, for a candidate.
    choice, reason : int8, N × C
        Written for each candidate: the channel or -1, and `SENT` or the place of the reason in `REASONS`.
    """
    states = np.zeros(1, STATE)
    for i in range(len(people)):
        state, member = states[0], members[i]
        state.pending = pending[i]
        begin_contacts(member, people[i], history, len(communications), state)
        hold_out(0, rules, member, state)
        for c in range(len(communications)):
            state.full[c], state.spent[c] = full[i, c], spent[i, c]
        arbitrate(0, days, communications, caps, rules.reserve, people[i], member, state)
        for c in range(len(communications)):
            if (pending[i] >> np.uint64(c)) & np.uint64(1):
                choice[i, c], reason[i, c] = state.choice[c], state.reason[c]


@inlined
def begin_contacts(member: Any, person: Any, history: Records, number: int, state: Any) -> None:
    """What is permitted to a customer, and the contacts there were."""
    for purpose in range(3):
        state.permitted[purpose] = person.permitted[purpose]
    for c in range(number):
        state.last_sent[c] = member.last_sent[c]
    state.logged = 0
    state.seen[:] = 0
    state.crowded[:] = 0
    for entry in range(max(member.history_start, member.history_end - MOST_LOGGED + C), member.history_end):
        past = history[entry]
        log(past.day, past.channel, past.category, past.communication, state)


@inlined
def hold_out(day: int, rules: Any, member: Any, state: Any) -> None:
    """Whether a customer belongs to the holdout group of a day."""
    period = min(max(day - rules.first_day, 0) // rules.rotate_days, 63)
    state.held_out = (member.held_out >> np.uint64(period)) & np.uint64(1) == np.uint64(1)


@inlined
def log(day: int, channel: int, category: int, communication: int, state: Any) -> None:
    """Add a contact to those that caps count."""
    state.log_day[state.logged], state.log_channel[state.logged] = day, channel
    state.log_category[state.logged], state.log_communication[state.logged] = category, communication
    state.logged += 1
    _see(day, 0, state)
    _see(day, 1 + channel, state)
    if category >= 0:
        _see(day, 1 + K + category, state)
    if communication >= 0:
        _see(day, 1 + K + G + communication, state)


@inlined
def _see(day: int, scope: int, state: Any) -> None:
    """Note a contact in the calendar of a scope."""
    since = day - state.seen_day[scope]
    earlier = state.seen[scope]
    if earlier != 0 and since == 0:
        state.crowded[scope] = 1
    state.seen[scope] = (earlier << np.uint64(since) if earlier != 0 and since < 64 else np.uint64(0)) | np.uint64(1)
    state.seen_day[scope] = day


@inlined
def forget(day: int, state: Any) -> None:
    """Drop contacts that no cap can count any more, and the oldest if there is no room even so."""
    first = 0
    while first < state.logged and state.log_day[first] <= day - LONGEST_CAP_DAYS:
        first += 1
    first = max(first, state.logged - MOST_LOGGED + C)
    for entry in range(first, state.logged):
        state.log_day[entry - first], state.log_channel[entry - first] = state.log_day[entry], state.log_channel[entry]
        state.log_category[entry - first] = state.log_category[entry]
        state.log_communication[entry - first] = state.log_communication[entry]
    state.logged -= first


@inlined
def _exclude(c: int, communications: Records, person: Any, member: Any, state: Any) -> int:
    """What keeps a communication from a customer whatever the day; `SENT` if nothing does."""
    one = communications[c]
    usable = 0
    for choice in range(K):
        if one.channels[choice] >= 0:
            usable |= 1 << one.channels[choice]
    permitted = state.permitted[one.purpose] & usable
    service = one.purpose == SERVICE
    if not permitted:
        return NO_PERMISSION
    if (member.suppressed >> (1 if service else 0)) & 1:
        return SUPPRESSED
    if not permitted & person.address:
        return NO_ADDRESS
    if state.held_out and not service:
        return HOLDOUT
    if (member.control >> np.uint64(c)) & np.uint64(1):
        return CONTROL
    if (member.priced_out >> np.uint64(c)) & np.uint64(1):
        return NOT_WORTHWHILE
    return SENT


@inlined
def _find_channel(
    day: int,
    c: int,
    days: Records,
    communications: Records,
    caps: Records,
    reserve: bool,
    person: Any,
    member: Any,
    state: Any,
) -> tuple[int, int]:
    """The first channel that lets a candidate pass, or -1 and the reason."""
    one = communications[c]
    reachable = state.permitted[one.purpose] & person.address
    furthest = QUIET
    for choice in range(K):
        channel = int(one.channels[choice])
        if channel < 0 or not (reachable >> channel) & 1:
            continue
        if (days[day].quiet >> channel) & 1:
            continue
        why = COOLDOWN
        if day - state.last_sent[c] >= one.cooldown:
            why = _count_against(day, c, channel, days, communications, caps, reserve, person, member, state)
        if why == SENT and (state.full[c] >> channel) & 1:
            why = CAPACITY
        if why == SENT and (state.spent[c] >> channel) & 1:
            why = BUDGET
        if why == SENT:
            return channel, SENT
        furthest = max(furthest, why)
    return -1, furthest


@inlined
def _count_against(
    day: int,
    c: int,
    channel: int,
    days: Records,
    communications: Records,
    caps: Records,
    reserve: bool,
    person: Any,
    member: Any,
    state: Any,
) -> int:
    """The cap that stops a candidate on a channel; `SENT` if none does."""
    if communications[c].purpose == SERVICE:
        return SENT
    why = SENT
    for m in range(len(caps)):
        if _holds(caps[m], c, channel, communications):
            count, _ = _count(day, caps[m], state)
            if count >= caps[m].most:
                why = max(why, CAP_GLOBAL - caps[m].kind)
    if why != SENT or not reserve:
        return why
    for m in range(len(caps)):
        if _holds(caps[m], c, channel, communications):
            count, oldest = _count(day, caps[m], state)
            free_again = min(oldest, day) + caps[m].days
            if count + 1 == caps[m].most and _higher_is_due(
                day, free_again, c, caps[m], days, communications, person, member, state
            ):
                return RESERVED
    return SENT


@inlined
def _holds(cap: Any, c: int, channel: int, communications: Records) -> bool:
    """Whether a cap holds for a communication through a channel."""
    return _covers(cap, c, channel, communications) and not (communications[c].bypass >> cap.kind) & 1


@inlined
def _covers(cap: Any, c: int, channel: int, communications: Records) -> bool:
    """Whether a cap counts a communication through a channel."""
    return bool(
        cap.kind == BY_ALL
        or (cap.kind == BY_CHANNEL and cap.which == channel)
        or (cap.kind == BY_CATEGORY and cap.which == communications[c].category)
        or (cap.kind == BY_COMMUNICATION and cap.which == c)
    )


@inlined
def _count(day: int, cap: Any, state: Any) -> tuple[int, int]:
    """Contacts that a cap counts in the window that ends on a day, and the day of the oldest of them."""
    count, oldest = 0, FAR
    scope = 0
    if cap.kind == BY_CHANNEL:
        scope = 1 + cap.which
    elif cap.kind == BY_CATEGORY:
        scope = 1 + K + cap.which
    elif cap.kind == BY_COMMUNICATION:
        scope = 1 + K + G + cap.which
    if state.seen[scope] == 0:
        return 0, FAR
    if not state.crowded[scope]:
        since = day - state.seen_day[scope]
        if since >= cap.days:
            return 0, FAR
        left = state.seen[scope]
        for back in range(since, cap.days):
            if left == 0:
                break
            if left & np.uint64(1):
                count += 1
                oldest = day - back
            left >>= np.uint64(1)
        return count, oldest
    for entry in range(state.logged - 1, -1, -1):
        if state.log_day[entry] <= day - cap.days:
            break
        if (
            cap.kind == BY_ALL
            or (cap.kind == BY_CHANNEL and state.log_channel[entry] == cap.which)
            or (cap.kind == BY_CATEGORY and state.log_category[entry] == cap.which)
            or (cap.kind == BY_COMMUNICATION and state.log_communication[entry] == cap.which)
        ):
            count += 1
            oldest = state.log_day[entry]
    return count, oldest


@inlined
def _higher_is_due(
    day: int,
    before: int,
    c: int,
    cap: Any,
    days: Records,
    communications: Records,
    person: Any,
    member: Any,
    state: Any,
) -> bool:
    """Whether a higher communication of the calendar, open to the customer, needs the slot before it is free again."""
    for h in range(len(communications)):
        higher = communications[h]
        if higher.priority <= communications[c].priority or higher.purpose == SERVICE:
            continue
        due = days[day].next_due[h]
        if due >= before or (higher.bypass >> cap.kind) & 1 or not (member.audience >> np.uint64(h)) & np.uint64(1):
            continue
        if _exclude(h, communications, person, member, state) != SENT:
            continue
        reachable = state.permitted[higher.purpose] & person.address
        for choice in range(K):
            channel = int(higher.channels[choice])
            if channel >= 0 and (reachable >> channel) & 1:
                if _covers(cap, h, channel, communications) and not (days[due].quiet >> channel) & 1:
                    return True
                break
    return False
