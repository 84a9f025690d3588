"""Measured lifts against those that were planted."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pandas as pd

from crmlib.campaign.evaluation import evaluate_effects
from tests.campaign.made_sends import buy, measure, send
from tests.made_tables import at


def test_planted_effects_are_found_and_covered(engine):
    """Twelve campaigns of a thousand people: intervals of purchases hold the planted lift, pooled."""
    rng = np.random.default_rng(3)
    sends, tickets, truth = [], [], []
    rates = rng.gamma(0.6, 0.5, 1_000)
    for campaign in range(12):
        effect = [0.0, 0.15, 0.3][campaign % 3]
        start = at("2025-01-01") + timedelta(days=50 * campaign)
        truth.append({"campaign_id": f"c{campaign}", "outcome": "purchases", "days": "14", "lift": effect})
        for person, control in enumerate(rng.random(1_000) < 0.2):
            row = send(f"p{person:04d}", "control" if control else "treatment", f"c{campaign}", eligible_at=start)
            sends.append(row)
            number = rng.poisson(rates[person]) + (0 if control else rng.poisson(effect))
            for place in range(number):
                when = start + timedelta(days=float(rng.random() * 13.9))
                bought = {"ticket_id": f"{campaign} {person} {place}", "bought_at": when, "bought_on": when.date()}
                tickets.append(buy(f"p{person:04d}", 0) | bought)
    results = measure(engine, sends, tickets)
    engine.register("truth_effects", pd.DataFrame(truth))
    judged = evaluate_effects(engine, results, "truth_effects", 14).set_index("metric")
    assert judged.loc["effects_coverage", "n"] == 12
    assert judged.loc["effects_coverage", "value"] >= 10 / 12
    assert abs(judged.loc["effects_bias", "value"]) < 3.3 / math.sqrt(12)
    assert judged.loc["effects_sign"].tolist() == [1.0, 8]
    assert evaluate_effects(engine, results, "truth_effects", 28)["n"].tolist() == [0, 0, 0]
    assert evaluate_effects(engine, results, None, 14).empty
