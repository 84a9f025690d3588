"""The operational clock of one customer: how fast it goes, what contacts do to it, when it strikes a purchase.

The clock advances rate · season · (1 + boost) a day, and a purchase happens when it has gone a gap: gamma with
shape k and mean 1. A contact boosts it for its window. Of the boost that was consumed a share is owed, and is
paid back after the window by a slower clock. Dropout is an exponential lifetime against a hazard per day.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crmlib.campaign.chance import (
    LIFETIME,
    REACTIVATE,
    UNSUBSCRIBE,
    derive_key,
    draw_exponential,
    draw_gap,
    draw_uniform,
)
from crmlib.campaign.compiling import inlined
from crmlib.campaign.shapes import FAR, MOST_EFFECTS
from crmlib.campaign.spans import note_gain
from crmlib.campaign.terms import Records

#: Largest part of a day's clock that goes to paying back.
PAYBACK_SHARE = 0.5


@inlined
def feel_contact(day: int, channel: int, communication: Any, rules: Any, counts: Records, state: Any) -> bool:
    """What a contact does: pressure, perhaps an unsubscription, a boost, perhaps the return of one who was gone.

    Parameters
    ----------
    day, channel : int
    communication : COMMUNICATION
    rules : RULES
    counts : DAY_COUNT
    state : STATE

    Returns
    -------
    bool
        Whether the customer has unsubscribed.
    """
    state.pressure *= rules.fading[day - state.pressed]
    state.pressed = day
    left = _lose_patience(channel, rules, state)
    if left:
        counts[day].unsubscribes[channel] += 1
    tired = math.exp(-rules.response_decay * state.pressure)
    state.pressure += 1
    if communication.lift != 0.0 and state.active < MOST_EFFECTS:
        new = state.active
        state.effect_since[new], state.effect_end[new] = day, day + communication.window
        state.effect_lift[new] = communication.lift * tired
        state.effect_pull[new] = communication.pull_forward
        state.effect_owed[new] = 0.0
        state.effect_category[new] = communication.category
        state.active = new + 1
        state.boost += state.effect_lift[new]
        state.next_end = min(state.next_end, state.effect_end[new])
    if not state.alive and communication.reactivate > 0:
        own = derive_key(state.key, communication.key)
        if draw_uniform(own, REACTIVATE, np.uint64(day)) < communication.reactivate * tired:
            _revive(day, communication.category, rules.k, state)
    return left


@inlined
def _lose_patience(channel: int, rules: Any, state: Any) -> bool:
    """Whether a contact makes the customer unsubscribe from its channel."""
    if not (state.tried >> channel) & 1:
        state.tried |= np.uint8(1 << channel)
        state.patience[channel] = draw_exponential(state.key, UNSUBSCRIBE, np.uint64(channel))
    state.patience[channel] -= rules.unsub_base[channel] * (1 + rules.unsub_slope * state.pressure)
    if state.patience[channel] > 0 or not (state.permitted[0] >> channel) & 1:
        return False
    state.permitted[0] &= ~np.uint8(1 << channel)
    state.permitted[1] &= ~np.uint8(1 << channel)
    return True


@inlined
def _revive(day: int, category: int, k: float, state: Any) -> None:
    state.alive, state.revived_by = True, category
    state.lives += 1
    state.lifetime = draw_exponential(state.key, LIFETIME, np.uint64(state.lives))
    state.gaps += 1
    state.wait = draw_gap(state.key, state.gaps, k)
    for effect in range(state.active):
        state.effect_since[effect] = day


@inlined
def advance(
    day: int, rate: float, hazard: float, value: float, days: Records, counts: Records, spans: Records, state: Any
) -> None:
    """Let the clock of one alive go on by a day.

    Parameters
    ----------
    day : int
    rate : float
        How far it goes on a day like others without any contact.
    hazard : float
        Dropouts a day.
    value : float
        Margin of a purchase, for the credit of the categories.
    days, counts, spans : DAY, DAY_COUNT, SPAN
    state : STATE
    """
    if state.next_end <= day:
        _end_effects(day, rate, value, days, spans, state)
    plain = rate * days[day].season
    if state.lifetime <= hazard:
        plain *= state.lifetime / hazard
        state.alive = False
    state.lifetime -= hazard
    if state.boost < -1:
        _credit_effects(day, plain * (-1 / state.boost - 1), value, counts, state)
        ahead = 0.0
    else:
        ahead = plain * (1 + state.boost)
    if state.debt != 0.0:
        paid = math.copysign(min(abs(state.debt), PAYBACK_SHARE * plain, ahead), state.debt)
        state.debt -= paid
        ahead -= paid
    state.wait -= ahead
    if state.revived_by >= 0:
        _credit(day, state.revived_by, plain, value, counts)
    if not state.alive:
        book_effects(day, rate, value, days, spans, state)
        _credit_effects(day, plain, value, counts, state)


@inlined
def purchase(day: int, value: float, k: float, counts: Records, state: Any) -> None:
    """Book a purchase, and wind the clock up for the next."""
    state.gaps += 1
    state.wait += draw_gap(state.key, state.gaps, k)
    state.bought += 1
    counts[day].purchases += 1
    counts[day].margin += value


@inlined
def book_effects(end: int, rate: float, value: float, days: Records, spans: Records, state: Any) -> None:
    """Book what the effects at work bring on whole days before a day."""
    for effect in range(state.active):
        _book_effect(effect, end, rate, value, days, spans, state)


@inlined
def _book_effect(effect: int, end: int, rate: float, value: float, days: Records, spans: Records, state: Any) -> None:
    first, category = state.effect_since[effect], state.effect_category[effect]
    if first >= end:
        return
    gain, pull = rate * state.effect_lift[effect], state.effect_pull[effect]
    note_gain(first, end, category, gain * (1 - pull), value, spans)
    passed = days[end - 1].gone + days[end - 1].season - days[first].gone
    state.effect_owed[effect] += passed * gain * pull
    state.effect_since[effect] = end


@inlined
def _credit_effects(day: int, plain: float, value: float, counts: Records, state: Any) -> None:
    """Book what the effects at work bring by a part of a day; below 0 where the clock stands.

    Contacts that repel by more than there is have each its part of what there is.
    """
    for effect in range(state.active):
        gained, pull = plain * state.effect_lift[effect], state.effect_pull[effect]
        state.effect_owed[effect] += gained * pull
        _credit(day, state.effect_category[effect], gained * (1 - pull), value, counts)


@inlined
def _end_effects(day: int, rate: float, value: float, days: Records, spans: Records, state: Any) -> None:
    """Let end what is no longer at work on a day: what it owes is paid back from now on."""
    state.next_end, state.boost = FAR, 0.0
    effect = 0
    while effect < state.active:
        if state.effect_end[effect] <= day:
            _book_effect(effect, state.effect_end[effect], rate, value, days, spans, state)
            state.debt += state.effect_owed[effect]
            _drop_effect(effect, state)
        else:
            state.boost += state.effect_lift[effect]
            state.next_end = min(state.next_end, state.effect_end[effect])
            effect += 1


@inlined
def _credit(day: int, category: int, purchases: float, value: float, counts: Records) -> None:
    counts[day].credited_purchases[category] += purchases
    counts[day].credit[category] += purchases * value


@inlined
def _drop_effect(effect: int, state: Any) -> None:
    """Put the last effect in the place of one that has ended."""
    last = state.active - 1
    state.effect_since[effect], state.effect_end[effect] = state.effect_since[last], state.effect_end[last]
    state.effect_category[effect], state.effect_lift[effect] = state.effect_category[last], state.effect_lift[last]
    state.effect_pull[effect], state.effect_owed[effect] = state.effect_pull[last], state.effect_owed[last]
    state.active = last
