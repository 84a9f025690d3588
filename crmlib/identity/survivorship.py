"""Which of a customer's values survives: rules by field, and what people pinned.

A rule orders the values; the next one decides where it cannot. Whatever the rules, a missing value never takes the
place of one, and in the end the latest wins. The parts of an address are one value.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from crmlib.engine import Engine, Step, literal
from crmlib.identity.rulings import VALUE_DIGITS, Rulings, ValueRuling
from crmlib.params import GoldenSettings

#: What is consolidated value by value, and how each is written as text.
FIELDS = {
    "given_name": "given_name",
    "surname_1": "surname_1",
    "surname_2": "surname_2",
    "company": "company",
    "contact_type": "contact_type",
    "national_id": "national_id",
    "email": "email",
    "phone": "phone",
    "birth_date": "CAST(birth_date AS VARCHAR)",
    "gender": "gender",
    "language": "language",
    "address_line": "address_line",
    "postcode": "postcode",
    "municipality": "municipality",
    "province": "province",
    "country": "country",
    "home_store_id": "home_store_id",
    "employee": "CAST(employee AS VARCHAR)",
    "loyalty_card": "loyalty_card",
}
ADDRESS_PARTS = ("address_line", "postcode", "municipality", "province", "country")
#: Stands in ``field`` for all parts of an address.
ADDRESS = "address"
#: What the latest rule is called where it chooses an address.
LATEST_ADDRESS = "address_of_latest_postcode"

#: A record as the rules see it: how far its source is trusted, and what was proved of its addresses.
RECORD_STANDING = Step(
    "record_standing",
    """
    WITH answered AS (
        SELECT record_source AS source, source_record_id, channel,
               max_by(CASE WHEN bounced THEN -1 WHEN opened OR clicked OR redeemed THEN 1 END, sent_at)
                   FILTER (WHERE bounced OR opened OR clicked OR redeemed) AS proved
        FROM sends
        WHERE record_source IS NOT NULL AND source_record_id IS NOT NULL
        GROUP BY record_source, source_record_id, channel
    )
    SELECT source, source_record_id,
           max(CASE WHEN channel = 'email' THEN proved END) AS email,
           max(CASE WHEN channel = 'sms' THEN proved END) AS phone,
           max(CASE WHEN channel = 'postal' THEN proved END) AS address
    FROM answered
    GROUP BY source, source_record_id
    """,
)
NOTHING_PROVED = Step(
    "record_standing",
    "SELECT '' AS source, '' AS source_record_id, 0 AS email, 0 AS phone, 0 AS address WHERE false",
)

VALUE_PINS = Step(
    "value_pins",
    f"""
    WITH latest AS (
        SELECT r.customer_id, n.field, n.decision, n.seen, r.recency
        FROM named_values n
        JOIN customer_records r ON r.source = n.source AND r.source_record_id = n.source_record_id
        QUALIFY row_number() OVER (PARTITION BY r.customer_id, n.field ORDER BY n.place DESC) = 1
    )
    SELECT l.customer_id, l.field, l.recency, v.value
    FROM latest l
    JOIN record_values v ON v.recency = l.recency AND v.field = l.field
    WHERE l.decision = 'pin' AND left(sha256(l.field || chr(31) || v.value), {VALUE_DIGITS}) = l.seen
    """,
)

#: The address chosen is taken apart; and each value is laid beside the customer's others.
CHOSEN_VALUES = Step(
    "chosen_values",
    f"""
    WITH parts AS (
        SELECT d.customer_id, v.field, v.value, d.recency,
               CASE d.rule WHEN 'latest' THEN '{LATEST_ADDRESS}' ELSE d.rule END AS rule
        FROM decided_values d
        JOIN record_values v ON v.recency = d.recency
        WHERE d.field = '{ADDRESS}' AND v.field IN {ADDRESS_PARTS}
    ),
    chosen AS (
        SELECT customer_id, field, value, recency, rule FROM decided_values
        WHERE field NOT IN {(*ADDRESS_PARTS, ADDRESS)}
        UNION ALL
        SELECT customer_id, field, value, recency, rule FROM parts
    ),
    contested AS (
        SELECT v.customer_id, v.field, v.value, r.source || ' ' || r.source_record_id AS record, v.recency
        FROM rated_values v
        JOIN decided_values d ON d.customer_id = v.customer_id AND d.field = v.field AND d.alternatives > 0
        JOIN customer_records r ON r.recency = v.recency
    ),
    others AS (
        SELECT c.customer_id, c.field, count(*) AS alternatives, list(o.record ORDER BY o.recency DESC) AS records
        FROM chosen c
        JOIN contested o ON o.customer_id = c.customer_id AND o.field = c.field AND o.value <> c.value
        GROUP BY c.customer_id, c.field
    )
    SELECT c.customer_id, c.field, c.value, c.recency, c.rule, coalesce(o.alternatives, 0) AS alternatives,
           o.records AS alternative_records
    FROM chosen c
    LEFT JOIN others o ON o.customer_id = c.customer_id AND o.field = c.field
    """,
)

NAMED_VALUES = pa.schema(
    [("place", pa.int64())]
    + [(name, pa.string()) for name in ("source", "source_record_id", "field", "decision", "seen")]
)


def choose_values(engine: Engine, settings: GoldenSettings, rulings: Rulings) -> str:
    """Choose each field's value for every customer.

    Parameters
    ----------
    engine : Engine
        Holds ``customer_records``; and `sends` where a rule asks what was verified.
    settings : GoldenSettings
    rulings : Rulings
        What people pinned holds as long as the record gives the value.

    Returns
    -------
    str
        ``chosen_values``: customer_id, field (those of `ADDRESS_PARTS` of one record), value, recency (of the record it
        is taken from), rule (that decided: ``only`` where there was no other, ``pinned``, or one of the settings'),
        alternatives (other values), alternative_records (the records of these, the latest of each, newest first).
    """
    verifies = any("verified_first" in rules for rules in settings.rules.values())
    engine.run(RECORD_STANDING if verifies else NOTHING_PROVED)
    engine.view("record_values", _list_values())
    _read_pins(engine, rulings.values)
    engine.run(_rate_values(settings))
    engine.run(_decide_values(settings))
    return engine.run(CHOSEN_VALUES)


def _list_values() -> str:
    """Every value that a record gives; an address is one, besides its parts."""
    texts = ", ".join(f"{sql} AS {name}" for name, sql in FIELDS.items())
    parts = ", ".join(f"coalesce({part}, '')" for part in ADDRESS_PARTS)
    known = " OR ".join(f"{part} IS NOT NULL" for part in ADDRESS_PARTS[:-1])
    return f"""
        WITH texts AS (
            SELECT customer_id, recency, {texts},
                   CASE WHEN {known} THEN concat_ws(chr(31), {parts}) END AS {ADDRESS}
            FROM customer_records
        )
        SELECT customer_id, recency, field, value
        FROM texts UNPIVOT (value FOR field IN ({", ".join(FIELDS)}, {ADDRESS}))
    """


def _read_pins(engine: Engine, rulings: Sequence[ValueRuling]) -> None:
    rows = [(place, *ruling.record, ruling.field, ruling.decision, ruling.seen) for place, ruling in enumerate(rulings)]
    columns = list(zip(*rows, strict=True)) or [()] * len(NAMED_VALUES)
    engine.register("named_values", pa.table([list(column) for column in columns], schema=NAMED_VALUES))
    engine.run(VALUE_PINS)


def _rate_values(settings: GoldenSettings) -> Step:
    """Each differing value with what the rules look at: the higher the better."""
    trust = " ".join(
        f"WHEN {literal(source)} THEN {len(settings.sources) - place}" for place, source in enumerate(settings.sources)
    )
    return Step(
        "rated_values",
        f"""
        WITH postcodes_now AS (
            SELECT customer_id, max_by(postcode, recency) AS postcode
            FROM customer_records WHERE postcode IS NOT NULL
            GROUP BY customer_id
        ),
        given AS (
            SELECT v.customer_id, v.field, v.value, max(v.recency) AS recency, count(*) AS most_frequent,
                   max({f"CASE r.source {trust} ELSE 0 END" if trust else "0"}) AS source_order,
                   max(coalesce(CASE v.field WHEN 'email' THEN s.email WHEN 'phone' THEN s.phone
                                WHEN '{ADDRESS}' THEN s.address END, 0)) AS verified_first,
                   max(CASE WHEN v.field = '{ADDRESS}' THEN 2 * (r.postcode IS NOT DISTINCT FROM n.postcode)::INT
                       + (r.address_line IS NOT NULL)::INT ELSE 0 END) AS standing
            FROM record_values v
            JOIN customer_records r ON r.recency = v.recency
            LEFT JOIN postcodes_now n ON n.customer_id = v.customer_id
            LEFT JOIN record_standing s ON s.source = r.source AND s.source_record_id = r.source_record_id
            GROUP BY v.customer_id, v.field, v.value
        )
        SELECT g.customer_id, g.field, g.value, g.recency, g.most_frequent, g.source_order, g.verified_first,
               g.standing * 1000000000000 + g.recency AS latest,
               len(regexp_extract_all(g.value, '[^ .-][^ .-]+')) AS most_complete, p.value IS NOT NULL AS pinned
        FROM given g
        LEFT JOIN value_pins p ON p.customer_id = g.customer_id AND p.field = g.field AND p.value = g.value
        """,
    )


def _decide_values(settings: GoldenSettings) -> Step:
    """The value of each field, and the rule by which it came before the next."""
    longest = max((len(rules) for rules in settings.rules.values()), default=0)
    rules: list[dict[str, str]] = [
        {field: given[place] for field, given in settings.rules.items() if place < len(given)}
        for place in range(longest)
    ]
    scores = "".join(
        f", CASE r.field {_cases(at, '{}')} ELSE latest END AS score_{place}" for place, at in enumerate(rules)
    )
    order = ", ".join(["pinned DESC", *(f"score_{place} DESC" for place in range(longest)), "latest DESC"])
    decided = "".join(
        f" WHEN score_{place} <> lead(score_{place}) OVER best THEN CASE field {_cases(at, literal('{}'))} "
        "ELSE 'latest' END"
        for place, at in enumerate(rules)
    )
    return Step(
        "decided_values",
        f"""
        WITH counted AS (
            SELECT customer_id, field, count(*) - 1 AS alternatives FROM rated_values GROUP BY customer_id, field
        ),
        single AS (
            SELECT r.customer_id, r.field, r.value, r.recency,
                   CASE WHEN r.pinned THEN 'pinned' ELSE 'only' END AS rule, c.alternatives
            FROM rated_values r
            JOIN counted c ON c.customer_id = r.customer_id AND c.field = r.field
            WHERE c.alternatives = 0
        ),
        scored AS (
            SELECT r.*, c.alternatives{scores}
            FROM rated_values r
            JOIN counted c ON c.customer_id = r.customer_id AND c.field = r.field
            WHERE c.alternatives > 0
        ),
        ranked AS (
            SELECT customer_id, field, value, recency, alternatives, row_number() OVER best AS place,
                   CASE WHEN pinned THEN 'pinned'{decided} ELSE 'latest' END AS rule
            FROM scored
            WINDOW best AS (PARTITION BY customer_id, field ORDER BY {order})
        )
        SELECT customer_id, field, value, recency, rule, alternatives FROM single
        UNION ALL
        SELECT customer_id, field, value, recency, rule, alternatives FROM ranked WHERE place = 1
        """,
    )


def _cases(rules: dict[str, str], written: str) -> str:
    return " ".join(f"WHEN {literal(field)} THEN {written.replace('{}', rule)}" for field, rule in rules.items())
