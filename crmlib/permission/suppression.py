"""Lists of those who must not be contacted: whom of the customers they mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd
import pyarrow as pa

from crmlib.engine import Engine, Step
from crmlib.errors import InputError
from crmlib.identity.usable import use_email, use_national_id, use_phone

#: Fewer unusable entries of a list may be slips; so many of one kind, and none usable, are of another kind.
LEAST_ENTRIES = 5
#: A key that is a SHA-256 digest in hexadecimal digits.
DIGEST = "^[0-9a-fA-F]{64}$"

LISTED_KEYS = Step(
    "listed_keys",
    """
    SELECT s.source, s.list, s.listed_on, lower(s.key_kind) AS key_kind,
           CASE
               WHEN regexp_matches(s.key, $digest) THEN lower(s.key)
               WHEN lower(s.key_kind) IN ('source_record_id', 'loyalty_card') THEN s.key
               ELSE k.used_key
           END AS key
    FROM suppressions s
    LEFT JOIN usable_keys k ON k.key_kind = s.key_kind AND k.key = s.key
    """,
)

# A list of phones is hashed as its maker wrote them: with prefix, with zeros for it, or without.
KNOWN_KEYS = Step(
    "known_keys",
    """
    WITH spelled AS (
        SELECT customer_id, key_kind, key, key AS written FROM contact_keys
        UNION ALL
        SELECT customer_id, key_kind, key, upper(key) FROM contact_keys WHERE key_kind = 'email'
        UNION ALL
        SELECT customer_id, key_kind, key, lower(key) FROM contact_keys WHERE key_kind = 'national_id'
        UNION ALL
        SELECT customer_id, key_kind, key, replace(key, '+', '00') FROM contact_keys WHERE key_kind = 'phone'
        UNION ALL
        SELECT customer_id, key_kind, key, replace(key, '+', '') FROM contact_keys WHERE key_kind = 'phone'
        UNION ALL
        SELECT customer_id, key_kind, key, replace(key, $prefix, '')
        FROM contact_keys
        WHERE key_kind = 'phone' AND starts_with(key, $prefix)
    )
    SELECT DISTINCT customer_id, key_kind, key FROM contact_keys
    UNION
    SELECT customer_id, key_kind, sha256(written) FROM spelled
    """,
)

KNOWN_RECORDS = Step(
    "known_records",
    """
    SELECT customer_id, source, source_record_id AS key FROM identities
    UNION ALL
    SELECT customer_id, source, sha256(source_record_id) FROM identities
    """,
)

LISTED_CUSTOMERS = Step(
    "listed_customers",
    """
    WITH meant AS (
        SELECT k.customer_id, l.list, l.source, l.listed_on
        FROM listed_keys l
        JOIN known_keys k ON k.key_kind = l.key_kind AND k.key = l.key
        UNION ALL
        SELECT k.customer_id, l.list, l.source, l.listed_on
        FROM listed_keys l
        JOIN known_records k ON k.source = l.source AND k.key = l.key
        WHERE l.key_kind = 'source_record_id'
        UNION ALL
        SELECT i.customer_id, l.list, l.source, l.listed_on
        FROM listed_keys l
        JOIN identities i ON i.source || ':' || i.source_record_id = l.key
        WHERE l.key_kind = 'source_record_id'
        UNION ALL
        SELECT customer_id, 'employee', source, NULL FROM customer_records WHERE employee
    )
    SELECT customer_id, list, min(source) AS source, min(listed_on) AS listed_on
    FROM meant
    GROUP BY customer_id, list
    """,
)


def find_listed_customers(engine: Engine, country: str) -> str:
    """Find the customers that suppression lists mean.

    Parameters
    ----------
    engine : Engine
        Holds `suppressions`, `identities`, and ``customer_records`` and ``contact_keys`` (made by
        `normalise_customer_records`).
    country : str
        Country (ISO 3166-1 alpha-2) of phones and national ids that do not say theirs.

    Returns
    -------
    str
        ``listed_customers``: customer_id, list, source, listed_on, a row per customer and list. A key is an
        e-mail, phone, national id or loyalty card, of today or earlier, plain or as SHA-256 of its one form
        (e-mail in lower case; phone in E.164, or without its plus or prefix); or the id of a record in the list's own
        source, or ``source:id``. A record that says employee counts as a list.

    Raises
    ------
    InputError
        If none of a list's keys can be of the kind it says: whoever is on it would be contacted.
    """
    engine.map_distinct(
        "usable_keys",
        f"SELECT key_kind, key FROM suppressions WHERE NOT regexp_matches(key, '{DIGEST}')",
        partial(_use_key, country=country),
        {"used_key": pa.string()},
    )
    engine.run(LISTED_KEYS, digest=DIGEST)
    _check_kind(engine)
    engine.run(KNOWN_KEYS, prefix=_phone_prefix(country))
    engine.run(KNOWN_RECORDS)
    return engine.run(LISTED_CUSTOMERS)


def summarise_lists(engine: Engine, owners: Mapping[str, str | None]) -> pd.DataFrame:
    """Tell what each list holds and whom of the customers it means.

    Parameters
    ----------
    engine : Engine
        Holds `suppressions`, ``listed_keys`` and ``listed_customers``.
    owners : mapping of str to str or None
        Source -> who answers for it; for lists that do not name their owner.

    Returns
    -------
    DataFrame
        list, source, owner, entries, unusable (entries whose key can mean nobody: no such e-mail, phone or id can
        exist), newest (latest listed_on), customers (of the list, all its sources together).
    """
    lists = engine.frame(
        """
        WITH meant AS (SELECT list, count(*) AS customers FROM listed_customers GROUP BY list),
        unusable AS (SELECT list, source, count(*) AS n FROM listed_keys WHERE key IS NULL GROUP BY list, source)
        SELECT s.list, s.source, any_value(s.owner) AS owner, count(*) AS entries,
               coalesce(any_value(u.n), 0) AS unusable, max(s.listed_on) AS newest,
               coalesce(any_value(m.customers), 0) AS customers
        FROM suppressions s
        LEFT JOIN meant m ON m.list = s.list
        LEFT JOIN unusable u ON u.list = s.list AND u.source = s.source
        GROUP BY s.list, s.source
        ORDER BY s.list, s.source
        """
    )
    return lists.assign(owner=lists["owner"].fillna(lists["source"].map(dict(owners))))


def _check_kind(engine: Engine) -> None:
    wrong = engine.rows(
        f"""
        SELECT source, list, key_kind, count(*) AS entries FROM listed_keys
        GROUP BY ALL HAVING count(key) = 0 AND count(*) >= {LEAST_ENTRIES}
        ORDER BY ALL
        """
    )
    if wrong:
        first = wrong[0]
        raise InputError(
            f"The list {first['list']} of {first['source']}: none of its {first['entries']:,} keys can be of the kind "
            f"'{first['key_kind']}', so nobody on it would be known. Mend key_kind, or the column taken for key."
        )


def _use_key(key_kind: str, key: str, country: str) -> tuple[str | None]:
    kind = (key_kind or "").lower()
    if kind == "email":
        return use_email(key)
    if kind == "phone":
        return use_phone(key, country)
    if kind == "national_id":
        return use_national_id(key, country)
    return (None,)


def _phone_prefix(country: str) -> str:
    import phonenumbers

    return f"+{phonenumbers.country_code_for_region(country)}"
