"""Save a fitted pipeline by skops, which runs no code when it is loaded, or by joblib, which may.

The pipeline is built by running the snippet that is written beside it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import ResultsError
from runner.integrations.sklearn.pipeline import Save
from runner.integrations.sklearn.pipeline.snippet import snippet_of
from runner.journal.files.places import replacing
from runner.problems.columns import Columns
from runner.problems.estimators.baselines import class_name
from runner.problems.estimators.problem import EstimatorProblem
from runner.trial import Config

JOBLIB_TRUST = (
    "A joblib file is a pickle: anybody who can change it can run code on the machine that loads it. Load it"
    " only where nobody else could, and with the same version of scikit-learn."
)


@dataclass(frozen=True)
class Saved:
    """Files of a pipeline, and its result on the held-out rows.

    Attributes
    ----------
    score : float or None
        Of this pipeline on the held-out rows; None where there are none.
    held_out : (list of str, list of str) or None
        Classes of these rows, true and predicted; None for regression.
    ranks : bool
        True where it has ``predict_proba``.
    warning : str
        Advice for loading the pipeline; may be empty.
    """

    snippet: Path
    pipeline: Path | None
    score: float | None
    held_out: tuple[list[str], list[str]] | None = None
    ranks: bool = False
    warning: str = ""


def save_pipeline(
    problem: EstimatorProblem, config: Config, seed: int, folder: Path, how: Save, title: str
) -> Saved:
    """Write ``pipeline.py``, and the pipeline that it builds, fitted on all rows but those held out.

    Parameters
    ----------
    problem, config, seed, title
        As in `runner.integrations.sklearn.pipeline.snippet.snippet_of`.

    Raises
    ------
    ResultsError
        Where the folder cannot be written.
    """
    source = snippet_of(problem, config, seed, title)
    made: dict[str, Any] = {"__name__": "pipeline"}
    exec(compile(source, "pipeline.py", "exec"), made)
    made["Columns"] = Columns  # a pickle names the class by its module, which the copy lacks
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # counted and reported in the trial
        X_train, X_test, y_train, y_test = made["split"](*made["load"]())
        pipeline = made["build"]().fit(X_train, y_train)
        score = made["get_scorer"](problem.metric)(pipeline, X_test, y_test) if problem.test else None
        held_out = None
        if problem.test and problem.classifies:
            held_out = _names(problem, y_test), _names(problem, pipeline.predict(X_test))
    path = None if how is Save.none else folder / f"pipeline.{how.value}"
    warning = ""
    try:
        with replacing(folder / "pipeline.py") as new:
            new.write_text(source, encoding="utf-8")
        if path is not None:
            warning = _dump(pipeline, path, how)
    except OSError as error:
        raise ResultsError(f"cannot be written: {error.strerror}.", where=str(folder)) from None
    return Saved(
        folder / "pipeline.py",
        path,
        None if score is None else float(score),
        held_out,
        hasattr(pipeline, "predict_proba"),
        warning,
    )


def _names(problem: EstimatorProblem, labels: Any) -> list[str]:
    """Name classes as in the data file; a snippet may use their codes."""
    named = isinstance(labels[0], str)
    return [str(label) if named else class_name(problem.table, label) for label in labels]


def _dump(pipeline: Any, path: Path, how: Save) -> str:
    """Write the pipeline; return advice for loading it."""
    if how is Save.joblib:
        import joblib

        with replacing(path) as new:
            joblib.dump(pipeline, new)
        return JOBLIB_TRUST
    import skops.io

    with replacing(path) as new:
        skops.io.dump(pipeline, new)
    unknown = skops.io.get_untrusted_types(file=path)
    own = any(name.startswith("runner.") for name in unknown)
    needs = " It needs fivefold, whose Columns reads the table; pipeline.py does not." * own
    if not unknown:
        return needs.strip()
    return (
        f"To load it: skops.io.load({str(path)!r}, trusted={unknown!r}). skops does not know these types;"
        f" check that you trust them.{needs}"
    )
