"""``fivefold init``: write a commented study, and its objective, to start from."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from runner.cli.console import output, print_line
from runner.errors import StudyError


class Case(StrEnum):
    """Kinds of example, each with a folder in ``runner/cli/starters``."""

    estimator = "estimator"
    function = "function"
    steps = "steps"
    models = "models"
    compare = "compare"


def init(
    path: Annotated[Path, typer.Argument(help="Path of the new study file.")] = Path("study.yaml"),
    case: Annotated[
        Case,
        typer.Option(
            help="A scikit-learn estimator; your own function; one that yields step by step; several"
            " models in one search; a comparison of methods."
        ),
    ] = Case.estimator,
) -> None:
    """Write a commented study file, and its objective where it needs one, ready to run."""
    texts = {
        _target(path, entry.name): entry.read_text(encoding="utf-8")
        for entry in sorted(
            (files("runner.cli.starters") / case.value).iterdir(), key=lambda entry: entry.name
        )
        if entry.name.endswith((".yaml", ".txt"))
    }
    for target in texts:
        if target.exists():
            raise StudyError("file exists.", where=str(target), hint="Give another path.")
    try:
        for target, text in texts.items():
            with target.open("x", encoding="utf-8") as file:
                file.write(text.replace("fivefold run study.yaml", f"fivefold run {path.name}"))
    except OSError as error:
        raise StudyError(f"cannot be written: {error.strerror}.", where=str(path)) from None
    print_line(output(), f"Wrote {' and '.join(map(str, sorted(texts)))}. Run it with: fivefold run {path}")


def _target(path: Path, name: str) -> Path:
    """Return the path of a file; Python has the suffix .txt among the starters, which are not modules."""
    return path if name == "study.yaml" else path.parent / name.removesuffix(".txt")
