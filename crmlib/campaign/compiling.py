"""Compiling what loops over numbers; the result is kept on disk, and is made anew when any source here changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import cgutils
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])

#: Modules of this package whose text decides what is compiled.
SOURCES = (
    "arbitration", "bits", "chance", "choosing", "clock", "compiling", "events", "kernel", "memory", "plan", "shapes",
    "spans", "terms",
)  # fmt: skip
_HERE = Path(__file__).parent


def compiled(function: Function) -> Function:
    """Compile a function of numbers, arrays and records; it then runs without Python, several at a time.

    numba judges what it keeps by the function's own file alone; what it calls stands in others too, so what is
    kept lies in a folder named for all of them.
    """
    return _compile(function, inline=False)


def inlined(function: Function) -> Function:
    """Compile a function into each place that calls it: without it, passing arrays costs more than the work."""
    return _compile(function, inline=True)


def _lend(_: Any, array: Any) -> Any:
    def lend(target: Any, builder: Any, __: Any, arguments: Any) -> Any:
        lent = target.make_array(array)(target, builder, value=arguments[0])
        lent.meminfo = cgutils.get_null_value(lent.meminfo.type)  # type: ignore[no-untyped-call]
        return lent._getvalue()

    return array(array), lend


#: Within compiled functions: the same array, whose users are no longer counted, for counting them costs more than the
#: work. Whoever lends it must hold it until its last use.
borrowed = cast(Callable[[Any], Any], intrinsic(_lend))


def _compile(function: Function, inline: bool) -> Function:
    usual = numba.config.CACHE_DIR  # type: ignore[attr-defined]  # numba fills its settings in as it is loaded
    numba.config.CACHE_DIR = str(_HERE / "__pycache__" / f"kernels-{_DIGEST}")  # type: ignore[attr-defined]
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, forceinline=inline, error_model="numpy")(function))
    finally:
        numba.config.CACHE_DIR = usual  # type: ignore[attr-defined]


def _hash_sources() -> str:
    content = b"".join((_HERE / f"{name}.py").read_bytes() for name in SOURCES)
    return hashlib.sha256(content).hexdigest()[:16]


_DIGEST = _hash_sources()
