"""Servers of files (SFTP, FTP, stores that speak S3): their files are listed, and fetched whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crmlib.errors import InputError
from crmlib.origins import Access
from crmlib.params import resolve_path
from crmlib.sources.secrets import read_secret

SCHEMES = ("sftp", "ftp", "ftps", "s3")
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server.

    Parameters
    ----------
    path : str
        As the server names it.
    name : str
        Its last part.
    size : int
    state : str
        What changes when the file does: size, and what else the server says of it.
    """

    path: str
    name: str
    size: int
    state: str


class FileServer:
    """A server of files, for as long as it is used.

    Parameters
    ----------
    system
        What fsspec gives for it.
    where : str
        The key in the params, for errors.
    """

    def __init__(self, system: Any, where: str) -> None:
        self._system = system
        self._where = where

    def find(self, pattern: str) -> list[RemoteFile]:
        """The files that a glob means, in the order of their names.

        Raises
        ------
        InputError
            If there is none.
        """
        with _told(self._where):
            found = [self._look(path) for path in sorted(self._system.glob(pattern)) if not self._system.isdir(path)]
        if not found:
            raise InputError(f"{self._where}: no file on the server matches {pattern}. Mend path:.")
        return found

    def fetch(self, file: RemoteFile, path: Path) -> None:
        """Fetch a file whole.

        Raises
        ------
        InputError
            If it changes while it is fetched, or the server breaks off.
        """
        with _told(self._where):
            self._system.get_file(file.path, str(path))
            self._system.invalidate_cache()
            now = self._look(file.path)
        if now.state != file.state or path.stat().st_size != now.size:
            raise InputError(
                f"{self._where}: the file {file.name} changed while it was fetched. Let the sender write it under "
                "another name, and rename it once it is whole."
            )

    def _look(self, path: str) -> RemoteFile:
        facts = self._system.info(path)
        size = int(facts.get("size") or 0)
        changed = facts.get("mtime") or facts.get("modify") or facts.get("LastModified") or ""
        return RemoteFile(path, path.rstrip("/").rsplit("/", 1)[-1], size, f"{size} {changed}".strip())


@contextmanager
def open_server(address: str, access: Access, params_file: Path, where: str) -> Iterator[FileServer]:
    """Get in to the server of an address such as ``sftp://host:port/folder/*.csv``.

    Raises
    ------
    InputError
        If the server cannot be reached or refuses, or a secret is not set.
    """
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES:
        raise InputError(f"{where}: {parts.scheme}:// is not known; there are {', '.join(f'{s}://' for s in SCHEMES)}.")
    password = read_secret(access.password_env, access.password_file, params_file, f"{where}.access.password")
    with _told(where):
        if parts.scheme == "s3":
            system = _open_store(access, password)
        elif parts.scheme == "sftp":
            system = _open_sftp(parts.hostname or "", parts.port or 22, access, password, params_file, where)
        else:
            from fsspec.implementations.ftp import FTPFileSystem

            # one login each: a listing kept from another run is never used
            system = FTPFileSystem(
                host=parts.hostname,
                port=parts.port or 21,
                username=access.user,
                password=password,
                timeout=TIMEOUT_SECONDS,
                tls=parts.scheme == "ftps",
                skip_instance_cache=True,
            )
    try:
        yield FileServer(system, where)
    finally:
        for part in ("client", "ftp"):
            if hasattr(getattr(system, part, None), "close"):
                getattr(system, part).close()


def path_on_server(address: str) -> str:
    """The part of an address that names the file on its server; of S3 the bucket is part of it."""
    parts = urlsplit(address)
    return f"{parts.netloc}{parts.path}" if parts.scheme == "s3" else parts.path


def _open_store(access: Access, secret: str | None) -> Any:
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import S3FileSystem

    endpoint = urlsplit(access.endpoint) if access.endpoint else None
    store = S3FileSystem(
        access_key=access.user,
        secret_key=secret,
        region=access.region or "us-east-1",
        endpoint_override=endpoint.netloc if endpoint else None,
        scheme=endpoint.scheme if endpoint else "https",
        connect_timeout=TIMEOUT_SECONDS,
        request_timeout=TIMEOUT_SECONDS,
    )
    return ArrowFSWrapper(store, skip_instance_cache=True)


def _open_sftp(host: str, port: int, access: Access, password: str | None, params_file: Path, where: str) -> Any:
    import paramiko
    from fsspec.implementations.sftp import SFTPFileSystem

    class KnownHostsOnly(SFTPFileSystem):  # type: ignore[misc]  # fsspec ships no types
        """SFTP to servers whose key is known: fsspec alone would trust any."""

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            if access.known_hosts:
                self.client.load_host_keys(resolve_path(params_file, access.known_hosts))
            else:
                self.client.load_system_host_keys()
            self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
            self.client.connect(self.host, **self.ssh_kwargs)
            self.ftp = self.client.open_sftp()

    try:
        return KnownHostsOnly(
            host,
            port=port,
            username=access.user,
            password=password,
            key_filename=resolve_path(params_file, access.key_file) if access.key_file else None,
            timeout=TIMEOUT_SECONDS,
            allow_agent=False,
            look_for_keys=False,
            skip_instance_cache=True,
        )
    except paramiko.AuthenticationException:
        raise InputError(f"{where}.access: the server {host} refuses the user; mend user: and the secret.") from None
    except paramiko.SSHException as error:
        if "known_hosts" not in str(error) and "not found" not in str(error):
            raise
        raise InputError(
            f"{where}.access: the key of the server {host} is not known. Once sure of it, add it with ssh-keyscan to "
            "the file known_hosts: names (else to your own ~/.ssh/known_hosts)."
        ) from None


@contextmanager
def _told(where: str) -> Iterator[None]:
    """A server's failure in one sentence; its own words may hold addresses and names."""
    import ftplib

    try:
        yield
    except ftplib.error_perm:
        raise InputError(f"{where}.access: the server refuses; mend user:, the secret and path:.") from None
    except FileNotFoundError:
        raise InputError(f"{where}: the server has no such folder. Mend path:.") from None
    except PermissionError:
        raise InputError(f"{where}.access: the server refuses; mend user:, the secret and path:.") from None
    except (OSError, EOFError, ftplib.Error) as error:
        raise InputError(
            f"{where}: the server cannot be reached, or broke off ({type(error).__name__}); run again."
        ) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "paramiko":
            raise
        raise InputError(
            f"{where}: the server cannot be reached, or broke off ({type(error).__name__}); run again."
        ) from None
