"""Simulation and optimisation of a contact plan at scale: the kernel against simpy and numpy, replicates, prices.

Run as ``python -m tests.benchmarks.plan`` (all parts), or with names of parts: ``kernel replicates million panel
optimiser``.
Every part runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable

import numpy as np

from crmlib.campaign.chance import derive_keys, replicate_key
from crmlib.campaign.choosing import OfferCap
from crmlib.campaign.kernel import simulate_chunk
from crmlib.campaign.members import gather_members
from crmlib.campaign.optimise import Problem, optimise
from crmlib.campaign.parties import invite_chunk
from crmlib.campaign.people import read_chunks
from crmlib.campaign.posterior import draw_customers, draw_parameters, read_rhythm
from crmlib.campaign.scenario import make_horizon, make_scenarios
from crmlib.campaign.shapes import CONTACT, DAY_COUNT, TOTAL
from crmlib.campaign.simulation import World, _encode, _tabulate_stage_days
from crmlib.campaign.whatif import list_caps, list_dated, make_asker
from crmlib.engine import Engine
from crmlib.params import StageSettings
from tests.benchmarks.plan_base import DAYS, FIRST_DAY, make_large_base, read_example, simulate
from tests.benchmarks.plan_peers import run_numpy, run_simpy

#: How often each is run; the quickest counts, for all alike.
TIMES = 3
SIMPY_PEOPLE, NUMPY_PEOPLE, KERNEL_PEOPLE = 300, 10_000, 20_000


def peak_gb() -> float:
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def bench_kernel() -> None:
    """Customer-days per second of the kernel, simpy and numpy on one core, with the example plan and all its caps."""
    engine = Engine(threads=2, memory_limit="2GB")
    everybody = make_large_base(engine, KERNEL_PEOPLE)
    plan = read_example()
    scenarios = make_scenarios(engine, [plan])
    world = World(engine, everybody, make_horizon(FIRST_DAY, np.ones(DAYS)), read_rhythm(engine), StageSettings(), 7)
    gather_members(engine, plan, everybody)
    _tabulate_stage_days(world)
    chunk = next(iter(read_chunks(engine, everybody, KERNEL_PEOPLE)))
    party = invite_chunk(engine, everybody, world.rhythm, scenarios, chunk)
    encoded = _encode(world, scenarios, [world.rhythm], {})[0][plan.id]
    keys = derive_keys(replicate_key(7, 0), party.keys)
    draws = draw_customers(draw_parameters(world.rhythm, 7, 0), party.history, party.factor, party.pace, keys)
    members, contacts = party.members[plan.id]

    def kernel(number: int) -> tuple[int, float]:
        counts, total, visits = np.zeros(DAYS, DAY_COUNT), np.zeros(1, TOTAL), np.zeros(len(everybody.stores))
        simulate_chunk(
            encoded.days, encoded.chances, encoded.communications, encoded.caps, encoded.rules[0],
            party.people[:number], members[:number], draws[:number], contacts, counts, total[0], visits,
            np.zeros(0, CONTACT),
        )  # fmt: skip
        return int(counts["contacts"].sum()), float(counts["purchases"].sum())

    def peer(run: Callable[..., tuple[int, float]]) -> Callable[[int], tuple[int, float]]:
        return lambda number: run(encoded, party.people[:number], members[:number], draws[:number])

    rates = {}
    kernel(10)
    parts = [("kernel", kernel, KERNEL_PEOPLE), ("numpy", peer(run_numpy), NUMPY_PEOPLE)]
    for name, run, number in [*parts, ("simpy", peer(run_simpy), SIMPY_PEOPLE)]:
        seconds = np.inf
        for _ in range(TIMES):
            begun = time.process_time()
            sent, bought = run(number)
            seconds = min(seconds, time.process_time() - begun)
        rates[name] = number * DAYS / seconds
        each = f"{sent / number:.1f} contacts and {bought / number:.1f} purchases a customer"
        print(
            f"{name:8}{number:>8,} customers {rates[name] / 1e6:>9.3f} M customer-days/s of a core; {each}", flush=True
        )
    for name in ("numpy", "simpy"):
        print(f"kernel / {name}: {rates['kernel'] / rates[name]:.1f} on one core each")


def bench_replicates(people: int, replicates: int) -> None:
    """Paired replicates of a plan and of silence: seconds, peak memory."""
    engine = Engine(threads=2, memory_limit="1GB")
    everybody = make_large_base(engine, people)
    plan = read_example()
    simulate(engine, everybody, [plan], 1, days=2)
    begun, used = time.perf_counter(), time.process_time()
    simulation = simulate(engine, everybody, [plan], replicates)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    sent = simulation.plans[0].counts["contacts"].sum() / replicates / people
    print(
        f"{people:,} customers x {DAYS} days, {replicates} paired replicates: {seconds:.1f} s ({used:.1f} s of CPU), "
        f"peak {peak_gb():.2f} GB; {sent:.1f} contacts a customer",
        flush=True,
    )


def bench_optimiser(people: int, offers: int = 15) -> None:
    """Choice of offers under caps, a budget and two capacities: seconds, gap, peak memory."""
    draw = np.random.default_rng(3)
    value = draw.lognormal(0, 1, (people, 1)) * draw.uniform(0.2, 1.5, offers)
    value *= draw.uniform(0.7, 1.3, (people, offers))
    value[draw.random(value.shape) < 0.3] = np.nan
    cost = draw.choice([0.01, 0.05, 0.4, 0.9], offers)
    usage = np.vstack([cost, np.arange(offers) % 3 == 0, np.arange(offers) % 4 == 1]).astype(float)
    caps = [OfferCap(tuple(range(offers)), 3), OfferCap(tuple(range(5)), 1), OfferCap(tuple(range(5, 10)), 2)]
    problem = Problem(value, cost, caps, usage, usage.sum(axis=1) * people * 0.05, ["budget", "sms", "postal"])
    optimise(Problem(value[:100], cost, caps, usage, problem.limits * 100 / people, problem.names))
    begun, used = time.perf_counter(), time.process_time()
    choice = optimise(problem, exact=False)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    print(
        f"{people:,} customers x {offers} offers: {seconds:.1f} s ({used:.1f} s of CPU), gap {choice.gap:.5%}, "
        f"peak {peak_gb():.2f} GB",
        flush=True,
    )


def bench_panel(people: int) -> None:
    """Seconds from a knob of the what-if panel to its answer: a cap, the budget, a date."""
    engine = Engine(threads=2, memory_limit="2GB")
    everybody = make_large_base(engine, people)
    scenarios = make_scenarios(engine, [read_example()])
    world = World(engine, everybody, make_horizon(FIRST_DAY, np.ones(DAYS)), read_rhythm(engine), StageSettings(), 7)
    begun = time.perf_counter()
    ask = make_asker(world, scenarios[0])
    caps = list_caps(scenarios[0].plan)
    ask(caps, 60_000.0, "", 0)
    print(f"panel over {people:,} customers: first answer after {time.perf_counter() - begun:.2f} s")
    first, moved = next(iter(caps)), list_dated(scenarios[0].plan)[0]
    for name, question in {
        "a cap moves": (caps | {first: 2}, 60_000.0, "", 0),
        "the budget moves": (caps, 10_000.0, "", 0),
        "a date moves": (caps, 60_000.0, moved, 7),
    }.items():
        begun, used = time.perf_counter(), time.process_time()
        told = ask(*question)
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        print(f"  {name}: {seconds:.2f} s ({used:.2f} s of CPU), net gain {told['net_gain']:,.0f}", flush=True)


PARTS: dict[str, list[tuple[Callable[..., None], tuple[int, ...]]]] = {
    "kernel": [(bench_kernel, ())],
    "replicates": [(bench_replicates, (25_000, 20)), (bench_replicates, (100_000, 100))],
    "million": [(bench_replicates, (1_000_000, 1))],
    "panel": [(bench_panel, (100_000,))],
    "optimiser": [(bench_optimiser, (100_000,)), (bench_optimiser, (1_000_000,))],
}


def main() -> None:
    """Read the command line, run the parts."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.plan")
    reader.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; without any: all")
    given = reader.parse_args()
    for name in given.parts or PARTS:
        for run, arguments in PARTS[name]:
            process = multiprocessing.get_context("spawn").Process(target=run, args=arguments)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"{name} failed")


if __name__ == "__main__":
    main()
