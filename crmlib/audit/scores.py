"""Scores: findings against the last run, a score per dimension, the worst defects in words, and the gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from crmlib.audit.checks import TICKET_CHECKS, list_record_checks
from crmlib.engine import Engine, quote
from crmlib.errors import GateError, InputError
from crmlib.params import Params

if TYPE_CHECKING:
    import pandas as pd

DIMENSIONS = ("completeness", "validity", "uniqueness", "consistency", "timeliness", "contactability")


def summarise_findings(engine: Engine, judged: str, owners: Mapping[str, str | None], base: str | None) -> str:
    """Make ``audit_findings``: shares, and their change since the base run.

    Parameters
    ----------
    engine : Engine
    judged : str
        Table made by `crmlib.audit.checks.check_records`.
    owners : mapping of str to str
        Source -> who answers for it.
    base : str or None
        ``audit_findings`` of the base run.

    Returns
    -------
    str
        Name of the engine's table.
    """
    import pyarrow as pa

    engine.register("owners", pa.table({"source": list(owners), "owner": pa.array(owners.values(), pa.string())}))
    earlier = base or "(SELECT * FROM audit_findings WHERE false)"
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE findings AS
        SELECT judged.*, judged.failing / judged.rows AS share, judged.failing / judged.rows - earlier.share AS change,
          owners.owner
        FROM {quote(judged)} AS judged
        LEFT JOIN {earlier} AS earlier USING (source, entity, field, "check")
        LEFT JOIN owners USING (source)
        """
    )
    return "findings"


def summarise_scores(engine: Engine, findings: str, base: str | None) -> str:
    """Make ``audit_scores``: per source and dimension the share of checks passed, each check counting the same."""
    earlier = base or "(SELECT * FROM audit_scores WHERE false)"
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE scores AS
        WITH scored AS (
          SELECT source, dimension, 1 - avg(share ORDER BY entity, field, "check") AS score
          FROM {quote(findings)} GROUP BY source, dimension
        )
        SELECT scored.*, scored.score - earlier.score AS change
        FROM scored LEFT JOIN {earlier} AS earlier USING (source, dimension)
        """
    )
    return "scores"


def find_reachable(engine: Engine) -> dict[str, float]:
    """How many records can be reached: records, share (e-mail or phone), email (share); valid ones alone count."""
    row = engine.row(
        """
        SELECT count(*) AS records, avg(CAST(coalesce(email_valid, false) AS INT)) AS email,
          avg(CAST(coalesce(email_valid, false) OR coalesce(phone_valid, false) AS INT)) AS share
        FROM audited_records
        """
    )
    return {"records": row["records"], "email": row["email"], "share": row["share"]}


def tell_worst(engine: Engine, findings: str, params: Params, most: int = 5) -> pd.DataFrame:
    """The worst defects in words: those on which most of last year's sales hang, then those of most rows.

    Returns
    -------
    DataFrame
        Columns defect, share, revenue_at_risk, owner.
    """
    words = {(c.field, c.check): c.words for c in [*list_record_checks(params.audit.stale_after_days), *TICKET_CHECKS]}
    worst = engine.frame(
        f"""
        SELECT source, entity, field, "check", failing, rows, share, revenue_at_risk, owner
        FROM {quote(findings)} WHERE failing > 0
        ORDER BY revenue_at_risk DESC, failing DESC, source, field, "check" LIMIT {int(most)}
        """
    )
    thing = {"customers": "records", "tickets": "tickets"}
    worst["defect"] = [
        f"{row['failing']:,} of {row['rows']:,} {thing[row['entity']]} in {row['source']} "
        f"{words[(row['field'], row['check'])]}."
        for row in worst.to_dict("records")
    ]
    return worst[["defect", "share", "revenue_at_risk", "owner"]]


def check_gates(engine: Engine, scores: str, gates: Mapping[str, float]) -> str:
    """Stop the run where a dimension's score is under its gate in any source.

    Parameters
    ----------
    engine : Engine
    scores : str
    gates : mapping of str to float
        Dimension -> least score; ``audit.gates`` of the params.

    Returns
    -------
    str
        One sentence: the gates held, or there are none.

    Raises
    ------
    InputError
        If a gate names no dimension.
    GateError
        Naming source, dimension, score and gate.
    """
    unknown = sorted(set(gates) - set(DIMENSIONS))
    if unknown:
        raise InputError(f"audit.gates.{unknown[0]}: there is no such dimension; there are {', '.join(DIMENSIONS)}.")
    for row in engine.rows(f"SELECT source, dimension, score FROM {quote(scores)} ORDER BY score"):
        least = gates.get(row["dimension"])
        if least is not None and row["score"] < least:
            raise GateError(
                f"The gate audit.gates.{row['dimension']} stops the run: {row['source']} scores {row['score']:.1%}, "
                f"at least {least:.1%} is asked for. Mend the source, or lower the gate in the params."
            )
    return f"{len(gates)} gates held." if gates else "No gate is set under audit.gates."
