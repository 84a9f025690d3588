"""Run folders: made once, published by compare-and-swap, rolled back by moving a pointer.

State that outlives a run is kept in no database: each run starts from a base and writes its own
successor tables, so that a crash loses nothing and a rerun gives the same answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from crmlib.errors import ConflictError, InputError
from crmlib.files import lock, sync_folder, write_atomically
from crmlib.run_folder import Manifest, RunFolder, make_folders, name_unfinished

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
#: What an erasure is about to do, while it does it.
JOURNAL = ".erasing.json"


class RunStore:
    """The folder that holds the runs.

    Parameters
    ----------
    directory : Path
        Usually ``runs``.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, run_id: str) -> RunFolder:
        """A run by its id, or the published one by ``latest``.

        Raises
        ------
        InputError
            If there is no such run.
        """
        if run_id == "latest":
            latest = self.latest()
            if latest is None:
                raise InputError(f"{self.directory}: no run has been published yet; start one with crm run.")
            return latest
        folder = RunFolder(self.directory / run_id)
        if not RUN_ID.fullmatch(run_id) or not folder.path.is_dir():
            raise InputError(f"{self.directory}: there is no run '{run_id}'; crm status lists them.")
        return folder

    def all(self) -> list[RunFolder]:
        """Every run and draft, the oldest first."""
        if not self.directory.is_dir():
            return []
        found = [
            RunFolder(path)
            for path in self.directory.iterdir()
            # a name with a dot in front is being made or deleted
            if not path.is_symlink() and path.name[0] != "." and (path / "manifest.json").is_file()
        ]
        return sorted(found, key=lambda folder: (folder.manifest()["started_at"], folder.run_id))

    def latest(self) -> RunFolder | None:
        """The published run; None before the first."""
        pointer = self.directory / "latest"
        return RunFolder(self.directory / pointer.readlink()) if pointer.is_symlink() and pointer.is_dir() else None

    def find_base(self, as_of_date: date) -> RunFolder | None:
        """The published run, or the nearest in its chain of bases, that is not later than a date."""
        folder = self.latest()
        while folder is not None and folder.path.is_dir():
            manifest = folder.manifest()
            if date.fromisoformat(manifest["as_of_date"]) <= as_of_date:
                return folder
            folder = RunFolder(self.directory / manifest["base"]) if manifest["base"] else None
        return None

    def create(self, run_id: str | None, name: str, manifest: Manifest) -> RunFolder:
        """Make a run's folder, its manifest first.

        Parameters
        ----------
        run_id : str, optional
            Its id; made of name, as-of date and a count when absent.
        name : str
            The run's name in params.
        manifest : dict
            What is known before anything runs; must hold ``as_of_date`` and ``base``.

        Raises
        ------
        InputError
            If the id is taken, or is no plain name.
        """
        if run_id is not None and (not RUN_ID.fullmatch(run_id) or run_id == "latest"):
            raise InputError(f"--run-id {run_id}: use letters, digits, dots, dashes and underscores.")
        self.directory.mkdir(parents=True, exist_ok=True)
        whole: Manifest = {
            "status": "running",
            "started_at": _now(),
            "writer": secrets.token_hex(16),
            "notebooks": {},
            "tables": {},
            **manifest,
        }
        count = 1
        while True:
            path = self.directory / (run_id or f"{name}-{manifest['as_of_date']}-{count}")
            making = self.directory / f".new-{path.name}-{os.getpid()}"
            make_folders(RunFolder(making))
            write_atomically(
                making / "manifest.json",
                json.dumps({"run_id": path.name, **whole}, indent=2, ensure_ascii=False) + "\n",
            )
            try:
                # a rename onto an existing run fails, since a run's folder is never empty
                making.rename(path)
            except OSError:
                shutil.rmtree(making)
                if run_id is not None:
                    raise InputError(
                        f"--run-id {run_id}: there is such a run already; use --resume to go on with it."
                    ) from None
                count += 1
                continue
            return RunFolder(path)

    def make_draft(self, folder: RunFolder) -> RunFolder:
        """Make a draft beside a run: its tables linked, so that a notebook run by hand changes nothing of it."""
        self.check_no_erasure()
        manifest = folder.manifest()
        origin = manifest.get("draft_of") or folder.run_id
        count = 1
        while True:
            draft = RunFolder(self.directory / f"{origin}-draft-{count}")
            try:
                draft.path.mkdir(parents=True)
                break
            except FileExistsError:
                count += 1
        make_folders(draft)
        shutil.copytree(folder.tables, draft.tables, copy_function=os.link, dirs_exist_ok=True, ignore=name_unfinished)
        manifest |= {
            "run_id": draft.run_id,
            "draft_of": origin,
            "status": "draft",
            "started_at": _now(),
            "writer": secrets.token_hex(16),
        }
        write_atomically(draft.path / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
        try:
            self.check_no_erasure()
        except ConflictError:
            shutil.rmtree(draft.path)
            raise
        return draft

    def publish(self, folder: RunFolder) -> str:
        """Make a complete run the one that ``latest`` names, if it builds on the one that is so now.

        Returns
        -------
        str
            One sentence: published, or why not.

        Raises
        ------
        InputError
            If the run is not complete.
        ConflictError
            If another run was published since this one began; nothing is changed.
        """
        manifest = folder.manifest()
        if manifest["status"] != "complete":
            raise InputError(
                f"The run {folder.run_id} is not complete (its state is {manifest['status']}); "
                "only complete runs are published."
            )
        with self._publishing():
            latest = self.latest()
            if latest is not None and latest.run_id == folder.run_id:
                return f"The run {folder.run_id} is the published one already."
            if latest is not None and latest.manifest()["as_of_date"] > manifest["as_of_date"]:
                return (
                    f"The run {folder.run_id} is complete but stays unpublished: "
                    f"the published run {latest.run_id} has a later as-of date."
                )
            if (latest.run_id if latest else None) != manifest["base"]:
                raise ConflictError(
                    f"The run {folder.run_id} is complete but was not published: it builds on "
                    f"{manifest['base'] or 'no run'}, and {latest.run_id if latest else 'none'} has been published "
                    "since. Run again to build on that one."
                )
            self._point(folder, "publish")
        return f"The run {folder.run_id} is published."

    def rollback(self, run_id: str) -> str:
        """Let ``latest`` name a run that was published before.

        Raises
        ------
        InputError
            If the run was never published.
        """
        folder = self.get(run_id)
        with self._publishing():
            if folder.run_id not in {entry["run_id"] for entry in self.history()}:
                raise InputError(f"The run {run_id} was never published; crm publish {run_id} does that.")
            self._point(folder, "rollback")
        return f"The published run is {run_id} again."

    def history(self) -> list[dict[str, str]]:
        """What was published or rolled back to, and when, the oldest first."""
        log = self.directory / "published.jsonl"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []

    def prune(self, keep: int) -> list[str]:
        """Delete all but the published run, its base and the `keep` newest complete runs.

        Returns
        -------
        list of str
            Ids of the runs and drafts deleted; a draft goes with its run.
        """
        deleted = []
        with self._publishing():
            latest = self.latest()
            kept = {latest.run_id, latest.manifest()["base"]} if latest else set()
            complete = [folder for folder in self.all() if folder.manifest()["status"] == "complete"]
            kept |= {folder.run_id for folder in complete[::-1][:keep]}
            for folder in self.all():
                owner = folder.manifest().get("draft_of") or folder.run_id
                if owner in kept:
                    continue
                try:
                    with folder.writing():
                        folder.path.rename(self.directory / f".pruned-{folder.run_id}-{os.getpid()}")
                except ConflictError:
                    continue
                deleted.append(folder.run_id)
            for doomed in self.directory.glob(".pruned-*"):
                shutil.rmtree(doomed)
        return deleted

    def _point(self, folder: RunFolder, action: str) -> None:
        entry = {"run_id": folder.run_id, "action": action, "at": _now()}
        with (self.directory / "published.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
            log.flush()
            os.fsync(log.fileno())
        beside = self.directory / f".latest-{os.getpid()}"
        beside.unlink(missing_ok=True)
        beside.symlink_to(folder.run_id)
        beside.replace(self.directory / "latest")
        sync_folder(self.directory)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold everything: no run is begun, written, published or pruned meanwhile, and no draft is made.

        Raises
        ------
        ConflictError
            If another process writes to any run.
        """
        journal = self.directory / JOURNAL
        with self._publishing(), contextlib.ExitStack() as held:
            # whoever begins a run holds its lock and then looks for this file; it is only content once there is a plan
            journal.touch(mode=0o600)
            try:
                for folder in self.all():
                    held.enter_context(folder.writing())
                for left in self.directory.glob(".pruned-*"):
                    shutil.rmtree(left)
                for left in self.directory.glob(f"{JOURNAL}-*"):
                    left.unlink()
                yield
            finally:
                if journal.exists() and not journal.stat().st_size:
                    journal.unlink()

    def check_no_erasure(self) -> None:
        """Refuse to write a run while an erasure is under way.

        Raises
        ------
        ConflictError
            If one is, or was interrupted.
        """
        if (self.directory / JOURNAL).exists():
            raise ConflictError(
                f"{self.directory}: an erasure is under way here, or was interrupted; repeat crm forget, then this."
            )

    def _publishing(self) -> contextlib.AbstractContextManager[None]:
        return lock(self.directory / ".lock", f"{self.directory}: another process is publishing; try again.")


def tell_time() -> datetime:
    """The moment it is, for what is signed by a person or a run; no figure depends on it."""
    return datetime.now(UTC)


def _now() -> str:
    return tell_time().isoformat(timespec="microseconds")
