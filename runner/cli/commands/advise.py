"""``fivefold advise``: recommend a method for each problem of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runner.cli.console import output, print_line


def advise(
    study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.", show_default=False)],
    evidence: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", metavar="DIR", help="Your finished studies, or a directory of them; repeatable."
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, help="Duration of one evaluation (default: measured on a few).")
    ] = None,
    parallel: Annotated[
        int | None, typer.Option(min=1, help="Concurrent trials per run (default: the study's).")
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials per run (default: the study's).")] = None,
) -> None:
    """Recommend a method for each problem of a study, with reasons and evidence."""
    from runner.study.advice import advise as advised
    from runner.study.advice import facts_of, gather_evidence
    from runner.study.estimate import estimate
    from runner.study.study import Study

    console = output()
    loaded = Study.load(study, data=True).changed(trials=trials)
    loaded.check()
    measured = {one.problem.name: one.seconds for one in estimate(loaded)} if seconds is None else {}
    for problem in loaded.problems:
        facts = facts_of(
            problem,
            loaded.budget.trials,
            loaded.budget.seconds,
            parallel or loaded.parallel,
            measured.get(problem.name, seconds),
            measured=seconds is None,
        )
        advice = advised(facts, gather_evidence(evidence or [], problem.space))
        print_line(console, f"{problem.name}: {advice.entry}", "bold")
        for title, lines in (
            ("because", advice.because),
            ("based on", advice.used),
            ("common claims, and measurements", advice.answers),
        ):
            print_line(console, f"  {title}:", "dim")
            for line in lines:
                print_line(console, f"  - {line}")
