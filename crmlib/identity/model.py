"""A linkage model as plain data: what each level weighs, and where a trained number is not to be believed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from crmlib.identity.comparisons import Comparison, share_among_relatives
from crmlib.identity.mixture import LearntShares

SIGNIFICANT_DIGITS = 8
SMALLEST_M = 1e-4
SMALLEST_U = 1e-7
#: Odds to one that the agreement of one field alone can reach.
MOST_ALONE = 10.0
#: Least weight (log2) of the strongest agreement of a field.
LEAST_AGREEMENT = 1.0

WEIGHT_COLUMNS = (
    "comparison",
    "title",
    "level",
    "label",
    "name",
    "m_probability",
    "u_probability",
    "match_weight",
    "weight_to_relatives",
)


@dataclass(frozen=True)
class LinkageModel:
    """A trained model.

    Parameters
    ----------
    comparisons : tuple of Comparison
    settings : dict
        Splink's settings with all m and u; no value of a person.
    warnings : tuple of str
        What training could not find out, or found out of order, and what was done instead.
    relatives_per_match : float
        Pairs of relatives for each pair of one person.
    """

    comparisons: tuple[Comparison, ...]
    settings: dict[str, Any]
    warnings: tuple[str, ...]
    relatives_per_match: float = 0.0

    @property
    def rows(self) -> pd.DataFrame:
        """The model as the table `linkage_model` holds it: Splink's settings (persons), and how many are relatives."""
        kept = {"persons": self.settings, "relatives": {"per_match": self.relatives_per_match}}
        return pd.DataFrame({"model": list(kept), "json": [json.dumps(part, sort_keys=True) for part in kept.values()]})

    @property
    def prior(self) -> float:
        """Probability that two random records are one person."""
        return float(self.settings["probability_two_random_records_match"])

    @property
    def weights(self) -> pd.DataFrame:
        """Each level's numbers.

        Columns comparison, title, level, label, name (title and label), m_probability, u_probability, and weights
        (log2) against strangers (match_weight) and relatives (weight_to_relatives).
        """
        rows = []
        for comparison, trained in zip(self.comparisons, self.settings["comparisons"], strict=True):
            levels = [level for level in trained["comparison_levels"] if not level.get("is_null_level")]
            numbers = range(len(levels) - 1, -1, -1)
            for number, level in zip(numbers, levels, strict=True):
                m, u = level["m_probability"], level["u_probability"]
                kin = comparison.levels[len(levels) - 1 - number].kin
                relatives = share_among_relatives(comparison.relatives, kin, m, u)
                rows.append(
                    {
                        "comparison": comparison.name,
                        "title": comparison.title,
                        "level": number,
                        "label": level["label_for_charts"],
                        "name": f"{comparison.title}: {level['label_for_charts']}",
                        "m_probability": m,
                        "u_probability": u,
                        "match_weight": math.log2(m / u),
                        "weight_to_relatives": math.log2(m / relatives),
                    }
                )
        return pd.DataFrame(rows, columns=list(WEIGHT_COLUMNS))


def read_model(kept: dict[str, Any], comparisons: tuple[Comparison, ...]) -> LinkageModel:
    """The model that `LinkageModel.rows` wrote: what each row holds, by its name, and the comparisons it is made of."""
    return LinkageModel(comparisons, kept["persons"], (), kept["relatives"]["per_match"])


def write_comparison(comparison: Comparison) -> dict[str, Any]:
    """Write a comparison as Splink's settings have it, its usual shares as the start of training."""
    unknown = {"sql_condition": comparison.unknown, "label_for_charts": "unknown", "is_null_level": True}
    levels = []
    for level in comparison.levels:
        written: dict[str, Any] = {
            "sql_condition": level.condition,
            "label_for_charts": level.label,
            "m_probability": level.m,
        }
        if level.term_frequency:
            written["tf_adjustment_column"] = level.term_frequency
        levels.append(written)
    return {
        "output_column_name": comparison.name,
        "comparison_description": comparison.title,
        "comparison_levels": [unknown, *levels],
    }


def read_u_probabilities(settings: dict[str, Any]) -> LearntShares:
    """The u of each level as random pairs showed it, by comparison and place; 0 where none was seen."""
    return {
        (comparison["output_column_name"], number): float(level.get("u_probability", 0.0))
        for comparison in settings["comparisons"]
        for number, level in enumerate(comparison["comparison_levels"][1:])
    }


def set_m_probabilities(settings: dict[str, Any], learnt: LearntShares) -> dict[str, Any]:
    """Settings with each level's m as it was learnt."""
    for comparison in settings["comparisons"]:
        for place, level in enumerate(comparison["comparison_levels"][1:]):
            level["m_probability"] = learnt[comparison["output_column_name"], place]
    return settings


def settle_parameters(
    settings: dict[str, Any], comparisons: tuple[Comparison, ...], observed_u: LearntShares
) -> tuple[dict[str, Any], list[str]]:
    """Settings with every m and u in a sane place, and a sentence for each that was not.

    The m of a comparison are made to sum to one. Random pairs hold some matches, so u as observed is a mixture,
    P(level) = λ m + (1 − λ) u; it is solved for u. No single field's agreement is let outweigh the prior by more
    than `MOST_ALONE` to one, and no difference speaks for a match. All are rounded, so that the order in which a
    database adds up doubles is not seen in the result.
    """
    prior = settings["probability_two_random_records_match"]
    notes = []
    for comparison, trained in zip(comparisons, settings["comparisons"], strict=True):
        levels = trained["comparison_levels"][1:]
        shares = [max(SMALLEST_M, float(level["m_probability"])) for level in levels]
        for number, written in enumerate(levels):
            m = shares[number] / sum(shares)
            u = observed_u[comparison.name, number]
            if number < len(levels) - 1:
                u = max((u - prior * m) / (1 - prior), prior * m / MOST_ALONE, SMALLEST_U)
            written["m_probability"], written["u_probability"] = _round(m), _round(u)
        if math.log2(levels[0]["m_probability"] / levels[0]["u_probability"]) < LEAST_AGREEMENT:
            for level, written in zip(comparison.levels, levels, strict=True):
                written["m_probability"] = level.m
            notes.append(
                f"{comparison.title}: training could not tell matches from strangers by it; "
                "the usual shares of matching pairs are assumed instead."
            )
        levels[-1]["u_probability"] = max(levels[-1]["u_probability"], levels[-1]["m_probability"])
    return settings, notes


def _round(share: float) -> float:
    return float(f"{share:.{SIGNIFICANT_DIGITS - 1}e}")
