"""Spaces to and from JSON, for files that a program writes and reads again.

The study file's form is for people; as JSON it would turn the options 1 and true of a
conditional choice into strings. Here a choice is a list of pairs, option and parameters.
"""

from __future__ import annotations

from typing import Any

from runner.convert.studyfile import parse_domain
from runner.domains import Choice, Domain, Params
from runner.space import Space


def space_to_json(space: Space) -> dict[str, Any]:
    """A space as lists, dicts with string keys, and scalars; see `space_from_json`."""
    return {"params": _write(space.params), "forbid": [_clause(clause) for clause in space.forbid]}


def space_from_json(given: Any) -> Space:
    """The space that `space_to_json` wrote.

    Raises
    ------
    SpaceError
        Where a range does not fit.
    KeyError, TypeError, ValueError
        Where it is of another form.
    """
    return Space(_read(given["params"]), given["forbid"])


def _clause(clause: Any) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in clause}


def _write(params: Params) -> list[Any]:
    return [[name, _form(domain)] for name, domain in params]


def _form(domain: Domain) -> dict[str, Any]:
    if not isinstance(domain, Choice):
        return domain.describe()
    pairs = zip(domain.options, domain.branches, strict=True)
    return {"choice": [[option, _write(branch)] for option, branch in pairs]}


def _read(params: Any) -> dict[str, Domain]:
    return {name: _domain(form, name) for name, form in params}


def _domain(form: Any, name: str) -> Domain:
    if "choice" not in form:
        return parse_domain(form, name)
    pairs = [(option, _read(params)) for option, params in form["choice"]]
    # As keys of a dict the options 1, 1.0 and True would be one.
    return Choice(dict(pairs)) if any(params for _, params in pairs) else Choice([v for v, _ in pairs])
