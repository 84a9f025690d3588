"""Origins: where data lie that are no file of this machine, and how one gets in.

A secret never stands here: only the name of the variable of the environment, or the file, that holds it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from crmlib.documents import Settings


class Access(Settings):
    """How one gets in to a server of files.

    Parameters
    ----------
    user : str, optional
        Name, or of S3 the key's id.
    password_env, password_file : str, optional
        Variable of the environment, or file, that holds the password, or of S3 the secret key.
    key_file : str, optional
        Private key of SFTP.
    known_hosts : str, optional
        File of the servers' keys for SFTP; absent: the user's own.
    endpoint : str, optional
        Address of a store that speaks S3.
    region : str, optional
    """

    user: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    key_file: str | None = None
    known_hosts: str | None = None
    endpoint: str | None = None
    region: str | None = None


class Query(Settings):
    """A query to a database, or a read-only view of one.

    Parameters
    ----------
    url_env, url_file : str, optional
        Variable of the environment, or file, that holds the database's address as SQLAlchemy writes it
        (``postgresql+psycopg://user:password@host/database``).
    query : str
        One SELECT.
    cursor : str, optional
        Column of the answer that only grows (a time, a number): from the second run on only rows from the highest one
        seen on are asked for.
    lookback_days : int
        Of a cursor of times: days that are asked for once more, for rows that come late.
    batch_rows : int
        Rows that are fetched at once.
    """

    url_env: str | None = None
    url_file: str | None = None
    query: str
    cursor: str | None = None
    lookback_days: int = Field(default=0, ge=0)
    batch_rows: int = Field(default=20_000, ge=1)

    @model_validator(mode="after")
    def _has_address(self) -> Query:
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("give url_env: or url_file:, the name of what holds the database's address")
        return self

    @field_validator("query")
    @classmethod
    def _is_select(cls, value: str) -> str:
        text = value.strip().rstrip(";")
        if not text.lower().startswith(("select", "with")) or ";" in text:
            raise ValueError("write one SELECT")
        return text


class Authorisation(Settings):
    """How a web service knows who asks: a bearer's token, a name and password, or a header of its own."""

    bearer_env: str | None = None
    bearer_file: str | None = None
    user: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    header: str | None = None
    value_env: str | None = None
    value_file: str | None = None


class Paging(Settings):
    """How a web service gives its answer in pages.

    Parameters
    ----------
    by : {"page", "offset", "cursor", "link"}
        The page's number; the rows before it; what the last page said (`next`); or the header ``Link``.
    param : str, optional
        Name of the query's part that says so.
    size_param : str, optional
        Name of the query's part that says how many rows a page has.
    size : int
    next : str, optional
        Dotted place of the next page's cursor, or address, in the answer.
    first : int
        Number of the first page.
    """

    by: Literal["page", "offset", "cursor", "link"]
    param: str | None = None
    size_param: str | None = None
    size: int = Field(default=100, ge=1)
    next: str | None = None
    first: int = 1

    @model_validator(mode="after")
    def _is_whole(self) -> Paging:
        if self.by in ("page", "offset") and self.param is None:
            raise ValueError(f"with by: {self.by}, give param:, the name of the query's part that says which")
        if self.by == "cursor" and self.next is None:
            raise ValueError("with by: cursor, give next:, the place in the answer that names the next page")
        return self


class Since(Settings):
    """What is new since the last run: the field that grows, and the query's part that asks from a value on."""

    field: str
    param: str


class Service(Settings):
    """A web service that answers in JSON.

    Parameters
    ----------
    url : str
    query : dict of str to str
        Further parts of the query.
    headers : dict of str to str
        Never a secret's place: that is `auth`.
    auth : Authorisation, optional
    records : str, optional
        Dotted place of the list of rows in an answer; absent: the answer is the list.
    paging : Paging, optional
        Absent: everything comes at once.
    cursor : Since, optional
    tries : int
        How often a page is asked for before the run gives up.
    timeout_seconds : float
    """

    url: str = Field(pattern=r"^https?://")
    query: dict[str, str | int | float] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    auth: Authorisation | None = None
    records: str | None = None
    paging: Paging | None = None
    cursor: Since | None = None
    tries: int = Field(default=6, ge=1)
    timeout_seconds: float = Field(default=60, gt=0)

    @field_validator("headers")
    @classmethod
    def _no_secret(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower() in ("authorization", "cookie", "x-api-key", "proxy-authorization"):
                raise ValueError(f"{name} is a secret; give it under auth:, by the name of what holds it")
        return value
