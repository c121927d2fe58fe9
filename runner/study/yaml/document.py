"""A document that was read, and where each part of it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

from runner.errors import FivefoldError, near


class Mark(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    line: int
    column: int


_MOST_DEPTH = 12  # of an object, which may contain itself; errors name no deeper parts
_NAME = re.compile(r"(?:\.|: ?)?([^.:\[]+)")


@dataclass(eq=False)
class YamlNode:
    """A value with its place.

    Attributes
    ----------
    value : object
        As Python has it. An alias is the anchored node itself.
    items : list of YamlNode
        Items of a list.
    entries : dict
        Entries of a mapping: by key, the place of the key and the node of the value.
    size, depth : int
        Number of values, aliases written out, and how deeply they are nested.
    """

    value: Any
    mark: Mark
    items: list[YamlNode] = field(default_factory=list)
    entries: dict[Any, tuple[Mark, YamlNode]] = field(default_factory=dict)
    size: int = 1
    depth: int = 0

    @property
    def parts(self) -> Iterator[tuple[str, Mark, YamlNode]]:
        """Yield the direct parts: name within a path, place, and node."""
        for i, item in enumerate(self.items):
            yield f"[{i}]", item.mark, item
        for key, (mark, node) in self.entries.items():
            yield str(key), mark, node


@dataclass(frozen=True)
class Document:
    """A YAML file that has been read; or an object in its place, which has no line numbers.

    Attributes
    ----------
    source : str
        Name in errors: its path.
    faults : tuple of (Mark, FivefoldError)
        Faults of single values, which have some value all the same.
    """

    source: str
    root: YamlNode
    faults: tuple[tuple[Mark, FivefoldError], ...] = ()

    @classmethod
    def of(cls, value: Any, source: str) -> Document:
        """Wrap an object in place of a file: its errors have an order, but no lines."""
        return cls(source, YamlNode(value, Mark(0, 0)))

    @property
    def value(self) -> Any:
        """The content of the file."""
        return self.root.value

    @cached_property
    def _tree(self) -> YamlNode:
        return self.root if self.root.mark.line else _numbered(self.value, count(), 0)

    def find(self, path: str) -> tuple[Mark, YamlNode]:
        """Find the place that an error's path names, and the node there.

        Parameters
        ----------
        path : str
            Keys and positions as errors write them, such as ``problems[0]: space.C``. A key in it may
            be misspelt. Unknown parts are left out: the place is then that of the innermost part
            that was found.
        """
        node = self._tree
        mark = node.mark
        while path and (found := _step(node, path) or _step_near(node, path) or _step_over(node, path)):
            path, mark, node = found
        return mark, node

    def in_order(self, errors: Iterable[FivefoldError]) -> list[FivefoldError]:
        """List all faults of the file, in its order, each error with its place in front.

        Parameters
        ----------
        errors : iterable of FivefoldError
            Errors whose ``where`` begins with the path of a key. Faults of a value that could not be
            read are left out, since they follow from that.
        """
        unread = {mark for mark, _ in self.faults}
        found = dict.fromkeys(self.faults)
        for error in errors:
            mark, node = self.find(error.where)
            if node.mark not in unread:
                place = f"{self.source}:{mark.line}:{mark.column}" if mark.line else self.source
                found[mark, error.at(place, ": ")] = None
        texts: dict[str, FivefoldError] = {}
        for _, error in sorted(found, key=lambda pair: pair[0]):
            texts.setdefault(str(error), error)
        return list(texts.values())


def _numbered(value: Any, numbers: Iterator[int], depth: int) -> YamlNode:
    """Make a node of an object, with the order of its parts as their columns in line 0."""
    node = YamlNode(value, Mark(0, next(numbers)))
    if depth < _MOST_DEPTH and isinstance(value, Mapping):
        for key, part in value.items():
            node.entries[key] = Mark(0, next(numbers)), _numbered(part, numbers, depth + 1)
    elif depth < _MOST_DEPTH and isinstance(value, list | tuple):
        node.items = [_numbered(part, numbers, depth + 1) for part in value]
    return node


def _step(node: YamlNode, path: str) -> tuple[str, Mark, YamlNode] | None:
    """Split a path after its first part, and find that part; of several, the longest name."""
    path = path.removeprefix(":").lstrip(" ") if path.startswith(":") else path.removeprefix(".")
    found: tuple[str, Mark, YamlNode] | None = None
    for name, mark, part in node.parts:
        rest = path.removeprefix(name)
        if (
            path.startswith(name)
            and rest[:1] in ("", ".", "[", ":")
            and (found is None or len(rest) < len(found[0]))
        ):
            found = rest, mark, part
    return found


def _step_over(node: YamlNode, path: str) -> tuple[str, Mark, YamlNode] | None:
    """Step over a key that errors leave out: ``choice`` of a domain, the name of a method."""
    steps = [_step(part, path) for _, _, part in node.parts if part.entries]
    known = [step for step in steps if step is not None]
    return known[0] if len(known) == 1 else None


def _step_near(node: YamlNode, path: str) -> tuple[str, Mark, YamlNode] | None:
    """Step to the key that the path misspells, by the rule of its reader."""
    name = _NAME.match(path)
    meant = near(name[1], [str(key) for key in node.entries]) if name else None
    return _step(node, f"{meant}{path[name.end() :]}") if name and meant is not None else None


__all__ = ["Document", "Mark", "YamlNode"]
