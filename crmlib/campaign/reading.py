"""Reading contact plans from YAML: everything wrong is told at once, with file, line and key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crmlib.campaign.doubts import find_doubts
from crmlib.campaign.expressions import AUDIENCE_TABLES, find_column
from crmlib.campaign.plan import ContactPlan
from crmlib.documents import Where, read_document
from crmlib.errors import InputError, NothingToDo, ParamsError
from crmlib.params import CampaignSettings, resolve_path

_SECTIONS = "plan:, channels:, categories: and communications:"


@dataclass(frozen=True)
class ReadPlan:
    """A plan and what should be looked at in it.

    Parameters
    ----------
    path : Path
    plan : ContactPlan
    warnings : list of str
        Sentences with file, line and key.
    """

    path: Path
    plan: ContactPlan
    warnings: list[str]


def read_plan(path: Path) -> ReadPlan:
    """Read and check a contact plan.

    Parameters
    ----------
    path : Path
        A YAML file.

    Returns
    -------
    ReadPlan

    Raises
    ------
    ParamsError
        With every problem found, each naming file, line and key.
    """
    document = read_document(path, "contact plan", _SECTIONS)
    problems = list(document.problems)
    plan = None
    try:
        plan = ContactPlan.model_validate(document.data)
    except ValidationError as error:
        problems += [document.tell(dict(problem), ContactPlan) for problem in error.errors()]
    problems += [document.at(where, sentence) for where, sentence in _check_names(document.data)]
    if problems or plan is None:
        raise ParamsError(problems)
    return ReadPlan(path, plan, [document.at(where, sentence) for where, sentence in find_doubts(plan)])


def read_campaign_plans(settings: CampaignSettings | None, params_file: Path) -> list[ReadPlan]:
    """Read the plans that a params file names, the one in force first.

    Raises
    ------
    NothingToDo
        If it names none.
    """
    if settings is None:
        raise NothingToDo("The params name no contact plan; name its file under campaign.plan.")
    return read_plans([Path(resolve_path(params_file, path)) for path in (settings.plan, *settings.compare)])


def read_plans(paths: list[Path]) -> list[ReadPlan]:
    """Read the plan that is in force and those it is compared with.

    Raises
    ------
    ParamsError
        With the problems of all files together.
    InputError
        If they cannot be compared: one id twice, other days, another currency.
    """
    read, problems = [], []
    for path in paths:
        try:
            read.append(read_plan(path))
        except ParamsError as error:
            problems += error.problems
    if problems:
        raise ParamsError(problems)
    headers = [one.plan.plan for one in read]
    for path, header in zip(paths[1:], headers[1:], strict=True):
        if header.id in [other.id for other in headers if other is not header]:
            raise InputError(f"{path}: plan.id: another plan has the id '{header.id}'; give each its own.")
        first = headers[0]
        if (header.start, header.horizon_days, header.currency) != (first.start, first.horizon_days, first.currency):
            raise InputError(f"{path}: plan: to be compared, plans need the same start, horizon_days and currency.")
    return read


def list_plans(read: Sequence[ReadPlan]) -> list[ContactPlan]:
    """The plans themselves."""
    return [one.plan for one in read]


def list_names(read: Sequence[ReadPlan]) -> list[str]:
    """Their ids."""
    return [one.plan.id for one in read]


def list_warnings(read: Sequence[ReadPlan]) -> list[str]:
    """What should be looked at in all of them, for a page: files by their names alone."""
    return [warning.replace(str(one.path), one.path.name) for one in read for warning in one.warnings]


def _check_names(data: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    """What no single entry can know: names that nothing declares, and ids that stand twice."""
    channels = data.get("channels")
    declared = list(channels) if isinstance(channels, dict) else []
    communications = data.get("communications")
    entries = [
        (place, entry)
        for place, entry in enumerate(communications if isinstance(communications, list) else [])
        if isinstance(entry, dict)
    ]
    seen: dict[Any, int] = {}
    for place, entry in entries:
        here: Where = ("communications", place)
        name = entry.get("id")
        if isinstance(name, str) and name in seen:
            yield (*here, "id"), f"the id '{name}' stands here a second time; give each communication its own."
        elif isinstance(name, str):
            seen[name] = place
        used = entry.get("channels")
        for channel in used if isinstance(used, list) else []:
            if isinstance(channel, str) and channel not in declared:
                yield (*here, "channels"), f"the channel '{channel}' is not declared under channels:."
    caps = data.get("caps")
    for place, cap in enumerate(caps if isinstance(caps, list) else []):
        scope = cap.get("scope") if isinstance(cap, dict) else None
        if not isinstance(scope, dict):
            continue
        known = {"channel": declared, "category": list(data.get("categories") or []), "communication": list(seen)}
        for kind, name in scope.items():
            if kind in known and name not in known[kind]:
                yield ("caps", place, "scope"), f"there is no {kind} '{name}' in this plan."
    budget = data.get("budget")
    by_channel = budget.get("by_channel") if isinstance(budget, dict) else None
    for channel in by_channel if isinstance(by_channel, dict) else []:
        if channel not in declared:
            yield ("budget", "by_channel", channel), f"the channel '{channel}' is not declared under channels:."
    arbitration = data.get("arbitration")
    prices = arbitration.get("prices") if isinstance(arbitration, dict) else None
    for what, known_names in (("channels", declared), ("communications", list(seen))):
        priced = prices.get(what) if isinstance(prices, dict) else None
        for name in priced if isinstance(priced, dict) else []:
            if name not in known_names:
                yield ("arbitration", "prices", what, name), f"there is no '{name}' among the plan's {what}."
    holdout = data.get("holdout")
    stratify = holdout.get("stratify") if isinstance(holdout, dict) else None
    for name in stratify if isinstance(stratify, list) else []:
        if isinstance(name, str) and find_column(name) is None:
            yield ("holdout", "stratify"), f"'{name}' is no column of {', '.join(AUDIENCE_TABLES)}."
