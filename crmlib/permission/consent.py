"""What each customer allows, by channel and purpose: consent as evidence over time, and what overrules it.

The latest decision counts, by the time it was made and not by when it was delivered; at the same moment a withdrawal
wins. A grant counts only if it is confirmed and its record is surely the customer's; a withdrawal always does.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from crmlib.engine import Engine, Step
from crmlib.params import PermissionSettings
from crmlib.sources.derived import UNDATED

#: What a customer can be asked: every customer has a row for each.
ASKED_CHANNELS = ("email", "sms", "push", "postal", "call")
ASKED_PURPOSES = ("marketing", "profiling")
#: How evidence says that a double opt-in was begun and not ended.
UNCONFIRMED = r"(?i)\b(unconfirmed|not confirmed|pending|unverified)\b"

#: Outcomes by their weight: at one moment the heaviest wins. The first two do not count yet.
OUTCOMES = ("uncertain_identity", "unconfirmed", "granted", "bounced", "withdrawn", "objected", "complaint")

# Records and customers by number: what is grouped and compared below are numbers alone.
NUMBERED_CUSTOMERS = Step(
    "numbered_customers",
    "SELECT customer_id, birth_date, row_number() OVER (ORDER BY customer_id) AS customer_no FROM customers",
)

NUMBERED_RECORDS = Step(
    "numbered_records",
    """
    WITH gone AS (SELECT source, source_record_id FROM source_records WHERE deleted)
    SELECT row_number() OVER (ORDER BY i.source, i.source_record_id) AS event_no, p.customer_no, i.customer_id,
           i.source, i.source_record_id, g.source IS NOT NULL AS deleted,
           coalesce(i.match_probability < $match_threshold, false) AS uncertain
    FROM identities i
    JOIN numbered_customers p ON p.customer_id = i.customer_id
    LEFT JOIN gone g ON g.source = i.source AND g.source_record_id = i.source_record_id
    """,
)

# A box ticked in a record that says no date is a state: the record's latest one counts, not each delivery of it. As a
# grant it counts from before everything dated: its seconds are taken for microseconds.
_TOLD = f"""
        SELECT r.customer_no, r.event_no, c.channel, c.purpose, epoch_us(c.happened_at) AS said_at,
               CASE
                   WHEN c.decision = 'withdrawn' THEN CASE WHEN c.legal_basis = 'legitimate_interest' THEN 5 ELSE 4 END
                   WHEN regexp_matches(c.evidence, '{UNCONFIRMED}') THEN 1
                   WHEN r.uncertain THEN 0
                   ELSE 2
               END AS code
        FROM consent_events c
        JOIN numbered_records r ON r.source = c.record_source AND r.source_record_id = c.source_record_id
        -- what a record allowed goes with it, and what it forbade stays
        WHERE (c.decision = 'withdrawn' OR NOT r.deleted)
"""
CONSENTS = f"""
    WITH dated AS ({_TOLD} AND NOT coalesce(contains(c.evidence, '{UNDATED}'), false)),
    undated AS ({_TOLD} AND contains(c.evidence, '{UNDATED}')),
    states AS (
        SELECT *,
               row_number() OVER (
                   PARTITION BY event_no, channel, purpose ORDER BY said_at DESC, code >= 4 DESC, code DESC
               ) AS age
        FROM undated
    )
    SELECT customer_no, event_no, channel, purpose, code, 8 * said_at + code AS weight FROM dated
    UNION ALL
    SELECT customer_no, event_no, channel, purpose, code,
           8 * CASE WHEN code < 4 THEN CAST(floor(said_at / 1000000) AS BIGINT) ELSE said_at END + code
    FROM states
    WHERE age = 1
"""

REACTIONS = Step(
    "reactions",
    """
    WITH answered AS (
        SELECT r.customer_no, s.source, s.send_id, s.channel, s.bounced, s.complained, s.unsubscribed,
               coalesce(s.sent_at, s.eligible_at) AS happened_at,
               row_number() OVER (
                   PARTITION BY r.customer_no, s.channel
                   ORDER BY coalesce(s.sent_at, s.eligible_at) DESC, s.source, s.send_id
               ) AS age
        FROM sends s
        JOIN numbered_records r ON r.source = s.record_source AND r.source_record_id = s.source_record_id
        WHERE s.channel IS NOT NULL AND (s.bounced OR s.complained OR s.unsubscribed OR s.delivered)
    ),
    told AS (
        SELECT *, CASE WHEN complained THEN 6 WHEN unsubscribed THEN 4 ELSE 3 END AS code
        FROM answered
        WHERE complained OR unsubscribed OR (bounced AND age = 1)
    )
    SELECT customer_no, source, send_id, channel, 'marketing' AS purpose, code,
           8 * epoch_us(happened_at) + code AS weight,
           (SELECT count(*) FROM numbered_records) + row_number() OVER (ORDER BY source, send_id) AS event_no
    FROM told
    """,
)

# A grant that does not count yet decides only where nothing else stands. Of equal weight the last record decides; its
# number stands in the lower digits.
DECISIONS = Step(
    "decisions",
    """
    WITH events AS (
        SELECT customer_no, channel, purpose, code, weight, event_no FROM consents
        UNION ALL
        SELECT customer_no, channel, purpose, code, weight, event_no FROM reactions
    ),
    packed AS (
        SELECT customer_no, channel, purpose, code > 1 AS stands, weight,
               CAST(weight AS DECIMAL(38, 0)) * 4294967296 + event_no AS whole
        FROM events
    ),
    latest AS (
        SELECT customer_no, channel, purpose,
               max(CASE WHEN stands THEN weight END) AS standing,
               max(CASE WHEN stands THEN whole END) AS standing_whole,
               max(CASE WHEN NOT stands THEN weight END) AS waiting,
               max(CASE WHEN NOT stands THEN whole END) AS waiting_whole
        FROM packed
        GROUP BY customer_no, channel, purpose
    ),
    chosen AS (
        SELECT customer_no, channel, purpose, standing, standing_whole, waiting, waiting_whole,
               waiting IS NULL OR standing % 8 = 2 OR coalesce(waiting < standing, false) AS stands
        FROM latest
    ),
    decided AS (
        SELECT customer_no, channel, purpose, CASE WHEN stands THEN standing ELSE waiting END AS weight,
               CASE WHEN stands THEN standing_whole ELSE waiting_whole END AS whole
        FROM chosen
    )
    SELECT customer_no, channel, purpose, weight,
           CAST(whole - CAST(weight AS DECIMAL(38, 0)) * 4294967296 AS BIGINT) AS event_no
    FROM decided
    """,
)

#: What every event says, in words: for a trail, not for decisions.
SAID = """
    SELECT r.customer_id, c.channel, c.purpose, c.code, c.weight, 'consent' AS kind, r.source,
           r.source_record_id AS event_id
    FROM consents c
    JOIN numbered_records r ON r.event_no = c.event_no
    UNION ALL
    SELECT p.customer_id, s.channel, s.purpose, s.code, s.weight, 'send', s.source, s.send_id
    FROM reactions s
    JOIN numbered_customers p ON p.customer_no = s.customer_no
"""

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

# Each customer and channel once, the two questions beside each other: profiling needs marketing, too.
JUDGED_CHANNELS = Step(
    "judged_channels",
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
    people AS (
        SELECT c.customer_id, c.customer_no,
               CASE
                   WHEN l.entry IS NOT NULL THEN l.entry.reason
                   WHEN c.birth_date > $adult_from THEN 'minor'
               END AS barred,
               'list ' || l.entry.reason || ' ' || l.entry.source AS barred_by, l.entry.listed_at AS barred_from,
               date_diff('day', b.bought_on, $as_of_date) AS bought_days_ago
        FROM numbered_customers c
        LEFT JOIN recent_buyers b ON b.customer_id = c.customer_id
        LEFT JOIN listed l ON l.customer_id = c.customer_id
    ),
    answered AS (
        SELECT customer_no, channel,
               max(CASE WHEN purpose = 'marketing' THEN weight END) AS marketing,
               max(CASE WHEN purpose = 'marketing' THEN event_no END) AS marketing_event,
               max(CASE WHEN purpose = 'profiling' THEN weight END) AS profiling,
               max(CASE WHEN purpose = 'profiling' THEN event_no END) AS profiling_event
        FROM decisions
        GROUP BY customer_no, channel
    ),
    asked AS (
        SELECT p.customer_id, p.barred, p.barred_by, p.barred_from, a.channel,
               d.marketing, d.marketing_event, d.profiling, d.profiling_event,
               coalesce(p.bought_days_ago <= a.marketing_days, false) AS marketing_interest,
               coalesce(p.bought_days_ago <= a.profiling_days, false) AS profiling_interest
        FROM people p
        CROSS JOIN asked_channels a
        LEFT JOIN answered d ON d.customer_no = p.customer_no AND d.channel = a.channel
    )
    SELECT *,
           CASE
               WHEN barred IS NOT NULL THEN barred
               WHEN marketing % 8 = 2 AND marketing < $expired_before THEN 'expired'
               WHEN marketing IS NOT NULL THEN $outcomes[marketing % 8 + 1]
               WHEN marketing_interest THEN 'legitimate_interest'
               ELSE 'no_record'
           END AS marketing_reason,
           CASE
               WHEN barred IS NOT NULL THEN barred
               WHEN profiling % 8 = 2 AND profiling < $expired_before THEN 'expired'
               WHEN profiling IS NOT NULL THEN $outcomes[profiling % 8 + 1]
               WHEN profiling_interest THEN 'legitimate_interest'
               ELSE 'no_record'
           END AS profiling_reason
    FROM asked
    """,
)
# What decided is named by joining its number back; a customer asked about what nobody asks (ads, service) is told, too.
PERMISSIONS = Step(
    "permissions_made",
    """
    WITH happened AS (
        SELECT event_no, 'consent ' || source || ' ' || source_record_id AS event FROM numbered_records
        UNION ALL
        SELECT event_no, 'send ' || source || ' ' || send_id FROM reactions
    ),
    unasked AS (
        SELECT d.customer_no, d.channel, d.purpose, d.weight, d.event_no
        FROM decisions d
        LEFT JOIN asked_channels a ON a.channel = d.channel AND d.purpose IN ('marketing', 'profiling')
        WHERE a.channel IS NULL
    ),
    others AS (
        SELECT j.customer_id, u.channel, u.purpose, j.barred, j.barred_by, j.barred_from, u.weight, u.event_no
        FROM unasked u
        JOIN numbered_customers c ON c.customer_no = u.customer_no
        JOIN judged_channels j ON j.customer_id = c.customer_id AND j.channel = 'email'
    ),
    told AS (
        SELECT customer_id, channel, 'marketing' AS purpose, barred, barred_by, barred_from, marketing_reason AS reason,
               marketing AS answer, marketing AS weight, marketing_event AS event_no
        FROM judged_channels
        UNION ALL
        SELECT customer_id, channel, 'profiling', barred, barred_by, barred_from,
               CASE WHEN lacking THEN marketing_reason ELSE profiling_reason END, profiling,
               CASE WHEN lacking THEN marketing ELSE profiling END,
               CASE WHEN lacking THEN marketing_event ELSE profiling_event END
        FROM (
            SELECT *, profiling_reason IN ('granted', 'legitimate_interest')
                      AND marketing_reason NOT IN ('granted', 'legitimate_interest') AS lacking
            FROM judged_channels
        )
        UNION ALL
        SELECT customer_id, channel, purpose, barred, barred_by, barred_from,
               CASE
                   WHEN barred IS NOT NULL THEN barred
                   WHEN weight % 8 = 2 AND weight < $expired_before THEN 'expired'
                   ELSE $outcomes[weight % 8 + 1]
               END, weight, weight, event_no
        FROM others
    )
    SELECT t.customer_id, t.channel, t.purpose, t.reason IN ('granted', 'legitimate_interest') AS allowed, t.reason,
           $outcomes[t.answer % 8 + 1] AS answer,
           CASE WHEN t.barred IS NULL THEN h.event ELSE t.barred_by END AS decided_by_event,
           CASE
               WHEN t.barred IS NOT NULL THEN t.barred_from
               -- of a grant without a date the seconds were taken for microseconds
               WHEN t.weight < 8 * 10000000000 THEN make_timestamptz((t.weight // 8) * 1000000)
               ELSE make_timestamptz(t.weight // 8)
           END AS valid_from
    FROM told t
    LEFT JOIN happened h ON h.event_no = t.event_no
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
    interests = {
        f"{purpose}_days": pa.array([days.get((channel, purpose)) for channel in ASKED_CHANNELS], pa.int64())
        for purpose in ASKED_PURPOSES
    }
    engine.register("asked_channels", pa.table({"channel": pa.array(ASKED_CHANNELS), **interests}))
    engine.run(NUMBERED_CUSTOMERS)
    engine.run(NUMBERED_RECORDS, match_threshold=settings.match_threshold)
    engine.view("consents", CONSENTS)
    engine.run(REACTIONS)
    engine.run(DECISIONS)
    engine.run(RECENT_BUYERS, interested=bool(days))
    codes = {"outcomes": list(OUTCOMES), "expired_before": _weigh_expiry(settings, as_of_date)}
    engine.run(
        JUDGED_CHANNELS, as_of_date=as_of_date, adult_from=years_before(as_of_date, settings.minimum_age), **codes
    )
    outcomes = ", ".join(f"'{outcome}'" for outcome in OUTCOMES)
    engine.view("said", f"SELECT *, [{outcomes}][code + 1] AS outcome FROM ({SAID})")
    return engine.run(PERMISSIONS, **codes)


def _weigh_expiry(settings: PermissionSettings, as_of_date: date) -> int:
    """The weight below which a grant is too old: that of the day it must have been given on."""
    if settings.expires_after_days is None:
        return 0
    oldest = datetime.combine(as_of_date - timedelta(days=settings.expires_after_days), datetime.min.time(), UTC)
    return 8 * int(oldest.timestamp()) * 1_000_000


def years_before(day: date, years: int) -> date:
    """The same day some years before; the 28th for a 29th of February that the year does not have."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
