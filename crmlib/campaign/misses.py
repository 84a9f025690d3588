"""By how much whole cohorts may buy more or less than is expected of them, learnt where it was seen before.

At an earlier origin o cohort c bought exp(y) times what had been expected of it:

    y(o, c) = w(c) b(c) + s(o) + w(c) e(o, c) + unrest(o) + chance

- b, of spread `lasting`, is how far the model is off for a cohort at every origin: what is known of it corrects the
  forecast, as far as origins agree;
- s, of spread `shared`, takes all cohorts of an origin along;
- e, of spread `passing`, is a cohort's own at one origin;
- unrest is that of single weeks, which is no cohort's; its variance is known, and it is drawn apart (`draw_unrest`);
- chance is that of single customers, whose variance is known, too.

What a model knows of a customer without his own purchases is its population's; that it is off there weighs by
w = r / (r + k x), the part that the population has in the expectation of a customer with x repeat purchases. All is
normal. Seen are the near days of a horizon. The same is thought of the tilt: by how much more a cohort was off on the
far days than on the near ones. It is none on the first days, grows as a straight line through the middle of the far
ones up to the end of the horizon, and stays beyond it: what wanders is sure of tomorrow, and not of the next quarter.

A few origins tell little of the three spreads, so they are not estimated but drawn from their posterior; before
anything was seen each step of their logarithms is as likely as any other, and none at all, too.

References
----------
Gelman et al. (2013), Bayesian Data Analysis, chapter 5: spreads of hierarchical normal models on a grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from crmlib.behaviour.cohorts import COHORTS
from crmlib.behaviour.integrals import Floats
from crmlib.campaign.chance import MISS, TILT, derive_keys, draw_uniforms, replicate_key
from crmlib.campaign.posterior import Rhythm
from crmlib.campaign.season import WEEK
from crmlib.engine import Engine

#: Spreads that are looked at, from none to a factor of e.
SPREADS = np.concatenate([[0.0], np.geomspace(0.005, 1.0, 13)])
#: Largest factor, either way, by which a cohort may be off.
MOST_OFF = 3.0

# The near days are those of the horizon that is nearest to a third of the longest, so that far ones weigh alike.
_SEEN = """
    WITH ends AS (
        SELECT *, max(horizon) OVER (PARTITION BY origin) AS days FROM cohort_misses
    ),
    nears AS (
        SELECT *, row_number() OVER (PARTITION BY origin, cohort ORDER BY abs(3 * horizon - days), horizon) AS place
        FROM ends
    )
    SELECT dense_rank() OVER (ORDER BY n.origin) AS origin, n.cohort, n.days, n.horizon AS near,
           n.expected AS expected_near, n.happened AS happened_near, n.chance AS chance_near,
           w.expected - n.expected AS expected_far, w.happened - n.happened AS happened_far,
           sqrt(greatest(w.chance * w.chance - n.chance * n.chance, w.happened - n.happened, 0)) AS chance_far
    FROM nears AS n
    JOIN ends AS w ON w.origin = n.origin AND w.cohort = n.cohort AND w.horizon = w.days
    WHERE n.place = 1
    ORDER BY n.origin, n.cohort
"""


@dataclass(frozen=True)
class Misses:
    """What may come of cohorts, in logarithms of what is expected: normal, under each of several spreads.

    Parameters
    ----------
    chances : ndarray, G
        Of the spreads.
    level : ndarray, G × cohorts
        Mean.
    root : ndarray, G × cohorts × cohorts
        Cholesky factor of the covariance.
    """

    chances: Floats
    level: Floats
    root: Floats

    @property
    def mean(self) -> Floats:
        """Of each cohort, over all spreads."""
        mean: Floats = self.chances @ self.level
        return mean

    @property
    def spread(self) -> Floats:
        """Standard deviation of each cohort, over all spreads."""
        second = np.square(self.root).sum(axis=2) + np.square(self.level)
        spread: Floats = np.sqrt(self.chances @ second - np.square(self.mean))
        return spread


@dataclass(frozen=True)
class CohortMisses:
    """By how much cohorts may be off.

    Parameters
    ----------
    level : Misses
        On the near days of a horizon.
    tilt : Misses
        On its far days more than on those.
    near, days : float
        How many days are near, and how many the horizon has.
    """

    level: Misses
    tilt: Misses
    near: float
    days: float


def no_misses() -> Misses:
    """Where nothing was seen, nothing is known."""
    number = len(COHORTS)
    return Misses(np.ones(1), np.zeros((1, number)), np.zeros((1, number, number)))


def never_off() -> CohortMisses:
    """Cohorts that buy as is expected of them."""
    return CohortMisses(no_misses(), no_misses(), 0.0, 1.0)


def estimate_misses(engine: Engine, rhythm: Rhythm, unrest: float = 0.0) -> CohortMisses:
    """Learn how far off room 06 may be from how far off it was.

    Parameters
    ----------
    engine : Engine
        Holds `cohort_misses`.
    rhythm : Rhythm
        Of which the population's part in an expectation is taken.
    unrest : float
        Of `estimate_unrest`.
    """
    seen = engine.frame(_SEEN)
    if seen.empty:
        return never_off()
    weight = rhythm.r / (rhythm.r + rhythm.k * np.array(list(COHORTS), float))
    weekly = unrest**2 * WEEK
    level = condition(*_measure(seen, "near"), weekly / seen["near"].to_numpy(float), *_place(seen), weight)
    tilted, longest = seen[seen["near"] < seen["days"]], seen.sort_values("days").iloc[-1]
    if tilted.empty:
        return CohortMisses(level, no_misses(), float(longest["near"]), float(longest["days"]))
    near, near_noise = _measure(tilted, "near")
    far, far_noise = _measure(tilted, "far")
    longer = longest["days"] / tilted["days"].to_numpy(float)
    noise = (near_noise + far_noise) * np.square(longer)
    days_near, days_far = (part.to_numpy(float) for part in (tilted["near"], tilted["days"] - tilted["near"]))
    of_weeks = weekly * (1 / days_near + 1 / days_far) * np.square(longer)
    tilt = condition((far - near) * longer, noise, of_weeks, *_place(tilted), weight)
    return CohortMisses(level, tilt, float(longest["near"]), float(longest["days"]))


def _measure(seen: pd.DataFrame, part: str) -> tuple[Floats, Floats]:
    """By how much cohorts were off in some part of the horizon, in logarithms, and its variance by chance."""
    expected, happened, chance = (
        seen[f"{name}{part}"].to_numpy(float) for name in ("expected_", "happened_", "chance_")
    )
    return np.log1p(happened) - np.log1p(expected), np.square(chance / np.maximum((expected + happened) / 2, 1.0))


def _place(seen: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    cohort = np.array([list(COHORTS.values()).index(name) for name in seen["cohort"]])
    return seen["origin"].to_numpy(np.int64), cohort


def condition(
    off: Floats, noise: Floats, unrest: Floats, origin: NDArray[np.int64], cohort: NDArray[np.int64], weight: Floats
) -> Misses:
    """What may come of each cohort at one more origin, given what was seen.

    Parameters
    ----------
    off, noise : ndarray
        Seen, and its variance by chance.
    unrest : ndarray
        Its variance by the unrest of weeks, which all cohorts of an origin share.
    origin, cohort : ndarray
        Of each, by number.
    weight : ndarray
        Of each cohort.
    """
    own = np.diag(weight**2)
    own_seen = own[cohort][:, cohort]
    together = (origin[:, None] == origin[None, :]) * 1.0
    spreads = np.stack(np.meshgrid(SPREADS, SPREADS, SPREADS, indexing="ij"), axis=-1).reshape(-1, 3)
    lasting, shared, passing = (np.square(column)[:, None, None] for column in spreads.T)
    known = unrest * together + np.diag(noise + 1e-9)
    covariance = lasting * own_seen + shared * together + passing * own_seen * together + known
    _, logdet = np.linalg.slogdet(covariance)
    ahead = lasting * own[:, cohort]
    solved = np.linalg.solve(covariance, np.concatenate([np.broadcast_to(off[:, None], (len(spreads), len(off), 1)),
                                                         np.swapaxes(ahead, 1, 2)], axis=2))  # fmt: skip
    fit = -0.5 * (logdet + solved[:, :, 0] @ off)
    chances = np.exp(fit - fit.max())
    level = ahead @ solved[:, :, :1]
    rest = (lasting + passing) * own + shared - ahead @ solved[:, :, 1:]
    root = np.linalg.cholesky(rest + 1e-12 * np.eye(len(weight)))
    return Misses(chances / chances.sum(), level[:, :, 0], root)


def draw_levels(misses: CohortMisses, seed: int, replicate: int) -> Floats:
    """Draw by which factor each cohort buys more or less than expected in one replicate: on average, by its level."""
    mean, stray, variance = _draw(misses.level, seed, replicate, MISS)
    return _bound(mean + stray - variance / 2)


def draw_tilts(misses: CohortMisses, days: int, seed: int, replicate: int) -> Floats:
    """Draw by which factor each cohort buys more or less on each day ahead than on the near days.

    Returns
    -------
    ndarray, cohorts × days
    """
    mean, stray, variance = (part[:, None] for part in _draw(misses.tilt, seed, replicate, TILT))
    middle = misses.days / 2  # as far as the middle of the far days lies from that of the near ones
    ahead = np.clip((np.minimum(np.arange(days) + 0.5, misses.days) - misses.near / 2) / middle, 0.0, None)
    return _bound((mean + stray) * ahead - variance * np.square(ahead) / 2)


def _bound(off: Floats) -> Floats:
    most = np.log(MOST_OFF)
    factor: Floats = np.exp(np.clip(off, -most, most))
    return factor


def _draw(misses: Misses, seed: int, replicate: int, stream: int) -> tuple[Floats, Floats, Floats]:
    """Draw a logarithm for each cohort: its mean, by how much it strays from it, and the variance of that."""
    number = misses.level.shape[1]
    uniform = draw_uniforms(derive_keys(replicate_key(seed, replicate), np.arange(number + 1, dtype=np.uint64)), stream)
    which = min(int(np.searchsorted(np.cumsum(misses.chances), uniform[-1])), len(misses.chances) - 1)
    root = misses.root[which]
    return misses.level[which], root @ ndtri(uniform[:-1]), np.square(root).sum(axis=1)
