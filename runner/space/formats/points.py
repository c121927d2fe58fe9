"""Conversion of native configs to values of parameters, the inverse of `fill`.

A native config may be partial, nested or with its keys joined by "/", and may have parameters under
their own names. It may include the constants of the space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.errors import SpaceError, nearest
from runner.space.domains import same
from runner.space.formats.options import summary_of
from runner.space.formats.parts import (
    Computed,
    Fixed,
    Items,
    Keys,
    Leaf,
    Part,
    Spliced,
    Switch,
    names_of,
    parameters,
)
from runner.space.formats.transforms import QUANTILE, ROUNDED

Values = dict[str, Any]

_PLACEHOLDERS = ("__ref_ph", "__fn_ph")  # Ray Tune's, for objects and for functions


def point_of(part: Part, given: Any, strict: bool = True) -> Values:
    """Convert a native config to values of parameters by name; they may be outside their domains.

    Parameters
    ----------
    part : part
        The whole space.
    given : object
        The config, complete or partial.
    strict : bool, default True
        Raise for unknown parameters and contradicted constants, instead of omitting them.

    Raises
    ------
    SpaceError
        Names the key.
    """
    return _Reader(part, strict).whole(given)


class _Reader:
    def __init__(self, part: Part, strict: bool, within: bool = False) -> None:
        self.part, self.strict = part, strict
        self.within = within  # inside an option, which matches only if its domains hold the values

    def whole(self, given: Any) -> Values:
        if not isinstance(given, Mapping):
            return self.at(self.part, given, "")
        if not given:
            return {}
        if isinstance(self.part, Keys | Switch):
            try:
                return _Reader(self.part, True).at(self.part, given, "")
            except SpaceError as error:
                wrong = error
        else:
            wrong = SpaceError(f"unknown parameters {list(map(str, given))}.")
        named = _by_name(self.part)
        own = [str(key) for key, _ in self.part.parts] if isinstance(self.part, Keys) else []
        direct = [key for key in given if key in named and key not in own]
        if self.strict and not direct:
            raise wrong
        rest = {key: value for key, value in given.items() if key not in direct}
        values = self.at(self.part, rest, "") if rest and isinstance(self.part, Keys | Switch) else {}
        for key in direct:
            one = named[key]
            values |= {key: given[key]} if one is None else self.parameter(one, given[key], key)
        return values

    def at(self, part: Part, given: Any, where: str) -> Values:
        """Read the values of a part; SpaceError if the part does not match."""
        match part:
            case Fixed():
                if not equal(part.value, given) and not is_placeholder(part.value):
                    raise SpaceError(f"expected the constant {part.value!r}, got {given!r}.", where=where)
                return {}
            case Keys():
                return self.keys(part, given, where)
            case Items():
                return self.items(part, given, where)
            case Computed():
                labels = ", ".join(map(repr, names_of(part)))
                raise SpaceError(
                    "a computed value cannot be converted back to its parameters.",
                    where=where,
                    hint=f"Give the parameters themselves, by label: {labels}.",
                )
            case Leaf() | Switch():
                return self.parameter(part, given, where)
            case Spliced():
                return {part.name: given}

    def items(self, part: Items, given: Any, where: str) -> Values:
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != len(part.parts):
            raise SpaceError(f"expected {len(part.parts)} items, got {given!r}.", where=where)
        values: Values = {}
        for i, (inner, value) in enumerate(zip(part.parts, given, strict=True)):
            values |= self.at(inner, value, f"{where}/{i}")
        return values

    def keys(self, part: Keys, given: Any, where: str) -> Values:
        if not isinstance(given, Mapping):
            raise SpaceError(f"expected a dict, got {given!r}.", where=where)
        values: Values = {}
        left = dict(given)
        for key, inner in part.parts:
            name = f"{where}/{key}" if where else str(key)
            value = _pop(left, key)
            if value is _ABSENT:
                continue
            try:
                values |= self.at(inner, value, name)
            except SpaceError:
                if self.strict:
                    raise
        for key in left if self.strict else ():
            name = f"{where}/{key}" if where else str(key)
            known = [str(own) for own, _ in part.parts]
            raise SpaceError("unknown parameter.", where=name, hint=nearest(str(key), known))
        return values

    def parameter(self, part: Leaf | Switch, given: Any, where: str) -> Values:
        """Read the value of a parameter, and of those below it."""
        if isinstance(part, Leaf):
            try:
                value = part.invert(given)
                return {part.name: part.domain.canonical(value) if self.within else value}
            except SpaceError as error:
                raise error.at(where) from None
        if any(same(value, given) for value, _ in part.options):
            return {part.name: given}
        matches: list[tuple[bool, int, Values]] = []
        for value, option in part.options:
            if isinstance(option, Fixed):
                match = {part.name: value} if equal(option.value, given) else None
            else:
                match = self._option(option, given, where, {part.name: value})
            if match is not None:
                matches.append((_covered(option, given), len(match), match))
        if not matches:
            options = [summary_of(option) for _, option in part.options]
            raise SpaceError(f"expected one of {options}, got {given!r}.", where=where)
        covered, _, best = max(matches, key=lambda one: one[:2])  # the first of several
        if not covered and len(matches) > 1:  # ambiguous: leave the choice open
            del best[part.name]
        return best

    def _option(self, option: Part, given: Any, where: str, own: Values) -> Values | None:
        try:
            return own | _Reader(option, True, within=True).at(option, given, where)
        except SpaceError:
            return None


def _by_name(part: Part) -> dict[str, Leaf | Switch | None]:
    """Map names to parameters; None for a name whose values are those of the space, not native ones.

    A parameter with a suffix, such as that of quantiles, is also listed by its label without it.
    """
    named: dict[str, Leaf | Switch | None] = {}

    def visit(part: Part) -> None:
        for one in parameters(part):
            if isinstance(one, Spliced):
                named.update(dict.fromkeys(names_of(one)))
            elif isinstance(one, Leaf):
                label = one.name.removesuffix(QUANTILE).removesuffix(ROUNDED)
                if label != one.name:
                    named[one.name] = None
                named.setdefault(label, one)
            elif named.setdefault(one.name, one) is one:
                for _, option in one.options:
                    visit(option)

    visit(part)
    return named


_ABSENT: Any = object()


def _pop(left: dict[Any, Any], key: Any) -> Any:
    """Remove and return the value of a key; entries joined to it by "/" are returned as a dict."""
    text = str(key)
    for own in left:
        if str(own) == text:
            return left.pop(own)
    inside = [own for own in left if str(own).startswith(f"{text}/")]
    return {str(own)[len(text) + 1 :]: left.pop(own) for own in inside} if inside else _ABSENT


def _covered(part: Part, given: Any) -> bool:
    """Check that every key of a part is given."""
    if not isinstance(part, Keys):
        return True
    left = dict(given)
    return all(
        (value := _pop(left, key)) is not _ABSENT and _covered(inner, value) for key, inner in part.parts
    )


def is_placeholder(value: object) -> bool:
    """Check for Tune's placeholder of an object, which is all that a searcher sees of it."""
    return isinstance(value, tuple) and len(value) == 2 and value[0] in _PLACEHOLDERS


def equal(a: Any, b: Any) -> bool:
    """Compare two values, also arrays; a list can equal a tuple, but True does not equal 1."""
    if isinstance(a, bool | np.bool_) != isinstance(b, bool | np.bool_):
        return False
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    try:
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            return np.shape(a) == np.shape(b) and bool(np.all(np.asarray(a) == np.asarray(b)))
        return bool(a is b or a == b)
    except Exception:  # an object's own comparison can raise anything
        return False
