"""The exact choice by HiGHS, for small bases and as the judge of the prices' one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crmlib.errors import CrmError

if TYPE_CHECKING:
    from crmlib.campaign.optimise import Problem

#: Relative gap at which HiGHS stops.
EXACT_GAP = 1e-6


def solve_exactly(problem: Problem, seconds: float = 60.0) -> tuple[NDArray[np.bool_], float] | None:
    """Solve a problem of `crmlib.campaign.optimise` as an integer programme.

    Parameters
    ----------
    problem : Problem
    seconds : float
        After which it is given up.

    Returns
    -------
    (ndarray of bool, float) or None
        What is chosen, and the bound on what could be; None if HiGHS did not finish.
    """
    import highspy

    rows, offers = np.nonzero(problem.value - problem.cost > 0)
    chosen = np.zeros(problem.value.shape, bool)
    if not len(rows):
        return chosen, 0.0
    place = np.full(problem.value.shape, -1)
    place[rows, offers] = np.arange(len(rows))
    starts, index, weights, upper = [0], [], [], []
    for usage, limit in zip(problem.usage, problem.limits, strict=True):
        used = np.flatnonzero(usage[offers] > 0)
        index.append(used)
        weights.append(usage[offers[used]])
        upper.append(limit)
        starts.append(starts[-1] + len(used))
    for cap in problem.caps:
        for own in place[:, list(cap.offers)]:
            held = own[own >= 0]
            if len(held) > cap.most:
                index.append(held)
                weights.append(np.ones(len(held)))
                upper.append(float(cap.most))
                starts.append(starts[-1] + len(held))
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = len(rows), len(upper)
    program.col_cost_ = -(problem.value - problem.cost)[rows, offers].astype(float)
    program.col_lower_, program.col_upper_ = np.zeros(len(rows)), np.ones(len(rows))
    program.row_lower_, program.row_upper_ = np.full(len(upper), -highspy.kHighsInf), np.array(upper, float)
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = np.array(starts, np.int32)
    program.a_matrix_.index_ = np.concatenate([*index, np.zeros(0, int)]).astype(np.int32)
    program.a_matrix_.value_ = np.concatenate([*weights, np.zeros(0)]).astype(float)
    program.integrality_ = [highspy.HighsVarType.kInteger] * len(rows)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (("output_flag", False), ("time_limit", seconds), ("mip_rel_gap", EXACT_GAP), ("threads", 1)):
        solver.setOptionValue(option, value)
    if solver.passModel(program) == highspy.HighsStatus.kError:
        raise CrmError("HiGHS does not take the problem of the contact plan; this is a defect.")
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = np.asarray(solver.getSolution().col_value) > 0.5
    chosen[rows[solution], offers[solution]] = True
    return chosen, -float(solver.getInfo().mip_dual_bound)
