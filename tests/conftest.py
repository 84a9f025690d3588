"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crmlib.engine import Engine

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also what is slow or needs optional parts")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    kept = [item for item in items if "full" not in item.keywords]
    config.hook.pytest_deselected(items=[item for item in items if "full" in item.keywords])
    items[:] = kept


def pytest_terminal_summary(terminalreporter, exitstatus, config) -> None:
    if os.environ.get("CI_NO_SKIPS") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("CI_NO_SKIPS: a skipped test is a failure here.", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def engine():
    made = Engine(threads=2, memory_limit="2GB")
    yield made
    made.close()


@pytest.fixture
def root() -> Path:
    return ROOT
