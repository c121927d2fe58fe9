"""Which program a parameter is written for, by the class of what writes it; none is imported.

`optimize`, `SearchCV` and the Tune searches take spaces in the forms of other programs. Here is
where they are distinguished, and where a range that is no parameter of the form in use is noticed.
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
"""The one key of the dict that ``tune.grid_search`` makes."""

# Base classes by module and name, so that a user's own subclass of one is recognised, too.
_BASES: Final = {
    ("hyperopt.pyll.base", "Apply"): HYPEROPT,
    ("ray.tune.search.sample", "Domain"): RAY_TUNE,
    ("skopt.space.space", "Dimension"): SKOPT,
}
_DRAWS: Final = ("rvs", "ppf", "icdf")  # what distributions of scipy have, of its new and its old kind


def form_of(given: object) -> str:
    """The form that a value is a range of, or "" where it is none.

    Parameters
    ----------
    given : object
        Our own `Domain` and `Space` count; so does the dict of ``tune.grid_search``, and whatever
        of scipy.stats can be drawn from.
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
    """The forms of all ranges within nested mappings, lists and tuples, each once, in order."""
    return list(dict.fromkeys(form for part in _parts(given) if (form := form_of(part))))


def _parts(given: object) -> Iterator[object]:
    yield given
    inside: Any = given.values() if isinstance(given, Mapping) else given
    for part in inside if isinstance(given, Mapping | list | tuple) else ():
        yield from _parts(part)


def refuse_range(given: object, form: str, where: str) -> None:
    """Raise SpaceError where a fixed value is a range, which an objective must never be given.

    Parameters
    ----------
    given : object
        What would be passed on as it is.
    form : str
        The form of the space that it is part of.
    where : str
        The parameter.
    """
    if found := form_of(given):
        mixed = f"it is a range in the form of {found}, in a space in the form of {form}."
        raise SpaceError(
            mixed if found != form else "a range cannot stand here.",
            where=where,
            hint="Write the whole space in one form." if found != form else "Give it a key of its own.",
        )
