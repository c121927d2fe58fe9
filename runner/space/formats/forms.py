"""Recognition of other libraries' formats by class, without importing the libraries.

`optimize`, `SearchCV` and the Tune searches accept spaces in these formats. This module identifies
them, and detects ranges of one format within another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.errors import SpaceError
from runner.space import Space
from runner.space.domains import Domain

HYPEROPT: Final = "hyperopt"
RAY_TUNE: Final = "ray.tune"
SCIPY: Final = "scikit-learn"
SKOPT: Final = "scikit-optimize"
OWN: Final = "runner"

GRID_SEARCH: Final = "grid_search"
"""The only key of the dict that ``tune.grid_search`` returns."""

# Base classes by module and name, so that a user's subclass is recognised, too.
_BASES: Final = {
    ("hyperopt.pyll.base", "Apply"): HYPEROPT,
    ("ray.tune.search.sample", "Domain"): RAY_TUNE,
    ("skopt.space.space", "Dimension"): SKOPT,
}
_DRAWS: Final = ("rvs", "ppf", "icdf")  # attributes of scipy's distributions, of the old and the new kind


def form_of(given: object) -> str:
    """Return the format of a range, or "" for any other value.

    Ranges are our own `Domain` and `Space`, classes of the other libraries, the dict of
    ``tune.grid_search``, and distributions of scipy.stats.
    """
    if isinstance(given, Domain | Space):
        return OWN
    if isinstance(given, Mapping):
        return RAY_TUNE if set(given) == {GRID_SEARCH} else ""
    for base in type(given).__mro__:
        if (form := _BASES.get((base.__module__, base.__name__))) is not None:
            return form
        if base.__module__.startswith("scipy.stats") and any(hasattr(given, name) for name in _DRAWS):
            return SCIPY
    return ""


def forms_in(given: object) -> list[str]:
    """List the formats of all ranges within nested mappings, lists and tuples, each once, in order."""
    return list(dict.fromkeys(form for part in _parts(given) if (form := form_of(part))))


def _parts(given: object) -> Iterator[object]:
    yield given
    inside: Any = given.values() if isinstance(given, Mapping) else given
    for part in inside if isinstance(given, Mapping | list | tuple) else ():
        yield from _parts(part)


def refuse_range(given: object, form: str, where: str) -> None:
    """Raise SpaceError if a constant is a range, which an objective must never receive.

    Parameters
    ----------
    given : object
        The constant.
    form : str
        Format of the space that it is part of.
    where : str
        The parameter.
    """
    if found := form_of(given):
        mixed = f"expected the format of {form}, got a range in the format of {found}."
        raise SpaceError(
            mixed if found != form else "a range is not allowed here.",
            where=where,
            hint="Write the whole space in one format." if found != form else "Give it a key of its own.",
        )
