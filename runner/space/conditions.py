"""Parameters below parameters: the tree that conditions make of a space.

A parameter list holds names with their domains; each option of a `Choice` may hold a list of
its own, whose parameters exist only where that option is chosen.
"""

from __future__ import annotations

from typing import NamedTuple

from runner.errors import SpaceError
from runner.space.domains import Choice, Domain, Params


class Node(NamedTuple):
    """A parameter at one place of the tree.

    Attributes
    ----------
    name : str
    domain : Domain
    column : int
        Its encoded coordinate; equal parameters of sibling branches share one.
    below : tuple of tuple of Node
        Per option the parameters below it, in reversed order, as they lie on a stack; empty
        where no option has any.
    """

    name: str
    domain: Domain
    column: int
    below: tuple[tuple[Node, ...], ...]


def grow(params: Params, columns: dict[tuple[str, Domain], int]) -> tuple[Node, ...]:
    """The tree of a parameter list, in reversed order.

    Parameters
    ----------
    params : tuple of (name, domain)
    columns : dict
        Is filled with the coordinate of each distinct (name, domain), in the order of the tree.
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
    """All names in a tree; raises SpaceError where two equal ones could be active together."""
    seen: set[str] = set()
    for name, domain in params:
        if not isinstance(name, str) or not name:
            raise SpaceError(f"the parameter name {name!r} is not a non-empty string.")
        if not isinstance(domain, Domain):
            raise SpaceError(f"{domain!r} is no domain; Float, Int or Choice was expected.", where=name)
        below = {name}
        if isinstance(domain, Choice):
            for branch in domain.branches:
                inside = check_names(branch)
                if name in inside:
                    raise SpaceError("a parameter below has the same name.", where=name, hint="Rename one.")
                below |= inside
        if clash := seen & below:
            raise SpaceError(
                "the name is used twice, and both could be active in one config.",
                where=min(clash),
                hint="Rename one.",
            )
        seen |= below
    return frozenset(seen)
