"""Formats: how a file writes dates and numbers, and the expression that reads a text as its type.

Formats are found out by field, from a sample of the rows spread over the whole file. A text that
cannot be read is a fault of its row: a wrong value is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crmlib.engine import Engine, literal, quote
from crmlib.params import EntitySource
from crmlib.sources.clocks import tell_local, tell_moment
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
#: Different texts of a field by which the format of its dates is found out.
TRIED_TEXTS = 500
#: The type a text is read as, by the kind of column: it holds any number that is possible, and some that are not.
NUMBERS = {"money": "DECIMAL(18, 6)", "float": "DOUBLE", "int": "BIGINT"}
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
class Reading:
    """How a field is read.

    Parameters
    ----------
    value : str
        The expression for its value; it may use ``prepared``.
    rule : str or None
        The expression for the rule that is broken where the field says something and the value is nothing; None where
        any text will do.
    prepared : str or None
        What is worked out once for each row, as the column that `prepared_name` names.
    """

    value: str
    rule: str | None = None
    prepared: str | None = None


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


def find_formats(engine: Engine, sample: str, columns: list[Column], delivery: EntitySource) -> Formats:
    """Find out how a file writes dates and numbers.

    Parameters
    ----------
    engine : Engine
    sample : str
        A table of the engine with the fields' texts of some rows.
    columns : list of Column
        The fields that are said as text.
    delivery : EntitySource
        Its dialect comes first.

    Returns
    -------
    Formats
    """
    dates: dict[str, tuple[str, ...]] = {}
    decimals: dict[str, str] = {}
    sniffed: list[str] = []
    given = delivery.dialect.date
    for column in columns:
        if column.kind not in ("date", "time"):
            continue
        if given is not None and ("%H" in given or "%I" in given):
            dates[column.name] = (given,)
            continue
        day = given
        if day is None:
            read, (day, *_) = _rank(engine, sample, column.name, [_with_clocks(day) for day in DAYS])[0]
            sniffed += [f"{column.name} {day}"] if read else []
        ranked = _rank(engine, sample, column.name, [(moment,) for moment in _with_clocks(day)])
        dates[column.name] = tuple(moment for _, (moment,) in ranked)
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


def _parse(text: str, formats: tuple[str, ...]) -> str:
    return f"try_strptime({text}, [{', '.join(literal(given) for given in formats)}])"


def _rank(
    engine: Engine, sample: str, field: str, candidates: list[tuple[str, ...]]
) -> list[tuple[int, tuple[str, ...]]]:
    """How many of a field's texts each group of formats reads, the most first; the equally good keep their order."""
    moments = ", ".join(f"{_parse('text', formats)} AS m{i}" for i, formats in enumerate(candidates))
    counts = ", ".join(
        f"count(*) FILTER (WHERE year(m{i}) BETWEEN {YEARS[0]} AND {YEARS[1]}) AS f{i}" for i in range(len(candidates))
    )
    # any of them, but always the same
    texts = f"SELECT DISTINCT {quote(field)} AS text FROM {sample} ORDER BY hash(text) LIMIT {TRIED_TEXTS}"
    row = engine.row(f"SELECT {counts} FROM (SELECT {moments} FROM ({texts}))")
    counted = [(int(row[f"f{i}"]), formats) for i, formats in enumerate(candidates)]
    return sorted(counted, key=lambda pair: -pair[0])


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


def prepared_name(field: str) -> str:
    """The column of what is prepared for a field, quoted."""
    return quote(f"prepared {field}")


def read_as(column: Column, said_as: str, formats: Formats, timezone: str) -> Reading:
    """How a field is read as its column's type.

    Parameters
    ----------
    column : Column
        The contract's column; the field bears its name.
    said_as : str
        Its type in SQL: VARCHAR, or what a typed file has.
    formats : Formats
    timezone : str
        Of times that do not name theirs.
    """
    field = quote(column.name)
    if column.kind == "text":
        if not column.values:
            return Reading(field)
        allowed = ", ".join(literal(value) for value in column.values)
        value = f"CASE WHEN lower({field}) IN ({allowed}) THEN lower({field}) END"
        return Reading(value, None if column.null else literal("unknown_value"))
    if column.kind in ("date", "time"):
        return _read_time(column, said_as, formats, timezone)
    if column.kind == "bool":
        return Reading(_read_bool(field, said_as), literal("not_yes_or_no"))
    if column.kind == "texts":
        parts = rf"regexp_split_to_array({field}, '\s*(?:,|;|\||:::)\s*')" if said_as == "VARCHAR" else field
        # quoted lists inside a cell; labels of the tool's own begin with an asterisk
        bare = f"list_transform({parts}, part -> trim(part, ' \"'))"
        return Reading(f"list_filter({bare}, part -> part <> '' AND NOT starts_with(part, '* '))")
    return _read_number(column, said_as, formats)


def _read_time(column: Column, said_as: str, formats: Formats, timezone: str) -> Reading:
    prepared, rule = prepared_name(column.name), literal("not_a_date")
    here = _keep_plausible(prepared)
    if said_as == "VARCHAR":
        field = quote(column.name)
        # a time that names its own zone needs none of ours
        zoned = rf"regexp_matches({field}, '\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)$')"
        seconds = rf"regexp_replace(replace({field}, 'UTC', 'Z'), '([T ]\d\d:\d\d)( ?[Z+-])', '\1:00\2')"
        own = rf"TRY_CAST(regexp_replace({seconds}, ' (Z|[+-][\d:]+)$', '\1') AS TIMESTAMPTZ)"
        there = _keep_plausible(own)
        if column.kind == "time":
            here = tell_moment(here, timezone)
        else:
            here, there = f"CAST({here} AS DATE)", f"CAST(timezone({literal(timezone)}, {there}) AS DATE)"
        value = f"CASE WHEN {prepared} IS NOT NULL THEN {here} WHEN {zoned} THEN {there} END"
        return Reading(value, rule, _parse(field, formats.dates[column.name]))
    knows_zone = said_as == "TIMESTAMP WITH TIME ZONE"
    if column.kind == "time":
        value = here if knows_zone else tell_moment(f"CAST({here} AS TIMESTAMP)", timezone)
    else:
        value = f"CAST({tell_local(here, timezone) if knows_zone else here} AS DATE)"
    return Reading(value, rule, quote(column.name))


def _keep_plausible(moment: str) -> str:
    return f"CASE WHEN year({moment}) BETWEEN {YEARS[0]} AND {YEARS[1]} THEN {moment} END"


def _read_bool(field: str, said_as: str) -> str:
    if said_as != "VARCHAR":
        return field
    yes, no = (", ".join(literal(word) for word in words) for words in (YES, NO))
    return f"CASE WHEN lower({field}) IN ({yes}) THEN true WHEN lower({field}) IN ({no}) THEN false END"


def _read_number(column: Column, said_as: str, formats: Formats) -> Reading:
    prepared = prepared_name(column.name)
    number = quote(column.name)
    if said_as == "VARCHAR":
        number = _parse_number(number, formats.decimals[column.name], NUMBERS[column.kind])
    if column.kind == "int":
        return Reading(f"TRY_CAST({prepared} AS BIGINT)", literal("not_a_number"), number)
    return Reading(
        f"CASE WHEN abs({prepared}) < {IMPOSSIBLE_AMOUNT} THEN CAST({prepared} AS {column.sql_type}) END",
        f"CASE WHEN {prepared} IS NULL OR isnan(CAST({prepared} AS DOUBLE)) THEN 'not_a_number' "
        "ELSE 'impossible_amount' END",
        number,
    )


def _bare_number(field: str) -> str:
    return rf"regexp_replace(regexp_replace({field}, '{BESIDE_NUMBERS}', '', 'g'), '^(.+)-$', '-\1')"


def _parse_number(field: str, decimal: str, kind: str) -> str:
    """A text as a number; nothing where its signs are not those of the format."""
    thousands = "." if decimal == "," else ","
    bare = _bare_number(field)
    shape = rf"^[+-]?(\d+|\d{{1,3}}([{thousands}]\d{{3}})+)?([{decimal}]\d*)?([eE][+-]?\d+)?$"
    written = f"replace(replace({bare}, {literal(thousands)}, ''), {literal(decimal)}, '.')"
    # most are plain, and those are read much faster
    plain = f"CASE WHEN NOT contains({field}, {literal(thousands)}) THEN replace({field}, {literal(decimal)}, '.') END"
    other = f"CASE WHEN regexp_matches({bare}, {literal(shape)}) THEN {written} END"
    return f"coalesce(TRY_CAST({plain} AS {kind}), TRY_CAST({other} AS {kind}))"
