"""The engine: named SQL steps in, tables out.

Set work is SQL in DuckDB's dialect, in named steps beside the function they belong to. DuckDB runs
them embedded and out of core. The same text can be written as Spark SQL (`Step.spark`), which is
the seam for those who outgrow one machine.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from crmlib.errors import EngineError

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 50_000
#: Values of a column that Parquet lists once: above that a list is seldom smaller, and takes a third of the time.
DICTIONARY_VALUES = 8_000
#: How a sum of integers comes out of DuckDB.
SUM_OF_INTEGERS = pa.decimal128(38, 0)


@dataclass(frozen=True)
class Step:
    """A named SQL step.

    Parameters
    ----------
    name : str
        Name of the table the step makes (in the engine alone, until a run writes it).
    sql : str
        One SELECT in DuckDB's dialect; values as ``$name``.
    """

    name: str
    sql: str

    @property
    def spark(self) -> str:
        """The same text as Spark SQL."""
        import sqlglot

        return sqlglot.transpile(self.sql, read="duckdb", write="spark")[0]


def quote(identifier: str) -> str:
    """Quote an identifier, so that any heading can be a column's name."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Quote a text as an SQL literal, where the dialect takes no bound value (a file's path)."""
    return "'" + value.replace("'", "''") + "'"


class Engine:
    """DuckDB behind the few verbs the rooms need.

    Parameters
    ----------
    threads : int
        Threads DuckDB may use.
    memory_limit : str
        As DuckDB writes it, such as ``8GB``; what does not fit is spilled to `temp_directory`.
    temp_directory : Path, optional
        Where to spill; DuckDB's own choice when absent.
    """

    def __init__(self, threads: int = 2, memory_limit: str = "8GB", temp_directory: Path | None = None) -> None:
        self.connection = duckdb.connect(":memory:", config={"threads": threads, "memory_limit": memory_limit})
        # for cursors too, wherever the machine stands
        self.connection.execute("SET GLOBAL TimeZone = 'UTC'")
        # Nothing is loaded from outside, nor shown on a terminal that a log keeps.
        self.connection.execute("SET autoinstall_known_extensions = false")
        self.connection.execute("SET enable_progress_bar = false")
        if temp_directory is not None:
            self.connection.execute(f"SET temp_directory = {literal(str(temp_directory))}")

    def close(self) -> None:
        """Close the connection; its tables go with it."""
        self.connection.close()

    def run(self, step: Step, **values: Any) -> str:
        """Make the table of a step.

        Returns
        -------
        str
            The table's name.
        """
        with self._naming(step.name):
            self.connection.execute(
                f"CREATE OR REPLACE TABLE {quote(step.name)} AS {step.sql}", _used(step.sql, values)
            )
        return step.name

    def execute(self, sql: str, **values: Any) -> None:
        """Execute a statement that returns nothing anybody needs."""
        with self._naming(sql):
            self.connection.execute(sql, _used(sql, values))

    def register(self, name: str, data: pd.DataFrame | pa.Table) -> str:
        """Copy a frame or an Arrow table into a table."""
        with self._naming(name):
            self.connection.register("incoming", data)
            try:
                self.connection.execute(f"CREATE OR REPLACE TABLE {quote(name)} AS SELECT * FROM incoming")
            finally:
                self.connection.unregister("incoming")
        return name

    def view(self, name: str, sql: str) -> str:
        """Make a view; values cannot be bound in it."""
        self.execute(f"CREATE OR REPLACE VIEW {quote(name)} AS {sql}")
        return name

    def append(self, name: str, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> str:
        """Make a table of a stream of Arrow batches, never held in memory whole."""
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        return self.register(name, reader)

    def frame(self, sql: str, **values: Any) -> pd.DataFrame:
        """The rows of a query, for looking at."""
        with self._naming(sql), warnings.catch_warnings():
            # DuckDB 1.5 localises times with a keyword that pandas 3.1 deprecates
            warnings.filterwarnings("ignore", "The inplace keyword in DataFrame.drop")
            return self.connection.execute(sql, _used(sql, values)).df()

    def arrow(self, sql: str, **values: Any) -> pa.Table:
        """The rows of a query as an Arrow table."""
        with self._naming(sql):
            return self.connection.execute(sql, _used(sql, values)).to_arrow_table()

    def row(self, sql: str, **values: Any) -> dict[str, Any]:
        """The only row of a query.

        Raises
        ------
        EngineError
            If there is not exactly one row.
        """
        rows = self.rows(sql, **values)
        if len(rows) != 1:
            raise EngineError(f"One row was expected, {len(rows)} came, of: {_first_line(sql)}")
        return rows[0]

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of a query as dictionaries, for few rows; a sum of whole numbers is one."""
        table = self.arrow(sql, **values)
        whole = [field.name for field in table.schema if field.type == SUM_OF_INTEGERS]
        rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="strict")
        for row in rows:
            row.update({name: int(row[name]) for name in whole if row[name] is not None})
        return rows

    def columns(self, name: str) -> dict[str, str]:
        """Name and type of each column of a table or view."""
        return {row["column_name"]: row["column_type"] for row in self.rows(f"DESCRIBE {quote(name)}")}

    def has(self, name: str) -> bool:
        """Whether a table or view of this name exists."""
        with self._naming(name):
            found = self.connection.execute(
                "SELECT 1 FROM duckdb_tables() WHERE table_name = $name "
                "UNION ALL SELECT 1 FROM duckdb_views() WHERE view_name = $name",
                {"name": name},
            )
            return found.fetchone() is not None

    def map_distinct(
        self,
        name: str,
        sql: str,
        function: Callable[..., tuple[Any, ...]],
        fields: Mapping[str, pa.DataType],
    ) -> str:
        """Work on text once per distinct value.

        Parameters
        ----------
        name : str
            The table to make.
        sql : str
            A query; its distinct rows, but for those that hold nothing, are worked on.
        function : callable
            Takes one row's values, gives one value per field.
        fields : mapping of str to pyarrow.DataType
            The columns that `function` adds.

        Returns
        -------
        str
            `name`: the query's columns, then `fields`.
        """
        keys = [column["column_name"] for column in self.rows(f"DESCRIBE {sql}")]
        anything = " OR ".join(f"{quote(key)} IS NOT NULL" for key in keys)
        distinct = self.connection.cursor()
        with self._naming(name):
            distinct.execute(f"SELECT DISTINCT * FROM ({sql}) AS source WHERE {anything}")
            reader = distinct.to_arrow_reader(BATCH_ROWS)
            schema = pa.schema([*reader.schema, *(pa.field(key, kind) for key, kind in fields.items())])

            def worked() -> Iterator[pa.RecordBatch]:
                for batch in reader:
                    rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                    made = list(zip(*(function(*row) for row in rows), strict=True)) or [()] * len(fields)
                    added = [pa.array(values, kind) for values, kind in zip(made, fields.values(), strict=True)]
                    yield pa.record_batch([*batch.columns, *added], schema=schema)

            return self.append(name, worked(), schema)

    def copy(self, sql: str, path: Path) -> None:
        """Write the rows of a query to a Parquet file."""
        options = f"FORMAT parquet, COMPRESSION zstd, DICTIONARY_SIZE_LIMIT {DICTIONARY_VALUES}"
        self.execute(f"COPY ({sql}) TO {literal(str(path))} ({options})")

    @contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise EngineError(f"The step '{_first_line(what)}' failed ({type(error).__name__}).") from error


def _used(sql: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """DuckDB refuses a bound value that the text does not name."""
    named = set(re.findall(r"\$([A-Za-z_]\w*)", sql))
    return {name: value for name, value in values.items() if name in named}


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:80]
