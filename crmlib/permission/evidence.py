"""What was said about contacting each customer: every consent and every answer to a send, with the weight it has.

A weight is one number, so that the heaviest of a customer's events is the one that counts: first by when it happened,
in milliseconds; then by its outcome, a refusal above a grant; then by its record, for one to be told of equal ones.
"""

from __future__ import annotations

from crmlib.engine import Step
from crmlib.sources.derived import UNDATED

#: What every customer has an answer to.
ASKED_CHANNELS = ("email", "sms", "push", "postal", "call")
ASKED_PURPOSES = ("marketing", "profiling")
CHANNELS = (*ASKED_CHANNELS, "ads")
#: What is answered here and there, and asked nobody.
OTHER_PURPOSES = ("service", "third_party")
#: Bits of a question's number: for its channel, above them one for the other purposes, then the customer's number.
CHANNEL_BITS, QUESTION_BITS = 3, 4
#: How evidence says that a double opt-in was begun and not ended.
UNCONFIRMED = r"(?i)\b(unconfirmed|not confirmed|pending|unverified)\b"
#: Outcomes by their weight: at one moment the heaviest wins. The first two do not count yet.
OUTCOMES = ("uncertain_identity", "unconfirmed", "granted", "bounced", "withdrawn", "objected", "complaint")
#: Place of a grant among them.
GRANTED = OUTCOMES.index("granted")
#: Bits of a weight for the outcome, and below them for the event among the customer's: first records, then sends.
OUTCOME_BITS, EVENT_BITS = 3, 18
SENDS_FROM = 2 ** (EVENT_BITS - 1)
#: Milliseconds since 1970 before which nothing with a date was said, and which no date comes near.
FIRST_MOMENT, LAST_MOMENT = 10**10, 2**42 - 1

_CHANNEL_NO = " ".join(f"WHEN '{name}' THEN {number}" for number, name in enumerate(ASKED_CHANNELS))
_CHANNEL_NO = f"CASE {{}} {_CHANNEL_NO} ELSE {len(ASKED_CHANNELS)} END"
_MOMENT = f"greatest(least(epoch_us({{}}) // 1000, {LAST_MOMENT}), {FIRST_MOMENT})"


def _list(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


def number_question(customer_no: str, channel_no: str, other: str = "false") -> str:
    """One number for a customer, a channel and whether the purposes are the other ones, as SQL.

    It is grouped and joined by faster than three.
    """
    return f"({customer_no} * {2**QUESTION_BITS} + CASE WHEN {other} THEN {2**CHANNEL_BITS} ELSE 0 END + {channel_no})"


def read_channel(question_no: str) -> str:
    """The channel's place in `CHANNELS`, as SQL of a question's number."""
    return f"({question_no} & {2**CHANNEL_BITS - 1})"


def is_other(question_no: str) -> str:
    """Whether the purposes are the other ones, as SQL of a question's number."""
    return f"({question_no} & {2**CHANNEL_BITS}) > 0"


def name_channel(channel_no: str) -> str:
    """The channel in words, as SQL of its place in `CHANNELS`."""
    return f"{_list(CHANNELS)}[{channel_no} + 1]"


def read_outcome(weight: str) -> str:
    """The outcome's place in `OUTCOMES`, as SQL of a weight."""
    return f"(({weight} >> {EVENT_BITS}) & {2**OUTCOME_BITS - 1})"


def name_outcome(weight: str) -> str:
    """The outcome in words, as SQL of a weight."""
    return f"{_list(OUTCOMES)}[{read_outcome(weight)} + 1]"


def read_moment(weight: str) -> str:
    """When it happened, as SQL of a weight."""
    moment = f"({weight} >> {EVENT_BITS + OUTCOME_BITS})"
    # of a grant without a date the seconds were taken for milliseconds
    return f"make_timestamptz({moment} * CASE WHEN {moment} < {FIRST_MOMENT} THEN 1000000 ELSE 1000 END)"


def choose(standing: str, waiting: str) -> str:
    """The weight that decides, as SQL: what does not count yet only where no grant stands and no refusal came later."""
    return (
        f"CASE WHEN {waiting} IS NULL OR {read_outcome(standing)} = {GRANTED} "
        f"OR coalesce({waiting} < {standing}, false) THEN {standing} ELSE {waiting} END"
    )


def weigh(moment: str, outcome: str, event_no: str) -> str:
    """The weight of an event, as SQL of its moment in milliseconds, its outcome's place and its number."""
    return f"(({moment} * {2**OUTCOME_BITS} + {outcome}) * {2**EVENT_BITS} + ({event_no} & {2**EVENT_BITS - 1}))"


def read_event(customer_no: str, weight: str) -> str:
    """The event's number, as SQL of its customer's number and its weight."""
    return f"({customer_no} * {2**EVENT_BITS} + ({weight} & {2**EVENT_BITS - 1}))"


def is_named(event_no: str) -> str:
    """Whether a number is one event's alone, as SQL: the last place of records, and of sends, is all the others'."""
    return f"({event_no} & {SENDS_FROM - 1}) < {SENDS_FROM - 1}"


NUMBERED_CUSTOMERS = Step(
    "numbered_customers",
    "SELECT customer_id, birth_date, row_number() OVER (ORDER BY customer_id) AS customer_no FROM customers",
)

NUMBERED_RECORDS = Step(
    "numbered_records",
    f"""
    WITH gone AS (SELECT source, source_record_id FROM source_records WHERE deleted)
    SELECT p.customer_no, p.customer_id, i.source, i.source_record_id,
           p.customer_no * {2**EVENT_BITS} + least(
               row_number() OVER (PARTITION BY p.customer_no ORDER BY i.source, i.source_record_id), {SENDS_FROM - 1}
           ) AS event_no,
           g.source IS NOT NULL AS deleted,
           CASE
               WHEN g.source IS NOT NULL THEN NULL
               WHEN i.match_probability < $match_threshold THEN 0
               ELSE {GRANTED}
           END AS grant_outcome
    FROM identities i
    JOIN numbered_customers p ON p.customer_id = i.customer_id
    LEFT JOIN gone g ON g.source = i.source AND g.source_record_id = i.source_record_id
    """,
)

# What a grant was is read before records are joined: DuckDB then reads each distinct text once. Of these functions it
# does so for `regexp_extract`, and for `regexp_matches` not.
READ_CONSENTS = f"""
    SELECT record_source, source_record_id, purpose, {_CHANNEL_NO.format("channel")} AS channel_no,
           {_MOMENT.format("happened_at")} AS moment,
           CASE
               WHEN decision = 'withdrawn' THEN CASE WHEN legal_basis = 'legitimate_interest' THEN 5 ELSE 4 END
               WHEN regexp_extract(evidence, '{UNCONFIRMED}') <> '' THEN 1
               ELSE {GRANTED}
           END AS outcome,
           coalesce(contains(evidence, '{UNDATED}'), false) AS undated
    FROM consent_events
"""

# Set apart, for they may be none: records are not joined twice then.
STATED_CONSENTS = Step("stated_consents", "SELECT * FROM read_consents WHERE undated")


def _tell(consents: str) -> str:
    """The consents of customers' records, as SQL: what a record allowed goes with it, and what it forbade stays."""
    return f"""
        SELECT r.event_no >> {EVENT_BITS} AS customer_no, c.channel_no, c.purpose, r.event_no, c.moment,
               CASE WHEN c.outcome = {GRANTED} THEN r.grant_outcome ELSE c.outcome END AS outcome
        FROM {consents} c
        JOIN numbered_records r ON r.source = c.record_source AND r.source_record_id = c.source_record_id
        WHERE c.outcome > {GRANTED} OR r.grant_outcome IS NOT NULL
    """


# A bounce is of an address: what arrived at the same one since ends it, and what arrived at another of the customer's
# does not.
REACTIONS = Step(
    "reactions",
    f"""
    WITH answered AS (
        SELECT r.customer_no, {_CHANNEL_NO.format("s.channel")} AS channel_no,
               s.source, s.send_id, s.bounced, s.complained, s.unsubscribed,
               coalesce(s.sent_at, s.eligible_at) AS happened_at,
               coalesce(
                   CASE s.channel
                       WHEN 'email' THEN lower(trim(k.email))
                       WHEN 'sms' THEN right(regexp_replace(k.phone, '[^0-9]', '', 'g'), 9)
                       WHEN 'call' THEN right(regexp_replace(k.phone, '[^0-9]', '', 'g'), 9)
                   END,
                   CAST(r.event_no AS VARCHAR)
               ) AS address
        FROM sends s
        JOIN numbered_records r ON r.source = s.record_source AND r.source_record_id = s.source_record_id
        LEFT JOIN source_records k ON k.source = r.source AND k.source_record_id = r.source_record_id
        WHERE s.channel IS NOT NULL AND (s.bounced OR s.complained OR s.unsubscribed OR s.delivered)
    ),
    aged AS (
        SELECT *,
               row_number() OVER (
                   PARTITION BY customer_no, channel_no, address ORDER BY happened_at DESC, source, send_id
               ) AS age
        FROM answered
    )
    SELECT customer_no, channel_no, 'marketing' AS purpose, source, send_id,
           customer_no * {2**EVENT_BITS} + {SENDS_FROM} + least(
               row_number() OVER (PARTITION BY customer_no ORDER BY source, send_id), {SENDS_FROM - 1}
           ) AS event_no,
           {_MOMENT.format("happened_at")} AS moment,
           CASE WHEN complained THEN 6 WHEN unsubscribed THEN 4 ELSE 3 END AS outcome
    FROM aged
    WHERE complained OR unsubscribed OR (bounced AND age = 1)
    """,
)

# A box ticked in a record that says no date is a state: the record's latest one counts, not each delivery of it. As a
# grant it counts from before everything dated: its seconds are taken for milliseconds.
EVENTS = f"""
    WITH states AS (
        SELECT *,
               row_number() OVER (
                   PARTITION BY event_no, channel_no, purpose ORDER BY moment DESC, outcome >= 4 DESC, outcome DESC
               ) AS age
        FROM ({_tell("stated_consents")}) AS stated
    )
    SELECT customer_no, channel_no, purpose, outcome, event_no, {weigh("moment", "outcome", "event_no")} AS weight
    FROM ({_tell("(SELECT * FROM read_consents WHERE NOT undated)")}) AS told
    UNION ALL
    SELECT customer_no, channel_no, purpose, outcome, event_no,
           {weigh("CASE WHEN outcome < 4 THEN moment // 1000 ELSE moment END", "outcome", "event_no")}
    FROM states
    WHERE age = 1
    UNION ALL
    SELECT customer_no, channel_no, purpose, outcome, event_no, {weigh("moment", "outcome", "event_no")}
    FROM reactions
"""

#: What every event says, in words: for a trail, not for decisions.
SAID = f"""
    WITH happened AS (
        SELECT event_no, 'consent' AS kind, source, source_record_id AS event_id FROM numbered_records
        UNION ALL
        SELECT event_no, 'send', source, send_id FROM reactions
    )
    SELECT p.customer_id, {name_channel("e.channel_no")} AS channel, e.purpose,
           e.weight, {name_outcome("e.weight")} AS outcome, {read_moment("e.weight")} AS happened_at,
           h.kind, h.source, h.event_id
    FROM events e
    JOIN happened h ON h.event_no = e.event_no AND {is_named("h.event_no")}
    JOIN numbered_customers p ON p.customer_no = e.customer_no
"""
