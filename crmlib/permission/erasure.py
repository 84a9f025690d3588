"""What of a table is a person's: the one rule by which access shows rows, and erasure removes them.

Pure: it reads and writes nothing, and says only which rows are meant and what becomes of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from crmlib.engine import literal, quote

#: What stands between the digits and letters of a phone or an id, whoever wrote it.
SEPARATORS = " .()/-"
#: A purchase stays, for the accounts, and is nobody's; everything else of a person goes.
ANONYMOUS = {"tickets": ("record_source", "source_record_id", "loyalty_card", "buyer_email")}

_PAIRS = (
    ("record_source", "source_record_id"),
    ("source_l", "source_record_id_l"),
    ("source_r", "source_record_id_r"),
    ("target", "source_record_id"),
)


@dataclass(frozen=True)
class Meant:
    """Who is meant in one run.

    Parameters
    ----------
    records : tuple of (source, source_record_id)
    customers : tuple of str
    keys : dict of str to set of str
        Kind (email, phone, national_id, card, visitor or digest) -> keys without `SEPARATORS`, in lower case.
    """

    records: tuple[tuple[str, str], ...] = ()
    customers: tuple[str, ...] = ()
    keys: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Removal:
    """Which rows of a table are a person's.

    Parameters
    ----------
    condition : str
        SQL over a row; null is no.
    blank : tuple of str
        Columns that are emptied; the row goes where there are none.
    """

    condition: str
    blank: tuple[str, ...] = ()

    def rest(self, rows: str) -> str:
        """The query of what is left of some rows, in the same order."""
        others = f"NOT coalesce({self.condition}, false)"
        if not self.blank:
            return f"SELECT * FROM {rows} WHERE {others}"
        emptied = ", ".join(f"CASE WHEN {others} THEN {quote(name)} END AS {quote(name)}" for name in self.blank)
        return f"SELECT * REPLACE ({emptied}) FROM {rows}"

    def found(self, rows: str) -> str:
        """The query of the person's rows."""
        return f"SELECT * FROM {rows} WHERE {self.condition}"


def find_removal(table: str, columns: Collection[str], meant: Meant, expired: str | None = None) -> Removal | None:
    """Say which rows of a table are the person's.

    Parameters
    ----------
    table : str
        Its name.
    columns : collection of str
        Its columns; what they mean is told by their names, as the contracts have them.
    meant : Meant
    expired : str, optional
        Condition of further rows that go: those kept longer than params say.

    Returns
    -------
    Removal or None
        None where no column could name a person.
    """
    named = [
        match_keys(column, (key for kind in kinds for key in meant.keys.get(kind, ())))
        for column, kinds in (
            ("visitor_id", ("visitor",)),
            ("loyalty_card", ("card",)),
            ("buyer_email", ("email",)),
            ("key", ("email", "phone", "national_id", "card", "digest")),
        )
        if column in columns
    ]
    named += [
        match_any(quote(column), meant.customers)
        for column in ("customer_id", "other_customer_id")
        if column in columns
    ]
    pairs = [pair for pair in _PAIRS if set(pair) <= set(columns)]
    if not pairs and {"source", "source_record_id"} <= set(columns):
        pairs = [("source", "source_record_id")]
    if {"source", "key_kind", "key"} <= set(columns):
        pairs.append(("source", "key"))
    named += [match_records(meant.records, source, record) for source, record in pairs]
    named += [expired] if expired is not None else []
    if not named:
        return None
    blank = tuple(name for name in ANONYMOUS.get(table, ()) if name in columns)
    return Removal("(" + " OR ".join(named) + ")", blank)


def match_records(records: Iterable[tuple[str, str]], source: str = "source", record: str = "source_record_id") -> str:
    """Which rows name one of some records in two columns, as SQL; by values, so that a reader can skip whole blocks."""
    pairs = sorted(records)
    listed = ", ".join(f"({literal(one)}, {literal(name)})" for one, name in pairs)
    anyhow = match_any(quote(record), {name for _, name in pairs})
    return f"({anyhow} AND ({quote(source)}, {quote(record)}) IN ({listed}))" if pairs else "false"


def match_any(expression: str, values: Iterable[str]) -> str:
    """Whether an expression is one of some values, as SQL."""
    listed = ", ".join(map(literal, sorted(values)))
    return f"{expression} IN ({listed})" if listed else "false"


def match_keys(column: str, keys: Iterable[str]) -> str:
    """Whether a column holds one of some keys, whatever stands between its digits and letters, as SQL."""
    return match_any(squeeze(column), set(keys))


def squeeze(column: str) -> str:
    """A column without separators and in lower case, as SQL."""
    return f"translate(lower({quote(column)}), {literal(SEPARATORS)}, '')"


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
    text = squeeze(column)
    return Removal(
        f"EXISTS (SELECT 1 FROM erased_texts AS named WHERE coalesce(named.source = held.source, true) "
        f"AND regexp_matches({text}, named.pattern) AND coalesce(regexp_matches({text}, named.other), true))"
    )
