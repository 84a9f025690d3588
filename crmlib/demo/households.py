"""Households: who is whose partner, child and twin, and how old each is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.demo.chance import Choice, happens
from crmlib.demo.columns import Bools, Floats, Ints

#: Shares of households with one, two, … members among the customers.
HOUSEHOLD_SIZES = Choice.of([0.60, 0.24, 0.09, 0.05, 0.02])


@dataclass(frozen=True)
class Kin:
    """How the members of the households of one piece are related; places are within the piece.

    Parameters
    ----------
    head : array of int
        The household's first member.
    partner, child : array of bool
        Whether the head's partner, or a child.
    has_partner, has_child : array of bool
        Whether the household has one.
    twin : array of bool
        Whether a twin of the person before.
    female : array of bool
    father, mother : array of int
        The couple of the household; both the head where it lives alone.
    """

    head: Ints
    partner: Bools
    child: Bools
    has_partner: Bools
    has_child: Bools
    twin: Bools
    female: Bools
    father: Ints
    mother: Ints


def make_kin(rng: np.random.Generator, count: int) -> Kin:
    """Draw households for `count` people and say who is whose partner and child.

    Parameters
    ----------
    rng : Generator
    count : int
        People; the last household may be cut short.

    Returns
    -------
    Kin
    """
    sizes = HOUSEHOLD_SIZES.draw(rng, count) + 1
    head = np.repeat(np.cumsum(sizes) - sizes, sizes)[:count]
    place = np.arange(count)
    size = np.bincount(head, minlength=count)[head]
    has_partner = happens(rng, count, 0.8)[head] & (size > 1)
    partner = has_partner & (place == head + 1)
    child = (place > head) & ~partner
    has_child = size > 1 + has_partner
    after_child = child & np.append(False, child[:-1]) & (head == np.append(-1, head[:-1]))
    twin = after_child & happens(rng, count, 0.15)
    twin &= ~np.append(False, twin[:-1])
    female = happens(rng, count, 0.53)
    like_head = happens(rng, count, 0.04)
    female = np.where(partner, female[head] == like_head, female)
    male_head = ~female[head]
    spouse = np.where(has_partner, np.minimum(head + 1, count - 1), head)
    return Kin(
        head=head,
        partner=partner,
        child=child,
        has_partner=has_partner,
        has_child=has_child,
        twin=twin,
        female=female,
        father=np.where(male_head, head, spouse),
        mother=np.where(male_head, spouse, head),
    )


def draw_ages(rng: np.random.Generator, kin: Kin) -> Floats:
    """Ages in years; twins share theirs to the day, and children fit their parents.

    Parameters
    ----------
    rng : Generator
    kin : Kin

    Returns
    -------
    array of float
    """
    count = len(kin.head)
    alone = 18.5 + 70 * rng.beta(1.7, 2.0, count)
    parent = rng.uniform(40, 72, count)
    head_age = np.where(kin.has_child, parent, alone)[kin.head]
    partner_age = np.maximum(head_age + rng.normal(0, 3.5, count), 18.5)
    child_age = rng.uniform(14, np.clip(head_age - 20, 15, 42))
    age = np.where(kin.partner, partner_age, np.where(kin.child, child_age, head_age))
    return np.where(kin.twin, np.append(0.0, age[:-1]), age)
