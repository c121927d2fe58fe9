"""Parts of a study, and joining what their drivers have recorded."""

import shutil
import sqlite3
from contextlib import closing

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from runner.api import run
from runner.cli.main import app
from runner.errors import FivefoldError, JournalError, StudyError
from runner.journal.reader import read_journal
from runner.journal.schema import DATABASE
from runner.journal.verify import verify
from runner.study.identity.plan import open_journal
from runner.study.merge import merge
from runner.study.selection import part_of
from runner.study.study import Study
from tests.studies import HILL, contents, play, study, written

WHOLE = study(seeds=4)
CUTS = {
    "by seed": [["seed=0-1"], ["seed=2"], ["seed=3"]],
    "by problem": [["problem=hill"], ["problem=models"]],
    "by both": [["problem=hill", "seed=0,2"], ["problem=hill", "seed=1,3"], ["problem=models"]],
}


def frame(folder):
    """All that a directory holds of its trials, by run and number."""
    record = read_journal(folder)
    names = [run.id for run in record.runs]
    return pd.DataFrame({**record.trials, "run": [names[i] for i in record.trials["run"]]}, dtype=object)


@pytest.mark.parametrize("name", CUTS)
def test_parts_joined_are_the_whole(tmp_path, name):
    folders = [tmp_path / str(i) for i in range(len(CUTS[name]))]
    for folder, only in zip(folders, CUTS[name], strict=True):
        play(folder, part_of(WHOLE, only))
    made = merge(folders, tmp_path / "all")
    assert (made.runs, made.trials) == (16, 16 * 6)
    parts = pd.concat([frame(folder) for folder in folders]).set_index(["run", "number"]).sort_index()
    joined = frame(tmp_path / "all")
    pd.testing.assert_frame_equal(joined.set_index(["run", "number"]).sort_index(), parts, check_exact=True)
    assert verify(tmp_path / "all").whole
    # And the same, but for times, as where it was never parted.
    play(tmp_path / "never", WHOLE)
    same = ["run", "number", "config", "status", "loss", "value", "folds", "error", "known"]
    pd.testing.assert_frame_equal(joined[same], frame(tmp_path / "never")[same], check_exact=True)
    assert read_journal(tmp_path / "all").runs == read_journal(tmp_path / "never").runs


def test_what_was_joined_goes_on(tmp_path):
    for i in (0, 1):
        run(part_of(WHOLE, [f"seed={i}"]), tmp_path / str(i), workers=0)
    merge([tmp_path / "0", tmp_path / "1"], tmp_path / "all")
    before = frame(tmp_path / "all")
    results = run(WHOLE, tmp_path / "all", workers=0)
    assert len(results.trials) == 16 * 6
    after = frame(tmp_path / "all")
    pd.testing.assert_frame_equal(after[after["run"].isin(before["run"])], before, check_exact=True)


def test_a_copy_that_went_on_is_joined_with_its_beginning(tmp_path):
    play(tmp_path / "a", WHOLE, most=30)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    play(tmp_path / "b", WHOLE)
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    pd.testing.assert_frame_equal(frame(tmp_path / "all"), frame(tmp_path / "b"), check_exact=True)
    assert read_journal(tmp_path / "all").runs == read_journal(tmp_path / "b").runs


def with_another_seed(folder):
    play(folder, study(seed=1))


def with_another_budget(folder):
    play(folder, study(budget={"trials": 5}))


def with_another_space(folder):
    other = type(HILL)(HILL.function, study(problems=["branin"]).problems[0].space, "hill")
    play(folder, study(problems=[other], seeds=[9]), most=0)


def with_another_setting(folder):
    play(folder, study(methods=[{"name": "random", "method": "random", "sequence": "sobol"}], seeds=[9]))


def with_another_trial(folder):
    with open_journal(folder, study()) as journal:
        journal.record([("hill/random/0", written(0))])


def damaged(folder):
    play(folder, study())
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        db.execute("UPDATE trials SET loss = 7 WHERE run = 1 AND number = 0")


@pytest.mark.parametrize(
    "other, says",
    [
        (with_another_seed, "the study's seed is 1, and 0 in "),
        (with_another_budget, "its 'budget.trials' is 5, and 6 in "),
        (with_another_space, "the problem 'hill' differs between parts: its space."),
        (with_another_setting, "'random' on 'hill' differs between parts: its settings.sequence"),
        (with_another_trial, "trial 0 of the run 'hill/random/0' differs from an earlier part."),
        (damaged, "in the run 'hill/random/0' trial 0 has changed since it was written"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path, other, says):
    play(tmp_path / "one", study())
    other(tmp_path / "other")
    before = contents(tmp_path / "one"), contents(tmp_path / "other")
    with pytest.raises(JournalError) as caught:
        merge([tmp_path / "one", tmp_path / "other"], tmp_path / "all")
    assert says in str(caught.value)
    assert not (tmp_path / "all").exists()
    assert (contents(tmp_path / "one"), contents(tmp_path / "other")) == before


def test_nothing_is_written_over_and_nothing_live_is_read(tmp_path):
    play(tmp_path / "one", study())
    with pytest.raises(StudyError, match="expected a new or empty directory, got a study"):
        merge([tmp_path / "one"], tmp_path / "one")
    with open_journal(tmp_path / "one", study()), pytest.raises(JournalError, match="a live run"):
        merge([tmp_path / "one"], tmp_path / "all")
    with pytest.raises(FivefoldError, match="no such directory"):
        merge([tmp_path / "none"], tmp_path / "all")


FILE = {
    "name": "parted",
    "problems": [
        "branin",
        {"name": "h", "estimator": "sklearn.svm.SVC", "data": "iris", "space": {"C": [1, 2]}},
    ],
    "methods": ["random"],
    "seeds": 3,
    "budget": {"trials": 2},
    "trial": {"cpus": 1, "problems": {"h": {"cpus": 2}}},
}


def test_the_study_files_of_parts_are_parts_and_join_to_the_whole(tmp_path):
    whole = Study.build(**FILE)
    part = part_of(whole, ["problem=branin"])
    assert yaml.safe_load(part.as_yaml()) == FILE | {
        "problems": ["branin"], "seeds": [0, 1, 2], "trial": {"cpus": 1.0, "problems": {}},
    }  # fmt: skip
    for name in ("branin", "h"):
        open_journal(tmp_path / name, part_of(whole, [f"problem={name}"])).close()
    merge([tmp_path / "branin", tmp_path / "h"], tmp_path / "all")
    assert (tmp_path / "all/study.yaml").read_text() == whole.as_yaml()


@pytest.mark.parametrize(
    "only, says",
    [
        ("problem=hil", "--only: the study has no problem 'hil'. Did you mean 'hill'?"),
        ("seed=7", "--only: the study has no seed 7. It has 4, from 0 to 3."),
        ("seed=x", "--only: expected a number, got seed=x. Write --only problem=NAME"),
        ("seed=3-1", "--only: expected an ascending range of seeds, got seed=3-1."),
        (
            "method=random",
            "--only: expected problem=NAME or seed=NUMBERS, got 'method=random'. Write --only problem=NAME",
        ),
        ("problem=", "--only: expected problem=NAME or seed=NUMBERS, got 'problem='."),
        ("hill", "--only: expected problem=NAME or seed=NUMBERS, got 'hill'."),
    ],
)
def test_what_names_no_part_is_refused(only, says):
    with pytest.raises(StudyError) as caught:
        part_of(WHOLE, [only])
    assert str(caught.value).startswith(says)


def test_the_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(FILE | {"problems": ["branin"], "trial": {}}))
    call = CliRunner().invoke
    for seeds in ("0-1", "2"):
        arguments = ["run", "s.yaml", "--workers", "0", "--only", f"seed={seeds}", "--out", f"part{seeds}"]
        assert call(app, arguments).exit_code == 0
    told = call(app, ["merge", "part0-1", "part2", "--out", "all"])
    assert (told.exit_code, told.output) == (0, "all: 3 runs, 6 trials of 2 directories\n")
    assert call(app, ["show", "all"]).exit_code == 0
