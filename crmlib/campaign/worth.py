"""What a contact is expected to be worth: its margin less its cost, and less what its limits are worth elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.encoding import communication_keys, contact_costs
from crmlib.campaign.notation import PURPOSES
from crmlib.campaign.plan import ContactPlan
from crmlib.params import CHANNELS

Records = NDArray[np.void]

#: Days over which a customer who comes back is counted.
RETURN_DAYS = 91
#: Who enters these stages is thought gone.
GONE_STAGES = ("dormant", "lost")


def expect_gross(plan: ContactPlan, frame: pd.DataFrame, lifts: Floats) -> Floats:
    """Margin that one contact of each communication is expected to bring from each customer, its cost apart.

    Parameters
    ----------
    plan : ContactPlan
    frame : DataFrame
        Columns rate (expected purchases a day), value (margin of a purchase), p_alive, frequency, recency (days).
    lifts : ndarray
        Relative lift of each communication.

    Returns
    -------
    ndarray, customers × communications
        What is only pulled forward is taken off; of one who is gone, what a return would bring in `RETURN_DAYS`.
    """
    responses = [communication.response for communication in plan.communications]
    kept = np.array([lift * one.window * (1 - one.pull_forward) for one, lift in zip(responses, lifts, strict=True)])
    value = frame["value"].to_numpy(float)
    gross: Floats = np.outer(frame["rate"].to_numpy(float) * value, kept)
    back = np.array([one.reactivate for one in responses])
    if back.any():
        recency = frame["recency"].to_numpy(float)
        pace = np.divide(frame["frequency"].to_numpy(float), recency, out=np.zeros(len(frame)), where=recency > 0)
        gone = np.repeat((1 - frame["p_alive"].to_numpy(float))[:, None], len(back), axis=1)
        gone[:, [_calls_the_gone(plan, place) for place in range(len(back))]] = 1.0
        gross += gone * np.outer(pace * value * RETURN_DAYS, back)
    return gross


def expect_margin(plan: ContactPlan, frame: pd.DataFrame, lifts: Floats) -> Floats:
    """Margin that each communication is expected to bring from each customer, less its cost on the first channel.

    Parameters
    ----------
    plan, frame, lifts : see `expect_gross`

    Returns
    -------
    ndarray, customers × communications
    """
    first = [CHANNELS.index(one.channels[0]) for one in plan.communications]
    margin: Floats = expect_gross(plan, frame, lifts) - contact_costs(plan)[np.arange(len(first)), first]
    return margin


def expect_worth(plan: ContactPlan, frame: pd.DataFrame, people: Records, lifts: Floats) -> Floats:
    """Margin that each communication is expected to bring beyond its cost and the prices of the plan's limits.

    Parameters
    ----------
    plan, frame, lifts : see `expect_gross`
    people : PERSON

    Returns
    -------
    ndarray, customers × communications
        On the first channel by which each customer can be reached.
    """
    prices = plan.arbitration.prices
    by_channel = {str(channel): price for channel, price in prices.channels.items()}
    own = np.array([prices.communications.get(one.id, 0.0) for one in plan.communications])
    charge = contact_costs(plan) * (1 + prices.money) + np.array([by_channel.get(name, 0.0) for name in CHANNELS])
    charge += own[:, None] + prices.contact
    channel = find_first_channels(plan, people)
    places = np.arange(len(plan.communications))
    worth: Floats = expect_gross(plan, frame, lifts) - charge[places, np.maximum(channel, 0)]
    return worth


def find_first_channels(plan: ContactPlan, people: Records) -> NDArray[np.int64]:
    """The first channel of each communication by which each customer may be reached; -1 where there is none.

    Returns
    -------
    ndarray, customers × communications
    """
    found = np.full((len(people), len(plan.communications)), -1)
    for place, communication in enumerate(plan.communications):
        open_ = people["permitted"][:, PURPOSES.index(communication.purpose)] & people["address"]
        for channel in reversed(communication.channels):
            number = CHANNELS.index(channel)
            found[(open_ >> number) & 1 == 1, place] = number
    return found


def find_priced_out(plan: ContactPlan, frame: pd.DataFrame, people: Records, lifts: Floats) -> NDArray[np.uint64]:
    """Sets of communications that are not worth their price to a customer; service messages have none.

    Parameters
    ----------
    plan, frame, people, lifts : see `expect_worth`
    """
    found = np.zeros(len(people), np.uint64)
    if plan.arbitration.mode == "optimiser":
        worth = expect_worth(plan, frame, people, lifts)
        for place, communication in enumerate(plan.communications):
            if communication.purpose != "service":
                found |= (worth[:, place] <= 0).astype(np.uint64) << np.uint64(place)
    return found


def rank_communications(plan: ContactPlan, frame: pd.DataFrame, people: Records, lifts: Floats) -> NDArray[np.int8]:
    """The order in which communications are served, for each customer.

    Parameters
    ----------
    plan : ContactPlan
        Its mode first, then its tie-breaks; which is due longest is not known ahead.
    frame, people, lifts : see `expect_worth`

    Returns
    -------
    ndarray of int8, customers × communications
    """
    if plan.arbitration.mode == "optimiser":
        margin = expect_worth(plan, frame, people, lifts)
    else:
        margin = expect_margin(plan, frame, lifts)
    keys = communication_keys(plan)
    priority = np.array([communication.priority for communication in plan.communications], float)
    sorters = {
        "expected_margin": -margin,
        "priority": np.broadcast_to(-priority, margin.shape),
        "hash": np.broadcast_to(keys, margin.shape),
    }
    first = ["priority"] if plan.arbitration.mode == "priority" else ["expected_margin", "priority"]
    wanted = [name for name in [*first, *plan.arbitration.tie_break, "hash"] if name in sorters]
    order = np.lexsort([sorters[name] for name in reversed(wanted)], axis=1)
    return order.astype(np.int8)


def _calls_the_gone(plan: ContactPlan, place: int) -> bool:
    trigger = plan.communications[place].trigger
    return trigger is not None and trigger.state in GONE_STAGES
