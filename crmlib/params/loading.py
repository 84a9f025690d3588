"""A run's YAML file, read and checked whole before anything runs.

Every model is frozen and refuses unknown keys; a problem is told with file, line and key. Relative
paths are from the params file.
"""

from __future__ import annotations

import hashlib
import json
import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from crmlib.documents import Loader, Settings, read_document
from crmlib.errors import ParamsError
from crmlib.params.sections import (
    AuditSettings,
    BehaviourSettings,
    CampaignSettings,
    IdentitySettings,
    PermissionSettings,
    PrivacySettings,
    RetentionRule,
    RunSettings,
)
from crmlib.params.sources import Source, TruthSource, check_sources
from crmlib.params.vocabulary import ENTITIES


class Params(Settings):
    """A whole params file.

    Parameters
    ----------
    run, sources, truth, identity, permission, privacy, retention, behaviour, audit, campaign
        The file's sections.
    governance : str, optional
        File that says who answers for sources, notebooks and rules, as seen from the params file.
    notebooks : dict of str to dict
        Knobs of single notebooks, by the notebook's name.
    """

    run: RunSettings
    sources: dict[str, Source] = Field(min_length=1)
    truth: dict[str, TruthSource] = Field(default_factory=dict)
    identity: IdentitySettings = IdentitySettings()
    behaviour: BehaviourSettings = BehaviourSettings()
    audit: AuditSettings = AuditSettings()
    permission: PermissionSettings = PermissionSettings()
    privacy: PrivacySettings = PrivacySettings()
    retention: list[RetentionRule] = Field(default_factory=list)
    campaign: CampaignSettings | None = None
    governance: str | None = None
    notebooks: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("sources", mode="before")
    @classmethod
    def _gather_entities(cls, value: Any) -> Any:
        """A source's entities stand beside its owner and time zone; one file or a list of files each."""
        if not isinstance(value, dict):
            return value
        gathered: dict[str, Any] = {}
        for name, source in value.items():
            if not isinstance(source, dict) or "entities" in source:
                gathered[name] = source
                continue
            own = {key: entry for key, entry in source.items() if key not in ENTITIES}
            entities = {key: entry for key, entry in source.items() if key in ENTITIES}
            own["entities"] = {key: entry if isinstance(entry, list) else [entry] for key, entry in entities.items()}
            gathered[name] = own
        return gathered


def load_params(path: Path, overrides: Mapping[str, Any] | None = None) -> Params:
    """Read and check a params file.

    Parameters
    ----------
    path : Path
        The YAML file.
    overrides : mapping of str to anything, optional
        Values by dotted key (``run.seed``) that take the place of the file's.

    Returns
    -------
    Params

    Raises
    ------
    ParamsError
        With every problem found, each naming file, line and key.
    """
    document = read_document(path, "params file", "run: and sources:")
    for key, value in (overrides or {}).items():
        _set(document.data, key, value, path)
    problems = list(document.problems)
    params = None
    try:
        params = Params.model_validate(document.data)
    except ValidationError as error:
        problems += [document.tell(dict(problem), Params) for problem in error.errors()]
    problems += [document.at(where, sentence) for where, sentence in check_sources(document.data)]
    if problems or params is None:
        raise ParamsError(problems)
    return params


def resolve_path(params_file: Path, path: str) -> str:
    """A path of a params file, seen from where the process runs; ``package:`` and URLs stay as they are."""
    if re.match(r"^[a-z0-9+]{2,}:", path):
        return path
    return str((params_file.parent / path).resolve()) if not Path(path).is_absolute() else path


def hash_params(params: Params) -> str:
    """A hash that changes when any setting does."""
    return hashlib.sha256(params.model_dump_json(by_alias=True).encode()).hexdigest()


def dump_params(params: Params) -> dict[str, Any]:
    """The settings as plain data, for a manifest; `Params.model_validate` reads them back."""
    plain: dict[str, Any] = json.loads(params.model_dump_json(by_alias=True))
    return plain


def parse_override(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE`` of the command line; the value is YAML.

    Raises
    ------
    ParamsError
        If the text is not of that form.
    """
    key, sign, value = text.partition("=")
    if not sign or not re.fullmatch(r"[A-Za-z_][\w.-]*", key):
        raise ParamsError(f"--set {text}: write KEY=VALUE, such as --set run.seed=7.")
    try:
        return key, yaml.load(value, Loader=Loader)
    except yaml.YAMLError:
        raise ParamsError(f"--set {key}: the value is not YAML.") from None


def _set(document: dict[str, Any], key: str, value: Any, path: Path) -> None:
    *parents, last = key.split(".")
    here: Any = document
    for parent in parents:
        here = here.setdefault(parent, {}) if isinstance(here, dict) else None
    if not isinstance(here, dict):
        raise ParamsError(f"{path}: --set {key}: there is no section to set it in.")
    here[last] = value


def resolve_as_of(params: Params, today: date) -> Params:
    """Put a date in the place of ``today``."""
    if params.run.as_of_date != "today":
        return params
    return params.model_copy(update={"run": params.run.model_copy(update={"as_of_date": today})})


def local_today(params: Params) -> date:
    """The day it is in the run's time zone: asked once, when a run begins, and kept in its manifest."""
    return datetime.now(zoneinfo.ZoneInfo(params.run.timezone)).date()


def end_of_day(day: date, timezone: str) -> datetime:
    """The first moment after a day in a time zone, as UTC."""
    local = datetime.combine(day + timedelta(days=1), datetime.min.time(), zoneinfo.ZoneInfo(timezone))
    return local.astimezone(UTC)
