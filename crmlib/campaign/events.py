"""What happens to a simulated customer and calls for something: stages that are entered, purchases, abandoned carts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crmlib.campaign.bits import bit, has, lowest, without_lowest
from crmlib.campaign.chance import CART, draw_uniform
from crmlib.campaign.compiling import inlined
from crmlib.campaign.shapes import (
    ANNIVERSARY,
    CALLED_OFF,
    DUE,
    ENTER_STATE,
    FAR,
    NEVER,
    NEW,
    ON_RHYTHM,
    PURCHASE,
    REACTIVATED,
)
from crmlib.campaign.terms import Records

REACTIVATED_DAYS = 28


@inlined
def enter_stages(day: int, communications: Records, rules: Any, person: Any, member: Any, state: Any) -> None:
    """The stage as it is known in the morning, by the days from the last purchase to the evening before."""
    state.next_stage = _next_stage(day, person, state)
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
    call(ENTER_STATE, entered, day - 1, communications, rules, member, state)


@inlined
def _next_stage(day: int, person: Any, state: Any) -> int:
    """The first morning after a day on which the stage may change if nothing is bought."""
    if state.last_purchase == NEVER:
        return FAR
    if day < state.reactivated_until:
        return int(state.reactivated_until + 1)
    following = FAR
    if day == state.reactivated_until:
        following = day + 1
    for place in range(5):
        entered = state.last_purchase + 1 + person.enter_after[place]
        if entered > day:
            following = min(following, entered)
    return int(following)


@inlined
def call(event: int, detail: int, day: int, communications: Records, rules: Any, member: Any, state: Any) -> None:
    """Note when the communications that an event of a day calls for are due, the next day or later.

    One that an earlier event has called for already is due when that one said.
    """
    left = rules.answers[event] & member.audience
    while left:
        c = lowest(left)
        left = without_lowest(left)
        one = communications[c]
        if (event == ENTER_STATE or (event == PURCHASE and one.detail != 0)) and one.detail != detail:
            continue
        if state.due[c] == NEVER:
            state.due[c] = day + max(1, one.delay)
            state.next_due = min(state.next_due, state.due[c])


@inlined
def answer_purchase(
    day: int, communications: Records, rules: Any, person: Any, member: Any, counts: Records, state: Any
) -> None:
    """What a purchase calls off and calls for, and the stage it leads to."""
    came_back = DUE + 2 <= state.stage <= DUE + 4
    state.last_purchase = day
    state.stage = REACTIVATED if came_back else ON_RHYTHM
    state.reactivated_until = day + REACTIVATED_DAYS if came_back else NEVER
    if rules.answers[ENTER_STATE] & member.audience:
        state.next_stage = _next_stage(day, person, state)
    left = rules.called_off & member.audience
    while left:
        c = lowest(left)
        left = without_lowest(left)
        if communications[c].event != ANNIVERSARY:
            state.due[c] = NEVER
        if has(state.pending, c):
            counts[day].skips[communications[c].category, CALLED_OFF] += 1
            state.pending &= ~bit(c)
    call(PURCHASE, state.bought, day, communications, rules, member, state)
    if came_back:
        call(ENTER_STATE, REACTIVATED, day, communications, rules, member, state)


@inlined
def await_cart(day: int, rate: float, state: Any) -> int:
    """The next day on which a cart is abandoned, if each day has the same chance."""
    state.carts += 1
    if rate >= 1:
        return day + 1
    chance = draw_uniform(state.key, CART, np.uint64(state.carts))
    return int(min(day + 1 + math.floor(math.log(chance) / math.log1p(-rate)), float(FAR)))
