"""A governance file: what it may name, and what its page says of a run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crmlib.errors import ParamsError
from crmlib.governance import Governance, find_setting, read_governance
from crmlib.pages import describe_governance
from crmlib.params import Params, dump_params
from crmlib.report.context import RunContext, Source
from crmlib.report.html import render_governance

PARAMS = Params.model_validate(
    {
        "run": {"name": "shop", "as_of_date": date(2026, 11, 1)},
        "sources": {
            "shop": {"customers": {"path": "c.csv", "fields": {"source_record_id": "id"}}},
            "till": {"tickets": {"path": "t.csv", "fields": {"ticket_id": "id", "bought_at": "day"}}},
        },
    }
)
ROOMS = ["01_intake", "10_activation"]
WHOLE = """\
owners:
  crm: {role: CRM manager}
  it: {role: Data engineer}
sources:
  shop: {owner: crm, steward: it, delivered_every_days: 7}
  till: {owner: it, delivered_every_days: 7}
notebooks:
  01_intake: {owner: it, serves: whether to go on}
rules:
  - {id: one, says: One person., owner: crm, params: identity.match_threshold, review_every_months: 12,
     decided_on: 2025-10-01}
"""


def read(tmp_path: Path, text: str) -> Governance:
    path = tmp_path / "governance.yaml"
    path.write_text(text, encoding="utf-8")
    return read_governance(path, PARAMS, ROOMS)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("till: {owner: it,", "till: {owner: nobody,", r"governance.yaml:6: sources.till.owner: the owner 'nobody'"),
        ("steward: it", "steward: them", r":5: sources.shop.steward: the owner 'them' is not declared .*crm, it"),
        ("  till:", "  tills:", r":6: sources.tills: the params have no such source; they have shop, till"),
        ("01_intake:", "99_attic:", r":8: notebooks.99_attic: there is no such notebook; there are 01_intake"),
        ("identity.match_threshold", "identity.treshold", r":10: rules.*params: the params have no setting"),
        ("role: CRM", "rle: CRM", r":2: owners.crm.rle: this key is unknown. Did you mean 'role'"),
        ("2025-10-01", "sometime", r":11: rules.*decided_on"),
    ],
)
def test_what_nobody_knows_is_told_with_its_line(tmp_path, old, new, told):
    assert old in WHOLE
    with pytest.raises(ParamsError, match=told):
        read(tmp_path, WHOLE.replace(old, new))


def test_a_rule_that_stands_twice_is_told(tmp_path):
    with pytest.raises(ParamsError, match="the id 'one' stands here a second time"):
        read(tmp_path, WHOLE + "  - {id: one, says: Again., owner: it}\n")


def test_every_problem_is_told_at_once(tmp_path):
    with pytest.raises(ParamsError) as caught:
        read(tmp_path, WHOLE.replace("owner: it", "owner: nobody"))
    assert len(caught.value.problems) == 2


def test_a_setting_is_found_by_its_dotted_key():
    settings = dump_params(PARAMS)
    assert find_setting(settings, "identity.match_threshold") == 0.5
    with pytest.raises(KeyError):
        find_setting(settings, "identity.match_threshold.more")


def test_the_page_names_who_answers_and_what_waits(tmp_path):
    run = RunContext(
        "run-1",
        "Shop",
        date(2026, 11, 1),
        sources=(Source("shop", date(2026, 10, 1), 10), Source("till", date(2026, 10, 31), 5)),
        governed=True,
    )
    manifest = {
        "params": dump_params(PARAMS),
        "notebooks": {"01_intake": {"status": "done", "seconds": 3.2}, "10_activation": {"status": "skipped"}},
    }
    told = describe_governance(read(tmp_path, WHOLE), manifest, run)
    assert [(source.name, source.owner, source.steward, source.state) for source in told.sources] == [
        ("shop", "CRM manager", "Data engineer", "overdue"),
        ("till", "Data engineer", "Data engineer", "in time"),
    ]
    assert told.unowned == ("10_activation",)
    assert (told.rules[0].value, told.rules[0].review_on) == ("0.5", date(2026, 10, 1))
    page = render_governance(told, run)
    for said in ("Nobody answers for 10_activation", "shop: the delivery is overdue", "reviewed by 1 October 2026"):
        assert said in page


def test_the_bundled_file_fits_the_bundled_params(root):
    from crmlib.params import load_params

    params = load_params(root / "params" / "demo.yaml")
    rooms = [path.stem for path in (root / "notebooks").glob("*.ipynb")]
    governance = read_governance(root / "params" / "governance.yaml", params, rooms)
    assert set(governance.sources) == set(params.sources)
    assert set(governance.notebooks) == set(rooms)
