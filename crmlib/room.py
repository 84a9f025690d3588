"""A run as one notebook holds it: the tables it may see, and the ones it writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from crmlib.approvals import Breach, approvals_file, find_approvals
from crmlib.engine import Engine, quote
from crmlib.errors import ConflictError, ContractError, GateError, InputError, NothingToDo
from crmlib.files import hash_file, sync_folder
from crmlib.params import Params, end_of_day
from crmlib.run_folder import RunFolder
from crmlib.runs import RunStore
from crmlib.table_files import as_today, check_rows, conform, scan, stands, table_path, visible_rows, write_rows
from crmlib.tables import CONTRACTS, Contract, find_contract

T = TypeVar("T")

if TYPE_CHECKING:
    import pandas as pd

#: Set by the pipeline in its kernels: who may write to a run that is not complete.
WRITER_VARIABLE = "CRM_WRITER"


class Room:
    """A run opened for one notebook.

    Parameters
    ----------
    folder : RunFolder
        The run, or a draft beside it.
    notebook : str
        The notebook's name, such as ``03_deduplication``.

    Attributes
    ----------
    engine : Engine
        Every table of the contracts is a view in it, cut to what was known on the as-of date.
    params : Params
    as_of_date : datetime.date
    """

    def __init__(self, folder: RunFolder, notebook: str) -> None:
        manifest = folder.manifest()
        self.folder = folder
        self.notebook = notebook
        self.params = Params.model_validate(manifest["params"])
        self.params_file = Path(manifest["params_file"])
        self._writer: str = manifest["writer"]
        self._inputs: dict[str, str] = manifest["inputs"]
        self._origin = RunFolder(folder.path.parent / manifest.get("draft_of", folder.run_id))
        self.as_of_date = date.fromisoformat(manifest["as_of_date"])
        self.base = RunFolder(folder.path.parent / manifest["base"]) if manifest["base"] else None
        settings = self.params.run.engine
        self.engine = Engine(settings.threads, settings.memory_limit, folder.private / ".spill")
        for contract in CONTRACTS.values():
            self._show(contract)

    @property
    def cutoff(self) -> datetime:
        """The end of the as-of date where the run is, as UTC: nothing from then on is used."""
        return end_of_day(self.as_of_date, self.params.run.timezone)

    @property
    def owners(self) -> dict[str, str | None]:
        """Source -> who answers for it."""
        return {name: source.owner for name, source in self.params.sources.items()}

    def has(self, name: str) -> bool:
        """Whether a table holds any row that may be seen."""
        return bool(self.engine.row(f"SELECT EXISTS (FROM {quote(find_contract(name).name)}) AS any")["any"])

    def require(self, *names: str, sentence: str) -> None:
        """Leave the notebook, with a sentence for its page, unless the tables hold something.

        Raises
        ------
        NothingToDo
            If one of them is absent or empty.
        """
        if not all(self.has(name) for name in names):
            raise NothingToDo(sentence)

    def attempt(self, function: Callable[..., T], *given: Any) -> tuple[T | None, str]:
        """What a function makes, or None and its own sentence where it has nothing to work on; the notebook goes on."""
        try:
            return function(*given), ""
        except NothingToDo as error:
            return None, str(error)

    def frame(self, name: str) -> pd.DataFrame:
        """A table as a frame, for looking at."""
        return self.engine.frame(f"FROM {quote(find_contract(name).name)}")

    def sql(self, query: str, **values: Any) -> pd.DataFrame:
        """The rows of a query over all tables."""
        return self.engine.frame(query, **values)

    def base_table(self, name: str) -> str | None:
        """A view of a table as the base run left it, whole, in today's columns; None if there is none."""
        contract = find_contract(name)
        if self.base is None or not stands(path := table_path(self.base, contract, None)):
            return None
        given = self.engine.arrow(f"SELECT * FROM {scan(path)} LIMIT 0").column_names
        return self.engine.view(f"base_{name}", f"SELECT {as_today(contract, given)} FROM {scan(path)}")

    def stored(self, name: str) -> str | None:
        """A view of all that is stored of a table, later rows and all versions: for the audit of what was delivered."""
        contract = find_contract(name)
        if not stands(path := table_path(self.folder, contract, None)):
            return None
        return self.engine.view(f"stored_{name}", f"FROM {scan(path)}")

    @property
    def superseded(self) -> dict[str, int]:
        """Table -> how many of its rows are versions that another takes the place of."""
        tables = self.folder.manifest()["tables"]
        return {name: facts["superseded"] for name, facts in tables.items() if facts.get("superseded")}

    def write(self, name: str, data: str | pd.DataFrame | pa.Table, *, in_order: bool = False) -> None:
        """Write a table of this room: cast, sorted, checked against its contract, whole or not at all.

        Parameters
        ----------
        name : str
            A contract's name.
        data : str, DataFrame or Arrow table
            A table of the engine by its name, or the rows; columns that are absent are empty.
        in_order : bool
            Whether its rows stand in an order already that is the same each time; else they are sorted by the key.

        Raises
        ------
        ContractError
            If the rows break the contract; nothing is written then.
        """
        contract = find_contract(name)
        if self.notebook[:2] not in contract.rooms:
            raise ContractError(f"Notebook {self.notebook} is not a writer of table '{name}'.")
        source = data if isinstance(data, str) else self.engine.register(f"{name}_rows", data)
        path = table_path(self.folder, contract, self.notebook)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}-{os.getpid()}")
        given = self.engine.columns(source)
        try:
            if carried := self._find_carried(contract, source):
                os.link(table_path(carried, contract, None), beside)
                facts = dict(carried.manifest()["tables"][name])
            else:
                write_rows(self.engine, contract, conform(contract, source, given, self.notebook, in_order), beside)
                facts = check_rows(self.engine, contract, beside)
            if self.folder.manifest()["writer"] != self._writer:
                raise ConflictError(
                    f"The run {self.folder.run_id} was taken over by --resume; this notebook writes no more."
                )
            facts |= {"sha256": hash_file(beside), "bytes": beside.stat().st_size, "room": self.notebook}
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(path.parent)
        entry = str(path.relative_to(self.folder.tables).with_suffix(""))
        self.folder.update(lambda manifest: manifest["tables"].update({entry: facts}))
        self._show(contract)

    def _find_carried(self, contract: Contract, source: str) -> RunFolder | None:
        """The base run, where a table is left as it was: its file is this run's, too."""
        if self.base is None or source != f"base_{contract.name}" or contract.shared:
            return None
        path = table_path(self.base, contract, None)
        held = self.engine.arrow(f"SELECT * FROM {scan(path)} LIMIT 0").column_names
        same = held == [column.name for column in contract.columns]
        return self.base if same and contract.name in self.base.manifest()["tables"] else None

    def write_many(self, tables: Mapping[str, str], in_order: Collection[str] = ()) -> None:
        """Write several tables of this room: contract's name -> table of the engine; some are in order already."""
        for name, data in tables.items():
            self.write(name, data, in_order=name in in_order)

    def keep_private(self, name: str, table: str) -> None:
        """Keep a table of the engine under ``private/``, where personal data may lie; no contract holds for it."""
        path = self.folder.private / f"{name}.parquet"
        beside = path.with_name(f".{path.name}-{os.getpid()}")
        self.engine.copy(f"FROM {quote(table)}", beside)
        beside.chmod(0o600)
        beside.replace(path)

    def base_private(self, name: str) -> str | None:
        """A view of a table that the base run kept under ``private/``; None if there is none."""
        path = self.base.private / f"{name}.parquet" if self.base is not None else None
        if path is None or not path.exists():
            return None
        return self.engine.view(f"base_private_{name}", f"FROM {scan(path)}")

    def private(self, name: str) -> str:
        """A view of a table that a room of this run kept under ``private/``; a draft sees those of its run."""
        path = self.folder.private / f"{name}.parquet"
        if not path.exists():
            path = self._origin.private / path.name
        return self.engine.view(f"private_{name}", f"FROM {scan(path)}")

    def private_folder(self, name: str) -> Path:
        """A folder under ``private/`` for personal data that is needed for a while, made when it is not there."""
        folder = self.folder.private / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def hash_of(self, path: Path) -> str:
        """Hash of an input's content: as the manifest has it, or for a file new to a draft as it is now."""
        return self._inputs.get(str(path)) or hash_file(path)

    def pass_gates(self, breaches: Sequence[Breach]) -> int:
        """Stop the run at gates that do not hold, unless a named person has let them pass once.

        Parameters
        ----------
        breaches : sequence of Breach

        Returns
        -------
        int
            How many were let pass.

        Raises
        ------
        GateError
            Naming every gate that has no approval for what it saw, and how to approve it.
        """
        used = self.base.manifest().get("approvals", []) if self.base is not None else []
        approvals = find_approvals(approvals_file(self.params_file), breaches, used)
        stopped = [breach for breach in breaches if breach.gate not in approvals]

        def keep(manifest: dict[str, Any]) -> None:
            manifest["gates"] = [{**breach._asdict(), "approval": approvals.get(breach.gate)} for breach in breaches]
            manifest["approvals"] = [*used, *approvals.values()]

        self.folder.update(keep)
        if stopped:
            told = " ".join(f"The gate {breach.gate} stops the run: {breach.sentence}" for breach in stopped)
            raise GateError(
                f"{told} Mend the source, or let it pass once: crm approve {self.folder.run_id} "
                f"--gate {stopped[0].gate} --name … --reason …, then go on with --resume."
            )
        return len(approvals)

    def headline(
        self, key: str, value: float, label: str, *, unit: str = "", better: str = "", leading: bool = False
    ) -> None:
        """Keep one of the room's headline figures for the index page.

        Parameters
        ----------
        key : str
            Name by which the base run's figure is found.
        value : float
            The figure.
        label : str
            What it counts, in the reader's words.
        unit : str
            ``%`` for a share, a currency's code, or a plural noun; empty for a bare number.
        better : {"up", "down", ""}
            Which way is good.
        leading : bool
            Whether it stands at the head of the overview, among the few a director looks at first.
        """
        entry = {
            "key": key,
            "value": float(value),
            "label": label,
            "unit": unit,
            "better": better,
            "leading": leading,
        }

        def keep(manifest: dict[str, Any]) -> None:
            room = manifest["notebooks"].setdefault(self.notebook, {})
            room["headlines"] = [old for old in room.get("headlines", []) if old["key"] != key] + [entry]

        self.folder.update(keep)

    def __repr__(self) -> str:
        draft = " This is a draft: the complete run stays as it is." if "-draft-" in self.folder.run_id else ""
        return f"Run {self.folder.run_id}, as of {self.as_of_date}.{draft}"

    def _show(self, contract: Contract) -> None:
        path = table_path(self.folder, contract, None)
        if not stands(path):
            empty = ", ".join(
                f"CAST(NULL AS {c.sql_type}) AS {quote(c.name)}" for c in contract.columns if "<" not in c.name
            )
            self.engine.view(contract.name, f"SELECT {empty} WHERE false")
            return
        facts = self.folder.manifest()["tables"].get(contract.name, {})
        self.engine.view(contract.name, visible_rows(contract, path, self.as_of_date, self.cutoff, facts))


def open_run(run_dir: str, notebook: str) -> Room:
    """Open a run for one notebook.

    Parameters
    ----------
    run_dir : str
        The run's folder; empty for the published run of the nearest ``runs`` folder.
    notebook : str
        The notebook's name, such as ``03_deduplication``.

    Returns
    -------
    Room
        Of the run itself when the pipeline runs the notebook; else of a draft beside it.

    Raises
    ------
    InputError
        If there is no such run.
    """
    folder = RunFolder(Path(run_dir).resolve()) if run_dir else _find_runs().get("latest")
    manifest = folder.manifest()
    own = os.environ.get(WRITER_VARIABLE) == manifest["writer"]
    if own and manifest["status"] == "running":
        return Room(folder, notebook)
    draft = Room(RunStore(folder.path.parent).make_draft(folder), notebook)
    # on stderr, which a person in Lab sees and a page does not show
    print(repr(draft), file=sys.stderr)
    return draft


def _find_runs() -> RunStore:
    if "CRM_RUNS_DIR" in os.environ:
        return RunStore(Path(os.environ["CRM_RUNS_DIR"]))
    here = Path.cwd()
    for place in (here, *here.parents):
        if (place / "runs" / "latest").exists():
            return RunStore(place / "runs")
    raise InputError(
        "No published run was found in a folder 'runs' here or above; run the workbench first (make demo), "
        "or give the notebook a run_dir."
    )
