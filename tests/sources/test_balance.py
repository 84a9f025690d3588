"""Whatever comes, the ledger balances: rows read are those accepted, rejected and unchanged."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlib.params import ENTITIES, known_fields
from crmlib.tables import CONTRACTS

CELL = st.sampled_from(["1", "2", "3", "", "x", "2026-01-01", "2026-02-30", '"', "5,5", "é"])


FILES = st.lists(st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=6), min_size=1, max_size=2)


def _text_of(rows: list[list[str]]) -> str:
    quoted = [";".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return "\n".join(["id;at;amount", *quoted, ""])


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES, FILES)
def test_the_ledger_balances(tmp_path_factory, first, second):
    from tests.sources.conftest import Deliveries

    deliveries = Deliveries(tmp_path_factory.mktemp("ledger"))
    fields = {"ticket_id": "id", "bought_at": "at", "amount": "amount"}
    sources = {"pos": {"tickets": {"path": "t*.csv", "fields": fields, "dialect": {"delimiter": ";", "decimal": ","}}}}
    # one good row, so that an intake is never useless
    deliveries.write("t0.csv", _text_of([["good", "2026-01-01", "1"]]))
    stored: set[tuple] = set()
    for number, files in enumerate((first, second, second), start=1):
        for index, rows in enumerate(files, start=1):
            deliveries.write(f"t{index}.csv", _text_of(rows))
        deliveries.take_in(sources, as_of=f"2026-11-0{number}")
        ledger = {row["load"]: row for row in deliveries.rows("intake_ledger")}
        told = {row["load"]: row for row in deliveries.intake.deliveries.to_dict("records")}
        for path in sorted(deliveries.folder.glob("t*.csv")):
            facts = told[path.name]
            assert facts["rows_read"] == len(path.read_text().splitlines()) - 1
            assert facts["rows_read"] == facts["rows_accepted"] + facts["rows_rejected"] + facts["rows_unchanged"]
            assert path.name in ledger
        quarantined = deliveries.engine.row("SELECT count(*) AS n FROM quarantine")["n"]
        assert quarantined == sum(facts["rows_rejected"] for facts in told.values())
        now = {tuple(row.values()) for row in deliveries.rows("tickets", "ticket_id, bought_at, amount, updated_at")}
        accepted = sum(facts["rows_accepted"] for facts in told.values())
        assert len(now - stored) == accepted
        if number == 3:
            assert accepted == 0
            assert now == stored
        stored = now
    deliveries.engine.close()


WORDS = st.sampled_from(
    [
        "1",
        "2",
        "",
        "x",
        "2026-01-01",
        "2026-02-30",
        "5.5",
        "email",
        "marketing",
        "granted",
        "view",
        "robinson",
        "yes",
        "é",
    ]
)


@pytest.mark.full
@pytest.mark.parametrize("entity", ENTITIES)
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_ledger_balances_for_every_entity(entity, tmp_path_factory, data):
    """Every row is accepted, unchanged or rejected; delivered once more none is accepted, and the same are rejected."""
    from tests.sources.conftest import Deliveries

    columns = [column for column in CONTRACTS[ENTITIES[entity]].columns if column.name in known_fields(entity)]
    names = [column.name for column in columns if column.name != "updated_at"]
    good = {"money": "1.5", "float": "1.5", "int": "1", "bool": "yes", "date": "2026-01-01", "time": "2026-01-01"}
    sound = [(column.values or (good.get(column.kind, "good"),))[0] for column in columns if column.name in names]
    rows = data.draw(st.lists(st.lists(WORDS, min_size=len(names) - 1, max_size=len(names) + 1), max_size=6))
    deliveries = Deliveries(tmp_path_factory.mktemp("ledger"))
    text = [";".join(names), *(";".join(row) for row in [sound, *rows]), ""]
    deliveries.write("d.csv", "\n".join(text))
    dialect = {"delimiter": ";", "decimal": ".", "date": "%Y-%m-%d"}
    sources = {"erp": {entity: {"path": "d.csv", "dialect": dialect, "fields": {name: name for name in names}}}}
    found = []
    for day in (1, 2):
        deliveries.take_in(sources, as_of=f"2026-11-0{day}")
        ((read, accepted, rejected, unchanged),) = deliveries.ledger()
        assert read == accepted + rejected + unchanged == len(rows) + 1
        assert len({row for row, _, _ in deliveries.rejected()}) == rejected
        found.append((accepted, rejected))
    assert found[0][0] >= 1
    assert found[1] == (0, found[0][1])
    deliveries.engine.close()
