"""Time and peak memory of every room, and what papermill adds to the same calls in a script.

Run as ``python -m tests.benchmarks --people 4000``.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import papermill

from crmlib.demo.retailer import write_retailer
from crmlib.execution import list_notebooks
from crmlib.pipeline import run_pipeline

ROOT = Path(__file__).parent.parent.parent


def time_process(words: list[str], folder: Path) -> float:
    """Seconds of a process."""
    begun = time.perf_counter()
    done = subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - begun


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


class MemoryWatch:
    """Keeps the peak memory (GB) of this process's children, by the room that runs; give its `tell` to the pipeline."""

    def __init__(self) -> None:
        self.peaks: dict[str, float] = {}
        self._room = ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def tell(self, sentence: str) -> None:
        """Take a sentence of progress: ``[3/10] 03_deduplication …``, and pass it on."""
        print(sentence, file=sys.stderr, flush=True)
        if sentence.startswith("["):
            self._room = sentence.split()[1].rstrip(":")

    def _watch(self) -> None:
        while not self._end.wait(0.2):
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
                except OSError:  # the process has ended meanwhile
                    continue
                if int(facts["PPid"]) == os.getpid() and "VmHWM" in facts:
                    peak = int(facts["VmHWM"].split()[0]) / 1024**2
                    self.peaks[self._room] = max(self.peaks.get(self._room, 0.0), peak)


def bench_rooms(people: int, threads: int, with_scripts: bool) -> None:
    """Print time and peak memory of every room on a retailer of so many people.

    With scripts, also what papermill adds to the same calls in a script.
    """
    with tempfile.TemporaryDirectory() as name, MemoryWatch() as watch:
        folder = Path(name)
        begun = time.perf_counter()
        write_retailer(folder / "demo", people=people)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(f"{people:,} people written in {time.perf_counter() - begun:.1f} s, peak {own:.2f} GB", flush=True)
        params = Path(shutil.copytree(ROOT / "params", folder / "params")) / "demo.yaml"
        empty = time_empty_notebook(folder)
        overrides = {"run.engine.threads": threads}
        outcome = run_pipeline(params, folder / "runs", overrides=overrides, tell=watch.tell)
        manifest = outcome.folder.manifest()
        peak = max(watch.peaks.values())
        print(f"whole run {manifest['seconds']:.1f} s, peak {peak:.2f} GB; an empty papermill notebook {empty:.1f} s")
        print(f"{'room':24}{'seconds':>9}{'peak GB':>9}" + f"{'script s':>10}{'overhead s':>12}" * with_scripts)
        for notebook in list_notebooks():
            facts = manifest["notebooks"][notebook.stem]
            if facts["status"] != "done":
                print(f"{notebook.stem:24}{facts['status']:>9}")
                continue
            line = f"{notebook.stem:24}{facts['seconds']:>9.1f}{watch.peaks[notebook.stem]:>9.2f}"
            if with_scripts:
                seconds = time_process(
                    [sys.executable, str(write_script(notebook, outcome.folder.path, folder))], folder
                )
                line += f"{seconds:>10.1f}{facts['seconds'] - seconds:>12.1f}"
            print(line, flush=True)


def main() -> None:
    """Read the command line, run the benchmarks."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    reader.add_argument("--people", type=int, default=4000, help="people in the retailer")
    reader.add_argument("--threads", type=int, default=2, help="threads of the engine")
    reader.add_argument("--scripts", action="store_true", help="also time the same calls without papermill")
    given = reader.parse_args()
    bench_rooms(given.people, given.threads, given.scripts or given.people <= 10_000)


main()
