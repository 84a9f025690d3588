"""Counting: the rows of an entity are looked at once; of those that are alike in all checks there are few kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crmlib.audit.flags import REACHABLE, USABLE, Flag
from crmlib.engine import Engine, literal, quote

#: Conditions that are packed into one number.
BITS = 60
#: Places that a finding shows.
MOST_EXAMPLES = 3


@dataclass(frozen=True)
class Counted:
    """The kinds of rows of an entity.

    Parameters
    ----------
    entity : str
    table : str
        source, store, delivery, ``bits_<n>`` (of `places`), rows, revenue, places (the first rows of the kind), and for
        customers granted (of the consents that checks ask for), with_email and reachable (how many can be reached).
    flags : list of Flag
    places : dict of str to int
        Condition -> the bit that says whether it holds.
    looked_at : dict of str to list of str
        Name of a flag (field and check) -> the sources that it looks at.
    """

    entity: str
    table: str
    flags: list[Flag]
    places: dict[str, int]
    looked_at: dict[tuple[str, str], list[str]]

    def holds(self, condition: str) -> str:
        """Expression over `table` that tells whether a condition holds."""
        if condition == "true":
            return "true"
        place = self.places[condition]
        return f"bits_{place // BITS} & {1 << place % BITS} <> 0"


def count_kinds(engine: Engine, entity: str, view: str, flags: Sequence[Flag]) -> Counted:
    """Judge each row of an entity once, and count those that are alike.

    Parameters
    ----------
    engine : Engine
    entity, view : str
        As `crmlib.audit.rows.lay_out` made it.
    flags : sequence of Flag
    """
    conditions = dict.fromkeys(
        condition for flag in flags for condition in (flag.given, flag.applies, _fails(flag)) if condition != "true"
    )
    places = {condition: place for place, condition in enumerate(conditions)}
    bits = _pack(conditions)
    asked = 0
    for flag in flags:
        asked |= flag.blocked
    kinds = ["source", "store", "delivery", *bits]
    shown = [f"{packed} AS {name}" for name, packed in bits.items()]
    summed = []
    if entity == "customers":
        kinds.append("consents")
        shown += [f"granted & {asked} AS consents", f"{USABLE['email']} AS has_email", f"{REACHABLE} AS is_reached"]
        summed += ["count_if(has_email) AS with_email", "count_if(is_reached) AS reachable"]
    table = f"counted_{entity}"
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE {table} AS
        SELECT {", ".join(kinds)}, count(*) AS rows, sum(revenue) AS revenue,
          min(delivery_row, {MOST_EXAMPLES}) AS places{"".join(f", {one}" for one in summed)}
        FROM (SELECT source, store, delivery, delivery_row, revenue, {", ".join(shown)} FROM {quote(view)})
        GROUP BY {", ".join(kinds)}
        """
    )
    counted = Counted(entity, table, list(flags), places, {})
    return Counted(entity, table, list(flags), places, _find_sources(engine, counted))


def _fails(flag: Flag) -> str:
    return flag.fails if flag.applies == "true" else f"{flag.applies} AND ({flag.fails})"


def _pack(conditions: Iterable[str]) -> dict[str, str]:
    """Many conditions as few columns of bits: name -> expression."""
    packed: dict[str, list[str]] = {}
    for place, condition in enumerate(conditions):
        known = f"({condition}) IS NOT DISTINCT FROM true"
        packed.setdefault(f"bits_{place // BITS}", []).append(f"CAST({known} AS BIGINT) * {1 << place % BITS}")
    return {name: " + ".join(terms) for name, terms in packed.items()}


def _find_sources(engine: Engine, counted: Counted) -> dict[tuple[str, str], list[str]]:
    """Field and check -> the sources that have the field at all; what is compared between sources needs two."""
    given = dict.fromkeys(flag.given for flag in counted.flags)
    told = "".join(f", bool_or({counted.holds(one)}) AS g{number}" for number, one in enumerate(given))
    rows = engine.rows(f"SELECT source{told} FROM {counted.table} GROUP BY source ORDER BY source")
    present = {one: [row["source"] for row in rows if row[f"g{number}"]] for number, one in enumerate(given)}
    return {
        (flag.field, flag.name): [
            source
            for source in present[flag.given]
            if (not flag.sources or source in flag.sources)
            and (flag.check.rule != "agrees" or len(present[flag.given]) > 1)
        ]
        for flag in counted.flags
    }


def count_checks(counted: Counted) -> list[str]:
    """Queries for rows, failing, not_contactable and revenue of each check, by source, store and delivery."""
    return [
        f"""SELECT source, {_names(counted, flag)}, store, delivery,
          {_sum(counted.holds(flag.applies))} AS rows, {_sum(counted.holds(_fails(flag)))} AS failing,
          {_sum(f"{counted.holds(_fails(flag))} AND consents & {flag.blocked} <> 0") if flag.blocked else "0"}
            AS not_contactable,
          CAST({_sum(counted.holds(_fails(flag)), "revenue")} AS DOUBLE) AS revenue
        FROM {counted.table} WHERE {within} GROUP BY source, store, delivery"""
        for flag, within in _list_asked(counted)
    ]


def find_examples(engine: Engine, counted: Counted) -> list[str]:
    """Queries for where the first rows that fail each check stand: source and examples; of those that some fail."""
    asked = _list_asked(counted)
    if not asked:
        return []
    told = ", ".join(
        f"coalesce(bool_or({within} AND {counted.holds(_fails(flag))}), false) AS f{number}"
        for number, (flag, within) in enumerate(asked)
    )
    failing = engine.row(f"SELECT {told} FROM {counted.table}")
    return [
        f"""SELECT source, {_names(counted, flag)}, {first_places("delivery", "delivery_row")} AS examples
        FROM (
          SELECT source, delivery, unnest(places) AS delivery_row FROM {counted.table}
          WHERE {within} AND {counted.holds(_fails(flag))} AND delivery IS NOT NULL
        ) GROUP BY source"""
        for number, (flag, within) in enumerate(asked)
        if failing[f"f{number}"]
    ]


def first_places(delivery: str, row: str) -> str:
    """Aggregate that names the first places in words."""
    return (
        f"list_transform(min(struct_pack(delivery := {delivery}, number := {row}), {MOST_EXAMPLES}), "
        "place -> place.delivery || ', row ' || place.number)"
    )


def _list_asked(counted: Counted) -> list[tuple[Flag, str]]:
    """Flags that look at any source, each with the condition for these."""
    asked = [(flag, counted.looked_at[flag.field, flag.name]) for flag in counted.flags]
    return [(flag, f"source IN ({', '.join(map(literal, sources))})") for flag, sources in asked if sources]


def _names(counted: Counted, flag: Flag) -> str:
    names: Mapping[str, str] = {"entity": counted.entity, "field": flag.field, "check": flag.name}
    return ", ".join(f"{literal(value)} AS {quote(name)}" for name, value in names.items())


def _sum(condition: str, what: str = "rows") -> str:
    return f"sum(CASE WHEN {condition} THEN {what} ELSE 0 END)"
