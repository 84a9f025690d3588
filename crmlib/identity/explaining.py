"""Why a pair weighs what it weighs: levels and weights, never a value."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine, quote
from crmlib.identity.decisions import CONTRADICTION
from crmlib.identity.model import LinkageModel
from crmlib.identity.summaries import weight_of

#: A step that moves the weight by less says nothing.
LEAST_STEP = 0.05
#: A step of at least this weight either way is a reason.
LEAST_REASON = 0.5
#: Pairs of a customer that are told; and the least probability of a pair with somebody else's record.
MOST_PAIRS, LEAST_NEAR = 60, 0.001
PAIR_COLUMNS = ("one", "other", "decision", "match_probability", "match_weight", "speaks_for", "speaks_against")
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

PAIRS_OF_CUSTOMER = """
    WITH members AS (
        SELECT l.record_no
        FROM {identities} i
        JOIN linkage_records l ON l.source = i.source AND l.source_record_id = i.source_record_id
        WHERE i.customer_id = $customer_id
    ),
    near AS (
        SELECT p.record_no_l, p.record_no_r
        FROM decided_pairs p
        LEFT JOIN members l ON l.record_no = p.record_no_l
        LEFT JOIN members r ON r.record_no = p.record_no_r
        WHERE (l.record_no IS NULL) <> (r.record_no IS NULL) AND p.match_probability >= $least
    ),
    asked AS (
        SELECT l.record_no AS record_no_l, r.record_no AS record_no_r, true AS together
        FROM members l
        JOIN members r ON l.record_no < r.record_no
        UNION ALL
        SELECT record_no_l, record_no_r, false FROM near
    )
    SELECT a.*, l.source || ' ' || l.source_record_id AS one, r.source || ' ' || r.source_record_id AS other,
           p.match_weight, p.match_probability,
           CASE WHEN p.decided_by = 'reviewer' AND a.together THEN 'one person: a reviewer says so'
                WHEN p.decided_by = 'reviewer' THEN 'kept apart: a reviewer says so'
                WHEN NOT a.together THEN 'kept apart'
                WHEN p.decided_by = 'deterministic' THEN 'one person: the same valid national id'
                WHEN p.match_probability >= $threshold AND NOT p.contradicted THEN 'one person: by the model'
                ELSE 'one person: through other records' END AS decision
    FROM asked a
    JOIN linkage_records l ON l.record_no = a.record_no_l
    JOIN linkage_records r ON r.record_no = a.record_no_r
    LEFT JOIN decided_pairs p ON p.record_no_l = a.record_no_l AND p.record_no_r = a.record_no_r
    ORDER BY a.together DESC, p.match_probability DESC NULLS LAST, a.record_no_l, a.record_no_r
    LIMIT $most
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


def explain_customer(
    engine: Engine, model: LinkageModel, identities: str, customer_id: str, match_threshold: float
) -> pd.DataFrame:
    """Tell of each two records of a customer why they are one person's, and of the nearest others why they are not.

    For the lab: it names records, though none of their values.

    Parameters
    ----------
    engine : Engine
        Holds ``weighed_pairs``, ``decided_pairs`` and ``linkage_records``.
    model : LinkageModel
    identities : str
        Table with source, source_record_id, customer_id.
    customer_id : str
    match_threshold : float

    Returns
    -------
    pandas.DataFrame
        one, other (source and id of each record), decision, match_probability and match_weight (missing where the pair
        was not compared), speaks_for and speaks_against (levels with their weights, the strongest first); at most
        `MOST_PAIRS` rows, the customer's own pairs first. Empty where nobody has this id.
    """
    pairs = engine.rows(
        PAIRS_OF_CUSTOMER.format(identities=quote(identities)),
        customer_id=customer_id,
        threshold=match_threshold,
        least=LEAST_NEAR,
        most=MOST_PAIRS,
    )
    rows = []
    for pair in pairs:
        steps = explain_pair(engine, model, pair["record_no_l"], pair["record_no_r"])
        told = steps[(steps["comparison"] != "prior") & (steps["weight"].abs() >= LEAST_REASON)]
        speaks = [
            "; ".join(f"{row.step} ({row.weight:+.1f})" for row in side.itertuples())
            for side in (
                told[told["weight"] > 0].sort_values("weight", ascending=False),
                told[told["weight"] < 0].sort_values("weight"),
            )
        ]
        rows.append([*(pair[column] for column in PAIR_COLUMNS[:5]), *speaks])
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))
