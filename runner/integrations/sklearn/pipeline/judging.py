"""Judge the result of a search against the estimator's defaults and a constant prediction.

A score means little by itself: 0.94 is worthless where 94 % of the rows are of one class. So each score
is printed beside that of a constant prediction, and a model that is no better is reported as such.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.integrations.sklearn.pipeline.saving import Saved
from runner.problems.estimators.baselines import Balance, Baseline
from runner.problems.estimators.problem import EstimatorProblem
from runner.results import Results
from runner.study.study import RunSpec
from runner.trial import Status


@dataclass(frozen=True)
class Score:
    """Score of a config: mean and folds in cross-validation, and on the held-out rows."""

    value: float
    folds: tuple[float, ...]
    test: float | None


def judge(
    problem: EstimatorProblem, spec: RunSpec, results: Results, best: Mapping[str, Any], saved: Saved
) -> list[str]:
    """Describe the best config (of `Results.best`) and judge its scores, in lines."""
    score = _of_trial(_row(results, best, best["number"]), saved.score)
    unchanged = bool(spec.start.first) and best["config"] == spec.start.first[0]
    defaults = None if unchanged else _of_defaults(problem, spec, results, best)
    constant = problem.constant(spec.problem_seed)
    place = f"trial {best['number']}{', the defaults' * unchanged}"
    others = beside(False, defaults, constant)
    lines = [f"Best {problem.metric} in cross-validation: {score.value:.4g} by {place}{others}."]
    lines += [f"  {name}: {json.dumps(value)}" for name, value in best["config"].items()]
    if saved.score is not None:
        count = len(problem.table.y)
        others = beside(True, defaults, constant)
        lines.append(
            f"On the {math.ceil(problem.test * count)} held-out rows of {count}: {saved.score:.4g}{others}."
            " Use this score once: selecting among searches by it would make it too optimistic."
        )
    if unchanged:
        lines.append("No config was better than the estimator's defaults.")
    lines += verdicts(score, defaults, constant)
    return lines + answers(problem, saved)


def _row(results: Results, best: Mapping[str, Any], number: int) -> Mapping[Hashable, Any]:
    """Find a trial of the run that has the best trial."""
    trials = results.trials
    of_run = (trials["method"] == best["method"]) & (trials["seed"] == best["seed"])
    rows: list[dict[Hashable, Any]] = trials[of_run & (trials["number"] == number)].to_dict("records")
    return rows[0]


def _of_trial(row: Mapping[Hashable, Any], test: float | None) -> Score:
    """Read the score of a valid trial; its own test value by default."""
    known = float(row["test"]) if test is None and math.isfinite(row["test"]) else test
    return Score(float(row["value"]), tuple(-loss for loss in json.loads(row["folds"])), known)


def _of_defaults(
    problem: EstimatorProblem, spec: RunSpec, results: Results, best: Mapping[str, Any]
) -> Score | None:
    """Read the score of the defaults where they were a trial, or fit them; None if that fails."""
    row = _row(results, best, 0)
    found = _of_trial(row, None) if spec.start.first and row["status"] == Status.COMPLETED else None
    config = spec.start.first[0] if spec.start.first else {}
    try:
        if found is None:
            *_, last = problem.evaluate(config, spec.problem_seed)
            found = Score(float(last[problem.metric]), tuple(last["folds"]), None)
        if found.test is None and problem.has_test:
            test = problem.test_score(config, spec.problem_seed)
            found = Score(found.value, found.folds, test)
    except Exception:  # of the estimator
        return None
    return found if math.isfinite(found.value) else None


def beside(test: bool, defaults: Score | None, constant: Baseline | None) -> str:
    """List the scores of the defaults and of a constant, in cross-validation or on the held-out rows."""
    parts = []
    for name, one in (("the defaults", defaults), (constant.answer if constant else "", constant)):
        value = None if one is None else one.test if test else one.value
        if value is not None:
            parts.append(f"{name}: {value:.4g}")
    return f" ({'; '.join(parts)})" if parts else ""


def verdicts(best: Score, defaults: Score | None, constant: Baseline | None) -> list[str]:
    """Report where the best config is no better than a constant prediction, or than the defaults."""
    found = []
    if constant is not None:
        how = _lead(best.folds, constant.folds)
        if how:
            found.append(
                f"In cross-validation it is {how} {constant.answer}: the estimator has learnt nothing"
                " reliable about the target from these features."
            )
        elif _at_most(best.test, constant.test):
            found.append(f"On the held-out rows it is no better than {constant.answer}.")
    if defaults is not None:
        how = _lead(best.folds, defaults.folds)
        if how:
            found.append(f"In cross-validation it is {how} the estimator's defaults.")
        elif _at_most(best.test, defaults.test):
            found.append(
                "On the held-out rows it is no better than the estimator's defaults: the gain in"
                " cross-validation does not show there."
            )
    return found


def _lead(scores: Sequence[float], others: Sequence[float]) -> str:
    """Return "no better than", "hardly better than" (within the noise of the folds), or nothing."""
    gains = np.subtract(scores, others)
    gain, error = float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(len(gains))
    if gain <= 1e-12:
        return "no better than"
    return f"hardly better ({gain:.2g}, with a standard error of {error:.2g} over the folds) than" * (
        gain <= error
    )


def _at_most(value: float | None, other: float | None) -> bool:
    return value is not None and other is not None and value <= other


def answers(problem: EstimatorProblem, saved: Saved) -> list[str]:
    """Describe the predictions on the held-out rows, if they are all alike or one class is rare."""
    balance = Balance.of(problem.table)
    if saved.held_out is None or balance is None:
        return []
    right, predicted = (np.array(labels) for labels in saved.held_out)
    if len(set(predicted)) == 1:
        ranks = " Its predict_proba ranks them: choose your own threshold." * saved.ranks
        return [f"It predicts '{predicted[0]}' for all {len(predicted)} of these rows.{ranks}"]
    if not balance.uneven:
        return []
    rare, found = right == balance.rarest, predicted == balance.rarest
    return [
        f"Of the {rare.sum()} of these rows with '{balance.rarest}' it finds {(rare & found).sum()}, with"
        f" {(~rare & found).sum()} false positives."
    ]
