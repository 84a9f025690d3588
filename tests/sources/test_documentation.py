"""The examples of the documentation are params that hold."""

from __future__ import annotations

import re
import textwrap

import pytest
import yaml

from crmlib.params import load_params
from crmlib.sources.presets import list_presets
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
EXAMPLES = [textwrap.dedent(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: " ".join(text.split()[:4]))
def test_an_example_is_params_that_hold(example, tmp_path):
    read = yaml.safe_load(example)
    sources = read.get("sources", {"erp": read})
    run = {"name": "docs", "as_of_date": "2026-11-01"}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"run": run, "sources": sources}, sort_keys=False))
    assert load_params(path).sources


def test_every_layout_is_named():
    named = re.findall(r"`(\w+)`", PAGE[PAGE.index("## Known layouts") : PAGE.index("## Web forms")])
    assert set(list_presets()) == set(named) - {"preset"}
