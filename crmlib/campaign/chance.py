"""Random numbers by a counter: the same key always gives the same number, whatever else is drawn.

A draw is named by (seed, replicate, customer, stream, counter), so that two plans meet the same customers in
the same luck, and a plan with one communication more shifts no other draw.

References
----------
Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC '11.
Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators, OOPSLA '14: the mixing function.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from crmlib.campaign.compiling import compiled, inlined

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]

# What is drawn: each has its own stream.
(
    ALIVE,
    WAIT,
    RATE,
    DROPOUT_CHANCE,
    GAP,
    LIFETIME,
    UNSUBSCRIBE,
    CART,
    REACTIVATE,
    RATION,
    PARAMETER,
    UNREST,
    MISS,
    TILT,
) = range(14)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_TO_UNIT = 2.0**-53


@inlined
def mix(value: np.uint64) -> np.uint64:
    """Spread the bits of a number over all 64."""
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


@inlined
def derive_key(key: np.uint64, part: np.uint64) -> np.uint64:
    """A key within another one: of a replicate, of a customer in it."""
    return mix(mix(key + _GOLDEN) ^ (part * _GOLDEN + _FIRST))


@inlined
def draw_uniform(key: np.uint64, stream: int, counter: np.uint64) -> float:
    """A number between 0 and 1, both excluded."""
    return draw_within(derive_key(key, np.uint64(stream)), counter)


@inlined
def draw_within(key: np.uint64, counter: np.uint64) -> float:
    """A number between 0 and 1, both excluded, of a stream that has its own key."""
    bits = mix(key + (counter + np.uint64(1)) * _GOLDEN)
    return (float(bits >> np.uint64(11)) + 0.5) * _TO_UNIT


@inlined
def draw_exponential(key: np.uint64, stream: int, counter: np.uint64) -> float:
    """An exponential number with mean 1."""
    return -math.log(draw_uniform(key, stream, counter))


@compiled
def draw_gamma(own: np.uint64, shape: float) -> float:
    """A gamma number of a shape, with scale 1, of a stream that has its own key.

    References
    ----------
    Marsaglia, Tsang (2000), A simple method for generating gamma variables, ACM TOMS 26(3).
    """
    if shape == 1.0:
        return -math.log(draw_within(own, np.uint64(0)))
    d = (shape if shape > 1 else shape + 1) - 1 / 3
    c = 1 / math.sqrt(9 * d)
    turn = np.uint64(0)
    while True:
        radius = math.sqrt(-2 * math.log(draw_within(own, np.uint64(1) + np.uint64(3) * turn)))
        normal = radius * math.cos(2 * math.pi * draw_within(own, np.uint64(2) + np.uint64(3) * turn))
        uniform = draw_within(own, np.uint64(3) + np.uint64(3) * turn)
        turn += np.uint64(1)
        v = 1 + c * normal
        if v > 0 and math.log(uniform) < 0.5 * normal * normal + d * (1 - v**3 + 3 * math.log(v)):
            gamma = d * v**3
            break
    if shape < 1:
        gamma *= draw_within(own, np.uint64(0)) ** (1 / shape)
    return gamma


@compiled
def draw_gap(key: np.uint64, gap: int, k: float) -> float:
    """The clock's time between two purchases: gamma with shape `k` and mean 1."""
    return draw_gamma(derive_key(derive_key(key, np.uint64(GAP)), np.uint64(gap)), k) / k


@compiled
def draw_shares(keys: Keys, stream: int, a: float, b: Floats) -> Floats:
    """A beta number (a, b) for each key: the share of one gamma number in two."""
    drawn = np.empty(len(keys))
    for i in range(len(keys)):
        own = derive_key(keys[i], np.uint64(stream))
        one = draw_gamma(derive_key(own, np.uint64(0)), a)
        drawn[i] = one / (one + draw_gamma(derive_key(own, np.uint64(1)), b[i]))
    return drawn


@compiled
def draw_uniforms(keys: Keys, stream: int) -> Floats:
    """One number between 0 and 1 for each key."""
    drawn = np.empty(len(keys))
    for i in range(len(keys)):
        drawn[i] = draw_uniform(keys[i], stream, np.uint64(0))
    return drawn


@compiled
def derive_keys(key: np.uint64, parts: Keys) -> Keys:
    """A key for each part within another one."""
    keys = np.empty(len(parts), np.uint64)
    for i in range(len(parts)):
        keys[i] = derive_key(key, parts[i])
    return keys


def replicate_key(seed: int, replicate: int) -> np.uint64:
    """The key of one replicate."""
    return np.uint64(derive_key(np.uint64(seed), np.uint64(replicate)))
