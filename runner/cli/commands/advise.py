"""``fivefold advise``: which method for a study's problems, and why."""

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
            "--from", metavar="DIR", help="Finished studies of yours, or a directory of them; repeatable."
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, help="What one evaluation takes; else a few are tried.")
    ] = None,
    parallel: Annotated[
        int | None, typer.Option(min=1, help="Trials of one run in flight, instead of the study's.")
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials per run instead of the study's.")] = None,
) -> None:
    """Say which method to use for each problem of a study, why, and what that rests on."""
    from runner.study.advice import advise as advised
    from runner.study.advice import facts_of, gather_evidence
    from runner.study.estimate import estimate
    from runner.study.study import Study

    console = output()
    wanted = Study.load(study, data=True).changed(trials=trials)
    wanted.check()
    measured = {one.problem.name: one.seconds for one in estimate(wanted)} if seconds is None else {}
    for problem in wanted.problems:
        facts = facts_of(
            problem,
            wanted.budget.trials,
            wanted.budget.seconds,
            parallel or wanted.parallel,
            measured.get(problem.name, seconds),
            measured=seconds is None,
        )
        advice = advised(facts, gather_evidence(evidence or [], problem.space))
        print_line(console, f"{problem.name}: {advice.entry}", "bold")
        for title, lines in (
            ("because", advice.because),
            ("this used", advice.used),
            ("often said, and what was measured here", advice.answers),
        ):
            print_line(console, f"  {title}:", "dim")
            for line in lines:
                print_line(console, f"  - {line}")
