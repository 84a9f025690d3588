"""What a randomised comparison says: the lift, its interval, what it could have shown, and whether it was fair."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep  # type: ignore[import-untyped]  # ships none

#: Below this p-value the split was not the planned one, and the comparison is not fair.
SUSPICIOUS = 0.001
POWER = 0.8


class Lift(NamedTuple):
    """Difference of treatment and control, with its interval."""

    lift: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class Sample:
    """What is known of one group: how many people, the sum and the sum of squares of their values."""

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """Mean of the values."""
        return self.total / self.n if self.n else math.nan

    @property
    def variance(self) -> float:
        """Variance of the values, unbiased; never below 0 by rounding."""
        return max(0.0, (self.squares - self.n * self.mean**2) / (self.n - 1)) if self.n > 1 else math.nan


@dataclass(frozen=True)
class Arm:
    """One group's values, those of the same people before, and the sum of the products of both."""

    after: Sample
    before: Sample
    products: float

    @property
    def covariance(self) -> float:
        """Covariance of before and after, unbiased."""
        n = self.after.n
        return (self.products - n * self.after.mean * self.before.mean) / (n - 1) if n > 1 else math.nan


def adjust_for_before(treated: Arm, control: Arm) -> tuple[Sample, Sample]:
    """Take off what the people's earlier values explain, as far as both groups agree on it (CUPED).

    Parameters
    ----------
    treated, control : Arm
        Of at least two people each.

    Returns
    -------
    (Sample, Sample)
        Values after, less theta times the distance of the values before from their common mean. The difference of the
        means estimates the same lift, without the chance by which one group bought more already, and varies less.

    References
    ----------
    Deng, A., Xu, Y., Kohavi, R., Walker, T. (2013). Improving the sensitivity of online controlled experiments by
    utilizing pre-experiment data, eqs. 4 and 5.
    """
    theta, common = find_theta(treated, control)
    return free_of_before(treated, theta, common), free_of_before(control, theta, common)


def find_theta(treated: Arm, control: Arm) -> tuple[float, float]:
    """What one more before is worth after, within the groups, and the mean before of all."""
    arms = (treated, control)
    freedom = [arm.after.n - 1 for arm in arms]
    variance = sum(df * arm.before.variance for df, arm in zip(freedom, arms, strict=True))
    covariance = sum(df * arm.covariance for df, arm in zip(freedom, arms, strict=True))
    theta = covariance / variance if variance > 0 else 0.0
    return theta, sum(arm.before.total for arm in arms) / sum(arm.before.n for arm in arms)


def free_of_before(arm: Arm, theta: float, common: float) -> Sample:
    """Values after, less theta times the distance of the values before from their common mean."""
    n = arm.after.n
    mean = arm.after.mean - theta * (arm.before.mean - common)
    variance = arm.after.variance - 2 * theta * arm.covariance + theta**2 * arm.before.variance
    return Sample(n, n * mean, (n - 1) * max(0.0, variance) + n * mean**2)


def estimate_rate_lift(treated: Sample, control: Sample, confidence: float = 0.95) -> Lift:
    """Estimate the difference of two shares of people.

    Parameters
    ----------
    treated, control : Sample
        Of values 0 and 1.
    confidence : float

    Returns
    -------
    Lift
        Newcombe's hybrid score interval, which also holds where shares are near 0 and groups are small.

    References
    ----------
    Newcombe, R. (1998). Interval estimation for the difference between independent proportions, method 10.
    """
    low, high = confint_proportions_2indep(
        treated.total, treated.n, control.total, control.n, method="newcomb", alpha=1 - confidence
    )
    error = math.sqrt(sum(group.mean * (1 - group.mean) / group.n for group in (treated, control)))
    return Lift(treated.mean - control.mean, float(low), float(high), error)


def estimate_mean_lift(treated: Sample, control: Sample, confidence: float = 0.95) -> Lift:
    """Estimate the difference of two means per person.

    Parameters
    ----------
    treated, control : Sample
        Of at least two people each.
    confidence : float

    Returns
    -------
    Lift
        Welch's interval: the groups may vary differently.

    References
    ----------
    Welch, B. L. (1947). The generalization of "Student's" problem when several different population variances are
    involved, eq. 28 (degrees of freedom).
    """
    parts = [group.variance / group.n for group in (treated, control)]
    error = math.sqrt(sum(parts))
    lift = treated.mean - control.mean
    if error == 0:
        return Lift(lift, lift, lift, 0.0)
    freedom = sum(parts) ** 2 / sum(
        part**2 / (group.n - 1) for part, group in zip(parts, (treated, control), strict=True)
    )
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Lift(lift, lift - reach, lift + reach, error)


def detectable_effect(standard_deviation: float, treated: int, control: int, confidence: float = 0.95) -> float:
    """Find the smallest lift that groups of these sizes show four times out of five.

    Parameters
    ----------
    standard_deviation : float
        Of the values of a person in control.
    treated, control : int
        People.
    confidence : float

    Returns
    -------
    float
        Minimum detectable effect at 80 % power, two-sided, in the values' unit.
    """
    return power_reach(confidence) * standard_deviation * math.sqrt(1 / treated + 1 / control)


def power_reach(confidence: float = 0.95) -> float:
    """How many standard errors a lift must have to be found four times out of five."""
    return float(stats.norm.ppf((1 + confidence) / 2) + stats.norm.ppf(POWER))


def check_sample_ratio(treated: int, control: int, control_share: float) -> float:
    """Test whether people were split as planned.

    Parameters
    ----------
    treated, control : int
        People found in each group.
    control_share : float
        Planned share of control, between 0 and 1.

    Returns
    -------
    float
        p-value of the chi-square test; below `SUSPICIOUS` something else than chance made the groups.
    """
    people = treated + control
    expected = [people * (1 - control_share), people * control_share]
    return float(stats.chisquare([treated, control], expected).pvalue)


def check_balance(treated: Sample, control: Sample) -> float:
    """Test whether the groups were alike before the campaign; p-value of Welch's test."""
    lift = estimate_mean_lift(treated, control)
    if lift.standard_error == 0:
        return 1.0
    return float(2 * stats.norm.sf(abs(lift.lift) / lift.standard_error))
