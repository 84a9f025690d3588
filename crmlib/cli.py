"""The `crm` command.

Exit codes: 0 done; 2 the input or params are wrong; 3 a gate stopped the run; 4 another run holds
the lock or was published first; 1 a defect of ours.
"""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

import crmlib
from crmlib.errors import CrmError, InputError

app = typer.Typer(
    help="An analytic CRM workbench: parameterized notebooks, run in order, from raw exports to a report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where run folders lie.", envvar="CRM_RUNS_DIR")]
ParamsFile = Annotated[Path, typer.Argument(metavar="PARAMS.yaml", help="The run's params.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A param in place of the file's, by dotted key.")
]
DEFAULT_RUNS = Path("runs")


@app.command()
def run(
    params: ParamsFile,
    until: Annotated[str | None, typer.Option(help="Stop after this notebook (number or name).")] = None,
    overrides: Overrides = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="As-of date, YYYY-MM-DD.")] = None,
    run_id: Annotated[str | None, typer.Option("--run-id", help="Id of the run.")] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Publish the run once complete.")] = True,
) -> None:
    """Run the notebooks in order and publish the report."""
    from crmlib.pipeline import run_pipeline

    outcome = run_pipeline(
        params,
        runs_dir,
        overrides=_read_overrides(overrides),
        as_of=_read_date(as_of),
        run_id=run_id,
        resume=resume,
        until=until,
        publish=publish,
        tell=typer.echo,
    )
    typer.echo(outcome.sentence)
    if outcome.status == "complete":
        typer.echo(f"The report: {outcome.folder.report / 'index.html'}")


@app.command()
def check(params: ParamsFile, overrides: Overrides = None) -> None:
    """Check params, sources, contact plans and governance file, running nothing; tells every problem at once."""
    from crmlib.execution import list_notebooks
    from crmlib.preflight import check_inputs, resolve_params

    settings = resolve_params(params, _read_overrides(overrides))
    check_inputs(settings, params, list_notebooks())
    entities = sum(len(source.entities) for source in settings.sources.values())
    typer.echo(f"{params} is in order: {len(settings.sources)} sources, {entities} entities.")


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where params.yaml is written.")],
    files: Annotated[
        list[Path], typer.Option("--from", metavar="FILE", help="A file to be mapped; give it again for each further.")
    ],
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]…", help="Further files.")] = None,
) -> None:
    """Guess the mapping of some files from headings and contents, and write it as a params file with comments."""
    from crmlib.params import load_params
    from crmlib.sources.guessing.writing import write_params
    from crmlib.sources.previews import check_sources

    target, told = write_params(directory, [*files, *(more or [])])
    for line in told:
        typer.echo(line)
    problems = check_sources(load_params(target), target)
    for problem in problems:
        typer.echo(problem, err=True)
    typer.echo(f"{target} is written{'' if problems else ' and in order'}. Look it over, then: crm run {target}")


@app.command()
def status(runs_dir: RunsDir = DEFAULT_RUNS) -> None:
    """List the runs, the newest last, and which one is published."""
    from crmlib.runs import RunStore

    store = RunStore(runs_dir)
    latest = store.latest()
    runs = store.all()
    if not runs:
        typer.echo(f"{runs_dir}: there are no runs yet.")
    for folder in runs:
        manifest = folder.manifest()
        mark = "*" if latest is not None and folder.run_id == latest.run_id else " "
        done = sum(room.get("status") in ("done", "skipped") for room in manifest["notebooks"].values())
        base = f", base {manifest['base']}" if manifest["base"] else ""
        typer.echo(
            f"{mark} {folder.run_id}: {manifest['status']}, as of {manifest['as_of_date']}, {done} notebooks{base}"
        )


@app.command()
def rejected(
    run_id: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run; absent: the newest that took anything in.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only this source's rows.")] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE.csv", help="Write the rows as they were delivered there."),
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Tell which delivered rows were rejected, and why; once mended, the next run takes them up."""
    from crmlib.engine import Engine
    from crmlib.runs import RunStore
    from crmlib.sources.rejections import summarise_rejected, tell_rejected, write_rejected

    store = RunStore(runs_dir)
    names = ("tables/rejected_rows.parquet", "private/rejected_rows.parquet")
    # whoever mends stops a run after its first rooms: it is not published yet
    folders = store.all() if run_id is None else [store.get(run_id)]
    taken_in = [folder for folder in folders if all((folder.path / name).exists() for name in names)]
    if not taken_in:
        raise InputError(
            f"{runs_dir}: {f'the run {run_id} has not' if run_id else 'no run has'} taken anything in yet."
        )
    told, held = (taken_in[-1].path / name for name in names)
    engine = Engine(threads=1)
    faults = summarise_rejected(engine, told, source)
    typer.echo(f"Run {taken_in[-1].run_id}:")
    for line in tell_rejected(faults) or ["No row was rejected."]:
        typer.echo(line)
    if to is not None:
        written = write_rejected(engine, held, source, to)
        typer.echo(f"{written:,} rows as they were delivered are in {to}: personal data, for you alone.")
    elif faults:
        typer.echo("Mend them at their source or in the mapping, and run again; --to FILE.csv writes them out.")


@app.command()
def approve(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run that a gate has stopped.")],
    gate: Annotated[str, typer.Option(help="The gate's id, as the run told it.")],
    name: Annotated[str, typer.Option(help="Who approves.")],
    reason: Annotated[str, typer.Option(help="Why it may pass.")],
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Let a gate of the audit pass once, for just what it saw; name and reason are kept beside the params."""
    from datetime import UTC

    from crmlib.approvals import Breach, add_approval, approvals_file
    from crmlib.runs import RunStore

    folder = RunStore(runs_dir).get(run_id)
    manifest = folder.manifest()
    stopped = {entry["gate"]: entry for entry in manifest.get("gates", []) if not entry["approval"]}
    if gate not in stopped:
        others = f"gates that stopped it: {', '.join(stopped)}" if stopped else "no gate stopped it"
        raise InputError(f"crm approve: the gate '{gate}' did not stop the run {folder.run_id}; {others}.")
    breach = Breach(*(stopped[gate][field] for field in Breach._fields))
    path = approvals_file(Path(manifest["params_file"]))
    add_approval(path, breach, folder.run_id, name, reason, datetime.now(UTC).isoformat(timespec="seconds"))
    typer.echo(f"The gate {gate} may pass once: {path} says who let it, and why.")
    typer.echo(f"Go on with: crm run {manifest['params_file']} --run-id {folder.run_id} --resume")


@app.command()
def publish(run_id: Annotated[str, typer.Argument(metavar="RUN")], runs_dir: RunsDir = DEFAULT_RUNS) -> None:
    """Publish a complete run."""
    from crmlib.runs import RunStore

    store = RunStore(runs_dir)
    typer.echo(store.publish(store.get(run_id)))


@app.command()
def rollback(run_id: Annotated[str, typer.Argument(metavar="RUN")], runs_dir: RunsDir = DEFAULT_RUNS) -> None:
    """Make a run the published one again that was published before."""
    from crmlib.runs import RunStore

    typer.echo(RunStore(runs_dir).rollback(run_id))


@app.command()
def prune(
    keep: Annotated[int, typer.Option(min=0, help="Newest complete runs to keep beside the published one.")] = 10,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Delete old runs and drafts; the published run and its base stay."""
    from crmlib.runs import RunStore

    deleted = RunStore(runs_dir).prune(keep)
    typer.echo(f"Deleted: {', '.join(deleted)}." if deleted else "Nothing to delete.")


AskedPerson = Annotated[
    str, typer.Argument(metavar="WHO", help="Customer id, source:id, e-mail, phone or national id.")
]
AskedBy = Annotated[str | None, typer.Option("--by", help="id, email, phone or national_id; absent: as it looks.")]
OtherParams = Annotated[
    Path | None, typer.Option("--params", metavar="PARAMS.yaml", help="In place of the params of the published run.")
]


@app.command()
def access(
    who: AskedPerson,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new folder, for what is kept.")],
    by: AskedBy = None,
    params: OtherParams = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Write everything that is kept about a person, in every run, as JSON and as a page."""
    from crmlib.params import local_today
    from crmlib.rights.access import grant_access
    from crmlib.rights.settings import read_settings
    from crmlib.runs import RunStore

    store = RunStore(runs_dir)
    settings = read_settings(store, params)
    files = grant_access(store, who, by, settings, local_today(settings.params), to)
    typer.echo(f"What is kept is in {' and '.join(map(str, files))}: personal data, for this person alone.")


@app.command()
def forget(
    who: Annotated[
        str | None, typer.Argument(metavar="WHO", help="Customer id, source:id, e-mail, phone or national id.")
    ] = None,
    by: AskedBy = None,
    due: Annotated[bool, typer.Option("--due", help="Whatever is kept longer than retention: says.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
    params: OtherParams = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Remove a person from every kept run, page and export, and keep later deliveries from bringing them back."""
    from crmlib.params import local_today
    from crmlib.rights import forget as forgetting
    from crmlib.rights.settings import read_settings
    from crmlib.runs import RunStore

    if (who is None) != due:
        raise InputError("crm forget: name one person, or give --due for what is kept too long.")
    store = RunStore(runs_dir)
    settings = read_settings(store, params)
    today = local_today(settings.params)
    if who is None:
        proof = forgetting.forget_due(store, settings, today, dry_run=dry_run, tell=typer.echo)
    else:
        proof = forgetting.forget(store, who, by, settings, today, dry_run=dry_run, tell=typer.echo)
    if proof is not None:
        typer.echo(f"Removed everywhere; the proof, without any value, is {proof}.")


@app.command()
def demo(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the retailer's files are written.")],
    people: Annotated[int, typer.Option(min=20, help="People in the synthetic retailer.")] = 4000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same files.")] = 20261101,
    and_run: Annotated[bool, typer.Option("--run", help="Then run the workbench on them.")] = False,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Write a synthetic retailer of the Canary Islands, its truth apart; with --run, run the workbench on it."""
    from crmlib.demo.retailer import write_retailer

    params = Path("params/demo.yaml")
    if and_run and directory.resolve() != (params.parent.parent / "demo").resolve():
        raise InputError(
            f"{directory}: {params} reads the folder demo/ beside it; write --run demo, or copy the params."
        )
    write_retailer(directory, people=people, seed=seed, progress=typer.echo)
    typer.echo(f"The retailer's files are in {directory / 'data'}, the truth about them in {directory / 'truth'}.")
    if and_run:
        run(params, runs_dir=runs_dir)
    else:
        typer.echo("Next: crm run params/demo.yaml")


@app.command()
def form(
    definition: Annotated[Path, typer.Argument(metavar="DEFINITION.yaml", help="The form's definition.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the page and the schema are written.")],
) -> None:
    """Write a web form as an accessible page of HTML, and the JSON Schema of what it sends."""
    from crmlib.sources.form_pages import write_form

    page, schema = write_form(definition, directory)
    typer.echo(f"The form is {page}; what it sends is described in {schema}.")


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crmlib {crmlib.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    """Options that stand before a command."""


def main() -> None:
    """Run the command; a user's mistake is one sentence on stderr, never a traceback."""
    try:
        app(standalone_mode=True)
    except CrmError as error:
        sys.stdout.flush()
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)


def _read_overrides(texts: list[str] | None) -> dict[str, Any]:
    from crmlib.params import parse_override

    return dict(parse_override(text) for text in texts or [])


def _read_date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise InputError(f"--as-of {text}: write a date such as 2026-11-01.") from None
