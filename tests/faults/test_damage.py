"""A damaged study directory: refused, or read with a word on what it lost; never taken for a whole one.

Every example damages one file of a directory that was whole, then reads it, verifies it and goes on
with it. Each of these must give what the undamaged directory would, or say that something is wrong.
"""

import random
import shutil

import pytest
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st

from runner.api import run
from runner.errors import FivefoldError
from runner.journal.reader import read_journal
from runner.journal.schema import DATABASE
from runner.journal.verify import verify
from runner.study.identity.plan import open_journal
from runner.study.study import Study
from tests.faults.soaking import SOAK, amount
from tests.studies import HILL, MODELS, play, study

EXAMPLES = amount(60, 500)
LOG, INDEX = f"{DATABASE}-wal", f"{DATABASE}-shm"
FILES = [DATABASE, LOG, INDEX, "study.yaml", "study.lock"]
PAGE = 4096

SMALL = study()
OTHER = study(name="other", problems=[MODELS], seeds=3)
LONG = study(name="long", problems=[HILL], methods=["random"], seeds=1, budget={"trials": 400})


def six_methods():
    """All of them, as cheap as they can be."""
    names = ["random", "grid", "bayes", "tpe", "gradient", {"exhaustive": {"resolution": 3}}]
    return Study.build(name="six", problems=["branin"], methods=names, seeds=1, budget={"trials": 4})


def table(record):
    """What must not change, of every trial."""
    return {
        (run.id, trial.number): repr((trial.config, trial.status, trial.loss, trial.outcome))
        for run in record.runs
        for trial in record.history(run.id)
    }


def killed(folder, given, most, pages=1000):
    """A directory as a killed driver leaves it: with its log, folded in now and then."""
    scratch = folder.with_name(f"{folder.name}-open")
    with open_journal(scratch, given) as journal:
        journal._db.execute(f"PRAGMA wal_autocheckpoint = {pages}")
        for number in range(most):
            spec = given.runs[number % len(given.runs)]
            journal.record([(spec.id, FINAL[given.name][spec.id][number // len(given.runs)])])
        shutil.copytree(scratch, folder)
    shutil.rmtree(scratch)


FINAL = {}
"""Study -> run -> its trials, without any interruption."""
WHOLE = {}
"""Name -> a directory that is whole, and its study."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Make the directories that are whole; a clean close, a killed driver, one that folded its log."""
    base = tmp_path_factory.mktemp("whole")
    for plan in (SMALL, OTHER, LONG, six_methods()):
        folder = base / f"{plan.name}-closed"
        play(folder, plan)
        record = read_journal(folder)
        FINAL[plan.name] = {spec.id: record.history(spec.id) for spec in plan.runs}
        WHOLE[folder.name] = folder, plan
        for name, most, pages in (("killed", 20, 1000), ("folded", 19, 6)):
            folder = base / f"{plan.name}-{name}"
            killed(folder, plan, 300 if plan is LONG else most, pages)
            WHOLE[folder.name] = folder, plan


# -- how a file may be damaged ----------------------------------------------------------------------

KINDS = ["flip", "flip", "truncate", "delete", "zero", "append", "replace"]


def damage(folder, other, rng):
    """Damage one file of a directory, with another whole one at hand; says what was done."""
    path = folder / rng.choice([DATABASE, DATABASE, LOG, LOG, *FILES])
    kind = rng.choice(KINDS)
    done = f"{kind} {path.name}"
    if kind == "replace":
        path.unlink(missing_ok=True)
        if (other / path.name).exists():
            shutil.copyfile(other / path.name, path)
        return done
    if not path.exists():
        return f"{done} that is not there"
    if kind == "delete":
        path.unlink()
        return done
    content = bytearray(path.read_bytes())
    place = a_place(len(content), path.name == LOG, rng)
    if kind == "flip":
        for _ in range(rng.randint(1, 4) if content else 0):
            content[rng.randrange(len(content))] ^= rng.randint(1, 255)
    elif kind == "truncate":
        del content[place:]
    elif kind == "zero":
        content[place : place + PAGE] = bytes(len(content[place : place + PAGE]))
    else:
        content += rng.randbytes(rng.choice([1, 100, 3 * PAGE]))
    path.write_bytes(content)
    return done


def a_place(length, is_log, rng):
    """Anywhere in a file, or where a page of it begins, or a frame."""
    place = rng.randint(0, length)
    if rng.random() < 0.5:
        return place
    return max(0, place - 32) // (PAGE + 24) * (PAGE + 24) + 32 if is_log else place // PAGE * PAGE


# -- what must hold then ----------------------------------------------------------------------------


def answer(call):
    """What a call gives, or the sentence with which it refuses."""
    try:
        return call(), ""
    except FivefoldError as error:
        refused = error
    assert refused.exit_code in (2, 3)
    assert str(refused).endswith((".", "?"))
    assert "\n" not in str(refused)
    return None, str(refused)


def found_by(folder, given):
    """The trials with which a study would go on, and what is told."""
    with open_journal(folder, given) as journal:
        trials = {
            (spec.id, trial.number): repr((trial.config, trial.status, trial.loss, trial.outcome))
            for spec in given.runs
            for trial in journal.history(spec.id)
        }
        return trials, journal.notes


@pytest.mark.usefixtures("whole")
@pytest.mark.timeout(3600)
@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    derandomize=not SOAK,
    phases=[Phase.generate],  # a lower seed is not a plainer damage
)
def test_a_damaged_directory_is_never_taken_for_a_whole_one(tmp_path_factory, seed):
    rng = random.Random(seed)
    source, plan = WHOLE[rng.choice(sorted(WHOLE))]
    other, _ = WHOLE[rng.choice(sorted(WHOLE))]
    folder = tmp_path_factory.mktemp("damaged") / "study"
    shutil.copytree(source, folder)
    done = damage(folder, other, rng)
    note(f"{source.name}: {done}, with {other.name} at hand")
    try:
        check(folder, plan, table(read_journal(source)), done)
    finally:
        shutil.rmtree(folder.parent)


def check(folder, plan, before, done):
    record, refused = answer(lambda: read_journal(folder))
    note(f"read: {refused or record.notes}")
    event(f"{done}: {'refused' if refused else 'told' if record.notes else 'whole'}")
    there = table(record) if record else None
    assert record is None or there == before or record.notes
    if record is not None and record.name == plan.name:
        assert there.items() <= before.items()

    verdict, cannot = answer(lambda: verify(folder))
    note(f"verify: {cannot or [str(finding) for finding in verdict.findings]}")
    if verdict is not None and verdict.whole:
        assert there == before
        assert not record.notes

    on, stopped = answer(lambda: found_by(folder, plan))
    note(f"go on: {stopped or on[1]}")
    if on is not None:
        trials, notes = on
        assert trials == before or notes
        assert trials.items() <= before.items()
        _, stopped = answer(lambda: run(plan, folder, workers=0))
        assert not stopped
        ended = read_journal(folder)
        assert {run.id for run in ended.runs} == FINAL[plan.name].keys()
        for run_id, trials in FINAL[plan.name].items():
            assert list(map(essence, ended.history(run_id))) == list(map(essence, trials))
        assert verify(folder).whole


def essence(trial):
    """What does not depend on time."""
    return trial.number, trial.config, trial.status, trial.loss
