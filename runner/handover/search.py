"""One search over an estimator: from what the shell was told to a study, and from its results to files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.catalogue import Entry, entry_of, find, start_of
from runner.errors import StudyError
from runner.handover.how import Save
from runner.handover.saving import save_pipeline
from runner.handover.snippet import expression_of
from runner.problems.data import BUILT_IN, Data, load_data
from runner.problems.estimators import EstimatorProblem
from runner.problems.tables import listed
from runner.results import Results
from runner.study import Study
from runner.yamlfile import dump, read_yaml

_DEFAULT = {
    "classification": "HistGradientBoostingClassifier",
    "regression": "HistGradientBoostingRegressor",
}
_MOST_CLASSES = 6


@dataclass(frozen=True)
class Wanted:
    """What the shell was told; see `runner.commands.optimize`."""

    data: str
    target: str | None
    estimator: str | None
    method: str
    limits: Mapping[str, float]
    scoring: str | None
    cv: int
    test: float
    drop: tuple[str, ...]
    space: Path | None
    seed: int
    workers: int


@dataclass(frozen=True)
class Plan:
    """A study of one run, and what the user is told of it before it starts."""

    study: Study
    problem: EstimatorProblem
    said: tuple[str, ...]


def planned(wanted: Wanted) -> Plan:
    """The study that was asked for.

    Raises
    ------
    StudyError, ProblemError, SpaceError, MethodError
        Where something does not fit, in a sentence.
    """
    source = wanted.data if wanted.data in BUILT_IN else str(Path(wanted.data).resolve())
    table = load_data(source, wanted.target, ".", True, wanted.drop)
    name = wanted.estimator or _DEFAULT[table.task]
    entry, space = _space(name, wanted.space)
    given: dict[str, Any] = {
        "estimator": entry.path,
        "data": source,
        "space": space,
        "prepare": True,
        "cv": wanted.cv,
        "test": wanted.test,
    }
    optional = {"target": wanted.target, "scoring": wanted.scoring, "params": dict(entry.params)}
    given |= {key: value for key, value in optional.items() if value}
    given |= {"drop": list(wanted.drop)} if wanted.drop else {}
    problem = EstimatorProblem.from_mapping(given, Path())
    given["name"] = problem.name
    study = Study.build(
        name=f"{problem.name}-seed{wanted.seed}" if wanted.seed else problem.name,
        problems=[given],
        methods=[wanted.method],
        seeds=[wanted.seed],
        budget=dict(wanted.limits),
        parallel=max(1, wanted.workers),
        initial=_initial(entry, problem, table, wanted.space is None),
    )
    (made,) = study.problems
    if not isinstance(made, EstimatorProblem):
        raise StudyError("an estimator was expected.", where="estimator")
    return Plan(study, made, tuple(_said(made, entry, wanted, table, study)))


def finish(plan: Plan, results: Results, how: Save) -> list[str]:
    """Save the best pipeline; what was found, in lines."""
    best = next(iter(results.best()), None)
    if best is None:
        return ["No trial was valid, so there is nothing to save."]
    problem, (spec, *_) = plan.problem, plan.study.runs
    said = f"{problem.name}: {problem.metric} {best['value']:.4g} in {problem.cv}-fold cross-validation."
    saved = save_pipeline(problem, best["config"], spec.problem_seed, results.folder, how, said)
    first = results.trials.iloc[0]
    lines = [f"Best {problem.metric} in cross-validation: {best['value']:.4g} (trial {best['number']})."]
    if first["status"] == "COMPLETED" and spec.start.first:
        lines[0] = lines[0][:-1] + f"; the config to start from had {first['value']:.4g}."
    lines += [f"  {name}: {json.dumps(value)}" for name, value in best["config"].items()]
    if saved.score is not None:
        count = len(problem.table.y)
        held = int(np.ceil(problem.test * count))
        lines.append(
            f"On the {held} of {count} rows that no trial saw: {saved.score:.4g}{_default_score(plan)}. Of"
            " many searches the best one on these rows would look better than it is: look at them once."
        )
    lines.append(f"Python that rebuilds it without fivefold: {saved.snippet}")
    if saved.pipeline is not None:
        rows = "the rows outside that part" if problem.test else "all rows"
        lines.append(f"The pipeline, fitted on {rows}: {saved.pipeline}")
    return [*lines, saved.warning] if saved.warning else lines


def _default_score(plan: Plan) -> str:
    """What the first config has on the same rows."""
    (spec, *_) = plan.study.runs
    if not spec.start.first:
        return ""
    try:
        score = plan.problem.test_score(spec.start.first[0], spec.problem_seed)
    except Exception:  # whatever the estimator raises; its trial says so
        return ""
    return f" (the config to start from: {score:.4g})"


def _space(name: str, path: Path | None) -> tuple[Entry, Mapping[str, Any]]:
    """The catalogue's entry, or one for the user's own space."""
    if path is None:
        entry = entry_of(name)
        return entry, entry.space
    space = read_yaml(path)
    if not isinstance(space, Mapping):
        raise StudyError("a mapping of parameters to domains was expected.", where=str(path))
    known = find(name)
    return Entry(known.path if known else name, space, str(path)), space


def _initial(entry: Entry, problem: EstimatorProblem, table: Data, built_in: bool) -> list[Any]:
    if not built_in:
        return ["default"] if problem.default is not None else []
    columns = len(table.feature_names)
    if table.labels is not None:
        columns = sum(1 if known is None else len(known) for known in table.labels)
    return [{"config": start_of(entry, columns)}]


def _said(
    problem: EstimatorProblem, entry: Entry, wanted: Wanted, table: Data, study: Study
) -> Sequence[str]:
    kind = "classifier" if problem.classifies else "regressor"
    chosen = "" if wanted.estimator else f" (the default for {table.task}; --estimator takes another)"
    lines = [
        _columns_said(table),
        _target_said(table, wanted.target),
        f"{entry.name}, a {kind}{chosen}. Space, from {entry.source}:",
    ]
    flow = (dump({name: domain}, flow=True, width=1000) for name, domain in entry.space.items())
    lines += [f"  {text.strip()[1:-1]}" for text in flow]
    default = "" if wanted.scoring else f" (the default for {kind}s; --scoring takes another)"
    lines.append(
        f"Judged by {problem.metric}{default} in {problem.cv}-fold cross-validation"
        + (f"; {problem.test:.0%} of the rows are held out for the end." if problem.test else ".")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = study.runs[0].start.first or ({},)
        shown = expression_of(problem.pipeline_of(first[0], study.runs[0].problem_seed))
    lines += ["The pipeline, with the config to start from:", *(f"  {line}" for line in shown.split("\n"))]
    return lines


def _columns_said(table: Data) -> str:
    rows = f"{table.name}: {len(table.y):,} rows"
    missing = [bool(np.isnan(column).any()) for column in table.X.T]
    labels = table.labels or (None,) * len(table.feature_names)
    numbers = [name for name, known in zip(table.feature_names, labels, strict=True) if known is None]
    texts = [
        f"{name} ({len(known)} kinds)"
        for name, known in zip(table.feature_names, labels, strict=True)
        if known is not None
    ]
    parts = [f"{len(numbers)} columns of numbers" if len(numbers) != 1 else "one column of numbers"]
    if texts:
        parts.append(f"{len(texts)} of categories: {', '.join(texts)}")
    gaps = [name for name, gap in zip(table.feature_names, missing, strict=True) if gap]
    said = f"{rows}, {' and '.join(parts)}."
    return said + (f" Values are missing in {listed(gaps)}." if gaps else "")


def _target_said(table: Data, target: str | None) -> str:
    name = f"The target '{target}'" if target else "The target"
    if table.task == "regression":
        return f"{name} is a quantity from {table.y.min():.4g} to {table.y.max():.4g}: regression."
    values, counts = np.unique(table.y, return_counts=True)
    words = table.classes or tuple(str(value) for value in values)
    shares = [f"{word} {count / len(table.y):.0%}" for word, count in zip(words, counts, strict=True)]
    shown = ", ".join(shares[:_MOST_CLASSES]) + (", ..." if len(shares) > _MOST_CLASSES else "")
    return f"{name} has {len(values)} classes ({shown}): classification."
