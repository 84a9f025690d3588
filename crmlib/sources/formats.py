"""Formats: how a file writes dates and numbers, and the expression that reads a text as its type.

Formats are found out by field, from a sample of the rows spread over the whole file. A text that
cannot be read is a fault of its row: a wrong value is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crmlib.engine import Engine, literal, quote
from crmlib.params import EntitySource
from crmlib.tables import Column

DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d", "%Y/%m/%d", "%d/%m/%y")
CLOCKS = (
    "",
    " %H:%M:%S",
    " %H:%M",
    "T%H:%M:%S",
    "T%H:%M",
    " %H:%M:%S.%f",
    "T%H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
)
YES = ("true", "t", "yes", "y", "1", "si", "sí", "s", "x")
NO = ("false", "f", "no", "n", "0")
#: Beyond this an amount or a quantity is taken for a slip of the keyboard.
IMPOSSIBLE_AMOUNT = 10_000_000
YEARS = (1850, 2150)
#: Rows whose texts are looked at to find a format.
SAMPLED_ROWS = 20_000
#: What may stand around and in a number without meaning anything: blanks, apostrophes, the currency.
BESIDE_NUMBERS = r"[\s\x{00A0}\x{202F}''’€$£]|^[A-Z]{3}|[A-Z]{3}$"
INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
#: How the types in SQL begin that need not be read as text, by the kind of column they fill.
FITTING: dict[str, tuple[str, ...]] = {
    "date": ("DATE", "TIMESTAMP"),
    "time": ("DATE", "TIMESTAMP"),
    "money": ("DECIMAL", "DOUBLE", "FLOAT", *INTEGERS),
    "float": ("DECIMAL", "DOUBLE", "FLOAT", *INTEGERS),
    "int": INTEGERS,
    "bool": ("BOOLEAN",),
    "texts": ("VARCHAR[]",),
}


@dataclass(frozen=True)
class Formats:
    """How a file writes its dates and numbers.

    Parameters
    ----------
    dates : dict of str to tuple of str
        Field -> formats it may have, as ``strptime`` writes them.
    decimals : dict of str to str
        Field -> its decimal sign.
    sniffed : tuple of str
        What was found out, not given, in words.
    """

    dates: Mapping[str, tuple[str, ...]]
    decimals: Mapping[str, str]
    sniffed: tuple[str, ...]


def fits(column: Column, said_as: str) -> bool:
    """Whether a column of a typed file needs no reading as text."""
    return said_as.startswith(FITTING.get(column.kind, ()))


def find_formats(engine: Engine, said: str, rows: int, columns: list[Column], delivery: EntitySource) -> Formats:
    """Find out how a file writes dates and numbers.

    Parameters
    ----------
    engine : Engine
    said : str
        A table of the engine with the fields' texts, and ``row``.
    rows : int
        Its rows.
    columns : list of Column
        The fields that are said as text.
    delivery : EntitySource
        Its dialect comes first.

    Returns
    -------
    Formats
    """
    sample = f"{said} WHERE row % {max(1, rows // SAMPLED_ROWS)} = 0"
    dates, decimals, sniffed = {}, {}, []
    given = delivery.dialect.date
    for column in columns:
        if column.kind not in ("date", "time"):
            continue
        if given is not None:
            dates[column.name] = (given,) if "%H" in given or "%I" in given else _with_clocks(given)
            continue
        day = _find_day(engine, sample, column.name)
        dates[column.name] = _with_clocks(day or DAYS[0])
        if day is not None:
            sniffed.append(f"{column.name} {day}")
    numbers = [column.name for column in columns if column.kind in ("money", "float", "int")]
    found = {} if delivery.dialect.decimal else {name: _find_decimal(engine, sample, name) for name in numbers}
    told = [sign for sign in found.values() if sign]
    usual = delivery.dialect.decimal or ("," if told.count(",") > told.count(".") else ".")
    for name in numbers:
        decimals[name] = found.get(name) or usual
    sniffed += [f"decimal {sign}" for sign in sorted(set(told))]
    return Formats(dates, decimals, tuple(sniffed))


def _with_clocks(day: str) -> tuple[str, ...]:
    return tuple(day + clock for clock in CLOCKS)


def _read_moment(text: str, formats: tuple[str, ...]) -> str:
    moment = f"try_strptime({text}, [{', '.join(literal(given) for given in formats)}])"
    return f"CASE WHEN year({moment}) BETWEEN {YEARS[0]} AND {YEARS[1]} THEN {moment} END"


def _find_day(engine: Engine, sample: str, field: str) -> str | None:
    """The format that reads most of a field's texts; of the equally good the first: the day before the month."""
    counts = ", ".join(f"count({_read_moment('text', _with_clocks(day))}) AS f{i}" for i, day in enumerate(DAYS))
    row = engine.row(f"SELECT {counts} FROM (SELECT DISTINCT {quote(field)} AS text FROM {sample})")
    best = max(range(len(DAYS)), key=lambda i: row[f"f{i}"])
    return DAYS[best] if row[f"f{best}"] else None


def _find_decimal(engine: Engine, sample: str, field: str) -> str | None:
    """The decimal sign that a field's texts prove; ``1.234`` alone proves none."""
    proves = {
        name: rf"^[+-]?([\d{other}]*[{sign}](\d{{1,2}}|\d{{4,}})|0[{sign}]\d+)$"
        for name, sign, other in (("comma", ",", "."), ("point", ".", ","))
    }
    counts = ", ".join(
        f"count(*) FILTER (WHERE regexp_matches(text, {literal(shape)})) AS {name}" for name, shape in proves.items()
    )
    row = engine.row(f"SELECT {counts} FROM (SELECT DISTINCT {_bare_number(quote(field))} AS text FROM {sample})")
    if row["comma"] == row["point"]:
        return None
    return "," if row["comma"] > row["point"] else "."


def read_as(column: Column, said_as: str, formats: Formats, timezone: str) -> tuple[str, str | None]:
    """The expression that reads a field as its column's type, and one for the rule broken where that gives nothing.

    Parameters
    ----------
    column : Column
        The contract's column; the field bears its name.
    said_as : str
        Its type in SQL: VARCHAR, or what a typed file has.
    formats : Formats
    timezone : str
        Of times that do not name theirs.

    Returns
    -------
    (str, str or None)
        Expression, and the rule's expression; None where any text will do.
    """
    field = quote(column.name)
    if column.kind == "text":
        if not column.values:
            return field, None
        allowed = ", ".join(literal(value) for value in column.values)
        rule = None if column.null else literal("unknown_value")
        return f"CASE WHEN lower({field}) IN ({allowed}) THEN lower({field}) END", rule
    if column.kind in ("date", "time"):
        return _read_time(column, field, said_as, formats, timezone), literal("not_a_date")
    if column.kind == "bool":
        return _read_bool(field, said_as), literal("not_yes_or_no")
    if column.kind == "texts":
        parts = rf"regexp_split_to_array({field}, '\s*(?:,|;|\||:::)\s*')" if said_as == "VARCHAR" else field
        return f"list_filter({parts}, part -> part <> '')", None
    number = field if said_as != "VARCHAR" else _plain_number(field, formats.decimals[column.name])
    if column.kind == "int":
        return f"TRY_CAST({number} AS BIGINT)", literal("not_a_number")
    size = f"abs(TRY_CAST({number} AS DOUBLE))"
    return (
        f"CASE WHEN {size} < {IMPOSSIBLE_AMOUNT} THEN TRY_CAST({number} AS {column.sql_type}) END",
        f"CASE WHEN {size} IS NULL THEN 'not_a_number' ELSE 'impossible_amount' END",
    )


def _read_time(column: Column, field: str, said_as: str, formats: Formats, timezone: str) -> str:
    zone = literal(timezone)
    if said_as == "VARCHAR":
        local = _read_moment(field, formats.dates[column.name])
        # a time that names its own zone needs none of ours
        zoned = rf"regexp_matches({field}, '\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)$')"
        seconds = rf"regexp_replace(replace({field}, 'UTC', 'Z'), '([T ]\d\d:\d\d)( ?[Z+-])', '\1:00\2')"
        own = rf"TRY_CAST(regexp_replace({seconds}, ' (Z|[+-][\d:]+)$', '\1') AS TIMESTAMPTZ)"
        if column.kind == "time":
            return f"CASE WHEN {zoned} THEN {own} ELSE timezone({zone}, {local}) END"
        return f"CAST(CASE WHEN {zoned} THEN timezone({zone}, {own}) ELSE {local} END AS DATE)"
    plausible = f"CASE WHEN year({field}) BETWEEN {YEARS[0]} AND {YEARS[1]} THEN {field} END"
    knows_zone = said_as == "TIMESTAMP WITH TIME ZONE"
    if column.kind == "time":
        return plausible if knows_zone else f"timezone({zone}, CAST({plausible} AS TIMESTAMP))"
    return f"CAST({f'timezone({zone}, {plausible})' if knows_zone else plausible} AS DATE)"


def _read_bool(field: str, said_as: str) -> str:
    if said_as != "VARCHAR":
        return field
    yes, no = (", ".join(literal(word) for word in words) for words in (YES, NO))
    return f"CASE WHEN lower({field}) IN ({yes}) THEN true WHEN lower({field}) IN ({no}) THEN false END"


def _bare_number(field: str) -> str:
    return rf"regexp_replace(regexp_replace({field}, '{BESIDE_NUMBERS}', '', 'g'), '^(.+)-$', '-\1')"


def _plain_number(field: str, decimal: str) -> str:
    """A number's text as SQL writes it; nothing where its signs are not those of the format."""
    thousands = "." if decimal == "," else ","
    bare = _bare_number(field)
    shape = rf"^[+-]?(\d+|\d{{1,3}}([{thousands}]\d{{3}})+)?([{decimal}]\d*)?([eE][+-]?\d+)?$"
    plain = f"replace(replace({bare}, {literal(thousands)}, ''), {literal(decimal)}, '.')"
    return f"CASE WHEN regexp_matches({bare}, {literal(shape)}) THEN {plain} END"
