"""Checkpoints of long trials: an attempt that dies is gone on with, and the outcome is the same."""

import dataclasses
import json
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.fs import FileSelector, _MockFileSystem

from runner.api import run
from runner.errors import StudyError, StudyInterrupted
from runner.journal.files.places import Root, kind_of
from runner.problems import evaluate, problem
from runner.problems.checkpoints import Checkpoint, Checkpoints, checkpoint_dir
from runner.problems.files.stores import Remote
from runner.study.identity.plan import open_journal
from runner.study.study import Study
from runner.trial import Status

STEPS = 6
CONFIG = {"x": 0.5}


class Killed(BaseException):
    """As if the process had gone: nobody has the outcome."""


class Training:
    """A state that each step changes, written down before it is told; dies where it is told to."""

    def __init__(self, die_before=None, die_after=None, lame=()):
        self.die_before, self.die_after = die_before, die_after
        self.lame = lame  # steps after which nothing is written
        self.trained = []

    def problem(self):
        @problem(space={"x": {"float": [0, 1]}}, steps=STEPS)
        def training(config, seed, checkpoint_dir):
            path = checkpoint_dir / "sub" / "state.json"
            step, state = json.loads(path.read_text()) if path.exists() else (0, 1.0)
            while step < STEPS:
                step, state = step + 1, state * config["x"] + seed
                self.trained.append(step)
                if step not in self.lame:
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(json.dumps([step, state]))
                if step == self.die_before:
                    raise Killed
                yield {"loss": state, "step": step}
                if step == self.die_after:
                    raise Killed

        return training


def attempt(training, store, stops=None, key="k"):
    """An evaluation, as far as it goes."""
    found = evaluate(training.problem(), CONFIG, 3, stops=stops, checkpoint=store(key))
    return None if found.status is Status.FAILED and "Killed" in found.error else found


def on_disk(folder):
    return Checkpoints(str(folder), "kept").of


def told(outcome):
    return dataclasses.replace(outcome, seconds=0.0, step_seconds=())


WHOLE = told(evaluate(Training().problem(), CONFIG, 3))


@given(
    before=st.none() | st.integers(1, STEPS),
    after=st.none() | st.integers(1, STEPS),
    lame=st.sets(st.integers(1, STEPS), max_size=2),
)
def test_wherever_an_attempt_dies_the_outcome_is_the_same(tmp_path_factory, before, after, lame):
    store = on_disk(tmp_path_factory.mktemp("store"))
    trained = []
    for training in (Training(before, after, lame), Training(None, after, lame), Training(lame=lame)):
        found = attempt(training, store)
        trained += training.trained
        if found is not None:
            break
    assert told(found) == WHOLE
    assert len(trained) <= STEPS + 2 * (1 + len(lame)), "no more is done again than was not handed over"
    assert list(found.step_seconds) == sorted(found.step_seconds)
    assert found.seconds >= found.step_seconds[-1]


def test_an_attempt_that_was_at_its_end_has_its_last_answer(tmp_path):
    store = on_disk(tmp_path)
    assert attempt(Training(die_after=STEPS), store) is None
    second = Training()
    assert told(attempt(second, store)) == WHOLE
    assert second.trained == []


def test_a_scheduler_sees_the_steps_that_are_left(tmp_path):
    def stops(step, loss):
        asked.append(step)
        return step == 5

    asked = []
    whole = told(attempt(Training(), lambda key: Checkpoint(), stops))
    asked = []
    assert attempt(Training(die_after=3), on_disk(tmp_path), stops) is None
    assert told(attempt(Training(), on_disk(tmp_path), stops)) == whole
    assert asked == [1, 2, 3, 4, 5]
    assert whole.status is Status.STOPPED


@pytest.mark.parametrize("harm", ["list gone", "list cut", "file cut", "file gone", "all"])
def test_a_checkpoint_that_is_not_whole_does_not_count(tmp_path, harm):
    assert attempt(Training(die_after=4), on_disk(tmp_path)) is None
    (note,) = (tmp_path / "kept" / "k").glob("*.json")
    (file,) = (tmp_path / "kept" / "k").glob("*/sub/state.json")
    if harm == "list gone":
        note.unlink()
    elif harm == "list cut":
        note.write_bytes(note.read_bytes()[:-9])
    elif harm == "file cut":
        file.write_bytes(file.read_bytes()[:-1])
    elif harm == "file gone":
        file.unlink()
    else:
        note.write_text("[]")
    second = Training()
    assert told(attempt(second, on_disk(tmp_path))) == WHOLE
    assert second.trained == list(range(1, STEPS + 1))


def test_of_two_checkpoints_the_later_one_counts_and_the_older_one_goes(tmp_path):
    assert attempt(Training(die_after=4), on_disk(tmp_path)) is None
    assert len(list((tmp_path / "kept" / "k").glob("*.json"))) == 1
    assert next((tmp_path / "kept" / "k").glob("*.json")).name.startswith("00000004-")


def test_an_object_store_will_do():
    files = _MockFileSystem()  # flat, in memory

    def store(key):
        return Checkpoint(Remote(files, "bucket"), f"study/{key}")

    assert attempt(Training(die_after=4), store) is None
    second = Training()
    assert told(attempt(second, store)) == WHOLE
    assert second.trained == [5, 6]
    assert attempt(second, store, key="another").loss == WHOLE.loss
    files.create_dir("bucket/study/k/mine")
    with files.open_output_stream("bucket/study/k/mine/notes") as file:
        file.write(b"mine")
    for key in ("k", "another"):
        store(key).remove()
    left = files.get_file_info(FileSelector("bucket", recursive=True))
    assert [file.path for file in left] == [
        "bucket/study", "bucket/study/k", "bucket/study/k/mine", "bucket/study/k/mine/notes"
    ]  # fmt: skip


KINDS = ["link", "dangling link", "file", "pipe"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("storage", [None, "kept"])
def test_what_is_in_the_place_of_the_folder_is_refused_and_left(tmp_path, kind, storage):
    """Above all a link to somebody's folder, which was once removed at the end of the study."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "notes").write_text("precious")
    study = made(tmp_path, fail)
    with open_journal(tmp_path / "study", study) as journal:
        name = f"long-{journal.name}"
    (tmp_path / "kept").mkdir()
    place = tmp_path / "study" / "checkpoints" if storage is None else tmp_path / storage / name
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "file":
        place.write_text("precious")
    else:
        place.symlink_to(precious if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(StudyError, match=f"expected a folder at '.*{place.name}', got a "):
        run(study, tmp_path / "study", workers=0, storage=storage and str(tmp_path / storage))
    assert (precious / "notes").read_text() == "precious"
    assert [path.name for path in precious.iterdir()] == ["notes"]
    assert not (tmp_path / "nowhere").exists()
    assert kind_of(place).endswith(kind.split()[-1])


def test_a_store_behind_a_link_is_the_users_choice(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    study = made(tmp_path, fail, retry_failed=True)
    trials = run(study, tmp_path / "study", workers=0, storage=str(tmp_path / "link")).trials
    assert trials["attempts"].tolist() == [2, 1]
    assert list((tmp_path / "real").iterdir()) == []


def test_only_what_was_handed_over_is_removed(tmp_path):
    """Whoever puts files beside checkpoints finds them again; a link of a trial's goes without its target."""

    def meddle():
        folder = tmp_path / "study" / "checkpoints"
        (key,) = [path for path in folder.iterdir() if path.is_dir()]
        (checkpoint,) = [path for path in key.iterdir() if path.is_dir()]
        for place in (folder, key, checkpoint):
            (place / "mine.txt").write_text("mine")
            (place / "mine.json").write_text('{"files": {"notes": 8}}')
            (place / "mine").mkdir()
            (place / "mine" / "notes").write_text("mine")
            listed = f"{0:08}-{place.name[:16]:0>16}.json"
            (place / listed).write_text('{"files": {"../../../../precious/notes": 8}}')
        (key / "linked").symlink_to(tmp_path / "precious")
        (checkpoint / "step").unlink()
        (checkpoint / "step").symlink_to(tmp_path / "precious" / "notes")

    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "notes").write_text("precious")
    run(made(tmp_path, meddle), tmp_path / "study", workers=0)
    left = sorted(
        path for path in (tmp_path / "study" / "checkpoints").rglob("*") if kind_of(path) != "a folder"
    )
    assert {path.name for path in left} >= {"mine.txt", "mine.json", "notes", "linked"}
    assert not [path for path in left if path.name == "step"]
    assert (tmp_path / "precious" / "notes").read_text() == "precious"


@pytest.mark.parametrize("name", ["../../out", "/tmp/out", "a/../../../out", "sub", ""])
def test_a_list_that_leads_elsewhere_does_not_count(tmp_path, name):
    assert attempt(Training(die_after=4), on_disk(tmp_path)) is None
    (note,) = (tmp_path / "kept" / "k").glob("*.json")
    told_of = json.loads(note.read_text())
    told_of["files"][name] = 3
    note.write_text(json.dumps(told_of))
    second = Training()
    assert told(attempt(second, on_disk(tmp_path))) == WHOLE
    assert second.trained == list(range(1, STEPS + 1))
    assert {path.name for path in tmp_path.iterdir()} == {"kept"}
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"k"}


@pytest.mark.parametrize(
    "text", ["[]", "{}", "null", '{"files": [1]}', '{"files": {"a": 1}}', "[" * 100_000, '{"files": {}}']
)
def test_a_list_of_any_form_does_not_count(tmp_path, text):
    assert attempt(Training(die_after=4), on_disk(tmp_path)) is None
    (note,) = (tmp_path / "kept" / "k").glob("*.json")
    note.write_text(text)
    assert told(attempt(Training(), on_disk(tmp_path))) == WHOLE


def test_links_that_a_trial_makes_in_its_folder_lead_nowhere(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "notes").write_text("precious")

    @problem(space={"x": {"float": [0, 1]}}, steps=3)
    def linking(config, checkpoint_dir):
        for step in range(3):
            for name, target in (
                ("folder", precious),
                ("file", precious / "notes"),
                ("none", tmp_path / "no"),
            ):
                if not (checkpoint_dir / name).is_symlink():
                    (checkpoint_dir / name).symlink_to(target)
            (checkpoint_dir / "step").write_text(str(step))
            yield config["x"]

    study = Study.build(name="links", problems=[linking], methods=["random"], seeds=1, budget={"trials": 2})
    trials = run(study, tmp_path / "study", workers=0).trials
    assert trials["status"].tolist() == ["COMPLETED"] * 2
    assert [(path.name, path.read_text()) for path in precious.iterdir()] == [("notes", "precious")]
    assert not (tmp_path / "study" / "checkpoints").exists()


class Full(Checkpoint):
    """A store whose disk is full."""

    def _copy(self, store, path, place):
        raise OSError(28, "No space left on device")


def test_a_store_that_fails_costs_no_trial(tmp_path):
    def store(key):
        return Full(Root(tmp_path), f"kept/{key}")

    assert told(attempt(Training(), store)) == WHOLE
    assert attempt(Training(die_after=4), store) is None
    assert told(attempt(Training(), store)) == WHOLE


def test_outside_of_a_study_the_folder_is_empty():
    first = checkpoint_dir()
    (first / "left").touch()
    assert list(checkpoint_dir().iterdir()) == []
    assert [step["step"] for step in Training().problem().evaluate(CONFIG, 3)] == list(range(1, STEPS + 1))


def test_a_store_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for place in (str(tmp_path / "file/below"), f"file://{tmp_path}/file/below", "nothing://at/all"):
        with pytest.raises(StudyError, match="checkpoints: cannot write checkpoints to"):
            Checkpoints(place, "kept").check()
    Checkpoints(f"file://{tmp_path}/new/folder", "kept").check()


def stubborn(first, marks):
    """Trains in six steps; at its third it does something, the first time."""

    @problem(space={"x": {"float": [0, 1]}}, steps=STEPS)
    def training(config, checkpoint_dir):
        path = checkpoint_dir / "step"
        for step in range(int(path.read_text()) if path.exists() else 0, STEPS):
            if step == 3 and not (marks / "been").exists():
                (marks / "been").touch()
                first()
            with (marks / "trained").open("a") as file:
                file.write(f"{step} ")
            path.write_text(str(step + 1))
            yield config["x"] / (step + 1)

    return training


def fail():
    raise RuntimeError("once")


def interrupt():
    signal.raise_signal(signal.SIGINT)


def made(tmp_path, first, **trial):
    return Study.build(
        name="long", problems=[stubborn(first, tmp_path)], methods=["random"], seeds=1,
        budget={"trials": 2}, trial=trial,
    )  # fmt: skip


TWICE = "0 1 2 3 4 5 0 1 2 3 4 5 "


@pytest.mark.parametrize("storage", [None, "here", "uri"])
def test_a_trial_that_is_tried_again_goes_on(tmp_path, storage):
    place = {"here": str(tmp_path / "kept"), "uri": f"file://{tmp_path}/kept"}.get(storage)
    study = made(tmp_path, fail, retry_failed=True)
    trials = run(study, tmp_path / "study", workers=0, storage=place).trials
    assert trials["status"].tolist() == ["COMPLETED"] * 2
    assert trials["attempts"].tolist() == [2, 1]
    assert (tmp_path / "trained").read_text() == TWICE
    assert not [path for path in Path(place or tmp_path / "study/checkpoints").rglob("*") if path.is_file()]


def test_without_retries_a_failure_is_one_and_leaves_nothing(tmp_path):
    trials = run(made(tmp_path, fail), tmp_path / "study", workers=0).trials
    assert trials["status"].tolist() == ["FAILED", "COMPLETED"]
    assert (tmp_path / "trained").read_text() == "0 1 2 0 1 2 3 4 5 "
    assert not (tmp_path / "study/checkpoints").exists()


def test_a_study_that_goes_on_goes_on_with_its_trial(tmp_path):
    study = made(tmp_path, interrupt)
    with pytest.raises(StudyInterrupted):
        run(study, tmp_path / "study", workers=0)
    (tmp_path / "study").rename(tmp_path / "moved")  # as on another machine
    trials = run(study, tmp_path / "moved", workers=0).trials
    assert trials["status"].tolist() == ["COMPLETED"] * 2
    assert (tmp_path / "trained").read_text() == TWICE
    assert [len(json.loads(steps)) for steps in trials["steps"]] == [STEPS] * 2
