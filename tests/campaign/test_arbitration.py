"""The rules of one day, each alone, and all of them against plain Python on random plans and histories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib.campaign.arbitration import decide_day
from crmlib.campaign.shapes import (
    BY_ALL,
    BY_CATEGORY,
    BY_CHANNEL,
    BY_COMMUNICATION,
    MARKETING,
    PROFILING,
    REASONS,
    SENT,
    SERVICE,
)
from tests.campaign.made_plans import World, make_caps

EMAIL, SMS, PUSH = range(3)


def outcome(world: World, communication: int = 0) -> str:
    choice, reason = world.decide()
    assert (choice[0, communication] >= 0) == (reason[0, communication] == SENT)
    return "sent" if reason[0, communication] == SENT else REASONS[reason[0, communication]]


def one(**changes) -> World:
    world = World(people=1, days=30, communications=1)
    for name, value in changes.items():
        world.communication[name][0] = value
    return world


def test_without_any_limit_a_candidate_is_sent():
    assert outcome(one()) == "sent"


@pytest.mark.parametrize(
    ("purpose", "permitted", "expected"),
    [
        (MARKETING, (1, 0, 0), "sent"),
        (MARKETING, (0, 1, 1), "no_permission"),
        (MARKETING, (2, 0, 0), "no_permission"),
        (PROFILING, (1, 0, 0), "no_permission"),
        (PROFILING, (0, 1, 0), "sent"),
        (SERVICE, (0, 0, 1), "sent"),
        (SERVICE, (1, 1, 0), "no_permission"),
    ],
)
def test_each_purpose_asks_for_its_own_permission(purpose, permitted, expected):
    world = one(purpose=purpose)
    world.person["permitted"] = permitted
    assert outcome(world) == expected


def test_suppression_address_holdout_and_control_each_keep_a_candidate_back():
    for change, expected in (
        (lambda world: world.member.__setitem__("suppressed", 1), "suppressed"),
        (lambda world: world.person.__setitem__("address", 2), "no_address"),
        (lambda world: world.member.__setitem__("held_out", 1), "global_holdout"),
        (lambda world: world.member.__setitem__("control", 1), "control"),
    ):
        world = one()
        change(world)
        assert outcome(world) == expected


def test_the_first_obstacle_in_the_stated_order_is_the_reason():
    world = one(cooldown=9)
    world.member["control"], world.member["held_out"], world.member["suppressed"] = 1, 1, 1
    world.person["address"], world.person["permitted"] = 0, 0
    world.day["quiet"] = 63
    world.remember([(0, -1, EMAIL, 0, 0)])
    seen = []
    for undo in (
        lambda: world.person.__setitem__("permitted", 63),
        lambda: world.member.__setitem__("suppressed", 0),
        lambda: world.person.__setitem__("address", 63),
        lambda: world.member.__setitem__("held_out", 0),
        lambda: world.member.__setitem__("control", 0),
        lambda: world.day.__setitem__("quiet", 0),
        lambda: world.communication.__setitem__("cooldown", 0),
    ):
        seen.append(outcome(world))
        undo()
    assert seen == list(REASONS[:7])
    assert outcome(world) == "sent"


def test_a_service_message_passes_caps_holdout_and_the_suppression_of_promotion():
    world = World(people=1, days=30, communications=1, caps=[(BY_ALL, 0, 0, 7)])
    world.communication["purpose"] = SERVICE
    world.member["held_out"], world.member["suppressed"] = 1, 1
    assert outcome(world) == "sent"
    world.member["suppressed"] = 3
    assert outcome(world) == "suppressed"


def test_a_service_message_counts_towards_no_cap():
    world = World(people=1, days=30, communications=2, caps=[(BY_ALL, 0, 1, 7)])
    world.communication["purpose"][0] = SERVICE
    choice, _ = world.decide()
    assert (choice[0] >= 0).all()


def test_the_next_channel_is_taken_where_the_first_rests():
    world = one(channels=[SMS, EMAIL, -1, -1, -1, -1])
    assert world.decide()[0][0, 0] == SMS
    world.day["quiet"] = 1 << SMS
    assert world.decide()[0][0, 0] == EMAIL
    world.day["quiet"] = 1 << SMS | 1 << EMAIL
    assert outcome(world) == "quiet_day"


def test_the_reason_is_that_of_the_channel_on_which_a_candidate_came_furthest():
    world = World(people=1, days=30, communications=1, caps=[(BY_CHANNEL, EMAIL, 0, 7)])
    world.communication["channels"][0, :2] = SMS, EMAIL
    world.day["quiet"] = 1 << SMS
    assert outcome(world) == "cap_channel"


@pytest.mark.parametrize(
    ("cap", "past", "expected"),
    [
        ((BY_ALL, 0, 1, 7), (0, -6, SMS, 5, -1), "cap_global"),
        ((BY_ALL, 0, 1, 7), (0, -7, SMS, 5, -1), "sent"),
        ((BY_ALL, 0, 2, 7), (0, -6, SMS, 5, -1), "sent"),
        ((BY_CHANNEL, EMAIL, 1, 14), (0, -13, EMAIL, 5, -1), "cap_channel"),
        ((BY_CHANNEL, EMAIL, 1, 14), (0, -1, SMS, 5, -1), "sent"),
        ((BY_CATEGORY, 0, 1, 30), (0, -29, SMS, 0, -1), "cap_category"),
        ((BY_CATEGORY, 0, 1, 30), (0, -29, SMS, 1, -1), "sent"),
        ((BY_COMMUNICATION, 0, 1, 64), (0, -63, SMS, 3, 0), "cap_communication"),
        ((BY_COMMUNICATION, 0, 1, 64), (0, -63, SMS, 3, -1), "sent"),
        ((BY_ALL, 0, 0, 1), (0, -60, SMS, 5, -1), "cap_global"),
    ],
)
def test_caps_count_what_was_sent_before(cap, past, expected):
    world = World(people=1, days=30, communications=1, caps=[cap])
    assert outcome(world.remember([past])) == expected


def test_a_cap_may_be_bypassed_by_its_kind():
    world = World(people=1, days=30, communications=1, caps=[(BY_ALL, 0, 0, 7), (BY_CHANNEL, EMAIL, 0, 7)])
    world.communication["bypass"] = 1 << BY_ALL
    assert outcome(world) == "cap_channel"
    world.communication["bypass"] = 1 << BY_ALL | 1 << BY_CHANNEL
    assert outcome(world) == "sent"


def test_the_higher_goes_first_where_only_one_can():
    world = World(people=2, days=30, communications=2, caps=[(BY_ALL, 0, 1, 1)])
    world.member["order"][1, :2] = 1, 0
    choice, reason = world.decide()
    assert choice[:, 0].tolist() == [0, -1]
    assert [REASONS[reason[0, 1]], REASONS[reason[1, 0]]] == ["cap_global"] * 2


def reserving(due: int, **changes) -> World:
    world = World(people=1, days=30, communications=2, caps=[(BY_ALL, 0, 1, 7)])
    world.rules["reserve"] = True
    for name, value in changes.items():
        world.communication[name][0] = value
    return world.call(0, due)


@pytest.mark.parametrize(("due", "expected"), [(1, "reserved_for_higher"), (6, "reserved_for_higher"), (7, "sent")])
def test_a_slot_is_kept_for_a_higher_one_that_is_due_before_it_is_free_again(due, expected):
    world = reserving(due)
    choice, reason = world.decide(pending=[1])
    assert (REASONS[reason[0, 1]] if choice[0, 1] < 0 else "sent") == expected


def without_a_need() -> dict[str, World]:
    """Plans in which the higher communication of day 3 needs no slot, or cannot be sent."""
    found = {
        "it is a service message": reserving(3, purpose=SERVICE),
        "it bypasses the cap": reserving(3, bypass=1 << BY_ALL),
        "it is no higher": reserving(3, priority=0),
        "no permission": reserving(3, purpose=PROFILING),
        "control": reserving(3),
        "not in its audience": reserving(3),
        "its channel rests": reserving(3),
    }
    found["no permission"].person["permitted"] = (63, 0, 63)
    found["control"].member["control"] = 1
    found["not in its audience"].member["audience"] = 2
    found["its channel rests"].day["quiet"][3] = 1 << EMAIL
    return found


@pytest.mark.parametrize("why", without_a_need())
def test_no_slot_is_kept_where_the_higher_one_does_not_need_it(why):
    choice, _ = without_a_need()[why].decide(pending=[1])
    assert choice[0, 1] == EMAIL


def test_full_channels_and_spent_budgets_are_reasons_of_their_own():
    world = one()
    for full, spent, expected in ((1, 0, "capacity"), (0, 1, "budget"), (1, 1, "capacity"), (2, 2, None)):
        choice, reason = np.zeros((1, 60), np.int8), np.zeros((1, 60), np.int8)
        world.lay_terms()
        decide_day(
            world.day, world.communication, world.cap, world.rules[0], world.person, world.member, world.history,
            np.array([1], np.uint64), np.full((1, 60), full, np.uint8), np.full((1, 60), spent, np.uint8), choice,
            reason,
        )  # fmt: skip
        assert (REASONS[reason[0, 0]] if choice[0, 0] < 0 else None) == expected


@st.composite
def plans(draw) -> World:
    """A random plan of the calendar, random people and a random history."""
    number, people, days = draw(st.integers(1, 5)), 3, 21
    kinds = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3), st.integers(1, 14))
    caps = [
        (kind, {BY_ALL: 0, BY_COMMUNICATION: which % number}.get(kind, which), most, length)
        for kind, which, most, length in draw(st.lists(kinds, max_size=4))
    ]
    world = World(people=people, days=days, communications=number, caps=caps)
    for place in range(number):
        one = world.communication[place]
        channels = draw(st.permutations(range(3)))[: draw(st.integers(1, 3))]
        one["channels"][: len(channels)] = channels
        one["purpose"], one["category"] = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        one["cooldown"], one["open_days"] = draw(st.integers(0, 10)), draw(st.integers(1, 3))
        one["priority"] = draw(st.integers(0, 3))
        one["bypass"] = draw(st.integers(0, 15)) if draw(st.booleans()) else 0
        world.call(place, *draw(st.sets(st.integers(0, days - 1), max_size=8)))
    world.day["quiet"] = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 7]), min_size=days, max_size=days))
    for row in range(people):
        world.person["permitted"][row] = [draw(st.integers(0, 7)) for _ in range(3)]
        world.person["address"][row] = draw(st.sampled_from([7, 7, 5, 3]))
        world.member["order"][row, :number] = draw(st.permutations(range(number)))
        for name, values in (("audience", 2**number - 1), ("control", 2**number - 1)):
            world.member[name][row] = draw(st.integers(0, values))
        world.member["held_out"][row] = draw(st.sampled_from([0, 0, 1]))
        world.member["suppressed"][row] = draw(st.sampled_from([0, 0, 0, 1, 3]))
    past = st.tuples(
        st.integers(0, people - 1), st.integers(-20, -1), st.integers(0, 2), st.integers(0, 2),
        st.integers(-1, number - 1),
    )  # fmt: skip
    return world.remember(draw(st.lists(past, max_size=12)))


def in_plain_python(world: World) -> tuple[list[tuple[int, int, int, int]], int]:
    """A calendar's contacts, by the book (customer, day, communication, channel), and the number of candidates."""
    contacts, candidates = [], 0
    for row in range(world.people):
        person, member = world.person[row], world.member[row]
        past = [tuple(contact)[1:] for contact in world.history if contact["person"] == row]
        counted = [list(one) for one in past]
        last = {c: max([d for d, _, _, c2 in past if c2 == c], default=-(10**6)) for c in range(world.communications)}
        opened: dict[int, int] = {}
        for day in range(world.days):
            for c in range(world.communications):
                if int(world.day["due"][day]) >> c & 1 and int(member["audience"]) >> c & 1:
                    opened[c] = day
                    candidates += 1
            for c in [int(c) for c in member["order"][: world.communications] if int(c) in opened]:
                one = world.communication[c]
                usable = [int(k) for k in one["channels"] if k >= 0]
                service = one["purpose"] == SERVICE
                permitted = [k for k in usable if int(person["permitted"][one["purpose"]]) >> k & 1]
                for_good = (
                    not permitted
                    or int(member["suppressed"]) >> int(service) & 1
                    or not any(int(person["address"]) >> k & 1 for k in permitted)
                    or (member["held_out"] and not service)
                    or int(member["control"]) >> c & 1
                )
                sent = None
                for k in [] if for_good else permitted:
                    if not int(person["address"]) >> k & 1 or int(world.day["quiet"][day]) >> k & 1:
                        continue
                    if day - last[c] < one["cooldown"]:
                        continue
                    if not service and any(capped(cap, one, c, k, day, counted) for cap in world.cap):
                        continue
                    sent = k
                    break
                if sent is not None:
                    contacts.append((row, day, c, sent))
                    last[c] = day
                    if not service:
                        counted.append([day, sent, int(one["category"]), c])
                if sent is not None or for_good or day + 1 >= opened[c] + one["open_days"]:
                    del opened[c]
    return contacts, candidates


def capped(cap, one, c: int, k: int, day: int, counted: list[list[int]]) -> bool:
    kind, which, most, length = (int(cap[name]) for name in ("kind", "which", "most", "days"))
    if int(one["bypass"]) >> kind & 1 or which != {0: which, 1: k, 2: int(one["category"]), 3: c}[kind]:
        return False
    own = [entry for entry in counted if day - length < entry[0] <= day]
    return sum(kind == BY_ALL or entry[{1: 1, 2: 2, 3: 3}[kind]] == which for entry in own) >= most


@settings(max_examples=150, deadline=None)
@given(plans())
def test_the_compiled_rules_contact_whom_plain_python_contacts(world):
    happened = world.simulate(trace=1000)
    expected, candidates = in_plain_python(world)
    sent = happened.sent()
    found = [(int(s["person"]), int(s["day"]), int(s["communication"]), int(s["channel"])) for s in sent]
    assert sorted(found) == sorted(expected)
    assert len(found) + sum(happened.skipped().values()) == candidates


@settings(max_examples=150, deadline=None)
@given(plans(), st.booleans())
def test_nobody_is_contacted_who_must_not_be(world, reserve):
    world.rules["reserve"] = reserve
    happened = world.simulate(trace=1000)
    for contact in happened.sent():
        row, c, day, channel = (int(contact[name]) for name in ("person", "communication", "day", "channel"))
        one, person, member = world.communication[c], world.person[row], world.member[row]
        service = one["purpose"] == SERVICE
        assert int(person["permitted"][one["purpose"]]) >> channel & 1
        assert int(person["address"]) >> channel & 1
        assert not int(member["suppressed"]) >> int(service) & 1
        assert not int(member["control"]) >> c & 1
        assert service or not member["held_out"]
        assert int(member["audience"]) >> c & 1
        assert not int(world.day["quiet"][day]) >> channel & 1
        assert channel in one["channels"]


@settings(max_examples=150, deadline=None)
@given(plans(), st.booleans())
def test_no_cap_is_exceeded_in_any_window(world, reserve):
    world.rules["reserve"] = reserve
    world.communication["bypass"] = 0
    sent = [
        one
        for one in world.simulate(trace=1000).sent()
        if world.communication[int(one["communication"])]["purpose"] < 2
    ]
    for cap in world.cap:
        kind, which, most, length = (int(cap[name]) for name in ("kind", "which", "most", "days"))
        key = {BY_CHANNEL: "channel", BY_CATEGORY: "category", BY_COMMUNICATION: "communication"}.get(kind)
        for row in range(world.people):
            own = [one for one in [*world.history, *sent] if one["person"] == row]
            counted = [int(one["day"]) for one in own if key is None or one[key] == which]
            for day in range(world.days):
                window = [other for other in counted if day - length < other <= day]
                if day in counted:
                    assert len(window) <= max(most, sum(other < 0 for other in window))


@settings(max_examples=150, deadline=None)
@given(plans(), st.integers(0, 3), st.integers(1, 14))
def test_a_larger_cap_never_lowers_the_contacts(world, most, days):
    world.communication["cooldown"], world.communication["open_days"] = 0, 1
    world.caps, world.cap = [], make_caps([(BY_ALL, 0, most, days)])
    fewer = world.simulate().contacts
    world.cap["most"] += 1
    assert world.simulate().contacts >= fewer
