"""How a pipeline can be saved."""

from enum import StrEnum


class Save(StrEnum):
    """By skops, by joblib, or not at all."""

    skops = "skops"
    joblib = "joblib"
    none = "none"
