"""Findings: how many rows fail each check, by source, store and day of delivery; where three stand; what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from crmlib.audit.costs import BY_IDENTITIES, BY_TICKETS
from crmlib.audit.counting import count_checks, count_kinds, find_examples, first_places
from crmlib.audit.delivered import flag_deliveries
from crmlib.audit.flags import Flag, list_flags
from crmlib.audit.reading import EVERY, AuditFile, Check
from crmlib.audit.rows import lay_out
from crmlib.engine import Engine, literal
from crmlib.params import Params

TOLD = pa.schema(
    [(name, pa.string()) for name in ("entity", "field", "check", "dimension", "says", "remedy")]
    + [("blocks", pa.list_(pa.string()))]
)


@dataclass(frozen=True)
class Judged:
    """What the checks found.

    Parameters
    ----------
    findings : str
        Table with the columns of ``audit_findings``.
    parts : str
        Table with those of ``audit_parts``.
    flags : dict of str to list of Flag
        Entity -> its checks as SQL over the view ``audited_<entity>``.
    flagged_deliveries : str
        Table of `delivered.flag_deliveries`.
    ascribed : str
        How sales were ascribed to records, in words.
    """

    findings: str
    parts: str
    flags: dict[str, list[Flag]]
    flagged_deliveries: str
    ascribed: str


def judge(
    engine: Engine,
    checks: AuditFile,
    params: Params,
    as_of_date: date,
    cutoff: datetime,
    *,
    stored: Callable[[str], str | None],
    superseded: Mapping[str, int],
    base: Callable[[str], str | None],
) -> Judged:
    """Run every check on every row.

    Parameters
    ----------
    engine : Engine
        Holds every table that room 01 writes.
    checks : AuditFile
    params : Params
    as_of_date : datetime.date
    cutoff : datetime
        End of the as-of date.
    stored, superseded
        See `crmlib.audit.delivered.flag_deliveries`.
    base : callable
        Gives the view of a table as the base run left it, or None.
    """
    engine.execute(
        "CREATE OR REPLACE TABLE delivery_days AS SELECT source, load AS delivery, "
        "CAST(max(delivered_at) AS DATE) AS delivered_on FROM intake_ledger GROUP BY ALL"
    )
    owners = {name: source.owner for name, source in params.sources.items()}
    engine.register("owners", pa.table({"source": list(owners), "owner": pa.array(owners.values(), pa.string())}))
    by_entity: dict[str, list[Check]] = {}
    for check in checks.checks:
        by_entity.setdefault(check.entity, []).append(check)
    tables = lay_out(engine, checks.checks, params.run.country, as_of_date, base("identities"))
    flags = {
        entity: list_flags(engine, entity, view, by_entity.get(entity, []), as_of_date, params.audit.stale_after_days)
        for entity, view in tables.items()
    }
    kinds = [count_kinds(engine, entity, tables[entity], found) for entity, found in flags.items()]
    flagged = flag_deliveries(engine, checks.checks, stored, superseded, cutoff)
    counted = [select for one in kinds for select in count_checks(one)] + [_count_deliveries()]
    engine.execute(f"CREATE OR REPLACE TABLE counted_checks AS {' UNION ALL '.join(counted)}")
    examples = [select for one in kinds for select in find_examples(engine, one)]
    examples.append(
        f"""SELECT source, entity, field, "check", {first_places("delivery", '"row"')} AS examples
        FROM flagged_deliveries GROUP BY ALL"""
    )
    engine.execute(f"CREATE OR REPLACE TABLE check_examples AS {' UNION ALL '.join(examples)}")
    engine.register("told_checks", _tell_checks(checks, flags))
    _sum_up(engine, base("audit_findings"))
    ascribed = BY_IDENTITIES if base("identities") else BY_TICKETS
    return Judged("findings", "finding_parts", flags, flagged, ascribed)


def _count_deliveries() -> str:
    """The same of what was delivered wrong: of all the rows that were read."""
    return """
        SELECT kinds.source, kinds.entity, kinds.field, kinds."check", NULL AS store, known.delivery,
          CAST(known.rows AS BIGINT) AS rows, coalesce(hits.failing, 0) AS failing, 0 AS not_contactable, 0 AS revenue
        FROM (SELECT DISTINCT source, entity, field, "check" FROM flagged_deliveries) AS kinds
        JOIN known_deliveries AS known ON known.source = kinds.source AND known.entity = kinds.entity
        LEFT JOIN (
          SELECT source, entity, field, "check", delivery, count(*) AS failing FROM flagged_deliveries GROUP BY ALL
        ) AS hits
          ON hits.source = kinds.source AND hits.entity = kinds.entity AND hits.field = kinds.field
          AND hits."check" = kinds."check" AND hits.delivery = known.delivery
    """


def _tell_checks(checks: AuditFile, flags: Mapping[str, Sequence[Flag]]) -> pa.Table:
    """What each check says: of those that were made for every consent, each."""
    told = [(flag.check.entity, flag.field, flag.name, flag) for found in flags.values() for flag in found]
    rows = [
        {
            "entity": entity,
            "field": field,
            "check": name,
            "dimension": flag.check.dimension,
            **_says(flag.check, field, name),
        }
        for entity, field, name, flag in told
    ]
    rows += [
        {"entity": check.entity, "field": check.field, "check": check.check, "dimension": check.dimension,
         **_says(check, check.field, check.check)}
        for check in checks.checks
        if check.entity == EVERY or check.rule == "final"
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TOLD)


def _says(check: Check, field: str, name: str) -> dict[str, str | list[str]]:
    says = check.says
    if check.rule == "contactable":
        says = f"{says} by {field} for {name.split('_for_')[1].replace('_', ' ')}"
    return {"says": says, "remedy": check.remedy, "blocks": check.blocks}


def _sum_up(engine: Engine, base: str | None) -> None:
    """Make ``findings`` and ``finding_parts``."""
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE findings AS
        WITH summed AS (
          SELECT source, entity, field, "check", CAST(sum(rows) AS BIGINT) AS rows,
            CAST(sum(failing) AS BIGINT) AS failing, CAST(sum(not_contactable) AS BIGINT) AS not_contactable,
            CAST(sum(revenue) AS DECIMAL(18, 2)) AS revenue_at_risk
          FROM counted_checks GROUP BY ALL HAVING sum(rows) > 0
        )
        SELECT summed.*, told.dimension, told.says,
          told.remedy, told.blocks, summed.failing / summed.rows AS share,
          summed.failing / summed.rows - earlier.share AS change,
          CASE WHEN summed.entity = 'customers' THEN summed.failing END AS customers, owners.owner, examples.examples
        FROM summed
        JOIN told_checks AS told
          ON told."check" = summed."check"
          AND (told.entity = {literal(EVERY)} OR (told.entity = summed.entity AND told.field = summed.field))
        LEFT JOIN {base or "(SELECT * FROM audit_findings WHERE false)"} AS earlier
          ON earlier.source = summed.source AND earlier.entity = summed.entity AND earlier.field = summed.field
          AND earlier."check" = summed."check"
        LEFT JOIN owners ON owners.source = summed.source
        LEFT JOIN check_examples AS examples
          ON examples.source = summed.source AND examples.entity = summed.entity AND examples.field = summed.field
          AND examples."check" = summed."check"
        """
    )
    engine.execute(
        """
        CREATE OR REPLACE TABLE finding_parts AS
        WITH wrong AS (SELECT source, entity, field, "check" FROM findings WHERE failing > 0),
        parts AS (
          SELECT counted.*, CAST(delivered_on AS VARCHAR) AS delivered_on
          FROM counted_checks AS counted SEMI JOIN wrong USING (source, entity, field, "check")
          LEFT JOIN delivery_days USING (source, delivery)
        ),
        cut AS (
          SELECT *, 'store' AS part, store AS value FROM parts WHERE store IS NOT NULL
          UNION ALL
          SELECT *, 'delivered_on', delivered_on FROM parts WHERE delivered_on IS NOT NULL
        )
        SELECT source, entity, field, "check", part, value, CAST(sum(rows) AS BIGINT) AS rows,
          CAST(sum(failing) AS BIGINT) AS failing, sum(failing) / sum(rows) AS share
        FROM cut GROUP BY source, entity, field, "check", part, value HAVING sum(rows) > 0
        """
    )
