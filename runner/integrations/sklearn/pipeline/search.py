"""One search over an estimator: build a study from a request, and save the pipeline from its results."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from runner.errors import StudyError
from runner.integrations.sklearn.pipeline import Save
from runner.integrations.sklearn.pipeline.judging import judge
from runner.integrations.sklearn.pipeline.saving import save_pipeline
from runner.integrations.sklearn.pipeline.snippet import expression_of
from runner.problems.estimators.baselines import Balance, balanced_scorer, positive_class
from runner.problems.estimators.catalogue import Entry, entry_of, find, start_of
from runner.problems.estimators.checks import make_estimator
from runner.problems.estimators.data.data import BUILT_IN, Data, load_data
from runner.problems.estimators.data.tables import listed
from runner.problems.estimators.problem import EstimatorProblem
from runner.results import Results
from runner.results.failures import nothing_found
from runner.study.study import Study
from runner.study.yaml import dump, read_yaml

_DEFAULT = {
    "classification": "HistGradientBoostingClassifier",
    "regression": "HistGradientBoostingRegressor",
}
_MOST_CLASSES = 6  # named in a message


@dataclass(frozen=True)
class Request:
    """Options of a search; see `runner.cli.commands.optimize`."""

    data: str
    target: str | None
    estimator: str | None
    method: str
    limits: Mapping[str, float]
    scoring: str | None
    cv: int
    test: float
    drop: tuple[str, ...]
    decimal: str | None
    space: Path | None
    seed: int
    workers: int


@dataclass(frozen=True)
class Plan:
    """A study of one run, and messages to print before it starts."""

    study: Study
    problem: EstimatorProblem
    messages: tuple[str, ...]


def plan_search(request: Request) -> Plan:
    """Build the study of a request.

    Raises
    ------
    StudyError, ProblemError, SpaceError, MethodError
        Where data, estimator, space or method do not fit.
    """
    source = request.data if request.data in BUILT_IN else str(Path(request.data).resolve())
    table = load_data(source, request.target, ".", True, request.drop, request.decimal)
    name = request.estimator or _DEFAULT[table.task]
    entry, space = _space(name, request.space)
    mapping: dict[str, Any] = {
        "estimator": entry.path,
        "data": source,
        "space": space,
        "prepare": True,
        "cv": request.cv,
        "test": request.test,
    }
    optional = {
        "target": request.target,
        "scoring": request.scoring or _scoring(entry, table),
        "decimal": request.decimal,
        "params": dict(entry.params),
    }
    mapping |= {key: value for key, value in optional.items() if value}
    mapping |= {"drop": list(request.drop)} if request.drop else {}
    problem = EstimatorProblem.from_mapping(mapping, Path())
    mapping["name"] = problem.name
    study = Study.build(
        name=f"{problem.name}-seed{request.seed}" if request.seed else problem.name,
        problems=[mapping],
        methods=[request.method],
        seeds=[request.seed],
        budget=dict(request.limits),
        parallel=max(1, request.workers),
        initial=_initial(entry, problem, table, request.space is None),
    )
    (made,) = study.problems
    if not isinstance(made, EstimatorProblem):
        raise StudyError("expected an estimator.", where="estimator")
    made.check()
    return Plan(study, made, tuple(_messages(made, entry, request, table, study)))


def finish(plan: Plan, results: Results, how: Save) -> list[str]:
    """Save the best pipeline, and describe the result in lines.

    Raises
    ------
    NoValidTrial
        Where no trial is valid.
    """
    problem, (spec, *_) = plan.problem, plan.study.runs
    best = next(iter(results.best(seed=spec.seed)), None)  # another seed in the directory has other splits
    if best is None:
        raise nothing_found(results)
    title = f"{problem.name}: {problem.metric} {best['value']:.4g} in {problem.cv}-fold cross-validation."
    saved = save_pipeline(problem, best["config"], spec.problem_seed, results.folder, how, title)
    lines = judge(problem, spec, results, best, saved)
    lines.append(f"Python code that rebuilds it without fivefold: {saved.snippet}")
    if saved.pipeline is not None:
        rows = "the other rows" if problem.test else "all rows"
        lines.append(f"The pipeline, fitted on {rows}: {saved.pipeline}")
    return [*lines, saved.warning] if saved.warning else lines


def _space(name: str, path: Path | None) -> tuple[Entry, Mapping[str, Any]]:
    """Return the catalogue's entry, or one for the user's own space."""
    if path is None:
        entry = entry_of(name)
        return entry, entry.space
    space = read_yaml(path)
    if not isinstance(space, Mapping):
        raise StudyError("expected a mapping of parameters to domains.", where=str(path))
    known = find(name)
    return Entry(known.path if known else name, space, str(path)), space


def _initial(entry: Entry, problem: EstimatorProblem, table: Data, built_in: bool) -> list[Any]:
    if not built_in:
        return ["default"] if problem.default is not None else []
    columns = len(table.feature_names)
    if table.labels is not None:
        columns = sum(1 if known is None else len(known) for known in table.labels)
    return [{"config": start_of(entry, columns)}]


def _scoring(entry: Entry, table: Data) -> str | None:
    """Choose a default scorer where one class is rare."""
    model = make_estimator(entry.path, entry.params)
    return balanced_scorer(table, model) if is_classifier(model) else None


def _judged(problem: EstimatorProblem, table: Data, requested: bool) -> str:
    """Name the scorer of the configs, with the reason for it."""
    kind = "classifier" if problem.classifies else "regressor"
    reason = "" if requested else f" (default for {kind}s; change it with --scoring)"
    balance = Balance.of(table)
    if not requested and balance is not None and balance.uneven and problem.classifies:
        reason = (
            f", because only {balance.share:.1%} of the rows have '{balance.rarest}': always predicting"
            f" '{balance.commonest}' would have an accuracy of {balance.most:.4g} (change it with --scoring,"
            " for example balanced_accuracy, average_precision or accuracy)"
        )
    positive = positive_class(table, problem.metric) if problem.classifies else None
    counted = f" The positive class is '{positive}'." if positive is not None else ""
    held = f"; {problem.test:.0%} of the rows are held out for a final test" if problem.test else ""
    return f"Scored by {problem.metric}{reason}, in {problem.cv}-fold cross-validation{held}.{counted}"


def _messages(
    problem: EstimatorProblem, entry: Entry, request: Request, table: Data, study: Study
) -> Sequence[str]:
    kind = "classifier" if problem.classifies else "regressor"
    chosen = "" if request.estimator else f" (default for {table.task}; change it with --estimator)"
    lines = [
        _describe_columns(table),
        _describe_target(table, request.target),
        f"{entry.name}, a {kind}{chosen}. Space, from {entry.source}:",
    ]
    flow = (dump({name: domain}, flow=True, width=1000) for name, domain in entry.space.items())
    lines += [f"  {text.strip()[1:-1]}" for text in flow]
    lines.append(_judged(problem, table, request.scoring is not None))
    if (constant := problem.constant(study.runs[0].problem_seed)) is not None:
        lines.append(f"Baseline: {constant.answer} has {constant.value:.4g} ({problem.metric}).")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = study.runs[0].start.first or ({},)
        shown = expression_of(problem.pipeline_of(first[0], study.runs[0].problem_seed))
    lines += ["Pipeline, with the first config:", *(f"  {line}" for line in shown.split("\n"))]
    return lines


def _describe_columns(table: Data) -> str:
    rows = f"{table.name}: {len(table.y):,} rows"
    missing = [bool(np.isnan(column).any()) for column in table.X.T]
    labels = table.labels or (None,) * len(table.feature_names)
    numbers = [name for name, known in zip(table.feature_names, labels, strict=True) if known is None]
    texts = [
        f"{name} ({len(known)} categories)"
        for name, known in zip(table.feature_names, labels, strict=True)
        if known is not None
    ]
    parts = [f"{len(numbers)} numeric columns" if len(numbers) != 1 else "one numeric column"]
    if texts:
        parts.append(f"{len(texts)} categorical: {', '.join(texts)}")
    gaps = [name for name, gap in zip(table.feature_names, missing, strict=True) if gap]
    return f"{rows}, {' and '.join(parts)}." + (f" Missing values in {listed(gaps)}." if gaps else "")


def _describe_target(table: Data, target: str | None) -> str:
    name = f"The target '{target}'" if target else "The target"
    if table.task == "regression":
        return f"{name} is numeric, from {table.y.min():.4g} to {table.y.max():.4g}: regression."
    values, counts = np.unique(table.y, return_counts=True)
    words = table.classes or tuple(str(value) for value in values)
    shares = [f"{word} {count / len(table.y):.0%}" for word, count in zip(words, counts, strict=True)]
    shown = ", ".join(shares[:_MOST_CLASSES]) + (", ..." if len(shares) > _MOST_CLASSES else "")
    return f"{name} has {len(values)} classes ({shown}): classification."
