"""Arguments shared by several commands, and the study that they select."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from runner.study.study import Study

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.", show_default=False)]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The study directory.", show_default=False)]
Methods = Annotated[str | None, typer.Option(help="Only these methods of the study, comma-separated.")]
Seeds = Annotated[int | None, typer.Option(help="Number of seeds (default: the study's).")]
Trials = Annotated[int | None, typer.Option(help="Trials per run (default: the study's).")]


def load(path: Path, methods: str | None, seeds: int | None, trials: int | None) -> Study:
    """Load the study of a file, and apply ``--methods``, ``--seeds`` and ``--trials``."""
    from runner.study.study import Study

    study = Study.load(path, data=True)
    changes: dict[str, Any] = {"seeds": seeds, "trials": trials}
    if methods is not None:
        changes["methods"] = [label.strip() for label in methods.split(",") if label.strip()]
    return study.changed(**changes)
