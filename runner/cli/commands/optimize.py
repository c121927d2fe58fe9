"""``fivefold optimize``: one search from the shell, from a data file to a saved pipeline."""

from __future__ import annotations

import csv
import shlex
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from runner.cli.console import output, print_line
from runner.integrations.sklearn.pipeline.how import Save


def optimize(
    context: typer.Context,
    data: Annotated[
        str, typer.Option(help="A .csv or .parquet file, or a built-in data set.", show_default=False)
    ],
    estimator: Annotated[
        str | None,
        typer.Option(
            help="A scikit-learn class, SVC or sklearn.svm.SVC; gradient boosting if not given.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The column to predict, of a file.", show_default=False)
    ] = None,
    method: Annotated[str, typer.Option(help="A method, or auto: what 'fivefold advise' says.")] = "auto",
    trials: Annotated[int, typer.Option(min=1, help="Configs to try.")] = 50,
    seconds: Annotated[
        float | None, typer.Option(help="Seconds of evaluation and thinking, if that is less.")
    ] = None,
    scoring: Annotated[
        str | None,
        typer.Option(help="A scikit-learn scorer. Default: accuracy or r2; roc_auc if one class is rare."),
    ] = None,
    cv: Annotated[int, typer.Option(help="Folds of cross-validation.")] = 5,
    test: Annotated[float, typer.Option(help="Share of the rows that is held out; 0 for none.")] = 0.2,
    drop: Annotated[str | None, typer.Option(help="Columns to leave out, comma-separated.")] = None,
    decimal: Annotated[
        str | None,
        typer.Option(metavar=".|,", help="The decimal mark, where the numbers can be read in two ways."),
    ] = None,
    space: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="The space, instead of the built-in one.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another split and another search.")] = 0,
    workers: Annotated[
        int, typer.Option(min=0, help="Trials at once, on Ray; 0: in this process, one after the other.")
    ] = 0,
    track: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND:WHERE", help="mlflow:URI or tensorboard:DIR; repeatable."),
    ] = None,
    save: Annotated[Save, typer.Option(help="How the best pipeline is saved.")] = Save.skops,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Study directory; results/NAME if not given.")
    ] = None,
) -> None:
    """Tune one scikit-learn estimator on a data file, and save the best pipeline.

    Text columns are categories, dates become their parts, missing values are filled in, and the
    estimator's defaults are the first config. The same command again goes on where it stopped.
    """
    from runner.api import run
    from runner.cli.progress import progress
    from runner.cli.tables import print_conclusions
    from runner.integrations.sklearn.pipeline.search import Wanted, finish, planned
    from runner.problems.estimators.data.fitness import ColumnsRefused
    from runner.problems.estimators.data.kinds import comma_separated
    from runner.study.study import default_folder

    console = output()
    limits: dict[str, Any] = {"trials": trials} | ({} if seconds is None else {"seconds": seconds})
    dropped = tuple(name.strip() for name in next(csv.reader([drop or ""]), []) if name.strip())
    wanted = Wanted(
        data, target, estimator, method, limits, scoring, cv, test, dropped, decimal, space, seed, workers
    )
    try:
        plan = planned(wanted)
    except ColumnsRefused as error:
        if not error.columns or error.of_target:
            raise
        again = _command(context, drop=comma_separated([*dropped, *error.columns]))
        raise type(error)(
            error.message, where=error.where, hint=f"{error.hint} To go on without them: {again}".strip()
        ) from None
    for line in plan.said:
        print_line(console, line)
    folder = out if out is not None else default_folder(plan.study)
    results = run(plan.study, folder, workers=workers, monitor=progress(console, workers), track=track or ())
    found = finish(plan, results, save)
    print_conclusions(console, results)
    for line in found:
        print_line(console, line)
    raise typer.Exit(0 if results.ok else 1)


def _command(context: typer.Context, **changed: str) -> str:
    """The command line again, with some options changed."""
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
