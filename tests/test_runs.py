"""Run folders: made once, published by compare-and-swap, rolled back, pruned."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from datetime import date

import pytest

from crmlib.errors import ConflictError, InputError
from crmlib.files import hash_file, write_atomically
from crmlib.run_folder import RunFolder, clear_unfinished
from crmlib.runs import RunStore


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


def make(
    store: RunStore, run_id: str, *, as_of: str = "2026-11-01", base: str | None = None, status: str = "complete"
) -> RunFolder:
    folder = store.create(run_id, "demo", {"as_of_date": as_of, "base": base})
    folder.update(lambda manifest: manifest.update(status=status))
    return folder


def published(store: RunStore, run_id: str, *, as_of: str = "2026-11-01") -> RunFolder:
    base = store.find_base(date.fromisoformat(as_of))
    folder = make(store, run_id, as_of=as_of, base=base.run_id if base else None)
    store.publish(folder)
    return folder


def test_a_run_is_made_with_its_manifest_first(store, monkeypatch):
    seen = []
    rename = type(store.directory).rename
    monkeypatch.setattr(
        type(store.directory),
        "rename",
        lambda self, to: (seen.append((self / "manifest.json").is_file()), rename(self, to)),
    )
    folder = store.create(None, "demo", {"as_of_date": "2026-11-01", "base": None})
    assert seen == [True]
    manifest = folder.manifest()
    assert manifest["run_id"] == folder.run_id == "demo-2026-11-01-1"
    assert manifest["status"] == "running"
    assert (manifest["notebooks"], manifest["tables"]) == ({}, {})


def test_folders_of_personal_data_are_closed_to_others(store):
    folder = make(store, "a")
    for path, mode in ((folder.tables, 0o700), (folder.private, 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_runs_without_an_id_are_counted(store):
    ids = [store.create(None, "demo", {"as_of_date": "2026-11-01", "base": None}).run_id for _ in range(3)]
    assert ids == ["demo-2026-11-01-1", "demo-2026-11-01-2", "demo-2026-11-01-3"]


def test_a_taken_id_is_refused_and_nothing_is_left_behind(store):
    make(store, "a")
    with pytest.raises(InputError, match="there is such a run already; use --resume"):
        make(store, "a")
    assert sorted(path.name for path in store.directory.iterdir()) == ["a"]


@pytest.mark.parametrize("run_id", ["latest", "../up", "", ".hidden", "a b", "x" * 90, "-a"])
def test_an_id_that_is_no_plain_name_is_refused(store, run_id):
    with pytest.raises(InputError, match="--run-id"):
        make(store, run_id)
    assert not store.directory.exists()


def test_an_unknown_run_is_told(store):
    with pytest.raises(InputError, match="there is no run 'a'; crm status lists them"):
        store.get("a")
    with pytest.raises(InputError, match="no run has been published yet"):
        store.get("latest")
    with pytest.raises(InputError, match="no run folder"):
        RunFolder(store.directory / "a").manifest()


def test_runs_are_listed_the_oldest_first_and_none_that_is_being_made_or_deleted(store):
    make(store, "b")
    make(store, "a")
    (store.directory / ".new-c-1").mkdir()
    (store.directory / ".new-c-1" / "manifest.json").write_text("{}")
    (store.directory / "notes").mkdir()
    assert [folder.run_id for folder in store.all()] == ["b", "a"]


def test_the_first_complete_run_is_published(store):
    folder = make(store, "a")
    assert store.publish(folder) == "The run a is published."
    assert store.latest() == folder
    assert store.get("latest").run_id == "a"
    assert (store.directory / "latest").readlink().name == "a"
    assert store.publish(folder) == "The run a is the published one already."
    assert [(entry["run_id"], entry["action"]) for entry in store.history()] == [("a", "publish")]


@pytest.mark.parametrize("status", ["running", "failed", "paused", "stopped", "draft"])
def test_only_complete_runs_are_published(store, status):
    folder = make(store, "a", status=status)
    with pytest.raises(InputError, match=f"not complete \\(its state is {status}\\)"):
        store.publish(folder)
    assert store.latest() is None


def test_a_run_is_refused_when_another_was_published_since_it_began(store):
    published(store, "first")
    mine = make(store, "mine", base="first")
    theirs = make(store, "theirs", base="first")
    store.publish(theirs)
    with pytest.raises(ConflictError, match="it builds on first, and theirs has been published since"):
        store.publish(mine)
    assert store.latest() == theirs
    assert len(store.history()) == 2
    assert ConflictError.exit_code == 4


def test_a_run_is_refused_when_one_was_published_between_its_look_for_a_base_and_its_making(store):
    base = store.find_base(date(2026, 11, 1))
    published(store, "other")
    mine = make(store, "mine", base=base.run_id if base else None)
    with pytest.raises(ConflictError, match="it builds on no run, and other has been published"):
        store.publish(mine)


def test_a_run_is_refused_when_its_base_was_rolled_back_meanwhile(store):
    published(store, "first")
    published(store, "second")
    mine = make(store, "mine", base="second")
    store.rollback("first")
    with pytest.raises(ConflictError):
        store.publish(mine)


def test_an_older_run_completes_and_stays_unpublished(store):
    published(store, "new", as_of="2026-11-01")
    old = make(store, "old", as_of="2026-10-01")
    assert "stays unpublished: the published run new has a later as-of date" in store.publish(old)
    assert store.latest().run_id == "new"


def test_a_run_of_the_same_day_follows(store):
    published(store, "a")
    published(store, "b")
    assert store.latest().run_id == "b"


def test_a_base_is_the_nearest_of_the_chain_that_is_not_later(store):
    assert store.find_base(date(2026, 11, 1)) is None
    for day in ("2026-09-01", "2026-10-01", "2026-11-01"):
        published(store, f"run-{day}", as_of=day)
    make(store, "unpublished", as_of="2026-10-15", base="run-2026-10-01")
    nearest = {
        day: base.run_id if (base := store.find_base(date.fromisoformat(day))) else None
        for day in ("2026-12-01", "2026-11-01", "2026-10-31", "2026-10-01", "2026-09-15", "2026-08-31")
    }
    assert nearest == {
        "2026-12-01": "run-2026-11-01",
        "2026-11-01": "run-2026-11-01",
        "2026-10-31": "run-2026-10-01",
        "2026-10-01": "run-2026-10-01",
        "2026-09-15": "run-2026-09-01",
        "2026-08-31": None,
    }


def test_a_published_run_that_was_deleted_by_hand_is_no_run(store):
    folder = published(store, "a")
    folder.path.rename(store.directory.parent / "elsewhere")
    assert store.latest() is None
    assert store.find_base(date(2026, 11, 1)) is None
    published(store, "b")
    assert store.latest().run_id == "b"


def test_only_published_runs_are_rolled_back_to(store):
    published(store, "a")
    published(store, "b")
    make(store, "never", base="b")
    with pytest.raises(InputError, match="was never published; crm publish never does that"):
        store.rollback("never")
    assert store.rollback("a") == "The published run is a again."
    assert store.latest().run_id == "a"
    assert [entry["action"] for entry in store.history()] == ["publish", "publish", "rollback"]
    store.rollback("b")
    assert store.latest().run_id == "b"


def test_prune_keeps_the_published_run_its_base_and_the_newest(store):
    for run_id in ("a", "b", "c", "d"):
        published(store, run_id)
    for run_id in ("e", "f"):
        make(store, run_id, base="d")
    make(store, "broken", status="failed")
    draft_kept, draft_gone = store.make_draft(store.get("d")), store.make_draft(store.get("a"))
    (store.directory / ".pruned-x-1").mkdir()
    assert set(store.prune(1)) == {"a", "b", "e", "broken", draft_gone.run_id}
    assert {folder.run_id for folder in store.all()} == {"c", "d", "f", draft_kept.run_id}
    assert not list(store.directory.glob(".pruned-*"))
    assert store.prune(1) == []


def test_prune_leaves_a_run_that_is_being_written(store):
    published(store, "a")
    writing = make(store, "b", status="running")
    with writing.writing():
        assert store.prune(0) == []
    assert store.prune(0) == ["b"]


def test_a_run_folder_has_one_writer(store):
    folder = make(store, "a")
    with (
        folder.writing(),
        pytest.raises(ConflictError, match="run a is being written by another process"),
        folder.writing(),
    ):
        pass
    with folder.writing():
        pass


def test_a_draft_has_its_tables_linked_and_leaves_the_run_as_it_is(store):
    folder = make(store, "a")
    (folder.tables / "evaluation").mkdir()
    for name in ("tickets.parquet", "evaluation/03_x.parquet", ".tickets.parquet-99"):
        (folder.tables / name).write_text("original")
    before = folder.manifest()
    draft = store.make_draft(folder)
    assert draft.run_id == "a-draft-1"
    assert draft.manifest()["status"] == "draft"
    assert draft.manifest()["draft_of"] == "a"
    assert draft.manifest()["writer"] != before["writer"]
    assert (draft.tables / "tickets.parquet").samefile(folder.tables / "tickets.parquet")
    assert (draft.tables / "evaluation/03_x.parquet").samefile(folder.tables / "evaluation/03_x.parquet")
    assert not (draft.tables / ".tickets.parquet-99").exists()
    write_atomically(draft.tables / "tickets.parquet", "changed")
    draft.update(lambda manifest: manifest["tables"].update(tickets={}))
    assert (folder.tables / "tickets.parquet").read_text() == "original"
    assert folder.manifest() == before


def test_a_draft_of_a_draft_is_one_more_of_the_run(store):
    folder = make(store, "a")
    first = store.make_draft(folder)
    second = store.make_draft(first)
    assert (second.run_id, second.manifest()["draft_of"]) == ("a-draft-2", "a")


def test_a_text_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "manifest.json"
    write_atomically(path, "old")
    seen = []

    def stop(descriptor: int) -> None:
        seen.append(path.read_text())
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(OSError, match="full"):
        write_atomically(path, "new")
    assert seen == ["old"]
    assert path.read_text() == "old"


def test_what_a_killed_process_left_is_cleared(store):
    folder = make(store, "a")
    (folder.tables / "tickets.parquet").write_text("whole")
    (folder.tables / ".tickets.parquet-7").write_text("half")
    (folder.private / ".spill").mkdir()
    (folder.private / ".spill" / "x.tmp").write_text("")
    with folder.writing():
        clear_unfinished(folder)
    assert sorted(path.name for path in folder.path.rglob("*") if path.is_file()) == [
        ".lock", "manifest.json", "tickets.parquet",
    ]  # fmt: skip


def test_a_hash_is_that_of_the_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert hash_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def _publish_at_once(directory, run_id, barrier, results):
    store = RunStore(directory)
    folder = store.get(run_id)
    barrier.wait()
    try:
        results.put((run_id, store.publish(folder)))
    except ConflictError as error:
        results.put((run_id, f"refused: {error}"))


def test_of_two_processes_that_publish_at_once_one_does(store):
    published(store, "first")
    context = multiprocessing.get_context("spawn")
    for attempt in range(3):
        base = store.latest().run_id
        names = [f"left-{attempt}", f"right-{attempt}"]
        for name in names:
            make(store, name, base=base)
        barrier, results = context.Barrier(2), context.Queue()
        processes = [
            context.Process(target=_publish_at_once, args=(store.directory, name, barrier, results)) for name in names
        ]
        for process in processes:
            process.start()
        outcomes = dict(results.get(timeout=60) for _ in names)
        for process in processes:
            process.join()
        winners = [name for name, outcome in outcomes.items() if outcome == f"The run {name} is published."]
        losers = [name for name, outcome in outcomes.items() if outcome.startswith("refused: ")]
        assert (len(winners), len(losers)) == (1, 1), outcomes
        assert store.latest().run_id == winners[0]
        assert [entry["run_id"] for entry in store.history()].count(losers[0]) == 0
        assert json.loads((store.get(losers[0]).path / "manifest.json").read_text())["status"] == "complete"
