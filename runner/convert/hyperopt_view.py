"""A hyperopt search space unchanged, as `fmin` takes it: any expression of hyperopt's parameters.

Where `runner.convert.from_hyperopt` reads a space by its keys, this one knows parameters by their
labels, as hyperopt does, and leaves the expression to hyperopt: what the objective is called with
is what `fmin` would have called it with, arithmetic, nesting and objects included. Laws without
bounds are searched by their quantiles.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np

from runner.convert.hyperopt_space import distribution
from runner.convert.view import QUANTILE, ROUNDED, Read, View, bell, itself, quantiles, rounded
from runner.domains import Choice, Domain, Float
from runner.errors import SpaceError
from runner.space import Config, Space

_Reads = dict[str, tuple[str, Read]]


def hyperopt_view(expr: Any) -> View:
    """A view of a hyperopt expression; its configs stand for what `fmin` gives the objective.

    Parameters
    ----------
    expr : object
        An expression, or dicts, lists and tuples with expressions in them.

    Raises
    ------
    SpaceError
        Names the label that cannot be searched.
    """
    from hyperopt.pyll import as_apply  # 0.8 s, which whoever has such a space has paid already

    reads: _Reads = {}
    root = as_apply(expr)
    space = Space(_params([root], frozenset(), reads, {}))

    def native(config: Config) -> Any:
        from hyperopt import space_eval

        return space_eval(expr, dict(_value(name, value, reads) for name, value in config.items()))

    return View(space, native)


def _value(name: str, value: Any, reads: _Reads) -> tuple[str, Any]:
    label, read = reads[name]
    return label, read(value)


def _params(roots: list[Any], above: Set[str], reads: _Reads, nodes: dict[str, Any]) -> dict[str, Domain]:
    """The parameters that exist wherever these nodes do, with those below their choices."""
    choices: dict[str, list[Any]] = {}
    laws: dict[str, Any] = {}

    def visit(node: Any) -> None:
        if node.name == "switch" and node.pos_args[0].name == "hyperopt_param":
            label = _label(node.pos_args[0], nodes)
            choices.setdefault(label, []).extend(node.pos_args[1:])
        elif node.name == "hyperopt_param":
            laws[_label(node, nodes)] = node.arg["obj"]
        else:
            for part in node.inputs():
                visit(part)

    for root in roots:
        visit(root)
    inside = above | choices.keys() | laws.keys()
    params: dict[str, Domain] = {}
    for label in [*choices, *(label for label in laws if label not in choices)]:
        if label in above:
            continue
        if label in choices:
            params[label] = _choice(label, choices[label], nodes[label].arg["obj"], inside, reads, nodes)
        else:
            name, domain, read = _searched(label, laws[label])
            params[name], reads[name] = domain, (label, read)
    return params


def _label(node: Any, nodes: dict[str, Any]) -> str:
    label = str(node.arg["label"].obj)
    if nodes.setdefault(label, node) is not node:
        raise SpaceError("two parameters of the space have this label.", where=label, hint="Rename one.")
    return label


def _choice(
    label: str, options: list[Any], law: Any, above: Set[str], reads: _Reads, nodes: dict[str, Any]
) -> Choice:
    if law.name != "randint":
        raise SpaceError(
            f"a choice by {law.name} has no domain here.",
            where=label,
            hint="Use hp.choice: the methods find out which options are good.",
        )
    below = [_params([option], above, reads, nodes) for option in options]
    values = [option.obj if hasattr(option, "obj") else None for option in options]
    plain = all(hasattr(option, "obj") and type(option.obj) in (str, int, float, bool) for option in options)
    if plain and len(set(map(repr, values))) == len(values):
        reads[label] = label, lambda value: [repr(known) for known in values].index(repr(value))
        return Choice(values)
    reads[label] = label, itself
    positions = range(len(options))
    return Choice(dict(zip(positions, below, strict=True))) if any(below) else Choice(list(positions))


def _searched(label: str, law: Any) -> tuple[str, Domain, Read]:
    given = {key: node.obj for key, node in law.arg.items() if hasattr(node, "obj")}
    q = given.get("q")
    if law.name in ("normal", "qnormal", "lognormal", "qlognormal"):
        domain, read = quantiles(bell(given["mu"], given["sigma"]))
        log = "log" in law.name
        return label + QUANTILE, domain, lambda u: rounded(np.exp(read(u)) if log else read(u), q)
    if law.name == "qloguniform":
        low, high = (float(np.exp(given[end])) for end in ("low", "high"))
        return label + ROUNDED, Float(low, high, log=True), lambda value: rounded(value, q)
    try:
        return label, distribution(law, False), itself
    except SpaceError as error:
        raise error.at(label) from None
