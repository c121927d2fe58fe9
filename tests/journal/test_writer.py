"""The journal: nothing is lost, nothing is mixed, and whatever is wrong is said."""

import dataclasses
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import JournalError, StudyError
from runner.journal.begun import SUSPECTS, Suspect, after_loss, suspects_of, suspects_value
from runner.journal.files.folder import leave_in_order
from runner.journal.reader import read_journal
from runner.journal.schema import DATABASE, trial_checksum
from runner.journal.verify import verify
from runner.problems.base import FunctionProblem, Problem
from runner.space import Choice, Float, Space
from runner.study.identity.identity import first_difference
from runner.study.identity.plan import open_journal
from runner.study.study import Study
from tests.studies import HILL, MODELS, TRIALS, contents, made, play, study, write_on, written

RUN = "hill/random/0"


def same(a, b):
    """Equal to the last bit: NaN is NaN, and -0.0 is not 0.0."""
    return repr(a) == repr(b)


# -- what is recorded comes back -------------------------------------------------------------------


@given(trials=st.lists(TRIALS, max_size=5, unique_by=lambda trial: trial.number))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_trial_comes_back_to_the_last_bit(tmp_path_factory, trials):
    folder = tmp_path_factory.mktemp("study")
    with open_journal(folder, study()) as journal:
        journal.record([(RUN, trial) for trial in trials])
        expected = sorted(trials, key=lambda trial: trial.number)
        assert same(journal.history(RUN), expected)
        assert same(read_journal(folder).history(RUN), expected)  # from the log
    assert same(read_journal(folder).history(RUN), expected)  # from the main file
    with open_journal(folder, study()) as journal:
        assert same(journal.history(RUN), expected)


def test_what_utf8_cannot_hold_is_escaped(tmp_path):
    trial = dataclasses.replace(made(0, 1.0), worker="\ud800", config={"x": "\udcff"})
    with open_journal(tmp_path, study()) as journal:
        journal.record([(RUN, trial)])
        (found,) = journal.history(RUN)
    assert found.worker == "\\ud800"
    assert found.config == trial.config  # JSON has an escape of its own


def test_a_number_that_is_there_stays_as_it_is(tmp_path):
    with open_journal(tmp_path, study()) as journal:
        journal.record([(RUN, made(0, 1.0)), (RUN, made(1, 2.0))])
        journal.record([(RUN, made(1, 9.0)), (RUN, made(2, 3.0))])
        assert [trial.loss for trial in journal.history(RUN)] == [1.0, 2.0, 3.0]
        with pytest.raises(KeyError):
            journal.record([("no/such/run", made(0, 1.0))])


def test_runs_keep_what_was_said(tmp_path):
    with open_journal(tmp_path, study()) as journal:
        journal.announce(RUN, "80 configs.")
        journal.end_run(RUN, "the method raised", True, "bad \udcff")
    record = read_journal(tmp_path)
    run = record.runs[0]
    assert (run.id, run.label, run.method, run.seed) == (RUN, "random", "random", 0)
    assert (run.announcement, run.end_reason, run.failed) == ("80 configs.", "the method raised", True)
    assert run.conclusion == "bad \\udcff"
    assert (run.direction, run.optimum, run.budget) == ("maximize", 2.0, {"trials": 6, "seconds": None})
    assert not record.runs[1].end_reason
    assert len(record.runs) == 8
    assert record.name == "small"
    journal.close()  # a second time


def test_the_study_stands_beside_it(tmp_path):
    built_in = Study.build(name="b", problems=["branin"], methods=["random"], seeds=1, budget={"trials": 3})
    open_journal(tmp_path / "deep" / "er", built_in).close()
    given = yaml.safe_load((tmp_path / "deep" / "er" / "study.yaml").read_text())
    assert Study.build(**given).runs == built_in.runs
    assert {path.name for path in (tmp_path / "deep" / "er").iterdir()} == {
        "study.db",
        "study.yaml",
        "study.lock",
    }


# -- going on ---------------------------------------------------------------------------------------


def losses(folder):
    record = read_journal(folder)
    return {run.id: [(t.config, t.loss, t.status) for t in record.history(run.id)] for run in record.runs}


@pytest.mark.parametrize("most", [0, 1, 7, 30])
def test_an_interrupted_study_goes_on_to_the_same_table(tmp_path, most):
    play(tmp_path / "whole", study())
    play(tmp_path / "parts", study(), most)
    play(tmp_path / "parts", study())
    assert repr(losses(tmp_path / "parts")) == repr(losses(tmp_path / "whole"))


def test_a_directory_can_be_extended_and_used_in_part(tmp_path):
    play(tmp_path, study(methods=["random"], seeds=1, problems=[HILL]))
    play(tmp_path, study())
    play(tmp_path, study(seeds=[3]))
    play(tmp_path, study(problems=[MODELS], methods=["random"], seeds=[1]))
    whole = losses(tmp_path)
    assert len(whole) == 12
    assert {len(trials) for trials in whole.values()} == {6}
    before = read_journal(tmp_path)
    assert all(run.end_reason for run in before.runs)


def test_another_budget_opens_the_runs_again(tmp_path):
    play(tmp_path, study())
    open_journal(tmp_path, study()).close()
    assert all(run.end_reason for run in read_journal(tmp_path).runs)
    open_journal(tmp_path, study(budget={"trials": 9}, seeds=1)).close()
    assert [bool(run.end_reason) for run in read_journal(tmp_path).runs] == [False] * 4 + [True] * 4
    play(tmp_path, study(budget={"trials": 9}))
    assert {len(trials) for trials in losses(tmp_path).values()} == {9}
    play(tmp_path, study(budget={"trials": 2}))
    assert {len(trials) for trials in losses(tmp_path).values()} == {9}
    assert all(run.end_reason for run in read_journal(tmp_path).runs)


def other_hill(config):
    return 2.0 - config["x"] ** 2


class Custom(Problem):
    def __init__(self, power):
        self.name, self.space, self.power = "custom", Space({"x": Float(0.0, 1.0)}), power

    def evaluate(self, config, seed):
        return config["x"] ** self.power


def changed(**keys):
    return study(problems=[dataclasses.replace(HILL, **keys), MODELS])


@pytest.mark.parametrize(
    "other, words",
    [
        (lambda: study(name="large"), "the study's name was 'small' and is 'large'"),
        (lambda: study(seed=1), "the study's seed was 0 and is 1"),
        (lambda: study(parallel=2), "the study's parallel was 1 and is 2"),
        (lambda: study(order="async"), "the study's order was 'trial' and is 'async'"),
        (lambda: study(methods=[{"name": "random", "method": "tpe"}]), 'method was "random" and is "tpe"'),
        (
            lambda: study(methods=[{"random": {"sequence": "sobol"}}]),
            'settings.sequence was "independent" and is "sobol"',
        ),
        (
            lambda: changed(space=Space({"x": Float(-5.0, 6.0)})),
            "its space.x.float was [-5.0, 5.0] and is [-5.0, 6.0]",
        ),
        (lambda: changed(space=Space({"x": Float(-5.0, 5.0), "y": Choice([1])})), "space.y was absent"),
        (lambda: changed(direction="minimize"), 'direction was "maximize" and is "minimize"'),
        (lambda: changed(metric="height"), 'metric was "loss" and is "height"'),
        (lambda: changed(function=other_hill), "objective.function.function was"),
    ],
)
def test_another_study_is_not_mixed_in(tmp_path, other, words):
    play(tmp_path, study(), 3)
    before = losses(tmp_path)
    with pytest.raises(JournalError) as caught:
        open_journal(tmp_path, other())
    assert words in str(caught.value)
    assert "Use another --out" in caught.value.hint
    assert caught.value.exit_code == 3
    open_journal(tmp_path, study()).close()  # it was left as it was, and free
    assert losses(tmp_path) == before


def test_a_grid_cannot_go_on_with_another_budget_unless_its_points_are_fixed(tmp_path):
    def grid(trials, **settings):
        return study(methods=[{"grid": settings}], problems=[HILL], budget={"trials": trials}, seeds=1)

    play(tmp_path / "free", grid(5))
    with pytest.raises(JournalError, match="was prepared for another budget, and cannot grow"):
        open_journal(tmp_path / "free", grid(8))
    play(tmp_path / "fixed", grid(5, points=20))
    play(tmp_path / "fixed", grid(8, points=20))
    assert len(losses(tmp_path / "fixed")["hill/grid/0"]) == 8


def test_a_changed_objective_or_data_file_is_noticed(tmp_path):
    def of(body):
        path = tmp_path / "objective.py"
        path.write_text(
            "from runner.problems import problem\n"
            f"@problem(space={{'x': {{'float': [0, 1]}}}})\ndef f(config):\n    {body}\n"
        )
        return study(problems=["objective.py:f"], folder=tmp_path)

    open_journal(tmp_path / "code", of("return config['x']")).close()
    open_journal(tmp_path / "code", of('return config["x"]  # only the layout')).close()
    with pytest.raises(JournalError, match="the code of its objective has changed"):
        open_journal(tmp_path / "code", of("return config['x'] * 2"))

    inline = {
        "estimator": "sklearn.linear_model.Ridge",
        "data": "table.csv",
        "target": "y",
        "space": {"alpha": {"float": [0, 1]}},
    }
    for where in ("here", "there"):
        (tmp_path / where).mkdir()
        (tmp_path / where / "table.csv").write_text("a,y\n1,2\n2,4\n")
        open_journal(tmp_path / "data", study(problems=[inline], folder=tmp_path / where)).close()
    (tmp_path / "there" / "table.csv").write_text("a,y\n1,2\n2,5\n")
    with pytest.raises(JournalError, match="its data have changed"):
        open_journal(tmp_path / "data", study(problems=[inline], folder=tmp_path / "there"))
    with pytest.raises(JournalError, match=r"objective.cv was 5 and is 3"):
        open_journal(tmp_path / "data", study(problems=[inline | {"cv": 3}], folder=tmp_path / "here"))


def test_public_attributes_of_a_problem_count(tmp_path):
    open_journal(tmp_path, study(problems=[Custom(2)])).close()
    open_journal(tmp_path, study(problems=[Custom(2)])).close()
    with pytest.raises(JournalError, match=r"objective.power was 2 and is 3"):
        open_journal(tmp_path, study(problems=[Custom(3)]))


def test_estimators_data_and_arrays_are_told_without_their_addresses():
    import numpy as np
    from sklearn.linear_model import Ridge

    from runner.problems.estimators.data.data import Data
    from runner.problems.estimators.problem import EstimatorProblem
    from runner.study.identity.identity import problem_identity

    def problem(alpha=1.0, first=0.0):
        X = np.array([[first], [1.0], [2.0]])
        data = Data("own", X, np.array([0.0, 1.0, 2.0]), ("a",), "regression")
        return EstimatorProblem(Ridge(alpha=alpha), data, {"tol": {"float": [0.1, 1.0]}})

    def told(problem):
        return json.dumps(problem_identity(problem))

    assert told(problem()) == told(problem())
    assert told(problem()) != told(problem(alpha=2.0))
    assert told(problem()) != told(problem(first=0.5))
    strange = FunctionProblem(print, HILL.space, "strange")
    strange.helper = object()
    strange.table = np.array([1, "a", None], dtype=object)
    assert " at 0x" not in told(strange)


def test_the_first_difference_is_named():
    assert first_difference({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [1]}}) is None
    assert first_difference({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [2]}}) == ("b.c", "[1]", "[2]")
    assert first_difference({"a": 1}, {"a": True}) == ("a", "1", "true")
    assert first_difference({"a": 1}, {}) == ("a", "1", "absent")
    assert first_difference({"s": {"a": 1, "b": 2}}, {"s": {"b": 2, "a": 1}}) == (
        "s",
        '["a", "b"]',
        '["b", "a"]',
    )
    path, was, now = first_difference({"a": "x" * 500}, {"a": 1.5})
    assert (path, len(was), now) == ("a", 100, "1.5")


# -- what is wrong is said --------------------------------------------------------------------------


def refuse(error, words, folder, given=None):
    with pytest.raises(error) as caught:
        open_journal(folder, given or study())
    assert words in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    refuse(StudyError, "expected an empty directory or a study, got 'notes.txt'", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    refuse(StudyError, "got a file", tmp_path / "notes.txt")
    refuse(StudyError, "cannot be written", tmp_path / "notes.txt" / "below")


def test_a_directory_that_cannot_be_written(tmp_path, monkeypatch):
    def refused(*args, **keys):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        refuse(StudyError, "cannot be written: Permission denied", tmp_path)
    open_journal(tmp_path, study()).close()


def test_what_a_crash_left_while_the_directory_was_made_is_no_hindrance(tmp_path):
    (tmp_path / "study.lock").write_text("process 1 on elsewhere\n")
    half = tmp_path / ".fivefold-0123456789abcdef.new"
    half.write_bytes(b"half")
    open_journal(tmp_path, study()).close()
    assert half.exists(), "nothing is removed because of its name"
    assert any(
        "left by a killed command; it may be removed" in str(found) for found in verify(tmp_path).findings
    )


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_journal_that_is_none(tmp_path, content):
    (tmp_path / DATABASE).write_bytes(content)
    assert refuse(JournalError, "journal", tmp_path).exit_code == 3
    with pytest.raises(JournalError):
        read_journal(tmp_path)
    assert (tmp_path / DATABASE).read_bytes() == content


def test_a_damaged_journal(tmp_path):
    with open_journal(tmp_path, study()) as journal:
        journal.record([(RUN, made(i, float(i), error="x" * 500)) for i in range(200)])
    path = tmp_path / DATABASE
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refuse(JournalError, "the journal is damaged", tmp_path)
    with pytest.raises(JournalError, match="the journal is damaged"):
        read_journal(tmp_path)
    rng = random.Random(0)
    garbled = bytearray(whole)
    for _ in range(2000):
        garbled[rng.randrange(100, len(garbled))] = rng.randrange(256)
    path.write_bytes(garbled)
    refuse(JournalError, "the journal is damaged", tmp_path)


def test_a_row_that_cannot_be_read(tmp_path):
    with open_journal(tmp_path, study()) as journal:
        journal.record([(RUN, made(0, 1.0)), (RUN, made(1, 1.0))])
        for config, status in (("1,2", "COMPLETED"), ("{", "ODD")):
            journal._db.execute("UPDATE trials SET config = ?, status = ?", (config, status))
            for row in journal._db.execute("SELECT * FROM trials").fetchall():
                where = (trial_checksum(row[:-1], journal._salt), *row[:2])
                journal._db.execute("UPDATE trials SET checksum = ? WHERE run = ? AND number = ?", where)
            with pytest.raises(JournalError, match="of an unexpected type"):
                read_journal(tmp_path)
        with pytest.raises(JournalError, match="a row cannot be read"):
            journal.history(RUN)


def test_a_log_that_went_missing_is_missed(tmp_path):
    with open_journal(tmp_path / "live", study()) as journal:
        journal.record([(RUN, made(i, 1.0)) for i in range(5)])
        shutil.copytree(tmp_path / "live", tmp_path / "killed")
    (tmp_path / "killed" / "study.db-wal").unlink()
    assert read_journal(tmp_path / "live").notes == ()
    (told,) = read_journal(tmp_path / "killed").notes
    assert "the log is missing or cut off, so the trials recorded last may be lost" in told
    with open_journal(tmp_path / "killed", study()) as journal:
        assert journal.notes == (told,)
        assert journal.history(RUN) == []
    assert read_journal(tmp_path / "killed").notes == ()


@pytest.mark.parametrize("deed", ["DELETE FROM trials", ""])
def test_a_journal_that_others_write_or_remove_is_left(tmp_path, deed):
    with open_journal(tmp_path, study()) as journal:
        journal.record([(RUN, made(0, 1.0))])
        if deed:
            with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
                db.execute(deed)
        else:
            (tmp_path / DATABASE).unlink()
        with pytest.raises(JournalError, match="removed, replaced or written by another program"):
            journal.record([(RUN, made(1, 1.0))])
    with pytest.raises(JournalError):
        read_journal(tmp_path)


def test_a_full_disk(tmp_path):
    with open_journal(tmp_path, study()) as journal:
        journal.record([(RUN, made(0, 1.0))])
        (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
        journal._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError, match="the disk is full") as caught:
            journal.record([(RUN, made(i, 1.0, error="x" * 1000)) for i in range(1, 50)])
        assert "safe" in caught.value.hint
        assert len(journal.history(RUN)) == 1  # all or nothing
        journal._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
        journal.record([(RUN, made(1, 1.0))])
        assert len(journal.history(RUN)) == 2


def test_an_interrupt_within_a_record_leaves_it_usable(tmp_path):
    class Interrupting(list):
        def __iter__(self):
            yield from super().__iter__()
            raise KeyboardInterrupt

    with open_journal(tmp_path, study()) as journal:
        row = (journal._keys[RUN], made(0, 1.0))
        with pytest.raises(KeyboardInterrupt):
            journal.record(Interrupting([(RUN, row[1])]))
        journal.record([(RUN, made(0, 2.0))])
        assert [trial.loss for trial in journal.history(RUN)] == [2.0]


# -- two writers, and sudden death ------------------------------------------------------------------

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.studies", "pytest"])


def writer(folder):
    """A process that writes (see `write_on`), and the connection on which it says how far it is."""
    ours, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=write_on, args=(folder, theirs))
    process.start()
    theirs.close()
    assert ours.recv() == "open"
    return process, ours


def kill(process):
    process.kill()
    process.join()


def last_said(connection):
    said = 0
    while True:
        try:
            said = connection.recv()
        except EOFError:
            return said


def test_a_second_writer_is_told_of_the_first(tmp_path):
    process, _ = writer(tmp_path)
    try:
        words = refuse(JournalError, "a live run is using the directory", tmp_path)
        assert f"process {process.pid} on " in str(words)
    finally:
        kill(process)
    with open_journal(tmp_path, study()), pytest.raises(JournalError, match=f"process {os.getpid()} on "):
        open_journal(tmp_path, study())


def test_sudden_death_loses_nothing_that_was_recorded(tmp_path):
    rng = random.Random(1)
    total = 0
    for _ in range(12):
        process, connection = writer(tmp_path)
        time.sleep(rng.uniform(0.0, 0.1))
        kill(process)
        total = max(total, last_said(connection))
        history = read_journal(tmp_path).history(RUN)
        assert len(history) >= total
        assert same(history, [written(i) for i in range(len(history))])
    assert total > 10
    with open_journal(tmp_path, study()) as journal:
        assert same(journal.history(RUN), history)


def test_reading_beside_another_process_changes_nothing(tmp_path):
    process, connection = writer(tmp_path)
    try:
        while (total := connection.recv()) < 200:
            pass
        for _ in range(5):
            os.kill(process.pid, signal.SIGSTOP)
            before = contents(tmp_path)
            assert "study.db-wal" in before
            try:
                assert len(read_journal(tmp_path).history(RUN)) >= total
            except JournalError as error:  # stopped within an entry into the log's index
                if "has locked it" not in error.message:
                    raise
                os.kill(process.pid, signal.SIGCONT)
                time.sleep(0.1)
                continue
            assert contents(tmp_path) == before
            return
        pytest.fail("it never could be read")
    finally:
        kill(process)


def test_a_run_of_a_part_leaves_the_study_file_as_it_is(tmp_path):
    whole = study()
    play(tmp_path, whole)
    before = (tmp_path / "study.yaml").read_text()
    play(tmp_path, whole.changed(methods=["random"]))
    assert (tmp_path / "study.yaml").read_text() == before
    play(tmp_path, whole.changed(seeds=3))
    assert yaml.safe_load((tmp_path / "study.yaml").read_text())["seeds"] == [0, 1, 2]


# -- what was begun ---------------------------------------------------------------------------------


def after_a_kill(journal, to):
    """The directory as it is when its writer is killed now: its lock is free, and says whose it was."""
    return shutil.copytree(journal.folder, to)


def test_what_had_been_begun_when_a_writer_was_killed_is_suspect(tmp_path):
    with open_journal(tmp_path / "a", study()) as journal:
        journal.begin(0, [(RUN, 0), (RUN, 1)])
        journal.begin(1, [(RUN, 2)])
        killed = after_a_kill(journal, tmp_path / "b")
    with open_journal(killed, study(), witnessed=True) as journal:
        assert journal.suspects == {(RUN, n): Suspect(1, 1, False) for n in range(3)}
    with open_journal(killed, study()) as journal:
        assert len(journal.suspects) == 3, "who ends in order clears nobody"
        journal.begin(7, [(RUN, 1)])
        journal.record([(RUN, made(1, 0.5))], [7])
        assert journal.suspects.keys() == {(RUN, 0), (RUN, 2)}
        journal.begin(8, [(RUN, 2)])
        again = after_a_kill(journal, tmp_path / "c")
    with open_journal(again, study(), witnessed=False) as journal:
        assert journal.suspects == {(RUN, 0): Suspect(1, 1, False), (RUN, 2): Suspect(2, 2, True)}
        assert not journal.lose()
        journal.begin(1, [(RUN, 2), (RUN, 3)])
        assert journal.lose()
        assert journal.suspects[RUN, 2] == Suspect(3, 3, False)
    assert verify(again).whole


def test_losses_in_company_that_nobody_has_seen_count_against_nobody(tmp_path):
    with open_journal(tmp_path / "0", study()) as journal:
        journal.begin(0, [(RUN, 0), (RUN, 1)])
        killed = after_a_kill(journal, tmp_path / "1")
    with open_journal(killed, study()) as journal:
        assert journal.suspects == {(RUN, n): Suspect(1, 0, False) for n in range(2)}


def test_who_ends_in_order_leaves_nobody_suspect(tmp_path):
    with open_journal(tmp_path / "a", study()) as journal:
        journal.begin(0, [(RUN, 0)])
    with open_journal(tmp_path / "a", study(), witnessed=True) as journal:
        assert not journal.suspects
        journal.begin(0, [(RUN, 0)])
        leave_in_order()  # as where a signal ends the process at once
        left = after_a_kill(journal, tmp_path / "b")
    with open_journal(left, study(), witnessed=True) as journal:
        assert not journal.suspects


@given(
    st.lists(
        st.tuples(st.sets(st.integers(0, 3), min_size=1), st.booleans(), st.sets(st.integers(0, 3))),
        max_size=8,
    )
)
def test_a_trial_is_the_cause_only_after_a_loss_of_its_own(losses):
    suspects = {}
    alone = Counter()
    for begun, witnessed, ended in losses:
        suspects = after_loss(suspects, [(RUN, n) for n in begun], witnessed)
        alone.update(begun if len(begun) == 1 else ())
        for n in range(4):
            suspect = suspects.get((RUN, n), Suspect())
            assert suspect.counted <= suspect.losses
            assert not suspect.is_cause(0) or alone[n] > 0
        for n in ended:
            suspects.pop((RUN, n), None)
            alone[n] = 0
    assert suspects_of({SUSPECTS: json.loads(json.dumps(suspects_value(suspects)))}) == suspects
