"""What plans would do: every customer is followed through the horizon, under each plan and under none, in equal luck.

A replicate draws the parameters of the fit, each customer's rate and whether still one, and all that happens. Plans
meet the same replicates, so that what differs between them is the plans; the spread over replicates is what is not
known. Limits that customers share are rationed after a trial run (see `crmlib.campaign.rationing`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.calendar import last_day
from crmlib.campaign.chance import derive_keys, replicate_key
from crmlib.campaign.encoding import EncodedPlan, Rations, communication_keys, encode_plan, encode_silence
from crmlib.campaign.kernel import simulate_chunk
from crmlib.campaign.people import Chunk, PeopleTable, gather_members, read_chunks, read_members, read_stage_days
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.posterior import Rhythm, calibrate_alive, draw_customers, draw_parameters, find_stage_days
from crmlib.campaign.rationing import estimate_demand, has_shared_limits, ration
from crmlib.campaign.responses import MEASURED_DAYS, draw_lifts, find_lifts
from crmlib.campaign.shapes import CONTACT, DAY_COUNT, MEMBER, NEVER, TOTAL
from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.params import StageSettings

Records = NDArray[np.void]

#: Horizon by which dormant and lost are told where room 06 says none.
USUAL_HORIZON_DAYS = 91
#: Replicates of the trial runs that tell the demand.
TRIAL_REPLICATES = 2
#: How often the demand is looked at again under the rations that followed from it.
TRIAL_ROUNDS = 2
#: Name of the plan that contacts nobody.
NO_CONTACT = "no_contact"


@dataclass(frozen=True)
class Scenario:
    """A plan to be simulated.

    Parameters
    ----------
    plan : ContactPlan
    lifts : DataFrame
        Of `find_lifts`.
    """

    plan: ContactPlan
    lifts: pd.DataFrame


def scale_responses(scenario: Scenario, factor: float) -> Scenario:
    """The same plan with every lift and every return so many times as large."""
    lifts = scenario.lifts.assign(
        lift=scenario.lifts["lift"] * factor, standard_error=scenario.lifts["standard_error"] * abs(factor)
    )
    scaled = [
        one.model_copy(
            update={"response": one.response.model_copy(update={"reactivate": one.response.reactivate * factor})}
        )
        for one in scenario.plan.communications
    ]
    return Scenario(scenario.plan.model_copy(update={"communications": scaled}), lifts)


def scale_all(scenarios: Sequence[Scenario], factor: float) -> list[Scenario]:
    """`scale_responses` for each of several plans."""
    return [scale_responses(scenario, factor) for scenario in scenarios]


@dataclass(frozen=True)
class Horizon:
    """The days that are simulated.

    Parameters
    ----------
    first_day, last_day : date
    season : ndarray
        How busy each day is, 1 on average.
    """

    first_day: date
    last_day: date
    season: Floats

    @property
    def days(self) -> list[date]:
        """Each of them."""
        return [self.first_day + timedelta(days=number) for number in range(len(self.season))]


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


@dataclass(frozen=True)
class World:
    """What all plans and replicates share: the same customers, days and luck.

    Parameters
    ----------
    engine : Engine
        With what `find_reach`, `collect_history` and `gather_people` made.
    everybody : PeopleTable
    horizon : Horizon
    rhythm : Rhythm
    stages : StageSettings
        Cut-offs of the stages.
    seed : int
    threads : int
        Replicates at a time.
    """

    engine: Engine
    everybody: PeopleTable
    horizon: Horizon
    rhythm: Rhythm
    stages: StageSettings
    seed: int
    threads: int = 2

    def simulate(
        self, scenarios: Sequence[Scenario], replicates: int, progress: Callable[[str], None] | None = None
    ) -> Simulation:
        """Simulate plans here; see `simulate_plans`."""
        return simulate_plans(
            self.engine,
            scenarios,
            self.everybody,
            self.horizon,
            self.rhythm,
            self.stages,
            seed=self.seed,
            replicates=replicates,
            threads=self.threads,
            progress=progress,
        )


def make_scenarios(engine: Engine, plans: Sequence[ContactPlan], measured_days: int = MEASURED_DAYS) -> list[Scenario]:
    """Put beside each plan the lifts that are known of its communications; see `find_lifts`."""
    return [Scenario(plan, find_lifts(engine, plan, measured_days)) for plan in plans]


def make_horizon(first_day: date, season: Floats) -> Horizon:
    """The days from the first on, as many as the season has."""
    return Horizon(first_day, first_day + timedelta(days=len(season) - 1), season)


def choose_seed(given: int | None, plan: ContactPlan, of_the_run: int) -> int:
    """The seed that is given, else the plan's, else the run's."""
    return given if given is not None else plan.plan.seed if plan.plan.seed is not None else of_the_run


def plan_days(plans: Sequence[ContactPlan], as_of_date: date) -> tuple[date, int]:
    """The first day that can be simulated, and how many follow up to the end of the plans' horizon.

    Raises
    ------
    InputError
        If the horizon is past.
    """
    first = as_of_date + timedelta(days=1)
    days = (last_day(plans[0]) - first).days + 1
    if days < 1:
        raise InputError(
            f"The horizon of plan '{plans[0].id}' ended on {last_day(plans[0])}; give the plan a later start:."
        )
    return first, days


def simulate_plans(
    engine: Engine,
    scenarios: Sequence[Scenario],
    everybody: PeopleTable,
    horizon: Horizon,
    rhythm: Rhythm,
    stages: StageSettings,
    *,
    seed: int,
    replicates: int = 20,
    threads: int = 2,
    progress: Callable[[str], None] | None = None,
) -> Simulation:
    """Simulate plans, and that nobody is contacted.

    Parameters
    ----------
    engine : Engine
        With what `find_reach`, `collect_history` and `gather_people` made.
    scenarios : sequence of Scenario
    everybody : PeopleTable
    horizon : Horizon
    rhythm : Rhythm
    stages : StageSettings
        Cut-offs of the stages.
    seed : int
    replicates : int
        Times the whole is simulated.
    threads : int
        Replicates at a time.
    progress : callable, optional
        Told a sentence after every chunk of customers.

    Returns
    -------
    Simulation
        Equal for equal inputs and seed, however many threads and customers at a time.
    """
    for scenario in scenarios:
        gather_members(engine, scenario.plan, everybody)
    drawn = [draw_parameters(rhythm, seed, replicate) for replicate in range(replicates)]
    world = World(engine, everybody, horizon, rhythm, stages, seed, threads)
    _tabulate_stage_days(world)
    limited = [one for one in scenarios if has_shared_limits(one.plan)]
    rations = _find_rations(world, limited, drawn[:TRIAL_REPLICATES]) if limited else {}
    outcomes = _follow(world, scenarios, drawn, rations, progress)
    return Simulation(horizon, everybody.number, everybody.stores, outcomes)


@dataclass(frozen=True)
class _Party:
    """A chunk of customers as the plans meet them, in their order."""

    people: Records
    keys: NDArray[np.uint64]
    history: pd.DataFrame
    factor: Floats
    members: list[tuple[Records, Records]]


def _tabulate_stage_days(world: World) -> None:
    """Work the stages' days out once for every frequency and recency there is, as table ``stage_days``."""
    pairs = world.engine.frame(
        f'SELECT DISTINCT frequency, recency, recency AS "T" FROM {world.everybody.table} WHERE frequency IS NOT NULL'
    )
    days = find_stage_days(
        world.rhythm, pairs.astype("float64"), world.stages, world.everybody.horizon_days or USUAL_HORIZON_DAYS
    )
    columns = {f"after{place}": days[:, place] for place in range(days.shape[1])}
    world.engine.register("stage_days", pairs[["frequency", "recency"]].assign(**columns))


def _find_rations(world: World, scenarios: Sequence[Scenario], drawn: Sequence[Rhythm]) -> dict[str, Rations]:
    """Let plans run without the limits that customers share, to see the demand; and once more under what follows.

    Plans whose demand stays within their limits need no rations.
    """
    free = {outcome.name: outcome.mean_contacts() for outcome in _follow(world, scenarios, drawn, {}, None)[1:]}
    first_day = world.horizon.first_day
    rations = {one.plan.id: ration(one.plan, first_day, free[one.plan.id]) for one in scenarios}
    bound = [one for one in scenarios if rations[one.plan.id].bind]
    rations = {one.plan.id: rations[one.plan.id] for one in bound}
    for _ in range(TRIAL_ROUNDS if bound else 0):
        for outcome in _follow(world, bound, drawn, rations, None)[1:]:
            assert outcome.plan is not None
            demand = estimate_demand(outcome.mean_contacts(), rations[outcome.name], free[outcome.name])
            free[outcome.name] = demand
            rations[outcome.name] = ration(outcome.plan, first_day, demand)
    return rations


def _follow(
    world: World,
    scenarios: Sequence[Scenario],
    drawn: Sequence[Rhythm],
    rations: Mapping[str, Rations],
    progress: Callable[[str], None] | None,
) -> list[Outcome]:
    """Follow all customers, chunk by chunk, in all replicates, under silence and each plan."""
    number, days, stores = len(drawn), len(world.horizon.season), len(world.everybody.stores)
    outcomes = [
        Outcome(name, plan, np.zeros((number, days), DAY_COUNT), np.zeros(number, TOTAL), np.zeros((number, stores)))
        for name, plan in [(NO_CONTACT, None), *((scenario.plan.id, scenario.plan) for scenario in scenarios)]
    ]
    encoded = _encode(world, scenarios, drawn, rations)
    for chunk in read_chunks(world.engine, world.everybody):
        party = _invite(world, scenarios, chunk)
        with ThreadPoolExecutor(world.threads) as pool:
            tasks = [
                pool.submit(_follow_party, world.seed, replicate, parameters, party, encoded[replicate], outcomes)
                for replicate, parameters in enumerate(drawn)
            ]
            for task in tasks:
                task.result()
        if progress is not None:
            progress(f"{chunk.last:,} of {world.everybody.number:,} customers simulated")
    return outcomes


def _encode(
    world: World, scenarios: Sequence[Scenario], drawn: Sequence[Rhythm], rations: Mapping[str, Rations]
) -> list[list[EncodedPlan]]:
    """Silence, then each plan, for each replicate under its own lifts; what no replicate changes is shared."""
    season, first_day = world.horizon.season, world.horizon.first_day
    bare = [encode_silence(season, world.rhythm.k)]
    for scenario in scenarios:
        lifts = scenario.lifts["lift"].to_numpy(float)
        bare.append(encode_plan(scenario.plan, first_day, season, lifts, world.rhythm.k, rations.get(scenario.plan.id)))
    encoded = []
    for replicate, parameters in enumerate(drawn):
        known = [draw_lifts(one.lifts, communication_keys(one.plan), world.seed, replicate) for one in scenarios]
        encoded.append([one.under(lifts, parameters.k) for one, lifts in zip(bare, [np.zeros(0), *known], strict=True)])
    return encoded


def _invite(world: World, scenarios: Sequence[Scenario], chunk: Chunk) -> _Party:
    nobody = np.zeros(len(chunk.frame), MEMBER)
    nobody["last_sent"], nobody["due"] = NEVER, NEVER
    members = [(nobody, np.zeros(0, CONTACT))]
    for scenario in scenarios:
        lifts = scenario.lifts["lift"].to_numpy(float)
        members.append(read_members(world.engine, scenario.plan, world.everybody, chunk, lifts))
    history = chunk.frame[["frequency", "recency", "T"]].astype("float64")
    chunk.people["enter_after"] = read_stage_days(world.engine, world.everybody, chunk)
    p_buy = chunk.frame["p_buy"].to_numpy(float)
    factor = calibrate_alive(world.rhythm, history, p_buy, world.everybody.horizon_days)
    return _Party(chunk.people, chunk.frame["key"].to_numpy(np.uint64), history, factor, members)


def _follow_party(
    seed: int,
    replicate: int,
    parameters: Rhythm,
    party: _Party,
    encoded: Sequence[EncodedPlan],
    outcomes: Sequence[Outcome],
) -> None:
    """Follow a chunk of customers in one replicate, under silence and each plan."""
    draws = draw_customers(
        parameters, party.history, party.factor, derive_keys(replicate_key(seed, replicate), party.keys)
    )
    for plan, (members, contacts), outcome in zip(encoded, party.members, outcomes, strict=True):
        simulate_chunk(
            plan.days,
            plan.chances,
            plan.communications,
            plan.caps,
            plan.rules[0],
            party.people,
            members,
            draws,
            contacts,
            outcome.counts[replicate],
            outcome.totals[replicate],
            outcome.visits[replicate],
            np.zeros(0, CONTACT),
        )
