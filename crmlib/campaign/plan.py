"""A contact plan as data: what may be sent to whom, when, how often, and what it is thought to bring.

These are the shapes, with `crmlib.campaign.limits` and `crmlib.campaign.communications`; `crmlib.campaign.reading`
reads a file into them and says what is wrong with it.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from crmlib.campaign.communications import Communication
from crmlib.campaign.limits import Arbitration, Budget, Cap, ChannelRules, Fatigue, Holdout
from crmlib.campaign.notation import MOST_CAPS, MOST_COMMUNICATIONS, Channel, Name
from crmlib.documents import Settings
from crmlib.params import TimeZone


class PlanHeader(Settings):
    """Which plan it is, and when it holds."""

    id: Name
    version: int = Field(ge=1)
    timezone: TimeZone
    start: date
    horizon_days: int = Field(ge=1, le=731)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    seed: int | None = Field(default=None, ge=0, lt=2**31)


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
