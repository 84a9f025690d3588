"""The communications of a contact plan: what calls for each, whom it is for, and what it is thought to bring."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from crmlib.campaign.expressions import read_condition
from crmlib.campaign.notation import Amount, Category, Channel, Duration, Name, Share
from crmlib.campaign.recurrence import expand_rule
from crmlib.documents import Settings


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


def _read_condition(value: Any) -> Any:
    if isinstance(value, str):
        read_condition(value)
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
