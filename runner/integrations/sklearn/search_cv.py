"""`SearchCV`: any of the methods as a scikit-learn estimator.

A subclass of scikit-learn's `BaseSearchCV`: scoring, splitting, routing, the table of results and the
interface of the best estimator are scikit-learn's; a method proposes the candidates.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from scipy.stats import rankdata
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _insert_error_scores, _warn_or_raise_about_fit_failures
from sklearn.utils import check_random_state, indexable
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_method_params

from runner.integrations.sklearn.candidates import (
    Candidate,
    budget_of,
    listed,
    method_of,
    prepare_run,
    search,
    view_of,
)
from runner.integrations.sklearn.folds import Fit, Fold, Folds
from runner.trial import Outcome, Status

_ENTROPY_BYTES = 16  # as many as numpy's SeedSequence draws by default


class SearchCV(BaseSearchCV):
    """Search the hyper-parameters of an estimator by cross-validation, with any method.

    Parameters
    ----------
    estimator : estimator
        Anything with ``fit``, and ``score`` where ``scoring`` is None; a `Pipeline` too.
    space : mapping, list of mappings, or Space
        scikit-learn's ``param_grid`` or ``param_distributions`` as they are: lists of options of any
        kind (numbers, None, arrays, estimators) and scipy's distributions; or scikit-optimize's
        ranges, such as ``(1e-6, 1e6, "log-uniform")``. Or domains (`Float`, `Int`, `Choice`),
        ``ray.tune`` domains, hyperopt expressions. Three or more numbers in ascending or descending
        order are taken as steps of a scale.
    method : str or mapping, default "bayes"
        ``exhaustive``, ``random``, ``grid``, ``bayes``, ``tpe`` or ``gradient``, or
        ``{name: {setting: value}}``. With lists ``grid`` evaluates what `GridSearchCV` does, in its
        order; with lists and distributions ``random`` what `RandomizedSearchCV` does with the same
        ``random_state``.
    n_trials : int, optional
        Number of candidates. Default: the whole grid for ``grid`` over lists, the whole space for
        ``exhaustive`` where it is finite, else 50. A candidate that is proposed again is not
        evaluated again, and has one row only.
    parallel : int, default 1
        Number of candidates in flight: a method that learns then knows the results of fewer. Raise it
        where there are more cores than folds. Results depend on it, but not on ``n_jobs``.
    scoring, refit, cv, error_score, return_train_score, pre_dispatch
        As in `GridSearchCV`. With several metrics a method optimises the one that ``refit`` names,
        else the first.
    n_jobs : int, optional
        Most fits at once: in this process where all of them take less than three seconds, in joblib's
        workers, or on Ray where it is running in this process already. Ray is never started. The
        default is 1, as in scikit-learn.
    random_state : int, RandomState or None, default None
        Seed of the proposals.
    verbose : int, default 0
        1 prints each candidate with its score; higher values print each fit, as in scikit-learn.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_,
    refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As in `GridSearchCV`; but a score of +inf ranks behind all finite ones.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from runner import Float, SearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": Float(1e-3, 1e3, log=True), "gamma": Float(1e-5, 1e1, log=True)}
    >>> found = SearchCV(SVC(), space, n_trials=15, random_state=0).fit(X, y)
    >>> bool(found.best_score_ > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSearchCV._parameter_constraints,
        "space": "no_validation",
        "method": [str, dict],
        "n_trials": [Interval(Integral, 1, None, closed="left"), None],
        "parallel": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        space: Any,
        *,
        method: str | Mapping[str, Any] = "bayes",
        n_trials: int | None = None,
        parallel: int = 1,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space = space
        self.method = method
        self.n_trials = n_trials
        self.parallel = parallel
        self.random_state = random_state

    def set_callbacks(self, *callbacks: Any) -> SearchCV:
        """Refuse scikit-learn's experimental callbacks, which would never be called."""
        if callbacks:
            raise NotImplementedError("callbacks are not supported; verbose=1 prints every candidate.")
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> SearchCV:
        """Search, and fit the best candidate on all data if ``refit`` is set.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
            (n_samples, n_samples) for precomputed kernels and distances.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
        **params
            As in `GridSearchCV`: what has one entry per sample (``sample_weight``) is split with
            the data, ``groups`` go to the splitter; or by metadata routing, where it is enabled.

        Returns
        -------
        SearchCV
            Itself.

        Raises
        ------
        SpaceError, MethodError
            Where the space or the method does not fit.
        ValueError
            Where every fit failed, or scikit-learn finds the arguments wrong.
        """
        scorers, _ = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = splitter.get_n_splits(X, y, **routed.splitter.split)
        # Once for all candidates: a splitter may draw other splits at each call.
        splits = list(splitter.split(X, y, **routed.splitter.split))
        if len(splits) != self.n_splits_ or not splits:
            raise ValueError(f"expected {self.n_splits_} splits (cv.get_n_splits), got {len(splits)}")
        options = {
            "scorer": scorers,
            "fit_params": routed.estimator.fit,
            "score_params": routed.scorer.score,
            "return_train_score": self.return_train_score,
            "return_n_test_samples": True,
            "return_times": True,
            "error_score": self.error_score,
            "verbose": self.verbose,
        }
        base = clone(self.estimator)
        candidates, folds = self._search(Fit(base, X, y, splits, options))
        _warn_or_raise_about_fit_failures(folds, self.error_score)
        if callable(self.scoring):  # its metrics are known only now
            _insert_error_scores(folds, self.error_score)
        self._conclude(candidates, folds)
        if self.refit:
            self._fit_best(base, X, y, routed.estimator.fit)
        self.scorer_ = scorers._scorers if isinstance(scorers, _MultimetricScorer) else scorers
        return self

    def _search(self, fit: Fit) -> tuple[list[Candidate], list[Fold]]:
        """Return all candidates, and their folds one after the other."""
        name, settings = method_of(self.method)
        grid = None if settings else listed(self.space, name, self.n_trials, self.random_state)
        if grid is not None:
            with Folds(fit, self.n_jobs, self.pre_dispatch, len(grid) * self.n_splits_) as folds:
                return grid, folds.evaluate(grid, 0, len(grid))
        view = view_of(self.space)
        trials = budget_of(name, self.n_trials, view.space)
        entropy = int.from_bytes(check_random_state(self.random_state).bytes(_ENTROPY_BYTES), "big")
        run = prepare_run(name, settings, view.space, trials, self.parallel, entropy)
        candidates: list[Candidate] = []
        found: list[Fold] = []

        def evaluate(batch: list[Candidate]) -> list[Outcome]:
            made = folds.evaluate(batch, len(candidates), trials)
            n = self.n_splits_
            outcomes = [self._outcome(made[i * n : (i + 1) * n]) for i in range(len(batch))]
            if self.verbose:
                for i, (parameters, outcome) in enumerate(zip(batch, outcomes, strict=True), len(candidates)):
                    print(f"candidate {i + 1} of {trials}: {outcome.value} with {parameters}")  # noqa: T201
            candidates.extend(batch)
            found.extend(made)
            return outcomes

        with Folds(fit, self.n_jobs, self.pre_dispatch, trials * self.n_splits_) as folds:
            search(run, view.native, evaluate)
        return candidates, found

    def _outcome(self, folds: list[Fold]) -> Outcome:
        """Convert the folds of a candidate to an outcome."""
        scores = [self._searched(fold["test_scores"]) for fold in folds]
        value = float(np.mean(scores))
        seconds = float(sum(fold["fit_time"] + fold["score_time"] for fold in folds))
        if not math.isfinite(value):
            errors = [str(fold["fit_error"]).strip() for fold in folds if fold["fit_error"]]
            status = Status.FAILED if errors else Status.INVALID
            error = errors[0].splitlines()[-1] if errors else Status.INVALID.meaning
            return Outcome(status, error=error, seconds=seconds)
        losses = tuple(-score for score in scores)
        return Outcome(Status.COMPLETED, loss=-value, value=value, folds=losses, seconds=seconds)

    def _searched(self, scores: Any) -> float:
        """Return the score of the metric to optimise."""
        if not isinstance(scores, Mapping):
            return float(scores)
        named = isinstance(self.refit, str) and self.refit in scores
        return float(scores[self.refit if named else next(iter(scores))])

    def _conclude(self, candidates: list[Candidate], folds: list[Fold]) -> None:
        """Set the table of results and the attributes of the best candidate."""
        first = folds[0]["test_scores"]
        self.multimetric_ = isinstance(first, dict)
        if self.multimetric_:
            self._check_refit_for_multimetric(first)
        self.cv_results_ = self._format_results(candidates, self.n_splits_, folds)
        _rank_infinite_last(self.cv_results_)
        if self.refit or not self.multimetric_:
            metric = self.refit if self.multimetric_ else "score"
            self.best_index_ = self._select_best_index(self.refit, metric, self.cv_results_)
            if not callable(self.refit):
                self.best_score_ = self.cv_results_[f"mean_test_{metric}"][self.best_index_]
            self.best_params_ = candidates[self.best_index_]

    def _fit_best(self, base: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> None:
        # Parameters may be estimators, which must not be fitted where the user has them.
        self.best_estimator_ = clone(base).set_params(**clone(self.best_params_, safe=False))
        began = time.time()
        if y is None:
            self.best_estimator_.fit(X, **fit_params)
        else:
            self.best_estimator_.fit(X, y, **fit_params)
        self.refit_time_ = time.time() - began
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


def _rank_infinite_last(results: dict[str, Any]) -> None:
    """Rank a score of +inf behind all finite ones, where scikit-learn has it first.

    Such a score comes from a division by zero or a singular matrix; for the method it is a failed trial.
    Tables without one are left as scikit-learn makes them.
    """
    for key in [key for key in results if key.startswith("rank_test_")]:
        means = results[key.replace("rank_", "mean_", 1)]
        if np.isposinf(means).any():
            finite = np.where(np.isfinite(means), means, -np.inf)
            results[key] = rankdata(-finite, method="min").astype(np.int32)
