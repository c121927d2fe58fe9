"""Whatever is done with a journal, in whatever order, it holds exactly what was recorded."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runner.errors import JournalError
from runner.journal.reader import read_journal
from runner.journal.verify import verify
from runner.study.identity.plan import open_journal
from tests.faults.soaking import SOAK, amount
from tests.studies import TEXT, TRIALS, study


class JournalStates(RuleBasedStateMachine):
    """Beside the journal a model of it: run -> number -> trial, and what was said of each run."""

    def __init__(self):
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="journal_"))
        self.folder = self.base / "0"
        self.journal = None
        self.trials, self.said, self.ended = {}, {}, {}
        self.trials_wanted, self.seeds, self.moves = 6, 1, 0

    @initialize()
    def begin(self):
        self.open_again()

    @rule()
    @precondition(lambda self: self.journal is None)
    def open_again(self):
        wanted = study(seeds=self.seeds, budget={"trials": self.trials_wanted})
        self.journal = open_journal(self.folder, wanted)
        assert self.journal.notes == ()
        for spec in wanted.runs:
            self.trials.setdefault(spec.id, {})
            self.said.setdefault(spec.id, "")
            self.ended.setdefault(spec.id, ("", False, ""))
        for run, trials in self.trials.items():
            assert repr(self.journal.history(run)) == repr([trials[n] for n in sorted(trials)])

    @rule(data=st.data(), trials=st.lists(TRIALS, max_size=6))
    @precondition(lambda self: self.journal is not None)
    def record(self, data, trials):
        runs = st.sampled_from(sorted(self.trials))
        ended = [(data.draw(runs), trial) for trial in trials]
        self.journal.record(ended)
        for run, trial in ended:
            self.trials[run].setdefault(trial.number, trial)

    @rule(data=st.data(), reason=TEXT.filter(bool), failed=st.booleans(), conclusion=TEXT)
    @precondition(lambda self: self.journal is not None)
    def end_run(self, data, reason, failed, conclusion):
        run = data.draw(st.sampled_from(sorted(self.trials)))
        self.journal.end_run(run, reason, failed, conclusion)
        self.ended[run] = (reason, failed, conclusion)

    @rule(data=st.data(), sentence=TEXT)
    @precondition(lambda self: self.journal is not None)
    def announce(self, data, sentence):
        run = data.draw(st.sampled_from(sorted(self.trials)))
        self.journal.announce(run, sentence)
        self.said[run] = sentence

    @rule()
    @precondition(lambda self: self.journal is not None)
    def close(self):
        self.journal.close()
        self.journal = None

    @rule(indexed=st.booleans())
    @precondition(lambda self: self.journal is not None)
    def kill(self, indexed):
        """What lies there is all that a killed process leaves; its log's index may go, too."""
        self.moves += 1
        after = self.base / str(self.moves)
        shutil.copytree(self.folder, after)
        if not indexed:
            (after / "study.db-shm").unlink()
        self.journal.close()
        self.folder, self.journal = after, None

    @rule(seeds=st.integers(0, 1), trials=st.integers(0, 3))
    @precondition(lambda self: self.journal is None)
    def extend(self, seeds, trials):
        self.seeds = min(3, self.seeds + seeds)
        if trials:
            self.trials_wanted += trials
            self.ended = dict.fromkeys(self.ended, ("", False, ""))
        self.open_again()

    @rule()
    @precondition(lambda self: self.journal is not None)
    def open_twice(self):
        with pytest.raises(JournalError, match="a live run is using the directory"):
            open_journal(self.folder, study(seeds=self.seeds, budget={"trials": self.trials_wanted}))

    @invariant()
    @precondition(lambda self: self.trials)
    def it_holds_what_was_recorded(self):
        record = read_journal(self.folder)
        assert record.notes == ()
        assert [run.id for run in record.runs] == list(self.trials)
        for run in record.runs:
            trials = self.trials[run.id]
            assert repr(record.history(run.id)) == repr([trials[n] for n in sorted(trials)])
            assert (run.announcement, (run.end_reason, run.failed, run.conclusion)) == (
                self.said[run.id],
                self.ended[run.id],
            )

    @invariant()
    @precondition(lambda self: self.trials and self.moves % 2)
    def it_is_whole(self):
        verdict = verify(self.folder)
        assert all("lacks trial" in finding.what for finding in verdict.findings)
        assert verdict.trials == sum(map(len, self.trials.values()))
        assert verdict.live == (self.journal is not None)

    def teardown(self):
        if self.journal is not None:
            self.journal.close()
        shutil.rmtree(self.base)


class TestJournalStates(JournalStates.TestCase):
    settings = settings(max_examples=amount(6, 200), stateful_step_count=20, derandomize=not SOAK)
