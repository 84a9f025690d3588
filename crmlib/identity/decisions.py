"""What is made of a pair's score: a national id decides, contradictions forbid, relatives are told apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crmlib.engine import Engine, Step, quote
from crmlib.identity.model import LinkageModel

#: What a contradiction weighs (log2): more than any evidence for.
CONTRADICTION = -40.0
#: Pairs of relatives per match from which two dates of birth are two people, and not a mistake.
LEAST_RELATIVES = 0.01
ROUNDS = 50
#: Stands for none at all, of which there is no logarithm.
SMALLEST_SHARE = 1e-60


class PairShares(NamedTuple):
    """Of all pairs of records, the shares of one person's and of two relatives'."""

    matches: float
    relatives: float


def weigh_relatives(engine: Engine, model: LinkageModel) -> str:
    """Weigh each scored pair against the supposition that it is two people of one home.

    Parameters
    ----------
    engine : Engine
        Holds ``scored_pairs``.
    model : LinkageModel

    Returns
    -------
    str
        ``weighed_pairs``: ``scored_pairs`` and weight_to_relatives (log2), the sum over the comparisons of
        m / r: relatives share a value with probability s, and then agree as matches do (m), else as strangers
        do (u), so that a level is r = s m + (1 - s) u likely among them; and origin_weight, which is 0 yet.
    """
    terms = [
        f"CASE {quote(f'gamma_{name}')} "
        + " ".join(f"WHEN {row.level} THEN {row.weight_to_relatives!r}" for row in levels.itertuples())
        + " ELSE 0 END"
        for name, levels in model.weights.groupby("comparison", sort=False)
    ]
    return engine.run(
        Step(
            "weighed_pairs",
            f"SELECT *, {' + '.join(terms) or '0'} AS weight_to_relatives, "
            "0.0::DOUBLE AS origin_weight FROM scored_pairs",
        )
    )


def estimate_pair_shares(engine: Engine, model: LinkageModel) -> PairShares:
    """Estimate how many pairs are matches and how many relatives, by expectation maximisation.

    Parameters
    ----------
    engine : Engine
        Holds ``weighed_pairs`` and ``linkage_records``.
    model : LinkageModel

    Returns
    -------
    PairShares
        The shares under which the weights are likeliest; what each level says is left as it was trained. Relatives
        are as many for each match as training saw, or more: many of their pairs weigh too little to be kept.
    """
    patterns = engine.frame(
        "SELECT round(2 * (match_weight + origin_weight)) / 2 AS w, round(2 * weight_to_relatives) / 2 AS r, "
        "count(*) AS pairs FROM weighed_pairs GROUP BY ALL ORDER BY ALL"
    )
    records = engine.row("SELECT count(*) AS n FROM linkage_records")["n"]
    everything = max(1.0, records * (records - 1) / 2)
    start = model.prior
    strangers = np.exp2(-patterns["w"].to_numpy()) * start / (1 - start)
    relatives = np.exp2(-patterns["r"].to_numpy())
    pairs = patterns["pairs"].to_numpy()
    shares = PairShares(start, start)
    for _ in range(ROUNDS):
        told = shares.matches + shares.relatives * relatives + (1 - shares.matches - shares.relatives) * strangers
        shares = PairShares(
            float((pairs * shares.matches / told).sum() / everything),
            float((pairs * shares.relatives * relatives / told).sum() / everything),
        )
    return shares._replace(relatives=max(shares.relatives, model.relatives_per_match * shares.matches))


def decide_pairs(
    engine: Engine, model: LinkageModel, shares: PairShares, deterministic_national_id: bool = True
) -> str:
    """Give each pair its probability, and decide those that a national id decides.

    Parameters
    ----------
    engine : Engine
        Holds ``weighed_pairs`` and ``linkage_records``.
    model : LinkageModel
    shares : PairShares
    deterministic_national_id : bool
        Whether the same valid national id makes two records one person whatever the model says, unless the
        given names tell two people: then one uses the other's id, and the model decides.

    Returns
    -------
    str
        ``decided_pairs``: source_l, source_record_id_l, source_r, source_record_id_r, record_no_l, record_no_r,
        match_weight, match_probability, ``gamma_<comparison>``, contradicted, decided_by.

    Notes
    -----
    With W the log-odds of a match against strangers, and R those against relatives, the odds of a match are
    1 / (2**-W + 2**-R): a pair must look more like one person than like two strangers, and more than like two
    people of one home. Two different valid ids contradict; so do two birth dates without a shared id, where
    people of one home are among the records at all (`LEAST_RELATIVES`), such as father and son of one name.
    """
    matches, relatives = (max(share, SMALLEST_SHARE) for share in shares)
    names = {comparison.name: len(comparison.levels) - 1 for comparison in model.comparisons}
    gammas = [quote(f"gamma_{name}") for name in names]

    def is_level(name: str, level: str) -> str:
        return f"{quote(f'gamma_{name}')} {level}" if name in names else "false"

    def is_same(name: str) -> str:
        return is_level(name, f"= {names.get(name)}")

    same_id = is_level("national_id", "> 0")
    other_birth, other_given = is_level("birth_date", "= 0"), is_level("given_name", "= 0")
    return engine.run(
        Step(
            "decided_pairs",
            f"""
            WITH facts AS (
                SELECT p.*,
                       l.source AS source_l, l.source_record_id AS source_record_id_l,
                       r.source AS source_r, r.source_record_id AS source_record_id_r,
                       match_weight + origin_weight + $prior_shift::DOUBLE AS weight_to_strangers,
                       weight_to_relatives - $relatives_per_match::DOUBLE AS weight_to_household,
                       coalesce(l.national_id_valid AND r.national_id_valid, false) AS ids_valid,
                       l.national_id = r.national_id AS ids_equal
                FROM weighed_pairs p
                JOIN linkage_records l ON l.record_no = p.record_no_l
                JOIN linkage_records r ON r.record_no = p.record_no_r
            ),
            judged AS (
                SELECT *,
                       (ids_valid AND NOT ids_equal)
                           OR ({other_birth} AND NOT ({same_id}) AND $relatives_known) AS conflicting,
                       $deterministic AND ids_valid AND ids_equal AND (
                           NOT ({other_given}) OR ({is_same("birth_date")} AND {is_same("surname_1")})
                       ) AS same_valid_id
                FROM facts
            ),
            weighed AS (
                SELECT *,
                       -log2(2.0 ** -weight_to_strangers + 2.0 ** -weight_to_household)
                           + CASE WHEN conflicting THEN $contradiction ELSE 0 END AS weight
                FROM judged
            )
            SELECT source_l, source_record_id_l, source_r, source_record_id_r, record_no_l, record_no_r,
                   weight AS match_weight,
                   CASE WHEN same_valid_id THEN 1.0 ELSE 1.0 / (1.0 + 2.0 ** -weight) END AS match_probability,
                   {"".join(f"{gamma}, " for gamma in gammas)}
                   conflicting AND NOT same_valid_id AS contradicted,
                   CASE WHEN same_valid_id THEN 'deterministic' ELSE 'model' END AS decided_by
            FROM weighed
            """,
        ),
        prior_shift=float(np.log2(matches / (1 - matches) * (1 - model.prior) / model.prior)),
        relatives_known=relatives >= LEAST_RELATIVES * matches,
        relatives_per_match=float(np.log2(relatives / matches)),
        deterministic=deterministic_national_id,
        contradiction=CONTRADICTION,
    )
