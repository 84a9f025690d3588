"""Checks and gates from a file: what is built in needs none, and whatever is wrong is told with file, line and key."""

from __future__ import annotations

import pytest

from crmlib.audit.reading import list_built_in, read_checks
from crmlib.errors import ParamsError
from crmlib.params import AuditSettings

SOURCES = ["erp", "shop"]


@pytest.fixture
def read(tmp_path):
    def read(text: str, **settings):
        (tmp_path / "audit.yaml").write_text(text, encoding="utf-8")
        return read_checks(AuditSettings(checks="audit.yaml", **settings), tmp_path / "params.yaml", SOURCES)

    return read


def test_what_is_built_in_needs_no_file_and_is_sound(tmp_path, read):
    built_in = list_built_in()
    alone = read_checks(AuditSettings(), tmp_path / "params.yaml", SOURCES)
    assert [check.name for check in alone.checks] == [check.name for check in built_in]
    assert alone.gates == []
    assert len({check.name for check in built_in}) == len(built_in)
    assert all(check.says and check.remedy for check in built_in)
    # as a user's file they would be found right, too
    text = "checks:\n" + "".join(f"  - {check.model_dump_json(exclude_defaults=True)}\n" for check in built_in)
    assert len(read(text).checks) == len(built_in)


def test_a_file_adds_replaces_and_leaves_out(read):
    found = read(
        """
        checks:
          - {entity: customers, field: email, check: filled, rule: filled, says: lack one, fail_if: share > 0.5}
          - {entity: customers, field: gender, check: filled, off: true}
          - {entity: tickets, field: amount, check: positive, holds: amount > 0, says: are free}
        gates:
          - {id: fresh_enough, dimension: timeliness, source: erp, fail_if: score < 0.5}
        """,
        gates={"validity": 0.9},
    )
    checks = {check.name: check for check in found.checks}
    assert checks["customers.email.filled"].says == "lack one"
    assert "customers.gender.filled" not in checks
    assert checks["tickets.amount.positive"].holds == "amount > 0"
    assert [(gate.id, gate.fail_if) for gate in found.gates] == [
        ("validity", "score < 0.9"),
        ("fresh_enough", "score < 0.5"),
        ("customers.email.filled", "share > 0.5"),
    ]


GOOD = "entity: customers, field: email, check: mine, says: x"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{entity: customers, field: mail, check: mine, rule: filled, says: x}", "'customers' has no field 'mail'"),
        ("{entity: clients, field: email, check: mine, rule: filled, says: x}", "there is no such entity"),
        (f"{{{GOOD}, rule: pretty}}", "there is no rule 'pretty'"),
        (f"{{{GOOD}}}", "give exactly one of rule:, holds:"),
        (f"{{{GOOD}, rule: filled, pattern: a}}", "give exactly one of rule:, holds:"),
        (f"{{{GOOD}, rule: held}}", "the rule 'held' is for tickets"),
        (f"{{{GOOD}, holds: emial = 'x'}}", "there is no field 'emial' here"),
        (f"{{{GOOD}, holds: 'email ='}}", "this is no condition"),
        (f"{{{GOOD}, rule: filled, fail_if: often}}", "write a limit such as share > 0.02"),
        (f"{{{GOOD}, rule: filled, sources: [till]}}", "there is no source 'till'; there are erp, shop"),
        (f"{{{GOOD}, rule: filled, blocks: [pigeon]}}", "'pigeon' is no channel"),
        (f"{{{GOOD}, pattern: '('}}", "this is not a regular expression"),
        (f"{{{GOOD}, rule: filled, wher: x}}", "this key is unknown. Did you mean 'where'?"),
        ("{entity: customers, field: email, check: nothing, off: true}", "there is no built-in check"),
        ("{entity: customers, field: email, check: mine, rule: filled}", "say what is wrong"),
    ],
)
def test_a_wrong_check_is_told_with_its_line(read, tmp_path, line, sentence):
    with pytest.raises(ParamsError) as caught:
        read(f"checks:\n  - {line}\n")
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"{tmp_path / 'audit.yaml'}:2: checks[1]")
    assert sentence in caught.value.problems[0]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{id: a, check: customers.email.pretty, fail_if: share > 0}", "there is no check customers.email.pretty"),
        ("{id: a, dimension: beauty, fail_if: score < 1}", "write 'completeness', 'validity'"),
        ("{id: a, dimension: validity, fail_if: failing > 1}", "'failing' is nothing that can be asked here"),
        ("{id: a, check: customers.email.valid, dimension: validity, fail_if: change > 1}", "give one of check: and"),
        ("{id: a, dimension: validity, source: till, fail_if: score < 1}", "there is no source 'till'"),
    ],
)
def test_a_wrong_gate_is_told(read, line, sentence):
    with pytest.raises(ParamsError, match="gates") as caught:
        read(f"gates:\n  - {line}\n")
    assert sentence in str(caught.value)


def test_a_gate_of_the_params_on_no_dimension_is_told(tmp_path):
    with pytest.raises(ParamsError, match=r"audit.gates.beauty: there is no such dimension; there are completeness"):
        read_checks(AuditSettings(gates={"beauty": 0.5}), tmp_path / "params.yaml", SOURCES)
