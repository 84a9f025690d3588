"""The pairs' scores: of those that blocking found, of those the base had, and of those that a third record suggests."""

from __future__ import annotations

from collections.abc import Callable

from crmlib.engine import Engine, Step
from crmlib.identity.decisions import weigh_relatives
from crmlib.identity.increments import Base, Start, carry_pairs
from crmlib.identity.linkage import PairScorer
from crmlib.identity.model import LinkageModel
from crmlib.identity.origins import weigh_origins

#: A pair of at least this weight (log2) makes one look at the other pairs of its records.
LEAST_FOLLOWED = 0.0
#: Of each record, so many of its likeliest pairs are followed.
MOST_FOLLOWED = 20

SUGGESTED_PAIRS = Step(
    "suggested_pairs",
    """
    WITH likely AS (
        SELECT record_no_l AS one, record_no_r AS other, match_weight FROM weighed_pairs
        WHERE match_weight >= $least AND weight_to_relatives >= $least
        UNION ALL
        SELECT record_no_r, record_no_l, match_weight FROM weighed_pairs
        WHERE match_weight >= $least AND weight_to_relatives >= $least
    ),
    followed AS (
        SELECT k.one, k.other, one.record_no IS NOT NULL OR other.record_no IS NOT NULL AS changed
        FROM likely k
        LEFT JOIN changed_records one ON one.record_no = k.one
        LEFT JOIN changed_records other ON other.record_no = k.other
        QUALIFY row_number() OVER (PARTITION BY k.one ORDER BY k.match_weight DESC, k.other) <= $most
    ),
    found AS (
        SELECT DISTINCT l.other AS record_no_l, r.other AS record_no_r
        FROM followed l
        JOIN followed r ON r.one = l.one AND l.other < r.other AND (l.changed OR r.changed)
    )
    SELECT f.record_no_l, f.record_no_r, -1 AS rule
    FROM found f
    ANTI JOIN candidate_pairs c ON c.record_no_l = f.record_no_l AND c.record_no_r = f.record_no_r
    ANTI JOIN weighed_pairs w ON w.record_no_l = f.record_no_l AND w.record_no_r = f.record_no_r
    """,
)


def score_pairs(
    engine: Engine,
    model: LinkageModel,
    start: Start,
    base: Base,
    progress: Callable[[str], None] | None = None,
) -> str:
    """Score all pairs that may be one person.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records`` and ``candidate_pairs``.
    model : LinkageModel
    start : Start
        Of an increment, the base's pairs between records that are as they were are taken over.
    base : Base
    progress : callable, optional
        Told each step in words.

    Returns
    -------
    str
        ``weighed_pairs``, as `weigh_relatives` and `weigh_origins` make it.

    Notes
    -----
    Two records that no rule compares, since they agree in nothing, may each be like a third. Such pairs are compared,
    too: when groups are joined, a pair across them that was not compared would count against it.
    """
    with PairScorer(engine, model) as scorer:
        scorer.predict_pairs(progress=progress)
        weigh_relatives(engine, model)
        carry_pairs(engine, start, base)
        engine.run(SUGGESTED_PAIRS, least=LEAST_FOLLOWED, most=MOST_FOLLOWED)
        engine.run(Step("candidate_pairs", "FROM suggested_pairs"))
        engine.execute("DROP TABLE IF EXISTS blocked_pairs")
        engine.execute("ALTER TABLE weighed_pairs RENAME TO blocked_pairs")
        scorer.predict_pairs(progress=progress)
        weigh_relatives(engine, model)
    engine.execute("INSERT INTO blocked_pairs BY NAME FROM weighed_pairs")
    engine.execute("DROP TABLE weighed_pairs")
    engine.execute("ALTER TABLE blocked_pairs RENAME TO weighed_pairs")
    return weigh_origins(engine, model)
