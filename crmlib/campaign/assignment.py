"""Who is held back so that effects can be measured: by a salted hash, so that nobody moves when others arrive."""

from __future__ import annotations

from crmlib.campaign.plan import Communication, ContactPlan

#: Longest plan in periods of the holdout group.
MOST_PERIODS = 64

#: Unit that is drawn -> SQL of it, of a customer's columns in a table called ``a``.
UNITS = {"customer": "a.customer_id", "store": "a.home_store_id", "postcode": "a.postcode"}


def hash_share(*parts: str) -> str:
    """SQL of a number from 0 up to 1 that only depends on the parts.

    Parameters
    ----------
    *parts : str
        SQL of texts.

    Returns
    -------
    str
        The first 52 bits of their MD5, as a share.
    """
    text = " || ':' || ".join(parts)
    return f"(CAST('0x' || substr(md5({text}), 1, 13) AS BIGINT) / 4503599627370496.0)"


def control_condition(communication: Communication, salt: str, name: str) -> str:
    """SQL that says whether a customer is a control of a communication.

    Parameters
    ----------
    communication : Communication
    salt, name : str
        Names of the bound values: the plan's salt and the communication's id.
    """
    unit = UNITS[communication.control.unit]
    held = hash_share(f"${salt}", "'control'", f"${name}", f"coalesce({unit}, a.customer_id)")
    return f"{held} < {communication.control.share!r}"


def holdout_conditions(plan: ContactPlan, salt: str) -> list[str]:
    """SQL that says whether a customer is held out, for each period of the plan."""
    periods = min(-(-plan.plan.horizon_days // plan.holdout.rotate_days), MOST_PERIODS)
    share = plan.holdout.global_share
    return [
        f"{hash_share(f'${salt}', repr('holdout'), repr(str(period)), 'a.customer_id')} < {share!r}"
        for period in range(periods)
    ]


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
    drawn = hash_share(f"${salt}", "'variant'", f"${name}", customer)
    cases, upto = [], 0.0
    for variant in communication.variants[:-1]:
        upto += variant.share
        cases.append(f"WHEN {drawn} < {upto!r} THEN '{variant.id}'")
    last = f"'{communication.variants[-1].id}'"
    return f"CASE {' '.join(cases)} ELSE {last} END" if cases else last
