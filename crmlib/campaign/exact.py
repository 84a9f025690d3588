"""The exact choice by HiGHS, as SciPy brings it: for small bases, and as the judge of the prices' one."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

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
    index_of, weight_of = (np.concatenate([*parts, np.zeros(0)]) for parts in (index, weights))
    taken = csr_array((weight_of, index_of.astype(np.int64), np.array(starts)), shape=(len(upper), len(rows)))
    with _silent():
        solved = milp(
            -(problem.value - problem.cost)[rows, offers],
            integrality=np.ones(len(rows)),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(taken, -np.inf, np.array(upper)) if upper else None,
            options={"time_limit": seconds, "mip_rel_gap": EXACT_GAP},
        )
    if solved.status != 0:
        return None
    solution = solved.x > 0.5
    chosen[rows[solution], offers[solution]] = True
    return chosen, -float(solved.mip_dual_bound)


@contextmanager
def _silent() -> Iterator[None]:
    """Let nothing out that compiled code prints: HiGHS 1.12 tells of some repaired solutions whatever its options say.

    References
    ----------
    https://github.com/ERGO-Code/HiGHS/issues/2783
    """
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    flush(None)
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
