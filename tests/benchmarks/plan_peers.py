"""The same plan as it is simulated elsewhere: a simpy process for each customer, and numpy day after day.

Both do what the kernel does in a day: season, gaps, dropout, candidates of the calendar and of events, rolling caps,
boosts, unsubscriptions; they leave out what would make them slower still (stages, look-ahead, pull-forward).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import simpy

from crmlib.campaign.encoding import EncodedPlan
from crmlib.campaign.shapes import CALENDAR, CART_ABANDONED, PURCHASE

Records = Any


def run_simpy(plan: EncodedPlan, people: Records, members: Records, draws: Records, seed: int = 1) -> tuple[int, float]:
    """Contacts and purchases of the plan with a simpy process for each customer."""
    draw = np.random.default_rng(seed)
    world = simpy.Environment()
    counted = [0, 0]
    days, communications, caps, rules = plan.days, plan.communications, plan.caps, plan.rules[0]
    ranked = sorted(range(len(communications)), key=lambda c: -int(communications["priority"][c]))
    due = [[c for c in ranked if int(one) >> c & 1] for one in days["due"]]
    season, quiet = days["season"].tolist(), days["quiet"].tolist()
    names = ("category", "lift", "window", "event", "cooldown", "bypass", "purpose")
    table = [
        {name: one[name].item() for name in names} | {"channels": [int(k) for k in one["channels"] if k >= 0]}
        for one in communications
    ]
    limits = [tuple(int(cap[name]) for name in ("kind", "which", "most", "days")) for cap in caps]
    k, decay, unsub_slope = float(rules["k"]), float(rules["decay"]), float(rules["unsub_slope"])
    unsub_base, response_decay = rules["unsub_base"].tolist(), float(rules["response_decay"])

    def live(i: int):
        person, member = people[i], members[i]
        audience, control = int(member["audience"]), int(member["control"])
        permitted = [int(bits) & int(person["address"]) for bits in person["permitted"]]
        rate, hazard, wait = float(draws["rate"][i]), float(draws["hazard"][i]), float(draws["wait"][i])
        alive, lifetime = bool(draws["alive"][i]), draw.exponential()
        cart, patience = float(person["cart_rate"]), draw.exponential(size=8)
        log: list[tuple[int, int, int, int]] = []
        last: dict[int, int] = {}
        called: dict[int, int] = {}
        effects: list[tuple[int, float]] = []
        pressure = 0.0
        for day in range(len(season)):
            yield world.timeout(1)
            pressure *= decay
            candidates = [c for c in due[day] if audience >> c & 1]
            candidates += [c for c, when in called.items() if when == day and audience >> c & 1]
            for c in sorted(candidates, key=lambda c: ranked.index(c)):
                one = table[c]
                if control >> c & 1 or day - last.get(c, -10_000) < one["cooldown"]:
                    continue
                for channel in one["channels"]:
                    if not permitted[one["purpose"]] >> channel & 1 or quiet[day] >> channel & 1:
                        continue
                    stopped = False
                    for kind, which, most, length in limits:
                        if one["bypass"] >> kind & 1 or which != (which, channel, one["category"], c)[kind]:
                            continue
                        own = [entry for entry in log if entry[0] > day - length]
                        if sum(kind == 0 or entry[kind] == which for entry in own) >= most:
                            stopped = True
                            break
                    if stopped:
                        continue
                    log.append((day, channel, one["category"], c))
                    last[c] = day
                    counted[0] += 1
                    patience[channel] -= unsub_base[channel] * (1 + unsub_slope * pressure)
                    if patience[channel] <= 0:
                        permitted = [bits & ~(1 << channel) for bits in permitted]
                    effects.append((day + one["window"], one["lift"] * math.exp(-response_decay * pressure)))
                    pressure += 1
                    break
            if cart and draw.random() < cart:
                called |= {c: day + 1 for c in range(len(table)) if table[c]["event"] == CART_ABANDONED}
            if not alive:
                continue
            lifetime -= hazard
            alive = lifetime > 0
            effects = [entry for entry in effects if entry[0] > day]
            wait -= rate * season[day] * (1 + sum(lift for _, lift in effects))
            while wait <= 0:
                wait += draw.gamma(k) / k
                counted[1] += 1
                called |= {c: day + 8 for c in range(len(table)) if table[c]["event"] == PURCHASE}

    for i in range(len(people)):
        world.process(live(i))
    world.run()
    return counted[0], counted[1]


def run_numpy(plan: EncodedPlan, people: Records, members: Records, draws: Records, seed: int = 1) -> tuple[int, float]:
    """Contacts and purchases of the plan, all customers at once, day after day."""
    draw = np.random.default_rng(seed)
    days, one, rules, number = plan.days, plan.communications, plan.rules[0], len(people)
    k, horizon = float(rules["k"]), len(plan.days)
    ranked = np.argsort(-one["priority"])
    wait, alive = draws["wait"].copy(), draws["alive"].copy()
    lifetime, patience = draw.exponential(size=number), draw.exponential(size=(number, 8))
    permitted = people["permitted"] & people["address"][:, None]
    pressure = np.zeros(number)
    due = np.full((number, len(one)), -1)
    last = np.full((number, len(one)), -10_000)
    boost = np.zeros((number, horizon + 64), np.float32)
    kept = [np.zeros((number, horizon), np.uint8) for _ in plan.caps]
    contacts, purchases = 0, 0
    for day in range(horizon):
        pressure *= float(rules["decay"])
        for c in ranked:
            wanted = (members["audience"] >> np.uint64(c)) & np.uint64(1) == 1
            wanted &= (members["control"] >> np.uint64(c)) & np.uint64(1) == 0
            wanted &= bool(int(days["due"][day]) >> int(c) & 1) if one["event"][c] == CALENDAR else due[:, c] == day
            if not wanted.any():
                continue
            wanted &= day - last[:, c] >= one["cooldown"][c]
            for channel in one["channels"][c]:
                if channel < 0 or int(days["quiet"][day]) >> int(channel) & 1:
                    continue
                rows = np.flatnonzero(wanted & ((permitted[:, one["purpose"][c]] >> channel) & 1 == 1))
                covers = []
                for place, cap in enumerate(plan.caps):
                    if cap["which"] != (cap["which"], channel, one["category"][c], c)[cap["kind"]]:
                        continue
                    covers.append(place)
                    if not int(one["bypass"][c]) >> int(cap["kind"]) & 1:
                        begin = max(0, day - int(cap["days"]) + 1)
                        rows = rows[kept[place][rows, begin : day + 1].sum(axis=1) < cap["most"]]
                for place in covers:
                    kept[place][rows, day] += 1
                contacts += len(rows)
                last[rows, c] = day
                wanted[rows] = False
                patience[rows, channel] -= rules["unsub_base"][channel] * (1 + rules["unsub_slope"] * pressure[rows])
                gone = rows[patience[rows, channel] <= 0]
                permitted[gone] &= ~np.uint8(1 << channel)
                tired = one["lift"][c] * np.exp(-rules["response_decay"] * pressure[rows])
                boost[rows, day : day + int(one["window"][c])] += tired[:, None]
                pressure[rows] += 1
        carts = draw.random(number) < people["cart_rate"]
        due[np.ix_(carts, np.flatnonzero(one["event"] == CART_ABANDONED))] = day + 1
        lifetime -= draws["hazard"]
        alive &= lifetime > 0
        wait -= np.where(alive, draws["rate"] * days["season"][day] * (1 + boost[:, day]), 0.0)
        bought = np.flatnonzero(wait <= 0)
        due[np.ix_(bought, np.flatnonzero(one["event"] == PURCHASE))] = day + 8
        while len(bought):
            purchases += len(bought)
            wait[bought] += draw.gamma(k, size=len(bought)) / k
            bought = bought[wait[bought] <= 0]
    return contacts, purchases
