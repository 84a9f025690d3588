"""A delivery: one file of one entity of one source, as it was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from crmlib.params import EntitySource
from crmlib.sources.reading import ReadFile


@dataclass(frozen=True)
class Delivery:
    """One file of one entity of one source.

    Parameters
    ----------
    number : int
        Its number in this intake.
    source, entity, where : str
        `where` is the key in the params.
    given : EntitySource
        What params say of it, its preset applied.
    path : Path
    member : str
        Of a zip: which of its members; else empty.
    load : str
        The file's name, with its folder's where several have the same, and of a zip with its member's.
    read : ReadFile
        Its table is dropped once staged.
    hash : str
    delivered_at : datetime
    reached, read_with : str or None
        As in the ledger.
    told : str
        How it was read, in words.
    unused : tuple of str
        Headings nothing was made of.
    owner : str or None
    """

    number: int
    source: str
    entity: str
    where: str
    given: EntitySource
    path: Path
    member: str
    load: str
    read: ReadFile
    hash: str
    delivered_at: datetime
    reached: str | None = None
    read_with: str | None = None
    told: str = ""
    unused: tuple[str, ...] = ()
    owner: str | None = None
