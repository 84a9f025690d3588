"""The simulation's kernel: customer after customer, each through all days of the horizon.

Customers are independent of one another; limits that they share (capacity, budget) come in as chances.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.arbitration import Ring, arbitrate, begin_contacts, hold_out, judge
from crmlib.campaign.bits import NONE, bit, has, lowest, without_lowest
from crmlib.campaign.chance import LIFETIME, draw_exponential
from crmlib.campaign.clock import advance, book_effects, feel_contact, purchase
from crmlib.campaign.compiling import borrowed, compiled, inlined
from crmlib.campaign.events import REACTIVATED_DAYS, answer_purchase, await_cart, call, enter_stages
from crmlib.campaign.shapes import (
    ANNIVERSARY,
    CART_ABANDONED,
    ENTER_STATE,
    FAR,
    LAST_FOR_GOOD,
    MOST_COUNTED,
    NEVER,
    REACTIVATED,
    SERVICE,
    SPAN,
    STATE,
)
from crmlib.campaign.spans import spread_spans
from crmlib.campaign.terms import Records

YEAR = 365


@compiled
def simulate_chunk(
    days: Records,
    chances: Records,
    communications: Records,
    caps: Records,
    rules: Any,
    people: Records,
    members: Records,
    draws: Records,
    history: Records,
    counts: Records,
    total: Any,
    visits: Floats,
    trace: Records,
) -> None:
    """Follow each customer of a chunk through all days; see `crmlib.campaign.shapes` for the records.

    Parameters
    ----------
    days, chances, communications, caps : DAY, CHANCE, COMMUNICATION, CAP
    rules : one RULES
        The plan, with its terms; without chances nothing is rationed.
    people, members, draws : PERSON, MEMBER, DRAW
        The customers, a row each.
    history : CONTACT
        Their past contacts, by row and day.
    counts, total, visits : DAY_COUNT, one TOTAL, ndarray
        What happens is added here; purchases in each store.
    trace : CONTACT
        Contacts are written here as long as there is room.
    """
    days, communications, caps, history = borrowed(days), borrowed(communications), borrowed(caps), borrowed(history)
    chances, counts, visits, trace = borrowed(chances), borrowed(counts), borrowed(visits), borrowed(trace)
    memory = np.zeros(caps["size"].sum(), np.int64)
    states, noted = np.zeros(1, STATE), np.zeros(len(days) + 1, SPAN)
    for i in range(len(people)):
        person, member, draw, state, ring = people[i], members[i], draws[i], states[0], borrowed(memory)
        spans = borrowed(noted)
        begin(communications, caps, rules, person, member, draw, history, ring, spans, state)
        day = rest(0, days, member, draw, state)
        while day < len(days):
            wake(day, days, communications, rules, person, member, counts, spans, state)
            if state.pending:
                arbitrate(day, days, chances, communications, caps, rules, person, member, ring, state)
                settle(i, day, communications, rules, person, member, counts, spans, total, trace, state)
            live(day, days, communications, rules, person, member, draw, counts, spans, visits, state)
            day = rest(day + 1, days, member, draw, state)
        end(days, communications, person, draw, counts, spans, total, state)
    spread_spans(noted, days, communications, counts)


@inlined
def begin(
    communications: Records,
    caps: Records,
    rules: Any,
    person: Any,
    member: Any,
    draw: Any,
    history: Records,
    ring: Ring,
    spans: Records,
    state: Any,
) -> None:
    """Put a customer where the real one stands."""
    state.key, state.wait, state.alive = draw.key, draw.wait, draw.alive and draw.rate > 0
    state.lifetime = draw_exponential(state.key, LIFETIME, np.uint64(0))
    state.bought, state.last_purchase, state.stage = person.bought, person.last_purchase, person.stage
    state.reactivated_until = person.last_purchase + REACTIVATED_DAYS if person.stage == REACTIVATED else NEVER
    state.pending, state.active, state.contacts, state.tried = NONE, 0, 0, np.uint8(0)
    state.boost, state.debt = 0.0, 0.0
    state.gaps, state.lives, state.carts, state.revived_by = 0, 0, 0, -1
    state.next_due, state.next_stage, state.next_cart, state.next_end, state.next_period = FAR, FAR, FAR, FAR, FAR
    state.shut = NONE
    if member.audience == NONE:
        return
    for c in range(len(communications)):
        state.due[c] = member.due[c] if has(member.audience, c) else NEVER
        if state.due[c] != NEVER:
            state.next_due = min(state.next_due, state.due[c])
    begin_contacts(communications, caps, rules, person, member, history, ring, spans, state)
    state.pressure, state.pressed = 0.0, 0
    for entry in range(member.history_start, member.history_end):
        state.pressure += rules.fading[-history[entry].day]
    if rules.answers[ENTER_STATE] & member.audience:
        state.next_stage = 0
    if person.cart_rate > 0 and rules.answers[CART_ABANDONED] & member.audience:
        state.next_cart = await_cart(-1, person.cart_rate, state)


@inlined
def rest(day: int, days: Records, member: Any, draw: Any, state: Any) -> int:
    """Let the clock alone go on as long as nothing else happens to a customer; the next day on which something may."""
    if state.pending:
        return day
    until = min(state.next_due, state.next_stage, state.next_cart, state.next_period, len(days))
    awaited = member.audience & ~state.shut
    if not state.alive:
        while day < until and not days[day].due & awaited:
            day += 1
        return day
    if state.debt != 0.0 or state.revived_by >= 0 or state.boost < -1:
        return day
    until = min(until, state.next_end)
    wait, lifetime, speed = state.wait, state.lifetime, draw.rate
    while day < until and not days[day].due & awaited:
        ahead = speed * days[day].season * (1 + state.boost)
        if lifetime <= draw.hazard or wait <= ahead:
            break
        wait -= ahead
        lifetime -= draw.hazard
        day += 1
    state.wait, state.lifetime = wait, lifetime
    return day


@inlined
def wake(
    day: int,
    days: Records,
    communications: Records,
    rules: Any,
    person: Any,
    member: Any,
    counts: Records,
    spans: Records,
    state: Any,
) -> None:
    """The morning of a day: the stage, the holdout group, what is due."""
    if day >= state.next_stage:
        enter_stages(day, communications, rules, person, member, state)
    if day >= state.next_period:
        hold_out(day, communications, rules, person, member, spans, state)
    planned = day >= rules.first_day
    called = days[day].due & member.audience & ~state.shut
    while called:
        _open(lowest(called), day, day, communications, counts, state)
        called = without_lowest(called)
    if state.next_due <= day:
        _open_due(day, planned, communications, counts, state)


@inlined
def live(
    day: int,
    days: Records,
    communications: Records,
    rules: Any,
    person: Any,
    member: Any,
    draw: Any,
    counts: Records,
    spans: Records,
    visits: Floats,
    state: Any,
) -> None:
    """The rest of a day: an abandoned cart, purchases."""
    if day == state.next_cart:
        call(CART_ABANDONED, 0, day, communications, rules, member, state)
        state.next_cart = await_cart(day, person.cart_rate, state)
    if not state.alive:
        return
    advance(day, draw.rate, draw.hazard, person.value, days, counts, spans, state)
    while state.wait <= 0:
        purchase(day, person.value, rules.k, counts, state)
        if person.store >= 0:
            visits[person.store] += person.store_share
        if member.audience:
            answer_purchase(day, communications, rules, person, member, counts, state)


@inlined
def _open_due(day: int, planned: bool, communications: Records, counts: Records, state: Any) -> None:
    """Open candidates that events have made due by today."""
    state.next_due = FAR
    for c in range(len(communications)):
        due = state.due[c]
        if due == NEVER:
            continue
        if due <= day:
            if planned and due + communications[c].open_days > day:
                _open(c, due, day, communications, counts, state)
            state.due[c] = due + YEAR if communications[c].event == ANNIVERSARY else NEVER
        if state.due[c] != NEVER:
            state.next_due = min(state.next_due, state.due[c])


@inlined
def _open(c: int, due: int, day: int, communications: Records, counts: Records, state: Any) -> None:
    """Open a candidate; one that is still open is closed for it, and one that can never be sent is closed at once."""
    category = communications[c].category
    if has(state.pending, c):
        counts[day].skips[category, state.reason[c]] += 1
    if has(state.shut, c):
        counts[day].skips[category, state.why[c]] += 1
        state.pending &= ~bit(c)
        return
    state.pending |= bit(c)
    state.opened[c] = due


@inlined
def settle(
    i: int,
    day: int,
    communications: Records,
    rules: Any,
    person: Any,
    member: Any,
    counts: Records,
    spans: Records,
    total: Any,
    trace: Records,
    state: Any,
) -> None:
    """Book what was decided: contacts and what they do, candidates that are closed and why."""
    left = state.pending
    refused = False
    while left:
        c = lowest(left)
        left = without_lowest(left)
        one = communications[c]
        channel, why = int(state.choice[c]), int(state.reason[c])
        if channel < 0:
            if why <= LAST_FOR_GOOD or day + 1 >= state.opened[c] + one.open_days:
                counts[day].skips[one.category, why] += 1
                state.pending &= ~bit(c)
            continue
        state.pending &= ~bit(c)
        state.contacts += 1
        counts[day].contacts[c, channel] += 1
        counts[day].cost[one.category] += one.cost[channel]
        if total.traced < len(trace):
            row = trace[total.traced]
            row.person, row.day, row.channel, row.category, row.communication = i, day, channel, one.category, c
            total.traced += 1
        if one.purpose != SERVICE and feel_contact(day, channel, one, rules, counts, state):
            refused = True
    if refused:
        judge(day + 1, communications, person, member, spans, state)


@inlined
def end(
    days: Records,
    communications: Records,
    person: Any,
    draw: Any,
    counts: Records,
    spans: Records,
    total: Any,
    state: Any,
) -> None:
    """Close the books of one customer."""
    total.histogram[min(state.contacts, MOST_COUNTED)] += 1
    if state.alive:
        book_effects(len(days), draw.rate, person.value, days, spans, state)
        total.owed += state.debt
        for effect in range(state.active):
            total.owed += state.effect_owed[effect]
    last = len(days) - 1
    left = state.pending
    while left:
        c = lowest(left)
        left = without_lowest(left)
        counts[last].skips[communications[c].category, state.reason[c]] += 1
