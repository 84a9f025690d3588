"""What plans would do: every customer is followed through the horizon, under each plan and under none, in equal luck.

A replicate draws the parameters of the fit, each customer's rate and whether still one, and all that happens. Plans
meet the same replicates, so that what differs between them is the plans; the spread over replicates is what is not
known. Limits that customers share are rationed after a trial run (see `crmlib.campaign.rationing`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.chance import derive_keys, replicate_key
from crmlib.campaign.encoding import EncodedPlan, Rations, communication_keys, encode_plan, encode_silence
from crmlib.campaign.kernel import simulate_chunk
from crmlib.campaign.members import gather_members, restrict_members
from crmlib.campaign.misses import CohortMisses, draw_levels, draw_tilts, never_off
from crmlib.campaign.outcomes import NO_CONTACT, Outcome, Simulation
from crmlib.campaign.parties import Party, invite, name_plan
from crmlib.campaign.people import PeopleTable, sample_people
from crmlib.campaign.posterior import Rhythm, draw_customers, draw_parameters, find_stage_days
from crmlib.campaign.rationing import estimate_demand, has_shared_limits, ration
from crmlib.campaign.responses import draw_lifts
from crmlib.campaign.scenario import Horizon, Scenario
from crmlib.campaign.season import draw_unrest
from crmlib.campaign.shapes import CONTACT, DAY_COUNT, TOTAL
from crmlib.engine import Engine
from crmlib.params import StageSettings

Records = NDArray[np.void]

#: Horizon by which dormant and lost are told where room 06 says none.
USUAL_HORIZON_DAYS = 91
#: Customers, about, and replicates of the trial runs that tell the demand.
TRIAL_PEOPLE = 50_000
TRIAL_REPLICATES = 2
#: How often the demand is looked at again under the rations that followed from it.
TRIAL_ROUNDS = 2


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
    misses : CohortMisses
        How far off room 06 may be.
    """

    engine: Engine
    everybody: PeopleTable
    horizon: Horizon
    rhythm: Rhythm
    stages: StageSettings
    seed: int
    threads: int = 2
    misses: CohortMisses = field(default_factory=never_off)

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
            misses=self.misses,
            progress=progress,
        )


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
    misses: CohortMisses | None = None,
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
    misses : CohortMisses, optional
        How far off room 06 may be; None: nothing is known of it.
    progress : callable, optional
        Told a sentence after every chunk of customers.

    Returns
    -------
    Simulation
        Equal for equal inputs and seed, however many threads and customers at a time.
    """
    drawn = [draw_parameters(rhythm, seed, replicate) for replicate in range(replicates)]
    world = World(engine, everybody, horizon, rhythm, stages, seed, threads, misses or never_off())
    _tabulate_stage_days(world)
    for scenario in scenarios:
        gather_members(engine, scenario.plan, everybody)
    rations = _find_rations(world, [one for one in scenarios if has_shared_limits(one.plan)], drawn[:TRIAL_REPLICATES])
    plans = [None, *scenarios]
    outcomes = _follow(world, plans, drawn, rations, invite(engine, everybody, rhythm, plans), progress)
    return Simulation(horizon, everybody.number, everybody.stores, outcomes)


@dataclass(frozen=True)
class _Tally:
    """What happened to a party under one plan in one replicate."""

    counts: Records
    totals: Records
    visits: Floats


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

    Plans whose demand stays within their limits need no rations. Where customers are many, some of them stand for all.
    """
    if not scenarios:
        return {}
    few = world.everybody
    if few.number > TRIAL_PEOPLE:
        few = sample_people(world.engine, few, TRIAL_PEOPLE, "plan_trial")
        for scenario in scenarios:
            restrict_members(world.engine, scenario.plan, world.everybody, few)
    trial = replace(world, everybody=few)
    parties = list(invite(world.engine, few, world.rhythm, scenarios))
    scale, first_day = world.everybody.number / max(few.number, 1), world.horizon.first_day

    def try_out(plans: Sequence[Scenario], rations: Mapping[str, Rations]) -> dict[str, Floats]:
        outcomes = _follow(trial, plans, drawn, rations, parties)
        return {outcome.name: outcome.mean_contacts() * scale for outcome in outcomes}

    free = try_out(scenarios, {})
    rations = {one.plan.id: ration(one.plan, first_day, free[one.plan.id]) for one in scenarios}
    bound = [one for one in scenarios if rations[one.plan.id].bind]
    rations = {one.plan.id: rations[one.plan.id] for one in bound}
    for _ in range(TRIAL_ROUNDS if bound else 0):
        contacts = try_out(bound, rations)
        for one in bound:
            name = one.plan.id
            free[name] = estimate_demand(contacts[name], rations[name], free[name])
            rations[name] = ration(one.plan, first_day, free[name])
    return rations


def _follow(
    world: World,
    scenarios: Sequence[Scenario | None],
    drawn: Sequence[Rhythm],
    rations: Mapping[str, Rations],
    parties: Iterable[Party],
    progress: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Follow all customers, chunk by chunk, in all replicates, under each plan; without a scenario, under silence.

    While some chunks are followed the next one is read; what happened is added up in the order of the chunks.
    """
    number, days, stores = len(drawn), len(world.horizon.season), len(world.everybody.stores)
    outcomes = [
        Outcome(
            name_plan(one),
            one.plan if one else None,
            np.zeros((number, days), DAY_COUNT),
            np.zeros(number, TOTAL),
            np.zeros((number, stores)),
        )
        for one in scenarios
    ]
    encoded = _encode(world, scenarios, drawn, rations)
    waiting: deque[tuple[Party, list[Future[list[_Tally]]]]] = deque()

    def book() -> None:
        party, tasks = waiting.popleft()
        for replicate, task in enumerate(tasks):
            for outcome, tally in zip(outcomes, task.result(), strict=True):
                _add(outcome.counts[replicate], tally.counts)
                _add(outcome.totals[replicate : replicate + 1], tally.totals)
                outcome.visits[replicate] += tally.visits
        if progress is not None:
            progress(f"{party.last:,} of {world.everybody.number:,} customers simulated")

    at_once = -(-world.threads // max(number, 1))
    with ThreadPoolExecutor(world.threads) as pool:
        for party in parties:
            tasks = [
                pool.submit(_follow_party, world, replicate, parameters, party, encoded[replicate])
                for replicate, parameters in enumerate(drawn)
            ]
            waiting.append((party, tasks))
            if len(waiting) > at_once:
                book()
        while waiting:
            book()
    return outcomes


def _add(sums: Records, more: Records) -> None:
    for name in sums.dtype.names or ():
        sums[name] += more[name]


def _encode(
    world: World, scenarios: Sequence[Scenario | None], drawn: Sequence[Rhythm], rations: Mapping[str, Rations]
) -> list[dict[str, EncodedPlan]]:
    """Each plan by its name, for each replicate under its own lifts; what no replicate changes is shared."""
    season, first_day = world.horizon.season, world.horizon.first_day
    bare = {}
    for one in scenarios:
        if one is None:
            bare[NO_CONTACT] = encode_silence(season, world.rhythm.k)
            continue
        lifts = one.lifts["lift"].to_numpy(float)
        bare[one.plan.id] = encode_plan(one.plan, first_day, season, lifts, world.rhythm.k, rations.get(one.plan.id))
    encoded = []
    for replicate, parameters in enumerate(drawn):
        known = {
            name_plan(one): draw_lifts(one.lifts, communication_keys(one.plan), world.seed, replicate)
            if one
            else np.zeros(0)
            for one in scenarios
        }
        strays = draw_unrest(world.horizon.unrest, first_day, len(season), world.seed, replicate)
        encoded.append({name: plan.under(known[name], parameters.k, season * strays) for name, plan in bare.items()})
    return encoded


def _follow_party(
    world: World, replicate: int, parameters: Rhythm, party: Party, plans: Mapping[str, EncodedPlan]
) -> list[_Tally]:
    """Follow customers of one cohort in one replicate, under each plan."""
    cohort = party.cohort[0]
    tilt = draw_tilts(world.misses, len(world.horizon.season), world.seed, replicate)[cohort]
    draws = draw_customers(
        parameters,
        party.history,
        party.factor,
        party.pace * draw_levels(world.misses, world.seed, replicate)[cohort],
        derive_keys(replicate_key(world.seed, replicate), party.keys),
    )
    tallies = []
    for name, bare in plans.items():
        plan = bare.in_season(bare.days["season"] * tilt)
        members, contacts = party.members[name]
        tally = _Tally(
            np.zeros(len(world.horizon.season), DAY_COUNT),
            np.zeros(1, TOTAL),
            np.zeros(len(world.everybody.stores)),
        )
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
            tally.counts,
            tally.totals[0],
            tally.visits,
            np.zeros(0, CONTACT),
        )
        tallies.append(tally)
    return tallies
