"""How a committed notebook reads: a question, short calls, and nothing that is calculated or typed in."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST_CELL = 8
FORBIDDEN = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.Try,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
SQL = re.compile(
    r"\b(select\b.+\bfrom\b|from\s+\w+\s+(where|join|group|order)\b|create\s+(table|view)|insert\s+into)", re.I | re.S
)
PATH = re.compile(r"^(\.{0,2}/)?([\w.-]+/)+[\w.*-]+$|\.(csv|tsv|parquet|yaml|json|ipynb|xlsx|txt)\b")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


@pytest.fixture
def name(request):
    return request.node.callspec.params["notebook"].stem


def code_of(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def trees_of(notebook) -> list[ast.Module]:
    return [ast.parse(cell.source) for cell in code_of(notebook)]


def texts_of(notebook) -> list[str]:
    return [
        node.value
        for tree in trees_of(notebook)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_there_are_the_rooms_of_the_house():
    assert {path.stem for path in NOTEBOOKS} >= {
        "01_intake", "02_database_audit", "03_deduplication", "05_purchase_patterns", "06_churn_and_value",
    }  # fmt: skip
    assert all(re.fullmatch(r"\d\d_[a-z_]+", path.stem) for path in NOTEBOOKS)


def test_what_it_calls_of_the_package_is_there(notebook):
    nodes = [node for tree in trees_of(notebook) for node in ast.walk(tree)]
    modules = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crmlib"):
            for alias in node.names:
                found = import_name(node.module, alias.name)
                if isinstance(found, ModuleType):
                    modules[alias.asname or alias.name] = found
    assert modules
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr), f"{node.value.id}.{node.attr}"


def import_name(module: str, name: str) -> object:
    package = importlib.import_module(module)
    return getattr(package, name) if hasattr(package, name) else importlib.import_module(f"{module}.{name}")


def test_it_is_valid_and_of_one_kernel(notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def test_its_outputs_are_stripped(notebook):
    for cell in code_of(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}


def test_it_begins_with_its_question(notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    title = first.source.splitlines()[0]
    assert re.fullmatch(r"# .+\?(?: .*)?", title)
    for word in ("Serves", "Reads", "Writes"):
        assert word in first.source, f"the first cell says what the notebook {word.lower()}"


def test_it_has_one_cell_of_typed_and_commented_parameters(notebook):
    tagged = [cell for cell in code_of(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert tagged[0] is code_of(notebook)[0]
    for line, node in zip(tagged[0].source.splitlines(), ast.parse(tagged[0].source).body, strict=True):
        assert isinstance(node, ast.AnnAssign), f"a parameter has a type: {line}"
        assert "  # " in line, f"a parameter is explained: {line}"
    assert tagged[0].source.startswith('run_dir: str = ""')


def test_it_opens_its_own_run(notebook, name):
    assert f'open_run(run_dir, "{name}")' in "\n".join(cell.source for cell in code_of(notebook))


def test_it_has_a_few_short_cells(notebook):
    cells = code_of(notebook)
    assert 8 <= len(cells) <= 25
    for cell in cells:
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= LONGEST_CELL, cell.source
        assert lines, "an empty cell"


def test_it_only_calls(notebook):
    for tree in trees_of(notebook):
        for node in ast.walk(tree):
            assert not isinstance(node, FORBIDDEN), ast.unparse(node)


def test_it_holds_no_sql_and_no_path(notebook):
    for text in texts_of(notebook):
        assert not SQL.search(text), text
        assert not PATH.search(text), text


def test_it_imports_the_package_and_what_every_analyst_knows(notebook):
    for tree in trees_of(notebook):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert all(alias.name in ("numpy", "pandas") for alias in node.names)
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] in ("crmlib", "datetime"), node.module


def test_each_question_has_its_heading_and_the_limits_come_last(notebook):
    headings = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line[:1] == "#"
    ]
    assert sum(heading.startswith("# ") for heading in headings) == 1
    assert headings[-1] == "## Limits"
    assert notebook.cells[-1].cell_type == "markdown"
    assert len(headings) >= 4


def test_figures_are_rendered_from_data_and_never_typed(notebook):
    """A count, an amount or a share in prose would be of some other run."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\d{1,3},\d{3}|\d+(\.\d+)? ?€|\b\d{4,}\b", cell.source), cell.source
