"""The pipeline: papermill runs the notebooks in order; pages, guard and publishing follow.

A notebook is executed under ``private/`` and comes out from there without tracebacks: these may
quote values. Kill a run at any moment, and `resume` ends with the tables of an undisturbed one.
"""

from __future__ import annotations

import os
import platform
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

import crmlib
from crmlib.approvals import approvals_file
from crmlib.audit.reading import read_checks
from crmlib.campaign.reading import read_campaign_plans
from crmlib.errors import CrmError, GateError, InputError, NothingToDo, find_error
from crmlib.governance import Governance, read_governance
from crmlib.identity.rulings import find_rulings, read_rulings
from crmlib.params import (
    Params,
    dump_params,
    hash_params,
    load_params,
    local_today,
    resolve_as_of,
    resolve_path,
)
from crmlib.room import WRITER_VARIABLE
from crmlib.runs import RunFolder, RunStore, clear_unfinished, hash_file, write_atomically
from crmlib.sources.landing import is_on_server
from crmlib.sources.readers import find_files
from crmlib.sources.staging import check_sources

#: The packages whose versions a manifest names.
NAMED_PACKAGES = ("duckdb", "lifetimes", "matplotlib", "numpy", "pandas", "papermill", "scipy", "splink")
#: What the pipeline itself gives every notebook.
OPTIONS = ("run_dir",)

#: How a notebook refers to a panel.
WIDGET = "application/vnd.jupyter.widget-view+json"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    folder : RunFolder
    status : str
        ``complete``, or ``paused`` after `until`.
    sentence : str
        What became of it.
    """

    folder: RunFolder
    status: str
    sentence: str


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


def run_pipeline(
    params_file: Path,
    runs_dir: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    as_of: date | None = None,
    run_id: str | None = None,
    resume: bool = False,
    until: str | None = None,
    publish: bool = True,
    tell: Tell = print,
) -> Outcome:
    """Run the notebooks in order, make the pages, check them, and publish the run.

    Parameters
    ----------
    params_file : Path
    runs_dir : Path
        Where run folders are made.
    overrides : mapping, optional
        Params by dotted key that take the place of the file's.
    as_of : date, optional
        In place of the params' as-of date.
    run_id : str, optional
        Id of the new run, or of the one to resume.
    resume : bool
        Go on with an unfinished run: dates, base and seed are those of its manifest.
    until : str, optional
        Stop after this notebook (its number or name).
    publish : bool
        Whether a complete run becomes the one ``latest`` names.
    tell : callable
        Takes a sentence of progress.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If params or inputs are wrong, or changed since the run that is resumed began.
    GateError
        If a page would hold personal data, or a gate of the params stopped the run.
    ConflictError
        If another process writes this run, or another run was published since this one began.
    CrmError
        If a notebook failed: names notebook, cell, cause and remedy.
    """
    notebooks = list_notebooks()
    last = _find_notebook(notebooks, until) if until else notebooks[-1]
    params = resolve_params(params_file, overrides, as_of)
    governance = check_inputs(params, params_file, notebooks)
    inputs = _hash_inputs(params, params_file)
    store = RunStore(runs_dir)
    if resume:
        folder = _find_unfinished(store, run_id, params, inputs)
    else:
        folder = _begin(store, run_id, params, params_file, inputs, governance)
    with folder.writing():
        store.check_no_erasure()
        clear_unfinished(folder)
        # a kernel that outlived its killed pipeline is no longer the writer
        folder.update(lambda manifest: manifest.update(status="running", writer=secrets.token_hex(16)))
        tell(f"Run {folder.run_id}, as of {params.run.as_of_date}.")
        begun = time.monotonic()
        for number, notebook in enumerate(notebooks, start=1):
            _run_notebook(folder, notebook, params, f"[{number}/{len(notebooks)}]", tell)
            if notebook == last:
                break
        if last != notebooks[-1]:
            _end(folder, "paused", time.monotonic() - begun)
            return Outcome(folder, "paused", f"The run {folder.run_id} stops after {last.stem}; go on with --resume.")
        from crmlib.pages import check_pages, write_pages

        with _told("Pages", tell):
            write_pages(folder, store)
        try:
            with _told("Check that no page holds personal data", tell):
                check_pages(folder)
        except GateError:
            _end(folder, "stopped", time.monotonic() - begun)
            raise
        _end(folder, "complete", time.monotonic() - begun)
    sentence = store.publish(folder) if publish else f"The run {folder.run_id} is complete and not published."
    return Outcome(folder, "complete", sentence)


def resolve_params(params_file: Path, overrides: Mapping[str, Any] | None = None, as_of: date | None = None) -> Params:
    """Read params and put a date in the place of ``today``.

    Raises
    ------
    ParamsError
        With every problem of the file.
    """
    given = {**(overrides or {}), **({"run.as_of_date": as_of} if as_of else {})}
    params = load_params(params_file, given)
    return resolve_as_of(params, local_today(params))


def check_inputs(params: Params, params_file: Path, notebooks: list[Path]) -> Governance | None:
    """Check everything that params name, before anything runs.

    Parameters
    ----------
    params : Params
    params_file : Path
    notebooks : list of Path

    Returns
    -------
    Governance or None
        What the governance file says; None if the params name none.

    Raises
    ------
    InputError
        With every problem of sources, notebooks' knobs, checks of the audit, contact plans, rulings and governance
        file.
    """
    problems = check_notebook_params(params, params_file, notebooks) + check_sources(params, params_file)
    governance = None
    try:
        read_checks(params.audit, params_file, list(params.sources))
    except InputError as error:
        problems.append(str(error))
    if params.campaign is not None:
        try:
            read_campaign_plans(params.campaign, params_file)
        except InputError as error:
            problems.append(str(error))
    try:
        read_rulings(find_rulings(params, params_file))
    except InputError as error:
        problems.append(str(error))
    if params.governance is not None:
        path = Path(resolve_path(params_file, params.governance))
        try:
            governance = read_governance(path, params, [notebook.stem for notebook in notebooks])
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    return governance


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


def _find_notebook(notebooks: list[Path], wanted: str) -> Path:
    for notebook in notebooks:
        if wanted in (notebook.stem, notebook.stem[:2], notebook.name):
            return notebook
    raise InputError(f"--until {wanted}: there is no such notebook; there are {', '.join(n.stem for n in notebooks)}.")


def _hash_inputs(params: Params, params_file: Path) -> dict[str, str]:
    paths = [
        (given.path, f"sources.{name}.{entity}")
        for name, source in params.sources.items()
        for entity, deliveries in source.entities.items()
        for given in deliveries
        if given.path is not None and not is_on_server(given.path)
    ]
    paths += [(truth.path, f"truth.{name}") for name, truth in params.truth.items()]
    files = {str(file) for path, where in paths for file in find_files(params_file, path, where)}
    named = [params.campaign.plan, *params.campaign.compare] if params.campaign is not None else []
    named += [path for path in (params.governance, params.audit.checks) if path is not None]
    files |= {resolve_path(params_file, path) for path in named}
    rulings = find_rulings(params, params_file)
    files |= {str(rulings)} if rulings is not None and rulings.exists() else set()
    approvals = approvals_file(params_file.resolve())
    files |= {str(approvals)} if approvals.exists() else set()
    return {file: hash_file(Path(file)) for file in sorted(files)}


def _begin(
    store: RunStore,
    run_id: str | None,
    params: Params,
    params_file: Path,
    inputs: dict[str, str],
    governance: Governance | None,
) -> RunFolder:
    as_of = params.run.as_of_date
    assert isinstance(as_of, date)
    latest = store.latest()
    if latest is not None and (other := latest.manifest()["params"]["run"]["name"]) != params.run.name:
        raise InputError(
            f"{store.directory}: the published run here is of '{other}', and would be the base of '{params.run.name}'. "
            f"Give each retailer a folder of runs of its own: --runs-dir {store.directory / params.run.name}."
        )
    base = store.find_base(as_of)
    return store.create(
        run_id,
        params.run.name,
        {
            "as_of_date": as_of.isoformat(),
            "seed": params.run.seed,
            "base": base.run_id if base else None,
            "params_file": str(params_file.resolve()),
            "params": dump_params(params),
            "params_hash": hash_params(params),
            "inputs": inputs,
            "governance": governance.model_dump(mode="json") if governance is not None else None,
            "versions": {
                "crmlib": crmlib.__version__,
                "python": platform.python_version(),
                **{name: version(name) for name in NAMED_PACKAGES},
            },
        },
    )


def _find_unfinished(store: RunStore, run_id: str | None, params: Params, inputs: dict[str, str]) -> RunFolder:
    unfinished = ("running", "failed", "paused", "stopped")
    if run_id:
        folder = store.get(run_id)
    else:
        candidates = [folder for folder in store.all() if folder.manifest()["status"] in unfinished]
        if not candidates:
            raise InputError("--resume: there is no unfinished run; leave --resume away to start one.")
        folder = candidates[-1]
    manifest = folder.manifest()
    if manifest["status"] not in unfinished:
        raise InputError(f"--resume: the run {folder.run_id} is {manifest['status']}; there is nothing to resume.")
    began = date.fromisoformat(manifest["as_of_date"])
    as_it_began = params.model_copy(update={"run": params.run.model_copy(update={"as_of_date": began})})
    if hash_params(as_it_began) != manifest["params_hash"]:
        raise InputError(f"--resume: the params have changed since the run {folder.run_id} began; start a new run.")
    # a gate that was approved since is what one goes on for
    approvals = str(approvals_file(Path(manifest["params_file"])))
    changed = sorted(one for one in set(inputs.items()) ^ set(manifest["inputs"].items()) if one[0] != approvals)
    if changed:
        raise InputError(
            f"--resume: {Path(changed[0][0]).name} has changed since the run {folder.run_id} began; start a new run."
        )
    folder.update(lambda manifest: manifest.update(inputs=inputs))
    return folder


def _run_notebook(folder: RunFolder, notebook: Path, params: Params, count: str, tell: Tell) -> None:
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
            folder.update(lambda manifest: manifest.update(status="failed"))
            raise _explain(name, error, folder) from None
    _release(working, executed)
    facts["seconds"] = round(time.monotonic() - begun, 1)
    folder.update(lambda manifest: manifest["notebooks"].setdefault(name, {}).update(facts))
    tell(f"{count} {name}: {facts.get('sentence', 'done')} ({facts['seconds']} s)")


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


def _end(folder: RunFolder, status: str, seconds: float) -> None:
    def end(manifest: dict[str, Any]) -> None:
        manifest["status"] = status
        manifest["seconds"] = round(manifest.get("seconds", 0.0) + seconds, 1)

    folder.update(end)


@contextmanager
def _told(what: str, tell: Tell) -> Iterator[None]:
    begun = time.monotonic()
    yield
    tell(f"{what}: done ({time.monotonic() - begun:.1f} s)")
