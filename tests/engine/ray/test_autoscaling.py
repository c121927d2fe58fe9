"""What a cluster could add; test_clusters.py has what needs a cluster."""

import pytest
import yaml

from runner.engine.ray import autoscaling as growth
from runner.engine.ray.connect import Connection
from runner.errors import EngineError
from runner.study.resources import Needs

CONFIGURATION = """
cluster_name: c
head_node_type: head
available_node_types:
  head: {resources: {CPU: 2}, max_workers: 0}
  small: {resources: {CPU: 4}, max_workers: 3}
  large: {resources: {CPU: 16, GPU: 1}, max_workers: 1}
"""
TYPES = [({"CPU": 4.0}, 3), ({"CPU": 16.0, "GPU": 1.0}, 1)]


class Elsewhere(Connection):
    """A cluster that this process has not started."""

    ours = False

    def look(self):
        """Nothing changes."""


def cluster(needs, *nodes, workers=None):
    return Elsewhere("the cluster", workers, needs, list(nodes))


def test_node_types_are_read_from_a_configuration():
    assert growth.types_of(yaml.safe_load(CONFIGURATION)) == TYPES


@pytest.mark.parametrize(
    "needs, workers, width, types, more",
    [
        (Needs(), None, 100, TYPES, 4),  # as many as there are
        (Needs(), None, 100, None, 4),
        (Needs(), None, 6, TYPES, 2),  # no more than could be used
        (Needs(), None, 3, TYPES, 0),
        (Needs(), 5, 100, TYPES, 1),  # or than are wanted
        (Needs(), 4, 100, TYPES, 0),
        (Needs(4), None, 100, TYPES, 1),
        (Needs(1, 1), None, 100, TYPES, 1),  # no room yet: one
        (Needs(1, 2), None, 100, TYPES, 0),  # which none could have
    ],
)
def test_a_cluster_is_asked_for_what_could_be_used(monkeypatch, needs, workers, width, types, more):
    monkeypatch.setattr(growth, "node_types", lambda: types)
    assert growth.additional_trials(cluster(needs, {"CPU": 4.0}, workers=workers), width) == more


def test_a_node_that_could_come_is_waited_for(monkeypatch):
    monkeypatch.setattr(growth, "node_types", lambda: TYPES)
    notes = []
    growth.await_room(cluster(Needs(8), {"CPU": 2.0}), notes.append)
    assert notes == ["Waiting for the cluster to grow: no node has room for a trial yet."]
    growth.await_room(cluster(Needs(2), {"CPU": 2.0}), notes.append)
    assert len(notes) == 1


@pytest.mark.parametrize(
    "needs, says",
    [
        (Needs(32), "a trial needs 32 CPUs; the cluster has 16 CPUs."),
        (Needs(1, 4), "a trial needs 1 CPU, 4 GPUs; the cluster has 1 GPU."),
    ],
)
def test_what_no_node_could_have_is_refused_at_once(monkeypatch, needs, says):
    monkeypatch.setattr(growth, "node_types", lambda: TYPES)
    with pytest.raises(EngineError) as caught:
        growth.await_room(cluster(needs, {"CPU": 2.0}), lambda text: None)
    assert says in str(caught.value)
