"""Figures against planted truth, where there is any; read after the fact, by nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from crmlib.behaviour.btyd import train_btyd
from crmlib.behaviour.histories import group_histories
from crmlib.behaviour.scoring import score_probabilities
from crmlib.engine import Engine, Step, quote
from crmlib.errors import NothingToDo

_MIN_GAPS = 10

#: Stages of customers who buy in a rhythm, in the order of how late they are.
RHYTHM_STAGES = ("on_rhythm", "due", "late", "at_risk")

#: Metrics as pages name them.
METRIC_NAMES = {
    "alive_auc": "Who is still a customer, ranked above who is not (AUC)",
    "alive_share": "Share who are still customers",
    "mean_p_alive": "Mean chance of being a customer still",
    "regularity_spearman": "Regularity of customers with ten gaps or more (rank correlation)",
    "stage_agreement": "Share in the very stage they are in",
    "overdue_spearman": "How overdue (rank correlation)",
    "late_auc": "Late ones ranked above those in rhythm (AUC)",
    "gone_auc": "Dormant and lost ones ranked the least likely to buy (AUC)",
    "next_28d_auc": "Who buys within 28 days, ranked above who does not (AUC)",
    "next_91d_spearman": "Purchases of the next 91 days (rank correlation)",
    "next_date_spearman": "Date of the next purchase (rank correlation)",
    "residual_spearman": "What customers will buy, as ranked here (rank correlation)",
    "residual_spearman_bg_nbd": "The same, as BG/NBD ranks them (rank correlation)",
}

PERSONS = Step(
    "judged_persons",
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
SELECT customer_id, person_id FROM ranked WHERE place = 1
""",
)
JUDGED = Step(
    "judged_customers",
    """
SELECT v.customer_id, v.p_alive, s.frequency, s.regularity, CAST(b.alive AS BOOLEAN) AS alive, CAST(b.k AS DOUBLE) AS k
FROM customer_value AS v
JOIN judged_persons AS r ON r.customer_id = v.customer_id
JOIN true_behaviour AS b ON b.person_id = r.person_id
JOIN purchase_summary AS s ON s.customer_id = v.customer_id
ORDER BY v.customer_id
""",
)
JUDGED_STAGES = Step(
    "judged_stages",
    """
SELECT l.customer_id, l.stage, l.overdue_percentile, l.next_purchase_median, v.p_buy_28d, v.expected_purchases_91d,
       t.stage AS true_stage, CAST(t.overdue_share AS DOUBLE) AS overdue_share,
       CAST(t.next_purchase_on AS DATE) AS next_purchase_on, CAST(t.purchases_28d AS INTEGER) AS purchases_28d,
       CAST(t.purchases_91d AS INTEGER) AS purchases_91d
FROM lifecycle AS l
JOIN customer_value AS v ON v.customer_id = l.customer_id
JOIN judged_persons AS r ON r.customer_id = l.customer_id
JOIN true_stages AS t ON t.person_id = r.person_id
ORDER BY l.customer_id
""",
)
RANKED = Step(
    "judged_ranking",
    """
SELECT v.customer_id, v.expected_purchases_91d, s.frequency, s.recency, s.T,
       CAST(t.purchases_91d AS INTEGER) AS purchases_91d
FROM customer_value AS v
JOIN purchase_summary AS s ON s.customer_id = v.customer_id
JOIN judged_persons AS r ON r.customer_id = v.customer_id
JOIN true_stages AS t ON t.person_id = r.person_id
ORDER BY v.customer_id
""",
)


def evaluate_all(engine: Engine, people: str | None, behaviour: str | None, stages: str | None) -> pd.DataFrame:
    """All that truth says of this room: behaviour, stages and ranking, one below the other."""
    parts = [
        evaluate_behaviour(engine, people, behaviour),
        evaluate_stages(engine, people, stages),
        evaluate_ranking(engine, people, stages),
    ]
    return pd.concat(parts, ignore_index=True)


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
        return _tabulate({})
    _find_persons(engine, people)
    engine.view("true_behaviour", f"SELECT * FROM {quote(behaviour)}")
    judged = engine.frame(f"SELECT * FROM {engine.run(JUDGED)}")
    alive = judged["alive"].to_numpy().astype(float)
    p_alive = judged["p_alive"].to_numpy(float)
    steady = judged[(judged["frequency"] >= _MIN_GAPS) & judged["regularity"].notna()]
    return _tabulate(
        {
            "alive_auc": (score_probabilities(p_alive, alive)["auc"], len(judged)),
            "alive_share": (alive.mean(), len(judged)),
            "mean_p_alive": (p_alive.mean(), len(judged)),
            "regularity_spearman": (spearmanr(steady["regularity"], steady["k"]).statistic, len(steady)),
        }
    )


def evaluate_stages(engine: Engine, people: str | None, stages: str | None) -> pd.DataFrame:
    """Judge stages and next purchases by planted ones: whether customers are ranked as the truth ranks them.

    Parameters
    ----------
    engine : Engine
        With tables identities, lifecycle, customer_value.
    people : str or None
        Table of the truth: source, source_record_id, person_id.
    stages : str or None
        Table of the truth: person_id, stage, overdue_share, next_purchase_on (date, if nothing more is sent),
        purchases_28d, purchases_91d.

    Returns
    -------
    DataFrame
        Columns metric, value, n of table `evaluation`. stage_agreement: share in the very same stage.
        overdue_spearman, late_auc: of those who truly buy in a rhythm, how they are ranked by lateness, and whether the
        truly late or at risk stand above the others. gone_auc: whether the truly dormant or lost are the least likely
        to buy. next_28d_auc: whether those who buy within 28 days are ranked above the others. next_91d_spearman: rank
        correlation of expected and true purchases. next_date_spearman: of the middle of the window with the true
        date, where that is known. Empty without truth.
    """
    if people is None or stages is None:
        return _tabulate({})
    _find_persons(engine, people)
    engine.view("true_stages", f"SELECT * FROM {quote(stages)}")
    judged = engine.frame(f"SELECT * FROM {engine.run(JUDGED_STAGES)}")
    rhythm = judged[judged["true_stage"].isin(RHYTHM_STAGES) & judged["overdue_percentile"].notna()]
    late = np.asarray(rhythm["true_stage"].isin(RHYTHM_STAGES[2:]), dtype=np.float64)
    gone = np.asarray(judged["true_stage"].isin(["dormant", "lost"]), dtype=np.float64)
    came = np.asarray(judged["purchases_28d"] > 0, dtype=np.float64)
    p_buy = judged["p_buy_28d"].to_numpy(float)
    dated = judged.dropna(subset=["next_purchase_median", "next_purchase_on"])
    dates = [pd.to_datetime(dated[name]).astype("int64") for name in ("next_purchase_median", "next_purchase_on")]
    counted = spearmanr(judged["expected_purchases_91d"], judged["purchases_91d"]).statistic
    return _tabulate(
        {
            "stage_agreement": ((judged["stage"] == judged["true_stage"]).mean(), len(judged)),
            "overdue_spearman": (
                spearmanr(rhythm["overdue_percentile"], rhythm["overdue_share"]).statistic,
                len(rhythm),
            ),
            "late_auc": (score_probabilities(rhythm["overdue_percentile"].to_numpy(float), late)["auc"], len(rhythm)),
            "gone_auc": (score_probabilities(1 - p_buy, gone)["auc"], len(judged)),
            "next_28d_auc": (score_probabilities(p_buy, came)["auc"], len(judged)),
            "next_91d_spearman": (counted, len(judged)),
            "next_date_spearman": (spearmanr(*dates).statistic, len(dated)),
        }
    )


def evaluate_ranking(engine: Engine, people: str | None, stages: str | None) -> pd.DataFrame:
    """Judge how customers are ranked by what they will truly buy, beside lifetimes' BG/NBD on the same histories.

    Parameters
    ----------
    engine : Engine
        With tables identities, purchase_summary, customer_value.
    people, stages : str or None
        Tables of the truth, as of `evaluate_stages`.

    Returns
    -------
    DataFrame
        Columns metric, value, n of table `evaluation`: residual_spearman, residual_spearman_bg_nbd (rank correlation
        with the purchases of the next 91 days). Empty without truth, or where BG/NBD cannot be fitted.
    """
    if people is None or stages is None:
        return _tabulate({})
    _find_persons(engine, people)
    engine.view("true_stages", f"SELECT * FROM {quote(stages)}")
    judged = engine.frame(f"SELECT * FROM {engine.run(RANKED)}")
    try:
        peer = train_btyd(group_histories(judged), "bg_nbd").expected_purchases(judged, 91)
    except NothingToDo:  # there is nothing to compare with
        return _tabulate({})
    ours = spearmanr(judged["expected_purchases_91d"], judged["purchases_91d"]).statistic
    theirs = spearmanr(peer, judged["purchases_91d"]).statistic
    return _tabulate({"residual_spearman": (ours, len(judged)), "residual_spearman_bg_nbd": (theirs, len(judged))})


def _find_persons(engine: Engine, people: str) -> None:
    """Make a table of the person who stands behind most records of each customer."""
    engine.view("true_people", f"SELECT * FROM {quote(people)}")
    engine.run(PERSONS)


def _tabulate(metrics: dict[str, tuple[float, int]]) -> pd.DataFrame:
    rows = [(name, value, n) for name, (value, n) in metrics.items() if not pd.isna(value)]
    return pd.DataFrame(rows, columns=["metric", "value", "n"])
