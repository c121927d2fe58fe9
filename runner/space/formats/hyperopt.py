"""Spaces of hyperopt expressions, as passed to `fmin`.

A parameter is a labelled node of the expression, wherever and however often it is used; its name is
its label. Dicts, lists, arithmetic and objects around the nodes are left to hyperopt: a native config
is the argument that `fmin` would have passed to the objective.

When hyperopt rounds (``quniform``, ``uniformint``), its end values get half the probability, and some of
its values lie outside the range; the domains here hold the multiples inside the range, all equally
likely. Unbounded distributions are searched by their quantiles.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.errors import SpaceError, clip
from runner.space import Config, Space
from runner.space.domains import Choice, Domain, Float, Int
from runner.space.formats.forms import HYPEROPT, form_of
from runner.space.formats.options import distinctive_key, fixed, summary_of, switch
from runner.space.formats.parts import (
    Computed,
    Items,
    Keys,
    Leaf,
    Part,
    Spliced,
    Switch,
    has_parameters,
    parameters,
)
from runner.space.formats.transforms import QUANTILE, ROUNDED, Normal, Quantile, Rounded, Transform, multiples
from runner.space.formats.view import View

logger = logging.getLogger(__name__)

_DIGITS = 12  # exp(log(1e-3)) is 0.0010000000000000002; the intended bound is 1e-3
_MAX_CHARACTERS = 40  # of an expression in a message


def from_hyperopt(expr: object) -> Space:
    """Read the space of a hyperopt expression, as `hyperopt_view` does."""
    return hyperopt_view(expr).space


def hyperopt_view(expr: Any) -> View:
    """Read a hyperopt expression; native configs are the arguments that `fmin` passes to the objective.

    Parameters
    ----------
    expr : object
        An expression, or dicts, lists and tuples with expressions in them.

    Raises
    ------
    SpaceError
        Names the label that cannot be searched.
    """
    from hyperopt.pyll import as_apply  # 0.8 s, but a user with such a space has imported it already

    expr = _contained(expr)
    try:
        root = as_apply(expr)
    except TypeError as error:  # keys that cannot be sorted
        raise SpaceError(f"hyperopt cannot read it: {error}.", where="space") from None
    reader = _Reader(root)
    part = reader.read(expr)
    return HyperoptView(View.of(part).space, part, root, tuple(reader.nodes.items()))


def _contained(given: Any) -> Any:
    """Convert other mappings to dicts, as hyperopt does not search them for expressions."""
    if isinstance(given, Mapping):
        return {key: _contained(value) for key, value in given.items()}
    return [*map(_contained, given)] if isinstance(given, list | tuple) else given


@dataclass(frozen=True)
class HyperoptView(View):
    """The view of an expression ``root``, with its labelled ``nodes``; hyperopt evaluates it."""

    root: Any
    nodes: tuple[tuple[Any, Leaf | Switch], ...] = field(repr=False)

    @property
    def identical(self) -> bool:
        """Always False: hyperopt converts lists to tuples, and sorts keys."""
        return False

    def native(self, config: Config) -> Any:
        """Evaluate the expression."""
        from hyperopt.pyll import rec_eval

        known: dict[Any, Any] = {}
        for node, one in self.nodes:
            if one.name in config:
                value = config[one.name]
                known[node] = one.read(value) if isinstance(one, Leaf) else one.position(value)
        return rec_eval(self.root, memo=known, print_node_on_error=False)


class _Reader:
    """Reader of an expression that makes one part of each node, however often it is used."""

    def __init__(self, root: Any) -> None:
        self.nodes: dict[Any, Leaf | Switch] = {}
        self._parts: dict[int, Part] = {}
        self._labels: dict[str, Any] = {}
        self._integers = _integers_only(root)

    def read(self, node: Any) -> Part:
        """Read a node, or a dict or list around nodes, in the user's order."""
        if isinstance(node, dict):
            return Keys(tuple((key, self.read(value)) for key, value in node.items()))
        if isinstance(node, list):
            return Items(tuple(map(self.read, node)), tuple)
        if form_of(node) != HYPEROPT:
            return fixed(node, HYPEROPT, "space")
        found = self._parts.get(id(node))
        if found is None:
            found = self._parts[id(node)] = self._read(node)
        return found

    def _read(self, node: Any) -> Part:
        name = node.name
        if name == "literal":
            return fixed(node.obj, HYPEROPT, "space")
        if name == "hyperopt_param":
            return self._leaf(node)
        if name in ("float", "int") and isinstance(inner := self.read(node.pos_args[0]), Leaf):
            return inner
        if name == "switch" and node.pos_args[0].name == "hyperopt_param":
            return self._switch(node)
        if name == "pos_args":
            return Items(tuple(map(self.read, node.pos_args)), tuple)
        if name == "dict" and not node.pos_args:
            return Keys(tuple((key, self.read(value)) for key, value in node.named_args))
        if name == "dict" and (pairs := _pairs(node.pos_args)) is not None:  # keys other than strings
            return Keys(tuple((key.obj, self.read(value)) for key, value in pairs))
        inputs = [self.read(part) for part in node.inputs()]
        inside = {id(one): one for part in inputs for one in parameters(part)}
        expression = clip(f"{name}({', '.join(map(summary_of, inputs))})", _MAX_CHARACTERS)
        return Computed(expression, tuple(one for one in inside.values() if not isinstance(one, Spliced)))

    def _label(self, node: Any) -> str:
        label = str(node.arg["label"].obj)
        if self._labels.setdefault(label, node) is not node:
            raise SpaceError("duplicate label.", where=label, hint="Rename one.")
        return label

    def _leaf(self, node: Any) -> Leaf:
        label, drawn = self._label(node), node.arg["obj"]
        try:
            suffix, domain, transform = _searched(drawn, id(node) in self._integers)
        except SpaceError as error:
            raise error.at(label) from None
        self.nodes[node] = leaf = Leaf(label + suffix, domain, transform)
        return leaf

    def _switch(self, node: Any) -> Switch:
        index, *options = node.pos_args
        label = self._label(index)
        if index.arg["obj"].name == "categorical" and index not in self.nodes:
            logger.warning(
                "The probabilities of hp.pchoice '%s' are ignored; all options are equally likely.", label
            )
        parts = list(map(self.read, options))
        key = distinctive_key(parts) if any(map(has_parameters, parts)) else None
        made = switch(label, parts, key, index)
        if (first := self.nodes.setdefault(index, made)) is not made and isinstance(first, Switch):
            if len(first.options) != len(made.options):
                raise SpaceError("choices of different lengths have this label.", where=label)
            values = [value for value, _ in first.options]
            made = Switch(label, tuple(zip(values, (part for _, part in made.options), strict=True)), index)
        return made


def _pairs(inputs: list[Any]) -> list[tuple[Any, Any]] | None:
    """Return the entries of a dict that is made of a list of pairs."""
    if len(inputs) != 1 or inputs[0].name != "pos_args":
        return None
    pairs = [tuple(pair.pos_args) for pair in inputs[0].pos_args if pair.name == "pos_args"]
    fits = all(len(pair) == 2 and pair[0].name == "literal" for pair in pairs)
    return pairs if fits and len(pairs) == len(inputs[0].pos_args) else None


def _integers_only(root: Any) -> set[int]:
    """Collect the ids of the nodes that are used as integers only (``scope.int``)."""
    from hyperopt.pyll import dfs

    users: dict[int, list[Any]] = {}
    nodes = dfs(root)
    for node in nodes:
        for part in node.inputs():
            users.setdefault(id(part), []).append(node)

    def integer(node: Any) -> bool:
        above = users.get(id(node), [])
        return bool(above) and all(u.name == "int" or (u.name == "float" and integer(u)) for u in above)

    return {id(node) for node in nodes if node.name == "hyperopt_param" and integer(node)}


def _searched(drawn: Any, integer: bool) -> tuple[str, Domain, Transform | None]:
    """Return the suffix of the parameter's name, its domain, and its transform."""
    given = {key: node.obj for key, node in drawn.arg.items() if hasattr(node, "obj")}
    computed = [key for key, node in drawn.arg.items() if hasattr(node, "inputs") and key not in given]
    if computed:
        raise SpaceError(
            f"'{computed[0]}' of hp.{drawn.name} is computed from other parameters.",
            hint="Give numbers, and compute in the objective.",
        )
    q = given.get("q")
    if drawn.name in ("normal", "qnormal", "lognormal", "qlognormal"):
        normal = Normal(float(given["mu"]), float(given["sigma"]))
        quantile = Quantile(normal, log="log" in drawn.name, q=q)
        return QUANTILE, quantile.domain, quantile
    if drawn.name == "qloguniform" and not (integer and q == 1):
        return ROUNDED, Float(_exp(given["low"]), _exp(given["high"]), log=True), Rounded(float(given["q"]))
    return "", _domain(drawn.name, given, integer), None


def _domain(name: str, given: Mapping[str, Any], integer: bool) -> Domain:
    if name == "randint":
        low, high = (given["low"], given["high"]) if "high" in given else (0, given["low"])
        return multiples(Int, low, high - 1, 1)
    if name == "categorical":
        return Choice(range(len(given["p"])))
    if name == "uniform":
        return Float(given["low"], given["high"])
    if name == "loguniform":
        return Float(_exp(given["low"]), _exp(given["high"]), log=True)
    if name == "quniform":
        kind = Int if integer and float(given["q"]).is_integer() else Float
        return multiples(kind, given["low"], given["high"], given["q"])
    if name == "qloguniform":
        return Int(max(1, math.ceil(_exp(given["low"]))), math.floor(_exp(given["high"])), log=True)
    raise SpaceError(
        f"unsupported hyperopt distribution hp.{name}.",
        hint="Use one of uniform, normal, randint, choice and their variants.",
    )


def _exp(x: float) -> float:
    try:
        return float(f"{math.exp(x):.{_DIGITS}g}")
    except OverflowError:
        return math.inf
