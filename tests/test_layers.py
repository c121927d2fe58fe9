"""The floors of the house: imports point down, and Ray has one door.

A *room* is a module of the package, or a folder of it with all that is inside.
"""

import ast
import graphlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

import runner

ROOT = Path(runner.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# Lowest first. A room imports from floors below its own and from itself; rooms on one floor do not import
# each other, except on the lowest, whose modules are too small for floors of their own.
FLOORS = [
    {"_text", "seeds", "trial", "errors"},
    {"space"},
    {"methods", "journal"},
    {"problems"},
    {"study", "testing"},
    {"engine", "results"},
    {"report", "search", "integrations", "cluster"},
    {"api"},
    {"cli", "__init__"},
]
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}

OPEN_RAY = ("runner.search", "runner.engine.ray")
"""The only folders that import ray; everything else works where Ray cannot be imported."""
LAZY = {"api", "cli", "integrations", "__init__"}
"""They may import a room within a function, so that what needs no Ray does not load it."""
WITHOUT_PANDAS = {room for room in FLOOR if FLOOR[room] <= FLOOR["study"]}
NOT_ON_WORKERS = ("runner.engine.ray", "runner.study", "runner.engine.dispatch", "runner.engine.runs")
"""Not loaded by `runner.engine.worker`: the start of a worker delays every study."""

MOST_FLOORS = 9
MOST_IN_THE_ROOT = 20
MOST_IN_A_FOLDER = 15
FLAT = {"results/stats", "problems/hypergradients"}
"""Lists of siblings of one kind, one statistic or one problem per file, may be longer."""


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def module_of(path):
    parts = ["runner", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_of(path): path for path in MODULES}


def imports(tree, path):
    """(module, whether it is within a function) of every import in a module."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]

    def visit(node, inside):
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        inside = inside or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        if isinstance(node, ast.Import):
            yield from ((alias.name, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            for alias in node.names:  # a name may be a module or something in one
                deeper = f"{base}.{alias.name}"
                yield (deeper if deeper in NAMES else base), inside
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (
                (str(ast.literal_eval(name)), inside)
                for name in node.args[:1]
                if isinstance(name, ast.Constant)
            )
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    return sorted(set(visit(tree, False)))


IMPORTS = {path: imports(ast.parse(path.read_text(encoding="utf-8")), path) for path in MODULES}


def own(name):
    return name == "runner" or name.startswith("runner.")


def target_room(name):
    return name.split(".")[1] if "." in name else "__init__"


def at(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=at)
def test_every_module_has_a_floor(path):
    assert room_of(path) in FLOOR, f"give {at(path)} a place in FLOORS"


@pytest.mark.parametrize("path", MODULES, ids=at)
def test_imports_point_down(path):
    room = room_of(path)
    for name, _ in IMPORTS[path]:
        if own(name) and target_room(name) != room and not {room, target_room(name)} <= FLOORS[0]:
            assert FLOOR[target_room(name)] < FLOOR[room], f"{at(path)} imports {name}, which is not below it"


@pytest.mark.parametrize("path", MODULES, ids=at)
def test_other_rooms_are_imported_at_the_top(path):
    room = room_of(path)
    if room not in LAZY:
        late = [name for name, inside in IMPORTS[path] if inside and own(name) and target_room(name) != room]
        assert not late, f"{at(path)} imports {late} within a function"


def within(name, folders):
    return any(name == folder or name.startswith(f"{folder}.") for folder in folders)


def loaded_by(path):
    """The modules of this package that importing a module loads."""
    seen, open_ends = set(), {module_of(path)}
    while open_ends:
        name = open_ends.pop()
        seen.add(name)
        early = {target for target, inside in IMPORTS[NAMES[name]] if not inside and target in NAMES}
        above = name.rpartition(".")[0]  # a package is loaded before what is in it
        open_ends |= (early | ({above} if above else set())) - seen
    return seen


@pytest.mark.parametrize("path", MODULES, ids=at)
def test_ray_has_one_door_and_pandas_stays_upstairs(path):
    foreign = {name.split(".")[0] for name, _ in IMPORTS[path]}
    assert within(module_of(path), OPEN_RAY) or "ray" not in foreign
    assert room_of(path) not in WITHOUT_PANDAS or "pandas" not in foreign


@pytest.mark.parametrize("path", [p for p in MODULES if not within(module_of(p), OPEN_RAY)], ids=at)
def test_what_works_without_ray_does_not_load_it(path):
    assert not {name for name in loaded_by(path) if within(name, OPEN_RAY)}


@pytest.mark.parametrize(
    "path", [p for p in MODULES if within(module_of(p), ["runner.engine.worker"])], ids=at
)
def test_a_worker_loads_little(path):
    assert not {name for name in loaded_by(path) if within(name, NOT_ON_WORKERS)}


def entries(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")


def test_the_house_is_small_enough_to_be_seen():
    assert len(FLOORS) <= MOST_FLOORS
    assert len(entries(ROOT)) <= MOST_IN_THE_ROOT, entries(ROOT)


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES} - {ROOT}), ids=at)
def test_folders_stay_small(folder):
    found = [name for name in entries(folder) if name != "__init__.py"]
    assert at(folder) in FLAT or len(found) <= MOST_IN_A_FOLDER, found


PROJECT = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMPORTED_AS = {"scikit_learn": "sklearn", "bayesian_optimization": "bayes_opt", "pyyaml": "yaml"}
BROUGHT_ALONG = {"tensorboardX", "pydantic_core", "markupsafe"}
"""By ray[tune], pydantic and jinja2, which cannot do without."""
WITH_AN_EXTRA = {
    "runner.testing.method_contract": "pytest",
    "runner.testing.problem_contract": "pytest",
    "runner.testing.symmetry": "pytest",
    "runner.integrations.trackers.mlflow_runs": "mlflow",
}
"""Modules that need more than the package's own dependencies; who imports them answers for its absence."""


def declared(requirements):
    names = {re.match(r"[\w.-]+", text)[0].lower().replace("-", "_") for text in requirements}
    return {IMPORTED_AS.get(name, name) for name in names}


@pytest.mark.parametrize("path", MODULES, ids=at)
def test_a_module_can_be_imported_with_the_dependencies_alone(path):
    foreign = {name.split(".")[0] for name, inside in IMPORTS[path] if not inside and not own(name)}
    needed = foreign - sys.stdlib_module_names - declared(PROJECT["dependencies"]) - BROUGHT_ALONG
    assert needed == ({WITH_AN_EXTRA[module_of(path)]} if module_of(path) in WITH_AN_EXTRA else set())


@pytest.mark.parametrize("path", MODULES, ids=at)
def test_who_imports_a_module_with_an_extra_does_so_late(path):
    early = {name for name, inside in IMPORTS[path] if not inside} & WITH_AN_EXTRA.keys()
    assert not early or module_of(path) in WITH_AN_EXTRA


def test_there_are_no_circles():
    graph = {module_of(path): {name for name, _ in found if name in NAMES} for path, found in IMPORTS.items()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_the_reader_of_imports_sees_every_form():
    text = """
import runner.space
from runner import trial, nothing
from runner.methods import base, METHODS
from . import errors
from .methods.base import Method
def late():
    from runner.seeds import seed_for
    import ray.tune
    importlib.import_module("runner.space.domains")
"""
    assert imports(ast.parse(text), ROOT / "asktell.py") == sorted(
        {
            ("runner.space", False),
            ("runner.trial", False),
            ("runner", False),
            ("runner.methods.base", False),
            ("runner.methods", False),
            ("runner.errors", False),
            ("runner.seeds", True),
            ("ray.tune", True),
            ("runner.space.domains", True),
        }
    )
    relative = imports(
        ast.parse("from ..space import Space\nfrom .base import Method"), ROOT / "methods" / "tpe.py"
    )
    assert relative == [("runner.methods.base", False), ("runner.space", False)]
