"""``fivefold optimize``: one search from a data file to a saved pipeline."""

from __future__ import annotations

import csv
import shlex
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from runner.cli.console import output, print_line
from runner.integrations.sklearn.pipeline import Save


def optimize(
    context: typer.Context,
    data: Annotated[
        str, typer.Option(help="A .csv or .parquet file, or a built-in data set.", show_default=False)
    ],
    estimator: Annotated[
        str | None,
        typer.Option(
            help="A scikit-learn class, such as SVC or sklearn.svm.SVC (default: gradient boosting).",
            show_default=False,
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column to predict.", show_default=False)] = None,
    method: Annotated[str, typer.Option(help="A method, or auto: as 'fivefold advise' recommends.")] = "auto",
    trials: Annotated[int, typer.Option(min=1, help="Configs to try.")] = 50,
    seconds: Annotated[
        float | None, typer.Option(help="Stop earlier, after so many seconds of evaluation and proposals.")
    ] = None,
    scoring: Annotated[
        str | None,
        typer.Option(help="A scikit-learn scorer (default: accuracy or r2; roc_auc if one class is rare)."),
    ] = None,
    cv: Annotated[int, typer.Option(help="Number of folds of cross-validation.")] = 5,
    test: Annotated[float, typer.Option(help="Fraction of the rows to hold out; 0 for none.")] = 0.2,
    drop: Annotated[str | None, typer.Option(help="Columns to leave out, comma-separated.")] = None,
    decimal: Annotated[
        str | None,
        typer.Option(metavar=".|,", help="Decimal separator, where numbers are ambiguous."),
    ] = None,
    space: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="Search space (default: the built-in one).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split and of the search.")] = 0,
    workers: Annotated[
        int, typer.Option(min=0, help="Parallel workers on Ray (0 = in-process, no Ray).")
    ] = 0,
    track: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND:WHERE", help="Log trials to mlflow:URI or tensorboard:DIR; repeatable."),
    ] = None,
    save: Annotated[Save, typer.Option(help="Format of the saved pipeline.")] = Save.skops,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Study directory (default: results/NAME).")
    ] = None,
) -> None:
    """Tune one scikit-learn estimator on a data file, and save the best pipeline.

    Text columns become categories, dates are split into parts, missing values are imputed, and the
    estimator's defaults are the first config. Repeat the command to resume.
    """
    from runner.api import run
    from runner.cli.progress import progress
    from runner.cli.tables import print_conclusions
    from runner.integrations.sklearn.pipeline.search import Request, finish, plan_search
    from runner.problems.estimators.data.fitness import ColumnsRefused
    from runner.problems.estimators.data.kinds import comma_separated
    from runner.study.study import default_folder

    console = output()
    limits: dict[str, Any] = {"trials": trials} | ({} if seconds is None else {"seconds": seconds})
    dropped = tuple(name.strip() for name in next(csv.reader([drop or ""]), []) if name.strip())
    request = Request(
        data, target, estimator, method, limits, scoring, cv, test, dropped, decimal, space, seed, workers
    )
    try:
        plan = plan_search(request)
    except ColumnsRefused as error:
        if not error.columns or error.of_target:
            raise
        again = _command(context, drop=comma_separated([*dropped, *error.columns]))
        raise type(error)(
            error.message, where=error.where, hint=f"{error.hint} Without them: {again}".strip()
        ) from None
    for line in plan.messages:
        print_line(console, line)
    folder = out if out is not None else default_folder(plan.study)
    results = run(plan.study, folder, workers=workers, monitor=progress(console, workers), track=track or ())
    found = finish(plan, results, save)
    print_conclusions(console, results)
    for line in found:
        print_line(console, line)
    raise typer.Exit(0 if results.ok else 1)


def _command(context: typer.Context, **changed: str) -> str:
    """Return the command line with some options changed."""
    parts = [context.command_path]
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if name not in changed and (source is None or source.name != "COMMANDLINE"):
            continue
        value = changed.get(name, context.params.get(name))
        for one in value if isinstance(value, list | tuple) else [value]:
            parts += [parameter.opts[0], str(one.value if isinstance(one, Enum) else one)]
    program, *options = parts
    return f"{program} {shlex.join(options)}"
