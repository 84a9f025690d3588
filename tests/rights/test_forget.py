"""Forgetting: nothing of the person is left, what others share stays, and a killed erasure is ended by the next."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from crmlib.engine import Engine, literal
from crmlib.errors import ConflictError, InputError
from crmlib.files import hash_file
from crmlib.params import RetentionRule
from crmlib.rights.access import grant_access
from crmlib.rights.forget import forget, forget_due
from crmlib.rights.settings import Settings, read_settings
from crmlib.runs import JOURNAL, RunStore
from crmlib.sources.tombstones import email_form, name_birth_form, read_tombstones, record_form
from tests.rights.conftest import ANA, ANAS_OWN, BERTA, SAME_ELSEWHERE, SHARED_PHONE, TODAY, copy_store

ROOT = Path(__file__).parents[2]
WAYS = {
    "customer id": ANA,
    "record": "erp:E0000071",
    "e-mail in other case": "ANA.GIL@correo.example",
    "e-mail of another record": "anita@buzon.example",
    "phone": "+34612345987",
    "national id": "45612937 g",
    "card": "card:2990000000017",
}


def erase(store, settings, asked=ANA, **more):
    given = {"by": None, "dry_run": False, "tell": lambda _: None} | more
    return forget(store, asked, given["by"], settings, TODAY, dry_run=given["dry_run"], tell=given["tell"])


def decode(folder: Path) -> dict[str, str]:
    """Every file of a folder as text: tables as their rows."""
    engine = Engine(threads=1, memory_limit="500MB")
    texts = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        if path.suffix == ".parquet":
            rows = engine.rows(f"FROM read_parquet({literal(str(path))}, hive_partitioning = false)")
            texts[str(path.relative_to(folder))] = json.dumps(rows, default=str, ensure_ascii=False)
        else:
            texts[str(path.relative_to(folder))] = path.read_text(encoding="utf-8", errors="replace")
    engine.close()
    return texts


def find_left(folder: Path) -> set[tuple[str, str]]:
    """Ana's own values in any file, whatever stands between their digits."""
    left = set()
    for name, text in decode(folder).items():
        plain = text.replace(SAME_ELSEWHERE, "").replace("&#64;", "@").lower()
        squeezed = plain.replace("-", "").replace(" ", "")
        left |= {(name, value) for value in ANAS_OWN if value.lower() in plain or value.lower() in squeezed}
    return left


def verify(store: RunStore) -> None:
    """Every table is as its manifest says."""
    for folder in store.all():
        facts = folder.manifest()["tables"]
        assert set(facts) == {path.stem for path in folder.tables.glob("*.parquet")}
        engine = Engine(threads=1, memory_limit="500MB")
        for name, told in facts.items():
            path = folder.tables / f"{name}.parquet"
            assert (told["sha256"], told["bytes"]) == (hash_file(path), path.stat().st_size)
            assert told["rows"] == engine.row(f"SELECT count(*) AS n FROM '{path}'")["n"]
            assert path.stat().st_mode & 0o777 == 0o600
        engine.close()


#: The others are tried where there is time.
SOONEST = ("customer id", "e-mail in other case", "national id")


@pytest.mark.parametrize("way", [way if way in SOONEST else pytest.param(way, marks=pytest.mark.full) for way in WAYS])
def test_nothing_of_the_person_is_left_whatever_was_asked_by(store, settings, way):
    assert {value for _, value in find_left(store.directory)} >= set(ANAS_OWN) - {"612345987", "45612937G"}
    erase(store, settings, WAYS[way])
    assert find_left(store.directory) == set()
    assert not any("gil pérez, ana" in text.lower() for text in decode(store.directory).values())
    verify(store)


def test_what_access_finds_forget_removes_and_then_it_finds_nothing(store, settings, tmp_path):
    grant_access(store, ANA, None, settings, TODAY, tmp_path / "access")
    held = json.loads((tmp_path / "access" / "access.json").read_text())["runs"]
    shown = {}
    for run in held:
        for place, table in run["tables"].items():
            rows = table["rows"] if "rows" in table else shown[table["same_as"]]
            shown[f"{run['run']}/{place}"] = rows
        shown |= {f"{run['run']}/{place}": passages for place, passages in run["documents"].items()}
    proof = json.loads(erase(store, settings).read_text())
    removed = {f"{step['run']}/{step['place']}": step["rows"] for step in proof["removed"]}
    assert {place: len(rows) for place, rows in shown.items()} == removed
    assert {run["run"] for run in held} == {"night-0", "night-1", "night-1-draft-1", "night-2"}
    with pytest.raises(InputError, match="No kept run holds"):
        grant_access(store, ANA, None, settings, TODAY, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_an_answer_names_nobody_else_and_tells_first_who_one_is(store, settings, tmp_path):
    page = grant_access(store, ANA, None, settings, TODAY, tmp_path / "access")[1].read_text()
    runs = json.loads((tmp_path / "access" / "access.json").read_text())["runs"]
    pairs = runs[0]["tables"]["tables/match_pairs.parquet"]["rows"]
    assert [row["source_record_id_l"] for row in pairs] == ["E0000071", "(another's)"]
    assert list(runs[0]["tables"])[:2] == ["tables/customers.parquet", "tables/source_records.parquet"]
    for others in (BERTA, "E0000072", "berta@correo.example"):
        assert others not in page
        assert others not in json.dumps(runs)
    assert '<meta name="viewport"' in page


def test_what_others_share_stays_with_them_and_is_no_tombstone(store, settings):
    before = decode(store.directory)
    proof = json.loads(erase(store, settings).read_text())
    after = decode(store.directory)
    assert proof["shared_values_that_stay_with_others"] == {"phone": 1}
    hers = {ANA, "E0000071", "S-000456"}
    for name in ("customers", "permissions", "consent_events", "source_records"):
        left, was = (json.loads(texts[f"night-1/tables/{name}.parquet"]) for texts in (after, before))
        assert left == [row for row in was if not hers & {value for value in row.values() if isinstance(value, str)}]
        assert left
    listed = [row["key"] for row in json.loads(after["night-0/tables/suppressions.parquet"])]
    assert listed == ["928 112 233"]
    quarantine = json.loads(after["night-0/private/rejected_rows.parquet"])
    assert [row["delivered"] for row in quarantine] == [f"{SAME_ELSEWHERE};berta@correo.example"]
    assert (
        after["night-0/private/exports/welcome.csv"]
        == f"customer_id,address,name\n{BERTA},berta@correo.example,Berta\n"
    )
    assert "98 % of ana&#64;else.example" in after["night-0/report/index.html"]


def test_what_a_linkage_keeps_for_the_next_is_erased_too(store, settings):
    assert "ana gil perez" in decode(store.directory)["night-0/private/prepared_records.parquet"]
    erase(store, settings)
    after = decode(store.directory)
    for night in ("night-0", "night-1", "night-2"):
        kept = json.loads(after[f"{night}/private/prepared_records.parquet"])
        assert [row["name_key"] for row in kept] == ["berta"]
        assert json.loads(after[f"{night}/private/standing_pairs.parquet"]) == []


def test_purchases_stay_and_are_nobodys(store, settings):
    erase(store, settings)
    tickets = json.loads(decode(store.directory)["night-1/tables/tickets.parquet"])
    assert [(row["ticket_id"], row["source_record_id"], row["loyalty_card"]) for row in tickets] == [
        ("1", None, None),
        ("2", "E0000072", None),
        ("3", None, None),
        ("4", None, None),
    ]
    assert {row["amount"] for row in tickets} == {"10.00"}


def test_a_file_that_runs_share_is_still_one_file(store, settings):
    erase(store, settings)
    inodes = {folder.run_id: (folder.tables / "tickets.parquet").stat().st_ino for folder in store.all()}
    assert len(set(inodes.values())) == 1


def test_tombstones_are_of_what_only_this_person_has(store, settings):
    erase(store, settings)
    held = read_tombstones(settings.params.privacy, settings.params_file)
    assert held.holds("email", email_form("Ana.Gil+x@correo.example"))
    assert held.holds("record", record_form("shop", "S-000456"))
    assert held.holds("record", record_form("card", "2990000000017"))
    name = ("Ana Gil Perez", None, None, None, None)
    assert held.holds("name_birth", name_birth_form(date(1980, 1, 31), *name))
    assert not held.holds("email", email_form("berta@correo.example"))
    text = (settings.params_file.parent / "decisions" / "erased.jsonl").read_text()
    assert "phone" not in text
    assert "address" not in text


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != ".lock"
    }


def test_nothing_is_done_for_a_phone_of_two_people(store, settings):
    before = hashes(store.directory)
    with pytest.raises(InputError, match="2 customers have this phone") as caught:
        erase(store, settings, SHARED_PHONE)
    assert ANA in str(caught.value)
    assert "928" not in str(caught.value)
    assert hashes(store.directory) == before


@pytest.mark.parametrize("asked", ["nobody@correo.example", "c" + "0" * 16, "+34699999999", "erp:none"])
def test_nothing_is_done_for_somebody_not_held(store, settings, asked):
    before = hashes(store.directory)
    with pytest.raises(InputError, match="No kept run holds anybody by this") as caught:
        erase(store, settings, asked)
    assert asked not in str(caught.value)
    assert hashes(store.directory) == before


def test_who_was_erased_is_told_to_be_so(store, settings):
    erase(store, settings)
    with pytest.raises(InputError, match="Somebody so named was erased"):
        erase(store, settings, "ana.gil@CORREO.example")


def test_a_dry_run_does_nothing_and_tells_the_same(store, settings):
    before = hashes(store.directory)
    told, done = [], []
    assert erase(store, settings, dry_run=True, tell=told.append) is None
    assert hashes(store.directory) == before
    erase(store, settings, tell=done.append)
    assert told[:-1] == done


def test_nothing_is_done_while_a_run_is_written(store, settings):
    before = hashes(store.directory)
    with store.get("night-2").writing(), pytest.raises(ConflictError, match="being written"):
        erase(store, settings)
    assert hashes(store.directory) == before


def test_no_run_and_no_draft_begins_meanwhile(store, settings):
    (store.directory / JOURNAL).write_text("{}")
    with pytest.raises(ConflictError, match="erasure is under way"):
        store.check_no_erasure()
    with pytest.raises(ConflictError, match="erasure is under way"):
        store.make_draft(store.get("latest"))
    assert not list(store.directory.glob("*-draft-2"))


KILLED = """
import os, signal, sys
from pathlib import Path
from crmlib.params import RetentionRule
from crmlib.rights.access import grant_access
from crmlib.rights.forget import forget, forget_due
from crmlib.rights.settings import Settings, read_settings
from crmlib.runs import RunStore
from tests.rights.conftest import ANA, TODAY
store = RunStore(Path(sys.argv[1]))
left = int(sys.argv[2])
replace = Path.replace
def dying(self, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return replace(self, target)
Path.replace = dying
settings = read_settings(store, store.directory.parent / "params.yaml")
forget(store, ANA, None, settings, TODAY, dry_run=False, tell=print)
"""


@pytest.fixture(scope="session")
def undisturbed(template, tmp_path_factory) -> tuple[dict[str, str], dict[str, object]]:
    """What an erasure that nobody disturbs leaves, and its proof."""
    store = copy_store(template, tmp_path_factory.mktemp("undisturbed"))
    proof = erase(store, read_settings(store, store.directory.parent / "params.yaml"))
    return decode_runs(store), json.loads(proof.read_text())


def decode_runs(store: RunStore) -> dict[str, str]:
    """Every file of every run but the manifests, whose hashes `verify` checks."""
    return {name: text for name, text in decode(store.directory).items() if name.count("/") > 1}


@pytest.mark.parametrize("replaced", [8, *(pytest.param(n, marks=pytest.mark.full) for n in (0, 1, 24, 48))])
def test_killed_at_any_moment_and_repeated_it_ends_the_same(template, tmp_path, undisturbed, replaced):
    store = copy_store(template, tmp_path)
    words = [sys.executable, "-c", KILLED, str(store.directory), str(replaced)]
    died = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    proof = json.loads(erase(store, read_settings(store, tmp_path / "params.yaml")).read_text())
    assert find_left(store.directory) == set()
    verify(store)
    assert not (store.directory / JOURNAL).exists()
    left, expected = undisturbed
    assert decode_runs(store) == left
    same = ("erasure", "erased_on", "tombstones_by_kind", "records", "removed")
    assert {name: proof[name] for name in same} == {name: expected[name] for name in same}


def test_what_is_kept_too_long_goes_the_same_way(store, settings):
    params = settings.params.model_copy(
        update={
            "retention": [
                RetentionRule(entity="customers", keep_days=200),
                RetentionRule(entity="web_events", keep_days=10),
            ]
        }
    )
    due = Settings(params, settings.params_file)
    before, told = hashes(store.directory), []
    assert forget_due(store, due, TODAY, dry_run=True, tell=told.append) is None
    assert hashes(store.directory) == before
    proof = json.loads(forget_due(store, due, TODAY, dry_run=False, tell=lambda _: None).read_text())
    assert told == [line for line in told if line.startswith("night-")]
    # both were last seen in January; of visits nothing is left
    after = decode(store.directory)
    for name in ("customers", "source_records", "web_events"):
        assert json.loads(after[f"night-0/tables/{name}.parquet"]) == []
    assert find_left(store.directory) == set()
    verify(store)
    assert proof["records"] == 4
    assert forget_due(store, due, TODAY, dry_run=False, tell=told.append) is None
    assert told[-1] == "Nothing is due."


def test_without_periods_nothing_is_due(store, settings):
    with pytest.raises(InputError, match="sets no periods"):
        forget_due(store, settings, TODAY, dry_run=False, tell=print)
