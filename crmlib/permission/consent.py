"""What each customer allows, by channel and purpose: consent as evidence over time, and what overrules it.

The latest decision counts, by the time it was made and not by when it was delivered; at the same moment a withdrawal
wins. A grant counts only if it is confirmed and its record is surely the customer's; a withdrawal always does.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from crmlib.engine import Engine, Step
from crmlib.params import PermissionSettings
from crmlib.permission.evidence import (
    ASKED_CHANNELS,
    ASKED_PURPOSES,
    EVENT_BITS,
    EVENTS,
    GRANTED,
    NUMBERED_CUSTOMERS,
    NUMBERED_RECORDS,
    OTHER_PURPOSES,
    OUTCOME_BITS,
    QUESTION_BITS,
    REACTIONS,
    READ_CONSENTS,
    SAID,
    STATED_CONSENTS,
    choose,
    is_named,
    is_other,
    name_channel,
    name_outcome,
    number_question,
    read_channel,
    read_event,
    read_moment,
    read_outcome,
)


def _allows(answer: str, interest: str) -> str:
    """Whether an answer is a yes: a grant that is not too old, or an interest that nobody answered."""
    return (
        f"CASE WHEN {answer} IS NULL THEN {interest} "
        f"ELSE {read_outcome(answer)} = {GRANTED} AND {answer} >= $expired_before END"
    )


def _answer(*purposes: str) -> str:
    """The weight that decides of a purpose, as SQL of grouped events: those of one group have one of the purposes."""
    counts, waits = (
        f"max(CASE WHEN purpose IN {purposes} AND outcome {which} THEN weight END)"
        for which in (f">= {GRANTED}", f"< {GRANTED}")
    )
    return choose(counts, waits)


_ASKED_OR_OTHER = tuple(zip(ASKED_PURPOSES, OTHER_PURPOSES, strict=True))

# Each customer and channel of which anything was said once, two purposes beside each other: those that are asked, and
# in rows of their own the two others. Every column more is one more to fill for each of the millions of groups.
ANSWERS = Step(
    "answers",
    f"""
    SELECT {number_question("customer_no", "channel_no", f"purpose IN {OTHER_PURPOSES}")} AS question_no,
           {", ".join(f"{_answer(*pair)} AS {'_or_'.join(pair)}" for pair in _ASKED_OR_OTHER)}
    FROM events
    GROUP BY question_no
    """,
)

RECENT_BUYERS = Step(
    "recent_buyers",
    """
    SELECT i.customer_id, max(t.bought_on) AS bought_on
    FROM tickets t
    JOIN identities i ON i.source = t.record_source AND i.source_record_id = t.source_record_id
    WHERE $interested AND (t.amount IS NULL OR t.amount > 0)
    GROUP BY i.customer_id
    """,
)

# Where records disagree on the age, the youngest counts: putting records together lets nobody be asked.
BARRED = Step(
    "barred_customers",
    """
    WITH listed AS (
        SELECT customer_id,
               min({
                   'place': CASE list WHEN 'deceased' THEN 1 WHEN 'robinson' THEN 2 WHEN 'employee' THEN 3 ELSE 4 END,
                   'reason': CASE list WHEN 'internal' THEN 'internal_list' ELSE list END,
                   'listed_at': CAST(listed_on AS TIMESTAMPTZ),
                   'source': source
               }) AS entry
        FROM listed_customers
        GROUP BY customer_id
    ),
    minors AS (
        SELECT customer_id FROM numbered_customers WHERE birth_date > $adult_from
        UNION
        SELECT n.customer_id
        FROM source_records r
        JOIN numbered_records n ON n.source = r.source AND n.source_record_id = r.source_record_id
        WHERE r.birth_date > $adult_from AND r.birth_date <= $as_of_date AND NOT n.deleted
    )
    SELECT coalesce(l.customer_id, m.customer_id) AS customer_id, coalesce(l.entry.reason, 'minor') AS reason,
           'list ' || l.entry.reason || ' ' || l.entry.source AS event, l.entry.listed_at AS since
    FROM listed l
    FULL JOIN minors m ON m.customer_id = l.customer_id
    """,
)

PEOPLE = Step(
    "people",
    """
    SELECT c.customer_id, c.customer_no, x.reason AS barred, x.event AS barred_by, x.since AS barred_from,
           date_diff('day', b.bought_on, $as_of_date) AS bought_days_ago
    FROM numbered_customers c
    LEFT JOIN recent_buyers b ON b.customer_id = c.customer_id
    LEFT JOIN barred_customers x ON x.customer_id = c.customer_id
    """,
)

_OTHERS = " UNION ALL ".join(
    f"SELECT question_no, CASE WHEN {is_other('question_no')} THEN '{other}' ELSE '{asked}' END AS purpose, "
    f"{asked}_or_{other} AS answer FROM answers "
    f"WHERE {asked}_or_{other} IS NOT NULL "
    f"AND ({is_other('question_no')} OR {read_channel('question_no')} >= {len(ASKED_CHANNELS)})"
    for asked, other in _ASKED_OR_OTHER
)

# What decided is named by joining its number back. What no customer is asked but was answered stands beside the rest:
# advertisements, service, others.
PERMISSIONS = Step(
    "permissions_made",
    f"""
    WITH happened AS (
        SELECT event_no, 'consent ' || source || ' ' || source_record_id AS event FROM numbered_records
        UNION ALL
        SELECT event_no, 'send ' || source || ' ' || send_id FROM reactions
    ),
    answered AS (
        SELECT p.*, a.channel, d.marketing_or_service AS marketing, d.profiling_or_third_party AS profiling,
               coalesce(p.bought_days_ago <= a.marketing_days, false) AS marketing_interest,
               coalesce(p.bought_days_ago <= a.profiling_days, false) AS profiling_interest
        FROM people p
        CROSS JOIN asked a
        LEFT JOIN answers d ON d.question_no = {number_question("p.customer_no", "a.channel_no")}
    ),
    weighed AS (
        SELECT *, {_allows("marketing", "marketing_interest")} AS may_market,
               {_allows("profiling", "profiling_interest")} AS may_profile
        FROM answered
    ),
    others AS ({_OTHERS}),
    -- profiling needs marketing, too: where that alone is lacking, it is what decided
    decided AS (
        SELECT w.customer_id, w.customer_no, w.channel, u.purpose, w.barred, w.barred_by, w.barred_from,
               w.may_market AND (u.purpose = 'marketing' OR w.may_profile) AS allows,
               CASE WHEN u.purpose = 'marketing' THEN w.marketing ELSE w.profiling END AS answer,
               CASE WHEN u.purpose = 'marketing' OR (w.may_profile AND NOT w.may_market) THEN w.marketing
                    ELSE w.profiling END AS deciding,
               CASE WHEN u.purpose = 'marketing' OR (w.may_profile AND NOT w.may_market) THEN w.marketing_interest
                    ELSE w.profiling_interest END AS interest
        FROM weighed w
        CROSS JOIN (VALUES {", ".join(f"('{purpose}')" for purpose in ASKED_PURPOSES)}) AS u(purpose)
        UNION ALL
        SELECT p.customer_id, p.customer_no, {name_channel(read_channel("o.question_no"))}, o.purpose,
               p.barred, p.barred_by, p.barred_from, {_allows("o.answer", "false")}, o.answer, o.answer, false
        FROM others o
        JOIN people p ON p.customer_no = o.question_no >> {QUESTION_BITS}
    )
    SELECT d.customer_id, d.channel, d.purpose, d.barred IS NULL AND d.allows AS allowed,
           CASE
               WHEN d.barred IS NOT NULL THEN d.barred
               WHEN {read_outcome("d.deciding")} = {GRANTED} AND d.deciding < $expired_before THEN 'expired'
               WHEN d.deciding IS NOT NULL THEN {name_outcome("d.deciding")}
               WHEN d.interest THEN 'legitimate_interest'
               ELSE 'no_record'
           END AS reason,
           {name_outcome("d.answer")} AS answer,
           CASE WHEN d.barred IS NULL THEN h.event ELSE d.barred_by END AS decided_by_event,
           CASE WHEN d.barred IS NULL THEN {read_moment("d.deciding")} ELSE d.barred_from END AS valid_from
    FROM decided d
    LEFT JOIN happened h
        ON h.event_no = {read_event("d.customer_no", "d.deciding")} AND {is_named("h.event_no")}
    """,
)


def decide_permissions(engine: Engine, settings: PermissionSettings, as_of_date: date) -> str:
    """Decide who may be contacted by which channel for which purpose, and why or why not.

    Parameters
    ----------
    engine : Engine
        Holds `consent_events`, `source_records`, `identities`, `sends`, `tickets`, `customers`, and
        ``listed_customers`` (made by `find_listed_customers`).
    settings : PermissionSettings
    as_of_date : datetime.date
        Ages and expiry are told for it.

    Returns
    -------
    str
        ``permissions_made``, with the columns of `permissions`: a row for every customer, channel and purpose that
        could be asked, and for whatever else was answered. Reasons, the first that holds: deceased, robinson,
        employee, internal_list, minor, expired; then the latest answer: granted, withdrawn, objected, complaint,
        bounced, unconfirmed, uncertain_identity; then legitimate_interest, no_record. Profiling needs marketing too.

    Notes
    -----
    A grant whose evidence tells that its date is unknown was made before everything that has a date, so that no
    later delivery of it undoes a withdrawal. A newer grant ends a withdrawal, a complaint or a bounce; what arrived at
    the address that bounced ends the bounce, too. Whoever any record calls too young is too young.
    """
    engine.register("asked", _list_channels(settings))
    engine.run(NUMBERED_CUSTOMERS)
    engine.run(NUMBERED_RECORDS, match_threshold=settings.match_threshold)
    engine.view("read_consents", READ_CONSENTS)
    engine.run(STATED_CONSENTS)
    engine.run(REACTIONS)
    engine.view("events", EVENTS)
    engine.view("said", SAID)
    engine.run(ANSWERS)
    engine.run(RECENT_BUYERS, interested=bool(settings.legitimate_interest))
    engine.run(BARRED, as_of_date=as_of_date, adult_from=years_before(as_of_date, settings.minimum_age))
    engine.run(PEOPLE, as_of_date=as_of_date)
    return engine.run(PERMISSIONS, expired_before=_weigh_expiry(settings, as_of_date))


def _list_channels(settings: PermissionSettings) -> pa.Table:
    """The channels every customer is asked about, and within how many days of a purchase no answer is needed."""
    days: dict[tuple[str, str], int] = {
        (rule.channel, rule.purpose): rule.purchased_within_days for rule in settings.legitimate_interest
    }
    return pa.table(
        {
            "channel_no": pa.array(range(len(ASKED_CHANNELS)), pa.int64()),
            "channel": list(ASKED_CHANNELS),
        }
        | {
            f"{purpose}_days": pa.array([days.get((channel, purpose)) for channel in ASKED_CHANNELS], pa.int64())
            for purpose in ASKED_PURPOSES
        }
    )


def _weigh_expiry(settings: PermissionSettings, as_of_date: date) -> int:
    """The weight below which a grant is too old: that of the day it must have been given on."""
    if settings.expires_after_days is None:
        return 0
    oldest = datetime.combine(as_of_date - timedelta(days=settings.expires_after_days), datetime.min.time(), UTC)
    return int(oldest.timestamp()) * 1000 << (OUTCOME_BITS + EVENT_BITS)


def years_before(day: date, years: int) -> date:
    """The same day some years before; the 28th for a 29th of February that the year does not have."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
