"""The whole workbench on a small retailer: every room, pages, canaries, equal reruns."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from crmlib.demo.retailer import write_retailer
from crmlib.engine import Engine
from crmlib.files import hash_file
from crmlib.run_folder import RunFolder
from tests.canaries import CANARY, CANARY_NATIONAL_ID, CANARY_PHONE, plant_canaries
from tests.rights.test_forget import decode


@dataclass(frozen=True)
class WholeRun:
    """A run of all rooms on a small retailer: its folder, and what the terminal showed."""

    project: Path
    folder: RunFolder
    shown: str


def crm(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crmlib", *words], cwd=root, capture_output=True, text=True, check=False
    )


def copy_project(root: Path, project: Path) -> Path:
    return Path(shutil.copytree(root / "params", project / "params")) / "demo.yaml"


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    root = Path(__file__).parent.parent
    project = tmp_path_factory.mktemp("retailer")
    write_retailer(project / "demo", people=300, seed=5)
    plant_canaries(project / "demo" / "data")
    params = copy_project(root, project)
    done = crm(root, "run", str(params), "--runs-dir", str(project / "runs"), "--run-id", "whole")
    assert done.returncode == 0, done.stdout + done.stderr
    return WholeRun(project, RunFolder(project / "runs" / "whole"), done.stdout + done.stderr)


def test_every_room_runs_and_the_last_line_names_the_report(whole_run):
    manifest = whole_run.folder.manifest()
    assert manifest["status"] == "complete"
    assert {facts["status"] for facts in manifest["notebooks"].values()} == {"done"}
    report = Path(whole_run.shown.strip().splitlines()[-1].removeprefix("The report: "))
    assert report.is_file()
    assert (whole_run.project / "runs" / "latest").resolve() == whole_run.folder.path.resolve()


def test_every_page_names_run_date_and_freshness(whole_run):
    pages = sorted(whole_run.folder.report.glob("*.html"))
    rooms = {Path(notebook).stem for notebook in whole_run.folder.manifest()["notebooks"]}
    assert {page.stem for page in pages} == rooms | {"index", "governance", "data_dictionary"}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for said in ("whole", "1 November 2026", "loyalty (Marketing)"):
            assert said in text, (page.name, said)
        assert not re.search(r"""(?:src|href|action|data)\s*=\s*["']?(?:https?:)?//""", text), page.name


def test_canaries_of_every_source_leave_the_tables_nowhere(whole_run):
    records = pq.read_table(whole_run.folder.tables / "source_records.parquet")
    planted = set(records.filter(pc.match_substring(records["email"], CANARY))["source"].to_pylist())
    assert planted == {"erp", "loyalty", "shop", "mailchimp", "contacts"}, "the canaries did not come in"
    for table, column in (("tickets", "buyer_email"), ("consent_events", "evidence"), ("suppressions", "key")):
        values = pq.read_table(whole_run.folder.tables / f"{table}.parquet")[column]
        assert pc.any(pc.match_substring(values, CANARY)).as_py(), f"no canary came into {table}"
    quarantined = pq.read_table(whole_run.folder.private / "rejected_rows.parquet")
    assert pc.sum(pc.match_substring(quarantined["delivered"], CANARY)).as_py() == 2
    forwarded = [
        *whole_run.folder.report.rglob("*"),
        *whole_run.folder.notebooks.rglob("*"),
        whole_run.folder.path / "manifest.json",
    ]
    seeking = re.compile(
        "|".join([CANARY, CANARY_NATIONAL_ID, r"\D?".join(CANARY_PHONE.replace(" ", ""))]), re.IGNORECASE
    )
    assert not [path.name for path in forwarded if path.is_file() and seeking.search(path.read_text(encoding="utf-8"))]
    assert not seeking.search(whole_run.shown)


def test_personal_data_is_closed_to_others(whole_run):
    for folder in (whole_run.folder.tables, whole_run.folder.private):
        assert folder.stat().st_mode & 0o077 == 0
    for path in (*whole_run.folder.tables.rglob("*.parquet"), *whole_run.folder.private.rglob("*.parquet")):
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_an_error_names_no_value_of_a_customer(whole_run, root, tmp_path):
    shutil.copytree(whole_run.project / "demo" / "data" / "loyalty", tmp_path / "data")
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        "run: {name: broken, as_of_date: 2026-11-01}\n"
        "sources:\n  loyalty:\n    customers:\n      path: data/cards.csv\n"
        "      fields: {source_record_id: tarjeta, full_name: nombre, created_at: apellidos}\n"
    )
    done = crm(root, "run", str(broken), "--runs-dir", str(tmp_path / "runs"))
    assert done.returncode == 2
    assert "sources.loyalty.customers: none of the" in done.stderr
    assert "created_at" in done.stderr
    shown = done.stdout + done.stderr
    assert "Traceback" not in shown
    assert CANARY not in shown


def test_the_ledger_balances(whole_run):
    ledger = pq.read_table(whole_run.folder.tables / "intake_ledger.parquet").to_pylist()
    assert ledger
    for row in ledger:
        assert row["rows_read"] == row["rows_accepted"] + row["rows_rejected"] + row["rows_unchanged"]


def test_linkage_agrees_with_the_truth(whole_run):
    found = pq.read_table(whole_run.folder.tables / "evaluation").to_pylist()
    figures = {row["metric"]: row["value"] for row in found if row["room"].startswith("03")}
    assert figures["pair_f1"] > 0.9


def equal(left: pa.Table, right: pa.Table) -> bool:
    if left.schema != right.schema or left.num_rows != right.num_rows:
        return False
    for name in left.column_names:
        one, other = left[name].combine_chunks(), right[name].combine_chunks()
        if pa.types.is_floating(one.type):
            near = pc.less_equal(pc.abs(pc.subtract(one, other)), 1e-9)
            if not (pc.is_null(one).equals(pc.is_null(other)) and pc.all(near, min_count=0).as_py() in (True, None)):
                return False
        elif pa.types.is_map(one.type):
            for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True):
                if (a is None) != (b is None) or dict(a or []) != pytest.approx(dict(b or []), abs=1e-9):
                    return False
        elif not one.equals(other):
            return False
    return True


def evaluation_of(folder: RunFolder) -> dict[str, tuple[float, int]]:
    """Measure -> its value and number of cases, of all rooms."""
    rows = pa.concat_tables([pq.read_table(path) for path in (folder.tables / "evaluation").glob("*.parquet")])
    return {row["metric"]: (row["value"], row["n"]) for row in rows.to_pylist()}


def test_permissions_are_as_the_truth_says_wherever_the_identity_is_right(whole_run):
    judged = evaluation_of(whole_run.folder)
    right, cases = judged["permissions_right"]
    assert cases > 1_000
    assert right == 1
    assert judged["permissions_identity_right"][0] > 0.8


def test_stages_and_next_purchases_are_ranked_as_the_truth_ranks_them(whole_run):
    judged = evaluation_of(whole_run.folder)
    for metric in ("alive_auc", "gone_auc", "late_auc", "next_28d_auc"):
        value, cases = judged[metric]
        assert cases > 50
        assert value > 0.75, metric
    assert judged["overdue_spearman"][0] > 0.5
    assert judged["next_91d_spearman"][0] > 0.5


def test_the_files_to_send_hold_whom_the_decisions_name_and_are_closed_to_others(whole_run):
    decided = pq.read_table(whole_run.folder.tables / "contact_decisions.parquet").to_pylist()
    assert {row["decision"] for row in decided} <= {"contact", "control", "skip"}
    assert all(row["reason"] for row in decided)
    assert all(row["contact_date"].isoformat() == "2026-11-02" for row in decided)
    exports = whole_run.folder.private / "exports"
    lists = [path for path in exports.glob("*.csv") if not path.name.startswith("mailchimp_")]
    rows = sum(len(list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))) for path in lists)
    assert rows == sum(row["decision"] == "contact" for row in decided)
    assert all(path.stat().st_mode & 0o077 == 0 for path in exports.iterdir())


def test_the_audit_finds_what_was_planted(whole_run):
    share, planted = evaluation_of(whole_run.folder)["defects_found"]
    assert planted > 20
    assert share >= 0.99


@pytest.mark.full
def test_the_audit_names_nothing_that_was_not_planted(root, tmp_path):
    write_retailer(tmp_path / "demo", people=1_000, seed=11)
    params = copy_project(root, tmp_path)
    done = crm(root, "run", str(params), "--runs-dir", str(tmp_path / "runs"), "--run-id", "a", "--until", "02")
    assert done.returncode == 0, done.stdout + done.stderr
    judged = evaluation_of(RunFolder(tmp_path / "runs" / "a"))
    assert judged["defects_found"][0] >= 0.99
    wrongly, named = judged["defects_named_wrongly"]
    assert named > 50
    assert wrongly == 0


@pytest.mark.full
def test_intervals_of_campaigns_cover_their_true_effects_pooled_over_seeds(root, tmp_path):
    covered = measured = 0.0
    for seed in (11, 12, 13):
        project = tmp_path / str(seed)
        write_retailer(project / "demo", people=1_000, seed=seed)
        params = copy_project(root, project)
        done = crm(root, "run", str(params), "--runs-dir", str(project / "runs"), "--run-id", "s", "--until", "08")
        assert done.returncode == 0, done.stdout + done.stderr
        share, lifts = evaluation_of(RunFolder(project / "runs" / "s"))["effects_coverage"]
        covered += share * lifts
        measured += lifts
    # of a campaign four outcomes are judged, which go together: so many independent lifts there are at least
    campaigns = measured / 4
    assert campaigns > 100
    assert abs(covered / measured - 0.95) < 3 * (0.95 * 0.05 / campaigns) ** 0.5


@pytest.mark.full
def test_a_rerun_makes_equal_tables(whole_run, root):
    params = whole_run.project / "params" / "demo.yaml"
    done = crm(
        root, "run", str(params), "--runs-dir", str(whole_run.project / "again"), "--run-id", "whole", "--no-publish"
    )
    assert done.returncode == 0, done.stderr
    again = RunFolder(whole_run.project / "again" / "whole")
    tables = sorted(path.relative_to(again.tables) for path in again.tables.rglob("*.parquet"))
    assert tables == sorted(
        path.relative_to(whole_run.folder.tables) for path in whole_run.folder.tables.rglob("*.parquet")
    )
    different = [
        str(name)
        for name in tables
        if not equal(pq.read_table(again.tables / name), pq.read_table(whole_run.folder.tables / name))
    ]
    assert different == []


@pytest.mark.full
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium (Debian's package chromium)")
@pytest.mark.skipif(find_spec("playwright") is None, reason="needs the package playwright")
@pytest.mark.parametrize("width", [1280, 360])
def test_pages_open_in_a_browser_without_a_network(whole_run, width):
    from playwright.sync_api import sync_playwright

    quiet = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    quiet += "--disable-component-update --disable-sync"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=quiet.split())
        context = browser.new_context(viewport={"width": width, "height": 800}, offline=True)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if "file:" not in request.url[:5] else None)
        for path in sorted(whole_run.folder.report.glob("*.html")):
            page.goto(path.as_uri())
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path.name} is {wide} px wide"
            if width == 1280:
                assert page.pdf(format="A4").startswith(b"%PDF")
        browser.close()
    assert complaints == []


def test_manifest_knows_inputs_versions_and_hashes(whole_run):
    manifest = json.loads((whole_run.folder.path / "manifest.json").read_text())
    assert manifest["seed"] == 20261101
    assert manifest["inputs"]
    assert all(len(digest) == 64 for digest in manifest["inputs"].values())
    assert {"duckdb", "splink", "lifetimes", "crmlib"} <= manifest["versions"].keys()
    for facts in manifest["tables"].values():
        assert facts["rows"] >= 0
        assert len(facts["sha256"]) == 64


def find_erasable(folder: RunFolder) -> tuple[str, set[str]]:
    """A customer of several sources who bought, best one who is contacted today, and what nobody else has."""
    engine = Engine(threads=1, memory_limit="500MB")
    tables = {path.stem: f"'{path}'" for path in folder.tables.glob("*.parquet")}
    chosen = engine.rows(
        f"""
        SELECT s.customer_id
        FROM {tables["purchase_summary"]} s
        JOIN {tables["identities"]} i USING (customer_id)
        LEFT JOIN {tables["contact_decisions"]} d ON d.customer_id = s.customer_id AND d.decision = 'contact'
        GROUP BY s.customer_id
        HAVING count(DISTINCT i.source) > 2
        ORDER BY count(d.customer_id) > 0 DESC, count(DISTINCT i.source) DESC, s.customer_id
        LIMIT 1
        """
    )[0]["customer_id"]
    values = engine.rows(
        f"""
        WITH given AS (
            SELECT customer_id, unnest([lower(email), lower(national_id), r.source_record_id]) AS value
            FROM {tables["source_records"]} r JOIN {tables["identities"]} i USING (source, source_record_id)
        )
        SELECT value FROM given WHERE value IS NOT NULL
        GROUP BY value HAVING min(customer_id) = $chosen AND max(customer_id) = $chosen
        """,
        chosen=chosen,
    )
    engine.close()
    return chosen, {row["value"].lower() for row in values} | {chosen}


def deliver_again(data: Path) -> None:
    """The same people in a new delivery of the ERP's and of the list of cards: the rows in another order."""
    old = next((data / "erp").glob("clientes_*.csv"))
    for path, other, encoding in (
        (old, old.with_name("clientes_20261102.csv"), "cp1252"),
        (data / "loyalty" / "cards.csv", data / "loyalty" / "cards.csv", "utf-8"),
    ):
        heading, *rows = path.read_text(encoding=encoding).splitlines()
        other.write_text("\n".join([heading, *reversed(rows)]) + "\n", encoding=encoding)


def check_that_tables_are_as_the_manifest_says(folder: RunFolder) -> None:
    told = folder.manifest()["tables"]
    assert told
    for name, facts in told.items():
        path = folder.tables / f"{name}.parquet"
        assert (facts["sha256"], facts["rows"]) == (hash_file(path), pq.read_metadata(path).num_rows), name


@pytest.mark.full
def test_an_erased_person_stays_out_of_the_next_run_of_all_rooms(whole_run, root, tmp_path):
    project = tmp_path / "retailer"
    shutil.copytree(whole_run.project, project, symlinks=True)
    params, runs = str(project / "params" / "demo.yaml"), project / "runs"
    chosen, values = find_erasable(RunFolder(runs / "whole"))
    assert len(values) > 4
    done = crm(root, "forget", chosen, "--params", params, "--runs-dir", str(runs))
    assert done.returncode == 0, done.stdout + done.stderr
    check_that_tables_are_as_the_manifest_says(RunFolder(runs / "whole"))
    deliver_again(project / "demo" / "data")
    done = crm(root, "run", params, "--runs-dir", str(runs), "--run-id", "next", "--as-of", "2026-11-02")
    assert done.returncode == 0, done.stdout + done.stderr
    following = RunFolder(runs / "next")
    check_that_tables_are_as_the_manifest_says(following)
    assert {facts["status"] for facts in following.manifest()["notebooks"].values()} == {"done"}
    assert {page.name for page in following.report.glob("*.html")} == {
        page.name for page in whole_run.folder.report.glob("*.html")
    }
    left = set()
    for name, text in decode(runs).items():
        text = text.lower()
        left |= {(name, value) for value in values if re.search(rf"(?<![0-9a-z]){re.escape(value)}(?![0-9a-z])", text)}
    assert left == set()
    stopped = pq.read_table(following.private / "rejected_rows.parquet", filters=[("rule", "=", "erased")])
    assert stopped.num_rows > 0
    assert set(stopped["delivered"].to_pylist()) == {None}
    asked = crm(root, "access", chosen, "--params", params, "--runs-dir", str(runs), "--to", str(tmp_path / "answer"))
    assert asked.returncode == 2
    assert "No kept run holds anybody" in asked.stderr
