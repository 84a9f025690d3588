"""A made retailer run up to room 08, and its customers as room 09 meets them."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np

from crmlib import open_run
from crmlib.campaign import eligibility, history, margins, misses, people, posterior, reading, scenario, season
from crmlib.campaign.scenario import Scenario
from crmlib.campaign.simulation import World
from crmlib.demo.retailer import write_retailer
from crmlib.pipeline import run_pipeline

ROOT = Path(__file__).parent.parent.parent


def run_rooms(folder: Path, number: int, until: str = "08_campaigns", seed: int = 20261101) -> Path:
    """Write a retailer of so many people, run the rooms, and give the run's folder."""
    write_retailer(folder / "demo", people=number, seed=seed)
    params = Path(shutil.copytree(ROOT / "params", folder / "params")) / "demo.yaml"
    return run_params(params, folder / "runs", until)


def run_params(params: Path, runs: Path, until: str, as_of: date | None = None) -> Path:
    """Run the rooms, and give the run's folder."""
    done = run_pipeline(params, runs, until=until, publish=False, as_of=as_of, tell=lambda _: None)
    return Path(done.folder.path)


def open_world(folder: Path, seed: int = 7, days: int | None = None) -> tuple[World, list[Scenario]]:
    """The world of a run, as room 09 makes it, and its plans with their lifts.

    Without a plan in the params (`days` is given then) there is none.
    """
    run = open_run(str(folder), "09_contact_plan")
    plans = [] if days else reading.list_plans(reading.read_campaign_plans(run.params.campaign, run.params_file))
    first_day = (np.datetime64(run.as_of_date) + 1).item()
    if plans:
        first_day, days = scenario.plan_days(plans, run.as_of_date)
    assert days
    eligibility.find_reach(run.engine)
    history.collect_history(run.engine, first_day, run.params.run.timezone)
    share = margins.find_margin_share(run.engine, run.params.campaign.margin_share if plans else None).share
    everybody = people.gather_people(run.engine, first_day, run.as_of_date, share)
    usual = season.estimate_season(run.engine, run.as_of_date, first_day, days)
    horizon = scenario.make_horizon(first_day, usual, season.estimate_unrest(run.engine, run.as_of_date))
    stages = run.params.behaviour.stages
    rhythm = posterior.read_rhythm(run.engine)
    missed = misses.estimate_misses(run.engine, rhythm, horizon.unrest)
    world = World(run.engine, everybody, horizon, rhythm, stages, seed, misses=missed)
    return world, scenario.make_scenarios(run.engine, plans)
