"""What each customer allows, by channel and purpose: consent as evidence over time, and what overrules it.

The latest decision counts, by the time it was made and not by when it was delivered; at the same moment a withdrawal
wins. A grant counts only if it is confirmed and its record is surely the customer's; a withdrawal always does.
"""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa

from crmlib.engine import Engine, Step
from crmlib.params import PermissionSettings
from crmlib.sources.derived import UNDATED

#: What a customer can be asked: every customer has a row for each.
ASKED_CHANNELS = ("email", "sms", "push", "postal", "call")
ASKED_PURPOSES = ("marketing", "profiling")
#: How evidence says that a double opt-in was begun and not ended.
UNCONFIRMED = r"\b(unconfirmed|not confirmed|pending|unverified)\b"

# A box ticked in a record that says no date is a state: the record's latest one counts, not each delivery of it.
CONSENTS = Step(
    "consents",
    """
    WITH told AS (
        SELECT i.customer_id, c.record_source, c.source_record_id, c.channel, c.purpose, c.decision, c.happened_at,
               contains(coalesce(c.evidence, ''), $undated) AS undated,
               CASE
                   WHEN c.decision = 'withdrawn' AND c.legal_basis = 'legitimate_interest' THEN 'objected'
                   WHEN c.decision = 'withdrawn' THEN 'withdrawn'
                   WHEN regexp_matches(lower(coalesce(c.evidence, '')), $unconfirmed) THEN 'unconfirmed'
                   WHEN i.match_probability < $match_threshold THEN 'uncertain_identity'
                   ELSE 'granted'
               END AS outcome
        FROM consent_events c
        JOIN identities i ON i.source = c.record_source AND i.source_record_id = c.source_record_id
        LEFT JOIN source_records r ON r.source = c.record_source AND r.source_record_id = c.source_record_id
        -- what a record allowed goes with it, and what it forbade stays
        WHERE c.decision = 'withdrawn' OR NOT coalesce(r.deleted, false)
    ),
    states AS (
        SELECT *,
               row_number() OVER (
                   PARTITION BY record_source, source_record_id, channel, purpose
                   ORDER BY happened_at DESC, decision DESC
               ) AS age
        FROM told
        WHERE undated
    )
    SELECT customer_id, channel, purpose, outcome, happened_at, epoch_us(happened_at) AS counts_from,
           'consent' AS kind, record_source AS source, source_record_id AS event_id
    FROM told
    WHERE NOT undated
    UNION ALL
    SELECT customer_id, channel, purpose, outcome, happened_at,
           CASE WHEN decision = 'granted' THEN 0 ELSE epoch_us(happened_at) END, 'consent', record_source,
           source_record_id
    FROM states
    WHERE age = 1
    """,
)

REACTIONS = Step(
    "reactions",
    """
    WITH answered AS (
        SELECT i.customer_id, s.source, s.send_id, s.channel, s.bounced, s.complained, s.unsubscribed,
               coalesce(s.sent_at, s.eligible_at) AS happened_at,
               row_number() OVER (
                   PARTITION BY i.customer_id, s.channel
                   ORDER BY coalesce(s.sent_at, s.eligible_at) DESC, s.source, s.send_id
               ) AS age
        FROM sends s
        JOIN identities i ON i.source = s.record_source AND i.source_record_id = s.source_record_id
        WHERE s.channel IS NOT NULL AND (s.bounced OR s.complained OR s.unsubscribed OR s.delivered)
    )
    SELECT customer_id, channel, 'marketing' AS purpose,
           CASE WHEN complained THEN 'complaint' WHEN unsubscribed THEN 'withdrawn' ELSE 'bounced' END AS outcome,
           happened_at, epoch_us(happened_at) AS counts_from, 'send' AS kind, source, send_id AS event_id
    FROM answered
    WHERE complained OR unsubscribed OR (bounced AND age = 1)
    """,
)

# At one moment the heaviest wins. A grant that does not count yet decides only where nothing else stands.
DECISIONS = Step(
    "decisions",
    """
    WITH events AS (
        SELECT * FROM consents
        UNION ALL
        SELECT * FROM reactions
    ),
    weighed AS (
        SELECT customer_id, channel, purpose,
               outcome IN ('unconfirmed', 'uncertain_identity') AS waiting,
               {
                   'weight': 8 * counts_from + CASE outcome
                       WHEN 'complaint' THEN 5
                       WHEN 'objected' THEN 4
                       WHEN 'withdrawn' THEN 3
                       WHEN 'bounced' THEN 2
                       WHEN 'granted' THEN 1
                       ELSE 0
                   END,
                   'outcome': outcome,
                   'happened_at': happened_at,
                   'kind': kind,
                   'source': source,
                   'event_id': event_id
               } AS said
        FROM events
    ),
    latest AS (
        SELECT customer_id, channel, purpose,
               max(CASE WHEN NOT waiting THEN said END) AS standing,
               max(CASE WHEN waiting THEN said END) AS waiting
        FROM weighed
        GROUP BY customer_id, channel, purpose
    ),
    decided AS (
        SELECT customer_id, channel, purpose,
               CASE
                   WHEN waiting IS NULL OR standing.outcome = 'granted' THEN standing
                   WHEN standing IS NULL OR waiting.weight > standing.weight THEN waiting
                   ELSE standing
               END AS said
        FROM latest
    )
    SELECT customer_id, channel, purpose, said.outcome AS outcome, said.happened_at AS happened_at,
           concat_ws(' ', said.kind, said.source, said.event_id) AS event
    FROM decided
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

JUDGED_PERMISSIONS = Step(
    "judged_permissions",
    """
    WITH people AS (
        SELECT c.customer_id, c.birth_date > $adult_from AS minor, b.bought_on
        FROM customers c
        LEFT JOIN recent_buyers b ON b.customer_id = c.customer_id
    ),
    listed AS (
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
    questions AS (
        SELECT p.customer_id, a.channel, a.purpose, a.interest_days FROM people p CROSS JOIN asked_permissions a
        UNION ALL
        SELECT d.customer_id, d.channel, d.purpose, NULL
        FROM decisions d
        LEFT JOIN asked_permissions a ON a.channel = d.channel AND a.purpose = d.purpose
        WHERE a.channel IS NULL
    ),
    judged AS (
        SELECT q.customer_id, q.channel, q.purpose, d.outcome AS answer,
               CASE
                   WHEN l.entry IS NOT NULL THEN l.entry.reason
                   WHEN p.minor THEN 'minor'
                   WHEN d.outcome = 'granted' AND CAST(d.happened_at AS DATE) < $expired_before THEN 'expired'
                   WHEN d.outcome IS NOT NULL THEN d.outcome
                   WHEN date_diff('day', p.bought_on, $as_of_date) <= q.interest_days THEN 'legitimate_interest'
                   ELSE 'no_record'
               END AS reason,
               CASE
                   WHEN l.entry IS NOT NULL THEN 'list ' || l.entry.reason || ' ' || l.entry.source
                   WHEN NOT coalesce(p.minor, false) THEN d.event
               END AS decided_by_event,
               CASE
                   WHEN l.entry IS NOT NULL THEN l.entry.listed_at
                   WHEN NOT coalesce(p.minor, false) THEN d.happened_at
               END AS valid_from
        FROM questions q
        JOIN people p ON p.customer_id = q.customer_id
        LEFT JOIN listed l ON l.customer_id = q.customer_id
        LEFT JOIN decisions d ON d.customer_id = q.customer_id AND d.channel = q.channel AND d.purpose = q.purpose
    )
    SELECT *, reason IN ('granted', 'legitimate_interest') AS allowed FROM judged
    """,
)

# Profiling needs marketing too; where that lacks, its reason is told.
PERMISSIONS = Step(
    "permissions_made",
    """
    WITH marketing AS (SELECT * FROM judged_permissions WHERE purpose = 'marketing'),
    gated AS (
        SELECT j.*, m.reason AS lack, m.decided_by_event AS lack_event, m.valid_from AS lack_from,
               j.purpose = 'profiling' AND j.allowed AND NOT coalesce(m.allowed, false) AS lacking
        FROM judged_permissions j
        LEFT JOIN marketing m ON m.customer_id = j.customer_id AND m.channel = j.channel
    )
    SELECT customer_id, channel, purpose, allowed AND NOT lacking AS allowed,
           CASE WHEN lacking THEN coalesce(lack, 'no_record') ELSE reason END AS reason, answer,
           CASE WHEN lacking THEN lack_event ELSE decided_by_event END AS decided_by_event,
           CASE WHEN lacking THEN lack_from ELSE valid_from END AS valid_from
    FROM gated
    """,
)


def decide_permissions(engine: Engine, settings: PermissionSettings, as_of_date: date) -> str:
    """Decide who may be contacted by which channel for which purpose, and why or why not.

    Parameters
    ----------
    engine : Engine
        Holds `consent_events`, `identities`, `sends`, `tickets`, `customers`, and ``listed_customers`` (made by
        `find_listed_customers`).
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
    later delivery of it undoes a withdrawal. A newer grant ends a withdrawal, a complaint or a bounce.
    """
    days: dict[tuple[str, str], int] = {
        (rule.channel, rule.purpose): rule.purchased_within_days for rule in settings.legitimate_interest
    }
    asked = [(channel, purpose) for channel in ASKED_CHANNELS for purpose in ASKED_PURPOSES]
    columns = {
        "channel": pa.array([channel for channel, _ in asked]),
        "purpose": pa.array([purpose for _, purpose in asked]),
        "interest_days": pa.array([days.get(pair) for pair in asked], pa.int64()),
    }
    engine.register("asked_permissions", pa.table(columns))
    engine.run(CONSENTS, match_threshold=settings.match_threshold, unconfirmed=UNCONFIRMED, undated=UNDATED)
    engine.run(REACTIONS)
    engine.run(DECISIONS)
    engine.run(RECENT_BUYERS, interested=bool(days))
    expires = settings.expires_after_days
    engine.run(
        JUDGED_PERMISSIONS,
        as_of_date=as_of_date,
        adult_from=years_before(as_of_date, settings.minimum_age),
        expired_before=as_of_date - timedelta(days=expires) if expires else date.min,
    )
    return engine.run(PERMISSIONS)


def years_before(day: date, years: int) -> date:
    """The same day some years before; the 28th for a 29th of February that the year does not have."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
