"""Every model that competes, asked at the same past dates and today: chances and counts by horizon.

The three of lifetimes speak as they are fitted. The rhythm models' chances are calibrated on an earlier origin; the
plain rule, the trees and the blend learn from earlier origins alone, and are silent where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from crmlib.behaviour.btyd import BTYD_MODELS, train_btyd
from crmlib.behaviour.churn import (
    HIATUS_RULE,
    CalibratedModel,
    Calibration,
    HiatusRule,
    calibrate,
    train_calibration,
    train_hiatus_rule,
)
from crmlib.behaviour.histories import PurchaseModel, group_histories
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.mixture import train_mixture
from crmlib.behaviour.origins import Sample, find_earlier
from crmlib.behaviour.rhythm import train_rhythm
from crmlib.behaviour.trees import Trees, train_trees
from crmlib.behaviour.windows import AS_TOLD, WindowCalibration, train_window
from crmlib.errors import NothingToDo

RHYTHM, MIXTURE, SEASON, TREES, BLEND = "mbg_cnbd_k", "rhythm_mixture", "rhythm_season", "trees", "blend"
#: Models by the name they bear in tables.
MODELS = (*BTYD_MODELS, RHYTHM, MIXTURE, SEASON, HIATUS_RULE, TREES, BLEND)
_PARETO = "pareto_nbd"
#: Of the blend, once trees and the rule have learnt from a whole horizon; the rule's chances know too little.
_BLENDED_COUNTS = (_PARETO, MIXTURE, SEASON, HIATUS_RULE, TREES)
_BLENDED_CHANCES = (_PARETO, MIXTURE, SEASON, TREES)
_TINY, _LEAST = 1e-4, 1e-3


class Forecaster:
    """Trains models at origins when they are asked for, each once.

    Parameters
    ----------
    samples : sequence of Sample
        Oldest first; a forecast made at an origin learns only from those that had ended by then.
    horizons_days : sequence of int
        Ascending.
    days_per_unit : float
        Unit in which models are trained.
    seed : int
        Of the trees.
    with_counts : bool
        Whether counts are wanted beside chances.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        horizons_days: Sequence[int],
        days_per_unit: float,
        seed: int,
        with_counts: bool = True,
    ) -> None:
        self.samples = samples
        self.horizons_days = list(horizons_days)
        self.days_per_unit = days_per_unit
        self.seed = seed
        self.with_counts = with_counts
        self._models: dict[tuple[str, object, int], PurchaseModel] = {}
        self._forecasts: dict[tuple[str, object, int], pd.DataFrame] = {}
        self._taught_days = self.horizons_days  # which trees learn
        self._trees: dict[tuple[object, int], Trees] = {}

    def forecast(self, name: str, at: Sample) -> pd.DataFrame:
        """What a model says at a sample's origin.

        Parameters
        ----------
        name : str
            One of `MODELS`.
        at : Sample
            Its outcome is not looked at; horizons beyond its own are cut.

        Returns
        -------
        DataFrame
            p_buy_<days>d and, if wanted, expected_purchases_<days>d by horizon, on the index of the sample's frame.
            A longer horizon never has less. Chances are calibrated apart from counts.

        Raises
        ------
        NothingToDo
            If the model cannot be fitted, or has nothing to learn from.
        """
        key = (name, at.origin, at.horizon_days)
        if key not in self._forecasts:
            makers: Mapping[str, Callable[[Sample], tuple[dict[int, Floats], dict[int, Floats]]]] = {
                SEASON: self._ask_in_season,
                HIATUS_RULE: self._ask_rule,
                TREES: self._ask_trees,
                BLEND: self._ask_blend,
            }
            chances, counts = makers[name](at) if name in makers else self._ask_model(name, at)
            self._forecasts[key] = _tabulate(chances, counts, at.frame.index)
        return self._forecasts[key]

    def for_chances(self, horizons_days: Sequence[int]) -> Forecaster:
        """One with the same trained models, for the chances of some of the horizons; it has not been asked yet."""
        other = Forecaster(self.samples, horizons_days, self.days_per_unit, self.seed, with_counts=False)
        other._models, other._trees, other._taught_days = self._models, self._trees, self._taught_days
        return other

    def learns_whole(self, at: Sample) -> bool:
        """Whether a sample as long as the longest horizon had ended by a sample's origin."""
        earlier = find_earlier(self.samples, at.origin, max(self.horizons_days))
        return bool(earlier) and earlier[-1].horizon_days == max(self.horizons_days)

    def model(self, name: str, at: Sample) -> PurchaseModel:
        """The purchase model of a name, as trained at a sample's origin."""
        key = (name, at.origin, at.horizon_days)
        if key not in self._models:
            if name == MIXTURE:
                self._models[key] = train_mixture(at.frame, self.days_per_unit)
            else:
                grouped = group_histories(at.frame)
                self._models[key] = (
                    train_rhythm(grouped, self.days_per_unit)
                    if name == RHYTHM
                    else train_btyd(grouped, name, self.days_per_unit)
                )
        return self._models[key]

    def calibrations(self, name: str, at: Sample) -> dict[int, Calibration]:
        """Calibration of a model's chances at each horizon, learnt at the latest sample that had ended by then."""
        earlier = find_earlier(self.samples, at.origin, max(self.horizons_days))
        if not earlier:
            return {days: Calibration() for days in self.horizons_days}
        taught = earlier[-1]
        model = self.model(name, taught)
        return {days: calibrate(model, taught.frame, taught.days(days), at.days(days)) for days in self.horizons_days}

    def window(self, name: str, at: Sample) -> WindowCalibration:
        """Calibration of a model's next purchase, learnt at the latest sample that had ended by then."""
        earlier = find_earlier(self.samples, at.origin, max(self.horizons_days))
        if not earlier:
            return AS_TOLD
        return train_window(self.model(name, earlier[-1]), earlier[-1].frame, earlier[-1].horizon_days)

    def trees(self, at: Sample) -> Trees:
        """Trees grown on the samples that had ended by a sample's origin."""
        key = (at.origin, at.horizon_days)
        if key not in self._trees:
            earlier = find_earlier(self.samples, at.origin, max(self._taught_days))
            taught = [(sample, self.model(RHYTHM, sample)) for sample in earlier]
            self._trees[key] = train_trees(taught, self._taught_days, self.seed)
        return self._trees[key]

    def _ask_model(self, name: str, at: Sample) -> tuple[dict[int, Floats], dict[int, Floats]]:
        outlook = self.model(name, at).outlook(at.frame)
        chances = {days: outlook.p_buy(at.days(days)) for days in self.horizons_days}
        counts = self._count(lambda days: outlook.expected_purchases(at.days(days)))
        if name not in BTYD_MODELS:
            learnt = self.calibrations(name, at)
            chances = {days: learnt[days].apply(p, at.frame) for days, p in chances.items()}
        return chances, counts

    def _ask_in_season(self, at: Sample) -> tuple[dict[int, Floats], dict[int, Floats]]:
        """The mixture over operational days: the horizon is as long as it is busy in the customer's store."""
        if at.season is None or not at.season.knows_year:
            raise NothingToDo("The history is too short to tell the times of the year.")
        model = self.model(MIXTURE, at)
        ahead = {days: at.operational_days(days) for days in self.horizons_days}
        chances = {days: model.p_buy(at.frame, ahead[days]) for days in self.horizons_days}
        earlier = find_earlier(self.samples, at.origin, max(self.horizons_days))
        if earlier:
            taught, then = earlier[-1], self.model(MIXTURE, earlier[-1])
            for days in self.horizons_days:
                p = then.p_buy(taught.frame, taught.operational_days(days))
                bought = taught.frame["next_purchase_days"].le(taught.days(days))
                learnt = train_calibration(p, taught.frame, bought, taught.days(days) / at.days(days))
                chances[days] = learnt.apply(chances[days], at.frame)
        return chances, self._count(lambda days: model.expected_purchases(at.frame, ahead[days]))

    def _ask_rule(self, at: Sample) -> tuple[dict[int, Floats], dict[int, Floats]]:
        earlier = find_earlier(self.samples, at.origin, max(self.horizons_days))
        if not earlier:
            raise NothingToDo("The history holds no earlier date from which the plain rule could learn.")
        taught = earlier[-1]
        rules: dict[int, HiatusRule] = {
            days: train_hiatus_rule(taught.frame, taught.frame["next_purchase_days"].le(taught.days(days)))
            for days in self.horizons_days
        }
        longest = rules[max(rules)]
        chances = {days: rule.p_buy(at.frame) for days, rule in rules.items()}
        return chances, self._count(lambda days: longest.expected_purchases(at.frame, at.days(days)))

    def _ask_trees(self, at: Sample) -> tuple[dict[int, Floats], dict[int, Floats]]:
        trees, model, longest = self.trees(at), self.model(RHYTHM, at), max(self.horizons_days)
        chances = {days: trees.p_buy(at.frame, model, days, at.days(days)) for days in self.horizons_days}
        if not self.with_counts:
            return chances, {}
        outlook = model.outlook(at.frame)
        by_rhythm = self._count(lambda days: np.maximum(outlook.expected_purchases(at.days(days)), _TINY))
        most = trees.expected_purchases(at.frame, model, at.days(longest))
        return chances, {days: most * counts / by_rhythm[longest] for days, counts in by_rhythm.items()}

    def _ask_blend(self, at: Sample) -> tuple[dict[int, Floats], dict[int, Floats]]:
        """Geometric means of odds and means of counts, of those members that have something to say.

        The rule, which takes the pace of a few days for one that lasts, counts for no more than the highest of the
        others. Before trees and the rule have seen a whole horizon, the mixture and Pareto/NBD, whose customers leave
        in their own time, are blended alone.
        """
        whole = self.learns_whole(at)
        odds_of = self._speak(_BLENDED_CHANCES if whole else (_PARETO, MIXTURE), at)
        counts_of = self._speak(_BLENDED_COUNTS, at) if whole else odds_of

        def mean_chance(days: int) -> Floats:
            odds = [logit(np.clip(part[f"p_buy_{days}d"], _TINY, 1 - _TINY)) for part in odds_of.values()]
            mean: Floats = expit(np.mean(odds, axis=0))
            return mean

        def mean_count(days: int) -> Floats:
            expected = {name: part[f"expected_purchases_{days}d"].to_numpy() for name, part in counts_of.items()}
            if not whole:
                geometric: Floats = np.exp(np.mean([np.log(np.maximum(e, _LEAST)) for e in expected.values()], axis=0))
                return geometric
            if HIATUS_RULE in expected and len(expected) > 1:
                highest = np.max([part for name, part in expected.items() if name != HIATUS_RULE], axis=0)
                expected[HIATUS_RULE] = np.minimum(expected[HIATUS_RULE], highest)
            mean: Floats = np.mean(list(expected.values()), axis=0)
            return mean

        return {days: mean_chance(days) for days in self.horizons_days}, self._count(mean_count)

    def _speak(self, names: Sequence[str], at: Sample) -> dict[str, pd.DataFrame]:
        """What those of the models say that can be fitted."""
        said, silent = {}, []
        for name in names:
            try:
                said[name] = self.forecast(name, at)
            except NothingToDo as nothing:
                silent.append(nothing)
        if not said:
            raise silent[0]
        return said

    def _count(self, expect: Callable[[int], Floats]) -> dict[int, Floats]:
        return {days: expect(days) for days in self.horizons_days} if self.with_counts else {}


def train_cycle_model(forecaster: Forecaster, now: Sample) -> CalibratedModel:
    """The model of the purchase cycle today: the rhythm model with its calibration, MBG/NBD where it finds no optimum.

    Raises
    ------
    NothingToDo
        If neither can be fitted.
    """
    try:
        return _calibrate_cycle(forecaster, RHYTHM, now)
    except NothingToDo:
        return _calibrate_cycle(forecaster, "mbg_nbd", now)


def _calibrate_cycle(forecaster: Forecaster, name: str, now: Sample) -> CalibratedModel:
    model = forecaster.model(name, now)
    return CalibratedModel(model, forecaster.calibrations(name, now), forecaster.window(name, now))


def _tabulate(chances: Mapping[int, Floats], counts: Mapping[int, Floats], index: pd.Index) -> pd.DataFrame:
    made = pd.DataFrame(index=index)
    least, fewest = np.zeros(len(index)), np.zeros(len(index))
    for days in sorted(chances):
        least = np.maximum(least, chances[days])
        made[f"p_buy_{days}d"] = least
    for days in sorted(counts):
        fewest = np.maximum(fewest, counts[days])
        made[f"expected_purchases_{days}d"] = fewest
    return made
