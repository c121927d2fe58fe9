"""Look up the scikit-learn objects that a study file names, and check them against the data.

scikit-learn takes a second to import, so each function imports what it needs.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from runner._text import shown
from runner.errors import Faults, ProblemError, describe, nearest
from runner.problems.estimators.data.data import Data
from runner.trial import Config

_MOST_LABELS = 8  # classes in a message
_MOST_CHARACTERS = 500  # of scikit-learn's own message, which may list every parameter


def make_estimator(estimator: Any, params: Mapping[str, Any]) -> Any:
    """Make an estimator with its fixed parameters.

    Parameters
    ----------
    estimator : str, class or estimator
        The dotted path of a class, the class, or an instance, which is cloned.
    params : mapping
        Names as in ``get_params()``.

    Raises
    ------
    ProblemError
        If there is no such class or parameter, or it is neither a classifier nor a regressor.
    """
    from sklearn.base import clone, is_classifier, is_regressor

    source: Any = _import_class(estimator) if isinstance(estimator, str) else estimator
    model: Any
    if not all(callable(getattr(source, verb, None)) for verb in ("fit", "get_params", "set_params")):
        raise ProblemError(
            f"{shown(estimator)} is not a scikit-learn estimator: it lacks fit, get_params or set_params.",
            where="estimator",
        )
    if inspect.isclass(source):
        accepted = inspect.signature(source).parameters
        try:
            model = source(**{name: value for name, value in params.items() if name in accepted})
        except TypeError as error:
            raise ProblemError(
                f"{source.__name__} cannot be made: {error}.", where="params", hint="Add it to params."
            ) from None
    else:
        model = clone(source)
    check_names(model, params, "params")
    if not (is_classifier(model) or is_regressor(model)):
        raise ProblemError(
            f"{type(model).__name__} is neither a classifier nor a regressor.", where="estimator"
        )
    return model.set_params(**params)


def check_names(model: Any, names: Mapping[str, Any] | tuple[str, ...], where: str) -> None:
    """Raise ProblemError for every name that is not a parameter of the estimator."""
    known = list(model.get_params())
    faults = Faults()
    for name in names:
        if name not in known:
            hint = f"{nearest(str(name), known)} The names of its get_params() are valid."
            message = f"{type(model).__name__} has no parameter {shown(name)}."
            faults.add(ProblemError(message, where=f"{where}.{name}", hint=hint))
    faults.check()


def _import_class(path: str) -> Any:
    module_name, _, name = path.rpartition(".")
    if not module_name or module_name.startswith("."):
        raise ProblemError(
            f"expected the path of a class, got {shown(path)}.", where="estimator", hint=_suggest(path)
        )
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever the module raises
        of_sklearn = module_name.partition(".")[0] == "sklearn"
        reason = error if isinstance(error, ImportError) else describe(error)
        raise ProblemError(
            f"{shown(module_name)} cannot be imported: {reason}.",
            where="estimator",
            hint=_suggest(path) if of_sklearn else "Install it, or correct the path.",
        ) from None
    if not hasattr(module, name):
        raise ProblemError(
            f"{shown(module_name)} has no {shown(name)}.", where="estimator", hint=_suggest(path)
        )
    value = getattr(module, name)
    if not inspect.isclass(value):
        raise ProblemError(
            f"expected a class, got {shown(path)}, a {type(value).__name__}.",
            where="estimator",
            hint=_suggest(path),
        )
    return value


def _suggest(path: str) -> str:
    """Suggest the public path of the nearest classifier or regressor."""
    known = _public_paths()
    close = difflib.get_close_matches(path.rpartition(".")[2], known, n=1)
    return f"Did you mean '{known[close[0]]}'?" if close else "Write a path such as sklearn.svm.SVC."


@lru_cache(maxsize=1)
def _public_paths() -> dict[str, str]:
    from sklearn.utils import all_estimators

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimators = all_estimators(type_filter=["classifier", "regressor"])
    return {
        name: ".".join([part for part in cls.__module__.split(".") if not part.startswith("_")] + [name])
        for name, cls in estimators
    }


def scorer_name(scoring: str | None, classifies: bool | None) -> str:
    """Check a scorer's name, by default ``accuracy`` or ``r2``.

    Parameters
    ----------
    scoring : str or None
    classifies : bool or None
        Whether the estimator is a classifier; None if unknown.

    Raises
    ------
    ProblemError
        If there is no such scorer, or it is for the other kind of estimator.
    """
    from sklearn.metrics import get_scorer, get_scorer_names

    if scoring is None:
        return "accuracy" if classifies else "r2"
    known = get_scorer_names()
    if scoring not in known:
        raise ProblemError(
            f"scikit-learn has no scorer {shown(scoring)}.",
            where="scoring",
            hint=nearest(str(scoring), known),
        )
    if classifies is None:
        return scoring
    # Scorers have no kind, and some of the wrong kind return a number all the same.
    regresses = get_scorer(scoring)._score_func.__module__.endswith("_regression")
    if regresses == classifies:
        kinds = ("classifiers", "regressors")
        raise ProblemError(
            f"'{scoring}' is for {kinds[regresses]}, and the estimator is one of {kinds[not classifies]}.",
            where="scoring",
            hint=f"Use {'accuracy or neg_log_loss' if classifies else 'r2 or neg_mean_absolute_error'}.",
        )
    return scoring


def check_numbers(cv: object, test: object, scale: object) -> None:
    """Raise ProblemError for each invalid value."""
    faults = Faults()
    if isinstance(cv, bool) or not isinstance(cv, int) or cv < 2:
        faults.add(ProblemError(f"expected an integer of at least 2 folds, got {shown(cv)}.", where="cv"))
    if isinstance(test, bool) or not isinstance(test, int | float) or not 0 <= test < 1:
        message = f"expected a share of the rows, at least 0 and less than 1, got {shown(test)}."
        faults.add(ProblemError(message, where="test"))
    if not isinstance(scale, bool):
        faults.add(ProblemError(f"expected true or false, got {shown(scale)}.", where="scale"))
    faults.check()


def check_columns(prepare: object, drop: object, decimal: object) -> None:
    """Raise ProblemError for each invalid value."""
    faults = Faults()
    if not isinstance(prepare, bool):
        faults.add(ProblemError(f"expected true or false, got {shown(prepare)}.", where="prepare"))
    if not isinstance(drop, list | tuple) or not all(isinstance(name, str) for name in drop):
        faults.add(ProblemError(f"expected a list of columns, got {shown(drop)}.", where="drop"))
    if decimal not in (None, ".", ","):
        faults.add(ProblemError(f"expected '.' or ',', got {shown(decimal)}.", where="decimal"))
    faults.check()


def check_target(data: Data, model: Any, classifies: bool) -> None:
    """Raise ProblemError if the target does not suit the estimator's kind."""
    what = f"{type(model).__name__} is a {'classifier' if classifies else 'regressor'}"
    if classifies and (data.y != np.floor(data.y)).any():
        raise ProblemError(
            f"{what}, and the target of '{data.name}' holds fractions, not classes.",
            where="estimator",
            hint="Use a regressor, or a target with classes.",
        )
    if not classifies and data.classes:
        raise ProblemError(
            f"{what}, and the target of '{data.name}' has the classes {_listed(data.classes)}.",
            where="estimator",
            hint="Use a classifier, or a target of numbers.",
        )


def check_folds(data: Data, classifies: bool, cv: int, test: float) -> None:
    """Raise ProblemError if the rows are too few for the folds or the test part."""
    n = len(data.y)
    held = int(np.ceil(test * n))
    labels, counts = np.unique(data.y, return_counts=True) if classifies else ([data.name], [n])
    if classifies and len(labels) < 2:
        raise ProblemError(f"expected at least two classes in '{data.name}', got one.", where="target")
    if classifies and 0 < held < len(labels):
        raise ProblemError(
            f"{test:g} of {n} rows cannot hold all {len(labels)} classes.",
            where="test",
            hint="Raise it, or set it to 0.",
        )
    smallest = int(np.argmin(counts))
    left = int(counts[smallest]) * (n - held) // n
    if left < cv:
        part = f"class '{data.classes[smallest] if data.classes else labels[smallest]}' of '{data.name}'"
        raise ProblemError(
            f"expected at least {cv} rows outside the test part for {cv} folds, got {left} of"
            f" {part if classifies else repr(data.name)}.",
            where="cv",
            hint="Use fewer folds, a smaller test part, or more data.",
        )


def fit_failure(model: Any, config: Config, error: Exception) -> ProblemError:
    """Make the error for a config that could not be fitted."""
    return ProblemError(
        f"{type(model).__name__} with {config} could not be fitted: {_described(error)}",
        where="space",
        hint="Change the space or params, so that most configs can.",
    )


def score_failure(scorer: Any, scoring: str, fitted: Any, result: Exception | float) -> ProblemError:
    """Make the error for a fit whose score is an exception or not finite."""
    model = fitted[-1] if hasattr(fitted, "steps") else fitted
    name, needed = type(model).__name__, getattr(scorer, "_response_method", "predict")
    needed = (needed,) if isinstance(needed, str) else needed
    if not any(hasattr(model, method) for method in needed):
        return ProblemError(
            f"'{scoring}' needs {' or '.join(needed)}, which {name} does not have with these params.",
            where="scoring",
            hint="Use a scorer of plain predictions, such as accuracy, or another estimator or params.",
        )
    reason = _described(result) if isinstance(result, Exception) else f"the score was {result}."
    return ProblemError(
        f"'{scoring}' does not fit {name} and these data: {reason}",
        where="scoring",
        hint="Use another scorer, such as accuracy or balanced_accuracy for classes, r2 for numbers.",
    )


def _described(error: Exception) -> str:
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return message[:_MOST_CHARACTERS].rstrip(".") + "."


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:_MOST_LABELS]) + (", ..." if len(labels) > _MOST_LABELS else "")
