"""The tree of conditional parameters.

A parameter list holds names with their domains; each option of a `Choice` may hold a further list,
whose parameters exist only if that option is chosen.
"""

from __future__ import annotations

from typing import NamedTuple

from runner.errors import SpaceError
from runner.space.domains import Choice, Domain, Params


class Node(NamedTuple):
    """A parameter in the tree.

    Attributes
    ----------
    column : int
        Its encoded coordinate; equal parameters of sibling branches share one.
    below : tuple of tuple of Node
        For each option its conditional parameters, in reversed order, ready to be put on a stack;
        empty if no option has any.
    """

    name: str
    domain: Domain
    column: int
    below: tuple[tuple[Node, ...], ...]


def grow(params: Params, columns: dict[tuple[str, Domain], int]) -> tuple[Node, ...]:
    """Build the tree of a parameter list, in reversed order.

    Fills ``columns`` with the coordinate of each distinct (name, domain), in the order of the tree.
    """
    nodes = []
    for name, domain in params:
        column = columns.setdefault((name, domain), len(columns))
        below: tuple[tuple[Node, ...], ...] = ()
        if isinstance(domain, Choice) and domain.conditional:
            below = tuple(grow(branch, columns) for branch in domain.branches)
        nodes.append(Node(name, domain, column, below))
    return tuple(reversed(nodes))


def check_names(params: Params) -> frozenset[str]:
    """Collect all names in a tree; SpaceError if two equal ones could be active together."""
    seen: set[str] = set()
    for name, domain in params:
        if not isinstance(name, str) or not name:
            raise SpaceError(f"expected a non-empty string as a parameter name, got {name!r}.")
        if not isinstance(domain, Domain):
            raise SpaceError(f"expected a Float, Int or Choice, got {domain!r}.", where=name)
        below = {name}
        if isinstance(domain, Choice):
            for branch in domain.branches:
                inside = check_names(branch)
                if name in inside:
                    raise SpaceError(
                        "duplicate name: a conditional parameter below has it, too.",
                        where=name,
                        hint="Rename one.",
                    )
                below |= inside
        if clash := seen & below:
            raise SpaceError(
                "duplicate name: both parameters could be active in one config.",
                where=min(clash),
                hint="Rename one.",
            )
        seen |= below
    return frozenset(seen)
