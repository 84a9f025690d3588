"""What a simulation found: under each plan, and under none."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.scenario import Horizon

Records = NDArray[np.void]

#: Name of the plan that contacts nobody.
NO_CONTACT = "no_contact"


@dataclass(frozen=True)
class Outcome:
    """What happened under one plan.

    Parameters
    ----------
    name : str
        The plan's id, or `NO_CONTACT`.
    plan : ContactPlan or None
    counts : DAY_COUNT, replicates × days
    totals : TOTAL, replicates
    visits : ndarray, replicates × stores
        Purchases in the store where a customer commonly buys.
    """

    name: str
    plan: ContactPlan | None
    counts: Records
    totals: Records
    visits: Floats

    def mean_contacts(self) -> Floats:
        """Contacts by day, communication and channel, over the replicates."""
        communications = len(self.plan.communications) if self.plan else 0
        mean: Floats = self.counts["contacts"][:, :, :communications].mean(axis=0)
        return mean


@dataclass(frozen=True)
class Simulation:
    """What happened under each plan, and under none, which comes first.

    Parameters
    ----------
    horizon : Horizon
    customers : int
    stores : list of str
    outcomes : list of Outcome
    """

    horizon: Horizon
    customers: int
    stores: list[str]
    outcomes: list[Outcome] = field(repr=False)

    @property
    def without(self) -> Outcome:
        """The outcome without any contact."""
        return self.outcomes[0]

    @property
    def plans(self) -> list[Outcome]:
        """The outcomes of plans."""
        return self.outcomes[1:]
