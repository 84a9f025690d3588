"""Every problem of the sources that can be seen at a glance is told at once."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from crmlib.params import load_params
from crmlib.sources.previews import check_sources, list_entries


def test_sources_in_order_have_no_problem(deliveries):
    deliveries.write("a.csv", "id;name\n1;Ana\n")
    pq.write_table(pa.table({"t": ["1"], "at": ["2026-01-01"]}), deliveries.folder / "t.parquet")
    params = deliveries.params(
        {
            "erp": {"customers": {"path": "a.csv", "fields": {"source_record_id": "id"}}},
            "pos": {"tickets": {"path": "*.parquet", "fields": {"ticket_id": "t", "bought_at": "at"}}},
        },
        truth={"identities": {"path": "a.csv", "fields": {"person_id": "name"}}},
    )
    assert check_sources(params, deliveries.folder / "params.yaml") == []


def test_every_problem_is_told_at_once(deliveries):
    deliveries.write("a.csv", "id;name\n1;Ana\n")
    deliveries.write("empty.csv", "")
    deliveries.write("binary.csv", b"PK\x03\x04\x00")
    deliveries.write("broken.parquet", b"PAR1")
    customers = {"path": "a.csv", "fields": {"source_record_id": "id"}}
    params = deliveries.params(
        {
            "a": {
                "customers": {**customers, "fields": {"source_record_id": "ID", "email": "mail", "full_name": "name"}}
            },
            "b": {
                "customers": {**customers, "path": "none.csv"},
                "stores": {"path": "empty.csv", "fields": {"store_id": "id"}},
            },
            "c": {
                "customers": [customers, {**customers, "path": "binary.csv"}, {**customers, "path": "broken.parquet"}]
            },
            "d": {"customers": {**customers, "fields": {"source_record_id": "id"}, "dialect": {"date": "d/m/y"}}},
            "e": {"customers": {"path": "a.csv", "preset": "shopify_customers"}},
            "f": {"customers": {**customers, "keep": ["points"]}},
            "g": {"customers": {**customers, "path": "package:no_such_thing/a.csv"}},
        },
        truth={"identities": {"path": "a.csv", "fields": {"person_id": "person"}}},
    )
    params_file = deliveries.folder / "params.yaml"
    told = check_sources(params, params_file)
    assert all(problem.startswith(f"{params_file}: ") for problem in told)
    expected = [
        "sources.a.customers: the file a.csv has no column 'ID'",
        "sources.a.customers: the file a.csv has no column 'mail'",
        "sources.b.customers: there is no file",
        "sources.b.stores: the file empty.csv is empty",
        "sources.c.customers[2]: the file binary.csv is no text",
        "sources.c.customers[3]: the file broken.parquet is not Parquet",
        "sources.d.customers.dialect.date: this is no format of dates",
        "sources.e.customers: the headings of a.csv are those of no generation",
        "sources.f.customers: the file a.csv has no column 'points'",
        "sources.g.customers: the Python package no_such_thing is not installed",
        "truth.identities: the file a.csv has no column 'person'",
    ]
    assert len(told) == len(expected), told
    for problem, sentence in zip(told, expected, strict=True):
        assert sentence in problem


def test_entries_are_listed_with_their_keys(deliveries):
    one = {"path": "a.csv", "fields": {"source_record_id": "id"}}
    params = deliveries.params({"a": {"customers": one}, "b": {"customers": [one, one]}})
    assert [where for _, _, where, _ in list_entries(params)] == [
        "sources.a.customers",
        "sources.b.customers[1]",
        "sources.b.customers[2]",
    ]


def test_the_projects_own_params_read_what_their_packages_hold(root):
    params_file = root / "params" / "cdnow.yaml"
    assert check_sources(load_params(params_file), params_file) == []
