"""A space that methods can search, and what its configs mean elsewhere.

Methods search numbers, strings, booleans and None within bounds. Other programs also choose among
objects (estimators, arrays, functions), draw from distributions without bounds, and nest their configs. A
`View` holds both: the space, and the way from one of its configs to what the other program would
have made, and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from runner.errors import SpaceError
from runner.space import Config, Space
from runner.space.formats.options import text_of
from runner.space.formats.parts import Keys, Leaf, Part, Spliced, fill, may_be_dict, space_of
from runner.space.formats.points import point_of


@dataclass(frozen=True)
class View:
    """A space and what its configs mean.

    Attributes
    ----------
    space : Space
    part : part
        What the space was read from.
    """

    space: Space
    part: Part

    @classmethod
    def of(cls, part: Part, where: str = "") -> View:
        """The view of a tree of parts; errors name the place that it comes from."""
        try:
            return cls(space_of(part), part)
        except SpaceError as error:
            raise (error.at(where) if where else error) from None

    @property
    def identical(self) -> bool:
        """Whether every config means itself."""
        return isinstance(self.part, Keys) and all(
            isinstance(inner, Spliced)
            or (isinstance(inner, Leaf) and inner.transform is None and inner.name == key)
            for key, inner in self.part.parts
        )

    def of_dicts(self) -> Self:
        """Itself; SpaceError where its configs are something else than dicts."""
        if not may_be_dict(self.part):
            raise SpaceError(f"expected a dict of parameters, got a space of {text_of(self.part)}.")
        return self

    def native(self, config: Config) -> Any:
        """What a config of the space means."""
        return fill(self.part, config)

    def point(self, given: Any, strict: bool = True) -> dict[str, Any]:
        """The values of parameters at what is written as `native` writes it; see `point_of`."""
        return point_of(self.part, given, strict)


@dataclass(frozen=True)
class OwnView(View):
    """A space of our own: a config means itself."""

    @classmethod
    def over(cls, space: Space) -> OwnView:
        """The view of a space."""
        return cls(space, Keys(()))

    @property
    def identical(self) -> bool:
        """It is."""
        return True

    def native(self, config: Config) -> Any:
        """A copy."""
        return dict(config)

    def point(self, given: Any, strict: bool = True) -> dict[str, Any]:
        """The config itself; without what is no parameter, unless ``strict``."""
        if not isinstance(given, Mapping):
            raise SpaceError(f"expected a dict of parameters, got {given!r}.")
        known = set(self.space.names)
        return {name: value for name, value in given.items() if strict or name in known}
