"""Params: what is right is read and frozen, what is wrong is told with file, line and key."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crmlib.errors import InputError, ParamsError
from crmlib.params import (
    ENTITIES,
    CampaignSettings,
    FieldFrom,
    Params,
    dump_params,
    end_of_day,
    hash_params,
    load_params,
    parse_override,
    resolve_as_of,
    resolve_path,
)

GOOD = """\
run: {name: demo, as_of_date: 2026-11-01, timezone: Atlantic/Canary}
sources:
  erp:
    owner: IT
    customers:
      path: customers.csv
      fields: {source_record_id: COD, full_name: NAME}
      values: {gender: {H: male, M: female}}
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "shop.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems_of(path: Path, **overrides) -> list[str]:
    with pytest.raises(ParamsError) as caught:
        load_params(path, overrides)
    return caught.value.problems


def test_a_good_file_is_read_with_its_defaults(write):
    params = load_params(write(GOOD))
    assert params.run.as_of_date == date(2026, 11, 1)
    assert params.run.engine.threads == 2
    assert params.identity.match_threshold == 0.5
    delivery = params.sources["erp"].entities["customers"][0]
    assert delivery.fields["full_name"].source_columns == "NAME"
    assert delivery.values == {"gender": {"H": "male", "M": "female"}}


def test_settings_are_frozen(write):
    params = load_params(write(GOOD))
    with pytest.raises(ValidationError, match="frozen"):
        params.run.seed = 2
    with pytest.raises(ValidationError, match="frozen"):
        params.sources["erp"].entities["customers"][0].path = "other.csv"


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "sentence"),
    [
        ("timezone:", "timezonne:", 1, "run.timezonne", "this key is unknown. Did you mean 'timezone'?"),
        ("    owner: IT", "    zzz: IT", 4, "sources.erp.zzz", "this key is unknown. Known here: owner, timezone,"),
        ("    customers:", "    custmers:", 5, "sources.erp.custmers", "Did you mean 'customers'?"),
        ("      fields:", "      feilds:", 7, "sources.erp.customers.feilds", "Did you mean 'fields'?"),
        ("full_name: NAME", "full_nam: NAME", 7, "sources.erp.customers.fields.full_nam", "Did you mean 'full_name'?"),
        ("gender: {", "gendre: {", 8, "sources.erp.customers.values.gendre", "'customers' has no such field"),
        ("{name: demo,", "{", 1, "run.name", "this key is missing"),
        (
            "      path: customers.csv\n",
            "",
            5,
            "sources.erp.customers",
            "say where it lies: one of path:, sql: and rest:",
        ),
        ("2026-11-01", "2026-02-30", 1, "run.as_of_date", "write a date such as 2026-11-01, or today"),
        ("2026-11-01", "20261101", 1, "run.as_of_date", "write a date such as 2026-11-01, or today"),
        ("2026-11-01", "tomorrow", 1, "run.as_of_date", "write a date such as 2026-11-01, or today"),
        ("Atlantic/Canary", "Atlantic/Canaries", 1, "run.timezone", "this is no time zone"),
        ("Atlantic/Canary}", "UTC, seed: many}", 1, "run.seed", "write a whole number"),
        ("Atlantic/Canary}", "UTC, seed: 1.5}", 1, "run.seed", "write a whole number"),
        ("Atlantic/Canary}", "UTC, engine: fast}", 1, "run.engine", "this is a section"),
        ("Atlantic/Canary}", "UTC, engine: {backend: spark}}", 1, "run.engine.backend", "write 'duckdb'"),
        ("COD,", "7,", 7, "sources.erp.customers.fields.source_record_id", "write a column's heading"),
        (
            "COD,",
            "{from: COD, value: 1},",
            7,
            "sources.erp.customers.fields.source_record_id",
            "one of from:, value: and formula:",
        ),
        (
            "COD,",
            "{from: COD, extract: '('},",
            7,
            "fields.source_record_id.extract",
            "this is not a regular expression",
        ),
        ("COD,", "{from: COD, extract: 'a'},", 7, "fields.source_record_id.extract", "exactly one group"),
        ("source_record_id: COD, ", "", 7, "sources.erp.customers.fields", "cannot do without source_record_id"),
        ("full_name: NAME", "consent.email.fun: X", 7, "fields.consent.email.fun", "purposes marketing, profiling"),
        (
            "full_name: NAME",
            "consent.sms.marketing.ip: X",
            7,
            "consent.sms.marketing.ip",
            "granted_at, wording_version",
        ),
        ("full_name: NAME", "consent.from: X", 7, "fields.consent.from", "Did you mean 'consent.form'?"),
        ("  erp:", "  Erp-2:", 3, "sources.Erp-2", "name a source with small letters"),
        ("      path: c", "      timezone: Mars\n      path: c", 6, "sources.erp.customers.timezone", "no time zone"),
        ("      path: c", "      record_source: crm\n      path: c", 6, "customers.record_source", "no such source"),
        ("      path: c", "      dialect: {delimiter: ';;'}\n      path: c", 6, "dialect.delimiter", "one character"),
        ("      path: c", "      dialect: {decimal: ';'}\n      path: c", 6, "dialect.decimal", "write '.' or ','"),
        ("    customers:", "    customers: {}\n    tickets:", 5, "sources.erp.customers", "give fields:"),
    ],
)
def test_a_wrong_key_or_value_is_told_with_its_place(write, old, new, line, key, sentence):
    assert GOOD.count(old) == 1
    path = write(GOOD.replace(old, new))
    found = [problem for problem in problems_of(path) if key in problem and sentence in problem]
    assert found, problems_of(path)
    assert found[0].startswith(f"{path}:{line}: ")


def test_every_problem_is_told_at_once(write):
    path = write(
        """\
run: {name: demo, as_of_date: never}
sources:
  erp:
    customers: {path: a.csv, fields: {source_record_id: A, emial: B}, tag: x}
    tickets: {path: b.csv, fields: {ticket_id: T}, tags: [x]}
identity: {match_threshold: 2}
behaviour: {horizons_days: [28, 7]}
audit: {gates: {validity: 3}}
extra: 1
"""
    )
    told = problems_of(path)
    for place in (
        ":1: run.as_of_date:",
        ":4: sources.erp.customers.tag:",
        ":4: sources.erp.customers.fields.emial:",
        ":5: sources.erp.tickets.fields: 'tickets' cannot do without bought_at",
        ":5: sources.erp.tickets.tags:",
        ":6: identity.match_threshold:",
        ":7: behaviour.horizons_days:",
        ":8: audit.gates.validity:",
        ":9: extra:",
    ):
        assert any(problem.startswith(f"{path}{place}") for problem in told), (place, told)


def test_a_key_that_stands_twice_is_told(write):
    path = write(GOOD + "run: {name: other, as_of_date: 2026-11-01}\n")
    assert problems_of(path) == [f"{path}:9: the key 'run' stands here a second time."]


def test_of_a_list_of_deliveries_the_wrong_one_is_named(write):
    text = GOOD.replace("path: customers.csv\n", "path: a.csv\n").replace(
        "    customers:\n      path", "    customers:\n    - path"
    )
    path = write(text + "    - {path: b.csv, fields: {source_record_id: A}, foo: 1}\n")
    assert problems_of(path) == [
        f"{path}:9: sources.erp.customers[2].foo: this key is unknown. Known here: path, sql, rest, access, member, "
        "rows_with, unfold, format, dialect, preset, form, fields, values, tags, keep, record_source, delivered_on, "
        "expects, abandoned_after_hours, full_snapshot, most_unmapped, timezone, owner."
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file must hold sections"),
        ("- a\n- b\n", "the file must hold sections"),
        ("run: [\n", "this is not YAML"),
        ("run: {name: a}\n? [a, b]\n: 1\n", "a key must be one word"),
        ("run:\nsources:\n", "run: this is a section"),
    ],
)
def test_what_is_no_params_file_is_told(write, text, sentence):
    assert sentence in "\n".join(problems_of(write(text)))


def test_a_missing_or_unreadable_file_is_told(tmp_path):
    assert problems_of(tmp_path / "none.yaml") == [f"{tmp_path / 'none.yaml'}: there is no such params file."]
    assert "not a text file" in problems_of(tmp_path)[0]
    (tmp_path / "latin.yaml").write_bytes(b"run: {name: caf\xe9}")
    assert "UTF-8" in problems_of(tmp_path / "latin.yaml")[0]


def test_a_params_error_has_exit_code_2():
    assert ParamsError("wrong").exit_code == 2
    assert issubclass(ParamsError, InputError)


def test_the_words_of_a_value_map_are_texts_as_they_stand_there(write):
    text = GOOD.replace(
        "values: {gender: {H: male, M: female}}",
        "values: {gender: {yes: male, No: female, 1: other, 007: other, true: male, 2026-01-01: female, ~: other}}",
    )
    words = load_params(write(text)).sources["erp"].entities["customers"][0].values["gender"]
    assert words == {
        "yes": "male", "No": "female", "1": "other", "007": "other", "true": "male", "2026-01-01": "female",
        "~": "other",
    }  # fmt: skip


def test_what_words_mean_may_be_yes_no_a_number_or_nothing(write):
    text = GOOD.replace(
        "values: {gender: {H: male, M: female}}", "values: {language: {N: no, X: null}, employee: {S: true}}"
    )
    values = load_params(write(text)).sources["erp"].entities["customers"][0].values
    assert values == {"language": {"N": "no", "X": None}, "employee": {"S": True}}


def test_dumped_params_are_read_back_equal(write):
    text = GOOD.replace("H: male", "H: null").replace(
        "full_name: NAME", "full_name: {from: [A, B], join: '-'}, country: {value: ES}, consent.email.marketing: OK"
    )
    params = load_params(write(text))
    dumped = json.loads(json.dumps(dump_params(params)))
    assert Params.model_validate(dumped) == params
    assert Params.model_validate(dumped).sources["erp"].entities["customers"][0].values["gender"]["H"] is None


def test_the_hash_changes_with_any_setting(write):
    path = write(GOOD)
    hashes = {
        hash_params(load_params(path, overrides))
        for overrides in (
            {},
            {"run.seed": 5},
            {"identity.match_threshold": 0.9},
            {"sources.erp.customers.path": "b.csv"},
        )
    }
    assert len(hashes) == 4
    assert hash_params(load_params(path)) == hash_params(load_params(path))


def test_overrides_take_the_place_of_the_files_values(write):
    path = write(GOOD)
    params = load_params(path, dict(map(parse_override, ["run.seed=7", "behaviour.horizons_days=[7, 14]"])))
    assert params.run.seed == 7
    assert params.behaviour.horizons_days == [7, 14]
    assert problems_of(path, **{"run.sed": 7}) == [f"{path}:1: run.sed: this key is unknown. Did you mean 'seed'?"]
    assert "there is no section" in problems_of(path, **{"run.name.first": 7})[0]


@pytest.mark.parametrize("text", ["seed", "=7", "1x=2", "run.seed=["])
def test_an_override_of_another_form_is_refused(text):
    with pytest.raises(ParamsError, match="--set"):
        parse_override(text)


@given(st.one_of(st.booleans(), st.integers(), st.text(alphabet="abcxyz", max_size=8).filter(bool)))
def test_an_overrides_value_is_yaml(value):
    assert parse_override(f"a.b={json.dumps(value)}") == ("a.b", value)


def test_today_is_put_in_place(write):
    params = load_params(write(GOOD.replace("2026-11-01", "today")))
    assert params.run.as_of_date == "today"
    assert resolve_as_of(params, date(2026, 3, 4)).run.as_of_date == date(2026, 3, 4)
    given_date = load_params(write(GOOD))
    assert resolve_as_of(given_date, date(2026, 3, 4)) is given_date


def test_relative_paths_are_from_the_params_file(tmp_path):
    params_file = tmp_path / "params" / "a.yaml"
    assert resolve_path(params_file, "../data/x.csv") == str(tmp_path / "data" / "x.csv")
    assert resolve_path(params_file, "/data/x.csv") == "/data/x.csv"
    assert resolve_path(params_file, "package:lifetimes/x.csv") == "package:lifetimes/x.csv"


@pytest.mark.parametrize(
    ("day", "timezone", "end"),
    [
        ("2026-01-31", "Europe/Madrid", "2026-01-31T23:00:00+00:00"),
        ("2026-07-31", "Europe/Madrid", "2026-07-31T22:00:00+00:00"),
        ("2026-07-31", "Atlantic/Canary", "2026-07-31T23:00:00+00:00"),
        # clocks go forward in the night to 29 March: the day before ends in winter time
        ("2026-03-28", "Europe/Madrid", "2026-03-28T23:00:00+00:00"),
        ("2026-03-29", "Europe/Madrid", "2026-03-29T22:00:00+00:00"),
    ],
)
def test_a_day_ends_where_the_run_is(day, timezone, end):
    assert end_of_day(date.fromisoformat(day), timezone).isoformat() == end


def test_every_file_that_comes_with_the_project_is_in_order(root):
    others = {root / "params" / name for name in ("governance.yaml", "audit.yaml")}
    files = sorted(set((root / "params").glob("*.yaml")) - others)
    assert files
    for file in files:
        params = load_params(file)
        assert params.sources.keys()
        assert {entity for source in params.sources.values() for entity in source.entities} <= ENTITIES.keys()


@pytest.mark.parametrize("formula", ["{Price} * {Quantity} - {Discount}", "-({A b} + 1.5) / 2", "{Total}"])
def test_a_formula_is_a_sum_over_columns(formula):
    assert FieldFrom(formula=formula).formula == formula


@pytest.mark.parametrize(
    "formula", ["", "1 + 1", "{A} ** 2", "{A} // 2", "{A} + x", "{A}.real", "{A} +", "__import__('os')", "{A} {B}"]
)
def test_what_is_no_sum_is_no_formula(formula):
    with pytest.raises(ValueError, match="write columns in braces"):
        FieldFrom(formula=formula)


def test_a_field_has_one_origin():
    with pytest.raises(ValueError, match="give one of from:, value: and formula:"):
        FieldFrom(formula="{A}", value=1)


@pytest.mark.parametrize(
    ("test", "word"),
    [
        ({"name": "shelf", "stores": ["a"], "starts_on": "2026-01-01", "ends_on": "2026-01-31"}, "stores"),
        (
            {"name": "shelf", "stores": ["a", "b"], "starts_on": "2026-02-01", "ends_on": "2026-01-31"},
            "before starts_on",
        ),
        ({"name": "shelf", "stores": ["a", "b"], "from": "2026-02-01", "ends_on": "2026-01-31"}, "from"),
    ],
)
def test_a_test_in_stores_that_cannot_be_measured_is_refused(test, word):
    with pytest.raises(ValidationError, match=word):
        CampaignSettings.model_validate({"plan": "p.yaml", "store_tests": [test]})


def test_a_threshold_is_given_or_follows_from_costs(write):
    costs = {"identity.costs": {"wrong_merge": 20, "missed_merge": 1}}
    assert load_params(write(GOOD), costs).identity.costs.review == 0
    told = problems_of(write(GOOD), **costs, **{"identity.match_threshold": 0.9})
    assert any("give match_threshold: or costs:" in problem for problem in told)
