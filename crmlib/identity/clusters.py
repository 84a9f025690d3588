"""From pairs to persons: connected records, cut where a chain or an impossibility would join two people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from crmlib.engine import Engine, Step

#: Two groups are joined only when the pairs across them are one person's with at least this probability, on average.
LEAST_CROSS_PROBABILITY = 0.25

LINKS = Step(
    "links",
    """
    WITH linking AS (
        SELECT p.record_no_l AS l, p.record_no_r AS r, p.match_probability, p.match_weight,
               p.decided_by = 'reviewer' AS ruled, 
               a.given_key IS NULL AND a.kind IS DISTINCT FROM 'company' AS l_nameless,
               b.given_key IS NULL AND b.kind IS DISTINCT FROM 'company' AS r_nameless
        FROM decided_pairs p
        JOIN linkage_records a ON a.record_no = p.record_no_l
        JOIN linkage_records b ON b.record_no = p.record_no_r
        WHERE p.match_probability >= $threshold AND NOT p.contradicted
    ),
    ranked AS (
        SELECT *, row_number() OVER (
                   PARTITION BY CASE WHEN l_nameless THEN l ELSE r END, l_nameless <> r_nameless
                   ORDER BY match_probability DESC, match_weight DESC, l, r
               ) AS place
        FROM linking
    )
    SELECT l, r, match_probability, match_weight
    FROM ranked
    WHERE ruled OR l_nameless = r_nameless OR place = 1
    ORDER BY l, r
    """,
)


def cluster_records(engine: Engine, match_threshold: float) -> pd.DataFrame:
    """Cluster the records at a threshold.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records`` and ``decided_pairs``; gets ``clusters``: record_no, cluster (the smallest
        record_no in it), match_probability (of the weakest link that its cluster needs to hold together; NaN if alone).
    match_threshold : float
        Probability from which a pair links.

    Returns
    -------
    pandas.DataFrame
        One row: links, refused_links (that a chain or an impossibility made worthless), records, clusters.

    Notes
    -----
    Components of linked records are exact and cheap; only those that are no clique, or hold a contradiction, are
    built again by `join_groups`, from their strongest link down. A record without a given name keeps only its best
    link to one with a name: a mailbox, or a home, that two people share would join them through it.
    """
    records = engine.row("SELECT count(*) AS n FROM linkage_records")["n"]
    engine.run(LINKS, threshold=match_threshold)
    links = engine.frame("SELECT * FROM links ORDER BY l, r")
    component = find_components(records, links["l"].to_numpy() - 1, links["r"].to_numpy() - 1)
    engine.register("components", pd.DataFrame({"record_no": np.arange(1, records + 1), "component": component}))
    doubtful = _find_doubtful(engine, links, component)
    inside = links[np.isin(component[links["l"].to_numpy() - 1], doubtful)]
    groups = join_groups(
        inside.sort_values(["match_probability", "match_weight", "l", "r"], ascending=[False, False, True, True])[
            ["l", "r"]
        ].itertuples(index=False, name=None),
        _read_probabilities(engine, doubtful),
        _read_forbidden(engine),
        _read_ids(engine),
        _read_ruled_together(engine),
    )
    cluster = _smallest_of(component)
    for members in groups:
        cluster[np.array(members) - 1] = min(members)
    grouped = {member for members in groups for member in members}
    alone = np.setdiff1d(np.flatnonzero(np.isin(component, doubtful)) + 1, np.fromiter(grouped, dtype=np.int64))
    cluster[alone - 1] = alone
    holding = links[cluster[links["l"] - 1] == cluster[links["r"] - 1]]
    table = pd.DataFrame(
        {
            "record_no": np.arange(1, records + 1),
            "cluster": cluster,
            "match_probability": find_weakest_needed(
                cluster,
                holding["l"].to_numpy() - 1,
                holding["r"].to_numpy() - 1,
                holding["match_probability"].to_numpy(),
            ),
        }
    )
    engine.register("clusters", table)
    return pd.DataFrame(
        [
            {
                "links": len(links),
                "refused_links": len(links) - len(holding),
                "records": records,
                "clusters": len(np.unique(cluster)),
            }
        ]
    )


def find_components(nodes: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Number the connected components of `nodes` records linked pairwise; one number per record."""
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def find_weakest_needed(
    cluster: np.ndarray, left: np.ndarray, right: np.ndarray, probability: np.ndarray
) -> np.ndarray:
    """The weakest link without which a cluster would fall apart, when its strongest links are kept.

    Parameters
    ----------
    cluster : array of int
        Each record's cluster: the number, counted from 1, of its smallest record.
    left, right : array of int
        Records linked inside clusters, counted from 0.
    probability : array of float
        Of each link.

    Returns
    -------
    array of float
        For each record, the least probability in its cluster's maximum spanning tree; NaN where it is alone.
    """
    doubt = coo_array((2.0 - probability, (left, right)), shape=(len(cluster), len(cluster)))
    tree = minimum_spanning_tree(doubt.tocsr()).tocoo()
    weakest = np.full(len(cluster) + 1, np.inf)
    np.minimum.at(weakest, cluster[tree.row], 2.0 - tree.data)
    held = weakest[cluster]
    return np.where(np.isfinite(held), held, np.nan)


def join_groups(
    links: Iterable[tuple[int, int]],
    probabilities: Iterable[tuple[int, int, float]],
    forbidden: Iterable[tuple[int, int]],
    ids: dict[int, str],
    together: Iterable[tuple[int, int]] = (),
) -> list[list[int]]:
    """Join records along links, the strongest first, where nothing speaks against it.

    Two groups are joined when the pairs across them have at least `LEAST_CROSS_PROBABILITY` on average, none of these
    is forbidden, and they do not hold two different ids. Pairs that were not compared have none. A link that was
    refused is tried again when its groups have grown, as long as anything changes. Records that must be together are
    one from the start, whatever speaks against it.

    Parameters
    ----------
    links : iterable of pairs
        From the strongest to the weakest.
    probabilities : iterable of pairs with a probability
        Of all pairs that were compared, links or not.
    forbidden : iterable of pairs
        Records that must not be together.
    ids : dict
        Valid national id of the records that have one.
    together : iterable of pairs
        Records that must be together.

    Returns
    -------
    list of list of int
        The groups of two records or more.
    """
    same = _unite(together)
    order = [
        (one, other) for left, right in links if (one := same.get(left, left)) != (other := same.get(right, right))
    ]
    neighbours: dict[int, dict[int, float]] = defaultdict(dict)
    for left, right, probability in probabilities:
        one, other = same.get(left, left), same.get(right, right)
        neighbours[one][other] = neighbours[other][one] = max(probability, neighbours[one].get(other, 0.0))
    apart: dict[int, set[int]] = defaultdict(set)
    for left, right in forbidden:
        one, other = same.get(left, left), same.get(right, right)
        apart[one].add(other)
        apart[other].add(one)
    group = {node: node for node in {*neighbours, *same.values()}}
    members = {node: [node] for node in group}
    known: dict[int, set[str]] = defaultdict(set)
    for node, value in ids.items():
        known[same.get(node, node)].add(value)

    def may_join(one: int, other: int) -> bool:
        small, large = sorted((members[one], members[other]), key=len)
        inside = set(large)
        if known[one] and known[other] and known[one].isdisjoint(known[other]):
            return False
        if any(apart[node] & inside for node in small if node in apart):
            return False
        crossing = sum(neighbours[node][other] for node in small for other in neighbours[node].keys() & inside)
        return crossing >= LEAST_CROSS_PROBABILITY * len(small) * len(large)

    changed = True
    while changed:
        changed = False
        for left, right in order:
            one, other = group[left], group[right]
            if one != other and may_join(one, other):
                if len(members[one]) < len(members[other]):
                    one, other = other, one
                for node in members[other]:
                    group[node] = one
                members[one] += members.pop(other)
                known[one] |= known[other]
                changed = True
    behind: dict[int, list[int]] = defaultdict(list)
    for node, head in same.items():
        behind[head].append(node)
    whole = (sorted(record for node in nodes for record in behind.get(node, [node])) for nodes in members.values())
    return [records for records in whole if len(records) > 1]


def _unite(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The smallest record of those with which each record must be; records that need be with none are left out."""
    head: dict[int, int] = {}

    def find(node: int) -> int:
        while head.setdefault(node, node) != node:
            head[node] = node = head[head[node]]
        return node

    for left, right in pairs:
        one, other = sorted((find(left), find(right)))
        head[other] = one
    return {node: find(node) for node in list(head)}


def _find_doubtful(engine: Engine, links: pd.DataFrame, component: np.ndarray) -> np.ndarray:
    """Components of three or more that are no clique, and those that hold two valid ids or a contradiction."""
    sizes = np.bincount(component) if len(component) else np.zeros(0, dtype=np.int64)
    linked = np.bincount(component[links["l"].to_numpy() - 1], minlength=len(sizes))
    no_clique = np.flatnonzero(linked < sizes * (sizes - 1) // 2)
    impossible = engine.frame(
        """
        WITH id_conflicts AS (
            SELECT component
            FROM components JOIN linkage_records USING (record_no)
            WHERE national_id_valid
            GROUP BY component
            HAVING count(DISTINCT national_id) > 1
        ),
        contradictions AS (
            SELECT l.component
            FROM decided_pairs p
            JOIN components l ON l.record_no = p.record_no_l
            JOIN components r ON r.record_no = p.record_no_r AND r.component = l.component
            WHERE p.contradicted
        )
        SELECT component FROM id_conflicts UNION SELECT component FROM contradictions
        """
    )["component"].to_numpy()
    return np.union1d(no_clique, impossible)


def _read_probabilities(engine: Engine, components: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """The compared pairs inside some components; those that contradict count as impossible."""
    engine.register("doubtful", pd.DataFrame({"component": components}))
    pairs = engine.frame(
        "SELECT p.record_no_l, p.record_no_r, CASE WHEN p.contradicted THEN 0 ELSE p.match_probability END "
        "FROM decided_pairs p JOIN components l ON l.record_no = p.record_no_l "
        "JOIN components r ON r.record_no = p.record_no_r AND r.component = l.component "
        "SEMI JOIN doubtful d ON d.component = l.component"
    )
    return pairs.itertuples(index=False, name=None)


def _read_forbidden(engine: Engine) -> list[tuple[int, int]]:
    pairs = engine.rows(
        "SELECT p.record_no_l AS l, p.record_no_r AS r FROM decided_pairs p "
        "JOIN components c ON c.record_no = p.record_no_l SEMI JOIN doubtful d ON d.component = c.component "
        "WHERE p.contradicted"
    )
    return [(pair["l"], pair["r"]) for pair in pairs]


def _read_ruled_together(engine: Engine) -> list[tuple[int, int]]:
    pairs = engine.rows(
        "SELECT p.record_no_l AS l, p.record_no_r AS r FROM decided_pairs p "
        "JOIN components c ON c.record_no = p.record_no_l SEMI JOIN doubtful d ON d.component = c.component "
        "WHERE p.decided_by = 'reviewer' AND NOT p.contradicted ORDER BY l, r"
    )
    return [(pair["l"], pair["r"]) for pair in pairs]


def _read_ids(engine: Engine) -> dict[int, str]:
    rows = engine.rows(
        "SELECT record_no, national_id FROM linkage_records JOIN components USING (record_no) "
        "SEMI JOIN doubtful USING (component) WHERE national_id_valid"
    )
    return {row["record_no"]: row["national_id"] for row in rows}


def _smallest_of(component: np.ndarray) -> np.ndarray:
    """The smallest record_no of each record's component."""
    smallest = np.full(component.max() + 1 if len(component) else 0, np.iinfo(np.int64).max)
    np.minimum.at(smallest, component, np.arange(1, len(component) + 1))
    return np.asarray(smallest[component])
