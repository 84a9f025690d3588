"""The limits of a contact plan: what channels bear, caps, fatigue, budgets, whom to hold out, and who goes first."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from crmlib.campaign.notation import LONGEST_CAP_DAYS, WEEKDAYS, Amount, Channel, Clock, Name, Share
from crmlib.documents import Settings


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
        Margin that one more unit of the budget would bring, beyond itself; below 0, down to -1, where a budget is to be
        spent though it does not all come back.
    contact : float
        Margin that any contact must bring beyond its cost, for the attention it takes.
    channels : dict of str to float
        Margin that one more contact of a channel's capacity or budget would bring.
    communications : dict of str to float
        Margin that one more contact of a communication's own capacity would bring.
    """

    money: Annotated[float, Field(ge=-1, allow_inf_nan=False)] = 0.0
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
