"""The form of a space in a study file.

The study file writes a parameter as ``{float: [low, high], log: true}``,
``{int: [low, high], step: 2}``, ``{choice: [a, b]}`` or just ``[a, b]``, and a conditional one as
``{choice: {a: {}, b: {parameter of b: ...}}}``. In Python a list may be of any kind, a ``range``
is the range of its integers, and ``(low, high, "log-uniform")`` is what it is in scikit-optimize.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.convert.skopt_space import is_pair, skopt_range
from runner.domains import Choice, Domain, Float, Int
from runner.errors import SpaceError, nearest
from runner.ranges import as_list
from runner.space import Space

_KINDS = {"float": Float, "int": Int}
_FORM = "Write {float: [low, high]}, {int: [low, high]} or {choice: [...]}."


def parse_space(
    given: Space | Mapping[str, Any], forbid: Sequence[Mapping[str, object]] = (), where: str = "space"
) -> Space:
    """A space from domains or from the form that a study file has.

    Parameters
    ----------
    given : Space or mapping
        Parameter name to `Domain`, mapping or list.
    forbid : sequence of mappings
        Forbidden combinations; see `Space`.
    where : str
        What errors call this place.

    Raises
    ------
    SpaceError
        Names the parameter, what was found and what was wanted.
    """
    if isinstance(given, Space):
        return Space(dict(given.params), [*map(dict, given.forbid), *forbid]) if forbid else given
    if not isinstance(given, Mapping):
        raise SpaceError(f"a mapping of parameters was expected, got {given!r}.", where=where, hint=_FORM)
    for name in given:
        if not isinstance(name, str):
            raise SpaceError(f"the name {name!r} is no text.", where=where, hint=f"Write '{name}' in quotes.")
    params = {name: parse_domain(domain, f"{where}.{name}") for name, domain in given.items()}
    try:
        return Space(params, forbid)
    except SpaceError as error:
        raise error.at(where) from None


def parse_domain(given: Any, where: str) -> Domain:
    """A domain from the form that a study file has; see `parse_space`."""
    if isinstance(given, Domain):
        return given
    if is_pair(given):
        low, high = given
        ranges = f"Float({low}, {high}) or ({low}, {high}, 'uniform')"
        raise SpaceError(
            f"the pair {given} may be a range or two options.",
            where=where,
            hint=f"For a range write {ranges}; for two options [{low}, {high}].",
        )
    try:
        if (domain := _listed(given)) is not None:
            return domain
    except SpaceError as error:
        raise error.at(where) from None
    if not isinstance(given, Mapping):
        raise SpaceError(f"{given!r} is no range of values.", where=where, hint=_FORM)
    kinds = [kind for kind in ("float", "int", "choice") if kind in given]
    if len(kinds) != 1:
        raise SpaceError(
            f"one of float, int, choice was expected, got the keys {[str(key) for key in given]}.",
            where=where,
            hint=_FORM,
        )
    kind = kinds[0]
    known = ["choice"] if kind == "choice" else [kind, "log", "step"]
    for key in given:
        if key not in known:
            raise SpaceError(f"unknown key '{key}'.", where=where, hint=nearest(str(key), known))
    try:
        return _choice(given["choice"], where) if kind == "choice" else _range(kind, given)
    except SpaceError as error:
        raise (error if error.where.startswith(where) else error.at(where)) from None


def _listed(given: Any) -> Domain | None:
    """The domain of a list of options, a range of integers or a tuple with a prior; None for others."""
    if (domain := skopt_range(given)) is not None:
        return domain
    if isinstance(given, range) and given and given[0] != given[-1]:
        low, high = sorted((given[0], given[-1]))
        return Int(low, high, step=None if abs(given.step) == 1 else abs(given.step))
    options = as_list(given)
    return None if options is None else Choice(options)


def _choice(options: object, where: str) -> Choice:
    if not isinstance(options, Mapping):
        return Choice(options)  # type: ignore[arg-type]
    branches: dict[Any, dict[str, Domain]] = {}
    for option, sub in options.items():
        if sub is not None and not isinstance(sub, Mapping):
            raise SpaceError(
                f"the parameters of option {option!r} are {sub!r}; a mapping was expected.",
                hint="Write {} for none.",
            )
        branches[option] = {
            str(name): parse_domain(domain, f"{where}.{option}.{name}")
            for name, domain in (sub or {}).items()
        }
    return Choice(branches)


def _range(kind: str, given: Mapping[str, Any]) -> Domain:
    ends = given[kind]
    if not isinstance(ends, Sequence) or isinstance(ends, str) or len(ends) != 2:
        raise SpaceError(f"{kind} is {ends!r}; two ends, [low, high], were expected.")
    log = given.get("log", False)
    if not isinstance(log, bool):
        raise SpaceError(f"log is {log!r}; true or false was expected.")
    return _KINDS[kind](ends[0], ends[1], log=log, step=given.get("step"))
