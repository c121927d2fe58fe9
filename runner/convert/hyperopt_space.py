"""Spaces from and to hyperopt's expressions.

Reading needs no hyperopt: an expression is told by its class's module, and its nodes have names.
Where hyperopt rounds (``quniform``, ``uniformint``) its end values get half the probability, and
some of its values lie outside the range; the domains here hold the multiples inside the range,
all equally likely.

Writing does not use hyperopt's own distributions for numbers. Every number becomes
``hp.uniform(label, 0, 1)`` in its encoded coordinate, so that logarithms, steps and the law at the
ends are the domain's; a `Choice` becomes ``hp.randint``, or ``hp.choice`` where it is conditional.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from runner.convert.nested import Options, comes_from, multiples, params_of
from runner.domains import Choice, Domain, Float, Int, Params
from runner.errors import SpaceError
from runner.space import Config, Space

_DIGITS = 12  # exp(log(1e-3)) is 0.0010000000000000002; the end that was meant is 1e-3


def is_hyperopt(given: object) -> bool:
    """Whether it is a node of a hyperopt expression."""
    return comes_from(given, "hyperopt.pyll")


def from_hyperopt(expr: object) -> Space:
    """A space from a hyperopt expression.

    A parameter is named by the keys that lead to it, joined by "/"; one that stands alone, by its
    label. A list counts as a dict with the keys "0", "1", .... A choice among dicts is
    conditional; see `runner.convert.nested` for its values.

    Parameters
    ----------
    expr : object
        ``hp.uniform``, ``loguniform``, ``quniform``, ``uniformint``, ``randint`` or ``choice``,
        perhaps in ``scope.int``; or dicts and lists of them, and of constants.

    Raises
    ------
    SpaceError
        Where a part has no bounded, evenly spread domain, or one label stands at two places.
    """
    places: dict[str, str] = {}

    def read(node: Any, name: str) -> Any:
        if isinstance(node, list | tuple):
            return {str(i): item for i, item in enumerate(node)}
        if not is_hyperopt(node):
            return node
        if hasattr(node, "obj"):
            return node.obj
        if node.name == "dict":
            return dict(node.named_args)
        if node.name == "pos_args":
            return {str(i): item for i, item in enumerate(node.pos_args)}
        return _parameter(node, name, places)

    params = params_of(read, expr)
    if "" in params:
        (label,) = (label for label, place in places.items() if not place)
        params = {name or label: domain for name, domain in params.items()}
    return Space(params)


def _parameter(node: Any, name: str, places: dict[str, str]) -> Domain | Options:
    inner, whole = node, False
    while inner.name in ("float", "int"):
        whole = whole or inner.name == "int"
        inner = inner.pos_args[0]
    if inner.name == "switch":
        inner = inner.pos_args[0]
    if inner.name != "hyperopt_param":
        raise SpaceError(
            f"the expression '{inner.name}' has no meaning in a space.",
            where=name,
            hint="Give the plain hp range, and compute from it in the objective.",
        )
    label, law = inner.arg["label"].obj, inner.arg["obj"]
    if places.setdefault(label, name) != name:
        raise SpaceError(
            f"the label '{label}' also stands at '{places[label]}'; two parameters cannot be tied.",
            where=name,
            hint="Keep one of them, and use it at both places in the objective.",
        )
    if node.name == "switch" and law.name == "randint":
        return Options(node.pos_args[1:])
    try:
        return distribution(law, whole)
    except SpaceError as error:
        raise error.at(name or label) from None


def distribution(law: Any, whole: bool) -> Domain:
    """The domain of a law of hyperopt, perhaps its whole part; SpaceError where it has none."""
    given = {key: node.obj for key, node in law.arg.items() if hasattr(node, "obj")}
    if law.name == "randint":
        low, high = (given["low"], given["high"]) if "high" in given else (0, given["low"])
        return multiples(Int, low, high - 1, 1)
    if law.name == "uniform" and not whole:
        return Float(given["low"], given["high"])
    if law.name == "loguniform" and not whole:
        return Float(_exp(given["low"]), _exp(given["high"]), log=True)
    if law.name == "quniform":
        return multiples(Int if whole else Float, given["low"], given["high"], given["q"])
    if law.name == "qloguniform" and whole and given["q"] == 1:
        return Int(max(1, math.ceil(_exp(given["low"]))), math.floor(_exp(given["high"])), log=True)
    raise SpaceError(
        f"{'the whole part of ' * whole}hp.{law.name} has no domain here.",
        hint="Use uniform, loguniform, quniform, uniformint, randint or choice, or list the values.",
    )


def _exp(x: float) -> float:
    return float(f"{math.exp(x):.{_DIGITS}g}")


# -- writing -------------------------------------------------------------------------------------


def encoded_hyperopt(space: Space) -> Any:
    """A space as a hyperopt expression in encoded coordinates.

    Forbidden combinations are not part of it.

    Parameters
    ----------
    space : Space

    Returns
    -------
    dict
        Parameter name to expression, nested by ``hp.choice``. The labels are those of
        `hyperopt_values`, and `hyperopt_config` reads a point of it.
    """
    from hyperopt import hp  # 0.8 s, and only the tpe method needs it

    labels = _labels(space)
    nodes: dict[tuple[str, Domain], Any] = {}

    def node(name: str, domain: Domain) -> Any:
        # Sibling branches with one coordinate share one node, else hyperopt sees a double label.
        if (name, domain) not in nodes:
            label = labels[name, domain]
            if not isinstance(domain, Choice):
                nodes[name, domain] = hp.uniform(label, 0.0, 1.0)
            elif domain.conditional:
                nodes[name, domain] = hp.choice(label, [expression(branch) for branch in domain.branches])
            else:
                nodes[name, domain] = hp.randint(label, domain.levels)
        return nodes[name, domain]

    def expression(params: Params) -> dict[str, Any]:
        return {name: node(name, domain) for name, domain in params}

    return expression(space.params)


def hyperopt_values(space: Space, config: Config) -> dict[str, float]:
    """A config as hyperopt holds it: label to encoded coordinate, or to the index of the option.

    Only the active parameters are in it.
    """
    row, active = space.encode(config), space.active(config)
    values: dict[str, float] = {}
    for (_, domain), label, u, used in zip(
        space.dimensions, _labels(space).values(), row, active, strict=True
    ):
        if used:
            choice = isinstance(domain, Choice)
            values[label] = int(u * (domain.levels or 1)) if choice else float(u)
    return values


def hyperopt_config(space: Space, values: Mapping[str, Any]) -> Config:
    """The config at a point in hyperopt's form; see `hyperopt_values`."""
    row = np.full(space.d, 0.5)
    for column, ((_, domain), label) in enumerate(
        zip(space.dimensions, _labels(space).values(), strict=True)
    ):
        if label in values:
            value = float(values[label])
            row[column] = (value + 0.5) / (domain.levels or 1) if isinstance(domain, Choice) else value
    return space.decode(row)


def _labels(space: Space) -> dict[tuple[str, Domain], str]:
    # With the column in front, siblings of one name and different domains have different labels.
    return {dimension: f"{column}:{dimension[0]}" for column, dimension in enumerate(space.dimensions)}
