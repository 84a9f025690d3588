"""Time and peak memory of every room, and what papermill adds to the same calls in a script.

Run as ``python -m tests.benchmarks --people 4000``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import papermill

from crmlib.demo.retailer import write_retailer
from crmlib.pipeline import list_notebooks, run_pipeline

ROOT = Path(__file__).parent.parent.parent


def time_process(words: list[str], folder: Path) -> tuple[float, float]:
    """Seconds and peak memory (GB) of a process and its children."""
    begun = time.perf_counter()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    assert process.stderr is not None
    complaint = process.stderr.read().decode()
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(complaint)
    return time.perf_counter() - begun, usage.ru_maxrss / 1024**2


def write_script(notebook: Path, run_dir: Path, folder: Path) -> Path:
    """A notebook's code cells as a script; what a cell would display is drawn as the notebook would."""
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    lines = ["from IPython.core.interactiveshell import InteractiveShell", "shell = InteractiveShell.instance()"]
    for cell in cells:
        source = cell.source
        if "parameters" in cell.metadata.get("tags", []):
            source += f"\nrun_dir = {str(run_dir)!r}"
        lines.append(f"shell.run_cell({source!r}).raise_error()")
    script = folder / f"{notebook.stem}.py"
    script.write_text("\n".join(lines))
    return script


def time_empty_notebook(folder: Path) -> float:
    """Seconds papermill needs for a notebook that does nothing."""
    empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    empty.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(empty, folder / "empty.ipynb")
    begun = time.perf_counter()
    papermill.execute_notebook(
        str(folder / "empty.ipynb"), str(folder / "out.ipynb"), progress_bar=False, log_output=False
    )
    return time.perf_counter() - begun


def bench_rooms(people: int) -> None:
    """Print time, peak memory and papermill's overhead of every room on a retailer of so many people."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.perf_counter()
        write_retailer(folder / "demo", people=people)
        print(f"{people:,} people written in {time.perf_counter() - begun:.1f} s")
        (folder / "params").mkdir()
        params = Path(shutil.copytree(ROOT / "params", folder / "params", dirs_exist_ok=True)) / "demo.yaml"
        empty = time_empty_notebook(folder)
        outcome = run_pipeline(params, folder / "runs", tell=lambda _: None)
        manifest = outcome.folder.manifest()
        print(f"whole run {manifest['seconds']:.1f} s; an empty papermill notebook {empty:.1f} s")
        print(f"{'room':24}{'papermill s':>12}{'script s':>10}{'overhead s':>12}{'peak GB':>9}")
        for notebook in list_notebooks():
            facts = manifest["notebooks"][notebook.stem]
            if facts["status"] != "done":
                print(f"{notebook.stem:24}{facts['status']:>12}")
                continue
            script = write_script(notebook, outcome.folder.path, folder)
            seconds, memory = time_process([sys.executable, str(script)], folder)
            over = facts["seconds"] - seconds
            print(f"{notebook.stem:24}{facts['seconds']:>12.1f}{seconds:>10.1f}{over:>12.1f}{memory:>9.2f}")


def main() -> None:
    """Read the command line, run the benchmarks."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    reader.add_argument("--people", type=int, default=4000)
    bench_rooms(reader.parse_args().people)


main()
