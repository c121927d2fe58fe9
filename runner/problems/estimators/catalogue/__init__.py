"""Search spaces for common scikit-learn estimators, each with its source.

They are starting points: ranges that others have searched on many data
sets, for standardised features. `docs/spaces.md` lists them.
"""

from runner.problems.estimators.catalogue.entries import CATALOGUE, Entry
from runner.problems.estimators.catalogue.lookup import entry_of, find, start_of

__all__ = ["CATALOGUE", "Entry", "entry_of", "find", "start_of"]
