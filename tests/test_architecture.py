"""The house: who may import whom, who alone imports what, and that nothing is loaded before it is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "crmlib"
MODULES = sorted(PACKAGE.rglob("*.py"))

BASE = ("errors", "files", "documents", "approvals", "origins", "params", "tables", "engine", "fields")
#: Each may use those before it, and the base.
STAGES = ("sources", "audit", "identity", "permission", "behaviour", "audience", "campaign", "activation")
#: What makes, executes and shows a run.
RUNS = ("run_folder", "runs", "room", "pages", "execution", "preflight", "pipeline")
MAY_USE: dict[str, tuple[str, ...]] = {
    "errors": (),
    "files": ("errors",),
    "documents": ("errors",),
    "approvals": ("errors",),
    "tables": ("errors",),
    "origins": ("documents",),
    "params": ("errors", "documents", "origins", "tables"),
    "governance": ("errors", "documents", "params"),
    "engine": ("errors", "params", "tables"),
    "fields": ("errors", "params", "tables", "engine"),
    **{stage: (*BASE, *STAGES[:place]) for place, stage in enumerate(STAGES)},
    "run_folder": ("errors", "files"),
    "runs": ("errors", "files", "run_folder"),
    "report": ("errors", "tables", "engine"),
    "demo": BASE,
    # a run in a notebook's hands
    "table_files": (*BASE, "run_folder", "runs"),
    "room": (*BASE, "run_folder", "runs", "table_files"),
    # a person's requests, in every kept run
    "rights": (*BASE, "sources", "identity", "permission", "run_folder", "runs"),
    "pages": (*BASE, "governance", "run_folder", "runs", "report"),
    "execution": (*BASE, "run_folder", "runs", "room", "__init__"),
    "preflight": (*BASE, "governance", *STAGES, "run_folder", "runs", "execution"),
    "pipeline": (*BASE, "governance", "run_folder", "runs", "pages", "execution", "preflight", "__init__"),
    "cli": (*BASE, *STAGES, *RUNS, "rights", "demo", "__init__"),
    "__init__": ("room",),
    "__main__": ("cli",),
}
PANELS = ("panel", "counter", "explorer", "pins", "review", "trails", "what_if")
SOLE_IMPORTERS = {
    "splink": ("identity/linkage.py",),
    "lifetimes": ("behaviour/btyd.py",),
    "papermill": ("execution.py",),
    "ipywidgets": tuple(f"report/widgets/{one}.py" for one in PANELS),
}
#: Packages that take long to load, and the rooms whose modules need them when they are imported.
SLOW = (
    "pandas", "splink", "lifetimes", "matplotlib", "papermill", "ipywidgets", "IPython", "nbconvert", "scipy",
    "numba", "statsmodels", "sklearn", "phonenumbers", "sqlglot", "networkx", "sqlalchemy", "httpx", "fsspec",
    "python_calamine", "paramiko",
)  # fmt: skip
LOADS: dict[str, set[str]] = {
    "errors": set(),
    "tables": set(),
    "params": set(),
    "engine": set(),
    "runs": set(),
    "room": set(),
    "fields": {"phonenumbers"},
    "sources": set(),
    "audit": {"phonenumbers"},
    "identity": {"pandas", "splink", "scipy", "phonenumbers", "sqlglot"},
    "permission": {"pandas", "phonenumbers"},
    "behaviour": {"pandas", "lifetimes", "scipy", "numba"},
    "audience": {"pandas", "scipy"},
    "campaign": {"pandas", "scipy", "numba", "statsmodels"},
    "activation": {"pandas", "scipy", "numba"},
    "report": {"ipywidgets", "IPython"},
    "rights": {"pandas", "phonenumbers"},
    "cli": set(),
    "demo": {"scipy"},
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> set[str]:
    """Full names of everything a module imports, wherever in it; also what only the type checker sees."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def loaded_by(*modules: str) -> set[str]:
    """Slow packages that are loaded once some modules are imported."""
    script = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.split()) & set(SLOW)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    room = room_of(path)
    assert room in MAY_USE, f"{room} is a new room: say here what it may use"
    used = {[*name.split("."), "__init__"][1] for name in imports_of(path) if name.split(".")[0] == "crmlib"}
    rooms = {name for name in used if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()}
    assert rooms - {room} <= set(MAY_USE[room])


@pytest.mark.parametrize("package", SOLE_IMPORTERS)
def test_some_packages_are_imported_in_one_place(package):
    importers = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if any(name.split(".")[0] == package for name in imports_of(path))
    }
    assert importers <= set(SOLE_IMPORTERS[package])


def test_importing_the_package_loads_nothing():
    script = "import sys; before = set(sys.modules); import crmlib; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert not loaded & {*SLOW, "duckdb", "pyarrow", "numpy", "pydantic", "yaml"}
    assert "crmlib.room" not in run.stdout.split()


@pytest.mark.parametrize("room", LOADS)
def test_a_room_loads_only_what_it_uses(room):
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if room_of(path) == room
    ]
    assert loaded_by(*modules) <= LOADS[room]


def test_a_page_needs_no_widgets():
    assert not loaded_by("crmlib.report.charts", "crmlib.report.tables") & {"ipywidgets", "matplotlib", "nbconvert"}


def test_the_names_a_notebook_needs_are_at_hand():
    import crmlib

    assert callable(crmlib.open_run)
    with pytest.raises(AttributeError, match="no attribute 'close_run'"):
        crmlib.close_run  # noqa: B018  (the access is what is tested)


def _public(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    found: list[tuple[str, ast.AST]] = []
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        found.append((node.name, node))
        if isinstance(node, ast.ClassDef):
            found += [
                (f"{node.name}.{inner.name}", inner)
                for inner in node.body
                if isinstance(inner, ast.FunctionDef)
                and not inner.name.startswith("_")
                # what a class of another package asks for is documented there
                and not any(isinstance(base, ast.Attribute) for base in node.bases)
            ]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_public_is_documented(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree), "a module says what it is"
    for name, node in _public(tree):
        text = ast.get_docstring(node)
        assert text, f"{name} has no docstring"
        first = text.split("\n\n")[0]
        assert "\n" not in first, f"{name}: the docstring begins with one line"
        assert first[-1] in ".:", f"{name}: the line ends with a full stop"


def test_rooms_are_named_by_what_they_know():
    names = {path.stem for path in MODULES}
    assert not names & {"utils", "util", "helpers", "helper", "misc", "common", "tools"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_left_to_be_done(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"#\s*(TODO|FIXME|XXX|HACK)", text)


def test_only_the_outer_rooms_ask_the_clock():
    """What is computed depends on the as-of date alone; a run's times and its manifest may be told."""
    outer = {"cli", "pipeline", "runs", "params"}
    for path in MODULES:
        if room_of(path) in outer:
            continue
        for node in ast.walk(tree_of(path)):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert not re.search(r"(datetime\.now|date\.today|time\.time|Timestamp\.now|utcnow)$", called), (
                f"{path}:{node.lineno} asks the clock"
            )


def test_initialisers_of_packages_are_light():
    for path in MODULES:
        if path.name == "__init__.py" and path.parent != PACKAGE:
            assert not {name.split(".")[0] for name in imports_of(path)} & set(SLOW), path
