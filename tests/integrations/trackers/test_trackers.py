"""Trackers against the real packages with local stores; and trackers that fail."""

import json
import struct
import threading
import warnings

import pytest

from runner.api import run
from runner.engine.monitor import Monitor
from runner.errors import StudyError
from runner.integrations.trackers import Tracker, with_trackers
from runner.integrations.trackers.tracked import Tracked
from tests.studies import study


class Listener(Monitor):
    """Keeps what it was told, and by which thread."""

    def __init__(self):
        self.notes, self.threads, self.count = [], set(), 0

    def note(self, text):
        self.notes.append(text)
        self.threads.add(threading.get_ident())

    def ended(self, index, trial):
        self.count += 1


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """An MLflow store; making its tables takes seconds."""
    with warnings.catch_warnings(action="ignore"):
        from mlflow.tracking import MlflowClient

        uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
        client = MlflowClient(tracking_uri=uri)
        client.get_experiment("0")
        client.uri = uri
        yield client


def test_mlflow_has_a_run_per_run_and_a_step_per_trial_also_after_going_on(client, tmp_path):
    small = {"methods": ["random"], "name": "tracked"}
    listener = Listener()
    run(study(**small, budget={"trials": 3}), tmp_path / "s", workers=0, track=[f"mlflow:{client.uri}"])
    results = run(study(**small), tmp_path / "s", workers=0, track=[f"mlflow:{client.uri}"], monitor=listener)
    assert listener.notes == [] or not any("tracking stopped" in note for note in listener.notes)
    with warnings.catch_warnings(action="ignore"):
        experiment = client.get_experiment_by_name("tracked")
        runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
        assert set(runs) == set(results.runs["run"])
        for name, rows in results.trials.groupby("run"):
            tracked_run = runs[name]
            (metric,) = set(results.runs.loc[results.runs["run"] == name, "metric"])
            history = client.get_metric_history(tracked_run.info.run_id, metric)
            given = {m.step: m.value for m in history}
            assert len(history) == len(given)
            assert given == dict(rows.loc[rows["value"].notna(), ["number", "value"]].to_numpy().tolist())
            assert tracked_run.data.tags["end_reason"] == "the budget of trials is spent"
            best = results.runs.set_index("run").loc[name]
            told = {k[5:]: json.loads(v) for k, v in tracked_run.data.tags.items() if k.startswith("best.")}
            assert told == json.loads(best["incumbent_config"])
            assert tracked_run.data.metrics[f"best_{metric}"] == best["incumbent_value"]
            assert tracked_run.info.status == "FINISHED"
            assert tracked_run.data.params["method"] == "random"


def scalars(folder):
    """(tag, step) to value in the event files of a directory: records of length, data and checksums."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.glob("events.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack("<Q", content[at : at + 8])
            event = Event.FromString(content[at + 12 : at + 12 + length])
            at += 16 + length
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    assert (value.tag, event.step) not in found
                    found[value.tag, event.step] = value.simple_value
    return found


def test_tensorboard_has_a_directory_per_run_also_after_going_on(tmp_path):
    target = [f"tensorboard:{tmp_path / 'logs'}"]
    small = {"methods": ["random"], "seeds": 1}
    run(study(**small, budget={"trials": 3}), tmp_path / "s", workers=0, track=target)
    results = run(study(**small), tmp_path / "s", workers=0, track=target)
    for name, rows in results.trials.groupby("run"):
        problem, method, seed = name.split("/")
        found = scalars(tmp_path / "logs/small" / problem / method / seed)
        (metric,) = set(results.runs.loc[results.runs["run"] == name, "metric"])
        values = {step: value for (tag, step), value in found.items() if tag == metric}
        valid = rows[rows["value"].notna()]
        assert values == pytest.approx(dict(zip(valid["number"], valid["value"], strict=True)), rel=1e-6)
        incumbents = results.incumbents().query("run == @name").dropna(subset="value")
        told = {step: value for (tag, step), value in found.items() if tag == "incumbent"}
        assert told == pytest.approx(
            dict(zip(incumbents["number"], incumbents["value"], strict=True)), rel=1e-6
        )


class Broken(Tracker):
    def __init__(self, call):
        self.call, self.calls = call, 0

    def _fail(self, name):
        self.calls += 1
        if name == self.call:
            raise ConnectionError("no such host")

    def begin(self, study, history):
        self._fail("begin")

    def trials(self, index, ended):
        self._fail("trials")

    def finished(self, index, ended):
        self._fail("finished")

    def close(self):
        self._fail("close")


@pytest.mark.parametrize("call", ["begin", "trials", "finished", "close"])
def test_a_tracker_that_fails_is_told_of_once_and_stops_nothing(call, tmp_path):
    listener, broken = Listener(), Broken(call)
    results = run(study(), tmp_path / "s", workers=0, monitor=Tracked(listener, {"it": broken}))
    assert results.ok or len(results.trials) == 48
    assert listener.count == len(results.trials)
    (note,) = [note for note in listener.notes if "tracking" in note]
    assert note == "it: tracking stopped, the study continues: ConnectionError: no such host"
    assert listener.threads == {threading.get_ident()}


def test_a_tracker_that_hangs_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("runner.integrations.trackers.tracked.CLOSING_SECONDS", 0.05)
    released = threading.Event()

    class Hanging(Broken):
        def begin(self, study, history):
            released.wait()

    listener = Listener()
    run(study(), tmp_path / "s", workers=0, monitor=Tracked(listener, {"it": Hanging("")}))
    released.set()
    assert any("not finished after" in note for note in listener.notes)


def test_tensorboard_does_not_write_through_a_link(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "logs" / "small").symlink_to(tmp_path / "precious")
    listener = Listener()
    target = [f"tensorboard:{tmp_path / 'logs'}"]
    results = run(study(seeds=1), tmp_path / "s", workers=0, track=target, monitor=listener)
    assert any("small', got a link" in note for note in listener.notes)
    assert list((tmp_path / "precious").iterdir()) == []
    assert len(results.trials) == 24


@pytest.mark.parametrize("target", ["mlflow", "wandb:x", "tensorboard:"])
def test_a_target_that_is_none_is_refused(target):
    with pytest.raises(StudyError, match=r"--track: expected mlflow:URI or tensorboard:DIR, got "):
        with_trackers(Monitor(), [target])


def test_nothing_is_loaded_where_nothing_is_tracked():
    monitor = Monitor()
    assert with_trackers(monitor, ()) is monitor
