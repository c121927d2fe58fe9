"""Results of a search over an estimator: a saved pipeline, and the Python that rebuilds it."""

from enum import StrEnum


class Save(StrEnum):
    """Formats of a saved pipeline."""

    skops = "skops"
    joblib = "joblib"
    none = "none"
