"""Real servers for tests, on loopback alone: each is started for as long as it is used, on a port of its own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
STARTING_SECONDS = 60


def find_program(name: str) -> str:
    """Where a program of a database lies; Debian keeps PostgreSQL's out of the path."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or (str(kept[-1]) if kept else None)
    assert found, f"{name} is not installed; .ci/run installs what the tests need."
    return found


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        return int(listening.getsockname()[1])


@contextmanager
def _as_other_user(name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder of a server's own, and how a process of its user is started: databases refuse to run as root."""
    with tempfile.TemporaryDirectory(prefix="crm-server-") as made:
        folder, started = Path(made), {}
        if os.geteuid() == 0:
            user = pwd.getpwnam(name)
            os.chown(folder, user.pw_uid, user.pw_gid)
            started = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        yield folder, {**started, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def _running(
    words: list[str], port: int, started: dict[str, Any], is_ready: Callable[[int], bool] = _listens
) -> Iterator[None]:
    process = subprocess.Popen(words, **started)
    try:
        deadline = time.monotonic() + STARTING_SECONDS
        while not is_ready(port):
            assert process.poll() is None, f"{words[0]} ended with {process.returncode}."
            assert time.monotonic() < deadline, f"{words[0]} does not listen."
            time.sleep(0.1)
        yield
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        process.wait(timeout=STARTING_SECONDS)


def _is_postgresql_ready(port: int) -> bool:
    """It listens before it has started up, and refuses whoever comes then."""
    asked = [find_program("pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    return subprocess.run(asked, check=False).returncode == 0


@contextmanager
def run_postgresql() -> Iterator[str]:
    """A cluster of PostgreSQL; gives its address."""
    port = free_port()
    with _as_other_user("postgres") as (folder, started):
        data = folder / "data"
        subprocess.run(
            [find_program("initdb"), "-D", data, "-U", "crm", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            **started,
        )
        words = [find_program("postgres"), "-D", str(data), "-p", str(port), "-h", HOST, "-k", str(folder), "-F"]
        with _running(words, port, started, _is_postgresql_ready):
            yield f"postgresql+psycopg://crm@{HOST}:{port}/postgres"


@contextmanager
def run_mariadb() -> Iterator[str]:
    """A server of MariaDB; gives its address."""
    port = free_port()
    with _as_other_user("mysql") as (folder, started):
        data = folder / "data"
        own = ["--no-defaults", f"--datadir={data}"]
        subprocess.run(
            [find_program("mariadb-install-db"), *own, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            **started,
        )
        words = [find_program("mariadbd"), *own, f"--port={port}", f"--bind-address={HOST}"]
        with _running([*words, f"--socket={folder / 'own.sock'}"], port, started):
            yield f"mysql+pymysql://root@{HOST}:{port}/mysql?charset=utf8mb4"


@contextmanager
def _in_process(kind: str, folder: Path) -> Iterator[int]:
    """A server of files in a process of its own, which ends with this one: what it holds open is no matter here."""
    port = free_port()
    words = [sys.executable, "-W", "ignore", "-m", __name__, kind, str(folder), str(port)]
    with _running(words, port, {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}):
        yield port


@contextmanager
def run_sftp(folder: Path) -> Iterator[tuple[int, Path]]:
    """An SFTP server of a folder, for the user ``crm`` with the password ``geheim``; gives port and known hosts."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(folder.parent / "host_key")
    known_hosts = folder.parent / "known_hosts"
    with _in_process("sftp", folder) as port:
        known_hosts.write_bytes(f"[{HOST}]:{port} ".encode() + key.export_public_key())
        yield port, known_hosts


@contextmanager
def run_ftp(folder: Path) -> Iterator[int]:
    """An FTP server of a folder, for the user ``crm`` with the password ``geheim``; gives its port."""
    with _in_process("ftp", folder) as port:
        yield port


async def _serve_sftp(folder: str, port: int) -> None:
    import asyncio

    import asyncssh

    class Guard(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("crm", "geheim")

    await asyncssh.listen(
        HOST,
        port,
        server_host_keys=[str(Path(folder).parent / "host_key")],
        server_factory=Guard,
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=folder),
    )
    await asyncio.Event().wait()


def _serve_ftp(folder: str, port: int) -> None:
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

    guard = DummyAuthorizer()
    guard.add_user("crm", "geheim", folder, perm="elr")
    FTPServer((HOST, port), type("Handler", (FTPHandler,), {"authorizer": guard})).serve_forever()


@contextmanager
def run_s3() -> Iterator[str]:
    """A store that speaks S3; gives its address."""
    from moto.server import ThreadedMotoServer

    port = free_port()
    server = ThreadedMotoServer(ip_address=HOST, port=port, verbose=False)
    server.start()
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.stop()


Answer = tuple[int, dict[str, str], Any]
#: What cuts a connection in place of an answer.
CUT: Answer = (0, {}, None)


@contextmanager
def run_service(answer: Callable[[str, dict[str, str], dict[str, str]], Answer]) -> Iterator[tuple[str, list[str]]]:
    """A web service; `answer` is given path, query and headers. Gives its address, and the list of what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            status, headers, told = answer(parts.path, query, {k.lower(): v for k, v in self.headers.items()})
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status or 200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) + (1000 if status == 0 else 0)))
            self.end_headers()
            self.wfile.write(body)
            if status == 0:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(STARTING_SECONDS)


def _end_with_parent() -> None:
    """End once the process that started this one is gone."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    import asyncio

    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.argv[1] == "sftp":
        asyncio.run(_serve_sftp(sys.argv[2], int(sys.argv[3])))
    else:
        _serve_ftp(sys.argv[2], int(sys.argv[3]))
