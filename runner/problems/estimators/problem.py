"""A scikit-learn estimator, a data set and cross-validation as a problem, without any Python.

A part of the data (``test``) is held out before anything else. Each evaluation cross-validates the
estimator on ``cv`` folds of the rest; the mean score is the metric, and it is
maximised, as scikit-learn's scores are. Splits and the estimator's ``random_state`` come from
the block's seed, so all methods and configs of a block meet the same folds.

It answers step by step (see `runner.problems.estimators.fidelity`), so that a scheduler may stop hopeless
configs after one or two folds, or on a share of the training rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from runner.errors import Faults, ProblemError
from runner.errors.time_limit import Overdue, interrupted_after
from runner.errors.validation import meant_keys
from runner.problems.base import Answer, Problem
from runner.problems.estimators.baselines import Baseline, best_constant, scorer_warning
from runner.problems.estimators.checks import (
    check_folds,
    check_target,
    fit_failure,
    make_estimator,
    score_failure,
)
from runner.problems.estimators.data.data import BUILT_IN, Data, load_data
from runner.problems.estimators.fidelity import FOLDS, Fidelity, check_shares
from runner.problems.estimators.fitting import assemble, fit, own_defaults, pipeline
from runner.problems.estimators.folds import Rows, balanced_sample, split, stages
from runner.problems.estimators.parts import parts_of
from runner.seeds import rng_for, seed_for
from runner.space import Space
from runner.trial import Config

_TRIED_CONFIGS = 3  # one may be invalid by chance; three in a row point at the space or the data
_MOST_SECONDS = 5.0  # for the fits that are tried, about as long as a user waits; a slow fit is not an error


@dataclass(frozen=True, eq=False)
class EstimatorProblem(Problem):
    """Hyper-parameters of a scikit-learn estimator, scored by cross-validation.

    Parameters
    ----------
    estimator : str, class or estimator
        The path of a class, such as ``sklearn.svm.SVC``; in Python also the class, or an
        estimator, which is cloned.
    data : str or Data
        ``breast_cancer``, ``diabetes``, ``digits``, ``iris``, ``wine``, or the path of a CSV or
        Parquet file; see `runner.problems.estimators.data.data.load_data`.
    space : Space or mapping
        Domains of the estimator's own parameters, by the names in its ``get_params()``; a part's
        parameter is ``part__parameter``.
    target : str, optional
        The column to predict, where ``data`` is a file.
    cv : int, default 5
        Number of folds: shuffled, stratified by class for classifiers.
    scoring : str, optional
        A scikit-learn scorer; default ``accuracy`` for classifiers, ``r2`` for regressors.
    test : float, default 0.2
        Share of the rows that no fold sees; 0 for none. See `test_score`.
    scale : bool, default True
        Standardise the features, by mean and variance of each training part.
    prepare : bool, default False
        Read text as categories and dates as their parts (year, month, weekday, days since the first),
        and impute missing values from each training part: see
        `runner.problems.estimators.fitting.pipeline`. Else they are refused.
    drop : sequence of str, optional
        Columns of a file to leave out.
    decimal : "." or ",", optional
        The decimal mark of a file's numbers, needed only if the file itself leaves it open.
    params : mapping, optional
        Fixed parameters of the estimator.
    forbid : sequence of mappings, optional
        Forbidden combinations; see `Space`.
    fidelity : "folds" or {"data": list of float}, default "folds"
        The steps after which a scheduler may stop trials: single folds, or all folds on a share of
        their training rows. Shares grow to 1, and their sum is then the cost of a full trial.
    name : str, optional
        Default: the class and the data set, such as ``SVC-digits``.
    folder : Path, optional
        Start of a relative path of ``data``.

    Raises
    ------
    ProblemError, SpaceError
        For every error that does not depend on the data; `check` finds the others.

    Notes
    -----
    ``default`` is the config of the estimator's own defaults, if it is in the space.
    Every ``random_state`` of the estimator that is None is set from the seed.
    Answers hold the metric, ``folds``, and ``warnings``: the number of warnings of scikit-learn,
    such as a fit that did not converge; they are not printed.
    """

    direction = "maximize"

    estimator: Any
    data: str | Data
    space: Space
    target: str | None = None
    cv: int = 5
    scoring: str | None = None
    test: float = 0.2
    scale: bool = True
    prepare: bool = False
    drop: Sequence[str] = ()
    decimal: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    forbid: Sequence[Mapping[str, object]] = ()
    fidelity: Fidelity = FOLDS
    name: str = ""
    folder: Path = Path()
    _shares: ClassVar[tuple[float, ...]] = ()

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], folder: Path) -> EstimatorProblem:
        """Make the problem of an inline mapping in a study file.

        Raises
        ------
        ProblemError, SpaceError
            For unknown and missing keys, and for everything else that does not fit.
        """
        faults = Faults()
        known = [f.name for f in fields(cls) if f.name != "folder"]
        meant = meant_keys(mapping, known, _NEEDED, faults)
        with faults:
            if faults:  # in the keys; report errors in the values at once, too
                parts_of({**meant, "folder": folder})
        faults.check()
        return cls(**meant, folder=folder)

    def __post_init__(self) -> None:
        parts = parts_of({f.name: getattr(self, f.name) for f in fields(self)})
        space, shares = parts.space, parts.shares
        source = self.data.name if isinstance(self.data, Data) else Path(self.data).stem
        for key, value in {
            "folder": Path(self.folder).resolve(),
            "space": space,
            "forbid": (),  # the space has them now
            "fidelity": {"data": shares} if shares else FOLDS,
            "steps": len(shares) or self.cv,
            "_shares": shares,
            "has_test": self.test > 0,
            "metric": parts.metric,
            "name": self.name or f"{type(parts.model).__name__}-{source}",
        }.items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "default", own_defaults(parts.model, space))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # Imports scikit-learn now: an evaluation holds to one thread what was loaded before it.
        _ = self._model, pipeline(self._model, self.scale)

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if key not in ("_model", "_scorer")}
        if isinstance(self.data, str) and self.data not in BUILT_IN:
            state["data"] = self.table  # the file may be missing where it is unpickled
        return state

    @cached_property
    def _model(self) -> Any:
        """The estimator with the fixed parameters; cloned for every fit."""
        return make_estimator(self.estimator, self.params)

    @cached_property
    def _scorer(self) -> Any:
        from sklearn.metrics import get_scorer

        return get_scorer(self.metric)

    @property
    def classifies(self) -> bool:
        """True for a classifier, False for a regressor."""
        from sklearn.base import is_classifier

        return bool(is_classifier(self._model))

    @property
    def table(self) -> Data:
        """Its data, read once per process."""
        if isinstance(self.data, Data):
            return self.data
        return load_data(self.data, self.target, self.folder, self.prepare, self.drop, self.decimal)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on unusual values of a file, and on a scorer that barely reflects a rare class."""
        warning = scorer_warning(self.table, self.metric)
        return (*self.table.notes, warning) if warning else self.table.notes

    def evaluate(self, config: Config, seed: int) -> Iterator[dict[str, Any]]:
        """Compute the mean score over the folds, step by step; see `Problem.evaluate`.

        Yields
        ------
        dict
            The metric, ``folds`` (scores in the order of the folds) and ``warnings`` after each fold,
            or after each share of the training rows.
        """
        data = self.table
        if not self._shares:
            folds, _ = split(data, self.classifies, self.cv, self.test, seed)
            yield from self._validated(data, config, seed, folds)
            return
        for folds in stages(data, self.classifies, self.cv, self.test, seed, self._shares):
            *_, last = self._validated(data, config, seed, folds)
            yield last

    def evaluate_fully(self, config: Config, seed: int) -> Answer:
        """Evaluate like `evaluate`, but of shares of the training rows only the last, which is all."""
        if not self._shares:
            return self.evaluate(config, seed)
        data = self.table
        folds, _ = split(data, self.classifies, self.cv, self.test, seed)
        *_, last = self._validated(data, config, seed, folds)
        return last

    def share(self, step: int) -> float:
        """Compute the share of the folds, or the sum of the shares; the last of these alone is 1."""
        return sum(self._shares[:step]) if self._shares else super().share(step)

    def _validated(
        self, data: Data, config: Config, seed: int, folds: Sequence[tuple[Rows, Rows]]
    ) -> Iterator[dict[str, Any]]:
        scores: list[float] = []
        count = 0
        for train, held in folds:
            # Closed before the yield: warning filters belong to the whole process.
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                scores.append(self._score(data, config, seed, train, held))
            count += len(caught)
            yield {self.metric: float(np.mean(scores)), "folds": list(scores), "warnings": count}

    def test_score(self, config: Config, seed: int) -> float:
        """Score on the test part after a fit on all other rows; ProblemError if ``test`` is 0."""
        data = self.table
        _, (rest, held) = split(data, self.classifies, self.cv, self.test, seed)
        if not len(held):
            raise ProblemError(
                "no rows were held out.", where=f"{self.name}.test", hint="Set it, for example to 0.2."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._score(data, config, seed, rest, held)

    def constant(self, seed: int) -> Baseline | None:
        """Find the best predictor that ignores the features, on the same folds and held-out rows."""
        folds, parts = split(self.table, self.classifies, self.cv, self.test, seed)
        return best_constant(self.table, self.classifies, self._scorer, folds, parts)

    def baseline(self, seed: int) -> float | None:
        """See `Problem.baseline`: the score of `constant` in cross-validation."""
        constant = self.constant(seed)
        return None if constant is None else constant.value

    def pipeline_of(self, config: Config, seed: int) -> Any:
        """Make the pipeline of a config, not fitted.

        For a file it begins with `Columns` and takes the file's table, whatever its types; for other data it
        is that of the trials.
        """
        return assemble(self._model, self.scale, config, seed, self.table, reads=True)

    def check(self) -> None:
        """Read the data, compare it with the estimator and the folds, and try a small fit.

        Raises
        ------
        ProblemError
            Names the key, the value, and a remedy.
        """
        data = self.table
        check_target(data, self._model, self.classifies)
        check_folds(data, self.classifies, self.cv, self.test)
        folds, _ = split(data, self.classifies, self.cv, self.test, seed_for("check"))
        check_shares(self._shares, data, folds[0][0], self.classifies)
        train, held = (balanced_sample(rows, data.y) for rows in folds[0])
        rng = rng_for("check", self.name)
        configs = [self.default] if self.default else []
        configs += [self.space.sample(rng) for _ in range(_TRIED_CONFIGS - len(configs))]
        failures = []
        with suppress(Overdue), interrupted_after(_MOST_SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for config in configs:  # a single bad config would only be a failed trial
                failure = self._try(data, config, train, held)
                if failure is None:
                    return
                failures.append(failure)
        if len(failures) == len(configs):
            raise failures[0]

    def _try(self, data: Data, config: Config, train: Rows, held: Rows) -> ProblemError | None:
        """Fit and score a config, and return the error if there is one."""
        try:
            fitted = self._fit(data, config, 0, train)
        except Exception as error:  # whatever the estimator raises
            return fit_failure(self._model, config, error)
        try:
            score = float(self._scorer(fitted, data.X[held], data.y[held]))
        except Exception as error:  # whatever the scorer raises
            return score_failure(self._scorer, self.metric, fitted, error)
        return None if np.isfinite(score) else score_failure(self._scorer, self.metric, fitted, score)

    def _score(self, data: Data, config: Config, seed: int, train: Rows, held: Rows) -> float:
        return float(self._scorer(self._fit(data, config, seed, train), data.X[held], data.y[held]))

    def _fit(self, data: Data, config: Config, seed: int, train: Rows) -> Any:
        return fit(self._model, self.scale, data, config, seed, train)


_NEEDED = {
    "estimator": "Name a class, such as sklearn.svm.SVC.",
    "data": "Name a built-in data set, or a CSV or Parquet file with its target.",
    "space": "Give at least one parameter, such as C: {float: [0.01, 100], log: true}.",
}
