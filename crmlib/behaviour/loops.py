"""Loops over customers that are compiled once, kept on disk, and run on every core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import ArrayLike

from crmlib.behaviour.integrals import Floats

Function = TypeVar("Function", bound=Callable[..., Any])

_THREADED_ROWS = 20_000
_PARTS = 4  # of a thread: rows differ in how long they take


def compiled(function: Function) -> Function:
    """Compile a function of numbers and arrays; what it calls stands in its own file, by which numba keeps it."""
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def loop_over(kernel: Callable[..., None], columns: Sequence[ArrayLike], *constants: Any) -> Floats:
    """Fill a column from others, row by row.

    Parameters
    ----------
    kernel : callable
        Compiled; ``kernel(made, *columns, *constants)`` fills `made`, an array as long as the columns.
    columns : sequence of array_like
        Of one length, or of one value for every row.
    *constants
        Handed on as they are.
    """
    arrays = [np.atleast_1d(np.asarray(column, np.float64)) for column in columns]
    made = np.empty(np.broadcast_shapes(*(array.shape for array in arrays)))
    rows = [_spread(array, made.shape) for array in arrays]

    def fill(start: int, end: int) -> None:
        kernel(made[start:end], *(column[start:end] for column in rows), *constants)

    threads = numba.get_num_threads() if len(made) >= _THREADED_ROWS else 1
    if threads == 1:
        fill(0, len(made))
        return made
    edges = np.linspace(0, len(made), _PARTS * threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, edges[:-1], edges[1:]))
    return made


def _spread(column: Floats, shape: tuple[int, ...]) -> Floats:
    """A column as the kernels are compiled for: of full length, in order, writable; copied only if it is not."""
    flags = column.flags
    if column.shape == shape and flags.c_contiguous and flags.writeable:
        return column
    return np.array(np.broadcast_to(column, shape), order="C")
