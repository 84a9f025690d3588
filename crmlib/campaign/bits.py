"""Sets of up to 64 places as the bits of a number."""

from __future__ import annotations

import numpy as np

from crmlib.campaign.compiling import inlined

ONE = np.uint64(1)
NONE = np.uint64(0)
#: Its 64 windows of six bits are all different, so that a single bit is told by where it shifts this number to.
_SEQUENCE = 0x03F79D71B4CB0A89
_FACTOR, _SHIFT = np.uint64(_SEQUENCE), np.uint64(58)
_PLACES = np.zeros(64, np.int64)
for _place in range(64):
    _PLACES[((_SEQUENCE << _place) & (2**64 - 1)) >> 58] = _place


@inlined
def bit(place: int) -> np.uint64:
    """The set of one place."""
    return ONE << np.uint64(place)


@inlined
def has(places: np.uint64, place: int) -> bool:
    """Whether a set holds a place."""
    return bool((places >> np.uint64(place)) & ONE)


@inlined
def lowest(places: np.uint64) -> int:
    """The lowest place of a set that is not empty.

    References
    ----------
    Leiserson, Prokop, Randall (1998), Using de Bruijn sequences to index a 1 in a computer word.
    """
    return int(_PLACES[((places & (~places + ONE)) * _FACTOR) >> _SHIFT])


@inlined
def without_lowest(places: np.uint64) -> np.uint64:
    """A set without its lowest place."""
    return places & (places - ONE)
