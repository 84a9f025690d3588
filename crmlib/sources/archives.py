"""Zip archives: their members are read as files of their own, from a folder that nobody else can open."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from crmlib.errors import InputError


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
    if path.suffix.lower() != ".zip":
        if member is not None:
            raise InputError(f"{where}.member: {path.name} is no zip archive, so it has no members.")
        yield {"": path}
        return
    with tempfile.TemporaryDirectory(prefix="crm-") as folder:
        try:
            yield _unpack(path, member, where, Path(folder))
        except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError):
            raise InputError(f"{where}: {path.name} is no zip archive, or is only part of one.") from None


def _unpack(path: Path, member: str | None, where: str, folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    with zipfile.ZipFile(path) as archive:
        held = [entry for entry in archive.infolist() if not entry.is_dir()]
        for entry in sorted(held, key=lambda entry: entry.filename):
            name = Path(entry.filename).name
            if member is not None and not fnmatch(entry.filename, member) and not fnmatch(name, member):
                continue
            if entry.flag_bits & 0x1:
                raise InputError(f"{where}: {path.name} is encrypted; deliver it without a password.")
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
