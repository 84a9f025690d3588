"""Known truth."""

from __future__ import annotations

import pytest

from crmlib.errors import InputError
from crmlib.sources.truth import read_truth

SOURCES = {"erp": {"customers": {"path": "a.csv", "fields": {"source_record_id": "id"}}}}


def test_truth_is_read_as_text_from_every_file(deliveries):
    deliveries.write("people1.csv", "s,id,who\nerp,007,1\n")
    deliveries.write("people2.csv", "s,id,who\nshop,8,\n")
    fields = {"source": "s", "source_record_id": {"from": "id", "extract": "^0*(.*)$"}, "person_id": "who"}
    params = deliveries.params(SOURCES, truth={"identities": {"path": "people*.csv", "fields": fields}})
    name = read_truth(deliveries.engine, params, deliveries.folder / "params.yaml", "identities")
    assert deliveries.engine.rows(f"FROM {name} ORDER BY source") == [
        {"source": "erp", "source_record_id": "7", "person_id": "1"},
        {"source": "shop", "source_record_id": "8", "person_id": None},
    ]
    assert read_truth(deliveries.engine, params, deliveries.folder / "params.yaml", "households") is None


def test_a_missing_column_is_told(deliveries):
    deliveries.write("people.csv", "s,id\nerp,7\n")
    params = deliveries.params(SOURCES, truth={"identities": {"path": "people.csv", "fields": {"person_id": "who"}}})
    with pytest.raises(InputError, match=r"truth.identities: the file people.csv has no column 'who'"):
        read_truth(deliveries.engine, params, deliveries.folder / "params.yaml", "identities")
