"""Named streams of random numbers, weighted choices, and numbers that look unrelated.

Every part of the retailer draws from a stream of its own, so that a new part changes no other's draws.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crmlib.demo.columns import Bools, Floats, Ints


def stream(seed: int, name: str, first: int = 0) -> np.random.Generator:
    """Random numbers of one part of the retailer.

    Parameters
    ----------
    seed : int
        The retailer's seed.
    name : str
        The part, such as ``households``.
    first : int
        Number of the first person of the piece that is being made.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode()), first])


@dataclass(frozen=True)
class Choice:
    """Weighted choices, one urn per group, drawn for many rows at once.

    Parameters
    ----------
    edges : array of float
        Group's number plus cumulated share, ascending over all groups.
    members : array of int
        What each interval between edges stands for.
    """

    edges: Floats
    members: Ints

    @classmethod
    def of(cls, weights: npt.ArrayLike) -> Choice:
        """Make a choice from weights.

        Parameters
        ----------
        weights : array of float, shape (members,) or (groups, members)
            Not negative; each group's sum is positive.
        """
        table = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        group, member = np.nonzero(table)
        share = np.cumsum(table, axis=1) / table.sum(axis=1, keepdims=True)
        last = group != np.append(group[1:], -1)
        cumulated = np.where(last, 1.0, share[group, member])
        return cls(group.astype(np.float64) + cumulated, member.astype(np.int64))

    def draw(self, rng: np.random.Generator, size: int, group: Ints | int = 0) -> Ints:
        """Draw a member for each of `size` rows, from each row's group.

        Parameters
        ----------
        rng : Generator
        size : int
        group : array of int, shape (size,), or int

        Returns
        -------
        array of int, shape (size,)
        """
        position = np.searchsorted(self.edges, group + rng.random(size), side="right")
        return self.members[position]


def happens(rng: np.random.Generator, size: int, probability: Floats | float) -> Bools:
    """Whether something happens, row by row.

    Parameters
    ----------
    rng : Generator
    size : int
    probability : float, or array of float of shape (size,)

    Returns
    -------
    array of bool, shape (size,)
    """
    return rng.random(size) < probability


def scatter(numbers: Ints, space: int, key: int) -> Ints:
    """Give each number another one below `space`: one to one, in no order that can be seen.

    Parameters
    ----------
    numbers : array of int
        Not negative, below `space`.
    space : int
        How many numbers there are.
    key : int
        Another key gives other numbers.

    Returns
    -------
    array of int

    References
    ----------
    A Feistel network over the next even number of bits, walked until it lands below `space`:
    J. Black and P. Rogaway, Ciphers with arbitrary finite domains, CT-RSA 2002.
    """
    half = (math.ceil(math.log2(space)) + 1) // 2
    scattered = _mix(numbers, half, key)
    while len(outside := np.flatnonzero(scattered >= space)):
        scattered[outside] = _mix(scattered[outside], half, key)
    return scattered


def _mix(numbers: Ints, half: int, key: int) -> Ints:
    """Four Feistel rounds over numbers of twice `half` bits."""
    mask = (1 << half) - 1
    left, right = numbers >> half, numbers & mask
    for turn in range(4):
        mixed = (right + 1) * (2_654_435_761 + 2 * key) + turn * 40_503
        left, right = right, left ^ ((mixed >> 17 ^ mixed >> 7) & mask)
    return (left << half) | right


def key_of(seed: int, name: str) -> int:
    """A key for `scatter` from the retailer's seed.

    Parameters
    ----------
    seed : int
    name : str
        What is scattered, such as ``mobile``.
    """
    return zlib.crc32(f"{seed} {name}".encode())
