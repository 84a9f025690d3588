"""A run as a notebook holds it: what it sees is cut to the as-of date, what it writes is checked and whole."""

from __future__ import annotations

import os
import stat
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crmlib.room
from crmlib import open_run
from crmlib.errors import ConflictError, ContractError, InputError, NothingToDo
from crmlib.files import hash_file
from crmlib.params import Params, dump_params
from crmlib.room import WRITER_VARIABLE, Room
from crmlib.run_folder import RunFolder
from crmlib.runs import RunStore
from crmlib.tables import CONTRACTS, find_contract

PARAMS = {
    "run": {"name": "demo", "as_of_date": "2026-11-01", "timezone": "Atlantic/Canary"},
    "sources": {"erp": {"owner": "IT", "customers": {"path": "a.csv", "fields": {"source_record_id": "A"}}}},
}


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def begin(store):
    """Begin a run as the pipeline does."""

    def begin(run_id: str = "now", *, as_of: str = "2026-11-01", base: str | None = None) -> RunFolder:
        manifest = {
            "as_of_date": as_of,
            "base": base,
            "params": dump_params(Params.model_validate(PARAMS)),
            "params_file": "/x/p.yaml",
            "inputs": {},
        }
        return store.create(run_id, "demo", manifest)

    return begin


@pytest.fixture
def intake(begin) -> Room:
    return Room(begin(), "01_intake")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticket(ticket_id: str, bought_at: str, updated_at: str = "2026-01-01", amount: str | None = "1.00", **more) -> dict:
    return {
        "source": "pos",
        "ticket_id": ticket_id,
        "bought_at": at(bought_at),
        "bought_on": at(bought_at).date(),
        "amount": None if amount is None else Decimal(amount),
        "updated_at": at(updated_at),
        **more,
    }


def rows(*given: dict) -> pa.Table:
    names = dict.fromkeys(name for row in given for name in row)
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in given])


def store_row(store_id: str, **more) -> dict:
    return {"store_id": store_id, "source": "erp", "updated_at": at("2026-01-01"), **more}


def test_every_table_that_is_absent_is_an_empty_typed_view(intake):
    for contract in CONTRACTS.values():
        assert intake.engine.row(f'SELECT count(*) AS n FROM "{contract.name}"') == {"n": 0}
        expected = {c.name: c.sql_type for c in contract.columns if "<" not in c.name}
        assert intake.engine.columns(contract.name) == expected, contract.name
        assert not intake.has(contract.name)


def test_a_table_is_written_in_the_columns_types_and_order_of_its_contract(intake):
    intake.write(
        "stores",
        pd.DataFrame(
            {
                "updated_at": [at("2026-01-01")] * 2,
                "store_id": [7, 3],
                "source": ["erp"] * 2,
                "latitude": ["28.1", None],
            }
        ),
    )
    table = pq.read_table(intake.folder.tables / "stores.parquet")
    contract = find_contract("stores")
    assert table.column_names == [column.name for column in contract.columns]
    assert [str(kind).removesuffix("[day]") for kind in table.schema.types] == [c.arrow_type for c in contract.columns]
    assert table.column("store_id").to_pylist() == ["3", "7"]
    assert table.column("latitude").to_pylist() == [None, 28.1]
    assert intake.frame("stores")["store_id"].tolist() == ["3", "7"]


def test_the_manifest_has_rows_and_hash_of_a_table_that_only_its_owner_may_read(intake):
    intake.write("stores", rows(store_row("1"), store_row("2")))
    path = intake.folder.tables / "stores.parquet"
    facts = intake.folder.manifest()["tables"]["stores"]
    assert (facts["rows"], facts["sha256"], facts["bytes"]) == (2, hash_file(path), path.stat().st_size)
    assert facts["room"] == "01_intake"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_equal_rows_in_any_order_give_equal_files(begin):
    given = [store_row(str(i), name=f"n{i}") for i in range(50)]
    hashes = []
    for run_id, order in (("a", given), ("b", given[::-1])):
        room = Room(begin(run_id), "01_intake")
        room.write("stores", rows(*order))
        hashes.append(room.folder.manifest()["tables"]["stores"]["sha256"])
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("table", "given", "sentence"),
    [
        ("stores", [store_row("1"), store_row("1")], r"the key \(store_id, updated_at\) is not unique in 1 rows"),
        ("stores", [store_row("1", source=None)], "'source' is empty in 1 rows"),
        ("stores", [store_row("1"), store_row(None)], "'store_id' is empty in 1 rows"),
        ("stores", [store_row("1", latitude=float("inf"))], "'latitude' is infinite in 1 rows"),
        ("stores", [store_row("1", island_name="x")], "has no column island_name"),
        ("stores", [{"store_id": "1", "source": "erp"}], "must have the column 'updated_at'"),
        ("stores", [store_row("1", latitude="north")], "a value cannot be read as its column's type"),
        ("campaigns", [{"campaign_id": "1", "source": "a", "category": "spam", "updated_at": at("2026-01-01")}],
         "'category' is none of cycle/.*in 1 rows"),
    ],
)  # fmt: skip
def test_a_breach_of_the_contract_leaves_the_table_as_it_was(intake, table, given, sentence):
    intake.write("stores", rows(store_row("kept")))
    before = {path.name: path.read_bytes() for path in intake.folder.tables.iterdir()}
    manifest = intake.folder.manifest()
    with pytest.raises(ContractError, match=sentence):
        intake.write(table, rows(*given))
    assert {path.name: path.read_bytes() for path in intake.folder.tables.iterdir()} == before
    assert intake.folder.manifest() == manifest
    assert intake.frame("stores")["store_id"].tolist() == ["kept"]


def test_several_breaches_are_told_at_once(intake):
    with pytest.raises(ContractError) as caught:
        intake.write("stores", rows(store_row("1", source=None), store_row("1", latitude=float("-inf"))))
    for sentence in ("'source' is empty", "'latitude' is infinite", "not unique"):
        assert sentence in str(caught.value)


def test_a_breach_quotes_no_value(intake):
    secret = "Ana Pérez Gil"
    with pytest.raises(ContractError) as caught:
        intake.write("stores", rows(store_row(secret, latitude=secret), store_row(secret)))
    assert "Ana" not in str(caught.value)


@pytest.mark.parametrize("column", ["latitude", "opened_on"])
def test_no_number_is_nothing(intake, column):
    engine = intake.engine
    value = "'nan'::DOUBLE" if column == "latitude" else "NULL"
    engine.execute(f"CREATE TABLE t AS SELECT '1' AS store_id, 'e' AS source, {value} AS {column}, now() AS updated_at")
    intake.write("stores", "t")
    assert pq.read_table(intake.folder.tables / "stores.parquet").column(column).to_pylist() == [None]


def test_no_number_is_nothing_in_amounts_and_counts_too(begin):
    room = Room(begin(), "08_campaigns")
    frame = pd.DataFrame(
        {
            "campaign_id": ["a", "b"],
            "outcome": "o",
            "method": "m",
            "assigned": [1.0, float("nan")],
            "cost": [2.5, float("nan")],
        }
    )
    room.write("campaign_results", pa.Table.from_pandas(frame))
    assert room.engine.rows("SELECT assigned, cost FROM campaign_results") == [
        {"assigned": 1, "cost": Decimal("2.50")},
        {"assigned": None, "cost": None},
    ]


def test_a_half_written_table_is_never_seen(intake, monkeypatch):
    intake.write("stores", rows(store_row("old")))

    def stop(*_):
        raise KeyboardInterrupt

    # the process ends after the file is written and checked, before it has its name
    monkeypatch.setattr(crmlib.room, "hash_file", stop)
    with pytest.raises(KeyboardInterrupt):
        intake.write("stores", rows(store_row("new")))
    monkeypatch.undo()
    again = Room(intake.folder, "02_database_audit")
    assert again.frame("stores")["store_id"].tolist() == ["old"]
    # what a killed process leaves is not seen either
    (intake.folder.tables / ".products.parquet-1").write_bytes(b"PAR1 half")
    (intake.folder.tables / "evaluation").mkdir()
    (intake.folder.tables / "evaluation" / ".03_x.parquet-1").write_bytes(b"PAR1 half")
    again = Room(intake.folder, "02_database_audit")
    assert not again.has("products")
    assert not again.has("evaluation")


def test_only_its_rooms_write_a_table(intake):
    with pytest.raises(ContractError, match="01_intake is not a writer of table 'customers'"):
        intake.write("customers", pd.DataFrame({"customer_id": ["a"]}))
    with pytest.raises(ContractError, match="no table 'shops'"):
        intake.write("shops", pd.DataFrame())


def test_a_table_of_several_rooms_has_a_part_of_each(begin):
    folder = begin()
    for notebook, value in (("03_deduplication", 0.5), ("06_churn_and_value", 0.7), ("03_deduplication", 0.9)):
        Room(folder, notebook).write("evaluation", pd.DataFrame({"metric": ["f1"], "value": [value], "n": [3]}))
    seen = Room(folder, "07_segments").engine.rows("SELECT room, value FROM evaluation ORDER BY room")
    assert seen == [{"room": "03_deduplication", "value": 0.9}, {"room": "06_churn_and_value", "value": 0.7}]
    assert set(folder.manifest()["tables"]) == {"evaluation/03_deduplication", "evaluation/06_churn_and_value"}


def test_rows_dated_after_the_as_of_date_are_stored_and_unseen(intake):
    # 1 November ends at midnight in the Canaries, which is midnight UTC in winter
    intake.write(
        "tickets",
        rows(
            ticket("today", "2026-11-01T23:59:59"),
            ticket("tomorrow", "2026-11-02T00:00:00"),
            ticket("told too late", "2026-10-01", updated_at="2026-11-02"),
        ),
    )
    assert intake.folder.manifest()["tables"]["tickets"]["rows"] == 3
    assert intake.frame("tickets")["ticket_id"].tolist() == ["today"]


def test_the_as_of_date_ends_where_the_run_is(begin):
    summer = Room(begin(as_of="2026-07-01"), "01_intake")
    summer.write("tickets", rows(ticket("today", "2026-07-01T22:59:59"), ticket("tomorrow", "2026-07-01T23:00:00")))
    assert summer.frame("tickets")["ticket_id"].tolist() == ["today"]
    assert summer.cutoff == at("2026-07-01T23:00:00")


def test_what_happens_on_a_day_is_cut_by_the_day(intake):
    given = [
        {
            "source": "a",
            "list": "robinson",
            "key_kind": "email",
            "key": key,
            "listed_on": day,
            "updated_at": at("2026-01-01"),
        }
        for key, day in (("past", date(2026, 11, 1)), ("future", date(2026, 11, 2)), ("undated", None))
    ]
    intake.write("suppressions", rows(*given))
    assert intake.frame("suppressions")["key"].tolist() == ["past", "undated"]


def test_records_created_later_are_unseen(intake):
    given = [
        {"source": "a", "source_record_id": key, "created_at": at(created), "updated_at": at("2026-01-01")}
        for key, created in (("old", "2026-01-01"), ("new", "2026-12-01"))
    ]
    intake.write("source_records", rows(*given))
    assert intake.frame("source_records")["source_record_id"].tolist() == ["old"]


def test_of_each_key_the_latest_version_is_seen_that_was_known_by_then(intake):
    versions = (("a", "2026-01-01", "1"), ("a", "2026-05-01", "2"), ("a", "2027-01-01", "3"), ("b", "2026-02-01", "4"))
    intake.write("tickets", rows(*(ticket(t, "2026-01-01", updated_at=u, amount=a) for t, u, a in versions)))
    assert intake.engine.rows("SELECT ticket_id, amount FROM tickets ORDER BY ticket_id") == [
        {"ticket_id": "a", "amount": Decimal("2.00")},
        {"ticket_id": "b", "amount": Decimal("4.00")},
    ]
    assert intake.folder.manifest()["tables"]["tickets"]["superseded"] == 2
    # also where nothing tells how many are superseded
    intake.folder.update(lambda manifest: manifest["tables"].clear())
    assert len(Room(intake.folder, "02_database_audit").frame("tickets")) == 2


def test_a_version_that_moves_a_row_into_the_future_hides_the_row(intake):
    """The version in force decides: what it says lies in the future is not shown from an older version."""
    intake.write(
        "tickets",
        rows(ticket("a", "2026-01-01", updated_at="2026-01-01"), ticket("a", "2026-12-01", updated_at="2026-02-01")),
    )
    assert intake.frame("tickets").empty


def test_a_room_leaves_when_a_table_it_needs_is_absent_or_empty(intake):
    with pytest.raises(NothingToDo, match=r"^No tickets, nothing to do\.$"):
        intake.require("tickets", sentence="No tickets, nothing to do.")
    intake.write("tickets", rows(ticket("later", "2027-01-01")))
    with pytest.raises(NothingToDo):
        intake.require("tickets", sentence="No tickets.")
    intake.write("tickets", rows(ticket("now", "2026-01-01")))
    intake.require("tickets", sentence="No tickets.")
    with pytest.raises(NothingToDo):
        intake.require("tickets", "stores", sentence="No stores.")


def test_the_base_runs_table_is_seen_whole(begin):
    earlier = Room(begin("earlier", as_of="2026-10-01"), "01_intake")
    earlier.write(
        "tickets", rows(ticket("a", "2026-01-01"), ticket("a", "2026-01-01", "2026-02-01"), ticket("b", "2027-01-01"))
    )
    room = Room(begin(base="earlier"), "01_intake")
    assert room.base_table("stores") is None
    assert earlier.base_table("tickets") is None
    name = room.base_table("tickets")
    assert room.engine.row(f"SELECT count(*) AS n FROM {name}") == {"n": 3}
    assert not room.has("tickets")


def test_a_base_of_an_older_contract_is_seen_in_todays_columns(begin):
    earlier = begin("earlier")
    old = pa.table({"store_id": ["1"], "closed_on": ["x"], "updated_at": [at("2026-01-01")]})
    pq.write_table(old, earlier.tables / "stores.parquet")
    room = Room(begin(base="earlier"), "01_intake")
    name = room.base_table("stores")
    assert list(room.engine.columns(name)) == [column.name for column in find_contract("stores").columns]
    assert room.engine.row(f"SELECT store_id, island FROM {name}") == {"store_id": "1", "island": None}


def test_a_headline_is_kept_once(intake):
    intake.headline("rows", 1, "rows read", unit="rows")
    intake.headline("share", 0.5, "rejected", unit="%", better="down")
    intake.headline("rows", 2, "rows read", unit="rows", better="up", leading=True)
    assert intake.folder.manifest()["notebooks"]["01_intake"]["headlines"] == [
        {"key": "share", "value": 0.5, "label": "rejected", "unit": "%", "better": "down", "leading": False},
        {"key": "rows", "value": 2.0, "label": "rows read", "unit": "rows", "better": "up", "leading": True},
    ]


def test_what_is_private_lies_under_private(intake):
    intake.engine.execute("CREATE TABLE secrets AS SELECT 'x' AS a")
    intake.keep_private("rejected_rows", "secrets")
    path = intake.folder.private / "rejected_rows.parquet"
    assert pq.read_table(path).to_pylist() == [{"a": "x"}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_inputs_hash_is_the_manifests(begin, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("changed since")
    folder = begin()
    folder.update(lambda manifest: manifest["inputs"].update({str(path): "as it began"}))
    room = Room(folder, "01_intake")
    assert room.hash_of(path) == "as it began"
    other = tmp_path / "b.csv"
    other.write_text("b")
    assert room.hash_of(other) == hash_file(other)


def test_the_pipelines_own_notebook_writes_to_the_run(begin, monkeypatch):
    folder = begin()
    monkeypatch.setenv(WRITER_VARIABLE, folder.manifest()["writer"])
    room = open_run(str(folder.path), "01_intake")
    assert room.folder == folder
    assert "draft" not in repr(room)


@pytest.mark.parametrize("status", ["running", "complete", "failed"])
def test_a_notebook_run_by_hand_writes_to_a_draft(begin, monkeypatch, status):
    folder = begin()
    monkeypatch.delenv(WRITER_VARIABLE, raising=False)
    Room(folder, "01_intake").write("stores", rows(store_row("kept")))
    folder.update(lambda manifest: manifest.update(status=status))
    files = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    room = open_run(str(folder.path), "01_intake")
    assert room.folder.run_id == "now-draft-1"
    assert "This is a draft" in repr(room)
    assert room.frame("stores")["store_id"].tolist() == ["kept"]
    room.write("stores", rows(store_row("draft")))
    room.headline("a", 1, "a")
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == files


def test_a_draft_sees_what_its_run_keeps_private(begin, monkeypatch):
    folder = begin()
    intake = Room(folder, "01_intake")
    intake.engine.register("secrets", pa.table({"row": [7]}))
    intake.keep_private("rejected_rows", "secrets")
    folder.update(lambda manifest: manifest.update(status="complete"))
    monkeypatch.delenv(WRITER_VARIABLE, raising=False)
    draft = open_run(str(folder.path), "02_database_audit")
    assert draft.engine.rows(f"FROM {draft.private('rejected_rows')}") == [{"row": 7}]
    again = open_run(str(draft.folder.path), "02_database_audit")
    assert again.engine.rows(f"FROM {again.private('rejected_rows')}") == [{"row": 7}]


def test_even_the_pipelines_own_notebook_leaves_a_complete_run_alone(begin, monkeypatch):
    folder = begin()
    monkeypatch.setenv(WRITER_VARIABLE, folder.manifest()["writer"])
    folder.update(lambda manifest: manifest.update(status="complete"))
    assert open_run(str(folder.path), "01_intake").folder.run_id == "now-draft-1"


def test_a_notebook_whose_run_was_taken_over_writes_no_more(intake):
    intake.folder.update(lambda manifest: manifest.update(writer="somebody else"))
    with pytest.raises(ConflictError, match="taken over"):
        intake.write("stores", rows(store_row("1")))
    assert list(intake.folder.tables.iterdir()) == []


def test_without_a_folder_the_published_run_nearby_is_opened(begin, store, monkeypatch, tmp_path):
    inside = tmp_path / "notebooks" / "deep"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    monkeypatch.delenv("CRM_RUNS_DIR", raising=False)
    monkeypatch.delenv(WRITER_VARIABLE, raising=False)
    folder = begin()
    folder.update(lambda manifest: manifest.update(status="complete"))
    store.publish(folder)
    assert open_run("", "01_intake").folder.run_id == "now-draft-1"
    monkeypatch.chdir("/")
    monkeypatch.setenv("CRM_RUNS_DIR", str(store.directory))
    assert open_run("", "01_intake").folder.run_id == "now-draft-2"


def test_a_run_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv("CRM_RUNS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="No published run was found"):
        open_run("", "01_intake")
    with pytest.raises(InputError, match="no run folder"):
        open_run(os.fspath(tmp_path), "01_intake")


def test_owners_and_queries_are_at_hand(intake):
    assert intake.owners == {"erp": "IT"}
    assert intake.sql("SELECT $a AS a", a=3)["a"].tolist() == [3]


def test_a_notebook_goes_on_where_a_part_of_it_has_nothing_to_do(intake):
    def nothing(what: str) -> None:
        raise NothingToDo(f"There is no {what}.")

    assert intake.attempt(nothing, "demand") == (None, "There is no demand.")
    assert intake.attempt(len, [1, 2]) == (2, "")
