"""Servers of files: what lies there is fetched once, and again only when it changes."""

from __future__ import annotations

import pytest

from crmlib.errors import InputError
from crmlib.sources import servers
from crmlib.sources.previews import check_sources
from tests.sources.loopback import HOST, free_port, run_ftp, run_s3, run_sftp

pytestmark = pytest.mark.full

FIELDS = {"ticket_id": "t", "bought_at": "at", "amount": "amount"}
DAYS = {
    f"t_2026100{day}.csv": f"t,at,amount\n{day}1,2026-10-0{day},5\n{day}2,2026-10-0{day},6\n" for day in range(1, 4)
}


class Store:
    """A bucket of S3, written to as a folder is."""

    def __init__(self, url: str) -> None:
        import boto3

        self.s3 = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id="crm", aws_secret_access_key="geheim", region_name="us-east-1"
        )
        self.s3.create_bucket(Bucket="deliveries")

    def write(self, name: str, content: str) -> None:
        self.s3.put_object(Bucket="deliveries", Key=f"pos/{name}", Body=content.encode())


class Folder:
    def __init__(self, folder) -> None:
        self.folder = folder / "pos"
        self.folder.mkdir(parents=True)

    def write(self, name: str, content: str) -> None:
        (self.folder / name).write_text(content)


@pytest.fixture(params=["sftp", "ftp", "s3"])
def server(request, tmp_path, monkeypatch):
    """What is written to, the address of its files without their name, and how one gets in."""
    monkeypatch.setenv("SERVER_SECRET", "geheim")
    access = {"user": "crm", "password_env": "SERVER_SECRET"}
    if request.param == "s3":
        with run_s3() as url:
            yield Store(url), "s3://deliveries/pos", {**access, "endpoint": url}
        return
    folder = Folder(tmp_path / "served")
    if request.param == "ftp":
        with run_ftp(tmp_path / "served") as port:
            yield folder, f"ftp://{HOST}:{port}/pos", access
        return
    with run_sftp(tmp_path / "served") as (port, known_hosts):
        yield folder, f"sftp://{HOST}:{port}/pos", {**access, "known_hosts": str(known_hosts)}


@pytest.fixture
def fetched(monkeypatch):
    """Names of the files that were fetched."""
    names = []
    fetch = servers.FileServer.fetch
    monkeypatch.setattr(
        servers.FileServer, "fetch", lambda self, file, path: names.append(file.name) or fetch(self, file, path)
    )
    return names


def test_every_file_is_taken_in_once(deliveries, server, fetched):
    place, address, access = server
    for name, content in list(DAYS.items())[:2]:
        place.write(name, content)
    sources = {"pos": {"tickets": {"path": f"{address}/t_*.csv", "access": access, "fields": FIELDS}}}
    assert check_sources(deliveries.params(sources), deliveries.folder / "params.yaml") == []
    assert fetched == []
    deliveries.take_in(sources)
    assert deliveries.ledger() == [(2, 2, 0, 0), (2, 2, 0, 0)]
    assert fetched == ["t_20261001.csv", "t_20261002.csv"]
    # what is known is not fetched again; a new file is
    fetched.clear()
    place.write("t_20261003.csv", DAYS["t_20261003.csv"])
    deliveries.take_in(sources)
    assert fetched == ["t_20261003.csv"]
    assert deliveries.ledger() == [(2, 0, 0, 2), (2, 0, 0, 2), (2, 2, 0, 0)]
    # nor is a file with a correction left out
    fetched.clear()
    place.write("t_20261003.csv", DAYS["t_20261003.csv"].replace(",6", ",61.50"))
    deliveries.take_in(sources)
    assert fetched == ["t_20261003.csv"]
    assert deliveries.ledger()[2] == (2, 1, 0, 1)
    assert deliveries.values("tickets", "ticket_id") == ["11", "12", "21", "22", "31", "32"]
    assert sorted(map(float, deliveries.values("tickets", "amount"))) == [5, 5, 5, 6, 6, 61.5]


def test_a_file_that_grows_while_it_is_fetched_is_refused(deliveries, server, monkeypatch):
    place, address, access = server
    place.write("t.csv", DAYS["t_20261001.csv"])
    look = servers.FileServer._look
    times = []

    def grow(self, path):
        times.append(path)
        if len(times) == 2:
            place.write("t.csv", DAYS["t_20261001.csv"] + "13,2026-10-01,7\n")
        return look(self, path)

    monkeypatch.setattr(servers.FileServer, "_look", grow)
    sources = {"pos": {"tickets": {"path": f"{address}/t.csv", "access": access, "fields": FIELDS}}}
    with pytest.raises(InputError, match=r"sources.pos.tickets: the file t.csv changed while it was fetched"):
        deliveries.take_in(sources)


def test_what_a_server_refuses_is_one_sentence(deliveries, server, monkeypatch):
    place, address, access = server
    place.write("t.csv", DAYS["t_20261001.csv"])

    def told(path, how):
        with pytest.raises(InputError) as caught:
            deliveries.take_in({"pos": {"tickets": {"path": path, "access": how, "fields": FIELDS}}})
        assert "\n" not in str(caught.value)
        assert "geheim" not in str(caught.value)
        return str(caught.value)

    assert "no file on the server matches" in told(f"{address}/none_*.csv", access)
    monkeypatch.delenv("SERVER_SECRET")
    assert "access.password_env: the variable SERVER_SECRET is not set" in told(f"{address}/t.csv", access)
    if not address.startswith("s3"):  # moto lets everybody in
        monkeypatch.setenv("SERVER_SECRET", "wrong")
        assert "refuses" in told(f"{address}/t.csv", access)


def test_a_server_whose_key_is_not_known_is_not_trusted(deliveries, tmp_path, monkeypatch):
    monkeypatch.setenv("SERVER_SECRET", "geheim")
    Folder(tmp_path / "served").write("t.csv", DAYS["t_20261001.csv"])
    (tmp_path / "nobody").write_text("")
    access = {"user": "crm", "password_env": "SERVER_SECRET", "known_hosts": str(tmp_path / "nobody")}
    with run_sftp(tmp_path / "served") as (port, _):
        given = {"path": f"sftp://{HOST}:{port}/pos/t.csv", "access": access, "fields": FIELDS}
        with pytest.raises(InputError, match=r"access: the key of the server .* is not known"):
            deliveries.take_in({"pos": {"tickets": given}})


@pytest.mark.parametrize("scheme", ["sftp", "ftp"])
def test_a_host_that_is_not_there_is_told(deliveries, scheme):
    given = {"path": f"{scheme}://{HOST}:{free_port()}/pos/t.csv", "fields": FIELDS}
    (problem,) = check_sources(deliveries.params({"pos": {"tickets": given}}), deliveries.folder / "params.yaml")
    assert "sources.pos.tickets: the server cannot be reached" in problem


def test_a_kind_of_server_nobody_knows_is_told(deliveries):
    given = {"path": "gopher://host/t.csv", "fields": FIELDS}
    with pytest.raises(InputError, match=r"gopher:// is not known; there are sftp://, ftp://, ftps://, s3://"):
        deliveries.take_in({"pos": {"tickets": given}})
