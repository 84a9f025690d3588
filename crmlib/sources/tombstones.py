"""Tombstones: keyed hashes of what named an erased person, so that no later delivery brings the person back.

They lie beside the params, are only ever added to, and cannot be read back into values without the key. A phone or an
address alone is none: others have it, too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crmlib.errors import InputError
from crmlib.fields.emails import normalise_email
from crmlib.fields.names import fold_name, normalise_name
from crmlib.fields.national_ids import normalise_national_id
from crmlib.params import PrivacySettings, resolve_path
from crmlib.sources.secrets import read_secret

KINDS = ("record", "email", "national_id", "name_birth")
#: Source under which a loyalty card that no record holds is a record.
CARD = "card"
_CHECK = "check of the key"


@dataclass(frozen=True)
class Tombstones:
    """The hashes of everybody erased so far, and the key they are made with.

    Parameters
    ----------
    path : Path
        The file: a line of JSON for each (kind, hash, erased_on).
    key : bytes
    hashes : frozenset of str
    """

    path: Path
    key: bytes
    hashes: frozenset[str]

    def hash(self, kind: str, value: str) -> str:
        """The keyed hash of a value in its one form."""
        return hmac.new(self.key, f"{kind}\x1f{value}".encode(), hashlib.sha256).hexdigest()

    def holds(self, kind: str, value: str | None) -> bool:
        """Whether a value in its one form named somebody who was erased."""
        return value is not None and self.hash(kind, value) in self.hashes

    def append(self, entries: Iterable[tuple[str, str]], erased_on: date) -> None:
        """Add hashes that are not there yet, synced before this returns.

        Parameters
        ----------
        entries : iterable of (kind, hash)
        erased_on : datetime.date
        """
        new = [(kind, told) for kind, told in dict.fromkeys(entries) if told not in self.hashes]
        lines = [{"kind": kind, "hash": told, "erased_on": erased_on.isoformat()} for kind, told in new]
        if not self.path.exists() or not self.path.stat().st_size:
            lines.insert(0, {"kind": "key", "hash": self.hash("key", _CHECK), "erased_on": erased_on.isoformat()})
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())


def read_tombstones(privacy: PrivacySettings, params_file: Path) -> Tombstones | None:
    """The tombstones beside a params file; None where nobody was erased yet.

    Raises
    ------
    InputError
        If the key is gone, or is another than they were made with.
    """
    path = Path(resolve_path(params_file, privacy.tombstones))
    if not path.is_file():
        return None
    read = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    key = _read_key(privacy, params_file)
    if key is None:
        raise InputError(
            f"{path}: the key of these tombstones is not at {_key_path(path)}; bring it back from where it was kept, "
            "or name its variable under privacy.hash_key_env. Without it erased people could come back with a delivery."
        )
    found = Tombstones(path, key, frozenset(row["hash"] for row in read))
    if read and read[0] != {**read[0], "kind": "key", "hash": found.hash("key", _CHECK)}:
        raise InputError(f"{path}: these tombstones were made with another key than the one given; give that one.")
    return found


def open_tombstones(privacy: PrivacySettings, params_file: Path) -> Tombstones:
    """The tombstones beside a params file, to be added to; the first time a key is made where params name none."""
    found = read_tombstones(privacy, params_file)
    if found is not None:
        return found
    path = Path(resolve_path(params_file, privacy.tombstones))
    path.parent.mkdir(parents=True, exist_ok=True)
    return Tombstones(path, _read_key(privacy, params_file) or _make_key(_key_path(path)), frozenset())


def email_form(value: str | None) -> str | None:
    """The mailbox behind an address; None for one of a function (info@ …) or one that is none."""
    read = normalise_email(value)
    return read.mailbox if read.valid and read.kind == "personal" else None


def national_id_form(value: str | None, country: str) -> str | None:
    """A national id in its one form; None if it cannot exist."""
    read = normalise_national_id(value, country)
    return None if read.valid is False else read.value


def name_birth_form(birth_date: date | None, *name: str | None) -> str | None:
    """A person's name and date of birth; None where either is missing or the name is a single word.

    Parameters
    ----------
    birth_date : datetime.date or None
    *name : str or None
        full_name, given_name, surnames, surname_1, surname_2.
    """
    read = normalise_name(*name)
    parts = (fold_name(part) for part in (read.given_name, read.surname_1, read.surname_2))
    words = sorted(" ".join(filter(None, parts)).split())
    return f"{' '.join(words)}|{birth_date.isoformat()}" if birth_date and len(words) > 1 else None


def record_form(source: str | None, source_record_id: str | None) -> str | None:
    """A record by its source and its id there."""
    return f"{source}\x1f{source_record_id.strip()}" if source and source_record_id else None


def _read_key(privacy: PrivacySettings, params_file: Path) -> bytes | None:
    if privacy.hash_key_env is not None:
        return str(read_secret(privacy.hash_key_env, None, params_file, "privacy.hash_key")).encode()
    path = _key_path(Path(resolve_path(params_file, privacy.tombstones)))
    return path.read_bytes().strip() if path.is_file() else None


def _key_path(tombstones: Path) -> Path:
    return tombstones.with_name("hash_key")


def _make_key(path: Path) -> bytes:
    key = secrets.token_hex(32).encode()
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key + b"\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return key
