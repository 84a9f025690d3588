"""The `crm` command: one clear sentence and the right exit code for every mistake of a user's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import crmlib
from crmlib import cli
from crmlib.errors import ConflictError, ContractError, CrmError, GateError, InputError, ParamsError, PersonalDataError

GOOD = """\
run: {name: small, as_of_date: 2026-11-01}
sources:
  shop:
    tickets:
      path: log.csv
      fields: {source_record_id: who, bought_at: day, amount: paid}
"""


@pytest.fixture
def crm(root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Call `crm` as from a terminal: gives exit code, stdout and stderr."""
    (tmp_path / "log.csv").write_text("who,day,paid\nA-1,2026-01-05,3.50\n")
    (tmp_path / "params.yaml").write_text(GOOD)
    (tmp_path / "notebooks").symlink_to(root / "notebooks")
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["crm", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return call


def test_params_in_order_are_said_to_be(crm):
    assert crm("check", "params.yaml") == (0, "params.yaml is in order: 1 sources, 1 entities.\n", "")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("path: log.csv", "path: lag.csv", "sources.shop.tickets: there is no file"),
        ("amount: paid", "amount: payed", "has no column 'payed'. Did you mean 'paid'?"),
        ("      fields", "      feilds: {}\n      fields", "this key is unknown. Did you mean 'fields'?"),
        ("path: log.csv", "path: [log.csv]", "params.yaml:5: sources.shop.tickets.path: write a text"),
        ("path: log.csv", "path: log.csv\n      dialect: {delimiter: ';'}", "is the delimiter right?"),
        ("2026-11-01", "2026-13-01", "params.yaml:1: run.as_of_date:"),
    ],
)
def test_a_mistake_in_the_params_is_one_sentence_and_code_2(crm, tmp_path, old, new, sentence):
    assert old in GOOD
    (tmp_path / "params.yaml").write_text(GOOD.replace(old, new))
    code, _, told = crm("check", "params.yaml")
    assert code == 2
    assert sentence in told
    assert "Traceback" not in told


PLAN = """\
plan: {id: mine, version: 1, timezone: UTC, start: 2026-11-02, horizon_days: 28, currency: EUR}
channels: {email: {unit_cost: 0.01, unsub_base: 0.001}}
categories: {cycle: {line: a}, product_price: {line: b}, online: {line: c}, campaigns: {line: d},
  institutional: {line: e}, point_of_sale: {line: f}}
communications:
  - {id: late, category: cycle, channels: [email], purpose: marketing, trigger: {event: enter_state, state: late},
     where: "value_decile >= 5", priority: 10, cooldown: 28d, expires: 5d, control: 0.1,
     response: {lift: 0.2, window: 14d}}
  - {id: leaflet, category: product_price, channels: [email], purpose: marketing, calendar: {dates: [2026-11-10]},
     priority: 5, cooldown: 7d, expires: 2d, control: 0.1, response: {lift: 0.1, window: 7d}}
"""  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("channels: [email], purpose: marketing, trigger", "channels: [fax], purpose: marketing, trigger",
         "plan.yaml:6: communications.late.channels: the channel 'fax' is not declared under channels:"),
        ("id: leaflet", "id: late", "plan.yaml:9: communications.late.id: the id 'late' stands here a second time"),
        ('"value_decile >= 5"', "\"__import__('os').system('id')\"", "plan.yaml:7: communications.late.where:"),
        ('"value_decile >= 5"', '"value_decil >= 5"', "communications.late.where: 'value_decil' is no column of"),
        ("priority: 5", "priorty: 5", "Did you mean 'priority'?"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_plan_is_told_before_anything_runs(crm, tmp_path, old, new, sentence):
    assert old in PLAN
    (tmp_path / "params.yaml").write_text(GOOD + "campaign: {plan: plan.yaml}\n")
    (tmp_path / "plan.yaml").write_text(PLAN)
    assert crm("check", "params.yaml")[0] == 0
    (tmp_path / "plan.yaml").write_text(PLAN.replace(old, new, 1))
    for words in (("check", "params.yaml"), ("run", "params.yaml")):
        code, _, told = crm(*words)
        assert code == 2
        assert sentence in told
        assert "Traceback" not in told
    assert not (tmp_path / "runs").exists()


def test_an_owner_nobody_knows_is_code_2(crm, tmp_path):
    (tmp_path / "params.yaml").write_text(GOOD + "governance: governance.yaml\n")
    text = "owners: {it: {role: IT}}\nsources: {shop: {owner: them}}\n"
    (tmp_path / "governance.yaml").write_text(text)
    code, _, told = crm("check", "params.yaml")
    assert code == 2
    assert "governance.yaml:2: sources.shop.owner: the owner 'them' is not declared" in told


def test_a_ruling_mistyped_by_hand_is_code_2_and_none_at_all_is_fine(crm, tmp_path):
    (tmp_path / "params.yaml").write_text(GOOD + "identity: {rulings: rulings.jsonl}\n")
    assert crm("check", "params.yaml")[0] == 0
    (tmp_path / "rulings.jsonl").write_text('\n{"kind": "pair", "decision": "Santana"}\n')
    for words in (("check", "params.yaml"), ("run", "params.yaml")):
        code, _, told = crm(*words)
        assert code == 2
        assert "rulings.jsonl:2: decision: " in told
        assert "Santana" not in told
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("missing", ["campaign: {plan: nowhere.yaml}", "governance: nowhere.yaml"])
def test_a_plan_or_governance_file_that_is_not_there_is_code_2(crm, tmp_path, missing):
    (tmp_path / "params.yaml").write_text(GOOD + missing + "\n")
    code, _, told = crm("check", "params.yaml")
    assert code == 2
    assert "nowhere.yaml" in told


@pytest.mark.parametrize("content", [b"", b"who,day,paid\n", b"who\x00day\x00"])
def test_a_file_that_holds_nothing_to_read_is_code_2(crm, tmp_path, content):
    (tmp_path / "log.csv").write_bytes(content)
    code, _, told = crm("run", "params.yaml", "--until", "01")
    assert code == 2
    assert "sources.shop.tickets" in told
    assert "log.csv" in told
    assert "Traceback" not in told


def test_every_problem_is_told_at_once(crm, tmp_path):
    text = GOOD.replace("amount: paid", "amuont: paid").replace("name: small", "name: small, sed: 3")
    (tmp_path / "params.yaml").write_text(text)
    _, _, told = crm("check", "params.yaml")
    assert "'amount'" in told
    assert "'seed'" in told


@pytest.mark.parametrize(
    "words",
    [
        ("publish", "nowhere"),
        ("rollback", "nowhere"),
        ("check", "nowhere.yaml"),
        ("run", "params.yaml", "--as-of", "yesterday"),
        ("run", "params.yaml", "--set", "run.seed"),
        ("run", "params.yaml", "--until", "99"),
        ("run", "params.yaml", "--resume"),
        ("demo", "elsewhere", "--run"),
    ],
)
def test_what_does_not_exist_is_code_2(crm, words):
    code, _, told = crm(*words)
    assert code == 2
    assert told.strip()
    assert "Traceback" not in told


def test_status_of_no_runs_says_so(crm):
    assert crm("status") == (0, "runs: there are no runs yet.\n", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CrmError, 1),
        (ContractError, 1),
        (InputError, 2),
        (ParamsError, 2),
        (GateError, 3),
        (PersonalDataError, 3),
        (ConflictError, 4),
    ],
)
def test_each_kind_of_error_has_its_exit_code(crm, monkeypatch, error, code):
    def fail(*_words: object, **_options: object) -> None:
        raise error("What is wrong, and what to do.")

    monkeypatch.setattr("crmlib.runs.RunStore.all", fail)
    assert crm("status") == (code, "", "What is wrong, and what to do.\n")


def test_python_m_crmlib_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "crmlib", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"crmlib {crmlib.__version__}\n"
