"""Ray's internals are as `runner.engine.ray.internals` expects them in the pinned version."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from ray import tune
from ray._private import ray_constants
from ray._private import worker as ray_worker
from ray.experimental import internal_kv

from runner.engine.ray import internals


@ray.remote(num_cpus=0)
class Actor:
    def ping(self):
        return internals.in_driver()


def test_without_ray_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(ray_worker, "_global_node", None)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    assert not internals.starts_cluster()
    assert not internals.in_driver()


@pytest.mark.ray
def test_the_node_of_this_process(ray_workers):
    assert internals.starts_cluster()
    assert internals.dead_processes() == set()
    assert {name for name, _ in ray_worker._global_node.live_processes()} >= {"gcs_server", "raylet"}
    assert Path(internals.session_folder()).is_dir()
    assert internals.in_driver()


@pytest.mark.ray
def test_actors_and_the_loss_of_one(ray_workers):
    actor = Actor.remote()
    assert ray.get(actor.ping.remote()) is False
    key = internals.actor_id(actor)
    assert internals.lost_with_node(key) is None, "it is alive"
    ray.kill(actor)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(actor.ping.remote())
    assert internals.lost_with_node(key) is False, "killed, and the node is there"


@pytest.mark.ray
def test_what_an_autoscaler_reports(ray_workers):
    assert internals.autoscaler_groups() is None
    assert list(internals.launching()) == []
    report = {"autoscaler_report": {"pending_launches": [["small", 1]], "pending_nodes": []}}
    before = internal_kv._internal_kv_get(ray_constants.DEBUG_AUTOSCALING_STATUS)
    internal_kv._internal_kv_put(ray_constants.DEBUG_AUTOSCALING_STATUS, json.dumps(report), overwrite=True)
    try:
        assert internals.launching() == [["small", 1]]
    finally:
        if before is None:
            internal_kv._internal_kv_del(ray_constants.DEBUG_AUTOSCALING_STATUS)
        else:
            internal_kv._internal_kv_put(ray_constants.DEBUG_AUTOSCALING_STATUS, before, overwrite=True)


def test_hooks_and_output_are_restored():
    hooks, output = list(ray_worker._post_init_hooks), ray_worker.print_to_stdstream
    with internals.init_hooks_removed(), internals.worker_output_hidden():
        ray_worker._post_init_hooks.append(print)
        assert ray_worker.print_to_stdstream is not output
    assert ray_worker._post_init_hooks == hooks
    assert ray_worker.print_to_stdstream is output


def test_a_session_hears_reports_and_makes_way_again():
    heard = []
    outer = SimpleNamespace(report=lambda metrics, checkpoint=None: heard.append(("outer", metrics)))
    inner = SimpleNamespace(report=lambda metrics, checkpoint=None: heard.append(("inner", metrics)))
    with internals.tune_session(outer):
        with internals.tune_session(inner):
            tune.report({"loss": 1.0})
        tune.report({"loss": 2.0})
    assert heard == [("inner", {"loss": 1.0}), ("outer", {"loss": 2.0})]


@pytest.mark.ray
def test_what_tune_knows_of_actors(ray_workers, tmp_path, monkeypatch):
    """The controller that Tune gives its schedulers has the cache of actors and the trials that have one."""
    found = {}

    class Scheduler(tune.schedulers.FIFOScheduler):
        def on_trial_add(self, controller, trial):
            found["actor at first"] = internals.actor_of(trial)
            internals.keep_actors(controller, trial.placement_group_factory, 3)
            cache = controller._tune_controller._actor_cache
            found["kept"] = cache._max_num_objects[trial.placement_group_factory]

        def choose_trial_to_run(self, controller):
            found["taken"] = set(internals.trials_with_actor(controller))
            return super().choose_trial_to_run(controller)

        def on_trial_result(self, controller, trial, result):
            found["actor at work"] = internals.actor_id(internals.actor_of(trial))
            return self.CONTINUE

    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    with internals.init_hooks_removed():
        tune.run(lambda config: {"loss": 1.0}, scheduler=Scheduler(), storage_path=str(tmp_path), verbose=0)
    assert found["actor at first"] is None
    assert found["kept"] == 3
    assert found["taken"] == set()
    assert len(bytes.fromhex(found["actor at work"])) == 16
