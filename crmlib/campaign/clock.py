"""The operational clock of one customer: how fast it goes, what contacts do to it, when it strikes a purchase.

The clock advances rate · season · (1 + boost) a day, and a purchase happens when it has gone a gap: gamma with
shape k and mean 1. A contact boosts it for its window. Of the boost that was consumed a share is owed, and is
paid back after the window by a slower clock. Dropout is an exponential lifetime against a hazard per day.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crmlib.campaign.arbitration import Records
from crmlib.campaign.chance import LIFETIME, REACTIVATE, derive_key, draw_exponential, draw_gap, draw_uniform
from crmlib.campaign.compiling import inlined
from crmlib.campaign.shapes import MOST_EFFECTS

#: Largest part of a day's clock that goes to paying back.
PAYBACK_SHARE = 0.5


@inlined
def feel_contact(day: int, channel: int, communication: Any, rules: Any, counts: Records, state: Any) -> None:
    """What a contact does: pressure, perhaps an unsubscription, a boost, perhaps the return of one who was gone.

    Parameters
    ----------
    day, channel : int
    communication : COMMUNICATION
    rules : RULES
    counts : DAY_COUNT
    state : STATE
    """
    state.pressure *= rules.decay ** float(day - state.pressed)
    state.pressed = day
    state.patience[channel] -= rules.unsub_base[channel] * (1 + rules.unsub_slope * state.pressure)
    if state.patience[channel] <= 0 and (state.permitted[0] >> channel) & 1:
        state.permitted[0] &= ~np.uint8(1 << channel)
        state.permitted[1] &= ~np.uint8(1 << channel)
        counts[day].unsubscribes[channel] += 1
    tired = math.exp(-rules.response_decay * state.pressure)
    state.pressure += 1
    if communication.lift != 0.0 and state.active < MOST_EFFECTS:
        new = state.active
        state.effect_end[new] = day + communication.window
        state.effect_lift[new] = communication.lift * tired
        state.effect_pull[new] = communication.pull_forward
        state.effect_owed[new] = 0.0
        state.effect_category[new] = communication.category
        state.active = new + 1
    if not state.alive and communication.reactivate > 0:
        own = derive_key(state.key, communication.key)
        if draw_uniform(own, REACTIVATE, np.uint64(day)) < communication.reactivate * tired:
            state.alive, state.revived_by = True, communication.category
            state.lives += 1
            state.lifetime = draw_exponential(state.key, LIFETIME, np.uint64(state.lives))
            state.gaps += 1
            state.wait = draw_gap(state.key, state.gaps, rules.k)


@inlined
def advance(day: int, plain: float, hazard: float, value: float, counts: Records, state: Any) -> None:
    """Let the clock of one alive go on by a day.

    Parameters
    ----------
    day : int
    plain : float
        How far it goes without any contact.
    hazard : float
        Dropouts a day.
    value : float
        Margin of a purchase, for the credit of the categories.
    counts : DAY_COUNT
    state : STATE
    """
    if state.lifetime <= hazard:
        plain *= state.lifetime / hazard
        state.alive = False
    state.lifetime -= hazard
    boost = 0.0
    effect = 0
    while effect < state.active:
        if state.effect_end[effect] <= day:
            state.debt += state.effect_owed[effect]
            _drop_effect(effect, state)
        else:
            boost += state.effect_lift[effect]
            effect += 1
    standing = -1.0 / boost if boost < -1 else 1.0
    ahead = plain * (1 + boost * standing)
    paid = math.copysign(min(abs(state.debt), PAYBACK_SHARE * plain, ahead), state.debt)
    state.debt -= paid
    state.wait -= ahead - paid
    for effect in range(state.active):
        gained = plain * state.effect_lift[effect] * standing
        state.effect_owed[effect] += gained * state.effect_pull[effect]
        _credit(day, state.effect_category[effect], gained * (1 - state.effect_pull[effect]), value, counts)
    if state.revived_by >= 0:
        _credit(day, state.revived_by, plain, value, counts)


@inlined
def purchase(day: int, value: float, k: float, counts: Records, state: Any) -> None:
    """Book a purchase, and wind the clock up for the next."""
    state.gaps += 1
    state.wait += draw_gap(state.key, state.gaps, k)
    state.bought += 1
    counts[day].purchases += 1
    counts[day].margin += value


@inlined
def _credit(day: int, category: int, purchases: float, value: float, counts: Records) -> None:
    counts[day].credited_purchases[category] += purchases
    counts[day].credit[category] += purchases * value


@inlined
def _drop_effect(effect: int, state: Any) -> None:
    """Put the last effect in the place of one that has ended."""
    last = state.active - 1
    state.effect_end[effect], state.effect_category[effect] = state.effect_end[last], state.effect_category[last]
    state.effect_lift[effect], state.effect_pull[effect] = state.effect_lift[last], state.effect_pull[last]
    state.effect_owed[effect] = state.effect_owed[last]
    state.active = last
