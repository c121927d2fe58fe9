"""Python files that travel: those that are imported and not installed."""

import sys
from types import SimpleNamespace

import pytest

from runner.errors import StudyError
from runner.problems.files import local_imports as sources
from runner.problems.files.local_imports import local_sources
from runner.problems.files.objective_files import objective_files
from runner.problems.loading import load_problem

FILES = {
    "objective.py": "import numpy, json\nimport first\nfrom runner import run\ndef f():\n import late.deep\n",
    "first.py": "import objective\nfrom second import x\nimport nowhere_at_all\n",
    "second.py": "x = (\n",  # who imports it will say so
    "unused.py": "",
    "late/deep.py": "import packaged",
    "late/other.py": "",
    "late/data.csv": "1",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / "study" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    package = tmp_path / "elsewhere" / "packaged"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("from .inner import thing")
    (package / "inner" / "__init__.py").write_text("thing = 1")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    return tmp_path


def names(found):
    return {root.name: sorted(files) for root, files in found.roots.items()}


def test_what_is_imported_travels_and_nothing_else(folder):
    module = SimpleNamespace(__file__=str(folder / "study/objective.py"))
    found = local_sources(
        [module, "packaged", "numpy", "sklearn.svm", "builtins", "__main__", "runner.space"]
    )
    assert names(found) == {
        "study": ["first.py", "late/deep.py", "late/other.py", "objective.py", "second.py"],
        "elsewhere": ["packaged/__init__.py", "packaged/inner/__init__.py"],
    }
    assert found.roots[folder / "study"]["first.py"] == FILES["first.py"].encode()


def test_an_objective_file_is_found_by_its_module(folder):
    (folder / "study/mine.py").write_text(
        "import unused\nfrom runner import problem\n@problem(space={'x': [1, 2]})\ndef f(config): return 1\n"
    )
    load_problem("mine.py:f", folder / "study")
    del sys.modules["unused"]
    (module,) = [
        sys.modules[one.name] for one in objective_files() if one.path == str(folder / "study/mine.py")
    ]
    assert names(local_sources([module])) == {"study": ["mine.py", "unused.py"]}


def test_too_much_is_refused(folder, monkeypatch):
    monkeypatch.setattr(sources, "MOST_BYTES", 10)
    with pytest.raises(StudyError, match="Install that package on every node instead"):
        local_sources(["packaged"])
