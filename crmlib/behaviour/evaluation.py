"""Figures against planted truth, where there is any; read after the fact, by nothing else."""

from __future__ import annotations

import pandas as pd
from scipy.stats import spearmanr

from crmlib.behaviour.backtest import score_probabilities
from crmlib.engine import Engine, Step, quote

_MIN_GAPS = 10

JUDGED = Step(
    "judged_customers",
    """
WITH held AS (
    SELECT i.customer_id, t.person_id, count(*) AS records
    FROM identities AS i
    JOIN true_people AS t ON t.source = i.source AND t.source_record_id = i.source_record_id
    GROUP BY i.customer_id, t.person_id
),
ranked AS (
    SELECT customer_id, person_id,
           row_number() OVER (PARTITION BY customer_id ORDER BY records DESC, person_id) AS place
    FROM held
)
SELECT v.customer_id, v.p_alive, s.frequency, s.regularity, CAST(b.alive AS BOOLEAN) AS alive, CAST(b.k AS DOUBLE) AS k
FROM customer_value AS v
JOIN ranked AS r ON r.customer_id = v.customer_id AND r.place = 1
JOIN true_behaviour AS b ON b.person_id = r.person_id
JOIN purchase_summary AS s ON s.customer_id = v.customer_id
ORDER BY v.customer_id
""",
)


def evaluate_behaviour(engine: Engine, people: str | None, behaviour: str | None) -> pd.DataFrame:
    """Judge P(alive) and each customer's own regularity by planted dropout and k.

    Parameters
    ----------
    engine : Engine
        With tables identities, purchase_summary, customer_value.
    people : str or None
        Table of the truth: source, source_record_id, person_id.
    behaviour : str or None
        Table of the truth: person_id, k, alive.

    Returns
    -------
    DataFrame
        Columns metric, value, n of table `evaluation`: alive_auc, alive_share, mean_p_alive, regularity_spearman
        (of customers with ten gaps or more). Empty without truth.
    """
    if people is None or behaviour is None:
        return pd.DataFrame(columns=["metric", "value", "n"])
    engine.view("true_people", f"SELECT * FROM {quote(people)}")
    engine.view("true_behaviour", f"SELECT * FROM {quote(behaviour)}")
    judged = engine.frame(f"SELECT * FROM {engine.run(JUDGED)}")
    alive = judged["alive"].to_numpy().astype(float)
    p_alive = judged["p_alive"].to_numpy(float)
    steady = judged[(judged["frequency"] >= _MIN_GAPS) & judged["regularity"].notna()]
    metrics = {
        "alive_auc": (score_probabilities(p_alive, alive)["auc"], len(judged)),
        "alive_share": (alive.mean(), len(judged)),
        "mean_p_alive": (p_alive.mean(), len(judged)),
        "regularity_spearman": (spearmanr(steady["regularity"], steady["k"]).statistic, len(steady)),
    }
    rows = pd.DataFrame([(name, value, n) for name, (value, n) in metrics.items()], columns=["metric", "value", "n"])
    return rows.dropna(subset="value").reset_index(drop=True)
