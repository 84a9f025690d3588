"""Set-up: pyproject, the locks and environment.yml say the same, and nothing names a registry."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: Lock -> the extras it holds beside the dependencies.
LOCKS = {
    "requirements.lock": (),
    "requirements-dev.lock": ("dev",),
    "requirements-full.lock": ("dev", "real", "browser", "databases", "servers"),
}


def pins_of(lock: str) -> dict[str, dict[str, str]]:
    """Name -> marker -> version of each pin of a lock."""
    pins: dict[str, dict[str, str]] = {}
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if line and line[0] not in " #":
            requirement = Requirement(line.removesuffix("\\").strip())
            (pin,) = requirement.specifier
            assert pin.operator == "==", line
            pins.setdefault(canonicalize_name(requirement.name), {})[str(requirement.marker or "")] = pin.version
    return pins


def committed_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("git is needed to list the committed files")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("lock", LOCKS)
def test_each_direct_dependency_is_locked_within_its_bounds(lock):
    pins = pins_of(lock)
    wanted = [*PROJECT["dependencies"], *(entry for extra in LOCKS[lock] for entry in EXTRAS[extra])]
    for entry in map(Requirement, wanted):
        versions = pins.get(canonicalize_name(entry.name), {}).values()
        assert versions, f"{lock} lacks {entry.name}"
        assert all(entry.specifier.contains(version, prereleases=True) for version in versions), entry


def test_the_larger_locks_hold_the_smaller_ones():
    base, dev, full = ({name: set(pins.values()) for name, pins in pins_of(lock).items()} for lock in LOCKS)
    assert {name: dev.get(name) for name in base} == base
    assert {name: full.get(name) for name in dev} == dev


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_is_hashed(lock):
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / lock).read_text(encoding="utf-8"))[1:]
    assert len(blocks) > 50
    for block in blocks:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block.splitlines()[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address_and_no_file(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|file:| @ ", text)
    assert "make lock" in text.splitlines()[1]


def test_conda_users_get_the_same_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    python, pip, from_pip = environment["dependencies"]
    assert pip == "pip"
    assert from_pip == {"pip": ["-r requirements.lock"]}
    version = python.removeprefix("python=")
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{version}.0")


@pytest.mark.parametrize("target", ["demo", "test", "lab", "check", "bench", "lock"])
def test_make_has_its_targets(target):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
    phony = re.search(r"^\.PHONY:(.*)$", makefile, flags=re.MULTILINE)
    assert phony is not None
    assert target in phony[1].split()


def test_make_installs_by_hash_alone():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "install " in line and "$(PIP)" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-deps --no-build-isolation" in line for line in installs)
    assert set(re.findall(r"requirements[\w-]*\.lock", makefile)) == set(LOCKS)


def test_continuous_integration_runs_everything():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.search(r"make test FULL=1", script.read_text(encoding="utf-8"))


def test_no_committed_file_names_a_registry():
    hosts = re.compile(r"pypi\.org|pythonhosted|conda\.anaconda\.org|--index-url|registry\.npmjs")
    own = Path(__file__).name
    named = [
        path
        for path in committed_files()
        if path.name != own and hosts.search(path.read_bytes().decode("utf-8", errors="ignore"))
    ]
    assert named == []


def test_nothing_large_or_made_is_committed():
    for path in committed_files():
        assert path.stat().st_size < 1_000_000, path
        assert path.suffix not in (".parquet", ".pyc", ".duckdb", ".xlsx"), path


def test_everything_imported_is_declared():
    declared = {canonicalize_name(Requirement(entry).name) for entry in PROJECT["dependencies"]}
    distributions = packages_distributions()
    for path in (ROOT / "crmlib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"crmlib"}:
                providers = {canonicalize_name(provider) for provider in distributions.get(name, [name])}
                assert providers & declared, f"{path}:{node.lineno}: {name} is not declared in pyproject.toml"


def test_the_command_is_installed_and_the_version_is_one():
    import crmlib

    assert PROJECT["scripts"] == {"crm": "crmlib.cli:main"}
    assert PROJECT["version"] == crmlib.__version__
    assert f"## {crmlib.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8") or "Unreleased" in (
        ROOT / "CHANGELOG.md"
    ).read_text(encoding="utf-8")
    assert "MIT License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
