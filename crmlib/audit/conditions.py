"""Conditions that a check's file may hold: one expression over an entity's columns, parsed and never trusted.

DuckDB's own parser reads the text; of what it finds only comparisons, `and`, `or`, `not`, arithmetic, `in`, `between`,
`like`, `is null` and the functions of `FUNCTIONS` may stand there, over columns of the one table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from crmlib.engine import Engine, quote
from crmlib.errors import EngineError

#: What may be called.
FUNCTIONS = (
    "abs", "contains", "date_diff", "day", "ends_with", "len", "length", "list_contains", "lower", "month",
    "regexp_full_match", "regexp_matches", "round", "starts_with", "strip_accents", "trim", "upper", "year",
)  # fmt: skip
#: Operators, as the parser names them.
OPERATORS = ("+", "-", "*", "/", "//", "%", "||", "~~", "!~~", "~~*", "!~~*")
#: Kinds of expression that hold others.
INNER = ("COMPARISON", "CONJUNCTION", "OPERATOR", "BETWEEN", "FUNCTION", "CAST", "CASE")
#: The one value that is bound.
AS_OF_DATE = "as_of_date"


def check_condition(engine: Engine, text: str, columns: Mapping[str, str]) -> str | None:
    """Check that a text is a condition over some columns.

    Parameters
    ----------
    engine : Engine
        Its parser reads the text; nothing of it is run.
    text : str
        Such as ``closed_at >= opened_at``; ``$as_of_date`` stands for the as-of date.
    columns : mapping of str to str
        Name of each column -> its type in SQL.

    Returns
    -------
    str or None
        What is wrong, as the end of a sentence; None if nothing is.
    """
    parsed = json.loads(engine.row("SELECT json_serialize_sql($text) AS parsed", text=f"SELECT ({text}\n)")["parsed"])
    expression = _single_expression(parsed)
    if expression is None:
        return "this is no condition; write one such as closed_at >= opened_at"
    for node in _walk(expression):
        if wrong := _find_fault(node, columns):
            return wrong
    typed = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in columns.items())
    asked = f"SELECT ({bind(text, 'DATE ' + repr('2000-01-01'))}\n) AS holds FROM (SELECT {typed})"
    try:
        # on a row without values: a constant of the wrong kind is met only when it is used
        engine.rows(asked)
        kinds = engine.rows(f"DESCRIBE {asked}")
    except EngineError:
        return "the kinds of what is compared do not fit; texts stand in single quotes, numbers do not"
    if kinds[0]["column_type"] != "BOOLEAN":
        return "this says neither yes nor no; compare it with something"
    return None


def bind(text: str, as_of_date: str) -> str:
    """Put an SQL expression in the place of ``$as_of_date``."""
    return text.replace(f"${AS_OF_DATE}", as_of_date)


def _single_expression(parsed: dict[str, Any]) -> dict[str, Any] | None:
    """The one expression of a parsed SELECT without anything else; None if there is more, or none."""
    statements = parsed.get("statements") or []
    if len(statements) != 1 or statements[0]["node"]["type"] != "SELECT_NODE":
        return None
    node = statements[0]["node"]
    plain = not node["modifiers"] and node["from_table"]["type"] == "EMPTY" and not node["cte_map"]["map"]
    plain = plain and not any(node.get(part) for part in ("where_clause", "group_expressions", "having", "qualify"))
    if not plain or len(node["select_list"]) != 1:
        return None
    expression: dict[str, Any] = node["select_list"][0]
    return expression


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every expression in an expression, itself first."""
    if isinstance(node, list):
        for one in node:
            yield from _walk(one)
    elif isinstance(node, dict):
        if "class" in node:
            yield node
        for name, inner in node.items():
            if name not in ("value", "order_bys"):
                yield from _walk(inner)


def _find_fault(node: dict[str, Any], columns: Mapping[str, str]) -> str | None:
    kind = node["class"]
    if kind == "CONSTANT" or (kind == "PARAMETER" and node["identifier"] == AS_OF_DATE):
        return None
    if kind == "COLUMN_REF":
        name = ".".join(node["column_names"])
        return None if name in columns else f"there is no field '{name}' here; there are {', '.join(columns)}"
    if kind == "FUNCTION" and node["function_name"] not in (*FUNCTIONS, *OPERATORS):
        return f"the function '{node['function_name']}' is not allowed; there are {', '.join(FUNCTIONS)}"
    if kind not in INNER or (kind == "FUNCTION" and (node["filter"] or node["distinct"] or node["schema"])):
        return "only comparisons, and, or, not, arithmetic, in, between, like and is null may stand here"
    return None
