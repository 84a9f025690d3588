"""Names that go together: among people of one origin, a given name and a surname are no two chances.

Few people are called Müller, and few Klaus; taken as independent, a Klaus Müller would be met once in a lifetime.
But nearly all of them come from one place, and there both names are common. So how often a given name stands with
a surname is told from all full names together: what their table holds beyond chance, along its main axes, each of
which parts an origin from the rest. Each likely person counts once, since a person's own records agree for another
reason.

References
----------
Horn, J. L. (1965). A rationale and test for the number of factors in factor analysis. Psychometrika 30, 179-185.
Amini, A. A. et al. (2013). Pseudo-likelihood methods for community detection. Annals of Statistics 41, 2097-2122:
that a table's margins be raised by their mean before it is taken apart, or rare values make axes of their own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import svds

from crmlib.engine import Engine, Step
from crmlib.identity.clusters import find_components
from crmlib.identity.model import LinkageModel

#: Pairs of at least this weight (log2) are taken for one person's here.
LEAST_LIKELY = 0.0
MOST_AXES = 12
#: How many times the largest axis that chance makes an axis must be.
BEYOND_CHANCE = 1.1
#: Bits of less are left out.
LEAST_BITS = 0.1
#: Levels at which a given name or a first surname agrees.
AGREEING = "p.gamma_given_name > 0 AND p.gamma_surname_1 IN (1, 3)"

#: Each full name, and of how many people it is the usual one.
NAMES_OF_PEOPLE = """
    WITH told AS (
        SELECT r.record_no, r.given_key, r.surname_1_key, p.person
        FROM linkage_records r
        LEFT JOIN likely_people p ON p.record_no = r.record_no
        WHERE r.given_key IS NOT NULL AND r.surname_1_key IS NOT NULL
    ),
    named AS (
        SELECT person, given_key, surname_1_key, count(*) AS records, min(record_no) AS first_record
        FROM told WHERE person IS NOT NULL GROUP BY person, given_key, surname_1_key
    ),
    counted AS (
        SELECT given_key, surname_1_key,
               (row_number() OVER (PARTITION BY person ORDER BY records DESC, first_record) = 1)::INT AS people
        FROM named
        UNION ALL
        SELECT given_key, surname_1_key, 1 FROM told WHERE person IS NULL
    )
    SELECT given_key, surname_1_key, sum(people)::BIGINT AS people
    FROM counted GROUP BY given_key, surname_1_key ORDER BY given_key, surname_1_key
"""
PAIRS_WITH_ORIGINS = Step(
    "weighed_pairs_with_origins",
    f"""
    SELECT p.* EXCLUDE (origin_weight),
           CASE WHEN {AGREEING} THEN -greatest(coalesce(a.bits, 0), coalesce(b.bits, 0)) ELSE 0 END AS origin_weight
    FROM weighed_pairs p
    JOIN linkage_records l ON l.record_no = p.record_no_l
    JOIN linkage_records r ON r.record_no = p.record_no_r
    LEFT JOIN names_together a ON a.given_key = l.given_key AND a.surname_1_key = l.surname_1_key
    LEFT JOIN names_together b ON b.given_key = r.given_key AND b.surname_1_key = r.surname_1_key
    """,
)


def weigh_origins(engine: Engine, model: LinkageModel) -> str:
    """Take from the pairs that agree in given name and surname what these have in common by their origin.

    Parameters
    ----------
    engine : Engine
        Holds ``weighed_pairs`` and ``linkage_records``.
    model : LinkageModel

    Returns
    -------
    str
        ``weighed_pairs``, whose origin_weight (log2, none above 0) is what is to be added to match_weight; beside it
        ``names_together`` holds given_key, surname_1_key and bits: how many times (log2) as many strangers bear both
        as if they were independent.
    """
    if not {"given_name", "surname_1"} <= {comparison.name for comparison in model.comparisons}:
        return "weighed_pairs"
    _find_likely_people(engine)
    names = engine.frame(NAMES_OF_PEOPLE)
    names["bits"] = measure_togetherness(names[names["people"] > 0], names)
    told = names[names["bits"] >= LEAST_BITS].drop(columns="people").reset_index(drop=True)
    if told.empty:
        return "weighed_pairs"
    engine.register("names_together", told)
    engine.run(PAIRS_WITH_ORIGINS)
    engine.execute("DROP TABLE weighed_pairs")
    engine.execute("ALTER TABLE weighed_pairs_with_origins RENAME TO weighed_pairs")
    return "weighed_pairs"


def measure_togetherness(people: pd.DataFrame, names: pd.DataFrame) -> np.ndarray:
    """How many times as many people bear a given name and a surname as if these were independent.

    Parameters
    ----------
    people : pandas.DataFrame
        given_key, surname_1_key, people: each full name once.
    names : pandas.DataFrame
        given_key, surname_1_key: the full names that are asked for.

    Returns
    -------
    array of float
        For each of `names`, log2; 0 where it is no oftener, where that cannot be told, and where no axis of the table
        is `BEYOND_CHANCE`: the same names, dealt out anew, have axes nearly as large.
    """
    given, given_names = pd.factorize(people["given_key"])
    surname, surnames = pd.factorize(people["surname_1_key"])
    shape = len(given_names), len(surnames)
    if min(shape) < 3:
        return np.zeros(len(names))
    counts = people["people"].to_numpy()
    left, sizes, right = _find_axes(given, surname, counts, shape, min(MOST_AXES, min(shape) - 1))
    # any order does: what is asked is how large an axis can be when nothing goes together
    dealt = np.random.default_rng(0).permutation(np.repeat(surname, counts))
    left_dealt, sizes_dealt, right_dealt = _find_axes(np.repeat(given, counts), dealt, np.ones(len(dealt)), shape, 2)
    axes = np.flatnonzero(sizes > BEYOND_CHANCE * sizes_dealt[1])
    if len(axes) < 2:
        return np.zeros(len(names))
    row = pd.Index(given_names).get_indexer(names["given_key"])
    column = pd.Index(surnames).get_indexer(names["surname_1_key"])
    independent = sizes_dealt[0] * left_dealt[row, 0] * right_dealt[column, 0]
    together = (left[np.ix_(row, axes)] * sizes[axes] * right[np.ix_(column, axes)]).sum(axis=1)
    known = (row >= 0) & (column >= 0) & (independent > 0)
    times = np.divide(together, independent, out=np.ones(len(names)), where=known)
    return np.asarray(np.round(np.log2(np.maximum(times, 1.0)), 6))


def _find_axes(
    rows: np.ndarray, columns: np.ndarray, counts: np.ndarray, shape: tuple[int, int], axes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The largest axes of a table of counts, scaled by its margins: left, sizes, right."""
    table = coo_array((counts.astype(float), (rows, columns)), shape=shape).tocsr()
    by_row, by_column = table.sum(axis=1), table.sum(axis=0)
    scaled = (
        diags_array(1 / np.sqrt(by_row + by_row.mean()))
        @ table
        @ diags_array(1 / np.sqrt(by_column + by_column.mean()))
    )
    left, sizes, right = svds(scaled, k=axes, v0=np.ones(min(shape)))
    order = np.argsort(-sizes)
    return left[:, order], sizes[order], right[order].T


def _find_likely_people(engine: Engine) -> None:
    """Records that likely pairs connect with others, as ``likely_people``: record_no, person."""
    records = engine.row("SELECT count(*) AS n FROM linkage_records")["n"]
    likely = engine.frame(
        "SELECT record_no_l, record_no_r FROM weighed_pairs "
        "WHERE match_weight >= $least AND weight_to_relatives >= $least",
        least=LEAST_LIKELY,
    )
    person = find_components(records, likely["record_no_l"].to_numpy() - 1, likely["record_no_r"].to_numpy() - 1)
    connected = np.flatnonzero(np.bincount(person)[person] > 1)
    engine.register("likely_people", pd.DataFrame({"record_no": connected + 1, "person": person[connected]}))
