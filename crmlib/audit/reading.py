"""The checks as data: those that are built in, and those a file beside the params adds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field, ValidationError, field_validator, model_validator

from crmlib.audit.conditions import check_condition
from crmlib.audit.gates import DIMENSIONS, Dimension, Gate, read_expression
from crmlib.documents import Settings, Where, read_document
from crmlib.engine import Engine
from crmlib.errors import ParamsError
from crmlib.params import CHANNELS, ENTITIES, AuditSettings, resolve_path
from crmlib.tables import CONTRACTS

#: The entity of checks that hold for whatever is delivered.
EVERY = "every"
#: Rule -> the entities whose rows it can judge; None: of any entity.
RULES: dict[str, tuple[str, ...] | None] = {
    "filled": None,
    "not_junk": None,
    "own": None,
    "fresh": None,
    "valid": ("customers",),
    "whole_name": ("customers",),
    "spelt_domain": ("customers",),
    "fits_province": ("customers",),
    "agrees": ("customers",),
    "reachable": ("customers",),
    "contactable": ("customers",),
    "held": ("tickets",),
    "in_turn": ("tickets",),
    "final": None,
    "readable": (EVERY,),
    "unambiguous": (EVERY,),
    "once": (EVERY,),
    "not_ahead": (EVERY,),
}
#: What can be told right from wrong by its form alone.
VALIDATED = ("name", "email", "phone", "national_id", "birth_date", "postcode")
#: Fields that stand for more than one column, or for none.
OTHER_FIELDS = {"customers": ("name", "record", "consent"), EVERY: ("row",)}
#: What a check may be made of.
MADE_OF = ("rule", "holds", "among", "pattern", "known_in")


class Check(Settings):
    """One check of one field.

    Parameters
    ----------
    entity : str
        As sources name it; ``every`` for what holds of any delivery.
    field : str
    check : str
        Its name; with entity and field it names the finding.
    dimension : str
    rule : str, optional
        A key of `RULES`; or instead of it one of the next four.
    holds : str, optional
        A condition over the entity's fields that sound rows meet.
    among : list of str, optional
        The only values there may be.
    pattern : str, optional
        Regular expression that the whole text matches.
    known_in : str, optional
        Entity in which the value must stand (``stores``); where none is delivered, every value is known.
    where : str, optional
        Condition for the rows that are looked at.
    sources : list of str
        Only these sources; none: every source that has the field at all.
    blocks : list of str
        Channels by which a row that fails cannot be contacted.
    says, remedy : str
        What is wrong with rows that fail, to follow their number; and how to mend it.
    fail_if : str, optional
        The run stops if this holds of any source: ``share > 0.02``, ``failing > 0``.
    off : bool
        Leave the check of this name out.
    """

    entity: str
    field: str
    check: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    dimension: Dimension = "validity"
    rule: str | None = None
    holds: str | None = None
    among: list[str] | None = Field(default=None, min_length=1)
    pattern: str | None = None
    known_in: str | None = None
    where: str | None = None
    sources: list[str] = Field(default_factory=list)
    blocks: list[str] = Field(default_factory=list)
    says: str = ""
    remedy: str = ""
    fail_if: str | None = None
    off: bool = False

    @field_validator("entity")
    @classmethod
    def _is_an_entity(cls, value: str) -> str:
        if value not in (*ENTITIES, EVERY):
            raise ValueError(f"there is no such entity; there are {', '.join(ENTITIES)}")
        return value

    @field_validator("blocks")
    @classmethod
    def _are_channels(cls, value: list[str]) -> list[str]:
        if unknown := [one for one in value if one not in CHANNELS]:
            raise ValueError(f"'{unknown[0]}' is no channel; there are {', '.join(CHANNELS)}")
        return value

    @field_validator("fail_if")
    @classmethod
    def _is_a_limit(cls, value: str | None) -> str | None:
        if value is not None:
            read_expression(value)
        return value

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"this is not a regular expression ({error})") from None
        return value

    @model_validator(mode="after")
    def _is_made_of_one_thing(self) -> Check:
        if self.off:
            return self
        if sum(getattr(self, name) is not None for name in MADE_OF) != 1:
            raise ValueError(f"give exactly one of {', '.join(f'{name}:' for name in MADE_OF)}")
        if not self.says:
            raise ValueError("say what is wrong with the rows that fail, under says:")
        if self.known_in is not None and self.known_in not in KEYS:
            raise ValueError(f"known_in: names one of {', '.join(KEYS)}")
        if self.rule is not None:
            if self.rule not in RULES:
                raise ValueError(f"there is no rule '{self.rule}'; there are {', '.join(RULES)}")
            allowed = RULES[self.rule]
            if allowed is not None and self.entity not in allowed:
                raise ValueError(f"the rule '{self.rule}' is for {', '.join(allowed)}")
            if self.rule == "valid" and self.field not in VALIDATED:
                raise ValueError(f"the rule 'valid' knows {', '.join(VALIDATED)}; write holds: or pattern: for others")
        return self

    @property
    def name(self) -> str:
        """Entity, field and check: what gates and approvals call it."""
        return f"{self.entity}.{self.field}.{self.check}"


#: Entity whose rows others name -> the column they name it by.
KEYS = {"stores": "store_id", "products": "product_id", "campaigns": "campaign_id", "postcodes": "postcode"}


class AuditFile(Settings):
    """A file of checks.

    Parameters
    ----------
    checks : list of Check
    gates : list of Gate
    """

    checks: list[Check] = Field(default_factory=list)
    gates: list[Gate] = Field(default_factory=list)


def read_checks(settings: AuditSettings, params_file: Path, sources: list[str]) -> AuditFile:
    """Read the checks and gates that are in force.

    Parameters
    ----------
    settings : AuditSettings
        The section ``audit`` of the params; its `gates` (dimension -> least score) are gates, too.
    params_file : Path
    sources : list of str
        Names of the sources.

    Returns
    -------
    AuditFile
        What is built in, with what the file adds, replaces or leaves out; no check is off.

    Raises
    ------
    ParamsError
        With every problem of the file, each naming file, line and key.
    """
    checks = {check.name: check for check in list_built_in()}
    if unknown := [dimension for dimension in settings.gates if dimension not in DIMENSIONS]:
        raise ParamsError(
            f"{params_file}: audit.gates.{unknown[0]}: there is no such dimension; there are {', '.join(DIMENSIONS)}."
        )
    gates = [
        Gate.model_validate({"id": dimension, "dimension": dimension, "fail_if": f"score < {least}"})
        for dimension, least in settings.gates.items()
    ]
    if settings.checks is not None:
        own = _read_file(Path(resolve_path(params_file, settings.checks)), list(checks), sources)
        checks |= {check.name: check for check in own.checks}
        gates += own.gates
    kept = [check for check in checks.values() if not check.off]
    gates += [Gate(id=check.name, check=check.name, fail_if=check.fail_if) for check in kept if check.fail_if]
    return AuditFile(checks=kept, gates=gates)


@cache
def list_built_in() -> tuple[Check, ...]:
    """The checks that need no file."""
    import yaml

    text = files("crmlib.audit").joinpath("checks.yaml").read_text(encoding="utf-8")
    return tuple(AuditFile.model_validate(yaml.safe_load(text)).checks)


def columns_of(entity: str) -> dict[str, str]:
    """Name and SQL type of the columns that conditions of an entity's checks may name."""
    contract = CONTRACTS[ENTITIES[entity]]
    return {column.name: column.sql_type for column in contract.columns}


def _read_file(path: Path, built_in: list[str], sources: list[str]) -> AuditFile:
    document = read_document(path, "file of checks", "checks: and gates:")
    problems = list(document.problems)
    read = None
    try:
        read = AuditFile.model_validate(document.data)
    except ValidationError as error:
        problems += [document.tell(dict(problem), AuditFile) for problem in error.errors()]
    if read is not None:
        problems += [document.at(where, sentence) for where, sentence in _find_unknown(read, built_in, sources)]
    if problems or read is None:
        raise ParamsError(problems)
    return read


def _find_unknown(read: AuditFile, built_in: list[str], sources: list[str]) -> Iterator[tuple[Where, str]]:
    """Fields, sources and checks that nothing declares, and conditions that cannot be read."""
    engine = Engine(threads=1, memory_limit="1GB")
    names = [check.name for check in read.checks]
    for place, check in enumerate(read.checks):
        here: Where = ("checks", place)
        if names.index(check.name) != place:
            yield here, f"the check {check.name} stands here a second time; give each a name of its own."
        if check.off:
            if check.name not in built_in:
                yield here, f"there is no built-in check {check.name} to leave out."
            continue
        known = columns_of(check.entity) if check.entity != EVERY else {}
        if check.field not in (*known, *OTHER_FIELDS.get(check.entity, ())):
            yield (*here, "field"), f"'{check.entity}' has no field '{check.field}'; it has {', '.join(known)}."
            continue
        for key in ("holds", "where"):
            text = getattr(check, key)
            if text is not None and (wrong := check_condition(engine, text, known)):
                yield (*here, key), f"{wrong}."
        for name in check.sources:
            if name not in sources:
                yield (*here, "sources"), f"there is no source '{name}'; there are {', '.join(sources)}."
    checked = {*built_in, *names} - {check.name for check in read.checks if check.off}
    gates = [gate.id for gate in read.gates]
    for place, gate in enumerate(read.gates):
        here = ("gates", place)
        if gates.index(gate.id) != place:
            yield (*here, "id"), f"the id '{gate.id}' stands here a second time; give each gate its own."
        if gate.check is not None and gate.check not in checked:
            yield (
                (*here, "check"),
                f"there is no check {gate.check}; write entity.field.check, such as customers.email.valid.",
            )
        if gate.source is not None and gate.source not in sources:
            yield (*here, "source"), f"there is no source '{gate.source}'; there are {', '.join(sources)}."
    engine.close()
