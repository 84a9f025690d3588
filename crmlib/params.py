"""Typed settings: a run's YAML file, checked whole before anything runs.

Every model is frozen and refuses unknown keys; a problem is told with file, line and key. Relative
paths are from the params file.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from crmlib.documents import Loader, Settings, Where, read_document
from crmlib.errors import ParamsError
from crmlib.origins import Access, Query, Service
from crmlib.tables import CONTRACTS

#: The entities a source can deliver, and the table each fills.
ENTITIES = {
    "customers": "source_records",
    "consents": "consent_events",
    "tickets": "tickets",
    "ticket_lines": "ticket_lines",
    "products": "products",
    "stores": "stores",
    "postcodes": "postcodes",
    "suppressions": "suppressions",
    "campaigns": "campaigns",
    "campaign_reports": "campaign_reports",
    "sends": "sends",
    "web_events": "web_events",
    "service_cases": "service_cases",
}

CHANNELS = ("email", "sms", "push", "postal", "call", "ads")
PURPOSES = ("marketing", "profiling", "service", "third_party")
#: What a customer's row may say of the consents it states, as ``consent.<detail>``.
CONSENT_DETAILS = ("at", "form", "ip", "double_opt_in", "confirmed_at", "evidence", "legal_basis", "wording_version")
#: What it may say of one of them, as ``consent.<channel>.<purpose>.<detail>``.
OWN_CONSENT_DETAILS = ("granted_at", "wording_version")
#: Where only the lines of tickets are delivered, they carry what the ticket would.
TICKET_FIELDS = ("source_record_id", "loyalty_card", "buyer_email", "bought_at", "store_id", "channel", "status")
#: What no row must bring: intake makes it where the source does not say.
MADE_FIELDS = ("source", "updated_at", "line", "bought_on", "record_source")

Scalar = str | int | float | bool


AskedChannel = Literal["email", "sms", "push", "postal", "call"]


def _known_timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ValueError("this is no time zone; write one such as Atlantic/Canary") from None
    return value


TimeZone = Annotated[str, AfterValidator(_known_timezone)]


class Dialect(Settings):
    """How a file is written; what is absent is sniffed, and said.

    Parameters
    ----------
    delimiter, encoding, decimal, date : str, optional
    header : list of str, optional
        Names of the columns of a file without a heading.
    skip_rows : int
        Rows above the heading.
    sheet : str, optional
        Of a workbook; absent: the first that can be seen.
    records : str, optional
        Of a JSON document: the dotted place of the list of its rows.
    """

    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    date: str | None = None
    header: list[str] | None = None
    skip_rows: int = Field(default=0, ge=0)
    sheet: str | None = None
    records: str | None = None

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and value != "whitespace" and len(value) != 1:
            raise ValueError("give one character, or the word whitespace")
        return value


class FieldFrom(Settings):
    """A field made of one or several columns, or of a fixed value.

    Parameters
    ----------
    source_columns : str or list of str, as ``from``
        Column or columns; several are joined with `join`.
    extract : str, optional
        Regular expression; its first group is the value.
    join : str
        What stands between the values of several columns.
    take : {"all", "first"}
        Of several columns: all that are filled, or only the first that is.
    value : optional
        The same value for every row, in place of ``from``.
    formula : str, optional
        A sum over columns, in place of ``from``, such as ``{Price} * {Quantity} - {Discount}``: columns in braces,
        numbers, + - * / and parentheses; an empty cell counts as 0.
    if_wrong : {"reject", "empty"}
        What becomes of a row whose value cannot be read: quarantine, or it goes without this field, and is counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source_columns: str | list[str] | None = Field(default=None, alias="from")
    extract: str | None = None
    join: str = " "
    take: Literal["all", "first"] = "all"
    value: Scalar | None = None
    formula: str | None = None
    if_wrong: Literal["reject", "empty"] = "reject"

    @field_validator("extract")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"this is not a regular expression ({error})") from None
            if groups != 1:
                raise ValueError("give exactly one group in parentheses: it is the value")
        return value

    @field_validator("formula")
    @classmethod
    def _is_a_sum(cls, value: str | None) -> str | None:
        if value is not None and not _is_sum(value):
            raise ValueError(
                "write columns in braces, numbers, + - * / and parentheses, such as '{Price} * {Quantity}'"
            )
        return value

    @model_validator(mode="after")
    def _has_one_origin(self) -> FieldFrom:
        if sum(origin is not None for origin in (self.source_columns, self.value, self.formula)) != 1:
            raise ValueError("give one of from:, value: and formula:")
        return self


def _is_sum(text: str) -> bool:
    """Whether a text is arithmetic over columns in braces; Python's own grammar says so, nothing is evaluated."""
    plain = re.sub(r"\{[^{}]+\}", "1", text)
    if not re.fullmatch(r"[\d.\s()+*/-]+", plain):
        return False
    try:
        tree = ast.parse(plain.strip(), mode="eval")
    except SyntaxError:
        return False
    known = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub)
    return all(isinstance(node, known) for node in ast.walk(tree)) and "{" in text


def _as_field(value: Any) -> Any:
    if not isinstance(value, (str, dict, FieldFrom)):
        raise ValueError("write a column's heading, in quotes if it is a number, or {from: …}")
    return {"from": value} if isinstance(value, str) else value


FieldMap = Annotated[FieldFrom, BeforeValidator(_as_field)]


class Expected(Settings):
    """Days on which a delivery must come, as their names tell.

    Parameters
    ----------
    every : {"day", "week", "month"}
    but : list of str
        Weekdays without a delivery.
    not_on : list of date
        Further days without one.
    missing : {"alarm", "stop"}
        What a missing one does: it is told, or it stops the run.
    """

    every: Literal["day", "week", "month"] = "day"
    but: list[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]] = Field(
        default_factory=list
    )
    not_on: list[date] = Field(default_factory=list)
    missing: Literal["alarm", "stop"] = "alarm"


class EntitySource(Settings):
    """Where one entity of a source lies, and what its columns mean.

    Parameters
    ----------
    path : str, optional
        A file, a glob, ``package:<package>/<file>``, or a glob on a server: ``sftp://``, ``ftp://``, ``s3://``. What
        is packed (zip, gzip) is unpacked.
    sql : Query, optional
        In place of `path`: what a database answers.
    rest : Service, optional
        In place of `path`: what a web service answers.
    access : Access, optional
        How one gets in where `path` is on a server.
    member : str, optional
        Of a zip: name or glob of the members that are meant; absent: all.
    rows_with : str or dict of str to list of str, optional
        Column that says which rows are this entity's: those in which it is filled, or holds one of the values listed.
        The others belong to another entity of the same file (the lines of an order) and are not counted here.
    format : str, optional
        By the file's name when absent.
    expects : Expected, optional
        The days on which a delivery must come.
    form : str, optional
        File of the form's definition whose submissions are delivered, as seen from the params file.
    abandoned_after_hours : int, optional
        Of web events: hours after which a cart nobody came back to is one left behind; absent: only what is delivered.
    full_snapshot : bool
        Whether each delivery holds every row there is: one that is in it no more was deleted at the source.
    most_unmapped : float, optional
        Share of a field's values that may be mapped to nothing before the run is stopped.
    """

    path: str | None = None
    sql: Query | None = None
    rest: Service | None = None
    access: Access | None = None
    member: str | None = None
    rows_with: str | dict[str, list[str]] | None = None
    format: Literal["csv", "tsv", "parquet", "excel", "json"] | None = None
    dialect: Dialect = Dialect()
    preset: str | None = None
    form: str | None = None
    fields: dict[str, FieldMap] = Field(default_factory=dict)
    values: dict[str, dict[str, Scalar | None]] = Field(default_factory=dict)
    tags: list[str] = Field(default_factory=list)
    keep: list[str] = Field(default_factory=list)
    record_source: str | None = None
    delivered_on: date | None = None
    expects: Expected | None = None
    abandoned_after_hours: int | None = Field(default=None, ge=1, le=720)
    full_snapshot: bool = False
    most_unmapped: float | None = Field(default=None, ge=0, lt=1)
    timezone: TimeZone | None = None
    owner: str | None = None

    @model_validator(mode="after")
    def _lies_somewhere(self) -> EntitySource:
        if sum(origin is not None for origin in (self.path, self.sql, self.rest)) != 1:
            raise ValueError("say where it lies: one of path:, sql: and rest:")
        if self.access is not None and (self.path is None or "://" not in self.path):
            raise ValueError("access: is for a path: on a server, such as sftp://host/folder/*.csv")
        if self.full_snapshot and any(origin is not None and origin.cursor for origin in (self.sql, self.rest)):
            raise ValueError("with a cursor: only what is new is delivered, and that is no full snapshot")
        return self


class EngineSettings(Settings):
    """Where the set work runs."""

    backend: Literal["duckdb"] = "duckdb"
    threads: int = Field(default=2, ge=1)
    memory_limit: str = Field(default="8GB", pattern=r"^\d+(\.\d+)?\s?(MB|GB|TB|MiB|GiB|TiB)$")


def _date_or_today(value: Any) -> Any:
    if value == "today" or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("write a date such as 2026-11-01, or today") from None


class RunSettings(Settings):
    """What holds for the whole run."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    as_of_date: Annotated[date | Literal["today"], BeforeValidator(_date_or_today)]
    timezone: TimeZone = "UTC"
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")
    language: Literal["en"] = "en"
    country: str = Field(default="ES", pattern=r"^[A-Z]{2}$")
    seed: int = Field(default=1, ge=0, lt=2**31)
    title: str | None = None
    notice: str | None = None
    engine: EngineSettings = EngineSettings()


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class IdentityCosts(Settings):
    """What a wrong decision about a pair of records costs, in the run's currency.

    Parameters
    ----------
    wrong_merge : float
        Two people taken for one.
    missed_merge : float
        One person taken for two.
    review : float
        A person's look at a pair: where less is at stake, nobody is asked.
    """

    wrong_merge: float = Field(gt=0)
    missed_merge: float = Field(gt=0)
    review: float = Field(default=0.0, ge=0)


#: How a value comes before another of the same customer.
SurvivorshipRule = Literal["latest", "source_order", "most_frequent", "most_complete", "verified_first"]
#: What is consolidated by a rule of its own; the parts of an address go together.
GOLDEN_FIELDS = (
    "given_name", "surname_1", "surname_2", "company", "contact_type", "national_id", "email", "phone", "birth_date",
    "gender", "language", "address", "home_store_id", "employee", "loyalty_card",
)  # fmt: skip
#: Of these it is known whether somebody answered.
VERIFIED_FIELDS = ("email", "phone", "address")


class GoldenSettings(Settings):
    """Which of a customer's values survives.

    Parameters
    ----------
    sources : list of str
        Sources in the order in which they are trusted, for the rule ``source_order``.
    rules : dict of str to list of str
        Field -> rules, one or a list; the next decides where one cannot. Without any, and in the end, the latest wins.
    """

    sources: list[str] = Field(default_factory=list)
    rules: dict[str, Annotated[list[SurvivorshipRule], BeforeValidator(_as_list)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_followed(self) -> GoldenSettings:
        for field, rules in self.rules.items():
            if field not in GOLDEN_FIELDS:
                near = difflib.get_close_matches(field, GOLDEN_FIELDS, n=1)
                hint = f"did you mean '{near[0]}'" if near else f"there are {', '.join(GOLDEN_FIELDS)}"
                raise ValueError(f"no field '{field}' is consolidated; {hint}")
            if "source_order" in rules and not self.sources:
                raise ValueError(f"'{field}' asks for the order of the sources; write it as sources: [erp, shop]")
            if "verified_first" in rules and field not in VERIFIED_FIELDS:
                raise ValueError(f"nobody verifies '{field}'; verified_first is for {', '.join(VERIFIED_FIELDS)}")
        return self


class IdentitySettings(Settings):
    """When two records are one person.

    Parameters
    ----------
    match_threshold : float
        Probability from which two records are joined; a half: a wrong merge costs as much as a missed one.
    costs : IdentityCosts, optional
        In place of the threshold: two records are joined where a wrong merge is expected to cost less than a missed
        one.
    deterministic_national_id : bool
        Whether the same valid national id makes two records one person.
    rulings : str, optional
        File that keeps what people rule about pairs and values, as seen from the params file; the first ruling
        makes it.
    golden : GoldenSettings
    """

    match_threshold: float = Field(default=0.5, gt=0, lt=1)
    costs: IdentityCosts | None = None
    deterministic_national_id: bool = True
    rulings: str | None = None
    golden: GoldenSettings = GoldenSettings()

    @model_validator(mode="after")
    def _has_one_threshold(self) -> IdentitySettings:
        if self.costs is not None and self.match_threshold != type(self).model_fields["match_threshold"].default:
            raise ValueError("give match_threshold: or costs:, from which the threshold follows; not both")
        return self


class BacktestSettings(Settings):
    """How forecasts are judged."""

    origins: int = Field(default=4, ge=2)


class StageSettings(Settings):
    """Cut-offs of the stages; shares of the customer's own gaps, or probabilities."""

    due: float = Field(default=0.5, gt=0, lt=1)
    late: float = Field(default=0.8, gt=0, lt=1)
    at_risk: float = Field(default=0.95, gt=0, lt=1)
    at_risk_p_alive: float = Field(default=0.5, gt=0, lt=1)
    dormant: float = Field(default=0.85, gt=0, lt=1)
    lost: float = Field(default=0.95, gt=0, lt=1)
    reactivated_days: int = Field(default=28, ge=1)


class BehaviourSettings(Settings):
    """Purchase rhythm, churn and value."""

    horizons_days: list[Annotated[int, Field(ge=1, le=730)]] = Field(default=[7, 28, 91], min_length=1)
    time_unit: Literal["day", "week"] = "week"
    backtest: BacktestSettings = BacktestSettings()
    stages: StageSettings = StageSettings()
    discount_rate: float = Field(default=0.10, ge=0, lt=1)

    @field_validator("horizons_days")
    @classmethod
    def _ascending(cls, value: list[int]) -> list[int]:
        if sorted(set(value)) != value:
            raise ValueError("give the days once each, in ascending order")
        return value


class LegitimateInterest(Settings):
    """Where customers may be contacted without having been asked, until they object."""

    channel: AskedChannel
    purpose: Literal["marketing", "profiling"] = "marketing"
    purchased_within_days: int = Field(ge=1)


class PermissionSettings(Settings):
    """What must hold before somebody may be contacted.

    Parameters
    ----------
    match_threshold : float
        Probability of a record's link to its customer from which a consent given there counts for the customer.
    minimum_age : int
        Age in years from which a consent counts.
    expires_after_days : int, optional
        Days after which a consent must be asked for anew; None: never.
    legitimate_interest : list
        Nothing, unless said.
    """

    match_threshold: float = Field(default=0.98, gt=0, lt=1)
    minimum_age: int = Field(default=14, ge=0, le=18)
    expires_after_days: int | None = Field(default=None, ge=1)
    legitimate_interest: list[LegitimateInterest] = Field(default_factory=list)


class StoreTestSettings(Settings):
    """Something that was done in a few stores, to be measured beside all others.

    Parameters
    ----------
    name : str
    stores : list of str
        Where; two at least.
    starts_on, ends_on : datetime.date
    """

    name: str
    stores: Annotated[list[str], Field(min_length=2)]
    starts_on: date
    ends_on: date

    @model_validator(mode="after")
    def _in_order(self) -> StoreTestSettings:
        if self.ends_on < self.starts_on:
            raise ValueError(f"ends_on {self.ends_on} is before starts_on {self.starts_on}.")
        return self


class PrivacySettings(Settings):
    """How erased people are kept from coming back.

    Parameters
    ----------
    hash_key_env : str, optional
        Variable of the environment with the secret key of the tombstones; absent: a key is made once, in a file
        ``hash_key`` beside them that only its owner can read.
    tombstones : str
        File of the tombstones, as seen from the params file; it is only ever added to.
    """

    hash_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    tombstones: str = "decisions/erased.jsonl"


class RetentionRule(Settings):
    """How long something is kept.

    Parameters
    ----------
    entity : str
        ``customers``: people without any sign of life (record, purchase, consent) for so long go whole; another
        entity: its rows that old go, of consents only grants, since a refusal must be known for good.
    purpose : str, optional
        Of consents: only those for this purpose.
    keep_days : int
    """

    entity: Literal["customers", "consents", "tickets", "sends", "web_events", "service_cases"]
    purpose: Literal["marketing", "profiling", "service", "third_party"] | None = None
    keep_days: int = Field(ge=1)

    @model_validator(mode="after")
    def _purpose_of_consents(self) -> RetentionRule:
        if self.purpose is not None and self.entity != "consents":
            raise ValueError("only consents have a purpose")
        return self


class CampaignSettings(Settings):
    """The contact plans, and how they are simulated.

    Parameters
    ----------
    plan : str
        File of the plan that is in force, as seen from the params file.
    compare : list of str
        Files of the plans it is compared with.
    replicates : int
        Times the whole is simulated; the intervals come from them.
    margin_share : float, optional
        Margin in the amount of a purchase; absent: as tickets or products' costs say.
    store_tests : list of StoreTestSettings
        What was tried in stores.
    """

    plan: str
    compare: list[str] = Field(default_factory=list)
    replicates: int = Field(default=20, ge=2, le=1000)
    margin_share: float | None = Field(default=None, gt=0, lt=1)
    store_tests: list[StoreTestSettings] = Field(default_factory=list)


class AuditSettings(Settings):
    """What the audit looks for, and when it stops a run.

    Parameters
    ----------
    checks : str, optional
        File of further checks and gates, as seen from the params file.
    stale_after_days : int
        Days after which a record that nobody updated is stale.
    gates : dict of str to float
        Dimension -> the least score of every source.
    """

    checks: str | None = None
    stale_after_days: int = Field(default=730, ge=1)
    gates: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)


class TruthSource(Settings):
    """A table of known truth; only evaluation reads it."""

    path: str
    format: Literal["csv", "tsv", "parquet"] | None = None
    dialect: Dialect = Dialect()
    fields: dict[str, FieldMap]


class Source(Settings):
    """One system that delivers data."""

    KEYS: ClassVar = ("owner", "timezone", *ENTITIES)

    owner: str | None = None
    timezone: TimeZone | None = None
    entities: dict[str, list[EntitySource]] = Field(default_factory=dict)


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
    problems += [document.at(where, sentence) for where, sentence in _check_sources(document.data)]
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


def _check_sources(document: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    """What no single setting can know."""
    sources = document.get("sources")
    if not isinstance(sources, dict):
        return
    yield from _check_trust(document, list(sources))
    for name, source in sources.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            yield ("sources", name), "name a source with small letters, digits and underscores."
        if not isinstance(source, dict):
            continue
        entities = [entity for entity in source if entity in ENTITIES]
        if not entities:
            yield ("sources", name), f"give it at least one entity: {', '.join(ENTITIES)}."
        for entity in entities:
            given = source[entity] if isinstance(source[entity], list) else [source[entity]]
            for index, delivery in enumerate(given):
                if isinstance(delivery, dict):
                    yield from _check_delivery(("sources", name, entity, index), entity, delivery, list(sources))


def _check_trust(document: dict[str, Any], sources: list[str]) -> Iterator[tuple[Where, str]]:
    here: Any = document
    for key in ("identity", "golden", "sources"):
        here = here.get(key) if isinstance(here, dict) else None
    for place, name in enumerate(here if isinstance(here, list) else []):
        if name not in sources:
            yield ("identity", "golden", "sources", place), f"there is no such source; there are {', '.join(sources)}."


def _check_delivery(
    here: Where, entity: str, delivery: dict[str, Any], sources: list[str]
) -> Iterator[tuple[Where, str]]:
    fields, values = (part if isinstance(part := delivery.get(key), dict) else {} for key in ("fields", "values"))
    known = _known_fields(entity)
    mapped_elsewhere = delivery.get("preset") or delivery.get("form")
    if not mapped_elsewhere and not delivery.get("fields"):
        yield here, "give fields: (what its columns mean) or a preset:, such as fields: {bought_at: DATE}."
    elif not mapped_elsewhere and (missing := [name for name in _needed_fields(entity) if name not in fields]):
        yield (*here, "fields"), f"'{entity}' cannot do without {', '.join(missing)}."
    for field in fields:
        consent = re.fullmatch(r"consent\.(\w+)\.(\w+)(?:\.(\w+))?", field)
        if entity == "customers" and consent:
            if consent[1] not in CHANNELS or consent[2] not in PURPOSES:
                yield (
                    (*here, "fields", field),
                    f"write consent.<channel>.<purpose>; channels {', '.join(CHANNELS)}; "
                    f"purposes {', '.join(PURPOSES)}.",
                )
            elif consent[3] is not None and consent[3] not in OWN_CONSENT_DETAILS:
                yield (*here, "fields", field), f"of one consent there may be {', '.join(OWN_CONSENT_DETAILS)}."
        elif field not in known:
            near = difflib.get_close_matches(field, known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(known)}."
            yield (*here, "fields", field), f"'{entity}' has no such field. {hint}"
    for field in values:
        if field not in known and field not in fields:
            yield (*here, "values", field), f"'{entity}' has no such field."
    for key in ("tags", "keep", "form"):
        if delivery.get(key) and entity != "customers":
            yield (*here, key), "only customers have this."
    if delivery.get("abandoned_after_hours") and entity != "web_events":
        yield (*here, "abandoned_after_hours"), "only web_events have this."
    if (other := delivery.get("record_source")) and other not in (*sources, "card"):
        yield (*here, "record_source"), f"there is no such source; there are {', '.join(sources)}."


def _known_fields(entity: str) -> list[str]:
    own = ("source", "bought_on", "extra", "delivery", "delivery_row")
    known = [column.name for column in CONTRACTS[ENTITIES[entity]].columns if column.name not in own]
    if entity == "ticket_lines":
        known += TICKET_FIELDS
    return [*known, *(f"consent.{detail}" for detail in CONSENT_DETAILS)] if entity == "customers" else known


def _needed_fields(entity: str) -> list[str]:
    contract = CONTRACTS[ENTITIES[entity]]
    made = (*MADE_FIELDS, "ticket_id") if contract.name in ("tickets", "ticket_lines") else MADE_FIELDS
    return [column.name for column in contract.columns if not column.null and column.name not in made]


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
