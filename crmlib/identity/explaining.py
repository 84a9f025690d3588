"""Why a pair weighs what it weighs: levels and weights, never a value."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine
from crmlib.identity.decisions import CONTRADICTION
from crmlib.identity.model import LinkageModel
from crmlib.identity.summaries import weight_of

#: A step that moves the weight by less says nothing.
LEAST_STEP = 0.05
STEPS = {
    "prior": "Before anything is compared",
    "rarity": "Rare or common values",
    "origin": "Such names often go together",
    "relatives": "People of one home agree in this, too",
    "contradiction": "Ids or dates of birth rule it out",
}

EXAMPLES = """
    WITH judged AS (
        SELECT record_no_l, record_no_r, match_weight, match_probability >= $threshold AS links
        FROM decided_pairs
        WHERE decided_by = 'model' AND NOT contradicted
    ),
    ranked AS (
        SELECT *, row_number() OVER (PARTITION BY links ORDER BY match_weight, record_no_l, record_no_r) AS place,
               count(*) OVER (PARTITION BY links) AS pairs
        FROM judged
    )
    SELECT 1 AS number, 'A pair just not joined' AS example, record_no_l, record_no_r
    FROM ranked WHERE NOT links AND place = pairs
    UNION ALL
    SELECT 2, 'A pair just joined', record_no_l, record_no_r FROM ranked WHERE links AND place = 1
    UNION ALL
    SELECT 3, 'A pair joined like most', record_no_l, record_no_r
    FROM ranked WHERE links AND place = (pairs + 1) // 2 AND pairs > 1
    ORDER BY number
"""


def explain_pair(engine: Engine, model: LinkageModel, record_no_l: int, record_no_r: int) -> pd.DataFrame:
    """Take a pair's weight apart.

    Parameters
    ----------
    engine : Engine
        Holds ``weighed_pairs`` and ``decided_pairs``.
    model : LinkageModel
    record_no_l, record_no_r : int

    Returns
    -------
    pandas.DataFrame
        comparison (or prior, rarity, origin, relatives, contradiction), step (in words), weight (log2); they add up
        to the pair's match_weight as the model has it. Without a row where the model did not look at the pair.
    """
    found = engine.rows(
        "SELECT w.*, d.match_weight AS decided_weight, d.contradicted AND d.decided_by <> 'reviewer' AS ruled_out "
        "FROM weighed_pairs w JOIN decided_pairs d USING (record_no_l, record_no_r) "
        "WHERE record_no_l = $l AND record_no_r = $r",
        l=record_no_l,
        r=record_no_r,
    )
    columns = ["comparison", "step", "weight"]
    if not found:
        return pd.DataFrame({"comparison": [], "step": [], "weight": []}).astype({"weight": "float"})[columns]
    pair = found[0]
    weights = model.weights.set_index(["comparison", "level"])
    levels = [
        (comparison.name, *weights.loc[(comparison.name, level), ["name", "match_weight"]])
        for comparison in model.comparisons
        if (level := pair[f"gamma_{comparison.name}"]) >= 0
    ]
    prior = weight_of(model.prior)
    rarity = pair["match_weight"] - prior - sum(weight for *_, weight in levels)
    contradiction = CONTRADICTION if pair["ruled_out"] else 0.0
    origin = pair["origin_weight"]
    relatives = pair["decided_weight"] - pair["match_weight"] - origin - contradiction
    rest = [("rarity", rarity), ("origin", origin), ("relatives", relatives), ("contradiction", contradiction)]
    rows = [("prior", STEPS["prior"], prior), *sorted(levels, key=lambda level: -level[2])]
    rows += [(name, STEPS[name], weight) for name, weight in rest if abs(weight) >= LEAST_STEP]
    return pd.DataFrame(rows, columns=columns)


def explain_examples(engine: Engine, model: LinkageModel, match_threshold: float) -> pd.DataFrame:
    """Take three pairs apart: the nearest below the threshold, the nearest above it, and a usual one.

    Parameters
    ----------
    engine : Engine
        Holds ``weighed_pairs`` and ``decided_pairs``.
    model : LinkageModel
    match_threshold : float

    Returns
    -------
    pandas.DataFrame
        example (in words), step, weight (log2); a kind of which there is none is left out.
    """
    chosen = engine.rows(EXAMPLES, threshold=match_threshold)
    frames = [
        explain_pair(engine, model, pair["record_no_l"], pair["record_no_r"]).assign(example=pair["example"])
        for pair in chosen
    ]
    nothing = pd.DataFrame({"example": [], "step": [], "weight": []})
    return pd.concat(frames, ignore_index=True)[list(nothing.columns)] if frames else nothing
