"""Searches in the form of a scikit-learn estimator."""

from runner.estimator.search_cv import SearchCV

__all__ = ["SearchCV"]
