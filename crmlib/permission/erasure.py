"""What of a table is a person's: the one rule by which access shows rows, and erasure removes them.

Pure: it reads and writes nothing, and says only which rows are meant and what becomes of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from crmlib.engine import quote

#: Tables of the engine that say who is meant.
RECORDS, CUSTOMERS, KEYS = "erased_records", "erased_customers", "erased_keys"
#: What stands between the digits and letters of a phone or an id, whoever wrote it.
SEPARATORS = "[ .()/-]"
#: A purchase stays, for the accounts, and is nobody's; everything else of a person goes.
ANONYMOUS = {"tickets": ("record_source", "source_record_id", "loyalty_card", "buyer_email")}

_PAIRS = (
    ("record_source", "source_record_id"),
    ("source_l", "source_record_id_l"),
    ("source_r", "source_record_id_r"),
    ("target", "source_record_id"),
)


@dataclass(frozen=True)
class Removal:
    """Which rows of a table are a person's.

    Parameters
    ----------
    condition : str
        SQL over a row; never null.
    blank : tuple of str
        Columns that are emptied; the row goes where there are none.
    """

    condition: str
    blank: tuple[str, ...] = ()

    def rest(self, rows: str) -> str:
        """The query of what is left of some rows, in the same order."""
        if not self.blank:
            return f"SELECT * FROM {rows} WHERE NOT {self.condition}"
        emptied = ", ".join(
            f"CASE WHEN NOT {self.condition} THEN {quote(name)} END AS {quote(name)}" for name in self.blank
        )
        return f"SELECT * REPLACE ({emptied}) FROM {rows}"

    def found(self, rows: str) -> str:
        """The query of the person's rows."""
        return f"SELECT * FROM {rows} WHERE {self.condition}"


def find_removal(table: str, columns: Collection[str], expired: str | None = None) -> Removal | None:
    """Say which rows of a table are the person's.

    Parameters
    ----------
    table : str
        Its name.
    columns : collection of str
        Its columns; what they mean is told by their names, as the contracts have them.
    expired : str, optional
        Condition of further rows that go: those kept longer than params say.

    Returns
    -------
    Removal or None
        None where no column could name a person. The engine must hold ``erased_records`` (source,
        source_record_id), ``erased_customers`` (customer_id) and ``erased_keys`` (kind email, phone, national_id,
        card, visitor or digest; key without `SEPARATORS`, in lower case).
    """
    named = [
        _is_key(column, kinds)
        for column, kinds in (
            ("visitor_id", ("visitor",)),
            ("loyalty_card", ("card",)),
            ("buyer_email", ("email",)),
            ("key", ("email", "phone", "national_id", "card", "digest")),
        )
        if column in columns
    ]
    named += [
        f"{column} IN (SELECT customer_id FROM {CUSTOMERS})"
        for column in ("customer_id", "other_customer_id")
        if column in columns
    ]
    pairs = [pair for pair in _PAIRS if set(pair) <= set(columns)]
    if not pairs and {"source", "source_record_id"} <= set(columns):
        pairs = [("source", "source_record_id")]
    if {"source", "key_kind", "key"} <= set(columns):
        pairs.append(("source", "key"))
    named += [
        f"({quote(source)}, {quote(record)}) IN (SELECT source, source_record_id FROM {RECORDS})"
        for source, record in pairs
    ]
    named += [expired] if expired is not None else []
    if not named:
        return None
    blank = tuple(name for name in ANONYMOUS.get(table, ()) if name in columns)
    return Removal(f"coalesce({' OR '.join(named)}, false)", blank)


def find_delivered(column: str) -> Removal:
    """Say which delivered rows, kept as they came, are the person's: the text names them by any of their values.

    Parameters
    ----------
    column : str
        Column of the text; beside it stands ``source``, and the rows are called ``held``.

    Returns
    -------
    Removal
        The engine must hold ``erased_texts`` (source, pattern, other): a regular expression, of one source's rows or,
        where source is null, of all; where `other` is not null it must match, too.
    """
    text = f"regexp_replace(lower({quote(column)}), '{SEPARATORS}', '', 'g')"
    return Removal(
        f"EXISTS (SELECT 1 FROM erased_texts AS named WHERE coalesce(named.source = held.source, true) "
        f"AND regexp_matches({text}, named.pattern) AND coalesce(regexp_matches({text}, named.other), true))"
    )


def _is_key(column: str, kinds: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    key = f"regexp_replace(lower({quote(column)}), '{SEPARATORS}', '', 'g')"
    return f"{key} IN (SELECT key FROM {KEYS} WHERE kind IN ({listed}))"
