"""The pipeline, on small notebooks of the test's own: order, failures, resumption, two at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pyarrow.parquet as pq
import pytest

from crmlib.errors import ConflictError, CrmError, GateError, InputError
from crmlib.pipeline import run_pipeline
from crmlib.runs import RunStore

OPEN = "from crmlib import open_run\nrun = open_run(run_dir, {name!r})"
PRODUCTS = """
run.engine.execute('''
    CREATE OR REPLACE TABLE made AS
    SELECT CAST(i AS VARCHAR) AS product_id, 'shop' AS source, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS updated_at
    FROM range({rows}) AS counted(i)
''')
run.write('products', 'made')
"""
FINDINGS = """
run.engine.execute('''
    CREATE OR REPLACE TABLE made AS
    SELECT product_id AS source, 'products' AS entity, 'name' AS field, 'filled' AS "check",
      'completeness' AS dimension, 1 AS rows, 0 AS failing, 0.0 AS share, 0 AS not_contactable, 'have none' AS says,
      'ask' AS remedy
    FROM products
''')
run.write('audit_findings', 'made')
"""


def write_notebook(folder: Path, name: str, *cells: str, knobs: str = "") -> None:
    notebook = nbformat.v4.new_notebook()
    parameters = nbformat.v4.new_code_cell(f'run_dir: str = ""\n{knobs}')
    parameters.metadata["tags"] = ["parameters"]
    notebook.cells = [
        nbformat.v4.new_markdown_cell(f"# What does {name} do?"),
        parameters,
        nbformat.v4.new_code_cell(OPEN.format(name=name)),
        *(nbformat.v4.new_code_cell(cell) for cell in cells),
    ]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with two small notebooks, params and a source."""
    (tmp_path / "log.csv").write_text("who,day\nA-1,2026-01-05\nA-2,2026-02-07\n")
    (tmp_path / "params.yaml").write_text(
        "run: {name: small, as_of_date: 2026-11-01}\n"
        "sources:\n  shop:\n    tickets: {path: log.csv, fields: {source_record_id: who, bought_at: day}}\n"
    )
    write_notebook(tmp_path, "01_intake", PRODUCTS.format(rows=100), "run.headline('products', 100, 'products')")
    write_notebook(tmp_path, "02_database_audit", FINDINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_it(house: Path, **options):
    told: list[str] = []
    outcome = run_pipeline(house / "params.yaml", house / "runs", tell=told.append, **options)
    return outcome, told


def tables_of(folder) -> dict[str, list[dict]]:
    return {
        str(path.relative_to(folder.tables)): pq.read_table(path).to_pylist()
        for path in sorted(folder.tables.rglob("*.parquet"))
    }


def test_a_run_executes_in_order_publishes_and_says_where(house):
    outcome, told = run_it(house)
    assert outcome.status == "complete"
    assert [line.split()[1] for line in told if line.startswith("[")] == [
        "01_intake",
        "01_intake:",
        "02_database_audit",
        "02_database_audit:",
    ]
    store = RunStore(house / "runs")
    assert store.latest().run_id == outcome.folder.run_id == "small-2026-11-01-1"
    manifest = outcome.folder.manifest()
    assert manifest["status"] == "complete"
    assert manifest["tables"]["products"]["rows"] == 100
    assert manifest["notebooks"]["01_intake"]["headlines"][0]["value"] == 100
    assert {"index.html", "01_intake.html", "02_database_audit.html", "data_dictionary.html"} <= {
        path.name for path in outcome.folder.report.iterdir()
    }


def test_a_second_run_starts_from_the_first_and_makes_equal_tables(house):
    first, _ = run_it(house)
    second, _ = run_it(house)
    assert second.folder.manifest()["base"] == first.folder.run_id
    assert tables_of(second.folder) == tables_of(first.folder)


def test_an_older_run_is_complete_and_unpublished(house):
    newer, _ = run_it(house)
    from datetime import date

    older, _ = run_it(house, as_of=date(2026, 6, 30))
    assert older.status == "complete"
    assert "stays unpublished" in older.sentence
    assert RunStore(house / "runs").latest().run_id == newer.folder.run_id


def test_until_pauses_and_resume_goes_on_without_running_again(house):
    paused, _ = run_it(house, until="01")
    assert paused.status == "paused"
    assert RunStore(house / "runs").latest() is None
    # what was done so far can be read
    assert paused.sentence.endswith("report/index.html; go on with --resume.")
    page = (paused.folder.report / "01_intake.html").read_text(encoding="utf-8")
    assert "stops after 01_intake and is not published" in page
    resumed, told = run_it(house, resume=True)
    assert resumed.folder == paused.folder
    assert resumed.status == "complete"
    assert any("01_intake: done before" in line for line in told)
    assert "not published" not in (resumed.folder.report / "01_intake.html").read_text(encoding="utf-8")


def test_resume_refuses_changed_params_and_changed_inputs(house):
    run_it(house, until="01")
    with pytest.raises(InputError, match="params have changed"):
        run_it(house, resume=True, overrides={"run.seed": 99})
    (house / "log.csv").write_text("who,day\nA-9,2026-01-05\n")
    with pytest.raises(InputError, match=r"log\.csv has changed"):
        run_it(house, resume=True)


def test_a_folder_of_runs_belongs_to_one_retailer(house):
    run_it(house)
    with pytest.raises(InputError, match=r"published run here is of 'small'.*--runs-dir .*runs/other"):
        run_it(house, overrides={"run.name": "other"})


def test_a_foreign_failure_names_notebook_and_cell_and_quotes_nothing(house):
    secret = "Zacarias Unmistakable"
    write_notebook(house, "02_database_audit", f"raise KeyError({secret!r})")
    with pytest.raises(CrmError) as failure:
        run_it(house)
    folder = RunStore(house / "runs").all()[0]
    assert "02_database_audit, cell [4]: KeyError" in str(failure.value)
    assert secret not in str(failure.value)
    assert secret in (folder.private / "02_database_audit.traceback.txt").read_text()
    executed = json.loads((folder.notebooks / "02_database_audit.ipynb").read_text())
    errors = [
        output for cell in executed["cells"] for output in cell.get("outputs", []) if output["output_type"] == "error"
    ]
    assert [(error["ename"], error["traceback"]) for error in errors] == [("KeyError", [])]
    assert secret not in errors[0]["evalue"]
    assert folder.manifest()["status"] == "failed"


def test_our_own_failure_keeps_its_sentence_and_its_exit_code(house):
    write_notebook(
        house,
        "02_database_audit",
        "from crmlib.errors import GateError",
        "raise GateError('Too few addresses: mend the shop.')",
    )
    with pytest.raises(GateError, match=r"02_database_audit, cell \[5\]: Too few addresses: mend the shop\."):
        run_it(house)


GATES = """
from crmlib.approvals import Breach, hash_seen
rows = run.engine.row("SELECT count(*) AS n FROM products")["n"]
passed = run.pass_gates([Breach("products_few", "there are too many products.", hash_seen(rows))])
"""


def test_a_gate_stops_the_run_until_a_named_person_lets_it_pass_once(house):
    write_notebook(house, "02_database_audit", GATES, FINDINGS)
    with pytest.raises(GateError, match="The gate products_few stops the run: there are too many products") as stopped:
        run_it(house, run_id="first")
    assert stopped.value.exit_code == 3
    assert "crm approve first --gate products_few" in str(stopped.value)
    page = (house / "runs" / "first" / "report" / "02_database_audit.html").read_text(encoding="utf-8")
    assert "The gate products_few stops the run: there are too many products" in page
    command = [sys.executable, "-m", "crmlib", "approve", "first", "--runs-dir", "runs", "--name", "Luz Mar"]
    approve = [*command, "--gate", "products_few", "--reason", "a sale"]
    for words, sentence in (
        ([*command, "--gate", "other", "--reason", "x"], "gates that stopped it: products_few"),
        ([*command, "--gate", "products_few", "--reason", " "], "give a name and a reason"),
    ):
        refused = subprocess.run(words, capture_output=True, text=True, check=False, cwd=house)
        assert (refused.returncode, sentence in refused.stderr) == (2, True), refused.stderr
    assert not (house / "params.approvals.jsonl").exists()
    subprocess.run(approve, check=True, cwd=house, capture_output=True)
    entry = json.loads((house / "params.approvals.jsonl").read_text())
    assert {"gate": "products_few", "name": "Luz Mar", "reason": "a sale", "run": "first"}.items() <= entry.items()
    outcome, _ = run_it(house, run_id="first", resume=True)
    assert outcome.status == "complete"
    manifest = outcome.folder.manifest()
    # the file is an input; who approved stands in it alone
    assert str(house / "params.approvals.jsonl") in manifest["inputs"]
    assert "Luz Mar" not in json.dumps(manifest)
    # once: the next run, which builds on this one, is stopped again though nothing has changed
    with pytest.raises(GateError, match="products_few stops the run"):
        run_it(house, run_id="second")


def test_an_approval_is_good_for_what_was_seen_alone(house):
    write_notebook(house, "02_database_audit", GATES, FINDINGS)
    with pytest.raises(GateError, match="products_few"):
        run_it(house, run_id="first")
    words = ["approve", "first", "--runs-dir", "runs", "--gate", "products_few", "--name", "Luz", "--reason", "a sale"]
    subprocess.run([sys.executable, "-m", "crmlib", *words], check=True, cwd=house, capture_output=True)
    write_notebook(house, "01_intake", PRODUCTS.format(rows=101))
    with pytest.raises(GateError, match="products_few stops the run"):
        run_it(house, run_id="other")


def test_a_broken_file_of_approvals_is_told(house):
    write_notebook(house, "02_database_audit", GATES, FINDINGS)
    (house / "params.approvals.jsonl").write_text("yes\n")
    with pytest.raises(InputError, match=r"params.approvals.jsonl:1: this is no approval"):
        run_it(house)


def test_a_file_of_checks_is_checked_before_anything_runs(house):
    (house / "audit.yaml").write_text("checks:\n  - {entity: tickets, field: totl, check: x, rule: filled, says: x}\n")
    with (house / "params.yaml").open("a") as file:
        file.write("audit: {checks: audit.yaml}\n")
    with pytest.raises(InputError, match=r"audit.yaml:2: checks\[1\].field: 'tickets' has no field 'totl'"):
        run_it(house)
    assert not (house / "runs").exists() or not list((house / "runs").glob("[a-z]*"))


def test_a_room_without_inputs_says_so_and_the_run_goes_on(house):
    write_notebook(
        house, "01_intake", "run.require('stores', sentence='No source lists the stores.')", "raise ValueError"
    )
    outcome, _ = run_it(house)
    assert outcome.status == "complete"
    assert outcome.folder.manifest()["notebooks"]["01_intake"]["sentence"] == "No source lists the stores."
    assert "No source lists the stores." in (outcome.folder.report / "01_intake.html").read_text()


def test_knobs_reach_their_notebook_and_unknown_ones_are_refused(house):
    write_notebook(
        house, "01_intake", PRODUCTS.format(rows=100), "run.headline('k', knob, 'knob')", knobs="knob: int = 1"
    )
    outcome, _ = run_it(house, overrides={"notebooks.01_intake": {"knob": 7}})
    assert outcome.folder.manifest()["notebooks"]["01_intake"]["headlines"][0]["value"] == 7
    with pytest.raises(
        InputError, match=r"notebooks\.01_intake\.knbo: the notebook has no such parameter; it has knob"
    ):
        run_it(house, overrides={"notebooks.01_intake": {"knbo": 7}})
    with pytest.raises(InputError, match=r"notebooks\.09_nowhere: there is no such notebook"):
        run_it(house, overrides={"notebooks.09_nowhere": {}})


def start(house: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "crmlib", "run", "params.yaml", *words],
        cwd=house,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(found, process: subprocess.Popen[str], seconds: float = 60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("what was waited for did not come")


KILLED_ONCE = """
import os
import signal
from pathlib import Path

order = Path({order!r})
renamed = Path.replace

def kill_before_renaming(path, target):
    if order.exists() and Path(target).name == 'products.parquet':
        order.unlink()
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return renamed(path, target)

Path.replace = kill_before_renaming
"""


def test_killed_while_a_table_is_written_resume_ends_with_the_same_tables(house, tmp_path):
    order = tmp_path / "kill"
    write_notebook(house, "01_intake", KILLED_ONCE.format(order=str(order)), PRODUCTS.format(rows=100_000))
    undisturbed, _ = run_it(house, run_id="undisturbed", publish=False)
    order.touch()
    process = start(house, "--run-id", "killed")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not order.exists()
    tables = house / "runs" / "killed" / "tables"
    assert list(tables.glob(".products*"))
    assert not (tables / "products.parquet").exists()
    resumed, _ = run_it(house, run_id="killed", resume=True, publish=False)
    for entry, facts in undisturbed.folder.manifest()["tables"].items():
        assert resumed.folder.manifest()["tables"][entry]["sha256"] == facts["sha256"]
    assert not [path for path in resumed.folder.path.rglob(".*") if path.name != ".lock"]


def test_killed_while_a_notebook_runs_resume_ends_with_the_same_tables(house):
    write_notebook(house, "02_database_audit", "from pathlib import Path", "import time; time.sleep(4)", FINDINGS)
    undisturbed, _ = run_it(house, run_id="undisturbed", publish=False)
    process = start(house, "--run-id", "killed")
    manifest = house / "runs" / "killed" / "manifest.json"
    wait_for(lambda: manifest.exists() and "02_database_audit" in manifest.read_text(), process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    resumed, told = run_it(house, run_id="killed", resume=True, publish=False)
    assert any("01_intake: done before" in line for line in told)
    assert tables_of(resumed.folder) == tables_of(undisturbed.folder)


def test_of_two_runs_at_once_one_is_published_and_the_other_refused(house):
    write_notebook(house, "02_database_audit", "import time; time.sleep(3)", FINDINGS)
    processes = [start(house, "--run-id", name) for name in ("one", "two")]
    ends = [process.communicate(timeout=120) for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, 4], ends
    store = RunStore(house / "runs")
    assert store.latest().run_id in ("one", "two")
    assert tables_of(store.get("one")) == tables_of(store.get("two"))
    assert {store.get(name).manifest()["status"] for name in ("one", "two")} == {"complete"}


def test_a_run_that_is_being_written_cannot_be_resumed_beside_it(house):
    paused, _ = run_it(house, until="01")
    with paused.folder.writing(), pytest.raises(ConflictError, match="written by another process"):
        run_it(house, resume=True)


def test_a_notebook_by_plain_papermill_makes_a_draft_and_leaves_the_run_alone(house):
    outcome, _ = run_it(house)
    before = {name: facts["sha256"] for name, facts in outcome.folder.manifest()["tables"].items()}
    subprocess.run(
        [
            sys.executable, "-m", "papermill", "notebooks/02_database_audit.ipynb", str(house / "out.ipynb"),
            "-p", "run_dir", f"runs/{outcome.folder.run_id}",
        ],
        cwd=house, check=True, capture_output=True,
    )  # fmt: skip
    draft = RunStore(house / "runs").get(f"{outcome.folder.run_id}-draft-1")
    assert draft.manifest()["status"] == "draft"
    assert "audit_findings" in tables_of(draft).keys() | {name.removesuffix(".parquet") for name in tables_of(draft)}
    assert {name: facts["sha256"] for name, facts in outcome.folder.manifest()["tables"].items()} == before
    with pytest.raises(InputError, match="not complete"):
        RunStore(house / "runs").publish(draft)


def test_a_person_in_an_output_stops_the_run_and_is_not_named(house):
    name = "Zacarias Unmistakable"
    (house / "people.csv").write_text(f"id,name\n1,{name}\n")
    (house / "params.yaml").write_text(
        "run: {name: small, as_of_date: 2026-11-01}\n"
        "sources:\n  shop:\n    customers: {path: people.csv, fields: {source_record_id: id, full_name: name}}\n"
    )
    write_notebook(
        house,
        "01_intake",
        "import pandas as pd",
        "run.write('source_records', pd.DataFrame({'source': ['shop'], 'source_record_id': ['1'], "
        "'full_name': [open('../people.csv').read().split(',')[-1].strip()], "
        "'updated_at': pd.Timestamp('2026-01-01', tz='UTC')}))",
        "run.frame('source_records')[['full_name']]",
    )
    write_notebook(house, "02_database_audit", "1")
    with pytest.raises(GateError) as stopped:
        run_it(house)
    assert "01_intake" in str(stopped.value)
    assert "Zacarias" not in str(stopped.value)
    folder = RunStore(house / "runs").all()[0]
    assert folder.manifest()["status"] == "stopped"
    assert RunStore(house / "runs").latest() is None
