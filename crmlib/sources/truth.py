"""Known truth, where there is any: read by evaluation functions and by nothing else."""

from __future__ import annotations

from pathlib import Path

from crmlib.engine import Engine, quote
from crmlib.params import Params
from crmlib.sources import mapping
from crmlib.sources.readers import find_files, read_file


def read_truth(engine: Engine, params: Params, params_file: Path, name: str) -> str | None:
    """Read one table of the truth.

    Parameters
    ----------
    engine : Engine
    params : Params
    params_file : Path
        Relative paths are from its folder.
    name : str
        Such as ``identities``; its columns are the fields that params map, as text.

    Returns
    -------
    str or None
        Name of the engine's table; None if params name no such truth.

    Raises
    ------
    InputError
        If a file is missing or unreadable, or has not the columns that params map.
    """
    if name not in params.truth:
        return None
    given = params.truth[name]
    where = f"truth.{name}"
    selects = []
    for number, path in enumerate(find_files(params_file, given.path, where)):
        read = read_file(engine, path, given.format, given.dialect, f"truth_read_{number}", where)
        mapping.check_columns(given.fields, [], list(read.columns), path.name, where)
        texts = ", ".join(
            f"{mapping.text_of(field, read.columns)} AS {quote(field_name)}"
            for field_name, field in given.fields.items()
        )
        selects.append(f"SELECT {texts} FROM {quote(read.table)}")
    engine.execute(f"CREATE OR REPLACE TABLE truth_{name} AS {' UNION ALL '.join(selects)}")
    return f"truth_{name}"
