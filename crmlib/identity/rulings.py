"""What people ruled: two records are one person or two, a value stays. A file that only grows.

It lies beside the params, one JSON object a line. A line holds the keys of records, who ruled and when, and short
hashes of what was seen: enough to notice that a record has changed since, too little to tell what stood in it.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError, model_validator

from crmlib.documents import SENTENCES, Settings
from crmlib.errors import InputError
from crmlib.params import Params, resolve_path

#: Source and source_record_id.
RecordKey = tuple[str, str]
#: Hexadecimal digits of the hash of a record, and of a single value. A change goes unnoticed once in 65,536 and once
#: in 4,096; thousands of phone numbers share each hash.
RECORD_DIGITS, VALUE_DIGITS = 4, 3


class Ruling(Settings):
    """What all rulings share.

    Parameters
    ----------
    reviewer : str
        Who ruled.
    decided_at : datetime
        When; of two about the same, the later counts.
    as_of_date : date
        Of the run that was looked at: runs of earlier days do not know the ruling.
    """

    reviewer: str = Field(min_length=1, max_length=80)
    decided_at: AwareDatetime
    as_of_date: date


class PairRuling(Ruling):
    """Whether two records are one person.

    Parameters
    ----------
    records : pair of (source, source_record_id)
    decision : {"same", "different", "unsure"}
        Must link, cannot link, or looked at without a result.
    seen : pair of str
        Hash of each record as it stood.
    """

    kind: Literal["pair"] = "pair"
    records: tuple[RecordKey, RecordKey]
    decision: Literal["same", "different", "unsure"]
    seen: tuple[str, str]

    @model_validator(mode="after")
    def _of_two(self) -> PairRuling:
        if self.records[0] == self.records[1]:
            raise ValueError("name two records, each by its source and its id")
        return self

    @property
    def pair(self) -> tuple[RecordKey, RecordKey]:
        """The records in an order of their own, so that a pair has one name."""
        left, right = sorted(self.records)
        return left, right


class ValueRuling(Ruling):
    """Whether the value that a record gives for a field stays, whatever the rules would choose.

    Parameters
    ----------
    record : (source, source_record_id)
        Whose value it is.
    field : str
        Column of `customers`, or ``address`` for all its parts.
    decision : {"pin", "unpin"}
    seen : str
        Hash of the value.
    """

    kind: Literal["value"] = "value"
    record: RecordKey
    field: str
    decision: Literal["pin", "unpin"]
    seen: str


AnyRuling = Annotated[PairRuling | ValueRuling, Field(discriminator="kind")]
_LINE: TypeAdapter[PairRuling | ValueRuling] = TypeAdapter(AnyRuling)


@dataclass(frozen=True)
class Rulings:
    """Everything a file holds, in the order in which it was decided.

    Parameters
    ----------
    pairs : tuple of PairRuling
    values : tuple of ValueRuling
    """

    pairs: tuple[PairRuling, ...] = ()
    values: tuple[ValueRuling, ...] = ()

    def known_on(self, as_of_date: date) -> Rulings:
        """Those that a run of a day may know."""
        return Rulings(
            tuple(ruling for ruling in self.pairs if ruling.as_of_date <= as_of_date),
            tuple(ruling for ruling in self.values if ruling.as_of_date <= as_of_date),
        )


def find_rulings(params: Params, params_file: Path) -> Path | None:
    """Where a run's rulings lie; None if its params name no file for them."""
    named = params.identity.rulings
    return Path(resolve_path(params_file, named)) if named else None


def read_rulings(path: Path | None) -> Rulings:
    """Read a file of rulings.

    Parameters
    ----------
    path : Path, optional
        A file that is not there yet holds none.

    Returns
    -------
    Rulings

    Raises
    ------
    InputError
        With every line that cannot be read, naming file, line and key.
    """
    if path is None or not path.exists():
        return Rulings()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: this is not a text file in UTF-8; rulings are JSON, one object a line.") from None
    found, problems = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(_LINE.validate_json(line))
        except ValidationError as error:
            problems += [f"{path}:{number}: {_tell(dict(problem))}" for problem in error.errors(include_input=False)]
    if problems:
        raise InputError("\n".join(problems))
    found.sort(key=lambda ruling: ruling.decided_at)
    return Rulings(
        tuple(ruling for ruling in found if isinstance(ruling, PairRuling)),
        tuple(ruling for ruling in found if isinstance(ruling, ValueRuling)),
    )


def append_ruling(path: Path, ruling: PairRuling | ValueRuling) -> None:
    """Add a ruling to the end of the file; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # an editor may have left the last line open
        if size := file.seek(0, os.SEEK_END):
            file.seek(size - 1)
            unended = file.read(1) != b"\n"
        else:
            unended = False
        file.write(b"\n" * unended + ruling.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _tell(problem: dict[str, object]) -> str:
    """One of pydantic's problems with a line, as a sentence that quotes nothing of it."""
    kind = problem["type"]
    if kind == "json_invalid":
        return "this is not JSON; a ruling is one object on one line. Mend or remove the line."
    where = problem["loc"]
    assert isinstance(where, tuple)
    parts = [str(part) for part in where if part not in ("pair", "value")]
    key = ".".join(parts) or "the line"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return 'kind: write "pair" or "value".'
    if kind == "extra_forbidden":
        return f"{key}: this key is unknown."
    if kind == "missing":
        return f"{key}: this key is missing."
    message = SENTENCES.get(str(kind)) or str(problem["msg"]).removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}."
