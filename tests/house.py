"""Count the house: entries, floors, rooms, arrows, files, lines and long functions of the package.

Run it with ``make count``, or ``python -m tests.house PACKAGE`` for the folder of another version.
"""

import ast
import io
import sys
import tokenize
from pathlib import Path

LONG_FUNCTION = 60


def lines_of(path):
    """Lines of one module: code, docstrings, comments and blank ones."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    strings = set()
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            strings.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    comments = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#")
    }
    lines = text.splitlines()
    blank = {number for number, line in enumerate(lines, 1) if not line.strip()} - strings
    code = len(lines) - len(strings) - len(comments - strings) - len(blank)
    return {"code": code, "docstring": len(strings), "comment": len(comments - strings), "blank": len(blank)}


def long_functions(path):
    """Functions of more than `LONG_FUNCTION` lines, docstrings included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            if length > LONG_FUNCTION:
                yield f"{path.name}:{node.name}", length


def rooms_and_arrows(root, paths):
    """Rooms of the package, its folders and root modules, and the imports between two of them."""

    def room(path):
        return path.relative_to(root).parts[0].removesuffix(".py")

    rooms = {room(path) for path in paths}
    arrows = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                first, _, rest = name.partition(".")
                target = rest.partition(".")[0]
                if first == root.name and target in rooms and target != room(path):
                    arrows.add((room(path), target))
    return rooms, arrows


def count(root):
    """Figures of a package by what they count."""
    paths = sorted(root.rglob("*.py"))
    lines = [lines_of(path) for path in paths]
    sizes = {
        path.relative_to(root).as_posix(): sum(found.values())
        for path, found in zip(paths, lines, strict=True)
    }
    largest = max(sizes, key=sizes.get)
    rooms, arrows = rooms_and_arrows(root, paths)
    functions = dict(one for path in paths for one in long_functions(path))
    return {
        "entries of the root": len([path for path in root.iterdir() if path.name != "__pycache__"]),
        "rooms": len(rooms),
        "arrows between rooms": len(arrows),
        "files": len(paths),
        "lines": sum(sizes.values()),
        **{f"lines of {kind}": sum(found[kind] for found in lines) for kind in lines[0]},
        "largest file": f"{largest} ({sizes[largest]})",
        f"functions over {LONG_FUNCTION} lines": len(functions),
    }


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "runner"
    for name, value in count(root.resolve()).items():
        print(f"{name:28} {value}")
    if root.name == "runner" and len(sys.argv) == 1:
        from tests.test_layers import FLOORS

        print(f"{'floors':28} {len(FLOORS)}")


if __name__ == "__main__":
    main()
