"""A space that methods can search, with the native form of its configs.

Methods search numbers, strings, booleans and None within bounds. Other libraries also choose among
objects (estimators, arrays, functions), draw from unbounded distributions, and nest their configs. A
`View` combines the space with the mapping from its configs to native ones, and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from runner.errors import SpaceError
from runner.space import Config, Space
from runner.space.formats.options import summary_of
from runner.space.formats.parts import Keys, Leaf, Part, Spliced, fill, may_be_dict, space_of
from runner.space.formats.points import point_of


@dataclass(frozen=True)
class View:
    """A space, and the tree of parts that it was read from."""

    space: Space
    part: Part

    @classmethod
    def of(cls, part: Part, where: str = "") -> View:
        """Make the view of a tree of parts; errors are prefixed with ``where``."""
        try:
            return cls(space_of(part), part)
        except SpaceError as error:
            raise (error.at(where) if where else error) from None

    @property
    def identical(self) -> bool:
        """True if native configs equal those of the space."""
        return isinstance(self.part, Keys) and all(
            isinstance(inner, Spliced)
            or (isinstance(inner, Leaf) and inner.transform is None and inner.name == key)
            for key, inner in self.part.parts
        )

    def of_dicts(self) -> Self:
        """Return itself; SpaceError if native configs are not dicts."""
        if not may_be_dict(self.part):
            raise SpaceError(f"expected a dict of parameters, got a space of {summary_of(self.part)}.")
        return self

    def native(self, config: Config) -> Any:
        """Convert a config of the space to its native form."""
        return fill(self.part, config)

    def point(self, given: Any, strict: bool = True) -> dict[str, Any]:
        """Convert a native config, complete or partial, to values of parameters; see `point_of`."""
        return point_of(self.part, given, strict)


@dataclass(frozen=True)
class OwnView(View):
    """Our own space, whose configs are native."""

    @classmethod
    def over(cls, space: Space) -> OwnView:
        """Make the view of a space."""
        return cls(space, Keys(()))

    @property
    def identical(self) -> bool:
        """Always True."""
        return True

    def native(self, config: Config) -> Any:
        """Copy a config."""
        return dict(config)

    def point(self, given: Any, strict: bool = True) -> dict[str, Any]:
        """Copy a config; unless ``strict``, omit unknown parameters."""
        if not isinstance(given, Mapping):
            raise SpaceError(f"expected a dict of parameters, got {given!r}.")
        known = set(self.space.names)
        return {name: value for name, value in given.items() if strict or name in known}
