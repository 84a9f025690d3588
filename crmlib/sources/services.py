"""Web services: their pages are asked for one by one, again where that fails, and laid down as JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from crmlib.errors import InputError
from crmlib.origins import Service
from crmlib.sources.cursors import Cursor
from crmlib.sources.secrets import read_secret

if TYPE_CHECKING:
    import httpx

#: Seconds before a page is asked for a second time, doubled each time, and the most that is waited.
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
#: Answers after which it is worth asking again.
PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Answerer:
    """A web service that is asked for rows.

    Parameters
    ----------
    service : Service
    params_file : Path
        A secret's relative path is from its folder.
    where : str
        The key in the params, for errors.
    """

    service: Service
    params_file: Path
    where: str

    def peek(self) -> None:
        """Ask for the first page, to know that the service answers.

        Raises
        ------
        InputError
            As `fetch`.
        """
        with self._client() as client:
            next(self._ask_pages(client, None))

    def fetch(self, path: Path, since: Cursor | None) -> Cursor | None:
        """Lay every row down as a line of JSON.

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
            If the service cannot be reached, refuses, fails again and again, or answers otherwise than params say.
        """
        reached = since
        cursor = self.service.cursor
        with self._client() as client, path.open("w", encoding="utf-8") as file:
            for rows in self._ask_pages(client, since):
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                if cursor is not None:
                    reached = Cursor.furthest(reached, [find(row, cursor.field) for row in rows], self.where)
        return reached

    def _ask_pages(self, client: httpx.Client, since: Cursor | None) -> Iterator[list[Any]]:
        service, paging = self.service, self.service.paging
        query: dict[str, Any] = dict(service.query)
        if service.cursor is not None and since is not None:
            query[service.cursor.param] = str(since.value)
        if paging is not None and paging.size_param is not None:
            query[paging.size_param] = paging.size
        address, asked, page, passed = service.url, set(), 0, 0
        while True:
            if paging is not None and paging.by in ("page", "offset"):
                query[str(paging.param)] = paging.first + page if paging.by == "page" else passed
            mark = (address, json.dumps(query, sort_keys=True))
            if mark in asked:
                raise InputError(f"{self.where}.paging: the service names the same page again and again; mend paging:.")
            asked.add(mark)
            response = self._ask(client, address, query)
            answer, rows = self._read(response)
            yield rows
            page, passed = page + 1, passed + len(rows)
            if paging is None or (paging.by in ("page", "offset") and self._is_last(rows)):
                return
            if paging.by in ("page", "offset"):
                continue
            following = response.links.get("next", {}).get("url") if paging.by == "link" else find(answer, paging.next)
            if following in (None, "", False):
                return
            if paging.by == "link" or paging.param is None:
                address, query = self._stay(address, str(following)), {}
            else:
                query[paging.param] = following

    def _is_last(self, rows: list[Any]) -> bool:
        paging = self.service.paging
        return not rows or (paging is not None and paging.size_param is not None and len(rows) < paging.size)

    def _stay(self, address: str, following: str) -> str:
        """The next page's address; on another server our secret would be told to a stranger."""
        following = urljoin(address, following)
        if urlsplit(following)[:2] != urlsplit(self.service.url)[:2]:
            raise InputError(f"{self.where}.paging: the next page lies on another server, which is not followed.")
        return following

    def _ask(self, client: httpx.Client, address: str, query: dict[str, Any]) -> httpx.Response:
        import httpx

        failed = ""
        for attempt in range(self.service.tries):
            wait = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
            try:
                response = client.get(address, params=query or None)
            except httpx.TransportError as error:
                failed = f"cannot be reached ({type(error).__name__})"
            else:
                if response.status_code < 300:
                    return response
                failed = f"answers {response.status_code}"
                if response.status_code in (401, 403):
                    raise InputError(f"{self.where}.auth: the service {failed}: it refuses who asks; mend the secret.")
                if response.status_code not in PASSING:
                    raise InputError(f"{self.where}.url: the service {failed}; mend url: and query:.")
                wait = max(wait, _asked_wait(response))
            if attempt + 1 < self.service.tries:
                time.sleep(wait)
        raise InputError(f"{self.where}.url: the service {failed}, {self.service.tries} times; run again later.")

    def _read(self, response: httpx.Response) -> tuple[Any, list[Any]]:
        try:
            answer = response.json()
        except ValueError:
            raise InputError(f"{self.where}.url: the service does not answer in JSON.") from None
        rows = find(answer, self.service.records) if self.service.records else answer
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            named = f"at '{self.service.records}'" if self.service.records else "at its top"
            raise InputError(f"{self.where}.records: the answer has no list of objects {named}; mend records:.")
        return answer, rows

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        import httpx

        auth, headers, known = self.service.auth, dict(self.service.headers), None
        if auth is not None:
            here = f"{self.where}.auth"
            bearer = read_secret(auth.bearer_env, auth.bearer_file, self.params_file, f"{here}.bearer")
            value = read_secret(auth.value_env, auth.value_file, self.params_file, f"{here}.value")
            password = read_secret(auth.password_env, auth.password_file, self.params_file, f"{here}.password")
            if bearer is not None:
                headers["Authorization"] = f"Bearer {bearer}"
            if auth.header is not None and value is not None:
                headers[auth.header] = value
            if auth.user is not None and password is not None:
                known = httpx.BasicAuth(auth.user, password)
        with httpx.Client(headers=headers, auth=known, timeout=self.service.timeout_seconds) as client:
            yield client


def find(answer: Any, place: str | None) -> Any:
    """What stands at a dotted place of an answer; None if nothing does."""
    for name in (place or "").split("."):
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def _asked_wait(response: httpx.Response) -> float:
    """Seconds the service asks to wait: a number, or the time from its own clock on."""
    said = response.headers.get("Retry-After", "")
    if said.isdigit():
        return min(float(said), LONGEST_WAIT)
    try:
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return 0.0
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT)
