"""What of a study travels: the files that it names, and nothing else."""

import io
import zipfile

import pytest

from runner.cluster.submit import pack_study
from runner.cluster.submit import package as room
from runner.cluster.submit.submitting import Order
from runner.errors import StudyError
from runner.study.study import Study

STUDY = """
name: packed
problems: [src/objective.py:mine, branin{more}]
methods: [random]
seeds: 1
budget: {{trials: 2}}
files: [table.csv, /somewhere/else.csv]
"""
OBJECTIVE = """
import json

import helper
from tools.shapes import bowl
from runner import Float, problem


@problem(space={"x": Float(0.0, 1.0)})
def mine(config):
    import late

    return bowl(helper.one(config["x"]))
"""


@pytest.fixture
def place(tmp_path):
    """A study among much that is none of its business."""
    files = {
        "study.yaml": STUDY.format(more=""),
        "table.csv": "a\n1\n",
        "src/objective.py": OBJECTIVE,
        "src/helper.py": "import deeper\n\n\ndef one(x):\n    return deeper.same(x)\n",
        "src/deeper.py": "def same(x):\n    return x\n",
        "src/late.py": "",
        "src/tools/__init__.py": "",
        "src/tools/shapes.py": "def bowl(x):\n    return x * x\n",
        "src/tools/shapes.csv": "not code",
        "src/unused.py": "",
        "src/.env": "SECRET=1",
        "data/large.bin": "x" * 1000,
        ".git/config": "",
        "notes.txt": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


CODE = ["src/deeper.py", "src/helper.py", "src/late.py", "src/objective.py"]
CODE += ["src/tools/__init__.py", "src/tools/shapes.py"]


def names(package):
    with zipfile.ZipFile(io.BytesIO(package.content)) as archive:
        assert archive.namelist() == [name for name, _ in package.files]
        return archive.namelist()


def test_only_what_is_named_is_packed(place):
    package = pack_study(place / "study.yaml")
    assert sorted(names(package)) == sorted([*CODE, "study.yaml", "table.csv"])
    assert package.study == "study.yaml"


def test_the_same_files_make_the_same_package(place):
    first = pack_study(place / "study.yaml")
    (place / "study.yaml").touch()
    (place / "src/unused.py").write_text("changed")
    assert pack_study(place / "study.yaml") == first
    (place / "src/deeper.py").write_text("def same(x):\n    return 2 * x\n")
    assert pack_study(place / "study.yaml").name != first.name


def test_what_an_objective_opens_by_itself_may_be_included(place):
    package = pack_study(place / "study.yaml", [place / "data", place / "notes.txt"])
    assert {"data/large.bin", "notes.txt"} < set(names(package))
    with pytest.raises(StudyError, match=r"missing\.csv: cannot be read: No such file"):
        pack_study(place / "study.yaml", [place / "missing.csv"])


def test_data_and_recorded_studies_travel(place):
    from runner import run

    recorded = Study.build(name="r", problems=["branin"], methods=["random"], seeds=1, budget={"trials": 3})
    run(recorded, place / "results" / "r", workers=0)
    more = ", {recorded: results/r, problem: branin, name: again}"
    more += ", {estimator: sklearn.svm.SVC, data: houses.csv, target: y, space: {C: {float: [0.1, 1]}}}"
    more += ", {name: iris, estimator: sklearn.svm.SVC, data: iris, space: {C: {float: [0.1, 1]}}}"
    more += (
        ", {name: far, estimator: sklearn.svm.SVC, data: /far.csv, target: y, space: {C: {float: [0.1, 1]}}}"
    )
    (place / "study.yaml").write_text(STUDY.format(more=more))
    (place / "houses.csv").write_text("x,y\n1,2\n")
    found = set(names(pack_study(place / "study.yaml")))
    assert {"results/r/study.db", "results/r/study.yaml", "houses.csv"} < found
    assert found - {"results/r/study.db", "results/r/study.yaml", "houses.csv", *CODE} == {
        "study.yaml",
        "table.csv",
    }


def test_files_above_the_study_keep_their_places(place):
    inner = place / "studies" / "deep"
    inner.mkdir(parents=True)
    text = (
        STUDY.format(more="").replace("src/objective", "../../src/objective").replace("table", "../../table")
    )
    (inner / "study.yaml").write_text(text)
    package = pack_study(inner / "study.yaml")
    assert package.study == "studies/deep/study.yaml"
    assert set(names(package)) == {*CODE, "table.csv", "studies/deep/study.yaml"}


def test_packages_by_name_travel_with_the_folder_to_find_them_in(place, monkeypatch, tmp_path_factory):
    monkeypatch.syspath_prepend(str(place / "src"))
    (place / "study.yaml").write_text("""
name: by-name
problems: [tools.shapes:mine]
methods: [random]
seeds: 1
budget: {trials: 2}
""")
    (place / "src/tools/shapes.py").write_text(
        OBJECTIVE.replace("from tools.shapes import bowl", "bowl = abs")
    )
    package = pack_study(place / "study.yaml")
    assert package.folders == ("src",)
    assert "src/tools/shapes.py" in names(package)
    study = Study.load(place / "study.yaml")
    entrypoint = Order(study, package, ("--workers=2",)).entrypoint
    assert entrypoint.startswith(
        'export PYTHONPATH="$PWD"/src:"$PYTHONPATH"; exec fivefold run study.yaml --workers=2'
    )
    assert entrypoint.endswith('--out "${FIVEFOLD_HOME:-$HOME/fivefold}/by-name"')


def test_too_much_is_refused_with_the_largest_named(place, monkeypatch):
    monkeypatch.setattr(room, "MOST_BYTES", 2_000_000)
    (place / "table.csv").write_bytes(b"x" * 3_000_000)
    with pytest.raises(
        StudyError, match=r"expected at most 2 MB of files, got 3 MB\. The largest: 'table\.csv' \(3 MB\)"
    ):
        pack_study(place / "study.yaml")


def test_what_is_quoted_for_the_head_is_quoted_well(place):
    study = Study.build(
        name="a b; rm", problems=["branin"], methods=["random"], seeds=1, budget={"trials": 2}
    )
    package = pack_study(place / "study.yaml")
    order = Order(study, package, ("--methods=a b;$(rm)",), out="/x y/$(z)")
    assert order.entrypoint == "exec fivefold run study.yaml '--methods=a b;$(rm)' --out '/x y/$(z)'"
    assert order.digest == Order(study, package, ("--methods=a b;$(rm)",), out="/x y/$(z)").digest
    assert order.digest != Order(study, package, (), out="/x y/$(z)").digest
    assert Order(study, package).entrypoint.endswith('/a-b-rm"')
