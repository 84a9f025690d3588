"""Customers as the compiled parts need them: gathered in SQL for all, then read as records chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.assignment import control_condition, holdout_conditions
from crmlib.campaign.calendar import calendar_days, days_open
from crmlib.campaign.eligibility import show_audience, suppressed_set
from crmlib.campaign.expressions import read_condition
from crmlib.campaign.plan import CATEGORIES, LONGEST_CAP_DAYS, STAGES, ContactPlan
from crmlib.campaign.shapes import CONTACT, FAR, MARKETING, MEMBER, NEVER, PERSON, PROFILING, SERVICE
from crmlib.campaign.triggers import find_due
from crmlib.campaign.worth import find_priced_out, rank_communications
from crmlib.engine import Engine, Step, quote
from crmlib.params import CHANNELS

Records = NDArray[np.void]

#: Days over which abandoned carts are counted.
CART_DAYS = 182
CHUNK = 20_000

ABANDONED_CARTS = Step(
    "abandoned_carts",
    """
    SELECT i.customer_id, count(*) AS carts
    FROM web_events AS w
    JOIN identities AS i ON i.source = w.record_source AND i.source_record_id = w.source_record_id
    WHERE w.event = 'abandon' AND CAST(w.happened_at AS DATE) >= $first_day - to_days($cart_days)
    GROUP BY i.customer_id
    """,
)

_PEOPLE = """
    SELECT row_number() OVER (ORDER BY e.customer_id) - 1 AS row, e.customer_id,
           CAST('0x' || substr(md5(e.customer_id), 1, 15) AS BIGINT) AS key,
           coalesce(v.expected_value, 0) * $margin_share AS value,
           coalesce({expected}, 0) / {days} AS rate, v.{chance} AS p_buy, coalesce(v.p_alive, 0) AS p_alive,
           coalesce(c.carts, 0) / CAST($cart_days AS DOUBLE) AS cart_rate,
           p.frequency, p.recency, p.T, coalesce(p.frequency + 1, 0) AS bought,
           p.home_store_id AS store_id,
           CASE WHEN p.channel_shares IS NULL OR cardinality(p.channel_shares) = 0 THEN 1.0
                ELSE coalesce(p.channel_shares['store'], 0) END AS store_share,
           coalesce(date_diff('day', $first_day, p.last_purchase_date), $never) AS last_purchase,
           coalesce(l.stage, 'prospect') AS stage, l.since,
           r.marketing, r.profiling, r.service, r.address
    FROM everybody AS e
    JOIN reach AS r ON r.customer_id = e.customer_id
    LEFT JOIN purchase_summary AS p ON p.customer_id = e.customer_id
    LEFT JOIN customer_value AS v ON v.customer_id = e.customer_id
    LEFT JOIN lifecycle AS l ON l.customer_id = e.customer_id
    LEFT JOIN abandoned_carts AS c ON c.customer_id = e.customer_id
"""


@dataclass(frozen=True)
class PeopleTable:
    """Everybody, numbered.

    Parameters
    ----------
    table : str
        ``plan_people``.
    number : int
        Customers.
    first_day : date
        The day that is counted as 0.
    as_of_date : date
    horizon_days : int
        Of the calibrated chance of a purchase.
    stores : list of str
        Where they commonly buy.
    """

    table: str
    number: int
    first_day: date
    as_of_date: date
    horizon_days: int
    stores: list[str]

    @property
    def contacts(self) -> str:
        """The table of their past contacts: row, day, channel, category, communication_id."""
        return f"{self.table}_contacts"


@dataclass(frozen=True)
class Chunk:
    """Some customers as any plan meets them.

    Parameters
    ----------
    first, last : int
        Their numbers.
    frame : DataFrame
        key, value, rate (expected purchases a day), p_buy, p_alive, frequency, recency, T, and what `people` holds.
    people : PERSON
    """

    first: int
    last: int
    frame: pd.DataFrame
    people: Records


def gather_people(engine: Engine, first_day: date, as_of_date: date, margin_share: float) -> PeopleTable:
    """Gather what is known of every customer.

    Parameters
    ----------
    engine : Engine
        Holds ``everybody`` and ``reach`` (of `find_reach`), ``contact_history`` (of `collect_history`),
        `purchase_summary`, `customer_value`, `lifecycle`, `web_events`, `identities`.
    first_day, as_of_date : date
    margin_share : float
        Margin in the amount of a purchase.

    Returns
    -------
    PeopleTable
    """
    horizons = sorted(
        int(name.removeprefix("p_buy_").removesuffix("d"))
        for name in engine.columns("customer_value")
        if name.startswith("p_buy_")
    )
    days = horizons[-1] if horizons else 0
    chance, expected = "p_alive", "v.p_alive * p.frequency / nullif(p.T, 0)"
    if days:
        chance, expected = f"p_buy_{days}d", f"v.expected_purchases_{days}d"
    engine.run(ABANDONED_CARTS, first_day=first_day, cart_days=CART_DAYS)
    table = engine.run(
        Step("plan_people", _PEOPLE.format(chance=chance, expected=expected, days=float(max(days, 1)))),
        first_day=first_day,
        margin_share=margin_share,
        cart_days=CART_DAYS,
        never=NEVER,
    )
    show_audience(engine)
    stores = engine.frame(f"SELECT DISTINCT store_id FROM {table} WHERE store_id IS NOT NULL ORDER BY store_id")
    return _number(engine, PeopleTable(table, 0, first_day, as_of_date, days, stores["store_id"].tolist()))


def sample_people(engine: Engine, everybody: PeopleTable, most: int, name: str = "plan_sample") -> PeopleTable:
    """A sample of the customers, by their keys: whoever is in it stays in it when others arrive.

    Parameters
    ----------
    engine : Engine
    everybody : PeopleTable
    most : int
        Customers wanted, about.
    name : str
        Of the table that is made.
    """
    every = max(1, round(everybody.number / max(most, 1)))
    sql = f"""
        SELECT row_number() OVER (ORDER BY row) - 1 AS row, * EXCLUDE (row)
        FROM {everybody.table}
        WHERE key % $every = 0
    """
    return _number(engine, replace(everybody, table=engine.run(Step(name, sql), every=every)))


def _number(engine: Engine, everybody: PeopleTable) -> PeopleTable:
    """Count the customers, and put their past contacts beside them, by row."""
    sql = f"""
        SELECT p.row, date_diff('day', $first_day, h.day) AS day, h.channel, h.category, h.communication_id
        FROM contact_history AS h
        JOIN {everybody.table} AS p ON p.customer_id = h.customer_id
        ORDER BY p.row, h.day, h.communication_id
    """
    engine.run(Step(everybody.contacts, sql), first_day=everybody.first_day)
    return replace(everybody, number=engine.row(f"SELECT count(*) AS n FROM {everybody.table}")["n"])


def read_chunks(engine: Engine, everybody: PeopleTable, size: int = CHUNK) -> Iterator[Chunk]:
    """Read customers as records, some at a time; `enter_after` is left to the simulation.

    Parameters
    ----------
    engine : Engine
    everybody : PeopleTable
    size : int
        Customers at a time.
    """
    for first in range(0, everybody.number, size):
        last = min(first + size, everybody.number)
        frame = engine.frame(
            f"SELECT * EXCLUDE (customer_id) FROM {everybody.table} WHERE row >= $first AND row < $last ORDER BY row",
            first=first,
            last=last,
        )
        people = np.zeros(len(frame), PERSON)
        for name in ("value", "cart_rate", "bought", "last_purchase", "address", "store_share"):
            people[name] = frame[name].to_numpy()
        people["store"] = _places(frame["store_id"], everybody.stores)
        people["stage"] = _places(frame["stage"], STAGES)
        for purpose, name in ((MARKETING, "marketing"), (PROFILING, "profiling"), (SERVICE, "service")):
            people["permitted"][:, purpose] = frame[name].to_numpy()
        yield Chunk(first, last, frame, people)


def read_stage_days(engine: Engine, everybody: PeopleTable, chunk: Chunk) -> NDArray[np.int64]:
    """Days without a purchase after which each customer of a chunk enters the stages; `FAR` for who never bought.

    Parameters
    ----------
    engine : Engine
        Holds ``stage_days``: frequency, recency, after0 to after4.
    everybody : PeopleTable
    chunk : Chunk
    """
    names = [f"after{place}" for place in range(5)]
    frame = engine.frame(
        f"""
        SELECT {", ".join(f"coalesce(s.{name}, {FAR}) AS {name}" for name in names)}
        FROM {everybody.table} AS p
        LEFT JOIN stage_days AS s ON s.frequency = p.frequency AND s.recency = p.recency
        WHERE p.row >= $first AND p.row < $last
        ORDER BY p.row
        """,
        first=chunk.first,
        last=chunk.last,
    )
    days: NDArray[np.int64] = frame[names].to_numpy(np.int64)
    return days


def gather_members(engine: Engine, plan: ContactPlan, everybody: PeopleTable) -> str:
    """Gather what a plan makes of every customer: audiences, controls, holdout group, and what real events make due.

    Parameters
    ----------
    engine : Engine
        Holds ``audience_columns``, ``reach``, ``contact_history`` and `plan_people`.
    plan : ContactPlan
    everybody : PeopleTable

    Returns
    -------
    str
        ``members_<plan>_of_<people>``: row, audience, control, held_out, suppressed. Beside it stands ``due_…``.
    """
    values: dict[str, Any] = {"salt": plan.holdout.salt, "as_of_date": everybody.as_of_date}
    audience, control = ["0"], ["0"]
    for place, communication in enumerate(plan.communications):
        values[f"name{place}"] = communication.id
        wanted = "true"
        if communication.where is not None:
            condition = read_condition(communication.where, f"w{place}_")
            values |= condition.values
            wanted = condition.sql
        audience.append(f"CASE WHEN {wanted} THEN {1 << place} ELSE 0 END")
        if communication.control.share > 0:
            held = control_condition(communication, "salt", f"name{place}")
            control.append(f"CASE WHEN {wanted} THEN CASE WHEN {held} THEN {1 << place} ELSE 0 END ELSE 0 END")
    held_out = ["0"]
    if plan.holdout.global_share > 0:
        held_out += [
            f"CASE WHEN {held} THEN {1 << period} ELSE 0 END"
            for period, held in enumerate(holdout_conditions(plan, "salt"))
        ]
    promotion, service = suppressed_set(plan)
    sql = f"""
        SELECT p.row, {" | ".join(audience)} AS audience, {" | ".join(control)} AS control,
               {" | ".join(held_out)} AS held_out, {promotion} | ({service}) * 2 AS suppressed
        FROM {everybody.table} AS p
        JOIN audience_columns AS a ON a.customer_id = p.customer_id
        JOIN reach AS r ON r.customer_id = p.customer_id
        ORDER BY p.row
    """
    find_due(engine, plan, everybody.first_day, "due")
    due = f"""
        SELECT p.row, d.communication, date_diff('day', $first_day, d.due_on) AS day
        FROM due AS d
        JOIN {everybody.table} AS p ON p.customer_id = d.customer_id
        ORDER BY p.row
    """
    engine.run(Step(_name("due", plan, everybody), due), first_day=everybody.first_day)
    return engine.run(Step(_name("members", plan, everybody), sql), **values)


def restrict_members(engine: Engine, plan: ContactPlan, everybody: PeopleTable, few: PeopleTable) -> None:
    """Gather of some customers what is gathered of all: as `gather_members` would.

    Parameters
    ----------
    engine : Engine
    plan : ContactPlan
        Of which `gather_members` has run for `everybody`.
    everybody, few : PeopleTable
    """
    for what in ("members", "due"):
        sql = f"""
            SELECT f.row, m.* EXCLUDE (row)
            FROM {quote(_name(what, plan, everybody))} AS m
            JOIN {everybody.table} AS p ON p.row = m.row
            JOIN {few.table} AS f ON f.customer_id = p.customer_id
            ORDER BY f.row
        """
        engine.run(Step(_name(what, plan, few), sql))


def read_members(
    engine: Engine, plan: ContactPlan, everybody: PeopleTable, chunk: Chunk, lifts: Floats
) -> tuple[Records, Records]:
    """Read customers as one plan meets them.

    Parameters
    ----------
    engine : Engine
    plan : ContactPlan
        Of which `gather_members` has run.
    everybody : PeopleTable
    chunk : Chunk
    lifts : ndarray
        Relative lift of each communication.

    Returns
    -------
    (MEMBER, CONTACT)
        Members, a row each; their contacts of the last `LONGEST_CAP_DAYS` days.
    """
    window = {"first": chunk.first, "last": chunk.last}
    rows = engine.frame(
        f"SELECT * FROM {quote(_name('members', plan, everybody))} WHERE row >= $first AND row < $last ORDER BY row",
        **window,
    )
    members = np.zeros(len(rows), MEMBER)
    for name in ("audience", "control", "held_out", "suppressed"):
        members[name] = rows[name].to_numpy()
    members["last_sent"], members["due"] = NEVER, NEVER
    due = engine.frame(
        f"""
        SELECT row - $first AS row, communication, day
        FROM {quote(_name("due", plan, everybody))}
        WHERE row >= $first AND row < $last
        """,
        **window,
    )
    members["due"][due["row"], due["communication"]] = due["day"]
    contacts = _read_contacts(engine, plan, everybody, chunk)
    known = contacts[contacts["communication"] >= 0]
    np.maximum.at(members["last_sent"], (known["person"], known["communication"]), known["day"])
    _keep_open(members, plan, everybody.first_day)
    recent = contacts[(contacts["day"] > -LONGEST_CAP_DAYS) & ~_is_service(contacts, plan)]
    members["history_start"] = np.searchsorted(recent["person"], np.arange(len(rows)), side="left")
    members["history_end"] = np.searchsorted(recent["person"], np.arange(len(rows)), side="right")
    members["order"][:, : len(plan.communications)] = rank_communications(plan, chunk.frame, chunk.people, lifts)
    members["priced_out"] = find_priced_out(plan, chunk.frame, chunk.people, lifts)
    return members, recent


def _read_contacts(engine: Engine, plan: ContactPlan, everybody: PeopleTable, chunk: Chunk) -> Records:
    """Past contacts of a chunk, by row and day; of a communication the plan knows, the plan says the category."""
    frame = engine.frame(
        f"""
        SELECT row - $first AS person, day, channel, category, communication_id
        FROM {everybody.contacts}
        WHERE row >= $first AND row < $last
        ORDER BY person, day, communication_id
        """,
        first=chunk.first,
        last=chunk.last,
    )
    contacts = np.zeros(len(frame), CONTACT)
    contacts["person"], contacts["day"] = frame["person"], frame["day"]
    contacts["channel"] = _places(frame["channel"], CHANNELS)
    contacts["communication"] = _places(frame["communication_id"], [one.id for one in plan.communications])
    own = np.array([CATEGORIES.index(one.category) for one in plan.communications] + [-1])
    known = own[contacts["communication"]]
    contacts["category"] = np.where(known >= 0, known, _places(frame["category"], CATEGORIES))
    return contacts


def _keep_open(members: Records, plan: ContactPlan, first_day: date) -> None:
    """What the calendar made due before the first day, is still open, and was not sent since."""
    for place, communication in enumerate(plan.communications):
        past = [(day - first_day).days for day in calendar_days(plan, communication) if day < first_day]
        if past and past[-1] + days_open(communication) > 0:
            waiting = members["last_sent"][:, place] < past[-1]
            members["due"][:, place] = np.where(waiting, past[-1], NEVER)


def _is_service(contacts: Records, plan: ContactPlan) -> NDArray[np.bool_]:
    service = np.array([one.purpose == "service" for one in plan.communications] + [False])
    found: NDArray[np.bool_] = service[contacts["communication"]]
    return found


def _places(names: pd.Series, known: Sequence[str]) -> NDArray[np.int64]:
    """Place of each name among those known; -1 for others."""
    return np.asarray(pd.Index(list(known), dtype="object").get_indexer(pd.Index(names.astype(object))), np.int64)


def _name(what: str, plan: ContactPlan, everybody: PeopleTable) -> str:
    return f"{what}_{plan.id}_of_{everybody.table}"
