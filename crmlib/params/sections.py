"""The sections that say how the rooms work: the run, identity, behaviour, permission, privacy, campaign, audit."""

from __future__ import annotations

import difflib
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from crmlib.documents import Settings
from crmlib.params.vocabulary import AskedChannel, TimeZone


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
    increments : {"auto", "full"}
        Whether only new and changed records are compared where the run before kept its linkage, or all in every run.
    rulings : str, optional
        File that keeps what people rule about pairs and values, as seen from the params file; the first ruling
        makes it.
    golden : GoldenSettings
    """

    match_threshold: float = Field(default=0.5, gt=0, lt=1)
    costs: IdentityCosts | None = None
    deterministic_national_id: bool = True
    increments: Literal["auto", "full"] = "auto"
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
