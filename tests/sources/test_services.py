"""A web service is asked page by page, again where it fails, and from where the last run ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmlib.errors import InputError
from crmlib.sources import services
from crmlib.sources.previews import check_sources
from tests.sources.loopback import CUT, free_port, run_service

ROWS = [
    {"id": str(number), "customer": {"name": f"Name {number}"}, "changed": f"2026-01-{1 + number % 28:02}T10:00:00Z"}
    for number in range(1, 96)
]
FIELDS = {"source_record_id": "id", "full_name": "customer.name", "updated_at": "changed"}
SIZE = 10


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(services, "FIRST_WAIT", 0.001)


def given(url: str, **rest) -> dict:
    return {"api": {"customers": {"rest": {"url": f"{url}/customers", **rest}, "fields": FIELDS}}}


def by_page(path, query, headers):
    page, size = int(query["page"]), int(query.get("limit", SIZE))
    return 200, {}, {"data": ROWS[(page - 1) * size : page * size]}


def by_offset(path, query, headers):
    begin = int(query["offset"])
    return 200, {}, {"data": ROWS[begin : begin + int(query["limit"])]}


def by_cursor(path, query, headers):
    begin = int(query.get("after", 0))
    following = begin + SIZE if begin + SIZE < len(ROWS) else None
    return 200, {}, {"data": ROWS[begin : begin + SIZE], "meta": {"next": following}}


def by_link(path, query, headers):
    begin = int(query.get("begin", 0))
    more = begin + SIZE < len(ROWS)
    link = {"Link": f'</customers?begin={begin + SIZE}>; rel="next"'} if more else {}
    return 200, link, {"data": ROWS[begin : begin + SIZE]}


PAGED = {
    "page": (by_page, {"by": "page", "param": "page", "size_param": "limit", "size": SIZE}),
    "offset": (by_offset, {"by": "offset", "param": "offset", "size_param": "limit", "size": SIZE}),
    "cursor": (by_cursor, {"by": "cursor", "param": "after", "next": "meta.next"}),
    "link": (by_link, {"by": "link"}),
}


def failing(answer, failures):
    """The same service, which first fails each page in one of the ways given, one after the other."""
    left = {}

    def sometimes(path, query, headers):
        page = str(sorted(query.items()))
        if page not in left:
            left[page] = len(left) % len(failures)
            return failures[left[page]]
        return answer(path, query, headers)

    return sometimes


@pytest.mark.parametrize("style", PAGED)
def test_every_way_of_paging_gives_every_row_once(deliveries, style):
    answer, paging = PAGED[style]
    with run_service(answer) as (url, asked):
        deliveries.take_in(given(url, records="data", paging=paging))
    assert deliveries.ledger() == [(95, 95, 0, 0)]
    assert sorted(deliveries.values("source_records", "source_record_id"), key=int) == [row["id"] for row in ROWS]
    assert len(asked) == 10


@pytest.mark.parametrize("style", PAGED)
def test_a_service_that_fails_now_and_then_loses_no_row_and_gives_none_twice(deliveries, style):
    answer, paging = PAGED[style]
    failures = [(429, {"Retry-After": "0"}, {"error": "slowly"}), (500, {}, {}), CUT, (503, {}, b"<html>")]
    with run_service(failing(answer, failures)) as (url, asked):
        deliveries.take_in(given(url, records="data", paging=paging))
        assert len(asked) == 20
        assert deliveries.ledger() == [(95, 95, 0, 0)]
        deliveries.take_in(given(url, records="data", paging=paging))
    assert deliveries.ledger() == [(95, 0, 0, 95)]


def test_a_service_that_asks_to_wait_is_left_in_peace(deliveries, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(services.time, "sleep", waits.append)
    when = (datetime.now(UTC) + timedelta(seconds=7)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    failures = [(429, {"Retry-After": "3"}, {}), (503, {"Retry-After": when}, {}), (503, {"Retry-After": "9999"}, {})]
    answer, paging = PAGED["offset"]
    with run_service(failing(answer, failures)) as (url, _):
        deliveries.take_in(given(url, records="data", paging=paging))
    assert waits[0] == 3
    assert 4 <= waits[1] <= 8
    assert waits[2] == services.LONGEST_WAIT


def test_from_the_second_run_on_only_what_is_new_is_asked_for(deliveries):
    rows = list(ROWS[:20])

    def since(path, query, headers):
        return 200, {}, [row for row in rows if row["changed"] >= query.get("since", "")]

    with run_service(since) as (url, asked):
        sources = given(url, cursor={"field": "changed", "param": "since"})
        deliveries.take_in(sources, as_of="2026-10-01")
        assert deliveries.ledger() == [(20, 20, 0, 0)]
        first = dict(deliveries.base)
        rows.append({"id": "500", "customer": {"name": "New"}, "changed": "2026-02-01T00:00:00Z"})
        deliveries.take_in(sources, as_of="2026-10-02")
        assert "since=2026-01-21" in asked[-1]
        # the row that the cursor stands on is asked for again, and known
        assert deliveries.ledger() == [(2, 1, 0, 1)]
        assert len(deliveries.values("source_records", "source_record_id")) == 21
        # going back to an earlier run takes the cursor back, too
        deliveries.base = first
        deliveries.take_in(sources, as_of="2026-10-02")
    assert "since=2026-01-21" in asked[-1]
    assert deliveries.ledger() == [(2, 1, 0, 1)]


def test_a_service_that_breaks_off_leaves_everything_as_it_was(deliveries):
    answer, paging = PAGED["cursor"]
    broken = [True]

    def breaking(path, query, headers):
        return (500, {}, {}) if broken[0] and int(query.get("after", 0)) > 30 else answer(path, query, headers)

    with run_service(breaking) as (url, _):
        sources = given(url, records="data", paging=paging, tries=2)
        with pytest.raises(InputError, match=r"sources.api.customers.rest.url: the service answers 500, 2 times"):
            deliveries.take_in(sources)
        assert deliveries.base == {}
        assert not (deliveries.folder / ".landed").exists()
        broken[0] = False
        deliveries.take_in(sources)
    assert deliveries.ledger() == [(95, 95, 0, 0)]


@pytest.mark.parametrize(
    ("auth", "header", "expected"),
    [
        ({"bearer_env": "API_SECRET"}, "authorization", "Bearer geheim"),
        ({"header": "X-Key", "value_env": "API_SECRET"}, "x-key", "geheim"),
        ({"user": "crm", "password_env": "API_SECRET"}, "authorization", "Basic Y3JtOmdlaGVpbQ=="),
    ],
)
def test_the_service_knows_who_asks(deliveries, monkeypatch, auth, header, expected):
    monkeypatch.setenv("API_SECRET", "geheim")

    def guarded(path, query, headers):
        return (200, {}, ROWS) if headers.get(header) == expected else (401, {}, {})

    with run_service(guarded) as (url, _):
        deliveries.take_in(given(url, auth=auth))
        assert deliveries.ledger() == [(95, 95, 0, 0)]
        monkeypatch.setenv("API_SECRET", "wrong")
        with pytest.raises(InputError, match=r"rest.auth: the service answers 401: it refuses") as caught:
            deliveries.take_in(given(url, auth=auth))
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "rest", "sentence"),
    [
        ((404, {}, {}), {}, r"rest.url: the service answers 404; mend url: and query:"),
        ((200, {}, b"<html>"), {}, "does not answer in JSON"),
        ((200, {}, {"items": []}), {"records": "data"}, "no list of objects at 'data'; mend records:"),
        ((200, {}, {"items": []}), {}, "no list of objects at its top"),
        ((200, {}, [1, 2]), {}, "no list of objects"),
        ((200, {"Link": '<http://other.example/>; rel="next"'}, ROWS), {"paging": {"by": "link"}}, "another server"),
        ((200, {"Link": '</customers>; rel="next"'}, ROWS), {"paging": {"by": "link"}}, "the same page again"),
        ((200, {}, ROWS), {"auth": {"bearer_env": "NOT_SET_AT_ALL"}}, r"auth.bearer_env: .* is not set"),
        ((200, {}, [{"id": "1", "changed": 1}, {"id": "2", "changed": "x"}]),
         {"cursor": {"field": "changed", "param": "since"}}, r"customers.rest.cursor: .*cannot be put in order"),
    ],
)  # fmt: skip
def test_what_a_service_does_wrong_is_one_sentence(deliveries, answer, rest, sentence):
    with run_service(lambda *_: answer) as (url, _), pytest.raises(InputError, match=sentence) as caught:
        deliveries.take_in(given(url, **rest))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_service_that_is_not_there_is_told_by_the_check_too(deliveries):
    sources = given(f"http://127.0.0.1:{free_port()}", tries=2)
    params = deliveries.params(sources)
    (problem,) = check_sources(params, deliveries.folder / "params.yaml")
    assert "sources.api.customers.rest.url: the service cannot be reached (ConnectError), 2 times" in problem
