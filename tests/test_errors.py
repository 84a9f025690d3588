"""The error tree: what a user meets has an exit code and a place in the tree."""

from __future__ import annotations

import pytest

from crmlib import errors
from crmlib.errors import CrmError, ParamsError, find_error

EXIT_CODES = {
    "CrmError": 1,
    "ContractError": 1,
    "EngineError": 1,
    "InputError": 2,
    "ParamsError": 2,
    "GateError": 3,
    "PersonalDataError": 3,
    "ConflictError": 4,
    "NothingToDo": 0,
}


@pytest.mark.parametrize("name", EXIT_CODES)
def test_each_error_has_its_exit_code_and_is_found_by_name(name):
    found = find_error(name)
    assert found is getattr(errors, name)
    assert found is not None
    assert issubclass(found, CrmError)
    assert found.exit_code == EXIT_CODES[name]
    assert name in errors.__doc__


def test_every_error_of_the_tree_is_drawn():
    named = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, CrmError)}
    assert named == set(EXIT_CODES)


def test_errors_of_others_are_not_found():
    assert find_error("ValueError") is None


def test_problems_of_params_are_a_line_each():
    assert str(ParamsError(["a", "b"])) == "a\nb"
    assert ParamsError("a").problems == ["a"]
