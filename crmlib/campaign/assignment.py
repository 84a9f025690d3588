"""Who is held back so that effects can be measured: by a salted hash, so that nobody moves when others arrive."""

from __future__ import annotations

import math

from crmlib.campaign.communications import Communication
from crmlib.campaign.plan import ContactPlan

#: Longest plan in periods of the holdout group.
MOST_PERIODS = 64

#: Unit that is drawn -> SQL of it, of a customer's columns in a table called ``a``.
UNITS = {"customer": "a.customer_id", "store": "a.home_store_id", "postcode": "a.postcode"}


def falls_below(share: float, *parts: str) -> str:
    """SQL that says whether a number from 0 up to 1, which only depends on the parts, is below a share.

    Parameters
    ----------
    share : float
    *parts : str
        SQL of texts. The first 52 bits of their MD5 are the number; they are compared as they are written.
    """
    digits = f"{math.ceil(share * 2**52):013x}"
    text = " || ':' || ".join(parts)
    return f"md5({text}) < '{digits if len(digits) == 13 else 'g'}'"


def control_condition(communication: Communication, salt: str, name: str) -> str:
    """SQL that says whether a customer is a control of a communication.

    Parameters
    ----------
    communication : Communication
    salt, name : str
        Names of the bound values: the plan's salt and the communication's id.
    """
    unit = UNITS[communication.control.unit]
    drawn = f"coalesce({unit}, a.customer_id)"
    return falls_below(communication.control.share, f"${salt}", "'control'", f"${name}", drawn)


def holdout_conditions(plan: ContactPlan, salt: str) -> list[str]:
    """SQL that says whether a customer is held out, for each period of the plan."""
    periods = min(-(-plan.plan.horizon_days // plan.holdout.rotate_days), MOST_PERIODS)
    share = plan.holdout.global_share
    return [falls_below(share, f"${salt}", "'holdout'", f"'{period}'", "a.customer_id") for period in range(periods)]


def variant_choice(communication: Communication, salt: str, name: str, customer: str) -> str:
    """SQL of the variant a customer gets; NULL where there are none.

    Parameters
    ----------
    communication : Communication
    salt, name : str
        Names of the bound values: the plan's salt and the communication's id.
    customer : str
        SQL of the customer's id.
    """
    if not communication.variants:
        return "NULL"
    cases, upto = [], 0.0
    for variant in communication.variants[:-1]:
        upto += variant.share
        below = falls_below(upto, f"${salt}", "'variant'", f"${name}", customer)
        cases.append(f"WHEN {below} THEN '{variant.id}'")
    last = f"'{communication.variants[-1].id}'"
    return f"CASE {' '.join(cases)} ELSE {last} END" if cases else last
