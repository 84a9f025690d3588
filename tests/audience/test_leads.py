"""Leads: chances of a first purchase that are learnt from the past, judged, and used only where they are better."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crmlib.audience import leads
from crmlib.errors import NothingToDo
from tests.made_tables import make_tables

AS_OF = date(2026, 6, 30)


def make_prospects(engine, people=1_500, by_carts=True, seed=2) -> pd.DataFrame:
    """Registered people of whom some fill carts; those, or else anybody, may buy some weeks later."""
    random = np.random.default_rng(seed)
    first = date(2024, 6, 1)
    registered = [first + timedelta(days=int(day)) for day in random.integers(0, 700, people)]
    carts = random.random(people) < 0.3
    cart_days = [
        day + timedelta(days=int(wait)) for day, wait in zip(registered, random.integers(0, 200, people), strict=True)
    ]
    chance = np.where(carts, 0.5, 0.03) if by_carts else np.full(people, 0.17)
    buys = random.random(people) < chance
    start = [cart if has else day for cart, has, day in zip(cart_days, carts, registered, strict=True)]
    bought = [day + timedelta(days=int(wait)) for day, wait in zip(start, random.integers(3, 80, people), strict=True)]
    key = [f"r{number}" for number in range(people)]
    moment = pd.Timestamp("12:00", tz="UTC") - pd.Timestamp("00:00", tz="UTC")

    def at(day: date) -> pd.Timestamp:
        return pd.Timestamp(day, tz="UTC") + moment

    make_tables(
        engine,
        source_records=[
            {"source": "shop", "source_record_id": one, "created_at": at(day)}
            for one, day in zip(key, registered, strict=True)
        ],
        identities=[{"source": "shop", "source_record_id": one, "customer_id": f"c{one}"} for one in key],
        web_events=[
            {"source": "web", "event_id": one, "record_source": "shop", "source_record_id": one, "event": "cart"}
            | {"happened_at": at(day)}
            for one, day, has in zip(key, cart_days, carts, strict=True)
            if has
        ],
        tickets=[
            {"source": "shop", "ticket_id": one, "record_source": "shop", "source_record_id": one}
            | {"bought_at": at(day), "bought_on": day, "amount": 20}
            for one, day, does in zip(key, bought, buys, strict=True)
            if does
        ],
    )
    return pd.DataFrame({"customer_id": [f"c{one}" for one in key], "carts": carts, "cart_day": cart_days})


def test_who_filled_a_cart_lately_is_the_likeliest(engine):
    people = make_prospects(engine, people=4_000)
    found = leads.score_leads(engine, AS_OF, 91, seed=1)
    assert found.used == leads.MODEL
    assert found.difference[2] < 0
    judged = found.judged.set_index("model")
    assert judged.loc[leads.MODEL, "auc"] > judged.loc[leads.PLAIN_RULE, "auc"]
    assert judged.loc[leads.MODEL, "promised"] == pytest.approx(judged.loc[leads.MODEL, "bought"], abs=0.03)
    scored = found.scores.merge(people, on="customer_id")
    lately = scored["carts"] & scored["cart_day"].between(AS_OF - timedelta(days=20), AS_OF)
    assert scored.loc[lately, "lead_score"].mean() > 3 * scored.loc[~scored["carts"], "lead_score"].mean()
    assert scored["lead_score"].between(0, 1).all()


def test_where_nothing_tells_buyers_from_others_the_base_rate_is_used(engine):
    make_prospects(engine, by_carts=False)
    found = leads.score_leads(engine, AS_OF, 91, seed=1)
    assert found.used == leads.PLAIN_RULE
    assert found.scores["lead_score"].nunique() <= len(leads.SEEN_DAYS) + 1


def test_buyers_are_no_prospects_and_nothing_later_is_used(engine):
    make_prospects(engine)
    early = AS_OF - timedelta(days=60)
    found = leads.score_leads(engine, early, 91, seed=1)
    engine.execute(f"DELETE FROM made_tickets WHERE bought_on > DATE '{early}'")
    engine.execute(f"DELETE FROM made_web_events WHERE happened_at::DATE > DATE '{early}'")
    alone = leads.score_leads(engine, early, 91, seed=1)
    pd.testing.assert_frame_equal(found.scores, alone.scores)
    bought = {row["source_record_id"] for row in engine.rows("SELECT source_record_id FROM tickets")}
    assert not {f"c{one}" for one in bought} & set(found.scores["customer_id"])


def test_bands_hold_every_prospect(engine):
    make_prospects(engine)
    found = leads.score_leads(engine, AS_OF, 91, seed=1)
    bands = leads.summarise_leads(found)
    assert bands["prospects"].sum() == len(found.scores)
    assert bands["expected"].sum() == pytest.approx(found.scores["lead_score"].sum())
    assert bands["chance"].iloc[0] == "50% to 100%"


def test_chances_stand_beside_the_segments(engine):
    make_prospects(engine)
    engine.execute("CREATE TABLE made_segments AS SELECT customer_id, 'prospects' AS segment FROM identities")
    found = leads.score_leads(engine, AS_OF, 91, seed=1)
    joined = engine.frame(f"FROM {leads.join_scores(engine, 'made_segments', found)}")
    assert joined["lead_score"].notna().sum() == len(found.scores)
    assert len(joined) == 1_500
    without = engine.frame(f"FROM {leads.join_scores(engine, 'made_segments', None)}")
    assert without["lead_score"].isna().all()


@pytest.mark.parametrize(("by_carts", "tone"), [(True, "good"), (False, "attention")])
def test_what_is_used_is_said(engine, by_carts, tone):
    make_prospects(engine, people=4_000, by_carts=by_carts)
    sentence, told = leads.tell_leads(leads.score_leads(engine, AS_OF, 91, seed=1))
    assert told == tone
    assert ("base rate" in sentence) == (not by_carts)


def test_too_few_first_purchases_teach_nothing(engine):
    make_prospects(engine, people=60)
    with pytest.raises(NothingToDo, match="prospects bought within 91 days"):
        leads.score_leads(engine, AS_OF, 91, seed=1)
