"""Searches as scikit-learn estimators, and pipelines of the best config."""
