"""The simulation's kernel: customer after customer, each through all days of the horizon.

Customers are independent of one another; limits that they share (capacity, budget) come in as chances.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crmlib.campaign.arbitration import Records, arbitrate, begin_contacts, hold_out
from crmlib.campaign.chance import CART, LIFETIME, RATION, UNSUBSCRIBE, derive_key, draw_exponential, draw_uniform
from crmlib.campaign.clock import advance, feel_contact, purchase
from crmlib.campaign.compiling import compiled, inlined
from crmlib.campaign.shapes import (
    ANNIVERSARY,
    CALLED_OFF,
    CART_ABANDONED,
    DUE,
    ENTER_STATE,
    FAR,
    LAST_FOR_GOOD,
    MOST_COUNTED,
    NEVER,
    NEW,
    ON_RHYTHM,
    PURCHASE,
    REACTIVATED,
    SERVICE,
    STATE,
    K,
)

REACTIVATED_DAYS = 28
YEAR = 365


@compiled
def simulate_chunk(
    days: Records,
    communications: Records,
    caps: Records,
    rules: Any,
    people: Records,
    members: Records,
    draws: Records,
    history: Records,
    counts: Records,
    total: Any,
    trace: Records,
) -> None:
    """Follow each customer of a chunk through all days; see `crmlib.campaign.shapes` for the records.

    Parameters
    ----------
    days, communications, caps : DAY, COMMUNICATION, CAP
    rules : one RULES
        The plan.
    people, members, draws : PERSON, MEMBER, DRAW
        The customers, a row each.
    history : CONTACT
        Their past contacts, by row and day.
    counts, total : DAY_COUNT, one TOTAL
        What happens is added here.
    trace : CONTACT
        Contacts are written here as long as there is room.
    """
    states = np.zeros(1, STATE)
    for i in range(len(people)):
        person, member, draw, state = people[i], members[i], draws[i], states[0]
        _begin(communications, rules, person, member, draw, history, state)
        if member.audience == 0:
            _leave_in_peace(days, rules, person, draw, counts, state)
            _end(len(days) - 1, communications, counts, total, state)
            continue
        staged = _listens(ENTER_STATE, communications, member)
        cart_rate = person.cart_rate if _listens(CART_ABANDONED, communications, member) else 0.0
        for day in range(len(days)):
            if staged:
                _enter_stages(day, communications, person, member, state)
            _open_candidates(day, days, communications, rules.first_day, member, counts, state)
            if state.pending:
                _hold_out_or_ration(day, days, communications, rules, member, state)
                arbitrate(day, days, communications, caps, rules.reserve, person, member, state)
                _settle(i, day, communications, rules, counts, total, trace, state)
            if cart_rate > 0 and draw_uniform(state.key, CART, np.uint64(day)) < cart_rate:
                _call(CART_ABANDONED, 0, day, communications, member, state)
            if state.alive:
                advance(day, draw.rate * days[day].season, draw.hazard, person.value, counts, state)
                while state.wait <= 0:
                    purchase(day, person.value, rules.k, counts, state)
                    _answer_purchase(day, communications, member, counts, state)
        _end(len(days) - 1, communications, counts, total, state)


@inlined
def _leave_in_peace(days: Records, rules: Any, person: Any, draw: Any, counts: Records, state: Any) -> None:
    """Follow a customer whom nothing is meant for: only purchases happen."""
    for day in range(len(days)):
        if not state.alive:
            return
        advance(day, draw.rate * days[day].season, draw.hazard, person.value, counts, state)
        while state.wait <= 0:
            purchase(day, person.value, rules.k, counts, state)


@inlined
def _listens(event: int, communications: Records, member: Any) -> bool:
    """Whether an event calls for anything that a customer may get."""
    for c in range(len(communications)):
        if communications[c].event == event and (member.audience >> np.uint64(c)) & np.uint64(1):
            return True
    return False


@inlined
def _begin(
    communications: Records, rules: Any, person: Any, member: Any, draw: Any, history: Records, state: Any
) -> None:
    """Put a customer where the real one stands."""
    state.key, state.wait, state.alive = draw.key, draw.wait, draw.alive and draw.rate > 0
    state.lifetime = draw_exponential(state.key, LIFETIME, np.uint64(0))
    state.bought, state.last_purchase, state.stage = person.bought, person.last_purchase, person.stage
    state.reactivated_until = person.last_purchase + REACTIVATED_DAYS if person.stage == REACTIVATED else NEVER
    state.pending, state.debt, state.active, state.contacts = np.uint64(0), 0.0, 0, 0
    state.gaps, state.lives, state.revived_by = 0, 0, -1
    state.next_due = FAR
    for c in range(len(communications)):
        wanted = (member.audience >> np.uint64(c)) & np.uint64(1)
        state.due[c] = member.due[c] if wanted else NEVER
        state.full[c], state.spent[c] = 0, 0
        if state.due[c] != NEVER:
            state.next_due = min(state.next_due, state.due[c])
    for channel in range(K):
        state.patience[channel] = draw_exponential(state.key, UNSUBSCRIBE, np.uint64(channel))
    begin_contacts(member, person, history, len(communications), state)
    state.pressure, state.pressed = 0.0, 0
    for entry in range(member.history_start, member.history_end):
        state.pressure += rules.decay ** float(-history[entry].day)


@inlined
def _enter_stages(day: int, communications: Records, person: Any, member: Any, state: Any) -> None:
    """The stage as it is known in the morning, by the days from the last purchase to the evening before."""
    if state.last_purchase == NEVER or day <= state.reactivated_until:
        return
    elapsed = day - 1 - state.last_purchase
    passed = -1
    for place in range(5):
        if elapsed >= person.enter_after[place]:
            passed = place
    entered = DUE + passed
    if state.stage == REACTIVATED:
        state.stage = ON_RHYTHM
    elif passed < 0 or elapsed - 1 >= person.enter_after[passed]:
        return
    if passed < 0 or entered <= state.stage or (state.stage == NEW and entered == DUE):
        return
    state.stage = entered
    _call(ENTER_STATE, entered, day - 1, communications, member, state)


@inlined
def _call(event: int, detail: int, day: int, communications: Records, member: Any, state: Any) -> None:
    """Note when the communications that an event of a day calls for are due, the next day or later.

    One that an earlier event has called for already is due when that one said.
    """
    for c in range(len(communications)):
        one = communications[c]
        if one.event != event or not (member.audience >> np.uint64(c)) & np.uint64(1):
            continue
        if (event == ENTER_STATE or (event == PURCHASE and one.detail != 0)) and one.detail != detail:
            continue
        if state.due[c] == NEVER:
            state.due[c] = day + max(1, one.delay)
            state.next_due = min(state.next_due, state.due[c])


@inlined
def _open_candidates(
    day: int, days: Records, communications: Records, first_day: int, member: Any, counts: Records, state: Any
) -> None:
    """Add the candidates that the calendar and events make due today."""
    planned = day >= first_day
    if planned:
        left = days[day].due & member.audience
        c = 0
        while left:
            if left & np.uint64(1):
                _open(c, day, day, communications, counts, state)
            left >>= np.uint64(1)
            c += 1
    if state.next_due > day:
        return
    state.next_due = FAR
    for c in range(len(communications)):
        due = state.due[c]
        if due != NEVER and due <= day:
            if planned and due + communications[c].open_days > day:
                _open(c, due, day, communications, counts, state)
            state.due[c] = due + YEAR if communications[c].event == ANNIVERSARY else NEVER
        if state.due[c] != NEVER:
            state.next_due = min(state.next_due, state.due[c])


@inlined
def _open(c: int, due: int, day: int, communications: Records, counts: Records, state: Any) -> None:
    """Open a candidate; one that is still open is closed for it."""
    bit = np.uint64(1) << np.uint64(c)
    if state.pending & bit:
        counts[day].skips[communications[c].category, state.reason[c]] += 1
    state.pending |= bit
    state.opened[c] = due


@inlined
def _hold_out_or_ration(day: int, days: Records, communications: Records, rules: Any, member: Any, state: Any) -> None:
    """Whether the customer is held out today, and the channels that are full or whose budget is spent."""
    hold_out(day, rules, member, state)
    if not rules.rationed:
        return
    for c in range(len(communications)):
        if not (state.pending >> np.uint64(c)) & np.uint64(1):
            continue
        own = derive_key(state.key, communications[c].key)
        state.full[c], state.spent[c] = 0, 0
        for channel in range(K):
            room, money = days[day].capacity[c, channel], days[day].budget[c, channel]
            counter = np.uint64(2 * (day * K + channel))
            if room < 1 and draw_uniform(own, RATION, counter) >= room:
                state.full[c] |= np.uint8(1 << channel)
            if money < 1 and draw_uniform(own, RATION, counter + np.uint64(1)) >= money:
                state.spent[c] |= np.uint8(1 << channel)


@inlined
def _settle(
    i: int, day: int, communications: Records, rules: Any, counts: Records, total: Any, trace: Records, state: Any
) -> None:
    """Book what was decided: contacts and what they do, candidates that are closed and why."""
    left = state.pending
    c = -1
    while left:
        c += 1
        bit = np.uint64(1) << np.uint64(c)
        if not left & bit:
            continue
        left &= ~bit
        one = communications[c]
        channel, why = int(state.choice[c]), int(state.reason[c])
        if channel < 0:
            if why <= LAST_FOR_GOOD or day + 1 >= state.opened[c] + one.open_days:
                counts[day].skips[one.category, why] += 1
                state.pending &= ~bit
            continue
        state.pending &= ~bit
        state.contacts += 1
        counts[day].contacts[c, channel] += 1
        counts[day].cost[one.category] += one.cost[channel]
        if total.traced < len(trace):
            row = trace[total.traced]
            row.person, row.day, row.channel, row.category, row.communication = i, day, channel, one.category, c
            total.traced += 1
        if one.purpose != SERVICE:
            feel_contact(day, channel, one, rules, counts, state)


@inlined
def _answer_purchase(day: int, communications: Records, member: Any, counts: Records, state: Any) -> None:
    """What a purchase calls off and calls for, and the stage it leads to."""
    came_back = DUE + 2 <= state.stage <= DUE + 4
    state.last_purchase = day
    state.stage = REACTIVATED if came_back else ON_RHYTHM
    state.reactivated_until = day + REACTIVATED_DAYS if came_back else NEVER
    for c in range(len(communications)):
        one = communications[c]
        if one.unless_purchase:
            if one.event != ANNIVERSARY:
                state.due[c] = NEVER
            bit = np.uint64(1) << np.uint64(c)
            if state.pending & bit:
                counts[day].skips[one.category, CALLED_OFF] += 1
                state.pending &= ~bit
    _call(PURCHASE, state.bought, day, communications, member, state)
    if came_back:
        _call(ENTER_STATE, REACTIVATED, day, communications, member, state)


@inlined
def _end(day: int, communications: Records, counts: Records, total: Any, state: Any) -> None:
    """Close the books of one customer."""
    total.histogram[min(state.contacts, MOST_COUNTED)] += 1
    if state.alive:
        total.owed += state.debt
        for effect in range(state.active):
            total.owed += state.effect_owed[effect]
    for c in range(len(communications)):
        if (state.pending >> np.uint64(c)) & np.uint64(1):
            counts[day].skips[communications[c].category, state.reason[c]] += 1
