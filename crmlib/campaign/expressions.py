"""`where` expressions of a plan: a small language with Python's look, turned into SQL and never evaluated.

Only what stands here is allowed: columns of the customers' tables, texts, numbers, true and false,
comparisons, ``in``, ``and``, ``or``, ``not``, the four kinds of arithmetic, and the functions of `FUNCTIONS`.
A comparison with a missing value holds for nobody, as in SQL.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from datetime import date
from typing import Any

from crmlib.engine import quote
from crmlib.tables import CONTRACTS, Column

#: Tables whose columns an expression may name; where two share a name, the first that knows the value counts.
AUDIENCE_TABLES = ("customers", "purchase_summary", "lifecycle", "customer_value", "segments")
#: What may be called, and how.
FUNCTIONS = {
    "km_to": "km_to('store'): kilometres from the customer's postcode to a store",
    "days_since": "days_since(date_column): days up to the as-of date",
}
LONGEST = 500  # characters

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "<>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_NUMBERS = ("int", "float", "money")
_DATES = ("date", "time")

_KM_TO = """(
    SELECT 12742 * asin(sqrt(
        power(sin(radians(s.latitude - a.latitude) / 2), 2)
        + cos(radians(a.latitude)) * cos(radians(s.latitude))
        * power(sin(radians(s.longitude - a.longitude) / 2), 2)
    )) FROM stores AS s WHERE s.store_id = {store}
)"""


@dataclass(frozen=True)
class Condition:
    """A checked expression.

    Parameters
    ----------
    sql : str
        A condition over the columns of `AUDIENCE_TABLES`, in a table called ``a``; its values as ``$name``.
    values : dict of str to anything
        What is bound to the names.
    columns : tuple of str
        Columns it reads, in order.
    impossible : tuple of (str, str)
        Columns, and values they are compared with that their contract does not know.
    """

    sql: str
    values: dict[str, Any]
    columns: tuple[str, ...]
    impossible: tuple[tuple[str, str], ...] = ()


def read_condition(text: str, prefix: str = "w") -> Condition:
    """Check an expression and turn it into SQL.

    Parameters
    ----------
    text : str
        Such as ``clv_12m >= 120 and island in ('La Palma', 'El Hierro')``.
    prefix : str
        With which the names of bound values begin.

    Returns
    -------
    Condition

    Raises
    ------
    ValueError
        With a sentence, if the expression is more than a condition over the customers' columns.
    """
    if len(text) > LONGEST:
        raise ValueError(f"an expression has at most {LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError("this is no expression; write one such as clv_12m >= 120 and origin == 'online'") from None
    writer = _Writer(prefix)
    sql, kind = writer.write(tree)
    if kind != "bool":
        raise ValueError("an expression must say yes or no: compare something")
    return Condition(sql, writer.values, tuple(dict.fromkeys(writer.columns)), tuple(writer.impossible))


def find_column(name: str) -> Column | None:
    """The column of `AUDIENCE_TABLES` that a name means; None if there is none."""
    for table in AUDIENCE_TABLES:
        column = CONTRACTS[table].column(name)
        if column is not None and "<" not in name:
            return column
    return None


class _Writer:
    """Walks an expression once; what it does not know it refuses. Each part is told as (SQL, type)."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.values: dict[str, Any] = {}
        self.columns: list[str] = []
        self.impossible: list[tuple[str, str]] = []

    def write(self, node: ast.expr) -> tuple[str, str]:
        match node:
            case ast.BoolOp():
                word = " AND " if isinstance(node.op, ast.And) else " OR "
                return "(" + word.join(self._condition(part) for part in node.values) + ")", "bool"
            case ast.UnaryOp(op=ast.Not()):
                return f"(NOT {self._condition(node.operand)})", "bool"
            case ast.UnaryOp(op=ast.USub()):
                return f"(-{self._number(node.operand)})", "float"
            case ast.BinOp(op=ast.Div()):
                return f"({self._number(node.left)} / nullif({self._number(node.right)}, 0))", "float"
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                sign = _ARITHMETIC[type(node.op)]
                return f"({self._number(node.left)} {sign} {self._number(node.right)})", "float"
            case ast.Compare():
                return self._comparison(node), "bool"
            case ast.Name():
                return self._column(node.id)
            case ast.Constant(value=bool() | int() | float() | str()):
                return self._bind(node.value)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
                return self._call(name, argument)
        raise ValueError(
            f"'{ast.unparse(node)[:60]}' is not allowed here: an expression compares columns with values; "
            f"functions: {', '.join(FUNCTIONS)}"
        )

    def _condition(self, node: ast.expr) -> str:
        sql, kind = self.write(node)
        if kind != "bool":
            raise ValueError(f"'{ast.unparse(node)[:60]}' says neither yes nor no: compare it with something")
        return sql

    def _number(self, node: ast.expr) -> str:
        sql, kind = self.write(node)
        if kind not in _NUMBERS:
            raise ValueError(f"'{ast.unparse(node)[:60]}' is not a number")
        return sql

    def _comparison(self, node: ast.Compare) -> str:
        sides = [node.left, *node.comparators]
        parts = [self._compare(sides[place], operator, sides[place + 1]) for place, operator in enumerate(node.ops)]
        return "(" + " AND ".join(parts) + ")"

    def _compare(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> str:
        if isinstance(operator, ast.In | ast.NotIn):
            return ("NOT " if isinstance(operator, ast.NotIn) else "") + self._membership(left, right)
        if type(operator) not in _COMPARISONS:
            raise ValueError("compare with ==, !=, <, <=, >, >=, in or not in")
        left_sql, right_sql = self._alike(left, right)
        return f"{left_sql} {_COMPARISONS[type(operator)]} {right_sql}"

    def _membership(self, left: ast.expr, right: ast.expr) -> str:
        if isinstance(right, ast.Tuple | ast.List):
            if not right.elts:
                raise ValueError("the list after in is empty")
            return "(" + " OR ".join(f"{a} = {b}" for a, b in (self._alike(left, one) for one in right.elts)) + ")"
        sql, kind = self.write(right)
        value, value_kind = self.write(left)
        if kind != "texts" or value_kind != "text":
            raise ValueError("write in with a list of values, or 'value' in a column that holds lists")
        return f"list_contains({sql}, {value})"

    def _alike(self, left: ast.expr, right: ast.expr) -> tuple[str, str]:
        """Both sides of a comparison; a text beside a date is read as one."""
        (left_sql, left_kind), (right_sql, right_kind) = self.write(left), self.write(right)
        if left_kind in _DATES and right_kind == "text":
            return left_sql, self._date(right)
        if right_kind in _DATES and left_kind == "text":
            return self._date(left), right_sql
        self._doubt(left, right)
        for kinds in (_NUMBERS, _DATES, ("text",), ("bool",)):
            if left_kind in kinds and right_kind in kinds:
                return left_sql, right_sql
        raise ValueError(
            f"'{ast.unparse(left)[:60]}' and '{ast.unparse(right)[:60]}' are of different kinds; "
            "texts stand in quotes, numbers do not"
        )

    def _doubt(self, left: ast.expr, right: ast.expr) -> None:
        """Note a value that a column with a list of values never has."""
        for name, value in ((left, right), (right, left)):
            if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                column = find_column(name.id)
                if column is not None and column.values and value.value not in column.values:
                    self.impossible.append((name.id, value.value))

    def _date(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise ValueError("compare a date with a date in quotes, such as '2026-12-24'")
        try:
            return self._bind(date.fromisoformat(node.value))[0]
        except ValueError:
            raise ValueError(f"'{node.value[:60]}' is not a date; write it as '2026-12-24'") from None

    def _column(self, name: str) -> tuple[str, str]:
        column = find_column(name)
        if column is None:
            raise ValueError(f"'{name[:60]}' is no column of {', '.join(AUDIENCE_TABLES)}")
        self.columns.append(name)
        return f"a.{quote(name)}", column.kind

    def _bind(self, value: Any) -> tuple[str, str]:
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError("a number in an expression is too large")
        name = f"{self.prefix}{len(self.values)}"
        self.values[name] = value
        kind = {bool: "bool", int: "int", float: "float", str: "text"}.get(type(value), "date")
        return f"${name}", kind

    def _call(self, name: str, argument: ast.expr) -> tuple[str, str]:
        sql, kind = self.write(argument)
        if name == "days_since":
            if kind not in _DATES or not isinstance(argument, ast.Name):
                raise ValueError(f"write {FUNCTIONS[name]}")
            return f"date_diff('day', CAST({sql} AS DATE), CAST($as_of_date AS DATE))", "int"
        if kind != "text" or not isinstance(argument, ast.Constant):
            raise ValueError(f"write {FUNCTIONS[name]}")
        self.columns += ["latitude", "longitude"]
        return _KM_TO.format(store=sql), "float"
