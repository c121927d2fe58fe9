"""Links, pipes and other people's files in a study directory: nothing outside of it is ever touched.

Every name that a command writes is taken, in turn, by each kind of thing. The command may refuse, or put
its own file in the place; what lies behind a link stays as it was, and nothing hangs.
"""

import os
import shutil
from pathlib import Path

import pytest

from runner.journal.files.places import kind_of
from runner.report.page import Page
from tests.cli.test_main import fivefold  # noqa: F401  (a fixture)

OBJECTIVE = """
from runner import problem


@problem(space={"x": {"float": [0, 1]}}, steps=2)
def training(config, checkpoint_dir):
    for step in range(2):
        (checkpoint_dir / "state").write_text(str(step))
        yield {"loss": config["x"] / (step + 1)}
"""
STUDY = """
name: linked
problems: ["training.py:training"]
methods: [random, {name: more, method: random}]
seeds: 1
budget: {trials: 2}
"""
RUN = ["run", "study.yaml", "--workers", "0", "--out", "out"]
COMMANDS = {
    "run": [*RUN, "--trials", "3"],
    "report": ["report", "out"],
    "csv": ["export", "out", "--format", "csv"],
    "tex": ["export", "out", "--format", "tex"],
    "compare": ["compare", "out", "--to", "out"],
    "merge": ["merge", "whole", "--out", "out"],
    "verify": ["verify", "out"],
    "show": ["show", "out"],
}
KINDS = ["link", "dangling link", "hard link", "pipe", "folder", "socket"]
JOURNAL = ["study.db", "study.db-wal", "study.db-shm", "study.lock", "study.yaml"]
CASES = [
    *[("run", name) for name in (*JOURNAL, "trials.parquet", "runs.parquet", "checkpoints")],
    *[("report", name) for name in ("report.html", "figures", "tables", ".figures.new", ".tables.old")],
    *[("csv", name) for name in ("trials.csv", "leaderboard.csv")],
    ("tex", "leaderboard.tex"),
    ("compare", "leaderboard.csv"),
    *[("merge", name) for name in JOURNAL],
    *[(command, name) for command in ("verify", "show") for name in JOURNAL],
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Where a study was run."""
    base = tmp_path_factory.mktemp("whole")
    (base / "training.py").write_text(OBJECTIVE)
    (base / "study.yaml").write_text(STUDY)
    return base


@pytest.fixture
def place(fivefold, whole, tmp_path, monkeypatch):  # noqa: F811
    """A folder with a study that was run, and a precious folder beside its directory."""
    monkeypatch.setattr("runner.report.files.make_page", lambda _: Page("<p>", {}, {}))
    if not (whole / "whole").exists():
        monkeypatch.chdir(whole)
        assert fivefold(*RUN[:-1], "whole")[0] == 0
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "precious" / "sub").mkdir(parents=True)
    for name in ("01_x.png", "curves_x.csv", "sub/file", "file"):
        (tmp_path / "precious" / name).write_text("precious")
    return tmp_path


def put(kind, path):
    """Put something of a kind where a command will write."""
    folder = path.name in ("checkpoints", "figures", "tables") or path.name.startswith(".")
    if kind_of(path) == "a folder":
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to("../precious" if folder else "../precious/file")
    elif kind == "dangling link":
        path.symlink_to("../nowhere")
    elif kind == "hard link":
        path.hardlink_to("precious/file")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, 0o140600)
    else:
        path.mkdir()
        (path / "file").write_text("precious")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("command", "name"), CASES)
def test_nothing_is_written_through_what_lies_in_a_study_directory(fivefold, place, command, name, kind):  # noqa: F811
    if command == "merge":
        Path("out").mkdir()
    else:
        shutil.copytree("whole", "out")
    put(kind, Path("out") / name)
    code, out, err = fivefold(*COMMANDS[command])
    assert code in (0, 2, 3), err
    assert code == 0 or err.startswith("error: ") or command == "verify", out + err
    precious = {path.relative_to("precious").as_posix(): path for path in Path("precious").rglob("*")}
    assert precious.keys() == {"01_x.png", "curves_x.csv", "sub", "sub/file", "file"}
    assert {path.read_text() for path in precious.values() if path.is_file()} == {"precious"}
    assert not Path("nowhere").exists()
    if kind == "folder":
        assert (Path("out") / name / "file").read_text() == "precious"
    if code == 0 and command == "run":
        assert fivefold("verify", "out")[0] == 0


def test_a_directory_that_is_itself_a_link_is_the_users_choice(fivefold, place):  # noqa: F811
    shutil.move("whole", "elsewhere")
    Path("out").symlink_to("elsewhere")
    for command in ("run", "report", "csv", "verify"):
        assert fivefold(*COMMANDS[command])[0] == 0
    assert {"trials.csv", "report.html", "figures"} <= {path.name for path in Path("elsewhere").iterdir()}
    assert Path("out").is_symlink()


def test_a_lock_with_words_of_others_in_it_is_left(fivefold, place):  # noqa: F811
    Path("out").mkdir()
    Path("out/study.lock").write_text("the combination is 12-7-33\n")
    for command in ("run", "merge"):
        code, _, err = fivefold(*COMMANDS[command])
        assert code == 3
        assert "expected a lock of fivefold for 'study.lock', got a file that fivefold has not made" in err
    assert Path("out/study.lock").read_text() == "the combination is 12-7-33\n"


def test_a_journal_of_two_names_is_read_and_not_written(fivefold, place):  # noqa: F811
    """As 'cp -al' makes it: going on in one directory would change the other."""
    shutil.copytree("whole", "out", copy_function=os.link)
    Path("out/study.lock").unlink()
    before = Path("whole/study.db").read_bytes()
    assert fivefold(*COMMANDS["show"])[0] == 0
    code, _, err = fivefold(*COMMANDS["run"])
    assert code == 3
    assert "expected 'study.db' to be a file of one name, got one of 2 (hard links)" in err
    assert Path("whole/study.db").read_bytes() == before
