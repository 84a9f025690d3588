"""Plans on a base in the engine: who is contacted, and what plans bring against each other."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from crmlib.campaign.comparison import measure_plans, tabulate_comparison, tabulate_forecast, tabulate_visits
from crmlib.campaign.outcomes import NO_CONTACT
from crmlib.campaign.views import list_visits, tell_visits
from tests.campaign.made_base import AS_OF, CHANNELS, make_base, name, permit, simulate
from tests.campaign.made_plans import make_plan
from tests.made_tables import at

LEAFLET = {"id": "leaflet", "response": {"lift": 0.4, "window": "14d"}, "cooldown": "1d"}


def plan(ident: str = "small", **sections):
    made = make_plan(LEAFLET, **sections)
    return made.model_copy(update={"plan": made.plan.model_copy(update={"id": ident})})


def contacts_of(simulation, place: int = 0) -> int:
    return int(simulation.plans[place].counts["contacts"][0].sum())


def test_only_who_permits_is_contacted(engine):
    permissions = [permit(0), permit(1, allowed=False, reason="withdrawn"), permit(2, purpose="service")]
    make_base(engine, 4, [*permissions, permit(3, "sms")])
    assert contacts_of(simulate(engine, plan())) == 8  # eight Mondays, one customer


@pytest.mark.parametrize("reason", ["deceased", "employee", "erased"])
def test_who_is_on_a_list_is_never_contacted(engine, reason):
    refused = [permit(1, channel, allowed=False, reason=reason) for channel in CHANNELS]
    make_base(engine, 2, [permit(0), permit(1, "push"), *refused])
    simulation = simulate(engine, plan(suppress=["erased", "deceased", "employee"]))
    assert contacts_of(simulation) == 8


def test_profiling_needs_the_permission_for_marketing_too(engine):
    make_base(engine, 2, [permit(0), permit(0, purpose="profiling"), permit(1, purpose="profiling")])
    profiling = make_plan(LEAFLET | {"purpose": "profiling"})
    assert contacts_of(simulate(engine, profiling)) == 8


def test_controls_and_the_holdout_are_left_alone_and_told_as_reasons(engine):
    make_base(engine, 600)
    simulation = simulate(engine, plan(holdout={"global": 0.2, "salt": "h"}), replicates=2)
    free = contacts_of(simulation) / 8
    assert free == pytest.approx(480, abs=4 * (600 * 0.16) ** 0.5)
    controlled = make_plan(LEAFLET | {"control": 0.5})
    simulation = simulate(engine, controlled, replicates=2)
    assert contacts_of(simulation) / 8 == pytest.approx(300, abs=4 * 150**0.5)
    table = tabulate_forecast(simulation).to_pandas()
    own = table[(table["plan"] == "small") & (table["category"] == "all")]
    reasons = {reason for skips in own["skips"] for reason, _ in skips}
    assert reasons == {"control"}
    skipped = sum(number for skips in own["skips"] for _, number in skips)
    assert skipped + own["contacts"].sum() == 600 * 8


@pytest.mark.parametrize(("most", "days"), [(1, 14), (2, 28), (1, 60)])
def test_no_window_holds_more_than_its_cap_with_what_was_sent_before(engine, most, days):
    sent = [
        {"source": "shop", "send_id": f"s{place}", "record_source": "shop", "source_record_id": str(place),
         "sent_at": at("2026-10-28"), "channel": "email", "category": "cycle", "communication_id": "older"}
        for place in range(0, 40, 2)
    ]  # fmt: skip
    make_base(engine, 40, sends=sent)
    capped = plan(caps=[{"scope": "global", "max": most, "days": days}])
    simulation = simulate(engine, capped, replicates=2)
    by_day = simulation.plans[0].counts["contacts"][0].sum(axis=(1, 2))
    assert by_day.sum() > 0
    # all customers are alike but for what was sent before, so that no window can hold more than the cap for each
    before = np.zeros(days)
    before[-5] = len(sent)
    history = np.concatenate([before, by_day])
    assert max(history[start : start + days].sum() for start in range(len(by_day) + 1)) <= most * 40


def test_more_room_never_lowers_the_contacts(engine):
    make_base(engine, 50)
    counts = [
        contacts_of(simulate(engine, plan(caps=[{"scope": "global", "max": most, "days": 28}]), replicates=2))
        for most in (1, 2, 3, 4)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_the_difference_of_two_plans_changes_its_sign_with_the_lifts(engine):
    make_base(engine, 1_500)
    calm, busy = plan("calm", caps=[{"scope": "global", "max": 1, "days": 28}]), plan("busy")

    def differences(factor: float) -> np.ndarray:
        measured = measure_plans(simulate(engine, calm, busy, factor=factor))
        return measured["busy"]["incremental_purchases"] - measured["calm"]["incremental_purchases"]

    assert (differences(1.0) > 0).all()
    assert (differences(-1.0) < 0).all()
    assert (differences(0.0) == 0).all()


def test_without_lifts_a_plan_brings_nothing_and_costs_its_contacts(engine):
    make_base(engine, 300)
    table = tabulate_comparison(simulate(engine, plan(), factor=0.0)).set_index(["plan", "metric"])
    low, high = table.loc[("small", "incremental_purchases"), ["value_low", "value_high"]]
    assert low <= 0 <= high
    assert table.loc[("small", "net_gain"), "value"] == pytest.approx(-table.loc[("small", "cost"), "value"])
    assert table.loc[("small", "cost"), "value"] == pytest.approx(300 * 8 * 0.01)
    assert (NO_CONTACT, "contacts") not in table.index


def test_equal_inputs_and_seed_give_equal_tables_however_the_customers_are_cut(engine, monkeypatch):
    make_base(engine, 90)
    whole = tabulate_forecast(simulate(engine, plan()))
    from crmlib.campaign import people

    monkeypatch.setattr(people.read_chunks, "__defaults__", (17,))
    cut = tabulate_forecast(simulate(engine, plan()))
    assert whole.drop_columns(["skips"]).to_pandas().round(9).equals(cut.drop_columns(["skips"]).to_pandas().round(9))


def test_an_audience_is_whom_its_expression_says(engine):
    make_base(engine, 100)
    top = make_plan(LEAFLET | {"where": "value_decile >= 9"})
    assert contacts_of(simulate(engine, top)) == 20 * 8


def test_visits_of_stores_are_the_purchases_made_in_them(engine):
    def shop(place: int) -> dict:
        shares = {"store": 1.0} if place % 2 else {"online": 0.75, "store": 0.25}
        return {
            "customer_id": name(place), "frequency": 10, "recency": 200, "T": 210, "tickets": 11,
            "first_purchase_date": AS_OF - timedelta(days=210), "last_purchase_date": AS_OF - timedelta(days=10),
            "home_store_id": ("S1", "S2", None)[place % 3], "channel_shares": shares,
        }  # fmt: skip

    make_base(engine, 300, purchase_summary=[shop(place) for place in range(300)])
    simulation = simulate(engine, plan(), replicates=8)
    visits = tabulate_visits(simulation).set_index(["plan", "store_id"])
    assert simulation.stores == ["S1", "S2"]
    without = visits.loc["no_contact"]
    assert (without["incremental"] == 0).all()
    purchases = simulation.without.counts["purchases"].sum(axis=1).mean()
    # two thirds have a store, and of their purchases five eighths are made there
    assert without["visits"].sum() == pytest.approx(purchases * 2 / 3 * 5 / 8, rel=0.05)
    assert (visits.loc["small"]["incremental"] > 0).all()
    own = list_visits(tabulate_visits(simulation), "small")
    assert own["visits"].is_monotonic_decreasing
    assert "2 of 2 stores surely gain" in tell_visits(own)
