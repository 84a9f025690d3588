"""Scores: a mark per source and dimension and their history, and the findings put in an order and in words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from crmlib.audit.gates import DIMENSIONS
from crmlib.engine import Engine, Step, literal, quote

if TYPE_CHECKING:
    import pandas as pd

#: Stands for all sources together; no source can be called so.
ALL_SOURCES = "(all)"
#: How somebody is contacted, where the channel's name does not say it.
BY_CHANNEL = {"email": "e-mail", "sms": "SMS", "postal": "post", "call": "phone"}


def summarise_scores(engine: Engine, findings: str, base: str | None) -> str:
    """Make ``audit_scores``: per source and dimension the share of checks passed, each check counting the same.

    Parameters
    ----------
    engine : Engine
    findings : str
        Table with the columns of ``audit_findings``.
    base : str or None
        ``audit_scores`` of the base run.

    Returns
    -------
    str
        Name of the engine's table; `ALL_SOURCES` stands for every check of every source.
    """
    earlier = base or "(SELECT * FROM audit_scores WHERE false)"
    mean = '1 - avg(share ORDER BY source, entity, field, "check")'
    return engine.run(
        Step(
            "scores",
            f"""
            WITH scored AS (
              SELECT source, dimension, {mean} AS score FROM {quote(findings)} GROUP BY source, dimension
              UNION ALL
              SELECT {literal(ALL_SOURCES)}, dimension, {mean} FROM {quote(findings)} GROUP BY dimension
            )
            SELECT scored.*, scored.score - earlier.score AS change
            FROM scored LEFT JOIN {earlier} AS earlier USING (source, dimension)
            """,
        )
    )


def add_to_history(engine: Engine, scores: str, base: str | None, as_of_date: date) -> str:
    """Make ``audit_history``: the base's scores of earlier days, and today's.

    Parameters
    ----------
    engine : Engine
    scores : str
        Made by `summarise_scores`.
    base : str or None
        ``audit_history`` of the base run.
    as_of_date : datetime.date
    """
    earlier = f"UNION ALL BY NAME (SELECT * FROM {base} WHERE as_of_date < DATE '{as_of_date}')" if base else ""
    return engine.run(
        Step(
            "score_history",
            f"SELECT DATE '{as_of_date}' AS as_of_date, source, dimension, score FROM {quote(scores)} {earlier}",
        )
    )


def summarise_dimensions(engine: Engine, scores: str) -> pd.DataFrame:
    """Score of each dimension over all sources, the weakest first.

    Returns
    -------
    DataFrame
        Columns dimension, score, change.
    """
    return engine.frame(
        f"SELECT dimension, score, change FROM {quote(scores)} WHERE source = $everywhere ORDER BY score, dimension",
        everywhere=ALL_SOURCES,
    )


def summarise_trend(engine: Engine, history: str) -> pd.DataFrame:
    """Score of each dimension over all sources, by as-of date.

    Returns
    -------
    DataFrame
        Columns as_of_date, and one for each dimension.
    """
    columns = ", ".join(
        f"max(score) FILTER (WHERE dimension = {literal(dimension)}) AS {dimension}" for dimension in DIMENSIONS
    )
    return engine.frame(
        f"SELECT as_of_date, {columns} FROM {quote(history)} WHERE source = $everywhere "
        "GROUP BY as_of_date ORDER BY as_of_date",
        everywhere=ALL_SOURCES,
    )


def find_reachable(engine: Engine) -> dict[str, float]:
    """How many records can be reached: records, share (e-mail or phone), email (share); valid ones alone count."""
    row = engine.row(
        """
        SELECT sum(rows) AS records, sum(with_email) / sum(rows) AS email, sum(reachable) / sum(rows) AS share
        FROM counted_customers
        """
    )
    return {"records": row["records"], "email": row["email"], "share": row["share"]}


def tell_costliest(engine: Engine, findings: str, currency: str, most: int = 5) -> pd.DataFrame:
    """The costliest defects in words, and what mending each would bring.

    First come those that keep people from being contacted or sales from being credited to a customer, by the sales
    behind them; then all others by theirs. That somebody has not agreed is no defect and is left out.

    Returns
    -------
    DataFrame
        Columns defect, mending, revenue_at_risk, owner, remedy.
    """
    worst = engine.frame(
        f"""
        WITH wrong AS (
          SELECT *, len(blocks) > 0 OR (entity = 'tickets' AND dimension IN ('completeness', 'consistency')) AS costs
          FROM {quote(findings)} WHERE failing > 0 AND dimension <> 'contactability'
          -- of checks that the same rows fail, as of an address and its postcode, one is told
          QUALIFY row_number() OVER (
            PARTITION BY source, entity, blocks, failing, revenue_at_risk, not_contactable ORDER BY field, "check"
          ) = 1
        )
        SELECT source, entity, says, failing, rows, not_contactable, blocks, revenue_at_risk, owner, remedy
        FROM wrong
        ORDER BY costs DESC, revenue_at_risk DESC, not_contactable DESC, failing DESC, source, field, "check"
        LIMIT {int(most)}
        """
    )
    rows = worst.to_dict("records")
    worst["defect"] = [
        f"{row['failing']:,} of {row['rows']:,} {_things(row['entity'])} in {row['source']} {row['says']}."
        for row in rows
    ]
    worst["mending"] = [_tell_mending(row, currency) for row in rows]
    return worst[["defect", "mending", "revenue_at_risk", "owner", "remedy"]]


def _tell_mending(row: Mapping[Hashable, Any], currency: str) -> str:
    if len(row["blocks"]):
        asked = row["failing"] - row["not_contactable"]
        told = [f"{row['not_contactable']:,} people who agreed could be contacted"] if row["not_contactable"] else []
        told += [f"{asked:,} more could be asked for their consent"] if asked else []
        return f"By {' and '.join(BY_CHANNEL.get(channel, channel) for channel in row['blocks'])}: {', '.join(told)}."
    if row["entity"] == "tickets" and row["revenue_at_risk"] > 0:
        return f"{row['revenue_at_risk']:,.0f} {currency} of sales could be credited rightly."
    return f"{row['failing']:,} {_things(row['entity'])} would be right."


def _things(entity: str) -> str:
    return "records" if entity == "customers" else entity.replace("_", " ")


def list_findings(engine: Engine) -> pd.DataFrame:
    """Every check that some rows fail, in words, the largest share first.

    Returns
    -------
    DataFrame
        Columns finding, failing, share, change, owner, examples.
    """
    found = engine.frame(
        """
        SELECT source || ': ' || replace(entity, 'customers', 'records') || ' that '
            || CASE WHEN says LIKE '%cannot be read%' THEN says || ' (' || replace(field, '_', ' ') || ')' ELSE says END
            AS finding,
          failing, share, change, owner, examples
        FROM audit_findings WHERE failing > 0 AND dimension <> 'contactability'
        ORDER BY share DESC, source, entity, field, "check"
        """
    )
    return found.assign(examples=found["examples"].map(_tell_places))


def _tell_places(places: Sequence[str] | None) -> str:
    rows: dict[str, list[str]] = {}
    for place in places if places is not None else []:
        delivery, _, row = place.rpartition(", row ")
        rows.setdefault(delivery, []).append(row)
    return "; ".join(
        f"{delivery}, row{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" for delivery, numbers in rows.items()
    )


def summarise_fields(engine: Engine, findings: str) -> pd.DataFrame:
    """Share of checks that fail by source and field, of those of values: the worst field first.

    Returns
    -------
    DataFrame
        Columns source, field, share.
    """
    return engine.frame(
        f"""
        WITH judged AS (
          SELECT source, field, sum(failing) / sum(rows) AS share, sum(failing) AS failing FROM {quote(findings)}
          WHERE dimension <> 'contactability' GROUP BY source, field
        ),
        fields AS (SELECT field, avg(share) AS mean_share FROM judged GROUP BY field HAVING sum(failing) > 0)
        SELECT source, replace(field, '_', ' ') AS field, share FROM judged JOIN fields USING (field)
        ORDER BY mean_share DESC, field, source
        """
    )


def summarise_reach(engine: Engine, findings: str) -> pd.DataFrame:
    """Who can be contacted, by source, channel and purpose, by the records' own consents.

    Returns
    -------
    DataFrame
        Columns source, channel, purpose, records, contactable, share, change (of the share).
    """
    return engine.frame(
        f"""
        SELECT source, field AS channel, replace(split_part("check", '_for_', 2), '_', ' ') AS purpose, rows AS records,
          rows - failing AS contactable, 1 - share AS share, -change AS change
        FROM {quote(findings)} WHERE "check" LIKE '%!_for!_%' ESCAPE '!' AND dimension = 'contactability'
        ORDER BY purpose, channel, source
        """
    )


def summarise_parts(engine: Engine, parts: str, part: str, least: int = 20) -> pd.DataFrame:
    """Stores, or days of delivery, in which a check fails most beside its source's own share.

    Parameters
    ----------
    engine : Engine
    parts : str
        Table with the columns of ``audit_parts``.
    part : {"store", "delivered_on"}
    least : int
        Rows under which a share says nothing.

    Returns
    -------
    DataFrame
        Columns value, source, field, says, rows, failing, share, source_share; the most rows above their source's
        share first.
    """
    return engine.frame(
        f"""
        SELECT value, parts.source, replace(parts.field, '_', ' ') AS field, says, parts.rows, parts.failing,
          parts.share, findings.share AS source_share
        FROM {quote(parts)} AS parts JOIN audit_findings AS findings USING (source, entity, field, "check")
        WHERE part = $part AND parts.rows >= $least AND parts.share > findings.share AND dimension <> 'contactability'
        ORDER BY (parts.share - findings.share) * parts.rows DESC, value, source, field, "check"
        """,
        part=part,
        least=least,
    )
