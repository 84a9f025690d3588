"""How likely two records are the same person: the only room that imports Splink.

The model is Fellegi and Sunter's, trained without labels: u from random pairs, m by expectation
maximisation in sessions that each hold some fields equal.

References
----------
Fellegi, I. P., Sunter, A. B. (1969). A theory for record linkage. JASA 64(328), 1183-1210.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
from splink import DuckDBAPI, Linker, block_on
from splink.internals.exceptions import EMTrainingException

from crmlib.engine import Engine, Step, quote
from crmlib.identity.comparisons import Comparison

U_PAIRS = 500_000
EM_PAIRS = 1_000_000
#: A training session over fewer pairs teaches nothing.
LEAST_EM_PAIRS = 30
PAIRS_PER_BATCH = 2_000_000
#: Pairs that weigh less than this (log2) are scored but not kept.
LEAST_WEIGHT = -10.0
SMALLEST_M = 1e-4
SMALLEST_U = 1e-7
#: m of a level that no match of the training showed.
UNSEEN_M = 1e-3
#: Odds to one that the agreement of one field alone can reach.
MOST_ALONE = 10.0
#: Least weight (log2) of the strongest agreement of a field.
LEAST_AGREEMENT = 1.0

#: Fields held equal in each training session. Relatives seldom agree in them, and so are not learnt as matches.
TRAINING_KEYS = (
    ("national_id",),
    ("given_key", "surname_1_key"),
    ("birth_day", "surname_1_key"),
    ("birth_day", "given_key"),
    ("mailbox", "given_key"),
    ("phone", "birth_day"),
)
#: Fields that together leave hardly a doubt; they tell how many matches there are to be expected.
TELLING_KEYS = (
    ("national_id",),
    ("given_key", "surname_1_key", "birth_day"),
    ("given_key", "surname_1_key", "mailbox"),
    ("given_key", "surname_1_key", "phone"),
    ("given_key", "surname_1_key", "surname_2_key", "postcode_key"),
)
TELLING_RECALL = 0.8


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
    """

    comparisons: tuple[Comparison, ...]
    settings: dict[str, Any]
    warnings: tuple[str, ...]

    @property
    def json(self) -> str:
        """The settings as text, for the table `linkage_model`."""
        return json.dumps(self.settings, sort_keys=True)

    @property
    def prior(self) -> float:
        """Probability that two random records are one person."""
        return float(self.settings["probability_two_random_records_match"])

    @property
    def weights(self) -> pd.DataFrame:
        """Each level's numbers: comparison, title, level, label, m_probability, u_probability, and its weights
        (log2) against strangers (match_weight) and against relatives (weight_to_relatives)."""
        rows = []
        for comparison, trained in zip(self.comparisons, self.settings["comparisons"], strict=True):
            levels = [level for level in trained["comparison_levels"] if not level.get("is_null_level")]
            numbers = range(len(levels) - 1, -1, -1)
            for number, level in zip(numbers, levels, strict=True):
                m, u = level["m_probability"], level["u_probability"]
                relatives = comparison.relatives * m + (1 - comparison.relatives) * u
                rows.append(
                    {
                        "comparison": comparison.name,
                        "title": comparison.title,
                        "level": number,
                        "label": level["label_for_charts"],
                        "m_probability": m,
                        "u_probability": u,
                        "match_weight": math.log2(m / u),
                        "weight_to_relatives": math.log2(m / relatives),
                    }
                )
        return pd.DataFrame(rows)


def train_model(
    engine: Engine,
    comparisons: tuple[Comparison, ...],
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> LinkageModel:
    """Train the model on the records themselves, without labels.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records``.
    comparisons : tuple of Comparison
    seed : int
        Chooses the records whose random pairs tell u.
    progress : callable, optional
        Told each step in words.

    Returns
    -------
    LinkageModel
    """
    tell = progress or (lambda _sentence: None)
    columns = set(engine.columns("linkage_records"))
    settings: dict[str, Any] = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "record_no",
        "blocking_rules_to_generate_predictions": ["l.record_no = r.record_no"],
        "retain_matching_columns": True,
        "linker_uid": "persons",
        "probability_two_random_records_match": _estimate_prior(engine),
        "comparisons": [_write_comparison(comparison) for comparison in comparisons],
    }
    with _linker(engine, settings) as linker:
        tell("u of random pairs")
        linker.training.estimate_u_using_random_sampling(
            max_pairs=U_PAIRS, seed=seed, min_count_per_level=None, num_chunks=1
        )
        settings = linker.misc.save_model_to_json()
    observed_u = _read_u(settings)
    sessions = [keys for keys in TRAINING_KEYS if columns.issuperset(keys)]
    notes: list[str] = []
    for round_ in (1, 2):
        with _linker(engine, settings) as linker:
            for keys in sessions:
                tell(f"m of pairs with the same {' and '.join(keys)}, round {round_}")
                _train_session(engine, linker, keys)
            settings = linker.misc.save_model_to_json()
        settings, notes = _repair(settings, comparisons, observed_u)
    return LinkageModel(comparisons, settings, tuple(notes))


def predict_pairs(engine: Engine, model: LinkageModel, progress: Callable[[str], None] | None = None) -> str:
    """Score the candidate pairs.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records`` and ``candidate_pairs``.
    model : LinkageModel
    progress : callable, optional
        Told each step in words.

    Returns
    -------
    str
        ``scored_pairs``: record_no_l, record_no_r, match_weight (log2), match_probability and
        ``gamma_<comparison>`` for each; pairs under `LEAST_WEIGHT` are not kept.
    """
    gammas = [quote(f"gamma_{comparison.name}") for comparison in model.comparisons]
    typed = ", ".join(f"0 AS {gamma}" for gamma in gammas)
    engine.run(
        Step(
            "scored_pairs",
            "SELECT 0::BIGINT AS record_no_l, 0::BIGINT AS record_no_r, 0::DOUBLE AS match_weight, "
            f"0::DOUBLE AS match_probability, {typed} WHERE false",
        )
    )
    pairs = engine.row("SELECT count(*) AS n FROM candidate_pairs")["n"]
    batches = max(1, math.ceil(pairs / PAIRS_PER_BATCH))
    with _linker(engine, model.settings) as linker:
        for batch in range(batches):
            if progress:
                progress(f"pairs scored: {batch} of {batches} parts")
            engine.run(
                Step(
                    "pairs_to_score",
                    "SELECT '0' AS match_key, record_no_l AS join_key_l, record_no_r AS join_key_r "
                    f"FROM candidate_pairs WHERE hash(record_no_l) % {batches} = {batch}",
                )
            )
            blocked = linker._db_api.register("pairs_to_score", table_name=f"pairs_to_score_{batch}")
            linker.table_management.register_blocked_pairs_for_predict(blocked)
            scored = linker.inference.predict(threshold_match_weight=LEAST_WEIGHT)
            engine.execute(
                "INSERT INTO scored_pairs SELECT record_no_l, record_no_r, match_weight, match_probability, "
                f"{', '.join(gammas)} FROM {quote(scored.physical_name)}"
            )
            scored.drop_table_from_database_and_remove_from_cache()
    return "scored_pairs"


@contextmanager
def _linker(engine: Engine, settings: dict[str, Any]) -> Iterator[Linker]:
    """A linker on the engine's own connection that says nothing and leaves no table behind."""
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    api = DuckDBAPI(connection=engine.connection)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield Linker(api.register("linkage_records"), settings, log_level=None)
    finally:
        api.delete_tables_created_by_splink_from_db()
        logger.setLevel(level)


def _write_comparison(comparison: Comparison) -> dict[str, Any]:
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


def _estimate_prior(engine: Engine) -> float:
    """Probability that two random records match, from the pairs that leave hardly a doubt."""
    columns = set(engine.columns("linkage_records"))
    pairs = " UNION ".join(
        f"SELECT l.record_no AS a, r.record_no AS b FROM linkage_records l JOIN linkage_records r "
        f"ON {' AND '.join(f'l.{key} = r.{key}' for key in keys)} AND l.record_no < r.record_no"
        for keys in TELLING_KEYS
        if columns.issuperset(keys)
    )
    counted = engine.row(f"SELECT (SELECT count(*) FROM ({pairs})) AS pairs, count(*) AS records FROM linkage_records")
    records = counted["records"]
    expected = max(counted["pairs"] / TELLING_RECALL, 0.05 * records)
    return float(min(0.5, expected / max(1.0, records * (records - 1) / 2)))


def _train_session(engine: Engine, linker: Linker, keys: tuple[str, ...]) -> None:
    same = ", ".join(keys)
    known = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    pairs = engine.row(
        f"SELECT coalesce(sum(n * (n - 1) / 2), 0) AS pairs FROM "
        f"(SELECT count(*) AS n FROM linkage_records WHERE {known} GROUP BY {same})"
    )["pairs"]
    if pairs < LEAST_EM_PAIRS:
        return
    try:
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*keys),
            estimate_without_term_frequencies=True,
            max_pairs=EM_PAIRS if pairs > EM_PAIRS else None,
        )
    except EMTrainingException:
        return


def _read_u(settings: dict[str, Any]) -> dict[tuple[str, int], float]:
    return {
        (comparison["output_column_name"], number): float(level.get("u_probability", 0.0))
        for comparison in settings["comparisons"]
        for number, level in enumerate(comparison["comparison_levels"][1:])
    }


def _repair(
    settings: dict[str, Any], comparisons: tuple[Comparison, ...], observed_u: dict[tuple[str, int], float]
) -> tuple[dict[str, Any], list[str]]:
    """Settings with every m and u in a sane place, and a sentence for each that was not.

    Random pairs hold some matches, so u as observed is a mixture, P(level) = λ m + (1 − λ) u; it is solved
    for u. No single field's agreement is let outweigh the prior by more than `MOST_ALONE` to one.
    """
    prior = settings["probability_two_random_records_match"]
    notes = []
    for comparison, trained in zip(comparisons, settings["comparisons"], strict=True):
        levels = trained["comparison_levels"][1:]
        for number, (level, written) in enumerate(zip(comparison.levels, levels, strict=True)):
            m = max(SMALLEST_M, float(written.get("m_probability", min(level.m, UNSEEN_M))))
            u = observed_u[comparison.name, number]
            if number < len(levels) - 1:
                u = max((u - prior * m) / (1 - prior), prior * m / MOST_ALONE, SMALLEST_U)
            written["m_probability"], written["u_probability"] = m, u
        strongest = math.log2(levels[0]["m_probability"] / levels[0]["u_probability"])
        weakest = math.log2(levels[-1]["m_probability"] / levels[-1]["u_probability"])
        if strongest < LEAST_AGREEMENT or weakest > 0:
            for level, written in zip(comparison.levels, levels, strict=True):
                written["m_probability"] = level.m
            notes.append(
                f"{comparison.title}: training put agreement and difference the wrong way round; "
                "the usual shares of matching pairs are assumed instead."
            )
    return settings, notes
