"""A contact plan as data: what may be sent to whom, when, how often, and what it is thought to bring.

These are the shapes; `crmlib.campaign.reading` reads a file into them and says what is wrong with it.
"""

from __future__ import annotations

import re
from datetime import date, time
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from crmlib.campaign.expressions import read_condition
from crmlib.campaign.recurrence import expand_rule
from crmlib.documents import Settings
from crmlib.params import CHANNELS, TimeZone
from crmlib.tables import CONTRACTS

#: The six categories of communication, in the order in which pages show them.
CATEGORIES = ("cycle", "product_price", "online", "campaigns", "institutional", "point_of_sale")
_stage = CONTRACTS["lifecycle"].column("stage")
#: Stages of a customer, in the contract's order.
STAGES: tuple[str, ...] = _stage.values if _stage else ()
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PURPOSES = ("marketing", "profiling", "service")
LONGEST_CAP_DAYS = 64
MOST_COMMUNICATIONS = 60
MOST_CAPS = 64

_UNIT_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


def _read_duration(value: Any) -> float:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([hdw])", value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("write a duration with its unit, such as 4h, 7d or 2w")
    return float(found[1]) * _UNIT_DAYS[found[2]]


def _read_clock(value: Any) -> time:
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,2}:\d{2}", value):
        raise ValueError('write times in quotes, such as "21:00" (without, YAML reads a number)')
    hour, minute = (int(part) for part in value.split(":"))
    if hour > 23 or minute > 59:
        raise ValueError('this is no time of the day; write one such as "21:00"')
    return time(hour, minute)


def _read_condition(value: Any) -> Any:
    if isinstance(value, str):
        read_condition(value)
    return value


#: A length of time in days, written such as ``4h``, ``7d``, ``2w``.
Duration = Annotated[float, BeforeValidator(_read_duration)]
Clock = Annotated[time, BeforeValidator(_read_clock)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,60}$")]
Channel = Literal["email", "sms", "push", "postal", "call", "ads"]
Category = Literal["cycle", "product_price", "online", "campaigns", "institutional", "point_of_sale"]
assert get_args(Channel) == CHANNELS
assert get_args(Category) == CATEGORIES


class PlanHeader(Settings):
    """Which plan it is, and when it holds."""

    id: Name
    version: int = Field(ge=1)
    timezone: TimeZone
    start: date
    horizon_days: int = Field(ge=1, le=731)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    seed: int | None = Field(default=None, ge=0, lt=2**31)


class QuietTimes(Settings):
    """When a channel is not used.

    Parameters
    ----------
    hours : (from, to), optional
        Local times; from a later to an earlier one spans the night.
    dows : list of str
        Days of the week.
    dates : list of date
    """

    hours: tuple[Clock, Clock] | None = None
    dows: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(default_factory=list)
    dates: list[date] = Field(default_factory=list)

    def forbids(self, day: date) -> bool:
        """Whether nothing may be sent on a day."""
        return day in self.dates or WEEKDAYS[day.weekday()] in self.dows


class ChannelRules(Settings):
    """What a channel costs and bears.

    Parameters
    ----------
    unit_cost : float
        Of one contact, in the plan's currency.
    capacity : int, optional
        Contacts a day; absent: as many as there are.
    quiet : QuietTimes
    unsub_base : float
        Hazard of an unsubscription by a contact, of a customer who was left in peace before.
    """

    unit_cost: Amount
    capacity: int | None = Field(default=None, ge=0)
    quiet: QuietTimes = QuietTimes()
    unsub_base: Share = 0.0


class CategoryStyle(Settings):
    """How a category looks: its graphic line (templates and brand tokens)."""

    line: str = Field(min_length=1)


class Categories(Settings):
    """The six categories; all are required."""

    cycle: CategoryStyle
    product_price: CategoryStyle
    online: CategoryStyle
    campaigns: CategoryStyle
    institutional: CategoryStyle
    point_of_sale: CategoryStyle


class Scope(Settings):
    """What a cap counts."""

    kind: Literal["global", "channel", "category", "communication"]
    name: str = ""


def _read_scope(value: Any) -> Any:
    if value == "global":
        return Scope(kind="global")
    if isinstance(value, dict) and len(value) == 1:
        ((kind, name),) = value.items()
        if kind in ("channel", "category", "communication") and isinstance(name, str):
            return Scope(kind=kind, name=name)
    if isinstance(value, Scope):
        return value
    raise ValueError("write global, {channel: …}, {category: …} or {communication: …}")


class Cap(Settings):
    """At most so many contacts in any window of so many days; what was sent before the plan counts."""

    scope: Annotated[Scope, BeforeValidator(_read_scope)]
    max: int = Field(ge=0)
    days: int = Field(ge=1, le=LONGEST_CAP_DAYS)


class Fatigue(Settings):
    """What contacts do to those who get many.

    Parameters
    ----------
    half_life_days : float
        In which the pressure of a contact halves.
    response_decay : float
        A contact under pressure P works by the factor exp(-response_decay · P).
    unsub_slope : float
        Its hazard of an unsubscription is the channel's times 1 + unsub_slope · P.
    """

    half_life_days: float = Field(default=7, gt=0)
    response_decay: Amount = 0.0
    unsub_slope: Amount = 0.0


class Budget(Settings):
    """What may be spent, in the plan's currency; absent: no limit."""

    total: Amount | None = None
    per_month: Amount | None = None
    by_channel: dict[Channel, Amount] = Field(default_factory=dict)


class Holdout(Settings):
    """The holdout group: customers who get nothing, so that the plan as a whole can be measured.

    Parameters
    ----------
    global : float
        Share of the customers.
    salt : str
        Of the hash that assigns them; another salt, another group.
    stratify : list of str
        Columns whose balance is to be watched; assignment is by hash, so that it stays when customers arrive.
    rotate_days : int
        After so many days another group is held out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    global_share: Share = Field(default=0.0, alias="global")
    salt: str = "holdout"
    stratify: list[str] = Field(default_factory=list)
    rotate_days: int = Field(default=182, ge=1)


class LimitPrices(Settings):
    """What the limits that customers share are worth; the optimiser finds these prices.

    Parameters
    ----------
    money : float
        Margin that one more unit of the budget would bring, beyond itself.
    contact : float
        Margin that any contact must bring beyond its cost, for the attention it takes.
    channels : dict of str to float
        Margin that one more contact of a channel's capacity or budget would bring.
    communications : dict of str to float
        Margin that one more contact of a communication's own capacity would bring.
    """

    money: Amount = 0.0
    contact: Amount = 0.0
    channels: dict[Channel, Amount] = Field(default_factory=dict)
    communications: dict[Name, Amount] = Field(default_factory=dict)


class Arbitration(Settings):
    """Which communication goes first when not all can.

    Parameters
    ----------
    mode : str
        ``priority``: as the plan says; ``margin``: what promises a customer most; ``optimiser``: what promises most
        beyond its cost and the limits' prices, and nothing that promises less.
    tie_break : list of str
    reserve_for_higher : bool
        Keep a slot for a higher communication of the calendar that is due before the slot is free again.
    prices : LimitPrices
        Of the mode ``optimiser``.
    """

    mode: Literal["priority", "margin", "optimiser"] = "priority"
    tie_break: list[Literal["expected_margin", "oldest_due", "hash"]] = Field(
        default=["expected_margin", "oldest_due", "hash"]
    )
    reserve_for_higher: bool = False
    prices: LimitPrices = LimitPrices()


class Trigger(Settings):
    """What a customer does that calls for a communication.

    Parameters
    ----------
    event : str
    nth : int, optional
        Of purchase: only the nth purchase day.
    state : str
        Of enter_state: the stage that is entered.
    field : str
        Of anniversary: the date whose day comes round.
    status : str
        Of order_status: the state of the order.
    delay : duration
        From the event to the day it is due; negative before an anniversary.
    unless : str, optional
        What calls it off when it happens in between.
    """

    event: Literal["registered", "purchase", "enter_state", "anniversary", "cart_abandoned", "order_status"]
    nth: int | None = Field(default=None, ge=1)
    state: (
        Literal["prospect", "new", "on_rhythm", "due", "late", "at_risk", "dormant", "lost", "reactivated"] | None
    ) = None
    field: Literal["birth_date", "first_seen"] | None = None
    status: str | None = None
    delay: Duration = Field(default="0d", validate_default=True)
    unless: Literal["purchase"] | None = None

    @model_validator(mode="after")
    def _event_and_its_detail(self) -> Trigger:
        needed = {"enter_state": "state", "anniversary": "field", "order_status": "status"}
        for event, key in needed.items():
            given = getattr(self, key) is not None
            if (self.event == event) != given:
                raise ValueError(f"{key}: belongs to the event {event}, and to it alone")
        if self.nth is not None and self.event != "purchase":
            raise ValueError("nth: belongs to the event purchase alone")
        if self.delay < 0 and self.event != "anniversary":
            raise ValueError("delay: only an anniversary is known before it comes; give a delay from 0d up")
        return self


class Calendar(Settings):
    """Days on which a communication goes out: a recurrence rule (RFC 5545) or dates."""

    rrule: str | None = None
    dates: list[date] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_of_both(self) -> Calendar:
        if (self.rrule is None) == (self.dates is None):
            raise ValueError("give either rrule: or dates:")
        return self

    @field_validator("rrule")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            expand_rule(value, date(2026, 1, 5), 1)
        return value


class Control(Settings):
    """Who gets nothing, so that the communication can be measured."""

    unit: Literal["customer", "store", "postcode"] = "customer"
    share: Share


def _read_control(value: Any) -> Any:
    return {"share": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class Variant(Settings):
    """One of several versions of a communication."""

    id: Name
    share: Share


class Offer(Settings):
    """What is given away: cost of one redemption, and share of the contacts that redeem."""

    cost: Amount
    redeem: Share


class Response(Settings):
    """What one contact does to one customer.

    Parameters
    ----------
    lift : float
        Relative lift of the purchase rate within the window.
    window : duration
    pull_forward : float
        Share of the purchases won that would have come later, and are missing then.
    reactivate : float
        Chance that a customer who is gone comes back.
    source : str
        ``assumed``, or ``measured:<campaign>`` with the campaign whose result takes the place of `lift`.
    """

    lift: float = Field(ge=-1, le=20, allow_inf_nan=False)
    window: Duration
    pull_forward: Share = 0.0
    reactivate: Share = 0.0
    source: str = Field(default="assumed", pattern=r"^(assumed|measured:.+)$")

    @field_validator("window")
    @classmethod
    def _some_days(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("a window lasts some time")
        return value


class Communication(Settings):
    """One communication of the plan."""

    id: Name
    category: Category
    channels: list[Channel] = Field(min_length=1)
    purpose: Literal["marketing", "profiling", "service"]
    trigger: Trigger | None = None
    calendar: Calendar | None = None
    where: Annotated[str | None, BeforeValidator(_read_condition)] = None
    priority: int = Field(ge=0, le=100)
    cooldown: Duration = Field(default="0d", validate_default=True)
    expires: Duration = Field(default="1d", validate_default=True)
    control: Annotated[Control, BeforeValidator(_read_control)] = Control(share=0.0)
    variants: list[Variant] = Field(default_factory=list)
    offer: Offer | None = None
    response: Response
    capacity_per_day: int | None = Field(default=None, ge=0)
    bypass_caps: list[Literal["global", "channel", "category", "communication"]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _whole(self) -> Communication:
        if (self.trigger is None) == (self.calendar is None):
            raise ValueError("give either trigger: or calendar:")
        if len(set(self.channels)) < len(self.channels):
            raise ValueError("channels: a channel stands here twice")
        if self.variants and abs(sum(variant.share for variant in self.variants) - 1) > 1e-6:
            raise ValueError("variants: their shares must sum to 1")
        if len({variant.id for variant in self.variants}) < len(self.variants):
            raise ValueError("variants: an id stands here twice")
        if self.expires <= 0 or self.cooldown < 0:
            raise ValueError("expires: and cooldown: are lengths of time")
        return self


class ContactPlan(Settings):
    """A whole contact plan."""

    plan: PlanHeader
    channels: dict[Channel, ChannelRules] = Field(min_length=1)
    categories: Categories
    caps: list[Cap] = Field(default_factory=list, max_length=MOST_CAPS)
    fatigue: Fatigue = Fatigue()
    budget: Budget = Budget()
    holdout: Holdout = Holdout()
    suppress: list[Literal["erased", "objected", "deceased", "employee", "complaint_open", "invalid_address"]] = Field(
        default=["erased", "objected", "deceased"]
    )
    arbitration: Arbitration = Arbitration()
    communications: list[Communication] = Field(max_length=MOST_COMMUNICATIONS)

    @property
    def id(self) -> str:
        """Name by which tables know the plan."""
        return self.plan.id
