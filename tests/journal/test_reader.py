"""Reading what a study directory holds: live, closed, copied, foreign or of another version."""

import dataclasses
import json
import shutil
import sqlite3
import threading

import pytest

from runner.errors import JournalError, ResultsError
from runner.journal.reader import read_journal
from runner.journal.schema import DATABASE, checksum, salt_of, to_row, trial_checksum
from runner.journal.verify import verify
from runner.space.formats.json import space_from_json
from runner.study.identity.plan import open_journal
from tests.studies import MODELS, contents, made, study

RUN = "hill/random/0"


def test_a_record_knows_its_study_and_what_its_runs_are(tmp_path):
    open_journal(tmp_path, study(seed=7)).close()
    record = read_journal(tmp_path)
    assert (record.name, record.seed) == ("small", 7)
    (told,) = {run.identity for run in record.runs if (run.problem, run.label) == ("models", "sobol")}
    identity = json.loads(told)
    assert (identity["method"], identity["settings"]["sequence"]) == ("random", "sobol")
    params = [[name, form] for name, form in identity["space"].items()]
    assert space_from_json({"params": params, "forbid": identity["forbid"]}) == MODELS.space


@pytest.mark.parametrize(
    "statement, words",
    [
        ("PRAGMA user_version = 7", "expected schema 3, got schema 7 of a newer"),
        ("PRAGMA user_version = 1", "got schema 1 of an older fivefold"),
        ("PRAGMA user_version = 0", "expected schema 3, got 0"),
        ("PRAGMA application_id = 1", "expected a journal of fivefold"),
        ("DELETE FROM meta", "the journal is damaged"),
    ],
)
def test_a_journal_of_another_version_or_program(tmp_path, statement, words):
    open_journal(tmp_path, study()).close()
    with sqlite3.connect(tmp_path / DATABASE) as db:
        db.execute(statement)
    db.close()
    for use in (lambda: open_journal(tmp_path, study()), lambda: read_journal(tmp_path)):
        with pytest.raises(JournalError) as caught:
            use()
        assert words in str(caught.value)
        assert caught.value.hint


def test_reading_where_there_is_nothing(tmp_path):
    open_journal(tmp_path / "digits-mlp", study()).close()
    for path, words in [
        (tmp_path / "digit-mlp", "no such directory. Did you mean 'digits-mlp'?"),
        (
            tmp_path,
            f"got a directory of studies. Did you mean '{tmp_path / 'digits-mlp'}'?",
        ),
        (tmp_path / "digits-mlp" / "study.yaml", "got a file"),
    ]:
        with pytest.raises(ResultsError) as caught:
            read_journal(path)
        assert words in str(caught.value)


def test_reading_changes_nothing(tmp_path):
    live, crashed = tmp_path / "live", tmp_path / "crashed"
    with open_journal(live, study()) as journal:
        journal.record([(RUN, made(i, float(i))) for i in range(5)])
        shutil.copytree(live, crashed)
    for folder in (live, crashed):
        before = contents(folder)
        assert ("study.db-wal" in before) == (folder == crashed)
        assert len(read_journal(folder).history(RUN)) == 5
        assert contents(folder) == before
    (crashed / "study.db-shm").unlink()  # as a copy by hand may be
    before = contents(crashed)
    assert len(read_journal(crashed).history(RUN)) == 5
    assert contents(crashed) == before
    with open_journal(crashed, study()) as journal:
        assert len(journal.history(RUN)) == 5


def test_a_reader_sees_a_growing_table_while_it_is_written(tmp_path):
    """Writers come and go, the log is folded in, and every reader finds a gapless prefix."""
    folder, done, wrong = tmp_path / "study", threading.Event(), []
    open_journal(folder, study()).close()

    def read():
        last = 0
        while not done.is_set() and not wrong:
            try:
                numbers = [trial.number for trial in read_journal(folder).history(RUN)]
                if numbers != list(range(len(numbers))) or len(numbers) < last:
                    wrong.append(numbers)
                last = len(numbers)
            except Exception as error:  # whatever it is, the test shows it
                wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    number = 0
    try:
        for _ in range(6):
            with open_journal(folder, study()) as journal:
                for _ in range(12):
                    rows = [made(number + i, 1.0, error="x" * 2000) for i in range(20)]
                    journal.record([(RUN, trial) for trial in rows])
                    number += 20
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not wrong
    assert len(read_journal(folder).history(RUN)) == number


def test_checksums_are_the_same_everywhere():
    """Were they not, a journal would be damaged for another version of Python."""
    trial = dataclasses.replace(made(3, -0.0, test=float("nan"), metrics={"ü": 0.1}), worker="naïve ☃")
    assert trial_checksum((1, *to_row(trial)), salt_of("here")) == 1604872194
    assert checksum((1, "a\nb", None, 0.1)) == 4287883829
    other = dataclasses.replace(trial, outcome=dataclasses.replace(trial.outcome, test=None))
    assert trial_checksum((1, *to_row(other)), 0) != trial_checksum((1, *to_row(trial)), 0)


@pytest.mark.parametrize(
    "statement, words",
    [
        ("UPDATE trials SET loss = 0.5 WHERE number = 1", "trial 1 has changed since it was written"),
        ("UPDATE trials SET worker = 'me'", "each of 5 trials has changed since it was written"),
        ("DELETE FROM trials WHERE number = 4", "has 4 of its 5 trials"),
        ("DELETE FROM trials WHERE number = 2", "has 4 of its 5 trials"),
        ("UPDATE trials SET number = 9 WHERE number = 4", "trial 9 has changed"),
        ("DELETE FROM runs WHERE key = 8", "expected 8 runs, got 7"),
        (
            "UPDATE runs SET end_reason = 'tired' WHERE key = 2",
            "the row of the run 'hill/sobol/0' has changed",
        ),
        ("UPDATE counts SET trials = 4 WHERE run = 1", "the count of the trials of run 1 has changed"),
        ("UPDATE meta SET value = '7' WHERE key = 'seed'", "the row 'seed' of meta has changed"),
        ("DELETE FROM meta WHERE key = 'open'", "meta lacks open"),
        ("CREATE INDEX mine ON trials (loss)", "unexpected tables"),
    ],
)
def test_what_has_changed_is_named(tmp_path, statement, words):
    with open_journal(tmp_path, study()) as journal:
        journal.record([(RUN, made(i, float(i))) for i in range(5)])
    with sqlite3.connect(tmp_path / DATABASE) as db:
        db.execute(statement)
    db.close()
    for use in (lambda: open_journal(tmp_path, study()), lambda: read_journal(tmp_path)):
        with pytest.raises(JournalError, match="the journal is damaged") as caught:
            use()
        assert words in str(caught.value)
    assert any(words in finding.what for finding in verify(tmp_path).findings)


def test_gaps_are_told_and_are_damage_where_a_run_has_ended(tmp_path):
    with open_journal(tmp_path, study()) as journal:
        journal.record([(RUN, made(i, float(i))) for i in (0, 1, 3)])
        assert verify(tmp_path).live
    verdict = verify(tmp_path)
    assert verdict.whole
    assert "the run 'hill/random/0' lacks trial 2 before its last, 3" in str(verdict.findings[0])
    with open_journal(tmp_path, study()) as journal:
        journal.end_run(RUN, "the budget of trials is spent", False, "")
    assert not verify(tmp_path).whole


def test_the_study_file_is_put_back(tmp_path):
    open_journal(tmp_path, study()).close()
    text = (tmp_path / "study.yaml").read_text()
    (tmp_path / "study.yaml").unlink()
    assert read_journal(tmp_path).notes == ("study.yaml: missing; the journal has its content.",)
    open_journal(tmp_path, study(methods=["random"])).close()
    assert (tmp_path / "study.yaml").read_text() == text
    (tmp_path / "study.yaml").write_text("name: mine\n")
    assert "changed since the study was run" in read_journal(tmp_path).notes[0]
    assert not verify(tmp_path).whole
