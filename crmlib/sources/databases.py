"""Databases: what a query answers is fetched in batches and laid down as a file; SQLAlchemy speaks to them.

Cells are laid down as texts, in one way of writing: what a column means is for the mapping to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from crmlib.errors import InputError
from crmlib.origins import Query
from crmlib.sources.cells import say
from crmlib.sources.cursors import Cursor
from crmlib.sources.secrets import read_secret

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select
    from sqlalchemy.sql.selectable import Subquery


@dataclass(frozen=True)
class Database:
    """A database that a query is put to.

    Parameters
    ----------
    query : Query
    params_file : Path
        A secret's relative path is from its folder.
    where : str
        The key in the params, for errors.
    """

    query: Query
    params_file: Path
    where: str

    def peek(self) -> list[str]:
        """Columns of the answer; no row of it is fetched.

        Raises
        ------
        InputError
            If the database cannot be reached, the query is wrong, or the cursor is no column of its answer.
        """
        with self._connected() as connection:
            return self._describe(connection)

    def fetch(self, path: Path, since: Cursor | None) -> Cursor | None:
        """Lay the answer down as a Parquet file of texts.

        Parameters
        ----------
        path : Path
        since : Cursor or None
            How far the last run came.

        Returns
        -------
        Cursor or None
            How far this one came.

        Raises
        ------
        InputError
            As `peek`, and if the connection breaks.
        """
        from sqlalchemy import literal_column, select
        from sqlalchemy.exc import SQLAlchemyError

        with self._connected() as connection:
            columns = self._describe(connection)
            answer = self._wrap()
            statement: Select[Any] = select(literal_column("*")).select_from(answer)
            reached = since
            if self.query.cursor is not None and since is not None:
                asked = since.back(self.query.lookback_days).value
                statement = statement.where(answer.c[self.query.cursor] >= asked)
            place = columns.index(self.query.cursor) if self.query.cursor is not None else None
            schema = pa.schema([(name, pa.string()) for name in columns])
            try:
                streamed = connection.execution_options(stream_results=True, yield_per=self.query.batch_rows)
                with pq.ParquetWriter(path, schema) as writer:
                    for rows in streamed.execute(statement).partitions():
                        cells = list(zip(*rows, strict=True))
                        if place is not None:
                            reached = Cursor.furthest(reached, cells[place], self.where)
                        writer.write_batch(pa.record_batch([pa.array(map(say, cell)) for cell in cells], schema=schema))
            except SQLAlchemyError as error:
                raise InputError(
                    f"{self.where}: the database broke off before the answer was whole ({_kind(error)}); run again."
                ) from None
        return reached

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

        named = f"{self.where}.url"
        url = read_secret(self.query.url_env, self.query.url_file, self.params_file, named)
        holder = self.query.url_env or self.query.url_file
        try:
            engine = create_engine(url or "")
        except (ArgumentError, NoSuchModuleError, ValueError):
            raise InputError(
                f"{named}: what {holder} holds is no address of a database; write one such as "
                "postgresql+psycopg://user:password@host/database."
            ) from None
        except ModuleNotFoundError as error:
            raise InputError(
                f"{named}: the driver {error.name} is not installed; install it with: pip install 'crmlib[databases]'."
            ) from None
        try:
            connection = engine.connect()
        except (SQLAlchemyError, OSError) as error:
            engine.dispose()
            raise InputError(
                f"{named}: the database that {holder} names cannot be reached, or refuses the user ({_kind(error)})."
            ) from None
        try:
            # nothing is committed: a view is read, and what was read is let go
            yield connection
        finally:
            connection.close()
            engine.dispose()

    def _wrap(self) -> Subquery:
        from sqlalchemy import column, text

        # a colon stands for itself: nothing is bound in a user's text
        own = text(re.sub(r"(?<![:\w\\]):(?=\w)", r"\:", self.query.query))
        named: list[Any] = [column(self.query.cursor)] if self.query.cursor is not None else []
        return own.columns(*named).subquery("delivered")

    def _describe(self, connection: Connection) -> list[str]:
        from sqlalchemy import false, literal_column, select
        from sqlalchemy.exc import SQLAlchemyError

        inner = self.query.model_copy(update={"cursor": None})
        answer = Database(inner, self.params_file, self.where)._wrap()
        try:
            # no row is read, so that the database's own words quote none
            columns = list(connection.execute(select(literal_column("*")).select_from(answer).where(false())).keys())
        except SQLAlchemyError as error:
            said = str(getattr(error, "orig", error)).splitlines() or [""]
            raise InputError(f"{self.where}.query: the database cannot answer it: {said[0]}") from None
        if self.query.cursor is not None and self.query.cursor not in columns:
            raise InputError(
                f"{self.where}.cursor: the answer has no column '{self.query.cursor}'; it has: {', '.join(columns)}."
            )
        return columns


def _kind(error: BaseException) -> str:
    return type(getattr(error, "orig", None) or error).__name__
