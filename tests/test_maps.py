"""Maps that are true: every module, file and folder that the documents and docstrings name exists."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import runner

ROOT = Path(runner.__file__).parents[1]
MODULES = sorted((ROOT / "runner").rglob("*.py"))
DOCUMENTS = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/RESULTS.md")),
]
DOTTED = re.compile(r"(?<![\w/.@-])runner((?:\.[A-Za-z_]\w*)+)")
FILE = re.compile(r"(?<![\w./-])((?:runner|tests|benchmarks|experiments|docs|deploy)/[\w./-]*\w)")
QUOTED = re.compile(r"`([\w/]+\.py)`")
ROW = re.compile(r"^(\w+\.py)\s{2,}\S", re.MULTILINE)
PUBLIC = ("space", "methods", "problems", "search", "testing", "errors")
FOR_DEVELOPERS = {"CONTRIBUTING.md", "decisions.md", "trial.md", "RESULTS.md"}
IMPORT = re.compile(r"^(?:from|import) (runner(?:\.\w+)*)", re.MULTILINE)
OF_USERS = {"pipeline.py"}
"""Files that a user has, or gets."""


def at(path):
    return path.relative_to(ROOT).as_posix()


def resolved(name):
    """Whether a dotted name leads to a module, or to something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return part in getattr(found, "__annotations__", ()) or part in getattr(
                    found, "__dataclass_fields__", ()
                )
            found = getattr(found, part)
        return True
    return False


def dotted_in(text):
    return sorted({f"runner{match[1]}" for match in DOTTED.finditer(text) if match[1] != ".py"})


def files_in(text):
    return sorted({match[1] for match in FILE.finditer(text)})


@pytest.mark.parametrize("path", DOCUMENTS, ids=at)
def test_documents_name_what_exists(path):
    text = path.read_text(encoding="utf-8")
    assert not [name for name in dotted_in(text) if not resolved(name)]
    assert not [name for name in files_in(text) if not (ROOT / name).exists()]
    places = (ROOT, ROOT / "runner", ROOT / "docs", ROOT / "tests", ROOT / "experiments")
    quoted = set(QUOTED.findall(text)) - OF_USERS
    assert not [name for name in quoted if not any((place / name).exists() for place in places)]


@pytest.mark.parametrize("path", MODULES, ids=at)
def test_docstrings_name_what_exists(path):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        text = ast.get_docstring(node) if isinstance(node, kinds) else None
        if text:
            assert not [name for name in dotted_in(text) if not resolved(name)]
            assert not [name for name in files_in(text) if not (ROOT / name).exists()]
            assert not [name for name in ROW.findall(text) if not (path.parent / name).exists()]


SHOWN = [
    *DOCUMENTS,
    *sorted((ROOT / "experiments").glob("*.py")),
    *sorted((ROOT / "runner/cli/starters").rglob("*.txt")),
]


@pytest.mark.parametrize("path", SHOWN, ids=at)
def test_what_is_shown_imports_public_modules_only(path):
    modules = set(IMPORT.findall(path.read_text(encoding="utf-8")))
    assert not {name for name in modules if name != "runner" and name.split(".")[1] not in PUBLIC}


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.name not in FOR_DEVELOPERS], ids=at)
def test_documents_name_public_modules_only(path):
    names = dotted_in(path.read_text(encoding="utf-8"))
    private = [
        name for name in names if name.split(".")[1] not in PUBLIC and not hasattr(runner, name.split(".")[1])
    ]
    assert not [name for name in private if not name.split(".")[1][0].isupper()]
