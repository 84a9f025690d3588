from datetime import date

import pytest

from crmlib.campaign.calendar import calendar_days
from crmlib.campaign.reading import list_warnings, read_campaign_plans, read_plan, read_plans
from crmlib.campaign.recurrence import expand_rule
from crmlib.errors import InputError, NothingToDo, ParamsError
from crmlib.params import CampaignSettings
from tests.campaign.made_plans import make_plan, plan_data, read, write_plan


def problems(folder, data) -> list[str]:
    with pytest.raises(ParamsError) as caught:
        read(folder, data)
    return caught.value.problems


def with_one(**communication):
    return plan_data({"id": "only", **communication})


@pytest.mark.parametrize("name", ["current", "better"])
def test_of_the_demo_plans_only_assumed_lifts_are_doubted(root, name):
    read = read_plan(root / "params" / "plans" / f"{name}.yaml")
    assert all("these lifts are assumed" in warning for warning in read.warnings)
    assert read.plan.id == name
    assert {one.category for one in read.plan.communications} == set(type(read.plan.categories).model_fields)
    assert {one.trigger is None for one in read.plan.communications} == {True, False}


def test_the_demo_plans_think_alike_of_what_both_send(root):
    plans = [read_plan(root / "params" / "plans" / f"{name}.yaml").plan for name in ("current", "better")]
    responses = [{one.id: one.response for one in plan.communications} for plan in plans]
    shared = responses[0].keys() & responses[1].keys()
    assert len(shared) > 10
    assert all(responses[0][name] == responses[1][name] for name in shared)
    assert all(one.channels.keys() == plans[0].channels.keys() for one in plans)
    assert plans[0].fatigue == plans[1].fatigue


def test_an_undeclared_channel_is_named_with_its_line(tmp_path):
    data = with_one(channels=["postal"])
    (told,) = problems(tmp_path, data)
    path = tmp_path / "plan.yaml"
    line = path.read_text().splitlines().index("  - postal") + 1
    assert (
        told
        == f"{path}:{line - 1}: communications.only.channels: the channel 'postal' is not declared under channels:."
    )


@pytest.mark.parametrize(
    ("change", "sections", "key", "said"),
    [
        ({}, {"caps": [{"scope": "global", "max": 0, "days": 7}]}, "only", "cap 1 (global, max: 0) lets nothing"),
        ({}, {"caps": [{"scope": {"channel": "email"}, "max": 0, "days": 7}]}, "only", "cap 1 (channel email"),
        ({"capacity_per_day": 0}, {}, "only.capacity_per_day", "its own capacity is 0"),
        ({}, {"channels": {"email": {"unit_cost": 0, "capacity": 0}}}, "only.channels", "the capacity 0"),
        ({"where": "stage == 'lostt'"}, {}, "only.where", "no customer has stage 'lostt'"),
        ({"calendar": {"rrule": "FREQ=YEARLY;BYMONTH=7"}}, {}, "only.calendar.rrule", "no day within the horizon"),
        (
            {"calendar": {"dates": ["2026-11-08"]}},
            {"channels": {"email": {"unit_cost": 0, "quiet": {"dows": ["sun"]}}}},
            "only.calendar", "due on 2026-11-08 can never be sent",
        ),
        ({"purpose": "service"}, {}, "only.purpose", "carries no promotion"),
        ({}, {}, "only.response", "these lifts are assumed and not measured yet: only"),
    ],
)  # fmt: skip
def test_what_can_hardly_be_meant_is_a_warning(tmp_path, change, sections, key, said):
    told = read(tmp_path, with_one(**change) | sections).warnings
    assert any(f": communications.{key}: " in one and said in one for one in told), told


def test_what_a_cap_lets_pass_on_another_channel_is_no_doubt(tmp_path):
    data = with_one(channels=["email", "sms"], response={"lift": 0.1, "window": "7d", "source": "measured:x"})
    assert read(tmp_path, data | {"caps": [{"scope": {"channel": "email"}, "max": 0, "days": 7}]}).warnings == []


def test_a_duplicate_id_is_named_with_its_line(tmp_path):
    data = plan_data({"id": "twice"}, {"id": "twice"})
    (told,) = problems(tmp_path, data)
    lines = (tmp_path / "plan.yaml").read_text().splitlines()
    second = [number for number, line in enumerate(lines, 1) if "id: twice" in line][1]
    assert told.startswith(f"{tmp_path / 'plan.yaml'}:{second}: ")
    assert "a second time" in told


def test_a_date_outside_the_horizon_is_a_warning(tmp_path):
    found = read(tmp_path, with_one(calendar={"dates": ["2026-11-09", "2028-01-01"]}))
    warning, assumed = found.warnings
    assert "these lifts are assumed and not measured yet: only" in assumed
    assert "2028-01-01 is outside the horizon (2026-11-02 to 2026-12-27)" in warning
    assert str(tmp_path) in warning
    assert calendar_days(found.plan, found.plan.communications[0]) == [date(2026, 11, 9)]
    shown, _ = list_warnings([found])
    assert shown.startswith("plan.yaml:")
    assert str(tmp_path) not in shown


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"colour": "red"}, "only.colour", "this key is unknown"),
        ({"prioritty": 3}, "only.prioritty", "Did you mean 'priority'?"),
        ({"category": "spam"}, "only.category", "write 'cycle'"),
        ({"purpose": "fun"}, "only.purpose", "write 'marketing'"),
        ({"priority": "high"}, "only.priority", "whole number"),
        ({"priority": 101}, "only.priority", "less than or equal to 100"),
        ({"expires": 3}, "only.expires", "with its unit"),
        ({"expires": "0d"}, "only", "lengths of time"),
        ({"cooldown": "-1d"}, "only", "lengths of time"),
        ({"control": 1.5}, "only.control.share", "less than or equal to 1"),
        ({"control": {"unit": "street", "share": 0.1}}, "only.control.unit", "write 'customer'"),
        ({"channels": []}, "only.channels", "at least one"),
        ({"channels": ["email", "email"]}, "only", "stands here twice"),
        ({"channels": ["smoke"]}, "only.channels", "write 'email'"),
        ({"variants": [{"id": "a", "share": 0.5}]}, "only", "must sum to 1"),
        ({"response": {"lift": "much", "window": "7d"}}, "only.response.lift", "write a number"),
        ({"response": {"lift": 0.1, "window": "7d", "pull_forward": 2}}, "only.response.pull_forward", "equal to 1"),
        ({"response": {"lift": 0.1, "window": "0d"}}, "only.response.window", "some time"),
        ({"response": {"lift": 0.1, "window": "7d", "source": "guessed"}}, "only.response.source", "pattern"),
        ({"offer": {"cost": -1, "redeem": 0.1}}, "only.offer.cost", "greater than or equal to 0"),
        ({"bypass_caps": ["all"]}, "only.bypass_caps", "write 'global'"),
        ({"calendar": {"rrule": "whenever"}}, "only.calendar.rrule", "recurrence rule"),
        ({"calendar": {"rrule": "FREQ=HOURLY"}}, "only.calendar.rrule", "whole days"),
        ({"calendar": {"rrule": "FREQ=DAILY;INTERVAL=0"}}, "only.calendar.rrule", "whole days"),
        ({"calendar": {}}, "only.calendar", "either rrule: or dates:"),
        ({"calendar": {"dates": ["soon"]}}, "only.calendar.dates", "date"),
        ({"trigger": {"event": "registered"}, "calendar": {"dates": ["2026-11-09"]}}, "only", "either trigger:"),
        ({"trigger": {"event": "moonrise"}}, "only.trigger.event", "write 'registered'"),
        ({"trigger": {"event": "enter_state"}}, "only.trigger", "state: belongs to the event enter_state"),
        ({"trigger": {"event": "purchase", "state": "late"}}, "only.trigger", "state: belongs to"),
        ({"trigger": {"event": "registered", "nth": 2}}, "only.trigger", "nth: belongs to the event purchase"),
        ({"trigger": {"event": "registered", "delay": "-1d"}}, "only.trigger", "only an anniversary"),
        ({"where": "__import__('os').system('true')"}, "only.where", "is not allowed here"),
        ({"where": "nonsense > 3"}, "only.where", "is no column of customers"),
    ],
)  # fmt: skip
def test_a_malformed_communication_is_refused_with_its_key(tmp_path, change, key, said):
    told = problems(tmp_path, with_one(**change))
    assert any(f": communications.{key}" in one and said in one for one in told), told


@pytest.mark.parametrize(
    ("sections", "key", "said"),
    [
        ({"caps": [{"scope": "sometimes", "max": 1, "days": 1}]}, "caps[1].scope", "write global"),
        ({"caps": [{"scope": {"channel": "postal"}, "max": 1, "days": 1}]}, "caps[1].scope", "no channel 'postal'"),
        ({"caps": [{"scope": {"communication": "other"}, "max": 1, "days": 1}]}, "caps[1].scope", "no communication"),
        ({"caps": [{"scope": "global", "max": 1, "days": 65}]}, "caps[1].days", "less than or equal to 64"),
        ({"caps": [{"scope": "global", "max": -1, "days": 7}]}, "caps[1].max", "greater than or equal to 0"),
        ({"budget": {"by_channel": {"postal": 5}}}, "budget.by_channel.postal", "not declared"),
        ({"budget": {"total": -5}}, "budget.total", "greater than or equal to 0"),
        ({"holdout": {"global": 0.1, "stratify": ["mood"]}}, "holdout.stratify", "'mood' is no column"),
        ({"suppress": ["grumpy"]}, "suppress", "write 'erased'"),
        ({"fatigue": {"half_life_days": 0}}, "fatigue.half_life_days", "greater than 0"),
        ({"categories": {"cycle": {"line": "a"}}}, "categories.online", "missing"),
        ({"channels": {}}, "channels", "at least"),
        ({"channels": {"email": {"unit_cost": 1, "quiet": {"hours": ["25:00", "9:00"]}}}}, "hours", "time of the day"),
        ({"channels": {"email": {"unit_cost": 0.1, "quiet": {"hours": [21, 9]}}}}, "hours", "times in quotes"),
        ({"channels": {"email": {"unit_cost": 0.1, "quiet": {"dows": ["sunday"]}}}}, "dows", "write 'mon'"),
        ({"plan": {"id": "x"}}, "plan.start", "missing"),
        ({"arbitration": {"mode": "loudest"}}, "arbitration.mode", "write 'priority'"),
    ],
)  # fmt: skip
def test_a_malformed_section_is_refused_with_its_key(tmp_path, sections, key, said):
    told = problems(tmp_path, plan_data({"id": "only"}, **sections))
    assert any(key in one and said in one for one in told), told


def test_all_problems_are_told_at_once(tmp_path):
    data = plan_data({"id": "one", "priority": 200}, {"id": "one", "channels": ["ads"], "where": "open('x')"})
    assert len(problems(tmp_path, data)) == 4


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "plan: [", "plan: {id: a, id: b}\n"])
def test_what_is_no_plan_at_all_is_refused_in_one_sentence(tmp_path, text):
    with pytest.raises(InputError):
        read(tmp_path, text)


def test_a_missing_file_is_an_error_of_the_input(tmp_path):
    with pytest.raises(InputError, match="there is no such contact plan"):
        read_plan(tmp_path / "nowhere.yaml")


def test_without_a_section_in_the_params_there_is_nothing_to_do(tmp_path):
    with pytest.raises(NothingToDo, match="name no contact plan"):
        read_campaign_plans(None, tmp_path / "params.yaml")


def test_plans_are_found_beside_the_params(tmp_path):
    write_plan(tmp_path, plan_data({"id": "only"}))
    (found,) = read_campaign_plans(CampaignSettings(plan="plan.yaml"), tmp_path / "params.yaml")
    assert found.plan.id == "small"


def test_plans_that_cannot_be_compared_are_refused(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    one = write_plan(first, plan_data({"id": "only"}))
    same = write_plan(second, plan_data({"id": "only"}))
    with pytest.raises(InputError, match="another plan has the id 'small'"):
        read_plans([one, same])
    data = plan_data({"id": "only"})
    data["plan"] |= {"id": "other", "horizon_days": 57}
    with pytest.raises(InputError, match="the same start, horizon_days and currency"):
        read_plans([one, write_plan(second, data)])


def test_a_rule_gives_its_days_from_the_start_on():
    assert expand_rule("FREQ=WEEKLY;INTERVAL=2;BYDAY=TH", date(2026, 11, 2), 30) == [
        date(2026, 11, 5),
        date(2026, 11, 19),
    ]
    assert expand_rule("FREQ=MONTHLY;BYMONTHDAY=31", date(2026, 11, 1), 62) == [date(2026, 12, 31)]
    assert expand_rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", date(2026, 11, 1), 400) == []


def test_a_plan_in_use_keeps_what_was_read():
    plan = make_plan({"id": "only", "expires": "2w", "trigger": {"event": "cart_abandoned", "delay": "4h"}})
    assert plan.communications[0].expires == 14
    assert plan.communications[0].trigger.delay == pytest.approx(4 / 24)
    with pytest.raises(ValueError, match="frozen"):
        plan.communications = []
