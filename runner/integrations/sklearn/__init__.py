"""Searches in the form of a scikit-learn estimator."""

from runner.integrations.sklearn.search_cv import SearchCV

__all__ = ["SearchCV"]
