"""Leads: a prospect's calibrated chance of a first purchase, from registrations, views, carts and carts left behind.

What prospects did up to past dates, and whether they bought after them, teaches a logistic regression; its chances
are judged at the last date whose future is known, against the base rate by how lately a prospect was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from crmlib.engine import Engine, quote
from crmlib.errors import NothingToDo

#: Past dates that teach, at the most, and prospects of each outcome without whom nothing is taught.
ORIGINS, LEAST_CASES = 6, 25
#: Days since a prospect was last seen, by which the plain rule tells its base rates.
SEEN_DAYS = (7, 28, 91, 182, 365)
#: What stands for the days since something that never happened.
NEVER_DAYS = 3650
DRAWS = 1_000
FEATURES = (
    *("known_days", "seen_days", "cart_days", "views_28d", "carts_28d", "abandoned_28d"),
    *("views", "carts", "records"),
)
MODEL, PLAIN_RULE = "leads", "base rate by recency"

_PROSPECTS = """
    WITH people AS (
        SELECT i.customer_id, r.source, CAST(r.created_at AS DATE) AS known_on
        FROM identities AS i
        JOIN source_records AS r ON r.source = i.source AND r.source_record_id = i.source_record_id
        WHERE r.created_at IS NOT NULL AND CAST(r.created_at AS DATE) <= $origin
          AND NOT coalesce(list_contains(r.tags, 'supplier'), false)
    ),
    known AS (
        SELECT customer_id, min(known_on) AS first_known, max(known_on) AS last_known, count(DISTINCT source) AS records
        FROM people
        GROUP BY customer_id
    ),
    done AS (
        SELECT i.customer_id, w.event, CAST(w.happened_at AS DATE) AS happened_on
        FROM web_events AS w
        JOIN identities AS i ON i.source = w.record_source AND i.source_record_id = w.source_record_id
        WHERE CAST(w.happened_at AS DATE) <= $origin
    ),
    counted AS (
        SELECT customer_id, max(happened_on) AS last_event,
               max(CASE WHEN event IN ('cart', 'checkout', 'abandon') THEN happened_on END) AS last_cart,
               count(*) FILTER (WHERE event IN ('view', 'category', 'search')) AS views,
               count(*) FILTER (WHERE event IN ('cart', 'checkout')) AS carts,
               count(*) FILTER (WHERE event IN ('view', 'category', 'search')
                                AND happened_on > $origin::DATE - INTERVAL 28 DAY) AS views_28d,
               count(*) FILTER (WHERE event IN ('cart', 'checkout')
                                AND happened_on > $origin::DATE - INTERVAL 28 DAY) AS carts_28d,
               count(*) FILTER (WHERE event = 'abandon'
                                AND happened_on > $origin::DATE - INTERVAL 28 DAY) AS abandoned_28d
        FROM done
        GROUP BY customer_id
    ),
    bought AS (
        SELECT i.customer_id, min(t.bought_on) AS first_bought_on
        FROM tickets AS t
        JOIN identities AS i ON i.source = t.record_source AND i.source_record_id = t.source_record_id
        WHERE coalesce(t.amount, 1) > 0
        GROUP BY i.customer_id
    )
    SELECT k.customer_id,
           date_diff('day', k.first_known, $origin::DATE) AS known_days,
           date_diff('day', greatest(k.last_known, coalesce(c.last_event, k.last_known)), $origin::DATE) AS seen_days,
           coalesce(date_diff('day', c.last_cart, $origin::DATE), $never) AS cart_days,
           coalesce(c.views_28d, 0) AS views_28d, coalesce(c.carts_28d, 0) AS carts_28d,
           coalesce(c.abandoned_28d, 0) AS abandoned_28d, coalesce(c.views, 0) AS views, coalesce(c.carts, 0) AS carts,
           k.records,
           coalesce(date_diff('day', $origin::DATE, b.first_bought_on) <= $horizon_days, false) AS bought
    FROM known AS k
    LEFT JOIN counted AS c ON c.customer_id = k.customer_id
    LEFT JOIN bought AS b ON b.customer_id = k.customer_id
    WHERE b.first_bought_on IS NULL OR b.first_bought_on > $origin
    ORDER BY k.customer_id
"""


@dataclass(frozen=True)
class Leads:
    """Chances of a first purchase, and how they did.

    Parameters
    ----------
    scores : DataFrame
        customer_id and lead_score (chance of a first purchase within the horizon), a row a prospect.
    judged : DataFrame
        The last date whose future is known: model, log_loss, auc, promised and bought (shares), prospects.
    used : str
        `MODEL` or `PLAIN_RULE`.
    difference : tuple of float
        Log-loss of `MODEL` less that of `PLAIN_RULE`, low and high end of its 95 % interval (paired bootstrap).
    """

    scores: pd.DataFrame
    judged: pd.DataFrame
    used: str
    difference: tuple[float, float, float]


def score_leads(engine: Engine, as_of_date: date, horizon_days: int, seed: int) -> Leads:
    """Give every prospect a chance of a first purchase.

    Parameters
    ----------
    engine : Engine
        With `source_records`, `identities`, `tickets` and `web_events`.
    as_of_date : datetime.date
        Nothing later is read.
    horizon_days : int
        Within which the purchase would come.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Leads
        By the regression where it was surely better than the base rates on the last date judged, else by these.

    Raises
    ------
    NothingToDo
        Where too few prospects bought, or too few did not, for anything to be learnt.
    """
    origins = [as_of_date - timedelta(days=horizon_days * back) for back in range(1, ORIGINS + 1)]
    tested, *taught = [_read_prospects(engine, origin, horizon_days) for origin in origins]
    learnt = pd.concat(taught, ignore_index=True)
    for cases in (tested, learnt):
        if min(cases["bought"].sum(), (~cases["bought"]).sum()) < LEAST_CASES:
            raise NothingToDo(
                f"Leads are scored where at least {LEAST_CASES} prospects bought within {horizon_days} days of a past "
                "date, and as many did not; here there are fewer."
            )
    bought = tested["bought"].to_numpy(float)
    made = {MODEL: _predict(learnt, tested), PLAIN_RULE: _base_rates(learnt, tested)}
    losses = {name: _log_losses(p, bought) for name, p in made.items()}
    difference = _bootstrap(losses[MODEL] - losses[PLAIN_RULE], seed)
    used = MODEL if difference[2] < 0 else PLAIN_RULE
    now = _read_prospects(engine, as_of_date, horizon_days)
    everything = pd.concat([learnt, tested], ignore_index=True)
    chances = _predict(everything, now) if used == MODEL else _base_rates(everything, now)
    return Leads(
        pd.DataFrame({"customer_id": now["customer_id"], "lead_score": chances}),
        pd.DataFrame([_judge(name, made[name], losses[name], bought) for name in made]),
        used,
        difference,
    )


def join_scores(engine: Engine, segmented: str, leads: Leads | None) -> str:
    """Put the chances beside the segments; the name of a view of both, empty where there are none."""
    nobody = pd.DataFrame({"customer_id": pd.Series(dtype="str"), "lead_score": pd.Series(dtype="float64")})
    engine.register("lead_scores", nobody if leads is None else leads.scores)
    return engine.view(
        "segments_scored",
        f"SELECT s.*, l.lead_score FROM {quote(segmented)} AS s LEFT JOIN lead_scores AS l USING (customer_id)",
    )


def tell_leads(leads: Leads) -> tuple[str, str]:
    """Say what scores the leads, and how it did; beside it the tone for `crmlib.report.tables.finding`."""
    auc = leads.judged.set_index("model")["auc"]
    if leads.used == MODEL:
        return (
            f"At the last date judged, what prospects did told later buyers from others surely better (AUC "
            f"{auc[MODEL]:.2f}) than how lately they were seen ({auc[PLAIN_RULE]:.2f}).",
            "good",
        )
    return (
        f"At the last date judged, what prospects did told no more (AUC {auc[MODEL]:.2f}) than how lately they were "
        f"seen ({auc[PLAIN_RULE]:.2f}); the base rate by that is used.",
        "attention",
    )


def summarise_leads(leads: Leads, ends: Sequence[float] = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)) -> pd.DataFrame:
    """Count the prospects by their chance, the likeliest first.

    Returns
    -------
    DataFrame
        chance (band in words), prospects, expected (first purchases).
    """
    band = pd.cut(leads.scores["lead_score"], list(ends), include_lowest=True)
    counted = leads.scores.groupby(band, observed=False)["lead_score"].agg(["size", "sum"])[::-1]
    return pd.DataFrame(
        {
            "chance": [f"{band.left if band.left > 0 else 0:.0%} to {band.right:.0%}" for band in counted.index],
            "prospects": counted["size"].to_numpy(),
            "expected": counted["sum"].to_numpy(),
        }
    )


def _read_prospects(engine: Engine, origin: date, horizon_days: int) -> pd.DataFrame:
    found = engine.frame(_PROSPECTS, origin=origin, horizon_days=horizon_days, never=NEVER_DAYS)
    return found.astype({"bought": bool} | dict.fromkeys(FEATURES, float))


def _predict(learnt: pd.DataFrame, prospects: pd.DataFrame) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    model.fit(_regressors(learnt), learnt["bought"].to_numpy())
    chances: np.ndarray = model.predict_proba(_regressors(prospects))[:, 1]
    return chances


def _regressors(prospects: pd.DataFrame) -> np.ndarray:
    """The features' logarithms; and the bands of days, so that the chance need not fall evenly with them."""
    bands = [prospects[name].to_numpy(float)[:, None] <= np.array(SEEN_DAYS) for name in ("seen_days", "cart_days")]
    return np.hstack([np.log1p(prospects[list(FEATURES)].to_numpy(float)), *bands])


def _base_rates(learnt: pd.DataFrame, prospects: pd.DataFrame) -> np.ndarray:
    """Share that bought among those seen as lately, drawn a little to the share of all."""
    bands, asked = (np.searchsorted(SEEN_DAYS, cases["seen_days"]) for cases in (learnt, prospects))
    overall = learnt["bought"].mean()
    buyers = np.bincount(bands, weights=learnt["bought"], minlength=len(SEEN_DAYS) + 1)
    cases = np.bincount(bands, minlength=len(SEEN_DAYS) + 1)
    rates: np.ndarray = ((buyers + overall) / (cases + 1))[asked]
    return rates


def _log_losses(p: np.ndarray, bought: np.ndarray) -> np.ndarray:
    held = np.clip(p, 1e-6, 1 - 1e-6)
    losses: np.ndarray = -(bought * np.log(held) + (1 - bought) * np.log(1 - held))
    return losses


def _judge(name: str, p: np.ndarray, losses: np.ndarray, bought: np.ndarray) -> dict[str, object]:
    from sklearn.metrics import roc_auc_score

    return {
        "model": name,
        "log_loss": losses.mean(),
        "auc": roc_auc_score(bought, p),
        "promised": p.mean(),
        "bought": bought.mean(),
        "prospects": len(p),
    }


def _bootstrap(difference: np.ndarray, seed: int) -> tuple[float, float, float]:
    random = np.random.default_rng(seed)
    means = [difference[random.integers(0, len(difference), len(difference))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(difference.mean()), float(low), float(high)
