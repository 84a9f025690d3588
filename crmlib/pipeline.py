"""The pipeline: the notebooks in order, then pages, guard and publishing.

Kill a run at any moment, and `resume` ends with the tables of an undisturbed one.
"""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import crmlib
from crmlib.approvals import approvals_file
from crmlib.errors import GateError, InputError
from crmlib.execution import Tell, find_notebook, list_notebooks, run_notebook
from crmlib.governance import Governance
from crmlib.params import Params, dump_params, hash_params
from crmlib.preflight import check_inputs, hash_inputs, resolve_params
from crmlib.run_folder import RunFolder, clear_unfinished
from crmlib.runs import RunStore

#: The packages whose versions a manifest names.
NAMED_PACKAGES = ("duckdb", "lifetimes", "matplotlib", "numpy", "pandas", "papermill", "scipy", "splink")


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
    last = find_notebook(notebooks, until) if until else notebooks[-1]
    params = resolve_params(params_file, overrides, as_of)
    governance = check_inputs(params, params_file, notebooks)
    inputs = hash_inputs(params, params_file)
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
            try:
                run_notebook(folder, notebook, params, f"[{number}/{len(notebooks)}]", tell)
            except GateError as gate:
                # whoever is to mend it, or to approve, reads what the gate saw
                _make_pages(folder, store, begun, str(gate), tell)
                raise
            if notebook == last:
                break
        if last != notebooks[-1]:
            stops = f"The run {folder.run_id} stops after {last.stem}"
            _make_pages(folder, store, begun, f"{stops} and is not published.", tell)
            _end(folder, "paused", time.monotonic() - begun)
            pages = os.path.relpath(folder.report / "index.html")
            return Outcome(folder, "paused", f"{stops}; its pages begin at {pages}; go on with --resume.")
        _make_pages(folder, store, begun, "", tell)
        _end(folder, "complete", time.monotonic() - begun)
    sentence = store.publish(folder) if publish else f"The run {folder.run_id} is complete and not published."
    return Outcome(folder, "complete", sentence)


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


def _make_pages(folder: RunFolder, store: RunStore, begun: float, unfinished: str, tell: Tell) -> None:
    """Make the pages of the rooms so far, and check them; why there is more to come stands at the head of each."""
    from crmlib.pages import check_pages, write_pages

    with _told("Pages", tell):
        write_pages(folder, store, unfinished)
    try:
        with _told("Check that no page holds personal data", tell):
            check_pages(folder)
    except GateError:
        _end(folder, "stopped", time.monotonic() - begun)
        raise


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
