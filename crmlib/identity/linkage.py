"""How likely two records are the same person: the only room that imports Splink.

The model is Fellegi and Sunter's, trained without labels: u from random pairs, m from the candidate pairs.

References
----------
Fellegi, I. P., Sunter, A. B. (1969). A theory for record linkage. JASA 64(328), 1183-1210.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from splink import DuckDBAPI, Linker

from crmlib.engine import Engine, Step, quote
from crmlib.identity.comparisons import Comparison
from crmlib.identity.mixture import count_patterns, learn_mixture
from crmlib.identity.model import (
    LinkageModel,
    read_u_probabilities,
    set_m_probabilities,
    settle_parameters,
    write_comparison,
)

U_PAIRS = 500_000
PAIRS_PER_BATCH = 2_000_000
LEAST_WEIGHT = -10.0

#: Fields that together leave hardly a doubt; they tell how many matches there are to be expected.
TELLING_KEYS = (
    ("national_id",),
    ("given_key", "surname_1_key", "birth_day"),
    ("given_key", "surname_1_key", "mailbox"),
    ("given_key", "surname_1_key", "phone"),
    ("given_key", "surname_1_key", "surname_2_key", "postcode_key"),
)
TELLING_RECALL = 0.8
#: Where hardly any pair leaves no doubt, this many pairs are expected for each record.
LEAST_DUPLICATES = 0.05


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
        Holds ``linkage_records`` and ``candidate_pairs``.
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
    if not comparisons:
        nothing = {"probability_two_random_records_match": _estimate_prior(engine), "comparisons": []}
        return LinkageModel((), nothing, ("No field is filled well enough to compare records by.",))
    settings: dict[str, Any] = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "record_no",
        "blocking_rules_to_generate_predictions": ["l.record_no = r.record_no"],
        "retain_matching_columns": True,
        "linker_uid": "persons",
        "probability_two_random_records_match": _estimate_prior(engine),
        "comparisons": [write_comparison(comparison) for comparison in comparisons],
    }
    tell("u of random pairs")
    with _quiet_splink():
        api, linker = _make_linker(engine, settings)
        linker.training.estimate_u_using_random_sampling(
            max_pairs=U_PAIRS, seed=seed, min_count_per_level=None, num_chunks=1
        )
        settings = linker.misc.save_model_to_json()
        api.delete_tables_created_by_splink_from_db()
    observed_u = read_u_probabilities(settings)
    tell("m of the candidate pairs")
    records = engine.row("SELECT count(*) AS n FROM linkage_records")["n"]
    learnt = learn_mixture(
        count_patterns(engine, comparisons),
        comparisons,
        observed_u,
        max(1.0, records * (records - 1) / 2),
        settings["probability_two_random_records_match"],
    )
    settings["probability_two_random_records_match"] = learnt.matches
    settings, notes = settle_parameters(set_m_probabilities(settings, learnt.m), comparisons, observed_u)
    return LinkageModel(comparisons, settings, tuple(notes), learnt.relatives / learnt.matches)


class PairScorer:
    """A model made ready to score pairs: how frequent values are is counted once, for all that is scored.

    Used in a ``with``; at its end no table of Splink's is left.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records``.
    model : LinkageModel
    """

    def __init__(self, engine: Engine, model: LinkageModel) -> None:
        self._engine, self._model = engine, model
        self._gammas = [quote(f"gamma_{comparison.name}") for comparison in model.comparisons]
        self._made: tuple[Any, Linker] | None = None

    def __enter__(self) -> PairScorer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made:
            self._made[0].delete_tables_created_by_splink_from_db()

    def predict_pairs(self, least_weight: float = LEAST_WEIGHT, progress: Callable[[str], None] | None = None) -> str:
        """Score the candidate pairs.

        Parameters
        ----------
        least_weight : float
            Pairs of ``candidate_pairs`` that weigh less (log2) are not kept.
        progress : callable, optional
            Told each step in words.

        Returns
        -------
        str
            ``scored_pairs``: record_no_l, record_no_r, match_weight (log2), match_probability and
            ``gamma_<comparison>`` for each.
        """
        typed = "".join(f", 0 AS {gamma}" for gamma in self._gammas)
        self._engine.run(
            Step(
                "scored_pairs",
                "SELECT 0::BIGINT AS record_no_l, 0::BIGINT AS record_no_r, 0::DOUBLE AS match_weight, "
                f"0::DOUBLE AS match_probability{typed} WHERE false",
            )
        )
        pairs = self._engine.row("SELECT count(*) AS n FROM candidate_pairs")["n"]
        if pairs == 0 or not self._model.comparisons:
            return "scored_pairs"
        batches = max(1, math.ceil(pairs / PAIRS_PER_BATCH))
        for batch in range(batches):
            if progress:
                progress(f"pairs scored: {batch} of {batches} parts")
            self._engine.run(
                Step(
                    "pairs_to_score",
                    "SELECT '0' AS match_key, record_no_l AS join_key_l, record_no_r AS join_key_r "
                    f"FROM candidate_pairs WHERE hash(record_no_l) % {batches} = {batch}",
                )
            )
            with _quiet_splink():
                self._made = self._made or _make_linker(self._engine, self._model.settings)
                api, linker = self._made
                linker.table_management.register_blocked_pairs_for_predict(api.register("pairs_to_score"))
                scored = linker.inference.predict(threshold_match_weight=least_weight)
            self._engine.execute(
                "INSERT INTO scored_pairs SELECT record_no_l, record_no_r, match_weight, match_probability, "
                f"{', '.join(self._gammas)} FROM {quote(scored.physical_name)}"
            )
            scored.drop_table_from_database_and_remove_from_cache()
        return "scored_pairs"


def _make_linker(engine: Engine, settings: dict[str, Any]) -> tuple[Any, Linker]:
    """Splink on the engine's own connection: what deletes its tables, and a linker of some settings."""
    api: Any = DuckDBAPI(connection=engine.connection)
    return api, Linker(api.register("linkage_records"), settings, validate_settings=False, log_level=None)


@contextmanager
def _quiet_splink() -> Iterator[None]:
    """Splink says nothing."""
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _estimate_prior(engine: Engine) -> float:
    """Probability that two random records match, from the pairs that leave hardly a doubt."""
    telling = " OR ".join(f"({' AND '.join(f'l.{key} = r.{key}' for key in keys)})" for keys in TELLING_KEYS)
    counted = engine.row(
        "SELECT count(*) AS pairs, (SELECT count(*) FROM linkage_records) AS records FROM candidate_pairs "
        "JOIN linkage_records l ON l.record_no = record_no_l JOIN linkage_records r ON r.record_no = record_no_r "
        f"WHERE {telling}"
    )
    records = counted["records"]
    expected = max(counted["pairs"] / TELLING_RECALL, LEAST_DUPLICATES * records)
    return float(min(0.5, expected / max(1.0, records * (records - 1) / 2)))
