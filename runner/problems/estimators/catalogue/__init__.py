"""Search spaces for common scikit-learn estimators, each with where it was taken from.

They are places to start from, not the last word: ranges that others have searched on many data
sets, for standardised features. `docs/spaces.md` lists them.
"""

from runner.problems.estimators.catalogue.entries import CATALOGUE, Entry
from runner.problems.estimators.catalogue.lookup import entry_of, find, start_of

__all__ = ["CATALOGUE", "Entry", "entry_of", "find", "start_of"]
