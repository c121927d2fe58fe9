"""``fivefold optimize``: one search from the shell, from a data file to a saved pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from runner.console import output, print_line
from runner.handover.how import Save


def optimize(
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
        str | None, typer.Option(help="A scikit-learn scorer; accuracy or r2 if not given.")
    ] = None,
    cv: Annotated[int, typer.Option(help="Folds of cross-validation.")] = 5,
    test: Annotated[float, typer.Option(help="Share of the rows that is held out; 0 for none.")] = 0.2,
    drop: Annotated[str | None, typer.Option(help="Columns to leave out, with commas between.")] = None,
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

    Text columns are categories, missing values are filled in, and the estimator's defaults are the first
    config. The same command again goes on where it stopped.
    """
    from runner.handover.search import Wanted, finish, planned
    from runner.launch import default_folder, run
    from runner.tables import print_conclusions
    from runner.terminal import progress

    console = output()
    limits: dict[str, Any] = {"trials": trials} | ({} if seconds is None else {"seconds": seconds})
    columns = tuple(name.strip() for name in (drop or "").split(",") if name.strip())
    wanted = Wanted(data, target, estimator, method, limits, scoring, cv, test, columns, space, seed, workers)
    plan = planned(wanted)
    for line in plan.said:
        print_line(console, line)
    folder = out if out is not None else default_folder(plan.study)
    results = run(plan.study, folder, workers=workers, monitor=progress(console, workers), track=track or ())
    found = finish(plan, results, save)
    print_conclusions(console, results)
    for line in found:
        print_line(console, line)
    raise typer.Exit(0 if results.ok else 1)
