"""Approvals: a named person lets one stopped gate pass once; an append-only file beside the params keeps them.

An entry holds a hash of what was seen, so that it is good for that state of the data alone, and no value of anybody.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crmlib.errors import InputError

ENTRY = ("gate", "seen", "run", "name", "reason", "at")


class Breach(NamedTuple):
    """A gate that does not hold.

    Parameters
    ----------
    gate : str
        Its id.
    sentence : str
        What does not hold, without a value of anybody.
    seen : str
        Hash of what the gate judged.
    """

    gate: str
    sentence: str
    seen: str


def approvals_file(params_file: Path) -> Path:
    """Where the approvals of a params file lie."""
    return params_file.with_name(f"{params_file.stem}.approvals.jsonl")


def hash_seen(what: Any) -> str:
    """Hash of what a gate judged: plain data of names and counts."""
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def find_approvals(path: Path, breaches: Sequence[Breach], used: Collection[str]) -> dict[str, str]:
    """The approval of each gate that has one for just what it saw, and that no run before has used.

    Parameters
    ----------
    path : Path
        The file of approvals; there may be none.
    breaches : sequence of Breach
    used : collection of str
        Hashes of the approvals that earlier runs passed by.

    Returns
    -------
    dict of str to str
        Gate -> hash of the approval.

    Raises
    ------
    InputError
        If a line of the file is none of ours.
    """
    wanted = {(breach.gate, breach.seen) for breach in breaches}
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else [], start=1):
        entry = _read_entry(path, number, line)
        mark = hashlib.sha256(line.encode()).hexdigest()
        if (entry["gate"], entry["seen"]) in wanted and mark not in used:
            found.setdefault(entry["gate"], mark)
    return found


def add_approval(path: Path, breach: Breach, run_id: str, name: str, reason: str, at: str) -> None:
    """Add an approval at the end of the file.

    Raises
    ------
    InputError
        If it has no name or no reason.
    """
    if not name.strip() or not reason.strip():
        raise InputError("crm approve: give a name and a reason; they are kept with the approval.")
    entry = dict(zip(ENTRY, (breach.gate, breach.seen, run_id, name.strip(), reason.strip(), at), strict=True))
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _read_entry(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or set(entry) != set(ENTRY):
        raise InputError(f"{path}:{number}: this is no approval; the file is written by crm approve alone.")
    return entry
