"""Secrets by name: params say which variable of the environment, or which file, holds one."""

from __future__ import annotations

import os
from pathlib import Path

from crmlib.errors import InputError
from crmlib.params import resolve_path


def read_secret(variable: str | None, file: str | None, params_file: Path, where: str) -> str | None:
    """Read a secret.

    Parameters
    ----------
    variable : str or None
        Variable of the environment that holds it.
    file : str or None
        File that holds it; a relative path is from the params file's folder.
    params_file : Path
    where : str
        The key in the params, for errors; ``_env`` or ``_file`` follows it.

    Returns
    -------
    str or None
        None if params name neither.

    Raises
    ------
    InputError
        If the variable is not set, or the file is missing or empty.
    """
    if variable is not None:
        secret = os.environ.get(variable, "").strip()
        if not secret:
            raise InputError(
                f"{where}_env: the variable {variable} is not set in the environment; set it and run again."
            )
        return secret
    if file is None:
        return None
    path = Path(resolve_path(params_file, file))
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{where}_file: the file {path} with the secret cannot be read.") from None
    if not secret:
        raise InputError(f"{where}_file: the file {path} is empty; write the secret into it.")
    return secret
