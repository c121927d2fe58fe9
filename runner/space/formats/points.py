"""The parameters' values at a config that is written as the other program has it: `fill` backwards.

A config may be given in part, nested or with its keys joined by "/", and with parameters under
their own names. What is fixed in the space may be in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.errors import SpaceError, nearest
from runner.space.domains import same
from runner.space.formats.options import text_of
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

Found = dict[str, Any]

_PLACEHOLDERS = ("__ref_ph", "__fn_ph")


def point_of(part: Part, given: Any, strict: bool = True) -> Found:
    """The values that a config gives to parameters, by name; they may be out of their domains.

    Parameters
    ----------
    part : part
        The whole space.
    given : object
        The config, or a part of it.
    strict : bool, default True
        Raise for what is no parameter, and for a fixed value that is another here; else leave
        it out.

    Raises
    ------
    SpaceError
        Names the place.
    """
    return _Reader(part, strict).whole(given)


class _Reader:
    def __init__(self, part: Part, strict: bool, within: bool = False) -> None:
        self.part, self.strict = part, strict
        self.within = within  # within an option, which has to hold what is given to be the one

    def whole(self, given: Any) -> Found:
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
            wrong = SpaceError(f"there is no parameter of these names: {list(map(str, given))}.")
        named = _by_name(self.part)
        own = [str(key) for key, _ in self.part.parts] if isinstance(self.part, Keys) else []
        direct = [key for key in given if key in named and key not in own]
        if self.strict and not direct:
            raise wrong
        rest = {key: value for key, value in given.items() if key not in direct}
        found = self.at(self.part, rest, "") if rest and isinstance(self.part, Keys | Switch) else {}
        for key in direct:
            one = named[key]
            found |= {key: given[key]} if one is None else self.parameter(one, given[key], key)
        return found

    def at(self, part: Part, given: Any, where: str) -> Found:
        """The values at a part; SpaceError where it cannot have been made of what is given."""
        match part:
            case Fixed():
                if not equal(part.value, given) and not is_placeholder(part.value):
                    raise SpaceError(
                        f"it is fixed at {part.value!r} in the space, got {given!r}.", where=where
                    )
                return {}
            case Keys():
                return self.keys(part, given, where)
            case Items():
                return self.items(part, given, where)
            case Computed():
                labels = ", ".join(map(repr, names_of(part)))
                raise SpaceError(
                    "it is computed, and cannot be read back.",
                    where=where,
                    hint=f"Give the parameters themselves, under their labels: {labels}.",
                )
            case Leaf() | Switch():
                return self.parameter(part, given, where)
            case Spliced():
                return {part.name: given}

    def items(self, part: Items, given: Any, where: str) -> Found:
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != len(part.parts):
            raise SpaceError(f"expected {len(part.parts)} items, got {given!r}.", where=where)
        found: Found = {}
        for i, (inner, value) in enumerate(zip(part.parts, given, strict=True)):
            found |= self.at(inner, value, f"{where}/{i}")
        return found

    def keys(self, part: Keys, given: Any, where: str) -> Found:
        if not isinstance(given, Mapping):
            raise SpaceError(f"expected a dict, got {given!r}.", where=where)
        found: Found = {}
        left = dict(given)
        for key, inner in part.parts:
            name = f"{where}/{key}" if where else str(key)
            value = _taken(left, key)
            if value is _ABSENT:
                continue
            try:
                found |= self.at(inner, value, name)
            except SpaceError:
                if self.strict:
                    raise
        for key in left if self.strict else ():
            name = f"{where}/{key}" if where else str(key)
            known = [str(own) for own, _ in part.parts]
            raise SpaceError("there is no such parameter.", where=name, hint=nearest(str(key), known))
        return found

    def parameter(self, part: Leaf | Switch, given: Any, where: str) -> Found:
        """The value of a parameter, and of those below it."""
        if isinstance(part, Leaf):
            try:
                value = part.place(given)
                return {part.name: part.domain.canonical(value) if self.within else value}
            except SpaceError as error:
                raise error.at(where) from None
        if any(same(value, given) for value, _ in part.options):
            return {part.name: given}
        fitting: list[tuple[bool, int, Found]] = []
        for value, option in part.options:
            if isinstance(option, Fixed):
                found = {part.name: value} if equal(option.value, given) else None
            else:
                found = self._option(option, given, where, {part.name: value})
            if found is not None:
                fitting.append((_covered(option, given), len(found), found))
        if not fitting:
            options = [text_of(option) for _, option in part.options]
            raise SpaceError(f"value {given!r} is none of {options}.", where=where)
        covered, _, best = max(fitting, key=lambda one: one[:2])  # of equals the first
        if not covered and len(fitting) > 1:  # several would do: which of them is left open
            del best[part.name]
        return best

    def _option(self, option: Part, given: Any, where: str, own: Found) -> Found | None:
        try:
            return own | _Reader(option, True, within=True).at(option, given, where)
        except SpaceError:
            return None


def _by_name(part: Part) -> dict[str, Leaf | Switch | None]:
    """Every parameter by what its values are given under; None where they are given as they are searched.

    A name that ends in what is searched, such as a quantile, has the label without that beside it.
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


def _taken(left: dict[Any, Any], key: Any) -> Any:
    """The value of a key, removed; its parts, where they are joined to it by "/", as a dict."""
    text = str(key)
    for own in left:
        if str(own) == text:
            return left.pop(own)
    inside = [own for own in left if str(own).startswith(f"{text}/")]
    return {str(own)[len(text) + 1 :]: left.pop(own) for own in inside} if inside else _ABSENT


def _covered(part: Part, given: Any) -> bool:
    """Whether every key of a part is given, so that nothing is left open."""
    if not isinstance(part, Keys):
        return True
    left = dict(given)
    return all(
        (value := _taken(left, key)) is not _ABSENT and _covered(inner, value) for key, inner in part.parts
    )


def is_placeholder(value: object) -> bool:
    """Whether it is what Tune puts in the place of an object before a searcher sees it."""
    return isinstance(value, tuple) and len(value) == 2 and value[0] in _PLACEHOLDERS


def equal(a: Any, b: Any) -> bool:
    """Whether two values are equal, also arrays; lists and tuples are one, True and 1 are not."""
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
    except Exception:  # whatever an object's own comparison raises
        return False
