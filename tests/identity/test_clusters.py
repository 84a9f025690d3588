from itertools import combinations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlib.identity.clusters import (
    LEAST_CROSS_PROBABILITY,
    cluster_records,
    find_components,
    find_weakest_needed,
    join_groups,
)

NODES = 9
pairs = st.lists(
    st.tuples(st.integers(1, NODES), st.integers(1, NODES)).filter(lambda pair: pair[0] < pair[1]),
    unique=True,
    max_size=25,
)


def join_links(links, forbidden=(), ids=None, *more):
    """Groups by links that are all certain, and nothing else compared."""
    return join_groups(links, [(*pair, 1.0) for pair in links], forbidden, ids or {}, *more)


def as_sets(groups):
    return {frozenset(members) for members in groups}


@given(pairs)
def test_components_are_networkx_s(links):
    graph = nx.Graph(links)
    graph.add_nodes_from(range(1, NODES + 1))
    left, right = (np.array([pair[side] - 1 for pair in links], dtype=int) for side in (0, 1))
    numbers = find_components(NODES, left, right)
    found = {frozenset((np.flatnonzero(numbers == number) + 1).tolist()) for number in set(numbers.tolist())}
    assert found == {frozenset(part) for part in nx.connected_components(graph)}


@given(pairs, st.randoms(use_true_random=False))
def test_the_weakest_needed_link_is_that_of_a_maximum_spanning_tree(links, random):
    probability = [round(random.uniform(0.5, 1.0), 6) for _ in links]
    graph = nx.Graph()
    graph.add_nodes_from(range(1, NODES + 1))
    graph.add_weighted_edges_from((*pair, p) for pair, p in zip(links, probability, strict=True))
    cluster = np.zeros(NODES, dtype=int)
    expected = np.full(NODES, np.nan)
    for part in nx.connected_components(graph):
        tree = nx.maximum_spanning_tree(graph.subgraph(part))
        for node in part:
            cluster[node - 1] = min(part)
            expected[node - 1] = min((p for *_, p in tree.edges.data("weight")), default=np.nan)
    left, right = (np.array([pair[side] - 1 for pair in links], dtype=int) for side in (0, 1))
    found = find_weakest_needed(cluster, left, right, np.array(probability))
    np.testing.assert_allclose(found, expected)


@given(pairs, pairs, st.dictionaries(st.integers(1, NODES), st.sampled_from("AB")))
def test_no_group_holds_what_is_forbidden(links, forbidden, ids):
    groups = join_links(links, forbidden, ids)
    members = [node for group in groups for node in group]
    assert len(members) == len(set(members))
    linked = {frozenset(pair) for pair in links}
    for group in groups:
        inside = {frozenset(pair) for pair in combinations(group, 2)}
        assert not inside & {frozenset(pair) for pair in forbidden}
        assert len({ids[node] for node in group if node in ids}) <= 1
        assert nx.is_connected(nx.Graph([tuple(pair) for pair in inside & linked]))


@given(pairs)
def test_where_nothing_speaks_against_it_a_clique_stays_whole(links):
    whole = list(combinations(range(1, 6), 2))
    others = [pair for pair in links if min(pair) > 5]
    assert frozenset(range(1, 6)) in as_sets(join_links(whole + others, [], {}))


def test_a_chain_is_cut():
    links = [(1, 2), (1, 3), (2, 3), (4, 5), (4, 6), (5, 6), (3, 4)]
    assert LEAST_CROSS_PROBABILITY > 1 / 9
    assert as_sets(join_links(links, [], {})) == {frozenset({1, 2, 3}), frozenset({4, 5, 6})}


def test_the_stronger_link_wins():
    assert join_links([(1, 2), (2, 3)], [(1, 3)], {}) == [[1, 2]]
    assert join_links([(2, 3), (1, 2)], [(1, 3)], {}) == [[2, 3]]
    assert join_links([(2, 3), (1, 2)], [], {1: "A", 3: "B"}) == [[2, 3]]


def load(engine, records, links, ids=(), contradicted=(), nameless=(), companies=()):
    known = dict(ids)
    numbers = range(1, records + 1)
    engine.register(
        "linkage_records",
        pd.DataFrame(
            {
                "record_no": numbers,
                "given_key": [None if number in nameless else "a name" for number in numbers],
                "kind": ["company" if number in companies else "person" for number in numbers],
                "national_id": pd.array([known.get(number) for number in numbers], dtype="string"),
                "national_id_valid": [number in known for number in numbers],
            }
        ),
    )
    rows = [(*link, 20 * link[2], False, "model") for link in links]
    rows += [(*pair, 0.0, -40.0, True, "model") for pair in contradicted]
    columns = ["record_no_l", "record_no_r", "match_probability", "match_weight", "contradicted", "decided_by"]
    types = dict(zip(columns, ("int64", "int64", "float64", "float64", "bool", "str"), strict=True))
    engine.register("decided_pairs", pd.DataFrame(rows, columns=columns).astype(types))


def clusters_of(engine):
    frame = engine.frame("FROM clusters ORDER BY record_no")
    return {frozenset(part) for part in frame.groupby("cluster")["record_no"].apply(list)}


def test_records_are_clustered_at_the_threshold(engine):
    load(engine, 6, [(1, 2, 0.99), (2, 3, 0.96), (1, 3, 0.97), (4, 5, 0.94)])
    counted = cluster_records(engine, 0.95).iloc[0]
    assert clusters_of(engine) == {frozenset({1, 2, 3}), frozenset({4}), frozenset({5}), frozenset({6})}
    assert counted.tolist() == [3, 0, 6, 4]
    held = engine.frame("FROM clusters ORDER BY record_no")
    assert held["cluster"].tolist() == [1, 1, 1, 4, 5, 6]
    assert held["match_probability"].tolist()[:3] == [0.97] * 3
    assert held["match_probability"].isna().tolist() == [False] * 3 + [True] * 3


def test_a_record_without_a_name_joins_no_two_people(engine):
    load(engine, 4, [(1, 3, 0.97), (2, 3, 0.98), (3, 4, 0.99)], nameless=(3, 4))
    cluster_records(engine, 0.95)
    assert clusters_of(engine) == {frozenset({1}), frozenset({2, 3, 4})}


def test_a_company_has_no_given_name_and_is_no_bridge(engine):
    load(engine, 3, [(1, 3, 0.97), (2, 3, 0.98), (1, 2, 0.96)], nameless=(1, 2, 3), companies=(3,))
    cluster_records(engine, 0.95)
    assert clusters_of(engine) == {frozenset({1, 2, 3})}
    load(engine, 3, [(1, 3, 0.97), (2, 3, 0.98), (1, 2, 0.96)], nameless=(3,), companies=(3,))
    cluster_records(engine, 0.95)
    assert clusters_of(engine) == {frozenset({1, 2, 3})}


def test_pairs_that_hardly_link_count_against_a_join(engine):
    chain = [(1, 2, 0.99), (3, 4, 0.99), (1, 3, 0.96)]
    load(engine, 4, chain)
    cluster_records(engine, 0.95)
    assert clusters_of(engine) == {frozenset({1, 2}), frozenset({3, 4})}
    load(engine, 4, [*chain, (2, 4, 0.5)])
    cluster_records(engine, 0.95)
    assert clusters_of(engine) == {frozenset({1, 2, 3, 4})}


def test_two_valid_ids_are_never_in_one_cluster(engine):
    load(engine, 3, [(1, 2, 0.99), (2, 3, 0.98)], ids={1: "A", 3: "B"})
    counted = cluster_records(engine, 0.95).iloc[0]
    assert clusters_of(engine) == {frozenset({1, 2}), frozenset({3})}
    assert counted["refused_links"] == 1


def test_a_contradiction_inside_a_chain_splits_it(engine):
    load(engine, 3, [(1, 2, 0.98), (2, 3, 0.99)], contradicted=[(1, 3)])
    cluster_records(engine, 0.95)
    assert clusters_of(engine) == {frozenset({1}), frozenset({2, 3})}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(links=pairs, random=st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(engine, links, random):
    scored = [(*pair, round(random.uniform(0.9, 1.0), 3)) for pair in links]
    load(engine, NODES, scored)
    cluster_records(engine, 0.95)
    one = clusters_of(engine)
    random.shuffle(scored)
    load(engine, NODES, scored)
    cluster_records(engine, 0.95)
    assert clusters_of(engine) == one


@pytest.mark.parametrize("records", [0, 1, 4])
def test_without_links_each_record_is_alone(engine, records):
    load(engine, records, [])
    cluster_records(engine, 0.95)
    assert len(clusters_of(engine)) == records
