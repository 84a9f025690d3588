"""Whom to contact on one day, with what, and for every other candidate exactly one reason why not.

The day is decided by the same rules as in the simulation, with what really happened: events, sends, and our own
decisions that no send has answered. Capacity and budget are met exactly, the higher communications and the larger
expected margins first. Permission is checked again at the very end.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.arbitration import decide_day
from crmlib.campaign.assignment import variant_choice
from crmlib.campaign.calendar import last_day
from crmlib.campaign.encoding import EncodedPlan, contact_costs, encode_plan
from crmlib.campaign.members import gather_members, read_members
from crmlib.campaign.people import Chunk, PeopleTable, read_chunks
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.shapes import BUDGET, CAPACITY, REASONS, SENT, C
from crmlib.campaign.worth import expect_margin
from crmlib.engine import Engine, Step
from crmlib.errors import NothingToDo
from crmlib.params import CHANNELS

NOT_IN_AUDIENCE = len(REASONS)
#: Reasons in the order in which they are checked; the last two only for a real day.
DAY_REASONS = (*REASONS, "not_in_audience")

# Who shares an address with somebody who refused is not written to there.
REFUSED_ADDRESSES = Step(
    "refused_addresses",
    """
    SELECT DISTINCT t.channel,
           CASE WHEN t.channel = 'email' THEN lower(c.email)
                WHEN t.channel IN ('sms', 'call') THEN c.phone END AS address
    FROM told_permissions AS t
    JOIN customers AS c ON c.customer_id = t.customer_id
    WHERE t.purpose = 'marketing' AND NOT t.allowed
        AND t.reason IN ('withdrawn', 'objected', 'robinson', 'complaint', 'erased')
    """,
)

CHECKED_CONTACTS = Step(
    "checked_contacts",
    """
    SELECT d.row, d.communication,
           CASE
               WHEN coalesce(CASE c.purpose
                   WHEN 'marketing' THEN p.marketing WHEN 'profiling' THEN p.profiling ELSE p.service
               END, CASE c.purpose WHEN 'service' THEN 63 ELSE 0 END) & d.bit = 0 THEN 'no_permission'
               WHEN c.purpose <> 'service' AND r.address IS NOT NULL THEN 'address_refused'
           END AS refusal
    FROM day_candidates AS d
    JOIN plan_people AS e ON e.row = d.row
    JOIN day_communications AS c ON c.communication = d.communication
    LEFT JOIN permitted_channels AS p ON p.customer_id = e.customer_id
    LEFT JOIN customers AS g ON g.customer_id = e.customer_id
    LEFT JOIN refused_addresses AS r ON r.channel = d.channel
        AND r.address = CASE WHEN d.channel = 'email' THEN lower(g.email) ELSE g.phone END
    WHERE d.reason = 'sent'
    """,
)

PERMISSION_SNAPSHOTS = Step(
    "permission_snapshots",
    """
    SELECT d.row, d.communication,
           array_to_string(list_sort(list(t.channel || ' ' || t.purpose || ' ' || t.reason)), '; ') AS snapshot
    FROM day_candidates AS d
    JOIN plan_people AS e ON e.row = d.row
    JOIN day_communications AS c ON c.communication = d.communication
    JOIN told_permissions AS t ON t.customer_id = e.customer_id AND list_contains(c.channels, t.channel)
        AND (t.purpose = c.purpose OR (c.purpose = 'profiling' AND t.purpose = 'marketing'))
    GROUP BY d.row, d.communication
    """,
)

_DAY_DECISIONS = """
    WITH judged AS (
        SELECT d.row, d.communication, d.channel, d.expected_margin, coalesce(k.refusal, d.reason) AS reason
        FROM day_candidates AS d
        LEFT JOIN checked_contacts AS k ON k.row = d.row AND k.communication = d.communication
    ),
    named AS (
        SELECT e.customer_id, e.stage, j.*, c.communication_id, c.calls
        FROM judged AS j
        JOIN plan_people AS e ON e.row = j.row
        JOIN day_communications AS c ON c.communication = j.communication
    )
    SELECT CAST($contact_date AS DATE) AS contact_date, n.customer_id, n.communication_id,
           CASE WHEN n.reason = 'sent' THEN 'contact' WHEN n.reason IN ('global_holdout', 'control') THEN 'control'
                ELSE 'skip' END AS decision,
           CASE WHEN n.reason = 'sent' THEN n.calls ELSE n.reason END AS reason,
           CASE WHEN n.reason = 'sent' THEN n.channel END AS channel,
           CASE WHEN n.reason = 'sent' THEN {variant} END AS variant,
           n.expected_margin, s.snapshot AS permission_snapshot, n.stage
    FROM named AS n
    LEFT JOIN permission_snapshots AS s ON s.row = n.row AND s.communication = n.communication
    UNION ALL
    SELECT contact_date, customer_id, communication_id, 'contact', 'decided earlier, and no send has answered yet',
           channel, variant, expected_margin, permission_snapshot, stage
    FROM unanswered_decisions
"""


def decide_contacts(engine: Engine, plan: ContactPlan, everybody: PeopleTable, lifts: Floats) -> str:
    """Decide on every candidate of the contact date, which is the first day of `everybody`.

    Parameters
    ----------
    engine : Engine
        With what `find_reach`, `collect_history` and `gather_people` made for that day.
    plan : ContactPlan
    everybody : PeopleTable
    lifts : ndarray
        Relative lift of each communication, for the expected margin.

    Returns
    -------
    str
        ``day_decisions``, with the columns of `contact_decisions`; decisions of earlier days that no send has
        answered stand behind those of the day.

    Raises
    ------
    NothingToDo
        If the day lies outside the plan's horizon.
    """
    day = everybody.first_day
    if not plan.plan.start <= day <= last_day(plan):
        raise NothingToDo(
            f"The plan '{plan.id}' holds from {plan.plan.start} to {last_day(plan)}, and {day} is not in it."
        )
    gather_members(engine, plan, everybody)
    horizon = (last_day(plan) - day).days + 1
    encoded = encode_plan(plan, day, np.ones(horizon), lifts, k=1.0)
    spent = _read_spent(engine, plan, day)
    blocked = pd.DataFrame({"row": [], "communication": [], "channel": [], "why": []}, dtype="int64")
    while True:
        candidates = pd.concat(
            [
                _decide_chunk(engine, plan, encoded, everybody, chunk, lifts, blocked)
                for chunk in read_chunks(engine, everybody)
            ]
            or [_no_candidates()],
            ignore_index=True,
        )
        more = _find_excess(plan, candidates, spent, day)
        if more.empty:
            return _write_down(engine, plan, candidates, day)
        blocked = pd.concat([blocked, more], ignore_index=True)


def _decide_chunk(
    engine: Engine,
    plan: ContactPlan,
    encoded: EncodedPlan,
    everybody: PeopleTable,
    chunk: Chunk,
    lifts: Floats,
    blocked: pd.DataFrame,
) -> pd.DataFrame:
    """Candidates of some customers: row, communication, channel (-1: none), reason, expected_margin."""
    number, size = len(plan.communications), len(chunk.frame)
    members, contacts = read_members(engine, plan, everybody, chunk, lifts)
    open_days = encoded.communications["open_days"]
    due = members["due"][:, :number]
    called = (due <= 0) & (due + open_days > 0)
    called |= (encoded.days["due"][0] >> np.arange(number, dtype=np.uint64)) & np.uint64(1) == 1
    wanted = (members["audience"][:, None] >> np.arange(number, dtype=np.uint64)) & np.uint64(1) == 1
    pending = np.zeros(size, np.uint64)
    for place in range(number):
        pending |= (called & wanted)[:, place].astype(np.uint64) << np.uint64(place)
    full, spent = (_block(blocked, chunk, why) for why in (CAPACITY, BUDGET))
    choice, reason = np.full((size, C), -1, np.int8), np.full((size, C), NOT_IN_AUDIENCE, np.int8)
    decide_day(
        encoded.days,
        encoded.communications,
        encoded.caps,
        encoded.rules[0],
        chunk.people,
        members,
        contacts,
        pending,
        full,
        spent,
        choice,
        reason,
    )
    row, communication = np.nonzero(called)
    margin = expect_margin(plan, chunk.frame, lifts)
    return pd.DataFrame(
        {
            "row": row + chunk.first,
            "communication": communication,
            "channel": choice[row, communication].astype(np.int64),
            "reason": reason[row, communication].astype(np.int64),
            "expected_margin": margin[row, communication],
        }
    )


def _no_candidates() -> pd.DataFrame:
    empty = pd.DataFrame({"row": [], "communication": [], "channel": [], "reason": []}, dtype="int64")
    return empty.assign(expected_margin=pd.Series(dtype="float64"))


def _block(blocked: pd.DataFrame, chunk: Chunk, why: int) -> NDArray[np.uint8]:
    """Channels that are closed to a candidate, as sets."""
    sets = np.zeros((len(chunk.frame), C), np.uint8)
    own = blocked[(blocked["why"] == why) & blocked["row"].between(chunk.first, chunk.last - 1)]
    bits = np.left_shift(1, own["channel"].to_numpy(np.int64)).astype(np.uint8)
    np.bitwise_or.at(sets, (own["row"].to_numpy() - chunk.first, own["communication"].to_numpy()), bits)
    return sets


def _read_spent(engine: Engine, plan: ContactPlan, day: date) -> dict[str, float]:
    """What the plan's communications have cost since its start: total, this month, by channel."""
    rows = engine.rows(
        """
        SELECT channel, sum(cost) AS total, coalesce(sum(cost) FILTER (WHERE day >= $month), 0) AS month
        FROM contact_history
        WHERE day >= $start
        GROUP BY channel
        """,
        start=plan.plan.start,
        month=day.replace(day=1),
    )
    spent = {"total": 0.0, "month": 0.0}
    for row in rows:
        spent["total"] += row["total"]
        spent["month"] += row["month"]
        spent[f"by {row['channel']}"] = row["total"]
    return spent


def _find_excess(plan: ContactPlan, candidates: pd.DataFrame, spent: dict[str, float], day: date) -> pd.DataFrame:
    """Contacts beyond a capacity or the budget: the lower ones, and among equals those that promise less."""
    priority = np.array([one.priority for one in plan.communications])
    contacts = candidates[candidates["reason"] == SENT]
    first = ["priority", "expected_margin"] if plan.arbitration.mode == "priority" else ["expected_margin", "priority"]
    contacts = contacts.assign(priority=priority[contacts["communication"]]).sort_values(
        [*first, "row"], ascending=[False, False, True]
    )
    over = pd.Series(False, index=contacts.index)
    for channel, terms in plan.channels.items():
        if terms.capacity is not None:
            own = contacts["channel"] == CHANNELS.index(channel)
            over |= own & (own.cumsum() > terms.capacity)
    for place, communication in enumerate(plan.communications):
        if communication.capacity_per_day is not None:
            own = contacts["communication"] == place
            over |= own & (own.cumsum() > communication.capacity_per_day)
    full = contacts[over].assign(why=CAPACITY)
    paid = contacts[~over]
    cost = pd.Series(contact_costs(plan)[paid["communication"], paid["channel"]], index=paid.index)
    beyond = pd.Series(False, index=paid.index)
    for limit, before, own in _budgets(plan, spent, paid):
        beyond |= own & (cost > 0) & (before + (cost * own).cumsum() > limit + 1e-9)
    return pd.concat([full, paid[beyond].assign(why=BUDGET)])[["row", "communication", "channel", "why"]]


def _budgets(plan: ContactPlan, spent: dict[str, float], paid: pd.DataFrame) -> list[tuple[float, float, pd.Series]]:
    """Limit, what was spent before, and the contacts it is about."""
    every = pd.Series(True, index=paid.index)
    limits = [(plan.budget.total, spent["total"], every), (plan.budget.per_month, spent["month"], every)]
    for channel, limit in plan.budget.by_channel.items():
        limits.append((limit, spent.get(f"by {channel}", 0.0), paid["channel"] == CHANNELS.index(channel)))
    return [(limit, before, own) for limit, before, own in limits if limit is not None]


def _write_down(engine: Engine, plan: ContactPlan, candidates: pd.DataFrame, day: date) -> str:
    names = np.array([*CHANNELS, None], object)
    channel = candidates["channel"].to_numpy(np.int64)
    told = candidates.assign(
        bit=np.where(channel >= 0, np.left_shift(1, np.maximum(channel, 0)), 0),
        channel=pd.array(names[channel], dtype="string"),
        reason=pd.array(np.array([*DAY_REASONS, "sent"], object)[candidates["reason"]], dtype="string"),
    )
    engine.register("day_candidates", told)
    engine.register("day_communications", _list_communications(plan))
    engine.run(REFUSED_ADDRESSES)
    engine.run(CHECKED_CONTACTS)
    engine.run(PERMISSION_SNAPSHOTS)
    values: dict[str, Any] = {"contact_date": day, "salt": plan.holdout.salt}
    cases = []
    for place, communication in enumerate(plan.communications):
        if communication.variants:
            values[f"name{place}"] = communication.id
            chosen = variant_choice(communication, "salt", f"name{place}", "n.customer_id")
            cases.append(f"WHEN {place} THEN {chosen}")
    variant = f"CASE n.communication {' '.join(cases)} END" if cases else "CAST(NULL AS VARCHAR)"
    return engine.run(Step("day_decisions", _DAY_DECISIONS.format(variant=variant)), **values)


def _list_communications(plan: ContactPlan) -> pa.Table:
    rows = [
        {
            "communication": place,
            "communication_id": one.id,
            "purpose": one.purpose,
            "channels": list(one.channels),
            "calls": one.trigger.event if one.trigger else "calendar",
        }
        for place, one in enumerate(plan.communications)
    ]
    kinds = [
        ("communication", pa.int64()),
        ("communication_id", pa.string()),
        ("purpose", pa.string()),
        ("channels", pa.list_(pa.string())),
        ("calls", pa.string()),
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))
