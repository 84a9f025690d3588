"""One notebook, executed by papermill.

It is executed under ``private/`` and comes out from there without tracebacks: these may quote values.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

import crmlib
from crmlib.errors import CrmError, GateError, InputError, NothingToDo, find_error
from crmlib.files import hash_file, write_atomically
from crmlib.params import Params
from crmlib.room import WRITER_VARIABLE
from crmlib.run_folder import RunFolder

#: What the pipeline itself gives every notebook.
OPTIONS = ("run_dir",)

#: How a notebook refers to a panel.
WIDGET = "application/vnd.jupyter.widget-view+json"

Tell = Callable[[str], None]


def list_notebooks() -> list[Path]:
    """The rooms' notebooks, in order.

    Raises
    ------
    InputError
        If there are none.
    """
    for folder in (Path.cwd() / "notebooks", Path(crmlib.__file__).parent.parent / "notebooks"):
        if found := sorted(folder.resolve().glob("[0-9][0-9]_*.ipynb")):
            return found
    raise InputError(
        "There is no folder notebooks/ with notebooks such as 01_intake.ipynb here; start crm in the project."
    )


def find_notebook(notebooks: list[Path], wanted: str) -> Path:
    """The notebook that ``--until`` means: by its number or name.

    Raises
    ------
    InputError
        If there is none.
    """
    for notebook in notebooks:
        if wanted in (notebook.stem, notebook.stem[:2], notebook.name):
            return notebook
    raise InputError(f"--until {wanted}: there is no such notebook; there are {', '.join(n.stem for n in notebooks)}.")


def check_notebook_params(params: Params, params_file: Path, notebooks: list[Path]) -> list[str]:
    """Problems of the params' section ``notebooks``, as sentences: an unknown notebook, an unknown knob."""
    problems = []
    by_name = {notebook.stem: notebook for notebook in notebooks}
    for name, knobs in params.notebooks.items():
        if name not in by_name:
            problems.append(
                f"{params_file}: notebooks.{name}: there is no such notebook; there are {', '.join(by_name)}."
            )
            continue
        known = set(papermill.inspect_notebook(str(by_name[name]))) - set(OPTIONS)
        problems += [
            f"{params_file}: notebooks.{name}.{knob}: the notebook has no such parameter; "
            f"it has {', '.join(sorted(known))}."
            for knob in knobs
            if knob not in known
        ]
    return problems


def run_notebook(folder: RunFolder, notebook: Path, params: Params, count: str, tell: Tell) -> None:
    """Execute a notebook for a run, unless it was done before and its tables stand.

    Parameters
    ----------
    folder : RunFolder
    notebook : Path
    params : Params
        Of which the notebook's own knobs are taken.
    count : str
        Such as ``[3/10]``, at the head of every sentence of progress.
    tell : callable
        Takes a sentence of progress.

    Raises
    ------
    CrmError
        If a cell failed: names notebook, cell, cause and remedy.
    """
    name = notebook.stem
    manifest = folder.manifest()
    if manifest["notebooks"].get(name, {}).get("status") in ("done", "skipped") and _tables_stand(folder, name):
        tell(f"{count} {name}: done before.")
        return
    _forget_room(folder, name)
    working = folder.private / f".{name}.ipynb"
    executed = folder.notebooks / notebook.name
    begun = time.monotonic()
    facts: dict[str, Any] = {"status": "done"}
    knobs = {"run_dir": os.path.relpath(folder.path, notebook.parent), **params.notebooks.get(name, {})}
    tell(f"{count} {name} …")
    try:
        with _as_writer(manifest["writer"]), tempfile.TemporaryDirectory(prefix="crm-") as sockets:
            papermill.execute_notebook(
                str(notebook),
                str(working),
                parameters=knobs,
                kernel_name="python3",
                cwd=str(notebook.parent),
                progress_bar={"desc": f"{count} {name}", "leave": False} if sys.stderr.isatty() else False,
                log_output=False,
                extra_arguments=["--log-level=CRITICAL"],
                # the kernel is spoken to by sockets in a folder of its own: no port is opened
                config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
            )
    except PapermillExecutionError as error:
        if error.ename == NothingToDo.__name__:
            facts = {"status": "skipped", "sentence": str(error.evalue)}
        else:
            _keep_traceback(folder, name, error)
            _release(working, executed)
            failure = _explain(name, error, folder)
            status = "stopped" if isinstance(failure, GateError) else "failed"
            folder.update(lambda manifest: _mark_failed(manifest, name, status))
            raise failure from None
    _release(working, executed)
    facts["seconds"] = round(time.monotonic() - begun, 1)
    folder.update(lambda manifest: manifest["notebooks"].setdefault(name, {}).update(facts))
    tell(f"{count} {name}: {facts.get('sentence', 'done')} ({facts['seconds']} s)")


def _mark_failed(manifest: dict[str, Any], name: str, status: str) -> None:
    manifest["status"] = "failed"
    manifest["notebooks"][name] = {"status": status}


@contextmanager
def _as_writer(writer: str) -> Iterator[None]:
    """Let the kernels started meanwhile write to the run."""
    ours = {WRITER_VARIABLE: writer, "PYTHONHASHSEED": "0"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _tables_stand(folder: RunFolder, name: str) -> bool:
    return all(
        (folder.tables / f"{entry}.parquet").is_file()
        and hash_file(folder.tables / f"{entry}.parquet") == facts["sha256"]
        for entry, facts in folder.manifest()["tables"].items()
        if facts["room"] == name
    )


def _forget_room(folder: RunFolder, name: str) -> None:
    """Take back what a room wrote before it was interrupted."""
    manifest = folder.manifest()
    for entry, facts in manifest["tables"].items():
        if facts["room"] == name:
            (folder.tables / f"{entry}.parquet").unlink(missing_ok=True)

    def forget(manifest: dict[str, Any]) -> None:
        manifest["tables"] = {entry: facts for entry, facts in manifest["tables"].items() if facts["room"] != name}
        manifest["notebooks"][name] = {"status": "running"}

    folder.update(forget)


def _explain(name: str, error: PapermillExecutionError, folder: RunFolder) -> CrmError:
    """The failed cell as a sentence: our own words where the error is ours, and else only its class."""
    kind = find_error(error.ename)
    where = f"Notebook {name}, cell [{error.exec_count}]"
    if kind is not None:
        failure = kind(f"{where}: {error.evalue}")
    else:
        failure = CrmError(
            f"{where}: {error.ename}. This is a defect of the notebook or of the workbench; the whole traceback is in "
            f"{folder.private / f'{name}.traceback.txt'}. Once mended, go on with --resume."
        )
    return failure


def _keep_traceback(folder: RunFolder, name: str, error: PapermillExecutionError) -> None:
    from nbconvert.filters import strip_ansi

    path = folder.private / f"{name}.traceback.txt"
    write_atomically(path, strip_ansi("\n".join(error.traceback or [])) + "\n")
    path.chmod(0o600)


def _release(working: Path, executed: Path) -> None:
    """Let an executed notebook out of ``private/``: of an error its class and our own sentence remain."""
    notebook = nbformat.read(working, as_version=4)
    # papermill's banner above a failed notebook repeats the error's text
    notebook.cells = [
        cell
        for cell in notebook.cells
        if not any(tag.startswith("papermill-error") for tag in cell.metadata.get("tags", []))
    ]
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            # a panel lives in a session alone; of it the sentence in its place remains
            output.get("data", {}).pop(WIDGET, None)
            if output.output_type == "error":
                output.traceback = []
                output.evalue = output.evalue if find_error(output.ename) else "(kept in private/)"
    write_atomically(executed, nbformat.writes(notebook))
    working.unlink()
