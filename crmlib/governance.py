"""Who answers for what: owners of sources, notebooks and rules, read from a governance file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from crmlib.documents import Settings, Where, read_document
from crmlib.errors import ParamsError
from crmlib.params import Params


class Owner(Settings):
    """Somebody who answers for something.

    Parameters
    ----------
    role : str
        What he or she is in the organisation; pages show the role.
    contact : str, optional
        Where a role is reached; an address of the role's, never a person's.
    """

    role: str
    contact: str | None = None


class SourceDuty(Settings):
    """Who answers for a source.

    Parameters
    ----------
    owner, steward : str
        Ids of owners: who decides about the source, and who mends it (absent: the owner).
    delivered_every_days : int, optional
        Days within which a delivery must come; an older one is shown as overdue.
    """

    owner: str
    steward: str | None = None
    delivered_every_days: int | None = Field(default=None, ge=1)


class NotebookDuty(Settings):
    """Who answers for a notebook's results, and what they decide with them."""

    owner: str
    serves: str | None = None


class Rule(Settings):
    """A rule that somebody decided.

    Parameters
    ----------
    id : str
    says : str
        The rule, in a sentence.
    owner : str
        Id of the owner.
    params : str, optional
        The setting that holds it, by dotted key, such as ``identity.match_threshold``; the page shows its value.
    decided_on : date, optional
    review_every_months : int, optional
        Months after which it is to be looked at again.
    """

    id: str
    says: str
    owner: str
    params: str | None = None
    decided_on: date | None = None
    review_every_months: int | None = Field(default=None, ge=1)


class Governance(Settings):
    """A governance file.

    Parameters
    ----------
    owners : dict of str to Owner
    sources : dict of str to SourceDuty
        By the source's name in the params.
    notebooks : dict of str to NotebookDuty
        By the notebook's name.
    rules : list of Rule
    """

    owners: dict[str, Owner] = Field(min_length=1)
    sources: dict[str, SourceDuty] = Field(default_factory=dict)
    notebooks: dict[str, NotebookDuty] = Field(default_factory=dict)
    rules: list[Rule] = Field(default_factory=list)


def read_governance(path: Path, params: Params, notebooks: Sequence[str]) -> Governance:
    """Read and check a governance file.

    Parameters
    ----------
    path : Path
        A YAML file.
    params : Params
        Whose sources and settings it may name.
    notebooks : sequence of str
        Names of the notebooks.

    Returns
    -------
    Governance

    Raises
    ------
    ParamsError
        With every problem found, each naming file, line and key.
    """
    document = read_document(path, "governance file", "owners:, sources:, notebooks: and rules:")
    problems = list(document.problems)
    governance = None
    try:
        governance = Governance.model_validate(document.data)
    except ValidationError as error:
        problems += [document.tell(dict(problem), Governance) for problem in error.errors()]
    if governance is not None:
        found = _find_unknown(governance, params, notebooks)
        problems += [document.at(where, sentence) for where, sentence in found]
    if problems or governance is None:
        raise ParamsError(problems)
    return governance


def find_setting(params: dict[str, Any], key: str) -> Any:
    """A setting of the params by its dotted key.

    Raises
    ------
    KeyError
        If there is none.
    """
    here: Any = params
    for part in key.split("."):
        if not isinstance(here, dict) or part not in here:
            raise KeyError(key)
        here = here[part]
    return here


def _find_unknown(governance: Governance, params: Params, notebooks: Sequence[str]) -> Iterator[tuple[Where, str]]:
    """Names that nothing declares, and rules that stand twice."""
    owners = ", ".join(governance.owners)
    duties: list[tuple[Where, str | None]] = [
        *((("sources", name, "owner"), duty.owner) for name, duty in governance.sources.items()),
        *((("sources", name, "steward"), duty.steward) for name, duty in governance.sources.items()),
        *((("notebooks", name, "owner"), duty.owner) for name, duty in governance.notebooks.items()),
        *((("rules", place, "owner"), rule.owner) for place, rule in enumerate(governance.rules)),
    ]
    for where, owner in duties:
        if owner is not None and owner not in governance.owners:
            yield where, f"the owner '{owner}' is not declared under owners:; there are {owners}."
    for name in governance.sources:
        if name not in params.sources:
            yield ("sources", name), f"the params have no such source; they have {', '.join(params.sources)}."
    for name in governance.notebooks:
        if name not in notebooks:
            yield ("notebooks", name), f"there is no such notebook; there are {', '.join(notebooks)}."
    settings = params.model_dump(by_alias=True)
    ids = [rule.id for rule in governance.rules]
    for place, rule in enumerate(governance.rules):
        if rule.id in ids[:place]:
            yield ("rules", place, "id"), f"the id '{rule.id}' stands here a second time; give each rule its own."
        if rule.params is not None:
            try:
                find_setting(settings, rule.params)
            except KeyError:
                yield ("rules", place, "params"), f"the params have no setting '{rule.params}'."
