"""Code of an objective: its own, and what it calls as far as that is not installed.

From the function's own file, the top-level statements count that it reaches by names: functions, classes
and constants, and the statements that change them. Other local modules that these import count as a whole,
and so do the local modules that those import; of a package, only the modules that are imported. Installed
packages count by their version (`runner.study.identity.environment`).

Digests are of the syntax trees: layout, comments and docstrings do not count, nor does the version of Python.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from runner.problems.files.local_imports import imported_modules, is_local, local_sources, modules_named
from runner.problems.files.objective_files import imported_source

_OURS: Final = {"problem"}  # decorators whose arguments are compared by themselves
_LETTERS: Final = 16  # of a digest: 64 bits are plenty against accidental collisions
_MOST_KEPT: Final = 4096  # sources whose digest is cached: a local package is read again for every study
_UNCOUNTED: Final = {"ctx", "type_comment", "type_ignores", "kind"}


@dataclass(frozen=True)
class Code:
    """Code of a function or class.

    Attributes
    ----------
    digests : dict of str to str
        By file name.
    packages : frozenset of str
        Top-level names of its imports that are not local.
    """

    digests: dict[str, str] = field(default_factory=dict)
    packages: frozenset[str] = frozenset()

    def __or__(self, other: Code) -> Code:
        return Code(self.digests | other.digests, self.packages | other.packages)


def is_ours(kind: type) -> bool:
    """True for a class of this package, which counts by the package's version."""
    return kind.__module__ == "runner" or kind.__module__.startswith("runner.")


def code_of(thing: type | FunctionType) -> Code:
    """Collect the code of a function or class; empty where it is installed or has no source."""
    if thing.__module__ is None or thing.__module__ == "builtins":
        return Code()
    module = sys.modules.get(thing.__module__)
    path = _path_of(module)
    if path is None:
        return _without_a_file(thing)
    if not is_local(path):
        return Code(packages=frozenset({thing.__module__.partition(".")[0]}))
    try:
        package = _package_of(thing.__module__, path)
        statements = _statements(imported_source(path) or path.read_bytes(), package)
    except (OSError, SyntaxError, ValueError):  # the file is gone, or is not what was imported
        return Code()
    script = thing.__module__ == "__main__"
    reached = _reached(statements, _roots(thing, statements), whole_effects=not script)
    names = {name for statement in reached for name in statement.imports}
    nodes = [node for statement in reached for node in statement.counted]
    return Code({path.name: _digest(nodes)}) | _imported(names, _root_of(path, package))


@lru_cache(_MOST_KEPT)
def digest_of(text: str | bytes) -> str:
    """Compute a digest of Python source, without layout, comments and docstrings."""
    try:
        return _digest(ast.parse(text).body)
    except (SyntaxError, ValueError):
        content = text if isinstance(text, bytes) else text.encode()
        return hashlib.sha256(content).hexdigest()[:_LETTERS]


def _digest(nodes: Iterable[ast.AST]) -> str:
    written = "\n".join("".join(_written(node)) for node in nodes if not _is_docstring(node))
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:_LETTERS]


def _written(node: object) -> Iterator[str]:
    """Write a syntax tree without empty fields: newer versions of Python have more of them."""
    if isinstance(node, ast.Constant):
        yield repr(node.value)
    elif isinstance(node, ast.AST):
        yield f"{type(node).__name__}("
        for name, value in ast.iter_fields(node):
            if value is None or value == [] or name in _UNCOUNTED:
                continue
            yield f"{name}="
            yield from _written(value)
        yield ")"
    elif isinstance(node, list):
        for one in node:
            if not _is_docstring(one):
                yield from _written(one)
                yield ","
    else:
        yield repr(node)


def _path_of(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    return None if file is None else Path(file)


def _package_of(module: str, path: Path) -> str:
    """Return the package of a module, if its file lies in a folder of that name."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    parts = package.split(".") if package else []
    return package if parts and list(path.parent.parts[-len(parts) :]) == parts else ""


def _root_of(path: Path, package: str) -> Path:
    """Return the folder that the package of a module is imported from."""
    return path.parents[package.count(".") + 1 if package else 0]


def _imported(names: Iterable[str], root: Path) -> Code:
    """Collect the code of imported modules that are local, and the names of the others."""
    ordered = sorted(set(names))
    roots = local_sources(ordered, root, whole=False).roots
    sources = {file: source for files in roots.values() for file, source in files.items()}
    local = {file.partition("/")[0].removesuffix(".py") for file in sources}
    packages = _first_names(ordered) - local
    packages |= {name for source in sources.values() for name in _first_names(imported_modules(source))}
    digests = {file: digest_of(source) for file, source in sources.items()}
    return Code(digests, frozenset(packages - sys.stdlib_module_names))


def _first_names(modules: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


# -- what is reached -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Statement:
    """A statement at the top level of a module."""

    first: int  # line, decorators included
    last: int
    binds: frozenset[str]
    uses: frozenset[str]
    changes: frozenset[str]  # names whose things it changes: ``x.y = 1``, ``x.update(...)``
    imports: frozenset[str]  # modules that it imports, wherever in it, and names that may be modules
    effect: bool  # it is there for what it does, not for a name
    star: bool
    node: ast.stmt
    counted: Sequence[ast.AST]  # itself, without decorators of ours


@lru_cache(maxsize=64)
def _statements(source: bytes, package: str) -> tuple[_Statement, ...]:
    return tuple(_statement(node, package) for node in ast.parse(source).body if not _is_main(node))


def _statement(node: ast.stmt, package: str) -> _Statement:
    counted: Sequence[ast.AST] = [node]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        decorators = [one for one in node.decorator_list if _name_of(one) not in _OURS]
        counted = [*decorators, *_without_decorators(node)]
    uses = {
        one.id
        for part in counted
        for one in ast.walk(part)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)
    }
    imports = frozenset(modules_named(node, package))
    star = any(
        isinstance(one, ast.ImportFrom) and any(alias.name == "*" for alias in one.names)
        for one in ast.walk(node)
    )
    end = node.end_lineno or node.lineno
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    binds = frozenset(_bound(node))
    changes = frozenset(_changed(node))
    return _Statement(first, end, binds, frozenset(uses), changes, imports, not binds, star, node, counted)


def _without_decorators(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name != "decorator_list":
            yield from (
                one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST)
            )


def _name_of(decorator: ast.expr) -> str:
    """Get the last name of a decorator: ``problem`` for ``@runner.problem(...)``."""
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    return inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")


def _bound(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            yield one.id
        elif isinstance(one, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in one.names)
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield one.name


def _changed(node: ast.stmt) -> Iterator[str]:
    """Yield the names whose objects a statement changes without binding them."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    for one in ast.walk(node):
        target: ast.AST | None = None
        if isinstance(one, ast.Attribute | ast.Subscript) and isinstance(one.ctx, ast.Store | ast.Del):
            target = one.value
        elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
            target = one.func.value
        elif isinstance(one, ast.AugAssign):
            target = one.target
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
        if isinstance(target, ast.Name):
            yield target.id


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in {
        one.id for one in ast.walk(node.test) if isinstance(one, ast.Name)
    }


def _roots(thing: type | FunctionType, statements: Sequence[_Statement]) -> frozenset[str] | _Statement:
    """Find the name of a thing at the top level, or the statement around it where it has none."""
    name = thing.__qualname__.partition(".")[0]
    if any(name in statement.binds for statement in statements):
        return frozenset({name})
    line = thing.__code__.co_firstlineno if isinstance(thing, FunctionType) else 0
    for statement in statements:
        if statement.first <= line <= statement.last:
            return _only_lambdas(statement, line)
    return frozenset()


def _only_lambdas(statement: _Statement, line: int) -> _Statement:
    """Reduce a statement to the lambdas that start in a line; keep all of it where there is none."""
    found = [one for one in ast.walk(statement.node) if isinstance(one, ast.Lambda) and one.lineno == line]
    if not found:
        return statement
    uses = {one.id for part in found for one in ast.walk(part) if isinstance(one, ast.Name)}
    nothing: frozenset[str] = frozenset()
    return _Statement(
        line, line, nothing, frozenset(uses), nothing, nothing, False, False, statement.node, found
    )


def _reached(
    statements: Sequence[_Statement], roots: frozenset[str] | _Statement, whole_effects: bool
) -> list[_Statement]:
    """Select the statements that a thing depends on, in their order.

    Parameters
    ----------
    whole_effects : bool
        Include all statements that bind no name. In a script only those count that change what is
        reached: others run the study, and print.
    """
    found: list[_Statement] = []
    if isinstance(roots, _Statement):
        found.append(roots)
        needed = set(roots.uses)
    else:
        needed = set(roots)
    made_by_import = {name for one in statements if one.imports and not one.effect for name in one.binds}
    rest = list(statements)
    while True:
        new = [
            one
            for one in rest
            if one.binds & needed
            or one.star
            or (one.effect and whole_effects and not _is_docstring(one.node))
            or (one.changes & needed) - made_by_import
        ]
        if not new:
            break
        rest = [one for one in rest if one not in new]
        found += new
        needed |= {name for one in new for name in one.uses}
    return sorted(found, key=lambda one: one.first)


def _is_docstring(node: object) -> bool:
    """Recognise a bare value, which does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


# -- without a file --------------------------------------------------------------------------------


def _without_a_file(thing: type | FunctionType) -> Code:
    """Collect code from a notebook: the thing, and what it reaches of its module by names."""
    texts: dict[str, str] = {}
    _collect(thing, texts)
    if not any(texts.values()):
        return Code()
    return Code({"notebook": digest_of("\n".join(texts[name] for name in sorted(texts)))})


def _collect(thing: Any, texts: dict[str, str]) -> None:
    name = f"{thing.__module__}.{thing.__qualname__}"
    if name in texts:
        return
    try:
        texts[name] = inspect.cleandoc(inspect.getsource(thing))
    except (OSError, TypeError):
        texts[name] = ""
    functions = [thing] if isinstance(thing, FunctionType) else list(vars(thing).values())
    for function in functions:
        if not isinstance(function, FunctionType):
            continue
        for used in function.__code__.co_names:
            value = function.__globals__.get(used)
            if isinstance(value, type | FunctionType) and value.__module__ == thing.__module__:
                _collect(value, texts)
            elif isinstance(value, str | int | float | bool | tuple):
                texts[f"{thing.__module__}.{used}"] = f"{used} = {value!r}"
