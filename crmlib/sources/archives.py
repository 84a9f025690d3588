"""Packed files (zip, gzip): what they hold is read as files of its own, from a folder that nobody else can open."""

from __future__ import annotations

import gzip
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from crmlib.errors import InputError

BLOCK_BYTES = 1 << 20
#: What unpacks to more than so many times its size, and more than so many bytes, was not made to be read.
MOST_TIMES_LARGER, UNSUSPICIOUS_BYTES = 200, 1 << 30


@contextmanager
def open_members(path: Path, member: str | None, where: str) -> Iterator[dict[str, Path]]:
    """Give the files that a path means: itself, or what a zip holds, unpacked for as long as they are read.

    Parameters
    ----------
    path : Path
    member : str or None
        Name or glob of the members of a zip that are meant; None: all of them.
    where : str
        The key in the params, for errors.

    Yields
    ------
    dict of str to Path
        Name of the member, empty for a file that is none -> where it lies now; in the order of the names.

    Raises
    ------
    InputError
        If the file is no zip though a member is asked for, cannot be read, is encrypted, or holds no such member.
    """
    packed = path.suffix.lower()
    if packed != ".zip" and member is not None:
        raise InputError(f"{where}.member: {path.name} is no zip archive, so it has no members.")
    if packed not in (".zip", ".gz"):
        yield {"": path}
        return
    with tempfile.TemporaryDirectory(prefix="crm-") as folder:
        try:
            files = (
                _unpack(path, member, where, Path(folder)) if packed == ".zip" else _gunzip(path, where, Path(folder))
            )
        except (zipfile.BadZipFile, zipfile.LargeZipFile, gzip.BadGzipFile, EOFError, zlib.error, NotImplementedError):
            kind = "zip archive" if packed == ".zip" else "gzip file"
            raise InputError(f"{where}: {path.name} is no {kind}, or is only part of one.") from None
        yield files


def check_unpacked_size(path: Path, where: str) -> None:
    """Refuse a zip, or a workbook, that would unpack to more than anything that is meant to be read.

    Raises
    ------
    InputError
        Naming the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        return
    if unpacked > _most_unpacked(path):
        raise _bomb(path, where)


def _most_unpacked(path: Path) -> int:
    return max(UNSUSPICIOUS_BYTES, path.stat().st_size * MOST_TIMES_LARGER)


def _bomb(path: Path, where: str) -> InputError:
    return InputError(
        f"{where}: {path.name} would unpack to more than {MOST_TIMES_LARGER} times its size, as no table does; "
        "deliver it unpacked."
    )


def _gunzip(path: Path, where: str, folder: Path) -> dict[str, Path]:
    file = folder / path.stem
    left = _most_unpacked(path)
    with gzip.open(path) as packed, file.open("wb") as out:
        while block := packed.read(BLOCK_BYTES):
            left -= len(block)
            if left < 0:
                raise _bomb(path, where)
            out.write(block)
    return {"": file}


def _unpack(path: Path, member: str | None, where: str, folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    check_unpacked_size(path, where)
    with zipfile.ZipFile(path) as archive:
        held = [entry for entry in archive.infolist() if not entry.is_dir()]
        for entry in sorted(held, key=lambda entry: entry.filename):
            name = PurePosixPath(entry.filename.replace("\\", "/")).name
            if member is not None and not fnmatch(entry.filename, member) and not fnmatch(name, member):
                continue
            if entry.flag_bits & 0x1:
                raise InputError(f"{where}: {path.name} is encrypted; deliver it without a password.")
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise InputError(f"{where}: {path.name} holds a link, {name}, in place of a file.")
            # only the last part of its name: a member cannot be written elsewhere
            file = folder / str(len(files)) / name
            file.parent.mkdir()
            with archive.open(entry) as packed, file.open("wb") as out:
                shutil.copyfileobj(packed, out)
            files[entry.filename] = file
    if not files:
        names = ", ".join(entry.filename for entry in held[:20]) or "nothing"
        raise InputError(f"{where}: {path.name} holds no member {member or ''}; it holds {names}.")
    return files
