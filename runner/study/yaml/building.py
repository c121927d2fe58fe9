"""Nodes from the events of PyYAML's parser: aliases, merge keys, tags, and limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
)

from runner._text import MAX_SHOWN, shown
from runner.errors import FivefoldError, StudyError, clip
from runner.study.yaml.document import Mark, YamlNode
from runner.study.yaml.scalars import ScalarError, number, resolve

MOST_DEPTH: Final = 64
"""Most levels of nested values; conditions twenty deep need no more, and Python's stack holds it."""
MOST_ALIASED: Final = 20_000
"""Most values that the aliases of a file stand for; thirty problems that share a space of a hundred
parameters need half of it, and it is checked in a fraction of a second."""
MOST_FAULTS: Final = 100
"""Most faults of single values; a hundred are usually one mistake."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_PREFIX: Final = "tag:yaml.org,2002:"
_COLLECTIONS: Final = MappingProxyType({MappingStartEvent: "map", yaml.SequenceStartEvent: "seq"})


@dataclass
class _Frame:
    """A list or mapping that has begun and not ended."""

    node: YamlNode
    anchor: str | None
    key: tuple[YamlNode, bool] | None = (
        None  # of a mapping: a key that waits for its value; is it a merge key
    )
    merged: list[tuple[Mark, YamlNode]] = field(default_factory=list)


class Builder:
    """Builder of nodes from events.

    Parameters
    ----------
    source : str
        Name of the file in errors.
    most_faults : float
        Number of faults after which nothing more is read.

    Attributes
    ----------
    roots : list of YamlNode
        One per document.
    faults : list of (Mark, FivefoldError)
        Faults of single values, which have some value all the same.
    """

    def __init__(self, source: str, most_faults: float = MOST_FAULTS) -> None:
        self.source = source
        self._most_faults = most_faults
        self.roots: list[YamlNode] = []
        self.faults: list[tuple[Mark, FivefoldError]] = []
        self._frames: list[_Frame] = []
        self._anchors: dict[str, YamlNode | None] = {}  # None: it has not ended yet
        self._aliased = 0

    def refuse(self, mark: Mark, message: str) -> NoReturn:
        """Raise the faults noted so far, and the one that ends the reading."""
        raise FivefoldError.join([*(error for _, error in self.faults), self._error(mark, message)]) from None

    def add(self, event: Event) -> None:
        """Take the next event.

        Raises
        ------
        StudyError
            Where the file, its aliases written out, passes the limits.
        """
        if isinstance(event, DocumentStartEvent):
            self._anchors.clear()
            if event.version is not None and tuple(event.version) < (1, 2):
                self._fault(event, "expected YAML 1.2, got the directive %YAML 1.1.", "Leave it out.")
        elif isinstance(event, CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, CollectionEndEvent):
            self._end()
        elif isinstance(event, AliasEvent):
            self._put(self._alias(event))
        elif isinstance(event, ScalarEvent):
            node = YamlNode(self._scalar(event), _mark(event))
            if event.anchor is not None:
                self._anchors[event.anchor] = node
            merges = event.value == "<<" and event.implicit[0] and event.tag is None
            self._put(node, merges)

    def _begin(self, event: CollectionStartEvent) -> None:
        if len(self._frames) == MOST_DEPTH:
            self.refuse(_mark(event), f"expected at most {MOST_DEPTH} levels of nesting, got more.")
        kind = _COLLECTIONS[type(event)]
        if event.tag not in (None, "!", _PREFIX + kind):
            self._fault(event, f"the tag '{_tag(event.tag)}' has no meaning here.", "Leave it out.")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._frames.append(_Frame(YamlNode({} if kind == "map" else [], _mark(event)), event.anchor))

    def _end(self) -> None:
        frame = self._frames.pop()
        node = frame.node
        if frame.merged:
            self._merge(frame)
        below = [*node.items, *(part for _, part in node.entries.values())]
        node.size = 1 + sum(part.size for part in below)
        node.depth = 1 + max((part.depth for part in below), default=0)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = node
        self._put(node)

    def _put(self, node: YamlNode, merges: bool = False) -> None:
        """Enter a finished node into its parent."""
        if not self._frames:
            self.roots.append(node)
            return
        frame = self._frames[-1]
        if isinstance(frame.node.value, list):
            frame.node.items.append(node)
            frame.node.value.append(node.value)
        elif frame.key is None:
            frame.key = node, merges
        else:
            (key, is_merge), frame.key = frame.key, None
            if is_merge:
                self._collect(frame, key, node)
            elif self._is_key(key, frame):
                frame.node.entries[key.value] = key.mark, node
                frame.node.value[key.value] = node.value

    def _is_key(self, key: YamlNode, frame: _Frame) -> bool:
        """Test that a mapping may have the key; note a fault where not."""
        if isinstance(key.value, list | dict) or key.value != key.value:
            self._note(key.mark, f"expected a string or a number as the key, got {shown(key.value)}.")
            return False
        if key.value not in frame.node.entries:
            return True
        there = next(other for other in frame.node.entries if other == key.value)
        line = frame.node.entries[there][0].line
        if type(there) is type(key.value):
            self._note(key.mark, f"duplicate key {_key_name(key.value)}, first in line {line}.")
        else:
            message = f"duplicate key {_key_name(key.value)}, equal to {_key_name(there)} in line {line}."
            self._note(key.mark, message, "Write one of them in quotes, or leave it out.")
        return False

    def _collect(self, frame: _Frame, key: YamlNode, node: YamlNode) -> None:
        """Note the mappings of a merge key."""
        given = node.items if isinstance(node.value, list) else [node]
        if frame.merged:
            self._note(key.mark, "duplicate key <<.", "Write <<: [*a, *b].")
        elif not given or not all(isinstance(part.value, dict) for part in given):
            message = f"expected a mapping or a list of mappings to merge, got {shown(node.value)}."
            self._note(key.mark, message, "Write <<: *name.")
        else:
            frame.merged = [(key.mark, part) for part in given]

    def _merge(self, frame: _Frame) -> None:
        """Put merged entries before the mapping's own keys, which override them; the first one wins."""
        own = frame.node.entries
        merged: dict[Any, tuple[Mark, YamlNode]] = {}
        for _, part in frame.merged:
            for key, entry in part.entries.items():
                merged.setdefault(key, entry)
        frame.node.entries = merged | own
        frame.node.value.clear()
        frame.node.value.update({key: node.value for key, (_, node) in frame.node.entries.items()})

    def _alias(self, event: AliasEvent) -> YamlNode:
        mark, name = _mark(event), str(event.anchor)
        found = self._anchors.get(name)
        if found is None:
            alias = f"the alias '*{clip(name, MAX_SHOWN)}'"
            if name in self._anchors:
                self.refuse(mark, f"{alias} is within its own anchor.")
            self._note(mark, f"{alias} has no anchor before it.")
            return YamlNode(None, mark)
        self._aliased += found.size
        if self._aliased > MOST_ALIASED:
            self.refuse(mark, f"expected aliases of at most {MOST_ALIASED:,} values in all, got more.")
        if len(self._frames) + found.depth > MOST_DEPTH:
            self.refuse(mark, f"expected at most {MOST_DEPTH} levels of nesting, got more.")
        return found

    def _scalar(self, event: ScalarEvent) -> Any:
        text, tag = event.value, event.tag
        if _SURROGATES.search(text):  # JSON writes characters beyond U+FFFF as two escapes
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if "\ufffd" in text:
                self._fault(event, "expected a whole surrogate pair, got half of one.")
        if "\0" in text:
            self._fault(event, "expected a string without NUL.")
            return text.replace("\0", "\ufffd")
        try:
            if tag is None:
                return resolve(text) if event.implicit[0] else text
            return _tagged(text, tag)
        except ScalarError as error:
            self._fault(event, str(error))
            return text

    def _fault(self, event: Event, message: str, hint: str = "") -> None:
        self._note(_mark(event), message, hint)

    def _note(self, mark: Mark, message: str, hint: str = "") -> None:
        self.faults.append((mark, self._error(mark, message, hint)))
        if len(self.faults) >= self._most_faults:
            raise FivefoldError.join(error for _, error in self.faults)

    def _error(self, mark: Mark, message: str, hint: str = "") -> StudyError:
        return StudyError(message, where=f"{self.source}:{mark.line}:{mark.column}", hint=hint)


def _tagged(text: str, tag: str) -> Any:
    """Resolve a scalar with a tag."""
    kind = tag.removeprefix(_PREFIX)
    if tag in ("!", _PREFIX + "str"):
        return text
    plain: Any = number(text) if kind in ("int", "float") else resolve(text)
    if kind == "float" and isinstance(plain, int):
        return float(plain)
    if tag == _PREFIX + kind and kind in _TAGGED:
        if type(plain) is _TAGGED[kind]:
            return plain
        raise ScalarError(f"expected {kind} as the tag says, got {shown(text)}.")
    raise ScalarError(f"the tag '{_tag(tag)}' has no meaning here. Leave it out.")


_TAGGED: Final = MappingProxyType({"int": int, "float": float, "bool": bool, "null": type(None)})


def _tag(tag: str) -> str:
    return clip(tag.replace(_PREFIX, "!!"), MAX_SHOWN)


def _key_name(key: object) -> str:
    """Write a key as YAML does."""
    return shown(key).lower() if isinstance(key, bool) else "null" if key is None else shown(key)


def _mark(event: Event) -> Mark:
    mark: Any = event.start_mark
    return Mark(mark.line + 1, mark.column + 1)
