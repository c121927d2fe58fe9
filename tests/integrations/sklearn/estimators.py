"""Estimators for tests, at module level so that worker processes can import them."""

import os
import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

CALLS = []


class Dummy(ClassifierMixin, BaseEstimator):
    """Scores by its parameter; fails, waits or dies where it is told to; says what it was fitted with."""

    def __init__(self, level=0.0, fail=(), seconds=0.0, die=(), need=(), mark=0):
        self.level, self.fail, self.seconds, self.die = level, fail, seconds, die
        self.need, self.mark = need, mark

    def fit(self, X, y=None, sample_weight=None, **more):
        CALLS.append({"rows": len(X), "weight": sample_weight, "pid": os.getpid(), **more})
        if self.level in self.fail:
            raise ValueError(f"level {self.level} was told to fail")
        if self.level in self.die:
            os._exit(3)
        for name in self.need:
            assert more[name] is not None
            assert len(more[name]) == len(X)
        time.sleep(self.seconds)
        self.classes_ = np.unique(y) if y is not None else np.array([0])
        self.n_features_in_ = X.shape[1] if hasattr(X, "shape") else len(X[0])
        return self

    def predict(self, X):
        check_is_fitted(self)
        return np.repeat(self.classes_[0], len(X))

    def score(self, X=None, y=None, sample_weight=None):
        CALLS.append({"scored": len(X), "weight": sample_weight})
        return -((self.level - 2.0) ** 2)


class Counting:
    """A splitter that cuts anew at each call."""

    def __init__(self):
        self.calls = 0

    def split(self, X, y=None, groups=None):
        self.calls += 1
        half = np.random.RandomState(self.calls).permutation(len(X))
        yield half[: len(X) // 2], half[len(X) // 2 :]

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1
