"""The command ``fivefold``.

Exit codes: 0 done; 1 the study ended but a run has no valid trial; 2 the input is wrong, or standard
output could not be written; 3 the study directory is damaged, of another study or in use; 130 interrupted.
Errors of the user are printed as one message on standard error.

Commands import what they need when they run, so that ``--help`` is fast and only ``run`` loads Ray.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer

from runner.cli.commands import register
from runner.cli.commands.arguments import Folder, Methods, Seeds, StudyFile, Trials, load
from runner.cli.commands.check_cluster import check_file
from runner.cli.commands.usage import Misused, explain
from runner.cli.console import err_console, escape_python, note, print_error, print_line
from runner.cli.console import output as _console
from runner.cli.streams import lasting_streams
from runner.engine.supervisor import SIGNALS, say_done, supervised
from runner.engine.worker.leaving import end_with
from runner.errors import FivefoldError, JournalError, StudyError, StudyInterrupted

if TYPE_CHECKING:
    from runner.report.serve import Server
    from runner.results import Results

app = typer.Typer(
    name="fivefold",
    help="Compare six methods of hyper-parameter optimisation on your problems, in parallel on Ray.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Track = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND:WHERE", help="Log trials to mlflow:URI or tensorboard:DIR; repeatable."),
]


class Format(StrEnum):
    """File formats of ``export``."""

    parquet = "parquet"
    csv = "csv"
    json = "json"
    tex = "tex"
    optuna = "optuna"


def main() -> None:
    """Run the command; errors of the user end in a message and its exit code."""
    if sys.argv[1:2] in (["run"], ["optimize"]):
        supervised(_main)
    _main()


def _main() -> NoReturn:
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # ignored under 'nohup'
            signal.signal(number, _leave)
    end_with(command())


def command() -> int:
    """Run the command of ``sys.argv`` and return its exit code, without ending the process."""
    escape_python()
    code = 0
    try:
        with lasting_streams():
            sys.exit(_run_app())
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    say_done()
    return code


def _run_app() -> int:
    """Run the command; return its exit code."""
    try:
        found = app(prog_name="fivefold", standalone_mode=False)
    except StudyInterrupted as error:
        print_line(err_console, f"{error} Repeat the command to resume.")
        return error.exit_code
    except FivefoldError as error:
        print_error(error)
        return error.exit_code
    except Exception as error:
        if not isinstance(error, Misused):
            raise
        return explain(error)
    return found if isinstance(found, int) else 0


def _leave(number: int, frame: FrameType | None) -> None:
    """End at once, at a signal without another handler."""
    del number, frame
    from runner.engine.worker.leaving import leave
    from runner.journal.files.folder import leave_in_order

    leave_in_order()
    say_done()
    places = sys.modules.get("runner.journal.files.places")  # the signal may have interrupted its import
    getattr(places, "discard_unfinished", lambda: None)()
    leave("interrupted.", StudyInterrupted.exit_code)


@app.command()
def run(
    study: StudyFile,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Study directory (default: results/NAME).")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Parallel workers (default: one per CPU; 0 = in-process, no Ray)."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Address of a running Ray cluster, host:port or auto (default: start Ray here)."),
    ] = None,
    methods: Methods = None,
    seeds: Seeds = None,
    trials: Trials = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="PATH|URI", help="Storage for checkpoints, reachable from all nodes."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="problem=NAME|seed=N", help="Run only this part of the study; see 'merge'."),
    ] = None,
    track: Track = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the live report at 127.0.0.1.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of --serve; 0 for any free port.")] = 0,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse to resume with other versions of Python or of a package."),
    ] = False,
) -> None:
    """Run or resume a study, and print the leaderboard."""
    from runner.api import run as run_study
    from runner.cli.progress import progress
    from runner.study.selection import part_of
    from runner.study.study import default_folder

    selected = part_of(load(study, methods, seeds, trials), only or ())
    folder = out if out is not None else default_folder(selected)
    display = progress(_console(), workers)
    with _served(folder, port) if serve or port else contextlib.nullcontext():
        results = run_study(
            selected,
            folder,
            workers=workers,
            address=address,
            storage=storage,
            monitor=display,
            track=track or (),
            strict=strict,
        )
    _print_results(results)
    results.export()
    print_line(_console(), f"study directory: {results.folder}")
    raise typer.Exit(0 if results.ok else 1)


def _served(folder: Path, port: int) -> Server:
    """Serve the report of a study that is about to run, and print its address."""
    from runner.report.serve import Server

    server = Server(folder, port)
    print_line(_console(), f"report: {server.url}")
    return server


@app.command()
def report(
    folder: Folder,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Target directory (default: DIR).")] = None,
) -> None:
    """Write report.html, its figures and its tables; the study may be running."""
    from runner.report import write_report

    path = write_report(_results(folder), to)
    print_line(_console(), path)


@app.command()
def check(
    study: Annotated[
        Path | None, typer.Argument(metavar="STUDY.yaml", help="The study file.", show_default=False)
    ] = None,
    methods: Methods = None,
    seeds: Seeds = None,
    trials: Trials = None,
    cluster: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Check a file for 'ray up' or KubeRay, and count the trials it has room for."
        ),
    ] = None,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Compare reported gradients with finite differences.")
    ] = False,
) -> None:
    """Validate a study, load its data, count its trials and estimate its time; or check a cluster."""
    if study is None and cluster is None:
        raise StudyError(
            "missing argument.", where="STUDY.yaml", hint="Give a study file, or --cluster FILE."
        )
    loaded = None if study is None else load(study, methods, seeds, trials)
    if cluster is not None and not check_file(cluster, loaded, _console()):
        raise typer.Exit(StudyError.exit_code)
    if loaded is not None:
        from runner.cli.tables import print_estimate
        from runner.study.estimate import estimate

        loaded.check()
        print_estimate(_console(), loaded, estimate(loaded))
    if loaded is not None and gradients:
        from runner.cli.tables import print_gradients
        from runner.study.gradient_check import Agreement, check_gradients

        found = check_gradients(loaded)
        print_gradients(_console(), found)
        if any(one.agreement is Agreement.WRONG for one in found):
            raise typer.Exit(StudyError.exit_code)


@app.command()
def show(
    folder: Folder,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Leaderboard after this number of trials.")
    ] = None,
) -> None:
    """Print the verdict and the leaderboards of a study; it may be running."""
    _print_results(_results(folder), trials)


@app.command()
def best(
    folder: Folder,
    problem: Annotated[str | None, typer.Option(help="Only this problem.")] = None,
    seed: Annotated[int | None, typer.Option(help="Only the runs with this seed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the best config of each problem."""
    from runner.cli.tables import print_best

    found = _results(folder).best(problem, seed)
    print_best(_console(), found, as_json)
    raise typer.Exit(0 if found else 1)


@app.command()
def export(
    folder: Folder,
    format: Annotated[Format, typer.Option(help="File format.")] = Format.parquet,
    to: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Target directory (default: DIR); for optuna also a URL."),
    ] = None,
) -> None:
    """Export the tables; 'tex' writes the leaderboard only, 'optuna' a storage for its dashboard."""
    if format is Format.optuna:
        results = _results(folder)
        with _console().status("exporting") as shown:
            url = results.to_optuna(
                to, lambda done, of: shown.update(f"exporting: {done:,} of {of:,} trials")
            )
        print_line(_console(), url)
        return
    from runner.cli.verdict import export_leaderboard
    from runner.results.stats import Comparison

    results = _results(folder)
    paths = [] if format is Format.tex else results.export(to, cast("Any", format.value))
    comparison = Comparison.of(results)
    for path in [*paths, *export_leaderboard(comparison, Path(to or results.folder), format.value)]:
        print_line(_console(), path)


@app.command()
def verify(folder: Folder) -> None:
    """Check a study directory for damage, without changing it; the study may be running."""
    from runner.cli.tables import print_verdict
    from runner.journal.verify import verify as verify_folder

    verdict = verify_folder(folder)
    print_verdict(_console(), verdict)
    raise typer.Exit(0 if verdict.whole else JournalError.exit_code)


@app.command()
def methods() -> None:
    """List the six methods, their settings and their references."""
    from runner.cli.tables import print_methods

    print_methods(_console())


@app.command()
def problems() -> None:
    """List the built-in problems, and show how to write your own."""
    from runner.cli.tables import print_problems

    print_problems(_console())


def _version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        print_line(_console(), f"fivefold {version('fivefold')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def _results(folder: Path) -> Results:
    """Open a study directory, and print its notes."""
    from runner.results import Results

    results = Results.open(folder)
    for message in results.notes:
        note(message)
    return results


def _print_results(results: Results, trials: int | None = None) -> None:
    """Print a leaderboard per problem, and the verdict over all of them."""
    from runner.cli.tables import print_leaderboard
    from runner.cli.verdict import print_verdict
    from runner.results.stats import Comparison

    print_leaderboard(_console(), results, trials)
    if len(results.methods) > 1:
        print_verdict(_console(), Comparison.of(results), trials)


register(app)


if __name__ == "__main__":
    main()
