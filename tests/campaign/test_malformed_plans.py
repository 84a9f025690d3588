"""A whole plan, and what becomes of it when one thing in it is wrong: it is refused, and the key is named."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import yaml

from crmlib.campaign.calendar import calendar_days
from crmlib.campaign.expressions import read_condition
from crmlib.campaign.reading import read_plan
from crmlib.documents import Loader
from crmlib.errors import ParamsError
from tests.campaign.made_plans import write_plan

GONE = object()
SMALL = {"lift": 0.1, "window": "7d"}

#: Where something is put (a communication by its id), what, and the key that must be named.
MUTATIONS: list[tuple[str, Any, str]] = [
    ("plan", GONE, "plan"),
    ("plan.id", GONE, "plan.id"),
    ("plan.id", "a plan", "plan.id"),
    ("plan.version", 0, "plan.version"),
    ("plan.version", "one", "plan.version"),
    ("plan.timezone", "Atlantic/Atlantis", "plan.timezone"),
    ("plan.start", "2026-13-01", "plan.start"),
    ("plan.start", GONE, "plan.start"),
    ("plan.horizon_days", 0, "plan.horizon_days"),
    ("plan.horizon_days", 5000, "plan.horizon_days"),
    ("plan.horizon_days", 1.5, "plan.horizon_days"),
    ("plan.currency", "euros", "plan.currency"),
    ("plan.seed", -1, "plan.seed"),
    ("plan.on", True, "plan.on"),
    ("channels", GONE, "channels"),
    ("channels", {}, "channels"),
    ("channels.fax", {"unit_cost": 1}, "channels.fax"),
    ("channels.email", GONE, "communications.welcome.channels"),
    ("channels.postal", GONE, "budget.by_channel.postal"),
    ("channels.sms.unit_cost", -0.1, "channels.sms.unit_cost"),
    ("channels.sms.unit_cost", GONE, "channels.sms.unit_cost"),
    ("channels.sms.unit_cost", float("nan"), "channels.sms.unit_cost"),
    ("channels.sms.capacity", -1, "channels.sms.capacity"),
    ("channels.sms.capacity", "many", "channels.sms.capacity"),
    ("channels.sms.unsub_base", 1.5, "channels.sms.unsub_base"),
    ("channels.sms.quiet.hours", ["20:00"], "channels.sms.quiet.hours"),
    ("channels.sms.quiet.hours", [72000, 36000], "channels.sms.quiet.hours"),
    ("channels.sms.quiet.hours", ["24:00", "10:00"], "channels.sms.quiet.hours"),
    ("channels.sms.quiet.dows", ["domingo"], "channels.sms.quiet.dows"),
    ("channels.sms.quiet.dates", ["Christmas"], "channels.sms.quiet.dates"),
    ("channels.sms.quiet.weeks", [52], "channels.sms.quiet.weeks"),
    ("categories", GONE, "categories"),
    ("categories.cycle", GONE, "categories.cycle"),
    ("categories.cycle.line", "", "categories.cycle.line"),
    ("categories.fun", {"line": "line_fun"}, "categories.fun"),
    ("caps.0.scope", "everything", "caps[1].scope"),
    ("caps.0.scope", {"channel": "sms", "category": "cycle"}, "caps[1].scope"),
    ("caps.0.scope", {"category": "fun"}, "caps[1].scope"),
    ("caps.0.max", -1, "caps[1].max"),
    ("caps.0.days", 0, "caps[1].days"),
    ("caps.0.days", 65, "caps[1].days"),
    ("caps.0.per", "week", "caps[1].per"),
    ("caps.2.scope", {"channel": "call"}, "caps[3].scope"),
    ("fatigue.half_life_days", 0, "fatigue.half_life_days"),
    ("fatigue.response_decay", -1, "fatigue.response_decay"),
    ("fatigue.unsub_slope", "steep", "fatigue.unsub_slope"),
    ("budget.total", -1, "budget.total"),
    ("budget.weekly", 100, "budget.weekly"),
    ("budget.by_channel.call", 100, "budget.by_channel.call"),
    ("holdout.global", 1.2, "holdout.global"),
    ("holdout.stratify", ["favourite_colour"], "holdout.stratify"),
    ("holdout.rotate_days", 0, "holdout.rotate_days"),
    ("suppress", ["grumpy"], "suppress"),
    ("arbitration.mode", "loudest", "arbitration.mode"),
    ("arbitration.tie_break", ["coin"], "arbitration.tie_break"),
    ("arbitration.prices", {"money": -2}, "arbitration.prices.money"),
    ("arbitration.prices", {"channels": {"call": 1}}, "arbitration.prices.channels.call"),
    ("arbitration.prices", {"communications": {"nobody": 1}}, "arbitration.prices.communications.nobody"),
    ("communications", GONE, "communications"),
    ("communications", {"welcome": {}}, "communications"),
    ("communications.welcome.id", "second_purchase", "communications.second_purchase.id"),
    ("communications.welcome.id", GONE, "id"),
    ("communications.welcome.category", "spam", "communications.welcome.category"),
    ("communications.welcome.channels", [], "communications.welcome.channels"),
    ("communications.welcome.channels", ["call"], "communications.welcome.channels"),
    ("communications.welcome.channels", ["email", "email"], "communications.welcome"),
    ("communications.welcome.purpose", "fun", "communications.welcome.purpose"),
    ("communications.welcome.purpose", GONE, "communications.welcome.purpose"),
    ("communications.welcome.priority", 101, "communications.welcome.priority"),
    ("communications.welcome.trigger", GONE, "communications.welcome"),
    ("communications.welcome.calendar", {"dates": ["2026-12-01"]}, "communications.welcome"),
    ("communications.welcome.trigger.event", "moonrise", "communications.welcome.trigger.event"),
    ("communications.welcome.trigger.delay", 3, "communications.welcome.trigger.delay"),
    ("communications.welcome.trigger.delay", "-1d", "communications.welcome.trigger"),
    ("communications.welcome.trigger.unless", "rain", "communications.welcome.trigger.unless"),
    ("communications.second_purchase.trigger.nth", 0, "communications.second_purchase.trigger.nth"),
    ("communications.due.trigger.state", "sleepy", "communications.due.trigger.state"),
    ("communications.due.trigger.state", GONE, "communications.due.trigger"),
    ("communications.birthday.trigger.field", "name_day", "communications.birthday.trigger.field"),
    ("communications.leaflet.calendar.rrule", "every Thursday", "communications.leaflet.calendar.rrule"),
    ("communications.leaflet.calendar.rrule", "FREQ=HOURLY", "communications.leaflet.calendar.rrule"),
    ("communications.leaflet.calendar.dates", ["2026-12-03"], "communications.leaflet.calendar"),
    ("communications.carnival.calendar.dates", [], "communications.carnival.calendar.dates"),
    ("communications.carnival.calendar.dates", ["2027-02-30"], "communications.carnival.calendar.dates"),
    ("communications.late.cooldown", "three weeks", "communications.late.cooldown"),
    ("communications.late.expires", "0d", "communications.late"),
    ("communications.late.control", 2, "communications.late.control.share"),
    ("communications.new_store.control.unit", "street", "communications.new_store.control.unit"),
    ("communications.new_store.capacity_per_day", -5, "communications.new_store.capacity_per_day"),
    ("communications.at_risk.variants.0.share", 0.6, "communications.at_risk"),
    ("communications.at_risk.variants.0.id", "eur5", "communications.at_risk"),
    ("communications.at_risk.offer.redeem", 1.1, "communications.at_risk.offer.redeem"),
    ("communications.at_risk.offer.cost", GONE, "communications.at_risk.offer.cost"),
    ("communications.at_risk.where", "clv_12m >=", "communications.at_risk.where"),
    ("communications.at_risk.where", "shoe_size >= 40", "communications.at_risk.where"),
    ("communications.at_risk.where", "clv_12m", "communications.at_risk.where"),
    ("communications.at_risk.where", "clv_12m >= 'much'", "communications.at_risk.where"),
    ("communications.cart.bypass_caps", ["every"], "communications.cart.bypass_caps"),
    ("communications.cart.response", GONE, "communications.cart.response"),
    ("communications.cart.response.lift", "much", "communications.cart.response.lift"),
    ("communications.cart.response.lift", -1.5, "communications.cart.response.lift"),
    ("communications.cart.response.window", "0d", "communications.cart.response.window"),
    ("communications.cart.response.pull_forward", 1.1, "communications.cart.response.pull_forward"),
    ("communications.cart.response.reactivate", -0.1, "communications.cart.response.reactivate"),
    ("communications.cart.response.source", "a feeling", "communications.cart.response.source"),
    ("communications.cart.colour", "red", "communications.cart.colour"),
    ("kampagnen", [], "kampagnen"),
]  # fmt: skip

#: What would do something if it were evaluated.
HOSTILE = (
    "__import__('os').system('true')", "().__class__.__bases__[0].__subclasses__()", "open('x').read() == ''",
    "exec('x = 1') == 1", "eval('1') == 1", "(lambda: 1)() == 1", "[c for c in (1, 2)] == 1", "clv_12m.real >= 1",
    "clv_12m[0] == 1", "f'{clv_12m}' == ''", "(x := 3) == 3", "globals() == 1", "getattr(clv_12m, 'real') == 1",
    "clv_12m if origin == 'online' else 1", "print(1) == 1", "1 == 1; import os", "km_to(open('x')) <= 1",
    "clv_12m ** 9 ** 9 ** 9 >= 1", "b'x' == b'x'", "lambda: 1", "*origin == 'x'", "`id` == 1",
    "origin == 'x'; DROP TABLE customers", "\"customers\".email == 'x'", "clv_12m >= 1 --", "not " * 400 + "true",
)  # fmt: skip


def mutate(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The plan with one thing put elsewhere than it belongs."""
    changed = copy.deepcopy(data)
    here: Any = changed
    *parents, last = path.split(".")
    for part in parents:
        if isinstance(here, list):
            here = here[int(part)] if part.isdigit() else next(one for one in here if one["id"] == part)
        else:
            here = here[part]
    if value is GONE:
        del here[last]
    else:
        here[last] = value
    return changed


@pytest.fixture(scope="module")
def example(request) -> dict[str, Any]:
    path = request.config.rootpath / "tests" / "params" / "contact_plan.yaml"
    return yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)


def test_the_whole_plan_is_read(root):
    read = read_plan(root / "tests" / "params" / "contact_plan.yaml")
    (warning,) = read.warnings
    assert "these lifts are assumed" in warning
    found = {one.id: one for one in read.plan.communications}
    assert len(found) == 16
    assert found["birthday"].trigger.delay == -1
    assert found["new_store"].control.unit == "postcode"
    assert len(calendar_days(read.plan, found["leaflet"])) == 26
    assert read.plan.channels["sms"].quiet.dows == ["sun"]


def test_the_corpus_is_large_and_says_no_thing_twice():
    assert len(MUTATIONS) >= 60
    assert len({(path, repr(value)) for path, value, _ in MUTATIONS}) == len(MUTATIONS)


def name_part(given: Any) -> str:
    """The same in every process that collects the tests."""
    return "gone" if given is GONE else repr(given)[:60]


@pytest.mark.parametrize(("path", "value", "key"), MUTATIONS, ids=name_part)
def test_a_malformed_plan_is_refused_with_its_key_and_line(tmp_path, example, path, value, key):
    file = write_plan(tmp_path, mutate(example, path, value))
    with pytest.raises(ParamsError) as caught:
        read_plan(file)
    told = caught.value.problems
    lines = file.read_text(encoding="utf-8").splitlines()
    named = [one for one in told if re.search(rf": [\w.\[\]-]*{re.escape(key)}(\[\d+\])?[.:\w]*: ", one)]
    assert named, told
    for one in named:
        line = re.match(rf"{re.escape(str(file))}(?::(\d+))?: ", one)
        assert line is not None, one
        assert line[1] is None or 1 <= int(line[1]) <= len(lines)
        assert line[1] is not None or value is GONE, one


@pytest.mark.parametrize("expression", HOSTILE)
def test_an_expression_that_reaches_for_more_is_refused(tmp_path, example, expression):
    with pytest.raises(ValueError, match=r"."):
        read_condition(expression)
    with pytest.raises(ParamsError) as caught:
        read_plan(write_plan(tmp_path, mutate(example, "communications.at_risk.where", expression)))
    assert any("communications.at_risk.where" in one for one in caught.value.problems)
