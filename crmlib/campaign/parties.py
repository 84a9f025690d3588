"""Customers as each plan meets them, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.behaviour.cohorts import place_cohorts
from crmlib.behaviour.integrals import Floats
from crmlib.campaign.members import read_members
from crmlib.campaign.outcomes import NO_CONTACT
from crmlib.campaign.people import Chunk, PeopleTable, read_chunks, read_stage_days
from crmlib.campaign.posterior import Rhythm, calibrate_alive, calibrate_pace
from crmlib.campaign.scenario import Scenario
from crmlib.campaign.shapes import CONTACT, MEMBER, NEVER
from crmlib.engine import Engine

Records = NDArray[np.void]


@dataclass(frozen=True)
class Party:
    """A chunk of customers up to number `last`, and their members and contacts as each plan meets them, by its name.

    Parameters
    ----------
    last : int
    people : PERSON
    keys : ndarray of uint64
    history : DataFrame
        frequency, recency, T.
    factor, pace : ndarray
        Of `calibrate_alive` and `calibrate_pace`.
    cohort : ndarray of int
        Of `place_cohorts`.
    members : dict of str to (MEMBER, CONTACT)
    """

    last: int
    people: Records
    keys: NDArray[np.uint64]
    history: pd.DataFrame
    factor: Floats
    pace: Floats
    cohort: NDArray[np.int64]
    members: dict[str, tuple[Records, Records]]

    def split(self) -> Iterator[Party]:
        """Each cohort of it."""
        last = self.last - len(self.cohort)
        for cohort in np.unique(self.cohort):
            own = self.cohort == cohort
            last += int(own.sum())
            yield replace(
                self,
                last=last,
                people=self.people[own],
                keys=self.keys[own],
                history=self.history[own],
                factor=self.factor[own],
                pace=self.pace[own],
                cohort=self.cohort[own],
                members={name: (members[own], contacts) for name, (members, contacts) in self.members.items()},
            )


def invite(
    engine: Engine, everybody: PeopleTable, rhythm: Rhythm, scenarios: Sequence[Scenario | None]
) -> Iterator[Party]:
    """Read the customers chunk by chunk, and of each one cohort after the other.

    Parameters
    ----------
    engine : Engine
        Holds ``stage_days``, and what `gather_members` made of each plan.
    everybody : PeopleTable
    rhythm : Rhythm
        As fitted.
    scenarios : sequence of Scenario or None
        None: nobody is contacted.
    """
    for chunk in read_chunks(engine, everybody):
        yield from invite_chunk(engine, everybody, rhythm, scenarios, chunk).split()


def invite_chunk(
    engine: Engine, everybody: PeopleTable, rhythm: Rhythm, scenarios: Sequence[Scenario | None], chunk: Chunk
) -> Party:
    """One chunk of customers as each plan meets them; see `invite`."""
    members = {}
    for one in scenarios:
        if one is None:
            nobody = np.zeros(len(chunk.frame), MEMBER)
            nobody["last_sent"], nobody["due"] = NEVER, NEVER
            members[NO_CONTACT] = (nobody, np.zeros(0, CONTACT))
            continue
        lifts = one.lifts["lift"].to_numpy(float)
        members[one.plan.id] = read_members(engine, one.plan, everybody, chunk, lifts)
    history = chunk.frame[["frequency", "recency", "T"]].astype("float64")
    chunk.people["enter_after"] = read_stage_days(engine, everybody, chunk)
    p_buy = chunk.frame["p_buy"].to_numpy(float)
    days = everybody.horizon_days
    factor = calibrate_alive(rhythm, history, p_buy, days)
    expected = np.where(np.isnan(p_buy), np.nan, chunk.frame["rate"].to_numpy(float) * days)
    pace = calibrate_pace(rhythm, history, factor, expected, days) if days else np.ones(len(history))
    keys, cohort = chunk.frame["key"].to_numpy(np.uint64), place_cohorts(chunk.frame["frequency"])
    return Party(chunk.last, chunk.people, keys, history, factor, pace, cohort, members)


def name_plan(scenario: Scenario | None) -> str:
    """Name by which a simulation knows a plan; without a scenario, silence."""
    return scenario.plan.id if scenario else NO_CONTACT
