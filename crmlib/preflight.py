"""Before anything runs: params with their dates, every mistake in what they name, hashes of the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from crmlib.approvals import approvals_file
from crmlib.audit.reading import read_checks
from crmlib.campaign.reading import read_campaign_plans
from crmlib.errors import InputError
from crmlib.execution import check_notebook_params
from crmlib.files import hash_file
from crmlib.governance import Governance, read_governance
from crmlib.identity.rulings import find_rulings, read_rulings
from crmlib.params import Params, load_params, local_today, resolve_as_of, resolve_path
from crmlib.sources.landing import is_on_server
from crmlib.sources.previews import check_sources
from crmlib.sources.readers import find_files


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


def hash_inputs(params: Params, params_file: Path) -> dict[str, str]:
    """SHA-256 of every file that a run reads, by its path."""
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
