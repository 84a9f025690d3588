"""What levels of agreement mean, learnt without labels: pairs of one person, of relatives and of strangers at once.

Every pair of records is one of three kinds. Strangers agree as random pairs do (u). Relatives, two people of one home,
share a field's value with a known probability s, and then agree as one person's records would (m), else as strangers:
r = s m + (1 - s) u. What m is, and how many pairs are of each kind, is what expectation maximisation finds, over all
candidate pairs together; pairs that no blocking rule found count as strangers.

Training sessions that each hold some fields equal, the usual way, learn m among the pairs that agree there. Where
a person's records seldom have more than one mistake, those pairs have all their mistakes elsewhere, and m comes out
far too low; where relatives agree in the fields held equal, they are learnt as matches.

References
----------
Dempster, A. P., Laird, N. M., Rubin, D. B. (1977). Maximum likelihood from incomplete data via the EM algorithm.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from crmlib.engine import Engine, quote
from crmlib.identity.comparisons import Comparison, share_among_relatives

#: A share of each level, by comparison and the level's place from the top.
LearntShares = dict[tuple[str, int], float]

#: Candidate pairs that are looked at.
MOST_PAIRS = 1_000_000
ROUNDS = 100
#: The shares are found when none moves by more than this in a round.
STILL = 1e-5
#: How many imagined pairs of one person, with the usual shares, are seen besides the real ones.
IMAGINED_PAIRS = 10.0
SMALLEST_SHARE = 1e-12


class Mixture(NamedTuple):
    """m of each level; and of all pairs of records, the shares of one person's and of two relatives'."""

    m: LearntShares
    matches: float
    relatives: float


def count_patterns(engine: Engine, comparisons: tuple[Comparison, ...]) -> pd.DataFrame:
    """Count the candidate pairs by how they agree; of many pairs, a part stands for all.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records`` and ``candidate_pairs``.
    comparisons : tuple of Comparison

    Returns
    -------
    pandas.DataFrame
        ``gamma_<comparison>`` of each, pairs.
    """
    found = engine.row("SELECT count(*) AS n FROM candidate_pairs")["n"]
    one_in = max(1, round(found / MOST_PAIRS))
    columns = [column for column in engine.columns("linkage_records") if column != "record_no"]
    sides = ", ".join(f"{side}.{quote(column)} AS {quote(f'{column}_{side}')}" for side in "lr" for column in columns)
    gammas = ", ".join(
        f"CASE WHEN {comparison.unknown} THEN -1 "
        + " ".join(
            f"ELSE {number}" if level.condition == "ELSE" else f"WHEN {level.condition} THEN {number}"
            for number, level in zip(range(len(comparison.levels) - 1, -1, -1), comparison.levels, strict=True)
        )
        + f" END AS {quote(f'gamma_{comparison.name}')}"
        for comparison in comparisons
    )
    return engine.frame(
        f"""
        WITH pairs AS (
            SELECT {sides}
            FROM candidate_pairs p
            JOIN linkage_records l ON l.record_no = p.record_no_l
            JOIN linkage_records r ON r.record_no = p.record_no_r
            WHERE hash(p.record_no_l, p.record_no_r) % {one_in} = 0
        ),
        levels AS (SELECT {gammas} FROM pairs)
        SELECT *, {one_in} * count(*) AS pairs FROM levels GROUP BY ALL ORDER BY ALL
        """
    )


def learn_mixture(
    patterns: pd.DataFrame,
    comparisons: tuple[Comparison, ...],
    observed_u: LearntShares,
    all_pairs: float,
    start: float,
) -> Mixture:
    """Learn m and the share of each kind of pair.

    Parameters
    ----------
    patterns : pandas.DataFrame
        Candidate pairs by how they agree: ``gamma_<comparison>`` of each, pairs.
    comparisons : tuple of Comparison
    observed_u : LearntShares
        Shares of each level among random pairs, of whatever kind.
    all_pairs : float
        Pairs of records that there are.
    start : float
        Share of one person's pairs to start from.
    """
    pairs = patterns["pairs"].to_numpy(dtype=float)
    places = {
        comparison.name: len(comparison.levels) - 1 - patterns[f"gamma_{comparison.name}"].to_numpy()
        for comparison in comparisons
    }
    usual = {c.name: _normalise(np.array([level.m for level in c.levels])) for c in comparisons}
    seen = {c.name: np.array([observed_u[c.name, place] for place in range(len(c.levels))]) for c in comparisons}
    kin = {c.name: np.array([level.kin for level in c.levels]) for c in comparisons}
    m = usual
    r = {c.name: share_among_relatives(c.relatives, kin[c.name], m[c.name], seen[c.name]) for c in comparisons}
    matches = relatives = start
    for _ in range(ROUNDS):
        match = np.full(len(pairs), np.log(matches))
        relative = np.full(len(pairs), np.log(relatives))
        stranger = np.full(len(pairs), np.log1p(-matches - relatives))
        for comparison in comparisons:
            name = comparison.name
            others = 1 - matches - relatives
            u = np.maximum((seen[name] - matches * m[name] - relatives * r[name]) / others, SMALLEST_SHARE)
            r[name] = share_among_relatives(comparison.relatives, kin[name], m[name], u)
            for weight, shares in ((match, m[name]), (relative, r[name]), (stranger, u)):
                weight += _look_up(np.log(shares), places[name])
        told = np.logaddexp(np.logaddexp(match, relative), stranger)
        of_match = pairs * np.exp(match - told)
        learnt = {
            comparison.name: _normalise(
                IMAGINED_PAIRS * usual[comparison.name]
                + _sum_levels(of_match, places[comparison.name], len(comparison.levels))
            )
            for comparison in comparisons
        }
        moved = max(float(np.abs(learnt[name] - m[name]).max()) for name in m)
        m = learnt
        matches = min(0.5, max(SMALLEST_SHARE, float(of_match.sum()) / all_pairs))
        relatives = min(0.4, max(SMALLEST_SHARE, float((pairs * np.exp(relative - told)).sum()) / all_pairs))
        if moved < STILL:
            break
    by_level = {(name, place): float(share) for name, levels in m.items() for place, share in enumerate(levels)}
    return Mixture(by_level, matches, relatives)


def _normalise(shares: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(shares / shares.sum(), SMALLEST_SHARE))


def _look_up(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The value at each place; nothing where the pair cannot be compared (a place past the last)."""
    return np.asarray(np.append(values, 0.0)[places])


def _sum_levels(weights: np.ndarray, places: np.ndarray, levels: int) -> np.ndarray:
    return np.bincount(places, weights=weights, minlength=levels + 1)[:levels]
