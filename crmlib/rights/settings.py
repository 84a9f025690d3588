"""What access and erasure need to know of the params, and how they speak of somebody who is not held."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crmlib.errors import InputError
from crmlib.params import Params, load_params
from crmlib.rights.kept import list_runs
from crmlib.rights.person import asked_tombstone
from crmlib.runs import RunStore
from crmlib.sources.tombstones import read_tombstones

MEMORY = "1GB"


@dataclass(frozen=True)
class Settings:
    """What an erasure needs to know of the params.

    Parameters
    ----------
    params : Params
    params_file : Path
    """

    params: Params
    params_file: Path

    @property
    def country(self) -> str:
        """Country of phones and ids that do not say theirs."""
        return self.params.run.country


def read_settings(store: RunStore, params_file: Path | None) -> Settings:
    """The params by which the kept runs were made, or those of a file.

    Raises
    ------
    InputError
        If there are no runs, or the params file is where it was no more.
    """
    if params_file is not None:
        return Settings(load_params(params_file), params_file)
    runs = list_runs(store)
    if not runs:
        raise InputError(f"{store.directory}: there are no runs, so nobody is held.")
    manifest = runs[0].manifest()
    path = Path(manifest["params_file"])
    if not path.parent.is_dir():
        raise InputError(f"The params file {path} is not there any more; name it: --params FILE.yaml.")
    return Settings(Params.model_validate(manifest["params"]), path)


def tell_nobody(kind: str, form: str, settings: Settings) -> str:
    """The sentence about somebody who is not held."""
    tombstones = read_tombstones(settings.params.privacy, settings.params_file)
    asked = asked_tombstone(kind, form, settings.country)
    was_erased = tombstones is not None and any(tombstones.holds(*one) for one in asked)
    more = " Somebody so named was erased, and is stopped at the door." if was_erased else ""
    return f"No kept run holds anybody by this {kind.replace('_', ' ')}; nothing was done.{more}"
