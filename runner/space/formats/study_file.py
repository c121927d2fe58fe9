"""The format of a space in a study file.

A parameter is written as ``{float: [low, high], log: true}``, ``{int: [low, high], step: 2}``,
``{choice: [a, b]}`` or just ``[a, b]``, and a conditional one as
``{choice: {a: {}, b: {parameter of b: ...}}}``. In Python, any ordered collection is a list, a ``range``
is an integer range, and ``(low, high, "log-uniform")`` has its meaning in scikit-optimize.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from runner._text import shown
from runner.errors import Faults, SpaceError, nearest
from runner.space import Space
from runner.space.domains import Choice, Domain, Float, Int
from runner.space.formats.skopt import is_pair, skopt_range
from runner.space.ranges import as_list

_KINDS = {"float": Float, "int": Int}
_KEYS = {"float": ("float", "log", "step"), "int": ("int", "log", "step"), "choice": ("choice",)}
_FORM = "Write {float: [low, high]}, {int: [low, high]} or {choice: [...]}."


def parse_space(
    given: Space | Mapping[str, Any], forbid: Sequence[Mapping[str, object]] = (), where: str = "space"
) -> Space:
    """Read a space from domains or from the format of a study file.

    Parameters
    ----------
    given : Space or mapping
        Parameter name to `Domain`, mapping or list.
    forbid : sequence of mappings
        Forbidden combinations; see `Space`.
    where : str
        Location for error messages.

    Raises
    ------
    SpaceError
        Lists every invalid parameter.
    """
    if isinstance(given, Space):
        more = [*map(dict, given.forbid), *forbid] if given.forbid else forbid
        return Space(dict(given.params), more) if forbid else given
    if not isinstance(given, Mapping):
        raise SpaceError(f"expected a mapping of parameters, got {shown(given)}.", where=where, hint=_FORM)
    faults = Faults()
    params = _domains(given, where, faults)
    faults.check()
    try:
        return Space(params, forbid)
    except SpaceError as error:
        raise error.at(where) from None


def _domains(given: Mapping[Any, Any], where: str, faults: Faults) -> dict[str, Domain]:
    params = {}
    for name, domain in given.items():
        if not isinstance(name, str):
            message = f"expected a string as the name of a parameter, got {shown(name)}."
            faults.add(SpaceError(message, where=where, hint=f"Write '{name}' in quotes."))
            continue
        with faults:
            params[name] = parse_domain(domain, f"{where}.{name}")
    return params


def parse_domain(given: Any, where: str) -> Domain:
    """Read a domain from the format of a study file; see `parse_space`."""
    if isinstance(given, Domain):
        return given
    if is_pair(given):
        low, high = map(shown, given)
        ranges = f"Float({low}, {high}) or ({low}, {high}, 'uniform')"
        raise SpaceError(
            f"ambiguous pair {shown(given)}: a range or two options.",
            where=where,
            hint=f"For a range write {ranges}; for two options [{low}, {high}].",
        )
    domain: Domain | None
    try:
        if (domain := _listed(given)) is not None:
            return domain
    except SpaceError as error:
        raise error.at(where) from None
    if not isinstance(given, Mapping):
        raise SpaceError(f"expected a range of values, got {shown(given)}.", where=where, hint=_FORM)
    kinds = [kind for kind in _KEYS if kind in given]
    if len(kinds) != 1:
        hints = [nearest(str(key), _KEYS) for key in given if key not in _KEYS["float"]]
        raise SpaceError(
            f"expected one of the keys float, int and choice, got {shown([*given])}.",
            where=where,
            hint=next((hint for hint in hints if hint.startswith("Did")), _FORM),
        )
    faults = Faults()
    known = _KEYS[kinds[0]]
    for key in given:
        if key not in known:
            hint = nearest(str(key), known)
            faults.add(SpaceError("unknown key.", where=f"{where}.{key}", hint=hint))
    with faults:
        try:
            read = _choice if kinds[0] == "choice" else _range
            domain = read(kinds[0], given, where)
        except SpaceError as error:
            raise (error.at(where) if len(error.faults) == 1 and not error.where else error) from None
    faults.check()
    return cast("Domain", domain)


def _listed(given: Any) -> Domain | None:
    """Read a list of options, a range of integers or a tuple with a prior; return None for others."""
    if (domain := skopt_range(given)) is not None:
        return domain
    if isinstance(given, range) and given and given[0] != given[-1]:
        low, high = sorted((given[0], given[-1]))
        return Int(low, high, step=None if abs(given.step) == 1 else abs(given.step))
    options = as_list(given)
    return None if options is None else Choice(options)


def _choice(kind: str, given: Mapping[str, Any], where: str) -> Choice:
    options = given[kind]
    if not isinstance(options, Mapping):
        return Choice(options)
    faults = Faults()
    branches: dict[Any, dict[str, Domain]] = {}
    for option, sub in options.items():
        place = f"{where}.{option}"
        if sub is not None and not isinstance(sub, Mapping):
            faults.add(
                SpaceError(
                    f"expected a mapping, the parameters of option {shown(option)}, got {shown(sub)}.",
                    where=place,
                    hint="Write {} for none.",
                )
            )
            continue
        branches[option] = _domains(sub or {}, place, faults)
    faults.check()
    return Choice(branches)


def _range(kind: str, given: Mapping[str, Any], where: str) -> Domain:
    del where
    bounds = given[kind]
    if not isinstance(bounds, Sequence) or isinstance(bounds, str) or len(bounds) != 2:
        raise SpaceError(f"expected two bounds, {kind}: [low, high], got {shown(bounds)}.")
    log = given.get("log", False)
    if not isinstance(log, bool):
        raise SpaceError(f"expected true or false for log, got {shown(log)}.")
    return _KINDS[kind](bounds[0], bounds[1], log=log, step=given.get("step"))
